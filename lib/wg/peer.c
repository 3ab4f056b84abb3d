/* SPDX-License-Identifier: ISC */
#include "wg/peer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>

/* ---- keys --------------------------------------------------------------- */

void hp_peer_event(struct hp_wg_peer *peer, enum hp_wg_event event)
{
	peer->wg->ops.event(peer->wg->ctx, peer, event);
}

struct hp_wg_peer *hp_peer_pending(struct hp_wg *wg, uint32_t index)
{
	struct hp_wg_peer *peer;

	HASH_FIND(by_index, wg->by_index, &index, sizeof(index), peer);
	return peer;
}

void hp_peer_drop_pending(struct hp_wg_peer *peer)
{
	if (!peer->handshake.pending)
		return;
	HASH_DELETE(by_index, peer->wg->by_index, peer);
	hp_noise_wipe(peer->handshake.noise);
	free(peer->handshake.noise);
	peer->handshake.noise = NULL;
	hp_repeat_stop(&peer->initiation);
	peer->handshake.pending = false;
}

enum hp_err hp_peer_set_pending(struct hp_wg_peer *peer,
				const struct hp_noise *noise, uint32_t index)
{
	struct hp_wg *wg = peer->wg;
	struct hp_noise *copy;

	hp_peer_drop_pending(peer);
	copy = malloc(sizeof(*copy));
	if (!copy)
		return HP_ERR_NOMEM;
	peer->handshake.index = index;
	HASH_ADD(by_index, wg->by_index, handshake.index, sizeof(index), peer);
	if (!peer->by_index.tbl) {
		free(copy);
		return HP_ERR_NOMEM;
	}
	*copy = *noise;
	peer->handshake.noise = copy;
	peer->handshake.pending = true;
	return HP_OK;
}

void hp_peer_stop_handshake(struct hp_wg_peer *peer)
{
	hp_peer_drop_pending(peer);
	peer->handshake.running = false;
	peer->handshake.wanting = false;
}

static void set_next(struct hp_wg_peer *peer, struct hp_session *s)
{
	peer->next = s;
	hp_repeat_stop(&peer->answer);
	hp_fib_tx_next(peer->fib, s);
}

static void drop_session(struct hp_wg_peer *peer, struct hp_session **slot)
{
	struct hp_session *s = *slot;

	if (slot == &peer->next)
		set_next(peer, NULL);
	if (s) {
		hp_fib_remove(peer->wg->fib, s);
		hp_aead_forget(peer->wg->aead);
	}
	*slot = NULL;
}

enum hp_err hp_peer_take_initiated(struct hp_wg_peer *peer,
				   struct hp_session *s,
				   const struct hp_path *path)
{
	struct hp_fib *fib = peer->wg->fib;
	enum hp_err err = hp_fib_tx_set(fib, peer->fib, s, path);

	if (err)
		return err;
	hp_fib_add(fib, s);
	drop_session(peer, &peer->previous);
	if (peer->next) {
		drop_session(peer, &peer->current);
		peer->previous = peer->next;
		set_next(peer, NULL);
	} else {
		peer->previous = peer->current;
	}
	peer->current = s;
	peer->keys_ns = s->birth_ns;
	return HP_OK;
}

void hp_peer_take_answered(struct hp_wg_peer *peer, struct hp_session *s)
{
	hp_fib_add(peer->wg->fib, s);
	drop_session(peer, &peer->previous);
	drop_session(peer, &peer->next);
	set_next(peer, s);
	peer->keys_ns = s->birth_ns;
}

/* Both ends began at once, and ours became current. If both kept to their
 * own, each would renew its own at the same time again, and so for ever. So
 * the one begun by the lower key is taken. It is safe at any moment: the peer
 * has just sent on it.
 */
static bool settles_on_peers(const struct hp_wg_peer *peer)
{
	return memcmp(peer->remote.public.b, peer->wg->local.public.b,
		      sizeof(peer->remote.public.b)) < 0;
}

