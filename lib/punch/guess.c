/* SPDX-License-Identifier: ISC */
/*
 * Theory of operation
 *
 * A NAT that maps per destination (hard) shows the peer a port that nobody was
 * told. Volleys fail then, unless the other side's filter is open. What is left
 * is to guess, and that works when both do it at one time:
 *
 *   easy and hard   The hard side opens sockets, and from each sends one probe
 *                   to the easy side's one port: so many mappings, each open
 *                   for just that port. The easy side tries ports of the hard
 *                   side's address from that port. It needs one of many.
 *                   - ports follow each other by a stride: 4 sockets, and the
 *                     50 ports that come next (200 in later rounds);
 *                   - random in a range of R: as many sockets as give six hits
 *                     in 1,024 ports, at most 256 (budget.h), and 1,024 random
 *                     ports, none twice. 240 sockets, 64,512 ports: one is hit
 *                     in 97.8 % of all rounds, and in 99.95 % of two.
 *   hard and hard   Both send from one socket to many ports of the other; each
 *                   probe makes one mapping. A hit is a probe (q, p) of one
 *                   side, from its port p to port q, that meets a probe (p, q)
 *                   of the other.
 *                   - both by stride: the i-th goes to the i-th, so all hit;
 *                   - ranges of R1 and R2 (1 for a stride): n probes a side
 *                     make n * n / (R1 * R2) hits in the mean. 240 in two
 *                     blocks of 512: 0.22, so a round succeeds in a fifth of
 *                     all cases; with less than 0.04 nothing is spent.
 *
 * The hard side's probes have few hops to live at first: they open its own NAT
 * and never reach the easy side's, which they could poison (volley.h).
 *
 * A round:
 *
 *   OFF ------> TALK ----------------> FIRE -------------> LISTEN ----> OFF
 *    begins it,     both facts known    all probes sent     nothing came
 *    or is asked;   (NONE: back to OFF)
 *    samples
 *
 * TALK   Each side samples its NAT afresh (the owner asks servers from new
 *        sockets) and tells what it found, over the relay, until it has the
 *        other's. Both then make the same plan of it.
 * FIRE   The easy side waits until the hard one says that it is open.
 * A hit is an authentic probe, or a response to a guess, from a source that is
 * new: from there on it is a path like any other, proved by a round trip and
 * nominated. Going direct ends the round; other sockets are closed.
 *
 * When. The side that nominates begins one when a round of volleys failed, or
 * 0.7 s after it began when either NAT is known to be hard; the other side 2 s
 * after that if none has come. The second follows the first at
 * once; then 125 s later, when the mappings of the first are gone, and twice as
 * long each time up to 67 minutes; blocks on both sides, which need luck, stay
 * at 125 s for 20 rounds. Only while data is sent.
 *
 * Labels decide nothing: without one, guessing is still considered once volleys
 * failed, and what the samples say counts. Where no NAT is known to be hard, but
 * only one address of a server was asked, each side in turn is taken to be: once
 * each, and again after 10 minutes and more. For the same reason the second
 * round against a hard NAT with a stride, which the first would have found, takes
 * the other side to be hard as well.
 */
#include "punch/guess.h"

#include <stdlib.h>

#include <string.h>

#include "punch/machine.h"

/* Most paths are found by then; on the slowest a round is begun in vain. */
#define VOLLEYS_FIRST (700 * HP_MS)
#define SAY_EVERY (200 * HP_MS)
#define SAYS 4
#define TALK_TIME (5 * HP_S)
/* For the word that the sockets are open, beyond the time it takes. */
#define BEGUN_TIME (1 * HP_S)
#define LISTEN_TIME (500 * HP_MS)
/* Sources that one round may find: more are no use. */
#define FOUND_MAX 6
#define NOMINATE_TIME (2 * HP_S)
#define PROBE_TIME (HP_S / HP_BUDGET_PROBES_PER_S)
/* Probes leave so many together, not one a wake-up. */
#define TOGETHER 5

