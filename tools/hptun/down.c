/* SPDX-License-Identifier: ISC */
/* hptun down: ends the daemon of a network. */
#include <stdio.h>

#include "../cli.h"
#include "../ctl_client.h"
#include "commands.h"

int cmd_down(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.command = "hptun down",
		.args = "",
		.about = "Ends the daemon of a network, and waits until it "
			 "and its interface are gone.",
	};
	char network[HP_NAME_TEXT];
	struct hp_fault f = { 0 };
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&spec, NULL, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	if (hp_store_pick(&cli.dirs, cli.network, network, &f))
		return cli_fail(&cli, &f);
	err = ctl_stop(cli.dirs.run, network, &f);
	if (!err)
		return 0;
	cli_fail(&cli, &f);
	return (int)ctl_exit_of(err, "");
}
