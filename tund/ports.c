/* SPDX-License-Identifier: ISC */
/*
 * A number is its slot in the table plus a multiple of the table's size that
 * grows with each use of the slot: a datagram that waits for the control thread
 * is never taken for one of a port that was opened since.
 */
#include "ports.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/retire.h"
#include "sys/udp.h"

struct port {
	struct hp_retired retired;
	uint32_t number;
	struct hp_udp udp;
};

struct ports {
	int epoll;
	bool joined;
	uint32_t mark;
	struct hp_retired *retired;
	_Atomic(struct port *) main;
	_Atomic(struct port *) extra[PORTS_EXTRA_MAX];
	uint32_t next[PORTS_EXTRA_MAX];	/* number of the slot's next use */
};

static void release(struct hp_retired *r)
{
	struct port *port = hp_container_of(r, struct port, retired);

	hp_udp_close(&port->udp);
	free(port);
}

static struct port *get(const _Atomic(struct port *) *slot)
{
	return atomic_load_explicit((_Atomic(struct port *) *)slot,
				    memory_order_acquire);
}

struct ports *ports_new(void)
{
	struct ports *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	for (uint32_t i = 0; i < PORTS_EXTRA_MAX; i++)
		p->next[i] = i + 1;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll >= 0)
		return p;
	free(p);
	return NULL;
}

static int watch(struct ports *p, int op, int fd, uint64_t event)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = event };

	return fd < 0 ? 0 : epoll_ctl(p->epoll, op, fd, &ev);
}

/* Takes what @slot holds out, and puts @port (perhaps NULL) there. */
static void replace(struct ports *p, _Atomic(struct port *) *slot,
		    struct port *port)
{
	struct port *old = atomic_exchange_explicit(slot, port,
						    memory_order_acq_rel);

	if (!old)
		return;
	(void)watch(p, EPOLL_CTL_DEL, old->udp.fd4, 0);
	(void)watch(p, EPOLL_CTL_DEL, old->udp.fd6, 0);
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
	close(p->epoll);
	free(p);
}

/* Calls @fn for every open port; stops at the first error. */
static enum hp_err each(const struct ports *p,
			enum hp_err (*fn)(const struct hp_udp *u, uint32_t arg),
			uint32_t arg)
{
	const struct port *port = get(&p->main);
	enum hp_err err = port ? fn(&port->udp, arg) : HP_OK;

	for (size_t i = 0; !err && i < PORTS_EXTRA_MAX; i++) {
		port = get(&p->extra[i]);
		err = port ? fn(&port->udp, arg) : HP_OK;
	}
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
		(void)!hp_udp_joined(&port->udp, true);
	if (watch(p, EPOLL_CTL_ADD, port->udp.fd4,
		  ports_event(port->number, false)) ||
	    watch(p, EPOLL_CTL_ADD, port->udp.fd6,
		  ports_event(port->number, true))) {
		saved = errno;
		release(&port->retired);
		errno = saved;
		return HP_ERR_IO;
	}
	replace(p, slot, port);
	return HP_OK;
}

static struct port *port_new(const struct ports *p, uint16_t at,
			     enum hp_err *err, struct hp_fault *f)
{
	struct port *port = calloc(1, sizeof(*port));

	if (!port) {
		*err = hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
		return NULL;
	}
	*err = hp_udp_open(&port->udp, at, p->mark, f);
	if (!*err)
		return port;
	free(port);
	return NULL;
}

enum hp_err ports_main(struct ports *p, uint16_t at, struct hp_fault *f)
{
	enum hp_err err;
	struct port *port = port_new(p, at, &err, f);

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
	port = port_new(p, 0, &err, &f);
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
	if (number && ports_find(p, number))
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

const struct hp_udp *ports_find(const struct ports *p, uint32_t number)
{
	const struct port *port = get(slot_of(p, number));

	return port && port->number == number ? &port->udp : NULL;
}

int ports_epoll(const struct ports *p)
{
	return p->epoll;
}
