/* SPDX-License-Identifier: ISC */
/*
 * One UDP port of ours kept open at the host's gateway: PCP first, then NAT-PMP,
 * then UPnP; renewed at half of the lease, given back at the end. All of it in
 * the background of a loop.
 */
#ifndef HP_SYS_PORTMAP_H
#define HP_SYS_PORTMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/key.h"
#include "sys/gateway.h"

struct hp_loop;
struct hp_portmap;

/**
 * struct hp_portmap_info - How it stands
 * @busy:     the gateway is being asked for the first time, or anew
 * @gateway:  HP_AF_NONE: the host has none
 * @external: of the lease; HP_AF_NONE: there is none
 * @protocol, @until_ns: of the lease
 * @answer:   by protocol (enum hp_mapped_protocol), of the last time it was
 *            asked at this gateway
 */
struct hp_portmap_info {
	bool busy;
	struct hp_addr gateway;
	struct hp_addr external;
	enum hp_mapped_protocol protocol;
	uint64_t until_ns;
	struct hp_gateway_answer answer[HP_MAPPED_PROTOCOLS];
};

/**
 * struct hp_portmap_cfg
 * @loop:    borrowed; takes one timed part of it
 * @seed:    the same in every run of one node, so that a lease that was not
 *           given back can be had again (copied)
 * @survey:  ask by all protocols, one after the other, and give all back at
 *           once: to tell what the gateway can do
 * @changed: called in the loop when what hp_portmap_get() tells did
 */
struct hp_portmap_cfg {
	struct hp_loop *loop;
	const struct hp_secret *seed;
	bool survey;
	void (*changed)(void *ctx, uint64_t now_ns);
	void *ctx;
};

/* HP_ERR_NOMEM, HP_ERR_FULL, HP_ERR_IO. Nothing is asked yet. */
enum hp_err hp_portmap_new(const struct hp_portmap_cfg *cfg,
			   struct hp_portmap **out) HP_MUST_CHECK;
/* Gives the lease back, for which it waits a second at most. The loop must not
 * run any more. NULL is fine.
 */
void hp_portmap_free(struct hp_portmap *p);

/**
 * hp_portmap_start() - Look for the gateway and ask it, from the loop's next
 * turn on; also when the network or our port changed
 * @port: ours
 * @skip: index of an interface whose default route does not count, 0: none
 */
void hp_portmap_start(struct hp_portmap *p, uint16_t port, unsigned int skip);
void hp_portmap_get(const struct hp_portmap *p, struct hp_portmap_info *out);

#endif
