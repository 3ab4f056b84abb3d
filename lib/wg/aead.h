/* SPDX-License-Identifier: ISC */
/*
 * The bulk cipher of the data path, ChaCha20-Poly1305 (RFC 8439) with the
 * nonce of WireGuard and without additional data: a batch of packets in, a
 * batch out, through one of several libraries. The handshake's small messages
 * do not come here.
 */
#ifndef HP_WG_AEAD_H
#define HP_WG_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"

struct hp_aead;

enum hp_aead_engine {
	HP_AEAD_AUTO,		/* the first of the others that works here */
	HP_AEAD_IPSEC_MB,	/* libipsec-mb; x86-64 only */
	HP_AEAD_CRYPTO,		/* libcrypto */
	HP_AEAD_SODIUM,		/* libsodium; always there */
};

/**
 * struct hp_aead_op - One packet to seal or to open, in place
 * @key:     its key (borrowed)
 * @counter: its nonce: four zero bytes, then this as le64
 * @data:    the text: @len bytes, and behind them 16 bytes for the tag
 * @len:     bytes of text, without the tag; may be 0
 * @ok:      set by hp_aead_open(): the tag is right. When it is not, the text
 *           is undefined and must not be looked at.
 */
struct hp_aead_op {
	const struct hp_secret *key;
	uint64_t counter;
	uint8_t *data;
	uint32_t len;
	bool ok;
};

/**
 * hp_aead_new() - Make an engine, for the use of one thread at a time
 * @engine: which; HP_AEAD_AUTO takes the best that this machine can run
 *
 * Return: given to the caller; NULL when that engine is not built in, when
 *         this processor cannot run it, or without memory.
 */
struct hp_aead *hp_aead_new(enum hp_aead_engine engine);
/* Wipes the keys it remembers. NULL is fine. */
void hp_aead_free(struct hp_aead *a);
/* Which one it is; never HP_AEAD_AUTO. */
enum hp_aead_engine hp_aead_engine_of(const struct hp_aead *a);
/* "libipsec-mb", "libcrypto", "libsodium", "auto". */
const char *hp_aead_name(enum hp_aead_engine engine);

/* Encrypts @n packets in place and writes their tags. Cannot fail; allocates
 * nothing.
 */
void hp_aead_seal(struct hp_aead *a, struct hp_aead_op *ops, size_t n);
/* Checks and decrypts @n packets in place; see @ok of each. */
void hp_aead_open(struct hp_aead *a, struct hp_aead_op *ops, size_t n);

#endif
