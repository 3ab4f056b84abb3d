/* SPDX-License-Identifier: ISC */
#include "../sim/matrix.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const matrix_topology[] = {
	"one LAN",
	"two homes, one carrier NAT that hairpins",
	"two homes, one carrier NAT that does not",
	"IPv6 only, behind firewalls",
	"IPv4 only and IPv6 only",
	"symmetric, but IPv6 too",
};
const unsigned int matrix_n_topologies =
	sizeof(matrix_topology) / sizeof(*matrix_topology);

static void topology(struct place p[2], unsigned int which)
{
	p[0].kind = p[1].kind = place_named("linux");
	switch (which) {
	case 0:
		p[1].beside = &p[0];
		break;
	case 1:
	case 2:
		p[0].kind = p[1].kind = place_named("linux+cgn");
		p[1].carrier = &p[0];
		p[0].hairpin = which == 1;
		break;
	case 3:
		p[0].ip = p[1].ip = PLACE_IP6;
		break;
	case 4:
		p[1].ip = PLACE_IP6;
		break;
	default:
		p[0].kind = p[1].kind = place_named("sym-random");
		p[0].ip = p[1].ip = PLACE_BOTH;
		break;
	}
}

/* ---- runs ---------------------------------------------------------------- */

/* What theory does not care about differs from seed to seed: hairpinning, what
 * comes unasked, the life of mappings, and a home router before the NAT of either
 * side.
 */
static void vary(struct pair_setup *p, struct place_kind layered[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		struct place *x = &p->place[i];

		x->hairpin = p->seed & 1;
		x->poison = p->seed & 16;
		x->lifetime_ns = (p->seed & 2 ? 30 : 120) * HP_S;
		if (!(p->seed & (4u << i)))
			continue;
		layered[i] = (struct place_kind){
			x->kind->name, &place_home, x->kind->home };
		x->kind = &layered[i];
	}
}

/* @layered has to live as long as @out. */
static void setup(const struct matrix *m, const struct matrix_entry *e,
		  struct place_kind layered[2], struct pair_setup *out)
{
	*out = (struct pair_setup){ .seed = e->seed, .loss = m->loss,
				    .servers = m->servers,
				    .met = m->met, .only = m->only };
	for (unsigned int i = 0; i < 2; i++) {
		out->place[i].subnet = (uint8_t)(1 + i);
		out->place[i].lifetime_ns = 120 * HP_S;
	}
	switch (e->set) {
	case MATRIX_NAMED:
		out->place[0].kind = &place_kinds[e->row];
		out->place[1].kind = &place_kinds[e->col];
		break;
	case MATRIX_TOPOLOGY:
		topology(out->place, e->row);
		break;
	case MATRIX_SWEPT:
		out->place[0].kind = &place_swept[e->row];
		out->place[1].kind = &place_swept[e->col];
		vary(out, layered);
		break;
	}
}

void matrix_again(const struct matrix *m, struct matrix_entry *e, FILE *trace)
{
	struct place_kind layered[2];
	struct pair_setup p;

	setup(m, e, layered, &p);
	p.trace = trace;
	pair_try(&p, &e->s);
}

static void run(struct matrix *m, enum matrix_set set, unsigned int row,
		unsigned int col, uint64_t seed)
{
	struct matrix_entry *e;

	m->entry = reallocarray(m->entry, m->n + 1, sizeof(*e));
	assert(m->entry);
	e = &m->entry[m->n];
	*e = (struct matrix_entry){ .set = set, .row = row, .col = col,
				    .seed = seed };
	matrix_again(m, e, NULL);
	m->n += m->only == ORACLE_KINDS || e->s.theory == m->only;
}

void matrix_run(struct matrix *m, enum matrix_set set, unsigned int rounds,
		uint64_t from)
{
	unsigned int rows = 0;

	switch (set) {
	case MATRIX_NAMED:
		rows = place_n_kinds;
		break;
	case MATRIX_TOPOLOGY:
		rows = matrix_n_topologies;
		break;
	case MATRIX_SWEPT:
		rows = place_n_swept;
		break;
	}
	for (unsigned int i = 0; i < rounds; i++)
		for (unsigned int r = 0; r < rows; r++)
			for (unsigned int c = 0; c <= r; c++)
				if (set != MATRIX_TOPOLOGY || !c)
					run(m, set, r, c, from++);
}

