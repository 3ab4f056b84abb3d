/* SPDX-License-Identifier: ISC */
/*
 * The cipher engines, each with each suite it has: against the vectors of RFC
 * 8439 and of the GCM submission, and against one-shot calls that share no
 * code with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/pkt.h"
#include "base/time.h"
#include "wg/aead.h"
#include "wg/aead_race.h"

/* Longer than the room that an engine keeps for a packet. */
#define LONGEST 2176
#define TAG 16

static const enum hp_aead_engine all_engines[] = {
	HP_AEAD_MIX, HP_AEAD_IPSEC_MB, HP_AEAD_CRYPTO, HP_AEAD_SODIUM,
};

#define ENGINES (sizeof(all_engines) / sizeof(all_engines[0]))

static struct hp_rng rng_of(struct hp_rng_seeded *seeded, uint64_t seed)
{
	struct hp_rng rng;

	hp_rng_seeded_init(seeded, seed, &rng);
	return rng;
}

static void key_make(const struct hp_aead *a, struct hp_aead_key *k,
		     enum hp_suite suite, const struct hp_secret *secret)
{
	assert_int_equal(hp_aead_key_init(a, k, suite, secret), HP_OK);
}

/* Runs @claim for each engine of this machine with each suite that it has. */
static void for_each(void (*claim)(struct hp_aead *a, enum hp_suite suite))
{
	for (size_t e = 0; e < ENGINES; e++) {
		struct hp_aead *a = hp_aead_new(all_engines[e]);

		for (int s = 0; a && s < HP_SUITES; s++)
			if (hp_aead_has(a, (enum hp_suite)s))
				claim(a, (enum hp_suite)s);
		hp_aead_free(a);
	}
}

/* What @suite makes of @text, by one call that the engines do not use: for
 * ChaCha20-Poly1305 the combined one of libsodium, for AES a context of its
 * own; both with the nonce written out here.
 */
static void oracle(enum hp_suite suite, const struct hp_secret *key,
		   uint64_t counter, const uint8_t *text, uint32_t len,
		   uint8_t *out)
{
	uint8_t nonce[12] = { 0 };
	EVP_CIPHER_CTX *ctx;
	int n = 0;

	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >>
					 (suite == HP_SUITE_AES ? 56 - 8 * i :
								  8 * i));
	if (suite == HP_SUITE_CHACHA) {
		crypto_aead_chacha20poly1305_ietf_encrypt(
			out, NULL, text, len, NULL, 0, NULL, nonce, key->b);
		return;
	}
	ctx = EVP_CIPHER_CTX_new();
	assert_true(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->b,
				       nonce));
	assert_true(EVP_EncryptUpdate(ctx, out, &n, text, (int)len));
	assert_true(EVP_EncryptFinal_ex(ctx, out + len, &n));
	assert_true(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG,
					out + len));
	EVP_CIPHER_CTX_free(ctx);
}

static void aead_always_has_its_portable_engines(void **state)
{
	struct hp_aead *a;

	(void)state;
	for (size_t i = 2; i < ENGINES; i++) {
		a = hp_aead_new(all_engines[i]);
		assert_non_null(a);
		assert_int_equal(hp_aead_engine_of(a), all_engines[i]);
		assert_true(hp_aead_has(a, HP_SUITE_CHACHA));
		hp_aead_free(a);
	}
	a = hp_aead_new(HP_AEAD_AUTO);
	assert_non_null(a);
	assert_int_not_equal(hp_aead_engine_of(a), HP_AEAD_AUTO);
	hp_aead_free(a);
	hp_aead_free(NULL);
	a = hp_aead_new(HP_AEAD_IPSEC_MB);
#ifndef HP_HAVE_IPSEC_MB
	assert_null(a);
#endif
	hp_aead_free(a);
}

