/* SPDX-License-Identifier: ISC */
#include "wg/stage.h"

#include <stdlib.h>
#include <string.h>

struct hp_stage *hp_stage_new(void)
{
	return calloc(1, sizeof(struct hp_stage));
}

void hp_stage_free(struct hp_stage *st)
{
	if (!st)
		return;
	for (size_t i = 0; i < HP_WG_STAGED; i++)
		free(st->slot[i].buf);
	free(st);
}

enum hp_err hp_stage_push(struct hp_stage *st, const struct hp_pkt *p,
			  bool *lost)
{
	struct hp_stage_slot *s = &st->slot[(st->first + st->n) %
					    HP_WG_STAGED];
	uint32_t cap = HP_HEADROOM + p->len + HP_TAILROOM;
	uint8_t *buf;

	if (s->cap < cap) {
		buf = realloc(s->buf, cap);
		if (!buf)
			return HP_ERR_NOMEM;
		s->buf = buf;
		s->cap = cap;
	}
	memcpy(s->buf + HP_HEADROOM, p->data, p->len);
	s->len = p->len;
	*lost = st->n == HP_WG_STAGED;
	if (*lost)
		st->first = (st->first + 1) % HP_WG_STAGED;
	else
		st->n++;
	return HP_OK;
}

bool hp_stage_peek(struct hp_stage *st, struct hp_pkt *p)
{
	struct hp_stage_slot *s = &st->slot[st->first];

	if (!st->n)
		return false;
	*p = hp_pkt_of(s->buf, s->cap, HP_HEADROOM, s->len);
	return true;
}

void hp_stage_pop(struct hp_stage *st)
{
	st->first = (st->first + 1) % HP_WG_STAGED;
	st->n--;
}
