/* SPDX-License-Identifier: ISC */
/* lib/wg/inet: sums, beside a slow model of RFC 1071. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "wg/inet.h"

#define LEN 4000
#define LONGEST 65536

/* In the machine's byte order, like the real one. */
static uint16_t slow(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < len; i += 2) {
		const uint8_t pair[2] = { p[i], i + 1 < len ? p[i + 1] : 0 };

		memcpy(&word, pair, 2);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)sum;
}

static void check(const uint8_t *p, size_t len)
{
	static uint8_t to[LONGEST + 1];
	uint16_t want = slow(p, len);

	assert_int_equal(hp_sum_fold(hp_sum_add(0, p, len)), want);
	to[len] = 0x5a;
	assert_int_equal(hp_sum_fold(hp_sum_copy(to, p, len)), want);
	assert_memory_equal(to, p, len);
	assert_int_equal(to[len], 0x5a);
}

static void sums_are_those_of_the_model_at_every_length(void **state)
{
	static uint8_t p[LEN + 16];
	struct hp_rng_seeded seeded;
	struct hp_rng rng;

	(void)state;
	hp_rng_seeded_init(&seeded, 71, &rng);
	hp_rng_fill(&rng, p, sizeof(p));
	for (size_t len = 0; len <= LEN; len++)
		check(p + len % 16, len);
}

/* Each word as large as can be: carries out of every lane. */
static void no_carry_is_lost(void **state)
{
	static uint8_t p[LONGEST];

	(void)state;
	memset(p, 0xff, sizeof(p));
	for (size_t len = 0; len <= LONGEST; len += 4093)
		check(p, len);
	check(p, LONGEST);
	/* The upper or the lower halves of all lanes alone. */
	for (size_t at = 0; at < 8; at += 4) {
		for (size_t i = 0; i < LONGEST; i++)
			p[i] = i % 8 / 4 * 4 == at ? 0xff : 0;
		check(p, LONGEST);
	}
}

static void a_sum_can_be_taken_in_pieces(void **state)
{
	static uint8_t p[LEN];
	struct hp_rng_seeded seeded;
	struct hp_rng rng;

	(void)state;
	hp_rng_seeded_init(&seeded, 72, &rng);
	hp_rng_fill(&rng, p, sizeof(p));
	for (size_t at = 0; at < LEN; at += 2)
		assert_int_equal(
			hp_sum_fold(hp_sum_add(hp_sum_add(0, p, at), p + at,
					       LEN - at)),
			slow(p, LEN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_those_of_the_model_at_every_length),
		cmocka_unit_test(no_carry_is_lost),
		cmocka_unit_test(a_sum_can_be_taken_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
