/* SPDX-License-Identifier: ISC */
/*
 * The doctor: both halves over the wire and joined, and from facts to cause.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "node/diagnose.h"
#include "node/halves.h"
#include "node/report.h"
#include "node_world.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct hp_addr addr(const char *text)
{
	struct hp_addr a;

	assert_int_equal(hp_addr_parse(text, 5000, &a, NULL), HP_OK);
	return a;
}

/* As full as can be. */
static struct hp_report full(void)
{
	struct hp_report r = {
		.version = "12345678901234567890123", .methods = 0xa5,
		.mapping = HP_MAPPING_EIM, .peer_mapping = HP_MAPPING_APDM,
		.session = true, .trying = true, .rounds = 3, .tx = 70000,
		.rx = 4, .throttled = 5, .drops = { 1, 2, 3, 4, 5, 6 },
		.n_servers = HP_SERVERS_MAX, .n_cand = HP_CANDIDATES_MAX,
		.n_paths = HP_PUNCH_PATHS,
		.nat = HP_NAT_MAPPING_APDM, .ports = HP_NAT_PORTS_SEQUENTIAL,
		.stride = -3, .lo = 1024, .hi = 65535, .many_ips = true,
		.guess = HP_REPORT_GUESS_HOPELESS, .guesses = 4,
		.guess_probes = 70001, .sockets = 256, .mappings = 255,
		.mappings_max = 256,
	};

	for (unsigned int i = 0; i < r.n_servers; i++)
		r.server[i] = (struct hp_report_server){
			.registered = i & 1, .lone_port = i & 2,
			.stream = i % 3 == 1,
			.mapping = HP_MAPPING_APDM, .rtt_us = i * 1000,
			.addr = i ? addr("2001:db8::1") : (struct hp_addr){ 0 },
		};
	for (unsigned int i = 0; i < r.n_cand; i++)
		r.cand[i] = (struct hp_candidate){ addr("2001:db8::7"),
						   HP_CAND_REFLEXIVE };
	for (unsigned int i = 0; i < r.n_paths; i++)
		r.path[i] = (struct hp_report_path){
			.kind = i ? HP_CAND_HOST : HP_CAND_RELAYED,
			.valid = i & 1, .in_use = i & 2,
			.remote = addr("2001:db8::8"),
			.seen = i ? addr("2001:db8::9") : (struct hp_addr){ 0 },
			.sent = i, .answered = i + 1, .heard = i + 2,
			.errors = i + 3, .denied = i + 4, .rtt_us = i + 5,
		};
	return r;
}

static void report_round_trips_in_parts(void **state)
{
	struct hp_report r = full(), got;
	uint8_t buf[HP_REPORT_PART_MAX];

	(void)state;
	assert_int_equal(hp_report_parts(&r), HP_REPORT_PARTS_MAX);
	for (unsigned int i = 0; i < hp_report_parts(&r); i++) {
		size_t len = hp_report_encode(&r, i, buf);

		assert_int_equal(hp_report_decode(&got, i, buf, len), HP_OK);
	}
	assert_memory_equal(&got, &r, sizeof(r));
}

/* A newer version may say more in its head. */
static void report_head_may_be_longer(void **state)
{
	struct hp_report r = full(), got;
	uint8_t buf[HP_REPORT_PART_MAX];
	size_t len = hp_report_encode(&r, 0, buf);

	(void)state;
	memset(buf + len, 7, 20);
	assert_int_equal(hp_report_decode(&got, 0, buf, len + 20), HP_OK);
	assert_int_equal(got.n_paths, HP_PUNCH_PATHS);
}

static void report_cut_anywhere_is_refused(void **state)
{
	struct hp_report r = full(), got = { 0 };
	uint8_t buf[HP_REPORT_PART_MAX];

	(void)state;
	for (unsigned int part = 0; part < HP_REPORT_PARTS_MAX; part++) {
		size_t len = hp_report_encode(&r, part, buf);

		for (size_t i = 0; i < len; i++) {
			got.n_paths = r.n_paths;
			assert_int_equal(hp_report_decode(&got, part, buf, i),
					 HP_ERR_FORMAT);
		}
	}
	assert_int_equal(hp_report_decode(&got, HP_REPORT_PARTS_MAX, buf, 0),
			 HP_ERR_FORMAT);
}

