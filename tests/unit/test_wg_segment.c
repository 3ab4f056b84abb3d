/* SPDX-License-Identifier: ISC */
/*
 * lib/wg: long packets cut and packets joined, against a slow model that writes
 * each packet from its description and sums byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "wg/coalesce.h"
#include "wg/segment.h"

#define SLOT 2304

/* A stream to be sent in packets. */
struct spec {
	int v;
	uint8_t proto;
	uint8_t tos;
	uint8_t ttl;
	bool df;
	uint8_t ext;	/* units of 8 bytes of destination options */
	uint8_t opts;	/* bytes of TCP options */
	uint8_t flags;	/* of the whole */
	uint16_t id;
	uint32_t seq;
	uint16_t port;
	bool no_sum;	/* UDP */
	uint32_t len;	/* bytes of payload */
	uint16_t size;	/* bytes of payload in each packet */
};

static uint8_t whole[HP_PACKET_MAX + 64];
static uint8_t slot[HP_BATCH][SLOT];
static struct hp_pkt pkts[HP_BATCH];
static struct hp_coalesce groups;

static uint16_t slow_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static uint8_t payload_byte(const struct spec *s, uint32_t at)
{
	return (uint8_t)(((at + s->seq) * 2654435761u) >> 13);
}

static uint32_t l4_of(const struct spec *s)
{
	return s->v == 4 ? 20 : 40u + s->ext * 8u;
}

static uint32_t head_of(const struct spec *s)
{
	return l4_of(s) + (s->proto == 6 ? 20u + s->opts : 8);
}

/* Pseudo header and, unless @l4_len is 0 bytes of it, all behind. */
static uint16_t slow_transport(const struct spec *s, const uint8_t *p,
			       uint32_t len, uint32_t summed)
{
	uint32_t l4 = l4_of(s);
	uint8_t tail[4] = { 0, s->proto, (uint8_t)((len - l4) >> 8),
			    (uint8_t)(len - l4) };
	uint16_t sum = slow_sum(0, p + (s->v == 4 ? 12 : 8),
				s->v == 4 ? 8 : 32);

	return slow_sum(slow_sum(sum, tail, 4), p + l4, summed);
}

static void put_ip(const struct spec *s, uint8_t *p, uint32_t len,
		   uint32_t index)
{
	memset(p, 0, l4_of(s));
	if (s->v == 4) {
		p[0] = 0x45;
		p[1] = s->tos;
		hp_put_be16(p + 2, (uint16_t)len);
		hp_put_be16(p + 4, (uint16_t)(s->id + index));
		p[6] = s->df ? 0x40 : 0;
		p[8] = s->ttl;
		p[9] = s->proto;
		memcpy(p + 12, "\x0a\x09\x00\x01\x0a\x09\x00\x02", 8);
		hp_put_be16(p + 10, (uint16_t)~slow_sum(0, p, 20));
		return;
	}
	hp_put_be32(p, 0x60012345u | (uint32_t)s->tos << 20);
	hp_put_be16(p + 4, (uint16_t)(len - 40));
	p[6] = s->ext ? 60 : s->proto;
	p[7] = s->ttl;
	p[8] = p[24] = 0xfd;
	p[23] = 1;
	p[39] = 2;
	if (s->ext) {
		p[40] = s->proto;
		p[41] = (uint8_t)(s->ext - 1);
	}
}

