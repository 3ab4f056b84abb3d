/* SPDX-License-Identifier: ISC */
#include "base/bytes.h"

const uint8_t *hp_rd_take(struct hp_rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || r->left < n) {
		r->bad = true;
		r->left = 0;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

void hp_rd_copy(struct hp_rd *r, void *out, size_t n)
{
	const uint8_t *p = hp_rd_take(r, n);

	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

uint8_t hp_rd_u8(struct hp_rd *r)
{
	const uint8_t *p = hp_rd_take(r, 1);

	return p ? *p : 0;
}

uint16_t hp_rd_be16(struct hp_rd *r)
{
	const uint8_t *p = hp_rd_take(r, 2);

	return p ? hp_get_be16(p) : 0;
}

uint32_t hp_rd_be32(struct hp_rd *r)
{
	const uint8_t *p = hp_rd_take(r, 4);

	return p ? hp_get_be32(p) : 0;
}

uint64_t hp_rd_be64(struct hp_rd *r)
{
	const uint8_t *p = hp_rd_take(r, 8);

	return p ? hp_get_be64(p) : 0;
}

uint8_t *hp_wr_room(struct hp_wr *w, size_t n)
{
	uint8_t *p = w->start + w->len;

	if (w->bad || w->cap - w->len < n) {
		w->bad = true;
		return NULL;
	}
	w->len += n;
	return p;
}

void hp_wr_copy(struct hp_wr *w, const void *p, size_t n)
{
	uint8_t *to = hp_wr_room(w, n);

	if (to && n)
		memcpy(to, p, n);
}

void hp_wr_zero(struct hp_wr *w, size_t n)
{
	uint8_t *to = hp_wr_room(w, n);

	if (to)
		memset(to, 0, n);
}

void hp_wr_u8(struct hp_wr *w, uint8_t v)
{
	hp_wr_copy(w, &v, 1);
}

void hp_wr_be16(struct hp_wr *w, uint16_t v)
{
	uint8_t *to = hp_wr_room(w, 2);

	if (to)
		hp_put_be16(to, v);
}

void hp_wr_be32(struct hp_wr *w, uint32_t v)
{
	uint8_t *to = hp_wr_room(w, 4);

	if (to)
		hp_put_be32(to, v);
}

void hp_wr_be64(struct hp_wr *w, uint64_t v)
{
	uint8_t *to = hp_wr_room(w, 8);

	if (to)
		hp_put_be64(to, v);
}
