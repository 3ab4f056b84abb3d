/* SPDX-License-Identifier: ISC */
/* hptun join: makes this host's keys and signs them with the invite key. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "../cli.h"
#include "commands.h"
#include "member/token.h"
#include "sys/clock.h"
#include "sys/rng.h"

static const struct cli_spec spec = {
	.command = "hptun join",
	.args = "TOKEN",
	.about = "Enters the network that TOKEN is for; - reads it from "
		 "stdin, where no other user\nof this host can see it. "
		 "--network gives the network another name on this host.",
	.min_args = 1,
	.max_args = 1,
	.json = true,
};

/* The token as given, or all of stdin. */
static enum hp_err token_text(const char *arg, char out[2 * HP_TOKEN_TEXT],
			      struct hp_fault *f)
{
	size_t len;

	if (strcmp(arg, "-")) {
		snprintf(out, 2 * HP_TOKEN_TEXT, "%s", arg);
		return HP_OK;
	}
	len = fread(out, 1, 2 * HP_TOKEN_TEXT - 1, stdin);
	out[len] = '\0';
	if (len && strlen(out) == len)
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT, "hptun join - < FILE",
			    "stdin holds no token");
}

/* Is this host in that network already, under whatever name? */
static enum hp_err already(const struct cli *cli, const struct hp_token *t,
			   struct hp_fault *f)
{
	char names[HP_STORE_NETWORKS_MAX][HP_NAME_TEXT];
	enum hp_err err;
	size_t n;

	err = hp_store_list(&cli->dirs, names, HP_STORE_NETWORKS_MAX, &n, f);
	for (size_t i = 0; i < n && !err; i++) {
		const struct hp_grant *g;
		struct hp_store *s;

		/* Another network that does not load is not our matter. */
		if (hp_store_open(&cli->dirs, names[i], &s, NULL))
			continue;
		g = &s->id.cert.grant;
		if (hp_public_eq(&s->net.id, &t->net.id))
			err = hp_fault_set(
				f, HP_ERR_EXISTS,
				"nothing was changed; to join anew, run hptun "
				"leave first",
				"this host is in the network \"%s\" already, "
				"as %s (%u.%u.%u.%u)", s->name, g->name,
				g->overlay.ip[0], g->overlay.ip[1],
				g->overlay.ip[2], g->overlay.ip[3]);
		hp_store_close(s);
	}
	return err;
}

static enum hp_err join(const struct cli *cli, const char *text,
			struct hp_store *s, struct hp_fault *f)
{
	struct hp_rng rng = hp_rng_system();
	char name[HP_NAME_TEXT];
	struct hp_token t;
	enum hp_err err;

	err = hp_token_parse(text, hp_clock_wall_s(), &t, f);
	if (err)
		return err;
	err = already(cli, &t, f);
	if (!err)
		err = hp_name_parse(cli->network ? cli->network : t.net.name,
				    name, f);
	if (!err)
		err = hp_store_init(s, &cli->dirs, name, f);
	if (!err)
		err = hp_store_free_device(&cli->dirs, s->iface.device, f);
	if (!err) {
		s->net = t.net;
		memcpy(s->net.name, name, sizeof(name));
		hp_identity_enrol(&t.net.id, &t.grant, &t.invite, &rng,
				  &s->id);
		err = hp_store_create(s, NULL, f);
	}
	hp_token_wipe(&t);
	return err;
}

static int report(const struct cli *cli, const struct hp_store *s)
{
	const struct hp_grant *g = &s->id.cert.grant;
	struct hp_addr a4 = hp_overlay_addr4(&g->overlay);
	struct hp_addr a6 = hp_overlay_addr6(&s->net.id, &g->overlay);
	char ip4[HP_ADDR_TEXT];
	char ip6[HP_ADDR_TEXT];

	hp_addr_ip_text(&a4, ip4);
	hp_addr_ip_text(&a6, ip6);
	if (cli->json)
		return cli_json(cli,
				json_pack("{s:s,s:s,s:s,s:s}", "network",
					  s->name, "name", g->name, "address",
					  ip4, "address6", ip6));
	printf("this host is %s in the network %s: %s and %s\n"
	       "next:\n"
	       "  hptun up              connects it\n",
	       g->name, s->name, ip4, ip6);
	return 0;
}

int cmd_join(int argc, char **argv)
{
	char text[2 * HP_TOKEN_TEXT];
	struct hp_fault f = { 0 };
	struct hp_store s = { 0 };
	struct cli cli;
	enum hp_err err;
	int code;

	code = cli_parse(&spec, NULL, &cli, argc, argv);
	if (code != CLI_GO)
		return code;
	err = token_text(cli.args[0], text, &f);
	if (!err)
		err = join(&cli, text, &s, &f);
	code = err ? cli_fail(&cli, &f) : report(&cli, &s);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(&s, sizeof(s));
	return code;
}
