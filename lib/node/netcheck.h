/* SPDX-License-Identifier: ISC */
/*
 * What the network between this host and the rendezvous servers does to UDP,
 * in the terms of RFC 4787, found by STUN (RFC 8489, RFC 5780) from a handful
 * of sockets. No socket and no clock here: datagrams and now_ns in, datagrams
 * out, at the end the facts and what to expect with each kind of peer.
 */
#ifndef HP_NODE_NETCHECK_H
#define HP_NODE_NETCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rng.h"
#include "member/network.h"
#include "punch/nat.h"

struct hp_netcheck;

/* Sockets from which is asked: the main one, one that helps, and fresh ones,
 * each of which gets a mapping of its own.
 */
#define HP_NETCHECK_FRESH 8
#define HP_NETCHECK_SOCKS (2 + HP_NETCHECK_FRESH)
/* How long mappings are left alone, with the lifetime asked for. */
#define HP_NETCHECK_LIVES 4
extern const unsigned int hp_netcheck_life_s[HP_NETCHECK_LIVES];

struct hp_netcheck_ops {
	/* Put @buf on the wire from socket @sock. False: this host has no way
	 * to @dst.
	 */
	bool (*send)(void *ctx, unsigned int sock, const struct hp_addr *dst,
		     const uint8_t *buf, size_t len);
};

/**
 * struct hp_netcheck_config - What is known at the start; copied
 * @server: IPv4 [0] and IPv6 [1] address of each server, or none; the second
 *          port is the next one
 * @own:    @n_own addresses of this host, ports do not count (borrowed for
 *          the life of the check, as are @rng, @ops and @ctx)
 * @port:   what each socket is bound to
 * @lifetime: find it, which takes up to the longest of hp_netcheck_life_s
 */
struct hp_netcheck_config {
	struct hp_addr server[HP_SERVERS_MAX][2];
	unsigned int n_servers;
	const struct hp_addr *own;
	size_t n_own;
	uint16_t port[HP_NETCHECK_SOCKS];
	bool lifetime;
	const struct hp_rng *rng;
	const struct hp_netcheck_ops *ops;
	void *ctx;
};

/**
 * struct hp_netcheck_port - One port of a server, asked from the main socket
 * @dst:      none: not asked
 * @answered: by @seen, after @rtt_ns
 * @no_way:   this host has no route there
 */
struct hp_netcheck_port {
	struct hp_addr dst;
	bool answered;
	bool no_way;
	uint64_t rtt_ns;
	struct hp_addr seen;
};

/**
 * struct hp_netcheck_family - What was found of IPv4, or of IPv6
 * @answered: a server answered; without it the rest is unknown
 * @seen:     reflexive address of the main socket at the nearest server
 * @many_ips: more than one external address was seen
 * @stride:   of HP_NAT_PORTS_SEQUENTIAL
 * @samples:  fresh sockets that got an answer; @low, @high: ports they had
 * @hairpin:  a packet to our own external address comes back; unknown without
 *            NAT
 * @alive_s:  longest silence that a mapping (or a firewall's memory) was seen
 *            to live through, 0: none known
 * @dead_s:   shortest silence after which it was gone, 0: none known
 */
struct hp_netcheck_family {
	bool answered;
	struct hp_addr seen;
	bool many_ips;
	enum hp_nat_mapping mapping;
	enum hp_nat_filtering filtering;
	enum hp_nat_ports ports;
	int stride;
	unsigned int samples;
	uint16_t low;
	uint16_t high;
	enum hp_nat_answer hairpin;
	unsigned int alive_s;
	unsigned int dead_s;
};

/* @no_relay: it is known that no server relays; for the owner to set, as is
 * @mapped:   the gateway opens ports (IPv4), and
 * @stream:   a server is reached over TCP or TLS
 */
struct hp_netcheck_facts {
	bool no_relay;
	bool mapped;
	bool stream;
	unsigned int n_servers;
	struct hp_netcheck_port server[HP_SERVERS_MAX][2][2];
	struct hp_netcheck_family family[2];
};

/* NULL: out of memory. hp_netcheck_tick() starts it. */
struct hp_netcheck *hp_netcheck_new(const struct hp_netcheck_config *cfg);
void hp_netcheck_free(struct hp_netcheck *n);

/* A datagram came to socket @sock from @from; whatever is not an answer to
 * one of our questions is ignored.
 */
void hp_netcheck_rx(struct hp_netcheck *n, unsigned int sock,
		    const struct hp_addr *from, const uint8_t *buf, size_t len,
		    uint64_t now_ns);
void hp_netcheck_tick(struct hp_netcheck *n, uint64_t now_ns);
/* When hp_netcheck_tick() is due; HP_NEVER: all is done. */
uint64_t hp_netcheck_deadline(const struct hp_netcheck *n);
/* What is known by now. */
void hp_netcheck_facts(const struct hp_netcheck *n,
		       struct hp_netcheck_facts *out);

/* Kinds of peers. The first three are meant with IPv4. */
enum hp_netcheck_peer {
	HP_NC_PEER_PUBLIC,	/* no NAT, or a port forwarded */
	HP_NC_PEER_HOME,	/* EIM, filtering by address and port */
	HP_NC_PEER_SYMMETRIC,	/* APDM: another port for each destination */
	HP_NC_PEER_IPV6,	/* and no IPv4 */
	HP_NC_PEER_BLOCKED,	/* no UDP gets out */
	HP_NC_PEERS,
};

enum hp_netcheck_path {
	HP_NC_PATH_NONE,
	HP_NC_PATH_RELAYED,
	HP_NC_PATH_MAYBE,	/* direct when ports are guessed, else relayed */
	HP_NC_PATH_DIRECT,
};

/* What to expect with a peer of that kind; @why gets one clause. */
enum hp_netcheck_path hp_netcheck_expect(const struct hp_netcheck_facts *f,
					 enum hp_netcheck_peer peer,
					 const char **why);

/* Phrases for people, and words of few letters for programs; never NULL. */
const char *hp_netcheck_mapping_text(enum hp_nat_mapping m);
const char *hp_netcheck_filtering_text(enum hp_nat_filtering f);
const char *hp_netcheck_peer_text(enum hp_netcheck_peer p);
const char *hp_netcheck_peer_word(enum hp_netcheck_peer p);
const char *hp_netcheck_path_word(enum hp_netcheck_path p);

#endif
