/* SPDX-License-Identifier: ISC */
/*
 * What a gateway may say to a client of PCP, in what order and when it will:
 * each input is a list of steps, a byte for the time and one for the length,
 * then the datagram. The nonce is known to it.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/pcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct hp_pcp *p, uint64_t now_ns)
{
	uint64_t at_ns = hp_pcp_deadline(p);

	assert(at_ns >= now_ns || p->state == HP_PCP_ASKING ||
	       p->state == HP_PCP_ENDING);
	if (p->state != HP_PCP_HELD)
		return;
	assert(p->external.port && p->external.family == p->host.family);
	assert(p->until_ns <= now_ns + HP_PCP_LIFETIME_MAX_S * HP_S);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t nonce[HP_PCP_NONCE];
	const struct hp_addr gateway = hp_addr4(192, 168, 1, 1, HP_PCP_PORT);
	const struct hp_addr host = hp_addr4(192, 168, 1, 2, 51820);
	struct hp_rd rd = hp_rd_of(data, size);
	struct hp_rng_seeded seeded;
	uint64_t now_ns = 1000 * HP_S;
	uint8_t out[HP_PCP_LEN];
	struct hp_rng rng;
	struct hp_pcp p;

	hp_rng_seeded_init(&seeded, 1, &rng);
	hp_pcp_init(&p, &gateway, &host, nonce, &rng, now_ns);
	while (rd.left) {
		uint8_t later = hp_rd_u8(&rd);
		size_t len = hp_rd_u8(&rd);
		const uint8_t *buf;

		len = len < rd.left ? len : rd.left;
		buf = hp_rd_take(&rd, len);
		if (later == 255)
			hp_pcp_end(&p, now_ns);
		now_ns += later * 10 * HP_S;
		hp_pcp_tick(&p, now_ns, out);
		check(&p, now_ns);
		if (buf && hp_pcp_rx(&p, &gateway, buf, len, now_ns) == HP_OK)
			check(&p, now_ns);
	}
	return 0;
}
