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

#define CROWD 10000
/* Of one member that is known and idle, all in all. */
#define BYTES_MAX 4096

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

static void a_known_and_idle_member_costs_4_kib_at_most(void **state)
{
	struct world *w = world_make(1);
	size_t before, bytes;
	struct hp_node *node;

	(void)state;
	hp_node_free(node_with(w, 1)); /* what the libraries take once */
	node = node_with(w, 1);
	before = in_use();
	hp_node_free(node);
	before -= in_use();
	bytes = in_use();
	node = node_with(w, CROWD);
	bytes = (in_use() - bytes - before) / (CROWD - 1);
	print_message("%zu bytes for each of %d members\n", bytes, CROWD);
#ifndef FOREIGN_MALLOC
	assert_in_range(bytes, 1000, BYTES_MAX);
#endif
	hp_node_free(node);
	free(w);
}

static void idle_members_are_left_alone(void **state)
{
	struct world *w = world_make(2);
	struct hp_node *node = node_with(w, 1000);

	(void)state;
	hp_node_start(node, 1, 1000, HP_S);
	sent = 0;
	for (uint64_t s = 2; s < 300; s++)
		hp_node_tick(node, s * HP_S);
	assert_int_equal(sent, 0);
	assert_true(hp_node_deadline(node) == HP_NEVER);
	hp_node_free(node);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_and_idle_member_costs_4_kib_at_most),
		cmocka_unit_test(idle_members_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
