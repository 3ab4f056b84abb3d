/* SPDX-License-Identifier: ISC */
/*
 * What several data threads gain where nothing but the processors bounds them:
 * each seals batches of packets by one WireGuard interface and opens them by
 * another one, the whole data path without a kernel.
 *
 *	threads [--threads N] [--rounds N] [--ms N]
 *	threads --one THREADS PACKETS	no clock, for a profiler
 *
 * Either all threads have one peer, so that they share its sessions, or each
 * has its own. In a round everything has its turn once, and turns are short:
 * in some rounds nothing else wants the processors. The fastest turn of each is
 * printed, for whatever else runs makes a turn slower, never faster; and the
 * median of the processor time.
 */
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/cpu.h"
#include "sys/rng.h"
#include "wg/device.h"
#include "wg/forward.h"

#define LEN 1408
#define SLOT (HP_HEADROOM + LEN + HP_TAILROOM)
#define BATCH 48
#define THREADS_MAX 16
#define NOW_NS (1000 * HP_S)

/* A WireGuard interface; what it sends waits in @out for the other one. */
struct side {
	struct hp_wg *wg;
	struct hp_public public;
	uint8_t out[256];
	size_t out_len;
};

/* Sides that know each other: one, and as many others as there are threads. */
struct bench {
	struct hp_rng rng;
	struct side one, other[THREADS_MAX];
	unsigned int threads, rounds;
	uint64_t turn_ns;
	uint64_t packets; /* of each thread, instead of a time; 0: the time */
};

struct worker {
	pthread_t thread;
	const struct bench *b;
	unsigned int peer;
	atomic_uint *ready;
	unsigned int all;
	uint64_t done;	/* packets */
	uint64_t began_ns, ended_ns, cpu_ns;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "threads: %s\n", what);
	exit(1);
}

static void must(enum hp_err err)
{
	if (err)
		fail(hp_err_name(err));
}

/* ---- interfaces ----------------------------------------------------------- */

static void op_send(void *ctx, struct hp_wg_peer *peer,
		    const struct hp_path *path, struct hp_pkt *pkt)
{
	struct side *s = ctx;

	(void)peer;
	(void)path;
	if (pkt->len > sizeof(s->out))
		fail("a message too long");
	s->out_len = pkt->len;
	memcpy(s->out, pkt->data, pkt->len);
}

static void op_deliver(void *ctx, struct hp_wg_peer *peer, struct hp_pkt *inner)
{
	(void)ctx;
	(void)peer;
	(void)inner;
}

static void op_event(void *ctx, struct hp_wg_peer *peer, enum hp_wg_event event)
{
	(void)ctx;
	(void)peer;
	(void)event;
}

static void op_timestamp(void *ctx, uint8_t out[12])
{
	(void)ctx;
	memset(out, 1, 12);
}

static const struct hp_wg_ops ops = {
	op_send, op_deliver, op_event, op_timestamp,
};

static const struct hp_path *somewhere(void)
{
	static const struct hp_path path = {
		.remote = { .family = HP_AF_4, .ip = { 192, 0, 2, 1 },
			    .port = 51820 },
	};

	return &path;
}

static void side_make(struct bench *b, struct side *s)
{
	struct hp_secret secret;
	const struct hp_wg_cfg cfg = {
		.ops = &ops, .ctx = s, .rng = &b->rng, .aes = true,
	};

	s->wg = hp_wg_new(&cfg);
	if (!s->wg)
		fail("no WireGuard engine");
	hp_dh_keypair(&b->rng, &secret, &s->public);
	hp_wg_set_private(s->wg, &secret);
	hp_secret_wipe(&secret);
}

static struct hp_wg_peer *acquaint(struct side *s, const struct side *with,
				   uint8_t octet)
{
	const struct hp_prefix p = {
		.family = HP_AF_4, .bits = 32, .ip = { 10, 9, 0, octet },
	};
	struct hp_wg_peer *peer;

	must(hp_wg_peer_add(s->wg, &with->public, &peer));
	must(hp_wg_peer_allow(peer, &p));
	must(hp_wg_peer_set_path(peer, somewhere(), NOW_NS));
	hp_wg_peer_set_roaming(peer, false);
	return peer;
}

