/* SPDX-License-Identifier: ISC */
/*
 * Each address to listen at has two sockets, on a port and on the next one.
 * A wakeup takes one batch from one socket through the registry; what goes out
 * is collected and sent in batches as well. A relayed datagram goes out from
 * the buffer that it came in, the registry's own answers from a second arena.
 * Whatever is collected is sent before the next batch comes in.
 */
#include "serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/pkt.h"
#include "meet/registry.h"
#include "meet/wire.h"
#include "sys/loop.h"
#include "sys/rng.h"
#include "sys/udp.h"

/* As long as a jumbo frame: nobody relays more in one piece. */
#define DATAGRAM_MAX 9216
/* An introduction makes two answers of one datagram. */
#define ANSWERS (2 * HP_BATCH)

struct server;

struct sock {
	struct server *server;
	struct hp_udp udp;
	struct hp_udp_batch *batch;
	uint32_t number;
};

struct server {
	const struct rv_options *o;
	struct hp_loop *loop;
	struct hp_rng rng;
	struct hp_registry *registry;
	struct sock sock[2 * RV_LISTEN_MAX];
	uint32_t n_socks;
	size_t n_answers;
	uint64_t unsent;
	size_t n_allowed;
	uint8_t in[HP_BATCH][DATAGRAM_MAX];
	uint8_t answer[ANSWERS][HP_MEET_MAX];
};

static void flush(struct server *s)
{
	for (uint32_t i = 0; i < s->n_socks; i++)
		s->unsent += hp_udp_batch_send(s->sock[i].batch,
					       &s->sock[i].udp);
	s->n_answers = 0;
}

static bool within_in(const struct server *s, const uint8_t *p)
{
	return (uintptr_t)p - (uintptr_t)s->in < sizeof(s->in);
}

/* hp_registry_ops.send */
static void collect(void *ctx, const struct hp_path *to, const uint8_t *buf,
		    size_t len)
{
	struct server *s = ctx;
	struct sock *k = &s->sock[to->sock];
	struct hp_pkt pkt = { .data = (uint8_t *)(uintptr_t)buf,
			      .len = (uint32_t)len };

	if (!within_in(s, buf)) {
		if (s->n_answers == ANSWERS)
			flush(s);
		pkt.data = s->answer[s->n_answers++];
		memcpy(pkt.data, buf, len);
	}
	if (hp_udp_batch_add(k->batch, to, &pkt))
		return;
	flush(s);
	if (!hp_udp_batch_add(k->batch, to, &pkt))
		s->unsent++;
}

static void on_readable(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct sock *k = ctx;
	struct server *s = k->server;
	int fd = k->udp.fd4 >= 0 ? k->udp.fd4 : k->udp.fd6;
	struct hp_pkt pkts[HP_BATCH];
	struct hp_path from[HP_BATCH];
	size_t n;

	(void)events;
	for (size_t i = 0; i < HP_BATCH; i++)
		pkts[i] = hp_pkt_of(s->in[i], DATAGRAM_MAX, 0, 0);
	n = hp_udp_batch_recv(k->batch, fd, pkts, from, HP_BATCH);
	for (size_t i = 0; i < n; i++) {
		from[i].sock = k->number;
		hp_registry_rx(s->registry, &from[i], pkts[i].data,
			       pkts[i].len, now_ns);
	}
	flush(s);
}

static uint64_t deadline(void *ctx)
{
	return hp_registry_deadline(((struct server *)ctx)->registry);
}

static void tick(void *ctx, uint64_t now_ns)
{
	hp_registry_tick(((struct server *)ctx)->registry, now_ns);
}

static enum hp_err load_allow(struct server *s, struct hp_fault *f)
{
	struct hp_public *ids;
	size_t n;
	enum hp_err err;

	if (!s->o->allow[0])
		return HP_OK;
	err = rv_allow_load(s->o->allow, &ids, &n, f);
	if (err)
		return err;
	err = hp_registry_allow(s->registry, ids, n);
	free(ids);
	if (err)
		return hp_fault_set(f, err, "", "out of memory");
	s->n_allowed = n;
	return HP_OK;
}

static void print_stats(const struct server *s)
{
	struct hp_registry_stats st;

	hp_registry_stats(s->registry, &st);
	printf("nodes %zu, networks %zu, channels %zu, received %llu, sent "
	       "%llu, unsent %llu, challenges %llu, registrations %llu, "
	       "introductions %llu, moves %llu, expired %llu, STUN %llu, "
	       "relayed %llu datagrams of %llu bytes\n",
	       st.nodes, st.networks, st.relay.channels,
	       (unsigned long long)st.rx, (unsigned long long)st.tx,
	       (unsigned long long)s->unsent,
	       (unsigned long long)st.challenges,
	       (unsigned long long)st.registrations,
	       (unsigned long long)st.introductions,
	       (unsigned long long)st.moves, (unsigned long long)st.expired,
	       (unsigned long long)st.stun,
	       (unsigned long long)st.relay.packets,
	       (unsigned long long)st.relay.bytes);
	for (int i = 0; i < HP_RG_N_DROPS; i++) {
		if (st.drop[i])
			printf("dropped %llu: %s\n",
			       (unsigned long long)st.drop[i],
			       hp_registry_drop_name(
				       (enum hp_registry_drop)i));
	}
}

