/* SPDX-License-Identifier: ISC */
/* lib/sys/udp: two sockets on one port, single sends and batches, on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/udp.h"

#define SLOT 2048

static uint8_t room[HP_BATCH][SLOT];
static struct hp_pkt pkts[HP_BATCH];
static struct hp_path from[HP_BATCH];

/* Waits for something on @fd, then receives what is there. */
static size_t receive(int fd, size_t cap)
{
	struct hp_udp_batch *b = hp_udp_batch_new();
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n, i;

	assert_non_null(b);
	for (i = 0; i < HP_BATCH; i++)
		pkts[i] = hp_pkt_of(room[i], cap, 0, 0);
	(void)poll(&p, 1, 200);
	n = hp_udp_batch_recv(b, fd, pkts, from, HP_BATCH);
	hp_udp_batch_free(b);
	return n;
}

static struct hp_path to(const char *ip, uint16_t port)
{
	struct hp_path path = { 0 };

	assert_int_equal(hp_addr_parse(ip, port, &path.remote, NULL), HP_OK);
	return path;
}

static void a_port_taken_is_said_so(void **state)
{
	struct hp_udp a, b;
	struct hp_fault f;

	(void)state;
	assert_int_equal(hp_udp_open(&a, 0, 0, &f), HP_OK);
	assert_int_not_equal(a.port, 0);
	assert_int_equal(hp_udp_open(&b, a.port, 0, &f), HP_ERR_EXISTS);
	assert_non_null(strstr(f.cause, "in use"));
	assert_int_equal(b.fd4, -1);
	assert_int_equal(b.fd6, -1);
	hp_udp_close(&a);
	assert_int_equal(hp_udp_open(&b, 0, 0, NULL), HP_OK);
	hp_udp_close(&b);
}

static void a_reply_leaves_from_where_the_question_went(void **state)
{
	struct hp_udp a, b;
	struct hp_path path;

	(void)state;
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	assert_int_equal(hp_udp_open(&b, 0, 0, NULL), HP_OK);
	path = to("127.0.0.7", b.port);
	assert_int_equal(hp_udp_send(&a, &path, 5, "question", 8), HP_OK);
	assert_int_equal(receive(b.fd4, SLOT), 1);
	assert_int_equal(pkts[0].len, 8);
	assert_memory_equal(pkts[0].data, "question", 8);
	assert_int_equal(from[0].remote.port, a.port);
	assert_int_equal(from[0].local.ip[3], 7);
	assert_int_equal(from[0].channel, 0);
	path = from[0];
	assert_int_equal(hp_udp_send(&b, &path, 0, "answer", 6), HP_OK);
	assert_int_equal(receive(a.fd4, SLOT), 1);
	assert_int_equal(from[0].remote.ip[3], 7);
	assert_int_equal(from[0].remote.port, b.port);
	hp_udp_close(&a);
	hp_udp_close(&b);
}

static void a_source_that_is_gone_does_not_stop_a_send(void **state)
{
	struct hp_udp_batch *b = hp_udp_batch_new();
	struct hp_udp a;
	struct hp_path path;
	struct hp_pkt pkt;
	uint8_t text[] = "x";

	(void)state;
	assert_non_null(b);
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	path = to("127.0.0.1", a.port);
	path.local = hp_addr4(192, 0, 2, 77, 0);
	assert_int_equal(hp_udp_send(&a, &path, 0, "x", 1), HP_OK);
	assert_int_equal(receive(a.fd4, SLOT), 1);
	pkt = hp_pkt_of(text, 1, 0, 1);
	assert_true(hp_udp_batch_add(b, &path, &pkt));
	assert_int_equal(hp_udp_batch_send(b, &a), 0);
	assert_int_equal(receive(a.fd4, SLOT), 1);
	hp_udp_batch_free(b);
	hp_udp_close(&a);
}

