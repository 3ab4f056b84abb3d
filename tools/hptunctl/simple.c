/* SPDX-License-Identifier: ISC */
/* The commands that ask once: status, peers, reload, stop. */
#include <stdio.h>

#include "../ctl_client.h"
#include "hptunctl.h"
#include "../view.h"

int cmd_status(const struct options *o)
{
	int status;
	json_t *doc = ask(o, json_pack("{s:s}", "op", "status"), &status);

	if (!doc)
		return status;
	json_object_del(doc, "ok");
	if (o->json)
		print_json(doc);
	else
		view_status(doc, stdout);
	json_decref(doc);
	return 0;
}

int cmd_peers(const struct options *o)
{
	int status;
	json_t *doc = ask(o, json_pack("{s:s}", "op", "peers"), &status);
	const json_t *peers = json_object_get(doc, "peers");

	if (!doc)
		return status;
	if (o->json)
		print_json(peers);
	else
		view_peers(peers, stdout);
	json_decref(doc);
	return 0;
}

int cmd_reload(const struct options *o)
{
	int status;
	json_t *doc = ask(o, json_pack("{s:s}", "op", "reload"), &status);

	json_decref(doc);
	return status;
}

int cmd_stop(const struct options *o)
{
	struct hp_fault f = { 0 };
	enum hp_err err = ctl_stop(o->dirs.run, o->network, &f);

	return err ? complain(err, "", &f) : 0;
}
