/* SPDX-License-Identifier: ISC */
#include "../sim/block.h"
#include "../sim/run.h"

#include <string.h>

#include "../sim/mtu.h"
#include "punch/candidates.h"

#define STEP (100 * HP_MS)
/* Without loss; and with it, where each loss may cost a retry. How fast it is
 * in general the matrix tells; these are the limits for the worst.
 */
#define CONNECT_TIME (8 * HP_S)
#define CONNECT_LOSSY (20 * HP_S)
#define CONNECT_HEAVY (120 * HP_S)
/* After a suspend, at no loss or a little. */
#define WAKE_TIME (3 * HP_S)
#define LITTLE_LOSS 10000	/* ppm */
/* For finding out what a path carries, at round trips of up to so long; and
 * where losses have to be told from that.
 */
#define MEASURE_TIME (5 * HP_S)
#define MEASURE_RTT (250 * HP_MS)
#define MEASURE_LOSSY 4
#define SETTLE_TIME (100 * HP_S)
#define SETTLE_LOSSY (150 * HP_S)
/* A router that remembers a probe that came too early forgets it after 30 s of
 * silence, and both have to stay silent for that long.
 */
#define SETTLE_POISONED (300 * HP_S)
/* Until packets as long as may be have got to all: one in seven is. */
#define OPEN_TIME (20 * HP_S)
/* Until a server has seen a new address. */
#define JUDGE_TIME (60 * HP_S)
/* Probes of an introduction between two NATs with one port each; seldom above
 * 64, where volleys go on for the half second that an answer takes.
 */
#define PROBES_MAX 80

struct run {
	struct sim_world w;
	struct scenario sc;
	struct watch watch;
	struct mtu_watch mtus;
	/* Its router was poisoned toward the server, perhaps, which sends to
	 * the new address at once: how the server sees it says nothing then.
	 */
	bool misled[WORLD_NODES];
	/* As the trace last told them. */
	enum hp_peer_state told[WORLD_NODES][WORLD_NODES];
	uint32_t told_mtu[WORLD_NODES][WORLD_NODES];
};

/* ---- pairs ------------------------------------------------------------- */

static struct sim_world_node *node(struct run *r, unsigned int i)
{
	return r->sc.places[i].node;
}

static enum oracle theory(struct run *r, unsigned int i, unsigned int k)
{
	return oracle_ask(node(r, i)->host, node(r, k)->host);
}

static enum hp_peer_state state_of(struct run *r, unsigned int i,
				   unsigned int k)
{
	return sim_world_state(node(r, i),
			       sim_world_name(&r->w, node(r, k)->host));
}

static const char *name(struct run *r, unsigned int i)
{
	return sim_world_name(&r->w, node(r, i)->host);
}

static void tell_state(struct run *r, unsigned int i, unsigned int k)
{
	struct hp_node_peer_info info;

	if (hp_node_peer_find(node(r, i)->node, name(r, k), sim_now(r->w.sim),
			      &info) != HP_OK ||
	    (r->told[i][k] == info.state && r->told_mtu[i][k] == info.mtu))
		return;
	r->told[i][k] = info.state;
	r->told_mtu[i][k] = info.mtu;
	watch_say(&r->watch, "---- %s: %s is %s, %u bytes inside", name(r, i),
		  name(r, k), hp_peer_state_text(info.state), info.mtu);
}

static void tell_states(struct run *r)
{
	for (unsigned int i = 0; i < r->sc.n; i++)
		for (unsigned int k = 0; k < r->sc.n; k++)
			if (i != k)
				tell_state(r, i, k);
}

/* Mostly short packets, and some as long as may be. */
static void say(struct run *r, unsigned int i, unsigned int k)
{
	unsigned int len = hp_rng_below(sim_rng(r->w.sim), 700);

	if (len < 600)
		sim_world_packet_of(node(r, i), node(r, k),
				    WORLD_INNER_MIN + len);
	else
		sim_world_packet_full(node(r, i), node(r, k));
}

