/* SPDX-License-Identifier: ISC */
/* lib/punch: a path that stands, and what happens to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "punch_wire.h"

/* Direct, and past all that comes with a beginning; gaps count from here. */
static void settle(struct wire *w)
{
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_run(w, w->now_ns + 5 * HP_S);
	w->node[0].gap_ns = w->node[1].gap_ns = 0;
}

static void faster_path_is_taken_after_three_samples_and_kept(void **state)
{
	struct wire *w = wire_new(3);
	struct hp_punch_info info;
	uint64_t begin;

	(void)state;
	w->node[1].nat = &w->nat[0];
	w->node[1].host = hp_addr4(192, 168, 1, 8, 4242);
	w->nat[0].hairpin = true;
	w->traffic = true;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 100 * HP_MS));
	assert_false(hp_addr_eq(&w->node[0].direct.remote, &w->node[1].host));
	/* Now both are on one network, and hear of it. */
	w->same_lan = true;
	begin = w->now_ns;
	wire_run(w, begin + HP_S);
	hp_punch_poke(w->node[0].punch, w->now_ns);
	wire_run(w, begin + 10 * HP_S);
	assert_int_equal(w->node[0].n_nominated, 1);
	wire_run(w, begin + 60 * HP_S);
	assert_true(hp_addr_eq(&w->node[0].direct.remote, &w->node[1].host));
	assert_true(wire_is_agreed(w));
	assert_int_equal(w->node[0].n_nominated, 2);
	wire_run(w, begin + 300 * HP_S);
	assert_int_equal(w->node[0].n_nominated, 2);
	assert_int_equal(w->node[1].n_nominated, 2);
	/* The path left behind is known to be gone when it is. */
	wire_info(w, 0, &info);
	assert_true(info.paths[2].valid);
	w->nat[0].hairpin = false;
	wire_run(w, w->now_ns + 80 * HP_S);
	wire_info(w, 0, &info);
	assert_false(info.paths[2].valid);
	assert_int_equal(info.state, HP_PUNCH_DIRECT);
	wire_free(w);
}

/* Cuts the direct path (1: what leaves node 0, 2: node 1, 3: both) under
 * traffic; the relay carries on in time, and the path comes back.
 */
static void dead_path_falls_back_to_the_relay_and_returns(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 12; i++) {
		unsigned int cut = 1 + i % 3;
		struct wire *w = wire_new(i);
		uint64_t at, limit;

		w->swapped = i / 3 & 1;
		w->blind = i >= 6;
		w->traffic = true;
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
		wire_run(w, w->now_ns + 10 * HP_S);
		assert_int_equal(w->node[0].n_nominated, 1);
		w->node[0].gap_ns = w->node[1].gap_ns = 0;
		w->cut[0] = cut & 1;
		w->cut[1] = cut & 2;
		at = w->now_ns;
		if (!wire_run_direct(w, false, at + 1200 * HP_MS)) {
			wire_show(w, "cut");
			fail_msg("case %u", i);
		}
		wire_run(w, at + 5 * HP_S);
		/* Packets take both paths before the verdict is out; who still
		 * hears has to be told.
		 */
		limit = (cut == 3 ? 900 : 1200) * HP_MS;
		assert_true(w->node[0].gap_ns < limit);
		assert_true(w->node[1].gap_ns < limit);
		assert_true(w->node[0].n_both + w->node[1].n_both > 0);
		assert_false(w->node[0].both || w->node[1].both);
		assert_true(w->node[0].events[HP_PUNCH_LOST] +
				    w->node[1].events[HP_PUNCH_LOST] > 0);
		w->cut[0] = w->cut[1] = false;
		at = w->now_ns;
		assert_true(wire_run_direct(w, true, at + 5 * HP_S));
		assert_true(wire_is_agreed(w));
		wire_run(w, w->now_ns + 10 * HP_S);
		assert_int_equal(w->node[0].n_nominated, 3);
		wire_free(w);
	}
}

static void short_outage_does_not_move_anybody(void **state)
{
	struct wire *w = wire_new(4);

	(void)state;
	w->traffic = true;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	for (int i = 0; i < 10; i++) {
		w->cut[0] = w->cut[1] = true;
		wire_run(w, w->now_ns + 900 * HP_MS);
		w->cut[0] = w->cut[1] = false;
		wire_run(w, w->now_ns + 20 * HP_S);
	}
	assert_int_equal(w->node[0].n_nominated, 1);
	assert_int_equal(w->node[1].n_nominated, 1);
	wire_free(w);
}

