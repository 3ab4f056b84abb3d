/* SPDX-License-Identifier: ISC */
/* lib/sys/store: a network on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/time.h"
#include "disk_host.h"
#include "sys/store_peers.h"

/* alice (with the root key) or bob, in a network called @name. */
static void network_put(struct host *h, const char *name, bool alice)
{
	struct hp_member self = { .serial = 1,
				  .overlay = { { 10, 9, 0, 1 }, 24 } };
	struct hp_members m = { .member = &self, .n = 1 };
	struct hp_server server = { .host = "s.example.net", .port = 8888 };
	struct hp_store s;

	strcpy(self.name, "alice");
	assert_int_equal(hp_store_init(&s, &h->dirs, name, NULL), HP_OK);
	s.net = h->w->net;
	assert_int_equal(hp_network_add_server(&s.net, &server), HP_OK);
	strcpy(s.net.name, name);
	s.id = alice ? h->w->alice : h->w->bob;
	s.has_root = alice;
	s.root = h->w->root;
	assert_int_equal(hp_store_create(&s, alice ? &m : NULL, NULL), HP_OK);
}

static void store_gives_back_what_was_created(void **state)
{
	struct host *h = *state;
	struct hp_store *s;
	struct stat st;

	network_put(h, "home", true);
	assert_int_equal(stat(disk_path(h, "etc/home"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, NULL), HP_OK);
	assert_string_equal(s->name, "home");
	assert_memory_equal(&s->net.secret, &h->w->net.secret, 32);
	assert_memory_equal(&s->net.reg_public, &h->w->net.reg_public, 32);
	assert_int_equal(s->net.n_servers, 1);
	assert_true(hp_secret_eq(&s->id.key, &h->w->alice.key));
	assert_true(hp_cert_same_node(&s->id.cert, &h->w->alice.cert));
	assert_true(s->has_root && hp_secret_eq(&s->root, &h->w->root));
	assert_int_equal(s->iface.mtu, 1408);
	assert_true(s->iface.offload);
	assert_true(s->iface.beacon);
	assert_int_equal(s->iface.cipher, HP_CIPHER_AUTO);
	assert_int_equal(s->iface.engine, HP_AEAD_AUTO);
	assert_string_equal(s->iface.device, "hptun0");
	hp_store_close(s);
}

static void store_keeps_the_keys_of_the_servers(void **state)
{
	struct host *h = *state;
	struct hp_store *got = NULL;

	memset(h->w->net.pin, 0x5a, sizeof(h->w->net.pin));
	h->w->net.pin[1].b[31] = 1;
	h->w->net.n_pins = 2;
	network_put(h, "home", true);
	assert_int_equal(hp_store_open(&h->dirs, "home", &got, NULL), HP_OK);
	assert_int_equal(got->net.n_pins, 2);
	assert_memory_equal(got->net.pin, h->w->net.pin,
			    2 * sizeof(h->w->net.pin[0]));
	hp_store_close(got);
}

static void store_refuses_to_overwrite_a_network(void **state)
{
	struct host *h = *state;
	struct hp_fault f = { 0 };
	struct hp_store s;

	network_put(h, "home", false);
	assert_int_equal(hp_store_init(&s, &h->dirs, "home", NULL), HP_OK);
	s.net = h->w->net;
	s.id = h->w->alice;
	assert_int_equal(hp_store_create(&s, NULL, &f), HP_ERR_EXISTS);
	assert_true(f.cause[0] && f.remedy[0]);
}

static void store_picks_the_only_network_or_asks(void **state)
{
	struct host *h = *state;
	char name[HP_NAME_TEXT];
	char device[16];
	struct hp_fault f;

	assert_int_equal(hp_store_pick(&h->dirs, NULL, name, &f),
			 HP_ERR_UNKNOWN);
	assert_non_null(strstr(f.remedy, "hptun init"));
	network_put(h, "home", true);
	assert_int_equal(hp_store_pick(&h->dirs, NULL, name, &f), HP_OK);
	assert_int_equal(hp_store_free_device(&h->dirs, device, &f), HP_OK);
	assert_string_equal(device, "hptun1");
	network_put(h, "work", false);
	assert_int_equal(hp_store_pick(&h->dirs, NULL, name, &f),
			 HP_ERR_UNKNOWN);
	assert_non_null(strstr(f.cause, "home, work"));
	assert_int_equal(hp_store_pick(&h->dirs, "WORK", name, &f), HP_OK);
	assert_string_equal(name, "work");
	assert_int_equal(hp_store_pick(&h->dirs, "hoem", name, &f),
			 HP_ERR_UNKNOWN);
	assert_non_null(strstr(f.remedy, "home"));
	assert_int_equal(hp_store_pick(&h->dirs, "a/b", name, &f),
			 HP_ERR_FORMAT);
}

/* Opens "home"; gives the fault. */
static enum hp_err open_home(struct host *h, struct hp_fault *f)
{
	struct hp_store *s;
	enum hp_err err;

	memset(f, 0, sizeof(*f));
	err = hp_store_open(&h->dirs, "home", &s, f);
	if (!err)
		hp_store_close(s);
	return err;
}

static void store_refuses_files_that_do_not_fit(void **state)
{
	static const struct {
		const char *file;
		enum hp_err err;
	} cases[] = {
		{ "etc/home/node.key", HP_ERR_KEY },
		{ "etc/home/sign.key", HP_ERR_KEY },
		{ "etc/home/root.key", HP_ERR_KEY },
		{ "etc/home/network.secret", HP_ERR_FORMAT },
		{ "etc/home/cert", HP_ERR_FORMAT },
	};
	struct host *h = *state;
	struct hp_fault f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = disk_path(h, cases[i].file);
		char *text;
		size_t len;

		if (!i)
			network_put(h, "home", true);
		assert_int_equal(hp_file_load(path, false, &text, &len, NULL),
				 HP_OK);
		disk_write(path, cases[i].err == HP_ERR_FORMAT ? "AAA\n" :
			"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
		assert_int_equal(open_home(h, &f), cases[i].err);
		assert_true(f.cause[0] && f.remedy[0]);
		if (strcmp(cases[i].file, "etc/home/root.key")) {
			assert_int_equal(unlink(path), 0);
			assert_int_equal(open_home(h, &f), HP_ERR_UNKNOWN);
		}
		disk_write(path, text);
		hp_file_free(text, len);
		assert_int_equal(open_home(h, &f), HP_OK);
		if (strcmp(cases[i].file, "etc/home/cert")) {
			assert_int_equal(chmod(path, 0644), 0);
			assert_int_equal(open_home(h, &f), HP_ERR_DENIED);
			assert_int_equal(chmod(path, 0600), 0);
		}
	}
}

#define MIDDLE "\nRendezvous = s\n[Interface]\nName = alice\n" \
	       "Address = 10.9.0.1/24\n"

static void conf_put(struct host *h, const char *name, const char *tail)
{
	char text[2048];
	char id[HP_KEY_TEXT];

	snprintf(text, sizeof(text), "[Network]\nName = %s\nId = %s%s%s", name,
		 hp_public_text(&h->w->net.id, id), MIDDLE, tail);
	disk_write(disk_path(h, "etc/home/network.conf"), text);
}

static void store_conf_mistakes_name_file_line_and_column(void **state)
{
	static const struct {
		const char *tail;
		const char *where;
	} cases[] = {
		{ "MTU = 1279\n", "conf:8:7:" },
		{ "Offload = maybe\n", "conf:8:11:" },
		{ "Beacon = maybe\n", "conf:8:10:" },
		{ "Threads = 0\n", "conf:8:11:" },
		{ "Threads = 17\n", "conf:8:11:" },
		{ "Threads = many\n", "conf:8:11:" },
		{ "AllowRelay = maybe\n", "conf:8:14:" },
		{ "AllowRelay = 20T\n", "conf:8:14:" },
		{ "Cipher = aes\n", "conf:8:10:" },
		{ "Crypto = openssl\n", "conf:8:10:" },
		{ "Device = a/b\n", "conf:8:10:" },
		{ "ControlGroup = a:b\n", "conf:8:16:" },
		{ "ListenPort = 70000", "conf:8:14:" },
		{ "Methods = all, -birtday", "conf:8:16:" },
		{ "Interfaces = eth*, a b", "conf:8:20:" },
		{ "Exclude = a/b", "conf:8:11:" },
		{ "Exclude = 0123456789012345678901234567890123", "conf:8:11:" },
		{ "Methods = ,", "conf:8:11:" },
		{ "Methods = predict, ipv6", "conf: " },
		{ "Methods = -all", "conf: " },
		{ "Adress = 10.9.0.1/24", "conf:8:1:" },
		{ "[Peer]\nPublicKey = x", "conf:9:13:" },
		{ "[Peer]\nEndpoint = a", "conf:9:12:" },
		{ "[Peer]\nEndpoint = 2001:db8::1", "conf:9:12:" },
		{ "[Peer]\nAllowedIPs = 10.0.0.0/8, x", "conf:9:26:" },
		{ "[Peer]\nPresharedKey = x", "conf:9:16:" },
		{ "[Peer]\nPersistentKeepalive = never", "conf:9:23:" },
		{ "[Peer]\nAllowedIPs = ::/0", "conf:8:1:" },
	};
	struct host *h = *state;
	struct hp_store *s;
	struct hp_fault f;

	network_put(h, "home", true);
	conf_put(h, "home", "");
	assert_int_equal(open_home(h, &f), HP_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		conf_put(h, "home", cases[i].tail);
		if (open_home(h, &f) != HP_ERR_FORMAT ||
		    !strstr(f.cause, cases[i].where) || !f.remedy[0])
			fail_msg("%zu: %s", i, f.cause);
	}
	conf_put(h, "home", "Offload = no\nBeacon = no\nCipher = AES256GCM\n"
			    "Crypto = libsodium\nThreads = 16\n"
			    "AllowRelay = 20M\n");
	assert_int_equal(hp_store_open(&h->dirs, "home", &s, &f), HP_OK);
	assert_true(s->iface.allow_relay);
	assert_int_equal(s->iface.relay_rate, 2500000);
	assert_false(s->iface.offload);
	assert_false(s->iface.beacon);
	assert_int_equal(s->iface.cipher, HP_CIPHER_AES);
	assert_int_equal(s->iface.engine, HP_AEAD_SODIUM);
	assert_int_equal(s->iface.threads, 16);
	hp_store_close(s);
	conf_put(h, "home", "Threads = Auto\n");
	assert_int_equal(hp_store_open(&h->dirs, "home", &s, &f), HP_OK);
	assert_int_equal(s->iface.threads, 0);
	hp_store_close(s);
	conf_put(h, "work", "");
	assert_int_equal(open_home(h, &f), HP_ERR_FORMAT);
	assert_true(f.cause[0] && f.remedy[0]);
}

static void store_reads_interface_patterns(void **state)
{
	char many[HP_IFPATTERNS_MAX * 6 + 64] = "Exclude = ";
	struct host *h = *state;
	struct hp_store *s;
	struct hp_fault f;

	network_put(h, "home", true);
	conf_put(h, "home", "Interfaces = en*, wlan0\n"
			    "Interfaces = eth[01]\nExclude = enp3s0\n");
	assert_int_equal(hp_store_open(&h->dirs, "home", &s, &f), HP_OK);
	assert_int_equal(s->iface.interfaces.n, 3);
	assert_string_equal(s->iface.interfaces.text[0], "en*");
	assert_string_equal(s->iface.interfaces.text[2], "eth[01]");
	assert_int_equal(s->iface.exclude.n, 1);
	assert_string_equal(s->iface.exclude.text[0], "enp3s0");
	hp_store_close(s);
	for (int i = 0; i <= HP_IFPATTERNS_MAX; i++)
		strcat(many, i ? ", e*" : "e*");
	conf_put(h, "home", many);
	assert_int_equal(open_home(h, &f), HP_ERR_FULL);
	assert_true(f.cause[0] && f.remedy[0]);
}

static void store_reads_methods_in_the_order_written(void **state)
{
	static const struct {
		const char *tail;
		uint32_t methods;
	} cases[] = {
		{ "", HP_METHODS_ALL },
		{ "Methods = all", HP_METHODS_ALL },
		{ "Methods = all, -birthday",
		  HP_METHODS_ALL & ~(uint32_t)HP_METHOD_BIRTHDAY },
		{ "Methods = -birthday\nMethods = -IPv6",
		  HP_METHODS_ALL & ~(uint32_t)(HP_METHOD_BIRTHDAY |
					       HP_METHOD_IPV6) },
		{ "Methods = relay", HP_METHOD_RELAY },
		{ "Methods = host, low-ttl, -host, relay",
		  HP_METHOD_LOW_TTL | HP_METHOD_RELAY },
	};
	struct host *h = *state;
	struct hp_store *s;

	network_put(h, "home", true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hp_fault f = { 0 };

		conf_put(h, "home", cases[i].tail);
		if (hp_store_open(&h->dirs, "home", &s, &f) != HP_OK)
			fail_msg("%zu: %s", i, f.cause);
		assert_int_equal(s->iface.methods, cases[i].methods);
		hp_store_close(s);
	}
}

static void store_reads_stock_peers_and_guards_their_secrets(void **state)
{
	static const char tail[] =
		"[Peer]\n"
		"PublicKey = kdcMJ2tx/xAeZVSIfAMsncpxIla9Tku3ClcQHkk8VGI=\n"
		"AllowedIPs = 10.10.0.0/16, fd00::/64\n"
		"AllowedIPs = 10.11.0.1\n"
		"Endpoint = [2001:db8::1]:51820\n"
		"PersistentKeepalive = 25\n"
		"[Peer]\n"
		"PublicKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
		"PresharedKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
		"PersistentKeepalive = off\n";
	struct host *h = *state;
	struct hp_store *s;
	struct hp_fault f;

	network_put(h, "home", true);
	conf_put(h, "home", tail);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, &f), HP_OK);
	assert_int_equal(s->n_peers, 2);
	assert_int_equal(s->peer[0].n_allowed, 3);
	assert_int_equal(s->peer[0].allowed[2].bits, 32);
	assert_string_equal(s->peer[0].endpoint.host, "2001:db8::1");
	assert_int_equal(s->peer[0].endpoint.port, 51820);
	assert_int_equal(s->peer[0].keepalive_s, 25);
	assert_true(s->peer[1].has_psk && !s->peer[1].has_endpoint);
	hp_store_close(s);
	assert_int_equal(chmod(disk_path(h, "etc/home/network.conf"), 0644), 0);
	assert_int_equal(open_home(h, &f), HP_ERR_DENIED);
}

