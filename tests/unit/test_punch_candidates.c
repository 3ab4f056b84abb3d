/* SPDX-License-Identifier: ISC */
/* lib/punch/candidates: what is announced, what is tried, in what order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "punch/candidates.h"

#define PORT 4242
static const struct hp_ifrules all = { .methods = HP_METHODS_ALL };
static const struct hp_ifrules no6 = {
	.methods = HP_METHODS_ALL & ~(uint32_t)HP_METHOD_IPV6,
};

#define N(a) (sizeof(a) / sizeof(*(a)))

static struct hp_addr addr(const char *text)
{
	struct hp_addr a;

	assert_int_equal(hp_addr_parse(text, PORT, &a, NULL), HP_OK);
	return a;
}

static struct hp_prefix prefix(const char *text)
{
	struct hp_prefix p;

	assert_int_equal(hp_prefix_parse(text, &p, NULL), HP_OK);
	return p;
}

static struct hp_ifaddr ifaddr(const char *name, uint32_t flags,
			       const char *text)
{
	struct hp_ifaddr a = { .flags = flags, .addr = addr(text) };

	snprintf(a.name, sizeof(a.name), "%s", name);
	return a;
}

static struct hp_candidate cand(enum hp_candidate_kind kind, const char *text)
{
	return (struct hp_candidate){ .addr = addr(text), .kind = kind };
}

static void judge_knows_each_kind_of_interface(void **state)
{
	static const struct {
		const char *name;
		uint32_t flags;
		const char *addr;
		enum hp_ifaddr_verdict want;
	} rows[] = {
		{ "eth0", HP_IF_UP, "192.168.1.7", HP_IFADDR_OK },
		{ "wlan0", HP_IF_UP, "203.0.113.4", HP_IFADDR_OK },
		{ "wwan0", HP_IF_UP, "100.64.3.4", HP_IFADDR_OK },
		{ "ppp0", HP_IF_UP, "198.51.100.4", HP_IFADDR_OK },
		{ "br-lan", HP_IF_UP, "192.168.1.1", HP_IFADDR_OK },
		{ "br0", HP_IF_UP, "192.168.1.1", HP_IFADDR_OK },
		{ "enp3s0", HP_IF_UP, "2001:db8::7", HP_IFADDR_OK },
		{ "enp3s0", HP_IF_UP, "fd12:3456::7", HP_IFADDR_OK },
		{ "enp3s0", HP_IF_UP | HP_IF_TEMPORARY, "2001:db8::8",
		  HP_IFADDR_OK },
		{ "eth0", 0, "192.168.1.7", HP_IFADDR_DOWN },
		{ "lo", HP_IF_UP | HP_IF_LOOPBACK, "127.0.0.1",
		  HP_IFADDR_LOOPBACK },
		{ "lo", HP_IF_UP | HP_IF_LOOPBACK, "192.0.2.1",
		  HP_IFADDR_LOOPBACK },
		{ "eth0", HP_IF_UP, "127.0.0.2", HP_IFADDR_LOOPBACK },
		{ "eth0", HP_IF_UP, "::1", HP_IFADDR_LOOPBACK },
		{ "eth0", HP_IF_UP, "169.254.1.1", HP_IFADDR_RANGE },
		{ "eth0", HP_IF_UP, "fe80::1%2", HP_IFADDR_RANGE },
		{ "eth0", HP_IF_UP, "ff02::1", HP_IFADDR_RANGE },
		{ "tun0", HP_IF_UP, "10.8.0.2", HP_IFADDR_TUNNEL },
		{ "wg0", HP_IF_UP, "10.7.0.2", HP_IFADDR_TUNNEL },
		{ "hptun1", HP_IF_UP, "10.10.0.2", HP_IFADDR_TUNNEL },
		{ "tailscale0", HP_IF_UP, "100.101.1.2", HP_IFADDR_TUNNEL },
		{ "ztabcdefgh", HP_IF_UP, "10.147.1.2", HP_IFADDR_TUNNEL },
		{ "office", HP_IF_UP | HP_IF_TUNNEL, "10.20.0.2",
		  HP_IFADDR_TUNNEL },
		{ "docker0", HP_IF_UP, "172.17.0.1", HP_IFADDR_CONTAINER },
		{ "br-0123456789ab", HP_IF_UP, "172.18.0.1",
		  HP_IFADDR_CONTAINER },
		{ "virbr0", HP_IF_UP, "192.168.122.1", HP_IFADDR_CONTAINER },
		{ "veth12ab", HP_IF_UP, "10.1.1.1", HP_IFADDR_CONTAINER },
		{ "cni0", HP_IF_UP, "10.244.0.1", HP_IFADDR_CONTAINER },
		{ "lxcbr0", HP_IF_UP, "10.0.3.1", HP_IFADDR_CONTAINER },
		{ "lxdbr0", HP_IF_UP, "10.0.4.1", HP_IFADDR_CONTAINER },
		{ "eth0", HP_IF_UP, "10.9.0.77", HP_IFADDR_OVERLAY },
		{ "eth0", HP_IF_UP, "fd99::9", HP_IFADDR_OVERLAY },
		{ "eth0", HP_IF_UP | HP_IF_UNUSABLE, "2001:db8::7",
		  HP_IFADDR_UNUSABLE },
	};
	struct hp_prefix overlay[] = { prefix("10.9.0.0/24"),
				       prefix("fd99::/64") };
	struct hp_ifrules rules = { .overlay = overlay, .n_overlay = 2,
				    .methods = HP_METHODS_ALL };

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct hp_ifaddr a = ifaddr(rows[i].name, rows[i].flags,
					    rows[i].addr);
		enum hp_ifaddr_verdict v = hp_ifaddr_judge(&a, &rules);
		struct hp_candidate out[HP_CANDIDATES_HOST_MAX];

		if (v != rows[i].want)
			fail_msg("%s %s: %s, not %s", rows[i].name,
				 rows[i].addr, hp_ifaddr_verdict_text(v),
				 hp_ifaddr_verdict_text(rows[i].want));
		assert_int_equal(hp_candidates_gather(&a, 1, &rules, PORT,
						      out),
				 v == HP_IFADDR_OK);
	}
}

static void only_a_link_local_address_of_a_fit_interface_serves_its_link(
	void **state)
{
	static const struct {
		const char *name;
		uint32_t flags;
		const char *addr;
		bool want;
	} rows[] = {
		{ "eth0", HP_IF_UP, "fe80::1%2", true },
		{ "eth0", HP_IF_UP, "fe80::1", false },
		{ "eth0", HP_IF_UP, "169.254.1.1", false },
		{ "eth0", HP_IF_UP, "2001:db8::1", false },
		{ "eth0", HP_IF_UP, "ff02::1", false },
		{ "eth0", 0, "fe80::1%2", false },
		{ "eth0", HP_IF_UP | HP_IF_UNUSABLE, "fe80::1%2", false },
		{ "wg0", HP_IF_UP, "fe80::1%2", false },
		{ "docker0", HP_IF_UP, "fe80::1%2", false },
	};
	struct hp_ifrules rules = { .methods = HP_METHODS_ALL };

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct hp_ifaddr a = ifaddr(rows[i].name, rows[i].flags,
					    rows[i].addr);

		if (hp_ifaddr_on_link(&a, &rules) != rows[i].want)
			fail_msg("row %zu: %s %s", i, rows[i].name,
				 rows[i].addr);
	}
}

static void gather_takes_the_port_and_ranks_by_priority(void **state)
{
	struct hp_ifaddr a[] = {
		ifaddr("eth0", HP_IF_UP, "192.168.1.7:1"),
		ifaddr("eth0", HP_IF_UP, "[2001:db8::7]:1"),
		ifaddr("eth1", HP_IF_UP, "203.0.113.4:1"),
		ifaddr("eth0", HP_IF_UP, "[fd12::7]:1"),
		ifaddr("eth0.2", HP_IF_UP, "192.168.1.7:1"),
	};
	static const char *const want[] = { "2001:db8::7", "fd12::7",
					    "203.0.113.4", "192.168.1.7" };
	struct hp_candidate out[HP_CANDIDATES_HOST_MAX];

	(void)state;
	assert_int_equal(hp_candidates_gather(a, N(a), &all, PORT, out), 4);
	for (size_t i = 0; i < N(want); i++) {
		struct hp_addr w = addr(want[i]);

		assert_true(hp_addr_eq(&out[i].addr, &w));
		assert_int_equal(out[i].kind, HP_CAND_HOST);
	}
}

static void gather_takes_two_of_a_prefix_and_leaves_room_for_ipv4(void **state)
{
	struct hp_ifaddr a[] = {
		ifaddr("eth0", HP_IF_UP, "2001:db8:0:1::7"),
		ifaddr("eth0", HP_IF_UP, "2001:db8:0:1::8"),
		ifaddr("eth0", HP_IF_UP | HP_IF_TEMPORARY, "2001:db8:0:1::9"),
		ifaddr("eth0", HP_IF_UP, "2001:db8:0:2::7"),
		ifaddr("eth0", HP_IF_UP, "2001:db8:0:2::8"),
		ifaddr("eth1", HP_IF_UP, "2001:db8:0:3::7"),
		ifaddr("eth2", HP_IF_UP, "192.168.1.7"),
		ifaddr("eth3", HP_IF_UP, "192.168.2.7"),
		ifaddr("eth4", HP_IF_UP, "192.168.3.7"),
	};
	static const char *const want[] = {
		"2001:db8:0:1::9", "2001:db8:0:1::7", "2001:db8:0:2::7",
		"2001:db8:0:2::8", "192.168.1.7", "192.168.2.7",
	};
	struct hp_candidate out[HP_CANDIDATES_HOST_MAX];

	(void)state;
	assert_int_equal(hp_candidates_gather(a, N(a), &all, PORT, out), 6);
	for (size_t i = 0; i < N(want); i++) {
		struct hp_addr w = addr(want[i]);

		assert_true(hp_addr_eq(&out[i].addr, &w));
	}
}

/* Random sets in random orders give one result. */
static void gather_depends_on_the_set_alone(void **state)
{
	struct hp_rng_seeded s;
	struct hp_rng rng;

	(void)state;
	print_message("seed 7\n");
	hp_rng_seeded_init(&s, 7, &rng);
	for (int run = 0; run < 300; run++) {
		struct hp_candidate one[HP_CANDIDATES_HOST_MAX], two[6];
		struct hp_ifaddr a[24];
		size_t n = 1 + hp_rng_below(&rng, N(a)), got;

		for (size_t i = 0; i < n; i++) {
			char text[64];

			if (hp_rng_below(&rng, 3))
				snprintf(text, sizeof(text), "2001:db8:0:%u::%u",
					 hp_rng_below(&rng, 4),
					 1 + hp_rng_below(&rng, 5));
			else
				snprintf(text, sizeof(text), "10.0.%u.%u",
					 hp_rng_below(&rng, 4),
					 1 + hp_rng_below(&rng, 5));
			a[i] = ifaddr("eth0", HP_IF_UP, text);
		}
		got = hp_candidates_gather(a, n, &all, PORT, one);
		for (size_t i = n; i > 1; i--) {
			size_t j = hp_rng_below(&rng, (uint32_t)i);
			struct hp_ifaddr t = a[i - 1];

			a[i - 1] = a[j];
			a[j] = t;
		}
		assert_int_equal(hp_candidates_gather(a, n, &all, PORT, two),
				 got);
		for (size_t i = 0; i < got; i++)
			assert_true(hp_addr_eq(&one[i].addr, &two[i].addr));
	}
}

