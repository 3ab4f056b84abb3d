/* SPDX-License-Identifier: ISC */
/* The check with its sockets and its clock: names first, then all questions. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/nat64.h"
#include "base/time.h"
#include "datagrams.h"
#include "netcheck.h"
#include "sys/loop.h"
#include "sys/nat64.h"
#include "sys/resolve.h"
#include "sys/rng.h"
#include "sys/udp.h"

/* Names that are not found by then are left out. */
#define NAMES_NS (5 * HP_S)

struct run;

/* One pair of sockets and its number. */
struct sock {
	struct run *run;
	unsigned int index;
	struct hp_udp udp;
	struct datagrams in;
};

/**
 * struct run
 * @names_ns: when to begin without the names that are still missing
 * @named:    by server: its name was looked up, for good or bad
 * @check:    NULL: names are still being looked up
 * @own:      addresses of this host
 */
struct run {
	struct netcheck_report *r;
	struct hp_loop *loop;
	struct hp_resolver *resolver;
	struct hp_nat64 *nat64;
	struct hp_udp_batch *batch;
	struct sock sock[HP_NETCHECK_SOCKS];
	struct netcheck_gateway gateway;
	struct hp_rng rng;
	uint64_t names_ns;
	bool named[HP_SERVERS_MAX];
	struct hp_addr server[HP_SERVERS_MAX][2];
	struct hp_addr *own;
	struct hp_netcheck *check;
	bool no_memory;
	int signo;
};

static bool op_send(void *ctx, unsigned int sock, const struct hp_addr *dst,
		    const uint8_t *buf, size_t len)
{
	struct run *run = ctx;
	const struct hp_path path = { .remote = *dst };

	if (hp_udp_send(&run->sock[sock].udp, &path, 0, buf, len) != HP_ERR_IO)
		return true;
	if (errno == EPERM || errno == EACCES)
		run->r->forbidden = true;
	return errno != ENETUNREACH && errno != EHOSTUNREACH &&
	       errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT;
}

static const struct hp_netcheck_ops ops = { op_send };

static void on_datagram(void *ctx, const struct hp_path *from,
			struct hp_pkt *pkt, uint64_t now_ns)
{
	const struct sock *s = ctx;

	if (s->run->check)
		hp_netcheck_rx(s->run->check, s->index, &from->remote,
			       pkt->data, pkt->len, now_ns);
}

static void on_signal(void *ctx, int signo, uint64_t now_ns)
{
	struct run *run = ctx;

	(void)now_ns;
	run->signo = signo;
	hp_loop_stop(run->loop);
}

static void on_resolved(void *ctx, unsigned int id,
			const struct hp_addr *addr4,
			const struct hp_addr *addr6, const char *error,
			uint64_t now_ns)
{
	struct run *run = ctx;

	(void)now_ns;
	/* It is asked for again when not found; once is enough here. */
	if (run->check || run->named[id])
		return;
	run->named[id] = true;
	snprintf(run->r->error[id], sizeof(run->r->error[id]), "%s",
		 error ? error : "");
	if (!error) {
		run->server[id][0] = *addr4;
		run->server[id][1] = *addr6;
	}
}

static void on_nat64(void *ctx, const struct hp_prefix *prefix,
		     uint64_t now_ns)
{
	struct run *run = ctx;

	(void)now_ns;
	if (!run->check)
		run->r->nat64 = *prefix;
}

static bool all_named(const struct run *run)
{
	if (!hp_nat64_known(run->nat64))
		return false;
	for (unsigned int i = 0; i < run->r->n_servers; i++)
		if (!run->named[i])
			return false;
	return true;
}

static uint64_t deadline(void *ctx)
{
	const struct run *run = ctx;
	uint64_t next;

	if (run->check) {
		next = hp_netcheck_deadline(run->check);
		/* All is done: tick() ends the loop. */
		return next == HP_NEVER && !run->r->gateway.busy ? 0 : next;
	}
	return all_named(run) ? 0 : run->names_ns;
}

