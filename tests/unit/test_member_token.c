/* SPDX-License-Identifier: ISC */
/* lib/member: tokens, and what happens to them on their way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "member/token.h"
#include "member_world.h"

#define GROUP 40
#define PREFIX 7

static struct world *token_world(char token[HP_TOKEN_TEXT])
{
	struct world *w = world_make(3);
	struct hp_server s = { .host = "s.example.net", .port = 8888 };

	assert_int_equal(hp_network_add_server(&w->net, &s), HP_OK);
	s = (struct hp_server){ .host = "2001:db8::1", .port = 99 };
	assert_int_equal(hp_network_add_server(&w->net, &s), HP_OK);
	hp_token_make(&w->net, &w->root, &w->grant, &w->rng, token);
	return w;
}

static void token_gives_what_a_member_needs(void **state)
{
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	struct hp_identity id;
	struct hp_token t;

	(void)state;
	assert_int_equal(hp_token_parse(token, 5, &t, NULL), HP_OK);
	assert_memory_equal(&t.net, &w->net, sizeof(w->net));
	assert_string_equal(t.grant.name, BOB);
	assert_int_equal(t.grant.until_s, BOB_UNTIL);
	hp_identity_enrol(&t.net.id, &t.grant, &t.invite, &w->rng, &id);
	assert_int_equal(hp_identity_check(&id, &w->net.id), HP_OK);
	free(w);
}

static void token_carries_the_keys_of_the_servers(void **state)
{
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	size_t without = strlen(token);
	struct hp_token t;

	(void)state;
	for (unsigned int n = 1; n <= HP_TLS_PINS_MAX; n++) {
		memset(&w->net.pin[n - 1], (int)n, sizeof(w->net.pin[0]));
		w->net.n_pins = n;
		hp_token_make(&w->net, &w->root, &w->grant, &w->rng, token);
		assert_true(strlen(token) > without);
		assert_int_equal(hp_token_parse(token, 5, &t, NULL), HP_OK);
		assert_memory_equal(&t.net, &w->net, sizeof(w->net));
	}
	free(w);
}

/* What `hptun invite` printed before there were keys in tokens. */
static void token_of_before_there_were_keys_is_read(void **state)
{
	static const char old[] =
		"hptun1:ARwEaG9tZQpMSqM4fA48X1qKHwzeqWBw5h_--h-SvpWa9A1huUwGv"
		"f5DoQvRTmzBVRzVFT0ZyUWemAw6cZf88xuNtUUMbRA7h-AlsTElbEDjGb98i"
		"ggtgwzS6kjILAG2XXXua1Y91zCSOAAAAAIgYWJjZGVmZ2jraWprbG1ub3Bxc"
		"nN0dXZ3eHl6MDEyMzQ1CgkAAhh2cKRkNEKICahwxg3qbfOBywBLfxSX_zoDz"
		"Ob2L3bxgXWuAAAAAAAAA-h7ZEVYbKxAeJ0-tRqzP3-XwzZYKjK9TMRxhcZ13"
		"7937buD2n1XBbnqYsAooSCFEu7VXZ7azetWl4l60y1U8jyjyQYCDXMuZXhhb"
		"XBsZS6qbmV0IrgLMjAwMTpkYjg6OjEAY1hbcPCK";
	struct hp_token t;

	(void)state;
	assert_int_equal(hp_token_parse(old, 5, &t, NULL), HP_OK);
	assert_int_equal(t.net.n_pins, 0);
	assert_int_equal(t.net.n_servers, 2);
	assert_string_equal(t.grant.name, BOB);
}

/* A token that says @payload of @len bytes, its hash not yet there, and is as
 * whole as one can be.
 */
