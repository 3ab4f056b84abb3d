/* SPDX-License-Identifier: ISC */
/*
 * Without a rendezvous: nodes find each other on their LAN, where they were
 * before, and by way of a third one; and old calls do no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/datagram.h"
#include "member/call.h"
#include "node_world.h"

static const struct sim_nat_config home = {
	.mapping = SIM_EIM,
	.filtering = SIM_APDF,
	.hairpin = true,
};

struct lan {
	struct sim_world w;
	struct sim_nat *nat;
	struct sim_world_node *a;
	struct sim_world_node *b;
};

/* alice and bob behind one router. */
static void lan_of(struct lan *t, uint64_t seed, bool server)
{
	sim_world_init(&t->w, seed, true);
	if (!server)
		sim_world_server_stop(&t->w, 0);
	t->w.beacons = true;
	t->nat = sim_nat_new(t->w.sim, &home, NULL, "203.0.113.11");
	t->a = sim_world_add(&t->w, "alice", t->nat, "192.168.1.2", NULL);
	t->b = sim_world_add(&t->w, "bob", t->nat, "192.168.1.3", NULL);
}

static void packets_pass(struct sim_world_node *a, struct sim_world_node *b)
{
	unsigned int was_a = a->delivered, was_b = b->delivered;

	for (unsigned int i = 0; i < 10; i++) {
		sim_world_packet(a, b);
		sim_world_packet(b, a);
		sim_world_run(a->world, 100 * HP_MS);
	}
	assert_int_equal(a->delivered - was_a, 10);
	assert_int_equal(b->delivered - was_b, 10);
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

static void two_on_a_lan_meet_within_a_second(void **state)
{
	struct lan t;

	(void)state;
	for (uint64_t seed = 1; seed < 9; seed++) {
		lan_of(&t, seed, false);
		nw_want(t.a, "bob");
		assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, HP_S));
		assert_true(sim_world_wait(t.b, "alice", HP_PEER_DIRECT,
					   100 * HP_MS));
		assert_true(info_of(t.a, "bob").lan);
		packets_pass(t.a, t.b);
		sim_world_free(&t.w);
	}
}

/* Nobody had to be asked for by name, long after both had started. */
static void one_asked_for_late_is_found_within_a_second(void **state)
{
	struct lan t;

	(void)state;
	lan_of(&t, 20, false);
	sim_world_run(&t.w, 300 * HP_S);
	nw_want(t.b, "alice");
	assert_true(sim_world_wait(t.b, "alice", HP_PEER_DIRECT, HP_S));
	packets_pass(t.a, t.b);
	sim_world_free(&t.w);
}

static void whoever_wants_all_meets_who_comes_later(void **state)
{
	struct lan t;
	struct sim_world_node *c;

	(void)state;
	lan_of(&t, 21, false);
	hp_node_want_all(t.a->node, sim_now(t.w.sim));
	sim_world_run(&t.w, 200 * HP_S);
	c = sim_world_add(&t.w, "carol", t.nat, "192.168.1.4", NULL);
	hp_node_want_all(c->node, sim_now(t.w.sim));
	assert_true(sim_world_wait(c, "alice", HP_PEER_DIRECT, HP_S));
	packets_pass(t.a, c);
	sim_world_free(&t.w);
}

/* Two others that nobody asked for stay strangers. */
static void nobody_is_met_that_nobody_looks_for(void **state)
{
	struct hp_node_peer_info info;
	struct lan t;

	(void)state;
	lan_of(&t, 22, false);
	sim_world_run(&t.w, 10 * HP_S);
	assert_int_equal(hp_node_peer_find(t.a->node, "bob",
					   sim_now(t.w.sim), &info),
			 HP_ERR_UNKNOWN);
	sim_world_free(&t.w);
}

