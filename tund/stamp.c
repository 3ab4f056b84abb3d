/* SPDX-License-Identifier: ISC */
#include "stamp.h"

#include "base/bytes.h"
#include "base/time.h"

/* 1970 in TAI64, with the ten seconds between TAI and UTC at that time
 * (https://cr.yp.to/libtai/tai64.html).
 */
#define TAI64_1970 (UINT64_C(0x4000000000000000) + 10)

void stamp_next(uint64_t *last_ns, uint64_t wall_ns, uint8_t out[12])
{
	*last_ns = wall_ns > *last_ns ? wall_ns : *last_ns + 1;
	hp_put_be64(out, TAI64_1970 + *last_ns / HP_S);
	hp_put_be32(out + 8, (uint32_t)(*last_ns % HP_S));
}
