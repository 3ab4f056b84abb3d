/* SPDX-License-Identifier: ISC */
/* Inner packets by hand: what is made is read back, all else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/inner.h"
#include "base/bytes.h"

static struct inner sample(const char *text)
{
	return (struct inner){
		.src = hp_addr4(10, 9, 0, 1, 50000),
		.dst = hp_addr4(10, 9, 0, 2, 7),
		.data = (const uint8_t *)text,
		.len = strlen(text),
	};
}

static void packet_is_read_back_at_every_length(void **state)
{
	char text[1381];
	uint8_t buf[1408];

	(void)state;
	for (size_t n = 0; n <= 1380; n++) {
		struct inner in, out;
		size_t len;

		memset(text, 'a' + (int)(n % 26), n);
		text[n] = '\0';
		in = sample(text);
		len = inner_make(&in, buf, sizeof(buf));
		assert_int_equal(len, INNER_HEADERS + n);
		assert_true(inner_parse(buf, len, &out));
		assert_true(hp_addr_eq(&out.src, &in.src));
		assert_true(hp_addr_eq(&out.dst, &in.dst));
		assert_int_equal(out.len, n);
		assert_memory_equal(out.data, text, n);
	}
}

static void packet_that_does_not_fit_is_not_made(void **state)
{
	struct inner in = sample("hello");
	uint8_t buf[64];

	(void)state;
	assert_int_equal(inner_make(&in, buf, INNER_HEADERS + 4), 0);
	assert_int_equal(inner_make(&in, buf, INNER_HEADERS + 5),
			 INNER_HEADERS + 5);
	in.len = UINT16_MAX;
	assert_int_equal(inner_make(&in, buf, SIZE_MAX), 0);
}

/* The header of RFC 1071's way of summing, done by hand for one packet. */
static void checksums_are_those_of_the_standards(void **state)
{
	struct inner in = sample("hi!");
	uint8_t buf[64];
	uint32_t s = 0;

	(void)state;
	assert_int_equal(inner_make(&in, buf, sizeof(buf)), 31);
	for (size_t i = 0; i < 20; i += 2)
		s += hp_get_be16(buf + i);
	assert_int_equal((s & 0xffff) + (s >> 16), 0xffff);
	/* 10.9.0.1 + 10.9.0.2, protocol 17, length 11, ports, "hi!" and 0 */
	s = 0x0a09 + 0x0001 + 0x0a09 + 0x0002 + 17 + 11 + 50000 + 7 + 11 +
	    0x6869 + 0x2100;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	assert_int_equal(hp_get_be16(buf + 26), (uint16_t)~s);
}

static void damaged_packet_is_refused(void **state)
{
	struct inner in = sample("payload"), out;
	uint8_t good[64], buf[64];
	size_t len = inner_make(&in, good, sizeof(good));

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_false(inner_parse(good, cut, &out));
	for (size_t bit = 0; bit < 8 * len; bit++) {
		memcpy(buf, good, len);
		buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		if (inner_parse(buf, len, &out))
			fail_msg("bit %zu was not missed", bit);
	}
}

static void packet_without_udp_checksum_is_taken(void **state)
{
	struct inner in = sample("payload"), out;
	uint8_t buf[64];
	size_t len = inner_make(&in, buf, sizeof(buf));

	(void)state;
	hp_put_be16(buf + 26, 0);
	assert_true(inner_parse(buf, len, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packet_is_read_back_at_every_length),
		cmocka_unit_test(packet_that_does_not_fit_is_not_made),
		cmocka_unit_test(checksums_are_those_of_the_standards),
		cmocka_unit_test(damaged_packet_is_refused),
		cmocka_unit_test(packet_without_udp_checksum_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
