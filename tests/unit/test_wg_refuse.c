/* SPDX-License-Identifier: ISC */
/* lib/wg: what is not authentic, or comes twice, changes nothing. */
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
#include "base/time.h"
#include "wg/peer.h"
#include "wg_world.h"

/* The n-th allocation from now on fails once; 0: none. Only calloc() and
 * realloc() are ours: what the crypto library takes by malloc() is not meant.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NO_ALLOC_HOOK
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define NO_ALLOC_HOOK
#endif

#ifndef NO_ALLOC_HOOK
static unsigned long fail_in;
static bool failed;

static bool fails_now(void)
{
	if (!fail_in || --fail_in)
		return false;
	failed = true;
	return true;
}

void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

void *calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails_now() ? NULL : __libc_realloc(p, size);
}
#endif

/* All that a node keeps about its peers, as one hash. */
struct digest {
	uint8_t b[32];
};

static size_t session_pieces(struct hp_piece *out, const struct hp_session *s)
{
	if (s)
		*out = (struct hp_piece){ s, sizeof(*s) };
	return s != NULL;
}

static struct digest digest_of(struct world *w, size_t a)
{
	struct hp_piece pieces[WORLD_NODES * 6];
	struct digest d;
	size_t n = 0;

	for (size_t i = 0; i < w->n_nodes; i++) {
		struct hp_wg_peer *p = w->node[a].peer[i];

		if (!p)
			continue;
		pieces[n++] = (struct hp_piece){ p, sizeof(*p) };
		pieces[n++] = (struct hp_piece){ p->fib, sizeof(*p->fib) };
		pieces[n++] = (struct hp_piece){ p->fib->tx,
						 sizeof(*p->fib->tx) };
		n += session_pieces(&pieces[n], p->previous);
		n += session_pieces(&pieces[n], p->current);
		n += session_pieces(&pieces[n], p->next);
	}
	hp_blake2b(d.b, sizeof(d.b), NULL, pieces, n);
	return d;
}

static unsigned int sent_by(const struct node *n)
{
	return n->sent[1] + n->sent[2] + n->sent[3] + n->sent[4];
}

/* @msg is refused by node @to, unanswered, and leaves no trace. */
static void refused(struct world *w, size_t to, const struct hp_addr *from,
		    const uint8_t *msg, size_t len, const char *what, size_t at)
{
	struct digest before = digest_of(w, to);
	unsigned int sent = sent_by(&w->node[to]);
	uint64_t drops = 0, after = 0;
	struct digest d;

	for (int r = 1; r < HP_DROP_N; r++)
		drops += world_drops(w, to, (enum hp_drop)r);
	if (world_inject(w, to, from, msg, len) == HP_OK)
		fail_msg("%s at %zu was taken", what, at);
	d = digest_of(w, to);
	for (int r = 1; r < HP_DROP_N; r++)
		after += world_drops(w, to, (enum hp_drop)r);
	if (memcmp(&before, &d, sizeof(d)))
		fail_msg("%s at %zu left a trace", what, at);
	assert_int_equal(sent_by(&w->node[to]), sent);
	assert_int_equal(after, drops + 1);
}

/* Every truncation, an extension, every byte of the first @covered changed;
 * and then the message itself is taken.
 */
static void mangle(struct world *w, size_t to, const struct datagram *d,
		   size_t covered)
{
	uint8_t msg[WORLD_MTU];

	w->node[to].wg->load_per_s = UINT32_MAX;
	memcpy(msg, d->bytes, d->len);
	msg[d->len] = 0;
	for (size_t len = 0; len < d->len; len++)
		refused(w, to, &d->from, msg, len, "truncation", len);
	refused(w, to, &d->from, msg, d->len + 1, "extension", d->len);
	for (size_t i = 0; i < covered; i++)
		for (int bit = 0; bit < 8; bit++) {
			msg[i] ^= (uint8_t)(1u << bit);
			refused(w, to, &d->from, msg, d->len, "change", i);
			msg[i] ^= (uint8_t)(1u << bit);
		}
	assert_int_equal(world_inject(w, to, &d->from, msg, d->len), HP_OK);
}

