/* SPDX-License-Identifier: ISC */
#include "sys/conf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/time.h"
#include "sys/disk.h"
#include "sys/udp.h"

/* Longest line that is read, with its NUL. */
#define LINE_MAX_LEN 4096
/* Bits per second. */
#define RATE_MIN 64000
#define RATE_MAX UINT64_C(32000000000)
#define SUGGEST_MAX 64

struct parser {
	const struct hp_conf_section *sections;
	size_t n;
	void *ctx;
	struct hp_fault *f;
	const struct hp_conf_section *now; /* NULL: unknown so far */
	unsigned int line;
	unsigned int begun;  /* line of the current section's header */
	uint64_t keys_seen;  /* bit per key of @now */
	uint64_t sections_seen;
};

static enum hp_err at(const struct parser *p, size_t column, enum hp_err err)
{
	if (p->f && err) {
		p->f->line = p->line;
		p->f->column = (unsigned int)column + 1;
	}
	return err;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Offset of the first character in @s at or behind @from that is no space. */
static size_t skip_space(const char *s, size_t from)
{
	while (is_space(s[from]))
		from++;
	return from;
}

/* Cuts spaces off the end of @s. */
static void trim_end(char *s)
{
	size_t len = strlen(s);

	while (len && is_space(s[len - 1]))
		s[--len] = '\0';
}

static void remedy_suggest(struct hp_fault *f, const char *word,
			   const char *const *list, size_t n)
{
	const char *near = hp_suggest(word, list, n);
	size_t len = 0;

	if (!f)
		return;
	if (near) {
		snprintf(f->remedy, sizeof(f->remedy), "did you mean %s?",
			 near);
		return;
	}
	len = (size_t)snprintf(f->remedy, sizeof(f->remedy), "known are:");
	for (size_t i = 0; i < n && len < sizeof(f->remedy); i++)
		len += (size_t)snprintf(f->remedy + len,
					sizeof(f->remedy) - len, "%s %s",
					i ? "," : "", list[i]);
}

/* Leaving a section: is all there that it must have? */
static enum hp_err section_end(struct parser *p)
{
	if (!p->now)
		return HP_OK;
	for (size_t i = 0; i < p->now->n_keys; i++) {
		if (!p->now->keys[i].need || p->keys_seen >> i & 1)
			continue;
		(void)hp_fault_set(p->f, HP_ERR_FORMAT,
				   "add the line to that section",
				   "section [%s] has no %s", p->now->name,
				   p->now->keys[i].name);
		if (p->f) {
			p->f->line = p->begun;
			p->f->column = 1;
		}
		return HP_ERR_FORMAT;
	}
	return HP_OK;
}

static enum hp_err section_unknown(struct parser *p, const char *name)
{
	const char *names[SUGGEST_MAX];
	enum hp_err err;
	size_t n = 0;

	for (size_t i = 0; i < p->n && n < SUGGEST_MAX; i++)
		if (p->sections[i].name[0])
			names[n++] = p->sections[i].name;
	err = hp_fault_set(p->f, HP_ERR_FORMAT, "",
			   "there is no section [%.60s]", name);
	remedy_suggest(p->f, name, names, n);
	return err;
}

static enum hp_err section_begin(struct parser *p, size_t i, size_t column)
{
	const struct hp_conf_section *s = &p->sections[i];

	if (p->sections_seen >> i & 1 && !s->many)
		return at(p, column,
			  hp_fault_set(p->f, HP_ERR_FORMAT,
				       "join the two sections",
				       "section [%s] is there twice",
				       s->name));
	p->sections_seen |= UINT64_C(1) << i;
	p->keys_seen = 0;
	p->now = s;
	p->begun = p->line;
	if (!s->begin)
		return HP_OK;
	return at(p, column, s->begin(p->ctx, p->f));
}

/* A "[Name]" line; @column is that of the bracket. */
static enum hp_err header_line(struct parser *p, char *line, size_t column)
{
	char *name = line + column + 1;
	char *close = strchr(name, ']');
	enum hp_err err;

