/* SPDX-License-Identifier: ISC */
/*
 * ICMP errors never reach us: without IP_RECVERR the kernel does not report
 * them on unconnected sockets, so that nobody outside can make a send fail.
 * What a send does return (no route, no such source, a packet filter) concerns
 * one destination and is handed up as such.
 *
 * Joined datagrams (UDP_SEGMENT) that do not fit the interface's MTU, or meet a
 * device or tunnel that cannot cut them, are refused as a whole. They are then
 * sent one by one, which shows whether the joining was to blame.
 */
#include "sys/udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the kernel holds for us while we are busy: 20 ms at 1.6 Gbit/s. */
#define BUFFER_LEN (4 << 20)
/* How often a free port of one family may turn out taken in the other. */
#define PORT_TRIES 32
#define SEND_WAIT_MS 10
/* Kernels before 6.9 cut into no more segments, and none of them takes more
 * bytes than one datagram of IPv4 can have.
 */
#define JOIN_MAX 64
#define JOIN_BYTES 65507
/* How many batches pass before datagrams that were too long to be joined are
 * joined again: routes change.
 */
#define JOIN_AGAIN 4096

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

union control {
	struct cmsghdr align;
	uint8_t room[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		     CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int))];
};

/* One datagram, or several joined, as the kernel wants them described. */
struct slot {
	const struct hp_path *path;
	struct sockaddr_storage name;
	union control control;
};

/* @iov: one for each datagram; those of a message follow each other. */
struct lane {
	struct mmsghdr msg[HP_BATCH];
	struct slot slot[HP_BATCH];
	struct iovec iov[HP_BATCH];
	size_t n;
	size_t iovs;
};

/* What goes out to one family.
 * @bytes: of the last message of the lane
 * @full:  nothing more may be joined to it
 * @join:  joining is on
 * @refused: errno that ended it for good
 * @limit: datagrams of this length and above are not joined, 0: no limit
 * @until_again: batches until that is forgotten
 */
struct out {
	struct lane lane;
	size_t bytes;
	bool full;
	bool join;
	int refused;
	size_t limit;
	unsigned int until_again;
};

struct hp_udp_batch {
	struct out out4;
	struct out out6;
	struct lane in;
	uint32_t size[HP_BATCH];
	struct hp_udp_failure failure[HP_UDP_FAILURES];
	size_t failures;
};

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
 * with WireGuard's own module: a tunnel must not go silent over a small MTU.
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

