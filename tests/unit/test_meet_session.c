/* SPDX-License-Identifier: ISC */
/* lib/meet: client and registry together, over a wire in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/datagram.h"
#include "meet_world.h"

/* ---- registering ---- */

static void registering_takes_two_round_trips_and_tells_the_address(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_add(w, 1);
	uint64_t start_ns = w->now_ns;

	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 1);
	assert_int_equal(a->at_ns[HP_MEET_EV_REGISTERED] - start_ns,
			 4 * WIRE_NS);
	assert_true(hp_addr_eq(&mw_got(a, HP_MEET_EV_REGISTERED)->seen,
			       &a->addr[0]));
	assert_int_equal(a->last[HP_MEET_EV_REGISTERED].rtt_ns, 2 * WIRE_NS);
	assert_true(a->last[HP_MEET_EV_REGISTERED].relay);
	assert_int_equal(mw_stats(w).nodes, 1);
	assert_int_equal(mw_stats(w).networks, 1);
}

static void second_port_is_asked_by_stun_on_the_same_socket(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);

	assert_int_equal(a->n[HP_MEET_EV_SEEN], 1);
	assert_int_equal(mw_got(a, HP_MEET_EV_SEEN)->port, 1);
	assert_true(hp_addr_eq(&a->last[HP_MEET_EV_SEEN].seen, &a->addr[0]));
}

static bool drop_ipv6(struct mw *w, struct mw_datagram *d)
{
	(void)w;
	return d->to.family != HP_AF_6;
}

static struct mw_node *add_dual(struct mw *w, unsigned int number)
{
	struct mw_node *a = mw_add(w, number);
	const uint8_t ip6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x64 };
	const struct hp_addr both[2] = {
		a->cfg.server[0],
		hp_addr_of(HP_AF_6, ip6, a->cfg.server[0].port),
	};

	hp_meet_set_addrs(a->c, both, w->now_ns);
	return a;
}

static void ipv6_is_preferred_and_the_other_family_learned(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = add_dual(w, 1);
	struct hp_meet_info info;

	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(mw_got(a, HP_MEET_EV_REGISTERED)->seen.family, HP_AF_6);
	hp_meet_info(a->c, &info);
	assert_int_equal(a->n[HP_MEET_EV_SEEN], 3);
	assert_true(hp_addr_eq(&info.seen[0][0], &a->addr[0]));
	assert_true(hp_addr_eq(&info.seen[0][1], &a->addr[0]));
	assert_true(hp_addr_eq(&info.seen[1][0], &a->addr[1]));
	assert_true(hp_addr_eq(&info.seen[1][1], &a->addr[1]));
}

static void dead_ipv6_costs_fifty_milliseconds(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = add_dual(w, 1);
	uint64_t start_ns = w->now_ns;

	w->tap = drop_ipv6;
	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(mw_got(a, HP_MEET_EV_REGISTERED)->seen.family, HP_AF_4);
	assert_int_equal(a->at_ns[HP_MEET_EV_REGISTERED] - start_ns,
			 50 * HP_MS + 4 * WIRE_NS);
}

static bool lose_first_of_each(struct mw *w, struct mw_datagram *d)
{
	uint8_t *seen = w->tap_ctx;
	unsigned int kind = hp_datagram_kind(d->buf, d->len) == HP_DGRAM_MEET ?
				    d->buf[3] : 0;

	return seen[kind]++ != 0;
}

static void registering_survives_the_loss_of_any_message_once(void **state)
{
	struct mw *w = *state;
	uint8_t seen[256] = { 0 };
	struct mw_node *a;

	w->tap = lose_first_of_each;
	w->tap_ctx = seen;
	a = mw_up(w, 1);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 1);
	assert_int_equal(a->n[HP_MEET_EV_LOST], 0);
	assert_int_equal(mw_stats(w).registrations, 1);
}

static void silence_is_reported_once_after_three_seconds(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_add(w, 1);
	uint64_t start_ns = w->now_ns;

	w->server_down = true;
	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, 200 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_LOST], 1);
	assert_true(mw_got(a, HP_MEET_EV_LOST)->first);
	assert_int_equal(a->at_ns[HP_MEET_EV_LOST] - start_ns, 3 * HP_S);
	assert_int_equal(a->last[HP_MEET_EV_LOST].server.port, 8888);
	w->server_down = false;
	mw_run(w, 20 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 1);
}

/* ---- staying registered ---- */

static void keepalives_keep_the_session_for_an_hour(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	uint64_t rx = mw_stats(w).rx;

	mw_run(w, 3600 * HP_S);
	assert_int_equal(mw_stats(w).nodes, 1);
	assert_int_equal(mw_stats(w).registrations, 1);
	assert_int_equal(a->n[HP_MEET_EV_LOST], 0);
	rx = mw_stats(w).rx - rx;
	assert_in_range(rx, 3600 / 25, 3600 / 23 + 1);
}

