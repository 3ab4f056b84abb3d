/* SPDX-License-Identifier: ISC */
/*
 * The operation "up": connect to some peers, or to all members; tell what
 * happens as it happens; and end with success once they answer, or with the
 * reason why they do not.
 *
 *	named peers:  wait until each is connected
 *	all members:  wait until a server knows us, a moment for the list of
 *	              members to come, and until nobody is connecting any more
 *	then, for a moment more, until relayed peers are direct, so that who
 *	watches sees both
 */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "ctl_client.h"
#include "member/network.h"
#include "node/explain.h"

#define TIMEOUT_MS_DEFAULT 30000
#define TIMEOUT_MS_MAX (3600 * 1000)
#define DIRECT_MS_DEFAULT 1000
/* From registration until the members that are online are surely known: the
 * list, and a round trip to each.
 */
#define SETTLE_NS (300 * HP_MS)

struct up {
	struct ctl_told *told;
	char (*peer)[HP_NAME_TEXT]; /* NULL: all members */
	size_t n;
	uint64_t next_ns; /* when to look again */
	uint64_t end_ns;
	uint64_t direct_ns;	/* patience with relayed peers */
	uint64_t registered_ns; /* when a server first knew us; 0: not yet */
	uint64_t settled_ns;	/* when all were connected; 0: not yet */
};

/* What was found out about the peers in one turn. */
struct tally {
	bool pending;
	bool relayed;
	bool refused;
	const char *worst; /* the first that is not connected, or is refused */
};

static void up_free(void *state)
{
	struct up *u = state;

	ctl_told_free(u->told);
	free(u->peer);
	free(u);
}

static void count_peer(struct ctl_client *c, struct tally *t,
		       const struct hp_node_peer_info *p, uint64_t now_ns)
{
	struct up *u = c->state;
	bool refused = p->state == HP_PEER_REFUSED;
	/* Without names, who is not there is not waited for. */
	bool waits = u->peer ? !ctl_peer_connected(p)
			     : p->state == HP_PEER_CONNECTING;

	ctl_tell_peer(c, u->told, p, now_ns);
	if (p->state == HP_PEER_RELAYED)
		t->relayed = true;
	if (u->peer && refused)
		t->refused = true;
	if (waits && (!t->pending || refused))
		t->worst = p->name;
	t->pending |= waits;
}

static struct tally count_peers(struct ctl_client *c, uint64_t now_ns)
{
	const struct hp_node *node = c->cfg->node;
	struct up *u = c->state;
	struct hp_node_peer_info p;
	struct tally t = { 0 };

	for (size_t i = 0; i < u->n; i++)
		if (!hp_node_peer_find(node, u->peer[i], now_ns, &p))
			count_peer(c, &t, &p, now_ns);
	for (size_t i = 0; !u->peer && i < hp_node_peer_count(node); i++) {
		hp_node_peer_get(node, i, now_ns, &p);
		if (p.name[0])
			count_peer(c, &t, &p, now_ns);
	}
	return t;
}

/* Ends with why @peer (NULL: a server) is not reached. */
static void up_fail(struct ctl_client *c, const char *peer, uint64_t now_ns)
{
	struct hp_fault f = { 0 };
	const char *reason = hp_node_explain(c->cfg->node, peer, now_ns, &f);
	const char *near = NULL;

	if (reason && strcmp(reason, "offline") == 0 &&
	    !ctl_met(c->cfg->node, peer))
		near = ctl_nearest(c->cfg->node, peer);
	if (near) {
		char remedy[64];

		snprintf(remedy, sizeof(remedy), "hptun up --peer %s", near);
		hp_fault_set(&f, HP_ERR_UNKNOWN, remedy,
			     "nobody called \"%s\" is online; did you mean "
			     "\"%s\"?", peer, near);
		reason = "unknown";
	}
	ctl_fail(c, reason ? reason : "path", &f);
}

