/* SPDX-License-Identifier: ISC */
/*
 * Real nodes and a real rendezvous on the virtual internet: what hptund and
 * hptun-rendezvous do, without sockets, TUN device or clock.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "../sim/net.h"
#include "../sim/tcp.h"
#include "base/key.h"
#include "member/cert.h"
#include "member/network.h"
#include "node/node.h"

#define WORLD_PORT 41641
#define WORLD_NODES 8
/* Sockets of a node beside its main one. */
#define WORLD_SOCKS 512
#define WORLD_SERVERS 3
/* Inner packets from one node to another that are told apart. */
#define WORLD_PACKETS 16384
#define WORLD_INNER_MIN 28
/* Of the TUN devices that the nodes would have. */
#define WORLD_MTU 1408

struct sim_world;

/* Inner packets of one sender to one receiver. */
struct sim_stream {
	uint32_t sent;
	uint32_t delivered;
	uint64_t first_ns;	/* when the first one was delivered, */
	uint64_t last_ns;	/* and the last */
	size_t full;		/* the longest that the path carries, as told */
	uint64_t full_ns;	/* when one of that length was delivered */
	uint8_t seen[WORLD_PACKETS / 8];
};

/* One simulated node and what its shell saw. */
struct sim_world_node {
	struct sim_world *world;
	struct sim_host *host;
	uint16_t port;		/* of the main socket */
	bool fixed;		/* the user chose it: it never changes */
	bool tells;		/* its interface refuses what is too long */
	uint16_t extra[WORLD_SOCKS]; /* ports of socket 1 .., 0: closed */
	unsigned int n_extra;
	struct sim_tcp tcp[WORLD_SERVERS];
	unsigned int most_extra; /* ever open at once */
	unsigned int moved;	/* how often its main socket got another port */
	unsigned int runs;	/* how often it was started */
	bool aes;		/* its processor has AES; as of its next run */
	enum hp_cipher_policy cipher;
	bool allow_relay;	/* as of its next run */
	uint32_t relay_rate;
	struct hp_identity id;
	struct hp_node *node;
	struct hp_rng_seeded seeded;
	uint64_t stamp;
	unsigned int delivered;	/* inner packets, each once and unaltered */
	unsigned int bad;	/* altered, of a wrong source, or not for us */
	unsigned int twice;
	struct sim_stream from[WORLD_NODES];
	unsigned int gained;	/* HP_NODE_CERT events */
	unsigned int enrolled;
	unsigned int cached;	/* HP_NODE_CACHE events */
	unsigned int intruders;
	enum hp_err intruder;	/* of the last one */
	unsigned int sent;	/* datagrams put on the wire */
};

/* A rendezvous server. */
struct sim_world_server {
	struct sim_world *world;
	struct sim_host *host;
	struct hp_registry *registry;	/* NULL: it is stopped */
	/* The datagram that it is looking at, and what went back to its sender,
	 * but for STUN and what is relayed.
	 */
	struct hp_addr asked_by;
	size_t asked_len;
	size_t replied_len;
};

struct sim_world {
	struct sim *sim;
	struct sim_world_server servers[WORLD_SERVERS];
	unsigned int n_servers;
	struct hp_network net;
	struct hp_secret root;
	struct sim_world_node nodes[WORLD_NODES];
	unsigned int n_nodes;
	bool relay;
	bool beacons;		/* nodes that join from now on call on their LANs */
	bool streams;		/* they speak TCP where UDP is blocked */
	uint32_t n_streams;	/* ever made */
	enum hp_transport over;	/* how nodes that join name their servers */
	bool aes;		/* of nodes that join from now on */
	enum hp_cipher_policy cipher;
	bool allow_relay;
	uint32_t relay_rate;
	uint32_t methods;	/* of runs that begin from now on; 0: all */
	unsigned int amplified;	/* replies longer than the request */
};

/**
 * struct sim_site - Where a node is
 * @nat:  it is behind; NULL: on the public net
 * @ip4, @ip6: its addresses; either may be NULL
 * @link: of its site: of the NAT, when there is one; NULL: as it is
 * @port: UDP
 * @fixed: the node may not change it
 */
struct sim_site {
	struct sim_nat *nat;
	const char *ip4;
	const char *ip6;
	const struct sim_link *link;
	uint16_t port;
	bool fixed;
};

/* @seed drives everything. @relay: the server relays. */
void sim_world_init(struct sim_world *w, uint64_t seed, bool relay);
void sim_world_free(struct sim_world *w);
/* One more server, the farther the later, for the nodes that join from now on;
 * there is one at first.
 */
void sim_world_add_server(struct sim_world *w);
/* Ends a server, as a kill does, and starts a new one. */
void sim_world_server_stop(struct sim_world *w, unsigned int server);
void sim_world_server_start(struct sim_world *w, unsigned int server);

/* A member @name behind @nat (NULL: public) at @ip, started. The first one
 * holds the root key; the others have a certificate by an invite.
 */
struct sim_world_node *sim_world_join(struct sim_world *w, const char *name,
				      const struct sim_site *site);
/* The same with an IPv4 address alone, at WORLD_PORT. */
struct sim_world_node *sim_world_add(struct sim_world *w, const char *name,
			     struct sim_nat *nat, const char *ip,
			     const struct sim_link *link);
/* "alice", "server", or "?". */
const char *sim_world_name(const struct sim_world *w, const struct sim_host *h);
/* The node dies without a word; a new run of it begins. */
void sim_world_restart(struct sim_world_node *x);
/* The same, but it keeps its disk: the keys of all are pinned, and where it
 * reached whom is not forgotten.
 */
void sim_world_reload(struct sim_world_node *x);
/* All have met before: each is started anew, with the others' keys pinned. */
void sim_world_acquaint(struct sim_world *w);
/* The host is suspended: it neither hears nor does anything, while its clock
 * goes on; and wakes, of which its shell tells it.
 */
void sim_world_sleep(struct sim_world_node *x);
void sim_world_wake(struct sim_world_node *x);
/* Stops without a word. */
void sim_world_kill(struct sim_world_node *x);
/* Tells the node its interface addresses, as netlink would. */
void sim_world_tell_interfaces(struct sim_world_node *x);
/* One inner packet from @a to @b, the next number; of @len bytes, at least
 * WORLD_INNER_MIN, in the second form.
 */
void sim_world_packet(struct sim_world_node *a, struct sim_world_node *b);
void sim_world_packet_of(struct sim_world_node *a, struct sim_world_node *b,
			 size_t len);
/* One as long as the path carries, as @a has found. */
void sim_world_packet_full(struct sim_world_node *a, struct sim_world_node *b);
enum hp_peer_state sim_world_state(const struct sim_world_node *x, const char *peer);
/* Lets time pass for @ns. */
void sim_world_run(struct sim_world *w, uint64_t ns);
/* Until @a sees @peer in @state, at most @ns. True: it does. */
bool sim_world_wait(struct sim_world_node *a, const char *peer,
		enum hp_peer_state state, uint64_t ns);

#endif