static void session_expires_after_three_missed_keepalives(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);

	hp_meet_free(a->c);
	a->c = hp_meet_new(&a->cfg); /* silent */
	mw_run(w, (HP_MEET_LIFETIME_S - 3) * HP_S);
	assert_int_equal(mw_stats(w).nodes, 1);
	mw_run(w, 4 * HP_S);
	assert_int_equal(mw_stats(w).nodes, 0);
	assert_int_equal(mw_stats(w).networks, 0);
	assert_int_equal(mw_stats(w).expired, 1);
}

static void new_record_goes_with_a_keepalive(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"fresh", 5,
					    w->now_ns),
			 HP_OK);
	mw_run(w, 3 * WIRE_NS);
	assert_int_equal(mw_stats(w).registrations, 2);
	mw_connect(b, 1, "offer");
	mw_run(w, HP_S);
	assert_int_equal(mw_got(b, HP_MEET_EV_INTRO)->blob_len, 5);
	assert_memory_equal(b->blob, "fresh", 5);
}

static void record_of_the_wrong_size_is_refused(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_add(w, 1);
	uint8_t big[HP_MEET_RECORD_MAX + 1] = { 0 };

	assert_int_equal(hp_meet_set_record(a->c, big, sizeof(big), 0),
			 HP_ERR_FULL);
	assert_int_equal(hp_meet_set_record(a->c, big, 0, 0), HP_ERR_SHORT);
	assert_int_equal(hp_meet_deadline(a->c), HP_NEVER);
}

static void rebound_client_proves_its_address_and_keeps_the_session(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	mw_rebind(a);
	hp_meet_network_changed(a->c, w->now_ns);
	mw_run(w, 4 * WIRE_NS);
	assert_int_equal(mw_stats(w).moves, 1);
	assert_int_equal(mw_stats(w).registrations, 2);
	assert_true(hp_addr_eq(&mw_got(a, HP_MEET_EV_SEEN)->seen, &a->addr[0]));
	mw_connect(b, 1, "offer");
	mw_run(w, HP_S);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_true(hp_addr_eq(&mw_got(b, HP_MEET_EV_INTRO)->seen, &a->addr[0]));
}

static void connect_from_a_new_address_costs_one_proof(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);

	mw_up(w, 2);
	mw_rebind(a);
	mw_connect(a, 2, "offer");
	mw_run(w, 8 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(mw_stats(w).moves, 1);
}

static void record_sent_from_an_unproven_address_arrives_in_the_end(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	mw_rebind(a);
	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"fresh", 5,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	mw_connect(b, 1, "offer");
	mw_run(w, HP_S);
	assert_memory_equal(b->blob, "fresh", 5);
}

static void server_that_restarted_gets_its_nodes_back(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	mw_restart(w);
	mw_run(w, 28 * HP_S);
	assert_int_equal(mw_stats(w).nodes, 2);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 2);
	assert_int_equal(b->n[HP_MEET_EV_REGISTERED], 2);
	assert_int_equal(a->n[HP_MEET_EV_LOST], 0);
}

static void connect_to_a_restarted_server_registers_at_once(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b;

	mw_restart(w);
	b = mw_up(w, 2);
	mw_connect(a, 2, "offer");
	mw_run(w, 12 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 1);
}

static void server_that_went_away_is_missed_and_found_again(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);

	w->server_down = true;
	mw_run(w, 40 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_LOST], 1);
	assert_false(mw_got(a, HP_MEET_EV_LOST)->first);
	w->server_down = false;
	mw_run(w, 17 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 2);
	mw_run(w, 100 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_LOST], 1);
}

static void goodbye_frees_the_slot_and_silences_the_client(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);

	hp_meet_bye(a->c, w->now_ns);
	assert_int_equal(hp_meet_deadline(a->c), HP_NEVER);
	mw_run(w, WIRE_NS);
	assert_int_equal(mw_stats(w).nodes, 0);
	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 2);
	hp_meet_bye(a->c, w->now_ns);
	mw_run(w, 200 * HP_S); /* the mark goes, too */
	assert_int_equal(hp_registry_deadline(w->r), HP_NEVER);
}

/* ---- introductions ---- */

