/* SPDX-License-Identifier: ISC */
#include "stock.h"

#include <stdlib.h>
#include <string.h>

#include "base/key.h"
#include "base/time.h"
#include "log.h"
#include "rtnl.h"
#include "sys/loop.h"
#include "sys/resolve.h"
#include "sys/store.h"
#include "wg/device.h"

/* How often peers with an endpoint are looked at, and how long one may owe an
 * answer to our handshake before its name is looked up again: three attempts.
 */
#define LOOK_NS (5 * HP_S)
#define OWED_NS (12 * HP_S)

/* What a peer of ours was set up with. */
struct entry {
	struct hp_public key;
	bool has_endpoint;
	struct hp_server endpoint;
	struct hp_addr at; /* what that resolved to, HP_AF_NONE: not yet */
	uint64_t owed_ns;  /* since when a handshake goes on; 0: none does */
	size_t n_routes;
	struct hp_prefix route[HP_STORE_ALLOWED_MAX];
};

struct stock {
	struct stock_cfg cfg;
	struct hp_resolver *resolver;
	struct hp_server name[HP_RESOLVE_MAX]; /* its ids are places here */
	unsigned int n_names;
	struct entry *entry;
	size_t n;
	uint64_t look_ns; /* HP_NEVER: no peer has an endpoint */
};

static struct entry *entry_of(const struct stock *s,
			      const struct hp_public *key)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (hp_public_eq(&s->entry[i].key, key))
			return &s->entry[i];
	return NULL;
}

static bool same_server(const struct hp_server *a, const struct hp_server *b)
{
	return a->port == b->port && !strcmp(a->host, b->host);
}

bool stock_within(const struct stock *s, const struct hp_addr *a)
{
	enum hp_family family = (enum hp_family)a->family;
	size_t i, r;

	if (hp_prefix_has(&s->cfg.subnet4, family, a->ip) ||
	    hp_prefix_has(&s->cfg.subnet6, family, a->ip))
		return true;
	for (i = 0; i < s->n; i++)
		for (r = 0; r < s->entry[i].n_routes; r++)
			if (hp_prefix_has(&s->entry[i].route[r], family, a->ip))
				return true;
	return false;
}

/* A lookup that gives the same again leaves a peer alone that has moved since:
 * it knows better than the name service.
 */
static void endpoint_is(struct stock *s, struct entry *e,
			const struct hp_addr *at, uint64_t now_ns)
{
	struct hp_wg_peer *peer = hp_wg_peer_find(s->cfg.wg, &e->key);
	struct hp_path path = { .remote = *at };

	if (!peer || hp_addr_eq(&e->at, at))
		return;
	if (hp_wg_peer_set_path(peer, &path, now_ns) == HP_OK)
		e->at = *at;
}

static void on_resolved(void *ctx, unsigned int id,
			const struct hp_addr *addr4,
			const struct hp_addr *addr6, const char *error,
			uint64_t now_ns)
{
	struct stock *s = ctx;
	const struct hp_server *name = &s->name[id];
	size_t i;

	const struct hp_addr *at = addr4->family ? addr4 : addr6;

	if (error) {
		log_warn(s->cfg.log, "endpoint %s: %s", name->host, error);
		return;
	}
	if (stock_within(s, at)) {
		log_warn(s->cfg.log, "endpoint %s: its address is within the "
			 "tunnel", name->host);
		return;
	}
	for (i = 0; i < s->n; i++) {
		struct entry *e = &s->entry[i];

		if (e->has_endpoint && same_server(&e->endpoint, name))
			endpoint_is(s, e, at, now_ns);
	}
}

static void look_up(struct stock *s, const struct hp_server *server,
		    uint64_t now_ns)
{
	unsigned int id;

	for (id = 0; id < s->n_names; id++) {
		if (same_server(&s->name[id], server)) {
			hp_resolver_again(s->resolver, id, now_ns);
			return;
		}
	}
	if (id == HP_RESOLVE_MAX ||
	    hp_resolver_add(s->resolver, server, id) != HP_OK) {
		log_warn(s->cfg.log, "too many endpoints to look up: not %s",
			 server->host);
		return;
	}
	s->name[s->n_names++] = *server;
}

/* Nobody answers where @e is said to be: has its name another address by now?
 * If it has the same, it goes for a peer that moved away and was lost, too.
 */
static void look_at(struct stock *s, struct entry *e, uint64_t now_ns)
{
	struct hp_wg_peer *peer = hp_wg_peer_find(s->cfg.wg, &e->key);
	struct hp_wg_peer_info info;

	if (!peer)
		return;
	hp_wg_peer_info(peer, now_ns, &info);
	hp_secret_wipe(&info.psk);
	if (!info.handshaking)
		e->owed_ns = 0;
	else if (!e->owed_ns)
		e->owed_ns = now_ns;
	if (!e->owed_ns || hp_time_since(now_ns, e->owed_ns) < OWED_NS)
		return;
	e->owed_ns = now_ns;
	e->at = (struct hp_addr){ 0 };
	look_up(s, &e->endpoint, now_ns);
}

static uint64_t deadline(void *ctx)
{
	return ((const struct stock *)ctx)->look_ns;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct stock *s = ctx;
	size_t i;

	s->look_ns = HP_NEVER;
	for (i = 0; i < s->n; i++) {
		if (!s->entry[i].has_endpoint)
			continue;
		look_at(s, &s->entry[i], now_ns);
		s->look_ns = now_ns + LOOK_NS;
	}
}

void stock_network_changed(struct stock *s, uint64_t now_ns)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->entry[i].has_endpoint)
			look_up(s, &s->entry[i].endpoint, now_ns);
}