static bool loses_little(const struct run *r)
{
	for (unsigned int i = 0; i < r->sc.n; i++)
		if (r->sc.places[i].link.loss_ppm > LITTLE_LOSS)
			return false;
	return !r->sc.stranger;
}

static uint64_t measure_limit(const struct run *r, unsigned int i,
			      unsigned int k)
{
	uint64_t rtt_ns = 2 * (place_uplink(&r->sc.places[i])->delay_ns +
			       place_uplink(&r->sc.places[k])->delay_ns);
	uint64_t ns = MEASURE_TIME;

	if (rtt_ns > MEASURE_RTT)
		ns = ns / MEASURE_RTT * rtt_ns;
	return r->sc.lossy || r->sc.stranger ? MEASURE_LOSSY * ns : ns;
}

/* Whoever is heard knows what his path carries, or has not been for long. */
static void look_at_mtus(struct run *r)
{
	for (unsigned int i = 0; i < r->sc.n; i++)
		for (unsigned int k = 0; k < r->sc.n; k++) {
			uint64_t ns = i == k || r->sc.heavy ? 0 :
				mtu_wrong_ns(&r->mtus, &r->sc.places[i], i,
					     &r->sc.places[k], k, r->sc.lossy,
					     sim_now(r->w.sim));

			if (ns > measure_limit(r, i, k))
				watch_blame(&r->watch, "%s has not known for "
					    "%.1f s how much passes to %s",
					    name(r, i), (double)ns / 1e9,
					    name(r, k));
		}
}

/* Everybody talks to everybody for one step. */
static void talk(struct run *r)
{
	for (unsigned int i = 0; i < r->sc.n; i++)
		for (unsigned int k = 0; k < r->sc.n; k++)
			if (i != k)
				say(r, i, k);
	sim_world_run(&r->w, STEP);
	look_at_mtus(r);
	if (r->watch.trace)
		tell_states(r);
}

typedef bool pair_fn(struct run *r, unsigned int i, unsigned int k,
		     uint64_t since_ns);

/* Packets of @k reach @i, who says that it is connected. */
static bool is_connected(struct run *r, unsigned int i, unsigned int k,
			 uint64_t since_ns)
{
	enum hp_peer_state s = state_of(r, i, k);

	return (s == HP_PEER_DIRECT || s == HP_PEER_RELAYED) &&
	       node(r, i)->from[node(r, k) - r->w.nodes].last_ns > since_ns;
}

static bool is_settled(struct run *r, unsigned int i, unsigned int k,
		       uint64_t since_ns)
{
	enum hp_peer_state s = state_of(r, i, k);

	if (!is_connected(r, i, k, since_ns))
		return false;
	/* He is faster than the original, and makes a path look lossy. */
	if (r->sc.stranger || r->misled[i] || r->misled[k])
		return true;
	/* Where half is lost, a clean relay may be the better path. */
	if (r->sc.heavy)
		return true;
	return s == HP_PEER_DIRECT || theory(r, i, k) != ORACLE_CERTAIN;
}

/* The longest packets that @k may send to @i get there. */
static bool is_open(struct run *r, unsigned int i, unsigned int k,
		    uint64_t since_ns)
{
	return r->sc.heavy ||
	       node(r, i)->from[node(r, k) - r->w.nodes].full_ns > since_ns;
}

/* What @i makes of the port that its router opened, or says it did. */
static bool is_judged(struct run *r, unsigned int i, unsigned int k,
		      uint64_t since_ns)
{
	const struct gateway *g = &r->sc.places[i].box;
	struct hp_node_mapped m;

	(void)k;
	(void)since_ns;
	hp_node_mapped_get(node(r, i)->node, &m);
	/* Where datagrams get lost, servers may see it by IPv6 alone, or where
	 * it was.
	 */
	return r->sc.lossy || m.verdict == gateway_verdict(g);
}

