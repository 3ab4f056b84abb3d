/* SPDX-License-Identifier: ISC */
/*
 * STUN Binding (RFC 8489), both ends, so far as it needs no credentials, and
 * the answer to clients of RFC 3489, which send no magic cookie. Of RFC 5780,
 * CHANGE-REQUEST for the port alone (a server has one address here) and
 * RESPONSE-PORT.
 */
#ifndef HP_MEET_STUN_H
#define HP_MEET_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define HP_STUN_HEAD 20
#define HP_STUN_TID_LEN 12
/* Our own requests are as long as an answer with an IPv6 address. */
#define HP_STUN_REQUEST_LEN 44
/* The longest answer: an IPv6 address and a fingerprint. */
#define HP_STUN_REPLY_MAX 52
/* Unknown attributes that an error names. */
#define HP_STUN_UNKNOWN_MAX 2

/**
 * struct hp_stun_request - What a Binding request asks
 * @id:          magic cookie and transaction id, as they came
 * @classic:     RFC 3489: no cookie
 * @fingerprint: it had one (and it was right): the answer gets one
 * @change_ip:   wants the answer from another IP
 * @change_port: wants the answer from another port
 * @response_port: wants the answer sent to this port of its own address; 0: to
 *               where the request came from
 * @unknown:     attributes that must be understood and are not
 * @n_unknown:   how many of them are in @unknown
 */
struct hp_stun_request {
	uint8_t id[16];
	bool classic;
	bool fingerprint;
	bool change_ip;
	bool change_port;
	uint16_t response_port;
	uint16_t unknown[HP_STUN_UNKNOWN_MAX];
	size_t n_unknown;
};

/* Writes a Binding request with transaction id @tid. */
void hp_stun_request_put(uint8_t out[HP_STUN_REQUEST_LEN],
			 const uint8_t tid[HP_STUN_TID_LEN]);
/* The same, for an answer from the server's other port (@change_port), or to
 * another port of ours (@response_port, 0: none), or both.
 */
void hp_stun_probe_put(uint8_t out[HP_STUN_REQUEST_LEN],
		       const uint8_t tid[HP_STUN_TID_LEN], bool change_port,
		       uint16_t response_port);

/**
 * hp_stun_request_get() - Read a Binding request
 *
 * Return: HP_OK; HP_ERR_TYPE: no Binding request (an indication, an answer,
 *         something else); HP_ERR_SHORT; HP_ERR_FORMAT: lengths do not add up;
 *         HP_ERR_AUTH: the fingerprint is wrong.
 * Source: RFC 8489 6.3, 14.7; RFC 3489 8.1
 */
enum hp_err hp_stun_request_get(const uint8_t *msg, size_t len,
				struct hp_stun_request *out) HP_MUST_CHECK;

/* Writes the answer: @seen, or error 420 when there are unknown attributes.
 * Returns its length.
 */
size_t hp_stun_reply_put(const struct hp_stun_request *req,
			 const struct hp_addr *seen,
			 uint8_t out[HP_STUN_REPLY_MAX]);

/**
 * hp_stun_reply_get() - Read the answer to our request @tid
 *
 * Takes XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS of old servers.
 *
 * Return: HP_OK with @seen; HP_ERR_TYPE: not an answer to @tid; HP_ERR_SHORT;
 *         HP_ERR_FORMAT; HP_ERR_AUTH: the fingerprint is wrong;
 *         HP_ERR_DENIED: an error answer.
 */
enum hp_err hp_stun_reply_get(const uint8_t *msg, size_t len,
			      const uint8_t tid[HP_STUN_TID_LEN],
			      struct hp_addr *seen) HP_MUST_CHECK;

#endif
