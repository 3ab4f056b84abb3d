/* SPDX-License-Identifier: ISC */
/*
 * Which engine serves a machine best. The order is not the same everywhere, so
 * each is measured once, at the start of a program, with what a data path does
 * most: full packets.
 */
#include <string.h>
#include <strings.h>

#include "wg/aead.h"
#include "wg/aead_race.h"
#include "wg/wire.h"

/* A turn is short, so that some turns are not disturbed. */
#define PACKETS 8
#define LEN HP_AEAD_TRIAL_LEN

struct candidate {
	struct hp_aead *aead;
	struct hp_aead_key key[HP_SUITES];
};

struct trial {
	struct candidate all[HP_AEAD_RACERS];
	uint8_t buf[PACKETS][LEN + HP_WG_TAG];
};

/* False: it cannot do what is asked for. */
static bool begin(struct candidate *c, enum hp_aead_engine engine,
		  unsigned int suites)
{
	const struct hp_secret secret = { .b = { 1 } };
	bool ok;

	memset(c, 0, sizeof(*c));
	c->aead = hp_aead_new(engine);
	ok = c->aead;
	for (unsigned int s = 0; ok && s < suites; s++)
		ok = !hp_aead_key_init(c->aead, &c->key[s], (enum hp_suite)s,
				       &secret);
	return ok;
}

static void end(struct candidate *c)
{
	for (int s = 0; s < HP_SUITES; s++)
		hp_aead_key_wipe(&c->key[s]);
	hp_aead_free(c->aead);
}

static void turn(void *ctx, size_t who, enum hp_suite suite)
{
	struct trial *t = ctx;
	struct hp_aead_op ops[PACKETS];

	for (size_t i = 0; i < PACKETS; i++)
		ops[i] = (struct hp_aead_op){
			.key = &t->all[who].key[suite], .counter = i,
			.data = t->buf[i], .len = LEN,
		};
	hp_aead_seal(t->all[who].aead, ops, PACKETS);
}

enum hp_err hp_aead_choose(uint64_t (*clock)(void), enum hp_aead_engine want,
			   bool aes, struct hp_aead_choice *out)
{
	static const enum hp_aead_engine order[HP_AEAD_RACERS] = {
		HP_AEAD_MIX, HP_AEAD_IPSEC_MB, HP_AEAD_CRYPTO, HP_AEAD_SODIUM,
	};
	struct trial t = { 0 };
	struct hp_aead_race race = {
		.suites = aes ? HP_SUITES : 1,
		.clock = clock,
		.turn = turn,
		.ctx = &t,
	};
	size_t best;

	*out = (struct hp_aead_choice){ .engine = want };
	for (size_t i = 0; i < HP_AEAD_RACERS; i++) {
		if (want != HP_AEAD_AUTO && want != order[i])
			continue;
		if (begin(&t.all[race.n], order[i], race.suites))
			race.n++;
		else
			end(&t.all[race.n]);
	}
	if (!race.n)
		return HP_ERR_UNKNOWN;
	best = hp_aead_race(&race);
	out->engine = hp_aead_engine_of(t.all[best].aead);
	for (unsigned int s = 0; s < race.suites; s++)
		out->ns[s] = (uint32_t)(race.best_ns[best][s] / PACKETS);
	for (size_t i = 0; i < race.n; i++)
		end(&t.all[i]);
	return HP_OK;
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
