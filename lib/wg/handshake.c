/* SPDX-License-Identifier: ISC */
/*
 * The handshake messages of an interface: made, checked, consumed. Each is
 * read into locals; the peer changes only after the last check.
 */
#include "wg/peer.h"

#include <string.h>
#include <sodium.h>

#include "base/bytes.h"

static const char prologue[] = HP_NOISE_WIREGUARD;
#define PROLOGUE prologue, (sizeof(prologue) - 1)

/* Free, and not to be guessed. */
static uint32_t new_index(const struct hp_wg *wg)
{
	uint32_t index;

	do
		index = hp_rng_u32(wg->rng);
	while (hp_fib_find(wg->fib, index) ||
	       hp_peer_pending((struct hp_wg *)wg, index));
	return index;
}

static void new_ephemeral(const struct hp_wg *wg, struct hp_secret *out)
{
	hp_rng_fill(wg->rng, out->b, sizeof(out->b));
	hp_dh_clamp(out);
}

static uint64_t draw_jitter(struct hp_wg_peer *peer)
{
	peer->jitter_ns = hp_rng_below(peer->wg->rng, HP_WG_JITTER);
	return peer->jitter_ns;
}

/* ---- making ------------------------------------------------------------- */

static bool has_keys(const struct hp_wg_peer *peer)
{
	return peer->wg->has_key && peer->remote_ok && peer->accept;
}

/* Makes an initiation and waits for its answer. HP_ERR_KEY, HP_ERR_NOMEM. */
static enum hp_err make_initiation(struct hp_wg_peer *peer, uint64_t now_ns,
				   struct hp_wire_initiation *msg)
{
	struct hp_wg *wg = peer->wg;
	uint8_t stamp[HP_WG_TIMESTAMP];
	struct hp_secret ephemeral;
	struct hp_noise noise;
	uint32_t index = new_index(wg);
	enum hp_err err;

	new_ephemeral(wg, &ephemeral);
	wg->ops.timestamp(wg->ctx, stamp);
	hp_put_le32(msg->type, HP_WG_INITIATION);
	hp_put_le32(msg->sender, index);
	err = hp_noise_write_first(&noise, peer->suite, PROLOGUE, &wg->local,
				   &peer->remote, &ephemeral, msg->ephemeral,
				   msg->fixed, stamp, sizeof(stamp),
				   msg->timestamp);
	if (err)
		goto out;
	err = hp_peer_set_pending(peer, &noise, index);
	if (err)
		goto out;
	hp_cookie_sign(&peer->cookie, (uint8_t *)msg, sizeof(*msg), now_ns);
	hp_repeat_keep(peer, &peer->initiation, msg, sizeof(*msg), now_ns);
	peer->handshake.sent_ns = now_ns;
	peer->handshake.wanting = false;
out:
	hp_secret_wipe(&ephemeral);
	hp_noise_wipe(&noise);
	return err;
}

/* True while the last initiation is too young for another one. */
static bool sent_lately(const struct hp_wg_peer *peer, uint64_t now_ns)
{
	uint64_t sent_ns = peer->handshake.sent_ns;

	return sent_ns && hp_time_since(now_ns, sent_ns) < HP_WG_REKEY_TIMEOUT;
}

void hp_handshake_want(struct hp_wg_peer *peer, uint64_t now_ns)
{
	struct hp_wg_handshake *hs = &peer->handshake;

	if (hs->running || !has_keys(peer))
		return;
	hs->running = true;
	hs->first_ns = now_ns;
	hs->retry_ns = sent_lately(peer, now_ns) ?
			       hs->sent_ns + HP_WG_REKEY_TIMEOUT : now_ns;
}

enum hp_err hp_handshake_try(struct hp_wg_peer *peer, uint64_t now_ns)
{
	uint8_t buf[HP_HEADROOM + sizeof(struct hp_wire_initiation) +
		    HP_TAILROOM];
	struct hp_wire_initiation *msg = (void *)(buf + HP_HEADROOM);
	enum hp_err err;

	peer->handshake.retry_ns = now_ns + HP_WG_REKEY_TIMEOUT +
				   draw_jitter(peer);
	if (peer->handshake.first_ns != now_ns)
		hp_peer_forget_local(peer);
	if (!hp_path_set(&peer->path)) {
		peer->handshake.wanting = true;
		hp_peer_event(peer, HP_WG_WANTED);
		return HP_ERR_ROUTE;
	}
	err = make_initiation(peer, now_ns, msg);
	if (err)
		return err;
	hp_peer_send(peer, &peer->path, buf, sizeof(buf), sizeof(*msg),
		     now_ns);
	hp_peer_event(peer, HP_WG_HANDSHAKE_SENT);
	return HP_OK;
}

