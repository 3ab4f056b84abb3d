/* SPDX-License-Identifier: ISC */
#include "../natbox/packet.h"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "base/bytes.h"

#define IP_HEAD 20
#define L4_HEAD 8
/* Offsets in an IPv4 header. */
#define AT_FRAGMENT 6
#define AT_TTL 8
#define AT_PROTO 9
#define AT_SUM 10
#define AT_SRC 12
#define AT_DST 16
#define ICMP_SUM 2
#define ICMP_ID 4
#define UDP_SUM 6

/* An IPv4 packet with the first 8 bytes of what it carries. */
struct view {
	uint8_t *ip;
	uint8_t *l4;
	uint8_t proto;
	size_t l4_len;
};

/* RFC 1624, equation 3: the sum after one 16-bit word became another. */
static void sum_fix(uint8_t *sum, uint16_t old, uint16_t new)
{
	uint32_t s = (uint16_t)~hp_get_be16(sum);

	s += (uint16_t)~old;
	s += new;
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	hp_put_be16(sum, (uint16_t)~s);
}

static bool view_of(uint8_t *p, size_t len, struct view *v)
{
	size_t head;

	if (len < IP_HEAD || p[0] >> 4 != 4)
		return false;
	head = (p[0] & 15u) * 4;
	if (head < IP_HEAD || len < head + L4_HEAD)
		return false;
	/* A fragment has no ports, or lacks what its checksum covers. */
	if (hp_get_be16(p + AT_FRAGMENT) & 0x3fff)
		return false;
	*v = (struct view){ p, p + head, p[AT_PROTO], len - head };
	return true;
}

/* One 16-bit word changes; @covered: by the sum of what the packet carries. */
static void put_word(struct view *v, uint8_t *at, uint16_t new, bool covered)
{
	uint8_t *sum = v->l4 + (v->proto == IPPROTO_UDP ? UDP_SUM : ICMP_SUM);
	bool udp = v->proto == IPPROTO_UDP;
	uint16_t old = hp_get_be16(at);

	hp_put_be16(at, new);
	if (at < v->l4)
		sum_fix(v->ip + AT_SUM, old, new);
	/* UDP may go without a sum, which then is 0. */
	if (!covered || (udp && !hp_get_be16(sum)))
		return;
	sum_fix(sum, old, new);
	if (udp && !hp_get_be16(sum))
		hp_put_be16(sum, 0xffff);
}

/* Writes @a to the address at @ip and the port, or echo identifier, at @port.
 * An ICMP sum covers no address.
 */
static void put_addr(struct view *v, uint8_t *ip, uint8_t *port,
		     const struct hp_addr *a)
{
	bool udp = v->proto == IPPROTO_UDP;

	put_word(v, ip, hp_get_be16(a->ip), udp);
	put_word(v, ip + 2, hp_get_be16(a->ip + 2), udp);
	put_word(v, port, a->port, true);
}

static struct hp_addr addr_at(const uint8_t *ip, uint16_t port)
{
	return hp_addr_of(HP_AF_4, ip, port);
}

/* The kernel routes a packet into this box and routes it out again; that is one
 * router, so one of its two hops is given back.
 */
static void ttl_up(struct view *v)
{
	uint8_t *at = v->ip + AT_TTL;

	put_word(v, at, (uint16_t)(hp_get_be16(at) + 0x100), false);
}

/* The NAT in charge, and where the ports are; an echo has one identifier for
 * both. NULL: not for a NAT. @type: of the echo that goes this way.
 */
static struct nat *nat_of(const struct box *b, const struct view *v,
			  uint8_t type, uint8_t **sport, uint8_t **dport)
{
	if (v->proto == IPPROTO_UDP) {
		*sport = v->l4;
		*dport = v->l4 + 2;
		return b->udp;
	}
	if (v->proto != IPPROTO_ICMP || v->l4[0] != type)
		return NULL;
	*sport = *dport = v->l4 + ICMP_ID;
	return b->echo;
}

enum box_way box_from_inside(const struct box *b, uint8_t *p, size_t len,
			     uint64_t now_ns)
{
	uint8_t *sport, *dport;
	struct hp_addr from, to;
	struct nat *nat;
	struct view v;
	bool hair;

	if (!view_of(p, len, &v))
		return BOX_DROP;
	nat = nat_of(b, &v, ICMP_ECHO, &sport, &dport);
	if (!nat)
		return BOX_DROP;
	from = addr_at(p + AT_SRC, hp_get_be16(sport));
	to = addr_at(p + AT_DST, nat == b->udp ? hp_get_be16(dport) : 0);
	hair = hp_addr_same_ip(&to, nat_external(nat));
	if (hair && (nat != b->udp || !nat_config(nat)->hairpin))
		return BOX_DROP;
	if (!nat_out(nat, &from, &to, now_ns))
		return BOX_DROP;
	put_addr(&v, p + AT_SRC, sport, &from);
	if (hair) {
		if (!nat_in(nat, &from, &to, now_ns))
			return BOX_DROP;
		put_addr(&v, p + AT_DST, dport, &to);
	}
	ttl_up(&v);
	return hair ? BOX_IN : BOX_OUT;
}

/* An error about a datagram that we let out; it quotes the datagram's head. */
static enum box_way error_in(const struct box *b, struct view *v,
			     uint64_t now_ns)
{
	struct hp_addr from, to;
	struct view quoted;

	if (v->l4_len < L4_HEAD ||
	    !view_of(v->l4 + L4_HEAD, v->l4_len - L4_HEAD, &quoted) ||
	    quoted.proto != IPPROTO_UDP)
		return BOX_DROP;
	from = addr_at(quoted.ip + AT_DST, hp_get_be16(quoted.l4 + 2));
	to = addr_at(quoted.ip + AT_SRC, hp_get_be16(quoted.l4));
	if (!nat_in(b->udp, &from, &to, now_ns))
		return BOX_DROP;
	/* The quoted head keeps its sums: nobody looks at them. */
	put_word(v, quoted.l4, to.port, true);
	for (unsigned int i = 0; i < 4; i += 2)
		put_word(v, quoted.ip + AT_SRC + i, hp_get_be16(to.ip + i),
			 true);
	for (unsigned int i = 0; i < 4; i += 2)
		put_word(v, v->ip + AT_DST + i, hp_get_be16(to.ip + i), false);
	ttl_up(v);
	return BOX_IN;
}

static bool is_error(const struct view *v)
{
	return v->proto == IPPROTO_ICMP &&
	       (v->l4[0] == ICMP_DEST_UNREACH ||
		v->l4[0] == ICMP_TIME_EXCEEDED);
}

enum box_way box_from_outside(const struct box *b, uint8_t *p, size_t len,
			      uint64_t now_ns)
{
	uint8_t *sport, *dport;
	struct hp_addr from, to;
	struct nat *nat;
	struct view v;

	if (!view_of(p, len, &v))
		return BOX_DROP;
	if (is_error(&v))
		return error_in(b, &v, now_ns);
	nat = nat_of(b, &v, ICMP_ECHOREPLY, &sport, &dport);
	if (!nat)
		return BOX_DROP;
	from = addr_at(p + AT_SRC, nat == b->udp ? hp_get_be16(sport) : 0);
	to = addr_at(p + AT_DST, hp_get_be16(dport));
	if (!nat_in(nat, &from, &to, now_ns))
		return BOX_DROP;
	put_addr(&v, p + AT_DST, dport, &to);
	ttl_up(&v);
	return BOX_IN;
}
