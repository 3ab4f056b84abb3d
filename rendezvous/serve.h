/* SPDX-License-Identifier: ISC */
/* The sockets around lib/meet's registry, in one event loop. */
#ifndef HP_RENDEZVOUS_SERVE_H
#define HP_RENDEZVOUS_SERVE_H

#include "options.h"

/**
 * rv_serve() - Listen and serve until SIGTERM or SIGINT
 * @o: borrowed
 *
 * Return: HP_OK after a clean end; else @f is filled.
 */
enum hp_err rv_serve(const struct rv_options *o, struct hp_fault *f)
	HP_MUST_CHECK;

#endif
