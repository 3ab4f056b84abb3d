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
#include "member_world.h"

static size_t bobs_record(struct world *w, uint8_t blob[HP_RECORD_MAX])
{
	size_t len = 0;

	assert_int_equal(hp_record_seal(&w->net, NULL, &w->bob, &w->full,
					&w->rng, blob, &len), HP_OK);
	return len;
}

static void record_longest_fits_600_bytes(void **state)
{
	struct world *w = world_make(7);
	uint8_t blob[HP_RECORD_MAX];
	struct hp_record got;
	size_t len;

	(void)state;
	len = bobs_record(w, blob);
	assert_int_equal(len, 518);
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

static void record_with_eleven_candidates_is_not_made(void **state)
{
	struct world *w = world_make(7);
	uint8_t blob[HP_OFFER_MAX];
	struct hp_offer offer = { .record = w->full };
	size_t len;

	(void)state;
	offer.record.n_cand = HP_CANDIDATES_MAX + 1;
	assert_int_equal(hp_record_seal(&w->net, NULL, &w->bob, &offer.record,
					&w->rng, blob, &len), HP_ERR_FULL);
	assert_int_equal(hp_offer_seal(&w->net, NULL, &w->bob, &offer,
				       w->alice_slot, &w->rng, blob, &len),
			 HP_ERR_FULL);
	free(w);
}

static void record_damaged_or_cut_is_refused(void **state)
{
	struct world *w = world_make(7);
	uint8_t blob[HP_RECORD_MAX + 1] = { 0 };
	struct hp_record got = { .seq = 5 };
	size_t len = bobs_record(w, blob);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		blob[i] ^= 0x40;
		assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot,
						blob, len, &got),
				 HP_ERR_AUTH);
		blob[i] ^= 0x40;
		assert_int_not_equal(hp_record_open(&w->net, NULL, w->bob_slot,
						    blob, i, &got), HP_OK);
	}
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob,
					len + 1, &got), HP_ERR_AUTH);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, 0,
					&got), HP_ERR_SHORT);
	assert_int_equal(got.seq, 5);
	free(w);
}

static void record_is_bound_to_slot_purpose_and_network(void **state)
{
	struct world *w = world_make(7);
	struct world *v = world_make(8);
	uint8_t echo_slot[HP_SLOT_LEN];
	uint8_t blob[HP_RECORD_MAX];
	struct hp_record got;
	size_t len = bobs_record(w, blob);

	(void)state;
	hp_network_slot(&w->net, "echo", BOB, echo_slot);
	assert_int_equal(hp_record_open(&w->net, NULL, w->alice_slot, blob,
					len, &got), HP_ERR_AUTH);
	assert_int_equal(hp_record_open(&w->net, "echo", echo_slot, blob, len,
					&got), HP_ERR_AUTH);
	assert_int_equal(hp_record_open(&v->net, NULL, w->bob_slot, blob, len,
					&got), HP_ERR_AUTH);
	/* A member who seals bob's certificate with a key of its own. */
	w->bob.sign = w->alice.sign;
	len = bobs_record(w, blob);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
					&got), HP_ERR_AUTH);
	free(w);
	free(v);
}

/* Seals @plain under the network's key, as only a member could. */
static size_t seal_raw(struct world *w, const uint8_t *plain, size_t len,
		       uint8_t *blob)
{
	hp_box_seal(&w->net.record_key, &w->rng, NULL, 0, plain, len, blob);
	return len + HP_BOX_OVERHEAD;
}

