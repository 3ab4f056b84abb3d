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

static void nothing_waits_when_nothing_is_to_be_done(void **state)
{
	struct world *w = world_new(2, 2, true);

	(void)state;
	assert_true(hp_wg_deadline(w->node[0].wg) == HP_NEVER);
	world_free(w);
}

/* ---- renewal ------------------------------------------------------------ */

static void initiator_renews_after_120_s_of_traffic(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(3, threaded);
		unsigned int n = 0;

		for (; n < 1200; n++) {
			world_send(w, n % 2, !(n % 2), 200);
			world_wait(w, 100 * HP_MS);
			if (n == 1195)
				assert_int_equal(w->node[0].sent[1], 1);
		}
		for (; n < 1210; n++) {
			world_send(w, 0, 1, 200);
			world_wait(w, 100 * HP_MS);
		}
		assert_int_equal(w->node[0].sent[1], 2);
		assert_int_equal(w->node[1].sent[1], 0);
		assert_int_equal(w->node[0].delivered +
				 w->node[1].delivered, 1 + n);
		/* Each renewal comes once, and no packet is lost by it. */
		for (; n < 5000; n++) {
			world_send(w, n % 2, !(n % 2), 200);
			world_wait(w, 100 * HP_MS);
		}
		assert_int_equal(w->node[0].sent[1], 5);
		assert_int_equal(w->node[0].delivered +
				 w->node[1].delivered, 1 + n);
		world_free(w);
	}
}

static void initiator_that_only_receives_renews_at_165_s(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(4, threaded);
		uint64_t birth_ns = world_info(w, 0, 1).session_ns;

		/* One packet at a time: its keepalive goes out 10 s later. */
		world_run(w, birth_ns + 164 * HP_S);
		world_send(w, 1, 0, 100);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[0].sent[1], 1);
		world_run(w, birth_ns + 165 * HP_S);
		world_send(w, 1, 0, 100);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[0].delivered, 2);
		assert_int_equal(w->node[0].sent[1], 2);
		assert_int_equal(w->node[1].sent[1], 0);
		world_free(w);
	}
}

static void idle_session_is_not_renewed_and_keys_are_wiped(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(5, threaded);

		world_wait(w, 539 * HP_S);
		assert_int_equal(w->node[0].sent[1], 1);
		assert_non_null(peer_of(w, 0, 1)->current);
		assert_false(world_info(w, 0, 1).usable);
		world_wait(w, 2 * HP_S);
		assert_null(peer_of(w, 0, 1)->current);
		assert_null(peer_of(w, 1, 0)->current);
		assert_int_equal(w->node[0].events[HP_WG_KEYS_GONE], 1);
		assert_true(hp_wg_deadline(w->node[0].wg) == HP_NEVER);
		world_send(w, 1, 0, 100);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[0].delivered, 1);
		world_free(w);
	}
}

static void session_over_180_s_old_carries_nothing(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(6, threaded);
		struct datagram old;

		world_send(w, 0, 1, 100);
		old = w->last[4];
		w->n_wire = 0;
		world_wait(w, 181 * HP_S);
		assert_int_not_equal(world_inject(w, 1, &old.from, old.bytes,
						  old.len), HP_OK);
		assert_int_equal(world_drops(w, 1, HP_DROP_EXPIRED), 1);
		world_send(w, 0, 1, 100);
		assert_int_equal(world_info(w, 0, 1).staged, 1);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[1].delivered, 2);
		world_free(w);
	}
}

/* ---- both at once ------------------------------------------------------- */

static void both_initiate_at_once_and_settle_on_one_session(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++)
		BOTH {
			struct world *w = world_new(seed, 2, threaded);
			struct hp_wg_peer *a = peer_of(w, 0, 1);
			struct hp_wg_peer *b = peer_of(w, 1, 0);
			unsigned int n = 2;

			world_send(w, 0, 1, 100);
			world_wait(w, hp_rng_below(&w->rng, 25) * HP_MS);
			world_send(w, 1, 0, 100);
			world_wait(w, 200 * HP_MS);
			assert_int_equal(w->node[0].delivered, 1);
			assert_int_equal(w->node[1].delivered, 1);
			assert_int_equal(a->current->local, b->current->remote);
			assert_int_equal(b->current->local, a->current->remote);
			for (; n < 3000; n++) {
				world_send(w, n % 2, !(n % 2), 100);
				world_wait(w, 100 * HP_MS);
			}
			assert_int_equal(w->node[0].delivered +
					 w->node[1].delivered, n);
			/* Two renewals, by one of the two. */
			assert_int_equal(w->node[0].sent[1] +
					 w->node[1].sent[1] -
					 (a->current->initiator ?
					  w->node[1].sent[1] :
					  w->node[0].sent[1]), 3);
			world_free(w);
		}
}

