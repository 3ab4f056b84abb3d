/* SPDX-License-Identifier: ISC */
/*
 * The client's side of the Port Control Protocol (RFC 6887), for one UDP port
 * of ours: asks the gateway to let whatever comes to a port of its external
 * address through to it, and holds that lease. With IPv6 the same request makes
 * a hole in the gateway's firewall. No socket and no clock here.
 */
#ifndef HP_PUNCH_PCP_H
#define HP_PUNCH_PCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/time.h"

/* Where a gateway listens, and where it tells all hosts of its restart. */
#define HP_PCP_PORT 5351
#define HP_PCP_NEWS_PORT 5350
/* A request or answer about a mapping; and the longest message there is. */
#define HP_PCP_LEN 60
#define HP_PCP_MAX 1100
#define HP_PCP_NONCE 12
/* What is asked for, and more than which is not believed. */
#define HP_PCP_LIFETIME_S 7200
#define HP_PCP_LIFETIME_MAX_S 86400

/* Result codes (7.4). */
enum hp_pcp_result {
	HP_PCP_SUCCESS = 0,
	HP_PCP_UNSUPP_VERSION = 1,
	HP_PCP_NOT_AUTHORIZED = 2,
	HP_PCP_MALFORMED_REQUEST = 3,
	HP_PCP_UNSUPP_OPCODE = 4,
	HP_PCP_UNSUPP_OPTION = 5,
	HP_PCP_MALFORMED_OPTION = 6,
	HP_PCP_NETWORK_FAILURE = 7,
	HP_PCP_NO_RESOURCES = 8,
	HP_PCP_UNSUPP_PROTOCOL = 9,
	HP_PCP_USER_EX_QUOTA = 10,
	HP_PCP_CANNOT_PROVIDE_EXTERNAL = 11,
	HP_PCP_ADDRESS_MISMATCH = 12,
	HP_PCP_EXCESSIVE_REMOTE_PEERS = 13,
};

/* A phrase for it; a number that is not known gets one, too. Never NULL. */
const char *hp_pcp_result_text(unsigned int result);

enum hp_pcp_kind {
	HP_PCP_ANNOUNCE = 0,	/* the gateway is there, or there again */
	HP_PCP_MAP = 1,
};

/**
 * struct hp_pcp_map - A request for a mapping
 * @host:       our address and port inside
 * @external:   what we would like, unspecified for no matter
 * @lifetime_s: 0: delete it
 */
struct hp_pcp_map {
	struct hp_addr host;
	struct hp_addr external;
	uint8_t nonce[HP_PCP_NONCE];
	uint32_t lifetime_s;
};

/**
 * struct hp_pcp_answer - What a gateway says
 * @kind:       HP_PCP_ANNOUNCE: only the first four are set
 * @lifetime_s: of the lease; of an error: how long it will last
 * @epoch_s:    how long the gateway has known its mappings
 * @external:   family HP_AF_NONE: it is no address
 */
struct hp_pcp_answer {
	enum hp_pcp_kind kind;
	unsigned int result;
	uint32_t lifetime_s;
	uint32_t epoch_s;
	uint8_t nonce[HP_PCP_NONCE];
	uint8_t protocol;
	uint16_t port;
	struct hp_addr external;
};

void hp_pcp_request(const struct hp_pcp_map *m, uint8_t out[HP_PCP_LEN]);

/**
 * hp_pcp_answer_get() - Read an answer
 * @out: filled with HP_OK, and but for the mapping with HP_ERR_VERSION
 *
 * Return: HP_OK; HP_ERR_SHORT; HP_ERR_FORMAT: length; HP_ERR_VERSION: of
 *         another protocol version, 0 being NAT-PMP; HP_ERR_TYPE: a request, or
 *         an opcode that is not ours.
 */
enum hp_err hp_pcp_answer_get(const uint8_t *buf, size_t len,
			      struct hp_pcp_answer *out) HP_MUST_CHECK;

/*
 * The lease:
 *
 *	ASKING --answer--> HELD --half of it is over--> asks again, three
 *	  |  ^               |    quarters, seven eighths ... of it
 *	  |  '---- expired, -'
 *	  |        gateway restarted
 *	  +--error---------> REFUSED --the error's lifetime--> ASKING
 *	  +--version 0-----> OLD         (NAT-PMP alone)
 *	  '--version other-> FOREIGN
 *	any --hp_pcp_end()-> ENDING --answer, or two requests--> ENDED
 */
enum hp_pcp_state {
	HP_PCP_ASKING,
	HP_PCP_HELD,
	HP_PCP_REFUSED,
	HP_PCP_OLD,
	HP_PCP_FOREIGN,
	HP_PCP_ENDING,
	HP_PCP_ENDED,
};

/**
 * struct hp_pcp - One lease; read only the fields up to @tries from outside
 * @gateway:  who is asked
 * @host:     our address and port inside
 * @external: of the lease; of the last one, when there is none
 * @until_ns: its end
 * @result:   of the last answer
 * @tries:    requests since the last answer
 */
struct hp_pcp {
	enum hp_pcp_state state;
	struct hp_addr gateway;
	struct hp_addr host;
	struct hp_addr external;
	uint64_t until_ns;
	unsigned int result;
	unsigned int tries;

	const struct hp_rng *rng;
	uint8_t nonce[HP_PCP_NONCE];
	uint64_t next_ns;	/* of the next request, or HP_NEVER */
	uint64_t rt_ns;		/* wait after the last request */
	bool epoch_known;
	uint32_t epoch_s;	/* of the last answer, at @epoch_ns */
	uint64_t epoch_ns;
};

/**
 * hp_pcp_init() - Begin to ask for a lease
 * @gateway: its address; the port is HP_PCP_PORT, whatever it says
 * @host:    our address on the way to it, and the port that is to be reached
 * @nonce:   the gateway changes the mapping only for who knows it: random, and
 *           the same again for who wants its lease back after a crash
 * @rng:     borrowed for the life of @p
 */
void hp_pcp_init(struct hp_pcp *p, const struct hp_addr *gateway,
		 const struct hp_addr *host, const uint8_t nonce[HP_PCP_NONCE],
		 const struct hp_rng *rng, uint64_t now_ns);
/* Asks at once: the lease may be gone. */
void hp_pcp_again(struct hp_pcp *p, uint64_t now_ns);
/* When hp_pcp_tick() is due; HP_NEVER: not at all. */
uint64_t hp_pcp_deadline(const struct hp_pcp *p);
/* What is due at @now_ns; HP_PCP_LEN when @out is to be sent, or 0. */
size_t hp_pcp_tick(struct hp_pcp *p, uint64_t now_ns, uint8_t out[HP_PCP_LEN]);

/**
 * hp_pcp_rx() - A datagram came
 *
 * Return: HP_OK: it was for us, and @p changed; what hp_pcp_answer_get()
 *         returns; HP_ERR_DENIED: not from the gateway; HP_ERR_AUTH: not an
 *         answer to our request; HP_ERR_STATE: nothing new, or too late.
 */
enum hp_err hp_pcp_rx(struct hp_pcp *p, const struct hp_addr *from,
		      const uint8_t *buf, size_t len, uint64_t now_ns)
	HP_MUST_CHECK;

/* Gives the lease back; nothing to be sent when there was none. */
void hp_pcp_end(struct hp_pcp *p, uint64_t now_ns);

#endif
