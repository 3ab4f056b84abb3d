/* SPDX-License-Identifier: ISC */
/*
 * Members that relay for others: alice and bob reach carol, and not each other;
 * there is no rendezvous any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../sim/world.h"
#include "base/bytes.h"
#include "base/datagram.h"
#include "member/judge.h"
#include "node/ferry.h"
#include "node/internal.h"

#define UNTIL_S (1800000000u + 86400)

static const struct sim_link ten_ms = { .delay_ns = 10 * HP_MS };
static const struct sim_link far = { .delay_ns = 60 * HP_MS };

static const struct sim_nat_config symmetric = {
	.mapping = SIM_APDM,
	.filtering = SIM_APDF,
	.ports = SIM_RANDOM,
};

static const struct sim_nat_config home = {
	.mapping = SIM_EIM,
	.filtering = SIM_APDF,
};

static const struct sim_nat_config open_home = {
	.mapping = SIM_EIM,
	.filtering = SIM_EIF,
};

struct quartet {
	struct sim_world w;
	struct sim_world_node *alice;
	struct sim_world_node *bob;
	struct sim_world_node *carol;
	struct sim_world_node *dave;	/* NULL: is not there */
};

struct setting {
	uint64_t seed;
	const struct sim_nat_config *nat;
	bool carol, dave;		/* relay for others */
	bool two;			/* dave is there */
	bool swap;			/* who of the two is far */
	bool server;			/* a second one stays, far away */
	uint32_t off;			/* methods that are */
	uint32_t rate;
};

static void want(struct sim_world_node *x, const char *peer)
{
	assert_int_equal(hp_node_want(x->node, peer, sim_now(x->world->sim)),
			 HP_OK);
}

static void meet(struct sim_world_node *a, const char *peer)
{
	want(a, peer);
	assert_true(sim_world_wait(a, peer, HP_PEER_DIRECT, 5 * HP_S));
}

/* alice and bob know carol (and dave), and then the server dies. */
static void begin(struct quartet *t, const struct setting *s)
{
	struct sim_nat *nat[2];

	memset(t, 0, sizeof(*t));
	sim_world_init(&t->w, s->seed, true);
	t->w.methods = HP_METHODS_ALL &
		       ~(uint32_t)(HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY) &
		       ~s->off;
	if (s->server)
		sim_world_add_server(&t->w);
	nat[0] = sim_nat_new(t->w.sim, s->nat, NULL, "203.0.113.211");
	nat[1] = sim_nat_new(t->w.sim, s->nat, NULL, "203.0.113.212");
	t->alice = sim_world_add(&t->w, "alice", nat[0], "192.168.1.2",
				 &ten_ms);
	t->bob = sim_world_add(&t->w, "bob", nat[1], "192.168.2.2", &ten_ms);
	t->w.relay_rate = s->rate;
	t->w.allow_relay = s->carol;
	t->carol = sim_world_add(&t->w, "carol", NULL, "203.0.113.23",
				 s->swap ? &far : &ten_ms);
	t->w.allow_relay = s->dave;
	if (s->two)
		t->dave = sim_world_add(&t->w, "dave", NULL, "203.0.113.24",
					s->swap ? &ten_ms : &far);
	sim_world_run(&t->w, 2 * HP_S);
	meet(t->alice, "carol");
	meet(t->bob, "carol");
	if (t->dave) {
		meet(t->alice, "dave");
		meet(t->bob, "dave");
	}
	sim_world_run(&t->w, HP_S);
	sim_world_server_stop(&t->w, 0);
}

static struct hp_node_peer_info info_of(struct sim_world_node *x,
					const char *peer)
{
	struct hp_node_peer_info info;

	assert_int_equal(hp_node_peer_find(x->node, peer,
					   sim_now(x->world->sim), &info),
			 HP_OK);
	return info;
}

/* Ten packets each way; how many arrived. */
static unsigned int talk(struct sim_world_node *a, struct sim_world_node *b)
{
	unsigned int was = a->delivered + b->delivered;

	for (unsigned int i = 0; i < 10; i++) {
		sim_world_packet(a, b);
		sim_world_packet(b, a);
		sim_world_run(a->world, 100 * HP_MS);
	}
	return a->delivered + b->delivered - was;
}

