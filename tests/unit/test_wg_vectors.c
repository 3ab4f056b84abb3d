/* SPDX-License-Identifier: ISC */
/*
 * lib/wg against vectors that others made: the Noise test vector of IKpsk2,
 * and captures of real WireGuard traffic with its keys. They are looked for in
 * the folder named by HPTUN_VECTORS, or in ../shared/vectors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/time.h"
#include "wg/noise.h"
#include "wg/peer.h"

#define BOTH (HP_SUITE_BIT(HP_SUITE_CHACHA) | HP_SUITE_BIT(HP_SUITE_AES))

static const char *vector_path(const char *name)
{
	static char path[512];
	const char *dir = getenv("HPTUN_VECTORS");

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "../shared/vectors",
		 name);
	return path;
}

/* A skip that says what is missing; tests/run-unit shows it. */
static void skip_without(const char *name)
{
	print_message("skipped: no file %s (HPTUN_VECTORS names its folder)\n",
		      vector_path(name));
	skip();
}

/* ---- Noise -------------------------------------------------------------- */

static size_t hex(const json_t *j, uint8_t *out, size_t cap)
{
	const char *s = json_string_value(j);
	size_t n;

	assert_non_null(s);
	n = strlen(s) / 2;
	assert_true(n <= cap);
	for (size_t i = 0; i < n; i++) {
		unsigned int v;

		assert_int_equal(sscanf(s + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

static void hex_key(const json_t *j, struct hp_secret *out)
{
	assert_int_equal(hex(j, out->b, sizeof(out->b)), sizeof(out->b));
}

struct noise_party {
	struct hp_noise_local local;
	struct hp_noise_remote remote;
	struct hp_secret ephemeral;
	struct hp_session_keys keys;
};

static void party_read(const json_t *j, const char *role, struct noise_party *p)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_static", role);
	hex_key(json_object_get(j, name), &p->local.secret);
	hp_dh_public(&p->local.secret, &p->local.public);
	snprintf(name, sizeof(name), "%s_ephemeral", role);
	hex_key(json_object_get(j, name), &p->ephemeral);
	snprintf(name, sizeof(name), "%s_psks", role);
	hex_key(json_array_get(json_object_get(j, name), 0), &p->remote.psk);
}

static size_t message(const json_t *j, size_t i, const char *what, uint8_t *out)
{
	const json_t *m = json_array_get(json_object_get(j, "messages"), i);

	return hex(json_object_get(m, what), out, 256);
}

static void noise_handshake(const json_t *j, struct noise_party *a,
			    struct noise_party *b)
{
	uint8_t text[256], want[256], got[256], prologue[64], heard[256];
	size_t n = message(j, 0, "payload", text);
	size_t wire = message(j, 0, "ciphertext", want);
	size_t prologue_len = hex(json_object_get(j, "init_prologue"),
				  prologue, sizeof(prologue));
	struct hp_noise first, second;
	struct hp_public who;

	assert_int_equal(hp_noise_write_first(
		&first, HP_SUITE_CHACHA, prologue, prologue_len, &a->local,
		&a->remote, &a->ephemeral, got, got + 32, text, n, got + 80), HP_OK);
	assert_int_equal(wire, 80 + n + HP_TAG_LEN);
	assert_memory_equal(got, want, wire);
	assert_int_equal(hp_noise_read_first(&second, BOTH, prologue,
					     prologue_len, &b->local, want, want + 32, &who),
			 HP_OK);
	assert_memory_equal(&who, &a->local.public, sizeof(who));
	assert_int_equal(hp_noise_read_payload(&second, &b->remote, want + 80,
					       wire - 80, heard), HP_OK);
	assert_memory_equal(heard, text, n);

	n = message(j, 1, "payload", text);
	wire = message(j, 1, "ciphertext", want);
	assert_int_equal(hp_noise_write_second(&second, &b->remote,
					       &b->ephemeral, got, text, n,
					       got + 32, &b->keys), HP_OK);
	assert_int_equal(wire, 32 + n + HP_TAG_LEN);
	assert_memory_equal(got, want, wire);
	assert_int_equal(hp_noise_read_second(&first, &a->local, &a->remote,
					      want, want + 32, wire - 32, heard,
					      &a->keys), HP_OK);
	assert_memory_equal(heard, text, n);
}

static void noise_ikpsk2_vector_is_reproduced(void **state)
{
	json_t *j = json_load_file(vector_path("noise_ikpsk2.json"), 0, NULL);
	uint8_t text[256], want[256], got[256];
	struct noise_party a, b;
	struct hp_public rs;

	(void)state;
	if (!j)
		skip_without("noise_ikpsk2.json");
	party_read(j, "init", &a);
	party_read(j, "resp", &b);
	a.remote.public = b.local.public;
	b.remote.public = a.local.public;
	hex(json_object_get(j, "init_remote_static"), rs.b, sizeof(rs.b));
	assert_memory_equal(&rs, &b.local.public, sizeof(rs));
	assert_int_equal(hp_dh(&a.local.secret, &b.local.public, &a.remote.ss),
			 HP_OK);
	assert_int_equal(hp_dh(&b.local.secret, &a.local.public, &b.remote.ss),
			 HP_OK);
	noise_handshake(j, &a, &b);
	assert_memory_equal(&a.keys.send, &b.keys.recv, sizeof(a.keys.send));
	assert_memory_equal(&a.keys.recv, &b.keys.send, sizeof(a.keys.send));
	for (size_t i = 2; i < 6; i++) {
		const struct hp_secret *key = i % 2 ? &b.keys.send :
						      &a.keys.send;
		size_t n = message(j, i, "payload", text);
		size_t wire = message(j, i, "ciphertext", want);

		hp_chapoly_seal(key, (i - 2) / 2, NULL, 0, text, n, got);
		assert_int_equal(wire, n + HP_TAG_LEN);
		assert_memory_equal(got, want, wire);
	}
	json_decref(j);
}

/* ---- captures ----------------------------------------------------------- */

#define FRAMES 64
#define PARTIES 4

struct frame {
	uint64_t at_ns;
	size_t len;
	uint8_t bytes[2048];
};

/* One end of one captured handshake, with the dice loaded. */
struct end {
	struct hp_wg *wg;
	struct hp_wg_peer *peer;
	struct hp_rng rng;
	uint8_t dice[36];	/* index and ephemeral key */
	size_t used;
	unsigned int draws;
	uint8_t timestamp[12];
	uint8_t sent[256];
	size_t sent_len;
	unsigned int delivered;
};

static void loaded_fill(void *ctx, void *buf, size_t len)
{
	struct end *e = ctx;

	/* What comes after the two draws that matter only has to differ. */
	memset(buf, (int)++e->draws, len);
	if (e->used + len <= sizeof(e->dice)) {
		memcpy(buf, e->dice + e->used, len);
		e->used += len;
	}
}

static void end_send(void *ctx, struct hp_wg_peer *peer,
		     const struct hp_path *path, struct hp_pkt *pkt)
{
	struct end *e = ctx;

	(void)peer;
	(void)path;
	/* Only the first message of each end was captured as well. */
	if (e->sent_len)
		return;
	assert_true(pkt->len <= sizeof(e->sent));
	memcpy(e->sent, pkt->data, pkt->len);
	e->sent_len = pkt->len;
}

static void end_deliver(void *ctx, struct hp_wg_peer *peer,
			struct hp_pkt *inner)
{
	struct end *e = ctx;

	(void)peer;
	assert_int_equal(inner->data[0] >> 4, 4);
	assert_int_equal(hp_get_be16(inner->data + 2), inner->len);
	e->delivered++;
}

static void end_event(void *ctx, struct hp_wg_peer *peer,
		      enum hp_wg_event event)
{
	(void)ctx;
	(void)peer;
	(void)event;
}

static void end_timestamp(void *ctx, uint8_t out[12])
{
	memcpy(out, ((struct end *)ctx)->timestamp, 12);
}

static const struct hp_wg_ops end_ops = {
	end_send, end_deliver, end_event, end_timestamp,
};

static const struct hp_path end_path = {
	.remote = { .family = HP_AF_4, .port = 51820, .ip = { 192, 0, 2, 1 } },
};

static void end_make(struct end *e, const struct hp_secret *own,
		     const struct hp_public *other, const struct hp_secret *psk,
		     const struct hp_secret *ephemeral, const uint8_t *index,
		     uint64_t now_ns)
{
	const struct hp_wg_cfg cfg = {
		.ops = &end_ops, .ctx = e, .rng = &e->rng,
	};
	const struct hp_prefix all = { .family = HP_AF_4 };

	memset(e, 0, sizeof(*e));
	e->rng = (struct hp_rng){ loaded_fill, e };
	e->used = sizeof(e->dice);
	e->wg = hp_wg_new(&cfg);
	assert_non_null(e->wg);
	e->used = 0;
	memcpy(e->dice, index, 4);
	memcpy(e->dice + 4, ephemeral->b, 32);
	hp_wg_set_private(e->wg, own);
	assert_int_equal(hp_wg_peer_add(e->wg, other, &e->peer), HP_OK);
	hp_wg_peer_set_psk(e->peer, psk);
	assert_int_equal(hp_wg_peer_allow(e->peer, &all), HP_OK);
	assert_int_equal(hp_wg_peer_set_path(e->peer, &end_path, now_ns),
			 HP_OK);
}

static enum hp_err end_rx(struct end *e, const struct frame *f)
{
	uint8_t buf[2048];
	struct hp_pkt p = hp_pkt_of(buf, sizeof(buf), 0, f->len);

	memcpy(buf, f->bytes, f->len);
	return hp_wg_rx(e->wg, &end_path, &p, f->at_ns);
}

/* Ethernet, IPv4, UDP, as tcpdump saves it on a little-endian machine. */
static size_t pcap_read(const char *name, struct frame *frames)
{
	FILE *in = fopen(vector_path(name), "rb");
	uint8_t head[24], rec[16], frame[4096];
	size_t n = 0;

	if (!in)
		return 0;
	assert_int_equal(fread(head, sizeof(head), 1, in), 1);
	assert_int_equal(hp_get_le32(head), 0xa1b2c3d4);
	while (fread(rec, sizeof(rec), 1, in) == 1) {
		struct frame *f = &frames[n++];
		size_t len = hp_get_le32(rec + 8);
		size_t skip_len;

		assert_true(n <= FRAMES && len <= sizeof(frame));
		assert_int_equal(fread(frame, len, 1, in), 1);
		skip_len = 14 + (size_t)(frame[14] & 15) * 4 + 8;
		f->at_ns = hp_get_le32(rec) * HP_S +
			   hp_get_le32(rec + 4) * HP_US;
		f->len = hp_get_be16(frame + skip_len - 4) - 8u;
		assert_true(f->len <= sizeof(f->bytes));
		memcpy(f->bytes, frame + skip_len, f->len);
	}
	fclose(in);
	return n;
}

struct line {
	char capture[64];
	int number;
	struct hp_secret own[2];	/* initiator, responder */
	struct hp_secret ephemeral[2];
	struct hp_secret psk;
};

static size_t keys_read(struct line *lines, size_t cap)
{
	FILE *in = fopen(vector_path("wireguard-keys.txt"), "r");
	char text[512], dir[8], e[2][64], psk[64], who[64], key[64];
	struct hp_secret fixed[2];
	size_t n = 0;

	if (!in)
		return 0;
	while (fgets(text, sizeof(text), in)) {
		struct line *l = &lines[n];

		if (sscanf(text, "%63s %63s", who, key) == 2 &&
		    strstr(who, ".private"))
			assert_int_equal(hp_secret_parse(
				key, &fixed[who[0] == 'R']), HP_OK);
		if (text[0] == '#' ||
		    sscanf(text, "%63s %d %7s %63s %63s %63s", l->capture,
			   &l->number, dir, e[0], e[1], psk) != 6)
			continue;
		assert_true(++n <= cap);
		l->own[0] = fixed[dir[0] == 'R'];
		l->own[1] = fixed[dir[0] != 'R'];
		assert_int_equal(hp_secret_parse(e[0], &l->ephemeral[0]),
				 HP_OK);
		assert_int_equal(hp_secret_parse(e[1], &l->ephemeral[1]),
				 HP_OK);
		memset(&l->psk, 0, sizeof(l->psk));
		if (psk[0] != '-')
			assert_int_equal(hp_secret_parse(psk, &l->psk), HP_OK);
	}
	fclose(in);
	return n;
}

static const struct frame *nth_of_type(const struct frame *f, size_t n,
				       int type, int number)
{
	for (size_t i = 0; i < n; i++)
		if (f[i].bytes[0] == type && --number == 0)
			return &f[i];
	fail_msg("the capture lacks a message of type %d", type);
	return NULL;
}

/* Both ends of one handshake make exactly the captured messages. */
static void replay_handshake(const struct line *l, const struct frame *frames,
			     size_t n, struct end *a, struct end *b)
{
	const struct frame *first = nth_of_type(frames, n, 1, l->number);
	const struct frame *second = nth_of_type(frames, n, 2, l->number);
	struct hp_public public[2];
	uint8_t made[148];

	hp_dh_public(&l->own[0], &public[0]);
	hp_dh_public(&l->own[1], &public[1]);
	end_make(a, &l->own[0], &public[1], &l->psk, &l->ephemeral[0],
		 first->bytes + 4, first->at_ns);
	end_make(b, &l->own[1], &public[0], &l->psk, &l->ephemeral[1],
		 second->bytes + 4, first->at_ns);
	assert_int_equal(end_rx(b, first), HP_OK);
	assert_int_equal(b->sent_len, second->len);
	assert_memory_equal(b->sent, second->bytes, second->len);

	memcpy(a->timestamp, b->peer->timestamp, sizeof(a->timestamp));
	assert_int_equal(hp_wg_initiation_make(a->peer, first->at_ns, made),
			 HP_OK);
	assert_int_equal(sizeof(made), first->len);
	assert_memory_equal(made, first->bytes, first->len);
	assert_int_equal(end_rx(a, second), HP_OK);
}

static void replay_capture(const char *name, const struct line *lines,
			   size_t n_lines, unsigned int *data)
{
	static struct frame frames[FRAMES];
	static struct end ends[PARTIES];
	size_t n = pcap_read(name, frames);
	size_t n_ends = 0;

	assert_true(n > 0);
	for (size_t i = 0; i < n_lines; i++) {
		if (strcmp(lines[i].capture, name))
			continue;
		assert_true(n_ends + 2 <= PARTIES);
		replay_handshake(&lines[i], frames, n, &ends[n_ends],
				 &ends[n_ends + 1]);
		n_ends += 2;
	}
	assert_int_equal(n_ends, 4);
	for (size_t i = 0; i < n; i++) {
		unsigned int took = 0;

		if (frames[i].bytes[0] != HP_WG_DATA)
			continue;
		for (size_t j = 0; j < n_ends; j++)
			took += !end_rx(&ends[j], &frames[i]);
		assert_int_equal(took, 1);
		++*data;
	}
	for (size_t i = 0; i < n_ends; i++)
		hp_wg_free(ends[i].wg);
}

static void captured_handshakes_and_data_are_reproduced(void **state)
{
	struct line lines[8];
	size_t n = keys_read(lines, 8);
	unsigned int data = 0;

	(void)state;
	if (!n)
		skip_without("wireguard-keys.txt");
	assert_int_equal(n, 4);
	replay_capture("wireguard-ping-tcp.pcap", lines, n, &data);
	replay_capture("wireguard-psk.pcap", lines, n, &data);
	assert_int_equal(data, 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise_ikpsk2_vector_is_reproduced),
		cmocka_unit_test(captured_handshakes_and_data_are_reproduced),
	};

	if (hp_crypto_init())
		return 1;
	return cmocka_run_group_tests_name("wg_vectors", tests, NULL, NULL);
}
