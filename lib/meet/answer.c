/* SPDX-License-Identifier: ISC */
/*
 * How the registry answers. One function per message; each reads a message
 * that passed hp_meet_check(), proves it, and only then changes anything.
 *
 *	HELLO     -> CHALLENGE		nothing stored
 *	REGISTER  -> REGISTERED		cookie, limits, signature, then a node
 *	KEEPALIVE -> ALIVE		may move the session, may change the record
 *	CONNECT   -> INTRO to both	at the same moment, nothing stored
 *	INTRO_ACK -> DELIVERED		to the one who asked
 *	LIST      -> MEMBERS
 *	BYE
 *
 * A session moves to another address only by a keepalive that carries the path
 * cookie which was sent to that very address: a member with a forged source
 * cannot point the relay at somebody who never asked.
 */
#include <string.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/time.h"
#include "meet/registry_impl.h"
#include "meet/stun.h"

/* A datagram being handled. */
struct in {
	const struct hp_path *from;
	const uint8_t *buf;
	size_t len;
	uint64_t now_ns;
};

static void drop(struct hp_registry *r, enum hp_registry_drop why)
{
	r->stats.drop[why]++;
}

static void reply(struct hp_registry *r, const struct hp_path *to,
		  const void *buf, size_t len)
{
	r->stats.tx++;
	r->cfg.ops->send(r->cfg.ctx, to, buf, len);
}

/* An answer to one who has shown no session is on the share of the source. */
static bool stranger_ok(struct hp_registry *r, const struct in *in)
{
	if (hp_limiter_take(r->strangers, &in->from->remote, in->now_ns))
		return true;
	drop(r, HP_RG_SOURCE);
	return false;
}

/* How the sender of a datagram is seen. A stream's address is no place where
 * datagrams arrive: nobody is told.
 */
static void seen_put(struct hp_meet_addr *out, const struct hp_path *at)
{
	static const struct hp_addr none;

	hp_meet_addr_put(out, hp_path_is_stream(at) ? &none : &at->remote);
}

/* Is what comes by @a heard from where @b leads? */
static bool same_place(const struct hp_path *a, const struct hp_path *b)
{
	return hp_addr_eq(&a->remote, &b->remote) &&
	       (a->sock == b->sock ||
		(!hp_path_is_stream(a) && !hp_path_is_stream(b)));
}

/* ---- cookies ---- */

static void cookie_mac(const struct hp_registry *r, uint8_t out[16],
		       const char *label, const uint8_t what[8],
		       const struct hp_addr *addr)
{
	const struct hp_piece pieces[] = {
		{ label, strlen(label) + 1 },
		{ what, 8 },
		{ addr, sizeof(*addr) },
	};

	hp_blake2b(out, 16, &r->secret, pieces, 3);
}

static void cookie_make(const struct hp_registry *r,
			struct hp_meet_cookie *out, const struct in *in)
{
	hp_put_be64(out->stamp, in->now_ns);
	cookie_mac(r, out->mac, "cookie", out->stamp, &in->from->remote);
}

static bool cookie_good(const struct hp_registry *r,
			const struct hp_meet_cookie *c, const struct in *in)
{
	uint64_t stamp = hp_get_be64(c->stamp);
	uint8_t want[16];

	cookie_mac(r, want, "cookie", c->stamp, &in->from->remote);
	return sodium_memcmp(want, c->mac, sizeof(want)) == 0 &&
	       stamp <= in->now_ns &&
	       in->now_ns - stamp <= HP_MEET_COOKIE_LIFE_NS;
}

static void path_cookie(const struct hp_registry *r, const struct rg_node *n,
			const struct hp_addr *addr, uint8_t out[8])
{
	uint8_t full[16];

	cookie_mac(r, full, "path", n->session, addr);
	memcpy(out, full, 8);
}

/* ---- before a session ---- */

static void challenge(struct hp_registry *r, const struct in *in,
		      const uint8_t echo[8])
{
	struct hp_meet_challenge m = { 0 };

	if (!stranger_ok(r, in))
		return;
	hp_datagram_head(m.head, HP_MEET_CHALLENGE);
	memcpy(m.echo, echo, sizeof(m.echo));
	cookie_make(r, &m.cookie, in);
	memcpy(m.ephemeral, r->ephemeral_public.b, sizeof(m.ephemeral));
	seen_put(&m.seen, in->from);
	r->stats.challenges++;
	reply(r, in->from, &m, sizeof(m));
}

