/* SPDX-License-Identifier: ISC */
/* lib/meet: what the server gives to whom: channels of the relay, and shares. */
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
	mw_connect(a, 2, "offer");
	mw_run(w, HP_S);
	return mw_got(a, HP_MEET_EV_INTRO)->channel;
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
	assert_int_equal(mw_got(a, HP_MEET_EV_NO_CHANNEL)->channel, channel + 1);
}

static void relay_follows_an_end_that_moved(void **state)
{
	struct mw *w = *state;
	struct mw_node *a = mw_up(w, 1);
	struct mw_node *b = mw_up(w, 2);
	uint32_t channel = channel_of(w, a);

	mw_run(w, 2 * HP_S);
	mw_rebind(b);
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
	assert_false(mw_got(a, HP_MEET_EV_REGISTERED)->relay);
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
	assert_int_equal(mw_got(a, HP_MEET_EV_REFUSED)->reason,
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
	assert_int_equal(mw_got(b, HP_MEET_EV_REFUSED)->reason,
			 HP_MEET_NETWORK_FULL);
	w->network.b[0] ^= 1;
	mw_up(w, 3);
	w->network.b[0] ^= 2;
	b = mw_add(w, 4);
	assert_int_equal(hp_meet_set_record(b->c, (const uint8_t *)"r", 1,
					    w->now_ns),
			 HP_OK);
	mw_run(w, HP_S);
	assert_int_equal(mw_got(b, HP_MEET_EV_REFUSED)->reason, HP_MEET_FULL);
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
		mw_register_from(w, i, home);
	}
	assert_int_equal(mw_stats(w).nodes, 3);
	assert_int_equal(mw_stats(w).drop[HP_RG_CROWD], 2);
	assert_int_equal(refusal(w), HP_MEET_FULL);
	/* Who is in may come again; another source has its own share. */
	w->now_ns++;
	mw_register_from(w, 3, home);
	mw_register_from(w, 4, away);
	assert_int_equal(mw_stats(w).nodes, 4);
	assert_int_equal(mw_stats(w).registrations, 5);
	/* One that registers from elsewhere makes room where it was. */
	w->now_ns++;
	mw_register_from(w, 3, away);
	mw_register_from(w, 5, home);
	assert_int_equal(mw_stats(w).nodes, 5);
	mw_register_from(w, 6, home);
	assert_int_equal(mw_stats(w).drop[HP_RG_CROWD], 3);
	/* So do those that end. */
	mw_run(w, (HP_MEET_LIFETIME_S + 1) * HP_S);
	assert_int_equal(mw_stats(w).nodes, 0);
	for (unsigned int i = 1; i <= 3; i++)
		mw_register_from(w, i, home);
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
	mw_register_from(w, 2, near);
	assert_int_equal(mw_stats(w).drop[HP_RG_CROWD], 1);
	mw_run(w, HP_MEET_COOKIE_LIFE_NS + HP_S);
	mw_register_from(w, 2, near);
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
		mw_register(w, i);
	/* The first one makes the network. */
	assert_int_equal(mw_stats(w).nodes, 4);
	assert_int_equal(mw_stats(w).drop[HP_RG_BUSY], 5);
	w->cfg.network_registers.per_s = 0;
	w->cfg.registers = (struct hp_rate){ .per_s = 1, .burst = 2 };
	mw_restart(w);
	for (unsigned int i = 0; i < 5; i++) {
		w->now_ns++;
		mw_register(w, 7);
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
		mw_connect(a, 10 + i, "offer");
	mw_run(w, 2 * WIRE_NS);
	assert_int_equal(a->n[HP_MEET_EV_FAILED], 5);
	assert_int_equal(mw_got(a, HP_MEET_EV_FAILED)->reason, HP_MEET_LIMIT);
	assert_int_equal(mw_stats(w).drop[HP_RG_BUSY], 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, mw_begin, mw_end)
	const struct CMUnitTest tests[] = {
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
	printf("seed %d\n", MW_SEED);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