/* ---- keepalives --------------------------------------------------------- */

static void receiver_answers_with_a_keepalive_after_10_s(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(7, threaded);

		/* The answer to the first packet and its keepalive. */
		world_wait(w, 60 * HP_S);
		assert_int_equal(w->node[1].keepalives, 1);
		assert_int_equal(w->node[0].keepalives, 0);
		world_send(w, 0, 1, 100);
		world_wait(w, 9990 * HP_MS);
		assert_int_equal(w->node[1].keepalives, 1);
		world_wait(w, 40 * HP_MS);
		assert_int_equal(w->node[1].keepalives, 2);
		world_wait(w, 30 * HP_S);
		assert_int_equal(w->node[1].keepalives, 2);
		assert_int_equal(w->node[0].keepalives, 0);
		world_free(w);
	}
}

static void steady_answers_need_no_keepalive(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(8, threaded);

		for (int i = 0; i < 60; i++) {
			world_send(w, 1, 0, 100);
			world_wait(w, 50 * HP_MS);
			world_send(w, 0, 1, 100);
			world_wait(w, 950 * HP_MS);
		}
		assert_int_equal(w->node[0].keepalives, 0);
		assert_int_equal(w->node[1].keepalives, 0);
		world_free(w);
	}
}

static void persistent_keepalive_goes_out_when_all_is_quiet(void **state)
{
	(void)state;
	BOTH {
		struct world *w = world_new(9, 2, threaded);

		hp_wg_peer_set_keepalive(peer_of(w, 0, 1), 25, w->now_ns);
		world_wait(w, HP_S);
		assert_int_equal(w->node[0].events[HP_WG_SESSION_UP], 1);
		assert_int_equal(w->node[0].keepalives, 1);
		world_wait(w, 100 * HP_S);
		assert_int_equal(w->node[0].keepalives, 5);
		assert_int_equal(w->node[1].keepalives, 0);
		hp_wg_peer_set_keepalive(peer_of(w, 0, 1), 0, w->now_ns);
		world_wait(w, 100 * HP_S);
		assert_int_equal(w->node[0].keepalives, 5);
		world_free(w);
	}
}

static void persistent_keepalive_holds_a_session_for_ever(void **state)
{
	struct world *w = world_new(10, 2, true);

	(void)state;
	hp_wg_peer_set_keepalive(peer_of(w, 0, 1), 25, w->now_ns);
	for (int i = 0; i < 20; i++) {
		world_wait(w, 100 * HP_S);
		assert_true(world_info(w, 0, 1).usable);
		assert_true(world_info(w, 1, 0).usable);
	}
	assert_in_range(w->node[0].sent[1], 13, 17);
	world_free(w);
}

/* ---- loss --------------------------------------------------------------- */

static void silence_for_15_s_starts_a_new_handshake(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(11, threaded);

		w->node[1].mute = true;
		world_send(w, 0, 1, 100);
		world_wait(w, 14900 * HP_MS);
		assert_int_equal(w->node[0].sent[1], 1);
		world_wait(w, 500 * HP_MS);
		assert_int_equal(w->node[0].sent[1], 2);
		world_free(w);
	}
}

static void dead_peer_is_given_up_after_90_s(void **state)
{
	(void)state;
	BOTH {
		struct world *w = world_new(12, 2, threaded);

		w->node[1].mute = true;
		world_send(w, 0, 1, 100);
		world_wait(w, 89 * HP_S);
		assert_in_range(w->node[0].sent[1], 16, 18);
		assert_int_equal(w->node[0].events[HP_WG_HANDSHAKE_FAILED], 0);
		assert_int_equal(world_info(w, 0, 1).staged, 1);
		world_wait(w, 2 * HP_S);
		assert_int_equal(w->node[0].events[HP_WG_HANDSHAKE_FAILED], 1);
		assert_int_equal(world_info(w, 0, 1).staged, 0);
		assert_int_equal(world_drops(w, 0, HP_DROP_STAGED), 1);
		assert_false(world_info(w, 0, 1).handshaking);
		assert_true(hp_wg_deadline(w->node[0].wg) == HP_NEVER);
		w->node[1].mute = false;
		world_wait(w, 600 * HP_S);
		world_send(w, 0, 1, 100);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[1].delivered, 1);
		world_free(w);
	}
}

