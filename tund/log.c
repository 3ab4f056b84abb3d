/* SPDX-License-Identifier: ISC */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "base/time.h"
#include "sys/clock.h"

#define LINES_PER_S 20

void log_to_syslog(struct log *l, const char *name)
{
	openlog(name, LOG_PID, LOG_DAEMON);
	l->syslog = true;
}

static void put(struct log *l, int priority, const char *text)
{
	if (l->syslog)
		syslog(priority, "%s", text);
	else
		fprintf(stderr, "hptund: %s\n", text);
}

/* May one more line be written? Tells of those that were not. */
static bool allowed(struct log *l)
{
	uint64_t now_ns = hp_clock_now();
	char text[80];

	if (hp_time_since(now_ns, l->window_ns) >= HP_S) {
		l->window_ns = now_ns;
		l->said = 0;
	}
	if (l->said == LINES_PER_S) {
		l->suppressed++;
		return false;
	}
	l->said++;
	if (l->suppressed) {
		snprintf(text, sizeof(text), "%u more lines were left out",
			 l->suppressed);
		l->suppressed = 0;
		put(l, LOG_WARNING, text);
	}
	return true;
}

static void HP_PRINTF(3, 0)
say(struct log *l, int priority, const char *fmt, va_list ap)
{
	char text[600];

	if (!allowed(l))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	put(l, priority, text);
}

void log_info(struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(l, LOG_INFO, fmt, ap);
	va_end(ap);
}

void log_warn(struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(l, LOG_WARNING, fmt, ap);
	va_end(ap);
}

void log_fault(struct log *l, const struct hp_fault *f)
{
	log_warn(l, "%s%s%s", f->cause, f->remedy[0] ? "; " : "", f->remedy);
}
