/* SPDX-License-Identifier: ISC */
/* hptun leave: removes a network's keys from this host. */
#include <stdio.h>
#include <unistd.h>

#include "../cli.h"
#include "commands.h"

struct options {
	bool yes;
	bool root;
};

static enum hp_err set_yes(void *ctx, const char *v, struct hp_fault *f)
{
	return hp_value_bool(v, &((struct options *)ctx)->yes, f);
}

static enum hp_err set_root(void *ctx, const char *v, struct hp_fault *f)
{
	return hp_value_bool(v, &((struct options *)ctx)->root, f);
}

static const struct cli_opt opts[] = {
	{ "yes", NULL, "do not ask", set_yes },
	{ "root", NULL, "the root key, too: ends all inviting", set_root },
};

static const struct cli_spec spec = {
	.command = "hptun leave",
	.args = "",
	.about = "Removes the keys of a network from this host, and what it "
		 "learnt of its peers.\nThe other members are not told: hptun "
		 "revoke, on the host that invited, excludes\nthis name.",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
};

static enum hp_err daemon_check(const struct hp_store *s, struct hp_fault *f)
{
	pid_t pid = hp_lock_holder(s->lock);
	enum hp_err err;

	if (!pid)
		return HP_OK;
	err = hp_fault_set(f, HP_ERR_STATE, "",
			   "hptund runs for \"%s\" (process %ld)", s->name,
			   (long)pid);
	snprintf(f->remedy, sizeof(f->remedy),
		 "end it first: hptun down --network %s", s->name);
	return err;
}

static enum hp_err agree(const struct options *o, const struct hp_store *s,
			 struct hp_fault *f)
{
	char question[160];
	char path[HP_PATH_MAX];
	bool root;

	if (hp_path_join(path, s->config, "root.key", f))
		return HP_ERR_FULL;
	root = !access(path, F_OK);
	if (root && o->yes && !o->root)
		return hp_fault_set(f, HP_ERR_DENIED,
				    "copy it first, or add --root to remove "
				    "it all the same",
				    "this host holds the root key of \"%s\": "
				    "without it nobody can be invited or "
				    "revoked", s->name);
	if (o->yes)
		return HP_OK;
	if (!cli_can_ask())
		return hp_fault_set(f, HP_ERR_DENIED, "add --yes",
				    "there is no terminal to ask on");
	if (root)
		fprintf(stderr,
			"This host holds the root key: without it nobody can "
			"be invited or revoked.\n");
	snprintf(question, sizeof(question),
		 "Remove the network \"%s\" from this host for ever?",
		 s->name);
	if (cli_ask(question))
		return HP_OK;
	return hp_fault_set(f, HP_ERR_DENIED, "", "nothing was changed");
}

int cmd_leave(int argc, char **argv)
{
	struct options o = { 0 };
	struct hp_fault f = { 0 };
	char name[HP_NAME_TEXT];
	struct hp_store s;
	struct cli cli;
	enum hp_err err;
	int code;

	code = cli_parse(&spec, &o, &cli, argc, argv);
	if (code != CLI_GO)
		return code;
	/* Not opened: what is damaged must be removable too. */
	err = hp_store_pick(&cli.dirs, cli.network, name, &f);
	if (!err)
		err = hp_store_init(&s, &cli.dirs, name, &f);
	if (!err)
		err = daemon_check(&s, &f);
	if (!err)
		err = agree(&o, &s, &f);
	if (!err)
		err = hp_store_remove(&s, &f);
	if (err)
		return cli_fail(&cli, &f);
	printf("this host has left the network %s\n", name);
	return 0;
}
