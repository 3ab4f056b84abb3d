/* SPDX-License-Identifier: ISC */
/*
 * Text: "hptun1:" and base64url (RFC 4648, 5). Each group of 40 characters is
 * 30 bytes: 29 of the payload and their CRC-8, which finds every change of one
 * character and so says where it is. The payload begins with its own length,
 * which tells a token that was cut off, and ends with 4 bytes of BLAKE2b over
 * all of it, against the changes that CRCs miss.
 */
#include "member/token.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define PREFIX "hptun1:"
#define PREFIX_LEN 7
#define GROUP_DATA 29
#define GROUP_TEXT 40
#define HASH_LEN 4
#define PAYLOAD_MAX 740
/* "tls://HOST" */
#define SERVER_MAX (HP_SERVER_HOST + 6)
#define B64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

/* length, name, id, secret, invite, grant, servers, keys, hash */
_Static_assert(2 + HP_NAME_TEXT + 3 * HP_KEY_LEN + HP_CERT_WIRE_MAX - 129 + 1 +
			       HP_SERVERS_MAX * (SERVER_MAX + 2) + 1 +
			       HP_TLS_PINS_MAX * HP_TLS_PIN_LEN + HASH_LEN <=
		       PAYLOAD_MAX,
	       "the longest payload fits");
_Static_assert(PREFIX_LEN + (PAYLOAD_MAX / GROUP_DATA) * GROUP_TEXT <
		       HP_TOKEN_TEXT,
	       "the longest token fits");

static const char again[] =
	"ask for the whole line again, and copy it in one piece";

/* CRC-8, x^8 + x^2 + x + 1: finds every burst of up to eight bits. */
static uint8_t crc8(const uint8_t *p, size_t len)
{
	uint8_t crc = 0xff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint8_t)(crc << 1 ^ (crc & 0x80 ? 0x07 : 0));
	}
	return crc;
}

static void payload_hash(const uint8_t *p, size_t len, uint8_t out[16])
{
	static const char label[] = "hptun token v1";
	const struct hp_piece pieces[] = {
		{ label, sizeof(label) },
		{ p, len },
	};

	hp_blake2b(out, 16, NULL, pieces, 2);
}

static void text_put(struct hp_wr *w, const char *text)
{
	size_t len = strlen(text);

	hp_wr_u8(w, (uint8_t)len);
	hp_wr_copy(w, text, len);
}

static void text_get(struct hp_rd *r, char *out, size_t cap)
{
	size_t len = hp_rd_u8(r);

	if (len >= cap) {
		r->bad = true;
		len = 0;
	}
	hp_rd_copy(r, out, len);
	out[len] = '\0';
	if (strlen(out) != len)
		r->bad = true;
}

static size_t payload_put(uint8_t *buf, const struct hp_network *net,
			  const struct hp_grant *g,
			  const struct hp_secret *invite)
{
	struct hp_wr w = hp_wr_of(buf, PAYLOAD_MAX);
	uint8_t hash[16];

	hp_wr_be16(&w, 0); /* the length, once it is known */
	text_put(&w, net->name);
	hp_wr_copy(&w, net->id.b, sizeof(net->id.b));
	hp_wr_copy(&w, net->secret.b, sizeof(net->secret.b));
	hp_wr_copy(&w, invite->b, sizeof(invite->b));
	hp_grant_put(&w, g);
	hp_wr_u8(&w, (uint8_t)net->n_servers);
	for (unsigned int i = 0; i < net->n_servers; i++) {
		char text[SERVER_MAX];

		snprintf(text, sizeof(text), "%s%s",
			 hp_server_scheme(net->server[i].over),
			 net->server[i].host);
		text_put(&w, text);
		hp_wr_be16(&w, net->server[i].port);
	}
	if (net->n_pins) {
		hp_wr_u8(&w, (uint8_t)net->n_pins);
		hp_wr_copy(&w, net->pin, net->n_pins * sizeof(net->pin[0]));
	}
	hp_put_be16(buf, (uint16_t)(w.len + HASH_LEN));
	payload_hash(buf, w.len, hash);
	hp_wr_copy(&w, hash, HASH_LEN);
	assert(!w.bad);
	return w.len;
}

