/* SPDX-License-Identifier: ISC */
/* Datagrams over a stream: cut right however they arrive, dropped in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "meet/frame.h"

/* A datagram whose bytes tell which one it is. */
static void fill(uint8_t *p, size_t len, uint32_t n)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(n + i);
}

static bool is_filled(const uint8_t *p, size_t len, uint32_t n)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != (uint8_t)(n + i))
			return false;
	return true;
}

static void feed(struct hp_frame_in *in, const uint8_t *p, size_t len)
{
	size_t room;
	uint8_t *to = hp_frame_room(in, &room);

	assert_true(len <= room);
	memcpy(to, p, len);
	hp_frame_put(in, len);
}

/* Moves bytes from @out to @in in pieces of random length; takes what comes. */
static void pass(struct hp_frame_out *out, struct hp_frame_in *in,
		 const struct hp_rng *rng, uint32_t *next,
		 size_t (*len_of)(uint32_t n))
{
	const uint8_t *p;
	uint8_t *got;
	size_t len, room;

	while ((len = hp_frame_peek(out, &p, 0))) {
		size_t n = 1 + hp_rng_below(rng, (uint32_t)len);
		enum hp_err err;

		(void)hp_frame_room(in, &room);
		n = n < room ? n : room;
		feed(in, p, n);
		hp_frame_sent(out, n);
		while (!(err = hp_frame_next(in, &got, &len))) {
			assert_int_equal(len, len_of(*next));
			assert_true(is_filled(got, len, (*next)++));
		}
		assert_int_equal(err, HP_ERR_AGAIN);
	}
}

static size_t varied(uint32_t n)
{
	return 1 + n * 7919 % HP_FRAME_MAX;
}

static void frames_arrive_whole_however_they_are_cut(void **state)
{
	struct hp_frame_out *out = calloc(1, sizeof(*out));
	struct hp_frame_in *in = calloc(1, sizeof(*in));
	static uint8_t buf[HP_FRAME_MAX];
	uint64_t seed = (uint64_t)time(NULL);
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	uint32_t next = 0;

	(void)state;
	hp_rng_seeded_init(&seeded, seed, &rng);
	print_message("seed %llu\n", (unsigned long long)seed);
	assert_true(out && in);
	for (uint32_t n = 0; n < 500; n++) {
		fill(buf, varied(n), n);
		assert_int_equal(hp_frame_add(out, buf, varied(n), 0), HP_OK);
		if (n % 4 == 3)
			pass(out, in, &rng, &next, varied);
	}
	assert_int_equal(next, 500);
	assert_int_equal(out->dropped, 0);
	free(out);
	free(in);
}

static void longest_frame_fits_and_longer_or_empty_ones_do_not(void **state)
{
	struct hp_frame_out *out = calloc(1, sizeof(*out));
	static const uint8_t buf[HP_FRAME_MAX + 1];

	(void)state;
	assert_non_null(out);
	assert_int_equal(hp_frame_add(out, buf, HP_FRAME_MAX, 0), HP_OK);
	assert_int_equal(hp_frame_add(out, buf, HP_FRAME_MAX + 1, 0),
			 HP_ERR_FORMAT);
	assert_int_equal(hp_frame_add(out, buf, 0, 0), HP_ERR_FORMAT);
	free(out);
}

static void length_of_none_or_too_many_bytes_ends_the_stream(void **state)
{
	static const uint16_t bad[] = { 0, HP_FRAME_MAX + 1, UINT16_MAX };
	uint8_t head[HP_FRAME_HEAD], *p;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hp_frame_in *in = calloc(1, sizeof(*in));

		assert_non_null(in);
		hp_put_be16(head, bad[i]);
		feed(in, head, 1);
		assert_int_equal(hp_frame_next(in, &p, &len), HP_ERR_AGAIN);
		feed(in, head + 1, 1);
		assert_int_equal(hp_frame_next(in, &p, &len), HP_ERR_FORMAT);
		free(in);
	}
}

static size_t usual(uint32_t n)
{
	(void)n;
	return 1400;
}

static void queue_that_is_full_drops_its_oldest(void **state)
{
	struct hp_frame_out *out = calloc(1, sizeof(*out));
	struct hp_frame_in *in = calloc(1, sizeof(*in));
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	uint8_t buf[1400];
	uint32_t next;

	(void)state;
	hp_rng_seeded_init(&seeded, 1, &rng);
	assert_true(out && in);
	for (uint32_t n = 0; n < 200; n++) {
		fill(buf, sizeof(buf), n);
		assert_int_equal(hp_frame_add(out, buf, sizeof(buf), 0), HP_OK);
		assert_true(out->end - out->at <= HP_FRAME_QUEUE);
	}
	next = (uint32_t)out->dropped;
	assert_int_equal(next, 200 - HP_FRAME_QUEUE / 1402);
	pass(out, in, &rng, &next, usual);
	assert_int_equal(next, 200);
	free(out);
	free(in);
}

