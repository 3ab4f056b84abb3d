/* SPDX-License-Identifier: ISC */
/*
 * Ports, and the data thread between them and a TUN device: two real threads on
 * loopback, with a pair of local sockets in place of each device. Sessions are
 * made beforehand, in the virtual world.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../tund/data.h"
#include "../../tund/ports.h"
#include "../../tund/queue.h"
#include "sys/quiet.h"
#include "../../tund/tun.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/udp.h"
#include "wg_world.h"

#define WAIT_MS 2000
#define HEAD sizeof(struct virtio_net_hdr)

struct end {
	struct tun tun;
	int app;	/* the other side of the device */
	struct ports *ports;
	struct queue *queue;
	struct data *data;
};

struct both {
	struct world *w;
	struct end end[2];
};

static struct hp_path to_port(uint16_t port, uint32_t sock)
{
	return (struct hp_path){
		.remote = hp_addr4(127, 0, 0, 1, port),
		.sock = sock,
	};
}

/* Where end @i sends to, and from which of its ports. */
static void aim(struct both *b, size_t i, uint16_t port, uint32_t sock)
{
	struct node *n = &b->w->node[i];
	struct hp_path path = to_port(port, sock);

	assert_int_equal(hp_wg_peer_set_path(n->peer[1 - i], &path,
					     hp_clock_now()), HP_OK);
}

static uint16_t port_of(const struct end *e, uint32_t sock)
{
	const struct hp_udp *u = ports_find(e->ports, 0, sock);

	assert_non_null(u);
	return u->port;
}

static void end_open(struct end *e, struct node *n)
{
	struct data_cfg cfg = {
		.tun = &e->tun,
		.fib = hp_wg_fib(n->wg),
		.engine = HP_AEAD_AUTO,
		.relayed = true,
		.offload = true,
		.stream = -1,
	};
	struct hp_fault f;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	e->tun.fd = e->tun.out = fds[0];
	e->app = fds[1];
	cfg.ports = e->ports = ports_new(1);
	cfg.queue = e->queue = queue_new(1u << 20);
	assert_non_null(e->ports);
	assert_non_null(e->queue);
	assert_int_equal(ports_main(e->ports, 0, &f), HP_OK);
	assert_int_equal(data_new(&cfg, &e->data), HP_OK);
	assert_int_equal(data_start(e->data), HP_OK);
}

static void end_close(struct end *e)
{
	data_free(e->data);
	ports_free(e->ports);
	queue_free(e->queue);
	close(e->tun.fd);
	close(e->app);
}

static int both_up(void **state)
{
	struct both *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->w = world_new(1, 2, true);
	/* What the world does takes a second, which must not lie ahead. */
	b->w->now_ns = hp_clock_now() - 2 * HP_S;
	world_send(b->w, 0, 1, 60);
	world_wait(b->w, HP_S / 2);
	world_send(b->w, 1, 0, 60);
	world_wait(b->w, HP_S / 2);
	for (size_t i = 0; i < 2; i++)
		end_open(&b->end[i], &b->w->node[i]);
	aim(b, 0, port_of(&b->end[1], 0), 0);
	aim(b, 1, port_of(&b->end[0], 0), 0);
	*state = b;
	return 0;
}

static int both_down(void **state)
{
	struct both *b = *state;

	for (size_t i = 0; i < 2; i++)
		end_close(&b->end[i]);
	world_free(b->w);
	free(b);
	return 0;
}

static void say(struct both *b, size_t from, size_t len)
{
	uint8_t buf[HEAD + WORLD_MTU] = { 0 };

	world_packet(b->w, from, 1 - from, len, buf + HEAD);
	assert_int_equal(send(b->end[from].app, buf, HEAD + len, 0),
			 HEAD + len);
}

/* Length of the next packet out of the device of end @to, 0: none came. */
static size_t hear(struct both *b, size_t to, int wait_ms)
{
	struct pollfd p = { .fd = b->end[to].app, .events = POLLIN };
	uint8_t buf[HEAD + 65536];
	ssize_t n;

	if (poll(&p, 1, wait_ms) != 1)
		return 0;
	n = recv(p.fd, buf, sizeof(buf), 0);
	assert_true(n > (ssize_t)HEAD);
	return (size_t)n - HEAD;
}

