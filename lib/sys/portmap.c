/* SPDX-License-Identifier: ISC */
/*
 *	REST --started, or time for another try--> PCP --lease--> renewed by it
 *	  ^                                          |
 *	  |                       no answer, refused v
 *	  '--nothing granted-- HELPER (NAT-PMP, UPnP) --lease--> KEPT
 *	                          ^                               |
 *	                          '------half of it is over-------'
 *
 * PCP has its socket in the loop. The libraries for the other two wait for
 * their answers, so each time a thread of its own asks.
 */
#include "sys/portmap.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/time.h"
#include "punch/pcp.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/rng.h"
#include "sys/udp.h"
#include "sys/worker.h"

/* A gateway that is silent for so long does not speak PCP: one request of it
 * may be lost.
 */
#define SILENCE_NS (4 * HP_S)
/* Nothing was granted: wait for the next try. */
#define RETRY_FIRST_NS (60 * HP_S)
#define RETRY_MAX_NS (3600 * HP_S)
#define RENEW_LEAST_NS (30 * HP_S)
/* At the end, for a lease by NAT-PMP or UPnP to be given back: their libraries
 * take some round trips, UPnP over TCP, and end with us.
 */
#define END_NS HP_S
/* Nobody makes us ask more often by telling of restarts. */
#define NEWS_NS (10 * HP_S)

/* What a thread does, then what came of it. */
struct job {
	struct hp_job base;
	bool survey;
	bool release;
	struct hp_gateway_lease old; /* given back first; no port: none */
	struct hp_gateway_lease lease;
	struct hp_gateway_answer answer[HP_MAPPED_PROTOCOLS];
};

enum phase {
	PHASE_REST,
	PHASE_PCP,
	PHASE_HELPER,
	PHASE_KEPT,
};

struct hp_portmap {
	struct hp_portmap_cfg cfg;
	struct hp_rng rng;
	struct hp_secret seed;
	struct hp_worker *worker;
	bool busy;		/* a thread is at work */
	bool stale;		/* for a question of before */
	enum phase phase;
	bool start;		/* all anew, at the next turn */
	uint64_t due_ns;	/* of the phase */
	uint64_t retry_ns;
	uint16_t port;
	unsigned int skip;
	struct hp_addr host;
	int news;		/* where gateways tell of restarts; or -1 */
	uint64_t news_ns;	/* when one did last */
	int fd;			/* for PCP, connected to the gateway; or -1 */
	struct hp_pcp pcp;
	struct hp_gateway_lease lease;	/* of KEPT; no port: none */
	struct hp_portmap_info info;
};

/* ---- the thread ---------------------------------------------------------- */

/* By both in turn until one grants it; by both in any case in a survey. */
static void job_ask(struct job *j)
{
	static void (*const ask[])(struct hp_gateway_lease *,
				   struct hp_gateway_answer *) = {
		[HP_MAPPED_BY_NATPMP] = hp_gateway_natpmp,
		[HP_MAPPED_BY_UPNP] = hp_gateway_upnp,
	};
	const struct hp_gateway_lease wish = j->lease;

	for (int by = HP_MAPPED_BY_NATPMP; by <= HP_MAPPED_BY_UPNP; by++) {
		struct hp_gateway_answer *answer = &j->answer[by];

		/* What is to be renewed is asked for where it is. */
		if (wish.external.port && (int)wish.protocol != by)
			continue;
		j->lease = wish;
		ask[by](&j->lease, answer);
		if (answer->said != HP_GATEWAY_GRANTED)
			j->lease = wish;
		else if (j->survey)
			hp_gateway_release(&j->lease);
		else
			return;
	}
	j->lease.external = (struct hp_addr){ 0 };
}

static void job_run(struct hp_job *base)
{
	struct job *j = (struct job *)base;

	if (j->old.external.port)
		hp_gateway_release(&j->old);
	if (!j->release)
		job_ask(j);
}

/* False: there is no thread for it. */
static bool job_start(struct hp_portmap *p, struct job *j)
{
	j->base.run = job_run;
	p->busy = hp_worker_start(p->worker, &j->base);
	return p->busy;
}

/* NULL: it is not done yet. The caller frees it. */
static struct job *job_done(struct hp_portmap *p)
{
	struct job *j = (struct job *)hp_worker_done(p->worker);

