/* SPDX-License-Identifier: ISC */
/*
 * Addresses of the underlay (with port) and prefixes of the overlay. An
 * IPv4-mapped IPv6 address never appears: it is stored as IPv4.
 */
#ifndef HP_BASE_ADDR_H
#define HP_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hp_rd;
struct hp_wr;

enum hp_family {
	HP_AF_NONE = 0,
	HP_AF_4 = 4,
	HP_AF_6 = 6,
};

/**
 * struct hp_addr - A transport address: where a datagram goes to or came from
 * @family: enum hp_family; HP_AF_NONE: no address (all else is 0 then)
 * @port:   host byte order
 * @scope:  interface index of a link-local IPv6 address, else 0
 * @ip:     network byte order; IPv4 in the first four bytes, the rest 0
 *
 * No padding: may be compared and hashed as bytes.
 */
struct hp_addr {
	uint16_t family;
	uint16_t port;
	uint32_t scope;
	uint8_t ip[16];
};
_Static_assert(sizeof(struct hp_addr) == 24, "no padding");

/**
 * struct hp_prefix - An IP prefix
 * @family: enum hp_family
 * @bits:   0..32 or 0..128; bits of @ip beyond it are 0
 * @ip:     as in struct hp_addr
 */
struct hp_prefix {
	uint16_t family;
	uint16_t bits;
	uint8_t ip[16];
};

/* What range an address belongs to (RFC 6890 and its registry). */
enum hp_scope {
	HP_SCOPE_NONE,		/* unspecified, multicast, broadcast, reserved */
	HP_SCOPE_LOOPBACK,
	HP_SCOPE_LINK,		/* 169.254/16, fe80::/10 */
	HP_SCOPE_PRIVATE,	/* RFC 1918, fc00::/7 */
	HP_SCOPE_SHARED,	/* 100.64/10, carrier-grade NAT (RFC 6598) */
	HP_SCOPE_GLOBAL,
};

/* Longest text of an address: [ip%scope]:port, with its NUL. */
#define HP_ADDR_TEXT 72
/* Longest text of a prefix, with its NUL. */
#define HP_PREFIX_TEXT 52
/* Longest wire form of an address: family, port, IP. */
#define HP_ADDR_WIRE_MAX 19

struct hp_addr hp_addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d,
			uint16_t port);
/* @ip: 4 or 16 bytes by @family; an IPv4-mapped address becomes IPv4. */
struct hp_addr hp_addr_of(enum hp_family family, const uint8_t *ip,
			  uint16_t port);
bool hp_addr_eq(const struct hp_addr *a, const struct hp_addr *b);
/* Same host, whatever the ports. */
bool hp_addr_same_ip(const struct hp_addr *a, const struct hp_addr *b);
/* Total order (family, IP, port, scope): <0, 0, >0. */
int hp_addr_cmp(const struct hp_addr *a, const struct hp_addr *b);
enum hp_scope hp_addr_scope(const struct hp_addr *a);
/* Could a router have a way there: neither none, loopback nor link-local. */
bool hp_addr_is_routable(const struct hp_addr *a);
/* Bytes of @ip that count: 4, 16, or 0. */
size_t hp_addr_ip_len(const struct hp_addr *a);

/* "192.0.2.1:8888", "[2001:db8::1]:8888"; "none". Returns @out. */
char *hp_addr_text(const struct hp_addr *a, char out[HP_ADDR_TEXT]);
/* The same without the port and brackets. Returns @out. */
char *hp_addr_ip_text(const struct hp_addr *a, char out[HP_ADDR_TEXT]);
/**
 * hp_addr_parse() - Read "IP", "IP:PORT", "[IP6]:PORT" or "IP6"
 * @text: NUL-terminated; numbers only, no names
 * @port: port to take when the text has none
 *
 * Return: HP_OK; HP_ERR_FORMAT with @f filled. @out is untouched on error.
 */
enum hp_err hp_addr_parse(const char *text, uint16_t port, struct hp_addr *out,
			  struct hp_fault *f) HP_MUST_CHECK;

/* Wire form: family (4 or 6), be16 port, IP: 7 or 19 bytes. No scope. */
void hp_addr_put(struct hp_wr *w, const struct hp_addr *a);
/* Reads that form; an unknown family, port 0 or a mapped address is bad. */
struct hp_addr hp_addr_get(struct hp_rd *r);

/* "10.9.0.0/24" or an address alone (its full length). */
enum hp_err hp_prefix_parse(const char *text, struct hp_prefix *out,
			    struct hp_fault *f) HP_MUST_CHECK;
char *hp_prefix_text(const struct hp_prefix *p, char out[HP_PREFIX_TEXT]);
/* Clears the bits of @ip beyond @bits. */
void hp_prefix_trim(struct hp_prefix *p);
bool hp_prefix_eq(const struct hp_prefix *a, const struct hp_prefix *b);
/* True when @ip (4 or 16 bytes, by the family of @p) lies within @p. */
bool hp_prefix_has(const struct hp_prefix *p, enum hp_family family,
		   const uint8_t *ip);
/* The address alone, as a prefix of full length. */
struct hp_prefix hp_prefix_host(const struct hp_addr *a);

#endif
