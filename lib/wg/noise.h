/* SPDX-License-Identifier: ISC */
/*
 * IKpsk2 of the Noise specification (rev. 34), both roles, under one of two
 * names: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s, which is WireGuard's, and
 * Noise_IKpsk2_25519_AESGCM_BLAKE2s. The name begins the hash that every message
 * is bound to. The key schedule and its two messages are
 *
 *	-> e, es, s, ss, payload
 *	<- e, ee, se, psk, payload
 *
 * with prologue and payloads given by the caller. Nothing here knows
 * WireGuard's headers; wg/handshake.c puts the parts into them. All functions
 * work on what the caller keeps as a copy until the message is known to be
 * authentic.
 */
#ifndef HP_WG_NOISE_H
#define HP_WG_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/key.h"
#include "wg/session.h"

/* WireGuard's prologue, its identifier. */
#define HP_NOISE_WIREGUARD "WireGuard v1 zx2c4 Jason@zx2c4.com"

/* Sealed static key inside the first message. */
#define HP_NOISE_FIXED (32 + HP_TAG_LEN)

/* A key pair that a party keeps. */
struct hp_noise_local {
	struct hp_secret secret;
	struct hp_public public;
};

/* What a party knows of the other. */
struct hp_noise_remote {
	struct hp_public public;
	struct hp_secret ss;	/* X25519 of both static keys */
	struct hp_secret psk;	/* zero: none */
};

/* The state of one handshake. Secret: wipe with hp_noise_wipe(). */
struct hp_noise {
	enum hp_suite suite;
	uint8_t hash[HP_HASH_LEN];
	struct hp_secret chain;
	struct hp_secret ephemeral;	/* ours */
	struct hp_public heard;		/* the other's ephemeral */
};

void hp_noise_wipe(struct hp_noise *n);

/**
 * hp_noise_write_first() - Initiator: make the first message
 * @n:         filled; needed for the answer
 * @suite:     of the handshake, and of the session that it makes
 * @local:     our static key
 * @remote:    the responder's; its @ss must be right
 * @ephemeral: our ephemeral secret, clamped
 * @e:         gets our ephemeral public key
 * @fixed:     gets our sealed static public key
 * @payload:   @len bytes (borrowed)
 * @sealed:    gets @len + HP_TAG_LEN bytes
 *
 * Return: HP_OK; HP_ERR_KEY when the responder's key is of low order.
 */
enum hp_err hp_noise_write_first(struct hp_noise *n, enum hp_suite suite,
				 const void *prologue, size_t prologue_len,
				 const struct hp_noise_local *local,
				 const struct hp_noise_remote *remote,
				 const struct hp_secret *ephemeral,
				 uint8_t e[32], uint8_t fixed[HP_NOISE_FIXED],
				 const void *payload, size_t len,
				 uint8_t *sealed) HP_MUST_CHECK;
/* Responder: read the first message up to the initiator's static key, which
 * is authentic only once hp_noise_read_payload() says so. Of @suites, a set, it
 * finds the one that the message was made with; the second costs a few hashes,
 * no key agreement. HP_ERR_AUTH: none; HP_ERR_KEY for a point of low order.
 */
enum hp_err hp_noise_read_first(struct hp_noise *n, unsigned int suites,
				const void *prologue, size_t prologue_len,
				const struct hp_noise_local *local,
				const uint8_t e[32],
				const uint8_t fixed[HP_NOISE_FIXED],
				struct hp_public *initiator) HP_MUST_CHECK;
/* Responder: the rest. @payload gets @len - HP_TAG_LEN bytes. HP_ERR_AUTH,
 * HP_ERR_SHORT.
 */
enum hp_err hp_noise_read_payload(struct hp_noise *n,
				  const struct hp_noise_remote *remote,
				  const uint8_t *sealed, size_t len,
				  uint8_t *payload) HP_MUST_CHECK;
/* Responder: make the answer to what @n has read, and the keys. HP_ERR_KEY
 * for a point of low order.
 */
enum hp_err hp_noise_write_second(struct hp_noise *n,
				  const struct hp_noise_remote *remote,
				  const struct hp_secret *ephemeral,
				  uint8_t e[32], const void *payload,
				  size_t len, uint8_t *sealed,
				  struct hp_session_keys *keys) HP_MUST_CHECK;
/* Initiator: read the answer; give a copy of the state that
 * hp_noise_write_first() left. HP_ERR_AUTH, HP_ERR_KEY, HP_ERR_SHORT.
 */
enum hp_err hp_noise_read_second(struct hp_noise *n,
				 const struct hp_noise_local *local,
				 const struct hp_noise_remote *remote,
				 const uint8_t e[32], const uint8_t *sealed,
				 size_t len, uint8_t *payload,
				 struct hp_session_keys *keys) HP_MUST_CHECK;

#endif
