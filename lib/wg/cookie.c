/* SPDX-License-Identifier: ISC */
#include "wg/cookie.h"

#include <string.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/crypto.h"

/* A cookie is not used so shortly before its maker forgets the secret. */
#define COOKIE_MARGIN (5 * HP_S)

static void label_key(const char *label, const struct hp_public *public,
		      struct hp_secret *out)
{
	const struct hp_piece pieces[] = {
		{ label, 8 },
		{ public->b, sizeof(public->b) },
	};

	hp_blake2s(out->b, pieces, 2);
}

void hp_cookie_keys_of(const struct hp_public *public,
		       struct hp_cookie_keys *out)
{
	label_key("mac1----", public, &out->mac1);
	label_key("cookie--", public, &out->box);
}

static void mac1_of(const struct hp_secret *key, const uint8_t *msg,
		    size_t len, uint8_t out[16])
{
	const struct hp_piece piece = {
		msg, len - sizeof(struct hp_wire_macs),
	};

	hp_blake2s_mac16(out, key->b, sizeof(key->b), &piece, 1);
}

static void mac2_of(const uint8_t cookie[16], const uint8_t *msg, size_t len,
		    uint8_t out[16])
{
	const struct hp_piece piece = { msg, len - 16 };

	hp_blake2s_mac16(out, cookie, 16, &piece, 1);
}

void hp_cookie_sign(struct hp_cookie_maker *m, uint8_t *msg, size_t len,
		    uint64_t now_ns)
{
	uint8_t *macs = msg + len - sizeof(struct hp_wire_macs);
	struct hp_secret key; /* made anew: handshakes are rare, peers many */

	label_key("mac1----", m->to, &key);
	mac1_of(&key, msg, len, macs);
	memcpy(m->mac1, macs, sizeof(m->mac1));
	m->has_mac1 = true;
	memset(macs + 16, 0, 16);
	if (m->has_cookie && hp_time_since(now_ns, m->cookie_ns) <
				     HP_WG_COOKIE_TIME - COOKIE_MARGIN)
		mac2_of(m->cookie, msg, len, macs + 16);
}

bool hp_cookie_mac1_ok(const struct hp_cookie_checker *c, const uint8_t *msg,
		       size_t len)
{
	uint8_t mac[16];

	mac1_of(&c->keys.mac1, msg, len, mac);
	return !sodium_memcmp(mac, msg + len - sizeof(struct hp_wire_macs),
			      sizeof(mac));
}

/* The cookie of a source: its address and port, and the relay channel, since
 * all who come through one relay have the relay's address.
 */
static void cookie_of(const struct hp_cookie_checker *c,
		      const struct hp_path *from, uint8_t out[16])
{
	uint8_t port_channel[6];
	const struct hp_piece pieces[] = {
		{ from->remote.ip, hp_addr_ip_len(&from->remote) },
		{ port_channel, from->channel ? 6 : 2 },
	};

	hp_put_be16(port_channel, from->remote.port);
	hp_put_be32(port_channel + 2, from->channel);
	hp_blake2s_mac16(out, c->secret.b, sizeof(c->secret.b), pieces, 2);
}

static bool secret_fresh(const struct hp_cookie_checker *c, uint64_t now_ns)
{
	return c->has_secret &&
	       hp_time_since(now_ns, c->secret_ns) < HP_WG_COOKIE_TIME;
}

bool hp_cookie_mac2_ok(const struct hp_cookie_checker *c, const uint8_t *msg,
		       size_t len, const struct hp_path *from, uint64_t now_ns)
{
	uint8_t cookie[16];
	uint8_t mac[16];

	if (!secret_fresh(c, now_ns))
		return false;
	cookie_of(c, from, cookie);
	mac2_of(cookie, msg, len, mac);
	sodium_memzero(cookie, sizeof(cookie));
	return !sodium_memcmp(mac, msg + len - sizeof(mac), sizeof(mac));
}

void hp_cookie_reply_make(struct hp_cookie_checker *c,
			  const struct hp_rng *rng, const uint8_t *msg,
			  size_t len, const struct hp_path *from,
			  uint64_t now_ns, struct hp_wire_cookie *out)
{
	const uint8_t *mac1 = msg + len - sizeof(struct hp_wire_macs);
	uint8_t cookie[16];

	if (!secret_fresh(c, now_ns)) {
		hp_rng_fill(rng, c->secret.b, sizeof(c->secret.b));
		c->secret_ns = now_ns;
		c->has_secret = true;
	}
	cookie_of(c, from, cookie);
	hp_put_le32(out->type, HP_WG_COOKIE);
	/* Both messages that are answered have their sender at byte 4. */
	memcpy(out->receiver, msg + 4, sizeof(out->receiver));
	hp_box_seal(&c->keys.box, rng, mac1, 16, cookie, sizeof(cookie),
		    out->box);
	sodium_memzero(cookie, sizeof(cookie));
}

enum hp_err hp_cookie_reply_consume(struct hp_cookie_maker *m,
				    const struct hp_wire_cookie *reply,
				    uint64_t now_ns)
{
	struct hp_secret key;
	uint8_t cookie[16];
	enum hp_err err;

	if (!m->has_mac1)
		return HP_ERR_STATE;
	label_key("cookie--", m->to, &key);
	err = hp_box_open(&key, m->mac1, sizeof(m->mac1), reply->box,
			  sizeof(reply->box), cookie);
	if (err)
		return err;
	memcpy(m->cookie, cookie, sizeof(cookie));
	sodium_memzero(cookie, sizeof(cookie));
	m->cookie_ns = now_ns;
	m->has_cookie = true;
	/* One answer to a message is enough. */
	m->has_mac1 = false;
	return HP_OK;
}
