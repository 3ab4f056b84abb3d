/* SPDX-License-Identifier: ISC */
/*
 * The host's default gateway, and asking it by NAT-PMP (libnatpmp) or UPnP IGD
 * (miniupnpc) to let a UDP port through to us. These libraries wait for their
 * answers, so whoever has other things to do asks in a thread of its own.
 * Either may be missing from a build, which then says so.
 */
#ifndef HP_SYS_GATEWAY_H
#define HP_SYS_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "punch/mapped.h"

/* Asked of NAT-PMP and UPnP gateways, seconds. */
#define HP_GATEWAY_LIFETIME_S 3600

enum hp_gateway_said {
	HP_GATEWAY_NOT_ASKED,
	HP_GATEWAY_NOT_BUILT,	/* this program was built without it */
	HP_GATEWAY_SILENT,	/* no answer, or nobody listens there */
	HP_GATEWAY_REFUSED,	/* it speaks the protocol, and says no */
	HP_GATEWAY_GRANTED,
};

/**
 * struct hp_gateway_answer - What became of asking by one protocol
 * @why:      when refused: one clause; else NULL (a constant)
 * @external: when granted: the address and port outside
 */
struct hp_gateway_answer {
	enum hp_gateway_said said;
	const char *why;
	struct hp_addr external;
};

/* "mapped", "no answer", ...; never NULL. */
const char *hp_gateway_said_text(enum hp_gateway_said s);
/* The same for programs. */
const char *hp_gateway_said_word(enum hp_gateway_said s);

/**
 * struct hp_gateway_lease - A mapping that a gateway holds for us
 * @gateway:    its address; the port does not count
 * @host:       our address and port inside
 * @external:   the same outside; the port is asked for again when it is set
 * @lifetime_s: counts from the last answer
 * @control, @service: whom to ask by UPnP, and for what
 */
struct hp_gateway_lease {
	enum hp_mapped_protocol protocol;
	struct hp_addr gateway;
	struct hp_addr host;
	struct hp_addr external;
	uint32_t lifetime_s;
	char control[256];
	char service[128];
};

/**
 * hp_gateway_find() - The default gateway (IPv4) and our address toward it
 * @skip:    index of an interface that does not count, 0: none
 * @gateway: gives its address, port 0
 * @host:    gives ours, port 0
 *
 * Return: HP_OK; HP_ERR_ROUTE: there is none; HP_ERR_IO.
 */
enum hp_err hp_gateway_find(unsigned int skip, struct hp_addr *gateway,
			    struct hp_addr *host) HP_MUST_CHECK;

/* Ask for @l->gateway, ->host, ->external.port, which may be 0, and ->lifetime_s
 * by one protocol; what is granted is in @l. They take 3 s at most, mostly. To
 * renew, do it again.
 */
void hp_gateway_natpmp(struct hp_gateway_lease *l,
		       struct hp_gateway_answer *out);
void hp_gateway_upnp(struct hp_gateway_lease *l, struct hp_gateway_answer *out);
/* Gives a lease of either back. It may take as long. */
void hp_gateway_release(const struct hp_gateway_lease *l);

#endif
