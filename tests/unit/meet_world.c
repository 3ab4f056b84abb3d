/* SPDX-License-Identifier: ISC */
#include "meet_world.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"

static const uint16_t port0 = 8888;

static void mw_send(struct mw *w, const struct hp_addr *from,
		    const struct hp_addr *to, const uint8_t *buf, size_t len)
{
	struct mw_datagram *d = &w->queue[w->n_queued];

	assert(w->n_queued < MW_QUEUE && len <= MW_MTU);
	d->at_ns = w->now_ns + WIRE_NS;
	d->from = *from;
	d->to = *to;
	d->len = len;
	memcpy(d->buf, buf, len);
	if (w->tap && !w->tap(w, d))
		return;
	if (hp_datagram_kind(buf, len) == HP_DGRAM_MEET)
		w->last[buf[3]] = *d;
	w->n_queued++;
}

static struct hp_addr server_addr(uint16_t family, unsigned int port)
{
	static const uint8_t ip6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x64 };

	if (family == HP_AF_4)
		return hp_addr4(198, 51, 100, 1, (uint16_t)(port0 + port));
	return hp_addr_of(HP_AF_6, ip6, (uint16_t)(port0 + port));
}

static void server_send(void *ctx, const struct hp_path *to,
			const uint8_t *buf, size_t len)
{
	struct mw *w = ctx;
	struct hp_addr from = server_addr(to->remote.family, to->sock & 1);

	w->n_answers++;
	w->answered_len += len;
	if (len > w->asked_len &&
	    hp_datagram_kind(buf, len) != HP_DGRAM_STUN && w->asked_len)
		w->oversize = true;
	mw_send(w, &from, &to->remote, buf, len);
}

static void node_send(void *ctx, const struct hp_addr *dst,
		      const uint8_t *buf, size_t len)
{
	struct mw_node *n = ctx;
	unsigned int af = dst->family == HP_AF_6;

	if (n->addr[af].family != HP_AF_NONE)
		mw_send(n->w, &n->addr[af], dst, buf, len);
}

static void node_event(void *ctx, const struct hp_meet_event *ev)
{
	struct mw_node *n = ctx;

	n->n[ev->kind]++;
	n->at_ns[ev->kind] = n->w->now_ns;
	n->last[ev->kind] = *ev;
	if (ev->kind == HP_MEET_EV_INTRO)
		memcpy(n->blob, ev->blob, ev->blob_len);
	if (ev->kind == HP_MEET_EV_MEMBERS) {
		assert(ev->n_slots <= 256);
		n->n_slots = ev->n_slots;
		if (ev->n_slots)
			memcpy(n->slots, ev->slots,
			       ev->n_slots * sizeof(n->slots[0]));
	}
}

static const struct hp_registry_ops server_ops = { .send = server_send };
static const struct hp_meet_ops node_ops = { node_send, node_event };

void mw_init(struct mw *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->now_ns = 1000 * HP_S;
	hp_rng_seeded_init(&w->seeded, seed, &w->rng);
	hp_rng_fill(&w->rng, w->network.b, sizeof(w->network.b));
	w->queue = calloc(MW_QUEUE, sizeof(*w->queue));
	w->cfg = hp_registry_defaults();
	w->cfg.rng = &w->rng;
	w->cfg.ops = &server_ops;
	w->cfg.ctx = w;
	w->r = hp_registry_new(&w->cfg);
	assert(w->queue && w->r);
}

void mw_free(struct mw *w)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		hp_meet_free(w->node[i].c);
	hp_registry_free(w->r);
	free(w->queue);
}

void mw_restart(struct mw *w)
{
	hp_registry_free(w->r);
	w->r = hp_registry_new(&w->cfg);
	assert(w->r);
}

void mw_slot(unsigned int number, uint8_t out[HP_MEET_SLOT_LEN])
{
	memset(out, 0x50, HP_MEET_SLOT_LEN);
	out[0] = (uint8_t)number;
}

