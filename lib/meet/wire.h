/* SPDX-License-Identifier: ISC */
/*
 * The rendezvous protocol's messages, byte for byte, and the few computations
 * that both ends must do alike. lib/PROTOCOL.md tells how they are used.
 *
 * All integers are big endian. A field named zero is sent as zero and must be
 * zero. Messages of a session end in a 16-byte MAC over all that precedes it,
 * under the key of its direction.
 */
#ifndef HP_MEET_WIRE_H
#define HP_MEET_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "base/err.h"
#include "base/key.h"

#define HP_MEET_PORT 8888
#define HP_MEET_SLOT_LEN 16
#define HP_MEET_ID_LEN 8
#define HP_MEET_MAC_LEN 16
/* Longest record that may be registered, and longest offer. */
#define HP_MEET_RECORD_MAX 600
#define HP_MEET_OFFER_MAX 832
/* Slots in one page of a list. */
#define HP_MEET_PAGE 32
/* No message is longer: fits IPv6's least MTU of 1280. */
#define HP_MEET_MAX 1232

enum hp_meet_kind {
	HP_MEET_HELLO = 0x01,	   /* to the server: asks for a cookie */
	HP_MEET_CHALLENGE = 0x02,  /* to the client: cookie, ephemeral key */
	HP_MEET_REGISTER = 0x03,   /* to the server: signed by the network */
	HP_MEET_REGISTERED = 0x04, /* to the client: session */
	HP_MEET_REFUSED = 0x05,	   /* to the client: not registered, why */
	HP_MEET_KEEPALIVE = 0x06,  /* to the server: here I am; new record */
	HP_MEET_ALIVE = 0x07,	   /* to the client: how you are seen */
	HP_MEET_CONNECT = 0x08,	   /* to the server: introduce me to a slot */
	HP_MEET_INTRO = 0x09,	   /* to both clients: the other one */
	HP_MEET_INTRO_ACK = 0x0a,  /* to the server: introduction arrived */
	HP_MEET_DELIVERED = 0x0b,  /* to the client: the other one has it */
	HP_MEET_FAILED = 0x0c,	   /* to the client: no introduction, why */
	HP_MEET_LIST = 0x0d,	   /* to the server: who is registered? */
	HP_MEET_MEMBERS = 0x0e,	   /* to the client: one page of slots */
	HP_MEET_BYE = 0x0f,	   /* to the server: end of the session */
	HP_MEET_UNKNOWN = 0x10,	   /* to the client: no such session */
	HP_MEET_NO_CHANNEL = 0x11, /* to the client: no such relay channel */
};

/* Why a registration was refused, or an introduction failed. On the wire. */
enum hp_meet_reason {
	HP_MEET_NOT_ALLOWED = 1,  /* the server does not serve this network */
	HP_MEET_FULL = 2,	  /* the server takes no more, or none from here */
	HP_MEET_NETWORK_FULL = 3, /* the network has as many as it may have */
	HP_MEET_LIMIT = 4,	  /* too many in too short a time */
	HP_MEET_OFFLINE = 5,	  /* nobody is registered under the slot */
	HP_MEET_TIMEOUT = 6,	  /* no answer from the server; never sent */
};

/* An address, family (4 or 6; 0: none, all else zero), port, IP. There is none
 * for one who is heard over a stream.
 */
struct hp_meet_addr {
	uint8_t family;
	uint8_t zero;
	uint8_t port[2];
	uint8_t ip[16];		/* IPv4: the first four, the rest zero */
};
_Static_assert(sizeof(struct hp_meet_addr) == 20, "wire size");

/* Proves that its bearer receives at an address. Opaque to the client. */
struct hp_meet_cookie {
	uint8_t stamp[8];	/* the server's clock when it was made */
	uint8_t mac[16];	/* of stamp and address, under a key per boot */
};
_Static_assert(sizeof(struct hp_meet_cookie) == 24, "wire size");

struct hp_meet_hello {
	uint8_t head[4];
	uint8_t echo[8];	/* random; comes back in the answer */
	uint8_t zero[76];	/* the answer is as long as the question */
};
_Static_assert(sizeof(struct hp_meet_hello) == 88, "wire size");

struct hp_meet_challenge {
	uint8_t head[4];
	uint8_t echo[8];
	struct hp_meet_cookie cookie;
	uint8_t ephemeral[32];	/* X25519, the server's, one per boot */
	struct hp_meet_addr seen;
};
_Static_assert(sizeof(struct hp_meet_challenge) == 88, "wire size");

struct hp_meet_register {
	uint8_t head[4];
	uint8_t echo[8];
	struct hp_meet_cookie cookie;
	uint8_t network[32];	/* Ed25519, under which the network registers */
	uint8_t slot[16];
	uint8_t ephemeral[32];	/* X25519, the client's, fresh */
	uint8_t record_len[2];
};				/* record, Ed25519 signature follow */
_Static_assert(sizeof(struct hp_meet_register) == 118, "wire size");

