/* SPDX-License-Identifier: ISC */
/*
 * Pairs of places, several runs each: the NAT classes that people meet, the
 * topologies that are more than two NATs, and every kind of NAT that there can
 * be. Who gets a direct path, and how long the first packet and the direct
 * path take.
 */
#ifndef SIM_MATRIX_H
#define SIM_MATRIX_H

#include <stdio.h>

#include "../sim/pair.h"

enum matrix_set {
	MATRIX_NAMED,		/* place_kinds with each other */
	MATRIX_TOPOLOGY,	/* matrix_topology; no columns */
	MATRIX_SWEPT,		/* place_swept with each other */
};

/* A sample and its place in the tables. */
struct matrix_entry {
	enum matrix_set set;
	unsigned int row;
	unsigned int col;
	uint64_t seed;
	struct pair_sample s;
};

/**
 * struct matrix
 * @loss:  of each access link, 0 .. 1
 * @servers: how many both have
 * @met:  they know each other's keys
 * @only: pairs of this class, the others are left out; ORACLE_KINDS: all
 */
struct matrix {
	struct matrix_entry *entry;
	size_t n;
	double loss;
	unsigned int servers;
	bool met;
	enum oracle only;
};

extern const char *const matrix_topology[];
extern const unsigned int matrix_n_topologies;

/* Adds @rounds runs of each pair of @set, the first with seed @from. */
void matrix_run(struct matrix *m, enum matrix_set set, unsigned int rounds,
		uint64_t from);
void matrix_free(struct matrix *m);
/* What came of one run, and how to repeat it. */
void matrix_tell(const struct matrix *m, const struct matrix_entry *e,
		 FILE *out);
/* Runs that were not as theory says; each is told. */
size_t matrix_strays(const struct matrix *m, FILE *out);
/* One of the runs again, with a trace. */
void matrix_again(const struct matrix *m, struct matrix_entry *e, FILE *trace);

/* What all samples in one cell say together; n 0: there are none. */
struct matrix_cell {
	enum oracle theory;
	unsigned int n;
	unsigned int connected;
	unsigned int direct;
	double direct_ms;	/* mean */
};
struct matrix_cell matrix_cell_of(const struct matrix *m, enum matrix_set set,
				  unsigned int row, unsigned int col);

/* A figure of a sample; negative: it has none. */
typedef double matrix_figure(const struct pair_sample *s);
matrix_figure matrix_first_ms;
matrix_figure matrix_first_rtt;		/* in units of RTT_s */
matrix_figure matrix_both_ms;
matrix_figure matrix_direct_ms;
matrix_figure matrix_direct_rtt;	/* of RTT_s + 1.5 RTT_d */
matrix_figure matrix_direct_over_ms;	/* beyond that */

/* The figures of all samples of class @theory (ORACLE_KINDS: of all), sorted;
 * the caller frees it.
 */
double *matrix_sorted(const struct matrix *m, enum oracle theory,
		      matrix_figure *f, size_t *n);
/* Of sorted values; 0 when there are none. */
double matrix_at(const double *sorted, size_t n, double quantile);

/* ---- to be read ---------------------------------------------------------- */

void matrix_print(const struct matrix *m, FILE *out);
/* Pictures: who is direct, of the classes and topologies, and of all kinds of
 * NAT; and how soon.
 */
void matrix_svg(const struct matrix *m, FILE *out);
void matrix_swept_svg(const struct matrix *m, FILE *out);
void matrix_times_svg(const struct matrix *m, FILE *out);

#endif
