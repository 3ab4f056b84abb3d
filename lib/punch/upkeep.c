/* SPDX-License-Identifier: ISC */
/*
 * Upkeep of the paths: watching the one in use, asking it whether it lives,
 * leaving it when it does not, or when it loses packets; heartbeats. When what
 * happens: the theory of operation in punch.c.
 */
#include "punch/machine.h"

#define BEAT_ACTIVE (3 * HP_S)
#define BEAT_OTHER (15 * HP_S)
/* Relay channels live for 3 minutes without traffic. */
#define BEAT_RELAY (100 * HP_S)
#define SILENCE (500 * HP_MS)
#define CHECK_EVERY (100 * HP_MS)
/* While the round trip is not known. */
#define CHECK_FIRST (200 * HP_MS)
#define CHECK_TIME (500 * HP_MS)
/* So many requests went unanswered for a round trip: packets take the relay,
 * too.
 */
#define CHECK_DOUBT 2
#define SILENT_GAP (5 * HP_S)

void hp_punch_set_keepalive(struct hp_punch *p, uint64_t ns)
{
	p->keepalive_ns = hp_time_min(ns, HP_PUNCH_KEEPALIVE);
}

void hp_upkeep_both(struct hp_punch *p, bool on)
{
	on = on && p->use && hp_path_set(&hp_punch_relay(p)->path);
	if (p->both == on)
		return;
	p->both = on;
	if (p->ops->both)
		p->ops->both(p->ctx, on);
}

void hp_upkeep_use(struct hp_punch *p, size_t i, enum hp_punch_state state,
		   uint64_t now_ns)
{
	bool changed = p->use != i;

	p->use = i;
	p->peer_left = false;
	p->waiting_ns = 0;
	p->check.on = false;
	p->look = false;
	hp_upkeep_both(p, false);
	hp_punch_set_state(p, state, now_ns);
	if (changed)
		p->ops->nominated(p->ctx, i ? &hp_punch_used(p)->path : NULL);
}

/* ---- the path in use ---------------------------------------------------- */

static void relay_silent(struct hp_punch *p, uint64_t now_ns)
{
	if (p->silent_ns && hp_time_since(now_ns, p->silent_ns) < SILENT_GAP)
		return;
	p->silent_ns = now_ns;
	p->ops->event(p->ctx, HP_PUNCH_RELAY_SILENT);
}

static void check_failed(struct hp_punch *p, uint64_t now_ns)
{
	p->check.on = false;
	p->waiting_ns = 0;
	if (p->use) {
		hp_upkeep_lose(p, now_ns);
		return;
	}
	hp_punch_relay(p)->valid = false;
	relay_silent(p, now_ns);
}

static void check_run(struct hp_punch *p, uint64_t now_ns)
{
	if (!p->check.on)
		return;
	if (now_ns >= p->check.end_ns) {
		check_failed(p, now_ns);
		return;
	}
	if (now_ns < p->check.next_ns)
		return;
	if (p->check.asked++ >= CHECK_DOUBT)
		hp_upkeep_both(p, true);
	hp_punch_request(p, hp_punch_used(p), 0, 0, now_ns);
	p->check.next_ns = now_ns + p->check.every_ns;
}

void hp_check_start(struct hp_punch *p, bool strict, uint64_t now_ns)
{
	uint64_t every = hp_punch_used(p)->srtt_ns * 5 / 4, span;

	if (p->check.on) {
		p->check.strict |= strict;
		return;
	}
	if (!hp_path_set(&hp_punch_used(p)->path))
		return;
	if (!every)
		every = CHECK_FIRST;
	if (every < CHECK_EVERY)
		every = CHECK_EVERY;
	span = 3 * every > CHECK_TIME ? 3 * every : CHECK_TIME;
	/* Meanwhile packets are safe on the relay. */
	if (p->use && hp_track_loses(hp_punch_used(p)))
		span *= 2;
	p->check = (struct hp_check){ .on = true,
				      .strict = strict,
				      .start_ns = now_ns,
				      .next_ns = now_ns,
				      .every_ns = every,
				      .end_ns = now_ns + span };
	/* The request that began a round is the first of the check. */
	if (hp_punch_used(p)->full_ns == now_ns) {
		p->check.next_ns += every;
		p->check.asked++;
	}
	check_run(p, now_ns);
}

