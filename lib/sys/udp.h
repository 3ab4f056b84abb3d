/* SPDX-License-Identifier: ISC */
/*
 * The UDP port of a node: an IPv4 and an IPv6 socket bound to one number, and
 * batches of datagrams in and out. Each datagram comes with, and goes by, a
 * struct hp_path: a reply leaves from the address that the question came to.
 * The relay header is the callers' business; here a path's channel is not
 * looked at.
 */
#ifndef HP_SYS_UDP_H
#define HP_SYS_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/path.h"
#include "base/pkt.h"

/**
 * struct hp_udp - Two sockets on one port
 * @fd4:  IPv4, -1 when this host has none; not blocking
 * @fd6:  IPv6 only, -1 when this host has none; not blocking
 * @port: the port of both
 * @nat64: prefix behind which hp_udp_send() finds IPv4 addresses, HP_AF_NONE:
 *        it needs none. The owner's to set
 *
 * Sending and receiving is safe from several threads at once; opening and
 * closing is not.
 */
struct hp_udp {
	int fd4;
	int fd6;
	uint16_t port;
	struct hp_prefix nat64;
};

#define HP_UDP_CLOSED ((struct hp_udp){ .fd4 = -1, .fd6 = -1 })

/**
 * hp_udp_open() - Bind both families on all addresses
 * @u:    filled; HP_UDP_CLOSED on error
 * @port: 0: one that is free in both families
 * @mark: fwmark of what is sent, 0: none
 *
 * A host without one of the families gets the other alone.
 *
 * Return: HP_OK; HP_ERR_EXISTS when the port is taken; HP_ERR_IO.
 */
enum hp_err hp_udp_open(struct hp_udp *u, uint16_t port, uint32_t mark,
			struct hp_fault *f) HP_MUST_CHECK;
/* Most sockets of hp_udp_beside() on one port, the first one included. */
#define HP_UDP_BESIDE_MAX 16

/**
 * hp_udp_beside() - Open more sockets on the port of @first, for more threads
 * @u:    @n of them, filled; all HP_UDP_CLOSED on error
 * @n:    at most HP_UDP_BESIDE_MAX - 1
 * @mark: fwmark of what is sent, 0: none
 *
 * The kernel spreads what arrives over @first and these, one sender's datagrams
 * always to the same; to nobody else, whoever may bind to the port, too.
 *
 * Return: HP_OK; HP_ERR_IO with errno.
 */
enum hp_err hp_udp_beside(struct hp_udp *u, unsigned int n,
			  const struct hp_udp *first, uint32_t mark)
	HP_MUST_CHECK;
/**
 * hp_udp_listen() - Bind one family at one address, for a server
 * @u:      filled; the other descriptor stays -1
 * @beside: NULL; or what listens there already: the kernel then spreads what
 *          arrives over both, one sender's datagrams always to the same
 *
 * Return: HP_OK; HP_ERR_EXISTS when it is taken; HP_ERR_IO with errno.
 */
enum hp_err hp_udp_listen(struct hp_udp *u, const struct hp_addr *at,
			  const struct hp_udp *beside, struct hp_fault *f)
	HP_MUST_CHECK;
void hp_udp_close(struct hp_udp *u);
/* Joins datagrams that arrive (UDP_GRO), or not. HP_ERR_IO with errno when a
 * socket refuses.
 */
enum hp_err hp_udp_joined(const struct hp_udp *u, bool on) HP_MUST_CHECK;
/* Sets the fwmark of what is sent from now on; HP_ERR_IO. */
enum hp_err hp_udp_mark(const struct hp_udp *u, uint32_t mark) HP_MUST_CHECK;

/**
 * hp_udp_send() - Send one datagram
 * @path: to @path->remote, from @path->local when that is set; a source that
 *        this host no longer has is left to the kernel to choose
 * @ttl:  time to live (hop limit) of this datagram, 0: the system's
 *
 * Return: HP_OK; HP_ERR_AGAIN when the socket's buffer is full; HP_ERR_IO for
 *         anything else (errno says what): a fact about this path alone.
 */
