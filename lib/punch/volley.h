/* SPDX-License-Identifier: ISC */
/*
 * When probes leave in a round of punching, and with how many hops to live;
 * and the cap on their rate. Arithmetic only: who is probed, and what follows,
 * is punch.c's.
 *
 * The poisoning trap. A Linux router whose INPUT chain accepts what nobody
 * asked for makes a connection-tracking entry for a probe of the peer that
 * arrives before the first of ours has left. Our flow then clashes with that
 * entry and is given another port than the one announced, for as long as the
 * entry lives (30 s, and each further probe renews it). So our own NAT has to
 * be opened before the peer's probes can reach it:
 *
 *   t = 0      opening volley: few hops to live, enough to pass our own NAT,
 *              too few to reach the peer's. Full probes to where no port can
 *              be taken away: hosts nearby, IPv6, hosts without a NAT.
 *   t = guard  full volleys to all, at +0, 20, 60, 140, 300, 620, 1260 ms.
 *
 *        us                   server                      peer
 *         |<--------- s1 --------|-------- s2 ------------->|
 *         |--low-TTL--x                       x--low-TTL----|
 *         |   guard                                guard    |
 *         |------------------- full, one way d ------------>|
 *
 * A probe of the peer, sent a guard g after its introduction, comes too early
 * when our introduction took longer than its by more than g + d. Were packets
 * to take the fastest way, s1 <= s2 + d would hold (the server could send to
 * us by way of the peer), and g = 0 would do. What is left for the guard are
 * detours and jitter. In a model of both (hosts and server on a plane 40 ms
 * wide, each pair with a detour factor of 1 to 2, each packet with exponential
 * jitter of mean 5 ms; 200,000 pairs) a probe came too early in 13.8 % of all
 * pairs without a guard, in 7.8 % with 5 ms, in 0.9 % with 20 ms; and in 1.9 %
 * with half of the round trip to the server, which has one wait for 32 ms in
 * the mean. So the guard is a constant, HP_VOLLEY_GUARD, and ends sooner when
 * the peer tells over the relay that its opening volley has left
 * (HP_PROBE_PUNCH): with a server nearby that is soon.
 *
 * In later rounds nothing introduces both at one moment; the relayed
 * HP_PROBE_PUNCH does it. The peer's opening volley leaves when it arrives, and
 * no guard follows, for ours has left; our own guard is the relay's round trip.
 */
#ifndef HP_PUNCH_VOLLEY_H
#define HP_PUNCH_VOLLEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/candidate.h"
#include "base/time.h"

#define HP_VOLLEY_GUARD (20 * HP_MS)
/* Longest guard of a later round: a relay slower than this is no clock. */
#define HP_VOLLEY_GUARD_MAX (500 * HP_MS)
/* Full volleys in a round after an introduction, and in one retried. */
#define HP_VOLLEY_FULL 7
#define HP_VOLLEY_RETRY 3
/* How long after the last volley answers are waited for. */
#define HP_VOLLEY_GRACE (500 * HP_MS)

enum hp_volley_class {
	HP_VOLLEY_NEAR,	 /* a private address: perhaps on our own network */
	HP_VOLLEY_CLEAR, /* no port can be taken away: IPv6, a public host */
	HP_VOLLEY_NAT,	 /* IPv4 behind a NAT: the opening volley first */
};

/**
 * struct hp_volley - One round
 * @start_ns: of the opening volley
 * @full_ns:  when full volleys may go to HP_VOLLEY_NAT
 * @n_full:   how many there are
 */
struct hp_volley {
	uint64_t start_ns;
	uint64_t full_ns;
	unsigned int n_full;
};

enum hp_volley_class hp_volley_class(const struct hp_addr *addr,
				     enum hp_candidate_kind kind);

/* When probe @n (from 0) of a round goes to an address of @class; HP_NEVER:
 * the round has no more for it. For HP_VOLLEY_NAT number 0 is the one with few
 * hops to live.
 */
uint64_t hp_volley_due(const struct hp_volley *v, enum hp_volley_class class,
		       unsigned int n);
static inline bool hp_volley_is_opening(enum hp_volley_class class,
					unsigned int n)
{
	return class == HP_VOLLEY_NAT && n == 0;
}

/* The peer's NAT is open: what is left of the guard is not waited for. */
void hp_volley_open(struct hp_volley *v, uint64_t now_ns);
/* When the round has failed if nothing came of it. */
uint64_t hp_volley_end(const struct hp_volley *v);

/**
 * struct hp_pace - A rate cap: a bucket of tokens, one a datagram
 * @every_ns: a token is added so often
 * @burst:    tokens that the full bucket holds
 * @full_ns:  when the bucket is (was) full again
 */
struct hp_pace {
	uint64_t every_ns;
	unsigned int burst;
	uint64_t full_ns;
};

/* Takes a token; false: there is none before hp_pace_next(). */
bool hp_pace_take(struct hp_pace *p, uint64_t now_ns);
uint64_t hp_pace_next(const struct hp_pace *p);

#endif
