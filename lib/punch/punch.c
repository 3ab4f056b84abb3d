/* SPDX-License-Identifier: ISC */
/*
 * Theory of operation
 *
 *            introduce                      nominated
 *   IDLE ---------------> TRYING --------------------------> DIRECT
 *    ^                     |  ^                              ^ |  |
 *    | stop                |  | introduce, poke    nominated | |  | lossy, and
 *    | (from all)    round |  |                              | |  | the relay
 *    |               fails |  |             silent 0.5 + 0.5 s| |  | is clean
 *    |                     v  |                              | v  |
 *    |                    RELAYED <--------- DOUBT <---------+--  |
 *    |                      ^ | nominated    round fails          |
 *    |                      | +--------------------> DIRECT       |
 *    |                      +-------------------------------------+
 *
 * Where packets go: DIRECT: the path in use, and while it is being asked in
 * vain, or a poke casts doubt on it, also the relay. All others: the relay.
 *
 * Paths. Each candidate of the peer is a path, and so is each source of an
 * authentic request (peer-reflexive), and the relay. A path is *valid* once a
 * response to a request of ours came back over it; only a valid one is ever
 * nominated, so that a path that works one way only never is.
 *
 * Rounds. volley.h says when probes leave. A round begins with the
 * introduction, with a poke, when the direct path dies (all volleys), 1, 2, 4
 * .. 64 s after a failed round (fewer), and when the peer's begins: behind its
 * opening volley it says so over the relay (HP_PROBE_PUNCH), so that both NATs
 * are opened at once. A request is answered by a response and, where the path
 * is not valid yet, by a request of our own. A round ends with a nomination, or
 * fails HP_VOLLEY_GRACE after its last volley. After the retry at 64 s there
 * are no more until data is sent again.
 *
 * Nomination. The node with the lower public key chooses (it is *controlling*)
 * and says so with the kind of each request that it sends over the path in
 * use, be it the relay: NOMINATE. The other follows the NOMINATE of the highest
 * sequence. Since each heartbeat of the controlling side is one, a lost one is
 * repeated, and a disagreement mends itself. When the peer says IN_USE of the
 * relay, it has lost the path, and the path is in doubt for both at once.
 *
 * Upkeep of the path in use (active: data was sent in the last 45 s).
 *   heartbeat   a request every 3 s while active, else 25 s after anything was
 *               sent over it, for the NAT (the relay's channel: 100 s)
 *   silence     sent, and nothing heard for 0.5 s -> check, strict where
 *               there is a relay; three heartbeats unanswered, whatever data
 *               is heard -> strict check
 *   check       a request at once and every 100 ms (or 5/4 round trips); with
 *               two unanswered, packets take the relay as well; an
 *               answer ends it (one that says IN_USE, when we control), and
 *               unless it is strict, anything heard; after 0.5 s (or 3 of
 *               those) the path is dead
 *   dead        direct: relay in use, state DOUBT, a new round; relay: an event
 * Other valid paths, and the relay, are measured every 15 s while active. The
 * controlling side switches for a gain of 5 ms and 10 % over 3 samples.
 *
 * Changed mapping. When the peer's NAT gives it another address, its packets
 * still come, from elsewhere: a request from a new source that says IN_USE. The
 * controlling side nominates that path as soon as it is valid.
 *
 * Length of datagrams: pmtu.h, on the path in use.
 *
 * Budgets. Requests: 24 at once, 100/s, 44 a round. Responses: one for each
 * fresh authentic request, 50 at once, 200/s, never longer than the request.
 * New sources: 12 at once, one in 2 s. Two NATs that map by destination and
 * filter nothing would give each answer a new source, and a mapping, for ever.
 */
#include "punch/punch.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "punch/machine.h"

/* Between two requests of ours that answer requests of the peer. */
#define TRIGGER_GAP (20 * HP_MS)
#define TRIGGER_SHIFT_MAX 6
/* A new round makes no sense so soon after the last one began. */
#define ROUND_GAP (300 * HP_MS)
#define STRANGER_GAP (1 * HP_S)