static void begin_check(struct run *run)
{
	struct netcheck_report *r = run->r;
	struct hp_netcheck_config cfg = {
		.n_servers = r->n_servers,
		.own = run->own,
		.n_own = run->own ? r->n_addrs : 0,
		.lifetime = r->lifetime,
		.rng = &run->rng,
		.ops = &ops,
		.ctx = run,
	};

	hp_udp_batch_nat64(run->batch, &r->nat64);
	for (unsigned int i = 0; i < HP_NETCHECK_SOCKS; i++)
		run->sock[i].udp.nat64 = r->nat64;
	for (unsigned int i = 0; i < r->n_servers; i++)
		hp_nat64_undo(&r->nat64, &run->server[i][0],
			      &run->server[i][1]);
	memcpy(cfg.server, run->server, sizeof(cfg.server));
	for (unsigned int i = 0; i < r->n_servers; i++)
		if (!run->named[i])
			snprintf(r->error[i], sizeof(r->error[i]),
				 "the name server does not answer");
	for (unsigned int i = 0; i < HP_NETCHECK_SOCKS; i++)
		cfg.port[i] = run->sock[i].udp.port;
	run->check = hp_netcheck_new(&cfg);
	run->no_memory = !run->check;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct run *run = ctx;

	if (!run->check)
		begin_check(run);
	if (run->check)
		hp_netcheck_tick(run->check, now_ns);
	if (run->no_memory || (hp_netcheck_deadline(run->check) == HP_NEVER &&
			       !run->r->gateway.busy))
		hp_loop_stop(run->loop);
}

static enum hp_err watch_socks(struct run *run, struct hp_fault *f)
{
	enum hp_err err = HP_OK;

	for (unsigned int i = 0; !err && i < HP_NETCHECK_SOCKS; i++) {
		struct sock *s = &run->sock[i];

		*s = (struct sock){
			run, i, HP_UDP_CLOSED,
			{ &s->udp, run->batch, on_datagram, s },
		};
		err = hp_udp_open(&s->udp, 0, 0, f);
		if (!err)
			err = datagrams_watch(&s->in, run->loop);
	}
	return err;
}

static enum hp_err watch_rest(struct run *run)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct hp_loop_timed timed = { deadline, tick, run };
	enum hp_err err = hp_loop_signals(run->loop, signals, 3, on_signal,
					  run);

	if (!err)
		err = hp_loop_timed(run->loop, &timed);
	if (!err)
		err = hp_resolver_new(run->loop, on_resolved, run,
				      &run->resolver);
	for (unsigned int i = 0; !err && i < run->r->n_servers; i++)
		err = hp_resolver_add(run->resolver, &run->r->server[i], i);
	if (!err)
		err = hp_nat64_new(run->loop, on_nat64, run, &run->nat64);
	if (!err)
		hp_nat64_look(run->nat64, hp_loop_now(run->loop));
	return err;
}

static enum hp_err go(struct run *run, struct hp_fault *f)
{
	enum hp_err err;

	if (!run->loop || !run->batch)
		return hp_fault_set(f, HP_ERR_IO, "", "event loop: %s",
				    strerror(errno));
	run->names_ns = hp_loop_now(run->loop) + NAMES_NS;
	err = watch_socks(run, f);
	if (!err)
		err = watch_rest(run);
	if (!err)
		err = netcheck_gateway_begin(&run->gateway, run->loop,
					     &run->r->gateway, f);
	if (!err)
		err = hp_loop_run(run->loop);
	if (run->no_memory)
		err = HP_ERR_NOMEM;
	if (err)
		return f->cause[0] ? err : hp_fault_set(f, err, "",
							"event loop: %s",
							hp_err_name(err));
	if (run->signo)
		return HP_ERR_AGAIN;
	hp_netcheck_facts(run->check, &run->r->facts);
	run->r->facts.mapped = netcheck_gateway_opens(run->r);
	return HP_OK;
}

enum hp_err netcheck_run(struct netcheck_report *r, int *signo,
			 struct hp_fault *f)
{
	struct run run = { .r = r, .rng = hp_rng_system(),
			   .gateway = { .udp = HP_UDP_CLOSED } };
	enum hp_err err;

	for (unsigned int i = 0; i < HP_NETCHECK_SOCKS; i++)
		run.sock[i].udp = HP_UDP_CLOSED;
	r->n_addrs = host_addrs(&r->addr);
	run.own = calloc(r->n_addrs + 1, sizeof(*run.own));
	for (size_t i = 0; run.own && i < r->n_addrs; i++)
		run.own[i] = r->addr[i].addr;
	run.loop = hp_loop_new();
	run.batch = hp_udp_batch_new();
	err = go(&run, f);
	*signo = run.signo;
	netcheck_gateway_end(&run.gateway);
	hp_nat64_free(run.nat64);
	hp_resolver_free(run.resolver);
	for (unsigned int i = 0; i < HP_NETCHECK_SOCKS; i++)
		hp_udp_close(&run.sock[i].udp);
	hp_netcheck_free(run.check);
	hp_udp_batch_free(run.batch);
	hp_loop_free(run.loop);
	free(run.own);
	return err;
}
