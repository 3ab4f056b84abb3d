/* SPDX-License-Identifier: ISC */
/*
 * The timers of WireGuard (paper, 6), one deadline for each peer.
 *
 * No packet sets a timer. Packets leave stamps, data threads too, and what is
 * due follows from the stamps when the control thread looks:
 *
 *	tx_data_first + 15 s	we sent, nothing came back: new handshake
 *	rx_data_first + 10 s	we received, nothing went out: keepalive
 *	last message + N	persistent keepalive
 *	first try + 90 s	no answer: give up
 *	last try + 5 s		no answer: try again (sooner: wg/repeat.c)
 *	newest keys + 540 s	wipe all keys
 *
 * It looks when a deadline is reached, and when a data thread says ACTIVE: that
 * is once, when the first of the stamps appears while the peer is not watched.
 * From then on it looks at least every 10 s, the shortest delay of all, until
 * it finds that nothing is pending.
 */
#include "wg/peer.h"

static uint64_t get(_Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void forget(_Atomic uint64_t *v)
{
	atomic_store_explicit(v, 0, memory_order_relaxed);
}

static uint64_t after(uint64_t stamp_ns, uint64_t delay_ns)
{
	return stamp_ns ? hp_time_add(stamp_ns, delay_ns) : HP_NEVER;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t new_handshake_at(struct hp_wg_peer *peer)
{
	return after(get(&peer->fib->stamps.tx_data_first_ns),
		     HP_WG_NEW_HANDSHAKE_TIME + peer->jitter_ns);
}

static uint64_t keepalive_at(struct hp_wg_peer *peer)
{
	return after(get(&peer->fib->stamps.rx_data_first_ns),
		     HP_WG_KEEPALIVE_TIMEOUT);
}

static uint64_t persistent_at(struct hp_wg_peer *peer)
{
	struct hp_stamps *st = &peer->fib->stamps;
	uint64_t last_ns = later(get(&st->tx_last_ns), get(&st->rx_last_ns));

	/* A running handshake keeps the path open by itself. */
	if (!peer->keepalive_s || !hp_path_set(&peer->path) ||
	    peer->handshake.running)
		return HP_NEVER;
	return later(last_ns, peer->kept_ns) + peer->keepalive_s * HP_S;
}

static uint64_t give_up_at(const struct hp_wg_peer *peer)
{
	return peer->handshake.running ?
		       peer->handshake.first_ns + HP_WG_REKEY_ATTEMPT_TIME :
		       HP_NEVER;
}

static uint64_t retry_at(const struct hp_wg_peer *peer)
{
	return peer->handshake.running ? peer->handshake.retry_ns : HP_NEVER;
}

static uint64_t zero_at(const struct hp_wg_peer *peer)
{
	return after(peer->keys_ns, HP_WG_ZERO_TIME);
}

void hp_timers_arm(struct hp_wg_peer *peer, uint64_t now_ns)
{
	const uint64_t due_ns[] = {
		retry_at(peer),
		hp_repeat_at(peer->initiation),
		hp_repeat_at(peer->answer),
		give_up_at(peer),
		new_handshake_at(peer),
		keepalive_at(peer),
		persistent_at(peer),
		zero_at(peer),
		atomic_load_explicit(&peer->fib->stamps.watched,
				     memory_order_relaxed) ?
			now_ns + HP_WG_KEEPALIVE_TIMEOUT : HP_NEVER,
	};
	uint64_t first_ns = HP_NEVER;

	for (size_t i = 0; i < sizeof(due_ns) / sizeof(due_ns[0]); i++)
		first_ns = hp_time_min(first_ns, due_ns[i]);
	hp_heap_set(&peer->wg->heap, &peer->timer, first_ns);
}

/* Stops watching an idle peer. A data thread that sets a stamp meanwhile
 * either sees that, or we see its stamp; see data_first() in wg/forward.c.
 */
static void look_away(struct hp_wg_peer *peer)
{
	struct hp_stamps *st = &peer->fib->stamps;

	if (get(&st->tx_data_first_ns) || get(&st->rx_data_first_ns))
		return;
	atomic_store_explicit(&st->watched, false, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (get(&st->tx_data_first_ns) || get(&st->rx_data_first_ns))
		atomic_store_explicit(&st->watched, true,
				      memory_order_relaxed);
}

static void run_handshake(struct hp_wg_peer *peer, uint64_t now_ns)
{
	if (now_ns >= give_up_at(peer)) {
		hp_peer_stop_handshake(peer);
		hp_peer_drop_staged(peer);
		hp_peer_event(peer, HP_WG_HANDSHAKE_FAILED);
	} else if (now_ns >= retry_at(peer)) {
		if (hp_handshake_try(peer, now_ns) == HP_ERR_KEY)
			hp_peer_stop_handshake(peer);
	}
}

void hp_timers_run(struct hp_wg_peer *peer, uint64_t now_ns)
{
	struct hp_stamps *st = &peer->fib->stamps;

	if (now_ns >= zero_at(peer)) {
		hp_peer_drop_keys(peer);
		hp_peer_event(peer, HP_WG_KEYS_GONE);
	}
	run_handshake(peer, now_ns);
	hp_repeat_run(peer, peer->initiation, now_ns);
	hp_repeat_run(peer, peer->answer, now_ns);
	if (now_ns >= new_handshake_at(peer)) {
		forget(&st->tx_data_first_ns);
		hp_wg_initiate(peer, now_ns);
	}
	if (now_ns >= keepalive_at(peer)) {
		forget(&st->rx_data_first_ns);
		hp_wg_keepalive(peer, now_ns);
	}
	if (now_ns >= persistent_at(peer)) {
		peer->kept_ns = now_ns;
		hp_wg_keepalive(peer, now_ns);
	}
	look_away(peer);
	hp_timers_arm(peer, now_ns);
}
