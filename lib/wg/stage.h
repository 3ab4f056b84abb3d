/* SPDX-License-Identifier: ISC */
/*
 * Inner packets that wait for a session: the last HP_WG_STAGED of a peer, in
 * order. They are copies, in buffers that are used again while the queue
 * lives.
 */
#ifndef HP_WG_STAGE_H
#define HP_WG_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pkt.h"
#include "wg/wire.h"

struct hp_stage_slot {
	uint8_t *buf;
	uint32_t cap;
	uint32_t len;
};

struct hp_stage {
	uint32_t first;
	uint32_t n;
	struct hp_stage_slot slot[HP_WG_STAGED];
};

/* NULL without memory. */
struct hp_stage *hp_stage_new(void);
/* NULL is fine. */
void hp_stage_free(struct hp_stage *st);
/* Copies @p to the end; the oldest packet makes room, then @lost is true.
 * HP_ERR_NOMEM: nothing has changed.
 */
enum hp_err hp_stage_push(struct hp_stage *st, const struct hp_pkt *p,
			  bool *lost) HP_MUST_CHECK;
/* The oldest packet, with head- and tailroom; false when there is none. Stays
 * valid until HP_WG_STAGED more have been pushed.
 */
bool hp_stage_peek(struct hp_stage *st, struct hp_pkt *p);
/* Forgets the oldest packet. */
void hp_stage_pop(struct hp_stage *st);

#endif