/* Sections as people write them; what is cut is what was found. */
static void peer_section_ends_with_its_last_setting(void **state)
{
	static const char text[] =
		"[Network]\nName = a\n"
		"# one\n  [peer] # hers\nPublicKey = x\n# in\nMTU = 1\n\n"
		"# two\n[Peer]\nPublicKey = y\n"
		"# [Peer]\n[Interface]\nName = b\n[PEER]";
	static const char *const want[] = {
		"  [peer] # hers\nPublicKey = x\n# in\nMTU = 1\n",
		"[Peer]\nPublicKey = y\n",
		"[PEER]",
	};
	size_t start, end;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(hp_peer_section(text, i, &start, &end), HP_OK);
		assert_int_equal(end - start, strlen(want[i]));
		assert_memory_equal(text + start, want[i], end - start);
	}
	assert_int_equal(hp_peer_section(text, 3, &start, &end),
			 HP_ERR_UNKNOWN);
	assert_int_equal(hp_peer_section("", 0, &start, &end),
			 HP_ERR_UNKNOWN);
}

static void stock_peer_is_read_as_it_was_written_and_leaves_no_trace(
	void **state)
{
	struct host *h = *state;
	struct hp_stock_peer peer = { .name = "phone", .has_psk = true,
				      .keepalive_s = 25,
				      .has_endpoint = true };
	char *before, *after;
	struct hp_store *s;
	size_t n, m;

	memset(peer.key.b, 7, sizeof(peer.key.b));
	memset(peer.psk.b, 8, sizeof(peer.psk.b));
	assert_int_equal(hp_server_parse("p.example.net:7", &peer.endpoint,
					 NULL), HP_OK);
	while (peer.n_allowed < HP_STORE_ALLOWED_MAX) {
		struct hp_prefix p = { .family = HP_AF_6, .bits = 128 };

		memset(p.ip, 0xf0 + (int)peer.n_allowed % 8, sizeof(p.ip));
		p.ip[0] = (uint8_t)peer.n_allowed;
		assert_int_equal(hp_stock_peer_allow(&peer, &p, NULL), HP_OK);
	}
	assert_int_equal(hp_stock_peer_allow(&peer, &peer.allowed[0], NULL),
			 HP_ERR_FULL);
	network_put(h, "home", true);
	assert_int_equal(hp_file_load(disk_path(h, "etc/home/network.conf"),
				      false, &before, &n, NULL), HP_OK);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, NULL), HP_OK);
	assert_null(hp_store_peer_find(s, "phone"));
	assert_int_equal(hp_store_peer_add(s, &peer, NULL), HP_OK);
	hp_store_close(s);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, NULL), HP_OK);
	assert_int_equal(s->n_peers, 1);
	assert_memory_equal(&s->peer[0], &peer, sizeof(peer));
	assert_ptr_equal(hp_store_peer_find(s, "Phone"), &s->peer[0]);
	assert_ptr_equal(hp_store_peer_at(s, &peer.allowed[31]), &s->peer[0]);
	assert_int_equal(hp_store_peer_remove(s, &s->peer[0], NULL), HP_OK);
	assert_int_equal(hp_store_peer_remove(s, &s->peer[0], NULL),
			 HP_ERR_UNKNOWN);
	hp_store_close(s);
	assert_int_equal(hp_file_load(disk_path(h, "etc/home/network.conf"),
				      false, &after, &m, NULL), HP_OK);
	assert_int_equal(n, m);
	assert_memory_equal(before, after, n);
	hp_file_free(before, n);
	hp_file_free(after, m);
}

