/* SPDX-License-Identifier: ISC */
/*
 * lib/punch/guess: two machines whose NATs volleys do not pass, a relay, and
 * NATs of each kind that gives ports. What is asked of every run: the budgets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/candidate.h"
#include "punch/guess.h"
#include "punch/nat.h"
#include "punch/probe.h"
#include "punch/punch.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define FLOWS 16384
#define SOCKS 8192
#define QUEUE 512
#define HOPS 8
#define DIRECT_DELAY (20 * HP_MS)
#define RELAY_DELAY (30 * HP_MS)
#define SAMPLES 12
#define CHANNEL 77
#define START (1000 * HP_S)

/* A NAT that filters by address and port. */
struct nat_kind {
	const char *name;
	bool hard;
	int stride;		/* 0: random in ... */
	uint16_t lo;
	unsigned int size;	/* ... so many ports */
};

static const struct nat_kind easy = { .name = "easy", .size = 64512,
				      .lo = 1024 };
static const struct nat_kind step1 = { "stride 1", true, 1, 0, 0 };
static const struct nat_kind step2 = { "stride 2", true, 2, 0, 0 };
static const struct nat_kind step8 = { "stride 8", true, 8, 0, 0 };
static const struct nat_kind back1 = { "stride -1", true, -1, 0, 0 };
static const struct nat_kind block = { "block", true, 0, 20480, 512 };
static const struct nat_kind block64 = { "small block", true, 0, 4096, 64 };
static const struct nat_kind any = { "random", true, 0, 1024, 64512 };

struct flow {
	uint32_t sock;
	struct hp_addr to;
	uint16_t port;
	bool known;	/* its mapping was there before */
	uint64_t at_ns;
};

struct nat {
	const struct nat_kind *kind;
	struct hp_addr ip;
	uint16_t next;
	struct flow flow[FLOWS];
	size_t n;
};

struct net;

struct host {
	struct net *net;
	unsigned int id;
	struct nat nat;
	struct hp_punch *punch;
	struct hp_punch_ops ops;
	struct hp_budget budget;
	uint32_t methods;
	bool no_open;
	unsigned int open_max;	/* the system has so many */
	unsigned int n_open;
	bool is_open[SOCKS];
	uint32_t last_sock;
	uint64_t sample_ns;
	struct hp_path direct;
	unsigned int n_sent;	/* straight, within the second of @second */
	uint64_t second;
	unsigned int most_sent;
	unsigned int most_open;
	unsigned int strangers;	/* arrived at a closed door of ours */
};

struct packet {
	uint64_t due_ns;
	unsigned int to;
	bool relayed;
	struct hp_addr src;
	struct hp_addr dst;
	size_t len;
	uint8_t buf[HP_PROBE_MAX];
};

struct net {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	uint64_t now_ns;
	struct host host[2];
	struct packet queue[QUEUE];
	size_t n;
	unsigned int loss_pct;
	bool no_relay;
	struct packet word;	/* the last word on a round that arrived */
};

/* ---- NAT ---------------------------------------------------------------- */

static uint16_t port_new(struct net *w, struct nat *n)
{
	const struct nat_kind *k = n->kind;

	if (k->hard && k->stride)
		return n->next = hp_nat_port_step(n->next, k->stride, 1);
	return (uint16_t)(k->lo + hp_rng_below(&w->rng, k->size));
}

static uint16_t nat_out(struct net *w, struct nat *n, uint32_t sock,
			const struct hp_addr *to)
{
	const struct flow *same = NULL;

	for (size_t i = 0; i < n->n; i++) {
		if (n->flow[i].sock != sock)
			continue;
		if (hp_addr_eq(&n->flow[i].to, to))
			return n->flow[i].port;
		same = &n->flow[i];
	}
	assert_true(n->n < FLOWS);
	n->flow[n->n] = (struct flow){
		.sock = sock,
		.to = *to,
		.known = same && !n->kind->hard,
		.port = same && !n->kind->hard ? same->port : port_new(w, n),
		.at_ns = w->now_ns,
	};
	return n->flow[n->n++].port;
}

static bool nat_in(const struct nat *n, const struct hp_addr *from,
		   uint16_t port, uint32_t *sock)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->flow[i].port == port &&
		    hp_addr_eq(&n->flow[i].to, from)) {
			*sock = n->flow[i].sock;
			return true;
		}
	return false;
}

/* Mappings beside those of the main socket that are not yet gone. */
static unsigned int nat_extra(const struct nat *n, uint64_t now_ns)
{
	unsigned int count = 0;

	for (size_t i = 0; i < n->n; i++)
		count += n->flow[i].sock && !n->flow[i].known &&
			 now_ns < n->flow[i].at_ns + HP_BUDGET_LIFE;
	return count;
}

