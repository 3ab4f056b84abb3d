/* SPDX-License-Identifier: ISC */
/*
 * The engine's frame: making and freeing a node, telling datagrams to their
 * owners, what the node publishes about itself, time.
 */
#include "node/ferry.h"
#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

/* While no round trip is known; and the least that is waited. */
#define PATIENCE_NS (250 * HP_MS)
#define PATIENCE_LEAST_NS (100 * HP_MS)

/* ---- for the other files --------------------------------------------- */

uint64_t hp_node_wall(const struct hp_node *n)
{
	return n->wall_s + hp_time_since(n->now_ns, n->wall_ns) / HP_S;
}

void hp_node_emit(struct hp_node *n, enum hp_node_event_kind kind,
		const struct peer *p, enum hp_err err)
{
	const struct hp_node_event ev = {
		.kind = kind,
		.peer = p ? p->name : "",
		.err = err,
		.now_ns = n->now_ns,
	};

	n->cfg.ops.event(n->cfg.ctx, &ev);
}

void hp_node_send(struct hp_node *n, const struct hp_path *path, int ttl,
	       const uint8_t *buf, size_t len)
{
	uint8_t framed[HP_RELAY_HEAD + HP_MEET_MAX + HP_NOTE_MAX];
	struct hp_pkt pkt;

	if (!path->channel) {
		n->cfg.ops.send(n->cfg.ctx, path, ttl, buf, len);
		return;
	}
	if (len > sizeof(framed) - HP_RELAY_HEAD)
		return;
	memcpy(framed + HP_RELAY_HEAD, buf, len);
	pkt = hp_pkt_of(framed, sizeof(framed), HP_RELAY_HEAD, len);
	if (hp_relay_push(&pkt, path->channel) == HP_OK)
		n->cfg.ops.send(n->cfg.ctx, path, ttl, pkt.data, pkt.len);
}

static int ifaddr_cmp(const void *a, const void *b)
{
	const struct hp_addr *x = &((const struct hp_ifaddr *)a)->addr;
	const struct hp_addr *y = &((const struct hp_ifaddr *)b)->addr;
	int d = (x->family > y->family) - (x->family < y->family);

	return d ? d : memcmp(x->ip, y->ip, sizeof(x->ip));
}

/* Asked for each peer, on hosts that may have thousands of addresses. */
bool hp_node_has_address(const struct hp_node *n, const struct hp_addr *a)
{
	const struct hp_ifaddr key = { .addr = *a };

	return n->n_ifaddrs && bsearch(&key, n->ifaddrs, n->n_ifaddrs,
				       sizeof(key), ifaddr_cmp);
}

static struct hp_ifrules rules_of(const struct hp_node *n)
{
	return (struct hp_ifrules){
		.overlay = n->overlay,
		.n_overlay = NODE_OVERLAYS,
		.only = &n->cfg.interfaces,
		.never = &n->cfg.exclude,
		.methods = n->cfg.methods,
	};
}

static size_t gather_hosts(const struct hp_node *n,
			   struct hp_candidate out[HP_CANDIDATES_HOST_MAX])
{
	const struct hp_ifrules rules = rules_of(n);

	return hp_candidates_gather(n->ifaddrs, n->n_ifaddrs, &rules, n->port,
				    out);
}

static bool has_ipv4(const struct hp_node *n)
{
	for (size_t i = 0; i < n->n_cand; i++)
		if (n->cand[i].addr.family == HP_AF_4)
			return true;
	return false;
}

enum hp_mapping hp_server_mapping(const struct hp_node *n, const struct server *s)
{
	const struct hp_addr *addr4 = &n->cfg.servers[s - n->servers].addr4;

	for (unsigned int f = 0; f < 2; f++) {
		const struct hp_addr *seen = s->seen[f];

		/* IPv6 says nothing of a NAT that IPv4 may yet show. */
		if (f && addr4->family && has_ipv4(n))
			break;
		if (seen[0].family && hp_node_has_address(n, &seen[0]))
			return HP_MAPPING_NONE;
		if (seen[0].family && seen[1].family)
			return hp_addr_eq(&seen[0], &seen[1]) ?
				       HP_MAPPING_EIM : HP_MAPPING_APDM;
	}
	return HP_MAPPING_UNKNOWN;
}