static int bind_any(enum hp_family family, uint16_t port, uint32_t mark)
{
	const struct hp_addr any = { .family = family, .port = port };

	return bind_at(&any, mark, false);
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
	u->fd4 = bind_any(HP_AF_4, port, mark);
	if (u->fd4 < 0 && !family_missing(errno))
		return false;
	u->port = u->fd4 < 0 ? port : bound_port(u->fd4);
	u->fd6 = bind_any(HP_AF_6, u->port, mark);
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

static void add_cmsg(struct msghdr *m, int level, int type, const void *p,
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

/* Source address of @local; none when it is not of the remote's family. */
static void add_source(struct msghdr *m, const struct hp_path *path)
{
	struct in_pktinfo in = { 0 };
	struct in6_pktinfo in6 = { 0 };

	if (path->local.family != path->remote.family)
		return;
	if (path->local.family == HP_AF_4) {
		memcpy(&in.ipi_spec_dst, path->local.ip, 4);
		add_cmsg(m, IPPROTO_IP, IP_PKTINFO, &in, sizeof(in));
		return;
	}
	memcpy(&in6.ipi6_addr, path->local.ip, 16);
	in6.ipi6_ifindex = path->remote.scope;
	add_cmsg(m, IPPROTO_IPV6, IPV6_PKTINFO, &in6, sizeof(in6));
}

static void describe(struct msghdr *m, struct slot *s, struct iovec *iov,
		     const struct hp_path *path, int ttl, const void *buf,
		     size_t len)
{
	bool v4 = path->remote.family == HP_AF_4;

	*iov = (struct iovec){ .iov_base = (void *)(uintptr_t)buf,
			       .iov_len = len };
	*m = (struct msghdr){
		.msg_name = &s->name,
		.msg_namelen = hp_addr_to_sockaddr(&path->remote, &s->name),
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = &s->control,
	};
	add_source(m, path);
	if (ttl)
		add_cmsg(m, v4 ? IPPROTO_IP : IPPROTO_IPV6,
			 v4 ? IP_TTL : IPV6_HOPLIMIT, &ttl, sizeof(ttl));
}

/* The source that @m names may have left this host since. */
static bool source_gone(const struct msghdr *m, int err)
{
	return m->msg_controllen &&
	       (err == EINVAL || err == EADDRNOTAVAIL || err == ENETUNREACH ||
		err == EHOSTUNREACH || err == ENODEV);
}

static int fd_for(const struct hp_udp *u, const struct hp_path *path)
{
	return path->remote.family == HP_AF_4 ? u->fd4 :
	       path->remote.family == HP_AF_6 ? u->fd6 : -1;
}

enum hp_err hp_udp_send(const struct hp_udp *u, const struct hp_path *path,
			int ttl, const void *buf, size_t len)
{
	struct hp_path any = *path;
	struct iovec iov;
	struct slot s;
	struct msghdr m;
	int fd = fd_for(u, path);

	if (fd < 0) {
		errno = EAFNOSUPPORT;
		return HP_ERR_IO;
	}
	describe(&m, &s, &iov, path, ttl, buf, len);
	if (sendmsg(fd, &m, 0) >= 0)
		return HP_OK;
	if (hp_path_set(path) && path->local.family != HP_AF_NONE &&
	    source_gone(&m, errno)) {
		any.local = (struct hp_addr){ 0 };
		describe(&m, &s, &iov, &any, ttl, buf, len);
		if (sendmsg(fd, &m, 0) >= 0)
			return HP_OK;
	}
	return errno == EAGAIN || errno == ENOBUFS ? HP_ERR_AGAIN : HP_ERR_IO;
}

struct hp_udp_batch *hp_udp_batch_new(void)
{
	return calloc(1, sizeof(struct hp_udp_batch));
}

void hp_udp_batch_free(struct hp_udp_batch *b)
{
	free(b);
}

void hp_udp_batch_join(struct hp_udp_batch *b, bool on)
{
	b->out4.join = on;
	b->out6.join = on;
	b->out4.refused = 0;
	b->out6.refused = 0;
}

int hp_udp_batch_refused(const struct hp_udp_batch *b)
{
	return b->out4.refused ? b->out4.refused : b->out6.refused;
}

/* May @len bytes more to @path go with the last message? */
static bool joins(const struct out *o, const struct hp_path *path, size_t len)
{
	const struct lane *l = &o->lane;
	const struct hp_path *last;
	const struct msghdr *m;

	if (!o->join || o->full || !l->n)
		return false;
	m = &l->msg[l->n - 1].msg_hdr;
	last = l->slot[l->n - 1].path;
	return len && len <= m->msg_iov->iov_len &&
	       (!o->limit || m->msg_iov->iov_len < o->limit) &&
	       m->msg_iovlen < JOIN_MAX && o->bytes + len <= JOIN_BYTES &&
	       (last == path || hp_path_eq(last, path));
}

bool hp_udp_batch_add(struct hp_udp_batch *b, const struct hp_path *path,
		      const struct hp_pkt *pkt)
{
	struct out *o = path->remote.family == HP_AF_4 ? &b->out4 : &b->out6;
	struct lane *l = &o->lane;
	struct iovec *iov = &l->iov[l->iovs];

	if (l->iovs == HP_BATCH)
		return false;
	l->iovs++;
	if (joins(o, path, pkt->len)) {
		struct msghdr *m = &l->msg[l->n - 1].msg_hdr;

		*iov = (struct iovec){ .iov_base = pkt->data,
				       .iov_len = pkt->len };
		m->msg_iovlen++;
		o->full = pkt->len < m->msg_iov->iov_len;
		o->bytes += pkt->len;
		return true;
	}
	describe(&l->msg[l->n].msg_hdr, &l->slot[l->n], iov, path, 0,
		 pkt->data, pkt->len);
	l->slot[l->n].path = path;
	l->n++;
	o->full = false;
	o->bytes = pkt->len;
	return true;
}

/* Waits for room in the buffer of @fd; false when the time is used up. */
static bool wait_room(int fd, int *wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (*wait_ms <= 0)
		return false;
	/* The clock is not worth reading here: count each wait in full. */
	if (poll(&p, 1, *wait_ms) <= 0)
		*wait_ms = 0;
	--*wait_ms;
	return true;
}

static void forget_source(struct msghdr *m)
{
	m->msg_control = NULL;
	m->msg_controllen = 0;
}

/* Sends one datagram, without its source address when that is gone; then
 * @moved is set.
 */
static bool send_one(int fd, struct msghdr *m, int *wait_ms, bool *moved)
{
	while (sendmsg(fd, m, 0) < 0) {
		if (errno == EINTR ||
		    (errno == EAGAIN && wait_room(fd, wait_ms)))
			continue;
		if (!source_gone(m, errno))
			return false;
		forget_source(m);
		*moved = true;
	}
	return true;
}

/* Errors by which joined datagrams are refused for being joined, among other
 * things.
 */
static bool maybe_joining(int err)
{
	return err == EMSGSIZE || err == EIO || err == EINVAL ||
	       err == EOPNOTSUPP || err == ENOPROTOOPT || err == ENOMEM;
}

/* @n datagrams of message @i were refused, errno says why. */
static size_t note_failure(struct hp_udp_batch *b, const struct lane *l,
			   size_t i, size_t n)
{
	struct hp_udp_failure *f = b->failure + b->failures;
	const struct hp_path *path = l->slot[i].path;

	if (errno == EAGAIN || errno == ENOBUFS ||
	    b->failures == HP_UDP_FAILURES ||
	    (b->failures && hp_path_eq(&f[-1].path, path)))
		return n;
	*f = (struct hp_udp_failure){ .path = *path, .err = errno };
	b->failures++;
	return n;
}

/* Sends message @at, which was refused as a whole, in single datagrams, and
 * learns from how that goes. Returns how many were lost.
 */
static size_t send_apart(struct hp_udp_batch *b, struct out *o, int fd,
			 size_t at, int *wait_ms)
{
	const struct msghdr *whole = &o->lane.msg[at].msg_hdr;
	size_t len = whole->msg_iov->iov_len, lost = 0, i;
	struct msghdr m = *whole;
	bool moved = false;
	int err = errno;

	m.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
	for (i = 0; i < whole->msg_iovlen; i++) {
		m.msg_iov = &whole->msg_iov[i];
		m.msg_iovlen = 1;
		if (!send_one(fd, &m, wait_ms, &moved))
			lost += note_failure(b, &o->lane, at, 1);
	}
	if (lost || moved)
		return lost;
	if (err == EMSGSIZE) {
		o->limit = len;
		o->until_again = JOIN_AGAIN;
	} else if (err != ENOMEM) {
		o->join = false;
		o->refused = err;
	}
	return 0;
}

/* Says of messages of several datagrams how they are to be cut. */
static void tell_sizes(struct lane *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct msghdr *m = &l->msg[i].msg_hdr;
		uint16_t size = (uint16_t)m->msg_iov->iov_len;

		if (m->msg_iovlen > 1)
			add_cmsg(m, IPPROTO_UDP, UDP_SEGMENT, &size,
				 sizeof(size));
		if (!m->msg_controllen)
			m->msg_control = NULL;
	}
}

/* The kernel stops at the first message that it cannot send. That one gets a
 * second chance without its source address, or apart, and is left out.
 */
static size_t send_lane(struct hp_udp_batch *b, struct out *o, int fd)
{
	struct lane *l = &o->lane;
	int wait_ms = SEND_WAIT_MS, done;
	size_t at = 0, lost = 0;

	tell_sizes(l);
	while (at < l->n) {
		struct msghdr *m = &l->msg[at].msg_hdr;
		bool moved;

		done = sendmmsg(fd, l->msg + at, (unsigned int)(l->n - at), 0);
		if (done > 0) {
			at += (size_t)done;
			continue;
		}
		if (errno == EINTR || (errno == EAGAIN &&
				       wait_room(fd, &wait_ms)))
			continue;
		if (m->msg_iovlen > 1 &&
		    (maybe_joining(errno) || source_gone(m, errno)))
			lost += send_apart(b, o, fd, at, &wait_ms);
		else if (!source_gone(m, errno) ||
			 !send_one(fd, m, &wait_ms, &moved))
			lost += note_failure(b, l, at, m->msg_iovlen);
		at++;
	}
	l->n = 0;
	l->iovs = 0;
	if (o->limit && !o->until_again--)
		o->limit = 0;
	return lost;
}

size_t hp_udp_batch_send(struct hp_udp_batch *b, const struct hp_udp *u)
{
	b->failures = 0;
	return send_lane(b, &b->out4, u->fd4) + send_lane(b, &b->out6, u->fd6);
}

size_t hp_udp_batch_failures(const struct hp_udp_batch *b,
			     const struct hp_udp_failure **out)
{
	*out = b->failure;
	return b->failures;
}

/* The address of ours that the datagram was sent to. */
static struct hp_addr local_of(struct msghdr *m)
{
	struct in6_pktinfo in6;
	struct in_pktinfo in;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&in, CMSG_DATA(c), sizeof(in));
			return hp_addr_of(HP_AF_4,
					  (const uint8_t *)&in.ipi_spec_dst, 0);
		}
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&in6, CMSG_DATA(c), sizeof(in6));
			return hp_addr_of(HP_AF_6, in6.ipi6_addr.s6_addr, 0);
		}
	}
	return (struct hp_addr){ 0 };
}

