/* SPDX-License-Identifier: ISC */
/* lib/punch: two machines, their NATs between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "punch_wire.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static uint64_t ms_of(const struct wire *w, uint64_t ns)
{
	(void)w;
	return (ns - 1000 * HP_S) / HP_MS;
}

static void show(struct wire *w, const char *what)
{
	char text[HP_ADDR_TEXT];

	for (unsigned int i = 0; i < 2; i++) {
		struct hp_punch_info info;

		wire_info(w, i, &info);
		print_message("%s: node %u at %llu ms: %s, %s (%s), tx %llu\n",
			      what, i,
			      (unsigned long long)ms_of(w, w->now_ns),
			      hp_punch_state_text(info.state),
			      hp_addr_text(&info.direct.remote, text),
			      hp_punch_reason_text(info.reason),
			      (unsigned long long)info.tx);
	}
}

static void nats_meet_as_theory_says(void **state)
{
	static const struct {
		enum wire_mapping map[2];
		enum wire_filter filter[2];
		bool direct;
	} rows[] = {
		{ { MAP_EIM, MAP_EIM }, { FILTER_EIF, FILTER_EIF }, true },
		{ { MAP_EIM, MAP_EIM }, { FILTER_EIF, FILTER_APDF }, true },
		{ { MAP_EIM, MAP_EIM }, { FILTER_APDF, FILTER_APDF }, true },
		{ { MAP_EIM, MAP_EIM }, { FILTER_ADF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_EIM }, { FILTER_EIF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_EIM }, { FILTER_APDF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_APDM }, { FILTER_EIF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_APDM }, { FILTER_ADF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_NONE }, { FILTER_APDF, FILTER_APDF }, true },
		{ { MAP_APDM, MAP_EIM }, { FILTER_APDF, FILTER_EIF }, true },
		{ { MAP_APDM, MAP_EIM }, { FILTER_APDF, FILTER_ADF }, true },
		{ { MAP_EIM, MAP_APDM }, { FILTER_ADF, FILTER_APDF }, true },
		{ { MAP_APDM, MAP_EIM }, { FILTER_APDF, FILTER_APDF }, false },
		{ { MAP_EIM, MAP_APDM }, { FILTER_APDF, FILTER_APDF }, false },
		{ { MAP_APDM, MAP_APDM }, { FILTER_APDF, FILTER_APDF }, false },
		{ { MAP_APDM, MAP_APDM }, { FILTER_ADF, FILTER_ADF }, false },
		{ { MAP_NONE, MAP_APDM }, { FILTER_APDF, FILTER_APDF }, false },
	};

	(void)state;
	for (size_t r = 0; r < N(rows); r++) {
		struct wire *w = wire_new(100 + r);
		bool direct;

		for (int i = 0; i < 2; i++) {
			w->nat[i].mapping = rows[r].map[i];
			w->nat[i].filter = rows[r].filter[i];
			if (rows[r].map[i] == MAP_NONE)
				w->node[i].host = w->nat[i].public,
				w->node[i].host.port = 4242;
		}
		wire_start(w);
		direct = wire_run_direct(w, true, w->now_ns + 150 * HP_MS);
		if (direct != rows[r].direct) {
			show(w, "row");
			fail_msg("row %zu: direct %d", r, direct);
		}
		wire_run(w, w->now_ns + 20 * HP_S);
		assert_int_equal(hp_path_set(&w->node[0].direct),
				 rows[r].direct);
		if (direct) {
			assert_true(wire_is_agreed(w));
			for (int i = 0; i < 2; i++)
				assert_int_equal(w->node[i].n_nominated, 1);
		}
		wire_free(w);
	}
}

/* Everybody in between behaves; the expected time is the theory's. */
static void direct_path_comes_after_guard_and_one_and_a_half_round_trips(
	void **state)
{
	static const uint64_t one_way_ms[] = { 1, 5, 20, 80, 150 };

	(void)state;
	for (size_t i = 0; i < N(one_way_ms); i++) {
		struct wire *w = wire_new(i);
		uint64_t d = one_way_ms[i] * HP_MS;

		w->delay_ns = d;
		w->relay_ns = d + d / 2;
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 20 * HP_MS +
							     3 * d + HP_MS));
		wire_free(w);
	}
}

