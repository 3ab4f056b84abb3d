/* SPDX-License-Identifier: ISC */
/* The tools' end of the control socket: blocking, with time limits. */
#include "ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/clock.h"
#include "sys/disk.h"
#include "sys/lines.h"

/* The daemon answers with at most this many bytes a line. */
#define ANSWER_MAX_LEN (4 * 1024 * 1024)
/* A daemon that does not answer a simple question in this time, or does not
 * end, hangs.
 */
#define CALL_MS 10000
#define STOP_MS 15000
#define STOP_STEP_MS 5

struct ctl_conn {
	int fd;
	struct hp_lines in;
};

enum ctl_exit ctl_exit_of(enum hp_err err, const char *reason)
{
	static const struct {
		const char *reason;
		enum ctl_exit code;
	} row[] = {
		{ "rendezvous", CTL_EXIT_RENDEZVOUS },
		{ "denied", CTL_EXIT_DENIED },
		{ "refused", CTL_EXIT_RENDEZVOUS },
		{ "unknown", CTL_EXIT_PEER },
		{ "offline", CTL_EXIT_PEER },
		{ "certificate", CTL_EXIT_CERTIFICATE },
		{ "path", CTL_EXIT_PATH },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (strcmp(reason, row[i].reason) == 0)
			return row[i].code;
	if (err == HP_ERR_UNKNOWN)
		return CTL_EXIT_NOT_RUNNING;
	return err == HP_ERR_DENIED && !*reason ? CTL_EXIT_DENIED
					       : CTL_EXIT_OTHER;
}

static enum hp_err connect_fault(const char *path, const char *network,
				 struct hp_fault *f)
{
	int error = errno;

	if (error == ENOENT || error == ECONNREFUSED)
		return hp_fault_set(f, HP_ERR_UNKNOWN,
				    "start it with: sudo hptun up",
				    "the daemon of network %s is not running",
				    network);
	if (error == EACCES || error == EPERM)
		return hp_fault_set(f, HP_ERR_DENIED,
				    "use sudo, or set ControlGroup in the "
				    "network's configuration",
				    "this user may not use %.100s", path);
	return hp_fault_set(f, HP_ERR_IO, "", "%.100s: %s", path,
			    strerror(error));
}

enum hp_err ctl_open(const char *run_dir, const char *network,
		     struct ctl_conn **out, struct hp_fault *f)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ctl_conn *c = calloc(1, sizeof(*c));
	enum hp_err err;
	int len;

	if (!c)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	hp_lines_init(&c->in, ANSWER_MAX_LEN);
	len = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s.sock",
		       run_dir, network);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (len < 0 || (size_t)len >= sizeof(addr.sun_path))
		err = hp_fault_set(f, HP_ERR_FORMAT,
				   "choose a shorter --run-dir",
				   "the path of the control socket is too "
				   "long: %.100s", run_dir);
	else if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&addr,
				      sizeof(addr)))
		err = connect_fault(addr.sun_path, network, f);
	else
		err = HP_OK;
	if (err)
		ctl_close(c);
	else
		*out = c;
	return err;
}

void ctl_close(struct ctl_conn *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	hp_lines_free(&c->in);
	free(c);
}

enum hp_err ctl_ask(struct ctl_conn *c, json_t *request, struct hp_fault *f)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0, done = 0;

	json_decref(request);
	if (!text)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	/* The end of the line takes the place of the NUL. */
	text[len++] = '\n';
	while (done < len) {
		ssize_t n = send(c->fd, text + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* The daemon turned us away: its answer says why. */
		if (n < 0 && errno == EPIPE)
			break;
		if (n < 0) {
			free(text);
			return hp_fault_set(f, HP_ERR_IO, "",
					    "control socket: %s",
					    strerror(errno));
		}
		done += (size_t)n;
	}
	free(text);
	return HP_OK;
}

/* Waits for bytes until @end_ns. */
static enum hp_err wait_readable(int fd, uint64_t end_ns, struct hp_fault *f)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		uint64_t now_ns = hp_clock_now();
		int ms = -1, n;

		if (end_ns != HP_NEVER)
			ms = (int)((hp_time_since(end_ns, now_ns) + HP_MS - 1) /
				   HP_MS);
		n = poll(&p, 1, ms);
		if (n > 0)
			return HP_OK;
		if (n == 0)
			return hp_fault_set(f, HP_ERR_AGAIN, "",
					    "the daemon does not answer");
		if (errno != EINTR)
			return hp_fault_set(f, HP_ERR_IO, "", "poll: %s",
					    strerror(errno));
	}
}

