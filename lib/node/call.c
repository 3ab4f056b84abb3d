/* SPDX-License-Identifier: ISC */
/*
 * Introductions without a server. A node that looks for a peer calls (see
 * member/call.h):
 *
 *	its LANs	at the start, when the network changed, and while
 *			anybody is looked for: after 0, 1, 2, 4 .. 60 s
 *	its old places	where the peer was reached before (cache.c), and
 *	other peers	that pass the call on (mesh.c): in the same rhythm
 *			while no server is there, none knows the peer, or
 *			none brought it about in a few seconds
 *
 *	caller                     who hears it
 *	  |------- ASK, a ------------->|   proves nothing: changes nothing
 *	  |<------ ANSWER, a, b --------|   as long as the ASK, and to its sender
 *	  |------- CLOSE, b, a -------->|   introduced
 *	introduced
 *
 * The rest is as after an introduction by a server that does not relay.
 */
#include "node/internal.h"

#include <string.h>

/* The first calls are lost where the network is only just coming up. */
#define BEACONS_AT_START 3
#define FIRST_NS HP_S
#define LAST_NS (60 * HP_S)
/* Two beacons are never nearer to each other. */
#define BEACON_GAP_NS (200 * HP_MS)
/* A server gets so long before old places and other peers are asked. */
#define SERVER_GRACE_NS (500 * HP_MS)
/* A nonce serves so long, and its answers count for so long after that. */
#define NONCE_NS (60 * HP_S)
#define NONCE_LATE_NS (10 * HP_S)

/* ---- nonces ---------------------------------------------------------- */

static uint64_t nonce(struct hp_node *n)
{
	struct calls *c = &n->calls;
	uint64_t age_ns = hp_time_since(n->now_ns, c->nonce_ns);

	if (c->nonce[0] && age_ns < NONCE_NS)
		return c->nonce[0];
	c->nonce[1] = age_ns < NONCE_NS + NONCE_LATE_NS ? c->nonce[0] : 0;
	do
		c->nonce[0] = hp_rng_u64(&n->cfg.rng);
	while (!c->nonce[0]);
	c->nonce_ns = n->now_ns;
	return c->nonce[0];
}

/* What a past run of a peer said to us is not to be taken for what this one
 * says: its answers die with their nonces. Exchanges that others have under way
 * are asked for again.
 */
void hp_calls_renew(struct hp_node *n)
{
	n->calls.nonce[0] = n->calls.nonce[1] = 0;
}

static bool is_ours(const struct hp_node *n, uint64_t echo)
{
	const struct calls *c = &n->calls;
	uint64_t age_ns = hp_time_since(n->now_ns, c->nonce_ns);

	if (!echo)
		return false;
	if (echo == c->nonce[0])
		return age_ns < NONCE_NS + NONCE_LATE_NS;
	return echo == c->nonce[1] && age_ns < NONCE_LATE_NS;
}

/* ---- calling --------------------------------------------------------- */

static bool make(struct hp_node *n, enum hp_call_kind kind, bool want,
		 uint64_t echo, uint8_t out[HP_CALL_LEN])
{
	struct hp_call call = {
		.kind = kind,
		.want = want,
		.nonce = nonce(n),
		.echo = echo,
	};
	struct hp_record rec;

	hp_node_record(n, &rec);
	return hp_call_seal(&n->net, hp_node_purpose(n), &n->self, &call, &rec,
			    &n->cfg.rng, out) == HP_OK;
}

static void send_to(struct hp_node *n, const struct caller *to,
		    const uint8_t slot[HP_SLOT_LEN],
		    const uint8_t call[HP_CALL_LEN])
{
	uint8_t buf[HP_WIRE_HEAD + HP_CALL_LEN];

	if (to->via) {
		hp_mesh_send(to->via, slot, call);
		return;
	}
	hp_datagram_head(buf, HP_KIND_CALL);
	memcpy(buf + HP_WIRE_HEAD, call, HP_CALL_LEN);
	hp_node_send(n, &to->path, 0, buf, sizeof(buf));
}

static bool is_looked_for(const struct peer *p)
{
	return (p->wanted || p->session) && p->cause == HP_OK &&
	       !(p->session && hp_path_set(&p->direct));
}

static bool is_anybody_looked_for(const struct hp_node *n)
{
	for (const struct peer *p = n->peers; p; p = p->hh.next)
		if (is_looked_for(p))
			return true;
	return false;
}

/* Is it left to the servers? One that just died is not known to be dead yet, so
 * they have two rounds.
 */
static bool is_served(const struct peer *p)
{
	const struct hp_node *n = p->node;
	bool relayed = p->session && hp_path_set(&p->relay) && !p->silent;

	if (!relayed && (p->offline || p->calls >= 2))
		return false;
	for (unsigned int i = 0; i < n->n_servers; i++)
		if (n->servers[i].state == HP_SERVER_REGISTERED)
			return true;
	return false;
}

