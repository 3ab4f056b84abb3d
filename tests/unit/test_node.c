/* SPDX-License-Identifier: ISC */
/*
 * lib/node, with all of lib below it, on the virtual internet of tests/sim: a
 * rendezvous at 5 ms, members behind NATs at 10 ms each.
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
#include "base/pkt.h"
#include "member/judge.h"
#include "node_world.h"
#include "punch/candidates.h"

struct pair {
	struct sim_world w;
	struct sim_nat *nat_a;
	struct sim_nat *nat_b;
	struct sim_world_node *a;
	struct sim_world_node *b;
};

static void pair_of(struct pair *t, uint64_t seed, bool relay,
		    const struct sim_nat_config *a,
		    const struct sim_nat_config *b)
{
	sim_world_init(&t->w, seed, relay);
	t->nat_a = a ? sim_nat_new(t->w.sim, a, NULL, "203.0.113.11") : NULL;
	t->nat_b = b ? sim_nat_new(t->w.sim, b, NULL, "203.0.113.12") : NULL;
	t->a = sim_world_add(&t->w, "alice", t->nat_a,
			 a ? "192.168.1.2" : "203.0.113.21", &nw_ten_ms);
	t->b = sim_world_add(&t->w, "bob", t->nat_b,
			 b ? "192.168.2.2" : "203.0.113.22", &nw_ten_ms);
}

/* Both are registered, then alice asks for bob. */
static void pair_up(struct pair *t)
{
	sim_world_run(&t->w, 2 * HP_S);
	nw_want(t->a, "bob");
}

static void packets_pass(struct pair *t)
{
	unsigned int a = t->a->delivered;
	unsigned int b = t->b->delivered;

	for (uint32_t i = 0; i < 10; i++) {
		sim_world_packet(t->a, t->b);
		sim_world_packet(t->b, t->a);
		sim_world_run(&t->w, 100 * HP_MS);
	}
	assert_int_equal(t->a->delivered - a, 10);
	assert_int_equal(t->b->delivered - b, 10);
	assert_int_equal(t->a->bad + t->b->bad, 0);
}

static void two_home_routers_end_up_direct(void **state)
{
	struct hp_node_peer_info info;
	struct pair t;

	(void)state;
	pair_of(&t, 1, true, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	assert_true(sim_world_wait(t.b, "alice", HP_PEER_DIRECT, HP_S));
	assert_int_equal(hp_node_peer_find(t.a->node, "bob",
					   sim_now(t.w.sim), &info), HP_OK);
	assert_int_equal(info.path.remote.ip[3], 12);
	assert_int_equal(info.path.channel, 0);
	packets_pass(&t);
	sim_world_free(&t.w);
}

static void the_server_tells_how_the_node_is_seen(void **state)
{
	struct hp_ifaddr eth[2] = {
		{ .name = "eth0", .flags = HP_IF_UP, .bits = 24 },
		{ .name = "eth1", .flags = HP_IF_UP, .bits = 24 },
	};
	struct hp_node_server_info info;
	struct pair t;

	(void)state;
	pair_of(&t, 15, true, &nw_home, &nw_symmetric);
	sim_world_run(&t.w, 5 * HP_S);
	hp_node_server_get(t.a->node, 0, &info);
	assert_int_equal(info.state, HP_SERVER_REGISTERED);
	assert_int_equal(info.seen4.ip[3], 11);
	assert_int_equal(info.mapping, HP_MAPPING_EIM);
	hp_node_server_get(t.b->node, 0, &info);
	assert_int_equal(info.mapping, HP_MAPPING_APDM);
	/* One more interface does not make the node forget. */
	eth[0].addr = eth[1].addr = sim_host_addr(t.a->host, 0);
	eth[1].addr.ip[3] = 3;
	hp_node_set_interfaces(t.a->node, eth, 2, sim_now(t.w.sim));
	sim_world_run(&t.w, 2 * HP_S);
	hp_node_server_get(t.a->node, 0, &info);
	assert_int_equal(info.mapping, HP_MAPPING_EIM);
	sim_world_free(&t.w);
}

static void packets_flow_over_the_relay_while_the_hole_is_made(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 2, true, &nw_symmetric, &nw_symmetric);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_RELAYED, HP_S));
	packets_pass(&t);
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_RELAYED);
	assert_int_equal(sim_world_state(t.b, "alice"), HP_PEER_RELAYED);
	sim_world_free(&t.w);
}

