/* SPDX-License-Identifier: ISC */
/*
 * hptun peers: who is in the network. Where the root key is, everybody who was
 * invited; elsewhere, everybody who was met.
 */
#include <stdio.h>
#include <string.h>

#include "../cli.h"
#include "commands.h"
#include "member/token.h"
#include "sys/clock.h"

static const struct cli_spec spec = {
	.command = "hptun peers",
	.args = "",
	.about = "Lists the nodes of the network: on the host that invites, "
		 "everybody who was\ninvited; elsewhere, everybody who was "
		 "met. hptunctl status tells who is\nconnected.",
	.json = true,
};

/* One line of what is printed. */
struct row {
	const char *name;
	struct hp_overlay overlay;
	const char *state;
	uint64_t until_s; /* 0: none */
	const struct hp_public *key; /* NULL: not known */
};

static struct row row_of_member(const struct hp_store *s,
				const struct hp_judge *j,
				const struct hp_member *m)
{
	const struct hp_pin *pin = hp_judge_find(j, m->name);
	struct row r = {
		.name = m->name,
		.overlay = m->overlay,
		.state = "invited",
		.until_s = m->until_s,
	};

	if (pin && pin->serial == m->serial)
		r.key = &pin->key;
	if (m->revoked)
		r.state = "revoked";
	else if (!strcmp(m->name, s->id.cert.grant.name))
		r.state = "this host";
	else if (r.key)
		r.state = "joined";
	else if (hp_clock_wall_s() > m->until_s)
		r.state = "expired";
	if (strcmp(r.state, "invited") && strcmp(r.state, "expired"))
		r.until_s = 0;
	return r;
}

static struct row row_of_pin(const struct hp_store *s,
			     const struct hp_judge *j,
			     const struct hp_pin *pin)
{
	struct row r = {
		.name = pin->name,
		.overlay = pin->overlay,
		.state = "met",
		.key = &pin->key,
	};

	if (hp_judge_is_revoked(j, pin->serial))
		r.state = "revoked";
	else if (!strcmp(pin->name, s->id.cert.grant.name))
		r.state = "this host";
	return r;
}

static json_t *row_json(const struct hp_store *s, const struct row *r)
{
	struct hp_addr a4 = hp_overlay_addr4(&r->overlay);
	struct hp_addr a6 = hp_overlay_addr6(&s->net.id, &r->overlay);
	char key[HP_KEY_TEXT];
	char ip4[HP_ADDR_TEXT];
	char ip6[HP_ADDR_TEXT];
	json_t *o;

	o = json_pack("{s:s,s:s,s:s,s:s}", "name", r->name, "address",
		      hp_addr_ip_text(&a4, ip4), "address6",
		      hp_addr_ip_text(&a6, ip6), "state", r->state);
	if (o && r->until_s)
		json_object_set_new(o, "until",
				    json_integer((json_int_t)r->until_s));
	if (o && r->key)
		json_object_set_new(o, "key",
				    json_string(hp_public_text(r->key, key)));
	return o;
}

static void row_print(const struct row *r)
{
	struct hp_addr a4 = hp_overlay_addr4(&r->overlay);
	char date[HP_DATE_TEXT] = "";
	char ip[HP_ADDR_TEXT];

	if (r->until_s)
		hp_date_text(r->until_s, date);
	printf("%-20s %-16s %s%s%s\n", r->name, hp_addr_ip_text(&a4, ip),
	       r->state, r->until_s ? ", until " : "", date);
}

/* To @list when there is one, else printed. */
static void row_put(const struct hp_store *s, const struct row *r,
		    json_t *list)
{
	if (list)
		json_array_append_new(list, row_json(s, r));
	else
		row_print(r);
}

static void rows_of_members(const struct hp_store *s, const struct hp_judge *j,
			    const struct hp_members *m, json_t *list)
{
	for (size_t i = 0; i < m->n; i++) {
		struct row r = row_of_member(s, j, &m->member[i]);

		/* An invitation that a later one replaced says nothing. */
		if (hp_members_find(m, m->member[i].name) == &m->member[i])
			row_put(s, &r, list);
	}
}

static void rows_of_pins(const struct hp_store *s, const struct hp_judge *j,
			 json_t *list)
{
	for (size_t i = 0; i < hp_judge_pin_count(j); i++) {
		struct row r = row_of_pin(s, j, hp_judge_pin(j, i));

		row_put(s, &r, list);
	}
}

/* Stock peers of this host, with the first address of theirs. */
static void rows_of_stock(const struct hp_store *s, json_t *list)
{
	char text[HP_PREFIX_TEXT], key[HP_KEY_TEXT];

	for (size_t i = 0; i < s->n_peers; i++) {
		const struct hp_stock_peer *p = &s->peer[i];

		if (!p->n_allowed)
			strcpy(text, "-");
		else
			hp_prefix_text(&p->allowed[0], text);
		hp_public_text(&p->key, key);
		if (list)
			json_array_append_new(list, json_pack(
				"{s:s, s:s, s:s, s:s}", "name", p->name,
				"address", text, "state", "stock", "key",
				key));
		else
			printf("%-20s %-16s stock WireGuard peer\n",
			       p->name[0] ? p->name : key, text);
	}
}

static int show(const struct cli *cli, const struct hp_store *s,
		const struct hp_judge *j, const struct hp_members *m)
{
	json_t *list = cli->json ? json_array() : NULL;

	if (!cli->json)
		printf("%-20s %-16s %s\n", "NAME", "ADDRESS", "STATE");
	if (s->has_root)
		rows_of_members(s, j, m, list);
	else
		rows_of_pins(s, j, list);
	rows_of_stock(s, list);
	if (!cli->json)
		return 0;
	return cli_json(cli, json_pack("{s:s,s:b,s:o}", "network", s->name,
				       "root", (int)s->has_root, "peers",
				       list));
}

int cmd_peers(int argc, char **argv)
{
	struct hp_members m = { 0 };
	struct hp_judge *j = NULL;
	struct hp_store *s = NULL;
	struct hp_fault f = { 0 };
	struct cli cli;
	enum hp_err err;
	int code;

	code = cli_parse(&spec, NULL, &cli, argc, argv);
	if (code != CLI_GO)
		return code;
	err = hp_store_open(&cli.dirs, cli.network, &s, &f);
	if (!err)
		err = hp_store_judge(s, &j, &f);
	if (!err && s->has_root)
		err = hp_members_load(s, &m, &f);
	code = err ? cli_fail(&cli, &f) : show(&cli, s, j, &m);
	hp_members_free(&m);
	hp_judge_free(j);
	hp_store_close(s);
	return code;
}
