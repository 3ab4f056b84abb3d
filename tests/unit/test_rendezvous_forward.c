/* SPDX-License-Identifier: ISC */
/* rendezvous/forward: threads that relay, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include "../../rendezvous/forward.h"
#include "base/bytes.h"
#include "base/datagram.h"
#include "base/rng.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/quiet.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define THREADS 2
#define ENDS 3
#define SIZE 500

/* A relay with a channel between ends 0 and 1; end 2 is a stranger. */
struct place {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct hp_relay *relay;
	struct hp_relay_end end[2];
	uint32_t channel;
	struct hp_udp server[THREADS];
	struct rv_forward *forward[THREADS];
	struct hp_udp udp[ENDS];
	struct hp_addr at;
};

static struct place place;

static void wait_for_all(void *ctx)
{
	hp_quiet_wait(*(struct hp_relay **)ctx);
}

static struct hp_addr address_of(const struct hp_udp *u)
{
	return hp_addr4(127, 0, 0, 1, u->port);
}

static void begin_with(struct place *t, uint32_t rate)
{
	struct hp_relay_config cfg = { .rng = &t->rng,
				       .rate = rate,
				       .max = 8,
				       .max_per_end = 8,
				       .wait = wait_for_all,
				       .ctx = &t->relay };
	struct hp_addr at = hp_addr4(127, 0, 0, 1, 0);

	memset(t, 0, sizeof(*t));
	hp_rng_seeded_init(&t->seeded, 9, &t->rng);
	t->relay = hp_relay_new(&cfg);
	assert_non_null(t->relay);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(hp_udp_listen(&t->server[i], &at,
					       i ? &t->server[0] : NULL, NULL),
				 HP_OK);
		at.port = t->server[i].port;
		assert_int_equal(hp_udp_joined(&t->server[i], true), HP_OK);
		t->forward[i] =
			rv_forward_new(t->relay, &t->server[i], 1, true);
		assert_non_null(t->forward[i]);
	}
	t->at = at;
	for (int i = 0; i < ENDS; i++) {
		struct hp_path p = { .local = hp_addr4(127, 0, 0, 1, 0) };

		assert_int_equal(hp_udp_open(&t->udp[i], 0, 0, NULL), HP_OK);
		p.remote = address_of(&t->udp[i]);
		if (i < 2)
			hp_relay_move(t->relay, &t->end[i], &p);
	}
	t->channel = hp_relay_pair(t->relay, &t->end[0], &t->end[1],
				   hp_clock_now());
	assert_int_not_equal(t->channel, 0);
}

static int begin(void **state)
{
	*state = &place;
	begin_with(&place, 0);
	return 0;
}

static int end(void **state)
{
	struct place *t = *state;

	for (int i = 0; i < THREADS; i++) {
		rv_forward_free(t->forward[i]);
		hp_udp_close(&t->server[i]);
	}
	for (int i = 0; i < ENDS; i++)
		hp_udp_close(&t->udp[i]);
	hp_relay_free(t->relay);
	return 0;
}

/* @n datagrams of SIZE bytes (the last one shorter) in one piece, each with its
 * number; @n_other: so many at the front belong to another channel.
 */
static void send_joined(const struct place *t, int from, unsigned int n,
			unsigned int n_other)
{
	uint8_t buf[64 * SIZE];
	struct sockaddr_storage ss;
	socklen_t len = hp_addr_to_sockaddr(&t->at, &ss);
	int size = SIZE;

	for (unsigned int i = 0; i < n; i++) {
		uint8_t *p = buf + i * SIZE;

		memset(p, (int)i, SIZE);
		hp_datagram_head(p, HP_KIND_RELAY);
		hp_put_be32(p + HP_WIRE_HEAD,
			    i < n_other ? t->channel ^ 1 : t->channel);
	}
	assert_int_equal(setsockopt(t->udp[from].fd4, IPPROTO_UDP, UDP_SEGMENT,
				    &size, sizeof(size)),
			 0);
	assert_true(sendto(t->udp[from].fd4, buf, n * SIZE - 100, 0,
			   (struct sockaddr *)&ss, len) > 0);
}

/* The next datagram that reaches an end; -1: none within @wait_ms. */
static ssize_t arrives(const struct place *t, int at, uint8_t buf[SIZE],
		       int wait_ms)
{
	struct pollfd p = { .fd = t->udp[at].fd4, .events = POLLIN };

	if (poll(&p, 1, wait_ms) <= 0)
		return -1;
	return recv(p.fd, buf, SIZE, MSG_DONTWAIT);
}

static struct rv_counts counts(const struct place *t)
{
	struct rv_counts c = { 0 };

	for (int i = 0; i < THREADS; i++)
		rv_forward_counts(t->forward[i], &c);
	return c;
}

/* What the control thread is handed, by whichever thread; -1: nothing. */
static int handed(const struct place *t, struct hp_path *from,
		  uint8_t buf[RV_CONTROL_MAX])
{
	struct pollfd p[THREADS];

	for (int i = 0; i < THREADS; i++)
		p[i] = (struct pollfd){ .fd = rv_forward_fd(t->forward[i]),
					.events = POLLIN };
	(void)poll(p, THREADS, 1000);
	for (int i = 0; i < THREADS; i++)
		if (p[i].revents & POLLIN)
			return rv_forward_take(t->forward[i], from, buf);
	return -1;
}

