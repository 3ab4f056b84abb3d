/* SPDX-License-Identifier: ISC */
/*
 * lib/meet against bad input: every message of a whole conversation, cut,
 * changed, replayed and sent from elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "meet_world.h"

#define SEED 8489

static struct mw world;
static struct mw_datagram kept[256];

/* Two nodes do everything there is to do; @kept gets one of each kind. Loses
 * what is needed for the rarer answers.
 */
static int begin(void **state)
{
	struct mw *w = &world;
	uint8_t slot[HP_MEET_SLOT_LEN];
	struct mw_node *a, *b;

	*state = w;
	mw_init(w, SEED);
	w->cfg.strangers.per_s = 0; /* the limits have tests of their own */
	mw_restart(w);
	a = mw_up(w, 1);
	b = mw_up(w, 2);
	mw_slot(9, slot);
	hp_meet_list(a->c, w->now_ns);
	if (hp_meet_set_record(a->c, (const uint8_t *)"new", 3, w->now_ns) ||
	    hp_meet_connect(a->c, slot, (const uint8_t *)"x", 1, w->now_ns))
		return -1;
	mw_run(w, HP_S);
	if (hp_meet_connect(a->c, b->cfg.slot, (const uint8_t *)"offer", 5,
			    w->now_ns))
		return -1;
	mw_run(w, HP_S);
	memcpy(kept, w->last, sizeof(kept));
	return 0;
}

static const uint8_t to_server[] = {
	HP_MEET_HELLO, HP_MEET_REGISTER, HP_MEET_KEEPALIVE,
	HP_MEET_CONNECT, HP_MEET_INTRO_ACK, HP_MEET_LIST,
};

static const uint8_t to_client[] = {
	HP_MEET_CHALLENGE, HP_MEET_REGISTERED, HP_MEET_ALIVE, HP_MEET_INTRO,
	HP_MEET_DELIVERED, HP_MEET_FAILED, HP_MEET_MEMBERS,
};

/* What a datagram may change at the server, as one number. */
struct footprint {
	size_t nodes, networks, channels;
	uint64_t registrations, introductions, moves;
	uint64_t deadline;
};

static struct footprint footprint(struct mw *w)
{
	struct hp_registry_stats s = mw_stats(w);

	return (struct footprint){
		s.nodes, s.networks, s.relay.channels, s.registrations,
		s.introductions, s.moves, hp_registry_deadline(w->r),
	};
}

static uint64_t dropped(struct mw *w)
{
	struct hp_registry_stats s = mw_stats(w);
	uint64_t sum = 0;

	for (int i = 0; i < HP_RG_N_DROPS; i++)
		sum += s.drop[i];
	return sum;
}

/* Sends it and asserts that it was counted and changed nothing. */
static void assert_ignored(struct mw *w, const struct hp_addr *from,
			   const uint8_t *buf, size_t len)
{
	struct footprint before = footprint(w), after;
	uint64_t drops = dropped(w);
	size_t back = mw_inject(w, from, buf, len);

	after = footprint(w);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(dropped(w), drops + 1);
	assert_in_range(back, 0, len);
	w->n_queued = 0;
}

static void truncated_messages_are_dropped_by_the_server(void **state)
{
	struct mw *w = *state;

	for (size_t k = 0; k < sizeof(to_server); k++) {
		const struct mw_datagram *d = &kept[to_server[k]];

		assert_true(d->len > 0);
		for (size_t len = 0; len < d->len; len++) {
			assert_ignored(w, &d->from, d->buf, len);
			assert_int_equal(w->answered_len, 0);
		}
	}
}

static void lengthened_messages_are_dropped_by_the_server(void **state)
{
	struct mw *w = *state;

	for (size_t k = 0; k < sizeof(to_server); k++) {
		struct mw_datagram d = kept[to_server[k]];

		for (int i = 0; i < 20; i++) {
			d.buf[d.len++] = 0;
			assert_ignored(w, &d.from, d.buf, d.len);
			assert_int_equal(w->answered_len, 0);
		}
	}
}

