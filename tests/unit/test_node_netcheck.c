/* SPDX-License-Identifier: ISC */
/* lib/node/netcheck: what it says of each kind of NAT, on the virtual internet
 * with real servers.
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
#include "base/time.h"
#include "meet/registry.h"
#include "meet/stun.h"
#include "node/netcheck.h"
#include "node_world.h"

#define SERVERS 2
#define OWN_PORT 40000
#define BEHIND "192.168.7.2"

struct server {
	struct sim *sim;
	struct sim_host *host;
	struct hp_registry *registry;
	bool second_port_closed;
};

/* A host that checks its net, behind @nat or not. */
struct place {
	struct sim *sim;
	struct sim_nat *nat;
	struct sim_host *host;
	struct server server[SERVERS];
	struct hp_addr own[2];
	struct hp_netcheck *check;
	unsigned int sent;
	uint8_t last[HP_STUN_REQUEST_LEN]; /* what was asked */
};

static void server_send(void *ctx, const struct hp_path *to,
			const uint8_t *buf, size_t len)
{
	struct server *s = ctx;

	sim_send(s->host, (uint16_t)(HP_SERVER_PORT + (to->sock & 1)),
		 &to->remote, 0, buf, len);
}

static const struct hp_registry_ops server_ops = { .send = server_send };

static void server_recv(void *ctx, const struct hp_addr *from,
			const struct hp_addr *to, uint8_t *buf, size_t len)
{
	struct server *s = ctx;
	struct hp_path path = { .remote = *from, .local = *to };

	path.sock = to->port != HP_SERVER_PORT;
	if (path.sock && s->second_port_closed)
		return;
	hp_registry_rx(s->registry, &path, buf, len, sim_now(s->sim));
}

static uint64_t server_deadline(void *ctx)
{
	(void)ctx;
	return HP_NEVER;
}

static void server_tick(void *ctx)
{
	(void)ctx;
}

static void server_start(struct server *s, struct sim *sim, const char *ip4,
			 const char *ip6)
{
	struct hp_registry_config cfg = hp_registry_defaults();
	const struct sim_program program = { server_recv, server_deadline,
					     server_tick, s };

	s->sim = sim;
	s->host = sim_host_new(sim, NULL, ip4, &nw_ten_ms);
	sim_host_renumber(s->host, ip6);
	cfg.rng = sim_rng(sim);
	cfg.ops = &server_ops;
	cfg.ctx = s;
	s->registry = hp_registry_new(&cfg);
	assert_non_null(s->registry);
	sim_host_run(s->host, &program);
}

static bool check_send(void *ctx, unsigned int sock, const struct hp_addr *dst,
		       const uint8_t *buf, size_t len)
{
	struct place *p = ctx;

	p->sent++;
	assert_int_equal(len, sizeof(p->last));
	memcpy(p->last, buf, len);
	return sim_send(p->host, (uint16_t)(OWN_PORT + sock), dst, 0, buf,
			len);
}

static const struct hp_netcheck_ops check_ops = { check_send };

static void check_recv(void *ctx, const struct hp_addr *from,
		       const struct hp_addr *to, uint8_t *buf, size_t len)
{
	struct place *p = ctx;

	hp_netcheck_rx(p->check, to->port - OWN_PORT, from, buf, len,
		       sim_now(p->sim));
}

static uint64_t check_deadline(void *ctx)
{
	return hp_netcheck_deadline(((struct place *)ctx)->check);
}

static void check_tick(void *ctx)
{
	struct place *p = ctx;

	hp_netcheck_tick(p->check, sim_now(p->sim));
}

static bool check_done(void *ctx)
{
	return check_deadline(ctx) == HP_NEVER;
}