static void idle_path_that_dies_is_noticed_by_its_keepalive(void **state)
{
	struct wire *w = wire_new(4);

	(void)state;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_run(w, w->now_ns + 100 * HP_S);
	w->cut[0] = w->cut[1] = true;
	assert_true(wire_run_direct(w, false, w->now_ns + 28 * HP_S));
	wire_free(w);
}

static void flushed_nat_is_punched_again_in_time(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct wire *w = wire_new(i);
		uint64_t at;

		w->swapped = i & 1;
		w->traffic = true;
		w->reintroduce = true;
		settle(w);
		wire_nat_flush(&w->nat[i / 2]);
		at = w->now_ns;
		wire_run(w, at + 3 * HP_S);
		if (!wire_is_agreed(w)) {
			wire_show(w, "flush");
			fail_msg("case %u", i);
		}
		assert_true(w->node[0].gap_ns < 2 * HP_S);
		assert_true(w->node[1].gap_ns < 2 * HP_S);
		wire_free(w);
	}
}

/* The peer's filter lets the new address in: it is followed without a break. */
static void moved_peer_is_followed_where_filters_allow(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct wire *w = wire_new(i);
		uint64_t at;

		w->swapped = i;
		w->nat[1].filter = FILTER_EIF;
		w->traffic = true;
		settle(w);
		wire_nat_move(&w->nat[0], 99);
		at = w->now_ns;
		hp_punch_poke(w->node[0].punch, at);
		wire_run(w, at + 3 * HP_S);
		assert_true(wire_is_agreed(w));
		assert_int_equal(w->node[1].direct.remote.ip[3], 99);
		assert_true(w->node[0].gap_ns < 300 * HP_MS);
		assert_true(w->node[1].gap_ns < 300 * HP_MS);
		assert_int_equal(w->node[0].relayed_ns, 0);
		wire_free(w);
	}
}

/* His path of before counts as good still: nothing was asked of it since. And
 * his packets arrive, be it by another path than the one in use.
 */
static void moved_peer_that_returns_is_followed_as_fast(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct wire *w = wire_new(i);
		uint8_t home = w->nat[0].public.ip[3];
		uint16_t port = w->nat[0].next_port;

		w->swapped = i;
		w->nat[1].filter = FILTER_EIF;
		w->traffic = w->blind = true;
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
		wire_run(w, w->now_ns + 5 * HP_S);
		wire_nat_move(&w->nat[0], 99);
		hp_punch_poke(w->node[0].punch, w->now_ns);
		wire_run(w, w->now_ns + 2 * HP_S);
		assert_int_equal(w->node[1].direct.remote.ip[3], 99);
		w->node[0].gap_ns = w->node[1].gap_ns = 0;
		wire_nat_move(&w->nat[0], home);
		w->nat[0].next_port = port;
		hp_punch_poke(w->node[0].punch, w->now_ns);
		wire_run(w, w->now_ns + 3 * HP_S);
		assert_true(wire_is_agreed(w));
		assert_int_equal(w->node[1].direct.remote.ip[3], home);
		assert_true(w->node[0].gap_ns < 300 * HP_MS);
		assert_true(w->node[1].gap_ns < 300 * HP_MS);
		wire_free(w);
	}
}

static void moved_peer_is_found_by_poke_and_introduction(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct wire *w = wire_new(i);
		uint64_t at;

		w->swapped = i;
		w->traffic = true;
		settle(w);
		wire_nat_move(&w->nat[0], 99);
		at = w->now_ns;
		hp_punch_poke(w->node[0].punch, at);
		w->intro_ns[0] = w->intro_ns[1] = at + 100 * HP_MS;
		wire_run(w, at + 3 * HP_S);
		assert_true(wire_is_agreed(w));
		assert_int_equal(w->node[1].direct.remote.ip[3], 99);
		assert_true(w->node[0].gap_ns < 2 * HP_S);
		assert_true(w->node[1].gap_ns < 2 * HP_S);
		wire_free(w);
	}
}

/* Who no longer hears says so over his relay, be it not the other's. */
static void path_that_fails_one_way_is_left_by_both(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		struct wire *w = wire_new(i);
		unsigned int mute = i & 1;

		w->swapped = i & 2;
		w->two_relays = i & 4;
		w->traffic = true;
		settle(w);
		w->cut[mute] = true;
		assert_true(wire_run_direct(w, false,
					    w->now_ns + 1500 * HP_MS));
		wire_run(w, w->now_ns + 5 * HP_S);
		assert_true(w->node[!mute].gap_ns < 1500 * HP_MS);
		assert_false(hp_path_set(&w->node[0].direct));
		assert_false(hp_path_set(&w->node[1].direct));
		wire_free(w);
	}
}