static void up_done(struct ctl_client *c, uint64_t now_ns)
{
	const struct up *u = c->state;
	json_t *doc = ctl_status_json(c->cfg, now_ns), *peers;
	struct hp_node_peer_info p;

	if (u->peer) {
		peers = json_array();
		for (size_t i = 0; i < u->n; i++)
			if (!hp_node_peer_find(c->cfg->node, u->peer[i],
					       now_ns, &p))
				json_array_append_new(
					peers, ctl_peer_json(&p, now_ns));
		json_object_set_new(doc, "peers", peers);
	}
	ctl_end(c, doc);
}

/* True while members may still turn up that are online already. */
static bool list_may_grow(const struct up *u, uint64_t now_ns)
{
	if (u->peer)
		return false;
	return !u->registered_ns || now_ns < u->registered_ns + SETTLE_NS;
}

/* Ends the task, or sets when to look again. */
static void up_turn(struct ctl_client *c, uint64_t now_ns)
{
	struct up *u = c->state;
	struct hp_node_server_info server;
	enum hp_server_state state;
	bool over = now_ns >= u->end_ns;
	struct tally t;

	ctl_tell_servers(c, u->told);
	state = hp_node_best_server(c->cfg->node, &server);
	if (state == HP_SERVER_REGISTERED && !u->registered_ns)
		u->registered_ns = now_ns;
	t = count_peers(c, now_ns);
	if (t.refused) {
		up_fail(c, t.worst, now_ns);
	} else if (t.pending || list_may_grow(u, now_ns)) {
		u->settled_ns = 0;
		u->next_ns = u->end_ns;
		if (!u->peer && u->registered_ns && !t.pending)
			u->next_ns = hp_time_min(u->end_ns, u->registered_ns +
							    SETTLE_NS);
		if (state == HP_SERVER_REFUSED ||
		    (over && state != HP_SERVER_REGISTERED))
			up_fail(c, NULL, now_ns);
		else if (over && t.pending)
			up_fail(c, t.worst, now_ns);
		else if (over)
			up_done(c, now_ns);
	} else {
		if (!u->settled_ns)
			u->settled_ns = now_ns;
		u->next_ns = hp_time_min(u->end_ns,
					 u->settled_ns + u->direct_ns);
		if (!t.relayed || now_ns >= u->next_ns)
			up_done(c, now_ns);
	}
}

static uint64_t up_deadline(const struct ctl_client *c)
{
	return ((const struct up *)c->state)->next_ns;
}

static const struct ctl_task up_task = {
	.turn = up_turn,
	.deadline = up_deadline,
	.free = up_free,
};

/* Fills @u->peer from the request, and tells the engine. */
static enum hp_err want_peers(struct ctl_client *c, struct up *u,
			      const json_t *peers, uint64_t now_ns,
			      struct hp_fault *f)
{
	size_t n = json_array_size(peers);
	enum hp_err err = HP_OK;

	if (!n) {
		hp_node_want_all(c->cfg->node, now_ns);
		return HP_OK;
	}
	u->peer = calloc(n, sizeof(*u->peer));
	if (!u->peer)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	for (; u->n < n && !err; u->n++) {
		const char *text = json_string_value(json_array_get(peers,
								    u->n));

		if (!text)
			return hp_fault_set(f, HP_ERR_FORMAT, "",
					    "\"peers\" holds names only");
		err = ctl_want(c, text, u->peer[u->n], now_ns, f);
	}
	return err;
}

void ctl_up(struct ctl_client *c, const json_t *req, uint64_t now_ns)
{
	struct up *u = calloc(1, sizeof(*u));
	struct hp_fault f = { 0 };

	if (u)
		u->told = ctl_told_new();
	if (!u || !u->told) {
		free(u);
		ctl_say(c, NULL);
		return;
	}
	c->task = &up_task;
	c->state = u;
	u->direct_ns = ctl_ms(req, "direct_ms", DIRECT_MS_DEFAULT,
			     TIMEOUT_MS_MAX);
	u->end_ns = now_ns + ctl_ms(req, "timeout_ms", TIMEOUT_MS_DEFAULT,
				   TIMEOUT_MS_MAX);
	u->next_ns = u->end_ns;
	if (want_peers(c, u, json_object_get(req, "peers"), now_ns, &f))
		ctl_fail(c, "unknown", &f);
	else if (json_is_false(json_object_get(req, "wait")))
		up_done(c, now_ns);
	else
		up_turn(c, now_ns);
}