static void guard_is_cut_short_when_the_peer_is_heard_to_be_open(void **state)
{
	struct wire *w = wire_new(1);

	(void)state;
	w->delay_ns = HP_MS;
	w->relay_ns = HP_MS;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 6 * HP_MS));
	wire_free(w);
}

static void opening_volley_keeps_open_routers_from_poisoning(void **state)
{
	(void)state;
	for (int skew_ms = -38; skew_ms <= 38; skew_ms += 4) {
		struct wire *w = wire_new(5);

		w->nat[0].poisoned_by_strangers = true;
		w->nat[1].poisoned_by_strangers = true;
		w->intro_ns[0] += 100 * HP_MS;
		w->intro_ns[1] += (uint64_t)(100 + skew_ms) * HP_MS;
		/* The relay is slow: the guard alone has to do. */
		w->relay_ns = 100 * HP_MS;
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 300 * HP_MS));
		assert_int_equal(w->nat[0].n_poisoned, 0);
		assert_int_equal(w->nat[1].n_poisoned, 0);
		assert_true(w->node[0].opening && w->node[1].opening);
		wire_free(w);
	}
}

/* The trap is real: with so few hops between them the opening volley of one
 * reaches the NAT of the other, which is late.
 */
static void opening_volley_that_goes_too_far_poisons(void **state)
{
	struct wire *w = wire_new(5);

	(void)state;
	w->nat[0].poisoned_by_strangers = true;
	w->nat[1].poisoned_by_strangers = true;
	w->hops = 3;
	w->intro_ns[1] += 35 * HP_MS;
	wire_start(w);
	assert_false(wire_run_direct(w, true, w->now_ns + 5 * HP_S));
	assert_true(w->nat[1].n_poisoned > 0);
	wire_free(w);
}

static void path_that_works_one_way_is_never_nominated(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct wire *w = wire_new(i);
		struct hp_punch_info info;
		unsigned int mute = i & 1;

		w->swapped = i & 2;
		w->traffic = true;
		w->cut[mute] = true;
		wire_start(w);
		wire_run(w, w->now_ns + 30 * HP_S);
		assert_int_equal(w->node[0].n_nominated, 0);
		assert_int_equal(w->node[1].n_nominated, 0);
		wire_info(w, mute, &info);
		assert_int_equal(info.state, HP_PUNCH_RELAYED);
		assert_int_equal(info.reason, HP_PUNCH_WHY_ONE_WAY);
		wire_info(w, !mute, &info);
		assert_int_equal(info.state, HP_PUNCH_RELAYED);
		assert_int_equal(info.reason, HP_PUNCH_WHY_SILENT);
		assert_true(info.rtt_ns == 2 * w->relay_ns);
		wire_free(w);
	}
}

static void reason_names_the_nat_that_is_in_the_way(void **state)
{
	static const struct {
		enum hp_mapping told[2];
		enum hp_punch_reason want;
	} rows[] = {
		{ { HP_MAPPING_APDM, HP_MAPPING_APDM }, HP_PUNCH_WHY_NAT_BOTH },
		{ { HP_MAPPING_APDM, HP_MAPPING_EIM }, HP_PUNCH_WHY_NAT_OWN },
		{ { HP_MAPPING_EIM, HP_MAPPING_APDM }, HP_PUNCH_WHY_NAT_PEER },
		{ { HP_MAPPING_APDM, HP_MAPPING_NONE }, HP_PUNCH_WHY_SILENT },
		{ { HP_MAPPING_UNKNOWN, HP_MAPPING_EIM }, HP_PUNCH_WHY_SILENT },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct wire *w = wire_new(i);
		struct hp_punch_info info;

		memcpy(w->told, rows[i].told, sizeof(w->told));
		w->cut[0] = w->cut[1] = true;
		wire_start(w);
		wire_info(w, 0, &info);
		assert_int_equal(info.reason, HP_PUNCH_WHY_IDLE);
		wire_run(w, w->now_ns + HP_S);
		wire_info(w, 0, &info);
		assert_int_equal(info.reason, HP_PUNCH_WHY_TRYING);
		wire_run(w, w->now_ns + HP_S);
		wire_info(w, 0, &info);
		assert_int_equal(info.reason, rows[i].want);
		assert_int_equal(w->node[0].events[HP_PUNCH_FAILED], 1);
		wire_free(w);
	}
}

