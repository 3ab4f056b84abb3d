/* SPDX-License-Identifier: ISC */
/*
 * Sending probes, and running a round of volleys: whom, when, with how many
 * hops to live, under the caps. What a round is for: punch.c; its timing:
 * volley.h.
 */
#include "punch/machine.h"

#define ROUND_MAX 44
#define BACKOFF_MAX 6
/* A learned source is worth volleys for so long. */
#define LEARNED_LIFE (60 * HP_S)
#define LOW_TTL_STEP 2
#define LOW_TTL_MAX 12

void hp_punch_set_state(struct hp_punch *p, enum hp_punch_state state,
			uint64_t now_ns)
{
	if (p->state == state)
		return;
	p->state = state;
	p->since_ns = now_ns;
}

void hp_punch_send(struct hp_punch *p, const struct hp_path *path, int ttl,
		   struct hp_probe *m)
{
	uint8_t buf[HP_PROBE_MAX];
	size_t len;

	m->dst_epoch = p->peer_epoch;
	m->src_epoch = p->epoch;
	m->seq = ++p->seq;
	len = hp_probe_seal(&p->keys, &p->rng, m, buf);
	p->tx++;
	p->tx_bytes += len;
	if (m->pad)
		p->ops->send_whole(p->ctx, path, buf, len);
	else
		p->ops->send(p->ctx, path, ttl, buf, len);
}

bool hp_punch_request(struct hp_punch *p, struct hp_track *t, int ttl,
		      uint8_t flags, uint64_t now_ns)
{
	bool used = t == hp_punch_used(p);
	struct hp_probe m = { .kind = HP_PROBE_REQUEST, .flags = flags };

	if (!hp_path_set(&t->path))
		return true;
	if (!hp_pace_take(&p->pace, now_ns)) {
		p->throttled++;
		return false;
	}
	if (used && p->controlling)
		m.kind = HP_PROBE_NOMINATE;
	if (used)
		m.flags |= HP_PROBE_IN_USE;
	m.txid = hp_rng_u64(&p->rng) | 1;
	p->txid = m.txid;
	/* A check sends many at once: one outage would be many losses. */
	hp_track_sent(t, m.txid, !(used && p->check.on), now_ns);
	t->sent++;
	t->sent_ns = now_ns;
	if (!ttl)
		t->full_ns = now_ns;
	if (used && !p->waiting_ns)
		p->waiting_ns = now_ns;
	hp_punch_send(p, &t->path, ttl, &m);
	return true;
}

void hp_punch_respond(struct hp_punch *p, struct hp_track *t,
		      const struct hp_path *from, uint64_t txid,
		      uint64_t now_ns)
{
	struct hp_probe m = { .kind = HP_PROBE_RESPONSE,
			      .txid = txid,
			      .seen = from->remote };

	if (!hp_pace_take(&p->answers, now_ns)) {
		p->throttled++;
		return;
	}
	if (t == hp_punch_used(p))
		m.flags |= HP_PROBE_IN_USE;
	if (t)
		t->sent_ns = now_ns;
	hp_punch_send(p, from, 0, &m);
}

/* ---- volleys ------------------------------------------------------------ */

static bool is_target(const struct hp_punch *p, size_t i)
{
	const struct hp_track *t = p->paths.track[i];

	if (i == 0 || t->valid || t->skip || i == p->use)
		return false;
	return t->announced || i == p->doubt ||
	       (t->heard_ns && t->heard_ns + LEARNED_LIFE > p->volley.start_ns);
}

/* Without the opening volley a NAT is as good as none. */
static enum hp_volley_class class_of(const struct hp_punch *p,
				     const struct hp_track *t)
{
	enum hp_volley_class class = hp_volley_class(&t->path.remote, t->kind);

	return class == HP_VOLLEY_NAT && !(p->methods & HP_METHOD_LOW_TTL) ?
		       HP_VOLLEY_CLEAR : class;
}

static uint64_t target_due(const struct hp_punch *p, size_t i)
{
	const struct hp_track *t = p->paths.track[i];

	return hp_volley_due(&p->volley, class_of(p, t), t->n_round);
}

