/* SPDX-License-Identifier: ISC */
/*
 * What the registry's files share, and nobody else includes: registry.c owns
 * the tables, answer.c reads and answers the messages.
 *
 *	network --node[]--> node --by_session, by_slot--> tables
 *	                     |
 *	                     +--end--> relay channels
 *
 * A node is there from its registration to its expiry. One that said goodbye
 * is only a mark (gone) that remembers which registration was the last, for as
 * long as the cookie in it is good: it is no member and has no session.
 */
#ifndef HP_MEET_REGISTRY_IMPL_H
#define HP_MEET_REGISTRY_IMPL_H

#include "base/crypto.h"
#include "base/heap.h"
#include "base/table.h"
#include "meet/registry.h"
#include "meet/wire.h"

#define RG_KEY_LEN 16

struct rg_node;

struct rg_network {
	UT_hash_handle hh;
	uint8_t key[RG_KEY_LEN]; /* keyed hash of the id */
	struct hp_public id;
	uint32_t generation;
	struct hp_bucket registers;
	struct rg_node **node;
	size_t n;
	size_t cap;
};

/* Who registers: there while a node or mark is counted. */
struct rg_source {
	UT_hash_handle hh;
	uint8_t key[HP_SOURCE_LEN];
	size_t n;
};

struct rg_node {
	UT_hash_handle by_session;
	UT_hash_handle by_slot;
	uint8_t key[RG_KEY_LEN]; /* keyed hash of network and slot */
	uint8_t session[HP_MEET_ID_LEN];
	uint8_t slot[HP_MEET_SLOT_LEN];
	struct rg_network *net; /* NULL: gone */
	size_t at;		/* place in net->node */
	struct rg_source *source; /* that it registered from */
	uint64_t stamp;		/* of the cookie that it registered with */
	uint8_t digest[RG_KEY_LEN]; /* of the whole registration */
	struct hp_meet_keys keys;
	struct hp_meet_window window;
	uint64_t counter; /* last one sent */
	struct hp_relay_end end;
	struct hp_timer expiry;
	uint64_t heard_ns;
	struct hp_bucket requests;
	struct hp_bucket intros;
	uint16_t record_len;
	uint8_t record[HP_MEET_RECORD_MAX];
};

struct hp_registry {
	struct hp_registry_config cfg;
	struct hp_secret secret; /* keys cookies and hashes */
	struct hp_secret ephemeral;
	struct hp_public ephemeral_public;
	struct hp_limiter *strangers;
	struct hp_limiter *registers;
	struct hp_relay *relay;
	struct hp_public *allow; /* sorted; meaningful if restricted */
	size_t n_allow;
	bool restricted;
	struct rg_network *networks;
	struct rg_source *sources;
	struct rg_node *sessions;
	struct rg_node *slots;
	size_t n_marks; /* nodes that are gone */
	struct hp_heap heap;
	struct hp_registry_stats stats;
};

bool rg_allowed(const struct hp_registry *r, const uint8_t id[HP_KEY_LEN]);
struct rg_network *rg_network_find(struct hp_registry *r,
				   const uint8_t id[HP_KEY_LEN]);
/* Also finds a node that is gone. */
struct rg_node *rg_node_find(struct hp_registry *r,
			     const uint8_t network[HP_KEY_LEN],
			     const uint8_t slot[HP_MEET_SLOT_LEN]);
struct rg_node *rg_session_find(struct hp_registry *r,
				const uint8_t session[HP_MEET_ID_LEN]);
/* May @n (NULL: a new node) be counted at @from? */
bool rg_source_room(const struct hp_registry *r, const struct rg_node *n,
		    const struct hp_addr *from);
/* Makes @n, new or gone or present (NULL: make one), a member of the network
 * with a new session id, counted at @from. Fills nothing else. NULL when out
 * of memory.
 */
struct rg_node *rg_node_admit(struct hp_registry *r, struct rg_node *n,
			      const uint8_t network[HP_KEY_LEN],
			      const uint8_t slot[HP_MEET_SLOT_LEN],
			      const struct hp_addr *from);
/* Ends the session; leaves the mark. */
void rg_node_leave(struct hp_registry *r, struct rg_node *n, uint64_t now_ns);

#endif
