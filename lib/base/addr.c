/* SPDX-License-Identifier: ISC */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static size_t ip_len(unsigned int family)
{
	if (family == HP_AF_4)
		return 4;
	return family == HP_AF_6 ? 16 : 0;
}

size_t hp_addr_ip_len(const struct hp_addr *a)
{
	return ip_len(a->family);
}

struct hp_addr hp_addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d,
			uint16_t port)
{
	return (struct hp_addr){
		.family = HP_AF_4, .port = port, .ip = { a, b, c, d }
	};
}

struct hp_addr hp_addr_of(enum hp_family family, const uint8_t *ip,
			  uint16_t port)
{
	struct hp_addr a = { .family = family, .port = port };

	if (family == HP_AF_6 && !memcmp(ip, mapped, sizeof(mapped))) {
		a.family = HP_AF_4;
		memcpy(a.ip, ip + sizeof(mapped), 4);
	} else {
		memcpy(a.ip, ip, ip_len(family));
	}
	return a;
}

bool hp_addr_eq(const struct hp_addr *a, const struct hp_addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool hp_addr_same_ip(const struct hp_addr *a, const struct hp_addr *b)
{
	return a->family == b->family && !memcmp(a->ip, b->ip, sizeof(a->ip));
}

int hp_addr_cmp(const struct hp_addr *a, const struct hp_addr *b)
{
	int d = a->family - b->family;

	if (!d)
		d = memcmp(a->ip, b->ip, sizeof(a->ip));
	if (!d)
		d = a->port - b->port;
	if (!d)
		d = (a->scope > b->scope) - (a->scope < b->scope);
	return d;
}

enum hp_scope hp_addr_scope(const struct hp_addr *a)
{
	static const struct {
		struct hp_prefix prefix;
		enum hp_scope scope;
	} ranges[] = {
		{ { HP_AF_4, 8, { 0 } }, HP_SCOPE_NONE },
		{ { HP_AF_4, 8, { 127 } }, HP_SCOPE_LOOPBACK },
		{ { HP_AF_4, 16, { 169, 254 } }, HP_SCOPE_LINK },
		{ { HP_AF_4, 8, { 10 } }, HP_SCOPE_PRIVATE },
		{ { HP_AF_4, 12, { 172, 16 } }, HP_SCOPE_PRIVATE },
		{ { HP_AF_4, 16, { 192, 168 } }, HP_SCOPE_PRIVATE },
		{ { HP_AF_4, 10, { 100, 64 } }, HP_SCOPE_SHARED },
		{ { HP_AF_4, 3, { 224 } }, HP_SCOPE_NONE },
		{ { HP_AF_6, 128, { 0 } }, HP_SCOPE_NONE },
		{ { HP_AF_6, 128, { [15] = 1 } }, HP_SCOPE_LOOPBACK },
		{ { HP_AF_6, 10, { 0xfe, 0x80 } }, HP_SCOPE_LINK },
		{ { HP_AF_6, 7, { 0xfc } }, HP_SCOPE_PRIVATE },
		{ { HP_AF_6, 8, { 0xff } }, HP_SCOPE_NONE },
	};

	if (a->family == HP_AF_NONE)
		return HP_SCOPE_NONE;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (hp_prefix_has(&ranges[i].prefix, a->family, a->ip))
			return ranges[i].scope;
	return HP_SCOPE_GLOBAL;
}

bool hp_addr_is_routable(const struct hp_addr *a)
{
	switch (hp_addr_scope(a)) {
	case HP_SCOPE_NONE:
	case HP_SCOPE_LOOPBACK:
	case HP_SCOPE_LINK:
		return false;
	case HP_SCOPE_PRIVATE:
	case HP_SCOPE_SHARED:
	case HP_SCOPE_GLOBAL:
		return true;
	}
	return false;
}

static void ip_text(unsigned int family, const uint8_t *ip, char *out,
		    size_t cap)
{
	if (!inet_ntop(family == HP_AF_4 ? AF_INET : AF_INET6, ip, out,
		       (socklen_t)cap))
		out[0] = '\0';
}

char *hp_addr_ip_text(const struct hp_addr *a, char out[HP_ADDR_TEXT])
{
	size_t len;

	if (a->family == HP_AF_NONE) {
		snprintf(out, HP_ADDR_TEXT, "none");
		return out;
	}
	ip_text(a->family, a->ip, out, HP_ADDR_TEXT);
	len = strlen(out);
	if (a->scope)
		snprintf(out + len, HP_ADDR_TEXT - len, "%%%u", a->scope);
	return out;
}

char *hp_addr_text(const struct hp_addr *a, char out[HP_ADDR_TEXT])
{
	char ip[HP_ADDR_TEXT];

	hp_addr_ip_text(a, ip);
	if (a->family == HP_AF_NONE)
		snprintf(out, HP_ADDR_TEXT, "none");
	else if (a->family == HP_AF_6)
		snprintf(out, HP_ADDR_TEXT, "[%.60s]:%u", ip, a->port);
	else
		snprintf(out, HP_ADDR_TEXT, "%.60s:%u", ip, a->port);
	return out;
}

/* A decimal number up to @max, filling all of @text. */
static bool number_parse(const char *text, unsigned long max,
			 unsigned long *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	*out = strtoul(text, &end, 10);
	return *end == '\0' && end - text <= 10 && *out <= max;
}

/* An address without port, perhaps "%NUMBER" behind an IPv6 one. */
static bool ip_parse(const char *text, struct hp_addr *out)
{
	struct hp_addr a = { 0 };
	unsigned long scope = 0;
	char copy[HP_ADDR_TEXT];
	char *percent;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	percent = strchr(copy, '%');
	if (percent) {
		*percent = '\0';
		if (!number_parse(percent + 1, UINT32_MAX, &scope) || !scope)
			return false;
	}
	if (!percent && inet_pton(AF_INET, copy, a.ip) == 1)
		a.family = HP_AF_4;
	else if (inet_pton(AF_INET6, copy, a.ip) == 1)
		a = hp_addr_of(HP_AF_6, a.ip, 0);
	else
		return false;
	a.scope = (uint32_t)scope;
	*out = a;
	return true;
}

/* Where the port begins (behind its colon), or NULL; cuts @copy there. */
static char *port_split(char *copy)
{
	char *colon = strrchr(copy, ':');

	if (copy[0] == '[') {
		char *close = strchr(copy, ']');

		if (!close)
			return NULL;
		*close = '\0';
		memmove(copy, copy + 1, (size_t)(close - copy));
		if (close[1] == '\0')
			return NULL;
		return close[1] == ':' ? close + 2 : close + 1;
	}
	if (!colon || strchr(copy, ':') != colon)
		return NULL; /* none, or a bare IPv6 address */
	*colon = '\0';
	return colon + 1;
}

enum hp_err hp_addr_parse(const char *text, uint16_t port, struct hp_addr *out,
			  struct hp_fault *f)
{
	static const char how[] = "write IP:PORT, or [IP]:PORT for IPv6";
	char copy[HP_ADDR_TEXT];
	unsigned long number = port;
	struct hp_addr a;
	char *split;

	if (strlen(text) >= sizeof(copy))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "\"%.40s...\" is too long for an address",
				    text);
	strcpy(copy, text);
	split = port_split(copy);
	if (split && (!number_parse(split, UINT16_MAX, &number) || !number))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "a port is a number from 1 to 65535",
				    "\"%s\" is not a port", split);
	if (!ip_parse(copy, &a))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "\"%s\" is not an IP address", text);
	a.port = (uint16_t)number;
	*out = a;
	return HP_OK;
}

