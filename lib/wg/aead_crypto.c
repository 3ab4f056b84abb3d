/* SPDX-License-Identifier: ISC */
/*
 * The engine on OpenSSL's libcrypto. A cipher context there holds one key;
 * setting another costs more than the nonce alone, so each direction has a
 * context that is keyed anew only when the key differs from the last one.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "wg/aead_engine.h"
#include "wg/wire.h"

struct direction {
	EVP_CIPHER_CTX *ctx;
	struct hp_secret key;	/* of the last packet */
	bool keyed;
};

struct state {
	struct direction seal;
	struct direction open;
};

static void destroy(void *p)
{
	struct state *st = p;

	EVP_CIPHER_CTX_free(st->seal.ctx);
	EVP_CIPHER_CTX_free(st->open.ctx);
	sodium_memzero(st, sizeof(*st));
	free(st);
}

static bool direction_make(struct direction *d, int enc)
{
	d->ctx = EVP_CIPHER_CTX_new();
	return d->ctx && EVP_CipherInit_ex(d->ctx, EVP_chacha20_poly1305(),
					   NULL, NULL, NULL, enc);
}

static void *make(void)
{
	struct state *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	if (direction_make(&st->seal, 1) && direction_make(&st->open, 0))
		return st;
	destroy(st);
	return NULL;
}

static bool begin(struct direction *d, const struct hp_aead_op *op)
{
	uint8_t nonce[HP_AEAD_NONCE];
	const uint8_t *key = NULL;

	hp_aead_nonce(nonce, op->counter);
	if (!d->keyed || !hp_secret_eq(&d->key, op->key)) {
		d->key = *op->key;
		d->keyed = true;
		key = d->key.b;
	}
	return EVP_CipherInit_ex(d->ctx, NULL, NULL, key, nonce, -1);
}

static void seal(void *p, struct hp_aead_op *ops, size_t n)
{
	struct direction *d = &((struct state *)p)->seal;

	for (size_t i = 0; i < n; i++) {
		uint8_t *data = ops[i].data;
		int len = (int)ops[i].len;
		int got = 0;
		bool ok = begin(d, &ops[i]) &&
			  EVP_EncryptUpdate(d->ctx, data, &got, data, len) &&
			  EVP_EncryptFinal_ex(d->ctx, data + len, &got) &&
			  EVP_CIPHER_CTX_ctrl(d->ctx, EVP_CTRL_AEAD_GET_TAG,
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
	struct direction *d = &((struct state *)p)->open;

	for (size_t i = 0; i < n; i++) {
		uint8_t *data = ops[i].data;
		int len = (int)ops[i].len;
		int got = 0;

		ops[i].ok = begin(d, &ops[i]) &&
			    EVP_CIPHER_CTX_ctrl(d->ctx, EVP_CTRL_AEAD_SET_TAG,
						HP_WG_TAG, data + len) &&
			    EVP_DecryptUpdate(d->ctx, data, &got, data, len) &&
			    EVP_DecryptFinal_ex(d->ctx, data + len, &got) > 0;
	}
}

const struct hp_aead_vt hp_aead_crypto = {
	.engine = HP_AEAD_CRYPTO,
	.make = make,
	.destroy = destroy,
	.seal = seal,
	.open = open_all,
};
