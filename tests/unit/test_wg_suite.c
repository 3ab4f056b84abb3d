/* SPDX-License-Identifier: ISC */
/*
 * Two ciphers under one handshake: its messages against the Noise
 * specification written down a second time, what is accepted of whom, and how
 * sessions move from one cipher to the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include "base/crypto.h"
#include "base/time.h"
#include "wg/noise.h"
#include "wg_world.h"

#define CHACHA HP_SUITE_BIT(HP_SUITE_CHACHA)
#define AES HP_SUITE_BIT(HP_SUITE_AES)

/* ---- the specification, a second time ------------------------------------ */

/* Noise 5.2: a symmetric state, of the initiator. */
struct spec {
	enum hp_suite suite;
	uint8_t ck[32], h[32], k[32];
};

static void spec_hash(uint8_t out[32], const void *a, size_t a_len,
		      const void *b, size_t b_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(EVP_DigestInit_ex(ctx, EVP_blake2s256(), NULL) &&
		    EVP_DigestUpdate(ctx, a, a_len) &&
		    EVP_DigestUpdate(ctx, b, b_len) &&
		    EVP_DigestFinal_ex(ctx, out, NULL));
	EVP_MD_CTX_free(ctx);
}

static void spec_mix_hash(struct spec *s, const void *p, size_t len)
{
	spec_hash(s->h, s->h, 32, p, len);
}

/* HKDF with three outputs (4.3). */
static void spec_hkdf(const struct spec *s, const void *p, size_t len,
		      uint8_t out[3][33])
{
	uint8_t temp[32], in[33];
	unsigned int n = 32;

	assert_non_null(HMAC(EVP_blake2s256(), s->ck, 32, p, len, temp, &n));
	for (uint8_t i = 0; i < 3; i++) {
		size_t at = i ? 32 : 0;

		if (i)
			memcpy(in, out[i - 1], 32);
		in[at] = (uint8_t)(i + 1);
		assert_non_null(HMAC(EVP_blake2s256(), temp, 32, in, at + 1,
				     out[i], &n));
	}
}

static void spec_mix_key(struct spec *s, const void *p, size_t len)
{
	uint8_t out[3][33];

	spec_hkdf(s, p, len, out);
	memcpy(s->ck, out[0], 32);
	memcpy(s->k, out[1], 32);
}

static void spec_mix_dh(struct spec *s, const struct hp_secret *a,
			const struct hp_public *b)
{
	uint8_t shared[32];

	assert_int_equal(crypto_scalarmult(shared, a->b, b->b), 0);
	spec_mix_key(s, shared, 32);
}

static void spec_mix_psk(struct spec *s, const uint8_t psk[32])
{
	uint8_t out[3][33];

	spec_hkdf(s, psk, 32, out);
	memcpy(s->ck, out[0], 32);
	spec_mix_hash(s, out[1], 32);
	memcpy(s->k, out[2], 32);
}

/* EncryptAndHash under nonce 0, which has one form in both ciphers. */
static void spec_seal(struct spec *s, const void *text, int len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const uint8_t nonce[12] = { 0 };
	int n;

	assert_true(EVP_EncryptInit_ex(
		ctx, s->suite == HP_SUITE_AES ? EVP_aes_256_gcm() :
						EVP_chacha20_poly1305(),
		NULL, s->k, nonce));
	assert_true(EVP_EncryptUpdate(ctx, NULL, &n, s->h, 32));
	assert_true(EVP_EncryptUpdate(ctx, out, &n, text, len));
	assert_true(EVP_EncryptFinal_ex(ctx, out + len, &n));
	assert_true(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16,
					out + len));
	EVP_CIPHER_CTX_free(ctx);
	spec_mix_hash(s, out, (size_t)len + 16);
}

struct party {
	struct hp_noise_local local;
	struct hp_noise_remote remote;
	struct hp_secret e;
	struct hp_public e_public;
};

static void parties_make(struct party p[2], const struct hp_rng *rng)
{
	struct hp_secret psk;

	hp_rng_fill(rng, psk.b, sizeof(psk.b));
	for (int i = 0; i < 2; i++) {
		hp_dh_keypair(rng, &p[i].local.secret, &p[i].local.public);
		hp_dh_keypair(rng, &p[i].e, &p[i].e_public);
		p[i].remote.psk = psk;
	}
	for (int i = 0; i < 2; i++) {
		p[i].remote.public = p[!i].local.public;
		assert_int_equal(hp_dh(&p[i].local.secret, &p[i].remote.public,
				       &p[i].remote.ss), HP_OK);
	}
}

