/* SPDX-License-Identifier: ISC */
/*
 * Batches of datagrams in and out.
 *
 * Joined datagrams (UDP_SEGMENT) that do not fit the interface's MTU, or meet a
 * device or tunnel that cannot cut them, are refused as a whole. They are then
 * sent one by one, which shows whether the joining was to blame; if it was, it
 * is left for a while to that destination alone.
 */
#include "sys/udp_impl.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SEND_WAIT_MS 10
/* Kernels before 6.9 cut into no more segments, and none of them takes more
 * bytes than one datagram of IPv4 can have.
 */
#define JOIN_MAX 64
#define JOIN_BYTES 65507
/* How many batches pass before a destination that refused joined datagrams gets
 * them again: routes change.
 */
#define JOIN_AGAIN 4096
/* Destinations that are remembered for it; one more takes the oldest's place. */
#define REFUSALS 16


/* @iov: one for each datagram; those of a message follow each other. */
struct lane {
	struct mmsghdr msg[HP_BATCH];
	struct hp_udp_slot slot[HP_BATCH];
	struct iovec iov[HP_BATCH];
	size_t n;
	size_t iovs;
};

/* Datagrams of @limit bytes and more to @to are not joined before batch @until;
 * 0: this place is free.
 */
struct refusal {
	struct hp_addr to;
	size_t limit;
	uint64_t until;
};

/* What goes out to one family.
 * @bytes: of the last message of the lane
 * @full:  nothing more may be joined to it
 * @join:  joining is on
 * @refused: the last errno by which joining was refused as such
 * @batches: sent so far
 * @forget:  when the first of @refusal ends, UINT64_MAX: there is none
 */
struct out {
	struct lane lane;
	size_t bytes;
	bool full;
	bool join;
	int refused;
	uint64_t batches;
	uint64_t forget;
	struct refusal refusal[REFUSALS];
};

struct hp_udp_batch {
	struct out out4;
	struct out out6;
	struct lane in;
	uint32_t size[HP_BATCH];
	struct hp_udp_failure failure[HP_UDP_FAILURES];
	size_t failures;
	struct hp_prefix nat64;
};

struct hp_udp_batch *hp_udp_batch_new(void)
{
	struct hp_udp_batch *b = calloc(1, sizeof(*b));

	if (b)
		b->out4.forget = b->out6.forget = UINT64_MAX;
	return b;
}

void hp_udp_batch_free(struct hp_udp_batch *b)
{
	free(b);
}

void hp_udp_batch_nat64(struct hp_udp_batch *b, const struct hp_prefix *prefix)
{
	b->nat64 = *prefix;
}

void hp_udp_batch_join(struct hp_udp_batch *b, bool on)
{
	b->out4.join = on;
	b->out6.join = on;
}

int hp_udp_batch_refused(const struct hp_udp_batch *b)
{
	return b->out4.refused ? b->out4.refused : b->out6.refused;
}

/* Are datagrams of @len bytes to @to known not to be taken joined? */
static bool refuses(const struct out *o, const struct hp_addr *to, size_t len)
{
	if (o->forget == UINT64_MAX)
		return false;
	for (size_t i = 0; i < REFUSALS; i++)
		if (o->refusal[i].until && len >= o->refusal[i].limit &&
		    hp_addr_same_ip(&o->refusal[i].to, to))
			return true;
	return false;
}

static void forget_refusals(struct out *o)
{
	if (++o->batches < o->forget)
		return;
	o->forget = UINT64_MAX;
	for (size_t i = 0; i < REFUSALS; i++) {
		struct refusal *r = &o->refusal[i];

		if (r->until <= o->batches)
			*r = (struct refusal){ 0 };
		else if (r->until < o->forget)
			o->forget = r->until;
	}
}

/* Takes the place of the same destination, of none, or of the oldest. */
static void remember(struct out *o, const struct hp_addr *to, size_t limit)
{
	struct refusal *r = &o->refusal[0];

	for (size_t i = 0; i < REFUSALS; i++) {
		if (o->refusal[i].until < r->until)
			r = &o->refusal[i];
		if (o->refusal[i].until &&
		    hp_addr_same_ip(&o->refusal[i].to, to)) {
			r = &o->refusal[i];
			break;
		}
	}
	*r = (struct refusal){ *to, limit, o->batches + JOIN_AGAIN };
	if (r->until < o->forget)
		o->forget = r->until;
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
	       m->msg_iovlen < JOIN_MAX && o->bytes + len <= JOIN_BYTES &&
	       (last == path || hp_path_eq(last, path)) &&
	       !refuses(o, &path->remote, m->msg_iov->iov_len);
}

bool hp_udp_batch_add(struct hp_udp_batch *b, const struct hp_path *path,
		      const struct hp_pkt *pkt)
{
	struct out *o = hp_udp_by4(&b->nat64, path) ? &b->out4 : &b->out6;
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
	hp_udp_describe(&l->msg[l->n].msg_hdr, &l->slot[l->n], iov, &b->nat64,
			path, 0, pkt->data, pkt->len);
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
		if (!hp_udp_source_gone(m, errno))
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
	if (err == ENOMEM)
		return 0;
	if (err != EMSGSIZE)
		o->refused = err;
	remember(o, &o->lane.slot[at].path->remote, err == EMSGSIZE ? len : 0);
	return 0;
}

/* Says of messages of several datagrams how they are to be cut. */
static void tell_sizes(struct lane *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct msghdr *m = &l->msg[i].msg_hdr;
		uint16_t size = (uint16_t)m->msg_iov->iov_len;

		if (m->msg_iovlen > 1)
			hp_udp_cmsg(m, IPPROTO_UDP, UDP_SEGMENT, &size,
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
		    (maybe_joining(errno) || hp_udp_source_gone(m, errno)))
			lost += send_apart(b, o, fd, at, &wait_ms);
		else if (!hp_udp_source_gone(m, errno) ||
			 !send_one(fd, m, &wait_ms, &moved))
			lost += note_failure(b, l, at, m->msg_iovlen);
		at++;
	}
	l->n = 0;
	l->iovs = 0;
	forget_refusals(o);
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
		struct hp_udp_slot *s = &l->slot[i];

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
		if (b->nat64.family)
			from[i].remote = hp_nat64_in(&b->nat64,
						     &from[i].remote);
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