enum hp_err stock_new(const struct stock_cfg *cfg, struct stock **out)
{
	struct stock *s = calloc(1, sizeof(*s));
	struct hp_loop_timed timed = { deadline, tick, s };
	enum hp_err err;

	if (!s)
		return HP_ERR_NOMEM;
	s->cfg = *cfg;
	s->look_ns = HP_NEVER;
	err = hp_loop_timed(cfg->loop, &timed);
	if (err) {
		free(s);
		return err;
	}
	err = hp_resolver_new(cfg->loop, on_resolved, s, &s->resolver);
	if (err)
		free(s);
	else
		*out = s;
	return err;
}

void stock_free(struct stock *s)
{
	if (!s)
		return;
	hp_resolver_free(s->resolver);
	free(s->entry);
	free(s);
}

/* ---- routes -------------------------------------------------------------- */

static bool has_route(const struct entry *list, size_t n,
		      const struct hp_prefix *p)
{
	size_t i, r;

	for (i = 0; i < n; i++)
		for (r = 0; r < list[i].n_routes; r++)
			if (hp_prefix_eq(&list[i].route[r], p))
				return true;
	return false;
}

static void add_routes(struct stock *s, const struct entry *e)
{
	struct hp_fault f;
	size_t i;

	for (i = 0; i < e->n_routes; i++)
		if (rtnl_route_add(s->cfg.rtnl, s->cfg.index, &e->route[i], &f))
			log_fault(s->cfg.log, &f);
}

/* Takes away the routes of @e that none of the @n in @list has. */
static void drop_routes(struct stock *s, const struct entry *e,
			const struct entry *list, size_t n)
{
	struct hp_fault f;
	size_t i;

	for (i = 0; i < e->n_routes; i++)
		if (!has_route(list, n, &e->route[i]) &&
		    rtnl_route_del(s->cfg.rtnl, s->cfg.index, &e->route[i], &f))
			log_fault(s->cfg.log, &f);
}

/* ---- peers --------------------------------------------------------------- */

/* A default route into the tunnel would take the tunnel's own packets along.
 * Whoever wants that sets it up with policy rules.
 */
static void choose_routes(struct stock *s, struct entry *e,
			  const struct hp_stock_peer *peer)
{
	char text[HP_PREFIX_TEXT];
	unsigned int i;

	for (i = 0; i < peer->n_allowed; i++) {
		if (peer->allowed[i].bits)
			e->route[e->n_routes++] = peer->allowed[i];
		else
			log_info(s->cfg.log, "no route is set for %s",
				 hp_prefix_text(&peer->allowed[i], text));
	}
}

static struct hp_wg_peer *peer_for(struct stock *s, const struct entry *before,
				   const struct hp_public *key)
{
	struct hp_wg_peer *peer = hp_wg_peer_find(s->cfg.wg, key);
	char text[HP_KEY_TEXT];
	enum hp_err err;

	if (peer && before)
		return peer;
	err = hp_wg_peer_add(s->cfg.wg, key, &peer);
	if (!err)
		return peer;
	log_warn(s->cfg.log, "peer %s: %s", hp_public_text(key, text),
		 err == HP_ERR_DENIED ? "this is our own key" :
		 err == HP_ERR_EXISTS ? "a node of the network has this key" :
					hp_err_name(err));
	return NULL;
}

/* Sets @e and the engine's peer up; false: not to be had. */
static bool set_up(struct stock *s, const struct hp_stock_peer *want,
		   struct entry *e, uint64_t now_ns)
{
	const struct entry *before = entry_of(s, &want->key);
	struct hp_wg_peer *peer = peer_for(s, before, &want->key);
	unsigned int i;

	if (!peer)
		return false;
	*e = (struct entry){ .key = want->key,
			     .has_endpoint = want->has_endpoint,
			     .endpoint = want->endpoint };
	if (before && before->has_endpoint && want->has_endpoint &&
	    same_server(&before->endpoint, &want->endpoint))
		e->at = before->at;
	hp_wg_peer_set_psk(peer, want->has_psk ? &want->psk : NULL);
	hp_wg_peer_clear_allowed(peer);
	for (i = 0; i < want->n_allowed; i++)
		if (hp_wg_peer_allow(peer, &want->allowed[i]) != HP_OK)
			log_warn(s->cfg.log, "out of memory");
	hp_wg_peer_set_keepalive(peer, want->keepalive_s, now_ns);
	choose_routes(s, e, want);
	return true;
}

static void remove_peer(struct stock *s, const struct entry *e)
{
	struct hp_wg_peer *peer = hp_wg_peer_find(s->cfg.wg, &e->key);

	if (peer)
		hp_wg_peer_remove(peer);
}

void stock_set(struct stock *s, const struct hp_stock_peer *peers, size_t n,
	       uint64_t now_ns)
{
	struct entry *fresh = calloc(n ? n : 1, sizeof(*fresh));
	struct entry *old = s->entry;
	size_t n_old = s->n, n_fresh = 0, i;

	if (!fresh) {
		log_warn(s->cfg.log, "out of memory: the peers stay as before");
		return;
	}
	for (i = 0; i < n; i++)
		n_fresh += set_up(s, &peers[i], &fresh[n_fresh], now_ns);
	s->entry = fresh;
	s->n = n_fresh;
	for (i = 0; i < n_old; i++) {
		drop_routes(s, &old[i], fresh, n_fresh);
		if (!entry_of(s, &old[i].key))
			remove_peer(s, &old[i]);
	}
	for (i = 0; i < n_fresh; i++) {
		add_routes(s, &fresh[i]);
		if (fresh[i].has_endpoint)
			look_up(s, &fresh[i].endpoint, now_ns);
	}
	free(old);
	if (s->look_ns == HP_NEVER)
		s->look_ns = now_ns; /* tick() finds out whether to go on */
}
