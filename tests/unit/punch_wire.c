/* SPDX-License-Identifier: ISC */
#include "punch_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHANNEL 77
#define SERVER hp_addr4(198, 51, 100, 1, 8888)
#define LAN_DELAY (300 * HP_US)
#define TRAFFIC_EVERY (50 * HP_MS)

struct hp_path wire_relay_path(void)
{
	return (struct hp_path){ .remote = SERVER, .channel = CHANNEL };
}

/* ---- NAT ---------------------------------------------------------------- */

static struct wire_flow *flow_add(struct wire_flow *list, size_t *n,
				  const struct wire_flow *f)
{
	assert_true(*n < WIRE_FLOWS);
	list[*n] = *f;
	return &list[(*n)++];
}

static bool is_poisoned(const struct wire_nat *n, const struct hp_addr *remote,
			uint16_t port)
{
	for (size_t i = 0; i < n->n_map; i++)
		if (n->map[i].poison && n->map[i].port == port &&
		    hp_addr_eq(&n->map[i].remote, remote))
			return true;
	return false;
}

static struct wire_flow *map_find(struct wire_nat *n,
				  const struct hp_addr *inside,
				  const struct hp_addr *remote)
{
	for (size_t i = 0; i < n->n_map; i++) {
		struct wire_flow *f = &n->map[i];

		if (!f->poison && hp_addr_eq(&f->inside, inside) &&
		    hp_addr_eq(&f->remote, remote))
			return f;
	}
	return NULL;
}

/* The source that the world sees; keeps what filters need to know. */
static struct hp_addr nat_out(struct wire_nat *n, const struct hp_addr *inside,
			      const struct hp_addr *remote)
{
	static const struct hp_addr any;
	struct wire_flow f = { .inside = *inside, .remote = *remote };
	struct hp_addr ext = n->public;
	struct wire_flow *m = map_find(n, inside, remote);

	if (n->mapping == MAP_NONE) {
		ext = *inside;
	} else {
		if (!m && n->mapping == MAP_EIM)
			m = map_find(n, inside, &any);
		if (m && !hp_addr_eq(&m->remote, remote) &&
		    is_poisoned(n, remote, m->port))
			m = NULL;
		if (!m) {
			if (n->mapping == MAP_EIM && !map_find(n, inside, &any))
				f.remote = any;
			f.port = n->next_port++;
			m = flow_add(n->map, &n->n_map, &f);
		}
		ext.port = m->port;
	}
	f.remote = *remote;
	f.port = ext.port;
	for (size_t i = 0; i < n->n_seen; i++)
		if (n->seen[i].port == f.port &&
		    hp_addr_eq(&n->seen[i].remote, remote) &&
		    hp_addr_eq(&n->seen[i].inside, inside))
			return ext;
	flow_add(n->seen, &n->n_seen, &f);
	return ext;
}

static bool is_admitted(const struct wire_nat *n, const struct hp_addr *src,
			uint16_t port)
{
	if (n->filter == FILTER_EIF)
		return true;
	for (size_t i = 0; i < n->n_seen; i++) {
		const struct wire_flow *f = &n->seen[i];

		if (f->port != port || !hp_addr_same_ip(&f->remote, src))
			continue;
		if (n->filter == FILTER_ADF || f->remote.port == src->port)
			return true;
	}
	return false;
}

/* The inside address that @dst leads to; HP_AF_NONE: dropped. */
static struct hp_addr nat_in(struct wire_nat *n, const struct hp_addr *src,
			     const struct hp_addr *dst,
			     const struct hp_addr *host)
{
	struct wire_flow f = { .remote = *src, .port = dst->port,
			       .poison = true };

	if (n->mapping == MAP_NONE)
		return is_admitted(n, src, dst->port) ? *host :
							(struct hp_addr){ 0 };
	for (size_t i = 0; i < n->n_map; i++) {
		struct wire_flow *m = &n->map[i];

		if (m->poison || m->port != dst->port)
			continue;
		if (n->mapping == MAP_APDM && n->filter != FILTER_EIF &&
		    !is_admitted(n, src, dst->port))
			continue;
		if (is_admitted(n, src, dst->port))
			return m->inside;
	}
	if (n->poisoned_by_strangers && !is_poisoned(n, src, dst->port)) {
		flow_add(n->map, &n->n_map, &f);
		n->n_poisoned++;
	}
	return (struct hp_addr){ 0 };
}

void wire_nat_flush(struct wire_nat *n)
{
	n->n_map = 0;
	n->n_seen = 0;
}

