/* SPDX-License-Identifier: ISC */
/* What the facts of a check mean for each kind of peer, and the words for it
 * all.
 */
#include "node/netcheck.h"

/* Does a peer reach us from a port we cannot know, once we sent to its
 * address?
 */
static bool is_open(const struct hp_netcheck_family *f)
{
	switch (f->filtering) {
	case HP_NAT_FILTERING_EIF:
	case HP_NAT_FILTERING_EIF_OR_ADF:
	case HP_NAT_FILTERING_ADF:
		return true;
	case HP_NAT_FILTERING_UNKNOWN:
	case HP_NAT_FILTERING_APDF:
		return false;
	}
	return false;
}

/* Can the port of the next mapping be foreseen? */
static bool is_ordered(const struct hp_netcheck_family *f)
{
	return f->ports == HP_NAT_PORTS_PRESERVED ||
	       f->ports == HP_NAT_PORTS_SEQUENTIAL;
}

/* A NAT that gives each host a small range (RFC 7422), as far as a few samples
 * can show.
 */
#define FEW_PORTS 2048

static bool has_few_ports(const struct hp_netcheck_family *f)
{
	return f->samples >= HP_NETCHECK_FRESH && f->high - f->low < FEW_PORTS;
}

static enum hp_netcheck_path with_home(const struct hp_netcheck_family *f,
				       const char **why)
{
	if (!hp_nat_is_hard(f->mapping)) {
		*why = "both send at once, and the holes open";
		return HP_NC_PATH_DIRECT;
	}
	if (is_ordered(f))
		*why = "our NAT's next port can be foreseen: direct in "
		       "seconds; else relayed";
	else
		*why = "our NAT's ports are guessed: direct within 10 s, most "
		       "times; else relayed";
	return HP_NC_PATH_MAYBE;
}

static enum hp_netcheck_path with_symmetric(const struct hp_netcheck_family *f,
					    const char **why)
{
	if (hp_nat_is_hard(f->mapping)) {
		*why = "both NATs have too many ports to guess, if its has "
		       "as many as ours";
		if (!is_ordered(f) && !has_few_ports(f))
			return HP_NC_PATH_RELAYED;
		*why = "direct in time where its ports are few or in order, "
		       "as ours are; else relayed";
		return HP_NC_PATH_MAYBE;
	}
	if (is_open(f)) {
		*why = "what it sends comes in from whatever port it has";
		return HP_NC_PATH_DIRECT;
	}
	*why = "its ports are guessed: direct within 10 s, most times; else "
	       "relayed";
	return HP_NC_PATH_MAYBE;
}

static enum hp_netcheck_path by_mapping(const char **why)
{
	*why = "the gateway opens a port for us";
	return HP_NC_PATH_DIRECT;
}

static enum hp_netcheck_path with_ipv6(const struct hp_netcheck_facts *f,
				       const char **why)
{
	const struct hp_netcheck_family *six = &f->family[1];

	if (!six->answered) {
		*why = "no IPv6 here; a server that has both relays";
		return HP_NC_PATH_RELAYED;
	}
	if (hp_nat_is_hard(six->mapping))
		return with_home(six, why);
	*why = six->mapping == HP_NAT_MAPPING_NONE
		       ? "no NAT is in the way, and firewalls open"
		       : "both send at once, and the holes open";
	return HP_NC_PATH_DIRECT;
}

static enum hp_netcheck_path expect(const struct hp_netcheck_facts *f,
				    enum hp_netcheck_peer peer,
				    const char **why)
{
	const struct hp_netcheck_family *four = &f->family[0];

	if (!four->answered && !f->family[1].answered) {
		*why = f->stream ? "no UDP here: relayed over TCP or TLS" :
				   "no server by UDP here, nor by TCP or TLS";
		return f->stream ? HP_NC_PATH_RELAYED : HP_NC_PATH_NONE;
	}
	if (peer != HP_NC_PEER_BLOCKED && peer != HP_NC_PEER_IPV6 &&
	    !four->answered) {
		*why = "no IPv4 here; direct if the peer has IPv6 too";
		return HP_NC_PATH_RELAYED;
	}
	switch (peer) {
	case HP_NC_PEER_PUBLIC:
		*why = "it hears us, and answers where it heard us";
		return HP_NC_PATH_DIRECT;
	case HP_NC_PEER_HOME:
		if (f->mapped)
			return by_mapping(why);
		return with_home(four, why);
	case HP_NC_PEER_SYMMETRIC:
		if (f->mapped)
			return by_mapping(why);
		return with_symmetric(four, why);
	case HP_NC_PEER_IPV6:
		return with_ipv6(f, why);
	case HP_NC_PEER_BLOCKED:
	case HP_NC_PEERS:
		break;
	}
	*why = f->stream ? "relayed, where TCP or TLS gets out there" :
			   "no server by TCP or TLS, as would be needed there";
	return f->stream ? HP_NC_PATH_RELAYED : HP_NC_PATH_NONE;
}

