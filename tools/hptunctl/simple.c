/* SPDX-License-Identifier: ISC */
/* The commands that ask once: status, peers, reload, stop. */
#include <stdio.h>

#include "../ctl_client.h"
#include "../view.h"
#include "hptunctl.h"

/* Asks the daemon for @op; NULL: *code is the exit status, and all is said. */
static json_t *ask(const struct cli *cli, const char *op, int *code)
{
	char network[HP_NAME_TEXT], reason[CTL_REASON];
	struct hp_fault f = { 0 };
	json_t *doc = NULL;
	enum hp_err err;

	*code = CLI_FAILED;
	if (ctl_network(cli, network, &f)) {
		cli_fail(cli, &f);
		return NULL;
	}
	err = ctl_call(cli->dirs.run, network, json_pack("{s:s}", "op", op),
		       &doc, reason, &f);
	if (!err) {
		*code = 0;
		json_object_del(doc, "ok");
		return doc;
	}
	*code = ctl_complain(cli, err, reason, &f);
	json_decref(doc);
	return NULL;
}

int cmd_status(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.command = "hptunctl status",
		.args = "",
		.about = "Shows this node, how the rendezvous sees it, and "
			 "how packets travel to each\npeer.",
		.json = true,
	};
	struct cli cli;
	int code = cli_parse(&spec, NULL, &cli, argc, argv);
	json_t *doc;

	if (code != CLI_GO)
		return code;
	doc = ask(&cli, "status", &code);
	if (doc && cli.json)
		return cli_json(&cli, doc);
	if (doc)
		view_status(doc, stdout);
	json_decref(doc);
	return code;
}

int cmd_peers(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.command = "hptunctl peers",
		.args = "",
		.about = "Shows how packets travel to each peer.",
		.json = true,
	};
	struct cli cli;
	int code = cli_parse(&spec, NULL, &cli, argc, argv);
	json_t *doc, *peers;

	if (code != CLI_GO)
		return code;
	doc = ask(&cli, "peers", &code);
	peers = json_object_get(doc, "peers");
	if (doc && cli.json)
		code = cli_json(&cli, json_incref(peers));
	else if (doc)
		view_peers(peers, stdout);
	json_decref(doc);
	return code;
}

int cmd_reload(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.command = "hptunctl reload",
		.args = "",
		.about = "Has the daemon read its configuration anew. With a "
			 "mistake in it, the old one\nstays.",
	};
	struct cli cli;
	int code = cli_parse(&spec, NULL, &cli, argc, argv);

	if (code == CLI_GO)
		json_decref(ask(&cli, "reload", &code));
	return code;
}

int cmd_stop(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.command = "hptunctl stop",
		.args = "",
		.about = "Ends the daemon, and waits until it and its "
			 "interface are gone.",
	};
	char network[HP_NAME_TEXT];
	struct hp_fault f = { 0 };
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&spec, NULL, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	if (ctl_network(&cli, network, &f))
		return cli_fail(&cli, &f);
	err = ctl_stop(cli.dirs.run, network, &f);
	return err ? ctl_complain(&cli, err, "", &f) : 0;
}
