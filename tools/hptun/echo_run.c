/* SPDX-License-Identifier: ISC */
/*
 * The engine in a process of one thread, without TUN: its socket, its clock,
 * the names of its servers, and the loop that ties them to the lines.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ctl_client.h"
#include "base/nat64.h"
#include "base/time.h"
#include "echo.h"
#include "host_addrs.h"
#include "node/explain.h"
#include "sys/clock.h"
#include "sys/rng.h"

/* What was sent with the last echo may still be under way. */
#define ANSWERED(e) ((e)->connected || (e)->end_ns != HP_NEVER)

void echo_end(struct echo *e, int code, uint64_t delay_ns)
{
	if (e->end_ns != HP_NEVER)
		return;
	e->code = code;
	e->end_ns = hp_loop_now(e->loop) + delay_ns;
}

static void op_send(void *ctx, const struct hp_path *path, int ttl,
		    const uint8_t *buf, size_t len)
{
	struct echo *e = ctx;

	if (hp_udp_send(&e->udp, path, ttl, buf, len) == HP_ERR_IO)
		hp_node_send_failed(e->node, path, errno,
				    hp_loop_now(e->loop));
}

static void op_deliver(void *ctx, const char *peer, struct hp_pkt *inner)
{
	struct echo *e = ctx;

	talk_rx(e, peer, inner->data, inner->len, hp_loop_now(e->loop));
}

static void op_event(void *ctx, const struct hp_node_event *ev)
{
	(void)ev;
	((struct echo *)ctx)->happened = true;
}

static void op_timestamp(void *ctx, uint8_t out[12])
{
	struct echo *e = ctx;

	/* Keeps none on disk, so there is nothing that could fail. */
	if (hp_stamp_next(&e->stamp, hp_clock_wall_ns(), out))
		memset(out, 0, 12);
}

static void on_datagram(void *ctx, const struct hp_path *from,
			struct hp_pkt *pkt, uint64_t now_ns)
{
	hp_node_rx(((struct echo *)ctx)->node, from, pkt, now_ns);
}

static void on_signal(void *ctx, int signo, uint64_t now_ns)
{
	(void)now_ns;
	echo_end(ctx, 128 + signo, 0);
}

static void tell_server(struct echo *e, unsigned int id, uint64_t now_ns)
{
	struct hp_addr addr4 = e->resolved[id][0], addr6 = e->resolved[id][1];

	hp_nat64_undo(&e->udp.nat64, &addr4, &addr6);
	hp_node_set_server(e->node, id, &addr4, &addr6, now_ns);
}

static void on_nat64(void *ctx, const struct hp_prefix *prefix,
		     uint64_t now_ns)
{
	struct echo *e = ctx;
	char text[HP_PREFIX_TEXT];

	e->udp.nat64 = *prefix;
	hp_udp_batch_nat64(e->batch, prefix);
	if (prefix->family)
		echo_step(e, now_ns, "IPv6 only, IPv4 through NAT64 prefix %s",
			  hp_prefix_text(prefix, text));
	for (unsigned int i = 0; i < e->cfg.net.n_servers; i++)
		if (e->resolved[i][0].family || e->resolved[i][1].family)
			tell_server(e, i, now_ns);
	hp_node_network_changed(e->node, now_ns);
}

static void on_resolved(void *ctx, unsigned int id,
			const struct hp_addr *addr4,
			const struct hp_addr *addr6, const char *error,
			uint64_t now_ns)
{
	struct echo *e = ctx;
	char text[HP_SERVER_TEXT];

	if (error) {
		echo_step(e, now_ns, "rendezvous %s: %s; asking again",
			  hp_server_text(&e->cfg.net.server[id], text), error);
		return;
	}
	e->resolved[id][0] = *addr4;
	e->resolved[id][1] = *addr6;
	tell_server(e, id, now_ns);
}

