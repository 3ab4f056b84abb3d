/* SPDX-License-Identifier: ISC */
/* lib/member: names, servers, addresses, and keys that follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "base/crypto.h"
#include "member_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void name_is_folded_and_bounded(void **state)
{
	static const char *const good[][2] = {
		{ "a", "a" },	    { "Alice", "alice" },
		{ "b-2", "b-2" },   { BOB, BOB },
		{ "X9-", "x9-" },
	};
	char out[HP_NAME_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(hp_name_parse(good[i][0], out, NULL), HP_OK);
		assert_string_equal(out, good[i][1]);
	}
}

static void name_rejects_what_is_no_name(void **state)
{
	static const char *const bad[] = {
		"", "-a", "9a", "a b", "a_b", "a.b", "\xc3\xa9", "a/",
		BOB "6", "..",
	};
	char out[HP_NAME_TEXT] = "kept";
	struct hp_fault f;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		memset(&f, 0, sizeof(f));
		assert_int_equal(hp_name_parse(bad[i], out, &f),
				 HP_ERR_FORMAT);
		assert_true(f.cause[0] && f.remedy[0]);
		assert_string_equal(out, "kept");
	}
}

static void server_text_round_trips(void **state)
{
	static const char *const good[][2] = {
		{ "s.example.net", "s.example.net:8888" },
		{ "s.example.net:9", "s.example.net:9" },
		{ "192.0.2.1", "192.0.2.1:8888" },
		{ "2001:db8::1", "[2001:db8::1]:8888" },
		{ "[2001:db8::1]:70", "[2001:db8::1]:70" },
	};
	char text[HP_SERVER_TEXT];
	struct hp_server s;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(hp_server_parse(good[i][0], &s, NULL), HP_OK);
		assert_string_equal(hp_server_text(&s, text), good[i][1]);
	}
}

static void server_rejects_what_is_no_server(void **state)
{
	static const char *const bad[] = {
		"", ":8888", "a b", "a:0", "a:65535", "a:65536", "a:x", "a:",
		"-a", ".a", "a..b", "[::1", "a:1:2", "a/b",
		BOB BOB BOB,
	};
	struct hp_server s = { .port = 7 };
	struct hp_fault f;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		memset(&f, 0, sizeof(f));
		assert_int_equal(hp_server_parse(bad[i], &s, &f),
				 HP_ERR_FORMAT);
		assert_true(f.cause[0] && f.remedy[0]);
		assert_int_equal(s.port, 7);
	}
}

static void network_refuses_a_fifth_server_and_a_repeated_one(void **state)
{
	struct world *w = world_make(1);
	struct hp_server s = { .host = "a", .port = 1 };

	(void)state;
	for (int i = 0; i < HP_SERVERS_MAX; i++) {
		s.port = (uint16_t)(i + 1);
		assert_int_equal(hp_network_add_server(&w->net, &s), HP_OK);
	}
	assert_int_equal(hp_network_add_server(&w->net, &s), HP_ERR_EXISTS);
	s.port = 99;
	assert_int_equal(hp_network_add_server(&w->net, &s), HP_ERR_FULL);
	free(w);
}

static void slot_depends_on_network_purpose_and_name(void **state)
{
	struct world *w = world_make(1);
	struct world *v = world_make(2);
	uint8_t a[HP_SLOT_LEN];
	uint8_t b[HP_SLOT_LEN];

	(void)state;
	hp_network_slot(&w->net, NULL, "ALICE", a);
	assert_memory_equal(a, w->alice_slot, sizeof(a));
	hp_network_slot(&w->net, "echo", "alice", b);
	assert_memory_not_equal(a, b, sizeof(a));
	hp_network_slot(&w->net, NULL, "alic", b);
	assert_memory_not_equal(a, b, sizeof(a));
	hp_network_slot(&v->net, NULL, "alice", b);
	assert_memory_not_equal(a, b, sizeof(a));
	free(w);
	free(v);
}

static void pair_keys_are_the_same_at_both_ends(void **state)
{
	struct world *w = world_make(1);
	const struct hp_public *a = &w->alice.cert.key;
	const struct hp_public *b = &w->bob.cert.key;
	struct hp_public zero = { 0 };
	struct hp_secret one;
	struct hp_secret two;
	struct hp_secret psk;

	(void)state;
	hp_network_psk(&w->net, a, b, &psk);
	hp_network_psk(&w->net, b, a, &two);
	assert_true(hp_secret_eq(&psk, &two));
	assert_int_equal(hp_network_pair_key(&w->net, &w->alice.key, b, &one),
			 HP_OK);
	assert_int_equal(hp_network_pair_key(&w->net, &w->bob.key, a, &two),
			 HP_OK);
	assert_true(hp_secret_eq(&one, &two));
	assert_false(hp_secret_eq(&one, &psk));
	/* Who has only one of secret and node key cannot make it. */
	w->net.secret.b[0] ^= 1;
	assert_int_equal(hp_network_pair_key(&w->net, &w->bob.key, a, &two),
			 HP_OK);
	assert_false(hp_secret_eq(&one, &two));
	assert_int_equal(hp_network_pair_key(&w->net, &w->bob.key, &zero,
					     &two), HP_ERR_KEY);
	free(w);
}

