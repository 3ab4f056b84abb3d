/* SPDX-License-Identifier: ISC */
/*
 * The engine must not be called from within its event callback: what an event
 * asks to be done is noted in @pending and done by chores() in the same turn
 * of the loop.
 */
#include "netmode.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "beacon.h"
#include "ctl.h"
#include "daemon.h"
#include "device.h"
#include "engine.h"
#include "log.h"
#include "names.h"
#include "netmode_impl.h"
#include "node/ferry.h"
#include "node/node.h"
#include "portmap.h"
#include "rtnl.h"
#include "sandbox.h"
#include "stock.h"
#include "stream.h"
#include "sys/clock.h"
#include "sys/cpu.h"
#include "sys/loop.h"
#include "sys/nat64.h"
#include "sys/rng.h"
#include "sys/store.h"
#include "sys/store_peers.h"
#include "uapi.h"
#include "underlay.h"
#include "wg/device.h"
#include "wgsock.h"

/* How often the engine is told the date. */
#define WALL_NS (60 * HP_S)
/* New addresses of peers are collected so long, and at the end. */
#define CACHE_NS (10 * HP_S)

/* Two seconds for the kernel to clear away a dead daemon. */
#define OUTLIVE_TRIES 40
#define OUTLIVE_US 50000

/* ---- the engine asks ----------------------------------------------------- */

static void node_send(void *ctx, const struct hp_path *path, int ttl,
		      const uint8_t *buf, size_t len)
{
	struct netmode *m = ctx;

	if (hp_path_is_stream(path))
		(void)streams_send(m->streams, path, buf, len);
	else if (device_send(m->device, path, ttl, buf, len) != HP_OK)
		hp_node_send_failed(m->node, path, errno,
				    hp_loop_now(m->loop));
}

static void node_send_whole(void *ctx, const struct hp_path *path,
			    const uint8_t *buf, size_t len)
{
	struct netmode *m = ctx;

	if (hp_path_is_stream(path))
		(void)streams_send(m->streams, path, buf, len);
	else if (device_send_whole(m->device, path, buf, len) != HP_OK)
		hp_node_send_failed(m->node, path, errno,
				    hp_loop_now(m->loop));
}

static void node_deliver(void *ctx, const char *peer, struct hp_pkt *inner)
{
	struct netmode *m = ctx;

	(void)peer;
	device_deliver(m->device, inner);
}

static void node_event(void *ctx, const struct hp_node_event *ev)
{
	struct netmode *m = ctx;

	switch (ev->kind) {
	case HP_NODE_SERVER:
		m->pending |= PENDING_SERVERS;
		break;
	case HP_NODE_PEER_NEW:
	case HP_NODE_PEER:
		if (ev->err)
			log_warn(m->log, "%s is refused: %s", ev->peer,
				 hp_err_name(ev->err));
		break;
	case HP_NODE_CERT:
		m->pending |= PENDING_CERT;
		break;
	case HP_NODE_PINS:
		m->pending |= PENDING_PINS;
		break;
	case HP_NODE_REVOKED:
		m->pending |= PENDING_REVOKED;
		break;
	case HP_NODE_ENROLLED:
		log_info(m->log, "%s got its permanent certificate", ev->peer);
		break;
	case HP_NODE_INTRUDER:
		log_warn(m->log,
			 "somebody else shows a certificate for %s: %s",
			 ev->peer, hp_err_name(ev->err));
		break;
	case HP_NODE_CACHE:
		m->cache_ns = hp_time_min(m->cache_ns, ev->now_ns + CACHE_NS);
		break;
	case HP_NODE_PONG:
	case HP_NODE_REPORT:
		break;
	}
	if (m->ctl)
		ctl_event(m->ctl, ev);
}

static void node_timestamp(void *ctx, uint8_t out[12])
{
	struct netmode *m = ctx;

	if (hp_store_timestamp(m->store, out) != HP_OK)
		log_warn(m->log, "cannot write %s: %s", m->store->stamp.path,
			 strerror(errno));
}

static enum hp_err node_open(void *ctx, uint32_t *sock)
{
	struct netmode *m = ctx;

