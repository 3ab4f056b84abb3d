/* SPDX-License-Identifier: ISC */
/* hptun revoke: a new revocation list, on the holder of the root key. */
#include <stdio.h>
#include <string.h>

#include "../cli.h"
#include "commands.h"

static const struct cli_spec spec = {
	.command = "hptun revoke",
	.args = "NAME",
	.about = "Excludes NAME, and every token made for it. Works where "
		 "hptun init ran. Members\npass the news on to each other; "
		 "one that is offline learns of it when it is back.",
	.min_args = 1,
	.max_args = 1,
};

/* Marks the lines of @name; collects all revoked serials. */
static enum hp_err mark(struct hp_members *m, const char *name,
			uint32_t serials[HP_REVOKED_MAX], size_t *n,
			struct hp_fault *f)
{
	*n = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (!strcmp(m->member[i].name, name))
			m->member[i].revoked = true;
		if (!m->member[i].revoked)
			continue;
		if (*n == HP_REVOKED_MAX)
			return hp_fault_set(f, HP_ERR_FULL,
					    "make a new network and invite "
					    "those who stay",
					    "the revocation list is full: %d "
					    "entries", HP_REVOKED_MAX);
		serials[(*n)++] = m->member[i].serial;
	}
	return HP_OK;
}

static enum hp_err name_check(const struct hp_store *s,
			      const struct hp_members *m, const char *name,
			      struct hp_fault *f)
{
	if (!strcmp(name, s->id.cert.grant.name))
		return hp_fault_set(f, HP_ERR_DENIED, "",
				    "%s is this host", name);
	if (!hp_members_find(m, name))
		return hp_fault_set(f, HP_ERR_UNKNOWN,
				    "hptun peers lists who was",
				    "%s was never invited", name);
	return HP_OK;
}

static enum hp_err revoke(const struct hp_store *s, const char *name,
			  struct hp_fault *f)
{
	uint8_t list[HP_REVOKED_WIRE_MAX];
	uint32_t serials[HP_REVOKED_MAX];
	struct hp_members m = { 0 };
	struct hp_judge *j = NULL;
	enum hp_err err;
	size_t len;
	size_t n;

	err = hp_members_load(s, &m, f);
	if (!err)
		err = name_check(s, &m, name, f);
	if (!err)
		err = mark(&m, name, serials, &n, f);
	if (!err)
		err = hp_store_judge(s, &j, f);
	if (err)
		goto out;
	if (hp_judge_revoked_number(j) > m.number)
		m.number = hp_judge_revoked_number(j);
	/* The number is on disk before a list bears it. */
	m.number++;
	err = hp_members_save(s->config, &m, f);
	if (!err)
		err = hp_revoked_make(&s->root, m.number, serials, n, list,
				      &len);
	if (!err)
		err = hp_judge_revoke(j, list, len);
	if (!err)
		err = hp_store_save_revoked(s, j, f);
out:
	hp_judge_free(j);
	hp_members_free(&m);
	return err;
}

static int report(const struct hp_store *s, const char *name)
{
	printf("%s is revoked\n", name);
	if (hp_lock_holder(s->lock))
		printf("next:\n"
		       "  hptunctl reload       lets the daemon pass it on\n");
	return 0;
}

int cmd_revoke(int argc, char **argv)
{
	struct hp_store *s = NULL;
	struct hp_fault f = { 0 };
	char name[HP_NAME_TEXT];
	char lock[HP_PATH_MAX];
	struct cli cli;
	enum hp_err err;
	int fd = -1;
	int code;

	code = cli_parse(&spec, NULL, &cli, argc, argv);
	if (code != CLI_GO)
		return code;
	if (hp_name_parse(cli.args[0], name, &f))
		return cli_usage(cli.command, &f);
	err = hp_store_open(&cli.dirs, cli.network, &s, &f);
	if (!err)
		err = hp_path_join(lock, s->config, "lock", &f);
	if (!err)
		err = hp_lock_take(lock, &fd, &f);
	if (!err)
		err = revoke(s, name, &f);
	code = err ? cli_fail(&cli, &f) : report(s, name);
	hp_lock_release(lock, fd);
	hp_store_close(s);
	return code;
}
