/* SPDX-License-Identifier: ISC */
/* lib/base: addresses, prefixes, cursors, keys, timers, primitives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "base/heap.h"
#include "base/key.h"
#include "base/pkt.h"
#include "base/rng.h"

static void addr_text_and_parse_round_trip(void **state)
{
	static const char *const cases[][2] = {
		{ "192.0.2.1:8888", "192.0.2.1:8888" },
		{ "192.0.2.1", "192.0.2.1:51" },
		{ "[2001:db8::1]:9", "[2001:db8::1]:9" },
		{ "2001:db8::1", "[2001:db8::1]:51" },
		{ "fe80::1%3", "[fe80::1%3]:51" },
		{ "::ffff:192.0.2.7", "192.0.2.7:51" },
	};
	char text[HP_ADDR_TEXT];
	struct hp_addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(hp_addr_parse(cases[i][0], 51, &a, NULL),
				 HP_OK);
		assert_string_equal(hp_addr_text(&a, text), cases[i][1]);
	}
}

static void addr_parse_rejects_what_is_no_address(void **state)
{
	static const char *const bad[] = {
		"", "host", "192.0.2.256", "192.0.2.1:0", "192.0.2.1:65536",
		"[2001:db8::1", "192.0.2.1:", "192.0.2.1:8x", "1.2.3.4%1",
		"fe80::1%0", "fe80::1%eth0", "[::1]x",
	};
	struct hp_addr a = { 0 };
	struct hp_fault f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hp_addr_parse(bad[i], 51, &a, &f),
				 HP_ERR_FORMAT);
		assert_true(f.cause[0] && f.remedy[0]);
		assert_int_equal(a.family, HP_AF_NONE);
	}
}

static void addr_wire_form_survives_and_rejects_edges(void **state)
{
	struct hp_addr a = hp_addr4(192, 0, 2, 1, 4500);
	uint8_t buf[HP_ADDR_WIRE_MAX];
	struct hp_wr w = hp_wr_of(buf, sizeof(buf));
	struct hp_addr b;
	struct hp_rd r;

	(void)state;
	hp_addr_put(&w, &a);
	assert_int_equal(w.len, 7);
	r = hp_rd_of(buf, w.len);
	b = hp_addr_get(&r);
	assert_true(hp_rd_done(&r) && hp_addr_eq(&a, &b));
	for (size_t len = 0; len < w.len; len++) {
		r = hp_rd_of(buf, len);
		hp_addr_get(&r);
		assert_true(r.bad);
	}
	buf[0] = 5;
	r = hp_rd_of(buf, w.len);
	hp_addr_get(&r);
	assert_true(r.bad);
}

static void addr_scope_names_the_range(void **state)
{
	static const struct {
		const char *ip;
		enum hp_scope scope;
	} cases[] = {
		{ "8.8.8.8", HP_SCOPE_GLOBAL },
		{ "10.1.2.3", HP_SCOPE_PRIVATE },
		{ "172.32.0.1", HP_SCOPE_GLOBAL },
		{ "172.31.0.1", HP_SCOPE_PRIVATE },
		{ "100.64.0.1", HP_SCOPE_SHARED },
		{ "127.0.0.1", HP_SCOPE_LOOPBACK },
		{ "169.254.9.9", HP_SCOPE_LINK },
		{ "239.1.1.1", HP_SCOPE_NONE },
		{ "0.0.0.0", HP_SCOPE_NONE },
		{ "fe80::1", HP_SCOPE_LINK },
		{ "fd00::1", HP_SCOPE_PRIVATE },
		{ "2001:db8::1", HP_SCOPE_GLOBAL },
		{ "::1", HP_SCOPE_LOOPBACK },
		{ "ff02::1", HP_SCOPE_NONE },
	};
	struct hp_addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(hp_addr_parse(cases[i].ip, 1, &a, NULL),
				 HP_OK);
		assert_int_equal(hp_addr_scope(&a), cases[i].scope);
	}
}

static void prefix_trims_and_contains(void **state)
{
	struct hp_prefix p;
	char text[HP_PREFIX_TEXT];
	struct hp_addr in = hp_addr4(10, 9, 3, 200, 0);
	struct hp_addr out = hp_addr4(10, 9, 4, 0, 0);

	(void)state;
	assert_int_equal(hp_prefix_parse("10.9.2.77/23", &p, NULL), HP_OK);
	assert_string_equal(hp_prefix_text(&p, text), "10.9.2.0/23");
	assert_true(hp_prefix_has(&p, HP_AF_4, in.ip));
	assert_false(hp_prefix_has(&p, HP_AF_4, out.ip));
	assert_false(hp_prefix_has(&p, HP_AF_6, in.ip));
	assert_int_equal(hp_prefix_parse("0.0.0.0/0", &p, NULL), HP_OK);
	assert_true(hp_prefix_has(&p, HP_AF_4, out.ip));
	assert_int_equal(hp_prefix_parse("10.0.0.0/33", &p, NULL),
			 HP_ERR_FORMAT);
	assert_int_equal(hp_prefix_parse("10.0.0.0/", &p, NULL),
			 HP_ERR_FORMAT);
}

static void key_text_round_trips_and_rejects_other_lengths(void **state)
{
	struct hp_public k = { { 1, 2, 3 } };
	struct hp_public back;
	char text[HP_KEY_TEXT];

	(void)state;
	assert_int_equal(hp_public_parse(hp_public_text(&k, text), &back),
			 HP_OK);
	assert_true(hp_public_eq(&k, &back));
	text[43] = '\0';
	assert_int_equal(hp_public_parse(text, &back), HP_ERR_FORMAT);
	assert_int_equal(hp_public_parse("", &back), HP_ERR_FORMAT);
	assert_int_equal(hp_public_parse("AAAA", &back), HP_ERR_FORMAT);
	assert_int_equal(hp_public_parse("ghptoooooooooooooooooooooooooooooo"
					 "\x91\x90\x82oooo2nA=", &back),
			 HP_ERR_FORMAT);
}

static void dh_refuses_points_of_low_order(void **state)
{
	struct hp_secret s = { { 8 } };
	struct hp_public zero = { { 0 } };
	struct hp_public one = { { 1 } };
	struct hp_secret shared;

	(void)state;
	s.b[31] = 64;
	assert_int_equal(hp_dh(&s, &zero, &shared), HP_ERR_KEY);
	assert_int_equal(hp_dh(&s, &one, &shared), HP_ERR_KEY);
}

static void box_opens_only_what_was_sealed(void **state)
{
	struct hp_rng_seeded seed;
	struct hp_rng rng;
	struct hp_secret key = { { 7 } };
	uint8_t box[5 + HP_BOX_OVERHEAD];
	uint8_t out[5];

	(void)state;
	hp_rng_seeded_init(&seed, 1, &rng);
	hp_box_seal(&key, &rng, "ad", 2, "hello", 5, box);
	assert_int_equal(hp_box_open(&key, "ad", 2, box, sizeof(box), out),
			 HP_OK);
	assert_memory_equal(out, "hello", 5);
	assert_int_equal(hp_box_open(&key, "aD", 2, box, sizeof(box), out),
			 HP_ERR_AUTH);
	for (size_t i = 0; i < sizeof(box); i++) {
		box[i] ^= 1;
		assert_int_equal(hp_box_open(&key, "ad", 2, box, sizeof(box),
					     out), HP_ERR_AUTH);
		box[i] ^= 1;
	}
	for (size_t len = 0; len < HP_BOX_OVERHEAD; len++)
		assert_int_equal(hp_box_open(&key, NULL, 0, box, len, out),
				 HP_ERR_SHORT);
}

static void heap_gives_timers_in_order_of_deadline(void **state)
{
	enum { N = 500 };
	static struct hp_timer t[N];
	struct hp_heap h = { 0 };
	struct hp_rng_seeded seed;
	struct hp_rng rng;
	struct hp_timer *got;
	uint64_t last = 0;
	size_t n = 0;

	(void)state;
	hp_rng_seeded_init(&seed, 42, &rng);
	assert_int_equal(hp_heap_reserve(&h, N), HP_OK);
	for (size_t round = 0; round < 4; round++)
		for (size_t i = 0; i < N; i++)
			hp_heap_set(&h, &t[i], i % 7 == round ? HP_NEVER :
				    1 + hp_rng_below(&rng, 1000));
	assert_null(hp_heap_pop(&h, 0));
	while ((got = hp_heap_pop(&h, 2000))) {
		n++;
		assert_int_equal(got->at, 0);
	}
	assert_int_equal(hp_heap_next(&h), HP_NEVER);
	assert_true(n > 0 && n < N);
	for (size_t i = 0; i < N; i++)
		hp_heap_set(&h, &t[i], 1 + hp_rng_below(&rng, 1000));
	for (n = 0; h.n; n++) {
		uint64_t next = hp_heap_next(&h);

		assert_true(next >= last);
		last = next;
		assert_null(hp_heap_pop(&h, next - 1));
		assert_non_null(hp_heap_pop(&h, next));
	}
	assert_int_equal(n, N);
	hp_heap_free(&h);
}

static void relayed_data_is_data_only_where_relays_are_known(void **state)
{
	uint8_t buf[128] = { 0 };
	struct hp_pkt p = hp_pkt_of(buf, sizeof(buf), 32, 32);
	uint32_t channel = 0;

	(void)state;
	p.data[0] = 4; /* WireGuard data */
	assert_true(hp_datagram_is_data(&p, false, &channel));
	assert_int_equal(hp_relay_push(&p, 7), HP_OK);
	assert_false(hp_datagram_is_data(&p, false, &channel));
	assert_int_equal(p.len, 32 + HP_RELAY_HEAD);
	assert_int_equal(channel, 0);
	assert_true(hp_datagram_is_data(&p, true, &channel));
	assert_int_equal(p.len, 32);
	assert_int_equal(channel, 7);
	p.data[0] = 1; /* a handshake stays wrapped */
	assert_int_equal(hp_relay_push(&p, 7), HP_OK);
	assert_false(hp_datagram_is_data(&p, true, &channel));
	assert_int_equal(p.len, 32 + HP_RELAY_HEAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_text_and_parse_round_trip),
		cmocka_unit_test(addr_parse_rejects_what_is_no_address),
		cmocka_unit_test(addr_wire_form_survives_and_rejects_edges),
		cmocka_unit_test(addr_scope_names_the_range),
		cmocka_unit_test(prefix_trims_and_contains),
		cmocka_unit_test(key_text_round_trips_and_rejects_other_lengths),
		cmocka_unit_test(dh_refuses_points_of_low_order),
		cmocka_unit_test(box_opens_only_what_was_sealed),
		cmocka_unit_test(heap_gives_timers_in_order_of_deadline),
		cmocka_unit_test(
			relayed_data_is_data_only_where_relays_are_known),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
