/* SPDX-License-Identifier: ISC */
#include "punch/probe.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define SEEN_AT (2 + 4 * 8)
#define GUESS_METHODS (HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY)

static_assert(HP_PROBE_MIN == 105, "wire size");
static_assert(HP_PUNCH_TAG_AT == HP_WIRE_HEAD, "the tag follows the head");

void hp_punch_tag(const struct hp_secret *key, const struct hp_public *sender,
		  uint8_t out[HP_PUNCH_TAG_LEN])
{
	static const char label[] = "hptun probe tag v1";
	struct hp_piece pieces[] = { { label, sizeof(label) - 1 },
				     { sender->b, sizeof(sender->b) } };
	uint8_t hash[HP_HASH_LEN];

	hp_blake2b(hash, sizeof(hash), key, pieces, 2);
	memcpy(out, hash, HP_PUNCH_TAG_LEN);
}

void hp_probe_keys_init(struct hp_probe_keys *keys,
			const struct hp_secret *shared,
			const struct hp_public *own,
			const struct hp_public *peer)
{
	static const char label[] = "hptun probe v1";

	hp_derive(shared, label, own->b, sizeof(own->b), &keys->tx);
	hp_derive(shared, label, peer->b, sizeof(peer->b), &keys->rx);
	hp_punch_tag(shared, own, keys->tx_tag);
	hp_punch_tag(shared, peer, keys->rx_tag);
}

static void write_guess(struct hp_wr *w, const struct hp_guess_word *g)
{
	hp_wr_u8(w, (uint8_t)g->step);
	hp_wr_u8(w, (uint8_t)(g->have | g->heard << 1));
	hp_wr_u8(w, (uint8_t)g->methods);
	hp_wr_u8(w, (uint8_t)g->mapping);
	hp_wr_u8(w, (uint8_t)g->ports);
	hp_wr_be16(w, (uint16_t)g->stride);
	hp_wr_be16(w, g->last);
	hp_wr_be16(w, g->lo);
	hp_wr_be16(w, g->hi);
	hp_wr_be16(w, g->room);
	hp_wr_u8(w, g->attempt);
}

size_t hp_probe_seal(const struct hp_probe_keys *keys,
		     const struct hp_rng *rng, const struct hp_probe *m,
		     uint8_t out[HP_PROBE_MAX])
{
	uint8_t *body = out + HP_PROBE_HEAD + HP_XNONCE_LEN;
	struct hp_wr w = hp_wr_of(body, HP_PROBE_BODY + m->pad);

	assert(m->pad <= HP_PROBE_MAX - HP_PROBE_MIN);
	hp_datagram_head(out, HP_KIND_PROBE);
	memcpy(out + HP_PUNCH_TAG_AT, keys->tx_tag, HP_PUNCH_TAG_LEN);
	hp_wr_u8(&w, (uint8_t)m->kind);
	hp_wr_u8(&w, m->flags);
	hp_wr_be64(&w, m->dst_epoch);
	hp_wr_be64(&w, m->src_epoch);
	hp_wr_be64(&w, m->seq);
	hp_wr_be64(&w, m->txid);
	if (m->kind == HP_PROBE_GUESS)
		write_guess(&w, &m->guess);
	else if (m->seen.family != HP_AF_NONE)
		hp_addr_put(&w, &m->seen);
	hp_wr_zero(&w, w.cap - w.len);
	assert(!w.bad);
	hp_box_seal(&keys->tx, rng, out, HP_PROBE_HEAD, body, w.len,
		    out + HP_PROBE_HEAD);
	return HP_PROBE_MIN + m->pad;
}

static bool read_seen(const uint8_t *slot, struct hp_addr *seen)
{
	struct hp_rd r = hp_rd_of(slot, HP_ADDR_WIRE_MAX);

	*seen = (struct hp_addr){ 0 };
	if (slot[0] != HP_AF_NONE) {
		*seen = hp_addr_get(&r);
		if (r.bad)
			return false;
	}
	return !r.left || sodium_is_zero(r.p, r.left);
}

static bool is_sane(const struct hp_guess_word *g)
{
	bool stride = g->ports == HP_NAT_PORTS_SEQUENTIAL;

	if (g->step == HP_GUESS_ASK)
		return !g->have && !g->heard && !g->methods && !g->mapping && !g->ports &&
		       !g->stride && !g->last && !g->lo && !g->hi && !g->room &&
		       !g->attempt;
	return (g->step == HP_GUESS_FACTS || g->step == HP_GUESS_BEGUN) &&
	       !(g->methods & ~GUESS_METHODS) &&
	       g->mapping <= HP_NAT_MAPPING_APDM &&
	       g->ports <= HP_NAT_PORTS_RANDOM && stride == (g->stride != 0) &&
	       abs(g->stride) <= HP_NAT_STRIDE_MAX &&
	       (!stride || g->last >= HP_NAT_PORT_MIN) &&
	       g->lo >= HP_NAT_PORT_MIN && g->lo <= g->hi;
}

