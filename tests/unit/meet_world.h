/* SPDX-License-Identifier: ISC */
/*
 * A server and its clients over a wire in memory, in virtual time. Every
 * datagram takes WIRE_NS; a hook may look at it, change or swallow it.
 */
#ifndef HP_TEST_MEET_WORLD_H
#define HP_TEST_MEET_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/time.h"
#include "meet/client.h"
#include "meet/registry.h"

#define WIRE_NS (10 * HP_MS)
#define MW_CLIENTS 8
#define MW_QUEUE 4096
#define MW_MTU 1500
#define MW_SEED 20261

struct mw;

struct mw_datagram {
	uint64_t at_ns;
	struct hp_addr from;
	struct hp_addr to;
	size_t len;
	uint8_t buf[MW_MTU];
};

/* One node: what its client said, in the order of the calls. */
struct mw_node {
	struct mw *w;
	struct hp_addr addr[2]; /* as the server sees it, by family */
	struct hp_meet_client *c;
	struct hp_meet_config cfg;
	unsigned int n[HP_MEET_EV_NO_CHANNEL + 1]; /* events by kind */
	uint64_t at_ns[HP_MEET_EV_NO_CHANNEL + 1]; /* last one's time */
	struct hp_meet_event last[HP_MEET_EV_NO_CHANNEL + 1];
	uint8_t blob[HP_MEET_OFFER_MAX]; /* of the last introduction */
	uint8_t slots[256][HP_MEET_SLOT_LEN];
	size_t n_slots;
	uint8_t relayed[MW_MTU]; /* last relay datagram that arrived */
	size_t relayed_len;
	unsigned int n_relayed;
};

struct mw {
	uint64_t now_ns;
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct hp_secret network;
	struct hp_registry_config cfg;
	struct hp_registry *r;
	bool server_down;
	struct mw_node node[MW_CLIENTS];
	size_t n_nodes;
	struct mw_datagram *queue;
	size_t n_queued;
	/* Answers to the datagram being handled, for the size rule. */
	size_t asked_len;
	size_t answered_len;
	unsigned int n_answers;
	bool oversize;
	/* Called for each datagram before it goes; false: swallow it. */
	bool (*tap)(struct mw *w, struct mw_datagram *d);
	void *tap_ctx;
	/* The last datagrams by kind, both directions. */
	struct mw_datagram last[256];
};

void mw_init(struct mw *w, uint64_t seed);
void mw_free(struct mw *w);
/* Ends the server and starts one that knows nothing. */
void mw_restart(struct mw *w);
/* A client at 203.0.113.N and 2001:db8::N, port 4000 + N. */
struct mw_node *mw_add(struct mw *w, unsigned int number);
/* Runs to @until_ns. */
void mw_run(struct mw *w, uint64_t for_ns);
/* Adds a node, registers it and runs until it is. */
struct mw_node *mw_up(struct mw *w, unsigned int number);
/* A datagram straight to the server, now. Returns bytes that came back. */
size_t mw_inject(struct mw *w, const struct hp_addr *from, const uint8_t *buf,
		 size_t len);
struct hp_registry_stats mw_stats(struct mw *w);
void mw_slot(unsigned int number, uint8_t out[HP_MEET_SLOT_LEN]);

/* Set-up and tear-down of a test; its state is a struct mw. No answer was longer
 * than its request.
 */
int mw_begin(void **state);
int mw_end(void **state);
/* The last event of @kind, which there was. */
const struct hp_meet_event *mw_got(const struct mw_node *n,
				   enum hp_meet_event_kind kind);
void mw_connect(struct mw_node *a, unsigned int number, const char *offer);
/* Its NAT gives it another port. */
void mw_rebind(struct mw_node *a);
/* Registers a bare slot, without a client: from @from, or an address by number.
 */
void mw_register_from(struct mw *w, unsigned int number, struct hp_addr from);
void mw_register(struct mw *w, unsigned int number);

#endif
