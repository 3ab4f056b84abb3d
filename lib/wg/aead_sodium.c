/* SPDX-License-Identifier: ISC */
/* The engine that is always there: libsodium. It keeps no state. */
#include <sodium.h>

#include "wg/aead_engine.h"

/* Only its address is used: a state that is not NULL. */
static const char no_state;

static void *make(void)
{
	return (void *)&no_state;
}

static void destroy(void *state)
{
	(void)state;
}

static void seal(void *state, struct hp_aead_op *ops, size_t n)
{
	uint8_t nonce[HP_AEAD_NONCE];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		hp_aead_nonce(nonce, ops[i].counter);
		crypto_aead_chacha20poly1305_ietf_encrypt_detached(
			ops[i].data, ops[i].data + ops[i].len, NULL,
			ops[i].data, ops[i].len, NULL, 0, NULL, nonce,
			ops[i].key->b);
	}
}

static void open_all(void *state, struct hp_aead_op *ops, size_t n)
{
	uint8_t nonce[HP_AEAD_NONCE];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		hp_aead_nonce(nonce, ops[i].counter);
		ops[i].ok = !crypto_aead_chacha20poly1305_ietf_decrypt_detached(
			ops[i].data, NULL, ops[i].data, ops[i].len,
			ops[i].data + ops[i].len, NULL, 0, nonce,
			ops[i].key->b);
	}
}

const struct hp_aead_vt hp_aead_sodium = {
	.engine = HP_AEAD_SODIUM,
	.make = make,
	.destroy = destroy,
	.seal = seal,
	.open = open_all,
};
