/* SPDX-License-Identifier: ISC */
/*
 * Asks. First every port of every server, from the main socket; then, for each
 * family in which one answered, all else at the nearest server:
 *
 *	port allocation	fresh sockets ask one after another
 *	filtering	a fresh socket asks for an answer from the other port;
 *			and the second socket asks another server for an answer
 *			to a fresh one that never spoke to that server
 *	hairpin		two sockets send to each other's reflexive address,
 *			both, so that no filter is in the way
 *	lifetime	fresh sockets stay silent for 15 to 120 s; then the
 *			second socket asks for an answer to each (RESPONSE-PORT)
 *
 * To ask again from the silent socket itself would prove nothing: a NAT that
 * preserves ports gives the new mapping the place of the old one. Each mapping
 * is used for one silence, since what arrives may prolong it.
 *
 * That an answer does not come means something only where the server is known
 * to send it: RESPONSE-PORT is tried at once before anything rests on it.
 */
#include "node/netcheck_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"

#define GAP_NS (300 * HP_MS)
/* After the last try. */
#define LAST_NS (1000 * HP_MS)
#define BINDING_REQUEST 0x0001
#define TID_AT 8

const unsigned int hp_netcheck_life_s[HP_NETCHECK_LIVES] = {
	15, 25, 60, 120,
};

struct hp_netcheck *hp_netcheck_new(const struct hp_netcheck_config *cfg)
{
	struct hp_netcheck *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->cfg = *cfg;
	for (unsigned int af = 0; af < 2; af++)
		n->family[af].ref = n->family[af].other = -1;
	return n;
}

void hp_netcheck_free(struct hp_netcheck *n)
{
	free(n);
}

bool nc_is_own(const struct hp_netcheck *n, const struct hp_addr *a,
	       unsigned int sock)
{
	if (a->port != n->cfg.port[sock])
		return false;
	for (size_t i = 0; i < n->cfg.n_own; i++)
		if (hp_addr_same_ip(&n->cfg.own[i], a))
			return true;
	return false;
}

/* Question @i of all NC_N_ALL. */
static const struct nc_question *nth(const struct hp_netcheck *n,
				     unsigned int i)
{
	if (i < NC_N_MAIN)
		return &n->main[i / 4][i / 2 % 2][i % 2];
	i -= NC_N_MAIN;
	return &n->family[i / NC_N].q[i % NC_N];
}

static struct nc_question *nth_mut(struct hp_netcheck *n, unsigned int i)
{
	return (struct nc_question *)nth(n, i);
}

/* ---- one question ---- */

static void ask(struct hp_netcheck *n, struct nc_question *q, unsigned int sock,
		const struct hp_addr *dst, uint64_t now_ns)
{
	q->state = NC_ASKING;
	q->sock = q->answer_sock = sock;
	q->dst = q->answer_from = *dst;
	q->next_ns = now_ns;
	hp_rng_fill(n->cfg.rng, q->tid, sizeof(q->tid));
}

static void end(struct hp_netcheck *n, struct nc_question *q,
		enum nc_state state)
{
	q->state = state;
	n->ended = true;
}

/* Asks (again), or gives up. */
static void tick_one(struct hp_netcheck *n, struct nc_question *q,
		     uint64_t now_ns)
{
	uint8_t buf[HP_STUN_REQUEST_LEN];

	if (q->state != NC_ASKING || q->next_ns > now_ns)
		return;
	if (q->tries == NC_TRIES) {
		end(n, q, NC_SILENT);
		return;
	}
	q->tid[HP_STUN_TID_LEN - 1] = (uint8_t)q->tries;
	q->sent_ns[q->tries++] = now_ns;
	q->next_ns = now_ns + (q->tries == NC_TRIES ? LAST_NS : GAP_NS);
	hp_stun_probe_put(buf, q->tid, q->change_port, q->response_port);
	if (!n->cfg.ops->send(n->cfg.ctx, q->sock, &q->dst, buf, sizeof(buf)))
		end(n, q, NC_NO_WAY);
}

/* A datagram that arrived. */
struct arrival {
	unsigned int sock;
	const struct hp_addr *from;
	const uint8_t *buf;
	size_t len;
	uint64_t now_ns;
};

static void answered(struct nc_question *q, const struct arrival *a,
		     unsigned int try, const struct hp_addr *seen)
{
	q->state = NC_ANSWERED;
	q->seen = *seen;
	q->done_ns = a->now_ns;
	q->rtt_ns = hp_time_since(a->now_ns, q->sent_ns[try]);
}

