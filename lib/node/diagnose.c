/* SPDX-License-Identifier: ISC */
/*
 * The order in which causes are looked at is that of their certainty: what the
 * servers and the certificates say, then what our own system says, then what
 * follows from addresses alone, then from NATs; at last, from silence.
 */
#include "node/diagnose.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

const char *hp_cause_word(enum hp_cause c)
{
	static const char *const words[HP_CAUSES] = {
		[HP_CAUSE_DIRECT] = "direct",
		[HP_CAUSE_TRYING] = "still-trying",
		[HP_CAUSE_UNKNOWN] = "peer-unknown",
		[HP_CAUSE_RENDEZVOUS] = "rendezvous-unreachable",
		[HP_CAUSE_REFUSED] = "rendezvous-refused",
		[HP_CAUSE_OFFLINE] = "peer-offline",
		[HP_CAUSE_CERTIFICATE] = "certificate-refused",
		[HP_CAUSE_SILENT] = "peer-silent",
		[HP_CAUSE_LOST] = "path-lost",
		[HP_CAUSE_LOSSY] = "path-lossy",
		[HP_CAUSE_METHOD_OFF] = "method-off",
		[HP_CAUSE_FIREWALL_HERE] = "firewall-here",
		[HP_CAUSE_FIREWALL_THERE] = "firewall-there",
		[HP_CAUSE_NO_FAMILY] = "no-common-family",
		[HP_CAUSE_HAIRPIN] = "hairpin-missing",
		[HP_CAUSE_NAT_BOTH] = "both-nats-symmetric",
		[HP_CAUSE_NAT_OWN] = "own-nat-symmetric",
		[HP_CAUSE_NAT_PEER] = "peer-nat-symmetric",
		[HP_CAUSE_ONE_WAY] = "one-way",
		[HP_CAUSE_NO_ROUTE] = "no-route",
		[HP_CAUSE_BLOCKED] = "udp-blocked",
		[HP_CAUSE_HALF] = "peer-half-missing",
		[HP_CAUSE_VERSION] = "versions-differ",
		[HP_CAUSE_SERVER_PORT] = "server-port-silent",
		[HP_CAUSE_RELAY_OFF] = "relay-off",
		[HP_CAUSE_NO_RELAY] = "no-relay",
		[HP_CAUSE_INTRUDER] = "name-claimed",
	};

	return c < HP_CAUSES && words[c] ? words[c] : "unknown";
}

bool hp_report_unsettled(const struct hp_report *r)
{
	bool hard = r->mapping == HP_MAPPING_APDM ||
		    r->peer_mapping == HP_MAPPING_APDM;

	return r->trying || r->doubt ||
	       (hard && r->guess == HP_REPORT_GUESS_ROUND && r->guesses <= 1);
}

/* ---- what the halves add up to ------------------------------------------- */

/* Of all paths but the relay. */
struct sums {
	uint64_t sent;
	uint64_t answered;
	uint64_t heard;
	uint64_t denied;
	uint64_t failed;	/* sends */
	unsigned int paths;
	unsigned int valid;
};

static struct sums sums_of(const struct hp_report *r)
{
	struct sums s = { 0 };

	for (unsigned int i = 0; r && i < r->n_paths; i++) {
		const struct hp_report_path *p = &r->path[i];

		if (p->kind == HP_CAND_RELAYED)
			continue;
		s.paths++;
		s.sent += p->sent;
		s.answered += p->answered;
		s.heard += p->heard;
		s.denied += p->denied;
		s.failed += p->errors;
		s.valid += p->valid;
	}
	return s;
}

static const struct hp_report_path *used(const struct hp_report *r)
{
	for (unsigned int i = 0; i < r->n_paths; i++)
		if (r->path[i].in_use)
			return &r->path[i];
	return NULL;
}

static const struct hp_report_path *relay_of(const struct hp_report *r)
{
	for (unsigned int i = 0; i < r->n_paths; i++)
		if (r->path[i].kind == HP_CAND_RELAYED)
			return &r->path[i];
	return NULL;
}

