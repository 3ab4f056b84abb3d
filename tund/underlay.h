/* SPDX-License-Identifier: ISC */
/*
 * Keeps a node informed of the host's network: its addresses at the start, and
 * whenever they, the ways out, or the machine's being awake change.
 */
#ifndef TUND_UNDERLAY_H
#define TUND_UNDERLAY_H

#include <stdint.h>

#include "base/err.h"

struct hp_loop;
struct hp_node;
struct rtnl;
struct underlay;

/**
 * underlay_new() - Tell @node the addresses, and watch them from now on
 * @loop, @rtnl, @node: borrowed
 * @changed: called, with @ctx, after the node was told of a change
 *
 * Takes one timed part of the loop.
 *
 * Return: HP_OK, @out given; HP_ERR_NOMEM; HP_ERR_FULL; HP_ERR_IO.
 */
enum hp_err underlay_new(struct hp_loop *loop, struct rtnl *rtnl,
			 struct hp_node *node,
			 void (*changed)(void *ctx, uint64_t now_ns),
			 void *ctx, struct underlay **out, struct hp_fault *f)
	HP_MUST_CHECK;
/* The loop must not run any more. NULL is fine. */
void underlay_free(struct underlay *u);

/* Call it now and then, as timers fire: has the machine slept since? */
void underlay_woken(struct underlay *u, uint64_t now_ns);

#endif
