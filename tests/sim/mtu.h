/* SPDX-License-Identifier: ISC */
/* How long inner packets may be from one place to another, by the links alone:
 * what the path machines have to find out.
 */
#ifndef SIM_MTU_H
#define SIM_MTU_H

#include "../sim/place.h"

/* The least since the links are what they are, or were: a path that carries more
 * than it did is only looked at again after ten minutes.
 */
struct mtu_range {
	uint32_t least;
	uint32_t most;
};

/* @info: what @a says of @b: the path, and its family. */
struct mtu_range mtu_allowed(const struct place *a, const struct place *b,
			     const struct hp_node_peer_info *info);

/**
 * struct mtu_watch - Since when each has been wrong about the way to each
 * @path:    taken then
 * @fine_ns: when it was last right, or did not hear the other; or began to send
 *           over this path
 * @looked_ns: when it was last asked; in a pause nothing is sent
 */
struct mtu_watch {
	struct hp_path path[WORLD_NODES][WORLD_NODES];
	uint64_t fine_ns[WORLD_NODES][WORLD_NODES];
	uint64_t looked_ns[WORLD_NODES][WORLD_NODES];
};

/* To be called again and again while @a, the @i-th, sends to @b, the @k-th; how
 * long it has been wrong now. @lossy: one in ten thousand sizes is lost as often
 * as one that does not pass, which costs a step of the search.
 */
uint64_t mtu_wrong_ns(struct mtu_watch *m, const struct place *a,
		      unsigned int i, const struct place *b, unsigned int k,
		      bool lossy, uint64_t now_ns);

#endif
