/* SPDX-License-Identifier: ISC */
/*
 * Which engine serves a machine best. The order is not the same everywhere, so
 * each is measured once, at the start of a program, with what a data path does
 * most: batches of full packets. The best round counts, for whatever disturbs
 * a measurement makes it longer.
 */
#include <string.h>
#include <strings.h>

#include "base/time.h"
#include "wg/aead.h"
#include "wg/wire.h"

#define PACKETS 16
#define LEN 1424
#define EACH_NS (HP_MS + HP_MS / 2)

/* Of one batch, ns; HP_NEVER when @a cannot do it. */
static uint64_t measure(struct hp_aead *a, enum hp_suite suite,
			uint64_t (*clock)(void))
{
	uint8_t buf[PACKETS][LEN + HP_WG_TAG];
	struct hp_secret secret = { .b = { 1 } };
	struct hp_aead_op ops[PACKETS];
	uint64_t best_ns = HP_NEVER;
	uint64_t end_ns = clock() + EACH_NS;
	struct hp_aead_key key;
	uint64_t t0, t1;

	if (hp_aead_key_init(a, &key, suite, &secret))
		return HP_NEVER;
	memset(buf, 0, sizeof(buf));
	for (size_t i = 0; i < PACKETS; i++)
		ops[i] = (struct hp_aead_op){
			.key = &key, .counter = i, .data = buf[i], .len = LEN,
		};
	do {
		t0 = clock();
		hp_aead_seal(a, ops, PACKETS);
		t1 = clock();
		best_ns = hp_time_min(best_ns, t1 - t0);
	} while (t1 < end_ns);
	hp_aead_key_wipe(&key);
	return best_ns;
}

enum hp_aead_engine hp_aead_choose(uint64_t (*clock)(void), bool aes)
{
	static const enum hp_aead_engine all[] = {
		HP_AEAD_IPSEC_MB, HP_AEAD_CRYPTO, HP_AEAD_SODIUM,
	};
	enum hp_aead_engine best = HP_AEAD_SODIUM;
	uint64_t best_ns = HP_NEVER;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct hp_aead *a = hp_aead_new(all[i]);
		uint64_t ns = HP_NEVER;

		if (a && (!aes || hp_aead_has(a, HP_SUITE_AES)))
			ns = measure(a, HP_SUITE_CHACHA, clock);
		if (ns != HP_NEVER && aes)
			ns += measure(a, HP_SUITE_AES, clock);
		if (ns < best_ns) {
			best_ns = ns;
			best = all[i];
		}
		hp_aead_free(a);
	}
	return best;
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
