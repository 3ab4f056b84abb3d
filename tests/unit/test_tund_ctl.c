/* SPDX-License-Identifier: ISC */
/*
 * The control socket: a real one, before an engine that reaches nobody, with
 * clients that behave and clients that do not. The server runs in a thread of
 * its own; the tests are its clients.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tund/ctl.h"
#include "base/crypto.h"
#include "base/time.h"
#include "member/cert.h"
#include "node/node.h"
#include "sys/clock.h"
#include "sys/lines.h"
#include "sys/loop.h"
#include "sys/rng.h"
#include "sys/store.h"

/* No answer in this time is none. */
#define WAIT_MS 5000

struct world {
	struct hp_loop *loop;
	struct hp_network net;
	struct hp_identity id;
	struct hp_node *node;
	struct ctl *ctl;
	pthread_t thread;
	char dir[32];
	char path[64];
	enum hp_err reload;
};

/* One end of a conversation. */
struct client {
	int fd;
	struct hp_lines in;
};

static void op_send(void *ctx, const struct hp_path *path, int ttl,
		    const uint8_t *buf, size_t len)
{
	(void)ctx;
	(void)path;
	(void)ttl;
	(void)buf;
	(void)len;
}

static void op_deliver(void *ctx, const char *peer, struct hp_pkt *inner)
{
	(void)ctx;
	(void)peer;
	(void)inner;
}

static void op_event(void *ctx, const struct hp_node_event *ev)
{
	struct world *w = ctx;

	if (w->ctl)
		ctl_event(w->ctl, ev);
}

static void op_timestamp(void *ctx, uint8_t out[12])
{
	(void)ctx;
	memset(out, 0, 12);
}

static enum hp_err on_reload(void *ctx, struct hp_fault *f)
{
	struct world *w = ctx;

	return w->reload ? hp_fault_set(f, w->reload, "mend it",
					"line 3 is wrong")
			 : HP_OK;
}

static void on_stop(void *ctx)
{
	hp_loop_stop(((struct world *)ctx)->loop);
}

static void on_facts(void *ctx, struct ctl_facts *out)
{
	(void)ctx;
	*out = (struct ctl_facts){ .device = "hptun7", .mtu = 1408,
				   .prefix = "10.9.0.1/24", .port = 4242 };
}

static const struct hp_stock_peer *on_stock(void *ctx,
					    const struct hp_public *key,
					    const char *name)
{
	static const struct hp_stock_peer phone = { .name = "phone" };

	(void)ctx;
	return !key && !strcmp(name, phone.name) ? &phone : NULL;
}

static uint64_t node_deadline(void *ctx)
{
	return hp_node_deadline(((struct world *)ctx)->node);
}

static void node_tick(void *ctx, uint64_t now_ns)
{
	hp_node_tick(((struct world *)ctx)->node, now_ns);
}

static void make_node(struct world *w)
{
	static const struct hp_server server = { .host = "s.test", .port = 8888 };
	struct hp_overlay overlay = { { 10, 9, 0, 1 }, 24 };
	struct hp_node_config cfg = {
		.net = &w->net,
		.identity = &w->id,
		.n_servers = 1,
		.servers = { { .name = "s.test:8888" } },
		.mtu = 1408,
		.rng = hp_rng_system(),
		.ops = { .send = op_send, .deliver = op_deliver,
			 .event = op_event, .timestamp = op_timestamp },
		.ctx = w,
	};
	struct hp_secret root, secret;
	struct hp_public id;

	hp_sign_keypair(&cfg.rng, &root, &id);
	hp_rng_fill(&cfg.rng, &secret, sizeof(secret));
	hp_network_init(&w->net, "home", &id, &secret);
	assert_int_equal(hp_network_add_server(&w->net, &server), HP_OK);
	hp_identity_root(&root, 1, "alice", &overlay, &cfg.rng, &w->id);
	assert_int_equal(hp_node_new(&cfg, &w->node), HP_OK);
	hp_node_start(w->node, 4242, hp_clock_wall_s(), hp_clock_now());
}

static void *serve(void *arg)
{
	struct world *w = arg;

	if (hp_loop_run(w->loop))
		abort();
	return NULL;
}

static struct ctl_cfg config(struct world *w)
{
	return (struct ctl_cfg){
		.loop = w->loop,
		.node = w->node,
		.network = "home",
		.path = w->path,
		.version = "1.2.3",
		.ctx = w,
		.reload = on_reload,
		.stop = on_stop,
		.facts = on_facts,
		.stock = on_stock,
	};
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct hp_loop_timed timed = { node_deadline, node_tick, w };
	struct ctl_cfg cfg;
	struct hp_fault f;

