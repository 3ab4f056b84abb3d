/* SPDX-License-Identifier: ISC */
/* Packets that are too long: messages, fragments, and promised sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/time.h"
#include "wg/inet.h"
#include "wg/toobig.h"

#define DF 0x4000
#define MF 0x2000

static uint8_t buf[2048];
static uint8_t out[2048];

/* An IPv4 packet of @len bytes, of 10.9.0.1 to 10.9.0.2. */
static uint8_t *ip4(uint32_t len, uint8_t proto, uint16_t field)
{
	memset(buf, 0, sizeof(buf));
	for (uint32_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(i * 7);
	buf[0] = 0x45;
	hp_put_be16(buf + 2, (uint16_t)len);
	hp_put_be16(buf + 6, field);
	buf[8] = 64;
	buf[9] = proto;
	memcpy(buf + 12, (uint8_t[]){ 10, 9, 0, 1, 10, 9, 0, 2 }, 8);
	hp_sum_ip4(buf);
	return buf;
}

static uint8_t *ip6(uint32_t len, uint8_t next)
{
	memset(buf, 0, sizeof(buf));
	for (uint32_t i = 40; i < len; i++)
		buf[i] = (uint8_t)(i * 7);
	buf[0] = 0x60;
	hp_put_be16(buf + 4, (uint16_t)(len - 40));
	buf[6] = next;
	buf[7] = 64;
	buf[8] = buf[24] = 0xfd;
	buf[23] = 1;
	buf[39] = 2;
	return buf;
}

static uint16_t sum_of(uint64_t sum, const uint8_t *p, uint32_t len)
{
	return hp_sum_fold(hp_sum_add(sum, p, len));
}

static void message4_reads_back(void **state)
{
	uint32_t len;

	(void)state;
	assert_int_equal(hp_toobig_make(ip4(1408, 6, DF), 1408, 1064, out,
					&len), HP_OK);
	assert_int_equal(len, 576);
	assert_int_equal(out[0], 0x45);
	assert_int_equal(hp_get_be16(out + 2), len);
	assert_int_equal(sum_of(0, out, 20), 0xffff);
	assert_int_equal(out[9], 1);
	assert_memory_equal(out + 12, buf + 16, 4);
	assert_memory_equal(out + 16, buf + 12, 4);
	assert_int_equal(out[20], 3);
	assert_int_equal(out[21], 4);
	assert_int_equal(hp_get_be16(out + 24), 0);
	assert_int_equal(hp_get_be16(out + 26), 1064);
	assert_int_equal(sum_of(0, out + 20, len - 20), 0xffff);
	assert_memory_equal(out + 28, buf, len - 28);
}

static void message6_reads_back_and_never_asks_for_less_than_1280(void **state)
{
	const struct hp_inet in = { .family = HP_AF_6, .proto = 58 };
	static const uint32_t mtus[][2] = { { 1360, 1360 }, { 1064, 1280 } };
	uint32_t len;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(hp_toobig_make(ip6(1408, 6), 1408, mtus[i][0],
						out, &len), HP_OK);
		assert_int_equal(len, 1280);
		assert_int_equal(hp_get_be16(out + 4), len - 40);
		assert_int_equal(out[6], 58);
		assert_memory_equal(out + 8, buf + 24, 16);
		assert_memory_equal(out + 24, buf + 8, 16);
		assert_int_equal(out[40], 2);
		assert_int_equal(out[41], 0);
		assert_int_equal(hp_get_be32(out + 44), mtus[i][1]);
		assert_int_equal(sum_of(hp_sum_pseudo(out, &in, len - 40),
					out + 40, len - 40), 0xffff);
		assert_memory_equal(out + 48, buf, len - 48);
	}
}

static enum hp_err make(const uint8_t *p, uint32_t len)
{
	uint32_t n;

	return hp_toobig_make(p, len, 1000, out, &n);
}

static void nothing_is_said_of_what_may_not_be_answered(void **state)
{
	(void)state;
	assert_int_equal(make(buf, 0), HP_ERR_STATE);
	assert_int_equal(make(ip4(1408, 6, DF), 19), HP_ERR_STATE);
	assert_int_equal(make(ip4(1408, 6, 0), 1408), HP_ERR_STATE);
	assert_int_equal(make(ip4(1408, 6, DF | 5), 1408), HP_ERR_STATE);
	ip4(1408, 1, DF)[20] = 3; /* an ICMP error */
	assert_int_equal(make(buf, 1408), HP_ERR_STATE);
	ip4(1408, 1, DF)[20] = 8; /* but a ping is told */
	assert_int_equal(make(buf, 1408), HP_OK);
	ip4(1408, 6, DF)[12] = 0;
	assert_int_equal(make(buf, 1408), HP_ERR_STATE);
	ip4(1408, 6, DF)[16] = 239;
	assert_int_equal(make(buf, 1408), HP_ERR_STATE);
	ip4(1408, 6, DF)[0] = 0x41;
	assert_int_equal(make(buf, 1408), HP_ERR_STATE);
	assert_int_equal(make(ip6(1408, 6), 39), HP_ERR_STATE);
	ip6(1408, 58)[40] = 1; /* an ICMPv6 error */
	assert_int_equal(make(buf, 1408), HP_ERR_STATE);
	ip6(1408, 58)[40] = 128;
	assert_int_equal(make(buf, 1408), HP_OK);
	ip6(1408, 6)[24] = 0xff;
	assert_int_equal(make(buf, 1408), HP_ERR_STATE);
	memset(ip6(1408, 6) + 8, 0, 16);
	assert_int_equal(make(buf, 1408), HP_ERR_STATE);
	buf[0] = 0x50;
	assert_int_equal(make(buf, 1408), HP_ERR_STATE);
}

