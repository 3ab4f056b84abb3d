/* SPDX-License-Identifier: ISC */
/* What wg/aead.c asks of each engine. Only lib/wg/aead*.c include this. */
#ifndef HP_WG_AEAD_ENGINE_H
#define HP_WG_AEAD_ENGINE_H

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "wg/aead.h"

#define HP_AEAD_NONCE 12
#define HP_AEAD_ALIGN 64

/**
 * struct hp_aead_vt - One library
 * @make:         NULL: cannot be used here
 * @destroy:      takes what @make returned, as do all others
 * @has_aes:      does it know AES-256-GCM on this machine?
 * @schedule_len: bytes of an expanded AES key; 0: it takes the key as it is
 * @expand:       writes one, aligned to HP_AEAD_ALIGN
 * @forget:       wipes keys remembered; NULL: it remembers none
 */
struct hp_aead_vt {
	enum hp_aead_engine engine;
	void *(*make)(void);
	void (*destroy)(void *state);
	bool (*has_aes)(const void *state);
	size_t schedule_len;
	void (*expand)(void *state, const struct hp_secret *key,
		       void *schedule);
	void (*forget)(void *state);
	void (*seal)(void *state, struct hp_aead_op *ops, size_t n);
	void (*open)(void *state, struct hp_aead_op *ops, size_t n);
};

extern const struct hp_aead_vt hp_aead_sodium;
extern const struct hp_aead_vt hp_aead_crypto;
#ifdef HP_HAVE_IPSEC_MB
extern const struct hp_aead_vt hp_aead_ipsec_mb;
extern const struct hp_aead_vt hp_aead_mix;
#endif

/* Are @len bytes, a multiple of 8, the same? In a time that does not tell where
 * they differ, as sodium_memcmp(), but quick enough for every packet: that goes
 * by bytes through memory, 150 instructions for a tag.
 */
static inline bool hp_aead_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint64_t diff = 0;

	for (size_t i = 0; i < len; i += 8)
		diff |= hp_get_le64(a + i) ^ hp_get_le64(b + i);
	return !diff;
}

static inline void hp_aead_nonce(uint8_t nonce[HP_AEAD_NONCE],
				 const struct hp_aead_op *op)
{
	memset(nonce, 0, 4);
	if (op->key->suite == HP_SUITE_AES)
		hp_put_be64(nonce + 4, op->counter);
	else
		hp_put_le64(nonce + 4, op->counter);
}

#endif
