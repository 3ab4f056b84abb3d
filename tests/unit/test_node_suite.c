/* SPDX-License-Identifier: ISC */
/*
 * Which cipher two nodes come to speak: every pair of policies and processors,
 * nodes that met before and nodes that did not, changes of mind, and who would
 * like them to speak the other one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "node/explain.h"
#include "node/internal.h"
#include "node_world.h"

static const char chacha[] = "ChaCha20-Poly1305";
static const char aes[] = "AES-256-GCM";

struct pair {
	struct sim_world w;
	struct sim_world_node *x[2];
};

/* What one end of a pair has and wants. */
struct side {
	bool aes;
	enum hp_cipher_policy cipher;
};

static const char *const names[2] = { "alice", "bob" };

static void pair_new(struct pair *t, uint64_t seed, const struct side side[2])
{
	static const char *const outer[2] = { "203.0.113.11", "203.0.113.12" };
	static const char *const inner[2] = { "192.168.1.2", "192.168.2.2" };

	sim_world_init(&t->w, seed, true);
	for (int i = 0; i < 2; i++) {
		t->w.aes = side[i].aes;
		t->w.cipher = side[i].cipher;
		t->x[i] = nw_behind(&t->w, names[i], &nw_home,
				    outer[i], inner[i]);
	}
}

static struct hp_node_peer_info info_of(struct pair *t, int i)
{
	struct hp_node_peer_info info;

	assert_int_equal(hp_node_peer_find(t->x[i]->node, names[!i],
					   sim_now(t->w.sim), &info), HP_OK);
	return info;
}

static const char *cipher_of(struct pair *t, int i)
{
	const char *cipher = info_of(t, i).cipher;

	return cipher ? cipher : "none";
}

static void connect_pair(struct pair *t)
{
	sim_world_run(&t->w, 2 * HP_S);
	nw_want(t->x[0], names[1]);
	sim_world_run(&t->w, 2 * HP_S);
}

static void packets_pass(struct pair *t, const char *cipher)
{
	unsigned int was[2] = { t->x[0]->delivered, t->x[1]->delivered };

	for (int i = 0; i < 5; i++) {
		sim_world_packet(t->x[0], t->x[1]);
		sim_world_packet(t->x[1], t->x[0]);
		sim_world_run(&t->w, 100 * HP_MS);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(t->x[i]->delivered, was[i] + 5);
		assert_string_equal(cipher_of(t, i), cipher);
	}
}

static bool can_aes(const struct side *s)
{
	return s->aes && s->cipher != HP_CIPHER_CHACHA;
}

/* What two sides speak; NULL: nothing. */
static const char *expected(const struct side s[2])
{
	if (can_aes(&s[0]) && can_aes(&s[1]))
		return aes;
	if (s[0].cipher == HP_CIPHER_AES || s[1].cipher == HP_CIPHER_AES)
		return NULL;
	return chacha;
}

static struct side side_of(unsigned int i)
{
	return (struct side){ i / 3, (enum hp_cipher_policy)(i % 3) };
}

static void assert_refused(struct pair *t)
{
	for (int i = 0; i < 2; i++) {
		struct hp_fault f = { 0 };
		struct hp_node_peer_info info = info_of(t, i);

		assert_int_equal(info.state, HP_PEER_REFUSED);
		assert_int_equal(info.cause, HP_ERR_CIPHER);
		assert_null(info.cipher);
		assert_string_equal(hp_node_explain(t->x[i]->node, names[!i],
						    sim_now(t->w.sim), &f),
				    "cipher");
		assert_non_null(strstr(f.cause, "AES-256-GCM"));
		assert_int_equal(t->x[i]->delivered, 0);
	}
}

static void every_pair_speaks_what_both_allow(bool met)
{
	for (unsigned int i = 0; i < 36; i++) {
		const struct side s[2] = { side_of(i / 6), side_of(i % 6) };
		const char *want = expected(s);
		struct pair t;

		pair_new(&t, 100 + i, s);
		if (met)
			sim_world_acquaint(&t.w);
		connect_pair(&t);
		if (want)
			packets_pass(&t, want);
		else
			assert_refused(&t);
		sim_world_free(&t.w);
	}
}

static void strangers_speak_what_both_allow(void **state)
{
	(void)state;
	every_pair_speaks_what_both_allow(false);
}

static void acquaintances_speak_what_both_allow(void **state)
{
	(void)state;
	every_pair_speaks_what_both_allow(true);
}

static const struct side two_autos[2] = {
	{ true, HP_CIPHER_AUTO }, { true, HP_CIPHER_AUTO },
};

/* The first packet does not wait for the change of cipher. */
static void who_has_not_seen_the_record_is_answered_and_led_to_aes(void **state)
{
	bool seen_chacha = false;
	uint64_t t0;
	struct pair t;

	(void)state;
	pair_new(&t, 7, two_autos);
	sim_world_acquaint(&t.w);
	sim_world_run(&t.w, 2 * HP_S);
	t0 = sim_now(t.w.sim);
	sim_world_packet(t.x[0], t.x[1]);
	while (!t.x[1]->delivered && sim_now(t.w.sim) < t0 + HP_S) {
		sim_world_run(&t.w, HP_MS);
		seen_chacha |= !strcmp(cipher_of(&t, 0), chacha);
	}
	assert_true(t.x[1]->delivered == 1 && seen_chacha);
	assert_true(sim_now(t.w.sim) - t0 < 100 * HP_MS);
	sim_world_run(&t.w, 200 * HP_MS);
	packets_pass(&t, aes);
	sim_world_free(&t.w);
}