static void a_beacon_does_not_leave_its_lan(void **state)
{
	struct lan t;
	struct sim_nat *far;
	struct sim_world_node *c;

	(void)state;
	lan_of(&t, 23, false);
	far = sim_nat_new(t.w.sim, &home, NULL, "203.0.113.12");
	c = sim_world_add(&t.w, "carol", far, "192.168.1.4", NULL);
	nw_want(t.a, "carol");
	nw_want(c, "alice");
	sim_world_run(&t.w, 20 * HP_S);
	assert_int_equal(sim_world_state(t.a, "carol"), HP_PEER_CONNECTING);
	sim_world_free(&t.w);
}

static void the_lan_wins_over_the_hairpin(void **state)
{
	struct lan t;

	(void)state;
	lan_of(&t, 24, true);
	sim_world_run(&t.w, 2 * HP_S);
	nw_want(t.a, "bob");
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, HP_S));
	sim_world_run(&t.w, 5 * HP_S);
	assert_int_equal(info_of(t.a, "bob").path.remote.ip[0], 192);
	assert_int_equal(info_of(t.b, "alice").path.remote.ip[0], 192);
	sim_world_free(&t.w);
}

/* ---- old calls --------------------------------------------------------- */

#define TAPES 64

/* Somebody on the LAN records every call, and plays them all. */
struct recorder {
	struct sim_host *host;
	struct { uint8_t buf[HP_WIRE_HEAD + HP_CALL_LEN]; size_t len; } *tape;
	unsigned int n;
	uint64_t heard;		/* bytes that came back to him */
};

static void record(void *ctx, const struct sim_sight *s)
{
	struct recorder *r = ctx;
	struct hp_addr own = sim_host_addr(r->host, 0);
	bool call = s->to.port == HP_BEACON_PORT ||
		    hp_datagram_kind(s->buf, s->len) == HP_DGRAM_CALL;

	if (s->fate == SIM_SENT && hp_addr_same_ip(&s->to, &own))
		r->heard += s->len;
	if (s->fate != SIM_SENT || s->host == r->host || !call ||
	    r->n == TAPES)
		return;
	assert_true(s->len <= sizeof(r->tape[0].buf));
	memcpy(r->tape[r->n].buf, s->buf, s->len);
	r->tape[r->n++].len = s->len;
}

/* To the group and to @to, in both forms. The bytes that he sent to @to. */
static uint64_t play(struct recorder *r, const struct sim_world_node *to)
{
	struct hp_addr group = hp_beacon_group(HP_AF_4, 0);
	struct hp_addr addr = sim_host_addr(to->host, to->port);
	uint64_t sent = 0;

	for (unsigned int i = 0; i < r->n; i++) {
		uint8_t buf[HP_WIRE_HEAD + HP_CALL_LEN];
		size_t skip = r->tape[i].len - HP_CALL_LEN;

		hp_datagram_head(buf, HP_KIND_CALL);
		memcpy(buf + HP_WIRE_HEAD, r->tape[i].buf + skip, HP_CALL_LEN);
		sim_send(r->host, 7, &addr, 0, buf, sizeof(buf));
		sim_send(r->host, 7, &group, 0, buf + HP_WIRE_HEAD,
			 HP_CALL_LEN);
		sent += sizeof(buf) + HP_CALL_LEN;
	}
	return sent;
}

static void old_calls_move_nobody_and_are_not_amplified(void **state)
{
	struct recorder r = { 0 };
	struct lan t;
	uint64_t sent = 0;

	(void)state;
	lan_of(&t, 30, false);
	r.tape = calloc(TAPES, sizeof(*r.tape));
	assert_non_null(r.tape);
	r.host = sim_host_new(t.w.sim, t.nat, "192.168.1.66", NULL);
	sim_observe(t.w.sim, record, &r);
	nw_want(t.a, "bob");
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, HP_S));
	/* Calls of runs that are long past, of both. */
	for (unsigned int run = 0; run < 3; run++) {
		sim_world_restart(t.a);
		nw_want(t.a, "bob");
		assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT,
					   2 * HP_S));
		sim_world_run(&t.w, 2 * HP_S);
	}
	assert_true(r.n > 8);
	r.heard = 0;
	for (unsigned int i = 0; i < 20; i++) {
		sent += play(&r, t.b);
		sim_world_packet(t.a, t.b);
		sim_world_packet(t.b, t.a);
		sim_world_run(&t.w, 500 * HP_MS);
		assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
		assert_int_equal(sim_world_state(t.b, "alice"),
				 HP_PEER_DIRECT);
	}
	assert_int_equal(info_of(t.b, "alice").path.remote.ip[3], 2);
	packets_pass(t.a, t.b);
	/* Old ASKs are answered, at a pace, and with less than they were. */
	assert_true(r.heard < sent);
	sim_world_free(&t.w);
	free(r.tape);
}

