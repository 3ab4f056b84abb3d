/* SPDX-License-Identifier: ISC */
/*
 * When to signal is CoDel's decision (RFC 8289): as soon as no packet of the
 * bulk list waited less than TARGET for an INTERVAL, then ever more often until
 * one does. What is first in line because its flow is sparse says nothing about
 * the queue and is not looked at.
 *
 * The idea of serving sparse flows first is that of FQ-CoDel (RFC 8290), without
 * its rounds: one TCP flow against another is the congestion control's affair,
 * a lookup or a keystroke behind both of them is ours.
 */
#include "wg/backlog.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/time.h"
#include "wg/inet.h"

/* Twice what the slowest of our pipelines needs to be kept busy, and less than
 * anybody feels.
 */
#define TARGET_NS (2 * HP_MS)
/* A fifth of what RFC 8289 takes for the wide Internet: what makes this queue
 * stand are flows as fast as a processor, which are near. One from afar answers
 * some signals of one round trip as one.
 */
#define INTERVAL_NS (20 * HP_MS)
/* More than TARGET_NS at 6 Gbit/s; the device's own queue takes what comes. */
#define BYTES_MAX (3u << 19)
/* Sparse packets in a row before one of the bulk list has its turn. */
#define SPARSE_RUN 64

void hp_backlog_init(struct hp_backlog *b)
{
	const struct hp_backlog_list empty = { HP_BACKLOG_NONE,
					       HP_BACKLOG_NONE };

	*b = (struct hp_backlog){ .sparse = empty, .bulk = empty };
	b->free = UINT32_MAX;
}

/* Addresses, protocol, and ports where every packet of the flow has them. */
static uint8_t flow_of(const uint8_t *p, uint32_t len)
{
	size_t at = 0, end = 0, ports = 0;
	uint32_t h;
	uint8_t proto = 0;

	if (len >= HP_IP4_HEAD && p[0] >> 4 == 4) {
		at = 12;
		end = HP_IP4_HEAD;
		proto = p[9];
		if (!(hp_get_be16(p + 6) & 0x3fff)) /* whole */
			ports = (p[0] & 15u) * 4;
	} else if (len >= HP_IP6_HEAD && p[0] >> 4 == 6) {
		at = 8;
		end = HP_IP6_HEAD;
		proto = p[6];
		ports = end;
	}
	h = proto;
	for (; at < end; at += 4)
		h = (h ^ hp_get_be32(p + at)) * 2654435761u;
	if ((proto == HP_PROTO_TCP || proto == HP_PROTO_UDP) && ports &&
	    ports + 4 <= len)
		h = (h ^ hp_get_be32(p + ports)) * 2654435761u;
	return (uint8_t)(h >> 24);
}

static void append(struct hp_backlog *b, struct hp_backlog_list *l, uint32_t i)
{
	if (l->first == HP_BACKLOG_NONE)
		l->first = i;
	else
		b->slot[l->last].next = i;
	l->last = i;
	b->slot[i].next = HP_BACKLOG_NONE;
}

/* The lowest one: memory that the caller has behind the upper slots is touched
 * only while so much waits.
 */
static uint32_t first_free(const struct hp_backlog *b)
{
	static_assert(HP_BACKLOG_MAX == 32, "a bit for each slot");

	return b->free ? (uint32_t)__builtin_ctz(b->free) : HP_BACKLOG_NONE;
}

uint32_t hp_backlog_room(const struct hp_backlog *b)
{
	return b->bytes < BYTES_MAX ? first_free(b) : HP_BACKLOG_NONE;
}

void hp_backlog_put(struct hp_backlog *b, const uint8_t *p, uint32_t len,
		    uint64_t now_ns)
{
	uint32_t i = first_free(b);
	struct hp_backlog_slot *s;

	assert(i != HP_BACKLOG_NONE);
	s = &b->slot[i];
	b->free &= ~(UINT32_C(1) << i);
	s->since_ns = now_ns;
	s->len = len;
	s->flow = flow_of(p, len);
	b->in_sparse[s->flow] |= !b->in_flow[s->flow];
	append(b, b->in_flow[s->flow]++ ? &b->bulk : &b->sparse, i);
	b->bytes += len;
	b->n++;
}

