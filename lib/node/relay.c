/* SPDX-License-Identifier: ISC */
/*
 * Who relays for a peer, when several servers introduced it, or members gave a
 * channel to it (via.c). Each connect leaves to all servers at one moment, so it
 * measures them all; members tell:
 *
 *	who asks	DELIVERED comes back after the round trip of both legs
 *	who is called	the calls arrive in the order of the ways they took;
 *			and a server that brings none has lost the one or the
 *			other, or is gone
 *	by a member	our round trip to it and its own to the peer, added
 *
 * A channel that nobody used ends after 180 s, so that others than the one in
 * use are worth something for a while after an introduction only.
 */
#include "node/internal.h"

#define FRESH_NS (150 * HP_S)
/* Calls of one connect arrive within so long. */
#define BURST_NS (2 * HP_S)
#define GAIN_NS (5 * HP_MS)

/* What is there of relay @i. */
static struct node_relay *relay_at(struct peer *p, unsigned int i)
{
	if (i < HP_SERVERS_MAX)
		return &p->relays[i];
	return &p->vias->relay[i - HP_SERVERS_MAX];
}

static unsigned int count(const struct peer *p)
{
	return p->vias ? NODE_RELAYS : HP_SERVERS_MAX;
}

static bool fresh(struct peer *p, unsigned int i)
{
	const struct node_relay *r;

	if (i < HP_SERVERS_MAX && i >= p->node->n_servers)
		return false;
	r = relay_at(p, i);
	return hp_path_set(&r->path) &&
	       hp_time_since(p->node->now_ns, r->met_ns) < FRESH_NS;
}

static void take(struct peer *p, unsigned int server)
{
	p->relay = relay_at(p, server)->path;
	p->relay_server = server;
}

/* Tells everybody which relay there is now. */
static void show(struct peer *p)
{
	p->silent = false;
	hp_peer_route(p);
	if (p->punch)
		hp_punch_set_relay(p->punch, &p->relay, p->node->now_ns);
	hp_peer_update(p);
}

static void move(struct peer *p, unsigned int server)
{
	take(p, server);
	show(p);
}

void hp_relay_met(struct peer *p, unsigned int server,
		  const struct hp_path *path, bool answer)
{
	uint64_t now_ns = p->node->now_ns;
	uint64_t ago_ns = hp_time_since(now_ns, p->called_ns);
	bool first = !p->called_ns || ago_ns >= BURST_NS;

	if (!hp_path_set(path))
		return;
	relay_at(p, server)->path = *path;
	relay_at(p, server)->met_ns = now_ns;
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
	struct node_relay *used = relay_at(p, p->relay_server);
	uint64_t gain_ns;

	relay_at(p, server)->rtt_ns = rtt_ns;
	/* The nearer server is heard of first. */
	if (!p->epoch || !used->rtt_ns || !fresh(p, server))
		return;
	gain_ns = used->rtt_ns / 10 > GAIN_NS ? used->rtt_ns / 10 : GAIN_NS;
	if (rtt_ns + gain_ns <= used->rtt_ns) {
		move(p, server);
		return;
	}
	/* This is the one in use; was one better that came before? */
	for (unsigned int i = 0; i < count(p); i++) {
		const struct node_relay *r = relay_at(p, i);

		if (i != p->relay_server && fresh(p, i) && r->rtt_ns &&
		    r->rtt_ns + gain_ns <= used->rtt_ns) {
			move(p, i);
			return;
		}
	}
}

/* A call came over another server, and not over the one in use: what we send
 * over that may reach nobody, while we hear the peer by the other one.
 */
static bool left_out(const struct peer *p)
{
	return p->called_ns && p->caller != p->relay_server &&
	       p->relay_server < HP_SERVERS_MAX &&
	       p->relays[p->relay_server].met_ns < p->called_ns;
}

uint64_t hp_relay_follow_due(const struct peer *p)
{
	return left_out(p) ? p->called_ns + BURST_NS : HP_NEVER;
}

void hp_relay_follow(struct peer *p)
{
	if (hp_relay_follow_due(p) > p->node->now_ns)
		return;
	if (fresh(p, p->caller))
		move(p, p->caller);
	else
		p->caller = p->relay_server;
}

/* The best of those that may still relay; NODE_RELAYS: none does. */
static unsigned int another(struct peer *p)
{
	const struct server *s = p->node->servers;
	unsigned int best = NODE_RELAYS;

	for (unsigned int i = 0; i < count(p); i++)
		if (fresh(p, i) &&
		    (hp_via_at(p, i) || s[i].state == HP_SERVER_REGISTERED) &&
		    (best == NODE_RELAYS ||
		     relay_at(p, i)->rtt_ns < relay_at(p, best)->rtt_ns))
			best = i;
	return best;
}

/* A server's channel that fell silent may yet come back to life, for want of
 * another one; a member's is made anew.
 */
void hp_relay_ended(struct peer *p, unsigned int at)
{
	bool via = at >= HP_SERVERS_MAX;
	unsigned int best;

	*relay_at(p, at) = (struct node_relay){ 0 };
	if (via)
		p->vias->by[at - HP_SERVERS_MAX] = NULL;
	if (p->relay_server != at || !hp_path_set(&p->relay))
		return;
	best = another(p);
	if (best < NODE_RELAYS) {
		move(p, best);
	} else if (via) {
		p->relay = (struct hp_path){ 0 };
		p->relay_server = 0;
		show(p);
	}
}

void hp_relay_failed(struct peer *p)
{
	p->relay_gone = false;
	if (!p->epoch || !p->silent)
		return;
	hp_relay_ended(p, p->relay_server);
	hp_via_soon(p);
}

void hp_relay_moved(struct peer *p, unsigned int at)
{
	if (p->relay_server == at && hp_path_set(&p->relay))
		move(p, at);
}

/* Who was called knows nothing of the server's legs but what probes say. */
static void measure_used(struct peer *p)
{
	struct node_relay *used = relay_at(p, p->relay_server);
	struct hp_punch_info info;

	if (!hp_path_set(&p->relay) || used->rtt_ns || hp_path_set(&p->direct))
		return;
	hp_punch_get_info(p->punch, &info);
	used->rtt_ns = info.rtt_ns;
}

void hp_relay_offered(struct peer *p, unsigned int at,
		      const struct hp_path *path, uint64_t rtt_ns)
{
	const struct hp_path was = p->relay;

	measure_used(p);
	hp_relay_met(p, at, path, true);
	if (!hp_path_eq(&p->relay, &was))
		move(p, at);
	if (rtt_ns)
		hp_relay_timed(p, at, rtt_ns);
}

const char *hp_relay_name(const struct peer *p)
{
	const struct peer *via = hp_via_at(p, p->relay_server);

	if (!hp_path_set(&p->relay))
		return NULL;
	return via ? via->name : p->node->servers[p->relay_server].name;
}
