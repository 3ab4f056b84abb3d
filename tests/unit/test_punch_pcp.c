/* SPDX-License-Identifier: ISC */
/* lib/punch/pcp: what goes over the wire, when, and what is believed; and
 * lib/punch/mapped: which mapped addresses peers are told of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "punch/mapped.h"
#include "punch/pcp.h"

#define PORT 51820
#define T0 (1000 * HP_S)

static const uint8_t nonce[HP_PCP_NONCE] = "abcdefghijk";

struct lease {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct hp_addr gateway;
	struct hp_pcp p;
	uint64_t now_ns;
	uint8_t sent[HP_PCP_LEN];
};

static void begin(struct lease *l)
{
	struct hp_addr host = hp_addr4(192, 168, 1, 2, PORT);

	memset(l, 0, sizeof(*l));
	hp_rng_seeded_init(&l->seeded, 7, &l->rng);
	l->gateway = hp_addr4(192, 168, 1, 1, HP_PCP_PORT);
	l->now_ns = T0;
	hp_pcp_init(&l->p, &l->gateway, &host, nonce, &l->rng, T0);
}

/* Lets time pass up to the deadline; was a request sent there? */
static bool step(struct lease *l)
{
	uint64_t at_ns = hp_pcp_deadline(&l->p);

	assert_true(at_ns != HP_NEVER);
	if (at_ns > l->now_ns)
		l->now_ns = at_ns;
	return hp_pcp_tick(&l->p, l->now_ns, l->sent) == HP_PCP_LEN;
}

/* The answer to a request of ours, epoch by our clock. */
static void answer(const struct lease *l, unsigned int result,
		   uint32_t lifetime_s, uint8_t out[HP_PCP_LEN])
{
	memset(out, 0, HP_PCP_LEN);
	out[0] = 2;
	out[1] = 0x81;
	out[3] = (uint8_t)result;
	hp_put_be32(out + 4, lifetime_s);
	hp_put_be32(out + 8, (uint32_t)(l->now_ns / HP_S));
	memcpy(out + 24, nonce, sizeof(nonce));
	out[36] = 17;
	hp_put_be16(out + 40, PORT);
	hp_put_be16(out + 42, PORT + 1);
	memset(out + 54, 0xff, 2);
	memcpy(out + 56, (uint8_t[]){ 203, 0, 113, 9 }, 4);
}

static enum hp_err hear(struct lease *l, const uint8_t *buf, size_t len)
{
	return hp_pcp_rx(&l->p, &l->gateway, buf, len, l->now_ns);
}

static enum hp_err hear_answer(struct lease *l, unsigned int result,
			       uint32_t lifetime_s)
{
	uint8_t buf[HP_PCP_LEN];

	answer(l, result, lifetime_s, buf);
	return hear(l, buf, sizeof(buf));
}

static void get_lease(struct lease *l, uint32_t lifetime_s)
{
	begin(l);
	assert_true(step(l));
	assert_int_equal(hear_answer(l, 0, lifetime_s), HP_OK);
	assert_int_equal(l->p.state, HP_PCP_HELD);
}

static void request_is_as_the_rfc_draws_it(void **state)
{
	static const uint8_t want[HP_PCP_LEN] = {
		2, 1, 0, 0, 0, 0, 0x1c, 0x20,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 1, 2,
		'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 0,
		17, 0, 0, 0, 0xca, 0x6c, 0xca, 0x6c,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0,
	};
	struct lease l;

	(void)state;
	begin(&l);
	assert_true(step(&l));
	assert_memory_equal(l.sent, want, sizeof(want));
}

static void answer_gives_a_lease(void **state)
{
	struct hp_addr want = hp_addr4(203, 0, 113, 9, PORT + 1);
	struct lease l;

	(void)state;
	get_lease(&l, 600);
	assert_true(hp_addr_eq(&l.p.external, &want));
	assert_true(l.p.until_ns == T0 + 600 * HP_S);
}