	if (!close || close[1])
		return at(p, column,
			  hp_fault_set(p->f, HP_ERR_FORMAT,
				       "write [Name] alone on the line",
				       "this is not a section header"));
	*close = '\0';
	err = section_end(p);
	if (err)
		return err;
	for (size_t i = 0; i < p->n; i++)
		if (p->sections[i].name[0] &&
		    !strcasecmp(p->sections[i].name, name))
			return section_begin(p, i, column);
	return at(p, column + 1, section_unknown(p, name));
}

static const struct hp_conf_key *key_find(struct parser *p, const char *name,
					  size_t column, enum hp_err *err)
{
	const char *names[SUGGEST_MAX];
	const struct hp_conf_section *s = p->now;
	size_t n = s->n_keys;

	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(s->keys[i].name, name))
			continue;
		if (p->keys_seen >> i & 1 && !s->keys[i].many) {
			*err = hp_fault_set(p->f, HP_ERR_FORMAT,
					    "keep one of the two lines",
					    "%s is there twice",
					    s->keys[i].name);
			*err = at(p, column, *err);
			return NULL;
		}
		p->keys_seen |= UINT64_C(1) << i;
		return &s->keys[i];
	}
	for (size_t i = 0; i < n && i < SUGGEST_MAX; i++)
		names[i] = s->keys[i].name;
	*err = hp_fault_set(p->f, HP_ERR_FORMAT, "",
			    s->name[0] ? "there is no setting %.60s in [%s]"
				       : "there is no setting %.60s%s",
			    name, s->name);
	remedy_suggest(p->f, name, names, n);
	*err = at(p, column, *err);
	return NULL;
}

/* One value, or the items of a list. @column is where @value begins. */
static enum hp_err value_set(struct parser *p, const struct hp_conf_key *key,
			     char *value, size_t column)
{
	for (;;) {
		char *comma = key->many ? strchr(value, ',') : NULL;
		size_t skip = skip_space(value, 0);
		enum hp_err err;

		if (comma)
			*comma = '\0';
		trim_end(value);
		if (!value[skip])
			return at(p, column,
				  hp_fault_set(p->f, HP_ERR_FORMAT,
					       "write a value, or delete the "
					       "line",
					       "%s has an empty value",
					       key->name));
		err = key->set(p->ctx, value + skip, p->f);
		if (err)
			return at(p, column + skip, err);
		if (!comma)
			return HP_OK;
		column += (size_t)(comma - value) + 1;
		value = comma + 1;
	}
}

static enum hp_err setting_line(struct parser *p, char *line, size_t column)
{
	const struct hp_conf_key *key;
	char *name = line + column;
	char *equals = strchr(line, '=');
	enum hp_err err = HP_OK;
	size_t value;

	if (!equals || equals == name)
		return at(p, column,
			  hp_fault_set(p->f, HP_ERR_FORMAT,
				       "write Name = value, or # in front of "
				       "a comment",
				       "this is neither a setting nor a "
				       "section"));
	if (!p->now)
		return at(p, column,
			  hp_fault_set(p->f, HP_ERR_FORMAT,
				       "put a section header such as [%s] "
				       "above it",
				       "this setting stands before any "
				       "section"));
	*equals = '\0';
	trim_end(name);
	key = key_find(p, name, column, &err);
	if (!key)
		return err;
	value = skip_space(line, (size_t)(equals - line) + 1);
	return value_set(p, key, line + value, value);
}

static enum hp_err one_line(struct parser *p, const char *text, size_t len)
{
	char line[LINE_MAX_LEN];
	char *comment;
	size_t first;

	if (len >= sizeof(line))
		return at(p, 0,
			  hp_fault_set(p->f, HP_ERR_FULL,
				       "split the line: lists may be given "
				       "in several lines",
				       "the line is too long"));
	memcpy(line, text, len);
	line[len] = '\0';
	comment = strchr(line, '#');
	if (comment)
		*comment = '\0';
	trim_end(line);
	first = skip_space(line, 0);
	if (!line[first])
		return HP_OK;
	if (line[first] == '[')
		return header_line(p, line, first);
	return setting_line(p, line, first);
}

