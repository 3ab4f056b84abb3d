/* SPDX-License-Identifier: ISC */
/* lib/sys: the event loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/time.h"
#include "sys/clock.h"
#include "sys/loop.h"

struct seen {
	struct hp_loop *loop;
	int fd[2];
	int calls;
	int last;
	uint64_t due_ns;
	uint64_t ticked_ns;
	int ticks;
	int ticks_wanted;
};

static void take_one_and_unwatch_both(void *ctx, uint32_t events,
				      uint64_t now_ns)
{
	struct seen *s = ctx;

	assert_true(events & EPOLLIN);
	assert_true(now_ns == hp_loop_now(s->loop));
	s->calls++;
	hp_loop_unwatch(s->loop, s->fd[0]);
	hp_loop_unwatch(s->loop, s->fd[1]);
}

static uint64_t due(void *ctx)
{
	return ((struct seen *)ctx)->due_ns;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct seen *s = ctx;

	assert_true(now_ns >= s->due_ns);
	s->ticked_ns = now_ns;
	if (++s->ticks >= s->ticks_wanted)
		hp_loop_stop(s->loop);
}

static void on_signal(void *ctx, int signo, uint64_t now_ns)
{
	struct seen *s = ctx;

	(void)now_ns;
	s->last = signo;
	hp_loop_stop(s->loop);
}

static struct seen start(void)
{
	struct seen s = { .due_ns = HP_NEVER, .ticks_wanted = 1 };

	s.loop = hp_loop_new();
	assert_non_null(s.loop);
	return s;
}

static void add_timed(struct seen *s)
{
	const struct hp_loop_timed t = { due, tick, s };

	assert_int_equal(hp_loop_timed(s->loop, &t), HP_OK);
}

static void unwatched_descriptor_is_not_called_for_a_fetched_event(void **state)
{
	struct seen s = start();

	(void)state;
	add_timed(&s);
	s.due_ns = hp_clock_now() + 5 * HP_MS;
	for (int i = 0; i < 2; i++) {
		s.fd[i] = eventfd(1, EFD_NONBLOCK);
		assert_int_equal(hp_loop_watch(s.loop, s.fd[i], EPOLLIN,
					       take_one_and_unwatch_both, &s),
				 HP_OK);
	}
	assert_int_equal(hp_loop_run(s.loop), HP_OK);
	assert_int_equal(s.calls, 1);
	close(s.fd[0]);
	close(s.fd[1]);
	hp_loop_free(s.loop);
}

static void deadline_in_the_past_ticks_at_once_and_again(void **state)
{
	struct seen s = start();

	(void)state;
	add_timed(&s);
	s.ticks_wanted = 3;
	s.due_ns = 0;
	assert_int_equal(hp_loop_run(s.loop), HP_OK);
	assert_int_equal(s.ticks, 3);
	hp_loop_free(s.loop);
}

static void deadline_ahead_does_not_tick_early(void **state)
{
	struct seen s = start();

	(void)state;
	add_timed(&s);
	s.due_ns = hp_clock_now() + 3 * HP_MS;
	assert_int_equal(hp_loop_run(s.loop), HP_OK);
	assert_true(s.ticked_ns >= s.due_ns);
	assert_int_equal(s.ticks, 1);
	hp_loop_free(s.loop);
}

static void signal_stops_the_loop_and_the_mask_comes_back(void **state)
{
	static const int signos[] = { SIGTERM, SIGHUP };
	struct seen s = start();
	sigset_t mask;

	(void)state;
	assert_int_equal(hp_loop_signals(s.loop, signos, 2, on_signal, &s),
			 HP_OK);
	assert_int_equal(hp_loop_signals(s.loop, signos, 2, on_signal, &s),
			 HP_ERR_STATE);
	raise(SIGHUP);
	assert_int_equal(hp_loop_run(s.loop), HP_OK);
	assert_int_equal(s.last, SIGHUP);
	hp_loop_free(s.loop);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	assert_false(sigismember(&mask, SIGTERM));
}

static void timed_parts_are_capped(void **state)
{
	struct seen s = start();
	const struct hp_loop_timed t = { due, tick, &s };

	(void)state;
	for (int i = 0; i < HP_LOOP_TIMED_MAX; i++)
		assert_int_equal(hp_loop_timed(s.loop, &t), HP_OK);
	assert_int_equal(hp_loop_timed(s.loop, &t), HP_ERR_FULL);
	hp_loop_free(s.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			unwatched_descriptor_is_not_called_for_a_fetched_event),
		cmocka_unit_test(deadline_in_the_past_ticks_at_once_and_again),
		cmocka_unit_test(deadline_ahead_does_not_tick_early),
		cmocka_unit_test(signal_stops_the_loop_and_the_mask_comes_back),
		cmocka_unit_test(timed_parts_are_capped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
