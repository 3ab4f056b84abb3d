/* SPDX-License-Identifier: ISC */
/*
 * Deadlines of many things in one binary heap: the earliest in O(1), a change
 * in O(log n), nothing for the idle. Intrusive: the thing that has a deadline
 * holds a struct hp_timer.
 */
#ifndef HP_BASE_HEAP_H
#define HP_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

/* Zeroed: not in a heap. */
struct hp_timer {
	uint64_t due_ns;
	size_t at; /* 1-based place in the heap, 0: not in it */
};

/* Zeroed: empty. */
struct hp_heap {
	struct hp_timer **slot; /* slot[0] is place 1 */
	size_t n;
	size_t cap;
};

/* Earliest deadline, HP_NEVER when the heap is empty. */
uint64_t hp_heap_next(const struct hp_heap *h);
/* The earliest timer that is due at @now_ns, taken out; NULL when none is. */
struct hp_timer *hp_heap_pop(struct hp_heap *h, uint64_t now_ns);
/* Makes room for @n timers in all: hp_heap_set() cannot fail below that. */
enum hp_err hp_heap_reserve(struct hp_heap *h, size_t n) HP_MUST_CHECK;
/* Sets, moves or (HP_NEVER) removes @t. Room must have been reserved. */
void hp_heap_set(struct hp_heap *h, struct hp_timer *t, uint64_t due_ns);
void hp_heap_free(struct hp_heap *h);

#define hp_container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
