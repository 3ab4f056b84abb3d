/* SPDX-License-Identifier: ISC */
/*
 * Both halves of a diagnosis. Ours is gathered here. The peer's is asked for
 * part by part: a request names a part, its answer is sealed and no longer
 * than the request, and the next part is asked for when one came. Whoever
 * waits repeats the question; nothing here has a timer.
 *
 * A question may be a replay, so the answer goes where our packets for the
 * peer go, not where the question came from, and at a pace.
 */
#include "node/halves.h"

#include <stdlib.h>
#include <string.h>

#include "node/internal.h"
#include "node/report.h"

/* Answers to one peer: more than a whole report at once, then ten a second. */
#define ANSWER_EVERY (100 * HP_MS)
#define ANSWER_BURST 8

_Static_assert(HP_REPORT_PART_MAX <= HP_NOTE_REPORT_MAX, "a part fits");

/**
 * struct half - What a peer tells of its end
 * @ask:    of the request that is under way
 * @have:   a bit per part that came
 * @report: filled part by part
 */
struct half {
	uint64_t ask;
	unsigned int have;
	struct hp_report report;
};

static uint32_t us(uint64_t ns)
{
	uint64_t v = ns / HP_US;

	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static uint32_t clamp(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static void report_servers(const struct hp_node *n, struct hp_report *r)
{
	r->n_servers = n->n_servers;
	for (unsigned int i = 0; i < n->n_servers; i++) {
		const struct server *s = &n->servers[i];
		const struct hp_addr *seen =
			s->seen[s->addr.family == HP_AF_6];

		r->server[i] = (struct hp_report_server){
			.registered = s->state == HP_SERVER_REGISTERED,
			.lone_port = seen[0].family && !seen[1].family,
			.stream = s->by_stream,
			.mapping = hp_server_mapping(n, s),
			.rtt_us = us(s->rtt_ns),
			.addr = s->addr,
		};
	}
}

static void report_nat(const struct hp_node *n, struct hp_report *r)
{
	struct hp_node_guess_info g;
	struct hp_nat_facts nat;

	hp_node_nat_get(n, &nat);
	r->nat = nat.mapping;
	r->ports = nat.ports;
	r->stride = (int16_t)nat.stride;
	r->lo = nat.lo;
	r->hi = nat.hi;
	r->many_ips = nat.many_ips;
	hp_node_guess_get(n, n->now_ns, &g);
	r->mappings = (uint16_t)g.mappings;
	r->mappings_max = (uint16_t)g.mappings_max;
}

/* The same for all reasons that have nothing to do with it. */
static enum hp_report_guess guess_of(const struct hp_punch_info *info)
{
	switch (info->reason) {
	case HP_PUNCH_WHY_GUESS_FAILED:
		return HP_REPORT_GUESS_FAILED;
	case HP_PUNCH_WHY_GUESS_QUEUED:
		return HP_REPORT_GUESS_QUEUED;
	case HP_PUNCH_WHY_GUESS_OFF:
		return HP_REPORT_GUESS_OFF;
	case HP_PUNCH_WHY_GUESS_HOPELESS:
		return HP_REPORT_GUESS_HOPELESS;
	case HP_PUNCH_WHY_GUESSING:
		return HP_REPORT_GUESS_ROUND;
	case HP_PUNCH_WHY_NONE:
	case HP_PUNCH_WHY_IDLE:
	case HP_PUNCH_WHY_TRYING:
	case HP_PUNCH_WHY_LOST:
	case HP_PUNCH_WHY_LOSSY:
	case HP_PUNCH_WHY_NO_CANDIDATE:
	case HP_PUNCH_WHY_BLOCKED:
	case HP_PUNCH_WHY_NAT_BOTH:
	case HP_PUNCH_WHY_NAT_PEER:
	case HP_PUNCH_WHY_NAT_OWN:
	case HP_PUNCH_WHY_ONE_WAY:
	case HP_PUNCH_WHY_SILENT:
		break;
	}
	return info->guessing ? HP_REPORT_GUESS_ROUND : HP_REPORT_GUESS_NONE;
}

static void report_paths(const struct hp_punch_info *info, struct hp_report *r)
{
	r->n_paths = (unsigned int)info->n_paths;
	for (size_t i = 0; i < info->n_paths; i++) {
		const struct hp_punch_path_info *p = &info->paths[i];

		r->path[i] = (struct hp_report_path){
			.kind = p->kind,
			.valid = p->valid,
			.in_use = p->in_use,
			.remote = p->path.remote,
			.seen = p->seen,
			.sent = p->sent,
			.answered = p->answered,
			.heard = p->heard,
			.errors = p->errors,
			.denied = p->denied,
			.rtt_us = us(p->rtt_ns),
		};
	}
}

void hp_node_report_self(const struct hp_node *n, struct hp_report *r)
{
	memset(r, 0, sizeof(*r));
	memcpy(r->version, HP_VERSION,
	       strnlen(HP_VERSION, sizeof(r->version) - 1));
	r->methods = n->cfg.methods;
	r->mapping = hp_node_mapping(n);
	r->n_cand = (unsigned int)n->n_cand;
	memcpy(r->cand, n->cand, sizeof(r->cand));
	report_servers(n, r);
	report_nat(n, r);
}

static void report_make(const struct peer *p, struct hp_report *r)
{
	struct hp_punch_info info = { 0 };

	hp_node_report_self(p->node, r);
	r->session = p->session;
	r->direct = p->session && hp_path_set(&p->direct);
	if (!p->punch)
		return;
	hp_punch_get_info(p->punch, &info);
	r->peer_mapping = info.peer_mapping;
	r->trying = info.state == HP_PUNCH_TRYING;
	r->doubt = info.state == HP_PUNCH_DOUBT;
	r->rounds = info.rounds;
	r->guess = guess_of(&info);
	r->guesses = info.guesses;
	r->guess_probes = info.guess_probes;
	r->sockets = (uint16_t)info.sockets;
	r->tx = clamp(info.tx);
	r->rx = clamp(info.rx);
	r->throttled = clamp(info.throttled);
	for (size_t i = 0; i < HP_PUNCH_DROPS; i++)
		r->drops[i] = clamp(info.drops[i]);
	report_paths(&info, r);
}

static const struct peer *peer_by_name(const struct hp_node *n,
				       const char *name)
{
	char folded[HP_NAME_TEXT];

	return hp_name_parse(name, folded, NULL) == HP_OK ?
		       hp_peer_named(n, folded) : NULL;
}

enum hp_err hp_node_report(const struct hp_node *n, const char *peer,
			   struct hp_report *out)
{
	const struct peer *p = peer_by_name(n, peer);

	if (!p)
		return HP_ERR_UNKNOWN;
	report_make(p, out);
	return HP_OK;
}

/* ---- over the wire ------------------------------------------------------- */

static unsigned int parts_of(const struct half *h)
{
	return h->have & 1 ? hp_report_parts(&h->report) : 1;
}

/* The first part that is missing; parts_of() when none is. */
static unsigned int missing(const struct half *h)
{
	unsigned int part = 0;

	while (part < parts_of(h) && h->have >> part & 1)
		part++;
	return part;
}

static void ask_next(struct peer *p)
{
	struct hp_note note = { .kind = HP_NOTE_REPORT_WANTED,
				.ask = p->half->ask };

	note.part = (uint8_t)missing(p->half);
	if (note.part < parts_of(p->half))
		hp_note_send(p, hp_peer_path(p), &note);
}

enum hp_err hp_node_half_ask(struct hp_node *n, const char *peer, bool anew,
			     uint64_t now_ns)
{
	struct peer *p = (struct peer *)peer_by_name(n, peer);

	n->now_ns = now_ns;
	if (!p)
		return HP_ERR_UNKNOWN;
	if (!p->known || !p->epoch || !hp_path_set(hp_peer_path(p)))
		return HP_ERR_STATE;
	if (!p->half)
		p->half = calloc(1, sizeof(*p->half));
	if (!p->half)
		return HP_ERR_NOMEM;
	if (anew || !p->half->ask) {
		p->half->have = 0;
		p->half->ask = hp_rng_u64(&n->cfg.rng) | 1;
	}
	ask_next(p);
	return HP_OK;
}

enum hp_err hp_node_half_get(const struct hp_node *n, const char *peer,
			     struct hp_report *out)
{
	const struct peer *p = peer_by_name(n, peer);

	if (!p)
		return HP_ERR_UNKNOWN;
	if (!p->half || missing(p->half) < parts_of(p->half))
		return HP_ERR_AGAIN;
	*out = p->half->report;
	return HP_OK;
}

void hp_half_wanted(struct peer *p, const struct hp_note *asked)
{
	struct hp_note note = { .kind = HP_NOTE_REPORT, .ask = asked->ask,
				.part = asked->part };
	struct hp_report r;

	if (!p->epoch)
		return;
	p->answers.every_ns = ANSWER_EVERY;
	p->answers.burst = ANSWER_BURST;
	report_make(p, &r);
	if (asked->part >= hp_report_parts(&r) ||
	    !hp_pace_take(&p->answers, p->node->now_ns))
		return;
	note.list_len = hp_report_encode(&r, asked->part, note.list);
	hp_note_send(p, hp_peer_path(p), &note);
}

void hp_half_came(struct peer *p, const struct hp_note *note)
{
	struct half *h = p->half;

	if (!h || note->ask != h->ask || note->part != missing(h) ||
	    note->part >= parts_of(h))
		return;
	if (hp_report_decode(&h->report, note->part, note->list,
			     note->list_len) != HP_OK)
		return; /* of another version: it is asked in vain */
	h->have |= 1u << note->part;
	if (missing(h) < parts_of(h))
		ask_next(p);
	else
		hp_node_emit(p->node, HP_NODE_REPORT, p, HP_OK);
}

void hp_half_free(struct peer *p)
{
	free(p->half);
	p->half = NULL;
}