/* Writes the packet with payload [@at, @at + @n), number @index. */
static uint32_t slow_packet(const struct spec *s, uint8_t *p, uint32_t at,
			    uint32_t n, uint32_t index)
{
	uint32_t l4 = l4_of(s), head = head_of(s), len = head + n;
	uint8_t *t = p + l4, *field = t + (s->proto == 6 ? 16 : 6);
	uint16_t sum;

	put_ip(s, p, len, index);
	memset(t, 0, head - l4);
	hp_put_be16(t, s->port);
	hp_put_be16(t + 2, 5001);
	if (s->proto == 6) {
		hp_put_be32(t + 4, s->seq + at);
		hp_put_be32(t + 8, 77);
		t[12] = (uint8_t)((20u + s->opts) / 4 << 4);
		t[13] = s->flags;
		if (at + n < s->len)
			t[13] &= (uint8_t)~(HP_TCP_FIN | HP_TCP_PSH);
		if (index)
			t[13] &= (uint8_t)~HP_TCP_CWR;
		hp_put_be16(t + 14, 512);
		memset(t + 20, 1, s->opts);
	} else {
		hp_put_be16(t + 4, (uint16_t)(8 + n));
	}
	for (uint32_t i = 0; i < n; i++)
		p[head + i] = payload_byte(s, at + i);
	sum = (uint16_t)~slow_transport(s, p, len, len - l4);
	if (s->proto == 17 && !sum)
		sum = 0xffff;
	if (!s->no_sum)
		hp_put_be16(field, sum);
	return len;
}

/* The whole as a kernel hands it over. */
static uint32_t slow_whole(const struct spec *s, struct hp_offload *o)
{
	uint32_t l4 = l4_of(s), len = slow_packet(s, whole, 0, s->len, 0);

	*o = (struct hp_offload){
		.kind = s->proto == 17 ? HP_OFFLOAD_UDP :
			s->v == 4 ? HP_OFFLOAD_TCP4 : HP_OFFLOAD_TCP6,
		.size = s->size,
		.sum = !s->no_sum,
		.sum_start = (uint16_t)l4,
		.sum_offset = s->proto == 6 ? 16 : 6,
	};
	if (o->sum)
		hp_put_be16(whole + l4 + o->sum_offset,
			    slow_transport(s, whole, len, 0));
	return len;
}

/* Cuts @whole, and compares each packet with the model's. Returns how many. */
static uint32_t cut_as_the_model(const struct spec *s)
{
	struct hp_segmenter seg;
	struct hp_offload o;
	uint32_t len = slow_whole(s, &o), n = 0, at = 0, part;
	static uint8_t is[HP_PACKET_MAX], want[HP_PACKET_MAX + 64];

	assert_int_equal(hp_segment_begin(&seg, whole, len, &o), HP_OK);
	while ((len = hp_segment_len(&seg))) {
		part = s->len - at < s->size ? s->len - at : s->size;
		assert_int_equal(len, slow_packet(s, want, at, part, n));
		assert_int_equal(hp_segment_left(&seg),
				 (s->len - at + s->size - 1) / s->size);
		hp_segment_next(&seg, is);
		assert_memory_equal(is, want, len);
		at += part;
		n++;
	}
	assert_int_equal(at, s->len);
	assert_int_equal(hp_segment_left(&seg), 0);
	return n;
}