/* A bit per family in which an end can be reached. The peer's candidates are
 * also where our paths lead.
 */
static unsigned int families(const struct hp_report *own,
			     const struct hp_report *other)
{
	unsigned int f = 0;

	for (unsigned int i = 0; own && i < own->n_cand; i++)
		f |= 1u << (own->cand[i].addr.family == HP_AF_6);
	for (unsigned int i = 0; !own && i < other->n_paths; i++)
		if (other->path[i].kind != HP_CAND_RELAYED)
			f |= 1u << (other->path[i].remote.family == HP_AF_6);
	return f;
}

/* Do both ends show the same address to the world? */
static bool same_outside(const struct hp_case *c)
{
	const struct hp_report *h = c->here;

	for (unsigned int i = 0; i < h->n_cand; i++) {
		const struct hp_candidate *own = &h->cand[i];

		if (own->kind != HP_CAND_REFLEXIVE ||
		    own->addr.family != HP_AF_4)
			continue;
		for (unsigned int j = 0; j < h->n_paths; j++)
			if (h->path[j].kind == HP_CAND_REFLEXIVE &&
			    hp_addr_same_ip(&own->addr, &h->path[j].remote))
				return true;
	}
	return false;
}

/* ---- findings ------------------------------------------------------------ */

struct list {
	struct hp_finding *f;
	size_t n;
};

static void HP_PRINTF(4, 5)
add(struct list *l, enum hp_cause cause, const char *remedy,
    const char *words, ...)
{
	struct hp_finding *f = &l->f[l->n];
	va_list ap;

	if (l->n == HP_FINDINGS_MAX)
		return;
	l->n++;
	f->cause = cause;
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	va_start(ap, words);
	vsnprintf(f->words, sizeof(f->words), words, ap);
	va_end(ap);
}

static const char retry[] = "ask again in a few seconds";
static const char better_nat[] =
	"switch on PCP, NAT-PMP or UPnP at one of the two routers; or have it "
	"keep a port for all destinations (\"full cone\", "
	"\"endpoint-independent\"; on a Linux router, masquerade without "
	"\"random\" or \"fully-random\"); or give both ends IPv6";

static void server_down(const struct hp_case *c, struct list *l)
{
	const char *name = c->server.name ? c->server.name : "(none)";

	switch (c->server.state) {
	case HP_SERVER_UNRESOLVED:
		add(l, HP_CAUSE_RENDEZVOUS,
		    "check the name, and this host's DNS",
		    "the name of the rendezvous, %s, has no address", name);
		break;
	case HP_SERVER_REFUSED:
		add(l, HP_CAUSE_REFUSED, "ask who runs it to serve this network",
		    "the rendezvous %s refuses us: %s", name,
		    hp_err_name(c->server.refused));
		break;
	case HP_SERVER_TRYING:
	case HP_SERVER_LOST:
	case HP_SERVER_REGISTERED:
		add(l, HP_CAUSE_RENDEZVOUS,
		    "run hptun netcheck here; check that UDP may leave this "
		    "network, that the server's firewall (in a cloud: the "
		    "security group) lets its UDP port in, and that "
		    "hptun-rendezvous runs there; where UDP is blocked, it "
		    "needs --listen-tcp or --listen-tls",
		    "no answer from the rendezvous %s", name);
		break;
	}
}

/* Packets go straight: over what, and could it be better? */
static void direct(const struct hp_case *c, struct list *l)
{
	const struct hp_report_path *u = used(c->here);
	unsigned int others = sums_of(c->here).valid;
	char addr[HP_ADDR_TEXT];

	if (!u) {
		add(l, HP_CAUSE_DIRECT, "", "packets go straight");
		return;
	}
	others -= u->valid && others;
	if (others)
		add(l, HP_CAUSE_DIRECT, "",
		    "packets go straight to %s; %u other path%s work%s, none "
		    "better by 5 ms and 10 %%", hp_addr_text(&u->remote, addr),
		    others, others > 1 ? "s" : "", others > 1 ? "" : "s");
	else
		add(l, HP_CAUSE_DIRECT, "",
		    "packets go straight to %s, the only direct path that "
		    "works", hp_addr_text(&u->remote, addr));
}

