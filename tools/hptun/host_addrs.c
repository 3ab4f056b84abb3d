/* SPDX-License-Identifier: ISC */
#include "host_addrs.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "sys/udp.h"

size_t host_addrs(struct hp_ifaddr **out)
{
	struct ifaddrs *list = NULL;
	size_t n = 0, cap = 0;

	*out = NULL;
	if (getifaddrs(&list))
		return 0;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next)
		cap++;
	*out = calloc(cap + 1, sizeof(**out));
	for (const struct ifaddrs *i = list; i && *out; i = i->ifa_next) {
		struct hp_ifaddr a = { 0 };
		struct hp_addr mask;

		if (!i->ifa_addr || !i->ifa_netmask)
			continue;
		a.addr = hp_addr_from_sockaddr(i->ifa_addr);
		mask = hp_addr_from_sockaddr(i->ifa_netmask);
		if (a.addr.family == HP_AF_NONE)
			continue;
		snprintf(a.name, sizeof(a.name), "%s", i->ifa_name);
		if (i->ifa_flags & IFF_UP)
			a.flags |= HP_IF_UP;
		if (i->ifa_flags & IFF_LOOPBACK)
			a.flags |= HP_IF_LOOPBACK;
		if (i->ifa_flags & IFF_POINTOPOINT)
			a.flags |= HP_IF_TUNNEL;
		for (size_t b = 0; b < sizeof(mask.ip); b++)
			a.bits += (uint8_t)__builtin_popcount(mask.ip[b]);
		(*out)[n++] = a;
	}
	freeifaddrs(list);
	return n;
}
