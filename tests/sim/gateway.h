/* SPDX-License-Identifier: ISC */
/*
 * A home router that opens ports when asked, by PCP, honestly or not, and the
 * part of a node's shell that asks it. Requests and answers are bytes; how they
 * cross the LAN is left out.
 */
#ifndef SIM_GATEWAY_H
#define SIM_GATEWAY_H

#include "../sim/world.h"
#include "punch/pcp.h"

enum gateway_kind {
	GATEWAY_NONE,		/* nobody asks */
	GATEWAY_HONEST,
	GATEWAY_SILENT,
	GATEWAY_REFUSES,
	GATEWAY_PRIVATE,	/* says that its own address is private, */
	GATEWAY_SHARED,		/* or its provider's, */
	GATEWAY_ELSEWHERE,	/* or another one than servers see */
	GATEWAY_KINDS,
};

/**
 * struct gateway
 * @since_ns: of its start: it knows no lease from before
 * @pcp:      the client's side
 */
struct gateway {
	enum gateway_kind kind;
	struct sim_world_node *node;
	struct sim_nat *nat;
	uint64_t since_ns;
	unsigned int run;	/* of the node, when it began to ask */
	struct hp_pcp pcp;
};

/* @x, behind @nat, begins to ask. */
void gateway_begin(struct gateway *g, enum gateway_kind kind,
		   struct sim_world_node *x, struct sim_nat *nat);
/* It was started anew, and tells all hosts so; what it opened is closed. */
void gateway_restart(struct gateway *g);
/* What @x has to think of what it was told, once a server has seen it. */
enum hp_mapped_verdict gateway_verdict(const struct gateway *g);
const char *gateway_text(enum gateway_kind kind);

#endif
