/* SPDX-License-Identifier: ISC */
/* The kinds of places that hosts live in, and how to build one. */
#ifndef SIM_PLACE_H
#define SIM_PLACE_H

#include "../sim/gateway.h"

/**
 * struct place_kind - A NAT class, as it is talked about
 * @name: short, for tables
 * @home, @carrier: the NAT next to the host, and the one in front of that
 */
struct place_kind {
	const char *name;
	const struct sim_nat_config *home;
	const struct sim_nat_config *carrier;
};

extern const struct place_kind place_kinds[];
extern const unsigned int place_n_kinds;
const struct place_kind *place_named(const char *name);

/* Each mapping with each filtering and each way to choose ports. */
extern const struct place_kind place_swept[];
extern const unsigned int place_n_swept;
/* A home router that hides nothing, to stand before one of those. */
extern const struct sim_nat_config place_home;

enum place_ip { PLACE_IP4, PLACE_IP6, PLACE_BOTH };

/**
 * struct place - Where one node lives
 * @poison:  its routers remember what came unasked, whatever their kind
 * @gateway: how its router is about opening ports
 * @fixed:   the user chose the port
 * @blocked: UDP does not pass, until the end
 * @beside:  lives in the LAN of this one
 * @carrier: shares the carrier's NAT of this one
 * @subnet:  third byte of the LAN's prefix: may be that of another LAN
 * @tells:   its interface refuses what is too long, where it is the uplink;
 *           else that just vanishes
 * @least_mtu: of its uplink, so far
 */
struct place {
	const struct place_kind *kind;
	enum place_ip ip;
	bool hairpin;
	bool poison;
	enum gateway_kind gateway;
	uint64_t lifetime_ns;
	uint8_t subnet;
	const struct place *beside;
	const struct place *carrier;
	struct sim_link link;
	uint16_t port;
	bool fixed;
	bool blocked;
	bool tells;
	unsigned int least_mtu;
	struct place_kind made;	/* what @kind may point to */
	/* filled in by place_build() */
	struct sim_nat *home_nat;
	struct sim_nat *carrier_nat;
	struct gateway box;
	unsigned int n_hosts;
	struct sim_world_node *node;
};

/* Makes the NATs and the node, the @i-th one of @w, called "alice" .. */
void place_build(struct place *p, struct sim_world *w, unsigned int i);
/* Does a router before it remember what came unasked? */
bool place_poisoned(const struct place *p);
/* The link of its LAN. */
const struct sim_link *place_uplink(const struct place *p);
/* Its uplink carries that much from now on. */
void place_narrow(struct place *p, unsigned int mtu);

#endif
