/* SPDX-License-Identifier: ISC */
/* hptund: the options. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "daemon.h"
#include "log.h"
#include "plain.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: hptund [-f] IFNAME\n"
	"\n"
	"Makes a WireGuard interface in user space, for wg(8) and ip(8).\n"
	"\n"
	"  -f, --foreground     do not go to the background\n"
	"  -h, --help           this text\n"
	"  -V, --version        the version\n";

static const struct option longs[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static enum hp_err run(const char *ifname, bool front, struct log *log,
		       struct hp_fault *f)
{
	struct daemon daemon = DAEMON_FRONT;
	enum hp_err err = hp_crypto_init();

	if (err)
		return hp_fault_set(f, err, "", "the crypto libraries refuse "
						"to work on this machine");
	if (!front) {
		err = daemon_fork(&daemon, f);
		if (err)
			return err;
	}
	return plain_run(ifname, &daemon, log, f);
}

int main(int argc, char **argv)
{
	struct hp_fault fault = { 0 };
	struct log log = { 0 };
	bool front = false;
	int c;

	while ((c = getopt_long(argc, argv, "fhV", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			front = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("hptund " HP_VERSION);
			return 0;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!run(argv[optind], front, &log, &fault))
		return 0;
	log_fault(&log, &fault);
	return 1;
}
