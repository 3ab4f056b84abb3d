/* SPDX-License-Identifier: ISC */
#include "../sim/world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "base/pkt.h"
#include "meet/registry.h"
#include "member/judge.h"
#include "punch/candidates.h"

#define INNER_LEN 60
#define WALL_S 1800000000u

/* ---- the servers ------------------------------------------------------ */

static void registry_send(void *ctx, const struct hp_path *to,
			  const uint8_t *buf, size_t len)
{
	struct sim_world_server *v = ctx;

	if (hp_path_is_stream(to)) {
		sim_tcp_answer(v, to, buf, len);
		return;
	}
	if (hp_addr_eq(&to->remote, &v->asked_by) &&
	    hp_datagram_kind(buf, len) == HP_DGRAM_MEET)
		v->replied_len += len;
	sim_send(v->host, (uint16_t)(HP_SERVER_PORT + (to->sock & 1)),
		 &to->remote, 0, buf, len);
}

static const struct hp_registry_ops registry_ops = { .send = registry_send };

static void server_recv(void *ctx, const struct hp_addr *from,
			const struct hp_addr *to, uint8_t *buf, size_t len)
{
	struct sim_world_server *v = ctx;
	struct hp_path path = { .remote = *from, .local = *to };

	path.local.port = 0;
	path.sock = to->port != HP_SERVER_PORT;
	v->asked_by = *from;
	v->asked_len = len;
	v->replied_len = 0;
	hp_registry_rx(v->registry, &path, buf, len, sim_now(v->world->sim));
	v->world->amplified += v->replied_len > v->asked_len;
	v->asked_by = (struct hp_addr){ 0 };
}

static uint64_t server_deadline(void *ctx)
{
	const struct sim_world_server *v = ctx;

	return hp_time_min(hp_registry_deadline(v->registry),
			   sim_tcp_server_deadline(v));
}

static void server_tick(void *ctx)
{
	struct sim_world_server *v = ctx;

	sim_tcp_server_tick(v);
	hp_registry_tick(v->registry, sim_now(v->world->sim));
}

void sim_world_server_start(struct sim_world *w, unsigned int server)
{
	struct sim_world_server *v = &w->servers[server];
	struct hp_registry_config cfg = hp_registry_defaults();
	const struct sim_program program = {
		.recv = server_recv,
		.deadline = server_deadline,
		.tick = server_tick,
		.ctx = v,
	};

	cfg.rng = sim_rng(w->sim);
	cfg.ops = &registry_ops;
	cfg.ctx = v;
	cfg.relay = w->relay;
	v->registry = hp_registry_new(&cfg);
	assert(v->registry);
	sim_host_run(v->host, &program);
}

void sim_world_server_stop(struct sim_world *w, unsigned int server)
{
	struct sim_world_server *v = &w->servers[server];

	sim_host_run(v->host, NULL);
	sim_tcp_server_break(v);
	hp_registry_free(v->registry);
	v->registry = NULL;
}

void sim_world_add_server(struct sim_world *w)
{
	unsigned int i = w->n_servers++;
	struct sim_link link = { .delay_ns = (5 + 20 * i) * HP_MS };
	char ip[32];

	assert(i < WORLD_SERVERS);
	snprintf(ip, sizeof(ip), "203.0.113.%u", 1 + i);
	w->servers[i].world = w;
	w->servers[i].host = sim_host_new(w->sim, NULL, ip, &link);
	snprintf(ip, sizeof(ip), "2001:db8:1::%u", 1 + i);
	sim_host_renumber(w->servers[i].host, ip);
	sim_world_server_start(w, i);
}

/* ---- sockets of a node ------------------------------------------------ */

/* As Linux chooses them. */
#define EPHEMERAL_FIRST 32768
#define EPHEMERAL_COUNT 28232

