/* SPDX-License-Identifier: ISC */
/*
 * Relays that are members: where no direct path leads to a peer, those members
 * are asked for a channel (ferry.c) that say in their record that they relay,
 * and that a direct path leads to. What they give is one more relay beside
 * those of the servers, and chosen as those are (relay.c): the round trip over
 * it is ours to the member, and the member's to the peer, which it tells.
 *
 *	introduced, direct path lost, relay lost, a member offers --> ask
 *	answered --> ask again before its channel could end, if it is in use
 *	refused, not answered --> ask again after 1, 2, 4 .. 16 s
 *
 * While a server relays there is no hurry; for a peer that nobody here looks for
 * they are asked a few times only.
 */
#include "node/ferry.h"
#include "node/internal.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define FIRST_NS HP_S
#define MAX_SHIFT 4 /* 16 s */
#define AGAIN_NS (60 * HP_S)
/* While a server relays better, so that no member keeps a channel for it. */
#define RARELY_NS (600 * HP_S)
#define NO_HURRY_NS (5 * HP_S)
/* Members that are asked at a time. */
#define ASKED 4
/* A peer that nobody here looks for is given up after so many questions. */
#define PATIENCE 5

/**
 * struct offer - A member that relays for us
 * @path: the direct path to it
 */
struct offer {
	struct peer *peer;
	struct hp_path path;
	struct offer *prev, *next;
};

/* ---- members that offer it ------------------------------------------- */

static bool is_offering(const struct peer *p)
{
	return p->state == HP_PEER_DIRECT && (p->caps & HP_RECORD_RELAYS) &&
	       hp_node_may(p->node, HP_METHOD_RELAY);
}

static void offer_end(struct peer *via)
{
	if (!via->offer)
		return;
	DL_DELETE(via->node->offers, via->offer);
	free(via->offer);
	via->offer = NULL;
}

/* Channels over @via go where our packets for it go, or are gone with it. */
static void follow(struct peer *p, const struct peer *via)
{
	for (unsigned int i = 0; p->vias && i < NODE_VIAS; i++) {
		struct node_relay *r = &p->vias->relay[i];
		uint32_t channel = r->path.channel;

		if (p->vias->by[i] != via)
			continue;
		if (!via->offer) {
			hp_relay_ended(p, HP_SERVERS_MAX + i);
			hp_via_soon(p);
		} else {
			r->path = via->direct;
			r->path.channel = channel;
			hp_relay_moved(p, HP_SERVERS_MAX + i);
		}
	}
}

void hp_via_update(struct peer *via)
{
	struct hp_node *n = via->node;
	bool is = is_offering(via), was = via->offer;

	if (is == was && (!is || hp_path_eq(&via->direct, &via->offer->path)))
		return;
	if (!is)
		offer_end(via);
	else if (!was)
		via->offer = calloc(1, sizeof(*via->offer));
	if (is && !via->offer)
		return; /* no memory: the next change comes by */
	if (is && !was) {
		via->offer->peer = via;
		DL_APPEND(n->offers, via->offer);
	}
	if (is)
		via->offer->path = via->direct;
	for (struct peer *p = n->peers; p; p = p->hh.next) {
		follow(p, via);
		if (is && !was)
			hp_via_soon(p);
	}
}

bool hp_via_relays(const struct hp_node *n, const struct hp_path *path)
{
	for (const struct offer *o = n->offers; o; o = o->next)
		if (o->path.sock == path->sock &&
		    hp_addr_eq(&o->path.remote, &path->remote))
			return true;
	return false;
}

struct peer *hp_via_at(const struct peer *p, unsigned int at)
{
	return p->vias && at >= HP_SERVERS_MAX ?
		       p->vias->by[at - HP_SERVERS_MAX] : NULL;
}

void hp_node_via_get(const struct hp_node *n, const char *peer,
		     struct hp_via_info *out)
{
	*out = (struct hp_via_info){ 0 };
	for (size_t i = 0; i < n->n_named; i++) {
		const struct peer *p = n->named[i];

		if (p->state != HP_PEER_DIRECT || !strcmp(p->name, peer))
			continue;
		if (p->caps & HP_RECORD_RELAYS)
			out->relays = p->name;
		else
			out->other = p->name;
	}
}

void hp_via_free(struct peer *p)
{
	offer_end(p);
	hp_via_drop(p);
}

void hp_via_drop(struct peer *p)
{
	free(p->vias);
	p->vias = NULL;
	p->via_ns = HP_NEVER;
}

/* ---- asking ---------------------------------------------------------- */

