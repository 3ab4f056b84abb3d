/* SPDX-License-Identifier: ISC */
/*
 * Joins the TCP segments of a flow, and UDP datagrams of equal length, into
 * long packets that a TUN device takes in one write: the inverse of
 * wg/segment.h. Nothing is copied; a long packet is a chain of pieces.
 */
#ifndef HP_WG_COALESCE_H
#define HP_WG_COALESCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pkt.h"
#include "wg/inet.h"

/**
 * struct hp_group - Packets that became one
 * @offload: what the device is to be told about it
 * @first:   its first packet; the others by hp_coalesce.next
 * @n:       how many
 *
 * The rest is the module's own.
 */
struct hp_group {
	struct hp_offload offload;
	uint32_t first;
	uint32_t n;
	uint32_t last;
	uint32_t len;		/* bytes of all */
	uint32_t flow;		/* a short hash; 0: no flow */
	bool open;		/* takes more */
	bool sum_ok;		/* of the first packet; looked at when needed */
	bool psh;		/* the last segment had it */
	struct hp_inet in;	/* of the first packet */
};

/* One per thread; what it holds is of the last hp_coalesce() alone. */
struct hp_coalesce {
	size_t n;
	struct hp_group group[HP_BATCH];
	uint32_t next[HP_BATCH];
};

/**
 * hp_coalesce() - Join what can be joined
 * @pkts: @n inner IP packets, n <= HP_BATCH, each of the length its header
 *        says. The headers of the first of a group are changed; the others
 *        shrink to their payload.
 * @udp:  join UDP, too
 *
 * Joined are packets that hp_segment_next() would make again, byte for byte,
 * from the whole: in sequence, with the same headers otherwise, and right
 * checksums. The packets of a flow keep their order.
 */
void hp_coalesce(struct hp_coalesce *c, struct hp_pkt *pkts, size_t n,
		 bool udp);
/* The same with nothing joined: @n groups of one. */
void hp_coalesce_none(struct hp_coalesce *c, size_t n);

#endif