void hp_peer_confirm(struct hp_wg_peer *peer, uint32_t local, uint64_t now_ns)
{
	struct hp_fib *fib = peer->wg->fib;
	struct hp_session *s = hp_fib_find(fib, local);

	if (!s || s->peer != peer->fib ||
	    (s != peer->next && s != peer->previous))
		return;
	if (s == peer->previous && !settles_on_peers(peer))
		return;
	if (hp_fib_tx_set(fib, peer->fib, s, &peer->path)) {
		/* Without memory: let the next packet say it again. */
		atomic_store_explicit(&s->confirmed, false,
				      memory_order_relaxed);
		return;
	}
	if (s == peer->previous) {
		peer->previous = peer->current;
		peer->current = s;
		return;
	}
	drop_session(peer, &peer->previous);
	peer->previous = peer->current;
	peer->current = s;
	set_next(peer, NULL);
	/* There are fresh keys: no answer to our own initiation is needed. */
	hp_peer_stop_handshake(peer);
	peer->handshake_ns = now_ns;
	hp_peer_event(peer, HP_WG_SESSION_UP);
	hp_peer_flush(peer, now_ns);
}

void hp_peer_drop_keys(struct hp_wg_peer *peer)
{
	hp_fib_tx_clear(peer->fib);
	drop_session(peer, &peer->previous);
	drop_session(peer, &peer->current);
	drop_session(peer, &peer->next);
	peer->keys_ns = 0;
}

void hp_peer_key_changed(struct hp_wg_peer *peer)
{
	struct hp_wg *wg = peer->wg;

	hp_wg_peer_reset(peer);
	peer->remote_ok = wg->has_key &&
			  !hp_dh(&wg->local.secret, &peer->remote.public,
				 &peer->remote.ss);
}

/* ---- packets ------------------------------------------------------------ */

void hp_peer_send(struct hp_wg_peer *peer, const struct hp_path *path,
		  uint8_t *buf, size_t cap, size_t len, uint64_t now_ns)
{
	struct hp_pkt pkt = hp_pkt_of(buf, cap, HP_HEADROOM, len);

	hp_stamps_sent(&peer->fib->stamps, (uint32_t)len, now_ns);
	peer->wg->ops.send(peer->wg->ctx, peer, path, &pkt);
}

void hp_peer_emit(struct hp_wg_peer *peer, const struct hp_forward_out *out,
		  struct hp_pkt *pkt)
{
	const struct hp_wg *wg = peer->wg;
	struct hp_pkt copy = *pkt;

	wg->ops.send(wg->ctx, peer, out->path, pkt);
	/* The owner puts the relay header in front, as with any packet. */
	if (out->also && !out->path->channel)
		wg->ops.send(wg->ctx, peer, out->also, &copy);
}

void hp_peer_drop_staged(struct hp_wg_peer *peer)
{
	if (peer->stage)
		for (uint32_t i = 0; i < peer->stage->n; i++)
			hp_fib_count(peer->wg->fib, HP_DROP_STAGED);
	hp_stage_free(peer->stage);
	peer->stage = NULL;
}

enum hp_err hp_peer_stage(struct hp_wg_peer *peer, const struct hp_pkt *p)
{
	enum hp_err err;
	bool lost;

	if (!peer->stage)
		peer->stage = hp_stage_new();
	err = peer->stage ? hp_stage_push(peer->stage, p, &lost) : HP_ERR_NOMEM;
	if (err)
		hp_fib_count(peer->wg->fib, HP_DROP_NOMEM);
	else if (lost)
		hp_fib_count(peer->wg->fib, HP_DROP_STAGED);
	return err;
}

bool hp_peer_flush(struct hp_wg_peer *peer, uint64_t now_ns)
{
	struct hp_wg *wg = peer->wg;
	struct hp_forward_out out;
	struct hp_pkt pkt;
	bool any = false;

	while (peer->stage && hp_stage_peek(peer->stage, &pkt)) {
		hp_forward_to(&wg->forward, peer->fib, &pkt, &out, now_ns);
		if (out.verdict == HP_VERDICT_CONTROL)
			return any;
		hp_stage_pop(peer->stage);
		if (out.verdict == HP_VERDICT_SEND)
			hp_peer_emit(peer, &out, &pkt);
		any = true;
	}
	hp_stage_free(peer->stage);
	peer->stage = NULL;
	return any;
}