static void both_are_introduced_at_the_same_moment(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	const struct hp_meet_event *ia, *ib;
	uint64_t start_ns = w->now_ns;

	mw_connect(a, 2, "offer of a");
	mw_run(w, HP_S);
	ia = mw_got(a, HP_MEET_EV_INTRO);
	ib = mw_got(b, HP_MEET_EV_INTRO);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(a->at_ns[HP_MEET_EV_INTRO] - start_ns, 2 * WIRE_NS);
	assert_int_equal(b->at_ns[HP_MEET_EV_INTRO] - start_ns, 2 * WIRE_NS);
	assert_true(ia->answer);
	assert_false(ib->answer);
	assert_memory_equal(ia->connect_id, ib->connect_id, HP_MEET_ID_LEN);
	assert_memory_equal(ia->slot, b->cfg.slot, HP_MEET_SLOT_LEN);
	assert_memory_equal(ib->slot, a->cfg.slot, HP_MEET_SLOT_LEN);
	assert_true(hp_addr_eq(&ia->seen, &b->addr[0]));
	assert_true(hp_addr_eq(&ib->seen, &a->addr[0]));
	assert_true(ia->channel && ia->channel == ib->channel);
	assert_memory_equal(a->blob, "record of node 2", 16);
	assert_memory_equal(b->blob, "offer of a", 10);
	/* The callee acknowledged: one connect was enough. */
	assert_int_equal(mw_stats(w).introductions, 1);
}

static void simultaneous_connects_give_each_an_answer_and_a_call(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	uint32_t channel;

	mw_connect(a, 2, "offer of a");
	mw_connect(b, 1, "offer of b");
	mw_run(w, 2 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 2);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 2);
	channel = mw_got(a, HP_MEET_EV_INTRO)->channel;
	assert_int_equal(mw_got(b, HP_MEET_EV_INTRO)->channel, channel);
	assert_int_equal(mw_stats(w).relay.channels, 1);
}

static bool lose_calls(struct mw *w, struct mw_datagram *d)
{
	unsigned int *left = w->tap_ctx;
	const struct hp_meet_intro *m = (const void *)d->buf;

	if (hp_datagram_kind(d->buf, d->len) != HP_DGRAM_MEET ||
	    d->buf[3] != HP_MEET_INTRO || m->answer || !*left)
		return true;
	(*left)--;
	return false;
}

static void lost_call_is_repeated_until_the_callee_has_it(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	unsigned int left = 2;

	w->tap = lose_calls;
	w->tap_ctx = &left;
	mw_connect(a, 2, "offer");
	mw_run(w, 10 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(mw_stats(w).introductions, 3);
}

static void introductions_survive_the_loss_of_any_message_once(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	uint8_t seen[256] = { 0 };

	w->tap = lose_first_of_each;
	w->tap_ctx = seen;
	mw_connect(a, 2, "offer");
	mw_run(w, 10 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 0);
}

static bool double_all(struct mw *w, struct mw_datagram *d)
{
	struct mw_datagram *copy = &w->queue[w->n_queued + 1];

	*copy = *d;
	copy->at_ns += WIRE_NS / 2;
	w->queue[w->n_queued++] = *d;
	w->n_queued++;
	return false;
}

static void doubled_datagrams_double_no_event(void **state)
{
	struct mw *w = *state;
	struct mw_node *a, *b;

	w->tap = double_all;
	a = mw_up(w, 1);
	b = mw_up(w, 2);
	mw_connect(a, 2, "offer");
	hp_meet_list(b->c, w->now_ns);
	mw_run(w, 5 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 1);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(b->n[HP_MEET_EV_MEMBERS], 1);
	assert_int_equal(mw_stats(w).registrations, 2);
}

static void connect_to_nobody_fails_as_offline(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);

	mw_connect(a, 9, "offer");
	mw_connect(a, 1, "to myself");
	mw_run(w, 2 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 2);
	assert_int_equal(mw_got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_OFFLINE);
	mw_run(w, 20 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 2);
}

static void connect_after_goodbye_fails_as_offline(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	hp_meet_bye(b->c, w->now_ns);
	mw_connect(a, 2, "offer");
	mw_run(w, HP_S);
	assert_int_equal(mw_got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_OFFLINE);
}

static void connect_before_registration_waits_for_it(void **state)
{
	struct mw *w = *state;
	struct mw_node *b = mw_up(w, 2);
	struct mw_node *a = mw_add(w, 1);

	mw_connect(a, 2, "early");
	mw_run(w, HP_S);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 0);
	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_memory_equal(b->blob, "early", 5);
}

