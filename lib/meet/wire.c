/* SPDX-License-Identifier: ISC */
/*
 * Well-formedness of the rendezvous messages, their MACs and signatures, and
 * the keys of a session.
 */
#include "meet/wire.h"

#include <assert.h>
#include <string.h>
#include <sodium.h>

#include "base/bytes.h"

#define REGISTER_MAX                                      \
	(sizeof(struct hp_meet_register) + HP_MEET_RECORD_MAX + \
	 HP_SIG_LEN)

static const char register_label[] = "hptun meet register v1";

static bool all_zero(const uint8_t *p, size_t len)
{
	return sodium_is_zero(p, len);
}

static enum hp_family addr_family(uint8_t v)
{
	return v == HP_AF_4 ? HP_AF_4 : v == HP_AF_6 ? HP_AF_6 : HP_AF_NONE;
}

void hp_meet_addr_put(struct hp_meet_addr *out, const struct hp_addr *a)
{
	memset(out, 0, sizeof(*out));
	out->family = (uint8_t)a->family;
	if (a->family == HP_AF_NONE)
		return;
	hp_put_be16(out->port, a->port);
	memcpy(out->ip, a->ip, hp_addr_ip_len(a));
}

enum hp_err hp_meet_addr_get(const struct hp_meet_addr *in,
			     struct hp_addr *out)
{
	enum hp_family family = addr_family(in->family);
	uint16_t port = hp_get_be16(in->port);
	struct hp_meet_addr canonical;
	struct hp_addr a = { 0 };

	if (family != HP_AF_NONE)
		a = hp_addr_of(family, in->ip, port);
	hp_meet_addr_put(&canonical, &a);
	if (memcmp(&canonical, in, sizeof(canonical)) != 0 ||
	    (family != HP_AF_NONE && port == 0))
		return HP_ERR_FORMAT;
	*out = a;
	return HP_OK;
}

static enum hp_err check_addr(const struct hp_meet_addr *in)
{
	struct hp_addr ignored;

	return hp_meet_addr_get(in, &ignored);
}

static enum hp_err check_exact(size_t len, size_t want)
{
	if (len < want)
		return HP_ERR_SHORT;
	return len == want ? HP_OK : HP_ERR_FORMAT;
}

/* Length of a message whose last part has a length field of its own. */
static enum hp_err check_tail(size_t len, size_t fixed, size_t part,
			      size_t part_max, size_t behind)
{
	if (part > part_max)
		return HP_ERR_FORMAT;
	return check_exact(len, fixed + part + behind);
}

static bool reason_known(uint8_t v)
{
	switch ((enum hp_meet_reason)v) {
	case HP_MEET_NOT_ALLOWED:
	case HP_MEET_FULL:
	case HP_MEET_NETWORK_FULL:
	case HP_MEET_LIMIT:
	case HP_MEET_OFFLINE:
		return true;
	case HP_MEET_TIMEOUT:
		return false;
	}
	return false;
}

static enum hp_err check_hello(const uint8_t *msg)
{
	const struct hp_meet_hello *m = (const void *)msg;

	return all_zero(m->zero, sizeof(m->zero)) ? HP_OK : HP_ERR_FORMAT;
}

static enum hp_err check_challenge(const uint8_t *msg)
{
	const struct hp_meet_challenge *m = (const void *)msg;

	return check_addr(&m->seen);
}

static enum hp_err check_register(const uint8_t *msg, size_t len)
{
	const struct hp_meet_register *m = (const void *)msg;

	return check_tail(len, sizeof(*m), hp_get_be16(m->record_len),
			  HP_MEET_RECORD_MAX, HP_SIG_LEN);
}

static enum hp_err check_registered(const uint8_t *msg)
{
	const struct hp_meet_registered *m = (const void *)msg;

	if (m->zero || m->relay > 1 || hp_get_be16(m->lifetime_s) == 0)
		return HP_ERR_FORMAT;
	return check_addr(&m->seen);
}

