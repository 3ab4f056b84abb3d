/* SPDX-License-Identifier: ISC */
/* lib/meet on links that lose packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/datagram.h"
#include "meet_world.h"

struct loss {
	enum hp_meet_kind kind;		/* of what is lost */
	const struct mw_node *to;	/* NULL: to anybody */
	unsigned int pct;
	unsigned int n;
	struct mw_datagram last;	/* of those lost */
};

static bool lose(struct mw *w, struct mw_datagram *d)
{
	struct loss *l = w->tap_ctx;

	if (l->kind && (hp_datagram_kind(d->buf, d->len) != HP_DGRAM_MEET ||
			d->buf[3] != l->kind))
		return true;
	if (l->to && !hp_addr_eq(&d->to, &l->to->addr[0]) &&
	    !hp_addr_eq(&d->to, &l->to->addr[1]))
		return true;
	if (hp_rng_below(&w->rng, 100) >= l->pct)
		return true;
	l->n++;
	l->last = *d;
	return false;
}

static void lossy(struct mw *w, struct loss *l)
{
	w->tap = lose;
	w->tap_ctx = l;
}

static void connect_to(struct mw_node *a, unsigned int number)
{
	uint8_t slot[HP_MEET_SLOT_LEN];

	mw_slot(number, slot);
	assert_int_equal(hp_meet_connect(a->c, slot, (const uint8_t *)"offer",
					 5, a->w->now_ns), HP_OK);
}

/* The caller knows the callee at once; the callee hears nothing for 3 s. */
static void the_callee_is_called_until_it_hears(void **state)
{
	static struct mw w;
	struct mw_node *a, *b;
	struct loss loss = { .kind = HP_MEET_INTRO, .pct = 100 };

	(void)state;
	mw_init(&w, 1);
	a = mw_up(&w, 1);
	b = mw_up(&w, 2);
	loss.to = b;
	lossy(&w, &loss);
	connect_to(a, 2);
	mw_run(&w, 3 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 0);
	w.tap = NULL;
	mw_run(&w, 600 * HP_MS);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 1);
	mw_free(&w);
}

static void a_callee_that_never_hears_is_given_up(void **state)
{
	static struct mw w;
	struct mw_node *a;
	struct loss loss = { .kind = HP_MEET_INTRO, .pct = 100 };

	(void)state;
	mw_init(&w, 2);
	a = mw_up(&w, 1);
	loss.to = mw_up(&w, 2);
	lossy(&w, &loss);
	connect_to(a, 2);
	mw_run(&w, 60 * HP_S);
	assert_in_range(loss.n, 16, 18);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 0);
	mw_free(&w);
}

/* Silence for 4 s makes the client say HELLO; what it gets is a word within
 * the old session.
 */
static void a_session_outlives_lost_keepalives(void **state)
{
	static struct mw w;
	struct mw_node *a;
	struct loss loss = { .pct = 100 };
	uint64_t registrations;

	(void)state;
	mw_init(&w, 3);
	a = mw_up(&w, 1);
	mw_run(&w, 20 * HP_S);
	registrations = mw_stats(&w).registrations;
	lossy(&w, &loss);
	for (unsigned int i = 0; !a->n[HP_MEET_EV_LOST] && i < 100; i++)
		mw_run(&w, 100 * HP_MS);
	assert_int_equal(a->n[HP_MEET_EV_LOST], 1);
	/* Now only the way to a new session is closed. */
	loss.kind = HP_MEET_CHALLENGE;
	mw_run(&w, 2 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 2);
	assert_int_equal(mw_stats(&w).registrations, registrations);
	w.tap = NULL;
	mw_run(&w, 100 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_LOST], 1);
	assert_int_equal(mw_stats(&w).registrations, registrations);
	mw_free(&w);
}

/* The challenge comes first, the old session's answer behind it, and then the
 * registration is lost: it is repeated all the same, and nothing is due for
 * ever.
 */
static void a_late_word_does_not_stop_a_registration(void **state)
{
	static struct mw w;
	struct mw_node *a;
	struct loss loss = { .pct = 100 };

	(void)state;
	mw_init(&w, 5);
	a = mw_up(&w, 1);
	lossy(&w, &loss);
	for (unsigned int i = 0; !a->n[HP_MEET_EV_LOST] && i < 400; i++)
		mw_run(&w, 100 * HP_MS);
	loss.kind = HP_MEET_ALIVE;
	for (unsigned int i = 0; i < 400; i++) {
		struct hp_meet_info info;

		hp_meet_info(a->c, &info);
		if (info.state == HP_MEET_REGISTER_SENT)
			break;
		mw_run(&w, 5 * HP_MS);
	}
	assert_int_equal(loss.last.buf[3], HP_MEET_ALIVE);
	assert_int_equal(hp_meet_rx(a->c, &loss.last.from, loss.last.buf,
				    loss.last.len, w.now_ns), HP_ERR_STATE);
	loss.kind = HP_MEET_REGISTERED;
	mw_run(&w, HP_S);
	w.tap = NULL;
	mw_run(&w, 2 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 2);
	mw_free(&w);
}

static void whom_the_server_forgot_registers_anew(void **state)
{
	static struct mw w;
	struct mw_node *a;
	struct loss loss = { .pct = 100 };

	(void)state;
	mw_init(&w, 4);
	a = mw_up(&w, 1);
	lossy(&w, &loss);
	for (unsigned int i = 0; !a->n[HP_MEET_EV_LOST] && i < 400; i++)
		mw_run(&w, 100 * HP_MS);
	w.tap = NULL;
	mw_restart(&w);
	mw_run(&w, 3 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 2);
	assert_int_equal(mw_stats(&w).registrations, 1);
	mw_free(&w);
}

/* Half of all packets: both know each other within 20 s, in 98 of 100 runs. */
static void half_of_all_packets_do(void **state)
{
	unsigned int late = 0;

	(void)state;
	for (uint64_t seed = 100; seed < 200; seed++) {
		static struct mw w;
		struct loss loss = { .pct = 50 };
		struct mw_node *a, *b;

		mw_init(&w, seed);
		a = mw_up(&w, 1);
		b = mw_up(&w, 2);
		lossy(&w, &loss);
		connect_to(a, 2);
		mw_run(&w, 20 * HP_S);
		late += !a->n[HP_MEET_EV_INTRO] || !b->n[HP_MEET_EV_INTRO];
		mw_free(&w);
	}
	assert_in_range(late, 0, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_callee_is_called_until_it_hears),
		cmocka_unit_test(a_callee_that_never_hears_is_given_up),
		cmocka_unit_test(a_session_outlives_lost_keepalives),
		cmocka_unit_test(a_late_word_does_not_stop_a_registration),
		cmocka_unit_test(whom_the_server_forgot_registers_anew),
		cmocka_unit_test(half_of_all_packets_do),
	};

	return cmocka_run_group_tests_name("meet_loss", tests, NULL, NULL);
}
