/* SPDX-License-Identifier: ISC */
/*
 * Does each server serve the network, and relay for it? Known by registering,
 * under a slot that no node has, and signing off again. Without a network, a
 * key of the moment tells whether a server serves any.
 */
#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "datagrams.h"
#include "meet/client.h"
#include "netcheck.h"
#include "sys/loop.h"
#include "sys/rng.h"
#include "sys/udp.h"

/* Servers that answered before answer again by then, or lose packets. */
#define WAIT_NS (3 * HP_S)

struct meet;

/* One server that answered by STUN. */
struct asked {
	struct meet *meet;
	struct hp_meet_client *client;
	struct netcheck_service *out;
};

struct meet {
	struct hp_loop *loop;
	struct hp_udp udp;
	struct hp_udp_batch *batch;
	struct datagrams in;
	struct hp_rng rng;
	struct asked asked[HP_SERVERS_MAX];
	unsigned int n;
	unsigned int open; /* questions without an answer */
	uint64_t end_ns;
};

static void meet_send(void *ctx, const struct hp_addr *dst, const uint8_t *buf,
		      size_t len)
{
	struct asked *a = ctx;
	const struct hp_path path = { .remote = *dst };

	(void)!hp_udp_send(&a->meet->udp, &path, 0, buf, len); /* asks again */
}

static void meet_event(void *ctx, const struct hp_meet_event *ev)
{
	struct asked *a = ctx;
	struct netcheck_service *s = a->out;

	if (s->served || s->refused)
		return;
	if (ev->kind == HP_MEET_EV_REGISTERED) {
		s->served = true;
		s->relay = ev->relay;
		s->rtt_ns = ev->rtt_ns;
	} else if (ev->kind == HP_MEET_EV_REFUSED) {
		s->refused = ev->reason;
	} else {
		return;
	}
	a->meet->open--;
}

static const struct hp_meet_ops meet_ops = { meet_send, meet_event };

static void on_datagram(void *ctx, const struct hp_path *from,
			struct hp_pkt *pkt, uint64_t now_ns)
{
	struct meet *m = ctx;

	for (unsigned int i = 0; i < m->n; i++)
		if (hp_meet_rx(m->asked[i].client, &from->remote, pkt->data,
			       pkt->len, now_ns) != HP_ERR_TYPE)
			break;
}

static uint64_t deadline(void *ctx)
{
	const struct meet *m = ctx;
	uint64_t next = m->open ? m->end_ns : 0;

	for (unsigned int i = 0; i < m->n; i++)
		next = hp_time_min(next, hp_meet_deadline(m->asked[i].client));
	return next;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct meet *m = ctx;

	for (unsigned int i = 0; i < m->n; i++)
		hp_meet_tick(m->asked[i].client, now_ns);
	if (!m->open || now_ns >= m->end_ns)
		hp_loop_stop(m->loop);
}

/* The record says nothing: nobody is to ask for it. */
static enum hp_err ask(struct meet *m, struct netcheck_report *r,
		       unsigned int i, uint64_t now_ns)
{
	static const uint8_t record[1] = { 0 };
	struct asked *a = &m->asked[m->n];
	struct hp_meet_config cfg = {
		.seed = r->seed,
		.rng = &m->rng,
		.ops = &meet_ops,
		.ctx = a,
	};

	for (unsigned int af = 0; af < 2; af++)
		if (r->facts.server[i][af][0].answered)
			cfg.server[af] = r->facts.server[i][af][0].dst;
	if (!cfg.server[0].family && !cfg.server[1].family)
		return HP_OK;
	hp_rng_fill(&m->rng, cfg.slot, sizeof(cfg.slot));
	*a = (struct asked){ m, hp_meet_new(&cfg), &r->service[i] };
	hp_secret_wipe(&cfg.seed);
	if (!a->client)
		return HP_ERR_NOMEM;
	a->out->asked = true;
	m->n++;
	m->open++;
	return hp_meet_set_record(a->client, record, sizeof(record), now_ns);
}

static enum hp_err ask_all(struct meet *m, struct netcheck_report *r,
			   struct hp_fault *f)
{
	const struct hp_loop_timed timed = { deadline, tick, m };
	enum hp_err err = HP_ERR_NOMEM;

	if (m->loop && m->batch)
		err = hp_udp_open(&m->udp, 0, 0, f);
	if (!err) {
		m->udp.nat64 = r->nat64;
		hp_udp_batch_nat64(m->batch, &r->nat64);
	}
	m->in = (struct datagrams){ &m->udp, m->batch, on_datagram, m };
	if (!err)
		err = datagrams_watch(&m->in, m->loop);
	if (!err)
		err = hp_loop_timed(m->loop, &timed);
	for (unsigned int i = 0; !err && i < r->n_servers; i++)
		err = ask(m, r, i, hp_loop_now(m->loop));
	return err;
}

/* Of all that answered: none can be hoped to relay. */
static bool none_relays(const struct netcheck_report *r)
{
	bool any = false;

	for (unsigned int i = 0; i < r->n_servers; i++) {
		const struct netcheck_service *s = &r->service[i];

		any |= s->asked;
		if (s->asked && ((s->served && s->relay) ||
				 (!s->served && !s->refused)))
			return false;
	}
	return any;
}

enum hp_err netcheck_meet(struct netcheck_report *r, struct hp_fault *f)
{
	struct meet m = { .udp = HP_UDP_CLOSED, .rng = hp_rng_system() };
	enum hp_err err;

	if (!r->has_seed)
		hp_rng_fill(&m.rng, &r->seed, sizeof(r->seed));
	m.loop = hp_loop_new();
	m.batch = hp_udp_batch_new();
	err = ask_all(&m, r, f);
	if (!err && m.n) {
		m.end_ns = hp_loop_now(m.loop) + WAIT_NS;
		err = hp_loop_run(m.loop);
	}
	for (unsigned int i = 0; i < m.n; i++) {
		hp_meet_bye(m.asked[i].client, hp_loop_now(m.loop));
		hp_meet_free(m.asked[i].client);
	}
	r->facts.no_relay = none_relays(r);
	hp_udp_close(&m.udp);
	hp_udp_batch_free(m.batch);
	hp_loop_free(m.loop);
	if (err && !f->cause[0])
		return hp_fault_set(f, err, "", "asking the servers: %s",
				    hp_err_name(err));
	return err;
}