static void add_lists_an_address_once_under_its_best_kind(void **state)
{
	struct hp_candidate list[HP_CANDIDATES_MAX];
	struct hp_candidate refl = cand(HP_CAND_REFLEXIVE, "203.0.113.4");
	struct hp_candidate host = cand(HP_CAND_HOST, "203.0.113.4");
	size_t n = 0;

	(void)state;
	assert_true(hp_candidates_add(list, &n, &refl));
	assert_false(hp_candidates_add(list, &n, &refl));
	assert_true(hp_candidates_add(list, &n, &host));
	assert_false(hp_candidates_add(list, &n, &refl));
	assert_int_equal(n, 1);
	assert_int_equal(list[0].kind, HP_CAND_HOST);
}

static void add_to_a_full_list_keeps_the_better(void **state)
{
	struct hp_candidate list[HP_CANDIDATES_MAX], c;
	char text[32];
	size_t n = 0;

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "192.168.1.%u", i + 1);
		c = cand(HP_CAND_HOST, text);
		assert_int_equal(hp_candidates_add(list, &n, &c), i < 6);
	}
	assert_int_equal(n, HP_CANDIDATES_HOST_MAX);
	for (unsigned int i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "203.0.113.%u", i + 1);
		c = cand(i ? HP_CAND_REFLEXIVE : HP_CAND_PREDICTED, text);
		hp_candidates_add(list, &n, &c);
	}
	/* The guess made room for what is known. */
	assert_int_equal(n, HP_CANDIDATES_MAX);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(list[i].kind, i < 6 ? HP_CAND_HOST :
						       HP_CAND_REFLEXIVE);
	/* A better host displaces a host, never a reflexive one. */
	c = cand(HP_CAND_HOST, "2001:db8::1");
	assert_true(hp_candidates_add(list, &n, &c));
	assert_int_equal(n, HP_CANDIDATES_MAX);
	assert_true(hp_addr_eq(&list[0].addr, &c.addr));
	assert_int_equal(list[5].kind, HP_CAND_HOST);
	assert_int_equal(list[6].kind, HP_CAND_REFLEXIVE);
}