/* The number of the socket at @port; false: there is none. */
static bool sock_at(const struct sim_world_node *x, uint16_t port,
		    uint32_t *sock)
{
	unsigned int left = x->n_extra;

	*sock = 0;
	if (port == x->port)
		return true;
	for (unsigned int i = 0; left && i < WORLD_SOCKS; i++) {
		left -= x->extra[i] != 0;
		*sock = i + 1;
		if (x->extra[i] == port)
			return true;
	}
	return false;
}

static uint16_t port_free(const struct sim_world_node *x)
{
	uint16_t port;
	uint32_t sock;

	do
		port = (uint16_t)(EPHEMERAL_FIRST +
				  hp_rng_below(sim_rng(x->world->sim),
					       EPHEMERAL_COUNT));
	while (sock_at(x, port, &sock));
	return port;
}

/* The lowest number that is free, as a system gives its descriptors. */
static enum hp_err node_open(void *ctx, uint32_t *sock)
{
	struct sim_world_node *x = ctx;
	uint32_t i = 0;

	while (i < WORLD_SOCKS && x->extra[i])
		i++;
	if (i == WORLD_SOCKS)
		return HP_ERR_FULL;
	x->extra[i] = port_free(x);
	x->n_extra++;
	if (x->n_extra > x->most_extra)
		x->most_extra = x->n_extra;
	*sock = i + 1;
	return HP_OK;
}

static void node_close(void *ctx, uint32_t sock)
{
	struct sim_world_node *x = ctx;

	assert(sock && sock <= WORLD_SOCKS && x->extra[sock - 1]);
	x->extra[sock - 1] = 0;
	x->n_extra--;
}

static enum hp_err node_rebind(void *ctx, uint16_t *port)
{
	struct sim_world_node *x = ctx;

	if (x->fixed)
		return HP_ERR_STATE;
	x->port = port_free(x);
	x->moved++;
	*port = x->port;
	return HP_OK;
}

/* ---- nodes ------------------------------------------------------------ */

static void node_out(void *ctx, const struct hp_path *path, int ttl,
		     const uint8_t *buf, size_t len)
{
	struct sim_world_node *x = ctx;
	uint16_t port;

	if (hp_path_is_stream(path)) {
		sim_tcp_send(x, path, buf, len);
		return;
	}
	port = path->sock ? x->extra[path->sock - 1] : x->port;
	assert(port);
	x->sent++;
	if (!sim_send(x->host, port, &path->remote, ttl, buf, len))
		hp_node_send_failed(x->node, path, ENETUNREACH,
				    sim_now(x->world->sim));
}

/* A router's word that it was too long changes nothing, as the kernel has it for
 * probes; our own interface's does.
 */
static void node_out_whole(void *ctx, const struct hp_path *path,
			   const uint8_t *buf, size_t len)
{
	struct sim_world_node *x = ctx;

	if (x->tells && !hp_path_is_stream(path) && !sim_host_fits(x->host,
				       (enum hp_family)path->remote.family, len))
		hp_node_send_failed(x->node, path, EMSGSIZE,
				    sim_now(x->world->sim));
	else
		node_out(ctx, path, 0, buf, len);
}

static const uint8_t *overlay_of(const struct sim_world_node *x)
{
	return x->id.cert.grant.overlay.ip;
}

static struct sim_world_node *node_named(struct sim_world *w, const char *name)
{
	for (unsigned int i = 0; i < w->n_nodes; i++)
		if (!strcmp(w->nodes[i].id.cert.grant.name, name))
			return &w->nodes[i];
	return NULL;
}

