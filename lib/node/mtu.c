/* SPDX-License-Identifier: ISC */
/*
 * What the path machine finds out about the length of datagrams becomes the
 * MTU inside: for the data path, and for people.
 */
#include <string.h>

#include "base/pkt.h"
#include "node/internal.h"
#include "wg/wire.h"

/* The data path compares nothing where all that the device gives fits. */
void hp_mtu_update(struct peer *p)
{
	uint32_t size = p->punch ? hp_punch_size(p->punch) : 0;
	uint32_t mtu = size > HP_WG_DATA_MIN ? size - HP_WG_DATA_MIN : 0;

	if (mtu >= p->node->cfg.mtu)
		mtu = 0;
	if (mtu == p->mtu || !p->wg)
		return;
	p->mtu = mtu;
	hp_wg_peer_set_mtu(p->wg, mtu);
}

uint32_t hp_mtu_longest(const struct hp_node *n)
{
	return n->cfg.ops.send_whole ? n->cfg.mtu + HP_WG_DATA_MIN : 0;
}

void hp_mtu_probe(void *ctx, const struct hp_path *path, const uint8_t *buf,
		  size_t len)
{
	const struct hp_node *n = ((struct peer *)ctx)->node;
	uint8_t framed[HP_RELAY_HEAD + HP_PUNCH_LONGEST];
	struct hp_pkt pkt;

	if (len > HP_PUNCH_LONGEST)
		return;
	memcpy(framed + HP_RELAY_HEAD, buf, len);
	pkt = hp_pkt_of(framed, sizeof(framed), HP_RELAY_HEAD, len);
	if (!path->channel || hp_relay_push(&pkt, path->channel) == HP_OK)
		n->cfg.ops.send_whole(n->cfg.ctx, path, pkt.data, pkt.len);
}
