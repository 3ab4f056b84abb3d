/* SPDX-License-Identifier: ISC */
/*
 * A data thread: inner packets from TUN to UDP and back, in batches, by what
 * the FIB says. Everything it cannot decide goes to the control thread through
 * a queue. There may be several, each with a queue of the TUN device and sockets
 * of its own; a flow stays with one.
 */
#ifndef TUND_DATA_H
#define TUND_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "wg/aead.h"

struct data;
struct hp_ferry;
struct hp_fib;
struct ports;
struct queue;
struct tun;

/**
 * struct data_cfg - What a data thread works on; all borrowed until data_free()
 * @thread: its number among those of @ports
 * @tun:    read and written
 * @ports:  received from and sent to
 * @fib:    where packets go
 * @queue:  to the control thread; of this thread alone
 * @stream: a socket that gives data which came by a stream, each behind its
 *          struct hp_path; -1: none
 * @relayed: data may come behind a relay header, too
 * @ferry:  what is relayed for others; NULL: nothing
 * @engine: cipher
 * @offload: send datagrams joined, where the kernel can cut them
 */
struct data_cfg {
	unsigned int thread;
	struct tun *tun;
	struct ports *ports;
	struct hp_fib *fib;
	struct queue *queue;
	int stream;
	bool relayed;
	struct hp_ferry *ferry;
	enum hp_aead_engine engine;
	bool offload;
};

/**
 * struct data_stats - What became of packets, beside what the FIB counts
 * @queue_full:  for the control thread, which did not keep up
 * @not_sent:    refused by the kernel on the way out
 * @not_written: refused by the TUN device (it is down, say)
 * @refused:     why datagrams cannot be sent joined, an errno; 0: they can
 */
struct data_stats {
	uint64_t queue_full;
	uint64_t not_sent;
	uint64_t not_written;
	int refused;
};

/* HP_OK with @out given; HP_ERR_NOMEM; HP_ERR_IO. Not running yet. */
enum hp_err data_new(const struct data_cfg *cfg, struct data **out)
	HP_MUST_CHECK;
/* Stops it first. NULL is fine. */
void data_free(struct data *d);

/* Starts the thread; it inherits the caller's rights. HP_ERR_IO. */
enum hp_err data_start(struct data *d) HP_MUST_CHECK;
/* Ends the thread and waits for that. Nothing when it does not run. */
void data_stop(struct data *d);
/* Any thread. */
void data_stats(const struct data *d, struct data_stats *out);

#endif
