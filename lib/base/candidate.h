/* SPDX-License-Identifier: ISC */
/*
 * An address where a peer may be reached (RFC 8445, 5.1), and what the NAT in
 * front of it does (RFC 4787, 4.1).
 */
#ifndef HP_BASE_CANDIDATE_H
#define HP_BASE_CANDIDATE_H

#include <stdint.h>

#include "base/addr.h"

/* Most candidates that one node announces. */
#define HP_CANDIDATES_MAX 10

/* The values are on the wire (records); never renumber. */
enum hp_candidate_kind {
	HP_CAND_HOST = 1,	/* an address of the host itself */
	HP_CAND_REFLEXIVE = 2,	/* as a rendezvous or STUN server sees it */
	HP_CAND_PEER_REFLEXIVE = 3, /* where an authenticated probe came from */
	HP_CAND_MAPPED = 4,	/* opened at the gateway: PCP, NAT-PMP, UPnP */
	HP_CAND_PREDICTED = 5,	/* a guess at the next port of the NAT */
	HP_CAND_RELAYED = 6,	/* a relay channel */
};

struct hp_candidate {
	struct hp_addr addr;
	enum hp_candidate_kind kind;
};

/* Longest pattern for interface names, with its NUL, and most of them. */
#define HP_IFPATTERN 32
#define HP_IFPATTERNS_MAX 32

/* Shell patterns for names of interfaces. */
struct hp_ifpatterns {
	unsigned int n;
	char text[HP_IFPATTERNS_MAX][HP_IFPATTERN];
};

/* What a node may do to reach a peer, as a set of bits. */
enum hp_method {
	HP_METHOD_HOST = 1,	  /* host candidates */
	HP_METHOD_REFLEXIVE = 2,  /* reflexive candidates */
	HP_METHOD_LOW_TTL = 4,	  /* open our NAT with few hops to live */
	HP_METHOD_PREDICT = 8,	  /* guess the next port of a NAT */
	HP_METHOD_BIRTHDAY = 16,  /* many sockets against many ports */
	HP_METHOD_REBIND = 32,	  /* move to another port of our own */
	HP_METHOD_RELAY = 64,	  /* packets through the rendezvous */
	HP_METHOD_IPV6 = 128,	  /* IPv6 between peers */
	HP_METHOD_MAPPED = 256,	  /* ports opened at the gateway */
};

#define HP_METHODS 9
#define HP_METHODS_ALL ((UINT32_C(1) << HP_METHODS) - 1)

/* Its name in a configuration file, "low-ttl"; never NULL. */
const char *hp_method_text(enum hp_method m);

/* NAT mapping behaviour, as far as it is known. */
enum hp_mapping {
	HP_MAPPING_UNKNOWN,
	HP_MAPPING_NONE,	/* seen under an address of its own: no NAT */
	HP_MAPPING_EIM,		/* endpoint-independent */
	HP_MAPPING_APDM,	/* differs by destination ("symmetric") */
};

#endif
