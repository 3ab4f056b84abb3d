/* SPDX-License-Identifier: ISC */
#include "sys/cpu.h"

#include <sched.h>

unsigned int hp_cpu_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return (unsigned int)CPU_COUNT(&set);
}

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
