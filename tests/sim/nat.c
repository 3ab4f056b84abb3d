/* SPDX-License-Identifier: ISC */
#include "../sim/nat.h"

#include <assert.h>
#include <stdlib.h>

#include "base/time.h"

#define PORT_FIRST 1024
#define PORT_COUNT (65536 - PORT_FIRST)
/* Linux keeps a flow that nobody answered for so long at most. */
#define UNANSWERED_NS (30 * HP_S)

struct sent {
	struct hp_addr to;
	uint64_t used_ns;
};

/* One entry: inner endpoint <-> external port, toward @remote. */
struct mapping {
	struct hp_addr inner;
	struct hp_addr remote;	/* as far as the mapping kind looks at it */
	uint16_t port;
	uint64_t used_ns;
	bool routed;		/* @inner is not translated */
	bool poisoned;		/* made from outside: blocks, never forwards */
	bool answered;
	struct sent *sent;	/* for filtering */
	size_t n_sent;
	struct mapping *next;
};

struct nat {
	struct sim_nat_config cfg;
	struct hp_addr external;
	const struct hp_rng *rng;
	struct mapping *mappings;
	uint16_t next_port;
};

struct nat *nat_new(const struct sim_nat_config *cfg,
		    const struct hp_addr *external, const struct hp_rng *rng)
{
	struct nat *n = calloc(1, sizeof(*n));

	assert(n);
	n->cfg = *cfg;
	n->external = *external;
	n->rng = rng;
	n->next_port = (uint16_t)(PORT_FIRST + hp_rng_below(rng, 30000));
	return n;
}

void nat_free(struct nat *n)
{
	nat_flush(n);
	free(n);
}

const struct sim_nat_config *nat_config(const struct nat *n)
{
	return &n->cfg;
}

const struct hp_addr *nat_external(const struct nat *n)
{
	return &n->external;
}

bool nat_translates(const struct nat *n, enum hp_family family)
{
	return family == HP_AF_4 && n->cfg.mapping != SIM_ROUTED;
}

void nat_flush(struct nat *n)
{
	struct mapping *m;

	while ((m = n->mappings)) {
		n->mappings = m->next;
		free(m->sent);
		free(m);
	}
}

void nat_renumber(struct nat *n, const struct hp_addr *external)
{
	nat_flush(n);
	n->external = *external;
}

static bool is_over(const struct nat *n, const struct mapping *m,
		    uint64_t used_ns, uint64_t now_ns)
{
	uint64_t life = n->cfg.lifetime_ns;

	if (n->cfg.ports == SIM_OVERLOAD && !m->answered &&
	    (!life || life > UNANSWERED_NS))
		life = UNANSWERED_NS;
	return life && now_ns > used_ns + life;
}

static void expire(struct nat *n, uint64_t now_ns)
{
	for (struct mapping **at = &n->mappings; *at;) {
		struct mapping *m = *at;

		if (!is_over(n, m, m->used_ns, now_ns)) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		free(m->sent);
		free(m);
	}
}

size_t nat_count(struct nat *n, uint64_t now_ns)
{
	size_t count = 0;

	expire(n, now_ns);
	for (const struct mapping *m = n->mappings; m; m = m->next)
		count += !m->poisoned;
	return count;
}

/* What of @remote the NAT's kind of mapping looks at. */
static struct hp_addr mapping_key(const struct nat *n,
				  const struct hp_addr *remote)
{
	struct hp_addr key = *remote;

	switch (n->cfg.mapping) {
	case SIM_EIM:
	case SIM_ROUTED:
		return (struct hp_addr){ 0 };
	case SIM_ADM:
		key.port = 0;
		break;
	case SIM_APDM:
		break;
	}
	return key;
}

static bool port_taken(const struct nat *n, uint16_t port,
		       const struct hp_addr *remote)
{
	bool flows = n->cfg.ports == SIM_OVERLOAD;

	for (const struct mapping *m = n->mappings; m; m = m->next) {
		if (m->routed || m->port != port)
			continue;
		if ((!flows && !m->poisoned) || hp_addr_eq(&m->remote, remote))
			return true;
	}
	return false;
}

static uint16_t port_random(struct nat *n, uint32_t first, uint32_t count)
{
	return (uint16_t)(first + hp_rng_below(n->rng, count));
}

/* A subscriber's block follows from its address. */
static uint16_t port_in_block(struct nat *n, const struct hp_addr *inner)
{
	uint32_t size = n->cfg.block;
	uint32_t which = (inner->ip[2] * 256u + inner->ip[3]) * 7;

	return port_random(n, PORT_FIRST + which % (PORT_COUNT / size) * size,
			   size);
}

static uint16_t port_next(struct nat *n)
{
	n->next_port = (uint16_t)(n->next_port +
				  (n->cfg.stride ? n->cfg.stride : 1));
	if (n->next_port < PORT_FIRST)
		n->next_port += PORT_FIRST;
	return n->next_port;
}

