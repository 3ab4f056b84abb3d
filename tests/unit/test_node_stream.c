/* SPDX-License-Identifier: ISC */
/*
 * Where UDP is blocked: when a stream takes over, when UDP is tried again, and
 * that nothing is lost on the way back.
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
#include "base/pkt.h"

#define SERVERS 2
#define TRIES 6

static const struct sim_link ten_ms = { .delay_ns = 10 * HP_MS };
static const struct sim_nat_config home = {
	.mapping = SIM_EIM,
	.filtering = SIM_APDF,
};

struct net {
	struct sim_world w;
	struct sim_world_node *a;
	struct sim_world_node *b;
	/* Datagrams of alice to servers: when the last one left, and how many
	 * times there was a pause of a second before one.
	 */
	uint64_t sent_ns;
	unsigned int n_tries;
	uint64_t try_ns[TRIES];
};

static bool to_server(const struct net *t, const struct hp_addr *to)
{
	for (unsigned int i = 0; i < t->w.n_servers; i++) {
		struct hp_addr at = sim_host_addr(t->w.servers[i].host, 0);

		if (hp_addr_same_ip(&at, to))
			return true;
	}
	return false;
}

static void see(void *ctx, const struct sim_sight *s)
{
	struct net *t = ctx;
	uint64_t now = sim_now(t->w.sim);

	if (!t->a || s->fate != SIM_SENT || s->host != t->a->host ||
	    !to_server(t, &s->to))
		return;
	if (now - t->sent_ns > HP_S && t->n_tries < TRIES)
		t->try_ns[t->n_tries++] = now;
	t->sent_ns = now;
}

static void begin(struct net *t, uint64_t seed, enum hp_transport over)
{
	memset(t, 0, sizeof(*t));
	sim_world_init(&t->w, seed, true);
	sim_world_add_server(&t->w);
	t->w.streams = true;
	t->w.over = over;
	sim_observe(t->w.sim, see, t);
}

static struct sim_world_node *site(struct net *t, const char *name, bool blocked)
{
	unsigned int i = t->w.n_nodes;
	struct sim_nat *nat;
	struct sim_world_node *x;
	char ip[32];

	snprintf(ip, sizeof(ip), "203.0.113.%u", 211 + i);
	nat = sim_nat_new(t->w.sim, &home, NULL, ip);
	snprintf(ip, sizeof(ip), "192.168.%u.2", i);
	x = sim_world_add(&t->w, name, nat, ip, &ten_ms);
	sim_host_block(x->host, blocked);
	return x;
}

static void join(struct net *t, bool blocked)
{
	t->a = site(t, "alice", blocked);
	t->b = site(t, "bob", false);
}

static struct hp_node_server_info info_of(const struct sim_world_node *x,
					  unsigned int server)
{
	struct hp_node_server_info info;

	hp_node_server_get(x->node, server, &info);
	return info;
}

static bool is_over(const struct sim_world_node *x, enum hp_transport over)
{
	for (unsigned int i = 0; i < SERVERS; i++) {
		struct hp_node_server_info info = info_of(x, i);

		if (info.state != HP_SERVER_REGISTERED || info.over != over)
			return false;
	}
	return true;
}

struct over {
	const struct sim_world_node *x;
	enum hp_transport over;
};

static bool over_is(void *ctx)
{
	const struct over *o = ctx;

	return is_over(o->x, o->over);
}

static bool wait_over(struct net *t, enum hp_transport over, uint64_t ns)
{
	struct over o = { t->a, over };

	return sim_run(t->w.sim, sim_now(t->w.sim) + ns, over_is, &o);
}

static bool any_stream(const struct sim_world_node *x)
{
	for (unsigned int i = 0; i < SERVERS; i++)
		if (x->tcp[i].state != SIM_TCP_CLOSED)
			return true;
	return false;
}

