/* SPDX-License-Identifier: ISC */
/*
 * The engine on two libraries: AES-256-GCM and short packets of
 * ChaCha20-Poly1305 by libipsec-mb, which takes less for each call; long ones
 * by libcrypto, whose Poly1305 uses the vectors of AVX2. (With those of AVX-512
 * libipsec-mb does that too: which engine is the fastest here is measured.)
 */
#ifdef HP_HAVE_IPSEC_MB

#include <stdlib.h>
#include <intel-ipsec-mb.h>

#include "wg/aead_engine.h"

/* Where they are equal, by tests/bench/aead. */
#define LONG 1088

struct state {
	void *mb;
	void *crypto;
};

static void destroy(void *p)
{
	struct state *st = p;

	if (st->mb)
		hp_aead_ipsec_mb.destroy(st->mb);
	if (st->crypto)
		hp_aead_crypto.destroy(st->crypto);
	free(st);
}

static void *make(void)
{
	struct state *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	st->mb = hp_aead_ipsec_mb.make();
	st->crypto = st->mb ? hp_aead_crypto.make() : NULL;
	if (st->crypto)
		return st;
	destroy(st);
	return NULL;
}

static bool has_aes(const void *p)
{
	const struct state *st = p;

	return hp_aead_ipsec_mb.has_aes(st->mb);
}

static void expand(void *p, const struct hp_secret *key, void *schedule)
{
	struct state *st = p;

	hp_aead_ipsec_mb.expand(st->mb, key, schedule);
}

static void forget(void *p)
{
	struct state *st = p;

	hp_aead_crypto.forget(st->crypto);
}

static bool by_crypto(const struct hp_aead_op *op)
{
	return op->key->suite == HP_SUITE_CHACHA && op->len >= LONG;
}

/* How many at the start of @ops go to the same library. */
static size_t alike(const struct hp_aead_op *ops, size_t n)
{
	size_t i = 1;

	while (i < n && by_crypto(&ops[i]) == by_crypto(&ops[0]))
		i++;
	return i;
}

static void seal(void *p, struct hp_aead_op *ops, size_t n)
{
	struct state *st = p;

	for (size_t m; n; ops += m, n -= m) {
		m = alike(ops, n);
		if (by_crypto(ops))
			hp_aead_crypto.seal(st->crypto, ops, m);
		else
			hp_aead_ipsec_mb.seal(st->mb, ops, m);
	}
}

static void open_all(void *p, struct hp_aead_op *ops, size_t n)
{
	struct state *st = p;

	for (size_t m; n; ops += m, n -= m) {
		m = alike(ops, n);
		if (by_crypto(ops))
			hp_aead_crypto.open(st->crypto, ops, m);
		else
			hp_aead_ipsec_mb.open(st->mb, ops, m);
	}
}

const struct hp_aead_vt hp_aead_mix = {
	.engine = HP_AEAD_MIX,
	.make = make,
	.destroy = destroy,
	.has_aes = has_aes,
	.schedule_len = sizeof(struct gcm_key_data),
	.expand = expand,
	.forget = forget,
	.seal = seal,
	.open = open_all,
};

#else

/* A translation unit may not be empty. */
extern int hp_no_mix;

#endif
