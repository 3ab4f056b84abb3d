/* SPDX-License-Identifier: ISC */
/*
 * Two path machines over a small virtual wire: two hosts, their NATs, a public
 * net between, and a relay; one clock, one seed. For the tests of lib/punch.
 *
 *     host A - NAT A ---- hops, delay, loss ---- NAT B - host B
 *        \________________ relay _______________________/
 */
#ifndef HP_TESTS_PUNCH_WIRE_H
#define HP_TESTS_PUNCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/path.h"
#include "base/rng.h"
#include "base/time.h"
#include "punch/punch.h"

enum wire_mapping { MAP_NONE, MAP_EIM, MAP_APDM };
enum wire_filter { FILTER_EIF, FILTER_ADF, FILTER_APDF };

#define WIRE_FLOWS 512
#define WIRE_QUEUE 2048
#define WIRE_MTU 1500

/* An entry of a NAT: @remote is unset in the one that EIM shares. */
struct wire_flow {
	struct hp_addr inside;
	struct hp_addr remote;
	uint16_t port;
	bool poison;	/* made by an unsolicited datagram */
};

struct wire_nat {
	enum wire_mapping mapping;
	enum wire_filter filter;
	bool poisoned_by_strangers;
	bool hairpin;
	struct hp_addr public;
	struct wire_flow map[WIRE_FLOWS];
	size_t n_map;
	struct wire_flow seen[WIRE_FLOWS]; /* where datagrams went: filters */
	size_t n_seen;
	uint16_t next_port;
	unsigned int n_poisoned;
};

struct wire;

struct wire_node {
	struct wire *wire;
	unsigned int id;
	struct hp_punch *punch;
	struct hp_addr host;
	struct wire_nat *nat;
	struct hp_public public;
	uint64_t epoch;
	struct hp_path direct;	/* as ops.nominated said; unset: relay */
	unsigned int n_nominated;
	bool both;		/* as ops.both said */
	unsigned int n_both;	/* how often it began */
	uint64_t direct_ns;	/* first time, and */
	uint64_t relayed_ns;	/* last time it was told so */
	unsigned int events[HP_PUNCH_PONG + 1];
	uint64_t tx;
	uint64_t tx_bytes;
	uint64_t rx_bytes;
	uint64_t opening;	/* probes with few hops to live */
	uint64_t got_ns;	/* data was last received, and */
	uint64_t gap_ns;	/* the longest time without */
	unsigned int n_direct_rx; /* data received over a direct path */
	bool fail;		/* ops.send reports EPERM */
};

struct wire_packet {
	uint64_t due_ns;
	uint64_t serial;
	bool data;
	unsigned int to;
	struct hp_addr src;
	struct hp_addr dst;
	uint32_t channel;
	size_t len;
	uint8_t buf[WIRE_MTU];
};

struct wire {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	uint64_t now_ns;
	struct wire_node node[2];
	struct wire_nat nat[2];
	bool same_lan;
	unsigned int hops;	/* from a host to the NAT of the other */
	uint64_t delay_ns;	/* one way, direct */
	uint64_t jitter_ns;
	uint64_t relay_ns;	/* one way, through the relay */
	unsigned int loss_pct;	/* direct, each way */
	unsigned int relay_loss_pct;
	bool cut[2];		/* nothing direct leaves node i */
	bool no_relay;
	bool two_relays;	/* each node has one of its own */
	bool relay_dead;
	enum hp_mapping told[2];
	bool reintroduce;	/* when a node says that its path is lost */
	bool many;		/* candidates: as many as may be announced */
	bool swapped;		/* node 1 has the lower key */
	bool blind;		/* data does not tell by which path it came */
	bool traffic;
	uint64_t traffic_ns;
	uint64_t intro_ns[2];	/* when each is introduced; HP_NEVER: not */
	struct wire_packet queue[WIRE_QUEUE];
	size_t n_queue;
	uint64_t serial;
	struct wire_packet last; /* the last probe that reached a node */
};

/* Two nodes behind an EIM and APDF NAT each, 20 ms apart, 15 ms from the
 * relay, 8 hops; node 0 has the lower key. Nothing happens before wire_run().
 */
struct wire *wire_new(uint64_t seed);
void wire_free(struct wire *w);
/* Call after changing nat[].mapping and so on: registers both nodes (a flow
 * to the server) and has both introduced at intro_ns[].
 */
void wire_start(struct wire *w);
void wire_run(struct wire *w, uint64_t until_ns);
/* Introduces node @i to the other, with the candidates that are right now. */
void wire_introduce(struct wire *w, unsigned int i);
/* Node @i starts anew, under another epoch; nobody is introduced. */
void wire_restart(struct wire *w, unsigned int i);
/* As wire_run(), until both (or: neither) are direct; false: not by then. */
bool wire_run_direct(struct wire *w, bool direct, uint64_t until_ns);
/* Both use one path: what is sent by each reaches the other over its own. */
bool wire_is_agreed(struct wire *w);
/* All flows of a NAT are forgotten. */
void wire_nat_flush(struct wire_nat *n);
/* The node's NAT gets a new public address. */
void wire_nat_move(struct wire_nat *n, uint8_t last);
struct hp_path wire_relay_path(void);
void wire_info(struct wire *w, unsigned int i, struct hp_punch_info *out);
/* Prints what both machines see, for who looks into a failure. */
void wire_show(struct wire *w, const char *what);

#endif
