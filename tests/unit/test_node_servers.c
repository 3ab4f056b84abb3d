/* SPDX-License-Identifier: ISC */
/*
 * Several rendezvous servers: one that is dead costs no waiting, the nearest
 * relays, and another one takes over. Each is farther than the one before.
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

#define SERVERS 3

struct pair {
	struct sim_world w;
	struct sim_nat *nat[2];
	struct sim_world_node *a;
	struct sim_world_node *b;
};

static void begin(struct pair *t, uint64_t seed,
		  const struct sim_nat_config *cfg)
{
	memset(t, 0, sizeof(*t));
	sim_world_init(&t->w, seed, true);
	for (unsigned int i = 1; i < SERVERS; i++)
		sim_world_add_server(&t->w);
	t->nat[0] = sim_nat_new(t->w.sim, cfg, NULL, "203.0.113.211");
	t->nat[1] = sim_nat_new(t->w.sim, cfg, NULL, "203.0.113.212");
}

static void join(struct pair *t)
{
	t->a = sim_world_add(&t->w, "alice", t->nat[0], "192.168.1.2",
			     &nw_ten_ms);
	t->b = sim_world_add(&t->w, "bob", t->nat[1], "192.168.2.2", &nw_ten_ms);
	sim_world_run(&t->w, 3 * HP_S);
}

/* Which server relays for @x, or SERVERS. */
static unsigned int relay_of(const struct pair *t,
			     const struct sim_world_node *x, const char *peer)
{
	struct hp_node_peer_info info;

	assert_int_equal(hp_node_peer_find(x->node, peer, sim_now(t->w.sim),
					   &info), HP_OK);
	for (unsigned int i = 0; i < SERVERS; i++) {
		struct hp_addr at = sim_host_addr_of(t->w.servers[i].host,
						     HP_AF_4, 0);

		if (info.path.channel &&
		    hp_addr_same_ip(&at, &info.path.remote))
			return i;
	}
	return SERVERS;
}

/* Packets both ways; the longest time without any. */
static uint64_t talk(struct pair *t, uint64_t ns)
{
	const struct sim_stream *s[2] = { &t->a->from[1], &t->b->from[0] };
	uint64_t got_ns[2] = { sim_now(t->w.sim), sim_now(t->w.sim) };
	uint32_t got[2] = { s[0]->delivered, s[1]->delivered };
	uint64_t end = sim_now(t->w.sim) + ns, gap = 0;

	while (sim_now(t->w.sim) < end) {
		sim_world_packet(t->a, t->b);
		sim_world_packet(t->b, t->a);
		sim_world_run(&t->w, 20 * HP_MS);
		for (unsigned int i = 0; i < 2; i++) {
			uint64_t now = sim_now(t->w.sim);

			if (s[i]->delivered != got[i])
				got_ns[i] = now;
			else if (now - got_ns[i] > gap)
				gap = now - got_ns[i];
			got[i] = s[i]->delivered;
		}
	}
	return gap;
}

static void one_dead_of_three_costs_no_waiting(void **state)
{
	(void)state;
	for (unsigned int dead = 0; dead < SERVERS; dead++) {
		static struct pair t;

		begin(&t, 1 + dead, &nw_home);
		sim_world_server_stop(&t.w, dead);
		join(&t);
		nw_want(t.a, "bob");
		assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT,
					   500 * HP_MS));
		sim_world_free(&t.w);
	}
}

static void the_nearest_server_relays(void **state)
{
	(void)state;
	for (uint64_t seed = 10; seed < 20; seed++) {
		static struct pair t;

		begin(&t, seed, &nw_symmetric);
		join(&t);
		nw_want(t.a, "bob");
		talk(&t, 5 * HP_S);
		assert_int_equal(relay_of(&t, t.a, "bob"), 0);
		assert_int_equal(relay_of(&t, t.b, "alice"), 0);
		sim_world_free(&t.w);
	}
}

static void another_server_takes_over_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 20; seed < 30; seed++) {
		static struct pair t;

		begin(&t, seed, &nw_symmetric);
		join(&t);
		nw_want(t.a, "bob");
		talk(&t, 20 * HP_S);
		sim_world_server_stop(&t.w, 0);
		assert_true(talk(&t, 10 * HP_S) < 1500 * HP_MS);
		assert_in_range(relay_of(&t, t.a, "bob"), 1, 2);
		assert_in_range(relay_of(&t, t.b, "alice"), 1, 2);
		sim_world_free(&t.w);
	}
}

static void a_nearer_server_that_comes_back_relays_again(void **state)
{
	static struct pair t;

	(void)state;
	begin(&t, 41, &nw_symmetric);
	sim_world_server_stop(&t.w, 0);
	join(&t);
	nw_want(t.a, "bob");
	talk(&t, 20 * HP_S);
	assert_int_equal(relay_of(&t, t.a, "bob"), 1);
	sim_world_server_start(&t.w, 0);
	assert_true(talk(&t, 40 * HP_S) < 300 * HP_MS);
	assert_int_equal(relay_of(&t, t.a, "bob"), 0);
	assert_int_equal(relay_of(&t, t.b, "alice"), 0);
	sim_world_free(&t.w);
}

/* The relay's server died, or forgot its channels, while it was not needed. */
static void the_relay_is_warm_when_a_direct_path_dies(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		static struct pair t;

		begin(&t, 50 + i, &nw_home);
		join(&t);
		nw_want(t.a, "bob");
		talk(&t, 20 * HP_S);
		assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
		sim_world_server_stop(&t.w, 0);
		if (i & 1)
			sim_world_server_start(&t.w, 0);
		assert_true(talk(&t, 70 * HP_S) < 100 * HP_MS);
		sim_nat_renumber(t.nat[1], "203.0.113.99");
		assert_true(talk(&t, 10 * HP_S) < 1200 * HP_MS);
		sim_world_free(&t.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_dead_of_three_costs_no_waiting),
		cmocka_unit_test(the_nearest_server_relays),
		cmocka_unit_test(another_server_takes_over_at_once),
		cmocka_unit_test(a_nearer_server_that_comes_back_relays_again),
		cmocka_unit_test(the_relay_is_warm_when_a_direct_path_dies),
	};

	return cmocka_run_group_tests_name("node_servers", tests, NULL, NULL);
}
