/* SPDX-License-Identifier: ISC */
/*
 * The control socket: a unix stream socket on which the tools ask the daemon
 * for its state and tell it what to do, one JSON document a line. The table of
 * operations is in ctl_ops.c; their answers are documented in hptunctl(8).
 *
 * Lives on the control thread, in its loop.
 */
#ifndef TUND_CTL_H
#define TUND_CTL_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "wg/aead.h"

struct ctl;
struct hp_loop;
struct hp_node;
struct hp_node_event;
struct hp_portmap_info;
struct hp_public;
struct hp_stock_peer;

/**
 * struct ctl_facts - What the daemon knows and the engine does not
 * @device:     name of the TUN device
 * @prefix:     its IPv4 address with prefix length, "10.9.0.1/24"
 * @mtu:        of the device
 * @port:       our UDP port
 * @threads:    that move data
 * @started_ns: when the daemon started
 * @portmap:    how the gateway was asked to open our port; NULL: it is not
 * @crypto:     the library that encrypts, and how fast
 * @nat64:      prefix behind which IPv4 is; HP_AF_NONE: it is not behind one
 *
 * Strings are borrowed until the next call into the daemon.
 */
struct ctl_facts {
	const char *device;
	const char *prefix;
	uint32_t mtu;
	uint16_t port;
	unsigned int threads;
	uint64_t started_ns;
	const struct hp_portmap_info *portmap;
	struct hp_aead_choice crypto;
	struct hp_prefix nat64;
};

/**
 * struct ctl_cfg - How a control socket is made
 * @loop:    the control thread's loop (borrowed)
 * @node:    the engine (borrowed)
 * @network: name of the network (borrowed)
 * @path:    where the socket appears (borrowed); what an earlier daemon left
 *           there is replaced, so hold the network's lock first
 * @owner:   user who owns the socket; NULL or empty: root
 * @group:   group that may use it (mode 0660); NULL, empty or root: the owner
 *           alone (0600)
 * @version: of the program (borrowed)
 * @ctx:     handed to the callbacks
 * @reload:  read the configuration anew; on error the old one stays
 * @stop:    end the daemon; answers still reach their readers as ctl_free()
 *           sends what is left
 * @facts:   see struct ctl_facts
 * @stock:   the stock peer with the key @key, or, when that is NULL, with the
 *           name @name; NULL: none
 */
struct ctl_cfg {
	struct hp_loop *loop;
	struct hp_node *node;
	const char *network;
	const char *path;
	const char *owner;
	const char *group;
	const char *version;
	void *ctx;
	enum hp_err (*reload)(void *ctx, struct hp_fault *f);
	void (*stop)(void *ctx);
	void (*facts)(void *ctx, struct ctl_facts *out);
	const struct hp_stock_peer *(*stock)(void *ctx,
					     const struct hp_public *key,
					     const char *name);
};

/**
 * ctl_new() - Open the control socket
 * @cfg: borrowed for the call, but for what it says
 * @out: gives the control socket; free with ctl_free()
 *
 * Return: HP_OK; HP_ERR_UNKNOWN (owner or group), HP_ERR_IO, HP_ERR_FORMAT
 *         (path too long), HP_ERR_NOMEM, with @f filled.
 */
enum hp_err ctl_new(const struct ctl_cfg *cfg, struct ctl **out,
		    struct hp_fault *f) HP_MUST_CHECK;
/* Closes the socket and its clients and removes @path. NULL is fine. */
void ctl_free(struct ctl *c);

/* Tells those who wait or watch. May be called from the engine's event
 * callback: the engine is asked for details only at the loop's next turn.
 */
void ctl_event(struct ctl *c, const struct hp_node_event *ev);

#endif