/* A hello has no secret: any echo is as good as another. */
static bool is_echo_of_hello(uint8_t kind, size_t at)
{
	return kind == HP_MEET_HELLO && at >= 4 && at < 12;
}

static void changed_messages_are_dropped_by_the_server(void **state)
{
	struct mw *w = *state;

	for (size_t k = 0; k < sizeof(to_server); k++) {
		for (size_t i = 0; i < kept[to_server[k]].len; i++) {
			struct mw_datagram d = kept[to_server[k]];

			if (is_echo_of_hello(to_server[k], i))
				continue;
			for (unsigned int bit = 0; bit < 8; bit++) {
				d.buf[i] ^= 1U << bit;
				assert_ignored(w, &d.from, d.buf, d.len);
				d.buf[i] ^= 1U << bit;
			}
		}
	}
}

static void replayed_messages_are_dropped_by_the_server(void **state)
{
	struct mw *w = *state;

	for (size_t k = 0; k < sizeof(to_server); k++) {
		const struct mw_datagram *d = &kept[to_server[k]];

		if (d->buf[3] == HP_MEET_HELLO || d->buf[3] == HP_MEET_REGISTER)
			continue;
		assert_ignored(w, &d->from, d->buf, d->len);
		assert_int_equal(w->answered_len, 0);
	}
	assert_int_equal(mw_stats(w).drop[HP_RG_REPLAY], 4);
}

static void client_messages_reflected_to_the_server_are_dropped(void **state)
{
	struct mw *w = *state;

	for (size_t k = 0; k < sizeof(to_client); k++) {
		const struct mw_datagram *d = &kept[to_client[k]];

		assert_true(d->len > 0);
		assert_ignored(w, &d->to, d->buf, d->len);
		assert_int_equal(w->answered_len, 0);
	}
	assert_int_equal(mw_stats(w).drop[HP_RG_TO_CLIENT],
			 sizeof(to_client));
}

static void session_messages_from_elsewhere_move_nothing(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = &w->node[0];
	struct hp_addr spoofed = hp_addr4(192, 0, 2, 66, 666);

	/* Fresh ones, caught on their way. */
	hp_meet_network_changed(a->c, w->now_ns);
	for (size_t i = 0; i < w->n_queued; i++) {
		struct mw_datagram d = w->queue[i];

		if (hp_datagram_kind(d.buf, d.len) != HP_DGRAM_MEET)
			continue;
		w->n_queued = 0;
		assert_ignored(w, &spoofed, d.buf, d.len);
		assert_int_equal(mw_stats(w).drop[HP_RG_MOVED], 1);
		assert_in_range(w->answered_len, 1, d.len);
		return;
	}
	fail();
}

static void spoofed_registration_gets_a_challenge_and_no_more(void **state)
{
	struct mw *w = *state;
	const struct mw_datagram *d = &kept[HP_MEET_REGISTER];
	struct hp_addr spoofed = hp_addr4(192, 0, 2, 66, 666);

	assert_ignored(w, &spoofed, d->buf, d->len);
	assert_int_equal(w->answered_len, sizeof(struct hp_meet_challenge));
	assert_int_equal(w->n_answers, 1);
	assert_int_equal(mw_stats(w).drop[HP_RG_COOKIE], 1);
}

/* The address is the victim's own; everything else is recorded. */
static void replayed_registration_cannot_move_a_slot_back(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = &w->node[0];
	struct mw_datagram old;

	hp_meet_bye(a->c, w->now_ns);
	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	old = w->last[HP_MEET_REGISTER];
	a->addr[0].port++; /* it moves, and registers there */
	hp_meet_bye(a->c, w->now_ns);
	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_ignored(w, &old.from, old.buf, old.len);
	assert_int_equal(mw_stats(w).drop[HP_RG_REPLAY], 1);
	/* Nor can it bring a slot back that said goodbye. */
	old = w->last[HP_MEET_REGISTER];
	hp_meet_bye(a->c, w->now_ns);
	mw_run(w, HP_S);
	assert_ignored(w, &old.from, old.buf, old.len);
	assert_int_equal(mw_stats(w).drop[HP_RG_REPLAY], 2);
}

