/* SPDX-License-Identifier: ISC */
/*
 * What the files of lib/node share. Who calls whom:
 *
 *	node.c ---> server.c (one rendezvous each) ---+--> intro.c -+
 *	   +---> call.c (mesh.c, cache.c: no server) -+      |      |
 *	   +---> ferry.c (relays for others)          |      |      |
 *	   |                                          v      |      v
 *	   +--------------------------------------> peer.c <-+  notes.c, suite.c
 *	   +---> info.c (reads only)       via.c <----|             ^
 *	   +---> halves.c <---------------------------+-------------+
 */
#ifndef HP_NODE_INTERNAL_H
#define HP_NODE_INTERNAL_H

#include "base/datagram.h"
#include "base/heap.h"
#include "base/pkt.h"
#include "base/table.h"
#include "member/call.h"
#include "member/cert.h"
#include "member/judge.h"
#include "member/note.h"
#include "member/record.h"
#include "meet/client.h"
#include "node/node.h"
#include "punch/budget.h"
#include "punch/candidates.h"
#include "punch/nat.h"
#include "punch/punch.h"
#include "punch/volley.h"
#include "wg/device.h"
#include "wg/forward.h"

/* Most subnets that our own tunnel has: IPv4, IPv6. */
#define NODE_OVERLAYS 2
/* Sends that failed and wait for the next tick. */
#define NODE_FAULTS 16

/* Addresses that are remembered of a peer. */
#define HP_HOMES 6

/* Room for why there is no stream. */
#define STREAM_WHY 160

struct ferried;
struct half;
struct offer;
struct hp_ferry;
struct hp_netcheck;
struct peer;

/* Members that may relay for one peer, beside all servers; where both are
 * numbered, the servers come first.
 */
#define NODE_VIAS 2
#define NODE_RELAYS (HP_SERVERS_MAX + NODE_VIAS)

/* One rendezvous server. */
struct server {
	struct hp_node *node;
	struct hp_meet_client *client;
	char name[HP_SERVER_TEXT];
	bool resolved;
	enum hp_server_state state;
	enum hp_err refused;
	struct hp_addr addr;		/* the one in use */
	struct hp_addr seen[2][2];	/* [IPv4, IPv6][server port] */
	uint64_t rtt_ns;

	/* stream.c */
	bool stream_only;
	bool stream_asked;		/* of the shell */
	enum hp_transport stream;	/* HP_OVER_UDP: there is none */
	bool by_stream;			/* packets take it */
	bool reply_udp;			/* what is sent now answers, or tries, UDP */
	uint64_t udp_ns;		/* when UDP is tried again */
	unsigned int udp_tries;
	char stream_why[STREAM_WHY];
};

/**
 * struct node_relay - A channel to a peer by one server, or by a member
 * @path:   unset: none
 * @met_ns: when that server last introduced it, or the member gave it
 * @rtt_ns: of both legs, 0: unknown
 */
struct node_relay {
	struct hp_path path;
	uint64_t met_ns;
	uint64_t rtt_ns;
};

/**
 * struct vias - What members do for a peer
 * @relay: their channels
 * @by:    whose they are; NULL: the place is free
 * @ask:   what the answers to the last question repeat, 0: none was
 * @tries: questions without an answer
 */
struct vias {
	struct node_relay relay[NODE_VIAS];
	struct peer *by[NODE_VIAS];
	uint64_t ask;
	unsigned int tries;
};

/*
 * One peer. It is found by its slot; what more is known of it grows:
 *
 *	slot only       a member that somebody listed
 *	+ name          asked for by its user, or read in its record
 *	+ keys (known)  pinned, or introduced: WireGuard exists
 *	+ epoch         introduced in this run: paths exist
 *
 * Its state is derived from these facts by hp_peer_update(), nowhere set.
 */
struct peer {
	struct hp_node *node;
	uint8_t slot[HP_SLOT_LEN];
	char name[HP_NAME_TEXT];	/* "" while not known */
	bool wanted;
	bool known;			/* all up to @wg is set */
	struct hp_public key;
	struct hp_overlay overlay;
	struct hp_secret pair;
	uint8_t probe_tag[HP_PUNCH_TAG_LEN];
	uint8_t note_tag[HP_NOTE_TAG_LEN];
	struct hp_wg_peer *wg;
	struct hp_punch *punch;		/* NULL: not introduced in this run */

