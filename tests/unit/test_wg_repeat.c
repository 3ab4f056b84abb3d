/* SPDX-License-Identifier: ISC */
/* lib/wg/repeat: handshake messages that are sent again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "wg_world.h"

#include "base/crypto.h"
#include "base/time.h"
#include "wg/peer.h"

#define FIRST (100 * HP_MS)

static struct hp_wg_peer *peer_of(struct world *w, size_t a, size_t b)
{
	return w->node[a].peer[b];
}

static struct world *repeating(uint64_t seed)
{
	struct world *w = world_new(seed, 2, false);

	w->delay_ns = 20 * HP_MS;
	hp_wg_peer_set_repeat(peer_of(w, 0, 1), FIRST);
	hp_wg_peer_set_repeat(peer_of(w, 1, 0), FIRST);
	return w;
}

static void a_lost_initiation_is_sent_again_as_it_was(void **state)
{
	struct world *w = repeating(1);

	(void)state;
	w->node[0].mute = true;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	world_wait(w, 50 * HP_MS);
	assert_int_equal(w->node[0].sent[1], 1);
	w->node[0].mute = false;
	world_wait(w, 60 * HP_MS);
	assert_int_equal(w->node[0].sent[1], 2);
	world_wait(w, 100 * HP_MS);
	assert_true(world_info(w, 0, 1).usable);
	assert_int_equal(w->node[0].sent[1], 2);
	world_free(w);
}

static void copies_are_the_same_but_for_mac2_and_bounded(void **state)
{
	struct world *w = repeating(2);
	struct datagram first;

	(void)state;
	w->node[1].mute = true;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	first = w->last[1];
	world_wait(w, 4900 * HP_MS);
	/* 0, .1, .3, .7, then every half second. */
	assert_int_equal(w->node[0].sent[1], 12);
	assert_memory_equal(first.bytes, w->last[1].bytes, 132);
	world_wait(w, 500 * HP_MS);
	/* A new one, when WireGuard would have made it. */
	assert_memory_not_equal(first.bytes, w->last[1].bytes, 132);
	world_free(w);
}

static void a_stock_peer_is_sent_no_copy(void **state)
{
	struct world *w = world_new(3, 2, false);

	(void)state;
	w->node[1].mute = true;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	world_wait(w, 4900 * HP_MS);
	assert_int_equal(w->node[0].sent[1], 1);
	assert_int_equal(w->node[1].sent[2], 1);
	/* Nor does a copy of its own draw an answer. */
	assert_int_equal(world_inject(w, 1, &w->node[0].addr,
				      w->last[1].bytes, 148), HP_ERR_REPLAY);
	assert_int_equal(w->node[1].sent[2], 1);
	world_free(w);
}

static void a_repeated_initiation_draws_the_same_answer(void **state)
{
	struct world *w = repeating(4);
	struct hp_session *next;
	struct datagram init, answer;
	struct hp_path before, now;

	(void)state;
	w->node[1].mute = true;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	init = w->last[1];
	world_wait(w, 25 * HP_MS);
	assert_int_equal(w->node[1].sent[2], 1);
	answer = w->last[2];
	next = peer_of(w, 1, 0)->next;
	before = world_info(w, 1, 0).path;
	world_wait(w, 20 * HP_MS);
	/* From anywhere: it is answered there, and moves nothing. */
	assert_int_equal(world_inject(w, 1, &(struct hp_addr){
		.family = HP_AF_4, .ip = { 192, 0, 2, 9 }, .port = 9 },
		init.bytes, 148), HP_ERR_REPLAY);
	assert_int_equal(w->node[1].sent[2], 2);
	assert_ptr_equal(peer_of(w, 1, 0)->next, next);
	now = world_info(w, 1, 0).path;
	assert_true(hp_path_eq(&before, &now));
	assert_memory_equal(answer.bytes, w->last[2].bytes, 60);
	/* Not more often than every 20 ms. */
	assert_int_equal(world_inject(w, 1, &w->node[0].addr, init.bytes, 148),
			 HP_ERR_REPLAY);
	assert_int_equal(w->node[1].sent[2], 2);
	world_free(w);
}

static void a_confirmed_session_answers_no_copy(void **state)
{
	struct world *w = repeating(5);
	struct datagram init;

	(void)state;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	init = w->last[1];
	world_wait(w, 200 * HP_MS);
	assert_true(world_info(w, 1, 0).usable);
	assert_int_equal(w->node[1].sent[2], 1);
	assert_int_equal(world_inject(w, 1, &init.from, init.bytes, 148),
			 HP_ERR_REPLAY);
	world_wait(w, 20 * HP_S);
	assert_int_equal(w->node[1].sent[2], 1);
	world_free(w);
}

