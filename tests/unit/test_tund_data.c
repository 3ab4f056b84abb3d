/* SPDX-License-Identifier: ISC */
/*
 * Ports, and the data threads between them and a TUN device: real threads on
 * loopback, with a pair of local sockets in place of each queue of a device.
 * Sessions are made beforehand, in the virtual world; where they are renewed
 * while the threads run, this thread is the control thread of both ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../tund/data.h"
#include "../../tund/device.h"
#include "../../tund/ports.h"
#include "../../tund/queue.h"
#include "sys/quiet.h"
#include "../../tund/tun.h"
#include "base/bytes.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/udp.h"
#include "wg_world.h"

#define WAIT_MS 2000
#define HEAD sizeof(struct virtio_net_hdr)

#define THREADS 4

/* What a data thread has. */
struct lane {
	struct tun tun;
	int app;	/* the other side of the device */
	struct queue *queue;
	struct data *data;
};

struct end {
	unsigned int n;
	struct lane lane[THREADS];
	struct ports *ports;
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

static void lane_open(struct end *e, unsigned int i, struct node *n)
{
	struct lane *l = &e->lane[i];
	struct data_cfg cfg = {
		.thread = i,
		.tun = &l->tun,
		.ports = e->ports,
		.fib = hp_wg_fib(n->wg),
		.engine = hp_wg_engine(n->wg),
		.relayed = true,
		.offload = true,
		.stream = -1,
	};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	l->tun.fd = l->tun.out = fds[0];
	l->app = fds[1];
	cfg.queue = l->queue = queue_new(1u << 20);
	assert_non_null(l->queue);
	assert_int_equal(data_new(&cfg, &l->data), HP_OK);
	assert_int_equal(data_start(l->data), HP_OK);
}

static void end_open(struct end *e, unsigned int threads, struct node *n)
{
	struct hp_fault f;

	e->ports = ports_new(threads);
	assert_non_null(e->ports);
	assert_int_equal(ports_main(e->ports, 0, &f), HP_OK);
	for (e->n = 0; e->n < threads; e->n++)
		lane_open(e, e->n, n);
}

static void end_close(struct end *e)
{
	for (unsigned int i = 0; i < e->n; i++)
		data_free(e->lane[i].data);
	ports_free(e->ports);
	for (unsigned int i = 0; i < e->n; i++) {
		queue_free(e->lane[i].queue);
		close(e->lane[i].tun.fd);
		close(e->lane[i].app);
	}
}

static int both_start(void **state, unsigned int threads)
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
		end_open(&b->end[i], threads, &b->w->node[i]);
	aim(b, 0, port_of(&b->end[1], 0), 0);
	aim(b, 1, port_of(&b->end[0], 0), 0);
	*state = b;
	return 0;
}

static int both_up(void **state)
{
	return both_start(state, 1);
}

static int four_each(void **state)
{
	return both_start(state, THREADS);
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
	assert_int_equal(send(b->end[from].lane[0].app, buf, HEAD + len, 0),
			 HEAD + len);
}