enum hp_mapping hp_node_mapping(const struct hp_node *n)
{
	enum hp_mapping worst = HP_MAPPING_UNKNOWN;

	for (unsigned int i = 0; i < n->n_servers; i++) {
		enum hp_mapping m = hp_server_mapping(n, &n->servers[i]);

		if (m > worst)
			worst = m;
	}
	return worst;
}

uint64_t hp_node_patience(const struct hp_node *n)
{
	uint64_t rtt_ns = HP_NEVER;

	for (unsigned int i = 0; i < n->n_servers; i++)
		if (n->servers[i].rtt_ns)
			rtt_ns = hp_time_min(rtt_ns, n->servers[i].rtt_ns);
	if (rtt_ns == HP_NEVER)
		return PATIENCE_NS;
	return 3 * rtt_ns > PATIENCE_LEAST_NS ? 3 * rtt_ns : PATIENCE_LEAST_NS;
}

void hp_node_record(struct hp_node *n, struct hp_record *rec)
{
	memset(rec, 0, sizeof(*rec));
	rec->caps = (uint16_t)(hp_node_mapping(n) | hp_suite_caps(n) |
			       (n->ferry ? HP_RECORD_RELAYS : 0));
	rec->revoked = hp_judge_revoked_number(n->judge);
	rec->epoch = n->epoch;
	rec->seq = n->seq;
	rec->n_cand = (unsigned int)n->n_cand;
	memcpy(rec->cand, n->cand, sizeof(rec->cand));
}

static size_t gather(const struct hp_node *n,
		     struct hp_candidate out[HP_CANDIDATES_MAX])
{
	size_t count = gather_hosts(n, out);

	for (unsigned int i = 0; i < n->n_servers; i++)
		for (unsigned int f = 0; f < 2; f++) {
			const struct hp_candidate c = {
				.addr = n->servers[i].seen[f][0],
				.kind = HP_CAND_REFLEXIVE,
			};

			if (c.addr.family &&
			    hp_candidate_allowed(&c, n->cfg.methods))
				hp_candidates_add(out, &count, &c);
		}
	hp_node_gather_mapped(n, out, &count);
	return count;
}

void hp_node_publish(struct hp_node *n, bool anyway)
{
	struct hp_candidate cand[HP_CANDIDATES_MAX] = { 0 };
	struct hp_record rec;
	uint8_t blob[HP_RECORD_MAX];
	bool same;
	size_t count;
	size_t len;

	if (!n->started)
		return;
	count = gather(n, cand);
	same = count == n->n_cand &&
	       !memcmp(cand, n->cand, count * sizeof(cand[0]));
	if (same && !anyway)
		return;
	if (!same)
		n->cand_ns = n->now_ns;
	memcpy(n->cand, cand, sizeof(n->cand));
	n->n_cand = count;
	n->seq++;
	hp_node_record(n, &rec);
	if (hp_record_seal(&n->net, hp_node_purpose(n), &n->self, &rec,
			   &n->cfg.rng, blob, &len) != HP_OK)
		return; /* cannot be: gather() keeps to what fits */
	for (unsigned int i = 0; i < n->n_servers; i++)
		if (hp_meet_set_record(n->servers[i].client, blob, len,
				       n->now_ns) != HP_OK)
			continue;
}

enum hp_err hp_node_admit(struct hp_node *n, const struct hp_cert *cert)
{
	uint64_t before = hp_judge_generation(n->judge);
	enum hp_err err = hp_judge_check(n->judge, cert, hp_node_wall(n), NULL);

	if (hp_judge_generation(n->judge) != before)
		hp_node_emit(n, HP_NODE_PINS, NULL, HP_OK);
	return err;
}

