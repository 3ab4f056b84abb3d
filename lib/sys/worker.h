/* SPDX-License-Identifier: ISC */
/*
 * Jobs that wait where a loop must not: each has a thread of its own, which
 * may outlive whoever asked for it, for as long as a library takes. So a job
 * owns all it reads and writes; a descriptor becomes readable once it is done.
 */
#ifndef HP_SYS_WORKER_H
#define HP_SYS_WORKER_H

#include <stdbool.h>

struct hp_worker;

/* The first member of what a job is about, which comes from malloc(). */
struct hp_job {
	void (*run)(struct hp_job *j); /* in the thread */
	struct hp_job *next;	       /* this and what follows: hp_worker's */
	struct hp_worker *worker;
};

/* NULL when the system refuses. */
struct hp_worker *hp_worker_new(void);
/* Waits for nobody: what is still under way is freed once it is done. */
void hp_worker_free(struct hp_worker *w);

/**
 * hp_worker_start() - Have a thread run @j
 * @j: taken, until hp_worker_done() gives it back
 *
 * Return: false when there is no thread to be had; @j remains the caller's.
 */
bool hp_worker_start(struct hp_worker *w, struct hp_job *j);
/* Gives a job that is done, which the caller frees; NULL: none is. */
struct hp_job *hp_worker_done(struct hp_worker *w);
/* Readable while a job is done; for a loop or poll() (borrowed). */
int hp_worker_bell(const struct hp_worker *w);

#endif