static enum hp_err sections_end(struct parser *p)
{
	enum hp_err err = section_end(p);

	for (size_t i = 0; i < p->n && !err; i++)
		if (p->sections[i].need && !(p->sections_seen >> i & 1))
			err = at(p, 0,
				 hp_fault_set(p->f, HP_ERR_FORMAT,
					      "add it",
					      "there is no section [%s]",
					      p->sections[i].name));
	return err;
}

enum hp_err hp_conf_parse(const char *text,
			  const struct hp_conf_section *sections, size_t n,
			  void *ctx, struct hp_fault *f)
{
	struct parser p = {
		.sections = sections, .n = n, .ctx = ctx, .f = f, .line = 1,
	};

	assert(n <= 64);
	for (size_t i = 0; i < n; i++) {
		assert(sections[i].n_keys <= SUGGEST_MAX);
		if (!sections[i].name[0])
			p.now = &sections[i];
	}
	for (;; p.line++) {
		size_t len = strcspn(text, "\n");
		enum hp_err err = one_line(&p, text, len);

		if (err)
			return err;
		if (!text[len])
			return sections_end(&p);
		text += len + 1;
	}
}

void hp_fault_in_file(struct hp_fault *f, const char *path)
{
	char cause[sizeof(f->cause)];

	if (!f)
		return;
	memcpy(cause, f->cause, sizeof(cause));
	if (f->line)
		snprintf(f->cause, sizeof(f->cause), "%.100s:%u:%u: %.100s",
			 path, f->line, f->column, cause);
	else
		snprintf(f->cause, sizeof(f->cause), "%.100s: %.120s", path,
			 cause);
}

enum hp_err hp_conf_load(const char *path,
			 const struct hp_conf_section *sections, size_t n,
			 void *ctx, struct hp_fault *f)
{
	char *text;
	enum hp_err err;
	size_t len;

	err = hp_file_load(path, false, &text, &len, f);
	if (err)
		return err;
	if (strlen(text) != len) {
		err = hp_fault_set(f, HP_ERR_FORMAT, "write it anew",
				   "%s is not a text file", path);
	} else {
		err = hp_conf_parse(text, sections, n, ctx, f);
		if (err)
			hp_fault_in_file(f, path);
	}
	hp_file_free(text, len);
	return err;
}

/* Digits only, no sign, no space; false also on overflow. */
static bool digits(const char *text, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	if (!len || len > 18)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	*out = v;
	return true;
}

enum hp_err hp_value_u32(const char *text, uint32_t min, uint32_t max,
			 uint32_t *out, struct hp_fault *f)
{
	enum hp_err err;
	uint64_t v;

	if (digits(text, strlen(text), &v) && v >= min && v <= max) {
		*out = (uint32_t)v;
		return HP_OK;
	}
	err = hp_fault_set(f, HP_ERR_FORMAT, "",
			   "\"%.60s\" is not a number from %" PRIu32
			   " to %" PRIu32, text, min, max);
	if (f)
		snprintf(f->remedy, sizeof(f->remedy),
			 "write a number from %" PRIu32 " to %" PRIu32, min,
			 max);
	return err;
}

enum hp_err hp_value_port(const char *text, uint16_t *out, struct hp_fault *f)
{
	enum hp_err err;
	uint32_t v;

	err = hp_value_u32(text, 0, UINT16_MAX, &v, f);
	if (!err)
		*out = (uint16_t)v;
	return err;
}

enum hp_err hp_value_threads(const char *text, uint32_t *out,
			     struct hp_fault *f)
{
	if (!strcasecmp(text, "auto")) {
		*out = 0;
		return HP_OK;
	}
	if (!hp_value_u32(text, 1, HP_UDP_BESIDE_MAX, out, NULL))
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "write auto, or a number from 1 to 16",
			    "\"%.60s\" is no number of threads", text);
}

