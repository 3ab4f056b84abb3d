/* SPDX-License-Identifier: ISC */
#include "wg/noise.h"

#include <string.h>
#include <sodium.h>

/* Noise 8: all are longer than a hash, so that they are hashed (5.2). */
static const char *const construction[HP_SUITES] = {
	[HP_SUITE_CHACHA] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s",
	[HP_SUITE_AES] = "Noise_IKpsk2_25519_AESGCM_BLAKE2s",
};

void hp_noise_wipe(struct hp_noise *n)
{
	sodium_memzero(n, sizeof(*n));
}

static void mix_hash(struct hp_noise *n, const void *p, size_t len)
{
	const struct hp_piece pieces[] = {
		{ n->hash, sizeof(n->hash) },
		{ p, len },
	};

	hp_blake2s(n->hash, pieces, 2);
}

/* HKDF of Noise (4.3): up to three outputs from the chaining key; @b and @c
 * may be NULL. The first becomes the chaining key.
 */
static void mix(struct hp_noise *n, const void *p, size_t len,
		struct hp_secret *b, struct hp_secret *c)
{
	struct hp_secret *const more[] = { b, c };
	const struct hp_piece input = { p, len };
	struct hp_secret temp;
	struct hp_secret last;
	uint8_t i = 1;

	hp_hmac_blake2s(temp.b, n->chain.b, sizeof(n->chain.b), &input, 1);
	hp_hmac_blake2s(last.b, temp.b, sizeof(temp.b),
			&(struct hp_piece){ &i, 1 }, 1);
	n->chain = last;
	for (size_t j = 0; j < 2 && more[j]; j++) {
		const struct hp_piece next[] = {
			{ last.b, sizeof(last.b) },
			{ &i, 1 },
		};

		i++;
		hp_hmac_blake2s(last.b, temp.b, sizeof(temp.b), next, 2);
		*more[j] = last;
	}
	hp_secret_wipe(&temp);
	hp_secret_wipe(&last);
}

static enum hp_err mix_dh(struct hp_noise *n, const struct hp_secret *secret,
			  const struct hp_public *public, struct hp_secret *key)
{
	struct hp_secret shared;
	enum hp_err err = hp_dh(secret, public, &shared);

	if (!err)
		mix(n, shared.b, sizeof(shared.b), key, NULL);
	hp_secret_wipe(&shared);
	return err;
}

/* A token "e" where a psk is in play: hashed and mixed (Noise 9.2). */
static void mix_e(struct hp_noise *n, const uint8_t e[32])
{
	mix_hash(n, e, 32);
	mix(n, e, 32, NULL, NULL);
}

static void mix_psk(struct hp_noise *n, const struct hp_secret *psk,
		    struct hp_secret *key)
{
	struct hp_secret hashed;

	mix(n, psk->b, sizeof(psk->b), &hashed, key);
	mix_hash(n, hashed.b, sizeof(hashed.b));
	hp_secret_wipe(&hashed);
}

static void seal(struct hp_noise *n, const struct hp_secret *key,
		 const void *text, size_t len, uint8_t *sealed)
{
	if (n->suite == HP_SUITE_AES)
		hp_aesgcm_seal(key, 0, n->hash, sizeof(n->hash), text, len,
			       sealed);
	else
		hp_chapoly_seal(key, 0, n->hash, sizeof(n->hash), text, len,
				sealed);
	mix_hash(n, sealed, len + HP_TAG_LEN);
}

static enum hp_err unseal(struct hp_noise *n, const struct hp_secret *key,
			  const uint8_t *sealed, size_t len, uint8_t *text)
{
	enum hp_err err;

	if (n->suite == HP_SUITE_AES)
		err = hp_aesgcm_open(key, 0, n->hash, sizeof(n->hash), sealed,
				     len, text);
	else
		err = hp_chapoly_open(key, 0, n->hash, sizeof(n->hash), sealed,
				      len, text);
	if (!err)
		mix_hash(n, sealed, len);
	return err;
}

static void begin(struct hp_noise *n, enum hp_suite suite,
		  const void *prologue, size_t prologue_len,
		  const struct hp_public *responder)
{
	const struct hp_piece name = { construction[suite],
				       strlen(construction[suite]) };

	memset(n, 0, sizeof(*n));
	n->suite = suite;
	hp_blake2s(n->chain.b, &name, 1);
	memcpy(n->hash, n->chain.b, sizeof(n->hash));
	mix_hash(n, prologue, prologue_len);
	mix_hash(n, responder->b, sizeof(responder->b));
}