static void token_say(uint8_t *payload, size_t len, char token[HP_TOKEN_TEXT])
{
	static const char label[] = "hptun token v1";
	const struct hp_piece pieces[] = {
		{ label, sizeof(label) }, { payload, len },
	};
	uint8_t hash[16];
	char *to = token + PREFIX;

	hp_put_be16(payload, (uint16_t)(len + 4));
	hp_blake2b(hash, sizeof(hash), NULL, pieces, 2);
	memcpy(payload + len, hash, 4);
	len += 4;
	for (size_t at = 0; at < len; at += 29) {
		size_t n = len - at < 29 ? len - at : 29;
		uint8_t group[30], crc = 0xff;

		memcpy(group, payload + at, n);
		for (size_t i = 0; i < n; i++) {
			crc ^= group[i];
			for (int bit = 0; bit < 8; bit++)
				crc = (uint8_t)(crc << 1 ^
						(crc & 0x80 ? 0x07 : 0));
		}
		group[n] = crc;
		sodium_bin2base64(to, GROUP + 1, group, n + 1,
				  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		to += strlen(to);
	}
}

/* What a token says; returns its length without the hash. */
static size_t token_said(const char *token, uint8_t payload[HP_TOKEN_TEXT])
{
	size_t n = 0;

	for (token += PREFIX; *token;) {
		size_t chars = strlen(token) < GROUP ? strlen(token) : GROUP;
		size_t got;

		assert_int_equal(sodium_base642bin(
			payload + n, HP_TOKEN_TEXT - n, token, chars, NULL,
			&got, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
			0);
		n += got - 1;
		token += chars;
	}
	return n - 4;
}

static void token_with_a_bad_number_of_keys_is_refused(void **state)
{
	static const struct {
		const char *label;
		uint8_t number;
		size_t keys;
		enum hp_err err;
	} rows[] = {
		{ "one of one", 1, 1, HP_OK },
		{ "none, but said", 0, 0, HP_ERR_FORMAT },
		{ "too many", HP_TLS_PINS_MAX + 1, HP_TLS_PINS_MAX + 1,
		  HP_ERR_FORMAT },
		{ "fewer than said", 2, 1, HP_ERR_FORMAT },
		{ "more than said", 1, 2, HP_ERR_FORMAT },
	};
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	uint8_t payload[2 * HP_TOKEN_TEXT] = { 0 };
	size_t len = token_said(token, payload);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t keys = rows[i].keys * HP_TLS_PIN_LEN;
		struct hp_fault f = { 0 };
		struct hp_token t;

		payload[len] = rows[i].number;
		memset(payload + len + 1, 7, keys);
		token_say(payload, len + 1 + keys, token);
		if (hp_token_parse(token, 5, &t, &f) != rows[i].err)
			fail_msg("%s: %s", rows[i].label, f.cause);
		if (rows[i].err)
			assert_non_null(strstr(f.cause, "no token may say"));
	}
	free(w);
}

static void token_survives_the_line_breaks_of_a_mail(void **state)
{
	char token[HP_TOKEN_TEXT];
	char wrapped[2 * HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	struct hp_token t;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; token[i]; i++) {
		wrapped[n++] = token[i];
		if (i % 60 == 59)
			n += (size_t)sprintf(wrapped + n, "\r\n  ");
	}
	strcpy(wrapped + n, " \n");
	assert_int_equal(hp_token_parse(wrapped, 5, &t, NULL), HP_OK);
	free(w);
}

/* Any other character at any place: found, and in its group of 40. */
static void token_typo_is_found_where_it_is(void **state)
{
	static const char chars[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_.!";
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	size_t len = strlen(token);

	(void)state;
	for (size_t i = PREFIX; i < len; i++) {
		char good = token[i];

		for (size_t k = 0; chars[k]; k++) {
			struct hp_fault f = { 0 };
			struct hp_token t;

			if (chars[k] == good)
				continue;
			token[i] = chars[k];
			assert_int_equal(hp_token_parse(token, 5, &t, &f),
					 HP_ERR_FORMAT);
			if (f.column != i - (i - PREFIX) % GROUP + 1)
				fail_msg("%zu: column %u: %s", i, f.column,
					 f.cause);
			assert_true(f.remedy[0]);
		}
		token[i] = good;
	}
	free(w);
}

static void token_typo_in_the_prefix_is_not_a_token(void **state)
{
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	struct hp_fault f = { 0 };
	struct hp_token t;

	(void)state;
	for (size_t i = 0; i < PREFIX; i++) {
		char good = token[i];

		token[i] = i == 5 ? '2' : 'x';
		assert_int_equal(hp_token_parse(token, 5, &t, &f),
				 i == 5 ? HP_ERR_VERSION : HP_ERR_FORMAT);
		assert_true(f.cause[0] && f.remedy[0]);
		token[i] = good;
	}
	assert_int_equal(hp_token_parse("", 5, &t, &f), HP_ERR_FORMAT);
	free(w);
}

static void token_cut_off_anywhere_says_so(void **state)
{
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	struct hp_token zero = { 0 };

	(void)state;
	for (size_t len = strlen(token) - 1; len >= PREFIX; len--) {
		struct hp_fault f = { 0 };
		struct hp_token t;

		token[len] = '\0';
		if (hp_token_parse(token, 5, &t, &f) != HP_ERR_SHORT)
			fail_msg("%zu: %s", len, f.cause);
		assert_non_null(strstr(f.cause, "cut off"));
		assert_memory_equal(&t, &zero, sizeof(t));
	}
	free(w);
}

static void token_with_groups_swapped_or_added_is_damaged(void **state)
{
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	char longer[2 * HP_TOKEN_TEXT];
	struct hp_fault f = { 0 };
	char group[GROUP];
	struct hp_token t;

	(void)state;
	snprintf(longer, sizeof(longer), "%s%s", token, token + PREFIX);
	assert_int_equal(hp_token_parse(longer, 5, &t, &f), HP_ERR_FORMAT);
	snprintf(longer, sizeof(longer), "%sAAAA", token);
	assert_int_equal(hp_token_parse(longer, 5, &t, &f), HP_ERR_FORMAT);
	memset(longer, 'A', sizeof(longer) - 1);
	memcpy(longer, token, PREFIX);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(hp_token_parse(longer, 5, &t, &f), HP_ERR_FORMAT);
	memcpy(group, token + PREFIX + GROUP, GROUP);
	memcpy(token + PREFIX + GROUP, token + PREFIX + 2 * GROUP, GROUP);
	memcpy(token + PREFIX + 2 * GROUP, group, GROUP);
	assert_int_equal(hp_token_parse(token, 5, &t, &f), HP_ERR_FORMAT);
	assert_non_null(strstr(f.cause, "checksum"));
	free(w);
}

static void token_expires_and_says_when(void **state)
{
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	struct hp_fault f = { 0 };
	struct hp_token t;

	(void)state;
	assert_int_equal(hp_token_parse(token, BOB_UNTIL, &t, &f), HP_OK);
	assert_int_equal(hp_token_parse(token, BOB_UNTIL + 1, &t, &f),
			 HP_ERR_EXPIRED);
	assert_non_null(strstr(f.cause, "1970-01-01 00:16 UTC"));
	free(w);
}

static void token_of_another_root_is_forged(void **state)
{
	char token[HP_TOKEN_TEXT];
	struct world *w = token_world(token);
	struct world *v = world_make(4);
	struct hp_fault f = { 0 };
	struct hp_token t;

	(void)state;
	hp_token_make(&w->net, &v->root, &w->grant, &w->rng, token);
	assert_int_equal(hp_token_parse(token, 5, &t, &f), HP_ERR_AUTH);
	assert_non_null(strstr(f.cause, "forged"));
	free(w);
	free(v);
}

static void token_with_the_longest_fields_fits(void **state)
{
	char token[HP_TOKEN_TEXT];
	struct world *w = world_make(3);
	struct hp_server s = { .port = 65534 };
	struct hp_network net;
	struct hp_token t;

	(void)state;
	hp_network_init(&net, BOB, &w->net.id, &w->net.secret);
	memset(s.host, 'a', sizeof(s.host) - 1);
	for (int i = 0; i < HP_SERVERS_MAX; i++) {
		s.host[0] = (char)('a' + i);
		assert_int_equal(hp_network_add_server(&net, &s), HP_OK);
	}
	memset(net.pin, 0xa5, sizeof(net.pin));
	net.n_pins = HP_TLS_PINS_MAX;
	hp_token_make(&net, &w->root, &w->grant, &w->rng, token);
	assert_int_equal(hp_token_parse(token, 5, &t, NULL), HP_OK);
	assert_memory_equal(&t.net, &net, sizeof(net));
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_gives_what_a_member_needs),
		cmocka_unit_test(token_carries_the_keys_of_the_servers),
		cmocka_unit_test(token_of_before_there_were_keys_is_read),
		cmocka_unit_test(token_with_a_bad_number_of_keys_is_refused),
		cmocka_unit_test(token_survives_the_line_breaks_of_a_mail),
		cmocka_unit_test(token_typo_is_found_where_it_is),
		cmocka_unit_test(token_typo_in_the_prefix_is_not_a_token),
		cmocka_unit_test(token_cut_off_anywhere_says_so),
		cmocka_unit_test(
			token_with_groups_swapped_or_added_is_damaged),
		cmocka_unit_test(token_expires_and_says_when),
		cmocka_unit_test(token_of_another_root_is_forged),
		cmocka_unit_test(token_with_the_longest_fields_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
