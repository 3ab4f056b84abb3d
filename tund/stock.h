/* SPDX-License-Identifier: ISC */
/*
 * The stock WireGuard peers of a network: the [Peer] sections of its
 * configuration. Each becomes a peer of the engine, a set of routes, and, when
 * its endpoint is a name, something to look up.
 */
#ifndef TUND_STOCK_H
#define TUND_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct hp_loop;
struct hp_stock_peer;
struct hp_wg;
struct log;
struct rtnl;
struct stock;

/**
 * struct stock_cfg - What stock peers are put into; all borrowed
 * @index: of the interface that routes lead to
 * @subnet4, @subnet6: of the network: no endpoint can be in there
 */
struct stock_cfg {
	struct hp_loop *loop;
	struct log *log;
	struct rtnl *rtnl;
	struct hp_wg *wg;
	unsigned int index;
	struct hp_prefix subnet4;
	struct hp_prefix subnet6;
};

/* None yet. Takes two timed parts of the loop. HP_ERR_NOMEM, _FULL, _IO. */
enum hp_err stock_new(const struct stock_cfg *cfg, struct stock **out)
	HP_MUST_CHECK;
/* Leaves peers and routes to those who end the engine and the interface. The
 * loop must not run any more. NULL is fine.
 */
void stock_free(struct stock *s);

/**
 * stock_set() - Have exactly these @n peers from now on
 * @peers: borrowed for the call
 *
 * Peers that stay keep their sessions and where they were last heard. What
 * cannot be done for one peer is logged and does not stop the others.
 */
void stock_set(struct stock *s, const struct hp_stock_peer *peers, size_t n,
	       uint64_t now_ns);

/* Does @a lie within the tunnel: in the network, or behind a route of a peer?
 * Our own packets there would go around in it for ever.
 */
bool stock_within(const struct stock *s, const struct hp_addr *a);

/* This host is connected in another way now: names may resolve to others. */
void stock_network_changed(struct stock *s, uint64_t now_ns);

#endif
