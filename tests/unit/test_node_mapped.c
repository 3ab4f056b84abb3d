/* SPDX-License-Identifier: ISC */
/* An address that the gateway opened: when peers are told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "node_world.h"

struct pair {
	struct sim_world w;
	struct sim_world_node *a;
	struct sim_world_node *b;
};

static void begin(struct pair *t)
{
	memset(t, 0, sizeof(*t));
	sim_world_init(&t->w, 5, true);
	t->a = nw_behind(&t->w, "alice", &nw_symmetric,
			 "203.0.113.211", "192.168.1.2");
	t->b = nw_behind(&t->w, "bob", &nw_symmetric,
			 "203.0.113.212", "192.168.2.2");
	sim_world_run(&t->w, 3 * HP_S);
	nw_want(t->b, "alice");
	assert_true(sim_world_wait(t->b, "alice", HP_PEER_RELAYED, 2 * HP_S));
}

/* Candidates of alice that bob knows. */
static unsigned int known(const struct pair *t)
{
	struct hp_node_peer_info info;

	assert_int_equal(hp_node_peer_find(t->b->node, "alice",
					   sim_now(t->w.sim), &info), HP_OK);
	return info.n_candidates;
}

static enum hp_mapped_verdict says(struct pair *t, const struct hp_addr *mapped)
{
	struct hp_node_mapped m;

	hp_node_set_mapped(t->a->node, mapped, sim_now(t->w.sim));
	sim_world_run(&t->w, 2 * HP_S);
	hp_node_mapped_get(t->a->node, &m);
	return m.verdict;
}

static void peers_are_told_while_servers_agree(void **state)
{
	const struct hp_addr good = hp_addr4(203, 0, 113, 211, 4000);
	const struct hp_addr other = hp_addr4(203, 0, 113, 77, 4000);
	const struct hp_addr inner = hp_addr4(10, 0, 0, 7, 4000);
	static struct pair t;
	unsigned int before;

	(void)state;
	begin(&t);
	before = known(&t);
	assert_int_equal(says(&t, &inner), HP_MAPPED_PRIVATE);
	assert_int_equal(says(&t, &other), HP_MAPPED_ELSEWHERE);
	assert_int_equal(known(&t), before);
	assert_int_equal(says(&t, &good), HP_MAPPED_ANNOUNCED);
	assert_int_equal(known(&t), before + 1);
	assert_int_equal(says(&t, NULL), HP_MAPPED_ABSENT);
	assert_int_equal(known(&t), before);
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_are_told_while_servers_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
