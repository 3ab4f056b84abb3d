/* SPDX-License-Identifier: ISC */
/*
 * What members, holders of a leaked token and the rendezvous must not be able
 * to do to two nodes that know each other; and that honest nodes find together
 * again after it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "member/judge.h"
#include "node/internal.h"
#include "node_world.h"

#define WALL_S 1800000000u
#define UNTIL_S (WALL_S + 86400)

struct trio {
	struct sim_world w;
	struct sim_world_node *alice; /* holds the root key */
	struct sim_world_node *bob;
	struct sim_world_node *carol;
};

static void trio_of(struct trio *t, uint64_t seed)
{
	sim_world_init(&t->w, seed, true);
	t->alice = sim_world_add(&t->w, "alice", NULL, "203.0.113.21",
				 &nw_ten_ms);
	t->bob = sim_world_add(&t->w, "bob", NULL, "203.0.113.22", &nw_ten_ms);
	t->carol = sim_world_add(&t->w, "carol", NULL, "203.0.113.23",
				 &nw_ten_ms);
	sim_world_run(&t->w, 2 * HP_S);
}

static void meet(struct sim_world_node *a, const char *name)
{
	nw_want(a, name);
	assert_true(sim_world_wait(a, name, HP_PEER_DIRECT, 5 * HP_S));
	sim_world_run(a->world, 2 * HP_S);
}

static bool packets_pass(struct sim_world_node *a, struct sim_world_node *b)
{
	unsigned int at_a = a->delivered;
	unsigned int at_b = b->delivered;

	for (uint32_t i = 0; i < 10; i++) {
		sim_world_packet(a, b);
		sim_world_packet(b, a);
		sim_world_run(a->world, 100 * HP_MS);
	}
	return a->delivered - at_a == 10 && b->delivered - at_b == 10;
}

/* ---- certificates ------------------------------------------------------ */

static struct hp_pin pin_of(const char *name, uint32_t serial,
			    const struct hp_public *key)
{
	struct hp_pin pin = {
		.serial = serial,
		.overlay = { .ip = { 10, 9, 0, (uint8_t)serial }, .bits = 24 },
		.key = *key,
	};

	strcpy(pin.name, name);
	return pin;
}

static void no_send(void *ctx, const struct hp_path *path, int ttl,
		    const uint8_t *buf, size_t len)
{
	(void)ctx, (void)path, (void)ttl, (void)buf, (void)len;
}

static void no_event(void *ctx, const struct hp_node_event *ev)
{
	(void)ctx, (void)ev;
}

static enum hp_err node_with(struct trio *t, struct hp_judge *judge,
			     struct hp_node **out)
{
	struct hp_node_config cfg = {
		.net = &t->w.net,
		.identity = &t->alice->id,
		.judge = judge,
		.rng = *sim_rng(t->w.sim),
		.ops = { .send = no_send, .event = no_event },
	};

	return hp_node_new(&cfg, out);
}

/* A member chooses the public key in its certificate: it can be that of
 * another member, or none at all. That is nobody's trouble but its own.
 */
static void a_pin_with_a_bad_key_keeps_no_node_from_starting(void **state)
{
	static const struct hp_public zero;
	struct hp_node *node;
	struct trio t;

	(void)state;
	trio_of(&t, 1);
	const struct {
		const char *label;
		const struct hp_public *key;
	} rows[] = {
		{ "own key", &t.alice->id.cert.key },
		{ "another's key", &t.bob->id.cert.key },
		{ "low order", &zero },
	};

	for (size_t i = 0; i < 3; i++) {
		struct hp_judge *judge = hp_judge_new(&t.w.net.id);
		struct hp_pin bob = pin_of("bob", 2, &t.bob->id.cert.key);
		struct hp_pin carol = pin_of("carol", 3, rows[i].key);

		assert_int_equal(hp_judge_add_pin(judge, &bob), HP_OK);
		assert_int_equal(hp_judge_add_pin(judge, &carol), HP_OK);
		if (node_with(&t, judge, &node) != HP_OK)
			fail_msg("%s: the node does not start", rows[i].label);
		assert_non_null(hp_wg_peer_find(hp_node_wg(node), &bob.key));
		hp_node_free(node);
	}
	sim_world_free(&t.w);
}

