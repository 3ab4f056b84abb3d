/* SPDX-License-Identifier: ISC */
/* The daemon's JSON in words. */
#include "view.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

const char *view_text(const json_t *doc, const char *key)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return s ? s : "";
}

static bool is(const json_t *doc, const char *key, const char *value)
{
	return strcmp(view_text(doc, key), value) == 0;
}

/* "a, b" */
static void list(const json_t *array, FILE *out)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *s = json_string_value(json_array_get(array, i));

		fprintf(out, "%s%s", i ? ", " : "", s ? s : "?");
	}
}

/* A number with its unit, or NULL when the field is null. */
static const char *ms(const json_t *doc, const char *key, char out[HUMAN_TEXT])
{
	const json_t *v = json_object_get(doc, key);

	return json_is_number(v) ? human_ms(json_number_value(v), out) : NULL;
}

static const char *bytes(const json_t *doc, const char *key,
			 char out[HUMAN_TEXT])
{
	json_int_t v = json_integer_value(json_object_get(doc, key));

	return human_bytes((uint64_t)v, out);
}

static long long count(const json_t *doc, const char *key)
{
	return (long long)json_integer_value(json_object_get(doc, key));
}

void view_server(const json_t *server, FILE *out)
{
	const json_t *seen = json_object_get(server, "seen");
	const char *cause = view_text(server, "cause");
	char text[HUMAN_TEXT];

	if (is(server, "state", "unresolved"))
		fputs("its name has no address", out);
	else if (is(server, "state", "lost"))
		fputs("no answer", out);
	else
		fputs(view_text(server, "state"), out);
	if (*cause)
		fprintf(out, ": %s", cause);
	if (!is(server, "state", "registered"))
		return;
	if (is(server, "over", "tcp") || is(server, "over", "tls"))
		fprintf(out, " over %s%s",
			is(server, "over", "tcp") ? "TCP" : "TLS",
			/* "tls://": nothing else was to be tried. */
			strstr(view_text(server, "server"), "://") ?
				"" : ", as UDP is not answered");
	if (json_array_size(seen)) {
		fputs(", seen as ", out);
		list(seen, out);
		fprintf(out, " (mapping: %s)", view_text(server, "mapping"));
	}
	if (ms(server, "rtt_ms", text))
		fprintf(out, ", %s", text);
}

static const char *family(const json_t *path)
{
	return json_integer_value(json_object_get(path, "family")) == 6
		       ? "IPv6" : "IPv4";
}

void view_path(const json_t *peer, FILE *out)
{
	const json_t *path = json_object_get(peer, "path");

	if (!json_is_object(path)) {
		fputc('-', out);
		return;
	}
	if (is(path, "kind", "relayed") && *view_text(path, "via"))
		fprintf(out, "via %s", view_text(path, "via"));
	else
		fputs(view_text(path, "remote"), out);
	fprintf(out, " (%s)", family(path));
}

void view_connected(const json_t *peer, FILE *out)
{
	const json_t *path = json_object_get(peer, "path");
	char session[HUMAN_TEXT], direct[HUMAN_TEXT];
	const char *s = ms(peer, "session_ms", session);
	const char *d = ms(peer, "direct_ms", direct);

	if (is(path, "kind", "relayed")) {
		fputs("relayed", out);
		if (s)
			fprintf(out, " after %s", s);
	} else {
		bool relayed = json_number_value(json_object_get(
				       peer, "session_ms")) <
			       json_number_value(json_object_get(
				       peer, "direct_ms"));

		/* The relay carried packets while the hole was made. */
		if (s && d && relayed)
			fprintf(out, "relayed after %s, ", s);
		fputs("direct", out);
		if (s && d)
			fprintf(out, " after %s", relayed ? d : s);
	}
	fputs(": ", out);
	view_path(peer, out);
}

/* "direct, LAN" and such. */
static const char *state_of(const json_t *peer)
{
	const json_t *path = json_object_get(peer, "path");

	return is(path, "kind", "lan") ? "direct, LAN"
				       : view_text(peer, "state");
}

static void path_cell(struct table *t, const json_t *peer)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f) {
		view_path(peer, f);
		fclose(f);
	}
	table_cell(t, text);
	free(text);
}

