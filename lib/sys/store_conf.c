/* SPDX-License-Identifier: ISC */
#include "sys/store_conf.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sys/conf.h"
#include "sys/store.h"
#include "sys/store_peers.h"

/* What the callbacks below fill. @methods: the line was seen. */
struct reading {
	struct hp_store *store;
	struct hp_store_conf *conf;
	bool methods;
};

#define SETTER(name)                                                          \
	static enum hp_err name(void *ctx, const char *v, struct hp_fault *f)

SETTER(network_name)
{
	struct reading *r = ctx;

	return hp_name_parse(v, r->conf->network, f);
}

SETTER(network_id)
{
	struct reading *r = ctx;

	return hp_value_public(v, &r->conf->id, f);
}

SETTER(rendezvous)
{
	struct reading *r = ctx;
	struct hp_server s;
	enum hp_err err;

	err = hp_server_parse(v, &s, f);
	if (err)
		return err;
	err = hp_network_add_server(&r->store->net, &s);
	if (err == HP_ERR_EXISTS)
		return hp_fault_set(f, err, "delete one of the two",
				    "the server %s is there twice", s.host);
	if (err)
		return hp_fault_set(f, err, "keep the four best",
				    "more than %d rendezvous servers",
				    HP_SERVERS_MAX);
	return HP_OK;
}

SETTER(rendezvous_key)
{
	struct hp_network *n = &((struct reading *)ctx)->store->net;

	if (n->n_pins == HP_TLS_PINS_MAX)
		return hp_fault_set(f, HP_ERR_FULL, "delete those of old keys",
				    "more than %d keys", HP_TLS_PINS_MAX);
	return hp_tls_pin_parse(v, &n->pin[n->n_pins++], f);
}

SETTER(node_name)
{
	struct reading *r = ctx;

	return hp_name_parse(v, r->conf->node, f);
}

SETTER(node_address)
{
	struct reading *r = ctx;

	return hp_overlay_parse(v, &r->conf->overlay, f);
}

SETTER(listen_port)
{
	struct reading *r = ctx;

	return hp_value_port(v, &r->store->iface.listen_port, f);
}

SETTER(device)
{
	struct reading *r = ctx;

	return hp_value_ifname(v, r->store->iface.device, f);
}

SETTER(mtu)
{
	struct reading *r = ctx;
	enum hp_err err;
	uint32_t v32;

	/* IPv6 needs 1280 (RFC 8200, 5). */
	err = hp_value_u32(v, 1280, 9000, &v32, f);
	if (!err)
		r->store->iface.mtu = (uint16_t)v32;
	return err;
}

SETTER(offload)
{
	struct reading *r = ctx;

	return hp_value_bool(v, &r->store->iface.offload, f);
}

SETTER(threads)
{
	struct reading *r = ctx;

	return hp_value_threads(v, &r->store->iface.threads, f);
}

SETTER(beacon)
{
	struct reading *r = ctx;

	return hp_value_bool(v, &r->store->iface.beacon, f);
}

/* no, yes, or yes with a limit */
SETTER(allow_relay)
{
	struct hp_iface *i = &((struct reading *)ctx)->store->iface;
	uint32_t rate = 0;

	if (hp_value_bool(v, &i->allow_relay, NULL) == HP_OK) {
		i->relay_rate = 0;
		return HP_OK;
	}
	if (hp_value_rate(v, &rate, NULL) != HP_OK)
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "write no, yes, or the most bits per second "
				    "that may be relayed, 64k to 32G: 20M",
				    "\"%.40s\" is neither no, yes nor a rate",
				    v);
	i->allow_relay = true;
	i->relay_rate = rate;
	return HP_OK;
}

static enum hp_err pattern_set(const char *v, struct hp_ifpatterns *out,
			       struct hp_fault *f)
{
	size_t len = strlen(v);

	if (len >= HP_IFPATTERN || strcspn(v, " \t/") != len)
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "write names as ip link shows them; * and "
				    "? and [] stand for characters",
				    "\"%.40s\" matches no interface", v);
	if (out->n == HP_IFPATTERNS_MAX)
		return hp_fault_set(f, HP_ERR_FULL, "join some by patterns",
				    "more than %d patterns",
				    HP_IFPATTERNS_MAX);
	memcpy(out->text[out->n++], v, len + 1);
	return HP_OK;
}

