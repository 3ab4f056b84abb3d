/* SPDX-License-Identifier: ISC */
/*
 * The inside of struct hp_punch, shared by punch.c, which runs the machine,
 * upkeep.c, which watches the path in use, measure.c, which finds its MTU,
 * round.c, which sends for them, and info.c, which tells about it. For no one
 * else.
 */
#ifndef HP_PUNCH_MACHINE_H
#define HP_PUNCH_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "punch/guess.h"
#include "punch/path.h"
#include "punch/pmtu.h"
#include "punch/probe.h"
#include "punch/punch.h"
#include "punch/volley.h"

/* Data was sent within so long: heartbeats are frequent, retries go on. */
#define HP_PUNCH_ACTIVE (45 * HP_S)
/* NATs remember an idle path so long, unless more is known. */
#define HP_PUNCH_KEEPALIVE (25 * HP_S)

/**
 * struct hp_check - The path in use is being asked whether it lives
 * @on:       it is
 * @strict:   only an answer will do; else anything heard over it will
 * @start_ns: since when; what was heard before says nothing
 * @asked:    requests sent
 * @next_ns:  when to ask again
 * @every_ns: how often
 * @end_ns:   when silence means no
 */
struct hp_check {
	bool on;
	bool strict;
	unsigned int asked;
	uint64_t start_ns;
	uint64_t next_ns;
	uint64_t every_ns;
	uint64_t end_ns;
};

/**
 * struct hp_punch - The machine; see the theory of operation in punch.c
 * @peer_epoch:   0: not introduced
 * @nominate_seq: sequence of the last nomination that was followed
 * @peer_use_seq: sequence of the peer's last word on what it uses
 * @peer_left:    its packets took the path in use, and take another one now
 * @use:          index of the path in use; 0: the relay
 * @doubt:        in HP_PUNCH_DOUBT: index of the silent path, else 0
 * @lossy:        index of a direct path left because of its losses, else 0
 * @punching:     a round of volleys is under way
 * @round_sent:   requests that the round has sent to candidates
 * @backoff:      the next retry comes 2^backoff s after a failed round
 * @pace:         cap on requests
 * @answers:      cap on responses
 * @learning:     cap on paths learned from the sources of requests
 * @both:         packets take the relay as well as the direct path in use
 * @look:         an error makes the next tick check the path in use
 * @waiting_ns:   the first send over the path in use since something was
 *                heard on it, 0: none, or there is no such path
 * @traffic_ns:   data was sent
 * @keepalive_ns: how long an idle path is left alone
 * @txid:         of the last request
 * @ping_txid:    of the last ping, 0: it was answered; @ping_ns: when it left
 * @pong_ns:      its round trip; @pongs: how many were answered
 * @guess:      NULL: there was no reason to guess since the last success
 * @longest:    datagram that anybody will want to send; 0: nothing is measured
 * @measured:   the path that @pmtu is about
 * @busy_ns:    see hp_punch_busy()
 * @stranger_ns, @silent_ns: when those events were last raised, 0: never
 */
struct hp_punch {
	struct hp_rng rng;
	const struct hp_punch_ops *ops;
	void *ctx;
	struct hp_probe_keys keys;
	uint64_t epoch;
	bool controlling;
	uint32_t methods;

	uint64_t peer_epoch;
	uint64_t seq;
	uint64_t nominate_seq;
	uint64_t peer_use_seq;
	bool peer_left;
	struct hp_probe_window window;
	enum hp_mapping own_mapping;
	enum hp_mapping peer_mapping;

	enum hp_punch_state state;
	uint64_t since_ns;
	struct hp_paths paths;
	size_t use;
	size_t doubt;
	size_t lossy;

	struct hp_volley volley;
	bool punching;
	unsigned int round_sent;
	unsigned int rounds;
	unsigned int low_ttl;
	unsigned int backoff;
	uint64_t retry_ns;

