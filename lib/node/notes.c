/* SPDX-License-Identifier: ISC */
/*
 * What peers tell each other about membership once they are introduced: a
 * newcomer asks for its permanent certificate, a holder of the root key gives
 * it, whoever has a newer revocation list passes it on. Notes can be lost, so
 * each side repeats what is still to be said, a few times, ever more slowly.
 */
#include "node/internal.h"

#include <string.h>

#define NOTE_ROUNDS 6
#define NOTE_FIRST_NS (500 * HP_MS)
/* Shorter than that, so that who asks again is answered again. */
#define ISSUE_GAP_NS (250 * HP_MS)

void hp_note_send(struct peer *p, const struct hp_path *path,
		  const struct hp_note *note)
{
	struct hp_node *n = p->node;
	uint8_t buf[HP_NOTE_MAX];
	size_t len;

	if (!hp_path_set(path))
		return;
	len = hp_note_seal(&p->pair, n->note_tag, note, &n->cfg.rng, buf);
	hp_node_send(n, path, 0, buf, len);
}

static void list_send(struct peer *p, const struct hp_path *path)
{
	struct hp_note note = { .kind = HP_NOTE_REVOKED };
	const uint8_t *list = hp_judge_revoked(p->node->judge, &note.list_len);

	if (!list)
		return;
	memcpy(note.list, list, note.list_len);
	hp_note_send(p, path, &note);
}

static bool cert_wanted(const struct peer *p)
{
	return p->node->self.cert.kind == HP_CERT_GRANTED;
}

static bool list_wanted(const struct peer *p)
{
	return p->revoked < hp_judge_revoked_number(p->node->judge);
}

void hp_notes_begin(struct peer *p)
{
	bool any = p->epoch && (cert_wanted(p) || list_wanted(p));

	p->notes = 0;
	p->note_ns = any ? p->node->now_ns : HP_NEVER;
}

void hp_notes_tick(struct peer *p)
{
	struct hp_node *n = p->node;
	const struct hp_path *path = hp_path_set(&p->direct) ? &p->direct :
							       &p->relay;
	const struct hp_note wanted = { .kind = HP_NOTE_CERT_WANTED };

	if (!p->known || !(cert_wanted(p) || list_wanted(p)) ||
	    p->notes >= NOTE_ROUNDS) {
		p->note_ns = HP_NEVER;
		return;
	}
	if (cert_wanted(p))
		hp_note_send(p, path, &wanted);
	if (list_wanted(p))
		list_send(p, path);
	p->note_ns = n->now_ns + (NOTE_FIRST_NS << p->notes++);
}

/* The holder of the root key makes an accepted member's certificate
 * permanent. A question may be a replay, so they are answered at a pace.
 */
static void on_wanted(struct peer *p, const struct hp_path *from)
{
	struct hp_node *n = p->node;
	struct hp_note note = { .kind = HP_NOTE_CERT };

	if (!n->is_root || !p->epoch ||
	    (p->issued_ns && n->now_ns < p->issued_ns + ISSUE_GAP_NS) ||
	    hp_node_admit(n, &p->cert) != HP_OK)
		return;
	p->issued_ns = n->now_ns;
	hp_cert_issue(&n->root, &p->cert, &note.cert);
	hp_note_send(p, from, &note);
	hp_node_emit(n, HP_NODE_ENROLLED, p, HP_OK);
}

static void on_cert(struct hp_node *n, const struct hp_cert *cert)
{
	if (n->self.cert.kind == HP_CERT_PERMANENT ||
	    cert->kind != HP_CERT_PERMANENT ||
	    !hp_cert_same_node(cert, &n->self.cert) ||
	    hp_cert_check(&n->net.id, cert) != HP_OK)
		return;
	n->self.cert = *cert;
	hp_node_emit(n, HP_NODE_CERT, NULL, HP_OK);
	hp_node_publish(n, true);
}

void hp_notes_rx(struct hp_node *n, const struct hp_path *from,
	      const uint8_t *buf, size_t len)
{
	uint8_t tag[HP_NOTE_TAG_LEN];
	struct hp_note note;
	struct peer *p;

	if (hp_note_peek(buf, len, tag) != HP_OK)
		return;
	HASH_FIND(by_note, n->note_tags, tag, sizeof(tag), p);
	if (!p || hp_note_open(&p->pair, buf, len, &note) != HP_OK)
		return;
	switch (note.kind) {
	case HP_NOTE_CERT_WANTED:
		on_wanted(p, from);
		break;
	case HP_NOTE_CERT:
		on_cert(n, &note.cert);
		break;
	case HP_NOTE_REVOKED:
		if (hp_node_revoke(n, note.list, note.list_len) != HP_OK)
			break; /* ours is as new, or it is none of the root's */
		break;
	case HP_NOTE_REPORT_WANTED:
		hp_half_wanted(p, &note);
		break;
	case HP_NOTE_REPORT:
		hp_half_came(p, &note);
		break;
	case HP_NOTE_CARRY:
		hp_mesh_carry(p, from, &note);
		break;
	case HP_NOTE_CARRIED:
		hp_mesh_carried(p, &note);
		break;
	case HP_NOTE_RELAY_WANTED:
		hp_ferry_wanted(p, &note);
		break;
	case HP_NOTE_RELAY:
		hp_via_given(p, &note);
		break;
	}
}
