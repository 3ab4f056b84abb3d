/* SPDX-License-Identifier: ISC */
#include "wg/routes.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/heap.h"

/* Words and length of a prefix; IPv4 lies in the top 32 bits. */
struct want {
	struct hp_route_key key;
	uint16_t family;
	uint16_t bits;
};

static struct hp_route_key key_of(enum hp_family family, const uint8_t *ip)
{
	if (family == HP_AF_4)
		return (struct hp_route_key){
			.hi = (uint64_t)hp_get_be32(ip) << 32,
		};
	return (struct hp_route_key){ hp_get_be64(ip), hp_get_be64(ip + 8) };
}

static struct hp_route_key mask_of(unsigned int bits)
{
	return (struct hp_route_key){
		.hi = bits == 0 ? 0 : bits >= 64 ? UINT64_MAX :
						   UINT64_MAX << (64 - bits),
		.lo = bits <= 64 ? 0 : UINT64_MAX << (128 - bits),
	};
}

static unsigned int bit_at(const struct hp_route_key *k, unsigned int i)
{
	return i < 64 ? k->hi >> (63 - i) & 1 : k->lo >> (127 - i) & 1;
}

/* Leading bits that @a and @b have in common, at most @max. */
static unsigned int common_bits(const struct hp_route_key *a,
				const struct hp_route_key *b, unsigned int max)
{
	uint64_t hi = a->hi ^ b->hi;
	uint64_t lo = a->lo ^ b->lo;
	unsigned int n = hi ? (unsigned int)__builtin_clzll(hi) :
			 lo ? 64 + (unsigned int)__builtin_clzll(lo) : 128;

	return n < max ? n : max;
}

static bool covers(const struct hp_route *n, const struct hp_route_key *k)
{
	return !(((n->key.hi ^ k->hi) & n->mask.hi) |
		 ((n->key.lo ^ k->lo) & n->mask.lo));
}

static struct hp_route *load(const _Atomic(struct hp_route *) *slot)
{
	/* The cast drops const, which C11 forbids on an atomic load. */
	return atomic_load_explicit((_Atomic(struct hp_route *) *)slot,
				    memory_order_acquire);
}

static void publish(_Atomic(struct hp_route *) *slot, struct hp_route *n)
{
	atomic_store_explicit(slot, n, memory_order_release);
}

static struct hp_route_owner *owner_of(const struct hp_route *n)
{
	return atomic_load_explicit(
		(_Atomic(struct hp_route_owner *) *)&n->owner,
		memory_order_acquire);
}

static _Atomic(struct hp_route *) *root_of(struct hp_routes *r, uint16_t family)
{
	return family == HP_AF_4 ? &r->root4 : &r->root6;
}

struct hp_route_owner *hp_routes_find(const struct hp_routes *r,
				      enum hp_family family, const uint8_t *ip)
{
	struct hp_route_key key = key_of(family, ip);
	unsigned int max = family == HP_AF_4 ? 32 : 128;
	struct hp_route_owner *best = NULL;
	struct hp_route_owner *owner;
	struct hp_route *n = load(family == HP_AF_4 ? &r->root4 : &r->root6);

	while (n && covers(n, &key)) {
		owner = owner_of(n);
		if (owner)
			best = owner;
		if (n->bits >= max)
			break;
		n = load(&n->child[bit_at(&key, n->bits)]);
	}
	return best;
}

static void unlink_owner(struct hp_route *n)
{
	struct hp_route_owner *owner = owner_of(n);

	if (!owner)
		return;
	if (n->prev)
		n->prev->next = n->next;
	else
		owner->first = n->next;
	if (n->next)
		n->next->prev = n->prev;
	else
		owner->last = n->prev;
	n->prev = NULL;
	n->next = NULL;
}

static void set_owner(struct hp_route *n, struct hp_route_owner *owner)
{
	unlink_owner(n);
	atomic_store_explicit(&n->owner, owner, memory_order_release);
	if (!owner)
		return;
	n->prev = owner->last;
	if (n->prev)
		n->prev->next = n;
	else
		owner->first = n;
	owner->last = n;
}

static struct hp_route *route_new(const struct want *w, unsigned int bits)
{
	struct hp_route *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->mask = mask_of(bits);
	n->key.hi = w->key.hi & n->mask.hi;
	n->key.lo = w->key.lo & n->mask.lo;
	n->family = w->family;
	n->bits = (uint16_t)bits;
	return n;
}

