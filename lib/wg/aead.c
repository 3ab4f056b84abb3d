/* SPDX-License-Identifier: ISC */
#include "wg/aead.h"

#include <assert.h>
#include <stdlib.h>
#include <sodium.h>

#include "wg/aead_engine.h"

struct hp_aead {
	const struct hp_aead_vt *vt;
	void *state;
};

/* Fastest first, as measured on most machines; tests/bench/aead measures. */
static const struct hp_aead_vt *const engines[] = {
#ifdef HP_HAVE_IPSEC_MB
	&hp_aead_mix,
	&hp_aead_ipsec_mb,
#endif
	&hp_aead_crypto,
	&hp_aead_sodium,
};

struct hp_aead *hp_aead_new(enum hp_aead_engine engine)
{
	struct hp_aead *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		if (engine != HP_AEAD_AUTO && engine != engines[i]->engine)
			continue;
		a->vt = engines[i];
		a->state = a->vt->make();
		if (a->state)
			return a;
	}
	free(a);
	return NULL;
}

void hp_aead_free(struct hp_aead *a)
{
	if (!a)
		return;
	a->vt->destroy(a->state);
	free(a);
}

enum hp_aead_engine hp_aead_engine_of(const struct hp_aead *a)
{
	return a->vt->engine;
}

bool hp_aead_has(const struct hp_aead *a, enum hp_suite suite)
{
	return suite == HP_SUITE_CHACHA ||
	       (suite == HP_SUITE_AES && a->vt->has_aes(a->state));
}

const char *hp_aead_name(enum hp_aead_engine engine)
{
	switch (engine) {
	case HP_AEAD_AUTO:
		return "auto";
	case HP_AEAD_MIX:
		return "libipsec-mb+libcrypto";
	case HP_AEAD_IPSEC_MB:
		return "libipsec-mb";
	case HP_AEAD_CRYPTO:
		return "libcrypto";
	case HP_AEAD_SODIUM:
		return "libsodium";
	}
	return "unknown";
}

const char *hp_suite_name(enum hp_suite suite)
{
	switch (suite) {
	case HP_SUITE_CHACHA:
		return "ChaCha20-Poly1305";
	case HP_SUITE_AES:
		return "AES-256-GCM";
	case HP_SUITES:
		break;
	}
	return "unknown";
}

/* ---- keys --------------------------------------------------------------- */

enum hp_err hp_aead_key_init(const struct hp_aead *a, struct hp_aead_key *k,
			     enum hp_suite suite,
			     const struct hp_secret *secret)
{
	size_t len = suite == HP_SUITE_AES ? a->vt->schedule_len : 0;

	*k = (struct hp_aead_key){ .engine = a->vt->engine, .suite = suite };
	if (!hp_aead_has(a, suite))
		return HP_ERR_UNKNOWN;
	if (len) {
		len = (len + HP_AEAD_ALIGN - 1) / HP_AEAD_ALIGN *
		      HP_AEAD_ALIGN;
		k->schedule = aligned_alloc(HP_AEAD_ALIGN, len);
		if (!k->schedule)
			return HP_ERR_NOMEM;
		k->schedule_len = len;
		a->vt->expand(a->state, secret, k->schedule);
	}
	k->secret = *secret;
	return HP_OK;
}

void hp_aead_key_wipe(struct hp_aead_key *k)
{
	if (k->schedule)
		sodium_memzero(k->schedule, k->schedule_len);
	free(k->schedule);
	sodium_memzero(k, sizeof(*k));
}

void hp_aead_forget(struct hp_aead *a)
{
	if (a->vt->forget)
		a->vt->forget(a->state);
}

/* ---- packets ------------------------------------------------------------ */

/* A schedule has the form of the engine that made it; a key without one fits
 * all.
 */
static bool fits(const struct hp_aead *a, const struct hp_aead_op *ops,
		 size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ops[i].key->suite != HP_SUITE_CHACHA &&
		    ops[i].key->engine != a->vt->engine)
			return false;
	return true;
}

void hp_aead_seal(struct hp_aead *a, struct hp_aead_op *ops, size_t n)
{
	assert(fits(a, ops, n));
	a->vt->seal(a->state, ops, n);
}

void hp_aead_open(struct hp_aead *a, struct hp_aead_op *ops, size_t n)
{
	assert(fits(a, ops, n));
	a->vt->open(a->state, ops, n);
}
