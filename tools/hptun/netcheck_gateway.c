/* SPDX-License-Identifier: ISC */
/* Does the gateway open ports, and by which protocols? */
#include <stdio.h>

#include "base/crypto.h"
#include "netcheck.h"
#include "sys/loop.h"
#include "sys/rng.h"

static void on_changed(void *ctx, uint64_t now_ns)
{
	struct netcheck_gateway *g = ctx;

	(void)now_ns;
	hp_portmap_get(g->map, g->info);
}

enum hp_err netcheck_gateway_begin(struct netcheck_gateway *g,
				   struct hp_loop *loop,
				   struct hp_portmap_info *info,
				   struct hp_fault *f)
{
	const struct hp_rng rng = hp_rng_system();
	struct hp_secret seed;
	const struct hp_portmap_cfg cfg = {
		.loop = loop,
		.seed = &seed,
		.survey = true,
		.changed = on_changed,
		.ctx = g,
	};
	enum hp_err err = hp_udp_open(&g->udp, 0, 0, f);

	if (err)
		return err;
	g->info = info;
	hp_rng_fill(&rng, &seed, sizeof(seed));
	err = hp_portmap_new(&cfg, &g->map);
	hp_secret_wipe(&seed);
	if (err)
		return hp_fault_set(f, err, "", "cannot ask the gateway: %s",
				    hp_err_name(err));
	hp_portmap_start(g->map, g->udp.port, 0);
	hp_portmap_get(g->map, info);
	return HP_OK;
}

void netcheck_gateway_end(struct netcheck_gateway *g)
{
	hp_portmap_free(g->map);
	hp_udp_close(&g->udp);
}

/* What peers would be told of an address that the gateway names. */
static enum hp_mapped_verdict judge(const struct netcheck_report *r,
				    const struct hp_addr *external)
{
	return hp_mapped_judge(external, &r->facts.family[0].seen,
			       r->facts.family[0].answered);
}

bool netcheck_gateway_opens(const struct netcheck_report *r)
{
	for (int by = 0; by < HP_MAPPED_PROTOCOLS; by++)
		if (judge(r, &r->gateway.answer[by].external) ==
		    HP_MAPPED_ANNOUNCED)
			return true;
	return false;
}

static void print_answer(const struct netcheck_report *r,
			 enum hp_mapped_protocol by)
{
	const struct hp_gateway_answer *a = &r->gateway.answer[by];
	enum hp_mapped_verdict v = judge(r, &a->external);
	char text[HP_ADDR_TEXT];

	printf("  %-11s %s", hp_mapped_protocol_text(by),
	       hp_gateway_said_text(a->said));
	if (a->why)
		printf(": %s", a->why);
	if (a->said == HP_GATEWAY_GRANTED)
		printf(", outside at %s", hp_addr_ip_text(&a->external, text));
	if (a->said == HP_GATEWAY_GRANTED && v != HP_MAPPED_ANNOUNCED)
		printf("; %s", hp_mapped_verdict_text(v));
	putchar('\n');
}

void netcheck_gateway_print(const struct netcheck_report *r)
{
	char text[HP_ADDR_TEXT];

	if (r->gateway.gateway.family == HP_AF_NONE) {
		printf("%-13s none: this host has no IPv4 default route by "
		       "one\n", "gateway");
		return;
	}
	printf("%-13s %s, asked to open a port:\n", "gateway",
	       hp_addr_ip_text(&r->gateway.gateway, text));
	for (int by = 0; by < HP_MAPPED_PROTOCOLS; by++)
		print_answer(r, (enum hp_mapped_protocol)by);
}

static json_t *ip_json(const struct hp_addr *a)
{
	char text[HP_ADDR_TEXT];

	return a->family == HP_AF_NONE ? json_null()
				       : json_string(hp_addr_ip_text(a, text));
}

static json_t *answer_json(const struct netcheck_report *r,
			   enum hp_mapped_protocol by)
{
	const struct hp_gateway_answer *a = &r->gateway.answer[by];

	return json_pack("{s:s, s:s?, s:o, s:s}",
			 "state", hp_gateway_said_word(a->said),
			 "why", a->why,
			 "external", ip_json(&a->external),
			 "verdict", hp_mapped_verdict_word(
					    judge(r, &a->external)));
}

json_t *netcheck_gateway_json(const struct netcheck_report *r)
{
	return json_pack("{s:o, s:o, s:o, s:o}",
			 "address", ip_json(&r->gateway.gateway),
			 "pcp", answer_json(r, HP_MAPPED_BY_PCP),
			 "nat_pmp", answer_json(r, HP_MAPPED_BY_NATPMP),
			 "upnp", answer_json(r, HP_MAPPED_BY_UPNP));
}
