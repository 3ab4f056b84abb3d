/* SPDX-License-Identifier: ISC */
/* Inner packets by hand. */
#include "inner.h"

#include <string.h>

#include "base/bytes.h"

#define IP_HEAD 20
#define UDP_HEAD 8
#define IP_DF 0x4000
#define IP_MORE_OR_OFFSET 0x3fff
#define TTL 64
#define PROTO_UDP 17

/* The sum of RFC 1071, not yet folded. @len is even but for the last piece. */
static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (; len >= 2; p += 2, len -= 2)
		s += hp_get_be16(p);
	return len ? s + ((uint32_t)p[0] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	s = (s >> 16) + (s & 0xffff);
	s = (s >> 16) + (s & 0xffff);
	return (uint16_t)~s;
}

/* Over the pseudo header, the UDP header and the payload. */
static uint16_t udp_sum(const uint8_t *ip, const uint8_t *udp, size_t len)
{
	uint32_t s = sum(PROTO_UDP + (uint32_t)len, ip + 12, 8);

	return fold(sum(s, udp, len));
}

size_t inner_make(const struct inner *in, uint8_t *out, size_t cap)
{
	size_t len = INNER_HEADERS + in->len;
	uint8_t *udp = out + IP_HEAD;
	uint16_t check;

	if (len > cap || len > UINT16_MAX)
		return 0;
	memset(out, 0, INNER_HEADERS);
	out[0] = 0x45;
	hp_put_be16(out + 2, (uint16_t)len);
	hp_put_be16(out + 6, IP_DF);
	out[8] = TTL;
	out[9] = PROTO_UDP;
	memcpy(out + 12, in->src.ip, 4);
	memcpy(out + 16, in->dst.ip, 4);
	hp_put_be16(out + 10, fold(sum(0, out, IP_HEAD)));
	hp_put_be16(udp, in->src.port);
	hp_put_be16(udp + 2, in->dst.port);
	hp_put_be16(udp + 4, (uint16_t)(UDP_HEAD + in->len));
	if (in->len)
		memcpy(udp + UDP_HEAD, in->data, in->len);
	check = udp_sum(out, udp, UDP_HEAD + in->len);
	/* Zero means that there is none. */
	hp_put_be16(udp + 6, check ? check : 0xffff);
	return len;
}

bool inner_parse(const uint8_t *p, size_t len, struct inner *out)
{
	const uint8_t *udp = p + IP_HEAD;
	size_t udp_len;

	if (len < INNER_HEADERS || p[0] != 0x45 || hp_get_be16(p + 2) != len ||
	    p[9] != PROTO_UDP || hp_get_be16(p + 6) & IP_MORE_OR_OFFSET ||
	    fold(sum(0, p, IP_HEAD)) != 0)
		return false;
	udp_len = hp_get_be16(udp + 4);
	if (udp_len != len - IP_HEAD)
		return false;
	if (hp_get_be16(udp + 6) && udp_sum(p, udp, udp_len) != 0)
		return false;
	out->src = hp_addr_of(HP_AF_4, p + 12, hp_get_be16(udp));
	out->dst = hp_addr_of(HP_AF_4, p + 16, hp_get_be16(udp + 2));
	out->data = udp + UDP_HEAD;
	out->len = udp_len - UDP_HEAD;
	return true;
}
