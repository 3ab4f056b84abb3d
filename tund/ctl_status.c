/* SPDX-License-Identifier: ISC */
/* What the engine knows, as JSON. The form is documented in hptunctl(8), and
 * scripts rely on it: add, never change.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/time.h"
#include "ctl_client.h"
#include "member/cert.h"
#include "member/judge.h"
#include "node/ferry.h"
#include "punch/nat.h"
#include "sys/conf.h"
#include "sys/portmap.h"
#include "sys/store.h"
#include "wg/device.h"

static json_t *ms_json(uint64_t ns)
{
	return ns ? json_real((double)ns / (double)HP_MS) : json_null();
}

json_t *ctl_addr_json(const struct hp_addr *a)
{
	char text[HP_ADDR_TEXT];

	return a->family == HP_AF_NONE ? json_null()
				       : json_string(hp_addr_text(a, text));
}

static json_t *ip_json(const struct hp_addr *a)
{
	char text[HP_ADDR_TEXT];

	return a->family == HP_AF_NONE ? json_null()
				       : json_string(hp_addr_ip_text(a, text));
}

/* From @from to @to, in ms; null when one of them did not happen. */
static json_t *span_json(uint64_t from_ns, uint64_t to_ns)
{
	if (!from_ns || to_ns < from_ns)
		return json_null();
	return json_real((double)(to_ns - from_ns) / (double)HP_MS);
}

bool ctl_peer_connected(const struct hp_node_peer_info *p)
{
	return p->state == HP_PEER_DIRECT || p->state == HP_PEER_RELAYED;
}

/* Words of the JSON: never change them. */
static const char *server_word(enum hp_server_state s)
{
	switch (s) {
	case HP_SERVER_UNRESOLVED:
		return "unresolved";
	case HP_SERVER_TRYING:
		return "trying";
	case HP_SERVER_REGISTERED:
		return "registered";
	case HP_SERVER_LOST:
		return "lost";
	case HP_SERVER_REFUSED:
		return "refused";
	}
	return "unknown";
}

static const char *over_word(enum hp_transport over)
{
	switch (over) {
	case HP_OVER_UDP:
		return "udp";
	case HP_OVER_TCP:
		return "tcp";
	case HP_OVER_TLS:
		return "tls";
	}
	return "unknown";
}

/* Why a server does not serve us. */
static const char *server_cause(const struct hp_node_server_info *s)
{
	if (s->refused)
		return hp_err_name(s->refused);
	return s->state != HP_SERVER_REGISTERED && s->stream[0] ? s->stream :
								  NULL;
}

json_t *ctl_server_json(const struct hp_node_server_info *s)
{
	json_t *seen = json_array();

	if (s->seen4.family != HP_AF_NONE)
		json_array_append_new(seen, ctl_addr_json(&s->seen4));
	if (s->seen6.family != HP_AF_NONE)
		json_array_append_new(seen, ctl_addr_json(&s->seen6));
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:s?}",
			 "server", s->name, "over", over_word(s->over),
			 "state", server_word(s->state),
			 "address", ctl_addr_json(&s->addr),
			 "seen", seen,
			 "mapping", hp_mapping_text(s->mapping),
			 "rtt_ms", ms_json(s->rtt_ns),
			 "cause", server_cause(s));
}

static json_t *path_json(const struct hp_node_peer_info *p)
{
	const char *kind = p->path.channel ? "relayed"
			   : p->lan	   ? "lan"
					   : "direct";

	if (!hp_path_set(&p->path))
		return json_null();
	return json_pack("{s:s, s:o, s:i, s:s?}", "kind", kind, "remote",
			 ctl_addr_json(&p->path.remote), "family",
			 (int)p->path.remote.family, "via", p->server);
}

static json_t *key_json(const struct hp_public *key)
{
	static const struct hp_public unknown;
	char text[HP_KEY_TEXT];

	return hp_public_eq(key, &unknown)
		       ? json_null()
		       : json_string(hp_public_text(key, text));
}

static json_t *warning_json(const struct hp_node_peer_info *p)
{
	return p->intruder ? json_sprintf("somebody else shows a certificate "
					  "for it: %s",
					  hp_err_name(p->intruder))
			   : json_null();
}

