/* SPDX-License-Identifier: ISC */
#include "meet/stun.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

#define COOKIE 0x2112a442
#define FINGERPRINT_XOR 0x5354554e

enum stun_type {
	BINDING_REQUEST = 0x0001,
	BINDING_SUCCESS = 0x0101,
	BINDING_ERROR = 0x0111,
};

enum stun_attr {
	MAPPED_ADDRESS = 0x0001,
	CHANGE_REQUEST = 0x0003,
	USERNAME = 0x0006,
	MESSAGE_INTEGRITY = 0x0008,
	ERROR_CODE = 0x0009,
	UNKNOWN_ATTRIBUTES = 0x000a,
	REALM = 0x0014,
	NONCE = 0x0015,
	MESSAGE_INTEGRITY_SHA256 = 0x001c,
	PASSWORD_ALGORITHM = 0x001d,
	USERHASH = 0x001e,
	XOR_MAPPED_ADDRESS = 0x0020,
	RESPONSE_PORT = 0x0027,
	COMPREHENSION_OPTIONAL = 0x8000,
	SOFTWARE = 0x8022,
	FINGERPRINT = 0x8028,
};

/* CHANGE-REQUEST's flags (RFC 5780 7.2) */
#define CHANGE_IP 0x4
#define CHANGE_PORT 0x2

static const char software[] = "hptun/0 stun binding";
static_assert(sizeof(software) - 1 == HP_STUN_REQUEST_LEN - HP_STUN_HEAD - 4,
	      "fills a request that asks for nothing special");

/* CRC-32 of ITU V.42, bit by bit: STUN messages are short and rare. */
static uint32_t crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* The next attribute; false at the end, or when @r goes bad. */
static bool next_attr(struct hp_rd *r, uint16_t *type, struct hp_rd *value)
{
	uint16_t len;
	const uint8_t *p;

	if (r->left == 0)
		return false;
	*type = hp_rd_be16(r);
	len = hp_rd_be16(r);
	p = hp_rd_take(r, len);
	hp_rd_take(r, -(size_t)len & 3);
	*value = hp_rd_of(p, len);
	return !r->bad;
}

/* @value is the last thing in @msg of @len bytes? */
static enum hp_err check_fingerprint(const uint8_t *msg, size_t len,
				     struct hp_rd value)
{
	if (value.left != 4 || value.p + 4 != msg + len)
		return HP_ERR_FORMAT;
	if (hp_get_be32(value.p) != (crc32(msg, len - 8) ^ FINGERPRINT_XOR))
		return HP_ERR_AUTH;
	return HP_OK;
}

static enum hp_err check_head(const uint8_t *msg, size_t len)
{
	if (len < HP_STUN_HEAD)
		return HP_ERR_SHORT;
	if (msg[0] & 0xc0)
		return HP_ERR_TYPE;
	if (hp_get_be16(msg + 2) != len - HP_STUN_HEAD || len % 4)
		return HP_ERR_FORMAT;
	return HP_OK;
}

static void note_unknown(struct hp_stun_request *req, uint16_t type)
{
	/* RFC 3489 servers may do so too, but its clients gain nothing. */
	if (req->classic || type >= COMPREHENSION_OPTIONAL ||
	    req->n_unknown == HP_STUN_UNKNOWN_MAX)
		return;
	req->unknown[req->n_unknown++] = type;
}

static enum hp_err take_attr(struct hp_stun_request *req, uint16_t type,
			     struct hp_rd value)
{
	uint32_t flags;

	switch (type) {
	case CHANGE_REQUEST:
		flags = hp_rd_be32(&value);
		if (!hp_rd_done(&value))
			return HP_ERR_FORMAT;
		req->change_ip = flags & CHANGE_IP;
		req->change_port = flags & CHANGE_PORT;
		/* RFC 5780 6.1: what has no other address does not know it. */
		if (req->change_ip)
			note_unknown(req, type);
		return HP_OK;
	case RESPONSE_PORT:
		req->response_port = hp_rd_be16(&value);
		hp_rd_be16(&value);
		return hp_rd_done(&value) && req->response_port
			       ? HP_OK : HP_ERR_FORMAT;
	case USERNAME:
	case MESSAGE_INTEGRITY:
	case MESSAGE_INTEGRITY_SHA256:
	case REALM:
	case NONCE:
	case PASSWORD_ALGORITHM:
	case USERHASH:
		return HP_OK; /* no credentials asked for, none looked at */
	default:
		note_unknown(req, type);
		return HP_OK;
	}
}

