/* SPDX-License-Identifier: ISC */
#include "member_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

static void fill_candidates(struct hp_record *rec)
{
	rec->n_cand = HP_CANDIDATES_MAX;
	for (unsigned int i = 0; i < rec->n_cand; i++) {
		uint8_t ip6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

		rec->cand[i].kind = HP_CAND_HOST + i % 6;
		rec->cand[i].addr = hp_addr4(192, 0, 2, (uint8_t)i, 1000);
		if (i < 4)
			rec->cand[i].addr = hp_addr_of(HP_AF_6, ip6, 9);
	}
}

static struct hp_grant make_grant(struct world *w, const char *name,
				  uint32_t serial, uint8_t host,
				  struct hp_secret *invite)
{
	struct hp_grant g = {
		.serial = serial,
		.overlay = { { 10, 9, 0, host }, 24 },
		.until_s = BOB_UNTIL,
	};

	snprintf(g.name, sizeof(g.name), "%s", name);
	hp_sign_keypair(&w->rng, invite, &g.invite);
	hp_grant_sign(&g, &w->root);
	return g;
}

struct hp_identity world_enrol(struct world *w, const char *name,
			       uint32_t serial, uint8_t host)
{
	struct hp_secret invite;
	struct hp_identity id;
	struct hp_grant g = make_grant(w, name, serial, host, &invite);

	hp_identity_enrol(&w->net.id, &g, &invite, &w->rng, &id);
	return id;
}

struct world *world_make(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct hp_overlay one = { { 10, 9, 0, 1 }, 24 };
	struct hp_secret secret;
	struct hp_public id;

	if (!w || hp_crypto_init() != HP_OK)
		abort();
	hp_rng_seeded_init(&w->seeded, seed, &w->rng);
	hp_sign_keypair(&w->rng, &w->root, &id);
	hp_rng_fill(&w->rng, &secret, sizeof(secret));
	hp_network_init(&w->net, "home", &id, &secret);
	hp_identity_root(&w->root, 1, "alice", &one, &w->rng, &w->alice);
	w->grant = make_grant(w, BOB, 2, 2, &w->invite);
	hp_identity_enrol(&id, &w->grant, &w->invite, &w->rng, &w->bob);
	hp_network_slot(&w->net, NULL, "alice", w->alice_slot);
	hp_network_slot(&w->net, NULL, BOB, w->bob_slot);
	w->full = (struct hp_record){
		.caps = 0x1234,
		.revoked = 77,
		.epoch = UINT64_MAX - 1,
		.seq = UINT32_MAX,
	};
	fill_candidates(&w->full);
	return w;
}
