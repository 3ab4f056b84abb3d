/* SPDX-License-Identifier: ISC */
/* lib/meet: STUN, with the vectors of RFC 5769. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "meet/stun.h"
#include "meet_world.h"

#define TID                                                             \
	0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, \
		0xae

static const uint8_t tid[HP_STUN_TID_LEN] = { TID };

/* RFC 5769, 2.1 */
static const uint8_t sample_request[] = {
	0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, TID,
	0x80, 0x22, 0x00, 0x10, 'S', 'T', 'U', 'N', ' ', 't', 'e', 's', 't',
	' ', 'c', 'l', 'i', 'e', 'n', 't',
	0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
	0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
	0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
	0x59, 0x20, 0x20, 0x20,
	0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56,
	0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2,
	0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
};

/* RFC 5769, 2.2 */
static const uint8_t sample_reply4[] = {
	0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, TID,
	0x80, 0x22, 0x00, 0x0b, 't', 'e', 's', 't', ' ', 'v', 'e', 'c', 't',
	'o', 'r', 0x20,
	0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
	0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3,
	0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
	0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
};

/* RFC 5769, 2.3 */
static const uint8_t sample_reply6[] = {
	0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, TID,
	0x80, 0x22, 0x00, 0x0b, 't', 'e', 's', 't', ' ', 'v', 'e', 'c', 't',
	'o', 'r', 0x20,
	0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
	0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
	0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1,
	0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
	0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
};

static void sample_replies_give_the_address_of_the_rfc(void **state)
{
	struct hp_addr want4 = hp_addr4(192, 0, 2, 1, 32853);
	struct hp_addr want6, seen;

	(void)state;
	assert_int_equal(hp_addr_parse("[2001:db8:1234:5678:11:2233:4455:6677]:"
				       "32853", 0, &want6, NULL),
			 HP_OK);
	assert_int_equal(hp_stun_reply_get(sample_reply4, sizeof(sample_reply4),
					   tid, &seen),
			 HP_OK);
	assert_true(hp_addr_eq(&seen, &want4));
	assert_int_equal(hp_stun_reply_get(sample_reply6, sizeof(sample_reply6),
					   tid, &seen),
			 HP_OK);
	assert_true(hp_addr_eq(&seen, &want6));
}

static void sample_request_is_read_and_its_priority_not_understood(void **state)
{
	struct hp_addr seen = hp_addr4(192, 0, 2, 1, 32853);
	uint8_t out[HP_STUN_REPLY_MAX];
	struct hp_stun_request req;
	size_t len;

	(void)state;
	assert_int_equal(hp_stun_request_get(sample_request,
					     sizeof(sample_request), &req),
			 HP_OK);
	assert_true(req.fingerprint && !req.classic);
	assert_int_equal(req.n_unknown, 1);
	assert_int_equal(req.unknown[0], 0x0024);
	len = hp_stun_reply_put(&req, &seen, out);
	assert_int_equal(len, 44);
	assert_int_equal(hp_get_be16(out), 0x0111);
	assert_int_equal(hp_get_be32(out + 24), 0x0414); /* 4, 20 */
	assert_int_equal(hp_get_be16(out + 28), 0x000a);
	assert_int_equal(hp_get_be16(out + 32), 0x0024);
	assert_int_equal(hp_stun_reply_get(out, len, tid, &seen),
			 HP_ERR_DENIED);
}

static void truncated_and_flipped_samples_are_not_accepted(void **state)
{
	uint8_t buf[sizeof(sample_request)];
	struct hp_stun_request req;
	struct hp_addr seen;

	(void)state;
	for (size_t len = 0; len < sizeof(sample_request); len++)
		assert_int_not_equal(hp_stun_request_get(sample_request, len,
							 &req),
				     HP_OK);
	for (size_t len = 0; len < sizeof(sample_reply4); len++)
		assert_int_not_equal(hp_stun_reply_get(sample_reply4, len, tid,
						       &seen),
				     HP_OK);
	for (size_t i = 0; i < sizeof(sample_request); i++) {
		/* With another cookie it is a classic one, with another type
		 * of its last attribute it has no fingerprint.
		 */
		if ((i >= 4 && i < 8) || i == sizeof(sample_request) - 8 ||
		    i == sizeof(sample_request) - 7)
			continue;
		memcpy(buf, sample_request, sizeof(buf));
		buf[i] ^= 0x40;
		assert_int_not_equal(hp_stun_request_get(buf, sizeof(buf),
							 &req),
				     HP_OK);
	}
	for (size_t i = 0; i < sizeof(sample_reply6) - 8; i++) {
		memcpy(buf, sample_reply6, sizeof(sample_reply6));
		buf[i] ^= 0x40;
		assert_int_not_equal(hp_stun_reply_get(buf,
						       sizeof(sample_reply6),
						       tid, &seen),
				     HP_OK);
	}
}

