/* SPDX-License-Identifier: ISC */
/* The search for the path MTU, on paths whose truth the test knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "punch/pmtu.h"

#define MIN 105
#define MAX 1440
#define RTT (30 * HP_MS)

/* @mtu:  datagrams up to this size pass; 0: nothing does
 * @loss: of probes and answers, percent of the round trips
 * @txid, @size, @back_ns: probes that wait for their answer
 */
struct road {
	struct hp_pmtu m;
	uint64_t now_ns;
	uint64_t traffic_ns;
	bool traffic;
	uint32_t mtu;
	unsigned int loss;
	unsigned int seed;
	uint64_t last;
	uint64_t sent;
	struct {
		uint64_t txid;
		uint64_t back_ns;
	} way[64];
	unsigned int n;
};

static void road_begin(struct road *r, uint32_t mtu)
{
	*r = (struct road){ .mtu = mtu, .now_ns = 1000 * HP_S, .seed = 1 };
	hp_pmtu_start(&r->m, MIN, MAX, r->now_ns);
}

static void answers(struct road *r)
{
	for (unsigned int i = 0; i < r->n; i++) {
		if (r->way[i].back_ns > r->now_ns)
			continue;
		(void)hp_pmtu_answered(&r->m, r->way[i].txid, r->now_ns);
		r->way[i--] = r->way[--r->n];
	}
}

static void step(struct road *r)
{
	unsigned int n;

	r->now_ns += 5 * HP_MS;
	if (r->traffic)
		r->traffic_ns = r->now_ns;
	answers(r);
	if (hp_pmtu_deadline(&r->m, r->traffic_ns) > r->now_ns)
		return;
	n = hp_pmtu_tick(&r->m, RTT, r->traffic_ns, r->now_ns);
	assert_true(n <= HP_PMTU_RUNGS);
	assert_true(hp_pmtu_deadline(&r->m, r->traffic_ns) > r->now_ns);
	if (n)
		r->m.txid = r->last + 1;
	for (unsigned int i = 0; i < n; i++) {
		r->last++;
		r->sent++;
		assert_in_range(r->m.rung[i], MIN, MAX);
		assert_true(!i || r->m.rung[i] <= r->m.rung[i - 1]);
		if (r->m.rung[i] > r->mtu || r->n == 64 ||
		    (unsigned int)rand_r(&r->seed) % 100 < r->loss)
			continue;
		r->way[r->n].txid = r->last;
		r->way[r->n++].back_ns = r->now_ns + RTT;
	}
}

static void run(struct road *r, uint64_t ns)
{
	for (uint64_t end = r->now_ns + ns; r->now_ns < end;)
		step(r);
}

/* Time until @size is what the search says, at most @ns. */
static uint64_t until(struct road *r, uint32_t size, uint64_t ns)
{
	uint64_t begin = r->now_ns;

	while (r->now_ns < begin + ns &&
	       (r->m.size != size || !r->m.settled))
		step(r);
	assert_int_equal(r->m.size, size);
	assert_true(r->m.settled);
	return r->now_ns - begin;
}

static void whole_path_costs_one_probe(void **state)
{
	struct road r;

	(void)state;
	road_begin(&r, 1472);
	assert_true(until(&r, MAX, HP_S) < 150 * HP_MS);
	assert_int_equal(r.m.state, HP_PMTU_COMPLETE);
	run(&r, 100 * HP_S);
	assert_int_equal(r.sent, 1);
}

static void any_size_is_found_to_the_byte(void **state)
{
	(void)state;
	for (uint32_t mtu = MIN; mtu < MAX; mtu += 7) {
		struct road r;

		road_begin(&r, mtu);
		assert_true(until(&r, mtu, 10 * HP_S) < 5 * HP_S);
		assert_int_equal(r.m.state, mtu < HP_PMTU_BASE ?
						    HP_PMTU_ERROR :
						    HP_PMTU_COMPLETE);
		assert_true(r.sent < 100);
	}
}

static void black_hole_is_found_within_five_seconds_of_traffic(void **state)
{
	static const uint32_t to[] = { 1439, 1400, 1300, 1200, 1199, 800 };

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		struct road r;

		road_begin(&r, 1472);
		r.traffic = true;
		run(&r, 7 * HP_S + i * 333 * HP_MS);
		assert_int_equal(r.m.size, MAX);
		r.mtu = to[i];
		assert_true(until(&r, to[i], 20 * HP_S) <= 5 * HP_S);
	}
}

static void idle_path_is_left_alone(void **state)
{
	struct road r;
	uint64_t sent;

	(void)state;
	road_begin(&r, 1300);
	until(&r, 1300, 5 * HP_S);
	sent = r.sent;
	run(&r, 1000 * HP_S);
	assert_int_equal(r.sent, sent);
	assert_true(hp_pmtu_deadline(&r.m, 0) == HP_NEVER);
}

