/* SPDX-License-Identifier: ISC */
/*
 * What the engine learns of its NAT beside its work, and keepalives by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "node_world.h"
#include "punch/nat.h"

struct pair {
	struct sim_world w;
	struct sim_nat *nat[2];
	struct sim_world_node *node[2];
};

static void begin(struct pair *t, const struct sim_nat_config *cfg,
		  unsigned int servers)
{
	static const char *const outside[] = { "203.0.113.211",
					       "203.0.113.212" };

	memset(t, 0, sizeof(*t));
	sim_world_init(&t->w, 5, true);
	while (t->w.n_servers < servers)
		sim_world_add_server(&t->w);
	for (unsigned int i = 0; i < 2; i++) {
		t->nat[i] = sim_nat_new(t->w.sim, cfg, NULL, outside[i]);
		t->node[i] = sim_world_add(&t->w, i ? "bob" : "alice",
					   t->nat[i], "192.168.1.2", &nw_ten_ms);
	}
}

static struct hp_nat_facts facts(const struct pair *t)
{
	struct hp_nat_facts f;

	hp_node_nat_get(t->node[0]->node, &f);
	return f;
}

static void nat_is_learnt_in_the_background(void **state)
{
	static const struct {
		struct sim_nat_config nat;
		enum hp_nat_filtering filtering;
		enum hp_nat_answer hairpin;
		unsigned int alive_s, dead_s;
	} rows[] = {
		{ { .mapping = SIM_EIM, .filtering = SIM_APDF,
		    .lifetime_ns = 30 * HP_S },
		  HP_NAT_FILTERING_APDF, HP_NAT_NO, 25, 60 },
		{ { .mapping = SIM_EIM, .filtering = SIM_ADF, .hairpin = true,
		    .lifetime_ns = 180 * HP_S },
		  HP_NAT_FILTERING_ADF, HP_NAT_YES, 120, 0 },
		{ { .mapping = SIM_APDM, .filtering = SIM_EIF,
		    .ports = SIM_RANDOM, .lifetime_ns = 20 * HP_S },
		  HP_NAT_FILTERING_EIF, HP_NAT_NO, 15, 25 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		static struct pair t;
		struct hp_nat_facts f;

		begin(&t, &rows[i].nat, 2);
		sim_world_run(&t.w, 5 * HP_S);
		f = facts(&t);
		assert_int_equal(f.filtering, HP_NAT_FILTERING_UNKNOWN);
		assert_int_equal(f.hairpin, HP_NAT_UNKNOWN);
		sim_world_run(&t.w, 170 * HP_S);
		f = facts(&t);
		assert_int_equal(f.filtering, rows[i].filtering);
		assert_int_equal(f.hairpin, rows[i].hairpin);
		assert_int_equal(f.alive_s, rows[i].alive_s);
		assert_int_equal(f.dead_s, rows[i].dead_s);
		assert_int_equal(t.node[0]->n_extra, 0);
		sim_world_free(&t.w);
	}
}

static void another_network_is_learnt_anew(void **state)
{
	static const struct sim_nat_config cfg = {
		.mapping = SIM_EIM, .filtering = SIM_APDF,
		.lifetime_ns = 120 * HP_S,
	};
	static struct pair t;
	struct hp_nat_facts f;

	(void)state;
	begin(&t, &cfg, 2);
	sim_world_run(&t.w, 40 * HP_S);
	assert_true(t.node[0]->n_extra > 0);
	sim_nat_renumber(t.nat[0], "203.0.113.213");
	sim_world_run(&t.w, 40 * HP_S);
	f = facts(&t);
	assert_int_equal(f.alive_s, 0);
	sim_world_run(&t.w, 200 * HP_S);
	f = facts(&t);
	assert_int_equal(f.filtering, HP_NAT_FILTERING_APDF);
	assert_true(f.alive_s >= 60);
	assert_int_equal(t.node[0]->n_extra, 0);
	sim_world_free(&t.w);
}

/* Left alone for 25 s, the path would be lost each time. */
static void short_memory_of_a_nat_keeps_an_idle_path(void **state)
{
	static const struct sim_nat_config cfg = {
		.mapping = SIM_EIM, .filtering = SIM_APDF,
		.ports = SIM_RANDOM, .lifetime_ns = 20 * HP_S,
	};
	static struct pair t;
	struct hp_node_peer_info before, after;
	uint64_t now;

	(void)state;
	begin(&t, &cfg, 2);
	sim_world_run(&t.w, 175 * HP_S);
	nw_want(t.node[0], "bob");
	assert_true(sim_world_wait(t.node[0], "bob", HP_PEER_DIRECT,
				   5 * HP_S));
	sim_world_run(&t.w, 60 * HP_S);
	now = sim_now(t.w.sim);
	assert_int_equal(hp_node_peer_find(t.node[0]->node, "bob", now,
					   &before), HP_OK);
	assert_int_equal(before.state, HP_PEER_DIRECT);
	sim_world_run(&t.w, 600 * HP_S);
	sim_world_packet(t.node[0], t.node[1]);
	sim_world_run(&t.w, 2 * HP_S);
	now = sim_now(t.w.sim);
	assert_int_equal(hp_node_peer_find(t.node[0]->node, "bob", now,
					   &after), HP_OK);
	assert_int_equal(after.state, HP_PEER_DIRECT);
	assert_true(hp_path_eq(&after.path, &before.path));
	assert_int_equal(after.since_ns, before.since_ns);
	sim_world_free(&t.w);
}

/* Packets of alice's to bob, who hears nothing of her but over the relay. Gives
 * the guesses that both sent; @sockets: whether one of them opened any.
 */
static uint64_t deaf_peer(struct pair *t, uint64_t after_ns, bool *sockets)
{
	static const struct sim_nat_config cfg = {
		.mapping = SIM_EIM, .filtering = SIM_APDF,
		.lifetime_ns = 120 * HP_S,
	};
	struct hp_node_guess_info g[2];
	uint64_t now;

	begin(t, &cfg, 1);
	sim_world_run(&t->w, after_ns);
	sim_host_deafen(t->node[1]->host, t->node[0]->host);
	nw_want(t->node[0], "bob");
	*sockets = false;
	for (unsigned int i = 0; i < 200; i++) {
		sim_world_packet(t->node[0], t->node[1]);
		sim_world_run(&t->w, 100 * HP_MS);
		*sockets |= t->node[0]->n_extra || t->node[1]->n_extra;
	}
	assert_int_equal(sim_world_state(t->node[0], "bob"), HP_PEER_RELAYED);
	now = sim_now(t->w.sim);
	for (unsigned int i = 0; i < 2; i++)
		hp_node_guess_get(t->node[i]->node, now, &g[i]);
	sim_world_free(&t->w);
	return g[0].probes + g[1].probes;
}

/* With one server alone, a NAT that looks at addresses is not to be told from
 * an easy one, until its filter is known and something is heard through it.
 */
static void known_filter_spares_a_deaf_peer_the_guesses(void **state)
{
	static struct pair t;
	bool sockets;

	(void)state;
	assert_true(deaf_peer(&t, 3 * HP_S, &sockets) > 0);
	assert_true(sockets);
	assert_int_equal(deaf_peer(&t, 300 * HP_S, &sockets), 0);
	assert_false(sockets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nat_is_learnt_in_the_background),
		cmocka_unit_test(another_network_is_learnt_anew),
		cmocka_unit_test(short_memory_of_a_nat_keeps_an_idle_path),
		cmocka_unit_test(known_filter_spares_a_deaf_peer_the_guesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
