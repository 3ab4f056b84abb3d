/* SPDX-License-Identifier: ISC */
/*
 * The TUN device: made here, gone with the process (it is never persistent).
 * With segmentation offload it gives and takes packets of up to 64 KiB, which
 * its virtio_net_hdr says how to cut.
 */
#ifndef TUND_TUN_H
#define TUND_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pkt.h"
#include "wg/inet.h"

struct iovec;

/**
 * struct tun - A TUN device, or one of its queues
 * @fd:    its descriptor, not blocking; -1 when closed
 * @out:   where packets are written: @fd, or one that gives none
 * @index: interface index in the namespace where it was made
 * @name:  its name there
 * @tcp:   gives and takes long TCP packets, and such without checksum
 * @udp:   the same for UDP
 */
struct tun {
	int fd;
	int out;
	unsigned int index;
	char name[IFNAMSIZ];
	bool tcp;
	bool udp;
};

#define TUN_CLOSED ((struct tun){ .fd = -1, .out = -1 })

enum tun_result {
	TUN_OK,
	TUN_AGAIN,	/* nothing to read, or no room to write */
	TUN_REFUSED,	/* the kernel did not want this packet: dropped */
	TUN_GONE,	/* the interface was deleted */
};

/* Whether the kernel takes @name for an interface. */
bool tun_name_ok(const char *name);

/**
 * tun_open() - Make the interface @name
 * @several: tun_queue() will follow. The kernel then spreads the flows that it
 *           gives over all queues, and a flow stays where it is, whatever is
 *           written.
 *
 * Return: HP_OK; HP_ERR_FORMAT for a bad name; HP_ERR_EXISTS when an interface
 *         has this name; HP_ERR_DENIED without the right to; HP_ERR_IO.
 *         @t is closed on error.
 */
enum hp_err tun_open(struct tun *t, const char *name, bool several,
		     struct hp_fault *f) HP_MUST_CHECK;
/* One more queue of the interface of @first, with its offload. HP_ERR_IO with
 * errno: @t is closed.
 */
enum hp_err tun_queue(struct tun *t, const struct tun *first) HP_MUST_CHECK;
/* The interface ends with its last queue. */
void tun_close(struct tun *t);

/* Asks for segmentation offload, or for none, before there is a second queue.
 * What the kernel does not have (UDP: before 6.2) stays off, and @t says so.
 */
void tun_offload(struct tun *t, bool on);

/**
 * tun_read() - Read one packet
 * @buf:     room for @cap bytes
 * @len:     set to its length
 * @offload: filled: how to cut it, and what its checksum lacks
 */
enum tun_result tun_read(const struct tun *t, uint8_t *buf, size_t cap,
			 uint32_t *len, struct hp_offload *offload)
	HP_MUST_CHECK;
/**
 * tun_write() - Write one packet
 * @iov: its pieces behind the first of the @n, which is the function's own
 */
enum tun_result tun_write(const struct tun *t,
			  const struct hp_offload *offload, struct iovec *iov,
			  size_t n) HP_MUST_CHECK;
/* Writes a complete packet. */
enum tun_result tun_write_one(const struct tun *t, const struct hp_pkt *p)
	HP_MUST_CHECK;

#endif