	return device_open_port(m->device, sock);
}

static void node_close(void *ctx, uint32_t sock)
{
	struct netmode *m = ctx;

	device_close_port(m->device, sock);
}

static enum hp_err node_rebind(void *ctx, uint16_t *port)
{
	struct netmode *m = ctx;
	struct hp_fault f;

	if (m->store->iface.listen_port)
		return HP_ERR_STATE;
	if (device_set_port(m->device, 0, &f)) {
		log_fault(m->log, &f);
		return HP_ERR_IO;
	}
	*port = device_port(m->device);
	portmap_start(m->portmap, *port);
	return HP_OK;
}

static void node_lans(void *ctx, const struct hp_node_lan *lan, size_t n)
{
	struct netmode *m = ctx;

	beacon_follow(m->beacon, lan, n);
}

static void node_stream(void *ctx, unsigned int server, bool on)
{
	struct netmode *m = ctx;

	streams_want(m->streams, server, on);
}

static void node_quiet(void *ctx)
{
	struct netmode *m = ctx;

	device_quiet(m->device);
}

static const struct hp_node_ops node_ops = {
	.send = node_send,
	.send_whole = node_send_whole,
	.deliver = node_deliver,
	.event = node_event,
	.timestamp = node_timestamp,
	.open = node_open,
	.close = node_close,
	.rebind = node_rebind,
	.lans = node_lans,
	.stream = node_stream,
	.quiet = node_quiet,
};

static uint64_t node_deadline(void *ctx)
{
	struct netmode *m = ctx;

	return hp_node_deadline(m->node);
}

static void node_tick(void *ctx, uint64_t now_ns)
{
	struct netmode *m = ctx;

	underlay_woken(m->underlay, now_ns);
	hp_node_tick(m->node, now_ns);
}

static void on_beacon(void *ctx, const struct hp_path *from, const uint8_t *buf,
		      size_t len, uint64_t now_ns)
{
	struct netmode *m = ctx;

	hp_node_beacon(m->node, from, buf, len, now_ns);
}

/* ---- the data threads hand over ------------------------------------------- */

static void on_datagram(void *ctx, const struct hp_path *from,
			struct hp_pkt *pkt, uint64_t now_ns)
{
	struct netmode *m = ctx;

	hp_node_rx(m->node, from, pkt, now_ns);
}

static void on_inner(void *ctx, struct hp_pkt *pkt, uint64_t now_ns)
{
	struct netmode *m = ctx;

	/* No peer has that address: the network says so by silence. */
	(void)!hp_node_tx(m->node, pkt, now_ns);
}

static void on_notice(void *ctx, const struct hp_notice *n, uint64_t now_ns)
{
	struct netmode *m = ctx;

	hp_node_notice(m->node, n, now_ns);
}

static void on_stream(void *ctx, const struct hp_path *to, const uint8_t *buf,
		      size_t len)
{
	struct netmode *m = ctx;

	(void)streams_send(m->streams, to, buf, len);
}

static void on_failed(void *ctx, const struct hp_path *path, int sys_errno,
		      uint64_t now_ns)
{
	struct netmode *m = ctx;

	hp_node_send_failed(m->node, path, sys_errno, now_ns);
}

static void on_gone(void *ctx)
{
	struct netmode *m = ctx;

	log_warn(m->log, "interface %s was deleted: ending",
		 device_name(m->device));
	hp_loop_stop(m->loop);
}

static const struct device_ops device_ops = {
	.datagram = on_datagram,
	.inner = on_inner,
	.notice = on_notice,
	.stream = on_stream,
	.failed = on_failed,
	.gone = on_gone,
};

/* ---- chores -------------------------------------------------------------- */

/* A server that went silent may have another address now. */
static void look_at_servers(struct netmode *m, uint64_t now_ns)
{
	struct hp_node_server_info info;

	m->pending &= ~(unsigned int)PENDING_SERVERS;
	for (unsigned int i = 0; i < hp_node_server_count(m->node); i++) {
		hp_node_server_get(m->node, i, &info);
		if (info.state == m->told[i])
			continue;
		m->told[i] = info.state;
		log_info(m->log, "rendezvous %s: %s", info.name,
			 hp_server_state_text(info.state));
		if (info.state == HP_SERVER_LOST)
			names_lost(m->names, i, now_ns);
	}
}