static void repeated_registration_is_answered_and_makes_nothing(void **state)
{
	struct mw *w = *state;
	const struct mw_datagram *d = &kept[HP_MEET_REGISTER];
	struct footprint before = footprint(w), after;

	assert_int_equal(mw_inject(w, &d->from, d->buf, d->len),
			 sizeof(struct hp_meet_registered));
	after = footprint(w);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void cookie_is_good_for_a_minute(void **state)
{
	struct mw *w = *state;
	const struct mw_datagram *d = &kept[HP_MEET_REGISTER];
	uint64_t made_ns =
		hp_get_be64(((const struct hp_meet_register *)d->buf)
				    ->cookie.stamp);

	w->now_ns = made_ns + HP_MEET_COOKIE_LIFE_NS;
	assert_int_equal(mw_inject(w, &d->from, d->buf, d->len),
			 sizeof(struct hp_meet_registered));
	w->now_ns++;
	assert_int_equal(mw_inject(w, &d->from, d->buf, d->len),
			 sizeof(struct hp_meet_challenge));
	w->now_ns = made_ns - 1;
	assert_int_equal(mw_inject(w, &d->from, d->buf, d->len),
			 sizeof(struct hp_meet_challenge));
}

/* A registration that is right but for its ephemeral key, a point of low
 * order: the key agreement would give zeros.
 */
static void ephemeral_key_of_low_order_is_refused(void **state)
{
	struct mw *w = *state;
	struct hp_addr from = hp_addr4(192, 0, 2, 1, 1);
	uint8_t msg[sizeof(struct hp_meet_register) + 1 + HP_SIG_LEN] = { 0 };
	struct hp_meet_register *m = (void *)msg;
	const struct hp_meet_challenge *ch;
	struct hp_meet_hello hello = { 0 };
	struct hp_public public, server;

	hp_datagram_head(hello.head, HP_MEET_HELLO);
	mw_inject(w, &from, (const uint8_t *)&hello, sizeof(hello));
	ch = (const void *)w->last[HP_MEET_CHALLENGE].buf;
	memcpy(server.b, ch->ephemeral, sizeof(server.b));
	hp_datagram_head(m->head, HP_MEET_REGISTER);
	m->cookie = ch->cookie;
	hp_sign_public(&w->network, &public);
	memcpy(m->network, public.b, sizeof(m->network));
	mw_slot(77, m->slot);
	hp_put_be16(m->record_len, 1);
	hp_meet_register_sign(msg, sizeof(msg), &w->network, &server);
	assert_ignored(w, &from, msg, sizeof(msg));
	assert_int_equal(mw_stats(w).drop[HP_RG_KEY], 1);
	msg[sizeof(msg) - 1] ^= 1;
	assert_ignored(w, &from, msg, sizeof(msg));
	assert_int_equal(mw_stats(w).drop[HP_RG_SIGNATURE], 1);
}

static void unknown_session_gets_a_tiny_answer(void **state)
{
	struct mw *w = *state;
	const struct mw_datagram *d = &kept[HP_MEET_KEEPALIVE];

	mw_restart(w);
	assert_int_equal(mw_inject(w, &d->from, d->buf, d->len),
			 sizeof(struct hp_meet_unknown));
	assert_int_equal(mw_stats(w).drop[HP_RG_NO_SESSION], 1);
	assert_int_equal(mw_stats(w).nodes, 0);
}

static void random_bytes_do_nothing(void **state)
{
	struct mw *w = *state;
	struct hp_addr from = w->node[0].addr[0];
	uint8_t buf[MW_MTU];

	for (int i = 0; i < 20000; i++) {
		size_t len = hp_rng_below(&w->rng, 300);
		struct footprint before = footprint(w), after;

		hp_rng_fill(&w->rng, buf, len);
		if (len > 4 && i % 2)
			hp_datagram_head(buf, (uint8_t)(i / 2 % 0x20));
		mw_inject(w, &from, buf, len);
		after = footprint(w);
		assert_memory_equal(&before, &after, sizeof(before));
		w->n_queued = 0;
	}
}

static struct mw_node *owner(struct mw *w, const struct mw_datagram *d)
{
	for (size_t i = 0; i < w->n_nodes; i++) {
		if (hp_addr_eq(&w->node[i].addr[0], &d->to))
			return &w->node[i];
	}
	return NULL;
}

static unsigned int events(const struct mw_node *n)
{
	unsigned int sum = 0;

	for (int i = 0; i <= HP_MEET_EV_NO_CHANNEL; i++)
		sum += n->n[i];
	return sum;
}

/* Not accepted by the client of @n, and nothing came of it. */
static void assert_refused(struct mw *w, struct mw_node *n,
			   const struct mw_datagram *d, size_t len)
{
	uint64_t deadline = hp_meet_deadline(n->c);
	unsigned int before = events(n);
	size_t queued = w->n_queued;

	assert_int_not_equal(hp_meet_rx(n->c, &d->from, d->buf, len,
					w->now_ns),
			     HP_OK);
	assert_int_equal(events(n), before);
	assert_int_equal(w->n_queued, queued);
	assert_int_equal(hp_meet_deadline(n->c), deadline);
}

static void bad_messages_are_refused_by_the_client(void **state)
{
	struct mw *w = *state;

	for (size_t k = 0; k < sizeof(to_client); k++) {
		const struct mw_datagram *d = &kept[to_client[k]];
		struct mw_node *n = owner(w, d);

		assert_non_null(n);
		for (size_t len = 0; len <= d->len; len++)
			assert_refused(w, n, d, len); /* whole: replayed */
		for (size_t i = 0; i < d->len; i++) {
			struct mw_datagram bad = *d;

			bad.buf[i] ^= 1U << (i % 8);
			assert_refused(w, n, &bad, bad.len);
		}
	}
}

static bool catch_fresh(struct mw *w, struct mw_datagram *d)
{
	struct mw_datagram *keep = w->tap_ctx;

	if (hp_datagram_kind(d->buf, d->len) == HP_DGRAM_MEET &&
	    d->buf[3] == HP_MEET_ALIVE)
		*keep = *d;
	return true;
}

static void fresh_answers_from_elsewhere_are_not_the_servers(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = &w->node[0];
	struct mw_datagram d = { 0 };

	w->tap = catch_fresh;
	w->tap_ctx = &d;
	hp_meet_network_changed(a->c, w->now_ns);
	mw_run(w, WIRE_NS); /* the answer is on its way */
	assert_true(d.len > 0);
	d.from.ip[3]++;
	assert_int_equal(hp_meet_rx(a->c, &d.from, d.buf, d.len, w->now_ns),
			 HP_ERR_TYPE);
}

static void forged_unknown_session_needs_session_and_counter(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = &w->node[0];
	const struct mw_datagram *d = &kept[HP_MEET_KEEPALIVE];
	struct hp_meet_unknown m;
	struct mw_datagram bad = { .from = a->cfg.server[0] };

	memcpy(&m, d->buf, sizeof(m));
	hp_datagram_head(m.h.head, HP_MEET_UNKNOWN);
	hp_put_be64(m.h.counter, 1000000);
	memcpy(bad.buf, &m, sizeof(m));
	assert_refused(w, a, &bad, sizeof(m));
	memcpy(m.h.counter, ((const struct hp_meet_unknown *)d->buf)->h.counter,
	       sizeof(m.h.counter));
	m.h.session[0] ^= 1;
	memcpy(bad.buf, &m, sizeof(m));
	assert_refused(w, a, &bad, sizeof(m));
}

static void counters_are_accepted_once_and_within_the_window(void **state)
{
	struct hp_meet_window w = { 0 };

	(void)state;
	assert_int_equal(hp_meet_window_accept(&w, 0), HP_ERR_REPLAY);
	assert_int_equal(hp_meet_window_accept(&w, 100), HP_OK);
	assert_int_equal(hp_meet_window_accept(&w, 100), HP_ERR_REPLAY);
	assert_int_equal(hp_meet_window_accept(&w, 37), HP_OK);
	assert_int_equal(hp_meet_window_accept(&w, 37), HP_ERR_REPLAY);
	assert_int_equal(hp_meet_window_accept(&w, 36), HP_ERR_REPLAY);
	assert_int_equal(hp_meet_window_accept(&w, 163), HP_OK);
	assert_int_equal(hp_meet_window_accept(&w, 100), HP_ERR_REPLAY);
	assert_int_equal(hp_meet_window_accept(&w, 101), HP_OK);
	assert_int_equal(hp_meet_window_accept(&w, UINT64_MAX), HP_OK);
	assert_int_equal(hp_meet_window_accept(&w, 163), HP_ERR_REPLAY);
}

static void address_has_one_form_alone(void **state)
{
	struct hp_addr a = hp_addr4(192, 0, 2, 1, 80), out;
	struct hp_meet_addr m;

	(void)state;
	hp_meet_addr_put(&m, &a);
	assert_int_equal(hp_meet_addr_get(&m, &out), HP_OK);
	assert_true(hp_addr_eq(&a, &out));
	m.ip[4] = 1; /* behind an IPv4 address */
	assert_int_equal(hp_meet_addr_get(&m, &out), HP_ERR_FORMAT);
	m.ip[4] = 0;
	m.zero = 1;
	assert_int_equal(hp_meet_addr_get(&m, &out), HP_ERR_FORMAT);
	m.zero = 0;
	m.family = 5;
	assert_int_equal(hp_meet_addr_get(&m, &out), HP_ERR_FORMAT);
	m.family = 0;
	assert_int_equal(hp_meet_addr_get(&m, &out), HP_ERR_FORMAT);
	m.family = 4;
	m.port[0] = m.port[1] = 0;
	assert_int_equal(hp_meet_addr_get(&m, &out), HP_ERR_FORMAT);
	/* An IPv4-mapped IPv6 address has to come as IPv4. */
	memset(&m, 0, sizeof(m));
	m.family = 6;
	m.port[1] = 1;
	m.ip[10] = m.ip[11] = 0xff;
	assert_int_equal(hp_meet_addr_get(&m, &out), HP_ERR_FORMAT);
	memset(&m, 0, sizeof(m));
	assert_int_equal(hp_meet_addr_get(&m, &out), HP_OK);
	assert_int_equal(out.family, HP_AF_NONE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, mw_end)
	const struct CMUnitTest tests[] = {
		T(truncated_messages_are_dropped_by_the_server),
		T(lengthened_messages_are_dropped_by_the_server),
		T(changed_messages_are_dropped_by_the_server),
		T(replayed_messages_are_dropped_by_the_server),
		T(client_messages_reflected_to_the_server_are_dropped),
		T(session_messages_from_elsewhere_move_nothing),
		T(spoofed_registration_gets_a_challenge_and_no_more),
		T(replayed_registration_cannot_move_a_slot_back),
		T(repeated_registration_is_answered_and_makes_nothing),
		T(cookie_is_good_for_a_minute),
		T(ephemeral_key_of_low_order_is_refused),
		T(unknown_session_gets_a_tiny_answer),
		T(random_bytes_do_nothing),
		T(bad_messages_are_refused_by_the_client),
		T(fresh_answers_from_elsewhere_are_not_the_servers),
		T(forged_unknown_session_needs_session_and_counter),
		cmocka_unit_test(
			counters_are_accepted_once_and_within_the_window),
		cmocka_unit_test(address_has_one_form_alone),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	printf("seed %d\n", SEED);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