static void usable_rejects_what_a_peer_must_not_name(void **state)
{
	static const struct {
		enum hp_candidate_kind kind;
		const char *addr;
		bool want;
	} rows[] = {
		{ HP_CAND_HOST, "192.168.1.7", true },
		{ HP_CAND_REFLEXIVE, "203.0.113.4", true },
		{ HP_CAND_HOST, "2001:db8::1", true },
		{ HP_CAND_RELAYED, "203.0.113.4", false },
		{ HP_CAND_HOST, "127.0.0.1", false },
		{ HP_CAND_HOST, "::1", false },
		{ HP_CAND_HOST, "fe80::1", false },
		{ HP_CAND_HOST, "224.0.0.1", false },
		{ HP_CAND_HOST, "255.255.255.255", false },
		{ HP_CAND_HOST, "0.0.0.0", false },
		{ HP_CAND_HOST, "10.9.0.3", false },
	};
	struct hp_prefix overlay = prefix("10.9.0.0/24");
	struct hp_candidate c;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		c = cand(rows[i].kind, rows[i].addr);
		if (hp_candidate_usable(&c, &overlay, 1) != rows[i].want)
			fail_msg("%s", rows[i].addr);
	}
	c = cand(HP_CAND_HOST, "192.168.1.7");
	c.addr.port = 0;
	assert_false(hp_candidate_usable(&c, &overlay, 1));
}

