/* SPDX-License-Identifier: ISC */
#include "wg/replay.h"

#include <string.h>

#define WORDS (HP_REPLAY_BITS / 64)

static uint64_t bit_of(uint64_t counter)
{
	return UINT64_C(1) << (counter % 64);
}

bool hp_replay_fresh(const struct hp_replay *r, uint64_t counter)
{
	if (counter >= r->next)
		return true;
	if (r->next - counter > HP_REPLAY_WINDOW)
		return false;
	return !(r->bits[counter / 64 % WORDS] & bit_of(counter));
}

/* Clears the words that come into the window when its top moves. */
static void advance(struct hp_replay *r, uint64_t counter)
{
	uint64_t word = counter / 64;
	uint64_t top = r->next ? (r->next - 1) / 64 : 0;

	if (word - top >= WORDS)
		memset(r->bits, 0, sizeof(r->bits));
	else
		while (top < word)
			r->bits[++top % WORDS] = 0;
	r->next = counter + 1;
}

bool hp_replay_accept(struct hp_replay *r, uint64_t counter)
{
	if (!hp_replay_fresh(r, counter))
		return false;
	if (counter >= r->next)
		advance(r, counter);
	r->bits[counter / 64 % WORDS] |= bit_of(counter);
	return true;
}