static void refused_sends_are_facts_about_paths(void **state)
{
	struct hp_punch_intro intro = { .peer_epoch = 0x1001,
					.relay = wire_relay_path() };
	struct wire *w = wire_new(1);
	struct hp_punch_info info;
	uint32_t sent;

	(void)state;
	w->node[0].fail = true;
	wire_start(w);
	wire_run(w, w->now_ns + 4 * HP_S);
	wire_info(w, 0, &info);
	assert_int_equal(info.reason, HP_PUNCH_WHY_BLOCKED);
	assert_true(info.paths[1].errors > 0);
	/* An unreachable one is not tried again in this round. */
	w->node[0].fail = false;
	w->cut[1] = true;
	hp_punch_poke(w->node[0].punch, w->now_ns);
	wire_info(w, 0, &info);
	hp_punch_error(w->node[0].punch, &info.paths[2].path,
		       HP_PUNCH_UNREACHABLE, w->now_ns);
	sent = info.paths[2].sent;
	wire_run(w, w->now_ns + HP_S);
	wire_info(w, 0, &info);
	assert_int_equal(info.paths[2].sent, sent);
	wire_free(w);
	/* Nothing to try at all. */
	w = wire_new(1);
	w->intro_ns[0] = w->intro_ns[1] = HP_NEVER;
	wire_start(w);
	hp_punch_introduce(w->node[0].punch, &intro, w->now_ns);
	wire_run(w, w->now_ns + 4 * HP_S);
	wire_info(w, 0, &info);
	assert_int_equal(info.reason, HP_PUNCH_WHY_NO_CANDIDATE);
	wire_free(w);
}

static void nodes_behind_one_nat_use_their_own_network(void **state)
{
	for (int hairpin = 0; hairpin < 2; hairpin++) {
		struct wire *w = wire_new(3);

		(void)state;
		w->node[1].nat = &w->nat[0];
		w->node[1].host = hp_addr4(192, 168, 1, 8, 4242);
		w->nat[0].hairpin = hairpin;
		w->same_lan = true;
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 5 * HP_MS));
		assert_true(hp_addr_eq(&w->node[0].direct.remote,
				       &w->node[1].host));
		assert_true(wire_is_agreed(w));
		wire_free(w);
	}
}

