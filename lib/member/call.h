/* SPDX-License-Identifier: ISC */
/*
 * A call: what a node says to another one without any server between them: by
 * multicast to its LAN, straight to an address that was good before, or by way
 * of a third node. Three of them make an introduction:
 *
 *	ASK      "here I am, who hears me?"      nonce of the caller
 *	ANSWER   to who asked                    both nonces
 *	CLOSE    to who answered                 both nonces
 *
 * Anybody can record a call and send it again, so an ASK proves nothing; an
 * ANSWER and a CLOSE repeat the nonce of who gets them, under the signature of
 * their sender, and prove that it is there now. Every call is as long as every
 * other and looks random, nonce and all: nothing in it says what network or
 * node it is of, nor that two are of the same.
 */
#ifndef HP_MEMBER_CALL_H
#define HP_MEMBER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/rng.h"
#include "member/cert.h"
#include "member/network.h"
#include "member/record.h"

/* The longest sealed offer without an initiation. */
#define HP_CALL_BLOB_MAX (HP_RECORD_MAX + 1)
/* kind, flags, two nonces, slot, length of the offer, the offer, padding */
#define HP_CALL_PLAIN (1 + 1 + 8 + 8 + HP_SLOT_LEN + 2 + HP_CALL_BLOB_MAX)
#define HP_CALL_LEN (HP_BOX_OVERHEAD + HP_CALL_PLAIN)

/* On the wire; never renumber. */
enum hp_call_kind {
	HP_CALL_ASK = 1,
	HP_CALL_ANSWER = 2,
	HP_CALL_CLOSE = 3,
};

/**
 * struct hp_call - One call
 * @kind:  see the enum
 * @want:  the sender looks for the receiver
 * @nonce: of the sender, other than 0
 * @echo:  that of the receiver; 0 in an ASK
 * @from:  slot of the sender
 * @blob:  @blob_len bytes: its record, sealed as an offer; not yet checked
 */
struct hp_call {
	enum hp_call_kind kind;
	bool want;
	uint64_t nonce;
	uint64_t echo;
	uint8_t from[HP_SLOT_LEN];
	size_t blob_len;
	uint8_t blob[HP_CALL_BLOB_MAX];
};

/**
 * hp_call_seal() - Sign, seal and pad a call
 * @purpose: as in hp_network_slot()
 * @call:    kind, want, nonce and echo; the rest is filled in
 * @rec:     the sender's, its certificate apart
 *
 * Return: HP_OK; HP_ERR_FULL with more candidates than fit.
 */
enum hp_err hp_call_seal(const struct hp_network *net, const char *purpose,
			 const struct hp_identity *id, struct hp_call *call,
			 const struct hp_record *rec, const struct hp_rng *rng,
			 uint8_t out[HP_CALL_LEN]) HP_MUST_CHECK;
/* Unseals what any member may have made. HP_ERR_SHORT, HP_ERR_FORMAT (another
 * length, or a field out of range), HP_ERR_AUTH; @out is untouched on error.
 */
enum hp_err hp_call_open(const struct hp_network *net, const uint8_t *p,
			 size_t len, struct hp_call *out) HP_MUST_CHECK;
/**
 * hp_call_record() - The record in a call, and the sender's signature of it all
 *
 * The certificate is for hp_judge_check().
 *
 * Return: what hp_offer_open() returns; @out is untouched on error.
 */
enum hp_err hp_call_record(const struct hp_network *net, const char *purpose,
			   const struct hp_call *call, struct hp_record *out)
	HP_MUST_CHECK;

#endif
