/* SPDX-License-Identifier: ISC */
/* What wg/aead.c asks of each engine. Only lib/wg/aead*.c include this. */
#ifndef HP_WG_AEAD_ENGINE_H
#define HP_WG_AEAD_ENGINE_H

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "wg/aead.h"

#define HP_AEAD_NONCE 12

/* @state: what @make returned; NULL from @make: cannot be used here. */
struct hp_aead_vt {
	enum hp_aead_engine engine;
	void *(*make)(void);
	void (*destroy)(void *state);
	void (*seal)(void *state, struct hp_aead_op *ops, size_t n);
	void (*open)(void *state, struct hp_aead_op *ops, size_t n);
};

extern const struct hp_aead_vt hp_aead_sodium;
extern const struct hp_aead_vt hp_aead_crypto;
#ifdef HP_HAVE_IPSEC_MB
extern const struct hp_aead_vt hp_aead_ipsec_mb;
#endif

static inline void hp_aead_nonce(uint8_t nonce[HP_AEAD_NONCE],
				 uint64_t counter)
{
	memset(nonce, 0, 4);
	hp_put_le64(nonce + 4, counter);
}

#endif
