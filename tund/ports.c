/* SPDX-License-Identifier: ISC */
/*
 * A number is its slot in the table plus a multiple of the table's size that
 * grows with each use of the slot: a datagram that waits for the control thread
 * is never taken for one of a port that was opened since.
 */
#include "ports.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/retire.h"
#include "sys/udp.h"

/* @udp: @n of them: of each thread, or of all */
struct port {
	struct hp_retired retired;
	uint32_t number;
	unsigned int n;
	struct hp_udp udp[PORTS_THREADS_MAX];
};

static_assert(PORTS_THREADS_MAX <= HP_UDP_BESIDE_MAX, "sockets of a port");

struct nat64 {
	struct hp_retired retired;
	struct hp_prefix prefix;
};

struct ports {
	unsigned int threads;
	int epoll[PORTS_THREADS_MAX];
	bool joined;
	uint32_t mark;
	_Atomic(struct nat64 *) nat64; /* NULL: none yet */
	struct hp_retired *retired;
	_Atomic(struct port *) main;
	_Atomic(struct port *) extra[PORTS_EXTRA_MAX];
	uint32_t next[PORTS_EXTRA_MAX];	/* number of the slot's next use */
};

static void release(struct hp_retired *r)
{
	struct port *port = hp_container_of(r, struct port, retired);

	for (unsigned int i = 0; i < port->n; i++)
		hp_udp_close(&port->udp[i]);
	free(port);
}

static void release_nat64(struct hp_retired *r)
{
	free(hp_container_of(r, struct nat64, retired));
}

static struct port *get(const _Atomic(struct port *) *slot)
{
	return atomic_load_explicit((_Atomic(struct port *) *)slot,
				    memory_order_acquire);
}

struct ports *ports_new(unsigned int threads)
{
	struct ports *p = calloc(1, sizeof(*p));

	assert(threads && threads <= PORTS_THREADS_MAX);
	if (!p)
		return NULL;
	for (uint32_t i = 0; i < PORTS_EXTRA_MAX; i++)
		p->next[i] = i + 1;
	while (p->threads < threads) {
		int fd = epoll_create1(EPOLL_CLOEXEC);

		if (fd < 0) {
			ports_free(p);
			return NULL;
		}
		p->epoll[p->threads++] = fd;
	}
	return p;
}

static int watch_one(int epoll, int op, int fd, uint64_t event)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = event };

	return fd < 0 ? 0 : epoll_ctl(epoll, op, fd, &ev);
}

/* Who receives from the @i-th sockets of @port. */
static int epoll_of(const struct ports *p, const struct port *port,
		    unsigned int i)
{
	return p->epoll[port->number ? port->number % p->threads : i];
}

/* 0; else errno says why. */
static int watch(const struct ports *p, int op, const struct port *port)
{
	int err = 0;

	for (unsigned int i = 0; i < port->n; i++) {
		int epoll = epoll_of(p, port, i);

		err |= watch_one(epoll, op, port->udp[i].fd4,
				 ports_event(port->number, false));
		err |= watch_one(epoll, op, port->udp[i].fd6,
				 ports_event(port->number, true));
	}
	return err;
}

/* Takes what @slot holds out, and puts @port (perhaps NULL) there. */
static void replace(struct ports *p, _Atomic(struct port *) *slot,
		    struct port *port)
{
	struct port *old = atomic_exchange_explicit(slot, port,
						    memory_order_acq_rel);

	if (!old)
		return;
	(void)watch(p, EPOLL_CTL_DEL, old);
	hp_retire(&p->retired, &old->retired, release);
}

void ports_free(struct ports *p)
{
	if (!p)
		return;
	replace(p, &p->main, NULL);
	for (size_t i = 0; i < PORTS_EXTRA_MAX; i++)
		replace(p, &p->extra[i], NULL);
	ports_reclaim(p);
	free(atomic_load(&p->nat64));
	while (p->threads)
		close(p->epoll[--p->threads]);
	free(p);
}

typedef enum hp_err socket_fn(const struct hp_udp *u, uint32_t arg);

static enum hp_err each_of(const struct port *port, socket_fn *fn,
			   uint32_t arg)
{
	enum hp_err err = HP_OK;

	for (unsigned int i = 0; !err && port && i < port->n; i++)
		err = fn(&port->udp[i], arg);
	return err;
}

/* Calls @fn for all sockets; stops at the first error. */
static enum hp_err each(const struct ports *p, socket_fn *fn, uint32_t arg)
{
	enum hp_err err = each_of(get(&p->main), fn, arg);

	for (size_t i = 0; !err && i < PORTS_EXTRA_MAX; i++)
		err = each_of(get(&p->extra[i]), fn, arg);
	return err;
}

static enum hp_err set_joined(const struct hp_udp *u, uint32_t on)
{
	return hp_udp_joined(u, on);
}

enum hp_err ports_joined(struct ports *p, bool on)
{
	p->joined = on;
	return each(p, set_joined, on);
}

enum hp_err ports_mark(struct ports *p, uint32_t mark)
{
	enum hp_err err = each(p, hp_udp_mark, mark);
	int saved = errno;

