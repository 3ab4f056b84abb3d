/* SPDX-License-Identifier: ISC */
#include "member/note.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"

#define HEAD_LEN (HP_WIRE_HEAD + HP_NOTE_TAG_LEN)
#define PLAIN_MAX (HP_NOTE_MAX - HEAD_LEN - HP_BOX_OVERHEAD)
/* What an answer says of a channel, and its request has zeroes for. */
#define RELAY_LEN 8

_Static_assert(1 + HP_CERT_WIRE_MAX <= PLAIN_MAX, "a certificate fits");
_Static_assert(1 + HP_SLOT_LEN + HP_ADDR_WIRE_MAX + HP_CALL_LEN <= PLAIN_MAX,
	       "a call fits");
_Static_assert(HP_NOTE_MAX <= 1232, "fits the smallest IPv6 path");

void hp_note_tag(const struct hp_network *net, const struct hp_public *sender,
		 uint8_t out[HP_NOTE_TAG_LEN])
{
	struct hp_secret hash;

	hp_derive(&net->secret, "hptun note tag v1", sender->b,
		  sizeof(sender->b), &hash);
	memcpy(out, hash.b, HP_NOTE_TAG_LEN);
	hp_secret_wipe(&hash);
}

static enum hp_err head_check(const uint8_t *p, size_t len)
{
	if (hp_datagram_kind(p, len) != HP_DGRAM_NOTE)
		return HP_ERR_TYPE;
	return len < HEAD_LEN + HP_BOX_OVERHEAD + 1 ? HP_ERR_SHORT : HP_OK;
}

enum hp_err hp_note_peek(const uint8_t *p, size_t len,
			 uint8_t tag[HP_NOTE_TAG_LEN])
{
	enum hp_err err = head_check(p, len);

	if (!err)
		memcpy(tag, p + HP_WIRE_HEAD, HP_NOTE_TAG_LEN);
	return err;
}

static void note_key(const struct hp_secret *pair, struct hp_secret *out)
{
	hp_derive(pair, "hptun note v1", NULL, 0, out);
}

/* Both kinds are of one length: what is passed on is no longer than what came.
 */
static void call_put(struct hp_wr *w, const struct hp_note *note)
{
	size_t end = w->len + HP_SLOT_LEN + HP_CALL_LEN + HP_ADDR_WIRE_MAX;

	hp_wr_copy(w, note->slot, HP_SLOT_LEN);
	hp_wr_copy(w, note->list, HP_CALL_LEN);
	if (note->seen.family)
		hp_addr_put(w, &note->seen);
	hp_wr_zero(w, end - w->len);
}

size_t hp_note_seal(const struct hp_secret *pair,
		    const uint8_t tag[HP_NOTE_TAG_LEN],
		    const struct hp_note *note, const struct hp_rng *rng,
		    uint8_t out[HP_NOTE_MAX])
{
	uint8_t plain[PLAIN_MAX];
	struct hp_wr w = hp_wr_of(plain, sizeof(plain));
	struct hp_secret key;

	hp_wr_u8(&w, (uint8_t)note->kind);
	switch (note->kind) {
	case HP_NOTE_CERT_WANTED:
		hp_wr_zero(&w, HP_CERT_WIRE_MAX);
		break;
	case HP_NOTE_CERT:
		hp_cert_put(&w, &note->cert);
		break;
	case HP_NOTE_REVOKED:
		hp_wr_copy(&w, note->list, note->list_len);
		break;
	case HP_NOTE_REPORT_WANTED:
		hp_wr_be64(&w, note->ask);
		hp_wr_u8(&w, note->part);
		hp_wr_zero(&w, HP_NOTE_REPORT_MAX);
		break;
	case HP_NOTE_REPORT:
		hp_wr_be64(&w, note->ask);
		hp_wr_u8(&w, note->part);
		hp_wr_copy(&w, note->list, note->list_len);
		break;
	case HP_NOTE_CARRY:
	case HP_NOTE_CARRIED:
		call_put(&w, note);
		break;
	case HP_NOTE_RELAY_WANTED:
		hp_wr_be64(&w, note->ask);
		hp_wr_copy(&w, note->slot, HP_SLOT_LEN);
		hp_wr_zero(&w, RELAY_LEN);
		break;
	case HP_NOTE_RELAY:
		hp_wr_be64(&w, note->ask);
		hp_wr_copy(&w, note->slot, HP_SLOT_LEN);
		hp_wr_be32(&w, note->channel);
		hp_wr_be32(&w, note->rtt_us);
		break;
	}
	assert(!w.bad);
	hp_datagram_head(out, HP_KIND_NOTE);
	memcpy(out + HP_WIRE_HEAD, tag, HP_NOTE_TAG_LEN);
	note_key(pair, &key);
	hp_box_seal(&key, rng, out, HEAD_LEN, plain, w.len, out + HEAD_LEN);
	hp_secret_wipe(&key);
	return HEAD_LEN + w.len + HP_BOX_OVERHEAD;
}

