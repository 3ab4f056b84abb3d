/* SPDX-License-Identifier: ISC */
/* lib/punch: two machines, their NATs between them: how they meet, and what they
 * make of what arrives. Once they have met: test_punch_keep.c.
 */
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
			wire_show(w, "row");
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
		cmocka_unit_test(round_of_one_side_makes_the_other_punch_too),
		cmocka_unit_test(failed_send_on_the_path_in_use_asks_it_at_once),
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
		cmocka_unit_test(every_state_and_reason_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