enum hp_err hp_wg_keepalive(struct hp_wg_peer *peer, uint64_t now_ns)
{
	uint8_t buf[HP_HEADROOM + HP_TAILROOM];
	struct hp_pkt pkt = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM, 0);
	struct hp_wg *wg = peer->wg;
	struct hp_forward_out out;

	hp_forward_to(&wg->forward, peer->fib, &pkt, &out, now_ns);
	if (out.verdict != HP_VERDICT_SEND)
		return hp_wg_initiate(peer, now_ns);
	hp_peer_emit(peer, &out, &pkt);
	hp_timers_arm(peer, now_ns);
	return HP_OK;
}

/* ---- path --------------------------------------------------------------- */

const struct hp_path *hp_peer_path_after(const struct hp_wg_peer *peer,
					 const struct hp_path *from)
{
	/* A peer without a path is met where it speaks from. */
	return peer->roam || !hp_path_set(&peer->path) ? from : &peer->path;
}

void hp_peer_follow(struct hp_wg_peer *peer, const struct hp_path *from)
{
	const struct hp_path *path = hp_peer_path_after(peer, from);

	if (!hp_path_eq(path, &peer->path) &&
	    !hp_fib_tx_set(peer->wg->fib, peer->fib, peer->current, path)) {
		peer->path = *path;
		hp_peer_event(peer, HP_WG_ROAMED);
	}
}

void hp_peer_forget_local(struct hp_wg_peer *peer)
{
	struct hp_path path = peer->path;

	path.local = (struct hp_addr){ 0 };
	if (!hp_path_eq(&path, &peer->path) &&
	    !hp_fib_tx_set(peer->wg->fib, peer->fib, peer->current, &path))
		peer->path = path;
}

enum hp_err hp_wg_peer_set_path(struct hp_wg_peer *peer,
				const struct hp_path *path, uint64_t now_ns)
{
	static const struct hp_path none;
	enum hp_err err;

	if (!path || !hp_path_set(path))
		path = &none;
	if (hp_path_eq(path, &peer->path))
		return HP_OK;
	err = hp_fib_tx_set(peer->wg->fib, peer->fib, peer->current, path);
	if (err)
		return err;
	peer->path = *path;
	if (!hp_path_set(path)) {
		hp_timers_arm(peer, now_ns);
		return HP_OK;
	}
	if (peer->current && hp_session_usable(peer->current, now_ns)) {
		if (peer->handshake.wanting)
			hp_peer_stop_handshake(peer);
		hp_peer_flush(peer, now_ns);
	} else if (peer->handshake.wanting) {
		peer->handshake.retry_ns = now_ns;
	}
	/* What was lost on the old path need not wait for its turn. */
	if (peer->initiation)
		hp_repeat_send(peer, peer->initiation, path, now_ns);
	hp_timers_run(peer, now_ns);
	return HP_OK;
}

enum hp_err hp_wg_peer_set_also(struct hp_wg_peer *peer,
				const struct hp_path *also)
{
	static const struct hp_path none;

	if (!also)
		also = &none;
	if (hp_path_eq(also, &peer->fib->also))
		return HP_OK;
	peer->fib->also = *also;
	return hp_fib_tx_set(peer->wg->fib, peer->fib, peer->current,
			     &peer->path);
}

void hp_wg_peer_set_roaming(struct hp_wg_peer *peer, bool on)
{
	peer->roam = on;
	atomic_store_explicit(&peer->fib->roam, on, memory_order_relaxed);
}

void hp_wg_peer_set_mtu(struct hp_wg_peer *peer, uint32_t mtu)
{
	atomic_store_explicit(&peer->fib->mtu, mtu, memory_order_relaxed);
}