void wire_nat_move(struct wire_nat *n, uint8_t last)
{
	wire_nat_flush(n);
	n->public.ip[3] = last;
	n->next_port = (uint16_t)(n->next_port + 100);
}

/* ---- wire --------------------------------------------------------------- */

static void enqueue(struct wire *w, struct wire_packet *pkt, uint64_t delay_ns)
{
	assert_true(w->n_queue < WIRE_QUEUE);
	if (w->jitter_ns)
		delay_ns += hp_rng_below(&w->rng, (uint32_t)w->jitter_ns);
	pkt->due_ns = w->now_ns + delay_ns;
	pkt->serial = ++w->serial;
	w->queue[w->n_queue++] = *pkt;
}

static bool is_lost(struct wire *w, unsigned int pct)
{
	return hp_rng_below(&w->rng, 100) < pct;
}

/* With two relays, what node 1 calls its own channel is another on the wire. */
static uint32_t channel_of(const struct wire_node *n, uint32_t channel)
{
	return channel && n->wire->two_relays && n->id ? channel ^ 1 : channel;
}

static void emit(struct wire_node *n, const struct hp_path *path, int ttl,
		 const uint8_t *buf, size_t len, bool data)
{
	struct wire *w = n->wire;
	struct wire_node *peer = &w->node[!n->id];
	struct wire_packet pkt = { .to = peer->id, .dst = path->remote,
				   .channel = channel_of(n, path->channel),
				   .data = data, .len = len };

	if (buf)
		memcpy(pkt.buf, buf, len);
	if (path->channel) {
		pkt.src = SERVER;
		assert_true(path->channel == CHANNEL ||
			    (w->two_relays && path->channel == (CHANNEL ^ 1)));
		if (!w->relay_dead && !is_lost(w, w->relay_loss_pct))
			enqueue(w, &pkt, w->relay_ns);
		return;
	}
	pkt.src = n->host;
	if (w->same_lan && hp_addr_eq(&pkt.dst, &peer->host)) {
		enqueue(w, &pkt, LAN_DELAY);
		return;
	}
	if (ttl == 1)
		return;
	pkt.src = nat_out(n->nat, &n->host, &pkt.dst);
	if (w->cut[n->id] || (ttl && (unsigned int)ttl < w->hops) ||
	    is_lost(w, w->loss_pct))
		return;
	if (n->nat == peer->nat && !n->nat->hairpin)
		return;
	enqueue(w, &pkt, w->delay_ns);
}

static void on_send(void *ctx, const struct hp_path *path, int ttl,
		    const uint8_t *buf, size_t len)
{
	struct wire_node *n = ctx;

	n->tx++;
	n->tx_bytes += len;
	n->opening += ttl != 0;
	if (n->fail && !path->channel) {
		hp_punch_error(n->punch, path, HP_PUNCH_DENIED,
			       n->wire->now_ns);
		return;
	}
	emit(n, path, ttl, buf, len, false);
}

static void on_nominated(void *ctx, const struct hp_path *direct)
{
	struct wire_node *n = ctx;

	n->n_nominated++;
	if (direct) {
		n->direct = *direct;
		if (!n->direct_ns)
			n->direct_ns = n->wire->now_ns;
	} else {
		n->direct = (struct hp_path){ 0 };
		n->relayed_ns = n->wire->now_ns;
	}
}

static void on_both(void *ctx, bool on)
{
	struct wire_node *n = ctx;

	assert_true(!on || hp_path_set(&n->direct));
	n->both = on;
	n->n_both += on;
}

static void on_event(void *ctx, enum hp_punch_event ev)
{
	struct wire_node *n = ctx;

	n->events[ev]++;
	if (n->wire->reintroduce && ev == HP_PUNCH_LOST)
		for (unsigned int i = 0; i < 2; i++)
			n->wire->intro_ns[i] = n->wire->now_ns +
					       2 * n->wire->relay_ns;
}

static bool is_for(const struct wire_node *n, const struct wire_packet *pkt)
{
	struct hp_addr in;

	if (pkt->channel || hp_addr_eq(&pkt->dst, &n->host))
		if (n->wire->same_lan || pkt->channel)
			return true;
	if (n->nat->mapping == MAP_NONE ?
		    !hp_addr_same_ip(&pkt->dst, &n->host) :
		    !hp_addr_same_ip(&pkt->dst, &n->nat->public))
		return false;
	in = nat_in(n->nat, &pkt->src, &pkt->dst, &n->host);
	return hp_addr_eq(&in, &n->host);
}

