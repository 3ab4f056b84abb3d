/* SPDX-License-Identifier: ISC */
/* tests/natbox: a NAT's rewriting of real packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../natbox/packet.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/time.h"

#define UDP 17
#define ICMP 1

static const uint8_t alice[4] = { 192, 168, 7, 2 };
static const uint8_t outer[4] = { 203, 0, 113, 7 };
static const uint8_t bob[4] = { 198, 51, 100, 9 };

struct place {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct box b;
};

static void set_up(struct place *p, bool hairpin)
{
	const struct sim_nat_config cfg = {
		.filtering = SIM_APDF,
		.ports = SIM_RANDOM,
		.hairpin = hairpin,
	};
	const struct hp_addr external = hp_addr_of(HP_AF_4, outer, 0);

	hp_rng_seeded_init(&p->seeded, 7, &p->rng);
	p->b.udp = nat_new(&cfg, &external, &p->rng);
	p->b.echo = nat_new(&cfg, &external, &p->rng);
}

static void tear_down(struct place *p)
{
	nat_free(p->b.udp);
	nat_free(p->b.echo);
}

static uint16_t sum_of(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		s += hp_get_be16(p + i);
	if (len & 1)
		s += (uint32_t)p[len - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* What the transport's sum begins with. */
static uint32_t pseudo(const uint8_t *p, size_t l4_len)
{
	uint32_t s = UDP + (uint32_t)l4_len;

	for (unsigned int i = 12; i < 20; i += 2)
		s += hp_get_be16(p + i);
	return p[9] == UDP ? s : 0;
}

static bool sums_are_right(const uint8_t *p, size_t len)
{
	return !sum_of(p, 20, 0) &&
	       !sum_of(p + 20, len - 20, pseudo(p, len - 20));
}

static size_t make(uint8_t *p, uint8_t proto, const uint8_t *src,
		   const uint8_t *dst, size_t body)
{
	size_t len = 28 + body;

	memset(p, 0, 28);
	p[0] = 0x45;
	hp_put_be16(p + 2, (uint16_t)len);
	p[8] = 63;
	p[9] = proto;
	memcpy(p + 12, src, 4);
	memcpy(p + 16, dst, 4);
	hp_put_be16(p + 10, sum_of(p, 20, 0));
	return len;
}

static void seal(uint8_t *p, size_t len)
{
	uint8_t *at = p + 20 + (p[9] == UDP ? 6 : 2);
	uint16_t s;

	hp_put_be16(at, 0);
	s = sum_of(p + 20, len - 20, pseudo(p, len - 20));
	hp_put_be16(at, s ? s : 0xffff);
}

static size_t datagram(uint8_t *p, const uint8_t *src, uint16_t sport,
		       const uint8_t *dst, uint16_t dport, size_t body)
{
	size_t len = make(p, UDP, src, dst, body);

	hp_put_be16(p + 20, sport);
	hp_put_be16(p + 22, dport);
	hp_put_be16(p + 24, (uint16_t)(len - 20));
	seal(p, len);
	return len;
}

static void datagram_goes_out_and_its_answer_comes_in(void **state)
{
	uint8_t p[2048];
	struct place at;
	uint16_t port;
	size_t len;

	(void)state;
	set_up(&at, false);
	for (size_t body = 0; body < 500; body++) {
		hp_rng_fill(&at.rng, p + 28, body);
		len = datagram(p, alice, (uint16_t)(4000 + body), bob, 53,
			       body);
		assert_int_equal(box_from_inside(&at.b, p, len, HP_S), BOX_OUT);
		assert_true(sums_are_right(p, len));
		assert_memory_equal(p + 12, outer, 4);
		assert_memory_equal(p + 16, bob, 4);
		assert_int_equal(p[8], 64);
		port = hp_get_be16(p + 20);
		len = datagram(p, bob, 53, outer, port, body);
		assert_int_equal(box_from_outside(&at.b, p, len, HP_S), BOX_IN);
		assert_true(sums_are_right(p, len));
		assert_memory_equal(p + 16, alice, 4);
		assert_int_equal(hp_get_be16(p + 22), 4000 + body);
		/* from another port: nobody asked for it */
		len = datagram(p, bob, 54, outer, port, body);
		assert_int_equal(box_from_outside(&at.b, p, len, HP_S),
				 BOX_DROP);
	}
	tear_down(&at);
}

static void datagram_without_a_sum_stays_without(void **state)
{
	struct place at;
	uint8_t p[64];
	size_t len;

	(void)state;
	set_up(&at, false);
	len = datagram(p, alice, 4000, bob, 53, 10);
	hp_put_be16(p + 26, 0);
	assert_int_equal(box_from_inside(&at.b, p, len, HP_S), BOX_OUT);
	assert_int_equal(hp_get_be16(p + 26), 0);
	tear_down(&at);
}

