/* SPDX-License-Identifier: ISC */
/* From the facts about servers and peers to the one that is to blame. */
#include "node/explain.h"

#include <stdio.h>
#include <string.h>

enum hp_server_state hp_node_best_server(const struct hp_node *n,
					 struct hp_node_server_info *out)
{
	static const int rank[] = {
		[HP_SERVER_UNRESOLVED] = 0, [HP_SERVER_REFUSED] = 1,
		[HP_SERVER_LOST] = 2,	    [HP_SERVER_TRYING] = 3,
		[HP_SERVER_REGISTERED] = 4,
	};
	struct hp_node_server_info s;

	memset(out, 0, sizeof(*out));
	for (unsigned int i = 0; i < hp_node_server_count(n); i++) {
		hp_node_server_get(n, i, &s);
		if (!i || rank[s.state] > rank[out->state])
			*out = s;
	}
	return out->state;
}

static const char *explain_server(const struct hp_node_server_info *s,
				  struct hp_fault *f)
{
	char addr[HP_ADDR_TEXT], remedy[sizeof(f->remedy)];
	const char *name = s->name;
	bool udp;

	switch (s->state) {
	case HP_SERVER_REGISTERED:
		return NULL;
	case HP_SERVER_UNRESOLVED:
		hp_fault_set(f, HP_ERR_UNKNOWN,
			     "check the name, and this host's DNS",
			     "the name of the rendezvous, %s, has no address",
			     s->name ? s->name : "(none configured)");
		return "rendezvous";
	case HP_SERVER_REFUSED:
		hp_fault_set(f, s->refused,
			     "ask who runs it to serve this network",
			     "the rendezvous %s refuses us: %s", s->name,
			     hp_err_name(s->refused));
		return "refused";
	case HP_SERVER_TRYING:
	case HP_SERVER_LOST:
		break;
	}
	udp = hp_server_scheme_take(&name) == HP_OVER_UDP;
	/* The usual cause is the closed port of a machine in a cloud. */
	snprintf(remedy, sizeof(remedy),
		 "open port %u, protocol %s, for incoming packets in the "
		 "cloud firewall (security group) of the server and on the "
		 "server itself; check that hptun-rendezvous runs there%s",
		 (unsigned int)s->addr.port, udp ? "UDP" : "TCP",
		 udp ? "; where UDP is blocked, it needs --listen-tcp or "
		       "--listen-tls" : ", with --listen-tcp or --listen-tls");
	hp_fault_set(f, HP_ERR_AGAIN, remedy,
		     "no answer from the rendezvous %s (%s)", s->name,
		     hp_addr_text(&s->addr, addr));
	return "rendezvous";
}

static const char *explain_cipher(const struct hp_node_peer_info *p,
				  struct hp_fault *f)
{
	hp_fault_set(f, p->cause,
		     "write Cipher = auto in network.conf on the host that "
		     "says aes256gcm, and start hptun there again",
		     "one of %s and this host allows nothing but AES-256-GCM, "
		     "which the other has not, or has forbidden", p->name);
	return "cipher";
}

static const char *explain_peer(const struct hp_node_peer_info *p,
				struct hp_fault *f)
{
	static const char look[] = "look at hptunctl status on both hosts";

	switch (p->state) {
	case HP_PEER_DIRECT:
	case HP_PEER_RELAYED:
		return NULL;
	case HP_PEER_OFFLINE:
		hp_fault_set(f, HP_ERR_UNKNOWN,
			     "check the name, and that hptun runs there",
			     "%s is offline: it is not registered at the "
			     "rendezvous", p->name);
		return "offline";
	case HP_PEER_REFUSED:
		if (p->cause == HP_ERR_CIPHER)
			return explain_cipher(p, f);
		hp_fault_set(f, p->cause,
			     p->cause == HP_ERR_EXPIRED
				     ? "invite it again"
				     : "if it was set up anew, revoke it and "
				       "invite it again",
			     "the certificate of %s was refused: %s", p->name,
			     hp_err_name(p->cause));
		return "certificate";
	case HP_PEER_LOST:
		hp_fault_set(f, HP_ERR_AGAIN, look,
			     "%s answered before, and is silent now", p->name);
		return "path";
	case HP_PEER_IDLE:
	case HP_PEER_CONNECTING:
		break;
	}
	hp_fault_set(f, HP_ERR_AGAIN, look, "no path to %s: %s", p->name,
		     p->why ? p->why : "it does not answer");
	return "path";
}

const char *hp_node_explain(const struct hp_node *n, const char *peer,
			    uint64_t now_ns, struct hp_fault *f)
{
	struct hp_node_server_info server;
	struct hp_node_peer_info p = { .state = HP_PEER_CONNECTING };
	enum hp_err err = HP_OK;

	hp_node_best_server(n, &server);
	if (!peer)
		return explain_server(&server, f);
	err = hp_node_peer_find(n, peer, now_ns, &p);
	p.name = peer;
	/* What is known of the peer counts, unless nothing could be. */
	if (server.state != HP_SERVER_REGISTERED &&
	    (err || p.state == HP_PEER_CONNECTING ||
	     p.state == HP_PEER_IDLE || p.state == HP_PEER_LOST))
		return explain_server(&server, f);
	return explain_peer(&p, f);
}
