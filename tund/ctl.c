/* SPDX-License-Identifier: ISC */
/*
 * The transport of the control socket: clients, their lines in, their bounded
 * answers out, and their time limits. What the lines mean is not here.
 *
 * A client sends one request at a time: while an operation runs, its further
 * lines wait in the socket. It may close its sending side and still read the
 * answer. A client that says nothing, or does not read what it asked for, is
 * dropped. Clients are closed only in reap(), so that no operation loses the
 * ground under its feet.
 */
#include "ctl.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/time.h"
#include "ctl_client.h"
#include "sys/lines.h"
#include "sys/loop.h"

#define CLIENTS_MAX 32
#define LINE_MAX_LEN 65536
/* Unread answers of one client: the status of some ten thousand peers. */
#define OUT_MAX_LEN (4 * 1024 * 1024)
/* Between requests, and with unread answers. */
#define IDLE_NS (60 * HP_S)
#define STUCK_NS (10 * HP_S)

struct client {
	struct ctl_client pub;
	struct ctl *ctl;
	int fd;
	bool eof;	  /* it will send no more */
	bool closing;	  /* close when @out is sent */
	bool dead;	  /* close now */
	uint64_t last_ns; /* of progress in either direction */
	struct hp_lines in;
	char *out;
	size_t out_len, out_cap;
};

struct ctl {
	struct ctl_cfg cfg;
	struct sockaddr_un addr;
	char *network;
	char *version;
	int fd;
	uid_t owner;
	gid_t group;
	bool has_group;
	bool happened; /* the engine has news; give the tasks their turn */
	struct client *client[CLIENTS_MAX];
	size_t n;
};

static struct client *client_of(struct ctl_client *c)
{
	return hp_container_of(c, struct client, pub);
}

static bool out_room(struct client *c, size_t len)
{
	size_t need = c->out_len + len;
	char *out;

	if (need > OUT_MAX_LEN)
		return false;
	if (need <= c->out_cap)
		return true;
	need += need / 2 + 512;
	out = realloc(c->out, need);
	if (!out)
		return false;
	c->out = out;
	c->out_cap = need;
	return true;
}

static void flush(struct client *c)
{
	size_t done = 0;

	while (done < c->out_len) {
		ssize_t n = send(c->fd, c->out + done, c->out_len - done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0) {
			c->dead = errno != EAGAIN && errno != EINTR;
			break;
		}
		done += (size_t)n;
	}
	if (done)
		c->last_ns = hp_loop_now(c->ctl->cfg.loop);
	memmove(c->out, c->out + done, c->out_len - done);
	c->out_len -= done;
}

void ctl_say(struct ctl_client *pub, json_t *doc)
{
	struct client *c = client_of(pub);
	const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(6);
	size_t len = doc ? json_dumpb(doc, NULL, 0, flags) : 0;

	if (c->dead || !len || !out_room(c, len + 1)) {
		c->dead = true;
		json_decref(doc);
		return;
	}
	json_dumpb(doc, c->out + c->out_len, len, flags);
	c->out[c->out_len + len] = '\n';
	c->out_len += len + 1;
	json_decref(doc);
}

static void end_task(struct ctl_client *pub)
{
	if (pub->task)
		pub->task->free(pub->state);
	pub->task = NULL;
	pub->state = NULL;
}

void ctl_end(struct ctl_client *pub, json_t *doc)
{
	end_task(pub);
	client_of(pub)->last_ns = hp_loop_now(pub->cfg->loop);
	if (doc)
		json_object_set_new(doc, "ok", json_true());
	ctl_say(pub, doc);
}

