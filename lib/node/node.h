/* SPDX-License-Identifier: ISC */
/*
 * The engine of one node of a network: WireGuard, the rendezvous clients, a
 * path machine per peer and membership, put together. Pure: datagrams, inner
 * packets, interface addresses, time and chance come in; datagrams, inner
 * packets and events go out through struct hp_node_ops. One thread owns it,
 * the control thread; data threads see only hp_wg_fib(hp_node_wg(node)).
 */
#ifndef HP_NODE_NODE_H
#define HP_NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/candidate.h"
#include "base/err.h"
#include "base/key.h"
#include "base/path.h"
#include "base/rng.h"
#include "member/network.h"
#include "punch/mapped.h"
#include "punch/pmtu.h"
#include "wg/aead.h"

struct hp_identity;
struct hp_ifaddr;
struct hp_judge;
struct hp_nat_facts;
struct hp_node;
struct hp_notice;
struct hp_pkt;
struct hp_wg;

/* Most peers that a node knows at once. */
#define HP_NODE_PEERS_MAX 16384

/* Most places that beacons go to; the port of all. */
#define HP_NODE_LANS 16
#define HP_BEACON_PORT 8890
/* Peers whose addresses are kept on disk, and the bytes that takes at most. */
#define HP_NODE_CACHED 256
#define HP_NODE_CACHE_MAX (40 + 5 + HP_NODE_CACHED * (16 + 1 + 6 * 19))

/**
 * struct hp_node_lan - A LAN that this host is on
 * @addr:  an address of ours there, port 0
 * @index: of the interface
 */
struct hp_node_lan {
	struct hp_addr addr;
	uint32_t index;
	uint32_t zero;
};

/* How the node stands with one rendezvous server. */
enum hp_server_state {
	HP_SERVER_UNRESOLVED,	/* its name has no address (yet) */
	HP_SERVER_TRYING,	/* asked, no answer yet */
	HP_SERVER_REGISTERED,
	HP_SERVER_LOST,		/* no answer; goes on trying */
	HP_SERVER_REFUSED,	/* it does not serve us; goes on, slowly */
};

/* How the node stands with one peer. */
enum hp_peer_state {
	HP_PEER_IDLE,		/* known, not wanted */
	HP_PEER_CONNECTING,	/* wanted; no session yet */
	HP_PEER_RELAYED,	/* session, packets pass a relay */
	HP_PEER_DIRECT,		/* session, packets go straight */
	HP_PEER_OFFLINE,	/* the rendezvous does not know it now */
	HP_PEER_REFUSED,	/* its certificate was refused: see cause */
	HP_PEER_LOST,		/* had a session; nothing is heard any more */
};

/* One word or phrase for each; never NULL. */
const char *hp_server_state_text(enum hp_server_state s);
const char *hp_peer_state_text(enum hp_peer_state s);
const char *hp_mapping_text(enum hp_mapping m);
const char *hp_transport_text(enum hp_transport t);

enum hp_node_event_kind {
	HP_NODE_SERVER,		/* a server's state or what it sees changed */
	HP_NODE_PEER_NEW,	/* a peer was met for the first time */
	HP_NODE_PEER,		/* a peer's state or path changed */
	HP_NODE_CERT,		/* we were given a permanent certificate: store
				 * hp_node_identity() */
	HP_NODE_PINS,		/* pins changed: store hp_node_judge() */
	HP_NODE_REVOKED,	/* the revocation list changed: store it */
	HP_NODE_ENROLLED,	/* a newcomer got its permanent certificate from
				 * us: note it in the members file */
	HP_NODE_INTRUDER,	/* somebody else shows a certificate, refused
				 * with err, for a peer that was met; told once
				 * in ten minutes */
	HP_NODE_PONG,		/* what hp_node_ping() sent was answered */
	HP_NODE_REPORT,		/* a peer told its half: hp_node_half_get() */
	HP_NODE_CACHE,		/* a peer was reached at a new address: store
				 * hp_node_cache_get(), in good time */
};

/**
 * struct hp_node_event - Something the shell may want to show or store
 * @kind:   what
 * @server: index of the server (HP_NODE_SERVER)
 * @peer:   name of the peer (HP_NODE_PEER*, _ENROLLED), else ""
 * @err:    why, for a refused peer, server or certificate; else HP_OK
 * @now_ns: when
 */
