/* SPDX-License-Identifier: ISC */
/*
 * What the node knows of its NAT: learnt in passing from all that servers say
 * of the main socket, and, when a path machine wants to guess ports, from
 * fresh sockets, whose ports show how the NAT chooses the next one.
 *
 *	hp_sample_ask() --> a burst of STUN requests, in order --> answers, or
 *	time is up --> hp_punch_sampled()
 *
 * When fresh sockets fare better than the main one, its mapping has clashed
 * with something in the NAT, and the main socket moves to another port.
 */
#include "node/internal.h"

#include <string.h>

#include "meet/stun.h"

#define TRIES 4
#define RETRY_MIN (60 * HP_MS)
#define RETRY_MAX (400 * HP_MS)
/* Facts that do not move on are good for so long. */
#define FRESH_NS (20 * HP_S)
/* Moving costs each peer its path to us: not more often than that. */
#define REBIND_GAP (600 * HP_S)

void hp_sample_init(struct hp_node *n)
{
	hp_budget_init(&n->sample.budget);
	n->sample.next_ns = HP_NEVER;
}

void hp_sample_seen(struct hp_node *n, const struct hp_addr *server,
		    const struct hp_addr *seen)
{
	const struct hp_nat_sample s = {
		.bound = n->port,
		.server = *server,
		.mapped = *seen,
		.order = ++n->sample.order,
		.at_ns = n->now_ns,
	};

	hp_nat_note(&n->sample.nat, &s);
}

void hp_sample_judge(const struct hp_node *n, struct hp_nat_facts *out)
{
	const struct hp_nat *nat = &n->sample.nat;
	const struct hp_addr *own = NULL;

	for (size_t i = 0; i < nat->n; i++)
		if (!nat->sample[i].sock &&
		    hp_node_has_address(n, &nat->sample[i].mapped))
			own = &nat->sample[i].mapped;
	hp_nat_judge(nat, HP_AF_4, own, own != NULL, out);
}

/* ---- asking ------------------------------------------------------------- */

static void question(struct hp_node *n, uint32_t sock,
		     const struct hp_addr *server, unsigned int port)
{
	struct sample *s = &n->sample;
	struct sample_question *q = &s->question[s->n_questions];
	int slot;

	if (s->n_questions == SAMPLE_QUESTIONS)
		return;
	slot = hp_budget_map(&s->budget, n->now_ns);
	if (slot < 0)
		return;
	hp_budget_leave(&s->budget, slot, n->now_ns);
	*q = (struct sample_question){ .sock = sock, .dst = *server,
				       .order = ++s->order };
	q->dst.port = (uint16_t)(server->port + port);
	hp_rng_fill(&n->cfg.rng, q->tid, sizeof(q->tid));
	s->n_questions++;
}

/* Both ports of the first server from each socket, of others from two: enough
 * to tell a NAT that looks at addresses alone.
 */
static void question_all(struct hp_node *n, uint32_t sock, bool others)
{
	bool first = true;

	for (unsigned int i = 0; i < n->n_servers; i++) {
		const struct hp_addr *a = &n->cfg.servers[i].addr4;

		if (!a->family ||
		    n->servers[i].state != HP_SERVER_REGISTERED ||
		    n->servers[i].by_stream || !(first || others))
			continue;
		first = false;
		question(n, sock, a, 0);
		question(n, sock, a, 1);
	}
}

static void send_all(struct hp_node *n)
{
	struct sample *s = &n->sample;
	uint64_t wait = RETRY_MIN;

	for (unsigned int i = 0; i < n->n_servers; i++)
		if (wait < n->servers[i].rtt_ns * 3 / 2)
			wait = n->servers[i].rtt_ns * 3 / 2;
	s->next_ns = n->now_ns + hp_time_min(wait, RETRY_MAX);
	s->tries++;
	for (unsigned int i = 0; i < s->n_questions; i++) {
		const struct sample_question *q = &s->question[i];
		struct hp_path path = { .remote = q->dst, .sock = q->sock };
		uint8_t buf[HP_STUN_REQUEST_LEN];

		if (q->done)
			continue;
		hp_stun_request_put(buf, q->tid);
		hp_node_send(n, &path, 0, buf, sizeof(buf));
	}
}

static void open_all(struct hp_node *n)
{
	struct sample *s = &n->sample;

	for (unsigned int i = 0; i < s->n_questions; i++)
		hp_nat_forget(&s->nat, s->question[i].sock);
	s->n_questions = 0;
	s->tries = 0;
	while (s->n_socks < SAMPLE_SOCKS && n->cfg.ops.open &&
	       hp_budget_room(&s->budget, n->now_ns) > 1) {
		uint32_t *sock = &s->sock[s->n_socks];

		if (n->cfg.ops.open(n->cfg.ctx, sock) != HP_OK)
			break;
		s->budget.sockets++;
		question_all(n, *sock, s->n_socks++ < 2);
	}
	send_all(n);
}

/* Could it map by destination, for all that is known? */
static bool is_doubtful(enum hp_nat_mapping m)
{
	return m == HP_NAT_MAPPING_UNKNOWN ||
	       m == HP_NAT_MAPPING_EIM_OR_ADM || hp_nat_is_hard(m);
}

void hp_sample_ask(struct peer *p)
{
	struct hp_node *n = p->node;
	struct sample *s = &n->sample;
	struct hp_nat_facts f;
	bool fresh = s->done_ns &&
		     hp_time_since(n->now_ns, s->done_ns) < FRESH_NS;

	s->asker = p;
	hp_sample_judge(n, &f);
	if (s->n_socks)
		return; /* under way */
	if (!is_doubtful(f.mapping) ||
	    (fresh && f.ports == HP_NAT_PORTS_RANDOM))
		s->next_ns = n->now_ns; /* known */
	else
		open_all(n);
}

