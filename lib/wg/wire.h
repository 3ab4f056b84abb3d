/* SPDX-License-Identifier: ISC */
/*
 * The four messages of WireGuard, as they are on the wire (WireGuard paper,
 * 5.4), and the constants that both ends must share (6.1).
 */
#ifndef HP_WG_WIRE_H
#define HP_WG_WIRE_H

#include <stdint.h>

#include "base/time.h"

#define HP_WG_INITIATION 1
#define HP_WG_RESPONSE 2
#define HP_WG_COOKIE 3
#define HP_WG_DATA 4

#define HP_WG_TAG 16
#define HP_WG_TIMESTAMP 12	/* TAI64N: be64 seconds, be32 nanoseconds */
#define HP_WG_PAD 16		/* inner packets are padded to this multiple */

/* Ends every handshake message. */
struct hp_wire_macs {
	uint8_t mac1[16];
	uint8_t mac2[16];
};

struct hp_wire_initiation {
	uint8_t type[4];	/* le32, HP_WG_INITIATION */
	uint8_t sender[4];	/* le32, index of the initiator's session */
	uint8_t ephemeral[32];
	uint8_t fixed[32 + HP_WG_TAG];	/* sealed static public key */
	uint8_t timestamp[HP_WG_TIMESTAMP + HP_WG_TAG];
	struct hp_wire_macs macs;
};
_Static_assert(sizeof(struct hp_wire_initiation) == 148, "wire size");

struct hp_wire_response {
	uint8_t type[4];	/* le32, HP_WG_RESPONSE */
	uint8_t sender[4];	/* le32, index of the responder's session */
	uint8_t receiver[4];	/* le32, the initiation's sender */
	uint8_t ephemeral[32];
	uint8_t nothing[HP_WG_TAG]; /* sealed empty text */
	struct hp_wire_macs macs;
};
_Static_assert(sizeof(struct hp_wire_response) == 92, "wire size");

struct hp_wire_cookie {
	uint8_t type[4];	/* le32, HP_WG_COOKIE */
	uint8_t receiver[4];	/* le32, sender of the message answered */
	uint8_t box[24 + 16 + HP_WG_TAG]; /* nonce, sealed cookie, tag */
};
_Static_assert(sizeof(struct hp_wire_cookie) == 64, "wire size");

struct hp_wire_data {
	uint8_t type[4];	/* le32, HP_WG_DATA */
	uint8_t receiver[4];	/* le32, index of the receiver's session */
	uint8_t counter[8];	/* le64, nonce */
};				/* ciphertext and 16-byte tag follow */
_Static_assert(sizeof(struct hp_wire_data) == 16, "wire size");

/* A data message without inner packet: a keepalive. */
#define HP_WG_DATA_MIN (sizeof(struct hp_wire_data) + HP_WG_TAG)

#define HP_WG_REKEY_AFTER_MESSAGES (UINT64_C(1) << 60)
#define HP_WG_REJECT_AFTER_MESSAGES (UINT64_MAX - (UINT64_C(1) << 13))
/* Of one key of AES-GCM. q packets of l blocks of 16 bytes are told from random
 * with an advantage of at most 2 (q l)^2 / 2^128 (RFC 9001, B.1.1). 2^25 of the
 * longest MTU, 9,000 bytes, have 2^34.2 blocks, which is under the 2^-57 that
 * QUIC asks for; of 1,424 bytes it is 2^-63. WireGuard's own 2^64 would not do.
 */
#define HP_AES_REKEY_AFTER_MESSAGES (UINT64_C(1) << 24)
#define HP_AES_REJECT_AFTER_MESSAGES (UINT64_C(1) << 25)
#define HP_WG_REKEY_AFTER_TIME (120 * HP_S)
#define HP_WG_REJECT_AFTER_TIME (180 * HP_S)
#define HP_WG_REKEY_ATTEMPT_TIME (90 * HP_S)
#define HP_WG_REKEY_TIMEOUT (5 * HP_S)
#define HP_WG_KEEPALIVE_TIMEOUT (10 * HP_S)
/* Data sent, nothing heard for this long: the peer may have lost its keys. */
#define HP_WG_NEW_HANDSHAKE_TIME (HP_WG_KEEPALIVE_TIMEOUT + HP_WG_REKEY_TIMEOUT)
/* An initiator that only receives renews before the session is refused. */
#define HP_WG_REKEY_RECEIVER_TIME                                            \
	(HP_WG_REJECT_AFTER_TIME - HP_WG_KEEPALIVE_TIMEOUT -                 \
	 HP_WG_REKEY_TIMEOUT)
#define HP_WG_ZERO_TIME (3 * HP_WG_REJECT_AFTER_TIME)
/* Random delay added where two ends might otherwise act in step. */
#define HP_WG_JITTER (334 * HP_MS)
#define HP_WG_COOKIE_TIME (120 * HP_S)
/* Least time between two initiations that are accepted of one peer. */
#define HP_WG_FLOOD_TIME (20 * HP_MS)
#define HP_WG_STAGED 128

#endif
