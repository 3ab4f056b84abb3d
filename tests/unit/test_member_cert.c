/* SPDX-License-Identifier: ISC */
/* lib/member: certificates, and the judge over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "member/judge.h"
#include "member_world.h"

static size_t encode(const struct hp_cert *c, uint8_t out[HP_CERT_WIRE_MAX])
{
	struct hp_wr w = hp_wr_of(out, HP_CERT_WIRE_MAX);

	hp_cert_put(&w, c);
	assert_false(w.bad);
	return w.len;
}

static void cert_round_trips_and_verifies(void **state)
{
	struct world *w = world_make(1);
	const struct hp_cert *certs[] = { &w->alice.cert, &w->bob.cert };
	static const size_t len[] = { 139 + 5, HP_CERT_WIRE_MAX };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t wire[HP_CERT_WIRE_MAX];
		uint8_t again[HP_CERT_WIRE_MAX];
		size_t n = encode(certs[i], wire);
		struct hp_rd r = hp_rd_of(wire, n);
		struct hp_cert got = hp_cert_get(&r);

		assert_int_equal(n, len[i]);
		assert_true(hp_rd_done(&r));
		assert_int_equal(encode(&got, again), n);
		assert_memory_equal(wire, again, n);
		assert_int_equal(hp_cert_check(&w->net.id, &got), HP_OK);
	}
	free(w);
}

/* Each byte carries meaning: changed, the certificate is refused. */
static void cert_with_any_bit_flipped_is_refused(void **state)
{
	struct world *w = world_make(1);
	const struct hp_cert *certs[] = { &w->alice.cert, &w->bob.cert };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t wire[HP_CERT_WIRE_MAX];
		size_t n = encode(certs[i], wire);

		for (size_t bit = 0; bit < 8 * n; bit++) {
			struct hp_rd r = hp_rd_of(wire, n);
			struct hp_cert got;

			wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
			got = hp_cert_get(&r);
			if (hp_rd_done(&r) &&
			    hp_cert_check(&w->net.id, &got) == HP_OK)
				fail_msg("bit %zu of %zu", bit, i);
			wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	free(w);
}

static void cert_cut_at_any_length_is_bad(void **state)
{
	struct world *w = world_make(1);
	uint8_t wire[HP_CERT_WIRE_MAX];
	size_t n = encode(&w->bob.cert, wire);

	(void)state;
	for (size_t len = 0; len < n; len++) {
		struct hp_rd r = hp_rd_of(wire, len);

		(void)hp_cert_get(&r);
		assert_true(r.bad);
	}
	free(w);
}

static void cert_of_another_root_is_refused(void **state)
{
	struct world *w = world_make(1);
	struct world *v = world_make(2);

	(void)state;
	assert_int_equal(hp_cert_check(&w->net.id, &v->alice.cert),
			 HP_ERR_AUTH);
	assert_int_equal(hp_cert_check(&w->net.id, &v->bob.cert), HP_ERR_AUTH);
	/* A good grant under a wrong invite key. */
	w->bob.cert.sig = v->bob.cert.sig;
	assert_int_equal(hp_cert_check(&w->net.id, &w->bob.cert), HP_ERR_AUTH);
	free(w);
	free(v);
}

static void identity_with_keys_of_another_is_refused(void **state)
{
	struct world *w = world_make(1);
	struct hp_identity id = w->bob;

	(void)state;
	assert_int_equal(hp_identity_check(&id, &w->net.id), HP_OK);
	id.key = w->alice.key;
	assert_int_equal(hp_identity_check(&id, &w->net.id), HP_ERR_KEY);
	id = w->bob;
	id.sign = w->alice.sign;
	assert_int_equal(hp_identity_check(&id, &w->net.id), HP_ERR_KEY);
	free(w);
}

static void permanent_cert_names_the_same_node(void **state)
{
	struct world *w = world_make(1);
	struct hp_cert c;

	(void)state;
	hp_cert_issue(&w->root, &w->bob.cert, &c);
	assert_int_equal(c.kind, HP_CERT_PERMANENT);
	assert_true(hp_cert_same_node(&c, &w->bob.cert));
	assert_int_equal(hp_cert_check(&w->net.id, &c), HP_OK);
	free(w);
}

static void judge_pins_at_first_sight_and_accepts_again(void **state)
{
	struct world *w = world_make(1);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	struct hp_cert permanent;
	uint64_t generation;

	(void)state;
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL), HP_OK);
	generation = hp_judge_generation(j);
	assert_int_equal(hp_judge_pin_count(j), 1);
	assert_non_null(hp_judge_find(j, BOB));
	assert_null(hp_judge_find(j, "carol"));
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL), HP_OK);
	assert_int_equal(hp_judge_generation(j), generation);
	assert_int_equal(hp_judge_find(j, BOB)->until_s, BOB_UNTIL);
	/* The date goes, once, and does not come back. */
	hp_cert_issue(&w->root, &w->bob.cert, &permanent);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(hp_judge_check(j, &permanent, 5, NULL), HP_OK);
		assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL),
				 HP_OK);
		assert_int_equal(hp_judge_generation(j), generation + 1);
		assert_int_equal(hp_judge_find(j, BOB)->until_s, 0);
	}
	hp_judge_free(j);
	free(w);
}

