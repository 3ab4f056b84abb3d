/* SPDX-License-Identifier: ISC */
/* The table of operations, those that answer at once, and what operations have
 * in common.
 */
#include <stddef.h>

#include "base/time.h"
#include "ctl_client.h"

uint64_t ctl_ms(const json_t *req, const char *key, json_int_t otherwise,
		json_int_t max)
{
	const json_t *v = json_object_get(req, key);
	json_int_t ms = json_is_integer(v) ? json_integer_value(v) : otherwise;

	if (ms < 0)
		ms = 0;
	return (uint64_t)(ms > max ? max : ms) * HP_MS;
}

enum hp_err ctl_want(struct ctl_client *c, const char *text,
		     char out[HP_NAME_TEXT], uint64_t now_ns,
		     struct hp_fault *f)
{
	enum hp_err err = hp_name_parse(text, out, f);

	if (err)
		return err;
	if (c->cfg->stock(c->cfg->ctx, NULL, out))
		return hp_fault_set(f, HP_ERR_STATE,
				    "hptunctl status tells when it was last "
				    "heard; ping its address",
				    "%s is a stock WireGuard peer, which "
				    "connects by itself", out);
	err = hp_node_want(c->cfg->node, out, now_ns);
	if (err == HP_ERR_EXISTS)
		return hp_fault_set(f, err, "name the other host",
				    "%s is this node itself", out);
	if (err)
		return hp_fault_set(f, err, "", "%s: %s", out,
				    hp_err_name(err));
	return HP_OK;
}

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

static void op_down(struct ctl_client *c, const json_t *req, uint64_t now_ns)
{
	const char *text = json_string_value(json_object_get(req, "peer"));
	struct hp_fault f = { 0 };
	char name[HP_NAME_TEXT];
	enum hp_err err = hp_name_parse(text ? text : "", name, &f);

	if (!err && c->cfg->stock(c->cfg->ctx, NULL, name))
		err = hp_fault_set(&f, HP_ERR_STATE, "",
				   "%s is a stock WireGuard peer, which "
				   "connects by itself", name);
	else if (!err && hp_node_part(c->cfg->node, name, now_ns))
		err = hp_fault_set(&f, HP_ERR_UNKNOWN,
				   "hptunctl peers lists those that there are",
				   "no peer %s was met or asked for", name);
	if (err)
		ctl_fail(c, err == HP_ERR_UNKNOWN ? "unknown" : "request",
			 &f);
	else
		ctl_end(c, json_object());
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
	{ "ping", ctl_ping },
	{ "doctor", ctl_doctor },
	{ "up", ctl_up },
	{ "down", op_down },
	{ "watch", ctl_watch },
	{ "reload", op_reload },
	{ "stop", op_stop },
	{ NULL, NULL },
};
