/* SPDX-License-Identifier: ISC */
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
#include "sys/loop.h"
#include "sys/quiet.h"
#include "sys/udp.h"
#include "tun.h"
#include "wg/device.h"
#include "wg/fib.h"
#include "wg/forward.h"

#define QUEUE_LEN (1u << 20)
/* Records taken in one turn, so that timers and sockets have theirs too. */
#define RECORDS_PER_TURN 1024
#define TELL_NS (60 * HP_S)

struct device {
	struct hp_loop *loop;
	struct log *log;
	struct tun tun;
	struct ports *ports;
	bool offload;
	struct queue *queue;
	int inlet[2]; /* of the data thread, ours: data that came by a stream */
	struct data *data; /* NULL: not started */
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
		d->ops->gone(d->ctx);
		break;
	case QUEUE_STATS: /* looked at in any case */
	case QUEUE_PAD:
		break;
	}
}

/* Says once what stays off although it was asked for. */
static void tell_refused(struct device *d)
{
	struct data_stats is;

	if (!d->data)
		return;
	data_stats(d->data, &is);
	if (is.refused && is.refused != d->told.refused)
		log_info(d->log, "%s: sending datagrams one by one: %s",
			 d->tun.name, strerror(is.refused));
	d->told.refused = is.refused;
}

/* Says what was lost since the last time, once a minute at most. */
static void tell_losses(struct device *d, uint64_t now_ns)
{
	struct data_stats is;

	if (!d->data || now_ns < d->tell_ns)
		return;
	data_stats(d->data, &is);
	if (is.not_sent == d->told.not_sent &&
	    is.not_written == d->told.not_written &&
	    is.queue_full == d->told.queue_full)
		return;
	log_info(d->log,
		 "%s: packets lost: %" PRIu64 " could not be sent, %" PRIu64
		 " were not taken by the interface, %" PRIu64
		 " came too fast to be looked at",
		 d->tun.name, is.not_sent - d->told.not_sent,
		 is.not_written - d->told.not_written,
		 is.queue_full - d->told.queue_full);
	is.refused = d->told.refused;
	d->told = is;
	d->tell_ns = now_ns + TELL_NS;
}

static void on_queue(void *ctx, uint32_t events, uint64_t now_ns)
{
	unsigned int left = RECORDS_PER_TURN;
	struct device *d = ctx;
	struct queue_record r;

	(void)events;
	queue_woken(d->queue);
	while (d->data && left-- && queue_peek(d->queue, &r)) {
		take_record(d, &r, now_ns);
		queue_pop(d->queue);
	}
	if (queue_peek(d->queue, &r))
		queue_again(d->queue);
	tell_refused(d);
	tell_losses(d, now_ns);
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
	tun_offload(&d->tun, d->offload);
	if (d->offload && !d->tun.udp)
		log_info(d->log, "%s: this kernel has no segmentation offload "
				 "of %s", d->tun.name,
			 d->tun.tcp ? "UDP" : "TUN devices");
}

static void offload_udp(struct device *d)
{
	if (d->offload && ports_joined(d->ports, true))
		log_info(d->log, "%s: receiving datagrams one by one: %s",
			 d->tun.name, strerror(errno));
}

/* A pair that keeps what is put into it apart, and has a bound. */
static bool make_inlet(struct device *d)
{
	return !socketpair(AF_UNIX,
			   SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			   d->inlet);
}

enum hp_err device_new(struct hp_loop *loop, struct log *log, const char *name,
		       uint16_t port, bool offload, struct device **out,
		       struct hp_fault *f)
{
	struct device *d = calloc(1, sizeof(*d));
	const struct hp_loop_timed timed = { reclaim_deadline, reclaim, d };
	enum hp_err err;

	if (!d)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	d->loop = loop;
	d->log = log;
	d->offload = offload;
	d->tun.fd = -1;
	d->inlet[0] = d->inlet[1] = -1;
	d->queue = queue_new(QUEUE_LEN);
	d->ports = ports_new();
	err = d->queue && d->ports && make_inlet(d) ? HP_OK : HP_ERR_NOMEM;
	if (!err)
		err = hp_loop_watch(loop, queue_fd(d->queue), EPOLLIN, on_queue,
				    d);
	if (!err)
		err = hp_loop_timed(loop, &timed);
	if (err)
		(void)hp_fault_set(f, err, "", "cannot make a queue: %s",
				   hp_err_name(err));
	else
		err = tun_open(&d->tun, name, f);
	if (!err)
		err = ports_main(d->ports, port, f);
	if (err) {
		device_free(d);
		return err;
	}
	offload_tun(d);
	offload_udp(d);
	*out = d;
	return HP_OK;
}

void device_free(struct device *d)
{
	if (!d)
		return;
	device_stop(d);
	if (d->queue)
		hp_loop_unwatch(d->loop, queue_fd(d->queue));
	queue_free(d->queue);
	ports_free(d->ports);
	tun_close(&d->tun);
	for (int i = 0; i < 2; i++)
		if (d->inlet[i] >= 0)
			close(d->inlet[i]);
	free(d);
}

enum hp_err device_start(struct device *d, struct hp_wg *wg, bool relayed,
			 const struct device_ops *ops, void *ctx,
			 struct hp_fault *f)
{
	const struct data_cfg cfg = {
		.tun = &d->tun,
		.ports = d->ports,
		.fib = hp_wg_fib(wg),
		.queue = d->queue,
		.stream = d->inlet[0],
		.relayed = relayed,
		.engine = hp_wg_engine(wg),
		.offload = d->offload,
	};
	enum hp_err err;

	d->ops = ops;
	d->ctx = ctx;
	err = data_new(&cfg, &d->data);
	if (!err)
		err = data_start(d->data);
	if (err) {
		device_stop(d);
		return hp_fault_set(f, err, "",
				    "cannot start the data thread: %s",
				    hp_err_name(err));
	}
	d->fib = hp_wg_fib(wg);
	return HP_OK;
}

void device_stop(struct device *d)
{
	data_free(d->data);
	d->data = NULL;
	d->fib = NULL;
}

unsigned int device_index(const struct device *d)
{
	return d->tun.index;
}

const char *device_name(const struct device *d)
{
	return d->tun.name;
}

uint16_t device_port(const struct device *d)
{
	return ports_find(d->ports, 0)->port;
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
	const struct hp_udp *u = ports_find(d->ports, path->sock);

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
	const struct hp_udp *u = ports_find(d->ports, path->sock);

	if (!u) {
		errno = ENOTCONN;
		return HP_ERR_IO;
	}
	return hp_udp_send_whole(u, path, buf, len);
}

void device_deliver(struct device *d, const struct hp_pkt *pkt)
{
	if (tun_write_one(&d->tun, pkt) != TUN_OK)
		log_warn(d->log, "%s did not take a packet", d->tun.name);
}
