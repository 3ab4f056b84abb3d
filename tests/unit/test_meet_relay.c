/* SPDX-License-Identifier: ISC */
/* lib/meet/relay: channels, also while other threads forward. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/rng.h"
#include "base/time.h"
#include "meet/relay.h"
#include "sys/quiet.h"

#define SEED 5150
#define NOW (1000 * HP_S)
#define ENDS 16
#define PORT 4000

static struct hp_rng_seeded seeded;
static struct hp_rng rng;

static struct hp_path path_of(unsigned int end, uint16_t port)
{
	return (struct hp_path){
		.remote = hp_addr4(203, 0, 113, (uint8_t)end, port),
		.local = hp_addr4(192, 0, 2, 1, 0),
	};
}

static struct hp_relay *relay_of(uint32_t rate, size_t max, size_t max_per_end)
{
	const struct hp_relay_config cfg = {
		.rng = &rng,
		.rate = rate,
		.max = max,
		.max_per_end = max_per_end,
	};
	struct hp_relay *r;

	hp_rng_seeded_init(&seeded, SEED, &rng);
	r = hp_relay_new(&cfg);
	assert_non_null(r);
	return r;
}

static void ends_of(struct hp_relay *r, struct hp_relay_end *end, size_t n)
{
	memset(end, 0, n * sizeof(*end));
	for (unsigned int i = 0; i < n; i++) {
		const struct hp_path p = path_of(i, PORT);

		hp_relay_move(r, &end[i], &p);
	}
}

static enum hp_err forward(struct hp_relay *r, const struct hp_path *from,
			   uint32_t channel, const struct hp_path **to)
{
	return hp_relay_forward(r, &from->remote, channel, 1, 100, NOW, to);
}

static void datagrams_go_to_the_other_end_alone(void **state)
{
	struct hp_relay *r = relay_of(0, 8, 8);
	const struct hp_path stranger = path_of(0, PORT + 1);
	const struct hp_path *to = NULL;
	struct hp_relay_end end[3];
	uint32_t id;

	(void)state;
	ends_of(r, end, 3);
	id = hp_relay_pair(r, &end[0], &end[1], NOW);
	assert_int_not_equal(id, 0);
	assert_int_equal(hp_relay_pair(r, &end[1], &end[0], NOW), id);
	assert_int_equal(forward(r, &end[0].path, id, &to), HP_OK);
	assert_true(hp_path_eq(to, &end[1].path));
	assert_int_equal(forward(r, &end[1].path, id, &to), HP_OK);
	assert_true(hp_path_eq(to, &end[0].path));
	assert_int_equal(forward(r, &end[2].path, id, &to), HP_ERR_DENIED);
	assert_int_equal(forward(r, &stranger, id, &to), HP_ERR_DENIED);
	assert_int_equal(forward(r, &end[0].path, id ^ 1, &to),
			 HP_ERR_UNKNOWN);
	/* The same place in the table, another number. */
	assert_int_equal(forward(r, &end[0].path, id ^ 0x80000000, &to),
			 HP_ERR_UNKNOWN);
	assert_int_equal(forward(r, &end[0].path, 0, &to), HP_ERR_UNKNOWN);
	hp_relay_free(r);
}

static void an_end_that_moved_is_heard_and_reached_at_the_new_place(
	void **state)
{
	struct hp_relay *r = relay_of(0, 8, 8);
	const struct hp_path old = path_of(1, PORT), new = path_of(1, 9);
	const struct hp_path *to = NULL;
	struct hp_relay_end end[2];
	uint32_t id;

	(void)state;
	ends_of(r, end, 2);
	id = hp_relay_pair(r, &end[0], &end[1], NOW);
	hp_relay_move(r, &end[1], &new);
	assert_int_equal(forward(r, &old, id, &to), HP_ERR_DENIED);
	assert_int_equal(forward(r, &new, id, &to), HP_OK);
	assert_int_equal(forward(r, &end[0].path, id, &to), HP_OK);
	assert_true(hp_path_eq(to, &new));
	hp_relay_drop(r, &end[1]);
	assert_int_equal(forward(r, &end[0].path, id, &to), HP_ERR_UNKNOWN);
	assert_int_equal(end[0].n, 0);
	assert_int_equal(hp_relay_channels(r), 0);
	hp_relay_free(r);
}

static void channels_are_limited_in_all_and_for_each_end(void **state)
{
	struct hp_relay *r = relay_of(0, 3, 2);
	struct hp_relay_end end[6];

	(void)state;
	ends_of(r, end, 6);
	assert_int_not_equal(hp_relay_pair(r, &end[0], &end[1], NOW), 0);
	assert_int_not_equal(hp_relay_pair(r, &end[0], &end[2], NOW), 0);
	assert_int_equal(hp_relay_pair(r, &end[0], &end[3], NOW), 0);
	assert_int_not_equal(hp_relay_pair(r, &end[3], &end[4], NOW), 0);
	assert_int_equal(hp_relay_pair(r, &end[4], &end[5], NOW), 0);
	assert_int_equal(hp_relay_channels(r), 3);
	hp_relay_free(r);
}

