/* SPDX-License-Identifier: ISC */
/*
 * A stream from anybody, cut anywhere: two bytes of the input say how long the
 * next pieces are. What comes out whole goes the way back and must come out
 * the same.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "meet/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t feed(struct hp_frame_in *in, const uint8_t *p, size_t len)
{
	size_t room;
	uint8_t *to = hp_frame_room(in, &room);

	len = len < room ? len : room;
	memcpy(to, p, len);
	hp_frame_put(in, len);
	return len;
}

static void back(struct hp_frame_out *out, struct hp_frame_in *in,
		 const uint8_t *p, size_t len)
{
	const uint8_t *bytes;
	uint8_t *got;
	size_t n;

	assert(!hp_frame_add(out, p, len, 0));
	while ((n = hp_frame_peek(out, &bytes, 0)))
		hp_frame_sent(out, feed(in, bytes, n));
	assert(!hp_frame_next(in, &got, &n));
	assert(n == len && !memcmp(got, p, len));
	assert(hp_frame_next(in, &got, &n) == HP_ERR_AGAIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_frame_in *in = calloc(2, sizeof(*in));
	struct hp_frame_out *out = calloc(1, sizeof(*out));
	enum hp_err err = HP_ERR_AGAIN;
	uint8_t *p;
	size_t len;

	assert(in && out);
	for (size_t at = 2; at < size && err == HP_ERR_AGAIN;) {
		size_t piece = 1 + data[at % 2] * 64;

		at += feed(in, data + at, piece < size - at ? piece :
							      size - at);
		while (!(err = hp_frame_next(in, &p, &len)))
			back(out, in + 1, p, len);
	}
	free(in);
	free(out);
	return 0;
}
