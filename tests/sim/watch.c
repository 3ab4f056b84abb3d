/* SPDX-License-Identifier: ISC */
#include "../sim/watch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/datagram.h"
#include "meet/registry.h"
#include "meet/wire.h"
#include "punch/probe.h"
#include "punch/punch.h"

static double ms(const struct watch *v)
{
	return (double)sim_now(v->world->sim) / 1e6 - 1000;
}

void watch_blame(struct watch *v, const char *fmt, ...)
{
	va_list ap;
	int at;

	if (v->why[0])
		return;
	at = snprintf(v->why, sizeof(v->why), "at %.3f ms: ", ms(v));
	va_start(ap, fmt);
	vsnprintf(v->why + at, sizeof(v->why) - (size_t)at, fmt, ap);
	va_end(ap);
	watch_say(v, "BROKEN: %s", v->why);
}

void watch_say(const struct watch *v, const char *fmt, ...)
{
	va_list ap;

	if (!v->trace)
		return;
	fprintf(v->trace, "%12.3f  ", ms(v));
	va_start(ap, fmt);
	vfprintf(v->trace, fmt, ap);
	va_end(ap);
	fputc('\n', v->trace);
}

/* ---- the trace -------------------------------------------------------- */

static const char *meet_text(uint8_t kind)
{
	static const char *const names[] = {
		"?", "hello", "challenge", "register", "registered", "refused",
		"keepalive", "alive", "connect", "intro", "intro-ack",
		"delivered", "failed", "list", "members", "bye", "unknown",
		"no-channel",
	};

	return kind < sizeof(names) / sizeof(*names) ? names[kind] : "?";
}

static void kind_text(const uint8_t *buf, size_t len, char *out, size_t cap)
{
	static const char *const wg[] = { "?", "initiation", "response",
					  "cookie", "data" };

	switch (hp_datagram_kind(buf, len)) {
	case HP_DGRAM_RELAY:
		snprintf(out, cap, "relayed ");
		kind_text(buf + HP_RELAY_HEAD, len - HP_RELAY_HEAD,
			  out + 8, cap - 8);
		return;
	case HP_DGRAM_WG:
		snprintf(out, cap, "wireguard %s", wg[buf[0]]);
		return;
	case HP_DGRAM_WG_DATA:
		if (len < 16)
			break;
		snprintf(out, cap, "data %08x/%" PRIu64, hp_get_le32(buf + 4),
			 hp_get_le64(buf + 8));
		return;
	case HP_DGRAM_STUN:
		snprintf(out, cap, "stun");
		return;
	case HP_DGRAM_MEET:
		snprintf(out, cap, "%s", meet_text(buf[3]));
		return;
	case HP_DGRAM_PROBE:
		snprintf(out, cap, "probe");
		return;
	case HP_DGRAM_NOTE:
	case HP_DGRAM_CALL:
		snprintf(out, cap, "note");
		return;
	case HP_DGRAM_NONE:
		break;
	}
	snprintf(out, cap, "rubbish");
}

static const char *fate_text(enum sim_fate fate)
{
	switch (fate) {
	case SIM_SENT:
		return "sent";
	case SIM_ARRIVED:
		return "arrived";
	case SIM_LOST:
		return "LOST";
	case SIM_FILTERED:
		return "FILTERED";
	case SIM_TTL:
		return "OUT OF HOPS";
	case SIM_TOO_LONG:
		return "TOO LONG";
	case SIM_NOWHERE:
		return "NOBODY THERE";
	case SIM_NO_HAIRPIN:
		return "NO HAIRPIN";
	case SIM_NO_PORT:
		return "NO PORT LEFT";
	}
	return "?";
}

static void trace(const struct watch *v, const struct sim_sight *s)
{
	char kind[64], from[HP_ADDR_TEXT], to[HP_ADDR_TEXT], ttl[24] = "";

	kind_text(s->buf, s->len, kind, sizeof(kind));
	if (s->fate == SIM_SENT && s->ttl < 64)
		snprintf(ttl, sizeof(ttl), ", %d hops", s->ttl);
	watch_say(v, "#%-6" PRIu64 " %-8s %-12s %-26s %s > %s (%zu%s)", s->id,
		  sim_world_name(v->world, s->host), fate_text(s->fate), kind,
		  hp_addr_text(&s->from, from), hp_addr_text(&s->to, to),
		  s->len, ttl);
}