/* What a member may still write wrongly; offsets are those of the head of a
 * report of version "x" with nothing in it.
 */
static void report_out_of_range_is_refused(void **state)
{
	static const struct {
		const char *label;
		size_t at;
		uint8_t value;
		enum hp_err want;
	} rows[] = {
		{ "format", 0, 2, HP_ERR_VERSION },
		{ "version too long", 1, HP_REPORT_VERSION, HP_ERR_FORMAT },
		{ "servers", 50, HP_SERVERS_MAX + 1, HP_ERR_FORMAT },
		{ "candidates", 51, HP_CANDIDATES_MAX + 1, HP_ERR_FORMAT },
		{ "paths", 52, HP_PUNCH_PATHS + 1, HP_ERR_FORMAT },
		{ "untouched", 0, 1, HP_OK },
	};
	struct hp_report r = { .version = "x" }, got;
	uint8_t buf[HP_REPORT_PART_MAX];

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		size_t len = hp_report_encode(&r, 0, buf);

		assert_int_equal(len, 77);
		buf[rows[i].at] = rows[i].value;
		memset(buf + len, 0, 200);
		if (hp_report_decode(&got, 0, buf, len + 200) != rows[i].want)
			fail_msg("%s", rows[i].label);
	}
	buf[2] = '\033'; /* not on somebody's terminal */
	assert_int_equal(hp_report_decode(&got, 0, buf, 77), HP_OK);
	assert_string_equal(got.version, "?");
	r.n_paths = 1;
	r.path[0] = (struct hp_report_path){ .kind = HP_CAND_HOST,
					     .remote = addr("192.0.2.1") };
	buf[0] = 0;
	assert_int_equal(hp_report_encode(&r, 1, buf), 35);
	got.n_paths = 1;
	buf[0] = 7;
	assert_int_equal(hp_report_decode(&got, 1, buf, 35), HP_ERR_FORMAT);
	buf[0] = 0;
	assert_int_equal(hp_report_decode(&got, 1, buf, 35), HP_ERR_FORMAT);
	buf[0] = HP_CAND_HOST;
	assert_int_equal(hp_report_decode(&got, 1, buf, 36), HP_ERR_FORMAT);
	assert_int_equal(hp_report_decode(&got, 1, buf, 35), HP_OK);
}

static void pairs_join_what_both_ends_saw(void **state)
{
	/* alice 203.0.113.1, bob 203.0.113.2; her host address is not his. */
	struct hp_report a = { .n_paths = 4, .path = {
		{ .kind = HP_CAND_RELAYED, .remote = addr("198.51.100.1") },
		{ .kind = HP_CAND_REFLEXIVE, .remote = addr("203.0.113.2") },
		{ .kind = HP_CAND_HOST, .remote = addr("192.168.2.2") },
		{ .kind = HP_CAND_PEER_REFLEXIVE,
		  .remote = addr("203.0.113.2:7"),
		  .seen = addr("203.0.113.1:7") },
	} };
	struct hp_report b = { .n_paths = 4, .path = {
		{ .kind = HP_CAND_REFLEXIVE, .remote = addr("203.0.113.1"),
		  .seen = addr("203.0.113.2") },
		{ .kind = HP_CAND_RELAYED, .remote = addr("198.51.100.9") },
		{ .kind = HP_CAND_PEER_REFLEXIVE,
		  .remote = addr("203.0.113.1:7") },
		{ .kind = HP_CAND_HOST, .remote = addr("192.168.1.2") },
	} };
	struct hp_report_pair out[2 * HP_PUNCH_PATHS];

	(void)state;
	assert_int_equal(hp_report_pairs(&a, &b, out), 5);
	assert_ptr_equal(out[0].there, &b.path[1]);
	assert_ptr_equal(out[1].there, &b.path[0]);
	assert_null(out[2].there);
	assert_ptr_equal(out[3].there, &b.path[2]);
	assert_null(out[4].here);
	assert_ptr_equal(out[4].there, &b.path[3]);
	assert_int_equal(hp_report_pairs(&a, NULL, out), 4);
}

