/* SPDX-License-Identifier: ISC */
/*
 * Listens on the host's LANs for beacons: calls of other nodes, sent by
 * multicast. Ours leave by the node's main socket, so that whoever hears one
 * knows where to answer.
 */
#ifndef TUND_BEACON_H
#define TUND_BEACON_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct beacon;
struct hp_loop;
struct hp_node_lan;
struct hp_path;
struct log;

typedef void beacon_fn(void *ctx, const struct hp_path *from,
		       const uint8_t *buf, size_t len, uint64_t now_ns);

/* Opens the sockets; several daemons of one host may. A host without one of
 * the families gets the other alone. HP_ERR_IO with @f filled; HP_ERR_NOMEM.
 */
enum hp_err beacon_new(struct hp_loop *loop, struct log *log, beacon_fn *heard,
		       void *ctx, struct beacon **out, struct hp_fault *f)
	HP_MUST_CHECK;
void beacon_free(struct beacon *b);
/* Listens on these LANs from now on, at most HP_NODE_LANS, and no others. One
 * that the kernel refuses is said once.
 */
void beacon_follow(struct beacon *b, const struct hp_node_lan *lan, size_t n);

#endif