/* Packets from @a to @b for @ns; the longest time that none arrived. */
static uint64_t silence(struct sim_world_node *a, struct sim_world_node *b,
			uint64_t ns)
{
	uint64_t now = sim_now(a->world->sim), last = now, most = 0;
	uint64_t end = now + ns;

	while (now < end) {
		unsigned int was = b->delivered;

		sim_world_packet(a, b);
		sim_world_run(a->world, 20 * HP_MS);
		now = sim_now(a->world->sim);
		if (b->delivered != was)
			last = now;
		else if (now - last > most)
			most = now - last;
	}
	sim_world_run(a->world, HP_S);
	return most;
}

static bool relayed_by(struct sim_world_node *x, const char *peer,
		       const char *by)
{
	struct hp_node_peer_info info = info_of(x, peer);

	return info.state == HP_PEER_RELAYED && info.server &&
	       !strcmp(info.server, by);
}

static struct hp_ferry_info ferry_of(const struct sim_world_node *x)
{
	struct hp_ferry_info info;

	assert_true(hp_node_ferry_get(x->node, &info));
	return info;
}

static void two_without_a_server_are_relayed_by_a_member(void **state)
{
	struct quartet t;

	(void)state;
	for (uint64_t seed = 1; seed < 5; seed++) {
		begin(&t, &(struct setting){ seed, &symmetric, .carol = true });
		want(t.alice, "bob");
		assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED,
					   5 * HP_S));
		sim_world_run(&t.w, HP_S);
		assert_true(relayed_by(t.alice, "bob", "carol"));
		assert_true(relayed_by(t.bob, "alice", "carol"));
		assert_int_equal(talk(t.alice, t.bob), 20);
		assert_int_equal(ferry_of(t.carol).channels, 1);
		assert_true(ferry_of(t.carol).packets >= 20);
		assert_int_equal(ferry_of(t.carol).dropped, 0);
		/* It lasts, busy or idle. */
		sim_world_run(&t.w, 600 * HP_S);
		assert_int_equal(talk(t.alice, t.bob), 20);
		assert_int_equal(t.alice->bad + t.bob->bad + t.carol->bad, 0);
		sim_world_free(&t.w);
	}
}

static void nobody_relays_who_does_not_allow_it(void **state)
{
	struct hp_ferry_info info;
	struct hp_via_info via;
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 10, &symmetric, .carol = false });
	want(t.alice, "bob");
	sim_world_run(&t.w, 30 * HP_S);
	assert_int_equal(sim_world_state(t.alice, "bob"),
			 HP_PEER_CONNECTING);
	assert_int_equal(talk(t.alice, t.bob), 0);
	assert_false(hp_node_ferry_get(t.carol->node, &info));
	hp_node_via_get(t.alice->node, "bob", &via);
	assert_string_equal(via.other, "carol");
	assert_null(via.relays);
	hp_node_via_get(t.alice->node, "carol", &via);
	assert_null(via.other);
	sim_world_free(&t.w);
}

static void the_sum_of_both_legs_decides_between_members(void **state)
{
	struct quartet t;

	(void)state;
	for (unsigned int near = 0; near < 2; near++) {
		begin(&t, &(struct setting){ 20 + near, &symmetric,
					     .carol = true, .dave = true,
					     .two = true, .swap = near });
		want(t.alice, "bob");
		assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED,
					   5 * HP_S));
		sim_world_run(&t.w, 2 * HP_S);
		assert_true(relayed_by(t.alice, "bob", near ? "dave" : "carol"));
		assert_true(relayed_by(t.bob, "alice", near ? "dave" : "carol"));
		assert_int_equal(talk(t.alice, t.bob), 20);
		sim_world_free(&t.w);
	}
}

static void when_a_relaying_member_dies_another_one_takes_over(void **state)
{
	struct quartet t;
	unsigned int got;

	(void)state;
	begin(&t, &(struct setting){ 30, &symmetric, .carol = true,
				     .dave = true, .two = true });
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	assert_int_equal(talk(t.alice, t.bob), 20);
	assert_true(relayed_by(t.alice, "bob", "carol"));
	sim_world_kill(t.carol);
	for (unsigned int i = 0; i < 4; i++)
		got = talk(t.alice, t.bob);
	assert_int_equal(got, 20);
	assert_true(relayed_by(t.alice, "bob", "dave"));
	assert_true(relayed_by(t.bob, "alice", "dave"));
	sim_world_free(&t.w);
}

