/* SPDX-License-Identifier: ISC */
/*
 * A client may send requests one after another; a request ends with an empty
 * line. While an answer is on its way nothing more is read from that client.
 */
#include "wgsock.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/lines.h"
#include "sys/loop.h"
#include "uapi.h"

#define CLIENTS_MAX 16

/* Zeroed but for fd -1: free. */
struct client {
	struct wgsock *sock;
	int fd;
	struct hp_lines lines;
	struct uapi_request request;
	char *answer; /* NULL: none on its way */
	size_t answer_len;
	size_t sent;
};

struct wgsock {
	struct hp_loop *loop;
	const struct wgsock_ops *ops;
	void *ctx;
	int fd;
	struct sockaddr_un name;
	struct client client[CLIENTS_MAX];
};

static void drop_answer(struct client *c)
{
	if (c->answer)
		sodium_memzero(c->answer, c->answer_len);
	free(c->answer);
	c->answer = NULL;
	c->answer_len = c->sent = 0;
}

static void drop_client(struct client *c)
{
	if (c->fd < 0)
		return;
	hp_loop_unwatch(c->sock->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	if (c->lines.buf)
		sodium_memzero(c->lines.buf, c->lines.cap);
	hp_lines_free(&c->lines);
	uapi_request_reset(&c->request);
	drop_answer(c);
}

/* The whole answer to the request that just ended; false without memory. */
static bool make_answer(struct client *c, uint64_t now_ns)
{
	struct uapi_request *r = &c->request;
	int error = r->error;
	FILE *out;

	out = open_memstream(&c->answer, &c->answer_len);
	if (!out)
		return false;
	if (!error && r->op == UAPI_GET)
		c->sock->ops->get(c->sock->ctx, out, now_ns);
	else if (!error)
		error = c->sock->ops->set(c->sock->ctx, r, now_ns);
	fprintf(out, "errno=%d\n\n", error);
	uapi_request_reset(r);
	c->sent = 0;
	return fclose(out) == 0;
}

/* Sends what the socket takes; false when the client is gone. */
static bool send_answer(struct client *c)
{
	ssize_t n;

	while (c->sent < c->answer_len) {
		n = send(c->fd, c->answer + c->sent, c->answer_len - c->sent,
			 MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->sent += (size_t)n;
	}
	drop_answer(c);
	return true;
}

static bool take_lines(struct client *c, uint64_t now_ns)
{
	size_t len;
	char *line;

	while (!c->answer && (line = hp_lines_next(&c->lines, &len))) {
		if (len) {
			uapi_line(&c->request, line, len);
			continue;
		}
		/* Empty lines between requests mean nothing. */
		if (c->request.op == UAPI_NONE && !c->request.error)
			continue;
		if (!make_answer(c, now_ns) || !send_answer(c))
			return false;
	}
	return true;
}

static void on_client(void *ctx, uint32_t events, uint64_t now_ns);

/* Reads on, or waits until the answer can be sent. */
static bool watch_client(struct client *c)
{
	return hp_loop_watch(c->sock->loop, c->fd,
			     c->answer ? EPOLLOUT : EPOLLIN, on_client,
			     c) == HP_OK;
}

static void on_client(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct client *c = ctx;
	ssize_t n;

	(void)events;
	if (c->answer) {
		if (!send_answer(c))
			goto gone;
	} else {
		n = hp_lines_read(&c->lines, c->fd);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			goto gone;
	}
	if (take_lines(c, now_ns) && watch_client(c))
		return;
gone:
	drop_client(c);
}

static void on_listen(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct wgsock *w = ctx;
	int fd;

	(void)events;
	(void)now_ns;
	fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &w->client[i];

		if (c->fd >= 0)
			continue;
		c->fd = fd;
		hp_lines_init(&c->lines, UAPI_LINE_MAX);
		if (!watch_client(c))
			drop_client(c);
		return;
	}
	close(fd);
}

bool wgsock_answers(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	bool yes;
	int fd;

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true;
	yes = !connect(fd, (const struct sockaddr *)&name, sizeof(name)) ||
	      errno == EAGAIN;
	close(fd);
	return yes;
}

static int bind_private(int fd, const struct sockaddr_un *name)
{
	mode_t before = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)name, sizeof(*name));

	umask(before);
	return rc;
}

static enum hp_err open_socket(struct wgsock *w, const char *ifname,
			       struct hp_fault *f)
{
	w->name.sun_family = AF_UNIX;
	snprintf(w->name.sun_path, sizeof(w->name.sun_path),
		 WGSOCK_DIR "/%s.sock", ifname);
	if (mkdir(WGSOCK_DIR, 0755) < 0 && errno != EEXIST)
		return hp_fault_set(f, HP_ERR_IO, "", "cannot make %s: %s",
				    WGSOCK_DIR, strerror(errno));
	w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		goto refused;
	if (bind_private(w->fd, &w->name) < 0) {
		if (errno != EADDRINUSE)
			goto refused;
		if (wgsock_answers(w->name.sun_path))
			return hp_fault_set(f, HP_ERR_EXISTS,
					    "end that one first",
					    "another process serves %s",
					    w->name.sun_path);
		if (unlink(w->name.sun_path) < 0 ||
		    bind_private(w->fd, &w->name) < 0)
			goto refused;
	}
	if (!listen(w->fd, CLIENTS_MAX))
		return HP_OK;
	unlink(w->name.sun_path);
refused:
	return hp_fault_set(f, HP_ERR_IO, "", "cannot listen on %s: %s",
			    w->name.sun_path, strerror(errno));
}

enum hp_err wgsock_new(struct hp_loop *loop, const char *name,
		       const struct wgsock_ops *ops, void *ctx,
		       struct wgsock **out, struct hp_fault *f)
{
	struct wgsock *w = calloc(1, sizeof(*w));
	enum hp_err err;

	if (!w)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	w->loop = loop;
	w->ops = ops;
	w->ctx = ctx;
	w->fd = -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		w->client[i].sock = w;
		w->client[i].fd = -1;
	}
	err = open_socket(w, name, f);
	if (err) {
		if (w->fd >= 0)
			close(w->fd);
		free(w);
		return err;
	}
	err = hp_loop_watch(loop, w->fd, EPOLLIN, on_listen, w);
	if (err) {
		wgsock_free(w);
		return hp_fault_set(f, err, "", "cannot watch a socket");
	}
	*out = w;
	return HP_OK;
}

void wgsock_free(struct wgsock *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		drop_client(&w->client[i]);
	hp_loop_unwatch(w->loop, w->fd);
	close(w->fd);
	unlink(w->name.sun_path);
	free(w);
}