static void store_keeps_pins_revocations_and_the_better_cert(void **state)
{
	struct host *h = *state;
	uint8_t list[HP_REVOKED_WIRE_MAX];
	struct hp_judge *j;
	struct hp_store *s;
	struct hp_cert cert;
	uint32_t serial = 4;
	size_t len;

	network_put(h, "home", false);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, NULL), HP_OK);
	assert_int_equal(hp_store_judge(s, &j, NULL), HP_OK);
	assert_int_equal(hp_judge_pin_count(j), 1); /* ourselves */
	assert_int_equal(hp_judge_check(j, &h->w->alice.cert, 5, NULL), HP_OK);
	assert_int_equal(hp_revoked_make(&h->w->root, 1, &serial, 1, list,
					 &len), HP_OK);
	assert_int_equal(hp_store_save_revoked(s, j, NULL), HP_OK);
	assert_int_equal(hp_judge_revoke(j, list, len), HP_OK);
	assert_int_equal(hp_store_save_pins(s, j, NULL), HP_OK);
	assert_int_equal(hp_store_save_revoked(s, j, NULL), HP_OK);
	hp_judge_free(j);
	assert_int_equal(hp_store_judge(s, &j, NULL), HP_OK);
	assert_int_equal(hp_judge_pin_count(j), 2);
	assert_true(hp_judge_is_revoked(j, 4));
	hp_judge_free(j);

	hp_cert_issue(&h->w->root, &s->id.cert, &cert);
	assert_int_equal(hp_store_save_cert(s, &cert, NULL), HP_OK);
	hp_store_close(s);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, NULL), HP_OK);
	assert_int_equal(s->id.cert.kind, HP_CERT_PERMANENT);
	/* That of somebody else does not help. */
	assert_int_equal(hp_store_save_cert(s, &h->w->alice.cert, NULL),
			 HP_OK);
	hp_store_close(s);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, NULL), HP_OK);
	assert_int_equal(s->id.cert.kind, HP_CERT_GRANTED);
	hp_store_close(s);
}

