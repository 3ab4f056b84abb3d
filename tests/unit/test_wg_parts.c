/* SPDX-License-Identifier: ISC */
/* lib/wg: replay window, routes, cipher engines, cookies, rate limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/pkt.h"
#include "base/time.h"
#include "wg/aead.h"
#include "wg/cookie.h"
#include "wg/ratelimit.h"
#include "wg/replay.h"
#include "wg/routes.h"
#include "wg/session.h"
#include "wg/stage.h"

static struct hp_rng rng_of(struct hp_rng_seeded *s, uint64_t seed)
{
	struct hp_rng rng;

	hp_rng_seeded_init(s, seed, &rng);
	print_message("seed %llu\n", (unsigned long long)seed);
	return rng;
}

/* ---- replay ------------------------------------------------------------- */

static void replay_accepts_each_counter_once(void **state)
{
	struct hp_replay r = { 0 };

	(void)state;
	for (uint64_t c = 0; c < 20000; c += 3) {
		assert_true(hp_replay_accept(&r, c));
		assert_false(hp_replay_accept(&r, c));
		assert_false(hp_replay_fresh(&r, c));
	}
}

static void replay_rejects_counter_below_window(void **state)
{
	struct hp_replay r = { 0 };
	uint64_t top = 3 * HP_REPLAY_BITS + 63;

	(void)state;
	assert_true(hp_replay_accept(&r, top));
	assert_true(hp_replay_accept(&r, top - HP_REPLAY_WINDOW + 1));
	assert_false(hp_replay_accept(&r, top - HP_REPLAY_WINDOW));
	assert_false(hp_replay_accept(&r, 0));
}

static void replay_survives_the_largest_jump(void **state)
{
	struct hp_replay r = { 0 };

	(void)state;
	assert_true(hp_replay_accept(&r, 5));
	assert_true(hp_replay_accept(&r, UINT64_MAX - 8193));
	assert_false(hp_replay_accept(&r, UINT64_MAX - 8193));
	assert_true(hp_replay_accept(&r, UINT64_MAX - 8194));
	assert_false(hp_replay_accept(&r, 5));
}

/* The slow model: a byte for every counter. */
static void replay_agrees_with_a_slow_model(void **state)
{
	enum { N = 200000 };
	struct hp_rng_seeded seeded;
	struct hp_rng rng = rng_of(&seeded, 41);
	uint8_t *seen = calloc(N, 1);
	struct hp_replay r = { 0 };
	uint64_t next = 0;

	(void)state;
	assert_non_null(seen);
	for (int i = 0; i < 300000; i++) {
		uint32_t spread = hp_rng_below(&rng, 50) ? 300 : 20000;
		uint64_t c = next + hp_rng_below(&rng, spread);
		bool want;

		c = c > spread * 2 / 3 ? c - spread * 2 / 3 : 0;
		if (c >= N)
			break;
		want = !seen[c] && (c >= next || next - c <= HP_REPLAY_WINDOW);
		assert_int_equal(hp_replay_fresh(&r, c), want);
		assert_int_equal(hp_replay_accept(&r, c), want);
		seen[c] |= want;
		if (want && c >= next)
			next = c + 1;
	}
	assert_true(next > N / 2);
	free(seen);
}

/* ---- routes ------------------------------------------------------------- */

#define OWNERS 5
#define MODEL 600

struct model {
	struct hp_prefix prefix[MODEL];
	int owner[MODEL];
	size_t n;
};

static int model_find(const struct model *m, enum hp_family family,
		      const uint8_t *ip)
{
	int best = -1;
	int bits = -1;

	for (size_t i = 0; i < m->n; i++)
		if (m->prefix[i].bits > bits &&
		    hp_prefix_has(&m->prefix[i], family, ip)) {
			best = m->owner[i];
			bits = m->prefix[i].bits;
		}
	return best;
}

static int model_at(const struct model *m, const struct hp_prefix *p)
{
	for (size_t i = 0; i < m->n; i++)
		if (hp_prefix_eq(&m->prefix[i], p))
			return (int)i;
	return -1;
}

static void model_remove(struct model *m, int at)
{
	m->n--;
	m->prefix[at] = m->prefix[m->n];
	m->owner[at] = m->owner[m->n];
}

/* Few distinct bits, so that prefixes nest and meet. */
static struct hp_prefix random_prefix(const struct hp_rng *rng)
{
	struct hp_prefix p = {
		.family = hp_rng_below(rng, 2) ? HP_AF_4 : HP_AF_6,
	};
	size_t len = p.family == HP_AF_4 ? 4 : 16;

