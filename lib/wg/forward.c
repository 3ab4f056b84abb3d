/* SPDX-License-Identifier: ISC */
#include "wg/forward.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/datagram.h"
#include "base/heap.h"
#include "wg/session.h"
#include "wg/toobig.h"
#include "wg/wire.h"

/* What an IP header says, as far as forwarding needs it. */
struct inner {
	enum hp_family family;
	const uint8_t *src;
	const uint8_t *dst;
	uint32_t len;	/* of the whole packet */
};

void hp_forward_init(struct hp_forward *f, struct hp_fib *fib,
		     struct hp_aead *aead,
		     void (*notice)(void *ctx, const struct hp_notice *n),
		     void *ctx)
{
	*f = (struct hp_forward){
		.fib = fib,
		.aead = aead,
		.notice = notice,
		.ctx = ctx,
	};
}

static bool inner_parse(const struct hp_pkt *p, struct inner *in)
{
	const uint8_t *d = p->data;

	if (p->len >= 20 && d[0] >> 4 == 4) {
		*in = (struct inner){ HP_AF_4, d + 12, d + 16,
				      hp_get_be16(d + 2) };
		return in->len >= 20 && in->len <= p->len;
	}
	if (p->len >= 40 && d[0] >> 4 == 6) {
		*in = (struct inner){ HP_AF_6, d + 8, d + 24,
				      40 + (uint32_t)hp_get_be16(d + 4) };
		return in->len <= p->len;
	}
	return false;
}

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit((_Atomic uint64_t *)v,
				    memory_order_relaxed);
}

/* Stores only what differs, to leave the cache line alone. */
static void put(_Atomic uint64_t *v, uint64_t to)
{
	if (get(v) != to)
		atomic_store_explicit(v, to, memory_order_relaxed);
}

void hp_stamps_sent(struct hp_stamps *st, uint32_t len, uint64_t now_ns)
{
	put(&st->rx_data_first_ns, 0);
	put(&st->tx_last_ns, now_ns);
	atomic_fetch_add_explicit(&st->tx_bytes, len, memory_order_relaxed);
}

void hp_stamps_heard(struct hp_stamps *st, uint32_t len, uint64_t now_ns)
{
	put(&st->tx_data_first_ns, 0);
	put(&st->rx_last_ns, now_ns);
	atomic_fetch_add_explicit(&st->rx_bytes, len, memory_order_relaxed);
}

/* Inner data went one way: a timer begins unless it runs. The fence pairs
 * with the control thread, which clears @watched and then looks at the
 * stamps: at least one of the two sees what the other wrote.
 */
static void data_first(struct hp_forward *f, struct hp_fib_peer *peer,
		       _Atomic uint64_t *first_ns, uint64_t now_ns)
{
	struct hp_notice n = {
		.kind = HP_NOTICE_ACTIVE,
		.peer = peer->id,
		.at_ns = now_ns,
	};

	if (get(first_ns))
		return;
	atomic_store_explicit(first_ns, now_ns ? now_ns : 1,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&peer->stamps.watched, memory_order_relaxed))
		return;
	if (!atomic_exchange_explicit(&peer->stamps.watched, true,
				      memory_order_relaxed))
		f->notice(f->ctx, &n);
}

static void tell_session(struct hp_forward *f, enum hp_notice_kind kind,
			 const struct hp_session *s, uint64_t now_ns)
{
	struct hp_notice n = {
		.kind = kind,
		.peer = s->peer->id,
		.index = s->local,
		.at_ns = now_ns,
	};

	f->notice(f->ctx, &n);
}

/* Zero bytes behind an inner packet of @len bytes (WireGuard paper 5.4.6),
 * which do not make it longer than @mtu.
 */
static uint32_t pad_of(uint32_t len, uint32_t mtu)
{
	uint32_t padded = (len + HP_WG_PAD - 1) / HP_WG_PAD * HP_WG_PAD;

	if (mtu && len <= mtu && padded > mtu)
		padded = mtu;
	return padded - len;
}

/* Sessions have ended since the last batch: the engine wipes what it may still
 * have of their keys.
 */
static void forget_gone(struct hp_forward *f)
{
	uint32_t gone = atomic_load_explicit(&f->fib->gone,
					     memory_order_relaxed);

	if (gone == f->gone)
		return;
	f->gone = gone;
	hp_aead_forget(f->aead);
}

