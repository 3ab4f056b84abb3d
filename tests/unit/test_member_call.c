/* SPDX-License-Identifier: ISC */
/* lib/member: calls, and the notes that carry them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "member/call.h"
#include "member/note.h"
#include "member_world.h"

static struct hp_call call_of(enum hp_call_kind kind)
{
	return (struct hp_call){
		.kind = kind,
		.want = kind == HP_CALL_ANSWER,
		.nonce = 0x1122334455667788,
		.echo = kind == HP_CALL_ASK ? 0 : 0x99aabbccddeeff00,
	};
}

static void sealed(struct world *w, struct hp_call *call,
		   uint8_t out[HP_CALL_LEN])
{
	assert_int_equal(hp_call_seal(&w->net, NULL, &w->bob, call, &w->full,
				      &w->rng, out), HP_OK);
}

static void a_call_of_every_kind_round_trips(void **state)
{
	struct world *w = world_make(7);
	uint8_t buf[HP_CALL_LEN];

	(void)state;
	for (enum hp_call_kind k = HP_CALL_ASK; k <= HP_CALL_CLOSE; k++) {
		struct hp_call call = call_of(k), got;
		struct hp_record rec;

		sealed(w, &call, buf);
		assert_int_equal(hp_call_open(&w->net, buf, sizeof(buf), &got),
				 HP_OK);
		assert_int_equal(got.kind, k);
		assert_int_equal(got.want, call.want);
		assert_true(got.nonce == call.nonce && got.echo == call.echo);
		assert_memory_equal(got.from, w->bob_slot, HP_SLOT_LEN);
		assert_int_equal(hp_call_record(&w->net, NULL, &got, &rec),
				 HP_OK);
		assert_int_equal(rec.n_cand, 10);
		assert_true(rec.epoch == w->full.epoch);
		assert_true(hp_cert_same_node(&rec.cert, &w->bob.cert));
	}
	free(w);
}

/* The shortest record and the longest: all that can be seen is random. */
static void calls_are_of_one_length_and_share_no_bytes(void **state)
{
	struct world *w = world_make(8);
	struct hp_call call = call_of(HP_CALL_ASK);
	uint8_t a[HP_CALL_LEN], b[HP_CALL_LEN];
	unsigned int same = 0;

	(void)state;
	sealed(w, &call, a);
	w->full.n_cand = 0;
	sealed(w, &call, b);
	for (size_t i = 0; i < sizeof(a); i++)
		same += a[i] == b[i];
	/* One in 256 by chance: of 677 more than 20 never. */
	assert_true(same < 20);
	for (size_t i = 0; i + HP_SLOT_LEN <= sizeof(a); i++)
		assert_memory_not_equal(a + i, w->bob_slot, HP_SLOT_LEN);
	free(w);
}

static void a_call_altered_anywhere_is_refused(void **state)
{
	struct world *w = world_make(9);
	struct hp_call call = call_of(HP_CALL_ANSWER), got;
	uint8_t buf[HP_CALL_LEN + 1] = { 0 };

	(void)state;
	sealed(w, &call, buf);
	for (size_t i = 0; i < HP_CALL_LEN; i++) {
		buf[i] ^= 0x10;
		assert_int_equal(hp_call_open(&w->net, buf, HP_CALL_LEN, &got),
				 HP_ERR_AUTH);
		buf[i] ^= 0x10;
	}
	assert_int_equal(hp_call_open(&w->net, buf, HP_CALL_LEN + 1, &got),
			 HP_ERR_FORMAT);
	for (size_t len = 0; len < HP_CALL_LEN; len++)
		assert_int_equal(hp_call_open(&w->net, buf, len, &got),
				 HP_ERR_SHORT);
	free(w);
}

static void a_call_of_another_network_is_not_opened(void **state)
{
	struct world *w = world_make(10), *v = world_make(11);
	struct hp_call call = call_of(HP_CALL_ASK), got;
	uint8_t buf[HP_CALL_LEN];

	(void)state;
	sealed(w, &call, buf);
	assert_int_equal(hp_call_open(&v->net, buf, sizeof(buf), &got),
			 HP_ERR_AUTH);
	free(w);
	free(v);
}

