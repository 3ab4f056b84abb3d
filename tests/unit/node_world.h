/* SPDX-License-Identifier: ISC */
/* Where the nodes of tests sit, on the virtual internet of tests/sim. */
#ifndef HP_TEST_NODE_WORLD_H
#define HP_TEST_NODE_WORLD_H

#include "../sim/world.h"

/* Of a site, one way. */
extern const struct sim_link nw_ten_ms;
/* A home router: port-preserving, endpoint-independent, filtering. */
extern const struct sim_nat_config nw_home;
/* A Linux router: a port that has clashed is another for each destination. */
extern const struct sim_nat_config nw_linux;
/* A port at random for each destination: nobody gets a direct path through it
 * who is not easy to reach himself.
 */
extern const struct sim_nat_config nw_symmetric;

/* A member behind a router of its own; its address there is @inside. */
struct sim_world_node *nw_behind(struct sim_world *w, const char *name,
				 const struct sim_nat_config *nat,
				 const char *outside, const char *inside);
/* @x wants to reach @peer. */
void nw_want(const struct sim_world_node *x, const char *peer);

#endif
