/* SPDX-License-Identifier: ISC */
/*
 * Who is a member: the grant (root lets an invite key enrol one name), the
 * certificate that a node shows (by its invite key under a grant, or permanent
 * and by the root itself), and the identity: a certificate with its secrets.
 * Codecs and signatures; dates, pins and revocations are the judge's.
 */
#ifndef HP_MEMBER_CERT_H
#define HP_MEMBER_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"
#include "base/rng.h"
#include "member/network.h"

struct hp_rd;
struct hp_wr;

/* The values are on the wire. */
enum hp_cert_kind {
	HP_CERT_GRANTED = 1,	/* signed by the invite key of a grant */
	HP_CERT_PERMANENT = 2,	/* signed by the root */
};

/* Longest wire form of a certificate. */
#define HP_CERT_WIRE_MAX 275

/**
 * struct hp_grant - "This invite key may enrol NAME with ADDRESS until DATE"
 * @serial:  number of the grant, unique in the network and growing: a later
 *           one for the same name supersedes the earlier
 * @name:    of the node
 * @overlay: its address
 * @invite:  Ed25519 public half of the one-time invite key
 * @until_s: UTC seconds
 * @sig:     by the root
 */
struct hp_grant {
	uint32_t serial;
	char name[HP_NAME_TEXT];
	struct hp_overlay overlay;
	struct hp_public invite;
	uint64_t until_s;
	struct hp_sig sig;
};

/**
 * struct hp_cert - What a node shows to prove its membership
 * @kind:  who signed it
 * @grant: its name, address and serial; @invite, @until_s and @sig of it are
 *         zero in a permanent certificate
 * @key:   X25519 public key: the WireGuard key
 * @sign:  Ed25519 public key: signs records
 * @sig:   by the invite key, or by the root when permanent
 */
struct hp_cert {
	enum hp_cert_kind kind;
	struct hp_grant grant;
	struct hp_public key;
	struct hp_public sign;
	struct hp_sig sig;
};

/**
 * struct hp_identity - This node
 * @cert: what it shows
 * @key:  X25519 secret
 * @sign: Ed25519 seed
 */
struct hp_identity {
	struct hp_cert cert;
	struct hp_secret key;
	struct hp_secret sign;
};

/* Signs @g (all else filled in) with the root's seed. */
void hp_grant_sign(struct hp_grant *g, const struct hp_secret *root);
/* HP_OK or HP_ERR_AUTH; looks at no date. */
enum hp_err hp_grant_check(const struct hp_public *net_id,
			   const struct hp_grant *g) HP_MUST_CHECK;

/**
 * hp_identity_enrol() - Make a node's keys and sign them with the invite key
 * @net_id: the network
 * @g:      the grant
 * @invite: seed of the invite key
 * @out:    gives the identity; wipe it with hp_identity_wipe()
 */
void hp_identity_enrol(const struct hp_public *net_id,
		       const struct hp_grant *g,
		       const struct hp_secret *invite,
		       const struct hp_rng *rng, struct hp_identity *out);
/* Makes the identity of a node whose host holds the root key: permanent. */
void hp_identity_root(const struct hp_secret *root, uint32_t serial,
		      const char *name, const struct hp_overlay *overlay,
		      const struct hp_rng *rng, struct hp_identity *out);
/* An identity in a network made of a word: random name "room-xxxxxx", random
 * address in 10.0.0.0/8, certificate by the shared root.
 */
void hp_identity_room(const struct hp_secret *root, const struct hp_rng *rng,
		      struct hp_identity *out);
void hp_identity_wipe(struct hp_identity *id);
/**
 * hp_identity_check() - Do secrets and certificate belong together?
 *
 * Return: HP_OK; HP_ERR_AUTH when the certificate is not of this network;
 *         HP_ERR_KEY when it is for other keys.
 */
enum hp_err hp_identity_check(const struct hp_identity *id,
			      const struct hp_public *net_id) HP_MUST_CHECK;

/* The permanent certificate for what @old says: the holder of the root key
 * gives it to a newcomer whose @old the judge accepted. @out may be @old.
 */
void hp_cert_issue(const struct hp_secret *root, const struct hp_cert *old,
		   struct hp_cert *out);
/**
 * hp_cert_check() - Verify the chain of signatures up to the root
 *
 * Looks at no date, pin or revocation: hp_judge_check() does all.
 *
 * Return: HP_OK; HP_ERR_AUTH.
 */
enum hp_err hp_cert_check(const struct hp_public *net_id,
			  const struct hp_cert *c) HP_MUST_CHECK;
/* Same name, address, serial and keys, whoever signed. */
bool hp_cert_same_node(const struct hp_cert *a, const struct hp_cert *b);

void hp_cert_put(struct hp_wr *w, const struct hp_cert *c);
/* Reads it; unknown kind, bad name or address make @r bad. Not verified. */
struct hp_cert hp_cert_get(struct hp_rd *r);
/* The same for a grant, with its signature; for tokens. */
void hp_grant_put(struct hp_wr *w, const struct hp_grant *g);
struct hp_grant hp_grant_get(struct hp_rd *r);

#endif
