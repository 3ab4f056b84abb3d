/* SPDX-License-Identifier: ISC */
#include "base/rng.h"

#include <string.h>
#include <sodium.h>

#include "base/bytes.h"

uint32_t hp_rng_below(const struct hp_rng *r, uint32_t bound)
{
	uint32_t floor = -bound % bound; /* 2^32 mod bound */
	uint32_t v;

	do {
		v = hp_rng_u32(r);
	} while (v < floor);
	return v % bound;
}

static void seeded_fill(void *ctx, void *buf, size_t len)
{
	struct hp_rng_seeded *s = ctx;
	uint8_t nonce[8];

	hp_put_le64(nonce, s->block++);
	crypto_stream_chacha20(buf, len, nonce, s->seed);
}

void hp_rng_seeded_init(struct hp_rng_seeded *s, uint64_t seed,
			struct hp_rng *rng)
{
	memset(s, 0, sizeof(*s));
	hp_put_le64(s->seed, seed);
	rng->fill = seeded_fill;
	rng->ctx = s;
}