SETTER(interfaces)
{
	struct reading *r = ctx;

	return pattern_set(v, &r->store->iface.interfaces, f);
}

SETTER(exclude)
{
	struct reading *r = ctx;

	return pattern_set(v, &r->store->iface.exclude, f);
}

static enum hp_err method_unknown(const char *v, struct hp_fault *f)
{
	const char *names[HP_METHODS + 1] = { "all" };
	const char *near;
	char remedy[160];
	size_t len;

	for (unsigned int i = 0; i < HP_METHODS; i++)
		names[i + 1] = hp_method_text((enum hp_method)(1u << i));
	near = hp_suggest(v, names, HP_METHODS + 1);
	len = (size_t)snprintf(remedy, sizeof(remedy), near ?
			       "did you mean %s?" : "known are: all", near);
	for (unsigned int i = 1; !near && i <= HP_METHODS; i++)
		len += (size_t)snprintf(remedy + len, sizeof(remedy) - len,
					", %s", names[i]);
	return hp_fault_set(f, HP_ERR_FORMAT, remedy,
			    "there is no method \"%.40s\"", v);
}

/* "all, -birthday": one item of it. What the first one leaves out counts as
 * all when it takes away, as none when it adds.
 */
SETTER(methods)
{
	struct reading *r = ctx;
	uint32_t *set = &r->store->iface.methods, bits = 0;
	bool off = *v == '-';

	v += off;
	if (!strcasecmp(v, "all"))
		bits = HP_METHODS_ALL;
	for (unsigned int i = 0; !bits && i < HP_METHODS; i++)
		if (!strcasecmp(v, hp_method_text((enum hp_method)(1u << i))))
			bits = 1u << i;
	if (!bits)
		return method_unknown(v, f);
	if (!r->methods)
		*set = off ? HP_METHODS_ALL : 0;
	r->methods = true;
	*set = off ? *set & ~bits : *set | bits;
	return HP_OK;
}

/* Something has to be left by which a peer can be found at all. */
static enum hp_err methods_check(const struct hp_store *s, struct hp_fault *f)
{
	if (s->iface.methods & (HP_METHOD_HOST | HP_METHOD_REFLEXIVE |
				HP_METHOD_RELAY))
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "add host, reflexive or relay to Methods",
			    "no method is left that reaches any peer");
}

SETTER(cipher)
{
	static const char *const words[] = {
		[HP_CIPHER_AUTO] = "auto",
		[HP_CIPHER_CHACHA] = "chacha20poly1305",
		[HP_CIPHER_AES] = "aes256gcm",
	};
	struct reading *r = ctx;

	for (int i = 0; i <= HP_CIPHER_AES; i++)
		if (!strcasecmp(v, words[i])) {
			r->store->iface.cipher = (enum hp_cipher_policy)i;
			return HP_OK;
		}
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "write auto, chacha20poly1305 or aes256gcm",
			    "there is no cipher \"%.40s\"", v);
}

SETTER(crypto)
{
	struct reading *r = ctx;

	if (hp_aead_parse(v, &r->store->iface.engine) == HP_OK)
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "write auto, libipsec-mb, libcrypto, libsodium "
			    "or libipsec-mb+libcrypto",
			    "there is no crypto library \"%.40s\"", v);
}

static enum hp_err user_set(const char *v, char out[HP_STORE_USER],
			    struct hp_fault *f)
{
	size_t len = strlen(v);

	if (len >= HP_STORE_USER || strcspn(v, " \t:/") != len)
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "write a name that /etc/passwd or "
				    "/etc/group holds",
				    "\"%.40s\" is not a user or group", v);
	memcpy(out, v, len + 1);
	return HP_OK;
}

SETTER(control_owner)
{
	struct reading *r = ctx;

	return user_set(v, r->store->iface.owner, f);
}

SETTER(control_group)
{
	struct reading *r = ctx;

	return user_set(v, r->store->iface.group, f);
}

