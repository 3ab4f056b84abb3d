/* SPDX-License-Identifier: ISC */
#include "wg/toobig.h"

#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "wg/inet.h"

#define LIMIT_NS (100 * HP_MS)
#define LIMIT_N 20

#define ICMP_HEAD 8
#define ICMP4 1
#define ICMP4_UNREACHABLE 3
#define ICMP4_NEEDED 4
#define ICMP6 58
#define ICMP6_TOO_BIG 2
/* RFC 1812 4.3.2.3: no more of the packet than fits into 576. */
#define ICMP4_MAX 576

#define IP4_DF 0x4000
#define IP4_MF 0x2000
#define IP4_OFFSET 0x1fff
#define FRAGMENT_HEAD 8
#define OPT_END 0
#define OPT_NOP 1
#define OPT_COPIED 0x80
#define TCP_SYN 0x02
#define TCP_MSS 2
#define TTL 64

/* IPv6 extension headers, RFC 8200 4 */
enum {
	EXT_HOP = 0,
	EXT_ROUTING = 43,
	EXT_FRAGMENT = 44,
	EXT_DESTINATION = 60,
};

/* ---- messages ----------------------------------------------------------- */

/* Unspecified, multicast, or class E with broadcast in it. */
static bool is_host4(const uint8_t *ip)
{
	return ip[0] != 0 && ip[0] < 224;
}

static bool is_host6(const uint8_t *ip)
{
	static const uint8_t zero[16];

	return ip[0] != 0xff && memcmp(ip, zero, sizeof(zero)) != 0;
}