static size_t index_of(const struct hp_punch *p, const struct hp_track *t)
{
	size_t i = 0;

	while (p->paths.track[i] != t)
		i++;
	return i;
}

/* The peer's opening volley has left. */
static void peer_punches(struct hp_punch *p, bool relayed, uint64_t now_ns)
{
	if (p->punching) {
		hp_round_open(p, now_ns);
		return;
	}
	if (p->state == HP_PUNCH_DIRECT && !relayed)
		return;
	if (hp_time_since(now_ns, p->volley.start_ns) >= ROUND_GAP)
		hp_round_join(p, now_ns);
}

static void go_direct(struct hp_punch *p, size_t i, uint64_t now_ns)
{
	p->punching = false;
	p->retry_ns = HP_NEVER;
	p->backoff = 0;
	p->doubt = 0;
	p->lossy = 0;
	hp_upkeep_use(p, i, HP_PUNCH_DIRECT, now_ns);
	hp_guess_stop(p);
}

static void nominate(struct hp_punch *p, size_t i, uint64_t now_ns)
{
	go_direct(p, i, now_ns);
	hp_check_start(p, true, now_ns);
}

/* The controlling side's choice, after a sample of @t. @fresh: it became valid
 * with it. A peer that has not followed yet says that it uses a path of before:
 * only one that left ours is followed.
 */
static void choose(struct hp_punch *p, struct hp_track *t, bool fresh,
		   uint64_t now_ns)
{
	size_t best = 0;

	if (!p->controlling)
		return;
	if (p->use) {
		struct hp_track *used = hp_punch_used(p);

		if (t != used && t != hp_punch_relay(p) &&
		    (((fresh || p->peer_left) && t->peer_uses) ||
		     hp_track_gains(t, used)))
			nominate(p, index_of(p, t), now_ns);
		return;
	}
	for (size_t i = 1; i < p->paths.n; i++) {
		const struct hp_track *k = p->paths.track[i];

		if (!k->valid ||
		    (hp_punch_left(p, i) && hp_track_is_lossy(k, true)))
			continue;
		if (!best || hp_track_is_better(k, p->paths.track[best]))
			best = i;
	}
	if (best)
		nominate(p, best, now_ns);
}

/* ---- receiving ---------------------------------------------------------- */

static void note_heard(struct hp_punch *p, struct hp_track *t, uint64_t at_ns)
{
	if (!t)
		return;
	if (t->heard_ns < at_ns)
		t->heard_ns = at_ns;
	if (t != hp_punch_used(p))
		return;
	if (p->waiting_ns <= at_ns)
		p->waiting_ns = 0;
	if (p->check.on && !p->check.strict && at_ns >= p->check.start_ns)
		hp_check_passed(p);
}

/* The peer's choice is ours once we had an answer over it, too: where from its
 * word came proves nothing, for anybody can send on a copy of it.
 */
static void follow_named(struct hp_punch *p, size_t i, uint64_t now_ns)
{
	const struct hp_track *t = p->paths.track[i];

	if (!p->controlling && i != p->use && t->valid && t->named_seq &&
	    t->named_seq == p->nominate_seq)
		go_direct(p, i, now_ns);
}

static void follow(struct hp_punch *p, size_t i, uint64_t seq, uint64_t now_ns)
{
	if (p->controlling || seq <= p->nominate_seq)
		return;
	p->nominate_seq = seq;
	if (i == p->use)
		return;
	if (i) {
		p->paths.track[i]->named_seq = seq;
		follow_named(p, i, now_ns);
		return;
	}
	hp_track_fail(hp_punch_used(p));
	p->doubt = p->use;
	hp_upkeep_use(p, 0, HP_PUNCH_DOUBT, now_ns);
	if (!p->punching)
		hp_round_join(p, now_ns);
}