static void lossy_wire_delivers_once_or_not_at_all(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 110; seed++)
		BOTH {
			struct world *w = world_new(seed, 3, threaded);
			unsigned int got = 0;

			w->loss_pct = 10;
			w->chaos_pct = 20;
			for (unsigned int i = 0; i < 3000; i++) {
				world_send(w, i % 3, (i + 1 + i / 3 % 2) % 3,
					   60 + i % 1000);
				world_wait(w, 100 * HP_MS);
			}
			world_wait(w, 10 * HP_S);
			for (size_t i = 0; i < 3; i++)
				got += w->node[i].delivered;
			assert_in_range(got, 2500, 2850);
			world_free(w);
		}
}

static void at_most_128_packets_wait(void **state)
{
	(void)state;
	BOTH {
		struct world *w = world_new(13, 2, threaded);

		for (int i = 0; i < 200; i++)
			world_send(w, 0, 1, 1000);
		assert_int_equal(world_info(w, 0, 1).staged, 128);
		assert_int_equal(world_drops(w, 0, HP_DROP_STAGED), 72);
		assert_int_equal(w->node[0].sent[1], 1);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[1].delivered, 128);
		assert_int_equal(w->node[1].last_mark, 200);
		world_free(w);
	}
}

/* ---- paths -------------------------------------------------------------- */

static void peer_is_followed_to_its_new_address(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(14, threaded);
		struct hp_wg_peer_info info;

		w->node[0].addr = hp_addr4(198, 51, 100, 7, 4000);
		world_send(w, 0, 1, 100);
		world_wait(w, 100 * HP_MS);
		info = world_info(w, 1, 0);
		assert_true(hp_addr_eq(&info.path.remote, &w->node[0].addr));
		assert_int_equal(w->node[1].events[HP_WG_ROAMED], 1);
		world_send(w, 1, 0, 100);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[0].delivered, 1);
		world_free(w);
	}
}

static void steered_peer_is_not_followed(void **state)
{
	(void)state;
	BOTH {
		struct world *w = connected(15, threaded);
		struct hp_path path = world_path(w, 0);
		struct hp_wg_peer_info info;

		hp_wg_peer_set_roaming(peer_of(w, 1, 0), false);
		w->node[0].addr.port++;
		world_send(w, 0, 1, 100);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[1].delivered, 2);
		info = world_info(w, 1, 0);
		assert_true(hp_path_eq(&info.path, &path));
		assert_int_equal(w->node[1].events[HP_WG_ROAMED], 0);
		world_free(w);
	}
}

static void peer_without_path_is_wanted_until_there_is_one(void **state)
{
	(void)state;
	BOTH {
		struct world *w = world_new(16, 2, threaded);
		struct hp_wg_peer *p = peer_of(w, 0, 1);
		struct hp_path path = world_path(w, 1);

		assert_int_equal(hp_wg_peer_set_path(p, NULL, w->now_ns),
				 HP_OK);
		world_send(w, 0, 1, 100);
		world_send(w, 0, 1, 100);
		assert_int_equal(w->node[0].events[HP_WG_WANTED], 1);
		world_wait(w, 11 * HP_S);
		assert_int_equal(w->node[0].events[HP_WG_WANTED], 3);
		assert_int_equal(hp_wg_initiate(p, w->now_ns), HP_ERR_AGAIN);
		assert_int_equal(w->node[0].sent[1], 0);
		assert_int_equal(hp_wg_peer_set_path(p, &path, w->now_ns),
				 HP_OK);
		assert_int_equal(w->node[0].sent[1], 1);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[1].delivered, 2);
		world_free(w);
	}
}

static void made_initiation_is_answered_where_it_arrives(void **state)
{
	(void)state;
	BOTH {
		struct world *w = world_new(17, 2, threaded);
		struct hp_wg_peer *p = peer_of(w, 0, 1);
		struct hp_path path = world_path(w, 1);
		uint8_t msg[148];

		assert_int_equal(hp_wg_peer_set_path(p, NULL, w->now_ns),
				 HP_OK);
		world_send(w, 0, 1, 100);
		assert_int_equal(hp_wg_initiation_make(p, w->now_ns, msg),
				 HP_OK);
		assert_int_equal(hp_wg_initiation_make(p, w->now_ns, msg),
				 HP_ERR_AGAIN);
		assert_int_equal(hp_wg_peer_set_path(p, &path, w->now_ns),
				 HP_OK);
		assert_int_equal(w->node[0].sent[1], 0);
		assert_int_equal(world_inject(w, 1, &w->node[0].addr, msg,
					      sizeof(msg)), HP_OK);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[1].delivered, 1);
		world_free(w);
	}
}

