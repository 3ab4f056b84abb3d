/* SPDX-License-Identifier: ISC */
/*
 * The control thread: it owns the registry and answers. Threads beside it
 * (forward.h) have the sockets, forward what is relayed and hand it the rest;
 * each address to listen at has, for each of them, two sockets, on a port and
 * on the next one. Answers leave by the sockets of the first thread, collected
 * and sent in batches.
 */
#include "serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/pkt.h"
#include "forward.h"
#include "meet/registry.h"
#include "meet/wire.h"
#include "stream.h"
#include "sys/loop.h"
#include "sys/quiet.h"
#include "sys/rng.h"
#include "sys/udp.h"

#define SOCKS_MAX (2 * RV_LISTEN_MAX)
/* Taken from one thread in one wakeup; an introduction makes two answers. */
#define TAKEN_MAX 64
#define ANSWERS (2 * TAKEN_MAX)

struct server;

struct worker {
	struct server *server;
	struct rv_forward *forward;
	struct hp_udp udp[SOCKS_MAX];
};

struct server {
	const struct rv_options *o;
	struct hp_loop *loop;
	struct hp_rng rng;
	struct hp_registry *registry;
	struct rv_streams *streams;
	struct worker worker[RV_THREADS_MAX];
	struct hp_udp_batch *batch[SOCKS_MAX];
	uint32_t n_socks;
	bool join;
	bool refused; /* that joining was refused is said */
	size_t n_answers;
	uint64_t unsent;
	size_t n_allowed;
	uint8_t answer[ANSWERS][RV_CONTROL_MAX];
};

static void flush(struct server *s)
{
	for (uint32_t i = 0; i < s->n_socks; i++)
		s->unsent += hp_udp_batch_send(s->batch[i],
					       &s->worker[0].udp[i]);
	s->n_answers = 0;
}

/* hp_registry_ops.send */
static void collect(void *ctx, const struct hp_path *to, const uint8_t *buf,
		    size_t len)
{
	struct server *s = ctx;
	struct hp_pkt pkt = { .len = (uint32_t)len };

	if (hp_path_is_stream(to)) {
		rv_streams_send(s->streams, to, buf, len);
		return;
	}
	if (s->n_answers == ANSWERS)
		flush(s);
	pkt.data = s->answer[s->n_answers++];
	memcpy(pkt.data, buf, len);
	if (!hp_udp_batch_add(s->batch[to->sock], to, &pkt))
		s->unsent++;
}

/* hp_registry_ops.wait */
static void wait_forwarders(void *ctx)
{
	hp_quiet_wait(hp_registry_relay(((struct server *)ctx)->registry));
}

static void say_refused(struct server *s, int why)
{
	if (s->refused)
		return;
	s->refused = true;
	fprintf(stderr,
		"hptun-rendezvous: the kernel does not join UDP datagrams (%s); "
		"relaying them one by one\n",
		strerror(why));
}

static void on_datagrams(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct worker *w = ctx;
	struct server *s = w->server;
	uint8_t buf[RV_CONTROL_MAX];
	struct hp_path from;

	(void)events;
	for (int i = 0; i < TAKEN_MAX; i++) {
		int len = rv_forward_take(w->forward, &from, buf);

		if (len < 0)
			break;
		if (!len)
			say_refused(s, rv_forward_refused(w->forward));
		else if (hp_path_is_stream(&from)) /* leads there */
			rv_streams_send(s->streams, &from, buf, (size_t)len);
		else
			hp_registry_rx(s->registry, &from, buf, (size_t)len,
				       now_ns);
	}
	flush(s);
}

