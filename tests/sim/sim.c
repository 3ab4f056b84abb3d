/* SPDX-License-Identifier: ISC */
/*
 * sim: hptun on a virtual internet, many times over.
 *
 *	sim --seeds 10000 [--from 1]	random runs; prints the seeds that fail
 *	sim --seed 4711 [--trace]	one of them again, to the last byte
 *	sim --twice [--seeds 8]		the same seed twice: the same bytes? Prints
 *	                          	a hash of each, for another process to
 *	                          	compare
 *	sim --matrix [--svg DIR]	pairs of NAT classes: who is direct, and how
 *	                          	fast; --seeds N runs of each pair, and N
 *	                          	of each two of all kinds of NAT, --loss
 *	                          	PERCENT on each access link
 *	sim --numbers			what was promised of it, and whether it holds
 *	sim --pair SET,ROW,COL,SEED	one run of the matrix again
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../sim/matrix.h"
#include "../sim/numbers.h"
#include "../sim/run.h"
#include "base/crypto.h"

struct options {
	uint64_t from;
	uint64_t seeds;
	bool trace;
	bool twice;
	bool matrix;
	bool numbers;
	bool met;
	unsigned int servers;
	double loss;
	const char *svg;
	const char *pair;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int random_runs(const struct options *o, const char *self)
{
	uint64_t passed = 0, failed = 0, pairs = 0;
	uint64_t asked[ORACLE_KINDS] = { 0 }, direct[ORACLE_KINDS] = { 0 };
	double start = seconds();

	for (uint64_t seed = o->from; seed < o->from + o->seeds; seed++) {
		struct run_result res;

		run_seed(seed, o->trace ? stdout : NULL, &res);
		pairs += res.n_pairs;
		for (unsigned int i = 0; i < ORACLE_KINDS; i++) {
			asked[i] += res.asked[i];
			direct[i] += res.direct[i];
		}
		if (!res.why[0]) {
			passed++;
			continue;
		}
		failed++;
		printf("seed %" PRIu64 " %s\n  again: %s --seed %" PRIu64
		       " --trace\n", seed, res.why, self, seed);
		fflush(stdout);
	}
	printf("%" PRIu64 " pairs in %.1f s:", pairs, seconds() - start);
	for (unsigned int i = 0; i < ORACLE_KINDS; i++)
		printf("%s %s %" PRIu64 ", direct %" PRIu64, i ? ";" : "",
		       oracle_text((enum oracle)i), asked[i], direct[i]);
	printf("\nsim: %" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n",
	       passed, failed);
	return failed ? 1 : 0;
}

static int twice(const struct options *o)
{
	uint64_t failed = 0;

	for (uint64_t seed = o->from; seed < o->from + o->seeds; seed++) {
		struct run_result a, b;

		run_hashed(seed, &a);
		run_hashed(seed, &b);
		printf("seed %" PRIu64 " %016" PRIx64 "\n", seed, a.hash);
		if (a.hash == b.hash)
			continue;
		failed++;
		printf("  and then %016" PRIx64 "\n", b.hash);
	}
	printf("twice: %" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n",
	       o->seeds - failed, failed);
	return failed ? 1 : 0;
}

/* Writes one picture to @dir. */
static bool picture(const struct matrix *m, const char *dir, const char *name,
		    void (*draw)(const struct matrix *m, FILE *out))
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.svg", dir, name);
	f = fopen(path, "w");
	if (f)
		draw(m, f);
	if (f && !fclose(f))
		return true;
	perror(path);
	return false;
}