enum hp_err hp_noise_write_first(struct hp_noise *n, enum hp_suite suite,
				 const void *prologue, size_t prologue_len,
				 const struct hp_noise_local *local,
				 const struct hp_noise_remote *remote,
				 const struct hp_secret *ephemeral,
				 uint8_t e[32], uint8_t fixed[HP_NOISE_FIXED],
				 const void *payload, size_t len,
				 uint8_t *sealed)
{
	struct hp_public public;
	struct hp_secret key;
	enum hp_err err;

	begin(n, suite, prologue, prologue_len, &remote->public);
	n->ephemeral = *ephemeral;
	hp_dh_public(ephemeral, &public);
	memcpy(e, public.b, sizeof(public.b));
	mix_e(n, e);
	err = mix_dh(n, ephemeral, &remote->public, &key);
	if (err)
		goto out;
	seal(n, &key, local->public.b, sizeof(local->public.b), fixed);
	mix(n, remote->ss.b, sizeof(remote->ss.b), &key, NULL);
	seal(n, &key, payload, len, sealed);
out:
	hp_secret_wipe(&key);
	if (err)
		hp_noise_wipe(n);
	return err;
}

enum hp_err hp_noise_read_first(struct hp_noise *n, unsigned int suites,
				const void *prologue, size_t prologue_len,
				const struct hp_noise_local *local,
				const uint8_t e[32],
				const uint8_t fixed[HP_NOISE_FIXED],
				struct hp_public *initiator)
{
	struct hp_public heard;
	struct hp_secret es;
	struct hp_secret key;
	enum hp_err err;

	memcpy(heard.b, e, sizeof(heard.b));
	err = hp_dh(&local->secret, &heard, &es);
	if (err)
		goto out;
	err = HP_ERR_AUTH;
	for (int s = 0; err && s < HP_SUITES; s++) {
		if (!(suites & HP_SUITE_BIT(s)))
			continue;
		begin(n, (enum hp_suite)s, prologue, prologue_len,
		      &local->public);
		n->heard = heard;
		mix_e(n, e);
		mix(n, es.b, sizeof(es.b), &key, NULL);
		err = unseal(n, &key, fixed, HP_NOISE_FIXED, initiator->b);
	}
	hp_secret_wipe(&key);
out:
	hp_secret_wipe(&es);
	return err;
}

enum hp_err hp_noise_read_payload(struct hp_noise *n,
				  const struct hp_noise_remote *remote,
				  const uint8_t *sealed, size_t len,
				  uint8_t *payload)
{
	struct hp_secret key;
	enum hp_err err;

	mix(n, remote->ss.b, sizeof(remote->ss.b), &key, NULL);
	err = unseal(n, &key, sealed, len, payload);
	hp_secret_wipe(&key);
	return err;
}

/* Both keys, once all has been mixed: the initiator's sending key first. */
static void split(struct hp_noise *n, struct hp_secret *first,
		  struct hp_secret *second)
{
	mix(n, "", 0, second, NULL);
	*first = n->chain;
}

enum hp_err hp_noise_write_second(struct hp_noise *n,
				  const struct hp_noise_remote *remote,
				  const struct hp_secret *ephemeral,
				  uint8_t e[32], const void *payload,
				  size_t len, uint8_t *sealed,
				  struct hp_session_keys *keys)
{
	struct hp_public public;
	struct hp_secret key;
	enum hp_err err;

	hp_dh_public(ephemeral, &public);
	memcpy(e, public.b, sizeof(public.b));
	mix_e(n, e);
	err = mix_dh(n, ephemeral, &n->heard, NULL);
	if (!err)
		err = mix_dh(n, ephemeral, &remote->public, NULL);
	if (err)
		return err;
	mix_psk(n, &remote->psk, &key);
	seal(n, &key, payload, len, sealed);
	keys->suite = n->suite;
	split(n, &keys->recv, &keys->send);
	hp_secret_wipe(&key);
	return HP_OK;
}

enum hp_err hp_noise_read_second(struct hp_noise *n,
				 const struct hp_noise_local *local,
				 const struct hp_noise_remote *remote,
				 const uint8_t e[32], const uint8_t *sealed,
				 size_t len, uint8_t *payload,
				 struct hp_session_keys *keys)
{
	struct hp_secret key;
	enum hp_err err;

	memcpy(n->heard.b, e, sizeof(n->heard.b));
	mix_e(n, e);
	err = mix_dh(n, &n->ephemeral, &n->heard, NULL);
	if (!err)
		err = mix_dh(n, &local->secret, &n->heard, NULL);
	if (err)
		return err;
	mix_psk(n, &remote->psk, &key);
	err = unseal(n, &key, sealed, len, payload);
	keys->suite = n->suite;
	if (!err)
		split(n, &keys->send, &keys->recv);
	hp_secret_wipe(&key);
	return err;
}
