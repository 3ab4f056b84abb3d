/* SPDX-License-Identifier: ISC */
/*
 *	connecting --> handshake (TLS) --> up --> down
 *	                                           ^ from anywhere
 *
 * A callback may free the stream under the functions that called it: they hold
 * it by @busy, and the last one frees it.
 */
#include "sys/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/nat64.h"
#include "meet/frame.h"
#include "sys/loop.h"
#include "sys/tls.h"
#include "sys/udp.h"

/* Bytes that the kernel may hold beyond what is on its way: a few packets. */
#define UNSENT_MAX 16384
/* What was sent and is not acknowledged for so long ends the connection. */
#define TIMEOUT_MS 15000
#define BACKLOG 128
/* Reads of one wakeup, so that others have their turn. */
#define READS 8
#define WHY_TEXT 200

enum phase {
	CONNECTING,
	HANDSHAKE,
	UP,
	DOWN,
};

struct hp_stream {
	struct hp_loop *loop;
	const struct hp_tls *tls;
	const struct hp_stream_ops *ops;
	void *ctx;
	int fd;
	struct ssl_st *ssl;
	enum phase phase;
	uint32_t events; /* watched */
	bool wants_write; /* TLS does, to go on */
	bool broken; /* told by the next call of the loop */
	bool busy;
	bool freed;
	char why[WHY_TEXT];
	struct hp_frame_in in;
	struct hp_frame_out out;
};

static void on_ready(void *ctx, uint32_t events, uint64_t now_ns);

static void break_off(struct hp_stream *s, const char *why)
{
	if (!s->broken)
		snprintf(s->why, sizeof(s->why), "%s", why);
	s->broken = true;
}

/* ---- the wire ---- */

/* What a call of libssl came to: what to wait for, or the end. */
static void tls_result(struct hp_stream *s, int result)
{
	char why[WHY_TEXT];

	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return;
	case SSL_ERROR_WANT_WRITE:
		s->wants_write = true;
		return;
	case SSL_ERROR_ZERO_RETURN:
		break_off(s, "the other end closed the connection");
		return;
	case SSL_ERROR_SYSCALL:
		break_off(s, errno ? strerror(errno) :
				     "the other end closed the connection");
		return;
	default:
		hp_tls_why(s->tls, s->ssl, why, sizeof(why));
		break_off(s, why);
		return;
	}
}

/* Bytes read into @buf; 0: none now, or broken. */
static size_t wire_read(struct hp_stream *s, uint8_t *buf, size_t room)
{
	ssize_t n;

	errno = 0;
	if (s->ssl) {
		ERR_clear_error();
		n = SSL_read(s->ssl, buf, (int)room);
		if (n <= 0)
			tls_result(s, (int)n);
	} else {
		n = recv(s->fd, buf, room, 0);
		if (!n)
			break_off(s, "the other end closed the connection");
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			break_off(s, strerror(errno));
	}
	return n > 0 ? (size_t)n : 0;
}

static size_t wire_write(struct hp_stream *s, const uint8_t *buf, size_t len)
{
	ssize_t n;

	errno = 0;
	if (s->ssl) {
		ERR_clear_error();
		n = SSL_write(s->ssl, buf, (int)len);
		if (n <= 0)
			tls_result(s, (int)n);
	} else {
		n = send(s->fd, buf, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			break_off(s, strerror(errno));
	}
	return n > 0 ? (size_t)n : 0;
}

/* Has the kernel enough to send? Its own limit lets a whole burst pass. */
static bool kernel_full(const struct hp_stream *s)
{
	int unsent;

	return !ioctl(s->fd, SIOCOUTQNSD, &unsent) && unsent >= UNSENT_MAX;
}

/* True while something waits that the kernel does not take now. */
static bool flush(struct hp_stream *s, uint64_t now_ns)
{
	const uint8_t *p;
	size_t len, n;

	while (!s->broken && (len = hp_frame_peek(&s->out, &p, now_ns))) {
		n = kernel_full(s) ? 0 : wire_write(s, p, len);
		if (!n)
			return true;
		hp_frame_sent(&s->out, n);
	}
	return false;
}

/* Asks to be called when it can go on; for a broken one: at once. */
static void watch(struct hp_stream *s, bool waits)
{
	uint32_t events = EPOLLIN;

	if (waits || s->broken || s->wants_write || s->phase == CONNECTING)
		events |= EPOLLOUT;
	if (events == s->events || s->phase == DOWN)
		return;
	if (hp_loop_watch(s->loop, s->fd, events, on_ready, s) == HP_OK)
		s->events = events;
}

/* ---- phases ---- */

static void end(struct hp_stream *s, uint64_t now_ns)
{
	s->phase = DOWN;
	hp_loop_unwatch(s->loop, s->fd);
	s->ops->down(s->ctx, s->why, now_ns);
}

static void up(struct hp_stream *s, uint64_t now_ns)
{
	s->phase = UP;
	s->ops->up(s->ctx, now_ns);
}

static void shake(struct hp_stream *s, uint64_t now_ns)
{
	int result;

	s->phase = HANDSHAKE;
	if (!s->ssl) {
		up(s, now_ns);
		return;
	}
	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(s->ssl);
	if (result != 1)
		tls_result(s, result);
	else if (!hp_tls_believes(s->tls, s->ssl))
		break_off(s, "its key is not the one that RendezvousKey names");
	else
		up(s, now_ns);
}

static void connected(struct hp_stream *s, uint64_t now_ns)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err)
		break_off(s, strerror(err));
	else
		shake(s, now_ns);
}

