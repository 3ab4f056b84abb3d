/* SPDX-License-Identifier: ISC */
#include "base/crypto.h"

#include <assert.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "base/bytes.h"

#define BLAKE2S_BLOCK 64

/* The system's settings for libcrypto are about programs that leave it a choice;
 * reading them costs 0.6 MiB.
 */
enum hp_err hp_crypto_init(void)
{
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		return HP_ERR_STATE;
	return sodium_init() < 0 ? HP_ERR_STATE : HP_OK;
}

void hp_dh_clamp(struct hp_secret *secret)
{
	secret->b[0] &= 248;
	secret->b[31] = (uint8_t)((secret->b[31] & 127) | 64);
}

void hp_dh_public(const struct hp_secret *secret, struct hp_public *public)
{
	crypto_scalarmult_base(public->b, secret->b);
}

void hp_dh_keypair(const struct hp_rng *rng, struct hp_secret *secret,
		   struct hp_public *public)
{
	hp_rng_fill(rng, secret->b, sizeof(secret->b));
	hp_dh_clamp(secret);
	hp_dh_public(secret, public);
}

enum hp_err hp_dh(const struct hp_secret *secret,
		  const struct hp_public *public, struct hp_secret *shared)
{
	return crypto_scalarmult(shared->b, secret->b, public->b) ?
		       HP_ERR_KEY : HP_OK;
}

static void sign_expand(const struct hp_secret *seed, struct hp_public *public,
			uint8_t sk[crypto_sign_SECRETKEYBYTES])
{
	crypto_sign_seed_keypair(public->b, sk, seed->b);
}

void hp_sign_public(const struct hp_secret *seed, struct hp_public *public)
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES];

	sign_expand(seed, public, sk);
	sodium_memzero(sk, sizeof(sk));
}

void hp_sign_keypair(const struct hp_rng *rng, struct hp_secret *seed,
		     struct hp_public *public)
{
	hp_rng_fill(rng, seed->b, sizeof(seed->b));
	hp_sign_public(seed, public);
}

void hp_sign(const struct hp_secret *seed, const void *msg, size_t len,
	     struct hp_sig *sig)
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES];
	struct hp_public public;

	sign_expand(seed, &public, sk);
	crypto_sign_detached(sig->b, NULL, msg, len, sk);
	sodium_memzero(sk, sizeof(sk));
}

enum hp_err hp_sign_check(const struct hp_public *public, const void *msg,
			  size_t len, const struct hp_sig *sig)
{
	return crypto_sign_verify_detached(sig->b, msg, len, public->b) ?
		       HP_ERR_AUTH : HP_OK;
}

void hp_blake2b(uint8_t *out, size_t out_len, const struct hp_secret *key,
		const struct hp_piece *pieces, size_t n)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key ? key->b : NULL,
				key ? sizeof(key->b) : 0, out_len);
	for (size_t i = 0; i < n; i++)
		crypto_generichash_update(&state, pieces[i].p, pieces[i].len);
	crypto_generichash_final(&state, out, out_len);
	sodium_memzero(&state, sizeof(state));
}

void hp_derive(const struct hp_secret *from, const char *label,
	       const void *context, size_t context_len, struct hp_secret *out)
{
	const struct hp_piece pieces[] = {
		{ label, strlen(label) + 1 },
		{ context, context_len },
	};

	hp_blake2b(out->b, sizeof(out->b), from, pieces,
		   context_len ? 2 : 1);
}

void hp_blake2s(uint8_t out[HP_HASH_LEN], const struct hp_piece *pieces,
		size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx && EVP_DigestInit_ex(ctx, EVP_blake2s256(), NULL);

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, pieces[i].p, pieces[i].len);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	assert(ok);
	(void)ok;
}

void hp_blake2s_mac16(uint8_t out[16], const uint8_t *key, size_t key_len,
		      const struct hp_piece *pieces, size_t n)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	size_t size = 16;
	size_t len;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};
	int ok = ctx && EVP_MAC_init(ctx, key, key_len, params);

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_MAC_update(ctx, pieces[i].p, pieces[i].len);
	ok = ok && EVP_MAC_final(ctx, out, &len, size);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	assert(ok);
	(void)ok;
}

