/* SPDX-License-Identifier: ISC */
/*
 * Which counters of a session have been received: a sliding window as in RFC
 * 6479, a ring of words of which one is always being refilled. Any thread may
 * look; whoever marks keeps others from doing so at the same time.
 */
#ifndef HP_WG_REPLAY_H
#define HP_WG_REPLAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HP_REPLAY_BITS 8192
/* A counter this far or farther behind the highest one is refused. */
#define HP_REPLAY_WINDOW (HP_REPLAY_BITS - 64)

/* Zeroed: nothing received yet. @next is the highest counter seen plus 1. */
struct hp_replay {
	_Atomic uint64_t next;
	_Atomic uint64_t bits[HP_REPLAY_BITS / 64];
};

/* Would hp_replay_accept() take @counter? Changes nothing. While another thread
 * marks, the answer may be wrong either way: a reason to save work, no more.
 */
bool hp_replay_fresh(const struct hp_replay *r, uint64_t counter);
/**
 * hp_replay_accept() - Mark a counter whose packet has been authenticated
 * @counter: below UINT64_MAX
 *
 * One thread at a time.
 *
 * Return: true when it was new; false when it was seen before or lies
 *         HP_REPLAY_WINDOW or more below the highest one.
 */
bool hp_replay_accept(struct hp_replay *r, uint64_t counter);

#endif