static void cuts_every_kind_as_the_model_does(void **state)
{
	static const struct spec specs[] = {
		{ .v = 4, .proto = 6, .len = 5000, .size = 1356 },
		{ .v = 4, .proto = 6, .len = 2712, .size = 1356, .opts = 12,
		  .flags = HP_TCP_ACK | HP_TCP_PSH | HP_TCP_FIN },
		{ .v = 4, .proto = 6, .len = 999, .size = 7, .opts = 40,
		  .flags = HP_TCP_ACK | HP_TCP_CWR | HP_TCP_ECE, .tos = 2 },
		{ .v = 4, .proto = 6, .len = 10, .size = 1000, .df = true },
		{ .v = 4, .proto = 6, .len = 65535 - 40, .size = 1368,
		  .id = 65530, .seq = UINT32_MAX - 3000 },
		{ .v = 6, .proto = 6, .len = 65535 - 60, .size = 1333,
		  .flags = HP_TCP_ACK | HP_TCP_PSH | HP_TCP_CWR },
		{ .v = 6, .proto = 6, .len = 4001, .size = 1000, .ext = 3,
		  .opts = 12 },
		{ .v = 4, .proto = 17, .len = 6000, .size = 1200 },
		{ .v = 4, .proto = 17, .len = 6001, .size = 100,
		  .no_sum = true },
		{ .v = 6, .proto = 17, .len = 64000, .size = 1111, .ext = 1 },
		{ .v = 6, .proto = 17, .len = 1, .size = 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		uint32_t n = (specs[i].len + specs[i].size - 1) /
			     specs[i].size;

		assert_int_equal(cut_as_the_model(&specs[i]), n);
	}
}

static void a_single_packet_gets_its_checksum(void **state)
{
	const struct spec s = { .v = 6, .proto = 17, .len = 33, .size = 33 };
	struct hp_segmenter seg;
	struct hp_offload o;
	uint32_t len = slow_whole(&s, &o);
	uint8_t is[256], want[256];

	(void)state;
	o.kind = HP_OFFLOAD_NONE;
	o.size = 0;
	slow_packet(&s, want, 0, s.len, 0);
	assert_int_equal(hp_segment_begin(&seg, whole, len, &o), HP_OK);
	assert_int_equal(hp_segment_len(&seg), len);
	assert_int_equal(hp_segment_left(&seg), 1);
	hp_segment_next(&seg, is);
	assert_memory_equal(is, want, len);
	assert_int_equal(hp_segment_len(&seg), 0);
	assert_int_equal(hp_segment_left(&seg), 0);
	/* Complete, and of a protocol that nobody knows here. */
	o.sum = false;
	memset(whole, 0x99, 100);
	assert_int_equal(hp_segment_begin(&seg, whole, 100, &o), HP_OK);
	hp_segment_next(&seg, is);
	assert_memory_equal(is, whole, 100);
}

static enum hp_err begin(uint32_t len, const struct hp_offload *o)
{
	struct hp_segmenter seg;

	return hp_segment_begin(&seg, whole, len, o);
}

/* Changes one byte of a long packet. */
static enum hp_err begin_with(const struct spec *s, uint32_t at, uint8_t to)
{
	struct hp_offload o;
	uint32_t len = slow_whole(s, &o);

	whole[at] = to;
	return begin(len, &o);
}

static void headers_that_do_not_fit_are_refused(void **state)
{
	const struct spec t4 = { .v = 4, .proto = 6, .len = 3000, .size = 900 };
	const struct spec t6 = { .v = 6, .proto = 6, .len = 3000, .size = 900,
				 .ext = 1 };
	const struct spec u4 = { .v = 4, .proto = 17, .len = 900,
				 .size = 300 };
	static const struct { const char *what; int spec; uint32_t at;
			      uint8_t to; } bad[] = {
		{ "version 0", 0, 0, 0x05 },
		{ "version 6 in IPv4's kind", 0, 0, 0x65 },
		{ "IPv4 header too short", 0, 0, 0x44 },
		{ "IPv4 header too long", 0, 0, 0x4f },
		{ "total length", 0, 3, 0 },
		{ "more fragments", 0, 6, 0x20 },
		{ "fragment offset", 0, 7, 1 },
		{ "another protocol", 0, 9, 1 },
		{ "TCP header too short", 0, 32, 0x40 },
		{ "payload length", 1, 5, 0 },
		{ "IPv6 fragment", 1, 6, 44 },
		{ "another next header", 1, 40, 59 },
		{ "extension header too long", 1, 41, 255 },
		{ "extension header longer", 1, 41, 2 },
		{ "UDP length", 2, 25, 0 },
		{ "TCP in UDP's kind", 2, 9, 6 },
	};
	const struct spec *spec[] = { &t4, &t6, &u4 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (begin_with(spec[bad[i].spec], bad[i].at, bad[i].to) !=
		    HP_ERR_FORMAT)
			fail_msg("taken: %s", bad[i].what);
	}
}

static void offloads_that_do_not_fit_are_refused(void **state)
{
	const struct spec s = { .v = 4, .proto = 6, .len = 3000, .size = 900 };
	struct hp_offload good, o;
	uint32_t len = slow_whole(&s, &good);

	(void)state;
	assert_int_equal(begin(len, &good), HP_OK);
	assert_int_equal(begin(0, &good), HP_ERR_FORMAT);
	assert_int_equal(begin(HP_PACKET_MAX + 1, &good), HP_ERR_FORMAT);
	for (uint32_t n = 1; n < len; n++)
		assert_int_equal(begin(n, &good), HP_ERR_FORMAT);
	o = good;
	o.size = 0;
	assert_int_equal(begin(len, &o), HP_ERR_FORMAT);
	o = good;
	o.sum_start = 24;
	assert_int_equal(begin(len, &o), HP_ERR_FORMAT);
	o = good;
	o.kind = HP_OFFLOAD_TCP6;
	assert_int_equal(begin(len, &o), HP_ERR_FORMAT);
	o.kind = HP_OFFLOAD_UDP;
	assert_int_equal(begin(len, &o), HP_ERR_FORMAT);
	o = (struct hp_offload){ .sum = true, .sum_start = 60000,
				 .sum_offset = 60000 };
	assert_int_equal(begin(len, &o), HP_ERR_FORMAT);
	o.sum_start = (uint16_t)(len - 2);
	o.sum_offset = 1;
	assert_int_equal(begin(len, &o), HP_ERR_FORMAT);
	/* Headers without payload. */
	whole[3] = 40;
	whole[2] = 0;
	assert_int_equal(begin(40, &good), HP_ERR_FORMAT);
}

/* ---- joining ------------------------------------------------------------ */

/* Writes the packets of a stream behind the @n that are there. */
static size_t send_stream(const struct spec *s, size_t n)
{
	uint32_t at, part, index = 0;

	for (at = 0; at < s->len; at += part, n++) {
		part = s->len - at < s->size ? s->len - at : s->size;
		pkts[n] = hp_pkt_of(slot[n], SLOT, 0,
				    slow_packet(s, slot[n], at, part,
						index++));
	}
	return n;
}

static uint32_t gather(const struct hp_group *g, uint8_t *out)
{
	uint32_t len = 0;
	size_t i = g->first;

	for (uint32_t n = 0; n < g->n; n++) {
		memcpy(out + len, pkts[i].data, pkts[i].len);
		len += pkts[i].len;
		i = groups.next[i];
	}
	return len;
}

/* Joins @n packets and cuts the groups again: the same must come out, in the
 * order of each group.
 */
static void round_trip(size_t n, bool udp)
{
	static uint8_t was[HP_BATCH][SLOT], is[HP_PACKET_MAX];
	uint32_t was_len[HP_BATCH], len;
	struct hp_segmenter seg;
	size_t all = 0, at;

	for (size_t i = 0; i < n; i++) {
		memcpy(was[i], pkts[i].data, pkts[i].len);
		was_len[i] = pkts[i].len;
	}
	hp_coalesce(&groups, pkts, n, udp);
	for (size_t i = 0; i < groups.n; i++) {
		const struct hp_group *g = &groups.group[i];

		len = gather(g, whole);
		assert_int_equal(hp_segment_begin(&seg, whole, len,
						  &g->offload), HP_OK);
		at = g->first;
		while ((len = hp_segment_len(&seg))) {
			hp_segment_next(&seg, is);
			assert_int_equal(len, was_len[at]);
			assert_memory_equal(is, was[at], len);
			at = groups.next[at];
			all++;
		}
	}
	assert_int_equal(all, n);
}

static void a_stream_becomes_one_packet(void **state)
{
	static const struct spec specs[] = {
		{ .v = 4, .proto = 6, .len = 40 * 1356, .size = 1356,
		  .flags = HP_TCP_ACK | HP_TCP_PSH, .opts = 12 },
		{ .v = 6, .proto = 6, .len = 9999, .size = 1000,
		  .flags = HP_TCP_ACK | HP_TCP_ECE },
		{ .v = 4, .proto = 17, .len = 6000, .size = 100 },
		{ .v = 6, .proto = 17, .len = 6001, .size = 1200 },
	};
	static const enum hp_offload_kind kinds[] = {
		HP_OFFLOAD_TCP4, HP_OFFLOAD_TCP6, HP_OFFLOAD_UDP,
		HP_OFFLOAD_UDP,
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t n = send_stream(&specs[i], 0);
		struct hp_offload o;
		uint32_t len;
		uint8_t *is;

		round_trip(n, true);
		assert_int_equal(groups.n, 1);
		assert_int_equal(groups.group[0].offload.kind, kinds[i]);
		/* And it looks as the kernel's own would. */
		is = malloc(HP_PACKET_MAX);
		assert_non_null(is);
		len = gather(&groups.group[0], is);
		assert_int_equal(len, slow_whole(&specs[i], &o));
		assert_memory_equal(is, whole, len);
		assert_int_equal(groups.group[0].offload.size, o.size);
		assert_int_equal(groups.group[0].offload.sum_start,
				 o.sum_start);
		assert_int_equal(groups.group[0].offload.sum_offset,
				 o.sum_offset);
		free(is);
	}
}

/* Two packets of a stream, the second changed at @at; then it is made right
 * again, so that its checksum is not what keeps it apart.
 */
static size_t groups_of_two(const struct spec *s, uint32_t at, uint8_t flip,
			    bool right)
{
	struct spec two = *s;
	uint32_t l4 = l4_of(s);
	uint8_t *p = slot[1];

	two.len = 200;
	two.size = 100;
	send_stream(&two, 0);
	p[at] ^= flip;
	if (right) {
		uint8_t *field = p + l4 + (s->proto == 6 ? 16 : 6);

		if (s->v == 4) {
			hp_put_be16(p + 10, 0);
			hp_put_be16(p + 10, (uint16_t)~slow_sum(0, p, 20));
		}
		hp_put_be16(field, 0);
		hp_put_be16(field, (uint16_t)~slow_transport(
					   s, p, pkts[1].len,
					   pkts[1].len - l4));
	}
	round_trip(2, true);
	return groups.n;
}

static void what_differs_is_not_joined(void **state)
{
	const struct spec t4 = { .v = 4, .proto = 6, .flags = HP_TCP_ACK,
				 .opts = 12, .ttl = 64, .df = true };
	const struct spec t6 = { .v = 6, .proto = 6, .flags = HP_TCP_ACK,
				 .ttl = 64 };
	const struct spec u4 = { .v = 4, .proto = 17, .ttl = 64 };
	const struct spec *spec[] = { &t4, &t6, &u4 };
	static const struct { const char *what; int spec; uint32_t at;
			      uint8_t flip; } bad[] = {
		{ "TOS", 0, 1, 1 },	{ "id", 0, 5, 1 },
		{ "DF", 0, 6, 0x40 },	{ "reserved", 0, 6, 0x80 },
		{ "fragment", 0, 6, 0x20 },
		{ "TTL", 0, 8, 1 },	{ "source", 0, 15, 4 },
		{ "destination", 0, 19, 4 },
		{ "port", 0, 21, 1 },	{ "port to", 0, 23, 1 },
		{ "sequence", 0, 27, 1 },
		{ "ack", 0, 31, 1 },	{ "reserved bits", 0, 32, 1 },
		{ "FIN", 0, 33, 1 },	{ "SYN", 0, 33, 2 },
		{ "RST", 0, 33, 4 },	{ "no ACK", 0, 33, 0x10 },
		{ "URG", 0, 33, 0x20 },	{ "ECE", 0, 33, 0x40 },
		{ "CWR", 0, 33, 0x80 },	{ "window", 0, 34, 1 },
		{ "urgent", 0, 39, 1 },	{ "options", 0, 41, 1 },
		{ "class", 1, 1, 0x10 },	{ "label", 1, 3, 1 },
		{ "hops", 1, 7, 1 },	{ "source 6", 1, 9, 1 },
		{ "destination 6", 1, 39, 4 },
		{ "UDP port", 2, 21, 1 },	{ "UDP id", 2, 5, 1 },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(groups_of_two(spec[i], 70, 1, true), 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (groups_of_two(spec[bad[i].spec], bad[i].at, bad[i].flip,
				  true) != 2)
			fail_msg("joined: %s", bad[i].what);
}

static void a_wrong_checksum_is_passed_on_alone(void **state)
{
	const struct spec t4 = { .v = 4, .proto = 6, .flags = HP_TCP_ACK };
	const struct spec u6 = { .v = 6, .proto = 17 };
	struct spec no = { .v = 4, .proto = 17, .no_sum = true, .len = 200,
			   .size = 100 };

	(void)state;
	assert_int_equal(groups_of_two(&t4, 60, 1, false), 2);
	assert_int_equal(groups_of_two(&t4, 10, 1, false), 2);
	assert_int_equal(groups_of_two(&u6, 60, 1, false), 2);
	/* Of the first, too. */
	send_stream(&(struct spec){ .v = 4, .proto = 6, .len = 300,
				    .size = 100, .flags = HP_TCP_ACK }, 0);
	slot[0][60] ^= 1;
	round_trip(3, true);
	assert_int_equal(groups.n, 2);
	assert_int_equal(groups.group[0].n, 1);
	send_stream(&no, 0);
	round_trip(2, true);
	assert_int_equal(groups.n, 2);
}

static void psh_and_a_short_segment_end_a_group(void **state)
{
	struct spec s = { .v = 4, .proto = 6, .len = 250, .size = 100,
			  .flags = HP_TCP_ACK };
	size_t n = send_stream(&s, 0);

	(void)state;
	s.seq += s.len;
	s.id = (uint16_t)(s.id + n);
	s.len = 200;
	s.flags |= HP_TCP_PSH;
	n = send_stream(&s, n);
	s.seq += s.len;
	s.id = (uint16_t)(s.id + 2);
	n = send_stream(&s, n);
	round_trip(n, true);
	assert_int_equal(groups.n, 3);
	assert_int_equal(groups.group[0].n, 3);
	assert_int_equal(groups.group[1].n, 2);
	assert_int_equal(groups.group[2].n, 2);
	/* A longer one does not join a shorter. */
	s.size = 50;
	s.len = 50;
	s.flags = HP_TCP_ACK;
	n = send_stream(&s, 0);
	s.seq += 50;
	s.id++;
	s.len = s.size = 51;
	n = send_stream(&s, n);
	round_trip(n, true);
	assert_int_equal(groups.n, 2);
}

static void what_is_not_plain_is_left_alone(void **state)
{
	struct spec s = { .v = 6, .proto = 6, .len = 200, .size = 100,
			  .flags = HP_TCP_ACK, .ext = 1 };
	size_t n = send_stream(&s, 0);

	(void)state;
	round_trip(n, true);
	assert_int_equal(groups.n, 2);
	/* Fragments */
	s.ext = 1;
	n = send_stream(&s, 0);
	slot[0][6] = slot[1][6] = 44;
	round_trip(n, true);
	assert_int_equal(groups.n, 2);
	/* UDP where the device cannot take it */
	s = (struct spec){ .v = 4, .proto = 17, .len = 200, .size = 100 };
	n = send_stream(&s, 0);
	round_trip(n, false);
	assert_int_equal(groups.n, 2);
	assert_int_equal(groups.group[0].offload.kind, HP_OFFLOAD_NONE);
	/* Nothing at all where it can take nothing */
	hp_coalesce_none(&groups, 7);
	assert_int_equal(groups.n, 7);
	assert_int_equal(groups.group[6].first, 6);
}

/* A packet that cannot be joined stands between two that could. */
static void a_flow_keeps_its_order(void **state)
{
	struct spec s = { .v = 4, .proto = 6, .len = 300, .size = 100,
			  .flags = HP_TCP_ACK };

	(void)state;
	send_stream(&s, 0);
	slot[1][33] |= 2; /* SYN; and the sum is wrong now */
	round_trip(3, true);
	assert_int_equal(groups.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(groups.group[i].first, i);
}

static void no_group_outgrows_a_packet(void **state)
{
	struct spec s = { .v = 4, .proto = 6, .len = HP_BATCH * 1356,
			  .size = 1356, .flags = HP_TCP_ACK };

	(void)state;
	round_trip(send_stream(&s, 0), true);
	assert_int_equal(groups.n, 3);
	s = (struct spec){ .v = 6, .proto = 17, .len = HP_BATCH * 10,
			   .size = 10 };
	round_trip(send_stream(&s, 0), true);
	assert_int_equal(groups.n, 2);
	assert_int_equal(groups.group[0].n, 64);
}

/* ---- at random ---------------------------------------------------------- */

static uint32_t roll(struct hp_rng *rng, uint32_t below)
{
	return (uint32_t)(hp_rng_u64(rng) % below);
}

static struct spec any_spec(struct hp_rng *rng, size_t i)
{
	static const uint8_t flags[] = { 0x10, 0x18, 0x11, 0x50, 0xd0, 0x12 };
	struct spec s = {
		.v = roll(rng, 2) ? 4 : 6,
		.proto = roll(rng, 3) ? 6 : 17,
		.tos = (uint8_t)roll(rng, 4),
		.ttl = (uint8_t)(1 + roll(rng, 255)),
		.df = roll(rng, 2),
		.opts = roll(rng, 2) ? 12 : 0,
		.flags = flags[roll(rng, sizeof(flags))],
		.id = (uint16_t)roll(rng, 65536),
		.seq = (uint32_t)hp_rng_u64(rng),
		.port = (uint16_t)(1000 + i),
		.size = (uint16_t)(1 + roll(rng, 1400)),
	};

	s.ext = s.v == 6 && !roll(rng, 6) ? 1 : 0;
	s.no_sum = s.v == 4 && s.proto == 17 && !roll(rng, 6);
	s.len = s.size * (1 + roll(rng, 20)) - roll(rng, s.size);
	return s;
}

/* Streams interleaved at random, some packets damaged, some lost. */
static size_t any_traffic(struct hp_rng *rng)
{
	struct spec s[4];
	uint32_t at[4] = { 0 }, index[4] = { 0 }, part;
	size_t n = 0, i = 0;

	for (size_t k = 0; k < 4; k++)
		s[k] = any_spec(rng, k);
	while (n < HP_BATCH) {
		if (!roll(rng, 5))
			i = roll(rng, 4);
		if (at[i] == s[i].len)
			return n;
		part = s[i].len - at[i] < s[i].size ? s[i].len - at[i] :
						      s[i].size;
		pkts[n] = hp_pkt_of(slot[n], SLOT, 0,
				    slow_packet(&s[i], slot[n], at[i], part,
						index[i]++));
		at[i] += part;
		if (!roll(rng, 30))
			slot[n][roll(rng, pkts[n].len)] ^=
				(uint8_t)(1 << roll(rng, 8));
		n += roll(rng, 30) != 0;
	}
	return n;
}

static void random_traffic_comes_out_as_it_went_in(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 20261122;
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	size_t packets = 0, joined = 0;

	(void)state;
	hp_rng_seeded_init(&seeded, seed, &rng);
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (int i = 0; i < 2000; i++) {
		size_t n = any_traffic(&rng);

		round_trip(n, roll(&rng, 2));
		packets += n;
		joined += n - groups.n;
	}
	/* It is not for want of joining. */
	assert_true(joined > packets / 4);
}

static void random_long_packets_are_cut_as_the_model_does(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 20261122;
	struct hp_rng_seeded seeded;
	struct hp_rng rng;

	(void)state;
	hp_rng_seeded_init(&seeded, seed, &rng);
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (int i = 0; i < 500; i++) {
		struct spec s = any_spec(&rng, 0);

		cut_as_the_model(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_every_kind_as_the_model_does),
		cmocka_unit_test(a_single_packet_gets_its_checksum),
		cmocka_unit_test(headers_that_do_not_fit_are_refused),
		cmocka_unit_test(offloads_that_do_not_fit_are_refused),
		cmocka_unit_test(a_stream_becomes_one_packet),
		cmocka_unit_test(what_differs_is_not_joined),
		cmocka_unit_test(a_wrong_checksum_is_passed_on_alone),
		cmocka_unit_test(psh_and_a_short_segment_end_a_group),
		cmocka_unit_test(what_is_not_plain_is_left_alone),
		cmocka_unit_test(a_flow_keeps_its_order),
		cmocka_unit_test(no_group_outgrows_a_packet),
		cmocka_unit_test(random_traffic_comes_out_as_it_went_in),
		cmocka_unit_test(
			random_long_packets_are_cut_as_the_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
