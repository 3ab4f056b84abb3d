/* SPDX-License-Identifier: ISC */
/*
 * Two ends of a relay channel, or of a plain path, in one process:
 *
 *	ends NETNS_A NETNS_B SECONDS MBIT B_ADDR [SERVER]
 *
 * With SERVER (an IPv4 address) both register there, A asks for B, and A sends
 * on the channel; else A sends to B_ADDR. A sends as hptund does, 40 datagrams
 * of 1,440 bytes in a piece (UDP_SEGMENT), at MBIT Mbit/s (0: as fast as it
 * can); B takes them joined. Prints bytes that came, datagrams lost, and the
 * processor seconds of both ends, the kernel's forwarding included as far as it
 * is done on their account.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "base/time.h"
#include "meet/client.h"
#include "sys/clock.h"
#include "sys/rng.h"
#include "sys/udp.h"

#define SIZE 1440
#define PIECE 40
#define PORT 7000

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

struct end {
	int fd;
	struct hp_meet_client *client;
	bool up;
	uint32_t channel;
};

struct flow {
	int fd;
	struct sockaddr_in to;
	uint32_t channel;
	double seconds, mbit;
	_Atomic uint64_t sent;
	_Atomic bool done;
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt");
}

/* A socket belongs to the namespace that it was made in. */
static int socket_in(const char *netns)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(PORT) };
	int ns = open(netns, O_RDONLY | O_CLOEXEC), fd;

	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die(netns);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20);
	set(fd, SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20);
	close(ns);
	return fd;
}

/* ---- registering ---- */

static void on_send(void *ctx, const struct hp_addr *dst, const uint8_t *buf,
		    size_t len)
{
	struct sockaddr_storage ss;
	socklen_t n = hp_addr_to_sockaddr(dst, &ss);

	sendto(((struct end *)ctx)->fd, buf, len, 0, (struct sockaddr *)&ss, n);
}

static void on_event(void *ctx, const struct hp_meet_event *ev)
{
	struct end *e = ctx;

	if (ev->kind == HP_MEET_EV_REGISTERED)
		e->up = true;
	else if (ev->kind == HP_MEET_EV_INTRO)
		e->channel = ev->channel;
}

static const struct hp_meet_ops ops = { on_send, on_event };

static void turn(struct end *e)
{
	struct pollfd p = { .fd = e->fd, .events = POLLIN };
	struct sockaddr_storage from;
	socklen_t n = sizeof(from);
	uint8_t buf[2048];
	struct hp_addr a;
	ssize_t len;

	if (poll(&p, 1, 2) > 0) {
		len = recvfrom(e->fd, buf, sizeof(buf), 0,
			       (struct sockaddr *)&from, &n);
		a = hp_addr_from_sockaddr((struct sockaddr *)&from);
		if (len > 0 && hp_meet_rx(e->client, &a, buf, (size_t)len,
					  hp_clock_now()))
			fprintf(stderr, "ends: a strange datagram\n");
	}
	if (hp_meet_deadline(e->client) <= hp_clock_now())
		hp_meet_tick(e->client, hp_clock_now());
}

static void meet(struct end e[2], const struct hp_addr *server)
{
	const struct hp_rng rng = hp_rng_system();
	struct hp_meet_config cfg = {
		.server = { *server }, .rng = &rng, .ops = &ops
	};
	uint64_t until = hp_clock_now() + 5 * HP_S;

	hp_rng_fill(&rng, cfg.seed.b, sizeof(cfg.seed.b));
	for (int i = 0; i < 2; i++) {
		cfg.slot[0] = (uint8_t)i;
		cfg.ctx = &e[i];
		e[i].client = hp_meet_new(&cfg);
		if (!e[i].client ||
		    hp_meet_set_record(e[i].client, cfg.slot, 1,
				       hp_clock_now()))
			die("client");
	}
	while (!e[0].up || !e[1].up) {
		turn(&e[0]);
		turn(&e[1]);
		if (hp_clock_now() > until)
			die("no registration");
	}
	if (hp_meet_connect(e[0].client, cfg.slot, cfg.slot, 1,
			    hp_clock_now()))
		die("connect");
	while (!e[0].channel || !e[1].channel) {
		turn(&e[0]);
		turn(&e[1]);
		if (hp_clock_now() > until)
			die("no channel");
	}
}

/* ---- the flow ---- */

static void *sender(void *ctx)
{
	static uint8_t piece[PIECE * SIZE];
	struct flow *f = ctx;
	uint64_t start = hp_clock_now(), now;

	set(f->fd, IPPROTO_UDP, UDP_SEGMENT, SIZE);
	for (int i = 0; i < PIECE; i++) {
		hp_datagram_head(piece + i * SIZE, HP_KIND_RELAY);
		hp_put_be32(piece + i * SIZE + HP_WIRE_HEAD, f->channel);
	}
	while ((now = hp_clock_now()) - start < f->seconds * 1e9) {
		double due = (double)(now - start) * f->mbit / 8e3;
		struct timespec t = { .tv_nsec = 100000 };

		if (f->mbit && (double)f->sent > due) {
			nanosleep(&t, NULL);
			continue;
		}
		if (sendto(f->fd, piece, sizeof(piece), 0,
			   (struct sockaddr *)&f->to, sizeof(f->to)) > 0)
			f->sent += sizeof(piece);
	}
	nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	f->done = true;
	return NULL;
}

static uint64_t receive_all(int fd, const struct flow *f)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static uint8_t buf[65536];
	uint64_t came = 0;

	set(fd, IPPROTO_UDP, UDP_GRO, 1);
	while (!f->done) {
		ssize_t n;

		if (poll(&p, 1, 50) <= 0)
			continue;
		while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			came += n >= SIZE ? (uint64_t)n : 0;
	}
	return came;
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	struct flow f = { .to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT) } };
	struct end e[2] = { 0 };
	struct hp_addr server;
	pthread_t thread;
	uint64_t came;
	double before;

	if (argc < 6 || hp_crypto_init()) {
		fprintf(stderr, "usage: ends NETNS_A NETNS_B SECONDS MBIT "
				"B_ADDR [SERVER]\n");
		return 2;
	}
	e[0].fd = socket_in(argv[1]);
	e[1].fd = socket_in(argv[2]);
	f.fd = e[0].fd;
	f.seconds = atof(argv[3]);
	f.mbit = atof(argv[4]);
	inet_pton(AF_INET, argv[5], &f.to.sin_addr);
	if (argc > 6) {
		if (hp_addr_parse(argv[6], HP_MEET_PORT, &server, NULL))
			die(argv[6]);
		meet(e, &server);
		f.channel = e[0].channel;
		f.to.sin_port = htons(HP_MEET_PORT);
		inet_pton(AF_INET, argv[6], &f.to.sin_addr);
	}
	before = cpu_s();
	if (pthread_create(&thread, NULL, sender, &f))
		die("thread");
	came = receive_all(e[1].fd, &f);
	pthread_join(thread, NULL);
	printf("%llu %llu %.3f\n", (unsigned long long)came,
	       (unsigned long long)((f.sent - came) / SIZE),
	       cpu_s() - before);
	return 0;
}
