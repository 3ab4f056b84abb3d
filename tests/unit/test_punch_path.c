/* SPDX-License-Identifier: ISC */
/* lib/punch/path and volley: records of paths, schedules, the rate cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "punch/path.h"
#include "punch/volley.h"

static struct hp_path to(uint8_t last)
{
	return (struct hp_path){ .remote = hp_addr4(203, 0, 113, last, 5) };
}

/* One round trip of @rtt_ns that begins at *@now_ns. */
static void ping(struct hp_track *t, uint64_t *now_ns, uint64_t rtt_ns)
{
	hp_track_sent(t, 9, true, *now_ns);
	*now_ns += rtt_ns;
	assert_int_equal(hp_track_answered(t, 9, *now_ns), HP_OK);
}

static void lose(struct hp_track *t, uint64_t *now_ns)
{
	hp_track_sent(t, 7, true, *now_ns);
	*now_ns += 3 * HP_S;
	hp_track_expire(t, *now_ns);
}

static void volley_schedule_is_the_published_one(void **state)
{
	static const uint64_t full[] = { 0, 20, 60, 140, 300, 620, 1260 };
	struct hp_volley v = { .start_ns = 5 * HP_S,
			       .full_ns = 5 * HP_S + HP_VOLLEY_GUARD,
			       .n_full = HP_VOLLEY_FULL };

	(void)state;
	assert_true(hp_volley_due(&v, HP_VOLLEY_NAT, 0) == v.start_ns);
	for (unsigned int n = 0; n < HP_VOLLEY_FULL; n++) {
		assert_true(hp_volley_due(&v, HP_VOLLEY_NAT, n + 1) ==
			    v.full_ns + full[n] * HP_MS);
		assert_true(hp_volley_due(&v, HP_VOLLEY_CLEAR, n) ==
			    v.start_ns + full[n] * HP_MS);
	}
	assert_true(hp_volley_due(&v, HP_VOLLEY_NAT, 8) == HP_NEVER);
	assert_true(hp_volley_due(&v, HP_VOLLEY_CLEAR, 7) == HP_NEVER);
	assert_true(hp_volley_due(&v, HP_VOLLEY_NEAR, 2) ==
		    v.start_ns + 60 * HP_MS);
	assert_true(hp_volley_due(&v, HP_VOLLEY_NEAR, 3) == HP_NEVER);
	assert_true(hp_volley_end(&v) ==
		    v.full_ns + 1260 * HP_MS + HP_VOLLEY_GRACE);
}

static void volley_guard_ends_when_the_peer_is_open(void **state)
{
	struct hp_volley v = { .full_ns = HP_VOLLEY_GUARD,
			       .n_full = HP_VOLLEY_FULL };

	(void)state;
	hp_volley_open(&v, 5 * HP_MS);
	assert_true(hp_volley_due(&v, HP_VOLLEY_NAT, 1) == 5 * HP_MS);
	hp_volley_open(&v, 9 * HP_MS);
	assert_true(v.full_ns == 5 * HP_MS);
}

static void volley_classes_follow_address_and_kind(void **state)
{
	uint8_t ula[16] = { 0xfd, [15] = 1 }, global[16] = { 0x20, [15] = 1 };
	struct hp_addr v4 = hp_addr4(203, 0, 113, 1, 5);
	struct hp_addr lan = hp_addr4(192, 168, 1, 1, 5);
	struct hp_addr u6 = hp_addr_of(HP_AF_6, ula, 5);
	struct hp_addr g6 = hp_addr_of(HP_AF_6, global, 5);

	(void)state;
	assert_int_equal(hp_volley_class(&lan, HP_CAND_HOST), HP_VOLLEY_NEAR);
	assert_int_equal(hp_volley_class(&u6, HP_CAND_HOST), HP_VOLLEY_NEAR);
	assert_int_equal(hp_volley_class(&g6, HP_CAND_HOST), HP_VOLLEY_CLEAR);
	assert_int_equal(hp_volley_class(&v4, HP_CAND_HOST), HP_VOLLEY_CLEAR);
	assert_int_equal(hp_volley_class(&g6, HP_CAND_REFLEXIVE),
			 HP_VOLLEY_CLEAR);
	assert_int_equal(hp_volley_class(&v4, HP_CAND_REFLEXIVE),
			 HP_VOLLEY_NAT);
	/* A rendezvous inside a company sees private addresses. */
	assert_int_equal(hp_volley_class(&lan, HP_CAND_REFLEXIVE),
			 HP_VOLLEY_NAT);
}

