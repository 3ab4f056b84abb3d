/* SPDX-License-Identifier: ISC */
#include "member/network.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char fold(char c)
{
	return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

void hp_network_init(struct hp_network *net, const char *name,
		     const struct hp_public *id,
		     const struct hp_secret *secret)
{
	memset(net, 0, sizeof(*net));
	snprintf(net->name, sizeof(net->name), "%s", name);
	net->id = *id;
	net->secret = *secret;
	hp_derive(secret, "hptun register v1", id->b, sizeof(id->b),
		  &net->reg_seed);
	hp_sign_public(&net->reg_seed, &net->reg_public);
	hp_derive(secret, "hptun record v1", id->b, sizeof(id->b),
		  &net->record_key);
	hp_derive(secret, "hptun slot v1", id->b, sizeof(id->b),
		  &net->slot_key);
}

void hp_network_wipe(struct hp_network *net)
{
	sodium_memzero(net, sizeof(*net));
}

enum hp_err hp_network_add_server(struct hp_network *net,
				  const struct hp_server *s)
{
	for (unsigned int i = 0; i < net->n_servers; i++)
		if (!strcmp(net->server[i].host, s->host) &&
		    net->server[i].port == s->port &&
		    net->server[i].over == s->over)
			return HP_ERR_EXISTS;
	if (net->n_servers == HP_SERVERS_MAX)
		return HP_ERR_FULL;
	net->server[net->n_servers++] = *s;
	return HP_OK;
}

void hp_network_slot(const struct hp_network *net, const char *purpose,
		     const char *name, uint8_t out[HP_SLOT_LEN])
{
	const char *label = purpose ? purpose : "";
	char lower[HP_NAME_TEXT] = { 0 };
	/* The purpose with its NUL: no two pairs of words run together. */
	const struct hp_piece pieces[] = {
		{ label, strlen(label) + 1 },
		{ lower, sizeof(lower) },
	};

	for (size_t i = 0; i + 1 < sizeof(lower) && name[i]; i++)
		lower[i] = fold(name[i]);
	hp_blake2b(out, HP_SLOT_LEN, &net->slot_key, pieces, 2);
}

/* Both keys, the lower one first, so that either end makes the same. */
static void pair_context(const struct hp_public *a, const struct hp_public *b,
			 uint8_t out[2 * HP_KEY_LEN])
{
	bool swap = memcmp(a->b, b->b, HP_KEY_LEN) > 0;

	memcpy(out, swap ? b->b : a->b, HP_KEY_LEN);
	memcpy(out + HP_KEY_LEN, swap ? a->b : b->b, HP_KEY_LEN);
}

void hp_network_psk(const struct hp_network *net, const struct hp_public *a,
		    const struct hp_public *b, struct hp_secret *out)
{
	uint8_t context[2 * HP_KEY_LEN];

	pair_context(a, b, context);
	hp_derive(&net->secret, "hptun psk v1", context, sizeof(context), out);
}

enum hp_err hp_network_pair_key(const struct hp_network *net,
				const struct hp_secret *own,
				const struct hp_public *peer,
				struct hp_secret *out)
{
	uint8_t context[3 * HP_KEY_LEN];
	struct hp_secret shared;
	struct hp_public self;
	enum hp_err err;

	err = hp_dh(own, peer, &shared);
	if (err)
		return err;
	hp_dh_public(own, &self);
	pair_context(&self, peer, context);
	memcpy(context + sizeof(context) - HP_KEY_LEN, net->secret.b,
	       HP_KEY_LEN);
	hp_derive(&shared, "hptun pair v1", context, sizeof(context), out);
	hp_secret_wipe(&shared);
	sodium_memzero(context, sizeof(context));
	return HP_OK;
}

struct hp_addr hp_overlay_addr4(const struct hp_overlay *o)
{
	return hp_addr_of(HP_AF_4, o->ip, 0);
}

struct hp_prefix hp_overlay_subnet(const struct hp_overlay *o)
{
	struct hp_addr a = hp_overlay_addr4(o);
	struct hp_prefix p = hp_prefix_host(&a);

	p.bits = o->bits;
	hp_prefix_trim(&p);
	return p;
}

struct hp_prefix hp_overlay_subnet6(const struct hp_public *net_id)
{
	static const char label[] = "hptun overlay v1";
	const struct hp_piece pieces[] = {
		{ label, sizeof(label) },
		{ net_id->b, sizeof(net_id->b) },
	};
	struct hp_prefix p = { .family = HP_AF_6, .bits = 64 };
	uint8_t hash[16];

	hp_blake2b(hash, sizeof(hash), NULL, pieces, 2);
	p.ip[0] = 0xfd;
	memcpy(p.ip + 1, hash, 5);
	return p;
}

static uint32_t host_part(const struct hp_overlay *o)
{
	return hp_get_be32(o->ip) & (UINT32_MAX >> o->bits);
}

struct hp_addr hp_overlay_addr6(const struct hp_public *net_id,
				const struct hp_overlay *o)
{
	struct hp_prefix p = hp_overlay_subnet6(net_id);

	hp_put_be32(p.ip + 12, host_part(o));
	return hp_addr_of(HP_AF_6, p.ip, 0);
}

bool hp_overlay_ok(const struct hp_overlay *o)
{
	struct hp_addr a = hp_overlay_addr4(o);
	enum hp_scope scope = hp_addr_scope(&a);

	if (o->bits < 8 || o->bits > 30)
		return false;
	if (scope == HP_SCOPE_NONE || scope == HP_SCOPE_LOOPBACK ||
	    scope == HP_SCOPE_LINK)
		return false;
	return host_part(o) != 0 && host_part(o) != UINT32_MAX >> o->bits;
}

bool hp_overlay_eq(const struct hp_overlay *a, const struct hp_overlay *b)
{
	return !memcmp(a->ip, b->ip, sizeof(a->ip)) && a->bits == b->bits;
}

enum hp_err hp_overlay_parse(const char *text, struct hp_overlay *out,
			     struct hp_fault *f)
{
	static const char how[] =
		"write ADDRESS/BITS, such as 10.9.0.1/24";
	const char *slash = strchr(text, '/');
	struct hp_overlay o;
	struct hp_prefix p;
	struct hp_addr a;
	char ip[16];

	if (!slash || (size_t)(slash - text) >= sizeof(ip))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "\"%.40s\" is not an address with its "
				    "prefix length", text);
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = '\0';
	if (hp_prefix_parse(text, &p, f) || hp_addr_parse(ip, 0, &a, f))
		return HP_ERR_FORMAT;
	memcpy(o.ip, a.ip, sizeof(o.ip));
	o.bits = (uint8_t)p.bits;
	if (p.family != HP_AF_4 || !hp_overlay_ok(&o))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "\"%.40s\" is not a host's address in an "
				    "IPv4 subnet of 8 to 30 bits", text);
	*out = o;
	return HP_OK;
}

