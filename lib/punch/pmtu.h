/* SPDX-License-Identifier: ISC */
/*
 * How long datagrams may be on one path: packetization layer path MTU discovery
 * (RFC 8899), pure: time and answers in, the sizes of probes out. Sizes are
 * bytes of UDP payload, without the header of a relay. Theory: pmtu.c.
 */
#ifndef HP_PUNCH_PMTU_H
#define HP_PUNCH_PMTU_H

#include <stdbool.h>
#include <stdint.h>

/* BASE_PLPMTU, RFC 8899 5.1.2 */
#define HP_PMTU_BASE 1200
/* Probes that may be under way at once. */
#define HP_PMTU_RUNGS 11

/* RFC 8899, 5.2 */
enum hp_pmtu_state {
	HP_PMTU_DISABLED,	/* no path, or nothing to measure */
	HP_PMTU_BASE_STATE,	/* what passes is not known, or in doubt */
	HP_PMTU_SEARCHING,	/* the base passes; how much more does? */
	HP_PMTU_COMPLETE,	/* known; verified under traffic */
	HP_PMTU_ERROR,		/* not even the base passes */
};

/**
 * struct hp_pmtu - The search on one path; zeroed: disabled
 * @min:     passes, since the path works at all: the shortest probe
 * @max:     nobody needs more
 * @size:    the longest that passes, as found last, until then the one of the
 *           path before this one; 0: not found yet
 * @good:    the longest that passed in this search, 0: none yet
 * @bad:     the shortest known not to pass, @max + 1: none is
 * @suspect: one that was lost, 0: none is suspected
 * @lost:    probes of that size which were, while shorter ones passed
 * @settled: the search has ended
 * @begun:   the first probe, which is of @max, has been sent
 * @silent:  rounds in a row in which nothing was answered
 * @rung:    sizes of the @n_rungs probes under way, longest first
 * @answered: set of those that were
 * @txid:    of the first, other than 0; the others' follow
 * @due_ns:  when the round ends, or the next begins
 * @checked_ns: when @good was last seen to pass
 * @raise_ns: when to search anew for more, 0: this path was never measured
 */
struct hp_pmtu {
	enum hp_pmtu_state state;
	uint32_t min;
	uint32_t max;
	uint32_t size;
	uint32_t good;
	uint32_t bad;
	uint32_t suspect;
	unsigned int lost;
	bool settled;
	bool begun;
	unsigned int silent;
	uint16_t rung[HP_PMTU_RUNGS];
	uint16_t answered;
	unsigned int n_rungs;
	uint64_t txid;
	uint64_t due_ns;
	uint64_t checked_ns;
	uint64_t raise_ns;
};

/* Begins on a path that carries @min bytes. What another one carried before it
 * stays in force until it is known: mostly our own uplink was the narrow one.
 * With @max <= @min there is nothing to measure.
 */
void hp_pmtu_start(struct hp_pmtu *m, uint32_t min, uint32_t max,
		   uint64_t now_ns);
void hp_pmtu_stop(struct hp_pmtu *m);
/**
 * hp_pmtu_tick() - Do what is due
 * @srtt_ns:    round trip of the path, 0: unknown
 * @traffic_ns: when data was last sent over it
 *
 * Return: how many of @m->rung the caller shall send now, in their order,
 *         once it has set @m->txid.
 */
unsigned int hp_pmtu_tick(struct hp_pmtu *m, uint64_t srtt_ns,
			  uint64_t traffic_ns, uint64_t now_ns);
/* A response came; false: not to a probe of this search. */
bool hp_pmtu_answered(struct hp_pmtu *m, uint64_t txid, uint64_t now_ns);
uint64_t hp_pmtu_deadline(const struct hp_pmtu *m, uint64_t traffic_ns);

/* A word for each; never NULL. */
const char *hp_pmtu_state_text(enum hp_pmtu_state state);

#endif
