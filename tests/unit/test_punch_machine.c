/* SPDX-License-Identifier: ISC */
/* lib/punch: two machines, their NATs between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "punch_wire.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static uint64_t ms_of(const struct wire *w, uint64_t ns)
{
	(void)w;
	return (ns - 1000 * HP_S) / HP_MS;
}

static void show(struct wire *w, const char *what)
{
	char text[HP_ADDR_TEXT];

	for (unsigned int i = 0; i < 2; i++) {
		struct hp_punch_info info;

		wire_info(w, i, &info);
		print_message("%s: node %u at %llu ms: %s, %s (%s), tx %llu\n",
			      what, i,
			      (unsigned long long)ms_of(w, w->now_ns),
			      hp_punch_state_text(info.state),
			      hp_addr_text(&info.direct.remote, text),
			      hp_punch_reason_text(info.reason),
			      (unsigned long long)info.tx);
	}
}

static void nats_meet_as_theory_says(void **state)
{
	static const struct {
		enum wire_mapping map[2];
		enum wire_filter filter[2];
		bool direct;
	} rows[] = {
		{ { MAP_EIM, MAP_EIM }, { FILTER_EIF, FILTER_EIF }, true },
		{ { MAP_EIM, MAP_EIM }, { FILTER_EIF, FILTER_APDF }, true },
		{ { MAP_EIM, MAP_EIM }, { FILTER_APDF, FILTER_APDF }, true },
		{ { MAP_EIM, MAP_EIM }, { FILTER_ADF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_EIM }, { FILTER_EIF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_EIM }, { FILTER_APDF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_APDM }, { FILTER_EIF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_APDM }, { FILTER_ADF, FILTER_APDF }, true },
		{ { MAP_NONE, MAP_NONE }, { FILTER_APDF, FILTER_APDF }, true },
		{ { MAP_APDM, MAP_EIM }, { FILTER_APDF, FILTER_EIF }, true },
		{ { MAP_APDM, MAP_EIM }, { FILTER_APDF, FILTER_ADF }, true },
		{ { MAP_EIM, MAP_APDM }, { FILTER_ADF, FILTER_APDF }, true },
		{ { MAP_APDM, MAP_EIM }, { FILTER_APDF, FILTER_APDF }, false },
		{ { MAP_EIM, MAP_APDM }, { FILTER_APDF, FILTER_APDF }, false },
		{ { MAP_APDM, MAP_APDM }, { FILTER_APDF, FILTER_APDF }, false },
		{ { MAP_APDM, MAP_APDM }, { FILTER_ADF, FILTER_ADF }, false },
		{ { MAP_NONE, MAP_APDM }, { FILTER_APDF, FILTER_APDF }, false },
	};

	(void)state;
	for (size_t r = 0; r < N(rows); r++) {
		struct wire *w = wire_new(100 + r);
		bool direct;

		for (int i = 0; i < 2; i++) {
			w->nat[i].mapping = rows[r].map[i];
			w->nat[i].filter = rows[r].filter[i];
			if (rows[r].map[i] == MAP_NONE)
				w->node[i].host = w->nat[i].public,
				w->node[i].host.port = 4242;
		}
		wire_start(w);
		direct = wire_run_direct(w, true, w->now_ns + 150 * HP_MS);
		if (direct != rows[r].direct) {
			show(w, "row");
			fail_msg("row %zu: direct %d", r, direct);
		}
		wire_run(w, w->now_ns + 20 * HP_S);
		assert_int_equal(hp_path_set(&w->node[0].direct),
				 rows[r].direct);
		if (direct) {
			assert_true(wire_is_agreed(w));
			for (int i = 0; i < 2; i++)
				assert_int_equal(w->node[i].n_nominated, 1);
		}
		wire_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nats_meet_as_theory_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
