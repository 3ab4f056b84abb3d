/* SPDX-License-Identifier: ISC */
/* Going to the background, only once everything serves. */
#ifndef TUND_DAEMON_H
#define TUND_DAEMON_H

#include "base/err.h"

struct log;

/**
 * struct daemon - A process on its way to the background
 * @ready: writing end of the pipe to the waiting parent; -1: none
 */
struct daemon {
	int ready;
};

/* Stays in front. */
#define DAEMON_FRONT ((struct daemon){ .ready = -1 })

/**
 * daemon_fork() - Go on in a child; the parent waits for its word
 *
 * The parent never returns from this: it exits with 0 after daemon_ready(),
 * with the child's exit code when that ends before. Until daemon_ready() the
 * child keeps stdin, stdout, stderr and may complain there. Call it before
 * threads are started.
 *
 * Return: HP_OK in the child; HP_ERR_IO when there is none.
 */
enum hp_err daemon_fork(struct daemon *d, struct hp_fault *f) HP_MUST_CHECK;
/* Lets the parent go, and lets go of the terminal: @log goes to syslog from now
 * on. Nothing without a parent.
 */
void daemon_ready(struct daemon *d, struct log *log);

#endif
