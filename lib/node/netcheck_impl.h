/* SPDX-License-Identifier: ISC */
/* The questions of a check, for the files that ask and that judge them. */
#ifndef HP_NODE_NETCHECK_IMPL_H
#define HP_NODE_NETCHECK_IMPL_H

#include "meet/stun.h"
#include "node/netcheck.h"

#define NC_TRIES 5

enum nc_state {
	NC_IDLE,
	NC_ASKING,
	NC_ANSWERED,
	NC_SILENT,
	NC_REFUSED,	/* the server does not do it */
	NC_NO_WAY,	/* this host cannot send there */
	NC_SKIPPED,	/* would tell nothing */
};

/**
 * struct nc_question - A STUN request and its answer
 * @sock:    asked from
 * @answer_sock: where the answer must arrive
 * @dst:     asked
 * @answer_from: the answer must come from there; none: the request itself must
 *           arrive (a hairpin), from anywhere
 * @change_port, @response_port: see hp_stun_probe_put()
 * @tid:     the last byte counts the tries
 * @done_ns: when it was answered
 */
struct nc_question {
	enum nc_state state;
	unsigned int sock;
	unsigned int answer_sock;
	struct hp_addr dst;
	struct hp_addr answer_from;
	bool change_port;
	uint16_t response_port;
	uint8_t tid[HP_STUN_TID_LEN];
	unsigned int tries;
	uint64_t sent_ns[NC_TRIES];
	uint64_t next_ns;
	uint64_t done_ns;
	uint64_t rtt_ns;
	struct hp_addr seen;
};

/* What is asked for each family once a server answered. */
enum nc_which {
	NC_FRESH,	/* plainly, from each fresh socket, one after another */
	NC_SECOND = NC_FRESH + HP_NETCHECK_FRESH, /* from the second socket */
	NC_OTHER_PORT,	/* for an answer from the server's other port */
	NC_REDIRECT,	/* for an answer to another socket: does that work? */
	NC_OTHER_IP,	/* for one from a server that this socket never asked */
	NC_HAIRPIN_IN,	/* from the second socket to the main one, outside */
	NC_HAIRPIN_OUT,	/* and the other way */
	NC_LIFE,	/* for an answer to a socket that was silent long */
	NC_N = NC_LIFE + HP_NETCHECK_LIVES,
};

/* Which fresh socket serves what; the others only show their ports. */
#define NC_FRESH_OTHER_IP 0
#define NC_FRESH_REDIRECT 1
#define NC_FRESH_OTHER_PORT 2
#define NC_FRESH_LIFE 3
_Static_assert(NC_FRESH_LIFE + HP_NETCHECK_LIVES <= HP_NETCHECK_FRESH,
	       "one socket each");

/**
 * struct nc_family
 * @ref:   the nearest server that answered, -1: none
 * @other: one at another address, -1: none
 */
struct nc_family {
	int ref;
	int other;
	struct nc_question q[NC_N];
};

/**
 * struct hp_netcheck
 * @reached: all servers have answered, or will not
 * @ended:   some question has just ended without an answer
 * @main:    from the main socket, by server, family and port
 */
struct hp_netcheck {
	struct hp_netcheck_config cfg;
	bool started;
	bool reached;
	bool ended;
	struct nc_question main[HP_SERVERS_MAX][2][2];
	struct nc_family family[2];
};

#define NC_N_MAIN (HP_SERVERS_MAX * 4)
#define NC_N_ALL (NC_N_MAIN + 2 * NC_N)

static inline bool nc_over(const struct nc_question *q)
{
	return q->state != NC_IDLE && q->state != NC_ASKING;
}

/* Is @a with @port an address of this host? */
bool nc_is_own(const struct hp_netcheck *n, const struct hp_addr *a,
	       unsigned int sock);

#endif