static void nodes_behind_one_carrier_nat_without_hairpin_are_relayed(
	void **state)
{
	struct wire *w = wire_new(3);

	(void)state;
	w->node[1].nat = &w->nat[0];
	wire_start(w);
	assert_false(wire_run_direct(w, true, w->now_ns + 10 * HP_S));
	wire_free(w);
	w = wire_new(3);
	w->node[1].nat = &w->nat[0];
	w->nat[0].hairpin = true;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 100 * HP_MS));
	wire_free(w);
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
			show(w, "cut");
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
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
		wire_run(w, w->now_ns + 5 * HP_S);
		w->node[0].gap_ns = w->node[1].gap_ns = 0;
		wire_nat_flush(&w->nat[i / 2]);
		at = w->now_ns;
		wire_run(w, at + 3 * HP_S);
		if (!wire_is_agreed(w)) {
			show(w, "flush");
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
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
		wire_run(w, w->now_ns + 5 * HP_S);
		w->node[0].gap_ns = w->node[1].gap_ns = 0;
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
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
		wire_run(w, w->now_ns + 5 * HP_S);
		w->node[0].gap_ns = w->node[1].gap_ns = 0;
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
		wire_start(w);
		assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
		wire_run(w, w->now_ns + 5 * HP_S);
		w->node[0].gap_ns = w->node[1].gap_ns = 0;
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

static void stranger_is_reported_once_a_second(void **state)
{
	struct wire *w = wire_new(8);
	struct hp_punch_info info;

	(void)state;
	w->intro_ns[1] = HP_NEVER;
	w->nat[1].filter = FILTER_EIF;
	wire_start(w);
	wire_run(w, w->now_ns + 950 * HP_MS);
	assert_int_equal(w->node[1].events[HP_PUNCH_STRANGER], 1);
	wire_info(w, 1, &info);
	assert_true(info.drops[HP_PUNCH_DROP_EPOCH] > 5);
	assert_int_equal(w->node[1].tx, 0);
	assert_int_equal(w->node[0].events[HP_PUNCH_RELAY_SILENT], 1);
	/* The introduction comes late, and all is well. */
	wire_introduce(w, 1);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_free(w);
}

/* What an observer can send: nothing of it is answered, or moves anything. */
static void forged_replayed_and_reflected_probes_do_nothing(void **state)
{
	struct hp_path from = { .remote = hp_addr4(192, 0, 2, 66, 6666) };
	struct hp_punch_info before, after;
	struct wire_packet pkt;
	struct wire *w = wire_new(8);
	struct hp_punch *p;
	uint64_t tx;

	(void)state;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_run(w, w->now_ns + HP_S);
	pkt = w->last;
	p = w->node[pkt.to].punch;
	hp_punch_get_info(p, &before);
	tx = w->node[pkt.to].tx;
	assert_int_equal(hp_punch_rx(p, &from, pkt.buf, pkt.len, w->now_ns),
			 HP_ERR_REPLAY);
	assert_int_equal(hp_punch_rx(w->node[!pkt.to].punch, &from, pkt.buf,
				     pkt.len, w->now_ns), HP_ERR_TYPE);
	for (size_t i = 0; i < pkt.len; i++) {
		assert_int_not_equal(hp_punch_rx(p, &from, pkt.buf, i,
						 w->now_ns), HP_OK);
		pkt.buf[i] ^= 0x40;
		assert_int_not_equal(hp_punch_rx(p, &from, pkt.buf, pkt.len,
						 w->now_ns), HP_OK);
		pkt.buf[i] ^= 0x40;
	}
	hp_punch_get_info(p, &after);
	assert_int_equal(after.drops[HP_PUNCH_DROP_REPLAY],
			 before.drops[HP_PUNCH_DROP_REPLAY] + 1);
	assert_true(after.drops[HP_PUNCH_DROP_AUTH] > 0);
	assert_true(after.drops[HP_PUNCH_DROP_FORM] > 0);
	assert_true(after.rx == before.rx && after.tx == before.tx);
	assert_int_equal(after.n_paths, before.n_paths);
	for (size_t i = 0; i < after.n_paths; i++) {
		assert_int_equal(after.paths[i].heard, before.paths[i].heard);
		assert_int_equal(after.paths[i].answered,
				 before.paths[i].answered);
	}
	assert_int_equal(w->node[pkt.to].tx, tx);
	wire_free(w);
}

static void probe_to_another_epoch_is_dropped(void **state)
{
	struct hp_path from = { .remote = hp_addr4(192, 0, 2, 66, 6666) };
	struct hp_punch_info info;
	struct wire *w = wire_new(8);
	struct wire_packet pkt;

	(void)state;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_run(w, w->now_ns + HP_S);
	pkt = w->last;
	/* The receiver restarts; what it was sent before is no use now. */
	hp_punch_free(w->node[pkt.to].punch);
	w->node[pkt.to].epoch += 0x1000;
	w->node[!pkt.to].punch = (hp_punch_free(w->node[!pkt.to].punch), NULL);
	wire_start(w);
	wire_introduce(w, pkt.to);
	w->node[pkt.to].tx = 0;
	assert_int_equal(hp_punch_rx(w->node[pkt.to].punch, &from, pkt.buf,
				     pkt.len, w->now_ns), HP_ERR_STATE);
	wire_info(w, pkt.to, &info);
	assert_int_equal(info.drops[HP_PUNCH_DROP_EPOCH], 1);
	assert_int_equal(w->node[pkt.to].tx, 0);
	wire_free(w);
}

/* A pair that can be direct costs little, however far apart and however many
 * addresses it announces.
 */
static void punching_an_eim_pair_takes_at_most_64_packets(void **state)
{
	static const uint64_t one_way_ms[] = { 1, 10, 40, 80, 150, 250 };

	(void)state;
	for (size_t i = 0; i < N(one_way_ms); i++) {
		struct wire *w = wire_new(i);

		w->delay_ns = one_way_ms[i] * HP_MS;
		w->relay_ns = one_way_ms[i] * HP_MS;
		w->many = true;
		wire_start(w);
		wire_run(w, w->now_ns + 2 * HP_S);
		assert_true(wire_is_agreed(w));
		for (int k = 0; k < 2; k++)
			if (w->node[k].tx > 64)
				fail_msg("%u ms: %u packets",
					 (unsigned int)one_way_ms[i],
					 (unsigned int)w->node[k].tx);
		wire_free(w);
	}
}

static void sends_stay_under_the_rate_cap(void **state)
{
	unsigned int sent = 0;
	struct wire *w = wire_new(2);
	struct hp_punch_info info;

	(void)state;
	w->many = true;
	w->cut[0] = w->cut[1] = true;
	wire_start(w);
	wire_run(w, w->now_ns + 1700 * HP_MS);
	wire_info(w, 0, &info);
	for (size_t i = 1; i < info.n_paths; i++)
		sent += info.paths[i].sent;
	assert_int_equal(sent, 44);
	w->node[1].epoch++;
	wire_introduce(w, 0);
	sent = 0;
	for (int i = 0; i < 100; i++) {
		hp_punch_poke(w->node[0].punch, w->now_ns);
		wire_run(w, w->now_ns + 10 * HP_MS);
	}
	wire_info(w, 0, &info);
	for (size_t i = 0; i < info.n_paths; i++)
		sent += info.paths[i].sent;
	assert_in_range(sent, 100, 24 + 100);
	assert_true(info.throttled > 0);
	assert_true(info.tx == w->node[0].tx);
	assert_true(info.tx_bytes == w->node[0].tx_bytes);
	wire_free(w);
}

static void responses_are_no_longer_than_requests(void **state)
{
	struct wire *w = wire_new(2);

	(void)state;
	w->cut[1] = true;
	wire_start(w);
	wire_run(w, w->now_ns + 5 * HP_S);
	assert_true(w->node[1].tx_bytes == 105 * w->node[1].tx);
	wire_free(w);
}

static void heartbeats_follow_the_traffic(void **state)
{
	struct wire *w = wire_new(2);
	struct hp_punch_info info;
	uint64_t tx, relayed;

	(void)state;
	w->traffic = true;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_run(w, w->now_ns + 10 * HP_S);
	tx = w->node[0].tx;
	wire_run(w, w->now_ns + 60 * HP_S);
	/* Both sides' requests and answers: on the path 20 + 20, relay 4 + 4 */
	assert_in_range(w->node[0].tx - tx, 44, 52);
	w->traffic = false;
	wire_run(w, w->now_ns + 60 * HP_S);
	tx = w->node[0].tx;
	wire_info(w, 0, &info);
	relayed = info.paths[0].sent + info.paths[0].heard;
	wire_run(w, w->now_ns + 250 * HP_S);
	assert_in_range(w->node[0].tx - tx, 10, 26);
	wire_info(w, 0, &info);
	assert_in_range(info.paths[0].sent + info.paths[0].heard - relayed, 2,
			6);
	assert_int_equal(w->node[0].n_nominated, 1);
	wire_free(w);
}

static void retries_back_off_and_rest_until_there_is_traffic(void **state)
{
	static const uint64_t gap_s[] = { 1, 2, 4, 8, 16, 32, 64 };
	struct wire *w = wire_new(2);
	struct hp_punch_info info;

	(void)state;
	w->cut[0] = w->cut[1] = true;
	wire_start(w);
	for (size_t i = 0; i < N(gap_s); i++) {
		uint64_t from = w->now_ns;

		while (w->node[0].events[HP_PUNCH_FAILED] <= i &&
		       w->now_ns < from + 100 * HP_S)
			wire_run(w, w->now_ns + HP_MS);
		wire_info(w, 0, &info);
		assert_in_range(info.retry_ns - w->now_ns,
				gap_s[i] * HP_S - 2 * HP_MS, gap_s[i] * HP_S);
	}
	wire_run(w, w->now_ns + 70 * HP_S);
	wire_info(w, 0, &info);
	assert_true(info.retry_ns == HP_NEVER);
	/* Round by round the opening volley reaches further. */
	/* Up to 12, and around again. */
	assert_int_equal(info.low_ttl, 10);
	wire_run(w, w->now_ns + 300 * HP_S);
	assert_int_equal(w->node[0].events[HP_PUNCH_FAILED], 8);
	/* Packets to send: at once. */
	w->cut[0] = w->cut[1] = false;
	w->traffic_ns = w->now_ns;
	w->traffic = true;
	assert_true(wire_run_direct(w, true, w->now_ns + 400 * HP_MS));
	wire_free(w);
}

static void round_of_one_side_makes_the_other_punch_too(void **state)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct wire *w = wire_new(2);

		(void)state;
		w->cut[0] = w->cut[1] = true;
		wire_start(w);
		wire_run(w, w->now_ns + 400 * HP_S);
		w->cut[0] = w->cut[1] = false;
		hp_punch_poke(w->node[i].punch, w->now_ns);
		assert_true(wire_run_direct(w, true, w->now_ns + 150 * HP_MS));
		wire_free(w);
	}
}