static void refuse(struct hp_registry *r, const struct in *in,
		   enum hp_meet_reason reason, enum hp_registry_drop why)
{
	const struct hp_meet_register *q = (const void *)in->buf;
	struct hp_meet_refused m = { .reason = (uint8_t)reason };

	drop(r, why);
	hp_datagram_head(m.head, HP_MEET_REFUSED);
	memcpy(m.echo, q->echo, sizeof(m.echo));
	reply(r, in->from, &m, sizeof(m));
}

static void registered(struct hp_registry *r, const struct in *in,
		       struct rg_node *n)
{
	const struct hp_meet_register *q = (const void *)in->buf;
	struct hp_meet_registered m = { 0 };

	hp_datagram_head(m.head, HP_MEET_REGISTERED);
	memcpy(m.echo, q->echo, sizeof(m.echo));
	memcpy(m.session, n->session, sizeof(m.session));
	hp_put_be64(m.counter, ++n->counter);
	seen_put(&m.seen, in->from);
	path_cookie(r, n, &in->from->remote, m.path);
	hp_put_be32(m.generation, n->net->generation);
	hp_put_be16(m.lifetime_s, HP_MEET_LIFETIME_S);
	m.relay = r->cfg.relay;
	hp_meet_mac_put(&n->keys.to_client, (uint8_t *)&m, sizeof(m));
	reply(r, in->from, &m, sizeof(m));
}

/* Is there room for the node of this registration (@n: what its slot has)? */
static bool room_for(struct hp_registry *r, const struct in *in,
		     const struct rg_node *n)
{
	const struct hp_meet_register *q = (const void *)in->buf;
	const struct rg_network *net;

	if (!rg_source_room(r, n, &in->from->remote)) {
		refuse(r, in, HP_MEET_FULL, HP_RG_CROWD);
		return false;
	}
	if (n && n->net)
		return true;
	if (!n && r->stats.nodes + r->n_marks >= r->cfg.max_nodes) {
		refuse(r, in, HP_MEET_FULL, HP_RG_FULL);
		return false;
	}
	net = rg_network_find(r, q->network);
	if (net && net->n >= r->cfg.max_network) {
		refuse(r, in, HP_MEET_NETWORK_FULL, HP_RG_FULL);
		return false;
	}
	return true;
}

static void digest(const struct hp_registry *r, const struct in *in,
		   uint8_t out[RG_KEY_LEN])
{
	const struct hp_piece all = { in->buf, in->len };

	hp_blake2b(out, RG_KEY_LEN, &r->secret, &all, 1);
}

static bool same_registration(const struct hp_registry *r, const struct in *in,
			      const struct rg_node *n)
{
	uint8_t own[RG_KEY_LEN];

	digest(r, in, own);
	return memcmp(own, n->digest, sizeof(own)) == 0;
}

/* The node that a proven registration makes or renews. */
static void register_commit(struct hp_registry *r, const struct in *in,
			    struct rg_node *n, const struct hp_meet_keys *keys)
{
	const struct hp_meet_register *q = (const void *)in->buf;

	n = rg_node_admit(r, n, q->network, q->slot, &in->from->remote);
	if (!n) {
		drop(r, HP_RG_NO_MEMORY);
		return;
	}
	n->stamp = hp_get_be64(q->cookie.stamp);
	digest(r, in, n->digest);
	n->keys = *keys;
	n->window = (struct hp_meet_window){ 0 };
	n->counter = 0;
	hp_relay_move(r->relay, &n->end, in->from);
	n->heard_ns = in->now_ns;
	n->record_len = hp_get_be16(q->record_len);
	memcpy(n->record, in->buf + sizeof(*q), n->record_len);
	hp_heap_set(&r->heap, &n->expiry,
		    in->now_ns + HP_MEET_LIFETIME_S * HP_S);
	r->stats.registrations++;
	registered(r, in, n);
}

/* Signature and key agreement: what costs a tenth of a millisecond. */
static bool register_prove(struct hp_registry *r, const struct in *in,
			   struct hp_meet_keys *keys)
{
	const struct hp_meet_register *q = (const void *)in->buf;
	struct hp_public ephemeral;

	if (hp_meet_register_verify(in->buf, in->len, &r->ephemeral_public)) {
		drop(r, HP_RG_SIGNATURE);
		return false;
	}
	memcpy(ephemeral.b, q->ephemeral, sizeof(ephemeral.b));
	if (hp_meet_keys_derive(&r->ephemeral, &ephemeral,
				&r->ephemeral_public, in->buf, in->len, keys)) {
		drop(r, HP_RG_KEY);
		return false;
	}
	return true;
}

