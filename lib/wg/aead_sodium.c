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

/* libsodium has it in hardware or not at all. */
static bool has_aes(const void *state)
{
	(void)state;
	return crypto_aead_aes256gcm_is_available();
}

static void expand(void *state, const struct hp_secret *key, void *schedule)
{
	(void)state;
	crypto_aead_aes256gcm_beforenm(schedule, key->b);
}

static void seal(void *state, struct hp_aead_op *ops, size_t n)
{
	uint8_t nonce[HP_AEAD_NONCE];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		uint8_t *data = ops[i].data;
		uint32_t len = ops[i].len;

		hp_aead_nonce(nonce, &ops[i]);
		if (ops[i].key->suite == HP_SUITE_AES)
			crypto_aead_aes256gcm_encrypt_detached_afternm(
				data, data + len, NULL, data, len, NULL, 0,
				NULL, nonce, ops[i].key->schedule);
		else
			crypto_aead_chacha20poly1305_ietf_encrypt_detached(
				data, data + len, NULL, data, len, NULL, 0,
				NULL, nonce, ops[i].key->secret.b);
	}
}

static void open_all(void *state, struct hp_aead_op *ops, size_t n)
{
	uint8_t nonce[HP_AEAD_NONCE];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		uint8_t *data = ops[i].data;
		uint32_t len = ops[i].len;

		hp_aead_nonce(nonce, &ops[i]);
		if (ops[i].key->suite == HP_SUITE_AES)
			ops[i].ok =
				!crypto_aead_aes256gcm_decrypt_detached_afternm(
					data, NULL, data, len, data + len,
					NULL, 0, nonce, ops[i].key->schedule);
		else
			ops[i].ok =
				!crypto_aead_chacha20poly1305_ietf_decrypt_detached(
					data, NULL, data, len, data + len,
					NULL, 0, nonce, ops[i].key->secret.b);
	}
}

const struct hp_aead_vt hp_aead_sodium = {
	.engine = HP_AEAD_SODIUM,
	.make = make,
	.destroy = destroy,
	.has_aes = has_aes,
	.schedule_len = sizeof(crypto_aead_aes256gcm_state),
	.expand = expand,
	.seal = seal,
	.open = open_all,
};