	for (size_t i = 0; i < len; i++)
		p.ip[i] = hp_rng_below(rng, 8) ? 0 :
			  (uint8_t)(1u << hp_rng_below(rng, 8));
	p.ip[0] = hp_rng_below(rng, 2) ? 10 : 0xfd;
	p.bits = (uint16_t)hp_rng_below(rng, (uint32_t)len * 8 + 1);
	hp_prefix_trim(&p);
	return p;
}

static void check_lookups(const struct hp_rng *rng, const struct hp_routes *r,
			  struct hp_route_owner *owners, const struct model *m)
{
	for (int i = 0; i < 8; i++) {
		struct hp_prefix p = random_prefix(rng);
		int want;

		if (m->n && hp_rng_below(rng, 2)) {
			p = m->prefix[hp_rng_below(rng, (uint32_t)m->n)];
			p.ip[p.family == HP_AF_4 ? 3 : 15] ^= 1;
		}
		want = model_find(m, p.family, p.ip);
		assert_ptr_equal(hp_routes_find(r, p.family, p.ip),
				 want < 0 ? NULL : &owners[want]);
	}
}

static void check_iteration(struct hp_route_owner *owners,
			    const struct model *m)
{
	size_t n = 0;

	for (int o = 0; o < OWNERS; o++)
		for (struct hp_route *x = owners[o].first; x; x = x->next) {
			struct hp_prefix p = hp_route_prefix(x);
			int at = model_at(m, &p);

			assert_true(at >= 0 && m->owner[at] == o);
			n++;
		}
	assert_int_equal(n, m->n);
}

static void set_random(const struct hp_rng *rng, struct hp_routes *r,
		       struct hp_route_owner *owners, struct model *m)
{
	struct hp_prefix p = random_prefix(rng);
	int o = (int)hp_rng_below(rng, OWNERS);
	int at = model_at(m, &p);

	if (at < 0 && m->n == MODEL)
		return;
	assert_int_equal(hp_routes_set(r, &p, &owners[o]), HP_OK);
	if (at < 0)
		at = (int)m->n++;
	m->prefix[at] = p;
	m->owner[at] = o;
}

static void remove_random(const struct hp_rng *rng, struct hp_routes *r,
			  struct hp_route_owner *owners, struct model *m,
			  struct hp_retired **retired)
{
	int o = (int)hp_rng_below(rng, OWNERS);
	int at = m->n ? (int)hp_rng_below(rng, (uint32_t)m->n) : 0;
	struct hp_prefix p = m->n ? m->prefix[at] : random_prefix(rng);
	bool is_owner = m->n && m->owner[at] == o;

	assert_int_equal(hp_routes_remove(r, &p, &owners[o], retired),
			 is_owner ? HP_OK : HP_ERR_UNKNOWN);
	if (is_owner)
		model_remove(m, at);
}

static void routes_agree_with_a_linear_model(void **state)
{
	struct hp_rng_seeded seeded;
	struct hp_rng rng = rng_of(&seeded, 42);
	struct hp_route_owner owners[OWNERS] = { 0 };
	struct hp_retired *retired = NULL;
	struct hp_routes r = { .root4 = NULL };
	struct model m = { .n = 0 };

	(void)state;
	for (int i = 0; i < 12000; i++) {
		uint32_t what = hp_rng_below(&rng, 100);

		if (what < (i / 2000 % 2 ? 35u : 60u)) {
			set_random(&rng, &r, owners, &m);
		} else if (what < 99) {
			remove_random(&rng, &r, owners, &m, &retired);
		} else if (hp_rng_below(&rng, 5) == 0) {
			int o = (int)hp_rng_below(&rng, OWNERS);

			hp_routes_clear(&r, &owners[o], &retired);
			for (int at = (int)m.n - 1; at >= 0; at--)
				if (m.owner[at] == o)
					model_remove(&m, at);
		}
		check_lookups(&rng, &r, owners, &m);
		if (i % 100 == 0) {
			check_iteration(owners, &m);
			hp_retire_flush(&retired);
		}
	}
	for (int o = 0; o < OWNERS; o++)
		hp_routes_clear(&r, &owners[o], &retired);
	hp_retire_flush(&retired);
	/* No node is left behind: a sanitizer would tell. */
	assert_null(r.root4);
	assert_null(r.root6);
}

/* ---- session ------------------------------------------------------------ */

static struct hp_session *session_with(enum hp_suite suite, bool initiator)
{
	struct hp_session_keys keys = { .send = { { 1 } }, .recv = { { 1 } } };
	struct hp_aead *aead = hp_aead_new(HP_AEAD_AUTO);
	struct hp_session *s;