/* Sends what is due to one target; false: the rate cap is reached. */
static bool volley_at(struct hp_punch *p, size_t i, bool opening,
		      uint64_t now_ns)
{
	struct hp_track *t = p->paths.track[i];
	bool low = hp_volley_is_opening(class_of(p, t), t->n_round);

	if (low != opening || target_due(p, i) > now_ns)
		return true;
	if (!hp_punch_request(p, t, low ? (int)p->low_ttl : 0, 0, now_ns))
		return false;
	p->round_sent++;
	t->n_round++;
	/* A late tick makes up for one volley, not for all. */
	while (!low && target_due(p, i) <= now_ns)
		t->n_round++;
	return true;
}

/* Opening probes go first: a full one may be what the peer's NAT answers. */
void hp_round_run(struct hp_punch *p, uint64_t now_ns)
{
	for (int opening = 1; p->punching && opening >= 0; opening--) {
		for (size_t i = 1; i < p->paths.n; i++) {
			if (p->round_sent >= ROUND_MAX)
				return;
			if (is_target(p, i) &&
			    !volley_at(p, i, opening, now_ns))
				return;
		}
	}
}

uint64_t hp_round_deadline(const struct hp_punch *p)
{
	uint64_t due = HP_NEVER;

	if (!p->punching)
		return HP_NEVER;
	for (size_t i = 1; p->round_sent < ROUND_MAX && i < p->paths.n; i++)
		if (is_target(p, i))
			due = hp_time_min(due, target_due(p, i));
	if (due != HP_NEVER && due < hp_pace_next(&p->pace))
		due = hp_pace_next(&p->pace);
	return hp_time_min(due, hp_volley_end(&p->volley));
}

static void start(struct hp_punch *p, unsigned int n_full, uint64_t guard_ns,
		  uint64_t now_ns)
{
	p->punching = true;
	p->volley = (struct hp_volley){ .start_ns = now_ns,
					.full_ns = now_ns + guard_ns,
					.n_full = n_full };
	p->round_sent = 0;
	p->rounds++;
	p->retry_ns = HP_NEVER;
	for (size_t i = 0; i < p->paths.n; i++) {
		p->paths.track[i]->n_round = 0;
		p->paths.track[i]->n_trigger = 0;
		p->paths.track[i]->skip = false;
	}
	hp_round_run(p, now_ns);
}

void hp_round_start(struct hp_punch *p, unsigned int n_full, bool introduced,
		    uint64_t now_ns)
{
	struct hp_track *relay = p->paths.track[0];
	uint64_t guard = relay->srtt_ns + HP_VOLLEY_GUARD / 2;

	if (introduced || guard < HP_VOLLEY_GUARD)
		guard = HP_VOLLEY_GUARD;
	start(p, n_full, hp_time_min(guard, HP_VOLLEY_GUARD_MAX), now_ns);
	if (n_full == HP_VOLLEY_FULL)
		hp_guess_soon(p, now_ns);
	/* Behind the opening volley: it tells the peer that it has left. */
	hp_punch_request(p, relay, 0, HP_PROBE_PUNCH, now_ns);
}

void hp_round_join(struct hp_punch *p, uint64_t now_ns)
{
	start(p, HP_VOLLEY_RETRY, 0, now_ns);
}

void hp_round_open(struct hp_punch *p, uint64_t now_ns)
{
	if (!p->punching || p->volley.full_ns <= now_ns)
		return;
	hp_volley_open(&p->volley, now_ns);
	hp_round_run(p, now_ns);
}

void hp_round_end(struct hp_punch *p, uint64_t now_ns)
{
	bool idle = hp_time_since(now_ns, p->traffic_ns) >= HP_PUNCH_ACTIVE;

	p->punching = false;
	if (p->use || p->lossy)
		return;
	p->doubt = 0;
	hp_punch_set_state(p, HP_PUNCH_RELAYED, now_ns);
	if (!idle || p->backoff <= BACKOFF_MAX) {
		unsigned int shift = p->backoff < BACKOFF_MAX ? p->backoff :
								BACKOFF_MAX;

		p->retry_ns = now_ns + (HP_S << shift);
	}
	if (p->backoff <= BACKOFF_MAX)
		p->backoff++;
	/* Perhaps our own NAT lies further away than it takes to open it; or
	 * the peer's is nearer than thought, and we close it: so begin again.
	 */
	p->low_ttl += LOW_TTL_STEP;
	if (p->low_ttl > LOW_TTL_MAX)
		p->low_ttl = HP_PUNCH_LOW_TTL;
	hp_guess_want(p, now_ns);
	p->ops->event(p->ctx, HP_PUNCH_FAILED);
}
