/* SPDX-License-Identifier: ISC */
/* The matrix as a picture: a coloured table, and how long things take. */
#include <stdlib.h>

#include "../sim/matrix.h"

#define CELL_W 62
#define CELL_H 26
#define LEFT 120
#define TOP 110
#define PLOT_W 420
#define PLOT_H 220

static const char *colour(const struct matrix_cell *c)
{
	if (c->connected < c->n)
		return "#d33";
	if (c->direct == c->n)
		return "#5b5";
	if (c->direct)
		return "#9c6";
	if (c->theory == ORACLE_DIRECT)
		return "#e92";
	return c->theory == ORACLE_GUESS ? "#ec5" : "#bbb";
}

static void cell_draw(const struct matrix *m, int row, int col, int x, int y,
		      FILE *out)
{
	struct matrix_cell c = matrix_cell_of(m, row, col);

	fprintf(out, "<rect x='%d' y='%d' width='%d' height='%d' fill='%s'/>\n"
		"<text x='%d' y='%d' text-anchor='middle'>", x, y, CELL_W - 2,
		CELL_H - 2, colour(&c), x + CELL_W / 2, y + 16);
	if (c.direct)
		fprintf(out, "%.0f ms", c.direct_ms);
	else
		fprintf(out, "relayed");
	fprintf(out, "</text>\n");
}

static int table_draw(const struct matrix *m, FILE *out)
{
	int y = TOP;

	for (unsigned int c = 0; c < place_n_kinds; c++)
		fprintf(out, "<text transform='translate(%d,%d) rotate(-50)'>"
			"%s</text>\n", LEFT + (int)c * CELL_W + CELL_W / 2,
			TOP - 8, place_kinds[c].name);
	for (unsigned int r = 0; r < place_n_kinds; r++, y += CELL_H) {
		fprintf(out, "<text x='%d' y='%d' text-anchor='end'>%s</text>"
			"\n", LEFT - 8, y + 16, place_kinds[r].name);
		for (unsigned int c = 0; c <= r; c++)
			cell_draw(m, (int)r, (int)c, LEFT + (int)c * CELL_W, y,
				  out);
	}
	y += CELL_H;
	for (unsigned int t = 0; t < matrix_n_topologies; t++, y += CELL_H) {
		cell_draw(m, (int)t, -1, LEFT, y, out);
		fprintf(out, "<text x='%d' y='%d'>%s</text>\n",
			LEFT + CELL_W + 8, y + 16, matrix_topology[t]);
	}
	return y;
}

/* The share of runs that were done by each time. */
static void curve(const double *v, size_t n, double max, const char *stroke,
		  int y, FILE *out)
{
	fprintf(out, "<polyline fill='none' stroke='%s' stroke-width='2' "
		"points='", stroke);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%.1f,%.1f ",
			LEFT + PLOT_W * (v[i] < max ? v[i] : max) / max,
			y + PLOT_H * (1 - (double)(i + 1) / (double)n));
	fprintf(out, "'/>\n");
}

static void plot_draw(const struct matrix *m, int y, FILE *out)
{
	static const char *const names[] = { "first packet",
					     "direct path, where certain" };
	static const char *const strokes[] = { "#36c", "#383" };
	matrix_figure *const figures[] = { matrix_first_ms, matrix_direct_ms };
	const double max = 500;

	fprintf(out, "<rect x='%d' y='%d' width='%d' height='%d' fill='none' "
		"stroke='#888'/>\n", LEFT, y, PLOT_W, PLOT_H);
	for (int ms = 0; ms <= (int)max; ms += 100)
		fprintf(out, "<text x='%d' y='%d' text-anchor='middle'>%d ms"
			"</text>\n", LEFT + PLOT_W * ms / (int)max,
			y + PLOT_H + 16, ms);
	for (int pct = 0; pct <= 100; pct += 25)
		fprintf(out, "<text x='%d' y='%d' text-anchor='end'>%d %%"
			"</text>\n", LEFT - 8, y + PLOT_H - PLOT_H * pct / 100
			+ 4, pct);
	for (unsigned int i = 0; i < 2; i++) {
		size_t n;
		double *v = matrix_sorted(m, i ? ORACLE_DIRECT : -1,
					  figures[i], &n);

		curve(v, n, max, strokes[i], y, out);
		fprintf(out, "<text x='%d' y='%d' fill='%s'>%s</text>\n",
			LEFT + PLOT_W + 16, y + 20 + 20 * (int)i, strokes[i],
			names[i]);
		free(v);
	}
}

void matrix_svg(const struct matrix *m, FILE *out)
{
	int width = LEFT + (int)place_n_kinds * CELL_W + 20;
	int height = TOP + ((int)place_n_kinds + (int)matrix_n_topologies + 1) *
			   CELL_H + PLOT_H + 100;
	int y;

	fprintf(out, "<svg xmlns='http://www.w3.org/2000/svg' width='%d' "
		"height='%d' font-family='sans-serif' font-size='12'>\n"
		"<rect width='100%%' height='100%%' fill='white'/>\n"
		"<text x='%d' y='20' font-size='14'>Two hosts and their NATs: "
		"green is direct (mean time to it), yellow needs a guess, "
		"grey is the relay's.</text>\n", width, height, 12);
	y = table_draw(m, out);
	plot_draw(m, y + 24, out);
	fprintf(out, "</svg>\n");
}
