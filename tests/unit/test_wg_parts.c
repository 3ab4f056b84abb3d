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

/* ---- cipher engines ----------------------------------------------------- */

static const enum hp_aead_engine all_engines[] = {
	HP_AEAD_IPSEC_MB, HP_AEAD_CRYPTO, HP_AEAD_SODIUM,
};

#define ENGINES (sizeof(all_engines) / sizeof(all_engines[0]))

static void aead_always_has_its_portable_engines(void **state)
{
	struct hp_aead *a;

	(void)state;
	for (size_t i = 1; i < ENGINES; i++) {
		a = hp_aead_new(all_engines[i]);
		assert_non_null(a);
		assert_int_equal(hp_aead_engine_of(a), all_engines[i]);
		hp_aead_free(a);
	}
	a = hp_aead_new(HP_AEAD_AUTO);
	assert_non_null(a);
	assert_int_not_equal(hp_aead_engine_of(a), HP_AEAD_AUTO);
	hp_aead_free(a);
	hp_aead_free(NULL);
}

/* Against hp_chapoly_seal(), which the vector of the RFC binds below. */
static void aead_engines_agree_on_every_length(void **state)
{
	struct hp_rng_seeded seeded;
	struct hp_rng rng = rng_of(&seeded, 43);
	static uint8_t text[2048], want[2064], buf[2064];
	struct hp_secret key;

	(void)state;
	hp_rng_fill(&rng, text, sizeof(text));
	for (size_t e = 0; e < ENGINES; e++) {
		struct hp_aead *a = hp_aead_new(all_engines[e]);

		if (!a)
			continue;
		for (uint32_t len = 0; len <= 2048; len++) {
			struct hp_aead_op op = {
				.key = &key, .counter = hp_rng_u64(&rng),
				.data = buf, .len = len,
			};

			if (len % 7 == 0)
				hp_rng_fill(&rng, key.b, sizeof(key.b));
			hp_chapoly_seal(&key, op.counter, NULL, 0, text, len,
					want);
			memcpy(buf, text, len);
			hp_aead_seal(a, &op, 1);
			assert_memory_equal(buf, want, len + 16);
			hp_aead_open(a, &op, 1);
			assert_true(op.ok);
			assert_memory_equal(buf, text, len);
		}
		hp_aead_free(a);
	}
}

static void aead_engines_refuse_any_changed_bit(void **state)
{
	struct hp_secret key = { .b = { 7 } };

	(void)state;
	for (size_t e = 0; e < ENGINES; e++) {
		struct hp_aead *a = hp_aead_new(all_engines[e]);
		uint8_t sealed[48] = { 0 }, buf[48];
		struct hp_aead_op op = {
			.key = &key, .counter = 9, .data = sealed, .len = 32,
		};

		if (!a)
			continue;
		hp_aead_seal(a, &op, 1);
		op.data = buf;
		for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
			memcpy(buf, sealed, sizeof(buf));
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
			hp_aead_open(a, &op, 1);
			assert_false(op.ok);
		}
		memcpy(buf, sealed, sizeof(buf));
		op.counter = 10;
		hp_aead_open(a, &op, 1);
		assert_false(op.ok);
		hp_aead_free(a);
	}
}

static void aead_batch_mixes_keys_and_failures(void **state)
{
	struct hp_secret keys[2] = { { .b = { 1 } }, { .b = { 2 } } };
	static uint8_t buf[HP_BATCH][80];

	(void)state;
	for (size_t e = 0; e < ENGINES; e++) {
		struct hp_aead *a = hp_aead_new(all_engines[e]);
		struct hp_aead_op ops[HP_BATCH];

		if (!a)
			continue;
		for (size_t i = 0; i < HP_BATCH; i++) {
			memset(buf[i], (int)i, sizeof(buf[i]));
			ops[i] = (struct hp_aead_op){
				.key = &keys[i % 3 == 0], .counter = i,
				.data = buf[i], .len = (uint32_t)(i % 64),
			};
		}
		hp_aead_seal(a, ops, HP_BATCH);
		for (size_t i = 0; i < HP_BATCH; i += 5)
			buf[i][i % 64 + 3] ^= 1;
		hp_aead_open(a, ops, HP_BATCH);
		for (size_t i = 0; i < HP_BATCH; i++) {
			assert_int_equal(ops[i].ok, i % 5 != 0);
			for (size_t j = 0; ops[i].ok && j < ops[i].len; j++)
				assert_int_equal(buf[i][j], (uint8_t)i);
		}
		hp_aead_free(a);
	}
}

