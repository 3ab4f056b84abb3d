/* SPDX-License-Identifier: ISC */
/* What people read: tables, units, and the daemon's JSON in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/table.h"
#include "../../tools/view.h"

static void columns_are_as_wide_as_what_stands_in_them(void **state)
{
	static const char *const heads[] = { "A", ">NUM", "LAST", NULL };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct table *t = table_new(heads);

	(void)state;
	assert_non_null(f);
	assert_non_null(t);
	table_print(t, f);
	fflush(f);
	assert_string_equal(text, "");
	assert_true(table_row(t));
	table_cell(t, "long name");
	table_cell(t, "1");
	table_cell(t, "x");
	assert_true(table_row(t));
	table_cell(t, "b");
	table_cell(t, "12345");
	table_cell(t, NULL);
	table_print(t, f);
	fclose(f);
	assert_string_equal(text, "A            NUM  LAST\n"
				  "long name      1  x\n"
				  "b          12345  -\n");
	table_free(t);
	free(text);
}

static void cell_too_long_or_too_many_is_cut(void **state)
{
	static const char *const heads[] = { "A", NULL };
	char big[300], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct table *t = table_new(heads);

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_true(table_row(t));
	for (int i = 0; i < TABLE_COLUMNS + 3; i++)
		table_cell(t, big);
	table_print(t, f);
	fclose(f);
	assert_int_equal(len, 2 + TABLE_CELL);
	table_free(t);
	free(text);
}

static void units_change_where_the_number_gets_long(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} bytes[] = {
		{ 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" },
		{ 1048524, "1023.9 KiB" }, { 1048525, "1.0 MiB" },
		{ 1048576, "1.0 MiB" }, { UINT64_MAX, "16.0 EiB" },
	};
	static const struct {
		uint64_t s;
		const char *text;
	} age[] = {
		{ 0, "0 s" }, { 119, "119 s" }, { 120, "2 min" },
		{ 7199, "119 min" }, { 7200, "2 h" }, { 172799, "47 h" },
		{ 172800, "2 d" },
	};
	static const struct {
		double ms;
		const char *text;
	} ms[] = {
		{ 0.000001, "<0.01 ms" }, { 0.005, "0.01 ms" },
		{ 0.994, "0.99 ms" }, { 0.996, "1.0 ms" },
		{ 99.94, "99.9 ms" }, { 99.96, "100 ms" },
	};
	char text[HUMAN_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
		assert_string_equal(human_bytes(bytes[i].bytes, text),
				    bytes[i].text);
	for (size_t i = 0; i < sizeof(age) / sizeof(age[0]); i++)
		assert_string_equal(human_age(age[i].s, text), age[i].text);
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		assert_string_equal(human_ms(ms[i].ms, text), ms[i].text);
}

/* What @view writes about the JSON in @json. */
static char *words(void (*view)(const json_t *doc, FILE *out),
		   const char *json)
{
	json_t *doc = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(doc);
	view(doc, f);
	fclose(f);
	json_decref(doc);
	return text;
}

