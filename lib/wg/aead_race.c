/* SPDX-License-Identifier: ISC */
#include "wg/aead_race.h"

#include "base/time.h"

#define ROUNDS_MIN 16
#define TIME_NS (4 * HP_MS)
/* Least that a winner has to be faster: a tenth. */
#define GAIN(ns) ((ns) - (ns) / 10)

static void everybody(struct hp_aead_race *r)
{
	for (size_t i = 0; i < r->n; i++)
		for (unsigned int s = 0; s < r->suites; s++) {
			uint64_t *best_ns = &r->best_ns[i][s];
			uint64_t t0 = r->clock();

			r->turn(r->ctx, i, (enum hp_suite)s);
			*best_ns = hp_time_min(*best_ns, r->clock() - t0);
		}
}

static uint64_t score(const struct hp_aead_race *r, size_t who)
{
	uint64_t sum_ns = 0;

	for (unsigned int s = 0; s < r->suites; s++)
		sum_ns += r->best_ns[who][s];
	return sum_ns;
}

size_t hp_aead_race(struct hp_aead_race *r)
{
	uint64_t end_ns = hp_time_add(r->clock(), TIME_NS);
	size_t best = 0;

	for (size_t i = 0; i < r->n; i++)
		for (unsigned int s = 0; s < r->suites; s++)
			r->best_ns[i][s] = HP_NEVER;
	for (int round = 0; round < ROUNDS_MIN || r->clock() < end_ns; round++)
		everybody(r);
	for (size_t i = 1; i < r->n; i++)
		if (score(r, i) < GAIN(score(r, best)))
			best = i;
	return best;
}