json_t *ctl_peer_json(const struct hp_node_peer_info *p, uint64_t now_ns)
{
	json_t *handshake = json_null();

	if (p->handshake_ns)
		handshake = json_integer((json_int_t)(
			hp_time_since(now_ns, p->handshake_ns) / HP_S));
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:b, s:o, s:s?, s:o,"
			 " s:s?, s:o, s:I, s:I, s:i, s:s, s:s?, s:o, s:o, s:o,"
			 " s:I, s:{s:I, s:I, s:i}}",
			 "name", p->name,
			 "public_key", key_json(&p->key),
			 "address", ip_json(&p->addr4),
			 "address6", ip_json(&p->addr6),
			 "state", hp_peer_state_text(p->state),
			 "wanted", (int)p->wanted,
			 "path", path_json(p),
			 "why", p->why,
			 "rtt_ms", ms_json(p->rtt_ns),
			 "cipher", p->cipher,
			 "last_handshake_s", handshake,
			 "rx_bytes", (json_int_t)p->rx_bytes,
			 "tx_bytes", (json_int_t)p->tx_bytes,
			 "mtu", (int)p->mtu,
			 "mtu_state", hp_pmtu_state_text(p->pmtu),
			 "cause", p->cause ? hp_err_name(p->cause) : NULL,
			 "warning", warning_json(p),
			 "session_ms", span_json(p->connect_ns, p->session_ns),
			 "direct_ms", span_json(p->connect_ns, p->direct_ns),
			 "probes_sent", (json_int_t)p->probes,
			 "guessing",
			 "rounds", (json_int_t)p->guesses,
			 "probes", (json_int_t)p->guess_probes,
			 "sockets", (int)p->sockets);
}

json_t *ctl_methods_json(uint32_t methods, bool on)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < HP_METHODS; i++)
		if ((methods >> i & 1) == on)
			json_array_append_new(list, json_string(hp_method_text(
				(enum hp_method)(1u << i))));
	return list;
}

/* What guessing ports costs, and may cost at most. */
static json_t *budget_json(const struct hp_node *n, uint64_t now_ns)
{
	struct hp_node_guess_info g;

	hp_node_guess_get(n, now_ns, &g);
	return json_pack("{s:b, s:i, s:i, s:i, s:I, s:i, s:I}",
			 "under_way", (int)g.busy,
			 "sockets", (int)g.sockets,
			 "mappings", (int)g.mappings,
			 "mappings_max", (int)g.mappings_max,
			 "probes", (json_int_t)g.probes,
			 "probes_per_s_max", (int)g.probes_per_s,
			 "waits", (json_int_t)g.refused);
}

/* What came about without a server. */
static json_t *calls_json(const struct hp_node *n)
{
	struct hp_node_calls_info c;

	hp_node_calls_get(n, &c);
	return json_pack("{s:i, s:I, s:I}", "lans", (int)c.lans,
			 "introductions", (json_int_t)c.met,
			 "passed_on", (json_int_t)c.carried);
}

/* What is relayed for other members; null: nothing is, by AllowRelay. */
static json_t *relaying_json(const struct hp_node *n)
{
	struct hp_ferry_info f;

	if (!hp_node_ferry_get(n, &f))
		return json_null();
	return json_pack("{s:o, s:i, s:I, s:I, s:I}", "limit_bps",
			 f.rate ? json_integer(f.rate * (json_int_t)8) :
				  json_null(),
			 "pairs", (int)f.channels,
			 "packets", (json_int_t)f.packets,
			 "bytes", (json_int_t)f.bytes,
			 "dropped", (json_int_t)f.dropped);
}

static json_t *seconds_json(unsigned int s)
{
	return s ? json_integer(s) : json_null();
}

/* How the NAT in front of us behaves, as far as it is known by now. */
static json_t *nat_json(const struct hp_node *n)
{
	struct hp_nat_facts f;

	hp_node_nat_get(n, &f);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}",
			 "mapping", hp_nat_mapping_text(f.mapping),
			 "allocation", hp_nat_ports_text(f.ports),
			 "filtering", hp_nat_filtering_text(f.filtering),
			 "hairpin", f.hairpin == HP_NAT_UNKNOWN ? json_null() :
				    json_boolean(f.hairpin == HP_NAT_YES),
			 "alive_s", seconds_json(f.alive_s),
			 "dead_s", seconds_json(f.dead_s));
}