static void take_frames(struct hp_stream *s, uint64_t now_ns)
{
	enum hp_err err = HP_ERR_AGAIN;
	uint8_t *p;
	size_t len;

	while (!s->freed && !(err = hp_frame_next(&s->in, &p, &len)))
		s->ops->datagram(s->ctx, p, len, now_ns);
	if (err == HP_ERR_FORMAT)
		break_off(s, "what came is not of hptun");
}

static void receive(struct hp_stream *s, uint64_t now_ns)
{
	for (int i = 0; i < READS && !s->broken && !s->freed; i++) {
		size_t room, n;
		uint8_t *to = hp_frame_room(&s->in, &room);

		n = wire_read(s, to, room);
		hp_frame_put(&s->in, n);
		take_frames(s, now_ns);
		if (!n)
			return;
	}
}

/* TLS may hold more than was read, of which the socket does not tell. */
static bool has_more(const struct hp_stream *s)
{
	return s->ssl && s->phase == UP && SSL_pending(s->ssl) > 0;
}

static void on_ready(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct hp_stream *s = ctx;
	bool waits = false;

	s->busy = true;
	s->wants_write = false;
	if (s->phase == CONNECTING && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		connected(s, now_ns);
	else if (s->phase == HANDSHAKE)
		shake(s, now_ns);
	if (s->phase == UP && !s->freed)
		receive(s, now_ns);
	if (s->phase == UP && !s->freed)
		waits = flush(s, now_ns);
	s->busy = false;
	if (!s->freed && s->broken) {
		s->busy = true;
		end(s, now_ns);
		s->busy = false;
	}
	if (s->freed)
		hp_stream_free(s);
	else
		watch(s, waits || has_more(s));
}

/* ---- for the owner ---- */

static void tune(int fd)
{
	const int on = 1, unsent = UNSENT_MAX, timeout = TIMEOUT_MS;

	/* What is refused here costs speed only. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
			 sizeof(unsent));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
			 sizeof(timeout));
}

static enum hp_err stream_new(const struct hp_stream_cfg *cfg, int fd,
			      const char *host, struct hp_stream **out)
{
	struct hp_stream *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return HP_ERR_NOMEM;
	}
	s->loop = cfg->loop;
	s->tls = cfg->tls;
	s->ops = cfg->ops;
	s->ctx = cfg->ctx;
	s->fd = fd;
	tune(fd);
	if (s->tls)
		s->ssl = hp_tls_begin(s->tls, fd, host);
	if (s->tls && !s->ssl) {
		hp_stream_free(s);
		return HP_ERR_NOMEM;
	}
	*out = s;
	return HP_OK;
}

/* The first call of the loop begins the handshake, or says that it is up. */
static enum hp_err begin(struct hp_stream *s, struct hp_stream **out)
{
	watch(s, true);
	if (!s->events) {
		hp_stream_free(s);
		return HP_ERR_IO;
	}
	*out = s;
	return HP_OK;
}

enum hp_err hp_stream_connect(const struct hp_stream_cfg *cfg,
			      const struct hp_addr *to, struct hp_stream **out)
{
	const struct hp_addr via = hp_nat64_out(&cfg->nat64, to);
	struct sockaddr_storage ss;
	socklen_t len = hp_addr_to_sockaddr(&via, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	struct hp_stream *s;
	enum hp_err err;
	int saved;

	if (fd < 0)
		return HP_ERR_IO;
	if ((cfg->mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &cfg->mark,
				     sizeof(cfg->mark))) ||
	    (connect(fd, (struct sockaddr *)&ss, len) &&
	     errno != EINPROGRESS)) {
		saved = errno;
		close(fd);
		errno = saved;
		return HP_ERR_IO;
	}
	err = stream_new(cfg, fd, cfg->host, &s);
	return err ? err : begin(s, out);
}

enum hp_err hp_stream_accepted(const struct hp_stream_cfg *cfg, int fd,
			       struct hp_stream **out)
{
	struct hp_stream *s;
	enum hp_err err = stream_new(cfg, fd, NULL, &s);

	return err ? err : begin(s, out);
}

void hp_stream_free(struct hp_stream *s)
{
	if (!s)
		return;
	if (s->phase != DOWN && s->events)
		hp_loop_unwatch(s->loop, s->fd);
	s->phase = DOWN;
	s->freed = true;
	if (s->busy)
		return;
	SSL_free(s->ssl);
	close(s->fd);
	free(s);
}

enum hp_err hp_stream_send(struct hp_stream *s, const uint8_t *p, size_t len)
{
	uint64_t now_ns = hp_loop_now(s->loop);
	enum hp_err err;

	if (s->phase != UP)
		return HP_ERR_STATE;
	err = hp_frame_add(&s->out, p, len, now_ns);
	/* Within a wakeup of ours it goes with whatever follows. */
	if (!err && !s->busy)
		watch(s, flush(s, now_ns));
	return err;
}

uint64_t hp_stream_dropped(const struct hp_stream *s)
{
	return s->out.dropped;
}

int hp_stream_listen(const struct hp_addr *at, struct hp_fault *f)
{
	struct sockaddr_storage ss;
	socklen_t len = hp_addr_to_sockaddr(at, &ss);
	char text[HP_ADDR_TEXT];
	const int on = 1;
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);

	if (fd >= 0 &&
	    !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    (at->family != HP_AF_6 ||
	     !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) &&
	    !bind(fd, (struct sockaddr *)&ss, len) && !listen(fd, BACKLOG))
		return fd;
	(void)hp_fault_set(f, errno == EADDRINUSE ? HP_ERR_EXISTS : HP_ERR_IO,
			   errno == EADDRINUSE ?
				   "end what listens there, or take another "
				   "port" :
			   errno == EACCES ?
				   "ports below 1024 need CAP_NET_BIND_SERVICE" :
				   "",
			   "cannot listen at TCP %s: %s",
			   hp_addr_text(at, text), strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}
