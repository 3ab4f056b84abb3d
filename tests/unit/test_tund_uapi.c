/* SPDX-License-Identifier: ISC */
/* tund/uapi: requests line by line, every mistake, and the answer to get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "../../tund/uapi.h"
#include "base/crypto.h"
#include "base/time.h"
#include "wg/device.h"

#define HEX8 "0123456789abcdef"
#define HEX64 HEX8 HEX8 HEX8 HEX8
#define ZERO64                                                       \
	"00000000000000000000000000000000000000000000000000000000" \
	"00000000"

/* Feeds @text, lines ended by '\n'. */
static void feed(struct uapi_request *r, const char *text)
{
	char line[UAPI_LINE_MAX + 1];
	const char *end;

	*r = (struct uapi_request){ 0 };
	for (; *text; text = end + 1) {
		end = strchr(text, '\n');
		assert_non_null(end);
		memcpy(line, text, (size_t)(end - text));
		line[end - text] = '\0';
		uapi_line(r, line, (size_t)(end - text));
	}
}

static int error_of(const char *text)
{
	struct uapi_request r;
	int error;

	feed(&r, text);
	error = r.error;
	uapi_request_reset(&r);
	assert_null(r.items);
	assert_int_equal(r.op, UAPI_NONE);
	return error;
}

static void a_whole_request_becomes_its_items(void **state)
{
	static const enum uapi_key keys[] = {
		UAPI_PRIVATE_KEY, UAPI_LISTEN_PORT, UAPI_FWMARK,
		UAPI_REPLACE_PEERS, UAPI_PUBLIC_KEY, UAPI_UPDATE_ONLY,
		UAPI_PRESHARED_KEY, UAPI_ENDPOINT, UAPI_KEEPALIVE,
		UAPI_REPLACE_ALLOWED_IPS, UAPI_ALLOWED_IP, UAPI_DISALLOWED_IP,
		UAPI_PROTOCOL_VERSION, UAPI_PUBLIC_KEY, UAPI_REMOVE,
	};
	struct uapi_request r;
	char text[HP_PREFIX_TEXT];
	size_t i;

	(void)state;
	feed(&r, "set=1\nprivate_key=" HEX64 "\nlisten_port=51820\n"
		 "fwmark=0xca6c\nreplace_peers=true\npublic_key=" HEX64
		 "\nupdate_only=true\npreshared_key=" ZERO64
		 "\nendpoint=[2001:db8::1]:9\n"
		 "persistent_keepalive_interval=25\n"
		 "replace_allowed_ips=true\nallowed_ip=10.9.0.7/24\n"
		 "allowed_ip=-fd00::/8\nprotocol_version=1\npublic_key="
		 HEX64 "\nremove=true\n");
	assert_int_equal(r.error, 0);
	assert_int_equal(r.op, UAPI_SET);
	assert_int_equal(r.n, sizeof(keys) / sizeof(keys[0]));
	for (i = 0; i < r.n; i++)
		assert_int_equal(r.items[i].key, keys[i]);
	assert_int_equal(r.items[0].secret.b[1], 0x23);
	assert_int_equal(r.items[1].number, 51820);
	assert_int_equal(r.items[2].number, 0xca6c);
	assert_int_equal(r.items[7].addr.port, 9);
	assert_int_equal(r.items[8].number, 25);
	assert_string_equal(hp_prefix_text(&r.items[10].prefix, text),
			    "10.9.0.0/24");
	assert_string_equal(hp_prefix_text(&r.items[11].prefix, text),
			    "fd00::/8");
	uapi_request_reset(&r);
}

static void get_is_one_line(void **state)
{
	struct uapi_request r;

	(void)state;
	feed(&r, "get=1\n");
	assert_int_equal(r.error, 0);
	assert_int_equal(r.op, UAPI_GET);
	uapi_request_reset(&r);
	assert_int_equal(error_of("get=1\nlisten_port=1\n"), -EPROTO);
}

