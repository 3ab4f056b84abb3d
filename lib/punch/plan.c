/* SPDX-License-Identifier: ISC */
/*
 * What to do with the facts of both sides: who opens sockets, who tries ports,
 * how many. Arithmetic only; why it is so: guess.c.
 */
#include "punch/guess.h"

#include <string.h>

/* Sockets that a stride needs: one, and some for ports lost to others. */
#define SOCKS_STRIDE 4
#define SOCKS_MIN 16
/* Hits that sockets for a small range aim at, in the mean. */
#define HITS 6
#define WINDOW_WIDE 200
#define PAIR_STRIDE 32
/* What is left of the budget once the NAT was sampled, most times. */
#define PAIR_PROBES 240
#define PAIR_MIN 32
/* Hits in a thousand rounds below which a pair is not worth the probes. */
#define HOPE 40

static bool is_hard(const struct hp_guess_word *w)
{
	return hp_nat_is_hard(w->mapping);
}

/* Unless the other side heard it where it said that it is. */
static bool is_doubtful(const struct hp_guess_word *w,
			const struct hp_guess_word *other)
{
	return w->mapping == HP_NAT_MAPPING_EIM_OR_ADM && !other->heard;
}

static unsigned int width(const struct hp_guess_word *w)
{
	return w->hi - w->lo + 1u;
}

