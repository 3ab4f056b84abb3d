/* SPDX-License-Identifier: ISC */
/*
 * What the owner of a client asks of it and tells it: a new record, other
 * addresses of the server, another network, the end.
 */
#include "meet/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "meet/client_impl.h"

/* After a change of network the old session may be out of reach for good. */
#define PATIENCE_MOVED_NS HP_S
#define KEEPALIVE_NS (25 * HP_S)

static const struct hp_addr no_addr;

struct hp_meet_client *hp_meet_new(const struct hp_meet_config *cfg)
{
	struct hp_meet_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->cfg = *cfg;
	hp_sign_public(&cfg->seed, &c->network);
	c->state = HP_MEET_IDLE;
	c->silence_ns = KEEPALIVE_NS;
	c->af = 1;
	c->next_ns = HP_NEVER;
	c->since_ns = HP_NEVER;
	c->patience_ns = MC_PATIENCE_NS;
	c->list.next_ns = HP_NEVER;
	mc_query_init(c);
	return c;
}

static void session_wipe(struct hp_meet_client *c)
{
	hp_secret_wipe(&c->keys.to_server);
	hp_secret_wipe(&c->keys.to_client);
	hp_secret_wipe(&c->offered.to_server);
	hp_secret_wipe(&c->offered.to_client);
}

void hp_meet_free(struct hp_meet_client *c)
{
	if (!c)
		return;
	mc_ask_free(c);
	session_wipe(c);
	hp_secret_wipe(&c->cfg.seed);
	free(c);
}

enum hp_err hp_meet_set_record(struct hp_meet_client *c, const uint8_t *record,
			       size_t len, uint64_t now_ns)
{
	if (!len)
		return HP_ERR_SHORT;
	if (len > sizeof(c->record))
		return HP_ERR_FULL;
	if (len != c->record_len || memcmp(c->record, record, len) != 0) {
		memcpy(c->record, record, len);
		c->record_len = (uint16_t)len;
		c->record_new = true;
	}
	if (c->state == HP_MEET_IDLE) {
		mc_hello_start(c, now_ns);
	} else if (c->state == HP_MEET_UP && c->record_new) {
		c->tries = 0;
		mc_keepalive_send(c, now_ns);
	}
	return HP_OK;
}

void hp_meet_set_keepalive(struct hp_meet_client *c, uint64_t ns,
			   uint64_t now_ns)
{
	c->silence_ns = hp_time_min(ns, KEEPALIVE_NS);
	if (c->interval_ns <= c->silence_ns)
		return;
	c->interval_ns = c->silence_ns;
	c->next_ns = hp_time_min(c->next_ns, now_ns + c->interval_ns);
}

void hp_meet_set_addrs(struct hp_meet_client *c, const struct hp_addr server[2],
		       uint64_t now_ns)
{
	const struct hp_addr used = c->cfg.server[c->af];

	for (unsigned int af = 0; af < 2; af++) {
		if (hp_addr_eq(&c->cfg.server[af], &server[af]))
			continue;
		mc_seen(c, af, 0, &no_addr);
		mc_seen(c, af, 1, &no_addr);
		c->cfg.server[af] = server[af];
	}
	if (c->state == HP_MEET_HELLO_SENT || c->state == HP_MEET_IDLE ||
	    !hp_addr_eq(&used, &c->cfg.server[c->af])) {
		c->standing &= hp_addr_eq(&used, &c->cfg.server[c->af]);
		mc_hello_start(c, now_ns);
	}
}

void hp_meet_bye(struct hp_meet_client *c, uint64_t now_ns)
{
	struct hp_meet_bye m = { 0 };

	(void)now_ns;
	if (c->state == HP_MEET_UP)
		mc_session_send(c, HP_MEET_BYE, (uint8_t *)&m, sizeof(m));
	mc_ask_free(c);
	mc_query_stop(c);
	session_wipe(c);
	c->record_len = 0; /* nothing starts again without a new one */
	c->state = HP_MEET_IDLE;
	c->standing = false;
	c->next_ns = HP_NEVER;
	c->since_ns = HP_NEVER;
	c->lost = false;
}

void hp_meet_network_changed(struct hp_meet_client *c, uint64_t now_ns)
{
	switch (c->state) {
	case HP_MEET_IDLE:
		return;
	case HP_MEET_UP:
		c->patience_ns = PATIENCE_MOVED_NS;
		c->since_ns = HP_NEVER;
		c->tries = 0;
		mc_keepalive_send(c, now_ns);
		mc_query_all(c, now_ns);
		mc_query_tick(c, now_ns);
		return;
	case HP_MEET_HELLO_SENT:
	case HP_MEET_REGISTER_SENT:
	case HP_MEET_WAITING:
		mc_hello_start(c, now_ns);
		return;
	}
}

void hp_meet_refresh(struct hp_meet_client *c, uint64_t now_ns)
{
	if (c->state != HP_MEET_UP ||
	    hp_time_since(now_ns, c->keepalive_ns) < HP_S)
		return;
	c->tries = 0;
	mc_keepalive_send(c, now_ns);
}

void hp_meet_try(struct hp_meet_client *c, uint64_t now_ns)
{
	if (c->state != HP_MEET_UP)
		return;
	mc_keepalive_put(c, now_ns);
	if (!c->cfg.server[!c->af].family)
		return;
	c->trying = true;
	c->af = !c->af;
	mc_keepalive_put(c, now_ns);
	c->af = !c->af;
}

void hp_meet_info(const struct hp_meet_client *c, struct hp_meet_info *out)
{
	*out = c->info;
	out->state = c->state;
	out->lost = c->lost;
	out->next_ns = c->next_ns;
}

const char *hp_meet_reason_name(enum hp_meet_reason reason)
{
	switch (reason) {
	case HP_MEET_NOT_ALLOWED:
		return "this network is not allowed here";
	case HP_MEET_FULL:
		return "the server takes no more nodes, or no more from here";
	case HP_MEET_NETWORK_FULL:
		return "the network has as many nodes as the server takes";
	case HP_MEET_LIMIT:
		return "too many requests in a short time";
	case HP_MEET_OFFLINE:
		return "not registered at the server";
	case HP_MEET_TIMEOUT:
		return "no answer from the server";
	}
	return "unknown";
}