enum hp_err hp_udp_send(const struct hp_udp *u, const struct hp_path *path,
			int ttl, const void *buf, size_t len) HP_MUST_CHECK;

/* The same, for a datagram that is to arrive whole or not at all: no fragments,
 * neither here nor on its way, and whatever the kernel believes of the path.
 * Meanwhile this holds for what other threads send from the socket, too.
 */
enum hp_err hp_udp_send_whole(const struct hp_udp *u,
			      const struct hp_path *path, const void *buf,
			      size_t len) HP_MUST_CHECK;

/* Room for the kernel's message headers of HP_BATCH datagrams each way, made
 * once; belongs to one thread.
 */
struct hp_udp_batch;
struct hp_udp_batch *hp_udp_batch_new(void);
void hp_udp_batch_free(struct hp_udp_batch *b);

/* IPv4 addresses lie behind a NAT64 with @prefix from now on (copied): what is
 * added goes to them by IPv6, and what comes from there by IPv6 is from them.
 * HP_AF_NONE, as at first: by IPv4.
 */
void hp_udp_batch_nat64(struct hp_udp_batch *b, const struct hp_prefix *prefix);

/* Joins datagrams from now on, or no more: those of equal length that follow
 * each other to one path, the last of them perhaps shorter, go to the kernel
 * in one piece (UDP_SEGMENT). Off at first.
 */
void hp_udp_batch_join(struct hp_udp_batch *b, bool on);
/* Why the kernel last refused joined datagrams, other than for their length: an
 * errno; 0: it did not. To other destinations they are joined all the same.
 */
int hp_udp_batch_refused(const struct hp_udp_batch *b);

/* Adds a datagram; @path and the bytes of @pkt must stay until they are sent.
 * False when the batch holds HP_BATCH already.
 */
bool hp_udp_batch_add(struct hp_udp_batch *b, const struct hp_path *path,
		      const struct hp_pkt *pkt);
/**
 * hp_udp_batch_send() - Send all that was added, and empty the batch
 *
 * When a socket's buffer is full this waits for it, 10 ms at most in all.
 *
 * Return: how many datagrams were not sent.
 */
size_t hp_udp_batch_send(struct hp_udp_batch *b, const struct hp_udp *u);

/* Most failures that are told of one hp_udp_batch_send(). */
#define HP_UDP_FAILURES 8

/* A path over which the system refused to send, and its errno. */
struct hp_udp_failure {
	struct hp_path path;
	int err;
};

/* Failures of the last hp_udp_batch_send(), the first HP_UDP_FAILURES of them;
 * a full buffer is none. They stay until the next. Returns how many.
 */
size_t hp_udp_batch_failures(const struct hp_udp_batch *b,
			     const struct hp_udp_failure **out);

/**
 * hp_udp_batch_recv() - Receive what has arrived, without waiting
 * @fd:   one of the two sockets
 * @pkts: @n packets of length 0 whose tail is room; their lengths are set
 * @from: @n paths, filled: sock 0, channel 0
 * @n:    at most HP_BATCH
 *
 * With hp_udp_joined() a packet may hold several datagrams.
 *
 * A datagram that was cut off for want of room has length 0.
 *
 * Return: how many arrived; 0 when none, also after an error.
 */
size_t hp_udp_batch_recv(struct hp_udp_batch *b, int fd, struct hp_pkt *pkts,
			 struct hp_path *from, size_t n);
/* What the @i-th packet of the last receive is made of: datagrams of this many
 * bytes each, the last perhaps shorter; 0: it is one.
 */
uint32_t hp_udp_batch_size(const struct hp_udp_batch *b, size_t i);

/* Conversions to and from what the system calls take. */
socklen_t hp_addr_to_sockaddr(const struct hp_addr *a,
			      struct sockaddr_storage *out);
/* A family other than IPv4 and IPv6 becomes HP_AF_NONE. */
struct hp_addr hp_addr_from_sockaddr(const struct sockaddr *sa);

#endif
