/* SPDX-License-Identifier: ISC */
/*
 * A channel is found by its number alone: the low bits are its place in a table
 * that has at least twice as many places as there may be channels, and a new
 * channel draws random numbers until its place is free. So a look is one load,
 * nobody outside can make a chain long, and the table never moves.
 *
 * What forwarding threads read is published whole and never changed: a channel
 * points to a route, the paths of its two ends; when an end moves there is a
 * new route. What was taken out is freed when no thread can hold it any more.
 */
#include "meet/relay.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/heap.h"
#include "base/retire.h"
#include "base/time.h"

/* A channel can save up this much of its rate, and at least this many bytes:
 * a send buffer's worth of full packets.
 */
#define BURST_PART 4
#define BURST_LEAST 262144
/* How exactly is known when a channel was used last. */
#define USED_STEP_NS HP_S

struct channel;

/* A channel in the list of one of its ends. */
struct hp_relay_link {
	struct hp_relay_link *prev, *next;
	struct hp_relay_end *end;
	struct channel *channel;
};

struct route {
	struct hp_retired retired;
	struct hp_path path[2];
};

/* @link, @expiry: of the thread that owns the relay */
struct channel {
	struct hp_retired retired;
	uint32_t id;
	_Atomic(struct route *) route;
	struct hp_shared_bucket bucket;
	_Atomic uint64_t used_ns;
	struct hp_relay_link link[2];
	struct hp_timer expiry;
};

struct hp_relay {
	struct hp_relay_config cfg;
	struct hp_rate rate;
	size_t n;
	uint32_t mask;
	_Atomic(struct channel *) *slot;
	struct hp_heap heap;
	struct hp_retired *retired;
};

struct hp_relay *hp_relay_new(const struct hp_relay_config *cfg)
{
	struct hp_relay *r = calloc(1, sizeof(*r));
	size_t places = 2;

	if (!r)
		return NULL;
	r->cfg = *cfg;
	r->rate.per_s = cfg->rate;
	r->rate.burst = cfg->rate / BURST_PART;
	if (r->rate.burst < BURST_LEAST)
		r->rate.burst = BURST_LEAST;
	while (places < 2 * cfg->max)
		places *= 2;
	r->mask = (uint32_t)(places - 1);
	/* Untouched pages of it take no memory. */
	r->slot = calloc(places, sizeof(r->slot[0]));
	if (!r->slot) {
		free(r);
		return NULL;
	}
	return r;
}

static struct channel *at(const struct hp_relay *r, uint32_t id)
{
	return atomic_load_explicit(&r->slot[id & r->mask],
				    memory_order_acquire);
}

static void release_route(struct hp_retired *retired)
{
	free(hp_container_of(retired, struct route, retired));
}

static void release_channel(struct hp_retired *retired)
{
	free(hp_container_of(retired, struct channel, retired));
}

/* Frees what was taken out since. */
static void reclaim(struct hp_relay *r)
{
	if (!r->retired)
		return;
	if (r->cfg.wait)
		r->cfg.wait(r->cfg.ctx);
	hp_retire_flush(&r->retired);
}

/* Publishes the route of @c as its ends are now; false without memory. */
static bool publish(struct hp_relay *r, struct channel *c)
{
	struct route *new = malloc(sizeof(*new)), *old;

	if (!new)
		return false;
	for (int i = 0; i < 2; i++)
		new->path[i] = c->link[i].end->path;
	old = atomic_exchange_explicit(&c->route, new, memory_order_acq_rel);
	if (old)
		hp_retire(&r->retired, &old->retired, release_route);
	return true;
}

static void end_channel(struct hp_relay *r, struct channel *c)
{
	struct route *route =
		atomic_load_explicit(&c->route, memory_order_relaxed);

	for (int i = 0; i < 2; i++) {
		struct hp_relay_end *end = c->link[i].end;

		DL_DELETE(end->links, &c->link[i]);
		end->n--;
	}
	hp_heap_set(&r->heap, &c->expiry, HP_NEVER);
	atomic_store_explicit(&r->slot[c->id & r->mask], NULL,
			      memory_order_release);
	r->n--;
	hp_retire(&r->retired, &route->retired, release_route);
	hp_retire(&r->retired, &c->retired, release_channel);
}

