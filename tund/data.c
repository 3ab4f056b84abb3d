/* SPDX-License-Identifier: ISC */
/*
 * One round: wait for what is readable; read from the TUN device, cut, seal and
 * send it; receive a batch from each socket, open, join and write it. Whatever
 * one read gives is passed on at once, so that a batch costs no packet time.
 *
 * Out: packets of up to 64 KiB are read until none is left, or enough wait (see
 * wg/backlog.h), and cut into the arena, packet behind packet: the only copy.
 * The arena is small, so that it stays in the cache.
 *
 * In: what the kernel joined is cut where it lies. While it joins, few buffers
 * are offered at once, for the cache again; else many.
 *
 * For RCU the thread is offline while it waits and online in between; each
 * wait is a quiescent point, and no pointer into the FIB outlives a batch.
 */
#include "data.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/datagram.h"
#include "base/pkt.h"
#include "base/time.h"
#include "misfit.h"
#include "node/ferry.h"
#include "ports.h"
#include "queue.h"
#include "sys/clock.h"
#include "sys/quiet.h"
#include "sys/udp.h"
#include "tun.h"
#include "wg/backlog.h"
#include "wg/coalesce.h"
#include "wg/forward.h"
#include "wg/segment.h"

#define BUFFER_LEN 65536
/* Receive buffers, in distances that are not a power of two: at 64 KiB all
 * headers would fall into one cache set.
 */
#define BUFFER_STEP (BUFFER_LEN + 192)
#define BUFFERS 6
#define BUFFERS_WHEN_JOINED 4
/* Room for one packet of the longest, and for 128 of the usual. */
#define ARENA_LEN (3 * BUFFER_LEN)
#define LINE 64
#define ROOM_LEN (ARENA_LEN + (size_t)(BUFFERS + HP_BACKLOG_MAX) * BUFFER_STEP)
/* How long to wait for the control thread to make room for notices. */
#define CALM_WAIT_MS 1

/* Refused sends that are told to the control thread, at most so many in such a
 * time: what it learns from them does not get truer by repetition.
 */
#define FAILURES 16
#define FAILURES_NS (100 * HP_MS)
/* Descriptors that one wakeup serves. */
#define EVENTS 16

/* User data of what is waited for beside the ports. */
#define EVENT_TUN PORTS_EVENT_MAX
#define EVENT_STOP (PORTS_EVENT_MAX + 1)
#define EVENT_STREAM (PORTS_EVENT_MAX + 2)

struct data {
	struct data_cfg cfg;
	struct hp_aead *aead;
	struct hp_udp_batch *batch;
	uint32_t sock;		/* port that @batch is for */
	unsigned int failures;	/* told since @failures_ns */
	uint64_t failures_ns;
	uint8_t *room;	/* all of the following */
	uint8_t *whole;	/* slots of the backlog */
	uint8_t *arena;	/* what they were cut into */
	size_t used;	/* bytes of the arena */
	size_t n;	/* packets in it */
	uint8_t *in_buf;
	size_t ask;	/* how many receive buffers to offer */
	int stop;
	bool running;
	bool gone; /* the TUN device */
	bool tun_ready;
	bool passed;	/* @batch holds what is relayed for others */
	pthread_t thread;
	_Atomic uint64_t queue_full;
	_Atomic uint64_t not_sent;
	_Atomic uint64_t not_written;
	_Atomic int refused;
	struct hp_forward forward;
	struct misfit misfit;
	struct hp_backlog backlog;
	struct hp_offload offload[HP_BACKLOG_MAX];
	uint32_t whole_len[HP_BACKLOG_MAX];
	struct hp_coalesce groups;
	struct iovec iov[HP_BATCH + 1];
	struct hp_pkt buf[BUFFERS];
	struct hp_path buf_from[BUFFERS];
	struct hp_pkt pkt[HP_BATCH];
	struct hp_path from[HP_BATCH];
	struct hp_forward_out out[HP_BATCH];
	struct hp_forward_in in[HP_BATCH];
};

