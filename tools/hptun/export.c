/* SPDX-License-Identifier: ISC */
/*
 * hptun export: a configuration for a stock WireGuard app that talks to this
 * host. The private key that it makes is printed and kept nowhere.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli.h"
#include "../ctl_client.h"
#include "base/crypto.h"
#include "commands.h"
#include "host_addrs.h"
#include "stock.h"
#include "sys/rng.h"
#include "sys/store_peers.h"

/* Below every limit of NATs for UDP that is known (RFC 4787, 4.3: 2 min, but
 * many have 30 s).
 */
#define KEEPALIVE_S 25

struct options {
	struct hp_addr address;
	bool has_endpoint;
	struct hp_server endpoint;
};

static enum hp_err set_address(void *ctx, const char *v, struct hp_fault *f)
{
	return stock_value_address(v, &((struct options *)ctx)->address, f);
}

static enum hp_err set_endpoint(void *ctx, const char *v, struct hp_fault *f)
{
	struct options *o = ctx;

	o->has_endpoint = true;
	return hp_value_endpoint(v, &o->endpoint, f);
}

static const struct cli_opt opts[] = {
	{ "address", "IP", "address inside, default: the next free one",
	  set_address },
	{ "endpoint", "HOST:PORT", "where the app reaches this host",
	  set_endpoint },
};

static const struct cli_spec spec = {
	.command = "hptun export",
	.args = "NAME",
	.about = "Prints a configuration for a stock WireGuard app (phones, "
		 "other systems), which\nthen reaches this host. Without a "
		 "peer of that name it makes one, with a new key\npair and "
		 "preshared key. The private key is printed this once and kept "
		 "nowhere.\nThe configuration goes to stdout, all else to "
		 "stderr.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.min_args = 1,
	.max_args = 1,
};

/* ---- where this host is reached ------------------------------------------ */

/* A public address of an interface of this host; IPv4 first, as any network
 * that the app may be in has it.
 */
static bool own_public(const struct hp_store *s, struct hp_addr *out)
{
	struct hp_ifaddr *list = NULL;
	size_t n = host_addrs(&list);

	*out = (struct hp_addr){ 0 };
	for (size_t i = 0; i < n; i++) {
		const struct hp_ifaddr *a = &list[i];

		if (!(a->flags & HP_IF_UP) ||
		    a->flags & (HP_IF_LOOPBACK | HP_IF_TUNNEL) ||
		    !strcmp(a->name, s->iface.device) ||
		    hp_addr_scope(&a->addr) != HP_SCOPE_GLOBAL)
			continue;
		if (out->family == HP_AF_NONE ||
		    (out->family == HP_AF_6 && a->addr.family == HP_AF_4))
			*out = a->addr;
	}
	free(list);
	out->port = s->iface.listen_port;
	return out->family != HP_AF_NONE;
}

/* The port that the gateway opened, once the daemon found it to be true; NULL:
 * none.
 */
static const char *mapped(const json_t *status)
{
	const json_t *m = json_object_get(status, "port_mapping");
	const char *state = json_string_value(json_object_get(m, "state"));

	if (!state || strcmp(state, "announced"))
		return NULL;
	return json_string_value(json_object_get(m, "mapped"));
}

/* What a server sees this host as, for people; NULL: nobody can tell. */
static const char *seen(const json_t *status)
{
	const json_t *servers = json_object_get(status, "rendezvous");
	const json_t *list = json_object_get(json_array_get(servers, 0),
					     "seen");

	return json_string_value(json_array_get(list, 0));
}

/* A host behind a NAT: what the daemon, if it runs, knows of its router. */
static enum hp_err ask_endpoint(const struct cli *cli, struct options *o,
				const struct hp_store *s, struct hp_fault *f)
{
	char reason[CTL_REASON];
	json_t *status = NULL;
	const char *text = NULL;
	enum hp_err err;

	if (ctl_call(cli->dirs.run, s->name,
		     json_pack("{s:s}", "op", "status"), &status, reason,
		     NULL) == HP_OK)
		text = mapped(status);
	if (text) {
		err = hp_value_endpoint(text, &o->endpoint, f);
	} else {
		text = seen(status);
		err = hp_fault_set(f, HP_ERR_UNKNOWN,
				   "let its router forward a UDP port to "
				   "ListenPort, and add --endpoint with the "
				   "router's address and that port",
				   "this host has no public address of its "
				   "own%s%s%s",
				   text ? " (a rendezvous sees it as " : "",
				   text ? text : "", text ? ")" : "");
	}
	json_decref(status);
	return err;
}

static enum hp_err find_endpoint(const struct cli *cli, struct options *o,
				 const struct hp_store *s, struct hp_fault *f)
{
	char ip[HP_ADDR_TEXT];
	struct hp_addr addr;

	if (o->has_endpoint)
		return HP_OK;
	if (!s->iface.listen_port)
		return hp_fault_set(f, HP_ERR_STATE,
				    "write ListenPort = 51820 under "
				    "[Interface] in network.conf and start the "
				    "daemon again, or add --endpoint HOST:PORT",
				    "the UDP port of this host changes with "
				    "each start");
	if (!own_public(s, &addr))
		return ask_endpoint(cli, o, s, f);
	snprintf(o->endpoint.host, sizeof(o->endpoint.host), "%s",
		 hp_addr_ip_text(&addr, ip));
	o->endpoint.port = addr.port;
	return HP_OK;
}

/* ---- the peer ------------------------------------------------------------ */

static enum hp_err make_peer(const struct options *o, const struct hp_store *s,
			     struct hp_stock_peer *peer,
			     struct hp_secret *private, struct hp_fault *f)
{
	struct hp_rng rng = hp_rng_system();
	enum hp_err err;

