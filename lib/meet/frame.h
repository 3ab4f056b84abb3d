/* SPDX-License-Identifier: ISC */
/*
 * Datagrams over a stream: each behind its length, two bytes. The way in is
 * fed with whatever a read gave and cut into datagrams; the way out is a short
 * queue that drops its oldest datagrams, for want of room or because they waited
 * too long: what waits for a slow stream is of more use new than old, and who
 * sends too much learns of it soon. No socket here.
 */
#ifndef HP_MEET_FRAME_H
#define HP_MEET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

/* The length, big endian, and the longest datagram. */
#define HP_FRAME_HEAD 2
#define HP_FRAME_MAX 9216
/* Bytes that may wait to be sent, their lengths included; datagrams; and how
 * long each may, but for the newest.
 */
#define HP_FRAME_QUEUE 65536
#define HP_FRAME_COUNT 512
#define HP_FRAME_AGE (50 * HP_MS)
/* Most bytes that are handed to one write, but for a longer frame. */
#define HP_FRAME_STEP 8192

/* What was read and not taken yet: from @at to @end. Zeroed: nothing. */
struct hp_frame_in {
	size_t at;
	size_t end;
	uint8_t buf[2 * (HP_FRAME_HEAD + HP_FRAME_MAX)];
};

/* Where to read to; @room: how many bytes, never 0 after hp_frame_next() said
 * HP_ERR_AGAIN. Call hp_frame_put() with what was read.
 */
uint8_t *hp_frame_room(struct hp_frame_in *in, size_t *room);
void hp_frame_put(struct hp_frame_in *in, size_t n);
/**
 * hp_frame_next() - The next whole datagram
 * @p:   gives its bytes, within @in, valid until hp_frame_room()
 * @len: 1 to HP_FRAME_MAX
 *
 * Return: HP_OK; HP_ERR_AGAIN: more has to be read first; HP_ERR_FORMAT: a
 *         length of 0 or beyond HP_FRAME_MAX: the stream is of no more use.
 */
enum hp_err hp_frame_next(struct hp_frame_in *in, uint8_t **p, size_t *len)
	HP_MUST_CHECK;

/**
 * struct hp_frame_out - What waits to be sent: from @at to @end
 * @held:    bytes from @at on that a write was given: they stay
 * @dropped: datagrams that newer ones took the place of
 * @since_ns: when each of the @n behind those was queued, from @first on, as in
 *            a ring
 *
 * Zeroed: nothing waits.
 */
struct hp_frame_out {
	size_t at;
	size_t end;
	size_t held;
	uint64_t dropped;
	size_t first;
	size_t n;
	uint64_t since_ns[HP_FRAME_COUNT];
	uint8_t buf[2 * HP_FRAME_QUEUE];
};

/* Queues a datagram. HP_ERR_FORMAT: empty or longer than HP_FRAME_MAX. */
enum hp_err hp_frame_add(struct hp_frame_out *out, const uint8_t *p,
			 size_t len, uint64_t now_ns) HP_MUST_CHECK;
/* What to write next; 0: nothing. Until hp_frame_sent() the same again, perhaps
 * with more behind it.
 */
size_t hp_frame_peek(struct hp_frame_out *out, const uint8_t **p,
		     uint64_t now_ns);
/* @n bytes of it were written. */
void hp_frame_sent(struct hp_frame_out *out, size_t n);

#endif
