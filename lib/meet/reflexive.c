/* SPDX-License-Identifier: ISC */
/*
 * The node as the outside sees it: the session tells one address; the second
 * port of the server and the other family are asked by STUN, from the same
 * socket, so that the answer holds for the tunnel.
 */
#include <string.h>

#include "base/time.h"
#include "meet/client_impl.h"

#define TRIES 6

void mc_query_init(struct hp_meet_client *c)
{
	for (unsigned int i = 0; i < 4; i++)
		c->query[i / 2][i % 2].next_ns = HP_NEVER;
}

void mc_query_stop(struct hp_meet_client *c)
{
	mc_query_init(c);
}

static void start(struct hp_meet_client *c, unsigned int af, unsigned int port,
		  uint64_t now_ns)
{
	struct mc_query *q = &c->query[af][port];

	if (c->cfg.server[af].family == HP_AF_NONE)
		return;
	hp_rng_fill(c->cfg.rng, q->tid, sizeof(q->tid));
	q->tries = 0;
	q->next_ns = now_ns;
}

void mc_query_all(struct hp_meet_client *c, uint64_t now_ns)
{
	start(c, c->af, 1, now_ns);
	start(c, !c->af, 0, now_ns);
	start(c, !c->af, 1, now_ns);
}

void mc_query_refresh(struct hp_meet_client *c, uint64_t now_ns)
{
	bool known = c->info.seen[!c->af][0].family != HP_AF_NONE;

	start(c, !c->af, 0, now_ns);
	/* A family that did not answer may have come (back): one try. */
	if (!known)
		c->query[!c->af][0].tries = TRIES - 1;
}

void mc_seen(struct hp_meet_client *c, unsigned int af, unsigned int port,
	     const struct hp_addr *seen)
{
	const struct hp_meet_event ev = {
		.kind = HP_MEET_EV_SEEN,
		.server = mc_server(c, af, port),
		.seen = *seen,
		.port = port,
	};

	if (hp_addr_eq(&c->info.seen[af][port], seen))
		return;
	c->info.seen[af][port] = *seen;
	mc_event(c, &ev);
}

static void ask(struct hp_meet_client *c, unsigned int af, unsigned int port,
		uint64_t now_ns)
{
	static const struct hp_addr none;
	struct mc_query *q = &c->query[af][port];
	struct hp_addr dst = mc_server(c, af, port);
	uint8_t buf[HP_STUN_REQUEST_LEN];

	if (q->tries == TRIES) {
		q->next_ns = HP_NEVER;
		mc_seen(c, af, port, &none);
		return;
	}
	q->next_ns = now_ns + mc_backoff(c, q->tries++, HP_S);
	hp_stun_request_put(buf, q->tid);
	c->cfg.ops->send(c->cfg.ctx, &dst, buf, sizeof(buf));
}

void mc_query_tick(struct hp_meet_client *c, uint64_t now_ns)
{
	for (unsigned int i = 0; i < 4; i++) {
		if (c->query[i / 2][i % 2].next_ns <= now_ns)
			ask(c, i / 2, i % 2, now_ns);
	}
}

uint64_t mc_query_deadline(const struct hp_meet_client *c)
{
	uint64_t next = HP_NEVER;

	for (unsigned int i = 0; i < 4; i++)
		next = hp_time_min(next, c->query[i / 2][i % 2].next_ns);
	return next;
}

enum hp_err mc_query_rx(struct hp_meet_client *c, const struct hp_addr *from,
			const uint8_t *buf, size_t len)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct mc_query *q = &c->query[i / 2][i % 2];
		struct hp_addr server = mc_server(c, i / 2, i % 2);
		struct hp_addr seen;
		enum hp_err err;

		if (q->next_ns == HP_NEVER || !hp_addr_eq(from, &server))
			continue;
		err = hp_stun_reply_get(buf, len, q->tid, &seen);
		if (err == HP_ERR_TYPE)
			continue;
		if (!err && seen.family != server.family)
			err = HP_ERR_FORMAT;
		if (err)
			return err;
		q->next_ns = HP_NEVER;
		mc_seen(c, i / 2, i % 2, &seen);
		return HP_OK;
	}
	return HP_ERR_TYPE;
}