/* Length of the next packet out of the device of end @to, 0: none came. */
static size_t hear(struct both *b, size_t to, int wait_ms)
{
	struct pollfd p = { .fd = b->end[to].lane[0].app, .events = POLLIN };
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
	struct queue *q = b->end[i].lane[0].queue;
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
		data_stats(b->end[0].lane[0].data, &stats);
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

/* ---- several threads ----------------------------------------------------- */

#define PACKETS 3000	/* of each flow: one for each queue of a device */
#define LEN 600
#define BURST 8		/* then a pause, for what is read too late is lost */
#define PAUSE_US 1000
#define RENEW_NS (40 * HP_MS)

/* The users of one end: who puts packets into its device, and who takes out
 * what came from the other end. Counted is what must not happen.
 */
struct users {
	struct both *b;
	size_t i;
	pthread_t writer, reader;
	atomic_bool written, stop;
	uint8_t bytes[HEAD + WORLD_MTU];
	unsigned int got[THREADS];
	unsigned int strange, twice, late;
	uint32_t next[THREADS];
	bool seen[THREADS][PACKETS];
};

static void *writes(void *ctx)
{
	struct users *u = ctx;

	for (uint32_t k = 0; k < PACKETS; k++) {
		for (uint32_t flow = 0; flow < THREADS; flow++) {
			hp_put_be32(u->bytes + HEAD + 20, flow << 24 | k);
			(void)!send(u->b->end[u->i].lane[flow].app, u->bytes,
				    HEAD + LEN, 0);
		}
		if (k % BURST == 0)
			usleep(PAUSE_US);
	}
	u->written = true;
	return NULL;
}

static void take(struct users *u, const uint8_t *inner, ssize_t len)
{
	uint32_t mark = hp_get_be32(inner + 20), k = mark & 0xffffff;
	uint32_t flow = mark >> 24;

	if (len != LEN || flow >= THREADS || k >= PACKETS ||
	    inner[LEN - 1] != (uint8_t)(LEN - 1)) {
		u->strange++;
		return;
	}
	u->twice += u->seen[flow][k];
	u->late += k < u->next[flow];
	u->seen[flow][k] = true;
	u->next[flow] = k + 1;
	u->got[flow]++;
}

static void *reads(void *ctx)
{
	struct users *u = ctx;
	struct pollfd p[THREADS];
	uint8_t buf[HEAD + WORLD_MTU];
	ssize_t n;

	for (size_t i = 0; i < THREADS; i++)
		p[i] = (struct pollfd){ u->b->end[u->i].lane[i].app, POLLIN, 0 };
	while (!u->stop) {
		(void)poll(p, THREADS, 10);
		for (size_t i = 0; i < THREADS; i++)
			while ((n = recv(p[i].fd, buf, sizeof(buf),
					 MSG_DONTWAIT)) > 0)
				take(u, buf + HEAD, n - (ssize_t)HEAD);
	}
	return NULL;
}

static struct users *users_begin(struct both *b, size_t i)
{
	struct users *u = calloc(1, sizeof(*u));

	assert_non_null(u);
	u->b = b;
	u->i = i;
	world_packet(b->w, i, 1 - i, LEN, u->bytes + HEAD);
	assert_int_equal(pthread_create(&u->reader, NULL, reads, u), 0);
	assert_int_equal(pthread_create(&u->writer, NULL, writes, u), 0);
	return u;
}

static void users_end(struct users *u)
{
	assert_int_equal(pthread_join(u->writer, NULL), 0);
	u->stop = true;
	assert_int_equal(pthread_join(u->reader, NULL), 0);
	print_message("end %zu got %u, %u, %u and %u of %d; late %u\n", u->i,
		      u->got[0], u->got[1], u->got[2], u->got[3], PACKETS,
		      u->late);
}

/* What the ends' WireGuard engines said to each other is heard at once. */
static void pass_handshakes(struct both *b, uint64_t now_ns)
{
	struct world *w = b->w;

	while (w->n_wire) {
		struct datagram d = w->wire[--w->n_wire];
		size_t to = hp_addr_eq(&d.from, &w->node[0].addr);
		struct hp_path from = to_port(port_of(&b->end[1 - to], 0), 0);
		struct hp_pkt p = hp_pkt_of(d.bytes, sizeof(d.bytes), 0, d.len);

		(void)!hp_wg_rx(w->node[to].wg, &from, &p, now_ns);
	}
}

/* A turn of the control thread of end @i. */
static void control(struct both *b, size_t i, uint64_t now_ns)
{
	struct hp_wg *wg = b->w->node[i].wg;
	struct end *e = &b->end[i];
	struct queue_record r;
	struct hp_notice n;

	for (unsigned int k = 0; k < e->n; k++) {
		queue_woken(e->lane[k].queue);
		for (; queue_peek(e->lane[k].queue, &r);
		     queue_pop(e->lane[k].queue)) {
			if (r.kind != QUEUE_NOTICE)
				continue;
			memcpy(&n, r.pkt.data, sizeof(n));
			hp_wg_notice(wg, &n, now_ns);
		}
	}
	pass_handshakes(b, now_ns);
	if (!hp_fib_retired(hp_wg_fib(wg)))
		return;
	hp_quiet_wait(e->ports);
	hp_fib_reclaim(hp_wg_fib(wg));
}

/* Four threads at each end send and receive on the same sessions, which are
 * renewed all the time; @turn is called before each renewal.
 */
static void all_at_once(struct both *b, struct users *u[2],
			void (*turn)(struct both *b, unsigned int n))
{
	uint64_t now_ns = hp_clock_now(), renew_ns = 0, end_ns = HP_NEVER;
	unsigned int n = 0;

	for (size_t i = 0; i < 2; i++) {
		hp_wg_peer_set_roaming(b->w->node[i].peer[1 - i], false);
		u[i] = users_begin(b, i);
	}
	for (; now_ns < end_ns; now_ns = hp_clock_now()) {
		b->w->now_ns = now_ns;
		if (now_ns >= renew_ns && end_ns == HP_NEVER) {
			if (turn)
				turn(b, n);
			hp_wg_renew(b->w->node[n % 2].peer[1 - n % 2], now_ns);
			renew_ns = now_ns + RENEW_NS;
			n++;
		}
		for (size_t i = 0; i < 2; i++)
			control(b, i, now_ns);
		usleep(1000);
		if (end_ns == HP_NEVER && u[0]->written && u[1]->written)
			end_ns = now_ns + 200 * HP_MS;
	}
	users_end(u[0]);
	users_end(u[1]);
	assert_in_range(b->w->node[0].events[HP_WG_SESSION_UP], 2, 10000);
}

static void check_users(struct users *u[2])
{
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(u[i]->strange, 0);
		assert_int_equal(u[i]->twice, 0);
		for (size_t flow = 0; flow < THREADS; flow++)
			assert_in_range(u[i]->got[flow], PACKETS / 10, PACKETS);
	}
}

