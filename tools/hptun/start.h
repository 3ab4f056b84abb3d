/* SPDX-License-Identifier: ISC */
/* Starts the daemon of a network. */
#ifndef TOOLS_HPTUN_START_H
#define TOOLS_HPTUN_START_H

#include "base/err.h"
#include "sys/store.h"

/**
 * start_daemon() - Start hptund and wait until it serves
 *
 * The program beside this one is taken, or else the one in PATH. What it has
 * to complain about, it prints itself.
 *
 * Return: HP_OK; HP_ERR_DENIED: not root; HP_ERR_IO: it cannot be run;
 *         HP_ERR_STATE: it ended with an error, and said so. @f filled.
 */
enum hp_err start_daemon(const struct hp_dirs *dirs, const char *network,
			 struct hp_fault *f) HP_MUST_CHECK;

#endif
