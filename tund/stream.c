/* SPDX-License-Identifier: ISC */
/*
 * A server may be reached over TCP or TLS, over IPv4 or IPv6; which of these a
 * network lets through shows by trying only. So they are tried one after
 * another, each half a second after the one before, or at once when that
 * failed; the first that comes up serves, and the others end (as RFC 8305 does
 * it with addresses). One that came up and stays mute leads to somebody else:
 * the next one is tried.
 */
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datagram.h"
#include "base/path.h"
#include "base/pkt.h"
#include "base/time.h"
#include "device.h"
#include "log.h"
#include "node/node.h"
#include "sys/loop.h"
#include "sys/stream.h"

#define STAGGER_NS (500 * HP_MS)
/* How long one may take to come up, and a server to answer over it. */
#define PATIENCE_NS (6 * HP_S)
#define MUTE_NS (5 * HP_S)
/* After all failed: doubled each time. */
#define RETRY_NS (2 * HP_S)
#define RETRY_MAX_SHIFT 5
/* TCP and TLS, over IPv4 and IPv6. */
#define WAYS 4

struct server;

struct way {
	struct server *server;
	enum hp_transport over;
	struct hp_addr to;
	struct hp_stream *stream;
	uint64_t since_ns;
	bool up;
	bool heard;
};

struct server {
	struct streams *all;
	const struct hp_server *is;
	struct hp_addr addr[2];
	bool wanted;
	struct way way[WAYS];
	unsigned int n;
	unsigned int next;	/* way to try */
	unsigned int failed;	/* rounds in which none came up */
	uint64_t due_ns;
	struct way *serves;
	char why[160];		/* the last failure */
	bool told;
};

struct streams {
	struct streams_cfg cfg;
	struct hp_tls *tls;	/* NULL: not needed yet */
	struct server server[HP_SERVERS_MAX];
};

static unsigned int number_of(const struct server *s)
{
	return (unsigned int)(s - s->all->server);
}

static uint64_t now_of(const struct server *s)
{
	return hp_loop_now(s->all->cfg.loop);
}

static void way_close(struct way *w)
{
	hp_stream_free(w->stream);
	w->stream = NULL;
	w->up = false;
}

static void close_all(struct server *s, const struct way *but)
{
	for (unsigned int i = 0; i < WAYS; i++)
		if (&s->way[i] != but)
			way_close(&s->way[i]);
	s->serves = NULL;
}

static bool any_open(const struct server *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->way[i].stream)
			return true;
	return false;
}

/* ---- what a stream tells ---- */

static void way_failed(struct way *w, const char *why, uint64_t now_ns)
{
	struct server *s = w->server;
	char text[HP_ADDR_TEXT];
	bool served = s->serves == w;

	way_close(w);
	snprintf(s->why, sizeof(s->why), "%s %s: %s",
		 hp_transport_text(w->over), hp_addr_text(&w->to, text), why);
	s->due_ns = now_ns;
	if (!served)
		return;
	s->serves = NULL;
	s->next = 0;
	hp_node_stream(s->all->cfg.node, number_of(s), HP_OVER_UDP, s->why,
		       now_ns);
}

static void on_down(void *ctx, const char *why, uint64_t now_ns)
{
	way_failed(ctx, why, now_ns);
}

static void on_up(void *ctx, uint64_t now_ns)
{
	struct way *w = ctx;
	struct server *s = w->server;

	close_all(s, w);
	w->up = true;
	w->heard = false;
	w->since_ns = now_ns;
	s->serves = w;
	s->due_ns = now_ns + MUTE_NS;
	hp_node_stream(s->all->cfg.node, number_of(s), w->over, NULL, now_ns);
}

static void on_datagram(void *ctx, uint8_t *p, size_t len, uint64_t now_ns)
{
	struct way *w = ctx;
	struct server *s = w->server;
	const struct streams *all = s->all;
	struct hp_node_server_info info;
	struct hp_pkt look = hp_pkt_of(p, len, 0, len);
	struct hp_path from = { .sock = HP_SOCK_STREAM + number_of(s) };

	w->heard = true;
	s->failed = 0;
	hp_node_server_get(all->cfg.node, number_of(s), &info);
	from.remote = info.addr;
	if (hp_datagram_is_data(&look, true, &(uint32_t){ 0 })) {
		device_take(all->cfg.device, &from, p, len);
		return;
	}
	look = hp_pkt_of(p, len, 0, len);
	hp_node_rx(all->cfg.node, &from, &look, now_ns);
}

static const struct hp_stream_ops ops = {
	.up = on_up,
	.datagram = on_datagram,
	.down = on_down,
};

/* ---- trying ---- */

static void add_way(struct server *s, enum hp_transport over,
		    const struct hp_addr *addr, uint16_t port)
{
	struct way *w = &s->way[s->n];

	if (!addr->family || s->n == WAYS)
		return;
	w->server = s;
	w->over = over;
	w->to = *addr;
	w->to.port = port;
	s->n++;
}

/* TCP first: of the two it costs less, and needs no certificate. */
static void list_ways(struct server *s)
{
	enum hp_transport only = s->is->over;

	close_all(s, NULL);
	s->n = 0;
	s->next = 0;
	for (unsigned int f = 0; f < 2; f++)
		if (only != HP_OVER_TLS)
			add_way(s, HP_OVER_TCP, &s->addr[f], s->is->port);
	for (unsigned int f = 0; f < 2; f++)
		if (only != HP_OVER_TCP)
			add_way(s, HP_OVER_TLS, &s->addr[f],
				only == HP_OVER_TLS ? s->is->port : HP_SERVER_TLS_PORT);
}

