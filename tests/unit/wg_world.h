/* SPDX-License-Identifier: ISC */
/*
 * A small world for WireGuard interfaces: a virtual clock, and a wire that
 * delays, loses, repeats and reorders, all from one seed. A node may have a
 * data path of its own, as a program with data threads has, or pass all its
 * packets through the slow path.
 */
#ifndef HP_TEST_WG_WORLD_H
#define HP_TEST_WG_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"
#include "base/path.h"
#include "base/rng.h"
#include "wg/device.h"
#include "wg/fib.h"
#include "wg/forward.h"

#define WORLD_NODES 3
#define WORLD_WIRE 4096
#define WORLD_MTU 2048
#define WORLD_NOTICES 1024

struct world;

struct node {
	struct world *world;
	struct hp_wg *wg;
	struct hp_addr addr;
	uint8_t octet;			/* overlay address 10.9.0.octet */
	struct hp_secret secret;
	struct hp_public public;
	struct hp_wg_peer *peer[WORLD_NODES];
	bool threaded;
	struct hp_aead *aead;
	struct hp_forward forward;
	struct hp_notice notice[WORLD_NOTICES];
	size_t n_notices;
	unsigned int events[HP_WG_KEYS_GONE + 1];
	unsigned int sent[5];		/* by message type */
	unsigned int keepalives;	/* of those of type 4 */
	unsigned int delivered;
	uint32_t last_mark;		/* of the last packet delivered */
	bool mute;			/* what it sends is lost */
};

struct datagram {
	uint64_t due_ns;
	struct hp_addr from;
	struct hp_addr to;
	size_t len;
	uint8_t bytes[WORLD_MTU];
};

struct world {
	uint64_t now_ns;
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct node node[WORLD_NODES];
	size_t n_nodes;
	struct datagram wire[WORLD_WIRE];
	size_t n_wire;
	uint64_t delay_ns;
	unsigned int loss_pct;
	unsigned int chaos_pct;		/* repeated, and delayed at random */
	uint32_t next_mark;
	bool tolerant;			/* hp_wg_tx() may fail */
	struct datagram last[5];	/* last message sent, by type */
};

/* @n nodes that all know each other, with paths to each other. */
struct world *world_new(uint64_t seed, size_t n, bool threaded);
void world_free(struct world *w);
/* Moves time on to @until_ns, doing all that is due. */
void world_run(struct world *w, uint64_t until_ns);
void world_wait(struct world *w, uint64_t ns);
/* An inner UDP-like packet from node @a to node @b; returns its mark. */
uint32_t world_send(struct world *w, size_t a, size_t b, size_t len);
/* The same, as bytes. Returns the length. */
size_t world_packet(struct world *w, size_t a, size_t b, size_t len,
		    uint8_t *out);
/* Gives @bytes to @to as a datagram of @from, now. */
enum hp_err world_inject(struct world *w, size_t to,
			 const struct hp_addr *from, const uint8_t *bytes,
			 size_t len);
struct hp_path world_path(const struct world *w, size_t to);
struct hp_wg_peer_info world_info(struct world *w, size_t a, size_t b);
uint64_t world_drops(struct world *w, size_t a, enum hp_drop reason);

#endif
