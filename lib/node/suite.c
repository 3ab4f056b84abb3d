/* SPDX-License-Identifier: ISC */
/*
 * Which cipher is spoken with a peer. Its record and ours, both signed, say
 * who has AES in hardware and may use it; two that have it speak AES-256-GCM.
 *
 * Whoever begins a handshake without having seen the other's record (its key
 * is known from an earlier run) begins with ChaCha20-Poly1305. The other has
 * our record beside that message, so it knows both: it answers, lest the first
 * packets wait, and at once begins a handshake with AES of its own. After
 * that first session it accepts no other cipher until the peer starts anew, and
 * says so in a record of its own. Nobody on the way
 * takes part in any of this: who drops messages with AES stops the connection,
 * and does not get one with another cipher.
 */
#include "node/internal.h"

#define CHACHA HP_SUITE_BIT(HP_SUITE_CHACHA)
#define AES HP_SUITE_BIT(HP_SUITE_AES)

static bool own_aes(const struct hp_node *n)
{
	return hp_wg_has(n->wg, HP_SUITE_AES);
}

uint16_t hp_suite_caps(const struct hp_node *n)
{
	uint16_t caps = own_aes(n) ? HP_RECORD_AES : 0;

	if (n->cfg.cipher == HP_CIPHER_AES)
		caps |= HP_RECORD_AES_ONLY;
	return caps;
}

/* Both ends are known to have it. */
static bool mutual(const struct peer *p)
{
	return own_aes(p->node) && p->epoch && p->caps & HP_RECORD_AES;
}

static unsigned int accepted(const struct peer *p)
{
	unsigned int set = own_aes(p->node) ? AES | CHACHA : CHACHA;

	if (p->node->cfg.cipher == HP_CIPHER_AES ||
	    (p->epoch && p->caps & HP_RECORD_AES_ONLY) ||
	    (mutual(p) && p->settled))
		set &= AES;
	/* It would not understand. */
	if (set == AES && p->epoch && !(p->caps & HP_RECORD_AES))
		set = 0;
	return set;
}

void hp_suite_update(struct peer *p)
{
	unsigned int accept = accepted(p);
	bool aes = accept == AES || mutual(p);

	hp_wg_peer_set_suites(p->wg, aes ? HP_SUITE_AES : HP_SUITE_CHACHA,
			      accept, p->node->now_ns);
	if (!accept)
		p->cause = HP_ERR_CIPHER;
}

void hp_suite_session(struct peer *p)
{
	struct hp_wg_peer_info info;

	if (!mutual(p))
		return;
	if (!p->settled) {
		p->settled = true;
		hp_suite_update(p);
	}
	hp_wg_peer_info(p->wg, p->node->now_ns, &info);
	hp_secret_wipe(&info.psk);
	if (info.suite != HP_SUITE_AES && !info.initiator && !info.handshaking)
		hp_wg_renew(p->wg, p->node->now_ns);
}