/* ---- over the virtual internet ------------------------------------------- */

static void halves_are_told_on_request(const struct sim_nat_config *nat,
				       enum hp_peer_state want)
{
	struct sim_world_node *a, *b;
	struct hp_report here, there;
	struct sim_world w;

	sim_world_init(&w, 3, true);
	a = nw_behind(&w, "alice", nat, "203.0.113.11", "192.168.1.2");
	b = nw_behind(&w, "bob", nat, "203.0.113.12", "192.168.2.2");
	sim_world_run(&w, 2 * HP_S);
	assert_int_equal(hp_node_half_ask(a->node, "bob", true,
					  sim_now(w.sim)), HP_ERR_UNKNOWN);
	nw_want(a, "bob");
	assert_int_equal(hp_node_half_ask(a->node, "bob", true,
					  sim_now(w.sim)), HP_ERR_STATE);
	assert_true(sim_world_wait(a, "bob", want, 2 * HP_S));
	sim_world_run(&w, 3 * HP_S);
	assert_int_equal(hp_node_half_get(a->node, "bob", &there),
			 HP_ERR_AGAIN);
	assert_int_equal(hp_node_half_ask(a->node, "bob", true,
					  sim_now(w.sim)), HP_OK);
	sim_world_run(&w, HP_S);
	assert_int_equal(hp_node_half_get(a->node, "bob", &there), HP_OK);
	assert_int_equal(hp_node_report(b->node, "alice", &here), HP_OK);
	assert_string_equal(there.version, HP_VERSION);
	assert_int_equal(there.n_paths, here.n_paths);
	assert_int_equal(there.direct, want == HP_PEER_DIRECT);
	assert_true(there.n_paths >= 2 && there.n_cand >= 2);
	assert_int_equal(there.server[0].registered, 1);
	sim_world_free(&w);
}

static void half_comes_over_the_direct_path(void **state)
{
	(void)state;
	halves_are_told_on_request(&nw_home, HP_PEER_DIRECT);
}

static void half_comes_over_the_relay(void **state)
{
	(void)state;
	halves_are_told_on_request(&nw_symmetric, HP_PEER_RELAYED);
}

/* ---- from facts to cause ------------------------------------------------- */

enum lab_net {
	HOME,		/* EIM */
	RANDOM,		/* APDM */
	PUBLIC,
};

/* A topology in few words. */
struct row {
	const char *label;
	enum hp_cause want;
	enum hp_peer_state state;
	enum lab_net own, peer;
	uint32_t heard, there_heard;	/* probes, on the direct path */
	uint32_t denied, there_denied;
	uint32_t errors;
	uint32_t off, there_off;	/* methods */
	bool own6, peer6;		/* IPv6 instead of IPv4 */
	bool one_nat;
	bool trying, doubt, valid;
	enum hp_report_guess guess, there_guess;
	uint32_t guesses;
	bool alone;			/* without the peer's half */
	bool unmet, no_intro, mute_relay;
	bool unresolved;
	enum hp_server_state server;	/* 0: registered */
	enum hp_err cause;
};

static enum hp_mapping mapping_of(enum lab_net net)
{
	return net == HOME ? HP_MAPPING_EIM :
	       net == RANDOM ? HP_MAPPING_APDM : HP_MAPPING_NONE;
}

/* One end, whose outside address ends with @ip and the other's with @other. */
static struct hp_report end_of(const struct row *r, bool here)
{
	uint32_t off = here ? r->off : r->there_off;
	bool own6 = here ? r->own6 : r->peer6;
	bool peer6 = here ? r->peer6 : r->own6;
	unsigned int ip = here || r->one_nat ? 11 : 12;
	unsigned int other = here && !r->one_nat ? 12 : 11;
	struct hp_report p = {
		.version = "1", .methods = HP_METHODS_ALL & ~off,
		.mapping = mapping_of(here ? r->own : r->peer),
		.peer_mapping = mapping_of(here ? r->peer : r->own),
		.trying = r->trying, .doubt = r->doubt,
		.guess = here ? r->guess : r->there_guess,
		.guesses = r->guesses,
		.n_cand = 1, .n_paths = r->no_intro ? 0 : 2,
	};

