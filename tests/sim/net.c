/* SPDX-License-Identifier: ISC */
#include "../sim/net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

#define DEFAULT_TTL 64
#define PORT_FIRST 1024
#define PORT_COUNT (65536 - PORT_FIRST)

/* One entry of a NAT: inner endpoint <-> external port, toward @remote. */
struct mapping {
	struct hp_addr inner;
	struct hp_addr remote;	/* as far as the mapping kind looks at it */
	uint16_t port;
	uint64_t used_ns;
	bool poisoned;		/* made from outside: blocks, never forwards */
	struct hp_addr *sent;	/* endpoints sent to, for filtering */
	size_t n_sent;
	struct mapping *next;
};

struct sim_nat {
	struct sim *sim;
	struct sim_nat_config cfg;
	struct sim_nat *outside;
	struct hp_addr external;
	struct mapping *mappings;
	uint16_t next_port;
	struct sim_nat *next;
};

struct sim_host {
	struct sim *sim;
	struct sim_nat *behind;
	struct hp_addr addr;
	struct sim_link link;
	struct sim_program program;
	bool running;
	bool down;
	uint64_t received;
	struct sim_host *next;
};

/* A datagram under way to @to. */
struct flight {
	struct hp_timer timer;
	uint64_t seq;
	struct sim_host *to;
	struct hp_addr from;
	struct hp_addr dst;
	size_t len;
	uint8_t buf[];
};

struct sim {
	uint64_t now_ns;
	uint64_t seq;
	struct hp_heap flights;
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct sim_nat *nats;
	struct sim_host *hosts;
};

struct sim *sim_new(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert(s);
	s->now_ns = HP_S;
	hp_rng_seeded_init(&s->seeded, seed, &s->rng);
	return s;
}

void sim_nat_flush(struct sim_nat *n)
{
	struct mapping *m;

	while ((m = n->mappings)) {
		n->mappings = m->next;
		free(m->sent);
		free(m);
	}
}

void sim_free(struct sim *s)
{
	struct hp_timer *t;
	struct sim_nat *n;
	struct sim_host *h;

	while ((t = hp_heap_pop(&s->flights, HP_NEVER)))
		free(hp_container_of(t, struct flight, timer));
	hp_heap_free(&s->flights);
	while ((n = s->nats)) {
		s->nats = n->next;
		sim_nat_flush(n);
		free(n);
	}
	while ((h = s->hosts)) {
		s->hosts = h->next;
		free(h);
	}
	free(s);
}

uint64_t sim_now(const struct sim *s)
{
	return s->now_ns;
}

const struct hp_rng *sim_rng(struct sim *s)
{
	return &s->rng;
}

static struct hp_addr ip_of(const char *text)
{
	struct hp_addr a;
	enum hp_err err = hp_addr_parse(text, 0, &a, NULL);

	assert(err == HP_OK);
	(void)err;
	return a;
}

struct sim_nat *sim_nat_new(struct sim *s, const struct sim_nat_config *cfg,
			    struct sim_nat *outside, const char *external_ip)
{
	struct sim_nat *n = calloc(1, sizeof(*n));

	assert(n);
	n->sim = s;
	n->cfg = *cfg;
	n->outside = outside;
	n->external = ip_of(external_ip);
	n->next_port = (uint16_t)(PORT_FIRST + hp_rng_below(&s->rng, 30000));
	n->next = s->nats;
	s->nats = n;
	return n;
}

void sim_nat_renumber(struct sim_nat *n, const char *external_ip)
{
	sim_nat_flush(n);
	n->external = ip_of(external_ip);
}

struct sim_host *sim_host_new(struct sim *s, struct sim_nat *behind,
			      const char *ip, const struct sim_link *link)
{
	struct sim_host *h = calloc(1, sizeof(*h));

	assert(h);
	h->sim = s;
	h->behind = behind;
	h->addr = ip_of(ip);
	if (link)
		h->link = *link;
	h->next = s->hosts;
	s->hosts = h;
	return h;
}

void sim_host_run(struct sim_host *h, const struct sim_program *p)
{
	h->running = p != NULL;
	if (p)
		h->program = *p;
}

void sim_host_down(struct sim_host *h, bool down)
{
	h->down = down;
}

void sim_host_renumber(struct sim_host *h, const char *ip)
{
	h->addr = ip_of(ip);
}

struct hp_addr sim_host_addr(const struct sim_host *h, uint16_t port)
{
	struct hp_addr a = h->addr;

	a.port = port;
	return a;
}

uint64_t sim_host_received(const struct sim_host *h)
{
	return h->received;
}

/* ---- NAT ------------------------------------------------------------- */

static bool expired(const struct sim_nat *n, const struct mapping *m)
{
	return n->cfg.lifetime_ns &&
	       n->sim->now_ns > m->used_ns + n->cfg.lifetime_ns;
}