#define GAP_NEXT (100 * HP_MS)
#define GAP_LONG (HP_BUDGET_LIFE + 5 * HP_S)
#define GAP_BUSY (1 * HP_S)
#define GAP_TALK (10 * HP_S)
#define GAP_HOPELESS (600 * HP_S)
#define GAP_OTHER (2 * HP_S)
#define GAP_SHIFT_MAX 5
#define LUCK_ROUNDS 20

#define GUESS_METHODS (HP_METHOD_PREDICT | HP_METHOD_BIRTHDAY)

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* A walk that comes by every port once before any comes twice. */
static void draw_walk(struct hp_punch *p)
{
	struct hp_guess *g = p->guess;
	uint32_t n = g->peer.hi - g->peer.lo + 1u;

	g->start = hp_rng_below(&p->rng, n);
	g->step = 1 + hp_rng_below(&p->rng, n);
	while (gcd(g->step, n) != 1)
		g->step++;
}

/* ---- sockets ------------------------------------------------------------ */

static bool is_needed(const struct hp_punch *p, uint32_t sock)
{
	const size_t keep[] = { p->use, p->doubt, p->lossy };

	for (size_t i = 0; i < sizeof(keep) / sizeof(*keep); i++)
		if (keep[i] && p->paths.track[keep[i]]->path.sock == sock)
			return true;
	return false;
}

static void drop_room(struct hp_guess *g)
{
	if (g->n_socks)
		return;
	free(g->sock);
	g->sock = NULL;
}

/* Paths over a socket that is closed are no more: their places are free. */
static void close_at(struct hp_punch *p, unsigned int i)
{
	struct hp_guess *g = p->guess;
	struct hp_guess_sock s = g->sock[i];

	for (size_t k = 1; k < p->paths.n; k++)
		if (p->paths.track[k]->path.sock == s.sock)
			*p->paths.track[k] = (struct hp_track){ 0 };
	g->sock[i] = g->sock[--g->n_socks];
	p->budget->sockets--;
	hp_budget_leave(p->budget, s.slot, g->now_ns);
	p->ops->close(p->ctx, s.sock);
	drop_room(g);
}

static void tidy(struct hp_punch *p)
{
	for (unsigned int i = p->guess->n_socks; i-- > 0;)
		if (!is_needed(p, p->guess->sock[i].sock))
			close_at(p, i);
}

/* One more socket, its mapping accounted for. */
static bool open_one(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;
	struct hp_guess_sock s;

	if (g->n_socks == HP_BUDGET_MAPPINGS || !p->ops->open)
		return false;
	if (!g->sock)
		g->sock = calloc(HP_BUDGET_MAPPINGS, sizeof(*g->sock));
	s.slot = g->sock ? hp_budget_map(p->budget, now_ns) : -1;
	if (s.slot < 0)
		goto none;
	if (p->ops->open(p->ctx, &s.sock) != HP_OK) {
		p->budget->until_ns[s.slot] = 0;
		goto none;
	}
	p->budget->sockets++;
	g->sock[g->n_socks++] = s;
	return true;
none:
	drop_room(g);
	return false;
}

/* ---- the round ---------------------------------------------------------- */

static bool is_able(const struct hp_punch *p)
{
	return p->budget && p->ops->sample && p->methods & GUESS_METHODS &&
	       hp_path_set(&p->paths.track[0]->path);
}

static void say(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;
	struct hp_probe m = { .kind = HP_PROBE_GUESS, .txid = g->id,
			      .guess = g->own };

	g->say_ns = now_ns + SAY_EVERY;
	if (!g->have_own)
		m.guess = (struct hp_guess_word){ .step = HP_GUESS_ASK };
	else if (g->stage == HP_GUESS_LISTEN && g->plan.role == HP_GUESS_HARD)
		m.guess.step = HP_GUESS_BEGUN;
	else
		m.guess.step = HP_GUESS_FACTS;
	m.guess.have = g->have_peer;
	hp_punch_send(p, &p->paths.track[0]->path, 0, &m);
}