static void judge_refuses_the_key_of_another(void **state)
{
	struct world *w = world_make(1);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	struct hp_identity carol = world_enrol(w, "carol", 3, 3);
	struct hp_fault f;

	(void)state;
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL), HP_OK);
	carol.cert.key = w->bob.cert.key;
	hp_cert_issue(&w->root, &carol.cert, &carol.cert);
	assert_int_equal(hp_judge_check(j, &carol.cert, 5, &f), HP_ERR_PIN);
	assert_null(hp_judge_find(j, "carol"));
	hp_judge_free(j);
	free(w);
}

static void judge_refuses_other_keys_for_one_grant(void **state)
{
	struct world *w = world_make(1);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	struct hp_identity thief;
	struct hp_fault f = { 0 };

	(void)state;
	hp_identity_enrol(&w->net.id, &w->grant, &w->invite, &w->rng, &thief);
	assert_int_equal(hp_cert_check(&w->net.id, &thief.cert), HP_OK);
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL), HP_OK);
	assert_int_equal(hp_judge_check(j, &thief.cert, 5, &f), HP_ERR_PIN);
	assert_true(f.cause[0] && f.remedy[0]);
	hp_judge_free(j);
	free(w);
}

static void judge_lets_a_later_grant_supersede_the_pin(void **state)
{
	struct world *w = world_make(1);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	struct hp_identity later = world_enrol(w, BOB, 9, 2);
	struct hp_fault f = { 0 };

	(void)state;
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL), HP_OK);
	assert_int_equal(hp_judge_check(j, &later.cert, 5, NULL), HP_OK);
	assert_int_equal(hp_judge_pin_count(j), 1);
	assert_int_equal(hp_judge_find(j, BOB)->serial, 9);
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, &f),
			 HP_ERR_REVOKED);
	assert_true(f.cause[0] && f.remedy[0]);
	hp_judge_free(j);
	free(w);
}

static void judge_refuses_the_address_of_another_unless_revoked(void **state)
{
	struct world *w = world_make(1);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	struct hp_identity carol = world_enrol(w, "carol", 3, 2);
	uint8_t list[HP_REVOKED_WIRE_MAX];
	struct hp_fault f = { 0 };
	uint32_t serial = 2;
	size_t len;

	(void)state;
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL), HP_OK);
	assert_int_equal(hp_judge_check(j, &carol.cert, 5, &f), HP_ERR_PIN);
	assert_true(f.cause[0] && f.remedy[0]);
	assert_int_equal(hp_revoked_make(&w->root, 1, &serial, 1, list, &len),
			 HP_OK);
	assert_int_equal(hp_judge_revoke(j, list, len), HP_OK);
	assert_int_equal(hp_judge_check(j, &carol.cert, 5, NULL), HP_OK);
	hp_judge_free(j);
	free(w);
}

static void judge_looks_at_the_date_of_grants_alone(void **state)
{
	struct world *w = world_make(1);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	struct hp_fault f = { 0 };
	struct hp_cert permanent;

	(void)state;
	assert_int_equal(hp_judge_check(j, &w->bob.cert, BOB_UNTIL + 1, &f),
			 HP_ERR_EXPIRED);
	assert_true(f.cause[0] && f.remedy[0]);
	assert_int_equal(hp_judge_pin_count(j), 0);
	assert_int_equal(hp_judge_check(j, &w->bob.cert, BOB_UNTIL, NULL),
			 HP_OK);
	hp_cert_issue(&w->root, &w->bob.cert, &permanent);
	assert_int_equal(hp_judge_check(j, &permanent, UINT64_MAX, NULL),
			 HP_OK);
	hp_judge_free(j);
	free(w);
}