/* All whose keys are known are pinned, met in this run or not. */
static bool peer_revoked(const struct peer *p)
{
	const struct hp_judge *j = p->node->judge;
	const struct hp_pin *pin = p->known ? hp_judge_find(j, p->name) : NULL;

	return pin && hp_judge_is_revoked(j, pin->serial);
}

enum hp_err hp_node_revoke(struct hp_node *n, const uint8_t *list, size_t len)
{
	enum hp_err err = hp_judge_revoke(n->judge, list, len);

	if (err != HP_OK)
		return err;
	hp_node_emit(n, HP_NODE_REVOKED, NULL, HP_OK);
	for (struct peer *p = n->peers; p; p = p->hh.next) {
		if (peer_revoked(p)) {
			hp_peer_refuse(p, HP_ERR_REVOKED);
		} else if (p->epoch) {
			hp_notes_begin(p);
			hp_peer_update(p);
		}
	}
	hp_node_publish(n, true);
	return HP_OK;
}

/* ---- making and freeing ---------------------------------------------- */

static enum hp_err node_wg(struct hp_node *n)
{
	const struct hp_wg_cfg wc = {
		.ops = &hp_peer_wg_ops,
		.ctx = n,
		.rng = &n->cfg.rng,
		.engine = n->cfg.engine,
		.aes = n->cfg.aes && n->cfg.cipher != HP_CIPHER_CHACHA,
	};

	n->wg = hp_wg_new(&wc);
	if (!n->wg)
		return HP_ERR_NOMEM;
	hp_wg_set_private(n->wg, &n->self.key);
	hp_wg_set_mtu(n->wg, n->cfg.mtu);
	return HP_OK;
}

/* Peers met in earlier runs: the first packet for one starts a connection. One
 * that chose a key of no use (ours, another's) only has no connection.
 */
static enum hp_err node_pins(struct hp_node *n)
{
	for (size_t i = 0; i < hp_judge_pin_count(n->judge); i++) {
		const struct hp_pin *pin = hp_judge_pin(n->judge, i);
		uint8_t slot[HP_SLOT_LEN];
		struct peer *p;

		hp_network_slot(&n->net, hp_node_purpose(n), pin->name, slot);
		if (!memcmp(slot, n->slot, sizeof(slot)) ||
		    hp_judge_is_revoked(n->judge, pin->serial))
			continue;
		p = hp_peer_get(n, slot);
		if (!p || hp_peer_set_keys(p, &pin->key, &pin->overlay) ==
				  HP_ERR_NOMEM)
			return HP_ERR_NOMEM;
		hp_peer_set_name(p, pin->name);
	}
	return HP_OK;
}

static enum hp_err node_fill(struct hp_node *n,
			     const struct hp_node_config *cfg)
{
	enum hp_err err = hp_identity_check(&n->self, &n->net.id);

	if (err != HP_OK)
		return HP_ERR_KEY;
	n->overlay[0] = hp_overlay_subnet(&n->self.cert.grant.overlay);
	n->overlay[1] = hp_overlay_subnet6(&n->net.id);
	hp_network_slot(&n->net, hp_node_purpose(n), n->self.cert.grant.name,
			n->slot);
	hp_note_tag(&n->net, &n->self.cert.key, n->note_tag);
	while (!n->epoch)
		n->epoch = hp_rng_u64(&n->cfg.rng);
	if (!n->judge)
		n->judge = hp_judge_new(&n->net.id);
	if (!n->judge)
		return HP_ERR_NOMEM;
	err = node_wg(n);
	if (err == HP_OK)
		err = hp_ferry_init(n);
	for (unsigned int i = 0; err == HP_OK && i < cfg->n_servers; i++) {
		err = hp_server_init(n, i, &cfg->servers[i]);
		n->n_servers += err == HP_OK;
	}
	return err == HP_OK ? node_pins(n) : err;
}

enum hp_err hp_node_new(const struct hp_node_config *cfg, struct hp_node **out)
{
	struct hp_node *n = calloc(1, sizeof(*n));
	enum hp_err err;

