/* SPDX-License-Identifier: ISC */
/*
 * A WireGuard interface and its peers: the whole protocol without socket,
 * clock or device. Everything here belongs to the control thread. Data threads
 * use wg/forward.h on hp_wg_fib() and tell what they saw by hp_wg_notice(); a
 * program without data threads passes all its packets through hp_wg_tx() and
 * hp_wg_rx(), which do the same work.
 *
 * Calls from within ops: everything is allowed but hp_wg_free(),
 * hp_wg_peer_remove() and hp_wg_set_private().
 */
#ifndef HP_WG_DEVICE_H
#define HP_WG_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/key.h"
#include "base/path.h"
#include "base/rng.h"
#include "wg/aead.h"

struct hp_fib;
struct hp_notice;
struct hp_pkt;
struct hp_route;
struct hp_wg;
struct hp_wg_peer;

enum hp_wg_event {
	HP_WG_SESSION_UP,	/* a handshake is complete, both ways */
	HP_WG_HANDSHAKE_SENT,	/* an initiation was sent, or made */
	HP_WG_HANDSHAKE_FAILED,	/* no answer for 90 s; stays quiet until asked */
	HP_WG_WANTED,		/* a handshake is wanted, but there is no path;
				 * again every 5 s for as long as it is */
	HP_WG_ROAMED,		/* the path is now another one */
	HP_WG_KEYS_GONE,	/* no session for 540 s: all keys wiped */
};

struct hp_wg_ops {
	/* Put @pkt, a WireGuard message, on the wire over @path; room for a
	 * relay header is in front, none has been pushed. @peer is NULL for a
	 * cookie reply. @pkt and @path are borrowed for the call; @path may
	 * differ from the peer's own (the answer to an initiation goes where
	 * that came from).
	 */
	void (*send)(void *ctx, struct hp_wg_peer *peer,
		     const struct hp_path *path, struct hp_pkt *pkt);
	/* An inner packet of @peer, its source checked (from hp_wg_rx()). */
	void (*deliver)(void *ctx, struct hp_wg_peer *peer,
			struct hp_pkt *inner);
	void (*event)(void *ctx, struct hp_wg_peer *peer,
		      enum hp_wg_event event);
	/* TAI64N for an initiation, greater than any given before, also across
	 * restarts.
	 */
	void (*timestamp)(void *ctx, uint8_t out[12]);
};

/**
 * struct hp_wg_cfg - What an interface is made of
 * @ops:        all four are needed (borrowed for its life)
 * @ctx:        handed to @ops
 * @rng:        borrowed for its life
 * @engine:     cipher of hp_wg_rx() and hp_wg_tx()
 * @aes:        understand handshakes of HP_SUITE_AES, if the engine has it:
 *              for networks whose members know it; a peer still takes only
 *              what hp_wg_peer_set_suites() allows
 * @load_per_s: handshake messages in a second above which sources must prove
 *              their address by a cookie; 0: HP_WG_LOAD_PER_S
 */
struct hp_wg_cfg {
	const struct hp_wg_ops *ops;
	void *ctx;
	const struct hp_rng *rng;
	enum hp_aead_engine engine;
	bool aes;
	uint32_t load_per_s;
};

#define HP_WG_LOAD_PER_S 200

/* NULL without memory, or when the machine lacks the engine asked for. */
struct hp_wg *hp_wg_new(const struct hp_wg_cfg *cfg);
/* Wipes all keys. No data thread may be left. NULL is fine. */
void hp_wg_free(struct hp_wg *wg);
/* What data threads read; lives as long as @wg. */
struct hp_fib *hp_wg_fib(struct hp_wg *wg);

/**
 * hp_wg_set_private() - Give the interface its key
 * @key: copied and clamped; NULL or zero: none, no handshake succeeds
 *
 * All sessions and handshakes end. A peer that has this very key is removed
 * (without an event).
 */
void hp_wg_set_private(struct hp_wg *wg, const struct hp_secret *key);
/* Does it understand handshakes of @suite? */
bool hp_wg_has(const struct hp_wg *wg, enum hp_suite suite);
/* Which library seals and opens. */
enum hp_aead_engine hp_wg_engine(const struct hp_wg *wg);
/* NULL when there is none. */
const struct hp_secret *hp_wg_private(const struct hp_wg *wg);
/* Inner MTU: padding does not make a packet longer than this. 0: unknown. */
void hp_wg_set_mtu(struct hp_wg *wg, uint32_t mtu);

