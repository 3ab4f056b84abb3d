/* SPDX-License-Identifier: ISC */
/* Listening, TLS, and the loop; who may stay is a matter of meet/seats.h. */
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "meet/seats.h"
#include "sys/loop.h"
#include "sys/stream.h"
#include "sys/tls.h"
#include "sys/udp.h"

#define LOOK_NS HP_S
/* Accepted in one wakeup. */
#define ACCEPTS 16
/* When no descriptor is left: how long to leave newcomers waiting. */
#define PAUSE_NS HP_S

struct listener {
	struct rv_streams *all;
	struct hp_addr at;
	bool tls;
	bool watched;
	int fd;
};

struct conn {
	struct rv_streams *all;
	struct hp_seat *seat;
	struct hp_stream *stream; /* NULL: the seat is free */
};

struct rv_streams {
	struct hp_loop *loop;
	const struct rv_options *o;
	void (*rx)(void *ctx, const struct hp_path *from, uint8_t *p,
		   size_t len, uint64_t now_ns);
	void *ctx;
	struct hp_tls *tls;
	struct listener listener[2 * RV_LISTEN_MAX];
	size_t n_listeners;
	uint64_t look_ns; /* HP_NEVER: nothing to look at */
	uint64_t pause_ns;
	uint64_t now_ns;
	struct rv_stream_counts counts;
	struct hp_seats seats;
	struct conn conn[HP_SEATS];
};

/* ---- connections ---- */

static void conn_free(struct conn *c)
{
	struct rv_streams *s = c->all;

	s->counts.dropped += hp_stream_dropped(c->stream);
	hp_stream_free(c->stream);
	c->stream = NULL;
	hp_seats_leave(&s->seats, c->seat);
}

static void on_up(void *ctx, uint64_t now_ns)
{
	(void)ctx;
	(void)now_ns;
}

static void on_datagram(void *ctx, uint8_t *p, size_t len, uint64_t now_ns)
{
	struct conn *c = ctx;
	struct rv_streams *s = c->all;

	c->seat->heard_ns = now_ns;
	s->now_ns = now_ns;
	s->rx(s->ctx, &c->seat->path, p, len, now_ns);
}

static void on_down(void *ctx, const char *why, uint64_t now_ns)
{
	(void)why;
	(void)now_ns;
	conn_free(ctx);
}

static const struct hp_stream_ops ops = {
	.up = on_up,
	.datagram = on_datagram,
	.down = on_down,
};

static void take(struct rv_streams *s, const struct listener *l, int fd,
		 const struct hp_addr *from, uint64_t now_ns)
{
	struct hp_seat *seat = hp_seats_take(&s->seats, from, now_ns);
	struct conn *c = seat ? &s->conn[seat - s->seats.seat] : NULL;
	const struct hp_stream_cfg cfg = {
		.loop = s->loop,
		.tls = l->tls ? s->tls : NULL,
		.ops = &ops,
		.ctx = c,
	};

	if (!c) {
		s->counts.refused++;
		close(fd);
		return;
	}
	if (hp_stream_accepted(&cfg, fd, &c->stream)) {
		c->stream = NULL;
		hp_seats_leave(&s->seats, seat);
		s->counts.refused++;
		return;
	}
	s->counts.accepted++;
	s->look_ns = hp_time_min(s->look_ns, now_ns + LOOK_NS);
}

static void on_accept(void *ctx, uint32_t events, uint64_t now_ns);

static void listen_on(struct rv_streams *s, bool on)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		struct listener *l = &s->listener[i];

		if (on && !l->watched)
			l->watched = !hp_loop_watch(s->loop, l->fd, EPOLLIN,
						    on_accept, l);
		else if (!on && l->watched)
			hp_loop_unwatch(s->loop, l->fd);
		l->watched &= on;
	}
}

static void on_accept(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct listener *l = ctx;
	struct rv_streams *s = l->all;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage ss = { 0 };
		socklen_t len = sizeof(ss);
		struct hp_addr from;
		int fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE ||
			       errno == ENOMEM || errno == ENOBUFS)) {
			listen_on(s, false);
			s->pause_ns = now_ns + PAUSE_NS;
		}
		if (fd < 0)
			return;
		from = hp_addr_from_sockaddr((struct sockaddr *)&ss);
		take(s, l, fd, &from, now_ns);
	}
}

/* ---- time ---- */

static void look(struct rv_streams *s, uint64_t now_ns)
{
	for (size_t i = 0; i < HP_SEATS; i++) {
		struct conn *c = &s->conn[i];

		if (!c->stream || !hp_seat_overdue(c->seat, now_ns))
			continue;
		s->counts.ended++;
		conn_free(c);
	}
	s->look_ns = s->seats.n ? now_ns + LOOK_NS : HP_NEVER;
}

