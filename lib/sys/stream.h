/* SPDX-License-Identifier: ISC */
/*
 * One TCP or TLS connection that carries datagrams, in a loop. What cannot be
 * sent at once waits in a short queue (meet/frame.h) that drops its oldest; the
 * kernel's own is kept so short that waiting happens there, where it can be
 * ended.
 */
#ifndef HP_SYS_STREAM_H
#define HP_SYS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct hp_loop;
struct hp_stream;
struct hp_tls;

/**
 * struct hp_stream_ops - What a connection tells its owner, in the loop
 * @up:       its handshakes are over: datagrams can be sent
 * @datagram: one arrived; @p may be written to
 * @down:     it ended, or never came up: @why, for people (borrowed). Nothing
 *            more is told; the owner frees it now or later
 *
 * In each the owner may call any function here, hp_stream_free() too.
 */
struct hp_stream_ops {
	void (*up)(void *ctx, uint64_t now_ns);
	void (*datagram)(void *ctx, uint8_t *p, size_t len, uint64_t now_ns);
	void (*down)(void *ctx, const char *why, uint64_t now_ns);
};

/**
 * struct hp_stream_cfg - A connection to be made; all borrowed
 * @tls:  NULL: TCP alone
 * @host: for TLS: whom the certificate has to name
 * @mark: fwmark of what is sent, 0: none
 * @nat64: prefix behind which IPv4 addresses lie; HP_AF_NONE: they do not
 */
struct hp_stream_cfg {
	struct hp_loop *loop;
	const struct hp_tls *tls;
	const char *host;
	uint32_t mark;
	struct hp_prefix nat64;
	const struct hp_stream_ops *ops;
	void *ctx;
};

/* Begins to connect to @to. @cfg->tls must outlive it. Return: HP_OK, @out
 * given; HP_ERR_NOMEM; HP_ERR_IO with errno.
 */
enum hp_err hp_stream_connect(const struct hp_stream_cfg *cfg,
			      const struct hp_addr *to, struct hp_stream **out)
	HP_MUST_CHECK;
/* A connection that was accepted on @fd, which it takes, also on error. @host,
 * @mark and @nat64 are not looked at.
 */
enum hp_err hp_stream_accepted(const struct hp_stream_cfg *cfg, int fd,
			       struct hp_stream **out) HP_MUST_CHECK;
/* Closes it without a word. NULL is fine. */
void hp_stream_free(struct hp_stream *s);

/* Sends a datagram, now or soon, or drops an older one for it. HP_ERR_STATE:
 * not up; HP_ERR_FORMAT: longer than HP_FRAME_MAX.
 */
enum hp_err hp_stream_send(struct hp_stream *s, const uint8_t *p, size_t len);
/* Datagrams dropped so far because the stream was too slow. */
uint64_t hp_stream_dropped(const struct hp_stream *s);

/* A socket that accepts connections at @at; -1 with @f filled: HP_ERR_EXISTS
 * in it when the port is taken.
 */
int hp_stream_listen(const struct hp_addr *at, struct hp_fault *f);

#endif
