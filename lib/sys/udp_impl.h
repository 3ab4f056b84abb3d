/* SPDX-License-Identifier: ISC */
/* Between the parts of sys/udp.h: how the kernel wants a datagram described. */
#ifndef HP_SYS_UDP_IMPL_H
#define HP_SYS_UDP_IMPL_H

#include <netinet/in.h>
#include <netinet/udp.h>

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
/* @m for one datagram; what it points to lies in @s and @iov. */
void hp_udp_describe(struct msghdr *m, struct hp_udp_slot *s, struct iovec *iov,
		     const struct hp_path *path, int ttl, const void *buf,
		     size_t len);
/* Sending gave @err: may the source that @m names have left this host? */
bool hp_udp_source_gone(const struct msghdr *m, int err);

#endif