/* What the peer's packets take, when @m is its latest word on it. */
static void note_peer_use(struct hp_punch *p, struct hp_track *t,
			  const struct hp_probe *m)
{
	if (!(m->flags & HP_PROBE_IN_USE) || m->seq <= p->peer_use_seq)
		return;
	p->peer_use_seq = m->seq;
	p->peer_left = t != hp_punch_used(p) &&
		       (p->peer_left || hp_punch_used(p)->peer_uses);
	for (size_t i = 0; i < p->paths.n; i++)
		p->paths.track[i]->peer_uses = false;
	t->peer_uses = true;
}

/* The peer's packets take the relay while ours do not: it has lost the path,
 * and so have we. (If they come from elsewhere, choose() or a heartbeat mends
 * it.)
 */
static void agree(struct hp_punch *p, const struct hp_track *t, uint64_t now_ns)
{
	if (p->controlling && p->use && !p->check.on && t == hp_punch_relay(p) &&
	    t->peer_uses)
		hp_upkeep_lose(p, now_ns);
}

/* A path that is not known to work yet is tried the moment the peer is heard
 * over it: our own NAT is open for it now. So is the one to which the peer's
 * packets moved. The gaps double, for the peer does
 * the same, and on a slow path each request would bring about the next before
 * the first was answered.
 */
static void trigger(struct hp_punch *p, struct hp_track *t, uint64_t now_ns)
{
	bool moved = p->controlling && p->peer_left && t->peer_uses;

	if (t == hp_punch_relay(p) || (t->valid && t->srtt_ns && !moved))
		return;
	if (t->full_ns && now_ns - t->full_ns < TRIGGER_GAP << t->n_trigger)
		return;
	if (t->n_trigger < TRIGGER_SHIFT_MAX)
		t->n_trigger++;
	hp_punch_request(p, t, 0, 0, now_ns);
}

static enum hp_err rx_request(struct hp_punch *p, const struct hp_path *from,
			      const struct hp_probe *m, uint64_t now_ns)
{
	struct hp_track *t = hp_paths_find(&p->paths, from);
	bool fresh = !t && !from->channel && hp_guess_owns(p, from->sock);
	struct hp_track *said;
	size_t i;

	if (fresh && (hp_guess_finds(p, from) ||
		      hp_pace_take(&p->learning, now_ns)))
		t = hp_paths_add(&p->paths, from, HP_CAND_PEER_REFLEXIVE,
				 p->use, p->doubt);
	if (!t && !from->channel)
		p->drops[HP_PUNCH_DROP_FULL]++;
	/* Another channel than ours is a relay all the same. */
	said = t ? t : from->channel ? hp_punch_relay(p) : NULL;
	i = said ? index_of(p, said) : 0;
	if (said)
		note_peer_use(p, said, m);
	if (t)
		t->heard++;
	note_heard(p, t, now_ns);
	if (m->flags & HP_PROBE_PUNCH)
		peer_punches(p, from->channel, now_ns);
	if (m->kind == HP_PROBE_NOMINATE && said)
		follow(p, i, m->seq, now_ns);
	hp_punch_respond(p, t, from, m->txid, now_ns);
	if (t) {
		trigger(p, t, now_ns);
		if (fresh)
			hp_guess_heard(p, from, now_ns);
	}
	agree(p, said, now_ns);
	return HP_OK;
}

static void pong(struct hp_punch *p, uint64_t txid, uint64_t now_ns)
{
	if (txid != p->ping_txid)
		return;
	p->ping_txid = 0;
	p->pong_ns = hp_time_since(now_ns, p->ping_ns);
	p->pongs++;
	p->ops->event(p->ctx, HP_PUNCH_PONG);
}

static enum hp_err rx_response(struct hp_punch *p, const struct hp_path *from,
			       const struct hp_probe *m, uint64_t now_ns)
{
	/* It has to come from where the request went (RFC 8445, 7.2.5.2.1). */
	struct hp_track *t = hp_paths_find(&p->paths, from);
	bool fresh = t && !t->valid;

	if (!t && hp_guess_answered(p, from, m, now_ns))
		return HP_OK;
	if (t && hp_pmtu_answered(&p->pmtu, m->txid, now_ns)) {
		note_heard(p, t, now_ns);
		return HP_OK;
	}
	if (!t || hp_track_answered(t, m->txid, now_ns)) {
		p->drops[HP_PUNCH_DROP_STRAY]++;
		return HP_ERR_STATE;
	}
	t->seen = m->seen;
	note_peer_use(p, t, m);
	note_heard(p, t, now_ns);
	if (t == hp_punch_used(p) && (t->peer_uses || !p->controlling))
		hp_check_passed(p);
	choose(p, t, fresh, now_ns);
	follow_named(p, index_of(p, t), now_ns);
	pong(p, m->txid, now_ns);
	return HP_OK;
}