enum hp_err ctl_read(struct ctl_conn *c, int timeout_ms, json_t **out,
		     struct hp_fault *f)
{
	uint64_t end_ns = HP_NEVER;
	enum hp_err err;
	json_error_t je;
	size_t len;
	char *line;

	if (timeout_ms >= 0)
		end_ns = hp_clock_now() + (uint64_t)timeout_ms * HP_MS;
	while (!(line = hp_lines_next(&c->in, &len))) {
		ssize_t n;

		err = wait_readable(c->fd, end_ns, f);
		if (err)
			return err;
		n = hp_lines_read(&c->in, c->fd);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return hp_fault_set(f, HP_ERR_SHORT,
					    "its log tells more",
					    "the daemon closed the connection");
		if (n < 0 && errno != EINTR)
			return hp_fault_set(f, HP_ERR_IO, "",
					    "control socket: %s",
					    strerror(errno));
	}
	*out = json_loadb(line, len, 0, &je);
	if (!*out)
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "are daemon and tools of one version?",
				    "the daemon's answer is not JSON: %.100s",
				    je.text);
	return HP_OK;
}

static const char *text_of(const json_t *doc, const char *key)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return s ? s : "";
}

enum hp_err ctl_verdict(const json_t *doc, char reason[CTL_REASON],
			struct hp_fault *f)
{
	const json_t *ok = json_object_get(doc, "ok");

	reason[0] = '\0';
	if (json_is_true(ok))
		return HP_OK;
	if (!json_is_false(ok))
		return HP_ERR_AGAIN;
	snprintf(reason, CTL_REASON, "%s", text_of(doc, "reason"));
	return hp_fault_set(f, HP_ERR_DENIED, text_of(doc, "remedy"), "%s",
			    text_of(doc, "error"));
}

enum hp_err ctl_call(const char *run_dir, const char *network,
		     json_t *request, json_t **out, char reason[CTL_REASON],
		     struct hp_fault *f)
{
	/* A question that may take its time says how much. */
	int ms = CALL_MS + (int)json_integer_value(
				   json_object_get(request, "timeout_ms"));
	struct ctl_conn *c = NULL;
	json_t *doc = NULL;
	enum hp_err err = ctl_open(run_dir, network, &c, f);

	reason[0] = '\0';
	if (err) {
		json_decref(request);
		return err;
	}
	err = ctl_ask(c, request, f);
	if (!err)
		err = ctl_read(c, ms, &doc, f);
	if (!err)
		err = ctl_verdict(doc, reason, f);
	if (err == HP_ERR_AGAIN && doc)
		err = hp_fault_set(f, HP_ERR_FORMAT, "", "the daemon answers "
				   "what was not asked");
	ctl_close(c);
	if (!doc)
		return err;
	*out = doc;
	return err;
}

enum hp_err ctl_stop(const char *run_dir, const char *network,
		     struct hp_fault *f)
{
	char file[HP_PATH_MAX], lock[HP_PATH_MAX];
	char reason[CTL_REASON];
	json_t *doc = NULL;
	enum hp_err err = ctl_call(run_dir, network,
				   json_pack("{s:s}", "op", "stop"), &doc,
				   reason, f);

	json_decref(doc);
	/* Who wanted it gone need not be told how to start it. */
	if (err == HP_ERR_UNKNOWN)
		f->remedy[0] = '\0';
	if (err)
		return err;
	snprintf(file, sizeof(file), "%s.pid", network);
	err = hp_path_join(lock, run_dir, file, f);
	if (err)
		return err;
	/* It holds its lock until its last act. */
	for (int ms = 0; hp_lock_holder(lock) != 0; ms += STOP_STEP_MS) {
		if (ms >= STOP_MS)
			return hp_fault_set(f, HP_ERR_AGAIN,
					    "its log tells more",
					    "the daemon of network %s does "
					    "not end", network);
		usleep(STOP_STEP_MS * 1000);
	}
	return HP_OK;
}
