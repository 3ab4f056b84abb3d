/* SPDX-License-Identifier: ISC */
/*
 * The UDP ports of a device: the main one, number 0, and extra ones that the
 * search for a path opens, each in both families. The control thread opens and
 * closes them; data threads look them up, send and receive. What was closed
 * stays usable to data threads until ports_reclaim().
 *
 * Of the main port each data thread has sockets of its own, among which the
 * kernel spreads the peers. An extra port has one pair, which some thread
 * receives from and all send from.
 */
#ifndef TUND_PORTS_H
#define TUND_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct hp_udp;
struct ports;

/* Most extra ports open at once. */
#define PORTS_EXTRA_MAX 256
#define PORTS_THREADS_MAX 16

/* For @threads data threads, which are numbers from 0. NULL without memory or
 * descriptors. No port is open.
 */
struct ports *ports_new(unsigned int threads);
/* No data thread may run any more. NULL is fine. */
void ports_free(struct ports *p);

/* For all ports, those of the future too: join datagrams that arrive, where
 * the kernel can. HP_ERR_IO with errno when it cannot.
 */
enum hp_err ports_joined(struct ports *p, bool on) HP_MUST_CHECK;
/* For all ports, those of the future too: the fwmark of what is sent. HP_ERR_IO
 * with errno: all have the old one.
 */
enum hp_err ports_mark(struct ports *p, uint32_t mark) HP_MUST_CHECK;
uint32_t ports_marked(const struct ports *p);

/* For all ports, those of the future too: IPv4 addresses lie behind a NAT64 with
 * @prefix; HP_AF_NONE, as at first: they do not. HP_ERR_NOMEM: all is as it was.
 */
enum hp_err ports_set_nat64(struct ports *p, const struct hp_prefix *prefix)
	HP_MUST_CHECK;
/* Any thread; to be copied before the thread's next quiescent point. */
const struct hp_prefix *ports_nat64(const struct ports *p);

/* Opens the main port in place of the one there is, which stays on error.
 * @port 0: a free one. What hp_udp_open() returns, or HP_ERR_NOMEM.
 */
enum hp_err ports_main(struct ports *p, uint16_t port, struct hp_fault *f)
	HP_MUST_CHECK;
/* Opens an extra port of the system's choice. @number: how it is called, never
 * to be given again. HP_ERR_FULL: too many, of ours or of descriptors;
 * HP_ERR_NOMEM; HP_ERR_IO with errno.
 */
enum hp_err ports_open(struct ports *p, uint32_t *number) HP_MUST_CHECK;
/* Nobody finds it any more. Nothing for a number that is not open. */
void ports_close(struct ports *p, uint32_t number);
/* Is anything closed that data threads may still be using? If so, wait until
 * each has passed a quiescent point, then call ports_reclaim().
 */
bool ports_retired(const struct ports *p);
void ports_reclaim(struct ports *p);

/* The sockets of @number for @thread, the control thread being as number 0; a
 * data thread may use them until its next quiescent point. NULL: not open.
 */
const struct hp_udp *ports_find(const struct ports *p, unsigned int thread,
				uint32_t number);
/* An epoll descriptor with the sockets in it that @thread receives from
 * (EPOLLIN, level-triggered). The user data of an event is ports_event() of its
 * socket; the thread may add descriptors of its own, with user data from
 * PORTS_EVENT_MAX up.
 */
int ports_epoll(const struct ports *p, unsigned int thread);

#define PORTS_EVENT_MAX (UINT64_C(2) << 32)

static inline uint64_t ports_event(uint32_t number, bool v6)
{
	return (uint64_t)number << 1 | v6;
}

#endif