static bool lacks(const struct hp_report *r, uint32_t methods)
{
	return r && (r->methods & methods) != methods;
}

/* Switched off, at one end, what the other facts call for. */
static void method_off(const struct hp_case *c, struct list *l, uint32_t m)
{
	char names[80] = "";
	size_t len = 0;
	bool here = lacks(c->here, m);
	const struct hp_report *r = here ? c->here : c->there;

	for (unsigned int i = 0; i < HP_METHODS; i++)
		if (m >> i & 1 && !(r->methods >> i & 1) &&
		    len < sizeof(names))
			len += (size_t)snprintf(
				names + len, sizeof(names) - len, "%s%s",
				len ? ", " : "",
				hp_method_text((enum hp_method)(1u << i)));
	add(l, HP_CAUSE_METHOD_OFF,
	    here ? "add it to Methods in network.conf on this host" :
		   "add it to Methods in network.conf on the peer's host",
	    "switched off %s%s: %s", here ? "here" : "at ",
	    here ? "" : c->peer, names);
}

static bool off_at_either(const struct hp_case *c, uint32_t methods)
{
	return lacks(c->here, methods) || lacks(c->there, methods);
}

/* What the own systems say; true: that is it. */
static bool firewalls(const struct hp_case *c, struct list *l)
{
	struct sums here = sums_of(c->here), there = sums_of(c->there);

	if (here.denied && here.denied >= here.sent && !here.heard) {
		add(l, HP_CAUSE_FIREWALL_HERE,
		    "let this host send UDP to the peer: nft list ruleset "
		    "shows its rules",
		    "a firewall on this host refuses to send to %s", c->peer);
		return true;
	}
	if (there.denied && there.denied >= there.sent && !there.heard) {
		add(l, HP_CAUSE_FIREWALL_THERE,
		    "let that host send UDP to this one: nft list ruleset "
		    "shows its rules",
		    "a firewall on %s refuses to send here", c->peer);
		return true;
	}
	return false;
}

/* What follows from addresses alone. */
static bool addresses(const struct hp_case *c, struct list *l)
{
	unsigned int own = families(c->here, NULL);
	unsigned int peer = families(c->there, c->here);
	uint32_t m = HP_METHOD_HOST | HP_METHOD_REFLEXIVE;

	if (own & peer)
		return false;
	if (off_at_either(c, m | HP_METHOD_IPV6)) {
		method_off(c, l, m | HP_METHOD_IPV6);
	} else if (!own || !peer) {
		add(l, HP_CAUSE_NO_ROUTE,
		    "run hptun netcheck there: it needs an address that is "
		    "valid beyond its link",
		    "%s has no address that could be tried",
		    own ? c->peer : "this host");
	} else {
		add(l, HP_CAUSE_NO_FAMILY,
		    "give both ends IPv6, or both IPv4; until then the relay, "
		    "which has both, stands between",
		    "this end has %s alone, %s has %s alone",
		    own == 1 ? "IPv4" : "IPv6", c->peer,
		    peer == 1 ? "IPv4" : "IPv6");
	}
	return true;
}

/* What guessing came to. */
static const char *guessed(const struct hp_case *c)
{
	switch (c->here->guess) {
	case HP_REPORT_GUESS_FAILED:
		return "; guessing did not hit it, and is tried again";
	case HP_REPORT_GUESS_QUEUED:
		return "; guessing waits for other peers' rounds";
	case HP_REPORT_GUESS_ROUND:
		return "; guessing is tried again now";
	case HP_REPORT_GUESS_HOPELESS:
		return "; there are too many to guess";
	case HP_REPORT_GUESS_OFF:
		return "; guessing is switched off";
	case HP_REPORT_GUESS_NONE:
		break;
	}
	return "";
}

