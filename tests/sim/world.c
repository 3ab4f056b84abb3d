/* SPDX-License-Identifier: ISC */
#include "../sim/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/pkt.h"
#include "meet/registry.h"
#include "member/judge.h"
#include "punch/candidates.h"

#define INNER_LEN 60
#define WALL_S 1800000000u

/* ---- the server ------------------------------------------------------- */

static void registry_send(void *ctx, const struct hp_path *to,
			  const uint8_t *buf, size_t len)
{
	struct sim_world *w = ctx;

	sim_send(w->server, (uint16_t)(HP_SERVER_PORT + (to->sock & 1)),
		 &to->remote, 0, buf, len);
}

static const struct hp_registry_ops registry_ops = { .send = registry_send };

static void server_recv(void *ctx, const struct hp_addr *from,
			const struct hp_addr *to, uint8_t *buf, size_t len)
{
	struct sim_world *w = ctx;
	struct hp_path path = { .remote = *from, .local = *to };

	path.local.port = 0;
	path.sock = to->port != HP_SERVER_PORT;
	hp_registry_rx(w->registry, &path, buf, len, sim_now(w->sim));
}

static uint64_t server_deadline(void *ctx)
{
	const struct sim_world *w = ctx;

	return hp_registry_deadline(w->registry);
}

static void server_tick(void *ctx)
{
	struct sim_world *w = ctx;

	hp_registry_tick(w->registry, sim_now(w->sim));
}

void sim_world_server_start(struct sim_world *w)
{
	struct hp_registry_config cfg = hp_registry_defaults();
	const struct sim_program program = {
		.recv = server_recv,
		.deadline = server_deadline,
		.tick = server_tick,
		.ctx = w,
	};

	cfg.rng = sim_rng(w->sim);
	cfg.ops = &registry_ops;
	cfg.ctx = w;
	cfg.relay = w->relay;
	w->registry = hp_registry_new(&cfg);
	assert(w->registry);
	sim_host_run(w->server, &program);
}

void sim_world_server_stop(struct sim_world *w)
{
	sim_host_run(w->server, NULL);
	hp_registry_free(w->registry);
	w->registry = NULL;
}

/* ---- nodes ------------------------------------------------------------ */

static void node_out(void *ctx, const struct hp_path *path, int ttl,
		     const uint8_t *buf, size_t len)
{
	struct sim_world_node *x = ctx;

	x->sent++;
	sim_send(x->host, WORLD_PORT, &path->remote, ttl, buf, len);
}

/* What sim_world_packet() made must arrive as it was. */
static void node_deliver(void *ctx, const char *peer, struct hp_pkt *inner)
{
	struct sim_world_node *x = ctx;
	bool good = inner->len == INNER_LEN && peer[0];

	for (size_t i = 24; good && i < INNER_LEN; i++)
		good = inner->data[i] == (uint8_t)i;
	x->delivered += good;
	x->bad += !good;
	x->last_ns = sim_now(x->world->sim);
}

static void node_saw(void *ctx, const struct hp_node_event *ev)
{
	struct sim_world_node *x = ctx;

	x->gained += ev->kind == HP_NODE_CERT;
	x->enrolled += ev->kind == HP_NODE_ENROLLED;
}

static void node_stamp(void *ctx, uint8_t out[12])
{
	struct sim_world_node *x = ctx;

	memset(out, 0, 12);
	hp_put_be64(out + 4, ++x->stamp);
}

static const struct hp_node_ops node_ops = {
	.send = node_out,
	.deliver = node_deliver,
	.event = node_saw,
	.timestamp = node_stamp,
};

static void node_recv(void *ctx, const struct hp_addr *from,
		      const struct hp_addr *to, uint8_t *buf, size_t len)
{
	struct sim_world_node *x = ctx;
	struct hp_path path = { .remote = *from };
	struct hp_pkt pkt = hp_pkt_of(buf, len, 0, len);

	(void)to;
	hp_node_rx(x->node, &path, &pkt, sim_now(x->world->sim));
}

static uint64_t node_deadline(void *ctx)
{
	const struct sim_world_node *x = ctx;

	return hp_node_deadline(x->node);
}

static void node_tick(void *ctx)
{
	struct sim_world_node *x = ctx;

	hp_node_tick(x->node, sim_now(x->world->sim));
}

void sim_world_tell_interfaces(struct sim_world_node *x)
{
	struct hp_ifaddr a = {
		.name = "eth0",
		.flags = HP_IF_UP,
		.bits = 24,
		.addr = sim_host_addr(x->host, 0),
	};

	hp_node_set_interfaces(x->node, &a, 1, sim_now(x->world->sim));
}

