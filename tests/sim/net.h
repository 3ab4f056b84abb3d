/* SPDX-License-Identifier: ISC */
/*
 * A virtual internet with a virtual clock: hosts, NATs in the terms of RFC
 * 4787, firewalls, links with delay, loss and duplication. It carries
 * datagrams and knows nothing of what is in them. One seed gives one run, to
 * the last byte.
 *
 *	host --- NAT ---+
 *	host --- NAT ---+--- the public net --- host (a server)
 *	host -----------+
 *	host --- NAT --- NAT (carrier grade) ---+
 *
 * A datagram to a multicast group reaches the other hosts behind the same NAT.
 *
 * Every host and every NAT hangs by a link of its own on the net above it. A
 * datagram is judged by a NAT at the moment it gets there, not when it leaves.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../sim/nat.h"
#include "base/addr.h"
#include "base/rng.h"
#include "base/time.h"

struct sim;
struct sim_host;
struct sim_nat;

/* A link's character; all zero is a perfect, immediate link. */
struct sim_link {
	uint64_t delay_ns;	/* one way */
	uint64_t jitter_ns;	/* added, uniform: reorders */
	unsigned int loss_ppm;
	unsigned int dup_ppm;
	unsigned int mtu;	/* of IP packets; 0: any */
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

enum sim_fate {
	SIM_SENT,	/* not a fate yet: it leaves */
	SIM_ARRIVED,
	SIM_LOST,
	SIM_FILTERED,	/* by a NAT or firewall that did not expect it */
	SIM_TTL,	/* hops used up */
	SIM_TOO_LONG,	/* for a link's MTU */
	SIM_NOWHERE,	/* nobody has that address, or he is down */
	SIM_NO_HAIRPIN,
	SIM_NO_PORT,	/* the NAT has none left */
};

/**
 * struct sim_sight - What an observer sees of a datagram
 * @id:   the same from SIM_SENT to its fate, and for its duplicates
 * @host: who sent it
 * @at:   who got it (SIM_ARRIVED)
 * @from, @to: as they are at this place
 */
struct sim_sight {
	uint64_t id;
	enum sim_fate fate;
	const struct sim_host *host;
	const struct sim_host *at;
	struct hp_addr from;
	struct hp_addr to;
	int ttl;
	const uint8_t *buf;
	size_t len;
};

typedef void sim_see_fn(void *ctx, const struct sim_sight *s);

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *s);
uint64_t sim_now(const struct sim *s);
const struct hp_rng *sim_rng(struct sim *s);
/* Routers between any two on the public net; 2 at first. */
void sim_set_hops(struct sim *s, unsigned int hops);
/* @see is told of every datagram; it may send, and change nothing else. */
void sim_observe(struct sim *s, sim_see_fn *see, void *ctx);

/* @outside: the net its external address lives in (NULL: the public net).
 * @external_ip: may be NULL for SIM_ROUTED.
 */
struct sim_nat *sim_nat_new(struct sim *s, const struct sim_nat_config *cfg,
			    struct sim_nat *outside, const char *external_ip);
void sim_nat_link(struct sim_nat *n, const struct sim_link *link);
const struct sim_nat_config *sim_nat_config(const struct sim_nat *n);
struct sim_nat *sim_nat_outside(const struct sim_nat *n);
const struct hp_addr *sim_nat_external(const struct sim_nat *n);
/* Whatever comes to @port goes to @inner from now on; port 0: nothing does. */
void sim_nat_open(struct sim_nat *n, uint16_t port,
		  const struct hp_addr *inner);
/* Is a port of it open for @h? */
bool sim_nat_opened(const struct sim_nat *n, const struct sim_host *h);
/* Forgets all mappings, as a reboot or a conntrack flush does. */
void sim_nat_flush(struct sim_nat *n);
/* Another external address from now on, and no mappings. */
void sim_nat_renumber(struct sim_nat *n, const char *external_ip);
/* Mappings that live now. */
size_t sim_nat_count(struct sim_nat *n);
/* True: more than @n ports have live mappings. */
bool sim_nat_exceeds(struct sim_nat *nat, size_t n);

/* @behind NULL: on the public net. @ip: IPv4 or IPv6, or NULL. */
struct sim_host *sim_host_new(struct sim *s, struct sim_nat *behind,
			      const char *ip, const struct sim_link *link);
void sim_host_link(struct sim_host *h, const struct sim_link *link);
void sim_host_run(struct sim_host *h, const struct sim_program *p);
/* Unplugged: nothing goes out or comes in. */
void sim_host_down(struct sim_host *h, bool down);
bool sim_host_is_down(const struct sim_host *h);
/* No datagram leaves @h or reaches it: its network blocks UDP. */
void sim_host_block(struct sim_host *h, bool blocked);
bool sim_host_is_blocked(const struct sim_host *h);
/* From @h to the public net, one way. */
uint64_t sim_host_delay(const struct sim_host *h);
/* Nothing that @to sends reaches @h directly; NULL: all does again. */
void sim_host_deafen(struct sim_host *h, const struct sim_host *to);
/* Sets the address of the family of @ip. */
void sim_host_renumber(struct sim_host *h, const char *ip);
/* Its address of @family; none when it has no such. */
struct hp_addr sim_host_addr_of(const struct sim_host *h,
				enum hp_family family, uint16_t port);
/* The IPv4 one if there is one, else the IPv6 one. */
struct hp_addr sim_host_addr(const struct sim_host *h, uint16_t port);

/* A datagram leaves @h from @port. @ttl 0: 64. False: @h has no address of
 * that family.
 */
bool sim_send(struct sim_host *h, uint16_t port, const struct hp_addr *to,
	      int ttl, const uint8_t *buf, size_t len);
/* Does a datagram of @len bytes to that family fit the interface of @h? */
bool sim_host_fits(const struct sim_host *h, enum hp_family family, size_t len);
struct sim_nat *sim_host_behind(const struct sim_host *h);
/* Datagrams that reached @h so far. */
uint64_t sim_host_received(const struct sim_host *h);

/* Lets time pass until @until_ns, or until @done says true (may be NULL).
 * True: @done did.
 */
bool sim_run(struct sim *s, uint64_t until_ns, bool (*done)(void *), void *ctx);

#endif