/* 8.1.1: 3 s, doubled, up to 1024 s, each within a tenth; without an end. */
static void silence_is_asked_ever_more_rarely(void **state)
{
	struct lease l;
	uint64_t last_ns = T0, want_s = 3;

	(void)state;
	begin(&l);
	assert_true(step(&l));
	assert_true(l.now_ns == T0);
	for (int i = 0; i < 20; i++) {
		uint64_t ms;

		assert_int_equal(hp_pcp_tick(&l.p, hp_pcp_deadline(&l.p) - 1,
					     l.sent), 0);
		assert_true(step(&l));
		ms = (l.now_ns - last_ns) / HP_MS;
		/* A tenth of a tenth is carried on from wait to wait. */
		assert_in_range(ms, want_s * 700, want_s * 1400);
		assert_true(ms <= 1127 * 1000);
		last_ns = l.now_ns;
		want_s = want_s * 2 > 1024 ? 1024 : want_s * 2;
	}
	assert_int_equal(l.p.tries, 21);
}

/* 11.2.1: 1/2 to 5/8, then 3/4 to 13/16 and so on; over at its end. */
static void lease_is_renewed_from_half_on_and_ends(void **state)
{
	struct lease l;
	uint64_t s;

	(void)state;
	get_lease(&l, 1600);
	assert_true(step(&l));
	s = (l.now_ns - T0) / HP_S;
	assert_in_range(s, 800, 1000);
	/* The address that we have is asked for. */
	assert_int_equal(hp_get_be16(l.sent + 42), PORT + 1);
	assert_int_equal(l.sent[59], 9);
	assert_true(step(&l));
	s = (l.now_ns - T0) / HP_S;
	assert_in_range(s, 1200, 1375);
	while (l.p.state == HP_PCP_HELD) {
		uint64_t was_ns = l.now_ns;

		assert_true(step(&l));
		if (l.p.state == HP_PCP_HELD)
			assert_true(l.now_ns - was_ns >= 4 * HP_S);
	}
	assert_true(l.now_ns == T0 + 1600 * HP_S);
	assert_int_equal(l.p.state, HP_PCP_ASKING);
	/* And the next answer is a lease again. */
	assert_int_equal(hear_answer(&l, 0, 1600), HP_OK);
	assert_int_equal(l.p.state, HP_PCP_HELD);
}

static void renewed_lease_counts_from_the_answer(void **state)
{
	struct lease l;

	(void)state;
	get_lease(&l, 1600);
	assert_true(step(&l));
	assert_int_equal(hear_answer(&l, 0, 1600), HP_OK);
	assert_true(l.p.until_ns == l.now_ns + 1600 * HP_S);
	/* A refusal leaves what is held until its end. */
	assert_true(step(&l));
	assert_int_equal(hear_answer(&l, HP_PCP_NO_RESOURCES, 60), HP_OK);
	assert_int_equal(l.p.state, HP_PCP_HELD);
}

static void lifetime_is_bounded(void **state)
{
	struct lease l;

	(void)state;
	get_lease(&l, UINT32_MAX);
	assert_true(l.p.until_ns == T0 + HP_PCP_LIFETIME_MAX_S * HP_S);
	begin(&l);
	assert_true(step(&l));
	assert_int_equal(hear_answer(&l, 0, 0), HP_OK);
	assert_int_equal(l.p.state, HP_PCP_REFUSED);
}

static void lease_of_a_second_is_not_asked_for_without_a_break(void **state)
{
	struct lease l;
	unsigned int sent = 0;

	(void)state;
	get_lease(&l, 1);
	while (l.now_ns < T0 + 100 * HP_S) {
		sent += step(&l);
		(void)!hear_answer(&l, 0, 1);
	}
	assert_true(sent <= 110);
}