	uint64_t epoch;			/* of its last introduction, 0: none */
	uint64_t old_epoch;		/* of the run before that */
	uint64_t epoch_ns;		/* when @epoch was first heard of */
	bool proved;			/* a probe of @epoch has come */
	uint32_t seq;
	uint16_t caps;			/* HP_RECORD_*; valid with @epoch */
	bool settled;			/* a session was made in this @epoch,
					 * both records known */
	uint32_t revoked;		/* number of the list it has */
	unsigned int n_candidates;
	struct hp_cert cert;		/* valid with @epoch */
	bool ended;			/* it is past its date */
	struct hp_path relay;
	unsigned int relay_server;	/* or which of @vias */
	struct vias *vias;		/* NULL: nobody was asked */
	uint64_t called_ns;		/* first of the last calls, and */
	unsigned int caller;		/* by which server */
	bool relay_gone;		/* look for another one */
	struct hp_path direct;		/* nominated */
	struct hp_path doubt;		/* was, and fell silent */
	bool both;			/* packets take the relay as well */
	uint32_t mtu;			/* inner, of the path; 0: the device's */
	bool session;			/* a handshake since the introduction */
	bool silent;			/* the relay answers nothing */
	bool offline;			/* no server knows its slot */
	enum hp_err cause;		/* its certificate was refused */
	enum hp_err intruder;		/* somebody else's was, meanwhile */
	uint64_t intruder_ns;		/* when that was last told */

	enum hp_peer_state state;
	struct hp_path shown;		/* path when @state was last told */
	uint64_t since_ns;
	uint64_t connect_ns;
	uint64_t session_ns;
	uint64_t direct_ns;

	unsigned int tries;		/* connects without success */
	uint64_t asked_ns;		/* last connect */
	enum hp_mapping told_mapping;	/* what its offer said of our NAT */
	uint64_t told_ns;		/* when it got our candidates */
	uint64_t retry_ns;		/* next connect */
	bool parted;			/* its user wants no link to it */
	uint64_t watch_ns;		/* next look at the data path's stamps */
	uint64_t heard_ns;		/* newest of them told to @punch */
	unsigned int notes;		/* rounds of notes sent */
	uint64_t note_ns;		/* next round */
	uint64_t issued_ns;		/* a certificate was sent, 0: never */
	struct half *half;		/* what it told of its end, or NULL */
	struct hp_pace answers;		/* how often we tell of ours */
	struct hp_addr homes[HP_HOMES];	/* the last good one first */
	unsigned int n_homes;
	uint64_t home_s;		/* when that was; UTC, 0: not in this run */
	unsigned int calls;		/* calls to these without success */
	uint64_t call_ns;		/* the next one */
	struct hp_pace carried;		/* what was passed on for it */
	struct ferried *ferried;	/* what is relayed for it, or NULL */
	struct offer *offer;		/* to relay for us, or NULL */
	uint64_t via_ns;		/* when members are asked to relay */
	struct hp_timer timer;		/* the earliest of all of these */

	UT_hash_handle hh;		/* by @slot */
	UT_hash_handle by_probe;
	UT_hash_handle by_note;

	struct node_relay relays[];	/* of each server that we have */
};

/* Sockets that sample the NAT, and what they ask at most. */
#define SAMPLE_SOCKS 6
#define SAMPLE_QUESTIONS 24
/* Networks whose number of hops is remembered. */
#define SAMPLE_NETWORKS 4

/* Which port does the NAT give @sock toward @dst? */
struct sample_question {
	uint32_t sock;
	struct hp_addr dst;
	uint8_t tid[12];
	uint64_t order;
	bool done;
};

/* What is known of our NAT, and the questions under way about it. */
struct sample {
	struct hp_nat nat;
	struct hp_budget budget;
	struct peer *asker;
	uint32_t sock[SAMPLE_SOCKS];
	unsigned int n_socks;		/* open: a sampling is under way */
	struct sample_question question[SAMPLE_QUESTIONS];
	unsigned int n_questions;
	unsigned int tries;
	uint64_t next_ns;
	uint64_t done_ns;		/* the last sampling, 0: none */
	uint64_t order;
	uint64_t rebound_ns;		/* the main socket moved, 0: never */
	struct {
		struct hp_addr addr;	/* how the network shows outside */
		unsigned int low_ttl;	/* hops that opened its NAT */
	} network[SAMPLE_NETWORKS];
	unsigned int n_networks;	/* the place to take next */
};

