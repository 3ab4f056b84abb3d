/* SPDX-License-Identifier: ISC */
/* lib/wg: the data path, in batches and against a control thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <urcu-qsbr.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/datagram.h"
#include "base/time.h"
#include "wg/peer.h"
#include "wg_world.h"

#define SLOT (HP_HEADROOM + WORLD_MTU + HP_TAILROOM)

/* A batch of packets with their verdicts. */
struct batch {
	uint8_t buf[HP_BATCH][SLOT];
	struct hp_pkt pkts[HP_BATCH];
	struct hp_path from[HP_BATCH];
	struct hp_forward_out outs[HP_BATCH];
	struct hp_forward_in ins[HP_BATCH];
};

static struct batch *batch_new(void)
{
	struct batch *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	return b;
}

static void batch_packet(struct world *w, struct batch *b, size_t i, size_t src,
			 size_t dst, size_t len)
{
	b->pkts[i] = hp_pkt_of(b->buf[i], SLOT, HP_HEADROOM, len);
	world_packet(w, src, dst, len, b->pkts[i].data);
	b->from[i] = world_path(w, src);
}

/* Three nodes, all with sessions. */
static struct world *meshed(uint64_t seed)
{
	struct world *w = world_new(seed, 3, true);

	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < i; j++)
			world_send(w, i, j, 60);
	world_wait(w, HP_S);
	return w;
}

static void out(struct world *w, struct batch *b, size_t src, size_t n)
{
	hp_forward_out(&w->node[src].forward, b->pkts, n, b->outs, w->now_ns);
}

static void in(struct world *w, struct batch *b, size_t dst, size_t n)
{
	hp_forward_in(&w->node[dst].forward, b->pkts, b->from, n, b->ins,
		      w->now_ns);
}

static void batch_goes_to_several_peers_and_back(void **state)
{
	struct world *w = meshed(1);
	struct batch *b = batch_new();

	(void)state;
	for (size_t i = 0; i < HP_BATCH; i++)
		batch_packet(w, b, i, 0, 1 + i % 2, 28 + i * 11);
	b->pkts[7].data[19] = 99;		/* nobody's address */
	b->pkts[9].data[0] = 0;			/* no IP packet */
	out(w, b, 0, HP_BATCH);
	for (size_t i = 0; i < HP_BATCH; i++) {
		size_t len = 28 + i * 11;

		if (i == 7 || i == 9) {
			assert_int_equal(b->outs[i].verdict, HP_VERDICT_DROP);
			assert_int_equal(b->outs[i].reason, i == 7 ?
					 HP_DROP_ROUTE : HP_DROP_FORMAT);
			continue;
		}
		assert_int_equal(b->outs[i].verdict, HP_VERDICT_SEND);
		assert_int_equal(b->pkts[i].len, (len + 15) / 16 * 16 + 32);
		assert_true(hp_addr_eq(&b->outs[i].path->remote,
				       &w->node[1 + i % 2].addr));
	}
	in(w, b, 1, HP_BATCH);
	for (size_t i = 0; i < HP_BATCH; i++) {
		bool ours = i % 2 == 0;

		if (i == 7 || i == 9)
			continue;
		assert_int_equal(b->ins[i].verdict, ours ? HP_VERDICT_DELIVER :
							   HP_VERDICT_DROP);
		if (ours)
			assert_int_equal(b->pkts[i].len, 28 + i * 11);
	}
	free(b);
	world_free(w);
}

static void copies_within_one_batch_are_delivered_once(void **state)
{
	struct world *w = meshed(2);
	struct batch *b = batch_new();

	(void)state;
	batch_packet(w, b, 0, 0, 1, 100);
	out(w, b, 0, 1);
	for (size_t i = 1; i < HP_BATCH; i++) {
		b->pkts[i] = hp_pkt_of(b->buf[i], SLOT, HP_HEADROOM,
				       b->pkts[0].len);
		memcpy(b->pkts[i].data, b->pkts[0].data, b->pkts[0].len);
		b->from[i] = b->from[0];
	}
	in(w, b, 1, HP_BATCH);
	assert_int_equal(b->ins[0].verdict, HP_VERDICT_DELIVER);
	for (size_t i = 1; i < HP_BATCH; i++)
		assert_int_equal(b->ins[i].reason, HP_DROP_REPLAY);
	free(b);
	world_free(w);
}

