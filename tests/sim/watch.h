/* SPDX-License-Identifier: ISC */
/*
 * An observer of all datagrams of a world: it looks for what must never be on
 * the wire, copies datagrams for a stranger who sends them again, and writes
 * the trace.
 */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include <stdio.h>

#include "../sim/world.h"

#define WATCH_WHY 160
/* Guesses that a node may send in a second, and ports that it may take for
 * them; and other probes, to each of its peers.
 */
#define WATCH_GUESSES 500
#define WATCH_PORTS 256
#define WATCH_PROBES 64
/* More than may ever be sent in a second. */
#define WATCH_RATE 1024

/* The data messages of one sender under one session of the receiver. */
struct watch_session {
	const struct sim_host *host;
	unsigned int run;
	uint32_t receiver;
	uint64_t counter;
	uint8_t tag[16];	/* of the last message */
};

/**
 * struct watch
 * @why:      what was seen that must not be, first of all; "": nothing
 * @trace:    gets a line for each datagram; NULL: none
 * @hash:     of all that was seen, where @hashed
 * @stranger: sends one in @copy_one_in datagrams again, to the same place;
 *            NULL: nobody does
 * @probes:   sent by each node, but for those that measure the MTU
 * @recent:   when the last ones were sent
 * @most:     that a node sent within one second
 */
struct watch {
	struct sim_world *world;
	char why[WATCH_WHY];
	FILE *trace;
	bool hashed;
	uint64_t hash;
	struct sim_host *stranger;
	unsigned int copy_one_in;
	unsigned int probes[WORLD_NODES];
	uint64_t recent[WORLD_NODES][WATCH_RATE];
	unsigned int most;
	struct watch_session *sessions;
	size_t n_sessions;
};

void watch_begin(struct watch *v, struct sim_world *w, FILE *trace);
void watch_end(struct watch *v);
/* What the nodes have seen themselves; also in @why. True: all is well. */
bool watch_ok(struct watch *v);
void watch_blame(struct watch *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A line of the trace. */
void watch_say(const struct watch *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
