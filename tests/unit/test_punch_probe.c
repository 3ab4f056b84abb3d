/* SPDX-License-Identifier: ISC */
/* lib/punch/probe: the probe on the wire, and the replay window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "punch/probe.h"

struct pair {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct hp_secret shared;
	struct hp_public alice, bob;
	struct hp_probe_keys a, b;
};

static void pair_init(struct pair *p)
{
	hp_rng_seeded_init(&p->seeded, 3, &p->rng);
	hp_rng_fill(&p->rng, &p->shared, sizeof(p->shared));
	hp_rng_fill(&p->rng, &p->alice, sizeof(p->alice));
	hp_rng_fill(&p->rng, &p->bob, sizeof(p->bob));
	hp_probe_keys_init(&p->a, &p->shared, &p->alice, &p->bob);
	hp_probe_keys_init(&p->b, &p->shared, &p->bob, &p->alice);
}

static struct hp_probe request(void)
{
	return (struct hp_probe){ .kind = HP_PROBE_REQUEST,
				  .flags = HP_PROBE_IN_USE,
				  .dst_epoch = 0x1122334455667788,
				  .src_epoch = 0x99aabbccddeeff00,
				  .seq = 5,
				  .txid = 0x0102030405060708 };
}

static struct hp_probe response(struct hp_addr seen)
{
	struct hp_probe m = request();

	m.kind = HP_PROBE_RESPONSE;
	m.seen = seen;
	return m;
}

static void probe_survives_the_wire(void **state)
{
	uint8_t ip6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 9 };
	struct hp_probe rows[] = {
		request(), request(), request(),
		response(hp_addr4(203, 0, 113, 9, 4000)),
		response(hp_addr_of(HP_AF_6, ip6, 65535)),
	};
	struct pair p;

	(void)state;
	pair_init(&p);
	rows[1].kind = HP_PROBE_NOMINATE;
	rows[1].flags = HP_PROBE_FLAGS;
	rows[2].pad = HP_PROBE_MAX - HP_PROBE_MIN;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t buf[HP_PROBE_MAX];
		struct hp_probe got;
		size_t len = hp_probe_seal(&p.a, &p.rng, &rows[i], buf);

		assert_int_equal(len, HP_PROBE_MIN + rows[i].pad);
		assert_int_equal(hp_datagram_kind(buf, len), HP_DGRAM_PROBE);
		assert_memory_equal(buf + HP_PUNCH_TAG_AT, p.b.rx_tag,
				    HP_PUNCH_TAG_LEN);
		assert_int_equal(hp_probe_open(&p.b, buf, len, &got), HP_OK);
		assert_int_equal(got.kind, rows[i].kind);
		assert_int_equal(got.flags, rows[i].flags);
		assert_true(got.dst_epoch == rows[i].dst_epoch);
		assert_true(got.src_epoch == rows[i].src_epoch);
		assert_true(got.seq == rows[i].seq);
		assert_true(got.txid == rows[i].txid);
		assert_true(hp_addr_eq(&got.seen, &rows[i].seen));
		assert_int_equal(got.pad, rows[i].pad);
	}
}

static void probe_cut_anywhere_is_refused(void **state)
{
	struct hp_probe m = request(), got = { .seq = 77 };
	uint8_t buf[HP_PROBE_MAX];
	struct pair p;
	size_t len;

	(void)state;
	pair_init(&p);
	m.pad = 20;
	len = hp_probe_seal(&p.a, &p.rng, &m, buf);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(hp_probe_open(&p.b, buf, cut, &got),
				 cut < HP_PROBE_MIN ? HP_ERR_SHORT :
						      HP_ERR_AUTH);
	assert_int_equal(got.seq, 77);
}

static void probe_with_any_bit_flipped_is_refused(void **state)
{
	struct hp_probe m = request(), got = { .seq = 77 };
	uint8_t buf[HP_PROBE_MAX];
	struct pair p;
	size_t len;

	(void)state;
	pair_init(&p);
	len = hp_probe_seal(&p.a, &p.rng, &m, buf);
	for (size_t i = 0; i < len * 8; i++) {
		enum hp_err err;

		buf[i / 8] ^= (uint8_t)(1 << (i % 8));
		err = hp_probe_open(&p.b, buf, len, &got);
		assert_int_equal(err, i / 8 < HP_PROBE_HEAD ? HP_ERR_TYPE :
							      HP_ERR_AUTH);
		buf[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
	assert_int_equal(got.seq, 77);
	assert_int_equal(hp_probe_open(&p.b, buf, len, &got), HP_OK);
}

static void probe_reflected_to_its_sender_is_refused(void **state)
{
	struct hp_probe m = request(), got;
	uint8_t buf[HP_PROBE_MAX];
	struct pair p;
	size_t len;

	(void)state;
	pair_init(&p);
	len = hp_probe_seal(&p.a, &p.rng, &m, buf);
	assert_int_equal(hp_probe_open(&p.a, buf, len, &got), HP_ERR_TYPE);
	/* Nor with the tag he expects. */
	memcpy(buf + HP_PUNCH_TAG_AT, p.a.rx_tag, HP_PUNCH_TAG_LEN);
	assert_int_equal(hp_probe_open(&p.a, buf, len, &got), HP_ERR_AUTH);
}