static void padding_stays_within_the_mtu(void **state)
{
	static const struct {
		uint32_t mtu, len, text;
	} rows[] = {
		{ 0, 1420, 1424 }, { 1420, 1420, 1420 }, { 1420, 1405, 1408 },
		{ 1420, 1409, 1420 }, { 1408, 1408, 1408 },
		{ 1408, 1407, 1408 }, { 1280, 1400, 1408 },
	};
	struct world *w = meshed(3);
	struct batch *b = batch_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hp_wg_set_mtu(w->node[0].wg, rows[i].mtu);
		batch_packet(w, b, 0, 0, 1, rows[i].len);
		out(w, b, 0, 1);
		assert_int_equal(b->pkts[0].len, rows[i].text + 32);
		in(w, b, 1, 1);
		assert_int_equal(b->pkts[0].len, rows[i].len);
	}
	free(b);
	world_free(w);
}

/* The narrow path of one peer is its own affair. */
static void what_does_not_fit_its_path_is_left_to_the_caller(void **state)
{
	struct world *w = meshed(7);
	struct batch *b = batch_new();
	uint8_t was[1300];

	(void)state;
	hp_wg_peer_set_mtu(w->node[0].peer[1], 1064);
	for (size_t i = 0; i < 4; i++)
		batch_packet(w, b, i, 0, 1 + i % 2, i < 2 ? 1300 : 1064);
	memcpy(was, b->pkts[0].data, 1300);
	out(w, b, 0, 4);
	assert_int_equal(b->outs[0].verdict, HP_VERDICT_TOO_BIG);
	assert_int_equal(b->outs[0].mtu, 1064);
	assert_int_equal(b->pkts[0].len, 1300);
	assert_memory_equal(b->pkts[0].data, was, 1300);
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(b->outs[i].verdict, HP_VERDICT_SEND);
	/* Padding does not make longer what just fits. */
	assert_int_equal(b->pkts[2].len, 1064 + 32);
	hp_wg_peer_set_mtu(w->node[0].peer[1], 0);
	batch_packet(w, b, 0, 0, 1, 1300);
	out(w, b, 0, 1);
	assert_int_equal(b->outs[0].verdict, HP_VERDICT_SEND);
	free(b);
	world_free(w);
}

static void relayed_path_puts_its_header_in_front(void **state)
{
	struct world *w = meshed(4);
	struct batch *b = batch_new();
	struct hp_path path = world_path(w, 1);
	uint32_t channel = 0;

	(void)state;
	path.channel = 0x01020304;
	assert_int_equal(hp_wg_peer_set_path(w->node[0].peer[1], &path,
					     w->now_ns), HP_OK);
	batch_packet(w, b, 0, 0, 1, 100);
	out(w, b, 0, 1);
	assert_int_equal(b->outs[0].verdict, HP_VERDICT_SEND);
	assert_int_equal(hp_relay_pull(&b->pkts[0], &channel), HP_OK);
	assert_int_equal(channel, path.channel);
	in(w, b, 1, 1);
	assert_int_equal(b->ins[0].verdict, HP_VERDICT_DELIVER);
	/* Without room the packet is dropped, and said so. */
	batch_packet(w, b, 0, 0, 1, 100);
	b->pkts[0].head = 23;
	out(w, b, 0, 1);
	assert_int_equal(b->outs[0].reason, HP_DROP_ROOM);
	batch_packet(w, b, 0, 0, 1, 100);
	b->pkts[0].head = 15;
	out(w, b, 0, 1);
	assert_int_equal(b->outs[0].reason, HP_DROP_ROOM);
	assert_int_equal(b->pkts[0].len, 100);
	free(b);
	world_free(w);
}