static bool is_needed(const struct peer *p)
{
	return p->epoch && p->punch && p->cause == HP_OK &&
	       !hp_path_set(&p->direct) &&
	       (p->wanted || p->session || !p->vias ||
		p->vias->tries < PATIENCE);
}

static bool is_relayed(const struct peer *p)
{
	return hp_path_set(&p->relay) && !p->silent;
}

void hp_via_soon(struct peer *p)
{
	struct hp_node *n = p->node;

	if (p->vias)
		p->vias->tries = 0;
	p->via_ns = HP_NEVER;
	if (n->offers && is_needed(p))
		p->via_ns = n->now_ns + (is_relayed(p) ? NO_HURRY_NS : 0);
	hp_peer_due(p);
}

void hp_via_heard(struct peer *p)
{
	if (!hp_path_set(&p->relay) &&
	    (p->via_ns == HP_NEVER || (p->vias && p->vias->tries > 1)))
		hp_via_soon(p);
}

/* Asks some, and the next time those that come behind them. */
static void ask(struct peer *p)
{
	struct hp_note note = { .kind = HP_NOTE_RELAY_WANTED };
	struct hp_node *n = p->node;
	struct offer *first = n->offers, *o = first;
	unsigned int asked = 0;

	note.ask = p->vias->ask = hp_rng_u64(&n->cfg.rng) | 1;
	memcpy(note.slot, p->slot, HP_SLOT_LEN);
	do {
		DL_DELETE(n->offers, o);
		DL_APPEND(n->offers, o);
		if (o->peer != p)
			hp_note_send(o->peer, &o->path, &note);
		o = n->offers;
	} while (++asked < ASKED && o != first);
}

void hp_via_tick(struct peer *p)
{
	struct hp_node *n = p->node;
	unsigned int tries;

	p->via_ns = HP_NEVER;
	if (!n->offers || !is_needed(p))
		return;
	if (!p->vias)
		p->vias = calloc(1, sizeof(*p->vias));
	if (!p->vias)
		return; /* the next change comes by */
	tries = p->vias->tries++;
	p->via_ns = n->now_ns +
		    (FIRST_NS << (tries < MAX_SHIFT ? tries : MAX_SHIFT));
	ask(p);
}

/* ---- being answered -------------------------------------------------- */

static uint64_t rtt_over(const struct peer *via, const struct hp_note *note)
{
	struct hp_punch_info info;

	hp_punch_get_info(via->punch, &info);
	if (!info.rtt_ns || !note->rtt_us)
		return 0;
	return info.rtt_ns + note->rtt_us * HP_US;
}

/* The place of @via among the relays of @p: its own, a free one, or that of
 * the slowest that is not in use and slower than @rtt_ns; NODE_VIAS: none.
 */
static unsigned int place_of(const struct peer *p, const struct peer *via,
			     uint64_t rtt_ns)
{
	unsigned int at = NODE_VIAS;
	uint64_t most_ns = rtt_ns;

	for (unsigned int i = 0; i < NODE_VIAS; i++)
		if (p->vias->by[i] == via)
			return i;
	for (unsigned int i = 0; i < NODE_VIAS; i++) {
		const struct node_relay *r = &p->vias->relay[i];

		if (!p->vias->by[i])
			return i;
		if (r->rtt_ns > most_ns &&
		    p->relay_server != HP_SERVERS_MAX + i) {
			most_ns = r->rtt_ns;
			at = i;
		}
	}
	return at;
}

void hp_via_given(struct peer *via, const struct hp_note *note)
{
	struct hp_node *n = via->node;
	struct peer *p = hp_peer_find(n, note->slot);
	struct hp_path path = via->direct;
	uint64_t rtt_ns;
	unsigned int at;

	if (!p || p == via || !via->offer || !note->channel || !p->vias ||
	    note->ask != p->vias->ask || !is_needed(p))
		return;
	p->vias->tries = 0;
	rtt_ns = rtt_over(via, note);
	at = place_of(p, via, rtt_ns);
	if (at < NODE_VIAS) {
		p->vias->by[at] = via;
		path.channel = note->channel;
		hp_relay_offered(p, HP_SERVERS_MAX + at, &path, rtt_ns);
	}
	p->via_ns = n->now_ns + (hp_via_at(p, p->relay_server) ? AGAIN_NS :
								 RARELY_NS);
	if (!p->session && hp_path_set(&p->relay))
		(void)hp_wg_initiate(p->wg, n->now_ns); /* else it goes on */
	hp_peer_update(p);
}
