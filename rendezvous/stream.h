/* SPDX-License-Identifier: ISC */
/*
 * The server's TCP and TLS connections, for nodes whose UDP is blocked: each is
 * a path like any other, whose socket number is the connection's. Of the
 * control thread.
 */
#ifndef HP_RENDEZVOUS_STREAM_H
#define HP_RENDEZVOUS_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "options.h"

struct hp_loop;
struct rv_streams;

/**
 * struct rv_stream_counts - What happened to connections
 * @now:      open
 * @accepted: since the start
 * @refused:  at a limit
 * @ended:    closed by us: mute, idle, or not of hptun
 * @dropped:  datagrams, for streams that were too slow or gone
 */
struct rv_stream_counts {
	size_t now;
	uint64_t accepted;
	uint64_t refused;
	uint64_t ended;
	uint64_t dropped;
};

/**
 * rv_streams_new() - Listen where @o says
 * @o:  borrowed for its life
 * @rx: called with each datagram that arrives
 *
 * Takes one timed part of the loop.
 *
 * Return: HP_OK; what hp_tls_server() and listening return, @f filled.
 */
enum hp_err rv_streams_new(struct hp_loop *loop, const struct rv_options *o,
			   void (*rx)(void *ctx, const struct hp_path *from,
				      uint8_t *p, size_t len, uint64_t now_ns),
			   void *ctx, struct rv_streams **out,
			   struct hp_fault *f) HP_MUST_CHECK;
/* The loop must not run any more. NULL is fine. */
void rv_streams_free(struct rv_streams *s);

/* Sends to the connection that @to->sock names, if it is still there. */
void rv_streams_send(struct rv_streams *s, const struct hp_path *to,
		     const uint8_t *p, size_t len);
/* Reads certificate and key again, for connections to come. On error all is as
 * before, and @f says why.
 */
enum hp_err rv_streams_reload(struct rv_streams *s, struct hp_fault *f)
	HP_MUST_CHECK;
void rv_streams_counts(const struct rv_streams *s,
		       struct rv_stream_counts *out);
/* "TCP 0.0.0.0:8888, TLS 0.0.0.0:443 (key sha256/..)"; nothing without any. */
void rv_streams_print(const struct rv_streams *s);

#endif
