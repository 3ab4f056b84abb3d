/* SPDX-License-Identifier: ISC */
/* See pcp.h for the states. Section numbers are those of RFC 6887. */
#include "punch/pcp.h"

#include <string.h>

#include "base/bytes.h"

#define VERSION 2
#define ANSWER 0x80
#define UDP 17
#define HEAD_LEN 24

/* Retransmission (8.1.1). */
#define RT_FIRST_NS (3 * HP_S)
#define RT_MAX_NS (1024 * HP_S)
/* No two renewals are nearer (11.2.1). */
#define RENEW_LEAST_NS (4 * HP_S)
/* An error is believed to last so long, whatever the gateway says. */
#define ERROR_LEAST_S 30
#define ERROR_MOST_S 1800
/* After a restart of the gateway all hosts ask at once, but for this (14.1). */
#define SPREAD_MS 1000
/* Giving back: a gateway in the LAN answers in milliseconds, and one request of
 * it may be lost. Who ends waits for a silent one for a quarter of a second.
 */
#define END_TRIES 2
#define END_RT_NS (125 * HP_MS)

struct wire_map {
	uint8_t version;
	uint8_t opcode;
	uint8_t reserved[2];
	uint8_t lifetime[4];
	uint8_t host[16];
	uint8_t nonce[HP_PCP_NONCE];
	uint8_t protocol;
	uint8_t reserved2[3];
	uint8_t port[2];
	uint8_t external_port[2];
	uint8_t external[16];
};
_Static_assert(sizeof(struct wire_map) == HP_PCP_LEN, "wire size");

/* The answer's header; its mapping lies where the request has it. */
struct wire_answer {
	uint8_t version;
	uint8_t opcode;
	uint8_t reserved;
	uint8_t result;
	uint8_t lifetime[4];
	uint8_t epoch[4];
	uint8_t reserved2[12];
};
_Static_assert(sizeof(struct wire_answer) == HEAD_LEN, "wire size");

const char *hp_pcp_result_text(unsigned int result)
{
	switch ((enum hp_pcp_result)result) {
	case HP_PCP_SUCCESS:
		return "done";
	case HP_PCP_UNSUPP_VERSION:
		return "it speaks another version";
	case HP_PCP_NOT_AUTHORIZED:
		return "it does not allow this host to open ports";
	case HP_PCP_MALFORMED_REQUEST:
		return "it cannot read the request";
	case HP_PCP_UNSUPP_OPCODE:
		return "it does not map ports";
	case HP_PCP_UNSUPP_OPTION:
	case HP_PCP_MALFORMED_OPTION:
		return "it does not take an option";
	case HP_PCP_NETWORK_FAILURE:
		return "it has no address outside";
	case HP_PCP_NO_RESOURCES:
		return "it has no room for another mapping";
	case HP_PCP_UNSUPP_PROTOCOL:
		return "it does not map UDP";
	case HP_PCP_USER_EX_QUOTA:
		return "this host has as many mappings as it may";
	case HP_PCP_CANNOT_PROVIDE_EXTERNAL:
		return "the port is taken";
	case HP_PCP_ADDRESS_MISMATCH:
		return "another NAT stands between it and this host";
	case HP_PCP_EXCESSIVE_REMOTE_PEERS:
		return "too many remote peers";
	}
	return "a result that is not known";
}

/* ---- bytes --------------------------------------------------------------- */

/* IPv4 is written as an IPv4-mapped IPv6 address (section 5). */
static void put_ip(uint8_t out[16], const struct hp_addr *a)
{
	memset(out, 0, 16);
	if (a->family == HP_AF_4) {
		out[10] = 0xff;
		out[11] = 0xff;
		memcpy(out + 12, a->ip, 4);
	} else {
		memcpy(out, a->ip, 16);
	}
}