static void a_revoked_peer_known_by_its_pin_alone_is_dropped(void **state)
{
	uint8_t list[HP_REVOKED_WIRE_MAX];
	const uint32_t serial = 2;
	struct hp_judge *judge;
	struct hp_node *node;
	struct hp_pin bob;
	struct trio t;
	size_t len;

	(void)state;
	trio_of(&t, 2);
	judge = hp_judge_new(&t.w.net.id);
	bob = pin_of("bob", serial, &t.bob->id.cert.key);
	assert_int_equal(hp_judge_add_pin(judge, &bob), HP_OK);
	assert_int_equal(node_with(&t, judge, &node), HP_OK);
	assert_non_null(hp_wg_peer_find(hp_node_wg(node), &bob.key));
	assert_int_equal(hp_revoked_make(&t.w.root, 1, &serial, 1, list, &len),
			 HP_OK);
	assert_int_equal(hp_node_set_revoked(node, list, len, 1), HP_OK);
	assert_null(hp_wg_peer_find(hp_node_wg(node), &bob.key));
	hp_node_free(node);
	sim_world_free(&t.w);
}

/* Mallory found bob's token, made keys of its own with it and registers under
 * bob's slot.
 */
static void a_second_user_of_a_token_does_not_disturb_the_first(void **state)
{
	struct hp_node_peer_info info;
	struct hp_secret invite;
	struct hp_grant grant;
	struct trio t;

	(void)state;
	trio_of(&t, 3);
	meet(t.alice, "bob");
	assert_true(packets_pass(t.alice, t.bob));
	sim_world_kill(t.carol);
	grant = t.bob->id.cert.grant;
	grant.until_s = UNTIL_S;
	hp_sign_keypair(sim_rng(t.w.sim), &invite, &grant.invite);
	hp_grant_sign(&grant, &t.w.root);
	hp_identity_enrol(&t.w.net.id, &grant, &invite, sim_rng(t.w.sim),
			  &t.carol->id);
	sim_world_restart(t.carol);
	sim_world_run(&t.w, 2 * HP_S);
	nw_want(t.carol, "alice");
	sim_world_run(&t.w, 2 * HP_S);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_DIRECT);
	assert_true(packets_pass(t.alice, t.bob));
	assert_int_not_equal(sim_world_state(t.carol, "alice"),
			     HP_PEER_DIRECT);
	/* It is reported, and not at each try. */
	assert_int_equal(t.alice->intruders, 1);
	assert_int_equal(t.alice->intruder, HP_ERR_PIN);
	assert_int_equal(hp_node_peer_find(t.alice->node, "bob",
					   sim_now(t.w.sim), &info), HP_OK);
	assert_int_equal(info.intruder, HP_ERR_PIN);
	assert_int_equal(info.cause, HP_OK);
	for (int i = 0; i < 5; i++) {
		hp_peer_connect(hp_peer_named(t.carol->node, "alice"));
		sim_world_run(&t.w, 2 * HP_S);
	}
	assert_int_equal(t.alice->intruders, 1);
	assert_int_equal(t.bob->intruders, 0);
	sim_world_free(&t.w);
}

/* With the server, carol is asked and has nothing better; without, she is
 * waited for until the next look at the date.
 */
static void a_grant_that_ends_ends_the_connection(void **state)
{
	struct trio t;

	(void)state;
	for (int server = 0; server < 2; server++) {
		trio_of(&t, 4);
		sim_world_kill(t.alice);
		meet(t.bob, "carol");
		if (!server)
			sim_world_server_stop(&t.w, 0);
		hp_node_set_wall(t.bob->node, UNTIL_S - 30,
				 sim_now(t.w.sim));
		sim_world_run(&t.w, 20 * HP_S);
		assert_true(packets_pass(t.bob, t.carol));
		hp_node_set_wall(t.bob->node, UNTIL_S + 1, sim_now(t.w.sim));
		sim_world_run(&t.w, 10 * HP_S);
		if (!server)
			hp_node_set_wall(t.bob->node, UNTIL_S + 11,
					 sim_now(t.w.sim));
		assert_int_equal(sim_world_state(t.bob, "carol"),
				 HP_PEER_REFUSED);
		assert_null(hp_wg_peer_find(hp_node_wg(t.bob->node),
					    &t.carol->id.cert.key));
		sim_world_free(&t.w);
	}
}

