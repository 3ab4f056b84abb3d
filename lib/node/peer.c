/* SPDX-License-Identifier: ISC */
/*
 * One peer of the node: from a slot that somebody listed to a direct path.
 *
 *	hp_peer_want() --> hp_peer_connect() --> introduction --> session, relayed
 *	     ^               ^    |             |                |
 *	     |               |    v             v                v
 *	  the user        retry: offline    path machine --> session, direct
 *	                  1, 2, 4 .. 64 s                         |
 *	                     ^                                    |
 *	                     +------- fell silent, restarted -----+
 *
 * The state that users see is derived from facts in hp_peer_update().
 */
#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_PACE_NS HP_S
#define RETRY_FIRST_NS HP_S
#define RETRY_MAX_SHIFT 6	/* 64 s */
#define INTRUDER_GAP_NS (600 * HP_S)
#define WATCH_NS (250 * HP_MS)
/* Longer than the WireGuard timers let a peer stay marked as active, so that
 * its next packet is announced by a notice again.
 */
#define WATCH_IDLE_NS (40 * HP_S)

/* ---- finding and making ---------------------------------------------- */

struct peer *hp_peer_find(struct hp_node *n, const uint8_t slot[HP_SLOT_LEN])
{
	struct peer *p;

	HASH_FIND(hh, n->peers, slot, HP_SLOT_LEN, p);
	return p;
}

