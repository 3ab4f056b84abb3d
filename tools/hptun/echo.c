/* SPDX-License-Identifier: ISC */
/*
 * hptun echo: a hole between two hosts, without root and without a TUN device.
 * In a network the two are members; without one, a word that both know makes
 * a network for the occasion.
 */
#include <stdio.h>
#include <unistd.h>

#include "../cli.h"
#include "base/crypto.h"
#include "base/time.h"
#include "commands.h"
#include "echo.h"
#include "sys/rng.h"

#define TIMEOUT_PEER_NS (30 * HP_S)

/* What was asked for. */
struct options {
	char peer[HP_NAME_TEXT];
	bool has_server;
	struct hp_server server;
	const char *room;
	bool has_timeout;
	uint64_t timeout_ns;
};

static enum hp_err set_peer(void *ctx, const char *value, struct hp_fault *f)
{
	return hp_name_parse(value, ((struct options *)ctx)->peer, f);
}

static enum hp_err set_server(void *ctx, const char *value,
			      struct hp_fault *f)
{
	struct options *o = ctx;

	o->has_server = true;
	return hp_server_parse(value, &o->server, f);
}

static enum hp_err set_room(void *ctx, const char *value, struct hp_fault *f)
{
	((struct options *)ctx)->room = value;
	return value[0] ? HP_OK
			: hp_fault_set(f, HP_ERR_FORMAT,
				       "any word that both sides know",
				       "the word is empty");
}

static enum hp_err set_timeout(void *ctx, const char *value,
			       struct hp_fault *f)
{
	struct options *o = ctx;

	o->has_timeout = true;
	return hp_value_time(value, &o->timeout_ns, f);
}

static const struct cli_opt opts[] = {
	{ "peer", "NAME", "connect to this member of the network", set_peer },
	{ "rendezvous", "HOST", "without a network: HOST or HOST:PORT",
	  set_server },
	{ "room", "WORD", "without a network: what both sides know",
	  set_room },
	{ "timeout", "TIME", "give up after: 5s, 2m (30s with --peer)",
	  set_timeout },
};

static const struct cli_spec spec = {
	.command = "hptun echo",
	.args = "",
	.about =
		"Opens a hole to another host and shows each step. Lines that "
		"are typed come\nback from the other side; exit ends both.\n"
		"\n"
		"In a network, \"hptun echo\" on one host waits, and\n"
		"\"hptun echo --peer NAME\" on another connects to it. "
		"Without a network, the\nsame command on both:\n"
		"\"hptun echo --rendezvous HOST --room WORD\". "
		"Needs no root, changes nothing.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
};

/* A network of the word, for as long as this runs. */
static enum hp_err use_room(const struct options *o, struct echo_config *cfg,
			    struct hp_fault *f)
{
	struct hp_rng rng = hp_rng_system();
	struct hp_secret root;
	enum hp_err err = hp_network_from_word(o->room, &cfg->net, &root);

	if (err)
		return hp_fault_set(f, err, "", "making keys of the word: %s",
				    hp_err_name(err));
	err = hp_network_add_server(&cfg->net, &o->server);
	hp_identity_room(&root, &rng, &cfg->identity);
	hp_secret_wipe(&root);
	cfg->room = true;
	return err;
}

static enum hp_err use_network(const struct cli *cli, const struct options *o,
			       struct echo_config *cfg, struct hp_fault *f)
{
	struct hp_store *store = NULL;
	enum hp_err err = hp_store_open(&cli->dirs, cli->network, &store, f);

	if (err)
		return err;
	err = hp_store_judge(store, &cfg->judge, f);
	if (!err) {
		cfg->net = store->net;
		cfg->identity = store->id;
		cfg->peer = o->peer[0] ? o->peer : NULL;
	}
	hp_store_close(store);
	return err;
}

static enum hp_err check(const struct options *o, const struct cli *cli,
			 struct hp_fault *f)
{
	if (o->has_server != (o->room != NULL))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "for example: --rendezvous s.example.net "
				    "--room plum",
				    "--rendezvous and --room go together");
	if (o->room && (o->peer[0] || cli->network))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "leave one of them out",
				    "a room has no network and no names: "
				    "--room does not go with %s",
				    o->peer[0] ? "--peer" : "--network");
	return HP_OK;
}

int cmd_echo(int argc, char **argv)
{
	struct options o = { .timeout_ns = HP_NEVER };
	struct echo_config cfg = { 0 };
	struct hp_fault f = { 0 };
	struct cli cli;
	int code = cli_parse(&spec, &o, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	if (check(&o, &cli, &f))
		return cli_usage(spec.command, &f);
	if (hp_crypto_init()) {
		hp_fault_set(&f, HP_ERR_STATE, "",
			     "the crypto libraries refuse to work here");
		return cli_fail(&cli, &f);
	}
	if (o.room ? use_room(&o, &cfg, &f)
		   : use_network(&cli, &o, &cfg, &f))
		return cli_fail(&cli, &f);
	cfg.timeout_ns = o.timeout_ns;
	if (cfg.peer && !o.has_timeout)
		cfg.timeout_ns = TIMEOUT_PEER_NS;
	return echo_run(&cfg);
}
