/* SPDX-License-Identifier: ISC */
#include "../sim/oracle.h"

#define DEPTH 8

/* The routers in front of a host, the innermost first. */
struct chain {
	const struct sim_host *host;
	const struct sim_nat *r[DEPTH];
	unsigned int n;
};

/* How the next port of a NAT that maps by destination is found. */
enum next_port {
	NEXT_STEP,	/* behind the last one */
	NEXT_BLOCK,	/* in the subscriber's block */
	NEXT_ANY,
};

/* How a row of routers looks from outside: the worst of each property. */
struct face {
	enum sim_mapping mapping;	/* SIM_EIM when it has one port only */
	enum sim_filtering filtering;
	enum next_port next;		/* when it has more */
	bool poison;			/* what comes unasked takes a port */
};

static struct chain chain_of(const struct sim_host *h)
{
	struct chain c = { .host = h };

	for (const struct sim_nat *r = sim_host_behind(h); r && c.n < DEPTH;
	     r = sim_nat_outside(r))
		c.r[c.n++] = r;
	return c;
}

/* How many routers, counted from the public net, both have in common. */
static unsigned int shared(const struct chain *a, const struct chain *b)
{
	unsigned int n = 0;

	while (n < a->n && n < b->n && a->r[a->n - 1 - n] == b->r[b->n - 1 - n])
		n++;
	return n;
}

/* Linux maps by flow, yet to the same port as long as nobody else has it. */
static enum sim_mapping mapping_of(const struct sim_nat_config *c)
{
	if (c->mapping == SIM_ROUTED || c->ports == SIM_OVERLOAD)
		return SIM_EIM;
	return c->mapping;
}

/* Of an outer port, when each new inner one makes a new one. */
static enum next_port next_of(const struct sim_nat_config *c,
			      enum next_port inner)
{
	switch (c->ports) {
	case SIM_PRESERVE:
		/* The inner port is taken once the server was spoken to. */
		return c->mapping == SIM_EIM ? inner : NEXT_ANY;
	case SIM_OVERLOAD:
		return inner;
	case SIM_SEQUENTIAL:
		return NEXT_STEP;
	case SIM_RANDOM:
		return NEXT_ANY;
	case SIM_BLOCK:
		return NEXT_BLOCK;
	}
	return NEXT_ANY;
}

static struct face face_of(const struct chain *c, unsigned int n)
{
	struct face f = { .mapping = SIM_EIM, .filtering = SIM_EIF,
			  .next = NEXT_ANY };

	for (unsigned int i = 0; i < n; i++) {
		const struct sim_nat_config *cfg = sim_nat_config(c->r[i]);

		/* One of its ports is ours, for anybody to send to. */
		if (sim_nat_opened(c->r[i], c->host))
			continue;
		f.poison |= cfg->poison;
		if (cfg->filtering > f.filtering)
			f.filtering = cfg->filtering;
		if (mapping_of(cfg) > f.mapping)
			f.mapping = mapping_of(cfg);
		if (f.mapping != SIM_EIM && cfg->mapping != SIM_ROUTED)
			f.next = next_of(cfg, f.next);
	}
	return f;
}

/* ---- what two of them can do -------------------------------------------- */

/* @a maps by destination, so that @b hears it from a port that nobody knew.
 *
 * @b has one port: A's probe to it passes when B's filter looks at addresses
 * at most, for B has sent to A's. From then on all is known.
 */
static bool heard_at_port(const struct face *b)
{
	return b->filtering != SIM_APDF;
}

/* Both map by destination: A's probe can only go to the port that B has toward
 * the server, whose filter knows the server alone. B answers from a new port;
 * A's filter must let that in. If both map by port, each answer comes from yet
 * another port, and no pair of ports ever holds.
 */
static bool meets_at_server_port(const struct face *a, const struct face *b)
{
	if (a->mapping == SIM_APDM && b->mapping == SIM_APDM)
		return false;
	return b->filtering == SIM_EIF && a->filtering != SIM_APDF;
}