	p.cand[0].kind = HP_CAND_REFLEXIVE;
	p.cand[0].addr = own6 ? addr("2001:db8::1") :
				hp_addr4(203, 0, 113, (uint8_t)ip, 5000);
	if (off & HP_METHOD_REFLEXIVE)
		p.n_cand = 0;
	p.path[0] = (struct hp_report_path){
		.kind = HP_CAND_RELAYED, .remote = addr("198.51.100.1"),
		.sent = 5, .answered = r->mute_relay ? 0 : 5,
	};
	p.path[1] = (struct hp_report_path){
		.kind = HP_CAND_REFLEXIVE, .sent = 8, .valid = r->valid,
		.remote = peer6 ? addr("2001:db8::2") :
				  hp_addr4(203, 0, 113, (uint8_t)other, 5000),
		.heard = here ? r->heard : r->there_heard,
		.denied = here ? r->denied : r->there_denied,
		.errors = here ? r->denied + r->errors : r->there_denied,
	};
	return p;
}

static const struct row rows[] = {
	{ "two home routers", HP_CAUSE_DIRECT, HP_PEER_DIRECT, .valid = true },
	{ "nobody of that name", HP_CAUSE_UNKNOWN, HP_PEER_IDLE,
	  .unmet = true },
	{ "the server is dead", HP_CAUSE_RENDEZVOUS, HP_PEER_CONNECTING,
	  .no_intro = true, .server = HP_SERVER_LOST },
	{ "its name is wrong", HP_CAUSE_RENDEZVOUS, HP_PEER_CONNECTING,
	  .no_intro = true, .unresolved = true },
	{ "it has other networks", HP_CAUSE_REFUSED, HP_PEER_CONNECTING,
	  .no_intro = true, .server = HP_SERVER_REFUSED },
	{ "lost, and the server too", HP_CAUSE_RENDEZVOUS, HP_PEER_LOST,
	  .server = HP_SERVER_LOST },
	{ "relayed all the same", HP_CAUSE_BLOCKED, HP_PEER_RELAYED,
	  .server = HP_SERVER_LOST },
	{ "bob is off", HP_CAUSE_OFFLINE, HP_PEER_OFFLINE, .no_intro = true },
	{ "bob went", HP_CAUSE_SILENT, HP_PEER_LOST, .heard = 0 },
	{ "revoked", HP_CAUSE_CERTIFICATE, HP_PEER_REFUSED,
	  .cause = HP_ERR_REVOKED },
	{ "too late", HP_CAUSE_CERTIFICATE, HP_PEER_REFUSED,
	  .cause = HP_ERR_EXPIRED },
	{ "asked a moment ago", HP_CAUSE_TRYING, HP_PEER_CONNECTING,
	  .no_intro = true },
	{ "volleys under way", HP_CAUSE_TRYING, HP_PEER_RELAYED,
	  .trying = true },
	{ "answers nothing at all", HP_CAUSE_SILENT, HP_PEER_CONNECTING,
	  .mute_relay = true },
	{ "fell silent just now", HP_CAUSE_LOST, HP_PEER_RELAYED,
	  .doubt = true },
	{ "loses packets", HP_CAUSE_LOSSY, HP_PEER_RELAYED, .valid = true },
	{ "our OUTPUT chain", HP_CAUSE_FIREWALL_HERE, HP_PEER_RELAYED,
	  .denied = 8 },
	{ "its OUTPUT chain", HP_CAUSE_FIREWALL_THERE, HP_PEER_RELAYED,
	  .there_denied = 8 },
	{ "one refusal is no rule", HP_CAUSE_BLOCKED, HP_PEER_RELAYED,
	  .denied = 1 },
	{ "IPv4 here, IPv6 there", HP_CAUSE_NO_FAMILY, HP_PEER_RELAYED,
	  .peer6 = true },
	{ "the same from our half", HP_CAUSE_NO_FAMILY, HP_PEER_RELAYED,
	  .own6 = true, .alone = true },
	{ "no candidates by choice", HP_CAUSE_METHOD_OFF, HP_PEER_RELAYED,
	  .off = HP_METHOD_REFLEXIVE },
	{ "no candidates by its choice", HP_CAUSE_METHOD_OFF, HP_PEER_RELAYED,
	  .there_off = HP_METHOD_REFLEXIVE },
	{ "IPv6 off, and nothing else", HP_CAUSE_METHOD_OFF, HP_PEER_RELAYED,
	  .peer6 = true, .off = HP_METHOD_IPV6 },
	{ "one carrier NAT", HP_CAUSE_HAIRPIN, HP_PEER_RELAYED,
	  .one_nat = true },
	{ "one NAT that turns, both symmetric", HP_CAUSE_NAT_BOTH,
	  HP_PEER_RELAYED, .own = RANDOM, .peer = RANDOM, .one_nat = true, .heard = 2 },
	{ "both random", HP_CAUSE_NAT_BOTH, HP_PEER_RELAYED,
	  .own = RANDOM, .peer = RANDOM },
	{ "both random, from our half", HP_CAUSE_NAT_BOTH, HP_PEER_RELAYED,
	  .own = RANDOM, .peer = RANDOM, .alone = true },
	{ "ours random", HP_CAUSE_NAT_OWN, HP_PEER_RELAYED, .own = RANDOM, .peer = HOME },
	{ "its random", HP_CAUSE_NAT_PEER, HP_PEER_RELAYED, .own = HOME, .peer = RANDOM },
	{ "guessed for the first time", HP_CAUSE_TRYING, HP_PEER_RELAYED,
	  .own = RANDOM, .peer = HOME, .guess = HP_REPORT_GUESS_ROUND,
	  .guesses = 1 },
	{ "the peer guesses", HP_CAUSE_TRYING, HP_PEER_RELAYED,
	  .own = RANDOM, .peer = HOME, .there_guess = HP_REPORT_GUESS_ROUND,
	  .guesses = 1 },
	{ "guessed where there is nothing to guess", HP_CAUSE_BLOCKED,
	  HP_PEER_RELAYED, .guess = HP_REPORT_GUESS_ROUND, .guesses = 1 },
	{ "guessed again", HP_CAUSE_NAT_OWN, HP_PEER_RELAYED,
	  .own = RANDOM, .peer = HOME, .guess = HP_REPORT_GUESS_ROUND,
	  .guesses = 2 },
	{ "guessed in vain", HP_CAUSE_NAT_PEER, HP_PEER_RELAYED,
	  .own = HOME, .peer = RANDOM, .guess = HP_REPORT_GUESS_FAILED,
	  .guesses = 1 },
	{ "nothing to hope for", HP_CAUSE_NAT_BOTH, HP_PEER_RELAYED,
	  .own = RANDOM, .peer = RANDOM, .guess = HP_REPORT_GUESS_HOPELESS },
	{ "guessing is off", HP_CAUSE_METHOD_OFF, HP_PEER_RELAYED,
	  .own = RANDOM, .peer = HOME, .there_off = HP_METHOD_BIRTHDAY },
	{ "the peer guesses alone", HP_CAUSE_METHOD_OFF, HP_PEER_RELAYED,
	  .own = RANDOM, .peer = HOME, .there_guess = HP_REPORT_GUESS_ROUND,
	  .guesses = 1, .off = HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY },
	{ "a NAT cannot be to blame before a public host", HP_CAUSE_BLOCKED,
	  HP_PEER_RELAYED, .own = RANDOM, .peer = PUBLIC },
	{ "theirs arrive", HP_CAUSE_ONE_WAY, HP_PEER_RELAYED, .heard = 3 },
	{ "ours arrive", HP_CAUSE_ONE_WAY, HP_PEER_RELAYED, .there_heard = 3 },
	{ "no route", HP_CAUSE_NO_ROUTE, HP_PEER_RELAYED, .errors = 8 },
	{ "a firewall in between", HP_CAUSE_BLOCKED, HP_PEER_RELAYED,
	  .heard = 0 },
	{ "a firewall, from our half", HP_CAUSE_BLOCKED, HP_PEER_RELAYED,
	  .alone = true },
	{ "a firewall, and no relay", HP_CAUSE_BLOCKED, HP_PEER_CONNECTING,
	  .off = HP_METHOD_RELAY },
};

