/* SPDX-License-Identifier: ISC */
#include "rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crypto.h"

#define GROUPS (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | \
		RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)
#define REQUEST_LEN 512
#define REPLY_LEN 32768
/* Interfaces with a default route that are told from others. */
#define GATEWAYS_MAX 8

struct rtnl {
	struct mnl_socket *ask;
	struct mnl_socket *watch; /* NULL: refused */
	unsigned int seq;
	_Alignas(struct nlmsghdr) uint8_t reply[REPLY_LEN];
};

struct rtnl *rtnl_new(struct hp_fault *f)
{
	struct rtnl *r = calloc(1, sizeof(*r));

	if (!r)
		goto refused;
	r->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->ask || mnl_socket_bind(r->ask, 0, MNL_SOCKET_AUTOPID) < 0)
		goto refused;
	r->watch = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (r->watch &&
	    mnl_socket_bind(r->watch, GROUPS, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(r->watch);
		r->watch = NULL;
	}
	return r;

refused:
	(void)hp_fault_set(f, HP_ERR_IO, "", "cannot open a netlink socket: %s",
			   strerror(errno));
	rtnl_free(r);
	return NULL;
}

void rtnl_free(struct rtnl *r)
{
	if (!r)
		return;
	if (r->ask)
		mnl_socket_close(r->ask);
	if (r->watch)
		mnl_socket_close(r->watch);
	free(r);
}

static struct nlmsghdr *request(struct rtnl *r, void *buf, uint16_t type,
				uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++r->seq;
	return h;
}

/* A dump during which something changed is marked so, and libmnl takes that
 * for a failure. On a host with many interfaces there may be no other dump;
 * the change itself is told by the watching socket, and looked at then.
 */
static void forgive_changes(void *buf, size_t len)
{
	struct nlmsghdr *h = buf;
	int left = (int)len;

	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		h->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
}

/* Sends @h and runs @each over the answer. 0, or -1 with errno. */
static int talk(struct rtnl *r, const struct nlmsghdr *h, mnl_cb_t each,
		void *ctx)
{
	unsigned int port = mnl_socket_get_portid(r->ask);
	int run = MNL_CB_OK;
	ssize_t n;

	if (mnl_socket_sendto(r->ask, h, h->nlmsg_len) < 0)
		return -1;
	while (run > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(r->ask, r->reply, sizeof(r->reply));
		if (n < 0)
			return -1;
		forgive_changes(r->reply, (size_t)n);
		run = mnl_cb_run(r->reply, (size_t)n, h->nlmsg_seq, port, each,
				 ctx);
	}
	return run < 0 ? -1 : 0;
}

static int af_of(enum hp_family family)
{
	return family == HP_AF_4 ? AF_INET : AF_INET6;
}

static size_t ip_len(unsigned int family)
{
	return family == HP_AF_4 ? 4 : 16;
}

static enum hp_err link_fault(int err, struct hp_fault *f)
{
	if (err == EINVAL)
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "use 576 to 65535 (1280 or more for IPv6)",
				    "the kernel does not take this MTU");
	return hp_fault_set(f, HP_ERR_IO, "", "cannot set up the interface: %s",
			    strerror(err));
}

/* A long packet of full segments is to fit one send of joined datagrams: those
 * are IPv4's most together, and a relay header and WireGuard's may stand around
 * each.
 */
static uint32_t segments(uint32_t mtu)
{
	uint32_t n = 65507 / (mtu + 8 + 32);

	return n < 1 ? 1 : n > 64 ? 64 : n;
}

static struct nlmsghdr *link_request(struct rtnl *r, void *buf,
				     unsigned int index, uint32_t mtu,
				     unsigned int flags)
{
	struct nlmsghdr *h = request(r, buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)index;
	m->ifi_flags = flags;
	m->ifi_change = flags;
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	mnl_attr_put_u32(h, IFLA_GSO_MAX_SEGS, segments(mtu));
	return h;
}

enum hp_err rtnl_link_mtu(struct rtnl *r, unsigned int index, uint32_t mtu,
			  struct hp_fault *f)
{
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_LEN];

	if (!talk(r, link_request(r, buf, index, mtu, 0), NULL, NULL))
		return HP_OK;
	return link_fault(errno, f);
}

static int each_mtu(const struct nlmsghdr *h, void *ctx)
{
	uint32_t *mtu = ctx;
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct ifinfomsg))
		if (mnl_attr_get_type(a) == IFLA_MTU)
			*mtu = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

