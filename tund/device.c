/* SPDX-License-Identifier: ISC */
/*
 * Each data thread has a lane: a queue of the TUN device, sockets of the port
 * and a queue to the control thread, so that the threads meet in the FIB alone.
 * What the control thread sends and writes itself, and what comes by streams,
 * takes the first lane.
 */
#include "device.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pkt.h"
#include "base/time.h"
#include "data.h"
#include "log.h"
#include "ports.h"
#include "queue.h"
#include "sys/cpu.h"
#include "sys/loop.h"
#include "sys/quiet.h"
#include "sys/udp.h"
#include "tun.h"
#include "wg/device.h"
#include "wg/fib.h"
#include "wg/forward.h"

#define QUEUE_LEN (1u << 20)
/* Most threads that nobody asked for. */
#define AUTO_MAX 4u
/* Records taken in one turn, so that timers and sockets have theirs too. */
#define RECORDS_PER_TURN 1024
#define TELL_NS (60 * HP_S)

struct lane {
	struct device *device;
	struct tun tun;
	struct queue *queue;
	struct data *data; /* NULL: not started */
};

struct device {
	struct hp_loop *loop;
	struct log *log;
	struct ports *ports;
	bool offload;
	bool gone; /* the interface, and that was told */
	unsigned int threads;
	struct lane lane[PORTS_THREADS_MAX]; /* @threads of them */
	int inlet[2]; /* of a data thread, ours: data that came by a stream */
	struct data_stats told;
	uint64_t tell_ns; /* when losses may be told next */
	struct hp_fib *fib; /* NULL: not started */
	const struct device_ops *ops;
	void *ctx;
};

static void take_record(struct device *d, struct queue_record *r,
			uint64_t now_ns)
{
	struct hp_notice notice;
	int sys_errno;

	switch (r->kind) {
	case QUEUE_INNER:
		d->ops->inner(d->ctx, &r->pkt, now_ns);
		break;
	case QUEUE_DATAGRAM:
		d->ops->datagram(d->ctx, &r->from, &r->pkt, now_ns);
		break;
	case QUEUE_STREAM:
		if (d->ops->stream)
			d->ops->stream(d->ctx, &r->from, r->pkt.data,
				       r->pkt.len);
		break;
	case QUEUE_NOTICE:
		assert(r->pkt.len == sizeof(notice));
		memcpy(&notice, r->pkt.data, sizeof(notice));
		d->ops->notice(d->ctx, &notice, now_ns);
		break;
	case QUEUE_FAILED:
		assert(r->pkt.len == sizeof(sys_errno));
		memcpy(&sys_errno, r->pkt.data, sizeof(sys_errno));
		d->ops->failed(d->ctx, &r->from, sys_errno, now_ns);
		break;
	case QUEUE_GONE:
		if (!d->gone)
			d->ops->gone(d->ctx);
		d->gone = true;
		break;
	case QUEUE_STATS: /* looked at in any case */
	case QUEUE_PAD:
		break;
	}
}

/* Of all data threads together. */
static struct data_stats stats_of(const struct device *d)
{
	struct data_stats all = { 0 }, is;

	for (unsigned int i = 0; i < d->threads; i++) {
		data_stats(d->lane[i].data, &is);
		all.queue_full += is.queue_full;
		all.not_sent += is.not_sent;
		all.not_written += is.not_written;
		if (is.refused)
			all.refused = is.refused;
	}
	return all;
}

/* Says once what stays off although it was asked for. */
static void tell_refused(struct device *d, const struct data_stats *is)
{
	if (is->refused && is->refused != d->told.refused)
		log_info(d->log, "%s: sending datagrams one by one: %s",
			 device_name(d), strerror(is->refused));
	d->told.refused = is->refused;
}

/* Says what was lost since the last time, once a minute at most. */
static void tell_losses(struct device *d, const struct data_stats *is,
			uint64_t now_ns)
{
	if (now_ns < d->tell_ns)
		return;
	if (is->not_sent == d->told.not_sent &&
	    is->not_written == d->told.not_written &&
	    is->queue_full == d->told.queue_full)
		return;
	log_info(d->log,
		 "%s: packets lost: %" PRIu64 " could not be sent, %" PRIu64
		 " were not taken by the interface, %" PRIu64
		 " came too fast to be looked at",
		 device_name(d), is->not_sent - d->told.not_sent,
		 is->not_written - d->told.not_written,
		 is->queue_full - d->told.queue_full);
	d->told = *is;
	d->tell_ns = now_ns + TELL_NS;
}

static void on_queue(void *ctx, uint32_t events, uint64_t now_ns)
{
	unsigned int left = RECORDS_PER_TURN;
	struct lane *l = ctx;
	struct device *d = l->device;
	struct queue_record r;
	struct data_stats is;

	(void)events;
	queue_woken(l->queue);
	while (l->data && left-- && queue_peek(l->queue, &r)) {
		take_record(d, &r, now_ns);
		queue_pop(l->queue);
	}
	if (queue_peek(l->queue, &r))
		queue_again(l->queue);
	if (!l->data)
		return;
	is = stats_of(d);
	tell_refused(d, &is);
	tell_losses(d, &is, now_ns);
}