/* At every alignment of a cache line, too: LONGEST is a multiple of 64. */
static void every_length(struct hp_aead *a, enum hp_suite suite)
{
	static uint8_t text[LONGEST], want[LONGEST + TAG];
	static uint8_t room[LONGEST + TAG + 64];
	struct hp_rng_seeded seeded;
	struct hp_rng rng = rng_of(&seeded, 43);
	struct hp_aead_key key = { 0 };
	struct hp_secret secret;

	hp_rng_fill(&rng, text, sizeof(text));
	for (uint32_t len = 0; len <= LONGEST; len++) {
		struct hp_aead_op op = {
			.key = &key, .counter = hp_rng_u64(&rng),
			.data = room + hp_rng_below(&rng, 64), .len = len,
		};

		if (len % 7 == 0) {
			hp_rng_fill(&rng, secret.b, sizeof(secret.b));
			hp_aead_key_wipe(&key);
			key_make(a, &key, suite, &secret);
		}
		oracle(suite, &secret, op.counter, text, len, want);
		memcpy(op.data, text, len);
		hp_aead_seal(a, &op, 1);
		assert_memory_equal(op.data, want, len + TAG);
		hp_aead_open(a, &op, 1);
		assert_true(op.ok);
		assert_memory_equal(op.data, text, len);
		memcpy(op.data, want, len + TAG);
		op.data[hp_rng_below(&rng, len + TAG)] ^= 4;
		hp_aead_open(a, &op, 1);
		assert_false(op.ok);
	}
	hp_aead_key_wipe(&key);
}

static void aead_engines_agree_on_every_length(void **state)
{
	(void)state;
	for_each(every_length);
}

static void any_bit(struct hp_aead *a, enum hp_suite suite)
{
	struct hp_secret secret = { .b = { 7 } };
	uint8_t sealed[48] = { 0 }, buf[48];
	struct hp_aead_key key, other;
	struct hp_aead_op op = {
		.key = &key, .counter = 9, .data = sealed, .len = 32,
	};

	key_make(a, &key, suite, &secret);
	secret.b[31] = 1;
	key_make(a, &other, suite, &secret);
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
	memcpy(buf, sealed, sizeof(buf));
	op.counter = 9;
	op.key = &other;
	hp_aead_open(a, &op, 1);
	assert_false(op.ok);
	hp_aead_key_wipe(&key);
	hp_aead_key_wipe(&other);
}

static void aead_engines_refuse_any_changed_bit_and_key(void **state)
{
	(void)state;
	for_each(any_bit);
}

/* Both suites, three keys of each and every length in one batch, at odd
 * addresses; every fifth message damaged.
 */
static void aead_batch_mixes_suites_keys_and_failures(void **state)
{
	static uint8_t buf[HP_BATCH][LONGEST + TAG + 1];
	uint8_t want[LONGEST + TAG], text[LONGEST];

	(void)state;
	for (size_t e = 0; e < ENGINES; e++) {
		struct hp_aead *a = hp_aead_new(all_engines[e]);
		struct hp_aead_op ops[HP_BATCH];
		struct hp_aead_key keys[6];

		if (!a)
			continue;
		for (uint8_t i = 0; i < 6; i++) {
			struct hp_secret secret = { .b = { i } };

			key_make(a, &keys[i],
				 i % 2 && hp_aead_has(a, HP_SUITE_AES) ?
					 HP_SUITE_AES : HP_SUITE_CHACHA,
				 &secret);
		}
		for (size_t i = 0; i < HP_BATCH; i++) {
			memset(buf[i], (int)i, sizeof(buf[i]));
			ops[i] = (struct hp_aead_op){
				.key = &keys[i * i % 6], .counter = i,
				.data = buf[i] + i % 2,
				.len = (uint32_t)(i * 37 % LONGEST),
			};
		}
		hp_aead_seal(a, ops, HP_BATCH);
		for (size_t i = 0; i < HP_BATCH; i++) {
			const struct hp_aead_key *k = ops[i].key;

			memset(text, (int)i, sizeof(text));
			oracle(k->suite, &k->secret, i, text, ops[i].len,
			       want);
			assert_memory_equal(ops[i].data, want,
					    ops[i].len + TAG);
			if (i % 5 == 0)
				ops[i].data[ops[i].len + 3] ^= 1;
		}
		hp_aead_open(a, ops, HP_BATCH);
		for (size_t i = 0; i < HP_BATCH; i++) {
			assert_int_equal(ops[i].ok, i % 5 != 0);
			memset(text, (int)i, sizeof(text));
			if (ops[i].ok)
				assert_memory_equal(ops[i].data, text,
						    ops[i].len);
		}
		for (size_t i = 0; i < 6; i++)
			hp_aead_key_wipe(&keys[i]);
		hp_aead_free(a);
	}
}

static void forgets(struct hp_aead *a, enum hp_suite suite)
{
	struct hp_secret secret = { .b = { 5 } };
	uint8_t first[40] = { 0 }, second[40] = { 0 };
	struct hp_aead_key key;
	struct hp_aead_op op = {
		.key = &key, .counter = 1, .data = first, .len = 24,
	};

	key_make(a, &key, suite, &secret);
	hp_aead_seal(a, &op, 1);
	hp_aead_forget(a);
	hp_aead_forget(a);
	op.data = second;
	hp_aead_seal(a, &op, 1);
	assert_memory_equal(first, second, sizeof(first));
	hp_aead_key_wipe(&key);
	assert_true(sodium_is_zero((const void *)&key, sizeof(key)));
	hp_aead_key_wipe(&key);
}

