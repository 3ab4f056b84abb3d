/* SPDX-License-Identifier: ISC */
/*
 * What arrives joined leaves joined: the datagrams of one sender that the
 * kernel put into one buffer and that belong to one channel go out from that
 * buffer in one piece. Whatever was received is sent before more is.
 *
 * To the control thread leads a socket pair, so that there is a bound, and a
 * wake-up, that the kernel keeps. When it is full what comes is dropped, and
 * relaying goes on: a flood of registrations costs nobody his tunnel.
 *
 * The thread is a reader of the relay's channels only while it is awake.
 */
#include "forward.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/datagram.h"
#include "sys/clock.h"
#include "sys/quiet.h"

/* Buffers of one receive, each as long as joined datagrams can be. */
#define BUFFERS 32
#define BUFFER_LEN 65536
/* What waits for the control thread, as far as the system allows. */
#define CONTROL_LEN (4 << 20)
#define EVENTS 16
#define STOP UINT32_MAX

struct tally {
	_Atomic uint64_t rx, relayed, bytes, unsent, over_rate, stray, crowded;
};

struct rv_forward {
	struct hp_relay *relay;
	const struct hp_udp *udp;
	uint32_t n;
	struct hp_udp_batch **batch; /* one for each socket */
	int epoll;
	int ours, theirs; /* ends of the pair: of this thread, of control */
	pthread_t thread;
	bool started;
	_Atomic int refused;
	struct tally tally;
	uint64_t now_ns;
	uint8_t (*in)[BUFFER_LEN];
};

/* One thread writes, another one reads now and then. */
static void count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n,
		memory_order_relaxed);
}

/* ---- to the control thread ---- */

static void to_control(struct rv_forward *f, const struct hp_path *from,
		       const uint8_t *p, size_t len)
{
	struct iovec iov[] = {
		{ (void *)(uintptr_t)from, sizeof(*from) },
		{ (void *)(uintptr_t)p, len },
	};
	const struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (len > RV_CONTROL_MAX || sendmsg(f->ours, &m, MSG_DONTWAIT) < 0)
		count(&f->tally.crowded, 1);
}

int rv_forward_fd(const struct rv_forward *f)
{
	return f->theirs;
}

