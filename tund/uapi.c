/* SPDX-License-Identifier: ISC */
#include "uapi.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "wg/device.h"

#define HEX_LEN (2 * HP_KEY_LEN)

/* Decimal, or hexadecimal after "0x". */
static int parse_number(const char *text, uint32_t max, uint32_t *out)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	unsigned long long v;
	char *end;

	if (!*digits || digits[strspn(digits, hex ? "0123456789abcdefABCDEF" :
						    "0123456789")] ||
	    strlen(digits) > 10)
		return -EINVAL;
	v = strtoull(digits, &end, hex ? 16 : 10);
	if (v > max)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static int parse_key(const char *text, uint8_t out[HP_KEY_LEN])
{
	size_t n;

	if (strlen(text) != HEX_LEN ||
	    sodium_hex2bin(out, HP_KEY_LEN, text, HEX_LEN, NULL, &n, NULL) ||
	    n != HP_KEY_LEN)
		return -EINVAL;
	return 0;
}

/* The scope of a link-local address may be the name of an interface. */
static int parse_endpoint(const char *text, struct hp_addr *out)
{
	const char *scope = strchr(text, '%');
	const char *end = scope ? strchr(scope, ']') : NULL;
	char name[IFNAMSIZ] = "", plain[HP_ADDR_TEXT];
	unsigned int index;

	if (end && end - scope - 1 < IFNAMSIZ)
		memcpy(name, scope + 1, (size_t)(end - scope - 1));
	index = name[0] ? if_nametoindex(name) : 0;
	if (index) {
		snprintf(plain, sizeof(plain), "%.*s%%%u%s",
			 (int)(scope - text), text, index, end);
		text = plain;
	}
	if (hp_addr_parse(text, 0, out, NULL) || !out->port)
		return -EINVAL;
	return 0;
}

static int parse_true(const char *text)
{
	return strcmp(text, "true") ? -EINVAL : 0;
}

static int parse_value(struct uapi_item *item, const char *value)
{
	switch (item->key) {
	case UAPI_PRIVATE_KEY:
	case UAPI_PRESHARED_KEY:
		return parse_key(value, item->secret.b);
	case UAPI_PUBLIC_KEY:
		return parse_key(value, item->public.b);
	case UAPI_LISTEN_PORT:
	case UAPI_KEEPALIVE:
		return parse_number(value, UINT16_MAX, &item->number);
	case UAPI_FWMARK:
		return parse_number(value, UINT32_MAX, &item->number);
	case UAPI_REPLACE_PEERS:
	case UAPI_REMOVE:
	case UAPI_UPDATE_ONLY:
	case UAPI_REPLACE_ALLOWED_IPS:
		return parse_true(value);
	case UAPI_ENDPOINT:
		return parse_endpoint(value, &item->addr);
	case UAPI_ALLOWED_IP:
		if (*value == '-') {
			item->key = UAPI_DISALLOWED_IP;
			value++;
		}
		/* fall through */
	case UAPI_DISALLOWED_IP:
		return hp_prefix_parse(value, &item->prefix, NULL) ? -EINVAL :
								     0;
	case UAPI_PROTOCOL_VERSION:
		return strcmp(value, "1") ? -EINVAL : 0;
	}
	return -EINVAL;
}

static const struct {
	const char *name;
	enum uapi_key key;
} names[] = {
	{ "private_key", UAPI_PRIVATE_KEY },
	{ "listen_port", UAPI_LISTEN_PORT },
	{ "fwmark", UAPI_FWMARK },
	{ "replace_peers", UAPI_REPLACE_PEERS },
	{ "public_key", UAPI_PUBLIC_KEY },
	{ "remove", UAPI_REMOVE },
	{ "update_only", UAPI_UPDATE_ONLY },
	{ "preshared_key", UAPI_PRESHARED_KEY },
	{ "endpoint", UAPI_ENDPOINT },
	{ "persistent_keepalive_interval", UAPI_KEEPALIVE },
	{ "replace_allowed_ips", UAPI_REPLACE_ALLOWED_IPS },
	{ "allowed_ip", UAPI_ALLOWED_IP },
	{ "protocol_version", UAPI_PROTOCOL_VERSION },
};

/* The keys of the interface come before the first peer, all others after, so
 * that the last item tells where we are.
 */
static bool in_place(const struct uapi_request *r, enum uapi_key key)
{
	bool in_peer = r->n && r->items[r->n - 1].key >= UAPI_PUBLIC_KEY;

	return key == UAPI_PUBLIC_KEY || in_peer == (key > UAPI_PUBLIC_KEY);
}