/* Both talk; returns the longest silence that either heard. */
static uint64_t talk(struct net *t, uint64_t ns)
{
	const struct sim_stream *s[2] = { &t->b->from[0], &t->a->from[1] };
	uint64_t heard[2] = { sim_now(t->w.sim), sim_now(t->w.sim) };
	uint64_t end = sim_now(t->w.sim) + ns, gap = 0;

	while (sim_now(t->w.sim) < end) {
		sim_world_packet(t->a, t->b);
		sim_world_packet(t->b, t->a);
		sim_world_run(&t->w, 20 * HP_MS);
		for (unsigned int i = 0; i < 2; i++) {
			if (s[i]->last_ns > heard[i])
				heard[i] = s[i]->last_ns;
			if (sim_now(t->w.sim) - heard[i] > gap)
				gap = sim_now(t->w.sim) - heard[i];
		}
	}
	return gap;
}

static void want(struct net *t)
{
	assert_int_equal(hp_node_want(t->a->node, "bob", sim_now(t->w.sim)),
			 HP_OK);
}

static void no_stream_where_udp_is_answered(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 1, HP_OVER_UDP);
	join(&t, false);
	for (unsigned int i = 0; i < 100; i++) {
		sim_world_run(&t.w, 100 * HP_MS);
		assert_false(any_stream(t.a));
	}
	assert_true(is_over(t.a, HP_OVER_UDP));
	sim_world_free(&t.w);
}

static void stream_takes_over_after_three_seconds(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 2, HP_OVER_UDP);
	join(&t, true);
	sim_world_run(&t.w, 2900 * HP_MS);
	assert_false(any_stream(t.a));
	/* Three round trips of 70 ms to the farther server, and one more. */
	assert_true(wait_over(&t, HP_OVER_TCP, 800 * HP_MS));
	assert_true(is_over(t.b, HP_OVER_UDP));
	sim_world_free(&t.w);
}

static void blocked_peer_is_relayed_by_its_stream(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 3, HP_OVER_UDP);
	join(&t, true);
	assert_true(wait_over(&t, HP_OVER_TCP, 4 * HP_S));
	want(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_RELAYED, HP_S));
	assert_true(talk(&t, 20 * HP_S) < 300 * HP_MS);
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_RELAYED);
	assert_int_equal(t.a->bad + t.a->twice + t.b->bad + t.b->twice, 0);
	sim_world_free(&t.w);
}

/* After 4, 8, 16, 32 and 32 s: first by both servers at once, then too. */
static void udp_is_tried_again_ever_more_rarely(void **state)
{
	static const unsigned int after_s[TRIES] = { 4, 8, 16, 32, 32, 32 };
	static struct net t;
	uint64_t last;

	(void)state;
	begin(&t, 4, HP_OVER_UDP);
	join(&t, true);
	assert_true(wait_over(&t, HP_OVER_TCP, 4 * HP_S));
	last = sim_now(t.w.sim);
	t.n_tries = 0;
	sim_world_run(&t.w, 130 * HP_S);
	assert_int_equal(t.n_tries, TRIES);
	for (unsigned int i = 0; i < TRIES; i++) {
		double s = (double)(t.try_ns[i] - last) / 1e9;

		if (s < after_s[i] - 0.5 || s > after_s[i] + 0.5)
			fail_msg("try %u after %.1f s", i, s);
		last = t.try_ns[i];
	}
	assert_true(is_over(t.a, HP_OVER_TCP));
	sim_world_free(&t.w);
}

static void udp_is_tried_at_once_when_the_network_changes(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 5, HP_OVER_UDP);
	join(&t, true);
	assert_true(wait_over(&t, HP_OVER_TCP, 4 * HP_S));
	sim_world_run(&t.w, 35 * HP_S);
	sim_host_block(t.a->host, false);
	hp_node_network_changed(t.a->node, sim_now(t.w.sim));
	assert_true(wait_over(&t, HP_OVER_UDP, 500 * HP_MS));
	sim_world_run(&t.w, 300 * HP_MS);
	assert_false(any_stream(t.a));
	sim_world_free(&t.w);
}