static void own_request_and_reply_fit_each_other(void **state)
{
	struct hp_addr a[2] = { hp_addr4(203, 0, 113, 5, 1) }, seen;
	uint8_t msg[HP_STUN_REQUEST_LEN], out[HP_STUN_REPLY_MAX];
	struct hp_stun_request req;

	(void)state;
	assert_int_equal(hp_addr_parse("[2001:db8::5]:65535", 0, &a[1], NULL),
			 HP_OK);
	hp_stun_request_put(msg, tid);
	assert_int_equal(hp_stun_request_get(msg, sizeof(msg), &req), HP_OK);
	assert_int_equal(req.n_unknown, 0);
	for (int i = 0; i < 2; i++) {
		size_t len = hp_stun_reply_put(&req, &a[i], out);

		assert_in_range(len, 1, sizeof(msg));
		assert_int_equal(hp_stun_reply_get(out, len, tid, &seen),
				 HP_OK);
		assert_true(hp_addr_eq(&seen, &a[i]));
		out[19] ^= 1;
		assert_int_equal(hp_stun_reply_get(out, len, tid, &seen),
				 HP_ERR_TYPE);
	}
}

static void indications_and_answers_are_no_requests(void **state)
{
	uint8_t msg[HP_STUN_REQUEST_LEN];
	struct hp_stun_request req;

	(void)state;
	hp_stun_request_put(msg, tid);
	hp_put_be16(msg, 0x0011);
	assert_int_equal(hp_stun_request_get(msg, sizeof(msg), &req),
			 HP_ERR_TYPE);
	assert_int_equal(hp_stun_request_get(sample_reply4,
					     sizeof(sample_reply4), &req),
			 HP_ERR_TYPE);
}

/* RFC 3489: no cookie, CHANGE-REQUEST with @flags. */
static void classic_request(uint8_t out[28], uint8_t flags)
{
	const uint8_t head[] = { 0, 1, 0, 8 };
	const uint8_t change[] = { 0, 3, 0, 4, 0, 0, 0, flags };

	memset(out, 0x77, 28);
	memcpy(out, head, sizeof(head));
	memcpy(out + 20, change, sizeof(change));
}

static void classic_client_gets_mapped_address(void **state)
{
	static struct mw w;
	struct hp_addr from = hp_addr4(192, 0, 2, 9, 5000);
	const uint8_t want[] = { 1, 1, 0, 12 };
	const uint8_t addr[] = { 0, 1, 0, 8, 0, 1, 0x13, 0x88, 192, 0, 2, 9 };
	uint8_t msg[28];

	(void)state;
	mw_init(&w, 1);
	classic_request(msg, 0);
	assert_int_equal(mw_inject(&w, &from, msg, sizeof(msg)), 32);
	assert_memory_equal(w.queue[0].buf, want, sizeof(want));
	assert_memory_equal(w.queue[0].buf + 4, msg + 4, 16);
	assert_memory_equal(w.queue[0].buf + 20, addr, sizeof(addr));
	assert_int_equal(w.queue[0].from.port, 8888);
	classic_request(msg, 2); /* another port */
	assert_int_equal(mw_inject(&w, &from, msg, sizeof(msg)), 32);
	assert_int_equal(w.queue[1].from.port, 8889);
	classic_request(msg, 4); /* another address: there is none */
	assert_int_equal(mw_inject(&w, &from, msg, sizeof(msg)), 0);
	assert_int_equal(mw_stats(&w).stun, 2);
	mw_free(&w);
}

