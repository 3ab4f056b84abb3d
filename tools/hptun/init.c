/* SPDX-License-Identifier: ISC */
/* hptun init: makes a network, its root key, and this host's node in it. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "../cli.h"
#include "commands.h"
#include "sys/rng.h"

struct options {
	char name[HP_NAME_TEXT];
	struct hp_overlay overlay; /* of this node: the first of the subnet */
	struct hp_network servers; /* only the servers of it */
};

static enum hp_err set_name(void *ctx, const char *v, struct hp_fault *f)
{
	return hp_name_parse(v, ((struct options *)ctx)->name, f);
}

static enum hp_err set_subnet(void *ctx, const char *v, struct hp_fault *f)
{
	struct options *o = ctx;
	struct hp_prefix p;
	enum hp_err err;

	err = hp_prefix_parse(v, &p, f);
	if (err)
		return err;
	memcpy(o->overlay.ip, p.ip, sizeof(o->overlay.ip));
	o->overlay.bits = (uint8_t)p.bits;
	if (p.bits < 32)
		o->overlay.ip[3] |= 1;
	if (p.family == HP_AF_4 && hp_overlay_ok(&o->overlay))
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "take a private one, such as 10.9.0.0/24; each "
			    "node also gets an IPv6 address",
			    "\"%.40s\" is not an IPv4 subnet of 8 to 30 bits",
			    v);
}

static enum hp_err add_server(struct options *o, const char *v,
			      struct hp_fault *f)
{
	struct hp_server s;
	enum hp_err err;

	err = hp_server_parse(v, &s, f);
	if (err)
		return err;
	err = hp_network_add_server(&o->servers, &s);
	if (err == HP_ERR_FULL)
		return hp_fault_set(f, err, "name fewer",
				    "more than %d rendezvous servers",
				    HP_SERVERS_MAX);
	return HP_OK; /* naming one twice does no harm */
}

/* A comma-separated list, as in the file. */
static enum hp_err set_rendezvous(void *ctx, const char *v,
				  struct hp_fault *f)
{
	char copy[HP_SERVERS_MAX * HP_SERVER_TEXT];
	char *save = copy;
	char *item;

	if (strlen(v) >= sizeof(copy))
		return hp_fault_set(f, HP_ERR_FORMAT, "name fewer servers",
				    "the list is too long");
	strcpy(copy, v);
	while ((item = strsep(&save, ","))) {
		enum hp_err err = add_server(ctx, item, f);

		if (err)
			return err;
	}
	return HP_OK;
}

static enum hp_err set_key(void *ctx, const char *v, struct hp_fault *f)
{
	struct hp_network *net = &((struct options *)ctx)->servers;

	if (net->n_pins == HP_TLS_PINS_MAX)
		return hp_fault_set(f, HP_ERR_FULL, "name fewer",
				    "more than %d keys", HP_TLS_PINS_MAX);
	return hp_tls_pin_parse(v, &net->pin[net->n_pins++], f);
}

static const struct cli_opt opts[] = {
	{ "name", "NAME", "name of this node (needed)", set_name },
	{ "rendezvous", "HOST[:PORT]",
	  "server that introduces (needed; repeatable)", set_rendezvous },
	{ "rendezvous-key", "HASH", "key that a server shows over TLS, where "
	  "no authority vouches for it; repeatable", set_key },
	{ "subnet", "PREFIX", "addresses inside, default 10.9.0.0/24",
	  set_subnet },
};

static const struct cli_spec spec = {
	.command = "hptun init",
	.args = "",
	.about = "Makes a network (\"home\", or as --network says) and keys "
		 "for this host, which\ngets the first address. The key that "
		 "invites others stays here.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.json = true,
};

static enum hp_err make(const struct cli *cli, const struct options *o,
			struct hp_store *s, struct hp_fault *f)
{
	struct hp_rng rng = hp_rng_system();
	struct hp_member self = { .serial = 1, .overlay = o->overlay };
	struct hp_members members = { .member = &self, .n = 1 };
	char name[HP_NAME_TEXT] = "home";
	struct hp_secret secret;
	struct hp_public id;
	enum hp_err err;

	if (cli->network)
		err = hp_name_parse(cli->network, name, f);
	else
		err = HP_OK;
	if (!err)
		err = hp_store_init(s, &cli->dirs, name, f);
	if (!err)
		err = hp_store_free_device(&cli->dirs, s->iface.device, f);
	if (err)
		return err;
	hp_sign_keypair(&rng, &s->root, &id);
	s->has_root = true;
	hp_rng_fill(&rng, secret.b, sizeof(secret.b));
	hp_network_init(&s->net, name, &id, &secret);
	hp_secret_wipe(&secret);
	memcpy(s->net.server, o->servers.server, sizeof(s->net.server));
	s->net.n_servers = o->servers.n_servers;
	memcpy(s->net.pin, o->servers.pin, sizeof(s->net.pin));
	s->net.n_pins = o->servers.n_pins;
	hp_identity_root(&s->root, self.serial, o->name, &o->overlay, &rng,
			 &s->id);
	memcpy(self.name, o->name, sizeof(self.name));
	return hp_store_create(s, &members, f);
}

static int report(const struct cli *cli, const struct hp_store *s)
{
	const struct hp_grant *g = &s->id.cert.grant;
	struct hp_addr a4 = hp_overlay_addr4(&g->overlay);
	struct hp_addr a6 = hp_overlay_addr6(&s->net.id, &g->overlay);
	char ip4[HP_ADDR_TEXT];
	char ip6[HP_ADDR_TEXT];
	char id[HP_KEY_TEXT];
	char reg[HP_KEY_TEXT];

	hp_addr_ip_text(&a4, ip4);
	hp_addr_ip_text(&a6, ip6);
	hp_public_text(&s->net.id, id);
	hp_public_text(&s->net.reg_public, reg);
	if (cli->json)
		return cli_json(cli, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}",
					       "network", s->name, "id", id,
					       "name", g->name, "address", ip4,
					       "address6", ip6,
					       "rendezvous_key", reg));
	printf("network %s is made; this host is %s, %s and %s\n"
	       "  keys are in %s; keep a copy of root.key, it is what "
	       "invites\n"
	       "  a rendezvous that serves chosen networks alone (--allow) "
	       "knows this one as\n  %s\n"
	       "next:\n"
	       "  hptun invite NAME     prints a token for another host\n"
	       "  hptun up              connects this host\n",
	       s->name, g->name, ip4, ip6, s->config, reg);
	return 0;
}

int cmd_init(int argc, char **argv)
{
	struct options o = { .overlay = { { 10, 9, 0, 1 }, 24 } };
	struct hp_fault f = { 0 };
	struct hp_store s;
	struct cli cli;
	int code;

	code = cli_parse(&spec, &o, &cli, argc, argv);
	if (code != CLI_GO)
		return code;
	if (!o.name[0]) {
		(void)hp_fault_set(&f, HP_ERR_FORMAT,
				   "say how this host is called: --name alice",
				   "--name is missing");
		return cli_usage(cli.command, &f);
	}
	if (!o.servers.n_servers) {
		(void)hp_fault_set(&f, HP_ERR_FORMAT,
				   "name a host that runs hptun-rendezvous: "
				   "--rendezvous s.example.net",
				   "--rendezvous is missing");
		return cli_usage(cli.command, &f);
	}
	code = make(&cli, &o, &s, &f) ? cli_fail(&cli, &f) : report(&cli, &s);
	sodium_memzero(&s, sizeof(s));
	return code;
}