/* The first record of @kind that end @i hands to its control thread. */
static bool told(struct both *b, size_t i, enum queue_kind kind,
		 struct hp_path *from, void *bytes, size_t len)
{
	struct queue *q = b->end[i].queue;
	struct pollfd p = { .fd = queue_fd(q), .events = POLLIN };
	struct queue_record r;

	while (poll(&p, 1, WAIT_MS) == 1) {
		queue_woken(q);
		for (; queue_peek(q, &r); queue_pop(q)) {
			if (r.kind != kind)
				continue;
			assert_int_equal(r.pkt.len, len);
			*from = r.from;
			memcpy(bytes, r.pkt.data, len);
			queue_pop(q);
			return true;
		}
	}
	return false;
}

static void packets_cross_both_ways(void **state)
{
	struct both *b = *state;

	for (size_t len = 40; len < 1400; len += 97) {
		say(b, 0, len);
		assert_int_equal(hear(b, 1, WAIT_MS), len);
		say(b, 1, len);
		assert_int_equal(hear(b, 0, WAIT_MS), len);
	}
}

static void extra_ports_send_and_receive(void **state)
{
	struct both *b = *state;
	uint32_t sock[8];

	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(ports_open(b->end[0].ports, &sock[i]), HP_OK);
		aim(b, 0, port_of(&b->end[1], 0), sock[i]);
		aim(b, 1, port_of(&b->end[0], sock[i]), 0);
		say(b, 0, 100 + i);
		assert_int_equal(hear(b, 1, WAIT_MS), 100 + i);
		say(b, 1, 200 + i);
		assert_int_equal(hear(b, 0, WAIT_MS), 200 + i);
	}
}

static void what_arrives_bears_the_number_of_its_port(void **state)
{
	const struct hp_path none = { 0 };
	struct both *b = *state;
	struct hp_path path, from;
	uint32_t sock[2];
	char got[5];

	assert_int_equal(ports_open(b->end[0].ports, &sock[0]), HP_OK);
	assert_int_equal(ports_open(b->end[0].ports, &sock[1]), HP_OK);
	for (size_t i = 0; i < 3; i++) {
		uint32_t at = i < 2 ? sock[i] : 0;

		path = to_port(port_of(&b->end[0], at), 0);
		from = none;
		assert_int_equal(hp_udp_send(ports_find(b->end[1].ports, 0, 0),
					     &path, 0, "hello", 5), HP_OK);
		assert_true(told(b, 0, QUEUE_DATAGRAM, &from, got, 5));
		assert_memory_equal(got, "hello", 5);
		assert_int_equal(from.sock, at);
		assert_int_equal(from.remote.port, port_of(&b->end[1], 0));
	}
}

static void the_main_port_moves_without_loss_of_what_follows(void **state)
{
	struct both *b = *state;
	uint16_t was = port_of(&b->end[0], 0);
	struct hp_fault f;

	assert_int_equal(ports_main(b->end[0].ports, 0, &f), HP_OK);
	assert_int_not_equal(port_of(&b->end[0], 0), was);
	aim(b, 1, port_of(&b->end[0], 0), 0);
	assert_true(ports_retired(b->end[0].ports));
	hp_quiet_wait(b->end[0].ports);
	ports_reclaim(b->end[0].ports);
	assert_false(ports_retired(b->end[0].ports));
	say(b, 0, 100);
	assert_int_equal(hear(b, 1, WAIT_MS), 100);
	say(b, 1, 101);
	assert_int_equal(hear(b, 0, WAIT_MS), 101);
}

/* Packets over a closed port are lost and counted, nothing else; and closing
 * under fire harms nobody.
 */
static void a_port_closes_while_packets_go_over_it(void **state)
{
	struct both *b = *state;
	struct data_stats stats;
	uint32_t sock = 0;

	for (unsigned int round = 0; round < 50; round++) {
		assert_int_equal(ports_open(b->end[0].ports, &sock), HP_OK);
		aim(b, 0, port_of(&b->end[1], 0), sock);
		for (size_t i = 0; i < 20; i++)
			say(b, 0, 1000);
		ports_close(b->end[0].ports, sock);
		hp_quiet_wait(b->end[0].ports);
		ports_reclaim(b->end[0].ports);
		hp_fib_reclaim(hp_wg_fib(b->w->node[0].wg));
		while (hear(b, 1, 0))
			;
	}
	say(b, 0, 100);
	for (unsigned int i = 0; i < WAIT_MS; i++) {
		data_stats(b->end[0].data, &stats);
		if (stats.not_sent)
			break;
		usleep(1000);
	}
	assert_true(stats.not_sent > 0);
	assert_null(ports_find(b->end[0].ports, 0, sock));
	while (hear(b, 1, 20))
		;
	aim(b, 0, port_of(&b->end[1], 0), 0);
	say(b, 0, 77);
	assert_int_equal(hear(b, 1, WAIT_MS), 77);
}