/* ---- hosts -------------------------------------------------------------- */

static struct hp_path relay_path(void)
{
	return (struct hp_path){ .remote = hp_addr4(198, 51, 100, 1, 8888),
				 .channel = CHANNEL };
}

static void on_send(void *ctx, const struct hp_path *path, int ttl,
		    const uint8_t *buf, size_t len)
{
	struct host *h = ctx;
	struct net *w = h->net;
	struct packet *k = &w->queue[w->n];

	assert_true(w->n < QUEUE);
	*k = (struct packet){ .to = !h->id, .relayed = path->channel,
			      .dst = path->remote, .len = len };
	memcpy(k->buf, buf, len);
	if (path->channel) {
		k->due_ns = w->now_ns + RELAY_DELAY;
		w->n++;
		return;
	}
	if (w->now_ns / HP_S != h->second)
		h->n_sent = 0;
	h->second = w->now_ns / HP_S;
	if (++h->n_sent > h->most_sent)
		h->most_sent = h->n_sent;
	k->src = h->nat.ip;
	k->src.port = nat_out(w, &h->nat, path->sock, &path->remote);
	k->due_ns = w->now_ns + DIRECT_DELAY;
	if (!(ttl && ttl < HOPS) &&
	    hp_rng_below(&w->rng, 100) >= w->loss_pct)
		w->n++;
}

static void on_nominated(void *ctx, const struct hp_path *direct)
{
	struct host *h = ctx;

	h->direct = direct ? *direct : (struct hp_path){ 0 };
}

static void on_event(void *ctx, enum hp_punch_event ev)
{
	(void)ctx;
	(void)ev;
}

static void on_sample(void *ctx)
{
	struct host *h = ctx;

	h->sample_ns = h->net->now_ns + 20 * HP_MS;
}

static enum hp_err on_open(void *ctx, uint32_t *sock)
{
	struct host *h = ctx;

	if (h->n_open == h->open_max)
		return HP_ERR_FULL;
	if (++h->n_open > h->most_open)
		h->most_open = h->n_open;
	*sock = ++h->last_sock;
	assert_true(*sock < SOCKS);
	h->is_open[*sock] = true;
	return HP_OK;
}

static void on_close(void *ctx, uint32_t sock)
{
	struct host *h = ctx;

	assert_true(sock && sock < SOCKS && h->is_open[sock]);
	h->is_open[sock] = false;
	assert_int_not_equal(h->direct.sock, sock);
	h->n_open--;
}

/* What six sockets would learn from both ports of a server. */
static void sample(struct host *h)
{
	struct net *w = h->net;
	struct hp_nat seen = { 0 };
	struct hp_nat_facts f;

	h->sample_ns = HP_NEVER;
	for (unsigned int i = 0; i < (h->nat.kind->hard ? 2u + SAMPLES : 2u);
	     i++) {
		struct hp_nat_sample s = {
			.sock = i < 2 ? 0 : 10000 + h->last_sock + i / 2,
			.server = hp_addr4(198, 51, 100, 1,
					   (uint16_t)(8888 + i % 2)),
			.mapped = h->nat.ip,
			.order = i + 1,
			.at_ns = w->now_ns,
		};
		int slot = i < 2 ? -1 : hp_budget_map(&h->budget, w->now_ns);

		if (i >= 2 && slot < 0)
			continue;
		hp_budget_leave(&h->budget, slot, w->now_ns);
		s.mapped.port = nat_out(w, &h->nat, s.sock, &s.server);
		hp_nat_note(&seen, &s);
	}
	h->last_sock += SAMPLES;
	hp_nat_judge(&seen, HP_AF_4, NULL, 0, &f);
	hp_punch_sampled(h->punch, &f, w->now_ns);
}

/* ---- the net ------------------------------------------------------------ */

static void arrive(struct net *w, const struct packet *k)
{
	struct host *h = &w->host[k->to];
	struct hp_path from = { .remote = k->src };

	if (k->relayed) {
		from = relay_path();
		w->word = *k;
	} else if (!hp_addr_same_ip(&k->dst, &h->nat.ip) ||
		   !nat_in(&h->nat, &k->src, k->dst.port, &from.sock) ||
		   (from.sock && (from.sock >= SOCKS ||
				  !h->is_open[from.sock]))) {
		h->strangers++;
		return;
	}
	if (hp_punch_rx(h->punch, &from, k->buf, k->len, w->now_ns) != HP_OK)
		return;
}

