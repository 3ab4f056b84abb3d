/* SPDX-License-Identifier: ISC */
/*
 * Is each server reached over TCP and over TLS, as a node would where UDP is
 * blocked? Each way is tried at each of its addresses, all at once; one works
 * when the server takes a word of ours over it and answers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../table.h"
#include "base/time.h"
#include "meet/client.h"
#include "netcheck.h"
#include "sys/loop.h"
#include "sys/rng.h"
#include "sys/stream.h"
#include "sys/tls.h"

#define WAIT_NS (4 * HP_S)
/* Servers, TCP and TLS, IPv4 and IPv6. */
#define TRIES_MAX (HP_SERVERS_MAX * 2 * 2)

struct run;

struct try {
	struct run *run;
	struct netcheck_stream *out;
	struct hp_addr to;
	struct hp_stream *stream;
	struct hp_meet_client *client;
	uint64_t since_ns;
	bool done;
};

struct run {
	struct netcheck_report *r;
	struct hp_loop *loop;
	struct hp_tls *tls;
	struct hp_rng rng;
	struct try try[TRIES_MAX];
	unsigned int n;
	unsigned int open;
	uint64_t end_ns;
};

static void failed(struct try *t, const char *why)
{
	if (t->done)
		return;
	t->done = true;
	t->run->open--;
	if (!t->out->works)
		snprintf(t->out->why, sizeof(t->out->why), "%s", why);
}

static void works(struct try *t)
{
	uint64_t took = hp_time_since(hp_loop_now(t->run->loop), t->since_ns);

	if (t->done)
		return;
	t->done = true;
	t->run->open--;
	if (!t->out->works || took < t->out->rtt_ns)
		t->out->rtt_ns = took;
	t->out->works = true;
	t->out->why[0] = '\0';
}

static void meet_send(void *ctx, const struct hp_addr *dst, const uint8_t *buf,
		      size_t len)
{
	const struct try *t = ctx;

	(void)dst;
	(void)hp_stream_send(t->stream, buf, len); /* asks again */
}

static void meet_event(void *ctx, const struct hp_meet_event *ev)
{
	if (ev->kind == HP_MEET_EV_REGISTERED ||
	    ev->kind == HP_MEET_EV_REFUSED)
		works(ctx);
}

static const struct hp_meet_ops meet_ops = { meet_send, meet_event };

/* Under a slot that no node has, with a record that says nothing. */
static void on_up(void *ctx, uint64_t now_ns)
{
	static const uint8_t record[1] = { 0 };
	struct try *t = ctx;
	struct hp_meet_config cfg = {
		.seed = t->run->r->seed,
		.rng = &t->run->rng,
		.ops = &meet_ops,
		.ctx = t,
	};

	cfg.server[t->to.family == HP_AF_6] = t->to;
	hp_rng_fill(&t->run->rng, cfg.slot, sizeof(cfg.slot));
	t->client = hp_meet_new(&cfg);
	hp_secret_wipe(&cfg.seed);
	if (!t->client ||
	    hp_meet_set_record(t->client, record, sizeof(record), now_ns))
		failed(t, "out of memory");
}

static void on_datagram(void *ctx, uint8_t *p, size_t len, uint64_t now_ns)
{
	struct try *t = ctx;

	(void)!hp_meet_rx(t->client, &t->to, p, len, now_ns);
}

static void on_down(void *ctx, const char *why, uint64_t now_ns)
{
	(void)now_ns;
	failed(ctx, why);
}

static const struct hp_stream_ops stream_ops = { on_up, on_datagram, on_down };

static uint64_t deadline(void *ctx)
{
	const struct run *run = ctx;
	uint64_t next = run->open ? run->end_ns : 0;

	for (unsigned int i = 0; i < run->n; i++)
		if (run->try[i].client && !run->try[i].done)
			next = hp_time_min(next,
					   hp_meet_deadline(run->try[i].client));
	return next;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct run *run = ctx;

	for (unsigned int i = 0; i < run->n; i++)
		if (run->try[i].client && !run->try[i].done)
			hp_meet_tick(run->try[i].client, now_ns);
	if (!run->open || now_ns >= run->end_ns)
		hp_loop_stop(run->loop);
}

