/* SPDX-License-Identifier: ISC */
/*
 * A session: the two keys that a handshake agreed on, the counter of the
 * packets sent and the window of the packets received. Made and destroyed by
 * the control thread; used by any number of data threads at once through the
 * FIB. Knows the header of data messages, not what is inside them.
 *
 * Sealing and opening are in two halves around one call of the cipher engine,
 * so that packets of many sessions go through it together.
 */
#ifndef HP_WG_SESSION_H
#define HP_WG_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"
#include "base/retire.h"
#include "wg/aead.h"
#include "wg/replay.h"

struct hp_fib_peer;
struct hp_pkt;

/* What a handshake gives; wipe it after use. */
struct hp_session_keys {
	enum hp_suite suite;
	struct hp_secret send;
	struct hp_secret recv;
};

struct hp_session {
	struct hp_retired retired;
	_Atomic(struct hp_session *) chain;	/* same bucket of the FIB */
	struct hp_fib_peer *peer;
	struct hp_aead_key send;
	struct hp_aead_key recv;
	uint64_t birth_ns;
	uint32_t local;			/* index that the peer addresses */
	uint32_t remote;		/* index that we address */
	bool initiator;			/* we began the handshake */
	atomic_bool confirmed;		/* the peer is known to have the keys */
	atomic_bool rekey_asked;	/* HP_NOTICE_REKEY has been given */
	atomic_flag marking;		/* a thread is marking in @replay */
	_Atomic uint64_t counter;	/* of the next packet sent */
	struct hp_replay replay;
};

/* NULL without memory, or when @aead lacks the suite of @keys. */
struct hp_session *hp_session_new(const struct hp_aead *aead,
				  struct hp_fib_peer *peer,
				  const struct hp_session_keys *keys,
				  uint32_t local, uint32_t remote,
				  bool initiator, uint64_t now_ns);
/* Wipes the keys. Only for a session that no data thread can see. */
void hp_session_free(struct hp_session *s);

/* May packets be sent on it, by age and by count? */
bool hp_session_usable(const struct hp_session *s, uint64_t now_ns);
/* Is it time for the next handshake, for a packet that was just sent (@sent)
 * or received? True once in the life of a session.
 */
bool hp_session_wants_rekey(struct hp_session *s, bool sent, uint64_t now_ns);

/**
 * hp_session_seal() - Take a counter, pad, write the header, fill @op
 * @p:   inner packet, may be empty; 16 B headroom, and tailroom for @pad and
 *       the tag. Becomes the message; its text is sealed once the engine has
 *       run @op.
 * @pad: zero bytes to put behind the packet
 *
 * Return: HP_OK; HP_ERR_FULL without room; HP_ERR_KEY when the session is too
 *         old or has sent too much. On error nothing has changed.
 * Source: WireGuard paper 5.4.6
 */
enum hp_err hp_session_seal(struct hp_session *s, struct hp_pkt *p,
			    uint32_t pad, uint64_t now_ns,
			    struct hp_aead_op *op) HP_MUST_CHECK;
/**
 * hp_session_open() - Check header and age of a data message, fill @op
 * @p: the message, at least HP_WG_DATA_MIN bytes; not changed
 *
 * Return: HP_OK; HP_ERR_KEY when the session is too old; HP_ERR_REPLAY.
 */
enum hp_err hp_session_open(const struct hp_session *s, const struct hp_pkt *p,
			    uint64_t now_ns, struct hp_aead_op *op)
	HP_MUST_CHECK;
/**
 * hp_session_opened() - Commit a message that the engine has run
 * @p: the message; becomes the inner packet with its padding
 *
 * Return: HP_OK; HP_ERR_AUTH; HP_ERR_REPLAY (a copy was in the same batch, or
 *         another thread had one).
 */
enum hp_err hp_session_opened(struct hp_session *s, struct hp_pkt *p,
			      const struct hp_aead_op *op) HP_MUST_CHECK;

#endif