static uint64_t next_due(const struct net *w)
{
	uint64_t due = HP_NEVER;

	for (size_t i = 0; i < w->n; i++)
		due = hp_time_min(due, w->queue[i].due_ns);
	for (unsigned int i = 0; i < 2; i++) {
		due = hp_time_min(due, hp_punch_deadline(w->host[i].punch));
		due = hp_time_min(due, w->host[i].sample_ns);
	}
	return due;
}

static void step(struct net *w)
{
	for (size_t i = 0; i < w->n;) {
		struct packet k = w->queue[i];

		if (k.due_ns > w->now_ns) {
			i++;
			continue;
		}
		w->n--;
		memmove(&w->queue[i], &w->queue[i + 1],
			(w->n - i) * sizeof(k));
		arrive(w, &k);
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct host *h = &w->host[i];

		if (h->sample_ns <= w->now_ns)
			sample(h);
		hp_punch_sent(h->punch, w->now_ns);
		if (hp_punch_deadline(h->punch) <= w->now_ns)
			hp_punch_tick(h->punch, w->now_ns);
		assert_true(nat_extra(&h->nat, w->now_ns) <=
			    HP_BUDGET_MAPPINGS);
		assert_true(h->most_sent <= 500);
		assert_true(h->most_open <= HP_BUDGET_MAPPINGS);
	}
}

static bool both_direct(const struct net *w)
{
	return hp_path_set(&w->host[0].direct) &&
	       hp_path_set(&w->host[1].direct);
}

/* True: both are direct before @until_ns. */
static bool run(struct net *w, uint64_t until_ns)
{
	unsigned int still = 0;

	while (!both_direct(w)) {
		uint64_t due = next_due(w);

		if (due > until_ns) {
			w->now_ns = until_ns;
			return false;
		}
		still = due <= w->now_ns ? still + 1 : 0;
		assert_true(still < 50);
		if (due > w->now_ns)
			w->now_ns = due;
		step(w);
	}
	return true;
}

static void introduce(struct net *w, unsigned int i)
{
	const struct hp_addr server = hp_addr4(198, 51, 100, 1, 8888);
	struct nat *peer = &w->host[!i].nat;
	struct hp_candidate c = { .addr = peer->ip,
				  .kind = HP_CAND_REFLEXIVE };
	struct hp_punch_intro intro = {
		.peer_epoch = 100 + !i,
		.candidates = &c,
		.n_candidates = 1,
		.own_mapping = w->host[i].nat.kind->hard ? HP_MAPPING_APDM :
							   HP_MAPPING_EIM,
		.peer_mapping = peer->kind->hard ? HP_MAPPING_APDM :
						   HP_MAPPING_EIM,
	};

	c.addr.port = nat_out(w, peer, 0, &server);
	if (!w->no_relay)
		intro.relay = relay_path();
	hp_punch_introduce(w->host[i].punch, &intro, w->now_ns);
}

static struct net *net_new(uint64_t seed, const struct nat_kind *a,
			   const struct nat_kind *b)
{
	struct net *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	hp_rng_seeded_init(&w->seeded, seed, &w->rng);
	w->now_ns = START;
	for (unsigned int i = 0; i < 2; i++) {
		struct host *h = &w->host[i];

		h->net = w;
		h->id = i;
		h->nat.kind = i ? b : a;
		h->nat.ip = hp_addr4(203, 0, 113, (uint8_t)(10 + i), 0);
		h->nat.next = (uint16_t)(2000 +
					 hp_rng_below(&w->rng, 60000));
		h->sample_ns = HP_NEVER;
		h->open_max = 100000;
		hp_budget_init(&h->budget);
	}
	return w;
}

static void net_start(struct net *w)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct host *h = &w->host[i];
		struct hp_punch_config cfg = {
			.rng = w->rng,
			.epoch = 100 + i,
			.methods = h->methods,
			.budget = &h->budget,
			.ops = &h->ops,
			.ctx = h,
		};

		h->ops = (struct hp_punch_ops){
			.send = on_send,
			.nominated = on_nominated,
			.event = on_event,
			.sample = on_sample,
			.open = h->no_open ? NULL : on_open,
			.close = on_close,
		};
		memset(&cfg.key, 7, sizeof(cfg.key));
		memset(&cfg.own, 1 + (int)i, sizeof(cfg.own));
		memset(&cfg.peer, 2 - (int)i, sizeof(cfg.peer));
		h->punch = hp_punch_new(&cfg);
		assert_non_null(h->punch);
	}
	introduce(w, 0);
	introduce(w, 1);
}