struct hp_node_event {
	enum hp_node_event_kind kind;
	unsigned int server;
	const char *peer;
	enum hp_err err;
	uint64_t now_ns;
};

/**
 * struct hp_node_ops - What the engine asks of its shell
 * @send:      put a datagram on the wire to @path->remote from socket
 *             @path->sock; a relay header is already in front when the path
 *             has a channel. @ttl 0: the system's. Errors come back through
 *             hp_node_send_failed(). @buf is borrowed.
 * @send_whole: the same, for a datagram that must not be cut into fragments,
 *             neither here nor on its way; NULL: the MTU of paths is not
 *             measured
 * @deliver:   an inner packet for the TUN device (only from packets handed to
 *             hp_node_rx(), that is, without a data thread)
 * @event:     see struct hp_node_event; must not call back into the node
 * @timestamp: strictly increasing TAI64N, also across restarts
 * @open:      opens one more UDP socket (both families) with a port of the
 *             system's choice; @sock: its number for hp_path.sock, from 1.
 *             Datagrams that reach it come with that number. HP_ERR_FULL: no
 *             more (the limit of descriptors), HP_ERR_IO.
 * @close:     closes it; no path uses it any more
 * @rebind:    moves the main socket (0) to a fresh port, which it gives, unless
 *             the user fixed the port: HP_ERR_STATE
 * @lans:      beacons go to these LANs from now on: listen there for those of
 *             others, at hp_beacon_group(), for hp_node_beacon(). May be
 *             called within hp_node_set_interfaces(). NULL: no beacons
 * @stream:    keeps a TCP or TLS connection to that server open, or closes it
 *             (@on); how it fares is told by hp_node_stream(), not from within
 *             this call. What is sent by a path whose socket is HP_SOCK_STREAM
 *             plus the server's number goes there
 *
 * @quiet:     returns once no data thread holds a path any more that
 *             hp_ferry_pass() gave it before; NULL: there is none
 *
 * Those from open on may be NULL: methods that need more sockets are off then,
 * and servers are spoken to by UDP alone.
 */
struct hp_node_ops {
	void (*send)(void *ctx, const struct hp_path *path, int ttl,
		     const uint8_t *buf, size_t len);
	void (*send_whole)(void *ctx, const struct hp_path *path,
			   const uint8_t *buf, size_t len);
	void (*deliver)(void *ctx, const char *peer, struct hp_pkt *inner);
	void (*event)(void *ctx, const struct hp_node_event *ev);
	void (*timestamp)(void *ctx, uint8_t out[12]);
	enum hp_err (*open)(void *ctx, uint32_t *sock);
	void (*close)(void *ctx, uint32_t sock);
	enum hp_err (*rebind)(void *ctx, uint16_t *port);
	void (*lans)(void *ctx, const struct hp_node_lan *lan, size_t n);
	void (*stream)(void *ctx, unsigned int server, bool on);
	void (*quiet)(void *ctx);
};

/* A rendezvous server: what the user wrote, and what it resolved to. @over: UDP:
 * first, and a stream where that is not answered; else nothing but a stream.
 */
struct hp_node_server {
	char name[HP_SERVER_TEXT]; /* "s.example.net:8888", for people */
	enum hp_transport over;
	struct hp_addr addr4;	/* HP_AF_NONE: none */
	struct hp_addr addr6;
};

/**
 * struct hp_node_config - How a node is made
 * @net:       the network (borrowed for the node's life)
 * @identity:  this node's name, keys and certificate chain (copied)
 * @judge:     pins and revocations known so far (taken; may be NULL)
 * @root:      root key seed, on its holder; NULL elsewhere (copied)
 * @purpose:   NULL for the tunnel; "echo" registers beside the daemon
 * @low_ttl:   hops of the opening volley; 0: the default
 * @interfaces: those whose addresses are candidates, see struct hp_ifrules
 * @exclude:   those whose are not
 * @methods:   enum hp_method, those that may be used; 0: all
 * @mtu:       inner MTU, bytes
 * @allow_relay: relay between other members
 * @relay_rate: bytes per second that are relayed at most; 0: no limit
 * @engine:    library for the ciphers
 * @cipher:    which ones may be spoken with other nodes
 * @aes:       this processor has instructions for AES-GCM
 */