static void aead_goes_on_after_it_forgot_its_keys(void **state)
{
	(void)state;
	for_each(forgets);
}

/* ---- choosing ------------------------------------------------------------ */

/* Racers made of figures: what a turn takes, and how it is disturbed. */
struct track {
	uint32_t ns[HP_AEAD_RACERS][HP_SUITES];
	uint64_t now_ns;
	struct hp_rng rng;
	unsigned int turns;
	bool crowded;
};

static struct track track;

static uint64_t track_clock(void)
{
	return track.now_ns;
}

/* In a crowd every other turn is disturbed, by up to a time slice. */
static void track_turn(void *ctx, size_t who, enum hp_suite suite)
{
	struct track *t = ctx;

	t->turns++;
	t->now_ns += t->ns[who][suite];
	if (t->crowded && hp_rng_below(&t->rng, 2))
		t->now_ns += hp_rng_below(&t->rng, 4 * HP_MS);
}

static size_t race(struct hp_aead_race *r, size_t n, unsigned int suites)
{
	*r = (struct hp_aead_race){
		.n = n, .suites = suites, .clock = track_clock,
		.turn = track_turn, .ctx = &track,
	};
	track.turns = 0;
	return hp_aead_race(r);
}

static void aead_race_is_won_by_the_fastest_in_any_crowd(void **state)
{
	struct hp_rng_seeded seeded;
	struct hp_aead_race r;

	(void)state;
	for (uint64_t seed = 1; seed < 200; seed++) {
		track = (struct track){
			.ns = { { 8800, 3300 }, { 8000, 3300 },
				{ 7000, 3000 }, { 14000, 9000 } },
			.rng = rng_of(&seeded, seed),
			.crowded = true,
		};
		assert_int_equal(race(&r, 4, HP_SUITES), 2);
		assert_int_equal(r.best_ns[2][HP_SUITE_CHACHA], 7000);
		assert_int_equal(r.best_ns[3][HP_SUITE_AES], 9000);
	}
}

static void aead_race_counts_what_is_to_be_spoken(void **state)
{
	struct hp_aead_race r;

	(void)state;
	track = (struct track){
		.ns = { { 9000, 1000 }, { 7000, 9000 } },
	};
	assert_int_equal(race(&r, 2, 1), 1);
	assert_int_equal(race(&r, 2, HP_SUITES), 0);
}

static void aead_race_goes_to_the_preferred_when_it_is_close(void **state)
{
	struct hp_aead_race r;

	(void)state;
	track = (struct track){
		.ns = { { 10000 }, { 9001 }, { 9000 }, { 10000 } },
	};
	assert_int_equal(race(&r, 4, 1), 0);
	track.ns[2][0] = 8999;
	assert_int_equal(race(&r, 4, 1), 2);
}

static void aead_race_ends_after_some_ms_or_some_turns(void **state)
{
	struct hp_aead_race r;

	(void)state;
	track = (struct track){ .ns = { { 10000 }, { 10000 } } };
	(void)race(&r, 2, 1);
	assert_in_range(track.now_ns, 4 * HP_MS, 4 * HP_MS + 20000);
	/* Where a turn takes a second, each has 16. */
	track = (struct track){ .ns = { { 1000000000 }, { 1000000000 } } };
	(void)race(&r, 2, 1);
	assert_int_equal(track.turns, 2 * 16);
}

static uint64_t fake_clock(void)
{
	return track.now_ns += 100 * HP_US;
}

static void aead_choice_can_do_what_is_asked_for(void **state)
{
	struct hp_aead *sodium = hp_aead_new(HP_AEAD_SODIUM);
	struct hp_aead *first = hp_aead_new(HP_AEAD_AUTO);
	struct hp_aead_choice c;

	(void)state;
	/* By this clock all are the same. */
	assert_int_equal(hp_aead_choose(fake_clock, HP_AEAD_AUTO, true, &c),
			 HP_OK);
	assert_int_equal(c.engine, hp_aead_engine_of(first));
	assert_int_equal(c.ns[HP_SUITE_AES], 100 * HP_US / 8);
	assert_int_equal(hp_aead_choose(fake_clock, HP_AEAD_SODIUM, false,
					&c), HP_OK);
	assert_int_equal(c.engine, HP_AEAD_SODIUM);
	assert_int_equal(c.ns[HP_SUITE_CHACHA], 100 * HP_US / 8);
	assert_int_equal(c.ns[HP_SUITE_AES], 0);
	assert_int_equal(hp_aead_choose(fake_clock, HP_AEAD_SODIUM, true, &c),
			 hp_aead_has(sodium, HP_SUITE_AES) ? HP_OK :
							     HP_ERR_UNKNOWN);
#ifndef HP_HAVE_IPSEC_MB
	assert_int_equal(hp_aead_choose(fake_clock, HP_AEAD_IPSEC_MB, false,
					&c), HP_ERR_UNKNOWN);
#endif
	hp_aead_free(sodium);
	hp_aead_free(first);
}

