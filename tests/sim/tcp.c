/* SPDX-License-Identifier: ISC */
#include "../sim/tcp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../sim/world.h"
#include "base/pkt.h"
#include "meet/registry.h"

/* An unplugged host is tried so often, and for so long. */
#define AGAIN_NS (200 * HP_MS)
#define TIMEOUT_NS (15 * HP_S)
/* After a failure. */
#define RETRY_NS (2 * HP_S)

static uint64_t now_of(const struct sim_world_node *x)
{
	return sim_now(x->world->sim);
}

static struct sim_world_server *server_of(struct sim_world_node *x,
					  const struct sim_tcp *t)
{
	return &x->world->servers[t - x->tcp];
}

static uint64_t delay_of(struct sim_world_node *x, const struct sim_tcp *t)
{
	return sim_host_delay(x->host) +
	       sim_host_delay(server_of(x, t)->host);
}

static void pop(struct sim_tcp_way *w)
{
	struct sim_tcp_datagram *d = w->first;

	w->first = d->next;
	free(d);
}

static void push(struct sim_tcp_way *w, uint64_t now_ns, uint64_t delay_ns,
		 const uint8_t *buf, size_t len)
{
	struct sim_tcp_datagram *d = calloc(1, sizeof(*d) + len);

	assert(d);
	d->sent_ns = now_ns;
	d->due_ns = now_ns + delay_ns;
	d->len = len;
	memcpy(d->buf, buf, len);
	if (w->first)
		w->last->next = d;
	else
		w->first = d;
	w->last = d;
}

static void set(struct sim_tcp *t, enum sim_tcp_state state, uint64_t due_ns)
{
	while (t->up.first)
		pop(&t->up);
	while (t->down.first)
		pop(&t->down);
	t->state = state;
	t->due_ns = due_ns;
}

void sim_tcp_want(void *node, unsigned int server, bool on)
{
	struct sim_world_node *x = node;
	struct sim_tcp *t = &x->tcp[server];

	if (!on)
		set(t, SIM_TCP_CLOSED, HP_NEVER);
	else if (t->state == SIM_TCP_CLOSED)
		set(t, SIM_TCP_CONNECTING, now_of(x) + 2 * delay_of(x, t));
}

void sim_tcp_send(struct sim_world_node *x, const struct hp_path *path,
		  const uint8_t *buf, size_t len)
{
	struct sim_tcp *t = &x->tcp[path->sock - HP_SOCK_STREAM];

	if (t->state == SIM_TCP_UP)
		push(&t->up, now_of(x), delay_of(x, t), buf, len);
}

void sim_tcp_answer(struct sim_world_server *v, const struct hp_path *path,
		    const uint8_t *buf, size_t len)
{
	struct sim_world *w = v->world;

	for (unsigned int i = 0; i < w->n_nodes; i++) {
		struct sim_world_node *x = &w->nodes[i];
		struct sim_tcp *t = &x->tcp[v - w->servers];

		if (t->state == SIM_TCP_UP && t->sock == path->sock)
			push(&t->down, now_of(x), delay_of(x, t), buf, len);
	}
}

/* The first of @w if its time has come; what waits for a host that is
 * unplugged is sent again later, or is the end.
 */
static struct sim_tcp_datagram *arrived(struct sim_world_node *x,
					struct sim_tcp *t,
					struct sim_tcp_way *w)
{
	struct sim_tcp_datagram *d = w->first;

	if (!d || d->due_ns > now_of(x))
		return NULL;
	if (now_of(x) - d->sent_ns > TIMEOUT_NS)
		set(t, SIM_TCP_BROKEN, now_of(x));
	else if (sim_host_is_down(x->host))
		d->due_ns = now_of(x) + AGAIN_NS;
	else
		return d;
	return NULL;
}

/* ---- the node's end ------------------------------------------------------ */

static void take_down(struct sim_world_node *x, struct sim_tcp *t)
{
	unsigned int i = (unsigned int)(t - x->tcp);
	struct hp_path from = { .sock = HP_SOCK_STREAM + i };
	struct hp_node_server_info info;
	struct sim_tcp_datagram *d;

	hp_node_server_get(x->node, i, &info);
	from.remote = info.addr;
	while (t->state == SIM_TCP_UP && (d = arrived(x, t, &t->down))) {
		struct hp_pkt pkt = hp_pkt_of(d->buf, d->len, 0, d->len);

		t->down.first = d->next;
		hp_node_rx(x->node, &from, &pkt, now_of(x));
		free(d);
	}
}