static void pass(struct side *from, struct side *to)
{
	struct hp_pkt p = hp_pkt_of(from->out, sizeof(from->out), 0,
				    (uint32_t)from->out_len);

	if (!from->out_len)
		fail("a handshake that ends early");
	from->out_len = 0;
	(void)!hp_wg_rx(to->wg, somewhere(), &p, NOW_NS);
}

/* Initiation, answer, and the packet that confirms. */
static void shake(struct side *a, struct side *b, struct hp_wg_peer *peer)
{
	must(hp_wg_initiate(peer, NOW_NS));
	pass(a, b);
	pass(b, a);
	pass(a, b);
}

/* Sessions of @suite between @b->one, 10.9.0.1, and the others, from .2 on. */
static void connect_all(struct bench *b, enum hp_suite suite)
{
	side_make(b, &b->one);
	for (unsigned int i = 0; i < b->threads; i++) {
		struct side *other = &b->other[i];
		struct hp_wg_peer *to, *back;

		side_make(b, other);
		to = acquaint(&b->one, other, (uint8_t)(i + 2));
		back = acquaint(other, &b->one, 1);
		hp_wg_peer_set_suites(to, suite, HP_SUITE_BIT(suite), NOW_NS);
		hp_wg_peer_set_suites(back, suite, HP_SUITE_BIT(suite), NOW_NS);
		shake(&b->one, other, to);
	}
}

static void end_all(struct bench *b)
{
	hp_wg_free(b->one.wg);
	for (unsigned int i = 0; i < b->threads; i++)
		hp_wg_free(b->other[i].wg);
}

/* ---- threads -------------------------------------------------------------- */

static void on_notice(void *ctx, const struct hp_notice *n)
{
	(void)ctx;
	(void)n;
}

/* What one thread works with. */
struct work {
	struct hp_aead *aead;
	struct hp_forward out, in;
	struct hp_pkt pkt[BATCH];
	struct hp_path from[BATCH];
	struct hp_forward_out outs[BATCH];
	struct hp_forward_in ins[BATCH];
	uint8_t buf[BATCH][SLOT];
};

static void write_packet(uint8_t *ip, unsigned int peer)
{
	ip[0] = 0x45;
	hp_put_be16(ip + 2, LEN);
	memcpy(ip + 12, "\x0a\x09\x00\x01\x0a\x09\x00", 7);
	ip[19] = (uint8_t)(peer + 2);
}

static struct work *work_new(const struct worker *w)
{
	const struct side *other = &w->b->other[w->peer];
	struct work *k = calloc(1, sizeof(*k));

	if (!k)
		fail("out of memory");
	k->aead = hp_aead_new(hp_wg_engine(w->b->one.wg));
	if (!k->aead)
		fail("no cipher engine");
	hp_forward_init(&k->out, hp_wg_fib(w->b->one.wg), k->aead, on_notice,
			NULL);
	hp_forward_init(&k->in, hp_wg_fib(other->wg), k->aead, on_notice,
			NULL);
	for (unsigned int i = 0; i < BATCH; i++) {
		write_packet(k->buf[i] + HP_HEADROOM, w->peer);
		k->from[i] = *somewhere();
	}
	return k;
}

/* Opened in place, a packet is what it was before it was sealed. One that is
 * held up until others of its session have used up the replay window is lost,
 * and written anew. Returns how many arrived.
 */
static unsigned int batch(struct work *k, unsigned int peer)
{
	unsigned int arrived = 0;

	for (unsigned int i = 0; i < BATCH; i++)
		k->pkt[i] = hp_pkt_of(k->buf[i], SLOT, HP_HEADROOM, LEN);
	hp_forward_out(&k->out, k->pkt, BATCH, k->outs, NOW_NS);
	hp_forward_in(&k->in, k->pkt, k->from, BATCH, k->ins, NOW_NS);
	for (unsigned int i = 0; i < BATCH; i++) {
		if (k->ins[i].verdict == HP_VERDICT_DELIVER)
			arrived++;
		else if (k->ins[i].reason == HP_DROP_REPLAY)
			write_packet(k->buf[i] + HP_HEADROOM, peer);
		else
			fail("a packet did not arrive");
	}
	return arrived;
}

static uint64_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * HP_S + (uint64_t)ts.tv_nsec;
}