/* Both messages and both keys, from both parties' secrets. */
static void spec_run(enum hp_suite suite, const struct party p[2],
		     const char *prologue, const char *text, uint8_t first[112],
		     uint8_t second[48], uint8_t keys[2][32])
{
	const char *name = suite == HP_SUITE_AES ?
				   "Noise_IKpsk2_25519_AESGCM_BLAKE2s" :
				   "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
	struct spec s = { .suite = suite };
	uint8_t out[3][33];

	spec_hash(s.h, name, strlen(name), "", 0);
	memcpy(s.ck, s.h, 32);
	spec_mix_hash(&s, prologue, strlen(prologue));
	spec_mix_hash(&s, p[1].local.public.b, 32);

	memcpy(first, p[0].e_public.b, 32);
	spec_mix_hash(&s, first, 32);
	spec_mix_key(&s, first, 32);
	spec_mix_dh(&s, &p[0].e, &p[1].local.public);
	spec_seal(&s, p[0].local.public.b, 32, first + 32);
	spec_mix_dh(&s, &p[0].local.secret, &p[1].local.public);
	spec_seal(&s, text, (int)strlen(text), first + 80);

	memcpy(second, p[1].e_public.b, 32);
	spec_mix_hash(&s, second, 32);
	spec_mix_key(&s, second, 32);
	spec_mix_dh(&s, &p[1].e, &p[0].e_public);
	spec_mix_dh(&s, &p[1].e, &p[0].local.public);
	spec_mix_psk(&s, p[0].remote.psk.b);
	spec_seal(&s, "", 0, second + 32);
	spec_hkdf(&s, "", 0, out);
	memcpy(keys[0], out[0], 32);
	memcpy(keys[1], out[1], 32);
}

static void handshake_is_that_of_noise_under_both_names(void **state)
{
	static const char prologue[] = "a prologue", text[] = "twelve bytes";
	struct hp_rng_seeded seeded;
	struct hp_rng rng;

	(void)state;
	hp_rng_seeded_init(&seeded, 71, &rng);
	for (int i = 0; i < 20; i++) {
		enum hp_suite suite = (enum hp_suite)(i % HP_SUITES);
		uint8_t want[112], got[112], answer[48], keys[2][32], heard[12];
		struct hp_session_keys a, b;
		struct hp_noise first, second;
		struct hp_public who;
		struct party p[2];

		parties_make(p, &rng);
		spec_run(suite, p, prologue, text, want, answer, keys);
		assert_int_equal(hp_noise_write_first(
			&first, suite, prologue, 10, &p[0].local, &p[0].remote,
			&p[0].e, got, got + 32, text, 12, got + 80), HP_OK);
		assert_memory_equal(got, want, 108);
		/* Only under its own name, and found among both. */
		assert_int_equal(hp_noise_read_first(
			&second, HP_SUITE_BIT(!suite), prologue, 10,
			&p[1].local, got, got + 32, &who), HP_ERR_AUTH);
		assert_int_equal(hp_noise_read_first(
			&second, 0, prologue, 10, &p[1].local, got, got + 32,
			&who), HP_ERR_AUTH);
		assert_int_equal(hp_noise_read_first(
			&second, CHACHA | AES, prologue, 10, &p[1].local, got,
			got + 32, &who), HP_OK);
		assert_int_equal(second.suite, suite);
		assert_int_equal(hp_noise_read_payload(
			&second, &p[1].remote, got + 80, 28, heard), HP_OK);
		assert_int_equal(hp_noise_write_second(
			&second, &p[1].remote, &p[1].e, got, NULL, 0, got + 32,
			&b), HP_OK);
		assert_memory_equal(got, answer, 48);
		assert_int_equal(hp_noise_read_second(
			&first, &p[0].local, &p[0].remote, got, got + 32, 16,
			NULL, &a), HP_OK);
		assert_int_equal(a.suite, suite);
		assert_int_equal(b.suite, suite);
		assert_memory_equal(a.send.b, keys[0], 32);
		assert_memory_equal(a.recv.b, keys[1], 32);
		assert_memory_equal(b.recv.b, keys[0], 32);
		assert_memory_equal(b.send.b, keys[1], 32);
	}
}