/* A host with @ip4, @ip6 (either may be NULL) behind @nat (NULL: none). */
static void place_init(struct place *p, const struct sim_nat_config *nat,
		       const char *ip4, const char *ip6)
{
	*p = (struct place){ .sim = sim_new(7) };
	server_start(&p->server[0], p->sim, "203.0.113.1", "2001:db8:1::1");
	server_start(&p->server[1], p->sim, "203.0.113.2", "2001:db8:1::2");
	if (nat)
		p->nat = sim_nat_new(p->sim, nat, NULL, "203.0.113.11");
	p->host = sim_host_new(p->sim, p->nat, ip4 ? ip4 : ip6, &nw_ten_ms);
	if (ip4 && ip6)
		sim_host_renumber(p->host, ip6);
}

static void place_free(struct place *p)
{
	for (unsigned int i = 0; i < SERVERS; i++)
		hp_registry_free(p->server[i].registry);
	hp_netcheck_free(p->check);
	sim_free(p->sim);
}

/* The whole check against @n_servers; at most 200 s of it. */
static void check(struct place *p, unsigned int n_servers, bool lifetime,
		  struct hp_netcheck_facts *out)
{
	const struct sim_program program = { check_recv, check_deadline,
					     check_tick, p };
	struct hp_netcheck_config cfg = {
		.n_servers = n_servers,
		.own = p->own,
		.lifetime = lifetime,
		.rng = sim_rng(p->sim),
		.ops = &check_ops,
		.ctx = p,
	};

	for (unsigned int af = 0; af < 2; af++) {
		enum hp_family family = af ? HP_AF_6 : HP_AF_4;
		struct hp_addr a = sim_host_addr_of(p->host, family, 0);

		if (a.family)
			p->own[cfg.n_own++] = a;
		for (unsigned int s = 0; s < n_servers; s++)
			cfg.server[s][af] = sim_host_addr_of(
				p->server[s].host, family, HP_SERVER_PORT);
	}
	for (unsigned int i = 0; i < HP_NETCHECK_SOCKS; i++)
		cfg.port[i] = (uint16_t)(OWN_PORT + i);
	p->check = hp_netcheck_new(&cfg);
	assert_non_null(p->check);
	sim_host_run(p->host, &program);
	assert_true(sim_run(p->sim, sim_now(p->sim) + 200 * HP_S, check_done,
			    p));
	hp_netcheck_facts(p->check, out);
}

/* ---- one NAT after another ---- */

struct row {
	const char *label;
	struct sim_nat_config nat;
	unsigned int servers;
	const char *mapping, *filtering, *ports;
	enum hp_nat_answer hairpin;
	const char *expect[HP_NC_PEERS];
};

