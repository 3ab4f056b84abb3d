/* SPDX-License-Identifier: ISC */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/crypto.h"

#define BOLD_RED "\033[1;31m"
#define PLAIN "\033[0m"
#define OPTIONS_MAX 32

/* The first word of "hptun invite". */
static int program_len(const char *command)
{
	return (int)strcspn(command, " ");
}

static void print_fault(const char *command, const struct hp_fault *f)
{
	bool color = isatty(STDERR_FILENO) && !getenv("NO_COLOR");

	fprintf(stderr, "%s%.*s:%s %s\n", color ? BOLD_RED : "",
		program_len(command), command, color ? PLAIN : "", f->cause);
	if (f->remedy[0])
		fprintf(stderr, "  %s\n", f->remedy);
}

int cli_fail(const struct cli *cli, const struct hp_fault *f)
{
	print_fault(cli->command, f);
	return CLI_FAILED;
}

int cli_usage(const char *command, const struct hp_fault *f)
{
	print_fault(command, f);
	fprintf(stderr, "  see: %s --help\n", command);
	return CLI_USAGE;
}

int cli_json(const struct cli *cli, json_t *doc)
{
	struct hp_fault f;
	int bad = !doc || json_dumpf(doc, stdout,
				      JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ||
		  putchar('\n') == EOF || fflush(stdout);

	json_decref(doc);
	if (!bad)
		return 0;
	(void)hp_fault_set(&f, HP_ERR_IO, "", "cannot print JSON");
	return cli_fail(cli, &f);
}

bool cli_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool cli_ask(const char *question)
{
	char answer[16];

	if (!cli_can_ask())
		return false;
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	answer[strcspn(answer, "\n")] = '\0';
	return !strcasecmp(answer, "y") || !strcasecmp(answer, "yes");
}

static enum hp_err set_network(void *ctx, const char *v, struct hp_fault *f)
{
	struct cli *cli = ctx;
	char name[HP_NAME_TEXT];

	cli->network = v;
	return hp_name_parse(v, name, f);
}

static enum hp_err set_dir(const char **dir, const char *v,
			   struct hp_fault *f)
{
	*dir = v;
	if (v[0])
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT, "write a directory",
			    "the directory is empty");
}

static enum hp_err set_config_dir(void *ctx, const char *v,
				  struct hp_fault *f)
{
	return set_dir(&((struct cli *)ctx)->dirs.config, v, f);
}

static enum hp_err set_run_dir(void *ctx, const char *v, struct hp_fault *f)
{
	return set_dir(&((struct cli *)ctx)->dirs.run, v, f);
}

static enum hp_err set_state_dir(void *ctx, const char *v, struct hp_fault *f)
{
	return set_dir(&((struct cli *)ctx)->dirs.state, v, f);
}

static enum hp_err set_json(void *ctx, const char *v, struct hp_fault *f)
{
	return hp_value_bool(v, &((struct cli *)ctx)->json, f);
}

/* Options of every command; the first is only for those that print facts. */
static const struct cli_opt common[] = {
	{ "json", NULL, "print JSON", set_json },
	{ "network", "NAME", "which network (needed when there are several)",
	  set_network },
	{ "config-dir", "DIR", "default /etc/hptun", set_config_dir },
	{ "run-dir", "DIR", "default /run/hptun", set_run_dir },
	{ "state-dir", "DIR", "default /var/lib/hptun", set_state_dir },
};

#define N_COMMON (sizeof(common) / sizeof(common[0]))

/* The short name of an option, 0: none. */
static char letter_of(const struct cli_spec *s, const struct cli_opt *o)
{
	if (o >= common && o < common + N_COMMON)
		return o == &common[1] ? 'n' : 0;
	if (!s->letters || (size_t)(o - s->opts) >= strlen(s->letters))
		return 0;
	return s->letters[o - s->opts];
}

static void print_opt(const struct cli_spec *s, const struct cli_opt *o)
{
	char left[40], letter = letter_of(s, o);

	snprintf(left, sizeof(left), "%c%c%c --%s%s%s", letter ? '-' : ' ',
		 letter ? letter : ' ', letter ? ',' : ' ', o->name,
		 o->value ? " " : "", o->value ? o->value : "");
	printf("  %-30s %s\n", left, o->help);
}