static void a_message_cannot_be_moved_to_the_other_name(void **state)
{
	struct hp_rng_seeded seeded;
	struct hp_noise first, second;
	struct hp_session_keys keys;
	struct hp_public who;
	struct hp_rng rng;
	struct party p[2];
	uint8_t msg[112];

	(void)state;
	hp_rng_seeded_init(&seeded, 72, &rng);
	parties_make(p, &rng);
	assert_int_equal(hp_noise_write_first(
		&first, HP_SUITE_AES, "", 0, &p[0].local, &p[0].remote,
		&p[0].e, msg, msg + 32, "", 0, msg + 80), HP_OK);
	assert_int_equal(hp_noise_read_first(&second, AES, "", 0, &p[1].local,
					     msg, msg + 32, &who), HP_OK);
	assert_int_equal(hp_noise_read_payload(&second, &p[1].remote, msg + 80,
					       16, msg), HP_OK);
	second.suite = HP_SUITE_CHACHA;
	assert_int_equal(hp_noise_write_second(&second, &p[1].remote, &p[1].e,
					       msg, NULL, 0, msg + 32, &keys),
			 HP_OK);
	assert_int_equal(hp_noise_read_second(&first, &p[0].local,
					      &p[0].remote, msg, msg + 32, 16,
					      NULL, &keys), HP_ERR_AUTH);
}

/* ---- what is spoken ------------------------------------------------------ */

static struct hp_wg_peer *peer(struct world *w, size_t a, size_t b)
{
	return w->node[a].peer[b];
}

static void set(struct world *w, size_t a, enum hp_suite use,
		unsigned int accept)
{
	hp_wg_peer_set_suites(peer(w, a, !a), use, accept, w->now_ns);
}

static void pass(struct world *w, unsigned int n)
{
	unsigned int before[2] = { w->node[0].delivered, w->node[1].delivered };

	for (unsigned int i = 0; i < n; i++) {
		world_send(w, 0, 1, 60 + i);
		world_wait(w, 50 * HP_MS);
		world_send(w, 1, 0, 60 + i);
		world_wait(w, 50 * HP_MS);
	}
	assert_int_equal(w->node[0].delivered, before[0] + n);
	assert_int_equal(w->node[1].delivered, before[1] + n);
}

static void assert_spoken(struct world *w, enum hp_suite suite)
{
	for (size_t a = 0; a < 2; a++) {
		assert_true(world_info(w, a, !a).session_ns != 0);
		assert_int_equal(world_info(w, a, !a).suite, suite);
	}
}

static void a_session_stands_where_the_suite_is_accepted(void **state)
{
	(void)state;
	for (int threaded = 0; threaded < 2; threaded++)
		for (unsigned int accept = 0; accept < 4; accept++)
			for (int use = 0; use < HP_SUITES; use++) {
				struct world *w = world_new(73, 2, threaded);
				bool ok = accept & HP_SUITE_BIT(use);

				set(w, 0, (enum hp_suite)use,
				    CHACHA | AES);
				set(w, 1, HP_SUITE_CHACHA, accept);
				w->node[1].mute = !ok;
				world_send(w, 0, 1, 100);
				world_wait(w, HP_S);
				assert_int_equal(w->node[1].delivered, ok);
				assert_int_equal(
					world_drops(w, 1, HP_DROP_SUITE), !ok);
				assert_int_equal(
					world_info(w, 1, 0).refused_ns != 0,
					!ok);
				if (ok)
					assert_spoken(w, (enum hp_suite)use);
				world_free(w);
			}
}

static void a_peer_of_plain_wireguard_is_never_spoken_aes_to(void **state)
{
	struct world *w = world_new(74, 2, true);

	(void)state;
	pass(w, 2);
	assert_spoken(w, HP_SUITE_CHACHA);
	/* Somebody who offers it is not heard. */
	hp_wg_peer_reset(peer(w, 0, 1));
	set(w, 0, HP_SUITE_AES, AES);
	assert_int_equal(hp_wg_initiate(peer(w, 0, 1), w->now_ns), HP_OK);
	world_wait(w, HP_S);
	assert_int_equal(world_drops(w, 1, HP_DROP_SUITE), 1);
	assert_int_equal(world_info(w, 0, 1).session_ns, 0);
	world_free(w);
}

static void an_interface_without_aes_does_not_read_it(void **state)
{
	struct world *w = world_new(75, 2, false);
	struct hp_wg_cfg cfg = { .rng = &w->rng, .engine = HP_AEAD_SODIUM };
	struct hp_wg_ops none = { 0 };
	struct hp_wg *wg;

	(void)state;
	cfg.ops = &none;
	wg = hp_wg_new(&cfg);
	assert_non_null(wg);
	assert_true(hp_wg_has(wg, HP_SUITE_CHACHA));
	assert_false(hp_wg_has(wg, HP_SUITE_AES));
	hp_wg_set_private(wg, &w->node[1].secret);
	set(w, 0, HP_SUITE_AES, AES);
	assert_int_equal(hp_wg_initiate(peer(w, 0, 1), w->now_ns), HP_OK);
	for (size_t i = 0; i < w->n_wire; i++) {
		struct hp_pkt p = hp_pkt_of(w->wire[i].bytes, WORLD_MTU, 0,
					    w->wire[i].len);
		struct hp_path from = { .remote = w->wire[i].from };

		assert_int_equal(hp_wg_rx(wg, &from, &p, w->now_ns),
				 HP_ERR_AUTH);
	}
	assert_int_equal(hp_fib_drops(hp_wg_fib(wg), HP_DROP_AUTH), 1);
	hp_wg_free(wg);
	world_free(w);
}