static const struct hp_udp *my_port(const struct data *d, uint32_t number)
{
	return ports_find(d->cfg.ports, d->cfg.thread, number);
}

static int my_epoll(const struct data *d)
{
	return ports_epoll(d->cfg.ports, d->cfg.thread);
}

static void count(_Atomic uint64_t *n, uint64_t more)
{
	atomic_fetch_add_explicit(n, more, memory_order_relaxed);
}

static void to_control(struct data *d, enum queue_kind kind,
		       const struct hp_path *from, const struct hp_pkt *p)
{
	if (!queue_put(d->cfg.queue, kind, from, p->data, p->len))
		count(&d->queue_full, 1);
}

/* There is room: no round begins without (see queue_calm()). */
static void on_notice(void *ctx, const struct hp_notice *n)
{
	struct data *d = ctx;

	if (!queue_put(d->cfg.queue, QUEUE_NOTICE, NULL, n, sizeof(*n)))
		count(&d->queue_full, 1);
}

/* ---- out ---------------------------------------------------------------- */

/* Says once why datagrams are not sent joined. */
static void note_refused(struct data *d)
{
	int err = hp_udp_batch_refused(d->batch);

	if (err == atomic_load_explicit(&d->refused, memory_order_relaxed))
		return;
	atomic_store_explicit(&d->refused, err, memory_order_relaxed);
	(void)queue_put(d->cfg.queue, QUEUE_STATS, NULL, NULL, 0);
}

static void tell_failures(struct data *d, uint64_t now_ns)
{
	const struct hp_udp_failure *f;
	size_t n = hp_udp_batch_failures(d->batch, &f);

	if (now_ns - d->failures_ns >= FAILURES_NS) {
		d->failures_ns = now_ns;
		d->failures = 0;
	}
	for (; n && d->failures < FAILURES; n--, f++, d->failures++)
		(void)queue_put(d->cfg.queue, QUEUE_FAILED, &f->path, &f->err,
				sizeof(f->err));
}

/* Sends what the batch holds. A port that was closed since is a fact that the
 * control thread knows.
 */
static void send_batch(struct data *d, uint64_t now_ns)
{
	const struct hp_udp closed = HP_UDP_CLOSED;
	const struct hp_udp *u = my_port(d, d->sock);

	count(&d->not_sent, hp_udp_batch_send(d->batch, u ? u : &closed));
	if (u)
		tell_failures(d, now_ns);
	note_refused(d);
}

static void add_out(struct data *d, const struct hp_path *path,
		    const struct hp_pkt *p, uint64_t now_ns)
{
	if (hp_path_is_stream(path)) {
		to_control(d, QUEUE_STREAM, path, p);
		return;
	}
	if (path->sock != d->sock) {
		send_batch(d, now_ns);
		d->sock = path->sock;
	}
	if (hp_udp_batch_add(d->batch, path, p))
		return;
	send_batch(d, now_ns);
	(void)hp_udp_batch_add(d->batch, path, p);
}

/* Once more, over the other path of peers whose path is in doubt. */
static void send_copies(struct data *d, uint64_t now_ns)
{
	for (size_t i = 0; i < d->n; i++)
		if (hp_forward_copy(&d->out[i], &d->pkt[i]))
			add_out(d, d->out[i].also, &d->pkt[i], now_ns);
	send_batch(d, now_ns);
}

