/* SPDX-License-Identifier: ISC */
/* What arrives at a pair of sockets, handed on datagram by datagram. */
#include "datagrams.h"

#include <sys/epoll.h>

/* Datagrams taken at once, and room for each. */
#define BATCH 16
#define ROOM 2048

static void receive(const struct datagrams *d, int fd, uint64_t now_ns)
{
	uint8_t buf[BATCH][ROOM];
	struct hp_pkt pkt[BATCH];
	struct hp_path from[BATCH];
	size_t n;

	for (size_t i = 0; i < BATCH; i++)
		pkt[i] = hp_pkt_of(buf[i], ROOM, HP_HEADROOM, 0);
	n = hp_udp_batch_recv(d->batch, fd, pkt, from, BATCH);
	for (size_t i = 0; i < n; i++)
		d->rx(d->ctx, &from[i], &pkt[i], now_ns);
}

static void on_socket4(void *ctx, uint32_t events, uint64_t now_ns)
{
	(void)events;
	receive(ctx, ((struct datagrams *)ctx)->udp->fd4, now_ns);
}

static void on_socket6(void *ctx, uint32_t events, uint64_t now_ns)
{
	(void)events;
	receive(ctx, ((struct datagrams *)ctx)->udp->fd6, now_ns);
}

enum hp_err datagrams_watch(struct datagrams *d, struct hp_loop *loop)
{
	enum hp_err err = HP_OK;

	if (d->udp->fd4 >= 0)
		err = hp_loop_watch(loop, d->udp->fd4, EPOLLIN, on_socket4, d);
	if (!err && d->udp->fd6 >= 0)
		err = hp_loop_watch(loop, d->udp->fd6, EPOLLIN, on_socket6, d);
	return err;
}