	assert_non_null(w);
	assert_int_equal(hp_crypto_init(), HP_OK);
	strcpy(w->dir, "/tmp/hptun-ctl-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/home.sock", w->dir);
	w->loop = hp_loop_new();
	assert_non_null(w->loop);
	make_node(w);
	assert_int_equal(hp_loop_timed(w->loop, &timed), HP_OK);
	cfg = config(w);
	assert_int_equal(ctl_new(&cfg, &w->ctl, &f), HP_OK);
	assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
	*state = w;
	return 0;
}

static struct client dial(const struct world *w)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct client c = { .fd = socket(AF_UNIX, SOCK_STREAM, 0) };

	strcpy(addr.sun_path, w->path);
	assert_true(c.fd >= 0);
	assert_int_equal(connect(c.fd, (const void *)&addr, sizeof(addr)), 0);
	hp_lines_init(&c.in, 1 << 20);
	return c;
}

static void hang_up(struct client *c)
{
	close(c->fd);
	hp_lines_free(&c->in);
}

static void say(const struct client *c, const char *text)
{
	assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

/* The next document; NULL when the server hung up. */
static json_t *hear(struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	json_t *doc;
	char *line;

	while (!(line = hp_lines_next(&c->in, NULL))) {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		if (hp_lines_read(&c->in, c->fd) <= 0)
			return NULL;
	}
	doc = json_loads(line, 0, NULL);
	assert_non_null(doc);
	return doc;
}

/* Skips events to the end of an answer: its word, "ok" when it went well. */
static void verdict(struct client *c, const char *want)
{
	for (;;) {
		json_t *doc = hear(c), *ok;
		const char *reason;

		assert_non_null(doc);
		ok = json_object_get(doc, "ok");
		reason = json_string_value(json_object_get(doc, "reason"));
		if (ok) {
			assert_string_equal(json_is_true(ok) ? "ok" : reason,
					    want);
			json_decref(doc);
			return;
		}
		json_decref(doc);
	}
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct client c = dial(w);
	struct stat st;

	say(&c, "{\"op\":\"stop\"}\n");
	verdict(&c, "ok");
	pthread_join(w->thread, NULL);
	ctl_free(w->ctl);
	assert_null(hear(&c));
	hang_up(&c);
	assert_int_equal(stat(w->path, &st), -1);
	hp_node_free(w->node);
	hp_loop_free(w->loop);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

static void status_has_the_documented_fields(void **state)
{
	static const char *const fields[] = {
		"network", "name", "addresses", "device", "mtu", "port",
		"threads", "crypto", "crypto_ns", "version", "rendezvous", "peers",
	};
	struct client c = dial(*state);
	json_t *doc;

	say(&c, "{\"op\":\"status\"}\n");
	doc = hear(&c);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!json_object_get(doc, fields[i]))
			fail_msg("no %s", fields[i]);
	assert_string_equal(json_string_value(json_object_get(doc, "name")),
			    "alice");
	assert_int_equal(json_array_size(json_object_get(doc, "rendezvous")),
			 1);
	json_decref(doc);
	hang_up(&c);
}

static void socket_is_its_owners_alone(void **state)
{
	const struct world *w = *state;
	struct stat st;

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, geteuid());
}

static void request_is_read_however_it_is_cut(void **state)
{
	static const char text[] = "\n{\"op\":\"status\"}\r\n";
	struct client c = dial(*state);

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		char part[sizeof(text)];

		snprintf(part, cut + 1, "%s", text);
		say(&c, part);
		usleep(500);
		say(&c, text + cut);
		verdict(&c, "ok");
	}
	hang_up(&c);
}

static void garbage_is_answered_and_the_next_request_too(void **state)
{
	static const char *const bad[] = {
		"hello", "{", "[]", "null", "{}", "{\"op\":1}",
		"{\"op\":\"nothing\"}", "{\"op\":\"a\",\"op\":\"b\"}",
		"{\"op\":\"\xff\xfe\"}", "\"\\u0000\"",
		"{\"op\":\"status\"} trailing", "{\"op\":\"ping\"}",
		"{\"op\":\"reload\"", "\x01\x02\x03",
		"{\"op\":\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9x"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\"}",
	};
	struct client c = dial(*state);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *doc;

		say(&c, bad[i]);
		say(&c, "\n");
		doc = hear(&c);
		assert_true(json_is_false(json_object_get(doc, "ok")));
		assert_true(json_string_length(
				    json_object_get(doc, "error")) > 0);
		json_decref(doc);
	}
	say(&c, "{\"op\":\"status\"}\n");
	verdict(&c, "ok");
	hang_up(&c);
}

