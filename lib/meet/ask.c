/* SPDX-License-Identifier: ISC */
/*
 * What a client asks within its session. A connect is repeated until we have
 * the introduction and the server says that the peer has it too; the server
 * keeps no state of it, the two clients drop what they know already.
 *
 *	            again and again             INTRO(answer)
 *	connect() --> CONNECT ------------------------------> event INTRO
 *	                 |  FAILED, or 32 tries  DELIVERED
 *	                 +--> event FAILED       ----------> forgotten
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "meet/client_impl.h"

#define CONNECT_TRIES 32
/* With our introduction here, the peer's is worth this many more. */
#define DELIVER_TRIES 16
/* A list that changes while it is fetched is begun anew, so often. */
#define LIST_RESTARTS 4

static struct mc_connect *connect_find(struct hp_meet_client *c,
				       const uint8_t slot[HP_MEET_SLOT_LEN])
{
	struct mc_connect *k;

	HASH_FIND(hh, c->connects, slot, HP_MEET_SLOT_LEN, k);
	return k;
}

static struct mc_connect *connect_find_id(struct hp_meet_client *c,
					  const uint8_t *slot,
					  const uint8_t *id)
{
	struct mc_connect *k = connect_find(c, slot);

	return k && memcmp(k->id, id, sizeof(k->id)) == 0 ? k : NULL;
}

static void connect_end(struct hp_meet_client *c, struct mc_connect *k)
{
	hp_heap_set(&c->connect_timers, &k->timer, HP_NEVER);
	HASH_DEL(c->connects, k);
	free(k);
}

static void connect_fail(struct hp_meet_client *c, struct mc_connect *k,
			 enum hp_meet_reason reason)
{
	struct hp_meet_event ev = {
		.kind = HP_MEET_EV_FAILED,
		.reason = reason,
		.server = c->info.server,
	};
	bool introduced = k->introduced;

	memcpy(ev.slot, k->slot, sizeof(ev.slot));
	memcpy(ev.connect_id, k->id, sizeof(ev.connect_id));
	connect_end(c, k);
	if (!introduced)
		mc_event(c, &ev);
}

static struct mc_connect *connect_make(struct hp_meet_client *c,
				       const uint8_t slot[HP_MEET_SLOT_LEN])
{
	size_t n = HASH_COUNT(c->connects);
	struct mc_connect *k;

	if (hp_heap_reserve(&c->connect_timers, n + 1))
		return NULL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	memcpy(k->slot, slot, sizeof(k->slot));
	HASH_ADD(hh, c->connects, slot, sizeof(k->slot), k);
	if (!k->hh.tbl) {
		free(k);
		return NULL;
	}
	return k;
}

static void connect_send(struct hp_meet_client *c, struct mc_connect *k)
{
	uint8_t buf[HP_MEET_CONNECT_LEN(HP_MEET_OFFER_MAX)] = { 0 };
	struct hp_meet_connect *m = (void *)buf;

	memcpy(m->id, k->id, sizeof(m->id));
	memcpy(m->slot, k->slot, sizeof(m->slot));
	hp_put_be16(m->offer_len, k->offer_len);
	memcpy(buf + sizeof(*m), k->offer, k->offer_len);
	mc_session_send(c, HP_MEET_CONNECT, buf,
			HP_MEET_CONNECT_LEN((size_t)k->offer_len));
}

static void connect_try(struct hp_meet_client *c, struct mc_connect *k,
			uint64_t now_ns)
{
	if (k->introduced && k->delivers++ == DELIVER_TRIES) {
		connect_end(c, k);
		return;
	}
	if (k->tries == CONNECT_TRIES) {
		connect_fail(c, k, HP_MEET_TIMEOUT);
		return;
	}
	k->sent_ns = now_ns;
	hp_heap_set(&c->connect_timers, &k->timer,
		    now_ns + mc_backoff(c, k->tries++, MC_FAST_NS));
	connect_send(c, k);
}