uint32_t rtnl_link_mtu_get(struct rtnl *r, unsigned int index)
{
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_LEN];
	struct nlmsghdr *h = request(r, buf, RTM_GETLINK, NLM_F_ACK);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	uint32_t mtu = 0;

	m->ifi_index = (int)index;
	return talk(r, h, each_mtu, &mtu) ? 0 : mtu;
}

/* A host without IPv6 refuses this; then there is nothing to prevent. */
static void no_link_local(struct rtnl *r, unsigned int index)
{
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_LEN];
	struct nlmsghdr *h = request(r, buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	struct nlattr *spec, *inet6;

	m->ifi_index = (int)index;
	spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	inet6 = mnl_attr_nest_start(h, AF_INET6);
	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, inet6);
	mnl_attr_nest_end(h, spec);
	(void)talk(r, h, NULL, NULL);
}

enum hp_err rtnl_link_up(struct rtnl *r, unsigned int index, uint32_t mtu,
			 struct hp_fault *f)
{
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_LEN];

	no_link_local(r, index);
	if (!talk(r, link_request(r, buf, index, mtu, IFF_UP), NULL, NULL))
		return HP_OK;
	return link_fault(errno, f);
}

enum hp_err rtnl_addr_add(struct rtnl *r, unsigned int index,
			  const struct hp_addr *addr, unsigned int bits,
			  struct hp_fault *f)
{
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_LEN];
	struct nlmsghdr *h;
	struct ifaddrmsg *m;
	char text[HP_ADDR_TEXT];

	h = request(r, buf, RTM_NEWADDR,
		    NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = (uint8_t)af_of(addr->family);
	m->ifa_prefixlen = (uint8_t)bits;
	m->ifa_flags = IFA_F_PERMANENT;
	if (addr->family == HP_AF_6)
		m->ifa_flags |= IFA_F_NODAD; /* usable at once */
	m->ifa_index = index;
	mnl_attr_put(h, IFA_LOCAL, ip_len(addr->family), addr->ip);
	mnl_attr_put(h, IFA_ADDRESS, ip_len(addr->family), addr->ip);
	if (!talk(r, h, NULL, NULL))
		return HP_OK;
	return hp_fault_set(f, HP_ERR_IO, "",
			    "cannot give the interface the address %s/%u: %s",
			    hp_addr_ip_text(addr, text), bits,
			    strerror(errno));
}

static int route(struct rtnl *r, uint16_t type, uint16_t flags,
		 unsigned int index, const struct hp_prefix *dst)
{
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_LEN];
	struct nlmsghdr *h = request(r, buf, type, NLM_F_ACK | flags);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->rtm_family = (uint8_t)af_of(dst->family);
	m->rtm_dst_len = (uint8_t)dst->bits;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = dst->family == HP_AF_4 ? RT_SCOPE_LINK :
						RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_DST, ip_len(dst->family), dst->ip);
	mnl_attr_put_u32(h, RTA_OIF, index);
	return talk(r, h, NULL, NULL);
}

enum hp_err rtnl_route_add(struct rtnl *r, unsigned int index,
			   const struct hp_prefix *dst, struct hp_fault *f)
{
	char text[HP_PREFIX_TEXT];

	if (!route(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, dst) ||
	    errno == EEXIST)
		return HP_OK;
	return hp_fault_set(f, HP_ERR_IO, "", "cannot set the route to %s: %s",
			    hp_prefix_text(dst, text), strerror(errno));
}

enum hp_err rtnl_route_del(struct rtnl *r, unsigned int index,
			   const struct hp_prefix *dst, struct hp_fault *f)
{
	char text[HP_PREFIX_TEXT];

	if (!route(r, RTM_DELROUTE, 0, index, dst) || errno == ESRCH)
		return HP_OK;
	return hp_fault_set(f, HP_ERR_IO, "", "cannot take the route to %s away: %s",
			    hp_prefix_text(dst, text), strerror(errno));
}

/* ---- the survey ---------------------------------------------------------- */

struct link {
	unsigned int index;
	char name[IFNAMSIZ];
	char kind[16];
	bool running;
	bool loopback;
};

/* @link: sorted by index once all are there. */
struct dump {
	struct link *link;
	size_t n_links;
	size_t cap_links;
	unsigned int gateway[GATEWAYS_MAX];
	size_t n_gateways;
	struct rtnl_survey *out;
};

/* Room for one more of @size at @list; false: no memory. */
static bool grow(void **list, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? 2 * *cap : 32;
	void *grown;

	if (n < *cap)
		return true;
	grown = reallocarray(*list, more, size);
	if (!grown)
		return false;
	*list = grown;
	*cap = more;
	return true;
}