static void several_datagrams_count_each(void **state)
{
	const uint32_t burst = 262144;
	struct hp_relay *r = relay_of(1000, 8, 8);
	const struct hp_path *to;
	struct hp_relay_end end[2];
	uint32_t id, n = 0;

	(void)state;
	ends_of(r, end, 2);
	id = hp_relay_pair(r, &end[0], &end[1], NOW);
	while (!hp_relay_forward(r, &end[0].path.remote, id, 10, 1000, NOW,
				 &to))
		n++;
	assert_int_equal(n, burst / (1000 + 10 * HP_RELAY_PACKET_COST));
	/* What is too much together may still pass apart. */
	while (!forward(r, &end[1].path, id, &to))
		assert_in_range(++n, 0, 200);
	hp_relay_free(r);
}

/* ---- with threads ---- */

/* @id: channel of ends 2i and 2i + 1, 0: none now */
struct crowd {
	struct hp_relay *r;
	_Atomic uint32_t id[ENDS / 2];
	_Atomic bool stop;
	_Atomic uint64_t passed, astray;
};

static void wait_for_all(void *ctx)
{
	hp_quiet_wait(ctx);
}

static void look(struct crowd *c, unsigned int i)
{
	const struct hp_path from = path_of(2 * i, PORT);
	const struct hp_path *to;

	/* The other end is heard at changing ports, never at another IP. */
	if (hp_relay_forward(c->r, &from.remote, c->id[i], 1, 100, NOW, &to))
		return;
	c->passed++;
	if (to->remote.ip[3] != 2 * i + 1 || to->remote.port < PORT)
		c->astray++;
}

static void *forwarder(void *ctx)
{
	struct crowd *c = ctx;

	rcu_register_thread();
	for (unsigned int i = 0; !c->stop; i++) {
		look(c, i % (ENDS / 2));
		hp_quiet_begin(c);
		hp_quiet_end();
	}
	rcu_unregister_thread();
	return NULL;
}

static void nothing_goes_astray_while_channels_come_and_go(void **state)
{
	struct crowd c = { 0 };
	const struct hp_relay_config cfg = { .rng = &rng,
					     .max = ENDS,
					     .max_per_end = 2,
					     .wait = wait_for_all,
					     .ctx = &c };
	struct hp_relay_end end[ENDS];
	pthread_t thread[2];

	(void)state;
	hp_rng_seeded_init(&seeded, SEED, &rng);
	print_message("seed %d\n", SEED);
	c.r = hp_relay_new(&cfg);
	assert_non_null(c.r);
	ends_of(c.r, end, ENDS);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, forwarder, &c), 0);
	/* On a busy machine the threads may begin when 2000 turns are over. */
	for (unsigned int k = 0; k < 2000 || (!c.passed && k < 20000000); k++) {
		unsigned int i = hp_rng_u32(&rng) % (ENDS / 2);
		const struct hp_path moved =
			path_of(2 * i + 1, (uint16_t)(PORT + k % 2000));

		if (hp_rng_u32(&rng) % 4 == 0)
			hp_relay_drop(c.r, &end[2 * i]);
		else
			c.id[i] = hp_relay_pair(c.r, &end[2 * i],
						&end[2 * i + 1], NOW);
		hp_relay_move(c.r, &end[2 * i + 1], &moved);
	}
	c.stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_true(c.passed > 0);
	assert_int_equal(c.astray, 0);
	hp_relay_free(c.r);
}

/* Each of several threads takes what it can; together no more than is there. */
static void *taker(void *ctx)
{
	struct crowd *c = ctx;
	const struct hp_path from = path_of(0, PORT);
	const struct hp_path *to;

	for (int i = 0; i < 20000; i++)
		if (!hp_relay_forward(c->r, &from.remote, c->id[0], 1, 52, NOW,
				      &to))
			c->passed++;
	return NULL;
}

static void rate_of_a_channel_holds_across_threads(void **state)
{
	struct crowd c = { .r = relay_of(1000, 8, 8) };
	struct hp_relay_end end[2];
	pthread_t thread[3];

	(void)state;
	ends_of(c.r, end, 2);
	c.id[0] = hp_relay_pair(c.r, &end[0], &end[1], NOW);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, taker, &c),
				 0);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(c.passed, 262144 / (52 + HP_RELAY_PACKET_COST));
	hp_relay_free(c.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_go_to_the_other_end_alone),
		cmocka_unit_test(
			an_end_that_moved_is_heard_and_reached_at_the_new_place),
		cmocka_unit_test(channels_are_limited_in_all_and_for_each_end),
		cmocka_unit_test(several_datagrams_count_each),
		cmocka_unit_test(
			nothing_goes_astray_while_channels_come_and_go),
		cmocka_unit_test(rate_of_a_channel_holds_across_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