/**
 * struct calls - What the node does without servers
 * @lan:     @n_lans places that beacons go to
 * @tries:   beacons since there was a new reason for them
 * @next_ns: the next one, @sent_ns: the last
 * @nonce:   ours, and the one before; the first is of @nonce_ns
 * @heard:   a cap on signatures that are checked
 * @turn:    whom to ask next to pass calls on
 * @met:     introductions that came about so
 * @carried: calls passed on
 */
struct calls {
	struct hp_node_lan lan[HP_NODE_LANS];
	size_t n_lans;
	unsigned int tries;
	uint64_t next_ns;
	uint64_t sent_ns;
	uint64_t nonce[2];
	uint64_t nonce_ns;
	struct hp_pace heard;
	unsigned int turn;
	uint64_t met;
	uint64_t carried;
};

/* Where a call came from: over @path, or by way of @via; @seen: what address
 * its sender has there.
 */
struct caller {
	struct hp_path path;
	struct peer *via;
	struct hp_addr seen;
};

/* Extra sockets that learning about the NAT takes; and mappings: fresh sockets
 * have one each, the others a few where the NAT maps by destination.
 */
#define LEARN_SOCKS 9
#define LEARN_MAPPINGS 16

/**
 * struct learn - What is learnt of the NAT from extra sockets
 * @check:     under way, or NULL; then @sock and @slot are open
 * @net:       the network that it is, or was, of
 * @next_ns:   when it begins, or goes on
 * @keepalive_ns: how long a silence may be
 *
 * The rest: see struct hp_nat_facts.
 */
struct learn {
	struct hp_netcheck *check;
	uint32_t sock[LEARN_SOCKS];
	unsigned int n_socks;
	int slot[LEARN_MAPPINGS];
	unsigned int n_slots;
	struct hp_addr net;
	uint64_t next_ns;
	uint64_t keepalive_ns;
	enum hp_nat_filtering filtering;
	enum hp_nat_answer hairpin;
	unsigned int alive_s;
	unsigned int dead_s;
};

struct fault {
	struct hp_path path;
	int sys_errno;
};

struct hp_node {
	struct hp_node_config cfg;	/* pointers in it are not to be used */
	struct hp_network net;
	struct hp_identity self;
	struct hp_secret root;
	bool is_root;
	char purpose[16];
	uint8_t slot[HP_SLOT_LEN];
	uint8_t note_tag[HP_NOTE_TAG_LEN];
	struct hp_judge *judge;
	struct hp_wg *wg;
	struct server servers[HP_SERVERS_MAX];
	unsigned int n_servers;

	struct peer *peers;		/* by slot */
	struct peer *probe_tags;
	struct peer *note_tags;
	struct peer **named;		/* sorted by name */
	size_t n_named;
	struct hp_heap heap;

	struct hp_prefix overlay[NODE_OVERLAYS];
	struct hp_ifaddr *ifaddrs;
	size_t n_ifaddrs;
	struct hp_candidate cand[HP_CANDIDATES_MAX];
	size_t n_cand;
	uint64_t cand_ns;		/* when they changed */
	struct hp_addr mapped;		/* at the gateway, be it believed or not */
	uint64_t epoch;
	uint32_t seq;
	bool started;
	bool want_all;
	uint16_t port;
	uint64_t wall_s;		/* at @wall_ns */
	uint64_t wall_ns;
	uint64_t now_ns;		/* of the call being served */

	struct fault faults[NODE_FAULTS];
	unsigned int n_faults;
	struct sample sample;
	struct learn learn;
	struct calls calls;
	struct hp_ferry *ferry;		/* NULL: we relay for nobody */
	struct offer *offers;		/* of members that do */
};

/* NULL for purpose as lib/member wants it. */
static inline const char *hp_node_purpose(const struct hp_node *n)
{
	return n->purpose[0] ? n->purpose : NULL;
}

static inline bool hp_node_may(const struct hp_node *n, enum hp_method m)
{
	return n->cfg.methods & m;
}

