/* SPDX-License-Identifier: ISC */
/*
 * How long packets stay away when something changes under a connection: lib on
 * the virtual internet, packets both ways every 20 ms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "node_world.h"

#define STEP (20 * HP_MS)
#define RUNS 8

struct pair {
	struct sim_world w;
	struct sim_nat *nat[2];
	struct sim_world_node *node[2];
	uint64_t got_ns[2];
	uint32_t got[2];
	uint64_t gap_ns;
};

static void look(struct pair *t)
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct sim_stream *s = &t->node[i]->from[!i];

		if (s->delivered != t->got[i]) {
			if (s->last_ns - t->got_ns[i] > t->gap_ns)
				t->gap_ns = s->last_ns - t->got_ns[i];
			t->got_ns[i] = s->last_ns;
		}
		t->got[i] = s->delivered;
	}
}

static void talk(struct pair *t, uint64_t ns)
{
	for (uint64_t end = sim_now(t->w.sim) + ns; sim_now(t->w.sim) < end;) {
		sim_world_packet(t->node[0], t->node[1]);
		sim_world_packet(t->node[1], t->node[0]);
		sim_world_run(&t->w, STEP);
		look(t);
	}
}

/* Connected for 20 s, as @direct says. */
static void begin(struct pair *t, uint64_t seed, bool direct)
{
	const struct sim_link link = {
		.delay_ns = (5 + 5 * (seed % 8)) * HP_MS,
		.jitter_ns = HP_MS,
	};
	const struct sim_nat_config *cfg = !direct ? &nw_symmetric :
					   seed & 1 ? &nw_home : &nw_linux;

	memset(t, 0, sizeof(*t));
	sim_world_init(&t->w, seed, true);
	t->nat[0] = sim_nat_new(t->w.sim, cfg, NULL, "203.0.113.11");
	t->nat[1] = sim_nat_new(t->w.sim, cfg, NULL, "203.0.113.12");
	t->node[0] = sim_world_add(&t->w, "alice", t->nat[0], "192.168.1.2",
				   &link);
	t->node[1] = sim_world_add(&t->w, "bob", t->nat[1], "192.168.2.2",
				   &link);
	sim_world_run(&t->w, 3 * HP_S);
	nw_want(t->node[0], "bob");
	talk(t, 20 * HP_S);
	assert_int_equal(sim_world_state(t->node[0], "bob"),
			 direct ? HP_PEER_DIRECT : HP_PEER_RELAYED);
	t->gap_ns = 0;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

typedef void change_fn(struct pair *t);

static void gaps_are_short(change_fn *change, bool direct, bool again)
{
	uint64_t gap[RUNS];

	for (unsigned int i = 0; i < RUNS; i++) {
		static struct pair t;

		begin(&t, 40 + i, direct);
		change(&t);
		talk(&t, 10 * HP_S);
		look(&t);
		gap[i] = t.gap_ns;
		if (sim_now(t.w.sim) - t.got_ns[0] > HP_S ||
		    sim_now(t.w.sim) - t.got_ns[1] > HP_S)
			gap[i] = HP_NEVER;
		if (again)
			assert_true(sim_world_wait(t.node[0], "bob",
						   HP_PEER_DIRECT, 60 * HP_S));
		assert_int_equal(t.node[0]->bad + t.node[1]->bad, 0);
		assert_int_equal(t.node[0]->twice + t.node[1]->twice, 0);
		sim_world_free(&t.w);
	}
	qsort(gap, RUNS, sizeof(gap[0]), by_size);
	print_message("gap: median %u ms, longest %u ms\n",
		      (unsigned int)(gap[RUNS / 2] / HP_MS),
		      (unsigned int)(gap[RUNS - 1] / HP_MS));
	assert_true(gap[RUNS / 2] < HP_S);
	assert_true(gap[RUNS - 1] < 2500 * HP_MS);
}

static void flush(struct pair *t)
{
	sim_nat_flush(t->nat[0]);
	sim_nat_flush(t->nat[1]);
}

static void renumber(struct pair *t)
{
	sim_nat_renumber(t->nat[1], "203.0.113.99");
}

static void own_address(struct pair *t)
{
	sim_host_renumber(t->node[1]->host, "192.168.2.77");
	sim_world_tell_interfaces(t->node[1]);
}

static void restart_server(struct pair *t)
{
	sim_world_server_stop(&t->w, 0);
	sim_world_server_start(&t->w, 0);
}

static void flushed_nats_cost_no_second(void **state)
{
	(void)state;
	gaps_are_short(flush, true, true);
	gaps_are_short(flush, false, false);
}

static void a_new_public_address_costs_no_second(void **state)
{
	(void)state;
	gaps_are_short(renumber, true, true);
	gaps_are_short(renumber, false, false);
}

static void a_new_own_address_costs_no_second(void **state)
{
	(void)state;
	gaps_are_short(own_address, true, false);
	gaps_are_short(own_address, false, false);
}

static void a_restarted_server_costs_no_second(void **state)
{
	(void)state;
	gaps_are_short(restart_server, true, true);
	gaps_are_short(restart_server, false, false);
}

/* The other side went on sending into the void; the NAT forgot long ago. */
static void sleep_600_s(struct pair *t)
{
	uint64_t end = sim_now(t->w.sim) + 600 * HP_S;

	sim_world_sleep(t->node[1]);
	while (sim_now(t->w.sim) < end) {
		sim_world_packet(t->node[0], t->node[1]);
		sim_world_run(&t->w, HP_S);
	}
	sim_nat_flush(t->nat[1]);
}

static void woken_in_3_s(uint64_t seed, bool direct, bool moved)
{
	static struct pair t;

	begin(&t, seed, direct);
	sleep_600_s(&t);
	if (moved)
		sim_nat_renumber(t.nat[1], "203.0.113.99");
	sim_world_wake(t.node[1]);
	look(&t);
	t.got_ns[0] = t.got_ns[1] = sim_now(t.w.sim);
	t.gap_ns = 0;
	talk(&t, 3 * HP_S);
	assert_true(t.got_ns[0] > sim_now(t.w.sim) - HP_S);
	assert_true(t.got_ns[1] > sim_now(t.w.sim) - HP_S);
	assert_true(t.gap_ns < 2500 * HP_MS);
	if (direct)
		assert_true(sim_world_wait(t.node[0], "bob", HP_PEER_DIRECT,
					   60 * HP_S));
	sim_world_free(&t.w);
}

static void who_slept_for_ten_minutes_is_back_in_3_s(void **state)
{
	(void)state;
	for (uint64_t seed = 70; seed < 74; seed++) {
		woken_in_3_s(seed, true, false);
		woken_in_3_s(seed, true, true);
		woken_in_3_s(seed, false, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushed_nats_cost_no_second),
		cmocka_unit_test(a_new_public_address_costs_no_second),
		cmocka_unit_test(a_new_own_address_costs_no_second),
		cmocka_unit_test(a_restarted_server_costs_no_second),
		cmocka_unit_test(who_slept_for_ten_minutes_is_back_in_3_s),
	};

	return cmocka_run_group_tests_name("node_upkeep", tests, NULL, NULL);
}
