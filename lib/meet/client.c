/* SPDX-License-Identifier: ISC */
/*
 * The session with one server: getting it, keeping it, missing it.
 *
 *	                 CHALLENGE               REGISTERED
 *	IDLE --> HELLO_SENT --> REGISTER_SENT --------------> UP
 *	          ^   ^  ^            |  | REFUSED            | |
 *	          |   |  +--5 tries---+  v            no answer | UNKNOWN
 *	          |   |             WAITING <------------------ | --+
 *	          |   +-- its time ----+                        |
 *	          +---------------------------------------------+
 *
 * HELLO goes to IPv6 first and to IPv4 50 ms later: a datagram of 88 bytes is
 * cheap, waiting for a family that leads nowhere is not. Every question waits
 * two round trips, then twice as long each time, up to 1 s; and at last some in
 * a row leave each 15 s.
 * Three seconds without an answer are reported as LOST, once; the session may
 * stand all the same, on a lossy link, so a keepalive goes with each HELLO, and
 * any answer within the session brings it back. Else a keepalive goes
 * every 25 s (and a little less, so that nodes drift apart); one that brings
 * another path cookie was heard from an address that is not proven yet, and is
 * repeated with that cookie at once.
 */
#include "meet/client.h"

#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "meet/client_impl.h"

/* The first wait while no round trip is known; and the least there is. */
#define RETRY_NS (250 * HP_MS)
#define RETRY_LEAST_NS (100 * HP_MS)
#define HEAD_START_NS (50 * HP_MS)
#define JITTER_MS 2000
#define LONG_NS (15 * HP_S)
/* Of a server that was silent for long, some questions in a row are asked: on a
 * line that loses most datagrams a single one hardly ever gets through.
 */
#define LONG_ROW 4
#define REGISTER_TRIES 16
#define PATH_TRIES 3
#define REFUSED_NS (60 * HP_S)
#define REFUSED_LIMIT_NS (15 * HP_S)

uint64_t mc_backoff(const struct hp_meet_client *c, unsigned int tries,
		    uint64_t max_ns)
{
	uint64_t first_ns = RETRY_NS;

	if (c->info.rtt_ns)
		first_ns = 2 * c->info.rtt_ns > RETRY_LEAST_NS ?
				   2 * c->info.rtt_ns : RETRY_LEAST_NS;
	if (first_ns >= max_ns)
		return first_ns;
	return hp_time_min(first_ns << (tries < 16 ? tries : 16), max_ns);
}

struct hp_addr mc_server(const struct hp_meet_client *c, unsigned int af,
			 unsigned int port)
{
	struct hp_addr a = c->cfg.server[af];

	if (a.family != HP_AF_NONE)
		a.port = (uint16_t)(a.port + port);
	return a;
}

void mc_event(struct hp_meet_client *c, const struct hp_meet_event *ev)
{
	c->cfg.ops->event(c->cfg.ctx, ev);
}

static uint64_t jitter(const struct hp_meet_client *c, uint32_t below_ms)
{
	return hp_rng_below(c->cfg.rng, below_ms) * HP_MS;
}

static bool has_server(const struct hp_meet_client *c)
{
	return c->cfg.server[0].family != HP_AF_NONE ||
	       c->cfg.server[1].family != HP_AF_NONE;
}

static void send_to(struct hp_meet_client *c, unsigned int af, const void *buf,
		    size_t len, uint64_t now_ns)
{
	c->sent_ns[af] = now_ns;
	if (c->since_ns == HP_NEVER)
		c->since_ns = now_ns;
	c->cfg.ops->send(c->cfg.ctx, &c->cfg.server[af], buf, len);
}

uint64_t mc_session_send(struct hp_meet_client *c, enum hp_meet_kind kind,
			 uint8_t *msg, size_t len)
{
	hp_meet_session_head_put((void *)msg, kind, c->session, ++c->counter);
	hp_meet_mac_put(&c->keys.to_server, msg, len);
	c->cfg.ops->send(c->cfg.ctx, &c->cfg.server[c->af], msg, len);
	return c->counter;
}