/* node.c */
uint64_t hp_node_wall(const struct hp_node *n);
void hp_node_emit(struct hp_node *n, enum hp_node_event_kind kind,
		const struct peer *p, enum hp_err err);
/* Puts @buf on the wire, behind a relay header when @path has a channel. */
void hp_node_send(struct hp_node *n, const struct hp_path *path, int ttl,
	       const uint8_t *buf, size_t len);
/* Is it an address of this host, whatever the port? */
bool hp_node_has_address(const struct hp_node *n, const struct hp_addr *a);
/* Gathers our candidates again; announces them when they changed, or when
 * @anyway (the certificate or the revocation list did).
 */
void hp_node_publish(struct hp_node *n, bool anyway);
/* Fills in what our record says; an offer says the same under the same number,
 * so that the record does not seem older than an offer made since.
 */
void hp_node_record(struct hp_node *n, struct hp_record *rec);
/* How long an answer of a peer is waited for before the question is sent again:
 * three round trips to the nearest server, since nothing is known of its own.
 */
uint64_t hp_node_patience(const struct hp_node *n);
/* What one server tells of our NAT, and what all of them together do. */
enum hp_mapping hp_server_mapping(const struct hp_node *n,
			       const struct server *s);
enum hp_mapping hp_node_mapping(const struct hp_node *n);
/* Judges a certificate and tells the shell of new pins. */
enum hp_err hp_node_admit(struct hp_node *n, const struct hp_cert *cert);
/* Takes a newer revocation list: refuses peers, tells the shell and others. */
enum hp_err hp_node_revoke(struct hp_node *n, const uint8_t *list, size_t len);

/* server.c */
enum hp_err hp_server_init(struct hp_node *n, unsigned int i,
			const struct hp_node_server *cfg);
extern const struct hp_meet_ops hp_server_ops;

/* Whoever shows @cert at @slot: made known, or (NULL) refused. */
struct peer *hp_peer_shown(struct hp_node *n, const uint8_t slot[HP_SLOT_LEN],
			   const struct hp_cert *cert);

/* call.c */
void hp_calls_init(struct hp_node *n);
/* The interface addresses changed. */
void hp_calls_lans(struct hp_node *n, const struct hp_ifrules *rules);
/* A beacon as soon as may be; all calls from the beginning. */
void hp_calls_soon(struct hp_node *n);
void hp_calls_again(struct hp_node *n);
void hp_calls_tick(struct hp_node *n);
/* A peer was found to have restarted. */
void hp_calls_renew(struct hp_node *n);
/* @p is looked for: it is called from now on, until it is reached. */
void hp_call_begin(struct peer *p);
void hp_call_tick(struct peer *p);
void hp_call_datagram(struct hp_node *n, const struct hp_path *from,
		      const uint8_t *buf, size_t len);
void hp_call_rx(struct hp_node *n, const struct caller *from,
		const uint8_t *buf, size_t len);

/* mesh.c: a call to the node of @slot, by way of @via; to @p, by a few others;
 * notes of both kinds that came.
 */
void hp_mesh_send(struct peer *via, const uint8_t slot[HP_SLOT_LEN],
		  const uint8_t call[HP_CALL_LEN]);
void hp_mesh_ask(const struct peer *p, const uint8_t call[HP_CALL_LEN]);
void hp_mesh_carry(struct peer *from, const struct hp_path *path,
		   const struct hp_note *note);
void hp_mesh_carried(struct peer *via, const struct hp_note *note);

/* ferry.c: what we relay for other members. */
enum hp_err hp_ferry_init(struct hp_node *n);
void hp_ferry_free(struct hp_node *n);
/* @p asks for a channel to somebody. */
void hp_ferry_wanted(struct peer *p, const struct hp_note *asked);
/* The direct path to @p is another one, or there is none. */
void hp_ferry_nominated(struct peer *p);
/* Ends all that is relayed for @p; that is due when its path stays lost. */
void hp_ferry_drop(struct peer *p);
uint64_t hp_ferry_due(const struct peer *p);
void hp_ferry_tick(struct hp_node *n);
uint64_t hp_ferry_deadline(const struct hp_node *n);