/* A fault may quote a piece of what a client sent, cut inside a character. */
static json_t *text_json(const char *text)
{
	char ascii[sizeof(((struct hp_fault *)0)->cause)];
	json_t *j = json_string(text);
	size_t i = 0;

	if (j)
		return j;
	for (; text[i] && i < sizeof(ascii) - 1; i++)
		ascii[i] = (unsigned char)text[i] < 128 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

void ctl_fail(struct ctl_client *pub, const char *reason,
	      const struct hp_fault *f)
{
	end_task(pub);
	client_of(pub)->last_ns = hp_loop_now(pub->cfg->loop);
	ctl_say(pub, json_pack("{s:b, s:s, s:o, s:o}", "ok", 0, "reason",
			       reason, "error", text_json(f->cause), "remedy",
			       text_json(f->remedy)));
}

static void request(struct client *c, const char *line, size_t len,
		    uint64_t now_ns)
{
	struct hp_fault f = { 0 };
	json_error_t je;
	json_t *req = json_loadb(line, len, JSON_REJECT_DUPLICATES, &je);
	const char *name = json_string_value(json_object_get(req, "op"));
	const struct ctl_op *op = ctl_ops;

	if (!req) {
		hp_fault_set(&f, HP_ERR_FORMAT,
			     "send one JSON object a line",
			     "not JSON at column %d: %.100s", je.column,
			     je.text);
	} else if (!name) {
		hp_fault_set(&f, HP_ERR_FORMAT,
			     "for example {\"op\":\"status\"}",
			     "the request has no string \"op\"");
	} else {
		while (op->name && strcmp(op->name, name) != 0)
			op++;
		if (op->name)
			op->start(&c->pub, req, now_ns);
		else
			hp_fault_set(&f, HP_ERR_UNKNOWN,
				     "see hptunctl(8) for what there is",
				     "no operation is called \"%.40s\"", name);
	}
	if (f.code)
		ctl_fail(&c->pub, "request", &f);
	json_decref(req);
}

/* Carries out the lines that are there, one operation after the other. */
static void requests(struct client *c, uint64_t now_ns)
{
	size_t len;
	char *line;

	while (!c->dead && !c->closing && !c->pub.task &&
	       (line = hp_lines_next(&c->in, &len)))
		if (len)
			request(c, line, len, now_ns);
	if (c->eof && !c->pub.task)
		c->closing = true;
}

static void receive(struct client *c, uint64_t now_ns)
{
	ssize_t n = hp_lines_read(&c->in, c->fd);
	struct hp_fault f;

	if (n > 0) {
		c->last_ns = now_ns;
	} else if (n == 0) {
		c->eof = true;
	} else if (errno == EMSGSIZE) {
		hp_fault_set(&f, HP_ERR_FULL, "name fewer peers at once",
			     "a request has at most %d bytes", LINE_MAX_LEN);
		ctl_fail(&c->pub, "request", &f);
		c->closing = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		c->dead = true;
	}
}

static void on_client(void *ctx, uint32_t events, uint64_t now_ns);

/* Sends what there is and asks the loop for what the client now waits for. */
static void settle(struct client *c)
{
	uint32_t events = 0;

	if (!c->dead && c->out_len)
		flush(c);
	if (c->closing && !c->out_len)
		c->dead = true;
	if (c->dead)
		return;
	if (c->out_len)
		events |= EPOLLOUT;
	if (!c->eof && !c->closing && !c->pub.task)
		events |= EPOLLIN;
	if (hp_loop_watch(c->ctl->cfg.loop, c->fd, events, on_client, c))
		c->dead = true;
}

static void client_free(struct client *c)
{
	end_task(&c->pub);
	hp_loop_unwatch(c->ctl->cfg.loop, c->fd);
	close(c->fd);
	hp_lines_free(&c->in);
	free(c->out);
	free(c);
}

static void reap(struct ctl *ctl)
{
	for (size_t i = 0; i < ctl->n;) {
		if (ctl->client[i]->dead) {
			client_free(ctl->client[i]);
			ctl->client[i] = ctl->client[--ctl->n];
		} else {
			i++;
		}
	}
}

static void on_client(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct client *c = ctx;
	struct ctl *ctl = c->ctl;

	if (events & EPOLLIN)
		receive(c, now_ns);
	else if (events & (EPOLLHUP | EPOLLERR))
		c->dead = true;
	requests(c, now_ns);
	settle(c);
	reap(ctl);
}

static bool in_group(int fd, gid_t want, gid_t primary)
{
	gid_t group[64];
	socklen_t len = sizeof(group);

	if (primary == want)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, group, &len))
		return false;
	for (size_t i = 0; i < len / sizeof(group[0]); i++)
		if (group[i] == want)
			return true;
	return false;
}

/* The mode of the socket says the same; this holds also when the directory
 * lies on a file system, or under a policy, that does not look at it.
 */
static bool allowed(const struct ctl *ctl, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	return cred.uid == 0 || cred.uid == ctl->owner ||
	       cred.uid == geteuid() ||
	       (ctl->has_group && in_group(fd, ctl->group, cred.gid));
}

static void turn_away(int fd, const char *reason, const char *why)
{
	char line[160];
	int n = snprintf(line, sizeof(line),
			 "{\"ok\":false,\"reason\":\"%s\",\"error\":\"%s\","
			 "\"remedy\":\"\"}\n", reason, why);

	/* Best effort: the socket is new, its buffer empty. */
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		errno = 0;
	close(fd);
}

static void on_accept(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct ctl *ctl = ctx;
	int fd = accept4(ctl->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	(void)events;
	if (fd < 0)
		return;
	if (!allowed(ctl, fd)) {
		turn_away(fd, "denied", "this user may not control the daemon");
		return;
	}
	c = ctl->n < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		turn_away(fd, "busy", "too many clients at once");
		return;
	}
	c->ctl = ctl;
	c->pub.cfg = &ctl->cfg;
	c->fd = fd;
	c->last_ns = now_ns;
	hp_lines_init(&c->in, LINE_MAX_LEN);
	ctl->client[ctl->n++] = c;
	settle(c);
	reap(ctl);
}

/* When the client is dropped if nothing moves until then. */
static uint64_t patience(const struct client *c)
{
	if (c->out_len)
		return c->last_ns + STUCK_NS;
	return c->pub.task ? HP_NEVER : c->last_ns + IDLE_NS;
}

