/* SPDX-License-Identifier: ISC */
#include "../sim/matrix.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../sim/watch.h"

#define SERVER_DELAY (5 * HP_MS)	/* as world.c has it */
#define GIVE_UP (20 * HP_S)
#define GIVE_UP_LOSSY (90 * HP_S)

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

/* ---- one run ----------------------------------------------------------- */

static void take_times(struct place p[2], struct matrix_sample *s,
		       uint64_t start)
{
	struct hp_node_peer_info info[2] = { 0 };
	uint64_t now = sim_now(p[0].node->world->sim);

	for (unsigned int i = 0; i < 2; i++)
		if (hp_node_peer_find(p[i].node->node, i ? "alice" : "bob",
				      now, &info[i]) != HP_OK)
			return;
	s->direct = info[0].state == HP_PEER_DIRECT &&
		    info[1].state == HP_PEER_DIRECT;
	if (s->direct)
		s->direct_ns = (info[0].direct_ns > info[1].direct_ns ?
				info[0].direct_ns : info[1].direct_ns) - start;
}

static void measure(struct place p[2], struct matrix_sample *s,
		    const struct watch *v, uint64_t give_up)
{
	struct sim_world_node *a = p[0].node, *b = p[1].node;
	const struct sim_stream *to_b = &b->from[0], *to_a = &a->from[1];
	struct sim_world *w = a->world;
	uint64_t start = sim_now(w->sim);
	unsigned int before[2] = { v->probes[0], v->probes[1] };

	if (hp_node_want(a->node, "bob", start) != HP_OK)
		return;
	while (sim_now(w->sim) < start + give_up) {
		bool often = sim_now(w->sim) < start + 2 * HP_S;

		sim_world_packet(a, b);
		sim_world_packet(b, a);
		sim_world_run(w, often ? 2 * HP_MS : 50 * HP_MS);
		if (to_b->delivered && !s->first_ns)
			s->first_ns = to_b->last_ns - start;
		s->connected = to_b->delivered && to_a->delivered;
		if (!s->direct) {
			take_times(p, s, start);
			for (unsigned int i = 0; i < 2; i++)
				if (v->probes[i] - before[i] > s->probes)
					s->probes = v->probes[i] - before[i];
		} else if (s->connected) {
			break;
		}
	}
	s->stray = s->direct ? s->theory == ORACLE_RELAY :
			       s->theory == ORACLE_DIRECT;
}

static void run(struct matrix *m, struct place p[2], int row, int col,
		uint64_t seed)
{
	struct matrix_sample *s;
	static struct sim_world w;
	struct watch v;

	m->sample = reallocarray(m->sample, m->n + 1, sizeof(*s));
	assert(m->sample);
	s = &m->sample[m->n++];
	*s = (struct matrix_sample){ .row = row, .col = col };
	sim_world_init(&w, seed, true);
	sim_set_hops(w.sim, 8);
	watch_begin(&v, &w, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		struct sim_link *l = &p[i].link;

		p[i].port = (uint16_t)(30000 + hp_rng_below(sim_rng(w.sim),
							   10000));
		l->delay_ns = (3 + hp_rng_below(sim_rng(w.sim), 30)) * HP_MS;
		l->jitter_ns = HP_MS;
		l->loss_ppm = (unsigned int)(m->loss * 1e6);
		s->rtt_s_ns += 2 * (l->delay_ns + SERVER_DELAY);
		if (!p[i].beside && !p[!i].beside)
			s->rtt_d_ns += 2 * l->delay_ns;
		place_build(&p[i], &w, i);
	}
	sim_world_run(&w, m->loss > 0 ? 30 * HP_S : 2 * HP_S);
	s->theory = oracle_ask(p[0].node->host, p[1].node->host);
	measure(p, s, &v, m->loss > 0 ? GIVE_UP_LOSSY : GIVE_UP);
	watch_end(&v);
	sim_world_free(&w);
}

void matrix_run(struct matrix *m, unsigned int seeds, uint64_t from,
		double loss)
{
	memset(m, 0, sizeof(*m));
	m->loss = loss;
	for (unsigned int i = 0; i < seeds; i++) {
		for (unsigned int r = 0; r < place_n_kinds; r++)
			for (unsigned int c = 0; c <= r; c++) {
				struct place p[2] = {
					{ .kind = &place_kinds[r] },
					{ .kind = &place_kinds[c] },
				};

				for (int k = 0; k < 2; k++) {
					p[k].subnet = (uint8_t)(1 + k);
					p[k].lifetime_ns = 120 * HP_S;
				}
				run(m, p, (int)r, (int)c,
				    from + i * 1000 + r * 32 + c);
			}
		for (unsigned int t = 0; t < matrix_n_topologies; t++) {
			struct place p[2] = { { .subnet = 1 },
					      { .subnet = 2 } };

			topology(p, t);
			run(m, p, (int)t, -1, from + i * 1000 + 900 + t);
		}
	}
}

void matrix_free(struct matrix *m)
{
	free(m->sample);
}

/* ---- figures ----------------------------------------------------------- */

size_t matrix_strays(const struct matrix *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->sample[i].stray || !m->sample[i].connected;
	return n;
}

double matrix_first_ms(const struct matrix_sample *s)
{
	return s->connected ? (double)s->first_ns / 1e6 : -1;
}

double matrix_first_rtt(const struct matrix_sample *s)
{
	return s->connected ? (double)s->first_ns / (double)s->rtt_s_ns : -1;
}