void hp_pcp_request(const struct hp_pcp_map *m, uint8_t out[HP_PCP_LEN])
{
	struct wire_map w = {
		.version = VERSION,
		.opcode = HP_PCP_MAP,
		.protocol = UDP,
	};

	hp_put_be32(w.lifetime, m->lifetime_s);
	put_ip(w.host, &m->host);
	memcpy(w.nonce, m->nonce, sizeof(w.nonce));
	hp_put_be16(w.port, m->host.port);
	hp_put_be16(w.external_port, m->external.port);
	put_ip(w.external, &m->external);
	memcpy(out, &w, sizeof(w));
}

static struct hp_addr get_external(const struct wire_map *w)
{
	struct hp_addr a = hp_addr_of(HP_AF_6, w->external,
				      hp_get_be16(w->external_port));

	/* Of no use to anybody, hence no address. */
	return a.port && hp_addr_scope(&a) != HP_SCOPE_NONE
		       ? a : (struct hp_addr){ 0 };
}

enum hp_err hp_pcp_answer_get(const uint8_t *buf, size_t len,
			      struct hp_pcp_answer *out)
{
	struct hp_pcp_answer a = { 0 };
	struct wire_answer head;
	struct wire_map w;

	/* NAT-PMP's refusal of our version has eight bytes (RFC 6886, 3.5). */
	if (len < 4)
		return HP_ERR_SHORT;
	if (!(buf[1] & ANSWER) && buf[0] == VERSION)
		return HP_ERR_TYPE;
	a.result = HP_PCP_UNSUPP_VERSION;
	if (buf[0] != VERSION) {
		*out = a;
		return HP_ERR_VERSION;
	}
	if (len < HEAD_LEN)
		return HP_ERR_SHORT;
	if (len > HP_PCP_MAX || len % 4)
		return HP_ERR_FORMAT;
	memcpy(&head, buf, sizeof(head));
	a.kind = (enum hp_pcp_kind)(head.opcode & ~ANSWER);
	a.result = head.result;
	a.lifetime_s = hp_get_be32(head.lifetime);
	a.epoch_s = hp_get_be32(head.epoch);
	if (a.kind == HP_PCP_MAP) {
		if (len < sizeof(w))
			return HP_ERR_SHORT;
		memcpy(&w, buf, sizeof(w));
		memcpy(a.nonce, w.nonce, sizeof(a.nonce));
		a.protocol = w.protocol;
		a.port = hp_get_be16(w.port);
		a.external = get_external(&w);
	} else if (a.kind != HP_PCP_ANNOUNCE) {
		return HP_ERR_TYPE;
	}
	*out = a;
	return HP_OK;
}

/* ---- when to ask --------------------------------------------------------- */

/* Something between 9/10 and 11/10 of @ns. */
static uint64_t about(const struct hp_pcp *p, uint64_t ns)
{
	return ns / 1000 * (900 + hp_rng_below(p->rng, 201));
}

static void ask_from(struct hp_pcp *p, uint64_t at_ns)
{
	p->state = HP_PCP_ASKING;
	p->tries = 0;
	p->rt_ns = 0;
	p->next_ns = at_ns;
}

/* 8.1.1: the wait doubles, up to a quarter of an hour, without an end. */
static void wait_for_answer(struct hp_pcp *p, uint64_t now_ns)
{
	uint64_t rt_ns = p->rt_ns ? hp_time_min(2 * p->rt_ns, RT_MAX_NS)
				  : RT_FIRST_NS;

	p->rt_ns = about(p, rt_ns);
	p->next_ns = now_ns + p->rt_ns;
}

/* 11.2.1: at half of the lease or a little later, then when half of what is
 * left is over, and so on.
 */
static void wait_to_renew(struct hp_pcp *p, uint64_t now_ns)
{
	uint64_t left_ns = hp_time_since(p->until_ns, now_ns);
	uint64_t wait_ns = left_ns / 2 + left_ns / 8000 *
					 hp_rng_below(p->rng, 1001);

	if (wait_ns < RENEW_LEAST_NS)
		wait_ns = RENEW_LEAST_NS;
	p->next_ns = now_ns + wait_ns;
}