/* ---- where they were before -------------------------------------------- */

struct far {
	struct sim_world w;
	struct sim_world_node *x[3];
};

/* alice, bob and carol, each behind a router of its own. */
static void far_of(struct far *t, uint64_t seed)
{
	static const char *const names[] = { "alice", "bob", "carol" };

	sim_world_init(&t->w, seed, true);
	for (unsigned int i = 0; i < 3; i++) {
		char out[16], in[16];

		snprintf(out, sizeof(out), "203.0.113.%u", 11 + i);
		snprintf(in, sizeof(in), "192.168.%u.2", 1 + i);
		t->x[i] = sim_world_add(&t->w, names[i],
					sim_nat_new(t->w.sim, &home, NULL, out),
					in, &nw_ten_ms);
	}
	sim_world_run(&t->w, 2 * HP_S);
}

static void who_restarts_finds_its_peers_without_a_server(void **state)
{
	struct far t;

	(void)state;
	for (uint64_t seed = 40; seed < 44; seed++) {
		far_of(&t, seed);
		nw_want(t.x[0], "bob");
		assert_true(sim_world_wait(t.x[0], "bob", HP_PEER_DIRECT,
					   2 * HP_S));
		packets_pass(t.x[0], t.x[1]);
		assert_true(t.x[0]->cached > 0 && t.x[0]->cached < 4);
		sim_world_server_stop(&t.w, 0);
		sim_world_reload(t.x[0]);
		nw_want(t.x[0], "bob");
		assert_true(sim_world_wait(t.x[0], "bob", HP_PEER_DIRECT,
					   5 * HP_S));
		assert_true(sim_world_wait(t.x[1], "alice", HP_PEER_DIRECT,
					   HP_S));
		packets_pass(t.x[0], t.x[1]);
		sim_world_free(&t.w);
	}
}

/* It forgot everything, but the other one looks for it. */
static void who_restarts_is_found_by_its_peers(void **state)
{
	struct far t;

	(void)state;
	far_of(&t, 50);
	nw_want(t.x[0], "bob");
	assert_true(sim_world_wait(t.x[0], "bob", HP_PEER_DIRECT, 2 * HP_S));
	sim_world_server_stop(&t.w, 0);
	sim_world_restart(t.x[1]);
	for (unsigned int i = 0; i < 100; i++) {
		sim_world_packet(t.x[0], t.x[1]);
		sim_world_run(&t.w, 100 * HP_MS);
	}
	/* His router lets her in only once he sends, which he has no reason
	 * to; unless his hole is still open, as it is here.
	 */
	assert_int_equal(sim_world_state(t.x[0], "bob"), HP_PEER_DIRECT);
	packets_pass(t.x[0], t.x[1]);
	sim_world_free(&t.w);
}

static void a_cache_that_is_damaged_is_refused_whole(void **state)
{
	uint8_t cache[HP_NODE_CACHE_MAX];
	struct far t;
	uint16_t port = 0;
	size_t len;

	(void)state;
	far_of(&t, 51);
	nw_want(t.x[0], "bob");
	assert_true(sim_world_wait(t.x[0], "bob", HP_PEER_DIRECT, 2 * HP_S));
	len = hp_node_cache_get(t.x[0]->node, cache);
	assert_int_equal(hp_node_cache_set(t.x[0]->node, cache, len, &port),
			 HP_OK);
	assert_int_equal(port, WORLD_PORT);
	for (size_t i = 0; i < len; i++) {
		cache[i] ^= 1;
		assert_int_equal(hp_node_cache_set(t.x[0]->node, cache, len,
						   &port), HP_ERR_AUTH);
		cache[i] ^= 1;
	}
	assert_int_equal(hp_node_cache_set(t.x[0]->node, cache, 44, &port),
			 HP_ERR_SHORT);
	assert_int_equal(hp_node_cache_set(t.x[0]->node, cache,
					   HP_NODE_CACHE_MAX + 1, &port),
			 HP_ERR_FORMAT);
	/* Another node of the same network has no use for it. */
	assert_int_equal(hp_node_cache_set(t.x[1]->node, cache, len, &port),
			 HP_ERR_AUTH);
	sim_world_free(&t.w);
}

