/* SPDX-License-Identifier: ISC */
/*
 * The way from the data thread to the control thread: a bounded ring of
 * records with one writer and one reader, and an eventfd that wakes the reader.
 * Nothing here blocks: a writer that finds no room is told so.
 */
#ifndef TUND_QUEUE_H
#define TUND_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/path.h"
#include "base/pkt.h"

struct queue;

enum queue_kind {
	QUEUE_PAD,	/* fills the ring up to its end; never seen outside */
	QUEUE_INNER,	/* an inner packet that needs the control plane */
	QUEUE_DATAGRAM,	/* a datagram from the network, with its path */
	QUEUE_STREAM,	/* a datagram to be sent by the stream that @from names */
	QUEUE_NOTICE,	/* a struct hp_notice; must not be lost */
	QUEUE_FAILED,	/* a send over @from was refused: an int, its errno */
	QUEUE_STATS,	/* data_stats() has something to be told */
	QUEUE_GONE,	/* the TUN device was deleted; the last record */
};

/**
 * struct queue_record - What the reader gets
 * @kind: what it is
 * @from: QUEUE_DATAGRAM: where it came from; _STREAM, _FAILED: see there
 * @pkt:  the bytes, in place, with HP_HEADROOM and HP_TAILROOM around them
 */
struct queue_record {
	enum queue_kind kind;
	struct hp_path from;
	struct hp_pkt pkt;
};

/* @size: bytes, a power of two. NULL without memory or descriptors. */
struct queue *queue_new(size_t size);
void queue_free(struct queue *q);

/* Writer. False: no room, nothing was written. Packets may fill five eighths of
 * the ring; the rest is kept for the records that must not be lost.
 */
bool queue_put(struct queue *q, enum queue_kind kind,
	       const struct hp_path *from, const void *p, size_t len);
/* Writer: is a quarter of the ring still free, enough for all notices that one
 * batch can give?
 */
bool queue_calm(const struct queue *q);
/* Writer: wakes the reader when something was put since the last call. */
void queue_kick(struct queue *q);

/* Reader: becomes readable (EPOLLIN) when there may be records. */
int queue_fd(const struct queue *q);
/* Reader: call once per wakeup, before the first queue_peek(). */
void queue_woken(struct queue *q);
/* Reader: the oldest record, which stays until queue_pop(); false: none is left
 * of those that were there when queue_woken() was called. What came since has a
 * wakeup, and so a clock reading, of its own: an answer is never taken for as
 * old as its question.
 */
bool queue_peek(struct queue *q, struct queue_record *out);
void queue_pop(struct queue *q);
/* Reader: stops with records left; wakes itself again. */
void queue_again(struct queue *q);

#endif