/* By suite; null for one that is not spoken. */
static json_t *crypto_ns_json(const struct hp_aead_choice *c)
{
	json_t *doc = json_object();

	for (int s = 0; s < HP_SUITES; s++)
		json_object_set_new(doc, hp_suite_name((enum hp_suite)s),
				    c->ns[s] ? json_integer(c->ns[s]) :
					       json_null());
	return doc;
}

static json_t *self_json(const struct ctl_cfg *cfg)
{
	struct hp_addr a4 = hp_node_addr4(cfg->node);
	struct hp_addr a6 = hp_node_addr6(cfg->node);
	struct ctl_facts facts = { 0 };
	json_t *addrs = json_array();

	cfg->facts(cfg->ctx, &facts);
	if (a4.family != HP_AF_NONE)
		json_array_append_new(addrs, ip_json(&a4));
	if (a6.family != HP_AF_NONE)
		json_array_append_new(addrs, ip_json(&a6));
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:i, s:i, s:i, s:s, s:o, "
			 "s:s}",
			 "network", cfg->network,
			 "name", hp_node_identity(cfg->node)->cert.grant.name,
			 "addresses", addrs,
			 "prefix", facts.prefix,
			 "device", facts.device,
			 "mtu", (int)facts.mtu,
			 "port", (int)facts.port,
			 "threads", (int)facts.threads,
			 "crypto", hp_aead_name(facts.crypto.engine),
			 "crypto_ns", crypto_ns_json(&facts.crypto),
			 "version", cfg->version);
}

/* Its own addresses among the AllowedIPs. */
static void stock_addrs(const struct hp_stock_peer *stock,
			struct hp_node_peer_info *p)
{
	for (unsigned int i = 0; i < stock->n_allowed; i++) {
		const struct hp_prefix *a = &stock->allowed[i];
		struct hp_addr *to = a->family == HP_AF_4 ? &p->addr4
							  : &p->addr6;

		if (a->bits == (a->family == HP_AF_4 ? 32 : 128) &&
		    to->family == HP_AF_NONE)
			*to = hp_addr_of((enum hp_family)a->family, a->ip, 0);
	}
}

/* A WireGuard peer that is configured by hand: the engine proper has none of
 * it, so that it is as direct as its last handshake is fresh.
 */
static json_t *stock_json(const struct ctl_cfg *cfg, struct hp_wg_peer *peer,
			  uint64_t now_ns)
{
	const struct hp_public *key = hp_wg_peer_public(peer);
	const struct hp_stock_peer *stock = cfg->stock(cfg->ctx, key, NULL);
	struct hp_wg_peer_info wg;
	struct hp_node_peer_info p = { .name = "", .wanted = true };
	struct ctl_facts facts = { 0 };
	json_t *doc;

	cfg->facts(cfg->ctx, &facts);
	hp_wg_peer_info(peer, now_ns, &wg);
	hp_secret_wipe(&wg.psk);
	p.key = *key;
	if (stock) {
		p.name = stock->name;
		stock_addrs(stock, &p);
	}
	p.state = wg.usable ? HP_PEER_DIRECT : HP_PEER_IDLE;
	if (wg.usable)
		p.path = wg.path;
	p.cipher = wg.session_ns ? hp_suite_name(wg.suite) : NULL;
	p.handshake_ns = wg.handshake_ns;
	p.rx_bytes = wg.rx_bytes;
	p.tx_bytes = wg.tx_bytes;
	p.mtu = facts.mtu;
	doc = ctl_peer_json(&p, now_ns);
	json_object_set_new(doc, "stock", json_true());
	return doc;
}

