/* SPDX-License-Identifier: ISC */
#include "../sim/numbers.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "../sim/matrix.h"

struct numbers {
	unsigned int rounds;
	uint64_t from;
	FILE *out;
	FILE *misses;	/* told behind the table */
	unsigned int kept;
	unsigned int broken;
};

static void claim(struct numbers *n, bool kept, const char *what,
		  const char *measured)
{
	fprintf(n->out, "| %s | %s | %s |\n", what, measured,
		kept ? "yes" : "**no**");
	n->kept += kept;
	n->broken += !kept;
}

/* Of what one host sends, @loss does not reach the other, on either path. */
static struct matrix runs(const struct numbers *n, enum oracle only,
			  double loss, bool met)
{
	struct matrix m = { .loss = 1 - sqrt(1 - loss), .servers = 2,
			    .met = met, .only = only };

	matrix_run(&m, MATRIX_NAMED, 2 * n->rounds, n->from);
	matrix_run(&m, MATRIX_TOPOLOGY, 2 * n->rounds, n->from + 1000000);
	matrix_run(&m, MATRIX_SWEPT, n->rounds, n->from + 2000000);
	return m;
}

/* Tells the runs that are not among them. */
static double share(FILE *misses, const struct matrix *m,
		    enum oracle theory, uint64_t within_ns, bool direct,
		    size_t *n_runs)
{
	size_t n = 0, good = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct pair_sample *s = &m->entry[i].s;

		if (theory != ORACLE_KINDS && s->theory != theory)
			continue;
		n++;
		if (direct ? s->direct && s->direct_ns <= within_ns :
			     s->connected)
			good++;
		else if (theory != ORACLE_BLOCKS)
			matrix_tell(m, &m->entry[i], misses);
	}
	*n_runs = n;
	return n ? 100.0 * (double)good / (double)n : 0;
}

static void claim_share(struct numbers *n, const struct matrix *m,
			enum oracle theory, uint64_t within_ns, bool direct,
			double least, const char *what)
{
	char measured[96];
	size_t runs;
	double is = share(n->misses, m, theory, within_ns, direct,
			  &runs);

	snprintf(measured, sizeof(measured), "%.2f %% of %zu", is, runs);
	claim(n, is >= least, what, measured);
}

static void claim_time(struct numbers *n, const struct matrix *m,
		       enum oracle theory, matrix_figure *f, double quantile,
		       double most, const char *unit, const char *what)
{
	char measured[128];
	size_t k;
	double *v = matrix_sorted(m, theory, f, &k);

	snprintf(measured, sizeof(measured),
		 "p50 %.2f, p90 %.2f, p99 %.2f%s, most %.2f",
		 matrix_at(v, k, 0.5), matrix_at(v, k, 0.9),
		 matrix_at(v, k, 0.99), unit, k ? v[k - 1] : 0);
	claim(n, k && matrix_at(v, k, quantile) <= most, what, measured);
	free(v);
}

static void claim_probes(struct numbers *n, const struct matrix *m)
{
	unsigned int most = 0;
	char measured[32];

	for (size_t i = 0; i < m->n; i++)
		if (m->entry[i].s.theory == ORACLE_CERTAIN &&
		    m->entry[i].s.probes > most)
			most = m->entry[i].s.probes;
	snprintf(measured, sizeof(measured), "most %u", most);
	claim(n, most <= 64, "punching packets to a peer where a direct path "
	      "is certain: at most 64", measured);
}

static void without_loss(struct numbers *n)
{
	struct matrix m = runs(n, ORACLE_KINDS, 0, true);

	claim_share(n, &m, ORACLE_KINDS, 0, false, 100, "connected: all pairs");
	claim_share(n, &m, ORACLE_CERTAIN, 10 * HP_S, true, 100,
		    "direct where certain: all");
	claim_share(n, &m, ORACLE_PREDICT, 10 * HP_S, true, 98,
		    "direct by prediction within 10 s: 98 %");
	claim_share(n, &m, ORACLE_BIRTHDAY, 10 * HP_S, true, 98,
		    "direct by birthday within 10 s: 98 %");
	claim_share(n, &m, ORACLE_BLOCKS, 300 * HP_S, true, 0,
		    "direct between two port blocks within 5 min: no promise");
	claim_time(n, &m, ORACLE_KINDS, matrix_first_rtt, 0.99, 1.6, " RTT_s",
		   "first packet leaves after 1 RTT_s, so it arrives after "
		   "1.5 RTT_s");
	claim_time(n, &m, ORACLE_CERTAIN, matrix_direct_rtt, 0.5, 1, "",
		   "direct where certain, / (RTT_s + 1.5 RTT_d): p50 at most "
		   "1");
	claim_time(n, &m, ORACLE_CERTAIN, matrix_direct_over_ms, 0.99, 300,
		   " ms", "the same, ms beyond that: p99 at most 300");
	claim_probes(n, &m);
	matrix_free(&m);
	m = runs(n, ORACLE_CERTAIN, 0, false);
	claim_time(n, &m, ORACLE_CERTAIN, matrix_direct_rtt, 0.5, 1, "",
		   "first meeting (neither knows the other's key): p50 at most "
		   "1");
	claim_time(n, &m, ORACLE_CERTAIN, matrix_direct_over_ms, 0.99, 300,
		   " ms", "the same, ms beyond that: p99 at most 300");
	matrix_free(&m);
}

static void with_loss(struct numbers *n)
{
	struct matrix m = runs(n, ORACLE_CERTAIN, 0.1, true);

	claim_share(n, &m, ORACLE_KINDS, 0, false, 100,
		    "10 % loss: connected, all");
	claim_share(n, &m, ORACLE_CERTAIN, 90 * HP_S, true, 100,
		    "10 % loss: direct where certain, all");
	matrix_free(&m);
	m = runs(n, ORACLE_CERTAIN, 0.2, true);
	claim_time(n, &m, ORACLE_KINDS, matrix_both_ms, 0.99, 5000, " ms",
		   "20 % loss: packets both ways, p99 at most 5 s");
	matrix_free(&m);
	m = runs(n, ORACLE_CERTAIN, 0.5, true);
	claim_time(n, &m, ORACLE_KINDS, matrix_both_ms, 0.99, 30000, " ms",
		   "50 % loss: packets both ways, p99 at most 30 s");
	matrix_free(&m);
}

unsigned int numbers_print(unsigned int rounds, uint64_t from, FILE *out)
{
	struct numbers n = { .rounds = rounds ? rounds : 3, .from = from,
			     .out = out };
	char *misses;
	size_t len;

	n.misses = open_memstream(&misses, &len);
	assert(n.misses);
	fprintf(out, "| claim | measured | holds |\n|---|---|---|\n");
	without_loss(&n);
	with_loss(&n);
	fclose(n.misses);
	fputs(misses, out);
	free(misses);
	fprintf(out, "numbers: %u passed, %u failed, 0 skipped\n", n.kept,
		n.broken);
	return n.broken;
}
