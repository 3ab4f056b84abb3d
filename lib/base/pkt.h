/* SPDX-License-Identifier: ISC */
/*
 * A packet is a window into a buffer that somebody else owns (an arena of the
 * data path, the stack of a test). Layers widen and narrow the window; none
 * copies.
 */
#ifndef HP_BASE_PKT_H
#define HP_BASE_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room in front of an inner packet for the headers that layers push: 8 bytes
 * of relay, 16 of WireGuard, and 8 that keep the rest aligned; and room behind
 * it for padding (up to 15) and tag.
 */
#define HP_HEADROOM 32
#define HP_TAILROOM 32
/* Most packets handled by one call of the data path. */
#define HP_BATCH 128

/**
 * struct hp_pkt - A packet inside a buffer
 * @data: first byte
 * @len:  bytes
 * @head: bytes free in front of @data
 * @tail: bytes free behind @data + @len
 */
struct hp_pkt {
	uint8_t *data;
	uint32_t len;
	uint32_t head;
	uint32_t tail;
};

/* A packet of @len bytes that begins @head bytes into @buf of @cap bytes. */
static inline struct hp_pkt hp_pkt_of(uint8_t *buf, size_t cap, size_t head,
				      size_t len)
{
	return (struct hp_pkt){
		.data = buf + head,
		.len = (uint32_t)len,
		.head = (uint32_t)head,
		.tail = (uint32_t)(cap - head - len),
	};
}

/* Widen at the front (push) and at the back (put); false: no room. */
static inline bool hp_pkt_push(struct hp_pkt *p, uint32_t n)
{
	if (p->head < n)
		return false;
	p->data -= n;
	p->head -= n;
	p->len += n;
	return true;
}

static inline bool hp_pkt_put(struct hp_pkt *p, uint32_t n)
{
	if (p->tail < n)
		return false;
	p->tail -= n;
	p->len += n;
	return true;
}

/* Narrow at the front (pull) and at the back (trim); false: too short. */
static inline bool hp_pkt_pull(struct hp_pkt *p, uint32_t n)
{
	if (p->len < n)
		return false;
	p->data += n;
	p->head += n;
	p->len -= n;
	return true;
}

static inline bool hp_pkt_trim(struct hp_pkt *p, uint32_t len)
{
	if (p->len < len)
		return false;
	p->tail += p->len - len;
	p->len = len;
	return true;
}

#endif
