/* SPDX-License-Identifier: ISC */
#include "meet/limit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/time.h"

/* Places where one source may stand. */
#define WAYS 4

struct entry {
	uint8_t source[8]; /* first half of its keyed hash */
	struct hp_bucket bucket;
};

struct hp_limiter {
	struct hp_secret key;
	struct hp_rate rate;
	size_t n_sets;
	struct entry entry[];
};

/* When a bucket that would be full at @full_ns is full again after @n units are
 * taken; 0: there are fewer.
 */
static uint64_t taken(uint64_t full_ns, const struct hp_rate *rate, uint32_t n,
		      uint64_t now_ns)
{
	uint64_t from = full_ns > now_ns ? full_ns : now_ns;
	uint64_t full = from + n * HP_S / rate->per_s;

	return full > now_ns + rate->burst * HP_S / rate->per_s ? 0 : full;
}

bool hp_bucket_take(struct hp_bucket *b, const struct hp_rate *rate, uint32_t n,
		    uint64_t now_ns)
{
	uint64_t full;

	if (!rate->per_s)
		return true;
	full = taken(b->full_ns, rate, n, now_ns);
	if (full)
		b->full_ns = full;
	return full;
}

bool hp_shared_bucket_take(struct hp_shared_bucket *b,
			   const struct hp_rate *rate, uint32_t n,
			   uint64_t now_ns)
{
	uint64_t was = atomic_load_explicit(&b->full_ns, memory_order_relaxed);
	uint64_t full;

	if (!rate->per_s)
		return true;
	do {
		full = taken(was, rate, n, now_ns);
	} while (full && !atomic_compare_exchange_weak_explicit(
				 &b->full_ns, &was, full, memory_order_relaxed,
				 memory_order_relaxed));
	return full;
}

struct hp_limiter *hp_limiter_new(const struct hp_secret *key,
				  const struct hp_rate *rate, size_t n)
{
	size_t sets = (n + WAYS - 1) / WAYS;
	struct hp_limiter *l =
		calloc(1, sizeof(*l) + sets * WAYS * sizeof(l->entry[0]));

	if (!l)
		return NULL;
	l->key = *key;
	l->rate = *rate;
	l->n_sets = sets;
	return l;
}

void hp_limiter_free(struct hp_limiter *l)
{
	if (l)
		hp_secret_wipe(&l->key);
	free(l);
}

void hp_source_hash(const struct hp_secret *key, const struct hp_addr *addr,
		    uint8_t out[HP_SOURCE_LEN])
{
	const struct hp_piece who[] = {
		{ &addr->family, sizeof(addr->family) },
		{ addr->ip, addr->family == HP_AF_6 ? 8 : 4 },
	};

	hp_blake2b(out, HP_SOURCE_LEN, key, who, 2);
}

/* A full hash per datagram costs about a microsecond, and cannot be steered
 * from outside.
 */
static struct entry *find(struct hp_limiter *l, const struct hp_addr *source)
{
	struct entry *set, *rested;
	uint8_t hash[HP_SOURCE_LEN];

	hp_source_hash(&l->key, source, hash);
	set = &l->entry[hp_get_be64(hash + 8) % l->n_sets * WAYS];
	rested = set;
	for (struct entry *e = set; e < set + WAYS; e++) {
		if (memcmp(e->source, hash, sizeof(e->source)) == 0)
			return e;
		if (e->bucket.full_ns < rested->bucket.full_ns)
			rested = e;
	}
	memcpy(rested->source, hash, sizeof(rested->source));
	rested->bucket.full_ns = 0;
	return rested;
}

bool hp_limiter_take(struct hp_limiter *l, const struct hp_addr *source,
		     uint64_t now_ns)
{
	if (!l->rate.per_s)
		return true;
	return hp_bucket_take(&find(l, source)->bucket, &l->rate, 1, now_ns);
}
