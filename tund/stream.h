/* SPDX-License-Identifier: ISC */
/*
 * Streams to the rendezvous servers, for where UDP is blocked: opened when the
 * node asks, over what leads there first, and kept open until it asks no more.
 */
#ifndef TUND_STREAM_H
#define TUND_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "member/network.h"
#include "sys/tls.h"

struct device;
struct hp_loop;
struct hp_node;
struct log;
struct streams;

/**
 * struct streams_cfg - What streams lie between; all borrowed
 * @server: @n_servers of them; their numbers are the node's
 * @pin:    keys that TLS servers may have; none: any with a good certificate
 */
struct streams_cfg {
	struct hp_loop *loop;
	struct log *log;
	struct device *device;
	struct hp_node *node;
	const struct hp_server *server;
	unsigned int n_servers;
	const struct hp_tls_pin *pin;
	unsigned int n_pins;
};

/* None is open. Takes one timed part of the loop. HP_ERR_NOMEM, _FULL. */
enum hp_err streams_new(const struct streams_cfg *cfg, struct streams **out,
			struct hp_fault *f) HP_MUST_CHECK;
/* The loop must not run any more. NULL is fine. */
void streams_free(struct streams *s);

/* Where @server was found to be: addresses with its port, either may be none. */
void streams_set_addr(struct streams *s, unsigned int server,
		      const struct hp_addr *addr4, const struct hp_addr *addr6,
		      uint64_t now_ns);
/* hp_node_ops.stream */
void streams_want(struct streams *s, unsigned int server, bool on);
/* The network changed: what failed may lead there now. */
void streams_changed(struct streams *s, uint64_t now_ns);
/* Sends to the server that @to->sock names; HP_ERR_STATE: there is no stream. */
enum hp_err streams_send(struct streams *s, const struct hp_path *to,
			 const uint8_t *buf, size_t len);

#endif