static void failed_send_on_the_path_in_use_asks_it_at_once(void **state)
{
	struct wire *w = wire_new(2);
	struct hp_path used;

	(void)state;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	wire_run(w, w->now_ns + HP_S);
	used = w->node[0].direct;
	hp_punch_error(w->node[0].punch, &used, HP_PUNCH_REFUSED, w->now_ns);
	wire_run(w, w->now_ns + 900 * HP_MS);
	assert_int_equal(w->node[0].n_nominated, 1);
	w->cut[0] = true;
	hp_punch_error(w->node[0].punch, &used, HP_PUNCH_LOCAL, w->now_ns);
	assert_true(wire_run_direct(w, false, w->now_ns + 560 * HP_MS));
	wire_free(w);
}

static void without_a_relay_the_pair_is_direct_all_the_same(void **state)
{
	struct wire *w = wire_new(2);

	(void)state;
	w->no_relay = true;
	w->traffic = true;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 100 * HP_MS));
	w->cut[0] = w->cut[1] = true;
	wire_run(w, w->now_ns + 3 * HP_S);
	w->cut[0] = w->cut[1] = false;
	assert_true(wire_run_direct(w, true, w->now_ns + 10 * HP_S));
	wire_free(w);
}

static void dead_relay_is_reported_and_no_more_than_that(void **state)
{
	struct wire *w = wire_new(2);

	(void)state;
	w->cut[0] = w->cut[1] = true;
	w->relay_dead = true;
	w->traffic = true;
	wire_start(w);
	wire_run(w, w->now_ns + 20 * HP_S);
	assert_in_range(w->node[0].events[HP_PUNCH_RELAY_SILENT], 2, 5);
	assert_int_equal(w->node[0].n_nominated, 0);
	wire_free(w);
}