static void aead_names_are_read_as_they_are_written(void **state)
{
	enum hp_aead_engine got = HP_AEAD_SODIUM;

	(void)state;
	for (size_t e = 0; e < ENGINES; e++) {
		assert_int_equal(hp_aead_parse(hp_aead_name(all_engines[e]),
					       &got), HP_OK);
		assert_int_equal(got, all_engines[e]);
	}
	assert_int_equal(hp_aead_parse("Auto", &got), HP_OK);
	assert_int_equal(got, HP_AEAD_AUTO);
	assert_int_equal(hp_aead_parse("openssl", &got), HP_ERR_UNKNOWN);
	assert_int_equal(hp_aead_parse("", &got), HP_ERR_UNKNOWN);
}

/* The GCM submission (McGrew and Viega, 2005), test cases 13 and 14. */
static void gcm_vector(struct hp_aead *a, enum hp_suite suite)
{
	static const uint8_t tag13[] =
		"\x53\x0f\x8a\xfb\xc7\x45\x36\xb9"
		"\xa9\x63\xb4\xf1\xc4\xcb\x73\x8b";
	static const uint8_t box14[] =
		"\xce\xa7\x40\x3d\x4d\x60\x6b\x6e"
		"\x07\x4e\xc5\xd3\xba\xf3\x9d\x18"
		"\xd0\xd1\xc8\xa7\x99\x99\x6b\xf0"
		"\x26\x5b\x98\xb5\xd4\x8a\xb9\x19";
	struct hp_secret secret = { .b = { 0 } };
	uint8_t buf[32] = { 0 };
	struct hp_aead_key key;
	struct hp_aead_op op = { .key = &key, .data = buf };

	if (suite != HP_SUITE_AES)
		return;
	key_make(a, &key, suite, &secret);
	hp_aead_seal(a, &op, 1);
	assert_memory_equal(buf, tag13, 16);
	memset(buf, 0, sizeof(buf));
	op.len = 16;
	hp_aead_seal(a, &op, 1);
	assert_memory_equal(buf, box14, 32);
	hp_aead_key_wipe(&key);
}

static void aead_gives_the_vectors_of_gcm(void **state)
{
	(void)state;
	for_each(gcm_vector);
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
		struct hp_aead_key ready;
		struct hp_aead_op op = {
			.key = &ready, .counter = counter, .data = buf,
			.len = (uint32_t)n - 16,
		};

		if (!a)
			continue;
		key_make(a, &ready, HP_SUITE_CHACHA, &key);
		memcpy(buf, text, n - 16);
		hp_aead_seal(a, &op, 1);
		assert_memory_equal(buf, box, n - 16);
		assert_memory_not_equal(buf + n - 16, box + n - 16, 16);
		hp_aead_key_wipe(&ready);
		hp_aead_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aead_always_has_its_portable_engines),
		cmocka_unit_test(aead_engines_agree_on_every_length),
		cmocka_unit_test(aead_engines_refuse_any_changed_bit_and_key),
		cmocka_unit_test(aead_batch_mixes_suites_keys_and_failures),
		cmocka_unit_test(aead_goes_on_after_it_forgot_its_keys),
		cmocka_unit_test(aead_race_is_won_by_the_fastest_in_any_crowd),
		cmocka_unit_test(aead_race_counts_what_is_to_be_spoken),
		cmocka_unit_test(
			aead_race_goes_to_the_preferred_when_it_is_close),
		cmocka_unit_test(aead_race_ends_after_some_ms_or_some_turns),
		cmocka_unit_test(aead_choice_can_do_what_is_asked_for),
		cmocka_unit_test(aead_names_are_read_as_they_are_written),
		cmocka_unit_test(aead_gives_the_vector_of_the_rfc),
		cmocka_unit_test(aead_gives_the_vectors_of_gcm),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