static void connected(struct sim_world_node *x, struct sim_tcp *t)
{
	unsigned int i = (unsigned int)(t - x->tcp);

	if (server_of(x, t)->registry && !sim_host_is_down(x->host)) {
		t->sock = HP_SOCK_STREAM + ++x->world->n_streams;
		set(t, SIM_TCP_UP, HP_NEVER);
		hp_node_stream(x->node, i, HP_OVER_TCP, NULL, now_of(x));
	} else {
		set(t, SIM_TCP_CONNECTING, now_of(x) + RETRY_NS);
		hp_node_stream(x->node, i, HP_OVER_UDP, "refused", now_of(x));
	}
}

uint64_t sim_tcp_node_deadline(const struct sim_world_node *x)
{
	uint64_t due = HP_NEVER;

	for (unsigned int i = 0; i < x->world->n_servers; i++) {
		const struct sim_tcp *t = &x->tcp[i];

		if (t->state != SIM_TCP_CLOSED)
			due = hp_time_min(due, t->due_ns);
		if (t->down.first)
			due = hp_time_min(due, t->down.first->due_ns);
	}
	return due;
}

void sim_tcp_node_tick(struct sim_world_node *x)
{
	for (unsigned int i = 0; i < x->world->n_servers; i++) {
		struct sim_tcp *t = &x->tcp[i];

		take_down(x, t);
		if (t->due_ns > now_of(x))
			continue;
		if (t->state == SIM_TCP_CONNECTING) {
			connected(x, t);
		} else if (t->state == SIM_TCP_BROKEN) {
			set(t, SIM_TCP_CONNECTING, now_of(x) + RETRY_NS);
			hp_node_stream(x->node, i, HP_OVER_UDP, "it ended",
				       now_of(x));
		}
	}
}

void sim_tcp_node_break(struct sim_world_node *x)
{
	for (unsigned int i = 0; i < x->world->n_servers; i++)
		if (x->tcp[i].state == SIM_TCP_UP)
			set(&x->tcp[i], SIM_TCP_BROKEN, now_of(x));
}

void sim_tcp_node_close(struct sim_world_node *x)
{
	for (unsigned int i = 0; i < x->world->n_servers; i++)
		set(&x->tcp[i], SIM_TCP_CLOSED, HP_NEVER);
}

/* ---- the server's end ---------------------------------------------------- */

static void take_up(struct sim_world_server *v, struct sim_world_node *x,
		    struct sim_tcp *t)
{
	const struct hp_path from = {
		.remote = sim_host_addr(x->host, (uint16_t)t->sock),
		.sock = t->sock,
	};
	struct sim_tcp_datagram *d;

	while (t->state == SIM_TCP_UP && (d = arrived(x, t, &t->up))) {
		t->up.first = d->next;
		hp_registry_rx(v->registry, &from, d->buf, d->len, now_of(x));
		free(d);
	}
}

uint64_t sim_tcp_server_deadline(const struct sim_world_server *v)
{
	const struct sim_world *w = v->world;
	uint64_t due = HP_NEVER;

	for (unsigned int i = 0; i < w->n_nodes; i++) {
		const struct sim_tcp *t = &w->nodes[i].tcp[v - w->servers];

		if (t->up.first)
			due = hp_time_min(due, t->up.first->due_ns);
	}
	return due;
}

void sim_tcp_server_tick(struct sim_world_server *v)
{
	struct sim_world *w = v->world;

	for (unsigned int i = 0; i < w->n_nodes; i++)
		take_up(v, &w->nodes[i], &w->nodes[i].tcp[v - w->servers]);
}

void sim_tcp_server_break(struct sim_world_server *v)
{
	struct sim_world *w = v->world;

	for (unsigned int i = 0; i < w->n_nodes; i++) {
		struct sim_tcp *t = &w->nodes[i].tcp[v - w->servers];

		if (t->state == SIM_TCP_UP)
			set(t, SIM_TCP_BROKEN, sim_now(w->sim));
	}
}
