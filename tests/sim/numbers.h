/* SPDX-License-Identifier: ISC */
/* What was promised of connecting, measured: a table of claims. */
#ifndef SIM_NUMBERS_H
#define SIM_NUMBERS_H

#include <stdint.h>
#include <stdio.h>

/* @rounds: runs of each pair; 0: enough for all. Returns how many claims do
 * not hold.
 */
unsigned int numbers_print(unsigned int rounds, uint64_t from, FILE *out);

#endif