static enum hp_err check_refused(const uint8_t *msg)
{
	const struct hp_meet_refused *m = (const void *)msg;

	if (!all_zero(m->zero, sizeof(m->zero)) || !reason_known(m->reason))
		return HP_ERR_FORMAT;
	return HP_OK;
}

static enum hp_err check_keepalive(const uint8_t *msg, size_t len)
{
	const struct hp_meet_keepalive *m = (const void *)msg;

	if (!all_zero(m->zero, sizeof(m->zero)))
		return HP_ERR_FORMAT;
	return check_tail(len, sizeof(*m), hp_get_be16(m->record_len),
			  HP_MEET_RECORD_MAX, HP_MEET_MAC_LEN);
}

static enum hp_err check_alive(const uint8_t *msg)
{
	const struct hp_meet_alive *m = (const void *)msg;

	return check_addr(&m->seen);
}

static enum hp_err check_connect(const uint8_t *msg, size_t len)
{
	const struct hp_meet_connect *m = (const void *)msg;
	size_t offer_len = hp_get_be16(m->offer_len);
	enum hp_err err;

	if (offer_len > HP_MEET_OFFER_MAX)
		return HP_ERR_FORMAT;
	err = check_exact(len, HP_MEET_CONNECT_LEN(offer_len));
	if (err)
		return err;
	return all_zero(msg + sizeof(*m) + offer_len,
			len - HP_MEET_MAC_LEN - sizeof(*m) - offer_len) ?
		       HP_OK : HP_ERR_FORMAT;
}

static enum hp_err check_intro(const uint8_t *msg, size_t len)
{
	const struct hp_meet_intro *m = (const void *)msg;

	if (m->zero || m->answer > 1 || check_addr(&m->seen))
		return HP_ERR_FORMAT;
	return check_tail(len, sizeof(*m), hp_get_be16(m->blob_len),
			  m->answer ? HP_MEET_RECORD_MAX : HP_MEET_OFFER_MAX,
			  HP_MEET_MAC_LEN);
}

static enum hp_err check_failed(const uint8_t *msg)
{
	const struct hp_meet_failed *m = (const void *)msg;

	if (!all_zero(m->zero, sizeof(m->zero)) || !reason_known(m->reason))
		return HP_ERR_FORMAT;
	return HP_OK;
}

static enum hp_err check_list(const uint8_t *msg)
{
	const struct hp_meet_list *m = (const void *)msg;

	return all_zero(m->zero, sizeof(m->zero)) ? HP_OK : HP_ERR_FORMAT;
}

static enum hp_err check_members(const uint8_t *msg, size_t len)
{
	const struct hp_meet_members *m = (const void *)msg;
	size_t n = hp_get_be16(m->n);
	uint64_t end = (uint64_t)hp_get_be32(m->start) + n;

	if (!all_zero(m->zero, sizeof(m->zero)) || n > HP_MEET_PAGE ||
	    (n && end > hp_get_be32(m->total)))
		return HP_ERR_FORMAT;
	return check_exact(len, HP_MEET_MEMBERS_LEN(n));
}

static enum hp_err check_no_channel(const uint8_t *msg)
{
	const struct hp_meet_no_channel *m = (const void *)msg;

	return hp_get_be32(m->channel) ? HP_OK : HP_ERR_FORMAT;
}

/* Bytes that a message of this kind has at least; the exact length of those
 * that have one.
 */