static int link_cmp(const void *a, const void *b)
{
	unsigned int x = ((const struct link *)a)->index;
	unsigned int y = ((const struct link *)b)->index;

	return (x > y) - (x < y);
}

static const struct link *link_by(const struct dump *d, unsigned int index)
{
	const struct link key = { .index = index };

	return d->n_links ? bsearch(&key, d->link, d->n_links, sizeof(key),
				    link_cmp) : NULL;
}

static bool is_gateway(const struct dump *d, unsigned int index)
{
	for (size_t i = 0; i < d->n_gateways; i++)
		if (d->gateway[i] == index)
			return true;
	return false;
}

static void copy_text(char *out, size_t cap, const struct nlattr *a)
{
	snprintf(out, cap, "%.*s", (int)mnl_attr_get_payload_len(a),
		 mnl_attr_get_str(a));
}

static int each_link(const struct nlmsghdr *h, void *ctx)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *a, *in;
	struct dump *d = ctx;
	struct link *l;

	if (h->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	if (!grow((void **)&d->link, d->n_links, &d->cap_links, sizeof(*l)))
		return MNL_CB_ERROR;
	l = &d->link[d->n_links++];
	*l = (struct link){
		.index = (unsigned int)m->ifi_index,
		.running = (m->ifi_flags & IFF_UP) &&
			   (m->ifi_flags & IFF_RUNNING),
		.loopback = m->ifi_flags & IFF_LOOPBACK,
	};
	mnl_attr_for_each(a, h, sizeof(*m)) {
		if (mnl_attr_get_type(a) == IFLA_IFNAME)
			copy_text(l->name, sizeof(l->name), a);
		if (mnl_attr_get_type(a) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(in, a)
			if (mnl_attr_get_type(in) == IFLA_INFO_KIND)
				copy_text(l->kind, sizeof(l->kind), in);
	}
	return MNL_CB_OK;
}

/* What of a route matters, in the order of the kernel's dump. Its cache data
 * holds expiry times, which differ at each look.
 */
static void digest_route(uint8_t digest[16], const struct rtmsg *m,
			 const struct nlattr *const tb[RTA_MAX + 1])
{
	static const uint8_t what[] = { RTA_DST, RTA_GATEWAY, RTA_VIA, RTA_OIF,
					RTA_PRIORITY, RTA_MULTIPATH };
	struct hp_piece piece[2 + sizeof(what)] = {
		{ digest, 16 },
		{ &m->rtm_dst_len, sizeof(m->rtm_dst_len) },
	};
	size_t n = 2, i;

	for (i = 0; i < sizeof(what); i++) {
		const struct nlattr *a = tb[what[i]];

		if (a)
			piece[n++] = (struct hp_piece){
				a, mnl_attr_get_len(a)
			};
	}
	hp_blake2b(digest, 16, NULL, piece, n);
}

static void note_gateway(struct dump *d, unsigned int index)
{
	if (d->n_gateways < GATEWAYS_MAX && !is_gateway(d, index))
		d->gateway[d->n_gateways++] = index;
}

static void note_default(struct dump *d, const struct rtmsg *m,
			 const struct nlattr *const tb[RTA_MAX + 1])
{
	const struct rtnexthop *hop;
	int left;

	if (m->rtm_dst_len || m->rtm_table != RT_TABLE_MAIN)
		return;
	if (tb[RTA_OIF])
		note_gateway(d, mnl_attr_get_u32(tb[RTA_OIF]));
	if (!tb[RTA_MULTIPATH])
		return;
	hop = mnl_attr_get_payload(tb[RTA_MULTIPATH]);
	left = mnl_attr_get_payload_len(tb[RTA_MULTIPATH]);
	for (; RTNH_OK(hop, left); hop = RTNH_NEXT(hop)) {
		note_gateway(d, (unsigned int)hop->rtnh_ifindex);
		left -= RTNH_ALIGN(hop->rtnh_len);
	}
}

static int each_route(const struct nlmsghdr *h, void *ctx)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_MAX + 1] = { 0 };
	const struct nlattr *a;
	struct dump *d = ctx;

	if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_type != RTN_UNICAST ||
	    (m->rtm_flags & RTM_F_CLONED))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
		if (mnl_attr_get_type(a) <= RTA_MAX)
			tb[mnl_attr_get_type(a)] = a;
	if (!tb[RTA_GATEWAY] && !tb[RTA_VIA] && !tb[RTA_MULTIPATH] &&
	    m->rtm_dst_len)
		return MNL_CB_OK;
	digest_route(d->out->routes, m, tb);
	note_default(d, m, tb);
	return MNL_CB_OK;
}

