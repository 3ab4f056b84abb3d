/* SPDX-License-Identifier: ISC */
/*
 * Randomness as an argument: the core never asks the system for it, so that a
 * test can replay a run from one seed. lib/sys gives the real one.
 */
#ifndef HP_BASE_RNG_H
#define HP_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct hp_rng - A source of random bytes
 * @fill: writes @len unpredictable bytes to @buf; cannot fail
 * @ctx:  handed to @fill
 */
struct hp_rng {
	void (*fill)(void *ctx, void *buf, size_t len);
	void *ctx;
};

static inline void hp_rng_fill(const struct hp_rng *r, void *buf, size_t len)
{
	r->fill(r->ctx, buf, len);
}

static inline uint32_t hp_rng_u32(const struct hp_rng *r)
{
	uint32_t v;

	hp_rng_fill(r, &v, sizeof(v));
	return v;
}

static inline uint64_t hp_rng_u64(const struct hp_rng *r)
{
	uint64_t v;

	hp_rng_fill(r, &v, sizeof(v));
	return v;
}

/* Uniform in [0, bound), bound > 0, without modulo bias. */
uint32_t hp_rng_below(const struct hp_rng *r, uint32_t bound);

/* A generator that gives the same bytes for the same seed (ChaCha20 of a
 * counter under the seed). For tests and the simulator only.
 */
struct hp_rng_seeded {
	uint8_t seed[32];
	uint64_t block;
};

void hp_rng_seeded_init(struct hp_rng_seeded *s, uint64_t seed,
			struct hp_rng *rng);

#endif
