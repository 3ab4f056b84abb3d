/* SPDX-License-Identifier: ISC */
/*
 * What the command-line tools have in common: a table of commands, a table of
 * options per command that also writes its --help, and how facts and faults
 * are printed.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "sys/conf.h"
#include "sys/store.h"

/* Exit codes: 0, or these. */
#define CLI_FAILED 1
#define CLI_USAGE 2
/* From cli_parse(): no exit, go on. */
#define CLI_GO (-1)

/* A command of a program; argv[0] is its name. */
struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
};

/**
 * struct cli_program - A program made of commands
 * @name:     "hptun"
 * @about:    one line
 * @commands: @n of them
 */
struct cli_program {
	const char *name;
	const char *about;
	const struct cli_command *commands;
	size_t n;
};

/* Runs the command that argv names; also help, --help, --version. Returns the
 * exit code.
 */
int cli_main(const struct cli_program *p, int argc, char **argv);

/**
 * struct cli_opt - One option of a command
 * @name:  long name without dashes
 * @value: what stands for its value in --help; NULL: takes none
 * @help:  one line
 * @set:   as in a configuration file; a switch gets "yes"
 */
struct cli_opt {
	const char *name;
	const char *value;
	const char *help;
	hp_conf_set_fn *set;
};

/**
 * struct cli_spec - What a command takes
 * @command: "hptun invite"
 * @args:    its arguments, for --help: "NAME"
 * @about:   a paragraph for --help
 * @opts:    @n_opts options of its own. All take --network, --config-dir,
 *           --run-dir, --state-dir and --help.
 * @letters: short names of the first options, in their order; NULL: none
 * @min_args, @max_args: how many arguments
 * @json:    it takes --json
 */
struct cli_spec {
	const char *command;
	const char *args;
	const char *about;
	const struct cli_opt *opts;
	size_t n_opts;
	const char *letters;
	int min_args;
	int max_args;
	bool json;
};

/**
 * struct cli - What was found on the command line
 * @command: of the spec
 * @dirs:    where files are
 * @network: NULL when not given
 * @json:    print JSON
 * @args:    @n_args arguments, NULL behind them (part of argv)
 */
struct cli {
	const char *command;
	struct hp_dirs dirs;
	const char *network;
	bool json;
	int n_args;
	char **args;
};

/**
 * cli_parse() - Read a command line
 * @ctx:  handed to the options' @set
 * @argv: reordered: arguments first
 *
 * Return: CLI_GO; or an exit code, with everything said that is to be said.
 */
int cli_parse(const struct cli_spec *spec, void *ctx, struct cli *cli,
	      int argc, char **argv);

/* Prints "hptun: CAUSE" and the remedy to stderr. Returns CLI_FAILED. */
int cli_fail(const struct cli *cli, const struct hp_fault *f);
/* The same for a wrong command line, with where to read. Returns CLI_USAGE. */
int cli_usage(const char *command, const struct hp_fault *f);
/* Prints @doc (taken; NULL: no memory) as indented JSON. Returns exit code. */
int cli_json(const struct cli *cli, json_t *doc);
/* Asks on the terminal; true for y or yes. False without terminal. */
bool cli_ask(const char *question);
/* Is there somebody to ask? */
bool cli_can_ask(void);

#endif
