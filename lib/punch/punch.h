/* SPDX-License-Identifier: ISC */
/*
 * The path machine of one peer: once both nodes are introduced it opens their
 * NATs, finds the paths on which they hear each other, has one nominated, and
 * watches it; while there is none, packets take the relay. Sans-IO: probes,
 * facts and time in; probes and decisions out. Theory of operation: punch.c.
 */
#ifndef HP_PUNCH_PUNCH_H
#define HP_PUNCH_PUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/candidate.h"
#include "base/err.h"
#include "base/key.h"
#include "base/path.h"
#include "base/rng.h"
#include "base/time.h"
#include "punch/pmtu.h"

struct hp_budget;
struct hp_nat_facts;
struct hp_punch;

/* Bytes that name the sender of a probe to its receiver. */
#define HP_PUNCH_TAG_LEN 8
/* Offset of the tag in a probe. */
#define HP_PUNCH_TAG_AT 4
/* Paths that are remembered: announced, learned from probes, and the relay. */
#define HP_PUNCH_PATHS 24
/* The longest datagram that is measured. */
#define HP_PUNCH_LONGEST 9100
/* Hops of the opening volley unless the configuration says otherwise. */
#define HP_PUNCH_LOW_TTL 4

enum hp_punch_state {
	HP_PUNCH_IDLE,		/* not introduced; nothing is sent */
	HP_PUNCH_TRYING,	/* volleys under way; packets take the relay */
	HP_PUNCH_DIRECT,	/* a direct path is in use */
	HP_PUNCH_DOUBT,		/* the direct path fell silent, hp_punch_info's
				 * @doubt: packets take the relay; volleys
				 * under way */
	HP_PUNCH_RELAYED,	/* volleys found nothing; trying again later */
};

/* Why there is no direct path, as well as can be known now. */
enum hp_punch_reason {
	HP_PUNCH_WHY_NONE,	/* there is one */
	HP_PUNCH_WHY_IDLE,	/* not introduced yet */
	HP_PUNCH_WHY_TRYING,	/* volleys under way */
	HP_PUNCH_WHY_LOST,	/* there was one; it fell silent */
	HP_PUNCH_WHY_LOSSY,	/* there is one that loses packets */
	HP_PUNCH_WHY_NO_CANDIDATE, /* no address of the peer can be reached */
	HP_PUNCH_WHY_BLOCKED,	/* our own system refuses to send there */
	HP_PUNCH_WHY_NAT_BOTH,	/* both NATs map per destination */
	HP_PUNCH_WHY_NAT_PEER,	/* the peer's does */
	HP_PUNCH_WHY_NAT_OWN,	/* ours does */
	/* The same, and more is known: */
	HP_PUNCH_WHY_GUESSING,	/* its ports are being guessed */
	HP_PUNCH_WHY_GUESS_FAILED, /* that came to nothing; again later */
	HP_PUNCH_WHY_GUESS_QUEUED, /* other peers' rounds have used it all up */
	HP_PUNCH_WHY_GUESS_OFF,	/* switched off, here or at the peer */
	HP_PUNCH_WHY_GUESS_HOPELESS, /* too many ports on both sides */
	HP_PUNCH_WHY_ONE_WAY,	/* its probes arrive, ours are not answered */
	HP_PUNCH_WHY_SILENT,	/* no probe of the peer arrived */
};

enum hp_punch_event {
	/* An authentic probe came from an epoch of the peer that we were not
	 * introduced to: it restarted, or the introduction is late or lost.
	 * Ask for one. At most once a second.
	 */
	HP_PUNCH_STRANGER,
	/* Packets were sent and nothing was heard for a while: the path is
	 * being asked. If our own address changed at a NAT, the servers do not
	 * know it yet: let them hear of us.
	 */
	HP_PUNCH_QUIET,
	/* The direct path died. The relay carries on and volleys are under
	 * way; if our own or the peer's address changed, only fresh candidates
	 * help: look at your reflexive address, and connect again.
	 */
	HP_PUNCH_LOST,
	/* The relay answers nothing, be it in use or kept warm: connect again,
	 * perhaps through another server. At most once in 5 s.
	 */
	HP_PUNCH_RELAY_SILENT,
	/* A round of volleys ended without a direct path; hp_punch_info has
	 * the reason and when the next begins.
	 */
	HP_PUNCH_FAILED,
	/* What hp_punch_ping() sent was answered; see hp_punch_info. */
	HP_PUNCH_PONG,
};