static uint64_t chores_deadline(void *ctx)
{
	const struct netmode *m = ctx;

	if (m->pending & PENDING_SERVERS)
		return 0;
	return hp_time_min(hp_time_min(m->wall_ns, m->cache_ns),
			   m->pending ? m->retry_ns : HP_NEVER);
}

static void chores(void *ctx, uint64_t now_ns)
{
	struct netmode *m = ctx;

	if (now_ns >= m->wall_ns) {
		m->wall_ns = now_ns + WALL_NS;
		hp_node_set_wall(m->node, hp_clock_wall_s(), now_ns);
	}
	if (m->pending & PENDING_SERVERS)
		look_at_servers(m, now_ns);
	if (now_ns >= m->cache_ns)
		netmode_store_cache(m);
	if (m->pending && now_ns >= m->retry_ns)
		netmode_store(m, now_ns);
}

static void on_found(void *ctx, unsigned int id, const struct hp_addr *addr4,
		     const struct hp_addr *addr6, uint64_t now_ns)
{
	struct netmode *m = ctx;

	streams_set_addr(m->streams, id, addr4, addr6, now_ns);
	hp_node_set_server(m->node, id, addr4, addr6, now_ns);
}

static bool on_within(void *ctx, const struct hp_addr *a)
{
	const struct netmode *m = ctx;

	return stock_within(m->stock, a);
}

static void on_nat64(void *ctx, const struct hp_prefix *prefix,
		     uint64_t now_ns)
{
	struct netmode *m = ctx;
	char text[HP_PREFIX_TEXT];

	if (device_set_nat64(m->device, prefix) != HP_OK) {
		log_warn(m->log, "out of memory: IPv4 is reached as before");
		return;
	}
	if (prefix->family)
		log_info(m->log, "IPv6 only; IPv4 through NAT64 prefix %s",
			 hp_prefix_text(prefix, text));
	else
		log_info(m->log, "no NAT64 is used any more");
	names_nat64(m->names, prefix, now_ns);
	hp_node_network_changed(m->node, now_ns);
	streams_changed(m->streams, now_ns);
}

static void on_network_changed(void *ctx, uint64_t now_ns)
{
	struct netmode *m = ctx;

	hp_nat64_look(m->nat64, now_ns);
	names_network_changed(m->names, now_ns);
	portmap_start(m->portmap, device_port(m->device));
	streams_changed(m->streams, now_ns);
	stock_network_changed(m->stock, now_ns);
}

/* ---- people ask ---------------------------------------------------------- */

static enum hp_err on_reload(void *ctx, struct hp_fault *f)
{
	return netmode_reload(ctx, f);
}

static void on_stop(void *ctx)
{
	struct netmode *m = ctx;

	hp_loop_stop(m->loop);
}

static void on_facts(void *ctx, struct ctl_facts *out)
{
	struct netmode *m = ctx;

	*out = (struct ctl_facts){
		.device = device_name(m->device),
		.prefix = m->prefix,
		.mtu = m->store->iface.mtu,
		.port = device_port(m->device),
		.threads = device_threads(m->device),
		.started_ns = m->started_ns,
		.portmap = portmap_info(m->portmap),
		.nat64 = *device_nat64(m->device),
		.crypto = m->crypto,
	};
}

static const struct hp_stock_peer *on_stock(void *ctx,
					    const struct hp_public *key,
					    const char *name)
{
	struct netmode *m = ctx;
	char text[HP_KEY_TEXT];

	return hp_store_peer_find(m->store,
				  key ? hp_public_text(key, text) : name);
}

static void on_signal(void *ctx, int signo, uint64_t now_ns)
{
	struct netmode *m = ctx;
	struct hp_fault f;

	(void)now_ns;
	if (signo != SIGHUP)
		hp_loop_stop(m->loop);
	else if (netmode_reload(m, &f) != HP_OK)
		log_fault(m->log, &f);
	else
		log_info(m->log, "the configuration was read again");
}