static void net_free(struct net *w)
{
	for (unsigned int i = 0; i < 2; i++) {
		w->host[i].direct = (struct hp_path){ 0 };
		hp_punch_free(w->host[i].punch);
		assert_int_equal(w->host[i].n_open, 0);
		assert_int_equal(w->host[i].budget.sockets, 0);
		assert_null(w->host[i].budget.owner);
	}
	free(w);
}

static enum hp_punch_reason why(const struct net *w, unsigned int i,
				struct hp_punch_info *info)
{
	hp_punch_get_info(w->host[i].punch, info);
	return info->reason;
}

/* ---- claims ------------------------------------------------------------- */

/* Of @seeds runs so many become direct within 10 s. */
static unsigned int direct_of(const struct nat_kind *a,
			      const struct nat_kind *b, unsigned int loss_pct,
			      unsigned int seeds)
{
	unsigned int n = 0;

	for (unsigned int s = 0; s < seeds; s++) {
		struct net *w = net_new(s + 1, a, b);

		w->loss_pct = loss_pct;
		net_start(w);
		n += run(w, START + 10 * HP_S);
		net_free(w);
	}
	return n;
}

static void unknown_ports_are_found(void **state)
{
	static const struct {
		const struct nat_kind *a, *b;
		unsigned int plain, lossy;	/* of 20 runs, at least */
	} rows[] = {
		{ &easy, &step1, 20, 19 },  { &step1, &easy, 20, 19 },
		{ &easy, &step2, 20, 19 },  { &easy, &step8, 20, 19 },
		{ &easy, &back1, 20, 19 },  { &easy, &any, 20, 18 },
		{ &any, &easy, 20, 18 },    { &easy, &block, 20, 19 },
		{ &step1, &step1, 20, 19 }, { &step2, &step8, 20, 19 },
		{ &step1, &back1, 20, 19 }, { &block64, &block64, 3, 3 },
		{ &step1, &block64, 6, 6 },
	};

	(void)state;
	for (size_t r = 0; r < N(rows); r++) {
		unsigned int plain = direct_of(rows[r].a, rows[r].b, 0, 20);
		unsigned int lossy = direct_of(rows[r].a, rows[r].b, 10, 20);

		print_message("seeds 1-20: %s and %s: %u of 20, with 10 %% "
			      "loss %u\n", rows[r].a->name, rows[r].b->name,
			      plain, lossy);
		assert_true(plain >= rows[r].plain);
		assert_true(lossy >= rows[r].lossy);
	}
}

/* One round in six or so succeeds. */
static void blocks_need_luck_and_time(void **state)
{
	unsigned int n = 0, first = 0;

	(void)state;
	for (unsigned int s = 1; s <= 20; s++) {
		struct net *w = net_new(s, &block, &block);

		net_start(w);
		first += run(w, START + 10 * HP_S);
		n += run(w, START + 600 * HP_S);
		net_free(w);
	}
	print_message("seeds 1-20: %u in the first round, %u in five\n", first,
		      n);
	assert_in_range(n, 4, 20);
}

static void hopeless_pairs_cost_nothing(void **state)
{
	static const struct nat_kind *const rows[][2] = {
		{ &any, &any }, { &any, &step1 }, { &block, &any },
	};

	(void)state;
	for (size_t r = 0; r < N(rows); r++) {
		struct net *w = net_new(r, rows[r][0], rows[r][1]);
		struct hp_punch_info info;

		net_start(w);
		assert_false(run(w, START + 60 * HP_S));
		for (unsigned int i = 0; i < 2; i++) {
			assert_int_equal(why(w, i, &info),
					 HP_PUNCH_WHY_GUESS_HOPELESS);
			assert_int_equal(info.guess_probes, 0);
			assert_int_equal(w->host[i].n_open, 0);
		}
		net_free(w);
	}
}

static void methods_that_are_off_are_not_used(void **state)
{
	static const struct {
		const struct nat_kind *kind;
		uint32_t off[2];
		bool direct;
	} rows[] = {
		{ &any, { HP_METHOD_BIRTHDAY, 0 }, false },
		{ &any, { 0, HP_METHOD_BIRTHDAY }, false },
		{ &any, { HP_METHOD_PREDICT, HP_METHOD_PREDICT }, true },
		{ &step1, { HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY, 0 },
		  false },
		{ &step1, { HP_METHOD_BIRTHDAY, 0 }, true },
	};

	(void)state;
	for (size_t r = 0; r < N(rows); r++) {
		struct net *w = net_new(r, &easy, rows[r].kind);
		struct hp_punch_info info;

		for (unsigned int i = 0; i < 2; i++)
			w->host[i].methods = HP_METHODS_ALL & ~rows[r].off[i];
		net_start(w);
		assert_int_equal(run(w, START + 15 * HP_S), rows[r].direct);
		if (!rows[r].direct) {
			assert_int_equal(why(w, 0, &info),
					 HP_PUNCH_WHY_GUESS_OFF);
			assert_int_equal(info.guess_probes, 0);
		}
		net_free(w);
	}
}