static bool is_stride(const struct hp_guess_word *w, uint32_t methods)
{
	return w->ports == HP_NAT_PORTS_SEQUENTIAL &&
	       methods & HP_METHOD_PREDICT;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* @hard opens sockets, the other side tries ports: fills in both counts. */
static enum hp_punch_reason plan_one(const struct hp_guess_word *hard,
				     uint32_t methods, unsigned int attempt,
				     unsigned int *n_socks,
				     unsigned int *n_ports)
{
	unsigned int n = HITS * width(hard) / HP_GUESS_PORTS;

	if (is_stride(hard, methods)) {
		*n_socks = SOCKS_STRIDE;
		*n_ports = attempt ? WINDOW_WIDE : HP_GUESS_WINDOW;
	} else if (methods & HP_METHOD_BIRTHDAY) {
		*n_socks = least(n < SOCKS_MIN ? SOCKS_MIN : n,
				 HP_BUDGET_MAPPINGS);
		*n_ports = least(width(hard), HP_GUESS_PORTS);
	} else {
		return HP_PUNCH_WHY_GUESS_OFF;
	}
	*n_socks = least(*n_socks, hard->room);
	return *n_socks < SOCKS_STRIDE ? HP_PUNCH_WHY_GUESS_QUEUED :
					 HP_PUNCH_WHY_NONE;
}

static void plan_pair(const struct hp_guess_word *own,
		      const struct hp_guess_word *peer, uint32_t methods,
		      struct hp_guess_plan *o)
{
	bool a = is_stride(own, methods), b = is_stride(peer, methods);
	uint64_t ports = (a ? 1 : width(own)) * (uint64_t)(b ? 1 : width(peer));
	uint64_t hits = 1000 * PAIR_PROBES * (a || b ? 1 : PAIR_PROBES) / ports;
	unsigned int n = a && b ? PAIR_STRIDE : PAIR_PROBES;

	if (!(a && b) && !(methods & HP_METHOD_BIRTHDAY))
		o->why = HP_PUNCH_WHY_GUESS_OFF;
	else if (!(a && b) && hits < HOPE)
		o->why = HP_PUNCH_WHY_GUESS_HOPELESS;
	n = least(n, least(own->room, peer->room));
	if (o->why == HP_PUNCH_WHY_NONE && n < PAIR_MIN)
		o->why = HP_PUNCH_WHY_GUESS_QUEUED;
	if (o->why != HP_PUNCH_WHY_NONE)
		return;
	o->role = HP_GUESS_PAIR;
	o->foresee = b;
	o->counted = true;
	o->n_socks = 1;
	o->n_peer = n;
	o->n_ports = b ? n : least(n, width(peer));
}

/**
 * enum side - Who opens sockets; the other one tries ports
 *
 * SIDE_BOTH: a pair. SIDE_NONE: nothing is to be guessed.
 */
enum side { SIDE_NONE, SIDE_OWN, SIDE_PEER, SIDE_BOTH };

/* Nobody is known to be hard, but with one server alone a NAT that looks at
 * addresses cannot be told from an easy one: each side that may have it is the
 * hard one in turn.
 */
static enum side side_in_doubt(const struct hp_guess_word *own,
			       const struct hp_guess_word *peer, bool leader,
			       unsigned int attempt)
{
	bool turn = leader == (attempt % 2 == 0);

	if (is_doubtful(own, peer) && (turn || !is_doubtful(peer, own)))
		return SIDE_OWN;
	return is_doubtful(peer, own) ? SIDE_PEER : SIDE_NONE;
}

/* @hard was tried as such, and is cheap, for its ports can be foreseen; perhaps
 * the other side's NAT looks at addresses: then both are hard, or, when its
 * filter lets any port of an address in, it opens sockets and waits.
 */
static bool is_second_look(const struct hp_guess_word *hard,
			   const struct hp_guess_word *other, uint32_t methods,
			   unsigned int attempt)
{
	return is_stride(hard, methods) && is_doubtful(other, hard) &&
	       attempt % 2;
}

static enum side side_of(const struct hp_guess_word *own,
			 const struct hp_guess_word *peer, bool leader,
			 uint32_t methods, unsigned int attempt)
{
	const struct hp_guess_word *hard = is_hard(own) ? own : peer;
	const struct hp_guess_word *other = is_hard(own) ? peer : own;

	if (own->mapping == HP_NAT_MAPPING_UNKNOWN ||
	    peer->mapping == HP_NAT_MAPPING_UNKNOWN)
		return SIDE_NONE;
	if (is_hard(own) && is_hard(peer))
		return SIDE_BOTH;
	if (!is_hard(own) && !is_hard(peer))
		return side_in_doubt(own, peer, leader, attempt);
	if (!is_second_look(hard, other, methods, attempt))
		return hard == own ? SIDE_OWN : SIDE_PEER;
	if (is_stride(other, methods))
		return SIDE_BOTH;
	return hard == own ? SIDE_PEER : SIDE_OWN;
}

void hp_guess_make_plan(const struct hp_guess_word *own,
			const struct hp_guess_word *peer, bool leader,
			struct hp_guess_plan *o)
{
	unsigned int attempt = leader ? own->attempt : peer->attempt;
	uint32_t methods = own->methods & peer->methods;
	unsigned int n_socks = 0, n_ports = 0;
	enum side side = side_of(own, peer, leader, methods, attempt);

	memset(o, 0, sizeof(*o));
	o->doubt = !is_hard(own) && !is_hard(peer);
	switch (side) {
	case SIDE_NONE:
		return;
	case SIDE_BOTH:
		plan_pair(own, peer, methods, o);
		return;
	case SIDE_OWN:
	case SIDE_PEER:
		break;
	}
	o->why = plan_one(side == SIDE_OWN ? own : peer, methods, attempt,
			  &n_socks, &n_ports);
	if (o->why != HP_PUNCH_WHY_NONE)
		return;
	o->role = side == SIDE_OWN ? HP_GUESS_HARD : HP_GUESS_EASY;
	o->n_socks = n_socks;
	o->n_peer = n_ports;
	if (side == SIDE_OWN)
		return;
	o->foresee = is_stride(peer, methods);
	o->counted = is_hard(own);
	o->n_socks = 0;
	o->n_ports = o->counted ? least(n_ports, own->room) : n_ports;
	o->n_peer = n_socks;
}

uint16_t hp_guess_port(const struct hp_guess_word *peer, bool foresee,
		       uint32_t start, uint32_t step, unsigned int i)
{
	uint64_t at = start + (uint64_t)i * step;

	if (foresee)
		return hp_nat_port_step(peer->last, peer->stride, (int)i + 1);
	return (uint16_t)(peer->lo + at % width(peer));
}
