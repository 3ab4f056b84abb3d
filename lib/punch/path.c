/* SPDX-License-Identifier: ISC */
#include "punch/path.h"

#include <stdlib.h>

#include "punch/candidates.h"

void hp_paths_reset(struct hp_paths *t)
{
	for (size_t i = 1; i < t->n; i++)
		free(t->track[i]);
	if (t->n > 1)
		free(t->track);
	t->relay = (struct hp_track){ .path = t->relay.path,
				      .kind = HP_CAND_RELAYED };
	t->alone[0] = &t->relay;
	t->track = t->alone;
	t->n = 1;
}

void hp_paths_set_relay(struct hp_paths *t, const struct hp_path *relay)
{
	if (hp_path_eq(&t->relay.path, relay))
		return;
	t->relay = (struct hp_track){ .path = *relay,
				      .kind = HP_CAND_RELAYED };
}

static bool is_local_fit(const struct hp_addr *a, const struct hp_addr *b)
{
	return a->family == HP_AF_NONE || b->family == HP_AF_NONE ||
	       hp_addr_same_ip(a, b);
}

struct hp_track *hp_paths_find(struct hp_paths *t, const struct hp_path *path)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct hp_path *p = &t->track[i]->path;

		if (p->channel == path->channel && p->sock == path->sock &&
		    hp_path_set(p) && hp_addr_eq(&p->remote, &path->remote) &&
		    is_local_fit(&p->local, &path->local))
			return t->track[i];
	}
	return NULL;
}

static struct hp_track *append(struct hp_paths *t)
{
	struct hp_track *k = malloc(sizeof(*k));
	struct hp_track **grown = NULL;

	if (k)
		grown = realloc(t->n > 1 ? t->track : NULL,
				(t->n + 1) * sizeof(*grown));
	if (!grown) {
		free(k);
		return NULL;
	}
	grown[0] = &t->relay;
	grown[t->n++] = k;
	t->track = grown;
	return k;
}

static struct hp_track *make_room(struct hp_paths *t, size_t keep1,
				  size_t keep2)
{
	struct hp_track *oldest = NULL;

	if (t->n < HP_PUNCH_PATHS)
		return append(t);
	for (size_t i = 1; i < t->n; i++) {
		struct hp_track *k = t->track[i];

		if (k->valid || k->announced || i == keep1 || i == keep2)
			continue;
		if (!oldest || k->heard_ns < oldest->heard_ns)
			oldest = k;
	}
	return oldest;
}

struct hp_track *hp_paths_add(struct hp_paths *t, const struct hp_path *path,
			      enum hp_candidate_kind kind, size_t keep1,
			      size_t keep2)
{
	struct hp_track *k = hp_paths_find(t, path);

	if (k)
		return k;
	k = make_room(t, keep1, keep2);
	if (k)
		*k = (struct hp_track){ .path = *path, .kind = kind };
	return k;
}

static void note(struct hp_track *t, bool lost)
{
	t->history = (uint8_t)(t->history << 1 | lost);
	if (t->n_history < HP_TRACK_HISTORY)
		t->n_history++;
}

static bool is_mute(const struct hp_track *t, size_t i)
{
	return t->mute >> i & 1;
}

static void set_mute(struct hp_track *t, size_t i, bool mute)
{
	t->mute = (uint8_t)((t->mute & ~(1u << i)) | (unsigned int)mute << i);
}

void hp_track_sent(struct hp_track *t, uint64_t txid, bool counts,
		   uint64_t now_ns)
{
	struct hp_pending *slot = &t->pending[0];

	hp_track_expire(t, now_ns);
	for (size_t i = 1; i < HP_TRACK_PENDING; i++)
		if (slot->txid && (!t->pending[i].txid ||
				   t->pending[i].sent_ns < slot->sent_ns))
			slot = &t->pending[i];
	*slot = (struct hp_pending){ .txid = txid, .sent_ns = now_ns };
	set_mute(t, (size_t)(slot - t->pending), !counts);
}

static void smooth(struct hp_track *t, uint64_t rtt_ns)
{
	/* RFC 6298, 2.3; 0 means "unknown", so no round trip is that short. */
	if (!rtt_ns)
		rtt_ns = 1;
	t->srtt_ns = t->srtt_ns ? (7 * t->srtt_ns + rtt_ns) / 8 : rtt_ns;
}

