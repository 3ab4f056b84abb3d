/* SPDX-License-Identifier: ISC */
/* lib/sys: configuration text, value parsers, suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "sys/conf.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What the callbacks saw, in one line. */
struct seen {
	char text[512];
};

static void see(struct seen *s, const char *what, const char *value)
{
	size_t len = strlen(s->text);

	snprintf(s->text + len, sizeof(s->text) - len, "%s%s;", what, value);
}

static enum hp_err set_port(void *ctx, const char *v, struct hp_fault *f)
{
	uint16_t port;
	enum hp_err err = hp_value_port(v, &port, f);

	if (!err)
		see(ctx, "port=", v);
	return err;
}

static enum hp_err set_item(void *ctx, const char *v, struct hp_fault *f)
{
	if (!strcmp(v, "bad"))
		return hp_fault_set(f, HP_ERR_FORMAT, "another", "bad item");
	see(ctx, "item=", v);
	return HP_OK;
}

static enum hp_err set_name(void *ctx, const char *v, struct hp_fault *f)
{
	(void)f;
	see(ctx, "name=", v);
	return HP_OK;
}

static enum hp_err begin_peer(void *ctx, struct hp_fault *f)
{
	(void)f;
	see(ctx, "[peer]", "");
	return HP_OK;
}

static const struct hp_conf_key main_keys[] = {
	{ .name = "Name", .set = set_name, .need = true },
	{ .name = "ListenPort", .set = set_port },
	{ .name = "Servers", .set = set_item, .many = true },
};

static const struct hp_conf_key peer_keys[] = {
	{ .name = "Key", .set = set_name, .need = true },
};

static const struct hp_conf_section sections[] = {
	{ .name = "Main", .keys = main_keys, .n_keys = COUNT(main_keys),
	  .need = true },
	{ .name = "Peer", .keys = peer_keys, .n_keys = COUNT(peer_keys),
	  .begin = begin_peer, .many = true },
};

static void conf_reads_what_people_write(void **state)
{
	static const char text[] =
		"# a comment\r\n"
		"\n"
		"  [main]  # ours\n"
		"Name=a b\t\n"
		"\tlistenport  =  7 # seven\n"
		"Servers = x, y ,z\n"
		"Servers = [::1]:5\n"
		"[Peer]\n"
		"Key = AA==\n"
		"[Peer]\n"
		"Key = BB=";
	struct seen s = { { 0 } };

	(void)state;
	assert_int_equal(hp_conf_parse(text, sections, COUNT(sections), &s,
				       NULL), HP_OK);
	assert_string_equal(s.text,
			    "name=a b;port=7;item=x;item=y;item=z;"
			    "item=[::1]:5;[peer];name=AA==;[peer];name=BB=;");
}

static void conf_mistakes_have_line_column_cause_and_remedy(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
		unsigned int column;
		const char *cause;
		const char *remedy;
	} cases[] = {
		{ "", 1, 1, "no section [Main]", "add it" },
		{ "[Mian]\n", 1, 2, "no section [Mian]", "mean Main?" },
		{ "\n  [Zzzzzzz]", 2, 4, "[Zzzzzzz]", "known are: Main, Peer" },
		{ "[Main\nName=a", 1, 1, "not a section", "[Name] alone" },
		{ "[Main] x\n", 1, 1, "not a section", "alone" },
		{ "Name = a\n", 1, 1, "before any section", "above it" },
		{ "[Main]\nwhat\n", 2, 1, "neither", "Name = value" },
		{ "[Main]\n= 5\n", 2, 1, "neither", "Name = value" },
		{ "[Main]\n  LitsenPort = 5\n", 2, 3, "LitsenPort",
		  "mean ListenPort?" },
		{ "[Main]\nQuux = 5\n", 2, 1, "Quux",
		  "known are: Name, ListenPort, Servers" },
		{ "[Main]\nName = a\nListenPort = x\n", 3, 14, "\"x\"",
		  "0 to 65535" },
		{ "[Main]\nName = a\nListenPort = 65536\n", 3, 14, "65536",
		  "0 to 65535" },
		{ "[Main]\nName =\n", 2, 7, "empty", "delete" },
		{ "[Main]\nName = # nothing\n", 2, 7, "empty", "delete" },
		{ "[Main]\nName = a\nServers = a,, b\n", 3, 13, "empty",
		  "delete" },
		{ "[Main]\nName = a\nServers = a,  bad\n", 3, 15, "bad item",
		  "another" },
		{ "[Main]\nName = a\n Name = b\n", 3, 2, "twice", "keep one" },
		{ "[Main]\nName = a\n[Main]\n", 3, 1, "twice", "join" },
		{ "\n[Main]\nListenPort = 5\n\n", 2, 1, "has no Name",
		  "add the line" },
		{ "[Main]\nName = a\n[Peer]\n[Peer]\nKey = x", 3, 1,
		  "has no Key", "add the line" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct seen s = { { 0 } };
		struct hp_fault f = { 0 };

		if (hp_conf_parse(cases[i].text, sections, COUNT(sections),
				  &s, &f) != HP_ERR_FORMAT ||
		    f.line != cases[i].line || f.column != cases[i].column ||
		    !strstr(f.cause, cases[i].cause) ||
		    !strstr(f.remedy, cases[i].remedy))
			fail_msg("case %zu: %u:%u %s (%s)", i, f.line,
				 f.column, f.cause, f.remedy);
	}
}

