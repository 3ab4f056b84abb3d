/* SPDX-License-Identifier: ISC */
/* The matrix as pictures: coloured tables, and curves of how soon. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../sim/matrix.h"

/* ---- for all ------------------------------------------------------------ */

static const char *colour(enum oracle o)
{
	switch (o) {
	case ORACLE_CERTAIN:
		return "#4caf6d";
	case ORACLE_PREDICT:
		return "#2fa8b5";
	case ORACLE_BIRTHDAY:
		return "#5b8def";
	case ORACLE_BLOCKS:
		return "#9a7be0";
	case ORACLE_UNSOUGHT:
	case ORACLE_RELAY:
	case ORACLE_NEVER:
	case ORACLE_KINDS:
		break;
	}
	return "#8b949e";
}

static const char *words(enum oracle o)
{
	switch (o) {
	case ORACLE_CERTAIN:
		return "certain: both learn all they need";
	case ORACLE_PREDICT:
		return "predicted: the next port is foreseen";
	case ORACLE_BIRTHDAY:
		return "birthday: one port is met by chance";
	case ORACLE_BLOCKS:
		return "blocks: two ports, within small blocks";
	case ORACLE_UNSOUGHT:
		return "relayed: a port by chance, and not tried";
	case ORACLE_RELAY:
		return "relayed: two ports among all of them";
	case ORACLE_NEVER:
		return "relayed: no address leads there";
	case ORACLE_KINDS:
		break;
	}
	return "";
}

/* Readable on a light and on a dark page. */
static void begin(int width, int height, const char *title, FILE *out)
{
	fprintf(out, "<svg xmlns='http://www.w3.org/2000/svg' width='%d' "
		"height='%d' viewBox='0 0 %d %d' font-family='system-ui, "
		"sans-serif' font-size='12'>\n<title>%s</title>\n<style>\n"
		"text { fill: #24292f } .in { fill: #fff } .soft, .soft text "
		"{ fill: #6e7781 } .line { stroke: #8b949e; stroke-opacity: "
		".35 }\n@media (prefers-color-scheme: dark) { text { fill: "
		"#e6edf3 } .soft, .soft text { fill: #9198a1 } }\n</style>\n"
		"<text x='16' y='26' font-size='16' font-weight='600'>%s"
		"</text>\n", width, height, width, height, title, title);
}

static void text(int x, int y, const char *anchor, const char *what, FILE *out)
{
	fprintf(out, "<text x='%d' y='%d' text-anchor='%s'>%s</text>\n", x, y,
		anchor, what);
}

static void box(int x, int y, int w, int h, const char *fill, double opacity,
		FILE *out)
{
	fprintf(out, "<rect x='%d' y='%d' width='%d' height='%d' rx='%d' "
		"fill='%s' fill-opacity='%.2f'/>\n", x, y, w, h,
		w > 20 ? 4 : 2, fill, opacity);
}

/* The paler, the fewer runs were direct. */
static void cell_box(const struct matrix_cell *c, int x, int y, int w, int h,
		     FILE *out)
{
	double share = c->n ? (double)c->direct / c->n : 0;
	bool wrong = c->connected < c->n ||
		     (c->theory == ORACLE_CERTAIN && c->direct < c->n);

	if (wrong)
		box(x, y, w, h, "#d1453b", 1, out);
	else if (c->direct)
		box(x, y, w, h, colour(c->theory), 0.3 + 0.7 * share, out);
	else
		box(x, y, w, h, "#8b949e", 0.35, out);
}

/* ---- who is direct ------------------------------------------------------ */

#define CELL_W 60
#define CELL_H 28
#define LEFT 116
#define TOP 58

static void cell_draw(const struct matrix_cell *c, int x, int y, FILE *out)
{
	char what[32] = "relay";

	if (c->direct && c->direct < c->n)
		snprintf(what, sizeof(what), "%.0f %%",
			 100.0 * c->direct / c->n);
	else if (c->direct && c->direct_ms < 999.5)
		snprintf(what, sizeof(what), "%.0f ms", c->direct_ms);
	else if (c->direct)
		snprintf(what, sizeof(what), "%.1f s", c->direct_ms / 1e3);
	cell_box(c, x, y, CELL_W - 3, CELL_H - 3, out);
	fprintf(out, "<text class='%s' x='%d' y='%d' text-anchor='middle' "
		"font-size='11'>%s</text>\n", c->direct ? "in" : "soft",
		x + CELL_W / 2 - 1, y + 17, what);
}

