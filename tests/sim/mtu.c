/* SPDX-License-Identifier: ISC */
#include "../sim/mtu.h"

#include "meet/wire.h"
#include "wg/wire.h"

#define IP4_UDP 28
#define IP6_UDP 48

static uint32_t inner(uint32_t mtu, uint32_t head, const struct hp_path *path)
{
	uint32_t len = mtu - head - HP_WG_DATA_MIN -
		       (path->channel ? HP_RELAY_HEAD : 0);

	return len < WORLD_MTU ? len : WORLD_MTU;
}

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool by_stream(const struct sim_world_node *x)
{
	for (unsigned int i = 0; i < x->world->n_servers; i++)
		if (x->tcp[i].state == SIM_TCP_UP)
			return true;
	return false;
}

struct mtu_range mtu_allowed(const struct place *a, const struct place *b,
			     const struct hp_node_peer_info *info)
{
	const struct place *up_a = a->beside ? a->beside : a;
	const struct place *up_b = b->beside ? b->beside : b;
	const struct hp_path *path = &info->path;
	uint32_t head = path->remote.family == HP_AF_6 ? IP6_UDP : IP4_UDP;
	/* Of its leg of a relay we see neither the family, */
	uint32_t far_least = path->channel && b->ip != PLACE_IP4 ? IP6_UDP :
								  head;
	uint32_t far_most = path->channel && b->ip != PLACE_IP6 ? IP4_UDP :
								 head;
	struct mtu_range r = {
		.least = min(inner(up_a->least_mtu, head, path),
			     inner(up_b->least_mtu, far_least, path)),
		.most = min(inner(up_a->link.mtu, head, path),
			    inner(up_b->link.mtu, far_most, path)),
	};

	/* A stream carries any length; the leg behind it may not. */
	if (hp_path_is_stream(path))
		r.most = inner(up_b->link.mtu, far_most, path);
	if (path->channel && by_stream(b->node))
		r.most = WORLD_MTU;
	/* nor which way out of a LAN a path back into it takes. */
	if (!path->channel && up_a == up_b)
		r.most = WORLD_MTU;
	return r;
}

uint64_t mtu_wrong_ns(struct mtu_watch *m, const struct place *a,
		      unsigned int i, const struct place *b, unsigned int k,
		      bool lossy, uint64_t now_ns)
{
	struct hp_node_peer_info info = { 0 };
	struct mtu_range range;
	uint64_t heard_ns =
		a->node->from[b->node - a->node->world->nodes].last_ns;

	if (hp_node_peer_find(a->node->node, b->node->id.cert.grant.name,
			      now_ns, &info) != HP_OK ||
	    (info.state != HP_PEER_DIRECT && info.state != HP_PEER_RELAYED) ||
	    !hp_path_eq(&info.path, &m->path[i][k]) ||
	    now_ns > m->looked_ns[i][k] + HP_S || now_ns > heard_ns + HP_S) {
		m->path[i][k] = info.path;
		m->fine_ns[i][k] = now_ns;
	}
	m->looked_ns[i][k] = now_ns;
	range = mtu_allowed(a, b, &info);
	if (lossy)
		range.least -= range.least / 8;
	if (info.mtu >= range.least && info.mtu <= range.most)
		m->fine_ns[i][k] = now_ns;
	return now_ns - m->fine_ns[i][k];
}