/* Ports are those of IPv4: no row has IPv6. */
static const struct row rows[] = {
	{ "home router, two servers",
	  { .mapping = SIM_EIM, .filtering = SIM_APDF, .ports = SIM_PRESERVE },
	  2, "EIM", "APDF", "preserved", HP_NAT_NO,
	  { "direct", "direct", "maybe-direct", "relayed", "none" } },
	{ "home router, one server",
	  { .mapping = SIM_EIM, .filtering = SIM_APDF, .ports = SIM_PRESERVE,
	    .hairpin = true },
	  1, "EIM-or-ADM", "APDF", "preserved", HP_NAT_YES,
	  { "direct", "direct", "maybe-direct", "relayed", "none" } },
	{ "full cone, random ports",
	  { .mapping = SIM_EIM, .filtering = SIM_EIF, .ports = SIM_RANDOM },
	  2, "EIM", "EIF", "random", HP_NAT_NO,
	  { "direct", "direct", "direct", "relayed", "none" } },
	{ "full cone, one server",
	  { .mapping = SIM_EIM, .filtering = SIM_EIF, .ports = SIM_RANDOM },
	  1, "EIM-or-ADM", "EIF-or-ADF", "random", HP_NAT_NO,
	  { "direct", "direct", "direct", "relayed", "none" } },
	{ "restricted cone",
	  { .mapping = SIM_EIM, .filtering = SIM_ADF, .ports = SIM_PRESERVE,
	    .hairpin = true },
	  2, "EIM", "ADF", "preserved", HP_NAT_YES,
	  { "direct", "direct", "direct", "relayed", "none" } },
	{ "address-dependent",
	  { .mapping = SIM_ADM, .filtering = SIM_APDF, .ports = SIM_RANDOM },
	  2, "ADM", "APDF", "random", HP_NAT_NO,
	  { "direct", "maybe-direct", "relayed", "relayed", "none" } },
	{ "address-dependent, one server",
	  { .mapping = SIM_ADM, .filtering = SIM_APDF, .ports = SIM_RANDOM },
	  1, "EIM-or-ADM", "APDF", "random", HP_NAT_NO,
	  { "direct", "direct", "maybe-direct", "relayed", "none" } },
	{ "symmetric, random",
	  { .mapping = SIM_APDM, .filtering = SIM_APDF, .ports = SIM_RANDOM },
	  1, "APDM", "APDF", "random", HP_NAT_NO,
	  { "direct", "maybe-direct", "relayed", "relayed", "none" } },
	{ "symmetric, sequential",
	  { .mapping = SIM_APDM, .filtering = SIM_APDF,
	    .ports = SIM_SEQUENTIAL, .stride = 2 },
	  2, "APDM", "APDF", "sequential", HP_NAT_NO,
	  { "direct", "maybe-direct", "maybe-direct", "relayed",
	    "none" } },
	{ "symmetric, ports in a block",
	  { .mapping = SIM_APDM, .filtering = SIM_APDF, .ports = SIM_BLOCK,
	    .block = 512 },
	  2, "APDM", "APDF", "random", HP_NAT_NO,
	  { "direct", "maybe-direct", "maybe-direct", "relayed",
	    "none" } },
};

static unsigned int wrong(const char *label, const char *what, const char *is,
			  const char *want)
{
	if (!strcmp(is, want))
		return 0;
	print_error("%s: %s is %s, not %s\n", label, what, is, want);
	return 1;
}

static unsigned int wrong_expect(const char *label,
				 const struct hp_netcheck_facts *f,
				 const char *const want[HP_NC_PEERS])
{
	unsigned int bad = 0;

	for (enum hp_netcheck_peer i = 0; i < HP_NC_PEERS; i++) {
		const char *why = NULL;
		enum hp_netcheck_path path = hp_netcheck_expect(f, i, &why);

		bad += wrong(label, hp_netcheck_peer_word(i),
			     hp_netcheck_path_word(path), want[i]);
		assert_true(why && why[0]);
	}
	return bad;
}

static void each_nat_is_told_as_far_as_its_servers_can(void **state)
{
	unsigned int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		const struct hp_netcheck_family *f;
		struct hp_netcheck_facts facts;
		struct place p;

		place_init(&p, &r->nat, BEHIND, NULL);
		check(&p, r->servers, false, &facts);
		f = &facts.family[0];
		bad += wrong(r->label, "mapping",
			     hp_nat_mapping_text(f->mapping), r->mapping);
		bad += wrong(r->label, "filtering",
			     hp_nat_filtering_text(f->filtering),
			     r->filtering);
		bad += wrong(r->label, "ports",
			     hp_nat_ports_text(f->ports), r->ports);
		bad += f->hairpin != r->hairpin;
		if (f->hairpin != r->hairpin)
			print_error("%s: hairpin %d\n", r->label, f->hairpin);
		bad += wrong_expect(r->label, &facts, r->expect);
		assert_int_equal(f->samples, HP_NETCHECK_FRESH);
		assert_int_equal(f->stride, r->nat.stride);
		assert_false(facts.family[1].answered);
		assert_int_equal(f->alive_s + f->dead_s, 0);
		place_free(&p);
	}
	assert_int_equal(bad, 0);
}

