/* SPDX-License-Identifier: ISC */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

static void place(struct hp_heap *h, size_t at, struct hp_timer *t)
{
	h->slot[at - 1] = t;
	t->at = at;
}

static void sift_up(struct hp_heap *h, size_t at, struct hp_timer *t)
{
	while (at > 1 && h->slot[at / 2 - 1]->due_ns > t->due_ns) {
		place(h, at, h->slot[at / 2 - 1]);
		at /= 2;
	}
	place(h, at, t);
}

static void sift_down(struct hp_heap *h, size_t at, struct hp_timer *t)
{
	for (size_t child; (child = at * 2) <= h->n; at = child) {
		if (child < h->n &&
		    h->slot[child]->due_ns < h->slot[child - 1]->due_ns)
			child++;
		if (h->slot[child - 1]->due_ns >= t->due_ns)
			break;
		place(h, at, h->slot[child - 1]);
	}
	place(h, at, t);
}

uint64_t hp_heap_next(const struct hp_heap *h)
{
	return h->n ? h->slot[0]->due_ns : HP_NEVER;
}

static void take_out(struct hp_heap *h, struct hp_timer *t)
{
	struct hp_timer *last = h->slot[--h->n];
	size_t at = t->at;

	t->at = 0;
	t->due_ns = HP_NEVER;
	if (last == t)
		return;
	if (at > 1 && h->slot[at / 2 - 1]->due_ns > last->due_ns)
		sift_up(h, at, last);
	else
		sift_down(h, at, last);
}

struct hp_timer *hp_heap_pop(struct hp_heap *h, uint64_t now_ns)
{
	struct hp_timer *t;

	if (!h->n || h->slot[0]->due_ns > now_ns)
		return NULL;
	t = h->slot[0];
	take_out(h, t);
	return t;
}

enum hp_err hp_heap_reserve(struct hp_heap *h, size_t n)
{
	size_t cap = h->cap ? h->cap : 16;
	struct hp_timer **slot;

	if (n <= h->cap)
		return HP_OK;
	while (cap < n)
		cap *= 2;
	slot = reallocarray(h->slot, cap, sizeof(*slot));
	if (!slot)
		return HP_ERR_NOMEM;
	h->slot = slot;
	h->cap = cap;
	return HP_OK;
}

void hp_heap_set(struct hp_heap *h, struct hp_timer *t, uint64_t due_ns)
{
	if (due_ns == HP_NEVER) {
		if (t->at)
			take_out(h, t);
		return;
	}
	if (t->at) {
		uint64_t was_ns = t->due_ns;

		t->due_ns = due_ns;
		if (due_ns < was_ns)
			sift_up(h, t->at, t);
		else
			sift_down(h, t->at, t);
		return;
	}
	assert(h->n < h->cap);
	t->due_ns = due_ns;
	sift_up(h, ++h->n, t);
}

void hp_heap_free(struct hp_heap *h)
{
	free(h->slot);
	*h = (struct hp_heap){ 0 };
}
