/* SPDX-License-Identifier: ISC */
/*
 * A thread and whoever started it share the struct here, by count; who lets go
 * of it last frees it, and the jobs in it that nobody fetched.
 */
#include "sys/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The libraries need little; the rest is for glibc's plug-ins. */
#define STACK_LEN (256 * 1024)

struct hp_worker {
	pthread_mutex_t lock;
	struct hp_job *done;
	int bell; /* counts the jobs that are done */
	unsigned int users;
};

struct hp_worker *hp_worker_new(void)
{
	struct hp_worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->users = 1;
	w->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
	if (w->bell < 0 || pthread_mutex_init(&w->lock, NULL)) {
		if (w->bell >= 0)
			close(w->bell);
		free(w);
		return NULL;
	}
	return w;
}

static void put(struct hp_worker *w)
{
	unsigned int left;

	pthread_mutex_lock(&w->lock);
	left = --w->users;
	pthread_mutex_unlock(&w->lock);
	if (left)
		return;
	while (w->done) {
		struct hp_job *j = w->done;

		w->done = j->next;
		free(j);
	}
	close(w->bell);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void *work(void *arg)
{
	const uint64_t one = 1;
	struct hp_job *j = arg;
	struct hp_worker *w = j->worker;

	j->run(j);
	pthread_mutex_lock(&w->lock);
	j->next = w->done;
	w->done = j;
	pthread_mutex_unlock(&w->lock);
	/* Cannot fail: the counter never gets near its limit. */
	if (write(w->bell, &one, sizeof(one)) < 0)
		abort();
	put(w);
	return NULL;
}

/* A detached thread with a small stack and no signals. */
bool hp_worker_start(struct hp_worker *w, struct hp_job *j)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (pthread_attr_init(&attr))
		return false;
	j->worker = w;
	pthread_mutex_lock(&w->lock);
	w->users++;
	pthread_mutex_unlock(&w->lock);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_LEN);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, work, j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (err)
		put(w);
	return !err;
}

struct hp_job *hp_worker_done(struct hp_worker *w)
{
	struct hp_job *j;
	uint64_t one;

	if (read(w->bell, &one, sizeof(one)) < 0)
		return NULL;
	pthread_mutex_lock(&w->lock);
	j = w->done;
	w->done = j->next;
	pthread_mutex_unlock(&w->lock);
	return j;
}

void hp_worker_free(struct hp_worker *w)
{
	put(w);
}

int hp_worker_bell(const struct hp_worker *w)
{
	return w->bell;
}