struct hp_node_config {
	const struct hp_network *net;
	const struct hp_identity *identity;
	struct hp_judge *judge;
	const struct hp_secret *root;
	const char *purpose;
	struct hp_node_server servers[HP_SERVERS_MAX];
	unsigned int n_servers;
	unsigned int low_ttl;
	struct hp_ifpatterns interfaces;
	struct hp_ifpatterns exclude;
	uint32_t methods;
	uint32_t mtu;
	bool allow_relay;
	uint32_t relay_rate;
	enum hp_aead_engine engine;
	enum hp_cipher_policy cipher;
	bool aes;
	struct hp_rng rng;
	struct hp_node_ops ops;
	void *ctx;
};

/**
 * hp_node_new() - Make a node; nothing is sent before hp_node_start()
 * @cfg: borrowed for the call, but for what it says
 * @out: gives the node; free with hp_node_free()
 *
 * Return: HP_OK; HP_ERR_NOMEM; HP_ERR_KEY when the identity does not fit the
 *         network.
 */
enum hp_err hp_node_new(const struct hp_node_config *cfg, struct hp_node **out)
	HP_MUST_CHECK;
/* Frees without a word to anybody; call hp_node_bye() first to take leave. */
void hp_node_free(struct hp_node *n);

/* Begins to register. @port: our UDP port; @wall_s: UTC seconds. */
void hp_node_start(struct hp_node *n, uint16_t port, uint64_t wall_s,
		   uint64_t now_ns);
/* Signs off at the servers, so that peers see us offline at once. */
void hp_node_bye(struct hp_node *n, uint64_t now_ns);

/* The wall clock, for dates in certificates; call it now and then. */
void hp_node_set_wall(struct hp_node *n, uint64_t wall_s, uint64_t now_ns);
/* The host's interface addresses (all of them; the engine picks). Call before
 * hp_node_start() and at each change: when our candidates change, they are
 * announced anew and paths tried at once.
 *
 * Return: whether they did, after hp_node_start().
 */
bool hp_node_set_interfaces(struct hp_node *n, const struct hp_ifaddr *addrs,
			    size_t n_addrs, uint64_t now_ns);
/* The machine slept, or the network changed in a way the addresses do not
 * show: refresh registrations and try all paths at once.
 */
void hp_node_network_changed(struct hp_node *n, uint64_t now_ns);
/* The gateway lets in what comes to @mapped; NULL: nothing any more. Peers are
 * told as long as it agrees with what servers see.
 */
void hp_node_set_mapped(struct hp_node *n, const struct hp_addr *mapped,
			uint64_t now_ns);
/* New addresses of a server (after resolving its name). */
void hp_node_set_server(struct hp_node *n, unsigned int server,
			const struct hp_addr *addr4,
			const struct hp_addr *addr6, uint64_t now_ns);

/**
 * hp_node_stream() - How the stream to a server fares
 * @over: what carries it; HP_OVER_UDP: there is none (any more)
 * @why:  why there is none, for people (copied); NULL: nothing is wrong
 */
void hp_node_stream(struct hp_node *n, unsigned int server,
		    enum hp_transport over, const char *why, uint64_t now_ns);

/* Connect to one peer, by name, or to every member that shows up; and keep it
 * so. HP_ERR_FORMAT: not a name; HP_ERR_EXISTS: our own name; HP_ERR_FULL.
 */
enum hp_err hp_node_want(struct hp_node *n, const char *name, uint64_t now_ns)
	HP_MUST_CHECK;
void hp_node_want_all(struct hp_node *n, uint64_t now_ns);
/* Ends the link to @name: nothing connects to it and it is not let in, until it
 * is asked for again, or all are. HP_ERR_FORMAT: not a name; HP_ERR_UNKNOWN:
 * nobody of that name was met or asked for.
 */
enum hp_err hp_node_part(struct hp_node *n, const char *name, uint64_t now_ns)
	HP_MUST_CHECK;

/**
 * hp_node_ping() - Measure the path to a peer now, once
 *
 * HP_NODE_PONG follows, unless the answer is lost.
 *
 * Return: HP_OK; HP_ERR_UNKNOWN: nobody of that name was met or asked for;
 *         HP_ERR_STATE: there is no path to it; HP_ERR_LIMIT: rate cap.
 */
