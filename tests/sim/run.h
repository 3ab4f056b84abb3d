/* SPDX-License-Identifier: ISC */
/* One run: a scenario played, and all that must hold of it checked. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <stdio.h>

#include "../sim/oracle.h"
#include "../sim/scenario.h"
#include "../sim/watch.h"

#define RUN_PAIRS (WORLD_NODES * (WORLD_NODES - 1) / 2)

/**
 * struct run_result
 * @why:      what was broken; "": nothing
 * @hash:     of the whole trace, where it was asked for
 * @n_pairs:  pairs of nodes
 * @asked:    how many of each enum oracle
 * @direct:   of them, how many were direct at the end
 */
struct run_result {
	char why[WATCH_WHY];
	uint64_t hash;
	unsigned int n_pairs;
	unsigned int asked[ORACLE_KINDS];
	unsigned int direct[ORACLE_KINDS];
};

/* @trace: NULL, or gets what happens. */
void run_seed(uint64_t seed, FILE *trace, struct run_result *out);
/* With @out->hash, and no trace. */
void run_hashed(uint64_t seed, struct run_result *out);

#endif
