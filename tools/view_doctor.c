/* SPDX-License-Identifier: ISC */
/* What the doctor says, in words. */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "table.h"

static long long count(const json_t *doc, const char *key)
{
	return (long long)json_integer_value(json_object_get(doc, key));
}

/* "a, b" of an array of strings. */
static void words(const json_t *list, FILE *out)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		fprintf(out, "%s%s", i ? ", " : "", s ? s : "?");
	}
}

static void findings(const json_t *doc, FILE *out)
{
	const json_t *list = json_object_get(doc, "findings");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);
		const char *remedy = view_text(f, "remedy");

		if (i)
			fprintf(out, "also: %s\n", view_text(f, "text"));
		else
			fprintf(out, "%s is %s: %s\n", view_text(doc, "peer"),
				view_text(doc, "state"), view_text(f, "text"));
		if (*remedy)
			fprintf(out, "  to do: %s\n", remedy);
	}
}

/* What the measured path carries, beside what the interface offers. */
static void path_mtu(const json_t *m, FILE *out)
{
	const char *state = view_text(m, "state");
	long long mtu = count(m, "mtu"), device = count(m, "device");

	if (!*state)
		return;
	fputs("path MTU: ", out);
	if (!strcmp(state, "off"))
		fputs("not measured\n", out);
	else if (!strcmp(state, "error"))
		fprintf(out, "packets of up to %lld bytes are sent uncut; not "
			"even datagrams of 1200 bytes pass\n", mtu);
	else if (strcmp(state, "complete") != 0)
		fprintf(out, "being measured; until then packets of up to "
			"%lld bytes are sent\n", mtu);
	else if (mtu < device)
		fprintf(out, "packets of up to %lld bytes pass inside, as "
			"measured (the interface offers %lld); longer ones "
			"are cut, or answered with \"too big\"\n", mtu, device);
	else
		fprintf(out, "all %lld bytes that the interface offers pass "
			"inside, as measured\n", device);
}

static void servers(const json_t *list, FILE *out)
{
	char text[HUMAN_TEXT];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *s = json_array_get(list, i);
		const json_t *rtt = json_object_get(s, "rtt_ms");
		const char *addr = view_text(s, "address");

		fprintf(out, "  rendezvous   %s, %s", *addr ? addr : "-",
			json_is_true(json_object_get(s, "registered")) ?
				"registered" : "not registered");
		if (json_is_number(rtt))
			fprintf(out, ", %s",
				human_ms(json_number_value(rtt), text));
		if (json_is_true(json_object_get(s, "second_port_silent")))
			fputs(", its second port is silent", out);
		fputc('\n', out);
	}
}

static void nat(const json_t *h, FILE *out)
{
	const json_t *n = json_object_get(h, "nat");
	const char *ports = view_text(n, "allocation");

	fprintf(out, "  NAT          mapping: %s", view_text(h, "mapping"));
	if (*ports && strcmp(ports, "unknown") != 0)
		fprintf(out, "; ports: %s, %lld to %lld", ports,
			count(n, "low"), count(n, "high"));
	if (json_is_true(json_object_get(n, "many_addresses")))
		fputs("; several outside addresses", out);
	fputc('\n', out);
}

static void guessing(const json_t *g, FILE *out)
{
	if (!count(g, "rounds") && !count(g, "sockets"))
		return;
	fprintf(out, "  guessing     %s: %lld round%s, %lld probes, %lld "
		"sockets; %lld of %lld extra mappings for all peers\n",
		view_text(g, "state"), count(g, "rounds"),
		count(g, "rounds") == 1 ? "" : "s", count(g, "probes"),
		count(g, "sockets"), count(g, "mappings"),
		count(g, "mappings_max"));
}

static void half(const char *name, const json_t *h, FILE *out)
{
	const json_t *cands = json_object_get(h, "candidates");
	const json_t *off = json_object_get(h, "methods_off");

	fprintf(out, "\n%s", name);
	if (!json_is_object(h)) {
		fputs(": did not tell\n", out);
		return;
	}
	fprintf(out, ": hptun %s\n", view_text(h, "version"));
	nat(h, out);
	view_nat64(h, "  this host    ", out);
	view_port_mapping(h, "  port opened  ", out);
	for (size_t i = 0; i < json_array_size(cands); i++) {
		const json_t *c = json_array_get(cands, i);

		fprintf(out, "  %s  %s (%s)\n", i ? "           " :
						    "addresses  ",
			view_text(c, "address"), view_text(c, "kind"));
	}
	servers(json_object_get(h, "rendezvous"), out);
	fprintf(out, "  probes       %lld sent in %lld rounds, %lld heard\n",
		count(h, "probes_sent"), count(h, "rounds"),
		count(h, "probes_heard"));
	guessing(json_object_get(h, "guessing"), out);
	if (json_array_size(off)) {
		fputs("  switched off ", out);
		words(off, out);
		fputc('\n', out);
	}
}

/* "-" where that end did not tell. */
static void count_cell(struct table *t, const json_t *counts, const char *key)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", count(counts, key));
	table_cell(t, json_is_object(counts) ? text : NULL);
}

static void pair_row(struct table *t, const json_t *pair)
{
	const json_t *h = json_object_get(pair, "from_here");
	const json_t *p = json_object_get(pair, "from_there");
	const json_t *rtt = json_object_get(h, "rtt_ms");
	const char *here = view_text(pair, "here");
	const char *there = view_text(pair, "there");
	char text[HUMAN_TEXT];

	table_row(t);
	table_cell(t, view_text(pair, "kind"));
	table_cell(t, *here ? here : NULL);
	table_cell(t, *there ? there : NULL);
	count_cell(t, h, "sent");
	count_cell(t, p, "heard");
	count_cell(t, h, "answered");
	count_cell(t, p, "sent");
	count_cell(t, h, "heard");
	count_cell(t, p, "answered");
	table_cell(t, json_is_number(rtt) ?
			      human_ms(json_number_value(rtt), text) : NULL);
	table_cell(t, view_text(pair, "verdict"));
}

static void pairs(const json_t *list, FILE *out)
{
	static const char *const heads[] = {
		"KIND", "HERE", "THERE", ">SENT", ">ARRIVED", ">ANSWERED",
		">IT SENT", ">ARRIVED", ">ANSWERED", ">RTT", "VERDICT", NULL,
	};
	struct table *t = table_new(heads);

	if (!t)
		return;
	for (size_t i = 0; i < json_array_size(list); i++)
		pair_row(t, json_array_get(list, i));
	if (json_array_size(list))
		fputc('\n', out);
	table_print(t, out);
	table_free(t);
}

void view_doctor(const json_t *doc, FILE *out)
{
	const char *state = view_text(doc, "state");

	findings(doc, out);
	path_mtu(json_object_get(doc, "path_mtu"), out);
	half("this host", json_object_get(doc, "here"), out);
	if (strcmp(state, "unknown") != 0)
		half(view_text(doc, "peer"), json_object_get(doc, "there"),
		     out);
	pairs(json_object_get(doc, "pairs"), out);
}
