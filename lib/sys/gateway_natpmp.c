/* SPDX-License-Identifier: ISC */
/* NAT-PMP (RFC 6886), by libnatpmp. */
#include "sys/gateway.h"

#ifndef HP_HAVE_NATPMP

void hp_gateway_natpmp(struct hp_gateway_lease *l,
		       struct hp_gateway_answer *out)
{
	(void)l;
	*out = (struct hp_gateway_answer){ .said = HP_GATEWAY_NOT_BUILT };
}

#else

#include <natpmp.h>
#include <poll.h>
#include <string.h>

#include "base/time.h"
#include "sys/clock.h"

/* The library would go on for a minute. */
#define PATIENCE_NS (1500 * HP_MS)

static const char *why(int err)
{
	switch (err) {
	case NATPMP_ERR_UNSUPPORTEDVERSION:
		return "it speaks another version";
	case NATPMP_ERR_UNSUPPORTEDOPCODE:
		return "it does not map ports";
	case NATPMP_ERR_NOTAUTHORIZED:
		return "it does not allow this host to open ports";
	case NATPMP_ERR_NETWORKFAILURE:
		return "it has no address outside";
	case NATPMP_ERR_OUTOFRESOURCES:
		return "it has no room for another mapping";
	}
	return NULL;
}

/* 0, or an error of the library. */
static int answer(natpmp_t *n, natpmpresp_t *out)
{
	uint64_t end_ns = hp_clock_now() + PATIENCE_NS;
	struct pollfd fd = { .fd = n->s, .events = POLLIN };
	struct timeval wait;
	int err;

	do {
		if (getnatpmprequesttimeout(n, &wait))
			return NATPMP_ERR_NOGATEWAYSUPPORT;
		if (poll(&fd, 1, (int)(wait.tv_sec * 1000 +
				       wait.tv_usec / 1000)) < 0)
			return NATPMP_ERR_NOGATEWAYSUPPORT;
		err = readnatpmpresponseorretry(n, out);
	} while (err == NATPMP_TRYAGAIN && hp_clock_now() < end_ns);
	return err;
}

static int map(natpmp_t *n, struct hp_gateway_lease *l)
{
	uint16_t port = l->external.port ? l->external.port : l->host.port;
	natpmpresp_t r;
	int err;

	if (!l->lifetime_s)
		port = 0; /* RFC 6886, 3.4 */
	if (sendpublicaddressrequest(n) < 0)
		return NATPMP_ERR_SENDERR;
	err = answer(n, &r);
	if (err || r.type != NATPMP_RESPTYPE_PUBLICADDRESS)
		return err ? err : NATPMP_ERR_UNSUPPORTEDOPCODE;
	l->external = hp_addr_of(HP_AF_4,
				 (const uint8_t *)&r.pnu.publicaddress.addr, 0);
	if (sendnewportmappingrequest(n, NATPMP_PROTOCOL_UDP, l->host.port,
				      port, l->lifetime_s) < 0)
		return NATPMP_ERR_SENDERR;
	err = answer(n, &r);
	if (err || r.type != NATPMP_RESPTYPE_UDPPORTMAPPING)
		return err ? err : NATPMP_ERR_UNSUPPORTEDOPCODE;
	if (r.pnu.newportmapping.privateport != l->host.port)
		return NATPMP_ERR_UNSUPPORTEDOPCODE;
	l->external.port = r.pnu.newportmapping.mappedpublicport;
	l->lifetime_s = r.pnu.newportmapping.lifetime;
	return 0;
}

void hp_gateway_natpmp(struct hp_gateway_lease *l,
		       struct hp_gateway_answer *out)
{
	natpmp_t n;
	in_addr_t gateway;
	int err;

	*out = (struct hp_gateway_answer){ .said = HP_GATEWAY_SILENT };
	memcpy(&gateway, l->gateway.ip, sizeof(gateway));
	if (initnatpmp(&n, 1, gateway))
		return;
	err = map(&n, l);
	closenatpmp(&n);
	l->protocol = HP_MAPPED_BY_NATPMP;
	out->why = why(err);
	if (err) {
		if (out->why)
			out->said = HP_GATEWAY_REFUSED;
	} else if (!l->lifetime_s || !l->external.port) {
		out->said = HP_GATEWAY_REFUSED;
		out->why = "it grants no time";
	} else {
		out->said = HP_GATEWAY_GRANTED;
		out->external = l->external;
	}
}

#endif
