/* SPDX-License-Identifier: ISC */
/*
 * Ports that a gateway opened for us: by which protocol, and whether what it
 * says of our external address can be true.
 */
#ifndef HP_PUNCH_MAPPED_H
#define HP_PUNCH_MAPPED_H

#include <stddef.h>

#include "base/addr.h"

enum hp_mapped_protocol {
	HP_MAPPED_BY_PCP,
	HP_MAPPED_BY_NATPMP,
	HP_MAPPED_BY_UPNP,
};
#define HP_MAPPED_PROTOCOLS 3

/* What becomes of a mapped address. */
enum hp_mapped_verdict {
	HP_MAPPED_ABSENT,	/* there is none */
	HP_MAPPED_UNPROVEN,	/* no server has told yet how it sees us */
	HP_MAPPED_PRIVATE,	/* not an address of the internet */
	HP_MAPPED_SHARED,	/* of a carrier-grade NAT */
	HP_MAPPED_ELSEWHERE,	/* servers see us under another one */
	HP_MAPPED_ANNOUNCED,	/* peers are told of it */
};

/**
 * hp_mapped_judge() - Is a mapped address of any use to peers?
 * @mapped: what the gateway says; HP_AF_NONE: nothing
 * @seen:   @n_seen addresses under which servers see this host; ports do not
 *          count, since a NAT may well send by another one than it lets in by
 *
 * A gateway that stands behind another NAT says its own external address, by
 * which nobody reaches us.
 */
enum hp_mapped_verdict hp_mapped_judge(const struct hp_addr *mapped,
					 const struct hp_addr *seen,
					 size_t n_seen);

/* For people, "NAT-PMP"; a phrase; a word for programs. Never NULL. */
const char *hp_mapped_protocol_text(enum hp_mapped_protocol p);
const char *hp_mapped_verdict_text(enum hp_mapped_verdict v);
const char *hp_mapped_verdict_word(enum hp_mapped_verdict v);

#endif
