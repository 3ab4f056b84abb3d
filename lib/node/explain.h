/* SPDX-License-Identifier: ISC */
/* Why a node cannot be reached, for a person who waits for it. */
#ifndef HP_NODE_EXPLAIN_H
#define HP_NODE_EXPLAIN_H

#include <stdint.h>

#include "base/err.h"
#include "node/node.h"

/* The server that serves us best, in @out; its state. Without any server:
 * HP_SERVER_UNRESOLVED and @out->name NULL.
 */
enum hp_server_state hp_node_best_server(const struct hp_node *n,
					 struct hp_node_server_info *out);

/**
 * hp_node_explain() - Why packets do not reach a peer
 * @peer: name; NULL: why no server serves us
 * @f:    filled with the cause and what to do about it
 *
 * Return: one word for scripts, which is NULL, and @f untouched, when all is
 * well:
 *	"rendezvous"	no server answers, or none has an address
 *	"refused"	the server does not serve this network
 *	"offline"	the peer is not registered
 *	"certificate"	the peer's certificate was refused
 *	"path"		the peer is there and does not answer
 */
const char *hp_node_explain(const struct hp_node *n, const char *peer,
			    uint64_t now_ns, struct hp_fault *f);

#endif
