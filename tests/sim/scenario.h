/* SPDX-License-Identifier: ISC */
/* What happens in one random run, drawn from its seed. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdio.h>

#include "../sim/place.h"

#define SCENARIO_EVENTS 3

enum scenario_event {
	EVENT_SERVER,	/* the server dies, and comes back */
	EVENT_FLUSH,	/* a NAT forgets its mappings */
	EVENT_RENUMBER,	/* it reboots, and has another address */
	EVENT_RESTART,	/* a node dies, and comes back */
	EVENT_UNPLUG,	/* a host is unplugged for a while */
	EVENT_IDLE,	/* nobody says a word for long */
	EVENT_SLEEP,	/* a host is suspended for ten minutes */
	EVENT_BLOCK,	/* UDP of one is blocked, and passes again */
	EVENT_ONE_WAY,	/* it hears nothing of another, directly */
	EVENT_MTU,	/* an uplink carries less, or more */
	EVENT_KINDS,
};

struct scenario_step {
	enum scenario_event event;
	unsigned int node;	/* whose, where it is one's */
	uint64_t for_ns;
	unsigned int mtu;
};

struct scenario {
	struct place places[WORLD_NODES];
	unsigned int n;
	unsigned int hops;
	unsigned int n_servers;
	bool lossy;		/* datagrams get lost or out of order */
	bool heavy;		/* up to half of them, on each link */
	bool stranger;
	bool both_ask;
	bool streams;		/* nodes may speak TCP to servers */
	uint64_t stagger_ns;	/* between the starts of two nodes */
	struct scenario_step steps[SCENARIO_EVENTS];
	unsigned int n_steps;
};

void scenario_draw(struct scenario *s, uint64_t seed);
/* Several lines. */
void scenario_print(const struct scenario *s, FILE *out);
const char *scenario_event_text(enum scenario_event e);

#endif