/* @a's one port toward @b's address is unknown; whatever of @b hits it passes,
 * is heard, and is answered from there.
 */
static bool waits_at_port(const struct face *a)
{
	return a->mapping == SIM_ADM && a->filtering != SIM_APDF;
}

static enum oracle found(enum next_port next)
{
	return next == NEXT_STEP ? ORACLE_PREDICT : ORACLE_BIRTHDAY;
}

/* Both map by destination. */
static enum oracle judge_both(const struct face *a, const struct face *b)
{
	if (meets_at_server_port(a, b) || meets_at_server_port(b, a))
		return ORACLE_CERTAIN;
	/* Guesses that arrive before the other side's leave take the very ports
	 * that those were foreseen to get.
	 */
	if (a->next == NEXT_STEP && b->next == NEXT_STEP)
		return a->poison || b->poison ? ORACLE_UNSOUGHT :
						ORACLE_PREDICT;
	if (a->next != NEXT_ANY && b->next != NEXT_ANY)
		return ORACLE_BLOCKS;
	if (waits_at_port(a) || waits_at_port(b))
		return ORACLE_UNSOUGHT;
	return ORACLE_RELAY;
}

static enum oracle judge(const struct face *a, const struct face *b)
{
	if (a->mapping == SIM_EIM && b->mapping == SIM_EIM)
		return ORACLE_CERTAIN;
	if (b->mapping == SIM_EIM)
		return heard_at_port(b) ? ORACLE_CERTAIN : found(a->next);
	if (a->mapping == SIM_EIM)
		return heard_at_port(a) ? ORACLE_CERTAIN : found(b->next);
	return judge_both(a, b);
}

static bool translates(const struct sim_nat *r)
{
	return sim_nat_config(r)->mapping != SIM_ROUTED;
}

static enum oracle ask4(const struct sim_host *ha, const struct sim_host *hb)
{
	struct chain a = chain_of(ha), b = chain_of(hb);
	unsigned int both = shared(&a, &b);
	unsigned int own_a = a.n - both, own_b = b.n - both;
	const struct sim_nat *top = NULL;
	struct face fa, fb;

	/* One of them lives in the net where they meet, as it says itself. */
	if (!own_a || !own_b)
		return ORACLE_CERTAIN;
	for (unsigned int i = own_a; i < a.n; i++)
		if (translates(a.r[i]))
			top = a.r[i];
	/* Only the outermost NAT's addresses are known; it has to turn. */
	if (top && !sim_nat_config(top)->hairpin)
		return ORACLE_NEVER;
	fa = face_of(&a, top ? a.n : own_a);
	fb = face_of(&b, top ? b.n : own_b);
	return judge(&fa, &fb);
}

static bool both_have(const struct sim_host *a, const struct sim_host *b,
		      enum hp_family family)
{
	return sim_host_addr_of(a, family, 0).family &&
	       sim_host_addr_of(b, family, 0).family;
}

enum oracle oracle_ask(const struct sim_host *a, const struct sim_host *b)
{
	if (sim_host_is_blocked(a) || sim_host_is_blocked(b))
		return ORACLE_NEVER;
	/* IPv6 is only filtered, and both sides send first. */
	if (both_have(a, b, HP_AF_6))
		return ORACLE_CERTAIN;
	return both_have(a, b, HP_AF_4) ? ask4(a, b) : ORACLE_NEVER;
}

const char *oracle_text(enum oracle o)
{
	switch (o) {
	case ORACLE_CERTAIN:
		return "certain";
	case ORACLE_PREDICT:
		return "predict";
	case ORACLE_BIRTHDAY:
		return "birthday";
	case ORACLE_BLOCKS:
		return "blocks";
	case ORACLE_UNSOUGHT:
		return "unsought";
	case ORACLE_RELAY:
		return "relay";
	case ORACLE_NEVER:
		return "never";
	case ORACLE_KINDS:
		break;
	}
	return "?";
}