/* No hard side's probe reaches the easy one's NAT, which it could poison. */
static void opening_probes_die_on_the_way(void **state)
{
	struct net *w = net_new(4, &easy, &any);

	(void)state;
	net_start(w);
	assert_true(run(w, START + 6 * HP_S));
	/* Only volleys to the announced address did. */
	assert_true(w->host[0].strangers < 20);
	net_free(w);
}

static void only_the_socket_in_use_stays_open(void **state)
{
	struct net *w = net_new(5, &easy, &any);
	struct host *hard = &w->host[1];
	struct hp_punch_info info;

	(void)state;
	net_start(w);
	assert_true(run(w, START + 10 * HP_S));
	assert_int_equal(hard->n_open, 1);
	assert_int_not_equal(hard->direct.sock, 0);
	hp_punch_get_info(hard->punch, &info);
	assert_int_equal(info.sockets, 1);
	for (size_t i = 0; i < info.n_paths; i++)
		assert_true(!info.paths[i].path.sock ||
			    info.paths[i].path.sock == hard->direct.sock);
	/* The peer starts anew: its path is no more, nor is the socket. */
	hard->direct = (struct hp_path){ 0 };
	hp_punch_stop(hard->punch);
	assert_int_equal(hard->n_open, 0);
	net_free(w);
}

static void few_sockets_are_better_than_none(void **state)
{
	struct net *w = net_new(6, &easy, &block);

	(void)state;
	w->host[1].open_max = 5;
	net_start(w);
	assert_true(run(w, START + 10 * HP_S));
	net_free(w);
	w = net_new(6, &easy, &block);
	w->host[1].no_open = true;
	net_start(w);
	assert_false(run(w, START + 10 * HP_S));
	net_free(w);
}

/* What step() asserts: the mappings toward the old address live on. */
static void sockets_serve_one_address_of_the_peer(void **state)
{
	struct net *w = net_new(11, &easy, &any);
	struct hp_punch_info info;

	(void)state;
	w->loss_pct = 100;
	net_start(w);
	assert_false(run(w, START + 4500 * HP_MS));
	assert_true(w->host[1].n_open > 200);
	w->host[0].nat.ip.ip[3] = 99;
	introduce(w, 1);
	assert_false(run(w, START + 30 * HP_S));
	hp_punch_get_info(w->host[1].punch, &info);
	assert_true(info.guesses >= 2);
	net_free(w);
}

static void rounds_of_other_peers_are_waited_for(void **state)
{
	struct net *w = net_new(7, &easy, &any);
	struct hp_punch_info info;
	int other;

	(void)state;
	net_start(w);
	assert_true(hp_budget_claim(&w->host[0].budget, &other));
	assert_false(run(w, START + 10 * HP_S));
	assert_int_equal(why(w, 0, &info), HP_PUNCH_WHY_GUESS_QUEUED);
	assert_int_equal(info.guess_probes, 0);
	hp_budget_release(&w->host[0].budget, &other);
	assert_true(run(w, START + 35 * HP_S));
	net_free(w);
}

static void nothing_is_guessed_without_a_relay(void **state)
{
	struct net *w = net_new(8, &easy, &step1);
	struct hp_punch_info info;

	(void)state;
	w->no_relay = true;
	net_start(w);
	assert_false(run(w, START + 10 * HP_S));
	assert_int_equal(why(w, 0, &info), HP_PUNCH_WHY_NAT_PEER);
	assert_int_equal(info.guesses, 0);
	net_free(w);
}

/* ---- words on the wire -------------------------------------------------- */

static struct hp_probe word(void)
{
	return (struct hp_probe){
		.kind = HP_PROBE_GUESS,
		.dst_epoch = 101,
		.src_epoch = 100,
		.seq = 1000,
		.txid = 42,
		.guess = { .step = HP_GUESS_FACTS,
			   .methods = HP_METHOD_PREDICT,
			   .mapping = HP_NAT_MAPPING_APDM,
			   .ports = HP_NAT_PORTS_SEQUENTIAL,
			   .stride = -3, .last = 5000,
			   .lo = 1024, .hi = 65535, .room = 256 },
	};
}