/* An answer that only the server could give. */
static void heard(struct hp_meet_client *c, uint64_t now_ns)
{
	c->since_ns = HP_NEVER;
	c->patience_ns = MC_PATIENCE_NS;
	c->ever_heard = true;
	c->info.heard_ns = now_ns;
	c->info.heard++;
}

/* ---- hello ---- */

static void say_hello(struct hp_meet_client *c, unsigned int af,
		      uint64_t now_ns)
{
	struct hp_meet_hello m = { 0 };

	if (c->cfg.server[af].family == HP_AF_NONE)
		return;
	hp_datagram_head(m.head, HP_MEET_HELLO);
	memcpy(m.echo, c->echo, sizeof(m.echo));
	send_to(c, af, &m, sizeof(m), now_ns);
}

void mc_keepalive_put(struct hp_meet_client *c, uint64_t now_ns)
{
	uint8_t buf[sizeof(struct hp_meet_keepalive) + HP_MEET_RECORD_MAX +
		    HP_MEET_MAC_LEN] = { 0 };
	struct hp_meet_keepalive *m = (void *)buf;
	size_t len = c->record_new ? c->record_len : 0;

	memcpy(m->path, c->path, sizeof(m->path));
	hp_put_be16(m->record_len, (uint16_t)len);
	memcpy(buf + sizeof(*m), c->record, len);
	c->keepalive_ns = now_ns;
	c->keepalive_recorded = len != 0;
	c->keepalive = mc_session_send(c, HP_MEET_KEEPALIVE, buf,
				       sizeof(*m) + len + HP_MEET_MAC_LEN);
}

static void hello_try(struct hp_meet_client *c, uint64_t now_ns)
{
	bool both = c->cfg.server[0].family != HP_AF_NONE &&
		    c->cfg.server[1].family != HP_AF_NONE;
	unsigned int n = c->tries++;

	if (c->standing)
		mc_keepalive_put(c, now_ns);
	if (both && n == 0) {
		say_hello(c, c->af, now_ns);
		c->next_ns = now_ns + HEAD_START_NS;
		return;
	}
	if (both && n == 1) {
		say_hello(c, !c->af, now_ns);
	} else {
		say_hello(c, 1, now_ns);
		say_hello(c, 0, now_ns);
	}
	if (n >= MC_HURRIED && (n - MC_HURRIED) % LONG_ROW == 0)
		c->next_ns = now_ns + LONG_NS + jitter(c, JITTER_MS);
	else
		c->next_ns = now_ns + mc_backoff(c, both ? n - 1 : n, MC_SLOW_NS);
}

void mc_hello_start(struct hp_meet_client *c, uint64_t now_ns)
{
	mc_ask_pause(c);
	mc_query_stop(c);
	if (!has_server(c) || !c->record_len) {
		c->state = HP_MEET_IDLE;
		c->next_ns = HP_NEVER;
		return;
	}
	c->state = HP_MEET_HELLO_SENT;
	c->tries = 0;
	hp_rng_fill(c->cfg.rng, c->echo, sizeof(c->echo));
	hello_try(c, now_ns);
}

void mc_hurry(struct hp_meet_client *c, uint64_t now_ns)
{
	c->tries = 0;
	c->next_ns = now_ns;
}

static void wait_for(struct hp_meet_client *c, uint64_t until_ns)
{
	mc_ask_pause(c);
	mc_query_stop(c);
	c->state = HP_MEET_WAITING;
	c->standing = false;
	c->since_ns = HP_NEVER;
	c->next_ns = until_ns;
}

/* ---- registering ---- */

static void register_try(struct hp_meet_client *c, uint64_t now_ns)
{
	if (c->tries == REGISTER_TRIES) {
		mc_hello_start(c, now_ns);
		return;
	}
	c->next_ns = now_ns + mc_backoff(c, c->tries++, MC_FAST_NS);
	send_to(c, c->af, c->register_msg, c->register_len, now_ns);
}