/* As an attacker who knows only the public key of @to: mac1 is right. */
static void forge(struct world *w, size_t to, const struct datagram *d,
		  size_t first)
{
	struct hp_cookie_maker maker = { .to = &w->node[to].public };
	uint8_t msg[WORLD_MTU];

	w->node[to].wg->load_per_s = UINT32_MAX;
	for (size_t i = first; i < d->len - 32; i++) {
		memcpy(msg, d->bytes, d->len);
		msg[i] ^= 0x10;
		hp_cookie_sign(&maker, msg, d->len, w->now_ns);
		refused(w, to, &d->from, msg, d->len, "forgery", i);
	}
	/* A point of low order as ephemeral key. */
	memcpy(msg, d->bytes, d->len);
	memset(msg + first, 0, 32);
	hp_cookie_sign(&maker, msg, d->len, w->now_ns);
	refused(w, to, &d->from, msg, d->len, "low order", first);
}

static struct world *initiated(uint64_t seed, bool threaded,
			       struct datagram *d)
{
	struct world *w = world_new(seed, 2, threaded);

	assert_int_equal(hp_wg_initiate(w->node[0].peer[1], w->now_ns), HP_OK);
	*d = w->last[HP_WG_INITIATION];
	w->n_wire = 0;
	return w;
}

static struct world *answered(uint64_t seed, bool threaded, struct datagram *d)
{
	struct world *w = initiated(seed, threaded, d);

	assert_int_equal(world_inject(w, 1, &d->from, d->bytes, d->len),
			 HP_OK);
	*d = w->last[HP_WG_RESPONSE];
	w->n_wire = 0;
	return w;
}

static struct world *connected(uint64_t seed, bool threaded, struct datagram *d)
{
	struct world *w = answered(seed, threaded, d);

	assert_int_equal(world_inject(w, 0, &d->from, d->bytes, d->len),
			 HP_OK);
	world_wait(w, HP_S);
	world_send(w, 0, 1, 100);
	*d = w->last[HP_WG_DATA];
	w->n_wire = 0;
	return w;
}

#define BOTH for (int threaded = 0; threaded < 2; threaded++)

static void mangled_initiation_changes_nothing(void **state)
{
	struct datagram d;

	(void)state;
	BOTH {
		struct world *w = initiated(1, threaded, &d);

		/* mac2 is looked at under load only. */
		mangle(w, 1, &d, d.len - 16);
		refused(w, 1, &d.from, d.bytes, d.len, "replay", 0);
		refused(w, 0, &d.to, d.bytes, d.len, "reflection", 0);
		world_free(w);
	}
}

static void mangled_response_changes_nothing(void **state)
{
	struct datagram d;

	(void)state;
	BOTH {
		struct world *w = answered(2, threaded, &d);

		refused(w, 1, &d.to, d.bytes, d.len, "reflection", 0);
		mangle(w, 0, &d, d.len - 16);
		refused(w, 0, &d.from, d.bytes, d.len, "replay", 0);
		world_free(w);
	}
}

static void mangled_data_changes_nothing(void **state)
{
	struct datagram d;

	(void)state;
	BOTH {
		struct world *w = connected(3, threaded, &d);

		refused(w, 0, &d.to, d.bytes, d.len, "reflection", 0);
		mangle(w, 1, &d, d.len);
		assert_int_equal(w->node[1].delivered, 1);
		refused(w, 1, &d.from, d.bytes, d.len, "replay", 0);
		/* The other one was the counter with its lowest bit changed. */
		assert_int_equal(world_drops(w, 1, HP_DROP_REPLAY), 2);
		world_free(w);
	}
}

static void mangled_cookie_changes_nothing(void **state)
{
	struct datagram d;

	(void)state;
	BOTH {
		struct world *w = initiated(4, threaded, &d);

		w->node[1].wg->load_until_ns = HP_NEVER;
		assert_int_not_equal(world_inject(w, 1, &d.from, d.bytes,
						  d.len), HP_OK);
		d = w->last[HP_WG_COOKIE];
		w->n_wire = 0;
		mangle(w, 0, &d, d.len);
		assert_true(w->node[0].peer[1]->cookie.has_cookie);
		refused(w, 0, &d.from, d.bytes, d.len, "replay", 0);
		world_free(w);
	}
}

static void forged_handshakes_change_nothing(void **state)
{
	struct datagram d;
	struct world *w;

	(void)state;
	w = initiated(5, false, &d);
	forge(w, 1, &d, offsetof(struct hp_wire_initiation, ephemeral));
	assert_int_equal(world_inject(w, 1, &d.from, d.bytes, d.len), HP_OK);
	world_free(w);
	w = answered(6, false, &d);
	forge(w, 0, &d, offsetof(struct hp_wire_response, ephemeral));
	assert_int_equal(world_inject(w, 0, &d.from, d.bytes, d.len), HP_OK);
	world_free(w);
}

