/* SPDX-License-Identifier: ISC */
#include "member/record.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define RECORD_VERSION 1
/* First byte of what is sealed. */
#define KIND_RECORD 1
#define KIND_OFFER 2

#define FLAG_INIT 0x01

/* kind, version, caps, revoked, epoch, seq, count */
#define BODY_FIXED (1 + 1 + 2 + 4 + 8 + 4 + 1)
#define CAND_4 (1 + 2 + 4)
#define CAND_6 (1 + 2 + 16)
#define PLAIN_MAX (HP_OFFER_MAX - HP_BOX_OVERHEAD)
/* Label, purpose, network id and receiver stand before what is signed. */
#define SIGNED_MAX (64 + HP_KEY_LEN + HP_SLOT_LEN + PLAIN_MAX)

_Static_assert(HP_BOX_OVERHEAD + BODY_FIXED + HP_CERT_WIRE_MAX + 6 * CAND_4 +
			       4 * CAND_6 + HP_SIG_LEN <=
		       HP_RECORD_MAX,
	       "ten candidates, four of them IPv6, fit");

/* What the signature covers; @to is NULL for a record. */
static size_t signed_bytes(uint8_t buf[SIGNED_MAX], const char *purpose,
			   const struct hp_public *net_id,
			   const uint8_t *to, const uint8_t *body, size_t len)
{
	const char *label = to ? "hptun offer v1" : "hptun record v1";
	const char *word = purpose ? purpose : "";
	struct hp_wr w = hp_wr_of(buf, SIGNED_MAX);

	hp_wr_copy(&w, label, strlen(label) + 1);
	hp_wr_copy(&w, word, strlen(word) + 1);
	hp_wr_copy(&w, net_id->b, sizeof(net_id->b));
	if (to)
		hp_wr_copy(&w, to, HP_SLOT_LEN);
	hp_wr_copy(&w, body, len);
	assert(!w.bad);
	return w.len;
}

/* Family and kind share a byte: a link-local address is no candidate for
 * another host, so there is no scope.
 */
static void candidate_put(struct hp_wr *w, const struct hp_candidate *c)
{
	hp_wr_u8(w, (uint8_t)(c->addr.family << 4 | c->kind));
	hp_wr_be16(w, c->addr.port);
	hp_wr_copy(w, c->addr.ip, hp_addr_ip_len(&c->addr));
}

static struct hp_candidate candidate_get(struct hp_rd *r)
{
	uint8_t head = hp_rd_u8(r);
	unsigned int kind = head & 0x0f;
	unsigned int family = head >> 4;
	struct hp_candidate c = { 0 };
	uint8_t ip[16] = { 0 };
	uint16_t port = hp_rd_be16(r);

	if ((family != HP_AF_4 && family != HP_AF_6) || !port ||
	    kind < HP_CAND_HOST || kind > HP_CAND_RELAYED)
		r->bad = true;
	hp_rd_copy(r, ip, family == HP_AF_4 ? 4 : 16);
	if (r->bad)
		return c;
	c.kind = (enum hp_candidate_kind)kind;
	c.addr = hp_addr_of((enum hp_family)family, ip, port);
	if (c.addr.family != family)
		r->bad = true; /* IPv4-mapped: a second form of one address */
	return c;
}

static void body_put(struct hp_wr *w, const struct hp_identity *id,
		     const struct hp_record *rec)
{
	hp_wr_u8(w, RECORD_VERSION);
	hp_wr_be16(w, rec->caps);
	hp_wr_be32(w, rec->revoked);
	hp_wr_be64(w, rec->epoch);
	hp_wr_be32(w, rec->seq);
	hp_cert_put(w, &id->cert);
	hp_wr_u8(w, (uint8_t)rec->n_cand);
	for (unsigned int i = 0; i < rec->n_cand; i++)
		candidate_put(w, &rec->cand[i]);
}

static enum hp_err body_get(struct hp_rd *r, struct hp_record *rec)
{
	uint8_t version = hp_rd_u8(r);

	if (r->bad)
		return HP_ERR_SHORT;
	if (version != RECORD_VERSION)
		return HP_ERR_VERSION;
	rec->caps = hp_rd_be16(r);
	rec->revoked = hp_rd_be32(r);
	rec->epoch = hp_rd_be64(r);
	rec->seq = hp_rd_be32(r);
	rec->cert = hp_cert_get(r);
	rec->n_cand = hp_rd_u8(r);
	if (rec->n_cand > HP_CANDIDATES_MAX || (!rec->epoch && !r->bad))
		return HP_ERR_FORMAT;
	for (unsigned int i = 0; i < rec->n_cand; i++)
		rec->cand[i] = candidate_get(r);
	return r->bad ? HP_ERR_FORMAT : HP_OK;
}

/* Signs what @w holds, seals it all and says how long it got. */
static enum hp_err finish(struct hp_wr *w, const struct hp_network *net,
			  const char *purpose, const struct hp_identity *id,
			  const uint8_t *to, const struct hp_rng *rng,
			  uint8_t *out, size_t cap, size_t *len)
{
	uint8_t buf[SIGNED_MAX];
	struct hp_sig sig;

	if (w->bad)
		return HP_ERR_FULL;
	hp_sign(&id->sign, buf,
		signed_bytes(buf, purpose, &net->id, to, w->start, w->len),
		&sig);
	hp_wr_copy(w, sig.b, sizeof(sig.b));
	if (w->bad || w->len + HP_BOX_OVERHEAD > cap)
		return HP_ERR_FULL;
	hp_box_seal(&net->record_key, rng, NULL, 0, w->start, w->len, out);
	*len = w->len + HP_BOX_OVERHEAD;
	return HP_OK;
}

