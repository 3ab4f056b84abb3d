/* SPDX-License-Identifier: ISC */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "member/network.h"
#include "meet/registry.h"
#include "meet/wire.h"
#include "sys/conf.h"
#include "sys/cpu.h"
#include "sys/disk.h"

static const char usage[] =
	"usage: hptun-rendezvous [option ...]\n"
	"\n"
	"Introduces the nodes of hptun networks to each other, relays for those\n"
	"that cannot meet, and answers STUN. Keeps nothing on disk.\n"
	"\n"
	"  --listen ADDR[:PORT]  listen here, on PORT and the next one; may be\n"
	"                        given again (default: all addresses, 8888)\n"
	"  --listen-tcp ADDR[:PORT]  serve nodes whose UDP is blocked over TCP, too\n"
	"                        (port 8888); may be given again\n"
	"  --listen-tls ADDR[:PORT]  the same over TLS 1.3 (port 443)\n"
	"  --cert FILE           certificate and its chain for TLS, PEM\n"
	"  --key FILE            its key, PEM; both are read again on SIGHUP\n"
	"  --allow FILE          serve only the networks in FILE, one key a line\n"
	"                        (default: every network); read again on SIGHUP\n"
	"  --no-relay            introduce only, relay nothing\n"
	"  --relay-rate BYTES    per second and pair of nodes; k, M and G may\n"
	"                        follow, 0 is no limit (default: 4M)\n"
	"  --max-nodes N         serve at most N nodes (default: 16384)\n"
	"  --max-source N        at most N of them from one IPv4 address or IPv6\n"
	"                        /64 (default: 256)\n"
	"  --threads N           forward with N threads (default: one for each\n"
	"                        processor, 64 at most)\n"
	"  --config FILE         read these settings from FILE first\n"
	"  --check               check the configuration and end\n"
	"  --help                print this and end\n"
	"  --version             print the version and end\n"
	"\n"
	"UDP ports 8888 and 8889 must be open in every firewall before the\n"
	"server, the cloud provider's included. See hptun-rendezvous(8).\n";

enum option_id {
	OPT_LISTEN = 256,
	OPT_LISTEN_TCP,
	OPT_LISTEN_TLS,
	OPT_CERT,
	OPT_KEY,
	OPT_ALLOW,
	OPT_NO_RELAY,
	OPT_RELAY_RATE,
	OPT_MAX_NODES,
	OPT_MAX_SOURCE,
	OPT_THREADS,
	OPT_CONFIG,
	OPT_CHECK,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "listen-tcp", required_argument, NULL, OPT_LISTEN_TCP },
	{ "listen-tls", required_argument, NULL, OPT_LISTEN_TLS },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "allow", required_argument, NULL, OPT_ALLOW },
	{ "no-relay", no_argument, NULL, OPT_NO_RELAY },
	{ "relay-rate", required_argument, NULL, OPT_RELAY_RATE },
	{ "max-nodes", required_argument, NULL, OPT_MAX_NODES },
	{ "max-source", required_argument, NULL, OPT_MAX_SOURCE },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

static enum hp_err add_listen(struct hp_addr *list, size_t *n,
			      const struct hp_addr *a, struct hp_fault *f)
{
	if (*n == RV_LISTEN_MAX)
		return hp_fault_set(f, HP_ERR_FULL,
				    "0.0.0.0 and :: stand for all addresses",
				    "more than %d addresses to listen at",
				    RV_LISTEN_MAX);
	list[(*n)++] = *a;
	return HP_OK;
}

static enum hp_err set_listen(void *ctx, const char *value, struct hp_fault *f)
{
	struct rv_options *o = ctx;
	struct hp_addr a;
	enum hp_err err = hp_addr_parse(value, HP_MEET_PORT, &a, f);

	if (err)
		return err;
	if (a.port == UINT16_MAX)
		return hp_fault_set(f, HP_ERR_FORMAT, "take 65534 or less",
				    "there is no port after 65535");
	return add_listen(o->listen, &o->n_listen, &a, f);
}

static enum hp_err set_listen_tcp(void *ctx, const char *value,
				  struct hp_fault *f)
{
	struct rv_options *o = ctx;
	struct hp_addr a;
	enum hp_err err = hp_addr_parse(value, HP_MEET_PORT, &a, f);

	return err ? err : add_listen(o->tcp, &o->n_tcp, &a, f);
}

static enum hp_err set_listen_tls(void *ctx, const char *value,
				  struct hp_fault *f)
{
	struct rv_options *o = ctx;
	struct hp_addr a;
	enum hp_err err = hp_addr_parse(value, HP_SERVER_TLS_PORT, &a, f);

	return err ? err : add_listen(o->tls, &o->n_tls, &a, f);
}