/* ---- by way of a third one ---------------------------------------------- */

static void two_are_introduced_by_a_peer_of_both(void **state)
{
	struct far t;

	(void)state;
	for (uint64_t seed = 60; seed < 64; seed++) {
		far_of(&t, seed);
		nw_want(t.x[0], "bob");
		nw_want(t.x[2], "bob");
		assert_true(sim_world_wait(t.x[0], "bob", HP_PEER_DIRECT,
					   2 * HP_S));
		assert_true(sim_world_wait(t.x[2], "bob", HP_PEER_DIRECT,
					   2 * HP_S));
		sim_world_server_stop(&t.w, 0);
		/* Before it is seen to be gone, and after. */
		sim_world_run(&t.w, seed % 2 * 90 * HP_S);
		nw_want(t.x[0], "carol");
		assert_true(sim_world_wait(t.x[0], "carol", HP_PEER_DIRECT,
					   5 * HP_S));
		packets_pass(t.x[0], t.x[2]);
		sim_world_free(&t.w);
	}
}

/* Calls, bare or in notes: nothing else in a note is as long. */
static void count_calls(void *ctx, const struct sim_sight *s)
{
	enum hp_datagram kind = hp_datagram_kind(s->buf, s->len);
	unsigned int *calls = ctx;

	*calls += s->fate == SIM_SENT &&
		  (kind == HP_DGRAM_CALL ||
		   (kind == HP_DGRAM_NOTE && s->len > HP_CALL_LEN));
}

/* Nobody asks another one while the server is there. */
static void with_a_server_nobody_else_is_asked(void **state)
{
	unsigned int calls = 0;
	struct far t;

	(void)state;
	far_of(&t, 70);
	nw_want(t.x[0], "bob");
	assert_true(sim_world_wait(t.x[0], "bob", HP_PEER_DIRECT, 2 * HP_S));
	sim_world_run(&t.w, 30 * HP_S);
	sim_observe(t.w.sim, count_calls, &calls);
	nw_want(t.x[0], "carol");
	sim_world_run(&t.w, 2 * HP_S);
	assert_int_equal(sim_world_state(t.x[0], "carol"), HP_PEER_DIRECT);
	assert_int_equal(calls, 0);
	/* And without it they are, so that the count counts. */
	sim_world_server_stop(&t.w, 0);
	sim_world_kill(t.x[2]);
	sim_world_run(&t.w, 200 * HP_S);
	assert_true(calls > 0);
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_on_a_lan_meet_within_a_second),
		cmocka_unit_test(one_asked_for_late_is_found_within_a_second),
		cmocka_unit_test(whoever_wants_all_meets_who_comes_later),
		cmocka_unit_test(nobody_is_met_that_nobody_looks_for),
		cmocka_unit_test(a_beacon_does_not_leave_its_lan),
		cmocka_unit_test(the_lan_wins_over_the_hairpin),
		cmocka_unit_test(old_calls_move_nobody_and_are_not_amplified),
		cmocka_unit_test(who_restarts_finds_its_peers_without_a_server),
		cmocka_unit_test(who_restarts_is_found_by_its_peers),
		cmocka_unit_test(a_cache_that_is_damaged_is_refused_whole),
		cmocka_unit_test(two_are_introduced_by_a_peer_of_both),
		cmocka_unit_test(with_a_server_nobody_else_is_asked),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
