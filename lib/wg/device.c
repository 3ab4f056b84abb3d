/* SPDX-License-Identifier: ISC */
#include "wg/device.h"

#include <assert.h>
#include <stdlib.h>
#include <sodium.h>

#include "base/bytes.h"
#include "wg/peer.h"

/* ---- notices ------------------------------------------------------------ */

static void renew(struct hp_wg_peer *peer, const struct hp_notice *n)
{
	if (peer->current && peer->current->local == n->index)
		hp_handshake_want(peer, n->at_ns);
}

static void roamed(struct hp_wg_peer *peer, const struct hp_notice *n)
{
	if (peer->roam)
		hp_peer_follow(peer, &n->path);
	/* Release pairs with check_path() in wg/forward.c. */
	atomic_store_explicit(&peer->fib->stamps.roam_told, false,
			      memory_order_release);
}

void hp_wg_notice(struct hp_wg *wg, const struct hp_notice *n, uint64_t now_ns)
{
	struct hp_wg_peer *peer = hp_wg_peer_by_id(wg, n->peer);

	if (!peer)
		return;
	switch (n->kind) {
	case HP_NOTICE_ACTIVE:
		break;
	case HP_NOTICE_CONFIRMED:
		hp_peer_confirm(peer, n->index, now_ns);
		break;
	case HP_NOTICE_REKEY:
		renew(peer, n);
		break;
	case HP_NOTICE_ROAMED:
		roamed(peer, n);
		break;
	}
	hp_timers_run(peer, now_ns);
}

/* Called in the midst of hp_forward_*(): here nothing may be sent yet. */
static void collect(void *ctx, const struct hp_notice *n)
{
	struct hp_wg *wg = ctx;
	struct hp_wg_peer *peer = hp_wg_peer_by_id(wg, n->peer);

	if (n->kind == HP_NOTICE_CONFIRMED || n->kind == HP_NOTICE_ROAMED) {
		assert(wg->n_notices < HP_WG_NOTICES);
		wg->notice[wg->n_notices++] = *n;
		return;
	}
	if (n->kind == HP_NOTICE_REKEY)
		renew(peer, n);
	hp_timers_arm(peer, n->at_ns);
}

static void handle_collected(struct hp_wg *wg, uint64_t now_ns)
{
	struct hp_notice notice[HP_WG_NOTICES];
	size_t n = wg->n_notices;

	/* A copy, because handling one may receive the next packet. */
	memcpy(notice, wg->notice, sizeof(notice));
	wg->n_notices = 0;
	for (size_t i = 0; i < n; i++)
		hp_wg_notice(wg, &notice[i], now_ns);
}

/* ---- life --------------------------------------------------------------- */

struct hp_wg *hp_wg_new(const struct hp_wg_cfg *cfg)
{
	struct hp_wg *wg = calloc(1, sizeof(*wg));

	if (!wg)
		return NULL;
	wg->ops = *cfg->ops;
	wg->ctx = cfg->ctx;
	wg->rng = cfg->rng;
	wg->load_per_s = cfg->load_per_s ? cfg->load_per_s : HP_WG_LOAD_PER_S;
	wg->fib = hp_fib_new();
	wg->aead = hp_aead_new(cfg->engine);
	if (!wg->fib || !wg->aead) {
		hp_wg_free(wg);
		return NULL;
	}
	wg->suites = HP_SUITE_BIT(HP_SUITE_CHACHA);
	if (cfg->aes && hp_aead_has(wg->aead, HP_SUITE_AES))
		wg->suites |= HP_SUITE_BIT(HP_SUITE_AES);
	hp_ratelimit_init(&wg->limit, wg->rng);
	hp_forward_init(&wg->forward, wg->fib, wg->aead, collect, wg);
	return wg;
}

void hp_wg_free(struct hp_wg *wg)
{
	if (!wg)
		return;
	while (wg->by_key)
		hp_wg_peer_remove(wg->by_key);
	hp_heap_free(&wg->heap);
	hp_aead_free(wg->aead);
	hp_fib_free(wg->fib);
	sodium_memzero(wg, sizeof(*wg));
	free(wg);
}

struct hp_fib *hp_wg_fib(struct hp_wg *wg)
{
	return wg->fib;
}

void hp_wg_set_private(struct hp_wg *wg, const struct hp_secret *key)
{
	struct hp_wg_peer *self;

	wg->has_key = key && !hp_secret_is_zero(key);
	sodium_memzero(&wg->local, sizeof(wg->local));
	sodium_memzero(&wg->checker, sizeof(wg->checker));
	if (wg->has_key) {
		wg->local.secret = *key;
		hp_dh_clamp(&wg->local.secret);
		hp_dh_public(&wg->local.secret, &wg->local.public);
		hp_cookie_keys_of(&wg->local.public, &wg->checker.keys);
		self = hp_wg_peer_find(wg, &wg->local.public);
		if (self)
			hp_wg_peer_remove(self);
	}
	for (struct hp_wg_peer *p = NULL; (p = hp_wg_peer_next(wg, p));)
		hp_peer_key_changed(p);
}