/* What went wrong with a send: a fact about one path, never fatal. */
enum hp_punch_fault {
	HP_PUNCH_REFUSED,	/* ICMP port unreachable (ECONNREFUSED) */
	HP_PUNCH_DENIED,	/* our own firewall (EPERM, EACCES) */
	HP_PUNCH_UNREACHABLE,	/* no route (EHOSTUNREACH, ENETUNREACH ...) */
	HP_PUNCH_LOCAL,		/* our address is gone, or any other error */
	HP_PUNCH_TOO_LONG,	/* for the interface (EMSGSIZE) */
};

/* Sorts an errno value. */
enum hp_punch_fault hp_punch_fault_of(int sys_errno);

/**
 * struct hp_punch_ops - What the machine asks of its owner
 * @send:      put a probe on @path. @ttl 0: the system's default. A path with
 *             a channel needs the relay header in front. @buf is borrowed.
 * @send_whole: the same for one that must not be cut into fragments on its way;
 *             NULL: the length of datagrams is not measured
 * @nominated: packets to the peer take @direct (borrowed for the call) from
 *             now on, or, when NULL, the relay: at first they do, without a
 *             call. Called only on a change.
 * @both:      a copy of each packet takes the relay from now on (@on), or no
 *             more; may be NULL
 * @event:     see enum hp_punch_event
 * @sample:    find out now how our NAT behaves, when it may map per destination
 *             even how it chooses ports. The answer comes by
 *             hp_punch_sampled(), not within the call. NULL: no guessing
 * @open:      one more socket, for hp_path.sock; NULL: there is none
 * @close:     no path uses it any more
 *
 * None may call back into the machine, except hp_punch_get_info() and, from
 * @send, hp_punch_error().
 */
struct hp_punch_ops {
	void (*send)(void *ctx, const struct hp_path *path, int ttl,
		     const uint8_t *buf, size_t len);
	void (*send_whole)(void *ctx, const struct hp_path *path,
			   const uint8_t *buf, size_t len);
	void (*nominated)(void *ctx, const struct hp_path *direct);
	void (*both)(void *ctx, bool on);
	void (*event)(void *ctx, enum hp_punch_event ev);
	void (*sample)(void *ctx);
	enum hp_err (*open)(void *ctx, uint32_t *sock);
	void (*close)(void *ctx, uint32_t sock);
};

/**
 * struct hp_punch_config - How a machine is made (copied, but for what @rng,
 *                          @ops and @ctx point to)
 * @key:     shared secret of the pair; probe keys are derived from it
 * @own:     our X25519 public key; the lower one of both nominates
 * @peer:    the peer's
 * @epoch:   of this run of our node, random, other than 0
 * @low_ttl: hops of the opening volley, 0: HP_PUNCH_LOW_TTL
 * @methods: enum hp_method, those that may be used; 0: all
 * @budget:  of all machines of the node, which outlives them; NULL: no guessing
 * @longest: datagram that anybody will want to send, up to HP_PUNCH_LONGEST;
 *           0: nothing is measured
 */
struct hp_punch_config {
	struct hp_rng rng;
	struct hp_secret key;
	struct hp_public own;
	struct hp_public peer;
	uint64_t epoch;
	unsigned int low_ttl;
	uint32_t methods;
	struct hp_budget *budget;
	uint32_t longest;
	const struct hp_punch_ops *ops;
	void *ctx;
};

/* NULL without memory. The caller frees it with hp_punch_free(). */
struct hp_punch *hp_punch_new(const struct hp_punch_config *cfg);
void hp_punch_free(struct hp_punch *p);

/**
 * hp_punch_tag() - What the probes of @sender to its peer of @key begin with
 *
 * At HP_PUNCH_TAG_AT of each probe. A node computes the tag of each of its
 * peers as sender, and finds by it whose hp_punch_rx() to call.
 */
void hp_punch_tag(const struct hp_secret *key, const struct hp_public *sender,
		  uint8_t out[HP_PUNCH_TAG_LEN]);

/**
 * struct hp_punch_intro - What an introduction says
 * @peer_epoch:   of the run of the peer's node, other than 0
 * @candidates:   where it may be reached, at most HP_CANDIDATES_MAX count;
 *                judged by hp_candidate_usable() already (borrowed)
 * @relay:        the path through the relay; unset: there is none
 * @own_mapping:  what is known of our NAT: only words the reason
 * @peer_mapping: what the peer says of its own
 * @low_ttl:      hops that opened this network's NAT before, 0: not known
 */
