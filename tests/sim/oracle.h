/* SPDX-License-Identifier: ISC */
/*
 * What theory allows two hosts of the virtual internet, from what their NATs
 * and firewalls are alone: no packet is sent to find out. It knows the methods
 * in which each side sends to the addresses that servers and the other side's
 * probes tell (RFC 8445), and says where those end.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "../sim/net.h"

enum oracle {
	ORACLE_DIRECT,	/* a direct path is certain */
	ORACLE_GUESS,	/* a port has to be predicted, or met by chance */
	ORACLE_RELAY,	/* no direct path can be */
};

enum oracle oracle_ask(const struct sim_host *a, const struct sim_host *b);
/* "direct", "guess", "relay". */
const char *oracle_text(enum oracle o);

#endif