static void rx_one(struct nc_question *q, const struct arrival *a)
{
	const uint8_t *tid = a->buf + TID_AT;
	unsigned int try = tid[HP_STUN_TID_LEN - 1];
	struct hp_addr seen;
	enum hp_err err;

	if (q->state != NC_ASKING || try >= q->tries ||
	    memcmp(tid, q->tid, HP_STUN_TID_LEN - 1) != 0)
		return;
	if (q->answer_from.family == HP_AF_NONE) {
		if (a->sock == q->answer_sock &&
		    hp_get_be16(a->buf) == BINDING_REQUEST)
			answered(q, a, try, a->from);
		return;
	}
	err = hp_stun_reply_get(a->buf, a->len, tid, &seen);
	if (!hp_addr_same_ip(a->from, &q->dst))
		return;
	if (!err && seen.family == q->dst.family && a->sock == q->answer_sock &&
	    hp_addr_eq(a->from, &q->answer_from))
		answered(q, a, try, &seen);
	/* An error, or a plain answer to a special wish. */
	else if (err == HP_ERR_DENIED || (!err && a->sock == q->sock))
		q->state = NC_REFUSED;
}

/* ---- what to ask next ---- */

static void ask_servers(struct hp_netcheck *n, uint64_t now_ns)
{
	for (unsigned int i = 0; i < NC_N_MAIN; i++) {
		struct nc_question *q = nth_mut(n, i);
		struct hp_addr dst = n->cfg.server[i / 4][i / 2 % 2];

		dst.port = (uint16_t)(dst.port + i % 2);
		if (dst.family == HP_AF_NONE)
			q->state = NC_SKIPPED;
		else
			ask(n, q, 0, &dst, now_ns);
	}
}

/* The nearest server that answered, and one with another address. */
static void choose(struct hp_netcheck *n, unsigned int af)
{
	struct nc_family *f = &n->family[af];

	for (unsigned int s = 0; s < n->cfg.n_servers; s++) {
		const struct nc_question *q = &n->main[s][af][0];

		if (q->state == NC_ANSWERED &&
		    (f->ref < 0 ||
		     q->rtt_ns < n->main[f->ref][af][0].rtt_ns))
			f->ref = (int)s;
	}
	for (unsigned int s = 0; f->ref >= 0 && s < n->cfg.n_servers; s++)
		if (n->main[s][af][0].state == NC_ANSWERED &&
		    !hp_addr_same_ip(&n->cfg.server[s][af],
				     &n->cfg.server[f->ref][af]))
			f->other = (int)s;
}

static void fresh_next(struct hp_netcheck *n, struct nc_family *f,
		       const struct hp_addr *ref, uint64_t now_ns)
{
	for (unsigned int i = 0; i < HP_NETCHECK_FRESH; i++) {
		struct nc_question *q = &f->q[NC_FRESH + i];

		if (q->state == NC_IDLE)
			ask(n, q, 2 + i, ref, now_ns);
		if (!nc_over(q))
			return;
	}
}

/* Asks @dst from the second socket for an answer to the fresh socket @i. */
static void redirect(struct hp_netcheck *n, struct nc_family *f,
		     enum nc_which which, unsigned int i,
		     const struct hp_addr *dst, uint64_t now_ns)
{
	const struct nc_question *second = &f->q[NC_SECOND];
	const struct nc_question *fresh = &f->q[NC_FRESH + i];
	struct nc_question *q = &f->q[which];

	if (q->state != NC_IDLE || !nc_over(second) || !nc_over(fresh))
		return;
	/* The answer goes to the address the question comes from. */
	if (second->state != NC_ANSWERED || fresh->state != NC_ANSWERED ||
	    !hp_addr_same_ip(&second->seen, &fresh->seen)) {
		q->state = NC_SKIPPED;
		return;
	}
	ask(n, q, 1, dst, now_ns);
	q->response_port = fresh->seen.port;
	q->answer_sock = 2 + i;
}

static void other_port_next(struct hp_netcheck *n, unsigned int af,
			    uint64_t now_ns)
{
	struct nc_family *f = &n->family[af];
	const struct nc_question *fresh =
		&f->q[NC_FRESH + NC_FRESH_OTHER_PORT];
	const struct nc_question *known = &n->main[f->ref][af][1];
	struct nc_question *q = &f->q[NC_OTHER_PORT];

	if (q->state != NC_IDLE || !nc_over(fresh))
		return;
	if (fresh->state != NC_ANSWERED || known->state != NC_ANSWERED) {
		q->state = NC_SKIPPED;
		return;
	}
	ask(n, q, fresh->sock, &fresh->dst, now_ns);
	q->change_port = true;
	q->answer_from = known->dst;
}

static void hairpin_next(struct hp_netcheck *n, unsigned int af,
			 uint64_t now_ns)
{
	static const struct hp_addr anywhere;
	struct nc_family *f = &n->family[af];
	const struct nc_question *first = &n->main[f->ref][af][0];
	const struct nc_question *second = &f->q[NC_SECOND];
	struct nc_question *in = &f->q[NC_HAIRPIN_IN];
	struct nc_question *out = &f->q[NC_HAIRPIN_OUT];

	if (in->state == NC_ANSWERED || out->state == NC_ANSWERED) {
		if (in->state == NC_ASKING)
			in->state = NC_SKIPPED;
		if (out->state == NC_ASKING)
			out->state = NC_SKIPPED;
	}
	if (in->state != NC_IDLE || !nc_over(second))
		return;
	if (second->state != NC_ANSWERED || nc_is_own(n, &first->seen, 0)) {
		in->state = out->state = NC_SKIPPED;
		return;
	}
	ask(n, in, 1, &first->seen, now_ns);
	in->answer_sock = 0;
	in->answer_from = anywhere;
	ask(n, out, 0, &second->seen, now_ns);
	out->answer_sock = 1;
	out->answer_from = anywhere;
}