static void peer_row(struct table *t, const json_t *peer)
{
	const json_t *age = json_object_get(peer, "last_handshake_s");
	const char *name = view_text(peer, "name");
	const char *addr = view_text(peer, "address");
	const char *cipher = view_text(peer, "cipher");
	char text[HUMAN_TEXT], ago[HUMAN_TEXT + 4];

	table_row(t);
	/* A stock WireGuard peer has no name. */
	table_cell(t, *name ? name : view_text(peer, "public_key"));
	table_cell(t, *addr ? addr : NULL);
	table_cell(t, state_of(peer));
	path_cell(t, peer);
	table_cell(t, ms(peer, "rtt_ms", text));
	if (json_is_integer(age)) {
		human_age((uint64_t)json_integer_value(age), text);
		snprintf(ago, sizeof(ago), "%s ago", text);
	}
	table_cell(t, json_is_integer(age) ? ago : NULL);
	table_cell(t, bytes(peer, "rx_bytes", text));
	table_cell(t, bytes(peer, "tx_bytes", text));
	snprintf(text, sizeof(text), "%lld",
		 (long long)json_integer_value(json_object_get(peer, "mtu")));
	table_cell(t, text);
	table_cell(t, *cipher ? cipher : NULL);
}

/* What guessing has cost for a peer. Returns what goes before the next line. */
static const char *guesses(const json_t *peer, const char *gap, FILE *out)
{
	const json_t *g = json_object_get(peer, "guessing");

	if (!count(g, "rounds") && !count(g, "sockets"))
		return gap;
	fprintf(out, "%s%s: ports guessed in %lld round%s, %lld probes, %lld "
		"extra sockets open\n", gap, view_text(peer, "name"),
		count(g, "rounds"), count(g, "rounds") == 1 ? "" : "s",
		count(g, "probes"), count(g, "sockets"));
	return "";
}

static void whys(const json_t *peers, FILE *out)
{
	const char *gap = "\n";

	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i);
		const char *cause = view_text(peer, "cause");
		const char *why = *cause ? cause : view_text(peer, "why");
		const char *name = view_text(peer, "name");
		const char *warning = view_text(peer, "warning");

		if (*why && !is(peer, "state", "direct")) {
			fprintf(out, "%s%s is %s: %s\n", gap, name,
				view_text(peer, "state"), why);
			gap = "";
		}
		gap = guesses(peer, gap, out);
		if (*warning) {
			fprintf(out, "%s%s: %s\n", gap, name, warning);
			gap = "";
		}
	}
}

void view_peers(const json_t *peers, FILE *out)
{
	static const char *const heads[] = {
		"PEER", "ADDRESS", "STATE", "PATH", ">RTT", ">HANDSHAKE",
		">RECEIVED", ">SENT", ">MTU", "CIPHER", NULL,
	};
	struct table *t = table_new(heads);

	if (!t)
		return;
	for (size_t i = 0; i < json_array_size(peers); i++)
		peer_row(t, json_array_get(peers, i));
	if (json_array_size(peers))
		table_print(t, out);
	else
		fputs("no peer was met yet\n", out);
	table_free(t);
	whys(peers, out);
}

/* What became of asking by one protocol. */
static const char *asked_text(const json_t *asked)
{
	if (*view_text(asked, "why"))
		return view_text(asked, "why");
	if (is(asked, "state", "not-built"))
		return "is not in this build";
	return is(asked, "state", "silent") ? "no answer"
					    : view_text(asked, "state");
}

void view_port_mapping(const json_t *doc, const char *label, FILE *out)
{
	const json_t *m = json_object_get(doc, "port_mapping");
	const json_t *lease = json_object_get(m, "lease_s");
	const char *gap = "", *by;
	char text[HUMAN_TEXT];
	const json_t *asked;

	if (!json_is_object(m))
		return;
	fputs(label, out);
	if (*view_text(m, "mapped")) {
		human_age((uint64_t)json_integer_value(lease), text);
		fprintf(out, "%s by %s at %s, for another %s; %s\n",
			view_text(m, "mapped"), view_text(m, "protocol"),
			view_text(m, "gateway"), text, view_text(m, "text"));
		return;
	}
	if (!*view_text(m, "gateway")) {
		fputs("none: this host has no gateway\n", out);
		return;
	}
	if (json_is_true(json_object_get(m, "under_way"))) {
		fprintf(out, "none yet: %s is being asked\n",
			view_text(m, "gateway"));
		return;
	}
	fprintf(out, "none by %s (", view_text(m, "gateway"));
	json_object_foreach((json_t *)(uintptr_t)json_object_get(m, "asked"),
			    by, asked) {
		fprintf(out, "%s%s: %s", gap, by, asked_text(asked));
		gap = "; ";
	}
	fputs(")\n", out);
}

