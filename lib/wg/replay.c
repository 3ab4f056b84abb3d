/* SPDX-License-Identifier: ISC */
#include "wg/replay.h"

#define WORDS (HP_REPLAY_BITS / 64)

static uint64_t bit_of(uint64_t counter)
{
	return UINT64_C(1) << (counter % 64);
}

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit((_Atomic uint64_t *)v,
				    memory_order_relaxed);
}

static void put(_Atomic uint64_t *v, uint64_t to)
{
	atomic_store_explicit(v, to, memory_order_relaxed);
}

bool hp_replay_fresh(const struct hp_replay *r, uint64_t counter)
{
	uint64_t next = get(&r->next);

	if (counter >= next)
		return true;
	if (next - counter > HP_REPLAY_WINDOW)
		return false;
	return !(get(&r->bits[counter / 64 % WORDS]) & bit_of(counter));
}

/* Clears the words that come into the window when its top moves. */
static void advance(struct hp_replay *r, uint64_t counter)
{
	uint64_t next = get(&r->next);
	uint64_t word = counter / 64;
	uint64_t top = next ? (next - 1) / 64 : 0;

	if (word - top > WORDS)
		top = word - WORDS;
	while (top < word)
		put(&r->bits[++top % WORDS], 0);
	put(&r->next, counter + 1);
}

bool hp_replay_accept(struct hp_replay *r, uint64_t counter)
{
	_Atomic uint64_t *word = &r->bits[counter / 64 % WORDS];

	if (!hp_replay_fresh(r, counter))
		return false;
	if (counter >= get(&r->next))
		advance(r, counter);
	put(word, get(word) | bit_of(counter));
	return true;
}
