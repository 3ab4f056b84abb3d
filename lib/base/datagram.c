/* SPDX-License-Identifier: ISC */
#include "base/datagram.h"

#include "base/bytes.h"
#include "base/pkt.h"

#define STUN_COOKIE 0x2112a442

static enum hp_datagram own_kind(const uint8_t *p)
{
	if (p[2] != HP_WIRE_VERSION)
		return HP_DGRAM_NONE;
	if (p[3] >= HP_KIND_MEET_FIRST && p[3] <= HP_KIND_MEET_LAST)
		return HP_DGRAM_MEET;
	if (p[3] == HP_KIND_PROBE)
		return HP_DGRAM_PROBE;
	if (p[3] == HP_KIND_NOTE)
		return HP_DGRAM_NOTE;
	if (p[3] == HP_KIND_CALL)
		return HP_DGRAM_CALL;
	return p[3] == HP_KIND_RELAY ? HP_DGRAM_RELAY : HP_DGRAM_NONE;
}

enum hp_datagram hp_datagram_kind(const uint8_t *p, size_t len)
{
	if (len < 8)
		return HP_DGRAM_NONE;
	if (p[0] == HP_MAGIC_0 && p[1] == HP_MAGIC_1)
		return own_kind(p);
	if (p[0] >= 1 && p[0] <= 4 && !p[1] && !p[2] && !p[3])
		return p[0] == 4 ? HP_DGRAM_WG_DATA : HP_DGRAM_WG;
	if (!(p[0] & 0xc0) && hp_get_be32(p + 4) == STUN_COOKIE)
		return HP_DGRAM_STUN;
	return HP_DGRAM_NONE;
}

void hp_datagram_head(uint8_t out[HP_WIRE_HEAD], uint8_t kind)
{
	out[0] = HP_MAGIC_0;
	out[1] = HP_MAGIC_1;
	out[2] = HP_WIRE_VERSION;
	out[3] = kind;
}

enum hp_err hp_relay_push(struct hp_pkt *p, uint32_t channel)
{
	if (!hp_pkt_push(p, HP_RELAY_HEAD))
		return HP_ERR_FULL;
	hp_datagram_head(p->data, HP_KIND_RELAY);
	hp_put_be32(p->data + HP_WIRE_HEAD, channel);
	return HP_OK;
}

enum hp_err hp_relay_pull(struct hp_pkt *p, uint32_t *channel)
{
	uint32_t c;

	if (p->len < HP_RELAY_HEAD)
		return HP_ERR_SHORT;
	c = hp_get_be32(p->data + HP_WIRE_HEAD);
	if (hp_datagram_kind(p->data, p->len) != HP_DGRAM_RELAY || !c)
		return HP_ERR_TYPE;
	if (!hp_pkt_pull(p, HP_RELAY_HEAD))
		return HP_ERR_SHORT;
	*channel = c;
	return HP_OK;
}

bool hp_datagram_is_data(struct hp_pkt *p, bool relayed, uint32_t *channel)
{
	enum hp_datagram kind = hp_datagram_kind(p->data, p->len);

	if (kind != HP_DGRAM_RELAY)
		return kind == HP_DGRAM_WG_DATA;
	if (!relayed || p->len < HP_RELAY_HEAD ||
	    hp_datagram_kind(p->data + HP_RELAY_HEAD, p->len - HP_RELAY_HEAD) !=
		    HP_DGRAM_WG_DATA)
		return false;
	return hp_relay_pull(p, channel) == HP_OK;
}