static enum hp_err set_path(char out[256], const char *value,
			    struct hp_fault *f)
{
	if (!*value || strlen(value) >= 256)
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "give the path of a file, below 256 bytes",
				    "this is no path: '%.40s'", value);
	strcpy(out, value);
	return HP_OK;
}

static enum hp_err set_cert(void *ctx, const char *value, struct hp_fault *f)
{
	return set_path(((struct rv_options *)ctx)->cert, value, f);
}

static enum hp_err set_key(void *ctx, const char *value, struct hp_fault *f)
{
	return set_path(((struct rv_options *)ctx)->key, value, f);
}

static enum hp_err set_allow(void *ctx, const char *value, struct hp_fault *f)
{
	return set_path(((struct rv_options *)ctx)->allow, value, f);
}

static enum hp_err set_relay(void *ctx, const char *value, struct hp_fault *f)
{
	return hp_value_bool(value, &((struct rv_options *)ctx)->relay, f);
}

/* A factor that may follow a number; 0 when @c is none. */
static uint64_t factor(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 1000;
	case 'M':
		return 1000000;
	case 'G':
		return 1000000000;
	default:
		return 0;
	}
}

static enum hp_err set_relay_rate(void *ctx, const char *value,
				  struct hp_fault *f)
{
	struct rv_options *o = ctx;
	size_t len = strlen(value);
	uint64_t by = len ? factor(value[len - 1]) : 0;
	char digits[16] = { 0 };
	uint32_t n;

	if (len && len < sizeof(digits))
		memcpy(digits, value, by ? len - 1 : len);
	if (hp_value_u32(digits, 0, UINT32_MAX, &n, NULL) ||
	    n * (by ? by : 1) > UINT32_MAX)
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "write bytes per second: 500k, 4M, or 0 "
				    "for no limit; below 4.2G",
				    "this is no rate: '%.40s'", value);
	o->relay_rate = (uint32_t)(n * (by ? by : 1));
	return HP_OK;
}

static enum hp_err set_max_nodes(void *ctx, const char *value,
				 struct hp_fault *f)
{
	struct rv_options *o = ctx;

	return hp_value_u32(value, 1, 10000000, &o->max_nodes, f);
}

static enum hp_err set_max_source(void *ctx, const char *value,
				  struct hp_fault *f)
{
	struct rv_options *o = ctx;

	return hp_value_u32(value, 1, 10000000, &o->max_source, f);
}

static enum hp_err set_threads(void *ctx, const char *value,
			       struct hp_fault *f)
{
	struct rv_options *o = ctx;

	return hp_value_u32(value, 1, RV_THREADS_MAX, &o->threads, f);
}

static uint32_t processors(void)
{
	unsigned int n = hp_cpu_count();

	return n < RV_THREADS_MAX ? n : RV_THREADS_MAX;
}

static enum hp_err load_config(struct rv_options *o, const char *path,
			       struct hp_fault *f)
{
	static const struct hp_conf_key keys[] = {
		{ .name = "Listen", .set = set_listen, .many = true },
		{ .name = "ListenTCP", .set = set_listen_tcp, .many = true },
		{ .name = "ListenTLS", .set = set_listen_tls, .many = true },
		{ .name = "Certificate", .set = set_cert },
		{ .name = "Key", .set = set_key },
		{ .name = "Allow", .set = set_allow },
		{ .name = "Relay", .set = set_relay },
		{ .name = "RelayRate", .set = set_relay_rate },
		{ .name = "MaxNodes", .set = set_max_nodes },
		{ .name = "MaxSource", .set = set_max_source },
		{ .name = "Threads", .set = set_threads },
	};
	static const struct hp_conf_section all = {
		.name = "",
		.keys = keys,
		.n_keys = sizeof(keys) / sizeof(keys[0]),
	};

	return hp_conf_load(path, &all, 1, o, f);
}

static enum hp_err set_option(struct rv_options *o, int id, const char *value,
			      struct hp_fault *f)
{
	switch ((enum option_id)id) {
	case OPT_LISTEN:
		return set_listen(o, value, f);
	case OPT_LISTEN_TCP:
		return set_listen_tcp(o, value, f);
	case OPT_LISTEN_TLS:
		return set_listen_tls(o, value, f);
	case OPT_CERT:
		return set_cert(o, value, f);
	case OPT_KEY:
		return set_key(o, value, f);
	case OPT_ALLOW:
		return set_allow(o, value, f);
	case OPT_NO_RELAY:
		o->relay = false;
		return HP_OK;
	case OPT_RELAY_RATE:
		return set_relay_rate(o, value, f);
	case OPT_MAX_NODES:
		return set_max_nodes(o, value, f);
	case OPT_MAX_SOURCE:
		return set_max_source(o, value, f);
	case OPT_THREADS:
		return set_threads(o, value, f);
	case OPT_CHECK:
		o->check = true;
		return HP_OK;
	case OPT_CONFIG:
	case OPT_HELP:
	case OPT_VERSION:
		return HP_OK;
	}
	return HP_ERR_STATE;
}