static void a_batch_leaves_out_only_what_cannot_be_sent(void **state)
{
	struct hp_udp_batch *b = hp_udp_batch_new();
	const struct hp_udp_failure *f;
	struct hp_path good, bad;
	struct hp_udp a;
	uint8_t text[HP_BATCH];
	struct hp_pkt pkt;
	size_t i;

	(void)state;
	assert_non_null(b);
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	good = to("127.0.0.1", a.port);
	bad = to("255.255.255.255", 9); /* broadcast was not switched on */
	for (i = 0; i < HP_BATCH; i++) {
		text[i] = (uint8_t)i;
		pkt = hp_pkt_of(&text[i], 1, 0, 1);
		assert_true(hp_udp_batch_add(b, i % 8 == 3 ? &bad : &good,
					     &pkt));
	}
	assert_false(hp_udp_batch_add(b, &good, &pkt));
	assert_int_equal(hp_udp_batch_send(b, &a), HP_BATCH / 8);
	assert_int_equal(hp_udp_batch_failures(b, &f), 1);
	assert_true(hp_path_eq(&f->path, &bad));
	assert_int_equal(f->err, EACCES);
	assert_int_equal(receive(a.fd4, SLOT), HP_BATCH - HP_BATCH / 8);
	assert_int_equal(pkts[3].data[0], 4);
	assert_int_equal(hp_udp_batch_send(b, &a), 0);
	assert_int_equal(hp_udp_batch_failures(b, &f), 0);
	hp_udp_batch_free(b);
	hp_udp_close(&a);
}

/* Datagrams of these lengths to two paths; the kernel cuts and joins them. */
static void joined_datagrams_arrive_as_they_were(void **state)
{
	static const uint32_t lens[] = { 900, 900, 900, 300, 900, 900, 901, 1,
					 5, 5 };
	static uint8_t text[10][1000], is[10 * 1000];
	struct hp_udp_batch *b = hp_udp_batch_new();
	struct hp_udp_batch *r = hp_udp_batch_new();
	struct pollfd p = { .events = POLLIN };
	uint32_t all = 0, size, left;
	struct hp_pkt pkt;
	struct hp_path path[2];
	struct hp_udp a;
	size_t i, n;

	(void)state;
	assert_non_null(b);
	assert_non_null(r);
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	if (hp_udp_joined(&a, true))
		skip();
	hp_udp_batch_join(b, true);
	path[0] = to("127.0.0.1", a.port);
	path[1] = to("127.0.0.2", a.port);
	for (i = 0; i < 10; i++) {
		memset(text[i], (int)i, 1000);
		pkt = hp_pkt_of(text[i], 1000, 0, lens[i]);
		assert_true(hp_udp_batch_add(b, &path[i > 7], &pkt));
	}
	assert_int_equal(hp_udp_batch_send(b, &a), 0);
	assert_int_equal(hp_udp_batch_refused(b), 0);
	p.fd = a.fd4;
	(void)poll(&p, 1, 200);
	for (i = 0; i < 10;) {
		for (n = 0; n < 2; n++)
			pkts[n] = hp_pkt_of(is + n * 5000, 5000, 0, 0);
		all = (uint32_t)hp_udp_batch_recv(r, a.fd4, pkts, from, 2);
		assert_int_not_equal(all, 0);
		for (n = 0; n < all; n++) {
			size = hp_udp_batch_size(r, n);
			for (left = pkts[n].len; left; i++) {
				uint32_t len = size && left > size ? size :
								     left;
				uint8_t *at = pkts[n].data + pkts[n].len - left;

				assert_int_equal(len, lens[i]);
				assert_memory_equal(at, text[i], len);
				assert_int_equal(from[n].local.ip[3],
						 i > 7 ? 2 : 1);
				left -= len;
			}
		}
	}
	assert_int_equal(i, 10);
	hp_udp_batch_free(b);
	hp_udp_batch_free(r);
	hp_udp_close(&a);
}