static void conf_line_without_end_is_refused(void **state)
{
	static char text[8192];
	struct seen s = { { 0 } };
	struct hp_fault f = { 0 };

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(hp_conf_parse(text, sections, COUNT(sections), &s,
				       &f), HP_ERR_FULL);
	assert_int_equal(f.line, 1);
}

static void conf_fault_names_its_file(void **state)
{
	struct hp_fault f = { .line = 3, .column = 14, .cause = "bad" };

	(void)state;
	hp_fault_in_file(&f, "/etc/x.conf");
	assert_string_equal(f.cause, "/etc/x.conf:3:14: bad");
	hp_fault_in_file(NULL, "/etc/x.conf");
}

static void values_at_their_edges(void **state)
{
	struct hp_fault f;
	uint64_t ns;
	uint32_t v = 9;
	bool b;

	(void)state;
	assert_int_equal(hp_value_u32("4294967295", 0, UINT32_MAX, &v, &f),
			 HP_OK);
	assert_int_equal(hp_value_u32("4294967296", 0, UINT32_MAX, &v, &f),
			 HP_ERR_FORMAT);
	assert_int_equal(hp_value_u32("4", 5, 6, &v, &f), HP_ERR_FORMAT);
	assert_int_equal(hp_value_u32("", 0, 6, &v, &f), HP_ERR_FORMAT);
	assert_int_equal(hp_value_u32("-1", 0, 6, &v, &f), HP_ERR_FORMAT);
	assert_int_equal(hp_value_u32(" 1", 0, 6, &v, &f), HP_ERR_FORMAT);
	assert_int_equal(hp_value_u32("1 ", 0, 6, &v, &f), HP_ERR_FORMAT);
	assert_int_equal(hp_value_u32("99999999999999999999", 0, 6, &v, &f),
			 HP_ERR_FORMAT);
	assert_true(f.cause[0] && f.remedy[0]);
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(hp_value_bool("YES", &b, &f), HP_OK);
	assert_true(b);
	assert_int_equal(hp_value_bool("off", &b, &f), HP_OK);
	assert_false(b);
	assert_int_equal(hp_value_bool("2", &b, &f), HP_ERR_FORMAT);
	assert_int_equal(hp_value_time("500ms", &ns, &f), HP_OK);
	assert_true(ns == 500 * HP_MS);
	assert_int_equal(hp_value_time("30", &ns, &f), HP_OK);
	assert_true(ns == 30 * HP_S);
	assert_int_equal(hp_value_time("7d", &ns, &f), HP_OK);
	assert_true(ns == 7 * 86400 * HP_S);
	assert_int_equal(hp_value_time("5x", &ns, &f), HP_ERR_FORMAT);
	assert_int_equal(hp_value_time("s", &ns, &f), HP_ERR_FORMAT);
	assert_int_equal(hp_value_time("999999999999d", &ns, &f),
			 HP_ERR_FORMAT);
}

static void rate_is_in_bits_and_has_bounds(void **state)
{
	static const struct {
		const char *text;
		uint32_t bytes;
	} good[] = {
		{ "64k", 8000 }, { "64000", 8000 }, { "20M", 2500000 },
		{ "1g", 125000000 }, { "32G", 4000000000 },
	};
	static const char *const bad[] = { "", "M", "63k", "33G", "20m/s",
					   "-1M", "1.5M", "99999999999999999G",
					   "yes" };
	struct hp_fault f;
	uint32_t bytes;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(hp_value_rate(good[i].text, &bytes, &f),
				 HP_OK);
		assert_int_equal(bytes, good[i].bytes);
	}
	bytes = 7;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(hp_value_rate(bad[i], &bytes, &f),
				 HP_ERR_FORMAT);
	assert_int_equal(bytes, 7);
}

static void ifname_rejects_what_the_kernel_would(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "a b", "a:b",
					   "sixteen-letters-", "a%d" };
	char out[16] = "kept";
	struct hp_fault f;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(hp_value_ifname(bad[i], out, &f),
				 HP_ERR_FORMAT);
	assert_string_equal(out, "kept");
	assert_int_equal(hp_value_ifname("fifteen-letters", out, &f), HP_OK);
}

static void suggestion_is_near_or_none(void **state)
{
	static const char *const list[] = { "init", "invite", "join", "peers",
					    "down" };

	(void)state;
	assert_string_equal(hp_suggest("jion", list, 5), "join");
	assert_string_equal(hp_suggest("INVTE", list, 5), "invite");
	assert_string_equal(hp_suggest("pears", list, 5), "peers");
	assert_null(hp_suggest("status", list, 5));
	assert_null(hp_suggest("", list, 5));
	assert_null(hp_suggest("a-word-that-is-longer-than-any-command", list,
			       5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conf_reads_what_people_write),
		cmocka_unit_test(
			conf_mistakes_have_line_column_cause_and_remedy),
		cmocka_unit_test(conf_line_without_end_is_refused),
		cmocka_unit_test(conf_fault_names_its_file),
		cmocka_unit_test(values_at_their_edges),
		cmocka_unit_test(rate_is_in_bits_and_has_bounds),
		cmocka_unit_test(ifname_rejects_what_the_kernel_would),
		cmocka_unit_test(suggestion_is_near_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