/* What comes over the relay now could pass for a sign of life. */
static void doubt(struct hp_punch *p, uint64_t now_ns)
{
	bool news = !p->check.on;

	hp_check_start(p, p->use && hp_path_set(&hp_punch_relay(p)->path),
		       now_ns);
	if (news && p->check.on)
		p->ops->event(p->ctx, HP_PUNCH_QUIET);
}

void hp_check_passed(struct hp_punch *p)
{
	if (p->check.on && !p->check.strict && p->state == HP_PUNCH_DIRECT)
		p->punching = false;
	p->check.on = false;
	hp_upkeep_both(p, false);
}

void hp_upkeep_lose(struct hp_punch *p, uint64_t now_ns)
{
	hp_track_fail(hp_punch_used(p));
	/* Nor is another one taken that answered once, but not of late. */
	for (size_t i = 1; i < p->paths.n; i++)
		if (hp_track_is_unanswered(p->paths.track[i], now_ns))
			hp_track_fail(p->paths.track[i]);
	p->doubt = p->use;
	p->backoff = 0;
	hp_upkeep_use(p, 0, HP_PUNCH_DOUBT, now_ns);
	hp_round_start(p, HP_VOLLEY_FULL, false, now_ns);
	hp_check_start(p, true, now_ns);
	p->ops->event(p->ctx, HP_PUNCH_LOST);
}

/* A direct path that loses packets is left for a relay that does not. */
static void judge_losses(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_track *t = hp_punch_used(p);

	hp_track_expire(t, now_ns);
	if (!p->controlling || !p->use || !hp_track_is_lossy(t, false) ||
	    !hp_track_is_clean(hp_punch_relay(p)))
		return;
	p->lossy = p->use;
	/* Its record begins anew: only the losses from now on keep it away. */
	t->n_history = 0;
	t->history = 0;
	hp_upkeep_use(p, 0, HP_PUNCH_RELAYED, now_ns);
	hp_check_start(p, true, now_ns);
}

/* ---- heartbeats --------------------------------------------------------- */

static uint64_t beat_due(const struct hp_punch *p, size_t i)
{
	const struct hp_track *t = p->paths.track[i];
	bool used = i == p->use;
	uint64_t busy = used || hp_punch_left(p, i) ? BEAT_ACTIVE : BEAT_OTHER;
	uint64_t due = t->full_ns + busy;

	if (!hp_path_set(&t->path) || (used && p->check.on))
		return HP_NEVER;
	if (i && !used && !t->valid)
		return HP_NEVER;
	if (due <= p->traffic_ns + HP_PUNCH_ACTIVE)
		return due;
	if (!i)
		return t->sent_ns + BEAT_RELAY;
	return used || hp_punch_left(p, i) ? t->sent_ns + p->keepalive_ns :
					     HP_NEVER;
}

static void beat(struct hp_punch *p, size_t i, uint64_t now_ns)
{
	struct hp_track *t = p->paths.track[i];

	hp_track_expire(t, now_ns);
	/* What is heard may come by another way, when the peer's address has
	 * changed, while nothing of ours arrives by this one.
	 */
	if (i && i == p->use && hp_track_is_mute(t, false)) {
		hp_check_start(p, true, now_ns);
		return;
	}
	if (i != p->use && hp_track_is_mute(t, hp_punch_left(p, i))) {
		hp_track_fail(t);
		if (hp_punch_left(p, i)) {
			p->lossy = 0;
			p->retry_ns = now_ns;
		}
		if (i)
			return;
		relay_silent(p, now_ns);
	}
	/* Over the cap: as if sent, so that the next beat is tried. */
	if (!hp_punch_request(p, t, 0, 0, now_ns))
		t->full_ns = t->sent_ns = now_ns;
}

void hp_upkeep_run(struct hp_punch *p, uint64_t now_ns)
{
	check_run(p, now_ns);
	if (p->look ||
	    (p->waiting_ns && now_ns >= p->waiting_ns + SILENCE))
		doubt(p, now_ns);
	p->look = false;
	for (size_t i = 0; i < p->paths.n; i++)
		if (beat_due(p, i) <= now_ns)
			beat(p, i, now_ns);
	judge_losses(p, now_ns);
}

uint64_t hp_upkeep_due(const struct hp_punch *p)
{
	uint64_t due = HP_NEVER;

	if (p->check.on)
		due = hp_time_min(p->check.next_ns, p->check.end_ns);
	else if (p->waiting_ns)
		due = p->waiting_ns + SILENCE;
	for (size_t i = 0; i < p->paths.n; i++)
		due = hp_time_min(due, beat_due(p, i));
	return due;
}