	if (!n)
		return HP_ERR_NOMEM;
	n->cfg = *cfg;
	if (!cfg->methods)
		n->cfg.methods = HP_METHODS_ALL;
	n->net = *cfg->net;
	n->self = *cfg->identity;
	n->is_root = cfg->root != NULL;
	if (cfg->root)
		n->root = *cfg->root;
	if (cfg->purpose)
		memcpy(n->purpose, cfg->purpose,
		       strnlen(cfg->purpose, sizeof(n->purpose) - 1));
	n->judge = cfg->judge;
	hp_sample_init(n);
	hp_learn_init(n);
	hp_calls_init(n);
	err = node_fill(n, cfg);
	if (err != HP_OK) {
		hp_node_free(n);
		return err;
	}
	*out = n;
	return HP_OK;
}

void hp_node_free(struct hp_node *n)
{
	if (!n)
		return;
	hp_learn_free(n);
	while (n->peers)
		hp_peer_free(n->peers);
	hp_ferry_free(n);
	for (unsigned int i = 0; i < n->n_servers; i++)
		hp_meet_free(n->servers[i].client);
	hp_wg_free(n->wg);
	hp_judge_free(n->judge);
	hp_heap_free(&n->heap);
	free(n->named);
	free(n->ifaddrs);
	hp_network_wipe(&n->net);
	hp_identity_wipe(&n->self);
	hp_secret_wipe(&n->root);
	free(n);
}

/* A peer known by its pin alone could begin a handshake by itself. */
static bool pin_ended(const struct peer *p)
{
	const struct hp_node *n = p->node;
	const struct hp_pin *pin = p->known && !p->epoch ?
					   hp_judge_find(n->judge, p->name) :
					   NULL;

	return pin && pin->until_s && n->wall_s > pin->until_s;
}

/* A grant that has ended: the peer may have a permanent certificate that we do
 * not know of, so it is asked first.
 */
static void look_at_date(struct peer *p)
{
	const struct hp_node *n = p->node;

	if (pin_ended(p))
		hp_peer_refuse(p, HP_ERR_EXPIRED);
	if (!p->epoch || p->cert.kind != HP_CERT_GRANTED ||
	    n->wall_s <= p->cert.grant.until_s)
		return;
	if (p->ended) {
		hp_peer_refuse(p, HP_ERR_EXPIRED);
	} else {
		p->ended = true;
		hp_peer_connect(p);
	}
}

void hp_node_start(struct hp_node *n, uint16_t port, uint64_t wall_s,
		   uint64_t now_ns)
{
	n->now_ns = now_ns;
	n->wall_s = wall_s;
	n->wall_ns = now_ns;
	n->port = port;
	n->started = true;
	for (unsigned int i = 0; i < n->n_servers; i++)
		hp_stream_start(&n->servers[i]);
	hp_node_publish(n, true);
	hp_calls_soon(n);
	for (struct peer *p = n->peers; p; p = p->hh.next) {
		look_at_date(p);
		if (p->wanted)
			hp_peer_connect(p);
	}
}

void hp_node_bye(struct hp_node *n, uint64_t now_ns)
{
	n->now_ns = now_ns;
	for (unsigned int i = 0; i < n->n_servers; i++)
		hp_meet_bye(n->servers[i].client, now_ns);
}

/* ---- news from the host ---------------------------------------------- */

void hp_node_set_wall(struct hp_node *n, uint64_t wall_s, uint64_t now_ns)
{
	n->now_ns = now_ns;
	n->wall_s = wall_s;
	n->wall_ns = now_ns;
	for (struct peer *p = n->peers; p; p = p->hh.next)
		look_at_date(p);
}

static void poke_all(struct hp_node *n)
{
	for (struct peer *p = n->peers; p; p = p->hh.next) {
		if (!p->epoch)
			continue;
		hp_punch_poke(p->punch, n->now_ns);
		hp_peer_connect(p);
	}
}

void hp_node_network_changed(struct hp_node *n, uint64_t now_ns)
{
	n->now_ns = now_ns;
	if (!n->started)
		return;
	for (unsigned int i = 0; i < n->n_servers; i++) {
		hp_meet_network_changed(n->servers[i].client, now_ns);
		hp_stream_changed(&n->servers[i]);
	}
	poke_all(n);
	hp_calls_again(n);
}