static void print_help(const struct cli_spec *spec)
{
	printf("usage: %s [OPTIONS]%s%s\n\n%s\n\noptions:\n", spec->command,
	       spec->args[0] ? " " : "", spec->args, spec->about);
	for (size_t i = 0; i < spec->n_opts; i++)
		print_opt(spec, &spec->opts[i]);
	for (size_t i = !spec->json; i < N_COMMON; i++)
		print_opt(spec, &common[i]);
	printf("  %-30s %s\n", "-h, --help", "this text");
}

/* Where a command line is being read. */
struct cursor {
	const struct cli_spec *spec;
	void *ctx;
	struct cli *cli;
	int argc;
	char **argv;
	int i;
	struct hp_fault f;
};

/* The option named @name of @len bytes; @is_common tells whose it is. */
static const struct cli_opt *opt_find(struct cursor *c, const char *name,
				      size_t len, bool *is_common)
{
	const struct cli_spec *s = c->spec;

	*is_common = false;
	for (size_t i = 0; i < s->n_opts; i++)
		if (strlen(s->opts[i].name) == len &&
		    !strncmp(s->opts[i].name, name, len))
			return &s->opts[i];
	*is_common = true;
	for (size_t i = !s->json; i < N_COMMON; i++)
		if (strlen(common[i].name) == len &&
		    !strncmp(common[i].name, name, len))
			return &common[i];
	return NULL;
}

/* The option with the short name @letter. */
static const struct cli_opt *opt_letter(struct cursor *c, char letter,
					bool *is_common)
{
	const struct cli_spec *s = c->spec;

	*is_common = letter == 'n';
	if (letter == 'n')
		return &common[1];
	for (size_t i = 0; i < s->n_opts; i++)
		if (letter_of(s, &s->opts[i]) == letter)
			return &s->opts[i];
	return NULL;
}

static enum hp_err opt_unknown(struct cursor *c, const char *arg)
{
	const char *names[OPTIONS_MAX + N_COMMON + 1] = { "help" };
	const char *near;
	char word[32];
	size_t n = 1;

	for (size_t i = 0; i < c->spec->n_opts && n < OPTIONS_MAX; i++)
		names[n++] = c->spec->opts[i].name;
	for (size_t i = !c->spec->json; i < N_COMMON; i++)
		names[n++] = common[i].name;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(arg + 2, "="),
		 arg + 2);
	near = arg[1] == '-' ? hp_suggest(word, names, n) : NULL;
	(void)hp_fault_set(&c->f, HP_ERR_FORMAT, "", "unknown option %s", arg);
	if (near)
		snprintf(c->f.remedy, sizeof(c->f.remedy), "did you mean --%s?",
			 near);
	return HP_ERR_FORMAT;
}

static enum hp_err opt_apply(struct cursor *c, const struct cli_opt *o,
			     bool is_common, const char *value)
{
	char cause[sizeof(c->f.cause)];
	enum hp_err err;

	err = o->set(is_common ? c->cli : c->ctx, value, &c->f);
	if (!err)
		return HP_OK;
	memcpy(cause, c->f.cause, sizeof(cause));
	snprintf(c->f.cause, sizeof(c->f.cause), "--%s: %.200s", o->name,
		 cause);
	return err;
}

static enum hp_err opt_read(struct cursor *c)
{
	const char *arg = c->argv[c->i];
	const char *name = arg + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const char *value = equals ? equals + 1 : NULL;
	const struct cli_opt *o;
	bool is_common;

	if (arg[1] != '-') {
		o = opt_letter(c, arg[1], &is_common);
		value = arg[2] ? arg + 2 : NULL;
	} else {
		o = opt_find(c, name, len, &is_common);
	}
	if (!o)
		return opt_unknown(c, arg);
	if (!o->value && value)
		return hp_fault_set(&c->f, HP_ERR_FORMAT, "",
				    "--%s takes no value", o->name);
	if (!o->value)
		value = "yes";
	else if (!value && c->i + 1 < c->argc)
		value = c->argv[++c->i];
	if (!value)
		return hp_fault_set(&c->f, HP_ERR_FORMAT, "",
				    "--%s needs a value: %s", o->name,
				    o->value);
	return opt_apply(c, o, is_common, value);
}

