/* SPDX-License-Identifier: ISC */
/* Names of servers are looked up beside the loop and come back through it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "member/network.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/resolve.h"

struct seen {
	struct hp_loop *loop;
	unsigned int calls, want;
	struct hp_addr addr4[2];
	struct hp_addr addr6[2];
	bool failed[2];
	uint64_t give_up_ns;
};

static void on_found(void *ctx, unsigned int id, const struct hp_addr *addr4,
		     const struct hp_addr *addr6, const char *error,
		     uint64_t now_ns)
{
	struct seen *s = ctx;

	(void)now_ns;
	s->addr4[id] = *addr4;
	s->addr6[id] = *addr6;
	s->failed[id] = error != NULL;
	if (++s->calls == s->want)
		hp_loop_stop(s->loop);
}

static uint64_t give_up(void *ctx)
{
	return ((struct seen *)ctx)->give_up_ns;
}

static void stop(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	hp_loop_stop(((struct seen *)ctx)->loop);
}

static void lookups_come_back_through_the_loop(void **state)
{
	static const struct hp_server four = { .host = "127.0.0.1", .port = 8888 };
	static const struct hp_server six = { .host = "::1", .port = 5 };
	struct seen s = { .want = 2 };
	struct hp_loop_timed timed = { give_up, stop, &s };
	struct hp_addr want4 = hp_addr4(127, 0, 0, 1, 8888);
	struct hp_resolver *r;

	(void)state;
	s.loop = hp_loop_new();
	assert_non_null(s.loop);
	s.give_up_ns = hp_clock_now() + 20 * HP_S;
	assert_int_equal(hp_loop_timed(s.loop, &timed), HP_OK);
	assert_int_equal(hp_resolver_new(s.loop, on_found, &s, &r), HP_OK);
	assert_int_equal(hp_resolver_add(r, &four, 0), HP_OK);
	assert_int_equal(hp_resolver_add(r, &six, 1), HP_OK);
	assert_int_equal(s.calls, 0);
	assert_int_equal(hp_loop_run(s.loop), HP_OK);
	assert_int_equal(s.calls, 2);
	assert_true(hp_addr_eq(&s.addr4[0], &want4));
	assert_int_equal(s.addr6[0].family, HP_AF_NONE);
	assert_int_equal(s.addr4[1].family, HP_AF_NONE);
	assert_int_equal(s.addr6[1].family, HP_AF_6);
	assert_int_equal(s.addr6[1].port, 5);
	assert_false(s.failed[0] || s.failed[1]);
	hp_resolver_free(r);
	hp_loop_free(s.loop);
}

/* What is under way when the network changes is not told; what is looked up
 * instead is, however often it changes.
 */
static void renewed_lookup_is_told_once(void **state)
{
	static const struct hp_server four = {
		.host = "127.0.0.1", .port = 8888,
	};
	struct seen s = { .want = 1 };
	struct hp_loop_timed timed = { give_up, stop, &s };
	uint64_t start = hp_clock_now();
	struct hp_resolver *r;

	(void)state;
	s.loop = hp_loop_new();
	assert_non_null(s.loop);
	assert_int_equal(hp_loop_timed(s.loop, &timed), HP_OK);
	assert_int_equal(hp_resolver_new(s.loop, on_found, &s, &r), HP_OK);
	assert_int_equal(hp_resolver_add(r, &four, 0), HP_OK);
	for (int i = 0; i < 10; i++)
		hp_resolver_renew(r, 0, start);
	s.give_up_ns = start + 20 * HP_S;
	assert_int_equal(hp_loop_run(s.loop), HP_OK);
	assert_int_equal(s.calls, 1);
	/* In a second's time, not at once: the first was just asked. */
	assert_true(hp_clock_now() - start >= HP_S * 9 / 10);
	s.give_up_ns = hp_clock_now() + 1500 * HP_MS;
	s.want = 2;
	assert_int_equal(hp_loop_run(s.loop), HP_OK);
	assert_int_equal(s.calls, 1);
	hp_resolver_free(r);
	hp_loop_free(s.loop);
}

static void name_that_fails_is_reported_and_asked_again(void **state)
{
	/* A label longer than 63 bytes fails without asking anybody. */
	static const struct hp_server bad = {
		.host = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
			"ffffffffffgggggggggg",
		.port = 8888,
	};
	struct seen s = { .want = 2 };
	struct hp_loop_timed timed = { give_up, stop, &s };
	uint64_t start = hp_clock_now();
	struct hp_resolver *r;

	(void)state;
	s.loop = hp_loop_new();
	assert_non_null(s.loop);
	s.give_up_ns = start + 20 * HP_S;
	assert_int_equal(hp_loop_timed(s.loop, &timed), HP_OK);
	assert_int_equal(hp_resolver_new(s.loop, on_found, &s, &r), HP_OK);
	assert_int_equal(hp_resolver_add(r, &bad, 0), HP_OK);
	assert_int_equal(hp_loop_run(s.loop), HP_OK);
	assert_int_equal(s.calls, 2);
	assert_true(s.failed[0]);
	assert_true(hp_clock_now() - start >= HP_S);
	hp_resolver_free(r);
	hp_loop_free(s.loop);
}

static void resolver_may_go_while_a_lookup_runs(void **state)
{
	static const struct hp_server four = { .host = "127.0.0.1", .port = 1 };
	struct seen s = { .want = 1 };
	struct hp_resolver *r;

	(void)state;
	for (int i = 0; i < 20; i++) {
		s.loop = hp_loop_new();
		assert_non_null(s.loop);
		assert_int_equal(hp_resolver_new(s.loop, on_found, &s, &r),
				 HP_OK);
		assert_int_equal(hp_resolver_add(r, &four, 0), HP_OK);
		hp_resolver_free(r);
		hp_loop_free(s.loop);
	}
	assert_int_equal(s.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookups_come_back_through_the_loop),
		cmocka_unit_test(renewed_lookup_is_told_once),
		cmocka_unit_test(name_that_fails_is_reported_and_asked_again),
		cmocka_unit_test(resolver_may_go_while_a_lookup_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
