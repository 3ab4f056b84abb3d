/* SPDX-License-Identifier: ISC */
/* The registry's tables, their limits and their ends; answer.c does the rest. */
#include "meet/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "meet/registry_impl.h"

/* Channels of one node: a full mesh of that many, all relayed. */
#define CHANNELS_PER_NODE 256
#define LIFETIME_NS (HP_MEET_LIFETIME_S * HP_S)

struct hp_registry_config hp_registry_defaults(void)
{
	return (struct hp_registry_config){
		.relay = true,
		.relay_rate = 4000000,
		.max_nodes = 16384,
		.max_network = 1024,
		.max_source = 256,
		.sources = 16384,
		.strangers = { .per_s = 100, .burst = 1000 },
		.registers = { .per_s = 20, .burst = 400 },
		.network_registers = { .per_s = 100, .burst = 2000 },
		.requests = { .per_s = 50, .burst = 1024 },
	};
}

struct hp_registry *hp_registry_new(const struct hp_registry_config *cfg)
{
	const struct hp_relay_config relay = {
		.rng = cfg->rng,
		.rate = cfg->relay_rate,
		.max = cfg->relay ? 4 * cfg->max_nodes : 0,
		.max_per_end = CHANNELS_PER_NODE,
		.wait = cfg->ops->wait,
		.ctx = cfg->ctx,
	};
	struct hp_registry *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->cfg = *cfg;
	hp_rng_fill(cfg->rng, r->secret.b, sizeof(r->secret.b));
	hp_dh_keypair(cfg->rng, &r->ephemeral, &r->ephemeral_public);
	r->strangers =
		hp_limiter_new(&r->secret, &cfg->strangers, cfg->sources);
	r->registers =
		hp_limiter_new(&r->secret, &cfg->registers, cfg->sources);
	r->relay = hp_relay_new(&relay);
	if (!r->strangers || !r->registers || !r->relay) {
		hp_registry_free(r);
		return NULL;
	}
	return r;
}

static struct rg_source *source_find(const struct hp_registry *r,
				     const struct hp_addr *from,
				     uint8_t key[HP_SOURCE_LEN])
{
	struct rg_source *s;

	hp_source_hash(&r->secret, from, key);
	HASH_FIND(hh, r->sources, key, HP_SOURCE_LEN, s);
	return s;
}

bool rg_source_room(const struct hp_registry *r, const struct rg_node *n,
		    const struct hp_addr *from)
{
	uint8_t key[HP_SOURCE_LEN];
	const struct rg_source *s = source_find(r, from, key);

	return !s || s->n < r->cfg.max_source || (n && n->source == s);
}

static void source_leave(struct hp_registry *r, struct rg_node *n)
{
	struct rg_source *s = n->source;

	n->source = NULL;
	if (!s || --s->n)
		return;
	HASH_DEL(r->sources, s);
	free(s);
}

static enum hp_err source_join(struct hp_registry *r, struct rg_node *n,
			       const struct hp_addr *from)
{
	uint8_t key[HP_SOURCE_LEN];
	struct rg_source *s = source_find(r, from, key);

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return HP_ERR_NOMEM;
		memcpy(s->key, key, sizeof(s->key));
		HASH_ADD(hh, r->sources, key, sizeof(s->key), s);
		if (!s->hh.tbl) {
			free(s);
			return HP_ERR_NOMEM;
		}
	}
	/* Before it leaves the old one, which may be the same. */
	s->n++;
	source_leave(r, n);
	n->source = s;
	return HP_OK;
}

static void network_free(struct hp_registry *r, struct rg_network *net)
{
	HASH_DEL(r->networks, net);
	r->stats.networks--;
	free(net->node);
	free(net);
}

/* Takes a member out of its network, its session and its channels. */
static void part(struct hp_registry *r, struct rg_node *n)
{
	struct rg_network *net = n->net;

	hp_relay_drop(r->relay, &n->end);
	/* It has none when memory ran out between the two tables. */
	if (n->by_session.tbl)
		HASH_DELETE(by_session, r->sessions, n);
	net->node[n->at] = net->node[--net->n];
	net->node[n->at]->at = n->at;
	net->generation++;
	n->net = NULL;
	r->stats.nodes--;
	if (!net->n)
		network_free(r, net);
}