	assert_non_null(aead);
	keys.suite = suite;
	s = hp_session_new(aead, NULL, &keys, 1, 2, initiator, 1000 * HP_S);
	hp_aead_free(aead);
	assert_non_null(s);
	return s;
}

static struct hp_session *session_of(bool initiator)
{
	return session_with(HP_SUITE_CHACHA, initiator);
}

static enum hp_err seal_one(struct hp_session *s, uint32_t head, uint32_t tail,
			    uint64_t now_ns)
{
	static uint8_t buf[256];
	struct hp_pkt p = hp_pkt_of(buf, head + 20 + tail, head, 20);
	struct hp_pkt was = p;
	uint64_t counter = atomic_load(&s->counter);
	struct hp_aead_op op;
	enum hp_err err = hp_session_seal(s, &p, 12, now_ns, &op);

	if (err) {
		assert_ptr_equal(p.data, was.data);
		assert_int_equal(p.len, was.len);
		assert_int_equal(atomic_load(&s->counter), counter);
	}
	return err;
}

static void session_seals_only_with_room_and_within_its_limits(void **state)
{
	struct hp_session *s = session_of(true);
	uint64_t t0 = 1000 * HP_S;

	(void)state;
	assert_int_equal(seal_one(s, 16, 28, t0), HP_OK);
	assert_int_equal(seal_one(s, 15, 28, t0), HP_ERR_FULL);
	assert_int_equal(seal_one(s, 16, 27, t0), HP_ERR_FULL);
	assert_int_equal(seal_one(s, 16, 28, t0 + 180 * HP_S - 1), HP_OK);
	assert_int_equal(seal_one(s, 16, 28, t0 + 180 * HP_S), HP_ERR_KEY);
	atomic_store(&s->counter, UINT64_MAX - 8193);
	assert_int_equal(seal_one(s, 16, 28, t0), HP_OK);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(seal_one(s, 16, 28, t0), HP_ERR_KEY);
	hp_session_free(s);
}

/* The bounds of RFC 9001, B.1.1, as wg/wire.h reckons them. */
static void session_with_aes_ends_earlier(void **state)
{
	struct hp_session *s = session_with(HP_SUITE_AES, false);
	uint64_t t0 = 1000 * HP_S;

	(void)state;
	atomic_store(&s->counter, (UINT64_C(1) << 24) - 1);
	assert_false(hp_session_wants_rekey(s, true, t0));
	atomic_store(&s->counter, UINT64_C(1) << 24);
	assert_true(hp_session_wants_rekey(s, true, t0));
	atomic_store(&s->counter, (UINT64_C(1) << 25) - 1);
	assert_int_equal(seal_one(s, 16, 28, t0), HP_OK);
	assert_int_equal(seal_one(s, 16, 28, t0), HP_ERR_KEY);
	hp_session_free(s);
}

static void session_wants_rekey_once(void **state)
{
	struct hp_session *s = session_of(true);
	uint64_t t0 = 1000 * HP_S;

	(void)state;
	assert_false(hp_session_wants_rekey(s, true, t0 + 120 * HP_S - 1));
	assert_false(hp_session_wants_rekey(s, false, t0 + 165 * HP_S - 1));
	assert_true(hp_session_wants_rekey(s, true, t0 + 120 * HP_S));
	assert_false(hp_session_wants_rekey(s, true, t0 + 130 * HP_S));
	hp_session_free(s);
	s = session_of(true);
	assert_true(hp_session_wants_rekey(s, false, t0 + 165 * HP_S));
	hp_session_free(s);
	s = session_of(false);
	assert_false(hp_session_wants_rekey(s, true, t0 + 170 * HP_S));
	atomic_store(&s->counter, UINT64_C(1) << 60);
	assert_true(hp_session_wants_rekey(s, true, t0));
	hp_session_free(s);
}

/* ---- cookies ------------------------------------------------------------ */

struct cookies {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct hp_cookie_checker checker;
	struct hp_cookie_maker maker;
	struct hp_path from;
	uint8_t msg[148];
};

static void cookies_make(struct cookies *c)
{
	static const struct hp_public public = { .b = { 9 } };

	memset(c, 0, sizeof(*c));
	c->rng = rng_of(&c->seeded, 44);
	hp_cookie_keys_of(&public, &c->checker.keys);
	c->maker.to = &public;
	c->from.remote = hp_addr4(192, 0, 2, 1, 1000);
	hp_rng_fill(&c->rng, c->msg, sizeof(c->msg));
}