	hp_dh_keypair(&rng, private, &peer->key);
	hp_rng_fill(&rng, peer->psk.b, sizeof(peer->psk.b));
	peer->has_psk = true;
	err = stock_place(s, &o->address, peer, f);
	if (!err)
		err = stock_check(s, peer, f);
	/* On disk before it is printed: what is handed out works. */
	return err ? err : hp_store_peer_add(s, peer, f);
}

/* @peer, whose name is set, as it is in the file; or a new one, with @private
 * not zero.
 */
static enum hp_err get_peer(const struct options *o, const struct hp_store *s,
			    struct hp_stock_peer *peer,
			    struct hp_secret *private, struct hp_fault *f)
{
	const struct hp_stock_peer *old = hp_store_peer_find(s, peer->name);

	if (!old)
		return make_peer(o, s, peer, private, f);
	if (o->address.family != HP_AF_NONE)
		return hp_fault_set(f, HP_ERR_EXISTS,
				    "leave --address out, or remove the peer "
				    "first: hptun peer remove NAME",
				    "%s has its addresses already", old->name);
	for (unsigned int i = 0; i < old->n_allowed; i++) {
		if (old->allowed[i].bits !=
		    (old->allowed[i].family == HP_AF_4 ? 32 : 128))
			continue;
		*peer = *old;
		return HP_OK;
	}
	return hp_fault_set(f, HP_ERR_UNKNOWN,
			    "give it one: hptun peer remove, then hptun peer "
			    "add with --address",
			    "%s has no address of its own, only subnets",
			    old->name);
}

static void print_interface(const struct hp_store *s,
			    const struct hp_stock_peer *p,
			    const struct hp_secret *private)
{
	char text[HP_PREFIX_TEXT], key[HP_KEY_TEXT];
	const char *lead = "Address = ";

	printf("# %s in the network %s, by way of %s\n[Interface]\n",
	       p->name, s->name, s->id.cert.grant.name);
	if (hp_secret_is_zero(private))
		printf("# The private key of %s belongs here:\n"
		       "#PrivateKey =\n", hp_public_text(&p->key, key));
	else
		printf("PrivateKey = %s\n", hp_secret_text(private, key));
	sodium_memzero(key, sizeof(key));
	for (unsigned int i = 0; i < p->n_allowed; i++) {
		const struct hp_prefix *a = &p->allowed[i];

		if (a->bits != (a->family == HP_AF_4 ? 32 : 128))
			continue;
		printf("%s%s", lead, hp_prefix_text(a, text));
		lead = ", ";
	}
	printf("\nMTU = %u\n", s->iface.mtu);
}

static void print_peer(const struct hp_store *s, const struct options *o,
		       const struct hp_stock_peer *p)
{
	struct hp_prefix net4 = hp_overlay_subnet(&s->id.cert.grant.overlay);
	struct hp_prefix net6 = hp_overlay_subnet6(&s->net.id);
	char t4[HP_PREFIX_TEXT], t6[HP_PREFIX_TEXT];
	char key[HP_KEY_TEXT], host[HP_SERVER_TEXT];
	struct hp_public own;

	hp_dh_public(&s->id.key, &own);
	printf("\n[Peer]\nPublicKey = %s\n", hp_public_text(&own, key));
	if (p->has_psk)
		printf("PresharedKey = %s\n", hp_secret_text(&p->psk, key));
	sodium_memzero(key, sizeof(key));
	printf("AllowedIPs = %s, %s\nEndpoint = %s\n"
	       "PersistentKeepalive = %d\n", hp_prefix_text(&net4, t4),
	       hp_prefix_text(&net6, t6),
	       hp_server_text(&o->endpoint, host), KEEPALIVE_S);
}

static enum hp_err export(const struct cli *cli, struct options *o,
			  const struct hp_store *s, struct hp_fault *f)
{
	struct hp_stock_peer peer = { 0 };
	struct hp_secret private = { 0 };
	enum hp_err err = hp_name_parse(cli->args[0], peer.name, f);
	bool fresh;

	if (!err)
		err = find_endpoint(cli, o, s, f);
	if (!err)
		err = get_peer(o, s, &peer, &private, f);
	if (err)
		return err;
	fresh = !hp_secret_is_zero(&private);
	/* The library keeps no copy of the keys. */
	setvbuf(stdout, NULL, _IONBF, 0);
	print_interface(s, &peer, &private);
	print_peer(s, o, &peer);
	if (ferror(stdout))
		err = hp_fault_set(f, HP_ERR_IO,
				   "hptun peer remove, then export it again",
				   "cannot print the configuration");
	hp_secret_wipe(&private);
	hp_secret_wipe(&peer.psk);
	if (err)
		return err;
	if (fresh)
		fprintf(stderr, "%s is a stock WireGuard peer of this host "
			"now. Its private key was printed this once\nand is "
			"kept nowhere: give it to that device alone.\n",
			peer.name);
	else
		fprintf(stderr, "The private key of %s is not known here. For "
			"a new one: hptun peer remove %s,\nthen hptun export "
			"%s.\n", peer.name, peer.name, peer.name);
	if (fresh)
		stock_next(s, stderr);
	return HP_OK;
}

int cmd_export(int argc, char **argv)
{
	struct options o = { 0 };
	struct stock_edit e;
	struct hp_fault f = { 0 };
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&spec, &o, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	err = stock_edit_begin(&e, &cli, &f);
	if (!err)
		err = export(&cli, &o, e.store, &f);
	code = err ? cli_fail(&cli, &f) : 0;
	stock_edit_end(&e);
	return code;
}