static void frames_that_waited_too_long_are_dropped_but_the_newest(void **state)
{
	struct hp_frame_out *out = calloc(1, sizeof(*out));
	const uint8_t *p;
	uint8_t buf[2000];
	size_t len;

	(void)state;
	assert_true(out);
	for (uint32_t n = 0; n < 20; n++) {
		fill(buf, sizeof(buf), n);
		assert_int_equal(hp_frame_add(out, buf, sizeof(buf),
					      n * 10 * HP_MS), HP_OK);
	}
	/* Not one that waited for just so long. */
	len = hp_frame_peek(out, &p, HP_FRAME_AGE + 30 * HP_MS);
	assert_int_equal(out->dropped, 3);
	assert_true(is_filled(p + HP_FRAME_HEAD, sizeof(buf), 3));
	/* What a write was given stays, however long that takes. */
	assert_true(hp_frame_peek(out, &p, 10 * HP_S) >= len);
	assert_true(is_filled(p + HP_FRAME_HEAD, sizeof(buf), 3));
	assert_int_equal(out->dropped, 20 - 1 - len / (sizeof(buf) + 2));
	hp_frame_sent(out, len);
	assert_int_equal(hp_frame_peek(out, &p, 10 * HP_S), sizeof(buf) + 2);
	assert_true(is_filled(p + HP_FRAME_HEAD, sizeof(buf), 19));
	free(out);
}

static void many_short_frames_drop_the_oldest_too(void **state)
{
	struct hp_frame_out *out = calloc(1, sizeof(*out));
	const uint8_t *p;
	uint8_t byte;

	(void)state;
	assert_true(out);
	for (uint32_t n = 0; n < 3 * HP_FRAME_COUNT; n++) {
		byte = (uint8_t)(n / 8);
		assert_int_equal(hp_frame_add(out, &byte, 1, 0), HP_OK);
	}
	assert_int_equal(out->dropped, 2 * HP_FRAME_COUNT);
	assert_int_equal(hp_frame_peek(out, &p, 0), 3 * HP_FRAME_COUNT);
	assert_int_equal(p[HP_FRAME_HEAD], (uint8_t)(2 * HP_FRAME_COUNT / 8));
	free(out);
}

/* TLS wants the same bytes again, and half a frame may be on the wire. */
static void frames_that_a_write_was_given_are_not_dropped(void **state)
{
	struct hp_frame_out *out = calloc(1, sizeof(*out));
	struct hp_frame_in *in = calloc(1, sizeof(*in));
	uint8_t buf[1400], was[HP_FRAME_STEP], *got;
	const uint8_t *p;
	size_t len, n_held;

	(void)state;
	assert_true(out && in);
	for (uint32_t n = 0; n < 10; n++) {
		fill(buf, sizeof(buf), n);
		assert_int_equal(hp_frame_add(out, buf, sizeof(buf), 0), HP_OK);
	}
	n_held = hp_frame_peek(out, &p, 0);
	assert_int_equal(n_held, HP_FRAME_STEP / 1402 * 1402);
	feed(in, p, 700);
	hp_frame_sent(out, 700);
	n_held -= 700;
	memcpy(was, p + 700, n_held);
	for (uint32_t n = 10; n < 300; n++) {
		fill(buf, sizeof(buf), n);
		assert_int_equal(hp_frame_add(out, buf, sizeof(buf), 0), HP_OK);
	}
	assert_true(out->dropped > 0);
	assert_true(hp_frame_peek(out, &p, 0) >= n_held);
	assert_memory_equal(p, was, n_held);
	feed(in, p, 702);
	assert_int_equal(hp_frame_next(in, &got, &len), HP_OK);
	assert_int_equal(len, sizeof(buf));
	assert_true(is_filled(got, len, 0));
	free(out);
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_whole_however_they_are_cut),
		cmocka_unit_test(
			longest_frame_fits_and_longer_or_empty_ones_do_not),
		cmocka_unit_test(
			length_of_none_or_too_many_bytes_ends_the_stream),
		cmocka_unit_test(queue_that_is_full_drops_its_oldest),
		cmocka_unit_test(
			frames_that_waited_too_long_are_dropped_but_the_newest),
		cmocka_unit_test(many_short_frames_drop_the_oldest_too),
		cmocka_unit_test(frames_that_a_write_was_given_are_not_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