static void arrive(struct wire *w, struct wire_packet *pkt)
{
	struct wire_node *n = &w->node[pkt->to];
	struct hp_path from = { .remote = pkt->src,
				.channel = channel_of(n, pkt->channel) };

	if (!is_for(n, pkt))
		return;
	if (pkt->data) {
		hp_punch_heard(n->punch, w->blind ? NULL : &from, w->now_ns);
		if (n->got_ns && w->now_ns - n->got_ns > n->gap_ns)
			n->gap_ns = w->now_ns - n->got_ns;
		n->got_ns = w->now_ns;
		n->n_direct_rx += !pkt->channel;
		return;
	}
	w->last = *pkt;
	n->rx_bytes += pkt->len;
	if (hp_punch_rx(n->punch, &from, pkt->buf, pkt->len, w->now_ns))
		return;
}

static void send_data(struct wire_node *n)
{
	struct hp_path relay = wire_relay_path();
	bool direct = hp_path_set(&n->direct);

	hp_punch_sent(n->punch, n->wire->now_ns);
	if (direct)
		emit(n, &n->direct, 0, NULL, 0, true);
	if ((!direct || n->both) && !n->wire->no_relay)
		emit(n, &relay, 0, NULL, 0, true);
}

static size_t next_packet(const struct wire *w)
{
	size_t best = 0;

	for (size_t i = 1; i < w->n_queue; i++) {
		const struct wire_packet *a = &w->queue[i];
		const struct wire_packet *b = &w->queue[best];

		if (a->due_ns < b->due_ns ||
		    (a->due_ns == b->due_ns && a->serial < b->serial))
			best = i;
	}
	return best;
}

static uint64_t next_due(const struct wire *w)
{
	uint64_t due = w->traffic ? w->traffic_ns : HP_NEVER;

	if (w->n_queue)
		due = hp_time_min(due, w->queue[next_packet(w)].due_ns);
	for (unsigned int i = 0; i < 2; i++) {
		due = hp_time_min(due, hp_punch_deadline(w->node[i].punch));
		due = hp_time_min(due, w->intro_ns[i]);
	}
	return due;
}

static void step(struct wire *w)
{
	while (w->n_queue) {
		size_t i = next_packet(w);
		struct wire_packet pkt = w->queue[i];

		if (pkt.due_ns > w->now_ns)
			break;
		w->queue[i] = w->queue[--w->n_queue];
		arrive(w, &pkt);
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (w->intro_ns[i] <= w->now_ns) {
			w->intro_ns[i] = HP_NEVER;
			wire_introduce(w, i);
		}
		if (hp_punch_deadline(w->node[i].punch) <= w->now_ns)
			hp_punch_tick(w->node[i].punch, w->now_ns);
	}
	if (w->traffic && w->traffic_ns <= w->now_ns) {
		send_data(&w->node[0]);
		send_data(&w->node[1]);
		w->traffic_ns = w->now_ns + TRAFFIC_EVERY;
	}
}

static bool is_in(const struct wire *w, bool direct)
{
	return hp_path_set(&w->node[0].direct) == direct &&
	       hp_path_set(&w->node[1].direct) == direct;
}

static bool run(struct wire *w, uint64_t until_ns, bool stop, bool direct)
{
	unsigned int same = 0;

	while (!stop || !is_in(w, direct)) {
		uint64_t due = next_due(w);

		if (due > until_ns) {
			w->now_ns = until_ns;
			return false;
		}
		/* A machine that asks for now again and again is stuck. */
		same = due <= w->now_ns ? same + 1 : 0;
		assert_true(same < 20);
		if (w->now_ns < due)
			w->now_ns = due;
		step(w);
	}
	return true;
}

void wire_run(struct wire *w, uint64_t until_ns)
{
	run(w, until_ns, false, false);
}

bool wire_run_direct(struct wire *w, bool direct, uint64_t until_ns)
{
	return run(w, until_ns, true, direct);
}