static bool read_guess(const uint8_t *slot, struct hp_guess_word *g)
{
	struct hp_rd r = hp_rd_of(slot, HP_ADDR_WIRE_MAX);
	uint8_t have;

	*g = (struct hp_guess_word){ .step = hp_rd_u8(&r) };
	have = hp_rd_u8(&r);
	g->have = have & 1;
	g->heard = have & 2;
	g->methods = hp_rd_u8(&r);
	g->mapping = hp_rd_u8(&r);
	g->ports = hp_rd_u8(&r);
	g->stride = (int16_t)hp_rd_be16(&r);
	g->last = hp_rd_be16(&r);
	g->lo = hp_rd_be16(&r);
	g->hi = hp_rd_be16(&r);
	g->room = hp_rd_be16(&r);
	g->attempt = hp_rd_u8(&r);
	return !r.bad && have <= 3 && is_sane(g) && sodium_is_zero(r.p, r.left);
}

static enum hp_err read_body(const uint8_t *body, size_t len,
			     struct hp_probe *m)
{
	struct hp_rd r = hp_rd_of(body, len);

	switch (hp_rd_u8(&r)) {
	case HP_PROBE_REQUEST:
		m->kind = HP_PROBE_REQUEST;
		break;
	case HP_PROBE_RESPONSE:
		m->kind = HP_PROBE_RESPONSE;
		break;
	case HP_PROBE_NOMINATE:
		m->kind = HP_PROBE_NOMINATE;
		break;
	case HP_PROBE_GUESS:
		m->kind = HP_PROBE_GUESS;
		break;
	default:
		return HP_ERR_FORMAT;
	}
	m->flags = hp_rd_u8(&r);
	m->dst_epoch = hp_rd_be64(&r);
	m->src_epoch = hp_rd_be64(&r);
	m->seq = hp_rd_be64(&r);
	m->txid = hp_rd_be64(&r);
	m->pad = len - HP_PROBE_BODY;
	m->seen = (struct hp_addr){ 0 };
	m->guess = (struct hp_guess_word){ 0 };
	if (r.bad || m->flags & ~HP_PROBE_FLAGS || !m->seq)
		return HP_ERR_FORMAT;
	if (m->kind == HP_PROBE_GUESS)
		return !m->flags && !m->pad && m->txid &&
				       read_guess(body + SEEN_AT, &m->guess) ?
			       HP_OK : HP_ERR_FORMAT;
	if (!read_seen(body + SEEN_AT, &m->seen))
		return HP_ERR_FORMAT;
	/* A response tells where its request came from, and only it does. */
	if ((m->kind == HP_PROBE_RESPONSE) !=
	    (m->seen.family != HP_AF_NONE))
		return HP_ERR_FORMAT;
	if (m->pad && (m->kind == HP_PROBE_RESPONSE ||
		       !sodium_is_zero(body + HP_PROBE_BODY, m->pad)))
		return HP_ERR_FORMAT;
	return HP_OK;
}

enum hp_err hp_probe_open(const struct hp_probe_keys *keys, const uint8_t *buf,
			  size_t len, struct hp_probe *m)
{
	uint8_t body[HP_PROBE_MAX];
	struct hp_probe probe;
	enum hp_err err;

	if (len < HP_PROBE_MIN)
		return HP_ERR_SHORT;
	if (len > HP_PROBE_MAX)
		return HP_ERR_FORMAT;
	if (hp_datagram_kind(buf, len) != HP_DGRAM_PROBE ||
	    memcmp(buf + HP_PUNCH_TAG_AT, keys->rx_tag, HP_PUNCH_TAG_LEN))
		return HP_ERR_TYPE;
	err = hp_box_open(&keys->rx, buf, HP_PROBE_HEAD, buf + HP_PROBE_HEAD,
			  len - HP_PROBE_HEAD, body);
	if (err)
		return err;
	err = read_body(body,
			len - HP_PROBE_HEAD - HP_BOX_OVERHEAD, &probe);
	if (!err)
		*m = probe;
	return err;
}

static void window_clear(struct hp_probe_window *w, uint64_t from, uint64_t to)
{
	if (to - from >= HP_PROBE_WINDOW) {
		memset(w->seen, 0, sizeof(w->seen));
		return;
	}
	for (uint64_t s = from + 1; s <= to; s++)
		w->seen[s / 64 % (HP_PROBE_WINDOW / 64)] &=
			~(UINT64_C(1) << (s % 64));
}

bool hp_probe_window_take(struct hp_probe_window *w, uint64_t seq)
{
	uint64_t *word = &w->seen[seq / 64 % (HP_PROBE_WINDOW / 64)];
	uint64_t bit = UINT64_C(1) << (seq % 64);

	if (seq > w->top) {
		window_clear(w, w->top, seq);
		w->top = seq;
	} else if (w->top - seq >= HP_PROBE_WINDOW || *word & bit) {
		return false;
	}
	*word |= bit;
	return true;
}