	if (err) {
		(void)!each(p, hp_udp_mark, p->mark);
		errno = saved;
		return err;
	}
	p->mark = mark;
	return HP_OK;
}

/* Data threads read that of the ports, the control thread that of a socket. */
static void follow_nat64(struct port *port, const struct hp_prefix *prefix)
{
	for (unsigned int i = 0; port && i < port->n; i++)
		port->udp[i].nat64 = *prefix;
}

enum hp_err ports_set_nat64(struct ports *p, const struct hp_prefix *prefix)
{
	struct nat64 *fresh = calloc(1, sizeof(*fresh)), *old;

	if (!fresh)
		return HP_ERR_NOMEM;
	fresh->prefix = *prefix;
	old = atomic_exchange_explicit(&p->nat64, fresh, memory_order_acq_rel);
	if (old)
		hp_retire(&p->retired, &old->retired, release_nat64);
	follow_nat64(get(&p->main), prefix);
	for (size_t i = 0; i < PORTS_EXTRA_MAX; i++)
		follow_nat64(get(&p->extra[i]), prefix);
	return HP_OK;
}

const struct hp_prefix *ports_nat64(const struct ports *p)
{
	static const struct hp_prefix none;
	const struct nat64 *n = atomic_load_explicit(
		&((struct ports *)(uintptr_t)p)->nat64, memory_order_acquire);

	return n ? &n->prefix : &none;
}

uint32_t ports_marked(const struct ports *p)
{
	return p->mark;
}

/* Makes @port known to all; on error it is gone, and errno says why. */
static enum hp_err publish(struct ports *p, _Atomic(struct port *) *slot,
			   struct port *port)
{
	int saved;

	/* Not joining costs speed only; of the main port it was said. */
	if (p->joined)
		(void)!each_of(port, set_joined, true);
	if (watch(p, EPOLL_CTL_ADD, port)) {
		saved = errno;
		release(&port->retired);
		errno = saved;
		return HP_ERR_IO;
	}
	replace(p, slot, port);
	return HP_OK;
}

/* @n: pairs of sockets */
static struct port *port_new(const struct ports *p, uint16_t at, unsigned int n,
			     enum hp_err *err, struct hp_fault *f)
{
	struct port *port = calloc(1, sizeof(*port));

	if (!port) {
		*err = hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
		return NULL;
	}
	*err = hp_udp_open(&port->udp[0], at, p->mark, f);
	if (!*err && n > 1) {
		*err = hp_udp_beside(port->udp + 1, n - 1, port->udp, p->mark);
		if (*err)
			(void)hp_fault_set(f, *err, "use fewer data threads",
					   "cannot open UDP port %u for each "
					   "of %u: %s", port->udp[0].port, n,
					   strerror(errno));
	}
	port->n = *err ? 1 : n;
	follow_nat64(port, ports_nat64(p));
	if (!*err)
		return port;
	release(&port->retired);
	return NULL;
}

enum hp_err ports_main(struct ports *p, uint16_t at, struct hp_fault *f)
{
	enum hp_err err;
	struct port *port = port_new(p, at, p->threads, &err, f);

	if (!port)
		return err;
	err = publish(p, &p->main, port);
	if (err)
		return hp_fault_set(f, err, "", "cannot wait for UDP port %u",
				    at);
	return HP_OK;
}

enum hp_err ports_open(struct ports *p, uint32_t *number)
{
	struct hp_fault f;
	struct port *port;
	enum hp_err err;
	size_t i = 0;

	while (i < PORTS_EXTRA_MAX && get(&p->extra[i]))
		i++;
	if (i == PORTS_EXTRA_MAX)
		return HP_ERR_FULL;
	port = port_new(p, 0, 1, &err, &f);
	if (!port)
		return errno == EMFILE || errno == ENFILE ? HP_ERR_FULL : err;
	port->number = p->next[i];
	err = publish(p, &p->extra[i], port);
	if (err)
		return err;
	*number = p->next[i];
	p->next[i] += PORTS_EXTRA_MAX;
	return HP_OK;
}

static _Atomic(struct port *) *slot_of(const struct ports *p, uint32_t number)
{
	struct ports *q = (struct ports *)(uintptr_t)p;

	return number ? &q->extra[(number - 1) % PORTS_EXTRA_MAX] : &q->main;
}

void ports_close(struct ports *p, uint32_t number)
{
	if (number && ports_find(p, 0, number))
		replace(p, slot_of(p, number), NULL);
}

bool ports_retired(const struct ports *p)
{
	return p->retired;
}

void ports_reclaim(struct ports *p)
{
	hp_retire_flush(&p->retired);
}

const struct hp_udp *ports_find(const struct ports *p, unsigned int thread,
				uint32_t number)
{
	const struct port *port = get(slot_of(p, number));

	if (!port || port->number != number)
		return NULL;
	return &port->udp[number ? 0 : thread];
}

int ports_epoll(const struct ports *p, unsigned int thread)
{
	return p->epoll[thread];
}
