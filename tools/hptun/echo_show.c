/* SPDX-License-Identifier: ISC */
/* What echo tells of the connection as it comes about: on stderr, so that
 * stdout has the lines alone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "echo.h"
#include "node/explain.h"

void echo_step(const struct echo *e, uint64_t now_ns, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%6llu ms  ",
		(unsigned long long)(hp_time_since(now_ns, e->start_ns) /
				     HP_MS));
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void show_seen(struct echo *e, const struct hp_node_server_info *s,
		      struct hp_addr *was, const struct hp_addr *now,
		      uint64_t now_ns)
{
	char text[HP_ADDR_TEXT];

	if (now->family == HP_AF_NONE || hp_addr_eq(was, now))
		return;
	*was = *now;
	echo_step(e, now_ns, "%s sees us as %s", s->name,
		  hp_addr_text(now, text));
}

static void show_server(struct echo *e, unsigned int i, uint64_t now_ns)
{
	struct hp_node_server_info s;
	struct hp_fault f = { 0 };

	hp_node_server_get(e->node, i, &s);
	if (s.state != e->server[i].state) {
		e->server[i].state = s.state;
		if (s.state == HP_SERVER_REGISTERED)
			echo_step(e, now_ns,
				  "registered at the rendezvous %s", s.name);
		else if (s.state != HP_SERVER_TRYING &&
			 hp_node_explain(e->node, NULL, now_ns, &f))
			echo_step(e, now_ns, "%s\n           %s", f.cause,
				  f.remedy);
	}
	show_seen(e, &s, &e->server[i].seen4, &s.seen4, now_ns);
	show_seen(e, &s, &e->server[i].seen6, &s.seen6, now_ns);
	if (s.mapping != e->server[i].mapping) {
		e->server[i].mapping = s.mapping;
		echo_step(e, now_ns, "mapping of our NAT: %s",
			  hp_mapping_text(s.mapping));
	}
}

/* What was shown of @name; NULL beyond SHOWN_MAX. */
static struct shown *shown_of(struct echo *e, const char *name)
{
	struct shown *s;

	for (size_t i = 0; i < e->n_shown; i++)
		if (strcmp(e->shown[i].name, name) == 0)
			return &e->shown[i];
	if (e->n_shown == SHOWN_MAX)
		return NULL;
	s = &e->shown[e->n_shown++];
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

static void show_direct(struct echo *e, const struct hp_node_peer_info *p,
			uint64_t now_ns)
{
	char addr[HP_ADDR_TEXT];

	echo_step(e, now_ns, "the hole is open: %s is direct at %s%s "
			     "(IPv%d), %.1f ms there and back", p->name,
		  p->lan ? "LAN address " : "",
		  hp_addr_text(&p->path.remote, addr), p->path.remote.family,
		  (double)p->rtt_ns / (double)HP_MS);
}

static void show_state(struct echo *e, const struct hp_node_peer_info *p,
		       uint64_t now_ns)
{
	struct hp_fault f = { 0 };

	switch (p->state) {
	case HP_PEER_DIRECT:
		show_direct(e, p, now_ns);
		break;
	case HP_PEER_RELAYED:
		echo_step(e, now_ns, "%s answers, relayed by %s", p->name,
			  p->server ? p->server : "the rendezvous");
		break;
	case HP_PEER_OFFLINE:
		echo_step(e, now_ns, "%s is not there yet; waiting for it",
			  p->name);
		break;
	case HP_PEER_REFUSED:
	case HP_PEER_LOST:
		if (hp_node_explain(e->node, p->name, now_ns, &f))
			echo_step(e, now_ns, "%s", f.cause);
		break;
	case HP_PEER_IDLE:
	case HP_PEER_CONNECTING:
		break;
	}
}

static void show_peer(struct echo *e, const struct hp_node_peer_info *p,
		      uint64_t now_ns)
{
	struct shown *s = shown_of(e, p->name);

	if (!s)
		return;
	if (!s->introduced && p->n_candidates) {
		s->introduced = true;
		echo_step(e, now_ns, "introduced to %s: %u address%s to try",
			  p->name, p->n_candidates,
			  p->n_candidates == 1 ? "" : "es");
	}
	if (s->state == p->state)
		return;
	s->state = p->state;
	show_state(e, p, now_ns);
}

void echo_show(struct echo *e, uint64_t now_ns)
{
	struct hp_node_peer_info p;

	for (unsigned int i = 0; i < hp_node_server_count(e->node); i++)
		show_server(e, i, now_ns);
	for (size_t i = 0; i < hp_node_peer_count(e->node); i++) {
		hp_node_peer_get(e->node, i, now_ns, &p);
		if (p.state != HP_PEER_IDLE || p.wanted)
			show_peer(e, &p, now_ns);
	}
}
