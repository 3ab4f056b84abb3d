/* SPDX-License-Identifier: ISC */
/*
 * Inner packets that are longer than the path carries: the ICMP message that
 * tells their sender, as any router would send it; fragments, where IPv4 asks
 * for them; and TCP's maximum segment size lowered, so that they are not made.
 */
#ifndef HP_WG_TOOBIG_H
#define HP_WG_TOOBIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* IPv6 has no smaller MTU (RFC 8200, 5). */
#define HP_IP6_MTU_MIN 1280
/* The longest message of hp_toobig_make(). */
#define HP_TOOBIG_MAX HP_IP6_MTU_MIN

/**
 * hp_toobig_make() - Write "fragmentation needed" or "packet too big"
 * @p:   the packet, @len bytes, with a whole IP header
 * @mtu: what would have passed
 * @out: gets the message, @out_len bytes, from the destination of @p to its
 *       source: an address that the sender's routing expects on this interface
 *
 * Return: HP_OK; HP_ERR_STATE when nothing may be said of such a packet: one
 *         that may be fragmented, an ICMP error, a fragment but the first, or
 *         one without a single host as its source.
 * Source: RFC 1191 4, RFC 1122 3.2.2, RFC 4443 2.4 and 3.2
 */
enum hp_err hp_toobig_make(const uint8_t *p, uint32_t len, uint32_t mtu,
			   uint8_t out[HP_TOOBIG_MAX], uint32_t *out_len)
	HP_MUST_CHECK;

/* How often that may be said; zeroed: not yet. */
struct hp_toobig_limit {
	uint64_t since_ns;
	unsigned int n;
};

/* 20 at once, 200 a second; false: not now. */
bool hp_toobig_allowed(struct hp_toobig_limit *l, uint64_t now_ns);

/* One packet being cut into fragments. */
struct hp_fragmenter {
	const uint8_t *p;
	uint32_t len;
	uint32_t head;	/* bytes before the payload in @p */
	uint32_t more;	/* and those of the fragment header of IPv6 */
	uint32_t id;
	uint32_t step;	/* payload of each, a multiple of 8 */
	uint32_t at;	/* payload that is done */
};

/**
 * hp_fragment_begin() - Prepare to cut @p (borrowed until the last fragment)
 * @id: for IPv6, another one for each packet
 *
 * IPv6 promises that 1280 bytes pass, so up to that length its packets are cut:
 * mostly we are their source, which may; and for others there is no way but
 * this (their sender would not send shorter ones, whatever it is told).
 *
 * Return: HP_OK; HP_ERR_STATE when it must not be cut (DF, longer IPv6, with
 *         extension headers), or cannot be to so small an @mtu.
 * Source: RFC 791 2.3, 3.2; RFC 8200 4.5, 5
 */
enum hp_err hp_fragment_begin(struct hp_fragmenter *s, const uint8_t *p,
			      uint32_t len, uint32_t mtu, uint32_t id)
	HP_MUST_CHECK;
/* Bytes of the next fragment; 0: that was the last. */
uint32_t hp_fragment_len(const struct hp_fragmenter *s);
/* Writes it. */
void hp_fragment_next(struct hp_fragmenter *s, uint8_t *out);

/* Lowers the maximum segment size that a SYN announces to what @mtu carries,
 * and mends the checksum (RFC 1624). Leaves all other packets alone.
 */
void hp_mss_clamp(uint8_t *p, uint32_t len, uint32_t mtu);

#endif
