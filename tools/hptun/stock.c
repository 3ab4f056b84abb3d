/* SPDX-License-Identifier: ISC */
#include "stock.h"

#include <stdio.h>
#include <string.h>

#include "sys/store_peers.h"

enum hp_err stock_edit_begin(struct stock_edit *e, const struct cli *cli,
			     struct hp_fault *f)
{
	char name[HP_NAME_TEXT];
	struct hp_store where;
	enum hp_err err;

	*e = (struct stock_edit){ .fd = -1 };
	/* The lock first: what is loaded then is what is edited. */
	err = hp_store_pick(&cli->dirs, cli->network, name, f);
	if (!err)
		err = hp_store_init(&where, &cli->dirs, name, f);
	if (!err)
		err = hp_path_join(e->lock, where.config, "lock", f);
	if (!err)
		err = hp_lock_take(e->lock, &e->fd, f);
	return err ? err : hp_store_open(&cli->dirs, name, &e->store, f);
}

void stock_edit_end(struct stock_edit *e)
{
	hp_store_close(e->store);
	hp_lock_release(e->lock, e->fd);
}

void stock_next(const struct hp_store *s, FILE *out)
{
	if (hp_lock_holder(s->lock))
		fprintf(out, "next:\n"
			     "  hptunctl reload       lets the daemon take it "
			     "over\n");
}

/* ---- addresses ----------------------------------------------------------- */

enum hp_err stock_value_address(const char *text, struct hp_addr *out,
				struct hp_fault *f)
{
	struct hp_prefix p;
	enum hp_err err;

	err = hp_prefix_parse(text, &p, f);
	if (err)
		return err;
	if (p.family != HP_AF_4 || p.bits != 32)
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "write one IPv4 address of the network",
				    "\"%.40s\" is not an IPv4 address", text);
	*out = hp_addr_of(HP_AF_4, p.ip, 0);
	return HP_OK;
}

enum hp_err stock_overlay(const struct hp_store *s, const struct hp_addr *addr,
			  struct hp_overlay *out, struct hp_fault *f)
{
	struct hp_overlay overlay = s->id.cert.grant.overlay;
	struct hp_prefix subnet = hp_overlay_subnet(&overlay);
	char text[HP_PREFIX_TEXT], ip[HP_ADDR_TEXT];

	memcpy(overlay.ip, addr->ip, sizeof(overlay.ip));
	if (hp_prefix_has(&subnet, HP_AF_4, overlay.ip) &&
	    hp_overlay_ok(&overlay)) {
		*out = overlay;
		return HP_OK;
	}
	return hp_fault_set(f, HP_ERR_FORMAT,
			    s->has_root ?
			    "leave --address out to get a free one" :
			    "choose one that no member has",
			    "%s is not a host's address in %s",
			    hp_addr_ip_text(addr, ip),
			    hp_prefix_text(&subnet, text));
}

static enum hp_err free_overlay(const struct hp_store *s,
				struct hp_overlay *out, struct hp_fault *f)
{
	struct hp_members m = { 0 };
	enum hp_err err;

	if (!s->has_root)
		return hp_fault_set(f, HP_ERR_DENIED,
				    "ask the host that invites for a free one "
				    "and add --address IP",
				    "this host does not know which addresses "
				    "of the network are free");
	err = hp_members_load(s, &m, f);
	if (err)
		return err;
	if (hp_members_free_address(&m, s, out))
		err = hp_fault_set(f, HP_ERR_FULL,
				   "revoke a node that is gone, or remove a "
				   "stock peer",
				   "every address of the network is taken");
	hp_members_free(&m);
	return err;
}

enum hp_err stock_place(const struct hp_store *s, const struct hp_addr *addr,
			struct hp_stock_peer *peer, struct hp_fault *f)
{
	struct hp_overlay overlay;
	struct hp_prefix p;
	struct hp_addr a;
	enum hp_err err;

	err = addr->family == HP_AF_NONE ? free_overlay(s, &overlay, f) :
					   stock_overlay(s, addr, &overlay, f);
	if (err)
		return err;
	a = hp_overlay_addr4(&overlay);
	p = hp_prefix_host(&a);
	err = hp_stock_peer_allow(peer, &p, f);
	if (err)
		return err;
	a = hp_overlay_addr6(&s->net.id, &overlay);
	p = hp_prefix_host(&a);
	return hp_stock_peer_allow(peer, &p, f);
}

/* ---- clashes ------------------------------------------------------------- */

static enum hp_err name_taken(const char *name, const char *who,
			      struct hp_fault *f)
{
	return hp_fault_set(f, HP_ERR_EXISTS, "choose another name",
			    "%s is %s", name, who);
}