static void on_get(void *ctx, FILE *out, uint64_t now_ns)
{
	struct netmode *m = ctx;

	uapi_print(out, hp_node_wg(m->node), device_port(m->device),
		   device_mark(m->device), now_ns, hp_clock_wall_ns());
}

/* What the peers of a network are is the network's own affair. */
static int on_set(void *ctx, const struct uapi_request *r, uint64_t now_ns)
{
	(void)ctx;
	(void)r;
	(void)now_ns;
	return -EPERM;
}

static const struct wgsock_ops sock_ops = {
	.get = on_get,
	.set = on_set,
};

/* ---- from start to end --------------------------------------------------- */

/* Repeats @step while what it wants exists, but its owner answers nobody: a
 * daemon that was just killed takes the kernel a moment to clear away.
 */
static enum hp_err outlive(struct netmode *m,
			   enum hp_err (*step)(struct netmode *m,
					       struct hp_fault *f),
			   struct hp_fault *f)
{
	enum hp_err err = step(m, f);

	for (unsigned int i = 0; i < OUTLIVE_TRIES && err == HP_ERR_EXISTS &&
				 !wgsock_answers(m->store->socket); i++) {
		usleep(OUTLIVE_US);
		err = step(m, f);
	}
	return err;
}

/* One daemon a network: whoever holds the lock. */
static enum hp_err take_lock(struct netmode *m, struct hp_fault *f)
{
	const char *run = m->cfg->dirs->run;

	/* Open to all: the control socket inside has its own owner. */
	if (mkdir(run, 0755) < 0 && errno != EEXIST)
		return hp_fault_set(f, HP_ERR_IO, "run this as root",
				    "cannot make %s: %s", run,
				    strerror(errno));
	return hp_lock_take(m->store->lock, &m->lock, f);
}

static enum hp_err open_loop(struct netmode *m, struct hp_fault *f)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	const struct hp_loop_timed parts[] = {
		{ node_deadline, node_tick, m },
		{ chores_deadline, chores, m },
	};
	enum hp_err err = HP_ERR_IO;

	m->loop = hp_loop_new();
	if (m->loop)
		err = hp_loop_signals(m->loop, signals, 3, on_signal, m);
	for (unsigned int i = 0; !err && i < 2; i++)
		err = hp_loop_timed(m->loop, &parts[i]);
	if (err)
		(void)hp_fault_set(f, err, "", "cannot make an event loop: %s",
				   strerror(errno));
	return err;
}

static enum hp_err make_device(struct netmode *m, struct hp_fault *f)
{
	const struct hp_store *s = m->store;
	const struct device_cfg cfg = {
		.name = s->iface.device,
		.port = s->iface.listen_port,
		.offload = s->iface.offload && !m->cfg->no_offload,
		.threads = m->cfg->threads ? m->cfg->threads :
					     s->iface.threads,
	};

	return device_new(m->loop, m->log, &cfg, &m->device, f);
}

static enum hp_err open_device(struct netmode *m, struct hp_fault *f)
{
	const struct hp_store *s = m->store;
	const struct hp_overlay *overlay = &s->id.cert.grant.overlay;
	struct hp_addr addr4 = hp_overlay_addr4(overlay);
	struct hp_addr addr6 = hp_overlay_addr6(&s->net.id, overlay);
	struct hp_prefix prefix;
	unsigned int index;
	enum hp_err err;

	err = outlive(m, make_device, f);
	if (err)
		return err;
	prefix = hp_prefix_host(&addr4);
	prefix.bits = overlay->bits;
	hp_prefix_text(&prefix, m->prefix);
	index = device_index(m->device);
	m->rtnl = rtnl_new(f);
	err = m->rtnl ? HP_OK : HP_ERR_IO;
	if (!err)
		err = rtnl_addr_add(m->rtnl, index, &addr4, overlay->bits, f);
	/* A host whose IPv6 is switched off does without. */
	if (!err && rtnl_addr_add(m->rtnl, index, &addr6,
				  hp_overlay_subnet6(&s->net.id).bits, f))
		log_fault(m->log, f);
	return err ? err : rtnl_link_up(m->rtnl, index, s->iface.mtu, f);
}

