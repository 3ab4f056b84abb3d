/* SPDX-License-Identifier: ISC */
/*
 * What guessing may cost a node in all, whatever its peers: one round at a
 * time, so many probes a second, so many mappings in its NATs at once. The
 * owner of the path machines has one of these and lends it to each.
 */
#ifndef HP_PUNCH_BUDGET_H
#define HP_PUNCH_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "punch/volley.h"

/* Extra mappings, and so extra sockets, that live at once. A home router's
 * table has some thousand places for all its hosts.
 */
#define HP_BUDGET_MAPPINGS 256
/* With what goes to other peers meanwhile, below 500 a second in all. */
#define HP_BUDGET_PROBES_PER_S 400
/* A mapping that nothing more is sent through is taken to live so long: what
 * RFC 4787, 4.3 asks of a NAT at least.
 */
#define HP_BUDGET_LIFE (120 * HP_S)

/**
 * struct hp_budget - The account
 * @pace:     of the probes
 * @owner:    whose round is under way, NULL: nobody's
 * @until_ns: of each mapping, when it is gone: HP_NEVER while its socket is
 *            open, 0: it never was
 * @sockets:  extra sockets that are open now
 * @probes:   sent since the start
 * @mappings: made since the start
 * @refused:  times that something had to wait, or was left, for want of room
 */
struct hp_budget {
	struct hp_pace pace;
	const void *owner;
	uint64_t until_ns[HP_BUDGET_MAPPINGS];
	unsigned int sockets;
	uint64_t probes;
	uint64_t mappings;
	uint64_t refused;
};

void hp_budget_init(struct hp_budget *b);
/* True: the round is @who's now, or was already. */
bool hp_budget_claim(struct hp_budget *b, const void *who);
void hp_budget_release(struct hp_budget *b, const void *who);

/* Mappings that may be made yet; that live. */
unsigned int hp_budget_room(const struct hp_budget *b, uint64_t now_ns);
static inline unsigned int hp_budget_live(const struct hp_budget *b,
					  uint64_t now_ns)
{
	return HP_BUDGET_MAPPINGS - hp_budget_room(b, now_ns);
}
/* Takes one, for as long as it is sent through; -1: there is no room. */
int hp_budget_map(struct hp_budget *b, uint64_t now_ns);
/* Nothing more is sent through @slot (may be -1). */
void hp_budget_leave(struct hp_budget *b, int slot, uint64_t now_ns);
/* Takes a probe's turn; false: not before hp_pace_next(&b->pace). */
bool hp_budget_probe(struct hp_budget *b, uint64_t now_ns);

#endif