static void overlay_ipv6_follows_the_host_part(void **state)
{
	struct world *w = world_make(1);
	struct hp_overlay o = { { 10, 9, 0, 2 }, 24 };
	struct hp_addr a = hp_overlay_addr6(&w->net.id, &o);
	struct hp_prefix p = hp_overlay_subnet6(&w->net.id);

	(void)state;
	assert_int_equal(a.ip[0], 0xfd);
	assert_int_equal(a.ip[15], 2);
	assert_int_equal(a.ip[14], 0);
	assert_true(hp_prefix_has(&p, HP_AF_6, a.ip));
	o.bits = 16;
	o.ip[2] = 7;
	a = hp_overlay_addr6(&w->net.id, &o);
	assert_int_equal(a.ip[14], 7);
	free(w);
}

static void overlay_rejects_addresses_no_host_may_have(void **state)
{
	static const char *const bad[] = {
		"10.9.0.0/24", "10.9.0.255/24", "10.9.0.1/31", "10.9.0.1/32",
		"10.9.0.1/7", "127.0.0.1/8", "224.0.0.1/8", "169.254.1.1/16",
		"10.9.0.1", "10.9.0/24", "fd00::1/64", "10.9.0.1/", "/24",
		"10.9.0.1:5/24", "0.0.0.1/8", "10.9.0.1/24x",
	};
	struct hp_overlay o = { .bits = 3 };
	struct hp_fault f;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		memset(&f, 0, sizeof(f));
		if (hp_overlay_parse(bad[i], &o, &f) != HP_ERR_FORMAT)
			fail_msg("%s was taken", bad[i]);
		assert_true(f.cause[0] && f.remedy[0]);
		assert_int_equal(o.bits, 3);
	}
	assert_int_equal(hp_overlay_parse("10.9.0.254/24", &o, NULL), HP_OK);
}

static void word_gives_both_sides_one_network(void **state)
{
	struct hp_rng_seeded seeded;
	struct hp_network one;
	struct hp_network two;
	struct hp_identity id;
	struct hp_identity other;
	struct hp_secret root;
	struct hp_rng rng;

	(void)state;
	assert_int_equal(hp_crypto_init(), HP_OK);
	hp_rng_seeded_init(&seeded, 5, &rng);
	assert_int_equal(hp_network_from_word("", &one, &root),
			 HP_ERR_FORMAT);
	assert_int_equal(hp_network_from_word("tulip", &one, &root), HP_OK);
	assert_int_equal(hp_network_from_word("tulip", &two, &root), HP_OK);
	assert_memory_equal(&one, &two, sizeof(one));
	hp_identity_room(&root, &rng, &id);
	hp_identity_room(&root, &rng, &other);
	assert_int_equal(hp_identity_check(&id, &one.id), HP_OK);
	assert_int_equal(hp_identity_check(&other, &two.id), HP_OK);
	assert_true(hp_overlay_ok(&id.cert.grant.overlay));
	assert_string_not_equal(id.cert.grant.name, other.cert.grant.name);
	assert_int_equal(hp_network_from_word("tulips", &two, &root), HP_OK);
	assert_memory_not_equal(&one.id, &two.id, sizeof(one.id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_folded_and_bounded),
		cmocka_unit_test(name_rejects_what_is_no_name),
		cmocka_unit_test(server_text_round_trips),
		cmocka_unit_test(server_rejects_what_is_no_server),
		cmocka_unit_test(
			network_refuses_a_fifth_server_and_a_repeated_one),
		cmocka_unit_test(slot_depends_on_network_purpose_and_name),
		cmocka_unit_test(pair_keys_are_the_same_at_both_ends),
		cmocka_unit_test(overlay_ipv6_follows_the_host_part),
		cmocka_unit_test(overlay_rejects_addresses_no_host_may_have),
		cmocka_unit_test(word_gives_both_sides_one_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
