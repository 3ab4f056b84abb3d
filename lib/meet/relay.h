/* SPDX-License-Identifier: ISC */
/*
 * Relay channels, on the server: a channel joins two ends, a datagram from one
 * goes unchanged to the other. Knows no session: the registry makes the ends
 * and says when one moves. Forwarding allocates nothing, takes no lock, and may
 * be done by any number of threads while one thread does all the rest.
 */
#ifndef HP_MEET_RELAY_H
#define HP_MEET_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "base/rng.h"
#include "meet/limit.h"

struct hp_relay;
struct hp_relay_link;

/* A channel that carried nothing and was not asked for ends after this. */
#define HP_RELAY_IDLE_NS (UINT64_C(180) * 1000000000)
/* Charged per datagram on top of its bytes, so that a limit on bytes limits
 * small packets too: IPv6 and UDP headers.
 */
#define HP_RELAY_PACKET_COST 48

/**
 * struct hp_relay_end - One who has channels; embedded in its owner
 * @path:  where it is heard and reached; set by hp_relay_move() alone
 * @links: its channels; zero at first
 * @n:     how many
 */
struct hp_relay_end {
	struct hp_path path;
	struct hp_relay_link *links;
	size_t n;
};

/**
 * struct hp_relay_config
 * @rate:        bytes per second and channel (both directions together), 0: no
 *               limit
 * @max:         channels in all
 * @max_per_end: channels of one end
 * @wait:        returns once no thread forwards any more that began to before
 *               the call; NULL: there is one thread
 * @ctx:         handed to @wait
 */
struct hp_relay_config {
	const struct hp_rng *rng;
	uint32_t rate;
	size_t max;
	size_t max_per_end;
	void (*wait)(void *ctx);
	void *ctx;
};

/* @packets, @bytes: counted by who forwards */
struct hp_relay_stats {
	uint64_t packets;
	uint64_t bytes;
	size_t channels;
};

struct hp_relay *hp_relay_new(const struct hp_relay_config *cfg);
/* All ends must have been dropped or be freed without further use. */
void hp_relay_free(struct hp_relay *r);

/* The channel of @a and @b, made if there is none, and renewed; 0 when a cap
 * is reached or memory is out.
 */
uint32_t hp_relay_pair(struct hp_relay *r, struct hp_relay_end *a,
		       struct hp_relay_end *b, uint64_t now_ns);
/* @end is heard and reached by @path from now on; channels for which there is
 * no memory end.
 */
void hp_relay_move(struct hp_relay *r, struct hp_relay_end *end,
		   const struct hp_path *path);
/* Ends all channels of @end. */
void hp_relay_drop(struct hp_relay *r, struct hp_relay_end *end);

/**
 * hp_relay_forward() - Where do these datagrams go?
 * @from:    their source
 * @n:       how many they are
 * @len:     their bytes together, at most 64 KiB
 * @to:      gets the path of the other end, valid as long as @wait of the
 *           configuration waits for this thread
 *
 * Safe from any thread.
 *
 * Return: HP_OK; HP_ERR_UNKNOWN: no such channel; HP_ERR_DENIED: @from is
 *         neither end; HP_ERR_LIMIT: over the channel's rate, all together.
 */
enum hp_err hp_relay_forward(struct hp_relay *r, const struct hp_addr *from,
			     uint32_t channel, size_t n, size_t len,
			     uint64_t now_ns, const struct hp_path **to)
	HP_MUST_CHECK;

void hp_relay_tick(struct hp_relay *r, uint64_t now_ns);
uint64_t hp_relay_deadline(const struct hp_relay *r);
size_t hp_relay_channels(const struct hp_relay *r);

#endif