void hp_hmac_blake2s(uint8_t out[HP_HASH_LEN], const uint8_t *key,
		     size_t key_len, const struct hp_piece *pieces, size_t n)
{
	uint8_t pad[BLAKE2S_BLOCK] = { 0 };
	uint8_t inner[HP_HASH_LEN];
	struct hp_piece parts[8] = { { pad, sizeof(pad) } };
	const struct hp_piece outer[] = {
		{ pad, sizeof(pad) },
		{ inner, sizeof(inner) },
	};

	assert(key_len <= sizeof(pad) && n + 1 <= 8);
	memcpy(pad, key, key_len);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	for (size_t i = 0; i < n; i++)
		parts[i + 1] = pieces[i];
	hp_blake2s(inner, parts, n + 1);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hp_blake2s(out, outer, 2);
	sodium_memzero(pad, sizeof(pad));
	sodium_memzero(inner, sizeof(inner));
}

uint64_t hp_siphash(const uint8_t key[16], const void *p, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];

	crypto_shorthash(out, p, len, key);
	return hp_get_le64(out);
}

void hp_chapoly_seal(const struct hp_secret *key, uint64_t counter,
		     const void *ad, size_t ad_len, const void *msg,
		     size_t len, uint8_t *out)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES] = { 0 };

	hp_put_le64(nonce + 4, counter);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, msg, len, ad,
						  ad_len, NULL, nonce, key->b);
}

enum hp_err hp_chapoly_open(const struct hp_secret *key, uint64_t counter,
			    const void *ad, size_t ad_len, const uint8_t *box,
			    size_t len, uint8_t *out)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES] = { 0 };

	if (len < HP_TAG_LEN)
		return HP_ERR_SHORT;
	hp_put_le64(nonce + 4, counter);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(
		    out, NULL, NULL, box, len, ad, ad_len, nonce, key->b))
		return HP_ERR_AUTH;
	return HP_OK;
}

/* A context for one message of AES-256-GCM, its additional data taken. */
static EVP_CIPHER_CTX *aesgcm_begin(const struct hp_secret *key,
				    uint64_t counter, const void *ad,
				    size_t ad_len, int enc)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t nonce[12] = { 0 };
	int n;

	hp_put_be64(nonce + 4, counter);
	if (ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->b,
				     nonce, enc) &&
	    EVP_CipherUpdate(ctx, NULL, &n, ad, (int)ad_len))
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

void hp_aesgcm_seal(const struct hp_secret *key, uint64_t counter,
		    const void *ad, size_t ad_len, const void *msg, size_t len,
		    uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = aesgcm_begin(key, counter, ad, ad_len, 1);
	int n;
	int ok = ctx && EVP_CipherUpdate(ctx, out, &n, msg, (int)len) &&
		 EVP_CipherFinal_ex(ctx, out + len, &n) &&
		 EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, HP_TAG_LEN,
				     out + len);

	EVP_CIPHER_CTX_free(ctx);
	assert(ok);
	(void)ok;
}

enum hp_err hp_aesgcm_open(const struct hp_secret *key, uint64_t counter,
			   const void *ad, size_t ad_len, const uint8_t *box,
			   size_t len, uint8_t *out)
{
	size_t text_len = len - HP_TAG_LEN;
	uint8_t rest[HP_TAG_LEN]; /* which GCM leaves alone */
	EVP_CIPHER_CTX *ctx;
	int n;
	int ok;

	if (len < HP_TAG_LEN)
		return HP_ERR_SHORT;
	ctx = aesgcm_begin(key, counter, ad, ad_len, 0);
	ok = ctx &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, HP_TAG_LEN,
				 (void *)(box + text_len)) &&
	     (!text_len ||
	      EVP_CipherUpdate(ctx, out, &n, box, (int)text_len)) &&
	     EVP_CipherFinal_ex(ctx, rest, &n) > 0;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? HP_OK : HP_ERR_AUTH;
}

void hp_box_seal(const struct hp_secret *key, const struct hp_rng *rng,
		 const void *ad, size_t ad_len, const void *msg, size_t len,
		 uint8_t *out)
{
	hp_rng_fill(rng, out, HP_XNONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + HP_XNONCE_LEN, NULL,
						   msg, len, ad, ad_len, NULL,
						   out, key->b);
}

enum hp_err hp_box_open(const struct hp_secret *key, const void *ad,
			size_t ad_len, const uint8_t *box, size_t len,
			uint8_t *out)
{
	if (len < HP_BOX_OVERHEAD)
		return HP_ERR_SHORT;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    out, NULL, NULL, box + HP_XNONCE_LEN, len - HP_XNONCE_LEN,
		    ad, ad_len, box, key->b))
		return HP_ERR_AUTH;
	return HP_OK;
}