static void cookie_mac1_covers_every_byte_before_it(void **state)
{
	struct cookies c;

	(void)state;
	cookies_make(&c);
	hp_cookie_sign(&c.maker, c.msg, sizeof(c.msg), 5 * HP_S);
	assert_true(hp_cookie_mac1_ok(&c.checker, c.msg, sizeof(c.msg)));
	for (size_t i = 0; i < sizeof(c.msg) - 16; i++) {
		c.msg[i] ^= 1;
		assert_false(hp_cookie_mac1_ok(&c.checker, c.msg,
					       sizeof(c.msg)));
		c.msg[i] ^= 1;
	}
}

static bool mac2_ok(struct cookies *c, uint64_t now_ns)
{
	return hp_cookie_mac2_ok(&c->checker, c->msg, sizeof(c->msg), &c->from,
				 now_ns);
}

static void cookie_proves_one_source_for_two_minutes(void **state)
{
	uint64_t t = 1000 * HP_S;
	struct hp_wire_cookie reply;
	struct hp_path was;
	struct cookies c;

	(void)state;
	cookies_make(&c);
	hp_cookie_sign(&c.maker, c.msg, sizeof(c.msg), t);
	assert_false(mac2_ok(&c, t));
	hp_cookie_reply_make(&c.checker, &c.rng, c.msg, sizeof(c.msg), &c.from,
			     t, &reply);
	assert_int_equal(hp_cookie_reply_consume(&c.maker, &reply, t), HP_OK);
	assert_false(mac2_ok(&c, t));
	hp_cookie_sign(&c.maker, c.msg, sizeof(c.msg), t);
	assert_true(mac2_ok(&c, t));
	assert_true(mac2_ok(&c, t + 119 * HP_S));
	assert_false(mac2_ok(&c, t + 120 * HP_S));
	was = c.from;
	c.from.remote.port++;
	assert_false(mac2_ok(&c, t));
	c.from = was;
	c.from.remote.ip[3]++;
	assert_false(mac2_ok(&c, t));
	c.from = was;
	c.from.channel = 7;
	assert_false(mac2_ok(&c, t));
	c.from = was;
	c.msg[sizeof(c.msg) - 1] ^= 1;
	assert_false(mac2_ok(&c, t));
	/* The maker stops in time. */
	hp_cookie_sign(&c.maker, c.msg, sizeof(c.msg), t + 116 * HP_S);
	assert_false(mac2_ok(&c, t + 116 * HP_S));
}

static void cookie_reply_must_answer_the_last_message(void **state)
{
	uint64_t t = 1000 * HP_S;
	struct hp_wire_cookie reply;
	struct cookies c;

	(void)state;
	cookies_make(&c);
	memset(&reply, 0, sizeof(reply));
	assert_int_equal(hp_cookie_reply_consume(&c.maker, &reply, t),
			 HP_ERR_STATE);
	hp_cookie_sign(&c.maker, c.msg, sizeof(c.msg), t);
	hp_cookie_reply_make(&c.checker, &c.rng, c.msg, sizeof(c.msg), &c.from,
			     t, &reply);
	c.msg[10] ^= 1;
	hp_cookie_sign(&c.maker, c.msg, sizeof(c.msg), t);
	assert_int_equal(hp_cookie_reply_consume(&c.maker, &reply, t),
			 HP_ERR_AUTH);
	assert_false(c.maker.has_cookie);
	hp_cookie_reply_make(&c.checker, &c.rng, c.msg, sizeof(c.msg), &c.from,
			     t, &reply);
	assert_int_equal(hp_cookie_reply_consume(&c.maker, &reply, t), HP_OK);
	assert_int_equal(hp_cookie_reply_consume(&c.maker, &reply, t),
			 HP_ERR_STATE);
}

/* ---- rate limit --------------------------------------------------------- */

static unsigned int allowed(struct hp_ratelimit *r, const struct hp_addr *a,
			    uint64_t now_ns, unsigned int tries)
{
	unsigned int n = 0;

	while (tries--)
		n += hp_ratelimit_allow(r, a, now_ns);
	return n;
}

static void ratelimit_gives_5_at_once_and_20_a_second(void **state)
{
	struct hp_ratelimit *r = malloc(sizeof(*r));
	struct hp_addr a = hp_addr4(192, 0, 2, 1, 1), b = a;
	struct hp_rng_seeded seeded;
	struct hp_rng rng = rng_of(&seeded, 45);
	unsigned int n = 0;

	(void)state;
	assert_non_null(r);
	hp_ratelimit_init(r, &rng);
	assert_int_equal(allowed(r, &a, 0, 100), 5);
	assert_int_equal(allowed(r, &a, 50 * HP_MS - 1, 10), 0);
	assert_int_equal(allowed(r, &a, 50 * HP_MS, 10), 1);
	b.ip[3] = 2;
	assert_int_equal(allowed(r, &b, 50 * HP_MS, 10), 5);
	for (uint64_t t = HP_S; t < 11 * HP_S; t += 10 * HP_MS)
		n += hp_ratelimit_allow(r, &a, t);
	assert_in_range(n, 200, 205);
	free(r);
}