static void diagnose_row(const struct row *r, struct hp_finding *f, size_t *n)
{
	struct hp_report here = end_of(r, true), there = end_of(r, false);
	struct hp_case c = {
		.peer = "bob", .met = !r->unmet, .state = r->state,
		.cause = r->cause, .here = &here,
		.there = r->alone ? NULL : &there,
		.server = { .name = "s:8888",
			    .state = r->server || r->unresolved ?
				     r->server : HP_SERVER_REGISTERED },
	};

	*n = hp_diagnose(&c, f);
}

static void each_topology_has_its_cause(void **state)
{
	struct hp_finding f[HP_FINDINGS_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		diagnose_row(&rows[i], f, &n);
		if (!n || f[0].cause != rows[i].want)
			fail_msg("%s: %s, not %s", rows[i].label,
				 n ? hp_cause_word(f[0].cause) : "nothing",
				 hp_cause_word(rows[i].want));
		if (f[0].cause != HP_CAUSE_DIRECT && !f[0].remedy[0])
			fail_msg("%s: nothing to do", rows[i].label);
		for (size_t j = 1; j < n; j++)
			assert_string_not_equal(hp_cause_word(f[j].cause),
						"unknown");
	}
}

static bool also(const struct hp_case *c, enum hp_cause want)
{
	struct hp_finding f[HP_FINDINGS_MAX];
	size_t n = hp_diagnose(c, f);

	for (size_t i = 1; i < n; i++)
		if (f[i].cause == want)
			return true;
	return false;
}