/* What sim_world_packet_of() made must arrive as it was, and once. */
static void node_deliver(void *ctx, const char *peer, struct hp_pkt *inner)
{
	struct sim_world_node *x = ctx;
	struct sim_world_node *from = node_named(x->world, peer);
	const uint8_t *ip = inner->data;
	struct sim_stream *s;
	uint32_t number;
	bool good = from && inner->len >= WORLD_INNER_MIN &&
		    hp_get_be16(ip + 2) == inner->len &&
		    !memcmp(ip + 12, overlay_of(from), 4) &&
		    !memcmp(ip + 16, overlay_of(x), 4);

	number = good ? hp_get_be32(ip + 20) : 0;
	for (size_t i = 24; good && i < inner->len; i++)
		good = ip[i] == (uint8_t)(i + number);
	if (!good || number >= WORLD_PACKETS) {
		x->bad++;
		return;
	}
	s = &x->from[from - x->world->nodes];
	x->twice += s->seen[number / 8] >> number % 8 & 1;
	s->seen[number / 8] |= (uint8_t)(1u << number % 8);
	s->delivered++;
	s->last_ns = sim_now(x->world->sim);
	if (s->delivered == 1)
		s->first_ns = s->last_ns;
	if (inner->len == s->full)
		s->full_ns = s->last_ns;
	x->delivered++;
}

static void node_saw(void *ctx, const struct hp_node_event *ev)
{
	struct sim_world_node *x = ctx;

	x->gained += ev->kind == HP_NODE_CERT;
	x->enrolled += ev->kind == HP_NODE_ENROLLED;
	x->cached += ev->kind == HP_NODE_CACHE;
	if (ev->kind == HP_NODE_INTRUDER) {
		x->intruders++;
		x->intruder = ev->err;
	}
}

static void node_stamp(void *ctx, uint8_t out[12])
{
	struct sim_world_node *x = ctx;

	memset(out, 0, 12);
	hp_put_be64(out + 4, ++x->stamp);
}

/* The net brings what is sent to a group to every host of a LAN. */
static void node_lans(void *ctx, const struct hp_node_lan *lan, size_t n)
{
	(void)ctx;
	(void)lan;
	(void)n;
}

static const struct hp_node_ops node_ops = {
	.send = node_out,
	.send_whole = node_out_whole,
	.deliver = node_deliver,
	.event = node_saw,
	.timestamp = node_stamp,
	.open = node_open,
	.close = node_close,
	.rebind = node_rebind,
};

static void node_recv(void *ctx, const struct hp_addr *from,
		      const struct hp_addr *to, uint8_t *buf, size_t len)
{
	struct sim_world_node *x = ctx;
	struct hp_path path = { .remote = *from };
	struct hp_pkt pkt = hp_pkt_of(buf, len, 0, len);
	struct hp_addr group = hp_beacon_group(to->family, 0);

	if (hp_addr_eq(to, &group)) {
		if (x->world->beacons)
			hp_node_beacon(x->node, &path, buf, len,
				       sim_now(x->world->sim));
		return;
	}
	if (!sock_at(x, to->port, &path.sock))
		return;
	hp_node_rx(x->node, &path, &pkt, sim_now(x->world->sim));
}

static uint64_t node_deadline(void *ctx)
{
	const struct sim_world_node *x = ctx;

	return hp_time_min(hp_node_deadline(x->node),
			   sim_tcp_node_deadline(x));
}

static void node_tick(void *ctx)
{
	struct sim_world_node *x = ctx;

	sim_tcp_node_tick(x);
	hp_node_tick(x->node, sim_now(x->world->sim));
}

void sim_world_tell_interfaces(struct sim_world_node *x)
{
	struct hp_ifaddr a[2] = {
		{ .name = "eth0", .flags = HP_IF_UP, .bits = 24,
		  .addr = sim_host_addr_of(x->host, HP_AF_4, 0) },
		{ .name = "eth0", .flags = HP_IF_UP, .bits = 64,
		  .addr = sim_host_addr_of(x->host, HP_AF_6, 0) },
	};
	bool only6 = !a[0].addr.family;
	size_t n = (size_t)!only6 + (a[1].addr.family != HP_AF_NONE);

	hp_node_set_interfaces(x->node, a + only6, n, sim_now(x->world->sim));
}

static void node_wire(struct sim_world_node *x)
{
	const struct sim_program program = {
		.recv = node_recv,
		.deadline = node_deadline,
		.tick = node_tick,
		.ctx = x,
	};

	sim_host_run(x->host, &program);
}

