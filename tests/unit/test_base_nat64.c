/* SPDX-License-Identifier: ISC */
/* IPv4 addresses in IPv6 ones, as a NAT64 translates them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/nat64.h"
#include "base/rng.h"

static struct hp_addr addr(const char *text)
{
	struct hp_addr a;

	assert_int_equal(hp_addr_parse(text, 0, &a, NULL), HP_OK);
	return a;
}

static struct hp_prefix prefix(const char *text)
{
	struct hp_prefix p;

	assert_int_equal(hp_prefix_parse(text, &p, NULL), HP_OK);
	return p;
}

/* RFC 6052, 2.4. */
static void addresses_are_embedded_as_in_the_rfcs_examples(void **state)
{
	static const struct {
		const char *prefix, *ip4, *ip6;
	} rows[] = {
		{ "2001:db8::/32", "192.0.2.33", "2001:db8:c000:221::" },
		{ "2001:db8:100::/40", "192.0.2.33", "2001:db8:1c0:2:21::" },
		{ "2001:db8:122::/48", "192.0.2.33",
		  "2001:db8:122:c000:2:2100::" },
		{ "2001:db8:122:300::/56", "192.0.2.33",
		  "2001:db8:122:3c0:0:221::" },
		{ "2001:db8:122:344::/64", "192.0.2.33",
		  "2001:db8:122:344:c0:2:2100::" },
		{ "2001:db8:122:344::/96", "192.0.2.33",
		  "2001:db8:122:344::192.0.2.33" },
		{ "64:ff9b::/96", "192.0.2.33", "64:ff9b::192.0.2.33" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct hp_prefix p = prefix(rows[i].prefix);
		struct hp_addr a4 = addr(rows[i].ip4), a6 = addr(rows[i].ip6);
		struct hp_addr got;

		a4.port = a6.port = 8888;
		assert_true(hp_nat64_takes(&p, &a4));
		got = hp_nat64_out(&p, &a4);
		if (!hp_addr_eq(&got, &a6))
			fail_msg("%s: embedded otherwise", rows[i].prefix);
		got = hp_nat64_in(&p, &a6);
		if (!hp_addr_eq(&got, &a4))
			fail_msg("%s: not found again", rows[i].prefix);
	}
}

static void every_prefix_is_found_and_turns_back_what_it_embeds(void **state)
{
	static const unsigned int lengths[] = { 32, 40, 48, 56, 64, 96 };
	const uint64_t number = 6052;
	struct hp_rng_seeded seed;
	struct hp_rng rng;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)number);
	hp_rng_seeded_init(&seed, number, &rng);
	for (unsigned int i = 0; i < 6000; i++) {
		struct hp_prefix p = { HP_AF_6, (uint16_t)lengths[i % 6], { 0 } };
		struct hp_addr known = hp_addr4(192, 0, 0,
						(uint8_t)(170 + i / 6 % 2), 0);
		struct hp_addr a = hp_addr4(0, 0, 0, 0, 7), there, back;
		struct hp_prefix found = { 0 };

		hp_rng_fill(&rng, p.ip, sizeof(p.ip));
		hp_rng_fill(&rng, a.ip, 4);
		p.ip[0] = 0x20;
		p.ip[8] = 0;
		hp_prefix_trim(&p);
		there = hp_nat64_out(&p, &known);
		assert_true(hp_nat64_find(&there, &found));
		assert_true(hp_prefix_eq(&found, &p));
		there = hp_nat64_out(&p, &a);
		back = hp_nat64_in(&p, &there);
		assert_true(hp_addr_eq(&back, &a));
		assert_int_equal(there.family, hp_nat64_takes(&p, &a) ?
				 HP_AF_6 : HP_AF_4);
	}
}

