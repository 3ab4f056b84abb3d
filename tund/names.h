/* SPDX-License-Identifier: ISC */
/*
 * The names of the rendezvous servers: looked up at the start, when the network
 * of this host changes, and again and again for as long as a server does not
 * answer, since it may have another address by now.
 */
#ifndef TUND_NAMES_H
#define TUND_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct hp_loop;
struct hp_network;
struct hp_node;
struct log;
struct names;

/**
 * struct names_cfg - Whose names; all borrowed
 * @net:   its servers
 * @within: does @a lie within the tunnel, by the network's own subnets or by the
 *         routes that are set into it? No server can be in there
 * @found: server @id has these addresses; HP_AF_NONE: none of that family, but
 *         never of both
 */
struct names_cfg {
	struct hp_loop *loop;
	struct log *log;
	const struct hp_network *net;
	const struct hp_node *node;
	void *ctx;
	bool (*within)(void *ctx, const struct hp_addr *a);
	void (*found)(void *ctx, unsigned int id, const struct hp_addr *addr4,
		      const struct hp_addr *addr6, uint64_t now_ns);
};

/* Takes two timed parts of the loop. HP_ERR_NOMEM, _FULL, _IO. */
enum hp_err names_new(const struct names_cfg *cfg, struct names **out)
	HP_MUST_CHECK;
/* The loop must not run any more. NULL is fine. */
void names_free(struct names *s);

/* Server @id went silent. */
void names_lost(struct names *s, unsigned int id, uint64_t now_ns);
/* What lies within the tunnel may have changed: looks at all servers again. */
void names_tell(struct names *s, uint64_t now_ns);
/* IPv4 addresses lie behind a NAT64 with @prefix, or (HP_AF_NONE) do not: what a
 * DNS64 made of them is the same address. Tells all that is known once more.
 */
void names_nat64(struct names *s, const struct hp_prefix *prefix,
		 uint64_t now_ns);
/* This host is connected in another way now. */
void names_network_changed(struct names *s, uint64_t now_ns);

#endif