static size_t least_len(enum hp_meet_kind kind)
{
	switch (kind) {
	case HP_MEET_HELLO:
		return sizeof(struct hp_meet_hello);
	case HP_MEET_CHALLENGE:
		return sizeof(struct hp_meet_challenge);
	case HP_MEET_REGISTER:
		return sizeof(struct hp_meet_register) + HP_SIG_LEN;
	case HP_MEET_REGISTERED:
		return sizeof(struct hp_meet_registered);
	case HP_MEET_REFUSED:
		return sizeof(struct hp_meet_refused);
	case HP_MEET_KEEPALIVE:
		return sizeof(struct hp_meet_keepalive) + HP_MEET_MAC_LEN;
	case HP_MEET_ALIVE:
		return sizeof(struct hp_meet_alive);
	case HP_MEET_CONNECT:
		return HP_MEET_CONNECT_LEN(0);
	case HP_MEET_INTRO:
		return HP_MEET_INTRO_LEN(0);
	case HP_MEET_INTRO_ACK:
		return sizeof(struct hp_meet_intro_ack);
	case HP_MEET_DELIVERED:
		return sizeof(struct hp_meet_delivered);
	case HP_MEET_FAILED:
		return sizeof(struct hp_meet_failed);
	case HP_MEET_LIST:
		return sizeof(struct hp_meet_list);
	case HP_MEET_MEMBERS:
		return HP_MEET_MEMBERS_LEN(0);
	case HP_MEET_BYE:
		return sizeof(struct hp_meet_bye);
	case HP_MEET_UNKNOWN:
		return sizeof(struct hp_meet_unknown);
	case HP_MEET_NO_CHANNEL:
		return sizeof(struct hp_meet_no_channel);
	}
	return 0;
}

static bool has_variable_len(enum hp_meet_kind kind)
{
	return kind == HP_MEET_REGISTER || kind == HP_MEET_KEEPALIVE ||
	       kind == HP_MEET_CONNECT || kind == HP_MEET_INTRO ||
	       kind == HP_MEET_MEMBERS;
}

/* @msg has the least length of its kind. */
static enum hp_err check_body(enum hp_meet_kind kind, const uint8_t *msg,
			      size_t len)
{
	switch (kind) {
	case HP_MEET_HELLO:
		return check_hello(msg);
	case HP_MEET_CHALLENGE:
		return check_challenge(msg);
	case HP_MEET_REGISTER:
		return check_register(msg, len);
	case HP_MEET_REGISTERED:
		return check_registered(msg);
	case HP_MEET_REFUSED:
		return check_refused(msg);
	case HP_MEET_KEEPALIVE:
		return check_keepalive(msg, len);
	case HP_MEET_ALIVE:
		return check_alive(msg);
	case HP_MEET_CONNECT:
		return check_connect(msg, len);
	case HP_MEET_INTRO:
		return check_intro(msg, len);
	case HP_MEET_FAILED:
		return check_failed(msg);
	case HP_MEET_LIST:
		return check_list(msg);
	case HP_MEET_MEMBERS:
		return check_members(msg, len);
	case HP_MEET_NO_CHANNEL:
		return check_no_channel(msg);
	case HP_MEET_INTRO_ACK:
	case HP_MEET_DELIVERED:
	case HP_MEET_BYE:
	case HP_MEET_UNKNOWN:
		return HP_OK;
	}
	return HP_ERR_TYPE;
}

enum hp_err hp_meet_check(const uint8_t *msg, size_t len)
{
	enum hp_meet_kind kind;
	size_t least;

	if (hp_datagram_kind(msg, len) != HP_DGRAM_MEET)
		return HP_ERR_TYPE;
	kind = (enum hp_meet_kind)msg[3];
	least = least_len(kind);
	if (!least)
		return HP_ERR_TYPE;
	if (len < least)
		return HP_ERR_SHORT;
	if (!has_variable_len(kind) && len != least)
		return HP_ERR_FORMAT;
	return check_body(kind, msg, len);
}

void hp_meet_session_head_put(struct hp_meet_session_head *h,
			      enum hp_meet_kind kind, const uint8_t session[8],
			      uint64_t counter)
{
	hp_datagram_head(h->head, (uint8_t)kind);
	memcpy(h->session, session, sizeof(h->session));
	hp_put_be64(h->counter, counter);
}

static void mac(uint8_t out[HP_MEET_MAC_LEN], const struct hp_secret *key,
		const uint8_t *msg, size_t len)
{
	const struct hp_piece all = { msg, len };

	hp_blake2b(out, HP_MEET_MAC_LEN, key, &all, 1);
}

