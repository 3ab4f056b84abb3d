/* SPDX-License-Identifier: ISC */
#include "../sim/gateway.h"

#include <string.h>

#include "base/bytes.h"

#define ANSWER 0x80
#define VERSION 2
/* Places in a message (RFC 6887, 7.2 and 11.1). */
#define AT_LIFETIME 4
#define AT_EPOCH 8
#define AT_PORT 40
#define AT_EXTERNAL_PORT 42
#define AT_EXTERNAL 44
#define HEAD_LEN 24

static uint64_t now_of(const struct gateway *g)
{
	return sim_now(g->node->world->sim);
}

/* The address that it calls its own. */
static struct hp_addr claimed(const struct gateway *g)
{
	switch (g->kind) {
	case GATEWAY_PRIVATE:
		return hp_addr4(192, 168, 100, 7, 0);
	case GATEWAY_SHARED:
		return hp_addr4(100, 64, 9, 9, 0);
	case GATEWAY_ELSEWHERE:
		return hp_addr4(203, 0, 113, 250, 0);
	case GATEWAY_NONE:
	case GATEWAY_HONEST:
	case GATEWAY_SILENT:
	case GATEWAY_REFUSES:
	case GATEWAY_KINDS:
		break;
	}
	return *sim_nat_external(g->nat);
}

static void put_epoch(const struct gateway *g, uint8_t *buf)
{
	hp_put_be32(buf + AT_EPOCH,
		    (uint32_t)((now_of(g) - g->since_ns) / HP_S));
}

/* Answers the request in @buf, there; false: it says nothing. */
static bool answer(struct gateway *g, uint8_t buf[HP_PCP_LEN])
{
	uint32_t lifetime_s = hp_get_be32(buf + AT_LIFETIME);
	uint16_t port = hp_get_be16(buf + AT_PORT);
	struct hp_addr inner = sim_host_addr_of(g->node->host, HP_AF_4, port);
	struct hp_addr outer = claimed(g);

	if (g->kind == GATEWAY_SILENT)
		return false;
	memset(buf + 8, 0, HEAD_LEN - 8);
	buf[1] |= ANSWER;
	put_epoch(g, buf);
	if (g->kind == GATEWAY_REFUSES) {
		buf[3] = HP_PCP_NOT_AUTHORIZED;
		hp_put_be32(buf + AT_LIFETIME, 1800);
		return true;
	}
	if (g->kind == GATEWAY_HONEST)
		sim_nat_open(g->nat, lifetime_s ? port : 0, &inner);
	hp_put_be16(buf + AT_EXTERNAL_PORT, port);
	memset(buf + AT_EXTERNAL, 0, 10);
	memset(buf + AT_EXTERNAL + 10, 0xff, 2);
	memcpy(buf + AT_EXTERNAL + 12, outer.ip, 4);
	return true;
}

/* ---- the shell of the node ---------------------------------------------- */

static void told(struct gateway *g)
{
	bool held = g->pcp.state == HP_PCP_HELD;

	if (g->node->node)
		hp_node_set_mapped(g->node->node,
				   held ? &g->pcp.external : NULL, now_of(g));
}

static void hear(struct gateway *g, const uint8_t *buf, size_t len)
{
	/* What it does not like it counts as no answer. */
	(void)!hp_pcp_rx(&g->pcp, &g->pcp.gateway, buf, len, now_of(g));
	told(g);
}

static void ask(struct gateway *g)
{
	const struct hp_addr at = hp_addr4(192, 168, 255, 1, 0);
	struct hp_addr host = sim_host_addr_of(g->node->host, HP_AF_4,
					       g->node->port);
	uint8_t nonce[HP_PCP_NONCE] = { 1 };

	hp_pcp_init(&g->pcp, &at, &host, nonce,
		    sim_rng(g->node->world->sim), now_of(g));
	g->run = g->node->runs;
}

/* The port is another one now, or the whole node. */
static bool is_old(const struct gateway *g)
{
	return g->pcp.host.port != g->node->port || g->run != g->node->runs;
}

static uint64_t deadline(void *ctx)
{
	const struct gateway *g = ctx;

	return is_old(g) ? 0 : hp_pcp_deadline(&g->pcp);
}

static void tick(void *ctx)
{
	struct gateway *g = ctx;
	uint8_t buf[HP_PCP_LEN];

	if (is_old(g))
		ask(g);
	if (hp_pcp_tick(&g->pcp, now_of(g), buf) && answer(g, buf))
		hear(g, buf, sizeof(buf));
	else
		told(g);
}

void gateway_begin(struct gateway *g, enum gateway_kind kind,
		   struct sim_world_node *x, struct sim_nat *nat)
{
	const struct sim_program program = {
		.deadline = deadline,
		.tick = tick,
		.ctx = g,
	};

	*g = (struct gateway){ .kind = kind, .node = x, .nat = nat };
	if (kind == GATEWAY_NONE)
		return;
	g->since_ns = now_of(g);
	ask(g);
	sim_host_run(sim_host_new(x->world->sim, nat, NULL, NULL), &program);
}

void gateway_restart(struct gateway *g)
{
	uint8_t news[HEAD_LEN] = { VERSION, ANSWER | HP_PCP_ANNOUNCE };

	if (g->kind == GATEWAY_NONE)
		return;
	sim_nat_open(g->nat, 0, NULL);
	g->since_ns = now_of(g);
	if (g->kind == GATEWAY_SILENT)
		return;
	put_epoch(g, news);
	hear(g, news, sizeof(news));
}

enum hp_mapped_verdict gateway_verdict(const struct gateway *g)
{
	switch (g->kind) {
	case GATEWAY_HONEST:
		return HP_MAPPED_ANNOUNCED;
	case GATEWAY_PRIVATE:
		return HP_MAPPED_PRIVATE;
	case GATEWAY_SHARED:
		return HP_MAPPED_SHARED;
	case GATEWAY_ELSEWHERE:
		return HP_MAPPED_ELSEWHERE;
	case GATEWAY_NONE:
	case GATEWAY_SILENT:
	case GATEWAY_REFUSES:
	case GATEWAY_KINDS:
		break;
	}
	return HP_MAPPED_ABSENT;
}

const char *gateway_text(enum gateway_kind kind)
{
	static const char *const text[] = {
		"none", "honest", "silent", "refuses", "private", "shared",
		"elsewhere",
	};

	return text[kind];
}
