/* SPDX-License-Identifier: ISC */
/* Which of several does a piece of work in the least time. */
#ifndef HP_WG_AEAD_RACE_H
#define HP_WG_AEAD_RACE_H

#include <stddef.h>
#include <stdint.h>

#include "wg/aead.h"

#define HP_AEAD_RACERS 4

/**
 * struct hp_aead_race - Racers, their track, and how they did
 * @n:       racers, the preferred one first
 * @suites:  pieces of work, one for each cipher: 1 (ChaCha20) or all
 * @clock:   monotonic, ns
 * @turn:    racer @who does its piece of @suite once
 * @ctx:     for @turn
 * @best_ns: gets the least time of each
 */
struct hp_aead_race {
	size_t n;
	unsigned int suites;
	uint64_t (*clock)(void);
	void (*turn)(void *ctx, size_t who, enum hp_suite suite);
	void *ctx;
	uint64_t best_ns[HP_AEAD_RACERS][HP_SUITES];
};

/**
 * hp_aead_race() - Let them race, and tell who won
 *
 * They take turns, and of each its best turn counts, for whatever disturbs a
 * measurement makes it longer. However much time others take from this thread,
 * each gets 16 turns; while there are 4 ms left, more. Who is less than a tenth
 * faster than one preferred to it does not win, so that two daemons on one
 * machine choose the same.
 *
 * Return: index of the winner.
 */
size_t hp_aead_race(struct hp_aead_race *r);

#endif