static void begin_call(struct hp_forward *f)
{
	f->last = (struct hp_forward_last){ 0 };
}

/* @ip lies in a packet of this call. */
static struct hp_route_owner *find_route(struct hp_forward *f,
					 enum hp_family family,
					 const uint8_t *ip)
{
	struct hp_forward_last *l = &f->last;

	/* Of known lengths: compared in place. */
	if (l->owner && l->family == family &&
	    (family == HP_AF_4 ? !memcmp(l->ip, ip, 4) :
				 !memcmp(l->ip, ip, 16)))
		return l->owner;
	*l = (struct hp_forward_last){
		.ip = ip,
		.family = family,
		.owner = hp_routes_find(&f->fib->routes, family, ip),
	};
	return l->owner;
}

/* ---- out ---------------------------------------------------------------- */

static struct hp_fib_peer *peer_of(struct hp_route_owner *owner)
{
	return hp_container_of(owner, struct hp_fib_peer, owner);
}

static struct hp_session *session_of(struct hp_fib_tx *tx)
{
	struct hp_session *next = atomic_load_explicit(&tx->next,
						       memory_order_acquire);

	if (next && atomic_load_explicit(&next->confirmed,
					 memory_order_relaxed))
		return next;
	return atomic_load_explicit(&tx->session, memory_order_acquire);
}

/* A SYN that fits is made to promise segments that do. */
static bool is_too_big(struct hp_fib_peer *peer, const struct hp_pkt *p,
		       struct hp_forward_out *out)
{
	uint32_t mtu = atomic_load_explicit(&peer->mtu, memory_order_relaxed);

	if (!mtu)
		return false;
	if (p->len <= mtu) {
		hp_mss_clamp(p->data, p->len, mtu);
		return false;
	}
	out->verdict = HP_VERDICT_TOO_BIG;
	out->mtu = mtu;
	return true;
}

/* First half for one packet; true when @op and @slot wait for the engine. */
static bool seal_begin(struct hp_forward *f, struct hp_fib_peer *peer,
		       struct hp_pkt *p, struct hp_forward_out *out,
		       uint64_t now_ns, struct hp_aead_op *op,
		       struct hp_forward_slot *slot)
{
	struct hp_fib_tx *tx = atomic_load_explicit(&peer->tx,
						    memory_order_acquire);
	struct hp_session *s = session_of(tx);
	uint32_t mtu = atomic_load_explicit(&peer->mtu, memory_order_relaxed);
	uint32_t text_len = p->len;
	enum hp_err err = HP_ERR_KEY;

	if (!mtu)
		mtu = atomic_load_explicit(&f->fib->mtu, memory_order_relaxed);
	out->peer = peer->id;
	if (s && hp_path_set(&tx->path))
		err = hp_session_seal(s, p, pad_of(p->len, mtu), now_ns, op);
	if (err == HP_ERR_FULL) {
		out->reason = HP_DROP_ROOM;
		return false;
	}
	if (err) {
		out->verdict = HP_VERDICT_CONTROL;
		return false;
	}
	*slot = (struct hp_forward_slot){
		.session = s,
		.path = &tx->path,
		.also = hp_path_set(&tx->also) ? &tx->also : NULL,
		.text_len = text_len,
	};
	return true;
}

static void seal_end(struct hp_forward *f, const struct hp_pkt *p,
		     struct hp_forward_out *out,
		     const struct hp_forward_slot *slot, uint64_t now_ns)
{
	struct hp_session *s = slot->session;

	out->verdict = HP_VERDICT_SEND;
	out->path = slot->path;
	out->also = slot->also;
	hp_stamps_sent(&s->peer->stamps, p->len, now_ns);
	if (slot->text_len)
		data_first(f, s->peer, &s->peer->stamps.tx_data_first_ns,
			   now_ns);
	if (hp_session_wants_rekey(s, true, now_ns))
		tell_session(f, HP_NOTICE_REKEY, s, now_ns);
}

static struct hp_fib_peer *route_out(struct hp_forward *f,
				     const struct hp_pkt *p,
				     struct hp_forward_out *out)
{
	struct hp_route_owner *owner;
	struct inner in;

