/* SPDX-License-Identifier: ISC */
/*
 * What the answers are to lib/punch/nat, which knows what follows from them.
 */
#include "node/netcheck_impl.h"

static bool is_answered(const struct nc_question *q)
{
	return q->state == NC_ANSWERED;
}

/* Whether what @q asked for came. */
static enum hp_nat_answer came(const struct nc_question *q)
{
	if (is_answered(q))
		return HP_NAT_YES;
	return q->state == NC_SILENT ? HP_NAT_NO : HP_NAT_UNKNOWN;
}

static void note(struct hp_nat *nat, const struct hp_netcheck *n,
		 const struct nc_question *q, uint64_t order)
{
	const struct hp_nat_sample s = {
		.sock = q->sock, .bound = n->cfg.port[q->sock],
		.server = q->dst, .mapped = q->seen, .order = order,
		.at_ns = q->done_ns,
	};

	if (is_answered(q))
		hp_nat_note(nat, &s);
}

/* Mappings of the main socket and of the fresh ones, as they were made. */
static void judge(const struct hp_netcheck *n, unsigned int af,
		  struct hp_nat_facts *out)
{
	enum hp_family family = af ? HP_AF_6 : HP_AF_4;
	struct hp_nat nat = { 0 };
	uint64_t order = 0;

	for (unsigned int i = 0; i < 2 * HP_SERVERS_MAX; i++)
		note(&nat, n, &n->main[i / 2][af][i % 2], ++order);
	for (unsigned int i = 0; i < HP_NETCHECK_FRESH; i++)
		note(&nat, n, &n->family[af].q[NC_FRESH + i], ++order);
	hp_nat_judge(&nat, family, n->cfg.own, n->cfg.n_own, out);
}

/* Ports that the fresh sockets had. */
static void span_of(const struct nc_family *f, struct hp_netcheck_family *out)
{
	for (unsigned int i = 0; i < HP_NETCHECK_FRESH; i++) {
		const struct nc_question *q = &f->q[NC_FRESH + i];

		if (!is_answered(q))
			continue;
		if (!out->samples || q->seen.port < out->low)
			out->low = q->seen.port;
		if (q->seen.port > out->high)
			out->high = q->seen.port;
		out->samples++;
	}
}

/* A server that this socket never asked is told from one that does not do what
 * is wanted of it by the same wish with an asked one.
 */
static enum hp_nat_filtering filtering_of(const struct nc_family *f)
{
	const struct nc_question *ip = &f->q[NC_OTHER_IP];
	bool sure = is_answered(ip) || is_answered(&f->q[NC_REDIRECT]);

	return hp_nat_filtering_of(came(&f->q[NC_OTHER_PORT]),
				   sure ? came(ip) : HP_NAT_UNKNOWN);
}

static enum hp_nat_answer hairpin_of(const struct nc_family *f)
{
	enum hp_nat_answer in = came(&f->q[NC_HAIRPIN_IN]);
	enum hp_nat_answer out = came(&f->q[NC_HAIRPIN_OUT]);

	if (in == HP_NAT_YES || out == HP_NAT_YES)
		return HP_NAT_YES;
	return in == out ? in : HP_NAT_UNKNOWN;
}

static void lifetime_of(const struct nc_family *f,
			struct hp_netcheck_family *out)
{
	for (unsigned int i = 0; i < HP_NETCHECK_LIVES; i++) {
		const struct nc_question *q = &f->q[NC_LIFE + i];

		if (is_answered(q))
			out->alive_s = hp_netcheck_life_s[i];
		else if (q->state == NC_SILENT && !out->dead_s)
			out->dead_s = hp_netcheck_life_s[i];
	}
}

static void family_facts(const struct hp_netcheck *n, unsigned int af,
			 struct hp_netcheck_family *out)
{
	const struct nc_family *f = &n->family[af];
	struct hp_nat_facts nat;

	if (f->ref < 0)
		return;
	out->answered = true;
	out->seen = n->main[f->ref][af][0].seen;
	judge(n, af, &nat);
	out->mapping = nat.mapping;
	out->ports = nat.ports;
	out->stride = nat.stride;
	out->many_ips = nat.many_ips;
	span_of(f, out);
	out->filtering = filtering_of(f);
	out->hairpin = hairpin_of(f);
	lifetime_of(f, out);
}

void hp_netcheck_facts(const struct hp_netcheck *n,
		       struct hp_netcheck_facts *out)
{
	*out = (struct hp_netcheck_facts){ .n_servers = n->cfg.n_servers };
	for (unsigned int i = 0; i < NC_N_MAIN; i++) {
		const struct nc_question *q =
			&n->main[i / 4][i / 2 % 2][i % 2];

		out->server[i / 4][i / 2 % 2][i % 2] =
			(struct hp_netcheck_port){
				.dst = q->dst,
				.answered = is_answered(q),
				.no_way = q->state == NC_NO_WAY,
				.rtt_ns = q->rtt_ns,
				.seen = q->seen,
			};
	}
	family_facts(n, 0, &out->family[0]);
	family_facts(n, 1, &out->family[1]);
}