static void store_takes_damaged_memory_for_an_error(void **state)
{
	struct host *h = *state;
	struct hp_judge *j;
	struct hp_store *s;
	struct hp_fault f = { 0 };

	network_put(h, "home", false);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, NULL), HP_OK);
	assert_int_equal(hp_dir_make(s->state, NULL), HP_OK);
	disk_write(disk_path(h, "var/home/pins"), "# ok\nalice 1 what\n");
	assert_int_equal(hp_store_judge(s, &j, &f), HP_ERR_FORMAT);
	assert_non_null(strstr(f.cause, "pins:2:1:"));
	disk_write(disk_path(h, "var/home/pins"), "");
	disk_write(disk_path(h, "var/home/revoked"), "what");
	assert_int_equal(hp_store_judge(s, &j, &f), HP_ERR_FORMAT);
	assert_non_null(strstr(f.remedy, "delete it"));
	hp_store_close(s);
}

static void members_file_round_trips_and_rejects_damage(void **state)
{
	static const char *const bad[] = {
		"bob 2 10.9.0.2/24 5\n", "bob 2 10.9.0.2/24 5 invited x\n",
		"bob 2 10.9.0.2/24 5 guest\n", "bob x 10.9.0.2/24 5 invited\n",
		"bob 4294967296 10.9.0.2/24 5 invited\n",
		"bob 2 10.9.0.2/24 -5 invited\n",
		"9bob 2 10.9.0.2/24 5 invited\n", "revocations x\n",
		"bob 2 10.9.0.0/24 5 invited\n",
	};
	struct host *h = *state;
	struct hp_member bob = { .serial = 2, .until_s = 5, .revoked = true,
				 .overlay = { { 10, 9, 0, 2 }, 24 } };
	struct hp_members m;
	struct hp_store *s;
	struct hp_fault f;

	strcpy(bob.name, "bob");
	network_put(h, "home", true);
	assert_int_equal(hp_store_open(&h->dirs, NULL, &s, NULL), HP_OK);
	assert_int_equal(hp_members_load(s, &m, NULL), HP_OK);
	assert_int_equal(hp_members_add(&m, &bob), HP_OK);
	m.number = 7;
	assert_int_equal(hp_members_save(s->config, &m, NULL), HP_OK);
	hp_members_free(&m);
	assert_int_equal(hp_members_load(s, &m, NULL), HP_OK);
	assert_int_equal(m.n, 2);
	assert_int_equal(m.number, 7);
	assert_memory_equal(&m.member[1], &bob, sizeof(bob));
	assert_int_equal(hp_members_serial(&m), 3);
	assert_ptr_equal(hp_members_find(&m, "bob"), &m.member[1]);
	assert_null(hp_members_find(&m, "carol"));
	hp_members_free(&m);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&f, 0, sizeof(f));
		disk_write(disk_path(h, "etc/home/members"), bad[i]);
		assert_int_equal(hp_members_load(s, &m, &f), HP_ERR_FORMAT);
		assert_non_null(strstr(f.cause, "members:1:1:"));
	}
	s->has_root = false;
	assert_int_equal(hp_members_load(s, &m, &f), HP_ERR_DENIED);
	hp_store_close(s);
}