static bool retired(const struct device *d)
{
	return (d->fib && hp_fib_retired(d->fib)) || ports_retired(d->ports);
}

/* What the engine retired is freed at the end of the wakeup that retired it:
 * the loop asks for deadlines after its callbacks. So one grace period serves
 * all ports that were closed together.
 */
static uint64_t reclaim_deadline(void *ctx)
{
	return retired(ctx) ? 0 : HP_NEVER;
}

static void reclaim(void *ctx, uint64_t now_ns)
{
	struct device *d = ctx;

	(void)now_ns;
	if (!retired(d))
		return;
	hp_quiet_wait(d->ports);
	if (d->fib)
		hp_fib_reclaim(d->fib);
	ports_reclaim(d->ports);
}

/* Offload of the TUN device and of the socket, and what is missing of it. */
static void offload_tun(struct device *d)
{
	struct tun *tun = &d->lane[0].tun;

	tun_offload(tun, d->offload);
	if (d->offload && !tun->udp)
		log_info(d->log, "%s: this kernel has no segmentation offload "
				 "of %s", tun->name,
			 tun->tcp ? "UDP" : "TUN devices");
}

static void offload_udp(struct device *d)
{
	if (d->offload && ports_joined(d->ports, true))
		log_info(d->log, "%s: receiving datagrams one by one: %s",
			 device_name(d), strerror(errno));
}

/* A pair that keeps what is put into it apart, and has a bound. */
static bool make_inlet(struct device *d)
{
	return !socketpair(AF_UNIX,
			   SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			   d->inlet);
}

unsigned int device_threads_auto(unsigned int processors)
{
	unsigned int half = processors / 2;

	return half < 1 ? 1 : half < AUTO_MAX ? half : AUTO_MAX;
}

/* The interface with a queue for each thread; as one thread can do all the work,
 * a kernel that gives fewer is no reason to do none.
 */
static enum hp_err open_tun(struct device *d, const char *name,
			    struct hp_fault *f)
{
	enum hp_err err = tun_open(&d->lane[0].tun, name, d->threads > 1, f);
	unsigned int n = 1;

	if (err && d->threads > 1)
		err = tun_open(&d->lane[0].tun, name, false, f);
	if (err)
		return err;
	offload_tun(d);
	if (d->lane[0].tun.out != d->lane[0].tun.fd)
		while (n < d->threads &&
		       !tun_queue(&d->lane[n].tun, &d->lane[0].tun))
			n++;
	if (n < d->threads)
		log_warn(d->log, "%s: %u of %u data threads: it has no more "
				 "queues", name, n, d->threads);
	d->threads = n;
	return HP_OK;
}

static enum hp_err make_queues(struct device *d)
{
	enum hp_err err = HP_OK;

	for (unsigned int i = 0; !err && i < d->threads; i++) {
		struct lane *l = &d->lane[i];

		l->queue = queue_new(QUEUE_LEN);
		err = l->queue ? hp_loop_watch(d->loop, queue_fd(l->queue),
					       EPOLLIN, on_queue, l) :
				 HP_ERR_NOMEM;
	}
	return err;
}

/* What the threads, once their number is known, need beside the interface. */
static enum hp_err open_lanes(struct device *d, uint16_t port,
			      struct hp_fault *f)
{
	const struct hp_loop_timed timed = { reclaim_deadline, reclaim, d };
	enum hp_err err;

	d->ports = ports_new(d->threads);
	err = d->ports && make_inlet(d) ? make_queues(d) : HP_ERR_NOMEM;
	if (!err)
		err = hp_loop_timed(d->loop, &timed);
	if (err)
		return hp_fault_set(f, err, "", "cannot make a queue: %s",
				    hp_err_name(err));
	err = ports_main(d->ports, port, f);
	if (!err)
		offload_udp(d);
	return err;
}

enum hp_err device_new(struct hp_loop *loop, struct log *log,
		       const struct device_cfg *cfg, struct device **out,
		       struct hp_fault *f)
{
	struct device *d = calloc(1, sizeof(*d));
	enum hp_err err;

	if (!d)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	d->loop = loop;
	d->log = log;
	d->offload = cfg->offload;
	d->threads = cfg->threads ? cfg->threads :
				    device_threads_auto(hp_cpu_count());
	assert(d->threads <= PORTS_THREADS_MAX);
	d->inlet[0] = d->inlet[1] = -1;
	for (unsigned int i = 0; i < PORTS_THREADS_MAX; i++) {
		d->lane[i].device = d;
		d->lane[i].tun = TUN_CLOSED;
	}
	err = open_tun(d, cfg->name, f);
	if (!err)
		err = open_lanes(d, cfg->port, f);
	if (err) {
		device_free(d);
		return err;
	}
	*out = d;
	return HP_OK;
}

