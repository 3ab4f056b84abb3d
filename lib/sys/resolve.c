/* SPDX-License-Identifier: ISC */
/*
 * Names to addresses in the background.
 *
 * getaddrinfo() may hold its thread for half a minute and cannot be told to
 * stop, so a lookup owns nothing of the resolver: it shares a box with it, by
 * count. The thread puts its result in the box and rings the eventfd; who lets
 * go of the box last frees it.
 */
#include "sys/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/time.h"
#include "member/network.h"
#include "sys/loop.h"

#define RETRY_MAX_NS (64 * HP_S)
#define PACE_NS (5 * HP_S)
#define RENEW_NS HP_S
/* Most lookups of one name under way: all but one wait for a name server that
 * another network had.
 */
#define THREADS_MAX 4
/* glibc's resolver needs little; the rest is for its plug-ins. */
#define STACK_LEN (256 * 1024)

/* A lookup under way, then its result. */
struct lookup {
	struct lookup *next;
	struct box *box;
	unsigned int slot;
	unsigned int turn;
	int error; /* of getaddrinfo() */
	struct hp_server server;
	struct hp_addr addr4, addr6;
};

struct box {
	pthread_mutex_t lock;
	struct lookup *done;
	int bell;
	unsigned int users;
};

struct name {
	struct hp_server server;
	unsigned int id;
	bool busy;	   /* a lookup is under way that counts */
	unsigned int turn; /* which one does; others are let go */
	unsigned int n_threads;
	bool again;	   /* asked for while busy or too early */
	bool renew;	   /* what is under way is for a network that was */
	uint64_t asked_ns; /* start of the last lookup */
	uint64_t due_ns;   /* of the next, HP_NEVER: none */
	uint64_t retry_ns; /* wait before the next retry */
};

struct hp_resolver {
	struct hp_loop *loop;
	hp_resolve_fn *fn;
	void *ctx;
	struct box *box;
	struct name name[HP_RESOLVE_MAX];
	unsigned int n;
};

static void box_put(struct box *b)
{
	unsigned int left;

	pthread_mutex_lock(&b->lock);
	left = --b->users;
	pthread_mutex_unlock(&b->lock);
	if (left)
		return;
	while (b->done) {
		struct lookup *l = b->done;

		b->done = l->next;
		free(l);
	}
	close(b->bell);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static void keep_first(struct lookup *l, const struct addrinfo *ai)
{
	if (ai->ai_family == AF_INET && l->addr4.family == HP_AF_NONE) {
		const struct sockaddr_in *in = (const void *)ai->ai_addr;

		l->addr4 = hp_addr_of(HP_AF_4, (const void *)&in->sin_addr,
				      l->server.port);
	} else if (ai->ai_family == AF_INET6 &&
		   l->addr6.family == HP_AF_NONE) {
		const struct sockaddr_in6 *in6 = (const void *)ai->ai_addr;
		struct hp_addr a = hp_addr_of(HP_AF_6,
					      in6->sin6_addr.s6_addr,
					      l->server.port);

		a.scope = in6->sin6_scope_id;
		if (a.family == HP_AF_6)
			l->addr6 = a;
	}
}

static void *lookup_run(void *arg)
{
	struct lookup *l = arg;
	struct box *b = l->box;
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list = NULL;
	uint64_t one = 1;

	l->error = getaddrinfo(l->server.host, NULL, &hints, &list);
	if (!l->error) {
		for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
			keep_first(l, ai);
		freeaddrinfo(list);
		if (l->addr4.family == HP_AF_NONE &&
		    l->addr6.family == HP_AF_NONE)
			l->error = EAI_NONAME;
	}
	pthread_mutex_lock(&b->lock);
	l->next = b->done;
	b->done = l;
	pthread_mutex_unlock(&b->lock);
	/* Cannot fail: the counter never gets near its limit. */
	if (write(b->bell, &one, sizeof(one)) < 0)
		l = NULL;
	box_put(b);
	return NULL;
}

/* A detached thread with a small stack and no signals. */
static int thread_start(struct lookup *l)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (pthread_attr_init(&attr))
		return -1;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_LEN);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, lookup_run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

static void wait_more(struct name *nm, uint64_t now_ns)
{
	nm->due_ns = hp_time_add(now_ns, nm->retry_ns);
	nm->retry_ns = hp_time_min(2 * nm->retry_ns, RETRY_MAX_NS);
}

static void ask(struct hp_resolver *r, unsigned int slot, uint64_t now_ns)
{
	struct name *nm = &r->name[slot];
	struct lookup *l = calloc(1, sizeof(*l));

	nm->again = false;
	nm->asked_ns = now_ns;
	nm->due_ns = HP_NEVER;
	if (!l) {
		wait_more(nm, now_ns);
		return;
	}
	l->box = r->box;
	l->slot = slot;
	l->turn = nm->turn;
	l->server = nm->server;
	pthread_mutex_lock(&r->box->lock);
	r->box->users++;
	pthread_mutex_unlock(&r->box->lock);
	if (thread_start(l)) {
		free(l);
		box_put(r->box);
		wait_more(nm, now_ns);
		return;
	}
	nm->busy = true;
	nm->n_threads++;
}