void wire_introduce(struct wire *w, unsigned int i)
{
	struct wire_node *peer = &w->node[!i];
	struct hp_addr server = SERVER;
	struct hp_candidate c[HP_CANDIDATES_MAX] = {
		{ .addr = peer->host, .kind = HP_CAND_HOST },
		{ .addr = nat_out(peer->nat, &peer->host, &server),
		  .kind = HP_CAND_REFLEXIVE },
	};
	struct hp_punch_intro intro = {
		.peer_epoch = peer->epoch,
		.candidates = c,
		.n_candidates = hp_addr_eq(&c[0].addr, &c[1].addr) ? 1 : 2,
		.own_mapping = w->told[i],
		.peer_mapping = w->told[!i],
	};

	while (w->many && intro.n_candidates < HP_CANDIDATES_MAX) {
		uint8_t k = (uint8_t)intro.n_candidates++;

		c[k].addr = hp_addr4(10, 77, 0, k, 4242);
		c[k].kind = HP_CAND_HOST;
		if (k >= 6) {
			c[k].addr = hp_addr4(203, 0, 113, (uint8_t)(200 + k),
					     4242);
			c[k].kind = HP_CAND_REFLEXIVE;
		}
	}
	if (!w->no_relay)
		intro.relay = wire_relay_path();
	hp_punch_introduce(w->node[i].punch, &intro, w->now_ns);
}

static struct hp_punch *machine(struct wire_node *n)
{
	struct wire *w = n->wire;
	static const struct hp_punch_ops ops = {
		.send = on_send,
		.nominated = on_nominated,
		.both = on_both,
		.event = on_event,
	};
	struct hp_punch_config cfg = {
		.rng = w->rng,
		.own = n->public,
		.peer = w->node[!n->id].public,
		.epoch = n->epoch,
		.ops = &ops,
		.ctx = n,
	};

	memset(&cfg.key, 0x5a, sizeof(cfg.key));
	return hp_punch_new(&cfg);
}

void wire_restart(struct wire *w, unsigned int i)
{
	struct wire_node *n = &w->node[i];

	hp_punch_free(n->punch);
	n->epoch += 0x1000;
	n->direct = (struct hp_path){ 0 };
	n->punch = machine(n);
	assert_non_null(n->punch);
}

struct wire *wire_new(uint64_t seed)
{
	struct wire *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	hp_rng_seeded_init(&w->seeded, seed, &w->rng);
	w->now_ns = 1000 * HP_S;
	w->hops = 8;
	w->delay_ns = 20 * HP_MS;
	w->relay_ns = 30 * HP_MS;
	for (unsigned int i = 0; i < 2; i++) {
		struct wire_node *n = &w->node[i];

		w->nat[i] = (struct wire_nat){
			.mapping = MAP_EIM,
			.filter = FILTER_APDF,
			.public = hp_addr4(203, 0, 113, (uint8_t)(11 + i), 0),
			.next_port = (uint16_t)(40000 + 1000 * i),
		};
		w->intro_ns[i] = w->now_ns;
		n->wire = w;
		n->id = i;
		n->nat = &w->nat[i];
		n->host = hp_addr4(192, 168, (uint8_t)(1 + i), 7, 4242);
		n->epoch = 0x1000 + i;
	}
	return w;
}

void wire_start(struct wire *w)
{
	struct hp_addr server = SERVER;

	for (unsigned int i = 0; i < 2; i++) {
		struct wire_node *n = &w->node[i];

		nat_out(n->nat, &n->host, &server);
		memset(&n->public, 0x10 * (int)((i != w->swapped) + 1),
		       sizeof(n->public));
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct wire_node *n = &w->node[i];

		n->punch = machine(n);
		assert_non_null(n->punch);
	}
	w->traffic_ns = w->now_ns;
}

void wire_free(struct wire *w)
{
	hp_punch_free(w->node[0].punch);
	hp_punch_free(w->node[1].punch);
	free(w);
}

bool wire_is_agreed(struct wire *w)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct wire_node *n = &w->node[i], *peer = &w->node[!i];
		struct hp_addr src;

		if (!hp_path_set(&n->direct))
			return false;
		src = n->host;
		if (!w->same_lan || !hp_addr_eq(&n->direct.remote, &peer->host))
			src = nat_out(n->nat, &n->host, &n->direct.remote);
		if (!hp_addr_eq(&src, &peer->direct.remote))
			return false;
	}
	return true;
}

void wire_info(struct wire *w, unsigned int i, struct hp_punch_info *out)
{
	hp_punch_get_info(w->node[i].punch, out);
}

void wire_show(struct wire *w, const char *what)
{
	char text[HP_ADDR_TEXT];

	for (unsigned int i = 0; i < 2; i++) {
		struct hp_punch_info info;

		wire_info(w, i, &info);
		print_message("%s: node %u at %llu ms: %s, %s (%s), tx %llu\n",
			      what, i,
			      (unsigned long long)((w->now_ns - 1000 * HP_S) /
						   HP_MS),
			      hp_punch_state_text(info.state),
			      hp_addr_text(&info.direct.remote, text),
			      hp_punch_reason_text(info.reason),
			      (unsigned long long)info.tx);
	}
}
