/* SPDX-License-Identifier: ISC */
#include "../sim/scenario.h"

#include <string.h>

static bool one_in(const struct hp_rng *r, uint32_t n)
{
	return !hp_rng_below(r, n);
}

/* Of the uplink of the @i-th. IPv6 has no link that carries less than 1280
 * bytes.
 */
static unsigned int mtu_draw(const struct scenario *s, unsigned int i,
			     const struct hp_rng *r)
{
	static const unsigned int mtus[] = { 1500, 1500, 1492, 1420, 1300, 1280,
					     1124 };
	bool ip6 = false;

	for (unsigned int k = 0; k < s->n; k++)
		if (k == i || s->places[k].beside == &s->places[i])
			ip6 |= s->places[k].ip != PLACE_IP4;
	return mtus[hp_rng_below(r, ip6 ? 6 : 7)];
}

/* 1 ms to 128 ms one way, each octave as likely as the next. */
static void link_draw(struct sim_link *l, const struct hp_rng *r,
		      const struct scenario *s)
{
	l->delay_ns = HP_MS << hp_rng_below(r, 7);
	l->delay_ns += hp_rng_u64(r) % l->delay_ns;
	if (!s->lossy)
		return;
	l->jitter_ns = one_in(r, 2) ? l->delay_ns / 4 : 0;
	l->loss_ppm = hp_rng_below(r, s->heavy ? 500000 : 50000);
	l->dup_ppm = one_in(r, 2) ? hp_rng_below(r, 20000) : 0;
}

/* Any kind of NAT that there can be, at times with a home router before it. */
static void kind_make(struct place *p, const struct hp_rng *r)
{
	p->made = place_swept[hp_rng_below(r, place_n_swept)];
	if (one_in(r, 3)) {
		p->made.carrier = p->made.home;
		p->made.home = &place_home;
	}
	p->kind = &p->made;
}

static void place_draw(struct scenario *s, unsigned int i,
		       const struct hp_rng *r)
{
	static const uint64_t lifetimes[] = { 30, 120, 0 };
	struct place *p = &s->places[i];
	const struct place *other = i ? &s->places[hp_rng_below(r, i)] : NULL;

	p->kind = &place_kinds[hp_rng_below(r, place_n_kinds)];
	if (one_in(r, 3))
		kind_make(p, r);
	p->ip = one_in(r, 10) ? PLACE_IP6 : one_in(r, 3) ? PLACE_BOTH :
							   PLACE_IP4;
	p->hairpin = one_in(r, 2);
	p->poison = one_in(r, 4);
	p->lifetime_ns = lifetimes[hp_rng_below(r, 3)] * HP_S;
	/* Most people's LAN has one of few prefixes. */
	p->subnet = (uint8_t)(one_in(r, 2) ? 1 : 10 + i);
	p->port = (uint16_t)(20000 + 1000 * i + hp_rng_below(r, 1000));
	p->fixed = one_in(r, 2);
	link_draw(&p->link, r, s);
	p->tells = one_in(r, 2);
	if (!other || other->beside)
		return;
	if (other->kind->home && one_in(r, 8)) {
		p->beside = other;
		p->kind = other->kind;
	} else if (other->kind->carrier && !other->carrier && one_in(r, 2)) {
		p->carrier = other;
		p->kind = other->kind;
		p->hairpin = other->hairpin;
	}
}

/* A router that opens ports is asked by one host, and stands alone. */
static enum gateway_kind gateway_draw(const struct scenario *s, unsigned int i,
				      const struct hp_rng *r)
{
	enum gateway_kind kind =
		(enum gateway_kind)hp_rng_below(r, GATEWAY_KINDS);
	const struct place *p = &s->places[i];

	for (unsigned int k = 0; k < s->n; k++)
		if (s->places[k].beside == p)
			return GATEWAY_NONE;
	if (p->beside || p->carrier || p->kind->carrier || !p->kind->home ||
	    p->kind->home->mapping == SIM_ROUTED || p->ip == PLACE_IP6)
		return GATEWAY_NONE;
	return one_in(r, 2) ? kind : GATEWAY_NONE;
}

static void step_draw(struct scenario *s, struct scenario_step *e,
		      const struct hp_rng *r)
{
	e->event = (enum scenario_event)hp_rng_below(r, EVENT_KINDS);
	e->node = hp_rng_below(r, s->n);
	switch (e->event) {
	case EVENT_SERVER:
		e->for_ns = hp_rng_below(r, 5000) * HP_MS;
		break;
	case EVENT_UNPLUG:
		e->for_ns = (100 + hp_rng_below(r, 20000)) * HP_MS;
		break;
	case EVENT_IDLE:
		e->for_ns = (20 + hp_rng_below(r, 180)) * HP_S;
		break;
	case EVENT_SLEEP:
		e->for_ns = 600 * HP_S;
		break;
	case EVENT_ONE_WAY:
		e->for_ns = 20 * HP_S;
		break;
	case EVENT_BLOCK:
		e->for_ns = (20 + hp_rng_below(r, 60)) * HP_S;
		s->streams = true;
		break;
	case EVENT_MTU:
		if (s->places[e->node].beside)
			e->node = (unsigned int)(s->places[e->node].beside -
						 s->places);
		e->mtu = mtu_draw(s, e->node, r);
		break;
	case EVENT_FLUSH:
	case EVENT_RENUMBER:
	case EVENT_RESTART:
	case EVENT_KINDS:
		break;
	}
}