static void loss_is_no_black_hole(void **state)
{
	unsigned int seed = 7;

	(void)state;
	print_message("seed %u\n", seed);
	for (unsigned int i = 0; i < 20; i++) {
		struct road r;

		road_begin(&r, 1472);
		r.traffic = true;
		run(&r, 2 * HP_S);
		assert_int_equal(r.m.size, MAX);
		r.loss = 15;
		r.seed = seed + i;
		for (int s = 0; s < 300; s++) {
			run(&r, HP_S);
			assert_int_equal(r.m.size, MAX);
		}
	}
}

/* One in five lost: a narrow path is found to the byte nearly always, and hardly
 * ever to be narrower.
 */
static void loss_makes_no_path_narrower(void **state)
{
	unsigned int seed = 99, wrong = 0;

	(void)state;
	print_message("seed %u\n", seed);
	for (unsigned int i = 0; i < 300; i++) {
		struct road r;

		road_begin(&r, 1200 + i % 240);
		r.loss = 20;
		r.seed = seed + i;
		run(&r, 20 * HP_S);
		assert_true(r.m.settled);
		assert_true(r.m.size <= r.mtu);
		wrong += r.m.size < r.mtu;
	}
	assert_in_range(wrong, 0, 6);
}

static void outage_says_nothing(void **state)
{
	struct road r;

	(void)state;
	road_begin(&r, 1472);
	r.traffic = true;
	run(&r, 5 * HP_S);
	r.mtu = 0;
	run(&r, 60 * HP_S);
	assert_int_equal(r.m.size, MAX);
	assert_true(r.sent < 200);
	r.mtu = 1472;
	assert_true(until(&r, MAX, 60 * HP_S) <= 10 * HP_S);
}

static void wider_path_is_found_by_the_raise_timer(void **state)
{
	struct road r;

	(void)state;
	road_begin(&r, 1300);
	until(&r, 1300, 5 * HP_S);
	r.traffic = true;
	r.mtu = 1472;
	run(&r, 590 * HP_S);
	assert_int_equal(r.m.size, 1300);
	until(&r, MAX, 20 * HP_S);
}

/* Its size stays in force until the new path has shown that it carries more, or
 * less.
 */
static void next_path_begins_with_what_the_last_one_carried(void **state)
{
	static const uint32_t next[] = { 1300, 1472, 1250 };

	(void)state;
	for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		struct road r;

		road_begin(&r, 1300);
		until(&r, 1300, 5 * HP_S);
		r.mtu = next[i];
		hp_pmtu_start(&r.m, MIN, MAX, r.now_ns);
		assert_int_equal(r.m.size, 1300);
		assert_false(r.m.settled);
		assert_true(until(&r, next[i] < MAX ? next[i] : MAX, 5 * HP_S)
			    < 2 * HP_S);
	}
}

static void nothing_to_measure_is_off(void **state)
{
	struct hp_pmtu m;

	(void)state;
	hp_pmtu_start(&m, MIN, 0, HP_S);
	assert_int_equal(m.state, HP_PMTU_DISABLED);
	assert_true(hp_pmtu_deadline(&m, HP_S) == HP_NEVER);
	assert_int_equal(hp_pmtu_tick(&m, RTT, HP_S, 5 * HP_S), 0);
	assert_false(hp_pmtu_answered(&m, 0, HP_S));
}

static void answer_to_nothing_is_not_ours(void **state)
{
	struct road r;

	(void)state;
	road_begin(&r, 1300);
	assert_false(hp_pmtu_answered(&r.m, 0, r.now_ns));
	run(&r, 60 * HP_MS);
	assert_int_equal(r.m.n_rungs, 1);
	assert_false(hp_pmtu_answered(&r.m, r.last + 1, r.now_ns));
	assert_true(hp_pmtu_answered(&r.m, r.last, r.now_ns));
	assert_false(hp_pmtu_answered(&r.m, r.last, r.now_ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_path_costs_one_probe),
		cmocka_unit_test(any_size_is_found_to_the_byte),
		cmocka_unit_test(
			black_hole_is_found_within_five_seconds_of_traffic),
		cmocka_unit_test(idle_path_is_left_alone),
		cmocka_unit_test(loss_is_no_black_hole),
		cmocka_unit_test(loss_makes_no_path_narrower),
		cmocka_unit_test(outage_says_nothing),
		cmocka_unit_test(wider_path_is_found_by_the_raise_timer),
		cmocka_unit_test(
			next_path_begins_with_what_the_last_one_carried),
		cmocka_unit_test(nothing_to_measure_is_off),
		cmocka_unit_test(answer_to_nothing_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
