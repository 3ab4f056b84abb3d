/* SPDX-License-Identifier: ISC */
/*
 * The data path: inner packets to WireGuard data messages and back, in
 * batches, in place, reading the FIB. No allocation, no copy, and nothing that
 * waits but for the few instructions by which another thread marks a counter of
 * the same session (hp_session_opened()). May run on any number of data threads;
 * what it sees and may not change itself it tells the control thread by notices.
 */
#ifndef HP_WG_FORWARD_H
#define HP_WG_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/path.h"
#include "base/pkt.h"
#include "wg/aead.h"
#include "wg/fib.h"

enum hp_notice_kind {
	HP_NOTICE_ACTIVE,	/* traffic with a peer that was idle */
	HP_NOTICE_CONFIRMED,	/* first packet on a session we answered for */
	HP_NOTICE_REKEY,	/* a session is old enough to be renewed */
	HP_NOTICE_ROAMED,	/* an authentic packet came by a new path */
};

/**
 * struct hp_notice - What a data thread saw; goes to hp_wg_notice()
 * @peer:  id of the peer; it may be gone when the notice arrives
 * @index: local index of the session (CONFIRMED, REKEY)
 * @at_ns: when
 * @path:  the new path (ROAMED)
 */
struct hp_notice {
	enum hp_notice_kind kind;
	uint32_t peer;
	uint32_t index;
	uint64_t at_ns;
	struct hp_path path;
};

enum hp_verdict {
	HP_VERDICT_DROP,	/* forget it; counted under its reason */
	HP_VERDICT_SEND,	/* put it on the wire over the path */
	HP_VERDICT_DELIVER,	/* write it to the TUN device */
	HP_VERDICT_NOTHING,	/* a keepalive: done */
	HP_VERDICT_CONTROL,	/* for the control thread; unchanged */
	HP_VERDICT_TOO_BIG,	/* for its path; unchanged: fragment it, or tell
				 * its sender (wg/toobig.h) */
};

/**
 * struct hp_forward_out - What becomes of an inner packet
 * @verdict: SEND: the packet is now a datagram, with its relay header if the
 *           path has a channel; CONTROL: give it to hp_wg_tx(); or DROP
 * @reason:  why, for DROP
 * @peer:    id of the peer, for SEND and CONTROL
 * @path:    for SEND; valid until the thread's next quiescent point
 * @also:    for SEND: put a copy on the wire over this one, too, after the
 *           packet itself, by hp_forward_copy(); or NULL
 * @mtu:     for TOO_BIG: what would fit
 */
struct hp_forward_out {
	enum hp_verdict verdict;
	enum hp_drop reason;
	uint32_t peer;
	const struct hp_path *path;
	const struct hp_path *also;
	uint32_t mtu;
};

/**
 * struct hp_forward_in - What becomes of a received message
 * @verdict: DELIVER: the packet is now the inner one, trimmed to its length,
 *           its source checked; NOTHING; CONTROL: not a data message, give it
 *           to hp_wg_rx(); or DROP
 * @reason:  why, for DROP
 * @peer:    id of the peer, for DELIVER and NOTHING
 */
struct hp_forward_in {
	enum hp_verdict verdict;
	enum hp_drop reason;
	uint32_t peer;
};

struct hp_forward_slot {
	struct hp_session *session;
	const struct hp_path *path;
	const struct hp_path *also;
	uint32_t at;
	uint32_t text_len;
};

/* The route that was looked up last: packets come in trains. */
struct hp_forward_last {
	const uint8_t *ip;
	enum hp_family family;
	struct hp_route_owner *owner;	/* NULL: none yet */
};

/* One per thread; begin with hp_forward_init(). */
struct hp_forward {
	struct hp_fib *fib;
	struct hp_aead *aead;
	uint32_t gone;	/* sessions whose keys @aead has forgotten */
	void (*notice)(void *ctx, const struct hp_notice *n);
	void *ctx;
	/* Scratch of one call. */
	struct hp_forward_last last;
	struct hp_aead_op ops[HP_BATCH];
	struct hp_forward_slot slots[HP_BATCH];
};

/**
 * hp_forward_init() - Set up the data path of one thread
 * @fib:    hp_wg_fib() (borrowed)
 * @aead:   cipher engine of this thread (borrowed)
 * @notice: called within hp_forward_out() and hp_forward_in(); copies what it
 *          needs, must not call back into lib/wg, and must not lose notices
 *          of kind CONFIRMED and REKEY
 * @ctx:    handed to @notice
 */
void hp_forward_init(struct hp_forward *f, struct hp_fib *fib,
		     struct hp_aead *aead,
		     void (*notice)(void *ctx, const struct hp_notice *n),
		     void *ctx);
/**
 * hp_forward_out() - Route, pad and seal inner packets
 * @pkts: @n inner packets, n <= HP_BATCH; HP_HEADROOM in front, HP_TAILROOM
 *        behind
 * @outs: @n verdicts, filled
 */
void hp_forward_out(struct hp_forward *f, struct hp_pkt *pkts, size_t n,
		    struct hp_forward_out *outs, uint64_t now_ns);
/* Makes @p, which was sent over @out->path, fit for @out->also. False: there is
 * no such path. The receiver's replay window drops what comes twice.
 */
bool hp_forward_copy(const struct hp_forward_out *out, struct hp_pkt *p);
/**
 * hp_forward_in() - Open data messages and check what is inside
 * @pkts: @n WireGuard messages without relay header, n <= HP_BATCH
 * @from: where each came from; channel set when it came through the relay
 * @ins:  @n verdicts, filled
 */
void hp_forward_in(struct hp_forward *f, struct hp_pkt *pkts,
		   const struct hp_path *from, size_t n,
		   struct hp_forward_in *ins, uint64_t now_ns);

/* For lib/wg: hp_forward_out() without relay headers, and whatever fits. */
void hp_forward_seal(struct hp_forward *f, struct hp_pkt *pkts, size_t n,
		     struct hp_forward_out *outs, uint64_t now_ns);
/* For lib/wg: seals one packet for a known peer, without relay header; an
 * empty packet becomes a keepalive. @out->verdict: SEND, CONTROL or DROP.
 */
void hp_forward_to(struct hp_forward *f, struct hp_fib_peer *peer,
		   struct hp_pkt *pkt, struct hp_forward_out *out,
		   uint64_t now_ns);
/* For lib/wg: a message of @len bytes other than data was sent to, or
 * authentic from, @peer.
 */
void hp_stamps_sent(struct hp_stamps *st, uint32_t len, uint64_t now_ns);
void hp_stamps_heard(struct hp_stamps *st, uint32_t len, uint64_t now_ns);

#endif
