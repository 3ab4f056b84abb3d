/* SPDX-License-Identifier: ISC */
/*
 * What our NAT does, inferred from what servers saw of us: which mapping it
 * made for which socket and server, in which order. The one place where it is
 * inferred; asking the servers is done elsewhere. Says no more than was seen.
 */
#ifndef HP_PUNCH_NAT_H
#define HP_PUNCH_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/candidate.h"
#include "base/time.h"

/* Observations that are kept. */
#define HP_NAT_SAMPLES 64
/* Two mappings are compared when they were seen within so long: what is older
 * may be of a NAT that has been restarted since.
 */
#define HP_NAT_TOGETHER (60 * HP_S)
/* A sequential NAT's ports are at most so far apart, */
#define HP_NAT_STRIDE_MAX 64
/* and so many steps must show it. */
#define HP_NAT_STEPS_MIN 3
/* Ports that NATs give out. */
#define HP_NAT_PORT_MIN 1024
#define HP_NAT_PORT_MAX 65535

/* Mapping behaviour (RFC 4787, 4.1), as far as the answers can tell. */
enum hp_nat_mapping {
	HP_NAT_MAPPING_UNKNOWN,	    /* one answer only */
	HP_NAT_MAPPING_NONE,	    /* seen under an address of its own */
	HP_NAT_MAPPING_EIM,	    /* endpoint-independent */
	HP_NAT_MAPPING_EIM_OR_ADM,  /* same for two ports of one address */
	HP_NAT_MAPPING_ADM,	    /* address-dependent */
	HP_NAT_MAPPING_ADM_OR_APDM, /* differs between two addresses */
	HP_NAT_MAPPING_APDM,	    /* address- and port-dependent */
};

enum hp_nat_filtering {
	HP_NAT_FILTERING_UNKNOWN,
	HP_NAT_FILTERING_EIF,	     /* anybody reaches an open port */
	HP_NAT_FILTERING_EIF_OR_ADF, /* another port of a known address does */
	HP_NAT_FILTERING_ADF,	     /* address-dependent */
	HP_NAT_FILTERING_APDF,	     /* address- and port-dependent */
};

/* How the NAT chooses the port of a new mapping. */
enum hp_nat_ports {
	HP_NAT_PORTS_UNKNOWN,
	HP_NAT_PORTS_PRESERVED,	/* the port of the host */
	HP_NAT_PORTS_SEQUENTIAL, /* the next one, by a stride */
	HP_NAT_PORTS_RANDOM,	/* in no order that the samples would show */
};

enum hp_nat_answer {
	HP_NAT_UNKNOWN,
	HP_NAT_NO,
	HP_NAT_YES,
};

/**
 * struct hp_nat_sample - One mapping, as a server saw it
 * @sock:   of ours; 0 is the main one
 * @bound:  local port of that socket, 0: not known
 * @server: who saw it
 * @mapped: what it saw
 * @order:  of asking: greater is later
 * @at_ns:  when it was seen
 */
struct hp_nat_sample {
	uint32_t sock;
	uint16_t bound;
	struct hp_addr server;
	struct hp_addr mapped;
	uint64_t order;
	uint64_t at_ns;
};

/* Zeroed: nothing is known. */
struct hp_nat {
	struct hp_nat_sample sample[HP_NAT_SAMPLES];
	size_t n;
};

/**
 * struct hp_nat_facts - What follows
 * @mapping:  of the main socket
 * @fresh:    of the others: it differs when the main socket's port had clashed
 *            with something, and a fresh one would do better
 * @ports:    how a new mapping gets its port
 * @stride:   of a sequential NAT; may be negative
 * @last:     port of its newest mapping
 * @lo, @hi:  the ports that it gives out, by the samples and what n samples
 *            leave open; the whole range while little is known
 * @n_ports:  mappings that say so
 * @many_ips: more than one external address was seen
 * @filtering: whom it lets in, @hairpin: whether a packet to our own external
 *            address comes back
 * @alive_s:  longest silence that a mapping was seen to live through, 0: none
 * @dead_s:   shortest silence after which it was gone, 0: none
 *
 * Those after @many_ips do not follow from samples: their owner fills them in.
 */
struct hp_nat_facts {
	enum hp_nat_mapping mapping;
	enum hp_nat_mapping fresh;
	enum hp_nat_ports ports;
	int stride;
	uint16_t last;
	uint16_t lo;
	uint16_t hi;
	unsigned int n_ports;
	bool many_ips;
	enum hp_nat_filtering filtering;
	enum hp_nat_answer hairpin;
	unsigned int alive_s;
	unsigned int dead_s;
};

/* Takes an observation: replaces that of the same socket and server, or the
 * oldest when there is no room. No @mapped address: forgets it.
 */
void hp_nat_note(struct hp_nat *n, const struct hp_nat_sample *s);
/* That socket is no more: another may get its number. */
void hp_nat_forget(struct hp_nat *n, uint32_t sock);

/**
 * hp_nat_judge() - What the samples of one address family say
 * @own:   addresses of this host; ports do not count (borrowed)
 * @n_own: how many
 */
void hp_nat_judge(const struct hp_nat *n, enum hp_family family,
		  const struct hp_addr *own, size_t n_own,
		  struct hp_nat_facts *out);

/**
 * hp_nat_filtering_of() - Who reaches a port that was opened
 * @other_port: did something come from another port of an address that was
 *              sent to?
 * @other_ip:   and from an address that never was?
 *
 * HP_NAT_NO: it was sent, for certain, and did not come.
 */
enum hp_nat_filtering hp_nat_filtering_of(enum hp_nat_answer other_port,
					  enum hp_nat_answer other_ip);

/* Does it give each destination another port, for all that is known? */
bool hp_nat_is_hard(enum hp_nat_mapping m);

/* Port @i steps behind (@i < 0: before) @port, wrapping within what NATs give
 * out.
 */
uint16_t hp_nat_port_step(uint16_t port, int stride, int i);

/* A word or phrase for each; never NULL. */
const char *hp_nat_mapping_text(enum hp_nat_mapping m);
const char *hp_nat_ports_text(enum hp_nat_ports p);
const char *hp_nat_filtering_text(enum hp_nat_filtering f);

#endif
