/* SPDX-License-Identifier: ISC */
/*
 * What a client is told as it happens: the operation "watch", and the memory
 * that keeps every stream to changes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "ctl_client.h"

#define WATCH_MS_DEFAULT 1000
#define WATCH_MS_MIN 200
#define WATCH_MS_MAX (3600 * 1000)

/* What of a peer is news when it changes. */
struct peer_told {
	char name[HP_NAME_TEXT];
	enum hp_peer_state state;
	struct hp_path path;
	enum hp_err intruder;
};

struct server_told {
	enum hp_server_state state;
	struct hp_addr seen4, seen6;
	enum hp_mapping mapping;
};

struct ctl_told {
	struct server_told server[HP_SERVERS_MAX];
	bool knows_server[HP_SERVERS_MAX];
	struct peer_told *peer;
	size_t n, cap;
};

struct ctl_told *ctl_told_new(void)
{
	return calloc(1, sizeof(struct ctl_told));
}

void ctl_told_free(struct ctl_told *t)
{
	if (!t)
		return;
	free(t->peer);
	free(t);
}

/* @doc is taken; the kind of the event comes first, for who reads it raw. */
static void say_event(struct ctl_client *c, const char *event, json_t *doc)
{
	json_t *out = json_pack("{s:s}", "event", event);

	if (json_object_update(out, doc)) {
		json_decref(out);
		out = NULL;
	}
	json_decref(doc);
	ctl_say(c, out);
}

static bool server_same(const struct server_told *a,
			const struct hp_node_server_info *b)
{
	return a->state == b->state && a->mapping == b->mapping &&
	       hp_addr_eq(&a->seen4, &b->seen4) &&
	       hp_addr_eq(&a->seen6, &b->seen6);
}

void ctl_tell_servers(struct ctl_client *c, struct ctl_told *t)
{
	struct hp_node_server_info s;

	for (unsigned int i = 0; i < hp_node_server_count(c->cfg->node); i++) {
		hp_node_server_get(c->cfg->node, i, &s);
		if (t->knows_server[i] && server_same(&t->server[i], &s))
			continue;
		t->knows_server[i] = true;
		t->server[i] = (struct server_told){ s.state, s.seen4, s.seen6,
						     s.mapping };
		say_event(c, "server", ctl_server_json(&s));
	}
}

/* Peers come in the order of their names, so this is nearly always a hit at
 * the first look; a room of thousands is not walked for each.
 */
static struct peer_told *told_find(struct ctl_told *t, const char *name,
				   size_t *at)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(name, t->peer[mid].name);

		if (cmp == 0)
			return &t->peer[mid];
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	*at = lo;
	return NULL;
}

static struct peer_told *told_add(struct ctl_told *t, const char *name,
				  size_t at)
{
	struct peer_told *peer;

	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 16;

		peer = reallocarray(t->peer, cap, sizeof(*peer));
		if (!peer)
			return NULL;
		t->peer = peer;
		t->cap = cap;
	}
	peer = &t->peer[at];
	memmove(peer + 1, peer, (t->n - at) * sizeof(*peer));
	memset(peer, 0, sizeof(*peer));
	strncpy(peer->name, name, sizeof(peer->name) - 1);
	t->n++;
	return peer;
}

void ctl_tell_peer(struct ctl_client *c, struct ctl_told *t,
		   const struct hp_node_peer_info *p, uint64_t now_ns)
{
	size_t at = 0;
	struct peer_told *was = told_find(t, p->name, &at);

	if (was && was->state == p->state &&
	    was->intruder == p->intruder && hp_path_eq(&was->path, &p->path))
		return;
	if (!was) {
		was = told_add(t, p->name, at);
		if (!was) {
			ctl_say(c, NULL);
			return;
		}
	}
	was->state = p->state;
	was->path = p->path;
	was->intruder = p->intruder;
	say_event(c, "peer", ctl_peer_json(p, now_ns));
}

struct watch {
	struct ctl_told *told;
	uint64_t every_ns;
	uint64_t next_ns;
};

static void watch_turn(struct ctl_client *c, uint64_t now_ns)
{
	struct watch *w = c->state;
	struct hp_node_peer_info p;

	ctl_tell_servers(c, w->told);
	for (size_t i = 0; i < hp_node_peer_count(c->cfg->node); i++) {
		hp_node_peer_get(c->cfg->node, i, now_ns, &p);
		if (p.name[0])
			ctl_tell_peer(c, w->told, &p, now_ns);
	}
	if (now_ns >= w->next_ns) {
		w->next_ns = now_ns + w->every_ns;
		say_event(c, "status", ctl_status_json(c->cfg, now_ns));
	}
}

static uint64_t watch_deadline(const struct ctl_client *c)
{
	return ((const struct watch *)c->state)->next_ns;
}

static void watch_free(void *state)
{
	struct watch *w = state;

	ctl_told_free(w->told);
	free(w);
}

static const struct ctl_task watch_task = {
	.turn = watch_turn,
	.deadline = watch_deadline,
	.free = watch_free,
};

void ctl_watch(struct ctl_client *c, const json_t *req, uint64_t now_ns)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w)
		w->told = ctl_told_new();
	if (!w || !w->told) {
		free(w);
		ctl_say(c, NULL);
		return;
	}
	w->every_ns = ctl_ms(req, "every_ms", WATCH_MS_DEFAULT, WATCH_MS_MAX);
	if (w->every_ns < WATCH_MS_MIN * HP_MS)
		w->every_ns = WATCH_MS_MIN * HP_MS;
	w->next_ns = now_ns;
	c->task = &watch_task;
	c->state = w;
	watch_turn(c, now_ns);
}