static void packets_without_session_or_of_other_types_are_for_control(void **s)
{
	struct world *w = world_new(5, 2, true);
	struct batch *b = batch_new();

	(void)s;
	batch_packet(w, b, 0, 0, 1, 100);
	out(w, b, 0, 1);
	assert_int_equal(b->outs[0].verdict, HP_VERDICT_CONTROL);
	assert_int_equal(b->outs[0].peer,
			 hp_wg_peer_id(w->node[0].peer[1]));
	assert_int_equal(b->pkts[0].len, 100);
	for (uint32_t type = 0; type < 6; type++) {
		hp_put_le32(b->pkts[0].data, type);
		in(w, b, 1, 1);
		assert_int_equal(b->ins[0].verdict, type == 4 ?
				 HP_VERDICT_DROP : HP_VERDICT_CONTROL);
	}
	free(b);
	world_free(w);
}

static void ipv6_travels_like_ipv4(void **state)
{
	struct world *w = meshed(6);
	struct batch *b = batch_new();
	struct hp_prefix p = {
		.family = HP_AF_6, .bits = 64, .ip = { 0xfd, 0, 0, 1 },
	};
	struct hp_prefix q = p;
	uint8_t *d;

	(void)state;
	q.ip[7] = 1;
	assert_int_equal(hp_wg_peer_allow(w->node[0].peer[1], &p), HP_OK);
	assert_int_equal(hp_wg_peer_allow(w->node[1].peer[0], &q), HP_OK);
	batch_packet(w, b, 0, 0, 1, 90);
	d = b->pkts[0].data;
	memset(d, 0, 40);
	d[0] = 0x60;
	d[5] = 50;
	memcpy(d + 8, q.ip, 16);
	memcpy(d + 24, p.ip, 16);
	out(w, b, 0, 1);
	assert_int_equal(b->outs[0].verdict, HP_VERDICT_SEND);
	in(w, b, 1, 1);
	assert_int_equal(b->ins[0].verdict, HP_VERDICT_DELIVER);
	assert_int_equal(b->pkts[0].len, 90);
	free(b);
	world_free(w);
}

static void what_was_removed_waits_until_it_is_reclaimed(void **state)
{
	struct world *w = meshed(7);
	struct hp_fib *fib = hp_wg_fib(w->node[0].wg);

	(void)state;
	assert_false(hp_fib_retired(fib));
	hp_wg_peer_remove(w->node[0].peer[1]);
	w->node[0].peer[1] = NULL;
	assert_true(hp_fib_retired(fib));
	hp_fib_reclaim(fib);
	assert_false(hp_fib_retired(fib));
	world_free(w);
}

static void answered_handshake_ends_our_own(void **state)
{
	struct world *w = world_new(8, 2, true);

	(void)state;
	assert_int_equal(hp_wg_initiate(w->node[0].peer[1], w->now_ns), HP_OK);
	w->n_wire = 0;
	world_send(w, 1, 0, 100);
	world_wait(w, 100 * HP_MS);
	assert_int_equal(w->node[0].delivered, 1);
	assert_false(world_info(w, 0, 1).handshaking);
	world_wait(w, 9 * HP_S);
	assert_int_equal(w->node[0].sent[1], 1);
	world_free(w);
}

/* The peer restarted, made new keys with us, and speaks first: our answer must
 * be sealed with them, though the control thread has not heard of it yet.
 */
static void answer_to_the_first_packet_takes_the_new_session(void **state)
{
	struct world *w = meshed(10);
	struct batch *b = batch_new();

	(void)state;
	hp_wg_peer_reset(w->node[0].peer[1]);
	assert_int_equal(hp_wg_initiate(w->node[0].peer[1], w->now_ns), HP_OK);
	w->node[0].mute = true; /* its keepalive is lost */
	world_wait(w, 100 * HP_MS);
	batch_packet(w, b, 0, 0, 1, 100);
	out(w, b, 0, 1);
	assert_int_equal(b->outs[0].verdict, HP_VERDICT_SEND);
	in(w, b, 1, 1);
	assert_int_equal(b->ins[0].verdict, HP_VERDICT_DELIVER);
	assert_true(w->node[1].n_notices > 0); /* not given yet */
	batch_packet(w, b, 0, 1, 0, 100);
	out(w, b, 1, 1);
	assert_int_equal(b->outs[0].verdict, HP_VERDICT_SEND);
	in(w, b, 0, 1);
	assert_int_equal(b->ins[0].verdict, HP_VERDICT_DELIVER);
	free(b);
	world_free(w);
}

