/* SPDX-License-Identifier: ISC */
#include "punch/candidates.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

/* Interfaces known by name, as a prefix; their kind tells where it is given. */
static const char *const tunnel_names[] = {
	"tun",	 "tap",	    "wg",     "hptun",	"tailscale", "zt",
	"nebula", "utun",   "nordlynx", "proton", "mullvad", "ham",
	"gre",	 "gretap",  "erspan", "sit",	"ip6tnl",    "ipip",
	"tunl",	 "ip_vti", "ip6_vti", "l2tp",	"vti",	     "xfrm",
};
static const char *const container_names[] = {
	"docker", "podman", "virbr", "veth",	"cni",	"lxc",	 "lxdbr",
	"incusbr", "cali",  "flannel", "weave", "cilium", "vmnet", "vboxnet",
	"kube-",  "nodelocaldns",
};

static bool has_prefix(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(name, list[i], strlen(list[i])))
			return true;
	return false;
}

/* Docker and Podman name a network's bridge br-, then 12 hex digits; OpenWrt
 * calls its LAN br-lan, which is a fine candidate.
 */
static bool is_container_bridge(const char *name)
{
	const char *hex = name + 3;

	if (strncmp(name, "br-", 3) || strlen(hex) != 12)
		return false;
	for (; *hex; hex++)
		if (!isxdigit((unsigned char)*hex))
			return false;
	return true;
}

static bool in_any(const struct hp_addr *a, const struct hp_prefix *list,
		   size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].family == a->family &&
		    hp_prefix_has(&list[i], a->family, a->ip))
			return true;
	return false;
}

const char *hp_ifaddr_verdict_text(enum hp_ifaddr_verdict v)
{
	switch (v) {
	case HP_IFADDR_OK:
		return "announced";
	case HP_IFADDR_DOWN:
		return "the interface is down";
	case HP_IFADDR_LOOPBACK:
		return "loopback";
	case HP_IFADDR_RANGE:
		return "the address is not valid beyond its link";
	case HP_IFADDR_TUNNEL:
		return "another tunnel";
	case HP_IFADDR_CONTAINER:
		return "a bridge of containers or virtual machines";
	case HP_IFADDR_OVERLAY:
		return "inside a tunnel of our own";
	case HP_IFADDR_UNUSABLE:
		return "the address is deprecated or not ready";
	case HP_IFADDR_EXCLUDED:
		return "the interface is excluded (Exclude)";
	case HP_IFADDR_UNLISTED:
		return "others are listed (Interfaces)";
	}
	return "unknown";
}

static bool matches(const struct hp_ifpatterns *list, const char *name)
{
	for (unsigned int i = 0; list && i < list->n; i++)
		if (!fnmatch(list->text[i], name, 0))
			return true;
	return false;
}

static bool is_container(const struct hp_ifaddr *a)
{
	return is_container_bridge(a->name) ||
	       has_prefix(a->name, container_names,
			  sizeof(container_names) / sizeof(*container_names));
}

enum hp_ifaddr_verdict hp_ifaddr_judge(const struct hp_ifaddr *a,
				       const struct hp_ifrules *rules)
{
	bool listed = rules->only && rules->only->n;

	if (!(a->flags & HP_IF_UP))
		return HP_IFADDR_DOWN;
	if (a->flags & HP_IF_LOOPBACK ||
	    hp_addr_scope(&a->addr) == HP_SCOPE_LOOPBACK)
		return HP_IFADDR_LOOPBACK;
	if (a->flags & HP_IF_TUNNEL ||
	    has_prefix(a->name, tunnel_names,
		       sizeof(tunnel_names) / sizeof(*tunnel_names)))
		return HP_IFADDR_TUNNEL;
	if (!listed && is_container(a))
		return HP_IFADDR_CONTAINER;
	if (in_any(&a->addr, rules->overlay, rules->n_overlay))
		return HP_IFADDR_OVERLAY;
	if (a->flags & HP_IF_UNUSABLE)
		return HP_IFADDR_UNUSABLE;
	if (matches(rules->never, a->name))
		return HP_IFADDR_EXCLUDED;
	if (listed && !matches(rules->only, a->name))
		return HP_IFADDR_UNLISTED;
	return hp_addr_is_routable(&a->addr) ? HP_IFADDR_OK : HP_IFADDR_RANGE;
}