void sim_world_sleep(struct sim_world_node *x)
{
	sim_host_run(x->host, NULL);
}

void sim_world_wake(struct sim_world_node *x)
{
	node_wire(x);
	hp_node_network_changed(x->node, sim_now(x->world->sim));
}

/* @cache: what the run before wrote, @cache_len 0: nothing. */
static void node_begin(struct sim_world_node *x, struct hp_judge *judge,
		       const uint8_t *cache, size_t cache_len)
{
	struct sim_world *w = x->world;
	struct hp_node_config cfg = {
		.net = &w->net,
		.identity = &x->id,
		.judge = judge,
		.root = x == w->nodes ? &w->root : NULL,
		.n_servers = w->n_servers,
		.mtu = WORLD_MTU,
		.cipher = x->cipher,
		.aes = x->aes,
		.allow_relay = x->allow_relay,
		.relay_rate = x->relay_rate,
		.methods = w->methods,
		.ops = node_ops,
		.ctx = x,
	};
	enum hp_err err;
	uint16_t port;

	cfg.ops.lans = w->beacons ? node_lans : NULL;
	cfg.ops.stream = w->streams ? sim_tcp_want : NULL;
	hp_rng_seeded_init(&x->seeded, hp_rng_u64(sim_rng(w->sim)), &cfg.rng);
	for (unsigned int i = 0; i < w->n_servers; i++) {
		struct hp_node_server *v = &cfg.servers[i];
		const struct sim_host *h = w->servers[i].host;

		snprintf(v->name, sizeof(v->name), "sim%u:8888", i);
		v->over = w->over;
		v->addr4 = sim_host_addr_of(h, HP_AF_4, HP_SERVER_PORT);
		v->addr6 = sim_host_addr_of(h, HP_AF_6, HP_SERVER_PORT);
	}
	x->runs++;
	err = hp_node_new(&cfg, &x->node);
	assert(err == HP_OK);
	if (cache_len)
		err = hp_node_cache_set(x->node, cache, cache_len, &port);
	assert(err == HP_OK);
	(void)err;
	node_wire(x);
	sim_world_tell_interfaces(x);
	hp_node_start(x->node, x->port, WALL_S, sim_now(w->sim));
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
	return sim_world_join(w, name, &(struct sim_site){
				      .nat = nat,
				      .ip4 = ip,
				      .link = link,
				      .port = WORLD_PORT });
}

struct sim_world_node *sim_world_join(struct sim_world *w, const char *name,
				      const struct sim_site *site)
{
	struct sim_world_node *x = &w->nodes[w->n_nodes];

	assert(w->n_nodes < WORLD_NODES);
	x->world = w;
	x->port = site->port;
	x->fixed = site->fixed;
	x->aes = w->aes;
	x->cipher = w->cipher;
	x->allow_relay = w->allow_relay;
	x->relay_rate = w->relay_rate;
	x->host = sim_host_new(w->sim, site->nat, site->ip4,
			       site->nat ? NULL : site->link);
	if (site->nat && site->link)
		sim_nat_link(site->nat, site->link);
	if (site->ip6)
		sim_host_renumber(x->host, site->ip6);
	node_identity(x, name, w->n_nodes++);
	node_begin(x, NULL, NULL, 0);
	return x;
}

void sim_world_kill(struct sim_world_node *x)
{
	sim_host_run(x->host, NULL);
	sim_tcp_node_close(x);
	hp_node_free(x->node);
	x->node = NULL;
	memset(x->extra, 0, sizeof(x->extra));
	x->n_extra = 0;
}

void sim_world_restart(struct sim_world_node *x)
{
	if (x->node)
		sim_world_kill(x);
	node_begin(x, NULL, NULL, 0);
}

/* It has met all others. */
static struct hp_judge *judge_of(const struct sim_world_node *x)
{
	const struct sim_world *w = x->world;
	struct hp_judge *judge = hp_judge_new(&w->net.id);