/* No packet is lost, none comes twice; a stream overtakes nothing. */
static void way_back_to_udp_is_seamless(void **state)
{
	(void)state;
	for (uint64_t seed = 20; seed < 30; seed++) {
		static struct net t;
		uint32_t lost;

		begin(&t, seed, HP_OVER_UDP);
		join(&t, true);
		assert_true(wait_over(&t, HP_OVER_TCP, 4 * HP_S));
		want(&t);
		assert_true(sim_world_wait(t.a, "bob", HP_PEER_RELAYED, HP_S));
		talk(&t, HP_S);
		lost = t.b->from[0].sent - t.b->from[0].delivered +
		       t.a->from[1].sent - t.a->from[1].delivered;
		sim_host_block(t.a->host, false);
		if (talk(&t, 34 * HP_S) > 250 * HP_MS)
			fail_msg("seed %u: silence", (unsigned int)seed);
		assert_true(is_over(t.a, HP_OVER_UDP));
		assert_false(any_stream(t.a));
		assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
		sim_world_run(&t.w, HP_S);
		assert_true(t.b->from[0].sent - t.b->from[0].delivered +
				    t.a->from[1].sent -
				    t.a->from[1].delivered <= lost);
		assert_int_equal(t.a->twice + t.b->twice, 0);
		sim_world_free(&t.w);
	}
}

/* By a stream nothing tells which of a server's addresses a host could reach by
 * UDP: each is tried.
 */
static void host_with_ipv6_alone_comes_back_too(void **state)
{
	static struct net t;
	struct sim_site ip6 = { .ip6 = "2001:db8:9::2", .link = &ten_ms,
				 .port = WORLD_PORT };

	(void)state;
	begin(&t, 12, HP_OVER_UDP);
	t.a = sim_world_join(&t.w, "alice", &ip6);
	sim_host_block(t.a->host, true);
	t.b = site(&t, "bob", false);
	assert_true(wait_over(&t, HP_OVER_TCP, 4 * HP_S));
	want(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_RELAYED, HP_S));
	talk(&t, 2 * HP_S);
	sim_host_block(t.a->host, false);
	assert_true(talk(&t, 34 * HP_S) < 250 * HP_MS);
	assert_true(is_over(t.a, HP_OVER_UDP));
	assert_int_equal(info_of(t.a, 0).addr.family, HP_AF_6);
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_RELAYED);
	sim_world_free(&t.w);
}

static void udp_that_gets_blocked_later_is_left(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 6, HP_OVER_UDP);
	join(&t, false);
	assert_true(wait_over(&t, HP_OVER_UDP, HP_S));
	want(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, HP_S));
	talk(&t, 2 * HP_S);
	sim_host_block(t.a->host, true);
	talk(&t, 12 * HP_S);
	assert_true(is_over(t.a, HP_OVER_TCP));
	assert_true(talk(&t, 5 * HP_S) < 300 * HP_MS);
	sim_world_free(&t.w);
}

/* An answer by UDP that comes while the stream is still being made. */
static void stream_that_comes_too_late_is_closed(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 7, HP_OVER_UDP);
	join(&t, true);
	while (!any_stream(t.a))
		sim_world_run(&t.w, 10 * HP_MS);
	sim_host_block(t.a->host, false);
	hp_node_network_changed(t.a->node, sim_now(t.w.sim));
	assert_true(wait_over(&t, HP_OVER_UDP, 5 * HP_S));
	sim_world_run(&t.w, 10 * HP_S);
	assert_true(is_over(t.a, HP_OVER_UDP));
	assert_false(any_stream(t.a));
	sim_world_free(&t.w);
}

static void stream_that_ends_is_made_again(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 8, HP_OVER_UDP);
	join(&t, true);
	assert_true(wait_over(&t, HP_OVER_TCP, 4 * HP_S));
	want(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_RELAYED, HP_S));
	sim_tcp_node_break(t.a);
	sim_world_run(&t.w, HP_S);
	assert_string_equal(info_of(t.a, 0).stream, "it ended");
	assert_int_equal(info_of(t.a, 0).over, HP_OVER_UDP);
	assert_true(wait_over(&t, HP_OVER_TCP, 4 * HP_S));
	assert_string_equal(info_of(t.a, 0).stream, "");
	assert_true(talk(&t, 2 * HP_S) < 300 * HP_MS);
	sim_world_free(&t.w);
}

