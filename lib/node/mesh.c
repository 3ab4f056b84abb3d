/* SPDX-License-Identifier: ISC */
/*
 * Calls by way of a third node: where no server answers, a peer that both ends
 * have a session with passes on what they have to say to each other, and tells
 * each under what address it sees the other. It reads nothing of it, answers
 * nothing, and sends no more than it got.
 */
#include "node/internal.h"

#include <string.h>

/* Peers that are asked at a time. */
#define MESH_ASKED 3
/* What one peer may have passed on. */
#define MESH_BURST 16
#define MESH_EVERY_NS (250 * HP_MS)

static bool is_there(const struct peer *p)
{
	return p->known && p->session && hp_path_set(hp_peer_path(p)) &&
	       (p->state == HP_PEER_DIRECT || p->state == HP_PEER_RELAYED);
}

static void pass(struct peer *to, enum hp_note_kind kind,
		 const uint8_t slot[HP_SLOT_LEN], const struct hp_addr *seen,
		 const uint8_t call[HP_CALL_LEN])
{
	struct hp_note note = { .kind = kind, .list_len = HP_CALL_LEN };

	memcpy(note.slot, slot, HP_SLOT_LEN);
	memcpy(note.list, call, HP_CALL_LEN);
	note.seen = *seen;
	hp_note_send(to, hp_peer_path(to), &note);
}

void hp_mesh_send(struct peer *via, const uint8_t slot[HP_SLOT_LEN],
		  const uint8_t call[HP_CALL_LEN])
{
	const struct hp_addr none = { 0 };

	if (is_there(via))
		pass(via, HP_NOTE_CARRY, slot, &none, call);
}

void hp_mesh_ask(const struct peer *p, const uint8_t call[HP_CALL_LEN])
{
	struct hp_node *n = p->node;
	unsigned int there = 0, at = 0, first;

	for (struct peer *q = n->peers; q; q = q->hh.next)
		there += is_there(q);
	if (!there)
		return;
	/* Others than the last time. */
	first = n->calls.turn % there;
	n->calls.turn += MESH_ASKED;
	for (struct peer *q = n->peers; q; q = q->hh.next) {
		if (!is_there(q))
			continue;
		if (q != p && (at + there - first) % there < MESH_ASKED)
			hp_mesh_send(q, p->slot, call);
		at++;
	}
}

void hp_mesh_carry(struct peer *from, const struct hp_path *path,
		   const struct hp_note *note)
{
	struct peer *to = hp_peer_find(from->node, note->slot);
	struct hp_addr seen = { 0 };

	if (!from->carried.burst)
		from->carried = (struct hp_pace){ .every_ns = MESH_EVERY_NS,
						  .burst = MESH_BURST };
	if (!is_there(from) || !to || to == from || !is_there(to) ||
	    !hp_pace_take(&from->carried, from->node->now_ns))
		return;
	if (!path->channel && hp_addr_scope(&path->remote) != HP_SCOPE_LINK)
		seen = path->remote;
	from->node->calls.carried++;
	pass(to, HP_NOTE_CARRIED, from->slot, &seen, note->list);
}

void hp_mesh_carried(struct peer *via, const struct hp_note *note)
{
	const struct caller from = { .via = via, .seen = note->seen };

	if (is_there(via))
		hp_call_rx(via->node, &from, note->list, note->list_len);
}
