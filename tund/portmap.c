/* SPDX-License-Identifier: ISC */
#include "portmap.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "log.h"
#include "node/node.h"
#include "sys/portmap.h"

struct portmap {
	struct log *log;
	struct hp_node *node;
	unsigned int device;
	struct hp_portmap *map;
	struct hp_addr told;
	struct hp_portmap_info info;
};

static void on_changed(void *ctx, uint64_t now_ns)
{
	struct portmap *p = ctx;
	const struct hp_addr *is = &p->info.external;
	char text[HP_ADDR_TEXT], gateway[HP_ADDR_TEXT];

	hp_portmap_get(p->map, &p->info);
	if (hp_addr_eq(is, &p->told))
		return;
	p->told = *is;
	hp_node_set_mapped(p->node, is, now_ns);
	if (is->family == HP_AF_NONE)
		log_info(p->log, "the gateway keeps no port open for us now");
	else
		log_info(p->log, "the gateway %s opened %s for us (%s)",
			 hp_addr_ip_text(&p->info.gateway, gateway),
			 hp_addr_text(is, text),
			 hp_mapped_protocol_text(p->info.protocol));
}

enum hp_err portmap_new(const struct portmap_cfg *cfg, struct portmap **out,
			struct hp_fault *f)
{
	struct hp_secret seed;
	struct hp_portmap_cfg map = { .loop = cfg->loop, .seed = &seed,
				      .changed = on_changed };
	enum hp_err err = HP_ERR_NOMEM;
	struct portmap *p;

	if (!(hp_node_methods(cfg->node) & HP_METHOD_MAPPED))
		return HP_OK;
	p = calloc(1, sizeof(*p));
	if (p) {
		p->log = cfg->log;
		p->node = cfg->node;
		p->device = cfg->device;
		map.ctx = p;
		hp_derive(cfg->key, "hptun port mapping v1", NULL, 0, &seed);
		err = hp_portmap_new(&map, &p->map);
		hp_secret_wipe(&seed);
	}
	if (err) {
		free(p);
		return hp_fault_set(f, err, "", "cannot prepare to ask the "
				    "gateway: %s", hp_err_name(err));
	}
	*out = p;
	return HP_OK;
}

void portmap_free(struct portmap *p)
{
	if (!p)
		return;
	hp_portmap_free(p->map);
	free(p);
}

void portmap_start(struct portmap *p, uint16_t port)
{
	if (p)
		hp_portmap_start(p->map, port, p->device);
}

const struct hp_portmap_info *portmap_info(struct portmap *p)
{
	return p ? &p->info : NULL;
}