/* A member who seals what another one signed, as what that one did not say. */
static void what_a_call_says_is_signed(void **state)
{
	struct world *w = world_make(12);
	struct hp_call call = call_of(HP_CALL_ANSWER), got;
	uint8_t buf[HP_CALL_LEN];
	struct hp_record rec;

	(void)state;
	sealed(w, &call, buf);
	assert_int_equal(hp_call_open(&w->net, buf, sizeof(buf), &got), HP_OK);
	got.echo ^= 1;
	assert_int_equal(hp_call_record(&w->net, NULL, &got, &rec),
			 HP_ERR_AUTH);
	got.echo ^= 1;
	got.nonce ^= 1;
	assert_int_equal(hp_call_record(&w->net, NULL, &got, &rec),
			 HP_ERR_AUTH);
	got.nonce ^= 1;
	got.want = !got.want;
	assert_int_equal(hp_call_record(&w->net, NULL, &got, &rec),
			 HP_ERR_AUTH);
	got.want = !got.want;
	got.kind = HP_CALL_CLOSE;
	assert_int_equal(hp_call_record(&w->net, NULL, &got, &rec),
			 HP_ERR_AUTH);
	got.kind = HP_CALL_ANSWER;
	memcpy(got.from, w->alice_slot, HP_SLOT_LEN);
	assert_int_equal(hp_call_record(&w->net, NULL, &got, &rec),
			 HP_ERR_AUTH);
	memcpy(got.from, w->bob_slot, HP_SLOT_LEN);
	assert_int_equal(hp_call_record(&w->net, "echo", &got, &rec),
			 HP_ERR_AUTH);
	assert_int_equal(hp_call_record(&w->net, NULL, &got, &rec), HP_OK);
	free(w);
}

/* Sealed by a member: @edit made something that no node sends. */
static enum hp_err opened(struct world *w, void (*edit)(uint8_t *plain))
{
	struct hp_call call = call_of(HP_CALL_ASK), got;
	uint8_t plain[HP_CALL_PLAIN], buf[HP_CALL_LEN];
	struct hp_secret key;

	hp_derive(&w->net.secret, "hptun call v1", w->net.id.b, HP_KEY_LEN,
		  &key);
	sealed(w, &call, buf);
	assert_int_equal(hp_box_open(&key, NULL, 0, buf, sizeof(buf), plain),
			 HP_OK);
	edit(plain);
	hp_box_seal(&key, &w->rng, NULL, 0, plain, sizeof(plain), buf);
	return hp_call_open(&w->net, buf, sizeof(buf), &got);
}

static void as_it_was(uint8_t *p) { (void)p; }
static void no_kind(uint8_t *p) { p[0] = 0; }
static void kind_four(uint8_t *p) { p[0] = 4; }
static void odd_flag(uint8_t *p) { p[1] = 2; }
static void no_nonce(uint8_t *p) { memset(p + 2, 0, 8); }
static void ask_with_echo(uint8_t *p) { p[10] = 1; }
static void answer_without(uint8_t *p) { p[0] = HP_CALL_ANSWER; }
static void too_long(uint8_t *p) { hp_put_be16(p + 34, 602); }
static void odd_padding(uint8_t *p) { p[HP_CALL_PLAIN - 1] = 1; }

static void a_call_with_a_field_out_of_range_is_refused(void **state)
{
	static const struct {
		const char *label;
		void (*edit)(uint8_t *plain);
		enum hp_err err;
	} rows[] = {
		{ "as it was", as_it_was, HP_OK },
		{ "kind 0", no_kind, HP_ERR_FORMAT },
		{ "kind 4", kind_four, HP_ERR_FORMAT },
		{ "unknown flag", odd_flag, HP_ERR_FORMAT },
		{ "nonce 0", no_nonce, HP_ERR_FORMAT },
		{ "ASK with an echo", ask_with_echo, HP_ERR_FORMAT },
		{ "ANSWER without", answer_without, HP_ERR_FORMAT },
		{ "offer too long", too_long, HP_ERR_FORMAT },
		{ "padding not zero", odd_padding, HP_ERR_FORMAT },
	};
	struct world *w = world_make(13);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (opened(w, rows[i].edit) != rows[i].err)
			fail_msg("%s", rows[i].label);
	free(w);
}

/* ---- notes that carry one --------------------------------------------- */

static size_t carried(struct world *w, struct hp_secret *key,
		      const struct hp_note *note, uint8_t buf[HP_NOTE_MAX])
{
	uint8_t tag[HP_NOTE_TAG_LEN];

	assert_int_equal(hp_network_pair_key(&w->net, &w->alice.key,
					     &w->bob.cert.key, key), HP_OK);
	hp_note_tag(&w->net, &w->alice.cert.key, tag);
	return hp_note_seal(key, tag, note, &w->rng, buf);
}

