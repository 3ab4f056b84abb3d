/* SPDX-License-Identifier: ISC */
/*
 * What a network's daemon writes to disk while it runs (pins, revocations, its
 * certificate, addresses of peers), and what it reads there a second time: the
 * configuration, when people ask.
 */
#include <string.h>

#include "base/time.h"
#include "device.h"
#include "log.h"
#include "names.h"
#include "netmode_impl.h"
#include "rtnl.h"
#include "stock.h"
#include "sys/loop.h"
#include "sys/store.h"
#include "sys/store_peers.h"
#include "wg/device.h"

/* What a store that failed (disk full) waits for the next try. */
#define STORE_RETRY_NS (10 * HP_S)

/* Tries one write; what fails stays pending. */
static void store_one(struct netmode *m, enum pending what, uint64_t now_ns)
{
	const struct hp_judge *judge = hp_node_judge(m->node);
	enum hp_err err = HP_OK;
	struct hp_fault f;

	if (!(m->pending & what))
		return;
	if (what == PENDING_PINS)
		err = hp_store_save_pins(m->store, judge, &f);
	else if (what == PENDING_REVOKED)
		err = hp_store_save_revoked(m->store, judge, &f);
	else if (what == PENDING_CERT)
		err = hp_store_save_cert(
			m->store, &hp_node_identity(m->node)->cert, &f);
	if (err) {
		log_fault(m->log, &f);
		m->retry_ns = now_ns + STORE_RETRY_NS;
	} else {
		m->pending &= ~(unsigned int)what;
	}
}

void netmode_store(struct netmode *m, uint64_t now_ns)
{
	m->retry_ns = 0;
	store_one(m, PENDING_PINS, now_ns);
	store_one(m, PENDING_REVOKED, now_ns);
	store_one(m, PENDING_CERT, now_ns);
}

void netmode_store_cache(struct netmode *m)
{
	struct hp_fault f;

	if (m->cache_ns == HP_NEVER)
		return;
	m->cache_ns = HP_NEVER;
	if (hp_store_save_cache(m->store, m->node, &f))
		log_fault(m->log, &f);
}

void netmode_load_cache(struct netmode *m)
{
	struct hp_fault f;
	uint16_t port;

	if (hp_store_load_cache(m->store, m->node, &port, &f))
		log_fault(m->log, &f);
	/* Taken meanwhile: the one we have will do. */
	else if (port && !m->store->iface.listen_port &&
		 device_set_port(m->device, port, NULL))
		return;
}

/* What a running daemon cannot change, and how it reads in the file. */
static const char *fixed_changed(const struct hp_store *was,
				 const struct hp_store *is)
{
	if (memcmp(&was->id.key, &is->id.key, sizeof(is->id.key)) ||
	    was->id.cert.grant.serial != is->id.cert.grant.serial ||
	    !hp_public_eq(&was->net.id, &is->net.id))
		return "our keys or certificate";
	if (was->net.n_servers != is->net.n_servers ||
	    memcmp(was->net.server, is->net.server, sizeof(is->net.server)))
		return "Rendezvous";
	if (was->net.n_pins != is->net.n_pins ||
	    memcmp(was->net.pin, is->net.pin, sizeof(is->net.pin)))
		return "RendezvousKey";
	if (strcmp(was->iface.device, is->iface.device))
		return "Device";
	if (was->iface.listen_port != is->iface.listen_port)
		return "ListenPort";
	if (was->iface.offload != is->iface.offload)
		return "Offload";
	if (was->iface.threads != is->iface.threads)
		return "Threads";
	if (was->iface.beacon != is->iface.beacon)
		return "Beacon";
	if (was->iface.allow_relay != is->iface.allow_relay ||
	    was->iface.relay_rate != is->iface.relay_rate)
		return "AllowRelay";
	if (was->iface.methods != is->iface.methods)
		return "Methods";
	if (was->iface.cipher != is->iface.cipher)
		return "Cipher";
	if (was->iface.engine != is->iface.engine)
		return "Crypto";
	if (memcmp(&was->iface.interfaces, &is->iface.interfaces,
		   sizeof(is->iface.interfaces)) ||
	    memcmp(&was->iface.exclude, &is->iface.exclude,
		   sizeof(is->iface.exclude)))
		return "Interfaces or Exclude";
	if (strcmp(was->iface.owner, is->iface.owner) ||
	    strcmp(was->iface.group, is->iface.group))
		return "ControlOwner or ControlGroup";
	return NULL;
}

/* Revocations that were made, or handed over, while we ran. */
static enum hp_err reload_revoked(struct netmode *m, const struct hp_store *is,
				  uint64_t now_ns, struct hp_fault *f)
{
	struct hp_judge *judge;
	const uint8_t *list;
	enum hp_err err;
	size_t len;

	err = hp_store_judge(is, &judge, f);
	if (err)
		return err;
	list = hp_judge_revoked(judge, &len);
	if (list)
		err = hp_node_set_revoked(m->node, list, len, now_ns);
	hp_judge_free(judge);
	if (err && err != HP_ERR_REPLAY)
		return hp_fault_set(f, err, "", "the revocation list: %s",
				    hp_err_name(err));
	return HP_OK;
}

static enum hp_err take_settings(struct netmode *m, struct hp_store *is,
				 uint64_t now_ns, struct hp_fault *f)
{
	const char *fixed = fixed_changed(m->store, is);
	struct hp_stock_peer *peer = m->store->peer;
	size_t n_peers = m->store->n_peers;
	enum hp_err err;

	if (fixed)
		return hp_fault_set(f, HP_ERR_STATE,
				    "end the daemon and start it again",
				    "%s changed, which a running daemon "
				    "cannot take over", fixed);
	err = reload_revoked(m, is, now_ns, f);
	if (!err && is->iface.mtu != m->store->iface.mtu)
		err = rtnl_link_mtu(m->rtnl, device_index(m->device),
				    is->iface.mtu, f);
	if (err)
		return err;
	hp_wg_set_mtu(hp_node_wg(m->node), is->iface.mtu);
	m->store->iface = is->iface;
	m->store->peer = is->peer;
	m->store->n_peers = is->n_peers;
	is->peer = peer;
	is->n_peers = n_peers;
	stock_set(m->stock, m->store->peer, m->store->n_peers, now_ns);
	names_tell(m->names, now_ns);
	return HP_OK;
}

enum hp_err netmode_reload(struct netmode *m, struct hp_fault *f)
{
	struct hp_store *is;
	enum hp_err err;

	err = hp_store_open(m->cfg->dirs, m->store->name, &is, f);
	if (err)
		return err;
	err = take_settings(m, is, hp_loop_now(m->loop), f);
	hp_store_close(is);
	return err;
}
