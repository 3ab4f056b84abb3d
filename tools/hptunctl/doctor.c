/* SPDX-License-Identifier: ISC */
/* doctor: why packets to a peer travel as they do, and what can be done. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "../ctl_client.h"
#include "../view.h"
#include "hptunctl.h"

static enum hp_err set_timeout(void *ctx, const char *value,
			       struct hp_fault *f)
{
	return hp_value_time(value, ctx, f);
}

static const struct cli_opt opts[] = {
	{ "timeout", "TIME", "for the connection to settle (15s)",
	  set_timeout },
};

static const struct cli_spec spec = {
	.command = "hptunctl doctor",
	.args = "PEER",
	.about = "Tells why packets to the peer travel as they do: what both "
		 "ends know of\ntheir NATs and servers, every pair of "
		 "addresses that was tried, and what can\nbe done. Asks the "
		 "peer for its half.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.min_args = 1,
	.max_args = 1,
	.json = true,
};

/* Packets flow, or which of the usual reasons they do not for. */
static int exit_of(const json_t *doc)
{
	static const struct {
		const char *cause;
		int code;
	} row[] = {
		{ "rendezvous-unreachable", CTL_EXIT_RENDEZVOUS },
		{ "rendezvous-refused", CTL_EXIT_RENDEZVOUS },
		{ "peer-offline", CTL_EXIT_PEER },
		{ "peer-unknown", CTL_EXIT_PEER },
		{ "certificate-refused", CTL_EXIT_CERTIFICATE },
	};
	const char *state = view_text(doc, "state");

	if (!strcmp(state, "direct") || !strcmp(state, "relayed"))
		return 0;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (!strcmp(view_text(doc, "cause"), row[i].cause))
			return row[i].code;
	return CTL_EXIT_PATH;
}

int cmd_doctor(int argc, char **argv)
{
	uint64_t timeout_ns = 15 * HP_S;
	char network[HP_NAME_TEXT], reason[CTL_REASON] = "";
	struct hp_fault f = { 0 };
	json_t *doc = NULL;
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&spec, &timeout_ns, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	if (ctl_network(&cli, network, &f))
		return cli_fail(&cli, &f);
	err = ctl_call(cli.dirs.run, network,
		       json_pack("{s:s, s:s, s:I}", "op", "doctor", "peer",
				 cli.args[0], "timeout_ms",
				 (json_int_t)(timeout_ns / HP_MS)),
		       &doc, reason, &f);
	if (err) {
		json_decref(doc);
		return ctl_complain(&cli, err, reason, &f);
	}
	json_object_del(doc, "ok");
	code = exit_of(doc);
	if (cli.json) {
		int said = cli_json(&cli, doc);

		return said ? said : code;
	}
	view_doctor(doc, stdout);
	json_decref(doc);
	return code;
}