/* Seals and sends what the arena holds. */
static void flush_out(struct data *d, uint64_t now_ns)
{
	bool again = false;
	size_t i;

	if (!d->n)
		return;
	hp_forward_out(&d->forward, d->pkt, d->n, d->out, now_ns);
	for (i = 0; i < d->n; i++) {
		switch (d->out[i].verdict) {
		case HP_VERDICT_SEND:
			add_out(d, d->out[i].path, &d->pkt[i], now_ns);
			again |= d->out[i].also != NULL;
			break;
		case HP_VERDICT_TOO_BIG:
			misfit_handle(&d->misfit, &d->forward, d->cfg.ports,
				      d->cfg.tun, &d->pkt[i], d->out[i].mtu,
				      now_ns);
			break;
		case HP_VERDICT_CONTROL:
			to_control(d, QUEUE_INNER, NULL, &d->pkt[i]);
			break;
		case HP_VERDICT_DELIVER:
		case HP_VERDICT_NOTHING:
		case HP_VERDICT_DROP:
			break;
		}
	}
	send_batch(d, now_ns);
	if (again)
		send_copies(d, now_ns);
	d->n = 0;
	d->used = 0;
}

static uint8_t *whole_at(const struct data *d, uint32_t slot)
{
	return d->whole + (size_t)slot * BUFFER_STEP;
}

/* Cuts what is in @slot into the arena; returns into how many. @signal: tell
 * its flow of the queue, by a mark, else by the loss of its first segment: what
 * follows it shows the loss at once.
 */
static size_t cut_out(struct data *d, uint32_t slot, bool signal,
		      uint64_t now_ns)
{
	uint8_t *whole = whole_at(d, slot);
	struct hp_segmenter s;
	size_t step, cut = 0;
	uint32_t len;

	if (signal)
		signal = !hp_ecn_mark(whole, d->whole_len[slot]);
	if (hp_segment_begin(&s, whole, d->whole_len[slot],
			     &d->offload[slot])) {
		hp_fib_count(d->cfg.fib, HP_DROP_FORMAT);
		return 0;
	}
	/* What came as one piece leaves as one. */
	if (d->n + hp_segment_left(&s) > HP_BATCH)
		flush_out(d, now_ns);
	if (signal) {
		hp_segment_skip(&s);
		hp_fib_count(d->cfg.fib, HP_DROP_QUEUE);
	}
	while ((len = hp_segment_len(&s))) {
		step = HP_HEADROOM + len + HP_TAILROOM;
		step = (step + LINE - 1) / LINE * LINE;
		if (d->n == HP_BATCH || d->used + step > ARENA_LEN)
			flush_out(d, now_ns);
		d->pkt[d->n] = hp_pkt_of(d->arena + d->used, step, HP_HEADROOM,
					 len);
		hp_segment_next(&s, d->pkt[d->n].data);
		d->used += step;
		d->n++;
		cut++;
	}
	return cut;
}

/* Reads what there is, as far as there is room; true: there may be more. */
static bool fill(struct data *d, uint64_t now_ns)
{
	enum tun_result result = TUN_OK;
	uint32_t slot;

	while ((slot = hp_backlog_room(&d->backlog)) != HP_BACKLOG_NONE) {
		result = tun_read(d->cfg.tun, whole_at(d, slot), BUFFER_LEN,
				  &d->whole_len[slot], &d->offload[slot]);
		if (result != TUN_OK)
			break;
		hp_backlog_put(&d->backlog, whole_at(d, slot),
			       d->whole_len[slot], now_ns);
	}
	d->gone |= result == TUN_GONE;
	return result == TUN_OK;
}

static void from_tun(struct data *d, uint64_t now_ns)
{
	bool signal, more = fill(d, now_ns);
	size_t cut = 0, turns = 0;
	uint32_t slot;

	/* Dropped ones count, too: the other direction waits. */
	while (cut < HP_BATCH && turns++ < HP_BATCH) {
		slot = hp_backlog_take(&d->backlog, now_ns, &signal);
		if (slot != HP_BACKLOG_NONE)
			cut += cut_out(d, slot, signal, now_ns);
		else if (more)
			more = fill(d, now_ns);
		else
			break;
	}
	flush_out(d, now_ns);
}

/* ---- in ----------------------------------------------------------------- */

