/* SPDX-License-Identifier: ISC */
/*
 * A prefix that was found stays while the name server is silent, also on a new
 * network, until it says something else: nearly all networks have the same one,
 * and packets of one that has gone are lost, which harms nobody.
 */
#include "sys/nat64.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/nat64.h"
#include "base/time.h"
#include "member/network.h"
#include "sys/loop.h"
#include "sys/resolve.h"
#include "sys/udp.h"

/* How often the name server is asked again: of a prefix, and of none. */
#define FOUND_NS (600 * HP_S)
#define NONE_NS (30 * HP_S)

struct hp_nat64 {
	hp_nat64_fn *found;
	void *ctx;
	struct hp_resolver *resolver;
	struct hp_prefix prefix; /* HP_AF_NONE: not to be used */
	bool wanted;	/* the host has IPv6 alone */
	bool asked;	/* the resolver has the name */
	bool known;
	uint64_t due_ns;
};

/* Does the system know a way to @to? What it would send from tells: with an
 * address that is valid on its link alone nobody gets further than that. No
 * packet is sent.
 */
static bool has_way(const struct hp_addr *to)
{
	struct sockaddr_storage ss;
	socklen_t len = hp_addr_to_sockaddr(to, &ss);
	struct hp_addr from = { 0 };
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (!connect(fd, (struct sockaddr *)&ss, len)) {
		len = sizeof(ss);
		if (!getsockname(fd, (struct sockaddr *)&ss, &len))
			from = hp_addr_from_sockaddr((struct sockaddr *)&ss);
	}
	close(fd);
	return from.family && hp_addr_scope(&from) != HP_SCOPE_LINK;
}

/* Both addresses belong to this very purpose, and lie behind default routes. */
static bool needs_nat64(void)
{
	static const uint8_t ip6[16] = { 0, 0x64, 0xff, 0x9b, [12] = 192,
					 [15] = 170 };
	const struct hp_addr a4 = hp_addr4(192, 0, 0, 170, 9);
	const struct hp_addr a6 = hp_addr_of(HP_AF_6, ip6, 9);

	return !has_way(&a4) && has_way(&a6);
}

static void set(struct hp_nat64 *n, const struct hp_prefix *prefix,
		uint64_t now_ns)
{
	n->known = true;
	if (hp_prefix_eq(&n->prefix, prefix))
		return;
	n->prefix = *prefix;
	n->found(n->ctx, prefix, now_ns);
}

static void on_resolved(void *ctx, unsigned int id,
			const struct hp_addr *addr4,
			const struct hp_addr *addr6, const char *error,
			uint64_t now_ns)
{
	struct hp_nat64 *n = ctx;
	struct hp_prefix prefix;

	(void)id;
	(void)addr4;
	if (!n->wanted)
		return;
	if (error) {
		n->known = true; /* the resolver asks again */
		return;
	}
	if (!hp_nat64_find(addr6, &prefix))
		prefix = (struct hp_prefix){ 0 };
	n->due_ns = now_ns + (prefix.family ? FOUND_NS : NONE_NS);
	set(n, &prefix, now_ns);
}

static uint64_t deadline(void *ctx)
{
	return ((const struct hp_nat64 *)ctx)->due_ns;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct hp_nat64 *n = ctx;

	n->due_ns = HP_NEVER;
	hp_resolver_again(n->resolver, 0, now_ns);
}

enum hp_err hp_nat64_new(struct hp_loop *loop, hp_nat64_fn *found, void *ctx,
			 struct hp_nat64 **out)
{
	struct hp_nat64 *n = calloc(1, sizeof(*n));
	const struct hp_loop_timed timed = { deadline, tick, n };
	enum hp_err err;

	if (!n)
		return HP_ERR_NOMEM;
	n->found = found;
	n->ctx = ctx;
	n->due_ns = HP_NEVER;
	err = hp_resolver_new(loop, on_resolved, n, &n->resolver);
	if (!err)
		err = hp_loop_timed(loop, &timed);
	if (err)
		hp_nat64_free(n);
	else
		*out = n;
	return err;
}

void hp_nat64_free(struct hp_nat64 *n)
{
	if (!n)
		return;
	hp_resolver_free(n->resolver);
	free(n);
}

void hp_nat64_look(struct hp_nat64 *n, uint64_t now_ns)
{
	static const struct hp_server name = { .host = HP_NAT64_NAME,
					       .port = 9 };
	static const struct hp_prefix none;

	n->due_ns = HP_NEVER;
	n->wanted = needs_nat64();
	if (!n->wanted) {
		set(n, &none, now_ns);
		return;
	}
	n->known = false;
	if (n->asked)
		hp_resolver_renew(n->resolver, 0, now_ns);
	else
		n->asked = hp_resolver_add(n->resolver, &name, 0) == HP_OK;
}

bool hp_nat64_known(const struct hp_nat64 *n)
{
	return n->known;
}