static bool make_tls(struct streams *all)
{
	struct hp_fault f;

	if (!all->tls &&
	    hp_tls_client(all->cfg.pin, all->cfg.n_pins, &all->tls, &f))
		log_fault(all->cfg.log, &f);
	return all->tls;
}

static void way_open(struct way *w, uint64_t now_ns)
{
	struct server *s = w->server;
	struct streams *all = s->all;
	struct hp_stream_cfg cfg = {
		.loop = all->cfg.loop,
		.mark = device_mark(all->cfg.device),
		.nat64 = *device_nat64(all->cfg.device),
		.ops = &ops,
		.ctx = w,
	};

	if (w->over == HP_OVER_TLS) {
		if (!make_tls(all))
			return;
		cfg.tls = all->tls;
		cfg.host = s->is->host;
	}
	w->since_ns = now_ns;
	w->up = false;
	if (hp_stream_connect(&cfg, &w->to, &w->stream)) {
		w->stream = NULL;
		way_failed(w, strerror(errno), now_ns);
	}
}

/* All were tried: waits, and says why, once. */
static void round_over(struct server *s, uint64_t now_ns)
{
	unsigned int shift = s->failed < RETRY_MAX_SHIFT ? s->failed :
							   RETRY_MAX_SHIFT;

	s->failed++;
	s->next = 0;
	s->due_ns = now_ns + (RETRY_NS << shift);
	hp_node_stream(s->all->cfg.node, number_of(s), HP_OVER_UDP, s->why,
		       now_ns);
	if (!s->told && s->why[0])
		log_warn(s->all->cfg.log, "rendezvous %s: %s", s->is->host,
			 s->why);
	s->told = true;
}

static void give_up_late(struct server *s, uint64_t now_ns)
{
	for (unsigned int i = 0; i < s->n; i++) {
		struct way *w = &s->way[i];

		if (w->stream && !w->up &&
		    hp_time_since(now_ns, w->since_ns) >= PATIENCE_NS)
			way_failed(w, "no answer", now_ns);
	}
}

static void server_tick(struct server *s, uint64_t now_ns)
{
	if (s->serves) {
		struct way *w = s->serves;
		unsigned int after = (unsigned int)(w - s->way) + 1;

		s->due_ns = HP_NEVER;
		if (!w->heard) {
			way_failed(w, "whoever answers there is no hptun "
				      "rendezvous", now_ns);
			s->next = after;
		}
		return;
	}
	give_up_late(s, now_ns);
	if (s->next < s->n) {
		s->due_ns = now_ns + STAGGER_NS;
		way_open(&s->way[s->next++], now_ns);
	} else if (any_open(s)) {
		s->due_ns = now_ns + STAGGER_NS;
	} else {
		round_over(s, now_ns);
	}
}

static uint64_t deadline(void *ctx)
{
	const struct streams *all = ctx;
	uint64_t next = HP_NEVER;

	for (unsigned int i = 0; i < all->cfg.n_servers; i++)
		next = hp_time_min(next, all->server[i].due_ns);
	return next;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct streams *all = ctx;

	for (unsigned int i = 0; i < all->cfg.n_servers; i++)
		if (all->server[i].due_ns <= now_ns)
			server_tick(&all->server[i], now_ns);
}

/* ---- for the daemon ---- */

enum hp_err streams_new(const struct streams_cfg *cfg, struct streams **out,
			struct hp_fault *f)
{
	struct streams *s = calloc(1, sizeof(*s));
	const struct hp_loop_timed timed = { deadline, tick, s };

	if (!s || hp_loop_timed(cfg->loop, &timed)) {
		free(s);
		return hp_fault_set(f, HP_ERR_NOMEM, "",
				    "cannot set up streams to the rendezvous");
	}
	s->cfg = *cfg;
	for (unsigned int i = 0; i < cfg->n_servers; i++) {
		s->server[i].all = s;
		s->server[i].is = &cfg->server[i];
		s->server[i].due_ns = HP_NEVER;
	}
	*out = s;
	return HP_OK;
}

void streams_free(struct streams *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < s->cfg.n_servers; i++)
		close_all(&s->server[i], NULL);
	hp_tls_free(s->tls);
	free(s);
}

void streams_set_addr(struct streams *s, unsigned int server,
		      const struct hp_addr *addr4, const struct hp_addr *addr6,
		      uint64_t now_ns)
{
	struct server *t = &s->server[server];

	if (hp_addr_eq(&t->addr[0], addr4) && hp_addr_eq(&t->addr[1], addr6))
		return;
	t->addr[0] = *addr4;
	t->addr[1] = *addr6;
	if (t->serves)
		return; /* as long as it holds */
	list_ways(t);
	t->due_ns = t->wanted && t->n ? now_ns : HP_NEVER;
}

void streams_want(struct streams *s, unsigned int server, bool on)
{
	struct server *t = &s->server[server];

	if (t->wanted == on)
		return;
	t->wanted = on;
	t->failed = 0;
	t->told = false;
	list_ways(t);
	t->due_ns = on && t->n ? now_of(t) : HP_NEVER;
}

void streams_changed(struct streams *s, uint64_t now_ns)
{
	for (unsigned int i = 0; i < s->cfg.n_servers; i++) {
		struct server *t = &s->server[i];

		t->failed = 0;
		if (t->wanted && t->n && !t->serves)
			t->due_ns = now_ns;
	}
}

enum hp_err streams_send(struct streams *s, const struct hp_path *to,
			 const uint8_t *buf, size_t len)
{
	const struct way *w = s->server[to->sock - HP_SOCK_STREAM].serves;

	return w ? hp_stream_send(w->stream, buf, len) : HP_ERR_STATE;
}
