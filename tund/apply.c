/* SPDX-License-Identifier: ISC */
#include "apply.h"

#include <errno.h>
#include <stdbool.h>

#include "device.h"
#include "uapi.h"
#include "wg/device.h"

static int errno_of(enum hp_err err)
{
	if (!err)
		return 0;
	if (err == HP_ERR_EXISTS)
		return -EADDRINUSE;
	if (err == HP_ERR_NOMEM)
		return -ENOMEM;
	return errno == EPERM || errno == EACCES ? -EPERM : -EIO;
}

static int apply_sockets(struct device *d, const struct uapi_item *items,
			 size_t n)
{
	enum hp_err err = HP_OK;
	size_t i;

	for (i = 0; i < n && !err; i++) {
		if (items[i].key == UAPI_FWMARK)
			err = device_set_mark(d, items[i].number);
		else if (items[i].key == UAPI_LISTEN_PORT)
			err = device_set_port(d, (uint16_t)items[i].number,
					      NULL);
	}
	return errno_of(err);
}

static void remove_peers(struct hp_wg *wg)
{
	struct hp_wg_peer *peer;

	while ((peer = hp_wg_peer_next(wg, NULL)))
		hp_wg_peer_remove(peer);
}

/* How many of @n items are about the interface, or about one peer: up to the
 * next public key.
 */
static size_t section_len(const struct uapi_item *items, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (items[i].key == UAPI_PUBLIC_KEY)
			break;
	return i;
}

static bool section_has(const struct uapi_item *items, size_t n,
			enum uapi_key key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (items[i].key == key)
			return true;
	return false;
}

static enum hp_err apply_item(struct hp_wg_peer *peer,
			      const struct uapi_item *item, uint64_t now_ns)
{
	struct hp_path path = { 0 };

	switch (item->key) {
	case UAPI_PRESHARED_KEY:
		hp_wg_peer_set_psk(peer, &item->secret);
		break;
	case UAPI_ENDPOINT:
		path.remote = item->addr;
		return hp_wg_peer_set_path(peer, &path, now_ns);
	case UAPI_REPLACE_ALLOWED_IPS:
		hp_wg_peer_clear_allowed(peer);
		break;
	case UAPI_ALLOWED_IP:
		return hp_wg_peer_allow(peer, &item->prefix);
	case UAPI_DISALLOWED_IP:
		/* Not this peer's: then it is as asked for. */
		(void)hp_wg_peer_disallow(peer, &item->prefix);
		break;
	case UAPI_KEEPALIVE:
		/* Last, see apply_peer(). */
	case UAPI_PRIVATE_KEY:
	case UAPI_LISTEN_PORT:
	case UAPI_FWMARK:
	case UAPI_REPLACE_PEERS:
	case UAPI_PUBLIC_KEY:
	case UAPI_REMOVE:
	case UAPI_UPDATE_ONLY:
	case UAPI_PROTOCOL_VERSION:
		break;
	}
	return HP_OK;
}

/* @items: what stands between this public key and the next. */
static enum hp_err apply_peer(struct hp_wg *wg, const struct hp_public *key,
			      const struct uapi_item *items, size_t n,
			      uint64_t now_ns)
{
	struct hp_wg_peer *peer = hp_wg_peer_find(wg, key);
	enum hp_err err = HP_OK;
	size_t i;

	if (section_has(items, n, UAPI_REMOVE)) {
		if (peer)
			hp_wg_peer_remove(peer);
		return HP_OK;
	}
	if (!peer) {
		if (section_has(items, n, UAPI_UPDATE_ONLY))
			return HP_OK;
		err = hp_wg_peer_add(wg, key, &peer);
		/* Our own key among the peers is passed over: one file of
		 * peers may serve all hosts.
		 */
		if (err)
			return err == HP_ERR_DENIED ? HP_OK : err;
	}
	for (i = 0; i < n && !err; i++)
		err = apply_item(peer, &items[i], now_ns);
	/* It may send at once, for which the rest must be there. */
	for (i = 0; i < n && !err; i++)
		if (items[i].key == UAPI_KEEPALIVE)
			hp_wg_peer_set_keepalive(peer,
						 (uint16_t)items[i].number,
						 now_ns);
	return err;
}

static void apply_interface(struct hp_wg *wg, const struct uapi_item *items,
			    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (items[i].key == UAPI_PRIVATE_KEY)
			hp_wg_set_private(wg, &items[i].secret);
		else if (items[i].key == UAPI_REPLACE_PEERS)
			remove_peers(wg);
	}
}

int apply_request(struct device *d, struct hp_wg *wg,
		  const struct uapi_request *r, uint64_t now_ns)
{
	size_t at = section_len(r->items, r->n);
	enum hp_err err = HP_OK;
	int rc = apply_sockets(d, r->items, at);
	size_t n;

	if (rc)
		return rc;
	apply_interface(wg, r->items, at);
	while (at < r->n && !err) {
		const struct uapi_item *key = &r->items[at++];

		n = section_len(r->items + at, r->n - at);
		err = apply_peer(wg, &key->public, r->items + at, n, now_ns);
		at += n;
	}
	return errno_of(err);
}
