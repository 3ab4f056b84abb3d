/* SPDX-License-Identifier: ISC */
/*
 * What a node relays between other members: for the threads that receive
 * datagrams. They see ciphertext and channel numbers.
 */
#ifndef HP_NODE_FERRY_H
#define HP_NODE_FERRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "base/pkt.h"

struct hp_ferry;
struct hp_node;

/* NULL: the node relays for nobody. Lives as long as the node. */
struct hp_ferry *hp_node_ferry(struct hp_node *n);
/**
 * hp_ferry_pass() - Is this datagram for another member?
 * @f:    NULL: no
 * @from: where it came from
 * @p:    the datagram, relay header and all (borrowed, unchanged)
 * @to:   gets the path that it is to leave by, as it is; valid until the
 *        thread's next quiescent point
 *
 * Safe from any thread.
 *
 * Return: HP_OK; HP_ERR_TYPE: it is not, take it as ever; HP_ERR_LIMIT: it was,
 *         and is to be dropped, for the rate is used up (counted).
 */
enum hp_err hp_ferry_pass(struct hp_ferry *f, const struct hp_path *from,
			  const struct hp_pkt *p, uint64_t now_ns,
			  const struct hp_path **to) HP_MUST_CHECK;

/**
 * struct hp_ferry_info - What is relayed for others
 * @rate:     bytes per second that are relayed at most; 0: no limit
 * @channels: pairs of members that are joined now
 * @packets:  relayed since the start, and their @bytes
 * @dropped:  datagrams that came above the rate
 */
struct hp_ferry_info {
	uint32_t rate;
	size_t channels;
	uint64_t packets;
	uint64_t bytes;
	uint64_t dropped;
};

/* False: the node relays for nobody. */
bool hp_node_ferry_get(const struct hp_node *n, struct hp_ferry_info *out);

/**
 * struct hp_via_info - Members that a direct path leads to, but for one peer
 * @relays: one that relays for others, NULL: none does
 * @other:  one that does not, NULL: all do
 */
struct hp_via_info {
	const char *relays;
	const char *other;
};

/* Who could relay for @peer? Names live until the next call into the node. */
void hp_node_via_get(const struct hp_node *n, const char *peer,
		     struct hp_via_info *out);

#endif
