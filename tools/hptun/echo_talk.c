/* SPDX-License-Identifier: ISC */
/*
 * The lines: each travels as the payload of an inner UDP packet to port 7 of
 * the other side, which prints it and sends it back (RFC 862). The source port
 * counts the lines, so that one sent again because its echo was lost is
 * printed once. One line is under way at a time: echoes keep their order.
 *
 * The line "exit" ends both sides, and so does the end of the input; but a
 * side that was given no input, from /dev/null say, stays and serves.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../ctl_client.h"
#include "../inner.h"
#include "base/pkt.h"
#include "base/time.h"
#include "echo.h"

#define EXIT_LINE "exit"
#define LINE_LEN_MAX (ECHO_MTU - INNER_HEADERS)
/* Longer input is cut at its ends of line only; this bounds the buffer. */
#define TYPED_MAX 65536
#define PORT_FIRST 49152
#define AGAIN_NS (500 * HP_MS)
#define TRIES_MAX 6
/* After the other side's "exit": its echo may have to be sent again. */
#define LINGER_NS (600 * HP_MS)

/* Puts one UDP datagram into the engine. What it cannot send is lost, as on
 * any network.
 */
static void send_udp(struct echo *e, const struct inner *in, uint64_t now_ns)
{
	uint8_t buf[HP_HEADROOM + ECHO_MTU + HP_TAILROOM];
	size_t len = inner_make(in, buf + HP_HEADROOM, ECHO_MTU);
	struct hp_pkt pkt = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM, len);

	if (len && hp_node_tx(e->node, &pkt, now_ns))
		e->happened = true;
}

static void send_line(struct echo *e, uint64_t now_ns)
{
	struct talk *t = &e->talk;
	struct inner in = {
		.src = hp_node_addr4(e->node),
		.dst = e->target_addr,
		.data = (const uint8_t *)t->line,
		.len = t->line_len,
	};

	in.src.port = t->port;
	in.dst.port = ECHO_PORT;
	t->due_ns = now_ns + AGAIN_NS;
	t->tries++;
	send_udp(e, &in, now_ns);
}

static bool is_exit(const void *line, size_t len)
{
	return len == strlen(EXIT_LINE) && memcmp(line, EXIT_LINE, len) == 0;
}

/* Begins the way of a line. */
static void take_line(struct echo *e, const char *line, size_t len,
		      uint64_t now_ns)
{
	struct talk *t = &e->talk;

	t->typed_any = true;
	if (len > LINE_LEN_MAX) {
		fprintf(stderr, "hptun: a line of %zu bytes was not sent: %d "
			"fit into a packet\n", len, LINE_LEN_MAX);
		t->failed = true;
		return;
	}
	memcpy(t->line, line, len);
	t->line_len = len;
	t->ends = is_exit(line, len);
	t->port = t->port == UINT16_MAX ? PORT_FIRST : t->port + 1;
	t->waits = true;
	t->tries = 0;
	t->due_ns = now_ns;
}

static void next_line(struct echo *e, uint64_t now_ns)
{
	struct talk *t = &e->talk;
	size_t len;
	const char *line = hp_lines_next(&t->typed, &len);

	if (!line && t->eof)
		line = hp_lines_rest(&t->typed, &len);
	if (line) {
		take_line(e, line, len, now_ns);
		return;
	}
	if (t->eof && (t->terminal || t->typed_any || e->cfg.peer))
		take_line(e, EXIT_LINE, strlen(EXIT_LINE), now_ns);
}

static bool reads(const struct echo *e)
{
	return !e->talk.eof && !e->talk.waits && e->end_ns == HP_NEVER;
}

static void read_typed(struct echo *e)
{
	struct talk *t = &e->talk;
	ssize_t n = hp_lines_read(&t->typed, STDIN_FILENO);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (n < 0 && errno == EMSGSIZE) {
		fprintf(stderr, "hptun: a line is longer than %d bytes\n",
			TYPED_MAX);
		t->failed = true;
		hp_lines_free(&t->typed);
	}
	t->eof = true;
}

static void on_typed(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct echo *e = ctx;

	(void)events;
	(void)now_ns;
	read_typed(e);
	hp_loop_unwatch(e->loop, STDIN_FILENO);
	e->happened = true;
}

