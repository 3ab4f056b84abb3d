/* SPDX-License-Identifier: ISC */
/*
 * The one place where clocks are read. Everything else gets now_ns handed
 * down.
 */
#ifndef HP_SYS_CLOCK_H
#define HP_SYS_CLOCK_H

#include <stdint.h>

/* Monotonic, ns, runs on while the machine sleeps (CLOCK_BOOTTIME). */
uint64_t hp_clock_now(void);
/* How long the machine has slept since it was started, ns. */
uint64_t hp_clock_asleep(void);
/* Seconds since 1970, UTC; for dates inside certificates only. */
uint64_t hp_clock_wall_s(void);
/* Nanoseconds since 1970, UTC; for WireGuard's timestamps. */
uint64_t hp_clock_wall_ns(void);

#endif
