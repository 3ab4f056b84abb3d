/* SPDX-License-Identifier: ISC */
/*
 * Units of time. All times in the core are uint64_t nanoseconds on a
 * monotonic clock that also runs while the machine sleeps; they come in as
 * arguments named now_ns. Wall-clock times are named wall_s (seconds since
 * 1970, UTC) and are used only for dates inside certificates.
 */
#ifndef HP_BASE_TIME_H
#define HP_BASE_TIME_H

#include <stdint.h>

#define HP_NEVER UINT64_MAX
#define HP_US UINT64_C(1000)
#define HP_MS UINT64_C(1000000)
#define HP_S UINT64_C(1000000000)

static inline uint64_t hp_time_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The sum, staying at HP_NEVER where it would wrap. */
static inline uint64_t hp_time_add(uint64_t t_ns, uint64_t delta_ns)
{
	return t_ns > HP_NEVER - delta_ns ? HP_NEVER : t_ns + delta_ns;
}

/* now - then, 0 when then lies ahead (clocks of two threads). */
static inline uint64_t hp_time_since(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

#endif