/* Makes the registration that answers @ch, and the keys that it leads to. */
static enum hp_err register_make(struct hp_meet_client *c,
				 const struct hp_meet_challenge *ch)
{
	struct hp_meet_register *m = (void *)c->register_msg;
	struct hp_public server, ephemeral;
	struct hp_secret secret;
	enum hp_err err;

	memcpy(server.b, ch->ephemeral, sizeof(server.b));
	hp_dh_keypair(c->cfg.rng, &secret, &ephemeral);
	hp_rng_fill(c->cfg.rng, c->echo, sizeof(c->echo));
	hp_datagram_head(m->head, HP_MEET_REGISTER);
	memcpy(m->echo, c->echo, sizeof(m->echo));
	m->cookie = ch->cookie;
	memcpy(m->network, c->network.b, sizeof(m->network));
	memcpy(m->slot, c->cfg.slot, sizeof(m->slot));
	memcpy(m->ephemeral, ephemeral.b, sizeof(m->ephemeral));
	hp_put_be16(m->record_len, c->record_len);
	memcpy(c->register_msg + sizeof(*m), c->record, c->record_len);
	c->register_len =
		(uint16_t)(sizeof(*m) + c->record_len + HP_SIG_LEN);
	hp_meet_register_sign(c->register_msg, c->register_len, &c->cfg.seed,
			      &server);
	err = hp_meet_keys_derive(&secret, &server, &server, c->register_msg,
				  c->register_len, &c->offered);
	hp_secret_wipe(&secret);
	return err;
}

static enum hp_err on_challenge(struct hp_meet_client *c, unsigned int af,
				const uint8_t *msg, uint64_t now_ns)
{
	const struct hp_meet_challenge *m = (const void *)msg;
	enum hp_err err;

	if ((c->state != HP_MEET_HELLO_SENT &&
	     c->state != HP_MEET_REGISTER_SENT) ||
	    memcmp(m->echo, c->echo, sizeof(m->echo)) != 0)
		return HP_ERR_STATE;
	err = register_make(c, m);
	if (err) {
		c->state = HP_MEET_HELLO_SENT;
		return err;
	}
	heard(c, now_ns);
	if (c->state == HP_MEET_HELLO_SENT)
		c->tries = 0;
	c->state = HP_MEET_REGISTER_SENT;
	c->af = af;
	c->record_new = false;
	register_try(c, now_ns);
	return HP_OK;
}

static void keepalive_plan(struct hp_meet_client *c, uint64_t now_ns)
{
	c->tries = 0;
	c->next_ns = now_ns + c->interval_ns - jitter(c, JITTER_MS);
}

static void session_begin(struct hp_meet_client *c,
			  const struct hp_meet_registered *m, uint64_t now_ns)
{
	uint64_t lifetime_ns = hp_get_be16(m->lifetime_s) * HP_S;

	memcpy(c->session, m->session, sizeof(c->session));
	memcpy(c->path, m->path, sizeof(c->path));
	c->keys = c->offered;
	c->counter = 0;
	c->keepalive = 0;
	c->path_tries = 0;
	c->generation = hp_get_be32(m->generation);
	c->interval_ns = hp_time_min(c->silence_ns, lifetime_ns / 3);
	if (c->interval_ns < 2 * JITTER_MS * HP_MS)
		c->interval_ns = 2 * JITTER_MS * HP_MS;
	if (c->tries == 1)
		c->info.rtt_ns = hp_time_since(now_ns, c->sent_ns[c->af]);
	c->info.server = c->cfg.server[c->af];
	c->info.relay = m->relay;
	c->info.refused = 0;
	c->lost = false;
	c->standing = true;
	c->info.settled = true;
	c->state = HP_MEET_UP;
	heard(c, now_ns);
	keepalive_plan(c, now_ns);
	if (c->record_new)
		c->next_ns = now_ns;
}

