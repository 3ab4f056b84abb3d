/* SPDX-License-Identifier: ISC */
#include "meet/relay.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/heap.h"
#include "base/time.h"
#include "base/table.h"
#include "meet/limit.h"

/* A channel can save up this much of its rate, and at least this many bytes:
 * a send buffer's worth of full packets.
 */
#define BURST_PART 4
#define BURST_LEAST 262144

struct channel;

/* A channel in the list of one of its ends. */
struct hp_relay_link {
	struct hp_relay_link *prev, *next;
	struct hp_relay_end *end;
	struct channel *channel;
};

struct channel {
	UT_hash_handle hh;
	uint32_t id;
	struct hp_relay_link link[2];
	struct hp_bucket bucket;
	uint64_t used_ns;
	struct hp_timer expiry;
};

struct hp_relay {
	struct hp_relay_config cfg;
	struct hp_rate rate;
	struct channel *channels;
	struct hp_heap heap;
	struct hp_relay_stats stats;
};

struct hp_relay *hp_relay_new(const struct hp_relay_config *cfg)
{
	struct hp_relay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->cfg = *cfg;
	r->rate.per_s = cfg->rate;
	r->rate.burst = cfg->rate / BURST_PART;
	if (r->rate.burst < BURST_LEAST)
		r->rate.burst = BURST_LEAST;
	return r;
}

static void end_channel(struct hp_relay *r, struct channel *c)
{
	for (int i = 0; i < 2; i++) {
		struct hp_relay_end *end = c->link[i].end;

		DL_DELETE(end->links, &c->link[i]);
		end->n--;
	}
	hp_heap_set(&r->heap, &c->expiry, HP_NEVER);
	HASH_DEL(r->channels, c);
	r->stats.channels--;
	free(c);
}

void hp_relay_free(struct hp_relay *r)
{
	struct channel *c, *next;

	if (!r)
		return;
	HASH_ITER(hh, r->channels, c, next) {
		HASH_DEL(r->channels, c);
		free(c);
	}
	hp_heap_free(&r->heap);
	free(r);
}

static struct channel *find(struct hp_relay *r, uint32_t id)
{
	struct channel *c;

	HASH_FIND(hh, r->channels, &id, sizeof(id), c);
	return c;
}

static struct channel *find_pair(const struct hp_relay_end *a,
				 const struct hp_relay_end *b)
{
	const struct hp_relay_end *few = a->n <= b->n ? a : b;
	const struct hp_relay_end *other = few == a ? b : a;

	for (struct hp_relay_link *l = few->links; l; l = l->next) {
		struct channel *c = l->channel;

		if (c->link[0].end == other || c->link[1].end == other)
			return c;
	}
	return NULL;
}

static uint32_t free_id(struct hp_relay *r)
{
	uint32_t id;

	do {
		id = hp_rng_u32(r->cfg.rng);
	} while (!id || find(r, id));
	return id;
}

static struct channel *make(struct hp_relay *r, struct hp_relay_end *a,
			    struct hp_relay_end *b)
{
	struct hp_relay_end *const end[2] = { a, b };
	struct channel *c;

	if (r->stats.channels >= r->cfg.max || a->n >= r->cfg.max_per_end ||
	    b->n >= r->cfg.max_per_end ||
	    hp_heap_reserve(&r->heap, r->stats.channels + 1))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->id = free_id(r);
	HASH_ADD(hh, r->channels, id, sizeof(c->id), c);
	if (!c->hh.tbl) {
		free(c);
		return NULL;
	}
	r->stats.channels++;
	for (int i = 0; i < 2; i++) {
		c->link[i].end = end[i];
		c->link[i].channel = c;
		DL_APPEND(end[i]->links, &c->link[i]);
		end[i]->n++;
	}
	return c;
}

uint32_t hp_relay_pair(struct hp_relay *r, struct hp_relay_end *a,
		       struct hp_relay_end *b, uint64_t now_ns)
{
	struct channel *c = find_pair(a, b);

	if (!c)
		c = make(r, a, b);
	if (!c)
		return 0;
	c->used_ns = now_ns;
	hp_heap_set(&r->heap, &c->expiry, now_ns + HP_RELAY_IDLE_NS);
	return c->id;
}

void hp_relay_drop(struct hp_relay *r, struct hp_relay_end *end)
{
	while (end->links)
		end_channel(r, end->links->channel);
}

enum hp_err hp_relay_forward(struct hp_relay *r, const struct hp_addr *from,
			     uint32_t channel, size_t len, uint64_t now_ns,
			     const struct hp_path **to)
{
	struct channel *c = find(r, channel);
	int other;

	if (!c)
		return HP_ERR_UNKNOWN;
	if (hp_addr_eq(from, &c->link[0].end->path.remote))
		other = 1;
	else if (hp_addr_eq(from, &c->link[1].end->path.remote))
		other = 0;
	else
		return HP_ERR_DENIED;
	if (!hp_bucket_take(&c->bucket, &r->rate,
			    (uint32_t)len + HP_RELAY_PACKET_COST, now_ns))
		return HP_ERR_LIMIT;
	/* The timer is moved when it fires, not for each packet. */
	c->used_ns = now_ns;
	r->stats.packets++;
	r->stats.bytes += len;
	*to = &c->link[other].end->path;
	return HP_OK;
}

void hp_relay_tick(struct hp_relay *r, uint64_t now_ns)
{
	struct hp_timer *t;

	while ((t = hp_heap_pop(&r->heap, now_ns))) {
		struct channel *c = hp_container_of(t, struct channel, expiry);
		uint64_t due_ns = c->used_ns + HP_RELAY_IDLE_NS;

		if (due_ns > now_ns)
			hp_heap_set(&r->heap, &c->expiry, due_ns);
		else
			end_channel(r, c);
	}
}

uint64_t hp_relay_deadline(const struct hp_relay *r)
{
	return hp_heap_next(&r->heap);
}

void hp_relay_stats(const struct hp_relay *r, struct hp_relay_stats *out)
{
	*out = r->stats;
}
