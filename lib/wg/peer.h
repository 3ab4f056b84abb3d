/* SPDX-License-Identifier: ISC */
/*
 * The inside of an interface and its peers. Only lib/wg (and its tests)
 * include this; everybody else uses wg/device.h.
 *
 * A peer has up to three sessions. `current` is sent on. `next` answers an
 * initiation of the peer, and becomes current when the first packet on it
 * shows that the peer has the keys. `previous` is kept for packets still in
 * flight. All three receive.
 *
 * When both ends begin at once, each completes both handshakes: its own
 * becomes current, the other's is `next` or `previous`. They settle on one by
 * the public keys: see hp_peer_confirm().
 */
#ifndef HP_WG_PEER_H
#define HP_WG_PEER_H

#include "base/heap.h"
#include "base/table.h"
#include "wg/cookie.h"
#include "wg/device.h"
#include "wg/fib.h"
#include "wg/forward.h"
#include "wg/noise.h"
#include "wg/ratelimit.h"
#include "wg/session.h"
#include "wg/stage.h"
#include "wg/wire.h"

/**
 * struct hp_wg_handshake - Our side of a handshake that we begin
 * @noise:    state behind the initiation last made, while it is pending
 * @index:    its sender index
 * @pending:  an answer to it is accepted; @noise and @index are set
 * @running:  we keep trying until answered
 * @wanting:  the last try found no path
 * @first_ns: when we began to try
 * @retry_ns: when we try again
 * @sent_ns:  when an initiation was last made; 0: never
 */
struct hp_wg_handshake {
	struct hp_noise *noise;
	uint32_t index;
	bool pending;
	bool running;
	bool wanting;
	uint64_t first_ns;
	uint64_t retry_ns;
	uint64_t sent_ns;
};

/**
 * struct hp_wg_repeat - A handshake message that is sent again; there is one
 *                       only while that may be, for peers are many
 * @len:     bytes of it
 * @n:       copies planned so far
 * @next_ns: when the next one leaves
 * @end_ns:  none after that
 * @sent_ns: when one left last
 */
struct hp_wg_repeat {
	uint8_t msg[sizeof(struct hp_wire_initiation)];
	size_t len;
	unsigned int n;
	uint64_t next_ns;
	uint64_t end_ns;
	uint64_t sent_ns;
};

struct hp_wg_peer {
	UT_hash_handle by_key;
	UT_hash_handle by_id;
	UT_hash_handle by_index;	/* while handshake.pending */
	struct hp_wg *wg;
	struct hp_fib_peer *fib;
	void *user;
	uint32_t id;
	struct hp_noise_remote remote;
	bool remote_ok;			/* remote.ss is right and not zero */
	enum hp_suite suite;		/* of the handshakes that we begin */
	unsigned int accept;		/* set of suites, of those it begins */
	struct hp_cookie_maker cookie;
	struct hp_path path;
	bool roam;
	uint16_t keepalive_s;
	struct hp_session *previous;
	struct hp_session *current;
	struct hp_session *next;
	struct hp_wg_handshake handshake;
	uint64_t repeat_ns;	/* before the first copy; 0: none are sent */
	struct hp_wg_repeat *initiation; /* while handshake.pending, or NULL */
	struct hp_wg_repeat *answer;	/* while `next` is not confirmed */
	uint8_t answered_mac1[16];	/* of what it answers */
	uint8_t timestamp[HP_WG_TIMESTAMP];	/* of the last initiation */
	uint64_t consumed_ns;	/* when it came; 0: never */
	uint64_t refused_ns;	/* last one of a suite not accepted; 0: never */
	uint64_t keys_ns;	/* birth of the newest session; 0: none */
	uint64_t handshake_ns;	/* last one completed; 0: never */
	uint64_t jitter_ns;	/* drawn anew for every initiation */
	uint64_t kept_ns;	/* last persistent keepalive tried */
	struct hp_timer timer;
	struct hp_stage *stage;	/* NULL: nothing waits */
};

/* Of what one received packet can cause, CONFIRMED and ROAMED have to wait
 * until it has been handled.
 */
#define HP_WG_NOTICES 2

struct hp_wg {
	struct hp_wg_ops ops;
	void *ctx;
	const struct hp_rng *rng;
	struct hp_fib *fib;
	struct hp_aead *aead;
	struct hp_forward forward;
	struct hp_noise_local local;
	bool has_key;
	unsigned int suites;	/* tried on initiations */
	struct hp_cookie_checker checker;
	struct hp_ratelimit limit;
	uint32_t load_per_s;
	uint32_t load_n;	/* handshake messages since load_ns */
	uint64_t load_ns;
	uint64_t load_until_ns;	/* under load until then */
	struct hp_heap heap;
	struct hp_wg_peer *by_key;
	struct hp_wg_peer *by_id;
	struct hp_wg_peer *by_index;
	uint32_t n_peers;
	uint32_t last_id;
	struct hp_notice notice[HP_WG_NOTICES];
	size_t n_notices;
};

