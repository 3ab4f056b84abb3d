/* SPDX-License-Identifier: ISC */
#include "punch/volley.h"

/* Gaps double, so that a loss of any length costs at most its own again. */
static const uint64_t full_at_ms[HP_VOLLEY_FULL] = { 0,	  20,  60,  140,
						     300, 620, 1260 };
/* Who is nearby answers within milliseconds; more would only be noise on a
 * network where the private address belongs to somebody else.
 */
#define NEAR_MAX 3

enum hp_volley_class hp_volley_class(const struct hp_addr *addr,
				     enum hp_candidate_kind kind)
{
	if (kind == HP_CAND_HOST && hp_addr_scope(addr) != HP_SCOPE_GLOBAL)
		return HP_VOLLEY_NEAR;
	if (kind == HP_CAND_HOST || addr->family == HP_AF_6)
		return HP_VOLLEY_CLEAR;
	return HP_VOLLEY_NAT;
}

uint64_t hp_volley_due(const struct hp_volley *v, enum hp_volley_class class,
		       unsigned int n)
{
	unsigned int max = v->n_full;
	uint64_t base = v->start_ns;

	switch (class) {
	case HP_VOLLEY_NEAR:
		max = max < NEAR_MAX ? max : NEAR_MAX;
		break;
	case HP_VOLLEY_CLEAR:
		break;
	case HP_VOLLEY_NAT:
		if (n == 0)
			return v->start_ns;
		n--;
		base = v->full_ns;
		break;
	}
	return n < max ? base + full_at_ms[n] * HP_MS : HP_NEVER;
}

void hp_volley_open(struct hp_volley *v, uint64_t now_ns)
{
	v->full_ns = hp_time_min(v->full_ns, now_ns);
}

uint64_t hp_volley_end(const struct hp_volley *v)
{
	return v->full_ns + full_at_ms[v->n_full - 1] * HP_MS +
	       HP_VOLLEY_GRACE;
}

bool hp_pace_take(struct hp_pace *p, uint64_t now_ns)
{
	if (hp_pace_next(p) > now_ns)
		return false;
	if (p->full_ns < now_ns)
		p->full_ns = now_ns;
	p->full_ns += p->every_ns;
	return true;
}

uint64_t hp_pace_next(const struct hp_pace *p)
{
	uint64_t room = p->every_ns * (p->burst - 1);

	return p->full_ns > room ? p->full_ns - room : 0;
}
