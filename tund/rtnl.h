/* SPDX-License-Identifier: ISC */
/*
 * rtnetlink by libmnl: sets up our interface, tells which addresses this host
 * has, and notices when that changes. Nothing here outlives the interface.
 */
#ifndef TUND_RTNL_H
#define TUND_RTNL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct rtnl;

/* Works in the network namespace of the caller, for good. NULL with @f. */
struct rtnl *rtnl_new(struct hp_fault *f);
void rtnl_free(struct rtnl *r);

/* Sets the MTU and takes the interface up. No link-local IPv6 address is made
 * for it: nobody could answer there.
 */
enum hp_err rtnl_link_up(struct rtnl *r, unsigned int index, uint32_t mtu,
			 struct hp_fault *f) HP_MUST_CHECK;
enum hp_err rtnl_link_mtu(struct rtnl *r, unsigned int index, uint32_t mtu,
			  struct hp_fault *f) HP_MUST_CHECK;
/* The MTU of an interface; 0 when it is not in our namespace (any more). */
uint32_t rtnl_link_mtu_get(struct rtnl *r, unsigned int index);
/* Adds @addr with prefix length @bits; there already is as good. */
enum hp_err rtnl_addr_add(struct rtnl *r, unsigned int index,
			  const struct hp_addr *addr, unsigned int bits,
			  struct hp_fault *f) HP_MUST_CHECK;
/* A route to @dst over the interface; there already is as good. */
enum hp_err rtnl_route_add(struct rtnl *r, unsigned int index,
			   const struct hp_prefix *dst, struct hp_fault *f)
	HP_MUST_CHECK;
/* Takes it away; not there is as good. */
enum hp_err rtnl_route_del(struct rtnl *r, unsigned int index,
			   const struct hp_prefix *dst, struct hp_fault *f)
	HP_MUST_CHECK;

/**
 * struct rtnl_ifaddr - One address of this host
 * @addr:    port 0; scope set when it is link-local
 * @bits:    prefix length
 * @index:   of its interface
 * @name:    of its interface
 * @kind:    of its interface, as the kernel calls it ("bridge", "wireguard",
 *           "tun"); empty for hardware
 * @running: the interface is up and has a carrier
 * @loopback: the interface is
 * @usable:  not tentative, not deprecated, no duplicate found
 * @temporary: an IPv6 privacy address (RFC 8981)
 * @gateway: a default route leaves by the interface
 */
struct rtnl_ifaddr {
	struct hp_addr addr;
	unsigned int bits;
	unsigned int index;
	char name[IFNAMSIZ];
	char kind[16];
	bool running;
	bool loopback;
	bool usable;
	bool temporary;
	bool gateway;
	uint8_t zero[3];
};

_Static_assert(sizeof(struct rtnl_ifaddr) == 72, "no padding: may be compared");

/**
 * struct rtnl_survey - How this host is connected
 * @addr/@n: its addresses; room for @cap
 * @routes:  a digest of all routes with a gateway: equal when they are
 */
struct rtnl_survey {
	struct rtnl_ifaddr *addr;
	size_t n;
	size_t cap;
	uint8_t routes[16];
};

/**
 * rtnl_survey() - Look at all of it
 * @out: zeroed, or of an earlier survey, whose room is used again; end with
 *       rtnl_survey_free()
 *
 * What changes meanwhile is seen or not; either way rtnl_watch_fd() tells of
 * it afterwards.
 *
 * Return: HP_OK; HP_ERR_IO.
 */
enum hp_err rtnl_survey(struct rtnl *r, struct rtnl_survey *out)
	HP_MUST_CHECK;
void rtnl_survey_free(struct rtnl_survey *s);
bool rtnl_survey_eq(const struct rtnl_survey *a, const struct rtnl_survey *b);

/* A descriptor that becomes readable when links, addresses or routes changed;
 * -1 when the kernel gives none.
 */
int rtnl_watch_fd(const struct rtnl *r);
/* Reads it empty. */
void rtnl_watch_drain(struct rtnl *r);

#endif