static void a_changed_copy_is_no_copy(void **state)
{
	struct world *w = repeating(6);
	struct datagram init;

	(void)state;
	w->node[1].mute = true;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	init = w->last[1];
	world_wait(w, 50 * HP_MS);
	for (size_t i = 4; i < 132; i++) {
		unsigned int was = w->node[1].sent[2];

		init.bytes[i] ^= 1;
		assert_int_not_equal(world_inject(w, 1, &init.from, init.bytes,
						  148), HP_OK);
		init.bytes[i] ^= 1;
		assert_int_equal(w->node[1].sent[2], was);
	}
	world_free(w);
}

static void a_lost_answer_comes_again_by_itself(void **state)
{
	struct world *w = repeating(7);
	unsigned int sent;

	(void)state;
	w->node[1].mute = true;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	world_wait(w, 50 * HP_MS);
	w->node[0].mute = true;	/* its copies are lost */
	w->node[1].mute = false;
	world_wait(w, 150 * HP_MS);
	sent = w->node[0].sent[4];
	assert_int_equal(world_info(w, 0, 1).usable, true);
	assert_false(world_info(w, 1, 0).usable);
	/* And what confirms it comes again until it gets there. */
	world_wait(w, 1000 * HP_MS);
	assert_true(w->node[0].sent[4] > sent);
	w->node[0].mute = false;
	world_wait(w, 600 * HP_MS);
	assert_true(world_info(w, 1, 0).usable);
	sent = w->node[1].sent[2];
	world_wait(w, 10 * HP_S);
	assert_int_equal(w->node[1].sent[2], sent);
	world_free(w);
}

static void nobody_answers_for_ever(void **state)
{
	struct world *w = repeating(8);
	unsigned int sent;

	(void)state;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	world_wait(w, 10 * HP_MS);
	hp_wg_peer_reset(peer_of(w, 0, 1));
	w->node[0].mute = true;
	world_wait(w, 5 * HP_S);
	sent = w->node[1].sent[2];
	assert_in_range(sent, 10, 14);
	world_wait(w, 60 * HP_S);
	assert_int_equal(w->node[1].sent[2], sent);
	world_free(w);
}

static void the_next_copy_brings_the_cookie(void **state)
{
	struct world *w = repeating(9);

	(void)state;
	w->node[1].wg->load_until_ns = w->now_ns + 60 * HP_S;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	world_wait(w, 300 * HP_MS);
	assert_int_equal(w->node[1].sent[3], 1);
	assert_true(world_info(w, 0, 1).usable);
	world_free(w);
}

static void a_new_path_gets_a_copy_at_once(void **state)
{
	struct world *w = repeating(10);
	struct hp_path path = world_path(w, 1);

	(void)state;
	w->node[1].mute = true;
	assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns), HP_OK);
	path.remote.port++;
	assert_int_equal(hp_wg_peer_set_path(peer_of(w, 0, 1), &path,
					     w->now_ns), HP_OK);
	assert_int_equal(w->node[0].sent[1], 2);
	assert_true(hp_addr_eq(&w->last[1].to, &path.remote));
	world_free(w);
}

/* 20 % of packets are lost each way: 90 s of trying are never needed. */
static void loss_costs_little(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 200; seed++) {
		struct world *w = repeating(seed);

		w->loss_pct = 20;
		assert_int_equal(hp_wg_initiate(peer_of(w, 0, 1), w->now_ns),
				 HP_OK);
		world_wait(w, 4 * HP_S);
		assert_true(world_info(w, 0, 1).usable);
		assert_true(world_info(w, 1, 0).usable);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_initiation_is_sent_again_as_it_was),
		cmocka_unit_test(copies_are_the_same_but_for_mac2_and_bounded),
		cmocka_unit_test(a_stock_peer_is_sent_no_copy),
		cmocka_unit_test(a_repeated_initiation_draws_the_same_answer),
		cmocka_unit_test(a_confirmed_session_answers_no_copy),
		cmocka_unit_test(a_changed_copy_is_no_copy),
		cmocka_unit_test(a_lost_answer_comes_again_by_itself),
		cmocka_unit_test(nobody_answers_for_ever),
		cmocka_unit_test(the_next_copy_brings_the_cookie),
		cmocka_unit_test(a_new_path_gets_a_copy_at_once),
		cmocka_unit_test(loss_costs_little),
	};

	return cmocka_run_group_tests_name("wg_repeat", tests, NULL, NULL);
}