/* The size of the datagrams that were joined; 0: there is one. */
static uint32_t size_of(struct msghdr *m)
{
	struct cmsghdr *c;
	int size = 0;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 ? (uint32_t)size : 0;
}

static void prepare(struct lane *l, const struct hp_pkt *pkts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct slot *s = &l->slot[i];

		assert(pkts[i].len == 0);
		l->iov[i] = (struct iovec){ .iov_base = pkts[i].data,
					    .iov_len = pkts[i].tail };
		l->msg[i].msg_hdr = (struct msghdr){
			.msg_name = &s->name,
			.msg_namelen = sizeof(s->name),
			.msg_iov = &l->iov[i],
			.msg_iovlen = 1,
			.msg_control = &s->control,
			.msg_controllen = sizeof(s->control),
		};
	}
}

size_t hp_udp_batch_recv(struct hp_udp_batch *b, int fd, struct hp_pkt *pkts,
			 struct hp_path *from, size_t n)
{
	struct lane *l = &b->in;
	int got;
	int i;

	assert(n <= HP_BATCH);
	if (fd < 0)
		return 0;
	prepare(l, pkts, n);
	got = recvmmsg(fd, l->msg, (unsigned int)n, MSG_DONTWAIT, NULL);
	for (i = 0; i < got; i++) {
		struct msghdr *m = &l->msg[i].msg_hdr;

		from[i] = (struct hp_path){
			.remote = hp_addr_from_sockaddr(m->msg_name),
			.local = local_of(m),
		};
		b->size[i] = size_of(m);
		if (!(m->msg_flags & MSG_TRUNC))
			(void)hp_pkt_put(&pkts[i], l->msg[i].msg_len);
	}
	return got < 0 ? 0 : (size_t)got;
}

uint32_t hp_udp_batch_size(const struct hp_udp_batch *b, size_t i)
{
	assert(i < HP_BATCH);
	return b->size[i];
}