static void json_is_put_into_words(void **state)
{
	static const struct {
		void (*view)(const json_t *doc, FILE *out);
		const char *json, *text;
	} row[] = {
		{ view_server, "{\"state\":\"registered\",\"seen\":["
			       "\"192.0.2.1:9\",\"[2001:db8::1]:9\"],"
			       "\"mapping\":\"no NAT\",\"rtt_ms\":12.34}",
		  "registered, seen as 192.0.2.1:9, [2001:db8::1]:9 "
		  "(mapping: no NAT), 12.3 ms" },
		{ view_server, "{\"state\":\"registered\",\"over\":\"tcp\","
			       "\"server\":\"s:8888\"}",
		  "registered over TCP, as UDP is not answered" },
		{ view_server, "{\"state\":\"registered\",\"over\":\"tls\","
			       "\"server\":\"tls://s:443\"}",
		  "registered over TLS" },
		{ view_server, "{\"state\":\"lost\",\"seen\":[\"a\"]}",
		  "no answer" },
		{ view_server, "{\"state\":\"refused\",\"cause\":\"full\"}",
		  "refused: full" },
		{ view_server, "{}", "" },
		{ view_path, "{\"path\":{\"kind\":\"direct\",\"remote\":"
			     "\"192.0.2.1:9\",\"family\":4}}",
		  "192.0.2.1:9 (IPv4)" },
		{ view_path, "{\"path\":{\"kind\":\"relayed\",\"remote\":"
			     "\"[::1]:9\",\"family\":6,\"via\":\"s:8888\"}}",
		  "via s:8888 (IPv6)" },
		{ view_path, "{\"path\":null}", "-" },
		{ view_connected, "{\"session_ms\":21,\"direct_ms\":34,"
				  "\"path\":{\"kind\":\"direct\",\"remote\":"
				  "\"192.0.2.1:9\"}}",
		  "relayed after 21.0 ms, direct after 34.0 ms: "
		  "192.0.2.1:9 (IPv4)" },
		{ view_connected, "{\"session_ms\":34,\"direct_ms\":21,"
				  "\"path\":{\"kind\":\"lan\",\"remote\":"
				  "\"192.0.2.1:9\"}}",
		  "direct after 34.0 ms: 192.0.2.1:9 (IPv4)" },
		{ view_connected, "{\"session_ms\":21,\"path\":{\"kind\":"
				  "\"relayed\",\"remote\":\"192.0.2.1:9\"}}",
		  "relayed after 21.0 ms: 192.0.2.1:9 (IPv4)" },
		{ view_peers, "[]", "no peer was met yet\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *text = words(row[i].view, row[i].json);

		assert_string_equal(text, row[i].text);
		free(text);
	}
}

static void relayed_peer_has_its_reason_beneath_the_table(void **state)
{
	char *text = words(view_peers,
			   "[{\"name\":\"bob\",\"state\":\"relayed\",\"why\":"
			   "\"both NATs map per destination\"},{\"name\":"
			   "\"carol\",\"state\":\"direct\",\"why\":\"x\","
			   "\"warning\":\"somebody else\"}]");

	(void)state;
	assert_non_null(strstr(text, "\n\nbob is relayed: both NATs map per "
				     "destination\n"));
	assert_null(strstr(text, "carol is"));
	assert_non_null(strstr(text, "destination\ncarol: somebody else\n"));
	free(text);
}

static void status_tells_limits_only_where_there_are_any(void **state)
{
	char *text = words(view_status, "{\"guessing\":{\"probes\":0},"
			   "\"without_server\":{\"introductions\":0}}");

	(void)state;
	assert_null(strstr(text, "guessing"));
	assert_null(strstr(text, "methods off"));
	assert_null(strstr(text, "no server"));
	free(text);
	text = words(view_status, "{\"without_server\":{\"introductions\":1,"
				  "\"passed_on\":3}}");
	assert_non_null(strstr(text, "no server   needed for 1 introduction; "
				     "3 calls passed on for others\n"));
	free(text);
	text = words(view_status,
		     "{\"methods_off\":[\"relay\",\"ipv6\"],\"guessing\":{"
		     "\"sockets\":2,\"mappings\":7,\"mappings_max\":256,"
		     "\"probes\":9,\"probes_per_s_max\":400},\"peers\":[{"
		     "\"name\":\"bob\",\"state\":\"relayed\",\"why\":\"x\","
		     "\"guessing\":{\"rounds\":1,\"probes\":8,"
		     "\"sockets\":2}}]}");
	assert_non_null(strstr(text, "methods off relay, ipv6\n"));
	assert_non_null(strstr(text, "guessing    2 sockets, 7 of 256 extra "
				     "mappings; 9 probes so far, at most "
				     "400/s\n"));
	assert_non_null(strstr(text, "bob is relayed: x\nbob: ports guessed in "
				     "1 round, 8 probes, 2 extra sockets "
				     "open\n"));
	free(text);
}

static void status_tells_of_the_port_that_the_gateway_opened(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"port_mapping\":null}", NULL },
		{ "{\"port_mapping\":{\"gateway\":null}}",
		  "port opened none: this host has no gateway\n" },
		{ "{\"port_mapping\":{\"gateway\":\"10.0.0.1\","
		  "\"under_way\":true}}",
		  "port opened none yet: 10.0.0.1 is being asked\n" },
		{ "{\"port_mapping\":{\"gateway\":\"10.0.0.1\","
		  "\"asked\":{\"PCP\":{\"state\":\"refused\",\"why\":\"x\"},"
		  "\"NAT-PMP\":{\"state\":\"silent\"},"
		  "\"UPnP\":{\"state\":\"not-built\"}}}}",
		  "port opened none by 10.0.0.1 (PCP: x; NAT-PMP: no answer; "
		  "UPnP: is not in this build)\n" },
		{ "{\"port_mapping\":{\"gateway\":\"10.0.0.1\","
		  "\"mapped\":\"192.0.2.1:5\",\"protocol\":\"UPnP\","
		  "\"lease_s\":90,\"text\":\"told to peers\"}}",
		  "port opened 192.0.2.1:5 by UPnP at 10.0.0.1, for another " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *text = words(view_status, rows[i][0]);

		if (rows[i][1])
			assert_non_null(strstr(text, rows[i][1]));
		else
			assert_null(strstr(text, "port opened"));
		free(text);
	}
}

