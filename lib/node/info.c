/* SPDX-License-Identifier: ISC */
/* What a node tells about itself and its peers. Reads only. */
#include "node/internal.h"

#include <string.h>

const char *hp_server_state_text(enum hp_server_state s)
{
	switch (s) {
	case HP_SERVER_UNRESOLVED:
		return "name not resolved";
	case HP_SERVER_TRYING:
		return "trying";
	case HP_SERVER_REGISTERED:
		return "registered";
	case HP_SERVER_LOST:
		return "no answer";
	case HP_SERVER_REFUSED:
		return "refused";
	}
	return "unknown";
}

const char *hp_peer_state_text(enum hp_peer_state s)
{
	switch (s) {
	case HP_PEER_IDLE:
		return "idle";
	case HP_PEER_CONNECTING:
		return "connecting";
	case HP_PEER_RELAYED:
		return "relayed";
	case HP_PEER_DIRECT:
		return "direct";
	case HP_PEER_OFFLINE:
		return "offline";
	case HP_PEER_REFUSED:
		return "refused";
	case HP_PEER_LOST:
		return "lost";
	}
	return "unknown";
}

const char *hp_mapping_text(enum hp_mapping m)
{
	switch (m) {
	case HP_MAPPING_UNKNOWN:
		return "unknown";
	case HP_MAPPING_NONE:
		return "no NAT";
	case HP_MAPPING_EIM:
		return "endpoint-independent";
	case HP_MAPPING_APDM:
		return "address- and port-dependent";
	}
	return "unknown";
}

const char *hp_transport_text(enum hp_transport t)
{
	switch (t) {
	case HP_OVER_UDP:
		return "UDP";
	case HP_OVER_TCP:
		return "TCP";
	case HP_OVER_TLS:
		return "TLS";
	}
	return "unknown";
}

struct hp_wg *hp_node_wg(struct hp_node *n)
{
	return n->wg;
}

const struct hp_identity *hp_node_identity(const struct hp_node *n)
{
	return &n->self;
}

const struct hp_judge *hp_node_judge(const struct hp_node *n)
{
	return n->judge;
}

enum hp_err hp_node_set_revoked(struct hp_node *n, const uint8_t *list,
				size_t len, uint64_t now_ns)
{
	n->now_ns = now_ns;
	return hp_node_revoke(n, list, len);
}

uint32_t hp_node_methods(const struct hp_node *n)
{
	return n->cfg.methods;
}

struct hp_addr hp_node_addr4(const struct hp_node *n)
{
	return hp_overlay_addr4(&n->self.cert.grant.overlay);
}

struct hp_addr hp_node_addr6(const struct hp_node *n)
{
	return hp_overlay_addr6(&n->net.id, &n->self.cert.grant.overlay);
}

unsigned int hp_node_server_count(const struct hp_node *n)
{
	return n->n_servers;
}

void hp_node_server_get(const struct hp_node *n, unsigned int i,
			struct hp_node_server_info *out)
{
	const struct server *s = &n->servers[i];

	*out = (struct hp_node_server_info){
		.name = s->name,
		.state = s->state,
		.refused = s->refused,
		.addr = s->addr,
		.seen4 = s->seen[0][0],
		.seen6 = s->seen[1][0],
		.mapping = hp_server_mapping(n, s),
		.rtt_ns = s->rtt_ns,
		.over = s->by_stream ? s->stream : HP_OVER_UDP,
		.stream = s->stream_why,
	};
}

/* True when @a lies on a link of this host. */
static bool on_link(const struct hp_node *n, const struct hp_addr *a)
{
	for (size_t i = 0; i < n->n_ifaddrs; i++) {
		struct hp_prefix link = hp_prefix_host(&n->ifaddrs[i].addr);

		link.bits = n->ifaddrs[i].bits;
		hp_prefix_trim(&link);
		if (link.bits && hp_prefix_has(&link, a->family, a->ip))
			return true;
	}
	return false;
}

/* Does the peer show the same address to the world as we do, and is nothing
 * heard of it but over the relay?
 */
static bool behind_one_nat(const struct hp_node *n,
			   const struct hp_punch_info *punch)
{
	bool same = false;

	for (size_t i = 0; i < punch->n_paths; i++) {
		const struct hp_punch_path_info *t = &punch->paths[i];

		if (t->kind == HP_CAND_RELAYED)
			continue;
		if (t->heard || t->valid)
			return false;
		for (size_t j = 0; j < n->n_cand; j++)
			same |= t->kind == HP_CAND_REFLEXIVE &&
				n->cand[j].kind == HP_CAND_REFLEXIVE &&
				n->cand[j].addr.family == HP_AF_4 &&
				hp_addr_same_ip(&n->cand[j].addr,
						&t->path.remote);
	}
	return same;
}