/* Whom typed lines go to, and whether they may go now. */
static void choose_target(struct echo *e, uint64_t now_ns)
{
	struct hp_node_peer_info p;
	bool was = e->connected;

	e->connected = false;
	for (size_t i = 0; i < hp_node_peer_count(e->node); i++) {
		hp_node_peer_get(e->node, i, now_ns, &p);
		if (p.state != HP_PEER_DIRECT && p.state != HP_PEER_RELAYED)
			continue;
		if (e->cfg.peer && strcmp(p.name, e->cfg.peer) != 0)
			continue;
		/* Stay with whom we talk to already. */
		if (e->connected && strcmp(p.name, e->target) != 0)
			continue;
		snprintf(e->target, sizeof(e->target), "%s", p.name);
		e->target_addr = p.addr4;
		e->connected = true;
	}
	if (e->connected && !was && e->talk.terminal)
		echo_step(e, now_ns, "what you type goes to %s and comes "
				     "back; exit ends it", e->target);
}

/* Ends it when nobody answered in time, or nobody ever will. */
static void give_up(struct echo *e, uint64_t now_ns)
{
	const char *name = e->cfg.peer ? e->cfg.peer : e->target;
	struct hp_fault f = { 0 };
	const char *reason = hp_node_explain(e->node, *name ? name : NULL,
					     now_ns, &f);

	if (!reason) {
		reason = "offline";
		hp_fault_set(&f, HP_ERR_AGAIN, "run the same command there",
			     "nobody came");
	} else if (strcmp(reason, "offline") == 0) {
		snprintf(f.remedy, sizeof(f.remedy),
			 "run there: hptun echo");
	}
	fprintf(stderr, "hptun: %s\n  %s\n", f.cause, f.remedy);
	echo_end(e, (int)ctl_exit_of(HP_OK, reason), 0);
}

static bool refused(const struct echo *e, uint64_t now_ns)
{
	struct hp_node_peer_info p;

	return e->cfg.peer &&
	       !hp_node_peer_find(e->node, e->cfg.peer, now_ns, &p) &&
	       p.state == HP_PEER_REFUSED;
}

static uint64_t deadline(void *ctx)
{
	const struct echo *e = ctx;
	uint64_t next = hp_time_min(hp_node_deadline(e->node), e->end_ns);

	if (e->happened)
		return 0;
	if (!ANSWERED(e))
		next = hp_time_min(next, e->cfg.timeout_ns);
	return hp_time_min(next, talk_deadline(e));
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct echo *e = ctx;

	if (hp_node_deadline(e->node) <= now_ns)
		hp_node_tick(e->node, now_ns);
	if (e->happened) {
		e->happened = false;
		echo_show(e, now_ns);
		choose_target(e, now_ns);
		if (refused(e, now_ns))
			give_up(e, now_ns);
	}
	if (!ANSWERED(e) && now_ns >= e->cfg.timeout_ns)
		give_up(e, now_ns);
	talk_turn(e, now_ns);
	if (now_ns >= e->end_ns)
		hp_loop_stop(e->loop);
}

static enum hp_err make_node(struct echo *e, struct hp_fault *f)
{
	struct hp_node_config cfg = {
		.net = &e->cfg.net,
		.identity = &e->cfg.identity,
		.judge = e->cfg.judge,
		.purpose = "echo",
		.n_servers = e->cfg.net.n_servers,
		.mtu = ECHO_MTU,
		.engine = HP_AEAD_AUTO,
		.rng = hp_rng_system(),
		.ops = { .send = op_send, .deliver = op_deliver,
			 .event = op_event, .timestamp = op_timestamp },
		.ctx = e,
	};
	enum hp_err err;

	for (unsigned int i = 0; i < cfg.n_servers; i++)
		hp_server_text(&e->cfg.net.server[i], cfg.servers[i].name);
	err = hp_node_new(&cfg, &e->node);
	return err ? hp_fault_set(f, err, "", "the engine does not start: %s",
				  hp_err_name(err))
		   : HP_OK;
}

