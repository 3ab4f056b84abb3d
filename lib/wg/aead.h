/* SPDX-License-Identifier: ISC */
/*
 * The bulk ciphers of the data path, with the nonce of a counter and without
 * additional data: a batch of packets in, a batch out, through one of several
 * libraries. The handshake's small messages do not come here.
 */
#ifndef HP_WG_AEAD_H
#define HP_WG_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"

struct hp_aead;

/* Cipher suites. The nonce is four zero bytes, then the counter: le64 for
 * ChaCha20-Poly1305, be64 for AES-GCM (Noise 12.3, 12.4).
 */
enum hp_suite {
	HP_SUITE_CHACHA,	/* ChaCha20-Poly1305, RFC 8439: WireGuard's */
	HP_SUITE_AES,		/* AES-256-GCM, NIST SP 800-38D */
	HP_SUITES,
};

/* A set of suites. */
#define HP_SUITE_BIT(suite) (1u << (suite))

/* What a user lets be negotiated between two members of a network. */
enum hp_cipher_policy {
	HP_CIPHER_AUTO,		/* AES where both ends have it in hardware */
	HP_CIPHER_CHACHA,	/* never AES */
	HP_CIPHER_AES,		/* nothing but AES */
};

enum hp_aead_engine {
	HP_AEAD_AUTO,		/* the first of the others that works here */
	HP_AEAD_MIX,		/* of the next two, each where it is faster */
	HP_AEAD_IPSEC_MB,	/* libipsec-mb; x86-64 only */
	HP_AEAD_CRYPTO,		/* libcrypto */
	HP_AEAD_SODIUM,		/* libsodium; always there */
};

/**
 * struct hp_aead_key - A key, made ready for one kind of engine
 * @secret:       the key itself
 * @suite:        its cipher
 * @engine:       whose form @schedule has
 * @schedule:     the expanded key; NULL where the engine needs none
 * @schedule_len: bytes of it
 *
 * Read-only once made, so that many threads may use one.
 */
struct hp_aead_key {
	struct hp_secret secret;
	enum hp_suite suite;
	enum hp_aead_engine engine;
	void *schedule;
	size_t schedule_len;
};

/**
 * struct hp_aead_op - One packet to seal or to open, in place
 * @key:     its key (borrowed); made by an engine of the same kind
 * @counter: its nonce
 * @data:    the text: @len bytes, and behind them 16 bytes for the tag
 * @len:     bytes of text, without the tag; may be 0
 * @ok:      set by hp_aead_open(): the tag is right. When it is not, the text
 *           is undefined and must not be looked at.
 */
struct hp_aead_op {
	const struct hp_aead_key *key;
	uint64_t counter;
	uint8_t *data;
	uint32_t len;
	bool ok;
};

/* Bytes of the packets by which engines are measured. */
#define HP_AEAD_TRIAL_LEN 1424

/**
 * struct hp_aead_choice - An engine, and how fast it is
 * @engine: never HP_AEAD_AUTO
 * @ns:     to seal a packet of HP_AEAD_TRIAL_LEN bytes; 0: not asked for
 */
struct hp_aead_choice {
	enum hp_aead_engine engine;
	uint32_t ns[HP_SUITES];
};

/**
 * hp_aead_choose() - Find the engine that is fastest here
 * @clock: monotonic, ns
 * @want:  measure this one alone; HP_AEAD_AUTO: choose
 * @aes:   AES-256-GCM counts too, so that an engine without it is out
 *
 * Takes some milliseconds.
 *
 * Return: HP_OK; HP_ERR_UNKNOWN when no engine can do what is asked for, or
 *         without memory.
 */
enum hp_err hp_aead_choose(uint64_t (*clock)(void), enum hp_aead_engine want,
			   bool aes, struct hp_aead_choice *out) HP_MUST_CHECK;
/* Reads a name of hp_aead_name(), any case. HP_ERR_UNKNOWN. */
enum hp_err hp_aead_parse(const char *name, enum hp_aead_engine *out)
	HP_MUST_CHECK;

/**
 * hp_aead_new() - Make an engine, for the use of one thread at a time
 * @engine: which; HP_AEAD_AUTO takes the first that this machine can run
 *
 * Return: given to the caller; NULL when that engine is not built in, when
 *         this processor cannot run it, or without memory.
 */
struct hp_aead *hp_aead_new(enum hp_aead_engine engine);
/* Wipes the keys it remembers. NULL is fine. */
void hp_aead_free(struct hp_aead *a);
/* Which one it is; never HP_AEAD_AUTO. */
enum hp_aead_engine hp_aead_engine_of(const struct hp_aead *a);
/* Does it know @suite on this machine? All know ChaCha20-Poly1305. */
bool hp_aead_has(const struct hp_aead *a, enum hp_suite suite);
/* "libipsec-mb+libcrypto", "libipsec-mb", "libcrypto", "libsodium", "auto". */
const char *hp_aead_name(enum hp_aead_engine engine);
/* "ChaCha20-Poly1305", "AES-256-GCM". */
const char *hp_suite_name(enum hp_suite suite);

/**
 * hp_aead_key_init() - Make a key ready
 * @k:      overwritten; end it with hp_aead_key_wipe()
 * @secret: copied
 *
 * Return: HP_OK; HP_ERR_NOMEM; HP_ERR_UNKNOWN when the engine lacks @suite.
 */
enum hp_err hp_aead_key_init(const struct hp_aead *a, struct hp_aead_key *k,
			     enum hp_suite suite,
			     const struct hp_secret *secret) HP_MUST_CHECK;
/* Wipes and frees. Twice, or after a failed or no init of zeros, is fine. */
void hp_aead_key_wipe(struct hp_aead_key *k);
/* Wipes what @a still holds of keys that it used. */
void hp_aead_forget(struct hp_aead *a);

/* Encrypts @n packets in place and writes their tags. Cannot fail; allocates
 * nothing.
 */
void hp_aead_seal(struct hp_aead *a, struct hp_aead_op *ops, size_t n);
/* Checks and decrypts @n packets in place; see @ok of each. */
void hp_aead_open(struct hp_aead *a, struct hp_aead_op *ops, size_t n);

#endif
