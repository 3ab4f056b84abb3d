/* SPDX-License-Identifier: ISC */
#include "wg_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/time.h"

static void put_on_wire(struct world *w, const struct hp_addr *from,
			const struct hp_addr *to, const struct hp_pkt *p)
{
	struct datagram *d;
	uint64_t jitter_ns = 0;

	if (hp_rng_below(&w->rng, 100) < w->loss_pct)
		return;
	if (hp_rng_below(&w->rng, 100) < w->chaos_pct)
		jitter_ns = hp_rng_below(&w->rng, 100) * HP_MS;
	assert_true(w->n_wire < WORLD_WIRE && p->len <= WORLD_MTU);
	d = &w->wire[w->n_wire++];
	d->due_ns = w->now_ns + w->delay_ns + jitter_ns;
	d->from = *from;
	d->to = *to;
	d->len = p->len;
	memcpy(d->bytes, p->data, p->len);
	if (p->data[0] < 5)
		w->last[p->data[0]] = *d;
	if (hp_rng_below(&w->rng, 100) < w->chaos_pct)
		put_on_wire(w, from, to, p);
}

static void node_sends(struct node *n, const struct hp_addr *to,
		       const struct hp_pkt *p)
{
	assert_true(p->data[0] >= 1 && p->data[0] <= 4);
	n->sent[p->data[0]]++;
	if (p->data[0] == 4 && p->len == 32)
		n->keepalives++;
	if (!n->mute)
		put_on_wire(n->world, &n->addr, to, p);
}

static void op_send(void *ctx, struct hp_wg_peer *peer,
		    const struct hp_path *path, struct hp_pkt *pkt)
{
	struct node *n = ctx;

	assert_true(pkt->head >= 8);
	assert_true(peer || pkt->data[0] == 3);
	node_sends(n, &path->remote, pkt);
}

static void node_gets(struct node *n, const uint8_t *inner, size_t len)
{
	assert_true(len >= 28);
	assert_int_equal(inner[19], n->octet);
	for (size_t i = 28; i < len; i++)
		assert_int_equal(inner[i], (uint8_t)i);
	n->last_mark = hp_get_be32(inner + 20);
	n->delivered++;
}

static void op_deliver(void *ctx, struct hp_wg_peer *peer, struct hp_pkt *inner)
{
	struct node *n = ctx;

	assert_ptr_equal(peer, n->peer[inner->data[15] - 1]);
	node_gets(n, inner->data, inner->len);
}

static void op_event(void *ctx, struct hp_wg_peer *peer, enum hp_wg_event event)
{
	struct node *n = ctx;

	(void)peer;
	n->events[event]++;
}

static void op_timestamp(void *ctx, uint8_t out[12])
{
	struct node *n = ctx;

	hp_put_be64(out, n->world->now_ns / HP_S);
	hp_put_be32(out + 8, (uint32_t)(n->world->now_ns % HP_S));
}

static const struct hp_wg_ops ops = {
	op_send, op_deliver, op_event, op_timestamp,
};

static void on_notice(void *ctx, const struct hp_notice *notice)
{
	struct node *n = ctx;

	assert_true(n->n_notices < WORLD_NOTICES);
	n->notice[n->n_notices++] = *notice;
}

/* What the control thread does after the data thread had its turn. */
static void give_notices(struct node *n)
{
	for (size_t i = 0; i < n->n_notices; i++)
		hp_wg_notice(n->wg, &n->notice[i], n->world->now_ns);
	n->n_notices = 0;
	hp_fib_reclaim(hp_wg_fib(n->wg));
}

static void node_make(struct world *w, size_t i, bool threaded)
{
	struct node *n = &w->node[i];
	const struct hp_wg_cfg cfg = {
		.ops = &ops,
		.ctx = n,
		.rng = &w->rng,
		/* Engines of two libraries talk to each other. */
		.engine = i == 1 ? HP_AEAD_CRYPTO : HP_AEAD_AUTO,
		.aes = true,
	};

	n->world = w;
	n->octet = (uint8_t)(i + 1);
	n->addr = hp_addr4(192, 0, 2, n->octet, (uint16_t)(51820 + i));
	n->threaded = threaded;
	n->wg = hp_wg_new(&cfg);
	assert_non_null(n->wg);
	n->aead = hp_aead_new(hp_wg_engine(n->wg));
	assert_non_null(n->aead);
	hp_forward_init(&n->forward, hp_wg_fib(n->wg), n->aead, on_notice, n);
	hp_dh_keypair(&w->rng, &n->secret, &n->public);
	hp_wg_set_private(n->wg, &n->secret);
}

static void acquaint(struct world *w, size_t a, size_t b)
{
	struct node *n = &w->node[a];
	struct hp_path path = world_path(w, b);
	struct hp_prefix p = {
		.family = HP_AF_4, .bits = 32, .ip = { 10, 9, 0 },
	};

	p.ip[3] = w->node[b].octet;
	assert_int_equal(hp_wg_peer_add(n->wg, &w->node[b].public,
					&n->peer[b]), HP_OK);
	assert_int_equal(hp_wg_peer_allow(n->peer[b], &p), HP_OK);
	assert_int_equal(hp_wg_peer_set_path(n->peer[b], &path, w->now_ns),
			 HP_OK);
}

struct world *world_new(uint64_t seed, size_t n, bool threaded)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(hp_crypto_init(), HP_OK);
	hp_rng_seeded_init(&w->seeded, seed, &w->rng);
	w->now_ns = 1000 * HP_S;
	w->delay_ns = 10 * HP_MS;
	w->n_nodes = n;
	for (size_t i = 0; i < n; i++)
		node_make(w, i, threaded);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (i != j)
				acquaint(w, i, j);
	return w;
}