/* What is switched off, and what guessing costs, when there is any. */
static void limits(const json_t *status, FILE *out)
{
	const json_t *off = json_object_get(status, "methods_off");
	const json_t *g = json_object_get(status, "guessing");

	if (json_array_size(off)) {
		fputs("methods off ", out);
		list(off, out);
		fputc('\n', out);
	}
	if (!count(g, "probes") && !count(g, "mappings"))
		return;
	fprintf(out, "guessing    %lld sockets, %lld of %lld extra mappings; "
		"%lld probes so far, at most %lld/s\n", count(g, "sockets"),
		count(g, "mappings"), count(g, "mappings_max"),
		count(g, "probes"), count(g, "probes_per_s_max"));
}

/* What came about without a server, when anything did. */
static void without_server(const json_t *c, FILE *out)
{
	long long met = count(c, "introductions"), on = count(c, "passed_on");

	if (!met && !on)
		return;
	fprintf(out, "no server   needed for %lld introduction%s", met,
		met == 1 ? "" : "s");
	if (on)
		fprintf(out, "; %lld call%s passed on for others", on,
			on == 1 ? "" : "s");
	fputc('\n', out);
}

void view_nat64(const json_t *doc, const char *label, FILE *out)
{
	if (*view_text(doc, "nat64"))
		fprintf(out, "%sIPv6 only, IPv4 through NAT64 prefix %s\n",
			label, view_text(doc, "nat64"));
}

/* "by LIBRARY (ChaCha20-Poly1305 924 ns a packet, AES-256-GCM 408)" */
static void show_crypto(const json_t *status, FILE *out)
{
	json_t *ns = json_object_get(status, "crypto_ns");
	const char *before = " (", *unit = " ns a packet", *name;
	json_t *value;

	if (!*view_text(status, "crypto"))
		return;
	fprintf(out, "ciphers     by %s", view_text(status, "crypto"));
	json_object_foreach(ns, name, value) {
		if (!json_is_integer(value))
			continue;
		fprintf(out, "%s%s %lld%s", before, name,
			(long long)json_integer_value(value), unit);
		before = ", ";
		unit = "";
	}
	fputs(*unit ? "\n" : ")\n", out);
}

static void data_path(const json_t *status, FILE *out)
{
	const json_t *threads = json_object_get(status, "threads");
	long long n = json_integer_value(threads);

	show_crypto(status, out);
	if (n)
		fprintf(out, "data        in %lld thread%s\n", n,
			n == 1 ? "" : "s");
}

/* What passes through us from member to member, where that is allowed. */
static void relaying(const json_t *r, FILE *out)
{
	const json_t *limit = json_object_get(r, "limit_bps");
	char text[HUMAN_TEXT];

	if (!json_is_object(r))
		return;
	fprintf(out, "relaying    %lld pair%s of members, %s so far",
		count(r, "pairs"), count(r, "pairs") == 1 ? "" : "s",
		human_bytes((uint64_t)count(r, "bytes"), text));
	if (json_is_integer(limit))
		fprintf(out, "; at most %g Mbit/s",
			(double)json_integer_value(limit) / 1e6);
	if (count(r, "dropped"))
		fprintf(out, ", %lld packets above that dropped",
			count(r, "dropped"));
	fputc('\n', out);
}

void view_status(const json_t *status, FILE *out)
{
	const json_t *servers = json_object_get(status, "rendezvous");
	const json_t *up = json_object_get(status, "uptime_s");
	char text[HUMAN_TEXT];

	fprintf(out, "network     %s\n", view_text(status, "network"));
	fprintf(out, "this node   %s: ", view_text(status, "name"));
	list(json_object_get(status, "addresses"), out);
	fprintf(out, "\ninterface   %s, mtu %lld, UDP port %lld\n",
		view_text(status, "device"),
		(long long)json_integer_value(json_object_get(status, "mtu")),
		(long long)json_integer_value(json_object_get(status, "port")));
	fprintf(out, "daemon      hptund %s, running for %s\n",
		view_text(status, "version"),
		human_age((uint64_t)json_integer_value(up), text));
	data_path(status, out);
	for (size_t i = 0; i < json_array_size(servers); i++) {
		const json_t *s = json_array_get(servers, i);

		fprintf(out, "rendezvous  %s  ", view_text(s, "server"));
		view_server(s, out);
		fputc('\n', out);
	}
	without_server(json_object_get(status, "without_server"), out);
	view_nat64(status, "this host   ", out);
	relaying(json_object_get(status, "relaying"), out);
	view_port_mapping(status, "port opened ", out);
	limits(status, out);
	fputc('\n', out);
	view_peers(json_object_get(status, "peers"), out);
}