static enum hp_err drop(struct hp_punch *p, enum hp_punch_drop why,
			enum hp_err err)
{
	p->drops[why]++;
	return err;
}

static enum hp_err rx_stranger(struct hp_punch *p, uint64_t now_ns)
{
	if (!p->stranger_ns ||
	    hp_time_since(now_ns, p->stranger_ns) >= STRANGER_GAP) {
		p->stranger_ns = now_ns;
		p->ops->event(p->ctx, HP_PUNCH_STRANGER);
	}
	return drop(p, HP_PUNCH_DROP_EPOCH, HP_ERR_STATE);
}

enum hp_err hp_punch_rx(struct hp_punch *p, const struct hp_path *from,
			const uint8_t *buf, size_t len, uint64_t now_ns)
{
	struct hp_probe m;
	enum hp_err err = hp_probe_open(&p->keys, buf, len, &m);

	if (err)
		return drop(p, err == HP_ERR_AUTH ? HP_PUNCH_DROP_AUTH :
						    HP_PUNCH_DROP_FORM, err);
	if (m.dst_epoch != p->epoch)
		return drop(p, HP_PUNCH_DROP_EPOCH, HP_ERR_STATE);
	if (!p->peer_epoch || m.src_epoch != p->peer_epoch)
		return rx_stranger(p, now_ns);
	if (!hp_probe_window_take(&p->window, m.seq))
		return drop(p, HP_PUNCH_DROP_REPLAY, HP_ERR_REPLAY);
	p->rx++;
	switch (m.kind) {
	case HP_PROBE_REQUEST:
	case HP_PROBE_NOMINATE:
		return rx_request(p, from, &m, now_ns);
	case HP_PROBE_RESPONSE:
		return rx_response(p, from, &m, now_ns);
	case HP_PROBE_GUESS:
		return hp_guess_rx(p, from, &m, now_ns);
	}
	return HP_ERR_TYPE;
}

/* ---- facts from the owner ----------------------------------------------- */

/* Back to knowing nothing of the peer. */
static void forget(struct hp_punch *p)
{
	p->use = 0;
	p->doubt = 0;
	p->lossy = 0;
	hp_guess_stop(p);
	hp_upkeep_both(p, false);
	hp_paths_reset(&p->paths);
	hp_paths_set_relay(&p->paths, &(struct hp_path){ 0 });
	memset(&p->window, 0, sizeof(p->window));
	p->nominate_seq = 0;
	p->peer_use_seq = 0;
	p->peer_left = false;
	p->punching = false;
	p->rounds = 0;
	p->backoff = 0;
	p->retry_ns = HP_NEVER;
	p->check.on = false;
	p->look = false;
	p->waiting_ns = 0;
	hp_pmtu_stop(&p->pmtu);
	p->measured = (struct hp_path){ 0 };
}

/* Returns how many of the candidates are new. */
static size_t take_candidates(struct hp_punch *p,
			      const struct hp_punch_intro *intro)
{
	size_t n = intro->n_candidates, n_new = 0;

	if (n > HP_CANDIDATES_MAX)
		n = HP_CANDIDATES_MAX;
	for (size_t i = 0; i < p->paths.n; i++)
		p->paths.track[i]->announced = false;
	for (size_t i = 0; i < n; i++) {
		const struct hp_candidate *c = &intro->candidates[i];
		struct hp_path path = { .remote = c->addr };
		struct hp_track *t = hp_paths_find(&p->paths, &path);

		if (!t) {
			t = hp_paths_add(&p->paths, &path, c->kind, p->use,
					 p->doubt);
			n_new += t != NULL;
		}
		if (!t)
			continue;
		t->kind = c->kind;
		t->announced = true;
	}
	return n_new;
}