void world_free(struct world *w)
{
	for (size_t i = 0; i < w->n_nodes; i++) {
		hp_wg_free(w->node[i].wg);
		hp_aead_free(w->node[i].aead);
	}
	free(w);
}

static enum hp_err rx_threaded(struct node *n, const struct hp_path *from,
			       struct hp_pkt *p)
{
	struct hp_forward_in in;
	enum hp_err err = HP_OK;

	hp_forward_in(&n->forward, p, from, 1, &in, n->world->now_ns);
	if (in.verdict == HP_VERDICT_CONTROL)
		err = hp_wg_rx(n->wg, from, p, n->world->now_ns);
	if (in.verdict == HP_VERDICT_DELIVER)
		node_gets(n, p->data, p->len);
	if (in.verdict == HP_VERDICT_DROP)
		err = HP_ERR_AUTH;
	give_notices(n);
	return err;
}

enum hp_err world_inject(struct world *w, size_t to, const struct hp_addr *from,
			 const uint8_t *bytes, size_t len)
{
	struct node *n = &w->node[to];
	struct hp_path path = { .remote = *from };
	/* Exactly as long as needed, so that a sanitizer sees overruns. */
	uint8_t *buf = malloc(len ? len : 1);
	struct hp_pkt p = hp_pkt_of(buf, len, 0, len);
	enum hp_err err;

	assert_non_null(buf);
	memcpy(buf, bytes, len);
	if (n->threaded)
		err = rx_threaded(n, &path, &p);
	else
		err = hp_wg_rx(n->wg, &path, &p, w->now_ns);
	hp_fib_reclaim(hp_wg_fib(n->wg));
	free(buf);
	return err;
}

size_t world_packet(struct world *w, size_t a, size_t b, size_t len,
		    uint8_t *out)
{
	memset(out, 0, 28);
	out[0] = 0x45;
	hp_put_be16(out + 2, (uint16_t)len);
	memcpy(out + 12, "\x0a\x09\x00", 3);
	memcpy(out + 16, "\x0a\x09\x00", 3);
	out[15] = w->node[a].octet;
	out[19] = w->node[b].octet;
	hp_put_be32(out + 20, ++w->next_mark);
	for (size_t i = 28; i < len; i++)
		out[i] = (uint8_t)i;
	return len;
}

static void tx_slow(struct node *n, struct hp_pkt *p)
{
	enum hp_err err = hp_wg_tx(n->wg, p, n->world->now_ns);

	assert_true(n->world->tolerant || !err);
}

static void tx_threaded(struct node *n, struct hp_pkt *p)
{
	struct hp_forward_out out;

	hp_forward_out(&n->forward, p, 1, &out, n->world->now_ns);
	if (out.verdict == HP_VERDICT_SEND)
		node_sends(n, &out.path->remote, p);
	give_notices(n);
	if (out.verdict == HP_VERDICT_CONTROL)
		tx_slow(n, p);
}

uint32_t world_send(struct world *w, size_t a, size_t b, size_t len)
{
	struct node *n = &w->node[a];
	uint8_t buf[HP_HEADROOM + WORLD_MTU + HP_TAILROOM];
	struct hp_pkt p = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM, len);

	world_packet(w, a, b, len, p.data);
	if (n->threaded)
		tx_threaded(n, &p);
	else
		tx_slow(n, &p);
	return w->next_mark;
}

static bool deliver_next(struct world *w, uint64_t until_ns)
{
	struct datagram d;
	size_t best = w->n_wire;

	for (size_t i = 0; i < w->n_wire; i++)
		if (w->wire[i].due_ns <= until_ns &&
		    (best == w->n_wire ||
		     w->wire[i].due_ns < w->wire[best].due_ns))
			best = i;
	if (best == w->n_wire)
		return false;
	d = w->wire[best];
	memmove(&w->wire[best], &w->wire[best + 1],
		(--w->n_wire - best) * sizeof(d));
	if (d.due_ns > w->now_ns)
		w->now_ns = d.due_ns;
	for (size_t i = 0; i < w->n_nodes; i++)
		if (hp_addr_eq(&w->node[i].addr, &d.to))
			(void)world_inject(w, i, &d.from, d.bytes, d.len);
	return true;
}

static uint64_t next_tick(const struct world *w)
{
	uint64_t t = HP_NEVER;

	for (size_t i = 0; i < w->n_nodes; i++)
		t = hp_time_min(t, hp_wg_deadline(w->node[i].wg));
	return t;
}

void world_run(struct world *w, uint64_t until_ns)
{
	uint64_t t;

	for (;;) {
		t = hp_time_min(next_tick(w), until_ns);
		if (deliver_next(w, t))
			continue;
		if (t > w->now_ns)
			w->now_ns = t;
		if (next_tick(w) > until_ns)
			break;
		for (size_t i = 0; i < w->n_nodes; i++)
			hp_wg_tick(w->node[i].wg, w->now_ns);
	}
}

void world_wait(struct world *w, uint64_t ns)
{
	world_run(w, w->now_ns + ns);
}

struct hp_path world_path(const struct world *w, size_t to)
{
	return (struct hp_path){ .remote = w->node[to].addr };
}

struct hp_wg_peer_info world_info(struct world *w, size_t a, size_t b)
{
	struct hp_wg_peer_info info;

	hp_wg_peer_info(w->node[a].peer[b], w->now_ns, &info);
	return info;
}

uint64_t world_drops(struct world *w, size_t a, enum hp_drop reason)
{
	return hp_fib_drops(hp_wg_fib(w->node[a].wg), reason);
}
