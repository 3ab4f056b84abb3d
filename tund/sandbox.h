/* SPDX-License-Identifier: ISC */
/* Gives up what a running daemon does not need. */
#ifndef TUND_SANDBOX_H
#define TUND_SANDBOX_H

#include "base/err.h"

/**
 * sandbox_enter() - Keep only the capabilities that the daemon works with
 *
 * Kept are CAP_NET_ADMIN (addresses, routes, fwmarks, buffers) and
 * CAP_NET_BIND_SERVICE (a port below 1024 may be asked for later). Threads
 * inherit this from the one that starts them: call it first.
 *
 * Return: HP_OK; HP_ERR_IO with errno, with more rights than wanted.
 */
enum hp_err sandbox_enter(void) HP_MUST_CHECK;

#endif
