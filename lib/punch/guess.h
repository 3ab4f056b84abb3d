/* SPDX-License-Identifier: ISC */
/*
 * Guessing the ports of NATs that give each destination another one. One round
 * at a time per node, agreed over the relay; what a hit is worth is decided by
 * the path machine. Theory of operation: guess.c.
 */
#ifndef HP_PUNCH_GUESS_H
#define HP_PUNCH_GUESS_H

#include "punch/budget.h"
#include "punch/probe.h"
#include "punch/punch.h"

/* Ports that the easy side tries in one round. */
#define HP_GUESS_PORTS 1024
/* And when the hard side's ports can be foreseen: strides past the last one. */
#define HP_GUESS_WINDOW 50

enum hp_guess_role {
	HP_GUESS_NONE,
	HP_GUESS_EASY,	/* one port, known to the peer; tries the peer's */
	HP_GUESS_HARD,	/* opens sockets toward the peer's known port */
	HP_GUESS_PAIR,	/* neither port is known */
};

/**
 * struct hp_guess_plan - What to do with the facts of both sides
 * @role:    HP_GUESS_NONE: nothing, because of @why
 * @doubt:   no NAT is known to be hard, but one may be
 * @foresee: the peer's next port is known, not only their range
 * @counted: each probe makes a mapping of ours
 * @n_socks: sockets to open (hard, pair)
 * @n_ports: ports of the peer to try (easy, pair)
 * @n_peer:  what the other side will send
 */
struct hp_guess_plan {
	enum hp_guess_role role;
	enum hp_punch_reason why;
	bool doubt;
	bool foresee;
	bool counted;
	unsigned int n_socks;
	unsigned int n_ports;
	unsigned int n_peer;
};

/* plan.c. The same on both sides, but for the roles: a function of the facts
 * alone. @leader: @own began the round.
 */
void hp_guess_make_plan(const struct hp_guess_word *own,
			const struct hp_guess_word *peer, bool leader,
			struct hp_guess_plan *out);
/* The @i-th port to try of a peer that says @peer; @start, @step: random. */
uint16_t hp_guess_port(const struct hp_guess_word *peer, bool foresee,
		       uint32_t start, uint32_t step, unsigned int i);

enum hp_guess_stage {
	HP_GUESS_OFF,
	HP_GUESS_TALK,	 /* facts are gathered and exchanged */
	HP_GUESS_FIRE,	 /* probes leave */
	HP_GUESS_LISTEN, /* and are waited for */
};

/* An extra socket and its place in the account. */
struct hp_guess_sock {
	uint32_t sock;
	int slot;
};

/**
 * struct hp_guess - A peer's rounds since the last success
 * @id:         of the round, as on the wire
 * @leader:     we began it
 * @own, @peer: the facts of either side, valid with @have_own, @have_peer
 * @begun:      the hard peer's sockets are open
 * @target:     where the peer's main socket is seen
 * @next:       number of the next probe
 * @start, @step: of the walk through the peer's ports
 * @txid:       of probe n: with n's mark in the low 16 bits
 * @attempt:    rounds that failed since anything changed
 * @says:       times that the opened sockets were told of
 * @found:      new sources in the round
 * @say_ns:     when to say again what the peer has not acknowledged
 * @next_ns:    when probes may leave
 * @end_ns:     when the stage has failed
 * @due_ns:     when to begin a round; @not_before_ns: when that may be
 * @keep_ns:    sockets are kept until then, for the next round
 * @now_ns:     last time that we were told of
 * @sock:       room for HP_BUDGET_MAPPINGS, NULL while none is open
 */
struct hp_guess {
	enum hp_guess_stage stage;
	uint64_t id;
	bool leader;
	struct hp_guess_word own;
	struct hp_guess_word peer;
	bool have_own;
	bool have_peer;
	bool begun;
	struct hp_guess_plan plan;
	struct hp_addr target;
	unsigned int next;
	uint32_t start;
	uint32_t step;
	uint64_t txid;
	unsigned int attempt;
	unsigned int says;
	unsigned int found;
	uint64_t say_ns;
	uint64_t next_ns;
	uint64_t end_ns;
	uint64_t due_ns;
	uint64_t not_before_ns;
	uint64_t keep_ns;
	uint64_t now_ns;
	enum hp_punch_reason why;
	struct hp_guess_sock *sock;
	unsigned int n_socks;
};

/**
 * struct hp_guessed - And of all rounds what outlives them
 * @last_id: of the one before this
 * @asked:   cap on rounds that the peer begins
 */
struct hp_guessed {
	uint64_t last_id;
	struct hp_pace asked;
	uint32_t rounds;
	uint32_t probes;
	uint32_t hits;
};

/* What a peer begins with. */
void hp_guess_init(struct hp_guessed *g);
/* A full round of volleys begins, and it is known already that one of the NATs
 * maps per destination: guessing does not wait for its end.
 */
void hp_guess_soon(struct hp_punch *p, uint64_t now_ns);
/* A round of volleys failed: perhaps guessing helps. */
void hp_guess_want(struct hp_punch *p, uint64_t now_ns);
/* What the peer's address is, or how it is mapped, is news. */
void hp_guess_renew(struct hp_punch *p);
/* A word of the peer on a round. */
enum hp_err hp_guess_rx(struct hp_punch *p, const struct hp_path *from,
			const struct hp_probe *m, uint64_t now_ns)
	HP_MUST_CHECK;
/* A response that no path waits for: true when it answers a guess; the path is
 * known then.
 */
bool hp_guess_answered(struct hp_punch *p, const struct hp_path *from,
		       const struct hp_probe *m, uint64_t now_ns);
/* Whether a path may be learned on @sock: others are another peer's guesses, or
 * ask servers, and are closed without a word to us.
 */
bool hp_guess_owns(const struct hp_punch *p, uint32_t sock);
/* Is it one of the few sources that a round may find, whatever the cap on new
 * ones has been used up for before?
 */
bool hp_guess_finds(struct hp_punch *p, const struct hp_path *from);
/* A request came from a source that is new. */
void hp_guess_heard(struct hp_punch *p, const struct hp_path *from,
		    uint64_t now_ns);
/* There is a direct path, or nothing is known of the peer any more: ends the
 * round, and closes all sockets that no path in use or in doubt needs; all is
 * forgotten but for these.
 */
void hp_guess_stop(struct hp_punch *p);
void hp_guess_tick(struct hp_punch *p, uint64_t now_ns);
uint64_t hp_guess_deadline(const struct hp_punch *p);

#endif
