/* SPDX-License-Identifier: ISC */
/*
 * The TUN device: made here, gone with the process (it is never persistent).
 * Reads and writes single packets behind a virtio_net_hdr, which is where
 * segmentation offload comes in.
 */
#ifndef TUND_TUN_H
#define TUND_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pkt.h"

/* The virtio_net_hdr in front of each packet; it lives in the headroom. */
#define TUN_HEAD 10

/**
 * struct tun - A TUN device
 * @fd:    its descriptor, not blocking; -1 when closed
 * @index: interface index in the namespace where it was made
 * @name:  its name there
 */
struct tun {
	int fd;
	unsigned int index;
	char name[IFNAMSIZ];
};

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
 *
 * Return: HP_OK; HP_ERR_FORMAT for a bad name; HP_ERR_EXISTS when an interface
 *         has this name; HP_ERR_DENIED without the right to; HP_ERR_IO.
 *         @t is closed on error.
 */
enum hp_err tun_open(struct tun *t, const char *name, struct hp_fault *f)
	HP_MUST_CHECK;
void tun_close(struct tun *t);

/**
 * tun_read() - Read one packet
 * @p: of length 0, with TUN_HEAD of headroom and its tail as room
 */
enum tun_result tun_read(const struct tun *t, struct hp_pkt *p) HP_MUST_CHECK;
/* Writes one packet; borrows TUN_HEAD bytes of its headroom. */
enum tun_result tun_write(const struct tun *t, const struct hp_pkt *p)
	HP_MUST_CHECK;

#endif
