/* SPDX-License-Identifier: ISC */
#include "wg/ratelimit.h"

#include <string.h>

#include "base/crypto.h"
#include "base/time.h"

#define COST (HP_S / 20)
#define BURST (5 * COST)

void hp_ratelimit_init(struct hp_ratelimit *r, const struct hp_rng *rng)
{
	memset(r, 0, sizeof(*r));
	hp_rng_fill(rng, r->key, sizeof(r->key));
}

static uint64_t source_of(const struct hp_ratelimit *r,
			  const struct hp_addr *from)
{
	uint8_t id[9] = { (uint8_t)from->family };

	memcpy(id + 1, from->ip, from->family == HP_AF_4 ? 4 : 8);
	return hp_siphash(r->key, id, sizeof(id));
}

bool hp_ratelimit_allow(struct hp_ratelimit *r, const struct hp_addr *from,
			uint64_t now_ns)
{
	uint64_t source = source_of(r, from);
	struct hp_ratelimit_entry *set = r->set[source % HP_RATELIMIT_SETS];
	struct hp_ratelimit_entry *e = NULL;
	uint64_t full_ns;

	for (size_t i = 0; i < HP_RATELIMIT_WAYS; i++) {
		if (set[i].source == source) {
			e = &set[i];
			break;
		}
		if (set[i].full_ns <= now_ns)
			e = &set[i];
	}
	if (!e)
		return false;
	full_ns = e->source == source && e->full_ns > now_ns ? e->full_ns :
								 now_ns;
	if (full_ns + COST > now_ns + BURST)
		return false;
	e->source = source;
	e->full_ns = full_ns + COST;
	return true;
}
