/* SPDX-License-Identifier: ISC */
/* hptunctl: looks into a running daemon and steers it. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "../ctl_client.h"
#include "hptunctl.h"
#include "sys/conf.h"

/* @options: the letters of main()'s options that the command takes beyond
 * those that all take.
 */
static const struct command {
	const char *name;
	const char *args;
	int (*run)(const struct options *o);
	const char *options;
	const char *help;
} commands[] = {
	{ "status", "", cmd_status, "j", "the node, its servers, its peers" },
	{ "peers", "", cmd_peers, "j", "the peers alone" },
	{ "watch", "", cmd_watch, "ji", "status and news, until interrupted" },
	{ "ping", "PEER", cmd_ping, "jci", "measure the way to a peer" },
	{ "reload", "", cmd_reload, "", "read the configuration anew" },
	{ "stop", "", cmd_stop, "", "end the daemon" },
	{ NULL, NULL, NULL, NULL, NULL },
};

static void usage(FILE *out)
{
	fputs("usage: hptunctl [options] COMMAND\n\n", out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-7s %-5s %s\n", c->name, c->args, c->help);
	fputs("\n"
	      "  -n, --network NAME    network, when several daemons run\n"
	      "  -j, --json            print JSON (status, peers, watch, ping)\n"
	      "  -c, --count N         end after N pings (ping)\n"
	      "  -i, --interval TIME   between pings or pictures: 500ms, 2s\n"
	      "      --run-dir DIR     where control sockets are\n"
	      "      --config-dir DIR  where networks are set up\n"
	      "  -h, --help            print this and end\n"
	      "  -V, --version         print the version and end\n",
	      out);
}

int complain(enum hp_err err, const char *reason, const struct hp_fault *f)
{
	fprintf(stderr, "hptunctl: %s\n",
		f->cause[0] ? f->cause : hp_err_name(err));
	if (f->remedy[0])
		fprintf(stderr, "  %s\n", f->remedy);
	return (int)ctl_exit_of(err, reason);
}

json_t *ask(const struct options *o, json_t *request, int *status)
{
	struct hp_fault f = { 0 };
	char reason[CTL_REASON] = "";
	json_t *doc = NULL;
	enum hp_err err = ctl_call(o->dirs.run, o->network, request, &doc,
				   reason, &f);

	*status = 0;
	if (!err)
		return doc;
	*status = complain(err, reason, &f);
	json_decref(doc);
	return NULL;
}

void print_json(const json_t *doc)
{
	json_dumpf(doc, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	fflush(stdout);
}

static int wrong(const char *cause, const char *what, const char *remedy)
{
	fprintf(stderr, "hptunctl: %s%s%s\n", cause, *what ? " " : "", what);
	fprintf(stderr, "  %s\n", remedy);
	return CTL_EXIT_USAGE;
}

static const struct command *find_command(const char *name)
{
	const char *names[sizeof(commands) / sizeof(commands[0])];
	const char *near;
	size_t n = 0;

	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
		names[n++] = c->name;
	}
	near = hp_suggest(name, names, n);
	fprintf(stderr, "hptunctl: there is no command \"%s\"\n", name);
	if (near)
		fprintf(stderr, "  did you mean: hptunctl %s\n", near);
	else
		fprintf(stderr, "  hptunctl --help lists what there is\n");
	return NULL;
}

/* The network whose daemon runs, when it is the only one; "" when none does.
 * The configuration itself may be readable to root alone.
 */
static enum hp_err running_network(const char *run_dir,
				   char out[HP_NAME_TEXT], struct hp_fault *f)
{
	DIR *dir = opendir(run_dir);
	const struct dirent *e;
	enum hp_err err = HP_OK;

	out[0] = '\0';
	while (dir && (e = readdir(dir)) && !err) {
		size_t len = strlen(e->d_name);

		if (len <= 5 || strcmp(e->d_name + len - 5, ".sock") != 0 ||
		    len - 5 >= HP_NAME_TEXT)
			continue;
		if (out[0])
			err = hp_fault_set(f, HP_ERR_EXISTS,
					   "choose one with --network",
					   "daemons of several networks run: "
					   "%s, %.*s", out, (int)(len - 5),
					   e->d_name);
		else
			snprintf(out, HP_NAME_TEXT, "%.*s", (int)(len - 5),
				 e->d_name);
	}
	if (dir)
		closedir(dir);
	return err;
}

static enum hp_err choose_network(struct options *o, const char *given,
				  struct hp_fault *f)
{
	enum hp_err err;

	if (given)
		return hp_name_parse(given, o->network, f);
	err = running_network(o->dirs.run, o->network, f);
	if (err || o->network[0])
		return err;
	return hp_store_pick(&o->dirs, NULL, o->network, f);
}

static const struct option longs[] = {
	{ "network", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'j' },
	{ "count", required_argument, NULL, 'c' },
	{ "interval", required_argument, NULL, 'i' },
	{ "run-dir", required_argument, NULL, 'R' },
	{ "config-dir", required_argument, NULL, 'C' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* Takes one option; adds its letter to @used. */
static enum hp_err take(struct options *o, int letter, const char **network,
			char *used, struct hp_fault *f)
{
	size_t n = strlen(used);
	uint32_t count = 0;
	enum hp_err err = HP_OK;

	if (letter == 'n')
		*network = optarg;
	else if (letter == 'R')
		o->dirs.run = optarg;
	else if (letter == 'C')
		o->dirs.config = optarg;
	else if (letter == 'j')
		o->json = true;
	else if (letter == 'c')
		err = hp_value_u32(optarg, 1, 1000000, &count, f);
	else
		err = hp_value_time(optarg, &o->every_ns, f);
	if (count)
		o->count = count;
	if (strchr("jci", letter) && !strchr(used, letter))
		used[n] = (char)letter;
	return err;
}

static int run(const struct command *c, struct options *o, const char *used,
	       const char *network, int argc, char **argv)
{
	struct hp_fault f = { 0 };
	enum hp_err err;

	for (; *used; used++)
		if (!strchr(c->options, *used))
			return wrong(c->name, "does not take one of the "
				     "options given", "see hptunctl --help");
	if (argc > (c->args[0] ? 1 : 0))
		return wrong("there is one word too many:", argv[argc - 1],
			     "see hptunctl --help");
	if (c->args[0] && !argc)
		return wrong(c->name, "needs the name of a peer",
			     "for example: hptunctl ping bob");
	o->peer = argc ? argv[0] : NULL;
	err = choose_network(o, network, &f);
	if (err) {
		complain(err, "", &f);
		return CTL_EXIT_OTHER;
	}
	return c->run(o);
}

int main(int argc, char **argv)
{
	struct options o = { .dirs = hp_dirs_default(), .every_ns = HP_S };
	const char *network = NULL;
	const struct command *c;
	struct hp_fault f = { 0 };
	char used[8] = "";
	int letter;

	while ((letter = getopt_long(argc, argv, "n:jc:i:hV", longs, NULL)) !=
	       -1) {
		if (letter == 'h') {
			usage(stdout);
			return 0;
		}
		if (letter == 'V') {
			puts("hptunctl " HP_VERSION);
			return 0;
		}
		if (letter == '?')
			return CTL_EXIT_USAGE;
		if (take(&o, letter, &network, used, &f)) {
			complain(f.code, "", &f);
			return CTL_EXIT_USAGE;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return CTL_EXIT_USAGE;
	}
	c = find_command(argv[optind]);
	if (!c)
		return CTL_EXIT_USAGE;
	return run(c, &o, used, network, argc - optind - 1, argv + optind + 1);
}