static void free_address_is_the_lowest_and_ends(void **state)
{
	struct hp_store s = { 0 };
	struct hp_members m = { 0 };
	struct hp_overlay got;

	(void)state;
	s.id.cert.grant.overlay =
		(struct hp_overlay){ { 10, 9, 0, 1 }, 29 }; /* .1 to .6 */
	for (unsigned int i = 1; i <= 6; i++) {
		struct hp_member one = { .serial = i };

		assert_int_equal(hp_members_free_address(&m, &s, &got),
				 HP_OK);
		assert_int_equal(got.ip[3], i);
		assert_int_equal(got.bits, 29);
		snprintf(one.name, sizeof(one.name), "n%u", i);
		one.overlay = got;
		assert_int_equal(hp_members_add(&m, &one), HP_OK);
	}
	assert_int_equal(hp_members_free_address(&m, &s, &got),
			 HP_ERR_FULL);
	m.member[3].revoked = true;
	assert_int_equal(hp_members_free_address(&m, &s, &got), HP_OK);
	assert_int_equal(got.ip[3], 4);
	hp_members_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(store_gives_back_what_was_created),
		ON_HOST(store_keeps_the_keys_of_the_servers),
		ON_HOST(store_refuses_to_overwrite_a_network),
		ON_HOST(store_picks_the_only_network_or_asks),
		ON_HOST(store_refuses_files_that_do_not_fit),
		ON_HOST(store_conf_mistakes_name_file_line_and_column),
		ON_HOST(store_reads_interface_patterns),
		ON_HOST(store_reads_methods_in_the_order_written),
		ON_HOST(store_reads_stock_peers_and_guards_their_secrets),
		cmocka_unit_test(peer_section_ends_with_its_last_setting),
		ON_HOST(stock_peer_is_read_as_it_was_written_and_leaves_no_trace),
		ON_HOST(store_keeps_pins_revocations_and_the_better_cert),
		ON_HOST(store_takes_damaged_memory_for_an_error),
		ON_HOST(members_file_round_trips_and_rejects_damage),
		ON_HOST(free_address_is_the_lowest_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