static void node_free(struct hp_registry *r, struct rg_node *n)
{
	if (n->net)
		part(r, n);
	else
		r->n_marks--;
	source_leave(r, n);
	HASH_DELETE(by_slot, r->slots, n);
	hp_heap_set(&r->heap, &n->expiry, HP_NEVER);
	hp_secret_wipe(&n->keys.to_server);
	hp_secret_wipe(&n->keys.to_client);
	free(n);
}

void hp_registry_free(struct hp_registry *r)
{
	struct rg_node *n, *next;

	if (!r)
		return;
	HASH_ITER(by_slot, r->slots, n, next)
		node_free(r, n);
	hp_relay_free(r->relay);
	hp_limiter_free(r->strangers);
	hp_limiter_free(r->registers);
	hp_heap_free(&r->heap);
	free(r->allow);
	hp_secret_wipe(&r->secret);
	hp_secret_wipe(&r->ephemeral);
	free(r);
}

static int public_cmp(const void *a, const void *b)
{
	return memcmp(a, b, HP_KEY_LEN);
}

bool rg_allowed(const struct hp_registry *r, const uint8_t id[HP_KEY_LEN])
{
	if (!r->restricted)
		return true;
	return r->n_allow && bsearch(id, r->allow, r->n_allow,
				     sizeof(r->allow[0]), public_cmp);
}

struct hp_relay *hp_registry_relay(struct hp_registry *r)
{
	return r->relay;
}

enum hp_err hp_registry_allow(struct hp_registry *r,
			      const struct hp_public *ids, size_t n)
{
	struct hp_public *copy = NULL;
	struct rg_node *node, *next;

	if (ids && n) {
		copy = reallocarray(NULL, n, sizeof(*copy));
		if (!copy)
			return HP_ERR_NOMEM;
		memcpy(copy, ids, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), public_cmp);
	}
	free(r->allow);
	r->allow = copy;
	r->n_allow = copy ? n : 0;
	r->restricted = ids;
	HASH_ITER(by_slot, r->slots, node, next) {
		if (node->net && !rg_allowed(r, node->net->id.b))
			node_free(r, node);
	}
	return HP_OK;
}

/* Places in tables hang on a secret, so that nobody can fill one chain. */
static void table_key(const struct hp_registry *r, uint8_t out[RG_KEY_LEN],
		      const uint8_t id[HP_KEY_LEN], const uint8_t *slot)
{
	const struct hp_piece what[] = {
		{ id, HP_KEY_LEN },
		{ slot, HP_MEET_SLOT_LEN },
	};

	hp_blake2b(out, RG_KEY_LEN, &r->secret, what, slot ? 2 : 1);
}

struct rg_network *rg_network_find(struct hp_registry *r,
				   const uint8_t id[HP_KEY_LEN])
{
	uint8_t key[RG_KEY_LEN];
	struct rg_network *net;

	table_key(r, key, id, NULL);
	HASH_FIND(hh, r->networks, key, sizeof(key), net);
	return net;
}

struct rg_node *rg_node_find(struct hp_registry *r,
			     const uint8_t network[HP_KEY_LEN],
			     const uint8_t slot[HP_MEET_SLOT_LEN])
{
	uint8_t key[RG_KEY_LEN];
	struct rg_node *n;

	table_key(r, key, network, slot);
	HASH_FIND(by_slot, r->slots, key, sizeof(key), n);
	return n;
}

struct rg_node *rg_session_find(struct hp_registry *r,
				const uint8_t session[HP_MEET_ID_LEN])
{
	struct rg_node *n;

	HASH_FIND(by_session, r->sessions, session, HP_MEET_ID_LEN, n);
	return n;
}

static struct rg_network *network_make(struct hp_registry *r,
				       const uint8_t id[HP_KEY_LEN])
{
	struct rg_network *net = calloc(1, sizeof(*net));

	if (!net)
		return NULL;
	memcpy(net->id.b, id, HP_KEY_LEN);
	table_key(r, net->key, id, NULL);
	/* Random, so that a client sees a change after an empty network. */
	net->generation = hp_rng_u32(r->cfg.rng);
	HASH_ADD(hh, r->networks, key, sizeof(net->key), net);
	if (!net->hh.tbl) {
		free(net);
		return NULL;
	}
	r->stats.networks++;
	return net;
}