	if (j)
		p->busy = false;
	return j;
}

/* ---- phases -------------------------------------------------------------- */

static void tell(struct hp_portmap *p, uint64_t now_ns)
{
	p->cfg.changed(p->cfg.ctx, now_ns);
}

static void no_lease(struct hp_portmap *p)
{
	p->info.external = (struct hp_addr){ 0 };
	p->info.until_ns = 0;
}

static void rest(struct hp_portmap *p, uint64_t now_ns)
{
	p->phase = PHASE_REST;
	p->due_ns = now_ns + p->retry_ns;
	p->retry_ns = hp_time_min(2 * p->retry_ns, RETRY_MAX_NS);
	p->info.busy = false;
	no_lease(p);
}

static void ask_helper(struct hp_portmap *p, uint64_t now_ns)
{
	struct job *j = calloc(1, sizeof(*j));

	p->phase = PHASE_HELPER;
	p->due_ns = HP_NEVER;
	if (p->busy)
		return; /* it is asked for once that thread is done */
	if (j) {
		j->survey = p->cfg.survey;
		j->lease = p->lease;
		j->lease.gateway = p->info.gateway;
		j->lease.host = p->host;
		j->lease.lifetime_s = HP_GATEWAY_LIFETIME_S;
		p->stale = false;
	}
	if (!j || !job_start(p, j)) {
		free(j);
		rest(p, now_ns);
		tell(p, now_ns);
	}
}

static void close_pcp(struct hp_portmap *p)
{
	if (p->fd < 0)
		return;
	hp_loop_unwatch(p->cfg.loop, p->fd);
	close(p->fd);
	p->fd = -1;
}

/* Sends what is due. The gateway's "nobody listens there" comes as an error. */
static void push_pcp(struct hp_portmap *p, uint64_t now_ns)
{
	uint8_t buf[HP_PCP_LEN];
	size_t len = hp_pcp_tick(&p->pcp, now_ns, buf);

	/* What is lost is sent again. */
	if (len && send(p->fd, buf, len, MSG_DONTWAIT) < 0)
		return;
}

/* By PCP it cannot be had: on with the others. */
static void leave_pcp(struct hp_portmap *p, enum hp_gateway_said said,
		      const char *why, uint64_t now_ns)
{
	struct hp_gateway_answer *a = &p->info.answer[HP_MAPPED_BY_PCP];

	a->said = said;
	a->why = why;
	close_pcp(p);
	no_lease(p);
	ask_helper(p, now_ns);
}

static void pcp_granted(struct hp_portmap *p, uint64_t now_ns)
{
	struct hp_gateway_answer *a = &p->info.answer[HP_MAPPED_BY_PCP];

	a->said = HP_GATEWAY_GRANTED;
	a->why = NULL;
	a->external = p->pcp.external;
	p->due_ns = HP_NEVER;
	p->retry_ns = RETRY_FIRST_NS;
	if (p->cfg.survey) {
		hp_pcp_end(&p->pcp, now_ns);
		return;
	}
	p->info.busy = false;
	p->info.protocol = HP_MAPPED_BY_PCP;
	p->info.external = p->pcp.external;
	p->info.until_ns = p->pcp.until_ns;
}

/* What the machine's state means for us. */
static void look_at_pcp(struct hp_portmap *p, uint64_t now_ns)
{
	struct hp_portmap_info was = p->info;

	switch (p->pcp.state) {
	case HP_PCP_HELD:
		pcp_granted(p, now_ns);
		break;
	case HP_PCP_REFUSED:
		leave_pcp(p, HP_GATEWAY_REFUSED,
			  hp_pcp_result_text(p->pcp.result), now_ns);
		break;
	case HP_PCP_OLD:
	case HP_PCP_FOREIGN:
		leave_pcp(p, HP_GATEWAY_REFUSED,
			  hp_pcp_result_text(HP_PCP_UNSUPP_VERSION), now_ns);
		break;
	case HP_PCP_ENDED:
		close_pcp(p);
		ask_helper(p, now_ns);
		break;
	case HP_PCP_ASKING:
		/* The lease is over, or the gateway was started again. */
		if (was.external.family != HP_AF_NONE) {
			no_lease(p);
			p->due_ns = now_ns + SILENCE_NS;
		}
		break;
	case HP_PCP_ENDING:
		break;
	}
	if (memcmp(&was, &p->info, sizeof(was)))
		tell(p, now_ns);
}