/* A full round now, unless one is young enough to serve. */
static void punch(struct hp_punch *p, bool introduced, uint64_t now_ns)
{
	p->backoff = 0;
	if (p->state == HP_PUNCH_RELAYED || p->state == HP_PUNCH_IDLE)
		hp_punch_set_state(p, HP_PUNCH_TRYING, now_ns);
	if (!p->punching || p->volley.n_full < HP_VOLLEY_FULL ||
	    hp_time_since(now_ns, p->volley.start_ns) >= ROUND_GAP)
		hp_round_start(p, HP_VOLLEY_FULL, introduced, now_ns);
	else
		hp_round_run(p, now_ns);
}

/* What was sent over the old relay, and its check, say nothing of the new one;
 * and with none at all they would be due for ever.
 */
static void replace_relay(struct hp_punch *p, const struct hp_path *path)
{
	if (!p->use && !hp_path_eq(&hp_punch_relay(p)->path, path)) {
		p->check.on = false;
		p->waiting_ns = 0;
	}
	hp_paths_set_relay(&p->paths, path);
}

void hp_punch_set_relay(struct hp_punch *p, const struct hp_path *path,
			uint64_t now_ns)
{
	if (!p->peer_epoch)
		return;
	replace_relay(p, path);
	if (!p->use)
		hp_check_start(p, true, now_ns);
}

void hp_punch_introduce(struct hp_punch *p, const struct hp_punch_intro *intro,
			uint64_t now_ns)
{
	bool fresh = intro->peer_epoch != p->peer_epoch;
	bool was_direct = p->use;
	bool renewed;
	size_t n_new;

	if (fresh) {
		forget(p);
		p->peer_epoch = intro->peer_epoch;
		if (intro->low_ttl)
			p->low_ttl = intro->low_ttl;
		hp_punch_set_state(p, HP_PUNCH_TRYING, now_ns);
	}
	renewed = p->own_mapping != intro->own_mapping ||
		  p->peer_mapping != intro->peer_mapping;
	p->own_mapping = intro->own_mapping;
	p->peer_mapping = intro->peer_mapping;
	replace_relay(p, &intro->relay);
	n_new = take_candidates(p, intro);
	if (n_new || renewed)
		hp_guess_renew(p);
	p->traffic_ns = now_ns;
	if (!p->use || n_new)
		punch(p, true, now_ns);
	if (!p->use && !hp_punch_relay(p)->valid)
		hp_check_start(p, true, now_ns);
	if (fresh && was_direct)
		p->ops->nominated(p->ctx, NULL);
}

void hp_punch_stop(struct hp_punch *p)
{
	forget(p);
	p->peer_epoch = 0;
	p->state = HP_PUNCH_IDLE;
}

void hp_punch_heard(struct hp_punch *p, const struct hp_path *path,
		    uint64_t at_ns)
{
	struct hp_track *t = path ? hp_paths_find(&p->paths, path) :
				    hp_punch_used(p);

	if (p->peer_epoch)
		note_heard(p, t, at_ns);
}

void hp_punch_sent(struct hp_punch *p, uint64_t at_ns)
{
	struct hp_track *t = hp_punch_used(p);

	if (!p->peer_epoch)
		return;
	if (p->traffic_ns < at_ns)
		p->traffic_ns = at_ns;
	if (t->sent_ns < at_ns)
		t->sent_ns = at_ns;
	if (!p->waiting_ns && at_ns > t->heard_ns && hp_path_set(&t->path))
		p->waiting_ns = at_ns;
	/* Retries had stopped for want of traffic. */
	if (p->state == HP_PUNCH_RELAYED && !p->punching && !p->lossy &&
	    p->retry_ns == HP_NEVER)
		p->retry_ns = at_ns;
}