static void node_begin(struct sim_world_node *x, struct hp_judge *judge)
{
	struct sim_world *w = x->world;
	struct hp_node_config cfg = {
		.net = &w->net,
		.identity = &x->id,
		.judge = judge,
		.root = x == w->nodes ? &w->root : NULL,
		.n_servers = 1,
		.mtu = 1408,
		.ops = node_ops,
		.ctx = x,
	};
	const struct sim_program program = {
		.recv = node_recv,
		.deadline = node_deadline,
		.tick = node_tick,
		.ctx = x,
	};
	enum hp_err err;

	hp_rng_seeded_init(&x->seeded, hp_rng_u64(sim_rng(w->sim)), &cfg.rng);
	strcpy(cfg.servers[0].name, "sim:8888");
	cfg.servers[0].addr4 = sim_host_addr(w->server, HP_SERVER_PORT);
	err = hp_node_new(&cfg, &x->node);
	assert(err == HP_OK);
	(void)err;
	sim_host_run(x->host, &program);
	sim_world_tell_interfaces(x);
	hp_node_start(x->node, WORLD_PORT, WALL_S, sim_now(w->sim));
}

static void node_identity(struct sim_world_node *x, const char *name,
			  unsigned int i)
{
	struct sim_world *w = x->world;
	struct hp_overlay o = { .ip = { 10, 9, 0, (uint8_t)(i + 1) },
				.bits = 24 };
	struct hp_grant g = { .serial = i + 1, .overlay = o,
			      .until_s = WALL_S + 86400 };
	struct hp_secret invite;

	if (!i) {
		hp_identity_root(&w->root, 1, name, &o, sim_rng(w->sim),
				 &x->id);
		return;
	}
	strcpy(g.name, name);
	hp_sign_keypair(sim_rng(w->sim), &invite, &g.invite);
	hp_grant_sign(&g, &w->root);
	hp_identity_enrol(&w->net.id, &g, &invite, sim_rng(w->sim), &x->id);
}

struct sim_world_node *sim_world_add(struct sim_world *w, const char *name,
			     struct sim_nat *nat, const char *ip,
			     const struct sim_link *link)
{
	struct sim_world_node *x = &w->nodes[w->n_nodes];

	assert(w->n_nodes < WORLD_NODES);
	x->world = w;
	x->host = sim_host_new(w->sim, nat, ip, link);
	node_identity(x, name, w->n_nodes++);
	node_begin(x, NULL);
	return x;
}

void sim_world_kill(struct sim_world_node *x)
{
	sim_host_run(x->host, NULL);
	hp_node_free(x->node);
	x->node = NULL;
}

void sim_world_restart(struct sim_world_node *x)
{
	if (x->node)
		sim_world_kill(x);
	node_begin(x, NULL);
}

void sim_world_init(struct sim_world *w, uint64_t seed, bool relay)
{
	struct hp_public id;

	memset(w, 0, sizeof(*w));
	w->sim = sim_new(seed);
	w->relay = relay;
	hp_sign_keypair(sim_rng(w->sim), &w->root, &id);
	hp_network_init(&w->net, "sim", &id, &w->root);
	w->server = sim_host_new(w->sim, NULL, WORLD_SERVER,
				 &(struct sim_link){ .delay_ns = 5 * HP_MS });
	sim_world_server_start(w);
}

void sim_world_free(struct sim_world *w)
{
	for (unsigned int i = 0; i < w->n_nodes; i++)
		if (w->nodes[i].node)
			sim_world_kill(&w->nodes[i]);
	if (w->registry)
		sim_world_server_stop(w);
	sim_free(w->sim);
}

void sim_world_packet(struct sim_world_node *a, struct sim_world_node *b, uint32_t n)
{
	uint8_t buf[HP_HEADROOM + INNER_LEN + HP_TAILROOM] = { 0 };
	struct hp_pkt pkt = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM,
				      INNER_LEN);
	uint8_t *ip = pkt.data;

	for (size_t i = 24; i < INNER_LEN; i++)
		ip[i] = (uint8_t)i;
	ip[0] = 0x45;
	hp_put_be16(ip + 2, INNER_LEN);
	ip[8] = 64;
	ip[9] = 253;
	memcpy(ip + 12, a->id.cert.grant.overlay.ip, 4);
	memcpy(ip + 16, b->id.cert.grant.overlay.ip, 4);
	hp_put_be32(ip + 20, n);
	if (hp_node_tx(a->node, &pkt, sim_now(a->world->sim)) != HP_OK)
		return; /* nobody has that address yet */
}

enum hp_peer_state sim_world_state(const struct sim_world_node *x, const char *peer)
{
	struct hp_node_peer_info info;

	if (hp_node_peer_find(x->node, peer, sim_now(x->world->sim), &info) !=
	    HP_OK)
		return HP_PEER_IDLE;
	return info.state;
}

void sim_world_run(struct sim_world *w, uint64_t ns)
{
	sim_run(w->sim, sim_now(w->sim) + ns, NULL, NULL);
}

struct wait {
	const struct sim_world_node *x;
	const char *peer;
	enum hp_peer_state state;
};

static bool reached(void *ctx)
{
	const struct wait *wait = ctx;

	return sim_world_state(wait->x, wait->peer) == wait->state;
}

bool sim_world_wait(struct sim_world_node *a, const char *peer,
		enum hp_peer_state state, uint64_t ns)
{
	struct wait wait = { .x = a, .peer = peer, .state = state };
	struct sim *s = a->world->sim;

	return sim_run(s, sim_now(s) + ns, reached, &wait);
}
