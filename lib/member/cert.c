/* SPDX-License-Identifier: ISC */
#include "member/cert.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

/* Room for whatever is signed here: label, network id, fields. */
#define SIGNED_MAX (64 + HP_KEY_LEN + HP_CERT_WIRE_MAX)

_Static_assert(HP_CERT_WIRE_MAX == 1 + 4 + 1 + (HP_NAME_TEXT - 1) + 5 +
				   HP_KEY_LEN + 8 + HP_SIG_LEN +
				   2 * HP_KEY_LEN + HP_SIG_LEN,
	       "longest certificate");

/* What is signed begins with what it is and for which network. */
static struct hp_wr signed_begin(uint8_t buf[SIGNED_MAX], const char *label,
				 const struct hp_public *net_id)
{
	struct hp_wr w = hp_wr_of(buf, SIGNED_MAX);

	hp_wr_copy(&w, label, strlen(label) + 1);
	hp_wr_copy(&w, net_id->b, sizeof(net_id->b));
	return w;
}

/* Serial, name, address: in grants and in both kinds of certificate. */
static void node_put(struct hp_wr *w, const struct hp_grant *g)
{
	size_t len = strlen(g->name);

	hp_wr_be32(w, g->serial);
	hp_wr_u8(w, (uint8_t)len);
	hp_wr_copy(w, g->name, len);
	hp_wr_copy(w, g->overlay.ip, sizeof(g->overlay.ip));
	hp_wr_u8(w, g->overlay.bits);
}

static void node_get(struct hp_rd *r, struct hp_grant *g)
{
	char folded[HP_NAME_TEXT];
	size_t len;

	g->serial = hp_rd_be32(r);
	len = hp_rd_u8(r);
	if (len >= sizeof(g->name)) {
		r->bad = true;
		return;
	}
	hp_rd_copy(r, g->name, len);
	hp_rd_copy(r, g->overlay.ip, sizeof(g->overlay.ip));
	g->overlay.bits = hp_rd_u8(r);
	if (r->bad)
		return;
	/* Exactly as hp_name_parse() would write it, NULs included. */
	if (hp_name_parse(g->name, folded, NULL) || strlen(g->name) != len ||
	    strcmp(folded, g->name) || !hp_overlay_ok(&g->overlay))
		r->bad = true;
}

static void grant_body_put(struct hp_wr *w, const struct hp_grant *g)
{
	node_put(w, g);
	hp_wr_copy(w, g->invite.b, sizeof(g->invite.b));
	hp_wr_be64(w, g->until_s);
}

void hp_grant_put(struct hp_wr *w, const struct hp_grant *g)
{
	grant_body_put(w, g);
	hp_wr_copy(w, g->sig.b, sizeof(g->sig.b));
}

struct hp_grant hp_grant_get(struct hp_rd *r)
{
	struct hp_grant g = { 0 };

	node_get(r, &g);
	hp_rd_copy(r, g.invite.b, sizeof(g.invite.b));
	g.until_s = hp_rd_be64(r);
	hp_rd_copy(r, g.sig.b, sizeof(g.sig.b));
	return g;
}

static struct hp_wr grant_signed(uint8_t buf[SIGNED_MAX],
				 const struct hp_public *net_id,
				 const struct hp_grant *g)
{
	struct hp_wr w = signed_begin(buf, "hptun grant v1", net_id);

	grant_body_put(&w, g);
	assert(!w.bad);
	return w;
}

static struct hp_wr cert_signed(uint8_t buf[SIGNED_MAX],
				const struct hp_public *net_id,
				const struct hp_cert *c)
{
	bool permanent = c->kind == HP_CERT_PERMANENT;
	struct hp_wr w = signed_begin(buf,
				      permanent ? "hptun permanent v1"
						: "hptun cert v1",
				      net_id);

	if (permanent)
		node_put(&w, &c->grant);
	else
		hp_grant_put(&w, &c->grant);
	hp_wr_copy(&w, c->key.b, sizeof(c->key.b));
	hp_wr_copy(&w, c->sign.b, sizeof(c->sign.b));
	assert(!w.bad);
	return w;
}

void hp_grant_sign(struct hp_grant *g, const struct hp_secret *root)
{
	struct hp_public net_id;
	uint8_t buf[SIGNED_MAX];
	struct hp_wr w;

	hp_sign_public(root, &net_id);
	w = grant_signed(buf, &net_id, g);
	hp_sign(root, buf, w.len, &g->sig);
}

static void make_keys(struct hp_identity *id, const struct hp_rng *rng)
{
	hp_dh_keypair(rng, &id->key, &id->cert.key);
	hp_sign_keypair(rng, &id->sign, &id->cert.sign);
}

void hp_identity_enrol(const struct hp_public *net_id,
		       const struct hp_grant *g,
		       const struct hp_secret *invite,
		       const struct hp_rng *rng, struct hp_identity *out)
{
	uint8_t buf[SIGNED_MAX];
	struct hp_wr w;

	memset(out, 0, sizeof(*out));
	out->cert.kind = HP_CERT_GRANTED;
	out->cert.grant = *g;
	make_keys(out, rng);
	w = cert_signed(buf, net_id, &out->cert);
	hp_sign(invite, buf, w.len, &out->cert.sig);
}