enum hp_err hp_meet_connect(struct hp_meet_client *c,
			    const uint8_t slot[HP_MEET_SLOT_LEN],
			    const uint8_t *offer, size_t len, uint64_t now_ns)
{
	struct mc_connect *k = connect_find(c, slot);

	if (len > HP_MEET_OFFER_MAX ||
	    (!k && HASH_COUNT(c->connects) >= HP_MEET_CONNECTS_MAX))
		return HP_ERR_FULL;
	if (!k)
		k = connect_make(c, slot);
	if (!k)
		return HP_ERR_NOMEM;
	hp_rng_fill(c->cfg.rng, k->id, sizeof(k->id));
	k->tries = 0;
	k->delivers = 0;
	k->introduced = false;
	k->delivered = false;
	k->offer_len = (uint16_t)len;
	memcpy(k->offer, offer, len);
	if (c->state == HP_MEET_UP)
		connect_try(c, k, now_ns);
	else if (c->state == HP_MEET_WAITING ? !c->info.refused :
					       c->tries > MC_HURRIED)
		mc_hurry(c, now_ns); /* somebody waits: no more patience */
	return HP_OK;
}

void hp_meet_connect_cancel(struct hp_meet_client *c,
			    const uint8_t slot[HP_MEET_SLOT_LEN])
{
	struct mc_connect *k = connect_find(c, slot);

	if (k)
		connect_end(c, k);
}

void mc_ask_begin(struct hp_meet_client *c, uint64_t now_ns)
{
	struct mc_connect *k, *next;

	HASH_ITER(hh, c->connects, k, next) {
		k->tries = 0;
		connect_try(c, k, now_ns);
	}
	if (c->list.wanted)
		mc_list_start(c, now_ns);
}

void mc_ask_pause(struct hp_meet_client *c)
{
	struct mc_connect *k, *next;

	HASH_ITER(hh, c->connects, k, next)
		hp_heap_set(&c->connect_timers, &k->timer, HP_NEVER);
	c->list.next_ns = HP_NEVER;
}

void mc_ask_free(struct hp_meet_client *c)
{
	struct mc_connect *k, *next;

	HASH_ITER(hh, c->connects, k, next)
		connect_end(c, k);
	hp_heap_free(&c->connect_timers);
	free(c->list.slots);
	c->list.slots = NULL;
	c->list.cap = 0;
	c->list.next_ns = HP_NEVER;
}

/* True the first time that this call is seen. */
static bool call_is_new(struct hp_meet_client *c, const uint8_t *id)
{
	for (unsigned int i = 0; i < MC_CALLS; i++) {
		if (memcmp(c->calls[i], id, HP_MEET_ID_LEN) == 0)
			return false;
	}
	memcpy(c->calls[c->n_calls++ % MC_CALLS], id, HP_MEET_ID_LEN);
	return true;
}

static void ack(struct hp_meet_client *c, const struct hp_meet_intro *m)
{
	struct hp_meet_intro_ack a = { 0 };

	memcpy(a.id, m->id, sizeof(a.id));
	memcpy(a.slot, m->slot, sizeof(a.slot));
	mc_session_send(c, HP_MEET_INTRO_ACK, (uint8_t *)&a, sizeof(a));
}

/* Is this introduction one that the owner has not been told of? */
static bool intro_is_news(struct hp_meet_client *c,
			  const struct hp_meet_intro *m)
{
	struct mc_connect *k;
	bool news;

	if (!m->answer) {
		ack(c, m);
		return call_is_new(c, m->id);
	}
	k = connect_find_id(c, m->slot, m->id);
	if (!k)
		return false;
	news = !k->introduced;
	k->introduced = true;
	if (k->delivered)
		connect_end(c, k);
	return news;
}

void mc_on_intro(struct hp_meet_client *c, const uint8_t *msg)
{
	const struct hp_meet_intro *m = (const void *)msg;
	struct hp_meet_event ev = {
		.kind = HP_MEET_EV_INTRO,
		.server = c->info.server,
		.channel = hp_get_be32(m->channel),
		.answer = m->answer,
		.blob = msg + sizeof(*m),
		.blob_len = hp_get_be16(m->blob_len),
	};

	if (hp_meet_addr_get(&m->seen, &ev.seen) || !intro_is_news(c, m))
		return;
	memcpy(ev.slot, m->slot, sizeof(ev.slot));
	memcpy(ev.connect_id, m->id, sizeof(ev.connect_id));
	mc_event(c, &ev);
}

void mc_on_delivered(struct hp_meet_client *c, const uint8_t *msg,
		     uint64_t now_ns)
{
	const struct hp_meet_delivered *m = (const void *)msg;
	struct mc_connect *k = connect_find_id(c, m->slot, m->id);
	struct hp_meet_event ev = {
		.kind = HP_MEET_EV_DELIVERED,
		.server = c->info.server,
	};
	bool news, once;

	if (!k)
		return;
	news = !k->delivered;
	once = k->tries == 1;
	ev.rtt_ns = hp_time_since(now_ns, k->sent_ns);
	memcpy(ev.slot, m->slot, sizeof(ev.slot));
	k->delivered = true;
	if (k->introduced)
		connect_end(c, k);
	if (news && once)
		mc_event(c, &ev);
}