static void stopped_machine_sends_nothing(void **state)
{
	struct wire *w = wire_new(2);
	uint64_t tx;

	(void)state;
	wire_start(w);
	assert_true(wire_run_direct(w, true, w->now_ns + 200 * HP_MS));
	hp_punch_stop(w->node[0].punch);
	tx = w->node[0].tx;
	assert_true(hp_punch_deadline(w->node[0].punch) == HP_NEVER);
	hp_punch_tick(w->node[0].punch, w->now_ns);
	hp_punch_poke(w->node[0].punch, w->now_ns);
	hp_punch_sent(w->node[0].punch, w->now_ns);
	hp_punch_heard(w->node[0].punch, NULL, w->now_ns);
	wire_run(w, w->now_ns + 10 * HP_S);
	assert_true(w->node[0].tx == tx);
	wire_free(w);
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* With loss on every leg, the first introduction included. */
static void lossy_networks_connect_in_time(void **state)
{
	static const struct {
		unsigned int pct;
		uint64_t p99_ms;
	} rows[] = { { 0, 85 }, { 10, 3000 }, { 20, 5000 }, { 50, 30000 } };

	(void)state;
	for (size_t r = 0; r < N(rows); r++) {
		uint64_t took[200];

		for (size_t i = 0; i < N(took); i++) {
			struct wire *w = wire_new(1000 * r + i);
			uint64_t at = w->now_ns;

			w->loss_pct = rows[r].pct;
			w->relay_loss_pct = rows[r].pct;
			w->jitter_ns = rows[r].pct ? 10 * HP_MS : 0;
			wire_start(w);
			wire_run_direct(w, true, at + 200 * HP_S);
			took[i] = w->now_ns - at;
			wire_free(w);
		}
		qsort(took, N(took), sizeof(*took), by_time);
		print_message("%u %% loss: p50 %u ms, p99 %u ms (seeds from "
			      "%zu)\n", rows[r].pct,
			      (unsigned int)(took[N(took) / 2] / HP_MS),
			      (unsigned int)(took[N(took) * 99 / 100] / HP_MS),
			      1000 * r);
		assert_true(took[N(took) * 99 / 100] <=
			    rows[r].p99_ms * HP_MS);
	}
}

static void check_invariants(struct wire *w, uint64_t seed)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct hp_punch_info info;
		bool direct = hp_path_set(&w->node[i].direct);

		wire_info(w, i, &info);
		if ((info.state == HP_PUNCH_DIRECT) != direct ||
		    hp_path_set(&info.direct) != direct)
			fail_msg("seed %llu: state %s, told %d",
				 (unsigned long long)seed,
				 hp_punch_state_text(info.state), direct);
		for (size_t k = 1; k < info.n_paths; k++)
			if (info.controlling && info.paths[k].in_use &&
			    !info.paths[k].answered)
				fail_msg("seed %llu: in use without a round "
					 "trip", (unsigned long long)seed);
	}
}

