/* SPDX-License-Identifier: ISC */
/*
 * What a TUN device, and a peer inside a tunnel, may hand over: any bytes with
 * any word about how to cut them. The pieces are joined again, and cut again:
 * the same must come out. Every packet lies in memory of exactly its length, so
 * that a sanitizer sees what reaches beyond.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "wg/backlog.h"
#include "wg/coalesce.h"
#include "wg/segment.h"

#define OFFLOAD_LEN 9

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct piece {
	uint8_t *bytes;
	uint8_t *was;	/* a copy */
	uint32_t len;
};

struct pieces {
	struct piece piece[HP_BATCH];
	size_t n;
};

static void add(struct pieces *all, uint32_t len)
{
	struct piece *p = &all->piece[all->n++];

	p->bytes = malloc(len);
	p->was = malloc(len);
	p->len = len;
	assert(p->bytes && p->was);
}

static void forget(struct pieces *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->piece[i].bytes);
		free(all->piece[i].was);
	}
	all->n = 0;
}

/* What the device says, and a packet. */
static void cut(struct pieces *all, const uint8_t *data, size_t size)
{
	const struct hp_offload offload = {
		.kind = (enum hp_offload_kind)(data[0] % 4),
		.sum = data[0] & 4,
		.size = hp_get_be16(data + 1),
		.sum_start = hp_get_be16(data + 3),
		.sum_offset = hp_get_be16(data + 5),
	};
	struct hp_segmenter s;
	uint8_t *whole;
	uint32_t len;

	data += OFFLOAD_LEN;
	size -= OFFLOAD_LEN;
	whole = malloc(size);
	assert(whole || !size);
	memcpy(whole, data, size);
	(void)hp_ecn_mark(whole, size);
	if (!hp_segment_begin(&s, whole, (uint32_t)size, &offload))
		while ((len = hp_segment_len(&s)) && all->n < HP_BATCH) {
			add(all, len);
			hp_segment_next(&s, all->piece[all->n - 1].bytes);
		}
	free(whole);
}

/* Packets, each behind its length. */
static void take(struct pieces *all, const uint8_t *data, size_t size)
{
	uint32_t len;

	for (; size >= 2 && all->n < HP_BATCH; data += len, size -= len) {
		len = hp_get_be16(data);
		data += 2;
		size -= 2;
		if (len > size)
			len = (uint32_t)size;
		if (!len)
			return;
		add(all, len);
		memcpy(all->piece[all->n - 1].bytes, data, len);
	}
}

/* Cuts a group: what comes out is what went in, in its order. */
static void cut_again(const struct pieces *all, const struct hp_coalesce *c,
		      const struct hp_pkt *pkts, const struct hp_group *g)
{
	static uint8_t whole[HP_PACKET_MAX], out[HP_PACKET_MAX];
	struct hp_segmenter s;
	size_t i = g->first;
	uint32_t len = 0;

	for (uint32_t n = 0; n < g->n; n++, i = c->next[i]) {
		assert(pkts[i].len <= sizeof(whole) - len);
		memcpy(whole + len, pkts[i].data, pkts[i].len);
		len += pkts[i].len;
	}
	assert(!hp_segment_begin(&s, whole, len, &g->offload));
	i = g->first;
	for (uint32_t n = 0; n < g->n; n++, i = c->next[i]) {
		len = hp_segment_len(&s);
		assert(len == all->piece[i].len);
		hp_segment_next(&s, out);
		assert(!memcmp(out, all->piece[i].was, len));
	}
	assert(!hp_segment_len(&s));
}

static void join(const struct pieces *all, bool udp)
{
	static struct hp_coalesce c;
	struct hp_pkt pkts[HP_BATCH];
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct piece *p = &all->piece[i];

		memcpy(p->was, p->bytes, p->len);
		pkts[i] = hp_pkt_of(p->bytes, p->len, 0, p->len);
	}
	hp_coalesce(&c, pkts, all->n, udp);
	for (size_t i = 0; i < c.n; i++) {
		cut_again(all, &c, pkts, &c.group[i]);
		n += c.group[i].n;
	}
	assert(n == all->n);
}

/* What waits comes out, each once; what finds no room is not put in. */
static void queue(const struct pieces *all)
{
	static struct hp_backlog b;
	size_t in = 0, out = 0;
	bool signal;

	hp_backlog_init(&b);
	for (; in < all->n && hp_backlog_room(&b) != HP_BACKLOG_NONE; in++)
		hp_backlog_put(&b, all->piece[in].bytes, all->piece[in].len,
			       HP_S);
	while (hp_backlog_take(&b, HP_S, &signal) != HP_BACKLOG_NONE)
		out++;
	assert(out == in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pieces all = { .n = 0 };

	if (size < OFFLOAD_LEN)
		return 0;
	if (data[7] & 1)
		take(&all, data + OFFLOAD_LEN, size - OFFLOAD_LEN);
	else
		cut(&all, data, size);
	queue(&all);
	join(&all, data[7] & 2);
	forget(&all);
	return 0;
}
