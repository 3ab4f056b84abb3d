/* SPDX-License-Identifier: ISC */
/*
 * Cryptokey routing: which owner has an overlay address, by longest prefix.
 * One path-compressed binary trie per family. The control thread changes it;
 * data threads may look up at any time, because every change becomes visible
 * by one store of a pointer, and nodes taken out are retired, not freed.
 */
#ifndef HP_WG_ROUTES_H
#define HP_WG_ROUTES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/retire.h"

/* An address or prefix as two words, its first bit on top of @hi. */
struct hp_route_key {
	uint64_t hi;
	uint64_t lo;
};

/* Embedded in whatever routes point to. Zeroed: owns none. */
struct hp_route_owner {
	struct hp_route *first;		/* in the order of adding */
	struct hp_route *last;
};

struct hp_route {
	struct hp_retired retired;
	struct hp_route_key key;
	struct hp_route_key mask;
	_Atomic(struct hp_route *) child[2];
	_Atomic(struct hp_route_owner *) owner;	/* NULL: only a fork */
	uint16_t family;
	uint16_t bits;
	/* Below: control thread only. */
	struct hp_route *parent;
	struct hp_route *prev;		/* of the same owner */
	struct hp_route *next;
};

/* Zeroed: empty. */
struct hp_routes {
	_Atomic(struct hp_route *) root4;
	_Atomic(struct hp_route *) root6;
};

/**
 * hp_routes_set() - Give a prefix to an owner, taking it from another
 * @p: trimmed; family 4 or 6
 *
 * Return: HP_OK, also when it was so before; HP_ERR_NOMEM (nothing changed).
 */
enum hp_err hp_routes_set(struct hp_routes *r, const struct hp_prefix *p,
			  struct hp_route_owner *owner) HP_MUST_CHECK;
/* Takes @p from @owner. HP_ERR_UNKNOWN when it is not @owner's. */
enum hp_err hp_routes_remove(struct hp_routes *r, const struct hp_prefix *p,
			     struct hp_route_owner *owner,
			     struct hp_retired **retired) HP_MUST_CHECK;
/* Takes everything from @owner. */
void hp_routes_clear(struct hp_routes *r, struct hp_route_owner *owner,
		     struct hp_retired **retired);
/* Owner of the longest prefix that holds @ip (4 or 16 bytes), or NULL. Any
 * thread.
 */
struct hp_route_owner *hp_routes_find(const struct hp_routes *r,
				      enum hp_family family,
				      const uint8_t *ip);
/* The prefix of a route. */
struct hp_prefix hp_route_prefix(const struct hp_route *route);

#endif