enum hp_err hp_track_answered(struct hp_track *t, uint64_t txid,
			      uint64_t now_ns)
{
	for (size_t i = 0; txid && i < HP_TRACK_PENDING; i++) {
		struct hp_pending *slot = &t->pending[i];

		if (slot->txid != txid)
			continue;
		if (!t->valid) {
			/* What went unanswered before says nothing about the
			 * path as it is now.
			 */
			t->valid = true;
			t->valid_ns = now_ns;
			t->history = t->n_history = 0;
		}
		if (!is_mute(t, i))
			note(t, false);
		smooth(t, hp_time_since(now_ns, slot->sent_ns));
		t->answered++;
		slot->txid = 0;
		return HP_OK;
	}
	return HP_ERR_STATE;
}

void hp_track_expire(struct hp_track *t, uint64_t now_ns)
{
	uint64_t timeout = HP_TRACK_TIMEOUT;

	if (timeout < 2 * t->srtt_ns)
		timeout = 2 * t->srtt_ns;
	for (size_t i = 0; i < HP_TRACK_PENDING; i++) {
		struct hp_pending *slot = &t->pending[i];

		if (!slot->txid || is_mute(t, i) ||
		    hp_time_since(now_ns, slot->sent_ns) < timeout)
			continue;
		set_mute(t, i, true);
		if (t->valid && slot->sent_ns >= t->valid_ns)
			note(t, true);
	}
}

void hp_track_fail(struct hp_track *t)
{
	t->valid = false;
	t->peer_uses = false;
	t->faster = 0;
	t->srtt_ns = 0;
	t->history = t->n_history = 0;
	/* What it carried before says nothing of why it carries no more. */
	t->sent = t->answered = t->heard = t->errors = t->denied = 0;
}

bool hp_track_is_unanswered(const struct hp_track *t, uint64_t now_ns)
{
	const struct hp_pending *last = &t->pending[0];

	for (size_t i = 1; i < HP_TRACK_PENDING; i++)
		if (t->pending[i].sent_ns > last->sent_ns)
			last = &t->pending[i];
	return last->txid &&
	       hp_time_since(now_ns, last->sent_ns) >= HP_TRACK_TIMEOUT;
}

bool hp_track_is_mute(const struct hp_track *t, bool lossy)
{
	unsigned int n = lossy ? HP_TRACK_HISTORY : 3, all = (1u << n) - 1;

	return t->n_history >= n && (t->history & all) == all;
}

static unsigned int losses(const struct hp_track *t)
{
	return (unsigned int)__builtin_popcount(t->history);
}

bool hp_track_is_lossy(const struct hp_track *t, bool was)
{
	if (was && t->n_history < HP_TRACK_HISTORY)
		return true;
	return losses(t) > (was ? HP_TRACK_GOOD : HP_TRACK_LOSSY - 1);
}

bool hp_track_is_clean(const struct hp_track *t)
{
	return t->valid && t->n_history >= HP_TRACK_GAIN_SAMPLES &&
	       !t->history;
}

bool hp_track_gains(struct hp_track *t, const struct hp_track *used)
{
	uint64_t gain = used->srtt_ns / 10;

	if (gain < HP_TRACK_GAIN)
		gain = HP_TRACK_GAIN;
	if (!used->srtt_ns || t->srtt_ns + gain > used->srtt_ns)
		t->faster = 0;
	else if (t->faster < HP_TRACK_GAIN_SAMPLES)
		t->faster++;
	return t->faster >= HP_TRACK_GAIN_SAMPLES;
}

bool hp_track_is_better(const struct hp_track *a, const struct hp_track *b)
{
	struct hp_candidate ca = { .addr = a->path.remote, .kind = a->kind };
	struct hp_candidate cb = { .addr = b->path.remote, .kind = b->kind };

	if (a->srtt_ns + HP_TRACK_GAIN <= b->srtt_ns)
		return true;
	if (b->srtt_ns + HP_TRACK_GAIN <= a->srtt_ns)
		return false;
	return hp_candidate_priority(&ca) > hp_candidate_priority(&cb);
}
