/* SPDX-License-Identifier: ISC */
/* The members file, on the host that holds the root key. */
#include "sys/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sys/conf.h"
#include "sys/store_peers.h"

/* Longest line of the file, with its NUL. */
#define LINE_TEXT 128

void hp_members_free(struct hp_members *m)
{
	free(m->member);
	memset(m, 0, sizeof(*m));
}

enum hp_err hp_members_add(struct hp_members *m, const struct hp_member *one)
{
	struct hp_member *grown;

	grown = realloc(m->member, (m->n + 1) * sizeof(*grown));
	if (!grown)
		return HP_ERR_NOMEM;
	m->member = grown;
	m->member[m->n++] = *one;
	return HP_OK;
}

struct hp_member *hp_members_find(const struct hp_members *m, const char *name)
{
	for (size_t i = m->n; i-- > 0;)
		if (!strcmp(m->member[i].name, name))
			return &m->member[i];
	return NULL;
}

uint32_t hp_members_serial(const struct hp_members *m)
{
	uint32_t high = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->member[i].serial > high)
			high = m->member[i].serial;
	return high + 1;
}

static bool address_taken(const struct hp_members *m, const uint8_t ip[4])
{
	for (size_t i = 0; i < m->n; i++)
		if (!m->member[i].revoked &&
		    !memcmp(m->member[i].overlay.ip, ip, 4) &&
		    hp_members_find(m, m->member[i].name) == &m->member[i])
			return true;
	return false;
}

static bool stock_has(const struct hp_store *s, const struct hp_overlay *o)
{
	struct hp_addr addr = hp_overlay_addr4(o);
	struct hp_prefix host = hp_prefix_host(&addr);

	return hp_store_peer_at(s, &host) != NULL;
}

enum hp_err hp_members_free_address(const struct hp_members *m,
				    const struct hp_store *s,
				    struct hp_overlay *out)
{
	const struct hp_overlay *self = &s->id.cert.grant.overlay;
	uint32_t hosts = UINT32_MAX >> self->bits;
	uint32_t base = hp_get_be32(self->ip) & ~hosts;
	struct hp_overlay o = { .bits = self->bits };

	for (uint32_t host = 1; host < hosts; host++) {
		hp_put_be32(o.ip, base | host);
		if (address_taken(m, o.ip) || stock_has(s, &o))
			continue;
		*out = o;
		return HP_OK;
	}
	return HP_ERR_FULL;
}

static enum hp_err number_get(const char *text, uint64_t *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return HP_ERR_FORMAT;
	*out = strtoull(text, &end, 10);
	return *end ? HP_ERR_FORMAT : HP_OK;
}

/* "NAME SERIAL ADDRESS/BITS UNTIL invited|revoked" */
static enum hp_err member_parse(char *line, struct hp_member *out,
				struct hp_fault *f)
{
	static const char how[] = "NAME SERIAL ADDRESS/BITS UNTIL STATE";
	struct hp_member m = { 0 };
	uint64_t serial;
	char *field[5];

	for (size_t i = 0; i < 5; i++) {
		field[i] = strsep(&line, " ");
		if (!field[i])
			return hp_fault_set(f, HP_ERR_FORMAT, how,
					    "a member has five fields");
	}
	if (line)
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "something follows the fifth field");
	if (hp_name_parse(field[0], m.name, f) ||
	    hp_overlay_parse(field[2], &m.overlay, f))
		return HP_ERR_FORMAT;
	if (number_get(field[1], &serial) || serial > UINT32_MAX ||
	    number_get(field[3], &m.until_s))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "a number of %s is damaged", m.name);
	m.serial = (uint32_t)serial;
	m.revoked = !strcmp(field[4], "revoked");
	if (!m.revoked && strcmp(field[4], "invited"))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "the state is invited or revoked",
				    "\"%s\" is not a state", field[4]);
	*out = m;
	return HP_OK;
}

static enum hp_err line_read(struct hp_members *m, char *line,
			     struct hp_fault *f)
{
	struct hp_member one;
	uint64_t number;
	enum hp_err err;

	if (!line[0] || line[0] == '#')
		return HP_OK;
	if (!strncmp(line, "revocations ", 12)) {
		if (number_get(line + 12, &number) || number > UINT32_MAX)
			return hp_fault_set(f, HP_ERR_FORMAT,
					    "revocations NUMBER",
					    "this is not a number");
		m->number = (uint32_t)number;
		return HP_OK;
	}
	err = member_parse(line, &one, f);
	if (!err && hp_members_add(m, &one))
		err = hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	return err;
}

enum hp_err hp_members_load(const struct hp_store *s, struct hp_members *out,
			    struct hp_fault *f)
{
	struct hp_members m = { 0 };
	char path[HP_PATH_MAX];
	enum hp_err err = HP_OK;
	unsigned int n = 0;
	char *text;
	size_t len;
	char *save;
	char *line;

	if (!s->has_root)
		return hp_fault_set(f, HP_ERR_DENIED,
				    "run the command on the host where the "
				    "network was made with hptun init",
				    "this host does not hold the root key of "
				    "\"%s\"", s->name);
	err = hp_path_join(path, s->config, "members", f);
	if (!err)
		err = hp_file_load(path, false, &text, &len, f);
	if (err)
		return err;
	save = text;
	while (!err && (line = strsep(&save, "\n"))) {
		n++;
		err = line_read(&m, line, f);
	}
	hp_file_free(text, len);
	if (err && f) {
		f->line = n;
		f->column = 1;
		hp_fault_in_file(f, path);
	}
	if (err)
		hp_members_free(&m);
	else
		*out = m;
	return err;
}

enum hp_err hp_members_save(const char *dir, const struct hp_members *m,
			    struct hp_fault *f)
{
	size_t cap = (m->n + 2) * LINE_TEXT;
	char *text = malloc(cap);
	char path[HP_PATH_MAX];
	enum hp_err err;
	size_t len;

	if (!text)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	len = (size_t)snprintf(text, cap,
			       "# NAME SERIAL ADDRESS UNTIL STATE\n"
			       "revocations %" PRIu32 "\n", m->number);
	for (size_t i = 0; i < m->n; i++) {
		const struct hp_member *one = &m->member[i];
		const uint8_t *ip = one->overlay.ip;

		len += (size_t)snprintf(
			text + len, cap - len,
			"%s %" PRIu32 " %u.%u.%u.%u/%u %" PRIu64 " %s\n",
			one->name, one->serial, ip[0], ip[1], ip[2], ip[3],
			one->overlay.bits, one->until_s,
			one->revoked ? "revoked" : "invited");
	}
	err = hp_path_join(path, dir, "members", f);
	if (!err)
		err = hp_file_save(path, text, len, 0600, f);
	free(text);
	return err;
}