void hp_pcp_init(struct hp_pcp *p, const struct hp_addr *gateway,
		 const struct hp_addr *host, const uint8_t nonce[HP_PCP_NONCE],
		 const struct hp_rng *rng, uint64_t now_ns)
{
	*p = (struct hp_pcp){ .gateway = *gateway, .host = *host, .rng = rng };
	p->gateway.port = HP_PCP_PORT;
	/* The same port outside as inside is what a server sees, mostly. */
	p->external = (struct hp_addr){ .family = host->family,
					.port = host->port };
	memcpy(p->nonce, nonce, sizeof(p->nonce));
	ask_from(p, now_ns);
}

void hp_pcp_again(struct hp_pcp *p, uint64_t now_ns)
{
	if (p->state != HP_PCP_ENDING && p->state != HP_PCP_ENDED)
		ask_from(p, now_ns);
}

uint64_t hp_pcp_deadline(const struct hp_pcp *p)
{
	return p->state == HP_PCP_HELD ? hp_time_min(p->next_ns, p->until_ns)
				       : p->next_ns;
}

static size_t request(struct hp_pcp *p, uint32_t lifetime_s,
		      uint8_t out[HP_PCP_LEN])
{
	struct hp_pcp_map m = {
		.host = p->host,
		.external = p->external,
		.lifetime_s = lifetime_s,
	};

	if (!lifetime_s)
		m.external = (struct hp_addr){ .family = p->host.family };
	memcpy(m.nonce, p->nonce, sizeof(m.nonce));
	hp_pcp_request(&m, out);
	p->tries++;
	return HP_PCP_LEN;
}

static size_t tick_ending(struct hp_pcp *p, uint64_t now_ns,
			  uint8_t out[HP_PCP_LEN])
{
	if (p->tries == END_TRIES) {
		p->state = HP_PCP_ENDED;
		p->next_ns = HP_NEVER;
		return 0;
	}
	p->next_ns = now_ns + END_RT_NS;
	return request(p, 0, out);
}

size_t hp_pcp_tick(struct hp_pcp *p, uint64_t now_ns, uint8_t out[HP_PCP_LEN])
{
	if (p->state == HP_PCP_HELD && now_ns >= p->until_ns)
		ask_from(p, now_ns);
	if (now_ns < p->next_ns)
		return 0;
	switch (p->state) {
	case HP_PCP_REFUSED:
		ask_from(p, now_ns);
		wait_for_answer(p, now_ns);
		break;
	case HP_PCP_ASKING:
		wait_for_answer(p, now_ns);
		break;
	case HP_PCP_HELD:
		wait_to_renew(p, now_ns);
		break;
	case HP_PCP_ENDING:
		return tick_ending(p, now_ns, out);
	case HP_PCP_OLD:
	case HP_PCP_FOREIGN:
	case HP_PCP_ENDED:
		p->next_ns = HP_NEVER;
		return 0;
	}
	return request(p, HP_PCP_LIFETIME_S, out);
}

/* ---- answers ------------------------------------------------------------- */

/* 8.5: does the gateway still know what it knew at the last answer? Its clock
 * went back, or the two clocks have drifted by more than a sixteenth.
 */
static bool epoch_holds(struct hp_pcp *p, uint32_t epoch_s, uint64_t now_ns)
{
	uint64_t ours_s = hp_time_since(now_ns, p->epoch_ns) / HP_S;
	uint64_t theirs_s = epoch_s > p->epoch_s ? epoch_s - p->epoch_s : 0;
	bool back = (uint64_t)epoch_s + 1 < p->epoch_s;
	bool known = p->epoch_known;

	p->epoch_known = true;
	p->epoch_s = epoch_s;
	p->epoch_ns = now_ns;
	if (!known)
		return true;
	return !back && ours_s + 2 >= theirs_s - theirs_s / 16 &&
	       theirs_s + 2 >= ours_s - ours_s / 16;
}

