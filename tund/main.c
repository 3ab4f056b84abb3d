/* SPDX-License-Identifier: ISC */
/* hptund: the options, and which of its two ways of running they mean. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/crypto.h"
#include "daemon.h"
#include "device.h"
#include "log.h"
#include "netmode.h"
#include "plain.h"
#include "sys/conf.h"
#include "sys/store.h"

enum { EXIT_USAGE = 2 };

/* Descriptors that a daemon may come to need. */
#define FILES 4096

/* @dirs: absolute, for a daemon leaves the directory it was started in. */
struct options {
	struct hp_dirs dirs;
	const char *network; /* NULL: the only one there is */
	const char *ifname;  /* NULL: run a network */
	bool all;
	bool front;
	bool check;
	bool no_offload;
	uint32_t threads; /* 0: by configuration and processors */
	enum hp_aead_engine engine;
};

static const char usage[] =
	"usage: hptund [-f] [--no-offload] [--threads N] [--crypto LIB] IFNAME\n"
	"       hptund [-afc] [--network NAME] [--no-offload] [--threads N]\n"
	"              [--crypto LIB] [--config-dir DIR] [--run-dir DIR]\n"
	"              [--state-dir DIR]\n"
	"\n"
	"With IFNAME: a WireGuard interface in user space, for wg(8) and ip(8).\n"
	"Without: the tunnel daemon of an hptun network.\n"
	"\n"
	"  -n, --network NAME   the network; may be left out when there is one\n"
	"  -a, --all            connect to every member at once\n"
	"  -f, --foreground     do not go to the background\n"
	"  -c, --check          read the configuration, say what is wrong, end\n"
	"      --no-offload     exchange single packets with the kernel\n"
	"      --threads N      move data in N threads; without it as many as the\n"
	"                       processors can feed, or what Threads = says\n"
	"      --crypto LIB     libipsec-mb, libcrypto, libsodium, or\n"
	"                       libipsec-mb+libcrypto; without it the fastest one\n"
	"                       here, or what Crypto = says\n"
	"      --config-dir DIR where networks are set up (/etc/hptun)\n"
	"      --run-dir DIR    for the control socket (/run/hptun)\n"
	"      --state-dir DIR  for what is learned (/var/lib/hptun)\n"
	"  -h, --help           this text\n"
	"  -V, --version        the version\n";

enum {
	OPT_CONFIG_DIR = 256,
	OPT_RUN_DIR,
	OPT_STATE_DIR,
	OPT_NO_OFFLOAD,
	OPT_THREADS,
	OPT_CRYPTO,
};

static const struct option longs[] = {
	{ "network", required_argument, NULL, 'n' },
	{ "all", no_argument, NULL, 'a' },
	{ "foreground", no_argument, NULL, 'f' },
	{ "check", no_argument, NULL, 'c' },
	{ "no-offload", no_argument, NULL, OPT_NO_OFFLOAD },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "crypto", required_argument, NULL, OPT_CRYPTO },
	{ "config-dir", required_argument, NULL, OPT_CONFIG_DIR },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static _Noreturn void bad_usage(const char *why)
{
	if (why)
		fprintf(stderr, "hptund: %s\n", why);
	fprintf(stderr, "Try: hptund --help\n");
	exit(EXIT_USAGE);
}

static void take_option(struct options *o, int c)
{
	struct hp_fault f;

	switch (c) {
	case 'n':
		o->network = optarg;
		return;
	case 'a':
		o->all = true;
		return;
	case 'f':
		o->front = true;
		return;
	case 'c':
		o->check = true;
		return;
	case OPT_NO_OFFLOAD:
		o->no_offload = true;
		return;
	case OPT_THREADS:
		if (hp_value_threads(optarg, &o->threads, &f))
			bad_usage("--threads takes auto, or a number from "
				  "1 to 16");
		return;
	case OPT_CRYPTO:
		if (hp_aead_parse(optarg, &o->engine))
			bad_usage("--crypto takes libipsec-mb, libcrypto, "
				  "libsodium, libipsec-mb+libcrypto or "
				  "auto");
		return;
	case OPT_CONFIG_DIR:
		o->dirs.config = optarg;
		return;
	case OPT_RUN_DIR:
		o->dirs.run = optarg;
		return;
	case OPT_STATE_DIR:
		o->dirs.state = optarg;
		return;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 'V':
		puts("hptund " HP_VERSION);
		exit(0);
	}
	bad_usage(NULL);
}

/* Gives a string that lives as long as the process. */
static const char *absolute(const char *path)
{
	char here[PATH_MAX];
	char *out = NULL;

	if (path[0] == '/')
		return path;
	if (!getcwd(here, sizeof(here)) ||
	    asprintf(&out, "%s/%s", here, path) < 0) {
		perror("hptund");
		exit(1);
	}
	return out;
}

static struct options parse(int argc, char **argv)
{
	struct options o = { .dirs = hp_dirs_default() };
	int c;

	while ((c = getopt_long(argc, argv, "n:afchV", longs, NULL)) != -1)
		take_option(&o, c);
	if (argc - optind > 1)
		bad_usage("one interface at a time");
	if (optind < argc)
		o.ifname = argv[optind];
	if (o.ifname && (o.network || o.check || o.all))
		bad_usage("either an interface or a network");
	o.dirs.config = absolute(o.dirs.config);
	o.dirs.run = absolute(o.dirs.run);
	o.dirs.state = absolute(o.dirs.state);
	return o;
}

/* The search for a path may open 256 ports, two descriptors each, beside what
 * else a daemon needs; many systems start a process with a limit of 1024. A
 * lower hard limit means fewer ports.
 */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= FILES)
		return;
	files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static enum hp_err run(const struct options *o, struct log *log,
		       struct hp_fault *f)
{
	const struct netmode_cfg net = {
		.dirs = &o->dirs,
		.network = o->network,
		.all = o->all,
		.no_offload = o->no_offload,
		.threads = o->threads,
		.engine = o->engine,
	};
	const struct device_cfg plain = {
		.name = o->ifname,
		.offload = !o->no_offload,
		.threads = o->threads,
	};
	struct daemon daemon = DAEMON_FRONT;
	enum hp_err err = hp_crypto_init();

	if (err)
		return hp_fault_set(f, err, "", "the crypto libraries refuse "
						"to work on this machine");
	if (o->check)
		return netmode_check(&net, f);
	raise_limits();
	if (!o->front) {
		err = daemon_fork(&daemon, f);
		if (err)
			return err;
	}
	if (o->ifname)
		return plain_run(&plain, o->engine, &daemon, log, f);
	return netmode_run(&net, &daemon, log, f);
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct hp_fault fault = { 0 };
	struct log log = { 0 };

	/* A connection that ended shows it by an error. */
	signal(SIGPIPE, SIG_IGN);
	if (!run(&o, &log, &fault))
		return 0;
	log_fault(&log, &fault);
	return 1;
}