/* Behind a symmetric NAT, with one thing as @set makes it. */
static void symmetric_expects(const char *label,
			      void (*set)(struct hp_netcheck_facts *f),
			      const char *const want[HP_NC_PEERS])
{
	struct hp_netcheck_facts facts;
	struct place p;

	place_init(&p, &nw_symmetric, BEHIND, NULL);
	check(&p, 1, false, &facts);
	set(&facts);
	assert_int_equal(wrong_expect(label, &facts, want), 0);
	place_free(&p);
}

static void set_no_relay(struct hp_netcheck_facts *f)
{
	f->no_relay = true;
}

static void set_mapped(struct hp_netcheck_facts *f)
{
	f->mapped = true;
}

static void without_a_relay_some_peers_are_out_of_reach(void **state)
{
	static const char *const want[HP_NC_PEERS] = {
		"direct", "maybe-direct", "none", "none", "none",
	};

	(void)state;
	symmetric_expects("no relay", set_no_relay, want);
}

static void gateway_that_opens_ports_makes_paths_direct(void **state)
{
	static const char *const want[HP_NC_PEERS] = {
		"direct", "direct", "direct", "relayed", "none",
	};

	(void)state;
	symmetric_expects("mapped", set_mapped, want);
}

static void ports_of_a_block_stay_within_it(void **state)
{
	const struct sim_nat_config block = {
		.mapping = SIM_APDM, .filtering = SIM_APDF,
		.ports = SIM_BLOCK, .block = 512,
	};
	struct hp_netcheck_facts facts;
	struct place p;

	(void)state;
	place_init(&p, &block, BEHIND, NULL);
	check(&p, 1, false, &facts);
	assert_true(facts.family[0].high > facts.family[0].low);
	assert_true(facts.family[0].high - facts.family[0].low < 512);
	place_free(&p);
}

/* ---- lifetime ---- */

/* A NAT that keeps ports gives a dead mapping's place to the new one, so that
 * asking again from the same socket would see no difference.
 */
static void lifetime_is_bounded_from_both_sides(void **state)
{
	static const struct {
		unsigned int life_s, alive_s, dead_s;
	} lives[] = {
		{ 10, 0, 15 }, { 20, 15, 25 }, { 30, 25, 60 }, { 90, 60, 120 },
		{ 180, 120, 0 }, { 0, 120, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lives) / sizeof(*lives); i++) {
		const struct sim_nat_config nat = {
			.mapping = SIM_EIM, .filtering = SIM_APDF,
			.ports = SIM_PRESERVE,
			.lifetime_ns = lives[i].life_s * HP_S,
		};
		struct hp_netcheck_facts facts;
		struct place p;

		place_init(&p, &nat, BEHIND, NULL);
		check(&p, 1, true, &facts);
		assert_int_equal(facts.family[0].alive_s, lives[i].alive_s);
		assert_int_equal(facts.family[0].dead_s, lives[i].dead_s);
		place_free(&p);
	}
}

/* ---- without NAT ---- */

static void public_host_has_no_nat_and_no_filter(void **state)
{
	static const char *const expect[] = { "direct", "direct", "direct",
					      "direct", "none" };
	struct hp_netcheck_facts facts;
	struct place p;

	(void)state;
	place_init(&p, NULL, "203.0.113.50", "2001:db8:50::2");
	check(&p, 2, false, &facts);
	for (unsigned int af = 0; af < 2; af++) {
		const struct hp_netcheck_family *f = &facts.family[af];

		assert_int_equal(f->mapping, HP_NAT_MAPPING_NONE);
		assert_int_equal(f->filtering, HP_NAT_FILTERING_EIF);
		assert_int_equal(f->ports, HP_NAT_PORTS_UNKNOWN);
		assert_int_equal(f->hairpin, HP_NAT_UNKNOWN);
		assert_true(f->answered && !f->many_ips);
	}
	assert_int_equal(wrong_expect("public", &facts, expect), 0);
	assert_int_equal(facts.server[0][0][0].rtt_ns / HP_MS, 40);
	assert_int_equal(facts.server[1][1][1].dst.port, HP_SERVER_PORT + 1);
	place_free(&p);
}