/* Asks for input, which is there at once when it is a file. */
static void want_typed(struct echo *e)
{
	if (e->talk.polled)
		read_typed(e);
	else if (hp_loop_watch(e->loop, STDIN_FILENO, EPOLLIN, on_typed, e))
		e->talk.polled = true;
}

/* The echo of our line came, or will not come. */
static void line_done(struct echo *e, int code)
{
	struct talk *t = &e->talk;

	t->waits = false;
	e->happened = true;
	if (t->ends)
		echo_end(e, t->failed ? CTL_EXIT_OTHER : code, 0);
}

void talk_turn(struct echo *e, uint64_t now_ns)
{
	struct talk *t = &e->talk;

	while (!t->waits && e->end_ns == HP_NEVER) {
		next_line(e, now_ns);
		if (t->waits || !reads(e))
			break;
		want_typed(e);
		if (!t->polled)
			break;
	}
	if (!t->waits)
		return;
	/* Somebody at the keyboard who leaves does not wait for company. */
	if (t->ends && t->terminal && !e->connected) {
		echo_end(e, 0, 0);
	} else if (e->connected && now_ns >= t->due_ns) {
		if (!t->tries)
			t->sent_ns = now_ns;
		if (t->tries < TRIES_MAX) {
			send_line(e, now_ns);
			return;
		}
		if (!t->ends) {
			fprintf(stderr, "hptun: no echo of: %.*s\n",
				(int)t->line_len, t->line);
			t->failed = true;
		}
		line_done(e, CTL_EXIT_PATH);
	}
}

uint64_t talk_deadline(const struct echo *e)
{
	return e->talk.waits && e->connected ? e->talk.due_ns : HP_NEVER;
}

static void print_line(const char *before, const struct inner *in)
{
	fputs(before, stdout);
	fwrite(in->data, 1, in->len, stdout);
}

/* A line of the other side: print it once, send it back each time. */
static void serve(struct echo *e, const char *peer, const struct inner *in,
		  uint64_t now_ns)
{
	struct talk *t = &e->talk;
	struct inner back = {
		.src = in->dst,
		.dst = in->src,
		.data = in->data,
		.len = in->len,
	};
	bool repeat = hp_addr_eq(&in->src, &t->heard_from);

	send_udp(e, &back, now_ns);
	if (repeat)
		return;
	t->heard_from = in->src;
	if (is_exit(in->data, in->len)) {
		echo_step(e, now_ns, "%s says good-bye", peer);
		echo_end(e, t->failed ? CTL_EXIT_OTHER : 0, LINGER_NS);
		return;
	}
	fputs(peer, stdout);
	print_line(": ", in);
	putchar('\n');
	fflush(stdout);
}

static void echoed(struct echo *e, const struct inner *in, uint64_t now_ns)
{
	struct talk *t = &e->talk;

	if (!t->waits || in->dst.port != t->port ||
	    in->len != t->line_len || memcmp(in->data, t->line, in->len) != 0)
		return;
	if (!t->ends) {
		print_line("", in);
		if (isatty(STDOUT_FILENO))
			printf("   (back after %.1f ms)",
			       (double)(now_ns - t->sent_ns) / (double)HP_MS);
		putchar('\n');
		fflush(stdout);
	}
	line_done(e, 0);
}

void talk_rx(struct echo *e, const char *peer, const uint8_t *p, size_t len,
	     uint64_t now_ns)
{
	struct inner in;

	if (!inner_parse(p, len, &in))
		return;
	if (in.dst.port == ECHO_PORT)
		serve(e, peer, &in, now_ns);
	else if (in.src.port == ECHO_PORT)
		echoed(e, &in, now_ns);
}

void talk_begin(struct echo *e, const struct hp_rng *rng)
{
	struct talk *t = &e->talk;

	hp_lines_init(&t->typed, TYPED_MAX);
	t->terminal = isatty(STDIN_FILENO);
	/* Not where the last run began, whose lines may be remembered. */
	t->port = (uint16_t)(PORT_FIRST +
			     hp_rng_below(rng, UINT16_MAX - PORT_FIRST));
}

void talk_end(struct echo *e)
{
	hp_loop_unwatch(e->loop, STDIN_FILENO);
	hp_lines_free(&e->talk.typed);
}