	*out = (struct hp_forward_out){ .reason = HP_DROP_FORMAT };
	if (!inner_parse(p, &in))
		return NULL;
	out->reason = HP_DROP_ROUTE;
	owner = find_route(f, in.family, in.dst);
	if (!owner)
		return NULL;
	out->reason = HP_DROP_NONE;
	return peer_of(owner);
}

/* @whole: what is too long for its path is left to the caller. */
static void seal(struct hp_forward *f, struct hp_pkt *pkts, size_t n,
		 struct hp_forward_out *outs, bool whole, uint64_t now_ns)
{
	struct hp_fib_peer *peer;
	size_t m = 0;

	assert(n <= HP_BATCH);
	forget_gone(f);
	begin_call(f);
	for (size_t i = 0; i < n; i++) {
		peer = route_out(f, &pkts[i], &outs[i]);
		if (peer && whole && is_too_big(peer, &pkts[i], &outs[i]))
			continue;
		if (peer && seal_begin(f, peer, &pkts[i], &outs[i], now_ns,
				       &f->ops[m], &f->slots[m]))
			f->slots[m++].at = (uint32_t)i;
		if (outs[i].reason)
			hp_fib_count(f->fib, outs[i].reason);
	}
	hp_aead_seal(f->aead, f->ops, m);
	for (size_t j = 0; j < m; j++) {
		size_t i = f->slots[j].at;

		seal_end(f, &pkts[i], &outs[i], &f->slots[j], now_ns);
	}
}

void hp_forward_seal(struct hp_forward *f, struct hp_pkt *pkts, size_t n,
		     struct hp_forward_out *outs, uint64_t now_ns)
{
	seal(f, pkts, n, outs, false, now_ns);
}

void hp_forward_out(struct hp_forward *f, struct hp_pkt *pkts, size_t n,
		    struct hp_forward_out *outs, uint64_t now_ns)
{
	seal(f, pkts, n, outs, true, now_ns);
	for (size_t i = 0; i < n; i++) {
		if (outs[i].verdict != HP_VERDICT_SEND ||
		    !outs[i].path->channel ||
		    !hp_relay_push(&pkts[i], outs[i].path->channel))
			continue;
		outs[i] = (struct hp_forward_out){ .reason = HP_DROP_ROOM };
		hp_fib_count(f->fib, HP_DROP_ROOM);
	}
}

bool hp_forward_copy(const struct hp_forward_out *out, struct hp_pkt *p)
{
	if (out->verdict != HP_VERDICT_SEND || !out->also || out->path->channel)
		return false;
	return !out->also->channel || !hp_relay_push(p, out->also->channel);
}

void hp_forward_to(struct hp_forward *f, struct hp_fib_peer *peer,
		   struct hp_pkt *pkt, struct hp_forward_out *out,
		   uint64_t now_ns)
{
	struct hp_forward_slot slot;
	struct hp_aead_op op;

	*out = (struct hp_forward_out){ 0 };
	if (seal_begin(f, peer, pkt, out, now_ns, &op, &slot)) {
		hp_aead_seal(f->aead, &op, 1);
		seal_end(f, pkt, out, &slot, now_ns);
	} else if (out->reason) {
		hp_fib_count(f->fib, out->reason);
	}
}

/* ---- in ----------------------------------------------------------------- */

static enum hp_drop drop_of(enum hp_err err)
{
	return err == HP_ERR_AUTH ? HP_DROP_AUTH :
	       err == HP_ERR_REPLAY ? HP_DROP_REPLAY : HP_DROP_EXPIRED;
}

/* First half for one message; true when @op and @slot wait for the engine. */
static bool open_begin(struct hp_forward *f, const struct hp_pkt *p,
		       struct hp_forward_in *in, uint64_t now_ns,
		       struct hp_aead_op *op, struct hp_forward_slot *slot)
{
	struct hp_session *s;
	enum hp_err err;

	*in = (struct hp_forward_in){ .reason = HP_DROP_FORMAT };
	if (p->len < 4)
		return false;
	if (hp_get_le32(p->data) != HP_WG_DATA) {
		*in = (struct hp_forward_in){ .verdict = HP_VERDICT_CONTROL };
		return false;
	}
	if (p->len < HP_WG_DATA_MIN)
		return false;
	s = hp_fib_find(f->fib, hp_get_le32(p->data + 4));
	in->reason = HP_DROP_INDEX;
	if (!s)
		return false;
	err = hp_session_open(s, p, now_ns, op);
	in->reason = err ? drop_of(err) : HP_DROP_NONE;
	*slot = (struct hp_forward_slot){ .session = s, .text_len = p->len };
	return !err;
}