static void echo_is_told_by_its_identifier(void **state)
{
	struct place at;
	uint8_t p[128];
	uint16_t id;
	size_t len;

	(void)state;
	set_up(&at, false);
	len = make(p, ICMP, alice, bob, 56);
	p[20] = 8;
	hp_put_be16(p + 24, 77);
	seal(p, len);
	assert_int_equal(box_from_inside(&at.b, p, len, HP_S), BOX_OUT);
	assert_true(sums_are_right(p, len));
	id = hp_get_be16(p + 24);
	len = make(p, ICMP, bob, outer, 56);
	hp_put_be16(p + 24, id);
	seal(p, len);
	assert_int_equal(box_from_outside(&at.b, p, len, HP_S), BOX_IN);
	assert_true(sums_are_right(p, len));
	assert_int_equal(hp_get_be16(p + 24), 77);
	assert_memory_equal(p + 16, alice, 4);
	/* a stranger's request is not for anybody inside */
	len = make(p, ICMP, bob, outer, 56);
	p[20] = 8;
	hp_put_be16(p + 24, id);
	seal(p, len);
	assert_int_equal(box_from_outside(&at.b, p, len, HP_S), BOX_DROP);
	tear_down(&at);
}

/* A router on the way says that the TTL is used up. */
static void error_comes_in_to_who_sent_the_datagram(void **state)
{
	uint8_t p[128], sent[64];
	struct place at;
	size_t len;

	(void)state;
	set_up(&at, false);
	len = datagram(sent, alice, 4000, bob, 53, 10);
	assert_int_equal(box_from_inside(&at.b, sent, len, HP_S), BOX_OUT);
	len = make(p, ICMP, bob, outer, 28);
	p[20] = 11;
	memcpy(p + 28, sent, 28);
	seal(p, len);
	assert_int_equal(box_from_outside(&at.b, p, len, HP_S), BOX_IN);
	assert_true(sums_are_right(p, len));
	assert_memory_equal(p + 16, alice, 4);
	assert_memory_equal(p + 28 + 12, alice, 4);
	assert_int_equal(hp_get_be16(p + 28 + 20), 4000);
	/* about a datagram that was never sent */
	len = make(p, ICMP, bob, outer, 28);
	p[20] = 11;
	datagram(p + 28, outer, 9, bob, 53, 0);
	seal(p, len);
	assert_int_equal(box_from_outside(&at.b, p, len, HP_S), BOX_DROP);
	tear_down(&at);
}

static void hairpin_turns_only_where_it_is_on(void **state)
{
	static const uint8_t carol[4] = { 192, 168, 7, 3 };
	struct place at;
	uint16_t to_carol;
	uint8_t p[64];
	size_t len;

	(void)state;
	for (int on = 0; on < 2; on++) {
		set_up(&at, on);
		len = datagram(p, carol, 5000, outer, 1, 4);
		box_from_inside(&at.b, p, len, HP_S);
		len = datagram(p, carol, 5000, bob, 53, 4);
		assert_int_equal(box_from_inside(&at.b, p, len, HP_S), BOX_OUT);
		to_carol = hp_get_be16(p + 20);
		/* each opens toward the other's outer port */
		len = datagram(p, alice, 4000, bob, 53, 4);
		assert_int_equal(box_from_inside(&at.b, p, len, HP_S), BOX_OUT);
		len = datagram(p, carol, 5000, outer, hp_get_be16(p + 20), 4);
		box_from_inside(&at.b, p, len, HP_S);
		len = datagram(p, alice, 4000, outer, to_carol, 4);
		assert_int_equal(box_from_inside(&at.b, p, len, HP_S),
				 on ? BOX_IN : BOX_DROP);
		if (on) {
			assert_true(sums_are_right(p, len));
			assert_memory_equal(p + 12, outer, 4);
			assert_memory_equal(p + 16, carol, 4);
		}
		tear_down(&at);
	}
}

static void what_is_no_whole_ipv4_packet_is_dropped(void **state)
{
	uint8_t p[64], q[64];
	struct place at;
	size_t len;

	(void)state;
	set_up(&at, false);
	len = datagram(p, alice, 4000, bob, 53, 4);
	for (size_t n = 0; n < 28; n++)
		assert_int_equal(box_from_inside(&at.b, p, n, HP_S), BOX_DROP);
	memcpy(q, p, len);
	q[0] = 0x65;
	assert_int_equal(box_from_inside(&at.b, q, len, HP_S), BOX_DROP);
	q[0] = 0x44;
	assert_int_equal(box_from_inside(&at.b, q, len, HP_S), BOX_DROP);
	memcpy(q, p, len);
	q[6] = 0x20;
	assert_int_equal(box_from_inside(&at.b, q, len, HP_S), BOX_DROP);
	memcpy(q, p, len);
	q[9] = 6;
	assert_int_equal(box_from_inside(&at.b, q, len, HP_S), BOX_DROP);
	tear_down(&at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagram_goes_out_and_its_answer_comes_in),
		cmocka_unit_test(datagram_without_a_sum_stays_without),
		cmocka_unit_test(echo_is_told_by_its_identifier),
		cmocka_unit_test(error_comes_in_to_who_sent_the_datagram),
		cmocka_unit_test(hairpin_turns_only_where_it_is_on),
		cmocka_unit_test(what_is_no_whole_ipv4_packet_is_dropped),
	};

	if (hp_crypto_init())
		return 1;
	return cmocka_run_group_tests_name("natbox", tests, NULL, NULL);
}
