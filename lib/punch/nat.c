/* SPDX-License-Identifier: ISC */
#include "punch/nat.h"

#include <stdlib.h>
#include <string.h>

/* ---- collecting --------------------------------------------------------- */

static void drop_at(struct hp_nat *n, size_t i)
{
	n->n--;
	memmove(&n->sample[i], &n->sample[i + 1],
		(n->n - i) * sizeof(n->sample[0]));
}

void hp_nat_note(struct hp_nat *n, const struct hp_nat_sample *s)
{
	size_t oldest = 0;

	for (size_t i = 0; i < n->n; i++)
		if (n->sample[i].sock == s->sock &&
		    hp_addr_eq(&n->sample[i].server, &s->server)) {
			drop_at(n, i);
			break;
		}
	if (s->mapped.family == HP_AF_NONE)
		return;
	for (size_t i = 1; i < n->n; i++)
		if (n->sample[i].at_ns < n->sample[oldest].at_ns)
			oldest = i;
	if (n->n == HP_NAT_SAMPLES)
		drop_at(n, oldest);
	n->sample[n->n++] = *s;
}

void hp_nat_forget(struct hp_nat *n, uint32_t sock)
{
	for (size_t i = n->n; i-- > 0;)
		if (n->sample[i].sock == sock)
			drop_at(n, i);
}

/* ---- mapping ------------------------------------------------------------ */

/* What comparing samples of one socket showed: of two ports of one address,
 * and of two addresses.
 */
struct compared {
	bool port_same, port_differs;
	bool ip_same, ip_differs;
};

static void compare(struct compared *c, const struct hp_nat_sample *a,
		    const struct hp_nat_sample *b)
{
	bool same = hp_addr_eq(&a->mapped, &b->mapped);
	uint64_t apart = a->at_ns > b->at_ns ? a->at_ns - b->at_ns :
					       b->at_ns - a->at_ns;

	/* Agreement holds however long ago it was seen. */
	if (a->sock != b->sock || (!same && apart > HP_NAT_TOGETHER))
		return;
	if (hp_addr_same_ip(&a->server, &b->server)) {
		c->port_same |= same;
		c->port_differs |= !same;
	} else {
		c->ip_same |= same;
		c->ip_differs |= !same;
	}
}

static enum hp_nat_mapping conclude(const struct compared *c)
{
	if (c->port_differs)
		return HP_NAT_MAPPING_APDM;
	if (c->ip_differs)
		return c->port_same ? HP_NAT_MAPPING_ADM :
				      HP_NAT_MAPPING_ADM_OR_APDM;
	if (c->ip_same)
		return HP_NAT_MAPPING_EIM;
	return c->port_same ? HP_NAT_MAPPING_EIM_OR_ADM :
			      HP_NAT_MAPPING_UNKNOWN;
}

static bool is_own(const struct hp_addr *a, const struct hp_addr *own,
		   size_t n_own)
{
	for (size_t i = 0; i < n_own; i++)
		if (hp_addr_same_ip(&own[i], a))
			return true;
	return false;
}

/* Of the main socket, or of all the others. */
static enum hp_nat_mapping mapping_of(const struct hp_nat *n,
				      enum hp_family family, bool main,
				      const struct hp_addr *own, size_t n_own)
{
	struct compared c = { 0 };

	for (size_t i = 0; i < n->n; i++) {
		const struct hp_nat_sample *a = &n->sample[i];

		if (a->mapped.family != family || (a->sock == 0) != main)
			continue;
		if (is_own(&a->mapped, own, n_own))
			return HP_NAT_MAPPING_NONE;
		for (size_t j = 0; j < i; j++)
			if (n->sample[j].mapped.family == family)
				compare(&c, a, &n->sample[j]);
	}
	return conclude(&c);
}

/* ---- ports -------------------------------------------------------------- */

/* Ports of new mappings in the order in which they were made. */
struct made {
	uint16_t port[HP_NAT_SAMPLES];
	size_t n;
	size_t n_bound;	/* of sockets whose own port is known */
	size_t n_kept;	/* and given out again */
};

static const struct hp_nat_sample *next_in_order(const struct hp_nat *n,
						 enum hp_family family,
						 uint64_t after)
{
	const struct hp_nat_sample *next = NULL;

	for (size_t i = 0; i < n->n; i++) {
		const struct hp_nat_sample *s = &n->sample[i];

		if (s->mapped.family == family && s->order > after &&
		    (!next || s->order < next->order))
			next = s;
	}
	return next;
}

