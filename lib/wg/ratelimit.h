/* SPDX-License-Identifier: ISC */
/*
 * How many handshake messages a source may send: 20 a second, 5 at once, by
 * IPv4 address or IPv6 /64. The table has a fixed size; a source whose
 * allowance is full again needs no entry, so entries go stale by themselves.
 */
#ifndef HP_WG_RATELIMIT_H
#define HP_WG_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rng.h"

#define HP_RATELIMIT_SETS 1024
#define HP_RATELIMIT_WAYS 4

struct hp_ratelimit_entry {
	uint64_t source;	/* hash of the source */
	uint64_t full_ns;	/* when the allowance will be full again */
};

struct hp_ratelimit {
	uint8_t key[16];
	struct hp_ratelimit_entry set[HP_RATELIMIT_SETS][HP_RATELIMIT_WAYS];
};

void hp_ratelimit_init(struct hp_ratelimit *r, const struct hp_rng *rng);
/* Takes one from the allowance of @from; false when there is none left, or
 * when too many other sources are busy.
 */
bool hp_ratelimit_allow(struct hp_ratelimit *r, const struct hp_addr *from,
			uint64_t now_ns);

#endif
