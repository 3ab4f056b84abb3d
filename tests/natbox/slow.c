/* SPDX-License-Identifier: ISC */
/*
 * slow: a long way in one TUN device. What is routed into it comes out of it
 * again a time later; with a spread, one packet may overtake another.
 *
 *	slow DELAY SPREAD	a packet waits DELAY to DELAY + SPREAD ms
 *
 * Packets that wait are kept in the order in which they leave. Little overtakes
 * much, so a new one finds its place from the end.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../natbox/tun.h"
#include "base/crypto.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/rng.h"

#define PACKET_MAX 65536
/* As a router: what does not fit is lost. */
#define HELD_MAX 16384
#define MS_MAX 10000

struct held {
	struct held *before;
	struct held *after;
	uint64_t due_ns;
	size_t len;
	uint8_t data[];
};

struct way {
	int fd;
	uint32_t delay_us;
	uint32_t spread_us;
	struct hp_rng rng;
	size_t n;
	struct held ring;	/* its neighbours are the last and the first */
};

static void hold(struct way *w, const uint8_t *p, size_t len, uint64_t now_ns)
{
	struct held *at = w->ring.before, *h;
	uint32_t wait_us = w->delay_us + hp_rng_below(&w->rng, w->spread_us + 1);

	if (w->n == HELD_MAX || !(h = malloc(sizeof(*h) + len)))
		return;
	h->due_ns = now_ns + wait_us * HP_US;
	h->len = len;
	memcpy(h->data, p, len);
	while (at != &w->ring && at->due_ns > h->due_ns)
		at = at->before;
	h->before = at;
	h->after = at->after;
	at->after = h->after->before = h;
	w->n++;
}

static void take_in(struct way *w)
{
	static uint8_t p[PACKET_MAX];
	ssize_t len;

	while ((len = read(w->fd, p, sizeof(p))) > 0)
		hold(w, p, (size_t)len, hp_clock_now());
}

static void let_go(struct way *w, uint64_t now_ns)
{
	struct held *h;

	while ((h = w->ring.after) != &w->ring && h->due_ns <= now_ns) {
		ssize_t sent = write(w->fd, h->data, h->len);

		(void)sent;
		w->ring.after = h->after;
		h->after->before = &w->ring;
		w->n--;
		free(h);
	}
}

static int run(struct way *w)
{
	struct pollfd p = { w->fd, POLLIN, 0 };

	for (;;) {
		const struct held *h = w->ring.after;
		uint64_t now_ns = hp_clock_now(), wait_ns = 0;
		struct timespec wait = { 0 };

		if (h != &w->ring && h->due_ns > now_ns)
			wait_ns = h->due_ns - now_ns;
		wait.tv_sec = (time_t)(wait_ns / HP_S);
		wait.tv_nsec = (long)(wait_ns % HP_S);
		if (ppoll(&p, 1, w->n ? &wait : NULL, NULL) < 0 &&
		    errno != EINTR) {
			perror("slow: poll");
			return 1;
		}
		take_in(w);
		let_go(w, hp_clock_now());
	}
}

static int milliseconds(const char *text, uint32_t *us)
{
	char *end;
	unsigned long ms = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || ms > MS_MAX) {
		fprintf(stderr, "slow: '%s' is not 0 to %d ms\n", text, MS_MAX);
		return -1;
	}
	*us = (uint32_t)ms * 1000;
	return 0;
}

int main(int argc, char **argv)
{
	struct way w = { .ring = { .before = &w.ring, .after = &w.ring } };

	if (argc != 3) {
		fprintf(stderr, "usage: slow DELAY-MS SPREAD-MS\n");
		return 2;
	}
	if (milliseconds(argv[1], &w.delay_us) ||
	    milliseconds(argv[2], &w.spread_us))
		return 2;
	if (hp_crypto_init() != HP_OK)
		return 1;
	w.rng = hp_rng_system();
	w.fd = tun_open("slow", "slow");
	return w.fd < 0 ? 1 : run(&w);
}