void matrix_free(struct matrix *m)
{
	free(m->entry);
}

/* ---- figures ----------------------------------------------------------- */

static void names_of(const struct matrix_entry *e, const char *out[2])
{
	out[0] = matrix_topology[0];
	out[1] = "";
	switch (e->set) {
	case MATRIX_NAMED:
		out[0] = place_kinds[e->row].name;
		out[1] = place_kinds[e->col].name;
		break;
	case MATRIX_TOPOLOGY:
		out[0] = matrix_topology[e->row];
		break;
	case MATRIX_SWEPT:
		out[0] = place_swept[e->row].name;
		out[1] = place_swept[e->col].name;
		break;
	}
}

void matrix_tell(const struct matrix *m, const struct matrix_entry *e,
		 FILE *out)
{
	const char *names[2];

	names_of(e, names);
	fprintf(out, "%s, %s: theory says %s, is %s %s\n  again: sim --pair "
		"%u,%u,%u,%" PRIu64 " --loss %g --servers %u%s --trace\n",
		names[0], names[1], oracle_text(e->s.theory),
		!e->s.connected ? "not connected" :
		e->s.direct ? "direct" : "relayed", e->s.why, e->set, e->row,
		e->col, e->seed, 100 * m->loss, m->servers,
		m->met ? " --met" : "");
}

size_t matrix_strays(const struct matrix *m, FILE *out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (!pair_is_stray(&m->entry[i].s))
			continue;
		n++;
		matrix_tell(m, &m->entry[i], out);
	}
	return n;
}

double matrix_first_ms(const struct pair_sample *s)
{
	return s->connected ? (double)s->first_ns / 1e6 : -1;
}

double matrix_first_rtt(const struct pair_sample *s)
{
	return s->connected ? (double)s->first_ns / (double)s->rtt_s_ns : -1;
}

double matrix_both_ms(const struct pair_sample *s)
{
	return s->connected ? (double)s->both_ns / 1e6 : -1;
}

double matrix_direct_ms(const struct pair_sample *s)
{
	return s->direct ? (double)s->direct_ns / 1e6 : -1;
}

static double ideal_ns(const struct pair_sample *s)
{
	return (double)s->rtt_s_ns + 1.5 * (double)s->rtt_d_ns;
}

double matrix_direct_rtt(const struct pair_sample *s)
{
	return s->direct ? (double)s->direct_ns / ideal_ns(s) : -1;
}

double matrix_direct_over_ms(const struct pair_sample *s)
{
	double over = ((double)s->direct_ns - ideal_ns(s)) / 1e6;

	return !s->direct ? -1 : over > 0 ? over : 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double *matrix_sorted(const struct matrix *m, enum oracle theory,
		      matrix_figure *f, size_t *n)
{
	double *out = calloc(m->n + 1, sizeof(*out));

	assert(out);
	*n = 0;
	for (size_t i = 0; i < m->n; i++) {
		double v = f(&m->entry[i].s);

		if (v >= 0 && (theory == ORACLE_KINDS ||
			       m->entry[i].s.theory == theory))
			out[(*n)++] = v;
	}
	qsort(out, *n, sizeof(*out), by_value);
	return out;
}

double matrix_at(const double *sorted, size_t n, double quantile)
{
	return n ? sorted[(size_t)((double)(n - 1) * quantile + 0.5)] : 0;
}

struct matrix_cell matrix_cell_of(const struct matrix *m, enum matrix_set set,
				  unsigned int row, unsigned int col)
{
	struct matrix_cell c = { 0 };

	for (size_t i = 0; i < m->n; i++) {
		const struct matrix_entry *e = &m->entry[i];

		if (e->set != set || e->row != row || e->col != col)
			continue;
		c.theory = e->s.theory;
		c.n++;
		c.connected += e->s.connected;
		c.direct += e->s.direct;
		c.direct_ms += e->s.direct ? (double)e->s.direct_ns / 1e6 : 0;
	}
	if (c.direct)
		c.direct_ms /= c.direct;
	return c;
}