/* ---- refusals ----------------------------------------------------------- */

static void different_psk_gives_no_session(void **state)
{
	struct hp_secret psk = { .b = { 1 } };

	(void)state;
	BOTH {
		struct world *w = world_new(18, 2, threaded);

		hp_wg_peer_set_psk(peer_of(w, 0, 1), &psk);
		world_send(w, 0, 1, 100);
		world_wait(w, 30 * HP_S);
		assert_int_equal(w->node[0].events[HP_WG_SESSION_UP], 0);
		assert_int_equal(w->node[1].events[HP_WG_SESSION_UP], 0);
		assert_true(world_drops(w, 0, HP_DROP_AUTH) > 0);
		hp_wg_peer_set_psk(peer_of(w, 1, 0), &psk);
		world_wait(w, 10 * HP_S);
		assert_int_equal(w->node[1].delivered, 1);
		world_free(w);
	}
}

static void peer_of_low_order_is_never_spoken_to(void **state)
{
	struct world *w = world_new(19, 2, false);
	struct hp_public zero = { { 0 } };
	struct hp_path path = world_path(w, 1);
	struct hp_wg_peer *p;

	(void)state;
	assert_int_equal(hp_wg_peer_add(w->node[0].wg, &zero, &p), HP_OK);
	assert_int_equal(hp_wg_peer_set_path(p, &path, w->now_ns), HP_OK);
	assert_int_equal(hp_wg_initiate(p, w->now_ns), HP_ERR_KEY);
	assert_int_equal(w->node[0].sent[1], 0);
	world_free(w);
}

static void under_load_a_source_must_prove_its_address(void **state)
{
	(void)state;
	BOTH {
		struct world *w = world_new(20, 2, threaded);
		struct hp_wg_peer *p = peer_of(w, 0, 1);

		w->node[1].wg->load_until_ns = w->now_ns + 60 * HP_S;
		assert_int_equal(hp_wg_initiate(p, w->now_ns), HP_OK);
		world_wait(w, HP_S);
		assert_int_equal(w->node[1].sent[3], 1);
		assert_int_equal(w->node[1].sent[2], 0);
		assert_int_equal(world_drops(w, 1, HP_DROP_COOKIE), 1);
		world_wait(w, 5 * HP_S);
		assert_int_equal(w->node[1].sent[3], 1);
		assert_int_equal(w->node[1].sent[2], 1);
		assert_true(world_info(w, 0, 1).usable);
		world_free(w);
	}
}

static void many_handshakes_are_load(void **state)
{
	struct world *w = world_new(21, 2, false);
	struct datagram d;

	(void)state;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	d = w->last[1];
	assert_int_equal(world_inject(w, 1, &d.from, d.bytes, d.len), HP_OK);
	for (unsigned int i = 1; i < HP_WG_LOAD_PER_S; i++)
		assert_int_equal(world_inject(w, 1, &d.from, d.bytes, d.len),
				 HP_ERR_REPLAY);
	assert_int_equal(w->node[1].sent[3], 0);
	assert_int_equal(world_inject(w, 1, &d.from, d.bytes, d.len),
			 HP_ERR_AGAIN);
	assert_int_equal(w->node[1].sent[3], 1);
	w->now_ns += 2 * HP_S;
	assert_int_equal(world_inject(w, 1, &d.from, d.bytes, d.len),
			 HP_ERR_REPLAY);
	world_free(w);
}

static void initiations_of_one_peer_are_20_ms_apart(void **state)
{
	struct world *w = world_new(22, 2, false);
	struct hp_wg_peer *p = peer_of(w, 0, 1);
	uint8_t msg[3][148];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(hp_wg_initiation_make(p, w->now_ns, msg[i]),
				 HP_OK);
		hp_wg_peer_reset(p);
		w->now_ns += 19 * HP_MS;
	}
	assert_int_equal(world_inject(w, 1, &w->node[0].addr, msg[0], 148),
			 HP_OK);
	w->now_ns += 19 * HP_MS;
	assert_int_equal(world_inject(w, 1, &w->node[0].addr, msg[2], 148),
			 HP_ERR_LIMIT);
	w->now_ns += 1 * HP_MS;
	assert_int_equal(world_inject(w, 1, &w->node[0].addr, msg[2], 148),
			 HP_OK);
	w->now_ns += 100 * HP_MS;
	/* Older than the last one, though never seen. */
	assert_int_equal(world_inject(w, 1, &w->node[0].addr, msg[1], 148),
			 HP_ERR_REPLAY);
	world_free(w);
}