static void record_of_a_member_gone_bad_is_refused_at_every_byte(void **state)
{
	struct world *w = world_make(7);
	uint8_t blob[HP_OFFER_MAX];
	uint8_t plain[HP_RECORD_MAX];
	struct hp_record got;
	size_t len = bobs_record(w, blob);
	size_t n = len - HP_BOX_OVERHEAD;
	enum hp_err err;

	(void)state;
	assert_int_equal(hp_box_open(&w->net.record_key, NULL, 0, blob, len,
				     plain), HP_OK);
	for (size_t i = 0; i < n; i++) {
		plain[i] ^= 0x80;
		len = seal_raw(w, plain, n, blob);
		err = hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
				     &got);
		if (err == HP_OK)
			fail_msg("byte %zu", i);
		if (i == 0)
			assert_int_equal(err, HP_ERR_TYPE);
		if (i == 1)
			assert_int_equal(err, HP_ERR_VERSION);
		plain[i] ^= 0x80;
		len = seal_raw(w, plain, i, blob);
		assert_int_not_equal(hp_record_open(&w->net, NULL, w->bob_slot,
						    blob, len, &got), HP_OK);
	}
	plain[n] = 0;
	len = seal_raw(w, plain, n + 1, blob);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
					&got), HP_ERR_FORMAT);
	free(w);
}

static void record_without_epoch_or_with_bad_candidate_is_refused(void **state)
{
	struct world *w = world_make(7);
	uint8_t blob[HP_RECORD_MAX];
	struct hp_record got;
	struct hp_record good = w->full;
	size_t len;

	(void)state;
	w->full.epoch = 0;
	len = bobs_record(w, blob);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
					&got), HP_ERR_FORMAT);
	w->full = good;
	w->full.cand[3].kind = 7;
	len = bobs_record(w, blob);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
					&got), HP_ERR_FORMAT);
	w->full = good;
	w->full.cand[9].addr.port = 0;
	len = bobs_record(w, blob);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
					&got), HP_ERR_FORMAT);
	w->full = good;
	memset(w->full.cand[0].addr.ip, 0, 16);
	memset(w->full.cand[0].addr.ip + 10, 0xff, 2);
	len = bobs_record(w, blob);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
					&got), HP_ERR_FORMAT);
	free(w);
}

static void offer_round_trips_and_is_for_its_receiver_alone(void **state)
{
	struct world *w = world_make(7);
	struct hp_offer offer = {
		.record = w->full, .has_init = true,
	};
	uint8_t blob[HP_OFFER_MAX];
	struct hp_record record;
	struct hp_offer got;
	size_t len;

	(void)state;
	memset(offer.init, 0xa5, sizeof(offer.init));
	assert_int_equal(hp_offer_seal(&w->net, NULL, &w->bob, &offer,
				       w->alice_slot, &w->rng, blob, &len),
			 HP_OK);
	assert_int_equal(len, 518 + 149);
	assert_int_equal(hp_offer_open(&w->net, NULL, w->bob_slot,
				       w->alice_slot, blob, len, &got), HP_OK);
	assert_true(got.has_init);
	assert_memory_equal(got.init, offer.init, sizeof(offer.init));
	assert_int_equal(got.record.n_cand, 10);
	/* Handed to somebody else, or back. */
	assert_int_equal(hp_offer_open(&w->net, NULL, w->bob_slot, w->bob_slot,
				       blob, len, &got), HP_ERR_AUTH);
	assert_int_equal(hp_offer_open(&w->net, NULL, w->alice_slot,
				       w->alice_slot, blob, len, &got),
			 HP_ERR_AUTH);
	assert_int_equal(hp_record_open(&w->net, NULL, w->bob_slot, blob, len,
					&record), HP_ERR_TYPE);
	for (size_t n = 0; n < len; n++)
		assert_int_not_equal(hp_offer_open(&w->net, NULL, w->bob_slot,
						   w->alice_slot, blob, n,
						   &got), HP_OK);
	assert_int_equal(hp_offer_open(&w->net, NULL, w->bob_slot,
				       w->alice_slot, blob, HP_OFFER_MAX + 1,
				       &got), HP_ERR_FORMAT);
	len = bobs_record(w, blob);
	assert_int_equal(hp_offer_open(&w->net, NULL, w->bob_slot,
				       w->alice_slot, blob, len, &got),
			 HP_ERR_TYPE);
	free(w);
}

