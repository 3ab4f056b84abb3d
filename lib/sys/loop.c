/* SPDX-License-Identifier: ISC */
/*
 * The event loop: one epoll, one timerfd for the earliest deadline, one
 * signalfd. The timerfd runs on CLOCK_BOOTTIME, so that a deadline that passed
 * while the machine slept fires on resume; epoll's own timeout would not.
 */
#include "sys/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/clock.h"

#define EVENTS_PER_WAKEUP 64

/* One per descriptor number. @generation goes up whenever the watch changes,
 * and rides in the event: an event fetched before the change is then stale.
 */
struct watch {
	hp_loop_fd_fn *fn; /* NULL: not watched */
	void *ctx;
	uint32_t generation;
};

struct hp_loop {
	int epoll;
	int timer;
	int signals; /* -1: none taken */
	bool stopped;
	uint64_t now_ns;
	uint64_t armed_ns; /* what the timerfd is set to */
	struct watch *watch;
	size_t n_watch;
	struct hp_loop_timed timed[HP_LOOP_TIMED_MAX];
	size_t n_timed;
	hp_loop_signal_fn *on_signal;
	void *signal_ctx;
	sigset_t mask_before;
};

/* The timerfd is edge-triggered and rearmed by arm(): nothing to read. */
static void on_timer(void *ctx, uint32_t events, uint64_t now_ns)
{
	(void)ctx;
	(void)events;
	(void)now_ns;
}

static void on_signals(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct hp_loop *l = ctx;
	struct signalfd_siginfo si;

	(void)events;
	while (read(l->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		l->on_signal(l->signal_ctx, (int)si.ssi_signo, now_ns);
}

struct hp_loop *hp_loop_new(void)
{
	struct hp_loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->signals = -1;
	l->now_ns = hp_clock_now();
	l->armed_ns = HP_NEVER;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->epoll < 0 || l->timer < 0 ||
	    hp_loop_watch(l, l->timer, EPOLLIN | EPOLLET, on_timer, l)) {
		hp_loop_free(l);
		return NULL;
	}
	return l;
}

void hp_loop_free(struct hp_loop *l)
{
	int saved = errno;

	if (!l)
		return;
	if (l->signals >= 0) {
		close(l->signals);
		pthread_sigmask(SIG_SETMASK, &l->mask_before, NULL);
	}
	if (l->timer >= 0)
		close(l->timer);
	if (l->epoll >= 0)
		close(l->epoll);
	free(l->watch);
	free(l);
	errno = saved;
}

static enum hp_err grow(struct hp_loop *l, size_t n)
{
	size_t cap = l->n_watch ? l->n_watch : 32;
	struct watch *w;

	if (n <= l->n_watch)
		return HP_OK;
	while (cap < n)
		cap *= 2;
	w = reallocarray(l->watch, cap, sizeof(*w));
	if (!w)
		return HP_ERR_NOMEM;
	memset(w + l->n_watch, 0, (cap - l->n_watch) * sizeof(*w));
	l->watch = w;
	l->n_watch = cap;
	return HP_OK;
}

enum hp_err hp_loop_watch(struct hp_loop *l, int fd, uint32_t events,
			  hp_loop_fd_fn *fn, void *ctx)
{
	struct epoll_event ev = { .events = events };
	enum hp_err err = grow(l, (size_t)fd + 1);
	struct watch *w;

	if (err)
		return err;
	w = &l->watch[fd];
	ev.data.u64 = (uint64_t)(w->generation + 1) << 32 | (uint32_t)fd;
	if (epoll_ctl(l->epoll, w->fn ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
		      &ev))
		return HP_ERR_IO;
	w->generation++;
	w->fn = fn;
	w->ctx = ctx;
	return HP_OK;
}

void hp_loop_unwatch(struct hp_loop *l, int fd)
{
	if (fd < 0 || (size_t)fd >= l->n_watch || !l->watch[fd].fn)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
	l->watch[fd].fn = NULL;
	l->watch[fd].generation++;
}

enum hp_err hp_loop_timed(struct hp_loop *l, const struct hp_loop_timed *t)
{
	if (l->n_timed == HP_LOOP_TIMED_MAX)
		return HP_ERR_FULL;
	l->timed[l->n_timed++] = *t;
	return HP_OK;
}

enum hp_err hp_loop_signals(struct hp_loop *l, const int *signos, size_t n,
			    hp_loop_signal_fn *fn, void *ctx)
{
	sigset_t set;

	if (l->signals >= 0)
		return HP_ERR_STATE;
	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, signos[i]);
	l->on_signal = fn;
	l->signal_ctx = ctx;
	errno = pthread_sigmask(SIG_BLOCK, &set, &l->mask_before);
	if (errno)
		return HP_ERR_IO;
	l->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (l->signals < 0)
		return HP_ERR_IO;
	return hp_loop_watch(l, l->signals, EPOLLIN, on_signals, l);
}

/* Sets the timerfd to the earliest deadline, if that is not what it is set
 * to; one in the past fires at once.
 */
static void arm(struct hp_loop *l)
{
	struct itimerspec its = { 0 };
	uint64_t next = HP_NEVER;

	for (size_t i = 0; i < l->n_timed; i++)
		next = hp_time_min(next, l->timed[i].deadline(l->timed[i].ctx));
	if (next == l->armed_ns)
		return;
	l->armed_ns = next;
	if (next != HP_NEVER) {
		/* All zero would disarm. */
		if (next == 0)
			next = 1;
		its.it_value.tv_sec = (time_t)(next / HP_S);
		its.it_value.tv_nsec = (long)(next % HP_S);
	}
	timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &its, NULL);
}

static void dispatch(struct hp_loop *l, const struct epoll_event *ev)
{
	struct watch w = l->watch[ev->data.u64 & UINT32_MAX];

	if (w.fn && w.generation == (uint32_t)(ev->data.u64 >> 32))
		w.fn(w.ctx, ev->events, l->now_ns);
}

static void tick(struct hp_loop *l)
{
	for (size_t i = 0; i < l->n_timed; i++) {
		const struct hp_loop_timed *t = &l->timed[i];

		if (t->deadline(t->ctx) <= l->now_ns)
			t->tick(t->ctx, l->now_ns);
	}
	/* It has fired: a deadline that is still due must be armed anew. */
	if (l->armed_ns <= l->now_ns)
		l->armed_ns = HP_NEVER;
}

enum hp_err hp_loop_run(struct hp_loop *l)
{
	struct epoll_event ev[EVENTS_PER_WAKEUP];

	while (!l->stopped) {
		int n;

		arm(l);
		n = epoll_wait(l->epoll, ev, EVENTS_PER_WAKEUP, -1);
		if (n < 0 && errno != EINTR)
			return HP_ERR_IO;
		l->now_ns = hp_clock_now();
		for (int i = 0; i < n && !l->stopped; i++)
			dispatch(l, &ev[i]);
		if (!l->stopped)
			tick(l);
	}
	l->stopped = false;
	return HP_OK;
}

void hp_loop_stop(struct hp_loop *l)
{
	l->stopped = true;
}

uint64_t hp_loop_now(const struct hp_loop *l)
{
	return l->now_ns;
}
