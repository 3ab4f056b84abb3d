/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "wg/backlog.h"
#include "wg/inet.h"

#define T0 (100 * HP_S)
#define LEN 1400

/* A UDP packet of flow @port, the @mark-th. */
static uint32_t packet(uint8_t *p, uint16_t port, uint32_t mark)
{
	memset(p, 0, 40);
	p[0] = 0x45;
	p[9] = HP_PROTO_UDP;
	p[15] = 1;
	p[19] = 2;
	hp_put_be16(p + 20, port);
	hp_put_be32(p + 28, mark);
	return LEN;
}

static uint8_t slots[HP_BACKLOG_MAX][40];

static bool give(struct hp_backlog *b, uint16_t port, uint32_t mark,
		 uint64_t now_ns)
{
	uint32_t i = hp_backlog_room(b);

	if (i == HP_BACKLOG_NONE)
		return false;
	hp_backlog_put(b, slots[i], packet(slots[i], port, mark), now_ns);
	return true;
}

/* Port and mark of the next one; 0: none. */
static uint64_t get(struct hp_backlog *b, uint64_t now_ns, bool *signal)
{
	uint32_t i = hp_backlog_take(b, now_ns, signal);

	return i == HP_BACKLOG_NONE ? 0 :
	       (uint64_t)hp_get_be16(slots[i] + 20) << 32 |
		       hp_get_be32(slots[i] + 28);
}

static uint64_t of(uint16_t port, uint32_t mark)
{
	return (uint64_t)port << 32 | mark;
}

static void a_sparse_flow_goes_before_a_bulk_one(void **state)
{
	struct hp_backlog b;
	bool signal;

	(void)state;
	hp_backlog_init(&b);
	for (uint32_t i = 0; i < 10; i++)
		assert_true(give(&b, 1000, i, T0));
	assert_true(give(&b, 2000, 0, T0));
	assert_int_equal(get(&b, T0, &signal), of(1000, 0));
	assert_int_equal(get(&b, T0, &signal), of(2000, 0));
	for (uint32_t i = 1; i < 10; i++)
		assert_int_equal(get(&b, T0, &signal), of(1000, i));
	assert_int_equal(get(&b, T0, &signal), 0);
}

/* Whatever comes and goes, and although flows may share a place in the table. */
static void a_flow_is_never_out_of_order(void **state)
{
	static uint32_t sent[600], got[600];
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct hp_backlog b;
	uint64_t now_ns = T0, v;
	bool signal;

	(void)state;
	printf("seed 7\n");
	hp_rng_seeded_init(&seeded, 7, &rng);
	hp_backlog_init(&b);
	for (unsigned int i = 0; i < 200000; i++) {
		uint16_t port = (uint16_t)hp_rng_below(&rng, 600);

		now_ns += hp_rng_below(&rng, 100) * HP_US;
		if (hp_rng_below(&rng, 4)) /* one flow has most of it */
			port = 5;
		if (hp_rng_below(&rng, 2)) {
			if (give(&b, port, sent[port] + 1, now_ns))
				sent[port]++;
			continue;
		}
		v = get(&b, now_ns, &signal);
		if (!v)
			continue;
		port = (uint16_t)(v >> 32);
		assert_int_equal((uint32_t)v, ++got[port]);
	}
	while ((v = get(&b, now_ns, &signal)))
		assert_int_equal((uint32_t)v, ++got[v >> 32]);
	assert_memory_equal(sent, got, sizeof(sent));
}

static void many_sparse_flows_do_not_starve_a_bulk_one(void **state)
{
	struct hp_backlog b;
	uint32_t served = 0;
	bool signal;

	(void)state;
	hp_backlog_init(&b);
	for (uint32_t i = 0; i < 10; i++)
		assert_true(give(&b, 1, i, T0));
	for (uint32_t i = 0; i < 1000; i++) {
		assert_true(give(&b, (uint16_t)(2 + i), 0, T0));
		served += get(&b, T0, &signal) >> 32 == 1;
	}
	assert_true(served >= 10);
}

static void it_takes_no_more_than_it_has_room_for(void **state)
{
	struct hp_backlog b;
	uint32_t n = 0;
	bool signal;

	(void)state;
	hp_backlog_init(&b);
	while (give(&b, 1, n, T0))
		n++;
	assert_int_equal(n, HP_BACKLOG_MAX);
	assert_int_not_equal(get(&b, T0, &signal), 0);
	assert_true(give(&b, 1, n, T0));
	/* Long packets: by bytes. */
	hp_backlog_init(&b);
	for (n = 0; hp_backlog_room(&b) != HP_BACKLOG_NONE; n++)
		hp_backlog_put(&b, slots[0], 65000, T0);
	assert_true(n > 16 && n < HP_BACKLOG_MAX);
}

