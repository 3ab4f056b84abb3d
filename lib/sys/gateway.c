/* SPDX-License-Identifier: ISC */
/* The gateway is read off the kernel's routes by rtnetlink (libmnl). */
#include "sys/gateway.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/udp.h"

const char *hp_gateway_said_text(enum hp_gateway_said s)
{
	switch (s) {
	case HP_GATEWAY_NOT_ASKED:
		return "not asked";
	case HP_GATEWAY_NOT_BUILT:
		return "not in this build";
	case HP_GATEWAY_SILENT:
		return "no answer";
	case HP_GATEWAY_REFUSED:
		return "refuses";
	case HP_GATEWAY_GRANTED:
		return "maps ports";
	}
	return "unknown";
}

const char *hp_gateway_said_word(enum hp_gateway_said s)
{
	switch (s) {
	case HP_GATEWAY_NOT_ASKED:
		return "not-asked";
	case HP_GATEWAY_NOT_BUILT:
		return "not-built";
	case HP_GATEWAY_SILENT:
		return "silent";
	case HP_GATEWAY_REFUSED:
		return "refused";
	case HP_GATEWAY_GRANTED:
		return "granted";
	}
	return "unknown";
}

struct search {
	unsigned int skip;
	bool found;
	uint32_t metric;
	struct hp_addr gateway;
};

static void take(struct search *s, uint32_t metric, unsigned int index,
		 const void *ip)
{
	if (index == s->skip || (s->found && metric >= s->metric))
		return;
	s->found = true;
	s->metric = metric;
	s->gateway = hp_addr_of(HP_AF_4, ip, 0);
}

/* The first hop of several that has a gateway. */
static void take_hops(struct search *s, uint32_t metric,
		      const struct nlattr *hops)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(hops);
	int left = mnl_attr_get_payload_len(hops);

	for (; RTNH_OK(hop, left); hop = RTNH_NEXT(hop)) {
		const struct rtattr *a = (const void *)RTNH_DATA(hop);
		int len = hop->rtnh_len - (int)sizeof(*hop);

		for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
			if (a->rta_type == RTA_GATEWAY)
				take(s, metric, (unsigned int)hop->rtnh_ifindex,
				     RTA_DATA(a));
		left -= RTNH_ALIGN(hop->rtnh_len);
	}
}

static int each_route(const struct nlmsghdr *h, void *ctx)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *a, *gateway = NULL, *hops = NULL;
	uint32_t metric = 0, index = 0;
	struct search *s = ctx;

	if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_type != RTN_UNICAST ||
	    m->rtm_dst_len || m->rtm_table != RT_TABLE_MAIN ||
	    m->rtm_family != AF_INET)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m)) {
		if (mnl_attr_get_type(a) == RTA_GATEWAY)
			gateway = a;
		else if (mnl_attr_get_type(a) == RTA_MULTIPATH)
			hops = a;
		else if (mnl_attr_get_type(a) == RTA_OIF)
			index = mnl_attr_get_u32(a);
		else if (mnl_attr_get_type(a) == RTA_PRIORITY)
			metric = mnl_attr_get_u32(a);
	}
	if (gateway && mnl_attr_get_payload_len(gateway) == 4)
		take(s, metric, index, mnl_attr_get_payload(gateway));
	if (hops)
		take_hops(s, metric, hops);
	return MNL_CB_OK;
}

static int ask_routes(struct mnl_socket *nl, struct search *s)
{
	_Alignas(struct nlmsghdr) uint8_t buf[8192];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *m;
	int run = MNL_CB_OK;
	ssize_t n;

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = AF_INET;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -1;
	while (run > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return -1;
		run = mnl_cb_run(buf, (size_t)n, 1,
				 mnl_socket_get_portid(nl), each_route, s);
	}
	return run;
}

/* Which of our addresses the kernel would send from. */
static enum hp_err source_for(const struct hp_addr *gateway,
			      struct hp_addr *host)
{
	struct sockaddr_storage ss = { 0 };
	struct hp_addr there = *gateway;
	enum hp_err err = HP_ERR_IO;
	socklen_t len;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	there.port = 9; /* nothing is sent */
	len = hp_addr_to_sockaddr(&there, &ss);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&ss, len)) {
		len = sizeof(ss);
		if (!getsockname(fd, (struct sockaddr *)&ss, &len)) {
			*host = hp_addr_from_sockaddr((struct sockaddr *)&ss);
			host->port = 0;
			err = HP_OK;
		}
	}
	if (fd >= 0)
		close(fd);
	return err;
}

enum hp_err hp_gateway_find(unsigned int skip, struct hp_addr *gateway,
			    struct hp_addr *host)
{
	struct search s = { .skip = skip };
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int failed;

	if (!nl)
		return HP_ERR_IO;
	failed = ask_routes(nl, &s);
	mnl_socket_close(nl);
	/* A dump that something changed in may still have told enough. */
	if (!s.found)
		return failed < 0 ? HP_ERR_IO : HP_ERR_ROUTE;
	*gateway = s.gateway;
	return source_for(gateway, host);
}

void hp_gateway_release(const struct hp_gateway_lease *l)
{
	struct hp_gateway_lease gone = *l;
	struct hp_gateway_answer answer;

	gone.lifetime_s = 0;
	if (l->protocol == HP_MAPPED_BY_NATPMP)
		hp_gateway_natpmp(&gone, &answer);
	else if (l->protocol == HP_MAPPED_BY_UPNP)
		hp_gateway_upnp(&gone, &answer);
}
