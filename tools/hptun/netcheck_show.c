/* SPDX-License-Identifier: ISC */
/* What was found, for people and for programs. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../table.h"
#include "base/time.h"
#include "netcheck.h"

static const char *const family_name[2] = { "IPv4", "IPv6" };

bool netcheck_udp_works(const struct netcheck_report *r)
{
	return r->facts.family[0].answered || r->facts.family[1].answered;
}

/* One line: a label of its column, and what is said of it. */
static void line(const char *label, const char *fmt, ...) HP_PRINTF(2, 3);
static void line(const char *label, const char *fmt, ...)
{
	va_list ap;

	printf("%-13s ", label);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- servers ---- */

static void print_server_family(const struct hp_netcheck_port port[2],
				const char *label)
{
	char text[HP_ADDR_TEXT], first[HUMAN_TEXT], second[HUMAN_TEXT];
	unsigned int p = port[0].dst.port;

	hp_addr_ip_text(&port[0].dst, text);
	human_ms((double)port[0].rtt_ns / (double)HP_MS, first);
	human_ms((double)port[1].rtt_ns / (double)HP_MS, second);
	if (port[0].answered && port[1].answered)
		line(label, "%s answers by UDP: port %u in %s, %u in %s", text,
		     p, first, p + 1, second);
	else if (port[0].answered)
		line(label, "%s answers by UDP: port %u in %s, but not %u, "
			    "which must be open too", text, p, first, p + 1);
	else if (port[1].answered)
		line(label, "%s answers by UDP: port %u in %s, but not %u, "
			    "without which nobody is introduced", text, p + 1,
		     second, p);
	else if (port[0].no_way)
		line(label, "%s: this host has no route to %s", text,
		     family_name[port[0].dst.family == HP_AF_6]);
	else
		line(label, "%s: no answer by UDP, port %u and %u", text, p,
		     p + 1);
}

/* Does it let us in, and what if there is no direct path? */
static void print_service(const struct netcheck_report *r, unsigned int i)
{
	const struct netcheck_service *s = &r->service[i];
	const char *whom = r->has_seed ? "this network" : "every network";
	char ms[HUMAN_TEXT];

	human_ms((double)s->rtt_ns / (double)HP_MS, ms);
	if (s->served && s->relay)
		line("", "serves %s (%s), and relays where no direct path is "
			 "found", whom, ms);
	else if (s->served)
		line("", "serves %s (%s), but does not relay: without a direct "
			 "path there is none", whom, ms);
	else if (s->refused == HP_MEET_NOT_ALLOWED && !r->has_seed)
		line("", "serves chosen networks alone");
	else if (s->refused)
		line("", "refuses %s: %s", whom,
		     hp_meet_reason_name(s->refused));
	else if (s->asked)
		line("", "answers questions, but takes no registration");
}

static void print_server(const struct netcheck_report *r, unsigned int i)
{
	char name[HP_SERVER_TEXT];
	const char *label = name;

	hp_server_text(&r->server[i], name);
	if (r->error[i][0]) {
		line("rendezvous", "%s: %s", name, r->error[i]);
		return;
	}
	line("rendezvous", "%s", label);
	for (unsigned int af = 0; af < 2; af++)
		if (r->facts.server[i][af][0].dst.family != HP_AF_NONE)
			print_server_family(r->facts.server[i][af], "");
	print_service(r, i);
	netcheck_stream_print(r, i);
}

/* Nobody answers: why, and what to do. */
static void print_blocked(const struct netcheck_report *r)
{
	bool route = false, named = false;
	unsigned int p = r->server[0].port;

	for (unsigned int i = 0; i < 2 * r->n_servers; i++) {
		const struct hp_netcheck_port *q =
			r->facts.server[i / 2][i % 2];

		named |= q->dst.family != HP_AF_NONE;
		route |= q->dst.family != HP_AF_NONE && !q->no_way;
	}
	if (!named)
		line("UDP", "not tried: no server has an address; check the "
			    "name and this host's DNS");
	else if (!route)
		line("UDP", "not tried: this host has no route to any server");
	else if (netcheck_stream_works(r))
		line("UDP", "blocked: no answer from UDP port %u and %u, but a "
			    "server is reached as said below.\n%14sAll packets "
			    "are relayed that way, which is slower. Direct paths "
			    "need a firewall\n%14sthat lets UDP out and the "
			    "answers in", p, p + 1, "", "");
	else if (r->forbidden)
		line("UDP", "blocked: a firewall of this host forbids to send "
			    "to UDP port %u or %u.\n%14sElse let "
			    "hptun-rendezvous listen on TLS (--listen-tls)",
		     p, p + 1, "");
	else
		line("UDP", "blocked: no answer from UDP port %u and %u. Either "
			    "no server runs there,\n%14sor a firewall must let "
			    "UDP out to these ports and the answers in.\n"
			    "%14sWhere none may, let hptun-rendezvous listen "
			    "on TLS (--listen-tls)", p, p + 1, "", "");
}

/* ---- families ---- */

static void print_unanswered(const struct netcheck_report *r, unsigned int af)
{
	const struct hp_netcheck_facts *f = &r->facts;
	bool asked = false, no_way = true;

	for (unsigned int i = 0; i < r->n_servers; i++) {
		asked |= f->server[i][af][0].dst.family != HP_AF_NONE;
		no_way &= f->server[i][af][0].dst.family == HP_AF_NONE ||
			  f->server[i][af][0].no_way;
	}
	if (!asked)
		line(family_name[af], "not known: no server has an %s address",
		     family_name[af]);
	else
		line(family_name[af], "%s", no_way ? "this host has no route"
						   : "no answer");
}

static void print_ports(const struct hp_netcheck_family *f)
{
	switch (f->ports) {
	case HP_NAT_PORTS_UNKNOWN:
		line("  ports", "not known: too few answers");
		break;
	case HP_NAT_PORTS_PRESERVED:
		line("  ports", "preserved: outside as inside");
		break;
	case HP_NAT_PORTS_SEQUENTIAL:
		line("  ports", "sequential: the next one is %d %s",
		     f->stride > 0 ? f->stride : -f->stride,
		     f->stride > 0 ? "higher" : "lower");
		break;
	case HP_NAT_PORTS_RANDOM:
		line("  ports", "random: %u of them lay between %u and %u",
		     f->samples, (unsigned int)f->low, (unsigned int)f->high);
		break;
	}
}

static void print_lifetime(const struct hp_netcheck_family *f)
{
	if (f->alive_s && f->dead_s)
		line("  lifetime", "between %u and %u s", f->alive_s,
		     f->dead_s);
	else if (f->alive_s)
		line("  lifetime", "more than %u s", f->alive_s);
	else if (f->dead_s)
		line("  lifetime", "less than %u s: keepalives of 25 s are too "
				   "slow for it", f->dead_s);
	else
		line("  lifetime", "not known: no server that could tell");
}

static void print_family(const struct netcheck_report *r, unsigned int af)
{
	const struct hp_netcheck_family *f = &r->facts.family[af];
	bool nat = f->mapping != HP_NAT_MAPPING_NONE;
	char seen[HP_ADDR_TEXT];

	if (!f->answered) {
		print_unanswered(r, af);
		return;
	}
	line(family_name[af], "seen as %s%s", hp_addr_ip_text(&f->seen, seen),
	     f->many_ips ? ", and under other addresses" : "");
	line("  mapping", "%s", hp_netcheck_mapping_text(f->mapping));
	if (nat)
		print_ports(f);
	line("  filtering", "%s", hp_netcheck_filtering_text(f->filtering));
	if (nat)
		line("  hairpin", "%s", f->hairpin == HP_NAT_YES ? "yes" :
		     f->hairpin == HP_NAT_NO ? "no" : "not known");
	if (r->lifetime)
		print_lifetime(f);
}

/* ---- the rest ---- */

static enum hp_ifaddr_verdict judge(const struct netcheck_report *r, size_t i)
{
	const struct hp_ifrules rules = {
		.overlay = r->overlay,
		.n_overlay = r->n_overlay,
		.only = &r->interfaces,
		.never = &r->exclude,
		.methods = HP_METHODS_ALL,
	};

	return hp_ifaddr_judge(&r->addr[i], &rules);
}

static void print_addresses(const struct netcheck_report *r)
{
	static const char *const heads[] = { "address", "interface",
					     "told to peers", NULL };
	struct table *t = table_new(heads);
	char text[HP_ADDR_TEXT];

	for (size_t i = 0; t && i < r->n_addrs; i++) {
		enum hp_ifaddr_verdict v = judge(r, i);
		char why[TABLE_CELL];

		snprintf(why, sizeof(why), "no: %s",
			 hp_ifaddr_verdict_text(v));
		if (!table_row(t))
			break;
		table_cell(t, hp_addr_ip_text(&r->addr[i].addr, text));
		table_cell(t, r->addr[i].name);
		table_cell(t, v == HP_IFADDR_OK ? "yes" : why);
	}
	if (t)
		table_print(t, stdout);
	table_free(t);
}

static void print_expect(const struct netcheck_report *r)
{
	static const char *const heads[] = { "a peer", "path", "because",
					     NULL };
	struct table *t = table_new(heads);

	for (enum hp_netcheck_peer i = 0; t && i < HP_NC_PEERS; i++) {
		const char *why;
		enum hp_netcheck_path path =
			hp_netcheck_expect(&r->facts, i, &why);

		if (!table_row(t))
			break;
		table_cell(t, hp_netcheck_peer_text(i));
		table_cell(t, hp_netcheck_path_word(path));
		table_cell(t, why);
	}
	if (t)
		table_print(t, stdout);
	table_free(t);
}

void netcheck_print(const struct netcheck_report *r)
{
	char text[HP_PREFIX_TEXT];

	if (netcheck_udp_works(r))
		line("UDP", "works");
	else
		print_blocked(r);
	for (unsigned int i = 0; i < r->n_servers; i++)
		print_server(r, i);
	if (r->nat64.family)
		line("this host", "IPv6 only, IPv4 through NAT64 prefix %s",
		     hp_prefix_text(&r->nat64, text));
	for (unsigned int af = 0; af < 2; af++)
		print_family(r, af);
	netcheck_gateway_print(r);
	putchar('\n');
	print_addresses(r);
	putchar('\n');
	print_expect(r);
}

/* ---- JSON ---- */

static json_t *addr_json(const struct hp_addr *a, bool port)
{
	char text[HP_ADDR_TEXT];

	return json_string(port ? hp_addr_text(a, text)
				: hp_addr_ip_text(a, text));
}

static json_t *port_json(const struct hp_netcheck_port *p)
{
	json_t *o = json_pack("{s:i, s:b}", "port", (int)p->dst.port,
			      "answered", (int)p->answered);

	if (p->answered) {
		json_object_set_new(o, "rtt_ms",
				    json_real((double)p->rtt_ns /
					      (double)HP_MS));
		json_object_set_new(o, "seen", addr_json(&p->seen, true));
	}
	return o;
}

static json_t *known_bool(bool known, bool value)
{
	return known ? json_boolean(value) : json_null();
}

static void service_json(const struct netcheck_report *r,
			 const struct netcheck_service *s, json_t *o)
{
	bool known = s->served || s->refused;

	json_object_set_new(o, "serves", known_bool(known, s->served));
	json_object_set_new(o, "serves_any",
			    known_bool(known && !r->has_seed, s->served));
	json_object_set_new(o, "relays", known_bool(s->served, s->relay));
	json_object_set_new(o, "refused", s->refused ?
			    json_string(hp_meet_reason_name(s->refused)) :
			    json_null());
	json_object_set_new(o, "register_ms", s->served ?
			    json_real((double)s->rtt_ns / (double)HP_MS) :
			    json_null());
}

static json_t *server_json(const struct netcheck_report *r, unsigned int i)
{
	static const char *const key[2] = { "ipv4", "ipv6" };
	char name[HP_SERVER_TEXT];
	json_t *o = json_pack("{s:s}", "name",
			      hp_server_text(&r->server[i], name));

	if (r->error[i][0])
		json_object_set_new(o, "error", json_string(r->error[i]));
	service_json(r, &r->service[i], o);
	json_object_set_new(o, "tcp", netcheck_stream_json(r, i, false));
	json_object_set_new(o, "tls", netcheck_stream_json(r, i, true));
	for (unsigned int af = 0; af < 2; af++) {
		const struct hp_netcheck_port *p = r->facts.server[i][af];

		if (p->dst.family != HP_AF_NONE)
			json_object_set_new(o, key[af], json_pack(
				"{s:o, s:b, s:[o, o]}", "address",
				addr_json(&p->dst, false), "route",
				(int)!p->no_way, "ports", port_json(&p[0]),
				port_json(&p[1])));
	}
	return o;
}

static json_t *ports_json(const struct hp_netcheck_family *f)
{
	json_t *o = json_pack("{s:s, s:i, s:i, s:i}", "allocation",
			      hp_nat_ports_text(f->ports), "samples",
			      (int)f->samples, "low", (int)f->low, "high",
			      (int)f->high);

	if (f->ports == HP_NAT_PORTS_SEQUENTIAL)
		json_object_set_new(o, "stride", json_integer(f->stride));
	return o;
}

static json_t *seconds_json(unsigned int s)
{
	return s ? json_integer(s) : json_null();
}

static json_t *family_json(const struct netcheck_report *r, unsigned int af)
{
	const struct hp_netcheck_family *f = &r->facts.family[af];
	json_t *o = json_pack("{s:b}", "answered", (int)f->answered);

	if (!f->answered)
		return o;
	json_object_set_new(o, "seen", addr_json(&f->seen, false));
	json_object_set_new(o, "many_addresses", json_boolean(f->many_ips));
	json_object_set_new(o, "mapping", json_string(
		hp_nat_mapping_text(f->mapping)));
	json_object_set_new(o, "filtering", json_string(
		hp_nat_filtering_text(f->filtering)));
	json_object_set_new(o, "ports", ports_json(f));
	json_object_set_new(o, "hairpin", f->hairpin == HP_NAT_UNKNOWN
		? json_null() : json_boolean(f->hairpin == HP_NAT_YES));
	if (r->lifetime)
		json_object_set_new(o, "lifetime", json_pack(
			"{s:o, s:o}", "alive_s", seconds_json(f->alive_s),
			"dead_s", seconds_json(f->dead_s)));
	return o;
}

static json_t *addresses_json(const struct netcheck_report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_addrs; i++) {
		enum hp_ifaddr_verdict v = judge(r, i);
		json_t *o = json_pack("{s:o, s:s, s:b}", "address",
				      addr_json(&r->addr[i].addr, false),
				      "interface", r->addr[i].name,
				      "candidate", (int)(v == HP_IFADDR_OK));

		if (v != HP_IFADDR_OK)
			json_object_set_new(o, "why", json_string(
				hp_ifaddr_verdict_text(v)));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *expect_json(const struct netcheck_report *r)
{
	json_t *all = json_object();

	for (enum hp_netcheck_peer i = 0; i < HP_NC_PEERS; i++) {
		const char *why;
		enum hp_netcheck_path path =
			hp_netcheck_expect(&r->facts, i, &why);

		json_object_set_new(all, hp_netcheck_peer_word(i), json_pack(
			"{s:s, s:s}", "path", hp_netcheck_path_word(path),
			"why", why));
	}
	return all;
}

json_t *netcheck_json(const struct netcheck_report *r)
{
	json_t *servers = json_array();
	char text[HP_PREFIX_TEXT];

	for (unsigned int i = 0; i < r->n_servers; i++)
		json_array_append_new(servers, server_json(r, i));
	return json_pack("{s:b, s:o, s:s?, s:o, s:o, s:o, s:o, s:o}", "udp",
			 (int)netcheck_udp_works(r), "rendezvous", servers,
			 "nat64", r->nat64.family ?
				  hp_prefix_text(&r->nat64, text) : NULL,
			 "ipv4", family_json(r, 0), "ipv6", family_json(r, 1),
			 "addresses", addresses_json(r), "gateway",
			 netcheck_gateway_json(r), "expect", expect_json(r));
}