static enum hp_err on_registered(struct hp_meet_client *c, unsigned int af,
				 const uint8_t *msg, size_t len,
				 uint64_t now_ns)
{
	const struct hp_meet_registered *m = (const void *)msg;
	struct hp_meet_event ev = { .kind = HP_MEET_EV_REGISTERED };
	enum hp_err err;

	if (c->state != HP_MEET_REGISTER_SENT || af != c->af ||
	    memcmp(m->echo, c->echo, sizeof(m->echo)) != 0)
		return HP_ERR_STATE;
	err = hp_meet_mac_check(&c->offered.to_client, msg, len);
	if (err)
		return err;
	c->window = (struct hp_meet_window){ 0 };
	err = hp_meet_window_accept(&c->window, hp_get_be64(m->counter));
	if (err || hp_meet_addr_get(&m->seen, &ev.seen))
		return HP_ERR_FORMAT;
	session_begin(c, m, now_ns);
	c->info.seen[af][0] = ev.seen;
	ev.server = c->info.server;
	ev.relay = c->info.relay;
	ev.rtt_ns = c->info.rtt_ns;
	mc_query_all(c, now_ns);
	mc_ask_begin(c, now_ns);
	mc_event(c, &ev);
	return HP_OK;
}

static enum hp_err on_refused(struct hp_meet_client *c, const uint8_t *msg,
			      uint64_t now_ns)
{
	const struct hp_meet_refused *m = (const void *)msg;
	const struct hp_meet_event ev = {
		.kind = HP_MEET_EV_REFUSED,
		.reason = (enum hp_meet_reason)m->reason,
		.server = c->cfg.server[c->af],
	};
	bool news = c->info.refused != ev.reason;

	if (c->state != HP_MEET_REGISTER_SENT ||
	    memcmp(m->echo, c->echo, sizeof(m->echo)) != 0)
		return HP_ERR_STATE;
	heard(c, now_ns);
	c->info.refused = ev.reason;
	wait_for(c, now_ns + jitter(c, JITTER_MS) +
			    (ev.reason == HP_MEET_LIMIT ? REFUSED_LIMIT_NS :
							  REFUSED_NS));
	if (news)
		mc_event(c, &ev);
	return HP_OK;
}

/* ---- within the session ---- */

void mc_keepalive_send(struct hp_meet_client *c, uint64_t now_ns)
{
	mc_keepalive_put(c, now_ns);
	if (c->since_ns == HP_NEVER)
		c->since_ns = now_ns;
	/* With each, whatever it was sent for: else what makes us send them
	 * more often than planned would keep us from ever asking.
	 */
	if (c->tries == 0)
		mc_query_refresh(c, now_ns);
	c->next_ns = now_ns + mc_backoff(c, c->tries++, MC_FAST_NS);
}

/* The server heard us where it does not know us: prove the place. What else
 * was under way from there was not accepted either.
 */
static void path_prove(struct hp_meet_client *c, const uint8_t path[8],
		       uint64_t now_ns)
{
	memcpy(c->path, path, sizeof(c->path));
	c->info.settled = false;
	if (c->path_tries++ >= PATH_TRIES)
		return;
	c->tries = 0;
	mc_keepalive_send(c, now_ns);
	mc_ask_begin(c, now_ns);
}

static void keepalive_answered(struct hp_meet_client *c, uint64_t now_ns)
{
	bool still_new = c->record_new && !c->keepalive_recorded;

	c->info.rtt_ns = hp_time_since(now_ns, c->keepalive_ns);
	c->record_new = still_new;
	c->info.settled = true;
	c->path_tries = 0;
	c->keepalive = 0;
	keepalive_plan(c, now_ns);
	if (still_new)
		c->next_ns = now_ns;
}

static void on_alive(struct hp_meet_client *c, const uint8_t *msg,
		     uint64_t now_ns)
{
	const struct hp_meet_alive *m = (const void *)msg;
	bool same_path = memcmp(m->path, c->path, sizeof(c->path)) == 0;
	uint32_t generation = hp_get_be32(m->generation);
	struct hp_addr seen;

	if (hp_meet_addr_get(&m->seen, &seen))
		return;
	if (!same_path)
		path_prove(c, m->path, now_ns);
	else if (c->keepalive && hp_get_be64(m->request) == c->keepalive)
		keepalive_answered(c, now_ns);
	if (generation != c->generation) {
		c->generation = generation;
		if (c->list.wanted)
			mc_list_start(c, now_ns);
	}
	mc_seen(c, c->af, 0, &seen);
}