enum hp_err hp_name_parse(const char *text, char out[HP_NAME_TEXT],
			  struct hp_fault *f)
{
	static const char how[] =
		"a name is 1 to 32 letters a-z, digits and '-', "
		"a letter first";
	size_t len = strlen(text);
	char name[HP_NAME_TEXT] = { 0 };

	if (!len)
		return hp_fault_set(f, HP_ERR_FORMAT, how, "the name is empty");
	if (len >= HP_NAME_TEXT)
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "the name \"%.40s\" is %zu characters long",
				    text, len);
	for (size_t i = 0; i < len; i++) {
		name[i] = fold(text[i]);
		if (is_lower(name[i]) ||
		    (i && (is_digit(name[i]) || name[i] == '-')))
			continue;
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "\"%s\" is not a name: %s", text,
				    i ? "it may not hold such a character"
				      : "it does not begin with a letter");
	}
	memcpy(out, name, sizeof(name));
	return HP_OK;
}

static bool port_parse(const char *text, uint16_t *out)
{
	unsigned long v;
	char *end;

	if (!is_digit(text[0]) || strlen(text) > 5)
		return false;
	v = strtoul(text, &end, 10);
	if (*end || v < 1 || v > UINT16_MAX - 1)
		return false;
	*out = (uint16_t)v;
	return true;
}