static void lane_close(struct lane *l)
{
	if (l->queue)
		hp_loop_unwatch(l->device->loop, queue_fd(l->queue));
	queue_free(l->queue);
	tun_close(&l->tun);
}

void device_free(struct device *d)
{
	if (!d)
		return;
	device_stop(d);
	ports_free(d->ports);
	for (unsigned int i = 0; i < PORTS_THREADS_MAX; i++)
		lane_close(&d->lane[i]);
	for (int i = 0; i < 2; i++)
		if (d->inlet[i] >= 0)
			close(d->inlet[i]);
	free(d);
}

enum hp_err device_start(struct device *d, struct hp_wg *wg, bool relayed,
			 struct hp_ferry *ferry, const struct device_ops *ops,
			 void *ctx, struct hp_fault *f)
{
	enum hp_err err = HP_OK;

	d->ops = ops;
	d->ctx = ctx;
	for (unsigned int i = 0; !err && i < d->threads; i++) {
		struct lane *l = &d->lane[i];
		const struct data_cfg cfg = {
			.thread = i,
			.tun = &l->tun,
			.ports = d->ports,
			.fib = hp_wg_fib(wg),
			.queue = l->queue,
			.stream = i ? -1 : d->inlet[0],
			.relayed = relayed,
			.ferry = ferry,
			.engine = hp_wg_engine(wg),
			.offload = d->offload,
		};

		err = data_new(&cfg, &l->data);
	}
	for (unsigned int i = 0; !err && i < d->threads; i++)
		err = data_start(d->lane[i].data);
	if (err) {
		device_stop(d);
		return hp_fault_set(f, err, "",
				    "cannot start the data threads: %s",
				    hp_err_name(err));
	}
	d->fib = hp_wg_fib(wg);
	return HP_OK;
}

void device_quiet(struct device *d)
{
	hp_quiet_wait(d->ports);
}

void device_stop(struct device *d)
{
	for (unsigned int i = 0; i < d->threads; i++) {
		data_free(d->lane[i].data);
		d->lane[i].data = NULL;
	}
	d->fib = NULL;
}

unsigned int device_threads(const struct device *d)
{
	return d->threads;
}

unsigned int device_index(const struct device *d)
{
	return d->lane[0].tun.index;
}

const char *device_name(const struct device *d)
{
	return d->lane[0].tun.name;
}

uint16_t device_port(const struct device *d)
{
	return ports_find(d->ports, 0, 0)->port;
}

uint32_t device_mark(const struct device *d)
{
	return ports_marked(d->ports);
}

enum hp_err device_set_port(struct device *d, uint16_t port,
			    struct hp_fault *f)
{
	if (port && port == device_port(d))
		return HP_OK;
	return ports_main(d->ports, port, f);
}

enum hp_err device_set_mark(struct device *d, uint32_t mark)
{
	return ports_mark(d->ports, mark);
}

enum hp_err device_set_nat64(struct device *d, const struct hp_prefix *prefix)
{
	return ports_set_nat64(d->ports, prefix);
}

const struct hp_prefix *device_nat64(const struct device *d)
{
	return ports_nat64(d->ports);
}

enum hp_err device_open_port(struct device *d, uint32_t *sock)
{
	return ports_open(d->ports, sock);
}

void device_close_port(struct device *d, uint32_t sock)
{
	ports_close(d->ports, sock);
}

enum hp_err device_send(struct device *d, const struct hp_path *path, int ttl,
			const uint8_t *buf, size_t len)
{
	const struct hp_udp *u = ports_find(d->ports, 0, path->sock);

	if (!u) {
		errno = ENOTCONN;
		return HP_ERR_IO;
	}
	return hp_udp_send(u, path, ttl, buf, len);
}

void device_take(struct device *d, const struct hp_path *from,
		 const uint8_t *buf, size_t len)
{
	struct iovec iov[] = {
		{ (void *)(uintptr_t)from, sizeof(*from) },
		{ (void *)(uintptr_t)buf, len },
	};
	const struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	/* No room: it is lost, as on any wire that is too slow. */
	(void)!sendmsg(d->inlet[1], &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

enum hp_err device_send_whole(struct device *d, const struct hp_path *path,
			      const uint8_t *buf, size_t len)
{
	const struct hp_udp *u = ports_find(d->ports, 0, path->sock);

	if (!u) {
		errno = ENOTCONN;
		return HP_ERR_IO;
	}
	return hp_udp_send_whole(u, path, buf, len);
}

void device_deliver(struct device *d, const struct hp_pkt *pkt)
{
	if (tun_write_one(&d->lane[0].tun, pkt) != TUN_OK)
		log_warn(d->log, "%s did not take a packet", device_name(d));
}
