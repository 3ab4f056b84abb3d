/* SPDX-License-Identifier: ISC */
/*
 * The quiescent points of threads that read what a control thread publishes,
 * and the control thread's wait for them (liburcu). ThreadSanitizer does not see
 * how the library orders the two, for it is not built with it; here it is told,
 * so that it reports only what is freed without such a wait. @shared: any
 * address that both sides name.
 */
#ifndef HP_SYS_QUIET_H
#define HP_SYS_QUIET_H

#include <urcu-qsbr.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define HP_QUIET_RELEASE(shared) __tsan_release((void *)(shared))
#define HP_QUIET_ACQUIRE(shared) __tsan_acquire((void *)(shared))
#else
#define HP_QUIET_RELEASE(shared) ((void)(shared))
#define HP_QUIET_ACQUIRE(shared) ((void)(shared))
#endif

/* Reading thread: it holds nothing of what is shared until hp_quiet_end(). */
static inline void hp_quiet_begin(void *shared)
{
	HP_QUIET_RELEASE(shared);
	rcu_thread_offline();
}

static inline void hp_quiet_end(void)
{
	rcu_thread_online();
}

/* Control thread: waits until each reading thread has been quiet. */
static inline void hp_quiet_wait(void *shared)
{
	synchronize_rcu();
	HP_QUIET_ACQUIRE(shared);
}

#endif