/* Talks until @test holds for all; blames the first pair for which it does not
 * within @limit_ns.
 */
static bool talk_until(struct run *r, pair_fn *test, uint64_t limit_ns,
		       const char *what)
{
	uint64_t since = sim_now(r->w.sim);

	for (;;) {
		bool late = sim_now(r->w.sim) >= since + limit_ns;
		bool all = true;

		for (unsigned int i = 0; all && i < r->sc.n; i++)
			for (unsigned int k = 0; all && k < r->sc.n; k++) {
				if (i == k || test(r, i, k, since))
					continue;
				all = false;
				if (late)
					watch_blame(&r->watch, "%s: %s is %s "
						"to %s (theory: %s) after "
						"%.0f s", what, name(r, k),
						hp_peer_state_text(
							state_of(r, i, k)),
						name(r, i),
						oracle_text(theory(r, i, k)),
						(double)limit_ns / 1e9);
			}
		if (all || late || !watch_ok(&r->watch))
			return all && watch_ok(&r->watch);
		talk(r);
	}
}

/* All of it is by UDP again, where that passes. */
static bool is_by_udp(struct run *r, unsigned int i, unsigned int k,
		      uint64_t since_ns)
{
	(void)since_ns;
	return r->sc.heavy || (block_is_over(node(r, i)) &&
			       block_is_over(node(r, k)));
}

static uint64_t connect_limit(const struct run *r)
{
	if (r->sc.heavy)
		return CONNECT_HEAVY;
	return r->sc.lossy || r->sc.stranger ? CONNECT_LOSSY : CONNECT_TIME;
}

static uint64_t settle_limit(const struct run *r)
{
	bool lossy = r->sc.lossy || r->sc.stranger;

	for (unsigned int i = 0; i < r->sc.n; i++)
		if (place_poisoned(&r->sc.places[i]))
			return SETTLE_POISONED;
	return lossy ? SETTLE_LOSSY : SETTLE_TIME;
}

static bool settle(struct run *r, uint64_t connect_ns, const char *what)
{
	return talk_until(r, is_connected, connect_ns, what) &&
	       talk_until(r, is_settled, settle_limit(r), what) &&
	       talk_until(r, is_by_udp, settle_limit(r), what);
}

static bool settle_after(struct run *r, enum scenario_event e)
{
	bool fast = e == EVENT_SLEEP && loses_little(r) &&
		    !block_any(&r->sc);

	return settle(r, fast ? WAKE_TIME : connect_limit(r),
		      scenario_event_text(e)) &&
	       talk_until(r, is_open, OPEN_TIME, scenario_event_text(e));
}

static bool no_wonders(struct run *r)
{
	for (unsigned int i = 0; i < r->sc.n; i++)
		for (unsigned int k = 0; k < r->sc.n; k++)
			if (i != k && theory(r, i, k) == ORACLE_NEVER &&
			    state_of(r, i, k) == HP_PEER_DIRECT)
				watch_blame(&r->watch, "%s is direct to %s, "
					    "which cannot be", name(r, k),
					    name(r, i));
	return watch_ok(&r->watch);
}

/* ---- the play ---------------------------------------------------------- */

static void build(struct run *r, uint64_t seed, FILE *trace, bool hashed)
{
	sim_world_init(&r->w, seed, true);
	r->w.streams = r->sc.streams;
	while (r->w.n_servers < r->sc.n_servers)
		sim_world_add_server(&r->w);
	sim_set_hops(r->w.sim, r->sc.hops);
	watch_begin(&r->watch, &r->w, trace);
	r->watch.hashed = hashed;
	for (unsigned int i = 0; i < r->sc.n; i++) {
		place_build(&r->sc.places[i], &r->w, i);
		sim_world_run(&r->w, r->sc.stagger_ns);
	}
	if (r->sc.stranger) {
		r->watch.stranger = sim_host_new(r->w.sim, NULL,
						 "192.0.2.66", NULL);
		sim_host_renumber(r->watch.stranger, "2001:db8:666::6");
		r->watch.copy_one_in = 10;
	}
}

