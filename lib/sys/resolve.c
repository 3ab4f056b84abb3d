/* SPDX-License-Identifier: ISC */
/*
 * Names to addresses in the background: getaddrinfo() may hold its thread for
 * half a minute and cannot be told to stop.
 */
#include "sys/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/time.h"
#include "member/network.h"
#include "sys/loop.h"
#include "sys/worker.h"

#define RETRY_MAX_NS (64 * HP_S)
#define PACE_NS (5 * HP_S)
#define RENEW_NS HP_S
/* Most lookups of one name under way: all but one wait for a name server that
 * another network had.
 */
#define THREADS_MAX 4

/* A lookup under way, then its result. */
struct lookup {
	struct hp_job base;
	unsigned int slot;
	unsigned int turn;
	int error; /* of getaddrinfo() */
	struct hp_server server;
	struct hp_addr addr4, addr6;
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
	struct hp_worker *worker;
	struct name name[HP_RESOLVE_MAX];
	unsigned int n;
};

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

static void lookup_run(struct hp_job *base)
{
	struct lookup *l = (struct lookup *)base;
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list = NULL;

	l->error = getaddrinfo(l->server.host, NULL, &hints, &list);
	if (!l->error) {
		for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
			keep_first(l, ai);
		freeaddrinfo(list);
		if (l->addr4.family == HP_AF_NONE &&
		    l->addr6.family == HP_AF_NONE)
			l->error = EAI_NONAME;
	}
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
	l->base.run = lookup_run;
	l->slot = slot;
	l->turn = nm->turn;
	l->server = nm->server;
	if (!hp_worker_start(r->worker, &l->base)) {
		free(l);
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
	struct lookup *l;

	(void)events;
	while ((l = (struct lookup *)hp_worker_done(r->worker))) {
		finish(r, l, now_ns);
		free(l);
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
	r->worker = hp_worker_new();
	if (!r->worker)
		goto out;
	err = hp_loop_watch(loop, hp_worker_bell(r->worker), EPOLLIN, on_bell,
			    r);
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
	if (r->worker) {
		hp_loop_unwatch(r->loop, hp_worker_bell(r->worker));
		hp_worker_free(r->worker);
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