static void messages_are_rationed(void **state)
{
	struct hp_toobig_limit l = { 0 };
	unsigned int n = 0;

	(void)state;
	for (uint64_t t = 0; t < HP_S; t += HP_MS)
		for (int i = 0; i < 10; i++)
			n += hp_toobig_allowed(&l, 7 * HP_S + t);
	assert_int_equal(n, 200);
}

/* Puts the fragments of the packet in @buf together again. */
static void cut(uint32_t len, uint32_t mtu)
{
	static uint8_t whole[2048];
	uint32_t head = (buf[0] & 15u) * 4, at = 0, n;
	uint16_t was = hp_get_be16(buf + 6);
	struct hp_fragmenter s;

	assert_int_equal(hp_fragment_begin(&s, buf, len, mtu, 9), HP_OK);
	while ((n = hp_fragment_len(&s))) {
		bool last = at + n == len;
		uint16_t field;

		assert_true(n <= mtu);
		hp_fragment_next(&s, out);
		field = hp_get_be16(out + 6);
		assert_int_equal(hp_get_be16(out + 2), n);
		assert_int_equal(sum_of(0, out, head), 0xffff);
		assert_memory_equal(out + 4, buf + 4, 2);
		assert_memory_equal(out + 8, buf + 8, 2);
		assert_memory_equal(out + 12, buf + 12, 8);
		assert_int_equal((field & 0x1fff) * 8, (was & 0x1fff) * 8 + at);
		assert_int_equal(field & MF, last ? was & MF : MF);
		assert_true(last || (n - head) % 8 == 0);
		memcpy(whole + at, out + head, n - head);
		at += n - head;
	}
	assert_int_equal(at, len - head);
	assert_memory_equal(whole, buf + head, at);
}

static void fragments_make_the_whole(void **state)
{
	static const uint32_t mtus[] = { 28, 68, 100, 576, 1064, 1400 };

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		ip4(1407, 17, 0);
		cut(1407, mtus[i]);
		ip4(1407, 17, MF | 40); /* one that is a fragment itself */
		cut(1407, mtus[i]);
	}
}

static void options_that_are_not_copied_stay_in_the_first(void **state)
{
	struct hp_fragmenter s;

	(void)state;
	ip4(1400, 17, 0)[0] = 0x48;
	/* A route record, which is not copied, and a copied one. */
	memcpy(buf + 20, (uint8_t[]){ 7, 3, 4, 1, 0x94, 4, 0, 0, 0, 0, 0, 0 },
	       12);
	assert_int_equal(hp_fragment_begin(&s, buf, 1400, 600, 9), HP_OK);
	hp_fragment_next(&s, out);
	assert_memory_equal(out + 20, buf + 20, 12);
	hp_fragment_next(&s, out);
	assert_memory_equal(out + 20,
			    ((uint8_t[]){ 1, 1, 1, 1, 0x94, 4, 0, 0, 0, 0, 0,
					  0 }), 12);
}

static void ipv6_is_cut_up_to_what_it_promises(void **state)
{
	static const uint32_t lens[] = { 1280, 1279, 1100 };
	uint8_t whole[1280];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint32_t at = 0, n;
		struct hp_fragmenter s;

		ip6(lens[i], 17);
		assert_int_equal(hp_fragment_begin(&s, buf, lens[i], 1064, 77),
				 HP_OK);
		while ((n = hp_fragment_len(&s))) {
			bool last = at + n - 8 == lens[i];

			assert_true(n <= 1064);
			hp_fragment_next(&s, out);
			assert_int_equal(hp_get_be16(out + 4), n - 40);
			assert_int_equal(out[6], 44);
			assert_memory_equal(out + 7, buf + 7, 33);
			assert_int_equal(out[40], 17);
			assert_int_equal(out[41], 0);
			assert_int_equal(hp_get_be16(out + 42), at | !last);
			assert_int_equal(hp_get_be32(out + 44), 77);
			memcpy(whole + at, out + 48, n - 48);
			at += n - 48;
		}
		assert_int_equal(at, lens[i] - 40);
		assert_memory_equal(whole, buf + 40, at);
	}
}