static void error_is_believed_within_bounds(void **state)
{
	static const struct {
		uint32_t said_s;
		uint64_t wait_s;
	} rows[] = { { 0, 30 }, { 30, 30 }, { 600, 600 },
		     { UINT32_MAX, 1800 } };
	struct lease l;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin(&l);
		assert_true(step(&l));
		assert_int_equal(hear_answer(&l, HP_PCP_NOT_AUTHORIZED,
					     rows[i].said_s), HP_OK);
		assert_int_equal(l.p.state, HP_PCP_REFUSED);
		assert_int_equal(l.p.result, HP_PCP_NOT_AUTHORIZED);
		assert_true(hp_pcp_deadline(&l.p) ==
			    T0 + rows[i].wait_s * HP_S);
		assert_true(step(&l));
		assert_int_equal(l.p.state, HP_PCP_ASKING);
	}
}

/* Each row spoils one thing of a good answer. */
static void what_is_no_answer_to_us_is_refused(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t is;
		size_t len;
		enum hp_err want;
	} rows[] = {
		{ "empty", 0, 2, 0, HP_ERR_SHORT },
		{ "three bytes", 0, 2, 3, HP_ERR_SHORT },
		{ "half a head", 0, 2, 12, HP_ERR_SHORT },
		{ "head alone", 0, 2, 24, HP_ERR_SHORT },
		{ "cut short", 0, 2, 56, HP_ERR_SHORT },
		{ "no multiple of four", 0, 2, 59, HP_ERR_FORMAT },
		{ "a request", 1, 0x01, 60, HP_ERR_TYPE },
		{ "another opcode", 1, 0x82, 60, HP_ERR_TYPE },
		{ "another nonce", 30, 'x', 60, HP_ERR_AUTH },
		{ "TCP", 36, 6, 60, HP_ERR_AUTH },
		{ "another port", 41, 1, 60, HP_ERR_AUTH },
	};
	uint8_t buf[HP_PCP_LEN], long_one[HP_PCP_MAX + 4] = { 2, 0x81 };
	struct lease l;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin(&l);
		assert_true(step(&l));
		answer(&l, 0, 600, buf);
		buf[rows[i].at] = rows[i].is;
		if (hear(&l, buf, rows[i].len) != rows[i].want)
			fail_msg("%s", rows[i].what);
		assert_int_equal(l.p.state, HP_PCP_ASKING);
	}
	assert_int_equal(hear(&l, long_one, sizeof(long_one)), HP_ERR_FORMAT);
}

static void nobody_but_the_gateway_is_heard(void **state)
{
	struct hp_addr other = hp_addr4(192, 168, 1, 7, HP_PCP_PORT);
	struct hp_addr port = hp_addr4(192, 168, 1, 1, 5352);
	uint8_t buf[HP_PCP_LEN];
	struct lease l;

	(void)state;
	begin(&l);
	assert_true(step(&l));
	answer(&l, 0, 600, buf);
	assert_int_equal(hp_pcp_rx(&l.p, &other, buf, sizeof(buf), T0),
			 HP_ERR_DENIED);
	assert_int_equal(hp_pcp_rx(&l.p, &port, buf, sizeof(buf), T0),
			 HP_ERR_DENIED);
	assert_int_equal(l.p.state, HP_PCP_ASKING);
}

static void address_of_no_use_is_a_refusal(void **state)
{
	uint8_t buf[HP_PCP_LEN];
	struct lease l;

	(void)state;
	for (int i = 0; i < 3; i++) {
		begin(&l);
		assert_true(step(&l));
		answer(&l, 0, 600, buf);
		if (i == 0)
			hp_put_be16(buf + 42, 0);	/* port 0 */
		else if (i == 1)
			memset(buf + 56, 0, 4);		/* 0.0.0.0 */
		else
			buf[44] = 0x20;			/* IPv6 */
		assert_int_equal(hear(&l, buf, sizeof(buf)), HP_OK);
		assert_int_equal(l.p.state, HP_PCP_REFUSED);
		assert_int_equal(l.p.result, HP_PCP_NETWORK_FAILURE);
	}
}