enum hp_err hp_record_seal(const struct hp_network *net, const char *purpose,
			   const struct hp_identity *id,
			   const struct hp_record *rec,
			   const struct hp_rng *rng,
			   uint8_t out[HP_RECORD_MAX], size_t *len)
{
	uint8_t plain[PLAIN_MAX];
	struct hp_wr w = hp_wr_of(plain, sizeof(plain));

	if (rec->n_cand > HP_CANDIDATES_MAX)
		return HP_ERR_FULL;
	hp_wr_u8(&w, KIND_RECORD);
	body_put(&w, id, rec);
	return finish(&w, net, purpose, id, NULL, rng, out, HP_RECORD_MAX,
		      len);
}

enum hp_err hp_offer_seal(const struct hp_network *net, const char *purpose,
			  const struct hp_identity *id,
			  const struct hp_offer *offer,
			  const uint8_t to[HP_SLOT_LEN],
			  const struct hp_rng *rng, uint8_t out[HP_OFFER_MAX],
			  size_t *len)
{
	uint8_t plain[PLAIN_MAX];
	struct hp_wr w = hp_wr_of(plain, sizeof(plain));

	if (offer->record.n_cand > HP_CANDIDATES_MAX)
		return HP_ERR_FULL;
	hp_wr_u8(&w, KIND_OFFER);
	hp_wr_u8(&w, offer->has_init ? FLAG_INIT : 0);
	if (offer->has_init)
		hp_wr_copy(&w, offer->init, sizeof(offer->init));
	body_put(&w, id, &offer->record);
	return finish(&w, net, purpose, id, to, rng, out, HP_OFFER_MAX, len);
}

/* Unseals @blob into @plain and puts @r behind its kind. */
static enum hp_err unseal(const struct hp_network *net, const uint8_t *blob,
			  size_t len, uint8_t kind, uint8_t plain[PLAIN_MAX],
			  struct hp_rd *r)
{
	enum hp_err err;

	if (len > HP_OFFER_MAX)
		return HP_ERR_FORMAT;
	err = hp_box_open(&net->record_key, NULL, 0, blob, len, plain);
	if (err)
		return err;
	*r = hp_rd_of(plain, len - HP_BOX_OVERHEAD);
	if (hp_rd_u8(r) != kind)
		return r->bad ? HP_ERR_SHORT : HP_ERR_TYPE;
	return HP_OK;
}

/* The signature that ends @plain, and the slot that the name must have. */
static enum hp_err verify(const struct hp_network *net, const char *purpose,
			  const uint8_t *from, const uint8_t *to,
			  const uint8_t *plain, struct hp_rd *r,
			  const struct hp_record *rec)
{
	size_t body_len = (size_t)(r->p - plain);
	uint8_t slot[HP_SLOT_LEN];
	uint8_t buf[SIGNED_MAX];
	struct hp_sig sig;

	hp_rd_copy(r, sig.b, sizeof(sig.b));
	if (!hp_rd_done(r))
		return r->bad ? HP_ERR_SHORT : HP_ERR_FORMAT;
	hp_network_slot(net, purpose, rec->cert.grant.name, slot);
	if (memcmp(slot, from, sizeof(slot)))
		return HP_ERR_AUTH;
	return hp_sign_check(&rec->cert.sign, buf,
			     signed_bytes(buf, purpose, &net->id, to, plain,
					  body_len),
			     &sig);
}

enum hp_err hp_record_open(const struct hp_network *net, const char *purpose,
			   const uint8_t slot[HP_SLOT_LEN], const uint8_t *blob,
			   size_t len, struct hp_record *out)
{
	struct hp_record rec = { 0 };
	uint8_t plain[PLAIN_MAX];
	struct hp_rd r;
	enum hp_err err;

	err = unseal(net, blob, len, KIND_RECORD, plain, &r);
	if (!err)
		err = body_get(&r, &rec);
	if (!err)
		err = verify(net, purpose, slot, NULL, plain, &r, &rec);
	if (!err)
		*out = rec;
	return err;
}

enum hp_err hp_offer_open(const struct hp_network *net, const char *purpose,
			  const uint8_t from[HP_SLOT_LEN],
			  const uint8_t to[HP_SLOT_LEN], const uint8_t *blob,
			  size_t len, struct hp_offer *out)
{
	struct hp_offer offer = { 0 };
	uint8_t plain[PLAIN_MAX];
	struct hp_rd r;
	enum hp_err err;
	uint8_t flags;

	err = unseal(net, blob, len, KIND_OFFER, plain, &r);
	if (err)
		return err;
	flags = hp_rd_u8(&r);
	if (flags & ~FLAG_INIT)
		return HP_ERR_FORMAT;
	offer.has_init = flags & FLAG_INIT;
	if (offer.has_init)
		hp_rd_copy(&r, offer.init, sizeof(offer.init));
	err = body_get(&r, &offer.record);
	if (!err)
		err = verify(net, purpose, from, to, plain, &r, &offer.record);
	if (!err)
		*out = offer;
	return err;
}