double matrix_direct_ms(const struct matrix_sample *s)
{
	return s->direct ? (double)s->direct_ns / 1e6 : -1;
}

double matrix_direct_ideal(const struct matrix_sample *s)
{
	double ideal = (double)s->rtt_s_ns + 1.5 * (double)s->rtt_d_ns;

	return s->direct ? (double)s->direct_ns / ideal : -1;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double *matrix_sorted(const struct matrix *m, int theory, matrix_figure *f,
		      size_t *n)
{
	double *out = calloc(m->n + 1, sizeof(*out));

	assert(out);
	*n = 0;
	for (size_t i = 0; i < m->n; i++) {
		double v = f(&m->sample[i]);

		if (v >= 0 && (theory < 0 ||
			       (int)m->sample[i].theory == theory))
			out[(*n)++] = v;
	}
	qsort(out, *n, sizeof(*out), by_value);
	return out;
}

struct matrix_cell matrix_cell_of(const struct matrix *m, int row, int col)
{
	struct matrix_cell c = { 0 };

	for (size_t i = 0; i < m->n; i++) {
		const struct matrix_sample *s = &m->sample[i];

		if (s->row != row || s->col != col)
			continue;
		c.theory = s->theory;
		c.n++;
		c.connected += s->connected;
		c.direct += s->direct;
		c.first_ms += (double)s->first_ns / 1e6;
		c.direct_ms += s->direct ? (double)s->direct_ns / 1e6 : 0;
	}
	if (c.n)
		c.first_ms /= c.n;
	if (c.direct)
		c.direct_ms /= c.direct;
	return c;
}

/* ---- the table --------------------------------------------------------- */

static void cell_print(const struct matrix_cell *c, FILE *out)
{
	if (c->connected < c->n)
		fprintf(out, " %5.0f%%!", 100.0 * c->connected / c->n);
	else if (c->direct)
		fprintf(out, " %3.0f%%%s%3.0f", 100.0 * c->direct / c->n,
			c->theory == ORACLE_DIRECT && c->direct < c->n ? "!" :
									 " ",
			c->direct_ms);
	else
		fprintf(out, "  %s%s", oracle_text(c->theory),
			c->theory == ORACLE_DIRECT ? "!" : " ");
}

static double at(const double *sorted, size_t n, double q)
{
	return n ? sorted[(size_t)((double)(n - 1) * q + 0.5)] : 0;
}

static void row_print(const struct matrix *m, int theory, const char *what,
		      matrix_figure *f, FILE *out)
{
	size_t n;
	double *v = matrix_sorted(m, theory, f, &n);

	if (n)
		fprintf(out, "%-7s %-42s %6zu %8.2f %8.2f %8.2f %8.2f\n",
			theory < 0 ? "all" : oracle_text((enum oracle)theory),
			what, n, at(v, n, 0.5), at(v, n, 0.9), at(v, n, 0.99),
			v[n - 1]);
	free(v);
}

static void classes_print(const struct matrix *m, FILE *out)
{
	for (int o = 0; o < 3; o++) {
		unsigned int n = 0, connected = 0, direct = 0, probes = 0;

		for (size_t i = 0; i < m->n; i++) {
			const struct matrix_sample *s = &m->sample[i];

			if ((int)s->theory != o)
				continue;
			n++;
			connected += s->connected;
			direct += s->direct;
			if (s->direct && s->probes > probes)
				probes = s->probes;
		}
		fprintf(out, "theory says %-6s: %5u runs, %6.2f %% connected, "
			"%6.2f %% direct; most probes until direct %u\n",
			oracle_text((enum oracle)o), n,
			n ? 100.0 * connected / n : 0,
			n ? 100.0 * direct / n : 0, probes);
	}
}

void matrix_print(const struct matrix *m, FILE *out)
{
	fprintf(out, "Loss of each access link: %.0f %%. Direct share, and mean "
		"time to the direct path in ms;\nwhat theory says where no "
		"path is direct; ! where it should be, or is not connected.\n"
		"\n%-13s", 100 * m->loss, "");
	for (unsigned int c = 0; c < place_n_kinds; c++)
		fprintf(out, " %7.7s", place_kinds[c].name);
	fputc('\n', out);
	for (unsigned int r = 0; r < place_n_kinds; r++) {
		fprintf(out, "%-13s", place_kinds[r].name);
		for (unsigned int c = 0; c <= r; c++) {
			struct matrix_cell cell =
				matrix_cell_of(m, (int)r, (int)c);

			cell_print(&cell, out);
		}
		fputc('\n', out);
	}
	fputc('\n', out);
	for (unsigned int t = 0; t < matrix_n_topologies; t++) {
		struct matrix_cell cell = matrix_cell_of(m, (int)t, -1);

		fprintf(out, "%-42s", matrix_topology[t]);
		cell_print(&cell, out);
		fputc('\n', out);
	}
	fputc('\n', out);
	classes_print(m, out);
	fprintf(out, "\n%-7s %-42s %6s %8s %8s %8s %8s\n", "theory", "", "runs",
		"p50", "p90", "p99", "most");
	for (int o = -1; o < 3; o++)
		row_print(m, o, "first packet, ms", matrix_first_ms, out);
	row_print(m, -1, "first packet, round trips over the server",
		  matrix_first_rtt, out);
	row_print(m, 0, "direct path, ms", matrix_direct_ms, out);
	row_print(m, 0, "direct path / (RTT_s + 1.5 RTT_d)",
		  matrix_direct_ideal, out);
}