/* via.c: members that relay for us. */
/* What is known of @via changed: does it offer to relay, and over which path? */
void hp_via_update(struct peer *via);
/* May what comes over @path be relayed by a member? */
bool hp_via_relays(const struct hp_node *n, const struct hp_path *path);
/* Asks them for a channel to @p in good time, if it needs one. */
void hp_via_soon(struct peer *p);
/* A relay that we have no channel of brought something of @p. */
void hp_via_heard(struct peer *p);
void hp_via_tick(struct peer *p);
/* @via answered. */
void hp_via_given(struct peer *via, const struct hp_note *note);
/* The member whose relay @at of @p is; NULL: it is none's. */
struct peer *hp_via_at(const struct peer *p, unsigned int at);
/* Forgets what members do for @p; and what @p does, when all is freed. */
void hp_via_drop(struct peer *p);
void hp_via_free(struct peer *p);

/* cache.c: @p was reached over @path; it says that it has these addresses. */
void hp_cache_good(struct peer *p, const struct hp_path *path);
void hp_cache_told(struct peer *p, const struct hp_candidate *cand,
		   size_t count);

/* stream.c: whether a server is spoken to by UDP or by a stream. */
void hp_stream_init(struct server *s, enum hp_transport over);
/* Asks for the stream of a server that has no other way. */
void hp_stream_start(struct server *s);
/* The socket that packets for the server take now. */
uint32_t hp_stream_sock(const struct server *s);
/* The server fell silent, or is registered with. */
void hp_stream_lost(struct server *s);
void hp_stream_registered(struct server *s);
/* May @buf go to @dst, and by which socket? */
bool hp_stream_pass(const struct server *s, const struct hp_addr *dst,
		    const uint8_t *buf, size_t len, uint32_t *sock);
/* A datagram of a server; HP_ERR_TYPE: not of this one. */
enum hp_err hp_stream_rx(struct server *s, const struct hp_path *from,
			 const uint8_t *buf, size_t len);
/* Try UDP again soon: the network changed. */
void hp_stream_changed(struct server *s);
void hp_stream_tick(struct server *s);

/* suite.c */
/* What our record says of ciphers. */
uint16_t hp_suite_caps(const struct hp_node *n);
/* Tells WireGuard which ciphers to speak with @p, by what is known of it. */
void hp_suite_update(struct peer *p);
/* A session came up. */
void hp_suite_session(struct peer *p);

/* peer.c */
struct peer *hp_peer_find(struct hp_node *n, const uint8_t slot[HP_SLOT_LEN]);
struct peer *hp_peer_named(const struct hp_node *n, const char *name);
/* Where packets for it go; unset: nowhere. */
const struct hp_path *hp_peer_path(const struct peer *p);
/* Finds it, or makes it; NULL without room. */
struct peer *hp_peer_get(struct hp_node *n, const uint8_t slot[HP_SLOT_LEN]);
void hp_peer_free(struct peer *p);
void hp_peer_set_name(struct peer *p, const char *name);
/* Gives it keys: WireGuard peer, routes, path machine. */
enum hp_err hp_peer_set_keys(struct peer *p, const struct hp_public *key,
			  const struct hp_overlay *overlay);
/* Its path machine, for a peer with keys; NULL without memory. */
struct hp_punch *hp_peer_make_punch(struct peer *p);
void hp_peer_want(struct peer *p);
/* Asks the servers for an introduction, now or as soon as it may. */
void hp_peer_connect(struct peer *p);
/* Where we can be reached, and that our NAT maps per destination, is often
 * learnt after the first introduction. A peer without a direct path gets a new
 * offer for it, so that both sides try, or can tell why they are relayed.
 */
void hp_peer_tell(struct peer *p);
/* Asks again, after the delay that its unsuccessful tries have earned it. */
void hp_peer_connect_later(struct peer *p);
/* Drops all that is known of it but its name; @cause HP_OK: nothing is wrong. */
void hp_peer_refuse(struct peer *p, enum hp_err cause);
/* Somebody else showed a certificate for @p, which was refused. */
void hp_peer_intruder(struct peer *p, enum hp_err cause);
void hp_peer_watch(struct peer *p);
void hp_peer_tick(struct peer *p);
/* Derives the state, tells the shell of a change, sets the timer. */
void hp_peer_update(struct peer *p);
/* The last of these alone. */
void hp_peer_due(struct peer *p);
extern const struct hp_wg_ops hp_peer_wg_ops;

