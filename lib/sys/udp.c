/* SPDX-License-Identifier: ISC */
/*
 * ICMP errors never reach us: without IP_RECVERR the kernel does not report
 * them on unconnected sockets, so that nobody outside can make a send fail.
 * What a send does return (no route, no such source, a packet filter) concerns
 * one destination and is handed up as such.
 */
#include "sys/udp_impl.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the kernel holds for us while we are busy: 20 ms at 1.6 Gbit/s. */
#define BUFFER_LEN (4 << 20)
/* How often a free port of one family may turn out taken in the other. */
#define PORT_TRIES 32

socklen_t hp_addr_to_sockaddr(const struct hp_addr *a,
			      struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	if (a->family == HP_AF_4) {
		*in = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons(a->port),
		};
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	*in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(a->port),
		.sin6_scope_id = a->scope,
	};
	memcpy(&in6->sin6_addr, a->ip, 16);
	return sizeof(*in6);
}

struct hp_addr hp_addr_from_sockaddr(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	struct hp_addr a = { 0 };

	if (sa->sa_family == AF_INET)
		return hp_addr_of(HP_AF_4, (const uint8_t *)&in->sin_addr,
				  ntohs(in->sin_port));
	if (sa->sa_family == AF_INET6) {
		a = hp_addr_of(HP_AF_6, in6->sin6_addr.s6_addr,
			       ntohs(in6->sin6_port));
		if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
			a.scope = in6->sin6_scope_id;
	}
	return a;
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* Above the system's limit where we may, else up to it. */
static void set_buffers(int fd)
{
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_LEN) < 0)
		(void)set_int(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_LEN);
	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_LEN) < 0)
		(void)set_int(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_LEN);
}

/* The fragments of a datagram too long for its path still arrive, as they do
 * with WireGuard's own module: a tunnel must not go silent over a small MTU,
 * while it is measured or where nobody measures it. What is measured fits.
 */
static int set_options(int fd, int family, uint32_t mark)
{
	set_buffers(fd);
	if (mark && set_int(fd, SOL_SOCKET, SO_MARK, (int)mark) < 0)
		return -1;
	if (family == AF_INET)
		return set_int(fd, IPPROTO_IP, IP_PKTINFO, 1) |
		       set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER,
			       IP_PMTUDISC_DONT);
	return set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) |
	       set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) |
	       set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
		       IPV6_PMTUDISC_DONT);
}

/* A bound socket, or -1 with errno. @shared: others may be bound there too, if
 * they are shared as well.
 */
static int bind_at(const struct hp_addr *at, uint32_t mark, bool shared)
{
	int family = at->family == HP_AF_4 ? AF_INET : AF_INET6;
	struct sockaddr_storage ss;
	socklen_t len = hp_addr_to_sockaddr(at, &ss);
	int saved, fd;

	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (!set_options(fd, family, mark) &&
	    !set_int(fd, SOL_SOCKET, SO_REUSEPORT, shared) &&
	    !bind(fd, (struct sockaddr *)&ss, len))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int bind_any(enum hp_family family, uint16_t port, uint32_t mark,
		    bool shared)
{
	const struct hp_addr any = { .family = family, .port = port };

	return bind_at(&any, mark, shared);
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	return hp_addr_from_sockaddr((struct sockaddr *)&ss).port;
}

/* The host does not have this family at all. */
static bool family_missing(int err)
{
	return err == EAFNOSUPPORT || err == EADDRNOTAVAIL ||
	       err == EPROTONOSUPPORT;
}

/* One try; false with errno. */
static bool open_pair(struct hp_udp *u, uint16_t port, uint32_t mark)
{
	*u = HP_UDP_CLOSED;
	u->fd4 = bind_any(HP_AF_4, port, mark, false);
	if (u->fd4 < 0 && !family_missing(errno))
		return false;
	u->port = u->fd4 < 0 ? port : bound_port(u->fd4);
	u->fd6 = bind_any(HP_AF_6, u->port, mark, false);
	if (u->fd6 >= 0) {
		u->port = bound_port(u->fd6);
		return true;
	}
	return u->fd4 >= 0 && family_missing(errno);
}

enum hp_err hp_udp_open(struct hp_udp *u, uint16_t port, uint32_t mark,
			struct hp_fault *f)
{
	int tries = port ? 1 : PORT_TRIES;
	int saved = 0;

	while (tries--) {
		if (open_pair(u, port, mark))
			return HP_OK;
		saved = errno;
		hp_udp_close(u);
		if (saved != EADDRINUSE)
			break;
	}
	errno = saved;
	if (saved == EADDRINUSE)
		return hp_fault_set(f, HP_ERR_EXISTS,
				    "choose another port, or 0 for a free one",
				    "UDP port %u is in use", port);
	return hp_fault_set(f, HP_ERR_IO, "", "cannot open UDP port %u: %s",
			    port, strerror(saved));
}

/* Lets the kernel choose among the first @n sockets of a port by the sender,
 * those of IPv6 by the lower half of its address. Without it (an old kernel) the
 * kernel chooses by a hash of its own, among all that were ever bound there.
 */
static void spread(int fd, bool v4, uint32_t n)
{
	const uint32_t net = (uint32_t)SKF_NET_OFF;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, net + (v4 ? 12 : 16)),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, net + (v4 ? 12 : 20)),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x85ebca6b),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, net + (v4 ? 20 : 40)),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_fprog prog = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
				 &prog, sizeof(prog));
}