static bool begin(struct hp_punch *p, uint64_t id, bool leader, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;

	g->due_ns = HP_NEVER;
	if (!hp_budget_claim(p->budget, p)) {
		g->why = HP_PUNCH_WHY_GUESS_QUEUED;
		g->due_ns = now_ns + GAP_BUSY;
		return false;
	}
	memset(&g->plan, 0, sizeof(g->plan));
	g->stage = HP_GUESS_TALK;
	g->id = id;
	g->leader = leader;
	g->have_own = g->have_peer = g->begun = false;
	g->end_ns = now_ns + TALK_TIME;
	p->guessed.rounds++;
	if (leader)
		say(p, now_ns);
	else
		g->say_ns = now_ns + SAY_EVERY;
	p->ops->sample(p->ctx);
	return true;
}

static uint64_t gap_after(const struct hp_guess *g)
{
	unsigned int n = g->attempt, luck;

	if (g->plan.doubt && n > 1)
		return GAP_HOPELESS << least(n - 2, GAP_SHIFT_MAX);
	if (g->why == HP_PUNCH_WHY_GUESS_HOPELESS ||
	    g->why == HP_PUNCH_WHY_GUESS_OFF)
		return GAP_HOPELESS;
	if (g->why != HP_PUNCH_WHY_GUESS_FAILED)
		return GAP_TALK;
	luck = g->plan.role == HP_GUESS_PAIR && !g->plan.foresee ?
		       LUCK_ROUNDS : 2;
	if (n < 2 && luck == 2)
		return GAP_NEXT;
	n = n > luck ? n - luck : 0;
	return GAP_LONG << least(n, GAP_SHIFT_MAX);
}

static void finish(struct hp_punch *p, enum hp_punch_reason why,
		   uint64_t now_ns)
{
	struct hp_guess *g = p->guess;

	g->stage = HP_GUESS_OFF;
	p->guessed.last_id = g->id;
	g->why = why;
	g->attempt += why == HP_PUNCH_WHY_GUESS_FAILED;
	hp_budget_release(p->budget, p);
	g->not_before_ns = now_ns + gap_after(g);
	if (g->plan.doubt)
		g->why = HP_PUNCH_WHY_NONE;
	g->due_ns = g->not_before_ns + (p->controlling ? 0 : GAP_OTHER);
	/* A second round right away goes through the same sockets. */
	g->keep_ns = 0;
	if (g->plan.role == HP_GUESS_HARD && g->attempt == 1 && !g->plan.doubt)
		g->keep_ns = now_ns + TALK_TIME;
	else
		tidy(p);
}

/* Where the peer's NAT shows its main socket; its own address without NAT. */
static struct hp_addr target_of(const struct hp_punch *p)
{
	struct hp_candidate best = { 0 };

	for (size_t i = 1; i < p->paths.n; i++) {
		const struct hp_track *t = p->paths.track[i];
		const struct hp_candidate c = { t->path.remote, t->kind };
		bool good = t->announced && c.addr.family == HP_AF_4 &&
			    (c.kind == HP_CAND_REFLEXIVE ||
			     (c.kind == HP_CAND_HOST &&
			      hp_addr_scope(&c.addr) == HP_SCOPE_GLOBAL));

		if (good && (!best.addr.family ||
			     c.kind == HP_CAND_REFLEXIVE))
			best = c;
	}
	return best.addr;
}

static void fire(struct hp_punch *p, uint64_t now_ns);