/* Anything may happen for a minute; then the pair is left in peace, and has to
 * be direct and agreed within the longest pause between retries.
 */
static void chaos_ends_in_agreement(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 150; seed++) {
		struct wire *w = wire_new(seed);
		uint64_t end = w->now_ns + 60 * HP_S;

		w->swapped = seed & 1;
		w->blind = seed & 2;
		w->traffic = true;
		w->reintroduce = true;
		w->jitter_ns = 30 * HP_MS;
		w->nat[0].filter = hp_rng_below(&w->rng, 3);
		wire_start(w);
		while (w->now_ns < end) {
			wire_run(w, w->now_ns +
				    hp_rng_below(&w->rng, 3000) * HP_MS);
			check_invariants(w, seed);
			switch (hp_rng_below(&w->rng, 8)) {
			case 0:
				w->cut[0] = hp_rng_below(&w->rng, 2);
				w->cut[1] = hp_rng_below(&w->rng, 2);
				break;
			case 1:
				w->loss_pct = hp_rng_below(&w->rng, 60);
				w->relay_loss_pct = hp_rng_below(&w->rng, 60);
				break;
			case 2:
				wire_nat_flush(&w->nat[hp_rng_below(&w->rng, 2)]);
				break;
			case 3:
				hp_punch_poke(w->node[0].punch, w->now_ns);
				break;
			case 4:
				wire_introduce(w, hp_rng_below(&w->rng, 2));
				break;
			case 5:
				w->relay_dead = hp_rng_below(&w->rng, 2);
				break;
			default:
				w->cut[0] = w->cut[1] = false;
				w->loss_pct = w->relay_loss_pct = 0;
				w->relay_dead = false;
				break;
			}
		}
		w->cut[0] = w->cut[1] = w->relay_dead = false;
		w->loss_pct = w->relay_loss_pct = 0;
		w->intro_ns[0] = w->intro_ns[1] = w->now_ns;
		wire_run(w, w->now_ns + 70 * HP_S);
		check_invariants(w, seed);
		if (!wire_is_agreed(w)) {
			show(w, "chaos");
			fail_msg("seed %llu", (unsigned long long)seed);
		}
		wire_free(w);
	}
}

