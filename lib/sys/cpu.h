/* SPDX-License-Identifier: ISC */
/* What this processor can do, and how many there are. */
#ifndef HP_SYS_CPU_H
#define HP_SYS_CPU_H

#include <stdbool.h>

/* Instructions for AES and for the multiplication of GCM, so that AES-GCM is
 * fast, and takes the same time whatever the key.
 */
bool hp_cpu_has_aes(void);
/* Processors that this process may run on, at least 1. */
unsigned int hp_cpu_count(void);

#endif