static enum hp_err args_count(struct cursor *c)
{
	const struct cli_spec *s = c->spec;

	if (c->cli->n_args < s->min_args)
		return hp_fault_set(&c->f, HP_ERR_FORMAT, "",
				    "an argument is missing: %s", s->args);
	if (c->cli->n_args > s->max_args)
		return hp_fault_set(&c->f, HP_ERR_FORMAT, "",
				    "an argument too many: \"%.60s\"",
				    c->cli->args[s->max_args]);
	return HP_OK;
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

int cli_parse(const struct cli_spec *spec, void *ctx, struct cli *cli,
	      int argc, char **argv)
{
	struct cursor c = { .spec = spec, .ctx = ctx, .cli = cli,
			    .argc = argc, .argv = argv };
	bool only_args = false;
	enum hp_err err = HP_OK;

	*cli = (struct cli){
		.command = spec->command,
		.dirs = hp_dirs_default(),
		.args = argv + 1,
	};
	for (c.i = 1; c.i < argc && !err; c.i++) {
		char *arg = argv[c.i];

		if (!only_args && is_help(arg)) {
			print_help(spec);
			return 0;
		}
		if (!only_args && !strcmp(arg, "--"))
			only_args = true;
		else if (!only_args && arg[0] == '-' && arg[1])
			err = opt_read(&c);
		else
			cli->args[cli->n_args++] = arg;
	}
	if (!err)
		err = args_count(&c);
	if (err)
		return cli_usage(spec->command, &c.f);
	/* Stays within argv, which has a NULL of its own at its end. */
	cli->args[cli->n_args] = NULL;
	return CLI_GO;
}

static void program_help(const struct cli_program *p)
{
	printf("usage: %s COMMAND [OPTIONS] [ARGUMENTS]\n\n%s\n\n", p->name,
	       p->about);
	for (size_t i = 0; i < p->n; i++)
		printf("  %-10s %s\n", p->commands[i].name,
		       p->commands[i].about);
	printf("\n%s help COMMAND tells more. The manual: man %.*s\n", p->name,
	       program_len(p->name), p->name);
}

static const struct cli_command *command_find(const struct cli_program *p,
					      const char *name)
{
	const char *names[OPTIONS_MAX];
	struct hp_fault f;
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->commands[i].name, name))
			return &p->commands[i];
	for (; n < p->n && n < OPTIONS_MAX; n++)
		names[n] = p->commands[n].name;
	near = hp_suggest(name, names, n);
	(void)hp_fault_set(&f, HP_ERR_UNKNOWN,
			   name[0] == '-' ? "options come behind the command"
					  : "",
			   "there is no command \"%.60s\"", name);
	if (near && name[0] != '-')
		snprintf(f.remedy, sizeof(f.remedy), "did you mean %s?", near);
	cli_usage(p->name, &f);
	return NULL;
}

int cli_main(const struct cli_program *p, int argc, char **argv)
{
	static char help[] = "--help";
	const struct cli_command *c;

	if (argc < 2) {
		program_help(p);
		return CLI_USAGE;
	}
	if (hp_crypto_init()) {
		fprintf(stderr, "%s: the cryptographic libraries refuse\n",
			p->name);
		return CLI_FAILED;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("%s %s\n", p->name, HP_VERSION);
		return 0;
	}
	if (is_help(argv[1]) || (argc == 2 && !strcmp(argv[1], "help"))) {
		program_help(p);
		return 0;
	}
	if (!strcmp(argv[1], "help")) {
		char *ask[] = { argv[2], help, NULL };

		c = command_find(p, argv[2]);
		return c ? c->run(2, ask) : CLI_USAGE;
	}
	c = command_find(p, argv[1]);
	return c ? c->run(argc - 1, argv + 1) : CLI_USAGE;
}