void hp_token_make(const struct hp_network *net, const struct hp_secret *root,
		   const struct hp_grant *grant, const struct hp_rng *rng,
		   char out[HP_TOKEN_TEXT])
{
	struct hp_grant g = *grant;
	struct hp_secret invite;
	uint8_t payload[PAYLOAD_MAX];
	char *to = out + PREFIX_LEN;
	size_t len;

	hp_sign_keypair(rng, &invite, &g.invite);
	hp_grant_sign(&g, root);
	len = payload_put(payload, net, &g, &invite);
	memcpy(out, PREFIX, PREFIX_LEN + 1);
	for (size_t at = 0; at < len; at += GROUP_DATA) {
		size_t n = len - at < GROUP_DATA ? len - at : GROUP_DATA;
		uint8_t group[GROUP_DATA + 1];

		memcpy(group, payload + at, n);
		group[n] = crc8(group, n);
		sodium_bin2base64(to, GROUP_TEXT + 1, group, n + 1, B64);
		to += strlen(to);
		sodium_memzero(group, sizeof(group));
	}
	hp_secret_wipe(&invite);
	sodium_memzero(payload, sizeof(payload));
}

/* Copies @text without its white space; false: too long. */
static bool squeeze(const char *text, char out[HP_TOKEN_TEXT])
{
	size_t n = 0;

	for (; *text; text++) {
		if (strchr(" \t\r\n", *text))
			continue;
		if (n + 1 == HP_TOKEN_TEXT)
			return false;
		out[n++] = *text;
	}
	out[n] = '\0';
	return true;
}

static enum hp_err prefix_check(const char *text, struct hp_fault *f)
{
	size_t digits = strncmp(text, PREFIX, 5) ? 0
						 : strspn(text + 5, "0123456789");

	if (!strncmp(text, PREFIX, PREFIX_LEN))
		return HP_OK;
	if (digits && text[5 + digits] == ':')
		return hp_fault_set(f, HP_ERR_VERSION,
				    "install a newer hptun on this host",
				    "the token was made by a newer version of "
				    "hptun");
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "a token is the one line that `hptun invite` "
			    "printed; it begins with " PREFIX,
			    "this is not a token");
}

static enum hp_err damaged(struct hp_fault *f, size_t at, size_t len)
{
	enum hp_err err;

	err = hp_fault_set(f, HP_ERR_FORMAT, again,
			   "the token is damaged: a typo near characters "
			   "%zu to %zu", at + 1, at + len);
	if (f)
		f->column = (unsigned int)(at + 1);
	return err;
}

/* Whether a last group of @chars behind @n bytes of payload is shorter than
 * the length at the payload's beginning makes it. No token is one group long.
 */
static bool is_cut(const uint8_t *payload, size_t n, size_t chars)
{
	size_t rest;

	if (n < 2)
		return true;
	rest = hp_get_be16(payload) > n ? hp_get_be16(payload) - n : 0;
	if (rest > GROUP_DATA)
		return true;
	return (rest + 1) * 8 > chars * 6;
}

/* Text to payload; @text has been squeezed and has its prefix. */
static enum hp_err groups_get(const char *text, uint8_t payload[PAYLOAD_MAX],
			      size_t *len, struct hp_fault *f)
{
	size_t all = strlen(text);
	size_t n = 0;

	for (size_t at = PREFIX_LEN; at < all; at += GROUP_TEXT) {
		size_t chars = all - at < GROUP_TEXT ? all - at : GROUP_TEXT;
		uint8_t group[GROUP_DATA + 1];
		size_t got;

		if (sodium_base642bin(group, sizeof(group), text + at, chars,
				      NULL, &got, NULL, B64) ||
		    got < 2 || crc8(group, got - 1) != group[got - 1] ||
		    n + got - 1 > PAYLOAD_MAX) {
			sodium_memzero(group, sizeof(group));
			if (chars < GROUP_TEXT && is_cut(payload, n, chars))
				break;
			return damaged(f, at, chars);
		}
		memcpy(payload + n, group, got - 1);
		n += got - 1;
		sodium_memzero(group, sizeof(group));
	}
	*len = n;
	return HP_OK;
}

static enum hp_err whole_check(const uint8_t *payload, size_t len,
			       struct hp_fault *f)
{
	uint8_t hash[16];

	if (len < 2 || len < hp_get_be16(payload))
		return hp_fault_set(f, HP_ERR_SHORT, again,
				    "the token is cut off: its end is missing");
	if (len > hp_get_be16(payload))
		return hp_fault_set(f, HP_ERR_FORMAT, again,
				    "the token is damaged: something follows "
				    "its end");
	if (len < 2 + HASH_LEN)
		goto bad;
	payload_hash(payload, len - HASH_LEN, hash);
	if (!memcmp(hash, payload + len - HASH_LEN, HASH_LEN))
		return HP_OK;
bad:
	return hp_fault_set(f, HP_ERR_FORMAT, again,
			    "the token is damaged: its checksum is wrong");
}

