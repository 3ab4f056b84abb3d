/* SPDX-License-Identifier: ISC */
/* watch: on a terminal a picture of the status, drawn anew; else the news. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "../ctl_client.h"
#include "hptunctl.h"
#include "../view.h"

/* Cursor to the top left, and what stood below the picture away. */
#define TOP "\033[H"
#define LINE_REST "\033[K"
#define BELOW "\033[J"

/* Draws over the last picture without a flicker of empty screen. */
static void draw(const json_t *status)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	view_status(status, f);
	fclose(f);
	fputs(TOP, stdout);
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		printf("%.*s" LINE_REST "\n", (int)n, line);
		line += n + (line[n] == '\n');
	}
	fputs(BELOW, stdout);
	fflush(stdout);
	free(text);
}

static void print_news(const json_t *doc)
{
	const char *event = view_text(doc, "event");
	time_t now = time(NULL);
	struct tm tm;
	char at[16] = "";

	if (strcmp(event, "status") == 0)
		return;
	if (localtime_r(&now, &tm))
		strftime(at, sizeof(at), "%H:%M:%S", &tm);
	if (strcmp(event, "server") == 0) {
		printf("%s  rendezvous %s: ", at, view_text(doc, "server"));
		view_server(doc, stdout);
	} else {
		printf("%s  %s: %s, ", at, view_text(doc, "name"),
		       view_text(doc, "state"));
		view_path(doc, stdout);
	}
	putchar('\n');
	fflush(stdout);
}

static enum hp_err set_every(void *ctx, const char *value,
			     struct hp_fault *f)
{
	return hp_value_time(value, ctx, f);
}

static const struct cli_opt opts[] = {
	{ "interval", "TIME", "between pictures: 500ms, 2s (1s)", set_every },
};

static const struct cli_spec spec = {
	.command = "hptunctl watch",
	.args = "",
	.about = "On a terminal shows the status, again and again; elsewhere "
		 "a line for whatever\nchanges; with --json the daemon's "
		 "events, one document a line.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.letters = "i",
	.json = true,
};

/* Until the daemon ends, or somebody ends us. */
static enum hp_err follow(struct ctl_conn *c, bool json, struct hp_fault *f)
{
	bool picture = !json && isatty(STDOUT_FILENO);
	char reason[CTL_REASON];
	enum hp_err err = HP_ERR_AGAIN;
	json_t *doc;

	if (picture)
		fputs(TOP BELOW, stdout);
	while (err == HP_ERR_AGAIN) {
		err = ctl_read(c, -1, &doc, f);
		if (err)
			break;
		err = ctl_verdict(doc, reason, f);
		if (json)
			ctl_print(doc);
		else if (!picture)
			print_news(doc);
		else if (strcmp(view_text(doc, "event"), "status") == 0)
			draw(doc);
		json_decref(doc);
	}
	return err;
}

int cmd_watch(int argc, char **argv)
{
	uint64_t every_ns = HP_S;
	char network[HP_NAME_TEXT];
	struct hp_fault f = { 0 };
	struct ctl_conn *c = NULL;
	struct cli cli;
	enum hp_err err;
	int code = cli_parse(&spec, &every_ns, &cli, argc, argv);

	if (code != CLI_GO)
		return code;
	if (ctl_network(&cli, network, &f))
		return cli_fail(&cli, &f);
	err = ctl_open(cli.dirs.run, network, &c, &f);
	if (!err)
		err = ctl_ask(c, json_pack("{s:s, s:I}", "op", "watch",
					   "every_ms",
					   (json_int_t)(every_ns / HP_MS)),
			      &f);
	if (!err)
		err = follow(c, cli.json, &f);
	ctl_close(c);
	return err ? ctl_complain(&cli, err, "", &f) : 0;
}