/* One more socket on the port of @first, if that is one. */
static bool share(int *fd, int first, enum hp_family family, uint16_t port,
		  uint32_t mark)
{
	if (first < 0)
		return true;
	*fd = bind_any(family, port, mark, true);
	return *fd >= 0;
}

/* @first was bound alone, so that a port which another program has was found
 * out; only then is it shared.
 */
enum hp_err hp_udp_beside(struct hp_udp *u, unsigned int n,
			  const struct hp_udp *first, uint32_t mark)
{
	const int fd[] = { first->fd4, first->fd6 };
	bool ok = true;
	int saved;

	assert(n < HP_UDP_BESIDE_MAX);
	for (unsigned int i = 0; i < n; i++)
		u[i] = (struct hp_udp){ .fd4 = -1, .fd6 = -1,
					.port = first->port };
	for (unsigned int i = 0; ok && i < 2; i++)
		ok = fd[i] < 0 || !set_int(fd[i], SOL_SOCKET, SO_REUSEPORT, 1);
	for (unsigned int i = 0; ok && i < n; i++)
		ok = share(&u[i].fd4, fd[0], HP_AF_4, first->port, mark) &&
		     share(&u[i].fd6, fd[1], HP_AF_6, first->port, mark);
	if (ok) {
		spread(fd[0], true, n + 1);
		spread(fd[1], false, n + 1);
		return HP_OK;
	}
	saved = errno;
	for (unsigned int i = 0; i < n; i++)
		hp_udp_close(&u[i]);
	errno = saved;
	return HP_ERR_IO;
}

/* The first of several is shared after it was bound, so that an address which
 * another program has is still found out.
 */
enum hp_err hp_udp_listen(struct hp_udp *u, const struct hp_addr *at,
			  const struct hp_udp *beside, struct hp_fault *f)
{
	char text[HP_ADDR_TEXT];
	int fd = -1;

	*u = HP_UDP_CLOSED;
	if (!beside || !set_int(beside->fd4 >= 0 ? beside->fd4 : beside->fd6,
				SOL_SOCKET, SO_REUSEPORT, 1))
		fd = bind_at(at, 0, beside);
	if (fd < 0 && errno == EADDRINUSE)
		return hp_fault_set(f, HP_ERR_EXISTS,
				    "end what listens there (`ss -lunp` shows "
				    "it), or choose another port",
				    "UDP %s is in use",
				    hp_addr_text(at, text));
	if (fd < 0)
		return hp_fault_set(f, HP_ERR_IO,
				    errno == EADDRNOTAVAIL ?
					    "name an address of this host" : "",
				    "cannot listen on UDP %s: %s",
				    hp_addr_text(at, text), strerror(errno));
	*(at->family == HP_AF_4 ? &u->fd4 : &u->fd6) = fd;
	u->port = bound_port(fd);
	return HP_OK;
}

void hp_udp_close(struct hp_udp *u)
{
	if (u->fd4 >= 0)
		close(u->fd4);
	if (u->fd6 >= 0)
		close(u->fd6);
	*u = HP_UDP_CLOSED;
}

enum hp_err hp_udp_joined(const struct hp_udp *u, bool on)
{
	if (u->fd4 >= 0 && set_int(u->fd4, IPPROTO_UDP, UDP_GRO, on) < 0)
		return HP_ERR_IO;
	if (u->fd6 >= 0 && set_int(u->fd6, IPPROTO_UDP, UDP_GRO, on) < 0)
		return HP_ERR_IO;
	return HP_OK;
}

enum hp_err hp_udp_mark(const struct hp_udp *u, uint32_t mark)
{
	if (u->fd4 >= 0 && set_int(u->fd4, SOL_SOCKET, SO_MARK, (int)mark) < 0)
		return HP_ERR_IO;
	if (u->fd6 >= 0 && set_int(u->fd6, SOL_SOCKET, SO_MARK, (int)mark) < 0)
		return HP_ERR_IO;
	return HP_OK;
}