bool hp_ifaddr_on_link(const struct hp_ifaddr *a,
		       const struct hp_ifrules *rules)
{
	return a->addr.family == HP_AF_6 && a->addr.scope &&
	       hp_addr_scope(&a->addr) == HP_SCOPE_LINK &&
	       hp_ifaddr_judge(a, rules) == HP_IFADDR_RANGE;
}

static unsigned int kind_rank(enum hp_candidate_kind kind)
{
	switch (kind) {
	case HP_CAND_HOST:
		return 126;
	case HP_CAND_PEER_REFLEXIVE:
		return 110;
	case HP_CAND_MAPPED:
		return 105;
	case HP_CAND_REFLEXIVE:
		return 100;
	case HP_CAND_PREDICTED:
		return 50;
	case HP_CAND_RELAYED:
		return 0;
	}
	return 0;
}

uint32_t hp_candidate_priority(const struct hp_candidate *c)
{
	uint32_t rank = (uint32_t)kind_rank(c->kind) << 8;

	if (c->addr.family == HP_AF_6)
		rank |= 0x80;
	/* A global address serves every peer, a private one those nearby. */
	if (hp_addr_scope(&c->addr) == HP_SCOPE_GLOBAL)
		rank |= 0x40;
	return rank;
}

/* Total order: priority, then the address, so that input order is no matter. */
static bool is_before(const struct hp_candidate *a,
		      const struct hp_candidate *b)
{
	uint32_t pa = hp_candidate_priority(a);
	uint32_t pb = hp_candidate_priority(b);

	return pa != pb ? pa > pb : hp_addr_cmp(&a->addr, &b->addr) < 0;
}

static void drop_at(struct hp_candidate *list, size_t *n, size_t at)
{
	memmove(&list[at], &list[at + 1], (*n - at - 1) * sizeof(*list));
	--*n;
}

static void insert(struct hp_candidate *list, size_t *n,
		   const struct hp_candidate *c)
{
	size_t at = 0;

	while (at < *n && is_before(&list[at], c))
		at++;
	memmove(&list[at + 1], &list[at], (*n - at) * sizeof(*list));
	list[at] = *c;
	++*n;
}

/* The last host candidate when there are as many as may be, else the number
 * of entries.
 */
static size_t spare_host(const struct hp_candidate *list, size_t n)
{
	size_t hosts = 0, last = n;

	for (size_t i = 0; i < n; i++) {
		if (list[i].kind != HP_CAND_HOST)
			continue;
		hosts++;
		last = i;
	}
	return hosts >= HP_CANDIDATES_HOST_MAX ? last : n;
}

bool hp_candidates_add(struct hp_candidate list[HP_CANDIDATES_MAX], size_t *n,
		       const struct hp_candidate *c)
{
	size_t worst;

	for (size_t i = 0; i < *n; i++) {
		if (!hp_addr_eq(&list[i].addr, &c->addr))
			continue;
		if (!is_before(c, &list[i]))
			return false;
		drop_at(list, n, i);
		insert(list, n, c);
		return true;
	}
	worst = c->kind == HP_CAND_HOST ? spare_host(list, *n) : *n;
	if (worst == *n && *n == HP_CANDIDATES_MAX)
		worst = *n - 1;
	if (worst < *n) {
		if (!is_before(c, &list[worst]))
			return false;
		drop_at(list, n, worst);
	}
	insert(list, n, c);
	return true;
}

/* A host candidate, and what decides between two of the same priority: hosts
 * that have temporary addresses mean them to be used (RFC 8981, 3.5).
 */
struct pick {
	struct hp_candidate c;
	bool temporary;
	bool gateway;
};

static bool is_better_pick(const struct pick *a, const struct pick *b)
{
	uint32_t pa = hp_candidate_priority(&a->c);
	uint32_t pb = hp_candidate_priority(&b->c);

	if (pa != pb)
		return pa > pb;
	if (a->gateway != b->gateway)
		return a->gateway;
	if (a->temporary != b->temporary)
		return a->temporary;
	return hp_addr_cmp(&a->c.addr, &b->c.addr) < 0;
}

static bool is_same_prefix6(const struct hp_addr *a, const struct hp_addr *b)
{
	return a->family == HP_AF_6 && b->family == HP_AF_6 &&
	       !memcmp(a->ip, b->ip, 8);
}

