/* SPDX-License-Identifier: ISC */
/*
 * What theory allows two hosts of the virtual internet, from what their NATs
 * and firewalls are alone: no packet is sent to find out. It knows the methods
 * of the path machine: to send to the addresses that servers and the other
 * side's probes tell (RFC 8445), to predict the next port, to meet by chance
 * among many ports (the birthday problem); and says where those end.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "../sim/net.h"

enum oracle {
	ORACLE_CERTAIN,	/* all that is needed is told */
	ORACLE_PREDICT,	/* a port has to be foreseen, and can be */
	ORACLE_BIRTHDAY, /* a port has to be met by chance */
	ORACLE_BLOCKS,	/* one on each side, at once, within small blocks */
	ORACLE_UNSOUGHT, /* a port could be met by chance, though both map by
			  * destination, or foreseen, if both sides opened theirs
			  * before either's guesses arrive; the path machine does
			  * not try */
	ORACLE_RELAY,	/* two ports among all: luck beyond any budget */
	ORACLE_NEVER,	/* no address at which one could reach the other */
	ORACLE_KINDS,
};

enum oracle oracle_ask(const struct sim_host *a, const struct sim_host *b);
/* "certain", "predict" ... */
const char *oracle_text(enum oracle o);

#endif