static void lossy_path_loses_to_a_clean_relay_until_it_is_good(void **state)
{
	struct wire *w = wire_new(8);
	struct hp_punch_info info;

	(void)state;
	w->traffic = true;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_run(w, w->now_ns + 60 * HP_S);
	w->loss_pct = 30;
	assert_true(wire_run_direct(w, false, w->now_ns + 60 * HP_S));
	wire_info(w, 0, &info);
	assert_int_equal(info.reason, HP_PUNCH_WHY_LOSSY);
	wire_run(w, w->now_ns + 20 * HP_S);
	assert_false(hp_path_set(&w->node[0].direct));
	assert_false(hp_path_set(&w->node[1].direct));
	wire_info(w, 1, &info);
	assert_int_equal(info.reason, HP_PUNCH_WHY_LOSSY);
	w->loss_pct = 0;
	assert_true(wire_run_direct(w, true, w->now_ns + 60 * HP_S));
	wire_run(w, w->now_ns + 60 * HP_S);
	assert_true(wire_is_agreed(w));
	wire_free(w);
}

static void restarted_peer_is_met_anew(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct wire *w = wire_new(8);
		struct hp_punch_info info;

		w->traffic = true;
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
		wire_run(w, w->now_ns + 100 * HP_S);
		wire_restart(w, i);
		w->node[!i].n_nominated = 0;
		wire_introduce(w, !i);
		assert_int_equal(w->node[!i].n_nominated, 1);
		assert_false(hp_path_set(&w->node[!i].direct));
		wire_info(w, !i, &info);
		assert_int_equal(info.state, HP_PUNCH_TRYING);
		assert_int_equal(info.rounds, 1);
		for (size_t k = 0; k < info.n_paths; k++)
			assert_false(info.paths[k].valid);
		/* Sequences begin anew, too. */
		wire_introduce(w, i);
		assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
		wire_run(w, w->now_ns + 10 * HP_S);
		assert_true(wire_is_agreed(w));
		assert_int_equal(w->node[!i].n_nominated, 2);
		wire_free(w);
	}
}

static void probes_to_a_run_that_is_over_are_dropped(void **state)
{
	struct wire *w = wire_new(8);
	struct hp_punch_info info;

	(void)state;
	w->traffic = true;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_restart(w, 1);
	wire_introduce(w, 1);
	wire_run(w, w->now_ns + 3 * HP_S);
	wire_info(w, 1, &info);
	assert_true(info.drops[HP_PUNCH_DROP_EPOCH] > 0);
	assert_int_equal(info.rx, 0);
	assert_in_range(w->node[0].events[HP_PUNCH_STRANGER], 1, 4);
	wire_info(w, 0, &info);
	assert_true(info.drops[HP_PUNCH_DROP_EPOCH] > 0);
	wire_free(w);
}

/* What the peer said before it followed comes late over a slow relay. */
static void stale_word_of_the_peer_moves_nobody(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct wire *w = wire_new(8);

		w->swapped = i;
		w->delay_ns = 5 * HP_MS;
		w->relay_ns = 300 * HP_MS;
		wire_start(w);
		wire_run(w, w->now_ns + 10 * HP_S);
		assert_int_equal(w->node[0].n_nominated, 1);
		assert_int_equal(w->node[1].n_nominated, 1);
		wire_free(w);
	}
}

static void later_introduction_adds_paths_and_changes_the_relay(void **state)
{
	struct hp_candidate c = { .addr = hp_addr4(203, 0, 113, 200, 9),
				  .kind = HP_CAND_REFLEXIVE };
	struct hp_punch_intro intro = { .peer_epoch = 0x1001,
					.candidates = &c, .n_candidates = 1 };
	struct wire *w = wire_new(8);
	struct hp_punch_info info;

	(void)state;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_info(w, 0, &info);
	assert_int_equal(info.n_paths, 3);
	/* Nothing new: the path in use is left alone, and no round begins. */
	wire_introduce(w, 0);
	wire_info(w, 0, &info);
	assert_int_equal(info.rounds, 1);
	/* The relay is gone, a candidate is new: it is probed beside. */
	hp_punch_introduce(w->node[0].punch, &intro, w->now_ns);
	wire_info(w, 0, &info);
	assert_int_equal(info.rounds, 2);
	assert_int_equal(info.n_paths, 3);
	assert_int_equal(info.paths[0].kind, HP_CAND_HOST);
	assert_int_equal(info.state, HP_PUNCH_DIRECT);
	wire_run(w, w->now_ns + 3 * HP_S);
	wire_info(w, 0, &info);
	assert_true(hp_addr_eq(&info.paths[2].path.remote, &c.addr));
	assert_true(info.paths[2].sent > 3);
	assert_int_equal(w->node[0].n_nominated, 1);
	assert_int_equal(w->node[0].events[HP_PUNCH_FAILED], 0);
	wire_free(w);
}