static void name_option(struct hp_fault *f, const char *name)
{
	char cause[sizeof(f->cause)];

	memcpy(cause, f->cause, sizeof(cause));
	snprintf(f->cause, sizeof(f->cause), "--%s: %.200s", name, cause);
}

static enum rv_parsed unknown_option(const char *word, struct hp_fault *f)
{
	const char *names[sizeof(options) / sizeof(options[0])];
	const char *near;
	size_t n = 0;

	for (; options[n].name; n++)
		names[n] = options[n].name;
	near = hp_suggest(word + strspn(word, "-"), names, n);
	hp_fault_set(f, HP_ERR_FORMAT, "hptun-rendezvous --help lists them",
		     "unknown option, or its value is missing: %.80s", word);
	if (near)
		snprintf(f->remedy, sizeof(f->remedy), "did you mean --%s?",
			 near);
	return RV_WRONG;
}

/* First pass: what ends the program at once, and where the file is. */
static enum rv_parsed look_ahead(int argc, char **argv, const char **config,
				 bool *listens, struct hp_fault *f)
{
	int id;

	opterr = 0;
	optind = 1;
	while ((id = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (id == '?' || id == ':')
			return unknown_option(argv[optind - 1], f);
		if (id == OPT_HELP) {
			fputs(usage, stdout);
			return RV_DONE;
		}
		if (id == OPT_VERSION) {
			puts("hptun-rendezvous " HP_VERSION);
			return RV_DONE;
		}
		if (id == OPT_CONFIG)
			*config = optarg;
		*listens |= id == OPT_LISTEN;
	}
	if (optind < argc) {
		hp_fault_set(f, HP_ERR_FORMAT,
			     "hptun-rendezvous --help shows the options",
			     "'%.80s' is no option", argv[optind]);
		return RV_WRONG;
	}
	return RV_RUN;
}

enum rv_parsed rv_options_parse(struct rv_options *o, int argc, char **argv,
				struct hp_fault *f)
{
	const struct hp_registry_config d = hp_registry_defaults();
	const char *config = NULL;
	bool listens = false;
	enum rv_parsed p = look_ahead(argc, argv, &config, &listens, f);
	int id, at;

	if (p != RV_RUN)
		return p;
	*o = (struct rv_options){
		.relay = d.relay,
		.relay_rate = d.relay_rate,
		.max_nodes = (uint32_t)d.max_nodes,
		.max_source = (uint32_t)d.max_source,
		.threads = processors(),
	};
	if (config && load_config(o, config, f))
		return RV_WRONG;
	if (listens)
		o->n_listen = 0;
	optind = 1;
	while ((id = getopt_long(argc, argv, "+:", options, &at)) != -1) {
		if (set_option(o, id, optarg, f)) {
			name_option(f, options[at].name);
			return RV_WRONG;
		}
	}
	if (o->n_tls && (!o->cert[0] || !o->key[0])) {
		hp_fault_set(f, HP_ERR_FORMAT,
			     "name their files with --cert and --key",
			     "TLS needs a certificate and its key");
		return RV_WRONG;
	}
	return RV_RUN;
}

/* One line of the file of networks; *@has: it holds a key. */
static enum hp_err allow_line(char *line, struct hp_public *id, bool *has,
			      struct hp_fault *f)
{
	size_t blank = strspn(line, " \t\r");
	char *word = line + blank;
	enum hp_err err;

	word[strcspn(word, " \t\r#")] = '\0';
	*has = *word;
	if (!*has)
		return HP_OK;
	err = hp_public_parse(word, id);
	if (err) {
		hp_fault_set(f, err,
			     "`hptun init` prints it: 44 characters of base64",
			     "this is no network key: '%.60s'", word);
		f->column = (unsigned int)blank + 1;
	}
	return err;
}

enum hp_err rv_allow_load(const char *path, struct hp_public **ids, size_t *n,
			  struct hp_fault *f)
{
	struct hp_public *list = NULL;
	unsigned int number = 0;
	char *text, *rest, *line;
	size_t len, have = 0;
	enum hp_err err = hp_file_load(path, false, &text, &len, f);

	if (err)
		return err;
	list = calloc(len / (HP_KEY_TEXT - 1) + 1, sizeof(*list));
	if (!list)
		err = hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	rest = text;
	while (!err && (line = strsep(&rest, "\n"))) {
		bool has;

		number++;
		err = allow_line(line, &list[have], &has, f);
		if (!err)
			have += has;
	}
	if (err && err != HP_ERR_NOMEM && f) {
		f->line = number;
		hp_fault_in_file(f, path);
	}
	hp_file_free(text, len);
	if (err) {
		free(list);
		return err;
	}
	*ids = list;
	*n = have;
	return HP_OK;
}
