/* SPDX-License-Identifier: ISC */
/*
 * Relaying for other members, where our user allows it. Two members that have
 * a direct path to us, and none to each other, get a channel (meet/relay.h):
 *
 *	alice              carol, here              bob
 *	  |--- RELAY_WANTED, bob --->|               |
 *	  |<-- RELAY, channel -------|<-- ... alice -|
 *	  |                          |--- RELAY ---->|
 *	  |=== channel, packet ====> | === the same =|=>
 *
 * Each end asks for itself and is answered alone, with less than it sent. The
 * ends of a channel are the paths that were nominated for two members whose
 * certificates hold, never an address that somebody named; where such a path is
 * lost for good, its channels end. What passes is sealed between the two.
 */
#include "node/ferry.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "meet/relay.h"
#include "node/internal.h"

/* Channels in all, and of one member. */
#define CHANNELS_MAX 1024
#define CHANNELS_PER_PEER 64
/* So long after its path fell silent a member keeps its channels. */
#define GRACE_NS (10 * HP_S)
/* Questions of one member: all its peers at once, then ten a second. */
#define ASK_EVERY_NS (100 * HP_MS)
#define ASK_BURST CHANNELS_PER_PEER
/* What a rested limit lets through at once: a tenth of a second, and no less
 * than what one receive may bring.
 */
#define BURST_PART 10
#define BURST_LEAST 131072

struct hp_ferry {
	struct hp_relay *relay;
	struct hp_rate rate;
	struct hp_shared_bucket bucket;
	_Atomic uint64_t packets, bytes, dropped;
};

/* A member that has channels, or had. */
struct ferried {
	struct hp_relay_end end;
	struct hp_pace asks;
	uint64_t end_ns;	/* its path is lost: when that is for good */
};

enum hp_err hp_ferry_init(struct hp_node *n)
{
	const struct hp_relay_config rc = {
		.rng = &n->cfg.rng,
		.max = CHANNELS_MAX,
		.max_per_end = CHANNELS_PER_PEER,
		.wait = n->cfg.ops.quiet,
		.ctx = n->cfg.ctx,
	};
	struct hp_ferry *f;

	if (!n->cfg.allow_relay)
		return HP_OK;
	f = n->ferry = calloc(1, sizeof(*f));
	if (!f)
		return HP_ERR_NOMEM;
	f->rate.per_s = n->cfg.relay_rate;
	f->rate.burst = f->rate.per_s / BURST_PART;
	if (f->rate.burst < BURST_LEAST)
		f->rate.burst = BURST_LEAST;
	f->relay = hp_relay_new(&rc);
	return f->relay ? HP_OK : HP_ERR_NOMEM;
}

void hp_ferry_free(struct hp_node *n)
{
	if (n->ferry)
		hp_relay_free(n->ferry->relay);
	free(n->ferry);
	n->ferry = NULL;
}

struct hp_ferry *hp_node_ferry(struct hp_node *n)
{
	return n->ferry;
}

/* ---- packets --------------------------------------------------------- */

static void count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

enum hp_err hp_ferry_pass(struct hp_ferry *f, const struct hp_path *from,
			  const struct hp_pkt *p, uint64_t now_ns,
			  const struct hp_path **to)
{
	if (!f || p->len <= HP_RELAY_HEAD ||
	    hp_datagram_kind(p->data, p->len) != HP_DGRAM_RELAY ||
	    hp_relay_forward(f->relay, &from->remote,
			     hp_get_be32(p->data + HP_WIRE_HEAD), 1, p->len,
			     now_ns, to) != HP_OK)
		return HP_ERR_TYPE;
	if (!hp_shared_bucket_take(&f->bucket, &f->rate,
				   p->len + HP_RELAY_PACKET_COST, now_ns)) {
		count(&f->dropped, 1);
		return HP_ERR_LIMIT;
	}
	count(&f->packets, 1);
	count(&f->bytes, p->len);
	return HP_OK;
}