void hp_meet_mac_put(const struct hp_secret *key, uint8_t *msg, size_t len)
{
	assert(len > HP_MEET_MAC_LEN && len <= HP_MEET_MAX);
	mac(msg + len - HP_MEET_MAC_LEN, key, msg, len - HP_MEET_MAC_LEN);
}

enum hp_err hp_meet_mac_check(const struct hp_secret *key, const uint8_t *msg,
			      size_t len)
{
	uint8_t want[HP_MEET_MAC_LEN];

	if (len < HP_MEET_MAC_LEN)
		return HP_ERR_SHORT;
	len -= HP_MEET_MAC_LEN;
	mac(want, key, msg, len);
	return sodium_memcmp(want, msg + len, sizeof(want)) ? HP_ERR_AUTH :
							      HP_OK;
}

enum hp_err hp_meet_window_accept(struct hp_meet_window *w, uint64_t counter)
{
	uint64_t behind;

	if (counter == 0)
		return HP_ERR_REPLAY;
	if (counter > w->top) {
		uint64_t ahead = counter - w->top;

		w->seen = ahead < 64 ? w->seen << ahead : 0;
		w->seen |= 1;
		w->top = counter;
		return HP_OK;
	}
	behind = w->top - counter;
	if (behind >= 64 || (w->seen >> behind & 1))
		return HP_ERR_REPLAY;
	w->seen |= UINT64_C(1) << behind;
	return HP_OK;
}

/* What is signed: label, the server's ephemeral key, and the message. */
static size_t register_transcript(uint8_t *out, const uint8_t *msg, size_t len,
				  const struct hp_public *server)
{
	struct hp_wr w = hp_wr_of(out, sizeof(register_label) + HP_KEY_LEN +
					       REGISTER_MAX);

	hp_wr_copy(&w, register_label, sizeof(register_label));
	hp_wr_copy(&w, server->b, sizeof(server->b));
	hp_wr_copy(&w, msg, len - HP_SIG_LEN);
	assert(!w.bad);
	return w.len;
}

void hp_meet_register_sign(uint8_t *msg, size_t len,
			   const struct hp_secret *seed,
			   const struct hp_public *server)
{
	uint8_t buf[sizeof(register_label) + HP_KEY_LEN + REGISTER_MAX];
	size_t n = register_transcript(buf, msg, len, server);
	struct hp_sig sig;

	hp_sign(seed, buf, n, &sig);
	memcpy(msg + len - HP_SIG_LEN, sig.b, HP_SIG_LEN);
}

enum hp_err hp_meet_register_verify(const uint8_t *msg, size_t len,
				    const struct hp_public *server)
{
	const struct hp_meet_register *m = (const void *)msg;
	uint8_t buf[sizeof(register_label) + HP_KEY_LEN + REGISTER_MAX];
	size_t n = register_transcript(buf, msg, len, server);
	struct hp_public network;
	struct hp_sig sig;

	memcpy(network.b, m->network, sizeof(network.b));
	memcpy(sig.b, msg + len - HP_SIG_LEN, sizeof(sig.b));
	return hp_sign_check(&network, buf, n, &sig);
}

enum hp_err hp_meet_keys_derive(const struct hp_secret *own,
				const struct hp_public *other,
				const struct hp_public *server,
				const uint8_t *msg, size_t len,
				struct hp_meet_keys *out)
{
	const struct hp_piece transcript[] = {
		{ server->b, sizeof(server->b) },
		{ msg, len },
	};
	uint8_t hash[HP_HASH_LEN];
	struct hp_secret shared;
	enum hp_err err = hp_dh(own, other, &shared);

	if (err)
		return err;
	hp_blake2b(hash, sizeof(hash), NULL, transcript, 2);
	hp_derive(&shared, "hptun meet to server v1", hash, sizeof(hash),
		  &out->to_server);
	hp_derive(&shared, "hptun meet to client v1", hash, sizeof(hash),
		  &out->to_client);
	hp_secret_wipe(&shared);
	return HP_OK;
}