/* Host 0's, as far as host 1 can tell. */
static void keys_of_0(struct hp_probe_keys *keys, struct hp_probe_keys *rx)
{
	struct hp_public own, peer;
	struct hp_secret key;

	memset(&key, 7, sizeof(key));
	memset(&own, 1, sizeof(own));
	memset(&peer, 2, sizeof(peer));
	hp_probe_keys_init(keys, &key, &own, &peer);
	hp_probe_keys_init(rx, &key, &peer, &own);
}

static void words_survive_the_wire(void **state)
{
	struct hp_probe m = word(), got = { 0 };
	struct hp_probe_keys keys, rx;
	struct net *w = net_new(1, &easy, &easy);
	uint8_t buf[HP_PROBE_MAX];
	size_t len;

	(void)state;
	keys_of_0(&keys, &rx);
	len = hp_probe_seal(&keys, &w->rng, &m, buf);
	/* An answer to a word is never longer than the word. */
	assert_int_equal(len, HP_PROBE_MIN);
	assert_int_equal(hp_probe_open(&rx, buf, len, &got), HP_OK);
	assert_memory_equal(&got.guess, &m.guess, sizeof(m.guess));
	m.guess = (struct hp_guess_word){ .step = HP_GUESS_ASK };
	len = hp_probe_seal(&keys, &w->rng, &m, buf);
	assert_int_equal(hp_probe_open(&rx, buf, len, &got), HP_OK);
	assert_int_equal(got.guess.step, HP_GUESS_ASK);
	free(w);
}

static void malformed_words_are_refused(void **state)
{
	struct hp_probe rows[18];
	struct hp_probe_keys keys, rx;
	struct net *w = net_new(1, &easy, &easy);

	(void)state;
	keys_of_0(&keys, &rx);
	for (size_t i = 0; i < N(rows); i++)
		rows[i] = word();
	rows[0].guess.step = 0;
	rows[1].guess.step = HP_GUESS_BEGUN + 1;
	rows[2].guess.step = HP_GUESS_ASK;
	rows[3].guess.methods = HP_METHOD_RELAY;
	rows[4].guess.mapping = HP_NAT_MAPPING_APDM + 1;
	rows[5].guess.ports = HP_NAT_PORTS_RANDOM + 1;
	rows[6].guess.ports = HP_NAT_PORTS_RANDOM;
	rows[7].guess.stride = 0;
	rows[8].guess.stride = HP_NAT_STRIDE_MAX + 1;
	rows[9].guess.stride = INT16_MIN;
	rows[10].guess.last = 1023;
	rows[11].guess.lo = 1023;
	rows[12].guess.hi = 1023;
	rows[13].txid = 0;
	rows[14].flags = HP_PROBE_PUNCH;
	rows[15].pad = 1;
	rows[16].seq = 0;
	rows[17].flags = HP_PROBE_IN_USE;
	for (size_t i = 0; i < N(rows); i++) {
		uint8_t buf[HP_PROBE_MAX];
		struct hp_probe got;
		size_t len = hp_probe_seal(&keys, &w->rng, &rows[i], buf);

		if (hp_probe_open(&rx, buf, len, &got) != HP_ERR_FORMAT)
			fail_msg("row %zu", i);
	}
	free(w);
}

static enum hp_err give(struct net *w, const struct hp_path *from,
			const struct hp_probe *m, int flip)
{
	struct hp_probe_keys keys, rx;
	uint8_t buf[HP_PROBE_MAX];
	size_t len;

	keys_of_0(&keys, &rx);
	len = hp_probe_seal(&keys, &w->rng, m, buf);
	buf[len - 1] ^= (uint8_t)flip;
	return hp_punch_rx(w->host[1].punch, from, buf, len, w->now_ns);
}

static void forged_replayed_and_misplaced_words_do_nothing(void **state)
{
	struct net *w = net_new(9, &easy, &any);
	struct hp_path relay = relay_path();
	struct hp_path straight = { .remote = w->host[0].nat.ip };
	struct hp_probe m = word();
	struct hp_punch_info info;

	(void)state;
	net_start(w);
	straight.remote.port = 4000;
	assert_int_equal(give(w, &relay, &m, 1), HP_ERR_AUTH);
	assert_int_equal(give(w, &straight, &m, 0), HP_ERR_STATE);
	m.seq++;
	m.guess = (struct hp_guess_word){ .step = HP_GUESS_ASK };
	assert_int_equal(give(w, &relay, &m, 0), HP_OK);
	assert_int_equal(give(w, &relay, &m, 0), HP_ERR_REPLAY);
	m.seq++;
	m.dst_epoch++;
	assert_int_equal(give(w, &relay, &m, 0), HP_ERR_STATE);
	hp_punch_get_info(w->host[1].punch, &info);
	assert_int_equal(info.guesses, 1);
	net_free(w);
}