void hp_udp_cmsg(struct msghdr *m, int level, int type, const void *p,
		 size_t len)
{
	struct cmsghdr *c;

	c = (struct cmsghdr *)((uint8_t *)m->msg_control + m->msg_controllen);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), p, len);
	m->msg_controllen += CMSG_SPACE(len);
}

/* Source address @local; none when it is not of the family of @to. */
static void add_source(struct msghdr *m, const struct hp_addr *local,
		       const struct hp_addr *to)
{
	struct in_pktinfo in = { 0 };
	struct in6_pktinfo in6 = { 0 };

	if (local->family != to->family)
		return;
	if (local->family == HP_AF_4) {
		memcpy(&in.ipi_spec_dst, local->ip, 4);
		hp_udp_cmsg(m, IPPROTO_IP, IP_PKTINFO, &in, sizeof(in));
		return;
	}
	memcpy(&in6.ipi6_addr, local->ip, 16);
	in6.ipi6_ifindex = to->scope;
	hp_udp_cmsg(m, IPPROTO_IPV6, IPV6_PKTINFO, &in6, sizeof(in6));
}

void hp_udp_describe(struct msghdr *m, struct hp_udp_slot *s, struct iovec *iov,
		     const struct hp_prefix *nat64, const struct hp_path *path,
		     int ttl, const void *buf, size_t len)
{
	const struct hp_addr to = hp_nat64_out(nat64, &path->remote);
	bool v4 = to.family == HP_AF_4;

	*iov = (struct iovec){ .iov_base = (void *)(uintptr_t)buf,
			       .iov_len = len };
	*m = (struct msghdr){
		.msg_name = &s->name,
		.msg_namelen = hp_addr_to_sockaddr(&to, &s->name),
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = &s->control,
	};
	add_source(m, &path->local, &to);
	if (ttl)
		hp_udp_cmsg(m, v4 ? IPPROTO_IP : IPPROTO_IPV6,
			 v4 ? IP_TTL : IPV6_HOPLIMIT, &ttl, sizeof(ttl));
}

bool hp_udp_source_gone(const struct msghdr *m, int err)
{
	return m->msg_controllen &&
	       (err == EINVAL || err == EADDRNOTAVAIL || err == ENETUNREACH ||
		err == EHOSTUNREACH || err == ENODEV);
}

static int fd_for(const struct hp_udp *u, const struct hp_path *path)
{
	if (path->remote.family == HP_AF_NONE)
		return -1;
	return hp_udp_by4(&u->nat64, path) ? u->fd4 : u->fd6;
}

enum hp_err hp_udp_send(const struct hp_udp *u, const struct hp_path *path,
			int ttl, const void *buf, size_t len)
{
	struct hp_path any = *path;
	struct iovec iov;
	struct hp_udp_slot s;
	struct msghdr m;
	int fd = fd_for(u, path);

	if (fd < 0) {
		errno = EAFNOSUPPORT;
		return HP_ERR_IO;
	}
	hp_udp_describe(&m, &s, &iov, &u->nat64, path, ttl, buf, len);
	if (sendmsg(fd, &m, 0) >= 0)
		return HP_OK;
	if (hp_path_set(path) && path->local.family != HP_AF_NONE &&
	    hp_udp_source_gone(&m, errno)) {
		any.local = (struct hp_addr){ 0 };
		hp_udp_describe(&m, &s, &iov, &u->nat64, &any, ttl, buf, len);
		if (sendmsg(fd, &m, 0) >= 0)
			return HP_OK;
	}
	return errno == EAGAIN || errno == ENOBUFS ? HP_ERR_AGAIN : HP_ERR_IO;
}

/* The option holds for the socket: for one datagram it is set and taken back,
 * since that has to come from the same port as all others.
 */
static enum hp_err send_with(const struct hp_udp *u, const struct hp_path *path,
			     const int option[4], const void *buf, size_t len)
{
	int fd = fd_for(u, path), saved;
	enum hp_err err;

	if (fd >= 0 && set_int(fd, option[0], option[1], option[2]) < 0)
		return HP_ERR_IO;
	err = hp_udp_send(u, path, 0, buf, len);
	saved = errno;
	if (fd >= 0)
		(void)set_int(fd, option[0], option[1], option[3]);
	errno = saved;
	return err;
}

enum hp_err hp_udp_send_whole(const struct hp_udp *u,
			      const struct hp_path *path, const void *buf,
			      size_t len)
{
	static const int v4[] = { IPPROTO_IP, IP_MTU_DISCOVER,
				  IP_PMTUDISC_PROBE, IP_PMTUDISC_DONT };
	static const int v6[] = { IPPROTO_IPV6, IPV6_MTU_DISCOVER,
				  IPV6_PMTUDISC_PROBE, IPV6_PMTUDISC_DONT };

	return send_with(u, path, hp_udp_by4(&u->nat64, path) ? v4 : v6,
			 buf, len);
}