/**
 * hp_wg_rx() - Take a WireGuard message of any type
 * @from: where it came from; an answer goes there
 * @pkt:  without relay header; opened in place. Data messages only in a
 *        program without data threads.
 *
 * Return: HP_OK when it was authentic and new (or a fresh keepalive). Else it
 *         was counted and dropped, or, for HP_ERR_AGAIN, answered with a
 *         cookie.
 */
enum hp_err hp_wg_rx(struct hp_wg *wg, const struct hp_path *from,
		     struct hp_pkt *pkt, uint64_t now_ns);
/**
 * hp_wg_tx() - Route an inner packet and send it, now or after a handshake
 * @inner: HP_HEADROOM and HP_TAILROOM around it; sealed in place or copied
 *
 * The last HP_WG_STAGED packets of a peer wait for its session.
 *
 * Return: HP_OK when sent or waiting; HP_ERR_ROUTE; HP_ERR_FORMAT;
 *         HP_ERR_FULL without room; HP_ERR_NOMEM.
 */
enum hp_err hp_wg_tx(struct hp_wg *wg, struct hp_pkt *inner, uint64_t now_ns);
/* What a data thread saw. A peer that is gone is no error. */
void hp_wg_notice(struct hp_wg *wg, const struct hp_notice *n,
		  uint64_t now_ns);
/* Does what is due at @now_ns. */
void hp_wg_tick(struct hp_wg *wg, uint64_t now_ns);
/* When hp_wg_tick() has something to do next; HP_NEVER. Any call above or
 * below may change it.
 */
uint64_t hp_wg_deadline(const struct hp_wg *wg);

/**
 * hp_wg_peer_add() - Add a peer: no path, no prefix, no keepalive, no psk
 *
 * Return: HP_OK, @out (may be NULL) set; HP_ERR_EXISTS, @out set to it;
 *         HP_ERR_DENIED for the interface's own key; HP_ERR_NOMEM.
 */
enum hp_err hp_wg_peer_add(struct hp_wg *wg, const struct hp_public *key,
			   struct hp_wg_peer **out) HP_MUST_CHECK;
/* Frees @peer and wipes its keys. Its id is not used again. */
void hp_wg_peer_remove(struct hp_wg_peer *peer);
struct hp_wg_peer *hp_wg_peer_find(struct hp_wg *wg,
				   const struct hp_public *key);
struct hp_wg_peer *hp_wg_peer_by_id(struct hp_wg *wg, uint32_t id);
/* Iterates in the order of adding: NULL gives the first, the last gives NULL.
 * To remove while iterating, take the next one first.
 */
struct hp_wg_peer *hp_wg_peer_next(struct hp_wg *wg, struct hp_wg_peer *peer);
/* Never 0. */
uint32_t hp_wg_peer_id(const struct hp_wg_peer *peer);
const struct hp_public *hp_wg_peer_public(const struct hp_wg_peer *peer);
void hp_wg_peer_set_user(struct hp_wg_peer *peer, void *user);
void *hp_wg_peer_user(const struct hp_wg_peer *peer);

/* NULL: all zero, that is none. Holds for handshakes from now on. */
void hp_wg_peer_set_psk(struct hp_wg_peer *peer, const struct hp_secret *psk);
/**
 * hp_wg_peer_set_suites() - Say which ciphers are spoken with a peer
 * @use:    of the handshakes that we begin
 * @accept: set of HP_SUITE_BIT(): of those that it begins; must hold @use, or
 *          be empty: no handshake succeeds, either way
 *
 * At first both are ChaCha20-Poly1305 alone, which is WireGuard. Sessions that
 * stand go on. A handshake of ours that waits for its answer goes on, too,
 * unless its suite is no longer accepted: then another one is begun at once.
 */
void hp_wg_peer_set_suites(struct hp_wg_peer *peer, enum hp_suite use,
			   unsigned int accept, uint64_t now_ns);
/* Seconds, 0: off. Switched on, a keepalive goes out at once. */
void hp_wg_peer_set_keepalive(struct hp_wg_peer *peer, uint16_t seconds,
			      uint64_t now_ns);
/* The endpoint; NULL or an unset path clears it. Packets that wait for a path
 * go out. HP_ERR_NOMEM: the old one stays.
 */
enum hp_err hp_wg_peer_set_path(struct hp_wg_peer *peer,
				const struct hp_path *path, uint64_t now_ns)
	HP_MUST_CHECK;
/* While a path without a channel is in doubt: a copy of each data packet takes
 * @also (NULL: none). HP_ERR_NOMEM: it does from the next change on.
 */
enum hp_err hp_wg_peer_set_also(struct hp_wg_peer *peer,
				const struct hp_path *also) HP_MUST_CHECK;
/* How long inner packets may be on the path; 0: whatever the device gives fits,
 * or it is not known. At first 0.
 */