static void on_register(struct hp_registry *r, const struct in *in)
{
	const struct hp_meet_register *q = (const void *)in->buf;
	struct rg_node *n = rg_node_find(r, q->network, q->slot);
	uint64_t stamp = hp_get_be64(q->cookie.stamp);
	struct rg_network *net;
	struct hp_meet_keys keys;

	if (!cookie_good(r, &q->cookie, in)) {
		drop(r, HP_RG_COOKIE);
		challenge(r, in, q->echo);
		return;
	}
	/* The same again: the answer was lost. Anything else as old: replay. */
	if (n && n->net && stamp == n->stamp &&
	    same_place(in->from, &n->end.path) &&
	    same_registration(r, in, n)) {
		registered(r, in, n);
		return;
	}
	if (n && stamp <= n->stamp) {
		drop(r, HP_RG_REPLAY);
		return;
	}
	if (!hp_limiter_take(r->registers, &in->from->remote, in->now_ns)) {
		refuse(r, in, HP_MEET_LIMIT, HP_RG_SOURCE);
		return;
	}
	if (!rg_allowed(r, q->network)) {
		refuse(r, in, HP_MEET_NOT_ALLOWED, HP_RG_NETWORK);
		return;
	}
	if (!room_for(r, in, n) || !register_prove(r, in, &keys))
		return;
	/* After the signature: only members use up the network's share. */
	net = rg_network_find(r, q->network);
	if (net && !hp_bucket_take(&net->registers, &r->cfg.network_registers,
				   1, in->now_ns))
		refuse(r, in, HP_MEET_LIMIT, HP_RG_BUSY);
	else
		register_commit(r, in, n, &keys);
	hp_secret_wipe(&keys.to_server);
	hp_secret_wipe(&keys.to_client);
}

/* ---- within a session ---- */

static void unknown_session(struct hp_registry *r, const struct in *in)
{
	struct hp_meet_unknown m;

	drop(r, HP_RG_NO_SESSION);
	if (in->buf[3] == HP_MEET_BYE || !stranger_ok(r, in))
		return;
	memcpy(&m, in->buf, sizeof(m));
	hp_datagram_head(m.h.head, HP_MEET_UNKNOWN);
	reply(r, in->from, &m, sizeof(m));
}

static void session_reply(struct hp_registry *r, struct rg_node *n,
			  enum hp_meet_kind kind, void *buf, size_t len,
			  const struct hp_path *to)
{
	hp_meet_session_head_put(buf, kind, n->session, ++n->counter);
	hp_meet_mac_put(&n->keys.to_client, buf, len);
	reply(r, to, buf, len);
}

/* Goes to where the question came from, proven or not: with the cookie in it
 * an address proves itself.
 */
static void alive(struct hp_registry *r, const struct in *in,
		  struct rg_node *n)
{
	const struct hp_meet_session_head *q = (const void *)in->buf;
	struct hp_meet_alive m = { 0 };

	memcpy(m.request, q->counter, sizeof(m.request));
	seen_put(&m.seen, in->from);
	path_cookie(r, n, &in->from->remote, m.path);
	hp_put_be32(m.generation, n->net->generation);
	session_reply(r, n, HP_MEET_ALIVE, &m, sizeof(m), in->from);
}

/* True when @n is heard from where it was, or has now proven the new place. */
static bool at_home(struct hp_registry *r, const struct in *in,
		    struct rg_node *n)
{
	const struct hp_meet_keepalive *q = (const void *)in->buf;
	uint8_t want[8];

	if (same_place(in->from, &n->end.path))
		return true;
	path_cookie(r, n, &in->from->remote, want);
	if (in->buf[3] != HP_MEET_KEEPALIVE ||
	    hp_get_be64(q->h.counter) != n->window.top ||
	    sodium_memcmp(want, q->path, sizeof(want)) != 0)
		return false;
	r->stats.moves++;
	return true;
}

static void on_keepalive(struct hp_registry *r, const struct in *in,
			 struct rg_node *n)
{
	const struct hp_meet_keepalive *q = (const void *)in->buf;
	size_t len = hp_get_be16(q->record_len);

	if (len) {
		memcpy(n->record, in->buf + sizeof(*q), len);
		n->record_len = (uint16_t)len;
	}
	alive(r, in, n);
}

