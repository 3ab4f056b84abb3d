/* SPDX-License-Identifier: ISC */
/* hptun up: starts the daemon unless it runs, and connects to peers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/time.h"
#include "../cli.h"
#include "../ctl_client.h"
#include "commands.h"
#include "progress.h"
#include "start.h"
#include "sys/store_peers.h"

#define PEERS_MAX 1000
/* Beyond the time the daemon was given. */
#define ANSWER_MS 5000

/**
 * struct up - What was asked for
 * @peers:   names; empty: all members
 * @no_wait: do not wait for them
 */
struct up {
	json_t *peers;
	uint64_t timeout_ns;
	bool no_wait;
};

static enum hp_err set_peer(void *ctx, const char *value, struct hp_fault *f)
{
	struct up *u = ctx;
	char name[HP_NAME_TEXT];
	enum hp_err err = hp_name_parse(value, name, f);

	if (err)
		return err;
	if (json_array_size(u->peers) == PEERS_MAX)
		return hp_fault_set(f, HP_ERR_FULL,
				    "without --peer, all members are meant",
				    "more than %d peers", PEERS_MAX);
	json_array_append_new(u->peers, json_string(name));
	return HP_OK;
}

static enum hp_err set_timeout(void *ctx, const char *value,
			       struct hp_fault *f)
{
	return hp_value_time(value, &((struct up *)ctx)->timeout_ns, f);
}

static enum hp_err set_no_wait(void *ctx, const char *value,
			       struct hp_fault *f)
{
	return hp_value_bool(value, &((struct up *)ctx)->no_wait, f);
}

static const struct cli_opt opts[] = {
	{ "peer", "NAME", "connect to this peer; may be repeated", set_peer },
	{ "timeout", "TIME", "how long to wait: 500ms, 30s, 2m (30s)",
	  set_timeout },
	{ "no-wait", NULL, "do not wait for peers", set_no_wait },
};

static const struct cli_spec spec = {
	.command = "hptun up",
	.args = "",
	.about = "Starts the daemon of a network unless it runs, and connects "
		 "to the named peers,\nor to all members. Ends once each "
		 "named peer answers; otherwise says why not.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.json = true,
};

/* A name that was never invited, where that is known: on the holder of the
 * root key.
 */
static enum hp_err check_name(const struct hp_store *s,
			      const struct hp_members *m, const char *name,
			      struct hp_fault *f)
{
	const char **names;
	const char *near = NULL;
	char remedy[96];

	/* What to say of a stock peer, the daemon knows. */
	if (hp_members_find(m, name) || hp_store_peer_find(s, name))
		return HP_OK;
	names = calloc(m->n + 1, sizeof(*names));
	for (size_t i = 0; names && i < m->n; i++)
		names[i] = m->member[i].name;
	if (names)
		near = hp_suggest(name, names, m->n);
	if (near)
		snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
	else
		snprintf(remedy, sizeof(remedy),
			 "let it in with: hptun invite %s", name);
	free(names);
	return hp_fault_set(f, HP_ERR_UNKNOWN, remedy,
			    "nobody called \"%s\" is in this network", name);
}

static enum hp_err check_names(const struct cli *cli, const char *network,
			       const json_t *peers, struct hp_fault *f)
{
	struct hp_members members = { 0 };
	struct hp_store *store = NULL;
	enum hp_err err;

	/* Who may use the daemon need not be able to read the keys. */
	if (!json_array_size(peers) || geteuid() != 0)
		return HP_OK;
	err = hp_store_open(&cli->dirs, network, &store, f);
	if (err)
		return err;
	if (store->has_root)
		err = hp_members_load(store, &members, f);
	for (size_t i = 0; store->has_root && !err &&
			   i < json_array_size(peers); i++)
		err = check_name(store, &members,
				 json_string_value(json_array_get(peers, i)),
				 f);
	hp_members_free(&members);
	hp_store_close(store);
	return err;
}

/* A connection to the daemon, which is started when none runs. */
static enum hp_err reach(const struct cli *cli, const char *network,
			 struct ctl_conn **out, struct hp_fault *f)
{
	enum hp_err err = ctl_open(cli->dirs.run, network, out, f);

	if (err != HP_ERR_UNKNOWN)
		return err;
	err = start_daemon(&cli->dirs, network, f);
	return err ? err : ctl_open(cli->dirs.run, network, out, f);
}

static json_t *request(const struct up *u)
{
	return json_pack("{s:s, s:O, s:I, s:b}", "op", "up", "peers",
			 u->peers, "timeout_ms",
			 (json_int_t)(u->timeout_ns / HP_MS), "wait",
			 (int)!u->no_wait);
}

/* Follows the events to the verdict. */
static int follow(const struct cli *cli, const struct up *u,
		  struct ctl_conn *c)
{
	struct progress progress;
	struct hp_fault f = { 0 };
	char reason[CTL_REASON] = "";
	enum hp_err err = ctl_ask(c, request(u), &f);
	int wait_ms = (int)(u->timeout_ns / HP_MS) + ANSWER_MS;

	progress_begin(&progress, u->peers, stdout);
	if (!err)
		err = HP_ERR_AGAIN;
	while (err == HP_ERR_AGAIN) {
		json_t *doc = NULL;

		err = ctl_read(c, wait_ms, &doc, &f);
		if (err) {
			err = f.code == HP_ERR_AGAIN ? HP_ERR_STATE : err;
			break;
		}
		err = ctl_verdict(doc, reason, &f);
		if (cli->json) {
			json_dumpf(doc, stdout,
				   JSON_COMPACT | JSON_REAL_PRECISION(6));
			putchar('\n');
			fflush(stdout);
		} else {
			progress_take(&progress, doc);
		}
		json_decref(doc);
	}
	progress_end(&progress);
	if (!err)
		return 0;
	if (!cli->json || !*reason)
		cli_fail(cli, &f);
	return (int)ctl_exit_of(err, reason);
}

static int up(const struct cli *cli, const struct up *u)
{
	char network[HP_NAME_TEXT];
	struct hp_fault f = { 0 };
	struct ctl_conn *c = NULL;
	enum hp_err err = hp_store_pick(&cli->dirs, cli->network, network, &f);
	int code;

	if (!err && check_names(cli, network, u->peers, &f)) {
		cli_fail(cli, &f);
		return f.code == HP_ERR_UNKNOWN ? CTL_EXIT_PEER : CLI_FAILED;
	}
	if (!err)
		err = reach(cli, network, &c, &f);
	if (err) {
		cli_fail(cli, &f);
		return err == HP_ERR_DENIED ? CTL_EXIT_DENIED : CLI_FAILED;
	}
	code = follow(cli, u, c);
	ctl_close(c);
	return code;
}

int cmd_up(int argc, char **argv)
{
	struct up u = { .peers = json_array(), .timeout_ns = 30 * HP_S };
	struct cli cli;
	int code = cli_parse(&spec, &u, &cli, argc, argv);

	if (code == CLI_GO && u.timeout_ns > 3600 * HP_S)
		u.timeout_ns = 3600 * HP_S;
	if (code == CLI_GO && hp_crypto_init())
		code = CLI_FAILED;
	if (code == CLI_GO)
		code = up(&cli, &u);
	json_decref(u.peers);
	return code;
}
