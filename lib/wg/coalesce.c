/* SPDX-License-Identifier: ISC */
/*
 * A packet joins the newest group of its flow, or begins a group. Groups are
 * written in the order in which they began, so a flow is never out of order: a
 * packet that cannot be joined begins a group, too, and closes its flow's last.
 */
#include "wg/coalesce.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* How many groups back one of the same flow is looked for. */
#define LOOK_BACK 32
/* Kernels before 6.5 send no more UDP segments at once. */
#define UDP_SEGMENTS 64

static uint32_t flow_of(const uint8_t *p, const struct hp_inet *in)
{
	const uint8_t *from = p + (in->family == HP_AF_4 ? 12 : 8);
	size_t len = in->family == HP_AF_4 ? 8 : 32;
	uint32_t h = hp_get_be32(p + in->l4) * 2654435761u + in->proto;

	for (size_t i = 0; i < len; i += 4)
		h = (h ^ hp_get_be32(from + i)) * 2654435761u;
	return h ? h : 1;
}

/* May @p be part of a longer packet at all? Without IP options and extension
 * headers, with payload; TCP: plain data.
 */
static bool joinable(const uint8_t *p, const struct hp_inet *in, bool udp)
{
	const uint8_t *l4 = p + in->l4;
	uint8_t flags = HP_TCP_ACK | HP_TCP_PSH | HP_TCP_ECE;

	if (in->l4 != (in->family == HP_AF_4 ? HP_IP4_HEAD : HP_IP6_HEAD) ||
	    in->head == in->len)
		return false;
	if (in->family == HP_AF_4 && p[6] & 0x80)
		return false;
	if (in->proto == HP_PROTO_UDP)
		return udp;
	return l4[13] & HP_TCP_ACK && !(l4[13] & ~flags) && !(l4[12] & 15);
}

static bool same_ip(const struct hp_group *g, const uint8_t *a,
		    const uint8_t *b)
{
	if (g->in.family == HP_AF_6)
		return !memcmp(a, b, 4) && !memcmp(a + 6, b + 6, 34);
	return !memcmp(a, b, 2) && !memcmp(a + 6, b + 6, 4) &&
	       !memcmp(a + 12, b + 12, 8) &&
	       hp_get_be16(b + 4) == (uint16_t)(hp_get_be16(a + 4) + g->n);
}

/* @a: TCP header of the group, @b: of the packet that wants to join. */
static bool same_tcp(const struct hp_group *g, const uint8_t *a,
		     const uint8_t *b)
{
	return !memcmp(a, b, 4) &&
	       hp_get_be32(b + 4) ==
		       hp_get_be32(a + 4) + g->len - g->in.head &&
	       !memcmp(a + 8, b + 8, 5) && !((a[13] ^ b[13]) & ~HP_TCP_PSH) &&
	       !memcmp(a + 14, b + 14, 2) &&
	       !memcmp(a + 18, b + 18, g->in.head - g->in.l4 - 18);
}

/* Is @p, of the flow of @g, what comes next? Sums are looked at last. */
static bool fits(struct hp_group *g, const uint8_t *first, const uint8_t *p,
		 const struct hp_inet *in)
{
	uint32_t more = in->len - in->head;

	if (in->family != g->in.family || in->proto != g->in.proto ||
	    in->l4 != g->in.l4 || in->head != g->in.head ||
	    more > g->offload.size || g->len + more > HP_PACKET_MAX ||
	    !same_ip(g, first, p))
		return false;
	if (in->proto == HP_PROTO_TCP) {
		if (!same_tcp(g, first + in->l4, p + in->l4))
			return false;
	} else if (memcmp(first + in->l4, p + in->l4, 4) ||
		   g->n == UDP_SEGMENTS) {
		return false;
	}
	g->sum_ok = g->sum_ok || hp_sum_ok(first, &g->in);
	return g->sum_ok && hp_sum_ok(p, in);
}

static bool psh_of(const uint8_t *p, const struct hp_inet *in)
{
	return in->proto == HP_PROTO_TCP && p[in->l4 + 13] & HP_TCP_PSH;
}