static void every_bad_line_has_its_errno(void **state)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {
		{ "set=2\n", -EPROTO },
		{ "get=0\n", -EPROTO },
		{ "hello\n", -EPROTO },
		{ "=\n", -EPROTO },
		{ "listen_port=1\n", -EPROTO },
		{ "set=1\nlisten_port\n", -EPROTO },
		{ "set=1\n=1\n", -EINVAL },
		{ "set=1\ncolour=blue\n", -EINVAL },
		{ "set=1\nset=1\n", -EINVAL },
		{ "set=1\nListen_port=1\n", -EINVAL },
		{ "set=1\nlisten_port=\n", -EINVAL },
		{ "set=1\nlisten_port=65536\n", -EINVAL },
		{ "set=1\nlisten_port=-1\n", -EINVAL },
		{ "set=1\nlisten_port=+1\n", -EINVAL },
		{ "set=1\nlisten_port= 1\n", -EINVAL },
		{ "set=1\nlisten_port=1 \n", -EINVAL },
		{ "set=1\nlisten_port=99999999999999999999\n", -EINVAL },
		{ "set=1\nfwmark=4294967296\n", -EINVAL },
		{ "set=1\nfwmark=0x\n", -EINVAL },
		{ "set=1\nfwmark=0x1ffffffff\n", -EINVAL },
		{ "set=1\nfwmark=ff\n", -EINVAL },
		{ "set=1\nreplace_peers=false\n", -EINVAL },
		{ "set=1\nprivate_key=\n", -EINVAL },
		{ "set=1\nprivate_key=" HEX64 "0\n", -EINVAL },
		{ "set=1\nprivate_key=g" HEX8 HEX8 HEX8 "0123456789abcde\n",
		  -EINVAL },
		{ "set=1\nprivate_key=" HEX8 "\n", -EINVAL },
		{ "set=1\npublic_key=" HEX8 HEX8 HEX8 "0123456789abcde\n",
		  -EINVAL },
		/* of a peer, before any peer */
		{ "set=1\nremove=true\n", -EINVAL },
		{ "set=1\nallowed_ip=10.0.0.0/8\n", -EINVAL },
		{ "set=1\nprotocol_version=1\n", -EINVAL },
		/* of the interface, behind a peer */
		{ "set=1\npublic_key=" HEX64 "\nlisten_port=1\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nprivate_key=" HEX64 "\n",
		  -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nremove=yes\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nupdate_only=1\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nreplace_allowed_ips=\n",
		  -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\npreshared_key=0\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nprotocol_version=2\n",
		  -EINVAL },
		{ "set=1\npublic_key=" HEX64
		  "\npersistent_keepalive_interval=65536\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64
		  "\npersistent_keepalive_interval=off\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nendpoint=192.0.2.1\n",
		  -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nendpoint=192.0.2.1:0\n",
		  -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nendpoint=host:1\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nendpoint=[::1%nix0]:1\n",
		  -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nendpoint=\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nallowed_ip=10.0.0.0/33\n",
		  -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nallowed_ip=--10.0.0.0/8\n",
		  -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nallowed_ip=-\n", -EINVAL },
		{ "set=1\npublic_key=" HEX64 "\nallowed_ip=10.0.0.0/\n",
		  -EINVAL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (error_of(rows[i].text) != rows[i].error)
			fail_msg("row %zu: %s gave %d", i, rows[i].text,
				 error_of(rows[i].text));
}

static void the_first_mistake_is_the_one_reported(void **state)
{
	(void)state;
	assert_int_equal(error_of("set=1\nlisten_port=x\nnonsense\n"),
			 -EINVAL);
	assert_int_equal(error_of("set=1\nnonsense\nlisten_port=x\n"),
			 -EPROTO);
}

static void a_nul_within_a_line_is_a_mistake(void **state)
{
	char line[] = "set=1\0=2";
	struct uapi_request r = { 0 };

	(void)state;
	uapi_line(&r, line, sizeof(line) - 1);
	assert_int_equal(r.error, -EPROTO);
	uapi_request_reset(&r);
}

/* Every prefix of a good request: accepted or refused, never more. */
static void a_request_cut_anywhere_is_harmless(void **state)
{
	static const char good[] = "set=1\nfwmark=0\npublic_key=" HEX64
				   "\nendpoint=192.0.2.1:9\n"
				   "allowed_ip=10.9.0.0/24\n";
	char part[sizeof(good) + 1];
	size_t len;

	(void)state;
	for (len = 1; len < sizeof(good); len++) {
		memcpy(part, good, len);
		part[len] = '\n';
		part[len + 1] = '\0';
		if (part[len - 1] == '\n')
			part[len] = '\0';
		(void)error_of(part);
	}
	assert_int_equal(error_of(good), 0);
}

static void a_request_has_a_limit(void **state)
{
	struct uapi_request r;
	char line[64];
	size_t i;

	(void)state;
	feed(&r, "set=1\npublic_key=" HEX64 "\n");
	for (i = 1; i < UAPI_ITEMS_MAX; i++) {
		strcpy(line, "allowed_ip=10.0.0.0/8");
		uapi_line(&r, line, strlen(line));
	}
	assert_int_equal(r.error, 0);
	strcpy(line, "allowed_ip=10.0.0.0/8");
	uapi_line(&r, line, strlen(line));
	assert_int_equal(r.error, -E2BIG);
	assert_int_equal(r.n, UAPI_ITEMS_MAX);
	uapi_request_reset(&r);
}

/* ---- get ----------------------------------------------------------------- */

static void no_send(void *ctx, struct hp_wg_peer *peer,
		    const struct hp_path *path, struct hp_pkt *pkt)
{
	(void)ctx;
	(void)peer;
	(void)path;
	(void)pkt;
}

static void no_deliver(void *ctx, struct hp_wg_peer *peer, struct hp_pkt *p)
{
	(void)ctx;
	(void)peer;
	(void)p;
}

static void no_event(void *ctx, struct hp_wg_peer *peer, enum hp_wg_event ev)
{
	(void)ctx;
	(void)peer;
	(void)ev;
}

static void no_timestamp(void *ctx, uint8_t out[12])
{
	(void)ctx;
	memset(out, 0, 12);
}

static void get_tells_all_of_an_interface(void **state)
{
	static const struct hp_wg_ops ops = { no_send, no_deliver, no_event,
					      no_timestamp };
	struct hp_secret key = { { 0 } };
	struct hp_path path = { .remote = hp_addr4(192, 0, 2, 1, 51820) };
	struct hp_rng_seeded seeded;
	struct hp_wg_cfg cfg = { .ops = &ops };
	struct hp_public public = { { 9, 1, 2 } };
	struct hp_wg_peer *peer;
	struct hp_prefix prefix;
	struct hp_rng rng;
	struct hp_wg *wg;
	char *text;
	size_t len;
	FILE *out;

	(void)state;
	assert_int_equal(hp_crypto_init(), HP_OK);
	hp_rng_seeded_init(&seeded, 1, &rng);
	cfg.rng = &rng;
	wg = hp_wg_new(&cfg);
	assert_non_null(wg);
	key.b[1] = 0xab;
	key.b[31] = 0x40;
	hp_wg_set_private(wg, &key);
	assert_int_equal(hp_wg_peer_add(wg, &public, &peer), HP_OK);
	key.b[0] = 0x5a;
	hp_wg_peer_set_psk(peer, &key);
	assert_int_equal(hp_prefix_parse("10.9.0.2", &prefix, NULL), HP_OK);
	assert_int_equal(hp_wg_peer_allow(peer, &prefix), HP_OK);
	assert_int_equal(hp_wg_peer_set_path(peer, &path, HP_S), HP_OK);
	hp_wg_peer_set_keepalive(peer, 25, HP_S);
	out = open_memstream(&text, &len);
	assert_non_null(out);
	uapi_print(out, wg, 51821, 0x10, 2 * HP_S, 100 * HP_S);
	fclose(out);
	assert_non_null(strstr(text, "private_key=00ab0000"));
	assert_non_null(strstr(text, "\nlisten_port=51821\nfwmark=16\n"
				     "public_key=09010200"));
	assert_non_null(strstr(text, "\npreshared_key=5aab0000"));
	assert_non_null(strstr(text, "\nprotocol_version=1\n"
				     "endpoint=192.0.2.1:51820\n"
				     "last_handshake_time_sec=0\n"
				     "last_handshake_time_nsec=0\n"));
	assert_non_null(strstr(text, "\npersistent_keepalive_interval=25\n"
				     "allowed_ip=10.9.0.2/32\n"));
	free(text);
	hp_wg_free(wg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_request_becomes_its_items),
		cmocka_unit_test(get_is_one_line),
		cmocka_unit_test(every_bad_line_has_its_errno),
		cmocka_unit_test(the_first_mistake_is_the_one_reported),
		cmocka_unit_test(a_nul_within_a_line_is_a_mistake),
		cmocka_unit_test(a_request_cut_anywhere_is_harmless),
		cmocka_unit_test(a_request_has_a_limit),
		cmocka_unit_test(get_tells_all_of_an_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