enum hp_err hp_stun_request_get(const uint8_t *msg, size_t len,
				struct hp_stun_request *out)
{
	enum hp_err err = check_head(msg, len);
	struct hp_stun_request req = { 0 };
	struct hp_rd r, value;
	uint16_t type;
	bool ignore = false;

	if (err)
		return err;
	if (hp_get_be16(msg) != BINDING_REQUEST)
		return HP_ERR_TYPE;
	memcpy(req.id, msg + 4, sizeof(req.id));
	req.classic = hp_get_be32(msg + 4) != COOKIE;
	r = hp_rd_of(msg + HP_STUN_HEAD, len - HP_STUN_HEAD);
	while (next_attr(&r, &type, &value)) {
		if (type == FINGERPRINT && !req.classic) {
			err = check_fingerprint(msg, len, value);
			req.fingerprint = true;
		} else if (!ignore) {
			err = take_attr(&req, type, value);
		}
		if (err)
			return err;
		/* RFC 8489 14.5: what follows it does not count. */
		ignore |= type == MESSAGE_INTEGRITY ||
			  type == MESSAGE_INTEGRITY_SHA256;
	}
	if (!hp_rd_done(&r))
		return HP_ERR_FORMAT;
	*out = req;
	return HP_OK;
}

static void put_attr(struct hp_wr *w, uint16_t type, uint16_t len)
{
	hp_wr_be16(w, type);
	hp_wr_be16(w, len);
}

static void put_addr(struct hp_wr *w, const struct hp_addr *a,
		     const uint8_t id[16], bool xored)
{
	static const uint8_t none[16];
	const uint8_t *mask = xored ? id : none;
	size_t n = hp_addr_ip_len(a);

	put_attr(w, xored ? XOR_MAPPED_ADDRESS : MAPPED_ADDRESS,
		 (uint16_t)(4 + n));
	hp_wr_be16(w, a->family == HP_AF_4 ? 1 : 2);
	hp_wr_be16(w, a->port ^ hp_get_be16(mask));
	for (size_t i = 0; i < n; i++)
		hp_wr_u8(w, a->ip[i] ^ mask[i]);
}

static void put_unknown(struct hp_wr *w, const struct hp_stun_request *req)
{
	put_attr(w, ERROR_CODE, 4);
	hp_wr_be32(w, 4 << 8 | 20);
	put_attr(w, UNKNOWN_ATTRIBUTES, (uint16_t)(2 * req->n_unknown));
	for (size_t i = 0; i < req->n_unknown; i++)
		hp_wr_be16(w, req->unknown[i]);
	hp_wr_zero(w, -(2 * req->n_unknown) & 3);
}

static void put_fingerprint(struct hp_wr *w)
{
	hp_put_be16(w->start + 2, (uint16_t)(w->len + 8 - HP_STUN_HEAD));
	hp_wr_be16(w, FINGERPRINT);
	hp_wr_be16(w, 4);
	hp_wr_be32(w, crc32(w->start, w->len - 4) ^ FINGERPRINT_XOR);
}

size_t hp_stun_reply_put(const struct hp_stun_request *req,
			 const struct hp_addr *seen,
			 uint8_t out[HP_STUN_REPLY_MAX])
{
	struct hp_wr w = hp_wr_of(out, HP_STUN_REPLY_MAX);

	hp_wr_be16(&w, req->n_unknown ? BINDING_ERROR : BINDING_SUCCESS);
	hp_wr_be16(&w, 0);
	hp_wr_copy(&w, req->id, sizeof(req->id));
	if (req->n_unknown)
		put_unknown(&w, req);
	else
		put_addr(&w, seen, req->id, !req->classic);
	hp_put_be16(out + 2, (uint16_t)(w.len - HP_STUN_HEAD));
	if (req->fingerprint)
		put_fingerprint(&w);
	assert(!w.bad);
	return w.len;
}