static void one_nat(const struct hp_case *c, struct list *l, bool own)
{
	uint32_t m = HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY;

	if (off_at_either(c, m))
		method_off(c, l, m);
	if (own)
		add(l, HP_CAUSE_NAT_OWN, better_nat,
		    "the NAT in front of this host gives each destination "
		    "another port%s", guessed(c));
	else
		add(l, HP_CAUSE_NAT_PEER, better_nat,
		    "the NAT in front of %s gives each destination another "
		    "port%s", c->peer, guessed(c));
}

/* What NATs of these kinds do. */
static bool nats(const struct hp_case *c, enum hp_mapping peer, struct list *l)
{
	enum hp_mapping own = c->here->mapping;
	bool quiet = !sums_of(c->here).heard && !sums_of(c->there).heard;
	size_t before = l->n;

	if (same_outside(c) && quiet)
		add(l, HP_CAUSE_HAIRPIN,
		    "switch on hairpin NAT (\"NAT loopback\") at that router, "
		    "let both hosts reach each other inside it, or give both "
		    "IPv6",
		    "both ends are behind one NAT, which does not turn "
		    "packets for its own outside address around");
	if (own == HP_MAPPING_APDM && peer == HP_MAPPING_APDM)
		add(l, HP_CAUSE_NAT_BOTH, better_nat,
		    "both NATs give each destination another port, so that "
		    "neither end can know where the other will come from%s",
		    guessed(c));
	else if (own == HP_MAPPING_APDM && peer != HP_MAPPING_NONE)
		one_nat(c, l, true);
	else if (peer == HP_MAPPING_APDM && own != HP_MAPPING_NONE)
		one_nat(c, l, false);
	return l->n > before;
}

/* What silence says. */
static void silence(const struct hp_case *c, struct list *l)
{
	struct sums here = sums_of(c->here), there = sums_of(c->there);
	static const char let_in[] =
		"where the packets are lost, let UDP through a firewall; with "
		"a fixed ListenPort the rule can name the port";

	if (here.heard) {
		add(l, HP_CAUSE_ONE_WAY, let_in,
		    "packets of %s arrive here, ours do not arrive there",
		    c->peer);
	} else if (there.heard) {
		add(l, HP_CAUSE_ONE_WAY, let_in,
		    "our packets arrive at %s, those of it do not arrive here",
		    c->peer);
	} else if (here.paths && here.failed >= here.sent) {
		add(l, HP_CAUSE_NO_ROUTE,
		    "look at the routes of this host (ip route)",
		    "this system knows no way to any address of %s", c->peer);
	} else {
		add(l, HP_CAUSE_BLOCKED,
		    "let UDP out, and its answers in, at the firewalls in "
		    "front of both hosts, not only to the rendezvous; with a "
		    "fixed ListenPort a rule can name the port",
		    c->there ? "both ends send, and nothing arrives in either "
			       "direction: a firewall between %s and this "
			       "host lets no UDP pass" :
			       "nothing of %s arrives but over the relay: a "
			       "firewall in between seems to let no UDP pass",
		    c->peer);
	}
}

/* @c->here knows no more of the peer's NAT than the peer tells. */
static enum hp_mapping peer_mapping(const struct hp_case *c)
{
	if (c->there)
		return c->there->mapping;
	return c->here->peer_mapping;
}

/* Ports are being guessed, and both ends take part: one alone may begin, and
 * comes to nothing.
 */
static bool guessing(const struct hp_case *c)
{
	uint32_t m = HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY;

	if (!(c->here->methods & m) || (c->there && !(c->there->methods & m)))
		return false;
	return hp_report_unsettled(c->here) ||
	       (c->there && c->there->guesses && hp_report_unsettled(c->there));
}