void hp_addr_put(struct hp_wr *w, const struct hp_addr *a)
{
	hp_wr_u8(w, (uint8_t)a->family);
	hp_wr_be16(w, a->port);
	hp_wr_copy(w, a->ip, ip_len(a->family));
}

struct hp_addr hp_addr_get(struct hp_rd *r)
{
	struct hp_addr a = { 0 };

	a.family = hp_rd_u8(r);
	a.port = hp_rd_be16(r);
	if (!ip_len(a.family) || !a.port)
		r->bad = true;
	hp_rd_copy(r, a.ip, ip_len(a.family));
	if (a.family == HP_AF_6 && !memcmp(a.ip, mapped, sizeof(mapped)))
		r->bad = true;
	return r->bad ? (struct hp_addr){ 0 } : a;
}

enum hp_err hp_prefix_parse(const char *text, struct hp_prefix *out,
			    struct hp_fault *f)
{
	char copy[HP_PREFIX_TEXT];
	unsigned long bits;
	struct hp_addr a;
	char *slash;

	if (strlen(text) >= sizeof(copy))
		goto bad;
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (!ip_parse(copy, &a) || a.scope)
		goto bad;
	bits = hp_addr_ip_len(&a) * 8;
	if (slash && !number_parse(slash + 1, bits, &bits))
		goto bad;
	*out = hp_prefix_host(&a);
	out->bits = (uint16_t)bits;
	hp_prefix_trim(out);
	return HP_OK;
bad:
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "write ADDRESS/BITS, such as 10.9.0.0/24",
			    "\"%.60s\" is not an IP prefix", text);
}

char *hp_prefix_text(const struct hp_prefix *p, char out[HP_PREFIX_TEXT])
{
	size_t len;

	ip_text(p->family, p->ip, out, HP_PREFIX_TEXT);
	len = strlen(out);
	snprintf(out + len, HP_PREFIX_TEXT - len, "/%u", p->bits);
	return out;
}

void hp_prefix_trim(struct hp_prefix *p)
{
	for (unsigned int i = 0; i < sizeof(p->ip); i++) {
		if (i * 8 >= p->bits)
			p->ip[i] = 0;
		else if (p->bits - i * 8 < 8)
			p->ip[i] &= (uint8_t)(0xff00 >> (p->bits - i * 8));
	}
}

bool hp_prefix_eq(const struct hp_prefix *a, const struct hp_prefix *b)
{
	return a->family == b->family && a->bits == b->bits &&
	       !memcmp(a->ip, b->ip, sizeof(a->ip));
}

bool hp_prefix_has(const struct hp_prefix *p, enum hp_family family,
		   const uint8_t *ip)
{
	unsigned int whole = p->bits / 8;
	unsigned int rest = p->bits % 8;

	if (p->family != family || memcmp(p->ip, ip, whole))
		return false;
	return !rest || !((p->ip[whole] ^ ip[whole]) >> (8 - rest));
}

struct hp_prefix hp_prefix_host(const struct hp_addr *a)
{
	struct hp_prefix p = {
		.family = a->family,
		.bits = (uint16_t)(hp_addr_ip_len(a) * 8),
	};

	memcpy(p.ip, a->ip, sizeof(p.ip));
	return p;
}
