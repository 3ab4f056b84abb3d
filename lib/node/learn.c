/* SPDX-License-Identifier: ISC */
/*
 * Learns, in the background and from extra sockets, what the main socket does
 * not show in passing: whom our NAT lets in, whether it turns packets to its
 * own address, how long it remembers a silence.
 *
 *	20 s in a network --> a netcheck of IPv4 --> all is answered: facts;
 *	                                             keepalives by them
 *
 * Once in each network, which shows as its public address; not while ports are
 * guessed, for that needs all mappings that there may be. Some forty packets,
 * and 120 s of silence.
 */
#include "node/internal.h"

#include "node/netcheck.h"

/* Connecting comes first. */
#define BEGIN_NS (20 * HP_S)
#define BUSY_NS (10 * HP_S)
/* As often as is never needed, and as is needed nowhere. */
#define KEEPALIVE_MAX (25 * HP_S)
#define KEEPALIVE_MIN (7 * HP_S)

_Static_assert(LEARN_SOCKS == HP_NETCHECK_SOCKS - 1, "the main one is there");

static bool check_send(void *ctx, unsigned int sock, const struct hp_addr *dst,
		       const uint8_t *buf, size_t len)
{
	struct hp_node *n = ctx;
	const struct hp_path path = {
		.remote = *dst,
		.sock = sock ? n->learn.sock[sock - 1] : 0,
	};

	hp_node_send(n, &path, 0, buf, len);
	return true;
}

static const struct hp_netcheck_ops check_ops = { check_send };

/* The network that we are in, as far as it shows. */
static const struct hp_addr *network_of(const struct hp_node *n)
{
	for (unsigned int i = 0; i < n->n_servers; i++)
		if (n->servers[i].state == HP_SERVER_REGISTERED &&
		    n->servers[i].seen[0][0].family)
			return &n->servers[i].seen[0][0];
	return NULL;
}

static void stop(struct hp_node *n)
{
	struct learn *l = &n->learn;

	hp_netcheck_free(l->check);
	l->check = NULL;
	while (l->n_socks) {
		n->cfg.ops.close(n->cfg.ctx, l->sock[--l->n_socks]);
		n->sample.budget.sockets--;
	}
	for (; l->n_slots; l->n_slots--)
		hp_budget_leave(&n->sample.budget, l->slot[l->n_slots - 1],
				n->now_ns);
}

static bool open_all(struct hp_node *n)
{
	struct learn *l = &n->learn;

	if (hp_budget_room(&n->sample.budget, n->now_ns) < LEARN_MAPPINGS)
		return false;
	while (l->n_slots < LEARN_MAPPINGS)
		l->slot[l->n_slots++] = hp_budget_map(&n->sample.budget,
						      n->now_ns);
	while (l->n_socks < LEARN_SOCKS) {
		if (n->cfg.ops.open(n->cfg.ctx, &l->sock[l->n_socks]) != HP_OK)
			return false;
		l->n_socks++;
		n->sample.budget.sockets++;
	}
	return true;
}

static bool begin(struct hp_node *n)
{
	struct learn *l = &n->learn;
	struct hp_netcheck_config cfg = {
		.n_servers = n->n_servers,
		.own = &l->net,
		.n_own = hp_node_has_address(n, &l->net),
		.port = { n->port },
		.lifetime = true,
		.rng = &n->cfg.rng,
		.ops = &check_ops,
		.ctx = n,
	};

	for (unsigned int i = 0; i < n->n_servers; i++)
		if (!n->servers[i].by_stream)
			cfg.server[i][0] = n->cfg.servers[i].addr4;
	if (open_all(n))
		l->check = hp_netcheck_new(&cfg);
	if (!l->check)
		stop(n);
	return l->check != NULL;
}

/* Shorter than 25 s only where a mapping was seen to die sooner. */
static uint64_t keepalive_of(const struct hp_netcheck_family *f)
{
	uint64_t least_s = hp_netcheck_life_s[HP_NETCHECK_LIVES - 1];

	if (f->dead_s)
		least_s = f->alive_s;
	if (least_s * HP_S >= KEEPALIVE_MAX)
		return KEEPALIVE_MAX;
	return least_s ? least_s * HP_S - HP_S : KEEPALIVE_MIN;
}

static void conclude(struct hp_node *n)
{
	struct learn *l = &n->learn;
	struct hp_netcheck_facts facts;
	const struct hp_netcheck_family *f = &facts.family[0];

	hp_netcheck_facts(l->check, &facts);
	l->filtering = f->filtering;
	l->hairpin = f->hairpin;
	l->alive_s = f->alive_s;
	l->dead_s = f->dead_s;
	l->keepalive_ns = keepalive_of(f);
	for (unsigned int i = 0; i < n->n_servers; i++)
		hp_meet_set_keepalive(n->servers[i].client, l->keepalive_ns,
				      n->now_ns);
	for (struct peer *p = n->peers; p; p = p->hh.next) {
		if (!p->punch)
			continue;
		hp_punch_set_keepalive(p->punch, l->keepalive_ns);
		hp_peer_update(p);
	}
}

void hp_learn_init(struct hp_node *n)
{
	n->learn.next_ns = HP_NEVER;
	n->learn.keepalive_ns = KEEPALIVE_MAX;
}

void hp_learn_free(struct hp_node *n)
{
	if (n->learn.check)
		stop(n);
}

void hp_learn_seen(struct hp_node *n)
{
	struct learn *l = &n->learn;
	const struct hp_addr *net = network_of(n);

	if (!net || hp_addr_same_ip(net, &l->net) || !n->cfg.ops.open ||
	    !n->cfg.ops.close)
		return;
	hp_learn_free(n);
	l->net = *net;
	l->filtering = HP_NAT_FILTERING_UNKNOWN;
	l->hairpin = HP_NAT_UNKNOWN;
	l->alive_s = l->dead_s = 0;
	l->next_ns = n->now_ns + BEGIN_NS;
}

void hp_learn_rx(struct hp_node *n, const struct hp_path *from,
		 const uint8_t *buf, size_t len)
{
	struct learn *l = &n->learn;
	unsigned int sock = 0;

	if (!l->check || from->channel)
		return;
	while (from->sock && sock < LEARN_SOCKS && l->sock[sock] != from->sock)
		sock++;
	if (sock == LEARN_SOCKS)
		return;
	hp_netcheck_rx(l->check, from->sock ? sock + 1 : 0, &from->remote, buf,
		       len, n->now_ns);
	l->next_ns = hp_netcheck_deadline(l->check);
	if (l->next_ns == HP_NEVER)
		l->next_ns = n->now_ns;
}

void hp_learn_tick(struct hp_node *n)
{
	struct learn *l = &n->learn;

	if (l->next_ns > n->now_ns)
		return;
	if (!l->check && (n->sample.budget.owner || n->sample.n_socks ||
			  !begin(n))) {
		l->next_ns = n->now_ns + BUSY_NS;
		return;
	}
	hp_netcheck_tick(l->check, n->now_ns);
	l->next_ns = hp_netcheck_deadline(l->check);
	if (l->next_ns != HP_NEVER)
		return;
	conclude(n);
	stop(n);
}

void hp_learn_get(const struct hp_node *n, struct hp_nat_facts *out)
{
	const struct learn *l = &n->learn;

	out->filtering = l->filtering;
	out->hairpin = l->hairpin;
	out->alive_s = l->alive_s;
	out->dead_s = l->dead_s;
}
