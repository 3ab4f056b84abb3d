/* SPDX-License-Identifier: ISC */
/* The table of operations, and those that answer at once. */
#include <stddef.h>

#include "ctl_client.h"

static void op_status(struct ctl_client *c, const json_t *req,
		      uint64_t now_ns)
{
	(void)req;
	ctl_end(c, ctl_status_json(c->cfg, now_ns));
}

static void op_peers(struct ctl_client *c, const json_t *req, uint64_t now_ns)
{
	json_t *status = ctl_status_json(c->cfg, now_ns);
	json_t *peers = json_object_get(status, "peers");

	(void)req;
	ctl_end(c, json_pack("{s:O*}", "peers", peers));
	json_decref(status);
}

static void op_reload(struct ctl_client *c, const json_t *req,
		      uint64_t now_ns)
{
	struct hp_fault f = { 0 };
	enum hp_err err = c->cfg->reload(c->cfg->ctx, &f);

	(void)req;
	(void)now_ns;
	if (!err) {
		ctl_end(c, json_object());
		return;
	}
	if (!f.code)
		hp_fault_set(&f, err, "", "%s", hp_err_name(err));
	ctl_fail(c, "config", &f);
}

static void op_stop(struct ctl_client *c, const json_t *req, uint64_t now_ns)
{
	(void)req;
	(void)now_ns;
	ctl_end(c, json_object());
	c->cfg->stop(c->cfg->ctx);
}

const struct ctl_op ctl_ops[] = {
	{ "status", op_status },
	{ "peers", op_peers },
	{ "up", ctl_up },
	{ "watch", ctl_watch },
	{ "reload", op_reload },
	{ "stop", op_stop },
	{ NULL, NULL },
};