/* 0: none is free, or none was found. */
static uint16_t port_choose(struct nat *n, const struct hp_addr *inner,
			    const struct hp_addr *remote)
{
	for (unsigned int tries = 0; tries < 4096; tries++) {
		uint16_t port = inner->port;

		switch (n->cfg.ports) {
		case SIM_SEQUENTIAL:
			port = port_next(n);
			break;
		case SIM_BLOCK:
			port = port_in_block(n, inner);
			break;
		case SIM_PRESERVE:
		case SIM_OVERLOAD:
			if (!tries)
				break;
			/* fall through */
		case SIM_RANDOM:
			port = port_random(n, PORT_FIRST, PORT_COUNT);
			break;
		}
		if (!port_taken(n, port, remote))
			return port;
	}
	return 0;
}

static struct mapping *mapping_add(struct nat *n,
				   const struct hp_addr *inner,
				   const struct hp_addr *remote, uint16_t port,
				   uint64_t now_ns)
{
	struct mapping *m = calloc(1, sizeof(*m));

	assert(m);
	m->inner = *inner;
	m->remote = *remote;
	m->port = port;
	m->used_ns = now_ns;
	m->next = n->mappings;
	n->mappings = m;
	return m;
}

static void mapping_sent(struct mapping *m, const struct hp_addr *to,
			 uint64_t now_ns)
{
	m->used_ns = now_ns;
	for (size_t i = 0; i < m->n_sent; i++) {
		if (hp_addr_eq(&m->sent[i].to, to)) {
			m->sent[i].used_ns = now_ns;
			return;
		}
	}
	m->sent = reallocarray(m->sent, m->n_sent + 1, sizeof(*m->sent));
	assert(m->sent);
	m->sent[m->n_sent++] = (struct sent){ *to, now_ns };
}

bool nat_out(struct nat *n, struct hp_addr *from, const struct hp_addr *remote,
	     uint64_t now_ns)
{
	bool routed = !nat_translates(n, remote->family);
	struct hp_addr key = { 0 };
	struct mapping *m;
	uint16_t port = from->port;

	if (!routed)
		key = mapping_key(n, remote);
	expire(n, now_ns);
	for (m = n->mappings; m; m = m->next)
		if (!m->poisoned && hp_addr_eq(&m->inner, from) &&
		    hp_addr_eq(&m->remote, &key))
			break;
	if (!m) {
		if (!routed)
			port = port_choose(n, from, &key);
		if (!port)
			return false;
		m = mapping_add(n, from, &key, port, now_ns);
		m->routed = routed;
	}
	mapping_sent(m, remote, now_ns);
	if (routed)
		return true;
	*from = n->external;
	from->port = m->port;
	return true;
}

static bool filter_passes(const struct nat *n, const struct mapping *m,
			  const struct hp_addr *from, uint64_t now_ns)
{
	enum sim_filtering f = from->family == HP_AF_6 ? n->cfg.filtering6 :
							 n->cfg.filtering;

	if (f == SIM_EIF)
		return true;
	for (size_t i = 0; i < m->n_sent; i++) {
		if (is_over(n, m, m->sent[i].used_ns, now_ns))
			continue;
		if (hp_addr_eq(&m->sent[i].to, from) ||
		    (f == SIM_ADF && hp_addr_same_ip(&m->sent[i].to, from)))
			return true;
	}
	return false;
}

/* What arrived for the router itself: Linux remembers the flow. */
static void poison(struct nat *n, const struct hp_addr *from, uint16_t port,
		   uint64_t now_ns)
{
	for (struct mapping *m = n->mappings; m; m = m->next) {
		if (m->port != port || !hp_addr_eq(&m->remote, from))
			continue;
		if (m->poisoned)
			m->used_ns = now_ns;
		return;
	}
	mapping_add(n, &n->external, from, port, now_ns)->poisoned = true;
}

bool nat_in(struct nat *n, const struct hp_addr *from, struct hp_addr *to,
	    uint64_t now_ns)
{
	bool routed = !nat_translates(n, to->family);

	/* Nothing is kept of what is not filtered. */
	if (routed && to->family == HP_AF_6 && n->cfg.filtering6 == SIM_EIF)
		return true;
	expire(n, now_ns);
	for (struct mapping *m = n->mappings; m; m = m->next) {
		if (m->poisoned || m->routed != routed ||
		    (routed ? !hp_addr_eq(&m->inner, to) :
			      m->port != to->port) ||
		    !filter_passes(n, m, from, now_ns))
			continue;
		m->answered = true;
		*to = m->inner;
		return true;
	}
	if (n->cfg.poison && !routed)
		poison(n, from, to->port, now_ns);
	return false;
}
