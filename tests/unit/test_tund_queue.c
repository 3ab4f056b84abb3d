/* SPDX-License-Identifier: ISC */
/* tund/queue: order, bounds, the room kept for notices, waking, two threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "../../tund/queue.h"
#include "base/bytes.h"

#define SIZE 65536

static bool readable(const struct queue *q, int wait_ms)
{
	struct pollfd p = { .fd = queue_fd(q), .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

static void records_come_out_as_they_went_in(void **state)
{
	struct hp_path path = { .remote = hp_addr4(192, 0, 2, 1, 7) };
	struct queue *q = queue_new(SIZE);
	struct queue_record r;

	(void)state;
	assert_non_null(q);
	assert_false(queue_peek(q, &r));
	assert_true(queue_put(q, QUEUE_DATAGRAM, &path, "abc", 3));
	assert_true(queue_put(q, QUEUE_NOTICE, NULL, "defg", 4));
	assert_true(queue_put(q, QUEUE_GONE, NULL, NULL, 0));
	queue_woken(q);
	assert_true(queue_peek(q, &r));
	assert_int_equal(r.kind, QUEUE_DATAGRAM);
	assert_true(hp_path_eq(&r.from, &path));
	assert_int_equal(r.pkt.len, 3);
	assert_memory_equal(r.pkt.data, "abc", 3);
	assert_int_equal(r.pkt.head, HP_HEADROOM);
	assert_true(r.pkt.tail >= HP_TAILROOM);
	/* It is the reader's own until popped: scribble on all of it. */
	memset(r.pkt.data - r.pkt.head, 0xff,
	       r.pkt.head + r.pkt.len + r.pkt.tail);
	queue_pop(q);
	assert_true(queue_peek(q, &r));
	assert_int_equal(r.kind, QUEUE_NOTICE);
	assert_memory_equal(r.pkt.data, "defg", 4);
	assert_false(hp_path_set(&r.from));
	queue_pop(q);
	assert_true(queue_peek(q, &r));
	assert_int_equal(r.kind, QUEUE_GONE);
	assert_int_equal(r.pkt.len, 0);
	queue_pop(q);
	/* What comes after the wakeup waits for the next one. */
	assert_true(queue_put(q, QUEUE_GONE, NULL, NULL, 0));
	assert_false(queue_peek(q, &r));
	queue_woken(q);
	assert_true(queue_peek(q, &r));
	queue_pop(q);
	assert_false(queue_peek(q, &r));
	queue_free(q);
}

static void packets_leave_room_for_notices(void **state)
{
	struct queue *q = queue_new(SIZE);
	uint8_t buf[1000] = { 0 };
	struct queue_record r;
	size_t n = 0, notices = 0;

	(void)state;
	assert_non_null(q);
	while (queue_put(q, QUEUE_INNER, NULL, buf, sizeof(buf)))
		n++;
	assert_true(n > SIZE / 2 / sizeof(buf) && n < SIZE / sizeof(buf));
	assert_true(queue_calm(q));
	while (queue_calm(q)) {
		assert_true(queue_put(q, QUEUE_NOTICE, NULL, buf, 72));
		notices++;
	}
	/* Not calm, and yet a quarter is left for those of one batch. */
	while (queue_put(q, QUEUE_NOTICE, NULL, buf, 72))
		notices++;
	assert_true(notices >= SIZE / 4 / 320);
	assert_false(queue_put(q, QUEUE_INNER, NULL, buf, 1));
	queue_woken(q);
	while (queue_peek(q, &r))
		queue_pop(q);
	assert_true(queue_calm(q));
	assert_true(queue_put(q, QUEUE_INNER, NULL, buf, sizeof(buf)));
	queue_free(q);
}

static void too_long_a_record_is_refused(void **state)
{
	struct queue *q = queue_new(SIZE);
	static uint8_t buf[SIZE];

	(void)state;
	assert_non_null(q);
	assert_false(queue_put(q, QUEUE_DATAGRAM, NULL, buf, sizeof(buf)));
	assert_false(queue_put(q, QUEUE_NOTICE, NULL, buf, sizeof(buf)));
	queue_free(q);
}

static void the_reader_is_woken_once_for_what_was_put(void **state)
{
	struct queue *q = queue_new(SIZE);
	struct queue_record r;

	(void)state;
	assert_non_null(q);
	queue_kick(q);
	assert_false(readable(q, 0));
	assert_true(queue_put(q, QUEUE_NOTICE, NULL, "x", 1));
	assert_false(readable(q, 0));
	queue_kick(q);
	assert_true(readable(q, 0));
	queue_woken(q);
	assert_false(readable(q, 0));
	assert_true(queue_peek(q, &r));
	queue_again(q);
	assert_true(readable(q, 0));
	queue_woken(q);
	queue_pop(q);
	assert_true(queue_put(q, QUEUE_NOTICE, NULL, "y", 1));
	queue_kick(q);
	assert_true(readable(q, 0));
	queue_free(q);
}

/* ---- two threads --------------------------------------------------------- */

#define RECORDS 200000u

/* Length and content of record @i. */
static size_t shape(uint32_t i, uint8_t *buf)
{
	size_t len = 4 + i * 2654435761u % 1700;

	hp_put_be32(buf, i);
	memset(buf + 4, (int)(i & 0xff), len - 4);
	return len;
}

static void *writer(void *ctx)
{
	struct queue *q = ctx;
	uint8_t buf[2048];
	uint32_t i;

	for (i = 0; i < RECORDS; i++) {
		size_t len = shape(i, buf);

		while (!queue_put(q, i % 5 ? QUEUE_INNER : QUEUE_NOTICE, NULL,
				  buf, len)) {
			queue_kick(q);
			sched_yield();
		}
		if (i % 7 == 0)
			queue_kick(q);
	}
	queue_kick(q);
	return NULL;
}

static void two_threads_lose_and_mix_up_nothing(void **state)
{
	struct queue *q = queue_new(SIZE);
	struct queue_record r;
	uint8_t want[2048];
	uint32_t i = 0;
	pthread_t t;

	(void)state;
	assert_non_null(q);
	assert_int_equal(pthread_create(&t, NULL, writer, q), 0);
	while (i < RECORDS) {
		/* A lost wake-up shows as a time-out here. */
		assert_true(readable(q, 10000));
		queue_woken(q);
		while (queue_peek(q, &r)) {
			assert_int_equal(r.kind, i % 5 ? QUEUE_INNER :
							 QUEUE_NOTICE);
			assert_int_equal(r.pkt.len, shape(i, want));
			assert_memory_equal(r.pkt.data, want, r.pkt.len);
			queue_pop(q);
			i++;
		}
	}
	pthread_join(t, NULL);
	assert_false(queue_peek(q, &r));
	queue_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_as_they_went_in),
		cmocka_unit_test(packets_leave_room_for_notices),
		cmocka_unit_test(too_long_a_record_is_refused),
		cmocka_unit_test(the_reader_is_woken_once_for_what_was_put),
		cmocka_unit_test(two_threads_lose_and_mix_up_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
