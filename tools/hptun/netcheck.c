/* SPDX-License-Identifier: ISC */
/*
 * hptun netcheck: what the network around this host does to UDP, and what to
 * expect with each kind of peer. Needs no root and no daemon.
 */
#include <stdio.h>
#include <string.h>

#include "../ctl_client.h"
#include "commands.h"
#include "netcheck.h"

static enum hp_err set_server(void *ctx, const char *value,
			      struct hp_fault *f)
{
	struct netcheck_report *r = ctx;

	if (r->n_servers == HP_SERVERS_MAX)
		return hp_fault_set(f, HP_ERR_FULL, "name fewer",
				    "more than %d rendezvous servers",
				    HP_SERVERS_MAX);
	return hp_server_parse(value, &r->server[r->n_servers++], f);
}

static enum hp_err set_long(void *ctx, const char *value, struct hp_fault *f)
{
	struct netcheck_report *r = ctx;

	return hp_value_bool(value, &r->lifetime, f);
}

static enum hp_err set_key(void *ctx, const char *value, struct hp_fault *f)
{
	struct netcheck_report *r = ctx;

	if (r->n_pins == HP_TLS_PINS_MAX)
		return hp_fault_set(f, HP_ERR_FULL, "name fewer",
				    "more than %d keys", HP_TLS_PINS_MAX);
	return hp_tls_pin_parse(value, &r->pin[r->n_pins++], f);
}

static const struct cli_opt opts[] = {
	{ "rendezvous", "HOST", "ask this server: HOST or HOST:PORT; "
	  "repeatable", set_server },
	{ "rendezvous-key", "HASH", "key that it shows over TLS; repeatable",
	  set_key },
	{ "long", NULL, "find the lifetime of mappings too: 2 minutes",
	  set_long },
};

static const struct cli_spec spec = {
	.command = "hptun netcheck",
	.args = "",
	.about =
		"Finds out what the network around this host does to UDP, by "
		"asking the\nrendezvous servers of the network, or those that "
		"are named, by UDP, TCP and TLS,\nand the gateway whether it "
		"opens ports, and tells what to expect with each kind\nof "
		"peer. Needs no root and no daemon.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.json = true,
};

/* Servers and subnets of the network on this host. */
static enum hp_err use_network(const struct cli *cli,
			       struct netcheck_report *r, struct hp_fault *f)
{
	struct hp_store *store = NULL;
	enum hp_err err = hp_store_open(&cli->dirs, cli->network, &store, f);

	if (err)
		return err;
	r->n_servers = store->net.n_servers;
	memcpy(r->server, store->net.server, sizeof(r->server));
	r->overlay[0] = hp_overlay_subnet(&store->id.cert.grant.overlay);
	r->overlay[1] = hp_overlay_subnet6(&store->net.id);
	r->n_overlay = 2;
	r->seed = store->net.reg_seed;
	r->has_seed = true;
	if (!r->n_pins) {
		memcpy(r->pin, store->net.pin, sizeof(r->pin));
		r->n_pins = store->net.n_pins;
	}
	r->interfaces = store->iface.interfaces;
	r->exclude = store->iface.exclude;
	hp_store_close(store);
	return HP_OK;
}

int cmd_netcheck(int argc, char **argv)
{
	static struct netcheck_report r;
	struct hp_fault f = { 0 };
	struct cli cli;
	int signo = 0;
	int code = cli_parse(&spec, &r, &cli, argc, argv);
	enum hp_err err;

	if (code != CLI_GO)
		return code;
	if (r.n_servers && cli.network) {
		hp_fault_set(&f, HP_ERR_FORMAT, "leave one of them out",
			     "the network has servers of its own: --rendezvous "
			     "does not go with --network");
		return cli_usage(spec.command, &f);
	}
	if (!r.n_servers && use_network(&cli, &r, &f)) {
		/* Who may not read it, or has none, can still name a server. */
		if (!cli.network)
			snprintf(f.remedy, sizeof(f.remedy), "name a server: "
				 "hptun netcheck --rendezvous HOST");
		return cli_fail(&cli, &f);
	}
	err = netcheck_run(&r, &signo, &f);
	if (!err)
		err = netcheck_meet(&r, &f);
	if (!err)
		err = netcheck_streams(&r, &f);
	hp_secret_wipe(&r.seed);
	if (err == HP_ERR_AGAIN) {
		free(r.addr);
		return 128 + signo;
	}
	if (!err && !cli.json)
		netcheck_print(&r);
	else if (!err && cli_json(&cli, netcheck_json(&r)))
		return CLI_FAILED;
	free(r.addr);
	if (err)
		return cli_fail(&cli, &f);
	return netcheck_udp_works(&r) || netcheck_stream_works(&r) ?
		       0 : CTL_EXIT_RENDEZVOUS;
}