static void classic_garbage_gets_no_answer(void **state)
{
	static struct mw w;
	struct hp_addr from = hp_addr4(192, 0, 2, 9, 5000);
	uint8_t msg[28];

	(void)state;
	mw_init(&w, 1);
	classic_request(msg, 0);
	for (size_t len = 0; len < sizeof(msg); len++)
		assert_int_equal(mw_inject(&w, &from, msg, len), 0);
	msg[23] = 5;
	assert_int_equal(mw_inject(&w, &from, msg, sizeof(msg)), 0);
	assert_int_equal(mw_stats(&w).drop[HP_RG_MALFORMED], 1);
	mw_free(&w);
}

/* RFC 5780 7.5: the answer tells the source, and goes elsewhere. */
static void response_port_gets_the_answer(void **state)
{
	static struct mw w;
	struct hp_addr from = hp_addr4(192, 0, 2, 9, 5000);
	struct hp_addr seen;
	uint8_t msg[HP_STUN_REQUEST_LEN];

	(void)state;
	mw_init(&w, 1);
	hp_stun_probe_put(msg, tid, false, 6000);
	assert_int_equal(mw_inject(&w, &from, msg, sizeof(msg)), 32);
	assert_int_equal(w.queue[0].to.port, 6000);
	assert_true(hp_addr_same_ip(&w.queue[0].to, &from));
	assert_int_equal(w.queue[0].from.port, 8888);
	assert_int_equal(hp_stun_reply_get(w.queue[0].buf, 32, tid, &seen),
			 HP_OK);
	assert_true(hp_addr_eq(&seen, &from));
	hp_stun_probe_put(msg, tid, true, 6000);
	assert_int_equal(mw_inject(&w, &from, msg, sizeof(msg)), 32);
	assert_int_equal(w.queue[1].to.port, 6000);
	assert_int_equal(w.queue[1].from.port, 8889);
	mw_free(&w);
}

static void response_port_is_worth_no_more_than_its_request(void **state)
{
	static struct mw w;
	struct hp_addr from = hp_addr4(192, 0, 2, 9, 5000);
	uint8_t msg[28];

	(void)state;
	mw_init(&w, 1);
	classic_request(msg, 0);
	hp_put_be32(msg + 4, 0x2112a442);
	hp_put_be16(msg + 20, 0x0027);
	hp_put_be32(msg + 24, 6000u << 16);
	assert_int_equal(mw_inject(&w, &from, msg, sizeof(msg)), 0);
	assert_int_equal(mw_stats(&w).drop[HP_RG_MALFORMED], 1);
	hp_put_be32(msg + 24, 0); /* no port at all */
	assert_int_equal(mw_inject(&w, &from, msg, sizeof(msg)), 0);
	assert_int_equal(mw_stats(&w).drop[HP_RG_MALFORMED], 2);
	mw_free(&w);
}

static void stun_is_limited_by_source(void **state)
{
	static struct mw w;
	struct hp_addr from = hp_addr4(192, 0, 2, 9, 5000);
	uint8_t msg[HP_STUN_REQUEST_LEN];
	unsigned int answers = 0;

	(void)state;
	mw_init(&w, 1);
	hp_stun_request_put(msg, tid);
	for (int i = 0; i < 1100; i++)
		answers += mw_inject(&w, &from, msg, sizeof(msg)) != 0;
	assert_int_equal(answers, w.cfg.strangers.burst);
	mw_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample_replies_give_the_address_of_the_rfc),
		cmocka_unit_test(
			sample_request_is_read_and_its_priority_not_understood),
		cmocka_unit_test(
			truncated_and_flipped_samples_are_not_accepted),
		cmocka_unit_test(own_request_and_reply_fit_each_other),
		cmocka_unit_test(indications_and_answers_are_no_requests),
		cmocka_unit_test(classic_client_gets_mapped_address),
		cmocka_unit_test(classic_garbage_gets_no_answer),
		cmocka_unit_test(response_port_gets_the_answer),
		cmocka_unit_test(
			response_port_is_worth_no_more_than_its_request),
		cmocka_unit_test(stun_is_limited_by_source),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
