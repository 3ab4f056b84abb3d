/* SPDX-License-Identifier: ISC */
/*
 * From what both ends know of a connection to what is wrong with it, in words,
 * and what its user can do. Pure: facts in, findings out.
 */
#ifndef HP_NODE_DIAGNOSE_H
#define HP_NODE_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "node/ferry.h"
#include "node/node.h"
#include "node/report.h"

/* What can be found. Below _NOTES: why it is as it is, the first finding is of
 * that kind; above: worth knowing beside it.
 */
enum hp_cause {
	HP_CAUSE_DIRECT,	/* nothing is wrong */
	HP_CAUSE_TRYING,	/* too early to tell */
	HP_CAUSE_UNKNOWN,	/* nobody of that name was met */
	HP_CAUSE_RENDEZVOUS,	/* no server answers us */
	HP_CAUSE_REFUSED,	/* the servers do not serve us */
	HP_CAUSE_OFFLINE,	/* no server knows the peer */
	HP_CAUSE_CERTIFICATE,	/* of the peer: refused here */
	HP_CAUSE_SILENT,	/* the peer does not answer over any path */
	HP_CAUSE_LOST,		/* the direct path fell silent just now */
	HP_CAUSE_LOSSY,		/* it loses packets, and was left */
	HP_CAUSE_METHOD_OFF,	/* what would help is switched off */
	HP_CAUSE_FIREWALL_HERE,	/* our system refuses to send */
	HP_CAUSE_FIREWALL_THERE, /* the peer's does */
	HP_CAUSE_NO_FAMILY,	/* one end has IPv4 alone, one IPv6 */
	HP_CAUSE_HAIRPIN,	/* behind one NAT that does not turn packets */
	HP_CAUSE_NAT_BOTH,	/* both map per destination */
	HP_CAUSE_NAT_OWN,	/* ours does */
	HP_CAUSE_NAT_PEER,	/* the peer's does */
	HP_CAUSE_ONE_WAY,	/* packets arrive in one direction only */
	HP_CAUSE_NO_ROUTE,	/* our system knows no way to the peer */
	HP_CAUSE_BLOCKED,	/* nothing arrives in either direction, or no
				 * server by UDP at one end */
	HP_CAUSE_NOTES,
	HP_CAUSE_HALF = HP_CAUSE_NOTES, /* the peer was not heard on it */
	HP_CAUSE_VERSION,	/* the ends run different versions */
	HP_CAUSE_SERVER_PORT,	/* a server's second port is silent */
	HP_CAUSE_RELAY_OFF,	/* no packet flows: the relay is off, too */
	HP_CAUSE_NO_RELAY,	/* none is left: members could be */
	HP_CAUSE_INTRUDER,	/* somebody else claims the peer's name */
	HP_CAUSES,
};

/* A word for scripts, which stays: "both-nats-symmetric"; never NULL. */
const char *hp_cause_word(enum hp_cause c);

/**
 * struct hp_case - The facts
 * @peer:   its name
 * @state:  of it; with @met false: none
 * @met:    anybody of that name was met or asked for
 * @cause:  why its certificate was refused
 * @intruder: why somebody else's for its name was
 * @server: the one that serves us best; name NULL: none is configured
 * @via:    members that could relay, or do
 * @here:   our half; zeroed when nobody was met
 * @there:  the peer's; NULL: it did not tell
 */
struct hp_case {
	const char *peer;
	bool met;
	enum hp_peer_state state;
	enum hp_err cause;
	enum hp_err intruder;
	struct hp_node_server_info server;
	struct hp_via_info via;
	const struct hp_report *here;
	const struct hp_report *there;
};

#define HP_FINDINGS_MAX 8

/* @words and @remedy: whole phrases without a full stop; the latter may be
 * empty.
 */
struct hp_finding {
	enum hp_cause cause;
	char words[240];
	char remedy[320];
};

/**
 * hp_diagnose() - What is found, the main thing first
 *
 * Return: how many findings were written, at least one.
 */
size_t hp_diagnose(const struct hp_case *c,
		   struct hp_finding out[HP_FINDINGS_MAX]);

/* Volleys, or a first round of guessing that is called for, are under way: what
 * comes of them cannot be said yet.
 */
bool hp_report_unsettled(const struct hp_report *r);

/* What became of one pair, in a phrase; never NULL. */
const char *hp_pair_words(const struct hp_report_pair *pair);

#endif