enum hp_err hp_node_ping(struct hp_node *n, const char *name, uint64_t now_ns)
	HP_MUST_CHECK;

/* A datagram that arrived over @from (direct: channel 0; when it starts with a
 * relay header the engine pulls it). Decrypts in place.
 */
void hp_node_rx(struct hp_node *n, const struct hp_path *from,
		struct hp_pkt *pkt, uint64_t now_ns);
/* What was heard at hp_beacon_group(). */
void hp_node_beacon(struct hp_node *n, const struct hp_path *from,
		    const uint8_t *buf, size_t len, uint64_t now_ns);
/* The multicast group of beacons on the interface @index, with its port. */
struct hp_addr hp_beacon_group(unsigned int family, uint32_t index);
/* An inner packet; needs HP_HEADROOM and HP_TAILROOM around it.
 * HP_ERR_ROUTE: no peer has that address.
 */
enum hp_err hp_node_tx(struct hp_node *n, struct hp_pkt *inner,
		       uint64_t now_ns) HP_MUST_CHECK;
/* What a data thread noticed. */
void hp_node_notice(struct hp_node *n, const struct hp_notice *notice,
		    uint64_t now_ns);
/* The system refused a send over @path with @sys_errno: a fact about it. */
void hp_node_send_failed(struct hp_node *n, const struct hp_path *path,
			 int sys_errno, uint64_t now_ns);

void hp_node_tick(struct hp_node *n, uint64_t now_ns);
uint64_t hp_node_deadline(const struct hp_node *n);

/* Where peers were reached, sealed, for the disk; the bytes written. */
size_t hp_node_cache_get(const struct hp_node *n,
			 uint8_t out[HP_NODE_CACHE_MAX]);
/* Takes that back, before hp_node_start(). @port: ours then, worth having again;
 * 0: not known. HP_ERR_SHORT, HP_ERR_FORMAT,
 * HP_ERR_AUTH (altered, or of another node), HP_ERR_VERSION: nothing is taken.
 */
enum hp_err hp_node_cache_set(struct hp_node *n, const uint8_t *buf,
			      size_t len, uint16_t *port) HP_MUST_CHECK;

/* Parts that the shell needs: the FIB for data threads, stock peers. */
struct hp_wg *hp_node_wg(struct hp_node *n);
const struct hp_identity *hp_node_identity(const struct hp_node *n);
const struct hp_judge *hp_node_judge(const struct hp_node *n);
/* A newer revocation list, from disk; HP_ERR_AUTH, HP_ERR_REPLAY (older). */
enum hp_err hp_node_set_revoked(struct hp_node *n, const uint8_t *list,
				size_t len, uint64_t now_ns) HP_MUST_CHECK;

/**
 * struct hp_node_server_info - One rendezvous server, for status
 * @name:    as configured
 * @state:   see the enum
 * @refused: why, when refused
 * @addr:    the address in use
 * @seen4/6: how we are seen from there (HP_AF_NONE: not known)
 * @mapping: what two of its ports tell of our NAT
 * @rtt_ns:  last round trip, 0 when unknown
 * @over:    what carries its datagrams now
 * @stream:  why there is no stream although one is needed; "": no reason known
 */
struct hp_node_server_info {
	const char *name;
	enum hp_server_state state;
	enum hp_err refused;
	struct hp_addr addr;
	struct hp_addr seen4;
	struct hp_addr seen6;
	enum hp_mapping mapping;
	uint64_t rtt_ns;
	enum hp_transport over;
	const char *stream;
};

