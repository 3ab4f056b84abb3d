/* SPDX-License-Identifier: ISC */
/*
 * The text of WireGuard's cross-platform user space API
 * (https://www.wireguard.com/xplatform/): lines of a request to items, and an
 * interface to the lines of an answer. Neither the socket nor what the items do
 * is here.
 */
#ifndef TUND_UAPI_H
#define TUND_UAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/key.h"

struct hp_wg;

/* Longest line of a request, its end not counted. */
#define UAPI_LINE_MAX 512
/* Most items of one request: about 40 MB. */
#define UAPI_ITEMS_MAX 500000

/* Every key of a set request; those from UAPI_PUBLIC_KEY on are of a peer. */
enum uapi_key {
	UAPI_PRIVATE_KEY,	/* secret; all zero: take it away */
	UAPI_LISTEN_PORT,	/* number; 0: choose one */
	UAPI_FWMARK,		/* number; 0: none */
	UAPI_REPLACE_PEERS,
	UAPI_PUBLIC_KEY,	/* public: what follows concerns this peer */
	UAPI_REMOVE,
	UAPI_UPDATE_ONLY,
	UAPI_PRESHARED_KEY,	/* secret; all zero: none */
	UAPI_ENDPOINT,		/* addr */
	UAPI_KEEPALIVE,		/* number, seconds; 0: off */
	UAPI_REPLACE_ALLOWED_IPS,
	UAPI_ALLOWED_IP,	/* prefix */
	UAPI_DISALLOWED_IP,	/* prefix: "allowed_ip=-..." takes it away */
	UAPI_PROTOCOL_VERSION,	/* of the peer: 1 */
};

struct uapi_item {
	enum uapi_key key;
	union {
		struct hp_secret secret;
		struct hp_public public;
		struct hp_addr addr;
		struct hp_prefix prefix;
		uint32_t number;
	};
};

enum uapi_op {
	UAPI_NONE,	/* no line yet */
	UAPI_GET,
	UAPI_SET,
};

/**
 * struct uapi_request - A request, as far as it was read. Zeroed: none.
 * @op:    its first line
 * @error: 0, or the negative errno of the first line that is wrong
 * @items: what a set request asks for, in order
 */
struct uapi_request {
	enum uapi_op op;
	int error;
	struct uapi_item *items;
	size_t n;
	size_t cap;
};

/**
 * uapi_line() - Read one line of a request
 * @line: NUL-terminated, @len bytes without the line's end; not empty
 *
 * After a wrong line the rest is read and ignored, so that the answer comes
 * where the client looks for it. -EPROTO: not KEY=VALUE or not an operation;
 * -EINVAL: an unknown key or a bad value; -E2BIG; -ENOMEM.
 */
void uapi_line(struct uapi_request *r, char *line, size_t len);
/* Wipes the keys it held; ready for the next request. */
void uapi_request_reset(struct uapi_request *r);

/**
 * uapi_print() - Write the answer to a get request, without its errno line
 * @port: our UDP port
 * @mark: fwmark, 0: none
 * @wall_ns: the time, UTC
 */
void uapi_print(FILE *out, struct hp_wg *wg, uint16_t port, uint32_t mark,
		uint64_t now_ns, uint64_t wall_ns);

#endif