static void pace_gives_a_burst_then_one_at_a_time(void **state)
{
	struct hp_pace p = { .every_ns = 10 * HP_MS, .burst = 3 };
	uint64_t now = HP_S;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(hp_pace_take(&p, now));
	assert_false(hp_pace_take(&p, now));
	assert_true(hp_pace_next(&p) == now + 10 * HP_MS);
	assert_false(hp_pace_take(&p, now + 10 * HP_MS - 1));
	assert_true(hp_pace_take(&p, now + 10 * HP_MS));
	assert_false(hp_pace_take(&p, now + 10 * HP_MS));
	now += 10 * HP_S;
	for (int i = 0; i < 3; i++)
		assert_true(hp_pace_take(&p, now));
	assert_false(hp_pace_take(&p, now));
}

static void find_lets_an_unnamed_local_address_fit_any(void **state)
{
	static struct hp_paths t;
	struct hp_path p = to(1), q = p;

	(void)state;
	hp_paths_reset(&t);
	assert_non_null(hp_paths_add(&t, &p, HP_CAND_HOST, 0, 0));
	q.local = hp_addr4(10, 0, 0, 1, 0);
	assert_ptr_equal(hp_paths_find(&t, &q), t.track[1]);
	t.track[1]->path.local = hp_addr4(10, 0, 0, 2, 0);
	assert_null(hp_paths_find(&t, &q));
	q = t.track[1]->path;
	q.sock = 3;
	assert_null(hp_paths_find(&t, &q));
	q.sock = 0;
	q.channel = 3;
	assert_null(hp_paths_find(&t, &q));
	hp_paths_reset(&t);
	assert_int_equal(t.n, 1);
}

static void full_table_drops_the_one_heard_longest_ago(void **state)
{
	static struct hp_paths t;
	struct hp_path p;

	(void)state;
	hp_paths_reset(&t);
	for (uint8_t i = 1; i < HP_PUNCH_PATHS; i++) {
		p = to(i);
		assert_non_null(hp_paths_add(&t, &p, HP_CAND_PEER_REFLEXIVE, 0,
					     0));
		t.track[i]->heard_ns = 1000u + i;
	}
	t.track[1]->valid = true;
	t.track[2]->announced = true;
	p = to(200);
	assert_ptr_equal(hp_paths_add(&t, &p, HP_CAND_HOST, 3, 4),
			 t.track[5]);
	for (size_t i = 1; i < HP_PUNCH_PATHS; i++)
		t.track[i]->valid = true;
	p = to(201);
	assert_null(hp_paths_add(&t, &p, HP_CAND_HOST, 0, 0));
	hp_paths_reset(&t);
}

static void response_nobody_waits_for_is_refused(void **state)
{
	struct hp_track t = { 0 };

	(void)state;
	assert_int_equal(hp_track_answered(&t, 0, 5), HP_ERR_STATE);
	assert_int_equal(hp_track_answered(&t, 5, 5), HP_ERR_STATE);
	hp_track_sent(&t, 5, true, 1);
	assert_int_equal(hp_track_answered(&t, 5, 5), HP_OK);
	assert_int_equal(hp_track_answered(&t, 5, 6), HP_ERR_STATE);
	assert_false(hp_track_is_lossy(&t, false));
}

static void late_response_still_proves_the_path(void **state)
{
	struct hp_track t = { 0 };
	uint64_t now = 0;

	(void)state;
	hp_track_sent(&t, 5, true, now);
	hp_track_expire(&t, 4 * HP_S);
	assert_int_equal(hp_track_answered(&t, 5, 4 * HP_S), HP_OK);
	assert_true(t.valid);
	assert_true(t.srtt_ns == 4 * HP_S);
}