/* A peer may ask for round after round; it gets six, and one in 30 s. */
static void peer_cannot_make_us_guess_for_ever(void **state)
{
	struct net *w = net_new(10, &easy, &any);
	struct hp_path relay = relay_path();
	struct hp_probe m = word();
	struct hp_punch_info info;

	(void)state;
	net_start(w);
	m.guess = (struct hp_guess_word){ .step = HP_GUESS_ASK };
	for (unsigned int i = 0; i < 100; i++) {
		m.seq++;
		m.txid++;
		if (give(w, &relay, &m, 0) != HP_OK)
			continue;
	}
	hp_punch_get_info(w->host[1].punch, &info);
	assert_int_equal(info.guesses, 6);
	net_free(w);
}

static void both_sides_make_one_plan(void **state)
{
	static const struct {
		enum hp_nat_mapping map[2];
		enum hp_nat_ports ports[2];
		uint16_t width[2];
		uint16_t room;
		enum hp_guess_role role[2];
		enum hp_punch_reason why;
	} rows[] = {
#define EIM HP_NAT_MAPPING_EIM
#define MAYBE HP_NAT_MAPPING_EIM_OR_ADM
#define APDM HP_NAT_MAPPING_APDM
#define SEQ HP_NAT_PORTS_SEQUENTIAL
#define RND HP_NAT_PORTS_RANDOM
		{ { EIM, APDM }, { RND, SEQ }, { 99, 99 }, 256,
		  { HP_GUESS_EASY, HP_GUESS_HARD }, HP_PUNCH_WHY_NONE },
		{ { EIM, APDM }, { RND, RND }, { 99, 60000 }, 256,
		  { HP_GUESS_EASY, HP_GUESS_HARD }, HP_PUNCH_WHY_NONE },
		{ { APDM, APDM }, { SEQ, SEQ }, { 99, 60000 }, 256,
		  { HP_GUESS_PAIR, HP_GUESS_PAIR }, HP_PUNCH_WHY_NONE },
		{ { APDM, APDM }, { RND, RND }, { 600, 600 }, 256,
		  { HP_GUESS_PAIR, HP_GUESS_PAIR }, HP_PUNCH_WHY_NONE },
		{ { APDM, APDM }, { SEQ, RND }, { 600, 600 }, 256,
		  { HP_GUESS_PAIR, HP_GUESS_PAIR }, HP_PUNCH_WHY_NONE },
		{ { EIM, EIM }, { RND, RND }, { 600, 600 }, 256,
		  { HP_GUESS_NONE, HP_GUESS_NONE }, HP_PUNCH_WHY_NONE },
		{ { HP_NAT_MAPPING_UNKNOWN, APDM }, { RND, RND }, { 600, 600 },
		  256, { HP_GUESS_NONE, HP_GUESS_NONE }, HP_PUNCH_WHY_NONE },
		{ { APDM, APDM }, { RND, RND }, { 600, 20000 }, 256,
		  { HP_GUESS_NONE, HP_GUESS_NONE },
		  HP_PUNCH_WHY_GUESS_HOPELESS },
		{ { EIM, APDM }, { RND, RND }, { 600, 600 }, 3,
		  { HP_GUESS_NONE, HP_GUESS_NONE },
		  HP_PUNCH_WHY_GUESS_QUEUED },
		{ { APDM, APDM }, { RND, RND }, { 600, 600 }, 31,
		  { HP_GUESS_NONE, HP_GUESS_NONE },
		  HP_PUNCH_WHY_GUESS_QUEUED },
		{ { MAYBE, MAYBE }, { RND, RND }, { 600, 600 }, 256,
		  { HP_GUESS_HARD, HP_GUESS_EASY }, HP_PUNCH_WHY_NONE },
		{ { EIM, MAYBE }, { RND, RND }, { 600, 600 }, 256,
		  { HP_GUESS_EASY, HP_GUESS_HARD }, HP_PUNCH_WHY_NONE },
		{ { MAYBE, APDM }, { RND, SEQ }, { 600, 600 }, 256,
		  { HP_GUESS_EASY, HP_GUESS_HARD }, HP_PUNCH_WHY_NONE },
#undef EIM
#undef MAYBE
#undef APDM
#undef SEQ
#undef RND
	};

	(void)state;
	for (size_t r = 0; r < N(rows); r++) {
		struct hp_guess_word side[2];
		struct hp_guess_plan plan[2];

		for (unsigned int i = 0; i < 2; i++)
			side[i] = (struct hp_guess_word){
				.mapping = rows[r].map[i],
				.ports = rows[r].ports[i],
				.methods = HP_METHOD_PREDICT |
					   HP_METHOD_BIRTHDAY,
				.stride = 1, .last = 3000, .lo = 2000,
				.hi = (uint16_t)(1999 + rows[r].width[i]),
				.room = rows[r].room,
			};
		for (unsigned int i = 0; i < 2; i++) {
			hp_guess_make_plan(&side[i], &side[!i], !i, &plan[i]);
			if (plan[i].role != rows[r].role[i] ||
			    plan[i].why != rows[r].why)
				fail_msg("row %zu, side %u", r, i);
			assert_true(plan[i].n_socks <= HP_BUDGET_MAPPINGS);
			assert_true(plan[i].n_ports <= HP_GUESS_PORTS);
		}
	}
}