static void beside_the_cause_stands_what_is_worth_knowing(void **state)
{
	static const struct row blocked = { .state = HP_PEER_RELAYED };
	struct hp_report here = end_of(&blocked, true);
	struct hp_report there = end_of(&blocked, false);
	struct hp_case c = { .peer = "bob", .met = true,
			     .state = HP_PEER_RELAYED, .here = &here,
			     .there = &there,
			     .server.state = HP_SERVER_REGISTERED };

	(void)state;
	assert_false(also(&c, HP_CAUSE_VERSION));
	there.version[0] = '2';
	assert_true(also(&c, HP_CAUSE_VERSION));
	assert_false(also(&c, HP_CAUSE_INTRUDER));
	c.intruder = HP_ERR_PIN;
	assert_true(also(&c, HP_CAUSE_INTRUDER));
	assert_false(also(&c, HP_CAUSE_SERVER_PORT));
	here.n_servers = 1;
	here.server[0].registered = here.server[0].lone_port = true;
	assert_true(also(&c, HP_CAUSE_SERVER_PORT));
	assert_false(also(&c, HP_CAUSE_HALF));
	c.there = NULL;
	assert_true(also(&c, HP_CAUSE_HALF));
	assert_false(also(&c, HP_CAUSE_RELAY_OFF));
	c.state = HP_PEER_CONNECTING;
	here.methods &= ~(uint32_t)HP_METHOD_RELAY;
	assert_true(also(&c, HP_CAUSE_RELAY_OFF));
}

static void end_without_udp_is_named_before_all_else(void **state)
{
	static const struct row row = { .state = HP_PEER_RELAYED };
	struct hp_report here = end_of(&row, true);
	struct hp_report there = end_of(&row, false);
	struct hp_case c = { .peer = "bob", .met = true,
			     .state = HP_PEER_RELAYED, .here = &here,
			     .there = &there,
			     .server.state = HP_SERVER_REGISTERED };
	struct hp_finding f[HP_FINDINGS_MAX];

	(void)state;
	here.trying = true;
	here.n_servers = there.n_servers = 2;
	here.server[0].registered = there.server[1].registered = true;
	hp_diagnose(&c, f);
	assert_int_equal(f[0].cause, HP_CAUSE_TRYING);
	there.server[1].stream = true;
	hp_diagnose(&c, f);
	assert_int_equal(f[0].cause, HP_CAUSE_BLOCKED);
	assert_non_null(strstr(f[0].words, "at bob"));
	here.server[0].stream = true;
	hp_diagnose(&c, f);
	assert_int_equal(f[0].cause, HP_CAUSE_BLOCKED);
	assert_non_null(strstr(f[0].words, "UDP here"));
	/* One that is reached by UDP will do. */
	here.server[1].registered = there.server[0].registered = true;
	hp_diagnose(&c, f);
	assert_int_equal(f[0].cause, HP_CAUSE_TRYING);
}

