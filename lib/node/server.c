/* SPDX-License-Identifier: ISC */
/*
 * The node's side of one rendezvous server: what its client's events mean for
 * the node and its peers.
 */
#include "node/internal.h"

#include <string.h>

enum hp_err hp_server_init(struct hp_node *n, unsigned int i,
			const struct hp_node_server *cfg)
{
	struct server *s = &n->servers[i];
	struct hp_meet_config mc = {
		.server = { cfg->addr4, cfg->addr6 },
		.seed = n->net.reg_seed,
		.rng = &n->cfg.rng,
		.ops = &hp_server_ops,
		.ctx = s,
	};

	s->node = n;
	s->resolved = cfg->addr4.family || cfg->addr6.family;
	hp_stream_init(s, cfg->over);
	s->state = s->resolved ? HP_SERVER_TRYING : HP_SERVER_UNRESOLVED;
	s->addr = cfg->addr4.family ? cfg->addr4 : cfg->addr6;
	memcpy(s->name, cfg->name, sizeof(s->name));
	memcpy(mc.slot, n->slot, sizeof(mc.slot));
	s->client = hp_meet_new(&mc);
	hp_secret_wipe(&mc.seed);
	return s->client ? HP_OK : HP_ERR_NOMEM;
}

static void server_state(struct server *s, enum hp_server_state state,
			 enum hp_err refused)
{
	struct hp_node_event ev = {
		.kind = HP_NODE_SERVER,
		.server = (unsigned int)(s - s->node->servers),
		.peer = "",
		.err = refused,
		.now_ns = s->node->now_ns,
	};

	s->state = state;
	s->refused = refused;
	s->node->cfg.ops.event(s->node->cfg.ctx, &ev);
}

static enum hp_err reason_err(enum hp_meet_reason reason)
{
	switch (reason) {
	case HP_MEET_NOT_ALLOWED:
		return HP_ERR_DENIED;
	case HP_MEET_FULL:
	case HP_MEET_NETWORK_FULL:
		return HP_ERR_FULL;
	case HP_MEET_LIMIT:
		return HP_ERR_LIMIT;
	case HP_MEET_OFFLINE:
		return HP_ERR_UNKNOWN;
	case HP_MEET_TIMEOUT:
		return HP_ERR_AGAIN;
	}
	return HP_ERR_STATE;
}

/* How the server at @ev->server sees us; no address: it does not tell. */
static void note_seen(struct server *s, const struct hp_meet_event *ev)
{
	struct hp_addr *seen = s->seen[ev->server.family == HP_AF_6];
	enum hp_mapping was = hp_node_mapping(s->node);

	if (ev->port > 1)
		return;
	hp_sample_seen(s->node, &ev->server, &ev->seen);
	/* A new address at one port makes the other's old one worthless. */
	if (hp_addr_ip_len(&ev->seen) &&
	    !hp_addr_same_ip(&seen[!ev->port], &ev->seen))
		seen[!ev->port] = (struct hp_addr){ 0 };
	seen[ev->port] = ev->seen;
	hp_node_publish(s->node, hp_node_mapping(s->node) != was);
	for (struct peer *p = s->node->peers; p; p = p->hh.next)
		hp_peer_tell(p);
}

static void on_registered(struct server *s, const struct hp_meet_event *ev)
{
	struct hp_node *n = s->node;

	s->addr = ev->server;
	s->rtt_ns = ev->rtt_ns;
	note_seen(s, ev);
	hp_stream_registered(s);
	server_state(s, HP_SERVER_REGISTERED, HP_OK);
	hp_learn_seen(n);
	hp_meet_list(s->client, n->now_ns);
	/* Channels of an earlier session may be gone with it; and where packets
	 * are relayed by another server, this one may be nearer.
	 */
	for (struct peer *p = n->peers; p; p = p->hh.next)
		if (p->state == HP_PEER_RELAYED ||
		    (p->wanted && p->state != HP_PEER_DIRECT))
			hp_peer_connect(p);
}

/* What came along: a record, or an offer made for us. */
static enum hp_err intro_open(struct hp_node *n, const struct hp_meet_event *ev,
			      struct hp_offer *out)
{
	enum hp_err err = HP_ERR_TYPE;

	memset(out, 0, sizeof(*out));
	if (!ev->answer)
		err = hp_offer_open(&n->net, hp_node_purpose(n), ev->slot,
				    n->slot, ev->blob, ev->blob_len, out);
	if (err == HP_ERR_TYPE)
		err = hp_record_open(&n->net, hp_node_purpose(n), ev->slot,
				     ev->blob, ev->blob_len, &out->record);
	return err;
}

/* Whoever has the secret can register under any slot: what comes from there
 * says nothing against a peer that was met, but is worth a word.
 */
static void not_admitted(struct peer *p, const struct hp_cert *cert,
			 enum hp_err err)
{
	if (!p->epoch || hp_node_admit(p->node, &p->cert) != HP_OK)
		hp_peer_refuse(p, err);
	else if (!hp_cert_same_node(cert, &p->cert))
		hp_peer_intruder(p, err);
}

