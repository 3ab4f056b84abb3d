/* SPDX-License-Identifier: ISC */
/* The real source of randomness: the kernel's, through libsodium. */
#include "sys/rng.h"

#include <sodium.h>

static void fill(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	randombytes_buf(buf, len);
}

struct hp_rng hp_rng_system(void)
{
	return (struct hp_rng){ .fill = fill };
}