static void connect_failed(struct hp_registry *r, const struct in *in,
			   struct rg_node *n, enum hp_meet_reason reason,
			   enum hp_registry_drop why)
{
	const struct hp_meet_connect *q = (const void *)in->buf;
	struct hp_meet_failed m = { .reason = (uint8_t)reason };

	drop(r, why);
	memcpy(m.id, q->id, sizeof(m.id));
	memcpy(m.slot, q->slot, sizeof(m.slot));
	session_reply(r, n, HP_MEET_FAILED, &m, sizeof(m), &n->end.path);
}

/* Tells @to about @about. */
static void introduce(struct hp_registry *r, struct rg_node *to,
		      const struct rg_node *about, const uint8_t id[8],
		      uint32_t channel, bool answer, const uint8_t *blob,
		      size_t len)
{
	uint8_t buf[HP_MEET_INTRO_LEN(HP_MEET_OFFER_MAX)];
	struct hp_meet_intro *m = (void *)buf;

	memset(m, 0, sizeof(*m));
	memcpy(m->id, id, sizeof(m->id));
	memcpy(m->slot, about->slot, sizeof(m->slot));
	seen_put(&m->seen, &about->end.path);
	hp_put_be32(m->channel, channel);
	m->answer = answer;
	hp_put_be16(m->blob_len, (uint16_t)len);
	memcpy(buf + sizeof(*m), blob, len);
	session_reply(r, to, HP_MEET_INTRO, buf, HP_MEET_INTRO_LEN(len),
		      &to->end.path);
}

static void on_connect(struct hp_registry *r, const struct in *in,
		       struct rg_node *n)
{
	const struct hp_meet_connect *q = (const void *)in->buf;
	struct rg_node *other = rg_node_find(r, n->net->id.b, q->slot);
	uint32_t channel;

	if (!hp_bucket_take(&n->requests, &r->cfg.requests, 1, in->now_ns)) {
		connect_failed(r, in, n, HP_MEET_LIMIT, HP_RG_BUSY);
		return;
	}
	if (!other || !other->net || other == n) {
		connect_failed(r, in, n, HP_MEET_OFFLINE, HP_RG_NO_SLOT);
		return;
	}
	if (!hp_bucket_take(&other->intros, &r->cfg.requests, 1, in->now_ns)) {
		connect_failed(r, in, n, HP_MEET_LIMIT, HP_RG_BUSY);
		return;
	}
	channel = hp_relay_pair(r->relay, &n->end, &other->end, in->now_ns);
	introduce(r, other, n, q->id, channel, false, in->buf + sizeof(*q),
		  hp_get_be16(q->offer_len));
	introduce(r, n, other, q->id, channel, true, other->record,
		  other->record_len);
	r->stats.introductions++;
}

static void on_intro_ack(struct hp_registry *r, const struct in *in,
			 const struct rg_node *n)
{
	const struct hp_meet_intro_ack *q = (const void *)in->buf;
	struct rg_node *caller = rg_node_find(r, n->net->id.b, q->slot);
	struct hp_meet_delivered m = { 0 };

	if (!caller || !caller->net) {
		drop(r, HP_RG_NO_SLOT);
		return;
	}
	if (!hp_bucket_take(&caller->intros, &r->cfg.requests, 1,
			    in->now_ns)) {
		drop(r, HP_RG_BUSY);
		return;
	}
	memcpy(m.id, q->id, sizeof(m.id));
	memcpy(m.slot, n->slot, sizeof(m.slot));
	session_reply(r, caller, HP_MEET_DELIVERED, &m, sizeof(m),
		      &caller->end.path);
}

static void on_list(struct hp_registry *r, const struct in *in,
		    struct rg_node *n)
{
	const struct hp_meet_list *q = (const void *)in->buf;
	uint8_t buf[HP_MEET_MEMBERS_LEN(HP_MEET_PAGE)] = { 0 };
	struct hp_meet_members *m = (void *)buf;
	uint8_t *slot = buf + sizeof(*m);
	size_t start = hp_get_be32(q->start);
	size_t k = 0;