static bool want(struct run *r, unsigned int i)
{
	for (unsigned int k = 0; k < r->sc.n; k++)
		if (k != i && (k > i || r->sc.both_ask) &&
		    hp_node_want(node(r, i)->node, name(r, k),
				 sim_now(r->w.sim)) != HP_OK)
			return false;
	return true;
}

static struct sim_nat *top_nat(const struct place *p)
{
	struct sim_nat *n = p->carrier_nat ? p->carrier_nat : p->home_nat;

	return n && sim_nat_config(n)->mapping != SIM_ROUTED ? n : NULL;
}

/* What one of them does not hear must not be the path: a try ends after a
 * second of silence, and the next is a while off, so that half of the time is
 * far too long. (A third is seen at round trips of 300 ms.)
 */
static void play_one_way(struct run *r, const struct scenario_step *e)
{
	unsigned int i = e->node, k = (e->node + 1) % r->sc.n;
	unsigned int steps = 0, direct = 0;
	uint64_t end;

	sim_host_deafen(node(r, i)->host, node(r, k)->host);
	if (!talk_until(r, is_connected, connect_limit(r), "one way"))
		return;
	for (end = sim_now(r->w.sim) + e->for_ns; sim_now(r->w.sim) < end;) {
		talk(r);
		steps++;
		direct += state_of(r, i, k) == HP_PEER_DIRECT ||
			  state_of(r, k, i) == HP_PEER_DIRECT;
	}
	if (2 * direct > steps)
		watch_blame(&r->watch, "%s is deaf to %s, and they were direct "
			    "in %u of %u steps", name(r, i), name(r, k), direct,
			    steps);
	sim_host_deafen(node(r, i)->host, NULL);
}

/* All are reached by way of the server, over TCP. */
static void play_block(struct run *r, const struct scenario_step *e)
{
	sim_host_block(node(r, e->node)->host, true);
	if (!talk_until(r, is_connected, connect_limit(r) + BLOCK_NOTICED,
			"blocked"))
		return;
	for (uint64_t t = 0; t < e->for_ns; t += STEP)
		talk(r);
	sim_host_block(node(r, e->node)->host, r->sc.places[e->node].blocked);
}

static void play(struct run *r, const struct scenario_step *e, unsigned int at)
{
	struct place *p = &r->sc.places[e->node];
	char ip[32];

	watch_say(&r->watch, "---- %s (%s)", scenario_event_text(e->event),
		  name(r, e->node));
	switch (e->event) {
	case EVENT_SERVER:
		sim_world_server_stop(&r->w, e->node % r->w.n_servers);
		sim_world_run(&r->w, e->for_ns);
		sim_world_server_start(&r->w, e->node % r->w.n_servers);
		break;
	case EVENT_FLUSH:
		if (p->home_nat)
			sim_nat_flush(p->home_nat);
		if (p->carrier_nat)
			sim_nat_flush(p->carrier_nat);
		block_forget_streams(&r->w);
		gateway_restart(&p->box);
		break;
	case EVENT_RENUMBER:
		snprintf(ip, sizeof(ip), "203.0.113.%u",
			 150 + 8 * at + e->node);
		if (top_nat(p))
			sim_nat_renumber(top_nat(p), ip);
		block_forget_streams(&r->w);
		gateway_restart(&p->box);
		r->misled[e->node] |= place_poisoned(p);
		break;
	case EVENT_RESTART:
		sim_world_restart(p->node);
		if (!want(r, e->node))
			watch_blame(&r->watch, "a name is refused");
		break;
	case EVENT_UNPLUG:
		sim_host_down(p->node->host, true);
		for (uint64_t t = 0; t < e->for_ns; t += STEP)
			talk(r);
		sim_host_down(p->node->host, false);
		break;
	case EVENT_IDLE:
		sim_world_run(&r->w, e->for_ns);
		break;
	case EVENT_SLEEP:
		sim_world_sleep(p->node);
		sim_world_run(&r->w, e->for_ns);
		sim_world_wake(p->node);
		break;
	case EVENT_BLOCK:
		play_block(r, e);
		break;
	case EVENT_ONE_WAY:
		play_one_way(r, e);
		break;
	case EVENT_MTU:
		place_narrow(p, e->mtu);
		break;
	case EVENT_KINDS:
		break;
	}
}

