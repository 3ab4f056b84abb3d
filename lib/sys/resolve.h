/* SPDX-License-Identifier: ISC */
/*
 * Names of servers to addresses, without ever holding up the loop: each lookup
 * runs in a thread of its own, its result arrives as a callback of the loop. A
 * name that does not resolve is asked for again after 1, 2, 4 .. 64 seconds.
 */
#ifndef HP_SYS_RESOLVE_H
#define HP_SYS_RESOLVE_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct hp_loop;
struct hp_resolver;
struct hp_server;

/* Most names of one resolver. */
#define HP_RESOLVE_MAX 64

/**
 * hp_resolve_fn - A name was looked up
 * @id:    as given to hp_resolver_add()
 * @addr4: first IPv4 address, HP_AF_NONE: none
 * @addr6: first IPv6 address, HP_AF_NONE: none
 * @error: NULL: found; else why not, for people (borrowed for the call)
 */
typedef void hp_resolve_fn(void *ctx, unsigned int id,
			   const struct hp_addr *addr4,
			   const struct hp_addr *addr6, const char *error,
			   uint64_t now_ns);

/**
 * hp_resolver_new() - Make a resolver; it takes one timed part of the loop
 * @loop: borrowed
 * @fn:   called in the loop's thread, never from within a function below
 * @out:  gives the resolver; free with hp_resolver_free()
 *
 * Return: HP_OK; HP_ERR_NOMEM; HP_ERR_FULL (timed parts); HP_ERR_IO.
 */
enum hp_err hp_resolver_new(struct hp_loop *loop, hp_resolve_fn *fn, void *ctx,
			    struct hp_resolver **out) HP_MUST_CHECK;
/* The loop must not run any more. Lookups under way end in silence. */
void hp_resolver_free(struct hp_resolver *r);

/**
 * hp_resolver_add() - Look a server up, now and until it is found
 * @server: its host may be an address, which needs no lookup (copied)
 * @id:     handed to the callback
 *
 * Return: HP_OK; HP_ERR_FULL.
 */
enum hp_err hp_resolver_add(struct hp_resolver *r,
			    const struct hp_server *server, unsigned int id)
	HP_MUST_CHECK;
/* Look @id up again: its server is silent. At most one lookup of a name in 5 s.
 */
void hp_resolver_again(struct hp_resolver *r, unsigned int id,
		       uint64_t now_ns);
/* The network is another one now: look @id up anew at once, whatever of it is
 * under way, for that may wait long for a name server that is out of reach. What
 * it would have found is not told. At most one such lookup in a second.
 */
void hp_resolver_renew(struct hp_resolver *r, unsigned int id,
		       uint64_t now_ns);

#endif