/* Does the node @name with @overlay have one of the AllowedIPs of @peer? */
static enum hp_err address_check(const struct hp_store *s,
				 const struct hp_stock_peer *peer,
				 const char *name,
				 const struct hp_overlay *overlay,
				 struct hp_fault *f)
{
	struct hp_addr a4 = hp_overlay_addr4(overlay);
	struct hp_addr a6 = hp_overlay_addr6(&s->net.id, overlay);
	struct hp_prefix p4 = hp_prefix_host(&a4), p6 = hp_prefix_host(&a6);
	char ip[HP_ADDR_TEXT];

	for (unsigned int i = 0; i < peer->n_allowed; i++) {
		const struct hp_prefix *p = &peer->allowed[i];

		if (hp_prefix_eq(p, &p4) || hp_prefix_eq(p, &p6))
			return hp_fault_set(f, HP_ERR_EXISTS,
					    "choose another address",
					    "%s belongs to %s",
					    hp_addr_ip_text(p->family ==
							    HP_AF_4 ? &a4 :
							    &a6, ip), name);
	}
	return HP_OK;
}

/* Nodes that were met, and this host. */
static enum hp_err pins_check(const struct hp_store *s,
			      const struct hp_judge *j,
			      const struct hp_stock_peer *peer,
			      struct hp_fault *f)
{
	const char *own = s->id.cert.grant.name;
	enum hp_err err = HP_OK;

	for (size_t i = 0; !err && i < hp_judge_pin_count(j); i++) {
		const struct hp_pin *pin = hp_judge_pin(j, i);

		if (hp_judge_is_revoked(j, pin->serial))
			continue;
		if (!strcmp(pin->name, peer->name))
			return name_taken(pin->name, strcmp(pin->name, own) ?
					  "a member of the network" :
					  "this host", f);
		if (hp_public_eq(&pin->key, &peer->key))
			return hp_fault_set(f, HP_ERR_EXISTS,
					    "give the stock peer a key of its "
					    "own: wg genkey",
					    "this is the key of %s", pin->name);
		err = address_check(s, peer, pin->name, &pin->overlay, f);
	}
	return err;
}

static enum hp_err members_check(const struct hp_store *s,
				 const struct hp_stock_peer *peer,
				 struct hp_fault *f)
{
	struct hp_members m = { 0 };
	enum hp_err err;

	if (!s->has_root)
		return HP_OK;
	err = hp_members_load(s, &m, f);
	for (size_t i = 0; !err && i < m.n; i++) {
		const struct hp_member *one = &m.member[i];

		if (one->revoked || hp_members_find(&m, one->name) != one)
			continue;
		if (!strcmp(one->name, peer->name))
			err = name_taken(one->name, "invited", f);
		else
			err = address_check(s, peer, one->name, &one->overlay,
					    f);
	}
	hp_members_free(&m);
	return err;
}

static enum hp_err stocks_check(const struct hp_store *s,
				const struct hp_stock_peer *peer,
				struct hp_fault *f)
{
	const struct hp_stock_peer *other;
	char key[HP_KEY_TEXT], prefix[HP_PREFIX_TEXT];

	if (hp_store_peer_find(s, peer->name))
		return hp_fault_set(f, HP_ERR_EXISTS,
				    "choose another name, or remove it first: "
				    "hptun peer remove NAME",
				    "%s is a stock peer already", peer->name);
	other = hp_store_peer_find(s, hp_public_text(&peer->key, key));
	if (other)
		return hp_fault_set(f, HP_ERR_EXISTS,
				    "remove that one first: hptun peer remove",
				    "the stock peer %s has this key",
				    other->name[0] ? other->name : key);
	for (unsigned int i = 0; i < peer->n_allowed; i++) {
		other = hp_store_peer_at(s, &peer->allowed[i]);
		if (other)
			return hp_fault_set(f, HP_ERR_EXISTS,
					    "a prefix leads to one peer alone",
					    "%s belongs to the stock peer %s",
					    hp_prefix_text(&peer->allowed[i],
							   prefix),
					    other->name[0] ? other->name :
					    hp_public_text(&other->key, key));
	}
	return HP_OK;
}

enum hp_err stock_check(const struct hp_store *s,
			const struct hp_stock_peer *peer, struct hp_fault *f)
{
	struct hp_judge *j = NULL;
	enum hp_err err = hp_store_judge(s, &j, f);

	if (!err)
		err = pins_check(s, j, peer, f);
	if (!err)
		err = members_check(s, peer, f);
	if (!err)
		err = stocks_check(s, peer, f);
	hp_judge_free(j);
	return err;
}
