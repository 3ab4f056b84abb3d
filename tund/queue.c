/* SPDX-License-Identifier: ISC */
/*
 * @head and @tail only grow; their difference is what is in the ring. Each
 * side keeps its own and reads the other's with acquire, after the other
 * released it. A record never wraps: a pad record fills the end.
 *
 * Waking: the writer sets @woken and writes the eventfd unless @woken was set
 * already; the reader clears @woken, then looks. Whatever was put before the
 * reader cleared it is seen by that look; whatever comes later wakes again.
 */
#include "queue.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LINE 64

/* A pad may be as short as one line: only @size and @kind are written there. */
struct header {
	_Alignas(16) uint32_t size; /* of the whole record, multiple of LINE */
	enum queue_kind kind;
	uint32_t len; /* of the bytes */
	struct hp_path from;
};

struct queue {
	/* The writer's line */
	_Alignas(LINE) _Atomic size_t head;
	bool put;
	/* The reader's line */
	_Alignas(LINE) _Atomic size_t tail;
	size_t until; /* head when it woke */
	/* Both */
	_Alignas(LINE) atomic_bool woken;
	int fd;
	size_t size;
	uint8_t *ring;
};

static size_t record_size(size_t len)
{
	size_t all = sizeof(struct header) + HP_HEADROOM + len + HP_TAILROOM;

	return (all + LINE - 1) / LINE * LINE;
}

static struct header *at(const struct queue *q, size_t pos)
{
	return (struct header *)(void *)(q->ring + (pos & (q->size - 1)));
}

struct queue *queue_new(size_t size)
{
	struct queue *q;

	assert(size >= 4 * LINE && !(size & (size - 1)));
	q = aligned_alloc(LINE, sizeof(*q));
	if (!q)
		return NULL;
	memset(q, 0, sizeof(*q));
	q->size = size;
	q->ring = aligned_alloc(LINE, size);
	q->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (q->ring && q->fd >= 0)
		return q;
	queue_free(q);
	return NULL;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	if (q->fd >= 0)
		close(q->fd);
	free(q->ring);
	free(q);
}

/* Room for @want bytes in one piece at @head, for which a pad of the returned
 * size must come first; SIZE_MAX: no room.
 */
static size_t find_room(const struct queue *q, size_t head, size_t want,
			enum queue_kind kind)
{
	size_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
	size_t to_end = q->size - (head & (q->size - 1));
	size_t pad = to_end < want ? to_end : 0;
	bool packet = kind == QUEUE_INNER || kind == QUEUE_DATAGRAM ||
		      kind == QUEUE_FAILED;
	size_t kept = packet ? 3 * (q->size / 8) : 0;

	if (head - tail + pad + want + kept > q->size)
		return SIZE_MAX;
	return pad;
}

bool queue_put(struct queue *q, enum queue_kind kind,
	       const struct hp_path *from, const void *p, size_t len)
{
	size_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
	size_t want = record_size(len);
	size_t pad = find_room(q, head, want, kind);
	struct header *h;

	if (pad == SIZE_MAX)
		return false;
	if (pad) {
		at(q, head)->size = (uint32_t)pad;
		at(q, head)->kind = QUEUE_PAD;
	}
	h = at(q, head + pad);
	*h = (struct header){ .size = (uint32_t)want,
			      .len = (uint32_t)len,
			      .kind = kind };
	if (from)
		h->from = *from;
	if (len)
		memcpy((uint8_t *)(h + 1) + HP_HEADROOM, p, len);
	atomic_store_explicit(&q->head, head + pad + want,
			      memory_order_release);
	q->put = true;
	return true;
}

bool queue_calm(const struct queue *q)
{
	return atomic_load_explicit(&q->head, memory_order_relaxed) -
		       atomic_load_explicit(&q->tail, memory_order_acquire) <=
	       q->size - q->size / 4;
}

static void wake(struct queue *q)
{
	const uint64_t one = 1;

	if (!atomic_exchange(&q->woken, true))
		(void)!write(q->fd, &one, sizeof(one));
}

void queue_kick(struct queue *q)
{
	if (q->put)
		wake(q);
	q->put = false;
}

int queue_fd(const struct queue *q)
{
	return q->fd;
}

void queue_woken(struct queue *q)
{
	uint64_t n;

	(void)!read(q->fd, &n, sizeof(n));
	/* An exchange, not a store: it must see what the writer put before. */
	(void)atomic_exchange(&q->woken, false);
	q->until = atomic_load_explicit(&q->head, memory_order_acquire);
}

bool queue_peek(struct queue *q, struct queue_record *out)
{
	size_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
	struct header *h;

	for (;;) {
		if (tail == q->until)
			return false;
		h = at(q, tail);
		if (h->kind != QUEUE_PAD)
			break;
		tail += h->size;
		atomic_store_explicit(&q->tail, tail, memory_order_release);
	}
	*out = (struct queue_record){
		.kind = h->kind,
		.from = h->from,
		.pkt = hp_pkt_of((uint8_t *)(h + 1), h->size - sizeof(*h),
				 HP_HEADROOM, h->len),
	};
	return true;
}

void queue_pop(struct queue *q)
{
	size_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	atomic_store_explicit(&q->tail, tail + at(q, tail)->size,
			      memory_order_release);
}

void queue_again(struct queue *q)
{
	wake(q);
}
