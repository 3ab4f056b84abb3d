/* SPDX-License-Identifier: ISC */
/* hptun peer: the stock WireGuard peers in network.conf. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../cli.h"
#include "../table.h"
#include "commands.h"
#include "stock.h"
#include "sys/store_peers.h"

struct options {
	struct hp_stock_peer peer;
	bool has_key;
	struct hp_addr address;
};

static enum hp_err set_key(void *ctx, const char *v, struct hp_fault *f)
{
	struct options *o = ctx;

	o->has_key = true;
	return hp_value_public(v, &o->peer.key, f);
}

static enum hp_err set_address(void *ctx, const char *v, struct hp_fault *f)
{
	return stock_value_address(v, &((struct options *)ctx)->address, f);
}

static enum hp_err allow_one(struct options *o, const char *item,
			     struct hp_fault *f)
{
	struct hp_prefix p;
	enum hp_err err = hp_prefix_parse(item, &p, f);

	for (unsigned int i = 0; !err && i < o->peer.n_allowed; i++)
		if (hp_prefix_eq(&p, &o->peer.allowed[i]))
			err = hp_fault_set(f, HP_ERR_EXISTS, "", "%s is there "
					   "twice", item);
	return err ? err : hp_stock_peer_allow(&o->peer, &p, f);
}

static enum hp_err set_allowed(void *ctx, const char *v, struct hp_fault *f)
{
	char item[HP_PREFIX_TEXT];
	enum hp_err err = HP_OK;
	size_t len;

	for (; !err; v += len + 1) {
		v += strspn(v, " ");
		len = strcspn(v, ",");
		snprintf(item, sizeof(item), "%.*s", (int)len, v);
		item[strcspn(item, " ")] = '\0';
		err = allow_one(ctx, item, f);
		if (!v[len])
			break;
	}
	return err;
}

static enum hp_err set_endpoint(void *ctx, const char *v, struct hp_fault *f)
{
	struct options *o = ctx;

	o->peer.has_endpoint = true;
	return hp_value_endpoint(v, &o->peer.endpoint, f);
}

/* Not from the command line: others would see it there. */
static enum hp_err set_psk(void *ctx, const char *v, struct hp_fault *f)
{
	const char *path = strcmp(v, "-") ? v : "/dev/stdin";
	struct options *o = ctx;
	char text[80] = "";
	FILE *in = fopen(path, "r");
	enum hp_err err;

	if (!in)
		return hp_fault_set(f, HP_ERR_IO, "", "cannot open %.80s",
				    path);
	setbuf(in, NULL); /* no copy of the key stays behind */
	if (!fgets(text, sizeof(text), in))
		text[0] = '\0';
	fclose(in);
	text[strcspn(text, " \t\r\n")] = '\0';
	o->peer.has_psk = true;
	err = hp_value_psk(text, &o->peer.psk, f);
	sodium_memzero(text, sizeof(text));
	return err;
}

static enum hp_err set_keepalive(void *ctx, const char *v, struct hp_fault *f)
{
	return hp_value_keepalive(v, &((struct options *)ctx)->peer.keepalive_s,
				  f);
}

/* ---- add ----------------------------------------------------------------- */

static const struct cli_opt add_opts[] = {
	{ "public-key", "KEY", "of the peer, as wg pubkey prints it", set_key },
	{ "address", "IP", "address inside, default: the next free one",
	  set_address },
	{ "allowed-ips", "P[,P]...", "addresses and subnets that it may have",
	  set_allowed },
	{ "endpoint", "HOST:PORT", "where it is reached, if it does not move",
	  set_endpoint },
	{ "preshared-key-file", "FILE", "holds a key of wg genpsk; - is stdin",
	  set_psk },
	{ "keepalive", "SECONDS", "send something that often, default off",
	  set_keepalive },
};

static const struct cli_spec add_spec = {
	.command = "hptun peer add",
	.args = "NAME",
	.about = "Lets a stock WireGuard program talk to this host alone: adds "
		 "a [Peer] section to\nnetwork.conf. Without --address and "
		 "--allowed-ips it gets a free address, on the\nhost that "
		 "invites.",
	.opts = add_opts,
	.n_opts = sizeof(add_opts) / sizeof(add_opts[0]),
	.min_args = 1,
	.max_args = 1,
};

static enum hp_err add(struct options *o, const struct hp_store *s,
		       struct hp_fault *f)
{
	enum hp_err err = HP_OK;

	if (o->address.family != HP_AF_NONE || !o->peer.n_allowed)
		err = stock_place(s, &o->address, &o->peer, f);
	if (!err)
		err = stock_check(s, &o->peer, f);
	return err ? err : hp_store_peer_add(s, &o->peer, f);
}

static void added(const struct hp_store *s, const struct hp_stock_peer *p)
{
	char text[HP_PREFIX_TEXT];

	printf("%s is a stock WireGuard peer of this host:", p->name);
	for (unsigned int i = 0; i < p->n_allowed; i++)
		printf("%s %s", i ? "," : "",
		       hp_prefix_text(&p->allowed[i], text));
	printf("\n");
	stock_next(s, stdout);
}

static int cmd_add(int argc, char **argv)
{
	struct options o = { 0 };
	struct stock_edit e;
	struct hp_fault f = { 0 };
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&add_spec, &o, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	err = hp_name_parse(cli.args[0], o.peer.name, &f);
	if (!err && !o.has_key)
		err = hp_fault_set(&f, HP_ERR_FORMAT,
				   "hptun export NAME makes a key, too",
				   "--public-key is missing");
	if (err)
		return cli_usage(cli.command, &f);
	err = stock_edit_begin(&e, &cli, &f);
	if (!err)
		err = add(&o, e.store, &f);
	if (err)
		code = cli_fail(&cli, &f);
	else
		added(e.store, &o.peer);
	stock_edit_end(&e);
	hp_secret_wipe(&o.peer.psk);
	return err ? code : 0;
}