static void status_and_doctor_tell_of_a_nat64(void **state)
{
	char *text = words(view_status, "{\"nat64\":\"64:ff9b::/96\"}");

	(void)state;
	assert_non_null(strstr(text, "\nthis host   IPv6 only, IPv4 through "
				     "NAT64 prefix 64:ff9b::/96\n"));
	free(text);
	text = words(view_status, "{\"nat64\":null}");
	assert_null(strstr(text, "NAT64"));
	free(text);
	text = words(view_doctor, "{\"here\":{\"nat64\":\"2001:db8::/96\"},"
				  "\"there\":{}}");
	assert_non_null(strstr(text, "  this host    IPv6 only, IPv4 through "
				     "NAT64 prefix 2001:db8::/96\n"));
	free(text);
}

static void doctor_tells_how_long_packets_may_be(void **state)
{
	static const char *const rows[][2] = {
		{ "null", NULL },
		{ "{\"state\":\"off\",\"mtu\":1408,\"device\":1408}",
		  "\npath MTU: not measured\n" },
		{ "{\"state\":\"base\",\"mtu\":1408,\"device\":1408}",
		  "\npath MTU: being measured; until then packets of up to "
		  "1408 bytes are sent\n" },
		{ "{\"state\":\"searching\",\"mtu\":1324,\"device\":1408}",
		  "\npath MTU: being measured; until then packets of up to "
		  "1324 bytes are sent\n" },
		{ "{\"state\":\"complete\",\"mtu\":1324,\"device\":1408}",
		  "\npath MTU: packets of up to 1324 bytes pass inside, as "
		  "measured (the interface offers 1408); longer ones are cut, "
		  "or answered with \"too big\"\n" },
		{ "{\"state\":\"complete\",\"mtu\":1408,\"device\":1408}",
		  "\npath MTU: all 1408 bytes that the interface offers pass "
		  "inside, as measured\n" },
		{ "{\"state\":\"error\",\"mtu\":1064,\"device\":1408}",
		  "\npath MTU: packets of up to 1064 bytes are sent uncut; not "
		  "even datagrams of 1200 bytes pass\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char json[160], *text;

		snprintf(json, sizeof(json), "{\"findings\":[{}],"
			 "\"path_mtu\":%s}", rows[i][0]);
		text = words(view_doctor, json);
		if (rows[i][1])
			assert_non_null(strstr(text, rows[i][1]));
		else
			assert_null(strstr(text, "path MTU"));
		free(text);
	}
}

static void doctor_tells_of_the_port_that_the_gateway_opened(void **state)
{
	char *text = words(view_doctor, "{\"here\":{\"port_mapping\":{"
			   "\"gateway\":\"10.0.0.1\",\"mapped\":"
			   "\"192.0.2.1:5\",\"protocol\":\"PCP\","
			   "\"lease_s\":90,\"text\":\"x\"}},\"there\":{}}");

	(void)state;
	assert_non_null(strstr(text, "\n  port opened  192.0.2.1:5 by PCP at "
				     "10.0.0.1, for another 90 s; x\n"));
	free(text);
	text = words(view_doctor, "{\"here\":{\"port_mapping\":null}}");
	assert_null(strstr(text, "port opened"));
	free(text);
}

static void doctor_says_first_what_is_wrong_and_what_to_do(void **state)
{
	char *text = words(
		view_doctor,
		"{\"peer\":\"bob\",\"state\":\"relayed\",\"findings\":[{"
		"\"cause\":\"udp-blocked\",\"text\":\"a firewall\",\"remedy\":"
		"\"open it\"},{\"text\":\"versions differ\"}],\"here\":{"
		"\"version\":\"1\",\"mapping\":\"no NAT\",\"candidates\":[{"
		"\"address\":\"192.0.2.1:9\",\"kind\":\"host\"}],"
		"\"rendezvous\":[{\"address\":\"192.0.2.9:8888\","
		"\"registered\":true,\"rtt_ms\":12.0}],\"probes_sent\":5,"
		"\"rounds\":2,\"methods_off\":[\"ipv6\"]},\"there\":null,"
		"\"pairs\":[{\"kind\":\"host\",\"there\":\"192.0.2.2:9\","
		"\"verdict\":\"no answer\",\"from_here\":{\"sent\":8}}]}");

	(void)state;
	assert_ptr_equal(strstr(text, "bob is relayed: a firewall\n"
				      "  to do: open it\n"
				      "also: versions differ\n"), text);
	assert_non_null(strstr(text, "192.0.2.1:9 (host)\n"));
	assert_non_null(strstr(text, "192.0.2.9:8888, registered, 12.0 ms\n"));
	assert_non_null(strstr(text, "switched off ipv6\n"));
	assert_non_null(strstr(text, "\nbob: did not tell\n"));
	assert_non_null(strstr(text, "192.0.2.2:9     8"));
	free(text);
}

static void answer_without_fields_is_shown_without_a_crash(void **state)
{
	static const char *const odd[] = {
		"{}", "[]", "{\"peers\":[1,null,{}],\"rendezvous\":[[]]}",
		"{\"peers\":{},\"addresses\":[1],\"uptime_s\":\"x\"}",
		"{\"rendezvous\":[{\"seen\":[{}],\"state\":\"registered\"}]}",
		"{\"addresses\":[null]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		free(words(view_status, odd[i]));
	free(words(view_doctor, "{}"));
	free(words(view_doctor, "{\"findings\":[1],\"pairs\":[[]],\"here\":{"
				"\"candidates\":[3],\"methods_off\":[1]}}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_what_stands_in_them),
		cmocka_unit_test(cell_too_long_or_too_many_is_cut),
		cmocka_unit_test(units_change_where_the_number_gets_long),
		cmocka_unit_test(json_is_put_into_words),
		cmocka_unit_test(
			relayed_peer_has_its_reason_beneath_the_table),
		cmocka_unit_test(status_tells_limits_only_where_there_are_any),
		cmocka_unit_test(
			status_tells_of_the_port_that_the_gateway_opened),
		cmocka_unit_test(status_and_doctor_tell_of_a_nat64),
		cmocka_unit_test(doctor_tells_how_long_packets_may_be),
		cmocka_unit_test(
			doctor_tells_of_the_port_that_the_gateway_opened),
		cmocka_unit_test(
			doctor_says_first_what_is_wrong_and_what_to_do),
		cmocka_unit_test(
			answer_without_fields_is_shown_without_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