/* RFC 6886, 3.5: what a NAT-PMP gateway says to our version. */
static void old_and_foreign_versions_are_told(void **state)
{
	const uint8_t natpmp[8] = { 0, 0x81, 0, 1, 0, 0, 0, 9 };
	uint8_t buf[24] = { 3, 0x81, 0, 1 };
	struct lease l;

	(void)state;
	begin(&l);
	assert_int_equal(hear(&l, natpmp, sizeof(natpmp)), HP_ERR_STATE);
	assert_true(step(&l));
	assert_int_equal(hear(&l, natpmp, sizeof(natpmp)), HP_OK);
	assert_int_equal(l.p.state, HP_PCP_OLD);
	assert_true(hp_pcp_deadline(&l.p) == HP_NEVER);
	begin(&l);
	assert_true(step(&l));
	assert_int_equal(hear(&l, buf, sizeof(buf)), HP_OK);
	assert_int_equal(l.p.state, HP_PCP_FOREIGN);
	/* What is held is not let go for it. */
	get_lease(&l, 600);
	assert_int_equal(hear(&l, natpmp, sizeof(natpmp)), HP_ERR_STATE);
	assert_int_equal(l.p.state, HP_PCP_HELD);
}

static void announce(const struct lease *l, int64_t ahead_s, uint8_t out[24])
{
	memset(out, 0, 24);
	out[0] = 2;
	out[1] = 0x80;
	hp_put_be32(out + 8, (uint32_t)((int64_t)(l->now_ns / HP_S) + ahead_s));
}

/* 8.5: a clock that went back, or runs at another pace by 1/16. */
static void gateway_that_restarted_is_asked_at_once(void **state)
{
	static const struct {
		const char *what;
		uint64_t later_s;
		int64_t ahead_s;
		bool lost;
	} rows[] = {
		{ "same pace", 1000, 0, false },
		{ "a second back", 0, -1, false },
		{ "two seconds back", 0, -2, true },
		{ "from the start", 100, -1099, true },
		{ "slow by a sixteenth", 160, -10, false },
		{ "slower", 160, -16, true },
		{ "fast by a sixteenth", 160, 10, false },
		{ "faster", 160, 20, true },
	};
	uint8_t buf[24];
	struct lease l;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		get_lease(&l, 7200);
		l.now_ns += rows[i].later_s * HP_S;
		announce(&l, rows[i].ahead_s, buf);
		if ((hear(&l, buf, sizeof(buf)) == HP_OK) != rows[i].lost)
			fail_msg("%s", rows[i].what);
		if (!rows[i].lost)
			continue;
		assert_true(hp_pcp_deadline(&l.p) <= l.now_ns + HP_S);
		assert_true(step(&l));
		assert_int_equal(hear_answer(&l, 0, 600), HP_OK);
		assert_int_equal(l.p.state, HP_PCP_HELD);
	}
}

/* Told by the answer to a renewal, too: a refusal means the lease is gone. */
static void restart_and_refusal_end_the_lease(void **state)
{
	uint8_t buf[HP_PCP_LEN];
	struct lease l;

	(void)state;
	get_lease(&l, 1600);
	assert_true(step(&l));
	answer(&l, HP_PCP_NO_RESOURCES, 60, buf);
	hp_put_be32(buf + 8, 5);
	assert_int_equal(hear(&l, buf, sizeof(buf)), HP_OK);
	assert_int_equal(l.p.state, HP_PCP_REFUSED);
}

static void lease_is_given_back(void **state)
{
	struct lease l;

	(void)state;
	get_lease(&l, 600);
	hp_pcp_end(&l.p, l.now_ns);
	assert_true(step(&l));
	assert_int_equal(hp_get_be32(l.sent + 4), 0);
	assert_int_equal(hp_get_be16(l.sent + 42), 0);
	/* A late answer to a renewal is not the word that it is gone. */
	assert_int_equal(hear_answer(&l, 0, 600), HP_OK);
	assert_int_equal(l.p.state, HP_PCP_ENDING);
	assert_int_equal(hear_answer(&l, 0, 0), HP_OK);
	assert_int_equal(l.p.state, HP_PCP_ENDED);
	assert_true(hp_pcp_deadline(&l.p) == HP_NEVER);
	assert_int_equal(hear_answer(&l, 0, 600), HP_ERR_STATE);
}

