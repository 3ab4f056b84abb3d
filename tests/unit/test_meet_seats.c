/* SPDX-License-Identifier: ISC */
/* Limits of a server against streams that are slow, idle or too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/datagram.h"
#include "meet/seats.h"
#include "meet/wire.h"

/* The server answers @t with a message of that kind. */
static void answer(struct hp_seat *t, enum hp_meet_kind kind)
{
	uint8_t p[80] = { 0 };

	hp_datagram_head(p, (uint8_t)kind);
	hp_seat_answered(t, p, sizeof(p));
}

static struct hp_addr ip(const char *text)
{
	struct hp_addr a;

	assert_int_equal(hp_addr_parse(text, 1, &a, NULL), HP_OK);
	return a;
}

static struct hp_seats *seats_new(void)
{
	struct hp_seats *s = malloc(sizeof(*s));

	assert_non_null(s);
	hp_seats_init(s);
	return s;
}

/* How many of @n streams from @from get a seat. */
static size_t crowd(struct hp_seats *s, const char *from, size_t n)
{
	struct hp_addr a = ip(from);
	size_t got = 0;

	for (size_t i = 0; i < n; i++) {
		a.port = (uint16_t)(1 + i);
		got += hp_seats_take(s, &a, 0) != NULL;
	}
	return got;
}

static void one_source_gets_its_share_and_leaves_the_rest(void **state)
{
	struct hp_seats *s = seats_new();

	(void)state;
	assert_int_equal(crowd(s, "192.0.2.1", 100), HP_SEATS_SOURCE);
	assert_int_equal(crowd(s, "192.0.2.1", 1), 0);
	assert_int_equal(crowd(s, "192.0.2.2", 1), 1);
	/* An IPv6 host has a /64 to take addresses from. */
	assert_int_equal(crowd(s, "2001:db8::1", 40), 40);
	assert_int_equal(crowd(s, "2001:db8::ffff:2", 40),
			 HP_SEATS_SOURCE - 40);
	assert_int_equal(crowd(s, "2001:db8:0:1::1", 1), 1);
	free(s);
}

static void newcomer_is_turned_away_when_all_seats_are_taken(void **state)
{
	struct hp_seats *s = seats_new();
	struct hp_addr late = ip("198.51.100.1");
	char from[32];

	(void)state;
	for (size_t i = 0; i < HP_SEATS; i++) {
		snprintf(from, sizeof(from), "192.0.2.%zu", i / 8);
		assert_int_equal(crowd(s, from, 1), 1);
	}
	assert_null(hp_seats_take(s, &late, 0));
	for (size_t i = 0; i < HP_SEATS; i++)
		assert_true(s->seat[i].taken);
	hp_seats_leave(s, &s->seat[7]);
	assert_ptr_equal(hp_seats_take(s, &late, 0), &s->seat[7]);
	assert_int_equal(s->n, HP_SEATS);
	free(s);
}

/* Half a TLS handshake is as good as silence, and so is whatever the server
 * answers to somebody who is not registered.
 */
static void who_does_not_register_in_time_is_overdue(void **state)
{
	struct hp_seats *s = seats_new();
	struct hp_addr from = ip("192.0.2.1");
	struct hp_seat *t = hp_seats_take(s, &from, HP_S);

	(void)state;
	assert_non_null(t);
	answer(t, HP_MEET_CHALLENGE);
	t->heard_ns = 10 * HP_S;
	assert_false(hp_seat_overdue(t, HP_S + HP_SEAT_PROVE_NS - 1));
	assert_true(hp_seat_overdue(t, HP_S + HP_SEAT_PROVE_NS));
	answer(t, HP_MEET_REGISTERED);
	assert_false(hp_seat_overdue(t, HP_S + HP_SEAT_PROVE_NS));
	free(s);
}

static void who_is_silent_for_long_is_overdue(void **state)
{
	struct hp_seats *s = seats_new();
	struct hp_addr from = ip("192.0.2.1");
	struct hp_seat *t = hp_seats_take(s, &from, 0);

	(void)state;
	assert_non_null(t);
	answer(t, HP_MEET_REGISTERED);
	t->heard_ns = 100 * HP_S;
	assert_false(hp_seat_overdue(t, 100 * HP_S + HP_SEAT_IDLE_NS - 1));
	assert_true(hp_seat_overdue(t, 100 * HP_S + HP_SEAT_IDLE_NS));
	free(s);
}

static void word_for_one_that_is_gone_reaches_nobody(void **state)
{
	struct hp_seats *s = seats_new();
	struct hp_addr from = ip("192.0.2.1");
	struct hp_seat *t = hp_seats_take(s, &from, 0);
	uint32_t first = t->path.sock;

	(void)state;
	answer(t, HP_MEET_REGISTERED);
	assert_ptr_equal(hp_seats_find(s, first), t);
	hp_seats_leave(s, t);
	assert_null(hp_seats_find(s, first));
	assert_ptr_equal(hp_seats_take(s, &from, 0), t);
	assert_null(hp_seats_find(s, first));
	assert_ptr_equal(hp_seats_find(s, t->path.sock), t);
	assert_false(t->proved);
	assert_true(hp_path_is_stream(&t->path));
	/* Nor when the numbers begin anew. */
	hp_seats_leave(s, t);
	t->path.sock = UINT32_MAX - HP_SEATS + 1 + (t->path.sock % HP_SEATS);
	assert_ptr_equal(hp_seats_take(s, &from, 0), t);
	assert_true(hp_path_is_stream(&t->path));
	assert_ptr_equal(hp_seats_find(s, t->path.sock), t);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_source_gets_its_share_and_leaves_the_rest),
		cmocka_unit_test(
			newcomer_is_turned_away_when_all_seats_are_taken),
		cmocka_unit_test(who_does_not_register_in_time_is_overdue),
		cmocka_unit_test(who_is_silent_for_long_is_overdue),
		cmocka_unit_test(word_for_one_that_is_gone_reaches_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
