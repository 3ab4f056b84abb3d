/* SPDX-License-Identifier: ISC */
/*
 * Packets that do not fit their path, one by one: told to their sender, or sent
 * in fragments. They are rare: a sender that is told sends shorter ones.
 */
#ifndef TUND_MISFIT_H
#define TUND_MISFIT_H

#include <stdint.h>

#include "base/path.h"
#include "base/pkt.h"
#include "wg/forward.h"
#include "wg/toobig.h"

struct ports;
struct tun;

/* Of one data thread; zeroed at first, but for @thread.
 * @thread: number of the thread
 * @id:   of the last IPv6 packet that was cut
 * @room: for one fragment of the longest packet that a device may give
 */
struct misfit {
	struct hp_toobig_limit limit;
	unsigned int thread;
	uint32_t id;
	uint8_t room[HP_HEADROOM + 9216 + HP_TAILROOM];
};

/* Tells the sender of @p, which does not fit into @mtu, through @tun; or cuts
 * it, seals the fragments with @f and sends them from @ports.
 */
void misfit_handle(struct misfit *m, struct hp_forward *f,
		   const struct ports *ports, const struct tun *tun,
		   const struct hp_pkt *p, uint32_t mtu, uint64_t now_ns);
#endif
