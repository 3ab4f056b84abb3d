/* SPDX-License-Identifier: ISC */
/*
 * What the client's files share, and nobody else includes: owner.c is what the
 * owner calls, client.c keeps the session, ask.c the questions within it
 * (introductions, lists), reflexive.c the addresses as the outside sees them.
 */
#ifndef HP_MEET_CLIENT_IMPL_H
#define HP_MEET_CLIENT_IMPL_H

#include "base/heap.h"
#include "base/table.h"
#include "meet/client.h"
#include "meet/stun.h"

/* Calls remembered, so that a repeated introduction is one event. */
#define MC_CALLS 64
/* Waits for an answer double up to this: of what nobody waits for, and of what
 * somebody does while the server is known to be there.
 */
#define MC_SLOW_NS HP_S
#define MC_FAST_NS (500 * HP_MS)
/* Without an answer so long, a server counts as lost. */
#define MC_PATIENCE_NS (3 * HP_S)
/* Tries before the pace of HELLO goes from 1 s to 15 s. */
#define MC_HURRIED 16

/* An unfinished hp_meet_connect(). */
struct mc_connect {
	UT_hash_handle hh;
	uint8_t slot[HP_MEET_SLOT_LEN];
	uint8_t id[HP_MEET_ID_LEN];
	struct hp_timer timer;
	unsigned int tries;
	uint64_t sent_ns;
	unsigned int delivers; /* tries since we were introduced */
	bool introduced; /* we know the peer */
	bool delivered;	 /* the peer knows us */
	uint16_t offer_len;
	uint8_t offer[HP_MEET_OFFER_MAX];
};

/* A STUN query: to one family and port of the server. */
struct mc_query {
	uint8_t tid[HP_STUN_TID_LEN];
	unsigned int tries;
	uint64_t next_ns; /* HP_NEVER: none under way */
};

/* A list being fetched, page by page. */
struct mc_list {
	bool wanted;	      /* by the owner, from hp_meet_list() on */
	uint64_t next_ns;     /* HP_NEVER: none under way */
	unsigned int tries;
	unsigned int restarts;
	uint64_t counter;     /* of the last question */
	uint32_t generation;  /* of the slots below */
	uint32_t n;
	uint32_t cap;
	uint8_t (*slots)[HP_MEET_SLOT_LEN];
};

struct hp_meet_client {
	struct hp_meet_config cfg;
	struct hp_public network;
	enum hp_meet_state state;
	uint8_t record[HP_MEET_RECORD_MAX];
	uint16_t record_len; /* 0: none yet */

	/* Waiting for an answer. */
	unsigned int tries;
	uint64_t next_ns;  /* what the state does next */
	uint64_t since_ns; /* first unanswered question; HP_NEVER: none */
	uint64_t patience_ns;
	uint64_t sent_ns[2]; /* last question, by family */
	bool lost;
	bool ever_heard;

	/* Registering. */
	unsigned int af; /* family in use: 0 IPv4, 1 IPv6 */
	uint8_t echo[8];
	struct hp_meet_keys offered; /* keys of the session to come */
	uint16_t register_len;
	uint8_t register_msg[sizeof(struct hp_meet_register) +
			     HP_MEET_RECORD_MAX + HP_SIG_LEN];

	/* The session. @standing: it may live, although answers are missed. */
	bool standing;
	bool trying; /* the answer may come by the other family */
	uint8_t session[HP_MEET_ID_LEN];
	struct hp_meet_keys keys;
	struct hp_meet_window window;
	uint64_t counter;
	uint8_t path[8];
	uint32_t generation;
	uint64_t silence_ns;	/* that our NAT bears */
	uint64_t interval_ns;
	uint64_t keepalive; /* counter of the last one */
	uint64_t keepalive_ns;
	bool keepalive_recorded; /* it carried the record */
	bool record_new;	 /* the server does not have it yet */
	unsigned int path_tries;

	struct mc_connect *connects;
	struct hp_heap connect_timers;
	uint8_t calls[MC_CALLS][HP_MEET_ID_LEN];
	unsigned int n_calls;
	struct mc_list list;
	struct mc_query query[2][2];
	struct hp_meet_info info;
};

/* Server's address by family and port; none when there is none. */
struct hp_addr mc_server(const struct hp_meet_client *c, unsigned int af,
			 unsigned int port);
void mc_event(struct hp_meet_client *c, const struct hp_meet_event *ev);
/* Completes a message of the session (head, counter, MAC) and sends it.
 * Returns its counter.
 */
uint64_t mc_session_send(struct hp_meet_client *c, enum hp_meet_kind kind,
			 uint8_t *msg, size_t len);
/* How long an answer is waited for after @tries questions that got none: two
 * round trips at first (RFC 8489, 6.2.1), 250 ms while none was measured.
 */
uint64_t mc_backoff(const struct hp_meet_client *c, unsigned int tries,
		    uint64_t max_ns);

/* Asks the server from now on as at first. */
void mc_hurry(struct hp_meet_client *c, uint64_t now_ns);
/* Asks for a new session; without a record or a server: is idle. */
void mc_hello_start(struct hp_meet_client *c, uint64_t now_ns);
/* Sends a keepalive, with the record if that is new. */
void mc_keepalive_put(struct hp_meet_client *c, uint64_t now_ns);
/* The same, and repeats it until it is answered. */
void mc_keepalive_send(struct hp_meet_client *c, uint64_t now_ns);

/* ask.c. All that take a message: it is authentic and fresh. */
void mc_ask_begin(struct hp_meet_client *c, uint64_t now_ns);
void mc_ask_pause(struct hp_meet_client *c);
void mc_ask_free(struct hp_meet_client *c);
void mc_ask_tick(struct hp_meet_client *c, uint64_t now_ns);
uint64_t mc_ask_deadline(const struct hp_meet_client *c);
void mc_list_start(struct hp_meet_client *c, uint64_t now_ns);
void mc_on_intro(struct hp_meet_client *c, const uint8_t *msg);
void mc_on_delivered(struct hp_meet_client *c, const uint8_t *msg,
		     uint64_t now_ns);
void mc_on_failed(struct hp_meet_client *c, const uint8_t *msg);
void mc_on_members(struct hp_meet_client *c, const uint8_t *msg,
		   uint64_t now_ns);

/* reflexive.c */
void mc_query_init(struct hp_meet_client *c);
/* All addresses that the session itself does not tell. */
void mc_query_all(struct hp_meet_client *c, uint64_t now_ns);
/* Only what a NAT might forget: the first port, the other family. */
void mc_query_refresh(struct hp_meet_client *c, uint64_t now_ns);
void mc_query_stop(struct hp_meet_client *c);
void mc_query_tick(struct hp_meet_client *c, uint64_t now_ns);
uint64_t mc_query_deadline(const struct hp_meet_client *c);
enum hp_err mc_query_rx(struct hp_meet_client *c, const struct hp_addr *from,
			const uint8_t *buf, size_t len) HP_MUST_CHECK;
void mc_seen(struct hp_meet_client *c, unsigned int af, unsigned int port,
	     const struct hp_addr *seen);

#endif
