/* SPDX-License-Identifier: ISC */
/*
 * The primitives, under one set of names and types. Every one comes from a
 * library: libsodium, and libcrypto for BLAKE2s, which libsodium lacks. The
 * bulk cipher of the data path is not here but behind wg/aead.h.
 */
#ifndef HP_BASE_CRYPTO_H
#define HP_BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"
#include "base/rng.h"

#define HP_HASH_LEN 32
#define HP_TAG_LEN 16
#define HP_XNONCE_LEN 24
/* What hp_box_seal() adds: a nonce and a tag. */
#define HP_BOX_OVERHEAD (HP_XNONCE_LEN + HP_TAG_LEN)

/* Call once before anything else; HP_ERR_STATE when a library refuses. */
enum hp_err hp_crypto_init(void) HP_MUST_CHECK;

/* A piece of a message that is hashed in pieces. */
struct hp_piece {
	const void *p;
	size_t len;
};

/* X25519 (RFC 7748) */
void hp_dh_keypair(const struct hp_rng *rng, struct hp_secret *secret,
		   struct hp_public *public);
void hp_dh_public(const struct hp_secret *secret, struct hp_public *public);
/* Clamps in place, as a WireGuard private key is stored. */
void hp_dh_clamp(struct hp_secret *secret);
/* HP_ERR_KEY when @public is of low order (the result would be zero). */
enum hp_err hp_dh(const struct hp_secret *secret,
		  const struct hp_public *public, struct hp_secret *shared)
	HP_MUST_CHECK;

/* Ed25519 (RFC 8032). The secret is the 32-byte seed. */
void hp_sign_keypair(const struct hp_rng *rng, struct hp_secret *seed,
		     struct hp_public *public);
void hp_sign_public(const struct hp_secret *seed, struct hp_public *public);
void hp_sign(const struct hp_secret *seed, const void *msg, size_t len,
	     struct hp_sig *sig);
/* HP_OK or HP_ERR_AUTH. */
enum hp_err hp_sign_check(const struct hp_public *public, const void *msg,
			  size_t len, const struct hp_sig *sig) HP_MUST_CHECK;

/* BLAKE2b (RFC 7693) of @n pieces, keyed when @key is given; @out_len 16..64.
 * For everything of hptun's own.
 */
void hp_blake2b(uint8_t *out, size_t out_len, const struct hp_secret *key,
		const struct hp_piece *pieces, size_t n);

/* A key for one purpose out of another key: keyed BLAKE2b of @label and
 * @context (may be NULL, 0). Labels are ASCII such as "hptun probe v1".
 */
void hp_derive(const struct hp_secret *from, const char *label,
	       const void *context, size_t context_len, struct hp_secret *out);

/* BLAKE2s (RFC 7693), 32 bytes, of @n pieces. For WireGuard. */
void hp_blake2s(uint8_t out[HP_HASH_LEN], const struct hp_piece *pieces,
		size_t n);
/* Keyed BLAKE2s with 16 bytes of output and a key of 16 or 32 bytes: the MAC
 * of WireGuard.
 */
void hp_blake2s_mac16(uint8_t out[16], const uint8_t *key, size_t key_len,
		      const struct hp_piece *pieces, size_t n);
/* HMAC (RFC 2104) over BLAKE2s, 32 bytes. */
void hp_hmac_blake2s(uint8_t out[HP_HASH_LEN], const uint8_t *key,
		     size_t key_len, const struct hp_piece *pieces, size_t n);

/* SipHash-2-4: spreads keys that a stranger may choose over a table. */
uint64_t hp_siphash(const uint8_t key[16], const void *p, size_t len);

/* ChaCha20-Poly1305 (RFC 8439) under a nonce of four zero bytes and le64
 * @counter, as Noise has it: @out gets @len + HP_TAG_LEN bytes. @out may be
 * @msg, else they must not overlap.
 */
void hp_chapoly_seal(const struct hp_secret *key, uint64_t counter,
		     const void *ad, size_t ad_len, const void *msg,
		     size_t len, uint8_t *out);
/* @box of @len bytes with its tag; @out gets @len - HP_TAG_LEN bytes. HP_OK;
 * HP_ERR_SHORT; HP_ERR_AUTH (@out untouched).
 */
enum hp_err hp_chapoly_open(const struct hp_secret *key, uint64_t counter,
			    const void *ad, size_t ad_len, const uint8_t *box,
			    size_t len, uint8_t *out) HP_MUST_CHECK;

/* The same with AES-256-GCM (NIST SP 800-38D), whose nonce is four zero bytes
 * and be64 @counter in Noise. For short messages: it expands the key each time.
 */
void hp_aesgcm_seal(const struct hp_secret *key, uint64_t counter,
		    const void *ad, size_t ad_len, const void *msg, size_t len,
		    uint8_t *out);
/* HP_OK; HP_ERR_SHORT; HP_ERR_AUTH (@out is undefined). */
enum hp_err hp_aesgcm_open(const struct hp_secret *key, uint64_t counter,
			   const void *ad, size_t ad_len, const uint8_t *box,
			   size_t len, uint8_t *out) HP_MUST_CHECK;

/**
 * hp_box_seal() - Encrypt with XChaCha20-Poly1305 under a random nonce
 * @key: the key (borrowed)
 * @ad:  additional data, may be NULL with @ad_len 0
 * @msg: @len bytes; may be @out + HP_XNONCE_LEN, else must not overlap
 * @out: gets nonce, ciphertext, tag: @len + HP_BOX_OVERHEAD bytes
 */
void hp_box_seal(const struct hp_secret *key, const struct hp_rng *rng,
		 const void *ad, size_t ad_len, const void *msg, size_t len,
		 uint8_t *out);
/**
 * hp_box_open() - Decrypt what hp_box_seal() made
 * @box: @len bytes, at least HP_BOX_OVERHEAD
 * @out: gets @len - HP_BOX_OVERHEAD bytes; untouched on error
 *
 * Return: HP_OK; HP_ERR_SHORT; HP_ERR_AUTH.
 */
enum hp_err hp_box_open(const struct hp_secret *key, const void *ad,
			size_t ad_len, const uint8_t *box, size_t len,
			uint8_t *out) HP_MUST_CHECK;

#endif