static void with_nothing_accepted_nothing_is_begun(void **state)
{
	struct world *w = world_new(76, 2, false);

	(void)state;
	set(w, 0, HP_SUITE_AES, 0);
	assert_int_equal(hp_wg_initiate(peer(w, 0, 1), w->now_ns),
			 HP_ERR_KEY);
	w->tolerant = true;
	world_send(w, 0, 1, 100);
	world_wait(w, 20 * HP_S);
	assert_int_equal(w->node[0].sent[1], 0);
	world_free(w);
}

/* ---- how it changes ------------------------------------------------------ */

static void a_session_changes_its_cipher_without_loss(void **state)
{
	struct world *w = world_new(77, 2, true);

	(void)state;
	set(w, 0, HP_SUITE_CHACHA, CHACHA | AES);
	set(w, 1, HP_SUITE_AES, CHACHA | AES);
	pass(w, 3);
	assert_spoken(w, HP_SUITE_CHACHA);
	world_wait(w, 5 * HP_S);
	assert_int_equal(hp_wg_initiate(peer(w, 1, 0), w->now_ns), HP_OK);
	pass(w, 3);
	assert_spoken(w, HP_SUITE_AES);
	/* From now on nothing else, and renewals keep to it. */
	set(w, 0, HP_SUITE_AES, AES);
	set(w, 1, HP_SUITE_AES, AES);
	for (int i = 0; i < 10; i++) {
		world_wait(w, 25 * HP_S);
		pass(w, 1);
	}
	assert_spoken(w, HP_SUITE_AES);
	assert_true(w->node[0].sent[1] + w->node[1].sent[1] >= 4);
	world_free(w);
}

static void an_attempt_with_a_suite_given_up_is_made_again_at_once(void **state)
{
	struct world *w = world_new(78, 2, false);
	uint64_t t0;

	(void)state;
	set(w, 1, HP_SUITE_AES, AES);
	world_send(w, 0, 1, 100);
	world_wait(w, 100 * HP_MS);
	assert_int_equal(w->node[1].delivered, 0);
	t0 = w->now_ns;
	set(w, 0, HP_SUITE_AES, CHACHA | AES);
	assert_int_equal(w->node[0].sent[1], 1);
	set(w, 0, HP_SUITE_AES, AES);
	assert_int_equal(w->node[0].sent[1], 2);
	world_wait(w, 100 * HP_MS);
	assert_int_equal(w->node[1].delivered, 1);
	assert_true(w->now_ns - t0 < HP_S);
	assert_spoken(w, HP_SUITE_AES);
	world_free(w);
}

static void ciphers_change_at_random_over_a_bad_wire(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct world *w = world_new(seed, 2, seed % 2);

		w->loss_pct = 10;
		w->chaos_pct = 10;
		w->tolerant = true;
		for (int i = 0; i < 200; i++) {
			size_t a = hp_rng_below(&w->rng, 2);

			if (i % 20 == 0)
				set(w, a, (enum hp_suite)(i / 20 % 2),
				    CHACHA | AES);
			world_send(w, a, !a, 100);
			world_wait(w, hp_rng_below(&w->rng, 4000) * HP_MS);
		}
		w->loss_pct = w->chaos_pct = 0;
		set(w, 0, HP_SUITE_AES, AES);
		set(w, 1, HP_SUITE_AES, AES);
		world_wait(w, 200 * HP_S);
		pass(w, 2);
		assert_spoken(w, HP_SUITE_AES);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_is_that_of_noise_under_both_names),
		cmocka_unit_test(a_message_cannot_be_moved_to_the_other_name),
		cmocka_unit_test(a_session_stands_where_the_suite_is_accepted),
		cmocka_unit_test(a_peer_of_plain_wireguard_is_never_spoken_aes_to),
		cmocka_unit_test(an_interface_without_aes_does_not_read_it),
		cmocka_unit_test(with_nothing_accepted_nothing_is_begun),
		cmocka_unit_test(a_session_changes_its_cipher_without_loss),
		cmocka_unit_test(
			an_attempt_with_a_suite_given_up_is_made_again_at_once),
		cmocka_unit_test(ciphers_change_at_random_over_a_bad_wire),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