void hp_punch_poke(struct hp_punch *p, uint64_t now_ns)
{
	if (!p->peer_epoch)
		return;
	p->traffic_ns = now_ns;
	punch(p, false, now_ns);
	hp_check_start(p, p->use, now_ns);
	hp_upkeep_both(p, p->check.on);
}

enum hp_err hp_punch_ping(struct hp_punch *p, uint64_t now_ns)
{
	if (!p->peer_epoch || !hp_path_set(&hp_punch_used(p)->path))
		return HP_ERR_STATE;
	if (!hp_punch_request(p, hp_punch_used(p), 0, 0, now_ns))
		return HP_ERR_LIMIT;
	p->ping_txid = p->txid;
	p->ping_ns = now_ns;
	return HP_OK;
}

void hp_punch_error(struct hp_punch *p, const struct hp_path *path,
		    enum hp_punch_fault fault, uint64_t now_ns)
{
	struct hp_track *t = hp_paths_find(&p->paths, path);

	(void)now_ns;
	if (!t)
		return;
	t->errors += fault != HP_PUNCH_TOO_LONG;
	switch (fault) {
	case HP_PUNCH_DENIED:
		t->denied++;
		break;
	case HP_PUNCH_UNREACHABLE:
	case HP_PUNCH_LOCAL:
		t->skip = !t->valid;
		break;
	case HP_PUNCH_TOO_LONG:
		return; /* a fact about one datagram, not about the path */
	case HP_PUNCH_REFUSED:
		/* The peer's NAT may say so until the peer opens it. */
		break;
	}
	/* Only noted: this may be called from within ops.send. */
	if (p->peer_epoch && t == hp_punch_used(p))
		p->look = true;
}

/* ---- time --------------------------------------------------------------- */

void hp_punch_tick(struct hp_punch *p, uint64_t now_ns)
{
	if (!p->peer_epoch)
		return;
	hp_round_run(p, now_ns);
	hp_upkeep_run(p, now_ns);
	if (p->punching && now_ns >= hp_volley_end(&p->volley))
		hp_round_end(p, now_ns);
	if (now_ns >= p->retry_ns)
		hp_round_start(p, HP_VOLLEY_RETRY, false, now_ns);
	hp_guess_tick(p, now_ns);
	hp_measure_run(p, now_ns);
}

uint64_t hp_punch_deadline(const struct hp_punch *p)
{
	uint64_t due;

	if (!p->peer_epoch)
		return HP_NEVER;
	if (p->look)
		return 0;
	due = hp_time_min(hp_round_deadline(p), p->retry_ns);
	due = hp_time_min(due, hp_guess_deadline(p));
	due = hp_time_min(due, hp_measure_due(p));
	return hp_time_min(due, hp_upkeep_due(p));
}

struct hp_punch *hp_punch_new(const struct hp_punch_config *cfg)
{
	struct hp_punch *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->rng = cfg->rng;
	p->ops = cfg->ops;
	p->ctx = cfg->ctx;
	p->epoch = cfg->epoch;
	p->methods = cfg->methods ? cfg->methods : HP_METHODS_ALL;
	p->low_ttl = cfg->low_ttl ? cfg->low_ttl : HP_PUNCH_LOW_TTL;
	p->controlling = memcmp(cfg->own.b, cfg->peer.b, HP_KEY_LEN) < 0;
	p->pace = (struct hp_pace){ .every_ns = HP_S / 100, .burst = 24 };
	p->answers = (struct hp_pace){ .every_ns = HP_S / 200, .burst = 50 };
	p->learning = (struct hp_pace){ .every_ns = 2 * HP_S, .burst = 12 };
	p->keepalive_ns = HP_PUNCH_KEEPALIVE;
	p->budget = cfg->budget;
	p->longest = p->ops->send_whole ? cfg->longest : 0;
	hp_guess_init(&p->guessed);
	hp_probe_keys_init(&p->keys, &cfg->key, &cfg->own, &cfg->peer);
	forget(p);
	return p;
}

void hp_punch_free(struct hp_punch *p)
{
	if (!p)
		return;
	forget(p);
	sodium_memzero(&p->keys, sizeof(p->keys));
	free(p);
}