/* RFC 1123, 2.1, and '_' as some have it. */
static bool host_ok(const char *host)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	return host[0] && host[0] != '.' && host[0] != '-' &&
	       strspn(host, chars) == strlen(host) && !strstr(host, "..");
}

static const char *const schemes[] = {
	[HP_OVER_UDP] = "",
	[HP_OVER_TCP] = "tcp://",
	[HP_OVER_TLS] = "tls://",
};

const char *hp_server_scheme(enum hp_transport over)
{
	return schemes[over];
}

enum hp_transport hp_server_scheme_take(const char **text)
{
	for (enum hp_transport t = HP_OVER_TCP; t <= HP_OVER_TLS; t++) {
		if (strncmp(*text, schemes[t], strlen(schemes[t])))
			continue;
		*text += strlen(schemes[t]);
		return t;
	}
	return HP_OVER_UDP;
}

enum hp_err hp_server_parse(const char *text, struct hp_server *out,
			    struct hp_fault *f)
{
	static const char how[] = "write HOST, HOST:PORT or [IPV6]:PORT, "
				  "tcp:// or tls:// in front if only that "
				  "is to be used";
	struct hp_server s = { .over = hp_server_scheme_take(&text) };
	char copy[HP_SERVER_TEXT];
	struct hp_addr a;
	char *colon;

	s.port = s.over == HP_OVER_TLS ? HP_SERVER_TLS_PORT : HP_SERVER_PORT;
	if (strlen(text) >= sizeof(copy) ||
	    strcspn(text, ":") >= sizeof(s.host))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "the server name \"%.40s...\" is too long",
				    text);
	if (strchr(text, '[') || strchr(text, ':') != strrchr(text, ':')) {
		enum hp_err err = hp_addr_parse(text, s.port, &a, f);

		if (err)
			return err;
		s.port = a.port;
		hp_addr_ip_text(&a, copy);
		snprintf(s.host, sizeof(s.host), "%.71s", copy);
		*out = s;
		return HP_OK;
	}
	snprintf(copy, sizeof(copy), "%s", text);
	colon = strchr(copy, ':');
	if (colon) {
		*colon = '\0';
		/* The server also answers on the port above. */
		if (!port_parse(colon + 1, &s.port))
			return hp_fault_set(f, HP_ERR_FORMAT,
					    "a port is a number from 1 to "
					    "65534",
					    "\"%s\" is not a port", colon + 1);
	}
	if (!host_ok(copy))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "\"%s\" is not a host name", copy);
	snprintf(s.host, sizeof(s.host), "%.71s", copy);
	*out = s;
	return HP_OK;
}

char *hp_server_text(const struct hp_server *s, char out[HP_SERVER_TEXT])
{
	bool six = strchr(s->host, ':') != NULL;

	snprintf(out, HP_SERVER_TEXT, "%s%s%s%s:%u", schemes[s->over],
		 six ? "[" : "", s->host, six ? "]" : "", s->port);
	return out;
}

enum hp_err hp_network_from_word(const char *word, struct hp_network *net,
				 struct hp_secret *root)
{
	static const char label[] = "hptun room v1";
	const struct hp_piece piece = { label, sizeof(label) };
	uint8_t salt[crypto_pwhash_SALTBYTES];
	struct hp_secret stretched;
	struct hp_secret secret;
	struct hp_public id;

	if (!word[0])
		return HP_ERR_FORMAT;
	/* Both sides know the word alone, so the salt cannot be random. */
	hp_blake2b(salt, sizeof(salt), NULL, &piece, 1);
	if (crypto_pwhash(stretched.b, sizeof(stretched.b), word, strlen(word),
			  salt, 3, (size_t)64 << 20,
			  crypto_pwhash_ALG_ARGON2ID13))
		return HP_ERR_NOMEM;
	hp_derive(&stretched, "hptun room root v1", NULL, 0, root);
	hp_derive(&stretched, "hptun room secret v1", NULL, 0, &secret);
	hp_sign_public(root, &id);
	hp_network_init(net, "room", &id, &secret);
	hp_secret_wipe(&stretched);
	hp_secret_wipe(&secret);
	return HP_OK;
}