static void retry_forgets_our_source_address(void **state)
{
	struct world *w = world_new(9, 2, true);
	struct hp_path path = world_path(w, 1);
	struct hp_wg_peer_info info;

	(void)state;
	path.local = hp_addr4(192, 0, 2, 77, 0);
	assert_int_equal(hp_wg_peer_set_path(w->node[0].peer[1], &path,
					     w->now_ns), HP_OK);
	w->node[1].mute = true;
	world_send(w, 0, 1, 100);
	world_wait(w, 4 * HP_S);
	info = world_info(w, 0, 1);
	assert_true(hp_path_eq(&info.path, &path));
	world_wait(w, 3 * HP_S);
	info = world_info(w, 0, 1);
	assert_int_equal(info.path.local.family, HP_AF_NONE);
	assert_true(hp_addr_eq(&info.path.remote, &path.remote));
	world_free(w);
}

/* ---- two threads -------------------------------------------------------- */

struct race {
	struct world *w;
	struct hp_forward forward;
	atomic_bool stop;
	atomic_uint notices;
	atomic_uint_fast64_t sent;
	uint64_t now_ns;
};

static void race_notice(void *ctx, const struct hp_notice *n)
{
	(void)n;
	atomic_fetch_add(&((struct race *)ctx)->notices, 1);
}

/* A data thread: seals to all peers, and opens junk for all sessions. */
static void *race_data(void *ctx)
{
	struct race *r = ctx;
	struct batch *b = batch_new();

	urcu_qsbr_register_thread();
	while (!atomic_load(&r->stop)) {
		for (size_t i = 0; i < 16; i++)
			batch_packet(r->w, b, i, 0, 1 + i % 2, 100);
		hp_forward_out(&r->forward, b->pkts, 16, b->outs, r->now_ns);
		for (size_t i = 0; i < 16; i++) {
			if (b->outs[i].verdict != HP_VERDICT_SEND)
				continue;
			assert_true(hp_path_set(b->outs[i].path));
			memcpy(b->pkts[i].data + 4, &b->pkts[i].data[20], 4);
			atomic_fetch_add(&r->sent, 1);
		}
		hp_forward_in(&r->forward, b->pkts, b->from, 16, b->ins,
			      r->now_ns);
		urcu_qsbr_quiescent_state();
	}
	urcu_qsbr_unregister_thread();
	free(b);
	return NULL;
}

static void race_change(struct world *w, unsigned int i)
{
	struct hp_wg_peer *p = w->node[0].peer[1 + i % 2];
	struct hp_path path = world_path(w, 1 + i % 2);
	struct hp_prefix some = {
		.family = HP_AF_4, .bits = (uint16_t)(8 + i % 25),
		.ip = { 10, 9, (uint8_t)(i >> 3), 0 },
	};

	path.remote.port = (uint16_t)(1 + i % 1000);
	assert_int_equal(hp_wg_peer_set_path(p, &path, w->now_ns), HP_OK);
	hp_prefix_trim(&some);
	assert_int_equal(hp_wg_peer_allow(p, &some), HP_OK);
	if (i % 3 == 0)
		(void)hp_wg_peer_disallow(p, &some);
	if (i % 50 == 49)
		hp_wg_peer_reset(p);
	if (i % 70 == 69)
		hp_wg_peer_clear_allowed(p);
	hp_wg_tick(w->node[0].wg, w->now_ns);
}