static void answers_that_show_no_prefix_are_refused(void **state)
{
	static const struct {
		const char *ip, *why;
	} rows[] = {
		{ "192.0.0.170", "IPv4" },
		{ "2001:db8::1", "neither of the two addresses" },
		{ "64:ff9b::192.0.0.172", "not quite" },
		{ "64:ff9b::192.0.1.170", "not quite" },
		{ "2001:db8:c000:aa:0:1:c000:aa", "found behind /32 and /96" },
		{ "2001:db8:c000:aa:100::", "bits 64 to 71 are not zero" },
		{ "2001:db8:0:0:aa00::192.0.0.170",
		  "bits 64 to 71 are not zero" },
		{ "::192.0.0.170", "no prefix at all" },
		{ "fe80::192.0.0.170", "valid on a link alone" },
		{ "ff0e::192.0.0.170", "multicast" },
		{ "::ffff:192.0.0.170", "IPv4 in disguise" },
	};
	struct hp_prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct hp_addr a = addr(rows[i].ip);

		if (hp_nat64_find(&a, &p))
			fail_msg("%s is taken: %s", rows[i].ip, rows[i].why);
	}
}

static void what_is_not_for_the_nat64_stays_as_it_is(void **state)
{
	static const struct {
		const char *prefix, *ip;
	} rows[] = {
		{ "64:ff9b::/96", "192.168.1.2" },
		{ "64:ff9b::/96", "10.0.0.1" },
		{ "64:ff9b::/96", "100.64.0.1" },
		{ "64:ff9b::/96", "169.254.1.1" },
		{ "64:ff9b::/96", "127.0.0.1" },
		{ "64:ff9b::/96", "239.1.2.3" },
		{ "64:ff9b::/96", "2001:db8::1" },
		/* From within the prefix, but of an address as above. */
		{ "64:ff9b::/96", "64:ff9b::192.168.1.2" },
		/* From within the prefix, but nothing that is embedded. */
		{ "2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:1" },
		{ "2001:db8:122:344::/64", "2001:db8:122:344:1c0:2:2100:0" },
	};
	const struct hp_prefix none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct hp_prefix p = prefix(rows[i].prefix);
		const struct hp_addr a = addr(rows[i].ip);
		const struct hp_addr out = hp_nat64_out(&p, &a);
		const struct hp_addr in = hp_nat64_in(&p, &a);

		assert_false(hp_nat64_takes(&p, &a));
		if (!hp_addr_eq(&out, &a) || !hp_addr_eq(&in, &a))
			fail_msg("%s, %s", rows[i].prefix, rows[i].ip);
	}
	for (size_t i = 0; i < 2; i++) {
		const struct hp_addr a = addr(i ? "64:ff9b::192.0.2.33" :
						  "192.0.2.33");
		const struct hp_addr out = hp_nat64_out(&none, &a);
		const struct hp_addr in = hp_nat64_in(&none, &a);

		assert_true(hp_addr_eq(&out, &a) && hp_addr_eq(&in, &a));
	}
}

static void what_a_dns64_made_of_an_address_is_undone(void **state)
{
	static const struct {
		const char *was4, *was6, *is4, *is6;
	} rows[] = {
		{ "192.0.2.33", "64:ff9b::192.0.2.33", "192.0.2.33", "" },
		{ "", "64:ff9b::192.0.2.33", "192.0.2.33", "" },
		{ "192.0.2.33", "2001:db8::1", "192.0.2.33", "2001:db8::1" },
		{ "192.0.2.33", "", "192.0.2.33", "" },
	};
	const struct hp_prefix p = prefix("64:ff9b::/96");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hp_addr a4 = *rows[i].was4 ? addr(rows[i].was4) :
						    (struct hp_addr){ 0 };
		struct hp_addr a6 = *rows[i].was6 ? addr(rows[i].was6) :
						    (struct hp_addr){ 0 };
		struct hp_addr want4 = addr(rows[i].is4);
		struct hp_addr want6 = *rows[i].is6 ? addr(rows[i].is6) :
						      (struct hp_addr){ 0 };

		hp_nat64_undo(&p, &a4, &a6);
		if (!hp_addr_eq(&a4, &want4) || !hp_addr_eq(&a6, &want6))
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_embedded_as_in_the_rfcs_examples),
		cmocka_unit_test(
			every_prefix_is_found_and_turns_back_what_it_embeds),
		cmocka_unit_test(answers_that_show_no_prefix_are_refused),
		cmocka_unit_test(what_is_not_for_the_nat64_stays_as_it_is),
		cmocka_unit_test(what_a_dns64_made_of_an_address_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