/* An authentic, new message came by @from: is that where we send to? */
static void check_path(struct hp_forward *f, struct hp_fib_peer *peer,
		       const struct hp_path *from, uint64_t now_ns)
{
	struct hp_notice n = {
		.kind = HP_NOTICE_ROAMED,
		.peer = peer->id,
		.at_ns = now_ns,
		.path = *from,
	};
	struct hp_fib_tx *tx;

	if (!atomic_load_explicit(&peer->roam, memory_order_relaxed))
		return;
	tx = atomic_load_explicit(&peer->tx, memory_order_acquire);
	if (hp_path_eq(&tx->path, from))
		return;
	/* Acquire pairs with the control thread, which publishes the path
	 * before it clears the mark.
	 */
	if (!atomic_exchange_explicit(&peer->stamps.roam_told, true,
				      memory_order_acquire))
		f->notice(f->ctx, &n);
}

static void authentic(struct hp_forward *f, struct hp_session *s,
		      const struct hp_path *from, uint32_t len,
		      uint64_t now_ns)
{
	if (!atomic_load_explicit(&s->confirmed, memory_order_relaxed) &&
	    !atomic_exchange_explicit(&s->confirmed, true,
				      memory_order_relaxed))
		tell_session(f, HP_NOTICE_CONFIRMED, s, now_ns);
	check_path(f, s->peer, from, now_ns);
	hp_stamps_heard(&s->peer->stamps, len, now_ns);
	if (hp_session_wants_rekey(s, false, now_ns))
		tell_session(f, HP_NOTICE_REKEY, s, now_ns);
}

/* What an opened message holds; trims @p to it. */
static enum hp_drop check_inner(struct hp_forward *f, struct hp_fib_peer *peer,
				struct hp_pkt *p)
{
	struct inner in;

	if (!inner_parse(p, &in))
		return HP_DROP_FORMAT;
	if (find_route(f, in.family, in.src) != &peer->owner)
		return HP_DROP_SOURCE;
	return hp_pkt_trim(p, in.len) ? HP_DROP_NONE : HP_DROP_FORMAT;
}

static void open_end(struct hp_forward *f, struct hp_pkt *p,
		     const struct hp_path *from, struct hp_forward_in *in,
		     const struct hp_aead_op *op,
		     const struct hp_forward_slot *slot, uint64_t now_ns)
{
	struct hp_session *s = slot->session;
	enum hp_err err = hp_session_opened(s, p, op);
	uint32_t mtu;

	if (err) {
		in->reason = drop_of(err);
		return;
	}
	in->peer = s->peer->id;
	authentic(f, s, from, slot->text_len, now_ns);
	if (!p->len) {
		in->verdict = HP_VERDICT_NOTHING;
		return;
	}
	data_first(f, s->peer, &s->peer->stamps.rx_data_first_ns, now_ns);
	in->reason = check_inner(f, s->peer, p);
	if (in->reason)
		return;
	in->verdict = HP_VERDICT_DELIVER;
	mtu = atomic_load_explicit(&s->peer->mtu, memory_order_relaxed);
	if (mtu)
		hp_mss_clamp(p->data, p->len, mtu);
}

void hp_forward_in(struct hp_forward *f, struct hp_pkt *pkts,
		   const struct hp_path *from, size_t n,
		   struct hp_forward_in *ins, uint64_t now_ns)
{
	size_t m = 0;

	assert(n <= HP_BATCH);
	forget_gone(f);
	begin_call(f);
	for (size_t i = 0; i < n; i++)
		if (open_begin(f, &pkts[i], &ins[i], now_ns, &f->ops[m],
			       &f->slots[m]))
			f->slots[m++].at = (uint32_t)i;
	hp_aead_open(f->aead, f->ops, m);
	for (size_t j = 0; j < m; j++) {
		size_t i = f->slots[j].at;

		open_end(f, &pkts[i], &from[i], &ins[i], &f->ops[j],
			 &f->slots[j], now_ns);
	}
	for (size_t i = 0; i < n; i++)
		if (ins[i].reason)
			hp_fib_count(f->fib, ins[i].reason);
}
