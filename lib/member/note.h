/* SPDX-License-Identifier: ISC */
/*
 * Notes: what two members tell each other outside the tunnel: a request for
 * the permanent certificate, the certificate, the revocation list; a request
 * for the other's half of a diagnosis, and that half; a call to be passed on to
 * a third member; a request for a relay channel to one, and its number. Sealed between the two (pair key), one datagram each. A note
 * that is lost is sent again by whoever cares; one that is replayed changes
 * nothing: certificates repeat, lists are numbered, calls prove themselves.
 */
#ifndef HP_MEMBER_NOTE_H
#define HP_MEMBER_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"
#include "base/rng.h"
#include "member/call.h"
#include "member/cert.h"
#include "member/judge.h"
#include "member/network.h"

#define HP_NOTE_TAG_LEN 8
/* head, tag, nonce, kind, body, seal */
#define HP_NOTE_MAX (4 + HP_NOTE_TAG_LEN + 24 + 1 + HP_REVOKED_WIRE_MAX + 16)

/* A request for a report is as long as any report can be. */
#define HP_NOTE_REPORT_MAX (HP_REVOKED_WIRE_MAX - 9)

/* The values are on the wire. */
enum hp_note_kind {
	HP_NOTE_CERT_WANTED = 1, /* we have no permanent certificate yet */
	HP_NOTE_CERT = 2,	/* your permanent certificate */
	HP_NOTE_REVOKED = 3,	/* the revocation list */
	HP_NOTE_REPORT_WANTED = 4, /* tell what you know of our connection */
	HP_NOTE_REPORT = 5,	/* a part of that */
	HP_NOTE_CARRY = 6,	/* pass this call on to another peer of yours */
	HP_NOTE_CARRIED = 7,	/* a call that a peer of mine has for you */
	HP_NOTE_RELAY_WANTED = 8, /* relay for me to another peer of yours */
	HP_NOTE_RELAY = 9,	/* the channel that leads to it */
};

/**
 * struct hp_note - One note
 * @kind: which
 * @cert: HP_NOTE_CERT: not yet checked when read
 * @list: HP_NOTE_REVOKED: @list_len bytes for hp_judge_revoke();
 *        HP_NOTE_REPORT: a part of the report, at most HP_NOTE_REPORT_MAX;
 *        HP_NOTE_CARRY, HP_NOTE_CARRIED: HP_CALL_LEN bytes, a call
 * @slot: of both: whom the call is to, and whom it is from;
 *        HP_NOTE_RELAY_WANTED, HP_NOTE_RELAY: whom the channel leads to
 * @seen: HP_NOTE_CARRIED: the address that the caller has; or HP_AF_NONE
 * @ask:  HP_NOTE_REPORT_WANTED, HP_NOTE_RELAY_WANTED: random; HP_NOTE_REPORT,
 *        HP_NOTE_RELAY: that of the request
 * @part: of the reports: which part, from 0
 * @channel: HP_NOTE_RELAY: its number; 0: refused
 * @rtt_us: HP_NOTE_RELAY: round trip from the relay to that peer; 0: unknown
 */
struct hp_note {
	enum hp_note_kind kind;
	struct hp_cert cert;
	uint64_t ask;
	uint8_t part;
	uint8_t slot[HP_SLOT_LEN];
	struct hp_addr seen;
	uint32_t channel;
	uint32_t rtt_us;
	size_t list_len;
	uint8_t list[HP_REVOKED_WIRE_MAX];
};

/* How a receiver finds the sender of a note, by the sender's X25519 key. */
void hp_note_tag(const struct hp_network *net, const struct hp_public *sender,
		 uint8_t out[HP_NOTE_TAG_LEN]);
/* The tag that a note claims; HP_ERR_SHORT, HP_ERR_TYPE: not a note. */
enum hp_err hp_note_peek(const uint8_t *p, size_t len,
			 uint8_t tag[HP_NOTE_TAG_LEN]) HP_MUST_CHECK;
/**
 * hp_note_seal() - Encode and seal a note
 * @pair: hp_network_pair_key() of the two
 * @tag:  hp_note_tag() of ourselves
 *
 * Return: the bytes written to @out. A request is as long as the certificate
 * that answers it can get, or as the longest part of a report.
 */
size_t hp_note_seal(const struct hp_secret *pair,
		    const uint8_t tag[HP_NOTE_TAG_LEN],
		    const struct hp_note *note, const struct hp_rng *rng,
		    uint8_t out[HP_NOTE_MAX]);
/* Return: HP_OK; HP_ERR_SHORT, _TYPE, _AUTH, _FORMAT. @out is untouched on
 * error.
 */
enum hp_err hp_note_open(const struct hp_secret *pair, const uint8_t *p,
			 size_t len, struct hp_note *out) HP_MUST_CHECK;

#endif