/* RFC 8289 5.3, by Newton's method, from above: exact for what it is for. */
static uint64_t root(uint64_t v)
{
	uint64_t x = v, y = (v + 1) / 2;

	while (y < x) {
		x = y;
		y = (x + v / x) / 2;
	}
	return x;
}

static uint64_t after(const struct hp_backlog *b, uint64_t from_ns)
{
	/* 2^10 keeps the fraction of the root. */
	return from_ns + (INTERVAL_NS << 10) / root((uint64_t)b->signals << 20);
}

/* Has there been a queue for an interval, with this packet, too? */
static bool standing(struct hp_backlog *b, const struct hp_backlog_slot *s,
		     uint64_t now_ns)
{
	if (now_ns - s->since_ns < TARGET_NS || b->n == 1) {
		b->above_ns = 0;
		return false;
	}
	if (!b->above_ns)
		b->above_ns = now_ns + INTERVAL_NS;
	return now_ns >= b->above_ns;
}

/* RFC 8289 5.5 */
static bool codel(struct hp_backlog *b, const struct hp_backlog_slot *s,
		  uint64_t now_ns)
{
	bool stands = standing(b, s, now_ns);
	uint32_t more;

	if (b->signalling) {
		b->signalling = stands;
		if (!stands || now_ns < b->next_ns)
			return false;
		b->signals++;
		b->next_ns = after(b, b->next_ns);
		return true;
	}
	if (!stands)
		return false;
	more = b->signals - b->signals_before;
	b->signalling = true;
	/* The last queue is not long gone: go on at its pace. */
	b->signals = more > 1 && now_ns - b->next_ns < 16 * INTERVAL_NS ?
			     more : 1;
	b->signals_before = b->signals;
	b->next_ns = after(b, now_ns);
	return true;
}

/* Sparse flows first, but not for ever; a packet of the bulk list never passes
 * one of its own flow.
 */
static bool sparse_first(const struct hp_backlog *b)
{
	uint32_t i = b->bulk.first;

	if (b->sparse.first == HP_BACKLOG_NONE || i == HP_BACKLOG_NONE)
		return i == HP_BACKLOG_NONE;
	return b->sparse_run < SPARSE_RUN || b->in_sparse[b->slot[i].flow];
}

uint32_t hp_backlog_take(struct hp_backlog *b, uint64_t now_ns, bool *signal)
{
	bool sparse = sparse_first(b);
	struct hp_backlog_list *l = sparse ? &b->sparse : &b->bulk;
	uint32_t i = l->first;
	struct hp_backlog_slot *s;

	*signal = false;
	if (i == HP_BACKLOG_NONE)
		return i;
	s = &b->slot[i];
	l->first = s->next;
	b->sparse_run = sparse ? b->sparse_run + 1 : 0;
	if (sparse)
		b->in_sparse[s->flow] = false;
	else
		*signal = codel(b, s, now_ns);
	b->in_flow[s->flow]--;
	b->bytes -= s->len;
	b->n--;
	b->free |= UINT32_C(1) << i;
	return i;
}

bool hp_ecn_mark(uint8_t *p, size_t len)
{
	if (len >= HP_IP4_HEAD && p[0] >> 4 == 4 && p[1] & 3 &&
	    (p[0] & 15u) >= 5 && (p[0] & 15u) * 4 <= len) {
		p[1] |= 3;
		hp_sum_ip4(p);
		return true;
	}
	if (len >= HP_IP6_HEAD && p[0] >> 4 == 6 && p[1] & 0x30) {
		p[1] |= 0x30;
		return true;
	}
	return false;
}