/* ---- channels -------------------------------------------------------- */

/* Does it have a direct path to us, and a certificate that holds now? */
static bool is_end(const struct peer *p)
{
	return p->state == HP_PEER_DIRECT &&
	       hp_node_admit(p->node, &p->cert) == HP_OK;
}

static struct ferried *ferried_of(struct peer *p)
{
	if (!p->ferried) {
		p->ferried = calloc(1, sizeof(*p->ferried));
		if (!p->ferried)
			return NULL;
		p->ferried->asks = (struct hp_pace){ .every_ns = ASK_EVERY_NS,
						     .burst = ASK_BURST };
		p->ferried->end_ns = HP_NEVER;
	}
	return p->ferried;
}

/* The channel from @a to @b; 0: there is none. */
static uint32_t channel_of(struct peer *a, struct peer *b)
{
	struct hp_relay *r = a->node->ferry->relay;
	struct ferried *to = ferried_of(b);

	if (!to)
		return 0;
	hp_relay_move(r, &a->ferried->end, &a->direct);
	hp_relay_move(r, &to->end, &b->direct);
	return hp_relay_pair(r, &a->ferried->end, &to->end, a->node->now_ns);
}

static uint32_t rtt_us(const struct peer *p)
{
	struct hp_punch_info info;

	hp_punch_get_info(p->punch, &info);
	return info.rtt_ns / HP_US < UINT32_MAX ?
		       (uint32_t)(info.rtt_ns / HP_US) : UINT32_MAX;
}

void hp_ferry_wanted(struct peer *p, const struct hp_note *asked)
{
	struct hp_note note = { .kind = HP_NOTE_RELAY, .ask = asked->ask };
	struct hp_node *n = p->node;
	struct peer *to = hp_peer_find(n, asked->slot);

	if (p->state != HP_PEER_DIRECT || !ferried_of(p) ||
	    !hp_pace_take(&p->ferried->asks, n->now_ns))
		return;
	memcpy(note.slot, asked->slot, HP_SLOT_LEN);
	if (n->ferry && to && to != p && is_end(p) && is_end(to))
		note.channel = channel_of(p, to);
	if (note.channel)
		note.rtt_us = rtt_us(to);
	hp_note_send(p, &p->direct, &note);
}

void hp_ferry_nominated(struct peer *p)
{
	if (!p->ferried || !p->ferried->end.n)
		return;
	p->ferried->end_ns = p->node->now_ns + GRACE_NS;
	if (!hp_path_set(&p->direct))
		return;
	p->ferried->end_ns = HP_NEVER;
	hp_relay_move(p->node->ferry->relay, &p->ferried->end, &p->direct);
}

uint64_t hp_ferry_due(const struct peer *p)
{
	return p->ferried ? p->ferried->end_ns : HP_NEVER;
}

void hp_ferry_drop(struct peer *p)
{
	if (!p->ferried)
		return;
	if (p->node->ferry)
		hp_relay_drop(p->node->ferry->relay, &p->ferried->end);
	free(p->ferried);
	p->ferried = NULL;
}

/* ---- the rest -------------------------------------------------------- */

void hp_ferry_tick(struct hp_node *n)
{
	if (n->ferry)
		hp_relay_tick(n->ferry->relay, n->now_ns);
}

uint64_t hp_ferry_deadline(const struct hp_node *n)
{
	return n->ferry ? hp_relay_deadline(n->ferry->relay) : HP_NEVER;
}

bool hp_node_ferry_get(const struct hp_node *n, struct hp_ferry_info *out)
{
	const struct hp_ferry *f = n->ferry;

	if (!f)
		return false;
	*out = (struct hp_ferry_info){
		.rate = f->rate.per_s,
		.channels = hp_relay_channels(f->relay),
		.packets = f->packets,
		.bytes = f->bytes,
		.dropped = f->dropped,
	};
	return true;
}