/* intro.c */
/**
 * hp_peer_introduced() - A server introduced @p
 * @seen: where the server hears it
 * @relay: path through the server, unset: none
 * @init: a WireGuard initiation that came along, or NULL
 */
void hp_peer_introduced(struct peer *p, const struct hp_record *rec,
		     const struct hp_addr *seen, const struct hp_path *relay,
		     unsigned int server, const uint8_t *init, bool answer);

/* mapped.c */
void hp_node_gather_mapped(const struct hp_node *n,
		      struct hp_candidate list[HP_CANDIDATES_MAX],
		      size_t *count);

/* halves.c */
void hp_half_wanted(struct peer *p, const struct hp_note *asked);
void hp_half_came(struct peer *p, const struct hp_note *note);
void hp_half_free(struct peer *p);

/* sample.c */
void hp_sample_init(struct hp_node *n);
/* @server sees our main socket at @seen (none: no longer known). */
void hp_sample_seen(struct hp_node *n, const struct hp_addr *server,
		    const struct hp_addr *seen);
void hp_sample_judge(const struct hp_node *n, struct hp_nat_facts *out);
/* Finds out how the NAT behaves now, for hp_punch_sampled() of @p; and how it
 * chooses ports, unless it is endpoint-independent for certain.
 */
void hp_sample_ask(struct peer *p);
void hp_sample_forget(struct peer *p);
/* A STUN answer to a socket other than the main one. */
void hp_sample_rx(struct hp_node *n, const struct hp_path *from,
		  const uint8_t *buf, size_t len);
void hp_sample_tick(struct hp_node *n);
/* Hops of the opening volley that led to a direct path in this network; 0: none
 * did yet.
 */
unsigned int hp_sample_low_ttl(const struct hp_node *n);
void hp_sample_worked(struct hp_node *n, unsigned int low_ttl);

/* learn.c */
void hp_learn_init(struct hp_node *n);
void hp_learn_free(struct hp_node *n);
/* Servers see us at another address, perhaps. */
void hp_learn_seen(struct hp_node *n);
/* STUN, to any socket; what belongs to nothing that was asked is ignored. */
void hp_learn_rx(struct hp_node *n, const struct hp_path *from,
		 const uint8_t *buf, size_t len);
void hp_learn_tick(struct hp_node *n);
/* Adds what was learnt to @out. */
void hp_learn_get(const struct hp_node *n, struct hp_nat_facts *out);

/* Points WireGuard at the path that packets take now. */
void hp_peer_route(struct peer *p);

/* relay.c: a server introduced @p (@answer: to our question); @path unset: it
 * does not relay. To be called before the path machine is told.
 */
void hp_relay_met(struct peer *p, unsigned int server,
		  const struct hp_path *path, bool answer);
/* A question to @p and back over @server took so long. */
void hp_relay_timed(struct peer *p, unsigned int server, uint64_t rtt_ns);
/* When another one is to be taken, if the one in use brings no call by then. */
uint64_t hp_relay_follow_due(const struct peer *p);
void hp_relay_follow(struct peer *p);
/* The relay in use answers nothing: takes another one, if it can. */
void hp_relay_failed(struct peer *p);
/* A member gave a channel to @p, which becomes relay @at. */
void hp_relay_offered(struct peer *p, unsigned int at,
		      const struct hp_path *path, uint64_t rtt_ns);
/* Relay @at has another path now, which is there already; or is no more. */
void hp_relay_moved(struct peer *p, unsigned int at);
void hp_relay_ended(struct peer *p, unsigned int at);
/* Who relays, by name; NULL: nobody does. */
const char *hp_relay_name(const struct peer *p);

/* mtu.c: tells the data path how long packets may be on the path in use. */
void hp_mtu_update(struct peer *p);
/* The longest datagram that is worth measuring; 0: none is. */
uint32_t hp_mtu_longest(const struct hp_node *n);
/* Sends a probe of the path machine of the peer @ctx whole, or not at all. */
void hp_mtu_probe(void *ctx, const struct hp_path *path, const uint8_t *buf,
		  size_t len);

/* notes.c */
void hp_note_send(struct peer *p, const struct hp_path *path,
		  const struct hp_note *note);
void hp_notes_begin(struct peer *p);
void hp_notes_tick(struct peer *p);
void hp_notes_rx(struct hp_node *n, const struct hp_path *from,
	      const uint8_t *buf, size_t len);

#endif
