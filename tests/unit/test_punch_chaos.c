/* SPDX-License-Identifier: ISC */
/* lib/punch: two machines on networks that lose, delay and change at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "punch_wire.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* With loss on every leg, the first introduction included. */
static void lossy_networks_connect_in_time(void **state)
{
	static const struct {
		unsigned int pct;
		uint64_t p99_ms;
	} rows[] = { { 0, 85 }, { 10, 3000 }, { 20, 5000 }, { 50, 30000 } };

	(void)state;
	for (size_t r = 0; r < N(rows); r++) {
		uint64_t took[200];

		for (size_t i = 0; i < N(took); i++) {
			struct wire *w = wire_new(1000 * r + i);
			uint64_t at = w->now_ns;

			w->loss_pct = rows[r].pct;
			w->relay_loss_pct = rows[r].pct;
			w->jitter_ns = rows[r].pct ? 10 * HP_MS : 0;
			wire_start(w);
			wire_run_direct(w, true, at + 200 * HP_S);
			took[i] = w->now_ns - at;
			wire_free(w);
		}
		qsort(took, N(took), sizeof(*took), by_time);
		print_message("%u %% loss: p50 %u ms, p99 %u ms (seeds from "
			      "%zu)\n", rows[r].pct,
			      (unsigned int)(took[N(took) / 2] / HP_MS),
			      (unsigned int)(took[N(took) * 99 / 100] / HP_MS),
			      1000 * r);
		assert_true(took[N(took) * 99 / 100] <=
			    rows[r].p99_ms * HP_MS);
	}
}

static void check_invariants(struct wire *w, uint64_t seed)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct hp_punch_info info;
		bool direct = hp_path_set(&w->node[i].direct);

		wire_info(w, i, &info);
		if ((info.state == HP_PUNCH_DIRECT) != direct ||
		    hp_path_set(&info.direct) != direct)
			fail_msg("seed %llu: state %s, told %d",
				 (unsigned long long)seed,
				 hp_punch_state_text(info.state), direct);
		for (size_t k = 1; k < info.n_paths; k++)
			if (info.controlling && info.paths[k].in_use &&
			    !info.paths[k].answered)
				fail_msg("seed %llu: in use without a round "
					 "trip", (unsigned long long)seed);
	}
}

/* Anything may happen for a minute; then the pair is left in peace, and has to
 * be direct and agreed within the longest pause between retries.
 */
static void chaos_ends_in_agreement(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 150; seed++) {
		struct wire *w = wire_new(seed);
		uint64_t end = w->now_ns + 60 * HP_S;

		w->swapped = seed & 1;
		w->blind = seed & 2;
		w->traffic = true;
		w->reintroduce = true;
		w->jitter_ns = 30 * HP_MS;
		w->nat[0].filter = hp_rng_below(&w->rng, 3);
		wire_start(w);
		while (w->now_ns < end) {
			wire_run(w, w->now_ns +
				    hp_rng_below(&w->rng, 3000) * HP_MS);
			check_invariants(w, seed);
			switch (hp_rng_below(&w->rng, 8)) {
			case 0:
				w->cut[0] = hp_rng_below(&w->rng, 2);
				w->cut[1] = hp_rng_below(&w->rng, 2);
				break;
			case 1:
				w->loss_pct = hp_rng_below(&w->rng, 60);
				w->relay_loss_pct = hp_rng_below(&w->rng, 60);
				break;
			case 2:
				wire_nat_flush(&w->nat[hp_rng_below(&w->rng, 2)]);
				break;
			case 3:
				hp_punch_poke(w->node[0].punch, w->now_ns);
				break;
			case 4:
				wire_introduce(w, hp_rng_below(&w->rng, 2));
				break;
			case 5:
				w->relay_dead = hp_rng_below(&w->rng, 2);
				break;
			default:
				w->cut[0] = w->cut[1] = false;
				w->loss_pct = w->relay_loss_pct = 0;
				w->relay_dead = false;
				break;
			}
		}
		w->cut[0] = w->cut[1] = w->relay_dead = false;
		w->loss_pct = w->relay_loss_pct = 0;
		w->intro_ns[0] = w->intro_ns[1] = w->now_ns;
		wire_run(w, w->now_ns + 70 * HP_S);
		check_invariants(w, seed);
		if (!wire_is_agreed(w)) {
			wire_show(w, "chaos");
			fail_msg("seed %llu", (unsigned long long)seed);
		}
		wire_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lossy_networks_connect_in_time),
		cmocka_unit_test(chaos_ends_in_agreement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
