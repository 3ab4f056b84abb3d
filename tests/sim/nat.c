/* SPDX-License-Identifier: ISC */
#include "../sim/nat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

#define PORT_FIRST 1024
#define PORT_COUNT (65536 - PORT_FIRST)
/* Linux keeps a flow that nobody answered for so long at most. */
#define UNANSWERED_NS (30 * HP_S)
/* A node takes a mapping that it left alone to be gone by then. */
#define LIFE_KNOWN (120 * HP_S)

/* Chains of mappings; a round of guesses makes a thousand. */
#define CHAINS 1024

/* Where a mapping sent to, as far as the filter looks at it, and when last. */
struct sent {
	struct hp_addr to;	/* HP_AF_NONE: a free place */
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
	struct sent *sent;	/* for filtering: a hash table, at most half */
	size_t n_sent;		/* of its @sent_cap places in use */
	size_t sent_cap;
	uint32_t remote_hash;
	struct mapping *next_flow;
	struct mapping *next_port;
};

struct nat {
	struct sim_nat_config cfg;
	struct hp_addr external;
	const struct hp_rng *rng;
	uint16_t open_port;
	struct hp_addr open_to;
	struct mapping *by_flow[CHAINS];	/* inner and remote */
	struct mapping *by_port[CHAINS];	/* external; the newest first */
	uint64_t swept_ns;
	size_t n_mappings;
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

static uint32_t hash(uint32_t h, const struct hp_addr *a)
{
	uint32_t word;

	for (size_t i = 0; i < sizeof(*a); i += sizeof(word)) {
		memcpy(&word, (const uint8_t *)a + i, sizeof(word));
		h = (h ^ word) * 0x9e3779b1u;
		h ^= h >> 15;
	}
	return h;
}

static struct mapping **flow_chain(struct nat *n, const struct hp_addr *inner,
				   uint32_t remote_hash)
{
	return &n->by_flow[hash(remote_hash, inner) % CHAINS];
}

static struct mapping **port_chain(struct nat *n, uint16_t port)
{
	return &n->by_port[port % CHAINS];
}

static void mapping_free(struct nat *n, struct mapping *m)
{
	struct mapping **at = flow_chain(n, &m->inner, m->remote_hash);

	while (*at != m)
		at = &(*at)->next_flow;
	*at = m->next_flow;
	at = port_chain(n, m->port);
	while (*at != m)
		at = &(*at)->next_port;
	*at = m->next_port;
	n->n_mappings--;
	free(m->sent);
	free(m);
}

void nat_flush(struct nat *n)
{
	for (size_t i = 0; i < CHAINS; i++)
		while (n->by_port[i])
			mapping_free(n, n->by_port[i]);
}

void nat_open(struct nat *n, uint16_t port, const struct hp_addr *inner)
{
	n->open_port = port;
	n->open_to = port ? *inner : (struct hp_addr){ 0 };
}

const struct hp_addr *nat_opened(const struct nat *n)
{
	return &n->open_to;
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

	if ((m->poisoned || (n->cfg.ports == SIM_OVERLOAD && !m->answered)) &&
	    (!life || life > UNANSWERED_NS))
		life = UNANSWERED_NS;
	return life && now_ns > used_ns + life;
}

static bool is_dead(const struct nat *n, const struct mapping *m,
		    uint64_t now_ns)
{
	return is_over(n, m, m->used_ns, now_ns);
}

/* Nothing sees a dead one: it is only room that this gives back. */
static void sweep(struct nat *n, uint64_t now_ns)
{
	for (size_t i = 0; i < CHAINS; i++) {
		struct mapping *m = n->by_port[i], *next;

		for (; m; m = next) {
			next = m->next_port;
			if (is_dead(n, m, now_ns))
				mapping_free(n, m);
		}
	}
	n->swept_ns = now_ns;
}

static void sweep_sometimes(struct nat *n, uint64_t now_ns)
{
	if (now_ns >= n->swept_ns + 10 * HP_S)
		sweep(n, now_ns);
}

size_t nat_count(struct nat *n, uint64_t now_ns)
{
	size_t count = 0;

	sweep(n, now_ns);
	for (size_t i = 0; i < CHAINS; i++)
		for (struct mapping *m = n->by_port[i]; m; m = m->next_port)
			count += !m->poisoned;
	return count;
}

size_t nat_ports(struct nat *n, uint64_t now_ns)
{
	uint8_t seen[65536 / 8] = { 0 };
	size_t count = 0;

	sweep(n, now_ns);
	for (size_t i = 0; i < CHAINS; i++)
		for (struct mapping *m = n->by_port[i]; m; m = m->next_port) {
			uint8_t bit = (uint8_t)(1u << m->port % 8);

			/* No node can help what a NAT never forgets. */
			if (!n->cfg.lifetime_ns &&
			    now_ns > m->used_ns + LIFE_KNOWN)
				continue;
			count += !m->poisoned && !(seen[m->port / 8] & bit);
			if (!m->poisoned)
				seen[m->port / 8] |= bit;
		}
	return count;
}

size_t nat_ports_at_most(const struct nat *n)
{
	return n->n_mappings;
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

static bool port_taken(struct nat *n, uint16_t port,
		       const struct hp_addr *remote, uint64_t now_ns)
{
	bool flows = n->cfg.ports == SIM_OVERLOAD;
	uint32_t h = hash(0, remote);

	if (n->open_port == port && !flows)
		return true;
	for (struct mapping *m = *port_chain(n, port); m; m = m->next_port) {
		if (m->routed || m->port != port || is_dead(n, m, now_ns))
			continue;
		if ((!flows && !m->poisoned) ||
		    (m->remote_hash == h && hp_addr_eq(&m->remote, remote)))
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
			    const struct hp_addr *remote, uint64_t now_ns)
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
		if (!port_taken(n, port, remote, now_ns))
			return port;
	}
	return 0;
}

static struct mapping *mapping_add(struct nat *n,
				   const struct hp_addr *inner,
				   const struct hp_addr *remote, uint16_t port,
				   uint64_t now_ns)
{
	struct mapping *m = calloc(1, sizeof(*m)), **flow;

	assert(m);
	m->inner = *inner;
	m->remote = *remote;
	m->port = port;
	m->used_ns = now_ns;
	m->remote_hash = hash(0, remote);
	flow = flow_chain(n, inner, m->remote_hash);
	m->next_flow = *flow;
	*flow = m;
	m->next_port = *port_chain(n, port);
	*port_chain(n, port) = m;
	n->n_mappings++;
	return m;
}

/* ---- filters ------------------------------------------------------------ */

static enum sim_filtering filtering_of(const struct nat *n,
				       const struct hp_addr *remote)
{
	return remote->family == HP_AF_6 ? n->cfg.filtering6 :
					   n->cfg.filtering;
}

/* What of @remote the filter looks at. */
static struct hp_addr filter_key(const struct nat *n,
				 const struct hp_addr *remote)
{
	struct hp_addr key = *remote;

	if (filtering_of(n, remote) != SIM_APDF)
		key.port = 0;
	return key;
}

/* The place of @key, or a free one. */
static struct sent *sent_at(const struct mapping *m, const struct hp_addr *key)
{
	size_t i = hash(0, key) & (m->sent_cap - 1);