static void huge_request_is_refused_and_its_sender_dropped(void **state)
{
	struct client c = dial(*state);
	char *big = malloc(80001);

	assert_non_null(big);
	memset(big, 'x', 80000);
	big[80000] = '\0';
	/* The server may hang up in the middle of it. */
	if (send(c.fd, big, 80000, MSG_NOSIGNAL) < 0)
		assert_int_equal(errno, EPIPE);
	verdict(&c, "request");
	assert_null(hear(&c));
	free(big);
	hang_up(&c);
}

static void requests_sent_at_once_are_answered_in_order(void **state)
{
	struct client c = dial(*state);

	say(&c, "{\"op\":\"peers\"}\n{\"op\":\"up\",\"peers\":[\"bob\"],"
		"\"timeout_ms\":50}\nrubbish\n{\"op\":\"status\"}\n");
	/* It may close its sending side and still hears all. */
	assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
	verdict(&c, "ok");
	verdict(&c, "rendezvous");
	verdict(&c, "request");
	verdict(&c, "ok");
	assert_null(hear(&c));
	hang_up(&c);
}

static void up_says_why_not(void **state)
{
	static const struct {
		const char *request, *reason;
	} row[] = {
		{ "{\"op\":\"up\",\"peers\":[\"bob\"],\"timeout_ms\":20}",
		  "rendezvous" },
		{ "{\"op\":\"up\",\"timeout_ms\":20}", "rendezvous" },
		{ "{\"op\":\"up\",\"peers\":[\"bob\"],\"timeout_ms\":-5}",
		  "rendezvous" },
		{ "{\"op\":\"up\",\"peers\":[\"alice\"]}", "unknown" },
		{ "{\"op\":\"up\",\"peers\":[\"no name\"]}", "unknown" },
		{ "{\"op\":\"up\",\"peers\":[7]}", "unknown" },
		{ "{\"op\":\"up\",\"peers\":[\"Phone\"]}", "unknown" },
		{ "{\"op\":\"up\",\"peers\":[\"bob\"],\"wait\":false}", "ok" },
		{ "{\"op\":\"ping\",\"peer\":\"zoe\"}", "unknown" },
		{ "{\"op\":\"ping\",\"peer\":\"bob\",\"count\":1}", "ok" },
	};
	struct client c = dial(*state);

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		say(&c, row[i].request);
		say(&c, "\n");
		verdict(&c, row[i].reason);
	}
	hang_up(&c);
}

/* Also where there is nothing to be hoped for: the doctor answers with facts. */
static void doctor_names_the_cause(void **state)
{
	static const struct {
		const char *request, *cause;
	} row[] = {
		{ "{\"op\":\"doctor\",\"peer\":\"zoe\"}", "peer-unknown" },
		{ "{\"op\":\"doctor\",\"peer\":\"bob\",\"timeout_ms\":20}",
		  "rendezvous-unreachable" },
	};
	static const char *const fields[] = {
		"peer", "state", "cause", "why", "remedy", "findings", "here",
		"there", "pairs", "path_mtu",
	};
	struct client c = dial(*state);

	say(&c, "{\"op\":\"up\",\"peers\":[\"bob\"],\"wait\":false}\n");
	verdict(&c, "ok");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		json_t *doc;

		say(&c, row[i].request);
		say(&c, "\n");
		doc = hear(&c);
		assert_true(json_is_true(json_object_get(doc, "ok")));
		for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
			if (!json_object_get(doc, fields[k]))
				fail_msg("no %s", fields[k]);
		assert_string_equal(json_string_value(json_object_get(
					    doc, "cause")), row[i].cause);
		assert_non_null(json_object_get(json_object_get(doc, "here"),
						"port_mapping"));
		json_decref(doc);
	}
	say(&c, "{\"op\":\"doctor\"}\n");
	verdict(&c, "request");
	say(&c, "{\"op\":\"doctor\",\"peer\":\"no name\"}\n");
	verdict(&c, "unknown");
	say(&c, "{\"op\":\"doctor\",\"peer\":\"alice\"}\n");
	verdict(&c, "unknown");
	hang_up(&c);
}

static void reload_reports_what_is_wrong(void **state)
{
	struct world *w = *state;
	struct client c = dial(w);

	say(&c, "{\"op\":\"reload\"}\n");
	verdict(&c, "ok");
	w->reload = HP_ERR_FORMAT;
	say(&c, "{\"op\":\"reload\"}\n");
	verdict(&c, "config");
	hang_up(&c);
}