static void on_stream(void *ctx, const struct hp_path *from, uint8_t *p,
		      size_t len, uint64_t now_ns)
{
	struct server *s = ctx;

	if (len > RV_CONTROL_MAX)
		return;
	hp_registry_rx(s->registry, from, p, len, now_ns);
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

static unsigned long long llu(uint64_t n)
{
	return n;
}

static void print_drop(uint64_t n, const char *why)
{
	if (n)
		printf("dropped %llu: %s\n", llu(n), why);
}

static void print_stats(const struct server *s)
{
	struct rv_counts c = { 0 };
	struct rv_stream_counts streams;
	struct hp_registry_stats st;

	hp_registry_stats(s->registry, &st);
	for (uint32_t i = 0; i < s->o->threads; i++)
		rv_forward_counts(s->worker[i].forward, &c);
	st.drop[HP_RG_RELAY_RATE] += c.over_rate;
	st.drop[HP_RG_CHANNEL] += c.stray;
	printf("nodes %zu, networks %zu, channels %zu, received %llu, sent "
	       "%llu, unsent %llu, challenges %llu, registrations %llu, "
	       "introductions %llu, moves %llu, expired %llu, STUN %llu, "
	       "relayed %llu datagrams of %llu bytes\n",
	       st.nodes, st.networks, st.relay.channels, llu(c.rx),
	       llu(st.tx + c.relayed), llu(s->unsent + c.unsent),
	       llu(st.challenges), llu(st.registrations),
	       llu(st.introductions), llu(st.moves), llu(st.expired),
	       llu(st.stun), llu(st.relay.packets + c.relayed),
	       llu(st.relay.bytes + c.bytes));
	for (int i = 0; i < HP_RG_N_DROPS; i++)
		print_drop(st.drop[i],
			   hp_registry_drop_name((enum hp_registry_drop)i));
	print_drop(c.crowded, "more than can be answered");
	rv_streams_counts(s->streams, &streams);
	if (streams.accepted || streams.refused)
		printf("connections: %zu now, %llu accepted, %llu refused at a "
		       "limit, %llu closed as silent\n",
		       streams.now, llu(streams.accepted),
		       llu(streams.refused), llu(streams.ended));
	print_drop(streams.dropped, "connection too slow, or gone");
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
		if (rv_streams_reload(s->streams, &f))
			fprintf(stderr,
				"hptun-rendezvous: %s; %s. TLS goes on with "
				"what it had.\n",
				f.cause, f.remedy);
		else if (s->o->n_tls)
			printf("the certificate was read again\n");
	} else if (signo == SIGUSR1) {
		print_stats(s);
	} else {
		hp_loop_stop(s->loop);
	}
}

/* One socket for each thread; the first one finds out whether the address is
 * free.
 */
static enum hp_err open_sock(struct server *s, const struct hp_addr *at,
			     struct hp_fault *f)
{
	const struct hp_udp *first = &s->worker[0].udp[s->n_socks];

	for (uint32_t i = 0; i < s->o->threads; i++) {
		struct hp_udp *u = &s->worker[i].udp[s->n_socks];
		enum hp_err err = hp_udp_listen(u, at, i ? first : NULL, f);

		if (err) {
			while (i--)
				hp_udp_close(&s->worker[i].udp[s->n_socks]);
			return err;
		}
		if (s->join && hp_udp_joined(u, true)) {
			s->join = false;
			say_refused(s, errno);
		}
	}
	s->batch[s->n_socks++] = hp_udp_batch_new();
	if (!s->batch[s->n_socks - 1])
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
		print_listen(&s->worker[0].udp[i], i ? ", " : " ");
	rv_streams_print(s->streams);
	if (s->o->relay && s->o->relay_rate)
		printf(", relaying up to %u bytes/s a pair", s->o->relay_rate);
	else
		printf(", %s", s->o->relay ? "relaying without limit" :
					     "relaying nothing");
	printf(", %u nodes at most, %u threads. These UDP ports must be open in every "
	       "firewall before this host, the cloud provider's included.\n",
	       s->o->max_nodes, s->o->threads);
}

static enum hp_err make_registry(struct server *s, struct hp_fault *f)
{
	static const struct hp_registry_ops ops = { .send = collect,
						 .wait = wait_forwarders };
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

/* After the loop, whose signals its threads must not take. */
static enum hp_err start_workers(struct server *s, struct hp_fault *f)
{
	for (uint32_t i = 0; i < s->o->threads; i++) {
		struct worker *w = &s->worker[i];

		w->server = s;
		w->forward = rv_forward_new(hp_registry_relay(s->registry),
					    w->udp, s->n_socks, s->join);
		if (!w->forward ||
		    hp_loop_watch(s->loop, rv_forward_fd(w->forward), EPOLLIN,
				  on_datagrams, w))
			return hp_fault_set(f, HP_ERR_IO,
					    "try fewer (--threads)",
					    "cannot start thread %u: %s", i + 1,
					    strerror(errno));
	}
	return HP_OK;
}

static void server_free(struct server *s)
{
	rv_streams_free(s->streams);
	hp_loop_free(s->loop);
	for (uint32_t i = 0; i < s->o->threads; i++)
		rv_forward_free(s->worker[i].forward);
	for (uint32_t k = 0; k < s->n_socks; k++) {
		for (uint32_t i = 0; i < s->o->threads; i++)
			hp_udp_close(&s->worker[i].udp[k]);
		hp_udp_batch_free(s->batch[k]);
	}
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
	s->join = true;
	err = make_registry(s, f);
	if (!err)
		err = make_loop(s, f);
	if (!err)
		err = open_all(s, f);
	if (!err)
		err = rv_streams_new(s->loop, o, on_stream, s, &s->streams, f);
	if (!err)
		err = start_workers(s, f);
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