void hp_wg_peer_set_mtu(struct hp_wg_peer *peer, uint32_t mtu);
/* Does the path follow the source of authentic packets? At first: yes. */
void hp_wg_peer_set_roaming(struct hp_wg_peer *peer, bool on);
/* For a peer that is known to do the same: handshake messages that get no
 * answer are sent again as they are, first after @first_ns (a round trip and
 * some), then ever more slowly. 0, as at first: not, as WireGuard has it.
 */
void hp_wg_peer_set_repeat(struct hp_wg_peer *peer, uint64_t first_ns);

/* Gives @prefix to @peer, taking it from the peer that has it. */
enum hp_err hp_wg_peer_allow(struct hp_wg_peer *peer,
			     const struct hp_prefix *prefix) HP_MUST_CHECK;
/* HP_ERR_UNKNOWN when @prefix is not this peer's. */
enum hp_err hp_wg_peer_disallow(struct hp_wg_peer *peer,
				const struct hp_prefix *prefix);
void hp_wg_peer_clear_allowed(struct hp_wg_peer *peer);
/**
 * hp_wg_peer_allowed_next() - Iterate the prefixes of a peer
 * @it: NULL to begin; the place of the iteration. The prefix just given may be
 *      disallowed only after the next one was asked for.
 *
 * Return: true with @out filled; false at the end.
 */
bool hp_wg_peer_allowed_next(const struct hp_wg_peer *peer,
			     const struct hp_route **it,
			     struct hp_prefix *out);

/**
 * struct hp_wg_peer_info - A peer, for people and for the UAPI
 * @psk:          all zero: none
 * @path:         unset: none
 * @keepalive_s:  0: off
 * @roaming:      the path follows the peer
 * @usable:       there is a session to send on, and a path
 * @suite:        of the current session, when there is one
 * @initiator:    we began its handshake
 * @refused_ns:   when an initiation of a suite that is not accepted last came,
 *                0: never
 * @handshaking:  an initiation is waiting for its answer
 * @session_ns:   when the current session was made, 0: there is none
 * @handshake_ns: when the last handshake was completed, 0: never
 * @tx_last_ns:   last message sent, 0: never
 * @rx_last_ns:   last authentic message received, 0: never
 * @tx_data_first_ns: first inner packet sent since something was heard, 0:
 *                none: the answer has been outstanding since then
 * @tx_bytes:     WireGuard messages with their headers
 * @rx_bytes:     authentic ones
 * @staged:       inner packets that wait for a session
 */
struct hp_wg_peer_info {
	struct hp_secret psk;
	struct hp_path path;
	uint16_t keepalive_s;
	bool roaming;
	bool usable;
	enum hp_suite suite;
	bool initiator;
	uint64_t refused_ns;
	bool handshaking;
	uint64_t session_ns;
	uint64_t handshake_ns;
	uint64_t tx_last_ns;
	uint64_t rx_last_ns;
	uint64_t tx_data_first_ns;
	uint64_t tx_bytes;
	uint64_t rx_bytes;
	uint32_t staged;
};

/* Wipe @out->psk after use. */
void hp_wg_peer_info(const struct hp_wg_peer *peer, uint64_t now_ns,
		     struct hp_wg_peer_info *out);

/**
 * hp_wg_initiate() - Begin a handshake now
 *
 * It is repeated until answered, for 90 s.
 *
 * Return: HP_OK; HP_ERR_AGAIN when one was sent in the last 5 s (it goes on);
 *         HP_ERR_ROUTE without a path (HP_WG_WANTED is given, and it goes on
 *         when there is one); HP_ERR_KEY without a private key or when the
 *         peer's key is not usable.
 */
enum hp_err hp_wg_initiate(struct hp_wg_peer *peer, uint64_t now_ns);
/* Begins a handshake in place of one that goes on, and without regard to when
 * the last one was: to change the cipher of a session just made.
 */
void hp_wg_renew(struct hp_wg_peer *peer, uint64_t now_ns);
/* As hp_wg_initiate(), but the message goes to the caller, and no path is needed. @out is
 * filled only for HP_OK.
 */
enum hp_err hp_wg_initiation_make(struct hp_wg_peer *peer, uint64_t now_ns,
				  uint8_t out[148]) HP_MUST_CHECK;
/* Sends an empty data message, or begins a handshake when there is no session
 * (with the results of hp_wg_initiate()).
 */
enum hp_err hp_wg_keepalive(struct hp_wg_peer *peer, uint64_t now_ns);
/* Ends all sessions and the handshake of @peer, without an event. */
void hp_wg_peer_reset(struct hp_wg_peer *peer);

#endif