	if (!hp_bucket_take(&n->requests, &r->cfg.requests, 1, in->now_ns)) {
		drop(r, HP_RG_BUSY);
		return;
	}
	memcpy(m->request, q->h.counter, sizeof(m->request));
	hp_put_be32(m->generation, n->net->generation);
	hp_put_be32(m->total, (uint32_t)n->net->n);
	hp_put_be32(m->start, (uint32_t)start);
	for (; k < HP_MEET_PAGE && start + k < n->net->n; k++)
		memcpy(slot + k * HP_MEET_SLOT_LEN,
		       n->net->node[start + k]->slot, HP_MEET_SLOT_LEN);
	hp_put_be16(m->n, (uint16_t)k);
	session_reply(r, n, HP_MEET_MEMBERS, buf, HP_MEET_MEMBERS_LEN(k),
		      &n->end.path);
}

/* The message is authentic and fresh; is it from where it should be? */
static void session_answer(struct hp_registry *r, const struct in *in,
			   struct rg_node *n)
{
	enum hp_meet_kind kind = (enum hp_meet_kind)in->buf[3];

	if (!at_home(r, in, n)) {
		drop(r, HP_RG_MOVED);
		if (in->len >= sizeof(struct hp_meet_alive) &&
		    stranger_ok(r, in))
			alive(r, in, n);
		return;
	}
	hp_relay_move(r->relay, &n->end, in->from);
	n->heard_ns = in->now_ns;
	if (kind == HP_MEET_KEEPALIVE)
		on_keepalive(r, in, n);
	else if (kind == HP_MEET_CONNECT)
		on_connect(r, in, n);
	else if (kind == HP_MEET_INTRO_ACK)
		on_intro_ack(r, in, n);
	else if (kind == HP_MEET_LIST)
		on_list(r, in, n);
	else if (kind == HP_MEET_BYE)
		rg_node_leave(r, n, in->now_ns);
}

static void on_session(struct hp_registry *r, const struct in *in)
{
	const struct hp_meet_session_head *q = (const void *)in->buf;
	struct rg_node *n = rg_session_find(r, q->session);

	if (!n) {
		unknown_session(r, in);
		return;
	}
	if (hp_meet_mac_check(&n->keys.to_server, in->buf, in->len)) {
		drop(r, HP_RG_MAC);
		return;
	}
	if (hp_meet_window_accept(&n->window, hp_get_be64(q->counter))) {
		drop(r, HP_RG_REPLAY);
		return;
	}
	session_answer(r, in, n);
}

static void on_meet(struct hp_registry *r, const struct in *in)
{
	const struct hp_meet_hello *hello = (const void *)in->buf;
	enum hp_err err = hp_meet_check(in->buf, in->len);

	if (err) {
		drop(r, err == HP_ERR_TYPE ? HP_RG_NOT_OURS : HP_RG_MALFORMED);
		return;
	}
	switch ((enum hp_meet_kind)in->buf[3]) {
	case HP_MEET_HELLO:
		challenge(r, in, hello->echo);
		return;
	case HP_MEET_REGISTER:
		on_register(r, in);
		return;
	case HP_MEET_KEEPALIVE:
	case HP_MEET_CONNECT:
	case HP_MEET_INTRO_ACK:
	case HP_MEET_LIST:
	case HP_MEET_BYE:
		on_session(r, in);
		return;
	case HP_MEET_CHALLENGE:
	case HP_MEET_REGISTERED:
	case HP_MEET_REFUSED:
	case HP_MEET_ALIVE:
	case HP_MEET_INTRO:
	case HP_MEET_DELIVERED:
	case HP_MEET_FAILED:
	case HP_MEET_MEMBERS:
	case HP_MEET_UNKNOWN:
	case HP_MEET_NO_CHANNEL:
		drop(r, HP_RG_TO_CLIENT);
		return;
	}
}

/* ---- relay and STUN ---- */

static void on_relay(struct hp_registry *r, const struct in *in)
{
	struct hp_meet_no_channel m;
	const struct hp_path *to;
	uint32_t channel = hp_get_be32(in->buf + HP_WIRE_HEAD);
	enum hp_err err;

	if (!channel || in->len <= HP_RELAY_HEAD) {
		drop(r, HP_RG_MALFORMED);
		return;
	}
	err = hp_relay_forward(r->relay, &in->from->remote, channel, 1, in->len,
			       in->now_ns, &to);
	if (!err) {
		r->stats.relay.packets++;
		r->stats.relay.bytes += in->len;
		reply(r, to, in->buf, in->len);
		return;
	}
	if (err == HP_ERR_LIMIT) {
		drop(r, HP_RG_RELAY_RATE);
		return;
	}
	drop(r, HP_RG_CHANNEL);
	if (!stranger_ok(r, in))
		return;
	hp_datagram_head(m.head, HP_MEET_NO_CHANNEL);
	hp_put_be32(m.channel, channel);
	reply(r, in->from, &m, sizeof(m));
}