static void a_hole_needs_no_relay(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 3, false, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 7 * HP_S));
	packets_pass(&t);
	sim_world_free(&t.w);
}

static void a_public_node_is_reached_from_behind_a_symmetric_nat(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 4, true, &nw_symmetric, NULL);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 3 * HP_S));
	packets_pass(&t);
	sim_world_free(&t.w);
}

static void the_first_packet_for_a_pinned_peer_connects(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 5, true, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	/* Bob never asked for alice, yet can talk to her. */
	packets_pass(&t);
	sim_world_free(&t.w);
}

static void both_asking_at_once_connect_once(void **state)
{
	struct pair t;

	(void)state;
	for (uint64_t seed = 100; seed < 120; seed++) {
		pair_of(&t, seed, true, &nw_home, &nw_home);
		sim_world_run(&t.w, 2 * HP_S);
		nw_want(t.a, "bob");
		nw_want(t.b, "alice");
		assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
		assert_true(sim_world_wait(t.b, "alice", HP_PEER_DIRECT,
				       2 * HP_S));
		packets_pass(&t);
		sim_world_free(&t.w);
	}
}

static void a_restarted_peer_is_met_again(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 6, true, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	packets_pass(&t);
	sim_world_restart(t.b);
	for (uint32_t i = 0; i < 100; i++) {
		sim_world_packet(t.a, t.b);
		sim_world_run(&t.w, 100 * HP_MS);
	}
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
	packets_pass(&t);
	sim_world_free(&t.w);
}

static void a_flushed_nat_is_recovered_from(void **state)
{
	struct pair t;
	uint64_t before;

	(void)state;
	pair_of(&t, 7, true, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	packets_pass(&t);
	sim_nat_renumber(t.nat_b, "203.0.113.99");
	before = t.a->delivered;
	for (uint32_t i = 0; i < 30; i++) {
		sim_world_packet(t.a, t.b);
		sim_world_packet(t.b, t.a);
		sim_world_run(&t.w, 100 * HP_MS);
	}
	assert_true(t.a->delivered > before);
	packets_pass(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 20 * HP_S));
	sim_world_free(&t.w);
}

static void a_direct_path_outlives_the_server(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 8, true, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	sim_world_server_stop(&t.w, 0);
	for (unsigned int i = 0; i < 40; i++)
		packets_pass(&t);
	sim_world_server_start(&t.w, 0);
	for (unsigned int i = 0; i < 40; i++)
		packets_pass(&t);
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
	sim_world_free(&t.w);
}

/* Bob registers by IPv6 and asks for alice before he knows how IPv4 sees him:
 * he must tell her later.
 */
static void an_address_learned_late_is_told_to_who_was_met(void **state)
{
	const struct sim_site site = { .ip4 = "192.168.2.2",
				       .ip6 = "2001:db8:5::2",
				       .link = &nw_ten_ms,
				       .port = WORLD_PORT };
	struct sim_site at = site;
	struct pair t;

	(void)state;
	sim_world_init(&t.w, 17, true);
	t.nat_a = sim_nat_new(t.w.sim, &nw_symmetric, NULL, "203.0.113.11");
	t.nat_b = sim_nat_new(t.w.sim,
			      &(struct sim_nat_config){ .filtering = SIM_ADF },
			      NULL, "203.0.113.12");
	t.a = sim_world_add(&t.w, "alice", t.nat_a, "192.168.1.2", &nw_ten_ms);
	sim_world_run(&t.w, 2 * HP_S);
	at.nat = t.nat_b;
	t.b = sim_world_join(&t.w, "bob", &at);
	nw_want(t.b, "alice");
	assert_true(sim_world_wait(t.b, "alice", HP_PEER_DIRECT, 5 * HP_S));
	packets_pass(&t);
	sim_world_free(&t.w);
}

static void silence_is_noticed_without_a_data_thread(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 18, true, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	sim_world_run(&t.w, 100 * HP_S);
	sim_world_kill(t.b);
	for (unsigned int i = 0; i < 20; i++) {
		sim_world_packet(t.a, t.b);
		sim_world_run(&t.w, 100 * HP_MS);
	}
	assert_int_not_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
	sim_world_free(&t.w);
}

/* 400 ms there and back: requests that answer requests must not crowd out
 * those that are waited for.
 */
