/* SPDX-License-Identifier: ISC */
/*
 * The tools' end of the control socket: one JSON document a line each way.
 * What the documents say is described in hptunctl(8).
 */
#ifndef TOOLS_CTL_CLIENT_H
#define TOOLS_CTL_CLIENT_H

#include <jansson.h>

#include "base/err.h"

struct ctl_conn;

/* Longest word with which the daemon tells scripts why not, with its NUL. */
#define CTL_REASON 24

/* What the tools end with, beside 0 for success; for scripts. */
enum ctl_exit {
	CTL_EXIT_OTHER = 1,
	CTL_EXIT_USAGE = 2,	  /* the command line is wrong */
	CTL_EXIT_NOT_RUNNING = 3, /* no daemon */
	CTL_EXIT_DENIED = 4,	  /* this user may not do that */
	CTL_EXIT_RENDEZVOUS = 5,  /* no answer from it, or a refusal */
	CTL_EXIT_PEER = 6,	  /* offline, or unknown */
	CTL_EXIT_CERTIFICATE = 7, /* of the peer, refused */
	CTL_EXIT_PATH = 8,	  /* the peer is online and does not answer */
};

/* For a @reason of the daemon, which may be "", and else for @err. */
enum ctl_exit ctl_exit_of(enum hp_err err, const char *reason);

/**
 * ctl_open() - Connect to the daemon of a network
 * @run_dir: where its socket is, as RUN_DIR/NETWORK.sock
 * @out:     gives the connection; end with ctl_close()
 *
 * Return: HP_OK; HP_ERR_UNKNOWN: no daemon runs; HP_ERR_DENIED: it may not be
 *         asked by this user; HP_ERR_IO; HP_ERR_NOMEM. @f filled.
 */
enum hp_err ctl_open(const char *run_dir, const char *network,
		     struct ctl_conn **out, struct hp_fault *f) HP_MUST_CHECK;
void ctl_close(struct ctl_conn *c);

/* Sends a request (taken; NULL: no memory). HP_ERR_IO with @f filled. */
enum hp_err ctl_ask(struct ctl_conn *c, json_t *request, struct hp_fault *f)
	HP_MUST_CHECK;
/**
 * ctl_read() - The next document of the daemon
 * @timeout_ms: how long to wait for it, -1: for ever
 * @out:        gives it
 *
 * Return: HP_OK; HP_ERR_AGAIN: the time is up; HP_ERR_SHORT: the daemon closed
 *         the connection; HP_ERR_FORMAT; HP_ERR_IO. @f filled.
 */
enum hp_err ctl_read(struct ctl_conn *c, int timeout_ms, json_t **out,
		     struct hp_fault *f) HP_MUST_CHECK;
/**
 * ctl_verdict() - Is @doc the last one of an answer, and how did it end?
 * @reason: gives the word of a refusal, "" otherwise
 *
 * Return: HP_ERR_AGAIN: an event, more will come; HP_OK: success;
 *         HP_ERR_DENIED: refused, @f holds why and what to do.
 */
enum hp_err ctl_verdict(const json_t *doc, char reason[CTL_REASON],
			struct hp_fault *f) HP_MUST_CHECK;
/* One question (taken) with one answer, for which it waits 10 s, and before that
 * for the question's own "timeout_ms". @out, NULL before, gives the answer, a
 * refusal as well: free it in any case.
 */
enum hp_err ctl_call(const char *run_dir, const char *network,
		     json_t *request, json_t **out, char reason[CTL_REASON],
		     struct hp_fault *f) HP_MUST_CHECK;
/* Stops the daemon and waits until it is gone. HP_ERR_UNKNOWN: none runs. */
enum hp_err ctl_stop(const char *run_dir, const char *network,
		     struct hp_fault *f) HP_MUST_CHECK;

#endif
