/* SPDX-License-Identifier: ISC */
/*
 * The paths to one peer and what is known of each: round trips, losses, when
 * it was last heard; and which of two is better. It sends nothing and decides
 * nothing: punch.c does.
 */
#ifndef HP_PUNCH_PATH_H
#define HP_PUNCH_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/candidate.h"
#include "base/path.h"
#include "punch/punch.h"

/* Requests of one path that may be answered yet. */
#define HP_TRACK_PENDING 8
/* Outcomes of requests that are remembered, to judge losses. */
#define HP_TRACK_HISTORY 8
/* Of them so many lost make a path lossy, and so few make it good again. */
#define HP_TRACK_LOSSY 3
#define HP_TRACK_GOOD 1
/* A request is lost when no answer came for this long, or two round trips. */
#define HP_TRACK_TIMEOUT (1 * HP_S)
/* A path is switched for a gain of at least 5 ms and 10 % over 3 samples. */
#define HP_TRACK_GAIN (5 * HP_MS)
#define HP_TRACK_GAIN_SAMPLES 3

/* A request that waits for its response; @txid 0: none. */
struct hp_pending {
	uint64_t txid;
	uint64_t sent_ns;
};

/**
 * struct hp_track - One path and its record
 * @kind:      HP_CAND_RELAYED for the relay
 * @announced: in the peer's last introduction
 * @valid:     a round trip was seen, and nothing since says it is gone
 * @skip:      the system cannot send there: not in this round
 * @peer_uses: the peer's last request said that its packets go over it
 * @n_round:   probes of this round sent to it
 * @n_trigger: and, of them, answers to requests of the peer, up to a cap
 * @named_seq: sequence of the last nomination that came over it, 0: none
 * @sent, @answered, @heard, @errors: see struct hp_punch_path_info
 * @denied:    of @errors, those of our own firewall
 * @history:   outcomes since @valid_ns, newest in bit 0; set: lost
 * @n_history: how many of them are there
 * @faster:    samples in a row that beat the path in use
 * @srtt_ns:   smoothed round trip, 0: none was measured
 * @valid_ns:  since when it is valid
 * @heard_ns:  anything authentic came over it
 * @sent_ns:   anything was sent over it
 * @full_ns:   a request with hops enough to arrive was sent over it
 * @seen:      how the peer sees us over it
 * @mute:      set of those @pending whose outcome is not for the history (it
 *             was counted as lost already, or many are sent at once); their
 *             response still proves the path
 */
struct hp_track {
	struct hp_path path;
	enum hp_candidate_kind kind;
	bool announced;
	bool valid;
	bool skip;
	bool peer_uses;
	unsigned int n_round;
	unsigned int n_trigger;
	uint64_t named_seq;
	uint32_t sent;
	uint32_t answered;
	uint32_t heard;
	uint32_t errors;
	uint32_t denied;
	uint8_t history;
	uint8_t n_history;
	uint8_t faster;
	uint8_t mute;
	uint64_t srtt_ns;
	uint64_t valid_ns;
	uint64_t heard_ns;
	uint64_t sent_ns;
	uint64_t full_ns;
	struct hp_addr seen;
	struct hp_pending pending[HP_TRACK_PENDING];
};

/**
 * struct hp_paths - All paths to one peer
 * @track: of each its record, which stays where it is; track[0] is the relay's,
 *         whose path is unset when there is none
 * @n:     at least 1
 * @relay: that record: most peers of a large network have no other
 * @alone: what @track is then; with more it is allocated
 */
struct hp_paths {
	struct hp_track **track;
	size_t n;
	struct hp_track relay;
	struct hp_track *alone[1];
};

/* Forgets all paths but the relay's, and its record too. Begin (zeroed) and end
 * with this.
 */
void hp_paths_reset(struct hp_paths *t);
/* Sets, replaces or (unset) takes away the relay; the same one stays as is. */
void hp_paths_set_relay(struct hp_paths *t, const struct hp_path *relay);

/* The record of @path, or NULL. A local address that either side does not
 * name fits any.
 */
struct hp_track *hp_paths_find(struct hp_paths *t, const struct hp_path *path);
/**
 * hp_paths_add() - The record of @path, a new one when there is none
 * @keep1: indices of records that
 * @keep2: must not make room (0: the relay, which never does)
 *
 * When all are taken, the one heard longest ago of those that are neither
 * valid nor announced makes room.
 *
 * Return: NULL when none can, or without memory.
 */
struct hp_track *hp_paths_add(struct hp_paths *t, const struct hp_path *path,
			      enum hp_candidate_kind kind, size_t keep1,
			      size_t keep2);

/* A request left; @counts: its outcome is one for the history. Overwrites the
 * oldest pending one.
 */
void hp_track_sent(struct hp_track *t, uint64_t txid, bool counts,
		   uint64_t now_ns);
/* The response to @txid came: HP_ERR_STATE when none is awaited. Takes the
 * round trip, and makes the path valid.
 */
enum hp_err hp_track_answered(struct hp_track *t, uint64_t txid,
			      uint64_t now_ns) HP_MUST_CHECK;
/* Counts requests as lost whose time is over. */
void hp_track_expire(struct hp_track *t, uint64_t now_ns);
/* The path is gone until a new round trip says otherwise. */
void hp_track_fail(struct hp_track *t);

/* The last request on it was not answered in time. */
bool hp_track_is_unanswered(const struct hp_track *t, uint64_t now_ns);
/* The last three requests were lost; all that are remembered, for a path of
 * which it is known that it is @lossy.
 */
bool hp_track_is_mute(const struct hp_track *t, bool lossy);
/* Lossy: one that was takes HP_TRACK_GOOD to be good again. */
bool hp_track_is_lossy(const struct hp_track *t, bool was);
/* Any of the outcomes known is a loss. */
static inline bool hp_track_loses(const struct hp_track *t)
{
	return t->history;
}
/* Enough outcomes are known, and none is a loss. */
bool hp_track_is_clean(const struct hp_track *t);
/* Counts a sample of @t against @used: true when it is time to switch. */
bool hp_track_gains(struct hp_track *t, const struct hp_track *used);
/* Whether @a is the better of two valid paths that nothing is sent over yet. */
bool hp_track_is_better(const struct hp_track *a, const struct hp_track *b);

#endif