static void a_slow_path_is_found_with_few_probes(void **state)
{
	const struct sim_link slow = { .delay_ns = 100 * HP_MS };
	struct sim_nat_config a = { .filtering = SIM_ADF };
	struct sim_nat_config b = nw_symmetric;
	struct pair t;

	(void)state;
	b.filtering = SIM_EIF;
	pair_of(&t, 19, true, &a, &b);
	sim_nat_link(t.nat_a, &slow);
	sim_nat_link(t.nat_b, &slow);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 3 * HP_S));
	assert_true(sim_world_wait(t.b, "alice", HP_PEER_DIRECT, HP_S));
	assert_true(t.a->sent < 64 && t.b->sent < 64);
	sim_world_free(&t.w);
}

/* Each answer comes from a new port, and would open one more. */
static void nats_without_filters_are_not_filled_up(void **state)
{
	struct sim_nat_config open = nw_symmetric;
	struct pair t;

	(void)state;
	open.filtering = SIM_EIF;
	pair_of(&t, 20, true, &open, &open);
	pair_up(&t);
	sim_world_run(&t.w, 30 * HP_S);
	packets_pass(&t);
	assert_true(sim_nat_count(t.nat_a) < 64);
	assert_true(sim_nat_count(t.nat_b) < 64);
	sim_world_free(&t.w);
}

/* Sends on all probes from his own address, ahead of the original. */
struct copycat {
	struct sim_host *host;
	bool on;
	unsigned int probes;	/* that he sent on */
	unsigned int data;	/* what he got that was for a peer */
};

static void copycat_see(void *ctx, const struct sim_sight *s)
{
	struct copycat *c = ctx;
	struct hp_addr own = sim_host_addr(c->host, 0);
	enum hp_datagram kind = hp_datagram_kind(s->buf, s->len);

	if (s->fate != SIM_SENT || s->host == c->host)
		return;
	if (hp_addr_same_ip(&s->to, &own))
		c->data += kind == HP_DGRAM_WG_DATA;
	else if (kind == HP_DGRAM_PROBE && c->on)
		c->probes += sim_send(c->host, s->from.port, &s->to, 0, s->buf,
				      s->len);
}

/* He begins when a path is in use: the heartbeats of the controlling side are
 * nominations, and his copies are the first of each to arrive.
 */
static void a_nomination_sent_on_by_a_stranger_moves_nobody(void **state)
{
	struct pair t;

	(void)state;
	for (uint64_t seed = 300; seed < 304; seed++) {
		struct copycat c = { 0 };

		pair_of(&t, seed, true, NULL, NULL);
		c.host = sim_host_new(t.w.sim, NULL, "198.51.100.66", NULL);
		sim_observe(t.w.sim, copycat_see, &c);
		pair_up(&t);
		assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, HP_S));
		assert_true(sim_world_wait(t.b, "alice", HP_PEER_DIRECT, HP_S));
		c.on = true;
		for (unsigned int i = 0; i < 100; i++) {
			sim_world_packet(t.a, t.b);
			sim_world_packet(t.b, t.a);
			sim_world_run(&t.w, 100 * HP_MS);
		}
		assert_true(c.probes > 3);
		assert_int_equal(c.data, 0);
		packets_pass(&t);
		sim_world_free(&t.w);
	}
}

static void an_idle_path_is_kept_and_its_session_renewed(void **state)
{
	struct sim_nat_config short_lived = nw_home;
	struct pair t;

	(void)state;
	short_lived.lifetime_ns = 30 * HP_S;
	pair_of(&t, 9, true, &short_lived, &short_lived);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	sim_world_run(&t.w, 600 * HP_S);
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
	packets_pass(&t);
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
	sim_world_free(&t.w);
}

static void an_unknown_peer_is_offline_and_met_when_it_comes(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 10, true, &nw_home, &nw_home);
	sim_world_run(&t.w, 2 * HP_S);
	nw_want(t.a, "carol");
	assert_true(sim_world_wait(t.a, "carol", HP_PEER_OFFLINE, HP_S));
	sim_world_add(&t.w, "carol", NULL, "203.0.113.23", &nw_ten_ms);
	assert_true(sim_world_wait(t.a, "carol", HP_PEER_DIRECT, 60 * HP_S));
	assert_int_equal(hp_node_want(t.a->node, "alice", sim_now(t.w.sim)),
			 HP_ERR_EXISTS);
	assert_int_equal(hp_node_want(t.a->node, "no name", sim_now(t.w.sim)),
			 HP_ERR_FORMAT);
	sim_world_free(&t.w);
}