void hp_stun_probe_put(uint8_t out[HP_STUN_REQUEST_LEN],
		       const uint8_t tid[HP_STUN_TID_LEN], bool change_port,
		       uint16_t response_port)
{
	struct hp_wr w = hp_wr_of(out, HP_STUN_REQUEST_LEN);
	size_t fill;

	hp_wr_be16(&w, BINDING_REQUEST);
	hp_wr_be16(&w, HP_STUN_REQUEST_LEN - HP_STUN_HEAD);
	hp_wr_be32(&w, COOKIE);
	hp_wr_copy(&w, tid, HP_STUN_TID_LEN);
	if (change_port) {
		put_attr(&w, CHANGE_REQUEST, 4);
		hp_wr_be32(&w, CHANGE_PORT);
	}
	if (response_port) {
		put_attr(&w, RESPONSE_PORT, 4);
		hp_wr_be32(&w, (uint32_t)response_port << 16);
	}
	/* As much of the name as makes the length right. */
	fill = HP_STUN_REQUEST_LEN - 4 - w.len;
	put_attr(&w, SOFTWARE, (uint16_t)fill);
	hp_wr_copy(&w, software, fill);
	assert(!w.bad && w.len == HP_STUN_REQUEST_LEN);
}

void hp_stun_request_put(uint8_t out[HP_STUN_REQUEST_LEN],
			 const uint8_t tid[HP_STUN_TID_LEN])
{
	hp_stun_probe_put(out, tid, false, 0);
}

static enum hp_err get_addr(struct hp_rd value, const uint8_t id[16],
			    bool xored, struct hp_addr *out)
{
	static const uint8_t none[16];
	const uint8_t *mask = xored ? id : none;
	uint16_t family = hp_rd_be16(&value) & 0xff;
	uint16_t port = hp_rd_be16(&value) ^ hp_get_be16(mask);
	uint8_t ip[16] = { 0 };
	size_t n = family == 1 ? 4 : 16;

	if ((family != 1 && family != 2) || value.left != n || !port)
		return HP_ERR_FORMAT;
	for (size_t i = 0; i < n; i++)
		ip[i] = hp_rd_u8(&value) ^ mask[i];
	*out = hp_addr_of(family == 1 ? HP_AF_4 : HP_AF_6, ip, port);
	return HP_OK;
}

enum hp_err hp_stun_reply_get(const uint8_t *msg, size_t len,
			      const uint8_t tid[HP_STUN_TID_LEN],
			      struct hp_addr *seen)
{
	enum hp_err err = check_head(msg, len);
	struct hp_addr plain = { 0 }, xored = { 0 };
	struct hp_rd r, value;
	uint16_t type, what;

	if (err)
		return err;
	what = hp_get_be16(msg);
	if ((what != BINDING_SUCCESS && what != BINDING_ERROR) ||
	    hp_get_be32(msg + 4) != COOKIE ||
	    memcmp(msg + 8, tid, HP_STUN_TID_LEN) != 0)
		return HP_ERR_TYPE;
	r = hp_rd_of(msg + HP_STUN_HEAD, len - HP_STUN_HEAD);
	while (next_attr(&r, &type, &value)) {
		if (type == XOR_MAPPED_ADDRESS && !xored.family)
			err = get_addr(value, msg + 4, true, &xored);
		else if (type == MAPPED_ADDRESS && !plain.family)
			err = get_addr(value, msg + 4, false, &plain);
		else if (type == FINGERPRINT)
			err = check_fingerprint(msg, len, value);
		if (err)
			return err;
	}
	if (!hp_rd_done(&r))
		return HP_ERR_FORMAT;
	if (what == BINDING_ERROR)
		return HP_ERR_DENIED;
	if (!xored.family && !plain.family)
		return HP_ERR_FORMAT;
	*seen = xored.family ? xored : plain;
	return HP_OK;
}
