/* SPDX-License-Identifier: ISC */
/* Has the gateway of this host open the daemon's UDP port, and tells the node. */
#ifndef TUND_PORTMAP_H
#define TUND_PORTMAP_H

#include <stdint.h>

#include "base/err.h"

struct hp_loop;
struct hp_node;
struct hp_portmap_info;
struct hp_secret;
struct log;
struct portmap;

/**
 * struct portmap_cfg
 * @loop, @log, @node: borrowed; takes one timed part of the loop
 * @key:    of this node (borrowed for the call)
 * @device: index of our own interface: no way to a gateway
 */
struct portmap_cfg {
	struct hp_loop *loop;
	struct log *log;
	struct hp_node *node;
	const struct hp_secret *key;
	unsigned int device;
};

/* @out stays NULL, which all functions take, when the method is switched off. */
enum hp_err portmap_new(const struct portmap_cfg *cfg, struct portmap **out,
			struct hp_fault *f) HP_MUST_CHECK;
/* Gives the mapping back: a second at most. The loop must not run any more. */
void portmap_free(struct portmap *p);

/* At the start, and when the network or our port changed. May be called from
 * within the node.
 */
void portmap_start(struct portmap *p, uint16_t port);
/* How it stands, until the next turn of the loop; NULL: it is off. */
const struct hp_portmap_info *portmap_info(struct portmap *p);

#endif