	while (m->sent[i].to.family && !hp_addr_eq(&m->sent[i].to, key))
		i = (i + 1) & (m->sent_cap - 1);
	return &m->sent[i];
}

static void sent_grow(struct mapping *m)
{
	struct mapping old = *m;

	m->sent_cap = old.sent_cap ? 2 * old.sent_cap : 4;
	m->sent = calloc(m->sent_cap, sizeof(*m->sent));
	assert(m->sent);
	for (size_t i = 0; i < old.sent_cap; i++)
		if (old.sent[i].to.family)
			*sent_at(m, &old.sent[i].to) = old.sent[i];
	free(old.sent);
}

static void mapping_sent(const struct nat *n, struct mapping *m,
			 const struct hp_addr *to, uint64_t now_ns)
{
	struct hp_addr key = filter_key(n, to);
	struct sent *s;

	m->used_ns = now_ns;
	if (2 * m->n_sent >= m->sent_cap)
		sent_grow(m);
	s = sent_at(m, &key);
	m->n_sent += !s->to.family;
	*s = (struct sent){ key, now_ns };
}

static bool filter_passes(const struct nat *n, const struct mapping *m,
			  const struct hp_addr *from, uint64_t now_ns)
{
	struct hp_addr key = filter_key(n, from);
	const struct sent *s;

	if (filtering_of(n, from) == SIM_EIF)
		return true;
	if (!m->sent_cap)
		return false;
	s = sent_at(m, &key);
	return s->to.family && !is_over(n, m, s->used_ns, now_ns);
}

/* ---- datagrams ---------------------------------------------------------- */

static struct mapping *mapping_of(struct nat *n, const struct hp_addr *inner,
				  const struct hp_addr *key, uint64_t now_ns)
{
	struct mapping *m = *flow_chain(n, inner, hash(0, key));

	while (m && (m->poisoned || !hp_addr_eq(&m->inner, inner) ||
		     !hp_addr_eq(&m->remote, key) || is_dead(n, m, now_ns)))
		m = m->next_flow;
	return m;
}

/* What came to the open port from @remote: it is answered from there, whatever
 * the NAT does with what goes out first.
 */
static struct mapping *open_flow(struct nat *n, const struct hp_addr *remote,
				 uint64_t now_ns)
{
	struct mapping *m = *port_chain(n, n->open_port);

	while (m && (m->poisoned || m->port != n->open_port ||
		     !hp_addr_eq(&m->inner, &n->open_to) ||
		     !hp_addr_eq(&m->remote, remote) || is_dead(n, m, now_ns)))
		m = m->next_port;
	return m;
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
	sweep_sometimes(n, now_ns);
	m = n->open_port && hp_addr_eq(from, &n->open_to) ?
		    open_flow(n, remote, now_ns) : NULL;
	if (!m)
		m = mapping_of(n, from, &key, now_ns);
	if (!m) {
		if (!routed)
			port = port_choose(n, from, &key, now_ns);
		if (!port)
			return false;
		m = mapping_add(n, from, &key, port, now_ns);
		m->routed = routed;
	}
	mapping_sent(n, m, remote, now_ns);
	if (routed)
		return true;
	*from = n->external;
	from->port = m->port;
	return true;
}

/* What arrived for the router itself: Linux remembers the flow. */
static void poison(struct nat *n, const struct hp_addr *from, uint16_t port,
		   uint64_t now_ns)
{
	for (struct mapping *m = *port_chain(n, port); m; m = m->next_port) {
		if (m->port != port || !hp_addr_eq(&m->remote, from) ||
		    is_dead(n, m, now_ns))
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
	sweep_sometimes(n, now_ns);
	if (n->open_port == to->port && !routed) {
		if (!open_flow(n, from, now_ns))
			mapping_add(n, &n->open_to, from, n->open_port,
				    now_ns)->answered = true;
		*to = n->open_to;
		return true;
	}
	for (struct mapping *m = *port_chain(n, to->port); m;
	     m = m->next_port) {
		if (m->poisoned || m->routed != routed ||
		    (routed ? !hp_addr_eq(&m->inner, to) :
			      m->port != to->port) ||
		    is_dead(n, m, now_ns) || !filter_passes(n, m, from, now_ns))
			continue;
		m->answered = true;
		*to = m->inner;
		return true;
	}
	if (n->cfg.poison && !routed)
		poison(n, from, to->port, now_ns);
	return false;
}