/* With one server a NAT that looks at addresses passes for an easy one. */
static void second_round_doubts_what_one_server_says(void **state)
{
	struct hp_guess_word a = {
		.methods = HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY,
		.mapping = HP_NAT_MAPPING_EIM_OR_ADM,
		.ports = HP_NAT_PORTS_RANDOM,
		.lo = 2000, .hi = 2511, .room = 244, .attempt = 1,
	};
	struct hp_guess_word b = a;
	struct hp_guess_plan plan;

	(void)state;
	/* In turn. */
	hp_guess_make_plan(&a, &b, true, &plan);
	assert_int_equal(plan.role, HP_GUESS_EASY);
	assert_true(plan.doubt);
	/* Who is heard where it said that it is has nothing to guess. */
	a.heard = true;
	hp_guess_make_plan(&a, &b, true, &plan);
	assert_int_equal(plan.role, HP_GUESS_HARD);
	hp_guess_make_plan(&b, &a, false, &plan);
	assert_int_equal(plan.role, HP_GUESS_EASY);
	b.heard = true;
	hp_guess_make_plan(&a, &b, true, &plan);
	assert_int_equal(plan.role, HP_GUESS_NONE);
	a.heard = b.heard = false;
	/* The other one waits; what is sent to it makes mappings. */
	b.mapping = HP_NAT_MAPPING_APDM;
	b.ports = HP_NAT_PORTS_SEQUENTIAL;
	b.stride = 1;
	b.last = 4000;
	hp_guess_make_plan(&a, &b, true, &plan);
	assert_int_equal(plan.role, HP_GUESS_HARD);
	hp_guess_make_plan(&b, &a, false, &plan);
	assert_int_equal(plan.role, HP_GUESS_EASY);
	assert_true(plan.counted);
	assert_int_equal(plan.n_ports, 244);
	/* Both by stride: perhaps both are hard. */
	a.ports = HP_NAT_PORTS_SEQUENTIAL;
	a.stride = 2;
	a.last = 3000;
	hp_guess_make_plan(&a, &b, true, &plan);
	assert_int_equal(plan.role, HP_GUESS_PAIR);
}

static void no_port_is_tried_twice(void **state)
{
	const struct hp_guess_word peer = { .lo = 3000, .hi = 3599 };
	uint8_t seen[600] = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 600; i++) {
		uint16_t port = hp_guess_port(&peer, false, 17, 7, i);

		assert_in_range(port, 3000, 3599);
		assert_false(seen[port - 3000]++);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_ports_are_found),
		cmocka_unit_test(blocks_need_luck_and_time),
		cmocka_unit_test(hopeless_pairs_cost_nothing),
		cmocka_unit_test(methods_that_are_off_are_not_used),
		cmocka_unit_test(opening_probes_die_on_the_way),
		cmocka_unit_test(only_the_socket_in_use_stays_open),
		cmocka_unit_test(few_sockets_are_better_than_none),
		cmocka_unit_test(sockets_serve_one_address_of_the_peer),
		cmocka_unit_test(rounds_of_other_peers_are_waited_for),
		cmocka_unit_test(nothing_is_guessed_without_a_relay),
		cmocka_unit_test(words_survive_the_wire),
		cmocka_unit_test(malformed_words_are_refused),
		cmocka_unit_test(forged_replayed_and_misplaced_words_do_nothing),
		cmocka_unit_test(peer_cannot_make_us_guess_for_ever),
		cmocka_unit_test(both_sides_make_one_plan),
		cmocka_unit_test(second_round_doubts_what_one_server_says),
		cmocka_unit_test(no_port_is_tried_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
