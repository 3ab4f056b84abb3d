/* SPDX-License-Identifier: ISC */
#include "../sim/place.h"

#include <stdio.h>
#include <string.h>

static const struct sim_nat_config firewall = {
	.mapping = SIM_ROUTED, .filtering = SIM_APDF, .filtering6 = SIM_APDF,
};
static const struct sim_nat_config full_cone = {
	.mapping = SIM_EIM, .filtering = SIM_EIF, .filtering6 = SIM_EIF,
};
static const struct sim_nat_config address_cone = {
	.mapping = SIM_EIM, .filtering = SIM_ADF, .filtering6 = SIM_ADF,
	.ports = SIM_SEQUENTIAL, .stride = 2,
};
static const struct sim_nat_config port_cone = {
	.mapping = SIM_EIM, .filtering = SIM_APDF, .filtering6 = SIM_APDF,
	.ports = SIM_RANDOM,
};
static const struct sim_nat_config linux_nat = {
	.mapping = SIM_APDM, .filtering = SIM_APDF, .filtering6 = SIM_APDF,
	.ports = SIM_OVERLOAD,
};
static const struct sim_nat_config linux_open = {
	.mapping = SIM_APDM, .filtering = SIM_APDF, .filtering6 = SIM_APDF,
	.ports = SIM_OVERLOAD, .poison = true,
};
static const struct sim_nat_config by_address = {
	.mapping = SIM_ADM, .filtering = SIM_ADF, .filtering6 = SIM_APDF,
	.ports = SIM_RANDOM,
};
static const struct sim_nat_config sym_open = {
	.mapping = SIM_APDM, .filtering = SIM_EIF, .filtering6 = SIM_APDF,
	.ports = SIM_RANDOM,
};
static const struct sim_nat_config sym_steps = {
	.mapping = SIM_APDM, .filtering = SIM_APDF, .filtering6 = SIM_APDF,
	.ports = SIM_SEQUENTIAL, .stride = 1,
};
static const struct sim_nat_config sym_random = {
	.mapping = SIM_APDM, .filtering = SIM_APDF, .filtering6 = SIM_APDF,
	.ports = SIM_RANDOM,
};
static const struct sim_nat_config sym_block = {
	.mapping = SIM_APDM, .filtering = SIM_APDF, .filtering6 = SIM_EIF,
	.ports = SIM_BLOCK, .block = 512,
};
/* As RFC 6888 wants a carrier's NAT to be. */
static const struct sim_nat_config carrier_good = {
	.mapping = SIM_EIM, .filtering = SIM_EIF, .filtering6 = SIM_EIF,
	.ports = SIM_BLOCK, .block = 512,
};

const struct place_kind place_kinds[] = {
	{ "public", NULL, NULL },
	{ "firewall", &firewall, NULL },
	{ "eim-eif", &full_cone, NULL },
	{ "eim-adf", &address_cone, NULL },
	{ "eim-apdf", &port_cone, NULL },
	{ "linux", &linux_nat, NULL },
	{ "linux-open", &linux_open, NULL },
	{ "linux+cgn", &linux_nat, &carrier_good },
	{ "adm-adf", &by_address, NULL },
	{ "apdm-eif", &sym_open, NULL },
	{ "sym-step", &sym_steps, NULL },
	{ "sym-block", &sym_block, NULL },
	{ "linux+symcgn", &linux_nat, &sym_block },
	{ "sym-random", &sym_random, NULL },
};
const unsigned int place_n_kinds = sizeof(place_kinds) / sizeof(*place_kinds);

#define SWEPT(m, f, p, name)						\
	{ name, &(const struct sim_nat_config){				\
		.mapping = SIM_##m, .filtering = SIM_##f,		\
		.filtering6 = SIM_##f, .ports = SIM_##p,		\
		.stride = 1, .block = 512 }, NULL }
