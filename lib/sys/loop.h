/* SPDX-License-Identifier: ISC */
/*
 * The event loop of a thread: file descriptors, deadlines and signals, over
 * epoll, timerfd and signalfd. The clock is read once per wakeup and handed
 * to every callback. One loop belongs to one thread.
 *
 * A wakeup: first the callbacks of the descriptors that are ready, then the
 * tick of each timed part whose deadline has come. A callback may watch,
 * change and unwatch any descriptor, its own included, and may stop the loop.
 */
#ifndef HP_SYS_LOOP_H
#define HP_SYS_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hp_loop;

/* Most timed parts of one loop. */
#define HP_LOOP_TIMED_MAX 16

/* @events: EPOLLIN and so on, what is ready. */
typedef void hp_loop_fd_fn(void *ctx, uint32_t events, uint64_t now_ns);
typedef void hp_loop_signal_fn(void *ctx, int signo, uint64_t now_ns);

/**
 * struct hp_loop_timed - A part that wants to be called at a time of its own
 * @deadline: when next (ns, clock of hp_clock_now()), HP_NEVER: not at all;
 *            asked after every wakeup, so it may change at any time
 * @tick:     called once that time has come
 * @ctx:      handed to both
 */
struct hp_loop_timed {
	uint64_t (*deadline)(void *ctx);
	void (*tick)(void *ctx, uint64_t now_ns);
	void *ctx;
};

/* NULL when the system refuses (errno). hp_loop_free() takes it back; it
 * closes no watched descriptor and restores the signal mask.
 */
struct hp_loop *hp_loop_new(void);
void hp_loop_free(struct hp_loop *l);

/**
 * hp_loop_watch() - Call @fn whenever @fd is ready
 * @fd:     borrowed until unwatched; must be unwatched before it is closed
 * @events: EPOLLIN, EPOLLOUT; level-triggered unless EPOLLET is added
 *
 * Watching a watched @fd replaces what was asked before.
 *
 * Return: HP_OK; HP_ERR_NOMEM; HP_ERR_IO with errno.
 */
enum hp_err hp_loop_watch(struct hp_loop *l, int fd, uint32_t events,
			  hp_loop_fd_fn *fn, void *ctx) HP_MUST_CHECK;
/* No further call for @fd, not even for events already fetched. */
void hp_loop_unwatch(struct hp_loop *l, int fd);

/* Adds a timed part (copied); HP_ERR_FULL beyond HP_LOOP_TIMED_MAX. */
enum hp_err hp_loop_timed(struct hp_loop *l, const struct hp_loop_timed *t)
	HP_MUST_CHECK;

/**
 * hp_loop_signals() - Take @n signals into the loop
 * @signos: e.g. SIGTERM, SIGHUP; blocked in the calling thread, so call this
 *          before other threads are started. At most once per loop.
 *
 * Return: HP_OK; HP_ERR_STATE when called twice; HP_ERR_IO with errno.
 */
enum hp_err hp_loop_signals(struct hp_loop *l, const int *signos, size_t n,
			    hp_loop_signal_fn *fn, void *ctx) HP_MUST_CHECK;

/* Runs until hp_loop_stop(). HP_OK; HP_ERR_IO when epoll itself fails. */
enum hp_err hp_loop_run(struct hp_loop *l) HP_MUST_CHECK;
/* Ends hp_loop_run() after the current wakeup. Same thread only. */
void hp_loop_stop(struct hp_loop *l);
/* The time of the current wakeup; before the first, of hp_loop_new(). */
uint64_t hp_loop_now(const struct hp_loop *l);

#endif
