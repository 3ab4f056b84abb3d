/* SPDX-License-Identifier: ISC */
/* What both ends know of their connection: ours now, the peer's on request. */
#ifndef HP_NODE_HALVES_H
#define HP_NODE_HALVES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "node/node.h"
#include "node/report.h"

/* Our half. HP_ERR_UNKNOWN: nobody of that name was met or asked for. */
enum hp_err hp_node_report(const struct hp_node *n, const char *peer,
			   struct hp_report *out) HP_MUST_CHECK;
/* What it says of ourselves, where there is no peer. */
void hp_node_report_self(const struct hp_node *n, struct hp_report *out);
/**
 * hp_node_half_ask() - Ask a peer for its half
 * @anew: forget what it said before; false: repeat a question that may be lost
 *
 * HP_NODE_REPORT follows, unless a datagram is lost.
 *
 * Return: HP_OK; HP_ERR_UNKNOWN; HP_ERR_STATE: no path leads to it;
 *         HP_ERR_NOMEM.
 */
enum hp_err hp_node_half_ask(struct hp_node *n, const char *peer, bool anew,
			     uint64_t now_ns) HP_MUST_CHECK;
/* What it said. HP_ERR_UNKNOWN; HP_ERR_AGAIN: not all of it is there. */
enum hp_err hp_node_half_get(const struct hp_node *n, const char *peer,
			     struct hp_report *out) HP_MUST_CHECK;

#endif