static void patterns_of_the_user_decide_by_name(void **state)
{
	static const struct {
		const char *name;
		const char *addr;
		const char *only[2];
		const char *never[2];
		enum hp_ifaddr_verdict want;
	} rows[] = {
		{ "eth0", "192.168.1.7", { 0 }, { 0 }, HP_IFADDR_OK },
		{ "eth0", "192.168.1.7", { "eth*" }, { 0 }, HP_IFADDR_OK },
		{ "wlan0", "192.168.1.7", { "eth*" }, { 0 },
		  HP_IFADDR_UNLISTED },
		{ "wlan0", "192.168.1.7", { "eth*", "wlan?" }, { 0 },
		  HP_IFADDR_OK },
		{ "eth10", "192.168.1.7", { "eth[0-4]" }, { 0 },
		  HP_IFADDR_UNLISTED },
		{ "eth0", "192.168.1.7", { 0 }, { "eth0" },
		  HP_IFADDR_EXCLUDED },
		{ "eth0", "192.168.1.7", { "eth*" }, { "x", "eth0" },
		  HP_IFADDR_EXCLUDED },
		{ "eth1", "192.168.1.7", { "eth*" }, { "eth0" },
		  HP_IFADDR_OK },
		/* A name guesses at containers; the user knows. */
		{ "veth3", "192.168.1.7", { "veth3" }, { 0 }, HP_IFADDR_OK },
		{ "docker0", "172.17.0.1", { "eth*" }, { 0 },
		  HP_IFADDR_UNLISTED },
		/* What lies inside a tunnel stays inside. */
		{ "wg0", "192.168.1.7", { "wg0" }, { 0 }, HP_IFADDR_TUNNEL },
		{ "eth0", "10.9.0.7", { "eth0" }, { 0 }, HP_IFADDR_OVERLAY },
	};
	struct hp_prefix overlay = prefix("10.9.0.0/24");

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct hp_ifaddr a = ifaddr(rows[i].name, HP_IF_UP,
					    rows[i].addr);
		struct hp_ifpatterns only = { 0 }, never = { 0 };
		struct hp_ifrules rules = { &overlay, 1, &only, &never,
					    HP_METHODS_ALL };

		for (int j = 0; j < 2 && rows[i].only[j]; j++)
			strcpy(only.text[only.n++], rows[i].only[j]);
		for (int j = 0; j < 2 && rows[i].never[j]; j++)
			strcpy(never.text[never.n++], rows[i].never[j]);
		if (hp_ifaddr_judge(&a, &rules) != rows[i].want)
			fail_msg("%zu %s: %s", i, rows[i].name,
				 hp_ifaddr_verdict_text(
					 hp_ifaddr_judge(&a, &rules)));
	}
}

