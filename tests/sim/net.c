/* SPDX-License-Identifier: ISC */
#include "../sim/net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

#define DEFAULT_TTL 64

struct sim_nat {
	struct sim *sim;
	struct nat *nat;
	struct sim_nat *outside;
	struct sim_link link;
	struct sim_nat *next;
};

struct sim_host {
	struct sim *sim;
	struct sim_nat *behind;
	struct hp_addr addr[2];	/* IPv4, IPv6 */
	struct sim_link link;
	struct sim_program program;
	bool running;
	bool down;
	bool blocked;
	const struct sim_host *deaf_to;
	uint64_t received;
	struct sim_host *next;
};

struct sim {
	uint64_t now_ns;
	uint64_t seq;
	uint64_t n_sent;
	unsigned int hops;
	struct hp_heap flights;
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct sim_nat *nats;
	struct sim_host *hosts;
	sim_see_fn *see;
	void *see_ctx;
};

/* A datagram under way. What happens when its time comes: it gets to @host, or
 * to @nat, from inside (@up) or from outside.
 */
struct flight {
	struct hp_timer timer;
	uint64_t id;
	struct sim_host *sender;
	struct sim_host *host;
	struct sim_nat *nat;
	bool up;
	int ttl;
	struct hp_addr from;
	struct hp_addr to;
	size_t len;
	uint8_t buf[];
};