static bool cuts(const uint8_t *p, uint32_t len, uint32_t mtu)
{
	struct hp_fragmenter s;

	return !hp_fragment_begin(&s, p, len, mtu, 1);
}

static void what_must_stay_whole_is_not_cut(void **state)
{
	(void)state;
	assert_false(cuts(ip4(1400, 17, DF), 1400, 1000));
	assert_false(cuts(ip4(1400, 17, 0), 1400, 27));
	assert_false(cuts(ip4(1400, 17, 0), 1399, 1000));
	assert_false(cuts(ip4(1400, 17, 0), 19, 1000));
	assert_false(cuts(ip4(1400, 17, 0), 0, 1000));
	assert_false(cuts(ip6(1281, 17), 1281, 1000));
	assert_false(cuts(ip6(1280, 17), 1279, 1000));
	assert_false(cuts(ip6(1280, 17), 1280, 55));
	assert_false(cuts(ip6(1280, 17), 40, 1000));
	assert_false(cuts(ip6(1280, 0), 1280, 1000));
	assert_false(cuts(ip6(1280, 43), 1280, 1000));
	assert_false(cuts(ip6(1280, 44), 1280, 1000));
	assert_false(cuts(ip6(1280, 60), 1280, 1000));
}

/* A SYN with the options @opt; returns the TCP header. */
static uint8_t *syn(bool v6, const uint8_t *opt, uint32_t n, uint8_t flags)
{
	uint32_t l4 = v6 ? 40 : 20, len = l4 + 20 + n;
	uint8_t *p = v6 ? ip6(len, 6) : ip4(len, 6, DF);
	struct hp_inet in = { .family = v6 ? HP_AF_6 : HP_AF_4, .proto = 6 };

	p[l4 + 12] = (uint8_t)((20 + n) / 4 << 4);
	p[l4 + 13] = flags;
	memcpy(p + l4 + 20, opt, n);
	memset(p + l4 + 16, 0, 2);
	hp_sum_put(p + l4 + 16, (uint16_t)~sum_of(hp_sum_pseudo(p, &in, 20 + n),
						  p + l4, 20 + n));
	return p + l4;
}

static void syn_promises_what_fits(void **state)
{
	static const uint8_t opt[] = { 1, 1, 4, 2, 2, 4, 0x05, 0x50, 1, 3, 3, 7 };
	struct hp_inet in;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t *tcp = syn(v6, opt, sizeof(opt), 0x12);
		uint32_t len = (v6 ? 60 : 40) + sizeof(opt);

		hp_mss_clamp(buf, len, 1100);
		assert_int_equal(hp_get_be16(tcp + 26), v6 ? 1040 : 1060);
		assert_int_equal(hp_inet_parse(buf, len, &in), HP_OK);
		assert_true(hp_sum_ok(buf, &in));
	}
}

static void all_else_is_left_alone(void **state)
{
	static const struct {
		const char *label;
		uint8_t opt[8];
		uint8_t flags;
		uint32_t mtu;
	} rows[] = {
		{ "no SYN", { 2, 4, 5, 0x50 }, 0x10, 1100 },
		{ "fits", { 2, 4, 5, 0x50 }, 2, 1408 },
		{ "odd place", { 1, 2, 4, 5, 0x50 }, 2, 1100 },
		{ "no such option", { 1, 1, 4, 2 }, 2, 1100 },
		{ "ended before", { 0, 0, 0, 0, 2, 4, 5, 0x50 }, 2, 1100 },
		{ "length 0", { 3, 0, 2, 4, 5, 0x50 }, 2, 1100 },
		{ "too long", { 3, 9, 2, 4, 5, 0x50 }, 2, 1100 },
		{ "MTU of nothing", { 2, 4, 5, 0x50 }, 2, 30 },
	};
	uint8_t was[48];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].label);
		syn(false, rows[i].opt, 8, rows[i].flags);
		memcpy(was, buf, 48);
		hp_mss_clamp(buf, 48, rows[i].mtu);
		assert_memory_equal(buf, was, 48);
	}
	for (uint32_t len = 0; len < 44; len++) { /* cut short */
		syn(false, rows[0].opt, 8, 2);
		memcpy(was, buf, 48);
		hp_mss_clamp(buf, len, 1100);
		assert_memory_equal(buf, was, 48);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message4_reads_back),
		cmocka_unit_test(
		message6_reads_back_and_never_asks_for_less_than_1280),
		cmocka_unit_test(nothing_is_said_of_what_may_not_be_answered),
		cmocka_unit_test(messages_are_rationed),
		cmocka_unit_test(fragments_make_the_whole),
		cmocka_unit_test(options_that_are_not_copied_stay_in_the_first),
		cmocka_unit_test(ipv6_is_cut_up_to_what_it_promises),
		cmocka_unit_test(what_must_stay_whole_is_not_cut),
		cmocka_unit_test(syn_promises_what_fits),
		cmocka_unit_test(all_else_is_left_alone),
	};

	return cmocka_run_group_tests_name("wg_toobig", tests, NULL, NULL);
}
