/* SPDX-License-Identifier: ISC */
/* Lines out of a stream: one growing buffer, never larger than one line at
 * its limit and one read.
 */
#include "sys/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_LEN 4096

void hp_lines_init(struct hp_lines *l, size_t limit)
{
	memset(l, 0, sizeof(*l));
	l->limit = limit;
}

void hp_lines_free(struct hp_lines *l)
{
	free(l->buf);
	l->buf = NULL;
	l->cap = l->start = l->len = l->searched = 0;
}

/* Room for one read behind what is there. */
static int make_room(struct hp_lines *l)
{
	size_t need;
	char *buf;

	if (l->start) {
		memmove(l->buf, l->buf + l->start, l->len);
		l->start = 0;
	}
	need = l->len + READ_LEN + 1;
	if (need <= l->cap)
		return 0;
	buf = realloc(l->buf, need);
	if (!buf)
		return -1;
	l->buf = buf;
	l->cap = need;
	return 0;
}

ssize_t hp_lines_read(struct hp_lines *l, int fd)
{
	ssize_t n;

	/* Two more for "\r\n". */
	if (l->len >= l->limit + 2) {
		errno = EMSGSIZE;
		return -1;
	}
	if (make_room(l)) {
		errno = ENOMEM;
		return -1;
	}
	n = read(fd, l->buf + l->len, READ_LEN);
	if (n > 0)
		l->len += (size_t)n;
	return n;
}

static char *take(struct hp_lines *l, size_t line_len, size_t used,
		  size_t *len)
{
	char *line = l->buf + l->start;

	if (line_len && line[line_len - 1] == '\r')
		line_len--;
	line[line_len] = '\0';
	l->start += used;
	l->len -= used;
	l->searched = 0;
	if (len)
		*len = line_len;
	return line;
}

char *hp_lines_next(struct hp_lines *l, size_t *len)
{
	const char *from, *end;

	if (l->len == l->searched)
		return NULL;
	from = l->buf + l->start;
	end = memchr(from + l->searched, '\n', l->len - l->searched);
	if (!end) {
		l->searched = l->len;
		return NULL;
	}
	return take(l, (size_t)(end - from), (size_t)(end - from) + 1, len);
}

char *hp_lines_rest(struct hp_lines *l, size_t *len)
{
	return l->len ? take(l, l->len, l->len, len) : NULL;
}
