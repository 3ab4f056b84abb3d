/* SPDX-License-Identifier: ISC */
/*
 * What a packet may cost: the data path takes no memory, whichever engine seals
 * it. The C library's allocator is counted, which a sanitizer with an allocator
 * of its own does not let us do: there the packets only have to arrive. (That
 * it takes no lock is seen on its object files: tests/check-purity.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/time.h"
#include "wg_world.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NO_HOOKS
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NO_HOOKS
#endif

#define ROUNDS 200
#define SLOT (HP_HEADROOM + WORLD_MTU + HP_TAILROOM)

static unsigned long taken;

#ifndef NO_HOOKS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
	taken++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	taken++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	taken++;
	return __libc_realloc(p, size);
}
#endif

static uint8_t bytes[HP_BATCH][SLOT];

/* A batch from node 0 to node 1; returns how many arrived. */
static size_t batch(struct world *w)
{
	static struct hp_forward_out outs[HP_BATCH];
	static struct hp_forward_in ins[HP_BATCH];
	static struct hp_path from[HP_BATCH];
	struct hp_pkt pkts[HP_BATCH];
	size_t arrived = 0;

	for (size_t i = 0; i < HP_BATCH; i++) {
		size_t len = 40 + i * 11;

		pkts[i] = hp_pkt_of(bytes[i], SLOT, HP_HEADROOM, len);
		world_packet(w, 0, 1, len, pkts[i].data);
		from[i] = world_path(w, 0);
	}
	hp_forward_out(&w->node[0].forward, pkts, HP_BATCH, outs, w->now_ns);
	hp_forward_in(&w->node[1].forward, pkts, from, HP_BATCH, ins,
		      w->now_ns);
	for (size_t i = 0; i < HP_BATCH; i++)
		arrived += outs[i].verdict == HP_VERDICT_SEND &&
			   ins[i].verdict == HP_VERDICT_DELIVER;
	return arrived;
}

static void packets_arrive_and_take_no_memory(void **state)
{
	static const enum hp_aead_engine engines[] = {
		HP_AEAD_IPSEC_MB, HP_AEAD_CRYPTO, HP_AEAD_SODIUM,
	};

	(void)state;
	for (size_t e = 0; e < sizeof(engines) / sizeof(engines[0]); e++) {
		struct hp_aead *aead = hp_aead_new(engines[e]);
		struct world *w;

		if (!aead)
			continue; /* not on this machine */
		w = world_new(e, 2, true);
		world_send(w, 0, 1, 60);
		world_wait(w, HP_S);
		w->node[0].forward.aead = aead;
		w->node[1].forward.aead = aead;
		assert_int_equal(batch(w), HP_BATCH);
		taken = 0;
		for (unsigned int i = 0; i < ROUNDS; i++)
			assert_int_equal(batch(w), HP_BATCH);
		assert_int_equal(taken, 0);
		world_free(w);
		hp_aead_free(aead);
	}
}

/* With the engines that the two ends have, and keys expanded for them. */
static void packets_sealed_with_aes_take_no_memory_either(void **state)
{
	struct world *w = world_new(9, 2, true);

	(void)state;
	for (size_t a = 0; a < 2; a++)
		hp_wg_peer_set_suites(w->node[a].peer[!a], HP_SUITE_AES,
				      HP_SUITE_BIT(HP_SUITE_AES), w->now_ns);
	world_send(w, 0, 1, 60);
	world_wait(w, HP_S);
	assert_int_equal(world_info(w, 0, 1).suite, HP_SUITE_AES);
	assert_int_equal(batch(w), HP_BATCH);
	taken = 0;
	for (unsigned int i = 0; i < ROUNDS; i++)
		assert_int_equal(batch(w), HP_BATCH);
	assert_int_equal(taken, 0);
	world_free(w);
}

#ifndef NO_HOOKS
static void the_counter_counts(void **state)
{
	unsigned long before = taken;
	void *volatile p;

	(void)state;
	p = malloc(10);
	free(p);
	assert_int_equal(taken, before + 1);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef NO_HOOKS
		cmocka_unit_test(the_counter_counts),
#endif
		cmocka_unit_test(packets_arrive_and_take_no_memory),
		cmocka_unit_test(packets_sealed_with_aes_take_no_memory_either),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