/* Which of @n sorted picks is one too many, or @n. The caps are nested (prefix
 * in IPv6 in all), so that dropping the worst of the fullest each time leaves
 * the best set, whatever the order in which addresses come.
 */
static size_t surplus(const struct pick *picks, size_t n)
{
	size_t v6 = 0, last6 = n;

	for (size_t i = 0; i < n; i++) {
		size_t mates = 0;

		if (picks[i].c.addr.family != HP_AF_6)
			continue;
		v6++;
		last6 = i;
		for (size_t j = 0; j <= i; j++)
			mates += is_same_prefix6(&picks[i].c.addr,
						 &picks[j].c.addr);
		if (mates > HP_CANDIDATES_PER_PREFIX6)
			return i;
	}
	if (v6 > HP_CANDIDATES_HOST6_MAX)
		return last6;
	return n > HP_CANDIDATES_HOST_MAX ? n - 1 : n;
}

/* @picks is sorted and has room for one more than the cap. */
static size_t add_pick(struct pick *picks, size_t n, const struct pick *p)
{
	size_t at = 0, over;

	for (size_t i = 0; i < n; i++)
		if (hp_addr_eq(&picks[i].c.addr, &p->c.addr))
			return n;
	while (at < n && is_better_pick(&picks[at], p))
		at++;
	memmove(&picks[at + 1], &picks[at], (n - at) * sizeof(*picks));
	picks[at] = *p;
	n++;
	over = surplus(picks, n);
	if (over == n)
		return n;
	memmove(&picks[over], &picks[over + 1],
		(n - over - 1) * sizeof(*picks));
	return n - 1;
}

size_t hp_candidates_gather(const struct hp_ifaddr *addrs, size_t n,
			    const struct hp_ifrules *rules, uint16_t port,
			    struct hp_candidate out[HP_CANDIDATES_HOST_MAX])
{
	struct pick picks[HP_CANDIDATES_HOST_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		struct pick p = {
			.c = { .addr = addrs[i].addr, .kind = HP_CAND_HOST },
			.temporary = addrs[i].flags & HP_IF_TEMPORARY,
			.gateway = addrs[i].flags & HP_IF_GATEWAY,
		};

		if (!hp_candidate_allowed(&p.c, rules->methods) ||
		    hp_ifaddr_judge(&addrs[i], rules) != HP_IFADDR_OK)
			continue;
		p.c.addr.port = port;
		p.c.addr.scope = 0;
		count = add_pick(picks, count, &p);
	}
	for (size_t i = 0; i < count; i++)
		out[i] = picks[i].c;
	return count;
}

bool hp_candidate_usable(const struct hp_candidate *c,
			 const struct hp_prefix *overlay, size_t n_overlay)
{
	return c->addr.port && c->kind != HP_CAND_RELAYED &&
	       hp_addr_is_routable(&c->addr) &&
	       !in_any(&c->addr, overlay, n_overlay);
}

bool hp_candidate_allowed(const struct hp_candidate *c, uint32_t methods)
{
	if (c->addr.family == HP_AF_6 && !(methods & HP_METHOD_IPV6))
		return false;
	switch (c->kind) {
	case HP_CAND_HOST:
		return methods & HP_METHOD_HOST;
	case HP_CAND_REFLEXIVE:
		return methods & HP_METHOD_REFLEXIVE;
	case HP_CAND_PREDICTED:
		return methods & HP_METHOD_PREDICT;
	case HP_CAND_RELAYED:
		return methods & HP_METHOD_RELAY;
	case HP_CAND_MAPPED:
		return methods & HP_METHOD_MAPPED;
	case HP_CAND_PEER_REFLEXIVE:
		return true;
	}
	return false;
}

const char *hp_candidate_kind_text(enum hp_candidate_kind kind)
{
	switch (kind) {
	case HP_CAND_HOST:
		return "host";
	case HP_CAND_REFLEXIVE:
		return "reflexive";
	case HP_CAND_PEER_REFLEXIVE:
		return "peer-reflexive";
	case HP_CAND_MAPPED:
		return "mapped";
	case HP_CAND_PREDICTED:
		return "predicted";
	case HP_CAND_RELAYED:
		return "relayed";
	}
	return "unknown";
}