static void every_state_and_reason_has_a_text(void **state)
{
	(void)state;
	for (int i = HP_PUNCH_IDLE; i <= HP_PUNCH_RELAYED; i++)
		assert_string_not_equal(
			hp_punch_state_text((enum hp_punch_state)i), "unknown");
	for (int i = HP_PUNCH_WHY_NONE; i <= HP_PUNCH_WHY_SILENT; i++)
		assert_string_not_equal(
			hp_punch_reason_text((enum hp_punch_reason)i),
			"unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nats_meet_as_theory_says),
		cmocka_unit_test(
			direct_path_comes_after_guard_and_one_and_a_half_round_trips),
		cmocka_unit_test(
			guard_is_cut_short_when_the_peer_is_heard_to_be_open),
		cmocka_unit_test(
			opening_volley_keeps_open_routers_from_poisoning),
		cmocka_unit_test(opening_volley_that_goes_too_far_poisons),
		cmocka_unit_test(path_that_works_one_way_is_never_nominated),
		cmocka_unit_test(reason_names_the_nat_that_is_in_the_way),
		cmocka_unit_test(refused_sends_are_facts_about_paths),
		cmocka_unit_test(nodes_behind_one_nat_use_their_own_network),
		cmocka_unit_test(
			nodes_behind_one_carrier_nat_without_hairpin_are_relayed),
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
		cmocka_unit_test(
			later_introduction_adds_paths_and_changes_the_relay),
		cmocka_unit_test(relay_that_is_taken_away_leaves_nothing_due),
		cmocka_unit_test(
			one_way_traffic_keeps_an_eye_on_its_path),
		cmocka_unit_test(round_of_one_side_makes_the_other_punch_too),
		cmocka_unit_test(failed_send_on_the_path_in_use_asks_it_at_once),
		cmocka_unit_test(probes_to_a_run_that_is_over_are_dropped),
		cmocka_unit_test(stale_word_of_the_peer_moves_nobody),
		cmocka_unit_test(ping_measures_the_path_in_use),
		cmocka_unit_test(stranger_is_reported_once_a_second),
		cmocka_unit_test(
			forged_replayed_and_reflected_probes_do_nothing),
		cmocka_unit_test(probe_to_another_epoch_is_dropped),
		cmocka_unit_test(punching_an_eim_pair_takes_at_most_64_packets),
		cmocka_unit_test(sends_stay_under_the_rate_cap),
		cmocka_unit_test(responses_are_no_longer_than_requests),
		cmocka_unit_test(heartbeats_follow_the_traffic),
		cmocka_unit_test(
			retries_back_off_and_rest_until_there_is_traffic),
		cmocka_unit_test(
			without_a_relay_the_pair_is_direct_all_the_same),
		cmocka_unit_test(dead_relay_is_reported_and_no_more_than_that),
		cmocka_unit_test(stopped_machine_sends_nothing),
		cmocka_unit_test(lossy_networks_connect_in_time),
		cmocka_unit_test(chaos_ends_in_agreement),
		cmocka_unit_test(every_state_and_reason_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