static void a_member_that_could_relay_is_named(void **state)
{
	static const struct row blocked = { .state = HP_PEER_CONNECTING };
	struct hp_report here = end_of(&blocked, true);
	struct hp_case c = { .peer = "bob", .met = true,
			     .state = HP_PEER_CONNECTING, .here = &here,
			     .server.state = HP_SERVER_LOST };
	struct hp_finding f[HP_FINDINGS_MAX];

	(void)state;
	assert_false(also(&c, HP_CAUSE_NO_RELAY));
	c.via.other = "carol";
	assert_true(also(&c, HP_CAUSE_NO_RELAY));
	assert_int_equal(hp_diagnose(&c, f), 2);
	assert_non_null(strstr(f[1].words, "carol"));
	assert_non_null(strstr(f[1].remedy, "AllowRelay"));
	c.via.relays = "dave";
	assert_int_equal(hp_diagnose(&c, f), 2);
	assert_non_null(strstr(f[1].words, "dave"));
	/* Nothing to say of it while packets flow, or by our own will. */
	c.state = HP_PEER_RELAYED;
	assert_false(also(&c, HP_CAUSE_NO_RELAY));
	c.state = HP_PEER_CONNECTING;
	here.path[0].valid = true;
	assert_false(also(&c, HP_CAUSE_NO_RELAY));
	here.path[0].valid = false;
	here.methods &= ~(uint32_t)HP_METHOD_RELAY;
	assert_false(also(&c, HP_CAUSE_NO_RELAY));
}

static void causes_have_words_of_their_own(void **state)
{
	(void)state;
	for (int i = 0; i < HP_CAUSES; i++) {
		const char *word = hp_cause_word((enum hp_cause)i);

		assert_string_not_equal(word, "unknown");
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				word, hp_cause_word((enum hp_cause)j));
	}
}

static void pair_words_tell_what_became_of_it(void **state)
{
	static const struct {
		struct hp_report_path here, there;
		bool no_here, no_there;
		const char *want;
	} rows_of[] = {
		{ .here.in_use = true, .here.valid = true, .want = "in use" },
		{ .here.valid = true, .want = "works" },
		{ .here = { .sent = 2, .denied = 2, .errors = 2 },
		  .want = "our firewall refuses to send" },
		{ .there = { .sent = 2, .denied = 2, .errors = 2 },
		  .want = "the peer's firewall refuses to send" },
		{ .here = { .sent = 2, .errors = 2 }, .no_there = true,
		  .want = "no way there" },
		{ .here = { .sent = 2, .heard = 1 },
		  .want = "heard, but our probes are not answered" },
		{ .here.sent = 2, .there.heard = 1,
		  .want = "ours arrive, the peer's do not" },
		{ .here = { .sent = 2, .answered = 1 },
		  .want = "worked before" },
		{ .no_here = true, .want = "the peer tries it" },
		{ .here.sent = 2, .no_there = true, .want = "no answer" },
		{ .no_there = true, .want = "not tried" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows_of); i++) {
		struct hp_report_pair p = {
			rows_of[i].no_here ? NULL : &rows_of[i].here,
			rows_of[i].no_there ? NULL : &rows_of[i].there,
		};

		assert_string_equal(hp_pair_words(&p), rows_of[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_round_trips_in_parts),
		cmocka_unit_test(report_head_may_be_longer),
		cmocka_unit_test(report_cut_anywhere_is_refused),
		cmocka_unit_test(report_out_of_range_is_refused),
		cmocka_unit_test(pairs_join_what_both_ends_saw),
		cmocka_unit_test(half_comes_over_the_direct_path),
		cmocka_unit_test(half_comes_over_the_relay),
		cmocka_unit_test(each_topology_has_its_cause),
		cmocka_unit_test(beside_the_cause_stands_what_is_worth_knowing),
		cmocka_unit_test(end_without_udp_is_named_before_all_else),
		cmocka_unit_test(a_member_that_could_relay_is_named),
		cmocka_unit_test(causes_have_words_of_their_own),
		cmocka_unit_test(pair_words_tell_what_became_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