/* ---- list ---------------------------------------------------------------- */

static const struct cli_spec list_spec = {
	.command = "hptun peer list",
	.args = "",
	.about = "Lists the stock WireGuard peers of this host. hptunctl "
		 "status tells how they stand.",
	.json = true,
};

static json_t *peer_json(const struct hp_stock_peer *p)
{
	char key[HP_KEY_TEXT], host[HP_SERVER_TEXT], prefix[HP_PREFIX_TEXT];
	json_t *allowed = json_array();

	for (unsigned int i = 0; i < p->n_allowed; i++)
		json_array_append_new(allowed, json_string(hp_prefix_text(
			&p->allowed[i], prefix)));
	return json_pack("{s:s, s:s, s:o, s:s?, s:b, s:i}", "name", p->name,
			 "public_key", hp_public_text(&p->key, key),
			 "allowed_ips", allowed, "endpoint",
			 p->has_endpoint ? hp_server_text(&p->endpoint, host)
					 : NULL,
			 "preshared_key", (int)p->has_psk, "keepalive_s",
			 (int)p->keepalive_s);
}

static void peer_row(struct table *t, const struct hp_stock_peer *p)
{
	char key[HP_KEY_TEXT], host[HP_SERVER_TEXT], prefix[HP_PREFIX_TEXT];
	char all[TABLE_CELL] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < p->n_allowed && n < sizeof(all); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s",
				      i ? ", " : "",
				      hp_prefix_text(&p->allowed[i], prefix));
	table_row(t);
	table_cell(t, p->name[0] ? p->name : NULL);
	table_cell(t, p->n_allowed ? all : NULL);
	table_cell(t, p->has_endpoint ? hp_server_text(&p->endpoint, host)
				      : NULL);
	table_cell(t, hp_public_text(&p->key, key));
}

static int list(const struct cli *cli, const struct hp_store *s)
{
	static const char *const heads[] = { "NAME", "ALLOWED IPS", "ENDPOINT",
					     "PUBLIC KEY", NULL };
	json_t *doc = json_array();
	struct table *t = table_new(heads);

	for (size_t i = 0; i < s->n_peers; i++) {
		json_array_append_new(doc, peer_json(&s->peer[i]));
		if (t)
			peer_row(t, &s->peer[i]);
	}
	if (cli->json) {
		table_free(t);
		return cli_json(cli, json_pack("{s:s, s:o}", "network", s->name,
					       "peers", doc));
	}
	json_decref(doc);
	if (!s->n_peers)
		puts("there is none: hptun peer add, hptun export");
	else if (t)
		table_print(t, stdout);
	table_free(t);
	return 0;
}

static int cmd_list(int argc, char **argv)
{
	struct hp_store *s = NULL;
	struct hp_fault f = { 0 };
	struct cli cli;
	int code = cli_parse(&list_spec, NULL, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	if (hp_store_open(&cli.dirs, cli.network, &s, &f))
		return cli_fail(&cli, &f);
	code = list(&cli, s);
	hp_store_close(s);
	return code;
}

/* ---- remove -------------------------------------------------------------- */

static const struct cli_spec remove_spec = {
	.command = "hptun peer remove",
	.args = "NAME|KEY",
	.about = "Takes the [Peer] section of a stock WireGuard peer out of "
		 "network.conf.",
	.min_args = 1,
	.max_args = 1,
};

static enum hp_err peer_unknown(const struct hp_store *s, const char *word,
				struct hp_fault *f)
{
	const char *names[HP_STORE_PEERS_MAX];
	char remedy[80] = "hptun peer list shows them";
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < s->n_peers; i++)
		if (s->peer[i].name[0])
			names[n++] = s->peer[i].name;
	near = hp_suggest(word, names, n);
	if (near)
		snprintf(remedy, sizeof(remedy), "did you mean %s?", near);
	return hp_fault_set(f, HP_ERR_UNKNOWN, remedy,
			    "there is no stock peer \"%.60s\"", word);
}

static int cmd_remove(int argc, char **argv)
{
	const struct hp_stock_peer *peer;
	struct stock_edit e;
	struct hp_fault f = { 0 };
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&remove_spec, NULL, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	err = stock_edit_begin(&e, &cli, &f);
	if (!err) {
		peer = hp_store_peer_find(e.store, cli.args[0]);
		err = peer ? hp_store_peer_remove(e.store, peer, &f) :
			     peer_unknown(e.store, cli.args[0], &f);
	}
	if (err) {
		code = cli_fail(&cli, &f);
	} else {
		printf("%s is removed\n", cli.args[0]);
		stock_next(e.store, stdout);
		code = 0;
	}
	stock_edit_end(&e);
	return code;
}

int cmd_peer(int argc, char **argv)
{
	static const struct cli_command commands[] = {
		{ "add", cmd_add, "let a stock WireGuard program talk to us" },
		{ "list", cmd_list, "those there are" },
		{ "remove", cmd_remove, "take one away" },
	};
	static const struct cli_program program = {
		.name = "hptun peer",
		.about = "Stock WireGuard peers of this host.",
		.commands = commands,
		.n = sizeof(commands) / sizeof(commands[0]),
	};

	return cli_main(&program, argc, argv);
}