static void *run(void *ctx)
{
	struct worker *w = ctx;
	struct work *k = work_new(w);
	uint64_t cpu_ns;

	(void)batch(k, w->peer);
	atomic_fetch_add(w->ready, 1);
	while (atomic_load(w->ready) < w->all)
		sched_yield();
	w->began_ns = hp_clock_now();
	cpu_ns = cpu_now();
	while (w->b->packets ? w->done < w->b->packets :
			       hp_clock_now() - w->began_ns < w->b->turn_ns)
		w->done += batch(k, w->peer);
	w->cpu_ns = cpu_now() - cpu_ns;
	w->ended_ns = hp_clock_now();
	hp_aead_free(k->aead);
	free(k);
	return NULL;
}

/* @rate: packets in a second, of all; @cpu_ns: processor time of one. */
static void turn(const struct bench *b, unsigned int threads, bool apart,
		 double *rate, double *cpu_ns)
{
	struct worker w[THREADS_MAX] = { 0 };
	atomic_uint ready = 0;
	uint64_t began = HP_NEVER, ended = 0, done = 0, cpu = 0;

	for (unsigned int i = 0; i < threads; i++) {
		w[i].b = b;
		w[i].peer = apart ? i : 0;
		w[i].ready = &ready;
		w[i].all = threads;
		if (pthread_create(&w[i].thread, NULL, run, &w[i]))
			fail("no thread");
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		done += w[i].done;
		cpu += w[i].cpu_ns;
		began = hp_time_min(began, w[i].began_ns);
		ended = w[i].ended_ns > ended ? w[i].ended_ns : ended;
	}
	*rate = (double)done * 1e9 / (double)(ended - began);
	*cpu_ns = (double)cpu / (double)done;
}

/* ---- the table ------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The @q-th part of @n numbers: 1 is the greatest. */
static double quantile(double *v, unsigned int n, double q)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[(unsigned int)(q * (n - 1))];
}

/* Rows: one thread; all of them on one peer; all of them, each on its own. */
#define ROWS 3
#define ROUNDS_MAX 1001

static void table(struct bench *b, enum hp_suite suite)
{
	static double rate[ROWS][ROUNDS_MAX], cpu[ROWS][ROUNDS_MAX];
	static const char *const peers[ROWS] = {
		"one", "one for all", "each its own",
	};
	double first = 0, first_cpu = 0;

	connect_all(b, suite);
	for (unsigned int r = 0; r < b->rounds; r++)
		for (unsigned int i = 0; i < ROWS; i++)
			turn(b, i ? b->threads : 1, i == 2, &rate[i][r],
			     &cpu[i][r]);
	for (unsigned int i = 0; i < ROWS; i++) {
		double m = quantile(rate[i], b->rounds, 1);
		double c = quantile(cpu[i], b->rounds, 0.5);

		first = i ? first : m;
		first_cpu = i ? first_cpu : c;
		printf("%-18s %7u  %-13s %9.2f %7.2f %12.0f %7.2f\n",
		       hp_suite_name(suite), i ? b->threads : 1, peers[i],
		       m * LEN * 8e-9, m / first, c, c / first_cpu);
	}
	end_all(b);
}

static unsigned int number(const char *text, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || !n || n > max)
		fail("a number is wrong");
	return (unsigned int)n;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "ms", required_argument, NULL, 'm' },
		{ "one", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct bench b = { .threads = 2, .rounds = 201, .turn_ns = 4 * HP_MS };
	double rate, cpu;
	bool one = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 't' || c == 'o')
			b.threads = number(optarg, THREADS_MAX);
		else if (c == 'r')
			b.rounds = number(optarg, ROUNDS_MAX);
		else if (c == 'm')
			b.turn_ns = number(optarg, 999) * HP_MS;
		else
			return 1;
		one |= c == 'o';
	}
	must(hp_crypto_init());
	b.rng = hp_rng_system();
	if (one) {
		b.packets = number(argv[optind] ? argv[optind] : "", 10000000);
		connect_all(&b, HP_SUITE_CHACHA);
		turn(&b, b.threads, false, &rate, &cpu);
		end_all(&b);
		return 0;
	}
	printf("on %u processor%s\n%-18s %7s  %-13s %9s %7s %12s %7s\n",
	       hp_cpu_count(), hp_cpu_count() == 1 ? "" : "s", "cipher",
	       "threads", "peers", "Gbit/s", "to one", "CPU ns/pkt", "to one");
	for (int suite = 0; suite < HP_SUITES; suite++)
		table(&b, (enum hp_suite)suite);
	return 0;
}
