/* SPDX-License-Identifier: ISC */
/*
 * `hptund IFNAME`: a WireGuard interface in user space, configured by wg(8)
 * and ip(8) like any other.
 */
#ifndef TUND_PLAIN_H
#define TUND_PLAIN_H

#include "base/err.h"
#include "wg/aead.h"

struct daemon;
struct device_cfg;
struct log;

/**
 * plain_run() - Make the interface and serve it until told to end
 * @device: the interface and its work
 * @engine: crypto library
 * @daemon: told once everything serves (borrowed)
 *
 * Return: HP_OK after SIGTERM, SIGINT or the end of the interface; else why it
 *         could not begin, with @f filled.
 */
enum hp_err plain_run(const struct device_cfg *device,
		      enum hp_aead_engine engine, struct daemon *daemon,
		      struct log *log, struct hp_fault *f) HP_MUST_CHECK;

#endif
