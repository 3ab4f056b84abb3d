/* SPDX-License-Identifier: ISC */
/* lib/punch/nat: what is inferred from what servers saw; and the account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/rng.h"
#include "punch/budget.h"
#include "punch/nat.h"

#define SEED 4711
#define BOUND 30000

/* A NAT, as far as ports go. */
struct model {
	enum hp_nat_mapping mapping;	/* EIM, ADM or APDM */
	int stride;			/* 0: random within ... */
	unsigned int lo, size;
	bool keeps;			/* the port of the socket */
	unsigned int others;		/* percent: another host takes one */
	struct hp_rng rng;
	uint16_t next;
	uint64_t order;
};

static uint16_t port_of(struct model *m, uint32_t sock)
{
	if (m->keeps)
		return (uint16_t)(BOUND + sock);
	if (!m->stride)
		return (uint16_t)(m->lo + hp_rng_below(&m->rng, m->size));
	if (hp_rng_below(&m->rng, 100) < m->others)
		m->next = hp_nat_port_step(m->next, m->stride, 1);
	m->next = hp_nat_port_step(m->next, m->stride, 1);
	return m->next;
}

static struct hp_addr server(unsigned int ip, unsigned int port)
{
	return hp_addr4(198, 51, 100, (uint8_t)ip, (uint16_t)(8888 + port));
}

/* Socket @sock asks both ports of two servers. */
static void ask(struct hp_nat *n, struct model *m, uint32_t sock,
		unsigned int servers, uint64_t at_ns)
{
	uint16_t port = 0;

	for (unsigned int i = 0; i < servers; i++)
		for (unsigned int p = 0; p < 2; p++) {
			bool same = (i || p) &&
				    (m->mapping == HP_NAT_MAPPING_EIM ||
				     (m->mapping == HP_NAT_MAPPING_ADM && p));
			struct hp_nat_sample s = {
				.sock = sock,
				.bound = (uint16_t)(BOUND + sock),
				.server = server(i, p),
				.order = ++m->order,
				.at_ns = at_ns,
			};

			if (!same)
				port = port_of(m, sock);
			s.mapped = hp_addr4(203, 0, 113, 9, port);
			hp_nat_note(n, &s);
		}
}

static struct model model_of(enum hp_nat_mapping mapping, int stride)
{
	static struct hp_rng_seeded seeded;
	struct model m = { .mapping = mapping, .stride = stride,
			   .lo = 1024, .size = 64512, .next = 40000 };

	hp_rng_seeded_init(&seeded, SEED, &m.rng);
	return m;
}

