/* SPDX-License-Identifier: ISC */
/*
 * The operation "doctor": waits until the connection to a peer has settled,
 * asks the peer for its half of the facts, and answers with both halves and
 * what they mean. Without the peer's half it judges from ours.
 */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "ctl_client.h"
#include "member/cert.h"
#include "node/diagnose.h"
#include "node/explain.h"
#include "node/halves.h"
#include "punch/candidates.h"

#define SETTLE_MS_DEFAULT 15000
#define SETTLE_MS_MAX (600 * 1000)
#define LOOK_EVERY_NS (100 * HP_MS)
#define LOST_NS (5 * HP_S)
/* The peer is asked so often, and for so long. */
#define ASK_EVERY_NS (300 * HP_MS)
#define ASK_FOR_NS (2 * HP_S)

/**
 * struct doctor - One that runs
 * @look_ns:   when to see whether it has settled: no event tells
 * @settle_ns: when it is waited no longer for the connection to settle
 * @ask_ns:    when to ask (again); HP_NEVER: nobody was asked yet
 * @end_ns:    when the peer's half is waited for no longer
 */
struct doctor {
	char peer[HP_NAME_TEXT];
	uint64_t look_ns;
	uint64_t settle_ns;
	uint64_t ask_ns;
	uint64_t end_ns;
};

static json_t *us_json(uint32_t us)
{
	return us ? json_real((double)us / 1000.0) : json_null();
}

static json_t *servers_json(const struct hp_report *r)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < r->n_servers; i++) {
		const struct hp_report_server *s = &r->server[i];

		json_array_append_new(list, json_pack(
			"{s:o, s:b, s:s, s:b, s:o}",
			"address", ctl_addr_json(&s->addr),
			"registered", (int)s->registered,
			"mapping", hp_mapping_text(s->mapping),
			"second_port_silent", (int)s->lone_port,
			"rtt_ms", us_json(s->rtt_us)));
	}
	return list;
}

static json_t *candidates_json(const struct hp_report *r)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < r->n_cand; i++)
		json_array_append_new(list, json_pack(
			"{s:o, s:s}", "address",
			ctl_addr_json(&r->cand[i].addr), "kind",
			hp_candidate_kind_text(r->cand[i].kind)));
	return list;
}

static json_t *drops_json(const struct hp_report *r)
{
	const uint32_t *d = r->drops;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
			 "form", (json_int_t)d[HP_PUNCH_DROP_FORM],
			 "auth", (json_int_t)d[HP_PUNCH_DROP_AUTH],
			 "replay", (json_int_t)d[HP_PUNCH_DROP_REPLAY],
			 "epoch", (json_int_t)d[HP_PUNCH_DROP_EPOCH],
			 "stray", (json_int_t)d[HP_PUNCH_DROP_STRAY],
			 "full", (json_int_t)d[HP_PUNCH_DROP_FULL]);
}

/* What is known of the NAT and of guessing its ports. */
static json_t *nat_json(const struct hp_report *r)
{
	bool any = r->ports != HP_NAT_PORTS_UNKNOWN;

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:b}",
			 "mapping", hp_nat_mapping_text(r->nat),
			 "allocation", hp_nat_ports_text(r->ports),
			 "stride", r->ports == HP_NAT_PORTS_SEQUENTIAL ?
				 json_integer(r->stride) : json_null(),
			 "low", any ? json_integer(r->lo) : json_null(),
			 "high", any ? json_integer(r->hi) : json_null(),
			 "many_addresses", (int)r->many_ips);
}

static json_t *guess_json(const struct hp_report *r)
{
	static const char *const words[] = {
		[HP_REPORT_GUESS_NONE] = "none",
		[HP_REPORT_GUESS_ROUND] = "under-way",
		[HP_REPORT_GUESS_FAILED] = "failed",
		[HP_REPORT_GUESS_QUEUED] = "waiting",
		[HP_REPORT_GUESS_OFF] = "off",
		[HP_REPORT_GUESS_HOPELESS] = "hopeless",
	};

	return json_pack("{s:s, s:I, s:I, s:i, s:i, s:i}",
			 "state", words[r->guess],
			 "rounds", (json_int_t)r->guesses,
			 "probes", (json_int_t)r->guess_probes,
			 "sockets", (int)r->sockets,
			 "mappings", (int)r->mappings,
			 "mappings_max", (int)r->mappings_max);
}

