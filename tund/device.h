/* SPDX-License-Identifier: ISC */
/*
 * A tunnel interface at work: TUN device, UDP port, and the data threads between
 * them. Used by both ways of running; whose WireGuard engine it is, and what
 * becomes of everything but data, is the owner's affair.
 */
#ifndef TUND_DEVICE_H
#define TUND_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct device;
struct hp_ferry;
struct hp_loop;
struct hp_notice;
struct hp_path;
struct hp_pkt;
struct hp_prefix;
struct hp_wg;
struct log;

/* What the data threads hand over; called in the loop's thread. Packets have
 * HP_HEADROOM and HP_TAILROOM around them and are borrowed for the call.
 */
struct device_ops {
	/* A datagram that is not WireGuard data, as it came. */
	void (*datagram)(void *ctx, const struct hp_path *from,
			 struct hp_pkt *pkt, uint64_t now_ns);
	/* An inner packet without a session to send it on. */
	void (*inner)(void *ctx, struct hp_pkt *pkt, uint64_t now_ns);
	void (*notice)(void *ctx, const struct hp_notice *n, uint64_t now_ns);
	/* A sealed datagram, for the stream that @to names; NULL: there are no
	 * streams.
	 */
	void (*stream)(void *ctx, const struct hp_path *to, const uint8_t *buf,
		       size_t len);
	/* The system refused to send over @path. */
	void (*failed)(void *ctx, const struct hp_path *path, int sys_errno,
		       uint64_t now_ns);
	/* The interface was deleted. */
	void (*gone)(void *ctx);
};

/**
 * struct device_cfg - What a device is to be
 * @name:    of the interface
 * @port:    0: a free one
 * @offload: long packets to and from the kernel, as far as it can
 * @threads: data threads; 0: as many as device_threads_auto() says
 */
struct device_cfg {
	const char *name;
	uint16_t port;
	bool offload;
	unsigned int threads;
};

/**
 * device_new() - Make the interface and open the port
 * @loop: the control thread's (borrowed)
 * @log:  borrowed
 *
 * Return: HP_OK, @out given; else what tun_open() and hp_udp_open() return.
 */
enum hp_err device_new(struct hp_loop *loop, struct log *log,
		       const struct device_cfg *cfg, struct device **out,
		       struct hp_fault *f) HP_MUST_CHECK;
/* Stops the data threads; the interface is gone then. The loop must not run any
 * more. NULL is fine.
 */
void device_free(struct device *d);

/* Starts the data threads on the FIB of @wg, which must outlive them. They have
 * the rights of the caller. @ops are called with @ctx from now on.
 * @relayed: take data from behind a relay header, too; else such a datagram is
 * handed over as it came. @ferry: what they relay for others; NULL: nothing.
 */
enum hp_err device_start(struct device *d, struct hp_wg *wg, bool relayed,
			 struct hp_ferry *ferry, const struct device_ops *ops,
			 void *ctx, struct hp_fault *f) HP_MUST_CHECK;
/* Returns once no data thread uses any more what it read of the FIB, or of the
 * ferry, before.
 */
void device_quiet(struct device *d);
/* Ends the data threads, so that its engine may be freed. */
void device_stop(struct device *d);

/* One where there are one or two processors, which the control thread, the
 * kernel and whoever uses the tunnel need, too; else half of them, 4 at most.
 */
unsigned int device_threads_auto(unsigned int processors);
/* Data threads. */
unsigned int device_threads(const struct device *d);
unsigned int device_index(const struct device *d);
const char *device_name(const struct device *d);
uint16_t device_port(const struct device *d);
uint32_t device_mark(const struct device *d);

/* Opens another port in place of the old one, which stays on error. @port 0: a
 * free one.
 */
enum hp_err device_set_port(struct device *d, uint16_t port,
			    struct hp_fault *f) HP_MUST_CHECK;
enum hp_err device_set_mark(struct device *d, uint32_t mark) HP_MUST_CHECK;
/* See ports_set_nat64(). */
enum hp_err device_set_nat64(struct device *d, const struct hp_prefix *prefix)
	HP_MUST_CHECK;
const struct hp_prefix *device_nat64(const struct device *d);
/* Opens and closes extra ports, by the number that paths carry; results as of
 * ports_open().
 */
enum hp_err device_open_port(struct device *d, uint32_t *sock) HP_MUST_CHECK;
void device_close_port(struct device *d, uint32_t sock);

/* Sends a datagram of the control thread from the socket that @path names;
 * results as of hp_udp_send().
 */
enum hp_err device_send(struct device *d, const struct hp_path *path, int ttl,
			const uint8_t *buf, size_t len);
/* The same, whole or not at all. */
enum hp_err device_send_whole(struct device *d, const struct hp_path *path,
			      const uint8_t *buf, size_t len);
/* Hands data that came by the stream of @from, perhaps behind a relay header,
 * to a data thread.
 */
void device_take(struct device *d, const struct hp_path *from,
		 const uint8_t *buf, size_t len);
/* Writes an inner packet to the TUN device. */
void device_deliver(struct device *d, const struct hp_pkt *pkt);

#endif
