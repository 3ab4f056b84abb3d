/* SPDX-License-Identifier: ISC */
#include "engine.h"

#include <malloc.h>

#include "sys/clock.h"
#include "sys/cpu.h"

enum hp_err engine_choose(enum hp_aead_engine want,
			  enum hp_cipher_policy policy,
			  struct hp_aead_choice *out, struct hp_fault *f)
{
	bool aes = hp_cpu_has_aes() && policy != HP_CIPHER_CHACHA;
	bool has = aes && !hp_aead_choose(hp_clock_now, want, true, out);

	if (!has && hp_aead_choose(hp_clock_now, want, false, out))
		return hp_fault_set(f, HP_ERR_UNKNOWN,
				    "write Crypto = auto, or leave it out",
				    "%s is not in this build, or needs a "
				    "processor with AVX2", hp_aead_name(want));
	(void)malloc_trim(0);
	if (policy == HP_CIPHER_AES && !has)
		return hp_fault_set(f, HP_ERR_UNKNOWN, "write Cipher = auto",
				    "Cipher = aes256gcm, but %s",
				    aes ? "the crypto library lacks it" :
					  "this processor has no "
					  "instructions for AES");
	return HP_OK;
}