struct hp_punch_intro {
	uint64_t peer_epoch;
	const struct hp_candidate *candidates;
	size_t n_candidates;
	struct hp_path relay;
	enum hp_mapping own_mapping;
	enum hp_mapping peer_mapping;
	unsigned int low_ttl;
};

/**
 * hp_punch_introduce() - The peer can be reached so; begin, or learn of news
 *
 * A new epoch forgets all paths (the peer restarted; if a direct path was in
 * use, nominated(NULL) follows). The same epoch adds candidates and replaces
 * the relay; volleys begin unless a direct path is in use and no candidate is
 * new. The opening probes leave within this call. The caller makes sure that
 * an introduction older than the last one is not handed in.
 */
void hp_punch_introduce(struct hp_punch *p, const struct hp_punch_intro *intro,
			uint64_t now_ns);
/* Another relay, from now on. */
void hp_punch_set_relay(struct hp_punch *p, const struct hp_path *relay,
			uint64_t now_ns);
/* The peer left: forgets the introduction, silently. Back to HP_PUNCH_IDLE. */
void hp_punch_stop(struct hp_punch *p);

/**
 * hp_punch_rx() - A probe with the peer's tag arrived
 * @from: where from, and (when known) at which of our addresses; a probe that
 *        came through the relay has the relay's path, channel and all, and its
 *        header pulled
 *
 * Return: HP_OK; HP_ERR_SHORT, _TYPE, _FORMAT; HP_ERR_AUTH; HP_ERR_REPLAY;
 *         HP_ERR_STATE (an epoch that is not the current one, a response
 *         nobody waits for). On error nothing changed but counts.
 */
enum hp_err hp_punch_rx(struct hp_punch *p, const struct hp_path *from,
			const uint8_t *buf, size_t len, uint64_t now_ns)
	HP_MUST_CHECK;

/**
 * hp_punch_heard() - An authenticated packet of the peer arrived over @path
 * @path:   NULL: over the path in use
 * @at_ns:  when; may lie behind the machine's time
 *
 * This and hp_punch_sent() carry the liveness of data. Call them with the
 * latest times at least every 250 ms while packets flow.
 */
void hp_punch_heard(struct hp_punch *p, const struct hp_path *path,
		    uint64_t at_ns);
/* A packet with data was sent to the peer over the path in use, at @at_ns.
 * Where times are collected, not reported one by one: call it before
 * hp_punch_heard(), with the first send that nothing was heard after and with
 * the last one.
 */
void hp_punch_sent(struct hp_punch *p, uint64_t at_ns);
/* Our NAT forgets what is silent for longer: that, and never more than 25 s, is
 * how long an idle path is left alone.
 */
void hp_punch_set_keepalive(struct hp_punch *p, uint64_t ns);
/* The last message to the peer left at @at_ns, be it answered or not: what was
 * found out about the length of datagrams is worth verifying.
 */
void hp_punch_busy(struct hp_punch *p, uint64_t at_ns);
/* Something changed (an address, a route, the NAT's mapping, resume): look at
 * the path in use, and try all paths, at once.
 */
void hp_punch_poke(struct hp_punch *p, uint64_t now_ns);
/**
 * hp_punch_ping() - Measure the path in use now, once
 *
 * HP_PUNCH_PONG follows, unless the answer is lost or another ping overtakes.
 *
 * Return: HP_OK; HP_ERR_STATE: there is no path; HP_ERR_LIMIT: rate cap.
 */
enum hp_err hp_punch_ping(struct hp_punch *p, uint64_t now_ns) HP_MUST_CHECK;
/* A send over @path failed, of a probe or of anything else. It is only noted,
 * for the next tick: may be called from within the send operation.
 */
void hp_punch_error(struct hp_punch *p, const struct hp_path *path,
		    enum hp_punch_fault fault, uint64_t now_ns);

/* What @sample asked for: @f holds for IPv4, as of now. */
void hp_punch_sampled(struct hp_punch *p, const struct hp_nat_facts *f,
		      uint64_t now_ns);

/* The longest datagram that passes the path in use without being cut into
 * fragments, the header of a relay not counted; 0: not known (yet). Of news
 * there is none but after a tick or a probe.
 */
uint32_t hp_punch_size(const struct hp_punch *p);

void hp_punch_tick(struct hp_punch *p, uint64_t now_ns);
uint64_t hp_punch_deadline(const struct hp_punch *p);