void scenario_draw(struct scenario *s, uint64_t seed)
{
	struct hp_rng_seeded seeded;
	struct hp_rng r;

	memset(s, 0, sizeof(*s));
	hp_rng_seeded_init(&seeded, seed ^ UINT64_C(0x5ce7a410), &r);
	s->n = one_in(&r, 5) ? 3 + hp_rng_below(&r, 2) : 2;
	s->hops = 3 + hp_rng_below(&r, 11);
	s->n_servers = one_in(&r, 3) ? 2 + hp_rng_below(&r, 2) : 1;
	s->lossy = one_in(&r, 2);
	s->heavy = s->lossy && one_in(&r, 6);
	s->stranger = one_in(&r, 4);
	s->both_ask = one_in(&r, 2);
	s->stagger_ns = one_in(&r, 2) ? hp_rng_below(&r, 3000) * HP_MS : 0;
	for (unsigned int i = 0; i < s->n; i++)
		place_draw(s, i, &r);
	for (unsigned int i = 0; i < s->n; i++)
		s->places[i].link.mtu = mtu_draw(s, i, &r);
	for (unsigned int i = 0; i < s->n; i++)
		s->places[i].gateway = gateway_draw(s, i, &r);
	s->n_steps = hp_rng_below(&r, SCENARIO_EVENTS + 1);
	s->streams = one_in(&r, 2);
	for (unsigned int i = 0; i < s->n_steps; i++)
		step_draw(s, &s->steps[i], &r);
	for (unsigned int i = 0; i < s->n; i++) {
		s->places[i].blocked = one_in(&r, 12);
		s->streams |= s->places[i].blocked;
	}
}

const char *scenario_event_text(enum scenario_event e)
{
	switch (e) {
	case EVENT_SERVER:
		return "the server restarts";
	case EVENT_FLUSH:
		return "NAT forgets all";
	case EVENT_RENUMBER:
		return "NAT gets another address";
	case EVENT_RESTART:
		return "node restarts";
	case EVENT_UNPLUG:
		return "host is unplugged";
	case EVENT_IDLE:
		return "silence";
	case EVENT_SLEEP:
		return "host is suspended";
	case EVENT_BLOCK:
		return "UDP is blocked";
	case EVENT_ONE_WAY:
		return "host is deaf to the next";
	case EVENT_MTU:
		return "another MTU";
	case EVENT_KINDS:
		break;
	}
	return "?";
}

void scenario_print(const struct scenario *s, FILE *out)
{
	static const char *const ips[] = { "IPv4", "IPv6", "IPv4 and IPv6" };

	for (unsigned int i = 0; i < s->n; i++) {
		const struct place *p = &s->places[i];

		fprintf(out, "  %c: %s%s%s%s%s, %s, %sport %u, lifetime %u s, "
			"%.1f ms, jitter %.1f ms, loss %.1f %%, twice %.1f %%, "
			"MTU %u%s%s", 'a' + (int)i, p->kind->name,
			p->kind == &p->made && p->made.carrier ?
			", home router" : "", p->hairpin ? ", hairpin" : "",
			p->poison ? ", poison" : "",
			p->subnet == 1 ? ", 192.168.1" : "", ips[p->ip],
			p->fixed ? "fixed " : "", p->port, (unsigned int)(p->lifetime_ns / HP_S),
			(double)p->link.delay_ns / 1e6,
			(double)p->link.jitter_ns / 1e6,
			(double)p->link.loss_ppm / 1e4,
			(double)p->link.dup_ppm / 1e4, p->link.mtu,
			p->tells ? " (tells)" : "",
			p->blocked ? ", UDP blocked" : "");
		if (p->gateway)
			fprintf(out, ", gateway %s", gateway_text(p->gateway));
		if (p->beside)
			fprintf(out, ", in the LAN of %c",
				'a' + (int)(p->beside - s->places));
		if (p->carrier)
			fprintf(out, ", at the carrier of %c",
				'a' + (int)(p->carrier - s->places));
		fputc('\n', out);
	}
	fprintf(out, "  %u servers, %u hops%s%s%s\n", s->n_servers, s->hops,
		s->streams ? ", streams" : "",
		s->stranger ? ", a stranger repeats datagrams" : "",
		s->both_ask ? ", both ask" : "");
	for (unsigned int i = 0; i < s->n_steps; i++)
		fprintf(out, "  then: %s (%c, %.1f s, %u bytes)\n",
			scenario_event_text(s->steps[i].event),
			'a' + (int)s->steps[i].node,
			(double)s->steps[i].for_ns / 1e9, s->steps[i].mtu);
}