static void mapping_kinds_are_told_apart(void **state)
{
	static const struct {
		enum hp_nat_mapping is;
		unsigned int servers;
		enum hp_nat_mapping said;
	} rows[] = {
		{ HP_NAT_MAPPING_EIM, 2, HP_NAT_MAPPING_EIM },
		{ HP_NAT_MAPPING_EIM, 1, HP_NAT_MAPPING_EIM_OR_ADM },
		{ HP_NAT_MAPPING_ADM, 2, HP_NAT_MAPPING_ADM },
		{ HP_NAT_MAPPING_ADM, 1, HP_NAT_MAPPING_EIM_OR_ADM },
		{ HP_NAT_MAPPING_APDM, 2, HP_NAT_MAPPING_APDM },
		{ HP_NAT_MAPPING_APDM, 1, HP_NAT_MAPPING_APDM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct model m = model_of(rows[i].is, 0);
		struct hp_nat_facts f;
		struct hp_nat n = { 0 };

		ask(&n, &m, 0, rows[i].servers, HP_S);
		hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
		assert_int_equal(f.mapping, rows[i].said);
		assert_int_equal(f.fresh, HP_NAT_MAPPING_UNKNOWN);
		hp_nat_judge(&n, HP_AF_6, NULL, 0, &f);
		assert_int_equal(f.mapping, HP_NAT_MAPPING_UNKNOWN);
	}
}

static void own_address_means_no_nat(void **state)
{
	struct hp_addr own = hp_addr4(203, 0, 113, 9, 0);
	struct model m = model_of(HP_NAT_MAPPING_EIM, 0);
	struct hp_nat n = { 0 };
	struct hp_nat_facts f;

	(void)state;
	ask(&n, &m, 0, 1, HP_S);
	hp_nat_judge(&n, HP_AF_4, &own, 1, &f);
	assert_int_equal(f.mapping, HP_NAT_MAPPING_NONE);
}

static void strides_are_found(void **state)
{
	static const int strides[] = { 1, 2, 8, 64, -1, -2 };

	(void)state;
	for (size_t i = 0; i < sizeof(strides) / sizeof(*strides); i++) {
		struct model m = model_of(HP_NAT_MAPPING_APDM, strides[i]);
		struct hp_nat_facts f;
		struct hp_nat n = { 0 };

		for (uint32_t sock = 0; sock < 7; sock++)
			ask(&n, &m, sock, 1, HP_S);
		hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
		assert_int_equal(f.ports, HP_NAT_PORTS_SEQUENTIAL);
		assert_int_equal(f.stride, strides[i]);
		assert_int_equal(f.last, m.next);
	}
}

static void stride_is_found_beside_other_hosts(void **state)
{
	struct model m = model_of(HP_NAT_MAPPING_APDM, 2);
	struct hp_nat_facts f;
	struct hp_nat n = { 0 };

	(void)state;
	m.others = 30;
	for (uint32_t sock = 1; sock < 7; sock++)
		ask(&n, &m, sock, 1, HP_S);
	hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
	assert_int_equal(f.ports, HP_NAT_PORTS_SEQUENTIAL);
	assert_int_equal(f.stride, 2);
}

/* A burst that is shuffled on its way to the NAT. */
static void stride_is_found_out_of_order(void **state)
{
	struct model m = model_of(HP_NAT_MAPPING_APDM, 2);

	(void)state;
	for (int down = 0; down < 2; down++) {
		struct hp_nat_facts f;
		struct hp_nat n = { 0 };
		uint16_t first;

		m.stride = down ? -2 : 2;
		for (uint32_t sock = 1; sock < 7; sock++)
			ask(&n, &m, sock, 1, HP_S);
		for (size_t i = 0; i + 3 < n.n; i += 4) {
			first = n.sample[i].mapped.port;
			n.sample[i].mapped.port = n.sample[i + 3].mapped.port;
			n.sample[i + 3].mapped.port = first;
		}
		hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
		assert_int_equal(f.ports, HP_NAT_PORTS_SEQUENTIAL);
		assert_int_equal(f.stride, m.stride);
		assert_int_equal(f.last, m.next);
	}
}

/* What is left of the order of such bursts is chance: it rarely falls. */
static void shuffled_burst_is_taken_to_rise(void **state)
{
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	unsigned int wrong = 0;

	(void)state;
	hp_rng_seeded_init(&seeded, 1, &rng);
	for (unsigned int run = 0; run < 1000; run++) {
		struct model m = model_of(HP_NAT_MAPPING_APDM, 1);
		struct hp_nat_facts f;
		struct hp_nat n = { 0 };

		for (uint32_t sock = 1; sock < 9; sock++)
			ask(&n, &m, sock, 1, HP_S);
		assert_int_equal(n.n, 16);
		for (uint32_t i = 15; i; i--) {
			uint32_t k = hp_rng_below(&rng, i + 1);
			uint16_t port = n.sample[i].mapped.port;

			n.sample[i].mapped.port = n.sample[k].mapped.port;
			n.sample[k].mapped.port = port;
		}
		hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
		wrong += f.ports != HP_NAT_PORTS_SEQUENTIAL || f.stride != 1 ||
			 f.last != m.next;
	}
	printf("%u of 1000 shuffles fall\n", wrong);
	assert_true(wrong <= 10);
}

static void few_mappings_prove_no_order(void **state)
{
	struct model m = model_of(HP_NAT_MAPPING_APDM, 1);
	struct hp_nat_facts f;
	struct hp_nat n = { 0 };

	(void)state;
	ask(&n, &m, 1, 1, HP_S);
	hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
	assert_int_equal(f.ports, HP_NAT_PORTS_UNKNOWN);
	assert_int_equal(f.lo, HP_NAT_PORT_MIN);
	assert_int_equal(f.hi, HP_NAT_PORT_MAX);
}

static void kept_ports_are_seen(void **state)
{
	struct model m = model_of(HP_NAT_MAPPING_EIM, 0);
	struct hp_nat_facts f;
	struct hp_nat n = { 0 };

	(void)state;
	m.keeps = true;
	for (uint32_t sock = 0; sock < 6; sock++)
		ask(&n, &m, sock, 1, HP_S);
	hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
	assert_int_equal(f.ports, HP_NAT_PORTS_PRESERVED);
}

/* Of 200 blocks the range covers nearly all, and is not much wider. */
static void block_is_found_from_twelve_ports(void **state)
{
	struct model m = model_of(HP_NAT_MAPPING_APDM, 0);
	unsigned int covered = 0, width = 0;

	(void)state;
	m.size = 512;
	for (unsigned int i = 0; i < 200; i++) {
		struct hp_nat n = { 0 };
		struct hp_nat_facts f;
		unsigned int lo, hi;

		m.lo = 1024 + hp_rng_below(&m.rng, 120) * 512;
		for (uint32_t sock = 1; sock < 7; sock++)
			ask(&n, &m, sock, 1, HP_S);
		hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
		assert_int_equal(f.ports, HP_NAT_PORTS_RANDOM);
		lo = f.lo > m.lo ? f.lo : m.lo;
		hi = f.hi < m.lo + 511 ? f.hi : m.lo + 511;
		covered += hi - lo + 1;
		width += f.hi - f.lo + 1u;
	}
	print_message("seed %u: %u %% covered, %u ports wide\n", SEED,
		      covered / 1024, width / 200);
	assert_true(covered / 200 > 512 * 97 / 100);
	assert_true(width / 200 < 512 * 3 / 2);
}

static void clash_of_the_main_socket_is_seen(void **state)
{
	struct model bad = model_of(HP_NAT_MAPPING_APDM, 0);
	struct model good = model_of(HP_NAT_MAPPING_EIM, 0);
	struct hp_nat_facts f;
	struct hp_nat n = { 0 };

	(void)state;
	good.keeps = true;
	ask(&n, &bad, 0, 1, HP_S);
	ask(&n, &good, 1, 1, HP_S);
	hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
	assert_int_equal(f.mapping, HP_NAT_MAPPING_APDM);
	assert_int_equal(f.fresh, HP_NAT_MAPPING_EIM_OR_ADM);
}

static void what_differs_long_apart_says_nothing(void **state)
{
	struct hp_nat_sample s = { .server = server(0, 0), .order = 1,
				   .mapped = hp_addr4(203, 0, 113, 9, 1000),
				   .at_ns = HP_S };
	struct hp_nat_facts f;
	struct hp_nat n = { 0 };

	(void)state;
	hp_nat_note(&n, &s);
	s.server = server(1, 0);
	s.mapped.port++;
	s.at_ns += HP_NAT_TOGETHER + 1;
	hp_nat_note(&n, &s);
	hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
	assert_int_equal(f.mapping, HP_NAT_MAPPING_UNKNOWN);
	s.at_ns -= 1;
	hp_nat_note(&n, &s);
	hp_nat_judge(&n, HP_AF_4, NULL, 0, &f);
	assert_int_equal(f.mapping, HP_NAT_MAPPING_ADM_OR_APDM);
}

static void samples_are_replaced_forgotten_and_bounded(void **state)
{
	struct hp_nat_sample s = { .server = server(0, 0),
				   .mapped = hp_addr4(203, 0, 113, 9, 1000) };
	struct hp_nat n = { 0 };

	(void)state;
	hp_nat_note(&n, &s);
	hp_nat_note(&n, &s);
	assert_int_equal(n.n, 1);
	s.mapped.family = HP_AF_NONE;
	hp_nat_note(&n, &s);
	assert_int_equal(n.n, 0);
	s.mapped.family = HP_AF_4;
	for (uint32_t i = 0; i < 3 * HP_NAT_SAMPLES; i++) {
		s.sock = i;
		s.at_ns = i;
		hp_nat_note(&n, &s);
	}
	assert_int_equal(n.n, HP_NAT_SAMPLES);
	hp_nat_forget(&n, 3 * HP_NAT_SAMPLES - 1);
	assert_int_equal(n.n, HP_NAT_SAMPLES - 1);
}

static void ports_wrap_within_what_nats_give_out(void **state)
{
	(void)state;
	assert_int_equal(hp_nat_port_step(65535, 1, 1), 1024);
	assert_int_equal(hp_nat_port_step(1024, 1, -1), 65535);
	assert_int_equal(hp_nat_port_step(1025, -2, 1), 65535);
	assert_int_equal(hp_nat_port_step(5000, 8, 3), 5024);
}

static void account_is_never_overdrawn(void **state)
{
	struct hp_budget b;
	uint64_t now = 1000 * HP_S;
	unsigned int sent = 0;
	int slot = -1, last = -1;

	(void)state;
	hp_budget_init(&b);
	for (unsigned int i = 0; i < HP_BUDGET_MAPPINGS; i++) {
		last = slot;
		slot = hp_budget_map(&b, now);
		assert_int_not_equal(slot, -1);
	}
	assert_int_equal(hp_budget_live(&b, now), HP_BUDGET_MAPPINGS);
	assert_int_equal(hp_budget_map(&b, now), -1);
	assert_int_equal(b.refused, 1);
	/* A closed socket leaves its mapping behind. */
	hp_budget_leave(&b, last, now);
	assert_int_equal(hp_budget_room(&b, now + HP_BUDGET_LIFE - 1), 0);
	assert_int_equal(hp_budget_room(&b, now + HP_BUDGET_LIFE), 1);
	for (unsigned int ms = 0; ms < 10000; ms++)
		while (hp_budget_probe(&b, now + ms * HP_MS))
			sent++;
	assert_in_range(sent, 9.9 * HP_BUDGET_PROBES_PER_S,
			10 * HP_BUDGET_PROBES_PER_S + 8);
}

static void one_round_at_a_time(void **state)
{
	struct hp_budget b;
	int one, two;

	(void)state;
	hp_budget_init(&b);
	assert_true(hp_budget_claim(&b, &one));
	assert_true(hp_budget_claim(&b, &one));
	assert_false(hp_budget_claim(&b, &two));
	hp_budget_release(&b, &two);
	assert_false(hp_budget_claim(&b, &two));
	hp_budget_release(&b, &one);
	assert_true(hp_budget_claim(&b, &two));
}

static void filtering_is_what_came_and_what_did_not(void **state)
{
	static const struct {
		enum hp_nat_answer other_port, other_ip;
		enum hp_nat_filtering want;
	} rows[] = {
		{ HP_NAT_UNKNOWN, HP_NAT_UNKNOWN, HP_NAT_FILTERING_UNKNOWN },
		{ HP_NAT_UNKNOWN, HP_NAT_NO, HP_NAT_FILTERING_UNKNOWN },
		{ HP_NAT_UNKNOWN, HP_NAT_YES, HP_NAT_FILTERING_EIF },
		{ HP_NAT_NO, HP_NAT_UNKNOWN, HP_NAT_FILTERING_APDF },
		{ HP_NAT_NO, HP_NAT_NO, HP_NAT_FILTERING_APDF },
		{ HP_NAT_YES, HP_NAT_NO, HP_NAT_FILTERING_ADF },
		{ HP_NAT_YES, HP_NAT_UNKNOWN, HP_NAT_FILTERING_EIF_OR_ADF },
		{ HP_NAT_YES, HP_NAT_YES, HP_NAT_FILTERING_EIF },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(hp_nat_filtering_of(rows[i].other_port,
						     rows[i].other_ip),
				 rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filtering_is_what_came_and_what_did_not),
		cmocka_unit_test(mapping_kinds_are_told_apart),
		cmocka_unit_test(own_address_means_no_nat),
		cmocka_unit_test(strides_are_found),
		cmocka_unit_test(stride_is_found_beside_other_hosts),
		cmocka_unit_test(stride_is_found_out_of_order),
		cmocka_unit_test(shuffled_burst_is_taken_to_rise),
		cmocka_unit_test(few_mappings_prove_no_order),
		cmocka_unit_test(kept_ports_are_seen),
		cmocka_unit_test(block_is_found_from_twelve_ports),
		cmocka_unit_test(clash_of_the_main_socket_is_seen),
		cmocka_unit_test(what_differs_long_apart_says_nothing),
		cmocka_unit_test(samples_are_replaced_forgotten_and_bounded),
		cmocka_unit_test(ports_wrap_within_what_nats_give_out),
		cmocka_unit_test(account_is_never_overdrawn),
		cmocka_unit_test(one_round_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
