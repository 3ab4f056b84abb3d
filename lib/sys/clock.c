/* SPDX-License-Identifier: ISC */
/* Reads the kernel's clocks. */
#include "sys/clock.h"

#include <assert.h>
#include <time.h>

#include "base/time.h"

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;
	int rc = clock_gettime(id, &ts);

	assert(rc == 0);
	(void)rc;
	return (uint64_t)ts.tv_sec * HP_S + (uint64_t)ts.tv_nsec;
}

uint64_t hp_clock_now(void)
{
	return read_ns(CLOCK_BOOTTIME);
}

uint64_t hp_clock_asleep(void)
{
	/* In this order: time that passes between the two is not sleep. */
	uint64_t awake_ns = read_ns(CLOCK_MONOTONIC);
	uint64_t all_ns = read_ns(CLOCK_BOOTTIME);

	return hp_time_since(all_ns, awake_ns);
}

uint64_t hp_clock_wall_s(void)
{
	return read_ns(CLOCK_REALTIME) / HP_S;
}

uint64_t hp_clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}