static void renewed_sessions_keep_to_aes(void **state)
{
	struct pair t;

	(void)state;
	pair_new(&t, 8, two_autos);
	connect_pair(&t);
	for (int i = 0; i < 40; i++) {
		packets_pass(&t, aes);
		sim_world_run(&t.w, 10 * HP_S);
	}
	sim_world_free(&t.w);
}

static void a_change_of_mind_holds_from_the_next_start(void **state)
{
	static const enum hp_cipher_policy minds[] = {
		HP_CIPHER_CHACHA, HP_CIPHER_AUTO, HP_CIPHER_CHACHA,
		HP_CIPHER_AES,
	};
	struct pair t;

	(void)state;
	pair_new(&t, 9, two_autos);
	connect_pair(&t);
	packets_pass(&t, aes);
	for (size_t i = 0; i < 4; i++) {
		t.x[1]->cipher = minds[i];
		sim_world_restart(t.x[1]);
		sim_world_run(&t.w, 2 * HP_S);
		nw_want(t.x[1], names[0]);
		sim_world_run(&t.w, 5 * HP_S);
		packets_pass(&t, minds[i] == HP_CIPHER_CHACHA ? chacha : aes);
	}
	sim_world_free(&t.w);
}

/* Somebody who kept a record of an earlier run of bob, which had no AES, shows
 * it to alice in the midst of things.
 */
static void an_old_record_does_not_talk_them_down(void **state)
{
	struct hp_path relay = { 0 };
	struct hp_record old = { .epoch = 12345, .seq = 1 };
	struct hp_addr seen;
	struct pair t;
	struct peer *p;

	(void)state;
	pair_new(&t, 10, two_autos);
	connect_pair(&t);
	packets_pass(&t, aes);
	p = hp_peer_named(t.x[0]->node, "bob");
	assert_non_null(p);
	seen = p->direct.remote;
	relay = p->relay;
	old.cert = t.x[1]->id.cert;
	hp_peer_introduced(p, &old, &seen, &relay, 0, NULL, true);
	for (int i = 0; i < 300; i++) {
		sim_world_packet(t.x[0], t.x[1]);
		sim_world_packet(t.x[1], t.x[0]);
		sim_world_run(&t.w, HP_S);
		for (int k = 0; k < 2; k++)
			assert_string_not_equal(cipher_of(&t, k), chacha);
	}
	packets_pass(&t, aes);
	sim_world_free(&t.w);
}

/* Bob has spoken AES in this run of his; a handshake with anything else, from
 * his own key, is not his.
 */
static void once_aes_was_spoken_nothing_else_is_accepted(void **state)
{
	struct pair t;
	struct peer *p;
	uint64_t before;
	struct hp_fib *fib;

	(void)state;
	pair_new(&t, 11, two_autos);
	connect_pair(&t);
	packets_pass(&t, aes);
	p = hp_peer_named(t.x[1]->node, "alice");
	assert_non_null(p);
	hp_wg_peer_set_suites(p->wg, HP_SUITE_CHACHA,
			      HP_SUITE_BIT(HP_SUITE_CHACHA),
			      sim_now(t.w.sim));
	fib = hp_wg_fib(hp_node_wg(t.x[0]->node));
	before = hp_fib_drops(fib, HP_DROP_SUITE);
	sim_world_run(&t.w, 6 * HP_S);
	assert_int_equal(hp_wg_initiate(p->wg, sim_now(t.w.sim)), HP_OK);
	sim_world_run(&t.w, HP_S);
	assert_true(hp_fib_drops(fib, HP_DROP_SUITE) > before);
	assert_string_equal(cipher_of(&t, 0), aes);
	assert_string_equal(cipher_of(&t, 1), aes);
	sim_world_free(&t.w);
}

/* Alice has not been shown bob's record, and what he sends her with AES is
 * lost: there is one session, and no second of its kind.
 */
static void who_withholds_and_drops_gets_silence(void **state)
{
	uint64_t end_ns, before;
	struct hp_fib *fib;
	struct pair t;
	struct peer *p;

	(void)state;
	pair_new(&t, 12, two_autos);
	sim_world_acquaint(&t.w);
	sim_world_run(&t.w, 2 * HP_S);
	end_ns = sim_now(t.w.sim) + HP_S;
	sim_world_packet(t.x[0], t.x[1]);
	while (strcmp(cipher_of(&t, 0), chacha) && sim_now(t.w.sim) < end_ns)
		sim_world_run(&t.w, HP_MS);
	p = hp_peer_named(t.x[0]->node, "bob");
	assert_non_null(p);
	hp_wg_peer_set_suites(p->wg, HP_SUITE_CHACHA,
			      HP_SUITE_BIT(HP_SUITE_CHACHA),
			      sim_now(t.w.sim));
	p->settled = true; /* else she settles for AES herself */
	sim_world_run(&t.w, 100 * HP_MS);
	packets_pass(&t, chacha);
	fib = hp_wg_fib(hp_node_wg(t.x[1]->node));
	before = hp_fib_drops(fib, HP_DROP_SUITE);
	sim_world_run(&t.w, 6 * HP_S);
	(void)hp_wg_initiate(p->wg, sim_now(t.w.sim));
	sim_world_run(&t.w, HP_S);
	assert_true(hp_fib_drops(fib, HP_DROP_SUITE) > before);
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_speak_what_both_allow),
		cmocka_unit_test(acquaintances_speak_what_both_allow),
		cmocka_unit_test(
			who_has_not_seen_the_record_is_answered_and_led_to_aes),
		cmocka_unit_test(renewed_sessions_keep_to_aes),
		cmocka_unit_test(a_change_of_mind_holds_from_the_next_start),
		cmocka_unit_test(an_old_record_does_not_talk_them_down),
		cmocka_unit_test(once_aes_was_spoken_nothing_else_is_accepted),
		cmocka_unit_test(who_withholds_and_drops_gets_silence),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