/* What is left makes the answer no longer than the question. */
static enum hp_err padding_get(struct hp_rd *r)
{
	while (r->left)
		if (hp_rd_u8(r))
			return HP_ERR_FORMAT;
	return r->bad ? HP_ERR_FORMAT : HP_OK;
}

static enum hp_err call_get(struct hp_rd *r, enum hp_note_kind kind,
			    struct hp_note *note)
{
	if (r->left != HP_SLOT_LEN + HP_CALL_LEN + HP_ADDR_WIRE_MAX)
		return HP_ERR_FORMAT;
	note->kind = kind;
	hp_rd_copy(r, note->slot, HP_SLOT_LEN);
	note->list_len = HP_CALL_LEN;
	hp_rd_copy(r, note->list, HP_CALL_LEN);
	if (*r->p)
		note->seen = hp_addr_get(r);
	if (kind == HP_NOTE_CARRY && note->seen.family)
		return HP_ERR_FORMAT;
	return padding_get(r);
}

static enum hp_err relay_get(struct hp_rd *r, enum hp_note_kind kind,
			     struct hp_note *note)
{
	if (r->left != 8 + HP_SLOT_LEN + RELAY_LEN)
		return HP_ERR_FORMAT;
	note->kind = kind;
	note->ask = hp_rd_be64(r);
	hp_rd_copy(r, note->slot, HP_SLOT_LEN);
	if (kind == HP_NOTE_RELAY) {
		note->channel = hp_rd_be32(r);
		note->rtt_us = hp_rd_be32(r);
	}
	return padding_get(r);
}

static enum hp_err body_get(struct hp_rd *r, struct hp_note *note)
{
	uint8_t kind = hp_rd_u8(r);

	switch (kind) {
	case HP_NOTE_CERT_WANTED:
		note->kind = HP_NOTE_CERT_WANTED;
		return padding_get(r);
	case HP_NOTE_CERT:
		note->kind = HP_NOTE_CERT;
		note->cert = hp_cert_get(r);
		return hp_rd_done(r) ? HP_OK : HP_ERR_FORMAT;
	case HP_NOTE_REVOKED:
		note->kind = HP_NOTE_REVOKED;
		note->list_len = r->left;
		hp_rd_copy(r, note->list, note->list_len);
		return HP_OK;
	case HP_NOTE_REPORT_WANTED:
		note->kind = HP_NOTE_REPORT_WANTED;
		note->ask = hp_rd_be64(r);
		note->part = hp_rd_u8(r);
		if (r->left != HP_NOTE_REPORT_MAX)
			return HP_ERR_FORMAT;
		return padding_get(r);
	case HP_NOTE_REPORT:
		note->kind = HP_NOTE_REPORT;
		note->ask = hp_rd_be64(r);
		note->part = hp_rd_u8(r);
		note->list_len = r->left;
		hp_rd_copy(r, note->list, note->list_len);
		return r->bad ? HP_ERR_FORMAT : HP_OK;
	case HP_NOTE_CARRY:
		return call_get(r, HP_NOTE_CARRY, note);
	case HP_NOTE_CARRIED:
		return call_get(r, HP_NOTE_CARRIED, note);
	case HP_NOTE_RELAY_WANTED:
		return relay_get(r, HP_NOTE_RELAY_WANTED, note);
	case HP_NOTE_RELAY:
		return relay_get(r, HP_NOTE_RELAY, note);
	}
	return HP_ERR_FORMAT;
}

enum hp_err hp_note_open(const struct hp_secret *pair, const uint8_t *p,
			 size_t len, struct hp_note *out)
{
	struct hp_note note = { 0 };
	uint8_t plain[PLAIN_MAX];
	struct hp_secret key;
	enum hp_err err;
	struct hp_rd r;

	err = head_check(p, len);
	if (err)
		return err;
	if (len > HP_NOTE_MAX)
		return HP_ERR_FORMAT;
	note_key(pair, &key);
	err = hp_box_open(&key, p, HEAD_LEN, p + HEAD_LEN, len - HEAD_LEN,
			  plain);
	hp_secret_wipe(&key);
	if (err)
		return err;
	r = hp_rd_of(plain, len - HEAD_LEN - HP_BOX_OVERHEAD);
	err = body_get(&r, &note);
	if (!err)
		*out = note;
	return err;
}
