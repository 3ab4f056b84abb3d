/* SPDX-License-Identifier: ISC */
#include "../sim/block.h"

bool block_any(const struct scenario *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->places[i].blocked)
			return true;
	return false;
}

void block_end(struct scenario *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		sim_host_block(s->places[i].node->host, false);
}

bool block_is_over(const struct sim_world_node *x)
{
	struct hp_node_server_info info;

	if (sim_host_is_blocked(x->host))
		return true;
	for (unsigned int i = 0; i < x->world->n_servers; i++) {
		hp_node_server_get(x->node, i, &info);
		if (info.state != HP_SERVER_REGISTERED ||
		    info.over != HP_OVER_UDP)
			return false;
	}
	return true;
}

void block_forget_streams(struct sim_world *w)
{
	for (unsigned int i = 0; i < w->n_nodes; i++)
		sim_tcp_node_break(&w->nodes[i]);
}
