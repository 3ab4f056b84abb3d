/* SPDX-License-Identifier: ISC */
/* ping: round trips of the path that packets to a peer take. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "../ctl_client.h"
#include "hptunctl.h"
#include "../table.h"
#include "../view.h"

static void print_pong(const char *peer, const json_t *doc)
{
	const json_t *ms = json_object_get(doc, "rtt_ms");
	long long seq = json_integer_value(json_object_get(doc, "seq"));
	char text[HUMAN_TEXT];

	if (!json_is_number(ms)) {
		printf("%s: seq %lld, no answer (%s)\n", peer, seq,
		       view_text(doc, "state"));
		return;
	}
	printf("%s: seq %lld, %s, %s, ", peer, seq,
	       human_ms(json_number_value(ms), text), view_text(doc, "state"));
	view_path(doc, stdout);
	putchar('\n');
}

static void print_sum(const char *peer, const json_t *doc)
{
	const json_t *min = json_object_get(doc, "min_ms");
	char a[HUMAN_TEXT], b[HUMAN_TEXT], c[HUMAN_TEXT];

	printf("%s: %lld sent, %lld answered", peer,
	       (long long)json_integer_value(json_object_get(doc, "sent")),
	       (long long)json_integer_value(json_object_get(doc,
							     "answered")));
	if (json_is_number(min))
		printf("; least %s, mean %s, most %s",
		       human_ms(json_number_value(min), a),
		       human_ms(json_number_value(
					json_object_get(doc, "mean_ms")), b),
		       human_ms(json_number_value(
					json_object_get(doc, "max_ms")), c));
	putchar('\n');
}

/* What was asked for; @count 0: until interrupted. */
struct ping {
	uint32_t count;
	uint64_t every_ns;
};

static enum hp_err set_count(void *ctx, const char *value,
			     struct hp_fault *f)
{
	return hp_value_u32(value, 1, 1000000, &((struct ping *)ctx)->count,
			    f);
}

static enum hp_err set_every(void *ctx, const char *value,
			     struct hp_fault *f)
{
	return hp_value_time(value, &((struct ping *)ctx)->every_ns, f);
}

static const struct cli_opt opts[] = {
	{ "count", "N", "end after N pings", set_count },
	{ "interval", "TIME", "between pings: 200ms, 2s (1s)", set_every },
};

static const struct cli_spec spec = {
	.command = "hptunctl ping",
	.args = "PEER",
	.about = "Measures round trips with the authenticated probes of the "
		 "path that packets to\nthe peer take, direct or relayed. "
		 "Nothing needs to answer pings inside the\ntunnel.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.letters = "ci",
	.min_args = 1,
	.max_args = 1,
	.json = true,
};

static json_t *request(const struct ping *p, const char *peer)
{
	return json_pack("{s:s, s:s, s:i, s:I}", "op", "ping", "peer", peer,
			 "count", (int)p->count, "every_ms",
			 (json_int_t)(p->every_ns / HP_MS));
}

/* The verdict in @reason; *@answered: one at least was. */
static enum hp_err follow(struct ctl_conn *c, const struct cli *cli,
			  bool *answered, char reason[CTL_REASON],
			  struct hp_fault *f)
{
	enum hp_err err = HP_ERR_AGAIN;
	json_t *doc;

	while (err == HP_ERR_AGAIN) {
		err = ctl_read(c, -1, &doc, f);
		if (err)
			break;
		err = ctl_verdict(doc, reason, f);
		if (json_is_number(json_object_get(doc, "rtt_ms")))
			*answered = true;
		if (cli->json)
			ctl_print(doc);
		else if (err == HP_ERR_AGAIN)
			print_pong(cli->args[0], doc);
		else if (!err)
			print_sum(cli->args[0], doc);
		fflush(stdout);
		json_decref(doc);
	}
	return err;
}

int cmd_ping(int argc, char **argv)
{
	struct ping p = { .every_ns = HP_S };
	char network[HP_NAME_TEXT], reason[CTL_REASON] = "";
	struct hp_fault f = { 0 };
	struct ctl_conn *c = NULL;
	bool answered = false;
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&spec, &p, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	if (ctl_network(&cli, network, &f))
		return cli_fail(&cli, &f);
	err = ctl_open(cli.dirs.run, network, &c, &f);
	if (!err)
		err = ctl_ask(c, request(&p, cli.args[0]), &f);
	if (!err)
		err = follow(c, &cli, &answered, reason, &f);
	ctl_close(c);
	if (err)
		return ctl_complain(&cli, err, reason, &f);
	return answered ? 0 : CTL_EXIT_PATH;
}