static void who_is_parted_from_is_neither_called_nor_let_in(void **state)
{
	struct hp_node_peer_info info;
	unsigned int was;
	struct pair t;

	(void)state;
	pair_of(&t, 61, true, &nw_home, &nw_home);
	pair_up(&t);
	hp_node_want_all(t.a->node, sim_now(t.w.sim));
	hp_node_want_all(t.b->node, sim_now(t.w.sim));
	sim_world_run(&t.w, 5 * HP_S);
	assert_int_equal(hp_node_part(t.a->node, "nobody", sim_now(t.w.sim)),
			 HP_ERR_UNKNOWN);
	assert_int_equal(hp_node_part(t.a->node, "no body", sim_now(t.w.sim)),
			 HP_ERR_FORMAT);
	assert_int_equal(hp_node_part(t.a->node, "Bob", sim_now(t.w.sim)),
			 HP_OK);
	was = t.a->delivered + t.b->delivered;
	for (unsigned int i = 0; i < 300; i++) {
		sim_world_packet(t.a, t.b);
		sim_world_packet(t.b, t.a);
		sim_world_run(&t.w, HP_S);
	}
	assert_int_equal(t.a->delivered + t.b->delivered, was);
	assert_int_equal(hp_node_peer_find(t.a->node, "bob",
					   sim_now(t.w.sim), &info), HP_OK);
	assert_int_equal(info.state, HP_PEER_IDLE);
	assert_false(info.wanted);
	assert_non_null(info.why);
	assert_int_equal(hp_node_want(t.a->node, "bob", sim_now(t.w.sim)),
			 HP_OK);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 5 * HP_S));
	packets_pass(&t);
	sim_world_free(&t.w);
}

static void all_members_form_a_full_mesh(void **state)
{
	static const char *const names[] = { "alice", "bob", "carol", "dave" };
	struct sim_world w;

	(void)state;
	sim_world_init(&w, 11, true);
	for (unsigned int i = 0; i < 4; i++) {
		char ip[16];
		struct sim_nat *nat;

		snprintf(ip, sizeof(ip), "203.0.113.%u", 11 + i);
		nat = sim_nat_new(w.sim, &nw_home, NULL, ip);
		sim_world_add(&w, names[i], nat, "192.168.1.2", &nw_ten_ms);
		hp_node_want_all(w.nodes[i].node, sim_now(w.sim));
	}
	sim_world_run(&w, 60 * HP_S);
	for (unsigned int i = 0; i < 4; i++)
		for (unsigned int k = 0; k < 4; k++)
			if (i != k)
				assert_int_equal(sim_world_state(&w.nodes[i],
							     names[k]),
						 HP_PEER_DIRECT);
	sim_world_free(&w);
}

static void a_newcomer_gets_a_permanent_certificate(void **state)
{
	struct pair t;

	(void)state;
	pair_of(&t, 12, true, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	sim_world_run(&t.w, 2 * HP_S);
	assert_int_equal(t.b->gained, 1);
	assert_true(t.a->enrolled >= 1);
	assert_int_equal(hp_node_identity(t.b->node)->cert.kind,
			 HP_CERT_PERMANENT);
	sim_world_free(&t.w);
}

static void a_revoked_peer_is_refused(void **state)
{
	uint8_t list[HP_REVOKED_WIRE_MAX];
	const uint32_t serial = 2;
	struct pair t;
	size_t len;

	(void)state;
	pair_of(&t, 13, true, &nw_home, &nw_home);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	assert_int_equal(hp_revoked_make(&t.w.root, 1, &serial, 1, list, &len),
			 HP_OK);
	assert_int_equal(hp_node_set_revoked(t.a->node, list, len,
					     sim_now(t.w.sim)), HP_OK);
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_REFUSED);
	t.b->delivered = 0;
	sim_world_packet(t.a, t.b);
	sim_world_run(&t.w, 5 * HP_S);
	assert_int_equal(t.b->delivered, 0);
	assert_int_equal(hp_node_set_revoked(t.a->node, list, len,
					     sim_now(t.w.sim)),
			 HP_ERR_REPLAY);
	sim_world_free(&t.w);
}

