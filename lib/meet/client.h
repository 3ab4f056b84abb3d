/* SPDX-License-Identifier: ISC */
/*
 * A node's side of one rendezvous server: registers, stays registered, asks
 * for introductions and lists, learns how the outside sees the node. One
 * client per server; several are normal. No socket, no clock: datagrams and
 * now_ns in, datagrams and events out.
 *
 * The owner calls hp_meet_rx() with what arrives, hp_meet_tick() when
 * hp_meet_deadline() has come. Events are given during these and all other
 * calls that take now_ns; within one, any function but hp_meet_free() may be
 * called. Pointers in an event live until its callback returns.
 */
#ifndef HP_MEET_CLIENT_H
#define HP_MEET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/key.h"
#include "base/rng.h"
#include "meet/wire.h"

struct hp_meet_client;

/* Most introductions that one client asks for at a time. */
#define HP_MEET_CONNECTS_MAX 1024
/* Most members of a network that a client lists. */
#define HP_MEET_MEMBERS_MAX 4096

enum hp_meet_event_kind {
	/* A session stands, the first or a new one. @seen, @server, @rtt_ns,
	 * @relay. Channels of an earlier session may be gone: connect again
	 * where one is in use.
	 */
	HP_MEET_EV_REGISTERED,
	/* A reflexive address, when new or changed: @seen as @server sees it;
	 * @port: 0 first port of the server, 1 second (same IP, port + 1). Two
	 * different @seen of one family: the NAT maps by destination. @seen
	 * none: the one known for @server is no longer confirmed.
	 */
	HP_MEET_EV_SEEN,
	/* No answer for 3 s: once, until HP_MEET_EV_REGISTERED. The client goes
	 * on trying. @first: there never was one (a firewall may be closed).
	 */
	HP_MEET_EV_LOST,
	/* The server takes no registration: @reason. Tried again later. */
	HP_MEET_EV_REFUSED,
	/* Meet @slot: @seen is where the server hears the peer, @channel with
	 * @server the relay (0: none), @blob the peer's registered record
	 * (@answer: to our hp_meet_connect()) or its offer (it called us).
	 */
	HP_MEET_EV_INTRO,
	/* @slot has our offer, @rtt_ns after it was sent: the round trip of
	 * both legs. Not given when the offer had to be repeated.
	 */
	HP_MEET_EV_DELIVERED,
	/* hp_meet_connect() to @slot came to nothing: @reason. */
	HP_MEET_EV_FAILED,
	/* All slots of the network but our own: @slots, @n_slots. */
	HP_MEET_EV_MEMBERS,
	/* The relay does not know @channel, or not our address: a hint, not
	 * authenticated. The client has sent a keepalive already; connect
	 * again (paced) when the channel is in use.
	 */
	HP_MEET_EV_NO_CHANNEL,
};

/* See enum hp_meet_event_kind for which fields an event fills; the others are
 * zero.
 */
struct hp_meet_event {
	enum hp_meet_event_kind kind;
	enum hp_meet_reason reason;
	struct hp_addr server;	/* the address of the server in question */
	struct hp_addr seen;
	unsigned int port;
	uint64_t rtt_ns;
	uint32_t channel;
	bool relay;
	bool first;
	bool answer;
	uint8_t slot[HP_MEET_SLOT_LEN];
	uint8_t connect_id[HP_MEET_ID_LEN];
	const uint8_t *blob;
	size_t blob_len;
	const uint8_t (*slots)[HP_MEET_SLOT_LEN];
	size_t n_slots;
};

/**
 * struct hp_meet_ops - What the client asks of its owner
 * @send:  put @buf (borrowed) on the wire, from the node's main socket of the
 *         family of @dst
 * @event: see enum hp_meet_event_kind; @ev is borrowed
 */
struct hp_meet_ops {
	void (*send)(void *ctx, const struct hp_addr *dst, const uint8_t *buf,
		     size_t len);
	void (*event)(void *ctx, const struct hp_meet_event *ev);
};

/**
 * struct hp_meet_config - What a client is made of; copied
 * @server: the server's IPv4 [0] and IPv6 [1] address, either may be none;
 *          the port is the first one. With both, the first to answer is used;
 *          IPv6 is asked 50 ms ahead of IPv4
 * @seed:   Ed25519 seed of the key under which the network registers
 * @slot:   our own slot
 * @rng:    borrowed for the client's life
 * @ops:    borrowed for the client's life
 * @ctx:    handed to @ops
 */
struct hp_meet_config {
	struct hp_addr server[2];
	struct hp_secret seed;
	uint8_t slot[HP_MEET_SLOT_LEN];
	const struct hp_rng *rng;
	const struct hp_meet_ops *ops;
	void *ctx;
};

enum hp_meet_state {
	HP_MEET_IDLE,		/* no record yet, no server address, or bye */
	HP_MEET_HELLO_SENT,	/* waiting for a challenge */
	HP_MEET_REGISTER_SENT,	/* waiting for the session */
	HP_MEET_UP,		/* registered */
	HP_MEET_WAITING,	/* to try again: refused, or session unknown */
};