struct sim *sim_new(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert(s);
	s->now_ns = HP_S;
	s->hops = 2;
	hp_rng_seeded_init(&s->seeded, seed, &s->rng);
	return s;
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
		nat_free(n->nat);
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

void sim_set_hops(struct sim *s, unsigned int hops)
{
	s->hops = hops;
}

void sim_observe(struct sim *s, sim_see_fn *see, void *ctx)
{
	s->see = see;
	s->see_ctx = ctx;
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
	struct hp_addr external = { 0 };

	assert(n);
	if (external_ip)
		external = ip_of(external_ip);
	n->sim = s;
	n->nat = nat_new(cfg, &external, &s->rng);
	n->outside = outside;
	n->next = s->nats;
	s->nats = n;
	return n;
}

void sim_nat_link(struct sim_nat *n, const struct sim_link *link)
{
	n->link = *link;
}

const struct sim_nat_config *sim_nat_config(const struct sim_nat *n)
{
	return nat_config(n->nat);
}

struct sim_nat *sim_nat_outside(const struct sim_nat *n)
{
	return n->outside;
}

const struct hp_addr *sim_nat_external(const struct sim_nat *n)
{
	return nat_external(n->nat);
}

void sim_nat_open(struct sim_nat *n, uint16_t port,
		  const struct hp_addr *inner)
{
	nat_open(n->nat, port, inner);
}

bool sim_nat_opened(const struct sim_nat *n, const struct sim_host *h)
{
	return hp_addr_same_ip(nat_opened(n->nat), &h->addr[0]);
}

void sim_nat_flush(struct sim_nat *n)
{
	nat_flush(n->nat);
}

void sim_nat_renumber(struct sim_nat *n, const char *external_ip)
{
	struct hp_addr external = ip_of(external_ip);

	nat_renumber(n->nat, &external);
}

size_t sim_nat_count(struct sim_nat *n)
{
	return nat_count(n->nat, n->sim->now_ns);
}

bool sim_nat_exceeds(struct sim_nat *nat, size_t n)
{
	return nat_ports_at_most(nat->nat) > n &&
	       nat_ports(nat->nat, nat->sim->now_ns) > n;
}

struct sim_host *sim_host_new(struct sim *s, struct sim_nat *behind,
			      const char *ip, const struct sim_link *link)
{
	struct sim_host *h = calloc(1, sizeof(*h));

	assert(h);
	h->sim = s;
	h->behind = behind;
	if (ip)
		sim_host_renumber(h, ip);
	if (link)
		h->link = *link;
	h->next = s->hosts;
	s->hosts = h;
	return h;
}

void sim_host_link(struct sim_host *h, const struct sim_link *link)
{
	h->link = *link;
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

bool sim_host_is_down(const struct sim_host *h)
{
	return h->down;
}

void sim_host_block(struct sim_host *h, bool blocked)
{
	h->blocked = blocked;
}

bool sim_host_is_blocked(const struct sim_host *h)
{
	return h->blocked;
}

uint64_t sim_host_delay(const struct sim_host *h)
{
	uint64_t delay_ns = h->link.delay_ns;

	for (const struct sim_nat *n = h->behind; n; n = n->outside)
		delay_ns += n->link.delay_ns;
	return delay_ns;
}

void sim_host_deafen(struct sim_host *h, const struct sim_host *to)
{
	h->deaf_to = to;
}

void sim_host_renumber(struct sim_host *h, const char *ip)
{
	struct hp_addr a = ip_of(ip);

	h->addr[a.family == HP_AF_6] = a;
}

struct hp_addr sim_host_addr_of(const struct sim_host *h,
				enum hp_family family, uint16_t port)
{
	struct hp_addr a = h->addr[family == HP_AF_6];

	if (a.family)
		a.port = port;
	return a;
}

struct hp_addr sim_host_addr(const struct sim_host *h, uint16_t port)
{
	return sim_host_addr_of(h, h->addr[0].family ? HP_AF_4 : HP_AF_6,
				port);
}

struct sim_nat *sim_host_behind(const struct sim_host *h)
{
	return h->behind;
}

uint64_t sim_host_received(const struct sim_host *h)
{
	return h->received;
}

/* ---- where an address is --------------------------------------------- */

static bool host_has(const struct sim_host *h, const struct hp_addr *a)
{
	return hp_addr_same_ip(&h->addr[a->family == HP_AF_6], a);
}

static struct sim_host *host_at(struct sim *s, const struct sim_nat *net,
				const struct hp_addr *to)
{
	for (struct sim_host *h = s->hosts; h; h = h->next)
		if (h->behind == net && host_has(h, to))
			return h;
	return NULL;
}

/* The router on @net through which @h is reached without translation. */
static struct sim_nat *routed_to(struct sim_nat *net, const struct sim_host *h,
				 enum hp_family family)
{
	struct sim_nat *r = h->behind;

	while (r && !nat_translates(r->nat, family) && r->outside != net)
		r = r->outside;
	return r && !nat_translates(r->nat, family) ? r : NULL;
}

static struct sim_nat *nat_at(struct sim *s, struct sim_nat *net,
			      const struct hp_addr *to)
{
	struct sim_nat *r = NULL;

	for (struct sim_nat *n = s->nats; n; n = n->next)
		if (n->outside == net && nat_translates(n->nat, to->family) &&
		    hp_addr_same_ip(nat_external(n->nat), to))
			return n;
	for (struct sim_host *h = s->hosts; h && !r; h = h->next)
		if (host_has(h, to))
			r = routed_to(net, h, to->family);
	return r;
}

/* ---- the way of a datagram ------------------------------------------- */

static void see(struct sim *s, const struct flight *f, enum sim_fate fate)
{
	const struct sim_sight sight = {
		.id = f->id,
		.fate = fate,
		.host = f->sender,
		.at = fate == SIM_ARRIVED ? f->host : NULL,
		.from = f->from,
		.to = f->to,
		.ttl = f->ttl,
		.buf = f->buf,
		.len = f->len,
	};

	if (s->see)
		s->see(s->see_ctx, &sight);
}

static void end(struct sim *s, struct flight *f, enum sim_fate fate)
{
	see(s, f, fate);
	free(f);
}

static bool chance(struct sim *s, unsigned int ppm)
{
	return ppm && hp_rng_below(&s->rng, 1000000) < ppm;
}

static bool fits(const struct sim_link *l, enum hp_family family, size_t len)
{
	return !l->mtu || len + (family == HP_AF_6 ? 48 : 28) <= l->mtu;
}

bool sim_host_fits(const struct sim_host *h, enum hp_family family, size_t len)
{
	return fits(&h->link, family, len);
}

/* Adds a crossing of @l to the time under way. Nobody cuts what is too long:
 * fragments are what many a firewall drops.
 */
static enum sim_fate cross(struct sim *s, const struct flight *f,
			   const struct sim_link *l, uint64_t *delay_ns)
{
	if (!fits(l, (enum hp_family)f->to.family, f->len))
		return SIM_TOO_LONG;
	if (chance(s, l->loss_ppm))
		return SIM_LOST;
	*delay_ns += l->delay_ns;
	if (l->jitter_ns)
		*delay_ns += hp_rng_u64(&s->rng) % l->jitter_ns;
	return SIM_ARRIVED;
}

static void schedule(struct sim *s, struct flight *f, uint64_t delay_ns)
{
	enum hp_err err = hp_heap_reserve(&s->flights, s->flights.n + 1);

	assert(err == HP_OK);
	(void)err;
	/* one nanosecond apart, so that equal delays keep their order */
	hp_heap_set(&s->flights, &f->timer,
		    s->now_ns + delay_ns + s->seq++ % 1000);
}

/* On @net, having left by @link (NULL: it came from above): to whom next. */
static void pass(struct sim *s, struct flight *f, struct sim_nat *net,
		 const struct sim_link *link)
{
	enum sim_fate fate = SIM_ARRIVED;
	uint64_t delay_ns = 0;

	f->up = false;
	f->nat = NULL;
	f->host = host_at(s, net, &f->to);
	if (!f->host)
		f->nat = nat_at(s, net, &f->to);
	if (link)
		fate = cross(s, f, link, &delay_ns);
	if (fate == SIM_ARRIVED && !net && (f->ttl -= (int)s->hops) <= 0)
		fate = SIM_TTL;
	if (fate == SIM_ARRIVED && f->host)
		fate = cross(s, f, &f->host->link, &delay_ns);
	else if (fate == SIM_ARRIVED && f->nat)
		fate = cross(s, f, &f->nat->link, &delay_ns);
	else if (fate == SIM_ARRIVED && net) {
		f->up = true;
		f->nat = net;
	} else if (fate == SIM_ARRIVED) {
		fate = SIM_NOWHERE;
	}
	if (fate == SIM_ARRIVED)
		schedule(s, f, delay_ns);
	else
		end(s, f, fate);
}

static void reach_nat(struct sim *s, struct flight *f)
{
	struct sim_nat *n = f->nat;
	bool hair = f->up && nat_translates(n->nat, f->to.family) &&
		    hp_addr_same_ip(nat_external(n->nat), &f->to);
	enum sim_fate fate = SIM_ARRIVED;

	if (f->up) {
		if (--f->ttl <= 0)
			fate = SIM_TTL;
		else if (hair && !sim_nat_config(n)->hairpin)
			fate = SIM_NO_HAIRPIN;
		else if (!nat_out(n->nat, &f->from, &f->to, s->now_ns))
			fate = SIM_NO_PORT;
	}
	/* The router's own stack sees what comes even with its last hop. */
	if (fate == SIM_ARRIVED && (!f->up || hair)) {
		if (!nat_in(n->nat, &f->from, &f->to, s->now_ns))
			fate = SIM_FILTERED;
		else if (!hair && --f->ttl <= 0)
			fate = SIM_TTL;
	}
	if (fate != SIM_ARRIVED)
		end(s, f, fate);
	else if (f->up && !hair)
		pass(s, f, n->outside, &n->link);
	else
		pass(s, f, n, NULL);
}

static bool is_group(const struct hp_addr *a)
{
	return a->family == HP_AF_4 ? a->ip[0] >> 4 == 14 : a->ip[0] == 0xff;
}

static void reach_host(struct sim *s, struct flight *f)
{
	struct sim_host *h = f->host;

	if (!h->running || h->down ||
	    !(host_has(h, &f->to) || is_group(&f->to))) {
		end(s, f, SIM_NOWHERE);
		return;
	}
	if (f->sender == h->deaf_to || h->blocked) {
		end(s, f, SIM_FILTERED);
		return;
	}
	h->received++;
	see(s, f, SIM_ARRIVED);
	h->program.recv(h->program.ctx, &f->from, &f->to, f->buf, f->len);
	free(f);
}

static struct flight *flight_new(struct sim_host *h, const struct hp_addr *from,
				 const struct hp_addr *to, int ttl,
				 const uint8_t *buf, size_t len)
{
	struct flight *f = calloc(1, sizeof(*f) + len);

	assert(f);
	f->id = h->sim->n_sent;
	f->sender = h;
	f->from = *from;
	f->to = *to;
	f->ttl = ttl ? ttl : DEFAULT_TTL;
	f->len = len;
	memcpy(f->buf, buf, len);
	return f;
}

/* To all that are on the LAN of @h, itself not among them. */
static void spread(struct sim_host *h, const struct flight *f)
{
	struct sim *s = h->sim;

	for (struct sim_host *to = s->hosts; to; to = to->next) {
		enum sim_fate fate;
		uint64_t delay_ns = 0;
		struct flight *copy;

		if (to == h || !h->behind || to->behind != h->behind)
			continue;
		copy = flight_new(h, &f->from, &f->to, f->ttl, f->buf, f->len);
		copy->host = to;
		fate = cross(s, copy, &h->link, &delay_ns);
		if (fate == SIM_ARRIVED)
			fate = cross(s, copy, &to->link, &delay_ns);
		if (fate == SIM_ARRIVED)
			schedule(s, copy, delay_ns);
		else
			end(s, copy, fate);
	}
}

bool sim_send(struct sim_host *h, uint16_t port, const struct hp_addr *to,
	      int ttl, const uint8_t *buf, size_t len)
{
	struct hp_addr from = sim_host_addr_of(h, to->family, port);
	unsigned int dup_ppm = h->link.dup_ppm;
	struct sim *s = h->sim;
	struct flight *f;

	if (!from.family)
		return false;
	for (const struct sim_nat *n = h->behind; n; n = n->outside)
		dup_ppm += n->link.dup_ppm;
	s->n_sent++;
	for (unsigned int n = 0, again = true; again; n++) {
		again = chance(s, dup_ppm);
		f = flight_new(h, &from, to, ttl, buf, len);
		if (!n)
			see(s, f, SIM_SENT);
		if (h->down)
			end(s, f, SIM_NOWHERE);
		else if (h->blocked)
			end(s, f, SIM_FILTERED);
		else if (is_group(to))
			spread(h, f), end(s, f, SIM_ARRIVED);
		else
			pass(s, f, h->behind, &h->link);
	}
	return true;
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

		if (f->nat)
			reach_nat(s, f);
		else
			reach_host(s, f);
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
