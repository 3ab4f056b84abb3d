/* SPDX-License-Identifier: ISC */
/*
 * Where UDP is blocked a server is spoken to over a stream, TCP or TLS.
 *
 *	          no answer for 3 s            the stream is up
 *	by UDP ----------------------> asked --------------------> by the stream
 *	  ^                              |                               |
 *	  |        answered by UDP       |      tried after 4 .. 32 s,   |
 *	  +------------------------------+- and when the network changes +
 *
 * The session is one: it moves, as between addresses, by a keepalive that
 * proves the new way. An answer goes the way of its question, so that a try by
 * UDP that is answered moves the session back; only when the server has
 * confirmed that does the stream close, and relayed packets go over it until
 * then.
 */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

/* UDP is tried after so long, then after twice as long each time. */
#define TRY_UDP_NS (4 * HP_S)
#define TRY_UDP_MAX_SHIFT 3 /* 32 s */
/* The network settles first. */
#define CHANGED_NS (100 * HP_MS)

void hp_stream_init(struct server *s, enum hp_transport over)
{
	s->stream_only = over != HP_OVER_UDP;
	s->udp_ns = HP_NEVER;
}

static void ask(struct server *s, bool on)
{
	const struct hp_node *n = s->node;

	if (!n->cfg.ops.stream || s->stream_asked == on)
		return;
	s->stream_asked = on;
	n->cfg.ops.stream(n->cfg.ctx, (unsigned int)(s - n->servers), on);
}

void hp_stream_start(struct server *s)
{
	if (s->stream_only && s->resolved)
		ask(s, true);
}

uint32_t hp_stream_sock(const struct server *s)
{
	return s->by_stream ?
		       HP_SOCK_STREAM + (uint32_t)(s - s->node->servers) : 0;
}

/* Channels go where the session goes. */
static void move_relays(struct server *s)
{
	struct hp_node *n = s->node;
	unsigned int i = (unsigned int)(s - n->servers);
	uint32_t sock = hp_stream_sock(s);

	for (struct peer *p = n->peers; p; p = p->hh.next) {
		struct hp_path *way = &p->relays[i].path;

		if (hp_path_set(way)) {
			way->remote = s->addr;
			way->sock = sock;
		}
		if (!p->known || !hp_path_set(&p->relay) ||
		    p->relay_server != i ||
		    (p->relay.sock == sock &&
		     hp_addr_eq(&p->relay.remote, &s->addr)))
			continue;
		p->relay.remote = s->addr;
		p->relay.sock = sock;
		hp_peer_route(p);
		hp_punch_set_relay(p->punch, &p->relay, n->now_ns);
		hp_peer_update(p);
	}
}

static void plan_try(struct server *s)
{
	s->udp_ns = s->stream_only ?
			    HP_NEVER :
			    s->node->now_ns + (TRY_UDP_NS << s->udp_tries);
	s->udp_tries += s->udp_tries < TRY_UDP_MAX_SHIFT;
}

static void take_stream(struct server *s)
{
	s->by_stream = true;
	s->udp_tries = 0;
	plan_try(s);
	hp_meet_network_changed(s->client, s->node->now_ns);
	move_relays(s);
}

void hp_stream_lost(struct server *s)
{
	ask(s, true);
	if (s->stream != HP_OVER_UDP && !s->by_stream)
		take_stream(s);
}

/* By UDP, and the server knows: the stream is of no more use. */
static void leave_stream(struct server *s)
{
	s->stream = HP_OVER_UDP;
	s->stream_why[0] = '\0';
	move_relays(s);
	ask(s, false);
}

void hp_stream_registered(struct server *s)
{
	struct hp_meet_info info;

	hp_meet_info(s->client, &info);
	if (s->stream_asked && !s->by_stream && info.settled)
		leave_stream(s);
}

bool hp_stream_pass(const struct server *s, const struct hp_addr *dst,
		    const uint8_t *buf, size_t len, uint32_t *sock)
{
	*sock = 0;
	if (s->reply_udp || (!s->by_stream && !s->stream_only))
		return true;
	*sock = hp_stream_sock(s);
	return s->by_stream && hp_addr_eq(dst, &s->addr) &&
	       hp_datagram_kind(buf, len) == HP_DGRAM_MEET;
}

enum hp_err hp_stream_rx(struct server *s, const struct hp_path *from,
			 const uint8_t *buf, size_t len)
{
	struct hp_node *n = s->node;
	bool back = s->stream_asked && !hp_path_is_stream(from);
	struct hp_meet_info was, is;
	enum hp_err err;

	if (hp_path_is_stream(from) ?
		    from->sock != HP_SOCK_STREAM + (s - n->servers) :
		    s->stream_only)
		return HP_ERR_TYPE;
	if (!back)
		return hp_meet_rx(s->client, &from->remote, buf, len,
				  n->now_ns);
	hp_meet_info(s->client, &was);
	s->reply_udp = true;
	err = hp_meet_rx(s->client, &from->remote, buf, len, n->now_ns);
	s->reply_udp = false;
	hp_meet_info(s->client, &is);
	if (is.heard == was.heard)
		return err;
	s->by_stream = false;
	s->addr = from->remote;
	if (is.state == HP_MEET_UP && is.settled)
		leave_stream(s);
	return err;
}

void hp_stream_changed(struct server *s)
{
	if (!s->by_stream || s->stream_only)
		return;
	s->udp_tries = 0;
	s->udp_ns = s->node->now_ns + CHANGED_NS;
}

void hp_stream_tick(struct server *s)
{
	struct hp_node *n = s->node;

	if (s->udp_ns > n->now_ns)
		return;
	s->udp_ns = HP_NEVER;
	if (!s->by_stream)
		return;
	plan_try(s);
	s->reply_udp = true;
	hp_meet_try(s->client, n->now_ns);
	s->reply_udp = false;
}

void hp_node_stream(struct hp_node *n, unsigned int server,
		    enum hp_transport over, const char *why, uint64_t now_ns)
{
	struct server *s = &n->servers[server];
	struct hp_meet_info info;

	n->now_ns = now_ns;
	snprintf(s->stream_why, sizeof(s->stream_why), "%s", why ? why : "");
	if (!s->stream_asked)
		return;
	s->stream = over;
	hp_meet_info(s->client, &info);
	if (over == HP_OVER_UDP && s->by_stream) {
		s->by_stream = false;
		move_relays(s);
		hp_meet_network_changed(s->client, now_ns);
	} else if (over != HP_OVER_UDP && info.state == HP_MEET_UP &&
		   !s->stream_only) {
		leave_stream(s);
	} else if (over != HP_OVER_UDP) {
		take_stream(s);
	}
}