void mc_on_failed(struct hp_meet_client *c, const uint8_t *msg)
{
	const struct hp_meet_failed *m = (const void *)msg;
	struct mc_connect *k = connect_find_id(c, m->slot, m->id);

	if (k)
		connect_fail(c, k, (enum hp_meet_reason)m->reason);
}

/* ---- lists ---- */

static void list_ask(struct hp_meet_client *c, uint64_t now_ns)
{
	struct hp_meet_list m = { 0 };

	c->list.next_ns = now_ns + mc_backoff(c, c->list.tries++, MC_SLOW_NS);
	hp_put_be32(m.start, c->list.n);
	c->list.counter = mc_session_send(c, HP_MEET_LIST, (uint8_t *)&m,
					  sizeof(m));
}

void mc_list_start(struct hp_meet_client *c, uint64_t now_ns)
{
	c->list.n = 0;
	c->list.tries = 0;
	c->list.restarts = 0;
	if (c->state == HP_MEET_UP)
		list_ask(c, now_ns);
}

void hp_meet_list(struct hp_meet_client *c, uint64_t now_ns)
{
	c->list.wanted = true;
	mc_list_start(c, now_ns);
}

static bool list_take(struct hp_meet_client *c, const uint8_t *slot)
{
	struct mc_list *l = &c->list;

	if (l->n == l->cap) {
		uint32_t cap = l->cap ? 2 * l->cap : HP_MEET_PAGE;
		void *p = reallocarray(l->slots, cap, HP_MEET_SLOT_LEN);

		if (!p)
			return false;
		l->slots = p;
		l->cap = cap;
	}
	memcpy(l->slots[l->n++], slot, HP_MEET_SLOT_LEN);
	return true;
}

static void list_done(struct hp_meet_client *c)
{
	struct mc_list *l = &c->list;
	struct hp_meet_event ev = {
		.kind = HP_MEET_EV_MEMBERS,
		.server = c->info.server,
	};

	l->next_ns = HP_NEVER;
	for (uint32_t i = 0; i < l->n; i++) {
		if (memcmp(l->slots[i], c->cfg.slot, HP_MEET_SLOT_LEN) == 0) {
			memmove(l->slots[i], l->slots[--l->n],
				HP_MEET_SLOT_LEN);
			break;
		}
	}
	ev.slots = (const uint8_t(*)[HP_MEET_SLOT_LEN])l->slots;
	ev.n_slots = l->n;
	mc_event(c, &ev);
}

void mc_on_members(struct hp_meet_client *c, const uint8_t *msg,
		   uint64_t now_ns)
{
	const struct hp_meet_members *m = (const void *)msg;
	const uint8_t *slot = msg + sizeof(*m);
	struct mc_list *l = &c->list;
	uint32_t generation = hp_get_be32(m->generation);
	uint32_t total = hp_get_be32(m->total);
	size_t n = hp_get_be16(m->n);

	if (l->next_ns == HP_NEVER || hp_get_be64(m->request) != l->counter ||
	    hp_get_be32(m->start) != l->n)
		return;
	l->tries = 0;
	if (l->n && generation != l->generation &&
	    l->restarts++ < LIST_RESTARTS) {
		l->n = 0;
		list_ask(c, now_ns);
		return;
	}
	l->generation = generation;
	for (size_t i = 0; i < n && l->n < HP_MEET_MEMBERS_MAX; i++) {
		if (!list_take(c, slot + i * HP_MEET_SLOT_LEN))
			break;
	}
	if (n == HP_MEET_PAGE && l->n < total && l->n < HP_MEET_MEMBERS_MAX)
		list_ask(c, now_ns);
	else
		list_done(c);
}

void mc_ask_tick(struct hp_meet_client *c, uint64_t now_ns)
{
	struct hp_timer *t;

	while (c->state == HP_MEET_UP &&
	       (t = hp_heap_pop(&c->connect_timers, now_ns)))
		connect_try(c, hp_container_of(t, struct mc_connect, timer),
			    now_ns);
	if (c->state == HP_MEET_UP && c->list.next_ns <= now_ns)
		list_ask(c, now_ns);
}

uint64_t mc_ask_deadline(const struct hp_meet_client *c)
{
	return hp_time_min(hp_heap_next(&c->connect_timers), c->list.next_ns);
}
