/* SPDX-License-Identifier: ISC */
/* A network with two members, for the tests of lib/member and the store. */
#ifndef TESTS_UNIT_MEMBER_WORLD_H
#define TESTS_UNIT_MEMBER_WORLD_H

#include "base/rng.h"
#include "member/cert.h"
#include "member/network.h"
#include "member/record.h"

/* Longest name there can be. */
#define BOB "abcdefghijklmnopqrstuvwxyz012345"
#define BOB_UNTIL 1000

/**
 * struct world - alice holds the root key, bob was invited
 * @grant, @invite: with what bob joined: serial 2, until BOB_UNTIL
 * @full: the longest record there is
 */
struct world {
	struct hp_rng_seeded seeded;
	struct hp_rng rng;
	struct hp_secret root;
	struct hp_network net;
	struct hp_identity alice;
	struct hp_identity bob;
	struct hp_grant grant;
	struct hp_secret invite;
	uint8_t alice_slot[HP_SLOT_LEN];
	uint8_t bob_slot[HP_SLOT_LEN];
	struct hp_record full;
};

/* The same for the same @seed; free() it. */
struct world *world_make(uint64_t seed);
/* Another node, enrolled by a grant of its own. */
struct hp_identity world_enrol(struct world *w, const char *name,
			       uint32_t serial, uint8_t host);

#endif