bool hp_wg_has(const struct hp_wg *wg, enum hp_suite suite)
{
	return wg->suites & HP_SUITE_BIT(suite);
}

enum hp_aead_engine hp_wg_engine(const struct hp_wg *wg)
{
	return hp_aead_engine_of(wg->aead);
}

const struct hp_secret *hp_wg_private(const struct hp_wg *wg)
{
	return wg->has_key ? &wg->local.secret : NULL;
}

void hp_wg_set_mtu(struct hp_wg *wg, uint32_t mtu)
{
	atomic_store_explicit(&wg->fib->mtu, mtu, memory_order_relaxed);
}

void hp_wg_tick(struct hp_wg *wg, uint64_t now_ns)
{
	struct hp_timer *t;

	while ((t = hp_heap_pop(&wg->heap, now_ns)))
		hp_timers_run(hp_container_of(t, struct hp_wg_peer, timer),
			      now_ns);
}

uint64_t hp_wg_deadline(const struct hp_wg *wg)
{
	return hp_heap_next(&wg->heap);
}

/* ---- packets ------------------------------------------------------------ */

static enum hp_err err_of(enum hp_drop reason)
{
	switch (reason) {
	case HP_DROP_NONE:
		return HP_OK;
	case HP_DROP_FORMAT:
		return HP_ERR_FORMAT;
	case HP_DROP_ROOM:
	case HP_DROP_STAGED:
		return HP_ERR_FULL;
	case HP_DROP_ROUTE:
		return HP_ERR_ROUTE;
	case HP_DROP_SOURCE:
	case HP_DROP_SUITE:
		return HP_ERR_DENIED;
	case HP_DROP_INDEX:
	case HP_DROP_PEER:
		return HP_ERR_UNKNOWN;
	case HP_DROP_EXPIRED:
		return HP_ERR_KEY;
	case HP_DROP_AUTH:
	case HP_DROP_MAC:
		return HP_ERR_AUTH;
	case HP_DROP_REPLAY:
		return HP_ERR_REPLAY;
	case HP_DROP_COOKIE:
		return HP_ERR_AGAIN;
	case HP_DROP_LIMIT:
		return HP_ERR_LIMIT;
	case HP_DROP_QUEUE:
	case HP_DROP_TOO_BIG:
		return HP_ERR_FULL;
	case HP_DROP_NOMEM:
		return HP_ERR_NOMEM;
	case HP_DROP_N:
		break;
	}
	return HP_ERR_STATE;
}

static enum hp_err rx_data(struct hp_wg *wg, const struct hp_path *from,
			   struct hp_pkt *pkt, uint64_t now_ns)
{
	struct hp_forward_in in;
	struct hp_wg_peer *peer;

	hp_forward_in(&wg->forward, pkt, from, 1, &in, now_ns);
	handle_collected(wg, now_ns);
	peer = hp_wg_peer_by_id(wg, in.peer);
	if (in.verdict == HP_VERDICT_DELIVER && peer)
		wg->ops.deliver(wg->ctx, peer, pkt);
	return err_of(in.reason);
}

enum hp_err hp_wg_rx(struct hp_wg *wg, const struct hp_path *from,
		     struct hp_pkt *pkt, uint64_t now_ns)
{
	enum hp_drop why;

	if (pkt->len >= 4 && hp_get_le32(pkt->data) == HP_WG_DATA)
		return rx_data(wg, from, pkt, now_ns);
	why = hp_handshake_rx(wg, from, pkt->data, pkt->len, now_ns);
	if (why)
		hp_fib_count(wg->fib, why);
	return err_of(why);
}

/* No session or no path: the packet waits, and a handshake begins. */
static enum hp_err tx_later(struct hp_wg_peer *peer, const struct hp_pkt *inner,
			    uint64_t now_ns)
{
	enum hp_err err = hp_peer_stage(peer, inner);

	if (err)
		return err;
	err = hp_wg_initiate(peer, now_ns);
	if (err != HP_ERR_KEY)
		return HP_OK;
	hp_peer_drop_staged(peer);
	return err;
}

enum hp_err hp_wg_tx(struct hp_wg *wg, struct hp_pkt *inner, uint64_t now_ns)
{
	struct hp_forward_out out;
	struct hp_wg_peer *peer;

	hp_forward_seal(&wg->forward, inner, 1, &out, now_ns);
	if (out.verdict == HP_VERDICT_DROP)
		return err_of(out.reason);
	peer = hp_wg_peer_by_id(wg, out.peer);
	if (out.verdict == HP_VERDICT_CONTROL)
		return tx_later(peer, inner, now_ns);
	hp_peer_emit(peer, &out, inner);
	return HP_OK;
}