static void offer_with_an_unknown_flag_is_refused(void **state)
{
	struct world *w = world_make(7);
	struct hp_offer offer = { .record = w->full };
	uint8_t plain[HP_OFFER_MAX];
	uint8_t blob[HP_OFFER_MAX];
	struct hp_offer got;
	size_t len;

	(void)state;
	assert_int_equal(hp_offer_seal(&w->net, NULL, &w->bob, &offer,
				       w->alice_slot, &w->rng, blob, &len),
			 HP_OK);
	assert_int_equal(hp_offer_open(&w->net, NULL, w->bob_slot,
				       w->alice_slot, blob, len, &got), HP_OK);
	assert_false(got.has_init);
	assert_int_equal(hp_box_open(&w->net.record_key, NULL, 0, blob, len,
				     plain), HP_OK);
	plain[1] |= 4;
	len = seal_raw(w, plain, len - HP_BOX_OVERHEAD, blob);
	assert_int_equal(hp_offer_open(&w->net, NULL, w->bob_slot,
				       w->alice_slot, blob, len, &got),
			 HP_ERR_FORMAT);
	free(w);
}

struct pair {
	struct world *w;
	struct hp_secret key;
	uint8_t tag[HP_NOTE_TAG_LEN];
};

static struct pair pair_make(void)
{
	struct pair p = { .w = world_make(7) };

	assert_int_equal(hp_network_pair_key(&p.w->net, &p.w->alice.key,
					     &p.w->bob.cert.key, &p.key),
			 HP_OK);
	hp_note_tag(&p.w->net, &p.w->alice.cert.key, p.tag);
	return p;
}

static void note_of_every_kind_round_trips(void **state)
{
	struct pair p = pair_make();
	struct hp_note note = { .kind = HP_NOTE_CERT_WANTED };
	uint8_t tag[HP_NOTE_TAG_LEN];
	uint8_t buf[HP_NOTE_MAX];
	struct hp_note got;
	size_t wanted;
	size_t len;

	(void)state;
	wanted = hp_note_seal(&p.key, p.tag, &note, &p.w->rng, buf);
	assert_int_equal(hp_datagram_kind(buf, wanted), HP_DGRAM_NOTE);
	assert_int_equal(hp_note_peek(buf, wanted, tag), HP_OK);
	assert_memory_equal(tag, p.tag, sizeof(tag));
	assert_int_equal(hp_note_open(&p.key, buf, wanted, &got), HP_OK);
	assert_int_equal(got.kind, HP_NOTE_CERT_WANTED);

	note.kind = HP_NOTE_CERT;
	hp_cert_issue(&p.w->root, &p.w->bob.cert, &note.cert);
	len = hp_note_seal(&p.key, p.tag, &note, &p.w->rng, buf);
	assert_true(len <= wanted);
	assert_int_equal(hp_note_open(&p.key, buf, len, &got), HP_OK);
	assert_true(hp_cert_same_node(&got.cert, &p.w->bob.cert));

	note.kind = HP_NOTE_REVOKED;
	note.list_len = HP_REVOKED_WIRE_MAX;
	memset(note.list, 9, sizeof(note.list));
	len = hp_note_seal(&p.key, p.tag, &note, &p.w->rng, buf);
	assert_int_equal(len, HP_NOTE_MAX);
	assert_int_equal(hp_note_open(&p.key, buf, len, &got), HP_OK);
	assert_int_equal(got.list_len, HP_REVOKED_WIRE_MAX);
	assert_memory_equal(got.list, note.list, sizeof(note.list));
	note = (struct hp_note){ .kind = HP_NOTE_REPORT_WANTED, .ask = 7,
				 .part = 2 };
	wanted = hp_note_seal(&p.key, p.tag, &note, &p.w->rng, buf);
	assert_int_equal(hp_note_open(&p.key, buf, wanted, &got), HP_OK);
	assert_int_equal(got.kind, HP_NOTE_REPORT_WANTED);
	assert_int_equal(got.ask, 7);
	assert_int_equal(got.part, 2);
	note.kind = HP_NOTE_REPORT;
	note.list_len = HP_NOTE_REPORT_MAX;
	memset(note.list, 8, sizeof(note.list));
	len = hp_note_seal(&p.key, p.tag, &note, &p.w->rng, buf);
	assert_true(len <= wanted);
	assert_int_equal(hp_note_open(&p.key, buf, len, &got), HP_OK);
	assert_int_equal(got.ask, 7);
	assert_int_equal(got.part, 2);
	assert_int_equal(got.list_len, HP_NOTE_REPORT_MAX);
	assert_memory_equal(got.list, note.list, HP_NOTE_REPORT_MAX);
	free(p.w);
}