/* FNV-1a */
static void hash(struct watch *v, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		v->hash = (v->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static void hash_sight(struct watch *v, const struct sim_sight *s)
{
	const uint64_t facts[] = { sim_now(v->world->sim), s->id,
				   (uint64_t)s->fate, (uint64_t)s->ttl };

	hash(v, facts, sizeof(facts));
	hash(v, &s->from, sizeof(s->from));
	hash(v, &s->to, sizeof(s->to));
	hash(v, s->buf, s->len);
}

/* ---- what must not be -------------------------------------------------- */

static struct watch_session *session(struct watch *v,
				     const struct sim_host *host,
				     unsigned int run, uint32_t receiver)
{
	struct watch_session *s;

	for (size_t i = v->n_sessions; i; i--) {
		s = &v->sessions[i - 1];
		if (s->host == host && s->run == run && s->receiver == receiver)
			return s;
	}
	v->sessions = reallocarray(v->sessions, v->n_sessions + 1, sizeof(*s));
	assert(v->sessions);
	s = &v->sessions[v->n_sessions++];
	*s = (struct watch_session){ host, run, receiver, UINT64_MAX,
					     { 0 } };
	return s;
}

/* A session's nonce is used once: the sender, single-threaded, counts up. The
 * last message may be sent again as it was, over a second path: its tag says
 * that it is the same.
 */
static void look_at_data(struct watch *v, const struct sim_sight *sight,
			 unsigned int run, const uint8_t *buf, size_t len)
{
	struct watch_session *s;
	uint64_t counter;

	if (len < 32) {
		watch_blame(v, "data message of %zu bytes", len);
		return;
	}
	s = session(v, sight->host, run, hp_get_le32(buf + 4));
	counter = hp_get_le64(buf + 8);
	if (counter == s->counter &&
	    !memcmp(s->tag, buf + len - sizeof(s->tag), sizeof(s->tag)))
		return;
	memcpy(s->tag, buf + len - sizeof(s->tag), sizeof(s->tag));
	if (s->counter != UINT64_MAX && counter <= s->counter)
		watch_blame(v, "%s used nonce %" PRIu64 " of session %08x "
			    "after %" PRIu64,
			    sim_world_name(v->world, sight->host), counter,
			    s->receiver, s->counter);
	s->counter = counter;
}

/* In no second more than guessing and ordinary punching may send. */
static void look_at_rate(struct watch *v, unsigned int node)
{
	uint64_t *at = v->recent[node], now = sim_now(v->world->sim);
	unsigned int n = v->probes[node]++, k = 1;

	at[n % WATCH_RATE] = now;
	while (k < WATCH_RATE && k <= n && at[(n - k) % WATCH_RATE] + HP_S > now)
		k++;
	if (k > v->most)
		v->most = k;
	if (k > WATCH_GUESSES + WATCH_PROBES * (v->world->n_nodes - 1))
		watch_blame(v, "%s sent %u probes within a second",
			    sim_world_name(v->world,
					   v->world->nodes[node].host), k);
}

static void look(struct watch *v, const struct sim_sight *s, unsigned int node)
{
	const uint8_t *buf = s->buf;
	size_t len = s->len;

	if (hp_datagram_kind(buf, len) == HP_DGRAM_RELAY) {
		buf += HP_RELAY_HEAD;
		len -= HP_RELAY_HEAD;
	}
	switch (hp_datagram_kind(buf, len)) {
	case HP_DGRAM_WG_DATA:
		look_at_data(v, s, v->world->nodes[node].runs, buf, len);
		break;
	case HP_DGRAM_PROBE:
		if (len == HP_PROBE_MIN)
			look_at_rate(v, node);
		break;
	case HP_DGRAM_NONE:
	case HP_DGRAM_RELAY:
		watch_blame(v, "%s sent rubbish",
			    sim_world_name(v->world, s->host));
		break;
	case HP_DGRAM_WG:
	case HP_DGRAM_STUN:
	case HP_DGRAM_MEET:
	case HP_DGRAM_NOTE:
	case HP_DGRAM_CALL:
		break;
	}
}

static bool is_stranger(const struct watch *v, const struct hp_addr *a)
{
	struct hp_addr s;

	if (!v->stranger)
		return false;
	s = sim_host_addr(v->stranger, 0);
	return hp_addr_same_ip(&s, a);
}

static void sent(struct watch *v, const struct sim_sight *s)
{
	enum hp_datagram kind = hp_datagram_kind(s->buf, s->len);
	struct sim_world *w = v->world;

	if (s->host == v->stranger)
		return;
	/* He gets an answer to an authentic probe or handshake that he was the
	 * first to deliver, never what was meant for the peer.
	 */
	if (is_stranger(v, &s->to) &&
	    (kind == HP_DGRAM_WG_DATA || kind == HP_DGRAM_RELAY))
		watch_blame(v, "%s took a stranger for its peer",
			    sim_world_name(w, s->host));
	for (unsigned int i = 0; i < w->n_nodes; i++)
		if (w->nodes[i].host == s->host)
			look(v, s, i);
	if (v->stranger && !hp_rng_below(sim_rng(w->sim), v->copy_one_in))
		sim_send(v->stranger, s->from.port, &s->to, 0, s->buf, s->len);
}

static void see(void *ctx, const struct sim_sight *s)
{
	struct watch *v = ctx;

	if (v->trace)
		trace(v, s);
	if (v->hashed)
		hash_sight(v, s);
	if (s->fate == SIM_SENT)
		sent(v, s);
}

void watch_begin(struct watch *v, struct sim_world *w, FILE *out)
{
	memset(v, 0, sizeof(*v));
	v->world = w;
	v->trace = out;
	sim_observe(w->sim, see, v);
}

void watch_end(struct watch *v)
{
	free(v->sessions);
}

static bool is_behind(const struct sim_world_node *x, const struct sim_nat *nat)
{
	const struct sim_nat *r = sim_host_behind(x->host);

	while (r && r != nat)
		r = sim_nat_outside(r);
	return r;
}

/* What the nodes behind the router @r may cost it: addresses that they left live
 * on for a while, and one that starts anew knows nothing of those from before. 24
 * are asked for at servers while it learns what the router does. One that lets
 * strangers in has us answer each socket of a peer that guesses, too.
 */
static size_t ports_of(const struct watch *v, const struct sim_nat *r)
{
	size_t most = 0;

	for (unsigned int i = 0; i < v->world->n_nodes; i++) {
		const struct sim_world_node *x = &v->world->nodes[i];

		if (!is_behind(x, r))
			continue;
		most += 2 * HP_PUNCH_PATHS * (v->world->n_nodes - 1) +
			WATCH_PORTS * x->runs;
		most += sim_nat_config(r)->filtering == SIM_APDF ? 24 :
								   WATCH_PORTS;
	}
	return most;
}

static void look_at_ports(struct watch *v, const struct sim_world_node *x)
{
	if (x->most_extra > WATCH_PORTS)
		watch_blame(v, "%s opened %u sockets",
			    sim_world_name(v->world, x->host), x->most_extra);
	for (struct sim_nat *r = sim_host_behind(x->host); r;
	     r = sim_nat_outside(r))
		if (sim_nat_exceeds(r, ports_of(v, r)))
			watch_blame(v, "%zu mappings before %s",
				    sim_nat_count(r),
				    sim_world_name(v->world, x->host));
}

static void look_at_caps(struct watch *v)
{
	struct sim_world *w = v->world;
	struct hp_registry_stats rs;

	for (unsigned int i = 0; i < w->n_nodes; i++)
		look_at_ports(v, &w->nodes[i]);
	for (unsigned int i = 0; i < w->n_servers; i++) {
		if (!w->servers[i].registry)
			continue;
		hp_registry_stats(w->servers[i].registry, &rs);
		if (rs.nodes > w->n_nodes ||
		    rs.relay.channels > w->n_nodes * (w->n_nodes - 1) / 2)
			watch_blame(v, "a server has %zu nodes, %zu channels",
				    rs.nodes, rs.relay.channels);
	}
}

bool watch_ok(struct watch *v)
{
	struct sim_world *w = v->world;

	for (unsigned int i = 0; i < w->n_nodes; i++) {
		const struct sim_world_node *x = &w->nodes[i];

		if (x->bad)
			watch_blame(v, "%s was delivered what nobody sent",
				    sim_world_name(w, x->host));
		if (x->twice)
			watch_blame(v, "%s was delivered a packet twice",
				    sim_world_name(w, x->host));
	}
	if (w->amplified)
		watch_blame(v, "the server said more than it was asked");
	look_at_caps(v);
	return !v->why[0];
}