/* Seals @body of @len bytes as alice would, whatever it says. */
static size_t seal_raw(struct pair *p, const uint8_t *body, size_t len,
		       uint8_t *out)
{
	hp_datagram_head(out, HP_KIND_PROBE);
	memcpy(out + HP_PUNCH_TAG_AT, p->a.tx_tag, HP_PUNCH_TAG_LEN);
	hp_box_seal(&p->a.tx, &p->rng, out, HP_PROBE_HEAD, body, len,
		    out + HP_PROBE_HEAD);
	return HP_PROBE_HEAD + HP_BOX_OVERHEAD + len;
}

static void authentic_probe_with_a_bad_field_is_refused(void **state)
{
	static const struct {
		const char *label;
		size_t at;
		uint8_t value;
	} rows[] = {
		{ "kind 0", 0, 0 },
		{ "kind 4", 0, 4 },
		{ "unknown flag", 1, 4 },
		{ "response without address", 0, HP_PROBE_RESPONSE },
		{ "sequence 0", 25, 0 },
		{ "address in a request", 34, 4 },
		{ "family 5", 34, 5 },
		{ "no family, but a port", 36, 1 },
		{ "padding not zero", HP_PROBE_BODY + 3, 1 },
	};
	struct pair p;

	(void)state;
	pair_init(&p);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t body[HP_PROBE_BODY + 8] = { HP_PROBE_REQUEST };
		uint8_t buf[HP_PROBE_MAX];
		struct hp_probe got;
		size_t len;

		body[25] = 1;
		len = seal_raw(&p, body, sizeof(body), buf);
		assert_int_equal(hp_probe_open(&p.b, buf, len, &got), HP_OK);
		body[rows[i].at] = rows[i].value;
		len = seal_raw(&p, body, sizeof(body), buf);
		if (hp_probe_open(&p.b, buf, len, &got) != HP_ERR_FORMAT)
			fail_msg("%s", rows[i].label);
	}
}

static void response_with_a_bad_address_or_padding_is_refused(void **state)
{
	uint8_t body[HP_PROBE_BODY + 1] = { HP_PROBE_RESPONSE };
	uint8_t buf[HP_PROBE_MAX];
	struct hp_probe got;
	struct pair p;
	size_t len;

	(void)state;
	pair_init(&p);
	body[25] = 1;
	body[34] = 4;
	body[36] = 80;
	body[37] = 192;
	len = seal_raw(&p, body, HP_PROBE_BODY, buf);
	assert_int_equal(hp_probe_open(&p.b, buf, len, &got), HP_OK);
	len = seal_raw(&p, body, HP_PROBE_BODY + 1, buf);
	assert_int_equal(hp_probe_open(&p.b, buf, len, &got), HP_ERR_FORMAT);
	body[52] = 1; /* behind the IPv4 address */
	len = seal_raw(&p, body, HP_PROBE_BODY, buf);
	assert_int_equal(hp_probe_open(&p.b, buf, len, &got), HP_ERR_FORMAT);
	body[52] = 0;
	body[36] = 0; /* port 0 */
	len = seal_raw(&p, body, HP_PROBE_BODY, buf);
	assert_int_equal(hp_probe_open(&p.b, buf, len, &got), HP_ERR_FORMAT);
}