static enum hp_err network_join(struct hp_registry *r, struct rg_node *n,
				const uint8_t id[HP_KEY_LEN])
{
	struct rg_network *net = rg_network_find(r, id);

	if (!net)
		net = network_make(r, id);
	if (!net)
		return HP_ERR_NOMEM;
	if (net->n == net->cap) {
		size_t cap = net->cap ? 2 * net->cap : 4;
		struct rg_node **node =
			reallocarray(net->node, cap, sizeof(struct rg_node *));

		if (!node) {
			if (!net->n)
				network_free(r, net);
			return HP_ERR_NOMEM;
		}
		net->node = node;
		net->cap = cap;
	}
	n->net = net;
	n->at = net->n;
	net->node[net->n++] = n;
	net->generation++;
	r->stats.nodes++;
	r->n_marks--;
	return HP_OK;
}

/* A node that is not a member yet. */
static struct rg_node *mark_make(struct hp_registry *r,
				 const uint8_t network[HP_KEY_LEN],
				 const uint8_t slot[HP_MEET_SLOT_LEN])
{
	struct rg_node *n;

	if (hp_heap_reserve(&r->heap, r->stats.nodes + r->n_marks + 1))
		return NULL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	memcpy(n->slot, slot, sizeof(n->slot));
	table_key(r, n->key, network, slot);
	HASH_ADD(by_slot, r->slots, key, sizeof(n->key), n);
	if (!n->by_slot.tbl) {
		free(n);
		return NULL;
	}
	r->n_marks++;
	return n;
}

static bool session_renew(struct hp_registry *r, struct rg_node *n)
{
	do {
		hp_rng_fill(r->cfg.rng, n->session, sizeof(n->session));
	} while (rg_session_find(r, n->session));
	HASH_ADD(by_session, r->sessions, session, sizeof(n->session), n);
	return n->by_session.tbl;
}

struct rg_node *rg_node_admit(struct hp_registry *r, struct rg_node *n,
			      const uint8_t network[HP_KEY_LEN],
			      const uint8_t slot[HP_MEET_SLOT_LEN],
			      const struct hp_addr *from)
{
	if (!n)
		n = mark_make(r, network, slot);
	if (!n)
		return NULL;
	if (source_join(r, n, from)) {
		node_free(r, n);
		return NULL;
	}
	if (n->net) {
		HASH_DELETE(by_session, r->sessions, n);
	} else if (network_join(r, n, network)) {
		node_free(r, n);
		return NULL;
	}
	if (!session_renew(r, n)) {
		node_free(r, n);
		return NULL;
	}
	return n;
}

void rg_node_leave(struct hp_registry *r, struct rg_node *n, uint64_t now_ns)
{
	uint64_t until_ns = n->stamp + HP_MEET_COOKIE_LIFE_NS;

	if (until_ns <= now_ns) {
		node_free(r, n);
		return;
	}
	part(r, n);
	r->n_marks++;
	hp_heap_set(&r->heap, &n->expiry, until_ns + 1);
}

void hp_registry_tick(struct hp_registry *r, uint64_t now_ns)
{
	struct hp_timer *t;

	while ((t = hp_heap_pop(&r->heap, now_ns))) {
		struct rg_node *n = hp_container_of(t, struct rg_node, expiry);
		uint64_t due_ns = n->heard_ns + LIFETIME_NS;

		/* The timer is moved when it fires, not at each message. */
		if (n->net && due_ns > now_ns) {
			hp_heap_set(&r->heap, &n->expiry, due_ns);
			continue;
		}
		r->stats.expired += n->net != NULL;
		node_free(r, n);
	}
	hp_relay_tick(r->relay, now_ns);
}

uint64_t hp_registry_deadline(const struct hp_registry *r)
{
	return hp_time_min(hp_heap_next(&r->heap),
			   hp_relay_deadline(r->relay));
}