struct hp_meet_registered {
	uint8_t head[4];
	uint8_t echo[8];
	uint8_t session[8];
	uint8_t counter[8];	/* the server's */
	struct hp_meet_addr seen;
	uint8_t path[8];	/* cookie of this address for this session */
	uint8_t generation[4];	/* changes when the network's slots change */
	uint8_t lifetime_s[2];	/* without a word from the client */
	uint8_t relay;		/* 1: the server relays, 0: it does not */
	uint8_t zero;
	uint8_t mac[16];
};
_Static_assert(sizeof(struct hp_meet_registered) == 80, "wire size");

struct hp_meet_refused {
	uint8_t head[4];
	uint8_t echo[8];
	uint8_t reason;		/* enum hp_meet_reason */
	uint8_t zero[3];
};
_Static_assert(sizeof(struct hp_meet_refused) == 16, "wire size");

/* How every message of a session begins. */
struct hp_meet_session_head {
	uint8_t head[4];
	uint8_t session[8];
	uint8_t counter[8];	/* one sequence per direction, from 1 */
};
_Static_assert(sizeof(struct hp_meet_session_head) == 20, "wire size");

struct hp_meet_keepalive {
	struct hp_meet_session_head h;
	uint8_t path[8];	/* the last cookie got for this session */
	uint8_t record_len[2];	/* 0: the record is as it was */
	uint8_t zero[30];
};				/* record, MAC follow */
_Static_assert(sizeof(struct hp_meet_keepalive) == 60, "wire size");

struct hp_meet_alive {
	struct hp_meet_session_head h;
	uint8_t request[8];	/* counter of what this answers */
	struct hp_meet_addr seen;
	uint8_t path[8];
	uint8_t generation[4];
	uint8_t mac[16];
};
_Static_assert(sizeof(struct hp_meet_alive) == 76, "wire size");

struct hp_meet_connect {
	struct hp_meet_session_head h;
	uint8_t id[8];		/* random, the same in every repetition */
	uint8_t slot[16];	/* whom to meet */
	uint8_t offer_len[2];
};				/* offer, zeros up to the length due, MAC */
_Static_assert(sizeof(struct hp_meet_connect) == 46, "wire size");

struct hp_meet_intro {
	struct hp_meet_session_head h;
	uint8_t id[8];
	uint8_t slot[16];	/* the other one's */
	struct hp_meet_addr seen; /* where the server hears the other one */
	uint8_t channel[4];	/* relay channel of the pair, 0: none */
	uint8_t answer;		/* 1: answers our connect, 0: we were called */
	uint8_t zero;
	uint8_t blob_len[2];
};				/* record (answer) or offer, MAC follow */
_Static_assert(sizeof(struct hp_meet_intro) == 72, "wire size");

/* A connect is as long as the longest introduction it can bring about. */
#define HP_MEET_INTRO_LEN(blob_len) \
	(sizeof(struct hp_meet_intro) + (blob_len) + HP_MEET_MAC_LEN)
#define HP_MEET_CONNECT_LEN(offer_len)                             \
	HP_MEET_INTRO_LEN((offer_len) > HP_MEET_RECORD_MAX ?       \
				  (offer_len) : HP_MEET_RECORD_MAX)

struct hp_meet_intro_ack {
	struct hp_meet_session_head h;
	uint8_t id[8];
	uint8_t slot[16];	/* whose connect it was */
	uint8_t mac[16];
};
_Static_assert(sizeof(struct hp_meet_intro_ack) == 60, "wire size");

struct hp_meet_delivered {
	struct hp_meet_session_head h;
	uint8_t id[8];
	uint8_t slot[16];	/* who has the introduction */
	uint8_t mac[16];
};
_Static_assert(sizeof(struct hp_meet_delivered) == 60, "wire size");

struct hp_meet_failed {
	struct hp_meet_session_head h;
	uint8_t id[8];
	uint8_t slot[16];
	uint8_t reason;		/* enum hp_meet_reason */
	uint8_t zero[3];
	uint8_t mac[16];
};
_Static_assert(sizeof(struct hp_meet_failed) == 64, "wire size");

struct hp_meet_members {
	struct hp_meet_session_head h;
	uint8_t request[8];	/* counter of the list that this answers */
	uint8_t generation[4];
	uint8_t total[4];	/* slots in the network */
	uint8_t start[4];	/* number of the first slot here */
	uint8_t n[2];		/* slots here, at most HP_MEET_PAGE */
	uint8_t zero[2];
};				/* n slots, MAC follow */
_Static_assert(sizeof(struct hp_meet_members) == 44, "wire size");