void hp_sample_forget(struct peer *p)
{
	if (p->node->sample.asker == p)
		p->node->sample.asker = NULL;
}

/* ---- answers ------------------------------------------------------------ */

static bool any_direct(const struct hp_node *n)
{
	for (const struct peer *p = n->peers; p; p = p->hh.next)
		if (hp_path_set(&p->direct))
			return true;
	return false;
}

/* True: the main socket has another port now, and is announced anew. */
static bool rebind(struct hp_node *n)
{
	struct sample *s = &n->sample;
	uint16_t port;

	if (!n->cfg.ops.rebind || !hp_node_may(n, HP_METHOD_REBIND) ||
	    any_direct(n) ||
	    (s->rebound_ns &&
	     hp_time_since(n->now_ns, s->rebound_ns) < REBIND_GAP))
		return false;
	s->rebound_ns = n->now_ns;
	if (n->cfg.ops.rebind(n->cfg.ctx, &port) != HP_OK)
		return false;
	n->port = port;
	hp_nat_forget(&s->nat, 0);
	hp_node_publish(n, false);
	hp_node_network_changed(n, n->now_ns);
	return true;
}

static void finish(struct hp_node *n)
{
	struct sample *s = &n->sample;
	struct peer *p = s->asker;
	struct hp_nat_facts f;

	s->asker = NULL;
	s->next_ns = HP_NEVER;
	while (s->n_socks) {
		n->cfg.ops.close(n->cfg.ctx, s->sock[--s->n_socks]);
		s->budget.sockets--;
		s->done_ns = n->now_ns;
	}
	hp_sample_judge(n, &f);
	if (hp_nat_is_hard(f.mapping) && !hp_nat_is_hard(f.fresh) &&
	    f.fresh != HP_NAT_MAPPING_UNKNOWN && rebind(n))
		f.mapping = f.fresh;
	if (f.mapping == HP_NAT_MAPPING_UNKNOWN)
		f.mapping = f.fresh;
	if (!p || !p->punch)
		return;
	hp_learn_get(n, &f);
	hp_punch_sampled(p->punch, &f, n->now_ns);
	hp_peer_update(p);
}

void hp_sample_rx(struct hp_node *n, const struct hp_path *from,
		  const uint8_t *buf, size_t len)
{
	struct sample *s = &n->sample;
	unsigned int left = 0;

	for (unsigned int i = 0; i < s->n_questions; i++) {
		struct sample_question *q = &s->question[i];
		struct hp_nat_sample found = { .sock = q->sock,
					       .server = q->dst,
					       .order = q->order,
					       .at_ns = n->now_ns };

		if (!q->done && q->sock == from->sock &&
		    hp_addr_eq(&q->dst, &from->remote) &&
		    hp_stun_reply_get(buf, len, q->tid, &found.mapped) ==
			    HP_OK) {
			q->done = true;
			hp_nat_note(&s->nat, &found);
		}
		left += !q->done;
	}
	if (!left && s->n_socks)
		s->next_ns = n->now_ns;
}

void hp_sample_tick(struct hp_node *n)
{
	struct sample *s = &n->sample;
	bool left = false;

	if (s->next_ns > n->now_ns)
		return;
	for (unsigned int i = 0; i < s->n_questions; i++)
		left |= !s->question[i].done;
	if (s->n_socks && left && s->tries < TRIES)
		send_all(n);
	else
		finish(n);
}

/* ---- hops --------------------------------------------------------------- */

/* The network that we are in, as far as it shows: its public address. */
static const struct hp_addr *network_of(const struct hp_node *n)
{
	static const struct hp_addr none;

	for (unsigned int i = 0; i < n->n_servers; i++)
		if (n->servers[i].seen[0][0].family)
			return &n->servers[i].seen[0][0];
	return &none;
}

unsigned int hp_sample_low_ttl(const struct hp_node *n)
{
	const struct hp_addr *net = network_of(n);

	for (unsigned int i = 0; i < SAMPLE_NETWORKS; i++)
		if (n->sample.network[i].low_ttl &&
		    hp_addr_same_ip(&n->sample.network[i].addr, net))
			return n->sample.network[i].low_ttl;
	return 0;
}

void hp_sample_worked(struct hp_node *n, unsigned int low_ttl)
{
	const struct hp_addr *net = network_of(n);
	struct sample *s = &n->sample;
	unsigned int at = s->n_networks;

	if (!net->family)
		return;
	for (unsigned int i = 0; i < SAMPLE_NETWORKS; i++)
		if (hp_addr_same_ip(&s->network[i].addr, net))
			at = i;
	if (at == s->n_networks)
		s->n_networks = (at + 1) % SAMPLE_NETWORKS;
	s->network[at].addr = *net;
	s->network[at].low_ttl = low_ttl;
}

/* ---- for status --------------------------------------------------------- */

void hp_node_guess_get(const struct hp_node *n, uint64_t now_ns,
		       struct hp_node_guess_info *out)
{
	const struct hp_budget *b = &n->sample.budget;

	*out = (struct hp_node_guess_info){
		.busy = b->owner != NULL,
		.sockets = b->sockets,
		.mappings = hp_budget_live(b, now_ns),
		.mappings_max = HP_BUDGET_MAPPINGS,
		.probes_per_s = HP_BUDGET_PROBES_PER_S,
		.probes = b->probes,
		.refused = b->refused,
	};
}

void hp_node_nat_get(const struct hp_node *n, struct hp_nat_facts *out)
{
	hp_sample_judge(n, out);
	hp_learn_get(n, out);
}