static void probe_that_is_too_long_or_of_another_kind_is_refused(void **state)
{
	uint8_t buf[HP_PROBE_MAX + 1] = { 0 };
	struct hp_probe m = request(), got;
	struct pair p;
	size_t len;

	(void)state;
	pair_init(&p);
	assert_int_equal(hp_probe_open(&p.b, buf, sizeof(buf), &got),
			 HP_ERR_FORMAT);
	len = hp_probe_seal(&p.a, &p.rng, &m, buf);
	buf[3] = HP_KIND_NOTE;
	assert_int_equal(hp_probe_open(&p.b, buf, len, &got), HP_ERR_TYPE);
}

static void tag_differs_by_sender_and_by_pair(void **state)
{
	uint8_t tag[HP_PUNCH_TAG_LEN];
	struct hp_secret other;
	struct pair p;

	(void)state;
	pair_init(&p);
	assert_memory_not_equal(p.a.tx_tag, p.a.rx_tag, HP_PUNCH_TAG_LEN);
	hp_punch_tag(&p.shared, &p.alice, tag);
	assert_memory_equal(tag, p.a.tx_tag, HP_PUNCH_TAG_LEN);
	other = p.shared;
	other.b[0] ^= 1;
	hp_punch_tag(&other, &p.alice, tag);
	assert_memory_not_equal(tag, p.a.tx_tag, HP_PUNCH_TAG_LEN);
}

static void window_agrees_with_a_slow_model(void **state)
{
	static uint8_t seen[20000];
	struct hp_probe_window w = { 0 };
	struct hp_rng_seeded s;
	struct hp_rng rng;
	uint64_t top = 0;

	(void)state;
	print_message("seed 11\n");
	hp_rng_seeded_init(&s, 11, &rng);
	for (int i = 0; i < 50000; i++) {
		uint64_t base = top > 1500 ? top - 1500 : 1;
		uint64_t seq = base + hp_rng_below(&rng, 1502);
		bool want;

		if (!hp_rng_below(&rng, 2000))
			seq = top + hp_rng_below(&rng, 3000);
		if (seq >= sizeof(seen) || !seq)
			continue;
		want = !seen[seq] && seq + HP_PROBE_WINDOW > top;
		if (hp_probe_window_take(&w, seq) != want)
			fail_msg("sequence %llu below %llu",
				 (unsigned long long)seq,
				 (unsigned long long)top);
		seen[seq] = 1;
		top = seq > top ? seq : top;
	}
	assert_true(top > 15000);
	assert_true(hp_probe_window_take(&w, UINT64_MAX));
	assert_false(hp_probe_window_take(&w, UINT64_MAX));
	assert_false(hp_probe_window_take(&w, 0));
	assert_true(hp_probe_window_take(&w, UINT64_MAX - 1023));
	assert_false(hp_probe_window_take(&w, UINT64_MAX - 1024));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_survives_the_wire),
		cmocka_unit_test(probe_cut_anywhere_is_refused),
		cmocka_unit_test(probe_with_any_bit_flipped_is_refused),
		cmocka_unit_test(probe_reflected_to_its_sender_is_refused),
		cmocka_unit_test(authentic_probe_with_a_bad_field_is_refused),
		cmocka_unit_test(
			response_with_a_bad_address_or_padding_is_refused),
		cmocka_unit_test(
			probe_that_is_too_long_or_of_another_kind_is_refused),
		cmocka_unit_test(tag_differs_by_sender_and_by_pair),
		cmocka_unit_test(window_agrees_with_a_slow_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
