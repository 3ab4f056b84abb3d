/* SPDX-License-Identifier: ISC */
/* hptunctl: looks into a running daemon and steers it. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "../ctl_client.h"
#include "hptunctl.h"

static const struct cli_command commands[] = {
	{ "status", cmd_status, "the node, its servers, its peers" },
	{ "peers", cmd_peers, "the peers alone" },
	{ "watch", cmd_watch, "status or news, until interrupted" },
	{ "ping", cmd_ping, "measure the way to a peer" },
	{ "doctor", cmd_doctor, "why packets to a peer travel as they do" },
	{ "reload", cmd_reload, "read the configuration anew" },
	{ "stop", cmd_stop, "end the daemon" },
};

int ctl_complain(const struct cli *cli, enum hp_err err, const char *reason,
		 const struct hp_fault *f)
{
	cli_fail(cli, f);
	return (int)ctl_exit_of(err, reason);
}

void ctl_print(const json_t *doc)
{
	json_dumpf(doc, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	fflush(stdout);
}

/* The network whose daemon runs, when it is the only one; "" when none does.
 * The configuration itself may be readable to root alone.
 */
static enum hp_err running_network(const char *run_dir,
				   char out[HP_NAME_TEXT], struct hp_fault *f)
{
	DIR *dir = opendir(run_dir);
	const struct dirent *e;
	enum hp_err err = HP_OK;

	out[0] = '\0';
	while (dir && !err && (e = readdir(dir))) {
		size_t len = strlen(e->d_name);

		if (len <= 5 || strcmp(e->d_name + len - 5, ".sock") != 0 ||
		    len - 5 >= HP_NAME_TEXT)
			continue;
		if (out[0])
			err = hp_fault_set(f, HP_ERR_EXISTS,
					   "choose one with --network",
					   "daemons of several networks run: "
					   "%s, %.*s", out, (int)(len - 5),
					   e->d_name);
		else
			snprintf(out, HP_NAME_TEXT, "%.*s", (int)(len - 5),
				 e->d_name);
	}
	if (dir)
		closedir(dir);
	return err;
}

enum hp_err ctl_network(const struct cli *cli, char out[HP_NAME_TEXT],
			struct hp_fault *f)
{
	enum hp_err err;

	if (cli->network)
		return hp_name_parse(cli->network, out, f);
	err = running_network(cli->dirs.run, out, f);
	if (err || out[0])
		return err;
	return hp_store_pick(&cli->dirs, NULL, out, f);
}

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "hptunctl",
		.about = "Looks into a running hptun daemon and steers it.",
		.commands = commands,
		.n = sizeof(commands) / sizeof(commands[0]),
	};

	return cli_main(&program, argc, argv);
}