static void note_damaged_cut_or_of_others_is_refused(void **state)
{
	struct pair p = pair_make();
	struct hp_note note = { .kind = HP_NOTE_CERT, .cert = p.w->bob.cert };
	uint8_t buf[HP_NOTE_MAX + 1] = { 0 };
	uint8_t tag[HP_NOTE_TAG_LEN];
	struct hp_secret other = p.key;
	struct hp_note got;
	size_t len;

	(void)state;
	len = hp_note_seal(&p.key, p.tag, &note, &p.w->rng, buf);
	for (size_t i = 0; i < len; i++) {
		enum hp_err err;

		buf[i] ^= 1;
		err = hp_note_open(&p.key, buf, len, &got);
		assert_int_equal(err, i < 4 ? HP_ERR_TYPE : HP_ERR_AUTH);
		buf[i] ^= 1;
		assert_int_not_equal(hp_note_open(&p.key, buf, i, &got),
				     HP_OK);
	}
	assert_int_equal(hp_note_peek(buf, 8, tag), HP_ERR_SHORT);
	assert_int_equal(hp_note_peek(buf, 3, tag), HP_ERR_TYPE);
	assert_int_equal(hp_note_open(&p.key, buf, HP_NOTE_MAX + 1, &got),
			 HP_ERR_FORMAT);
	other.b[5] ^= 1;
	assert_int_equal(hp_note_open(&other, buf, len, &got), HP_ERR_AUTH);
	free(p.w);
}

/* What a member with the right key may still write wrongly. */
static void note_with_a_bad_body_is_refused(void **state)
{
	static const struct {
		const char *label;
		uint8_t body[4];
		size_t len;
	} cases[] = {
		{ "kind 0", { 0 }, 1 },
		{ "kind 6", { 6 }, 1 },
		{ "a short request for a report", { 4, 1, 2, 3 }, 4 },
		{ "a report without number", { 5, 1, 2, 3 }, 4 },
		{ "padding not zero", { 1, 0, 0, 1 }, 4 },
		{ "half a certificate", { 2, 2, 0, 0 }, 4 },
	};
	struct pair p = pair_make();
	struct hp_secret key;

	(void)state;
	hp_derive(&p.key, "hptun note v1", NULL, 0, &key);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[64];
		struct hp_note got;

		hp_datagram_head(buf, HP_KIND_NOTE);
		memcpy(buf + 4, p.tag, sizeof(p.tag));
		hp_box_seal(&key, &p.w->rng, buf, 12, cases[i].body,
			    cases[i].len, buf + 12);
		if (hp_note_open(&p.key, buf,
				 12 + cases[i].len + HP_BOX_OVERHEAD,
				 &got) != HP_ERR_FORMAT)
			fail_msg("%s", cases[i].label);
	}
	free(p.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_longest_fits_600_bytes),
		cmocka_unit_test(record_with_eleven_candidates_is_not_made),
		cmocka_unit_test(record_damaged_or_cut_is_refused),
		cmocka_unit_test(record_is_bound_to_slot_purpose_and_network),
		cmocka_unit_test(
			record_of_a_member_gone_bad_is_refused_at_every_byte),
		cmocka_unit_test(
			record_without_epoch_or_with_bad_candidate_is_refused),
		cmocka_unit_test(
			offer_round_trips_and_is_for_its_receiver_alone),
		cmocka_unit_test(offer_with_an_unknown_flag_is_refused),
		cmocka_unit_test(note_of_every_kind_round_trips),
		cmocka_unit_test(note_damaged_cut_or_of_others_is_refused),
		cmocka_unit_test(note_with_a_bad_body_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