static size_t unhex(const char *text, uint8_t *out)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned int v;

		assert_int_equal(sscanf(text + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

/* RFC 8439, A.5. The engines know no additional data: their text must be the
 * same, their tag another.
 */
static void aead_gives_the_vector_of_the_rfc(void **state)
{
	static const char key_text[] =
		"1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc2070"
		"75c0";
	static const char box_text[] =
		"64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c"
		"8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f"
		"355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f9"
		"82b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0"
		"f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433"
		"225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04"
		"b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb"
		"4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130"
		"305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d6789"
		"0cbb22392336fea1851f38";
	static const char start[] = "Internet-Drafts are draft documents valid";
	const uint64_t counter = UINT64_C(0x0807060504030201);
	uint8_t ad[12], box[300], text[300], buf[300];
	struct hp_secret key;
	size_t n = unhex(box_text, box);

	(void)state;
	assert_int_equal(unhex(key_text, key.b), 32);
	unhex("f33388860000000000004e91", ad);
	assert_int_equal(hp_chapoly_open(&key, counter, ad, sizeof(ad), box, n,
					 text), HP_OK);
	assert_memory_equal(text, start, sizeof(start) - 1);
	box[5] ^= 1;
	assert_int_equal(hp_chapoly_open(&key, counter, ad, sizeof(ad), box, n,
					 buf), HP_ERR_AUTH);
	assert_int_equal(hp_chapoly_open(&key, counter, ad, sizeof(ad), box,
					 15, buf), HP_ERR_SHORT);
	box[5] ^= 1;
	for (size_t e = 0; e < ENGINES; e++) {
		struct hp_aead *a = hp_aead_new(all_engines[e]);
		struct hp_aead_op op = {
			.key = &key, .counter = counter, .data = buf,
			.len = (uint32_t)n - 16,
		};

		if (!a)
			continue;
		memcpy(buf, text, n - 16);
		hp_aead_seal(a, &op, 1);
		assert_memory_equal(buf, box, n - 16);
		assert_memory_not_equal(buf + n - 16, box + n - 16, 16);
		hp_aead_free(a);
	}
}

/* ---- session ------------------------------------------------------------ */

static struct hp_session *session_of(bool initiator)
{
	struct hp_session_keys keys = { .send = { { 1 } }, .recv = { { 1 } } };
	struct hp_session *s = hp_session_new(NULL, &keys, 1, 2, initiator,
					      1000 * HP_S);

	assert_non_null(s);
	return s;
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
	struct hp_public public = { .b = { 9 } };

	memset(c, 0, sizeof(*c));
	c->rng = rng_of(&c->seeded, 44);
	hp_cookie_keys_of(&public, &c->checker.keys);
	hp_cookie_keys_of(&public, &c->maker.keys);
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
		cmocka_unit_test(aead_always_has_its_portable_engines),
		cmocka_unit_test(aead_engines_agree_on_every_length),
		cmocka_unit_test(aead_engines_refuse_any_changed_bit),
		cmocka_unit_test(aead_batch_mixes_keys_and_failures),
		cmocka_unit_test(aead_gives_the_vector_of_the_rfc),
		cmocka_unit_test(
			session_seals_only_with_room_and_within_its_limits),
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
