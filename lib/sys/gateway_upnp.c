/* SPDX-License-Identifier: ISC */
/* UPnP Internet Gateway Device, by miniupnpc. */
#include "sys/gateway.h"

#ifndef HP_HAVE_UPNP

void hp_gateway_upnp(struct hp_gateway_lease *l, struct hp_gateway_answer *out)
{
	(void)l;
	*out = (struct hp_gateway_answer){ .said = HP_GATEWAY_NOT_BUILT };
}

#else

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <stdio.h>
#include <string.h>

#include "sys/rng.h"

/* How long devices may take to say that they are there. */
#define DISCOVER_MS 1200
/* Ports that are tried when one is taken by another host. */
#define PORT_TRIES 4

enum {
	ERR_NOT_AUTHORIZED = 606,
	ERR_CONFLICT = 718,
	ERR_SAME_PORTS = 724,
	ERR_PERMANENT_ONLY = 725,
	ERR_NO_ROOM = 728,
};

static const char *why(int err)
{
	switch (err) {
	case ERR_NOT_AUTHORIZED:
		return "it does not allow this host to open ports";
	case ERR_CONFLICT:
	case ERR_SAME_PORTS:
		return "the port is taken";
	case ERR_NO_ROOM:
		return "it has no room for another mapping";
	}
	return "it refuses the mapping";
}

/* Does @url lead to @host? Anybody in the LAN may answer, and only the gateway
 * is asked.
 */
static bool leads_to(const char *url, const struct hp_addr *host)
{
	char text[HP_ADDR_TEXT], start[HP_ADDR_TEXT + 8];
	int len;

	len = snprintf(start, sizeof(start), "http://%s",
		       hp_addr_ip_text(host, text));
	return !strncmp(url, start, (size_t)len) &&
	       strchr(":/", url[len]) && url[len];
}

/* Finds whom to ask: fills control and service. */
static bool discover(struct hp_gateway_lease *l)
{
	char own[HP_ADDR_TEXT], lan[64];
	struct UPNPDev *all, *d;
	int err = 0;
	bool found = false;

	all = upnpDiscover(DISCOVER_MS, hp_addr_ip_text(&l->host, own), NULL,
			   UPNP_LOCAL_PORT_ANY, 0, 2, &err);
	for (d = all; d && !found; d = d->pNext) {
		struct UPNPUrls urls = { 0 };
		struct IGDdatas data = { 0 };

		if (!leads_to(d->descURL, &l->gateway) ||
		    !UPNP_GetIGDFromUrl(d->descURL, &urls, &data, lan,
					sizeof(lan)))
			continue;
		found = urls.controlURL &&
			leads_to(urls.controlURL, &l->gateway) &&
			strlen(urls.controlURL) < sizeof(l->control);
		if (found) {
			snprintf(l->control, sizeof(l->control), "%s",
				 urls.controlURL);
			snprintf(l->service, sizeof(l->service), "%s",
				 data.first.servicetype);
		}
		FreeUPNPUrls(&urls);
	}
	freeUPNPDevlist(all);
	return found;
}

static int add(const struct hp_gateway_lease *l, uint16_t port,
	       uint32_t lifetime_s)
{
	char outside[8], inside[8], lease[16], own[HP_ADDR_TEXT];

	snprintf(outside, sizeof(outside), "%u", port);
	snprintf(inside, sizeof(inside), "%u", l->host.port);
	snprintf(lease, sizeof(lease), "%u", lifetime_s);
	return UPNP_AddPortMapping(l->control, l->service, outside, inside,
				   hp_addr_ip_text(&l->host, own), "hptun",
				   "UDP", NULL, lease);
}

static void release(const struct hp_gateway_lease *l)
{
	char outside[8];

	snprintf(outside, sizeof(outside), "%u", l->external.port);
	(void)UPNP_DeletePortMapping(l->control, l->service, outside, "UDP",
				     NULL);
}

/* Some gateways know mappings without an end only. */
static int map(struct hp_gateway_lease *l)
{
	const struct hp_rng rng = hp_rng_system();
	uint16_t port = l->external.port ? l->external.port : l->host.port;
	uint32_t lifetime_s = l->lifetime_s;
	int err = 0;

	for (int i = 0; i < PORT_TRIES; i++) {
		err = add(l, port, lifetime_s);
		if (err == ERR_PERMANENT_ONLY) {
			lifetime_s = 0;
			err = add(l, port, 0);
		}
		if (!err)
			l->external.port = port;
		if (err != ERR_CONFLICT)
			break;
		port = (uint16_t)(1024 + hp_rng_below(&rng, 64512));
	}
	return err;
}

void hp_gateway_upnp(struct hp_gateway_lease *l, struct hp_gateway_answer *out)
{
	char ip[64] = "";
	struct hp_addr external;
	int err;

	*out = (struct hp_gateway_answer){ .said = HP_GATEWAY_SILENT };
	if (!l->control[0] && !discover(l))
		return;
	l->protocol = HP_MAPPED_BY_UPNP;
	if (!l->lifetime_s) {
		release(l);
		return;
	}
	out->said = HP_GATEWAY_REFUSED;
	out->why = "it has no address outside";
	if (UPNP_GetExternalIPAddress(l->control, l->service, ip) ||
	    hp_addr_parse(ip, 0, &external, NULL))
		return;
	err = map(l);
	if (err) {
		out->why = why(err);
		return;
	}
	external.port = l->external.port;
	l->external = external;
	out->said = HP_GATEWAY_GRANTED;
	out->why = NULL;
	out->external = external;
}

#endif