/* Nobody else relays: the connection is lost, and comes back with carol. */
static void a_relaying_member_that_restarts_is_asked_again(void **state)
{
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 31, &symmetric, .carol = true });
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	sim_world_kill(t.carol);
	for (unsigned int i = 0; i < 5; i++)
		(void)talk(t.alice, t.bob);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_LOST);
	assert_null(info_of(t.alice, "bob").server);
	sim_world_restart(t.carol);
	/* Both call her where she was. */
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 90 * HP_S));
	sim_world_run(&t.w, 60 * HP_S);
	assert_int_equal(talk(t.alice, t.bob), 20);
	sim_world_free(&t.w);
}

static void a_direct_path_replaces_the_member_when_there_is_one(void **state)
{
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 40, &home, .carol = true });
	sim_host_deafen(t.alice->host, t.bob->host);
	sim_host_deafen(t.bob->host, t.alice->host);
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	assert_int_equal(talk(t.alice, t.bob), 20);
	sim_host_deafen(t.alice->host, NULL);
	sim_host_deafen(t.bob->host, NULL);
	for (unsigned int i = 0; i < 70; i++)
		assert_int_equal(talk(t.alice, t.bob), 20);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_DIRECT);
	assert_int_equal(sim_world_state(t.bob, "alice"), HP_PEER_DIRECT);
	/* And carol is there when it breaks. */
	sim_host_deafen(t.alice->host, t.bob->host);
	sim_host_deafen(t.bob->host, t.alice->host);
	(void)talk(t.alice, t.bob), (void)talk(t.alice, t.bob);
	(void)talk(t.alice, t.bob);
	assert_int_equal(talk(t.alice, t.bob), 20);
	assert_true(relayed_by(t.alice, "bob", "carol"));
	sim_world_free(&t.w);
}

static void the_limit_holds_for_all_that_is_relayed(void **state)
{
	struct hp_ferry_info info;
	unsigned int sent = 0, was;
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 50, &symmetric, .carol = true,
				     .rate = 50000 });
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	/* Half of it passes. */
	was = t.bob->delivered;
	for (; sent < 100; sent++) {
		sim_world_packet_of(t.alice, t.bob, 1200);
		sim_world_run(&t.w, 50 * HP_MS);
	}
	assert_int_equal(t.bob->delivered - was, sent);
	assert_int_equal(ferry_of(t.carol).dropped, 0);
	/* Four times as much does not: what was saved up, and the rate. */
	was = t.bob->delivered;
	for (sent = 0; sent < 1600; sent++) {
		sim_world_packet_of(t.alice, t.bob, 1200);
		sim_world_run(&t.w, 6 * HP_MS);
	}
	info = ferry_of(t.carol);
	assert_in_range(t.bob->delivered - was, 350, 550);
	assert_true(info.dropped > 1000);
	assert_int_equal(info.rate, 50000);
	sim_world_free(&t.w);
}

static void a_revoked_member_loses_its_channels(void **state)
{
	uint8_t list[HP_REVOKED_WIRE_MAX];
	const uint32_t bob = 2;
	struct quartet t;
	size_t len;

	(void)state;
	begin(&t, &(struct setting){ 60, &symmetric, .carol = true });
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	assert_int_equal(hp_revoked_make(&t.w.root, 1, &bob, 1, list, &len),
			 HP_OK);
	assert_int_equal(hp_node_set_revoked(t.carol->node, list, len,
					     sim_now(t.w.sim)), HP_OK);
	assert_int_equal(ferry_of(t.carol).channels, 0);
	(void)talk(t.alice, t.bob);
	assert_int_equal(talk(t.alice, t.bob), 0);
	sim_world_free(&t.w);
}

/* Not for its owner, and not for others to reach it. */
static void a_member_past_its_date_gets_no_channel(void **state)
{
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 61, &symmetric, .carol = true });
	hp_node_set_wall(t.carol->node, UNTIL_S + 1, sim_now(t.w.sim));
	assert_int_equal(sim_world_state(t.carol, "bob"), HP_PEER_DIRECT);
	want(t.alice, "bob");
	sim_world_run(&t.w, 20 * HP_S);
	assert_int_equal(ferry_of(t.carol).channels, 0);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_CONNECTING);
	sim_world_free(&t.w);
}