static json_t *half_json(const struct hp_report *r)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:I,"
			 " s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "version", r->version,
			 "mapping", hp_mapping_text(r->mapping),
			 "session", (int)r->session,
			 "direct", (int)r->direct,
			 "trying", (int)r->trying,
			 "rounds", (json_int_t)r->rounds,
			 "probes_sent", (json_int_t)r->tx,
			 "probes_heard", (json_int_t)r->rx,
			 "probes_delayed", (json_int_t)r->throttled,
			 "probes_dropped", drops_json(r),
			 "nat", nat_json(r),
			 "guessing", guess_json(r),
			 "methods", ctl_methods_json(r->methods, true),
			 "methods_off", ctl_methods_json(r->methods, false),
			 "candidates", candidates_json(r),
			 "rendezvous", servers_json(r));
}

static json_t *counts_json(const struct hp_report_path *p)
{
	if (!p)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o}",
			 "sent", (json_int_t)p->sent,
			 "answered", (json_int_t)p->answered,
			 "heard", (json_int_t)p->heard,
			 "errors", (json_int_t)p->errors,
			 "denied", (json_int_t)p->denied,
			 "works", (int)p->valid,
			 "in_use", (int)p->in_use,
			 "rtt_ms", us_json(p->rtt_us));
}

/* Where this end, or the other, is reached in a pair: by the one's word, or
 * by what the other sends to.
 */
static json_t *end_json(const struct hp_report_path *sees,
			const struct hp_report_path *sends)
{
	if (sends)
		return ctl_addr_json(&sends->remote);
	return sees ? ctl_addr_json(&sees->seen) : json_null();
}

static json_t *pairs_json(const struct hp_report *here,
			  const struct hp_report *there)
{
	struct hp_report_pair pair[2 * HP_PUNCH_PATHS];
	size_t n = hp_report_pairs(here, there, pair);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct hp_report_path *h = pair[i].here;
		const struct hp_report_path *t = pair[i].there;

		json_array_append_new(list, json_pack(
			"{s:s, s:o, s:o, s:s, s:o, s:o}",
			"kind", hp_candidate_kind_text((h ? h : t)->kind),
			"here", end_json(h, t),
			"there", end_json(t, h),
			"verdict", hp_pair_words(&pair[i]),
			"from_here", counts_json(h),
			"from_there", counts_json(t)));
	}
	return list;
}

static json_t *findings_json(const struct hp_finding *f, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack(
			"{s:s, s:s, s:s?}", "cause", hp_cause_word(f[i].cause),
			"text", f[i].words, "remedy",
			f[i].remedy[0] ? f[i].remedy : NULL));
	return list;
}

/* How long packets may be on the way to the peer; null: there is none now. */
static json_t *path_mtu_json(const struct ctl_client *c,
			     const struct hp_node_peer_info *p)
{
	struct ctl_facts facts = { 0 };

	if (!ctl_peer_connected(p))
		return json_null();
	c->cfg->facts(c->cfg->ctx, &facts);
	return json_pack("{s:s, s:i, s:i}",
			 "state", hp_pmtu_state_text(p->pmtu),
			 "mtu", (int)p->mtu,
			 "device", (int)facts.mtu);
}

static void say(struct ctl_client *c, const struct hp_case *k,
		const struct hp_node_peer_info *p, uint64_t now_ns)
{
	struct hp_finding f[HP_FINDINGS_MAX];
	size_t n = hp_diagnose(k, f);
	json_t *peer = k->met ? ctl_peer_json(p, now_ns) : json_object();
	json_t *here = half_json(k->here);

	json_object_set_new(here, "nat64", ctl_nat64_json(c->cfg));
	json_object_set_new(here, "port_mapping",
			    ctl_portmap_json(c->cfg, now_ns));
	ctl_end(c, json_pack("{s:s, s:s, s:O?, s:O?, s:o, s:s, s:s, s:s?, s:o,"
			     " s:o, s:o, s:o}",
			     "peer", k->peer,
			     "state", k->met ? hp_peer_state_text(k->state) :
					       "unknown",
			     "path", json_object_get(peer, "path"),
			     "rtt_ms", json_object_get(peer, "rtt_ms"),
			     "path_mtu", path_mtu_json(c, p),
			     "cause", hp_cause_word(f[0].cause),
			     "why", f[0].words,
			     "remedy", f[0].remedy[0] ? f[0].remedy : NULL,
			     "findings", findings_json(f, n),
			     "here", here,
			     "there", k->there ? half_json(k->there) :
						 json_null(),
			     "pairs", pairs_json(k->here, k->there)));
	json_decref(peer);
}

