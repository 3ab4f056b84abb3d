/* SPDX-License-Identifier: ISC */
/* Shows people how a connection comes about, from the daemon's events. */
#ifndef TOOLS_HPTUN_PROGRESS_H
#define TOOLS_HPTUN_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/**
 * struct progress - What was shown so far
 * @server: the state shown last, by server
 * @held:   servers whose line waits for more to be known
 * @shown:  names of peers whose line is there
 * @waits:  a line that will be overwritten is on the terminal
 */
struct progress {
	FILE *out;
	json_t *server;
	json_t *held;
	json_t *shown;
	bool terminal;
	bool waits;
	int width;
};

/* @peers: those asked for; borrowed for the call. */
void progress_begin(struct progress *p, const json_t *peers, FILE *out);
/* Shows a document of the daemon, as far as it says something new. */
void progress_take(struct progress *p, json_t *doc);
void progress_end(struct progress *p);

#endif