/* They know each other; then bob loses carol, and carol does not guess where he
 * is now.
 */
static void a_channel_ends_with_the_direct_path_of_an_end(void **state)
{
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 62, &symmetric, .carol = true });
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	sim_host_deafen(t.carol->host, t.bob->host);
	sim_host_deafen(t.bob->host, t.carol->host);
	for (unsigned int i = 0; i < 30; i++)
		(void)talk(t.alice, t.bob);
	assert_int_equal(ferry_of(t.carol).channels, 0);
	assert_int_not_equal(sim_world_state(t.carol, "bob"), HP_PEER_DIRECT);
	assert_int_equal(sim_world_state(t.alice, "carol"), HP_PEER_DIRECT);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_LOST);
	sim_world_free(&t.w);
}

/* Another address of hers is found out by probes; nobody has to ask again. */
static void channels_move_with_the_relaying_member(void **state)
{
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 64, &open_home, .carol = true });
	sim_host_deafen(t.alice->host, t.bob->host);
	sim_host_deafen(t.bob->host, t.alice->host);
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	assert_int_equal(talk(t.alice, t.bob), 20);
	sim_host_renumber(t.carol->host, "203.0.113.29");
	sim_world_tell_interfaces(t.carol);
	assert_true(silence(t.alice, t.bob, 5 * HP_S) < 500 * HP_MS);
	assert_int_equal(talk(t.alice, t.bob), 20);
	assert_true(relayed_by(t.alice, "bob", "carol"));
	sim_world_free(&t.w);
}

/* The channel of their first moments went with carol's first run. */
static void a_direct_path_that_breaks_is_replaced_by_a_member(void **state)
{
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 65, &home, .carol = true });
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_DIRECT, 5 * HP_S));
	sim_world_restart(t.carol);
	sim_world_run(&t.w, 200 * HP_S);
	assert_int_equal(talk(t.alice, t.bob), 20);
	assert_int_equal(ferry_of(t.carol).channels, 0);
	sim_host_deafen(t.alice->host, t.bob->host);
	sim_host_deafen(t.bob->host, t.alice->host);
	assert_true(silence(t.alice, t.bob, 8 * HP_S) < 2 * HP_S);
	assert_int_equal(talk(t.alice, t.bob), 20);
	assert_true(relayed_by(t.alice, "bob", "carol"));
	sim_world_free(&t.w);
}

static void who_may_use_no_relay_asks_no_member(void **state)
{
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 63, &symmetric, .carol = true,
				     .off = HP_METHOD_RELAY });
	want(t.alice, "bob");
	sim_world_run(&t.w, 20 * HP_S);
	assert_int_equal(ferry_of(t.carol).channels, 0);
	sim_world_free(&t.w);
}

/* Six relay, and only the one that was met last reaches bob. */
static void of_many_members_all_are_asked_in_turn(void **state)
{
	static const char *const names[] = { "e1", "e2", "e3", "e4", "e5",
					     "e6" };
	struct sim_world_node *x = NULL;
	struct sim_nat *nat[2];
	struct quartet t = { 0 };
	char ip[16];

	(void)state;
	sim_world_init(&t.w, 66, true);
	t.w.methods = HP_METHODS_ALL &
		      ~(uint32_t)(HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY);
	nat[0] = sim_nat_new(t.w.sim, &symmetric, NULL, "203.0.113.211");
	nat[1] = sim_nat_new(t.w.sim, &symmetric, NULL, "203.0.113.212");
	t.alice = sim_world_add(&t.w, "alice", nat[0], "192.168.1.2", NULL);
	t.bob = sim_world_add(&t.w, "bob", nat[1], "192.168.2.2", NULL);
	t.w.allow_relay = true;
	for (unsigned int i = 0; i < 6; i++) {
		snprintf(ip, sizeof(ip), "203.0.113.%u", 31 + i);
		x = sim_world_add(&t.w, names[i], NULL, ip, &ten_ms);
		sim_world_run(&t.w, HP_S);
		meet(t.alice, names[i]);
	}
	meet(t.bob, "e6");
	sim_world_server_stop(&t.w, 0);
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED,
				   20 * HP_S));
	assert_true(relayed_by(t.alice, "bob", "e6"));
	assert_int_equal(ferry_of(x).channels, 1);
	sim_world_free(&t.w);
}