static void the_same_seed_gives_the_same_run(void **state)
{
	unsigned int sent[2];
	uint64_t received[2];
	struct sim_link lossy = { .delay_ns = 10 * HP_MS,
				  .jitter_ns = 3 * HP_MS,
				  .loss_ppm = 100000,
				  .dup_ppm = 50000 };
	struct pair t;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		sim_world_init(&t.w, 77, true);
		t.nat_a = sim_nat_new(t.w.sim, &nw_home, NULL, "203.0.113.11");
		t.a = sim_world_add(&t.w, "alice", t.nat_a, "192.168.1.2", &lossy);
		t.b = sim_world_add(&t.w, "bob", NULL, "203.0.113.22", &lossy);
		pair_up(&t);
		sim_world_run(&t.w, 20 * HP_S);
		sent[i] = t.a->sent + t.b->sent;
		received[i] = sim_host_received(t.b->host);
		assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
		sim_world_free(&t.w);
	}
	assert_int_equal(sent[0], sent[1]);
	assert_int_equal(received[0], received[1]);
}

static void rubbish_changes_nothing(void **state)
{
	struct pair t;
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	unsigned int before;

	(void)state;
	pair_of(&t, 14, true, NULL, NULL);
	pair_up(&t);
	assert_true(sim_world_wait(t.a, "bob", HP_PEER_DIRECT, 2 * HP_S));
	sim_world_run(&t.w, 5 * HP_S);
	hp_rng_seeded_init(&seeded, 14, &rng);
	before = t.a->sent;
	for (unsigned int i = 0; i < 20000; i++) {
		static const uint8_t heads[][4] = {
			{ 0x68, 0x70, 1, 0x40 }, { 0x68, 0x70, 1, 0x41 },
			{ 0x68, 0x70, 1, 0x80 }, { 0x68, 0x70, 1, 0x04 },
			{ 1, 0, 0, 0 }, { 2, 0, 0, 0 }, { 3, 0, 0, 0 },
			{ 4, 0, 0, 0 }, { 1, 1, 0, 0 },
		};
		const struct hp_path from = {
			.remote = hp_addr4(198, 51, 100, 7, 1234),
		};
		uint8_t buf[256];
		size_t len = hp_rng_below(&rng, sizeof(buf));
		struct hp_pkt pkt = hp_pkt_of(buf, sizeof(buf), 0, len);

		hp_rng_fill(&rng, buf, sizeof(buf));
		if (len >= 4)
			memcpy(buf, heads[i % 9], 4);
		hp_node_rx(t.a->node, &from, &pkt, sim_now(t.w.sim));
	}
	assert_int_equal(t.a->sent, before);
	assert_int_equal(sim_world_state(t.a, "bob"), HP_PEER_DIRECT);
	packets_pass(&t);
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_home_routers_end_up_direct),
		cmocka_unit_test(the_server_tells_how_the_node_is_seen),
		cmocka_unit_test(
			packets_flow_over_the_relay_while_the_hole_is_made),
		cmocka_unit_test(a_hole_needs_no_relay),
		cmocka_unit_test(
			a_public_node_is_reached_from_behind_a_symmetric_nat),
		cmocka_unit_test(the_first_packet_for_a_pinned_peer_connects),
		cmocka_unit_test(both_asking_at_once_connect_once),
		cmocka_unit_test(a_restarted_peer_is_met_again),
		cmocka_unit_test(a_flushed_nat_is_recovered_from),
		cmocka_unit_test(a_direct_path_outlives_the_server),
		cmocka_unit_test(an_address_learned_late_is_told_to_who_was_met),
		cmocka_unit_test(silence_is_noticed_without_a_data_thread),
		cmocka_unit_test(a_slow_path_is_found_with_few_probes),
		cmocka_unit_test(nats_without_filters_are_not_filled_up),
		cmocka_unit_test(
			a_nomination_sent_on_by_a_stranger_moves_nobody),
		cmocka_unit_test(an_idle_path_is_kept_and_its_session_renewed),
		cmocka_unit_test(
			an_unknown_peer_is_offline_and_met_when_it_comes),
		cmocka_unit_test(
			who_is_parted_from_is_neither_called_nor_let_in),
		cmocka_unit_test(all_members_form_a_full_mesh),
		cmocka_unit_test(a_newcomer_gets_a_permanent_certificate),
		cmocka_unit_test(a_revoked_peer_is_refused),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
		cmocka_unit_test(rubbish_changes_nothing),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
