/* SPDX-License-Identifier: ISC */
/* lib/member: records, offers and notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "base/crypto.h"
#include "base/datagram.h"
#include "member/judge.h"
#include "member/note.h"
#include "member/record.h"

#define LONGEST "abcdefghijklmnopqrstuvwxyz012345"

/* A network with two members, alice (permanent) and bob (granted). */
struct world {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct hp_secret root;
	struct hp_network net;
	struct hp_identity alice;
	struct hp_identity bob;
	uint8_t alice_slot[HP_SLOT_LEN];
	uint8_t bob_slot[HP_SLOT_LEN];
	struct hp_record full; /* the longest record there is */
};

static void fill_candidates(struct hp_record *rec)
{
	rec->n_cand = HP_CANDIDATES_MAX;
	for (unsigned int i = 0; i < rec->n_cand; i++) {
		uint8_t ip6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

		rec->cand[i].kind = HP_CAND_HOST + i % 6;
		rec->cand[i].addr = hp_addr4(192, 0, 2, (uint8_t)i, 1000);
		if (i < 4)
			rec->cand[i].addr = hp_addr_of(HP_AF_6, ip6, 9);
	}
}

static struct world *world_make(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct hp_overlay one = { { 10, 9, 0, 1 }, 24 };
	struct hp_grant g = {
		.serial = 2,
		.name = LONGEST,
		.overlay = { { 10, 9, 0, 2 }, 24 },
		.until_s = 1000,
	};
	struct hp_secret invite;
	struct hp_secret secret;
	struct hp_public id;

	assert_int_equal(hp_crypto_init(), HP_OK);
	hp_rng_seeded_init(&w->seeded, 7, &w->rng);
	hp_sign_keypair(&w->rng, &w->root, &id);
	hp_rng_fill(&w->rng, &secret, sizeof(secret));
	hp_network_init(&w->net, "home", &id, &secret);
	hp_identity_root(&w->root, 1, "alice", &one, &w->rng, &w->alice);
	hp_sign_keypair(&w->rng, &invite, &g.invite);
	hp_grant_sign(&g, &w->root);
	hp_identity_enrol(&id, &g, &invite, &w->rng, &w->bob);
	hp_network_slot(&w->net, NULL, "alice", w->alice_slot);
	hp_network_slot(&w->net, NULL, LONGEST, w->bob_slot);
	w->full = (struct hp_record){
		.caps = 0x1234, .revoked = 77, .epoch = UINT64_MAX - 1,
		.seq = UINT32_MAX,
	};
	fill_candidates(&w->full);
	return w;
}

static void record_longest_fits_600_bytes(void **state)
{
	struct world *w = world_make();
	uint8_t blob[HP_RECORD_MAX];
	struct hp_record got;
	size_t len;

	(void)state;
	assert_int_equal(hp_record_seal(&w->net, NULL, &w->bob, &w->full,
					&w->rng, blob, &len), HP_OK);
	assert_true(len <= 600);
	print_message("longest record: %zu bytes\n", len);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
					&got), HP_OK);
	assert_int_equal(got.caps, 0x1234);
	assert_int_equal(got.revoked, 77);
	assert_true(got.epoch == UINT64_MAX - 1);
	assert_int_equal(got.seq, UINT32_MAX);
	assert_int_equal(got.n_cand, 10);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(got.cand[i].kind, w->full.cand[i].kind);
		assert_true(hp_addr_eq(&got.cand[i].addr,
				       &w->full.cand[i].addr));
	}
	assert_true(hp_cert_same_node(&got.cert, &w->bob.cert));
	assert_int_equal(hp_cert_check(&w->net.id, &got.cert), HP_OK);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_longest_fits_600_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