static void watch_goes_on_until_its_client_goes(void **state)
{
	struct client c = dial(*state);
	unsigned int pictures = 0;

	say(&c, "{\"op\":\"watch\",\"every_ms\":200}\n");
	while (pictures < 3) {
		json_t *doc = hear(&c);
		const char *event = json_string_value(
			json_object_get(doc, "event"));

		assert_non_null(event);
		pictures += strcmp(event, "status") == 0;
		json_decref(doc);
	}
	hang_up(&c);
}

static void one_client_too_many_is_turned_away(void **state)
{
	struct client c[40];
	unsigned int served = 0;

	for (size_t i = 0; i < 40; i++) {
		json_t *doc;

		c[i] = dial(*state);
		if (send(c[i].fd, "{\"op\":\"peers\"}\n", 15,
			 MSG_NOSIGNAL) < 0)
			assert_int_equal(errno, EPIPE);
		doc = hear(&c[i]);
		assert_non_null(doc);
		served += json_is_true(json_object_get(doc, "ok"));
		json_decref(doc);
	}
	/* Some of those before may not be gone yet. */
	assert_in_range(served, 28, 32);
	for (size_t i = 0; i < 40; i++)
		hang_up(&c[i]);
	/* There is room again. */
	for (unsigned int tries = 0;; tries++) {
		json_t *doc;
		bool ok;

		usleep(2000);
		c[0] = dial(*state);
		if (send(c[0].fd, "{\"op\":\"peers\"}\n", 15,
			 MSG_NOSIGNAL) < 0)
			assert_int_equal(errno, EPIPE);
		doc = hear(&c[0]);
		ok = json_is_true(json_object_get(doc, "ok"));
		json_decref(doc);
		hang_up(&c[0]);
		if (ok)
			return;
		assert_true(tries < 500);
	}
}

static void who_does_not_read_is_dropped(void **state)
{
	struct client slow = dial(*state), c = dial(*state);
	unsigned int sent = 0;
	int flags = fcntl(slow.fd, F_GETFL);

	/* Four MiB of answers and what the kernel holds. */
	assert_int_equal(fcntl(slow.fd, F_SETFL, flags | O_NONBLOCK), 0);
	for (unsigned int idle = 0; idle < 2000 && sent < 200000;) {
		ssize_t n = send(slow.fd, "{\"op\":\"status\"}\n", 16,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EPIPE)
			break;
		if (n < 0) {
			idle++;
			usleep(500);
		} else {
			idle = 0;
			sent++;
		}
	}
	assert_true(sent < 200000);
	/* Others are served meanwhile. */
	say(&c, "{\"op\":\"status\"}\n");
	verdict(&c, "ok");
	hang_up(&slow);
	hang_up(&c);
}

static void unknown_owner_and_group_are_refused(void **state)
{
	struct world *w = *state;
	struct hp_loop *loop = hp_loop_new();
	struct ctl_cfg cfg = config(w);
	struct ctl *ctl = NULL;
	struct hp_fault f;
	char long_path[200];

	cfg.loop = loop;
	cfg.path = "/tmp/hptun-ctl-unused.sock";
	cfg.owner = "nobody-of-this-name";
	assert_int_equal(ctl_new(&cfg, &ctl, &f), HP_ERR_UNKNOWN);
	cfg.owner = NULL;
	cfg.group = "nobody-of-this-name";
	assert_int_equal(ctl_new(&cfg, &ctl, &f), HP_ERR_UNKNOWN);
	cfg.group = NULL;
	cfg.path = "/nowhere-at-all/x.sock";
	assert_int_equal(ctl_new(&cfg, &ctl, &f), HP_ERR_IO);
	memset(long_path, 'a', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	cfg.path = long_path;
	assert_int_equal(ctl_new(&cfg, &ctl, &f), HP_ERR_FORMAT);
	hp_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_has_the_documented_fields),
		cmocka_unit_test(socket_is_its_owners_alone),
		cmocka_unit_test(request_is_read_however_it_is_cut),
		cmocka_unit_test(garbage_is_answered_and_the_next_request_too),
		cmocka_unit_test(
			huge_request_is_refused_and_its_sender_dropped),
		cmocka_unit_test(requests_sent_at_once_are_answered_in_order),
		cmocka_unit_test(up_says_why_not),
		cmocka_unit_test(doctor_names_the_cause),
		cmocka_unit_test(reload_reports_what_is_wrong),
		cmocka_unit_test(watch_goes_on_until_its_client_goes),
		cmocka_unit_test(one_client_too_many_is_turned_away),
		cmocka_unit_test(who_does_not_read_is_dropped),
		cmocka_unit_test(unknown_owner_and_group_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