static void judge_refuses_what_does_not_verify(void **state)
{
	struct world *w = world_make(1);
	struct world *v = world_make(2);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	struct hp_fault f = { 0 };

	(void)state;
	assert_int_equal(hp_judge_check(j, &v->bob.cert, 5, &f), HP_ERR_AUTH);
	assert_true(f.cause[0] && f.remedy[0]);
	assert_int_equal(hp_judge_pin_count(j), 0);
	hp_judge_free(j);
	free(w);
	free(v);
}

static void judge_takes_newer_lists_alone(void **state)
{
	struct world *w = world_make(1);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	const uint32_t serials[] = { 7, 2 };
	uint8_t old[HP_REVOKED_WIRE_MAX];
	uint8_t new[HP_REVOKED_WIRE_MAX];
	struct hp_fault f = { 0 };
	size_t old_len;
	size_t len;

	(void)state;
	assert_null(hp_judge_revoked(j, &len));
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL), HP_OK);
	assert_int_equal(hp_revoked_make(&w->root, 3, serials, 1, old,
					 &old_len), HP_OK);
	assert_int_equal(hp_revoked_make(&w->root, 4, serials, 2, new, &len),
			 HP_OK);
	assert_int_equal(hp_judge_revoke(j, old, old_len), HP_OK);
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, NULL), HP_OK);
	assert_int_equal(hp_judge_revoke(j, new, len), HP_OK);
	assert_int_equal(hp_judge_revoked_number(j), 4);
	assert_int_equal(hp_judge_check(j, &w->bob.cert, 5, &f),
			 HP_ERR_REVOKED);
	assert_true(f.cause[0] && f.remedy[0]);
	assert_int_equal(hp_judge_revoke(j, new, len), HP_ERR_REPLAY);
	assert_int_equal(hp_judge_revoke(j, old, old_len), HP_ERR_REPLAY);
	assert_true(hp_judge_is_revoked(j, 2));
	assert_memory_equal(hp_judge_revoked(j, &old_len), new, len);
	assert_int_equal(old_len, len);
	hp_judge_free(j);
	free(w);
}

