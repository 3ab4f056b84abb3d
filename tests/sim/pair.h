/* SPDX-License-Identifier: ISC */
/*
 * One pair of places, connected once: whether packets pass, whether the path
 * gets direct, and how long both take.
 */
#ifndef SIM_PAIR_H
#define SIM_PAIR_H

#include <stdio.h>

#include "../sim/oracle.h"
#include "../sim/place.h"

/**
 * struct pair_setup - What to try
 * @place: of alice, who asks, and of bob; port and link are drawn
 * @seed:  drives everything
 * @loss:  of each access link, 0 .. 1
 * @servers: 1 .., the second with another address, which tells more of a NAT
 * @met:   they know each other's keys from an earlier time
 * @give_up_ns: how long a direct path is waited for; 0: as long as the class
 *         of the pair deserves
 * @only:  try nothing when it is of another class; ORACLE_KINDS: any is right
 * @trace: NULL, or gets what happens
 */
struct pair_setup {
	struct place place[2];
	uint64_t seed;
	double loss;
	unsigned int servers;
	bool met;
	uint64_t give_up_ns;
	enum oracle only;
	FILE *trace;
};

/**
 * struct pair_sample - What came of it
 * @connected:  packets passed both ways
 * @first_ns:   from asking to the first packet delivered
 * @both_ns:    and to packets both ways
 * @direct_ns:  and to both sides being direct
 * @rtt_s_ns:   round trip over the rendezvous, and
 * @rtt_d_ns:   directly
 * @probes:     of the side that sent more, until it was direct
 * @sockets:    of the side that opened more beside its main one
 * @why:        what was seen that must not be; "": nothing
 */
struct pair_sample {
	enum oracle theory;
	bool connected;
	bool direct;
	uint64_t first_ns;
	uint64_t both_ns;
	uint64_t direct_ns;
	uint64_t rtt_s_ns;
	uint64_t rtt_d_ns;
	unsigned int probes;
	unsigned int sockets;
	char why[160];
};

void pair_try(const struct pair_setup *p, struct pair_sample *out);

/* Direct where it cannot be, or not direct where it must; or not connected; or
 * something else went wrong.
 */
bool pair_is_stray(const struct pair_sample *s);

#endif
