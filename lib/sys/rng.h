/* SPDX-License-Identifier: ISC */
/* The real source of randomness: the kernel's, through libsodium. */
#ifndef HP_SYS_RNG_H
#define HP_SYS_RNG_H

#include "base/rng.h"

/* A source that may be used from any thread; hp_crypto_init() comes first. */
struct hp_rng hp_rng_system(void);

#endif