/* When the silence of lifetime question @i is long enough. */
static uint64_t life_due(const struct nc_family *f, unsigned int i)
{
	const struct nc_question *fresh = &f->q[NC_FRESH + NC_FRESH_LIFE + i];

	if (!nc_over(fresh))
		return HP_NEVER;
	return hp_time_add(fresh->done_ns, hp_netcheck_life_s[i] * HP_S);
}

static void life_next(struct hp_netcheck *n, struct nc_family *f,
		      const struct hp_addr *ref, uint64_t now_ns)
{
	bool pointless = !n->cfg.lifetime;

	for (unsigned int i = 0; i < HP_NETCHECK_LIVES; i++) {
		struct nc_question *q = &f->q[NC_LIFE + i];

		if (!pointless && !nc_over(&f->q[NC_REDIRECT]))
			return;
		pointless |= f->q[NC_REDIRECT].state != NC_ANSWERED;
		if (pointless && q->state == NC_IDLE)
			q->state = NC_SKIPPED;
		else if (now_ns >= life_due(f, i))
			redirect(n, f, NC_LIFE + i, NC_FRESH_LIFE + i, ref,
				 now_ns);
		/* What is gone after this silence is gone after a longer one. */
		pointless |= q->state == NC_SILENT;
	}
}

static void family_next(struct hp_netcheck *n, unsigned int af, uint64_t now_ns)
{
	struct nc_family *f = &n->family[af];
	const struct hp_addr *ref;

	if (f->ref < 0)
		return;
	ref = &n->main[f->ref][af][0].dst;
	if (f->q[NC_SECOND].state == NC_IDLE)
		ask(n, &f->q[NC_SECOND], 1, ref, now_ns);
	fresh_next(n, f, ref, now_ns);
	other_port_next(n, af, now_ns);
	redirect(n, f, NC_REDIRECT, NC_FRESH_REDIRECT, ref, now_ns);
	if (f->other >= 0)
		redirect(n, f, NC_OTHER_IP, NC_FRESH_OTHER_IP,
			 &n->main[f->other][af][0].dst, now_ns);
	else
		f->q[NC_OTHER_IP].state = NC_SKIPPED;
	hairpin_next(n, af, now_ns);
	life_next(n, f, ref, now_ns);
}

static bool all_reached(const struct hp_netcheck *n)
{
	for (unsigned int i = 0; i < NC_N_MAIN; i++)
		if (!nc_over(nth(n, i)))
			return false;
	return true;
}

/* Asks all that can be asked by now. */
static void turn(struct hp_netcheck *n, uint64_t now_ns)
{
	do {
		n->ended = false;
		if (!n->reached && all_reached(n)) {
			n->reached = true;
			choose(n, 0);
			choose(n, 1);
		}
		for (unsigned int af = 0; n->reached && af < 2; af++)
			family_next(n, af, now_ns);
		for (unsigned int i = 0; i < NC_N_ALL; i++)
			tick_one(n, nth_mut(n, i), now_ns);
	} while (n->ended);
}

void hp_netcheck_rx(struct hp_netcheck *n, unsigned int sock,
		    const struct hp_addr *from, const uint8_t *buf, size_t len,
		    uint64_t now_ns)
{
	const struct arrival a = { sock, from, buf, len, now_ns };

	if (len < HP_STUN_HEAD)
		return;
	for (unsigned int i = 0; i < NC_N_ALL; i++)
		rx_one(nth_mut(n, i), &a);
	turn(n, now_ns);
}

void hp_netcheck_tick(struct hp_netcheck *n, uint64_t now_ns)
{
	if (!n->started) {
		n->started = true;
		ask_servers(n, now_ns);
	}
	turn(n, now_ns);
}

uint64_t hp_netcheck_deadline(const struct hp_netcheck *n)
{
	uint64_t at = HP_NEVER;

	if (!n->started)
		return 0;
	for (unsigned int i = 0; i < NC_N_ALL; i++)
		if (nth(n, i)->state == NC_ASKING)
			at = hp_time_min(at, nth(n, i)->next_ns);
	for (unsigned int i = 0; i < 2 * HP_NETCHECK_LIVES; i++) {
		const struct nc_family *f = &n->family[i % 2];

		if (f->q[NC_LIFE + i / 2].state == NC_IDLE &&
		    f->q[NC_REDIRECT].state == NC_ANSWERED)
			at = hp_time_min(at, life_due(f, i / 2));
	}
	return at;
}