static void joined_datagrams_lose_a_source_that_is_gone(void **state)
{
	struct hp_udp_batch *b = hp_udp_batch_new();
	static uint8_t text[100];
	struct hp_path path;
	struct hp_pkt pkt = hp_pkt_of(text, 100, 0, 100);
	struct hp_udp a;

	(void)state;
	assert_non_null(b);
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	hp_udp_batch_join(b, true);
	path = to("127.0.0.1", a.port);
	path.local = hp_addr4(192, 0, 2, 77, 0);
	for (int i = 0; i < 5; i++)
		assert_true(hp_udp_batch_add(b, &path, &pkt));
	assert_int_equal(hp_udp_batch_send(b, &a), 0);
	/* Joining was not to blame for that. */
	assert_int_equal(hp_udp_batch_refused(b), 0);
	assert_int_equal(receive(a.fd4, SLOT), 5);
	/* Nor for an address that takes no datagrams. */
	path = to("255.255.255.255", 9);
	for (int i = 0; i < 5; i++)
		assert_true(hp_udp_batch_add(b, &path, &pkt));
	assert_int_equal(hp_udp_batch_send(b, &a), 5);
	assert_int_equal(hp_udp_batch_refused(b), 0);
	hp_udp_batch_free(b);
	hp_udp_close(&a);
}

/* In how many pieces do five datagrams arrive from @a at itself, as @ip? */
static size_t pieces_to(struct hp_udp_batch *b, const struct hp_udp *a,
			const char *ip)
{
	static uint8_t text[100];
	struct hp_pkt pkt = hp_pkt_of(text, 100, 0, 100);
	struct hp_path path = to(ip, a->port);

	for (int i = 0; i < 5; i++)
		assert_true(hp_udp_batch_add(b, &path, &pkt));
	assert_int_equal(hp_udp_batch_send(b, a), 0);
	return receive(a->fd4, SLOT);
}

/* A socket that sends no checksums cannot have datagrams cut. One destination
 * that could not is no reason for the others.
 */
static void joined_datagrams_that_are_refused_go_apart_to_there(void **state)
{
	struct hp_udp_batch *b = hp_udp_batch_new();
	struct hp_udp a;
	int on = 1;

	(void)state;
	assert_non_null(b);
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	assert_int_equal(setsockopt(a.fd4, SOL_SOCKET, SO_NO_CHECK, &on,
				    sizeof(on)), 0);
	hp_udp_batch_join(b, true);
	assert_int_equal(hp_udp_joined(&a, true), HP_OK);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(pieces_to(b, &a, "127.0.0.1"), 5);
		assert_int_not_equal(hp_udp_batch_refused(b), 0);
	}
	on = 0;
	assert_int_equal(setsockopt(a.fd4, SOL_SOCKET, SO_NO_CHECK, &on,
				    sizeof(on)), 0);
	assert_int_equal(pieces_to(b, &a, "127.0.0.2"), 1);
	assert_int_equal(pieces_to(b, &a, "127.0.0.1"), 5);
	/* Not for ever. */
	for (int i = 0; i < 4096; i++)
		assert_int_equal(hp_udp_batch_send(b, &a), 0);
	assert_int_equal(pieces_to(b, &a, "127.0.0.1"), 1);
	hp_udp_batch_free(b);
	hp_udp_close(&a);
}

static void a_datagram_that_was_cut_off_has_no_length(void **state)
{
	struct hp_udp a;
	struct hp_path path;

	(void)state;
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	path = to("127.0.0.1", a.port);
	assert_int_equal(hp_udp_send(&a, &path, 0, "four", 4), HP_OK);
	assert_int_equal(receive(a.fd4, 3), 1);
	assert_int_equal(pkts[0].len, 0);
	assert_int_equal(receive(a.fd4, 3), 0);
	assert_int_equal(receive(-1, 3), 0);
	hp_udp_close(&a);
}

static void nobody_listening_fails_no_later_send(void **state)
{
	struct hp_udp a;
	struct hp_path path;
	int i;

	(void)state;
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	path = to("127.0.0.1", 1);
	for (i = 0; i < 5; i++)
		assert_int_equal(hp_udp_send(&a, &path, 0, "x", 1), HP_OK);
	path.remote = (struct hp_addr){ 0 };
	assert_int_equal(hp_udp_send(&a, &path, 0, "x", 1), HP_ERR_IO);
	assert_int_equal(errno, EAFNOSUPPORT);
	hp_udp_close(&a);
}