/**
 * struct hp_node_peer_info - One peer, for status
 * @name:     as in its certificate; empty for a stock WireGuard peer
 * @addr4/6:  its overlay addresses (HP_AF_NONE when not known yet)
 * @state:    see the enum
 * @wanted:   asked for by name or by "all"
 * @cause:    why its certificate was refused
 * @intruder: why the last certificate that somebody else showed for this name
 *            was refused while we knew better; HP_OK: nobody did
 * @path:     where packets go now; unset when nowhere
 * @lan:      a direct path within our own subnet
 * @server:   name of the relaying server or member, when relayed, else NULL
 * @why:      when relayed or not connected: one phrase; else NULL
 * @rtt_ns:   of the path, 0 when unknown
 * @pong_ns:  round trip of the last ping that was answered, 0: none was
 * @pongs:    how many were
 * @since_ns: when this state began
 * @connect_ns/_relay_ns/_direct_ns: times of the last connection attempt's
 *            start, of its first session and of its first direct path (0: not)
 * @cipher:   name of the session's, NULL without one
 * @handshake_ns: last handshake completed, 0: never
 * @mtu:      longest packet inside that goes to it uncut, as far as is known
 * @pmtu:     how far measuring that is
 * @n_candidates: of the peer, as announced
 * @probes:   sent to it, of any kind, since its keys are known
 * @guesses:  rounds of guessing ports, @guess_probes: probes sent in them
 * @sockets:  extra sockets open for it
 */
struct hp_node_peer_info {
	const char *name;
	struct hp_public key;
	struct hp_addr addr4;
	struct hp_addr addr6;
	enum hp_peer_state state;
	bool wanted;
	enum hp_err cause;
	enum hp_err intruder;
	struct hp_path path;
	bool lan;
	const char *server;
	const char *why;
	uint64_t rtt_ns;
	uint64_t pong_ns;
	uint32_t pongs;
	uint64_t since_ns;
	uint64_t connect_ns;
	uint64_t session_ns;
	uint64_t direct_ns;
	const char *cipher;
	uint64_t handshake_ns;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint32_t mtu;
	enum hp_pmtu_state pmtu;
	unsigned int n_candidates;
	uint64_t probes;
	uint32_t guesses;
	uint32_t guess_probes;
	unsigned int sockets;
};

/**
 * struct hp_node_guess_info - What guessing ports costs, all peers together
 * @busy:     a round is under way
 * @sockets:  extra sockets open now
 * @mappings: extra mappings that may live in our NATs now
 * @mappings_max, @probes_per_s: what they are never above
 * @probes:   sent since the start
 * @refused:  times that something had to wait, or was left, for want of room
 */
struct hp_node_guess_info {
	bool busy;
	unsigned int sockets;
	unsigned int mappings;
	unsigned int mappings_max;
	unsigned int probes_per_s;
	uint64_t probes;
	uint64_t refused;
};

/* What hp_node_set_mapped() said, and what became of it. */
struct hp_node_mapped {
	struct hp_addr addr;
	enum hp_mapped_verdict verdict;
};

void hp_node_mapped_get(const struct hp_node *n, struct hp_node_mapped *out);

void hp_node_guess_get(const struct hp_node *n, uint64_t now_ns,
		       struct hp_node_guess_info *out);
/* enum hp_method, those that may be used. */
uint32_t hp_node_methods(const struct hp_node *n);
/* How our NAT behaves, as far as it showed: struct hp_nat_facts, IPv4. */
void hp_node_nat_get(const struct hp_node *n, struct hp_nat_facts *out);

/**
 * struct hp_node_calls_info - What came about without a server
 * @lans:    that beacons go to and are heard on
 * @met:     introductions of ours
 * @carried: calls that were passed on for other members
 */
struct hp_node_calls_info {
	size_t lans;
	uint64_t met;
	uint64_t carried;
};

void hp_node_calls_get(const struct hp_node *n, struct hp_node_calls_info *out);

unsigned int hp_node_server_count(const struct hp_node *n);
void hp_node_server_get(const struct hp_node *n, unsigned int i,
			struct hp_node_server_info *out);
size_t hp_node_peer_count(const struct hp_node *n);
/* @i in [0, count); the order is by name. Strings live until the next call
 * into the node.
 */
void hp_node_peer_get(const struct hp_node *n, size_t i, uint64_t now_ns,
		      struct hp_node_peer_info *out);
/* HP_ERR_UNKNOWN: nobody of that name was met or asked for. */
enum hp_err hp_node_peer_find(const struct hp_node *n, const char *name,
			      uint64_t now_ns, struct hp_node_peer_info *out)
	HP_MUST_CHECK;
/* Our overlay address as a peer sees it as a source. */
struct hp_addr hp_node_addr4(const struct hp_node *n);
struct hp_addr hp_node_addr6(const struct hp_node *n);

#endif