static void a_call_is_carried_in_a_note_no_longer_than_it_came(void **state)
{
	struct world *w = world_make(14);
	struct hp_note note = { .kind = HP_NOTE_CARRY }, got;
	struct hp_call call = call_of(HP_CALL_ASK);
	uint8_t buf[HP_NOTE_MAX];
	struct hp_secret key;
	size_t asked, len;

	(void)state;
	sealed(w, &call, note.list);
	memcpy(note.slot, w->bob_slot, HP_SLOT_LEN);
	asked = carried(w, &key, &note, buf);
	assert_int_equal(hp_note_open(&key, buf, asked, &got), HP_OK);
	assert_int_equal(got.kind, HP_NOTE_CARRY);
	assert_memory_equal(got.slot, w->bob_slot, HP_SLOT_LEN);
	assert_int_equal(got.list_len, HP_CALL_LEN);
	assert_memory_equal(got.list, note.list, HP_CALL_LEN);
	assert_int_equal(got.seen.family, HP_AF_NONE);
	note.kind = HP_NOTE_CARRIED;
	for (unsigned int six = 0; six < 2; six++) {
		static const uint8_t ip[16] = { 0x20, 1, 0xd, 0xb8, [15] = 9 };

		note.seen = six ? hp_addr_of(HP_AF_6, ip, 7) :
				  hp_addr4(192, 0, 2, 1, 41641);
		len = carried(w, &key, &note, buf);
		assert_int_equal(len, asked);
		assert_int_equal(hp_note_open(&key, buf, len, &got), HP_OK);
		assert_true(hp_addr_eq(&got.seen, &note.seen));
	}
	/* Whose address it is, is for the one who passes it on to say. */
	note.kind = HP_NOTE_CARRY;
	len = carried(w, &key, &note, buf);
	assert_int_equal(hp_note_open(&key, buf, len, &got), HP_ERR_FORMAT);
	free(w);
}

/* ---- notes about relaying ---------------------------------------------- */

static void a_channel_is_asked_for_and_given_with_no_more_bytes(void **state)
{
	struct world *w = world_make(15);
	struct hp_note note = { .kind = HP_NOTE_RELAY_WANTED, .ask = 7 }, got;
	uint8_t buf[HP_NOTE_MAX];
	struct hp_secret key;
	size_t asked, len;

	(void)state;
	memcpy(note.slot, w->bob_slot, HP_SLOT_LEN);
	asked = carried(w, &key, &note, buf);
	assert_int_equal(hp_note_open(&key, buf, asked, &got), HP_OK);
	assert_int_equal(got.kind, HP_NOTE_RELAY_WANTED);
	assert_int_equal(got.ask, 7);
	assert_memory_equal(got.slot, w->bob_slot, HP_SLOT_LEN);
	assert_int_equal(got.channel, 0);
	note.kind = HP_NOTE_RELAY;
	note.channel = 0xdeadbeef;
	note.rtt_us = 12345;
	len = carried(w, &key, &note, buf);
	assert_int_equal(len, asked);
	assert_int_equal(hp_note_open(&key, buf, len, &got), HP_OK);
	assert_int_equal(got.kind, HP_NOTE_RELAY);
	assert_int_equal(got.ask, 7);
	assert_memory_equal(got.slot, w->bob_slot, HP_SLOT_LEN);
	assert_int_equal(got.channel, 0xdeadbeef);
	assert_int_equal(got.rtt_us, 12345);
	free(w);
}

/* As another implementation could seal it. */
static enum hp_err open_body(struct world *w, const uint8_t *body, size_t len)
{
	const size_t head = HP_WIRE_HEAD + HP_NOTE_TAG_LEN;
	const struct hp_note any = { .kind = HP_NOTE_CERT_WANTED };
	uint8_t buf[HP_NOTE_MAX];
	struct hp_secret pair, key;
	struct hp_note got;

	(void)carried(w, &pair, &any, buf);
	hp_derive(&pair, "hptun note v1", NULL, 0, &key);
	hp_box_seal(&key, &w->rng, buf, head, body, len, buf + head);
	return hp_note_open(&pair, buf, head + len + HP_BOX_OVERHEAD, &got);
}

static void a_request_for_a_channel_out_of_form_is_refused(void **state)
{
	struct world *w = world_make(16);
	const size_t len = 1 + 8 + HP_SLOT_LEN + 8;
	uint8_t body[64] = { HP_NOTE_RELAY_WANTED };

	(void)state;
	assert_int_equal(open_body(w, body, len), HP_OK);
	assert_int_equal(open_body(w, body, len - 1), HP_ERR_FORMAT);
	assert_int_equal(open_body(w, body, len + 1), HP_ERR_FORMAT);
	body[len - 1] = 1; /* padding that is none */
	assert_int_equal(open_body(w, body, len), HP_ERR_FORMAT);
	body[0] = HP_NOTE_RELAY;
	assert_int_equal(open_body(w, body, len), HP_OK);
	assert_int_equal(open_body(w, body, len - 1), HP_ERR_FORMAT);
	assert_int_equal(open_body(w, body, len + 1), HP_ERR_FORMAT);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_of_every_kind_round_trips),
		cmocka_unit_test(calls_are_of_one_length_and_share_no_bytes),
		cmocka_unit_test(a_call_altered_anywhere_is_refused),
		cmocka_unit_test(a_call_of_another_network_is_not_opened),
		cmocka_unit_test(what_a_call_says_is_signed),
		cmocka_unit_test(a_call_with_a_field_out_of_range_is_refused),
		cmocka_unit_test(
			a_call_is_carried_in_a_note_no_longer_than_it_came),
		cmocka_unit_test(
			a_channel_is_asked_for_and_given_with_no_more_bytes),
		cmocka_unit_test(
			a_request_for_a_channel_out_of_form_is_refused),
	};

	if (hp_crypto_init() != HP_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