static void initiation_of_a_stranger_changes_nothing(void **state)
{
	struct datagram d;
	struct world *w = initiated(7, false, &d);

	(void)state;
	hp_wg_peer_remove(w->node[1].peer[0]);
	w->node[1].peer[0] = NULL;
	assert_int_equal(world_inject(w, 1, &d.from, d.bytes, d.len),
			 HP_ERR_UNKNOWN);
	assert_int_equal(world_drops(w, 1, HP_DROP_PEER), 1);
	assert_int_equal(sent_by(&w->node[1]), 0);
	hp_wg_set_private(w->node[1].wg, NULL);
	assert_int_equal(world_inject(w, 1, &d.from, d.bytes, d.len),
			 HP_ERR_AUTH);
	assert_int_equal(world_drops(w, 1, HP_DROP_MAC), 1);
	world_free(w);
}

static void random_bytes_change_nothing(void **state)
{
	static const size_t lens[] = { 148, 92, 64, 32, 128 };
	struct datagram d;
	uint8_t msg[256];

	(void)state;
	BOTH {
		struct world *w = connected(8, threaded, &d);

		for (int i = 0; i < 20000; i++) {
			size_t len = lens[hp_rng_below(&w->rng, 5)];

			if (hp_rng_below(&w->rng, 4) == 0)
				len = hp_rng_below(&w->rng, sizeof(msg));
			hp_rng_fill(&w->rng, msg, len);
			if (len >= 4 && hp_rng_below(&w->rng, 8))
				hp_put_le32(msg, 1 + hp_rng_below(&w->rng, 4));
			/* Half of the data messages find a session. */
			if (len >= 16 && hp_rng_below(&w->rng, 2))
				memcpy(msg + 4, d.bytes + 4, 4);
			refused(w, 1, &d.from, msg, len, "noise", (size_t)i);
		}
		world_free(w);
	}
}

static void cookie_replies_are_shorter_than_what_they_answer(void **state)
{
	struct datagram d;
	struct world *w = initiated(9, false, &d);

	(void)state;
	w->node[1].wg->load_until_ns = HP_NEVER;
	assert_int_equal(world_inject(w, 1, &d.from, d.bytes, d.len),
			 HP_ERR_AGAIN);
	assert_true(w->last[HP_WG_COOKIE].len <
		    sizeof(struct hp_wire_response));
	world_free(w);
}

#ifndef NO_ALLOC_HOOK
static void live_a_little(struct world *w)
{
	struct hp_prefix p = {
		.family = HP_AF_4, .bits = 30, .ip = { 10, 9, 1, 0 },
	};
	struct hp_public other = { .b = { 9 } };

	world_send(w, 0, 1, 100);
	world_send(w, 1, 0, 100);
	world_wait(w, HP_S);
	if (hp_wg_peer_add(w->node[0].wg, &other, NULL) == HP_OK)
		hp_wg_peer_remove(hp_wg_peer_find(w->node[0].wg, &other));
	if (hp_wg_peer_allow(w->node[0].peer[1], &p) == HP_OK)
		(void)hp_wg_peer_disallow(w->node[0].peer[1], &p);
	w->node[0].addr.port++;
	for (int i = 0; i < 140; i++) {
		world_send(w, 0, 1, 100);
		world_send(w, 1, 0, 100);
		world_wait(w, HP_S);
	}
}

static void any_one_failed_allocation_is_survived(void **state)
{
	unsigned long n = 0;

	(void)state;
	do {
		struct world *w = world_new(10, 2, n % 2);
		unsigned int had;

		w->tolerant = true;
		failed = false;
		fail_in = ++n;
		live_a_little(w);
		fail_in = 0;
		had = w->node[1].delivered;
		world_wait(w, 20 * HP_S);
		world_send(w, 0, 1, 100);
		world_wait(w, 10 * HP_S);
		assert_true(w->node[1].delivered > had);
		assert_true(had > 130);
		world_free(w);
	} while (failed);
	assert_in_range(n, 10, 200);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mangled_initiation_changes_nothing),
		cmocka_unit_test(mangled_response_changes_nothing),
		cmocka_unit_test(mangled_data_changes_nothing),
		cmocka_unit_test(mangled_cookie_changes_nothing),
		cmocka_unit_test(forged_handshakes_change_nothing),
		cmocka_unit_test(initiation_of_a_stranger_changes_nothing),
		cmocka_unit_test(random_bytes_change_nothing),
		cmocka_unit_test(
			cookie_replies_are_shorter_than_what_they_answer),
#ifndef NO_ALLOC_HOOK
		cmocka_unit_test(any_one_failed_allocation_is_survived),
#endif
	};

	return cmocka_run_group_tests_name("wg_refuse", tests, NULL, NULL);
}
