/* SPDX-License-Identifier: ISC */
/*
 * What stands inside a seal: records, offers, notes, probes, calls, as a member
 * who turned bad could write them. The input is sealed with the right key first,
 * so that it reaches the parsers; certificates and STUN messages go in bare.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "meet/stun.h"
#include "member/call.h"
#include "member/cert.h"
#include "member/note.h"
#include "member/record.h"
#include "punch/probe.h"

#define BODY_MAX 1400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct hp_network *net,
			 const struct hp_rng *rng, const uint8_t *body,
			 size_t len)
{
	static const uint8_t slot[HP_SLOT_LEN] = { 1 };
	uint8_t box[BODY_MAX + HP_BOX_OVERHEAD];
	struct hp_record rec;
	struct hp_offer offer;

	hp_box_seal(&net->record_key, rng, NULL, 0, body, len, box);
	/* The slot does not fit, so nothing can be accepted. */
	assert(hp_record_open(net, NULL, slot, box, len + HP_BOX_OVERHEAD,
			      &rec) != HP_OK);
	assert(hp_offer_open(net, NULL, slot, slot, box,
			     len + HP_BOX_OVERHEAD, &offer) != HP_OK);
}

static void check_note(const struct hp_secret *pair, const struct hp_rng *rng,
		       const uint8_t *body, size_t len)
{
	uint8_t msg[HP_WIRE_HEAD + HP_NOTE_TAG_LEN + BODY_MAX +
		    HP_BOX_OVERHEAD] = { 0 };
	const size_t head = HP_WIRE_HEAD + HP_NOTE_TAG_LEN;
	struct hp_secret key;
	struct hp_note note;

	hp_derive(pair, "hptun note v1", NULL, 0, &key);
	hp_datagram_head(msg, HP_KIND_NOTE);
	hp_box_seal(&key, rng, msg, head, body, len, msg + head);
	if (hp_note_open(pair, msg, head + len + HP_BOX_OVERHEAD, &note) ==
	    HP_OK)
		assert(note.list_len <= sizeof(note.list));
}

static void check_probe(const struct hp_secret *pair, const struct hp_rng *rng,
			const uint8_t *body, size_t len)
{
	const struct hp_public own = { { 1 } };
	const struct hp_public peer = { { 2 } };
	uint8_t msg[HP_WIRE_HEAD + HP_PUNCH_TAG_LEN + BODY_MAX +
		    HP_BOX_OVERHEAD] = { 0 };
	const size_t head = HP_WIRE_HEAD + HP_PUNCH_TAG_LEN;
	struct hp_probe_keys keys;
	struct hp_probe m;

	hp_probe_keys_init(&keys, pair, &own, &peer);
	hp_datagram_head(msg, HP_KIND_PROBE);
	memcpy(msg + HP_PUNCH_TAG_AT, keys.rx_tag, HP_PUNCH_TAG_LEN);
	hp_box_seal(&keys.rx, rng, msg, head, body, len, msg + head);
	if (hp_probe_open(&keys, msg, head + len + HP_BOX_OVERHEAD, &m) ==
	    HP_OK)
		assert(m.seen.family == HP_AF_NONE || m.seen.port);
}

/* Cut or filled up with zeros to what a call is long. */
static void check_call(const struct hp_network *net, const struct hp_rng *rng,
		       const uint8_t *body, size_t len)
{
	uint8_t plain[HP_CALL_PLAIN] = { 0 };
	uint8_t box[HP_CALL_LEN];
	struct hp_secret key;
	struct hp_record rec;
	struct hp_call call;

	memcpy(plain, body, len < sizeof(plain) ? len : sizeof(plain));
	hp_derive(&net->secret, "hptun call v1", net->id.b, sizeof(net->id.b),
		  &key);
	hp_box_seal(&key, rng, NULL, 0, plain, sizeof(plain), box);
	if (hp_call_open(net, box, sizeof(box), &call) != HP_OK)
		return;
	assert(call.nonce && call.blob_len <= sizeof(call.blob));
	/* Nobody signed it. */
	assert(hp_call_record(net, NULL, &call, &rec) != HP_OK);
}

static void check_bare(const uint8_t *data, size_t size)
{
	struct hp_rd r = hp_rd_of(data, size);
	struct hp_stun_request req;
	struct hp_cert cert = hp_cert_get(&r);

	if (!r.bad) {
		uint8_t out[HP_CERT_WIRE_MAX];
		struct hp_wr w = hp_wr_of(out, sizeof(out));

		hp_cert_put(&w, &cert);
		assert(!w.bad && w.len == size - r.left &&
		       !memcmp(out, data, w.len));
	}
	if (hp_stun_request_get(data, size, &req) != HP_OK)
		return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hp_network net;
	const struct hp_public id = { { 9 } };
	const struct hp_secret secret = { { 7 } };
	struct hp_rng_seeded seeded;
	struct hp_rng rng;

	assert(hp_crypto_init() == HP_OK);
	if (size > BODY_MAX)
		return 0;
	if (!net.name[0])
		hp_network_init(&net, "fuzz", &id, &secret);
	hp_rng_seeded_init(&seeded, 1, &rng);
	check_record(&net, &rng, data, size);
	check_note(&secret, &rng, data, size);
	check_probe(&secret, &rng, data, size);
	check_call(&net, &rng, data, size);
	check_bare(data, size);
	return 0;
}
