/* SPDX-License-Identifier: ISC */
/*
 * A thread that forwards what is relayed, and hands everything else to the
 * control thread. It has sockets of its own at every address that is listened
 * at; the kernel gives it the datagrams of some of the senders.
 */
#ifndef HP_RENDEZVOUS_FORWARD_H
#define HP_RENDEZVOUS_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "meet/relay.h"
#include "sys/udp.h"

/* The longest datagram that the control thread is handed. */
#define RV_CONTROL_MAX 2048

struct rv_forward;

/**
 * struct rv_counts - What a thread has done, in datagrams
 * @rx:        arrived
 * @relayed:   forwarded, and @bytes of them
 * @unsent:    of these, the kernel took none
 * @over_rate: over the rate of their channel
 * @stray:     of no channel, or not from its ends, and not answered because one
 *             just before them was
 * @crowded:   for the control thread, which had no room; or too long for it
 */
struct rv_counts {
	uint64_t rx;
	uint64_t relayed;
	uint64_t bytes;
	uint64_t unsent;
	uint64_t over_rate;
	uint64_t stray;
	uint64_t crowded;
};

/**
 * rv_forward_new() - Start a thread
 * @relay: borrowed for its life
 * @udp:   @n sockets, in the order of their numbers; borrowed for its life
 * @join:  join datagrams with the kernel's help, both ways
 *
 * NULL with errno when the system refuses.
 */
struct rv_forward *rv_forward_new(struct hp_relay *relay,
				  const struct hp_udp *udp, uint32_t n,
				  bool join);
/* Ends the thread, waits for it. NULL is fine. */
void rv_forward_free(struct rv_forward *f);

/* Control thread: readable when rv_forward_take() has something. */
int rv_forward_fd(const struct rv_forward *f);
/**
 * rv_forward_take() - Control thread: the next datagram that was not relayed
 * @from: where it came from, and the socket; hp_path_is_stream(): it was
 *        relayed, and this is where it has to go
 *
 * Return: its bytes, 0: rv_forward_refused() has changed; -1: there is none.
 */
int rv_forward_take(struct rv_forward *f, struct hp_path *from,
		    uint8_t buf[RV_CONTROL_MAX]);
/* Why the kernel refused joined datagrams, an errno; 0: it did not. */
int rv_forward_refused(const struct rv_forward *f);
void rv_forward_counts(const struct rv_forward *f, struct rv_counts *add_to);

#endif