enum hp_err hp_wg_initiate(struct hp_wg_peer *peer, uint64_t now_ns)
{
	enum hp_err err = HP_ERR_AGAIN;

	if (!has_keys(peer))
		return HP_ERR_KEY;
	hp_handshake_want(peer, now_ns);
	if (now_ns >= peer->handshake.retry_ns)
		err = hp_handshake_try(peer, now_ns);
	hp_timers_arm(peer, now_ns);
	return err;
}

enum hp_err hp_wg_initiation_make(struct hp_wg_peer *peer, uint64_t now_ns,
				  uint8_t out[148])
{
	struct hp_wire_initiation msg;
	enum hp_err err;

	if (!has_keys(peer))
		return HP_ERR_KEY;
	if (sent_lately(peer, now_ns) && peer->initiation) {
		memcpy(out, peer->initiation->msg, sizeof(msg));
		return HP_OK;
	}
	if (sent_lately(peer, now_ns))
		return HP_ERR_AGAIN;
	err = make_initiation(peer, now_ns, &msg);
	if (err)
		return err;
	hp_handshake_want(peer, now_ns);
	peer->handshake.retry_ns = now_ns + HP_WG_REKEY_TIMEOUT +
				   draw_jitter(peer);
	memcpy(out, &msg, sizeof(msg));
	hp_timers_arm(peer, now_ns);
	hp_peer_event(peer, HP_WG_HANDSHAKE_SENT);
	return HP_OK;
}

static void answer(struct hp_wg_peer *peer, struct hp_wire_response *msg,
		   uint8_t *buf, size_t cap, const struct hp_path *to,
		   uint64_t now_ns)
{
	hp_cookie_sign(&peer->cookie, (uint8_t *)msg, sizeof(*msg), now_ns);
	hp_peer_send(peer, to, buf, cap, sizeof(*msg), now_ns);
}

/* ---- consuming ---------------------------------------------------------- */

/* May this initiation of @peer be answered? */
static enum hp_drop check_initiation(struct hp_wg_peer *peer,
				     enum hp_suite suite,
				     const uint8_t stamp[HP_WG_TIMESTAMP],
				     uint64_t now_ns)
{
	if (memcmp(stamp, peer->timestamp, HP_WG_TIMESTAMP) <= 0)
		return HP_DROP_REPLAY;
	if (peer->consumed_ns &&
	    hp_time_since(now_ns, peer->consumed_ns) < HP_WG_FLOOD_TIME)
		return HP_DROP_LIMIT;
	if (peer->accept & HP_SUITE_BIT(suite))
		return HP_DROP_NONE;
	peer->refused_ns = now_ns;
	return HP_DROP_SUITE;
}

/* The answer to @msg was lost, perhaps, while its session still waits to be
 * confirmed. Whoever sends a copy of it from elsewhere gets less than he sent.
 */
static void answer_again(struct hp_wg_peer *peer,
			 const struct hp_wire_initiation *msg,
			 const struct hp_path *from, uint64_t now_ns)
{
	if (hp_repeat_same(peer, msg) &&
	    hp_time_since(now_ns, peer->answer->sent_ns) >= HP_WG_FLOOD_TIME)
		hp_repeat_send(peer, peer->answer, from, now_ns);
}

/* Makes the answer and the session; changes nothing. NULL: @why. */
static struct hp_session *respond(struct hp_wg_peer *peer,
				  struct hp_noise *noise, uint32_t remote,
				  uint64_t now_ns, struct hp_wire_response *msg,
				  enum hp_drop *why)
{
	struct hp_wg *wg = peer->wg;
	uint32_t local = new_index(wg);
	struct hp_session *s = NULL;
	struct hp_session_keys keys;
	struct hp_secret ephemeral;

	new_ephemeral(wg, &ephemeral);
	hp_put_le32(msg->type, HP_WG_RESPONSE);
	hp_put_le32(msg->sender, local);
	hp_put_le32(msg->receiver, remote);
	*why = HP_DROP_AUTH;
	if (hp_noise_write_second(noise, &peer->remote, &ephemeral,
				  msg->ephemeral, NULL, 0, msg->nothing,
				  &keys))
		goto out;
	*why = HP_DROP_NOMEM;
	s = hp_session_new(wg->aead, peer->fib, &keys, local, remote, false,
			   now_ns);
out:
	hp_secret_wipe(&ephemeral);
	sodium_memzero(&keys, sizeof(keys));
	return s;
}