static enum hp_err peer_begin(void *ctx, struct hp_fault *f)
{
	struct reading *r = ctx;
	struct hp_store *s = r->store;
	struct hp_stock_peer *grown;

	if (s->n_peers == HP_STORE_PEERS_MAX)
		return hp_fault_set(f, HP_ERR_FULL, "",
				    "more than %d [Peer] sections",
				    HP_STORE_PEERS_MAX);
	/* Not realloc: it would leave copies of preshared keys behind. */
	grown = calloc(s->n_peers + 1, sizeof(*grown));
	if (!grown)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	if (s->n_peers) {
		memcpy(grown, s->peer, s->n_peers * sizeof(*grown));
		sodium_memzero(s->peer, s->n_peers * sizeof(*grown));
		free(s->peer);
	}
	s->peer = grown;
	s->n_peers++;
	return HP_OK;
}

static struct hp_stock_peer *last_peer(void *ctx)
{
	struct reading *r = ctx;

	return &r->store->peer[r->store->n_peers - 1];
}

SETTER(peer_key)
{
	struct hp_stock_peer *peer = last_peer(ctx);
	struct reading *r = ctx;
	enum hp_err err;

	err = hp_value_public(v, &peer->key, f);
	for (size_t i = 0; !err && i + 1 < r->store->n_peers; i++)
		if (hp_public_eq(&r->store->peer[i].key, &peer->key))
			err = hp_fault_set(f, HP_ERR_EXISTS,
					   "join the two sections",
					   "two [Peer] sections have this "
					   "key");
	return err;
}

SETTER(peer_name)
{
	struct hp_stock_peer *peer = last_peer(ctx);
	struct reading *r = ctx;
	char name[HP_NAME_TEXT];
	enum hp_err err = hp_name_parse(v, name, f);

	if (err)
		return err;
	if (hp_store_peer_find(r->store, name) ||
	    !strcmp(name, r->conf->node))
		return hp_fault_set(f, HP_ERR_EXISTS, "choose another name",
				    "%s is the name of %s", name,
				    strcmp(name, r->conf->node) ?
				    "another [Peer]" : "this host");
	memcpy(peer->name, name, sizeof(name));
	return HP_OK;
}

SETTER(peer_psk)
{
	struct hp_stock_peer *peer = last_peer(ctx);
	enum hp_err err = hp_value_psk(v, &peer->psk, f);

	peer->has_psk = !err;
	return err;
}

SETTER(peer_allowed)
{
	struct hp_prefix p;
	enum hp_err err = hp_prefix_parse(v, &p, f);

	return err ? err : hp_stock_peer_allow(last_peer(ctx), &p, f);
}

SETTER(peer_endpoint)
{
	struct hp_stock_peer *peer = last_peer(ctx);
	enum hp_err err = hp_value_endpoint(v, &peer->endpoint, f);

	peer->has_endpoint = !err;
	return err;
}

SETTER(peer_keepalive)
{
	return hp_value_keepalive(v, &last_peer(ctx)->keepalive_s, f);
}

static const struct hp_conf_key network_keys[] = {
	{ .name = "Name", .set = network_name, .need = true },
	{ .name = "Id", .set = network_id, .need = true },
	{ .name = "Rendezvous", .set = rendezvous, .many = true, .need = true },
	{ .name = "RendezvousKey", .set = rendezvous_key, .many = true },
};

static const struct hp_conf_key interface_keys[] = {
	{ .name = "Name", .set = node_name, .need = true },
	{ .name = "Address", .set = node_address, .need = true },
	{ .name = "ListenPort", .set = listen_port },
	{ .name = "Device", .set = device },
	{ .name = "MTU", .set = mtu },
	{ .name = "Offload", .set = offload },
	{ .name = "Threads", .set = threads },
	{ .name = "Beacon", .set = beacon },
	{ .name = "AllowRelay", .set = allow_relay },
	{ .name = "Interfaces", .set = interfaces, .many = true },
	{ .name = "Exclude", .set = exclude, .many = true },
	{ .name = "Methods", .set = methods, .many = true },
	{ .name = "Cipher", .set = cipher },
	{ .name = "Crypto", .set = crypto },
	{ .name = "ControlOwner", .set = control_owner },
	{ .name = "ControlGroup", .set = control_group },
};