static struct uapi_item *add_item(struct uapi_request *r)
{
	size_t cap = r->cap ? 2 * r->cap : 16;
	struct uapi_item *items;

	if (r->n == r->cap) {
		/* Not realloc(): it would leave keys behind. */
		items = calloc(cap, sizeof(*items));
		if (!items)
			return NULL;
		if (r->n)
			memcpy(items, r->items, r->n * sizeof(*items));
		if (r->items)
			sodium_memzero(r->items, r->n * sizeof(*items));
		free(r->items);
		r->items = items;
		r->cap = cap;
	}
	return &r->items[r->n++];
}

static int set_line(struct uapi_request *r, const char *name,
		    const char *value)
{
	struct uapi_item *item;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, name))
			break;
	if (i == sizeof(names) / sizeof(names[0]) ||
	    !in_place(r, names[i].key))
		return -EINVAL;
	if (r->n == UAPI_ITEMS_MAX)
		return -E2BIG;
	item = add_item(r);
	if (!item)
		return -ENOMEM;
	item->key = names[i].key;
	return parse_value(item, value);
}

static int first_line(struct uapi_request *r, const char *line)
{
	if (!strcmp(line, "get=1"))
		r->op = UAPI_GET;
	else if (!strcmp(line, "set=1"))
		r->op = UAPI_SET;
	else
		return -EPROTO;
	return 0;
}

void uapi_line(struct uapi_request *r, char *line, size_t len)
{
	char *equals = strchr(line, '=');

	if (r->error)
		return;
	if (!equals || strlen(line) != len) {
		r->error = -EPROTO;
	} else if (r->op == UAPI_NONE) {
		r->error = first_line(r, line);
	} else if (r->op == UAPI_GET) {
		r->error = -EPROTO;
	} else {
		*equals = '\0';
		r->error = set_line(r, line, equals + 1);
	}
}

void uapi_request_reset(struct uapi_request *r)
{
	if (r->items)
		sodium_memzero(r->items, r->cap * sizeof(*r->items));
	free(r->items);
	*r = (struct uapi_request){ 0 };
}

static void print_key(FILE *out, const char *name, const uint8_t *key)
{
	char hex[HEX_LEN + 1];

	sodium_bin2hex(hex, sizeof(hex), key, HP_KEY_LEN);
	fprintf(out, "%s=%s\n", name, hex);
	sodium_memzero(hex, sizeof(hex));
}

static void print_handshake(FILE *out, uint64_t handshake_ns, uint64_t now_ns,
			    uint64_t wall_ns)
{
	uint64_t at = 0;

	if (handshake_ns)
		at = wall_ns - hp_time_since(now_ns, handshake_ns);
	fprintf(out, "last_handshake_time_sec=%" PRIu64 "\n", at / HP_S);
	fprintf(out, "last_handshake_time_nsec=%" PRIu64 "\n", at % HP_S);
}

static void print_peer(FILE *out, const struct hp_wg_peer *peer,
		       uint64_t now_ns, uint64_t wall_ns)
{
	const struct hp_route *it = NULL;
	struct hp_wg_peer_info info;
	struct hp_prefix prefix;
	char text[HP_ADDR_TEXT];

	hp_wg_peer_info(peer, now_ns, &info);
	print_key(out, "public_key", hp_wg_peer_public(peer)->b);
	print_key(out, "preshared_key", info.psk.b);
	hp_secret_wipe(&info.psk);
	fprintf(out, "protocol_version=1\n");
	if (hp_path_set(&info.path))
		fprintf(out, "endpoint=%s\n",
			hp_addr_text(&info.path.remote, text));
	print_handshake(out, info.handshake_ns, now_ns, wall_ns);
	fprintf(out, "tx_bytes=%" PRIu64 "\n", info.tx_bytes);
	fprintf(out, "rx_bytes=%" PRIu64 "\n", info.rx_bytes);
	fprintf(out, "persistent_keepalive_interval=%u\n", info.keepalive_s);
	while (hp_wg_peer_allowed_next(peer, &it, &prefix))
		fprintf(out, "allowed_ip=%s\n", hp_prefix_text(&prefix, text));
}

void uapi_print(FILE *out, struct hp_wg *wg, uint16_t port, uint32_t mark,
		uint64_t now_ns, uint64_t wall_ns)
{
	const struct hp_secret *private = hp_wg_private(wg);
	struct hp_wg_peer *peer = NULL;

	if (private)
		print_key(out, "private_key", private->b);
	fprintf(out, "listen_port=%u\n", port);
	if (mark)
		fprintf(out, "fwmark=%" PRIu32 "\n", mark);
	while ((peer = hp_wg_peer_next(wg, peer)))
		print_peer(out, peer, now_ns, wall_ns);
}