static void ipv6_alone_is_direct_with_ipv6_and_relayed_to_ipv4(void **state)
{
	static const char *const expect[] = { "relayed", "relayed", "relayed",
					      "direct", "none" };
	const struct sim_nat_config firewall = {
		.mapping = SIM_ROUTED, .filtering6 = SIM_APDF,
	};
	struct hp_netcheck_facts facts;
	struct place p;

	(void)state;
	place_init(&p, &firewall, NULL, "2001:db8:11::2");
	check(&p, 1, false, &facts);
	assert_false(facts.family[0].answered);
	assert_true(facts.server[0][0][0].no_way);
	assert_int_equal(facts.family[1].mapping, HP_NAT_MAPPING_NONE);
	assert_int_equal(facts.family[1].filtering, HP_NAT_FILTERING_APDF);
	assert_int_equal(wrong_expect("ipv6", &facts, expect), 0);
	place_free(&p);
}

/* ---- servers that do not answer ---- */

static void silence_is_told_and_ends(void **state)
{
	static const char *const expect[] = { "none", "none", "none", "none",
					      "none" };
	struct hp_netcheck_facts facts;
	struct place p;
	uint64_t start;

	(void)state;
	place_init(&p, NULL, "203.0.113.50", NULL);
	sim_host_down(p.server[0].host, true);
	start = sim_now(p.sim);
	check(&p, 1, true, &facts);
	assert_false(facts.family[0].answered);
	assert_false(facts.server[0][0][0].answered);
	assert_false(facts.server[0][0][0].no_way);
	assert_true(sim_now(p.sim) - start < 4 * HP_S);
	assert_int_equal(p.sent, 5 + 5 + 2);
	assert_int_equal(wrong_expect("blocked", &facts, expect), 0);
	place_free(&p);
}

static void second_server_serves_when_the_first_is_silent(void **state)
{
	const struct sim_nat_config nat = {
		.mapping = SIM_APDM, .filtering = SIM_APDF,
		.ports = SIM_RANDOM,
	};
	struct hp_netcheck_facts facts;
	struct place p;

	(void)state;
	place_init(&p, &nat, BEHIND, NULL);
	sim_host_down(p.server[0].host, true);
	check(&p, 2, false, &facts);
	assert_false(facts.server[0][0][0].answered);
	assert_true(facts.server[1][0][0].answered);
	assert_int_equal(facts.family[0].mapping, HP_NAT_MAPPING_APDM);
	place_free(&p);
}

static void closed_second_port_leaves_things_open(void **state)
{
	const struct sim_nat_config nat = {
		.mapping = SIM_APDM, .filtering = SIM_APDF,
		.ports = SIM_RANDOM,
	};
	struct hp_netcheck_facts facts;
	struct place p;

	(void)state;
	place_init(&p, &nat, BEHIND, NULL);
	p.server[0].second_port_closed = p.server[1].second_port_closed = true;
	check(&p, 1, false, &facts);
	assert_int_equal(facts.family[0].mapping, HP_NAT_MAPPING_UNKNOWN);
	assert_int_equal(facts.family[0].filtering, HP_NAT_FILTERING_UNKNOWN);
	place_free(&p);
	place_init(&p, &nat, BEHIND, NULL);
	p.server[0].second_port_closed = p.server[1].second_port_closed = true;
	check(&p, 2, false, &facts);
	assert_int_equal(facts.family[0].mapping, HP_NAT_MAPPING_ADM_OR_APDM);
	place_free(&p);
}