/* In the half that the table leaves free. */
static void legend_draw(const struct matrix *m, int x, int y, FILE *out)
{
	for (int o = 0; o < ORACLE_KINDS; o++) {
		unsigned int n = 0, direct = 0;
		char line[96];

		for (size_t i = 0; i < m->n; i++) {
			n += (int)m->entry[i].s.theory == o;
			direct += (int)m->entry[i].s.theory == o &&
				  m->entry[i].s.direct;
		}
		if (!n)
			continue;
		box(x, y - 11, 14, 14, colour((enum oracle)o),
		    o < ORACLE_UNSOUGHT ? 1 : 0.35, out);
		snprintf(line, sizeof(line), "%s (%.0f %% direct)",
			 words((enum oracle)o), 100.0 * direct / n);
		text(x + 22, y, "start", line, out);
		y += 22;
	}
	fprintf(out, "<g class='soft'>\n");
	text(x, y + 6, "start", "In the cells: mean time from asking to a "
	     "direct path,", out);
	text(x, y + 22, "start", "or the share of runs that got one.", out);
	fprintf(out, "</g>\n");
}

void matrix_svg(const struct matrix *m, FILE *out)
{
	int n = (int)place_n_kinds;
	int width = LEFT + n * CELL_W + 20;
	int height = TOP + (n + 1 + (int)matrix_n_topologies) * CELL_H + 50;
	int y = TOP;

	begin(width, height, "Two hosts and their NATs", out);
	for (int r = 0; r < n; r++, y += CELL_H) {
		text(LEFT - 8, y + 17, "end", place_kinds[r].name, out);
		for (int c = 0; c <= r; c++) {
			struct matrix_cell cell = matrix_cell_of(
				m, MATRIX_NAMED, (unsigned int)r,
				(unsigned int)c);

			cell_draw(&cell, LEFT + c * CELL_W, y, out);
		}
	}
	for (int c = 0; c < n; c++)
		fprintf(out, "<text transform='translate(%d,%d) rotate(-28)' "
			"text-anchor='end' font-size='11'>%s</text>\n",
			LEFT + c * CELL_W + CELL_W / 2 + 8, y + 12,
			place_kinds[c].name);
	y += CELL_H + 26;
	for (int t = 0; t < (int)matrix_n_topologies; t++, y += CELL_H) {
		struct matrix_cell cell = matrix_cell_of(
			m, MATRIX_TOPOLOGY, (unsigned int)t, 0);

		cell_draw(&cell, LEFT, y, out);
		text(LEFT + CELL_W + 8, y + 17, "start", matrix_topology[t],
		     out);
	}
	legend_draw(m, LEFT + 7 * CELL_W + 6, TOP + 10, out);
	fprintf(out, "</svg>\n");
}

#define SMALL 18
#define SMALL_LEFT 140

void matrix_swept_svg(const struct matrix *m, FILE *out)
{
	int n = (int)place_n_swept;
	int width = SMALL_LEFT + n * SMALL + 20;
	int y = TOP - 10;

	begin(width, TOP + n * SMALL + 120, "Every kind of NAT with every other",
	      out);
	for (int r = 0; r < n; r++, y += SMALL) {
		text(SMALL_LEFT - 8, y + 13, "end", place_swept[r].name, out);
		for (int c = 0; c <= r; c++) {
			struct matrix_cell cell = matrix_cell_of(
				m, MATRIX_SWEPT, (unsigned int)r,
				(unsigned int)c);

			cell_box(&cell, SMALL_LEFT + c * SMALL, y, SMALL - 2,
				 SMALL - 2, out);
		}
	}
	for (int c = 0; c < n; c++)
		fprintf(out, "<text transform='translate(%d,%d) rotate(-90)' "
			"text-anchor='end' font-size='11'>%s</text>\n",
			SMALL_LEFT + c * SMALL + 12, y + 4,
			place_swept[c].name);
	legend_draw(m, SMALL_LEFT + 19 * SMALL, TOP + 10, out);
	fprintf(out, "</svg>\n");
}

