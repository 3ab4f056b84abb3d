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

int cmd_watch(const struct options *o)
{
	bool picture = !o->json && isatty(STDOUT_FILENO);
	struct hp_fault f = { 0 };
	char reason[CTL_REASON] = "";
	struct ctl_conn *c = NULL;
	json_t *doc;
	enum hp_err err = ctl_open(o->dirs.run, o->network, &c, &f);

	if (!err)
		err = ctl_ask(c, json_pack("{s:s, s:I}", "op", "watch",
					   "every_ms",
					   (json_int_t)(o->every_ns / HP_MS)),
			      &f);
	if (!err && picture)
		fputs(TOP BELOW, stdout);
	while (!err && !(err = ctl_read(c, -1, &doc, &f))) {
		err = ctl_verdict(doc, reason, &f);
		/* Events go on until somebody ends one of us. */
		if (err == HP_ERR_AGAIN)
			err = HP_OK;
		if (o->json)
			print_json(doc);
		else if (!picture)
			print_news(doc);
		else if (strcmp(view_text(doc, "event"), "status") == 0)
			draw(doc);
		json_decref(doc);
	}
	ctl_close(c);
	return complain(err, "", &f);
}
