/* SPDX-License-Identifier: ISC */
/*
 * One NAT or firewall in the terms of RFC 4787: its mappings, its filters, how
 * it chooses ports. It owns no net, no clock and no packet: it is told who
 * sends to whom and when, and says what becomes of it. The virtual internet is
 * made of it, and so is the NAT box that real packets cross.
 */
#ifndef SIM_NAT_H
#define SIM_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rng.h"

struct nat;

enum sim_mapping {
	SIM_EIM,	/* one port for all destinations */
	SIM_ADM,	/* one for each destination address */
	SIM_APDM,	/* one for each destination address and port */
	SIM_ROUTED,	/* translates nothing: a stateful firewall */
};

enum sim_filtering {
	SIM_EIF,	/* anybody may send to an open port */
	SIM_ADF,	/* addresses that were sent to */
	SIM_APDF,	/* addresses and ports that were sent to */
};

enum sim_ports {
	SIM_PRESERVE,	/* the inner port where no other mapping has it */
	SIM_OVERLOAD,	/* the inner port unless a flow to the same place has
			 * it: Linux, which looks at whole flows */
	SIM_SEQUENTIAL,	/* the next one, by a stride */
	SIM_RANDOM,
	SIM_BLOCK,	/* random in the subscriber's own block (RFC 7422) */
};

/**
 * struct sim_nat_config - What kind of NAT
 * @filtering6:  of IPv6, which is never translated; SIM_EIF: unfiltered
 * @lifetime_ns: of a mapping without outbound traffic; 0: for ever
 * @poison:      an unsolicited datagram leaves an entry behind, so that our
 *               later flow to the same place gets another port (Linux
 *               conntrack with an open INPUT chain)
 * @stride:      for SIM_SEQUENTIAL
 * @block:       ports of a subscriber, for SIM_BLOCK
 */
struct sim_nat_config {
	enum sim_mapping mapping;
	enum sim_filtering filtering;
	enum sim_filtering filtering6;
	enum sim_ports ports;
	bool hairpin;
	bool poison;
	uint64_t lifetime_ns;
	unsigned int stride;
	unsigned int block;
};

/* @rng: where random ports come from (borrowed as long as it lives).
 * @external: its outer address; HP_AF_NONE will do for SIM_ROUTED.
 */
struct nat *nat_new(const struct sim_nat_config *cfg,
		    const struct hp_addr *external, const struct hp_rng *rng);
void nat_free(struct nat *n);
const struct sim_nat_config *nat_config(const struct nat *n);
const struct hp_addr *nat_external(const struct nat *n);
/* Whether it changes the addresses of that family; else it only filters. */
bool nat_translates(const struct nat *n, enum hp_family family);

/* Whatever comes to @port goes to @inner from now on; port 0: nothing does. */
void nat_open(struct nat *n, uint16_t port, const struct hp_addr *inner);
/* The endpoint that a port is open for; none: no port is. */
const struct hp_addr *nat_opened(const struct nat *n);
/* Forgets all mappings, as a reboot or a conntrack flush does. */
void nat_flush(struct nat *n);
/* Another external address from now on, and no mappings. */
void nat_renumber(struct nat *n, const struct hp_addr *external);
/* Mappings that live now. */
size_t nat_count(struct nat *n, uint64_t now_ns);
/* Ports that they have; at most: the dead ones are not sorted out. */
size_t nat_ports(struct nat *n, uint64_t now_ns);
size_t nat_ports_at_most(const struct nat *n);

/* From inside @from to @remote: @from becomes what the outside sees. False:
 * no port is left, and @from is as it was.
 */
bool nat_out(struct nat *n, struct hp_addr *from, const struct hp_addr *remote,
	     uint64_t now_ns);
/* From outside @from to @to: @to becomes the inner endpoint. False: nobody
 * inside expects it, and @to is as it was.
 */
bool nat_in(struct nat *n, const struct hp_addr *from, struct hp_addr *to,
	    uint64_t now_ns);

#endif
