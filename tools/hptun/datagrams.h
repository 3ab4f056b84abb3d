/* SPDX-License-Identifier: ISC */
/* What arrives at a pair of sockets, handed on datagram by datagram. */
#ifndef TOOLS_HPTUN_DATAGRAMS_H
#define TOOLS_HPTUN_DATAGRAMS_H

#include "base/pkt.h"
#include "sys/loop.h"
#include "sys/udp.h"

/**
 * struct datagrams - A pair of sockets in a loop
 * @udp:   both families, or one (borrowed)
 * @batch: room to receive (borrowed)
 * @rx:    called for each; @pkt (borrowed) has HP_HEADROOM
 * @ctx:   handed to it
 */
struct datagrams {
	const struct hp_udp *udp;
	struct hp_udp_batch *batch;
	void (*rx)(void *ctx, const struct hp_path *from, struct hp_pkt *pkt,
		   uint64_t now_ns);
	void *ctx;
};

/* Begins; @d is borrowed as long as the sockets are open. Errors as of
 * hp_loop_watch().
 */
enum hp_err datagrams_watch(struct datagrams *d, struct hp_loop *loop)
	HP_MUST_CHECK;

#endif