/* Not the session was lost, only packets. */
static void session_resume(struct hp_meet_client *c, uint64_t now_ns)
{
	const struct hp_meet_event ev = {
		.kind = HP_MEET_EV_REGISTERED,
		.server = c->info.server,
		.seen = c->info.seen[c->af][0],
		.relay = c->info.relay,
		.rtt_ns = c->info.rtt_ns,
	};

	c->lost = false;
	c->state = HP_MEET_UP;
	keepalive_plan(c, now_ns);
	mc_ask_begin(c, now_ns);
	mc_event(c, &ev);
}

static enum hp_err on_session(struct hp_meet_client *c, unsigned int af,
			      const uint8_t *msg, size_t len, uint64_t now_ns)
{
	const struct hp_meet_session_head *h = (const void *)msg;
	enum hp_err err;

	/* Once a new one is asked for, the old session is the past. */
	if (!c->standing || (af != c->af && !c->trying) ||
	    (c->state != HP_MEET_UP && c->state != HP_MEET_HELLO_SENT) ||
	    memcmp(h->session, c->session, sizeof(c->session)) != 0)
		return HP_ERR_STATE;
	err = hp_meet_mac_check(&c->keys.to_client, msg, len);
	if (!err)
		err = hp_meet_window_accept(&c->window,
					    hp_get_be64(h->counter));
	if (err)
		return err;
	if (af != c->af)
		c->trying = false;
	c->af = af;
	c->info.server = c->cfg.server[af];
	heard(c, now_ns);
	if (c->state == HP_MEET_HELLO_SENT)
		session_resume(c, now_ns);
	if (msg[3] == HP_MEET_ALIVE)
		on_alive(c, msg, now_ns);
	else if (msg[3] == HP_MEET_INTRO)
		mc_on_intro(c, msg);
	else if (msg[3] == HP_MEET_DELIVERED)
		mc_on_delivered(c, msg, now_ns);
	else if (msg[3] == HP_MEET_FAILED)
		mc_on_failed(c, msg);
	else if (msg[3] == HP_MEET_MEMBERS)
		mc_on_members(c, msg, now_ns);
	return HP_OK;
}

/* Nobody vouches for it: it moves a registration forward, no more. */
static enum hp_err on_unknown(struct hp_meet_client *c, const uint8_t *msg,
			      uint64_t now_ns)
{
	const struct hp_meet_unknown *m = (const void *)msg;
	uint64_t counter = hp_get_be64(m->h.counter);

	if (c->state != HP_MEET_UP ||
	    memcmp(m->h.session, c->session, sizeof(c->session)) != 0 ||
	    counter > c->counter || counter + 64 <= c->counter)
		return HP_ERR_STATE;
	/* A server that restarted gets its nodes back spread over time, but
	 * who has somebody waiting comes now.
	 */
	wait_for(c, c->connects ? now_ns : now_ns + jitter(c, JITTER_MS));
	return HP_OK;
}

static enum hp_err on_no_channel(struct hp_meet_client *c, const uint8_t *msg,
				 uint64_t now_ns)
{
	const struct hp_meet_no_channel *m = (const void *)msg;
	const struct hp_meet_event ev = {
		.kind = HP_MEET_EV_NO_CHANNEL,
		.server = c->info.server,
		.channel = hp_get_be32(m->channel),
	};

	if (c->state != HP_MEET_UP)
		return HP_ERR_STATE;
	hp_meet_refresh(c, now_ns);
	mc_event(c, &ev);
	return HP_OK;
}

