/* SPDX-License-Identifier: ISC */
/* Between the parts of sys/udp.h: how the kernel wants a datagram described. */
#ifndef HP_SYS_UDP_IMPL_H
#define HP_SYS_UDP_IMPL_H

#include <netinet/in.h>
#include <netinet/udp.h>

#include "base/nat64.h"
#include "sys/udp.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

union hp_udp_control {
	struct cmsghdr align;
	uint8_t room[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		     CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int))];
};

/* One datagram, or several joined, as the kernel wants them described. */
struct hp_udp_slot {
	const struct hp_path *path;
	struct sockaddr_storage name;
	union hp_udp_control control;
};

/* Puts a control message behind those that are there. */
void hp_udp_cmsg(struct msghdr *m, int level, int type, const void *p,
		 size_t len);
/* @m for one datagram; what it points to lies in @s and @iov. With @nat64 (its
 * family not HP_AF_NONE) it is one for the IPv6 socket, be the path's IPv4.
 */
void hp_udp_describe(struct msghdr *m, struct hp_udp_slot *s, struct iovec *iov,
		     const struct hp_prefix *nat64, const struct hp_path *path,
		     int ttl, const void *buf, size_t len);
/* Does @path need the IPv4 socket? */
static inline bool hp_udp_by4(const struct hp_prefix *nat64,
			      const struct hp_path *path)
{
	return path->remote.family == HP_AF_4 &&
	       !hp_nat64_takes(nat64, &path->remote);
}
/* Sending gave @err: may the source that @m names have left this host? */
bool hp_udp_source_gone(const struct msghdr *m, int err);

#endif
