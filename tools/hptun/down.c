/* SPDX-License-Identifier: ISC */
/* hptun down: ends the daemon of a network, or its link to one peer. */
#include <stdio.h>

#include "../cli.h"
#include "../ctl_client.h"
#include "commands.h"

static enum hp_err set_peer(void *ctx, const char *v, struct hp_fault *f)
{
	return hp_name_parse(v, ctx, f);
}

static const struct cli_opt opts[] = {
	{ "peer", "NAME", "only the link to this peer, until hptun up asks for "
			  "it again", set_peer },
};

static const struct cli_spec spec = {
	.command = "hptun down",
	.args = "",
	.about = "Ends the daemon of a network, and waits until it and its "
		 "interface are gone.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
};

int cmd_down(int argc, char **argv)
{
	char network[HP_NAME_TEXT], peer[HP_NAME_TEXT] = "";
	char reason[CTL_REASON] = "";
	struct hp_fault f = { 0 };
	json_t *doc = NULL;
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&spec, peer, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	if (hp_store_pick(&cli.dirs, cli.network, network, &f))
		return cli_fail(&cli, &f);
	if (*peer)
		err = ctl_call(cli.dirs.run, network,
			       json_pack("{s:s, s:s}", "op", "down", "peer",
					 peer), &doc, reason, &f);
	else
		err = ctl_stop(cli.dirs.run, network, &f);
	json_decref(doc);
	if (!err)
		return 0;
	cli_fail(&cli, &f);
	return (int)ctl_exit_of(err, reason);
}