/* Without it servers introduce peers all the same. */
static void open_beacon(struct netmode *m)
{
	struct hp_fault f;

	if (m->store->iface.beacon &&
	    beacon_new(m->loop, m->log, on_beacon, m, &m->beacon, &f))
		log_fault(m->log, &f);
}

static enum hp_err open_node(struct netmode *m, struct hp_fault *f)
{
	const struct hp_store *s = m->store;
	struct hp_node_config cfg = {
		.net = &s->net,
		.identity = &s->id,
		.root = s->has_root ? &s->root : NULL,
		.n_servers = s->net.n_servers,
		.interfaces = s->iface.interfaces,
		.exclude = s->iface.exclude,
		.methods = s->iface.methods,
		.mtu = s->iface.mtu,
		.allow_relay = s->iface.allow_relay,
		.relay_rate = s->iface.relay_rate,
		.cipher = s->iface.cipher,
		.aes = hp_cpu_has_aes(),
		.rng = hp_rng_system(),
		.ops = node_ops,
		.ctx = m,
	};
	enum hp_err err = engine_choose(
		m->cfg->engine ? m->cfg->engine : s->iface.engine,
		s->iface.cipher, &m->crypto, f);
	unsigned int i;

	cfg.engine = m->crypto.engine;
	if (!err)
		err = hp_store_judge(s, &cfg.judge, f);
	if (err)
		return err;
	for (i = 0; i < cfg.n_servers; i++) {
		hp_server_text(&s->net.server[i], cfg.servers[i].name);
		cfg.servers[i].over = s->net.server[i].over;
	}
	open_beacon(m);
	if (!m->beacon)
		cfg.ops.lans = NULL;
	err = hp_node_new(&cfg, &m->node);
	if (err)
		return hp_fault_set(f, err, "", "cannot make the node: %s",
				    hp_err_name(err));
	netmode_load_cache(m);
	return underlay_new(m->loop, m->rtnl, m->node, on_network_changed, m,
			    &m->underlay, f);
}

static enum hp_err open_streams(struct netmode *m, struct hp_fault *f)
{
	const struct streams_cfg cfg = {
		.loop = m->loop,
		.log = m->log,
		.device = m->device,
		.node = m->node,
		.server = m->store->net.server,
		.n_servers = m->store->net.n_servers,
		.pin = m->store->net.pin,
		.n_pins = m->store->net.n_pins,
	};

	return streams_new(&cfg, &m->streams, f);
}

static enum hp_err open_names(struct netmode *m, struct hp_fault *f)
{
	const struct hp_store *store = m->store;
	const struct stock_cfg stock = {
		.loop = m->loop,
		.log = m->log,
		.rtnl = m->rtnl,
		.wg = hp_node_wg(m->node),
		.index = device_index(m->device),
		.subnet4 = hp_overlay_subnet(&store->id.cert.grant.overlay),
		.subnet6 = hp_overlay_subnet6(&store->net.id),
	};
	const struct names_cfg names = {
		.loop = m->loop,
		.log = m->log,
		.net = &store->net,
		.node = m->node,
		.ctx = m,
		.within = on_within,
		.found = on_found,
	};
	enum hp_err err = names_new(&names, &m->names);

	if (!err)
		err = hp_nat64_new(m->loop, on_nat64, m, &m->nat64);
	if (!err)
		err = stock_new(&stock, &m->stock);
	if (err)
		(void)hp_fault_set(f, err, "", "cannot look names up: %s",
				   hp_err_name(err));
	return err;
}

static enum hp_err open_portmap(struct netmode *m, struct hp_fault *f)
{
	const struct portmap_cfg cfg = {
		.loop = m->loop,
		.log = m->log,
		.node = m->node,
		.key = &m->store->id.key,
		.device = device_index(m->device),
	};

	return portmap_new(&cfg, &m->portmap, f);
}