/* Thousands of private addresses must not hide the one that leads out. */
static void gather_prefers_interfaces_with_a_default_route(void **state)
{
	static struct hp_ifaddr a[3001];
	struct hp_candidate out[HP_CANDIDATES_HOST_MAX];
	struct hp_addr want = addr("192.168.77.7");

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		a[i] = ifaddr("e", HP_IF_UP, "10.0.0.0");
		a[i].addr.ip[2] = (uint8_t)(i >> 8);
		a[i].addr.ip[3] = (uint8_t)i;
	}
	a[3000] = ifaddr("eth0", HP_IF_UP | HP_IF_GATEWAY, "192.168.77.7");
	assert_int_equal(hp_candidates_gather(a, N(a), &all, PORT, out),
			 HP_CANDIDATES_HOST_MAX);
	assert_true(hp_addr_eq(&out[0].addr, &want));
}

static void methods_forbid_kinds_and_families(void **state)
{
	static const struct {
		enum hp_candidate_kind kind;
		const char *addr;
		enum hp_method without;
		bool want;
	} rows[] = {
		{ HP_CAND_HOST, "192.168.1.7", HP_METHOD_HOST, false },
		{ HP_CAND_HOST, "192.168.1.7", HP_METHOD_REFLEXIVE, true },
		{ HP_CAND_REFLEXIVE, "203.0.113.4", HP_METHOD_REFLEXIVE,
		  false },
		{ HP_CAND_PREDICTED, "203.0.113.4", HP_METHOD_PREDICT, false },
		{ HP_CAND_RELAYED, "203.0.113.4", HP_METHOD_RELAY, false },
		{ HP_CAND_PEER_REFLEXIVE, "203.0.113.4", HP_METHOD_REFLEXIVE,
		  true },
		{ HP_CAND_MAPPED, "203.0.113.4", HP_METHOD_REFLEXIVE, true },
		{ HP_CAND_HOST, "2001:db8::7", HP_METHOD_IPV6, false },
		{ HP_CAND_HOST, "192.168.1.7", HP_METHOD_IPV6, true },
	};
	struct hp_ifaddr a[] = { ifaddr("eth0", HP_IF_UP, "192.168.1.7:1"),
				 ifaddr("eth0", HP_IF_UP, "[2001:db8::7]:1") };
	struct hp_candidate out[HP_CANDIDATES_HOST_MAX];

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct hp_candidate c = cand(rows[i].kind, rows[i].addr);

		assert_true(hp_candidate_allowed(&c, HP_METHODS_ALL));
		if (hp_candidate_allowed(&c, HP_METHODS_ALL &
					     ~(uint32_t)rows[i].without) !=
		    rows[i].want)
			fail_msg("%zu: %s", i, rows[i].addr);
	}
	assert_int_equal(hp_candidates_gather(a, N(a), &no6, PORT, out), 1);
	assert_int_equal(out[0].addr.family, HP_AF_4);
}

static void every_kind_and_verdict_has_a_text(void **state)
{
	(void)state;
	for (int k = HP_CAND_HOST; k <= HP_CAND_RELAYED; k++)
		assert_string_not_equal(hp_candidate_kind_text(
						(enum hp_candidate_kind)k),
					"unknown");
	for (unsigned int i = 0; i < HP_METHODS; i++)
		assert_string_not_equal(hp_method_text((enum hp_method)
						       (1u << i)), "unknown");
	for (int v = HP_IFADDR_OK; v <= HP_IFADDR_RANGE; v++)
		assert_string_not_equal(hp_ifaddr_verdict_text(
						(enum hp_ifaddr_verdict)v),
					"unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judge_knows_each_kind_of_interface),
		cmocka_unit_test(
			only_a_link_local_address_of_a_fit_interface_serves_its_link),
		cmocka_unit_test(gather_takes_the_port_and_ranks_by_priority),
		cmocka_unit_test(
			gather_takes_two_of_a_prefix_and_leaves_room_for_ipv4),
		cmocka_unit_test(gather_depends_on_the_set_alone),
		cmocka_unit_test(add_lists_an_address_once_under_its_best_kind),
		cmocka_unit_test(add_to_a_full_list_keeps_the_better),
		cmocka_unit_test(usable_rejects_what_a_peer_must_not_name),
		cmocka_unit_test(patterns_of_the_user_decide_by_name),
		cmocka_unit_test(gather_prefers_interfaces_with_a_default_route),
		cmocka_unit_test(methods_forbid_kinds_and_families),
		cmocka_unit_test(every_kind_and_verdict_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
