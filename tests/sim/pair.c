/* SPDX-License-Identifier: ISC */
#include "../sim/pair.h"

#include <string.h>

#include "../sim/watch.h"

#define SERVER_DELAY (5 * HP_MS)	/* as world.c has it */
#define GIVE_UP (20 * HP_S)
#define GIVE_UP_LOSSY (90 * HP_S)
/* Rounds in the background have their pauses. */
#define GIVE_UP_BLOCKS (300 * HP_S)

struct trial {
	struct sim_world w;
	struct watch watch;
	struct place place[2];
	uint64_t start_ns;
	unsigned int probes[2];	/* before the start */
};

static struct sim_world_node *node(struct trial *t, unsigned int i)
{
	return t->place[i].node;
}

static void build(struct trial *t, const struct pair_setup *p,
		  struct pair_sample *out)
{
	sim_world_init(&t->w, p->seed, true);
	while (t->w.n_servers < p->servers)
		sim_world_add_server(&t->w);
	sim_set_hops(t->w.sim, 8);
	watch_begin(&t->watch, &t->w, p->trace);
	for (unsigned int i = 0; i < 2; i++) {
		struct place *x = &t->place[i];
		struct sim_link *l = &x->link;

		*x = p->place[i];
		if (x->beside)
			x->beside = &t->place[0];
		if (x->carrier)
			x->carrier = &t->place[0];
		x->port = (uint16_t)(30000 + hp_rng_below(sim_rng(t->w.sim),
							  10000));
		l->delay_ns = (3 + hp_rng_below(sim_rng(t->w.sim), 30)) * HP_MS;
		l->jitter_ns = HP_MS;
		l->loss_ppm = (unsigned int)(p->loss * 1e6);
		place_build(x, &t->w, i);
		out->rtt_s_ns += 2 * (l->delay_ns + SERVER_DELAY);
		if (!p->place[1].beside)
			out->rtt_d_ns += 2 * l->delay_ns;
	}
}

static void look(struct trial *t, struct pair_sample *out)
{
	const struct sim_stream *to_b = &node(t, 1)->from[0];
	const struct sim_stream *to_a = &node(t, 0)->from[1];
	struct hp_node_peer_info info[2] = { 0 };
	uint64_t now = sim_now(t->w.sim), direct = 0;

	if (to_b->delivered && !out->first_ns)
		out->first_ns = to_b->first_ns - t->start_ns;
	out->connected = to_b->delivered && to_a->delivered;
	if (out->connected && !out->both_ns)
		out->both_ns = (to_a->first_ns > to_b->first_ns ?
				to_a : to_b)->first_ns - t->start_ns;
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int n = t->watch.probes[i] - t->probes[i];

		if (n > out->probes)
			out->probes = n;
		if (node(t, i)->most_extra > out->sockets)
			out->sockets = node(t, i)->most_extra;
		if (hp_node_peer_find(node(t, i)->node, i ? "alice" : "bob",
				      now, &info[i]) != HP_OK ||
		    info[i].state != HP_PEER_DIRECT)
			return;
		if (info[i].direct_ns > direct)
			direct = info[i].direct_ns;
	}
	out->direct = true;
	out->direct_ns = direct - t->start_ns;
}

static uint64_t patience(const struct pair_setup *p, enum oracle theory)
{
	if (p->give_up_ns)
		return p->give_up_ns;
	if (theory == ORACLE_BLOCKS)
		return GIVE_UP_BLOCKS;
	return p->loss > 0 ? GIVE_UP_LOSSY : GIVE_UP;
}

static void connect_them(struct trial *t, uint64_t give_up_ns,
			 struct pair_sample *out)
{
	struct sim *sim = t->w.sim;

	t->start_ns = sim_now(sim);
	for (unsigned int i = 0; i < 2; i++)
		t->probes[i] = t->watch.probes[i];
	if (hp_node_want(node(t, 0)->node, "bob", t->start_ns) != HP_OK)
		return;
	while (sim_now(sim) < t->start_ns + give_up_ns &&
	       !(out->direct && out->connected)) {
		uint64_t past = sim_now(sim) - t->start_ns;

		sim_world_packet(node(t, 0), node(t, 1));
		/* She asks, he answers. */
		if (out->first_ns)
			sim_world_packet(node(t, 1), node(t, 0));
		sim_world_run(&t->w, past < HP_S ? 10 * HP_MS :
			      past < 10 * HP_S ? 50 * HP_MS : 200 * HP_MS);
		look(t, out);
	}
}

void pair_try(const struct pair_setup *p, struct pair_sample *out)
{
	static struct trial t;

	memset(out, 0, sizeof(*out));
	build(&t, p, out);
	out->theory = oracle_ask(node(&t, 0)->host, node(&t, 1)->host);
	if (p->only == ORACLE_KINDS || p->only == out->theory) {
		if (p->met)
			sim_world_acquaint(&t.w);
		sim_world_run(&t.w, p->loss > 0 ? 30 * HP_S : 2 * HP_S);
		connect_them(&t, patience(p, out->theory), out);
		watch_ok(&t.watch);
	}
	memcpy(out->why, t.watch.why, sizeof(out->why));
	watch_end(&t.watch);
	sim_world_free(&t.w);
}

bool pair_is_stray(const struct pair_sample *s)
{
	return !s->connected || s->why[0] ||
	       (s->direct ? s->theory == ORACLE_NEVER :
			    s->theory == ORACLE_CERTAIN);
}