bool hp_node_set_interfaces(struct hp_node *n, const struct hp_ifaddr *addrs,
			    size_t n_addrs, uint64_t now_ns)
{
	struct hp_candidate cand[HP_CANDIDATES_HOST_MAX];
	struct hp_candidate was[HP_CANDIDATES_HOST_MAX];
	const struct hp_ifrules rules = rules_of(n);
	struct hp_ifaddr *copy = calloc(n_addrs ? n_addrs : 1, sizeof(*copy));
	size_t n_was, n_is;

	if (!copy)
		return false; /* the next change comes by */
	n->now_ns = now_ns;
	n_was = gather_hosts(n, was);
	if (n_addrs) {
		memcpy(copy, addrs, n_addrs * sizeof(*copy));
		qsort(copy, n_addrs, sizeof(*copy), ifaddr_cmp);
	}
	free(n->ifaddrs);
	n->ifaddrs = copy;
	n->n_ifaddrs = n_addrs;
	hp_calls_lans(n, &rules);
	n_is = gather_hosts(n, cand);
	if (!n->started ||
	    (n_is == n_was && !memcmp(cand, was, n_is * sizeof(cand[0]))))
		return false;
	/* How servers see us may be as it was: they tell only what changed. */
	hp_node_publish(n, false);
	hp_node_network_changed(n, now_ns);
	return true;
}

void hp_node_set_server(struct hp_node *n, unsigned int server,
			const struct hp_addr *addr4,
			const struct hp_addr *addr6, uint64_t now_ns)
{
	const struct hp_addr addrs[2] = { *addr4, *addr6 };
	struct server *s = &n->servers[server];

	n->now_ns = now_ns;
	n->cfg.servers[server].addr4 = *addr4;
	s->resolved = addr4->family || addr6->family;
	if (s->state == HP_SERVER_UNRESOLVED && s->resolved) {
		s->state = HP_SERVER_TRYING;
		s->addr = addr4->family ? *addr4 : *addr6;
	}
	if (!hp_addr_eq(&s->addr, addr4) && !hp_addr_eq(&s->addr, addr6))
		s->addr = addr4->family ? *addr4 : *addr6;
	if (n->started)
		hp_stream_start(s);
	hp_meet_set_addrs(s->client, addrs, now_ns);
}

enum hp_err hp_node_want(struct hp_node *n, const char *name, uint64_t now_ns)
{
	char folded[HP_NAME_TEXT];
	uint8_t slot[HP_SLOT_LEN];
	enum hp_err err = hp_name_parse(name, folded, NULL);
	struct peer *p;

	n->now_ns = now_ns;
	if (err != HP_OK)
		return err;
	hp_network_slot(&n->net, hp_node_purpose(n), folded, slot);
	if (!memcmp(slot, n->slot, sizeof(slot)))
		return HP_ERR_EXISTS;
	p = hp_peer_get(n, slot);
	if (!p)
		return HP_ERR_FULL;
	hp_peer_set_name(p, folded);
	hp_peer_want(p);
	return HP_OK;
}

enum hp_err hp_node_part(struct hp_node *n, const char *name, uint64_t now_ns)
{
	char folded[HP_NAME_TEXT];
	enum hp_err err = hp_name_parse(name, folded, NULL);
	struct peer *p;

	n->now_ns = now_ns;
	if (err != HP_OK)
		return err;
	p = hp_peer_named(n, folded);
	if (!p)
		return HP_ERR_UNKNOWN;
	p->parted = true;
	p->wanted = false;
	p->offline = false;
	p->call_ns = HP_NEVER;
	hp_peer_refuse(p, HP_OK);
	return HP_OK;
}

void hp_node_want_all(struct hp_node *n, uint64_t now_ns)
{
	n->now_ns = now_ns;
	n->want_all = true;
	for (struct peer *p = n->peers; p; p = p->hh.next)
		p->parted = false;
	for (unsigned int i = 0; i < n->n_servers; i++)
		if (n->servers[i].state == HP_SERVER_REGISTERED)
			hp_meet_list(n->servers[i].client, now_ns);
}

