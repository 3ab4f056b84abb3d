/* SPDX-License-Identifier: ISC */
/*
 * hptun echo in parts: echo.c the command line, echo_run.c the engine with its
 * socket and loop, echo_show.c what is told of the connection, echo_talk.c the
 * lines that go there and back.
 */
#ifndef TOOLS_HPTUN_ECHO_H
#define TOOLS_HPTUN_ECHO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "datagrams.h"
#include "member/cert.h"
#include "member/network.h"
#include "node/node.h"
#include "sys/lines.h"
#include "sys/loop.h"
#include "sys/nat64.h"
#include "sys/resolve.h"
#include "sys/store.h"
#include "sys/udp.h"

/* The echo service (RFC 862). */
#define ECHO_PORT 7
#define ECHO_MTU HP_STORE_MTU

/**
 * struct echo_config - What the command line says
 * @peer:       connect to this one; NULL: to whoever comes
 * @room:       the network is a room: connect to all in it
 * @timeout_ns: give up when nobody answered by then; HP_NEVER: never
 * @judge:      taken; may be NULL
 */
struct echo_config {
	struct hp_network net;
	struct hp_identity identity;
	struct hp_judge *judge;
	const char *peer;
	bool room;
	uint64_t timeout_ns;
};

/**
 * struct talk - The line on its way, and what came
 * @typed:    what is being typed
 * @line:     the one that waits for its echo; @waits: there is one
 * @port:     its source port, which names it
 * @tries:    how often it was sent
 * @due_ns:   when to send it again
 * @heard_from: source of the last line of the other side, to know repeats
 * @eof:    nothing more is typed
 * @polled: stdin is a file, which epoll does not take
 * @terminal: somebody sits there
 * @typed_any: there was a line
 * @ends:     a line of ours ended it
 * @failed:   a line got no answer
 */
struct talk {
	struct hp_lines typed;
	char line[ECHO_MTU];
	size_t line_len;
	bool waits;
	uint16_t port;
	unsigned int tries;
	uint64_t sent_ns;
	uint64_t due_ns;
	struct hp_addr heard_from;
	bool eof;
	bool polled;
	bool terminal;
	bool typed_any;
	bool ends;
	bool failed;
};

/* What was said of a peer; see echo_show.c. */
struct shown {
	char name[HP_NAME_TEXT];
	bool introduced;
	enum hp_peer_state state;
};

#define SHOWN_MAX 64

struct echo {
	struct echo_config cfg;
	struct hp_loop *loop;
	struct hp_udp udp;
	struct hp_udp_batch *batch;
	struct datagrams in;
	struct hp_resolver *resolver;
	struct hp_nat64 *nat64;
	struct hp_addr resolved[HP_SERVERS_MAX][2];
	struct hp_node *node;
	struct hp_stamp stamp;
	uint64_t start_ns;
	bool happened;		/* the engine has news */
	uint64_t end_ns;	/* when to leave the loop; HP_NEVER: not yet */
	int code;		/* exit status */

	char target[HP_NAME_TEXT];	/* whom typed lines go to; "": nobody */
	struct hp_addr target_addr;
	bool connected;			/* it answers now */
	struct talk talk;

	struct shown shown[SHOWN_MAX];
	size_t n_shown;
	struct {
		enum hp_server_state state;
		struct hp_addr seen4, seen6;
		enum hp_mapping mapping;
	} server[HP_SERVERS_MAX];
};

/* echo_run.c: returns the exit status. */
int echo_run(const struct echo_config *cfg);
/* Leaves the loop after @delay_ns, in which what arrives is still answered. */
void echo_end(struct echo *e, int code, uint64_t delay_ns);

/* echo_show.c: says what is new of servers and peers. */
void echo_show(struct echo *e, uint64_t now_ns);
/* One line of progress, with the time since the start. */
void echo_step(const struct echo *e, uint64_t now_ns, const char *fmt, ...)
	HP_PRINTF(3, 4);

/* echo_talk.c */
void talk_begin(struct echo *e, const struct hp_rng *rng);
void talk_end(struct echo *e);
/* Looks after the line that waits, and takes the next. */
void talk_turn(struct echo *e, uint64_t now_ns);
uint64_t talk_deadline(const struct echo *e);
/* An inner packet of @peer. */
void talk_rx(struct echo *e, const char *peer, const uint8_t *p, size_t len,
	     uint64_t now_ns);

#endif