static void longest_offer_and_record_fit(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	uint8_t offer[HP_MEET_OFFER_MAX + 1];
	uint8_t record[HP_MEET_RECORD_MAX];

	memset(offer, 'o', sizeof(offer));
	memset(record, 'r', sizeof(record));
	assert_int_equal(hp_meet_set_record(b->c, record, sizeof(record),
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(hp_meet_connect(a->c, b->cfg.slot, offer,
					 HP_MEET_OFFER_MAX, w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(mw_got(a, HP_MEET_EV_INTRO)->blob_len, sizeof(record));
	assert_int_equal(mw_got(b, HP_MEET_EV_INTRO)->blob_len,
			 HP_MEET_OFFER_MAX);
	assert_memory_equal(b->blob, offer, HP_MEET_OFFER_MAX);
	assert_int_equal(hp_meet_connect(a->c, b->cfg.slot, offer,
					 sizeof(offer), w->now_ns),
			 HP_ERR_FULL);
}

static void cancelled_connect_gives_no_event(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	uint8_t slot[HP_MEET_SLOT_LEN];

	mw_slot(9, slot);
	mw_connect(a, 9, "offer");
	hp_meet_connect_cancel(a->c, slot);
	mw_run(w, 20 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 0);
}

static bool lose_connects(struct mw *w, struct mw_datagram *d)
{
	(void)w;
	return hp_datagram_kind(d->buf, d->len) != HP_DGRAM_MEET ||
	       d->buf[3] != HP_MEET_CONNECT;
}

static void unanswered_connect_fails_in_the_end(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);

	mw_up(w, 2);
	w->tap = lose_connects;
	mw_connect(a, 2, "offer");
	mw_run(w, 60 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 1);
	assert_int_equal(mw_got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_TIMEOUT);
}

static void networks_do_not_see_each_other(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b;

	w->network.b[0] ^= 1;
	b = mw_up(w, 2);
	assert_int_equal(mw_stats(w).networks, 2);
	mw_connect(a, 2, "offer");
	hp_meet_list(b->c, w->now_ns);
	mw_run(w, HP_S);
	assert_int_equal(mw_got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_OFFLINE);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 0);
	assert_int_equal(b->n[HP_MEET_EV_MEMBERS], 1);
	assert_int_equal(b->n_slots, 0);
}

/* ---- lists ---- */

static void list_has_all_but_ourselves_and_follows_changes(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b;

	hp_meet_list(a->c, w->now_ns);
	mw_run(w, HP_S);
	assert_int_equal(a->n[HP_MEET_EV_MEMBERS], 1);
	assert_int_equal(a->n_slots, 0);
	b = mw_up(w, 2);
	mw_run(w, 26 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_MEMBERS], 2);
	assert_int_equal(a->n_slots, 1);
	assert_memory_equal(a->slots[0], b->cfg.slot, HP_MEET_SLOT_LEN);
	mw_run(w, 100 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_MEMBERS], 2);
	hp_meet_bye(b->c, w->now_ns);
	mw_run(w, 26 * HP_S);
	assert_int_equal(a->n_slots, 0);
}

static void long_list_comes_in_pages(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	bool seen[256] = { false };

	for (unsigned int i = 2; i < 2 + 100; i++)
		mw_register(w, i);
	assert_int_equal(mw_stats(w).nodes, 101);
	hp_meet_list(a->c, w->now_ns);
	mw_run(w, HP_S);
	assert_int_equal(a->n[HP_MEET_EV_MEMBERS], 1);
	assert_int_equal(a->n_slots, 100);
	for (size_t i = 0; i < a->n_slots; i++)
		seen[a->slots[i][0]] = true;
	for (unsigned int i = 2; i < 2 + 100; i++)
		assert_true(seen[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, mw_begin, mw_end)
	const struct CMUnitTest tests[] = {
		T(registering_takes_two_round_trips_and_tells_the_address),
		T(second_port_is_asked_by_stun_on_the_same_socket),
		T(ipv6_is_preferred_and_the_other_family_learned),
		T(dead_ipv6_costs_fifty_milliseconds),
		T(registering_survives_the_loss_of_any_message_once),
		T(silence_is_reported_once_after_three_seconds),
		T(keepalives_keep_the_session_for_an_hour),
		T(session_expires_after_three_missed_keepalives),
		T(new_record_goes_with_a_keepalive),
		T(record_of_the_wrong_size_is_refused),
		T(rebound_client_proves_its_address_and_keeps_the_session),
		T(connect_from_a_new_address_costs_one_proof),
		T(record_sent_from_an_unproven_address_arrives_in_the_end),
		T(server_that_restarted_gets_its_nodes_back),
		T(connect_to_a_restarted_server_registers_at_once),
		T(server_that_went_away_is_missed_and_found_again),
		T(goodbye_frees_the_slot_and_silences_the_client),
		T(both_are_introduced_at_the_same_moment),
		T(simultaneous_connects_give_each_an_answer_and_a_call),
		T(lost_call_is_repeated_until_the_callee_has_it),
		T(introductions_survive_the_loss_of_any_message_once),
		T(doubled_datagrams_double_no_event),
		T(connect_to_nobody_fails_as_offline),
		T(connect_after_goodbye_fails_as_offline),
		T(connect_before_registration_waits_for_it),
		T(longest_offer_and_record_fit),
		T(cancelled_connect_gives_no_event),
		T(unanswered_connect_fails_in_the_end),
		T(networks_do_not_see_each_other),
		T(list_has_all_but_ourselves_and_follows_changes),
		T(long_list_comes_in_pages),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	printf("seed %d\n", MW_SEED);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
