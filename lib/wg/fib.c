/* SPDX-License-Identifier: ISC */
#include "wg/fib.h"

#include <assert.h>
#include <stdlib.h>

#include "base/heap.h"
#include "wg/session.h"

bool hp_fib_retired(const struct hp_fib *fib)
{
	return fib->retired;
}

void hp_fib_reclaim(struct hp_fib *fib)
{
	hp_retire_flush(&fib->retired);
}

uint64_t hp_fib_drops(const struct hp_fib *fib, enum hp_drop reason)
{
	return atomic_load_explicit((_Atomic uint64_t *)&fib->drop[reason],
				    memory_order_relaxed);
}

struct hp_fib *hp_fib_new(void)
{
	return calloc(1, sizeof(struct hp_fib));
}

void hp_fib_free(struct hp_fib *fib)
{
	if (!fib)
		return;
	hp_fib_reclaim(fib);
	free(fib);
}

struct hp_fib_peer *hp_fib_peer_new(uint32_t id)
{
	struct hp_fib_peer *p = calloc(1, sizeof(*p));
	struct hp_fib_tx *tx = calloc(1, sizeof(*tx));

	if (!p || !tx) {
		free(p);
		free(tx);
		return NULL;
	}
	p->id = id;
	atomic_init(&p->roam, true);
	atomic_init(&p->tx, tx);
	return p;
}

static void tx_release(struct hp_retired *r)
{
	free(hp_container_of(r, struct hp_fib_tx, retired));
}

static void peer_release(struct hp_retired *r)
{
	free(hp_container_of(r, struct hp_fib_peer, retired));
}

static void session_release(struct hp_retired *r)
{
	hp_session_free(hp_container_of(r, struct hp_session, retired));
}

void hp_fib_peer_remove(struct hp_fib *fib, struct hp_fib_peer *peer)
{
	struct hp_fib_tx *tx = atomic_load_explicit(&peer->tx,
						    memory_order_relaxed);

	hp_routes_clear(&fib->routes, &peer->owner, &fib->retired);
	hp_retire(&fib->retired, &tx->retired, tx_release);
	hp_retire(&fib->retired, &peer->retired, peer_release);
}

enum hp_err hp_fib_tx_set(struct hp_fib *fib, struct hp_fib_peer *peer,
			  struct hp_session *session,
			  const struct hp_path *path)
{
	struct hp_fib_tx *tx = calloc(1, sizeof(*tx));
	struct hp_fib_tx *old;

	if (!tx)
		return HP_ERR_NOMEM;
	old = atomic_load_explicit(&peer->tx, memory_order_relaxed);
	atomic_init(&tx->session, session);
	atomic_init(&tx->next, atomic_load_explicit(&old->next,
						    memory_order_relaxed));
	tx->path = *path;
	tx->also = peer->also;
	old = atomic_exchange_explicit(&peer->tx, tx, memory_order_acq_rel);
	hp_retire(&fib->retired, &old->retired, tx_release);
	return HP_OK;
}

void hp_fib_tx_clear(struct hp_fib_peer *peer)
{
	struct hp_fib_tx *tx = atomic_load_explicit(&peer->tx,
						    memory_order_relaxed);

	atomic_store_explicit(&tx->session, NULL, memory_order_release);
	atomic_store_explicit(&tx->next, NULL, memory_order_release);
}

void hp_fib_tx_next(struct hp_fib_peer *peer, struct hp_session *next)
{
	struct hp_fib_tx *tx = atomic_load_explicit(&peer->tx,
						    memory_order_relaxed);

	atomic_store_explicit(&tx->next, next, memory_order_release);
}

static _Atomic(struct hp_session *) *bucket_of(const struct hp_fib *fib,
					       uint32_t local)
{
	/* Indices are random: any bits of them spread well. */
	return (_Atomic(struct hp_session *) *)
		&fib->bucket[local % HP_FIB_BUCKETS];
}

struct hp_session *hp_fib_find(const struct hp_fib *fib, uint32_t local)
{
	struct hp_session *s = atomic_load_explicit(bucket_of(fib, local),
						    memory_order_acquire);

	while (s && s->local != local)
		s = atomic_load_explicit(&s->chain, memory_order_acquire);
	return s;
}

void hp_fib_add(struct hp_fib *fib, struct hp_session *s)
{
	_Atomic(struct hp_session *) *slot = bucket_of(fib, s->local);

	atomic_store_explicit(&s->chain,
			      atomic_load_explicit(slot, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(slot, s, memory_order_release);
}

void hp_fib_remove(struct hp_fib *fib, struct hp_session *s)
{
	_Atomic(struct hp_session *) *slot = bucket_of(fib, s->local);
	struct hp_session *at;

	while ((at = atomic_load_explicit(slot, memory_order_relaxed)) != s) {
		assert(at);
		slot = &at->chain;
	}
	atomic_store_explicit(slot,
			      atomic_load_explicit(&s->chain,
						   memory_order_relaxed),
			      memory_order_release);
	atomic_fetch_add_explicit(&fib->gone, 1, memory_order_relaxed);
	hp_retire(&fib->retired, &s->retired, session_release);
}
