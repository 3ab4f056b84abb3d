/* SPDX-License-Identifier: ISC */
/*
 * sim: hptun on a virtual internet, many times over.
 *
 *	sim --seeds 10000 [--from 1]	random runs; prints the seeds that fail
 *	sim --seed 4711 [--trace]	one of them again, to the last byte
 *	sim --matrix [--svg FILE]	all pairs of NAT classes: who is direct,
 *	                          	and how fast; --seeds N runs of each,
 *	                          	--loss PERCENT on each access link
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../sim/matrix.h"
#include "../sim/run.h"
#include "base/crypto.h"

struct options {
	uint64_t from;
	uint64_t seeds;
	bool trace;
	bool matrix;
	double loss;
	const char *svg;
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
	uint64_t asked[3] = { 0 }, direct[3] = { 0 };
	double start = seconds();

	for (uint64_t seed = o->from; seed < o->from + o->seeds; seed++) {
		struct run_result res;

		run_seed(seed, o->trace ? stdout : NULL, &res);
		pairs += res.n_pairs;
		for (unsigned int i = 0; i < 3; i++) {
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
	for (unsigned int i = 0; i < 3; i++)
		printf("%s theory says %s: %" PRIu64 ", were direct: %" PRIu64,
		       i ? ";" : "", oracle_text((enum oracle)i), asked[i],
		       direct[i]);
	printf("\nsim: %" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n",
	       passed, failed);
	return failed ? 1 : 0;
}

static int matrix(const struct options *o)
{
	struct matrix m;
	size_t strays;

	matrix_run(&m, (unsigned int)o->seeds, o->from, o->loss / 100);
	matrix_print(&m, stdout);
	strays = matrix_strays(&m);
	if (o->svg) {
		FILE *f = fopen(o->svg, "w");

		if (f)
			matrix_svg(&m, f);
		if (!f || fclose(f)) {
			perror(o->svg);
			return 1;
		}
	}
	printf("\nmatrix: %zu passed, %zu failed, 0 skipped\n", m.n - strays,
	       strays);
	matrix_free(&m);
	return strays ? 1 : 0;
}

static int usage(const char *self)
{
	fprintf(stderr, "usage: %s [--seeds N] [--from M]\n"
		"       %s --seed N [--trace]\n"
		"       %s --matrix [--seeds N] [--loss PERCENT] "
		"[--svg FILE]\n", self, self, self);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "from", required_argument, NULL, 'f' },
		{ "trace", no_argument, NULL, 't' },
		{ "matrix", no_argument, NULL, 'm' },
		{ "loss", required_argument, NULL, 'l' },
		{ "svg", required_argument, NULL, 'g' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .from = 1 };
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
		case 'm':
			o.matrix = true;
			break;
		case 'l':
			o.loss = strtod(optarg, NULL);
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
	if (!o.seeds)
		o.seeds = o.matrix ? 8 : 1000;
	return o.matrix ? matrix(&o) : random_runs(&o, argv[0]);
}