static int matrix(const struct options *o)
{
	struct matrix m = { .loss = o->loss / 100, .met = o->met,
			    .servers = o->servers,
			    .only = ORACLE_KINDS };
	unsigned int rounds = (unsigned int)o->seeds;
	bool drawn = true;
	size_t strays;

	matrix_run(&m, MATRIX_NAMED, rounds, o->from);
	matrix_run(&m, MATRIX_TOPOLOGY, rounds, o->from);
	matrix_run(&m, MATRIX_SWEPT, rounds, o->from);
	matrix_print(&m, stdout);
	fputc('\n', stdout);
	strays = matrix_strays(&m, stdout);
	if (o->svg)
		drawn = picture(&m, o->svg, "matrix", matrix_svg) &&
			picture(&m, o->svg, "kinds", matrix_swept_svg) &&
			picture(&m, o->svg, "times", matrix_times_svg);
	printf("matrix: %zu passed, %zu failed, 0 skipped\n", m.n - strays,
	       strays);
	matrix_free(&m);
	return strays || !drawn ? 1 : 0;
}

static int pair(const struct options *o)
{
	const struct matrix m = { .loss = o->loss / 100, .met = o->met,
			    .servers = o->servers,
				  .only = ORACLE_KINDS };
	struct matrix_entry e = { 0 };
	unsigned int set;

	if (sscanf(o->pair, "%u,%u,%u,%" SCNu64, &set, &e.row, &e.col,
		   &e.seed) != 4)
		return 2;
	e.set = (enum matrix_set)set;
	matrix_again(&m, &e, o->trace ? stdout : NULL);
	printf("theory says %s; %s; first packet after %.1f ms, %s %.1f ms; "
	       "%u probes, %u sockets %s\n", oracle_text(e.s.theory),
	       e.s.connected ? "connected" : "NOT CONNECTED",
	       matrix_first_ms(&e.s), e.s.direct ? "direct after" : "relayed",
	       matrix_direct_ms(&e.s), e.s.probes, e.s.sockets, e.s.why);
	return pair_is_stray(&e.s) ? 1 : 0;
}

static int usage(const char *self)
{
	fprintf(stderr, "usage: %s [--seeds N] [--from M]\n"
		"       %s --seed N [--trace]\n"
		"       %s --twice [--seeds N] [--from M]\n"
		"       %s --matrix [--seeds N] [--loss PERCENT] "
		"[--svg DIR]\n"
		"       %s --numbers [--seeds N]\n"
		"       %s --pair SET,ROW,COL,SEED [--loss PERCENT] "
		"[--trace]\n", self, self, self, self, self,
		self);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "from", required_argument, NULL, 'f' },
		{ "trace", no_argument, NULL, 't' },
		{ "twice", no_argument, NULL, 'w' },
		{ "matrix", no_argument, NULL, 'm' },
		{ "numbers", no_argument, NULL, 'u' },
		{ "met", no_argument, NULL, 'k' },
		{ "servers", required_argument, NULL, 'v' },
		{ "loss", required_argument, NULL, 'l' },
		{ "svg", required_argument, NULL, 'g' },
		{ "pair", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .from = 1, .servers = 2 };
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's':
			o.from = strtoull(optarg, NULL, 0);
			o.seeds = 1;
			break;
		case 'n':
			o.seeds = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			o.from = strtoull(optarg, NULL, 0);
			break;
		case 't':
			o.trace = true;
			break;
		case 'w':
			o.twice = true;
			break;
		case 'm':
			o.matrix = true;
			break;
		case 'u':
			o.numbers = true;
			break;
		case 'k':
			o.met = true;
			break;
		case 'v':
			o.servers = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'l':
			o.loss = strtod(optarg, NULL);
			break;
		case 'p':
			o.pair = optarg;
			break;
		case 'g':
			o.svg = optarg;
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (optind != argc || hp_crypto_init() != HP_OK)
		return usage(argv[0]);
	if (o.pair)
		return pair(&o);
	if (o.numbers)
		return numbers_print((unsigned int)o.seeds, o.from, stdout) > 0;
	if (!o.seeds)
		o.seeds = o.matrix || o.twice ? 8 : 1000;
	if (o.twice)
		return twice(&o);
	return o.matrix ? matrix(&o) : random_runs(&o, argv[0]);
}
