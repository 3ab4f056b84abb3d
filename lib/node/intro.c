/* SPDX-License-Identifier: ISC */
/*
 * An introduction of a peer, by a server or by its own call: whether it is
 * news, and what it changes of record, relay, candidates and session.
 */
#include "node/internal.h"

#include <string.h>

/* A peer that lives has answered a probe by then, over the relay at least. */
#define EPOCH_DOUBT_NS (3 * HP_S)
/* Until a server has our new record, with a repetition. */
#define RECORD_LAG_NS (2 * HP_S)

/* The candidates worth a probe, the address that the server hears first. One
 * with a scope was heard on a link by ourselves, and is good there.
 */
static size_t intro_candidates(const struct peer *p,
			       const struct hp_record *rec,
			       const struct hp_addr *seen,
			       struct hp_candidate out[HP_CANDIDATES_MAX])
{
	const struct hp_node *n = p->node;
	struct hp_candidate c = { .addr = *seen, .kind = HP_CAND_REFLEXIVE };
	size_t count = 0;

	if (seen->scope)
		c.kind = HP_CAND_HOST;
	if (hp_candidate_allowed(&c, n->cfg.methods) &&
	    (seen->scope ||
	     hp_candidate_usable(&c, n->overlay, NODE_OVERLAYS)))
		hp_candidates_add(out, &count, &c);
	for (unsigned int i = 0; i < rec->n_cand; i++)
		if (hp_candidate_allowed(&rec->cand[i], n->cfg.methods) &&
		    hp_candidate_usable(&rec->cand[i], n->overlay,
					NODE_OVERLAYS))
			hp_candidates_add(out, &count, &rec->cand[i]);
	return count;
}

/* Is @rec news? Not when a newer one of the same run was taken already, nor
 * when it is of the run before. Runs have no order: should a server have shown
 * us a record of a run long past, then "the run before" is the one that lives,
 * and we are told by the silence of the other.
 */
static bool intro_fresh(const struct peer *p, const struct hp_record *rec)
{
	if (rec->epoch == p->epoch)
		return rec->seq >= p->seq;
	return rec->epoch != p->old_epoch ||
	       (!p->proved && hp_time_since(p->node->now_ns, p->epoch_ns) >
				      EPOCH_DOUBT_NS);
}

static void take_record(struct peer *p, const struct hp_record *rec)
{
	if (rec->epoch != p->epoch) {
		if (p->epoch)
			hp_calls_renew(p->node);
		p->old_epoch = p->epoch;
		p->epoch = rec->epoch;
		p->epoch_ns = p->node->now_ns;
		p->proved = false;
		p->session = false;
		p->settled = false;
	}
	p->seq = rec->seq;
	p->caps = rec->caps;
	p->cert = rec->cert;
	p->ended = false;
	p->revoked = rec->revoked;
	p->n_candidates = rec->n_cand;
	p->offline = false;
	p->silent = false;
	p->cause = HP_OK;
	p->tries = 0;
	p->retry_ns = HP_NEVER;
}

static void take_init(struct peer *p, const struct hp_path *relay,
		      const uint8_t *init)
{
	uint8_t buf[HP_HEADROOM + HP_OFFER_INIT_LEN + HP_TAILROOM];
	struct hp_pkt pkt = hp_pkt_of(buf, sizeof(buf), HP_HEADROOM,
				      HP_OFFER_INIT_LEN);

	memcpy(pkt.data, init, HP_OFFER_INIT_LEN);
	if (hp_wg_rx(p->node->wg, relay, &pkt, p->node->now_ns) != HP_OK)
		return; /* counted there: seen before, or too many */
}

/* The server has an older record than we do, yet its channel is of now: the one
 * that we know may be gone.
 */
static void relay_renewed(struct peer *p, const struct hp_path *relay,
			  unsigned int server, bool answer)
{
	hp_relay_met(p, server, relay, answer);
	hp_peer_route(p);
	hp_punch_set_relay(p->punch, &p->relay, p->node->now_ns);
	hp_peer_update(p);
}

void hp_peer_introduced(struct peer *p, const struct hp_record *rec,
		     const struct hp_addr *seen, const struct hp_path *relay,
		     unsigned int server, const uint8_t *init, bool answer)
{
	struct hp_node *n = p->node;
	struct hp_candidate cand[HP_CANDIDATES_MAX];
	struct hp_punch_intro intro = {
		.peer_epoch = rec->epoch,
		.candidates = cand,
		.own_mapping = hp_node_mapping(n),
		.peer_mapping = rec->caps & HP_RECORD_MAPPING,
		.low_ttl = hp_sample_low_ttl(n),
	};
	bool again;

	if (!intro_fresh(p, rec)) {
		if (rec->epoch == p->epoch && p->punch)
			relay_renewed(p, relay, server, answer);
		return;
	}
	if (!p->punch)
		p->punch = hp_peer_make_punch(p);
	if (!p->punch)
		return;
	/* Its handshake may have overtaken this: that session is not known to
	 * be of the new run, so there has to be another.
	 */
	again = p->session && rec->epoch != p->epoch;
	if (!p->connect_ns)
		p->connect_ns = n->now_ns;
	/* Who asked for us got what the server had of us a moment ago. */
	if (!answer && p->told_ns < hp_time_since(n->now_ns, RECORD_LAG_NS))
		p->told_ns = hp_time_since(n->now_ns, RECORD_LAG_NS);
	hp_relay_met(p, server, relay, answer);
	take_record(p, rec);
	hp_wg_peer_set_repeat(p->wg, hp_node_patience(n));
	intro.n_candidates = intro_candidates(p, rec, seen, cand);
	hp_cache_told(p, cand, intro.n_candidates);
	intro.relay = p->relay;
	hp_peer_route(p);
	hp_suite_update(p);
	hp_punch_introduce(p->punch, &intro, n->now_ns);
	if (init && hp_path_set(relay))
		take_init(p, relay, init);
	else if ((answer || again) && !p->session &&
		 hp_path_set(hp_peer_path(p)))
		(void)hp_wg_initiate(p->wg, n->now_ns); /* else it goes on */
	hp_notes_begin(p);
	hp_peer_tell(p);
	hp_via_soon(p);
	hp_peer_update(p);
}