static const struct hp_conf_key peer_keys[] = {
	{ .name = "Name", .set = peer_name },
	{ .name = "PublicKey", .set = peer_key, .need = true },
	{ .name = "PresharedKey", .set = peer_psk },
	{ .name = "AllowedIPs", .set = peer_allowed, .many = true },
	{ .name = "Endpoint", .set = peer_endpoint },
	{ .name = "PersistentKeepalive", .set = peer_keepalive },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct hp_conf_section sections[] = {
	{ .name = "Network", .keys = network_keys,
	  .n_keys = COUNT(network_keys), .need = true },
	{ .name = "Interface", .keys = interface_keys,
	  .n_keys = COUNT(interface_keys), .need = true },
	{ .name = "Peer", .keys = peer_keys, .n_keys = COUNT(peer_keys),
	  .begin = peer_begin, .many = true },
};

/* @path may hold preshared keys; then others may not read it. */
static enum hp_err psk_mode_check(const char *path, const struct hp_store *s,
				  struct hp_fault *f)
{
	char *text = NULL;
	enum hp_err err;
	size_t len;

	for (size_t i = 0; i < s->n_peers; i++) {
		if (!s->peer[i].has_psk)
			continue;
		err = hp_file_load(path, true, &text, &len, f);
		if (!err)
			hp_file_free(text, len);
		return err;
	}
	return HP_OK;
}

enum hp_err hp_store_conf_load(const char *path, struct hp_store *s,
			       struct hp_store_conf *out, struct hp_fault *f)
{
	struct reading r = { .store = s, .conf = out };
	enum hp_err err;

	memset(out, 0, sizeof(*out));
	err = hp_conf_load(path, sections, COUNT(sections), &r, f);
	if (!err) {
		err = methods_check(s, f);
		if (err)
			hp_fault_in_file(f, path);
	}
	return err ? err : psk_mode_check(path, s, f);
}

size_t hp_store_conf_text(const struct hp_store *s,
			  char out[HP_STORE_CONF_TEXT])
{
	const struct hp_overlay *o = &s->id.cert.grant.overlay;
	char text[HP_SERVER_TEXT];
	char pin[HP_TLS_PIN_TEXT];
	char ip[HP_ADDR_TEXT];
	char id[HP_KEY_TEXT];
	struct hp_addr addr = hp_overlay_addr4(o);
	size_t cap = HP_STORE_CONF_TEXT;
	size_t n;

	n = (size_t)snprintf(out, cap,
			     "[Network]\n"
			     "Name = %s\n"
			     "Id = %s\n",
			     s->name, hp_public_text(&s->net.id, id));
	for (unsigned int i = 0; i < s->net.n_servers; i++)
		n += (size_t)snprintf(out + n, cap - n, "Rendezvous = %s\n",
				      hp_server_text(&s->net.server[i], text));
	for (unsigned int i = 0; i < s->net.n_pins; i++)
		n += (size_t)snprintf(out + n, cap - n, "RendezvousKey = %s\n",
				      hp_tls_pin_text(&s->net.pin[i], pin));
	n += (size_t)snprintf(out + n, cap - n,
			      "\n"
			      "[Interface]\n"
			      "Name = %s\n"
			      "Address = %s/%u\n"
			      "# 0: chosen by the system\n"
			      "ListenPort = %u\n"
			      "Device = %s\n"
			      "MTU = %u\n"
			      "# Who may use the control socket\n"
			      "ControlOwner = %s\n"
			      "ControlGroup = %s\n"
			      "\n"
			      "# Stock WireGuard peers follow, see hptun(1), "
			      "hptun peer and hptun export\n",
			      s->id.cert.grant.name,
			      hp_addr_ip_text(&addr, ip), o->bits,
			      s->iface.listen_port, s->iface.device,
			      s->iface.mtu, s->iface.owner, s->iface.group);
	return n;
}
