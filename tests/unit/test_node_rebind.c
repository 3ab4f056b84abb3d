/* SPDX-License-Identifier: ISC */
/*
 * A main socket whose port has clashed with another host's in the NAT moves to
 * another port when that helps, and only then. Two hosts use the same port
 * behind one Linux NAT: the second one gets a random port for each server that
 * both talk to, while its fresh sockets keep their ports.
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
#include "punch/nat.h"

/* As lib/node/sample.c has it. */
#define REBIND_GAP (600 * HP_S)

struct home {
	struct sim_world w;
	struct sim_nat *nat;
	struct sim_world_node *first;	/* has the port */
	struct sim_world_node *alice;	/* in the same LAN, too late */
	struct sim_world_node *bob;	/* elsewhere */
};

/* @methods: alice's. */
static void begin(struct home *t, uint64_t seed, uint32_t methods)
{
	struct sim_nat *far;

	memset(t, 0, sizeof(*t));
	sim_world_init(&t->w, seed, true);
	sim_world_add_server(&t->w);
	t->nat = sim_nat_new(t->w.sim, &nw_linux, NULL, "203.0.113.11");
	far = sim_nat_new(t->w.sim, &nw_symmetric, NULL, "203.0.113.12");
	t->first = sim_world_add(&t->w, "first", t->nat, "192.168.1.3",
				 &nw_ten_ms);
	sim_world_run(&t->w, HP_S);
	t->w.methods = methods;
	t->alice = sim_world_add(&t->w, "alice", t->nat, "192.168.1.2",
				 NULL);
	t->w.methods = 0;
	t->bob = sim_world_add(&t->w, "bob", far, "192.168.2.2", &nw_ten_ms);
	sim_world_run(&t->w, 2 * HP_S);
}

static struct hp_nat_facts facts(const struct home *t)
{
	struct hp_nat_facts f;

	hp_node_nat_get(t->alice->node, &f);
	return f;
}

/* As bob sees her: direct, and at which port of her NAT. */
static uint16_t port_at_bob(const struct home *t)
{
	struct hp_node_peer_info info;

	assert_int_equal(hp_node_peer_find(t->bob->node, "alice",
					   sim_now(t->w.sim), &info), HP_OK);
	assert_int_equal(info.state, HP_PEER_DIRECT);
	return info.path.remote.port;
}

static void clash_is_left_once_and_the_peer_told(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		static struct home t;

		begin(&t, seed, 0);
		assert_true(hp_nat_is_hard(facts(&t).mapping));
		nw_want(t.alice, "bob");
		assert_true(sim_world_wait(t.alice, "bob", HP_PEER_DIRECT,
					   20 * HP_S));
		sim_world_run(&t.w, 30 * HP_S);
		assert_int_equal(t.alice->moved, 1);
		assert_int_equal(t.first->moved + t.bob->moved, 0);
		assert_int_not_equal(t.alice->port, WORLD_PORT);
		assert_int_equal(port_at_bob(&t), t.alice->port);
		assert_false(hp_nat_is_hard(facts(&t).mapping));
		assert_int_equal(sim_world_state(t.alice, "bob"),
				 HP_PEER_DIRECT);
		sim_world_free(&t.w);
	}
}

static void socket_stays_while_a_direct_path_is_in_use(void **state)
{
	static struct home t;

	(void)state;
	begin(&t, 3, 0);
	sim_world_add(&t.w, "open", NULL, "203.0.113.21", &nw_ten_ms);
	sim_world_run(&t.w, 2 * HP_S);
	nw_want(t.alice, "open");
	assert_true(sim_world_wait(t.alice, "open", HP_PEER_DIRECT,
				   10 * HP_S));
	nw_want(t.alice, "bob");
	sim_world_run(&t.w, 120 * HP_S);
	assert_true(t.alice->most_extra > 0);
	assert_true(hp_nat_is_hard(facts(&t).mapping));
	assert_int_equal(t.alice->moved, 0);
	assert_int_equal(sim_world_state(t.alice, "open"), HP_PEER_DIRECT);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_RELAYED);
	sim_world_free(&t.w);
}

static void socket_stays_when_the_method_is_off(void **state)
{
	static struct home t;

	(void)state;
	begin(&t, 3, HP_METHODS_ALL & ~(uint32_t)HP_METHOD_REBIND);
	nw_want(t.alice, "bob");
	sim_world_run(&t.w, 120 * HP_S);
	assert_true(t.alice->most_extra > 0);
	assert_int_equal(t.alice->moved, 0);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_RELAYED);
	sim_world_free(&t.w);
}

/* Her new port clashes, too: the NAT forgets all, and a third host, which
 * uses the same port, is the first to be heard.
 */
static void clash_again(struct home *t)
{
	const struct sim_site site = {
		.nat = t->nat,
		.ip4 = "192.168.1.4",
		.port = t->alice->port,
	};

	sim_world_sleep(t->alice);
	sim_nat_flush(t->nat);
	sim_world_join(&t->w, "third", &site);
	sim_world_run(&t->w, 30 * HP_S);
	sim_world_wake(t->alice);
}

/* Alice goes on talking to @peer until her socket has moved @n times. */
static bool talk_until_moved(struct home *t, struct sim_world_node *peer,
			     unsigned int n, uint64_t until_ns)
{
	while (t->alice->moved < n && sim_now(t->w.sim) < until_ns) {
		sim_world_packet(t->alice, peer);
		sim_world_run(&t->w, HP_S);
	}
	return t->alice->moved >= n;
}

static void second_move_waits_its_time(void **state)
{
	static struct home t;
	struct sim_world_node *late;
	struct sim_nat *far;
	uint64_t again_ns;

	(void)state;
	begin(&t, 5, 0);
	far = sim_nat_new(t.w.sim, &nw_symmetric, NULL, "203.0.113.13");
	late = sim_world_add(&t.w, "late", far, "192.168.3.2", &nw_ten_ms);
	again_ns = sim_now(t.w.sim) + REBIND_GAP;
	nw_want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_DIRECT,
				   20 * HP_S));
	sim_world_kill(t.bob);
	sim_world_run(&t.w, 60 * HP_S);
	assert_int_not_equal(sim_world_state(t.alice, "bob"), HP_PEER_DIRECT);
	clash_again(&t);
	nw_want(t.alice, "late");
	assert_false(talk_until_moved(&t, late, 2, again_ns));
	assert_true(hp_nat_is_hard(facts(&t).mapping));
	assert_int_equal(sim_world_state(t.alice, "late"), HP_PEER_RELAYED);
	assert_true(talk_until_moved(&t, late, 2, again_ns + 1200 * HP_S));
	assert_true(sim_world_wait(t.alice, "late", HP_PEER_DIRECT,
				   60 * HP_S));
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clash_is_left_once_and_the_peer_told),
		cmocka_unit_test(socket_stays_while_a_direct_path_is_in_use),
		cmocka_unit_test(socket_stays_when_the_method_is_off),
		cmocka_unit_test(second_move_waits_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
