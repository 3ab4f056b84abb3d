/* SPDX-License-Identifier: ISC */
/* Hosts whose UDP is blocked, in the random runs. */
#ifndef SIM_BLOCK_H
#define SIM_BLOCK_H

#include "../sim/scenario.h"

/* So much longer it takes to connect when UDP ceases to pass: a keepalive has
 * to be due, and to be given up.
 */
#define BLOCK_NOTICED (30 * HP_S)

/* Has any place none from the beginning? */
bool block_any(const struct scenario *s);
/* It passes from now on. */
void block_end(struct scenario *s);
/* Is @x blocked, or back on UDP with all that it is registered at? */
bool block_is_over(const struct sim_world_node *x);
/* The NAT in front of somebody forgot its streams. */
void block_forget_streams(struct sim_world *w);

#endif