static void finish(struct ctl_client *c, uint64_t now_ns)
{
	const struct doctor *d = c->state;
	struct hp_node *n = c->cfg->node;
	struct hp_report here = { 0 }, there;
	struct hp_node_peer_info p = { 0 };
	struct hp_case k = { .peer = d->peer, .here = &here };

	hp_node_best_server(n, &k.server);
	hp_node_via_get(n, d->peer, &k.via);
	k.met = hp_node_peer_find(n, d->peer, now_ns, &p) == HP_OK;
	k.state = p.state;
	k.cause = p.cause;
	k.intruder = p.intruder;
	if (hp_node_report(n, d->peer, &here) != HP_OK)
		hp_node_report_self(n, &here);
	if (d->ask_ns != HP_NEVER &&
	    hp_node_half_get(n, d->peer, &there) == HP_OK)
		k.there = &there;
	say(c, &k, &p, now_ns);
}

/* Nothing is going to change by itself within moments. */
static bool settled(struct hp_node *n, const struct hp_node_peer_info *p,
		    uint64_t now_ns)
{
	struct hp_node_server_info s;
	struct hp_report r;

	switch (p->state) {
	case HP_PEER_DIRECT:
	case HP_PEER_REFUSED:
	case HP_PEER_OFFLINE:
		return true;
	case HP_PEER_LOST:
		/* A server may tell soon that it is offline. */
		return hp_time_since(now_ns, p->since_ns) > LOST_NS;
	case HP_PEER_RELAYED:
		return hp_node_report(n, p->name, &r) != HP_OK ||
		       !hp_report_unsettled(&r);
	case HP_PEER_IDLE:
	case HP_PEER_CONNECTING:
		break;
	}
	switch (hp_node_best_server(n, &s)) {
	case HP_SERVER_UNRESOLVED:
	case HP_SERVER_TRYING:
	case HP_SERVER_REGISTERED:
		return false;
	case HP_SERVER_LOST:
	case HP_SERVER_REFUSED:
		return true;
	}
	return false;
}

static void doctor_turn(struct ctl_client *c, uint64_t now_ns)
{
	struct doctor *d = c->state;
	struct hp_node *n = c->cfg->node;
	struct hp_node_peer_info p;
	struct hp_report there;
	bool first = d->ask_ns == HP_NEVER;

	if (hp_node_peer_find(n, d->peer, now_ns, &p)) {
		finish(c, now_ns);
		return;
	}
	d->look_ns = hp_time_min(now_ns + LOOK_EVERY_NS, d->settle_ns);
	if (first && now_ns < d->settle_ns && !settled(n, &p, now_ns))
		return;
	if (!first && hp_node_half_get(n, d->peer, &there) == HP_OK) {
		finish(c, now_ns);
		return;
	}
	if (first)
		d->end_ns = now_ns + ASK_FOR_NS;
	else if (now_ns < d->ask_ns)
		return;
	d->ask_ns = now_ns + ASK_EVERY_NS;
	if (now_ns >= d->end_ns || !ctl_peer_connected(&p) ||
	    hp_node_half_ask(n, d->peer, first, now_ns) != HP_OK)
		finish(c, now_ns);
}

static uint64_t doctor_deadline(const struct ctl_client *c)
{
	const struct doctor *d = c->state;

	return d->ask_ns == HP_NEVER ? d->look_ns : d->ask_ns;
}

static const struct ctl_task doctor_task = {
	.turn = doctor_turn,
	.deadline = doctor_deadline,
	.free = free,
};

static bool is_self(const struct ctl_client *c, const char *name)
{
	const struct hp_identity *id = hp_node_identity(c->cfg->node);

	return !strcmp(id->cert.grant.name, name);
}

void ctl_doctor(struct ctl_client *c, const json_t *req, uint64_t now_ns)
{
	const char *peer = json_string_value(json_object_get(req, "peer"));
	struct doctor *d = calloc(1, sizeof(*d));
	struct hp_fault f = { 0 };
	struct hp_node_peer_info p;
	enum hp_err err;

	if (!d) {
		ctl_say(c, NULL);
		return;
	}
	d->settle_ns = now_ns + ctl_ms(req, "timeout_ms", SETTLE_MS_DEFAULT,
				       SETTLE_MS_MAX);
	d->ask_ns = HP_NEVER;
	c->task = &doctor_task;
	c->state = d;
	if (!peer)
		err = hp_fault_set(&f, HP_ERR_FORMAT, "",
				   "the request has no string \"peer\"");
	else
		err = hp_name_parse(peer, d->peer, &f);
	/* Asking for one again that is wanted would forget what is known. */
	if (!err && (is_self(c, d->peer) ||
		     (!hp_node_peer_find(c->cfg->node, d->peer, now_ns, &p) &&
		      !p.wanted)))
		err = ctl_want(c, d->peer, d->peer, now_ns, &f);
	if (err)
		ctl_fail(c, peer ? "unknown" : "request", &f);
	else
		doctor_turn(c, now_ns);
}