/* ---- peers of an interface ---------------------------------------------- */

static void peer_free(struct hp_wg_peer *peer)
{
	hp_stage_free(peer->stage);
	sodium_memzero(peer, sizeof(*peer));
	free(peer);
}

/* Puts @peer into both tables; both or none. */
static bool peer_enter(struct hp_wg *wg, struct hp_wg_peer *peer)
{
	HASH_ADD(by_key, wg->by_key, remote.public, sizeof(struct hp_public),
		 peer);
	if (!peer->by_key.tbl)
		return false;
	HASH_ADD(by_id, wg->by_id, id, sizeof(peer->id), peer);
	if (peer->by_id.tbl)
		return true;
	HASH_DELETE(by_key, wg->by_key, peer);
	return false;
}

enum hp_err hp_wg_peer_add(struct hp_wg *wg, const struct hp_public *key,
			   struct hp_wg_peer **out)
{
	struct hp_wg_peer *peer = hp_wg_peer_find(wg, key);

	if (out)
		*out = peer;
	if (peer)
		return HP_ERR_EXISTS;
	if (wg->has_key && hp_public_eq(key, &wg->local.public))
		return HP_ERR_DENIED;
	if (hp_heap_reserve(&wg->heap, wg->n_peers + 1))
		return HP_ERR_NOMEM;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return HP_ERR_NOMEM;
	peer->wg = wg;
	peer->id = wg->last_id + 1;
	peer->remote.public = *key;
	peer->suite = HP_SUITE_CHACHA;
	peer->accept = HP_SUITE_BIT(HP_SUITE_CHACHA);
	peer->roam = true;
	peer->fib = hp_fib_peer_new(peer->id);
	if (!peer->fib || !peer_enter(wg, peer)) {
		if (peer->fib)
			hp_fib_peer_remove(wg->fib, peer->fib);
		peer_free(peer);
		return HP_ERR_NOMEM;
	}
	wg->last_id = peer->id;
	wg->n_peers++;
	peer->cookie.to = &peer->remote.public;
	hp_peer_key_changed(peer);
	if (out)
		*out = peer;
	return HP_OK;
}

void hp_wg_peer_remove(struct hp_wg_peer *peer)
{
	struct hp_wg *wg = peer->wg;

	hp_wg_peer_reset(peer);
	hp_peer_drop_staged(peer);
	hp_heap_set(&wg->heap, &peer->timer, HP_NEVER);
	HASH_DELETE(by_key, wg->by_key, peer);
	HASH_DELETE(by_id, wg->by_id, peer);
	hp_fib_peer_remove(wg->fib, peer->fib);
	wg->n_peers--;
	peer_free(peer);
}

struct hp_wg_peer *hp_wg_peer_find(struct hp_wg *wg,
				   const struct hp_public *key)
{
	struct hp_wg_peer *peer;

	HASH_FIND(by_key, wg->by_key, key, sizeof(*key), peer);
	return peer;
}

struct hp_wg_peer *hp_wg_peer_by_id(struct hp_wg *wg, uint32_t id)
{
	struct hp_wg_peer *peer;

	HASH_FIND(by_id, wg->by_id, &id, sizeof(id), peer);
	return peer;
}

struct hp_wg_peer *hp_wg_peer_next(struct hp_wg *wg, struct hp_wg_peer *peer)
{
	return peer ? peer->by_key.next : wg->by_key;
}

uint32_t hp_wg_peer_id(const struct hp_wg_peer *peer)
{
	return peer->id;
}

const struct hp_public *hp_wg_peer_public(const struct hp_wg_peer *peer)
{
	return &peer->remote.public;
}

void hp_wg_peer_set_user(struct hp_wg_peer *peer, void *user)
{
	peer->user = user;
}

void *hp_wg_peer_user(const struct hp_wg_peer *peer)
{
	return peer->user;
}

void hp_wg_peer_set_psk(struct hp_wg_peer *peer, const struct hp_secret *psk)
{
	peer->remote.psk = psk ? *psk : (struct hp_secret){ 0 };
}

