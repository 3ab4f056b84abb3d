/* SPDX-License-Identifier: ISC */
/*
 * Checksums of segments are computed from nothing: what the field of the whole
 * holds is never used, so that a wrong pseudo-header sum does no harm.
 */
#include "wg/segment.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* The protocol and family that a kind of offload is about. */
static bool kind_fits(const struct hp_inet *in, enum hp_offload_kind kind)
{
	switch (kind) {
	case HP_OFFLOAD_NONE:
		return true;
	case HP_OFFLOAD_TCP4:
		return in->family == HP_AF_4 && in->proto == HP_PROTO_TCP;
	case HP_OFFLOAD_TCP6:
		return in->family == HP_AF_6 && in->proto == HP_PROTO_TCP;
	case HP_OFFLOAD_UDP:
		return in->proto == HP_PROTO_UDP;
	}
	return false;
}

enum hp_err hp_segment_begin(struct hp_segmenter *s, const uint8_t *p,
			     uint32_t len, const struct hp_offload *offload)
{
	const struct hp_offload *o = offload;

	*s = (struct hp_segmenter){ .p = p, .offload = *o };
	if (!len || len > HP_PACKET_MAX)
		return HP_ERR_FORMAT;
	if (o->sum && (uint32_t)o->sum_start + o->sum_offset + 2 > len)
		return HP_ERR_FORMAT;
	if (o->kind == HP_OFFLOAD_NONE) {
		s->in.len = len;
		return HP_OK;
	}
	if (hp_inet_parse(p, len, &s->in) || !kind_fits(&s->in, o->kind))
		return HP_ERR_FORMAT;
	if (!o->size || s->in.head == len)
		return HP_ERR_FORMAT;
	if (o->sum && o->sum_start != s->in.l4)
		return HP_ERR_FORMAT;
	s->at = s->in.head;
	return HP_OK;
}

static uint32_t payload_len(const struct hp_segmenter *s)
{
	uint32_t left = s->in.len - s->at;

	return s->offload.kind == HP_OFFLOAD_NONE || left < s->offload.size ?
		       left : s->offload.size;
}

uint32_t hp_segment_len(const struct hp_segmenter *s)
{
	return s->at == s->in.len ? 0 : s->in.head + payload_len(s);
}

uint32_t hp_segment_left(const struct hp_segmenter *s)
{
	uint32_t left = s->in.len - s->at;

	if (s->offload.kind == HP_OFFLOAD_NONE)
		return left != 0;
	return (left + s->offload.size - 1) / s->offload.size;
}

/* Completes the checksum of a packet that stays whole; zero would mean "none"
 * to UDP, and both mean the same to TCP.
 */
static void complete(uint8_t *out, uint32_t len, const struct hp_offload *o)
{
	uint16_t sum;

	if (!o->sum)
		return;
	sum = (uint16_t)~hp_sum_fold(hp_sum_add(0, out + o->sum_start,
						len - o->sum_start));
	hp_sum_put(out + o->sum_start + o->sum_offset, sum ? sum : UINT16_MAX);
}

static void fix_ip(const struct hp_segmenter *s, uint8_t *out, uint32_t len)
{
	if (s->in.family == HP_AF_6) {
		hp_put_be16(out + 4, (uint16_t)(len - HP_IP6_HEAD));
		return;
	}
	hp_put_be16(out + 2, (uint16_t)len);
	hp_put_be16(out + 4, (uint16_t)(hp_get_be16(out + 4) + s->index));
	hp_sum_ip4(out);
}

/* @payload: the sum of what follows the headers, which are of even length. */
static uint16_t transport_sum(const struct hp_segmenter *s, const uint8_t *out,
			      uint32_t len, uint64_t payload)
{
	return (uint16_t)~hp_sum_fold(
		payload +
		hp_sum_add(hp_sum_pseudo(out, &s->in, len - s->in.l4),
			   out + s->in.l4, s->in.head - s->in.l4));
}

static void fix_tcp(const struct hp_segmenter *s, uint8_t *out, uint32_t len,
		    uint64_t payload, bool last)
{
	uint8_t *tcp = out + s->in.l4;

	hp_put_be32(tcp + 4, hp_get_be32(tcp + 4) + s->at - s->in.head);
	if (!last)
		tcp[13] &= (uint8_t)~(HP_TCP_FIN | HP_TCP_PSH);
	if (s->index)
		tcp[13] &= (uint8_t)~HP_TCP_CWR;
	memset(tcp + HP_TCP_SUM, 0, 2);
	hp_sum_put(tcp + HP_TCP_SUM, transport_sum(s, out, len, payload));
}

static void fix_udp(const struct hp_segmenter *s, uint8_t *out, uint32_t len,
		    uint64_t payload)
{
	uint8_t *udp = out + s->in.l4;
	uint16_t sum;

	hp_put_be16(udp + 4, (uint16_t)(len - s->in.l4));
	/* IPv4 may go without. */
	if (!s->offload.sum && !hp_get_be16(udp + HP_UDP_SUM))
		return;
	memset(udp + HP_UDP_SUM, 0, 2);
	sum = transport_sum(s, out, len, payload);
	hp_sum_put(udp + HP_UDP_SUM, sum ? sum : UINT16_MAX);
}

void hp_segment_skip(struct hp_segmenter *s)
{
	s->at += payload_len(s);
	s->index++;
}

void hp_segment_next(struct hp_segmenter *s, uint8_t *out)
{
	uint32_t head = s->in.head, n = payload_len(s);
	uint64_t payload;

	assert(n);
	if (s->offload.kind == HP_OFFLOAD_NONE) {
		memcpy(out, s->p, n);
		complete(out, n, &s->offload);
	} else {
		memcpy(out, s->p, head);
		payload = hp_sum_copy(out + head, s->p + s->at, n);
		fix_ip(s, out, head + n);
		if (s->in.proto == HP_PROTO_TCP)
			fix_tcp(s, out, head + n, payload,
				s->at + n == s->in.len);
		else
			fix_udp(s, out, head + n, payload);
	}
	s->at += n;
	s->index++;
}