/* Both sides' facts are there. */
static void start(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;
	struct hp_addr target = target_of(p);
	unsigned int n;

	/* Elsewhere each socket would make one more mapping. */
	if (!hp_addr_eq(&target, &g->target))
		tidy(p);
	g->target = target;
	g->own.room = (uint16_t)(hp_budget_room(p->budget, now_ns) +
				 g->n_socks);
	hp_guess_make_plan(&g->own, &g->peer, g->leader, &g->plan);
	if (g->plan.role == HP_GUESS_NONE || !g->target.family) {
		finish(p, g->plan.why, now_ns);
		return;
	}
	if (g->plan.role != HP_GUESS_HARD ||
	    g->own.ports == HP_NAT_PORTS_SEQUENTIAL)
		tidy(p);
	g->stage = HP_GUESS_FIRE;
	g->next = 0;
	g->says = 0;
	g->found = 0;
	g->txid = hp_rng_u64(&p->rng) | UINT64_C(1) << 63;
	g->next_ns = now_ns;
	draw_walk(p);
	n = g->plan.n_peer;
	switch (g->plan.role) {
	case HP_GUESS_NONE:
	case HP_GUESS_PAIR:
		break;
	case HP_GUESS_EASY:
		if (!g->begun)
			g->next_ns += n * PROBE_TIME + BEGUN_TIME;
		break;
	case HP_GUESS_HARD:
		g->end_ns = now_ns + BEGUN_TIME +
			    (g->plan.n_socks + n) * PROBE_TIME;
		break;
	}
	fire(p, now_ns);
}

static void advance(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;

	if (g->stage == HP_GUESS_TALK && g->have_own && g->have_peer)
		start(p, now_ns);
}

/* Do the peer's probes come from where its introduction said? */
static bool hears(const struct hp_punch *p)
{
	for (size_t i = 1; i < p->paths.n; i++) {
		const struct hp_track *t = p->paths.track[i];

		if (t->announced && t->heard &&
		    t->kind == HP_CAND_REFLEXIVE &&
		    t->path.remote.family == HP_AF_4)
			return true;
	}
	return false;
}

/* What is heard came in at the port that servers see: when the filter lets
 * strangers in nowhere, it is the one that we send to the peer from.
 */
static enum hp_nat_mapping mapping_of(const struct hp_nat_facts *f, bool heard)
{
	bool strict = f->filtering == HP_NAT_FILTERING_ADF ||
		      f->filtering == HP_NAT_FILTERING_APDF;

	return heard && strict && f->mapping == HP_NAT_MAPPING_EIM_OR_ADM ?
		       HP_NAT_MAPPING_EIM : f->mapping;
}

void hp_punch_sampled(struct hp_punch *p, const struct hp_nat_facts *f,
		      uint64_t now_ns)
{
	struct hp_guess *g = p->guess;

	if (!g)
		return;
	g->now_ns = now_ns;
	if (g->stage != HP_GUESS_TALK || g->have_own)
		return;
	g->own = (struct hp_guess_word){
		.step = HP_GUESS_FACTS,
		.heard = hears(p),
		.mapping = mapping_of(f, hears(p)),
		.ports = f->ports,
		.methods = p->methods & GUESS_METHODS,
		.stride = f->stride,
		.last = f->last,
		.lo = f->lo,
		.hi = f->hi,
		.attempt = (uint8_t)least(g->attempt, UINT8_MAX),
	};
	if (p->ops->open)
		g->own.room = (uint16_t)(hp_budget_room(p->budget, now_ns) +
					 g->n_socks);
	g->have_own = true;
	say(p, now_ns);
	advance(p, now_ns);
}

/* ---- probes ------------------------------------------------------------- */

/* Probe @mark of the round: where to, and what its response must carry. */
static void guess(struct hp_punch *p, uint32_t sock, uint16_t port, int ttl,
		  uint16_t mark)
{
	struct hp_guess *g = p->guess;
	struct hp_path path = { .remote = g->target, .sock = sock };
	struct hp_probe m = { .kind = HP_PROBE_REQUEST,
			      .txid = (g->txid & ~UINT64_C(0xffff)) | mark };

	path.remote.port = port;
	p->guessed.probes++;
	hp_punch_send(p, &path, ttl, &m);
}