static void finish(struct hp_resolver *r, const struct lookup *l,
		   uint64_t now_ns)
{
	struct name *nm = &r->name[l->slot];

	nm->n_threads--;
	if (nm->renew) {
		nm->turn++;
		nm->renew = nm->busy = false;
		nm->due_ns = now_ns;
		return;
	}
	if (l->turn != nm->turn)
		return;
	nm->busy = false;
	if (l->error)
		wait_more(nm, now_ns);
	else
		nm->retry_ns = HP_S;
	if (nm->again)
		nm->due_ns = hp_time_min(nm->due_ns, nm->asked_ns + PACE_NS);
	r->fn(r->ctx, nm->id, &l->addr4, &l->addr6,
	      l->error ? gai_strerror(l->error) : NULL, now_ns);
}

static void on_bell(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct hp_resolver *r = ctx;
	struct lookup *done, *next;
	uint64_t rings;

	(void)events;
	if (read(r->box->bell, &rings, sizeof(rings)) < 0)
		return;
	pthread_mutex_lock(&r->box->lock);
	done = r->box->done;
	r->box->done = NULL;
	pthread_mutex_unlock(&r->box->lock);
	for (; done; done = next) {
		next = done->next;
		finish(r, done, now_ns);
		free(done);
	}
}

static uint64_t deadline(void *ctx)
{
	const struct hp_resolver *r = ctx;
	uint64_t next = HP_NEVER;

	for (unsigned int i = 0; i < r->n; i++)
		next = hp_time_min(next, r->name[i].due_ns);
	return next;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct hp_resolver *r = ctx;

	for (unsigned int i = 0; i < r->n; i++)
		if (r->name[i].due_ns <= now_ns)
			ask(r, i, now_ns);
}

static struct box *box_new(void)
{
	struct box *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->users = 1;
	b->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->bell < 0 || pthread_mutex_init(&b->lock, NULL)) {
		if (b->bell >= 0)
			close(b->bell);
		free(b);
		return NULL;
	}
	return b;
}

enum hp_err hp_resolver_new(struct hp_loop *loop, hp_resolve_fn *fn, void *ctx,
			    struct hp_resolver **out)
{
	struct hp_resolver *r = calloc(1, sizeof(*r));
	struct hp_loop_timed timed = { deadline, tick, r };
	enum hp_err err = HP_ERR_NOMEM;

	if (!r)
		return err;
	r->loop = loop;
	r->fn = fn;
	r->ctx = ctx;
	r->box = box_new();
	if (!r->box)
		goto out;
	err = hp_loop_watch(loop, r->box->bell, EPOLLIN, on_bell, r);
	if (err)
		goto out;
	err = hp_loop_timed(loop, &timed);
	if (err)
		goto out;
	*out = r;
	return HP_OK;
out:
	hp_resolver_free(r);
	return err;
}

void hp_resolver_free(struct hp_resolver *r)
{
	if (!r)
		return;
	if (r->box) {
		hp_loop_unwatch(r->loop, r->box->bell);
		box_put(r->box);
	}
	free(r);
}

enum hp_err hp_resolver_add(struct hp_resolver *r,
			    const struct hp_server *server, unsigned int id)
{
	struct name *nm = &r->name[r->n];

	if (r->n == HP_RESOLVE_MAX)
		return HP_ERR_FULL;
	nm->server = *server;
	nm->id = id;
	nm->retry_ns = HP_S;
	ask(r, r->n++, hp_loop_now(r->loop));
	return HP_OK;
}

void hp_resolver_again(struct hp_resolver *r, unsigned int id,
		       uint64_t now_ns)
{
	for (unsigned int i = 0; i < r->n; i++) {
		struct name *nm = &r->name[i];
		uint64_t earliest = nm->asked_ns + PACE_NS;

		if (nm->id != id)
			continue;
		nm->again = true;
		if (!nm->busy)
			nm->due_ns = hp_time_min(nm->due_ns,
						 earliest > now_ns ? earliest
								   : now_ns);
	}
}

void hp_resolver_renew(struct hp_resolver *r, unsigned int id,
		       uint64_t now_ns)
{
	for (unsigned int i = 0; i < r->n; i++) {
		struct name *nm = &r->name[i];
		uint64_t earliest = nm->asked_ns + RENEW_NS;

		if (nm->id != id)
			continue;
		nm->retry_ns = HP_S;
		nm->renew = nm->n_threads >= THREADS_MAX;
		if (nm->renew)
			continue; /* once the next of them ends */
		nm->turn++;
		nm->busy = false;
		nm->due_ns = earliest > now_ns ? earliest : now_ns;
	}
}
