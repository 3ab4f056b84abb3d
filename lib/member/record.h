/* SPDX-License-Identifier: ISC */
/*
 * What a node publishes about itself: the record, kept by the rendezvous, and
 * the offer, sent through it to one peer. Both are signed by the node's
 * Ed25519 key and sealed with the network's record key, so that the server
 * sees an opaque blob.
 */
#ifndef HP_MEMBER_RECORD_H
#define HP_MEMBER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/candidate.h"
#include "base/err.h"
#include "base/rng.h"
#include "member/cert.h"
#include "member/network.h"

/* Longest sealed record and offer. */
#define HP_RECORD_MAX 600
#define HP_OFFER_MAX (HP_RECORD_MAX + 149)
/* Length of a WireGuard initiation. */
#define HP_OFFER_INIT_LEN 148

/* Capabilities. The two lowest bits are an enum hp_mapping. */
#define HP_RECORD_MAPPING 0x0003
#define HP_RECORD_AES 0x0100	  /* has AES in hardware, and may use it */
#define HP_RECORD_AES_ONLY 0x0200 /* takes part in no other handshake */
#define HP_RECORD_RELAYS 0x0400	  /* relays between other members */

/**
 * struct hp_record - What a node says about itself
 * @caps:    capability bits, HP_RECORD_*; unknown ones are ignored
 * @revoked: number of the newest revocation list it has
 * @epoch:   random per start of the daemon, other than 0
 * @seq:     grows with each record published in an epoch
 * @cert:    not yet judged when read; on sealing the identity's is taken
 * @cand:    @n_cand candidates, at most 4 of them IPv6 in the ten
 */
struct hp_record {
	uint16_t caps;
	uint32_t revoked;
	uint64_t epoch;
	uint32_t seq;
	struct hp_cert cert;
	unsigned int n_cand;
	struct hp_candidate cand[HP_CANDIDATES_MAX];
};

/**
 * struct hp_offer - A record for one peer
 * @record:   of the sender
 * @has_init: @init holds a WireGuard initiation
 */
struct hp_offer {
	struct hp_record record;
	bool has_init;
	uint8_t init[HP_OFFER_INIT_LEN];
};

/**
 * hp_record_seal() - Encode, sign and seal
 * @purpose: as in hp_network_slot()
 * @rec:     borrowed; @rec->cert is ignored in favour of @id->cert
 * @out:     gives the blob; @len gets its length
 *
 * Return: HP_OK; HP_ERR_FULL with more candidates than fit.
 */
enum hp_err hp_record_seal(const struct hp_network *net, const char *purpose,
			   const struct hp_identity *id,
			   const struct hp_record *rec,
			   const struct hp_rng *rng,
			   uint8_t out[HP_RECORD_MAX], size_t *len)
	HP_MUST_CHECK;
/**
 * hp_record_open() - Read what the rendezvous keeps under a slot
 * @purpose: ours
 * @slot:    where it was found: must be that of the name in the certificate
 *
 * The signature is checked under the certificate's key; the certificate
 * itself is for hp_judge_check().
 *
 * Return: HP_OK; HP_ERR_SHORT; HP_ERR_AUTH (seal, signature or slot);
 *         HP_ERR_VERSION; HP_ERR_FORMAT. @out is untouched on error.
 */
enum hp_err hp_record_open(const struct hp_network *net, const char *purpose,
			   const uint8_t slot[HP_SLOT_LEN], const uint8_t *blob,
			   size_t len, struct hp_record *out) HP_MUST_CHECK;

/* The same for an offer. @to: slot of the receiver: nobody else, and not the
 * sender, can be made to take it. @offer->record.cert is ignored.
 */
enum hp_err hp_offer_seal(const struct hp_network *net, const char *purpose,
			  const struct hp_identity *id,
			  const struct hp_offer *offer,
			  const uint8_t to[HP_SLOT_LEN],
			  const struct hp_rng *rng, uint8_t out[HP_OFFER_MAX],
			  size_t *len) HP_MUST_CHECK;
/* @from: slot of the sender; @to: our own slot. HP_ERR_TYPE: it is a record,
 * not an offer (a peer that did not answer yet is introduced by its record).
 */
enum hp_err hp_offer_open(const struct hp_network *net, const char *purpose,
			  const uint8_t from[HP_SLOT_LEN],
			  const uint8_t to[HP_SLOT_LEN], const uint8_t *blob,
			  size_t len, struct hp_offer *out) HP_MUST_CHECK;

#endif
