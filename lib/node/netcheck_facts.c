/* SPDX-License-Identifier: ISC */
/*
 * What the answers mean, and what follows from it. Says no more than was seen:
 * what one server cannot tell stays open.
 */
#include "node/netcheck_impl.h"

/* Ports of a sequential NAT: so far apart at most, and so many must be. */
#define STRIDE_MAX 64
#define STEPS_MIN 3

static bool is_answered(const struct nc_question *q)
{
	return q->state == NC_ANSWERED;
}

/* ---- mapping ---- */

/* What comparing answers showed: of two ports of one address, and of two
 * addresses.
 */
struct compared {
	bool port_same, port_differs;
	bool ip_same, ip_differs;
};

static void compare(struct compared *c, const struct nc_question *a,
		    const struct nc_question *b)
{
	bool same = hp_addr_eq(&a->seen, &b->seen);

	if (!is_answered(a) || !is_answered(b) || hp_addr_eq(&a->dst, &b->dst))
		return;
	if (hp_addr_same_ip(&a->dst, &b->dst)) {
		c->port_same |= same;
		c->port_differs |= !same;
	} else {
		c->ip_same |= same;
		c->ip_differs |= !same;
	}
}

static enum hp_netcheck_mapping mapping_of(const struct hp_netcheck *n,
					   unsigned int af)
{
	struct compared c = { 0 };

	for (unsigned int i = 0; i < 2 * HP_SERVERS_MAX; i++) {
		const struct nc_question *a = &n->main[i / 2][af][i % 2];

		if (is_answered(a) && nc_is_own(n, &a->seen, 0))
			return HP_NC_MAPPING_NONE;
		for (unsigned int j = 0; j < i; j++)
			compare(&c, a, &n->main[j / 2][af][j % 2]);
	}
	if (c.port_differs)
		return HP_NC_MAPPING_APDM;
	if (c.ip_differs)
		return c.port_same ? HP_NC_MAPPING_ADM
				   : HP_NC_MAPPING_ADM_OR_APDM;
	if (c.ip_same)
		return HP_NC_MAPPING_EIM;
	return c.port_same ? HP_NC_MAPPING_EIM_OR_ADM : HP_NC_MAPPING_UNKNOWN;
}

/* ---- ports ---- */

/* Is @step one that a sequential NAT makes, in the direction of @sign? */
static bool is_stride(int step, int sign)
{
	return step * sign > 0 && step * sign <= STRIDE_MAX;
}

/* The stride, 0: none. Other hosts behind the NAT take ports in between, so it
 * is the smallest step; one step may be odd: the count began anew.
 */
static int stride_of(const uint16_t *port, unsigned int n)
{
	for (int sign = -1; sign <= 1; sign += 2) {
		unsigned int fit = 0;
		int least = 0;

		for (unsigned int i = 1; i < n; i++) {
			int step = port[i] - port[i - 1];

			if (!is_stride(step, sign))
				continue;
			fit++;
			if (!least || step * sign < least * sign)
				least = step;
		}
		if (fit >= STEPS_MIN && fit + 2 >= n)
			return least;
	}
	return 0;
}

static void ports_of(const struct hp_netcheck *n, unsigned int af,
		     struct hp_netcheck_family *out)
{
	uint16_t port[HP_NETCHECK_FRESH];
	unsigned int kept = 0;

	for (unsigned int i = 0; i < HP_NETCHECK_FRESH; i++) {
		const struct nc_question *q = &n->family[af].q[NC_FRESH + i];
		uint16_t p = q->seen.port;

		if (!is_answered(q))
			continue;
		kept += p == n->cfg.port[q->sock];
		if (!out->samples || p < out->low)
			out->low = p;
		if (p > out->high)
			out->high = p;
		port[out->samples++] = p;
		out->many_ips |= !hp_addr_same_ip(&q->seen, &out->seen);
	}
	if (out->mapping == HP_NC_MAPPING_NONE || out->samples <= STEPS_MIN)
		return;
	/* A port that another host has already is not to be had. */
	if (kept + 1 >= out->samples) {
		out->ports = HP_NC_PORTS_PRESERVED;
		return;
	}
	out->stride = stride_of(port, out->samples);
	out->ports = out->stride ? HP_NC_PORTS_SEQUENTIAL : HP_NC_PORTS_RANDOM;
}

/* ---- the rest ---- */

static enum hp_netcheck_filtering filtering_of(const struct nc_family *f)
{
	const struct nc_question *port = &f->q[NC_OTHER_PORT];
	const struct nc_question *ip = &f->q[NC_OTHER_IP];

	if (is_answered(ip))
		return HP_NC_FILTERING_EIF;
	if (port->state == NC_SILENT)
		return HP_NC_FILTERING_APDF;
	if (!is_answered(port))
		return HP_NC_FILTERING_UNKNOWN;
	return ip->state == NC_SILENT && is_answered(&f->q[NC_REDIRECT])
		       ? HP_NC_FILTERING_ADF
		       : HP_NC_FILTERING_EIF_OR_ADF;
}

static enum hp_netcheck_answer hairpin_of(const struct nc_family *f)
{
	const struct nc_question *in = &f->q[NC_HAIRPIN_IN];
	const struct nc_question *out = &f->q[NC_HAIRPIN_OUT];

	if (is_answered(in) || is_answered(out))
		return HP_NC_YES;
	return in->state == NC_SILENT && out->state == NC_SILENT
		       ? HP_NC_NO : HP_NC_UNKNOWN;
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

	if (f->ref < 0)
		return;
	out->answered = true;
	out->seen = n->main[f->ref][af][0].seen;
	out->mapping = mapping_of(n, af);
	for (unsigned int i = 0; i < 2 * HP_SERVERS_MAX; i++) {
		const struct nc_question *q = &n->main[i / 2][af][i % 2];

		out->many_ips |= is_answered(q) &&
				 !hp_addr_same_ip(&q->seen, &out->seen);
	}
	ports_of(n, af, out);
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