/* Bob could begin a handshake by himself, without being introduced. */
static void a_pin_whose_grant_ended_is_not_met_by_itself(void **state)
{
	struct hp_judge *judge;
	char text[HP_PIN_TEXT];
	struct hp_node *node;
	struct hp_pin bob;
	struct trio t;

	(void)state;
	trio_of(&t, 10);
	for (int past = 0; past < 2; past++) {
		judge = hp_judge_new(&t.w.net.id);
		bob = pin_of("bob", 2, &t.bob->id.cert.key);
		bob.until_s = UNTIL_S;
		hp_pin_text(&bob, text);
		memset(&bob, 0, sizeof(bob));
		assert_int_equal(hp_pin_parse(text, &bob, NULL), HP_OK);
		assert_true(bob.until_s == UNTIL_S);
		assert_int_equal(hp_judge_add_pin(judge, &bob), HP_OK);
		assert_int_equal(node_with(&t, judge, &node), HP_OK);
		hp_node_start(node, WORLD_PORT, UNTIL_S + (uint64_t)past, 1);
		assert_int_equal(!hp_wg_peer_find(hp_node_wg(node), &bob.key),
				 past);
		hp_node_free(node);
	}
	/* Shown once, a permanent certificate makes the pin last. */
	meet(t.alice, "bob");
	assert_true(hp_judge_find(t.alice->node->judge, "bob")->until_s);
	hp_peer_connect(hp_peer_named(t.alice->node, "bob"));
	sim_world_run(&t.w, 2 * HP_S);
	assert_false(hp_judge_find(t.alice->node->judge, "bob")->until_s);
	sim_world_free(&t.w);
}

/* Bob got a permanent certificate, but alice was introduced with his grant. */
static void a_permanent_certificate_outlives_its_grant(void **state)
{
	struct trio t;

	(void)state;
	trio_of(&t, 5);
	meet(t.alice, "bob");
	assert_int_equal(t.bob->gained, 1);
	for (unsigned int i = 1; i < 200; i += 60) {
		hp_node_set_wall(t.alice->node, UNTIL_S + i,
				 sim_now(t.w.sim));
		sim_world_run(&t.w, 60 * HP_S);
	}
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_DIRECT);
	assert_true(packets_pass(t.alice, t.bob));
	sim_world_free(&t.w);
}

/* Bob's question, caught on its way and sent again from elsewhere. */
static void a_replayed_question_is_answered_rarely(void **state)
{
	const struct hp_note wanted = { .kind = HP_NOTE_CERT_WANTED };
	const struct hp_path from = {
		.remote = hp_addr4(198, 51, 100, 7, 1234),
	};
	uint8_t note[HP_NOTE_MAX], buf[HP_NOTE_MAX];
	unsigned int sent, enrolled;
	const struct peer *p;
	struct trio t;
	size_t len;

	(void)state;
	trio_of(&t, 9);
	meet(t.alice, "bob");
	p = hp_peer_named(t.bob->node, "alice");
	len = hp_note_seal(&p->pair, t.bob->node->note_tag, &wanted,
			   sim_rng(t.w.sim), note);
	sent = t.alice->sent;
	enrolled = t.alice->enrolled;
	for (unsigned int i = 0; i < 1000; i++) {
		struct hp_pkt pkt = hp_pkt_of(buf, sizeof(buf), 0, len);

		memcpy(buf, note, len);
		hp_node_rx(t.alice->node, &from, &pkt, sim_now(t.w.sim));
	}
	assert_int_equal(t.alice->sent - sent, 1);
	assert_int_equal(t.alice->enrolled - enrolled, 1);
	sim_world_free(&t.w);
}

/* ---- introductions ----------------------------------------------------- */