static bool flags_usable(uint32_t flags)
{
	return !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED |
			  IFA_F_DEPRECATED)) || (flags & IFA_F_OPTIMISTIC);
}

static int each_addr(const struct nlmsghdr *h, void *ctx)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *a, *ip = NULL;
	uint32_t flags = m->ifa_flags;
	struct dump *d = ctx;
	const struct link *l = link_by(d, m->ifa_index);
	struct rtnl_survey *s = d->out;
	struct rtnl_ifaddr *out;

	if (h->nlmsg_type != RTM_NEWADDR || !l ||
	    (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m)) {
		if (mnl_attr_get_type(a) == IFA_FLAGS)
			flags = mnl_attr_get_u32(a);
		/* On a point-to-point link IFA_ADDRESS is the other end. */
		if (mnl_attr_get_type(a) == IFA_LOCAL ||
		    (mnl_attr_get_type(a) == IFA_ADDRESS && !ip))
			ip = a;
	}
	if (!ip || mnl_attr_get_payload_len(ip) !=
			   (m->ifa_family == AF_INET ? 4 : 16))
		return MNL_CB_OK;
	if (!grow((void **)&s->addr, s->n, &s->cap, sizeof(*out)))
		return MNL_CB_ERROR;
	out = &s->addr[s->n++];
	*out = (struct rtnl_ifaddr){
		.addr = hp_addr_of(m->ifa_family == AF_INET ? HP_AF_4 : HP_AF_6,
				   mnl_attr_get_payload(ip), 0),
		.bits = m->ifa_prefixlen,
		.index = l->index,
		.running = l->running,
		.loopback = l->loopback,
		.usable = flags_usable(flags),
		.temporary = m->ifa_family == AF_INET6 &&
			     (flags & IFA_F_TEMPORARY),
		.gateway = is_gateway(d, l->index),
	};
	memcpy(out->name, l->name, sizeof(out->name));
	memcpy(out->kind, l->kind, sizeof(out->kind));
	if (m->ifa_family == AF_INET6 && m->ifa_scope == RT_SCOPE_LINK)
		out->addr.scope = l->index;
	return MNL_CB_OK;
}

static int dump(struct rtnl *r, uint16_t type, uint8_t family, size_t body,
		mnl_cb_t each, struct dump *d)
{
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_LEN];
	struct nlmsghdr *h = request(r, buf, type, NLM_F_DUMP);

	/* Each of the three bodies begins with the family. */
	*(uint8_t *)mnl_nlmsg_put_extra_header(h, body) = family;
	if (type == RTM_GETLINK)
		mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return talk(r, h, each, d);
}

static int dump_all(struct rtnl *r, struct dump *d)
{
	if (dump(r, RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg),
		 each_link, d))
		return -1;
	if (d->n_links)
		qsort(d->link, d->n_links, sizeof(*d->link), link_cmp);
	if (dump(r, RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), each_route,
		 d) ||
	    dump(r, RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), each_route,
		 d))
		return -1;
	return dump(r, RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg),
		    each_addr, d);
}

enum hp_err rtnl_survey(struct rtnl *r, struct rtnl_survey *out)
{
	struct dump d = { .out = out };
	int failed;

	out->n = 0;
	memset(out->routes, 0, sizeof(out->routes));
	failed = dump_all(r, &d);
	free(d.link);
	return failed ? HP_ERR_IO : HP_OK;
}

void rtnl_survey_free(struct rtnl_survey *s)
{
	free(s->addr);
	*s = (struct rtnl_survey){ 0 };
}

bool rtnl_survey_eq(const struct rtnl_survey *a, const struct rtnl_survey *b)
{
	return a->n == b->n &&
	       !memcmp(a->routes, b->routes, sizeof(a->routes)) &&
	       (!a->n || !memcmp(a->addr, b->addr, a->n * sizeof(*a->addr)));
}

int rtnl_watch_fd(const struct rtnl *r)
{
	return r->watch ? mnl_socket_get_fd(r->watch) : -1;
}

void rtnl_watch_drain(struct rtnl *r)
{
	uint8_t buf[4096];
	ssize_t n;

	/* What exactly changed is not read: the survey tells it whole, also
	 * after an overrun (ENOBUFS).
	 */
	do {
		n = recv(rtnl_watch_fd(r), buf, sizeof(buf), MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && (errno == ENOBUFS || errno == EINTR)));
}
