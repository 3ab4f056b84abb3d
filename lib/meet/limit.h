/* SPDX-License-Identifier: ISC */
/*
 * Rate limits. A bucket is one number, the time at which it would be full
 * again (the generic cell rate algorithm, ITU-T I.371); a table of them by
 * source address has a fixed size and needs no sweeping.
 */
#ifndef HP_MEET_LIMIT_H
#define HP_MEET_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/key.h"

/**
 * struct hp_rate - A limit
 * @per_s: units that come back per second; 0: no limit
 * @burst: units that a rested bucket holds, at least the largest take
 */
struct hp_rate {
	uint32_t per_s;
	uint32_t burst;
};

/* Zeroed: rested. */
struct hp_bucket {
	uint64_t full_ns;
};

/* Takes @n units; false, and nothing taken, when there are fewer. */
bool hp_bucket_take(struct hp_bucket *b, const struct hp_rate *rate, uint32_t n,
		    uint64_t now_ns);

/* The same of a bucket that several threads take from. */
struct hp_shared_bucket {
	_Atomic uint64_t full_ns;
};
bool hp_shared_bucket_take(struct hp_shared_bucket *b,
			   const struct hp_rate *rate, uint32_t n,
			   uint64_t now_ns);

/* The source that @addr counts as, an IPv4 address or an IPv6 /64, as a hash
 * under @key: hidden from the sources, so that none can choose its place in a
 * table.
 */
#define HP_SOURCE_LEN 16
void hp_source_hash(const struct hp_secret *key, const struct hp_addr *addr,
		    uint8_t out[HP_SOURCE_LEN]);

struct hp_limiter;

/**
 * hp_limiter_new() - Buckets by source
 * @key:  see hp_source_hash()
 * @rate: for each source; copied
 * @n:    sources remembered; when full, the most rested one is forgotten
 *
 * Return: NULL when out of memory.
 */
struct hp_limiter *hp_limiter_new(const struct hp_secret *key,
				  const struct hp_rate *rate, size_t n);
void hp_limiter_free(struct hp_limiter *l);
bool hp_limiter_take(struct hp_limiter *l, const struct hp_addr *source,
		     uint64_t now_ns);

#endif
