/* SPDX-License-Identifier: ISC */
/* Which library encrypts, as far as settings and this machine leave a choice.
 */
#ifndef TUND_ENGINE_H
#define TUND_ENGINE_H

#include "base/err.h"
#include "wg/aead.h"

/**
 * engine_choose() - Settle on a library, and check that it can do what is asked
 * @want:   HP_AEAD_AUTO: the fastest, which takes some milliseconds to tell
 * @policy: the ciphers that may be spoken
 * @out:    gets the choice, measured
 *
 * Return: HP_OK; HP_ERR_UNKNOWN when this build or machine lacks @want, or AES
 *         though nothing else is allowed.
 */
enum hp_err engine_choose(enum hp_aead_engine want,
			  enum hp_cipher_policy policy,
			  struct hp_aead_choice *out, struct hp_fault *f)
	HP_MUST_CHECK;

#endif