void hp_wg_renew(struct hp_wg_peer *peer, uint64_t now_ns)
{
	hp_peer_stop_handshake(peer);
	peer->handshake.sent_ns = 0;
	(void)hp_wg_initiate(peer, now_ns); /* without a path: later */
}

void hp_wg_peer_set_suites(struct hp_wg_peer *peer, enum hp_suite use,
			   unsigned int accept, uint64_t now_ns)
{
	const struct hp_wg_handshake *hs = &peer->handshake;

	peer->suite = use;
	peer->accept = accept & peer->wg->suites;
	if (hs->pending && !(peer->accept & HP_SUITE_BIT(hs->noise->suite)))
		hp_wg_renew(peer, now_ns);
}

void hp_wg_peer_set_keepalive(struct hp_wg_peer *peer, uint16_t seconds,
			      uint64_t now_ns)
{
	bool begins = seconds && !peer->keepalive_s;

	peer->keepalive_s = seconds;
	if (begins && hp_path_set(&peer->path))
		hp_wg_keepalive(peer, now_ns);
	hp_timers_arm(peer, now_ns);
}

void hp_wg_peer_reset(struct hp_wg_peer *peer)
{
	hp_peer_stop_handshake(peer);
	hp_peer_drop_keys(peer);
	/* The next initiation need not wait for the end of the last one. */
	peer->handshake.sent_ns = 0;
}

enum hp_err hp_wg_peer_allow(struct hp_wg_peer *peer,
			     const struct hp_prefix *prefix)
{
	struct hp_prefix p = *prefix;

	hp_prefix_trim(&p);
	return hp_routes_set(&peer->wg->fib->routes, &p, &peer->fib->owner);
}

enum hp_err hp_wg_peer_disallow(struct hp_wg_peer *peer,
				const struct hp_prefix *prefix)
{
	struct hp_fib *fib = peer->wg->fib;
	struct hp_prefix p = *prefix;

	hp_prefix_trim(&p);
	return hp_routes_remove(&fib->routes, &p, &peer->fib->owner,
				&fib->retired);
}

void hp_wg_peer_clear_allowed(struct hp_wg_peer *peer)
{
	struct hp_fib *fib = peer->wg->fib;

	hp_routes_clear(&fib->routes, &peer->fib->owner, &fib->retired);
}

bool hp_wg_peer_allowed_next(const struct hp_wg_peer *peer,
			     const struct hp_route **it, struct hp_prefix *out)
{
	*it = *it ? (*it)->next : peer->fib->owner.first;
	if (!*it)
		return false;
	*out = hp_route_prefix(*it);
	return true;
}

void hp_wg_peer_info(const struct hp_wg_peer *peer, uint64_t now_ns,
		     struct hp_wg_peer_info *out)
{
	struct hp_stamps *st = &peer->fib->stamps;

	*out = (struct hp_wg_peer_info){
		.psk = peer->remote.psk,
		.path = peer->path,
		.keepalive_s = peer->keepalive_s,
		.roaming = peer->roam,
		.usable = peer->current && hp_path_set(&peer->path) &&
			  hp_session_usable(peer->current, now_ns),
		.suite = peer->current ? peer->current->send.suite :
					 HP_SUITE_CHACHA,
		.initiator = peer->current && peer->current->initiator,
		.refused_ns = peer->refused_ns,
		.handshaking = peer->handshake.pending,
		.session_ns = peer->current ? peer->current->birth_ns : 0,
		.handshake_ns = peer->handshake_ns,
		.tx_last_ns = atomic_load(&st->tx_last_ns),
		.rx_last_ns = atomic_load(&st->rx_last_ns),
		.tx_data_first_ns = atomic_load(&st->tx_data_first_ns),
		.tx_bytes = atomic_load(&st->tx_bytes),
		.rx_bytes = atomic_load(&st->rx_bytes),
		.staged = peer->stage ? peer->stage->n : 0,
	};
}
