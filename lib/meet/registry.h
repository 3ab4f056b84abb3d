/* SPDX-License-Identifier: ISC */
/*
 * The rendezvous server without its sockets: who is registered, introductions,
 * lists, and (through meet/relay.h) channels; STUN on the side. Datagrams and
 * now_ns in, datagrams out; everything is in memory and bounded. One thread;
 * others may forward relayed datagrams meanwhile, see hp_registry_relay().
 *
 * Nothing is stored for an address that has not echoed a cookie, and no answer
 * is longer than what it answers, but STUN's, which RFC 8489 makes up to
 * HP_STUN_REPLY_MAX bytes long.
 */
#ifndef HP_MEET_REGISTRY_H
#define HP_MEET_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"
#include "base/path.h"
#include "base/rng.h"
#include "meet/limit.h"
#include "meet/relay.h"

struct hp_registry;

/* A cookie is good for so long; shorter than the lifetime of a session, so
 * that no registration can be replayed once its session has expired.
 */
#define HP_MEET_COOKIE_LIFE_NS (UINT64_C(60) * 1000000000)
/* A session ends after so long without a word: three keepalives. */
#define HP_MEET_LIFETIME_S 90

/* Why a datagram was dropped. */
enum hp_registry_drop {
	HP_RG_NOT_OURS,	   /* not a rendezvous, relay or STUN message */
	HP_RG_MALFORMED,   /* a length, field or fingerprint is wrong */
	HP_RG_TO_CLIENT,   /* a message that only a server sends */
	HP_RG_SOURCE,	   /* the source has used up its share */
	HP_RG_COOKIE,	   /* registration without a good cookie: challenged */
	HP_RG_REPLAY,	   /* registration or counter seen before, or older */
	HP_RG_NETWORK,	   /* the network is not on the allow list */
	HP_RG_FULL,	   /* as many nodes as the server or network takes */
	HP_RG_CROWD,	   /* as many nodes as may register from one source */
	HP_RG_BUSY,	   /* too many requests of a network or session */
	HP_RG_SIGNATURE,   /* a registration's does not verify */
	HP_RG_MAC,	   /* a session message's does not verify */
	HP_RG_KEY,	   /* ephemeral key of low order */
	HP_RG_NO_SESSION,  /* no such session (any more) */
	HP_RG_MOVED,	   /* right MAC, but the new address is not proven */
	HP_RG_NO_SLOT,	   /* connect to a slot that is not registered */
	HP_RG_CHANNEL,	   /* no such channel, or not from its ends */
	HP_RG_RELAY_RATE,  /* over the channel's rate */
	HP_RG_NO_MEMORY,
	HP_RG_N_DROPS,
};

/**
 * struct hp_registry_stats
 * @rx, @tx:      datagrams in and out, relayed ones included
 * @challenges, @registrations, @introductions, @stun: answered
 * @moves:        sessions that went on from another address
 * @expired:      sessions that ended without goodbye
 * @nodes, @networks: now
 * @relay:        see struct hp_relay_stats; forwarded by hp_registry_rx()
 */
struct hp_registry_stats {
	uint64_t rx;
	uint64_t tx;
	uint64_t challenges;
	uint64_t registrations;
	uint64_t introductions;
	uint64_t stun;
	uint64_t moves;
	uint64_t expired;
	size_t nodes;
	size_t networks;
	struct hp_relay_stats relay;
	uint64_t drop[HP_RG_N_DROPS];
};

struct hp_registry_ops {
	/* Put @buf on the wire from local socket @to->sock and address
	 * @to->local. @buf lies within the datagram that hp_registry_rx() is
	 * just handling (a relayed one), or lives until the call returns.
	 */
	void (*send)(void *ctx, const struct hp_path *to, const uint8_t *buf,
		     size_t len);
	/* Waits for the threads that forward by hp_registry_relay(), see
	 * struct hp_relay_config; NULL: there are none.
	 */
	void (*wait)(void *ctx);
};

/**
 * struct hp_registry_config - See hp_registry_defaults()
 * @rng, @ops, @ctx: borrowed for the registry's life
 * @relay:       serve relay channels
 * @relay_rate:  bytes per second and channel, 0: no limit
 * @max_nodes:   nodes in all
 * @max_network: nodes of one network
 * @max_source:  nodes that registered from one source (see meet/limit.h),
 *               counted there until they end or register from elsewhere
 * @sources:     addresses whose rates are remembered
 * @strangers:   per source: answers to who has shown no session
 * @registers:   per source: registrations, each a signature to check
 * @network_registers: per network: the same
 * @requests:    per session: connects and lists; and, apart from these,
 *               introductions to it
 */
struct hp_registry_config {
	const struct hp_rng *rng;
	const struct hp_registry_ops *ops;
	void *ctx;
	bool relay;
	uint32_t relay_rate;
	size_t max_nodes;
	size_t max_network;
	size_t max_source;
	size_t sources;
	struct hp_rate strangers;
	struct hp_rate registers;
	struct hp_rate network_registers;
	struct hp_rate requests;
};

/* What suits one processor and 100 MB; the first three fields stay NULL. */
struct hp_registry_config hp_registry_defaults(void);

/* NULL when out of memory. Makes the keys of this boot. */
struct hp_registry *hp_registry_new(const struct hp_registry_config *cfg);
void hp_registry_free(struct hp_registry *r);

/**
 * hp_registry_allow() - Serve these networks only
 * @ids: keys under which networks register, @n of them; copied. NULL: all
 *
 * Sessions of networks that are no longer served end at once.
 *
 * Return: HP_OK; HP_ERR_NOMEM and nothing has changed.
 */
enum hp_err hp_registry_allow(struct hp_registry *r,
			      const struct hp_public *ids, size_t n)
	HP_MUST_CHECK;

/**
 * hp_registry_rx() - A datagram arrived
 * @from: source, and the local address and socket it came to. Sockets come in
 *        pairs: 2k listens on a port, 2k + 1 with the same address on the next
 * @buf:  borrowed
 */
void hp_registry_rx(struct hp_registry *r, const struct hp_path *from,
		    const uint8_t *buf, size_t len, uint64_t now_ns);
void hp_registry_tick(struct hp_registry *r, uint64_t now_ns);
uint64_t hp_registry_deadline(const struct hp_registry *r);

/* The channels, for hp_relay_forward() in any thread; lives as long as @r. What
 * that refuses belongs into hp_registry_rx(), which answers.
 */
struct hp_relay *hp_registry_relay(struct hp_registry *r);

void hp_registry_stats(const struct hp_registry *r,
		       struct hp_registry_stats *out);
/* A short phrase for a reason. */
const char *hp_registry_drop_name(enum hp_registry_drop why);

#endif