static struct hp_group *begin(struct hp_coalesce *c, size_t i)
{
	struct hp_group *g = &c->group[c->n++];

	*g = (struct hp_group){
		.first = (uint32_t)i,
		.last = (uint32_t)i,
		.n = 1,
	};
	return g;
}

static void join(struct hp_coalesce *c, struct hp_group *g, struct hp_pkt *p,
		 size_t i, const struct hp_inet *in)
{
	g->psh = psh_of(p->data, in);
	g->open = !g->psh && in->len - in->head == g->offload.size;
	c->next[g->last] = (uint32_t)i;
	g->last = (uint32_t)i;
	g->n++;
	g->len += in->len - in->head;
	(void)hp_pkt_pull(p, in->head);
}

static struct hp_group *newest_of(struct hp_coalesce *c, uint32_t flow)
{
	size_t stop = c->n > LOOK_BACK ? c->n - LOOK_BACK : 0;

	for (size_t i = c->n; i > stop; i--)
		if (c->group[i - 1].flow == flow)
			return &c->group[i - 1];
	return NULL;
}

static void take(struct hp_coalesce *c, struct hp_pkt *pkts, size_t i,
		 bool udp)
{
	struct hp_pkt *p = &pkts[i];
	struct hp_group *g;
	struct hp_inet in;
	bool may;

	if (hp_inet_parse(p->data, p->len, &in)) {
		begin(c, i);
		return;
	}
	may = joinable(p->data, &in, udp);
	g = newest_of(c, flow_of(p->data, &in));
	if (g && may && g->open &&
	    fits(g, pkts[g->first].data, p->data, &in)) {
		join(c, g, p, i, &in);
		return;
	}
	g = begin(c, i);
	g->flow = flow_of(p->data, &in);
	g->in = in;
	g->len = in.len;
	g->psh = psh_of(p->data, &in);
	g->open = may && !g->psh;
	g->offload.size = (uint16_t)(in.len - in.head);
}

/* The headers of the first become those of the whole. */
static void finish(struct hp_group *g, uint8_t *p)
{
	uint32_t l4 = g->in.l4;
	bool tcp = g->in.proto == HP_PROTO_TCP;
	uint16_t field = tcp ? HP_TCP_SUM : HP_UDP_SUM;

	if (g->in.family == HP_AF_4) {
		hp_put_be16(p + 2, (uint16_t)g->len);
		hp_sum_ip4(p);
	} else {
		hp_put_be16(p + 4, (uint16_t)(g->len - HP_IP6_HEAD));
	}
	if (!tcp)
		hp_put_be16(p + l4 + 4, (uint16_t)(g->len - l4));
	else if (g->psh)
		p[l4 + 13] |= HP_TCP_PSH;
	g->offload.kind = !tcp ? HP_OFFLOAD_UDP :
			  g->in.family == HP_AF_4 ? HP_OFFLOAD_TCP4 :
						    HP_OFFLOAD_TCP6;
	g->offload.sum = true;
	g->offload.sum_start = (uint16_t)l4;
	g->offload.sum_offset = field;
	hp_sum_put(p + l4 + field,
		   hp_sum_fold(hp_sum_pseudo(p, &g->in, g->len - l4)));
}

void hp_coalesce(struct hp_coalesce *c, struct hp_pkt *pkts, size_t n,
		 bool udp)
{
	assert(n <= HP_BATCH);
	c->n = 0;
	for (size_t i = 0; i < n; i++)
		take(c, pkts, i, udp);
	for (size_t i = 0; i < c->n; i++) {
		if (c->group[i].n > 1)
			finish(&c->group[i], pkts[c->group[i].first].data);
		else
			c->group[i].offload = (struct hp_offload){ 0 };
	}
}

void hp_coalesce_none(struct hp_coalesce *c, size_t n)
{
	assert(n <= HP_BATCH);
	c->n = 0;
	for (size_t i = 0; i < n; i++)
		begin(c, i);
}