static bool has_one_port(const struct sim_host *h)
{
	for (const struct sim_nat *n = sim_host_behind(h); n;
	     n = sim_nat_outside(n)) {
		const struct sim_nat_config *c = sim_nat_config(n);

		if (c->mapping != SIM_EIM && c->mapping != SIM_ROUTED &&
		    c->ports != SIM_OVERLOAD)
			return false;
	}
	return true;
}

/* Two NATs with one port each, no loss: few probes do. */
static void check_budget(struct run *r)
{
	if (r->sc.n != 2 || r->sc.lossy || r->sc.stranger ||
	    theory(r, 0, 1) != ORACLE_CERTAIN ||
	    !has_one_port(node(r, 0)->host) || !has_one_port(node(r, 1)->host))
		return;
	for (unsigned int i = 0; i < 2; i++)
		if (r->watch.probes[i] > PROBES_MAX)
			watch_blame(&r->watch, "%s sent %u probes", name(r, i),
				    r->watch.probes[i]);
}

static void play_all(struct run *r)
{
	sim_world_run(&r->w, 2 * HP_S);
	watch_say(&r->watch, "---- begin");
	for (unsigned int i = 0; i < r->sc.n; i++)
		if (!want(r, i))
			watch_blame(&r->watch, "a name is refused");
	if (!settle(r, connect_limit(r), "at first"))
		return;
	check_budget(r);
	if (!talk_until(r, is_open, OPEN_TIME, "at first"))
		return;
	for (unsigned int i = 0; i < r->sc.n_steps; i++) {
		play(r, &r->sc.steps[i], i);
		if (!settle_after(r, r->sc.steps[i].event))
			return;
	}
	for (unsigned int i = 0; i < 10; i++)
		talk(r);
	if (!block_any(&r->sc) &&
	    !talk_until(r, is_judged, JUDGE_TIME, "the port that is open"))
		return;
	if (!no_wonders(r) || !block_any(&r->sc))
		return;
	watch_say(&r->watch, "---- UDP passes everywhere");
	block_end(&r->sc);
	settle(r, connect_limit(r), "UDP passes again");
}

static void sum_up(struct run *r, struct run_result *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->why, r->watch.why, sizeof(out->why));
	out->hash = r->watch.hash;
	for (unsigned int i = 0; i < r->sc.n; i++)
		for (unsigned int k = i + 1; k < r->sc.n; k++) {
			enum oracle o = theory(r, i, k);

			out->n_pairs++;
			out->asked[o]++;
			out->direct[o] += state_of(r, i, k) == HP_PEER_DIRECT;
		}
}

static void run(uint64_t seed, FILE *trace, bool hashed, struct run_result *out)
{
	static struct run r;

	memset(&r.mtus, 0, sizeof(r.mtus));
	memset(r.misled, 0, sizeof(r.misled));
	memset(r.told, 0, sizeof(r.told));
	memset(r.told_mtu, 0, sizeof(r.told_mtu));
	scenario_draw(&r.sc, seed);
	build(&r, seed, trace, hashed);
	if (trace)
		scenario_print(&r.sc, trace);
	play_all(&r);
	sum_up(&r, out);
	sim_world_free(&r.w);
	watch_end(&r.watch);
}

void run_seed(uint64_t seed, FILE *trace, struct run_result *out)
{
	run(seed, trace, false, out);
}

void run_hashed(uint64_t seed, struct run_result *out)
{
	run(seed, NULL, true, out);
}
