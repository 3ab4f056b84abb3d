/* SPDX-License-Identifier: ISC */
/*
 * All pairs of NAT classes, several runs each: who gets a direct path, and how
 * long the first packet and the direct path take.
 */
#ifndef SIM_MATRIX_H
#define SIM_MATRIX_H

#include <stdio.h>

#include "../sim/oracle.h"
#include "../sim/place.h"

/**
 * struct matrix_sample - One pair, once
 * @row, @col:  places in the table; @col -1: one of the special topologies,
 *              then @row is its number
 * @connected:  packets passed both ways
 * @stray:      direct where theory says it cannot be, or not direct where it
 *              says it must
 * @first_ns:   from asking to the first packet delivered
 * @direct_ns:  and to both sides being direct
 * @rtt_s_ns:   round trip over the rendezvous, and
 * @rtt_d_ns:   directly
 * @probes:     of the side that sent more, until it was direct
 */
struct matrix_sample {
	int row;
	int col;
	enum oracle theory;
	bool connected;
	bool direct;
	bool stray;
	uint64_t first_ns;
	uint64_t direct_ns;
	uint64_t rtt_s_ns;
	uint64_t rtt_d_ns;
	unsigned int probes;
};

struct matrix {
	struct matrix_sample *sample;
	size_t n;
	double loss;		/* of each access link, 0 .. 1 */
};

/* @seeds runs a pair, the first with @from. */
void matrix_run(struct matrix *m, unsigned int seeds, uint64_t from,
		double loss);
void matrix_free(struct matrix *m);
void matrix_print(const struct matrix *m, FILE *out);
/* A picture of it. */
void matrix_svg(const struct matrix *m, FILE *out);
/* Pairs that were not connected, or not as theory says. */
size_t matrix_strays(const struct matrix *m);

/* ---- for the tables --------------------------------------------------- */

extern const char *const matrix_topology[];
extern const unsigned int matrix_n_topologies;

/* A figure of a sample; negative: it has none. */
typedef double matrix_figure(const struct matrix_sample *s);
double matrix_first_ms(const struct matrix_sample *s);
double matrix_first_rtt(const struct matrix_sample *s);
double matrix_direct_ms(const struct matrix_sample *s);
/* In units of RTT_s + 1.5 RTT_d, the least that the protocol needs. */
double matrix_direct_ideal(const struct matrix_sample *s);

/* The figures of all samples of a class (@theory -1: all), sorted; the caller
 * frees it.
 */
double *matrix_sorted(const struct matrix *m, int theory, matrix_figure *f,
		      size_t *n);
/* What all samples in one cell say together. */
struct matrix_cell {
	enum oracle theory;
	unsigned int n;
	unsigned int connected;
	unsigned int direct;
	double direct_ms;	/* mean */
	double first_ms;
};
struct matrix_cell matrix_cell_of(const struct matrix *m, int row, int col);

#endif