static void control_thread_changes_all_under_a_data_thread(void **state)
{
	struct world *w = meshed(10);
	struct hp_fib *fib = hp_wg_fib(w->node[0].wg);
	struct race r = { .w = w, .now_ns = w->now_ns };
	struct hp_aead *aead = hp_aead_new(HP_AEAD_AUTO);
	pthread_t thread;

	(void)state;
	assert_non_null(aead);
	hp_forward_init(&r.forward, fib, aead, race_notice, &r);
	assert_int_equal(pthread_create(&thread, NULL, race_data, &r), 0);
	while (!atomic_load(&r.sent))
		;
	for (unsigned int i = 0; i < 3000; i++) {
		race_change(w, i);
		if (!hp_fib_retired(fib))
			continue;
		urcu_qsbr_synchronize_rcu();
		hp_fib_reclaim(fib);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	hp_aead_free(aead);
	world_free(w);
}

/* Path in doubt: each packet takes a second one, too, and arrives once. */
static void a_copy_takes_the_second_path_and_counts_once(void **state)
{
	struct world *w = meshed(31);
	struct hp_wg_peer *p = w->node[0].peer[1];
	struct hp_path relay = { .remote = w->node[1].addr, .channel = 7 };
	struct batch *b = batch_new();
	uint32_t len;

	(void)state;
	assert_int_equal(hp_wg_peer_set_also(p, &relay), HP_OK);
	batch_packet(w, b, 0, 0, 1, 100);
	batch_packet(w, b, 1, 0, 2, 100);
	out(w, b, 0, 2);
	assert_true(hp_path_eq(b->outs[0].also, &relay));
	assert_int_equal(b->outs[0].path->channel, 0);
	assert_false(hp_forward_copy(&b->outs[1], &b->pkts[1]));
	len = b->pkts[0].len;
	/* What is sent second has the relay header in front. */
	memcpy(b->buf[2], b->buf[0], SLOT);
	b->pkts[2] = b->pkts[0];
	b->pkts[2].data = b->buf[2] + (b->pkts[0].data - b->buf[0]);
	assert_true(hp_forward_copy(&b->outs[0], &b->pkts[0]));
	assert_int_equal(b->pkts[0].len, len + 8);
	assert_int_equal(hp_datagram_kind(b->pkts[0].data, len + 8),
			 HP_DGRAM_RELAY);
	assert_true(hp_pkt_pull(&b->pkts[0], 8));
	b->pkts[1] = b->pkts[2];
	in(w, b, 1, 2);
	assert_int_equal(b->ins[0].verdict, HP_VERDICT_DELIVER);
	assert_int_equal(b->ins[1].verdict, HP_VERDICT_DROP);
	assert_int_equal(b->ins[1].reason, HP_DROP_REPLAY);
	/* And no more after that. */
	assert_int_equal(hp_wg_peer_set_also(p, NULL), HP_OK);
	batch_packet(w, b, 0, 0, 1, 100);
	out(w, b, 0, 1);
	assert_false(hp_forward_copy(&b->outs[0], &b->pkts[0]));
	free(b);
	world_free(w);
}

static void the_slow_path_copies_too(void **state)
{
	struct world *w = world_new(32, 2, false);
	struct hp_path also = world_path(w, 1);
	unsigned int sent;

	(void)state;
	world_send(w, 0, 1, 100);
	world_wait(w, HP_S);
	sent = w->node[0].sent[4];
	assert_int_equal(hp_wg_peer_set_also(w->node[0].peer[1], &also),
			 HP_OK);
	world_send(w, 0, 1, 100);
	assert_int_equal(w->node[0].sent[4], sent + 2);
	world_wait(w, HP_S);
	assert_int_equal(w->node[1].delivered, 2);
	assert_int_equal(world_drops(w, 1, HP_DROP_REPLAY), 1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch_goes_to_several_peers_and_back),
		cmocka_unit_test(copies_within_one_batch_are_delivered_once),
		cmocka_unit_test(padding_stays_within_the_mtu),
		cmocka_unit_test(
			what_does_not_fit_its_path_is_left_to_the_caller),
		cmocka_unit_test(relayed_path_puts_its_header_in_front),
		cmocka_unit_test(
		packets_without_session_or_of_other_types_are_for_control),
		cmocka_unit_test(ipv6_travels_like_ipv4),
		cmocka_unit_test(what_was_removed_waits_until_it_is_reclaimed),
		cmocka_unit_test(answered_handshake_ends_our_own),
		cmocka_unit_test(
			answer_to_the_first_packet_takes_the_new_session),
		cmocka_unit_test(retry_forgets_our_source_address),
		cmocka_unit_test(control_thread_changes_all_under_a_data_thread),
		cmocka_unit_test(a_copy_takes_the_second_path_and_counts_once),
		cmocka_unit_test(the_slow_path_copies_too),
	};

	return cmocka_run_group_tests_name("wg_forward", tests, NULL, NULL);
}
