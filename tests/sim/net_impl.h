/* SPDX-License-Identifier: ISC */
/* What net.c and nat.c share. For no one else. */
#ifndef SIM_NET_IMPL_H
#define SIM_NET_IMPL_H

#include "../sim/net.h"
#include "base/heap.h"

struct mapping;

struct sim_nat {
	struct sim *sim;
	struct sim_nat_config cfg;
	struct sim_nat *outside;
	struct sim_link link;
	struct hp_addr external;
	struct mapping *mappings;
	uint16_t next_port;
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

struct hp_addr sim_ip_of(const char *text);

/* Whether @n changes the addresses of that family; else it only filters. */
static inline bool nat_translates(const struct sim_nat *n,
				  enum hp_family family)
{
	return family == HP_AF_4 && n->cfg.mapping != SIM_ROUTED;
}

/* From inside @from to @remote: @from becomes what the outside sees. */
enum sim_fate nat_out(struct sim_nat *n, struct hp_addr *from,
		      const struct hp_addr *remote);
/* From outside @from to @to: @to becomes the inner endpoint. */
enum sim_fate nat_in(struct sim_nat *n, const struct hp_addr *from,
		     struct hp_addr *to);

#endif