static void a_tenth_of_the_packets_lost_changes_nothing(void **state)
{
	const struct sim_link lossy = { .delay_ns = 10 * HP_MS,
					.loss_ppm = 100000 };
	const struct sim_nat_config nat = {
		.mapping = SIM_EIM, .filtering = SIM_ADF,
		.ports = SIM_PRESERVE,
	};
	struct hp_netcheck_facts facts;
	struct place p;

	(void)state;
	place_init(&p, &nat, BEHIND, NULL);
	sim_nat_link(p.nat, &lossy);
	check(&p, 2, false, &facts);
	assert_int_equal(facts.family[0].mapping, HP_NAT_MAPPING_EIM);
	assert_int_equal(facts.family[0].filtering, HP_NAT_FILTERING_ADF);
	assert_int_equal(facts.family[0].ports, HP_NAT_PORTS_PRESERVED);
	place_free(&p);
}

/* The answer to what @p asked last comes to socket @sock from @from. */
static void answer(struct place *p, unsigned int sock,
		   const struct hp_addr *from)
{
	const struct hp_addr seen = hp_addr4(198, 51, 100, 1, 1);
	struct hp_stun_request req;
	uint8_t buf[HP_STUN_REPLY_MAX];

	assert_int_equal(hp_stun_request_get(p->last, sizeof(p->last), &req),
			 HP_OK);
	hp_netcheck_rx(p->check, sock, from, buf,
		       hp_stun_reply_put(&req, &seen, buf), 0);
}

static bool any_answer(const struct place *p)
{
	struct hp_netcheck_facts f;

	hp_netcheck_facts(p->check, &f);
	return f.server[0][0][0].answered || f.server[0][0][1].answered;
}

static void only_the_server_answers_and_only_what_was_asked(void **state)
{
	const struct hp_addr server = hp_addr4(203, 0, 113, 1, HP_SERVER_PORT);
	const struct hp_addr second = hp_addr4(203, 0, 113, 1,
					       HP_SERVER_PORT + 1);
	const struct hp_addr liar = hp_addr4(203, 0, 113, 9, HP_SERVER_PORT);
	struct hp_netcheck_config cfg = { .server = { { server } } };
	uint8_t buf[64];
	struct place p;

	(void)state;
	place_init(&p, NULL, "203.0.113.50", NULL);
	cfg.n_servers = 1;
	cfg.rng = sim_rng(p.sim);
	cfg.ops = &check_ops;
	cfg.ctx = &p;
	p.check = hp_netcheck_new(&cfg);
	hp_netcheck_tick(p.check, 0);
	for (size_t len = 0; len <= sizeof(buf); len++) {
		hp_rng_fill(cfg.rng, buf, sizeof(buf));
		hp_netcheck_rx(p.check, 0, &server, buf, len, 0);
	}
	/* The second port was asked last. */
	answer(&p, 0, &liar);
	answer(&p, 1, &second);
	p.last[HP_STUN_HEAD - 1]++; /* a try that was not made */
	answer(&p, 0, &second);
	p.last[HP_STUN_HEAD - 1]--;
	p.last[HP_STUN_HEAD - 2]++;
	answer(&p, 0, &second);
	p.last[HP_STUN_HEAD - 2]--;
	assert_false(any_answer(&p));
	answer(&p, 0, &second);
	assert_true(any_answer(&p));
	place_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_nat_is_told_as_far_as_its_servers_can),
		cmocka_unit_test(without_a_relay_some_peers_are_out_of_reach),
		cmocka_unit_test(gateway_that_opens_ports_makes_paths_direct),
		cmocka_unit_test(ports_of_a_block_stay_within_it),
		cmocka_unit_test(lifetime_is_bounded_from_both_sides),
		cmocka_unit_test(public_host_has_no_nat_and_no_filter),
		cmocka_unit_test(
			ipv6_alone_is_direct_with_ipv6_and_relayed_to_ipv4),
		cmocka_unit_test(silence_is_told_and_ends),
		cmocka_unit_test(
			second_server_serves_when_the_first_is_silent),
		cmocka_unit_test(closed_second_port_leaves_things_open),
		cmocka_unit_test(a_tenth_of_the_packets_lost_changes_nothing),
		cmocka_unit_test(
			only_the_server_answers_and_only_what_was_asked),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
