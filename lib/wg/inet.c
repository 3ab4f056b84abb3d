/* SPDX-License-Identifier: ISC */
#include "wg/inet.h"

#include <string.h>

#include "base/bytes.h"

#define IP4_FRAGMENT 0x3fff	/* more fragments, or an offset */

/* IPv6 extension headers, RFC 8200 4 */
enum { EXT_HOP = 0, EXT_ROUTING = 43, EXT_DESTINATION = 60 };

static bool parse4(const uint8_t *p, size_t len, struct hp_inet *in)
{
	in->family = HP_AF_4;
	in->l4 = (p[0] & 15u) * 4;
	in->proto = p[9];
	return in->l4 >= HP_IP4_HEAD && in->l4 <= len &&
	       hp_get_be16(p + 2) == len &&
	       !(hp_get_be16(p + 6) & IP4_FRAGMENT);
}

static bool parse6(const uint8_t *p, size_t len, struct hp_inet *in)
{
	in->family = HP_AF_6;
	in->l4 = HP_IP6_HEAD;
	in->proto = p[6];
	if (hp_get_be16(p + 4) + (size_t)HP_IP6_HEAD != len)
		return false;
	while (in->proto == EXT_HOP || in->proto == EXT_ROUTING ||
	       in->proto == EXT_DESTINATION) {
		if (in->l4 + 8 > len)
			return false;
		in->proto = p[in->l4];
		in->l4 += (p[in->l4 + 1] + 1u) * 8;
	}
	return in->l4 <= len;
}

static bool parse_transport(const uint8_t *p, size_t len, struct hp_inet *in)
{
	uint32_t head;

	if (in->proto == HP_PROTO_TCP) {
		if (in->l4 + HP_TCP_HEAD > len)
			return false;
		head = (p[in->l4 + 12] >> 4) * 4u;
		in->head = in->l4 + head;
		return head >= HP_TCP_HEAD && in->head <= len;
	}
	in->head = in->l4 + HP_UDP_HEAD;
	return in->proto == HP_PROTO_UDP && in->head <= len &&
	       hp_get_be16(p + in->l4 + 4) == len - in->l4;
}

enum hp_err hp_inet_parse(const uint8_t *p, size_t len, struct hp_inet *out)
{
	struct hp_inet in = { .len = (uint32_t)len };
	bool ok = false;

	if (len >= HP_IP4_HEAD && p[0] >> 4 == 4)
		ok = parse4(p, len, &in);
	else if (len >= HP_IP6_HEAD && p[0] >> 4 == 6)
		ok = parse6(p, len, &in);
	if (!ok || !parse_transport(p, len, &in))
		return HP_ERR_FORMAT;
	*out = in;
	return HP_OK;
}

typedef uint64_t lanes __attribute__((vector_size(16)));

/* Sums of 32-bit words: those of the upper halves of 64-bit lanes, and those of
 * whole lanes modulo 2^64, from which the lower halves follow.
 */
struct halves {
	lanes upper;
	lanes whole;
};

static inline void add_lanes(struct halves *h, const lanes *v)
{
	h->whole += *v;
	h->upper += *v >> 32;
}

static uint64_t join_lanes(const struct halves *a, const struct halves *b)
{
	lanes upper = a->upper + b->upper;
	lanes lower = a->whole + b->whole - (upper << 32);

	return upper[0] + upper[1] + lower[0] + lower[1];
}

static uint64_t add_bulk(const uint8_t *p, size_t n)
{
	struct halves a = { 0 }, b = { 0 };
	lanes v, w;

	for (; n; n -= 32, p += 32) {
		memcpy(&v, p, 16);
		memcpy(&w, p + 16, 16);
		add_lanes(&a, &v);
		add_lanes(&b, &w);
	}
	return join_lanes(&a, &b);
}

uint64_t hp_sum_copy(uint8_t *to, const uint8_t *p, size_t len)
{
	struct halves a = { 0 }, b = { 0 };
	size_t bulk = len / 32 * 32, i;
	lanes v, w;

	for (i = 0; i < bulk; i += 32) {
		memcpy(&v, p + i, 16);
		memcpy(&w, p + i + 16, 16);
		memcpy(to + i, &v, 16);
		memcpy(to + i + 16, &w, 16);
		add_lanes(&a, &v);
		add_lanes(&b, &w);
	}
	memcpy(to + i, p + i, len - i);
	return hp_sum_add(join_lanes(&a, &b), p + i, len - i);
}

uint64_t hp_sum_add(uint64_t sum, const uint8_t *p, size_t len)
{
	size_t bulk = len / 32 * 32;
	uint16_t two;
	uint32_t four;

	sum += add_bulk(p, bulk);
	for (p += bulk, len -= bulk; len >= 4; p += 4, len -= 4) {
		memcpy(&four, p, 4);
		sum += four;
	}
	if (len >= 2) {
		memcpy(&two, p, 2);
		sum += two;
		p += 2;
		len -= 2;
	}
	if (len) {
		two = 0;
		memcpy(&two, p, 1);
		sum += two;
	}
	return sum;
}

uint16_t hp_sum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)((sum >> 16) + (sum & UINT16_MAX));
}

uint64_t hp_sum_pseudo(const uint8_t *p, const struct hp_inet *in,
		       uint32_t len)
{
	uint8_t tail[8] = { [7] = in->proto };

	hp_put_be32(tail, len);
	return in->family == HP_AF_4 ?
		       hp_sum_add(hp_sum_add(0, tail, 8), p + 12, 8) :
		       hp_sum_add(hp_sum_add(0, tail, 8), p + 8, 32);
}

void hp_sum_put(uint8_t *field, uint16_t sum)
{
	memcpy(field, &sum, sizeof(sum));
}

void hp_sum_ip4(uint8_t *p)
{
	memset(p + 10, 0, 2);
	hp_sum_put(p + 10, (uint16_t)~hp_sum_fold(
				   hp_sum_add(0, p, (p[0] & 15u) * 4)));
}

bool hp_sum_ok(const uint8_t *p, const struct hp_inet *in)
{
	uint32_t len = in->len - in->l4;
	uint64_t sum;

	if (in->family == HP_AF_4 &&
	    hp_sum_fold(hp_sum_add(0, p, in->l4)) != UINT16_MAX)
		return false;
	if (in->proto == HP_PROTO_UDP && !hp_get_be16(p + in->l4 + HP_UDP_SUM))
		return false;
	sum = hp_sum_add(hp_sum_pseudo(p, in, len), p + in->l4, len);
	return hp_sum_fold(sum) == UINT16_MAX;
}
