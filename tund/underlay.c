/* SPDX-License-Identifier: ISC */
/*
 * A change of the network comes as a burst of messages: an interface goes
 * down, its addresses and routes go, others come. So the first message starts
 * a short wait, and then everything is looked at anew, whole. While changes go
 * on without an end (containers come and go), looking takes a tenth of the time
 * at most, on a host with thousands of interfaces.
 */
#include "underlay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/time.h"
#include "node/node.h"
#include "punch/candidates.h"
#include "rtnl.h"
#include "sys/clock.h"
#include "sys/loop.h"

#define SETTLE_NS (50 * HP_MS)
/* Times that a look took: before the next one. */
#define REST 9
#define REST_MAX_NS (500 * HP_MS)
/* A shorter sleep than this loses no NAT mapping. */
#define SLEEP_NS (5 * HP_S)

struct underlay {
	struct hp_loop *loop;
	struct rtnl *rtnl;
	struct hp_node *node;
	void (*changed)(void *ctx, uint64_t now_ns);
	void *ctx;
	uint64_t due_ns; /* of the next look, HP_NEVER: none */
	uint64_t rest_ns; /* no look before that */
	uint64_t asleep_ns;
	struct rtnl_survey was;
	struct rtnl_survey is;
};

static uint32_t flags_of(const struct rtnl_ifaddr *a)
{
	static const char *const tunnels[] = {
		"tun", "wireguard", "vti", "vti6", "gre", "gretap", "ip6gre",
		"ip6gretap", "erspan", "ipip", "ip6tnl", "sit", "xfrm",
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(tunnels) / sizeof(tunnels[0]); i++)
		if (!strcmp(a->kind, tunnels[i]))
			flags |= HP_IF_TUNNEL;
	return flags | (a->running ? HP_IF_UP : 0) |
	       (a->loopback ? HP_IF_LOOPBACK : 0) |
	       (a->usable ? 0 : HP_IF_UNUSABLE) |
	       (a->gateway ? HP_IF_GATEWAY : 0) |
	       (a->temporary ? HP_IF_TEMPORARY : 0);
}

/* True when that changed how we can be reached. */
static bool tell_node(struct underlay *u, uint64_t now_ns)
{
	struct hp_ifaddr *addrs = calloc(u->is.n + 1, sizeof(*addrs));
	bool changed;
	size_t i;

	if (!addrs)
		return false; /* the next change comes by */
	for (i = 0; i < u->is.n; i++) {
		const struct rtnl_ifaddr *a = &u->is.addr[i];

		addrs[i] = (struct hp_ifaddr){
			.flags = flags_of(a),
			.index = a->index,
			.bits = (uint8_t)a->bits,
			.addr = a->addr,
		};
		memcpy(addrs[i].name, a->name, sizeof(addrs[i].name));
	}
	changed = hp_node_set_interfaces(u->node, addrs, u->is.n, now_ns);
	free(addrs);
	return changed;
}

static void look(struct underlay *u, uint64_t now_ns)
{
	struct rtnl_survey was = u->was;
	bool changed, routes;

	if (rtnl_survey(u->rtnl, &u->is) || rtnl_survey_eq(&u->is, &u->was))
		return;
	changed = tell_node(u, now_ns);
	/* The same address behind another gateway is another network. */
	routes = memcmp(u->is.routes, was.routes, sizeof(was.routes));
	if (routes)
		hp_node_network_changed(u->node, now_ns);
	u->was = u->is;
	u->is = was;
	if (changed || routes)
		u->changed(u->ctx, now_ns);
}

static uint64_t deadline(void *ctx)
{
	const struct underlay *u = ctx;

	return u->due_ns;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct underlay *u = ctx;
	uint64_t end_ns;

	u->due_ns = HP_NEVER;
	look(u, now_ns);
	end_ns = hp_clock_now();
	u->rest_ns = end_ns + hp_time_min(REST * hp_time_since(end_ns, now_ns),
					  REST_MAX_NS);
}

static void on_message(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct underlay *u = ctx;

	(void)events;
	rtnl_watch_drain(u->rtnl);
	if (u->due_ns != HP_NEVER)
		return;
	u->due_ns = now_ns + SETTLE_NS;
	if (u->due_ns < u->rest_ns)
		u->due_ns = u->rest_ns;
}

enum hp_err underlay_new(struct hp_loop *loop, struct rtnl *rtnl,
			 struct hp_node *node,
			 void (*changed)(void *ctx, uint64_t now_ns),
			 void *ctx, struct underlay **out, struct hp_fault *f)
{
	struct underlay *u = calloc(1, sizeof(*u));
	const struct hp_loop_timed timed = { deadline, tick, u };
	int fd = rtnl_watch_fd(rtnl);
	enum hp_err err;

	if (!u)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	u->loop = loop;
	u->rtnl = rtnl;
	u->node = node;
	u->changed = changed;
	u->ctx = ctx;
	u->due_ns = HP_NEVER;
	u->asleep_ns = hp_clock_asleep();
	err = rtnl_survey(rtnl, &u->is);
	if (!err)
		err = hp_loop_timed(loop, &timed);
	if (!err && fd >= 0)
		err = hp_loop_watch(loop, fd, EPOLLIN, on_message, u);
	if (err) {
		rtnl_survey_free(&u->is);
		free(u);
		return hp_fault_set(f, err, "",
				    "cannot read the addresses of this host");
	}
	(void)tell_node(u, hp_clock_now());
	u->was = u->is;
	u->is = (struct rtnl_survey){ 0 };
	*out = u;
	return HP_OK;
}

void underlay_free(struct underlay *u)
{
	if (!u)
		return;
	if (rtnl_watch_fd(u->rtnl) >= 0)
		hp_loop_unwatch(u->loop, rtnl_watch_fd(u->rtnl));
	rtnl_survey_free(&u->was);
	rtnl_survey_free(&u->is);
	free(u);
}

void underlay_woken(struct underlay *u, uint64_t now_ns)
{
	uint64_t asleep_ns = hp_clock_asleep();
	bool slept = hp_time_since(asleep_ns, u->asleep_ns) >= SLEEP_NS;

	u->asleep_ns = asleep_ns;
	if (!slept)
		return;
	hp_node_network_changed(u->node, now_ns);
	u->changed(u->ctx, now_ns);
}