int rv_forward_take(struct rv_forward *f, struct hp_path *from,
		    uint8_t buf[RV_CONTROL_MAX])
{
	struct iovec iov[] = {
		{ from, sizeof(*from) },
		{ buf, RV_CONTROL_MAX },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = recvmsg(f->theirs, &m, MSG_DONTWAIT);

	return n < (ssize_t)sizeof(*from) ? -1 : (int)n - (int)sizeof(*from);
}

/* ---- forwarding ---- */

/* Sends all that was collected. */
static void flush(struct rv_forward *f)
{
	const struct hp_path nowhere = { 0 };

	for (uint32_t i = 0; i < f->n; i++) {
		int refused;

		count(&f->tally.unsent,
		      hp_udp_batch_send(f->batch[i], &f->udp[i]));
		refused = hp_udp_batch_refused(f->batch[i]);
		if (refused && !f->refused) {
			f->refused = refused;
			to_control(f, &nowhere, NULL, 0);
		}
	}
}

static void add(struct rv_forward *f, const struct hp_path *to, uint8_t *p,
		size_t len)
{
	const struct hp_pkt pkt = { .data = p, .len = (uint32_t)len };

	if (hp_path_is_stream(to)) {
		to_control(f, to, p, len);
		return;
	}
	if (hp_udp_batch_add(f->batch[to->sock], to, &pkt))
		return;
	flush(f);
	(void)hp_udp_batch_add(f->batch[to->sock], to, &pkt);
}

/* Datagrams of one channel and, but for the last, one size. */
struct run {
	uint8_t *p;
	size_t len;
	size_t size;
	size_t n;
};

static void forward(struct rv_forward *f, const struct hp_path *from,
		    const struct run *run)
{
	uint32_t channel = hp_get_be32(run->p + HP_WIRE_HEAD);
	const struct hp_path *to;
	enum hp_err err = hp_relay_forward(f->relay, &from->remote, channel,
					   run->n, run->len, f->now_ns, &to);
	size_t i, at;

	if (!err) {
		count(&f->tally.relayed, run->n);
		count(&f->tally.bytes, run->len);
	}
	for (i = 0, at = 0; i < run->n; i++, at += run->size) {
		struct run one = { run->p + at, run->size, run->size, 1 };

		if (one.len > run->len - at)
			one.len = run->len - at;
		if (!err) {
			add(f, to, one.p, one.len);
		} else if (err == HP_ERR_LIMIT && run->n > 1) {
			/* Perhaps there is room for some of them. */
			forward(f, from, &one);
		} else if (err == HP_ERR_LIMIT) {
			count(&f->tally.over_rate, 1);
		} else if (!i) {
			to_control(f, from, one.p, one.len);
		} else {
			count(&f->tally.stray, 1);
		}
	}
}

/* The datagrams at the front of @p that share a relay header; their @n is 0
 * when the first one has none.
 */
static struct run run_of(uint8_t *p, size_t len, size_t size)
{
	struct run run = { .p = p, .size = size };

	if (len <= HP_RELAY_HEAD || size <= HP_RELAY_HEAD ||
	    hp_datagram_kind(p, len) != HP_DGRAM_RELAY ||
	    !hp_get_be32(p + HP_WIRE_HEAD))
		return run;
	while (run.len + HP_RELAY_HEAD < len &&
	       memcmp(p, p + run.len, HP_RELAY_HEAD) == 0) {
		run.n++;
		run.len += size < len - run.len ? size : len - run.len;
	}
	return run;
}

/* What one buffer holds: datagrams of @size bytes, the last perhaps shorter. */
static void take(struct rv_forward *f, const struct hp_path *from, uint8_t *p,
		 size_t len, size_t size)
{
	while (len) {
		struct run run = run_of(p, len, size);

		if (run.n) {
			count(&f->tally.rx, run.n);
			forward(f, from, &run);
		} else {
			run.len = size < len ? size : len;
			count(&f->tally.rx, 1);
			to_control(f, from, p, run.len);
		}
		p += run.len;
		len -= run.len;
	}
}

static void receive(struct rv_forward *f, uint32_t number)
{
	const struct hp_udp *u = &f->udp[number];
	struct hp_udp_batch *b = f->batch[number];
	struct hp_pkt pkts[BUFFERS];
	struct hp_path from[BUFFERS];
	size_t n;

	for (size_t i = 0; i < BUFFERS; i++)
		pkts[i] = hp_pkt_of(f->in[i], BUFFER_LEN, 0, 0);
	n = hp_udp_batch_recv(b, u->fd4 >= 0 ? u->fd4 : u->fd6, pkts, from,
			      BUFFERS);
	for (size_t i = 0; i < n; i++) {
		uint32_t size = hp_udp_batch_size(b, i);

		from[i].sock = number;
		take(f, &from[i], pkts[i].data, pkts[i].len,
		     size ? size : pkts[i].len);
	}
	flush(f);
}

/* ---- the thread ---- */

static void *work(void *ctx)
{
	struct rv_forward *f = ctx;
	struct epoll_event ev[EVENTS];
	bool stopped = false;

	rcu_register_thread();
	while (!stopped) {
		int n;

		hp_quiet_begin(f->relay);
		n = epoll_wait(f->epoll, ev, EVENTS, -1);
		hp_quiet_end();
		f->now_ns = hp_clock_now();
		for (int i = 0; i < n; i++) {
			if (ev[i].data.u32 == STOP)
				stopped = true;
			else
				receive(f, ev[i].data.u32);
		}
	}
	hp_quiet_begin(f->relay);
	rcu_unregister_thread();
	return NULL;
}

static bool watch(struct rv_forward *f, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event ev = { .events = events, .data.u32 = what };

	return !epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static bool make_pair(struct rv_forward *f)
{
	const int len = CONTROL_LEN;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0, fd))
		return false;
	f->ours = fd[0];
	f->theirs = fd[1];
	(void)setsockopt(f->ours, SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
	/* Told to stop by the other end being closed. */
	return watch(f, f->ours, EPOLLRDHUP, STOP);
}

static bool make_batches(struct rv_forward *f, bool join)
{
	f->batch = calloc(f->n, sizeof(struct hp_udp_batch *));
	if (!f->batch)
		return false;
	for (uint32_t i = 0; i < f->n; i++) {
		const struct hp_udp *u = &f->udp[i];

		f->batch[i] = hp_udp_batch_new();
		if (!f->batch[i] ||
		    !watch(f, u->fd4 >= 0 ? u->fd4 : u->fd6, EPOLLIN, i))
			return false;
		hp_udp_batch_join(f->batch[i], join);
	}
	return true;
}

struct rv_forward *rv_forward_new(struct hp_relay *relay,
				  const struct hp_udp *udp, uint32_t n,
				  bool join)
{
	struct rv_forward *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->relay = relay;
	f->udp = udp;
	f->n = n;
	f->ours = -1;
	f->theirs = -1;
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->in = calloc(BUFFERS, BUFFER_LEN);
	if (f->epoll >= 0 && f->in && make_pair(f) && make_batches(f, join)) {
		errno = pthread_create(&f->thread, NULL, work, f);
		f->started = !errno;
	}
	if (f->started)
		return f;
	rv_forward_free(f);
	return NULL;
}

void rv_forward_free(struct rv_forward *f)
{
	int saved = errno;

	if (!f)
		return;
	if (f->theirs >= 0)
		close(f->theirs);
	if (f->started)
		pthread_join(f->thread, NULL);
	if (f->ours >= 0)
		close(f->ours);
	for (uint32_t i = 0; f->batch && i < f->n; i++)
		hp_udp_batch_free(f->batch[i]);
	if (f->epoll >= 0)
		close(f->epoll);
	free(f->batch);
	free(f->in);
	free(f);
	errno = saved;
}

int rv_forward_refused(const struct rv_forward *f)
{
	return f->refused;
}

void rv_forward_counts(const struct rv_forward *f, struct rv_counts *add_to)
{
	const struct tally *t = &f->tally;

	add_to->rx += t->rx;
	add_to->relayed += t->relayed;
	add_to->bytes += t->bytes;
	add_to->unsent += t->unsent;
	add_to->over_rate += t->over_rate;
	add_to->stray += t->stray;
	add_to->crowded += t->crowded;
}
