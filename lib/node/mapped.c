/* SPDX-License-Identifier: ISC */
/* The address that our gateway opened for us, and whether peers are told. */
#include "node/internal.h"

void hp_node_mapped_get(const struct hp_node *n, struct hp_node_mapped *out)
{
	struct hp_addr seen[2 * HP_SERVERS_MAX];
	size_t n_seen = 0;

	for (unsigned int i = 0; i < n->n_servers; i++)
		for (unsigned int f = 0; f < 2; f++)
			seen[n_seen++] = n->servers[i].seen[f][0];
	out->addr = n->mapped;
	out->verdict = hp_mapped_judge(&n->mapped, seen, n_seen);
}

void hp_node_set_mapped(struct hp_node *n, const struct hp_addr *mapped,
			uint64_t now_ns)
{
	const struct hp_addr addr = mapped ? *mapped : (struct hp_addr){ 0 };

	n->now_ns = now_ns;
	if (hp_addr_eq(&addr, &n->mapped))
		return;
	n->mapped = addr;
	hp_node_publish(n, false);
	for (struct peer *p = n->peers; p; p = p->hh.next)
		hp_peer_tell(p);
}

void hp_node_gather_mapped(const struct hp_node *n,
		      struct hp_candidate list[HP_CANDIDATES_MAX], size_t *count)
{
	const struct hp_candidate c = { .addr = n->mapped,
					.kind = HP_CAND_MAPPED };
	struct hp_node_mapped m;

	hp_node_mapped_get(n, &m);
	if (m.verdict != HP_MAPPED_ANNOUNCED ||
	    !hp_candidate_allowed(&c, n->cfg.methods))
		return;
	/* What servers see, too, is known under that name. */
	for (size_t i = 0; i < *count; i++)
		if (hp_addr_eq(&list[i].addr, &c.addr))
			return;
	hp_candidates_add(list, count, &c);
}