static void each_server_has_a_stream_of_its_own(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 9, HP_OVER_UDP);
	join(&t, true);
	sim_world_server_stop(&t.w, 0);
	sim_world_run(&t.w, 4 * HP_S);
	assert_int_equal(info_of(t.a, 1).state, HP_SERVER_REGISTERED);
	assert_int_equal(info_of(t.a, 1).over, HP_OVER_TCP);
	assert_int_not_equal(info_of(t.a, 0).state, HP_SERVER_REGISTERED);
	assert_string_equal(info_of(t.a, 0).stream, "refused");
	want(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_RELAYED, HP_S));
	/* The one that relays dies; the other one had not introduced them, and is
	 * there for both by different ways.
	 */
	sim_world_server_start(&t.w, 0);
	assert_true(wait_over(&t, HP_OVER_TCP, 20 * HP_S));
	talk(&t, HP_S);
	sim_world_server_stop(&t.w, 1);
	talk(&t, 4 * HP_S);
	assert_true(talk(&t, 5 * HP_S) < 300 * HP_MS);
	sim_world_free(&t.w);
}

static void server_named_with_tcp_is_never_spoken_to_by_udp(void **state)
{
	static struct net t;

	(void)state;
	begin(&t, 10, HP_OVER_TCP);
	join(&t, false);
	assert_true(wait_over(&t, HP_OVER_TCP, 500 * HP_MS));
	want(&t);
	talk(&t, 60 * HP_S);
	assert_true(is_over(t.a, HP_OVER_TCP));
	assert_int_equal(t.n_tries, 0);
	assert_int_equal(t.sent_ns, 0);
	sim_world_free(&t.w);
}

/* The very answer that the server gave: by another server's stream, or by UDP,
 * it moves nothing; by its own stream it does.
 */
static void answer_counts_by_the_way_of_its_server_only(void **state)
{
	static struct net t;
	const struct sim_tcp *first;
	uint8_t word[256];
	size_t len;

	(void)state;
	begin(&t, 11, HP_OVER_TCP);
	join(&t, false);
	first = &t.a->tcp[0];
	while (!first->down.first)
		sim_world_run(&t.w, HP_MS);
	assert_null(first->up.first);
	len = first->down.first->len;
	assert_true(len <= sizeof(word));
	memcpy(word, first->down.first->buf, len);
	for (unsigned int way = 0; way < 3; way++) {
		static const uint32_t sock[] = { 0, HP_SOCK_STREAM + 1,
						 HP_SOCK_STREAM };
		struct hp_path from = { .remote = info_of(t.a, 0).addr,
					.sock = sock[way] };
		uint8_t copy[sizeof(word)];
		struct hp_pkt pkt = hp_pkt_of(copy, len, 0, len);

		memcpy(copy, word, len);
		hp_node_rx(t.a->node, &from, &pkt, sim_now(t.w.sim));
		assert_int_equal(first->up.first != NULL, way == 2);
	}
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stream_where_udp_is_answered),
		cmocka_unit_test(stream_takes_over_after_three_seconds),
		cmocka_unit_test(blocked_peer_is_relayed_by_its_stream),
		cmocka_unit_test(udp_is_tried_again_ever_more_rarely),
		cmocka_unit_test(udp_is_tried_at_once_when_the_network_changes),
		cmocka_unit_test(way_back_to_udp_is_seamless),
		cmocka_unit_test(host_with_ipv6_alone_comes_back_too),
		cmocka_unit_test(udp_that_gets_blocked_later_is_left),
		cmocka_unit_test(stream_that_comes_too_late_is_closed),
		cmocka_unit_test(stream_that_ends_is_made_again),
		cmocka_unit_test(each_server_has_a_stream_of_its_own),
		cmocka_unit_test(
			server_named_with_tcp_is_never_spoken_to_by_udp),
		cmocka_unit_test(answer_counts_by_the_way_of_its_server_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
