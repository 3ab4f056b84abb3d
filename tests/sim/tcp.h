/* SPDX-License-Identifier: ISC */
/*
 * Streams of nodes to servers, as hptund and hptun-rendezvous keep them over
 * TCP: datagrams arrive in order, all of them and a while later, whatever
 * becomes of UDP. What cannot be delivered for long ends the connection; one
 * that ended is made again as long as the node wants it.
 */
#ifndef SIM_TCP_H
#define SIM_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/path.h"

struct sim_world_node;
struct sim_world_server;

enum sim_tcp_state {
	SIM_TCP_CLOSED,
	SIM_TCP_CONNECTING,	/* until @due_ns */
	SIM_TCP_UP,
	SIM_TCP_BROKEN,		/* the node is to be told */
};

struct sim_tcp_datagram {
	uint64_t sent_ns;
	uint64_t due_ns;
	struct sim_tcp_datagram *next;
	size_t len;
	uint8_t buf[];
};

/* What is under way in one direction, the oldest first. */
struct sim_tcp_way {
	struct sim_tcp_datagram *first;
	struct sim_tcp_datagram *last;
};

/* The stream of a node to one server; @sock: its number there. */
struct sim_tcp {
	enum sim_tcp_state state;
	uint64_t due_ns;
	uint32_t sock;
	struct sim_tcp_way up;
	struct sim_tcp_way down;
};

/* hp_node_ops.stream */
void sim_tcp_want(void *node, unsigned int server, bool on);
/* A datagram by a path of a node, or of a server, that is a stream. */
void sim_tcp_send(struct sim_world_node *x, const struct hp_path *path,
		  const uint8_t *buf, size_t len);
void sim_tcp_answer(struct sim_world_server *v, const struct hp_path *path,
		    const uint8_t *buf, size_t len);
/* What has arrived, or is to be told. */
uint64_t sim_tcp_node_deadline(const struct sim_world_node *x);
void sim_tcp_node_tick(struct sim_world_node *x);
uint64_t sim_tcp_server_deadline(const struct sim_world_server *v);
void sim_tcp_server_tick(struct sim_world_server *v);
/* All streams of it end: its NAT forgot them, or the server died. */
void sim_tcp_node_break(struct sim_world_node *x);
void sim_tcp_server_break(struct sim_world_server *v);
/* The node dies. */
void sim_tcp_node_close(struct sim_world_node *x);

#endif