enum hp_err hp_value_bool(const char *text, bool *out, struct hp_fault *f)
{
	static const char *const words[] = { "no",  "yes", "false", "true",
					     "off", "on",  "0",	    "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]))
			continue;
		*out = i & 1;
		return HP_OK;
	}
	return hp_fault_set(f, HP_ERR_FORMAT, "write yes or no",
			    "\"%.60s\" is neither yes nor no", text);
}

enum hp_err hp_value_time(const char *text, uint64_t *out_ns,
			  struct hp_fault *f)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {
		{ "", HP_S },	     { "ms", HP_MS },
		{ "s", HP_S },	     { "m", 60 * HP_S },
		{ "h", 3600 * HP_S }, { "d", 86400 * HP_S },
	};
	size_t len = strspn(text, "0123456789");
	uint64_t v;

	if (digits(text, len, &v))
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (!strcmp(text + len, units[i].unit) &&
			    v <= INT64_MAX / units[i].ns) {
				*out_ns = v * units[i].ns;
				return HP_OK;
			}
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "write a number and ms, s, m, h or d, such as 30s",
			    "\"%.60s\" is not a time", text);
}

enum hp_err hp_value_rate(const char *text, uint32_t *out_bytes,
			  struct hp_fault *f)
{
	static const struct {
		const char *unit;
		uint64_t bits;
	} units[] = {
		{ "", 1 }, { "k", 1000 }, { "M", 1000000 }, { "G", 1000000000 },
	};
	size_t len = strspn(text, "0123456789");
	uint64_t v;

	if (digits(text, len, &v))
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (!strcasecmp(text + len, units[i].unit) &&
			    v <= RATE_MAX / units[i].bits &&
			    v * units[i].bits >= RATE_MIN) {
				*out_bytes = (uint32_t)(v * units[i].bits / 8);
				return HP_OK;
			}
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "write bits per second, 64k to 32G, such as 20M",
			    "\"%.60s\" is not a rate", text);
}

enum hp_err hp_value_ifname(const char *text, char out[16],
			    struct hp_fault *f)
{
	size_t len = strlen(text);

	if (len && len < 16 && strcspn(text, "/ \t:%") == len &&
	    strcmp(text, ".") && strcmp(text, "..")) {
		memcpy(out, text, len + 1);
		return HP_OK;
	}
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "1 to 15 characters, no space, '/', ':' or '%'",
			    "\"%.60s\" is not a name for an interface", text);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Edit distance with swapped neighbours as one edit; words up to 31. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int d[32][32];
	size_t n = strlen(a);
	size_t m = strlen(b);

	if (n > 31 || m > 31)
		return UINT32_MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned int)i;
	for (size_t k = 0; k <= m; k++)
		d[0][k] = (unsigned int)k;
	for (size_t i = 1; i <= n; i++) {
		for (size_t k = 1; k <= m; k++) {
			char x = lower(a[i - 1]);
			char y = lower(b[k - 1]);
			unsigned int v = d[i - 1][k - 1] + (x != y);

			if (d[i - 1][k] + 1 < v)
				v = d[i - 1][k] + 1;
			if (d[i][k - 1] + 1 < v)
				v = d[i][k - 1] + 1;
			if (i > 1 && k > 1 && x == lower(b[k - 2]) &&
			    lower(a[i - 2]) == y && d[i - 2][k - 2] + 1 < v)
				v = d[i - 2][k - 2] + 1;
			d[i][k] = v;
		}
	}
	return d[n][m];
}

const char *hp_suggest(const char *word, const char *const *list, size_t n)
{
	/* A third of the letters may be wrong: "jion" yes, "abc" no. */
	unsigned int best = (unsigned int)strlen(word) / 3 + 1;
	const char *near = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned int d = distance(word, list[i]);

		if (d < best || (!near && d == best && best > 1)) {
			best = d;
			near = list[i];
		}
	}
	return near;
}
