/* SPDX-License-Identifier: ISC */
/*
 * What the files of netmode share, and nobody else includes: netmode.c puts the
 * parts together, netmode_disk.c is between them and what is on disk.
 */
#ifndef TUND_NETMODE_IMPL_H
#define TUND_NETMODE_IMPL_H

#include <stdint.h>

#include "netmode.h"
#include "node/node.h"

struct beacon;
struct ctl;
struct device;
struct hp_loop;
struct hp_nat64;
struct hp_store;
struct names;
struct portmap;
struct rtnl;
struct stock;
struct streams;
struct underlay;
struct wgsock;

/* What the engine asked for in an event, to be done by chores(). */
enum pending {
	PENDING_PINS = 1,
	PENDING_REVOKED = 2,
	PENDING_CERT = 4,
	PENDING_SERVERS = 8,
};

struct netmode {
	const struct netmode_cfg *cfg;
	struct log *log;
	struct hp_store *store;
	int lock;
	struct hp_loop *loop;
	struct device *device;
	struct rtnl *rtnl;
	struct hp_node *node;
	struct beacon *beacon;	/* NULL: none */
	struct underlay *underlay;
	struct names *names;
	struct hp_nat64 *nat64;
	struct stock *stock;
	struct portmap *portmap;
	struct streams *streams;
	struct ctl *ctl;
	struct wgsock *sock;
	unsigned int pending;
	enum hp_server_state told[HP_SERVERS_MAX];
	uint64_t retry_ns;
	uint64_t wall_ns;
	uint64_t cache_ns;	/* when to write it, HP_NEVER: not */
	uint64_t started_ns;
	struct hp_aead_choice crypto;
	char prefix[HP_PREFIX_TEXT];
};

/* netmode_disk.c. Without @f, the log is told what failed. */
/* Writes what is pending; what fails stays so, and is due at @retry_ns. */
void netmode_store(struct netmode *m, uint64_t now_ns);
/* Writes the addresses of peers, if there are new ones. */
void netmode_store_cache(struct netmode *m);
/* Reads them, and takes the port that we had, if it is free. */
void netmode_load_cache(struct netmode *m);
/* Reads the configuration again and takes over what a running daemon can. */
enum hp_err netmode_reload(struct netmode *m, struct hp_fault *f)
	HP_MUST_CHECK;

#endif