enum hp_err hp_node_ping(struct hp_node *n, const char *name, uint64_t now_ns)
{
	char folded[HP_NAME_TEXT];
	struct peer *p = NULL;
	enum hp_err err;

	n->now_ns = now_ns;
	if (hp_name_parse(name, folded, NULL) == HP_OK)
		p = hp_peer_named(n, folded);
	if (!p)
		return HP_ERR_UNKNOWN;
	if (!p->punch)
		return HP_ERR_STATE;
	err = hp_punch_ping(p->punch, now_ns);
	hp_peer_update(p);
	return err;
}

/* ---- packets --------------------------------------------------------- */

static void rx_probe(struct hp_node *n, const struct hp_path *from,
		     const struct hp_pkt *pkt)
{
	struct peer *p;

	if (pkt->len < HP_PUNCH_TAG_AT + HP_PUNCH_TAG_LEN)
		return;
	if (!from->channel && from->remote.family == HP_AF_6 &&
	    !hp_node_may(n, HP_METHOD_IPV6))
		return;
	HASH_FIND(by_probe, n->probe_tags, pkt->data + HP_PUNCH_TAG_AT,
		  HP_PUNCH_TAG_LEN, p);
	if (!p || !p->punch)
		return; /* not met yet: its introduction is still under way */
	if (hp_punch_rx(p->punch, from, pkt->data, pkt->len, n->now_ns) ==
	    HP_OK) {
		p->proved = true;
		if (from->channel) {
			p->silent = false;
			hp_via_heard(p);
		}
	}
	hp_peer_update(p);
}

static void rx_server(struct hp_node *n, const struct hp_path *from,
		      const struct hp_pkt *pkt)
{
	for (unsigned int i = 0; i < n->n_servers; i++)
		if (hp_stream_rx(&n->servers[i], from, pkt->data, pkt->len) !=
		    HP_ERR_TYPE)
			return;
}

static void rx_kind(struct hp_node *n, enum hp_datagram kind,
		    const struct hp_path *from, struct hp_pkt *pkt)
{
	switch (kind) {
	case HP_DGRAM_WG:
	case HP_DGRAM_WG_DATA:
		(void)hp_wg_rx(n->wg, from, pkt, n->now_ns); /* counts it */
		break;
	case HP_DGRAM_PROBE:
		rx_probe(n, from, pkt);
		break;
	case HP_DGRAM_NOTE:
		hp_notes_rx(n, from, pkt->data, pkt->len);
		break;
	case HP_DGRAM_CALL:
		hp_call_datagram(n, from, pkt->data + HP_WIRE_HEAD,
				 pkt->len - HP_WIRE_HEAD);
		break;
	case HP_DGRAM_STUN:
		if (hp_path_is_stream(from))
			break;
		hp_learn_rx(n, from, pkt->data, pkt->len);
		if (from->sock) {
			hp_sample_rx(n, from, pkt->data, pkt->len);
			break;
		}
		/* fall through */
	case HP_DGRAM_MEET:
		rx_server(n, from, pkt);
		break;
	case HP_DGRAM_RELAY: /* within a relay datagram: not ours */
	case HP_DGRAM_NONE:
		break;
	}
}

static bool from_server(const struct hp_node *n, const struct hp_addr *from)
{
	for (unsigned int i = 0; i < n->n_servers; i++)
		if (hp_addr_eq(&n->servers[i].addr, from))
			return true;
	return false;
}

/* False: it is ours. */
static bool relay_on(struct hp_node *n, const struct hp_path *from,
		     const struct hp_pkt *pkt)
{
	const struct hp_path *to;
	enum hp_err err = hp_ferry_pass(n->ferry, from, pkt, n->now_ns, &to);

	if (!err)
		n->cfg.ops.send(n->cfg.ctx, to, 0, pkt->data, pkt->len);
	return err != HP_ERR_TYPE;
}

