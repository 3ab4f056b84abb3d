/* SPDX-License-Identifier: ISC */
/*
 * What a NAT does to real packets: finds the addresses and ports in an IPv4
 * packet, asks the NAT model, and rewrites them. UDP, ICMP echo, and ICMP
 * errors about UDP that come from outside; all else is dropped. It owns no
 * device and no clock.
 */
#ifndef NATBOX_PACKET_H
#define NATBOX_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "../sim/nat.h"

/* Echo identifiers are not UDP ports, so they have mappings of their own. */
struct box {
	struct nat *udp;
	struct nat *echo;
};

enum box_way {
	BOX_DROP,
	BOX_IN,		/* leaves on the inside */
	BOX_OUT,
};

/* @p: @len bytes, one IP packet, rewritten in place unless it is dropped. */
enum box_way box_from_inside(const struct box *b, uint8_t *p, size_t len,
			     uint64_t now_ns);
enum box_way box_from_outside(const struct box *b, uint8_t *p, size_t len,
			      uint64_t now_ns);

#endif
