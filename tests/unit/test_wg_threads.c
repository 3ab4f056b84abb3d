/* SPDX-License-Identifier: ISC */
/*
 * One session, many threads: no counter is taken twice or beyond the last one,
 * and no message is taken by two. Run under ThreadSanitizer, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/pkt.h"
#include "base/time.h"
#include "wg/session.h"
#include "wg/wire.h"

#define THREADS 4
#define COUNTERS 40960	/* of each thread */
/* All threads are within so many counters of each other: well in the window. */
#define STEP 512
#define ROUNDS 10
#define NOW_NS (1000 * HP_S)

/* @taken: how often each counter was, by this thread */
struct worker {
	pthread_t thread;
	struct hp_session *s;
	atomic_uint *arrived;
	uint64_t base;
	unsigned int skew;
	unsigned int refused;
	uint8_t taken[THREADS * COUNTERS];
};

static struct hp_session *session_make(enum hp_suite suite)
{
	struct hp_session_keys keys = { .suite = suite };
	struct hp_aead *aead = hp_aead_new(HP_AEAD_CRYPTO);
	struct hp_session *s;

	assert_non_null(aead);
	s = hp_session_new(aead, NULL, &keys, 1, 2, true, NOW_NS);
	assert_non_null(s);
	hp_aead_free(aead);
	return s;
}

/* Waits for all threads, awake: one that has to be woken finds the others gone
 * on. @n: how often it was called, this time included.
 */
static void meet(struct worker *w, unsigned int n)
{
	atomic_fetch_add(w->arrived, 1);
	while (atomic_load(w->arrived) < n * THREADS)
		sched_yield();
}

static void *seals(void *ctx)
{
	uint8_t buf[HP_HEADROOM + HP_TAILROOM];
	struct worker *w = ctx;
	struct hp_aead_op op;
	struct hp_pkt p;

	meet(w, 1);
	for (unsigned int i = 0; i < COUNTERS; i++) {
		p = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM, 0);
		if (hp_session_seal(w->s, &p, 0, NOW_NS, &op))
			w->refused++;
		else if (op.counter - w->base < sizeof(w->taken))
			w->taken[op.counter - w->base]++;
	}
	return NULL;
}

/* Every thread is offered every counter, each in an order of its own. */
static void *opens(void *ctx)
{
	struct worker *w = ctx;
	uint8_t buf[HP_WG_DATA_MIN] = { 0 };
	struct hp_aead_op op;
	struct hp_pkt p;

	for (uint64_t at = 0; at < COUNTERS; at += STEP) {
		meet(w, (unsigned int)(at / STEP) + 1);
		for (uint64_t i = 0; i < STEP; i++) {
			uint64_t counter = at + (i * 5 + w->skew) % STEP;

			hp_put_le64(buf + offsetof(struct hp_wire_data,
						   counter), counter);
			p = hp_pkt_of(buf, sizeof(buf), 0, sizeof(buf));
			if (hp_session_open(w->s, &p, NOW_NS, &op))
				continue;
			op.ok = true;
			w->taken[counter] += !hp_session_opened(w->s, &p, &op);
		}
	}
	return NULL;
}

/* Runs @fn in all threads; returns how often each counter was taken. */
static uint8_t *in_all(struct hp_session *s, uint64_t base,
		       void *(*fn)(void *ctx), unsigned int *refused)
{
	static struct worker w[THREADS];
	static uint8_t taken[THREADS * COUNTERS];
	atomic_uint arrived = 0;

	memset(taken, 0, sizeof(taken));
	*refused = 0;
	for (size_t t = 0; t < THREADS; t++) {
		w[t] = (struct worker){ .s = s, .arrived = &arrived,
					.base = base,
					.skew = (unsigned int)t * STEP /
						THREADS };
		assert_int_equal(pthread_create(&w[t].thread, NULL, fn, &w[t]),
				 0);
	}
	for (size_t t = 0; t < THREADS; t++) {
		assert_int_equal(pthread_join(w[t].thread, NULL), 0);
		*refused += w[t].refused;
		for (size_t i = 0; i < sizeof(taken); i++)
			taken[i] = (uint8_t)(taken[i] + w[t].taken[i]);
	}
	return taken;
}

static void every_counter_is_taken_by_one_thread(void **state)
{
	struct hp_session *s = session_make(HP_SUITE_CHACHA);
	unsigned int refused;
	const uint8_t *taken = in_all(s, 0, seals, &refused);

	(void)state;
	assert_int_equal(refused, 0);
	for (size_t i = 0; i < THREADS * COUNTERS; i++)
		assert_int_equal(taken[i], 1);
	hp_session_free(s);
}

static void no_thread_goes_beyond_the_last_counter(void **state)
{
	static const uint64_t end[HP_SUITES] = {
		[HP_SUITE_CHACHA] = HP_WG_REJECT_AFTER_MESSAGES,
		[HP_SUITE_AES] = HP_AES_REJECT_AFTER_MESSAGES,
	};
	unsigned int refused, left = COUNTERS / 2;

	(void)state;
	for (size_t suite = 0; suite < HP_SUITES; suite++) {
		struct hp_session *s = session_make((enum hp_suite)suite);
		const uint8_t *taken;

		s->counter = end[suite] - left;
		taken = in_all(s, end[suite] - left, seals, &refused);
		assert_int_equal(refused, THREADS * COUNTERS - left);
		for (size_t i = 0; i < THREADS * COUNTERS; i++)
			assert_int_equal(taken[i], i < left);
		hp_session_free(s);
	}
}

static void a_message_is_taken_by_one_thread(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct hp_session *s = session_make(HP_SUITE_CHACHA);
		unsigned int refused;
		const uint8_t *taken = in_all(s, 0, opens, &refused);

		for (size_t i = 0; i < COUNTERS; i++)
			assert_int_equal(taken[i], 1);
		hp_session_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_is_taken_by_one_thread),
		cmocka_unit_test(no_thread_goes_beyond_the_last_counter),
		cmocka_unit_test(a_message_is_taken_by_one_thread),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
