/* SPDX-License-Identifier: ISC */
/*
 * One UDP port carries WireGuard, STUN and hptun's own messages; the first
 * bytes tell them apart. The relay header, which any layer may have to push or
 * pull, lives here too.
 */
#ifndef HP_BASE_DATAGRAM_H
#define HP_BASE_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hp_pkt;

/* hptun's own messages begin with 'h', 'p', version, kind. */
#define HP_MAGIC_0 0x68
#define HP_MAGIC_1 0x70
#define HP_WIRE_VERSION 1
#define HP_WIRE_HEAD 4

#define HP_KIND_MEET_FIRST 0x01
#define HP_KIND_MEET_LAST 0x3f
#define HP_KIND_PROBE 0x40	/* lib/punch */
#define HP_KIND_NOTE 0x41	/* lib/node: certificates, revocations */
#define HP_KIND_CALL 0x42	/* lib/node: introductions without a server */
#define HP_KIND_RELAY 0x80

/* 'h', 'p', version, HP_KIND_RELAY, be32 channel */
#define HP_RELAY_HEAD 8

enum hp_datagram {
	HP_DGRAM_NONE,		/* none of ours */
	HP_DGRAM_WG,		/* WireGuard handshake or cookie: type 1 to 3 */
	HP_DGRAM_WG_DATA,	/* WireGuard transport data: type 4 */
	HP_DGRAM_STUN,
	HP_DGRAM_MEET,
	HP_DGRAM_PROBE,
	HP_DGRAM_NOTE,
	HP_DGRAM_CALL,
	HP_DGRAM_RELAY,
};

/* What @p of @len bytes claims to be, by its first 8 bytes; trusts nothing. */
enum hp_datagram hp_datagram_kind(const uint8_t *p, size_t len);

/* Writes the four first bytes of an hptun message. */
void hp_datagram_head(uint8_t out[HP_WIRE_HEAD], uint8_t kind);

/* Puts the relay header of @channel in front; HP_ERR_FULL without headroom. */
enum hp_err hp_relay_push(struct hp_pkt *p, uint32_t channel) HP_MUST_CHECK;
/* Takes it off; @channel gets a value other than 0. HP_ERR_SHORT or
 * HP_ERR_TYPE leave @p as it was.
 */
enum hp_err hp_relay_pull(struct hp_pkt *p, uint32_t *channel) HP_MUST_CHECK;

/* Is it WireGuard data, bare or (when @relayed) behind a relay header? Then the
 * header comes off and *@channel is set. All else is left as it came.
 */
bool hp_datagram_is_data(struct hp_pkt *p, bool relayed, uint32_t *channel);

#endif