static uint64_t deadline(void *ctx)
{
	const struct ctl *ctl = ctx;
	uint64_t next = ctl->happened ? 0 : HP_NEVER;

	for (size_t i = 0; i < ctl->n; i++) {
		const struct client *c = ctl->client[i];

		next = hp_time_min(next, patience(c));
		if (c->pub.task)
			next = hp_time_min(next,
					   c->pub.task->deadline(&c->pub));
	}
	return next;
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct ctl *ctl = ctx;
	bool happened = ctl->happened;

	ctl->happened = false;
	for (size_t i = 0; i < ctl->n; i++) {
		struct client *c = ctl->client[i];
		const struct ctl_task *task = c->pub.task;

		if (patience(c) <= now_ns)
			c->dead = true;
		if (c->dead || !task)
			continue;
		if (!happened && task->deadline(&c->pub) > now_ns)
			continue;
		task->turn(&c->pub, now_ns);
		requests(c, now_ns);
		settle(c);
	}
	reap(ctl);
}

void ctl_event(struct ctl *ctl, const struct hp_node_event *ev)
{
	(void)ev;
	ctl->happened = true;
}

static enum hp_err find_ids(struct ctl *ctl, struct hp_fault *f)
{
	const char *owner = ctl->cfg.owner, *group = ctl->cfg.group;

	if (owner && *owner && strcmp(owner, "root") != 0) {
		const struct passwd *pw = getpwnam(owner);

		if (!pw)
			return hp_fault_set(f, HP_ERR_UNKNOWN,
					    "correct ControlOwner in the "
					    "configuration, or add the user",
					    "no user is called \"%.60s\"",
					    owner);
		ctl->owner = pw->pw_uid;
	}
	if (group && *group && strcmp(group, "root") != 0) {
		const struct group *gr = getgrnam(group);

		if (!gr)
			return hp_fault_set(f, HP_ERR_UNKNOWN,
					    "correct ControlGroup in the "
					    "configuration, or add the group",
					    "no group is called \"%.60s\"",
					    group);
		ctl->group = gr->gr_gid;
		ctl->has_group = true;
	}
	return HP_OK;
}

static enum hp_err listen_on(struct ctl *ctl, struct hp_fault *f)
{
	const char *path = ctl->addr.sun_path;
	const struct sockaddr *sa = (const void *)&ctl->addr;

	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			 0);
	if (ctl->fd < 0)
		return hp_fault_set(f, HP_ERR_IO, "",
				    "control socket: %s", strerror(errno));
	unlink(path);
	/* The mode of the descriptor becomes that of the file: nobody can slip
	 * in before it has its owner.
	 */
	if (fchmod(ctl->fd, 0600) || bind(ctl->fd, sa, sizeof(ctl->addr)))
		goto fail;
	if (ctl->owner != geteuid() || ctl->has_group)
		if (chown(path, ctl->owner,
			  ctl->has_group ? ctl->group : (gid_t)-1))
			goto fail;
	if (ctl->has_group && chmod(path, 0660))
		goto fail;
	if (listen(ctl->fd, CLIENTS_MAX))
		goto fail;
	return hp_loop_watch(ctl->cfg.loop, ctl->fd, EPOLLIN, on_accept, ctl);
fail:
	return hp_fault_set(f, HP_ERR_IO, "", "control socket %.100s: %s",
			    path, strerror(errno));
}

enum hp_err ctl_new(const struct ctl_cfg *cfg, struct ctl **out,
		    struct hp_fault *f)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	struct hp_loop_timed timed = { deadline, tick, ctl };
	enum hp_err err = HP_ERR_NOMEM;

	if (!ctl)
		return err;
	ctl->fd = -1;
	ctl->owner = geteuid();
	ctl->cfg = *cfg;
	ctl->network = strdup(cfg->network);
	ctl->version = strdup(cfg->version);
	ctl->cfg.network = ctl->network;
	ctl->cfg.version = ctl->version;
	if (!ctl->network || !ctl->version)
		goto out;
	ctl->addr.sun_family = AF_UNIX;
	if (strlen(cfg->path) >= sizeof(ctl->addr.sun_path)) {
		err = hp_fault_set(f, HP_ERR_FORMAT,
				   "choose a shorter --run-dir",
				   "the path of the control socket is longer "
				   "than %zu bytes: %.100s",
				   sizeof(ctl->addr.sun_path) - 1, cfg->path);
		goto out;
	}
	strcpy(ctl->addr.sun_path, cfg->path);
	err = find_ids(ctl, f);
	if (!err)
		err = listen_on(ctl, f);
	if (!err)
		err = hp_loop_timed(cfg->loop, &timed);
	if (err)
		goto out;
	*out = ctl;
	return HP_OK;
out:
	ctl_free(ctl);
	return err;
}

void ctl_free(struct ctl *ctl)
{
	if (!ctl)
		return;
	for (size_t i = 0; i < ctl->n; i++) {
		flush(ctl->client[i]);
		client_free(ctl->client[i]);
	}
	if (ctl->fd >= 0) {
		hp_loop_unwatch(ctl->cfg.loop, ctl->fd);
		close(ctl->fd);
		unlink(ctl->addr.sun_path);
	}
	free(ctl->network);
	free(ctl->version);
	free(ctl);
}
