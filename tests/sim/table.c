/* SPDX-License-Identifier: ISC */
/* The matrix as text. */
#include <stdlib.h>

#include "../sim/matrix.h"

static void cell_print(const struct matrix_cell *c, FILE *out)
{
	bool must = c->theory == ORACLE_CERTAIN;

	if (c->connected < c->n)
		fprintf(out, " %5.0f%%!", 100.0 * c->connected / c->n);
	else if (c->direct)
		fprintf(out, " %3.0f%%%s%-4.0f", 100.0 * c->direct / c->n,
			must && c->direct < c->n ? "!" : " ", c->direct_ms);
	else
		fprintf(out, "  %-7s", must ? "NONE!" :
			oracle_text(c->theory));
}

static void named_print(const struct matrix *m, FILE *out)
{
	fprintf(out, "Direct share, and mean time to the direct path in ms; "
		"where there is none, what theory says.\n\n%-13s", "");
	for (unsigned int c = 0; c < place_n_kinds; c++)
		fprintf(out, " %-8.8s", place_kinds[c].name);
	fputc('\n', out);
	for (unsigned int r = 0; r < place_n_kinds; r++) {
		fprintf(out, "%-13s", place_kinds[r].name);
		for (unsigned int c = 0; c <= r; c++) {
			struct matrix_cell cell =
				matrix_cell_of(m, MATRIX_NAMED, r, c);

			cell_print(&cell, out);
		}
		fputc('\n', out);
	}
	fputc('\n', out);
	for (unsigned int t = 0; t < matrix_n_topologies; t++) {
		struct matrix_cell cell =
			matrix_cell_of(m, MATRIX_TOPOLOGY, t, 0);

		fprintf(out, "%-42s", matrix_topology[t]);
		cell_print(&cell, out);
		fputc('\n', out);
	}
}

/* One letter: its class when all was direct, small when some was, else '.'. */
static char letter(const struct matrix_cell *c)
{
	char l = "cpblurn"[c->theory];

	if (c->connected < c->n)
		return '!';
	if (!c->direct)
		return c->theory == ORACLE_CERTAIN ? '!' : '.';
	if (c->direct < c->n)
		return l;
	return (char)(l - 'a' + 'A');
}

static void swept_print(const struct matrix *m, FILE *out)
{
	fputs("\nEvery kind of NAT with every other. Direct in all runs: "
	      "Certain, Predict, Birthday, bLocks,\nUnsought and Relay (by luck); in some: "
	      "a small letter; in none: a dot; ! not as theory says.\n\n", out);
	for (unsigned int r = 0; r < place_n_swept; r++) {
		fprintf(out, "%-18s", place_swept[r].name);
		for (unsigned int c = 0; c <= r; c++) {
			struct matrix_cell cell =
				matrix_cell_of(m, MATRIX_SWEPT, r, c);

			fprintf(out, "%s%c", c % 4 ? "" : " ", letter(&cell));
		}
		fputc('\n', out);
	}
}

static void row_print(const struct matrix *m, enum oracle theory,
		      const char *what, matrix_figure *f, FILE *out)
{
	size_t n;
	double *v = matrix_sorted(m, theory, f, &n);

	if (n)
		fprintf(out, "%-9s %-40s %6zu %9.2f %9.2f %9.2f %9.2f\n",
			theory == ORACLE_KINDS ? "all" : oracle_text(theory),
			what, n, matrix_at(v, n, 0.5), matrix_at(v, n, 0.9),
			matrix_at(v, n, 0.99), v[n - 1]);
	free(v);
}

static void times_print(const struct matrix *m, FILE *out)
{
	static const struct {
		const char *what;
		matrix_figure *f;
	} figures[] = {
		{ "first packet, ms", matrix_first_ms },
		{ "first packet / RTT_s", matrix_first_rtt },
		{ "direct path, ms", matrix_direct_ms },
		{ "direct path / (RTT_s + 1.5 RTT_d)", matrix_direct_rtt },
	};

	fprintf(out, "\n%-9s %-40s %6s %9s %9s %9s %9s\n", "theory", "",
		"runs", "p50", "p90", "p99", "most");
	for (unsigned int i = 0; i < sizeof(figures) / sizeof(*figures); i++)
		for (int o = i < 2 ? ORACLE_KINDS : 0; o <= ORACLE_KINDS; o++)
			row_print(m, (enum oracle)o, figures[i].what,
				  figures[i].f, out);
}

static void classes_print(const struct matrix *m, FILE *out)
{
	fprintf(out, "\n%-9s %6s %11s %9s %12s %12s %12s\n", "theory", "runs",
		"connected", "direct", "within 10 s", "most probes",
		"most sockets");
	for (int o = 0; o < ORACLE_KINDS; o++) {
		unsigned int n = 0, connected = 0, direct = 0, soon = 0;
		unsigned int probes = 0, sockets = 0;

		for (size_t i = 0; i < m->n; i++) {
			const struct pair_sample *s = &m->entry[i].s;

			if ((int)s->theory != o)
				continue;
			n++;
			connected += s->connected;
			direct += s->direct;
			soon += s->direct && s->direct_ns <= 10 * HP_S;
			if (s->direct && s->probes > probes)
				probes = s->probes;
			if (s->sockets > sockets)
				sockets = s->sockets;
		}
		if (n)
			fprintf(out, "%-9s %6u %9.2f %% %7.2f %% %10.2f %% "
				"%12u %12u\n", oracle_text((enum oracle)o), n,
				100.0 * connected / n, 100.0 * direct / n,
				100.0 * soon / n, probes, sockets);
	}
}

void matrix_print(const struct matrix *m, FILE *out)
{
	fprintf(out, "Loss of each access link: %.0f %%. ", 100 * m->loss);
	if (matrix_cell_of(m, MATRIX_NAMED, 0, 0).n)
		named_print(m, out);
	if (matrix_cell_of(m, MATRIX_SWEPT, 0, 0).n)
		swept_print(m, out);
	classes_print(m, out);
	times_print(m, out);
}
