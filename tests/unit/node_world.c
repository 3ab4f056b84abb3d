/* SPDX-License-Identifier: ISC */
/* Where the nodes of tests sit, on the virtual internet of tests/sim. */
#include "node_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

const struct sim_link nw_ten_ms = { .delay_ns = 10 * HP_MS };

const struct sim_nat_config nw_home = {
	.mapping = SIM_EIM,
	.filtering = SIM_APDF,
	.poison = true,
	.lifetime_ns = 120 * HP_S,
};

const struct sim_nat_config nw_linux = {
	.mapping = SIM_APDM,
	.filtering = SIM_APDF,
	.ports = SIM_OVERLOAD,
	.lifetime_ns = 120 * HP_S,
};

const struct sim_nat_config nw_symmetric = {
	.mapping = SIM_APDM,
	.filtering = SIM_APDF,
	.ports = SIM_RANDOM,
	.lifetime_ns = 120 * HP_S,
};

struct sim_world_node *nw_behind(struct sim_world *w, const char *name,
				 const struct sim_nat_config *nat,
				 const char *outside, const char *inside)
{
	return sim_world_add(w, name, sim_nat_new(w->sim, nat, NULL, outside),
			     inside, &nw_ten_ms);
}

void nw_want(const struct sim_world_node *x, const char *peer)
{
	assert_int_equal(hp_node_want(x->node, peer, sim_now(x->world->sim)),
			 HP_OK);
}
