/* SPDX-License-Identifier: ISC */
/*
 * Where each peer was reached before, kept across restarts: sealed under a key
 * of the network, for the shell to put on disk. It holds no more than where to
 * call (call.c); who answers there has to prove who it is, so that an old or
 * foreign address does no harm. The newest are kept when there are too many. Our
 * own port is in it, too: a node that comes back with the one it had is where
 * others look for it, and its NAT may still be open.
 */
#include "node/internal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define VERSION 1
#define HEAD (1 + 2 + 2)
#define ENTRY_MAX (HP_SLOT_LEN + 1 + HP_HOMES * HP_ADDR_WIRE_MAX)

_Static_assert(HP_NODE_CACHE_MAX ==
		       HP_BOX_OVERHEAD + HEAD + HP_NODE_CACHED * ENTRY_MAX,
	       "all fits");

static void put_at(struct peer *p, unsigned int at, const struct hp_addr *a)
{
	unsigned int was = 0;

	while (was < p->n_homes && !hp_addr_eq(&p->homes[was], a))
		was++;
	if (was == p->n_homes) {
		if (p->n_homes < HP_HOMES)
			p->n_homes++;
		else
			was--;
	}
	if (at > was)
		return;
	memmove(&p->homes[at + 1], &p->homes[at],
		(was - at) * sizeof(p->homes[0]));
	p->homes[at] = *a;
}

void hp_cache_good(struct peer *p, const struct hp_path *path)
{
	struct hp_node *n = p->node;

	if (path->channel || path->remote.scope ||
	    (p->home_s && hp_addr_eq(&p->homes[0], &path->remote)))
		return;
	put_at(p, 0, &path->remote);
	p->home_s = hp_node_wall(n);
	hp_node_emit(n, HP_NODE_CACHE, p, HP_OK);
}

/* What was good stays in front. */
void hp_cache_told(struct peer *p, const struct hp_candidate *cand, size_t count)
{
	for (size_t i = count < HP_HOMES ? count : HP_HOMES - 1; i-- > 0;)
		put_at(p, p->n_homes ? 1 : 0, &cand[i].addr);
}

static void key_of(const struct hp_node *n, struct hp_secret *out)
{
	hp_derive(&n->net.secret, "hptun cache v1", n->slot, sizeof(n->slot),
		  out);
}

/* The wall time that the HP_NODE_CACHED newest do not lie before. */
static uint64_t oldest_kept(const struct hp_node *n)
{
	uint64_t low = 0, high = UINT64_MAX;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		size_t count = 0;

		for (const struct peer *p = n->peers; p; p = p->hh.next)
			count += p->n_homes && p->home_s >= mid;
		if (count > HP_NODE_CACHED)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t hp_node_cache_get(const struct hp_node *n, uint8_t out[HP_NODE_CACHE_MAX])
{
	struct hp_wr w = hp_wr_of(out + HP_XNONCE_LEN,
				  HP_NODE_CACHE_MAX - HP_BOX_OVERHEAD);
	uint64_t since_s = oldest_kept(n);
	struct hp_secret key;
	uint16_t count = 0;

	hp_wr_u8(&w, VERSION);
	hp_wr_be16(&w, n->port);
	hp_wr_be16(&w, 0);
	for (const struct peer *p = n->peers; p; p = p->hh.next) {
		if (!p->n_homes || p->home_s < since_s || p->cause != HP_OK)
			continue;
		hp_wr_copy(&w, p->slot, HP_SLOT_LEN);
		hp_wr_u8(&w, (uint8_t)p->n_homes);
		for (unsigned int i = 0; i < p->n_homes; i++)
			hp_addr_put(&w, &p->homes[i]);
		count++;
	}
	hp_put_be16(w.start + 3, count);
	key_of(n, &key);
	hp_box_seal(&key, &n->cfg.rng, NULL, 0, w.start, w.len, out);
	hp_secret_wipe(&key);
	return w.len + HP_BOX_OVERHEAD;
}

static bool entry_get(struct hp_rd *r, uint8_t slot[HP_SLOT_LEN],
		      struct hp_addr homes[HP_HOMES], unsigned int *count)
{
	hp_rd_copy(r, slot, HP_SLOT_LEN);
	*count = hp_rd_u8(r);
	if (*count > HP_HOMES)
		r->bad = true;
	for (unsigned int i = 0; !r->bad && i < *count; i++)
		homes[i] = hp_addr_get(r);
	return !r->bad;
}

/* Into peers when @n is given: only those that are pinned. */
static enum hp_err entries_get(struct hp_rd r, struct hp_node *n)
{
	struct hp_addr homes[HP_HOMES];
	uint8_t slot[HP_SLOT_LEN];
	unsigned int count;

	for (unsigned int left = hp_rd_be16(&r); left; left--) {
		struct peer *p;

		if (!entry_get(&r, slot, homes, &count))
			return HP_ERR_FORMAT;
		p = n ? hp_peer_find(n, slot) : NULL;
		if (!p)
			continue;
		memcpy(p->homes, homes, sizeof(homes));
		p->n_homes = count;
	}
	return hp_rd_done(&r) ? HP_OK : HP_ERR_FORMAT;
}

enum hp_err hp_node_cache_set(struct hp_node *n, const uint8_t *buf, size_t len,
			      uint16_t *port)
{
	static const size_t least = HP_BOX_OVERHEAD + HEAD;
	uint8_t plain[HP_NODE_CACHE_MAX - HP_BOX_OVERHEAD];
	struct hp_secret key;
	enum hp_err err;
	struct hp_rd r;

	if (len < least || len > HP_NODE_CACHE_MAX)
		return len < least ? HP_ERR_SHORT : HP_ERR_FORMAT;
	key_of(n, &key);
	err = hp_box_open(&key, NULL, 0, buf, len, plain);
	hp_secret_wipe(&key);
	if (err)
		return err;
	r = hp_rd_of(plain, len - HP_BOX_OVERHEAD);
	if (hp_rd_u8(&r) != VERSION)
		return HP_ERR_VERSION;
	*port = hp_rd_be16(&r);
	err = entries_get(r, NULL);
	return err ? err : entries_get(r, n);
}
