/* SPDX-License-Identifier: ISC */
#include "meet/frame.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

uint8_t *hp_frame_room(struct hp_frame_in *in, size_t *room)
{
	memmove(in->buf, in->buf + in->at, in->end - in->at);
	in->end -= in->at;
	in->at = 0;
	*room = sizeof(in->buf) - in->end;
	return in->buf + in->end;
}

void hp_frame_put(struct hp_frame_in *in, size_t n)
{
	assert(n <= sizeof(in->buf) - in->end);
	in->end += n;
}

enum hp_err hp_frame_next(struct hp_frame_in *in, uint8_t **p, size_t *len)
{
	size_t have = in->end - in->at;
	size_t want;

	if (have < HP_FRAME_HEAD)
		return HP_ERR_AGAIN;
	want = hp_get_be16(in->buf + in->at);
	if (!want || want > HP_FRAME_MAX)
		return HP_ERR_FORMAT;
	if (have < HP_FRAME_HEAD + want)
		return HP_ERR_AGAIN;
	*p = in->buf + in->at + HP_FRAME_HEAD;
	*len = want;
	in->at += HP_FRAME_HEAD + want;
	return HP_OK;
}

static size_t frame_at(const struct hp_frame_out *out, size_t pos)
{
	return HP_FRAME_HEAD + hp_get_be16(out->buf + pos);
}

/* Drops the oldest frame that no write was given; what a write was given moves
 * up to the rest.
 */
static void drop_oldest(struct hp_frame_out *out)
{
	size_t len = frame_at(out, out->at + out->held);

	memmove(out->buf + out->at + len, out->buf + out->at, out->held);
	out->at += len;
	out->dropped++;
	out->first++;
	out->n--;
}

static uint64_t *since(struct hp_frame_out *out, size_t i)
{
	return &out->since_ns[(out->first + i) % HP_FRAME_COUNT];
}

enum hp_err hp_frame_add(struct hp_frame_out *out, const uint8_t *p,
			 size_t len, uint64_t now_ns)
{
	size_t need = HP_FRAME_HEAD + len;

	if (!len || len > HP_FRAME_MAX)
		return HP_ERR_FORMAT;
	while (out->end - out->at + need > HP_FRAME_QUEUE ||
	       out->n == HP_FRAME_COUNT)
		drop_oldest(out);
	if (need > sizeof(out->buf) - out->end) {
		memmove(out->buf, out->buf + out->at, out->end - out->at);
		out->end -= out->at;
		out->at = 0;
	}
	hp_put_be16(out->buf + out->end, (uint16_t)len);
	memcpy(out->buf + out->end + HP_FRAME_HEAD, p, len);
	out->end += need;
	*since(out, out->n++) = now_ns;
	return HP_OK;
}

size_t hp_frame_peek(struct hp_frame_out *out, const uint8_t **p,
		     uint64_t now_ns)
{
	while (out->n > 1 &&
	       hp_time_since(now_ns, *since(out, 0)) > HP_FRAME_AGE)
		drop_oldest(out);
	while (out->n) {
		size_t more = frame_at(out, out->at + out->held);

		if (out->held && out->held + more > HP_FRAME_STEP)
			break;
		out->held += more;
		out->first++;
		out->n--;
	}
	*p = out->buf + out->at;
	return out->held;
}

void hp_frame_sent(struct hp_frame_out *out, size_t n)
{
	assert(n <= out->held);
	out->at += n;
	out->held -= n;
}
