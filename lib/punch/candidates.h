/* SPDX-License-Identifier: ISC */
/*
 * Which addresses a node announces, and in what order they are tried (RFC
 * 8445, 5.1). Pure functions over the interface addresses of the host and the
 * addresses under which servers saw it; asking for either is not done here.
 */
#ifndef HP_PUNCH_CANDIDATES_H
#define HP_PUNCH_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/candidate.h"

/* Longest interface name, with its NUL (IFNAMSIZ). */
#define HP_IFNAME 16
/* Of HP_CANDIDATES_MAX at most so many are host candidates, so that those of
 * the NAT always find room.
 */
#define HP_CANDIDATES_HOST_MAX 6
/* A host has many addresses in one IPv6 prefix (stable, temporary, DHCP), all
 * good for the same.
 */
#define HP_CANDIDATES_PER_PREFIX6 2
/* IPv6 ranks above IPv4, and must leave it room: a peer may have IPv4 alone. */
#define HP_CANDIDATES_HOST6_MAX 4

/* struct hp_ifaddr.flags: what the system says of the interface ... */
#define HP_IF_UP 0x01u
#define HP_IF_LOOPBACK 0x02u
/* ... its kind is tun, wireguard, vti, gre, ipip, sit, xfrm, ppp over any of
 * them: a tunnel of ours or of others. Names tell only the well-known ones.
 */
#define HP_IF_TUNNEL 0x04u
/* ... and of the address (IPv6): deprecated, tentative or duplicate; made for
 * privacy (RFC 8981).
 */
#define HP_IF_UNUSABLE 0x08u
#define HP_IF_TEMPORARY 0x10u
/* ... A default route leaves by the interface: its addresses are those by which
 * others can reach us, among the many that a host may have.
 */
#define HP_IF_GATEWAY 0x20u

/**
 * struct hp_ifaddr - An address of an interface of this host
 * @name:  of the interface, NUL-terminated
 * @flags: HP_IF_*
 * @index: of the interface, as the system counts them
 * @bits:  length of the on-link prefix
 * @addr:  its port does not count
 */
struct hp_ifaddr {
	char name[HP_IFNAME];
	uint32_t flags;
	uint32_t index;
	uint8_t bits;
	struct hp_addr addr;
};

/* Why an interface address is a candidate or is not, for people who ask. */
enum hp_ifaddr_verdict {
	HP_IFADDR_OK,
	HP_IFADDR_DOWN,		/* the interface is down */
	HP_IFADDR_LOOPBACK,
	HP_IFADDR_TUNNEL,	/* a tunnel, by its kind or name */
	HP_IFADDR_CONTAINER,	/* a bridge or link of containers or guests */
	HP_IFADDR_OVERLAY,	/* within a subnet that a tunnel of ours has */
	HP_IFADDR_UNUSABLE,	/* deprecated, tentative or duplicate */
	HP_IFADDR_EXCLUDED,	/* the user excluded the interface */
	HP_IFADDR_UNLISTED,	/* the user listed others */
	HP_IFADDR_RANGE,	/* link-local, multicast, unspecified */
};

/**
 * struct hp_ifrules - What decides beside the address itself (all borrowed)
 * @overlay: @n_overlay subnets inside our tunnels: what is in them never is one
 * @only:    NULL or empty: every interface; else those whose name matches, be
 *           they bridges of containers by name
 * @never:   NULL or empty: none; these are not, whatever @only says
 * @methods: enum hp_method, those that may be used
 */
struct hp_ifrules {
	const struct hp_prefix *overlay;
	size_t n_overlay;
	const struct hp_ifpatterns *only;
	const struct hp_ifpatterns *never;
	uint32_t methods;
};

/* One phrase for each; never NULL. */
const char *hp_ifaddr_verdict_text(enum hp_ifaddr_verdict v);

/* Whether one interface address may be a candidate: the first verdict that
 * applies.
 */
enum hp_ifaddr_verdict hp_ifaddr_judge(const struct hp_ifaddr *a,
				       const struct hp_ifrules *rules);

/* No candidate, but good for peers on the same link: an IPv6 link-local address
 * that would be one if it reached further.
 */
bool hp_ifaddr_on_link(const struct hp_ifaddr *a,
		       const struct hp_ifrules *rules);

/**
 * hp_candidates_gather() - The host candidates
 * @addrs:   all addresses of the host, in any order (borrowed)
 * @rules:   as in hp_ifaddr_judge()
 * @port:    our UDP port
 * @out:     gets at most HP_CANDIDATES_HOST_MAX, each address once, by falling
 *           priority; of IPv6 at most HP_CANDIDATES_HOST6_MAX, and
 *           HP_CANDIDATES_PER_PREFIX6 a prefix
 *
 * The result depends on the set of addresses alone, not on their order, so
 * that comparing two results tells whether anything changed.
 *
 * Return: how many were written.
 */
size_t hp_candidates_gather(const struct hp_ifaddr *addrs, size_t n,
			    const struct hp_ifrules *rules, uint16_t port,
			    struct hp_candidate out[HP_CANDIDATES_HOST_MAX]);

/**
 * hp_candidates_add() - Merge one more candidate into a list
 * @list: at most HP_CANDIDATES_MAX, by falling priority
 * @n:    in and out: how many there are
 * @c:    the newcomer (borrowed)
 *
 * An address is listed once, under the kind of higher priority (a host that is
 * seen under its own address has no NAT). A full list drops its last entry for
 * a newcomer of higher rank: but reflexive ones are never dropped for host
 * ones beyond HP_CANDIDATES_HOST_MAX.
 *
 * Return: true when the list changed.
 */
bool hp_candidates_add(struct hp_candidate list[HP_CANDIDATES_MAX], size_t *n,
		       const struct hp_candidate *c);

/**
 * hp_candidate_usable() - Whether a peer's announced candidate is worth a probe
 *
 * A peer may announce anything: loopback, link-local, multicast and what lies
 * in our own overlay never gets a datagram.
 */
bool hp_candidate_usable(const struct hp_candidate *c,
			 const struct hp_prefix *overlay, size_t n_overlay);

/* Do @methods (enum hp_method) allow a candidate of its kind and family? */
bool hp_candidate_allowed(const struct hp_candidate *c, uint32_t methods);

/* RFC 8445, 5.1.2: kind first, then IPv6 before IPv4, then how near. Greater
 * is better.
 */
uint32_t hp_candidate_priority(const struct hp_candidate *c);

/* "host", "reflexive", ...; never NULL. */
const char *hp_candidate_kind_text(enum hp_candidate_kind kind);

#endif