static void fire_hard(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;
	bool low = p->methods & HP_METHOD_LOW_TTL && g->attempt % 2 == 0;

	if (g->next >= g->n_socks && !open_one(p, now_ns)) {
		g->plan.n_socks = g->next; /* with what there is */
		return;
	}
	guess(p, g->sock[g->next].sock, g->target.port,
	      low ? (int)p->low_ttl : 0, (uint16_t)g->next);
	g->next++;
}

/* From the main socket; where each probe makes a mapping, from one of its own,
 * for the main one may have mappings to these ports from an earlier round.
 */
static void fire_port(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;
	bool counted = g->plan.counted;
	uint16_t port = hp_guess_port(&g->peer, g->plan.foresee, g->start,
				      g->step, g->next);

	if (counted && g->next) {
		int slot = hp_budget_map(p->budget, now_ns);

		if (slot < 0) {
			g->plan.n_ports = g->next;
			return;
		}
		hp_budget_leave(p->budget, slot, now_ns);
	}
	if (counted && !g->next && !open_one(p, now_ns)) {
		g->plan.n_ports = 0;
		return;
	}
	guess(p, counted ? g->sock[g->n_socks - 1].sock : 0, port, 0, port);
	g->next++;
}

static unsigned int n_probes(const struct hp_guess *g)
{
	return g->plan.role == HP_GUESS_HARD ? g->plan.n_socks :
					       g->plan.n_ports;
}

static void fire(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;

	if (now_ns < g->next_ns)
		return;
	while (g->next < n_probes(g)) {
		if (g->next_ns > now_ns || !hp_budget_probe(p->budget, now_ns))
			return;
		/* The order counts: what leaves together may be reordered. */
		if (g->plan.role == HP_GUESS_PAIR)
			g->next_ns = now_ns + PROBE_TIME;
		if (g->plan.role == HP_GUESS_HARD)
			fire_hard(p, now_ns);
		else
			fire_port(p, now_ns);
	}
	g->stage = HP_GUESS_LISTEN;
	if (g->plan.role == HP_GUESS_HARD)
		say(p, now_ns);
	else
		g->end_ns = now_ns + LISTEN_TIME;
}

/* ---- hits --------------------------------------------------------------- */

/* Enough probes: what is found is to be proved and nominated now. */
static void hit(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;

	p->guessed.hits++;
	if (g->stage == HP_GUESS_FIRE && g->plan.role != HP_GUESS_HARD) {
		g->stage = HP_GUESS_LISTEN;
		g->end_ns = 0;
	}
	if (g->end_ns < now_ns + NOMINATE_TIME)
		g->end_ns = now_ns + NOMINATE_TIME;
	/* Volleys to what was heard, for a response or two may get lost. */
	if (!p->punching)
		hp_round_join(p, now_ns);
}

bool hp_guess_owns(const struct hp_punch *p, uint32_t sock)
{
	const struct hp_guess *g = p->guess;

	for (unsigned int i = 0; g && sock && i < g->n_socks; i++)
		if (g->sock[i].sock == sock)
			return true;
	return !sock;
}

/* Probes are sent, or waited for. */
static bool is_firing(const struct hp_guess *g)
{
	return g && (g->stage == HP_GUESS_FIRE || g->stage == HP_GUESS_LISTEN);
}

bool hp_guess_finds(struct hp_punch *p, const struct hp_path *from)
{
	struct hp_guess *g = p->guess;

	return is_firing(g) && hp_addr_same_ip(&from->remote, &g->target) &&
	       g->found++ < FOUND_MAX;
}

void hp_guess_heard(struct hp_punch *p, const struct hp_path *from,
		    uint64_t now_ns)
{
	struct hp_guess *g = p->guess;

	if (is_firing(g) && hp_addr_same_ip(&from->remote, &g->target))
		hit(p, now_ns);
}

