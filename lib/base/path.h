/* SPDX-License-Identifier: ISC */
/*
 * A path: a local socket and a remote address over which two nodes hear each
 * other, perhaps through a relay channel.
 */
#ifndef HP_BASE_PATH_H
#define HP_BASE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* Socket numbers from here on are connections that carry datagrams to a
 * rendezvous and back: on a node, its number is added; on the server, that of
 * the connection.
 */
#define HP_SOCK_STREAM UINT32_C(0x80000000)

/* What carries a server's datagrams. */
enum hp_transport {
	HP_OVER_UDP,
	HP_OVER_TCP,
	HP_OVER_TLS,
};

/**
 * struct hp_path - One way to reach a peer
 * @remote:  where datagrams go: the peer, or the relay
 * @local:   our source address, when it matters which (several addresses on
 *           this host); HP_AF_NONE: the kernel chooses. Port unused (0).
 * @channel: relay channel, 0 for a direct path; in front of each datagram then
 *           stands the 8-byte relay header (meet/wire.h)
 * @sock:    which of the node's sockets: 0 the main pair (IPv4 and IPv6 by
 *           the family of @remote); others are opened by prediction methods;
 *           from HP_SOCK_STREAM on they are no UDP sockets
 */
struct hp_path {
	struct hp_addr remote;
	struct hp_addr local;
	uint32_t channel;
	uint32_t sock;
};

static inline bool hp_path_eq(const struct hp_path *a, const struct hp_path *b)
{
	return hp_addr_eq(&a->remote, &b->remote) &&
	       hp_addr_same_ip(&a->local, &b->local) &&
	       a->channel == b->channel && a->sock == b->sock;
}

static inline bool hp_path_is_stream(const struct hp_path *p)
{
	return p->sock >= HP_SOCK_STREAM;
}

static inline bool hp_path_set(const struct hp_path *p)
{
	return p->remote.family != HP_AF_NONE;
}

#endif
