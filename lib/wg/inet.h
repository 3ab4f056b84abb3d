/* SPDX-License-Identifier: ISC */
/*
 * IPv4, IPv6, TCP and UDP headers, as far as segments are cut from and joined
 * to longer packets: where the payload begins, and the Internet checksum.
 */
#ifndef HP_WG_INET_H
#define HP_WG_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define HP_IP4_HEAD 20
#define HP_IP6_HEAD 40
#define HP_TCP_HEAD 20
#define HP_UDP_HEAD 8
#define HP_PROTO_TCP 6
#define HP_PROTO_UDP 17
#define HP_PACKET_MAX 65535

/* The offsets of the checksum fields in the transport headers. */
#define HP_TCP_SUM 16
#define HP_UDP_SUM 6

enum hp_tcp_flag {
	HP_TCP_FIN = 0x01,
	HP_TCP_PSH = 0x08,
	HP_TCP_ACK = 0x10,
	HP_TCP_ECE = 0x40,
	HP_TCP_CWR = 0x80,
};

/**
 * struct hp_inet - Where things are in a TCP or UDP packet
 * @family: of its IP header
 * @proto:  HP_PROTO_TCP or HP_PROTO_UDP
 * @l4:     bytes before the transport header
 * @head:   bytes before the payload
 * @len:    bytes in all
 */
struct hp_inet {
	enum hp_family family;
	uint8_t proto;
	uint32_t l4;
	uint32_t head;
	uint32_t len;
};

/**
 * struct hp_offload - What a TUN device says about a packet, or is told
 * @kind:       what it is to be cut into
 * @size:       bytes of payload in each segment, unless NONE
 * @sum:        the checksum field holds the sum of the pseudo header alone
 * @sum_start:  where summing begins
 * @sum_offset: where the field is, from there
 */
struct hp_offload {
	enum hp_offload_kind {
		HP_OFFLOAD_NONE,
		HP_OFFLOAD_TCP4,
		HP_OFFLOAD_TCP6,
		HP_OFFLOAD_UDP,
	} kind;
	uint16_t size;
	bool sum;
	uint16_t sum_start;
	uint16_t sum_offset;
};

/**
 * hp_inet_parse() - Find the headers of a TCP or UDP packet
 * @p: @len bytes that begin with an IP header
 *
 * Options of IPv4, and the hop-by-hop, routing and destination headers of
 * IPv6, are stepped over.
 *
 * Return: HP_OK, @out filled; HP_ERR_FORMAT for everything else: another
 *         protocol, a fragment, lengths that contradict each other.
 */
enum hp_err hp_inet_parse(const uint8_t *p, size_t len, struct hp_inet *out)
	HP_MUST_CHECK;

/**
 * hp_sum_add() - Go on summing
 * @p: @len bytes that begin at an even place of what is summed
 *
 * Return: the sum so far, in 64 bits and in the machine's byte order.
 * Source: RFC 1071
 */
uint64_t hp_sum_add(uint64_t sum, const uint8_t *p, size_t len);
/* Copies @len bytes, as memcpy() does, and returns their sum. */
uint64_t hp_sum_copy(uint8_t *to, const uint8_t *p, size_t len);
/* Down to 16 bits; not complemented. */
uint16_t hp_sum_fold(uint64_t sum);
/* The pseudo header of the packet at @p (RFC 9293 3.1, RFC 8200 8.1) for a
 * transport header and payload of @len bytes together.
 */
uint64_t hp_sum_pseudo(const uint8_t *p, const struct hp_inet *in,
		       uint32_t len);
/* Writes a folded sum, or the complement of one, as a checksum field. */
void hp_sum_put(uint8_t *field, uint16_t sum);
/* Computes the checksum of the IPv4 header at @p anew. */
void hp_sum_ip4(uint8_t *p);
/* Are the checksums of the packet right: IPv4's, TCP's or UDP's? UDP without
 * one is not.
 */
bool hp_sum_ok(const uint8_t *p, const struct hp_inet *in);

#endif