static void begin(struct run *run, unsigned int server, bool tls,
		  const struct hp_addr *addr)
{
	const struct hp_server *s = &run->r->server[server];
	struct try *t = &run->try[run->n];
	const struct hp_stream_cfg cfg = {
		.loop = run->loop,
		.tls = tls ? run->tls : NULL,
		.host = s->host,
		.nat64 = run->r->nat64,
		.ops = &stream_ops,
		.ctx = t,
	};

	t->run = run;
	t->out = &run->r->stream[server][tls];
	t->out->asked = true;
	t->out->port = tls && s->over != HP_OVER_TLS ? HP_SERVER_TLS_PORT :
						       s->port;
	t->to = *addr;
	t->to.port = t->out->port;
	t->since_ns = hp_loop_now(run->loop);
	run->n++;
	run->open++;
	if (hp_stream_connect(&cfg, &t->to, &t->stream)) {
		t->stream = NULL;
		failed(t, strerror(errno));
	}
}

static enum hp_err begin_all(struct run *run, struct hp_fault *f)
{
	const struct netcheck_report *r = run->r;
	const struct hp_loop_timed timed = { deadline, tick, run };
	enum hp_err err = run->loop ? HP_OK : HP_ERR_NOMEM;

	if (!err)
		err = hp_tls_client(r->pin, r->n_pins, &run->tls, f);
	if (!err)
		err = hp_loop_timed(run->loop, &timed);
	for (unsigned int i = 0; !err && i < r->n_servers; i++)
		for (unsigned int af = 0; af < 2; af++) {
			const struct hp_addr *a =
				&r->facts.server[i][af][0].dst;
			enum hp_transport over = r->server[i].over;

			if (a->family && over != HP_OVER_TLS)
				begin(run, i, false, a);
			if (a->family && over != HP_OVER_TCP)
				begin(run, i, true, a);
		}
	return err;
}

/* What is still open when the time is over. */
static void end(struct try *t)
{
	failed(t, t->client ? "whoever answers there is no hptun rendezvous" :
			      "no answer");
	if (t->client)
		hp_meet_bye(t->client, hp_loop_now(t->run->loop));
	hp_meet_free(t->client);
	hp_stream_free(t->stream);
}

enum hp_err netcheck_streams(struct netcheck_report *r, struct hp_fault *f)
{
	struct run run = { .r = r, .rng = hp_rng_system() };
	enum hp_err err;

	run.loop = hp_loop_new();
	err = begin_all(&run, f);
	if (!err && run.n) {
		run.end_ns = hp_loop_now(run.loop) + WAIT_NS;
		err = hp_loop_run(run.loop);
	}
	for (unsigned int i = 0; i < run.n; i++)
		end(&run.try[i]);
	r->facts.stream = netcheck_stream_works(r);
	hp_tls_free(run.tls);
	hp_loop_free(run.loop);
	if (err && !f->cause[0])
		return hp_fault_set(f, err, "", "TCP to the servers: %s",
				    hp_err_name(err));
	return err;
}

/* ---- what is said of it -------------------------------------------------- */

bool netcheck_stream_works(const struct netcheck_report *r)
{
	for (unsigned int i = 0; i < r->n_servers; i++)
		if (r->stream[i][0].works || r->stream[i][1].works)
			return true;
	return false;
}

/* Who vouches for the server. */
static const char *believed(const struct netcheck_report *r)
{
	return r->n_pins ? "RendezvousKey" : "system";
}

void netcheck_stream_print(const struct netcheck_report *r, unsigned int i)
{
	static const char *const name[2] = { "TCP", "TLS" };

	for (unsigned int tls = 0; tls < 2; tls++) {
		const struct netcheck_stream *s = &r->stream[i][tls];
		char ms[HUMAN_TEXT];

		human_ms((double)s->rtt_ns / (double)HP_MS, ms);
		if (!s->asked)
			continue;
		printf("%-13s %s port %u: ", "", name[tls], s->port);
		if (!s->works)
			printf("%s\n", s->why);
		else
			printf("works (%s)%s\n", ms, !tls ? "" :
			       r->n_pins ? ", its key is the one that "
					   "RendezvousKey names" :
					   ", its certificate is believed by "
					   "this system");
	}
}

json_t *netcheck_stream_json(const struct netcheck_report *r, unsigned int i,
			     bool tls)
{
	const struct netcheck_stream *s = &r->stream[i][tls];
	json_t *o;

	if (!s->asked)
		return json_null();
	o = json_pack("{s:i, s:b, s:o, s:o}", "port", (int)s->port, "works",
		      (int)s->works, "ms", s->works ?
		      json_real((double)s->rtt_ns / (double)HP_MS) :
		      json_null(), "why", s->works ? json_null() :
						    json_string(s->why));
	if (tls)
		json_object_set_new(o, "believed_by", s->works ?
				    json_string(believed(r)) : json_null());
	return o;
}
