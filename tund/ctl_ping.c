/* SPDX-License-Identifier: ISC */
/*
 * The operation "ping": round trips of the path in use, by the probes that
 * watch it anyway. A peer that is not connected is connected first, and what
 * is sent meanwhile counts as not answered.
 */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "ctl_client.h"

#define EVERY_MS_DEFAULT 1000
#define EVERY_MS_MIN 100
#define EVERY_MS_MAX (3600 * 1000)
/* How long an answer is waited for. */
#define ANSWER_NS (1 * HP_S)

struct ping {
	char peer[HP_NAME_TEXT];
	uint64_t count; /* 0: no end */
	uint64_t every_ns;
	uint64_t next_ns; /* when the next one leaves */
	uint64_t late_ns; /* when this one is given up; HP_NEVER: none */
	uint32_t pongs;	  /* the engine's count before this one */
	uint64_t sent;
	uint64_t answered;
	uint64_t min_ns, max_ns, sum_ns;
};

static json_t *ms_json(uint64_t ns)
{
	return json_real((double)ns / (double)HP_MS);
}

/* Tells how this one ended; @rtt_ns 0: without an answer. */
static void say(struct ctl_client *c, const struct hp_node_peer_info *p,
		uint64_t rtt_ns, uint64_t now_ns)
{
	struct ping *g = c->state;
	json_t *doc = ctl_peer_json(p, now_ns);

	g->late_ns = HP_NEVER;
	if (rtt_ns) {
		g->answered++;
		g->sum_ns += rtt_ns;
		g->max_ns = rtt_ns > g->max_ns ? rtt_ns : g->max_ns;
		g->min_ns = hp_time_min(g->min_ns, rtt_ns);
	}
	ctl_say(c, json_pack("{s:s, s:s, s:I, s:o, s:O, s:O}", "event", "ping",
			     "name", p->name, "seq", (json_int_t)g->sent,
			     "rtt_ms", rtt_ns ? ms_json(rtt_ns) : json_null(),
			     "state", json_object_get(doc, "state"), "path",
			     json_object_get(doc, "path")));
	json_decref(doc);
}

static void ping_done(struct ctl_client *c)
{
	const struct ping *g = c->state;
	bool any = g->answered;

	ctl_end(c, json_pack("{s:I, s:I, s:o, s:o, s:o}", "sent",
			     (json_int_t)g->sent, "answered",
			     (json_int_t)g->answered, "min_ms",
			     any ? ms_json(g->min_ns) : json_null(), "mean_ms",
			     any ? ms_json(g->sum_ns / g->answered)
				 : json_null(),
			     "max_ms", any ? ms_json(g->max_ns)
					   : json_null()));
}

static void send_one(struct ctl_client *c, const struct hp_node_peer_info *p,
		     uint64_t now_ns)
{
	struct ping *g = c->state;

	g->sent++;
	g->next_ns = now_ns + g->every_ns;
	g->pongs = p->pongs;
	if (hp_node_ping(c->cfg->node, g->peer, now_ns) == HP_OK)
		g->late_ns = hp_time_min(now_ns + ANSWER_NS, g->next_ns);
	else
		say(c, p, 0, now_ns);
}

static void ping_turn(struct ctl_client *c, uint64_t now_ns)
{
	struct ping *g = c->state;
	struct hp_node_peer_info p;

	if (hp_node_peer_find(c->cfg->node, g->peer, now_ns, &p))
		return; /* it was asked for: it is known */
	if (g->late_ns != HP_NEVER && p.pongs != g->pongs)
		say(c, &p, p.pong_ns ? p.pong_ns : 1, now_ns);
	else if (g->late_ns <= now_ns)
		say(c, &p, 0, now_ns);
	if (g->late_ns != HP_NEVER)
		return;
	if (g->count && g->sent == g->count)
		ping_done(c);
	else if (g->next_ns <= now_ns)
		send_one(c, &p, now_ns);
}

static uint64_t ping_deadline(const struct ctl_client *c)
{
	const struct ping *g = c->state;

	return g->late_ns != HP_NEVER ? g->late_ns : g->next_ns;
}

static const struct ctl_task ping_task = {
	.turn = ping_turn,
	.deadline = ping_deadline,
	.free = free,
};

void ctl_ping(struct ctl_client *c, const json_t *req, uint64_t now_ns)
{
	const char *peer = json_string_value(json_object_get(req, "peer"));
	struct ping *g = calloc(1, sizeof(*g));
	struct hp_fault f = { 0 };
	uint64_t every_ns = ctl_ms(req, "every_ms", EVERY_MS_DEFAULT,
				   EVERY_MS_MAX);
	struct hp_node_peer_info p;
	json_int_t count = json_integer_value(json_object_get(req, "count"));

	if (!g) {
		ctl_say(c, NULL);
		return;
	}
	if (every_ns < EVERY_MS_MIN * HP_MS)
		every_ns = EVERY_MS_MIN * HP_MS;
	*g = (struct ping){
		.count = count > 0 ? (uint64_t)count : 0,
		.every_ns = every_ns,
		.next_ns = now_ns,
		.late_ns = HP_NEVER,
		.min_ns = HP_NEVER,
	};
	c->task = &ping_task;
	c->state = g;
	if (!peer)
		hp_fault_set(&f, HP_ERR_FORMAT, "",
			     "the request has no string \"peer\"");
	else if (hp_node_peer_find(c->cfg->node, peer, now_ns, &p))
		hp_fault_set(&f, HP_ERR_UNKNOWN,
			     "hptunctl peers lists those known; hptun up "
			     "--peer connects to others",
			     "nobody called \"%s\" was met", peer);
	if (f.code || ctl_want(c, peer, g->peer, now_ns, &f))
		ctl_fail(c, "unknown", &f);
	else
		ping_turn(c, now_ns);
}