static uint64_t deadline(void *ctx)
{
	const struct rv_streams *s = ctx;

	return hp_time_min(s->look_ns, s->pause_ns);
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct rv_streams *s = ctx;

	if (s->pause_ns <= now_ns) {
		s->pause_ns = HP_NEVER;
		listen_on(s, true);
	}
	if (s->look_ns <= now_ns)
		look(s, now_ns);
}

/* ---- for the server ---- */

void rv_streams_send(struct rv_streams *s, const struct hp_path *to,
		     const uint8_t *p, size_t len)
{
	struct hp_seat *seat = hp_seats_find(&s->seats, to->sock);

	if (!seat ||
	    hp_stream_send(s->conn[seat - s->seats.seat].stream, p, len)) {
		s->counts.dropped++;
		return;
	}
	hp_seat_answered(seat, p, len);
}

static enum hp_err add_listeners(struct rv_streams *s,
				 const struct hp_addr *at, size_t n, bool tls,
				 struct hp_fault *f)
{
	for (size_t i = 0; i < n; i++) {
		struct listener *l = &s->listener[s->n_listeners];

		l->all = s;
		l->at = at[i];
		l->tls = tls;
		l->fd = hp_stream_listen(&at[i], f);
		if (l->fd < 0)
			return f->code;
		s->n_listeners++;
	}
	return HP_OK;
}

enum hp_err rv_streams_new(struct hp_loop *loop, const struct rv_options *o,
			   void (*rx)(void *ctx, const struct hp_path *from,
				      uint8_t *p, size_t len, uint64_t now_ns),
			   void *ctx, struct rv_streams **out,
			   struct hp_fault *f)
{
	struct rv_streams *s = calloc(1, sizeof(*s));
	const struct hp_loop_timed timed = { deadline, tick, s };
	enum hp_err err = HP_OK;

	if (!s)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	s->loop = loop;
	s->o = o;
	s->rx = rx;
	s->ctx = ctx;
	s->look_ns = HP_NEVER;
	s->pause_ns = HP_NEVER;
	hp_seats_init(&s->seats);
	for (size_t i = 0; i < HP_SEATS; i++) {
		s->conn[i].all = s;
		s->conn[i].seat = &s->seats.seat[i];
	}
	if (o->n_tls)
		err = hp_tls_server(o->cert, o->key, &s->tls, f);
	if (!err)
		err = add_listeners(s, o->tcp, o->n_tcp, false, f);
	if (!err)
		err = add_listeners(s, o->tls, o->n_tls, true, f);
	if (!err && hp_loop_timed(loop, &timed))
		err = hp_fault_set(f, HP_ERR_FULL, "",
				   "cannot set up the event loop");
	if (err) {
		rv_streams_free(s);
		return err;
	}
	listen_on(s, true);
	*out = s;
	return HP_OK;
}

void rv_streams_free(struct rv_streams *s)
{
	if (!s)
		return;
	listen_on(s, false);
	for (size_t i = 0; i < s->n_listeners; i++)
		close(s->listener[i].fd);
	for (size_t i = 0; i < HP_SEATS; i++)
		if (s->conn[i].stream)
			conn_free(&s->conn[i]);
	hp_tls_free(s->tls);
	free(s);
}

enum hp_err rv_streams_reload(struct rv_streams *s, struct hp_fault *f)
{
	struct hp_tls *tls;
	enum hp_err err;

	if (!s->tls)
		return HP_OK;
	err = hp_tls_server(s->o->cert, s->o->key, &tls, f);
	if (err)
		return err;
	hp_tls_swap(s->tls, tls);
	return HP_OK;
}

void rv_streams_counts(const struct rv_streams *s, struct rv_stream_counts *out)
{
	*out = s->counts;
	out->now = s->seats.n;
	for (size_t i = 0; i < HP_SEATS; i++)
		if (s->conn[i].stream)
			out->dropped += hp_stream_dropped(s->conn[i].stream);
}

void rv_streams_print(const struct rv_streams *s)
{
	char text[HP_ADDR_TEXT], key[HP_TLS_PIN_TEXT];
	struct hp_tls_pin pin;

	for (size_t i = 0; i < s->n_listeners; i++)
		printf("%s %s %s", i ? "," : " and on",
		       s->listener[i].tls ? "TLS" : "TCP",
		       hp_addr_text(&s->listener[i].at, text));
	if (!s->tls)
		return;
	hp_tls_server_pin(s->tls, &pin);
	printf(" (RendezvousKey %s)", hp_tls_pin_text(&pin, key));
}