/* Did a guess with that mark go where @from is? */
static bool is_guessed(const struct hp_guess *g, const struct hp_path *from,
		       uint16_t mark)
{
	uint32_t sock = 0;

	if (from->channel || !hp_addr_same_ip(&from->remote, &g->target))
		return false;
	if (g->plan.role == HP_GUESS_HARD)
		return from->remote.port == g->target.port &&
		       mark < g->n_socks && g->sock[mark].sock == from->sock;
	if (g->plan.counted)
		sock = g->n_socks ? g->sock[g->n_socks - 1].sock : 0;
	return from->remote.port == mark && from->sock == sock;
}

bool hp_guess_answered(struct hp_punch *p, const struct hp_path *from,
		       const struct hp_probe *m, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;
	struct hp_track *t;

	if (!is_firing(g) || (m->txid ^ g->txid) >> 16 ||
	    !is_guessed(g, from, (uint16_t)m->txid) ||
	    !hp_guess_finds(p, from))
		return false;
	t = hp_paths_add(&p->paths, from, HP_CAND_PEER_REFLEXIVE, p->use,
			 p->doubt);
	if (!t)
		return false;
	/* Its round trip is not known: a request of its own measures it. */
	t->heard_ns = now_ns;
	t->seen = m->seen;
	hp_punch_request(p, t, 0, 0, now_ns);
	hit(p, now_ns);
	return true;
}

/* ---- from outside ------------------------------------------------------- */

void hp_guess_init(struct hp_guessed *g)
{
	g->asked = (struct hp_pace){ .every_ns = 30 * HP_S, .burst = 6 };
}

/* NULL without memory. */
static struct hp_guess *get(struct hp_punch *p)
{
	if (p->guess)
		return p->guess;
	p->guess = calloc(1, sizeof(*p->guess));
	if (p->guess)
		p->guess->due_ns = HP_NEVER;
	return p->guess;
}

static bool is_told(const struct hp_punch *p)
{
	return p->own_mapping == HP_MAPPING_APDM ||
	       p->peer_mapping == HP_MAPPING_APDM;
}

static void plan_for(struct hp_punch *p, uint64_t at_ns)
{
	struct hp_guess *g = is_able(p) ? get(p) : NULL;

	if (!g || g->stage != HP_GUESS_OFF || g->due_ns != HP_NEVER)
		return;
	g->due_ns = at_ns + (p->controlling ? 0 : GAP_OTHER);
	if (g->due_ns < g->not_before_ns)
		g->due_ns = g->not_before_ns;
}

void hp_guess_soon(struct hp_punch *p, uint64_t now_ns)
{
	if (is_told(p) && !p->use)
		plan_for(p, now_ns + VOLLEYS_FIRST);
}

void hp_guess_want(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = get(p);

	if (!g)
		return;
	g->now_ns = now_ns;
	if (is_told(p) && !(p->methods & GUESS_METHODS))
		g->why = HP_PUNCH_WHY_GUESS_OFF;
	plan_for(p, now_ns);
}

void hp_guess_renew(struct hp_punch *p)
{
	struct hp_guess *g = p->guess;

	if (!g)
		return;
	g->attempt = 0;
	g->not_before_ns = 0;
	if (g->stage == HP_GUESS_OFF)
		g->due_ns = HP_NEVER;
}

enum hp_err hp_guess_rx(struct hp_punch *p, const struct hp_path *from,
			const struct hp_probe *m, uint64_t now_ns)
{
	bool apt = from->channel && is_able(p) && !p->use;
	struct hp_guess *g = apt ? get(p) : NULL;

	if (!g)
		return HP_ERR_STATE;
	g->now_ns = now_ns;
	if (g->stage == HP_GUESS_OFF || m->txid != g->id) {
		/* When both begin one, that of the nominating side counts. */
		if (m->guess.step == HP_GUESS_BEGUN || m->txid == p->guessed.last_id ||
		    (g->stage != HP_GUESS_OFF &&
		     (p->controlling || g->stage != HP_GUESS_TALK)) ||
		    !hp_pace_take(&p->guessed.asked, now_ns) ||
		    !begin(p, m->txid, false, now_ns))
			return HP_ERR_STATE;
	}
	if (m->guess.step != HP_GUESS_ASK && g->stage == HP_GUESS_TALK) {
		g->peer = m->guess;
		g->have_peer = true;
	}
	if (m->guess.step == HP_GUESS_BEGUN && !g->begun) {
		g->begun = true;
		g->next_ns = hp_time_min(g->next_ns, now_ns);
	}
	if (!m->guess.have && g->have_own)
		say(p, now_ns);
	advance(p, now_ns);
	return HP_OK;
}