static void on_pcp(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct hp_portmap *p = ctx;
	uint8_t buf[HP_PCP_MAX + 1];
	ssize_t n = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT);

	(void)events;
	if (n < 0) {
		if (errno == ECONNREFUSED && p->pcp.state != HP_PCP_HELD)
			leave_pcp(p, HP_GATEWAY_SILENT, NULL, now_ns);
		return;
	}
	/* The socket is connected: it came from there. */
	if (hp_pcp_rx(&p->pcp, &p->pcp.gateway, buf, (size_t)n, now_ns) ==
	    HP_OK)
		look_at_pcp(p, now_ns);
}

static void pcp_nonce(const struct hp_portmap *p, uint8_t out[HP_PCP_NONCE])
{
	const struct hp_piece piece[] = {
		{ &p->info.gateway, sizeof(p->info.gateway) },
		{ &p->host, sizeof(p->host) },
	};
	uint8_t digest[16];

	hp_blake2b(digest, sizeof(digest), &p->seed, piece, 2);
	memcpy(out, digest, HP_PCP_NONCE);
}

static void ask_pcp(struct hp_portmap *p, uint64_t now_ns)
{
	struct hp_addr there = p->info.gateway;
	struct sockaddr_storage ss = { 0 };
	uint8_t nonce[HP_PCP_NONCE];
	socklen_t len;

	there.port = HP_PCP_PORT;
	len = hp_addr_to_sockaddr(&there, &ss);
	p->phase = PHASE_PCP;
	p->due_ns = now_ns + SILENCE_NS;
	p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd >= 0 && hp_loop_watch(p->cfg.loop, p->fd, EPOLLIN, on_pcp, p)) {
		close(p->fd);
		p->fd = -1;
	}
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&ss, len)) {
		leave_pcp(p, HP_GATEWAY_SILENT, NULL, now_ns);
		return;
	}
	pcp_nonce(p, nonce);
	hp_pcp_init(&p->pcp, &there, &p->host, nonce, &p->rng, now_ns);
	push_pcp(p, now_ns);
}

/* Tells the gateway, without waiting for its word, that a lease by PCP is not
 * wanted any more.
 */
static void drop_pcp(struct hp_portmap *p, uint64_t now_ns)
{
	if (p->fd < 0)
		return;
	hp_pcp_end(&p->pcp, now_ns);
	push_pcp(p, now_ns);
	close_pcp(p);
}

/* Gives back what is held, without a wait, and forgets all answers. */
static void drop_lease(struct hp_portmap *p, uint64_t now_ns)
{
	struct job *j = NULL;

	drop_pcp(p, now_ns);
	if (p->lease.external.port && !p->busy)
		j = calloc(1, sizeof(*j));
	if (j) {
		j->old = p->lease;
		j->release = true;
		if (!job_start(p, j))
			free(j);
	}
	p->stale = p->busy;
	p->lease = (struct hp_gateway_lease){ 0 };
	memset(&p->info, 0, sizeof(p->info));
}

static void start(struct hp_portmap *p, uint64_t now_ns)
{
	struct hp_addr gateway = { 0 }, host = { 0 };
	bool found = !hp_gateway_find(p->skip, &gateway, &host);

	host.port = p->port;
	p->start = false;
	p->retry_ns = RETRY_FIRST_NS;
	if (found && p->phase == PHASE_PCP && p->pcp.state == HP_PCP_HELD &&
	    hp_addr_eq(&host, &p->host) &&
	    hp_addr_eq(&gateway, &p->info.gateway)) {
		/* Perhaps another gateway of that address; that one knows us. */
		hp_pcp_again(&p->pcp, now_ns);
		push_pcp(p, now_ns);
		p->due_ns = now_ns + SILENCE_NS;
		return;
	}
	drop_lease(p, now_ns);
	p->host = host;
	p->info.gateway = gateway;
	if (found) {
		p->info.busy = true;
		ask_pcp(p, now_ns);
	} else {
		rest(p, now_ns);
	}
	tell(p, now_ns);
}

