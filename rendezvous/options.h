/* SPDX-License-Identifier: ISC */
/* What the server is told: configuration file, then command line. */
#ifndef HP_RENDEZVOUS_OPTIONS_H
#define HP_RENDEZVOUS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/key.h"

#define RV_LISTEN_MAX 16
#define RV_THREADS_MAX 64

/**
 * struct rv_options
 * @listen:     first ports; each opens the next one, too
 * @n_listen:   0: all addresses of the host, HP_MEET_PORT
 * @tcp, @tls:  where TCP and TLS connections are taken; none: nowhere
 * @cert, @key: files that TLS needs
 * @allow:      file of networks, "" : every network
 * @relay:      serve relay channels
 * @relay_rate: bytes per second and channel, 0: no limit
 * @max_nodes:  in all
 * @max_source: registered from one IPv4 address or IPv6 /64
 * @threads:    that forward what is relayed
 * @check:      look at the configuration and end
 */
struct rv_options {
	struct hp_addr listen[RV_LISTEN_MAX];
	size_t n_listen;
	struct hp_addr tcp[RV_LISTEN_MAX];
	size_t n_tcp;
	struct hp_addr tls[RV_LISTEN_MAX];
	size_t n_tls;
	char cert[256];
	char key[256];
	char allow[256];
	bool relay;
	uint32_t relay_rate;
	uint32_t max_nodes;
	uint32_t max_source;
	uint32_t threads;
	bool check;
};

enum rv_parsed {
	RV_RUN,
	RV_DONE,  /* help or version is printed */
	RV_WRONG, /* @f says what */
};

/* Reads the command line, and the file that --config names before the rest of
 * it: what is said later, and on the command line, counts.
 */
enum rv_parsed rv_options_parse(struct rv_options *o, int argc, char **argv,
				struct hp_fault *f);

/**
 * rv_allow_load() - Read a file of networks
 * @ids: gives @n keys; free() them
 *
 * One key in base64 a line; what follows it on the line, and from '#' on, is
 * for people.
 *
 * Return: HP_OK; else @f is filled and nothing given.
 */
enum hp_err rv_allow_load(const char *path, struct hp_public **ids, size_t *n,
			  struct hp_fault *f) HP_MUST_CHECK;

#endif
