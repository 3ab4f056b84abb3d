/* SPDX-License-Identifier: ISC */
/*
 * One round: wait for what is readable; read a batch from the TUN device, seal
 * it, send it; receive a batch from each socket, open it, write it. Whatever
 * one read gives is passed on at once, so that a batch costs no packet time.
 *
 * All packets live in two arenas made at the start, in slots whose distance is
 * not a power of two: at 64 KiB all headers would fall into one cache set.
 *
 * For RCU the thread is offline while it waits and online in between; each
 * wait is a quiescent point, and no pointer into the FIB outlives a round.
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
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "base/datagram.h"
#include "base/pkt.h"
#include "queue.h"
#include "sys/clock.h"
#include "sys/udp.h"
#include "tun.h"
#include "wg/forward.h"

/* The longest datagram or packet, its headers, and three cache lines more. */
#define SLOT_LEN (HP_HEADROOM + 65536 + HP_TAILROOM + 128)
#define ARENA_LEN ((size_t)HP_BATCH * SLOT_LEN)
/* How long to wait for the control thread to make room for notices. */
#define CALM_WAIT_MS 1

enum { WAIT_STOP, WAIT_TUN, WAIT_UDP4, WAIT_UDP6, WAIT_N };

struct data {
	struct data_cfg cfg;
	struct hp_aead *aead;
	struct hp_udp_batch *batch;
	uint8_t *arena;
	int stop;
	bool running;
	bool gone; /* the TUN device */
	pthread_t thread;
	_Atomic uint64_t queue_full;
	_Atomic uint64_t not_sent;
	_Atomic uint64_t not_written;
	struct hp_forward forward;
	struct hp_pkt pkt[HP_BATCH];
	struct hp_path from[HP_BATCH];
	struct hp_forward_out out[HP_BATCH];
	struct hp_forward_in in[HP_BATCH];
};

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

static struct hp_pkt slot(const struct data *d, size_t i)
{
	return hp_pkt_of(d->arena + i * SLOT_LEN, SLOT_LEN, HP_HEADROOM, 0);
}

static size_t read_tun(struct data *d)
{
	size_t n = 0;

	while (n < HP_BATCH && !d->gone) {
		d->pkt[n] = slot(d, n);
		/* Room that sealing needs behind the longest packet. */
		d->pkt[n].tail -= HP_TAILROOM;
		switch (tun_read(d->cfg.tun, &d->pkt[n])) {
		case TUN_OK:
			d->pkt[n].tail += HP_TAILROOM;
			n++;
			break;
		case TUN_AGAIN:
		case TUN_REFUSED:
			return n;
		case TUN_GONE:
			d->gone = true;
			break;
		}
	}
	return n;
}

