/* SPDX-License-Identifier: ISC */
/*
 * A line for each server and each peer, when there is something to say that
 * will not be overtaken in the next moment: a server once our NAT's mapping is
 * known too, a peer once it is direct, or stays relayed. On a terminal a line
 * that is overwritten tells what is waited for meanwhile.
 */
#include "progress.h"

#include <string.h>
#include <unistd.h>

#include "../view.h"

#define WIDTH_MIN 29

void progress_begin(struct progress *p, const json_t *peers, FILE *out)
{
	*p = (struct progress){
		.out = out,
		.server = json_object(),
		.held = json_object(),
		.shown = json_object(),
		.terminal = isatty(fileno(out)),
		.width = WIDTH_MIN,
	};
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *name = json_array_get(peers, i);

		if ((int)json_string_length(name) > p->width)
			p->width = (int)json_string_length(name);
	}
}

static void clear(struct progress *p)
{
	if (p->waits)
		fputs("\r\033[K", p->out);
	p->waits = false;
}

static void head(struct progress *p, const char *name)
{
	clear(p);
	fprintf(p->out, "  %-*s   ", p->width, name);
}

/* Shows a server, unless its state was shown. */
static void show_server(struct progress *p, const json_t *server)
{
	const char *name = view_text(server, "server");
	const char *state = view_text(server, "state");
	char title[96];

	if (strcmp(view_text(p->server, name), state) == 0)
		return;
	json_object_set_new(p->server, name, json_string(state));
	snprintf(title, sizeof(title), "rendezvous %s", name);
	if ((int)strlen(title) > p->width)
		p->width = (int)strlen(title);
	head(p, title);
	view_server(server, p->out);
	fputc('\n', p->out);
	fflush(p->out);
}

/* What was held back comes before what follows from it. */
static void show_held(struct progress *p)
{
	const char *name;
	json_t *server;

	json_object_foreach(p->held, name, server)
		show_server(p, server);
	json_object_clear(p->held);
}

/* Not the whole story yet: a name is looked up within milliseconds, and how our
 * NAT maps follows within a round trip.
 */
static bool is_settling(const json_t *server, const char *state)
{
	if (strcmp(state, "registered") == 0)
		return strcmp(view_text(server, "mapping"), "unknown") == 0;
	return strcmp(state, "unresolved") == 0;
}

static void take_server(struct progress *p, json_t *server)
{
	const char *name = view_text(server, "server");
	const char *state = view_text(server, "state");

	json_object_del(p->held, name);
	if (strcmp(state, "trying") == 0)
		return;
	if (is_settling(server, state))
		json_object_set(p->held, name, server);
	else
		show_server(p, server);
}

static bool is_path(const json_t *peer, const char *kind)
{
	return strcmp(view_text(json_object_get(peer, "path"), "kind"),
		      kind) == 0;
}

static void show_peer(struct progress *p, const json_t *peer)
{
	const char *name = view_text(peer, "name");
	const char *why = view_text(peer, "why");

	if (json_object_get(p->shown, name))
		return;
	show_held(p);
	json_object_set_new(p->shown, name, json_true());
	head(p, name);
	view_connected(peer, p->out);
	if (is_path(peer, "relayed") && *why)
		fprintf(p->out, " (%s)", why);
	fputc('\n', p->out);
	fflush(p->out);
}

static void take_peer(struct progress *p, const json_t *peer)
{
	const char *name = view_text(peer, "name");

	if (json_object_get(p->shown, name))
		return;
	if (is_path(peer, "direct") || is_path(peer, "lan")) {
		show_peer(p, peer);
	} else if (p->terminal) {
		head(p, name);
		fputs(view_text(peer, "state"), p->out);
		fflush(p->out);
		p->waits = true;
	}
}

/* The verdict of success: what was held back, and what to do next. */
static void finish(struct progress *p, const json_t *doc)
{
	const json_t *peers = json_object_get(doc, "peers");
	const char *try_addr = "";

	show_held(p);
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i);

		/* Stock WireGuard peers have no name, and are no news. */
		if (!*view_text(peer, "name") ||
		    !json_is_object(json_object_get(peer, "path")))
			continue;
		show_peer(p, peer);
		if (!*try_addr)
			try_addr = view_text(peer, "address");
	}
	clear(p);
	fprintf(p->out, "  %s is up: %s, mtu %lld.", view_text(doc, "device"),
		view_text(doc, "prefix"),
		(long long)json_integer_value(json_object_get(doc, "mtu")));
	if (*try_addr)
		fprintf(p->out, " Try: ping %s", try_addr);
	fputc('\n', p->out);
}

void progress_take(struct progress *p, json_t *doc)
{
	const char *event = view_text(doc, "event");

	if (strcmp(event, "server") == 0)
		take_server(p, doc);
	else if (strcmp(event, "peer") == 0)
		take_peer(p, doc);
	else if (json_is_true(json_object_get(doc, "ok")))
		finish(p, doc);
}

void progress_end(struct progress *p)
{
	clear(p);
	fflush(p->out);
	json_decref(p->server);
	json_decref(p->held);
	json_decref(p->shown);
}
