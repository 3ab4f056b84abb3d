/* SPDX-License-Identifier: ISC */
/*
 * `hptund --network NAME`: the tunnel of an hptun network. Puts the engine,
 * what is on disk, the interface and the control socket together.
 */
#ifndef TUND_NETMODE_H
#define TUND_NETMODE_H

#include <stdbool.h>

#include "base/err.h"
#include "wg/aead.h"

struct daemon;
struct hp_dirs;
struct log;

/**
 * struct netmode_cfg - What to run
 * @dirs:    where networks, sockets and state are (borrowed)
 * @network: its name; NULL: the only one there is (borrowed)
 * @all:     connect to every member at once, not when asked
 * @no_offload: whatever the configuration says
 * @threads: that move data; 0: as the configuration says
 * @engine:  crypto library; HP_AEAD_AUTO: as the configuration says
 */
struct netmode_cfg {
	const struct hp_dirs *dirs;
	const char *network;
	bool all;
	bool no_offload;
	unsigned int threads;
	enum hp_aead_engine engine;
};

/* Reads all that a start would read, and changes nothing. */
enum hp_err netmode_check(const struct netmode_cfg *cfg, struct hp_fault *f)
	HP_MUST_CHECK;

/**
 * netmode_run() - Set the tunnel up and serve it until told to end
 * @daemon: told once everything serves (borrowed)
 *
 * Return: HP_OK after SIGTERM, SIGINT, `hptunctl stop` or the end of the
 *         interface; else why it could not begin, with @f filled:
 *         HP_ERR_EXISTS when another process serves this network.
 */
enum hp_err netmode_run(const struct netmode_cfg *cfg, struct daemon *daemon,
			struct log *log, struct hp_fault *f) HP_MUST_CHECK;

#endif