/* ---- strangers --------------------------------------------------------- */

/* Sees what passes carol, and repeats it from a place of his own. */
struct thief {
	struct sim_host *host;
	const struct sim_host *carol;
	struct hp_addr to;
	uint8_t buf[1500];
	size_t len;
};

static void steal(void *ctx, const struct sim_sight *s)
{
	struct thief *x = ctx;

	if (s->fate != SIM_ARRIVED || s->at != x->carol || x->len ||
	    hp_datagram_kind(s->buf, s->len) != HP_DGRAM_RELAY)
		return;
	memcpy(x->buf, s->buf, s->len);
	x->len = s->len;
	x->to = s->to;
}

static void a_channel_serves_its_two_ends_alone(void **state)
{
	struct hp_ferry_info was;
	struct thief x = { 0 };
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 70, &symmetric, .carol = true });
	x.host = sim_host_new(t.w.sim, NULL, "203.0.113.66", NULL);
	x.carol = t.carol->host;
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	sim_world_run(&t.w, HP_S);
	sim_observe(t.w.sim, steal, &x);
	assert_int_equal(talk(t.alice, t.bob), 20);
	assert_true(x.len);
	sim_world_run(&t.w, HP_S);
	was = ferry_of(t.carol);
	for (unsigned int i = 0; i < 20; i++)
		sim_send(x.host, 7, &x.to, 0, x.buf, x.len);
	sim_world_run(&t.w, 50 * HP_MS);
	assert_int_equal(ferry_of(t.carol).packets, was.packets);
	assert_int_equal(sim_host_received(x.host), 0);
	sim_world_free(&t.w);
}

/* ---- beside a server --------------------------------------------------- */

/* The server is far, and relays; carol is near. */
static void a_near_member_relieves_a_far_server(void **state)
{
	struct quartet t;

	(void)state;
	begin(&t, &(struct setting){ 80, &symmetric, .carol = true,
				     .server = true });
	sim_world_server_stop(&t.w, 0);
	sim_world_run(&t.w, 60 * HP_S);
	want(t.alice, "bob");
	assert_true(sim_world_wait(t.alice, "bob", HP_PEER_RELAYED, 5 * HP_S));
	sim_world_run(&t.w, HP_S);
	assert_false(relayed_by(t.alice, "bob", "carol"));
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(talk(t.alice, t.bob), 20);
	assert_true(relayed_by(t.alice, "bob", "carol"));
	assert_true(relayed_by(t.bob, "alice", "carol"));
	/* Back to it when carol goes. */
	sim_world_kill(t.carol);
	(void)talk(t.alice, t.bob), (void)talk(t.alice, t.bob);
	(void)talk(t.alice, t.bob);
	assert_int_equal(talk(t.alice, t.bob), 20);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_RELAYED);
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_without_a_server_are_relayed_by_a_member),
		cmocka_unit_test(nobody_relays_who_does_not_allow_it),
		cmocka_unit_test(the_sum_of_both_legs_decides_between_members),
		cmocka_unit_test(
			when_a_relaying_member_dies_another_one_takes_over),
		cmocka_unit_test(
			a_relaying_member_that_restarts_is_asked_again),
		cmocka_unit_test(
			a_direct_path_replaces_the_member_when_there_is_one),
		cmocka_unit_test(the_limit_holds_for_all_that_is_relayed),
		cmocka_unit_test(a_revoked_member_loses_its_channels),
		cmocka_unit_test(a_member_past_its_date_gets_no_channel),
		cmocka_unit_test(a_channel_ends_with_the_direct_path_of_an_end),
		cmocka_unit_test(channels_move_with_the_relaying_member),
		cmocka_unit_test(
			a_direct_path_that_breaks_is_replaced_by_a_member),
		cmocka_unit_test(who_may_use_no_relay_asks_no_member),
		cmocka_unit_test(of_many_members_all_are_asked_in_turn),
		cmocka_unit_test(a_channel_serves_its_two_ends_alone),
		cmocka_unit_test(a_near_member_relieves_a_far_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