static void losses_make_lossy_and_take_long_to_forget(void **state)
{
	struct hp_track t = { 0 };
	uint64_t now = HP_S;

	(void)state;
	/* What was lost before the first answer says nothing. */
	for (int i = 0; i < 5; i++)
		lose(&t, &now);
	ping(&t, &now, HP_MS);
	assert_false(hp_track_is_lossy(&t, false));
	lose(&t, &now);
	lose(&t, &now);
	assert_false(hp_track_is_lossy(&t, false));
	assert_false(hp_track_is_mute(&t, false));
	lose(&t, &now);
	assert_true(hp_track_is_lossy(&t, false));
	assert_true(hp_track_is_mute(&t, false));
	assert_false(hp_track_is_mute(&t, true));
	hp_track_sent(&t, 3, false, now);
	hp_track_expire(&t, now + 9 * HP_S);
	assert_int_equal(t.n_history, 4);
	for (int i = 0; i < 5; i++)
		ping(&t, &now, HP_MS);
	assert_true(hp_track_is_lossy(&t, true));
	ping(&t, &now, HP_MS);
	ping(&t, &now, HP_MS);
	assert_false(hp_track_is_lossy(&t, true));
	assert_false(hp_track_is_clean(&t));
	ping(&t, &now, HP_MS);
	assert_true(hp_track_is_clean(&t));
	hp_track_fail(&t);
	assert_false(hp_track_is_clean(&t));
}

/* What is told of it is why it does not work now. */
static void path_that_fails_counts_anew(void **state)
{
	struct hp_track t = { .heard = 3, .errors = 2, .denied = 1 };
	uint64_t now = HP_S;

	(void)state;
	ping(&t, &now, HP_MS);
	assert_true(t.answered);
	hp_track_fail(&t);
	assert_int_equal(t.sent + t.answered + t.heard + t.errors + t.denied,
			 0);
}

static void switching_needs_five_ms_and_ten_percent_three_times(void **state)
{
	static const struct {
		const char *label;
		uint64_t used_ms, other_ms;
		bool gains;
	} rows[] = {
		{ "4 ms are not enough", 20, 16, false },
		{ "5 ms are", 20, 15, true },
		{ "5 ms of 100 are not 10 %", 100, 95, false },
		{ "10 ms of 100 are", 100, 90, true },
		{ "slower", 20, 30, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct hp_track used = { .srtt_ns = rows[i].used_ms * HP_MS };
		struct hp_track t = { .srtt_ns = rows[i].other_ms * HP_MS };
		bool got = false;

		for (int n = 0; n < 3; n++) {
			assert_false(got);
			got = hp_track_gains(&t, &used);
		}
		if (got != rows[i].gains)
			fail_msg("%s", rows[i].label);
	}
}

static void one_bad_sample_starts_the_count_again(void **state)
{
	struct hp_track used = { .srtt_ns = 20 * HP_MS };
	struct hp_track t = { .srtt_ns = 10 * HP_MS };

	(void)state;
	assert_false(hp_track_gains(&t, &used));
	assert_false(hp_track_gains(&t, &used));
	t.srtt_ns = 18 * HP_MS;
	assert_false(hp_track_gains(&t, &used));
	t.srtt_ns = 10 * HP_MS;
	assert_false(hp_track_gains(&t, &used));
	/* Nothing is better than what was never measured. */
	used.srtt_ns = 0;
	assert_false(hp_track_gains(&t, &used));
}

static void round_trips_are_smoothed(void **state)
{
	struct hp_track t = { 0 };
	uint64_t now = HP_S;

	(void)state;
	ping(&t, &now, 80 * HP_MS);
	assert_true(t.srtt_ns == 80 * HP_MS);
	ping(&t, &now, 160 * HP_MS);
	assert_true(t.srtt_ns == 90 * HP_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volley_schedule_is_the_published_one),
		cmocka_unit_test(volley_guard_ends_when_the_peer_is_open),
		cmocka_unit_test(volley_classes_follow_address_and_kind),
		cmocka_unit_test(pace_gives_a_burst_then_one_at_a_time),
		cmocka_unit_test(find_lets_an_unnamed_local_address_fit_any),
		cmocka_unit_test(full_table_drops_the_one_heard_longest_ago),
		cmocka_unit_test(response_nobody_waits_for_is_refused),
		cmocka_unit_test(late_response_still_proves_the_path),
		cmocka_unit_test(losses_make_lossy_and_take_long_to_forget),
		cmocka_unit_test(path_that_fails_counts_anew),
		cmocka_unit_test(
			switching_needs_five_ms_and_ten_percent_three_times),
		cmocka_unit_test(one_bad_sample_starts_the_count_again),
		cmocka_unit_test(round_trips_are_smoothed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
