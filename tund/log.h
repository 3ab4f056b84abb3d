/* SPDX-License-Identifier: ISC */
/*
 * What the daemon tells the administrator: to stderr in the foreground, to
 * syslog in the background; never more than a few lines a second.
 */
#ifndef TUND_LOG_H
#define TUND_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/**
 * struct log - Where to, and how much was said. Zeroed: to stderr.
 * @syslog:     to syslog instead
 * @window_ns:  start of the current second of counting
 * @said:       lines in it
 * @suppressed: lines left out since the last one written
 */
struct log {
	bool syslog;
	uint64_t window_ns;
	unsigned int said;
	unsigned int suppressed;
};

/* From now on to syslog, under @name (borrowed for good). */
void log_to_syslog(struct log *l, const char *name);
/* One line; @fmt without a line end. Control thread only. */
void log_info(struct log *l, const char *fmt, ...) HP_PRINTF(2, 3);
void log_warn(struct log *l, const char *fmt, ...) HP_PRINTF(2, 3);
/* What a fault says: cause and remedy. */
void log_fault(struct log *l, const struct hp_fault *f);

#endif
