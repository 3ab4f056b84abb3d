/* SPDX-License-Identifier: ISC */
/*
 * The engine on OpenSSL's libcrypto. A cipher context there holds one key, and
 * is changed by every packet, so that threads cannot share it; setting another
 * key costs more than the nonce alone. So each direction and cipher has a
 * context of its own here, keyed anew only when the key differs from the last
 * one.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "wg/aead_engine.h"
#include "wg/wire.h"

struct context {
	EVP_CIPHER_CTX *ctx;
	struct hp_secret key;	/* of the last packet */
	bool keyed;
};

struct state {
	struct context seal[HP_SUITES];
	struct context open[HP_SUITES];
};

static void destroy(void *p)
{
	struct state *st = p;

	for (int i = 0; i < HP_SUITES; i++) {
		EVP_CIPHER_CTX_free(st->seal[i].ctx);
		EVP_CIPHER_CTX_free(st->open[i].ctx);
	}
	sodium_memzero(st, sizeof(*st));
	free(st);
}

static bool context_make(struct context *c, const EVP_CIPHER *cipher, int enc)
{
	c->ctx = EVP_CIPHER_CTX_new();
	return c->ctx &&
	       EVP_CipherInit_ex(c->ctx, cipher, NULL, NULL, NULL, enc);
}

static void *make(void)
{
	const EVP_CIPHER *const cipher[HP_SUITES] = {
		[HP_SUITE_CHACHA] = EVP_chacha20_poly1305(),
		[HP_SUITE_AES] = EVP_aes_256_gcm(),
	};
	struct state *st = calloc(1, sizeof(*st));
	bool ok = true;

	if (!st)
		return NULL;
	for (int i = 0; i < HP_SUITES; i++)
		ok = ok && context_make(&st->seal[i], cipher[i], 1) &&
		     context_make(&st->open[i], cipher[i], 0);
	if (ok)
		return st;
	destroy(st);
	return NULL;
}

static bool has_aes(const void *state)
{
	(void)state;
	return true;
}

/* The context overwrites what it expanded of the old key. */
static void context_forget(struct context *c)
{
	static const uint8_t zero[HP_KEY_LEN];

	if (c->keyed && !EVP_CipherInit_ex(c->ctx, NULL, NULL, zero, zero, -1))
		abort();
	hp_secret_wipe(&c->key);
	c->keyed = false;
}

static void forget(void *p)
{
	struct state *st = p;

	for (int i = 0; i < HP_SUITES; i++) {
		context_forget(&st->seal[i]);
		context_forget(&st->open[i]);
	}
}

static bool begin(struct context *c, const struct hp_aead_op *op)
{
	uint8_t nonce[HP_AEAD_NONCE];
	const uint8_t *key = NULL;

	hp_aead_nonce(nonce, op);
	if (!c->keyed || !hp_aead_same(c->key.b, op->key->secret.b, HP_KEY_LEN)) {
		c->key = op->key->secret;
		c->keyed = true;
		key = c->key.b;
	}
	return EVP_CipherInit_ex(c->ctx, NULL, NULL, key, nonce, -1);
}

static void seal(void *p, struct hp_aead_op *ops, size_t n)
{
	struct state *st = p;

	for (size_t i = 0; i < n; i++) {
		struct context *c = &st->seal[ops[i].key->suite];
		uint8_t *data = ops[i].data;
		int len = (int)ops[i].len;
		int got = 0;
		bool ok = begin(c, &ops[i]) &&
			  EVP_EncryptUpdate(c->ctx, data, &got, data, len) &&
			  EVP_EncryptFinal_ex(c->ctx, data + len, &got) &&
			  EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG,
					      HP_WG_TAG, data + len);

		/* A cipher that was set up does not fail on good arguments;
		 * going on would send plaintext.
		 */
		if (!ok)
			abort();
	}
}

static void open_all(void *p, struct hp_aead_op *ops, size_t n)
{
	struct state *st = p;

	for (size_t i = 0; i < n; i++) {
		struct context *c = &st->open[ops[i].key->suite];
		uint8_t *data = ops[i].data;
		int len = (int)ops[i].len;
		int got = 0;

		ops[i].ok = begin(c, &ops[i]) &&
			    EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG,
						HP_WG_TAG, data + len) &&
			    EVP_DecryptUpdate(c->ctx, data, &got, data, len) &&
			    EVP_DecryptFinal_ex(c->ctx, data + len, &got) > 0;
	}
}

const struct hp_aead_vt hp_aead_crypto = {
	.engine = HP_AEAD_CRYPTO,
	.make = make,
	.destroy = destroy,
	.has_aes = has_aes,
	.forget = forget,
	.seal = seal,
	.open = open_all,
};