static void giving_back_does_not_wait_for_a_dead_gateway(void **state)
{
	struct lease l;
	uint64_t begun;
	int sent = 0;

	(void)state;
	get_lease(&l, 600);
	begun = l.now_ns;
	hp_pcp_end(&l.p, l.now_ns);
	while (l.p.state == HP_PCP_ENDING)
		sent += step(&l);
	assert_int_equal(sent, 2);
	assert_true(l.now_ns - begun <= 250 * HP_MS);
	/* Nothing was asked for: nothing to give back. */
	begin(&l);
	hp_pcp_end(&l.p, T0);
	assert_int_equal(l.p.state, HP_PCP_ENDED);
	assert_int_equal(hp_pcp_tick(&l.p, T0, l.sent), 0);
	hp_pcp_again(&l.p, T0);
	assert_int_equal(l.p.state, HP_PCP_ENDED);
}

static void every_result_has_its_words(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 256; i++)
		assert_true(hp_pcp_result_text(i)[0]);
	assert_string_equal(hp_pcp_result_text(14), hp_pcp_result_text(255));
}

static void gateways_word_is_judged(void **state)
{
	const struct hp_addr good = hp_addr4(11, 0, 113, 9, 4000);
	const struct hp_addr none = { 0 };
	const struct {
		struct hp_addr mapped;
		struct hp_addr seen;
		enum hp_mapped_verdict want;
	} rows[] = {
		{ none, good, HP_MAPPED_ABSENT },
		{ good, none, HP_MAPPED_UNPROVEN },
		{ good, hp_addr4(10, 0, 0, 1, 1), HP_MAPPED_UNPROVEN },
		{ good, hp_addr4(11, 0, 113, 9, 77), HP_MAPPED_ANNOUNCED },
		{ good, hp_addr4(11, 0, 113, 8, 4000), HP_MAPPED_ELSEWHERE },
		{ hp_addr4(192, 168, 0, 2, 1), good, HP_MAPPED_PRIVATE },
		{ hp_addr4(127, 0, 0, 1, 1), good, HP_MAPPED_PRIVATE },
		{ hp_addr4(0, 0, 0, 0, 1), good, HP_MAPPED_PRIVATE },
		{ hp_addr4(100, 64, 0, 2, 1), good, HP_MAPPED_SHARED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(hp_mapped_judge(&rows[i].mapped,
						 &rows[i].seen, 1),
				 rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_as_the_rfc_draws_it),
		cmocka_unit_test(answer_gives_a_lease),
		cmocka_unit_test(silence_is_asked_ever_more_rarely),
		cmocka_unit_test(lease_is_renewed_from_half_on_and_ends),
		cmocka_unit_test(renewed_lease_counts_from_the_answer),
		cmocka_unit_test(lifetime_is_bounded),
		cmocka_unit_test(
			lease_of_a_second_is_not_asked_for_without_a_break),
		cmocka_unit_test(error_is_believed_within_bounds),
		cmocka_unit_test(what_is_no_answer_to_us_is_refused),
		cmocka_unit_test(nobody_but_the_gateway_is_heard),
		cmocka_unit_test(address_of_no_use_is_a_refusal),
		cmocka_unit_test(old_and_foreign_versions_are_told),
		cmocka_unit_test(gateway_that_restarted_is_asked_at_once),
		cmocka_unit_test(restart_and_refusal_end_the_lease),
		cmocka_unit_test(lease_is_given_back),
		cmocka_unit_test(giving_back_does_not_wait_for_a_dead_gateway),
		cmocka_unit_test(every_result_has_its_words),
		cmocka_unit_test(gateways_word_is_judged),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