/* Writes the packets of a group in one piece. */
static void write_group(struct data *d, const struct hp_group *g)
{
	size_t i = g->first, n = 1;

	for (; n <= g->n; n++) {
		d->iov[n] = (struct iovec){ .iov_base = d->pkt[i].data,
					    .iov_len = d->pkt[i].len };
		i = d->groups.next[i];
	}
	if (tun_write(d->cfg.tun, &g->offload, d->iov, n) != TUN_OK)
		count(&d->not_written, g->n);
}

static void deliver(struct data *d, size_t n)
{
	size_t i;

	if (d->cfg.tun->tcp)
		hp_coalesce(&d->groups, d->pkt, n, d->cfg.tun->udp);
	else
		hp_coalesce_none(&d->groups, n);
	for (i = 0; i < d->groups.n; i++)
		write_group(d, &d->groups.group[i]);
}

/* Passes on what is for another member, as it came; false: it is for us. */
static bool relay_on(struct data *d, const struct hp_path *from,
		     const struct hp_pkt *p, uint64_t now_ns)
{
	const struct hp_path *to;
	enum hp_err err = hp_ferry_pass(d->cfg.ferry, from, p, now_ns, &to);

	if (!err) {
		add_out(d, to, p, now_ns);
		d->passed = true;
	}
	return err != HP_ERR_TYPE;
}

/* Opens the first @n packets, and delivers what is inside. */
static void flush_in(struct data *d, size_t n, uint64_t now_ns)
{
	size_t kept = 0, i;

	if (d->passed)
		send_batch(d, now_ns);
	d->passed = false;
	hp_forward_in(&d->forward, d->pkt, d->from, n, d->in, now_ns);
	for (i = 0; i < n; i++) {
		switch (d->in[i].verdict) {
		case HP_VERDICT_DELIVER:
			d->pkt[kept++] = d->pkt[i];
			break;
		case HP_VERDICT_CONTROL:
			to_control(d, QUEUE_DATAGRAM, &d->from[i], &d->pkt[i]);
			break;
		case HP_VERDICT_SEND:
		case HP_VERDICT_NOTHING:
		case HP_VERDICT_DROP:
		case HP_VERDICT_TOO_BIG:
			break;
		}
	}
	deliver(d, kept);
}

/* Waits until the queue has room for the notices of one more batch; the
 * control thread may wait for our quiescence meanwhile. False: told to stop.
 */
static bool wait_calm(struct data *d)
{
	struct pollfd stop = { .fd = d->stop, .events = POLLIN };
	int n = 0;

	while (!n && !queue_calm(d->cfg.queue)) {
		queue_kick(d->cfg.queue);
		hp_quiet_begin(d->cfg.ports);
		n = poll(&stop, 1, CALM_WAIT_MS);
		hp_quiet_end();
	}
	return !n;
}

/* Takes what one receive buffer holds, behind the @n packets that wait; returns
 * how many wait then.
 */
static size_t cut_in(struct data *d, size_t buf, size_t n, uint64_t now_ns)
{
	uint32_t size = hp_udp_batch_size(d->batch, buf);
	struct hp_pkt rest = d->buf[buf];

	if (size && n + (rest.len + size - 1) / size > HP_BATCH) {
		flush_in(d, n, now_ns);
		n = 0;
		if (!wait_calm(d))
			return 0;
	}
	while (rest.len) {
		struct hp_pkt *p = &d->pkt[n];

		*p = rest;
		if (size && rest.len > size)
			(void)hp_pkt_trim(p, size);
		(void)hp_pkt_pull(&rest, p->len);
		d->from[n] = d->buf_from[buf];
		if (d->cfg.ferry && relay_on(d, &d->from[n], p, now_ns))
			continue;
		if (!hp_datagram_is_data(p, d->cfg.relayed,
					 &d->from[n].channel)) {
			to_control(d, QUEUE_DATAGRAM, &d->from[n], p);
			continue;
		}
		if (++n < HP_BATCH)
			continue;
		flush_in(d, n, now_ns);
		n = 0;
		if (!wait_calm(d))
			break;
	}
	return n;
}