	assert(judge);
	for (unsigned int k = 0; k < w->n_nodes; k++) {
		const struct hp_cert *cert = &w->nodes[k].id.cert;
		enum hp_err err = &w->nodes[k] == x ? HP_OK :
			hp_judge_check(judge, cert, WALL_S, NULL);

		assert(err == HP_OK);
		(void)err;
	}
	return judge;
}

void sim_world_reload(struct sim_world_node *x)
{
	uint8_t cache[HP_NODE_CACHE_MAX];
	size_t len = hp_node_cache_get(x->node, cache);

	sim_world_kill(x);
	node_begin(x, judge_of(x), cache, len);
}

void sim_world_acquaint(struct sim_world *w)
{
	for (unsigned int i = 0; i < w->n_nodes; i++) {
		sim_world_kill(&w->nodes[i]);
		node_begin(&w->nodes[i], judge_of(&w->nodes[i]), NULL, 0);
	}
}

void sim_world_init(struct sim_world *w, uint64_t seed, bool relay)
{
	struct hp_public id;

	memset(w, 0, sizeof(*w));
	w->sim = sim_new(seed);
	w->relay = relay;
	w->aes = true;
	hp_sign_keypair(sim_rng(w->sim), &w->root, &id);
	hp_network_init(&w->net, "sim", &id, &w->root);
	sim_world_add_server(w);
}

void sim_world_free(struct sim_world *w)
{
	for (unsigned int i = 0; i < w->n_nodes; i++)
		if (w->nodes[i].node)
			sim_world_kill(&w->nodes[i]);
	for (unsigned int i = 0; i < w->n_servers; i++)
		if (w->servers[i].registry)
			sim_world_server_stop(w, i);
	sim_free(w->sim);
}

const char *sim_world_name(const struct sim_world *w, const struct sim_host *h)
{
	for (unsigned int i = 0; i < w->n_nodes; i++)
		if (w->nodes[i].host == h)
			return w->nodes[i].id.cert.grant.name;
	for (unsigned int i = 0; i < w->n_servers; i++)
		if (w->servers[i].host == h)
			return i ? i > 1 ? "server3" : "server2" : "server";
	return "?";
}

void sim_world_packet_of(struct sim_world_node *a, struct sim_world_node *b,
			 size_t len)
{
	uint8_t buf[HP_HEADROOM + WORLD_MTU + HP_TAILROOM] = { 0 };
	struct hp_pkt pkt = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM, len);
	struct sim_stream *s = &b->from[a - a->world->nodes];
	uint32_t number = s->sent++;
	uint8_t *ip = pkt.data;

	assert(len >= WORLD_INNER_MIN && len <= WORLD_MTU);
	assert(number < WORLD_PACKETS);
	for (size_t i = 24; i < len; i++)
		ip[i] = (uint8_t)(i + number);
	ip[0] = 0x45;
	hp_put_be16(ip + 2, (uint16_t)len);
	ip[8] = 64;
	ip[9] = 253;
	memcpy(ip + 12, overlay_of(a), 4);
	memcpy(ip + 16, overlay_of(b), 4);
	hp_put_be32(ip + 20, number);
	if (hp_node_tx(a->node, &pkt, sim_now(a->world->sim)) != HP_OK)
		return; /* nobody has that address yet */
}

void sim_world_packet(struct sim_world_node *a, struct sim_world_node *b)
{
	sim_world_packet_of(a, b, INNER_LEN);
}

void sim_world_packet_full(struct sim_world_node *a, struct sim_world_node *b)
{
	struct sim_stream *s = &b->from[a - a->world->nodes];
	struct hp_node_peer_info info;

	s->full = WORLD_MTU;
	if (hp_node_peer_find(a->node, b->id.cert.grant.name,
			      sim_now(a->world->sim), &info) == HP_OK)
		s->full = info.mtu;
	sim_world_packet_of(a, b, s->full);
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