static void a_refused_send_is_told_with_its_path(void **state)
{
	const struct hp_path bad = { .remote = hp_addr4(255, 255, 255, 255, 9) };
	struct both *b = *state;
	struct hp_path path = { 0 };
	int err = 0;

	assert_int_equal(hp_wg_peer_set_path(b->w->node[0].peer[1], &bad,
					     hp_clock_now()), HP_OK);
	say(b, 0, 100);
	assert_true(told(b, 0, QUEUE_FAILED, &path, &err, sizeof(err)));
	assert_true(hp_path_eq(&path, &bad));
	assert_int_equal(err, EACCES);
}

/* ---- ports alone --------------------------------------------------------- */

static void extra_ports_end_at_their_number(void **state)
{
	struct ports *p = ports_new(1);
	uint32_t sock[PORTS_EXTRA_MAX], more;

	(void)state;
	assert_non_null(p);
	for (uint32_t i = 0; i < PORTS_EXTRA_MAX; i++) {
		assert_int_equal(ports_open(p, &sock[i]), HP_OK);
		assert_int_equal(sock[i], i + 1);
	}
	assert_int_equal(ports_open(p, &more), HP_ERR_FULL);
	ports_close(p, sock[7]);
	assert_true(ports_retired(p));
	assert_int_equal(ports_open(p, &more), HP_OK);
	ports_free(p);
}

static void a_number_is_never_given_again(void **state)
{
	struct ports *p = ports_new(1);
	uint32_t sock, last = 0;

	(void)state;
	assert_non_null(p);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(ports_open(p, &sock), HP_OK);
		assert_int_not_equal(sock, last);
		assert_non_null(ports_find(p, 0, sock));
		if (last)
			assert_null(ports_find(p, 0, last));
		ports_close(p, sock);
		assert_null(ports_find(p, 0, sock));
		last = sock;
	}
	ports_close(p, last);
	ports_close(p, 0);
	ports_free(p);
}

static void too_few_descriptors_mean_full(void **state)
{
	struct ports *p = ports_new(1);
	struct rlimit was, tight;
	uint32_t sock, n = 0;
	enum hp_err err;

	(void)state;
	assert_non_null(p);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	tight = was;
	tight.rlim_cur = 40;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while (!(err = ports_open(p, &sock)))
		n++;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(err, HP_ERR_FULL);
	assert_true(n > 0 && n < 40);
	assert_int_equal(ports_open(p, &sock), HP_OK);
	ports_free(p);
}

static void a_port_in_use_leaves_the_old_one(void **state)
{
	struct ports *p = ports_new(1);
	struct hp_udp other;
	struct hp_fault f;
	uint16_t port;

	(void)state;
	assert_non_null(p);
	assert_int_equal(hp_udp_open(&other, 0, 0, &f), HP_OK);
	assert_int_equal(ports_main(p, 0, &f), HP_OK);
	port = ports_find(p, 0, 0)->port;
	assert_int_equal(ports_main(p, other.port, &f), HP_ERR_EXISTS);
	assert_int_equal(ports_find(p, 0, 0)->port, port);
	hp_udp_close(&other);
	ports_free(p);
}

#define between(fn) cmocka_unit_test_setup_teardown(fn, both_up, both_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extra_ports_end_at_their_number),
		cmocka_unit_test(a_number_is_never_given_again),
		cmocka_unit_test(too_few_descriptors_mean_full),
		cmocka_unit_test(a_port_in_use_leaves_the_old_one),
		between(packets_cross_both_ways),
		between(extra_ports_send_and_receive),
		between(what_arrives_bears_the_number_of_its_port),
		between(the_main_port_moves_without_loss_of_what_follows),
		between(a_port_closes_while_packets_go_over_it),
		between(a_refused_send_is_told_with_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