static void expire(struct sim_nat *n)
{
	for (struct mapping **at = &n->mappings; *at;) {
		struct mapping *m = *at;

		if (!expired(n, m)) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		free(m->sent);
		free(m);
	}
}

/* What of @remote the NAT's kind of mapping looks at. */
static struct hp_addr mapping_key(const struct sim_nat *n,
				  const struct hp_addr *remote)
{
	struct hp_addr key = *remote;

	if (n->cfg.mapping == SIM_EIM)
		return (struct hp_addr){ 0 };
	if (n->cfg.mapping == SIM_ADM)
		key.port = 0;
	return key;
}

/* Linux looks at whole flows: a port is taken only toward one remote. */
static bool port_taken(const struct sim_nat *n, uint16_t port,
		       const struct hp_addr *remote)
{
	for (const struct mapping *m = n->mappings; m; m = m->next) {
		if (m->port != port)
			continue;
		if (!m->poisoned || hp_addr_eq(&m->remote, remote))
			return true;
	}
	return false;
}

static uint16_t port_choose(struct sim_nat *n, uint16_t inner,
			    const struct hp_addr *remote)
{
	uint16_t port = inner;

	for (unsigned int tries = 0; tries < PORT_COUNT; tries++) {
		if (n->cfg.ports == SIM_SEQUENTIAL) {
			n->next_port = (uint16_t)(n->next_port +
						  (n->cfg.stride ?
						   n->cfg.stride : 1));
			if (n->next_port < PORT_FIRST)
				n->next_port += PORT_FIRST;
			port = n->next_port;
		} else if (n->cfg.ports == SIM_RANDOM || tries) {
			port = (uint16_t)(PORT_FIRST +
				hp_rng_below(&n->sim->rng, PORT_COUNT));
		}
		if (!port_taken(n, port, remote))
			break;
	}
	return port;
}

static struct mapping *mapping_add(struct sim_nat *n,
				   const struct hp_addr *inner,
				   const struct hp_addr *remote, uint16_t port)
{
	struct mapping *m = calloc(1, sizeof(*m));

	assert(m);
	m->inner = *inner;
	m->remote = *remote;
	m->port = port;
	m->used_ns = n->sim->now_ns;
	m->next = n->mappings;
	n->mappings = m;
	return m;
}

static void mapping_sent(struct mapping *m, const struct hp_addr *to)
{
	for (size_t i = 0; i < m->n_sent; i++)
		if (hp_addr_eq(&m->sent[i], to))
			return;
	m->sent = reallocarray(m->sent, m->n_sent + 1, sizeof(*m->sent));
	assert(m->sent);
	m->sent[m->n_sent++] = *to;
}

/* The external endpoint that @inner gets toward @remote. */
static struct hp_addr nat_out(struct sim_nat *n, const struct hp_addr *inner,
			      const struct hp_addr *remote)
{
	struct hp_addr key = mapping_key(n, remote);
	struct hp_addr out = n->external;
	struct mapping *m;

	expire(n);
	for (m = n->mappings; m; m = m->next)
		if (!m->poisoned && hp_addr_eq(&m->inner, inner) &&
		    hp_addr_eq(&m->remote, &key))
			break;
	if (!m)
		m = mapping_add(n, inner, &key,
				port_choose(n, inner->port, remote));
	m->used_ns = n->sim->now_ns;
	mapping_sent(m, remote);
	out.port = m->port;
	return out;
}

static bool filter_passes(const struct sim_nat *n, const struct mapping *m,
			  const struct hp_addr *from)
{
	if (n->cfg.filtering == SIM_EIF)
		return true;
	for (size_t i = 0; i < m->n_sent; i++)
		if (hp_addr_eq(&m->sent[i], from) ||
		    (n->cfg.filtering == SIM_ADF &&
		     hp_addr_same_ip(&m->sent[i], from)))
			return true;
	return false;
}

/* The inner endpoint for a datagram to the external @port; false: dropped. */
static bool nat_in(struct sim_nat *n, const struct hp_addr *from,
		   uint16_t port, struct hp_addr *inner)
{
	expire(n);
	for (struct mapping *m = n->mappings; m; m = m->next) {
		if (m->port == port && !m->poisoned &&
		    filter_passes(n, m, from)) {
			*inner = m->inner;
			return true;
		}
	}
	if (n->cfg.poison && !port_taken(n, port, from))
		mapping_add(n, &n->external, from, port)->poisoned = true;
	return false;
}

/* ---- the way of a datagram ------------------------------------------- */

static bool chance(struct sim *s, unsigned int ppm)
{
	return ppm && hp_rng_below(&s->rng, 1000000) < ppm;
}

static uint64_t link_delay(struct sim *s, const struct sim_link *l)
{
	uint64_t d = l->delay_ns;

	if (l->jitter_ns)
		d += hp_rng_u64(&s->rng) % l->jitter_ns;
	return d;
}