void hp_relay_free(struct hp_relay *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->n && i <= r->mask; i++) {
		struct channel *c = at(r, (uint32_t)i);

		if (!c)
			continue;
		free(atomic_load_explicit(&c->route, memory_order_relaxed));
		free(c);
		r->n--;
	}
	hp_retire_flush(&r->retired);
	hp_heap_free(&r->heap);
	free(r->slot);
	free(r);
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
	} while (!id || at(r, id));
	return id;
}

static void join(struct channel *c, int i, struct hp_relay_end *end)
{
	c->link[i].end = end;
	c->link[i].channel = c;
	DL_APPEND(end->links, &c->link[i]);
	end->n++;
}

static struct channel *make(struct hp_relay *r, struct hp_relay_end *a,
			    struct hp_relay_end *b)
{
	struct channel *c;

	if (r->n >= r->cfg.max || a->n >= r->cfg.max_per_end ||
	    b->n >= r->cfg.max_per_end || hp_heap_reserve(&r->heap, r->n + 1))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->link[0].end = a;
	c->link[1].end = b;
	if (!publish(r, c)) {
		free(c);
		return NULL;
	}
	c->id = free_id(r);
	join(c, 0, a);
	join(c, 1, b);
	r->n++;
	atomic_store_explicit(&r->slot[c->id & r->mask], c,
			      memory_order_release);
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
	atomic_store_explicit(&c->used_ns, now_ns, memory_order_relaxed);
	hp_heap_set(&r->heap, &c->expiry, now_ns + HP_RELAY_IDLE_NS);
	return c->id;
}

void hp_relay_move(struct hp_relay *r, struct hp_relay_end *end,
		   const struct hp_path *path)
{
	struct hp_relay_link *l, *next;

	if (hp_path_eq(&end->path, path))
		return;
	end->path = *path;
	DL_FOREACH_SAFE(end->links, l, next) {
		if (!publish(r, l->channel))
			end_channel(r, l->channel);
	}
	reclaim(r);
}

void hp_relay_drop(struct hp_relay *r, struct hp_relay_end *end)
{
	while (end->links)
		end_channel(r, end->links->channel);
	reclaim(r);
}

enum hp_err hp_relay_forward(struct hp_relay *r, const struct hp_addr *from,
			     uint32_t channel, size_t n, size_t len,
			     uint64_t now_ns, const struct hp_path **to)
{
	struct channel *c = at(r, channel);
	const struct route *route;
	int other;

	if (!c || c->id != channel)
		return HP_ERR_UNKNOWN;
	route = atomic_load_explicit(&c->route, memory_order_acquire);
	if (hp_addr_eq(from, &route->path[0].remote))
		other = 1;
	else if (hp_addr_eq(from, &route->path[1].remote))
		other = 0;
	else
		return HP_ERR_DENIED;
	if (!hp_shared_bucket_take(&c->bucket, &r->rate,
				   (uint32_t)(len + n * HP_RELAY_PACKET_COST),
				   now_ns))
		return HP_ERR_LIMIT;
	/* The timer is moved when it fires, and a line that other processors
	 * read is not written for each packet.
	 */
	if (hp_time_since(now_ns, atomic_load_explicit(
					  &c->used_ns, memory_order_relaxed)) >=
	    USED_STEP_NS)
		atomic_store_explicit(&c->used_ns, now_ns,
				      memory_order_relaxed);
	*to = &route->path[other];
	return HP_OK;
}

void hp_relay_tick(struct hp_relay *r, uint64_t now_ns)
{
	struct hp_timer *t;

	while ((t = hp_heap_pop(&r->heap, now_ns))) {
		struct channel *c = hp_container_of(t, struct channel, expiry);
		uint64_t used_ns = atomic_load_explicit(&c->used_ns,
							memory_order_relaxed);

		if (used_ns + HP_RELAY_IDLE_NS > now_ns)
			hp_heap_set(&r->heap, &c->expiry,
				    used_ns + HP_RELAY_IDLE_NS);
		else
			end_channel(r, c);
	}
	reclaim(r);
}

uint64_t hp_relay_deadline(const struct hp_relay *r)
{
	return hp_heap_next(&r->heap);
}

size_t hp_relay_channels(const struct hp_relay *r)
{
	return r->n;
}
