/* SPDX-License-Identifier: ISC */
/*
 * The two MACs that end every handshake message, and the cookies that prove
 * an address when there is too much to do (WireGuard paper 5.3, 5.4.4, 5.4.7).
 * The checker belongs to an interface, a maker to each of its peers.
 */
#ifndef HP_WG_COOKIE_H
#define HP_WG_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"
#include "base/path.h"
#include "base/rng.h"
#include "wg/wire.h"

/* Keys that everybody can derive from a public key. */
struct hp_cookie_keys {
	struct hp_secret mac1;
	struct hp_secret box;
};

void hp_cookie_keys_of(const struct hp_public *public,
		       struct hp_cookie_keys *out);

struct hp_cookie_checker {
	struct hp_cookie_keys keys;	/* of our own public key */
	struct hp_secret secret;	/* cookies are MACs under it */
	uint64_t secret_ns;		/* when drawn */
	bool has_secret;
};

struct hp_cookie_maker {
	const struct hp_public *to;	/* the peer's public key (borrowed) */
	uint8_t cookie[16];
	uint64_t cookie_ns;		/* when received */
	bool has_cookie;
	uint8_t mac1[16];		/* of the last message sent */
	bool has_mac1;
};

/* Writes mac1, and mac2 if a fresh cookie is there, to the end of @msg. */
void hp_cookie_sign(struct hp_cookie_maker *m, uint8_t *msg, size_t len,
		    uint64_t now_ns);
/* Is mac1, the key to our door, right? @len includes both MACs. */
bool hp_cookie_mac1_ok(const struct hp_cookie_checker *c, const uint8_t *msg,
		       size_t len);
/* Does mac2 prove that the sender is at @from? */
bool hp_cookie_mac2_ok(const struct hp_cookie_checker *c, const uint8_t *msg,
		       size_t len, const struct hp_path *from,
		       uint64_t now_ns);
/* Answers @msg of a sender at @from with a cookie for it. */
void hp_cookie_reply_make(struct hp_cookie_checker *c,
			  const struct hp_rng *rng, const uint8_t *msg,
			  size_t len, const struct hp_path *from,
			  uint64_t now_ns, struct hp_wire_cookie *out);
/* HP_OK; HP_ERR_STATE when nothing was sent that it could answer;
 * HP_ERR_AUTH.
 */
enum hp_err hp_cookie_reply_consume(struct hp_cookie_maker *m,
				    const struct hp_wire_cookie *reply,
				    uint64_t now_ns) HP_MUST_CHECK;

#endif