static void ipv6_goes_both_ways_where_there_is_ipv6(void **state)
{
	struct hp_udp a;
	struct hp_path path;

	(void)state;
	assert_int_equal(hp_udp_open(&a, 0, 0, NULL), HP_OK);
	path = to("[::1]", a.port);
	if (a.fd6 < 0 || hp_udp_send(&a, &path, 7, "six", 3)) {
		hp_udp_close(&a);
		skip();
	}
	assert_int_equal(receive(a.fd6, SLOT), 1);
	assert_int_equal(from[0].remote.family, HP_AF_6);
	assert_int_equal(from[0].local.family, HP_AF_6);
	assert_int_equal(from[0].local.ip[15], 1);
	path = from[0];
	assert_int_equal(hp_udp_send(&a, &path, 0, "six", 3), HP_OK);
	assert_int_equal(receive(a.fd6, SLOT), 1);
	hp_udp_close(&a);
}

static void addresses_survive_the_way_to_the_system_and_back(void **state)
{
	static const char *const texts[] = {
		"192.0.2.1:5", "[2001:db8::9]:65535", "[fe80::1%7]:8888",
	};
	struct sockaddr_storage ss;
	struct hp_addr a, b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(hp_addr_parse(texts[i], 0, &a, NULL), HP_OK);
		(void)hp_addr_to_sockaddr(&a, &ss);
		b = hp_addr_from_sockaddr((struct sockaddr *)&ss);
		assert_true(hp_addr_eq(&a, &b));
	}
	ss.ss_family = AF_UNIX;
	assert_int_equal(hp_addr_from_sockaddr((struct sockaddr *)&ss).family,
			 HP_AF_NONE);
}

static void a_server_listens_at_one_address_alone(void **state)
{
	const struct hp_addr at = hp_addr4(127, 0, 0, 9, 0);
	struct hp_addr same = at;
	struct hp_udp a, b;
	struct hp_fault f;

	(void)state;
	assert_int_equal(hp_udp_listen(&a, &at, NULL, &f), HP_OK);
	assert_int_equal(a.fd6, -1);
	same.port = a.port;
	assert_int_equal(hp_udp_listen(&b, &same, NULL, &f), HP_ERR_EXISTS);
	assert_non_null(strstr(f.cause, "127.0.0.9"));
	same = hp_addr4(192, 0, 2, 77, 0);
	assert_int_equal(hp_udp_listen(&b, &same, NULL, &f), HP_ERR_IO);
	assert_int_equal(b.fd4, -1);
	hp_udp_close(&a);
}

static void a_server_may_listen_several_times_at_one_address(void **state)
{
	const struct hp_addr any = hp_addr4(127, 0, 0, 9, 0);
	struct hp_udp a, b, c, sender;
	struct hp_addr at = any;
	struct hp_path path = { 0 };
	size_t got;

	(void)state;
	assert_int_equal(hp_udp_listen(&a, &any, NULL, NULL), HP_OK);
	at.port = a.port;
	assert_int_equal(hp_udp_listen(&b, &at, &a, NULL), HP_OK);
	/* Who is not told of the first one still finds it taken. */
	assert_int_equal(hp_udp_listen(&c, &at, NULL, NULL), HP_ERR_EXISTS);
	path.remote = at;
	for (int i = 0; i < 32; i++) {
		assert_int_equal(hp_udp_open(&sender, 0, 0, NULL), HP_OK);
		assert_int_equal(hp_udp_send(&sender, &path, 0, "x", 1),
				 HP_OK);
		hp_udp_close(&sender);
	}
	got = receive(a.fd4, SLOT);
	assert_in_range(got, 1, 31);
	assert_int_equal(got + receive(b.fd4, SLOT), 32);
	hp_udp_close(&a);
	hp_udp_close(&b);
}

#define SENDERS 64

/* What each of the @n sockets got of what SENDERS ports sent, twice; whoever
 * got the first of a sender must get its second.
 */