static void four_threads_keep_the_order_of_each_flow(void **state)
{
	struct both *b = *state;
	struct users *u[2];

	all_at_once(b, u, NULL);
	check_users(u);
	assert_int_equal(u[0]->late, 0);
	assert_int_equal(u[1]->late, 0);
	free(u[0]);
	free(u[1]);
}

/* Both ends send everything over two paths, ever other ones. */
static void change_paths(struct both *b, unsigned int n)
{
	static uint32_t sock[2][THREADS];
	struct hp_path also;

	for (size_t i = 0; i < 2; i++) {
		uint32_t k;

		for (k = 0; !n && k < THREADS; k++)
			assert_int_equal(ports_open(b->end[i].ports,
						    &sock[i][k]), HP_OK);
	}
	for (size_t i = 0; i < 2; i++) {
		uint32_t to = sock[1 - i][n % THREADS];

		also = to_port(port_of(&b->end[1 - i], n / 4 % 2 ? 0 : to),
			       sock[i][(n + 1) % THREADS]);
		assert_int_equal(hp_wg_peer_set_also(b->w->node[i].peer[1 - i],
						     &also), HP_OK);
		aim(b, i, port_of(&b->end[1 - i], n / 4 % 2 ? to : 0),
		    n / 2 % 2 ? sock[i][n % THREADS] : 0);
	}
}

static void what_several_threads_get_by_two_paths_arrives_once(void **state)
{
	struct both *b = *state;
	struct users *u[2];

	all_at_once(b, u, change_paths);
	check_users(u);
	assert_true(hp_fib_drops(hp_wg_fib(b->w->node[0].wg),
				 HP_DROP_REPLAY) > 0);
	free(u[0]);
	free(u[1]);
}

static void as_many_threads_as_processors_can_feed(void **state)
{
	static const unsigned int by[][2] = {
		{ 1, 1 }, { 2, 1 }, { 3, 1 }, { 4, 2 }, { 8, 4 }, { 64, 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++)
		assert_int_equal(device_threads_auto(by[i][0]), by[i][1]);
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
		cmocka_unit_test(as_many_threads_as_processors_can_feed),
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
		cmocka_unit_test_setup_teardown(
			four_threads_keep_the_order_of_each_flow, four_each,
			both_down),
		cmocka_unit_test_setup_teardown(
			what_several_threads_get_by_two_paths_arrives_once,
			four_each, both_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