static void granted(struct hp_pcp *p, const struct hp_pcp_answer *a,
		    uint64_t now_ns)
{
	uint64_t lifetime_s = a->lifetime_s < HP_PCP_LIFETIME_MAX_S
				      ? a->lifetime_s : HP_PCP_LIFETIME_MAX_S;

	p->state = HP_PCP_HELD;
	p->external = a->external;
	p->until_ns = now_ns + lifetime_s * HP_S;
	p->tries = 0;
	p->rt_ns = 0;
	wait_to_renew(p, now_ns);
}

/* What is held stays until its end, whatever is said of renewing it. */
static void refused(struct hp_pcp *p, const struct hp_pcp_answer *a,
		    uint64_t now_ns)
{
	uint64_t s = a->lifetime_s;

	if (p->state == HP_PCP_HELD)
		return;
	s = s < ERROR_LEAST_S ? ERROR_LEAST_S : s;
	s = s > ERROR_MOST_S ? ERROR_MOST_S : s;
	p->state = HP_PCP_REFUSED;
	p->next_ns = now_ns + s * HP_S;
}

/* After a restart the gateway knows no lease; all hosts hear it at once. */
static enum hp_err rx_announce(struct hp_pcp *p, const struct hp_pcp_answer *a,
			       uint64_t now_ns)
{
	if (a->result || epoch_holds(p, a->epoch_s, now_ns))
		return HP_ERR_STATE;
	hp_pcp_again(p, now_ns + hp_rng_below(p->rng, SPREAD_MS) * HP_MS);
	return HP_OK;
}

static enum hp_err rx_map(struct hp_pcp *p, const struct hp_pcp_answer *a,
			  uint64_t now_ns)
{
	if (memcmp(a->nonce, p->nonce, sizeof(p->nonce)) ||
	    a->protocol != UDP || a->port != p->host.port)
		return HP_ERR_AUTH;
	if (p->state == HP_PCP_ENDED)
		return HP_ERR_STATE;
	p->result = a->result;
	if (!epoch_holds(p, a->epoch_s, now_ns) && p->state == HP_PCP_HELD)
		p->state = HP_PCP_ASKING; /* unless this answer grants it */
	if (p->state == HP_PCP_ENDING) {
		/* An answer to a request before it has another lifetime. */
		if (a->result || !a->lifetime_s) {
			p->state = HP_PCP_ENDED;
			p->next_ns = HP_NEVER;
		}
	} else if (a->result) {
		refused(p, a, now_ns);
	} else if (!a->lifetime_s || a->external.family != p->host.family) {
		p->result = HP_PCP_NETWORK_FAILURE;
		refused(p, a, now_ns);
	} else {
		granted(p, a, now_ns);
	}
	return HP_OK;
}

/* It cannot read what we say: then it holds no lease of ours either. */
static enum hp_err rx_version(struct hp_pcp *p, uint8_t version)
{
	if (p->state != HP_PCP_ASKING || !p->tries)
		return HP_ERR_STATE;
	p->result = HP_PCP_UNSUPP_VERSION;
	p->state = version ? HP_PCP_FOREIGN : HP_PCP_OLD;
	p->next_ns = HP_NEVER;
	return HP_OK;
}

enum hp_err hp_pcp_rx(struct hp_pcp *p, const struct hp_addr *from,
		      const uint8_t *buf, size_t len, uint64_t now_ns)
{
	struct hp_pcp_answer a;
	enum hp_err err;

	if (!hp_addr_eq(from, &p->gateway))
		return HP_ERR_DENIED;
	err = hp_pcp_answer_get(buf, len, &a);
	if (err == HP_ERR_VERSION)
		return rx_version(p, buf[0]);
	if (err != HP_OK)
		return err;
	return a.kind == HP_PCP_MAP ? rx_map(p, &a, now_ns)
				    : rx_announce(p, &a, now_ns);
}

void hp_pcp_end(struct hp_pcp *p, uint64_t now_ns)
{
	bool asked = p->state == HP_PCP_HELD ||
		     (p->state == HP_PCP_ASKING && p->tries);

	p->state = asked ? HP_PCP_ENDING : HP_PCP_ENDED;
	p->tries = 0;
	p->next_ns = asked ? now_ns : HP_NEVER;
}