static enum hp_err open_sockets(struct netmode *m, struct hp_fault *f)
{
	const struct ctl_cfg cfg = {
		.loop = m->loop,
		.node = m->node,
		.network = m->store->name,
		.path = m->store->socket,
		.owner = m->store->iface.owner,
		.group = m->store->iface.group,
		.version = HP_VERSION,
		.ctx = m,
		.reload = on_reload,
		.stop = on_stop,
		.facts = on_facts,
		.stock = on_stock,
	};
	enum hp_err err = ctl_new(&cfg, &m->ctl, f);

	/* The tunnel does not need wg(8). */
	if (!err && wgsock_new(m->loop, device_name(m->device), &sock_ops, m,
			       &m->sock, f))
		log_fault(m->log, f);
	return err;
}

static enum hp_err begin(struct netmode *m, struct hp_fault *f)
{
	enum hp_err err;

	err = hp_store_open(m->cfg->dirs, m->cfg->network, &m->store, f);
	if (!err)
		err = outlive(m, take_lock, f);
	if (!err)
		err = open_loop(m, f);
	if (!err)
		err = open_device(m, f);
	if (!err)
		err = open_node(m, f);
	if (!err)
		err = open_streams(m, f);
	if (!err)
		err = open_names(m, f);
	if (!err)
		err = open_portmap(m, f);
	if (!err)
		err = open_sockets(m, f);
	if (err)
		return err;
	if (sandbox_enter())
		log_warn(m->log, "cannot give up rights: %s", strerror(errno));
	return device_start(m->device, hp_node_wg(m->node), true,
			    hp_node_ferry(m->node), &device_ops, m, f);
}

static void serve(struct netmode *m)
{
	uint64_t now_ns = hp_clock_now();

	m->started_ns = now_ns;
	m->wall_ns = now_ns + WALL_NS;
	stock_set(m->stock, m->store->peer, m->store->n_peers, now_ns);
	hp_node_start(m->node, device_port(m->device), hp_clock_wall_s(),
		      now_ns);
	portmap_start(m->portmap, device_port(m->device));
	hp_nat64_look(m->nat64, now_ns);
	if (m->cfg->all)
		hp_node_want_all(m->node, now_ns);
}

static void end(struct netmode *m)
{
	ctl_free(m->ctl);
	m->ctl = NULL;
	wgsock_free(m->sock);
	if (m->device)
		device_stop(m->device);
	if (m->node)
		hp_node_bye(m->node, hp_clock_now());
	portmap_free(m->portmap);
	stock_free(m->stock);
	hp_nat64_free(m->nat64);
	names_free(m->names);
	streams_free(m->streams);
	underlay_free(m->underlay);
	beacon_free(m->beacon);
	hp_node_free(m->node);
	rtnl_free(m->rtnl);
	device_free(m->device);
	hp_loop_free(m->loop);
	if (m->store)
		hp_lock_release(m->store->lock, m->lock);
	hp_store_close(m->store);
}

enum hp_err netmode_check(const struct netmode_cfg *cfg, struct hp_fault *f)
{
	struct hp_judge *judge = NULL;
	struct hp_store *store;
	enum hp_err err;

	err = hp_store_open(cfg->dirs, cfg->network, &store, f);
	if (err)
		return err;
	err = hp_store_judge(store, &judge, f);
	hp_judge_free(judge);
	hp_store_close(store);
	return err;
}

enum hp_err netmode_run(const struct netmode_cfg *cfg, struct daemon *daemon,
			struct log *log, struct hp_fault *f)
{
	struct netmode m = { .cfg = cfg, .log = log, .lock = -1,
			     .cache_ns = HP_NEVER };
	enum hp_err err = begin(&m, f);

	if (!err) {
		serve(&m);
		daemon_ready(daemon, log);
		err = hp_loop_run(m.loop);
		if (err)
			(void)hp_fault_set(f, err, "", "the event loop: %s",
					   strerror(errno));
		netmode_store(&m, hp_clock_now());
		netmode_store_cache(&m);
	}
	end(&m);
	return err;
}
