/* SPDX-License-Identifier: ISC */
/*
 * What was read from the TUN device and waits to be sealed. A TUN device tells
 * TCP that a packet has left when it has only been queued, so that whole windows
 * would stand in its queue; here it is known since when each packet waits. The
 * bytes are the caller's: this decides which comes next, and when there is too
 * much.
 */
#ifndef HP_WG_BACKLOG_H
#define HP_WG_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pkt.h"

/* With packets of 64 KiB more than may wait; each needs memory of that size. */
#define HP_BACKLOG_MAX 32
#define HP_BACKLOG_FLOWS 256
#define HP_BACKLOG_NONE UINT32_MAX

struct hp_backlog_slot {
	uint64_t since_ns;
	uint32_t next;
	uint32_t len;
	uint8_t flow;
};

struct hp_backlog_list {
	uint32_t first;
	uint32_t last;
};

/* @n: packets that wait. The rest is the module's own. */
struct hp_backlog {
	uint32_t n;
	struct hp_backlog_slot slot[HP_BACKLOG_MAX];
	struct hp_backlog_list sparse;	/* flows of one packet */
	struct hp_backlog_list bulk;
	uint32_t free;			/* a bit for each slot */
	uint32_t sparse_run;		/* taken since one of @bulk was */
	size_t bytes;
	uint8_t in_flow[HP_BACKLOG_FLOWS];
	bool in_sparse[HP_BACKLOG_FLOWS];
	uint64_t above_ns;		/* when waiting turns into a queue */
	uint64_t next_ns;		/* of the next signal */
	uint32_t signals;		/* in this queue so far */
	uint32_t signals_before;
	bool signalling;
};

void hp_backlog_init(struct hp_backlog *b);
/* A slot to read the next packet into; HP_BACKLOG_NONE: enough waits. The same
 * again until hp_backlog_put().
 */
uint32_t hp_backlog_room(const struct hp_backlog *b);
/* Puts what was read into the slot that hp_backlog_room() named: an IP packet
 * @p of @len bytes.
 */
void hp_backlog_put(struct hp_backlog *b, const uint8_t *p, uint32_t len,
		    uint64_t now_ns);
/**
 * hp_backlog_take() - The packet to be sealed next
 * @signal: set: packets have waited too long for too long; its flow is to be
 *          told, by a congestion mark or a loss
 *
 * The packets of a flow come in their order. One that nothing else of its flow
 * waits with goes first.
 *
 * Return: its slot, which stays as it is until the next hp_backlog_put();
 *         HP_BACKLOG_NONE: nothing waits.
 */
uint32_t hp_backlog_take(struct hp_backlog *b, uint64_t now_ns, bool *signal);

/* Sets "congestion experienced" in an IP packet of a flow that takes such
 * marks; false: this one does not, or it is no IP packet.
 * Source: RFC 3168 5
 */
bool hp_ecn_mark(uint8_t *p, size_t len);

#endif
