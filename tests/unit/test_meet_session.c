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

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "meet_world.h"

#define SEED 20261

static struct mw world;

static int begin(void **state)
{
	*state = &world;
	mw_init(&world, SEED);
	return 0;
}

static int end(void **state)
{
	struct mw *w = *state;
	bool oversize = w->oversize;

	mw_free(w);
	return oversize ? -1 : 0;
}

static const struct hp_meet_event *got(const struct mw_node *n,
				       enum hp_meet_event_kind kind)
{
	assert_true(n->n[kind] > 0);
	return &n->last[kind];
}

static void connect_to(struct mw_node *a, unsigned int number,
		       const char *offer)
{
	uint8_t slot[HP_MEET_SLOT_LEN];

	mw_slot(number, slot);
	assert_int_equal(hp_meet_connect(a->c, slot, (const uint8_t *)offer,
					 strlen(offer), a->w->now_ns),
			 HP_OK);
}

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
	assert_true(hp_addr_eq(&got(a, HP_MEET_EV_REGISTERED)->seen,
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
	assert_int_equal(got(a, HP_MEET_EV_SEEN)->port, 1);
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
	assert_int_equal(got(a, HP_MEET_EV_REGISTERED)->seen.family, HP_AF_6);
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
	assert_int_equal(got(a, HP_MEET_EV_REGISTERED)->seen.family, HP_AF_4);
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
	assert_true(got(a, HP_MEET_EV_LOST)->first);
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
	connect_to(b, 1, "offer");
	mw_run(w, HP_S);
	assert_int_equal(got(b, HP_MEET_EV_INTRO)->blob_len, 5);
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

static void rebind(struct mw_node *a)
{
	a->addr[0].port += 1000;
}

static void rebound_client_proves_its_address_and_keeps_the_session(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	rebind(a);
	hp_meet_network_changed(a->c, w->now_ns);
	mw_run(w, 4 * WIRE_NS);
	assert_int_equal(mw_stats(w).moves, 1);
	assert_int_equal(mw_stats(w).registrations, 2);
	assert_true(hp_addr_eq(&got(a, HP_MEET_EV_SEEN)->seen, &a->addr[0]));
	connect_to(b, 1, "offer");
	mw_run(w, HP_S);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_true(hp_addr_eq(&got(b, HP_MEET_EV_INTRO)->seen, &a->addr[0]));
}

static void connect_from_a_new_address_costs_one_proof(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);

	mw_up(w, 2);
	rebind(a);
	connect_to(a, 2, "offer");
	mw_run(w, 8 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 1);
	assert_int_equal(mw_stats(w).moves, 1);
}

static void record_sent_from_an_unproven_address_arrives_in_the_end(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	rebind(a);
	assert_int_equal(hp_meet_set_record(a->c, (const uint8_t *)"fresh", 5,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	connect_to(b, 1, "offer");
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
	connect_to(a, 2, "offer");
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
	assert_false(got(a, HP_MEET_EV_LOST)->first);
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

	connect_to(a, 2, "offer of a");
	mw_run(w, HP_S);
	ia = got(a, HP_MEET_EV_INTRO);
	ib = got(b, HP_MEET_EV_INTRO);
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

	connect_to(a, 2, "offer of a");
	connect_to(b, 1, "offer of b");
	mw_run(w, 2 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_INTRO], 2);
	assert_int_equal(b->n[HP_MEET_EV_INTRO], 2);
	channel = got(a, HP_MEET_EV_INTRO)->channel;
	assert_int_equal(got(b, HP_MEET_EV_INTRO)->channel, channel);
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
	connect_to(a, 2, "offer");
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
	connect_to(a, 2, "offer");
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
	connect_to(a, 2, "offer");
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

	connect_to(a, 9, "offer");
	connect_to(a, 1, "to myself");
	mw_run(w, 2 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 2);
	assert_int_equal(got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_OFFLINE);
	mw_run(w, 20 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 2);
}

static void connect_after_goodbye_fails_as_offline(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	hp_meet_bye(b->c, w->now_ns);
	connect_to(a, 2, "offer");
	mw_run(w, HP_S);
	assert_int_equal(got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_OFFLINE);
}

static void connect_before_registration_waits_for_it(void **state)
{
	struct mw *w = *state;
	struct mw_node *b = mw_up(w, 2);
	struct mw_node *a = mw_add(w, 1);

	connect_to(a, 2, "early");
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
	assert_int_equal(got(a, HP_MEET_EV_INTRO)->blob_len, sizeof(record));
	assert_int_equal(got(b, HP_MEET_EV_INTRO)->blob_len,
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
	connect_to(a, 9, "offer");
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
	connect_to(a, 2, "offer");
	mw_run(w, 60 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 1);
	assert_int_equal(got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_TIMEOUT);
}

static void networks_do_not_see_each_other(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b;

	w->network.b[0] ^= 1;
	b = mw_up(w, 2);
	assert_int_equal(mw_stats(w).networks, 2);
	connect_to(a, 2, "offer");
	hp_meet_list(b->c, w->now_ns);
	mw_run(w, HP_S);
	assert_int_equal(got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_OFFLINE);
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

/* Registers a bare slot, without a client, by hand. */
static void register_from(struct mw *w, unsigned int number,
			  struct hp_addr from)
{
	uint8_t msg[sizeof(struct hp_meet_register) + 1 + HP_SIG_LEN] = { 0 };
	struct hp_meet_register *m = (void *)msg;
	const struct hp_meet_challenge *ch;
	struct hp_meet_hello hello = { 0 };
	struct hp_secret secret;
	struct hp_public public, server;

	hp_datagram_head(hello.head, HP_MEET_HELLO);
	mw_inject(w, &from, (const uint8_t *)&hello, sizeof(hello));
	ch = (const void *)w->last[HP_MEET_CHALLENGE].buf;
	memcpy(server.b, ch->ephemeral, sizeof(server.b));
	hp_dh_keypair(&w->rng, &secret, &public);
	hp_datagram_head(m->head, HP_MEET_REGISTER);
	m->cookie = ch->cookie;
	memcpy(m->ephemeral, public.b, sizeof(m->ephemeral));
	hp_sign_public(&w->network, &public);
	memcpy(m->network, public.b, sizeof(m->network));
	mw_slot(number, m->slot);
	hp_put_be16(m->record_len, 1);
	hp_meet_register_sign(msg, sizeof(msg), &w->network, &server);
	mw_inject(w, &from, msg, sizeof(msg));
}

static void register_by_hand(struct mw *w, unsigned int number)
{
	register_from(w, number,
		      hp_addr4(192, 0, 2, (uint8_t)number, 7777));
}

static void long_list_comes_in_pages(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	bool seen[256] = { false };

	for (unsigned int i = 2; i < 2 + 100; i++)
		register_by_hand(w, i);
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

/* ---- relay ---- */

static size_t relay_send(struct mw *w, const struct mw_node *from,
			 uint32_t channel, const char *what)
{
	uint8_t buf[200];

	hp_datagram_head(buf, HP_KIND_RELAY);
	hp_put_be32(buf + 4, channel);
	memcpy(buf + HP_RELAY_HEAD, what, strlen(what));
	return mw_inject(w, &from->addr[0], buf,
			 HP_RELAY_HEAD + strlen(what));
}

static uint32_t channel_of(struct mw *w, struct mw_node *a)
{
	connect_to(a, 2, "offer");
	mw_run(w, HP_S);
	return got(a, HP_MEET_EV_INTRO)->channel;
}

static void relay_forwards_both_ways_unchanged(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	uint32_t channel = channel_of(w, a);

	assert_int_equal(relay_send(w, a, channel, "to b"), 12);
	assert_int_equal(relay_send(w, b, channel, "back"), 12);
	mw_run(w, HP_S);
	assert_int_equal(b->relayed_len, 12);
	assert_int_equal(hp_get_be32(b->relayed + 4), channel);
	assert_memory_equal(b->relayed + HP_RELAY_HEAD, "to b", 4);
	assert_memory_equal(a->relayed + HP_RELAY_HEAD, "back", 4);
	assert_int_equal(mw_stats(w).relay.packets, 2);
	assert_int_equal(mw_stats(w).relay.bytes, 24);
}

static void relay_takes_datagrams_from_its_ends_alone(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	struct mw_node *c = mw_up(w, 3);
	uint32_t channel = channel_of(w, a);

	assert_int_equal(relay_send(w, c, channel, "intruder"), 8);
	assert_int_equal(relay_send(w, a, channel + 1, "lost"), 8);
	mw_run(w, HP_S);
	assert_int_equal(b->n_relayed, 0);
	assert_int_equal(mw_stats(w).drop[HP_RG_CHANNEL], 2);
	assert_int_equal(c->n[HP_MEET_EV_NO_CHANNEL], 1);
	assert_int_equal(got(a, HP_MEET_EV_NO_CHANNEL)->channel, channel + 1);
}

static void relay_follows_an_end_that_moved(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	uint32_t channel = channel_of(w, a);

	mw_run(w, 2 * HP_S);
	rebind(b);
	/* The refusal makes b prove its new address at once. */
	assert_int_equal(relay_send(w, b, channel, "moved"), 8);
	mw_run(w, 10 * WIRE_NS);
	assert_int_equal(relay_send(w, b, channel, "moved"), 13);
	assert_int_equal(relay_send(w, a, channel, "back"), 12);
	mw_run(w, HP_S);
	assert_int_equal(a->n_relayed, 1);
	assert_int_equal(b->n_relayed, 1);
}

static void channel_is_the_same_while_it_lives_and_ends_when_idle(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	uint32_t channel = channel_of(w, a);

	for (int i = 0; i < 5; i++) {
		mw_run(w, 100 * HP_S);
		assert_int_equal(relay_send(w, b, channel, "x"), 9);
	}
	assert_int_equal(channel_of(w, a), channel);
	mw_run(w, 181 * HP_S);
	assert_int_equal(mw_stats(w).relay.channels, 0);
	assert_int_equal(relay_send(w, a, channel, "x"), 8);
}

static void channel_ends_with_either_session(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);

	channel_of(w, a);
	assert_int_equal(mw_stats(w).relay.channels, 1);
	hp_meet_bye(b->c, w->now_ns);
	mw_run(w, HP_S);
	assert_int_equal(mw_stats(w).relay.channels, 0);
}

static void relay_stops_at_its_rate(void **state)
{
	struct mw *w = *state;
	struct mw_node *a, *b;
	uint32_t channel;
	unsigned int i;

	w->cfg.relay_rate = 1000;
	mw_restart(w);
	a = mw_up(w, 1);
	b = mw_up(w, 2);
	channel = channel_of(w, a);
	for (i = 0; relay_send(w, a, channel, "x") == 9; i++) {
		assert_in_range(i, 0, 262144 / (9 + HP_RELAY_PACKET_COST));
		mw_run(w, 0);
		w->n_queued = 0;
	}
	assert_in_range(i, 4000, 262144 / (9 + HP_RELAY_PACKET_COST));
	assert_int_equal(mw_stats(w).drop[HP_RG_RELAY_RATE], 1);
	mw_run(w, HP_S);
	for (i = 0; relay_send(w, b, channel, "x") == 9; i++)
		;
	assert_in_range(i, 16, 18);
}

static void server_without_relay_gives_no_channel(void **state)
{
	struct mw *w = *state;
	struct mw_node *a;

	w->cfg.relay = false;
	mw_restart(w);
	a = mw_up(w, 1);
	mw_up(w, 2);
	assert_false(got(a, HP_MEET_EV_REGISTERED)->relay);
	assert_int_equal(channel_of(w, a), 0);
}

/* ---- limits ---- */

static void network_not_on_the_list_is_refused_and_dropped_later(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct hp_public other = { { 1 } }, own;

	assert_int_equal(hp_registry_allow(w->r, &other, 1), HP_OK);
	assert_int_equal(mw_stats(w).nodes, 0);
	mw_run(w, 40 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REFUSED], 1);
	assert_int_equal(got(a, HP_MEET_EV_REFUSED)->reason,
			 HP_MEET_NOT_ALLOWED);
	assert_int_equal(mw_stats(w).nodes, 0);
	hp_sign_public(&w->network, &own);
	assert_int_equal(hp_registry_allow(w->r, &own, 1), HP_OK);
	mw_run(w, 63 * HP_S);
	assert_int_equal(a->n[HP_MEET_EV_REGISTERED], 2);
	assert_int_equal(hp_registry_allow(w->r, &own, 0), HP_OK);
	assert_int_equal(mw_stats(w).nodes, 0);
	assert_int_equal(hp_registry_allow(w->r, NULL, 0), HP_OK);
	mw_run(w, 100 * HP_S);
	assert_int_equal(mw_stats(w).nodes, 1);
}

static void full_server_and_full_network_refuse(void **state)
{
	struct mw *w = *state;
	struct mw_node *b;

	w->cfg.max_nodes = 2;
	w->cfg.max_network = 1;
	mw_restart(w);
	mw_up(w, 1);
	b = mw_add(w, 2);
	assert_int_equal(hp_meet_set_record(b->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(got(b, HP_MEET_EV_REFUSED)->reason,
			 HP_MEET_NETWORK_FULL);
	w->network.b[0] ^= 1;
	mw_up(w, 3);
	w->network.b[0] ^= 2;
	b = mw_add(w, 4);
	assert_int_equal(hp_meet_set_record(b->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(got(b, HP_MEET_EV_REFUSED)->reason, HP_MEET_FULL);
	assert_int_equal(mw_stats(w).nodes, 2);
	/* Who is in may come again. */
	hp_meet_network_changed(w->node[0].c, w->now_ns);
	mw_run(w, HP_S);
	assert_int_equal(w->node[0].n[HP_MEET_EV_LOST], 0);
}

static uint8_t refusal(const struct mw *w)
{
	return ((const struct hp_meet_refused *)
			(const void *)w->last[HP_MEET_REFUSED].buf)->reason;
}

static void source_holds_no_more_nodes_than_its_share(void **state)
{
	struct mw *w = *state;
	struct hp_addr home = hp_addr4(192, 0, 2, 1, 1000);
	struct hp_addr away = hp_addr4(192, 0, 2, 2, 1000);

	w->cfg.max_source = 3;
	mw_restart(w);
	for (unsigned int i = 1; i <= 5; i++) {
		home.port++; /* ports do not help */
		register_from(w, i, home);
	}
	assert_int_equal(mw_stats(w).nodes, 3);
	assert_int_equal(mw_stats(w).drop[HP_RG_CROWD], 2);
	assert_int_equal(refusal(w), HP_MEET_FULL);
	/* Who is in may come again; another source has its own share. */
	w->now_ns++;
	register_from(w, 3, home);
	register_from(w, 4, away);
	assert_int_equal(mw_stats(w).nodes, 4);
	assert_int_equal(mw_stats(w).registrations, 5);
	/* One that registers from elsewhere makes room where it was. */
	w->now_ns++;
	register_from(w, 3, away);
	register_from(w, 5, home);
	assert_int_equal(mw_stats(w).nodes, 5);
	register_from(w, 6, home);
	assert_int_equal(mw_stats(w).drop[HP_RG_CROWD], 3);
	/* So do those that end. */
	mw_run(w, (HP_MEET_LIFETIME_S + 1) * HP_S);
	assert_int_equal(mw_stats(w).nodes, 0);
	for (unsigned int i = 1; i <= 3; i++)
		register_from(w, i, home);
	assert_int_equal(mw_stats(w).nodes, 3);
}

static void goodbye_does_not_free_the_share_of_a_source_at_once(void **state)
{
	struct mw *w = *state;
	struct mw_node *a;
	struct hp_addr near;

	w->cfg.max_source = 1;
	mw_restart(w);
	a = mw_up(w, 1);
	near = a->addr[0];
	near.port++;
	hp_meet_bye(a->c, w->now_ns);
	mw_run(w, WIRE_NS);
	assert_int_equal(mw_stats(w).nodes, 0);
	register_from(w, 2, near);
	assert_int_equal(mw_stats(w).drop[HP_RG_CROWD], 1);
	mw_run(w, HP_MEET_COOKIE_LIFE_NS + HP_S);
	register_from(w, 2, near);
	assert_int_equal(mw_stats(w).nodes, 1);
}

static void source_gets_no_more_challenges_than_its_share(void **state)
{
	struct mw *w = *state;
	struct hp_meet_hello m = { 0 };
	struct hp_addr from = hp_addr4(192, 0, 2, 1, 1);
	unsigned int answers = 0;

	w->cfg.strangers = (struct hp_rate){ .per_s = 10, .burst = 20 };
	mw_restart(w);
	hp_datagram_head(m.head, HP_MEET_HELLO);
	for (int i = 0; i < 50; i++) {
		from.port++; /* ports do not help */
		answers += mw_inject(w, &from, (void *)&m, sizeof(m)) != 0;
	}
	assert_int_equal(answers, 20);
	assert_int_equal(mw_stats(w).drop[HP_RG_SOURCE], 30);
	from.ip[3]++;
	assert_int_equal(mw_inject(w, &from, (void *)&m, sizeof(m)), 88);
	from.ip[3]--;
	w->now_ns += HP_S;
	answers = 0;
	for (int i = 0; i < 50; i++)
		answers += mw_inject(w, &from, (void *)&m, sizeof(m)) != 0;
	assert_int_equal(answers, 10);
}

static void ipv6_sources_are_counted_by_their_64(void **state)
{
	struct mw *w = *state;
	struct hp_meet_hello m = { 0 };
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	unsigned int answers = 0;

	w->cfg.strangers = (struct hp_rate){ .per_s = 10, .burst = 20 };
	mw_restart(w);
	hp_datagram_head(m.head, HP_MEET_HELLO);
	for (int i = 0; i < 50; i++) {
		struct hp_addr from;

		ip[15]++;
		from = hp_addr_of(HP_AF_6, ip, 5);
		answers += mw_inject(w, &from, (void *)&m, sizeof(m)) != 0;
	}
	assert_int_equal(answers, 20);
}

static void registrations_of_a_source_and_a_network_are_limited(void **state)
{
	struct mw *w = *state;

	w->cfg.network_registers = (struct hp_rate){ .per_s = 1, .burst = 3 };
	mw_restart(w);
	for (unsigned int i = 1; i < 10; i++)
		register_by_hand(w, i);
	/* The first one makes the network. */
	assert_int_equal(mw_stats(w).nodes, 4);
	assert_int_equal(mw_stats(w).drop[HP_RG_BUSY], 5);
	w->cfg.network_registers.per_s = 0;
	w->cfg.registers = (struct hp_rate){ .per_s = 1, .burst = 2 };
	mw_restart(w);
	for (unsigned int i = 0; i < 5; i++) {
		w->now_ns++;
		register_by_hand(w, 7);
	}
	assert_int_equal(mw_stats(w).registrations, 2);
	assert_int_equal(mw_stats(w).drop[HP_RG_SOURCE], 3);
}

static void session_makes_no_more_requests_than_its_share(void **state)
{
	struct mw *w = *state;
	struct mw_node *a;

	w->cfg.requests = (struct hp_rate){ .per_s = 1, .burst = 3 };
	mw_restart(w);
	a = mw_up(w, 1);
	for (unsigned int i = 0; i < 5; i++)
		connect_to(a, 10 + i, "offer");
	mw_run(w, 2 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 5);
	assert_int_equal(got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_LIMIT);
	assert_int_equal(mw_stats(w).drop[HP_RG_BUSY], 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
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
		T(relay_forwards_both_ways_unchanged),
		T(relay_takes_datagrams_from_its_ends_alone),
		T(relay_follows_an_end_that_moved),
		T(channel_is_the_same_while_it_lives_and_ends_when_idle),
		T(channel_ends_with_either_session),
		T(relay_stops_at_its_rate),
		T(server_without_relay_gives_no_channel),
		T(network_not_on_the_list_is_refused_and_dropped_later),
		T(full_server_and_full_network_refuse),
		T(source_holds_no_more_nodes_than_its_share),
		T(goodbye_does_not_free_the_share_of_a_source_at_once),
		T(source_gets_no_more_challenges_than_its_share),
		T(ipv6_sources_are_counted_by_their_64),
		T(registrations_of_a_source_and_a_network_are_limited),
		T(session_makes_no_more_requests_than_its_share),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	printf("seed %d\n", SEED);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
