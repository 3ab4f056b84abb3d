/* SPDX-License-Identifier: ISC */
/* lib/member: tokens, and what happens to them on their way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

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
	hp_token_make(&net, &w->root, &w->grant, &w->rng, token);
	assert_int_equal(hp_token_parse(token, 5, &t, NULL), HP_OK);
	assert_memory_equal(&t.net, &net, sizeof(net));
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_gives_what_a_member_needs),
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