static enum hp_err watch_all(struct echo *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct hp_loop_timed timed = { deadline, tick, e };
	enum hp_err err;

	err = hp_loop_signals(e->loop, signals, 3, on_signal, e);
	e->in = (struct datagrams){ &e->udp, e->batch, on_datagram, e };
	if (!err)
		err = datagrams_watch(&e->in, e->loop);
	if (!err)
		err = hp_loop_timed(e->loop, &timed);
	if (!err)
		err = hp_resolver_new(e->loop, on_resolved, e, &e->resolver);
	for (unsigned int i = 0; !err && i < e->cfg.net.n_servers; i++)
		err = hp_resolver_add(e->resolver, &e->cfg.net.server[i], i);
	if (!err)
		err = hp_nat64_new(e->loop, on_nat64, e, &e->nat64);
	return err;
}

static enum hp_err begin(struct echo *e, struct hp_fault *f)
{
	enum hp_err err = hp_udp_open(&e->udp, 0, 0, f);

	e->loop = hp_loop_new();
	e->batch = hp_udp_batch_new();
	if (!err)
		err = hp_stamp_open(&e->stamp, "", f);
	if (!err)
		err = make_node(e, f);
	if (err)
		return err;
	if (!e->loop || !e->batch || watch_all(e))
		return hp_fault_set(f, HP_ERR_IO, "", "event loop: %s",
				    strerror(errno));
	return HP_OK;
}

static enum hp_err start(struct echo *e, struct hp_fault *f)
{
	struct hp_ifaddr *addrs;
	size_t n = host_addrs(&addrs);
	struct hp_addr own = hp_node_addr4(e->node);
	char text[HP_ADDR_TEXT];
	enum hp_err err;

	e->start_ns = hp_loop_now(e->loop);
	e->cfg.timeout_ns = hp_time_add(e->start_ns, e->cfg.timeout_ns);
	hp_node_set_interfaces(e->node, addrs, n, e->start_ns);
	free(addrs);
	hp_node_start(e->node, e->udp.port, hp_clock_wall_s(), e->start_ns);
	hp_nat64_look(e->nat64, e->start_ns);
	echo_step(e, e->start_ns, "this is %s, %s; UDP port %u",
		  e->cfg.identity.cert.grant.name, hp_addr_ip_text(&own, text),
		  (unsigned int)e->udp.port);
	if (e->cfg.room)
		hp_node_want_all(e->node, e->start_ns);
	if (!e->cfg.peer)
		return HP_OK;
	err = hp_node_want(e->node, e->cfg.peer, e->start_ns);
	if (err == HP_ERR_EXISTS)
		return hp_fault_set(f, err, "name the other host",
				    "%s is this host itself", e->cfg.peer);
	return err ? hp_fault_set(f, err, "", "%s: %s", e->cfg.peer,
				  hp_err_name(err))
		   : HP_OK;
}

int echo_run(const struct echo_config *cfg)
{
	struct echo e = {
		.cfg = *cfg,
		.udp = HP_UDP_CLOSED,
		.end_ns = HP_NEVER,
		.happened = true,
	};
	struct hp_rng rng = hp_rng_system();
	struct hp_fault f = { 0 };
	enum hp_err err = begin(&e, &f);

	talk_begin(&e, &rng);
	if (!err)
		err = start(&e, &f);
	if (!err)
		err = hp_loop_run(e.loop);
	if (err) {
		fprintf(stderr, "hptun: %s\n", f.cause);
		if (f.remedy[0])
			fprintf(stderr, "  %s\n", f.remedy);
		e.code = CTL_EXIT_OTHER;
	} else {
		hp_node_bye(e.node, hp_loop_now(e.loop));
	}
	talk_end(&e);
	hp_nat64_free(e.nat64);
	hp_resolver_free(e.resolver);
	hp_node_free(e.node);
	hp_udp_batch_free(e.batch);
	hp_udp_close(&e.udp);
	hp_loop_free(e.loop);
	hp_identity_wipe(&e.cfg.identity);
	hp_network_wipe(&e.cfg.net);
	return e.code;
}