/* Is it an ICMP error? All but queries and their answers are taken for one. */
static bool is_error4(const uint8_t *p, uint32_t len, uint32_t head)
{
	uint8_t type;

	if (p[9] != ICMP4 || len <= head)
		return false;
	type = p[head];
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static enum hp_err make4(const uint8_t *p, uint32_t len, uint32_t mtu,
			 uint8_t *out, uint32_t *out_len)
{
	uint32_t head = (p[0] & 15u) * 4;
	uint32_t most = ICMP4_MAX - HP_IP4_HEAD - ICMP_HEAD;
	uint32_t part = len < most ? len : most;
	uint8_t *icmp = out + HP_IP4_HEAD;

	if (len < HP_IP4_HEAD || head < HP_IP4_HEAD || head > len ||
	    !(hp_get_be16(p + 6) & IP4_DF) ||
	    (hp_get_be16(p + 6) & IP4_OFFSET) || is_error4(p, len, head) ||
	    !is_host4(p + 12) || !is_host4(p + 16))
		return HP_ERR_STATE;
	*out_len = HP_IP4_HEAD + ICMP_HEAD + part;
	memset(out, 0, HP_IP4_HEAD + ICMP_HEAD);
	out[0] = 0x45;
	hp_put_be16(out + 2, (uint16_t)*out_len);
	out[8] = TTL;
	out[9] = ICMP4;
	memcpy(out + 12, p + 16, 4);
	memcpy(out + 16, p + 12, 4);
	hp_sum_ip4(out);
	icmp[0] = ICMP4_UNREACHABLE;
	icmp[1] = ICMP4_NEEDED;
	hp_put_be16(icmp + 6, (uint16_t)mtu);
	memcpy(icmp + ICMP_HEAD, p, part);
	hp_sum_put(icmp + 2, (uint16_t)~hp_sum_fold(
				     hp_sum_add(0, icmp, ICMP_HEAD + part)));
	return HP_OK;
}

/* An error, or one behind headers that hide what it is. */
static bool is_error6(const uint8_t *p, uint32_t len)
{
	return p[6] == ICMP6 && len > HP_IP6_HEAD && p[HP_IP6_HEAD] < 128;
}

static enum hp_err make6(const uint8_t *p, uint32_t len, uint32_t mtu,
			 uint8_t *out, uint32_t *out_len)
{
	const struct hp_inet in = { .family = HP_AF_6, .proto = ICMP6 };
	uint32_t most = HP_TOOBIG_MAX - HP_IP6_HEAD - ICMP_HEAD;
	uint32_t part = len < most ? len : most;
	uint8_t *icmp = out + HP_IP6_HEAD;
	uint64_t sum;

	if (len < HP_IP6_HEAD || is_error6(p, len) || !is_host6(p + 8) ||
	    !is_host6(p + 24))
		return HP_ERR_STATE;
	*out_len = HP_IP6_HEAD + ICMP_HEAD + part;
	memset(out, 0, HP_IP6_HEAD + ICMP_HEAD);
	out[0] = 0x60;
	hp_put_be16(out + 4, (uint16_t)(ICMP_HEAD + part));
	out[6] = ICMP6;
	out[7] = TTL;
	memcpy(out + 8, p + 24, 16);
	memcpy(out + 24, p + 8, 16);
	icmp[0] = ICMP6_TOO_BIG;
	hp_put_be32(icmp + 4, mtu < HP_IP6_MTU_MIN ? HP_IP6_MTU_MIN : mtu);
	memcpy(icmp + ICMP_HEAD, p, part);
	sum = hp_sum_pseudo(out, &in, ICMP_HEAD + part);
	hp_sum_put(icmp + 2, (uint16_t)~hp_sum_fold(
				     hp_sum_add(sum, icmp, ICMP_HEAD + part)));
	return HP_OK;
}

enum hp_err hp_toobig_make(const uint8_t *p, uint32_t len, uint32_t mtu,
			   uint8_t out[HP_TOOBIG_MAX], uint32_t *out_len)
{
	if (len && p[0] >> 4 == 4)
		return make4(p, len, mtu, out, out_len);
	if (len && p[0] >> 4 == 6)
		return make6(p, len, mtu, out, out_len);
	return HP_ERR_STATE;
}

bool hp_toobig_allowed(struct hp_toobig_limit *l, uint64_t now_ns)
{
	if (!l->n || hp_time_since(now_ns, l->since_ns) >= LIMIT_NS)
		*l = (struct hp_toobig_limit){ .since_ns = now_ns };
	if (l->n == LIMIT_N)
		return false;
	l->n++;
	return true;
}

/* ---- fragments ---------------------------------------------------------- */

static bool may_cut4(const uint8_t *p, uint32_t len)
{
	uint32_t head = (p[0] & 15u) * 4;

	return head >= HP_IP4_HEAD && head < len &&
	       hp_get_be16(p + 2) == len && !(hp_get_be16(p + 6) & IP4_DF);
}

/* What precedes the fragment header must not be an extension header. */
static bool may_cut6(const uint8_t *p, uint32_t len)
{
	return len > HP_IP6_HEAD && len <= HP_IP6_MTU_MIN &&
	       hp_get_be16(p + 4) + (uint32_t)HP_IP6_HEAD == len &&
	       p[6] != EXT_HOP && p[6] != EXT_ROUTING &&
	       p[6] != EXT_FRAGMENT && p[6] != EXT_DESTINATION;
}

enum hp_err hp_fragment_begin(struct hp_fragmenter *s, const uint8_t *p,
			      uint32_t len, uint32_t mtu, uint32_t id)
{
	*s = (struct hp_fragmenter){ .p = p, .len = len, .id = id };
	if (len >= HP_IP4_HEAD && p[0] >> 4 == 4 && may_cut4(p, len)) {
		s->head = (p[0] & 15u) * 4;
	} else if (len && p[0] >> 4 == 6 && may_cut6(p, len)) {
		s->head = HP_IP6_HEAD;
		s->more = FRAGMENT_HEAD;
	}
	if (!s->head || s->head + s->more + 8 > mtu)
		return HP_ERR_STATE;
	s->step = (mtu - s->head - s->more) / 8 * 8;
	return HP_OK;
}

static uint32_t fragment_payload(const struct hp_fragmenter *s)
{
	uint32_t left = s->len - s->head - s->at;

	return left < s->step ? left : s->step;
}

uint32_t hp_fragment_len(const struct hp_fragmenter *s)
{
	uint32_t n = fragment_payload(s);

	return n ? s->head + s->more + n : 0;
}

/* Options that belong into the first fragment only make room to others. */
static void drop_options(uint8_t *head, uint32_t head_len)
{
	uint32_t at = HP_IP4_HEAD, n;

	while (at < head_len && head[at] != OPT_END) {
		n = 1;
		if (head[at] != OPT_NOP) {
			if (at + 1 >= head_len || head[at + 1] < 2 ||
			    at + head[at + 1] > head_len)
				return;
			n = head[at + 1];
			if (!(head[at] & OPT_COPIED))
				memset(head + at, OPT_NOP, n);
		}
		at += n;
	}
}

static void head4(const struct hp_fragmenter *s, uint8_t *out, uint32_t n,
		  bool last)
{
	uint16_t was = hp_get_be16(s->p + 6);
	uint16_t field = (uint16_t)((was & IP4_OFFSET) + s->at / 8);

	if (s->at)
		drop_options(out, s->head);
	if (!last || was & IP4_MF)
		field |= IP4_MF;
	hp_put_be16(out + 2, (uint16_t)(s->head + n));
	hp_put_be16(out + 6, field);
	hp_sum_ip4(out);
}

/* The offset counts in eights, and stands three bits up. */
static void head6(const struct hp_fragmenter *s, uint8_t *out, uint32_t n,
		  bool last)
{
	uint8_t *more = out + HP_IP6_HEAD;

	hp_put_be16(out + 4, (uint16_t)(FRAGMENT_HEAD + n));
	out[6] = EXT_FRAGMENT;
	more[0] = s->p[6];
	more[1] = 0;
	hp_put_be16(more + 2, (uint16_t)(s->at | !last));
	hp_put_be32(more + 4, s->id);
}

void hp_fragment_next(struct hp_fragmenter *s, uint8_t *out)
{
	uint32_t n = fragment_payload(s);
	bool last = s->head + s->at + n == s->len;

	memcpy(out, s->p, s->head);
	memcpy(out + s->head + s->more, s->p + s->head + s->at, n);
	if (s->more)
		head6(s, out, n, last);
	else
		head4(s, out, n, last);
	s->at += n;
}

/* ---- maximum segment size ----------------------------------------------- */

/* RFC 1624, 3: HC' = ~(~HC + ~m + m') */
static void mend(uint8_t *sum, uint16_t was, uint16_t is)
{
	uint32_t x = (uint16_t)~hp_get_be16(sum);

	x += (uint16_t)~was + (uint32_t)is;
	x = (x & 0xffff) + (x >> 16);
	x = (x & 0xffff) + (x >> 16);
	hp_put_be16(sum, (uint16_t)~x);
}

/* The field of the option in the TCP header @tcp of @len bytes; NULL: none, or
 * not at an even place, where its checksum would be another one.
 */
static uint8_t *find_mss(uint8_t *tcp, uint32_t len)
{
	uint32_t at = HP_TCP_HEAD;

	while (at + 1 < len && tcp[at] != OPT_END) {
		if (tcp[at] == OPT_NOP) {
			at++;
			continue;
		}
		if (tcp[at + 1] < 2 || at + tcp[at + 1] > len)
			return NULL;
		if (tcp[at] == TCP_MSS && tcp[at + 1] == 4)
			return at % 2 ? NULL : tcp + at + 2;
		at += tcp[at + 1];
	}
	return NULL;
}

/* Bytes before the TCP header of a SYN; 0: it is none. */
static uint32_t syn_at(const uint8_t *p, uint32_t len)
{
	uint32_t at = 0;

	if (len < HP_IP4_HEAD + HP_TCP_HEAD)
		return 0;
	if (p[0] >> 4 == 4 && p[9] == HP_PROTO_TCP &&
	    !(hp_get_be16(p + 6) & IP4_OFFSET))
		at = (p[0] & 15u) * 4;
	else if (p[0] >> 4 == 6 && p[6] == HP_PROTO_TCP)
		at = HP_IP6_HEAD;
	if (at < HP_IP4_HEAD || at + HP_TCP_HEAD > len ||
	    !(p[at + 13] & TCP_SYN))
		return 0;
	return at;
}

void hp_mss_clamp(uint8_t *p, uint32_t len, uint32_t mtu)
{
	uint32_t at = syn_at(p, len), head;
	uint8_t *mss;
	uint32_t most;
	uint16_t was;

	if (!at || mtu < HP_IP6_HEAD + HP_TCP_HEAD)
		return;
	head = (p[at + 12] >> 4) * 4u;
	if (head > len - at)
		return;
	most = mtu - (p[0] >> 4 == 4 ? HP_IP4_HEAD : HP_IP6_HEAD) - HP_TCP_HEAD;
	mss = find_mss(p + at, head);
	if (!mss || hp_get_be16(mss) <= most)
		return;
	was = hp_get_be16(mss);
	hp_put_be16(mss, (uint16_t)most);
	mend(p + at + HP_TCP_SUM, was, (uint16_t)most);
}