static bool servers_get(struct hp_rd *r, struct hp_network *net)
{
	unsigned int n = hp_rd_u8(r);

	for (unsigned int i = 0; i < n && !r->bad; i++) {
		struct hp_server s = { 0 };
		char text[SERVER_MAX];
		const char *host = text;

		text_get(r, text, sizeof(text));
		s.over = hp_server_scheme_take(&host);
		if (r->bad || strlen(host) >= sizeof(s.host))
			return false;
		strcpy(s.host, host);
		s.port = hp_rd_be16(r);
		if (!s.host[0] || !s.port || hp_network_add_server(net, &s))
			return false;
	}
	return true;
}

/* Nothing follows the servers where no key is pinned. */
static bool pins_get(struct hp_rd *r, struct hp_network *net)
{
	if (hp_rd_done(r))
		return true;
	net->n_pins = hp_rd_u8(r);
	if (!net->n_pins || net->n_pins > HP_TLS_PINS_MAX)
		return false;
	hp_rd_copy(r, net->pin, net->n_pins * sizeof(net->pin[0]));
	return true;
}

static bool payload_get(const uint8_t *payload, size_t len,
			struct hp_token *t)
{
	struct hp_rd r = hp_rd_of(payload + 2, len - 2 - HASH_LEN);
	char name[HP_NAME_TEXT];
	char good[HP_NAME_TEXT];
	struct hp_secret secret;
	struct hp_public id;

	text_get(&r, name, sizeof(name));
	hp_rd_copy(&r, id.b, sizeof(id.b));
	hp_rd_copy(&r, secret.b, sizeof(secret.b));
	hp_rd_copy(&r, t->invite.b, sizeof(t->invite.b));
	t->grant = hp_grant_get(&r);
	if (r.bad || hp_name_parse(name, good, NULL))
		return false;
	hp_network_init(&t->net, good, &id, &secret);
	hp_secret_wipe(&secret);
	if (!servers_get(&r, &t->net) || !pins_get(&r, &t->net))
		return false;
	return hp_rd_done(&r);
}

/* A token that is whole may still have been made by somebody else. */
static enum hp_err token_verify(const struct hp_token *t, uint64_t wall_s,
				struct hp_fault *f)
{
	struct hp_public invite;
	char date[HP_DATE_TEXT];

	hp_sign_public(&t->invite, &invite);
	if (!hp_public_eq(&invite, &t->grant.invite) ||
	    hp_grant_check(&t->net.id, &t->grant))
		return hp_fault_set(f, HP_ERR_AUTH,
				    "do not use it; ask who sent it",
				    "the token is forged: its signature is "
				    "not that of the network");
	if (wall_s > t->grant.until_s)
		return hp_fault_set(f, HP_ERR_EXPIRED,
				    "ask for a new one (hptun invite NAME "
				    "--again); or check this host's clock",
				    "the token expired on %s",
				    hp_date_text(t->grant.until_s, date));
	return HP_OK;
}

enum hp_err hp_token_parse(const char *text, uint64_t wall_s,
			   struct hp_token *out, struct hp_fault *f)
{
	uint8_t payload[PAYLOAD_MAX] = { 0 };
	char squeezed[HP_TOKEN_TEXT];
	enum hp_err err;
	size_t len = 0;

	memset(out, 0, sizeof(*out));
	if (!squeeze(text, squeezed))
		return hp_fault_set(f, HP_ERR_FORMAT, again,
				    "this is too long for a token");
	err = prefix_check(squeezed, f);
	if (!err)
		err = groups_get(squeezed, payload, &len, f);
	if (!err)
		err = whole_check(payload, len, f);
	if (!err && !payload_get(payload, len, out))
		err = hp_fault_set(f, HP_ERR_FORMAT,
				   "ask for a new one",
				   "the token says what no token may say");
	if (!err)
		err = token_verify(out, wall_s, f);
	if (err)
		hp_token_wipe(out);
	sodium_memzero(payload, sizeof(payload));
	sodium_memzero(squeezed, sizeof(squeezed));
	return err;
}

void hp_token_wipe(struct hp_token *t)
{
	sodium_memzero(t, sizeof(*t));
}

char *hp_date_text(uint64_t wall_s, char out[HP_DATE_TEXT])
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    !strftime(out, HP_DATE_TEXT, "%Y-%m-%d %H:%M UTC", &tm))
		snprintf(out, HP_DATE_TEXT, "never");
	return out;
}