/* peer.c: keys and path */
void hp_peer_event(struct hp_wg_peer *peer, enum hp_wg_event event);
/* Computes what depends on both static keys; keys made with others go. */
void hp_peer_key_changed(struct hp_wg_peer *peer);
struct hp_wg_peer *hp_peer_pending(struct hp_wg *wg, uint32_t index);
/* HP_ERR_NOMEM: nothing is pending. */
enum hp_err hp_peer_set_pending(struct hp_wg_peer *peer,
				const struct hp_noise *noise, uint32_t index);
void hp_peer_drop_pending(struct hp_wg_peer *peer);
/* Our own handshake is over, answered or not. */
void hp_peer_stop_handshake(struct hp_wg_peer *peer);
/* Takes the session that an answer to our initiation made; it is sent on from
 * now, over @path. HP_ERR_NOMEM: @s is still the caller's.
 */
enum hp_err hp_peer_take_initiated(struct hp_wg_peer *peer,
				   struct hp_session *s,
				   const struct hp_path *path) HP_MUST_CHECK;
/* Takes the session that our answer made; it waits to be confirmed. */
void hp_peer_take_answered(struct hp_wg_peer *peer, struct hp_session *s);
/* The peer has sent on the session with index @local for the first time. */
void hp_peer_confirm(struct hp_wg_peer *peer, uint32_t local, uint64_t now_ns);
void hp_peer_drop_keys(struct hp_wg_peer *peer);
void hp_peer_drop_staged(struct hp_wg_peer *peer);
/* The path to take after an authentic message came by @from. */
const struct hp_path *hp_peer_path_after(const struct hp_wg_peer *peer,
					 const struct hp_path *from);
/* Follows an authentic message that came by @from, if that is allowed. */
void hp_peer_follow(struct hp_wg_peer *peer, const struct hp_path *from);
/* From now on the kernel chooses our source address: the one that answers came
 * to may be gone.
 */
void hp_peer_forget_local(struct hp_wg_peer *peer);
/* Sends what waits, as far as there is a session. True if anything went. */
bool hp_peer_flush(struct hp_wg_peer *peer, uint64_t now_ns);
/* HP_ERR_NOMEM */
enum hp_err hp_peer_stage(struct hp_wg_peer *peer, const struct hp_pkt *p);
/* Passes on what was sealed, and its copy. */
void hp_peer_emit(struct hp_wg_peer *peer, const struct hp_forward_out *out,
		  struct hp_pkt *pkt);
/* Counts and passes on a handshake message that was sent. */
void hp_peer_send(struct hp_wg_peer *peer, const struct hp_path *path,
		  uint8_t *buf, size_t cap, size_t len, uint64_t now_ns);

/* handshake.c */
/* A handshake is to be tried as soon as it may be; hp_timers_run() does it.
 */
void hp_handshake_want(struct hp_wg_peer *peer, uint64_t now_ns);
/* Sends an initiation now. HP_ERR_ROUTE, HP_ERR_KEY, HP_ERR_NOMEM. */
enum hp_err hp_handshake_try(struct hp_wg_peer *peer, uint64_t now_ns);
/* Takes a message of type 1 to 3. */
enum hp_drop hp_handshake_rx(struct hp_wg *wg, const struct hp_path *from,
			     const uint8_t *msg, size_t len, uint64_t now_ns);

/* repeat.c */
/* @msg was just sent: copies follow, if the peer is one for it, and memory is
 * there.
 */
void hp_repeat_keep(struct hp_wg_peer *peer, struct hp_wg_repeat **at,
		    const void *msg, size_t len, uint64_t now_ns);
void hp_repeat_stop(struct hp_wg_repeat **at);
/* When the next copy is due, or HP_NEVER. All take NULL for @r, but
 * hp_repeat_send().
 */
uint64_t hp_repeat_at(const struct hp_wg_repeat *r);
/* Sends the copy that is due over the peer's path. */
void hp_repeat_run(struct hp_wg_peer *peer, struct hp_wg_repeat *r,
		   uint64_t now_ns);
/* Sends one now, out of turn. */
void hp_repeat_send(struct hp_wg_peer *peer, struct hp_wg_repeat *r,
		    const struct hp_path *path, uint64_t now_ns);
/* Is @msg the initiation that `answer` answers? */
bool hp_repeat_same(const struct hp_wg_peer *peer,
		    const struct hp_wire_initiation *msg);

/* timers.c */
/* Sets the peer's deadline from its state and stamps. */
void hp_timers_arm(struct hp_wg_peer *peer, uint64_t now_ns);
/* Does what is due for @peer, and sets its next deadline. */
void hp_timers_run(struct hp_wg_peer *peer, uint64_t now_ns);

#endif
