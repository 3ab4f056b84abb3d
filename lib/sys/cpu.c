/* SPDX-License-Identifier: ISC */
#include "sys/cpu.h"

#if defined(__x86_64__) || defined(__i386__)

bool hp_cpu_has_aes(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("aes") &&
	       __builtin_cpu_supports("pclmul");
}

#elif defined(__aarch64__)

#include <asm/hwcap.h>
#include <sys/auxv.h>

bool hp_cpu_has_aes(void)
{
	unsigned long caps = getauxval(AT_HWCAP);

	return caps & HWCAP_AES && caps & HWCAP_PMULL;
}

#else

bool hp_cpu_has_aes(void)
{
	return false;
}

#endif
