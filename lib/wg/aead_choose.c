/* SPDX-License-Identifier: ISC */
/*
 * Which engine serves a machine best. The order is not the same everywhere, so
 * each is measured once, at the start of a program, with what a data path does
 * most: batches of full packets. They take turns, and of each the best turn
 * counts, for whatever disturbs a measurement makes it longer.
 */
#include <string.h>
#include <strings.h>

#include "base/time.h"
#include "wg/aead.h"
#include "wg/wire.h"

#define PACKETS 16
#define LEN 1424
#define ALL_NS (8 * HP_MS)
#define ENGINES 4
/* One is not taken for less than a tenth: the order below is the usual one. */
#define GAIN(ns) ((ns) - (ns) / 10)

struct candidate {
	struct hp_aead *aead;
	struct hp_aead_key key[HP_SUITES];
	uint64_t best_ns[HP_SUITES];
};

/* False: it cannot do what is asked for. */
static bool begin(struct candidate *c, enum hp_aead_engine engine, int suites)
{
	const struct hp_secret secret = { .b = { 1 } };
	bool ok;

	memset(c, 0, sizeof(*c));
	c->aead = hp_aead_new(engine);
	ok = c->aead;
	for (int s = 0; ok && s < suites; s++) {
		c->best_ns[s] = HP_NEVER;
		ok = !hp_aead_key_init(c->aead, &c->key[s], (enum hp_suite)s,
				       &secret);
	}
	return ok;
}

static void end(struct candidate *c)
{
	for (int s = 0; s < HP_SUITES; s++)
		hp_aead_key_wipe(&c->key[s]);
	hp_aead_free(c->aead);
}

static void turn(struct candidate *c, enum hp_suite suite,
		 uint8_t buf[PACKETS][LEN + HP_WG_TAG],
		 uint64_t (*clock)(void))
{
	struct hp_aead_op ops[PACKETS];
	uint64_t t0;

	for (size_t i = 0; i < PACKETS; i++)
		ops[i] = (struct hp_aead_op){
			.key = &c->key[suite], .counter = i, .data = buf[i],
			.len = LEN,
		};
	t0 = clock();
	hp_aead_seal(c->aead, ops, PACKETS);
	c->best_ns[suite] = hp_time_min(c->best_ns[suite], clock() - t0);
}

static uint64_t score(const struct candidate *c, int suites)
{
	uint64_t sum_ns = 0;

	for (int s = 0; s < suites; s++)
		sum_ns += c->best_ns[s];
	return sum_ns;
}

enum hp_aead_engine hp_aead_choose(uint64_t (*clock)(void), bool aes)
{
	static const enum hp_aead_engine order[ENGINES] = {
		HP_AEAD_MIX, HP_AEAD_IPSEC_MB, HP_AEAD_CRYPTO, HP_AEAD_SODIUM,
	};
	uint8_t buf[PACKETS][LEN + HP_WG_TAG] = { 0 };
	struct candidate all[ENGINES];
	int suites = aes ? HP_SUITES : 1;
	enum hp_aead_engine choice;
	size_t n = 0, best = 0;
	uint64_t end_ns;

	for (size_t i = 0; i < ENGINES; i++) {
		if (begin(&all[n], order[i], suites))
			n++;
		else
			end(&all[n]);
	}
	end_ns = clock() + ALL_NS;
	do {
		for (size_t i = 0; i < n; i++)
			for (int s = 0; s < suites; s++)
				turn(&all[i], (enum hp_suite)s, buf, clock);
	} while (n > 1 && clock() < end_ns);
	for (size_t i = 1; i < n; i++)
		if (score(&all[i], suites) < GAIN(score(&all[best], suites)))
			best = i;
	/* Without memory for any, let the program find that out. */
	choice = n ? hp_aead_engine_of(all[best].aead) : HP_AEAD_SODIUM;
	for (size_t i = 0; i < n; i++)
		end(&all[i]);
	return choice;
}

enum hp_err hp_aead_parse(const char *name, enum hp_aead_engine *out)
{
	for (int i = HP_AEAD_AUTO; i <= HP_AEAD_SODIUM; i++)
		if (!strcasecmp(name, hp_aead_name((enum hp_aead_engine)i))) {
			*out = (enum hp_aead_engine)i;
			return HP_OK;
		}
	return HP_ERR_UNKNOWN;
}
