/* SPDX-License-Identifier: ISC */
/*
 * The FIB: all that data threads read. Overlay address -> peer -> {session,
 * path}, and receiver index -> session. The control thread publishes changes
 * with release stores; data threads read with acquire loads, wait for nobody,
 * and write only atomics that lie beside what they describe.
 *
 * What is taken out stays readable until hp_fib_reclaim(). Programs call
 * hp_fib_retired() and hp_fib_reclaim() only; the rest is for lib/wg.
 */
#ifndef HP_WG_FIB_H
#define HP_WG_FIB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/path.h"
#include "base/retire.h"
#include "wg/routes.h"

struct hp_session;

/* Why a packet went no further. */
enum hp_drop {
	HP_DROP_NONE,
	HP_DROP_FORMAT,		/* not a message or packet of a known form */
	HP_DROP_ROOM,		/* no room in the buffer for the headers */
	HP_DROP_ROUTE,		/* no peer has the inner destination */
	HP_DROP_SOURCE,		/* the peer may not use that inner source */
	HP_DROP_INDEX,		/* no session or handshake has that index */
	HP_DROP_EXPIRED,	/* the session is too old or used up */
	HP_DROP_AUTH,		/* tag does not verify, or a bad point */
	HP_DROP_REPLAY,		/* counter or timestamp seen before */
	HP_DROP_MAC,		/* mac1 does not verify */
	HP_DROP_COOKIE,		/* under load: answered with a cookie */
	HP_DROP_LIMIT,		/* too many handshakes of one source or peer */
	HP_DROP_PEER,		/* initiation by an unknown key */
	HP_DROP_SUITE,		/* initiation with a cipher not accepted */
	HP_DROP_STAGED,		/* waited for a session that did not come */
	HP_DROP_NOMEM,
	HP_DROP_QUEUE,		/* told its flow that the queue is too long */
	HP_DROP_TOO_BIG,	/* for the path: its sender was told */
	HP_DROP_N,
};

/**
 * struct hp_stamps - What happened with a peer, written by all threads
 * @tx_data_first_ns: first inner packet sent since something authentic was
 *                    received; 0: none
 * @rx_data_first_ns: first inner packet received since something was sent;
 *                    0: none
 * @tx_last_ns:       last message sent, of any type; 0: never
 * @rx_last_ns:       last authentic message received, of any type; 0: never
 * @tx_bytes:         WireGuard messages, with their headers
 * @rx_bytes:         authentic ones
 * @watched:          the control thread will look at this peer by itself, so
 *                    that activity needs no notice
 * @roam_told:        HP_NOTICE_ROAMED is on its way
 *
 * The timers of the control thread are derived from these.
 */
struct hp_stamps {
	_Atomic uint64_t tx_data_first_ns;
	_Atomic uint64_t rx_data_first_ns;
	_Atomic uint64_t tx_last_ns;
	_Atomic uint64_t rx_last_ns;
	_Atomic uint64_t tx_bytes;
	_Atomic uint64_t rx_bytes;
	atomic_bool watched;
	atomic_bool roam_told;
};

/* How to send to a peer now. Replaced as a whole; only the session may be
 * taken out of it, so that losing keys cannot fail.
 */
struct hp_fib_tx {
	struct hp_retired retired;
	_Atomic(struct hp_session *) session;	/* NULL: none */
	_Atomic(struct hp_session *) next;	/* instead, once confirmed */
	struct hp_path path;		/* HP_AF_NONE: none */
	struct hp_path also;		/* a copy takes this one, if set */
};

struct hp_fib_peer {
	struct hp_retired retired;
	struct hp_route_owner owner;
	uint32_t id;
	struct hp_path also;	/* for the next tx; control thread */
	_Atomic uint32_t mtu;	/* inner, of the path; 0: whatever comes fits */
	atomic_bool roam;	/* a new source of packets is to be reported */
	_Atomic(struct hp_fib_tx *) tx;	/* never NULL */
	struct hp_stamps stamps;
};

/* For 10,000 peers with three sessions each: two in a place. */
#define HP_FIB_BUCKETS 16384

struct hp_fib {
	struct hp_routes routes;
	_Atomic uint32_t mtu;	/* inner MTU that padding stays within; 0: none */
	_Atomic uint64_t drop[HP_DROP_N];
	_Atomic uint32_t gone;	/* sessions taken out so far, modulo 2^32 */
	struct hp_retired *retired;	/* control thread */
	_Atomic(struct hp_session *) bucket[HP_FIB_BUCKETS];
};

/**
 * hp_fib_retired() - Is anything waiting to be freed?
 *
 * If so, the control thread makes sure that every data thread passes a
 * quiescent point (liburcu: synchronize_rcu()) and calls hp_fib_reclaim().
 */
bool hp_fib_retired(const struct hp_fib *fib);
/* Frees what was retired and wipes its keys. Control thread only, without any
 * other call into lib/wg between hp_fib_retired() and this. A program without
 * data threads may call it at any time between two calls of hp_wg_*().
 */
void hp_fib_reclaim(struct hp_fib *fib);
/* Packets dropped for @reason since the start. */
uint64_t hp_fib_drops(const struct hp_fib *fib, enum hp_drop reason);

struct hp_fib *hp_fib_new(void);
/* All peers and sessions must have been removed, all data threads ended. */
void hp_fib_free(struct hp_fib *fib);
struct hp_fib_peer *hp_fib_peer_new(uint32_t id);
/* Retires @peer, its transmit state and its routes. */
void hp_fib_peer_remove(struct hp_fib *fib, struct hp_fib_peer *peer);
/* HP_ERR_NOMEM: the old state stays. */
enum hp_err hp_fib_tx_set(struct hp_fib *fib, struct hp_fib_peer *peer,
			  struct hp_session *session,
			  const struct hp_path *path) HP_MUST_CHECK;
/* From now on @peer has no session to send on. */
void hp_fib_tx_clear(struct hp_fib_peer *peer);
/* Packets take @next from the moment that the peer has confirmed it, before the
 * control thread hears of that: the answer to the packet that confirms must not
 * be sealed with keys which the peer may have forgotten. NULL: none.
 */
void hp_fib_tx_next(struct hp_fib_peer *peer, struct hp_session *next);
/* Takes @s from its maker; from now on its index receives. */
void hp_fib_add(struct hp_fib *fib, struct hp_session *s);
/* Takes @s out of the index and retires it. */
void hp_fib_remove(struct hp_fib *fib, struct hp_session *s);
/* Session with the receiver index @local, or NULL. Any thread. */
struct hp_session *hp_fib_find(const struct hp_fib *fib, uint32_t local);

static inline void hp_fib_count(struct hp_fib *fib, enum hp_drop reason)
{
	atomic_fetch_add_explicit(&fib->drop[reason], 1, memory_order_relaxed);
}

#endif