static void helper_done(struct hp_portmap *p, const struct job *j,
			uint64_t now_ns)
{
	if (!j->lease.external.port && p->lease.external.port &&
	    hp_time_since(p->info.until_ns, now_ns) > RENEW_LEAST_NS) {
		/* Not renewed, but not over either. */
		p->phase = PHASE_KEPT;
		p->due_ns = now_ns + (p->info.until_ns - now_ns) / 2;
	} else if (!j->lease.external.port) {
		memcpy(&p->info.answer[HP_MAPPED_BY_NATPMP],
		       &j->answer[HP_MAPPED_BY_NATPMP],
		       2 * sizeof(j->answer[0]));
		p->lease = (struct hp_gateway_lease){ 0 };
		rest(p, now_ns);
	} else {
		enum hp_mapped_protocol by = j->lease.protocol;
		uint64_t ns = j->lease.lifetime_s * HP_S;

		p->phase = PHASE_KEPT;
		p->retry_ns = RETRY_FIRST_NS;
		p->lease = j->lease;
		p->due_ns = now_ns + ns / 2;
		p->info.busy = false;
		p->info.protocol = by;
		p->info.external = j->lease.external;
		p->info.until_ns = now_ns + ns;
		for (int i = HP_MAPPED_BY_NATPMP; i <= (int)by; i++)
			if (j->answer[i].said != HP_GATEWAY_NOT_ASKED)
				p->info.answer[i] = j->answer[i];
	}
	tell(p, now_ns);
}

static void on_bell(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct hp_portmap *p = ctx;
	struct job *j = job_done(p);

	(void)events;
	if (!j)
		return;
	if (p->stale && j->lease.external.port) {
		/* Of a port or network that is ours no more. */
		p->lease = j->lease;
		drop_lease(p, now_ns);
		p->start = true;
	} else if (p->stale && p->phase == PHASE_HELPER) {
		ask_helper(p, now_ns);
	} else if (!p->stale && !j->release) {
		helper_done(p, j, now_ns);
	}
	free(j);
}

static uint64_t deadline(void *ctx)
{
	const struct hp_portmap *p = ctx;

	if (p->start)
		return 0;
	return p->phase == PHASE_PCP
		       ? hp_time_min(p->due_ns, hp_pcp_deadline(&p->pcp))
		       : p->due_ns;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct hp_portmap *p = ctx;

	if (p->start) {
		start(p, now_ns);
		return;
	}
	if (p->phase == PHASE_PCP) {
		if (now_ns >= p->due_ns) {
			leave_pcp(p, HP_GATEWAY_SILENT, NULL, now_ns);
			return;
		}
		push_pcp(p, now_ns);
		look_at_pcp(p, now_ns);
	} else if (now_ns >= p->due_ns && p->phase == PHASE_KEPT) {
		ask_helper(p, now_ns);
	} else if (now_ns >= p->due_ns) {
		p->start = true;
	}
}

/* A gateway that was started again has forgotten its mappings, and tells all
 * hosts so (RFC 6887, 14.1; RFC 6886, 3.2.1). What was told must be for PCP to
 * judge; the others ask again.
 */
static void on_news(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct hp_portmap *p = ctx;
	struct sockaddr_storage ss = { 0 };
	socklen_t ss_len = sizeof(ss);
	uint8_t buf[HP_PCP_MAX + 1];
	struct hp_addr from;
	ssize_t n = recvfrom(p->news, buf, sizeof(buf), MSG_DONTWAIT,
			     (struct sockaddr *)&ss, &ss_len);

	(void)events;
	from = hp_addr_from_sockaddr((struct sockaddr *)&ss);
	if (n < 1 || from.port != HP_PCP_PORT ||
	    !hp_addr_same_ip(&from, &p->info.gateway))
		return;
	if (p->phase == PHASE_PCP) {
		/* What is of NAT-PMP here is no word about our request. */
		if (buf[0] && hp_pcp_rx(&p->pcp, &from, buf, (size_t)n,
					now_ns) == HP_OK)
			look_at_pcp(p, now_ns);
	} else if (p->phase != PHASE_HELPER &&
		   now_ns >= hp_time_add(p->news_ns, NEWS_NS)) {
		p->news_ns = now_ns;
		p->due_ns = now_ns;
	}
}