static void joined_datagrams_arrive_one_by_one_and_in_order(void **state)
{
	struct place *t = *state;
	uint8_t buf[SIZE];

	for (int from = 0; from < 2; from++) {
		send_joined(t, from, 20, 0);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(arrives(t, !from, buf, 1000),
					 i < 19 ? SIZE : SIZE - 100);
			assert_int_equal(hp_get_be32(buf + HP_WIRE_HEAD),
					 t->channel);
			assert_int_equal(buf[HP_RELAY_HEAD], i);
		}
	}
	assert_int_equal(counts(t).rx, 40);
	assert_int_equal(counts(t).relayed, 40);
	assert_int_equal(counts(t).bytes, 2 * (20 * SIZE - 100));
}

static void a_stranger_is_forwarded_nothing(void **state)
{
	struct place *t = *state;
	uint8_t buf[RV_CONTROL_MAX];
	struct hp_path from;

	send_joined(t, 2, 20, 0);
	/* The first one of a piece is worth an answer, the others are not. */
	assert_int_equal(handed(t, &from, buf), SIZE);
	assert_int_equal(from.remote.port, t->udp[2].port);
	assert_int_equal(arrives(t, 0, buf, 50), -1);
	assert_int_equal(arrives(t, 1, buf, 0), -1);
	assert_int_equal(counts(t).relayed, 0);
	assert_int_equal(counts(t).stray, 19);
}

static void channels_in_one_piece_are_told_apart(void **state)
{
	struct place *t = *state;
	uint8_t buf[RV_CONTROL_MAX];
	struct hp_path from;

	send_joined(t, 0, 10, 4);
	for (int i = 4; i < 10; i++) {
		assert_true(arrives(t, 1, buf, 1000) > 0);
		assert_int_equal(buf[HP_RELAY_HEAD], i);
	}
	assert_int_equal(handed(t, &from, buf), SIZE);
	assert_int_equal(counts(t).stray, 3);
}

static void what_is_not_relayed_reaches_the_control_thread_whole(void **state)
{
	struct place *t = *state;
	const struct hp_path to = { .remote = t->at };
	uint8_t sent[RV_CONTROL_MAX + 1], buf[RV_CONTROL_MAX];
	const size_t lens[] = { 1, 8, 1232, RV_CONTROL_MAX };
	struct hp_path from;

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		memset(sent, (int)i + 1, sizeof(sent));
		assert_int_equal(hp_udp_send(&t->udp[2], &to, 0, sent, lens[i]),
				 HP_OK);
		assert_int_equal(handed(t, &from, buf), lens[i]);
		assert_memory_equal(buf, sent, lens[i]);
		assert_int_equal(from.sock, 0);
	}
	assert_int_equal(
		hp_udp_send(&t->udp[2], &to, 0, sent, sizeof(sent)), HP_OK);
	while (!counts(t).crowded)
		assert_int_equal(arrives(t, 0, buf, 1), -1);
}

/* Nobody takes what the control thread is handed: its queue is full for good.
 */
static void a_flood_of_questions_does_not_stop_the_relay(void **state)
{
	struct place *t = *state;
	const struct hp_path to = { .remote = t->at };
	uint8_t question[400] = { 'h', 'p', 1, 1 }, buf[SIZE];
	uint64_t crowded;

	for (int k = 0; k < 200000 && !counts(t).crowded; k++)
		(void)!hp_udp_send(&t->udp[k % ENDS], &to, 0, question,
				   sizeof(question));
	assert_true(counts(t).crowded > 0);
	/* What stands in its sockets would crowd out what is relayed. */
	do {
		crowded = counts(t).crowded;
		poll(NULL, 0, 20);
	} while (counts(t).crowded != crowded);
	for (int k = 0; k < 20; k++) {
		send_joined(t, 0, 1, 0);
		assert_int_equal(arrives(t, 1, buf, 1000), SIZE - 100);
		send_joined(t, 1, 1, 0);
		assert_int_equal(arrives(t, 0, buf, 1000), SIZE - 100);
	}
}

/* Both directions, and so perhaps both threads, draw on one allowance. */
static void the_rate_is_that_of_the_channel(void **state)
{
	const unsigned int most = 262144 / (SIZE + HP_RELAY_PACKET_COST);
	struct place *t = *state;
	struct rv_counts c;
	uint8_t buf[SIZE];

	end(state);
	begin_with(t, 1);
	for (unsigned int i = 0; i < 2 * most / 60 + 4; i++) {
		send_joined(t, i & 1, 60, 0);
		while (arrives(t, !(i & 1), buf, 20) > 0)
			;
	}
	c = counts(t);
	assert_in_range(c.relayed, most, most + 1 + most / 50);
	assert_int_equal(c.relayed + c.over_rate, c.rx);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(joined_datagrams_arrive_one_by_one_and_in_order),
		T(a_stranger_is_forwarded_nothing),
		T(channels_in_one_piece_are_told_apart),
		T(what_is_not_relayed_reaches_the_control_thread_whole),
		T(a_flood_of_questions_does_not_stop_the_relay),
		T(the_rate_is_that_of_the_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
