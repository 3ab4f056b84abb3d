/* SPDX-License-Identifier: ISC */
/*
 * The highest rate of UDP datagrams that arrive, found by steps.
 *
 *	pace receive PORT		counts, until a signal ends it
 *	pace search ADDR PORT SIZE	prints datagrams/s and Gbit/s of payload
 *
 * A step sends for STEP_NS at an even rate and then asks how many came. It has
 * passed when no more than one in LOSS_PART is missing, in one of two tries: a
 * machine that does other things as well loses one now and then. The rate grows
 * by half until a step fails, and is then halved in between. Both ends send and
 * receive in batches, as a program does that wants to be fast; neither joins
 * datagrams, so that every one passes the kernel alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define SIZE_MAX_BYTES 1400
#define STEP_NS 200000000
#define TICK_NS 200000
#define LOSS_PART 1000
#define FIRST_RATE 5000.0
#define LAST_RATE 4e6
#define HALVINGS 4
#define BUFFER (4 << 20)

enum { DATA = 0x70616365, ASK = 0x61736b3f };

struct head {
	uint32_t kind;
	uint32_t run;
	uint32_t count; /* of an answer: how many came */
};

struct lane {
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	uint8_t room[BATCH][SIZE_MAX_BYTES];
};

static struct lane lane;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void prepare(size_t len)
{
	for (int i = 0; i < BATCH; i++) {
		lane.iov[i] = (struct iovec){ lane.room[i], len };
		lane.msg[i].msg_hdr.msg_iov = &lane.iov[i];
		lane.msg[i].msg_hdr.msg_iovlen = 1;
	}
}

static int udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int size = BUFFER;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

/* ---- the receiver ---- */

struct tally {
	uint32_t run;
	uint32_t count;
};

static void take(int fd, struct tally *t, const uint8_t *p,
		 const struct sockaddr_in *from)
{
	struct head h;

	memcpy(&h, p, sizeof(h));
	if (h.kind == DATA) {
		if (h.run != t->run)
			*t = (struct tally){ .run = h.run };
		t->count++;
	} else if (h.kind == ASK) {
		h.count = h.run == t->run ? t->count : 0;
		sendto(fd, &h, sizeof(h), 0, (const struct sockaddr *)from,
		       sizeof(*from));
	}
}

static int receive(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	struct sockaddr_in from[BATCH];
	struct tally t = { 0 };
	int fd = udp_socket();

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	prepare(SIZE_MAX_BYTES);
	for (int i = 0; i < BATCH; i++)
		lane.msg[i].msg_hdr.msg_name = &from[i];
	for (;;) {
		int n;

		for (int i = 0; i < BATCH; i++)
			lane.msg[i].msg_hdr.msg_namelen = sizeof(from[i]);
		n = recvmmsg(fd, lane.msg, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0 && errno != EINTR)
			die("recvmmsg");
		for (int i = 0; i < n; i++)
			take(fd, &t, lane.room[i], &from[i]);
	}
}

/* ---- the sender ---- */

static void sleep_until(uint64_t at_ns)
{
	struct timespec t = { .tv_sec = (time_t)(at_ns / 1000000000u),
			      .tv_nsec = (long)(at_ns % 1000000000u) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void send_some(int fd, unsigned int n)
{
	while (n) {
		unsigned int part = n < BATCH ? n : BATCH;
		int sent = sendmmsg(fd, lane.msg, part, 0);

		if (sent < 0 && errno != EINTR && errno != ENOBUFS)
			die("sendmmsg");
		if (sent > 0)
			n -= (unsigned int)sent;
	}
}

/* Sends at @rate; gives how many, and how fast that really was. */
static uint32_t send_step(int fd, uint32_t run, double rate, double *real)
{
	const struct head h = { DATA, run, 0 };
	uint64_t start = now_ns(), now;
	uint32_t sent = 0;

	for (int i = 0; i < BATCH; i++)
		memcpy(lane.room[i], &h, sizeof(h));
	while ((now = now_ns()) - start < STEP_NS) {
		uint32_t due = (uint32_t)((double)(now - start) * rate / 1e9);

		if (due > sent)
			send_some(fd, due - sent);
		sent = due > sent ? due : sent;
		sleep_until(now + TICK_NS);
	}
	*real = sent * 1e9 / (double)(now - start);
	return sent;
}

/* How many of the run came; 0 when nobody says. */
static uint32_t ask(int fd, uint32_t run)
{
	const struct head q = { ASK, run, 0 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct head h;

	for (int i = 0; i < 30; i++) {
		send(fd, &q, sizeof(q), 0);
		while (poll(&p, 1, 50) > 0) {
			if (recv(fd, &h, sizeof(h), 0) == sizeof(h) &&
			    h.kind == ASK && h.run == run)
				return h.count;
		}
	}
	return 0;
}

static bool passes(int fd, double rate, double *real)
{
	static uint32_t run;

	for (int i = 0; i < 2; i++) {
		uint32_t sent = send_step(fd, ++run, rate, real);
		uint32_t came;

		/* What is queued on the way may still arrive. */
		sleep_until(now_ns() + 20000000);
		came = ask(fd, run);
		if (came + sent / LOSS_PART >= sent)
			return true;
	}
	return false;
}

static int search(const char *ip, uint16_t port, size_t size)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	double low = 0, high = FIRST_RATE, real = 0;
	int fd = udp_socket();

	if (inet_pton(AF_INET, ip, &to.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die(ip);
	prepare(size);
	for (; high < LAST_RATE && passes(fd, high, &real); high *= 1.5) {
		low = real;
		/* The sender itself can no more. */
		if (real < 0.9 * high)
			break;
	}
	for (int i = 0; i < HALVINGS && low && low < high; i++) {
		double middle = (low + high) / 2;

		if (passes(fd, middle, &real) && real > low)
			low = real;
		else
			high = middle;
	}
	printf("%.0f %.4f\n", low, low * (double)size * 8 / 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "receive"))
		return receive((uint16_t)atoi(argv[2]));
	if (argc == 5 && !strcmp(argv[1], "search")) {
		size_t size = (size_t)atoi(argv[4]);

		if (size >= sizeof(struct head) && size <= SIZE_MAX_BYTES)
			return search(argv[2], (uint16_t)atoi(argv[3]), size);
	}
	fprintf(stderr, "usage: pace receive PORT\n"
			"       pace search ADDR PORT SIZE (%zu to %d)\n",
		sizeof(struct head), SIZE_MAX_BYTES);
	return 2;
}