/* Introduced, and no direct path. */
/* Does that end reach its servers over TCP or TLS alone? */
static bool by_stream(const struct hp_report *r)
{
	bool stream = false;

	for (unsigned int i = 0; r && i < r->n_servers; i++) {
		if (r->server[i].registered && !r->server[i].stream)
			return false;
		stream |= r->server[i].registered;
	}
	return stream;
}

/* UDP does not even reach a server; true: that is it. */
static bool no_udp(const struct hp_case *c, struct list *l)
{
	bool here = by_stream(c->here);

	if (!here && !by_stream(c->there))
		return false;
	add(l, HP_CAUSE_BLOCKED,
	    "let UDP out of that network, to any port or to 8888 and 8889 of "
	    "the server at least, and the answers in; a server named with "
	    "tcp:// or tls:// is not asked by UDP at all",
	    "no rendezvous is reached by UDP %s%s, but over TCP or TLS, by "
	    "which all packets are relayed", here ? "here" : "at ",
	    here ? "" : c->peer);
	return true;
}

static void relayed(const struct hp_case *c, struct list *l)
{
	const struct hp_report *h = c->here;
	const struct hp_report_path *r = relay_of(h);

	if (c->state == HP_PEER_CONNECTING && !h->trying && r && r->sent &&
	    !r->answered && !r->heard && !sums_of(h).heard) {
		add(l, HP_CAUSE_SILENT,
		    "look at the log of its hptund: it may refuse our "
		    "certificate, or run an older version",
		    "%s is registered, and answers nothing, not even over "
		    "the relay", c->peer);
		return;
	}
	if (no_udp(c, l))
		return;
	if (h->doubt)
		add(l, HP_CAUSE_LOST, retry,
		    "the direct path fell silent a moment ago; the relay "
		    "carries on while another is looked for");
	else if (sums_of(h).valid)
		add(l, HP_CAUSE_LOSSY, "look for what drops packets on the way",
		    "there is a direct path, and it loses packets; the relay "
		    "does not");
	else if (h->trying)
		add(l, HP_CAUSE_TRYING, retry,
		    "the ends are still looking for a direct path");
	else if (guessing(c))
		add(l, HP_CAUSE_TRYING, retry,
		    "the ports of a NAT are being guessed, %u probes so far",
		    (unsigned int)h->guess_probes);
	else if (!firewalls(c, l) && !addresses(c, l) &&
		 !nats(c, peer_mapping(c), l))
		silence(c, l);
	if (c->state == HP_PEER_CONNECTING && off_at_either(c, HP_METHOD_RELAY))
		add(l, HP_CAUSE_RELAY_OFF,
		    "add relay to Methods in network.conf",
		    "no packet flows, because the relay is switched off, too");
}

static bool introduced(const struct hp_case *c)
{
	return c->here->n_paths > 0;
}

static void main_cause(const struct hp_case *c, struct list *l)
{
	bool served = c->server.state == HP_SERVER_REGISTERED;

	if (!c->met) {
		add(l, HP_CAUSE_UNKNOWN,
		    "hptunctl peers lists those known; hptun up --peer "
		    "connects to others",
		    "nobody called \"%s\" was met", c->peer);
		return;
	}
	switch (c->state) {
	case HP_PEER_DIRECT:
		direct(c, l);
		return;
	case HP_PEER_REFUSED:
		add(l, HP_CAUSE_CERTIFICATE,
		    c->cause == HP_ERR_EXPIRED ?
			    "invite it again; is this host's clock right?" :
			    "if it was set up anew, revoke it and invite it "
			    "again",
		    "the certificate of %s is refused: %s", c->peer,
		    hp_err_name(c->cause));
		return;
	case HP_PEER_RELAYED:
		relayed(c, l);
		return;
	case HP_PEER_OFFLINE:
	case HP_PEER_LOST:
	case HP_PEER_IDLE:
	case HP_PEER_CONNECTING:
		break;
	}
	if (!served)
		server_down(c, l);
	else if (c->state == HP_PEER_OFFLINE)
		add(l, HP_CAUSE_OFFLINE,
		    "check the name, and on its host that hptund runs and has "
		    "a rendezvous in common with this one",
		    "%s is not registered at the rendezvous", c->peer);
	else if (c->state == HP_PEER_LOST)
		add(l, HP_CAUSE_SILENT,
		    "look at that host: it may be off, or without network",
		    "%s answered before, and is silent now on all paths",
		    c->peer);
	else if (introduced(c))
		relayed(c, l);
	else
		add(l, HP_CAUSE_TRYING, retry,
		    "the rendezvous was asked to introduce us to %s", c->peer);
}

