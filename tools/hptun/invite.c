/* SPDX-License-Identifier: ISC */
/* hptun invite: a token for one name, on the host that holds the root key. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "../cli.h"
#include "commands.h"
#include "member/token.h"
#include "stock.h"
#include "sys/clock.h"
#include "sys/rng.h"
#include "sys/store_peers.h"

#define DAY_S 86400

struct options {
	uint32_t days;
	bool again;
	struct hp_addr address;
};

static enum hp_err set_days(void *ctx, const char *v, struct hp_fault *f)
{
	return hp_value_u32(v, 1, 3650, &((struct options *)ctx)->days, f);
}

static enum hp_err set_again(void *ctx, const char *v, struct hp_fault *f)
{
	return hp_value_bool(v, &((struct options *)ctx)->again, f);
}

static enum hp_err set_address(void *ctx, const char *v, struct hp_fault *f)
{
	return stock_value_address(v, &((struct options *)ctx)->address, f);
}

static const struct cli_opt opts[] = {
	{ "days", "N", "how long the token is good, default 7", set_days },
	{ "address", "IP", "address inside, default: the next free one",
	  set_address },
	{ "again", NULL, "a new token for a name that was invited",
	  set_again },
};

static const struct cli_spec spec = {
	.command = "hptun invite",
	.args = "NAME",
	.about = "Prints a token: one line that lets one host enter the "
		 "network as NAME. The token\ngoes to stdout, all else to "
		 "stderr. Works where hptun init ran.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.min_args = 1,
	.max_args = 1,
	.json = true,
};

/* Who has @ip, by the newest line of each name; NULL: nobody. */
static const struct hp_member *owner_of(const struct hp_members *m,
					const uint8_t ip[4])
{
	for (size_t i = 0; i < m->n; i++) {
		const struct hp_member *one = &m->member[i];

		if (!one->revoked && !memcmp(one->overlay.ip, ip, 4) &&
		    hp_members_find(m, one->name) == one)
			return one;
	}
	return NULL;
}

static enum hp_err address_asked(const struct options *o,
				 const struct hp_store *s,
				 const struct hp_members *m,
				 struct hp_member *one, struct hp_fault *f)
{
	struct hp_prefix host = hp_prefix_host(&o->address);
	const struct hp_stock_peer *stock = hp_store_peer_at(s, &host);
	const struct hp_member *owner;
	struct hp_overlay overlay;
	char ip[HP_ADDR_TEXT];
	enum hp_err err;

	err = stock_overlay(s, &o->address, &overlay, f);
	if (err)
		return err;
	hp_addr_ip_text(&o->address, ip);
	owner = owner_of(m, overlay.ip);
	if (stock || (owner && strcmp(owner->name, one->name)))
		return hp_fault_set(f, HP_ERR_EXISTS,
				    "leave --address out to get a free one",
				    "%s belongs to %s", ip,
				    !stock ? owner->name : stock->name[0] ?
				    stock->name : "a stock peer");
	one->overlay = overlay;
	return HP_OK;
}

static enum hp_err exists_fault(const struct hp_member *old,
				struct hp_fault *f)
{
	const uint8_t *ip = old->overlay.ip;
	char date[HP_DATE_TEXT];

	return hp_fault_set(f, HP_ERR_EXISTS,
			    "--again makes a new token for the same address; "
			    "hptun revoke excludes the name first",
			    "%s was invited already: %u.%u.%u.%u, until %s",
			    old->name, ip[0], ip[1], ip[2], ip[3],
			    hp_date_text(old->until_s, date));
}

/* Fills in serial and address of @one, whose name is set. */
static enum hp_err choose(const struct options *o, const struct hp_store *s,
			  const struct hp_members *m, struct hp_member *one,
			  struct hp_fault *f)
{
	const struct hp_member *old = hp_members_find(m, one->name);