/* ---- how soon ----------------------------------------------------------- */

#define PLOT_W 380
#define PLOT_H 240
#define PLOT_TOP 76

/* A panel: where it is, and the logarithmic axis. */
struct plot {
	int x;
	double least;
	double most;
};

static double plot_x(const struct plot *p, double v)
{
	double at = log(v / p->least) / log(p->most / p->least);

	return p->x + PLOT_W * (at < 0 ? 0 : at > 1 ? 1 : at);
}

static void axes_draw(const struct plot *p, const char *what, FILE *out)
{
	static const double ticks[] = { 0.5, 1, 2, 5, 10, 20, 50, 100, 200,
					500 };
	static const int shares[] = { 0, 50, 90, 99 };
	char label[16];

	text(p->x, PLOT_TOP - 14, "start", what, out);
	fprintf(out, "<g class='soft' font-size='11'>\n");
	for (size_t i = 0; i < sizeof(ticks) / sizeof(*ticks); i++) {
		double x = plot_x(p, ticks[i]);

		if (ticks[i] < p->least || ticks[i] > p->most)
			continue;
		fprintf(out, "<path class='line' d='M%.1f %d v%d'/>\n", x,
			PLOT_TOP, PLOT_H);
		snprintf(label, sizeof(label), "%g", ticks[i]);
		text((int)x, PLOT_TOP + PLOT_H + 16, "middle", label, out);
	}
	for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
		int y = PLOT_TOP + PLOT_H - PLOT_H * shares[i] / 100;

		fprintf(out, "<path class='line' d='M%d %d h%d'/>\n", p->x, y,
			PLOT_W);
		snprintf(label, sizeof(label), shares[i] ? "p%d" : "%d",
			 shares[i]);
		text(p->x - 6, y + 4, "end", label, out);
	}
	fprintf(out, "</g>\n");
}

/* The share of runs that were done by each time: a step a run, thinned. */
static void curve_draw(const struct plot *p, const double *v, size_t n,
		       const char *stroke, FILE *out)
{
	size_t step = n / 200 + 1;

	fprintf(out, "<polyline fill='none' stroke='%s' stroke-width='2.2' "
		"stroke-linejoin='round' points='", stroke);
	for (size_t i = 0; i < n; i = i + step < n || i == n - 1 ? i + step :
								    n - 1)
		fprintf(out, "%.1f,%.1f ", plot_x(p, v[i]), PLOT_TOP +
			PLOT_H * (1 - (double)(i + 1) / (double)n));
	fprintf(out, "'/>\n");
}

void matrix_times_svg(const struct matrix *m, FILE *out)
{
	const struct plot first = { 60, 0.5, 5 };
	const struct plot direct = { 60 + PLOT_W + 60, 0.5, 200 };
	int x = direct.x + 12, y = PLOT_TOP + PLOT_H + 44;
	size_t n;
	double *v;

	begin(direct.x + PLOT_W + 20, y + 60, "How soon", out);
	axes_draw(&first, "first packet, in round trips over the server", out);
	axes_draw(&direct, "direct path, in units of RTT_s + 1.5 RTT_d", out);
	v = matrix_sorted(m, ORACLE_KINDS, matrix_first_rtt, &n);
	curve_draw(&first, v, n, "#d29922", out);
	free(v);
	for (int o = 0, row = 0; o < ORACLE_UNSOUGHT; o++) {
		v = matrix_sorted(m, (enum oracle)o, matrix_direct_rtt, &n);
		if (n > 1) {
			curve_draw(&direct, v, n, colour((enum oracle)o), out);
			box(x, y + 18 * row - 10, 12, 12,
			    colour((enum oracle)o), 1, out);
			text(x + 18, y + 18 * row++, "start",
			     words((enum oracle)o), out);
		}
		free(v);
	}
	fprintf(out, "</svg>\n");
}
