/* SPDX-License-Identifier: ISC */
/*
 * The part of the store that the daemon writes: pins, revocation list, and
 * the handshake timestamps reserved ahead of use.
 */
#include "sys/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/conf.h"

/* How far ahead timestamps are reserved: a write to the disk at most this
 * often, and at most this much ahead of the clock after a restart.
 */
#define RESERVE_NS (600 * HP_S)
#define PINS_HEAD "# Nodes met: NAME SERIAL ADDRESS KEY SIGNKEY [UNTIL]\n"

static enum hp_err pins_read(struct hp_judge *j, char *text,
			     struct hp_fault *f)
{
	unsigned int line = 0;
	char *save = text;
	char *s;

	while ((s = strsep(&save, "\n"))) {
		enum hp_err err;
		struct hp_pin pin;

		line++;
		if (!s[0] || s[0] == '#')
			continue;
		err = hp_pin_parse(s, &pin, f);
		if (!err)
			err = hp_judge_add_pin(j, &pin);
		if (err == HP_ERR_EXISTS)
			err = hp_fault_set(f, HP_ERR_FORMAT, "keep one line",
					   "%s is there twice", pin.name);
		if (err && f) {
			f->line = line;
			f->column = 1;
		}
		if (err)
			return err;
	}
	return HP_OK;
}

static enum hp_err pins_load(const struct hp_store *s, struct hp_judge *j,
			     struct hp_fault *f)
{
	char path[HP_PATH_MAX];
	char *text = NULL;
	enum hp_err err;
	size_t len = 0;

	err = hp_path_join(path, s->state, "pins", f);
	if (!err)
		err = hp_file_load(path, false, &text, &len, f);
	if (err)
		return err == HP_ERR_UNKNOWN ? HP_OK : err;
	err = pins_read(j, text, f);
	if (err)
		hp_fault_in_file(f, path);
	hp_file_free(text, len);
	return err;
}

static enum hp_err revoked_load(const struct hp_store *s, struct hp_judge *j,
				struct hp_fault *f)
{
	char path[HP_PATH_MAX];
	char *list = NULL;
	enum hp_err err;
	size_t len = 0;

	err = hp_path_join(path, s->state, "revoked", f);
	if (!err)
		err = hp_file_load(path, false, &list, &len, f);
	if (err)
		return err == HP_ERR_UNKNOWN ? HP_OK : err;
	err = hp_judge_revoke(j, (const uint8_t *)list, len);
	hp_file_free(list, len);
	if (!err)
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "delete it: peers pass the list on again",
			    "%s is not a revocation list of this network",
			    path);
}

/* Ourselves, so that nobody is believed who uses our name or address. */
static enum hp_err pin_self(const struct hp_store *s, struct hp_judge *j,
			    struct hp_fault *f)
{
	const struct hp_cert *c = &s->id.cert;
	struct hp_pin self = {
		.serial = c->grant.serial,
		.overlay = c->grant.overlay,
		.key = c->key,
		.sign = c->sign,
	};

	if (hp_judge_find(j, c->grant.name))
		return HP_OK;
	memcpy(self.name, c->grant.name, sizeof(self.name));
	if (hp_judge_add_pin(j, &self))
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	return HP_OK;
}

enum hp_err hp_store_judge(const struct hp_store *s, struct hp_judge **out,
			   struct hp_fault *f)
{
	struct hp_judge *j = hp_judge_new(&s->net.id);
	enum hp_err err;

	if (!j)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	err = pins_load(s, j, f);
	if (!err)
		err = revoked_load(s, j, f);
	if (!err)
		err = pin_self(s, j, f);
	if (err)
		hp_judge_free(j);
	else
		*out = j;
	return err;
}

static enum hp_err state_put(const struct hp_store *s, const char *name,
			     const void *data, size_t len, struct hp_fault *f)
{
	char path[HP_PATH_MAX];
	enum hp_err err;

	err = hp_dir_make(s->state, f);
	if (!err)
		err = hp_path_join(path, s->state, name, f);
	return err ? err : hp_file_save(path, data, len, 0644, f);
}

enum hp_err hp_store_save_pins(const struct hp_store *s,
			       const struct hp_judge *j, struct hp_fault *f)
{
	size_t n = hp_judge_pin_count(j);
	size_t cap = sizeof(PINS_HEAD) + n * HP_PIN_TEXT;
	char *text = malloc(cap);
	char line[HP_PIN_TEXT];
	enum hp_err err;
	size_t len;

	if (!text)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	len = (size_t)snprintf(text, cap, "%s", PINS_HEAD);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, cap - len, "%s\n",
					hp_pin_text(hp_judge_pin(j, i), line));
	err = state_put(s, "pins", text, len, f);
	free(text);
	return err;
}

enum hp_err hp_store_save_revoked(const struct hp_store *s,
				  const struct hp_judge *j,
				  struct hp_fault *f)
{
	const uint8_t *list;
	size_t len;

	list = hp_judge_revoked(j, &len);
	return list ? state_put(s, "revoked", list, len, f) : HP_OK;
}

enum hp_err hp_stamp_open(struct hp_stamp *s, const char *path,
			  struct hp_fault *f)
{
	char *text = NULL;
	enum hp_err err;
	size_t len = 0;
	char *end;

	memset(s, 0, sizeof(*s));
	snprintf(s->path, sizeof(s->path), "%s", path);
	if (!path[0])
		return HP_OK;
	err = hp_file_load(path, false, &text, &len, f);
	if (err)
		return err == HP_ERR_UNKNOWN ? HP_OK : err;
	s->bound_ns = strtoull(text, &end, 10);
	if (end == text || strcmp(end, "\n") ||
	    s->bound_ns > UINT64_MAX - 2 * RESERVE_NS)
		err = hp_fault_set(f, HP_ERR_FORMAT,
				   "delete it, with the clock set right",
				   "%s does not hold a time", path);
	/* Any of those reserved may have been used. */
	s->last_ns = s->bound_ns;
	hp_file_free(text, len);
	return err;
}

/* The directory of @path may be gone, or not be made yet. */
static enum hp_err bound_put(const struct hp_stamp *s, uint64_t bound_ns)
{
	char dir[HP_PATH_MAX];
	char text[24];
	char *slash;
	int len;

	snprintf(dir, sizeof(dir), "%s", s->path);
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = '\0';
		if (hp_dir_make(dir, NULL))
			return HP_ERR_IO;
	}
	len = snprintf(text, sizeof(text), "%" PRIu64 "\n", bound_ns);
	return hp_file_save(s->path, text, (size_t)len, 0644, NULL);
}

enum hp_err hp_stamp_next(struct hp_stamp *s, uint64_t wall_ns,
			  uint8_t out[12])
{
	uint64_t t = wall_ns > s->last_ns ? wall_ns : s->last_ns + 1;
	enum hp_err err = HP_OK;

	s->last_ns = t;
	hp_put_be64(out, (UINT64_C(1) << 62) + 10 + t / HP_S);
	hp_put_be32(out + 8, (uint32_t)(t % HP_S));
	if (!s->path[0] || t <= s->bound_ns)
		return HP_OK;
	err = bound_put(s, t + RESERVE_NS);
	if (!err)
		s->bound_ns = t + RESERVE_NS;
	return err;
}

enum hp_err hp_store_timestamp(struct hp_store *s, uint8_t out[12])
{
	return hp_stamp_next(&s->stamp, hp_clock_wall_ns(), out);
}