enum hp_netcheck_path hp_netcheck_expect(const struct hp_netcheck_facts *f,
					 enum hp_netcheck_peer peer,
					 const char **why)
{
	enum hp_netcheck_path path = expect(f, peer, why);

	if (path != HP_NC_PATH_RELAYED || !f->no_relay)
		return path;
	*why = "no direct path, and no rendezvous that relays";
	return HP_NC_PATH_NONE;
}

const char *hp_netcheck_mapping_text(enum hp_nat_mapping m)
{
	switch (m) {
	case HP_NAT_MAPPING_UNKNOWN:
		return "not known: one port of one server answered";
	case HP_NAT_MAPPING_NONE:
		return "no NAT";
	case HP_NAT_MAPPING_EIM:
		return "endpoint-independent";
	case HP_NAT_MAPPING_EIM_OR_ADM:
		return "endpoint-independent, or address-dependent: a server "
		       "at another address would tell";
	case HP_NAT_MAPPING_ADM:
		return "address-dependent";
	case HP_NAT_MAPPING_ADM_OR_APDM:
		return "address-dependent, or address- and port-dependent: a "
		       "server's second port would tell";
	case HP_NAT_MAPPING_APDM:
		return "address- and port-dependent (\"symmetric\")";
	}
	return "";
}

const char *hp_netcheck_filtering_text(enum hp_nat_filtering f)
{
	switch (f) {
	case HP_NAT_FILTERING_UNKNOWN:
		return "not known: no server that could tell";
	case HP_NAT_FILTERING_EIF:
		return "endpoint-independent: anybody reaches an open port";
	case HP_NAT_FILTERING_EIF_OR_ADF:
		return "endpoint-independent, or address-dependent: a server "
		       "at another address would tell";
	case HP_NAT_FILTERING_ADF:
		return "address-dependent";
	case HP_NAT_FILTERING_APDF:
		return "address- and port-dependent";
	}
	return "";
}

const char *hp_netcheck_peer_text(enum hp_netcheck_peer p)
{
	switch (p) {
	case HP_NC_PEER_PUBLIC:
		return "a public node";
	case HP_NC_PEER_HOME:
		return "behind a home router";
	case HP_NC_PEER_SYMMETRIC:
		return "behind a symmetric NAT";
	case HP_NC_PEER_IPV6:
		return "with IPv6 alone";
	case HP_NC_PEER_BLOCKED:
		return "where UDP is blocked";
	case HP_NC_PEERS:
		break;
	}
	return "";
}

const char *hp_netcheck_peer_word(enum hp_netcheck_peer p)
{
	switch (p) {
	case HP_NC_PEER_PUBLIC:
		return "public";
	case HP_NC_PEER_HOME:
		return "home";
	case HP_NC_PEER_SYMMETRIC:
		return "symmetric";
	case HP_NC_PEER_IPV6:
		return "ipv6";
	case HP_NC_PEER_BLOCKED:
		return "blocked";
	case HP_NC_PEERS:
		break;
	}
	return "";
}

const char *hp_netcheck_path_word(enum hp_netcheck_path p)
{
	switch (p) {
	case HP_NC_PATH_NONE:
		return "none";
	case HP_NC_PATH_RELAYED:
		return "relayed";
	case HP_NC_PATH_MAYBE:
		return "maybe-direct";
	case HP_NC_PATH_DIRECT:
		return "direct";
	}
	return "";
}