/**
 * struct hp_meet_info - For status
 * @server:    the address that is used now or was last; none before the first
 *             answer
 * @seen:      reflexive addresses by family (0: IPv4) and the server's port
 * @rtt_ns:    last round trip measured, 0: none
 * @heard_ns:  last authenticated or cookie-bearing answer, 0: none
 * @next_ns:   next attempt while not registered, else next keepalive
 * @refused:   0, or why the last registration was refused
 * @heard:     answers so far that only the server could give
 * @lost:      HP_MEET_EV_LOST stands
 * @settled:   the session is where we speak from, as far as is known
 * @relay:     the server relays
 * @dropped:   datagrams from the server that were not acceptable
 */
struct hp_meet_info {
	enum hp_meet_state state;
	struct hp_addr server;
	struct hp_addr seen[2][2];
	uint64_t rtt_ns;
	uint64_t heard_ns;
	uint64_t next_ns;
	enum hp_meet_reason refused;
	uint64_t heard;
	bool lost;
	bool settled;
	bool relay;
	uint64_t dropped;
};

/* NULL: out of memory. The client is idle until hp_meet_set_record(). */
struct hp_meet_client *hp_meet_new(const struct hp_meet_config *cfg);
/* Wipes and frees; says no goodbye. NULL is fine. */
void hp_meet_free(struct hp_meet_client *c);

/**
 * hp_meet_set_record() - What peers get who ask for us
 * @record: copied
 *
 * The first call starts registering; a later one with other bytes tells the
 * server. After hp_meet_bye() it registers again.
 *
 * Return: HP_OK; HP_ERR_SHORT when empty; HP_ERR_FULL beyond
 *         HP_MEET_RECORD_MAX.
 */
enum hp_err hp_meet_set_record(struct hp_meet_client *c, const uint8_t *record,
			       size_t len, uint64_t now_ns) HP_MUST_CHECK;

/* Our NAT forgets what is silent for longer than @ns: more than that, or 25 s, is
 * never between two keepalives.
 */
void hp_meet_set_keepalive(struct hp_meet_client *c, uint64_t ns,
			   uint64_t now_ns);

/* The server's addresses after resolving its name again; starts anew when the
 * one in use is no longer among them.
 */
void hp_meet_set_addrs(struct hp_meet_client *c, const struct hp_addr server[2],
		       uint64_t now_ns);

/**
 * hp_meet_connect() - Ask for an introduction to @slot
 * @offer: sealed for the peer; copied
 *
 * Repeated until the peer has it, at most 32 times; waits
 * while there is no session. Replaces an unfinished connect to the same slot.
 * Ends in one HP_MEET_EV_INTRO with @answer, or one HP_MEET_EV_FAILED.
 *
 * Return: HP_OK; HP_ERR_FULL (offer too long, or too many connects);
 *         HP_ERR_NOMEM.
 */
enum hp_err hp_meet_connect(struct hp_meet_client *c,
			    const uint8_t slot[HP_MEET_SLOT_LEN],
			    const uint8_t *offer, size_t len, uint64_t now_ns)
	HP_MUST_CHECK;
/* Stop asking for @slot; no event. */
void hp_meet_connect_cancel(struct hp_meet_client *c,
			    const uint8_t slot[HP_MEET_SLOT_LEN]);

/* Ask who is registered now, and again whenever that has changed (learned with
 * the keepalives) for as long as the client lives: HP_MEET_EV_MEMBERS.
 */
void hp_meet_list(struct hp_meet_client *c, uint64_t now_ns);

/* Ends the session at the server; idle from then on. */
void hp_meet_bye(struct hp_meet_client *c, uint64_t now_ns);

/* An address or route of this host changed, or it woke from sleep: refresh the
 * session and the reflexive addresses at once.
 */
void hp_meet_network_changed(struct hp_meet_client *c, uint64_t now_ns);

/* Sends a keepalive to each of the server's addresses beside those that are
 * planned, to find out whether one is answered: that is the address in use then.
 * Nothing is concluded when none is.
 */
void hp_meet_try(struct hp_meet_client *c, uint64_t now_ns);

/* Is our address still the one that the server knows? Asks at once, but not
 * again within a second.
 */
void hp_meet_refresh(struct hp_meet_client *c, uint64_t now_ns);

/**
 * hp_meet_rx() - A datagram arrived that may be the server's
 * @from: its source
 * @buf:  borrowed
 *
 * Return: HP_OK: it was ours and is dealt with. HP_ERR_TYPE: not ours, nothing
 *         was looked at; give it to the next client. Otherwise it claims to be
 *         ours, is not acceptable and was counted.
 */
enum hp_err hp_meet_rx(struct hp_meet_client *c, const struct hp_addr *from,
		       const uint8_t *buf, size_t len, uint64_t now_ns)
	HP_MUST_CHECK;
void hp_meet_tick(struct hp_meet_client *c, uint64_t now_ns);
/* When hp_meet_tick() is due; HP_NEVER: not before something else happens. */
uint64_t hp_meet_deadline(const struct hp_meet_client *c);

void hp_meet_info(const struct hp_meet_client *c, struct hp_meet_info *out);
/* A short phrase, e.g. "this network is not allowed here". */
const char *hp_meet_reason_name(enum hp_meet_reason reason);

#endif
