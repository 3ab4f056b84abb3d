/* SPDX-License-Identifier: ISC */
/*
 * Is this host without IPv4, and behind a NAT64? Then its prefix, as the name
 * server tells it (RFC 7050). Found in the background; looked for again when
 * the network changes, and now and then, since the system's lookup does not
 * say how long an answer holds.
 */
#ifndef HP_SYS_NAT64_H
#define HP_SYS_NAT64_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct hp_loop;
struct hp_nat64;

/* @prefix: to be used from now on; HP_AF_NONE: IPv4 goes its own way. */
typedef void hp_nat64_fn(void *ctx, const struct hp_prefix *prefix,
			 uint64_t now_ns);

/**
 * hp_nat64_new() - Prepare to look; it takes two timed parts of the loop
 * @loop:  borrowed
 * @found: called in the loop's thread when the answer is another one, also
 *         from within hp_nat64_look(). At first there is no NAT64
 *
 * Return: HP_OK, @out given; HP_ERR_NOMEM; HP_ERR_FULL (timed parts);
 *         HP_ERR_IO.
 */
enum hp_err hp_nat64_new(struct hp_loop *loop, hp_nat64_fn *found, void *ctx,
			 struct hp_nat64 **out) HP_MUST_CHECK;
/* The loop must not run any more. NULL is fine. */
void hp_nat64_free(struct hp_nat64 *n);

/* Begins, or the host may be connected in another way now: a host that has a
 * way out by IPv4 does without at once; else the name server is asked.
 */
void hp_nat64_look(struct hp_nat64 *n, uint64_t now_ns);
/* Has what hp_nat64_look() began come to an end? */
bool hp_nat64_known(const struct hp_nat64 *n);

#endif