struct mw_node *mw_add(struct mw *w, unsigned int number)
{
	struct mw_node *n = &w->node[w->n_nodes++];
	uint8_t ip6[16] = { 0x20, 0x01, 0x0d, 0xb8 };

	assert(w->n_nodes <= MW_CLIENTS);
	ip6[7] = (uint8_t)number; /* a /64 of its own */
	n->w = w;
	n->addr[0] = hp_addr4(203, 0, 113, (uint8_t)number,
			      (uint16_t)(4000 + number));
	n->addr[1] = hp_addr_of(HP_AF_6, ip6, (uint16_t)(4000 + number));
	n->cfg.server[0] = server_addr(HP_AF_4, 0);
	n->cfg.seed = w->network;
	mw_slot(number, n->cfg.slot);
	n->cfg.rng = &w->rng;
	n->cfg.ops = &node_ops;
	n->cfg.ctx = n;
	n->c = hp_meet_new(&n->cfg);
	assert(n->c);
	return n;
}

static bool same(const struct hp_addr *a, const struct hp_addr *b)
{
	return hp_addr_eq(a, b);
}

static void to_node(struct mw *w, const struct mw_datagram *d)
{
	for (size_t i = 0; i < w->n_nodes; i++) {
		struct mw_node *n = &w->node[i];

		if (!same(&d->to, &n->addr[0]) && !same(&d->to, &n->addr[1]))
			continue;
		if (hp_datagram_kind(d->buf, d->len) == HP_DGRAM_RELAY) {
			memcpy(n->relayed, d->buf, d->len);
			n->relayed_len = d->len;
			n->n_relayed++;
			return;
		}
		if (hp_meet_rx(n->c, &d->from, d->buf, d->len, w->now_ns))
			return;
	}
}

size_t mw_inject(struct mw *w, const struct hp_addr *from, const uint8_t *buf,
		 size_t len)
{
	const struct hp_path path = { .remote = *from };

	w->asked_len = len;
	w->answered_len = 0;
	w->n_answers = 0;
	hp_registry_rx(w->r, &path, buf, len, w->now_ns);
	w->asked_len = 0;
	return w->answered_len;
}

static void to_server(struct mw *w, const struct mw_datagram *d)
{
	struct hp_addr second = server_addr(d->to.family, 1);
	const struct hp_path path = {
		.remote = d->from,
		.sock = same(&d->to, &second),
	};

	if (w->server_down)
		return;
	w->asked_len = d->len;
	hp_registry_rx(w->r, &path, d->buf, d->len, w->now_ns);
	w->asked_len = 0;
}

static void deliver(struct mw *w, const struct mw_datagram *d)
{
	if (d->to.port == port0 || d->to.port == port0 + 1)
		to_server(w, d);
	else
		to_node(w, d);
}

/* The first datagram that is due by then; its place, or n_queued. */
static size_t first_due(const struct mw *w, uint64_t by_ns)
{
	size_t best = w->n_queued;

	for (size_t i = 0; i < w->n_queued; i++) {
		if (w->queue[i].at_ns <= by_ns &&
		    (best == w->n_queued ||
		     w->queue[i].at_ns < w->queue[best].at_ns))
			best = i;
	}
	return best;
}

static uint64_t next_tick(struct mw *w)
{
	uint64_t next = hp_registry_deadline(w->r);

	for (size_t i = 0; i < w->n_nodes; i++)
		next = hp_time_min(next, hp_meet_deadline(w->node[i].c));
	return next;
}

static void tick(struct mw *w)
{
	if (hp_registry_deadline(w->r) <= w->now_ns)
		hp_registry_tick(w->r, w->now_ns);
	for (size_t i = 0; i < w->n_nodes; i++) {
		if (hp_meet_deadline(w->node[i].c) <= w->now_ns)
			hp_meet_tick(w->node[i].c, w->now_ns);
	}
}

