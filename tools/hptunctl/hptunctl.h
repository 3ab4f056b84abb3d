/* SPDX-License-Identifier: ISC */
/* What the commands of hptunctl share. */
#ifndef HPTUNCTL_HPTUNCTL_H
#define HPTUNCTL_HPTUNCTL_H

#include <jansson.h>

#include "../cli.h"
#include "base/err.h"

/* Commands return the exit status of the program. */
int cmd_status(int argc, char **argv);
int cmd_peers(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_ping(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_stop(int argc, char **argv);

/**
 * ctl_network() - The network that is meant
 * @out: as given, or the one whose daemon runs, or the only one set up here
 *
 * Return: HP_OK; as of hp_store_pick(), with @f filled.
 */
enum hp_err ctl_network(const struct cli *cli, char out[HP_NAME_TEXT],
			struct hp_fault *f) HP_MUST_CHECK;
/* Says what went wrong; returns the exit status for it. @reason may be "". */
int ctl_complain(const struct cli *cli, enum hp_err err, const char *reason,
		 const struct hp_fault *f);
/* Prints a document as one line. */
void ctl_print(const json_t *doc);

#endif