/* ---- beside the cause ---------------------------------------------------- */

/* Introduced, no path, and no server to relay: is there a member that could? */
static void members(const struct hp_case *c, struct list *l)
{
	const struct hp_report_path *r = relay_of(c->here);

	if ((c->state != HP_PEER_CONNECTING && c->state != HP_PEER_LOST) ||
	    !introduced(c) || (r && r->valid) ||
	    lacks(c->here, HP_METHOD_RELAY))
		return;
	if (c->via.relays)
		add(l, HP_CAUSE_NO_RELAY,
		    "run hptun up there, without --peer: it connects to all "
		    "members",
		    "%s relays for members that reach it directly, and %s "
		    "seems not to", c->via.relays, c->peer);
	else if (c->via.other)
		add(l, HP_CAUSE_NO_RELAY,
		    "AllowRelay = yes in its network.conf lets it, see "
		    "hptun(1)",
		    "no rendezvous relays now; %s, which we reach directly, "
		    "could if %s reaches it, too, but AllowRelay is off there",
		    c->via.other, c->peer);
}

static void notes(const struct hp_case *c, struct list *l)
{
	members(c, l);
	if (c->intruder)
		add(l, HP_CAUSE_INTRUDER,
		    "somebody has its token, or the network secret: see "
		    "hptun revoke",
		    "somebody else shows a certificate for %s, refused: %s",
		    c->peer, hp_err_name(c->intruder));
	if (c->there && strcmp(c->there->version, c->here->version))
		add(l, HP_CAUSE_VERSION, "bring both ends to one version",
		    "this end runs hptun %s, %s runs %s", c->here->version,
		    c->peer, c->there->version);
	for (unsigned int i = 0; i < c->here->n_servers; i++)
		if (c->here->server[i].registered &&
		    c->here->server[i].lone_port) {
			add(l, HP_CAUSE_SERVER_PORT,
			    "let its second UDP port in, too (8889 beside "
			    "8888)",
			    "the second port of a rendezvous does not answer, "
			    "so that nothing is known of our NAT");
			break;
		}
	if (!c->there && c->met &&
	    (c->state == HP_PEER_DIRECT || c->state == HP_PEER_RELAYED))
		add(l, HP_CAUSE_HALF,
		    "run hptunctl doctor there as well",
		    "%s did not tell its half: an older version, or the "
		    "question was lost", c->peer);
}

size_t hp_diagnose(const struct hp_case *c,
		   struct hp_finding out[HP_FINDINGS_MAX])
{
	struct list l = { .f = out };

	main_cause(c, &l);
	notes(c, &l);
	return l.n;
}

const char *hp_pair_words(const struct hp_report_pair *pair)
{
	const struct hp_report_path *h = pair->here, *t = pair->there;

	if (h && h->in_use)
		return "in use";
	if (h && h->valid)
		return "works";
	if (h && h->denied && h->denied >= h->sent)
		return "our firewall refuses to send";
	if (t && t->denied && t->denied >= t->sent)
		return "the peer's firewall refuses to send";
	if (h && h->sent && h->errors >= h->sent)
		return "no way there";
	if (h && h->heard)
		return "heard, but our probes are not answered";
	if (t && t->heard)
		return "ours arrive, the peer's do not";
	if (h && h->answered)
		return "worked before";
	if (!h)
		return "the peer tries it";
	return h->sent ? "no answer" : "not tried";
}
