/* SPDX-License-Identifier: ISC */
/*
 * Members that relay for others: alice and bob reach carol, and not each other;
 * there is no rendezvous any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../sim/world.h"
#include "base/bytes.h"
#include "base/datagram.h"
#include "member/judge.h"
#include "node/ferry.h"
#include "node/internal.h"

static const struct sim_link ten_ms = { .delay_ns = 10 * HP_MS };
static const struct sim_link far = { .delay_ns = 60 * HP_MS };

static const struct sim_nat_config symmetric = {
	.mapping = SIM_APDM,
	.filtering = SIM_APDF,
	.ports = SIM_RANDOM,
};

struct quartet {
	struct sim_world w;
	struct sim_world_node *alice;
	struct sim_world_node *bob;
	struct sim_world_node *carol;
	struct sim_world_node *dave;	/* farther; NULL: is not there */
};

struct setting {
	uint64_t seed;
	const struct sim_nat_config *nat;
	bool carol, dave;		/* relay for others */
	bool two;			/* dave is there */
	uint32_t rate;
};

static void want(struct sim_world_node *x, const char *peer)
{
	assert_int_equal(hp_node_want(x->node, peer, sim_now(x->world->sim)),
			 HP_OK);
}

static void meet(struct sim_world_node *a, const char *peer)
{
	want(a, peer);
	assert_true(sim_world_wait(a, peer, HP_PEER_DIRECT, 5 * HP_S));
}

/* alice and bob know carol (and dave), and then the server dies. */
static void begin(struct quartet *t, const struct setting *s)
{
	struct sim_nat *nat[2];

	memset(t, 0, sizeof(*t));
	sim_world_init(&t->w, s->seed, true);
	t->w.methods = HP_METHODS_ALL &
		       ~(uint32_t)(HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY);
	nat[0] = sim_nat_new(t->w.sim, s->nat, NULL, "203.0.113.211");
	nat[1] = sim_nat_new(t->w.sim, s->nat, NULL, "203.0.113.212");
	t->alice = sim_world_add(&t->w, "alice", nat[0], "192.168.1.2",
				 &ten_ms);
	t->bob = sim_world_add(&t->w, "bob", nat[1], "192.168.2.2", &ten_ms);
	t->w.relay_rate = s->rate;
	t->w.allow_relay = s->carol;
	t->carol = sim_world_add(&t->w, "carol", NULL, "203.0.113.23",
				 &ten_ms);
	t->w.allow_relay = s->dave;
	if (s->two)
		t->dave = sim_world_add(&t->w, "dave", NULL, "203.0.113.24",
					&far);
	sim_world_run(&t->w, 2 * HP_S);
	meet(t->alice, "carol");
	meet(t->bob, "carol");
	if (t->dave) {
		meet(t->alice, "dave");
		meet(t->bob, "dave");
	}
	sim_world_run(&t->w, HP_S);
	sim_world_server_stop(&t->w, 0);
}

static struct hp_node_peer_info info_of(struct sim_world_node *x,
					const char *peer)
{
	struct hp_node_peer_info info;

	assert_int_equal(hp_node_peer_find(x->node, peer,
					   sim_now(x->world->sim), &info),
			 HP_OK);
	return info;
}

/* Ten packets each way; how many arrived. */
static unsigned int talk(struct sim_world_node *a, struct sim_world_node *b)
{
	unsigned int was = a->delivered + b->delivered;

	for (unsigned int i = 0; i < 10; i++) {
		sim_world_packet(a, b);
		sim_world_packet(b, a);
		sim_world_run(a->world, 100 * HP_MS);
	}
	return a->delivered + b->delivered - was;
}

static bool relayed_by(struct sim_world_node *x, const char *peer,
		       const char *by)
{
	struct hp_node_peer_info info = info_of(x, peer);

	return info.state == HP_PEER_RELAYED && info.server &&
	       !strcmp(info.server, by);
}

static struct hp_ferry_info ferry_of(const struct sim_world_node *x)
{
	struct hp_ferry_info info;

	assert_true(hp_node_ferry_get(x->node, &info));
	return info;
}

static void two_without_a_server_are_relayed_by_a_member(void **state)
{
	struct quartet t;

	(void)state;
	for (uint64_t seed = 1; seed < 5; seed++) {
		begin(&t, &(struct setting){ seed, &symmetric, .carol = true });
		want(t.alice, "bob");
		assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED,
					   5 * HP_S));
		sim_world_run(&t.w, HP_S);
		assert_true(relayed_by(t.alice, "bob", "carol"));
		assert_true(relayed_by(t.bob, "alice", "carol"));
		assert_int_equal(talk(t.alice, t.bob), 20);
		assert_int_equal(ferry_of(t.carol).channels, 1);
		assert_true(ferry_of(t.carol).packets >= 20);
		assert_int_equal(ferry_of(t.carol).dropped, 0);
		/* It lasts, busy or idle. */
		sim_world_run(&t.w, 600 * HP_S);
		assert_int_equal(talk(t.alice, t.bob), 20);
		assert_int_equal(t.alice->bad + t.bob->bad + t.carol->bad, 0);
		sim_world_free(&t.w);
	}
}

static void nobody_relays_who_does_not_allow_it(void **state)
{
	struct hp_ferry_info info;
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 10, &symmetric, .carol = false });
	want(t.alice, "bob");
	sim_world_run(&t.w, 30 * HP_S);
	assert_int_equal(sim_world_state(t.alice, "bob"),
			 HP_PEER_CONNECTING);
	assert_int_equal(talk(t.alice, t.bob), 0);
	assert_false(hp_node_ferry_get(t.carol->node, &info));
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_without_a_server_are_relayed_by_a_member),
		cmocka_unit_test(nobody_relays_who_does_not_allow_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
