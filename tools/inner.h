/* SPDX-License-Identifier: ISC */
/*
 * Inner packets by hand, for what talks through the engine without a TUN
 * device: UDP over IPv4 (RFC 768, RFC 791), no options, no fragments.
 */
#ifndef TOOLS_INNER_H
#define TOOLS_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Bytes of both headers. */
#define INNER_HEADERS 28

/**
 * struct inner - A UDP datagram
 * @src, @dst: IPv4, with ports
 * @data:      @len bytes of payload (borrowed)
 */
struct inner {
	struct hp_addr src;
	struct hp_addr dst;
	const uint8_t *data;
	size_t len;
};

/* Writes the packet; returns its length, 0 when it exceeds @cap or 65535. */
size_t inner_make(const struct inner *in, uint8_t *out, size_t cap);
/* Reads a packet of @len bytes; @out points into it. False: it is anything
 * else, or a length or checksum in it is wrong.
 */
bool inner_parse(const uint8_t *p, size_t len, struct inner *out);

#endif
