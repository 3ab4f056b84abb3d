/* SPDX-License-Identifier: ISC */
/*
 * Objects that one thread took out of what other threads read. They
 * wait here until each of those has passed a quiescent point. The link is
 * inside the object, so that retiring cannot fail.
 */
#ifndef HP_BASE_RETIRE_H
#define HP_BASE_RETIRE_H

#include <stddef.h>

struct hp_retired {
	struct hp_retired *next;
	/* Frees the object that holds this link. */
	void (*release)(struct hp_retired *r);
};

/* Takes the object that holds @r. */
static inline void hp_retire(struct hp_retired **list, struct hp_retired *r,
			     void (*release)(struct hp_retired *r))
{
	r->release = release;
	r->next = *list;
	*list = r;
}

static inline void hp_retire_flush(struct hp_retired **list)
{
	struct hp_retired *r;

	while ((r = *list)) {
		*list = r->next;
		r->release(r);
	}
}

#endif