static void relay_that_is_taken_away_leaves_nothing_due(void **state)
{
	struct hp_punch_intro intro = { .peer_epoch = 0x1001 };
	struct wire *w = wire_new(8);
	unsigned int ticks = 0;
	uint64_t end_ns, due;
	struct hp_punch *p;

	(void)state;
	w->cut[0] = w->cut[1] = w->relay_dead = true;
	wire_start(w);
	p = w->node[0].punch;
	wire_run(w, w->now_ns + 3 * HP_S);
	hp_punch_sent(p, w->now_ns);
	hp_punch_introduce(p, &intro, w->now_ns);
	end_ns = w->now_ns + 10 * HP_S;
	while ((due = hp_punch_deadline(p)) <= end_ns) {
		w->now_ns = due > w->now_ns ? due : w->now_ns;
		hp_punch_tick(p, w->now_ns);
		if (++ticks > 1000)
			fail_msg("a tick is due for ever");
	}
	wire_free(w);
}

static void one_way_traffic_keeps_an_eye_on_its_path(void **state)
{
	struct wire *w = wire_new(8);
	uint64_t at;

	(void)state;
	w->swapped = true;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	/* Data goes from node 0 alone; answers to probes are all it hears. */
	for (int i = 0; i < 200; i++) {
		hp_punch_sent(w->node[0].punch, w->now_ns);
		wire_run(w, w->now_ns + 50 * HP_MS);
	}
	assert_int_equal(w->node[0].n_nominated, 1);
	w->cut[0] = true;
	at = w->now_ns;
	while (hp_path_set(&w->node[0].direct) && w->now_ns < at + 10 * HP_S) {
		hp_punch_sent(w->node[0].punch, w->now_ns);
		wire_run(w, w->now_ns + 50 * HP_MS);
	}
	assert_true(w->now_ns - at <= 1700 * HP_MS);
	wire_free(w);
}

static void ping_measures_the_path_in_use(void **state)
{
	struct wire *w = wire_new(77);
	struct hp_punch_info info;

	(void)state;
	w->delay_ns = 30 * HP_MS;
	w->intro_ns[1] = HP_NEVER;
	wire_start(w);
	assert_int_equal(hp_punch_ping(w->node[1].punch, w->now_ns),
			 HP_ERR_STATE);
	wire_introduce(w, 1);
	assert_true(wire_run_direct(w, true, w->now_ns + 500 * HP_MS));
	wire_run(w, w->now_ns + 2 * HP_S);
	assert_int_equal(hp_punch_ping(w->node[0].punch, w->now_ns), HP_OK);
	wire_run(w, w->now_ns + 59 * HP_MS);
	assert_int_equal(w->node[0].events[HP_PUNCH_PONG], 0);
	wire_run(w, w->now_ns + 2 * HP_MS);
	assert_int_equal(w->node[0].events[HP_PUNCH_PONG], 1);
	wire_info(w, 0, &info);
	assert_int_equal(info.pongs, 1);
	assert_in_range(info.pong_ns, 60 * HP_MS, 61 * HP_MS);
	/* Other answers are no pongs. */
	wire_run(w, w->now_ns + 60 * HP_S);
	assert_int_equal(w->node[0].events[HP_PUNCH_PONG], 1);
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			faster_path_is_taken_after_three_samples_and_kept),
		cmocka_unit_test(dead_path_falls_back_to_the_relay_and_returns),
		cmocka_unit_test(short_outage_does_not_move_anybody),
		cmocka_unit_test(
			idle_path_that_dies_is_noticed_by_its_keepalive),
		cmocka_unit_test(flushed_nat_is_punched_again_in_time),
		cmocka_unit_test(moved_peer_is_followed_where_filters_allow),
		cmocka_unit_test(moved_peer_that_returns_is_followed_as_fast),
		cmocka_unit_test(moved_peer_is_found_by_poke_and_introduction),
		cmocka_unit_test(path_that_fails_one_way_is_left_by_both),
		cmocka_unit_test(
			lossy_path_loses_to_a_clean_relay_until_it_is_good),
		cmocka_unit_test(restarted_peer_is_met_anew),
		cmocka_unit_test(probes_to_a_run_that_is_over_are_dropped),
		cmocka_unit_test(stale_word_of_the_peer_moves_nobody),
		cmocka_unit_test(
			later_introduction_adds_paths_and_changes_the_relay),
		cmocka_unit_test(relay_that_is_taken_away_leaves_nothing_due),
		cmocka_unit_test(
			one_way_traffic_keeps_an_eye_on_its_path),
		cmocka_unit_test(ping_measures_the_path_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
