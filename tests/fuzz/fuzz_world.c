/* SPDX-License-Identifier: ISC */
/*
 * Two connected nodes and their rendezvous on the virtual internet, into which
 * the input injects datagrams, from strangers and from forged sources, while
 * time passes. Whatever comes, the two stay connected, nothing is delivered
 * that was not sent, and strangers are not answered at length.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../sim/world.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/pkt.h"

#define SEGMENT_MAX 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the first byte of a segment chooses. */
static void inject(struct sim_host *stranger, struct sim_world *w,
		   uint8_t what, uint8_t *buf, size_t len)
{
	static const uint8_t heads[8][4] = {
		{ 0x68, 0x70, 1, 0x01 }, { 0x68, 0x70, 1, 0x03 },
		{ 0x68, 0x70, 1, 0x40 }, { 0x68, 0x70, 1, 0x41 },
		{ 0x68, 0x70, 1, 0x80 }, { 1, 0, 0, 0 },
		{ 4, 0, 0, 0 }, { 0, 1, 0, 0 },
	};
	struct hp_addr to;
	uint16_t port = 4242;

	if (len >= 4 && what & 0x80)
		memcpy(buf, heads[what & 7], 4);
	if (len >= 8 && what & 0x80 && (what & 7) == 7)
		hp_put_be32(buf + 4, 0x2112a442);
	switch (what >> 5 & 3) {
	case 0:
		to = sim_host_addr(w->servers[0].host, HP_SERVER_PORT);
		break;
	case 1:
		to = sim_host_addr(w->nodes[0].host, WORLD_PORT);
		break;
	default:
		to = sim_host_addr(w->nodes[1].host, WORLD_PORT);
		break;
	}
	if (what >> 5 & 2) { /* as if it came from the server */
		stranger = w->servers[0].host;
		port = HP_SERVER_PORT;
	}
	sim_send(stranger, port, &to, 0, buf, len);
}

static void segments(struct sim_host *stranger, struct sim_world *w,
		     const uint8_t *data, size_t size)
{
	uint8_t buf[SEGMENT_MAX];

	while (size >= 3) {
		uint8_t what = data[0];
		size_t len = hp_get_be16(data + 1) % SEGMENT_MAX;

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		memcpy(buf, data, len);
		data += len;
		size -= len;
		inject(stranger, w, what, buf, len);
		sim_world_run(w, (what & 0x1f) * HP_MS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sim_host *stranger;
	struct sim_world w;

	assert(hp_crypto_init() == HP_OK);
	sim_world_init(&w, 1, true);
	stranger = sim_host_new(w.sim, NULL, "203.0.113.66", NULL);
	sim_world_add(&w, "alice", NULL, "203.0.113.21", NULL);
	sim_world_add(&w, "bob", NULL, "203.0.113.22", NULL);
	hp_node_want_all(w.nodes[0].node, sim_now(w.sim));
	assert(sim_world_wait(&w.nodes[0], "bob", HP_PEER_DIRECT, 5 * HP_S));
	sim_world_run(&w, HP_S);
	segments(stranger, &w, data, size);
	sim_world_packet(&w.nodes[0], &w.nodes[1]);
	sim_world_packet(&w.nodes[1], &w.nodes[0]);
	sim_world_run(&w, HP_S);
	assert(w.nodes[0].delivered == 1 && w.nodes[1].delivered == 1);
	assert(!w.nodes[0].bad && !w.nodes[1].bad);
	sim_world_free(&w);
	return 0;
}