	struct hp_pace pace;
	struct hp_pace answers;
	struct hp_pace learning;
	struct hp_check check;
	bool both;
	bool look;
	uint64_t waiting_ns;
	uint64_t traffic_ns;
	uint64_t keepalive_ns;
	uint64_t stranger_ns;
	uint64_t silent_ns;
	uint64_t txid;
	uint64_t ping_txid;
	uint64_t ping_ns;
	uint64_t pong_ns;
	uint32_t pongs;

	struct hp_budget *budget;
	struct hp_guess *guess;
	struct hp_guessed guessed;

	uint32_t longest;
	struct hp_pmtu pmtu;
	struct hp_path measured;
	uint64_t busy_ns;

	uint64_t tx;
	uint64_t tx_bytes;
	uint64_t rx;
	uint64_t throttled;
	uint64_t drops[HP_PUNCH_DROPS];
};

static inline struct hp_track *hp_punch_used(struct hp_punch *p)
{
	return p->paths.track[p->use];
}

static inline struct hp_track *hp_punch_relay(struct hp_punch *p)
{
	return p->paths.track[0];
}

/* The direct path that was left because of its losses: watched closely. */
static inline bool hp_punch_left(const struct hp_punch *p, size_t i)
{
	return i && i == p->lossy;
}

void hp_punch_set_state(struct hp_punch *p, enum hp_punch_state state,
			uint64_t now_ns);

/* Completes @m, seals it and sends it; if it is padded, whole or not at all. */
void hp_punch_send(struct hp_punch *p, const struct hp_path *path, int ttl,
		   struct hp_probe *m);
/* Sends a request over @t, if it leads anywhere: a NOMINATE, when we control
 * and use it. @flags: beside HP_PROBE_IN_USE. False: the rate cap forbids it.
 */
bool hp_punch_request(struct hp_punch *p, struct hp_track *t, int ttl,
		      uint8_t flags, uint64_t now_ns);
/* Answers the request @txid that came over @from. @t: its record, or NULL. */
void hp_punch_respond(struct hp_punch *p, struct hp_track *t,
		      const struct hp_path *from, uint64_t txid,
		      uint64_t now_ns);

/* upkeep.c: packets take path @i from now on. */
void hp_upkeep_use(struct hp_punch *p, size_t i, enum hp_punch_state state,
		   uint64_t now_ns);
/* Packets take the relay as well, while the direct path is in doubt. */
void hp_upkeep_both(struct hp_punch *p, bool on);
/* Asks the path in use whether it lives. */
void hp_check_start(struct hp_punch *p, bool strict, uint64_t now_ns);
/* Answered: the path lives, and volleys that a poke began are pointless. */
void hp_check_passed(struct hp_punch *p);
/* The direct path in use is dead. */
void hp_upkeep_lose(struct hp_punch *p, uint64_t now_ns);
void hp_upkeep_run(struct hp_punch *p, uint64_t now_ns);
uint64_t hp_upkeep_due(const struct hp_punch *p);

/* measure.c: how long may datagrams be on the path in use? */
void hp_measure_run(struct hp_punch *p, uint64_t now_ns);
uint64_t hp_measure_due(const struct hp_punch *p);

/* Begins a round of @n_full volleys, and tells the peer over the relay.
 * @introduced: the peer's round begins at this moment, too.
 */
void hp_round_start(struct hp_punch *p, unsigned int n_full, bool introduced,
		    uint64_t now_ns);
/* Begins a round because the peer began one: no guard, nothing to tell. */
void hp_round_join(struct hp_punch *p, uint64_t now_ns);
/* The peer's NAT is open: full volleys may leave. */
void hp_round_open(struct hp_punch *p, uint64_t now_ns);
/* Sends what is due. */
void hp_round_run(struct hp_punch *p, uint64_t now_ns);
/* The round is over: without a direct path it has failed. */
void hp_round_end(struct hp_punch *p, uint64_t now_ns);
/* Of the next probe, or of the end of the round. */
uint64_t hp_round_deadline(const struct hp_punch *p);

#endif
