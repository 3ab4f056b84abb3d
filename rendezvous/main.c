/* SPDX-License-Identifier: ISC */
/* hptun-rendezvous: introduces nodes to each other. See hptun-rendezvous(8). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "options.h"
#include "serve.h"

static int fail(const struct hp_fault *f)
{
	fprintf(stderr, "hptun-rendezvous: %s%s%s\n", f->cause,
		f->remedy[0] ? "; " : "", f->remedy);
	return EXIT_FAILURE;
}

/* What --check looks at beyond the options: the file of networks. */
static enum hp_err check(const struct rv_options *o, struct hp_fault *f)
{
	struct hp_public *ids = NULL;
	size_t n = 0;
	enum hp_err err = HP_OK;

	if (o->allow[0])
		err = rv_allow_load(o->allow, &ids, &n, f);
	free(ids);
	if (!err)
		puts("the configuration is fine");
	return err;
}

int main(int argc, char **argv)
{
	struct hp_fault f = { 0 };
	struct rv_options o;

	/* A line is seen when it is written, also through a pipe. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* A connection that ended shows it by an error. */
	signal(SIGPIPE, SIG_IGN);
	switch (rv_options_parse(&o, argc, argv, &f)) {
	case RV_DONE:
		return EXIT_SUCCESS;
	case RV_WRONG:
		fail(&f);
		return 2;
	case RV_RUN:
		break;
	}
	if (hp_crypto_init() != HP_OK) {
		hp_fault_set(&f, HP_ERR_STATE, "", "no source of randomness");
		return fail(&f);
	}
	if (o.check ? check(&o, &f) : rv_serve(&o, &f))
		return fail(&f);
	return EXIT_SUCCESS;
}