static enum hp_err on_message(struct hp_meet_client *c, unsigned int af,
			      const uint8_t *msg, size_t len, uint64_t now_ns)
{
	enum hp_err err = hp_meet_check(msg, len);

	if (err)
		return err == HP_ERR_TYPE ? HP_ERR_FORMAT : err;
	switch ((enum hp_meet_kind)msg[3]) {
	case HP_MEET_CHALLENGE:
		return on_challenge(c, af, msg, now_ns);
	case HP_MEET_REGISTERED:
		return on_registered(c, af, msg, len, now_ns);
	case HP_MEET_REFUSED:
		return on_refused(c, msg, now_ns);
	case HP_MEET_ALIVE:
	case HP_MEET_INTRO:
	case HP_MEET_DELIVERED:
	case HP_MEET_FAILED:
	case HP_MEET_MEMBERS:
		return on_session(c, af, msg, len, now_ns);
	case HP_MEET_UNKNOWN:
		return on_unknown(c, msg, now_ns);
	case HP_MEET_NO_CHANNEL:
		return on_no_channel(c, msg, now_ns);
	case HP_MEET_HELLO:
	case HP_MEET_REGISTER:
	case HP_MEET_KEEPALIVE:
	case HP_MEET_CONNECT:
	case HP_MEET_INTRO_ACK:
	case HP_MEET_LIST:
	case HP_MEET_BYE:
		break;
	}
	return HP_ERR_FORMAT;
}

enum hp_err hp_meet_rx(struct hp_meet_client *c, const struct hp_addr *from,
		       const uint8_t *buf, size_t len, uint64_t now_ns)
{
	enum hp_datagram kind = hp_datagram_kind(buf, len);
	enum hp_err err;
	unsigned int af;

	if (kind == HP_DGRAM_STUN) {
		err = mc_query_rx(c, from, buf, len);
	} else if (kind == HP_DGRAM_MEET) {
		for (af = 0; af < 2; af++) {
			if (hp_addr_eq(from, &c->cfg.server[af]))
				break;
		}
		if (af == 2)
			return HP_ERR_TYPE;
		err = on_message(c, af, buf, len, now_ns);
	} else {
		return HP_ERR_TYPE;
	}
	if (err && err != HP_ERR_TYPE)
		c->info.dropped++;
	return err;
}

/* ---- time ---- */

static uint64_t lost_at(const struct hp_meet_client *c)
{
	if (c->lost && c->state != HP_MEET_UP)
		return HP_NEVER;
	return hp_time_add(c->since_ns, c->patience_ns);
}

static void lose(struct hp_meet_client *c, uint64_t now_ns)
{
	const struct hp_meet_event ev = {
		.kind = HP_MEET_EV_LOST,
		.server = c->cfg.server[c->cfg.server[c->af].family ? c->af :
								      !c->af],
		.first = !c->ever_heard,
	};
	bool news = !c->lost;

	c->lost = true;
	if (c->state == HP_MEET_UP)
		mc_hello_start(c, now_ns);
	if (news)
		mc_event(c, &ev);
}

static void state_tick(struct hp_meet_client *c, uint64_t now_ns)
{
	switch (c->state) {
	case HP_MEET_IDLE:
		c->next_ns = HP_NEVER;
		return;
	case HP_MEET_HELLO_SENT:
		hello_try(c, now_ns);
		return;
	case HP_MEET_REGISTER_SENT:
		register_try(c, now_ns);
		return;
	case HP_MEET_UP:
		mc_keepalive_send(c, now_ns);
		return;
	case HP_MEET_WAITING:
		mc_hello_start(c, now_ns);
		return;
	}
}

void hp_meet_tick(struct hp_meet_client *c, uint64_t now_ns)
{
	if (lost_at(c) <= now_ns)
		lose(c, now_ns);
	if (c->next_ns <= now_ns)
		state_tick(c, now_ns);
	mc_query_tick(c, now_ns);
	mc_ask_tick(c, now_ns);
}

uint64_t hp_meet_deadline(const struct hp_meet_client *c)
{
	uint64_t own = hp_time_min(c->next_ns, lost_at(c));
	uint64_t rest = hp_time_min(mc_query_deadline(c), mc_ask_deadline(c));

	return hp_time_min(own, rest);
}
