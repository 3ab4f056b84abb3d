/* SPDX-License-Identifier: ISC */
/*
 * The cipher engines side by side: every library that this machine runs, each
 * cipher it has, by length of packet and packets in a batch.
 *
 *	aead [--rounds N]
 *	aead --one LIBRARY CIPHER LENGTH BATCH PACKETS
 *
 * In a round everything has its turn once, so that what disturbs the machine
 * disturbs all alike; a turn counts with its best 48 packets. Medians over the
 * rounds are printed, ns a packet. --one
 * seals and nothing else, for a profiler that counts instructions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "base/pkt.h"
#include "sys/clock.h"
#include "wg/aead.h"

#define TAG 16
#define ROOM 2048
/* Packets between two looks at the clock; groups in a turn. */
#define GROUP 48
#define GROUPS 24
#define ROUNDS 31
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const enum hp_aead_engine engines[] = {
	HP_AEAD_MIX, HP_AEAD_IPSEC_MB, HP_AEAD_CRYPTO, HP_AEAD_SODIUM,
};
static const uint32_t lengths[] = { 64, 256, 512, 1024, 1408, 1424 };
static const unsigned int batches[] = { 1, 48 };

#define CELLS (2 * COUNT(lengths) * COUNT(batches))

/* One row: a library and a cipher. Cells: sealing and opening, by length and
 * batch.
 */
struct row {
	struct hp_aead *aead;
	struct hp_aead_key key;
	double *ns[CELLS];
};

struct bench {
	uint8_t *buf;
	struct hp_aead_op ops[HP_BATCH];
	struct row rows[COUNT(engines) * HP_SUITES];
	size_t n_rows;
	unsigned int rounds;
};

static void ops_set(struct bench *b, const struct hp_aead_key *key,
		    uint32_t len, unsigned int batch)
{
	for (unsigned int i = 0; i < batch; i++)
		b->ops[i] = (struct hp_aead_op){
			.key = key, .counter = i, .len = len,
			.data = b->buf + (size_t)i * ROOM,
		};
}

/* All of a group, batch by batch. */
static void run(struct bench *b, struct row *r, unsigned int batch,
		void (*what)(struct hp_aead *, struct hp_aead_op *, size_t))
{
	for (unsigned int i = 0; i < GROUP; i += batch)
		what(r->aead, &b->ops[i], batch);
}

/* The best group of a turn, ns a packet: what else runs makes a group slower,
 * never faster. Sealing in place again and again is as good as sealing fresh
 * packets; what is opened was sealed just before, outside of what is counted.
 */
static double turn(struct bench *b, struct row *r, uint32_t len,
		   unsigned int batch, bool open)
{
	uint64_t best_ns = UINT64_MAX;

	ops_set(b, &r->key, len, GROUP);
	for (unsigned int i = 0; i < GROUPS; i++) {
		uint64_t t0, ns;

		if (open)
			hp_aead_seal(r->aead, b->ops, GROUP);
		t0 = hp_clock_now();
		run(b, r, batch, open ? hp_aead_open : hp_aead_seal);
		ns = hp_clock_now() - t0;
		if (ns < best_ns)
			best_ns = ns;
		if (open && !b->ops[0].ok)
			abort();
	}
	return (double)best_ns / GROUP;
}

static void round_of_all(struct bench *b, unsigned int round)
{
	for (size_t c = 0; c < CELLS; c++)
		for (size_t i = 0; i < b->n_rows; i++) {
			size_t rest = c / 2;

			b->rows[i].ns[c][round] = turn(
				b, &b->rows[i],
				lengths[rest / COUNT(batches)],
				batches[rest % COUNT(batches)], c % 2);
		}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

static bool rows_make(struct bench *b)
{
	struct hp_secret secret = { .b = { 1 } };

	for (int s = 0; s < HP_SUITES; s++)
		for (size_t e = 0; e < COUNT(engines); e++) {
			struct row *r = &b->rows[b->n_rows];

			r->aead = hp_aead_new(engines[e]);
			if (!r->aead ||
			    hp_aead_key_init(r->aead, &r->key,
					     (enum hp_suite)s, &secret)) {
				hp_aead_free(r->aead);
				continue;
			}
			b->n_rows++;
			for (size_t c = 0; c < CELLS; c++) {
				r->ns[c] = calloc(b->rounds, sizeof(double));
				if (!r->ns[c])
					return false;
			}
		}
	return true;
}

static void print(struct bench *b, bool open)
{
	printf("\n%s, ns a packet (median of %u rounds)\n%-41s",
	       open ? "opening" : "sealing", b->rounds, "length x batch");
	for (size_t l = 0; l < COUNT(lengths); l++)
		for (size_t k = 0; k < COUNT(batches); k++)
			printf(" %4ux%-2u", lengths[l], batches[k]);
	printf("   Gbit/s\n");
	for (size_t i = 0; i < b->n_rows; i++) {
		struct row *r = &b->rows[i];
		double ns = 0;

		printf("%-19s%-22s", hp_suite_name(r->key.suite),
		       hp_aead_name(hp_aead_engine_of(r->aead)));
		for (size_t c = open; c < CELLS; c += 2) {
			ns = median(r->ns[c], b->rounds);
			printf(" %7.0f", ns);
		}
		printf(" %8.1f\n", lengths[COUNT(lengths) - 1] * 8 / ns);
	}
}

static int one(struct bench *b, char **argv)
{
	enum hp_suite suite = !strcmp(argv[1], "aes") ? HP_SUITE_AES :
							HP_SUITE_CHACHA;
	uint32_t len = (uint32_t)atoi(argv[2]);
	unsigned int batch = (unsigned int)atoi(argv[3]);
	struct hp_secret secret = { .b = { 1 } };
	enum hp_aead_engine engine;
	struct hp_aead_key key;
	struct hp_aead *a;

	if (hp_aead_parse(argv[0], &engine) || len > ROOM - TAG || !batch ||
	    batch > HP_BATCH)
		return 2;
	a = hp_aead_new(engine);
	if (!a || hp_aead_key_init(a, &key, suite, &secret))
		return 1;
	ops_set(b, &key, len, batch);
	for (int i = 0; i < atoi(argv[4]); i += (int)batch)
		hp_aead_seal(a, b->ops, batch);
	hp_aead_key_wipe(&key);
	hp_aead_free(a);
	return 0;
}

static void rows_free(struct bench *b)
{
	for (size_t i = 0; i < b->n_rows; i++) {
		for (size_t c = 0; c < CELLS; c++)
			free(b->rows[i].ns[c]);
		hp_aead_key_wipe(&b->rows[i].key);
		hp_aead_free(b->rows[i].aead);
	}
}

int main(int argc, char **argv)
{
	static struct bench b = { .rounds = ROUNDS };
	struct hp_aead_choice choice;
	int code = 0;

	b.buf = calloc(HP_BATCH, ROOM);
	if (!b.buf || hp_crypto_init())
		return 1;
	if (argc == 7 && !strcmp(argv[1], "--one")) {
		code = one(&b, argv + 2);
	} else {
		if (argc == 3 && !strcmp(argv[1], "--rounds"))
			b.rounds = (unsigned int)atoi(argv[2]);
		if (!b.rounds || !rows_make(&b))
			return 1;
		for (unsigned int i = 0; i < b.rounds; i++)
			round_of_all(&b, i);
		print(&b, false);
		print(&b, true);
		if (!hp_aead_choose(hp_clock_now, HP_AEAD_AUTO, true, &choice))
			printf("\nchosen here: %s\n",
			       hp_aead_name(choice.engine));
		rows_free(&b);
	}
	free(b.buf);
	return code;
}