static void fly(struct sim_host *h, struct sim_host *to,
		const struct hp_addr *from, const struct hp_addr *dst,
		const uint8_t *buf, size_t len)
{
	struct sim *s = h->sim;
	struct flight *f = calloc(1, sizeof(*f) + len);
	uint64_t delay = link_delay(s, &h->link) + link_delay(s, &to->link);
	enum hp_err err = hp_heap_reserve(&s->flights, s->flights.n + 1);

	assert(f && err == HP_OK);
	(void)err;
	f->seq = s->seq++;
	f->to = to;
	f->from = *from;
	f->dst = *dst;
	f->len = len;
	memcpy(f->buf, buf, len);
	/* one nanosecond apart, so that equal delays keep their order */
	hp_heap_set(&s->flights, &f->timer, s->now_ns + delay + f->seq % 1000);
}

static struct sim_host *host_at(struct sim *s, const struct sim_nat *net,
				const struct hp_addr *to)
{
	for (struct sim_host *h = s->hosts; h; h = h->next)
		if (h->behind == net && hp_addr_same_ip(&h->addr, to))
			return h;
	return NULL;
}

static struct sim_nat *nat_at(struct sim *s, const struct sim_nat *net,
			      const struct hp_addr *to)
{
	for (struct sim_nat *n = s->nats; n; n = n->next)
		if (n->outside == net && hp_addr_same_ip(&n->external, to))
			return n;
	return NULL;
}

/* Within @net, looking inward: the host that gets it, with the address it is
 * sent to then; NULL: dropped.
 */
static struct sim_host *inward(struct sim *s, struct sim_nat *net,
			       const struct hp_addr *from, struct hp_addr *to,
			       int *ttl)
{
	struct sim_host *h;

	while (!(h = host_at(s, net, to))) {
		struct sim_nat *n = nat_at(s, net, to);

		/* The router's own stack sees the datagram even at TTL 1. */
		if (!n || *ttl <= 0 || !nat_in(n, from, to->port, to))
			return NULL;
		if (--*ttl <= 0)
			return NULL;
		net = n;
	}
	return h;
}

void sim_send(struct sim_host *h, uint16_t port, const struct hp_addr *to,
	      int ttl, const uint8_t *buf, size_t len)
{
	struct sim *s = h->sim;
	struct sim_nat *net = h->behind;
	struct hp_addr from = sim_host_addr(h, port);
	struct hp_addr dst = *to;
	struct sim_host *target;

	if (!ttl)
		ttl = DEFAULT_TTL;
	while (net && !host_at(s, net, &dst) && !nat_at(s, net, &dst)) {
		bool hair = hp_addr_same_ip(&net->external, &dst);

		if (--ttl <= 0 || (hair && !net->cfg.hairpin))
			return;
		from = nat_out(net, &from, &dst);
		if (hair) {
			if (!nat_in(net, &from, dst.port, &dst))
				return;
			break;
		}
		net = net->outside;
	}
	/* two hops of the public net */
	if (!net && h->behind && (ttl -= 2) <= 0)
		return;
	target = inward(s, net, &from, &dst, &ttl);
	if (!target || h->down || chance(s, h->link.loss_ppm) ||
	    chance(s, target->link.loss_ppm))
		return;
	fly(h, target, &from, &dst, buf, len);
	if (chance(s, h->link.dup_ppm))
		fly(h, target, &from, &dst, buf, len);
}

/* ---- time ------------------------------------------------------------ */

static uint64_t next_time(const struct sim *s)
{
	uint64_t next = hp_heap_next(&s->flights);

	for (struct sim_host *h = s->hosts; h; h = h->next)
		if (h->running && h->program.deadline)
			next = hp_time_min(next,
					   h->program.deadline(h->program.ctx));
	return next;
}

static void arrive(struct sim *s)
{
	struct hp_timer *t;

	while ((t = hp_heap_pop(&s->flights, s->now_ns))) {
		struct flight *f = hp_container_of(t, struct flight, timer);
		struct sim_host *h = f->to;

		if (h->running && !h->down) {
			h->received++;
			h->program.recv(h->program.ctx, &f->from, &f->dst,
					f->buf, f->len);
		}
		free(f);
	}
}

static void tick_all(struct sim *s)
{
	for (struct sim_host *h = s->hosts; h; h = h->next)
		if (h->running && h->program.deadline &&
		    h->program.deadline(h->program.ctx) <= s->now_ns)
			h->program.tick(h->program.ctx);
}

bool sim_run(struct sim *s, uint64_t until_ns, bool (*done)(void *), void *ctx)
{
	for (unsigned int still = 0;;) {
		uint64_t next;

		if (done && done(ctx))
			return true;
		next = next_time(s);
		if (next > until_ns) {
			s->now_ns = until_ns > s->now_ns ? until_ns : s->now_ns;
			return done && done(ctx);
		}
		/* A program whose deadline never moves on would stop time. */
		still = next <= s->now_ns ? still + 1 : 0;
		assert(still < 10000);
		if (next > s->now_ns)
			s->now_ns = next;
		arrive(s);
		tick_all(s);
	}
}