/* Hangs @n in @slot, with what was there below it when @n covers that, or
 * both below a new fork.
 */
static bool hang(_Atomic(struct hp_route *) *slot, struct hp_route *parent,
		 struct hp_route *n, const struct want *w)
{
	struct hp_route *old = load(slot);
	struct hp_route *fork = n;
	unsigned int bits;

	if (old) {
		bits = common_bits(&old->key, &n->key,
				   old->bits < n->bits ? old->bits : n->bits);
		if (bits < n->bits) {
			fork = route_new(w, bits);
			if (!fork)
				return false;
			publish(&fork->child[bit_at(&n->key, bits)], n);
			n->parent = fork;
		}
		publish(&fork->child[bit_at(&old->key, bits)], old);
		old->parent = fork;
	}
	fork->parent = parent;
	publish(slot, fork);
	return true;
}

/* Walks to the node that is exactly @w; or to the slot where it belongs. */
static struct hp_route *seek(struct hp_routes *r, const struct want *w,
			     _Atomic(struct hp_route *) **slot,
			     struct hp_route **parent)
{
	struct hp_route *n;

	*slot = root_of(r, w->family);
	*parent = NULL;
	while ((n = load(*slot)) && n->bits <= w->bits && covers(n, &w->key)) {
		if (n->bits == w->bits)
			return n;
		*parent = n;
		*slot = &n->child[bit_at(&w->key, n->bits)];
	}
	return NULL;
}

static struct want want_of(const struct hp_prefix *p)
{
	return (struct want){
		.key = key_of(p->family, p->ip),
		.family = p->family,
		.bits = p->bits,
	};
}

enum hp_err hp_routes_set(struct hp_routes *r, const struct hp_prefix *p,
			  struct hp_route_owner *owner)
{
	struct want w = want_of(p);
	_Atomic(struct hp_route *) *slot;
	struct hp_route *parent;
	struct hp_route *n = seek(r, &w, &slot, &parent);

	if (n) {
		set_owner(n, owner);
		return HP_OK;
	}
	n = route_new(&w, w.bits);
	if (!n)
		return HP_ERR_NOMEM;
	set_owner(n, owner);
	if (!hang(slot, parent, n, &w)) {
		unlink_owner(n);
		free(n);
		return HP_ERR_NOMEM;
	}
	return HP_OK;
}

static void route_release(struct hp_retired *r)
{
	free(hp_container_of(r, struct hp_route, retired));
}

/* Takes @n out of the trie when it neither has an owner nor forks, and so on
 * upward. Readers that stand on it still see its children.
 */
static void prune(struct hp_routes *r, struct hp_route *n,
		  struct hp_retired **retired)
{
	while (n && !owner_of(n)) {
		struct hp_route *a = load(&n->child[0]);
		struct hp_route *b = load(&n->child[1]);
		struct hp_route *parent = n->parent;
		struct hp_route *rest = a ? a : b;

		if (a && b)
			return;
		if (rest)
			rest->parent = parent;
		publish(parent ? &parent->child[bit_at(&n->key, parent->bits)] :
				 root_of(r, n->family), rest);
		hp_retire(retired, &n->retired, route_release);
		n = parent;
	}
}

enum hp_err hp_routes_remove(struct hp_routes *r, const struct hp_prefix *p,
			     struct hp_route_owner *owner,
			     struct hp_retired **retired)
{
	struct want w = want_of(p);
	_Atomic(struct hp_route *) *slot;
	struct hp_route *parent;
	struct hp_route *n = seek(r, &w, &slot, &parent);

	if (!n || owner_of(n) != owner)
		return HP_ERR_UNKNOWN;
	set_owner(n, NULL);
	prune(r, n, retired);
	return HP_OK;
}

void hp_routes_clear(struct hp_routes *r, struct hp_route_owner *owner,
		     struct hp_retired **retired)
{
	struct hp_route *n;

	while ((n = owner->first)) {
		set_owner(n, NULL);
		prune(r, n, retired);
	}
}

struct hp_prefix hp_route_prefix(const struct hp_route *route)
{
	struct hp_prefix p = { .family = route->family, .bits = route->bits };

	if (p.family == HP_AF_4) {
		hp_put_be32(p.ip, (uint32_t)(route->key.hi >> 32));
	} else {
		hp_put_be64(p.ip, route->key.hi);
		hp_put_be64(p.ip + 8, route->key.lo);
	}
	return p;
}