static struct peer *peer_of(struct sim_world_node *x, const char *name)
{
	struct peer *p = hp_peer_named(x->node, name);

	assert_non_null(p);
	return p;
}

/* Servers keep records; one may show one of a run that ended long ago. */
static void a_record_of_an_old_run_does_no_lasting_harm(void **state)
{
	struct hp_record old = { .epoch = 4711, .seq = 1 };
	const struct hp_path none = { 0 };
	struct peer *bob;
	struct trio t;

	(void)state;
	trio_of(&t, 6);
	meet(t.alice, "bob");
	bob = peer_of(t.alice, "bob");
	old.cert = bob->cert;
	hp_peer_introduced(bob, &old, &(struct hp_addr){ 0 }, &none, 0, NULL,
			   true);
	for (unsigned int i = 0; i < 20; i++)
		packets_pass(t.alice, t.bob);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_DIRECT);
	assert_true(packets_pass(t.alice, t.bob));
	sim_world_free(&t.w);
}

/* A record of the run before, from a server that has not heard of the new one,
 * comes with each introduction; the new run is met all the same.
 */
static void a_record_of_the_run_before_is_not_followed(void **state)
{
	const struct hp_path none = { 0 };
	struct hp_record old;
	struct peer *bob;
	struct trio t;

	(void)state;
	trio_of(&t, 7);
	meet(t.alice, "bob");
	bob = peer_of(t.alice, "bob");
	old = (struct hp_record){ .epoch = bob->epoch, .seq = bob->seq,
				  .cert = bob->cert };
	sim_world_restart(t.bob);
	for (unsigned int i = 0; i < 100 && bob->epoch == old.epoch; i++) {
		sim_world_packet(t.alice, t.bob);
		sim_world_run(&t.w, 100 * HP_MS);
	}
	assert_int_not_equal(bob->epoch, old.epoch);
	hp_peer_introduced(bob, &old, &(struct hp_addr){ 0 }, &none, 0, NULL,
			   true);
	assert_int_not_equal(bob->epoch, old.epoch);
	sim_world_run(&t.w, 20 * HP_S);
	hp_peer_introduced(bob, &old, &(struct hp_addr){ 0 }, &none, 0, NULL,
			   true);
	assert_int_not_equal(bob->epoch, old.epoch);
	assert_int_equal(sim_world_state(t.alice, "bob"), HP_PEER_DIRECT);
	sim_world_free(&t.w);
}

/* Bob called carol, so she has seen an offer of his. The server's record is no
 * older than that: carol's own call later gives her the new relay channel.
 */
static void a_call_is_answered_also_after_one_of_the_peer(void **state)
{
	struct peer *carol, *bob;
	struct trio t;

	(void)state;
	trio_of(&t, 8);
	meet(t.bob, "carol");
	sim_world_server_stop(&t.w, 0);
	sim_world_run(&t.w, 2 * HP_S);
	sim_world_server_start(&t.w, 0);
	sim_world_run(&t.w, 60 * HP_S);
	bob = peer_of(t.carol, "bob");
	carol = peer_of(t.bob, "carol");
	hp_peer_connect(bob);
	sim_world_run(&t.w, 5 * HP_S);
	assert_int_equal(bob->relay.channel, carol->relay.channel);
	sim_world_free(&t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pin_with_a_bad_key_keeps_no_node_from_starting),
		cmocka_unit_test(a_revoked_peer_known_by_its_pin_alone_is_dropped),
		cmocka_unit_test(
			a_second_user_of_a_token_does_not_disturb_the_first),
		cmocka_unit_test(a_grant_that_ends_ends_the_connection),
		cmocka_unit_test(a_pin_whose_grant_ended_is_not_met_by_itself),
		cmocka_unit_test(a_permanent_certificate_outlives_its_grant),
		cmocka_unit_test(a_replayed_question_is_answered_rarely),
		cmocka_unit_test(a_record_of_an_old_run_does_no_lasting_harm),
		cmocka_unit_test(a_record_of_the_run_before_is_not_followed),
		cmocka_unit_test(a_call_is_answered_also_after_one_of_the_peer),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