/* A socket that is seen twice under one port has one mapping for both. */
static bool is_repeated(const struct hp_nat *n, const struct hp_nat_sample *s)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->sample[i].sock == s->sock &&
		    n->sample[i].order < s->order &&
		    hp_addr_eq(&n->sample[i].mapped, &s->mapped))
			return true;
	return false;
}

/* The main socket's mapping is old, and tells nothing of the newest ones. */
static void collect(const struct hp_nat *n, enum hp_family family,
		    struct made *m)
{
	const struct hp_nat_sample *s;

	memset(m, 0, sizeof(*m));
	for (uint64_t at = 0; (s = next_in_order(n, family, at));
	     at = s->order) {
		if (!s->sock || is_repeated(n, s))
			continue;
		m->port[m->n++] = s->mapped.port;
		m->n_bound += s->bound != 0;
		m->n_kept += s->bound && s->bound == s->mapped.port;
	}
}

/* Is @step one that a sequential NAT makes, in the direction of @sign? */
static bool is_stride(int step, int sign)
{
	return step * sign > 0 && step * sign <= HP_NAT_STRIDE_MAX;
}

/* The stride, 0: none. Other hosts behind the NAT take ports in between, so it
 * is the smallest step; one step may be odd: the count began anew.
 */
static int stride_of(const struct made *m)
{
	for (int sign = -1; sign <= 1; sign += 2) {
		size_t fit = 0;
		int least = 0;

		for (size_t i = 1; i < m->n; i++) {
			int step = m->port[i] - m->port[i - 1];

			if (!is_stride(step, sign))
				continue;
			fit++;
			if (!least || step * sign < least * sign)
				least = step;
		}
		if (fit >= HP_NAT_STEPS_MIN && fit + 2 >= m->n)
			return least;
	}
	return 0;
}