static enum hp_drop consume_initiation(struct hp_wg *wg,
				       const struct hp_path *from,
				       const struct hp_wire_initiation *msg,
				       uint64_t now_ns)
{
	uint8_t buf[HP_HEADROOM + sizeof(struct hp_wire_response) +
		    HP_TAILROOM];
	struct hp_wire_response *reply = (void *)(buf + HP_HEADROOM);
	uint8_t stamp[HP_WG_TIMESTAMP];
	enum hp_drop why = HP_DROP_AUTH;
	struct hp_wg_peer *peer;
	struct hp_public public;
	struct hp_session *s;
	struct hp_noise noise;

	if (hp_noise_read_first(&noise, wg->suites, PROLOGUE, &wg->local,
				msg->ephemeral, msg->fixed, &public))
		goto out;
	peer = hp_wg_peer_find(wg, &public);
	why = HP_DROP_PEER;
	if (!peer)
		goto out;
	why = HP_DROP_AUTH;
	if (!peer->remote_ok ||
	    hp_noise_read_payload(&noise, &peer->remote, msg->timestamp,
				  sizeof(msg->timestamp), stamp))
		goto out;
	why = check_initiation(peer, noise.suite, stamp, now_ns);
	if (why == HP_DROP_REPLAY)
		answer_again(peer, msg, from, now_ns);
	if (why)
		goto out;
	s = respond(peer, &noise, hp_get_le32(msg->sender), now_ns, reply,
		    &why);
	if (!s)
		goto out;
	why = HP_DROP_NONE;
	memcpy(peer->timestamp, stamp, sizeof(stamp));
	peer->consumed_ns = now_ns;
	hp_peer_take_answered(peer, s);
	hp_stamps_heard(&peer->fib->stamps, sizeof(*msg), now_ns);
	hp_peer_follow(peer, from);
	answer(peer, reply, buf, sizeof(buf), from, now_ns);
	hp_repeat_keep(peer, &peer->answer, reply, sizeof(*reply), now_ns);
	memcpy(peer->answered_mac1, msg->macs.mac1,
	       sizeof(peer->answered_mac1));
	hp_timers_arm(peer, now_ns);
out:
	hp_noise_wipe(&noise);
	return why;
}

/* Our handshake is complete. What waits goes out; without that an empty
 * packet, so that the peer learns that we have the keys.
 */
static void completed(struct hp_wg_peer *peer, uint64_t now_ns)
{
	peer->handshake_ns = now_ns;
	hp_stamps_heard(&peer->fib->stamps, sizeof(struct hp_wire_response),
			now_ns);
	hp_peer_event(peer, HP_WG_SESSION_UP);
	if (!hp_peer_flush(peer, now_ns))
		hp_wg_keepalive(peer, now_ns);
	hp_timers_arm(peer, now_ns);
}

/* An answer that was taken already comes again: what confirmed it was lost. */
static void confirm_again(struct hp_wg *wg, const struct hp_wire_response *msg,
			  uint64_t now_ns)
{
	struct hp_session *s = hp_fib_find(wg->fib, hp_get_le32(msg->receiver));
	struct hp_wg_peer *peer = s ? hp_wg_peer_by_id(wg, s->peer->id) : NULL;
	uint64_t sent_ns;

	if (!peer || s != peer->current || !s->initiator || !peer->repeat_ns ||
	    hp_get_le32(msg->sender) != s->remote)
		return;
	sent_ns = atomic_load_explicit(&peer->fib->stamps.tx_last_ns,
				       memory_order_relaxed);
	if (hp_time_since(now_ns, sent_ns) >= HP_WG_FLOOD_TIME)
		(void)hp_wg_keepalive(peer, now_ns); /* else it comes again */
}

