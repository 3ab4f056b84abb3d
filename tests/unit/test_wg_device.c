/* SPDX-License-Identifier: ISC */
/* lib/wg: whole interfaces that talk over a virtual wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/time.h"
#include "wg/peer.h"
#include "wg_world.h"

/* Every test runs on the slow path and with a data path of its own. */
#define BOTH for (int threaded = 0; threaded < 2; threaded++)

static struct hp_wg_peer *peer_of(struct world *w, size_t a, size_t b)
{
	return w->node[a].peer[b];
}

/* Two nodes with a session, the first of them its initiator. */
static struct world *connected(uint64_t seed, bool threaded)
{
	struct world *w = world_new(seed, 2, threaded);

	world_send(w, 0, 1, 100);
	world_wait(w, 100 * HP_MS);
	assert_int_equal(w->node[1].delivered, 1);
	return w;
}

static void staged_packets_go_out_after_the_handshake(void **state)
{
	(void)state;
	BOTH {
		struct world *w = world_new(1, 2, threaded);

		for (int i = 0; i < 3; i++)
			world_send(w, 0, 1, 100);
		assert_int_equal(world_info(w, 0, 1).staged, 3);
		world_wait(w, 19 * HP_MS);
		assert_int_equal(w->node[1].delivered, 0);
		world_wait(w, 20 * HP_MS);
		assert_int_equal(w->node[1].delivered, 3);
		assert_int_equal(w->node[1].last_mark, 3);
		assert_int_equal(w->node[0].sent[1], 1);
		assert_int_equal(w->node[1].sent[2], 1);
		assert_int_equal(w->node[0].keepalives, 0);
		assert_int_equal(w->node[0].events[HP_WG_SESSION_UP], 1);
		assert_int_equal(w->node[1].events[HP_WG_SESSION_UP], 1);
		world_send(w, 1, 0, 60);
		world_wait(w, 20 * HP_MS);
		assert_int_equal(w->node[0].delivered, 1);
		assert_true(world_info(w, 1, 0).usable);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(staged_packets_go_out_after_the_handshake),
	};

	(void)peer_of;
	(void)connected;
	return cmocka_run_group_tests_name("wg_device", tests, NULL, NULL);
}