	if (!strcmp(one->name, s->id.cert.grant.name))
		return hp_fault_set(f, HP_ERR_EXISTS, "choose another name",
				    "%s is this host", one->name);
	if (hp_store_peer_find(s, one->name))
		return hp_fault_set(f, HP_ERR_EXISTS, "choose another name",
				    "%s is a stock peer of this host",
				    one->name);
	if (old && old->revoked)
		old = NULL;
	if (old && !o->again)
		return exists_fault(old, f);
	if (!old && o->again)
		return hp_fault_set(f, HP_ERR_UNKNOWN, "leave --again out",
				    "%s is not invited so far", one->name);
	one->serial = hp_members_serial(m);
	if (o->address.family != HP_AF_NONE)
		return address_asked(o, s, m, one, f);
	if (old) {
		one->overlay = old->overlay;
		return HP_OK;
	}
	if (hp_members_free_address(m, s, &one->overlay))
		return hp_fault_set(f, HP_ERR_FULL,
				    "revoke a node that is gone",
				    "every address of the network is taken");
	return HP_OK;
}

static enum hp_err invite(const struct options *o, const struct hp_store *s,
			  struct hp_member *one, char token[HP_TOKEN_TEXT],
			  struct hp_fault *f)
{
	struct hp_rng rng = hp_rng_system();
	struct hp_members m = { 0 };
	struct hp_grant g = { 0 };
	enum hp_err err;

	err = hp_members_load(s, &m, f);
	if (!err)
		err = choose(o, s, &m, one, f);
	one->until_s = hp_clock_wall_s() + (uint64_t)o->days * DAY_S;
	/* On disk before the token exists: no address is given twice. */
	if (!err && hp_members_add(&m, one))
		err = hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	if (!err)
		err = hp_members_save(s->config, &m, f);
	hp_members_free(&m);
	if (err)
		return err;
	g.serial = one->serial;
	memcpy(g.name, one->name, sizeof(g.name));
	g.overlay = one->overlay;
	g.until_s = one->until_s;
	hp_token_make(&s->net, &s->root, &g, &rng, token);
	return HP_OK;
}

static int report(const struct cli *cli, const struct hp_store *s,
		  const struct hp_member *one, const char *token)
{
	struct hp_addr a4 = hp_overlay_addr4(&one->overlay);
	char date[HP_DATE_TEXT];
	char ip[HP_ADDR_TEXT];

	hp_date_text(one->until_s, date);
	hp_addr_ip_text(&a4, ip);
	if (cli->json)
		return cli_json(cli,
				json_pack("{s:s,s:s,s:s,s:I,s:s}", "network",
					  s->name, "name", one->name,
					  "address", ip, "until",
					  (json_int_t)one->until_s, "token",
					  token));
	if (printf("%s\n", token) < 0 || fflush(stdout)) {
		struct hp_fault f;

		(void)hp_fault_set(&f, HP_ERR_IO,
				   "run it again with --again",
				   "cannot print the token");
		return cli_fail(cli, &f);
	}
	fprintf(stderr,
		"%s may join as %s until %s. On that host:\n"
		"  hptun join TOKEN\n"
		"The token is a secret: who has it can join once as %s.\n",
		one->name, ip, date, one->name);
	return 0;
}

int cmd_invite(int argc, char **argv)
{
	struct options o = { .days = 7 };
	struct hp_member one = { 0 };
	struct hp_store *s = NULL;
	char lock[HP_PATH_MAX];
	struct hp_fault f = { 0 };
	char token[HP_TOKEN_TEXT];
	struct cli cli;
	enum hp_err err;
	int fd = -1;
	int code;

	code = cli_parse(&spec, &o, &cli, argc, argv);
	if (code != CLI_GO)
		return code;
	if (hp_name_parse(cli.args[0], one.name, &f))
		return cli_usage(cli.command, &f);
	err = hp_store_open(&cli.dirs, cli.network, &s, &f);
	if (!err)
		err = hp_path_join(lock, s->config, "lock", &f);
	if (!err)
		err = hp_lock_take(lock, &fd, &f);
	if (!err)
		err = invite(&o, s, &one, token, &f);
	code = err ? cli_fail(&cli, &f) : report(&cli, s, &one, token);
	sodium_memzero(token, sizeof(token));
	hp_lock_release(lock, fd);
	hp_store_close(s);
	return code;
}