void hp_guess_stop(struct hp_punch *p)
{
	struct hp_guess *g = p->guess;

	if (!g)
		return;
	if (g->stage != HP_GUESS_OFF)
		p->guessed.last_id = g->id;
	g->stage = HP_GUESS_OFF;
	g->why = HP_PUNCH_WHY_NONE;
	g->due_ns = HP_NEVER;
	g->not_before_ns = 0;
	g->attempt = 0;
	g->keep_ns = 0;
	if (p->budget)
		hp_budget_release(p->budget, p);
	tidy(p);
	if (g->n_socks)
		return;
	free(g);
	p->guess = NULL;
}

static void tick_off(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;
	bool idle = hp_time_since(now_ns, p->traffic_ns) >= HP_PUNCH_ACTIVE;

	if (g->due_ns <= now_ns) {
		g->due_ns = HP_NEVER;
		/* The next round of volleys that fails asks again. */
		if (!idle && !p->use && is_able(p))
			begin(p, hp_rng_u64(&p->rng) | 1, true, now_ns);
	}
	/* A path in doubt may need one longer: that is seen at another tick. */
	if (g->stage == HP_GUESS_OFF && g->keep_ns <= now_ns) {
		tidy(p);
		g->keep_ns = 0;
	}
}

void hp_guess_tick(struct hp_punch *p, uint64_t now_ns)
{
	struct hp_guess *g = p->guess;
	bool over;

	if (!g || !p->budget)
		return;
	g->now_ns = now_ns;
	if (g->stage == HP_GUESS_OFF)
		tick_off(p, now_ns);
	if (g->stage == HP_GUESS_FIRE)
		fire(p, now_ns);
	over = (g->stage == HP_GUESS_TALK || g->stage == HP_GUESS_LISTEN) &&
	       now_ns >= g->end_ns;
	if (over) {
		finish(p, g->stage == HP_GUESS_TALK ?
				  HP_PUNCH_WHY_NONE :
				  HP_PUNCH_WHY_GUESS_FAILED, now_ns);
		return;
	}
	if (g->say_ns > now_ns)
		return;
	if (g->stage == HP_GUESS_TALK)
		say(p, now_ns);
	else if (g->stage == HP_GUESS_LISTEN &&
		 g->plan.role == HP_GUESS_HARD && g->says++ < SAYS)
		say(p, now_ns);
	else
		g->say_ns = HP_NEVER;
}

uint64_t hp_guess_deadline(const struct hp_punch *p)
{
	const struct hp_guess *g = p->guess;
	uint64_t due;

	if (!g || !p->budget)
		return HP_NEVER;
	switch (g->stage) {
	case HP_GUESS_OFF:
		due = g->due_ns;
		if (g->keep_ns && g->n_socks)
			due = hp_time_min(due, g->keep_ns);
		return due;
	case HP_GUESS_TALK:
	case HP_GUESS_LISTEN:
		return hp_time_min(g->say_ns, g->end_ns);
	case HP_GUESS_FIRE:
		due = hp_pace_next(&p->budget->pace);
		if (due && g->plan.role != HP_GUESS_PAIR)
			due += (TOGETHER - 1) * PROBE_TIME;
		return due > g->next_ns ? due : g->next_ns;
	}
	return HP_NEVER;
}