void hp_node_rx(struct hp_node *n, const struct hp_path *from,
		struct hp_pkt *pkt, uint64_t now_ns)
{
	struct hp_path path = *from;
	enum hp_datagram kind = hp_datagram_kind(pkt->data, pkt->len);

	n->now_ns = now_ns;
	if (relay_on(n, from, pkt))
		return;
	if (kind == HP_DGRAM_RELAY) {
		if (hp_relay_pull(pkt, &path.channel) != HP_OK)
			return;
		kind = hp_datagram_kind(pkt->data, pkt->len);
		if (kind == HP_DGRAM_MEET || kind == HP_DGRAM_STUN)
			return; /* only peers speak through a relay */
	}
	if (path.channel && !from_server(n, &path.remote) &&
	    !hp_via_relays(n, &path))
		return;
	rx_kind(n, kind, &path, pkt);
}

enum hp_err hp_node_tx(struct hp_node *n, struct hp_pkt *inner,
		       uint64_t now_ns)
{
	n->now_ns = now_ns;
	return hp_wg_tx(n->wg, inner, now_ns);
}

void hp_node_notice(struct hp_node *n, const struct hp_notice *notice,
		    uint64_t now_ns)
{
	struct hp_wg_peer *w;

	n->now_ns = now_ns;
	hp_wg_notice(n->wg, notice, now_ns);
	w = hp_wg_peer_by_id(n->wg, notice->peer);
	if (w && hp_wg_peer_user(w))
		hp_peer_watch(hp_wg_peer_user(w));
}

void hp_node_send_failed(struct hp_node *n, const struct hp_path *path,
			 int sys_errno, uint64_t now_ns)
{
	(void)now_ns;
	if (n->n_faults < NODE_FAULTS)
		n->faults[n->n_faults++] = (struct fault){ *path, sys_errno };
}

/* ---- time ------------------------------------------------------------ */

static void tick_faults(struct hp_node *n)
{
	unsigned int count = n->n_faults;
	struct fault faults[NODE_FAULTS];

	memcpy(faults, n->faults, sizeof(faults));
	n->n_faults = 0;
	for (unsigned int i = 0; i < count; i++)
		for (struct peer *p = n->peers; p; p = p->hh.next) {
			if (!p->epoch)
				continue;
			hp_punch_error(p->punch, &faults[i].path,
				       hp_punch_fault_of(faults[i].sys_errno),
				       n->now_ns);
			hp_peer_update(p);
		}
}

void hp_node_tick(struct hp_node *n, uint64_t now_ns)
{
	struct hp_timer *t;

	n->now_ns = now_ns;
	tick_faults(n);
	for (unsigned int i = 0; i < n->n_servers; i++) {
		if (hp_meet_deadline(n->servers[i].client) <= now_ns)
			hp_meet_tick(n->servers[i].client, now_ns);
		hp_stream_tick(&n->servers[i]);
	}
	if (hp_wg_deadline(n->wg) <= now_ns)
		hp_wg_tick(n->wg, now_ns);
	while ((t = hp_heap_pop(&n->heap, now_ns)))
		hp_peer_tick(hp_container_of(t, struct peer, timer));
	hp_calls_tick(n);
	hp_ferry_tick(n);
	hp_sample_tick(n);
	hp_learn_tick(n);
}

uint64_t hp_node_deadline(const struct hp_node *n)
{
	uint64_t next = n->n_faults ? 0 : hp_heap_next(&n->heap);

	next = hp_time_min(next, hp_wg_deadline(n->wg));
	next = hp_time_min(next, n->sample.next_ns);
	next = hp_time_min(next, n->learn.next_ns);
	next = hp_time_min(next, n->calls.next_ns);
	next = hp_time_min(next, hp_ferry_deadline(n));
	for (unsigned int i = 0; i < n->n_servers; i++) {
		next = hp_time_min(next,
				   hp_meet_deadline(n->servers[i].client));
		next = hp_time_min(next, n->servers[i].udp_ns);
	}
	return next;
}