static enum hp_drop consume_response(struct hp_wg *wg,
				     const struct hp_path *from,
				     const struct hp_wire_response *msg,
				     uint64_t now_ns)
{
	struct hp_wg_peer *peer = hp_peer_pending(wg,
						  hp_get_le32(msg->receiver));
	enum hp_drop why = HP_DROP_AUTH;
	struct hp_session_keys keys;
	struct hp_session *s;
	struct hp_noise noise;
	struct hp_path path;

	if (!peer) {
		confirm_again(wg, msg, now_ns);
		return HP_DROP_INDEX;
	}
	noise = *peer->handshake.noise;
	if (hp_noise_read_second(&noise, &wg->local, &peer->remote,
				 msg->ephemeral, msg->nothing,
				 sizeof(msg->nothing), NULL, &keys))
		goto out;
	why = HP_DROP_NOMEM;
	s = hp_session_new(wg->aead, peer->fib, &keys, peer->handshake.index,
			   hp_get_le32(msg->sender), true, now_ns);
	if (!s)
		goto out;
	path = *hp_peer_path_after(peer, from);
	if (hp_peer_take_initiated(peer, s, &path)) {
		hp_session_free(s);
		goto out;
	}
	why = HP_DROP_NONE;
	hp_peer_stop_handshake(peer);
	if (!hp_path_eq(&path, &peer->path)) {
		peer->path = path;
		hp_peer_event(peer, HP_WG_ROAMED);
	}
	completed(peer, now_ns);
out:
	sodium_memzero(&keys, sizeof(keys));
	hp_noise_wipe(&noise);
	return why;
}

static enum hp_drop consume_cookie(struct hp_wg *wg,
				   const struct hp_wire_cookie *msg,
				   uint64_t now_ns)
{
	uint32_t index = hp_get_le32(msg->receiver);
	struct hp_wg_peer *peer = hp_peer_pending(wg, index);
	struct hp_session *s = hp_fib_find(wg->fib, index);

	if (!peer && s)
		peer = hp_wg_peer_by_id(wg, s->peer->id);
	if (!peer)
		return HP_DROP_INDEX;
	return hp_cookie_reply_consume(&peer->cookie, msg, now_ns) ?
		       HP_DROP_AUTH : HP_DROP_NONE;
}

/* ---- the door ----------------------------------------------------------- */

static bool under_load(struct hp_wg *wg, uint64_t now_ns)
{
	if (hp_time_since(now_ns, wg->load_ns) >= HP_S) {
		wg->load_ns = now_ns;
		wg->load_n = 0;
	}
	if (++wg->load_n > wg->load_per_s)
		wg->load_until_ns = now_ns + HP_S;
	return now_ns < wg->load_until_ns;
}

static void send_cookie(struct hp_wg *wg, const struct hp_path *to,
			const uint8_t *msg, size_t len, uint64_t now_ns)
{
	uint8_t buf[HP_HEADROOM + sizeof(struct hp_wire_cookie) + HP_TAILROOM];
	struct hp_pkt pkt = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM,
				      sizeof(struct hp_wire_cookie));

	hp_cookie_reply_make(&wg->checker, wg->rng, msg, len, to, now_ns,
			     (void *)pkt.data);
	wg->ops.send(wg->ctx, NULL, to, &pkt);
}

/* What can be told before any costly computation. */
static enum hp_drop admit(struct hp_wg *wg, const struct hp_path *from,
			  const uint8_t *msg, size_t len, uint64_t now_ns)
{
	if (!wg->has_key || !hp_cookie_mac1_ok(&wg->checker, msg, len))
		return HP_DROP_MAC;
	if (!under_load(wg, now_ns))
		return HP_DROP_NONE;
	if (!hp_cookie_mac2_ok(&wg->checker, msg, len, from, now_ns)) {
		send_cookie(wg, from, msg, len, now_ns);
		return HP_DROP_COOKIE;
	}
	if (!hp_ratelimit_allow(&wg->limit, &from->remote, now_ns))
		return HP_DROP_LIMIT;
	return HP_DROP_NONE;
}

enum hp_drop hp_handshake_rx(struct hp_wg *wg, const struct hp_path *from,
			     const uint8_t *msg, size_t len, uint64_t now_ns)
{
	uint32_t type = len < 4 ? 0 : hp_get_le32(msg);
	enum hp_drop why;

	if (type == HP_WG_COOKIE && len == sizeof(struct hp_wire_cookie))
		return consume_cookie(wg, (const void *)msg, now_ns);
	if (!(type == HP_WG_INITIATION &&
	      len == sizeof(struct hp_wire_initiation)) &&
	    !(type == HP_WG_RESPONSE &&
	      len == sizeof(struct hp_wire_response)))
		return HP_DROP_FORMAT;
	why = admit(wg, from, msg, len, now_ns);
	if (why)
		return why;
	if (type == HP_WG_INITIATION)
		return consume_initiation(wg, from, (const void *)msg, now_ns);
	return consume_response(wg, from, (const void *)msg, now_ns);
}