static void on_stun(struct hp_registry *r, const struct in *in)
{
	struct hp_stun_request req;
	struct hp_path to = *in->from;
	uint8_t buf[HP_STUN_REPLY_MAX];
	enum hp_err err = hp_stun_request_get(in->buf, in->len, &req);
	size_t len;

	if (err) {
		drop(r, err == HP_ERR_TYPE ? HP_RG_NOT_OURS : HP_RG_MALFORMED);
		return;
	}
	if (!stranger_ok(r, in))
		return;
	/* Silence tells a client of RFC 3489 that we have one address. */
	if (req.classic && req.change_ip)
		return;
	if (req.change_port)
		to.sock ^= 1;
	len = hp_stun_reply_put(&req, &to.remote, buf);
	if (req.response_port && !req.n_unknown) {
		/* It may reach another host behind the sender's NAT, so it
		 * must not be worth more than what was sent.
		 */
		if (len > in->len) {
			drop(r, HP_RG_MALFORMED);
			return;
		}
		to.remote.port = req.response_port;
	}
	r->stats.stun++;
	reply(r, &to, buf, len);
}

/* RFC 3489 has no magic cookie: a Binding request whose length adds up. */
static bool classic_stun(const uint8_t *buf, size_t len)
{
	return len >= HP_STUN_HEAD && hp_get_be16(buf) == 1 &&
	       hp_get_be16(buf + 2) == len - HP_STUN_HEAD;
}

void hp_registry_rx(struct hp_registry *r, const struct hp_path *from,
		    const uint8_t *buf, size_t len, uint64_t now_ns)
{
	const struct in in = { from, buf, len, now_ns };

	r->stats.rx++;
	switch (hp_datagram_kind(buf, len)) {
	case HP_DGRAM_RELAY:
		on_relay(r, &in);
		return;
	case HP_DGRAM_MEET:
		on_meet(r, &in);
		return;
	case HP_DGRAM_STUN:
		if (hp_path_is_stream(from))
			drop(r, HP_RG_NOT_OURS); /* there is nothing to see */
		else
			on_stun(r, &in);
		return;
	case HP_DGRAM_NONE:
		if (classic_stun(buf, len) && !hp_path_is_stream(from))
			on_stun(r, &in);
		else
			drop(r, HP_RG_NOT_OURS);
		return;
	case HP_DGRAM_WG:
	case HP_DGRAM_WG_DATA:
	case HP_DGRAM_PROBE:
	case HP_DGRAM_NOTE:
	case HP_DGRAM_CALL:
		drop(r, HP_RG_NOT_OURS);
		return;
	}
}

void hp_registry_stats(const struct hp_registry *r,
		       struct hp_registry_stats *out)
{
	*out = r->stats;
	out->relay.channels = hp_relay_channels(r->relay);
}

const char *hp_registry_drop_name(enum hp_registry_drop why)
{
	switch (why) {
	case HP_RG_NOT_OURS:
		return "not a message of ours";
	case HP_RG_MALFORMED:
		return "malformed";
	case HP_RG_TO_CLIENT:
		return "meant for a client";
	case HP_RG_SOURCE:
		return "rate of the source";
	case HP_RG_COOKIE:
		return "no good cookie";
	case HP_RG_REPLAY:
		return "replayed";
	case HP_RG_NETWORK:
		return "network not allowed";
	case HP_RG_FULL:
		return "full";
	case HP_RG_CROWD:
		return "as many nodes as a source may have";
	case HP_RG_BUSY:
		return "rate of the network or session";
	case HP_RG_SIGNATURE:
		return "bad signature";
	case HP_RG_MAC:
		return "bad MAC";
	case HP_RG_KEY:
		return "bad ephemeral key";
	case HP_RG_NO_SESSION:
		return "unknown session";
	case HP_RG_MOVED:
		return "address not proven";
	case HP_RG_NO_SLOT:
		return "nobody under the slot";
	case HP_RG_CHANNEL:
		return "unknown channel";
	case HP_RG_RELAY_RATE:
		return "rate of the channel";
	case HP_RG_NO_MEMORY:
		return "out of memory";
	case HP_RG_N_DROPS:
		break;
	}
	return "unknown";
}