/* @event: of the socket, see ports_event(). */
static void from_udp(struct data *d, uint64_t event, uint64_t now_ns)
{
	uint32_t sock = (uint32_t)(event >> 1);
	const struct hp_udp *u = my_port(d, sock);
	bool joined = false;
	size_t got, n = 0, i;

	if (!u)
		return;
	for (i = 0; i < d->ask; i++)
		d->buf[i] = hp_pkt_of(d->in_buf + i * BUFFER_STEP, BUFFER_STEP,
				      HP_HEADROOM, 0);
	got = hp_udp_batch_recv(d->batch, event & 1 ? u->fd6 : u->fd4, d->buf,
				d->buf_from, d->ask);
	for (i = 0; i < got; i++) {
		d->buf_from[i].sock = sock;
		n = cut_in(d, i, n, now_ns);
		joined |= hp_udp_batch_size(d->batch, i) != 0;
	}
	flush_in(d, n, now_ns);
	d->ask = joined ? BUFFERS_WHEN_JOINED : BUFFERS;
}

/* Data that the control thread got by a stream. */
static void from_stream(struct data *d, uint64_t now_ns)
{
	size_t n = 0;

	while (n < BUFFERS) {
		struct hp_pkt *p = &d->pkt[n];
		struct iovec iov[2];
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
		ssize_t len;

		*p = hp_pkt_of(d->in_buf + n * BUFFER_STEP, BUFFER_STEP,
			       HP_HEADROOM, 0);
		iov[0] = (struct iovec){ &d->from[n], sizeof(d->from[n]) };
		iov[1] = (struct iovec){ p->data, p->tail - HP_TAILROOM };
		len = recvmsg(d->cfg.stream, &m, MSG_DONTWAIT);
		if (len < (ssize_t)sizeof(d->from[n]))
			break;
		(void)hp_pkt_put(p, (uint32_t)len - sizeof(d->from[n]));
		n += hp_datagram_is_data(p, d->cfg.relayed,
					 &d->from[n].channel);
	}
	flush_in(d, n, now_ns);
}

/* ---- the thread --------------------------------------------------------- */

static int wait_work(struct data *d, struct epoll_event ev[EVENTS])
{
	int n;

	hp_quiet_begin(d->cfg.ports);
	n = epoll_wait(my_epoll(d), ev, EVENTS, d->backlog.n ? 0 : -1);
	hp_quiet_end();
	return n;
}

/* False when the thread is to end. A queue that is not calm holds up all
 * reading, for then notices might be lost.
 */
static bool serve(struct data *d, const struct epoll_event *ev,
		  uint64_t now_ns)
{
	if (ev->data.u64 == EVENT_STOP || !wait_calm(d))
		return false;
	if (ev->data.u64 == EVENT_STREAM)
		from_stream(d, now_ns);
	else if (ev->data.u64 != EVENT_TUN)
		from_udp(d, ev->data.u64, now_ns);
	else if (ev->events & EPOLLERR)
		d->gone = true;
	else
		d->tun_ready = true;
	return !d->gone;
}

static bool serve_tun(struct data *d, uint64_t now_ns)
{
	if (!wait_calm(d))
		return false;
	d->tun_ready = false;
	from_tun(d, now_ns);
	return !d->gone;
}

static void *run(void *ctx)
{
	struct data *d = ctx;
	struct epoll_event ev[EVENTS];
	bool going = true;
	uint64_t now_ns;
	int n, i;

	rcu_register_thread();
	while (going) {
		n = wait_work(d, ev);
		if (n < 0 && errno != EINTR)
			break;
		now_ns = hp_clock_now();
		hp_udp_batch_nat64(d->batch, ports_nat64(d->cfg.ports));
		for (i = 0; going && i < n; i++)
			going = serve(d, &ev[i], now_ns);
		if (going && (d->tun_ready || d->backlog.n))
			going = serve_tun(d, now_ns);
		if (d->gone)
			(void)queue_put(d->cfg.queue, QUEUE_GONE, NULL, NULL,
					0);
		queue_kick(d->cfg.queue);
	}
	hp_quiet_begin(d->cfg.ports);
	rcu_unregister_thread();
	return NULL;
}

