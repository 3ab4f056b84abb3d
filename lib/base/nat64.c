/* SPDX-License-Identifier: ISC */
#include "base/nat64.h"

#include <stddef.h>
#include <string.h>

/* Bits 64 to 71 are zero whatever the prefix: the IPv4 address goes around. */
#define RESERVED 8

static const unsigned int lengths[] = { 96, 64, 56, 48, 40, 32 };

/* Where the four bytes stand behind a prefix of @bits. */
static void places(unsigned int bits, unsigned int at[4])
{
	unsigned int k = bits / 8;

	for (unsigned int i = 0; i < 4; i++, k++) {
		k += k == RESERVED;
		at[i] = k;
	}
}

static struct hp_addr embed(const struct hp_prefix *p, const struct hp_addr *a)
{
	struct hp_addr out = hp_addr_of(HP_AF_6, p->ip, a->port);
	unsigned int at[4];

	places(p->bits, at);
	for (unsigned int i = 0; i < 4; i++)
		out.ip[at[i]] = a->ip[i];
	return out;
}

static struct hp_addr extract(unsigned int bits, const struct hp_addr *a)
{
	struct hp_addr out = { .family = HP_AF_4, .port = a->port };
	unsigned int at[4];

	places(bits, at);
	for (unsigned int i = 0; i < 4; i++)
		out.ip[i] = a->ip[at[i]];
	return out;
}

static bool is_known(const struct hp_addr *a)
{
	static const uint8_t known[3] = { 192, 0, 0 };

	return !memcmp(a->ip, known, sizeof(known)) &&
	       (a->ip[3] == 170 || a->ip[3] == 171);
}

bool hp_nat64_find(const struct hp_addr *a, struct hp_prefix *out)
{
	unsigned int found = 0, bits = 0;
	struct hp_addr addr;

	if (a->family != HP_AF_6 || a->ip[RESERVED])
		return false;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		const struct hp_addr v4 = extract(lengths[i], a);

		if (!is_known(&v4))
			continue;
		bits = lengths[i];
		found++;
	}
	if (found != 1)
		return false;
	*out = hp_prefix_host(a);
	out->bits = (uint16_t)bits;
	hp_prefix_trim(out);
	addr = hp_addr_of(HP_AF_6, out->ip, 0);
	return hp_addr_is_routable(&addr);
}

struct hp_addr hp_nat64_out(const struct hp_prefix *p, const struct hp_addr *a)
{
	return hp_nat64_takes(p, a) ? embed(p, a) : *a;
}

struct hp_addr hp_nat64_in(const struct hp_prefix *p, const struct hp_addr *a)
{
	struct hp_addr v4, back;

	if (!p->family || !hp_prefix_has(p, (enum hp_family)a->family, a->ip))
		return *a;
	v4 = extract(p->bits, a);
	back = hp_nat64_out(p, &v4);
	return hp_addr_eq(&back, a) ? v4 : *a;
}

void hp_nat64_undo(const struct hp_prefix *p, struct hp_addr *addr4,
		   struct hp_addr *addr6)
{
	const struct hp_addr in = hp_nat64_in(p, addr6);

	if (in.family != HP_AF_4)
		return;
	*addr6 = (struct hp_addr){ 0 };
	if (!addr4->family)
		*addr4 = in;
}