/* Several programs of a host may listen there, and none must. */
static void open_news(struct hp_portmap *p)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(HP_PCP_NEWS_PORT),
	};
	int one = 1;

	p->news = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			 0);
	if (p->news < 0)
		return;
	/* Every host is in the group of all hosts, without joining it. */
	if (!setsockopt(p->news, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(p->news, (const struct sockaddr *)&at, sizeof(at)) &&
	    !hp_loop_watch(p->cfg.loop, p->news, EPOLLIN, on_news, p))
		return;
	close(p->news);
	p->news = -1;
}

/* ---- from outside -------------------------------------------------------- */

enum hp_err hp_portmap_new(const struct hp_portmap_cfg *cfg,
			   struct hp_portmap **out)
{
	struct hp_portmap *p = calloc(1, sizeof(*p));
	const struct hp_loop_timed timed = { deadline, tick, p };
	enum hp_err err = HP_ERR_NOMEM;

	if (!p)
		return err;
	p->cfg = *cfg;
	p->seed = *cfg->seed;
	p->rng = hp_rng_system();
	p->fd = -1;
	p->news = -1;
	p->due_ns = HP_NEVER;
	p->worker = hp_worker_new();
	if (p->worker)
		err = hp_loop_watch(cfg->loop, hp_worker_bell(p->worker),
				    EPOLLIN, on_bell, p);
	if (!err)
		err = hp_loop_timed(cfg->loop, &timed);
	if (err) {
		hp_portmap_free(p);
		return err;
	}
	open_news(p);
	*out = p;
	return HP_OK;
}

/* Waits for @fd to be readable, until @end_ns. */
static bool readable(int fd, uint64_t end_ns)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t left_ns = hp_time_since(end_ns, hp_clock_now());

	return poll(&pfd, 1, (int)((left_ns + HP_MS - 1) / HP_MS)) > 0;
}

static void end_pcp(struct hp_portmap *p)
{
	uint8_t buf[HP_PCP_MAX];
	uint64_t now_ns = hp_clock_now();
	ssize_t n;

	hp_pcp_end(&p->pcp, now_ns);
	push_pcp(p, now_ns);
	/* The last request waited for in vain ends it, too. */
	while (p->pcp.state == HP_PCP_ENDING) {
		if (readable(p->fd, hp_pcp_deadline(&p->pcp))) {
			n = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT);
			if (n < 0)
				break; /* nobody listens there any more */
			(void)!hp_pcp_rx(&p->pcp, &p->pcp.gateway, buf,
					 (size_t)n, hp_clock_now());
		}
		push_pcp(p, hp_clock_now());
	}
	close_pcp(p);
}

/* A thread at work may get a lease in this very moment. */
static void end_helper(struct hp_portmap *p, uint64_t end_ns)
{
	struct job *j;

	if (p->busy && readable(hp_worker_bell(p->worker), end_ns)) {
		j = job_done(p);
		if (j && j->lease.external.port)
			p->lease = j->lease;
		free(j);
	}
	if (p->busy || !p->lease.external.port)
		return;
	j = calloc(1, sizeof(*j));
	if (!j)
		return;
	j->release = true;
	j->old = p->lease;
	if (!job_start(p, j))
		free(j);
	else if (readable(hp_worker_bell(p->worker), end_ns))
		free(job_done(p));
}

void hp_portmap_free(struct hp_portmap *p)
{
	if (!p)
		return;
	if (p->news >= 0) {
		hp_loop_unwatch(p->cfg.loop, p->news);
		close(p->news);
	}
	if (p->fd >= 0)
		end_pcp(p);
	if (p->worker) {
		hp_loop_unwatch(p->cfg.loop, hp_worker_bell(p->worker));
		end_helper(p, hp_clock_now() + END_NS);
		hp_worker_free(p->worker);
	}
	hp_secret_wipe(&p->seed);
	free(p);
}

void hp_portmap_start(struct hp_portmap *p, uint16_t port, unsigned int skip)
{
	p->port = port;
	p->skip = skip;
	p->start = true;
	p->info.busy = true;
}

void hp_portmap_get(const struct hp_portmap *p, struct hp_portmap_info *out)
{
	*out = p->info;
}