enum hp_err data_new(const struct data_cfg *cfg, struct data **out)
{
	struct data *d = calloc(1, sizeof(*d));

	if (!d)
		return HP_ERR_NOMEM;
	d->cfg = *cfg;
	d->aead = hp_aead_new(cfg->engine);
	d->batch = hp_udp_batch_new();
	d->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Pages that no packet ever reaches are never there. */
	d->room = mmap(NULL, ROOM_LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d->room == MAP_FAILED)
		d->room = NULL;
	if (!d->aead || !d->batch || !d->room || d->stop < 0) {
		data_free(d);
		return HP_ERR_NOMEM;
	}
	d->arena = d->room;
	d->in_buf = d->arena + ARENA_LEN;
	d->whole = d->in_buf + (size_t)BUFFERS * BUFFER_STEP;
	hp_backlog_init(&d->backlog);
	d->ask = BUFFERS;
	d->misfit.thread = cfg->thread;
	hp_udp_batch_join(d->batch, cfg->offload);
	hp_forward_init(&d->forward, cfg->fib, d->aead, on_notice, d);
	*out = d;
	return HP_OK;
}

void data_free(struct data *d)
{
	if (!d)
		return;
	data_stop(d);
	if (d->stop >= 0)
		close(d->stop);
	if (d->room)
		munmap(d->room, ROOM_LEN);
	hp_udp_batch_free(d->batch);
	hp_aead_free(d->aead);
	free(d);
}

static void unwatch(struct data *d)
{
	int epoll = my_epoll(d);

	(void)epoll_ctl(epoll, EPOLL_CTL_DEL, d->stop, NULL);
	(void)epoll_ctl(epoll, EPOLL_CTL_DEL, d->cfg.tun->fd, NULL);
	if (d->cfg.stream >= 0)
		(void)epoll_ctl(epoll, EPOLL_CTL_DEL, d->cfg.stream, NULL);
}

static int watch(struct data *d)
{
	struct epoll_event stop = { EPOLLIN, { .u64 = EVENT_STOP } };
	struct epoll_event tun = { EPOLLIN, { .u64 = EVENT_TUN } };
	struct epoll_event stream = { EPOLLIN, { .u64 = EVENT_STREAM } };
	int epoll = my_epoll(d);

	return epoll_ctl(epoll, EPOLL_CTL_ADD, d->stop, &stop) ||
	       epoll_ctl(epoll, EPOLL_CTL_ADD, d->cfg.tun->fd, &tun) ||
	       (d->cfg.stream >= 0 &&
		epoll_ctl(epoll, EPOLL_CTL_ADD, d->cfg.stream, &stream));
}

enum hp_err data_start(struct data *d)
{
	int err;

	assert(!d->running);
	err = watch(d) ? errno : pthread_create(&d->thread, NULL, run, d);
	if (err) {
		unwatch(d);
		errno = err;
		return HP_ERR_IO;
	}
	d->running = true;
	return HP_OK;
}

void data_stop(struct data *d)
{
	uint64_t n = 1;

	if (!d->running)
		return;
	(void)!write(d->stop, &n, sizeof(n));
	pthread_join(d->thread, NULL);
	(void)!read(d->stop, &n, sizeof(n));
	unwatch(d);
	d->running = false;
}

void data_stats(const struct data *d, struct data_stats *out)
{
	*out = (struct data_stats){
		.queue_full = atomic_load_explicit(&d->queue_full,
						   memory_order_relaxed),
		.not_sent = atomic_load_explicit(&d->not_sent,
						 memory_order_relaxed),
		.not_written = atomic_load_explicit(&d->not_written,
						    memory_order_relaxed),
		.refused = atomic_load_explicit(&d->refused,
						memory_order_relaxed),
	};
}
