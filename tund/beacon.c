/* SPDX-License-Identifier: ISC */
#include "beacon.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/path.h"
#include "log.h"
#include "member/call.h"
#include "node/node.h"
#include "sys/loop.h"
#include "sys/udp.h"

/* Read at most so many in one turn of the loop. */
#define TURN 32

struct beacon {
	struct hp_loop *loop;
	struct log *log;
	beacon_fn *heard;
	void *ctx;
	int fd[2]; /* IPv4, IPv6; -1: none */
	struct hp_node_lan lan[HP_NODE_LANS]; /* joined */
	size_t n_lans;
};

static bool is6(const struct hp_node_lan *lan)
{
	return lan->addr.family == HP_AF_6;
}

static void receive(struct beacon *b, int fd, uint64_t now_ns)
{
	/* One byte more, so that a longer datagram is seen to be none. */
	uint8_t buf[HP_CALL_LEN + 1];

	for (unsigned int i = 0; i < TURN; i++) {
		struct sockaddr_storage name;
		socklen_t name_len = sizeof(name);
		struct hp_path from = { 0 };
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
				     (struct sockaddr *)&name, &name_len);

		if (n < 0)
			return;
		from.remote = hp_addr_from_sockaddr((struct sockaddr *)&name);
		if (n == HP_CALL_LEN && from.remote.family && from.remote.port)
			b->heard(b->ctx, &from, buf, (size_t)n, now_ns);
	}
}

static void on_ready(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct beacon *b = ctx;

	(void)events;
	for (unsigned int i = 0; i < 2; i++)
		if (b->fd[i] >= 0)
			receive(b, b->fd[i], now_ns);
}

/* Bound to the group: unicast to that port is none of ours. -1 with errno. */
static int open_one(bool v6)
{
	struct hp_addr at = hp_beacon_group(v6 ? HP_AF_6 : HP_AF_4, 0);
	int fd = socket(v6 ? AF_INET6 : AF_INET,
			SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage name;
	socklen_t len = hp_addr_to_sockaddr(&at, &name);
	int one = 1, zero = 0, err;

	if (fd < 0)
		return -1;
	/* Link-local groups are bound by interface; all of them come here. */
	if (v6)
		((struct sockaddr_in6 *)&name)->sin6_addr = in6addr_any;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    (v6 ? !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
			      sizeof(one)) :
		  !setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &zero,
			      sizeof(zero))) &&
	    !bind(fd, (struct sockaddr *)&name, len))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

enum hp_err beacon_new(struct hp_loop *loop, struct log *log, beacon_fn *heard,
		       void *ctx, struct beacon **out, struct hp_fault *f)
{
	struct beacon *b = calloc(1, sizeof(*b));
	enum hp_err err = HP_OK;

	if (!b)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	*b = (struct beacon){ .loop = loop, .log = log, .heard = heard,
			      .ctx = ctx };
	b->fd[1] = open_one(true);
	b->fd[0] = open_one(false);
	if (b->fd[0] < 0 && b->fd[1] < 0)
		err = hp_fault_set(f, HP_ERR_IO,
				   "end what has that port, or set Beacon = no",
				   "cannot listen for beacons at UDP port %d: "
				   "%s", HP_BEACON_PORT, strerror(errno));
	for (unsigned int i = 0; !err && i < 2; i++)
		if (b->fd[i] >= 0 &&
		    hp_loop_watch(loop, b->fd[i], EPOLLIN, on_ready, b))
			err = hp_fault_set(f, HP_ERR_IO, "",
					   "cannot listen for beacons");
	if (err)
		beacon_free(b);
	else
		*out = b;
	return err;
}

void beacon_free(struct beacon *b)
{
	if (!b)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		if (b->fd[i] < 0)
			continue;
		hp_loop_unwatch(b->loop, b->fd[i]);
		close(b->fd[i]);
	}
	free(b);
}

/* 0 or -1 with errno. */
static int member(struct beacon *b, const struct hp_node_lan *lan, bool join)
{
	struct hp_addr group = hp_beacon_group(lan->addr.family, lan->index);
	struct ip_mreqn m4 = { .imr_ifindex = (int)lan->index };
	struct ipv6_mreq m6 = { .ipv6mr_interface = lan->index };
	int fd = b->fd[is6(lan)];

	if (fd < 0)
		return 0;
	if (is6(lan)) {
		memcpy(&m6.ipv6mr_multiaddr, group.ip, 16);
		return setsockopt(fd, IPPROTO_IPV6,
				  join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP,
				  &m6, sizeof(m6));
	}
	memcpy(&m4.imr_multiaddr, group.ip, 4);
	return setsockopt(fd, IPPROTO_IP,
			  join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m4,
			  sizeof(m4));
}

void beacon_follow(struct beacon *b, const struct hp_node_lan *lan, size_t n)
{
	char name[IF_NAMESIZE];

	/* What is gone cannot be left; the kernel did so itself. */
	for (size_t i = 0; i < b->n_lans; i++)
		(void)member(b, &b->lan[i], false);
	for (size_t i = 0; i < n; i++)
		if (member(b, &lan[i], true) && errno != EADDRINUSE)
			log_warn(b->log, "cannot hear beacons on %s: %s",
				 if_indextoname(lan[i].index, name) ? name :
								      "?",
				 strerror(errno));
	memcpy(b->lan, lan, n * sizeof(*lan));
	b->n_lans = n;
}