void mw_run(struct mw *w, uint64_t for_ns)
{
	uint64_t end_ns = w->now_ns + for_ns;
	static struct mw_datagram d;
	unsigned int steps = 0;

	for (;;) {
		uint64_t due_ns = hp_time_min(next_tick(w), end_ns);
		size_t i = first_due(w, due_ns);

		/* A machine that asks to be called at once for ever is ill. */
		assert(++steps < 1000000);
		if (i < w->n_queued) {
			d = w->queue[i];
			memmove(&w->queue[i], &w->queue[i + 1],
				(--w->n_queued - i) * sizeof(d));
			if (d.at_ns > w->now_ns)
				w->now_ns = d.at_ns;
			deliver(w, &d);
			continue;
		}
		if (due_ns > w->now_ns)
			w->now_ns = due_ns;
		if (next_tick(w) > w->now_ns)
			break;
		tick(w);
	}
}

struct mw_node *mw_up(struct mw *w, unsigned int number)
{
	static const uint8_t record[] = "record of node ?";
	struct mw_node *n = mw_add(w, number);
	uint8_t own[sizeof(record)];

	memcpy(own, record, sizeof(own));
	own[sizeof(own) - 2] = (uint8_t)('0' + number);
	if (hp_meet_set_record(n->c, own, sizeof(own), w->now_ns))
		assert(0);
	mw_run(w, 2 * HP_S);
	assert(n->n[HP_MEET_EV_REGISTERED] >= 1);
	return n;
}

struct hp_registry_stats mw_stats(struct mw *w)
{
	struct hp_registry_stats s;

	hp_registry_stats(w->r, &s);
	return s;
}

int mw_begin(void **state)
{
	static struct mw world;

	*state = &world;
	mw_init(&world, MW_SEED);
	return 0;
}

int mw_end(void **state)
{
	struct mw *w = *state;
	bool oversize = w->oversize;

	mw_free(w);
	return oversize ? -1 : 0;
}

const struct hp_meet_event *mw_got(const struct mw_node *n,
				   enum hp_meet_event_kind kind)
{
	assert_true(n->n[kind] > 0);
	return &n->last[kind];
}

void mw_connect(struct mw_node *a, unsigned int number, const char *offer)
{
	uint8_t slot[HP_MEET_SLOT_LEN];

	mw_slot(number, slot);
	assert_int_equal(hp_meet_connect(a->c, slot, (const uint8_t *)offer,
					 strlen(offer), a->w->now_ns),
			 HP_OK);
}

void mw_rebind(struct mw_node *a)
{
	a->addr[0].port += 1000;
}

void mw_register_from(struct mw *w, unsigned int number, struct hp_addr from)
{
	uint8_t msg[sizeof(struct hp_meet_register) + 1 + HP_SIG_LEN] = { 0 };
	struct hp_meet_register *m = (void *)msg;
	const struct hp_meet_challenge *ch;
	struct hp_meet_hello hello = { 0 };
	struct hp_secret secret;
	struct hp_public public, server;

	hp_datagram_head(hello.head, HP_MEET_HELLO);
	mw_inject(w, &from, (const uint8_t *)&hello, sizeof(hello));
	ch = (const void *)w->last[HP_MEET_CHALLENGE].buf;
	memcpy(server.b, ch->ephemeral, sizeof(server.b));
	hp_dh_keypair(&w->rng, &secret, &public);
	hp_datagram_head(m->head, HP_MEET_REGISTER);
	m->cookie = ch->cookie;
	memcpy(m->ephemeral, public.b, sizeof(m->ephemeral));
	hp_sign_public(&w->network, &public);
	memcpy(m->network, public.b, sizeof(m->network));
	mw_slot(number, m->slot);
	hp_put_be16(m->record_len, 1);
	hp_meet_register_sign(msg, sizeof(msg), &w->network, &server);
	mw_inject(w, &from, msg, sizeof(msg));
}

void mw_register(struct mw *w, unsigned int number)
{
	mw_register_from(w, number,
			 hp_addr4(192, 0, 2, (uint8_t)number, 7777));
}