/* The @tries-th wait, within an eighth of what it is for all. */
static uint64_t wait_ns(struct hp_node *n, unsigned int tries)
{
	uint64_t ns = hp_time_min(FIRST_NS << (tries < 6 ? tries : 6), LAST_NS);

	return ns - hp_rng_u64(&n->cfg.rng) % (ns / 8);
}

static void beacon(struct hp_node *n)
{
	struct calls *c = &n->calls;
	uint8_t call[HP_CALL_LEN];

	c->sent_ns = n->now_ns;
	for (size_t i = 0; i < c->n_lans; i++) {
		const struct hp_node_lan *lan = &c->lan[i];
		const struct hp_path path = {
			.remote = hp_beacon_group(lan->addr.family, lan->index),
			.local = lan->addr,
		};

		/* Anew for each: nothing links what two LANs hear. */
		if (make(n, HP_CALL_ASK, false, 0, call))
			n->cfg.ops.send(n->cfg.ctx, &path, 1, call,
					sizeof(call));
	}
}

void hp_calls_tick(struct hp_node *n)
{
	struct calls *c = &n->calls;

	if (n->now_ns < c->next_ns)
		return;
	c->next_ns = HP_NEVER;
	if (!c->n_lans)
		return;
	beacon(n);
	if (c->tries + 1 < BEACONS_AT_START || is_anybody_looked_for(n))
		c->next_ns = n->now_ns + wait_ns(n, c->tries);
	c->tries++;
}

void hp_calls_soon(struct hp_node *n)
{
	struct calls *c = &n->calls;

	if (!n->started || !c->n_lans)
		return;
	c->tries = 0;
	c->next_ns = n->now_ns;
	if (c->sent_ns && hp_time_since(n->now_ns, c->sent_ns) < BEACON_GAP_NS)
		c->next_ns = c->sent_ns + BEACON_GAP_NS;
}

void hp_calls_again(struct hp_node *n)
{
	hp_calls_soon(n);
	for (struct peer *p = n->peers; p; p = p->hh.next) {
		if (p->call_ns == HP_NEVER)
			continue;
		p->call_ns = HP_NEVER;
		hp_call_begin(p);
		hp_peer_update(p);
	}
}

void hp_call_begin(struct peer *p)
{
	struct hp_node *n = p->node;
	/* Many peers are not all called at one instant. */
	uint64_t apart_ns = (uint64_t)(p->slot[0] ^ n->slot[0]) * HP_MS;

	if (p->call_ns != HP_NEVER || !is_looked_for(p))
		return;
	p->calls = 0;
	p->call_ns = n->now_ns + SERVER_GRACE_NS + apart_ns;
	hp_calls_soon(n);
}

void hp_call_tick(struct peer *p)
{
	struct hp_node *n = p->node;
	struct caller to = { 0 };
	uint8_t call[HP_CALL_LEN];
	bool served = is_served(p);

	p->call_ns = HP_NEVER;
	if (!is_looked_for(p))
		return;
	p->call_ns = n->now_ns + wait_ns(n, p->calls++);
	if (served || !make(n, HP_CALL_ASK, true, 0, call))
		return;
	for (unsigned int i = 0; i < p->n_homes; i++) {
		to.path.remote = p->homes[i];
		send_to(n, &to, p->slot, call);
	}
	hp_mesh_ask(p, call);
}

/* ---- being called ---------------------------------------------------- */

/* An ASK may be a copy of an old one: it is answered and believed in nothing.
 * A peer that is reached already, in this run of it, did not mean us.
 */
static void on_ask(struct hp_node *n, const struct caller *from,
		   const struct hp_call *call, const struct hp_record *rec)
{
	const struct peer *p = hp_peer_find(n, call->from);
	uint8_t buf[HP_CALL_LEN];

	if (p && (p->cause != HP_OK || p->parted ||
		  (p->epoch == rec->epoch && p->session &&
		   hp_path_set(&p->direct))))
		return;
	if (make(n, HP_CALL_ANSWER, p && is_looked_for(p), call->nonce, buf))
		send_to(n, from, call->from, buf);
}

static void introduce(struct hp_node *n, const struct caller *from,
		      const struct hp_call *call, const struct hp_record *rec)
{
	const struct hp_path none = { 0 };
	struct peer *p = hp_peer_shown(n, call->from, &rec->cert);

	if (!p)
		return;
	/* It has our record, from the call that this one answers. */
	p->told_ns = n->now_ns;
	p->told_mapping = hp_node_mapping(n);
	n->calls.met += p->epoch != rec->epoch;
	hp_peer_introduced(p, rec, &from->seen, &none, HP_SERVERS_MAX, NULL,
			   false);
}

static void on_answer(struct hp_node *n, const struct caller *from,
		      const struct hp_call *call, const struct hp_record *rec)
{
	struct peer *p = hp_peer_find(n, call->from);
	uint8_t buf[HP_CALL_LEN];

	if (n->want_all && !p)
		p = hp_peer_get(n, call->from);
	if (p && n->want_all && !p->parted)
		p->wanted = true;
	if (!call->want && !(p && is_looked_for(p)))
		return;
	if (!make(n, HP_CALL_CLOSE, true, call->nonce, buf))
		return;
	send_to(n, from, call->from, buf);
	introduce(n, from, call, rec);
}

