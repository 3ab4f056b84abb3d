/* SPDX-License-Identifier: ISC */
/*
 * Cuts what a TUN device with segmentation offload hands over into packets
 * that fit the path: TCP (RFC 9293) and UDP over IPv4 and IPv6. What needs no
 * cutting comes out as one packet, its checksum complete.
 */
#ifndef HP_WG_SEGMENT_H
#define HP_WG_SEGMENT_H

#include <stdint.h>

#include "base/err.h"
#include "wg/inet.h"

/**
 * struct hp_segmenter - One packet being cut; filled by hp_segment_begin()
 * @p:       the whole (borrowed)
 * @in:      its headers; of use when @offload.kind says so
 * @offload: what was said about it
 * @at:      bytes of it that are done, beginning behind the headers
 * @index:   segments that are done
 */
struct hp_segmenter {
	const uint8_t *p;
	struct hp_inet in;
	struct hp_offload offload;
	uint32_t at;
	uint32_t index;
};

/**
 * hp_segment_begin() - Check a packet before it is cut
 * @p:       @len bytes, at most HP_PACKET_MAX; borrowed until the last segment
 * @offload: what the device said; the headers are believed, not this, where
 *           both say where the payload begins
 *
 * Return: HP_OK; HP_ERR_FORMAT when the headers and @offload do not fit
 *         together.
 */
enum hp_err hp_segment_begin(struct hp_segmenter *s, const uint8_t *p,
			     uint32_t len, const struct hp_offload *offload)
	HP_MUST_CHECK;
/* Bytes of the next packet; 0: that was the last. */
uint32_t hp_segment_len(const struct hp_segmenter *s);
/* How many packets are left. */
uint32_t hp_segment_left(const struct hp_segmenter *s);
/* Leaves the next packet out. */
void hp_segment_skip(struct hp_segmenter *s);
/* Writes the next packet, of hp_segment_len() bytes, to @out. */
void hp_segment_next(struct hp_segmenter *s, uint8_t *out);

#endif