/* Place of @name in the sorted list, or where it belongs. */
static size_t named_at(const struct hp_node *n, const char *name)
{
	size_t low = 0;
	size_t high = n->n_named;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(n->named[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct peer *hp_peer_named(const struct hp_node *n, const char *name)
{
	size_t at = named_at(n, name);

	return at < n->n_named && !strcmp(n->named[at]->name, name) ?
		       n->named[at] : NULL;
}

struct peer *hp_peer_get(struct hp_node *n, const uint8_t slot[HP_SLOT_LEN])
{
	struct peer *p = hp_peer_find(n, slot);
	size_t count = HASH_COUNT(n->peers);
	struct peer **named;

	if (p)
		return p;
	if (count >= HP_NODE_PEERS_MAX || !memcmp(slot, n->slot, HP_SLOT_LEN) ||
	    hp_heap_reserve(&n->heap, count + 1) != HP_OK)
		return NULL;
	named = reallocarray(n->named, count + 1, sizeof(struct peer *));
	if (!named)
		return NULL;
	n->named = named;
	p = calloc(1, sizeof(*p) + n->n_servers * sizeof(p->relays[0]));
	if (!p)
		return NULL;
	p->node = n;
	p->retry_ns = HP_NEVER;
	p->watch_ns = HP_NEVER;
	p->note_ns = HP_NEVER;
	p->call_ns = HP_NEVER;
	p->via_ns = HP_NEVER;
	p->since_ns = n->now_ns;
	memcpy(p->slot, slot, HP_SLOT_LEN);
	HASH_ADD(hh, n->peers, slot, HP_SLOT_LEN, p);
	if (!p->hh.tbl) {
		free(p);
		return NULL;
	}
	return p;
}

void hp_peer_set_name(struct peer *p, const char *name)
{
	struct hp_node *n = p->node;
	size_t at = named_at(n, name);

	if (p->name[0])
		return; /* a slot has one name for ever */
	memcpy(p->name, name, strnlen(name, sizeof(p->name) - 1) + 1);
	memmove(&n->named[at + 1], &n->named[at],
		(n->n_named - at) * sizeof(struct peer *));
	n->named[at] = p;
	n->n_named++;
	hp_node_emit(n, HP_NODE_PEER_NEW, p, HP_OK);
}

static void keys_drop(struct peer *p)
{
	struct hp_node *n = p->node;

	if (!p->known)
		return;
	hp_ferry_drop(p);
	hp_via_drop(p);
	if (p->by_probe.tbl)
		HASH_DELETE(by_probe, n->probe_tags, p);
	if (p->by_note.tbl)
		HASH_DELETE(by_note, n->note_tags, p);
	memset(&p->by_probe, 0, sizeof(p->by_probe));
	memset(&p->by_note, 0, sizeof(p->by_note));
	hp_sample_forget(p);
	hp_punch_free(p->punch);
	hp_wg_peer_remove(p->wg);
	hp_secret_wipe(&p->pair);
	p->punch = NULL;
	p->wg = NULL;
	p->known = false;
	p->session = false;
	p->epoch = 0;
	p->direct = (struct hp_path){ 0 };
	p->relay = (struct hp_path){ 0 };
	p->doubt = (struct hp_path){ 0 };
	memset(p->relays, 0, n->n_servers * sizeof(p->relays[0]));
	p->relay_server = 0;
	p->both = false;
	p->mtu = 0;
	p->watch_ns = HP_NEVER;
	p->note_ns = HP_NEVER;
}

void hp_peer_free(struct peer *p)
{
	struct hp_node *n = p->node;

	keys_drop(p);
	hp_via_free(p);
	hp_half_free(p);
	hp_heap_set(&n->heap, &p->timer, HP_NEVER);
	HASH_DEL(n->peers, p);
	if (p->name[0]) {
		size_t at = named_at(n, p->name);

		n->n_named--;
		memmove(&n->named[at], &n->named[at + 1],
			(n->n_named - at) * sizeof(struct peer *));
	}
	free(p);
}

/* ---- paths ----------------------------------------------------------- */

/* Without a relay, a direct path that fell silent is still the best hope. */
const struct hp_path *hp_peer_path(const struct peer *p)
{
	if (hp_path_set(&p->direct))
		return &p->direct;
	return hp_path_set(&p->relay) ? &p->relay : &p->doubt;
}

void hp_peer_route(struct peer *p)
{
	bool both = p->both && hp_path_set(&p->direct) &&
		    hp_path_set(&p->relay);

	/* Out of memory: the old path stays, and the next change tries again. */
	if (hp_wg_peer_set_also(p->wg, both ? &p->relay : NULL) ||
	    hp_wg_peer_set_path(p->wg, hp_peer_path(p), p->node->now_ns))
		return;
}

static void punch_send(void *ctx, const struct hp_path *path, int ttl,
		       const uint8_t *buf, size_t len)
{
	struct peer *p = ctx;

	hp_node_send(p->node, path, ttl, buf, len);
}

static void punch_sample(void *ctx)
{
	hp_sample_ask(ctx);
}

static enum hp_err punch_open(void *ctx, uint32_t *sock)
{
	const struct hp_node *n = ((struct peer *)ctx)->node;

	return n->cfg.ops.open(n->cfg.ctx, sock);
}

/* Packets leave it before it goes. */
static void punch_close(void *ctx, uint32_t sock)
{
	struct peer *p = ctx;
	const struct hp_node *n = p->node;

	if (p->direct.sock == sock)
		p->direct = (struct hp_path){ 0 };
	if (p->doubt.sock == sock)
		p->doubt = (struct hp_path){ 0 };
	hp_peer_route(p);
	n->cfg.ops.close(n->cfg.ctx, sock);
}

/* The opening volley may have had a part in it. */
static void note_hops(struct peer *p, const struct hp_path *direct)
{
	struct hp_punch_info info;

	if (direct->remote.family != HP_AF_4 ||
	    hp_addr_scope(&direct->remote) != HP_SCOPE_GLOBAL)
		return;
	hp_punch_get_info(p->punch, &info);
	hp_sample_worked(p->node, info.low_ttl);
}

static void punch_nominated(void *ctx, const struct hp_path *direct)
{
	struct peer *p = ctx;
	struct hp_node *n = p->node;

	p->doubt = p->direct;
	p->direct = direct ? *direct : (struct hp_path){ 0 };
	if (direct) {
		note_hops(p, direct);
		hp_cache_good(p, direct);
	}
	if (direct && !p->direct_ns)
		p->direct_ns = n->now_ns;
	hp_peer_route(p);
	hp_ferry_nominated(p);
	if (!direct) {
		hp_peer_tell(p); /* what changed while it did not matter */
		hp_via_soon(p);
	}
	if (direct && !p->session)
		(void)hp_wg_initiate(p->wg, n->now_ns); /* else it goes on */
}

static void punch_both(void *ctx, bool on)
{
	struct peer *p = ctx;

	p->both = on;
	hp_peer_route(p);
}

static void punch_event(void *ctx, enum hp_punch_event ev)
{
	struct peer *p = ctx;

	switch (ev) {
	case HP_PUNCH_RELAY_SILENT:
		p->silent = true;
		p->relay_gone = true;
		hp_peer_connect(p);
		break;
	case HP_PUNCH_QUIET:
		for (unsigned int i = 0; i < p->node->n_servers; i++)
			hp_meet_refresh(p->node->servers[i].client,
					p->node->now_ns);
		break;
	case HP_PUNCH_STRANGER:
	case HP_PUNCH_LOST:
		hp_peer_connect(p);
		break;
	case HP_PUNCH_FAILED:
		break; /* told by hp_punch_get_info() */
	case HP_PUNCH_PONG:
		hp_node_emit(p->node, HP_NODE_PONG, p, HP_OK);
		break;
	}
}

static const struct hp_punch_ops punch_ops = {
	.send = punch_send,
	.send_whole = hp_mtu_probe,
	.nominated = punch_nominated,
	.both = punch_both,
	.event = punch_event,
	.sample = punch_sample,
	.open = punch_open,
	.close = punch_close,
};

/* For a shell that opens no sockets. */
static const struct hp_punch_ops shut_ops = {
	.send = punch_send,
	.send_whole = hp_mtu_probe,
	.nominated = punch_nominated,
	.both = punch_both,
	.event = punch_event,
	.sample = punch_sample,
};

/* ---- keys ------------------------------------------------------------ */

static enum hp_err keys_wg(struct peer *p)
{
	struct hp_node *n = p->node;
	struct hp_addr addr4 = hp_overlay_addr4(&p->overlay);
	struct hp_addr addr6 = hp_overlay_addr6(&n->net.id, &p->overlay);
	struct hp_prefix prefix4 = hp_prefix_host(&addr4);
	struct hp_prefix prefix6 = hp_prefix_host(&addr6);
	struct hp_secret psk;
	enum hp_err err;

	err = hp_wg_peer_add(n->wg, &p->key, &p->wg);
	if (err != HP_OK)
		return err;
	hp_network_psk(&n->net, &n->self.cert.key, &p->key, &psk);
	hp_wg_peer_set_psk(p->wg, &psk);
	hp_secret_wipe(&psk);
	hp_wg_peer_set_user(p->wg, p);
	hp_wg_peer_set_roaming(p->wg, false);
	hp_suite_update(p);
	hp_wg_peer_set_repeat(p->wg, hp_node_patience(n));
	err = hp_wg_peer_allow(p->wg, &prefix4);
	if (err == HP_OK)
		err = hp_wg_peer_allow(p->wg, &prefix6);
	if (err != HP_OK)
		hp_wg_peer_remove(p->wg);
	return err;
}

struct hp_punch *hp_peer_make_punch(struct peer *p)
{
	struct hp_node *n = p->node;
	struct hp_punch_config pc = {
		.rng = n->cfg.rng,
		.key = p->pair,
		.own = n->self.cert.key,
		.peer = p->key,
		.epoch = n->epoch,
		.low_ttl = n->cfg.low_ttl,
		.methods = n->cfg.methods,
		.budget = &n->sample.budget,
		.longest = hp_mtu_longest(n),
		.ops = n->cfg.ops.open && n->cfg.ops.close ? &punch_ops :
							     &shut_ops,
		.ctx = p,
	};
	struct hp_punch *punch;

	punch = hp_punch_new(&pc);
	if (punch)
		hp_punch_set_keepalive(punch, n->learn.keepalive_ns);
	hp_secret_wipe(&pc.key);
	return punch;
}

enum hp_err hp_peer_set_keys(struct peer *p, const struct hp_public *key,
			  const struct hp_overlay *overlay)
{
	struct hp_node *n = p->node;
	enum hp_err err;

	if (p->known && hp_public_eq(&p->key, key) &&
	    hp_overlay_eq(&p->overlay, overlay))
		return HP_OK;
	keys_drop(p);
	p->intruder = HP_OK; /* new keys that were accepted: a new grant */
	p->key = *key;
	p->overlay = *overlay;
	err = hp_network_pair_key(&n->net, &n->self.key, key, &p->pair);
	if (err != HP_OK)
		return err;
	err = keys_wg(p);
	if (err != HP_OK) {
		hp_secret_wipe(&p->pair);
		return err;
	}
	hp_punch_tag(&p->pair, key, p->probe_tag);
	hp_note_tag(&n->net, key, p->note_tag);
	HASH_ADD(by_probe, n->probe_tags, probe_tag, HP_PUNCH_TAG_LEN, p);
	HASH_ADD(by_note, n->note_tags, note_tag, HP_NOTE_TAG_LEN, p);
	p->known = true;
	if (p->by_probe.tbl && p->by_note.tbl)
		return HP_OK;
	keys_drop(p);
	return HP_ERR_NOMEM;
}

/* ---- connecting ------------------------------------------------------ */

void hp_peer_want(struct peer *p)
{
	p->wanted = true;
	p->parted = false;
	p->offline = false;
	p->call_ns = HP_NEVER;
	if (p->state == HP_PEER_RELAYED || p->state == HP_PEER_DIRECT)
		return;
	p->connect_ns = p->node->now_ns;
	p->session_ns = 0;
	/* On a LAN its own call may have been the first. */
	p->direct_ns = hp_path_set(&p->direct) ? p->node->now_ns : 0;
	hp_peer_connect(p);
}

/* Does a handshake have to ride along? Only when its answer has a way back,
 * and no session stands.
 */
static bool wants_init(const struct peer *p)
{
	struct hp_wg_peer_info info;
	bool wants;

	if (!p->known || !hp_node_may(p->node, HP_METHOD_RELAY))
		return false;
	hp_wg_peer_info(p->wg, p->node->now_ns, &info);
	wants = !p->session || !info.session_ns;
	hp_secret_wipe(&info.psk);
	return wants;
}

static void send_offer(struct peer *p)
{
	struct hp_node *n = p->node;
	struct hp_offer offer = { 0 };
	uint8_t blob[HP_OFFER_MAX];
	size_t len;

	p->told_ns = n->now_ns;
	hp_node_record(n, &offer.record);
	p->told_mapping = hp_node_mapping(n);
	offer.has_init = wants_init(p) &&
			 hp_wg_initiation_make(p->wg, n->now_ns,
					       offer.init) == HP_OK;
	if (hp_offer_seal(&n->net, hp_node_purpose(n), &n->self, &offer, p->slot,
			  &n->cfg.rng, blob, &len) != HP_OK)
		return;
	for (unsigned int i = 0; i < n->n_servers; i++)
		if (hp_meet_connect(n->servers[i].client, p->slot, blob, len,
				    n->now_ns) != HP_OK)
			continue; /* full: the retry comes by */
}

void hp_peer_connect(struct peer *p)
{
	struct hp_node *n = p->node;

	if (!n->started)
		return;
	if (p->asked_ns && n->now_ns < p->asked_ns + CONNECT_PACE_NS) {
		p->retry_ns = hp_time_min(p->retry_ns,
					  p->asked_ns + CONNECT_PACE_NS);
	} else {
		if (!p->connect_ns)
			p->connect_ns = n->now_ns;
		p->asked_ns = n->now_ns;
		p->retry_ns = HP_NEVER;
		send_offer(p);
	}
	hp_call_begin(p);
	hp_peer_update(p);
}

void hp_peer_tell(struct peer *p)
{
	struct hp_node *n = p->node;
	bool mapping = p->told_mapping != HP_MAPPING_APDM &&
		       hp_node_mapping(n) == HP_MAPPING_APDM;

	if (p->epoch && !hp_path_set(&p->direct) &&
	    (mapping || p->told_ns < n->cand_ns))
		hp_peer_connect(p);
}

static bool connected(const struct peer *p)
{
	return p->session && (hp_path_set(&p->direct) ||
			      (hp_path_set(&p->relay) && !p->silent));
}

void hp_peer_connect_later(struct peer *p)
{
	unsigned int shift = p->tries < RETRY_MAX_SHIFT ? p->tries :
							  RETRY_MAX_SHIFT;

	if ((p->wanted || p->session) && !connected(p)) {
		p->tries++;
		p->retry_ns = p->node->now_ns + (RETRY_FIRST_NS << shift);
	}
	hp_peer_update(p);
}

void hp_peer_refuse(struct peer *p, enum hp_err cause)
{
	keys_drop(p);
	p->cause = cause;
	p->retry_ns = HP_NEVER;
	for (unsigned int i = 0; i < p->node->n_servers; i++)
		hp_meet_connect_cancel(p->node->servers[i].client, p->slot);
	hp_peer_update(p);
}

void hp_peer_intruder(struct peer *p, enum hp_err cause)
{
	struct hp_node *n = p->node;

	p->intruder = cause;
	if (p->intruder_ns &&
	    hp_time_since(n->now_ns, p->intruder_ns) < INTRUDER_GAP_NS)
		return;
	p->intruder_ns = n->now_ns;
	hp_node_emit(n, HP_NODE_INTRUDER, p, cause);
}

/* ---- what WireGuard says --------------------------------------------- */

static void wg_send(void *ctx, struct hp_wg_peer *peer,
		    const struct hp_path *path, struct hp_pkt *pkt)
{
	struct hp_node *n = ctx;
	struct hp_path to = *path;

	/* Data by the slow path: no data thread tells of it. */
	if (peer && hp_wg_peer_user(peer) &&
	    hp_datagram_kind(pkt->data, pkt->len) == HP_DGRAM_WG_DATA)
		hp_peer_watch(hp_wg_peer_user(peer));
	if (to.channel && hp_relay_push(pkt, to.channel) != HP_OK)
		return;
	n->cfg.ops.send(n->cfg.ctx, &to, 0, pkt->data, pkt->len);
}

static void wg_deliver(void *ctx, struct hp_wg_peer *peer,
		       struct hp_pkt *inner)
{
	struct hp_node *n = ctx;
	struct peer *p = hp_wg_peer_user(peer);

	n->cfg.ops.deliver(n->cfg.ctx, p ? p->name : "", inner);
}

static void wg_event(void *ctx, struct hp_wg_peer *peer, enum hp_wg_event ev)
{
	struct hp_node *n = ctx;
	struct peer *p = hp_wg_peer_user(peer);

	if (!p)
		return; /* a stock peer */
	switch (ev) {
	case HP_WG_SESSION_UP:
		if (!p->session) {
			p->session = true;
			p->session_ns = n->now_ns;
			hp_notes_begin(p);
		}
		hp_suite_session(p);
		hp_peer_watch(p);
		hp_peer_update(p);
		break;
	case HP_WG_WANTED:
	case HP_WG_HANDSHAKE_FAILED:
		p->wanted |= ev == HP_WG_WANTED;
		hp_peer_connect(p);
		break;
	case HP_WG_HANDSHAKE_SENT:
	case HP_WG_ROAMED:
	case HP_WG_KEYS_GONE:
		break;
	}
}

static void wg_timestamp(void *ctx, uint8_t out[12])
{
	struct hp_node *n = ctx;

	n->cfg.ops.timestamp(n->cfg.ctx, out);
}

const struct hp_wg_ops hp_peer_wg_ops = {
	.send = wg_send,
	.deliver = wg_deliver,
	.event = wg_event,
	.timestamp = wg_timestamp,
};

/* ---- time ------------------------------------------------------------ */

void hp_peer_watch(struct peer *p)
{
	if (p->watch_ns == HP_NEVER)
		p->watch_ns = p->node->now_ns + WATCH_NS;
	hp_peer_update(p);
}

/* Tells the path machine what the data path sent and heard. */
static void look(struct peer *p)
{
	struct hp_node *n = p->node;
	struct hp_wg_peer_info info;
	uint64_t last;

	hp_wg_peer_info(p->wg, n->now_ns, &info);
	hp_secret_wipe(&info.psk);
	if (p->punch && info.tx_data_first_ns) {
		/* The last one, too: answers to probes may lie between. */
		hp_punch_sent(p->punch, info.tx_data_first_ns);
		hp_punch_sent(p->punch, info.tx_last_ns);
	}
	if (p->punch)
		hp_punch_busy(p->punch, info.tx_last_ns);
	if (info.rx_last_ns > p->heard_ns) {
		p->heard_ns = info.rx_last_ns;
		p->silent = false;
		if (p->punch)
			hp_punch_heard(p->punch, NULL, info.rx_last_ns);
	}
	last = info.tx_last_ns > info.rx_last_ns ? info.tx_last_ns :
						   info.rx_last_ns;
	p->watch_ns = hp_time_since(n->now_ns, last) > WATCH_IDLE_NS ?
			      HP_NEVER : n->now_ns + WATCH_NS;
}

void hp_peer_tick(struct peer *p)
{
	struct hp_node *n = p->node;

	/* Before the machine calls it silence: was anything heard since? */
	if (p->watch_ns <= n->now_ns ||
	    (p->watch_ns != HP_NEVER && p->punch &&
	     hp_punch_deadline(p->punch) <= n->now_ns))
		look(p);
	if (p->punch)
		hp_punch_tick(p->punch, n->now_ns);
	if (p->relay_gone)
		hp_relay_failed(p);
	hp_relay_follow(p);
	if (p->note_ns <= n->now_ns)
		hp_notes_tick(p);
	if (p->call_ns <= n->now_ns)
		hp_call_tick(p);
	if (p->via_ns <= n->now_ns)
		hp_via_tick(p);
	if (hp_ferry_due(p) <= n->now_ns)
		hp_ferry_drop(p);
	if (p->retry_ns <= n->now_ns) {
		p->retry_ns = HP_NEVER;
		hp_peer_connect(p);
	}
	hp_peer_update(p);
}

static enum hp_peer_state derive(const struct peer *p)
{
	if (p->cause != HP_OK)
		return HP_PEER_REFUSED;
	if (p->session && hp_path_set(&p->direct))
		return HP_PEER_DIRECT;
	if (connected(p))
		return HP_PEER_RELAYED;
	if (p->offline)
		return HP_PEER_OFFLINE;
	if (p->session)
		return HP_PEER_LOST;
	return p->wanted || p->epoch ? HP_PEER_CONNECTING : HP_PEER_IDLE;
}

void hp_peer_due(struct peer *p)
{
	struct hp_node *n = p->node;
	uint64_t due = hp_time_min(p->retry_ns, p->note_ns);

	due = hp_time_min(due, p->call_ns);
	due = hp_time_min(due, p->via_ns);
	due = hp_time_min(due, hp_ferry_due(p));
	due = hp_time_min(due, hp_relay_follow_due(p));
	due = p->relay_gone ? n->now_ns :
			      hp_time_min(due, p->watch_ns);
	if (p->punch)
		due = hp_time_min(due, hp_punch_deadline(p->punch));
	hp_heap_set(&n->heap, &p->timer, due);
}

void hp_peer_update(struct peer *p)
{
	struct hp_node *n = p->node;
	enum hp_peer_state state = derive(p);
	const struct hp_path *path = hp_peer_path(p);

	hp_mtu_update(p);
	hp_peer_due(p);
	if (state == p->state && hp_path_eq(path, &p->shown)) {
		hp_via_update(p);
		return;
	}
	if (state != p->state)
		p->since_ns = n->now_ns;
	p->state = state;
	p->shown = *path;
	if (p->name[0])
		hp_node_emit(n, HP_NODE_PEER, p, p->cause);
	hp_via_update(p);
}
