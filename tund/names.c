/* SPDX-License-Identifier: ISC */
#include "names.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/nat64.h"
#include "base/time.h"
#include "log.h"
#include "member/network.h"
#include "node/node.h"
#include "sys/loop.h"
#include "sys/resolve.h"

/* How often the name of a server that does not answer is looked up. */
#define SILENT_NS (10 * HP_S)

struct names {
	struct names_cfg cfg;
	struct hp_resolver *resolver;
	uint64_t due_ns; /* HP_NEVER: all servers answer */
	struct hp_prefix nat64;
	struct hp_addr addr[HP_SERVERS_MAX][2]; /* as looked up */
};

/* Packets to an address within the tunnel would go around in it for ever. */
static struct hp_addr outside(const struct names *s, const struct hp_addr *a)
{
	return a->family && s->cfg.within(s->cfg.ctx, a) ?
		       (struct hp_addr){ 0 } : *a;
}

static bool known(const struct names *s, unsigned int id)
{
	return s->addr[id][0].family || s->addr[id][1].family;
}

static void tell(const struct names *s, unsigned int id, uint64_t now_ns)
{
	struct hp_addr a4 = s->addr[id][0];
	struct hp_addr a6 = s->addr[id][1];

	hp_nat64_undo(&s->nat64, &a4, &a6);
	a4 = outside(s, &a4);
	a6 = outside(s, &a6);
	if (a4.family || a6.family)
		s->cfg.found(s->cfg.ctx, id, &a4, &a6, now_ns);
	else
		log_warn(s->cfg.log, "rendezvous %s: its address is within "
			 "the tunnel; keep it out of the AllowedIPs of peers",
			 s->cfg.net->server[id].host);
}

static void on_resolved(void *ctx, unsigned int id,
			const struct hp_addr *addr4,
			const struct hp_addr *addr6, const char *error,
			uint64_t now_ns)
{
	struct names *s = ctx;

	if (error) {
		log_warn(s->cfg.log, "rendezvous %s: %s",
			 s->cfg.net->server[id].host, error);
		return;
	}
	s->addr[id][0] = *addr4;
	s->addr[id][1] = *addr6;
	tell(s, id, now_ns);
}

static bool silent(const struct names *s, unsigned int id)
{
	struct hp_node_server_info info;
	struct hp_addr addr;

	/* An address stays what it is. */
	if (hp_addr_parse(s->cfg.net->server[id].host, 1, &addr, NULL) == HP_OK)
		return false;
	hp_node_server_get(s->cfg.node, id, &info);
	return info.state == HP_SERVER_TRYING || info.state == HP_SERVER_LOST;
}

static uint64_t deadline(void *ctx)
{
	return ((const struct names *)ctx)->due_ns;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct names *s = ctx;

	s->due_ns = HP_NEVER;
	for (unsigned int i = 0; i < s->cfg.net->n_servers; i++) {
		if (!silent(s, i))
			continue;
		hp_resolver_again(s->resolver, i, now_ns);
		s->due_ns = now_ns + SILENT_NS;
	}
}

enum hp_err names_new(const struct names_cfg *cfg, struct names **out)
{
	struct names *s = calloc(1, sizeof(*s));
	const struct hp_loop_timed timed = { deadline, tick, s };
	enum hp_err err;

	if (!s)
		return HP_ERR_NOMEM;
	s->cfg = *cfg;
	s->due_ns = hp_loop_now(cfg->loop) + SILENT_NS;
	err = hp_resolver_new(cfg->loop, on_resolved, s, &s->resolver);
	if (!err)
		err = hp_loop_timed(cfg->loop, &timed);
	for (unsigned int i = 0; !err && i < cfg->net->n_servers; i++)
		err = hp_resolver_add(s->resolver, &cfg->net->server[i], i);
	if (err)
		names_free(s);
	else
		*out = s;
	return err;
}

void names_free(struct names *s)
{
	if (!s)
		return;
	hp_resolver_free(s->resolver);
	free(s);
}

void names_lost(struct names *s, unsigned int id, uint64_t now_ns)
{
	hp_resolver_again(s->resolver, id, now_ns);
	s->due_ns = hp_time_min(s->due_ns, now_ns + SILENT_NS);
}

void names_tell(struct names *s, uint64_t now_ns)
{
	for (unsigned int i = 0; i < s->cfg.net->n_servers; i++)
		if (known(s, i))
			tell(s, i, now_ns);
}

void names_nat64(struct names *s, const struct hp_prefix *prefix,
		 uint64_t now_ns)
{
	s->nat64 = *prefix;
	names_tell(s, now_ns);
}

void names_network_changed(struct names *s, uint64_t now_ns)
{
	for (unsigned int i = 0; i < s->cfg.net->n_servers; i++)
		hp_resolver_renew(s->resolver, i, now_ns);
	s->due_ns = hp_time_min(s->due_ns, now_ns + SILENT_NS);
}