#define SWEPT_PORTS(m, f)						\
	SWEPT(m, f, PRESERVE, #m " " #f " keeps"),			\
	SWEPT(m, f, SEQUENTIAL, #m " " #f " steps"),			\
	SWEPT(m, f, BLOCK, #m " " #f " block"),				\
	SWEPT(m, f, RANDOM, #m " " #f " random")
#define SWEPT_FILTERS(m)						\
	SWEPT_PORTS(m, EIF), SWEPT_PORTS(m, ADF), SWEPT_PORTS(m, APDF)

const struct place_kind place_swept[] = {
	SWEPT_FILTERS(EIM), SWEPT_FILTERS(ADM), SWEPT_FILTERS(APDM),
};
const unsigned int place_n_swept = sizeof(place_swept) / sizeof(*place_swept);
const struct sim_nat_config place_home = {
	.mapping = SIM_EIM, .filtering = SIM_EIF, .filtering6 = SIM_EIF,
};

const struct place_kind *place_named(const char *name)
{
	for (unsigned int i = 0; i < place_n_kinds; i++)
		if (!strcmp(place_kinds[i].name, name))
			return &place_kinds[i];
	return NULL;
}

static struct sim_nat *nat_build(const struct place *p, struct sim_world *w,
				 const struct sim_nat_config *kind,
				 struct sim_nat *outside, const char *ip)
{
	struct sim_nat_config cfg = *kind;

	cfg.hairpin = p->hairpin;
	cfg.poison |= p->poison;
	cfg.lifetime_ns = p->lifetime_ns;
	return sim_nat_new(w->sim, &cfg, outside,
			   cfg.mapping == SIM_ROUTED ? NULL : ip);
}

static void nats_build(struct place *p, struct sim_world *w, unsigned int i)
{
	char ip[32];

	if (p->beside) {
		p->home_nat = p->beside->home_nat;
		p->carrier_nat = p->beside->carrier_nat;
		return;
	}
	if (p->carrier) {
		p->carrier_nat = p->carrier->carrier_nat;
	} else if (p->kind->carrier) {
		snprintf(ip, sizeof(ip), "198.51.100.%u", 10 + i);
		p->carrier_nat = nat_build(p, w, p->kind->carrier, NULL, ip);
	}
	if (!p->kind->home)
		return;
	if (p->carrier_nat)
		snprintf(ip, sizeof(ip), "100.64.1.%u", 10 + i);
	else
		snprintf(ip, sizeof(ip), "203.0.113.%u", 10 + i);
	p->home_nat = nat_build(p, w, p->kind->home, p->carrier_nat, ip);
}

/* A host behind a firewall alone has a public address. */
static void ip4_of(const struct place *p, unsigned int i, char *out, size_t cap)
{
	const struct place *lan = p->beside ? p->beside : p;
	bool routed = !p->kind->home ||
		      (p->kind->home->mapping == SIM_ROUTED &&
		       !p->kind->carrier);

	if (routed)
		snprintf(out, cap, "203.0.113.%u", 100 + i);
	else
		snprintf(out, cap, "192.168.%u.%u", lan->subnet,
			 p->beside ? 3 + i : 2);
}

void place_build(struct place *p, struct sim_world *w, unsigned int i)
{
	static const char *const names[WORLD_NODES] = {
		"alice", "bob", "carol", "dave", "erin", "frank", "grace",
		"heidi",
	};
	char ip4[32], ip6[32];
	struct sim_site site = { .link = p->beside ? NULL : &p->link,
				 .port = p->port, .fixed = p->fixed };

	nats_build(p, w, i);
	ip4_of(p, i, ip4, sizeof(ip4));
	snprintf(ip6, sizeof(ip6), "2001:db8:%x::2", 256 + i);
	site.nat = p->home_nat ? p->home_nat : p->carrier_nat;
	site.ip4 = p->ip == PLACE_IP6 ? NULL : ip4;
	site.ip6 = p->ip == PLACE_IP4 ? NULL : ip6;
	/* From the port, so that nothing else of a run is drawn otherwise. */
	w->aes = p->port % 4 != 0;
	w->cipher = p->port % 8 == 1 ? HP_CIPHER_CHACHA : HP_CIPHER_AUTO;
	p->node = sim_world_join(w, names[i], &site);
	sim_host_block(p->node->host, p->blocked);
	p->node->tells = p->tells;
	p->least_mtu = p->link.mtu;
	gateway_begin(&p->box, p->gateway, p->node, p->home_nat);
}

bool place_poisoned(const struct place *p)
{
	for (const struct sim_nat *n = sim_host_behind(p->node->host); n;
	     n = sim_nat_outside(n))
		if (sim_nat_config(n)->poison)
			return true;
	return false;
}

const struct sim_link *place_uplink(const struct place *p)
{
	return p->beside ? &p->beside->link : &p->link;
}

void place_narrow(struct place *p, unsigned int mtu)
{
	p->link.mtu = mtu;
	if (mtu < p->least_mtu)
		p->least_mtu = mtu;
	if (p->home_nat)
		sim_nat_link(p->home_nat, &p->link);
	else
		sim_host_link(p->node->host, &p->link);
}