static void revocation_list_damaged_anywhere_is_refused(void **state)
{
	struct world *w = world_make(1);
	struct world *v = world_make(2);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	const uint32_t serials[] = { 7, 2 };
	uint8_t list[HP_REVOKED_WIRE_MAX + 1];
	uint8_t other[HP_REVOKED_WIRE_MAX];
	size_t len;
	size_t n;

	(void)state;
	assert_int_equal(hp_revoked_make(&w->root, 3, serials, 2, list, &len),
			 HP_OK);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		list[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(hp_judge_revoke(j, list, len), HP_OK);
		list[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (n = 0; n < len; n++)
		assert_int_equal(hp_judge_revoke(j, list, n), HP_ERR_SHORT);
	assert_int_equal(hp_judge_revoke(j, list, len + 1), HP_ERR_FORMAT);
	assert_int_equal(hp_revoked_make(&v->root, 3, serials, 2, other, &n),
			 HP_OK);
	assert_int_equal(hp_judge_revoke(j, other, n), HP_ERR_AUTH);
	assert_int_equal(hp_revoked_make(&w->root, 0, serials, 2, other, &n),
			 HP_OK);
	assert_int_equal(hp_judge_revoke(j, other, n), HP_ERR_FORMAT);
	assert_int_equal(hp_judge_revoked_number(j), 0);
	assert_int_equal(hp_judge_revoke(j, list, len), HP_OK);
	hp_judge_free(j);
	free(w);
	free(v);
}

static void revocation_list_holds_256_serials_and_no_more(void **state)
{
	struct world *w = world_make(1);
	struct hp_judge *j = hp_judge_new(&w->net.id);
	uint32_t serials[HP_REVOKED_MAX + 1];
	uint8_t list[HP_REVOKED_WIRE_MAX];
	size_t len;

	(void)state;
	for (uint32_t i = 0; i <= HP_REVOKED_MAX; i++)
		serials[i] = i + 10;
	assert_int_equal(hp_revoked_make(&w->root, 1, serials,
					 HP_REVOKED_MAX + 1, list, &len),
			 HP_ERR_FULL);
	assert_int_equal(hp_revoked_make(&w->root, 1, serials, HP_REVOKED_MAX,
					 list, &len), HP_OK);
	assert_int_equal(hp_judge_revoke(j, list, len), HP_OK);
	assert_true(hp_judge_is_revoked(j, 10 + HP_REVOKED_MAX - 1));
	assert_false(hp_judge_is_revoked(j, 10 + HP_REVOKED_MAX));
	hp_judge_free(j);
	free(w);
}

static void pins_keep_their_order_and_their_cap(void **state)
{
	struct hp_public id = { { 1 } };
	struct hp_judge *j = hp_judge_new(&id);
	struct hp_pin pin = { .serial = 1 };

	(void)state;
	for (unsigned int i = 0; i < HP_PINS_MAX; i++) {
		/* Neither rising nor falling; each once. */
		unsigned int k = i * 1237 % HP_PINS_MAX;

		snprintf(pin.name, sizeof(pin.name), "n%u", k);
		assert_int_equal(hp_judge_add_pin(j, &pin), HP_OK);
	}
	assert_int_equal(hp_judge_add_pin(j, &pin), HP_ERR_EXISTS);
	strcpy(pin.name, "other");
	assert_int_equal(hp_judge_add_pin(j, &pin), HP_ERR_FULL);
	for (size_t i = 1; i < hp_judge_pin_count(j); i++)
		assert_true(strcmp(hp_judge_pin(j, i - 1)->name,
				   hp_judge_pin(j, i)->name) < 0);
	hp_judge_free(j);
}

static void pin_text_round_trips_and_rejects_damage(void **state)
{
	struct world *w = world_make(1);
	struct hp_pin pin = {
		.name = BOB,
		.serial = UINT32_MAX,
		.overlay = { { 10, 9, 0, 254 }, 24 },
		.key = w->bob.cert.key,
		.sign = w->bob.cert.sign,
	};
	static const char *const bad[] = {
		"", "bob", "bob 1 10.9.0.2/24 x y", "bob 1 10.9.0.2/24",
		"9 1 10.9.0.2/24 x y",
		"bob 4294967296 10.9.0.2/24 "
		"kdcMJ2tx/xAeZVSIfAMsncpxIla9Tku3ClcQHkk8VGI= "
		"kdcMJ2tx/xAeZVSIfAMsncpxIla9Tku3ClcQHkk8VGI=",
		"bob 1 10.9.0.0/24 "
		"kdcMJ2tx/xAeZVSIfAMsncpxIla9Tku3ClcQHkk8VGI= "
		"kdcMJ2tx/xAeZVSIfAMsncpxIla9Tku3ClcQHkk8VGI=",
		"bob 1 10.9.0.2/24 "
		"kdcMJ2tx/xAeZVSIfAMsncpxIla9Tku3ClcQHkk8VGI= "
		"kdcMJ2tx/xAeZVSIfAMsncpxIla9Tku3ClcQHkk8VGI= more",
	};
	char text[HP_PIN_TEXT];
	struct hp_pin got;
	struct hp_fault f;

	(void)state;
	hp_pin_text(&pin, text);
	assert_int_equal(hp_pin_parse(text, &got, NULL), HP_OK);
	assert_string_equal(got.name, BOB);
	assert_int_equal(got.serial, UINT32_MAX);
	assert_true(hp_public_eq(&got.sign, &pin.sign));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&f, 0, sizeof(f));
		assert_int_equal(hp_pin_parse(bad[i], &got, &f),
				 HP_ERR_FORMAT);
		assert_true(f.cause[0] && f.remedy[0]);
	}
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cert_round_trips_and_verifies),
		cmocka_unit_test(cert_with_any_bit_flipped_is_refused),
		cmocka_unit_test(cert_cut_at_any_length_is_bad),
		cmocka_unit_test(cert_of_another_root_is_refused),
		cmocka_unit_test(identity_with_keys_of_another_is_refused),
		cmocka_unit_test(permanent_cert_names_the_same_node),
		cmocka_unit_test(judge_pins_at_first_sight_and_accepts_again),
		cmocka_unit_test(judge_refuses_the_key_of_another),
		cmocka_unit_test(judge_refuses_other_keys_for_one_grant),
		cmocka_unit_test(judge_lets_a_later_grant_supersede_the_pin),
		cmocka_unit_test(
			judge_refuses_the_address_of_another_unless_revoked),
		cmocka_unit_test(judge_looks_at_the_date_of_grants_alone),
		cmocka_unit_test(judge_refuses_what_does_not_verify),
		cmocka_unit_test(judge_takes_newer_lists_alone),
		cmocka_unit_test(revocation_list_damaged_anywhere_is_refused),
		cmocka_unit_test(
			revocation_list_holds_256_serials_and_no_more),
		cmocka_unit_test(pins_keep_their_order_and_their_cap),
		cmocka_unit_test(pin_text_round_trips_and_rejects_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
