/* SPDX-License-Identifier: ISC */
/*
 * A virtual internet with a virtual clock: hosts, NATs in the terms of RFC
 * 4787, links with delay, loss and duplication. It carries datagrams and knows
 * nothing of what is in them. One seed gives one run, to the last byte.
 *
 *	host --- NAT ---+
 *	host --- NAT ---+--- the public net --- host (a server)
 *	host -----------+
 *	host --- NAT --- NAT (carrier grade) ---+
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rng.h"
#include "base/time.h"

struct sim;
struct sim_host;
struct sim_nat;

enum sim_mapping {
	SIM_EIM,	/* one port for all destinations */
	SIM_ADM,	/* one for each destination address */
	SIM_APDM,	/* one for each destination address and port */
};

enum sim_filtering {
	SIM_EIF,	/* anybody may send to an open port */
	SIM_ADF,	/* addresses that were sent to */
	SIM_APDF,	/* addresses and ports that were sent to */
};

enum sim_ports {
	SIM_PRESERVE,	/* the inner port where it is free */
	SIM_SEQUENTIAL,	/* the next one, by a stride */
	SIM_RANDOM,
};

/**
 * struct sim_nat_config - What kind of NAT
 * @lifetime_ns: of a mapping without outbound traffic; 0: for ever
 * @poison:      an unsolicited datagram leaves an entry behind, so that a
 *               port-preserving NAT gives our later flow to the same place
 *               another port (Linux conntrack with an open INPUT chain)
 * @stride:      for SIM_SEQUENTIAL
 */
struct sim_nat_config {
	enum sim_mapping mapping;
	enum sim_filtering filtering;
	enum sim_ports ports;
	bool hairpin;
	bool poison;
	uint64_t lifetime_ns;
	unsigned int stride;
};

/* A link's character; all zero is a perfect, immediate link. */
struct sim_link {
	uint64_t delay_ns;	/* one way */
	uint64_t jitter_ns;	/* added, uniform: reorders */
	unsigned int loss_ppm;
	unsigned int dup_ppm;
};

/* @buf is the receiver's to change for the length of the call. */
typedef void sim_recv_fn(void *ctx, const struct hp_addr *from,
			 const struct hp_addr *to, uint8_t *buf, size_t len);
/* Called once the clock has reached the time that @deadline gave. */
struct sim_program {
	sim_recv_fn *recv;
	uint64_t (*deadline)(void *ctx);
	void (*tick)(void *ctx);
	void *ctx;
};

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *s);
uint64_t sim_now(const struct sim *s);
const struct hp_rng *sim_rng(struct sim *s);

/* @outside: the network its external address lives in (NULL: the public net).
 * @lan: its inside, for hosts; any prefix, may be the same in many NATs.
 */
struct sim_nat *sim_nat_new(struct sim *s, const struct sim_nat_config *cfg,
			    struct sim_nat *outside, const char *external_ip);
/* Forgets all mappings, as a reboot or a conntrack flush does. */
void sim_nat_flush(struct sim_nat *n);
/* Another external address from now on, and no mappings. */
void sim_nat_renumber(struct sim_nat *n, const char *external_ip);

/* @behind NULL: on the public net. */
struct sim_host *sim_host_new(struct sim *s, struct sim_nat *behind,
			      const char *ip, const struct sim_link *link);
void sim_host_run(struct sim_host *h, const struct sim_program *p);
/* Unplugged: nothing goes out or comes in. */
void sim_host_down(struct sim_host *h, bool down);
void sim_host_renumber(struct sim_host *h, const char *ip);
struct hp_addr sim_host_addr(const struct sim_host *h, uint16_t port);

/* A datagram leaves @h from @port. @ttl 0: 64. */
void sim_send(struct sim_host *h, uint16_t port, const struct hp_addr *to,
	      int ttl, const uint8_t *buf, size_t len);
/* Datagrams and bytes that reached @h so far. */
uint64_t sim_host_received(const struct sim_host *h);

/* Lets time pass until @until_ns, or until @done says true (may be NULL).
 * True: @done did.
 */
bool sim_run(struct sim *s, uint64_t until_ns, bool (*done)(void *), void *ctx);

#endif