static void on_signal(void *ctx, int signo, uint64_t now_ns)
{
	struct server *s = ctx;
	struct hp_fault f = { 0 };

	(void)now_ns;
	if (signo == SIGHUP) {
		if (load_allow(s, &f))
			fprintf(stderr,
				"hptun-rendezvous: %s; %s. The networks are "
				"as before.\n",
				f.cause, f.remedy);
		else if (s->o->allow[0])
			printf("serving %zu networks now\n", s->n_allowed);
	} else if (signo == SIGUSR1) {
		print_stats(s);
	} else {
		hp_loop_stop(s->loop);
	}
}

static enum hp_err open_sock(struct server *s, const struct hp_addr *at,
			     struct hp_fault *f)
{
	struct sock *k = &s->sock[s->n_socks];
	enum hp_err err = hp_udp_listen(&k->udp, at, f);
	int fd = k->udp.fd4 >= 0 ? k->udp.fd4 : k->udp.fd6;

	if (err)
		return err;
	k->server = s;
	k->number = s->n_socks++;
	k->batch = hp_udp_batch_new();
	if (!k->batch || hp_loop_watch(s->loop, fd, EPOLLIN, on_readable, k))
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	return HP_OK;
}

/* A port and the next one; the sockets of a pair stand side by side. */
static enum hp_err open_pair(struct server *s, const struct hp_addr *at,
			     struct hp_fault *f)
{
	struct hp_addr next = *at;
	enum hp_err err = open_sock(s, at, f);

	next.port++;
	return err ? err : open_sock(s, &next, f);
}

static enum hp_err open_all(struct server *s, struct hp_fault *f)
{
	const struct hp_addr any4 = { .family = HP_AF_4, .port = HP_MEET_PORT };
	const struct hp_addr any6 = { .family = HP_AF_6, .port = HP_MEET_PORT };
	enum hp_err err = HP_OK;

	for (size_t i = 0; i < s->o->n_listen && !err; i++)
		err = open_pair(s, &s->o->listen[i], f);
	if (s->o->n_listen)
		return err;
	/* By default, a host with one family alone is fine. */
	err = open_pair(s, &any4, f);
	if (err && (err != HP_ERR_IO || s->n_socks))
		return err;
	err = open_pair(s, &any6, f);
	return err == HP_ERR_IO && s->n_socks == 2 ? HP_OK : err;
}

/* "0.0.0.0:8888-8889" */
static void print_listen(const struct hp_udp *u, const char *before)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct hp_addr a;
	char text[HP_ADDR_TEXT];

	if (getsockname(u->fd4 >= 0 ? u->fd4 : u->fd6, (struct sockaddr *)&ss,
			&len))
		return;
	a = hp_addr_from_sockaddr((struct sockaddr *)&ss);
	printf("%s%s-%u", before, hp_addr_text(&a, text), a.port + 1);
}

static void print_start(const struct server *s)
{
	printf("hptun-rendezvous " HP_VERSION ": serving ");
	if (s->o->allow[0])
		printf("the %zu networks of %s", s->n_allowed, s->o->allow);
	else
		printf("every network");
	printf(" on UDP");
	for (uint32_t i = 0; i < s->n_socks; i += 2)
		print_listen(&s->sock[i].udp, i ? ", " : " ");
	if (s->o->relay && s->o->relay_rate)
		printf(", relaying up to %u bytes/s a pair", s->o->relay_rate);
	else
		printf(", %s", s->o->relay ? "relaying without limit" :
					     "relaying nothing");
	printf(", %u nodes at most. These UDP ports must be open in every "
	       "firewall before this host, the cloud provider's included.\n",
	       s->o->max_nodes);
}

static enum hp_err make_registry(struct server *s, struct hp_fault *f)
{
	static const struct hp_registry_ops ops = { .send = collect };
	struct hp_registry_config cfg = hp_registry_defaults();

	s->rng = hp_rng_system();
	cfg.rng = &s->rng;
	cfg.ops = &ops;
	cfg.ctx = s;
	cfg.relay = s->o->relay;
	cfg.relay_rate = s->o->relay_rate;
	cfg.max_nodes = s->o->max_nodes;
	cfg.max_source = s->o->max_source;
	s->registry = hp_registry_new(&cfg);
	if (!s->registry)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	return load_allow(s, f);
}

static enum hp_err make_loop(struct server *s, struct hp_fault *f)
{
	static const int signos[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	const struct hp_loop_timed timed = { deadline, tick, s };

	s->loop = hp_loop_new();
	if (!s->loop || hp_loop_timed(s->loop, &timed) ||
	    hp_loop_signals(s->loop, signos,
			    sizeof(signos) / sizeof(signos[0]), on_signal, s))
		return hp_fault_set(f, HP_ERR_IO, "",
				    "cannot set up the event loop");
	return HP_OK;
}

static void server_free(struct server *s)
{
	for (uint32_t i = 0; i < s->n_socks; i++) {
		hp_udp_batch_free(s->sock[i].batch);
		hp_udp_close(&s->sock[i].udp);
	}
	hp_loop_free(s->loop);
	hp_registry_free(s->registry);
	free(s);
}

enum hp_err rv_serve(const struct rv_options *o, struct hp_fault *f)
{
	struct server *s = calloc(1, sizeof(*s));
	enum hp_err err;

	if (!s)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	s->o = o;
	err = make_registry(s, f);
	if (!err)
		err = make_loop(s, f);
	if (!err)
		err = open_all(s, f);
	if (!err) {
		print_start(s);
		err = hp_loop_run(s->loop);
		if (err)
			hp_fault_set(f, err, "", "the event loop failed");
		else
			print_stats(s);
	}
	server_free(s);
	return err;
}