/* Why probes were dropped; indices of hp_punch_info.drops. */
enum hp_punch_drop {
	HP_PUNCH_DROP_FORM,	/* too short, no probe, a field out of range */
	HP_PUNCH_DROP_AUTH,	/* not sealed by the peer for us */
	HP_PUNCH_DROP_REPLAY,	/* sequence seen before, or too old */
	HP_PUNCH_DROP_EPOCH,	/* for, or from, another run of either node */
	HP_PUNCH_DROP_STRAY,	/* a response nobody waits for */
	HP_PUNCH_DROP_FULL,	/* no room for one more path */
	HP_PUNCH_DROPS,
};

/**
 * struct hp_punch_path_info - One path, as the machine knows it
 * @path:     where it leads
 * @kind:     HP_CAND_RELAYED: the relay
 * @sent:     probes (requests) sent on it; these counts begin anew when it fails
 * @answered: of them, how many were
 * @heard:    requests of the peer that came over it
 * @errors:   sends that failed
 * @denied:   of them, those that our own firewall refused
 * @valid:    a round trip was seen, and nothing since says it is gone
 * @in_use:   packets go over it
 * @rtt_ns:   smoothed, 0: never measured
 * @heard_ns: when anything was last heard on it, 0: never
 * @seen:     where the peer saw us coming from over it; HP_AF_NONE: not told
 */
struct hp_punch_path_info {
	struct hp_path path;
	enum hp_candidate_kind kind;
	uint32_t sent;
	uint32_t answered;
	uint32_t heard;
	uint32_t errors;
	uint32_t denied;
	bool valid;
	bool in_use;
	uint64_t rtt_ns;
	uint64_t heard_ns;
	struct hp_addr seen;
};

/**
 * struct hp_punch_info - All that there is to tell
 * @state:       see the enum
 * @reason:      why packets are relayed
 * @peer_mapping: what the peer says of its NAT
 * @controlling: we nominate
 * @direct:      the direct path in use; unset: the relay
 * @doubt:       in HP_PUNCH_DOUBT: the silent path
 * @rtt_ns:      of the path in use, the relay's included; 0: unknown
 * @pong_ns:     round trip of the last ping that was answered, 0: none was
 * @pongs:       how many were
 * @since_ns:    when @state began
 * @retry_ns:    when the next round of volleys begins; HP_NEVER: none is due
 * @rounds:      volley rounds begun since the introduction
 * @low_ttl:     hops of the last opening volley
 * @tx:          datagrams sent, of any kind, since the machine was made
 * @tx_bytes:    their bytes
 * @rx:          probes accepted
 * @throttled:   probes that had to wait for their turn under the rate cap
 * @guessing:    a round of guessing is under way, or ...
 * @guess_ns:    ... when the next begins; HP_NEVER: none is due
 * @guesses:     rounds begun, @guess_probes: probes sent in them, @guess_hits:
 *               of the peer's or their answers that came back
 * @sockets:     extra sockets that are open for the peer
 * @pmtu:        how far measuring the path in use is: pmtu.h
 * @drops:       by enum hp_punch_drop
 * @paths:       @n_paths of them; the relay, when there is one, is the first
 */
struct hp_punch_info {
	enum hp_punch_state state;
	enum hp_punch_reason reason;
	enum hp_mapping peer_mapping;
	bool controlling;
	struct hp_path direct;
	struct hp_path doubt;
	uint64_t rtt_ns;
	uint64_t pong_ns;
	uint32_t pongs;
	uint64_t since_ns;
	uint64_t retry_ns;
	uint32_t rounds;
	unsigned int low_ttl;
	uint64_t tx;
	uint64_t tx_bytes;
	uint64_t rx;
	uint64_t throttled;
	bool guessing;
	uint64_t guess_ns;
	uint32_t guesses;
	uint32_t guess_probes;
	uint32_t guess_hits;
	unsigned int sockets;
	enum hp_pmtu_state pmtu;
	uint64_t drops[HP_PUNCH_DROPS];
	struct hp_punch_path_info paths[HP_PUNCH_PATHS];
	size_t n_paths;
};

void hp_punch_get_info(const struct hp_punch *p, struct hp_punch_info *out);

/* A phrase, or a word, for each; never NULL. */
const char *hp_punch_state_text(enum hp_punch_state state);
const char *hp_punch_reason_text(enum hp_punch_reason reason);

#endif