static void share_out(const int *fd, size_t n, const struct hp_path *at,
		      unsigned int *got)
{
	uint8_t first[SENDERS], second[SENDERS], *now = first;
	struct hp_udp u[SENDERS];

	memset(got, 0, n * sizeof(*got));
	for (uint8_t s = 0; s < SENDERS; s++)
		assert_int_equal(hp_udp_open(&u[s], 0, 0, NULL), HP_OK);
	for (unsigned int turn = 0; turn < 2; turn++, now = second) {
		memset(now, 0xff, SENDERS);
		for (uint8_t s = 0; s < SENDERS; s++)
			assert_int_equal(hp_udp_send(&u[s], at, 0, &s, 1),
					 HP_OK);
		for (uint8_t i = 0; i < n; i++) {
			uint8_t s;

			while (recv(fd[i], &s, 1, MSG_DONTWAIT) == 1) {
				got[i]++;
				now[s] = i;
			}
		}
	}
	assert_memory_equal(first, second, SENDERS);
	for (uint8_t s = 0; s < SENDERS; s++)
		hp_udp_close(&u[s]);
}

static void sockets_of_one_port_share_its_senders(void **state)
{
	struct hp_path at4 = to("127.0.0.1", 0), at6 = to("::1", 0);
	struct hp_udp u[4], other;
	unsigned int got[4];

	(void)state;
	assert_int_equal(hp_udp_open(&u[0], 0, 0, NULL), HP_OK);
	assert_int_equal(hp_udp_beside(u + 1, 3, &u[0], 0), HP_OK);
	at4.remote.port = at6.remote.port = u[0].port;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(u[i].port, u[0].port);
	share_out((int[]){ u[0].fd4, u[1].fd4, u[2].fd4, u[3].fd4 }, 4, &at4,
		  got);
	for (size_t i = 0; i < 4; i++)
		assert_in_range(got[i], 2, 2 * SENDERS);
	if (u[0].fd6 >= 0)
		share_out((int[]){ u[0].fd6, u[1].fd6, u[2].fd6, u[3].fd6 }, 4,
			  &at6, got);
	for (size_t i = 0; i < 4; i++)
		assert_in_range(got[i], 2, 2 * SENDERS);
	/* It is still one port, which nobody else opens by mistake. */
	assert_int_equal(hp_udp_open(&other, u[0].port, 0, NULL),
			 HP_ERR_EXISTS);
	for (size_t i = 0; i < 4; i++)
		hp_udp_close(&u[i]);
}

static void a_stranger_beside_them_gets_nothing(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct hp_path at = to("127.0.0.1", 0);
	struct hp_udp u[2];
	unsigned int got[3];
	int fd, on = 1;

	(void)state;
	assert_int_equal(hp_udp_open(&u[0], 0, 0, NULL), HP_OK);
	assert_int_equal(hp_udp_beside(u + 1, 1, &u[0], 0), HP_OK);
	at.remote.port = u[0].port;
	sa.sin_port = htons(u[0].port);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on,
				    sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	share_out((int[]){ u[0].fd4, u[1].fd4, fd }, 3, &at, got);
	assert_int_equal(got[2], 0);
	assert_int_equal(got[0] + got[1], 2 * SENDERS);
	close(fd);
	hp_udp_close(&u[0]);
	hp_udp_close(&u[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_taken_is_said_so),
		cmocka_unit_test(a_reply_leaves_from_where_the_question_went),
		cmocka_unit_test(a_source_that_is_gone_does_not_stop_a_send),
		cmocka_unit_test(a_batch_leaves_out_only_what_cannot_be_sent),
		cmocka_unit_test(joined_datagrams_arrive_as_they_were),
		cmocka_unit_test(joined_datagrams_lose_a_source_that_is_gone),
		cmocka_unit_test(
			joined_datagrams_that_are_refused_go_apart_to_there),
		cmocka_unit_test(a_datagram_that_was_cut_off_has_no_length),
		cmocka_unit_test(nobody_listening_fails_no_later_send),
		cmocka_unit_test(ipv6_goes_both_ways_where_there_is_ipv6),
		cmocka_unit_test(a_server_listens_at_one_address_alone),
		cmocka_unit_test(
			a_server_may_listen_several_times_at_one_address),
		cmocka_unit_test(sockets_of_one_port_share_its_senders),
		cmocka_unit_test(a_stranger_beside_them_gets_nothing),
		cmocka_unit_test(
			addresses_survive_the_way_to_the_system_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