struct peer *hp_peer_shown(struct hp_node *n, const uint8_t slot[HP_SLOT_LEN],
			   const struct hp_cert *cert)
{
	struct peer *p = hp_peer_get(n, slot);
	enum hp_err err;

	if (!p || p->parted)
		return NULL;
	hp_peer_set_name(p, cert->grant.name);
	err = hp_node_admit(n, cert);
	if (err == HP_OK)
		err = hp_peer_set_keys(p, &cert->key, &cert->grant.overlay);
	if (err == HP_OK)
		return p;
	not_admitted(p, cert, err);
	return NULL;
}

static void on_intro(struct server *s, const struct hp_meet_event *ev)
{
	struct hp_node *n = s->node;
	struct hp_path relay = { 0 };
	struct hp_offer offer;
	struct peer *p;

	if (!memcmp(ev->slot, n->slot, sizeof(n->slot)) ||
	    intro_open(n, ev, &offer) != HP_OK)
		return;
	p = hp_peer_shown(n, ev->slot, &offer.record.cert);
	if (!p)
		return;
	if (ev->channel && hp_node_may(n, HP_METHOD_RELAY)) {
		relay.remote = ev->server;
		relay.channel = ev->channel;
		relay.sock = hp_stream_sock(s);
	}
	hp_peer_introduced(p, &offer.record, &ev->seen, &relay,
			(unsigned int)(s - n->servers),
			offer.has_init ? offer.init : NULL, ev->answer);
}

static bool slot_listed(const struct hp_meet_event *ev, const uint8_t *slot)
{
	for (size_t i = 0; i < ev->n_slots; i++)
		if (!memcmp(ev->slots[i], slot, HP_SLOT_LEN))
			return true;
	return false;
}

/* A newcomer waits so long for a member that was there before, and that will
 * learn of it only with its next keepalive: in vain, most times.
 */
#define LISTED_GRACE (200 * HP_MS)

/* Of two members that list each other at once, the one with the lower slot
 * asks; the other gives it a moment, so that one introduction serves both.
 */
static void peer_listed(struct peer *p)
{
	struct hp_node *n = p->node;

	p->offline = false;
	if (!p->wanted || p->session || p->epoch)
		return;
	if (memcmp(n->slot, p->slot, HP_SLOT_LEN) < 0 || p->asked_ns) {
		hp_peer_connect(p);
	} else {
		p->retry_ns = hp_time_min(p->retry_ns,
					  n->now_ns + LISTED_GRACE);
		hp_peer_update(p);
	}
}

static void on_members(struct server *s, const struct hp_meet_event *ev)
{
	struct hp_node *n = s->node;

	for (size_t i = 0; i < ev->n_slots; i++) {
		struct peer *p = n->want_all ? hp_peer_get(n, ev->slots[i]) :
					       hp_peer_find(n, ev->slots[i]);

		if (!p)
			continue;
		p->wanted |= n->want_all && !p->parted;
		peer_listed(p);
	}
	/* A peer that signed off is looked at now, not at its next silence. */
	for (struct peer *p = n->peers; p; p = p->hh.next)
		if (p->epoch && !slot_listed(ev, p->slot))
			hp_punch_poke(p->punch, n->now_ns), hp_peer_update(p);
}

static void on_failed(struct server *s, const struct hp_meet_event *ev)
{
	struct peer *p = hp_peer_find(s->node, ev->slot);

	if (!p)
		return;
	if (ev->reason == HP_MEET_OFFLINE)
		p->offline = true;
	hp_peer_connect_later(p);
}

static void server_event(void *ctx, const struct hp_meet_event *ev)
{
	struct server *s = ctx;
	struct peer *p;

	switch (ev->kind) {
	case HP_MEET_EV_REGISTERED:
		on_registered(s, ev);
		break;
	case HP_MEET_EV_SEEN:
		note_seen(s, ev);
		hp_learn_seen(s->node);
		if (s->state == HP_SERVER_REGISTERED)
			server_state(s, s->state, HP_OK);
		break;
	case HP_MEET_EV_LOST:
		server_state(s, HP_SERVER_LOST, HP_OK);
		hp_stream_lost(s);
		break;
	case HP_MEET_EV_REFUSED:
		server_state(s, HP_SERVER_REFUSED, reason_err(ev->reason));
		break;
	case HP_MEET_EV_INTRO:
		on_intro(s, ev);
		break;
	case HP_MEET_EV_FAILED:
		on_failed(s, ev);
		break;
	case HP_MEET_EV_DELIVERED:
		p = hp_peer_find(s->node, ev->slot);
		if (p && p->known)
			hp_relay_timed(p, (unsigned int)(s - s->node->servers),
				       ev->rtt_ns);
		break;
	case HP_MEET_EV_MEMBERS:
		on_members(s, ev);
		break;
	case HP_MEET_EV_NO_CHANNEL:
		for (p = s->node->peers; p; p = p->hh.next)
			if (p->relay.channel == ev->channel &&
			    hp_addr_eq(&p->relay.remote, &ev->server))
				hp_peer_connect(p);
		break;
	}
}

static void server_send(void *ctx, const struct hp_addr *dst,
			const uint8_t *buf, size_t len)
{
	const struct server *s = ctx;
	struct hp_path path = { .remote = *dst };

	if (hp_stream_pass(s, dst, buf, len, &path.sock))
		hp_node_send(s->node, &path, 0, buf, len);
}

const struct hp_meet_ops hp_server_ops = {
	.send = server_send,
	.event = server_event,
};
