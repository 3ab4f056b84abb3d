/* SPDX-License-Identifier: ISC */
#include "member/call.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

#define FLAG_WANT 0x01

_Static_assert(HP_CALL_LEN <= 1232 - 64, "fits the smallest IPv6 path, carried");

/* What an offer is signed for is its receiver's slot; a call is signed for
 * what makes it unlike any other.
 */
static void context_of(const struct hp_call *call, uint8_t out[HP_SLOT_LEN])
{
	static const char label[] = "hptun call v1";
	uint8_t fields[18];
	const struct hp_piece pieces[] = {
		{ label, sizeof(label) },
		{ fields, sizeof(fields) },
	};

	fields[0] = (uint8_t)call->kind;
	fields[1] = call->want ? FLAG_WANT : 0;
	hp_put_be64(fields + 2, call->nonce);
	hp_put_be64(fields + 10, call->echo);
	hp_blake2b(out, HP_SLOT_LEN, NULL, pieces, 2);
}

static void key_of(const struct hp_network *net, struct hp_secret *out)
{
	hp_derive(&net->secret, "hptun call v1", net->id.b, sizeof(net->id.b),
		  out);
}

enum hp_err hp_call_seal(const struct hp_network *net, const char *purpose,
			 const struct hp_identity *id, struct hp_call *call,
			 const struct hp_record *rec, const struct hp_rng *rng,
			 uint8_t out[HP_CALL_LEN])
{
	const struct hp_offer offer = { .record = *rec };
	uint8_t plain[HP_CALL_PLAIN];
	struct hp_wr w = hp_wr_of(plain, sizeof(plain));
	uint8_t context[HP_SLOT_LEN];
	uint8_t blob[HP_OFFER_MAX];
	struct hp_secret key;
	enum hp_err err;

	context_of(call, context);
	err = hp_offer_seal(net, purpose, id, &offer, context, rng, blob,
			    &call->blob_len);
	if (err)
		return err;
	if (call->blob_len > HP_CALL_BLOB_MAX)
		return HP_ERR_FULL;
	memcpy(call->blob, blob, call->blob_len);
	hp_network_slot(net, purpose, id->cert.grant.name, call->from);
	hp_wr_u8(&w, (uint8_t)call->kind);
	hp_wr_u8(&w, call->want ? FLAG_WANT : 0);
	hp_wr_be64(&w, call->nonce);
	hp_wr_be64(&w, call->echo);
	hp_wr_copy(&w, call->from, HP_SLOT_LEN);
	hp_wr_be16(&w, (uint16_t)call->blob_len);
	hp_wr_copy(&w, call->blob, call->blob_len);
	hp_wr_zero(&w, sizeof(plain) - w.len);
	assert(!w.bad);
	key_of(net, &key);
	hp_box_seal(&key, rng, NULL, 0, plain, sizeof(plain), out);
	hp_secret_wipe(&key);
	return HP_OK;
}

static enum hp_err plain_get(struct hp_rd *r, struct hp_call *call)
{
	uint8_t kind = hp_rd_u8(r);
	uint8_t flags = hp_rd_u8(r);

	if (kind < HP_CALL_ASK || kind > HP_CALL_CLOSE || flags & ~FLAG_WANT)
		return HP_ERR_FORMAT;
	call->kind = (enum hp_call_kind)kind;
	call->want = flags & FLAG_WANT;
	call->nonce = hp_rd_be64(r);
	call->echo = hp_rd_be64(r);
	hp_rd_copy(r, call->from, HP_SLOT_LEN);
	call->blob_len = hp_rd_be16(r);
	if (!call->nonce || !call->echo != (kind == HP_CALL_ASK) ||
	    call->blob_len > HP_CALL_BLOB_MAX)
		return HP_ERR_FORMAT;
	hp_rd_copy(r, call->blob, call->blob_len);
	while (r->left)
		if (hp_rd_u8(r))
			return HP_ERR_FORMAT;
	return r->bad ? HP_ERR_FORMAT : HP_OK;
}

enum hp_err hp_call_open(const struct hp_network *net, const uint8_t *p,
			 size_t len, struct hp_call *out)
{
	uint8_t plain[HP_CALL_PLAIN];
	struct hp_call call = { 0 };
	struct hp_secret key;
	enum hp_err err;
	struct hp_rd r;

	if (len != HP_CALL_LEN)
		return len < HP_CALL_LEN ? HP_ERR_SHORT : HP_ERR_FORMAT;
	key_of(net, &key);
	err = hp_box_open(&key, NULL, 0, p, len, plain);
	hp_secret_wipe(&key);
	if (err)
		return err;
	r = hp_rd_of(plain, sizeof(plain));
	err = plain_get(&r, &call);
	if (!err)
		*out = call;
	return err;
}

enum hp_err hp_call_record(const struct hp_network *net, const char *purpose,
			   const struct hp_call *call, struct hp_record *out)
{
	uint8_t context[HP_SLOT_LEN];
	struct hp_offer offer;
	enum hp_err err;

	context_of(call, context);
	err = hp_offer_open(net, purpose, call->from, context, call->blob,
			    call->blob_len, &offer);
	if (!err && offer.has_init)
		err = HP_ERR_FORMAT;
	if (!err)
		*out = offer.record;
	return err;
}