static void ratelimit_counts_an_ipv6_net_as_one_source(void **state)
{
	struct hp_ratelimit *r = malloc(sizeof(*r));
	struct hp_addr a = { .family = HP_AF_6, .ip = { 0x20, 1 } };
	struct hp_rng_seeded seeded;
	struct hp_rng rng = rng_of(&seeded, 46);
	unsigned int n = 0;

	(void)state;
	assert_non_null(r);
	hp_ratelimit_init(r, &rng);
	for (int i = 0; i < 100; i++) {
		a.ip[15] = (uint8_t)i;
		n += hp_ratelimit_allow(r, &a, HP_S);
	}
	assert_int_equal(n, 5);
	a.ip[7] = 1;
	assert_int_equal(allowed(r, &a, HP_S, 10), 5);
	free(r);
}

static void ratelimit_table_full_refuses_and_recovers(void **state)
{
	struct hp_ratelimit *r = malloc(sizeof(*r));
	struct hp_rng_seeded seeded;
	struct hp_rng rng = rng_of(&seeded, 47);
	unsigned int n = 0;

	(void)state;
	assert_non_null(r);
	hp_ratelimit_init(r, &rng);
	for (unsigned int i = 0; i < 60000; i++) {
		struct hp_addr a = hp_addr4(10, 0, (uint8_t)(i >> 8),
					    (uint8_t)i, 1);

		n += hp_ratelimit_allow(r, &a, HP_S);
	}
	assert_in_range(n, HP_RATELIMIT_SETS,
			HP_RATELIMIT_SETS * HP_RATELIMIT_WAYS);
	assert_int_equal(allowed(r, &(struct hp_addr){ .family = HP_AF_4 },
				 2 * HP_S, 10), 5);
	free(r);
}

/* ---- staged packets ----------------------------------------------------- */

static void stage_keeps_the_last_128_in_order(void **state)
{
	struct hp_stage *st = hp_stage_new();
	uint8_t bytes[600];
	bool lost;

	(void)state;
	assert_non_null(st);
	for (unsigned int i = 0; i < 300; i++) {
		struct hp_pkt p = hp_pkt_of(bytes, sizeof(bytes), 0, 20 + i);

		memset(bytes, (int)i, sizeof(bytes));
		assert_int_equal(hp_stage_push(st, &p, &lost), HP_OK);
		assert_int_equal(lost, i >= HP_WG_STAGED);
	}
	for (unsigned int i = 300 - HP_WG_STAGED; i < 300; i++) {
		struct hp_pkt p;

		assert_true(hp_stage_peek(st, &p));
		assert_int_equal(p.len, 20 + i);
		assert_true(p.head >= HP_HEADROOM && p.tail >= HP_TAILROOM);
		assert_int_equal(p.data[19 + i], (uint8_t)i);
		hp_stage_pop(st);
	}
	assert_false(hp_stage_peek(st, &(struct hp_pkt){ 0 }));
	hp_stage_free(st);
	hp_stage_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_accepts_each_counter_once),
		cmocka_unit_test(replay_rejects_counter_below_window),
		cmocka_unit_test(replay_survives_the_largest_jump),
		cmocka_unit_test(replay_agrees_with_a_slow_model),
		cmocka_unit_test(routes_agree_with_a_linear_model),
		cmocka_unit_test(
			session_seals_only_with_room_and_within_its_limits),
		cmocka_unit_test(session_with_aes_ends_earlier),
		cmocka_unit_test(session_wants_rekey_once),
		cmocka_unit_test(cookie_mac1_covers_every_byte_before_it),
		cmocka_unit_test(cookie_proves_one_source_for_two_minutes),
		cmocka_unit_test(cookie_reply_must_answer_the_last_message),
		cmocka_unit_test(ratelimit_gives_5_at_once_and_20_a_second),
		cmocka_unit_test(ratelimit_counts_an_ipv6_net_as_one_source),
		cmocka_unit_test(ratelimit_table_full_refuses_and_recovers),
		cmocka_unit_test(stage_keeps_the_last_128_in_order),
	};

	if (hp_crypto_init())
		return 1;
	return cmocka_run_group_tests_name("wg_parts", tests, NULL, NULL);
}