void hp_call_rx(struct hp_node *n, const struct caller *from,
		const uint8_t *buf, size_t len)
{
	struct hp_record rec;
	struct hp_call call;

	if (!n->started || hp_call_open(&n->net, buf, len, &call) != HP_OK ||
	    !memcmp(call.from, n->slot, sizeof(n->slot)) ||
	    (call.kind != HP_CALL_ASK && !is_ours(n, call.echo)) ||
	    !hp_pace_take(&n->calls.heard, n->now_ns) ||
	    hp_call_record(&n->net, hp_node_purpose(n), &call, &rec) != HP_OK)
		return;
	switch (call.kind) {
	case HP_CALL_ASK:
		on_ask(n, from, &call, &rec);
		break;
	case HP_CALL_ANSWER:
		on_answer(n, from, &call, &rec);
		break;
	case HP_CALL_CLOSE:
		introduce(n, from, &call, &rec);
		break;
	}
}

void hp_call_datagram(struct hp_node *n, const struct hp_path *from,
		      const uint8_t *buf, size_t len)
{
	const struct caller caller = { .path = *from, .seen = from->remote };

	if (from->channel || (from->remote.family == HP_AF_6 &&
			      !hp_node_may(n, HP_METHOD_IPV6)))
		return;
	hp_call_rx(n, &caller, buf, len);
}

/* ---- the LANs -------------------------------------------------------- */

void hp_calls_init(struct hp_node *n)
{
	n->calls.next_ns = HP_NEVER;
	n->calls.heard = (struct hp_pace){ .every_ns = HP_S / 20, .burst = 100 };
}

struct hp_addr hp_beacon_group(unsigned int family, uint32_t index)
{
	static const uint8_t ip6[16] = { 0xff, 0x12, [14] = 0x68, [15] = 0x70 };
	struct hp_addr a = hp_addr4(239, 255, 104, 112, HP_BEACON_PORT);

	if (family == HP_AF_6) {
		a = hp_addr_of(HP_AF_6, ip6, HP_BEACON_PORT);
		a.scope = index;
	}
	return a;
}

/* The last address of an interface and family stands for it. */
static void add_lan(struct calls *c, const struct hp_ifaddr *a)
{
	size_t k = 0;

	while (k < c->n_lans && (c->lan[k].index != a->index ||
				 c->lan[k].addr.family != a->addr.family))
		k++;
	if (k == HP_NODE_LANS)
		return;
	c->lan[k].index = a->index;
	c->lan[k].addr = a->addr;
	c->lan[k].addr.port = 0;
	c->n_lans += k == c->n_lans;
}

static bool has_lan(const struct calls *c, uint32_t index)
{
	for (size_t k = 0; k < c->n_lans; k++)
		if (c->lan[k].index == index)
			return true;
	return false;
}

/* A link without a router, where nobody gave any address, is a LAN, too: by
 * link-local addresses, which serve for nothing else.
 */
static void find_lans(struct hp_node *n, const struct hp_ifrules *rules)
{
	bool six = hp_node_may(n, HP_METHOD_IPV6);
	struct calls *c = &n->calls;

	memset(c->lan, 0, sizeof(c->lan));
	c->n_lans = 0;
	for (size_t i = 0; i < n->n_ifaddrs; i++)
		if ((six || n->ifaddrs[i].addr.family == HP_AF_4) &&
		    hp_ifaddr_judge(&n->ifaddrs[i], rules) == HP_IFADDR_OK)
			add_lan(c, &n->ifaddrs[i]);
	for (size_t i = 0; six && i < n->n_ifaddrs; i++)
		if (!has_lan(c, n->ifaddrs[i].index) &&
		    hp_ifaddr_on_link(&n->ifaddrs[i], rules))
			add_lan(c, &n->ifaddrs[i]);
}

void hp_calls_lans(struct hp_node *n, const struct hp_ifrules *rules)
{
	struct hp_node_lan was[HP_NODE_LANS];
	struct calls *c = &n->calls;
	size_t n_was = c->n_lans;

	if (!n->cfg.ops.lans || !hp_node_may(n, HP_METHOD_HOST))
		return;
	memcpy(was, c->lan, sizeof(was));
	find_lans(n, rules);
	if (c->n_lans == n_was && !memcmp(was, c->lan, sizeof(was)))
		return;
	n->cfg.ops.lans(n->cfg.ctx, c->lan, c->n_lans);
	hp_calls_soon(n);
}

void hp_node_calls_get(const struct hp_node *n, struct hp_node_calls_info *out)
{
	*out = (struct hp_node_calls_info){
		.lans = n->calls.n_lans,
		.met = n->calls.met,
		.carried = n->calls.carried,
	};
}

void hp_node_beacon(struct hp_node *n, const struct hp_path *from,
		    const uint8_t *buf, size_t len, uint64_t now_ns)
{
	n->now_ns = now_ns;
	hp_call_datagram(n, from, buf, len);
}