#define HP_MEET_MEMBERS_LEN(n)                                     \
	(sizeof(struct hp_meet_members) + (n) * HP_MEET_SLOT_LEN + \
	 HP_MEET_MAC_LEN)

struct hp_meet_list {
	struct hp_meet_session_head h;
	uint8_t start[4];	/* number of the first slot wanted */
	uint8_t zero[HP_MEET_MEMBERS_LEN(HP_MEET_PAGE) - 40];
	uint8_t mac[16];
};
_Static_assert(sizeof(struct hp_meet_list) == 572, "wire size");

struct hp_meet_bye {
	struct hp_meet_session_head h;
	uint8_t mac[16];
};
_Static_assert(sizeof(struct hp_meet_bye) == 36, "wire size");

/* Not authenticated: a hint to register anew, worth nothing more. */
struct hp_meet_unknown {
	struct hp_meet_session_head h; /* session and counter of the request */
};

/* Not authenticated: a hint to send a keepalive. */
struct hp_meet_no_channel {
	uint8_t head[4];
	uint8_t channel[4];
};
_Static_assert(sizeof(struct hp_meet_no_channel) == 8, "wire size");

/**
 * struct hp_meet_keys - The keys of a session
 * @to_server: MACs of what the client sends
 * @to_client: MACs of what the server sends
 */
struct hp_meet_keys {
	struct hp_secret to_server;
	struct hp_secret to_client;
};

/**
 * struct hp_meet_window - Which counters of the other side were seen
 * @top:  highest counter accepted
 * @seen: bit i: @top - i was accepted
 */
struct hp_meet_window {
	uint64_t top;
	uint64_t seen;
};

void hp_meet_addr_put(struct hp_meet_addr *out, const struct hp_addr *a);
/* HP_OK; HP_ERR_FORMAT on what hp_meet_addr_put() does not write. */
enum hp_err hp_meet_addr_get(const struct hp_meet_addr *in,
			     struct hp_addr *out) HP_MUST_CHECK;

/**
 * hp_meet_check() - Is this a well-formed message of its kind?
 * @msg: a datagram
 * @len: its length
 *
 * Checks magic, version, kind, the exact length, the zero fields and the
 * ranges of all fields; no MAC, signature, cookie or counter. What passes may
 * be read through the struct of its kind.
 *
 * Return: HP_OK; HP_ERR_TYPE when it is no rendezvous message; HP_ERR_SHORT;
 *         HP_ERR_FORMAT.
 */
enum hp_err hp_meet_check(const uint8_t *msg, size_t len) HP_MUST_CHECK;

/* Begins a message of a session. */
void hp_meet_session_head_put(struct hp_meet_session_head *h,
			      enum hp_meet_kind kind, const uint8_t session[8],
			      uint64_t counter);
/* Writes the last 16 of @len bytes: the MAC of all before. */
void hp_meet_mac_put(const struct hp_secret *key, uint8_t *msg, size_t len);
/* HP_OK; HP_ERR_SHORT; HP_ERR_AUTH. */
enum hp_err hp_meet_mac_check(const struct hp_secret *key, const uint8_t *msg,
			      size_t len) HP_MUST_CHECK;

/* HP_OK and @counter counts as seen; HP_ERR_REPLAY when it was, is 0 or lies
 * 64 or more below the highest. Only after the MAC was checked.
 */
enum hp_err hp_meet_window_accept(struct hp_meet_window *w, uint64_t counter)
	HP_MUST_CHECK;

/**
 * hp_meet_register_sign() - Complete a registration
 * @msg:     struct hp_meet_register and record, then room for a signature
 * @len:     length with the signature
 * @seed:    the network's Ed25519 seed (borrowed)
 * @server:  the server's ephemeral key, which is signed but not sent
 */
void hp_meet_register_sign(uint8_t *msg, size_t len,
			   const struct hp_secret *seed,
			   const struct hp_public *server);
/* HP_OK; HP_ERR_AUTH. @msg passed hp_meet_check(). */
enum hp_err hp_meet_register_verify(const uint8_t *msg, size_t len,
				    const struct hp_public *server)
	HP_MUST_CHECK;

/**
 * hp_meet_keys_derive() - The session's keys, on either side
 * @own:    own ephemeral secret
 * @other:  the other side's ephemeral key
 * @server: the server's ephemeral key
 * @msg:    the whole registration, signature included, of @len bytes
 *
 * Return: HP_OK; HP_ERR_KEY when @other is of low order.
 */
enum hp_err hp_meet_keys_derive(const struct hp_secret *own,
				const struct hp_public *other,
				const struct hp_public *server,
				const uint8_t *msg, size_t len,
				struct hp_meet_keys *out) HP_MUST_CHECK;

#endif