json_t *ctl_portmap_json(const struct ctl_cfg *cfg, uint64_t now_ns)
{
	const struct hp_portmap_info *i;
	struct hp_node_mapped mapped;
	struct ctl_facts facts = { 0 };
	json_t *asked, *o;
	bool held;

	cfg->facts(cfg->ctx, &facts);
	i = facts.portmap;
	if (!i)
		return json_null();
	asked = json_object();
	held = i->external.family != HP_AF_NONE;
	hp_node_mapped_get(cfg->node, &mapped);
	for (int by = 0; by < HP_MAPPED_PROTOCOLS; by++)
		json_object_set_new(asked, hp_mapped_protocol_text(
			(enum hp_mapped_protocol)by), json_pack("{s:s, s:s?}",
			"state", hp_gateway_said_word(i->answer[by].said),
			"why", i->answer[by].why));
	o = json_pack("{s:o, s:b, s:o, s:s?, s:o, s:s, s:s, s:o}",
		      "gateway", ip_json(&i->gateway),
		      "under_way", (int)i->busy,
		      "mapped", ctl_addr_json(&i->external),
		      "protocol",
		      held ? hp_mapped_protocol_text(i->protocol) : NULL,
		      "lease_s", json_null(),
		      "state", hp_mapped_verdict_word(mapped.verdict),
		      "text", hp_mapped_verdict_text(mapped.verdict),
		      "asked", asked);
	if (held)
		json_object_set_new(o, "lease_s", json_integer((json_int_t)(
			hp_time_since(i->until_ns, now_ns) / HP_S)));
	return o;
}

json_t *ctl_nat64_json(const struct ctl_cfg *cfg)
{
	struct ctl_facts facts = { 0 };
	char text[HP_PREFIX_TEXT];

	cfg->facts(cfg->ctx, &facts);
	return facts.nat64.family ?
		       json_string(hp_prefix_text(&facts.nat64, text)) :
		       json_null();
}

json_t *ctl_status_json(const struct ctl_cfg *cfg, uint64_t now_ns)
{
	json_t *status = self_json(cfg);
	json_t *servers = json_array(), *peers = json_array();
	struct hp_wg *wg = hp_node_wg(cfg->node);
	struct hp_node_server_info server;
	struct hp_node_peer_info peer;
	struct ctl_facts facts = { 0 };

	cfg->facts(cfg->ctx, &facts);
	json_object_set_new(status, "uptime_s",
			    json_integer((json_int_t)(
				    hp_time_since(now_ns, facts.started_ns) /
				    HP_S)));
	for (unsigned int i = 0; i < hp_node_server_count(cfg->node); i++) {
		hp_node_server_get(cfg->node, i, &server);
		json_array_append_new(servers, ctl_server_json(&server));
	}
	for (size_t i = 0; i < hp_node_peer_count(cfg->node); i++) {
		hp_node_peer_get(cfg->node, i, now_ns, &peer);
		json_array_append_new(peers, ctl_peer_json(&peer, now_ns));
	}
	/* The engine's own have a user. */
	for (struct hp_wg_peer *p = hp_wg_peer_next(wg, NULL); p;
	     p = hp_wg_peer_next(wg, p))
		if (!hp_wg_peer_user(p))
			json_array_append_new(peers,
					      stock_json(cfg, p, now_ns));
	json_object_set_new(status, "methods_off",
			    ctl_methods_json(hp_node_methods(cfg->node),
					     false));
	json_object_set_new(status, "nat64", ctl_nat64_json(cfg));
	json_object_set_new(status, "nat", nat_json(cfg->node));
	json_object_set_new(status, "guessing",
			    budget_json(cfg->node, now_ns));
	json_object_set_new(status, "without_server", calls_json(cfg->node));
	json_object_set_new(status, "relaying", relaying_json(cfg->node));
	json_object_set_new(status, "port_mapping",
			    ctl_portmap_json(cfg, now_ns));
	json_object_set_new(status, "rendezvous", servers);
	json_object_set_new(status, "peers", peers);
	return status;
}

bool ctl_met(const struct hp_node *n, const char *name)
{
	return hp_judge_find(hp_node_judge(n), name) != NULL;
}

const char *ctl_nearest(const struct hp_node *n, const char *name)
{
	const struct hp_judge *judge = hp_node_judge(n);
	size_t count = hp_judge_pin_count(judge);
	const char **list = calloc(count + 1, sizeof(*list));
	const char *nearest;

	if (!list)
		return NULL;
	for (size_t i = 0; i < count; i++)
		list[i] = hp_judge_pin(judge, i)->name;
	nearest = hp_suggest(name, list, count);
	free(list);
	return nearest && strcasecmp(nearest, name) != 0 ? nearest : NULL;
}