static void inner_source_of_another_peer_is_refused(void **state)
{
	(void)state;
	BOTH {
		struct world *w = world_new(23, 3, threaded);
		struct hp_prefix p = {
			.family = HP_AF_4, .bits = 32, .ip = { 10, 9, 0, 1 },
		};

		/* For node 1, the address of node 0 is node 2's. */
		assert_int_equal(hp_wg_peer_allow(peer_of(w, 1, 2), &p), HP_OK);
		world_send(w, 0, 1, 100);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[1].delivered, 0);
		assert_int_equal(world_drops(w, 1, HP_DROP_SOURCE), 1);
		assert_int_equal(hp_wg_peer_disallow(peer_of(w, 1, 0), &p),
				 HP_ERR_UNKNOWN);
		assert_int_equal(hp_wg_peer_allow(peer_of(w, 1, 0), &p), HP_OK);
		world_send(w, 0, 1, 100);
		world_wait(w, 100 * HP_MS);
		assert_int_equal(w->node[1].delivered, 1);
		world_free(w);
	}
}

static void outgoing_packets_without_route_or_form_are_refused(void **state)
{
	struct world *w = world_new(24, 2, false);
	uint8_t buf[200] = { 0 };
	struct hp_pkt p = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM, 60);

	(void)state;
	world_packet(w, 0, 1, 60, p.data);
	p.data[19] = 77;
	assert_int_equal(hp_wg_tx(w->node[0].wg, &p, w->now_ns), HP_ERR_ROUTE);
	p.data[19] = 2;
	for (p.len = 0; p.len < 60; p.len++)
		assert_int_equal(hp_wg_tx(w->node[0].wg, &p, w->now_ns),
				 HP_ERR_FORMAT);
	p.data[0] = 0x55;
	assert_int_equal(hp_wg_tx(w->node[0].wg, &p, w->now_ns), HP_ERR_FORMAT);
	p.data[0] = 0x60;
	assert_int_equal(hp_wg_tx(w->node[0].wg, &p, w->now_ns), HP_ERR_ROUTE);
	p.data[4] = 1;
	assert_int_equal(hp_wg_tx(w->node[0].wg, &p, w->now_ns), HP_ERR_FORMAT);
	assert_int_equal(world_drops(w, 0, HP_DROP_FORMAT), 62);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(staged_packets_go_out_after_the_handshake),
		cmocka_unit_test(nothing_waits_when_nothing_is_to_be_done),
		cmocka_unit_test(initiator_renews_after_120_s_of_traffic),
		cmocka_unit_test(initiator_that_only_receives_renews_at_165_s),
		cmocka_unit_test(idle_session_is_not_renewed_and_keys_are_wiped),
		cmocka_unit_test(session_over_180_s_old_carries_nothing),
		cmocka_unit_test(both_initiate_at_once_and_settle_on_one_session),
		cmocka_unit_test(receiver_answers_with_a_keepalive_after_10_s),
		cmocka_unit_test(steady_answers_need_no_keepalive),
		cmocka_unit_test(persistent_keepalive_goes_out_when_all_is_quiet),
		cmocka_unit_test(persistent_keepalive_holds_a_session_for_ever),
		cmocka_unit_test(silence_for_15_s_starts_a_new_handshake),
		cmocka_unit_test(dead_peer_is_given_up_after_90_s),
		cmocka_unit_test(lossy_wire_delivers_once_or_not_at_all),
		cmocka_unit_test(at_most_128_packets_wait),
		cmocka_unit_test(peer_is_followed_to_its_new_address),
		cmocka_unit_test(steered_peer_is_not_followed),
		cmocka_unit_test(peer_without_path_is_wanted_until_there_is_one),
		cmocka_unit_test(made_initiation_is_answered_where_it_arrives),
		cmocka_unit_test(different_psk_gives_no_session),
		cmocka_unit_test(peer_of_low_order_is_never_spoken_to),
		cmocka_unit_test(under_load_a_source_must_prove_its_address),
		cmocka_unit_test(many_handshakes_are_load),
		cmocka_unit_test(initiations_of_one_peer_are_20_ms_apart),
		cmocka_unit_test(inner_source_of_another_peer_is_refused),
		cmocka_unit_test(outgoing_packets_without_route_or_form_are_refused),
	};

	return cmocka_run_group_tests_name("wg_device", tests, NULL, NULL);
}
