/* SPDX-License-Identifier: ISC */
/* WireGuard's timestamps (TAI64N) out of the wall clock. */
#ifndef TUND_STAMP_H
#define TUND_STAMP_H

#include <stdint.h>

/**
 * stamp_next() - A timestamp greater than the last one
 * @last_ns: time of the last one, UTC; updated
 *
 * While the clock stands or is set back, the last one is counted on.
 */
void stamp_next(uint64_t *last_ns, uint64_t wall_ns, uint8_t out[12]);

#endif
