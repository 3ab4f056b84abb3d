/* SPDX-License-Identifier: ISC */
/*
 * What a large network costs a node that talks to few of its members: memory,
 * and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <malloc.h>

#include "base/bytes.h"
#include "base/time.h"
#include "member/judge.h"
#include "member_world.h"
#include "node/node.h"
#include "wg/device.h"
#include "wg/fib.h"
#include "../sim/world.h"

#define CROWD 10000
/* Of one member that is known and idle, all in all; and what is added by its
 * introduction and a direct path, once the session has run out.
 */
#define KNOWN_MAX 3136
#define CONNECTED_MAX 2176

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FOREIGN_MALLOC
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FOREIGN_MALLOC
#endif
#endif

static unsigned int sent;

static void on_send(void *ctx, const struct hp_path *path, int ttl,
		    const uint8_t *buf, size_t len)
{
	(void)ctx;
	(void)path;
	(void)ttl;
	(void)buf;
	(void)len;
	sent++;
}

static void on_event(void *ctx, const struct hp_node_event *ev)
{
	(void)ctx;
	(void)ev;
}

static void on_timestamp(void *ctx, uint8_t out[12])
{
	(void)ctx;
	memset(out, 0, 12);
}

static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Alice's node, which met @n members in another life. */
static struct hp_node *node_with(struct world *w, unsigned int n)
{
	struct hp_node_config cfg = {
		.net = &w->net,
		.identity = &w->alice,
		.judge = hp_judge_new(&w->net.id),
		.mtu = 1408,
		.engine = HP_AEAD_SODIUM,
		.rng = w->rng,
		.ops = { .send = on_send, .event = on_event,
			 .timestamp = on_timestamp },
	};
	struct hp_pin pin = { .name = "" };
	struct hp_node *node;

	assert_non_null(cfg.judge);
	for (unsigned int i = 0; i < n; i++) {
		(void)snprintf(pin.name, sizeof(pin.name), "m%u", i);
		pin.serial = 100 + i;
		pin.overlay = (struct hp_overlay){ { 10, 9 }, 16 };
		hp_put_be16(pin.overlay.ip + 2, (uint16_t)(100 + i));
		hp_rng_fill(&w->rng, pin.key.b, sizeof(pin.key.b));
		hp_rng_fill(&w->rng, pin.sign.b, sizeof(pin.sign.b));
		assert_int_equal(hp_judge_add_pin(cfg.judge, &pin), HP_OK);
	}
	assert_int_equal(hp_node_new(&cfg, &node), HP_OK);
	return node;
}

/* Of each member of a crowd that is known and idle. */
static size_t known_bytes(void)
{
	struct world *w = world_make(1);
	size_t before, bytes;
	struct hp_node *node;

	hp_node_free(node_with(w, 1)); /* what the libraries take once */
	node = node_with(w, 1);
	before = in_use();
	hp_node_free(node);
	before -= in_use();
	bytes = in_use();
	node = node_with(w, CROWD);
	bytes = (in_use() - bytes - before) / (CROWD - 1);
	hp_node_free(node);
	free(w);
	return bytes;
}

/* Nothing is due for them, so that they cost no time, however many. */
static void idle_members_are_left_alone(void **state)
{
	static const unsigned int crowds[] = { 1, 100, CROWD };

	(void)state;
	for (size_t i = 0; i < sizeof(crowds) / sizeof(crowds[0]); i++) {
		struct world *w = world_make(2);
		struct hp_node *node = node_with(w, crowds[i]);

		hp_node_start(node, 1, 1000, HP_S);
		sent = 0;
		for (uint64_t s = 2; s < 300; s++)
			hp_node_tick(node, s * HP_S);
		assert_int_equal(sent, 0);
		assert_true(hp_node_deadline(node) == HP_NEVER);
		hp_node_free(node);
		free(w);
	}
}

/* What all nodes of @w have, by ending them. */
static size_t held_by_nodes(struct sim_world *w)
{
	size_t before;

	/* As a daemon does: nothing reads what was replaced. */
	for (unsigned int i = 0; i < w->n_nodes; i++)
		hp_fib_reclaim(hp_wg_fib(hp_node_wg(w->nodes[i].node)));
	before = in_use();
	for (unsigned int i = 0; i < w->n_nodes; i++)
		sim_world_kill(&w->nodes[i]);
	return before - in_use();
}

/* Members behind NATs of their own. */
static void neighbours(struct sim_world *w)
{
	static const struct sim_nat_config home = {
		.mapping = SIM_EIM,
		.filtering = SIM_APDF,
	};
	static const struct sim_link link = { .delay_ns = 10 * HP_MS };
	char name[8], outside[16], inside[16];

	sim_world_init(w, 3, true);
	for (unsigned int i = 0; i < WORLD_NODES; i++) {
		(void)snprintf(name, sizeof(name), "m%u", i);
		(void)snprintf(outside, sizeof(outside), "203.0.113.%u",
			       10 + i);
		(void)snprintf(inside, sizeof(inside), "192.168.%u.2", i);
		(void)sim_world_add(w, name, sim_nat_new(w->sim, &home, NULL,
							 outside),
				    inside, &link);
	}
	sim_world_acquaint(w);
	sim_world_run(w, 600 * HP_S);
}

static void all_connect(struct sim_world *w)
{
	char name[8];

	for (unsigned int i = 0; i < WORLD_NODES; i++)
		for (unsigned int k = 0; k < WORLD_NODES; k++) {
			(void)snprintf(name, sizeof(name), "m%u", k);
			if (i != k)
				assert_int_equal(hp_node_want(w->nodes[i].node,
							      name,
							      sim_now(w->sim)),
						 HP_OK);
		}
	sim_world_run(w, 30 * HP_S);
}

static void an_idle_member_costs_a_few_kib(void **state)
{
	const unsigned int pairs = WORLD_NODES * (WORLD_NODES - 1);
	size_t known = known_bytes(), apart = 0, together;
	static struct sim_world w;
	unsigned int before;
	char name[8];

	(void)state;
	for (int i = 0; i < 2; i++) { /* at first libraries take theirs */
		neighbours(&w);
		apart = held_by_nodes(&w);
		sim_world_free(&w);
	}
	neighbours(&w);
	all_connect(&w);
	sim_world_run(&w, 600 * HP_S);
	for (unsigned int i = 1; i < WORLD_NODES; i++) {
		(void)snprintf(name, sizeof(name), "m%u", i);
		assert_int_equal(sim_world_state(&w.nodes[0], name),
				 HP_PEER_DIRECT);
	}
	/* Every 25 s a probe and the answer to the other's, over the path in
	 * use and over the relay, and the server's own.
	 */
	before = w.nodes[0].sent;
	sim_world_run(&w, 500 * HP_S);
	assert_in_range(w.nodes[0].sent - before, 20 * (WORLD_NODES - 1),
			20 * (4 * (WORLD_NODES - 1) + 2));
	together = held_by_nodes(&w);
	sim_world_free(&w);
	print_message("%zu bytes for each of %d members; %zu more for one that "
		      "is connected\n", known, CROWD,
		      (together - apart) / pairs);
#ifndef FOREIGN_MALLOC
	assert_in_range(known, 1000, KNOWN_MAX);
	assert_in_range((together - apart) / pairs, 1000, CONNECTED_MAX);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_member_costs_a_few_kib),
		cmocka_unit_test(idle_members_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
