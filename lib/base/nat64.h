/* SPDX-License-Identifier: ISC */
/*
 * IPv4 addresses inside IPv6 ones, as a NAT64 translates them (RFC 6146): how
 * they are put there and found again (RFC 6052), and how its prefix shows in
 * the answer to a name that has IPv4 addresses alone (RFC 7050). A prefix of
 * family HP_AF_NONE: there is no NAT64, or none is needed.
 */
#ifndef HP_BASE_NAT64_H
#define HP_BASE_NAT64_H

#include <stdbool.h>

#include "base/addr.h"

/* The name that has IPv4 addresses alone, 192.0.0.170 and .171. */
#define HP_NAT64_NAME "ipv4only.arpa"

/**
 * hp_nat64_find() - Find the prefix in an IPv6 address given for HP_NAT64_NAME
 * @a:   as a DNS64 made it
 * @out: of 32, 40, 48, 56, 64 or 96 bits
 *
 * Return: false when it is none of those two addresses in any prefix, or in
 *         several, or no prefix that could be routed to.
 * Source: RFC 7050, 3; RFC 6052, 2.2
 */
bool hp_nat64_find(const struct hp_addr *a, struct hp_prefix *out);

/* Is @a reached through a NAT64 with prefix @p? Only what is global: private
 * addresses are near or nowhere (RFC 6052, 3.1).
 */
static inline bool hp_nat64_takes(const struct hp_prefix *p,
				  const struct hp_addr *a)
{
	return p->family && a->family == HP_AF_4 &&
	       hp_addr_scope(a) == HP_SCOPE_GLOBAL;
}

/* Where datagrams to @a go: with hp_nat64_takes() inside @p, else to @a. */
struct hp_addr hp_nat64_out(const struct hp_prefix *p,
			    const struct hp_addr *a);
/* Who sent what came from @a: the other way round. */
struct hp_addr hp_nat64_in(const struct hp_prefix *p, const struct hp_addr *a);
/* What a DNS64 made of a host's IPv4 address is that address: an @addr6 inside
 * @p is cleared, and @addr4 set unless it is known.
 */
void hp_nat64_undo(const struct hp_prefix *p, struct hp_addr *addr4,
		   struct hp_addr *addr6);

#endif