static int by_port(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* What was sent in a burst may reach the NAT in another order: then the ports
 * as a set show the stride. Its direction is up, as that of all NATs but the
 * oddest, unless the order says otherwise that is left: a shuffle of 16 ports
 * reaches half of a fall in 5 of 100 cases, three quarters in less than 1.
 * @newest: the port that was made last.
 */
static int stride_of_set(const struct made *m, uint16_t *newest)
{
	struct made sorted = *m;
	size_t half = m->n / 2, fit = 0;
	int least = HP_NAT_STRIDE_MAX + 1, rise = 0, whole;
	bool up;

	qsort(sorted.port, m->n, sizeof(sorted.port[0]), by_port);
	for (size_t i = 1; i < m->n; i++) {
		int gap = sorted.port[i] - sorted.port[i - 1];

		if (gap < least)
			fit = 0;
		if (gap <= least) {
			least = gap;
			fit++;
		}
	}
	if (least < 1 || least > HP_NAT_STRIDE_MAX ||
	    4 * fit < 3 * (m->n - 1))
		return 0;
	for (size_t i = 0; i < half; i++)
		rise += m->port[m->n - 1 - i] - m->port[i];
	whole = (int)(half * half) * least;
	up = 4 * rise > -3 * whole;
	*newest = sorted.port[up ? m->n - 1 : 0];
	return up ? least : -least;
}

/* n ports drawn from a range leave, in the mean, an n-th of their own span
 * open at either end; twice that misses little, and costs few ports more.
 */
static void range_of(const struct hp_nat *n, enum hp_family family,
		     struct hp_nat_facts *out)
{
	int lo = HP_NAT_PORT_MAX, hi = 0, count = 0, more;

	for (size_t i = 0; i < n->n; i++) {
		const struct hp_nat_sample *s = &n->sample[i];

		if (s->mapped.family != family || is_repeated(n, s))
			continue;
		count++;
		lo = s->mapped.port < lo ? s->mapped.port : lo;
		hi = s->mapped.port > hi ? s->mapped.port : hi;
	}
	out->n_ports = (unsigned int)count;
	out->lo = HP_NAT_PORT_MIN;
	out->hi = HP_NAT_PORT_MAX;
	if (count <= HP_NAT_STEPS_MIN)
		return;
	more = 2 * (hi - lo) / (count - 1);
	lo -= more;
	hi += more;
	out->lo = (uint16_t)(lo < HP_NAT_PORT_MIN ? HP_NAT_PORT_MIN : lo);
	out->hi = (uint16_t)(hi > HP_NAT_PORT_MAX ? HP_NAT_PORT_MAX : hi);
}

static void ports_of(const struct hp_nat *n, enum hp_family family,
		     struct hp_nat_facts *out)
{
	struct made m;

	range_of(n, family, out);
	collect(n, family, &m);
	if (m.n)
		out->last = m.port[m.n - 1];
	if (m.n <= HP_NAT_STEPS_MIN)
		return;
	/* A port that another host has already is not to be had. */
	if (m.n_bound == m.n && m.n_kept + 1 >= m.n) {
		out->ports = HP_NAT_PORTS_PRESERVED;
		return;
	}
	out->stride = stride_of_set(&m, &out->last);
	if (!out->stride)
		out->stride = stride_of(&m);
	out->ports = out->stride ? HP_NAT_PORTS_SEQUENTIAL :
				   HP_NAT_PORTS_RANDOM;
}

void hp_nat_judge(const struct hp_nat *n, enum hp_family family,
		  const struct hp_addr *own, size_t n_own,
		  struct hp_nat_facts *out)
{
	const struct hp_addr *first = NULL;

	memset(out, 0, sizeof(*out));
	out->mapping = mapping_of(n, family, true, own, n_own);
	out->fresh = mapping_of(n, family, false, own, n_own);
	for (size_t i = 0; i < n->n; i++) {
		const struct hp_addr *a = &n->sample[i].mapped;

		if (a->family != family)
			continue;
		if (!first)
			first = a;
		out->many_ips |= !hp_addr_same_ip(a, first);
	}
	ports_of(n, family, out);
	if (out->mapping == HP_NAT_MAPPING_NONE) {
		out->ports = HP_NAT_PORTS_UNKNOWN;
		out->stride = 0;
	}
}

/* ---- filtering ---------------------------------------------------------- */

enum hp_nat_filtering hp_nat_filtering_of(enum hp_nat_answer other_port,
					  enum hp_nat_answer other_ip)
{
	if (other_ip == HP_NAT_YES)
		return HP_NAT_FILTERING_EIF;
	if (other_port == HP_NAT_NO)
		return HP_NAT_FILTERING_APDF;
	if (other_port == HP_NAT_UNKNOWN)
		return HP_NAT_FILTERING_UNKNOWN;
	return other_ip == HP_NAT_NO ? HP_NAT_FILTERING_ADF :
				       HP_NAT_FILTERING_EIF_OR_ADF;
}

/* ---- words -------------------------------------------------------------- */

bool hp_nat_is_hard(enum hp_nat_mapping m)
{
	switch (m) {
	case HP_NAT_MAPPING_UNKNOWN:
	case HP_NAT_MAPPING_NONE:
	case HP_NAT_MAPPING_EIM:
	case HP_NAT_MAPPING_EIM_OR_ADM:
		return false;
	case HP_NAT_MAPPING_ADM:
	case HP_NAT_MAPPING_ADM_OR_APDM:
	case HP_NAT_MAPPING_APDM:
		return true;
	}
	return false;
}

uint16_t hp_nat_port_step(uint16_t port, int stride, int i)
{
	int range = HP_NAT_PORT_MAX - HP_NAT_PORT_MIN + 1;
	int at = (port - HP_NAT_PORT_MIN + stride * i) % range;

	return (uint16_t)(HP_NAT_PORT_MIN + (at < 0 ? at + range : at));
}

const char *hp_nat_mapping_text(enum hp_nat_mapping m)
{
	switch (m) {
	case HP_NAT_MAPPING_UNKNOWN:
		return "unknown";
	case HP_NAT_MAPPING_NONE:
		return "none";
	case HP_NAT_MAPPING_EIM:
		return "EIM";
	case HP_NAT_MAPPING_EIM_OR_ADM:
		return "EIM-or-ADM";
	case HP_NAT_MAPPING_ADM:
		return "ADM";
	case HP_NAT_MAPPING_ADM_OR_APDM:
		return "ADM-or-APDM";
	case HP_NAT_MAPPING_APDM:
		return "APDM";
	}
	return "unknown";
}

const char *hp_nat_ports_text(enum hp_nat_ports p)
{
	switch (p) {
	case HP_NAT_PORTS_UNKNOWN:
		return "unknown";
	case HP_NAT_PORTS_PRESERVED:
		return "preserved";
	case HP_NAT_PORTS_SEQUENTIAL:
		return "sequential";
	case HP_NAT_PORTS_RANDOM:
		return "random";
	}
	return "unknown";
}

const char *hp_nat_filtering_text(enum hp_nat_filtering f)
{
	switch (f) {
	case HP_NAT_FILTERING_UNKNOWN:
		return "unknown";
	case HP_NAT_FILTERING_EIF:
		return "EIF";
	case HP_NAT_FILTERING_EIF_OR_ADF:
		return "EIF-or-ADF";
	case HP_NAT_FILTERING_ADF:
		return "ADF";
	case HP_NAT_FILTERING_APDF:
		return "APDF";
	}
	return "unknown";
}