/* One packet in and one out each 100 us, each after waiting for @wait_ns;
 * returns how many signals there were in @ms.
 */
static unsigned int signals_at(struct hp_backlog *b, uint64_t *now_ns,
			       uint64_t wait_ns, unsigned int ms)
{
	unsigned int signals = 0;
	bool signal;

	for (unsigned int i = 0; i < ms * 10; i++) {
		*now_ns += 100 * HP_US;
		while (b->n < 3)
			assert_true(give(b, 1, i, *now_ns - wait_ns));
		(void)get(b, *now_ns, &signal);
		signals += signal;
	}
	return signals;
}

static void a_short_wait_is_never_signalled(void **state)
{
	struct hp_backlog b;
	uint64_t now_ns = T0;

	(void)state;
	hp_backlog_init(&b);
	assert_int_equal(signals_at(&b, &now_ns, HP_MS, 5000), 0);
}

static void a_burst_is_not_signalled(void **state)
{
	struct hp_backlog b;
	uint64_t now_ns = T0;

	(void)state;
	hp_backlog_init(&b);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(signals_at(&b, &now_ns, 20 * HP_MS, 18), 0);
		assert_int_equal(signals_at(&b, &now_ns, HP_MS, 2), 0);
	}
}

/* RFC 8289: after an interval, then after an interval over the root of n. */
static void a_standing_queue_is_signalled_ever_more_often(void **state)
{
	struct hp_backlog b;
	uint64_t now_ns = T0;

	(void)state;
	hp_backlog_init(&b);
	assert_int_equal(signals_at(&b, &now_ns, 10 * HP_MS, 19), 0);
	assert_int_equal(signals_at(&b, &now_ns, 10 * HP_MS, 2), 1);
	assert_int_equal(signals_at(&b, &now_ns, 10 * HP_MS, 17), 0);
	assert_int_equal(signals_at(&b, &now_ns, 10 * HP_MS, 4), 1);
	/* 20 ms times the sum of 1/sqrt(n): the 17th is at 153 ms. */
	assert_in_range(signals_at(&b, &now_ns, 10 * HP_MS, 111), 13, 16);
	assert_int_equal(signals_at(&b, &now_ns, HP_MS, 20), 0);
	/* Another soon after goes on where that ended. */
	assert_in_range(signals_at(&b, &now_ns, 10 * HP_MS, 40), 3, 6);
}

static void a_mark_is_set_where_it_is_understood(void **state)
{
	uint8_t p[40];

	(void)state;
	packet(p, 1, 1);
	hp_sum_ip4(p);
	assert_false(hp_ecn_mark(p, sizeof(p)));
	for (uint8_t ect = 1; ect < 4; ect++) {
		packet(p, 1, 1);
		p[1] = (uint8_t)(0xb8 | ect);
		assert_true(hp_ecn_mark(p, sizeof(p)));
		assert_int_equal(p[1], 0xbb);
		assert_int_equal(hp_sum_fold(hp_sum_add(0, p, 20)),
				 UINT16_MAX);
		memset(p, 0, sizeof(p));
		p[0] = 0x6b;
		p[1] = (uint8_t)(0x85 | ect << 4);
		assert_true(hp_ecn_mark(p, sizeof(p)));
		assert_int_equal(p[1], 0xb5);
	}
	p[1] = 0x85;
	assert_false(hp_ecn_mark(p, sizeof(p)));
	assert_false(hp_ecn_mark(p, 39));
	p[0] = 0x4f; /* options beyond the end */
	p[1] = 1;
	assert_false(hp_ecn_mark(p, sizeof(p)));
	assert_false(hp_ecn_mark(p, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sparse_flow_goes_before_a_bulk_one),
		cmocka_unit_test(a_flow_is_never_out_of_order),
		cmocka_unit_test(many_sparse_flows_do_not_starve_a_bulk_one),
		cmocka_unit_test(it_takes_no_more_than_it_has_room_for),
		cmocka_unit_test(a_short_wait_is_never_signalled),
		cmocka_unit_test(a_burst_is_not_signalled),
		cmocka_unit_test(a_standing_queue_is_signalled_ever_more_often),
		cmocka_unit_test(a_mark_is_set_where_it_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
