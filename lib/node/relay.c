/* SPDX-License-Identifier: ISC */
/*
 * Which server relays for a peer, when several introduced it. Each connect
 * leaves to all servers at one moment, so it measures them all:
 *
 *	who asks	DELIVERED comes back after the round trip of both legs
 *	who is called	the calls arrive in the order of the ways they took
 *
 * A channel that nobody used ends after 180 s, so that others than the one in
 * use are worth something for a while after an introduction only.
 */
#include "node/internal.h"

#define FRESH_NS (150 * HP_S)
/* Calls of one connect arrive within so long. */
#define BURST_NS (2 * HP_S)
#define GAIN_NS (5 * HP_MS)

static bool fresh(const struct peer *p, unsigned int i)
{
	const struct node_relay *r = &p->relays[i];

	return hp_path_set(&r->path) &&
	       hp_time_since(p->node->now_ns, r->met_ns) < FRESH_NS;
}

static void take(struct peer *p, unsigned int server)
{
	p->relay = p->relays[server].path;
	p->relay_server = server;
}

static void move(struct peer *p, unsigned int server)
{
	take(p, server);
	p->silent = false;
	hp_peer_route(p);
	if (p->punch)
		hp_punch_set_relay(p->punch, &p->relay, p->node->now_ns);
	hp_peer_update(p);
}

void hp_relay_met(struct peer *p, unsigned int server,
		  const struct hp_path *path, bool answer)
{
	uint64_t now_ns = p->node->now_ns;
	uint64_t ago_ns = hp_time_since(now_ns, p->called_ns);
	bool first = !p->called_ns || ago_ns >= BURST_NS;

	if (!hp_path_set(path))
		return;
	p->relays[server].path = *path;
	p->relays[server].met_ns = now_ns;
	if (!answer && first) {
		p->called_ns = now_ns;
		p->caller = server;
	}
	if (!hp_path_set(&p->relay) || p->relay_server == server || p->silent)
		take(p, server);
	/* The call over the server in use comes later than another did. */
	if (!answer && !first && p->relay_server == server &&
	    ago_ns >= GAIN_NS && fresh(p, p->caller))
		take(p, p->caller);
}

void hp_relay_timed(struct peer *p, unsigned int server, uint64_t rtt_ns)
{
	struct node_relay *used = &p->relays[p->relay_server];
	uint64_t gain_ns;

	p->relays[server].rtt_ns = rtt_ns;
	/* The nearer server is heard of first. */
	if (!p->epoch || !used->rtt_ns || !fresh(p, server))
		return;
	gain_ns = used->rtt_ns / 10 > GAIN_NS ? used->rtt_ns / 10 : GAIN_NS;
	if (rtt_ns + gain_ns <= used->rtt_ns) {
		move(p, server);
		return;
	}
	/* This is the one in use; was one better that came before? */
	for (unsigned int i = 0; i < p->node->n_servers; i++) {
		const struct node_relay *r = &p->relays[i];

		if (i != p->relay_server && r->rtt_ns && fresh(p, i) &&
		    r->rtt_ns + gain_ns <= used->rtt_ns) {
			move(p, i);
			return;
		}
	}
}

void hp_relay_failed(struct peer *p)
{
	const struct hp_node *n = p->node;
	unsigned int best = n->n_servers;

	p->relay_gone = false;
	if (!p->epoch || !p->silent)
		return;
	p->relays[p->relay_server] = (struct node_relay){ 0 };
	for (unsigned int i = 0; i < n->n_servers; i++)
		if (fresh(p, i) && n->servers[i].state == HP_SERVER_REGISTERED &&
		    (best == n->n_servers ||
		     p->relays[i].rtt_ns < p->relays[best].rtt_ns))
			best = i;
	if (best < n->n_servers)
		move(p, best);
}
