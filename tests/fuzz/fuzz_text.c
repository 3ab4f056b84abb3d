/* SPDX-License-Identifier: ISC */
/*
 * Every text that a person or a file may give: addresses, prefixes, names,
 * servers, keys, tokens, pins, configuration. What is accepted must print and
 * read back as itself; what is refused must say why.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/crypto.h"
#include "base/key.h"
#include "member/judge.h"
#include "member/network.h"
#include "member/token.h"
#include "sys/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_addr(const char *text)
{
	struct hp_fault f = { 0 };
	struct hp_addr a;
	struct hp_addr b;
	char out[HP_ADDR_TEXT];

	if (hp_addr_parse(text, 51, &a, &f) != HP_OK) {
		assert(f.cause[0] && f.remedy[0]);
		return;
	}
	assert(hp_addr_parse(hp_addr_text(&a, out), 1, &b, NULL) == HP_OK);
	assert(hp_addr_eq(&a, &b));
	hp_addr_scope(&a);
}

static void check_prefix(const char *text)
{
	struct hp_fault f = { 0 };
	struct hp_prefix p;
	struct hp_prefix q;
	char out[HP_PREFIX_TEXT];

	if (hp_prefix_parse(text, &p, &f) != HP_OK) {
		assert(f.cause[0] && f.remedy[0]);
		return;
	}
	assert(hp_prefix_parse(hp_prefix_text(&p, out), &q, NULL) == HP_OK);
	assert(hp_prefix_eq(&p, &q));
}

static void check_names(const char *text)
{
	struct hp_fault f = { 0 };
	struct hp_server s;
	struct hp_server t;
	char name[HP_NAME_TEXT];
	char again[HP_NAME_TEXT];
	char out[HP_SERVER_TEXT];

	if (hp_name_parse(text, name, &f) == HP_OK) {
		assert(hp_name_parse(name, again, NULL) == HP_OK);
		assert(!strcmp(name, again));
	}
	if (hp_server_parse(text, &s, &f) == HP_OK) {
		assert(hp_server_parse(hp_server_text(&s, out), &t, NULL) ==
		       HP_OK);
		assert(!strcmp(s.host, t.host) && s.port == t.port);
	}
}

static void check_keys(const char *text)
{
	struct hp_fault f = { 0 };
	struct hp_public k;
	struct hp_token token;
	struct hp_pin pin;
	char out[HP_KEY_TEXT];

	if (hp_public_parse(text, &k) == HP_OK)
		assert(!strcmp(hp_public_text(&k, out), text));
	if (hp_token_parse(text, 0, &token, &f) == HP_OK)
		hp_token_wipe(&token);
	else
		assert(f.cause[0]);
	if (hp_pin_parse(text, &pin, &f) != HP_OK)
		assert(f.cause[0]);
}

static enum hp_err set_any(void *ctx, const char *value, struct hp_fault *f)
{
	uint32_t number;
	uint64_t ns;
	bool on;

	(void)ctx;
	if (hp_value_bool(value, &on, f) == HP_OK ||
	    hp_value_time(value, &ns, f) == HP_OK)
		return HP_OK;
	return hp_value_u32(value, 1, 70000, &number, f);
}

static void check_conf(const char *text)
{
	static const struct hp_conf_key keys[] = {
		{ .name = "Name", .set = set_any, .need = true },
		{ .name = "Peers", .set = set_any, .many = true },
	};
	static const struct hp_conf_section sections[] = {
		{ .name = "", .keys = keys, .n_keys = 1 },
		{ .name = "Network", .keys = keys, .n_keys = 2, .need = true },
		{ .name = "Peer", .keys = keys, .n_keys = 2, .many = true },
	};
	struct hp_fault f = { 0 };

	if (hp_conf_parse(text, sections, 3, NULL, &f) != HP_OK)
		assert(f.cause[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	assert(text && hp_crypto_init() == HP_OK);
	memcpy(text, data, size);
	text[size] = '\0';
	check_addr(text);
	check_prefix(text);
	check_names(text);
	check_keys(text);
	check_conf(text);
	free(text);
	return 0;
}
