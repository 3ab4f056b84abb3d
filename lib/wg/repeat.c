/* SPDX-License-Identifier: ISC */
/*
 * Repeating handshake messages, for peers that are known to do the same.
 *
 * WireGuard waits 5 s before it makes another initiation, so one lost message
 * costs 5 s. Between two nodes of a network both ends repeat the message they
 * made, to the last byte of what is sealed in it:
 *
 *	the initiator   its initiation, until answered or replaced
 *	the responder   its answer, until confirmed by a packet, for 5 s; and
 *	                at once when the initiation it answers comes again;
 *	                an initiator that has the answer already confirms it
 *	                again
 *
 * It makes no new state and costs no new computation. The replay rule stands:
 * nothing is opened, a repeated initiation is known by its mac1, which covers
 * all but the MACs, and is recognised only while its session is unconfirmed; it
 * moves no path. mac2 is made anew each time, so that a cookie is used as soon
 * as it is there.
 *
 * A stock peer gets none of it: its messages and times are WireGuard's.
 */
#include "wg/peer.h"

#include <stdlib.h>
#include <string.h>
#include <sodium.h>

/* The gap between two copies doubles up to this. */
#define GAP_MAX (500 * HP_MS)

static uint64_t gap(const struct hp_wg_peer *peer, unsigned int n)
{
	uint64_t first_ns = peer->repeat_ns;

	if (first_ns >= GAP_MAX)
		return first_ns;
	return hp_time_min(first_ns << (n < 16 ? n : 16), GAP_MAX);
}

void hp_repeat_keep(struct hp_wg_peer *peer, struct hp_wg_repeat **at,
		    const void *msg, size_t len, uint64_t now_ns)
{
	struct hp_wg_repeat *r;

	hp_repeat_stop(at);
	if (!peer->repeat_ns)
		return;
	r = calloc(1, sizeof(*r));
	if (!r)
		return;
	*at = r;
	memcpy(r->msg, msg, len);
	r->len = len;
	r->sent_ns = now_ns;
	r->end_ns = now_ns + HP_WG_REKEY_TIMEOUT;
	r->next_ns = now_ns + gap(peer, r->n++);
}

void hp_repeat_stop(struct hp_wg_repeat **at)
{
	free(*at);
	*at = NULL;
}

uint64_t hp_repeat_at(const struct hp_wg_repeat *r)
{
	return r ? r->next_ns : HP_NEVER;
}

void hp_repeat_send(struct hp_wg_peer *peer, struct hp_wg_repeat *r,
		    const struct hp_path *path, uint64_t now_ns)
{
	uint8_t buf[HP_HEADROOM + sizeof(r->msg) + HP_TAILROOM];

	r->sent_ns = now_ns;
	memcpy(buf + HP_HEADROOM, r->msg, r->len);
	hp_cookie_sign(&peer->cookie, buf + HP_HEADROOM, r->len, now_ns);
	hp_peer_send(peer, path, buf, sizeof(buf), r->len, now_ns);
}

void hp_repeat_run(struct hp_wg_peer *peer, struct hp_wg_repeat *r,
		   uint64_t now_ns)
{
	if (!r || now_ns < r->next_ns)
		return;
	r->next_ns = now_ns + gap(peer, r->n++);
	if (r->next_ns >= r->end_ns)
		r->next_ns = HP_NEVER;
	if (hp_path_set(&peer->path))
		hp_repeat_send(peer, r, &peer->path, now_ns);
}

bool hp_repeat_same(const struct hp_wg_peer *peer,
		    const struct hp_wire_initiation *msg)
{
	return peer->answer &&
	       !sodium_memcmp(peer->answered_mac1, msg->macs.mac1,
			      sizeof(peer->answered_mac1));
}

void hp_wg_peer_set_repeat(struct hp_wg_peer *peer, uint64_t first_ns)
{
	peer->repeat_ns = first_ns;
	if (!first_ns) {
		hp_repeat_stop(&peer->initiation);
		hp_repeat_stop(&peer->answer);
	}
}
