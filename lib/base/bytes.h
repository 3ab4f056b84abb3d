/* SPDX-License-Identifier: ISC */
/*
 * Integers in byte arrays, and two cursors: a reader that cannot run past its
 * end and a writer that cannot run past its room. A cursor that failed stays
 * failed, so that a parser checks once, at its end.
 */
#ifndef HP_BASE_BYTES_H
#define HP_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t hp_get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t hp_get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t hp_get_be64(const uint8_t *p)
{
	return (uint64_t)hp_get_be32(p) << 32 | hp_get_be32(p + 4);
}

static inline uint32_t hp_get_le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t hp_get_le64(const uint8_t *p)
{
	return (uint64_t)hp_get_le32(p + 4) << 32 | hp_get_le32(p);
}

static inline void hp_put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void hp_put_be32(uint8_t *p, uint32_t v)
{
	hp_put_be16(p, (uint16_t)(v >> 16));
	hp_put_be16(p + 2, (uint16_t)v);
}

static inline void hp_put_be64(uint8_t *p, uint64_t v)
{
	hp_put_be32(p, (uint32_t)(v >> 32));
	hp_put_be32(p + 4, (uint32_t)v);
}

static inline void hp_put_le32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void hp_put_le64(uint8_t *p, uint64_t v)
{
	hp_put_le32(p, (uint32_t)v);
	hp_put_le32(p + 4, (uint32_t)(v >> 32));
}

/**
 * struct hp_rd - Reads a message from front to back
 * @p:    next byte
 * @left: bytes not yet read
 * @bad:  something was read that was not there; everything read since is 0
 */
struct hp_rd {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static inline struct hp_rd hp_rd_of(const void *p, size_t len)
{
	return (struct hp_rd){ .p = p, .left = len };
}

/* The next @n bytes in place, or NULL (and bad) when there are fewer. */
const uint8_t *hp_rd_take(struct hp_rd *r, size_t n);
/* Copies the next @n bytes to @out; zeros when there are fewer. */
void hp_rd_copy(struct hp_rd *r, void *out, size_t n);
uint8_t hp_rd_u8(struct hp_rd *r);
uint16_t hp_rd_be16(struct hp_rd *r);
uint32_t hp_rd_be32(struct hp_rd *r);
uint64_t hp_rd_be64(struct hp_rd *r);

/* True when all was there and nothing is left over. */
static inline bool hp_rd_done(const struct hp_rd *r)
{
	return !r->bad && r->left == 0;
}

/**
 * struct hp_wr - Writes a message from front to back
 * @start: first byte
 * @len:   bytes written
 * @cap:   room in bytes
 * @bad:   something did not fit; nothing was written since
 */
struct hp_wr {
	uint8_t *start;
	size_t len;
	size_t cap;
	bool bad;
};

static inline struct hp_wr hp_wr_of(void *p, size_t cap)
{
	return (struct hp_wr){ .start = p, .cap = cap };
}

/* Room for @n bytes to be filled by the caller, or NULL (and bad). */
uint8_t *hp_wr_room(struct hp_wr *w, size_t n);
void hp_wr_copy(struct hp_wr *w, const void *p, size_t n);
void hp_wr_zero(struct hp_wr *w, size_t n);
void hp_wr_u8(struct hp_wr *w, uint8_t v);
void hp_wr_be16(struct hp_wr *w, uint16_t v);
void hp_wr_be32(struct hp_wr *w, uint32_t v);
void hp_wr_be64(struct hp_wr *w, uint64_t v);

#endif
