/* SPDX-License-Identifier: ISC */
/* What the commands of hptunctl share. */
#ifndef HPTUNCTL_HPTUNCTL_H
#define HPTUNCTL_HPTUNCTL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "sys/store.h"

/**
 * struct options - What the command line says
 * @dirs:    where things are
 * @network: as given, or the one whose daemon runs
 * @json:    print the daemon's JSON, not text for people
 * @count:   of pings, 0: until interrupted
 * @every_ns: between pings, between pictures of the status
 * @peer:    argument of the command, NULL: none
 */
struct options {
	struct hp_dirs dirs;
	char network[HP_NAME_TEXT];
	bool json;
	unsigned int count;
	uint64_t every_ns;
	const char *peer;
};

/* Commands return the exit status of the program. */
int cmd_status(const struct options *o);
int cmd_peers(const struct options *o);
int cmd_watch(const struct options *o);
int cmd_ping(const struct options *o);
int cmd_reload(const struct options *o);
int cmd_stop(const struct options *o);

/* Says what went wrong and what to do; returns the exit status for it. */
int complain(enum hp_err err, const char *reason, const struct hp_fault *f);
/* Asks the daemon one question (taken); NULL: *status is set, and all said. */
json_t *ask(const struct options *o, json_t *request, int *status);
/* Prints JSON as one line. */
void print_json(const json_t *doc);

#endif