void hp_cert_issue(const struct hp_secret *root, const struct hp_cert *old,
		   struct hp_cert *out)
{
	struct hp_cert c = { .kind = HP_CERT_PERMANENT };
	struct hp_public net_id;
	uint8_t buf[SIGNED_MAX];
	struct hp_wr w;

	c.grant.serial = old->grant.serial;
	memcpy(c.grant.name, old->grant.name, sizeof(c.grant.name));
	c.grant.overlay = old->grant.overlay;
	c.key = old->key;
	c.sign = old->sign;
	hp_sign_public(root, &net_id);
	w = cert_signed(buf, &net_id, &c);
	hp_sign(root, buf, w.len, &c.sig);
	*out = c;
}

void hp_identity_root(const struct hp_secret *root, uint32_t serial,
		      const char *name, const struct hp_overlay *overlay,
		      const struct hp_rng *rng, struct hp_identity *out)
{
	memset(out, 0, sizeof(*out));
	out->cert.grant.serial = serial;
	snprintf(out->cert.grant.name, sizeof(out->cert.grant.name), "%s",
		 name);
	out->cert.grant.overlay = *overlay;
	make_keys(out, rng);
	hp_cert_issue(root, &out->cert, &out->cert);
}

void hp_identity_room(const struct hp_secret *root, const struct hp_rng *rng,
		      struct hp_identity *out)
{
	struct hp_overlay overlay = { .ip = { 10 }, .bits = 8 };
	char name[HP_NAME_TEXT] = "room-";
	uint32_t serial = hp_rng_u32(rng);
	size_t len = strlen(name);

	for (size_t i = 0; i < 6; i++)
		name[len + i] = (char)('a' + hp_rng_below(rng, 26));
	/* Neither the first nor the last address of the subnet. */
	hp_put_be32(overlay.ip, UINT32_C(10) << 24 |
				(1 + hp_rng_below(rng, (1 << 24) - 2)));
	hp_identity_root(root, serial, name, &overlay, rng, out);
}

void hp_identity_wipe(struct hp_identity *id)
{
	sodium_memzero(id, sizeof(*id));
}

enum hp_err hp_identity_check(const struct hp_identity *id,
			      const struct hp_public *net_id)
{
	struct hp_public key;
	struct hp_public sign;
	enum hp_err err;

	err = hp_cert_check(net_id, &id->cert);
	if (err)
		return err;
	hp_dh_public(&id->key, &key);
	hp_sign_public(&id->sign, &sign);
	if (!hp_public_eq(&key, &id->cert.key) ||
	    !hp_public_eq(&sign, &id->cert.sign))
		return HP_ERR_KEY;
	return HP_OK;
}

enum hp_err hp_grant_check(const struct hp_public *net_id,
			   const struct hp_grant *g)
{
	uint8_t buf[SIGNED_MAX];
	struct hp_wr w = grant_signed(buf, net_id, g);

	return hp_sign_check(net_id, buf, w.len, &g->sig);
}

enum hp_err hp_cert_check(const struct hp_public *net_id,
			  const struct hp_cert *c)
{
	const struct hp_public *signer = net_id;
	uint8_t buf[SIGNED_MAX];
	struct hp_wr w;

	if (c->kind == HP_CERT_GRANTED) {
		enum hp_err err = hp_grant_check(net_id, &c->grant);

		if (err)
			return err;
		signer = &c->grant.invite;
	}
	w = cert_signed(buf, net_id, c);
	return hp_sign_check(signer, buf, w.len, &c->sig);
}

bool hp_cert_same_node(const struct hp_cert *a, const struct hp_cert *b)
{
	return a->grant.serial == b->grant.serial &&
	       !strcmp(a->grant.name, b->grant.name) &&
	       hp_overlay_eq(&a->grant.overlay, &b->grant.overlay) &&
	       hp_public_eq(&a->key, &b->key) &&
	       hp_public_eq(&a->sign, &b->sign);
}

void hp_cert_put(struct hp_wr *w, const struct hp_cert *c)
{
	hp_wr_u8(w, (uint8_t)c->kind);
	switch (c->kind) {
	case HP_CERT_GRANTED:
		hp_grant_put(w, &c->grant);
		break;
	case HP_CERT_PERMANENT:
		node_put(w, &c->grant);
		break;
	}
	hp_wr_copy(w, c->key.b, sizeof(c->key.b));
	hp_wr_copy(w, c->sign.b, sizeof(c->sign.b));
	hp_wr_copy(w, c->sig.b, sizeof(c->sig.b));
}

struct hp_cert hp_cert_get(struct hp_rd *r)
{
	struct hp_cert c = { 0 };
	uint8_t kind = hp_rd_u8(r);

	if (kind == HP_CERT_GRANTED)
		c.grant = hp_grant_get(r);
	else if (kind == HP_CERT_PERMANENT)
		node_get(r, &c.grant);
	else
		r->bad = true;
	c.kind = r->bad ? HP_CERT_PERMANENT : (enum hp_cert_kind)kind;
	hp_rd_copy(r, c.key.b, sizeof(c.key.b));
	hp_rd_copy(r, c.sign.b, sizeof(c.sign.b));
	hp_rd_copy(r, c.sig.b, sizeof(c.sig.b));
	return c;
}