static const char *why_relayed(const struct hp_node *n,
			       const struct hp_punch_info *punch)
{
	switch (punch->reason) {
	case HP_PUNCH_WHY_NAT_BOTH:
	case HP_PUNCH_WHY_NAT_PEER:
	case HP_PUNCH_WHY_NAT_OWN:
	case HP_PUNCH_WHY_GUESS_FAILED:
	case HP_PUNCH_WHY_GUESS_HOPELESS:
	case HP_PUNCH_WHY_SILENT:
		if (behind_one_nat(n, punch))
			return "both are behind one NAT, which does not turn "
			       "packets around";
		break;
	case HP_PUNCH_WHY_NONE:
	case HP_PUNCH_WHY_IDLE:
	case HP_PUNCH_WHY_TRYING:
	case HP_PUNCH_WHY_LOST:
	case HP_PUNCH_WHY_LOSSY:
	case HP_PUNCH_WHY_NO_CANDIDATE:
	case HP_PUNCH_WHY_BLOCKED:
	case HP_PUNCH_WHY_GUESSING:
	case HP_PUNCH_WHY_GUESS_QUEUED:
	case HP_PUNCH_WHY_GUESS_OFF:
	case HP_PUNCH_WHY_ONE_WAY:
		break;
	}
	return hp_punch_reason_text(punch->reason);
}

static const char *why(const struct peer *p,
		       const struct hp_punch_info *punch)
{
	const struct hp_node *n = p->node;
	bool registered = false;

	for (unsigned int i = 0; i < n->n_servers; i++)
		registered |= n->servers[i].state == HP_SERVER_REGISTERED;
	switch (p->state) {
	case HP_PEER_DIRECT:
		return NULL;
	case HP_PEER_IDLE:
		return p->parted ? "ended here; hptun up --peer connects again" :
				   NULL;
	case HP_PEER_REFUSED:
		return hp_err_name(p->cause);
	case HP_PEER_OFFLINE:
		return "it is not registered at the rendezvous";
	case HP_PEER_LOST:
		return "nothing is heard from it any more";
	case HP_PEER_RELAYED:
		return why_relayed(n, punch);
	case HP_PEER_CONNECTING:
		break;
	}
	if (!registered && !p->epoch)
		return "no rendezvous answers yet";
	return p->epoch ? hp_punch_reason_text(punch->reason) :
			  "waiting for an introduction";
}

static void peer_info(const struct peer *p, uint64_t now_ns,
		      struct hp_node_peer_info *out)
{
	const struct hp_node *n = p->node;
	struct hp_punch_info punch = { 0 };
	struct hp_wg_peer_info wg = { 0 };

	*out = (struct hp_node_peer_info){
		.name = p->name,
		.state = p->state,
		.wanted = p->wanted,
		.cause = p->cause,
		.intruder = p->intruder,
		.since_ns = p->since_ns,
		.connect_ns = p->connect_ns,
		.session_ns = p->session_ns,
		.direct_ns = p->direct_ns,
		.mtu = p->mtu ? p->mtu : n->cfg.mtu,
		.n_candidates = p->n_candidates,
	};
	if (p->known) {
		hp_wg_peer_info(p->wg, now_ns, &wg);
		hp_secret_wipe(&wg.psk);
		if (p->punch)
			hp_punch_get_info(p->punch, &punch);
		out->key = p->key;
		out->addr4 = hp_overlay_addr4(&p->overlay);
		out->addr6 = hp_overlay_addr6(&n->net.id, &p->overlay);
		out->handshake_ns = wg.handshake_ns;
		out->cipher = wg.session_ns ? hp_suite_name(wg.suite) : NULL;
		out->rx_bytes = wg.rx_bytes;
		out->tx_bytes = wg.tx_bytes;
		out->rtt_ns = punch.rtt_ns;
		out->pong_ns = punch.pong_ns;
		out->pongs = punch.pongs;
		out->probes = punch.tx;
		out->guesses = punch.guesses;
		out->guess_probes = punch.guess_probes;
		out->sockets = punch.sockets;
		out->pmtu = punch.pmtu;
	}
	if (p->state == HP_PEER_DIRECT || p->state == HP_PEER_RELAYED)
		out->path = hp_path_set(&p->direct) ? p->direct : p->relay;
	if (p->state == HP_PEER_DIRECT)
		out->lan = on_link(n, &p->direct.remote);
	if (p->state == HP_PEER_RELAYED)
		out->server = hp_relay_name(p);
	out->why = why(p, &punch);
}

size_t hp_node_peer_count(const struct hp_node *n)
{
	return n->n_named;
}

void hp_node_peer_get(const struct hp_node *n, size_t i, uint64_t now_ns,
		      struct hp_node_peer_info *out)
{
	peer_info(n->named[i], now_ns, out);
}

enum hp_err hp_node_peer_find(const struct hp_node *n, const char *name,
			      uint64_t now_ns, struct hp_node_peer_info *out)
{
	char folded[HP_NAME_TEXT];
	const struct peer *p = NULL;

	if (hp_name_parse(name, folded, NULL) == HP_OK)
		p = hp_peer_named(n, folded);
	if (!p)
		return HP_ERR_UNKNOWN;
	peer_info(p, now_ns, out);
	return HP_OK;
}