static void from_tun(struct data *d, uint64_t now_ns)
{
	size_t n = read_tun(d);
	size_t i;

	if (!n)
		return;
	hp_forward_out(&d->forward, d->pkt, n, d->out, now_ns);
	for (i = 0; i < n; i++) {
		switch (d->out[i].verdict) {
		case HP_VERDICT_SEND:
			(void)hp_udp_batch_add(d->batch, d->out[i].path,
					       &d->pkt[i]);
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
	count(&d->not_sent, hp_udp_batch_send(d->batch, d->cfg.udp));
}

/* Is it WireGuard data, bare or behind a relay header? Then the header comes
 * off. All else is left as it came.
 */
static bool is_data(struct hp_pkt *p, struct hp_path *from)
{
	enum hp_datagram kind = hp_datagram_kind(p->data, p->len);

	if (kind != HP_DGRAM_RELAY)
		return kind == HP_DGRAM_WG_DATA;
	if (p->len < HP_RELAY_HEAD ||
	    hp_datagram_kind(p->data + HP_RELAY_HEAD, p->len - HP_RELAY_HEAD) !=
		    HP_DGRAM_WG_DATA)
		return false;
	return hp_relay_pull(p, &from->channel) == HP_OK;
}

/* Keeps the data messages of a batch in front; returns how many. */
static size_t sort_out(struct data *d, size_t n)
{
	size_t kept = 0, i;

	for (i = 0; i < n; i++) {
		struct hp_pkt *p = &d->pkt[i];

		if (is_data(p, &d->from[i])) {
			d->pkt[kept] = *p;
			d->from[kept++] = d->from[i];
		} else if (p->len) {
			to_control(d, QUEUE_DATAGRAM, &d->from[i], p);
		}
	}
	return kept;
}

static void from_udp(struct data *d, int fd, uint64_t now_ns)
{
	size_t n, i;

	for (i = 0; i < HP_BATCH; i++)
		d->pkt[i] = slot(d, i);
	n = hp_udp_batch_recv(d->batch, fd, d->pkt, d->from, HP_BATCH);
	n = sort_out(d, n);
	if (!n)
		return;
	hp_forward_in(&d->forward, d->pkt, d->from, n, d->in, now_ns);
	for (i = 0; i < n; i++) {
		switch (d->in[i].verdict) {
		case HP_VERDICT_DELIVER:
			if (tun_write(d->cfg.tun, &d->pkt[i]) != TUN_OK)
				count(&d->not_written, 1);
			break;
		case HP_VERDICT_CONTROL:
			to_control(d, QUEUE_DATAGRAM, &d->from[i], &d->pkt[i]);
			break;
		case HP_VERDICT_SEND:
		case HP_VERDICT_NOTHING:
		case HP_VERDICT_DROP:
			break;
		}
	}
}

/* Waits for work; false when the thread is to end. A queue that is not calm
 * holds up all reading, for then notices might be lost.
 */
static bool wait_work(struct data *d, struct pollfd fds[WAIT_N])
{
	bool calm = queue_calm(d->cfg.queue);
	int n;

	rcu_thread_offline();
	n = poll(fds, calm ? WAIT_N : WAIT_TUN, calm ? -1 : CALM_WAIT_MS);
	rcu_thread_online();
	if (n < 0 && errno != EINTR)
		return false;
	if (n <= 0 || !calm)
		for (int i = WAIT_TUN; i < WAIT_N; i++)
			fds[i].revents = 0;
	return n < 0 || !fds[WAIT_STOP].revents;
}

static void *run(void *ctx)
{
	struct data *d = ctx;
	struct pollfd fds[WAIT_N] = {
		[WAIT_STOP] = { .fd = d->stop, .events = POLLIN },
		[WAIT_TUN] = { .fd = d->cfg.tun->fd, .events = POLLIN },
		[WAIT_UDP4] = { .fd = d->cfg.udp->fd4, .events = POLLIN },
		[WAIT_UDP6] = { .fd = d->cfg.udp->fd6, .events = POLLIN },
	};
	uint64_t now_ns;

	rcu_register_thread();
	while (wait_work(d, fds) && !d->gone) {
		now_ns = hp_clock_now();
		if (fds[WAIT_TUN].revents & POLLERR)
			d->gone = true;
		else if (fds[WAIT_TUN].revents)
			from_tun(d, now_ns);
		if (fds[WAIT_UDP4].revents)
			from_udp(d, fds[WAIT_UDP4].fd, now_ns);
		if (fds[WAIT_UDP6].revents)
			from_udp(d, fds[WAIT_UDP6].fd, now_ns);
		if (d->gone)
			(void)queue_put(d->cfg.queue, QUEUE_GONE, NULL, NULL,
					0);
		queue_kick(d->cfg.queue);
	}
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
	d->arena = mmap(NULL, ARENA_LEN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d->arena == MAP_FAILED)
		d->arena = NULL;
	if (!d->aead || !d->batch || !d->arena || d->stop < 0) {
		data_free(d);
		return HP_ERR_NOMEM;
	}
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
	if (d->arena)
		munmap(d->arena, ARENA_LEN);
	hp_udp_batch_free(d->batch);
	hp_aead_free(d->aead);
	free(d);
}

enum hp_err data_start(struct data *d)
{
	assert(!d->running);
	errno = pthread_create(&d->thread, NULL, run, d);
	if (errno)
		return HP_ERR_IO;
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
	};
}
