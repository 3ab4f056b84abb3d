/* SPDX-License-Identifier: ISC */
/*
 * Lines out of a stream of bytes that comes in pieces: the control socket at
 * both ends, and what people type. A line has a greatest length.
 */
#ifndef HP_SYS_LINES_H
#define HP_SYS_LINES_H

#include <stddef.h>
#include <sys/types.h>

/**
 * struct hp_lines - Bytes read and not yet taken as lines
 * @limit: longest line in bytes, its end not counted
 */
struct hp_lines {
	char *buf;
	size_t limit;
	size_t cap;
	size_t start;
	size_t len;
	size_t searched;
};

/* Zero @l and set its limit. */
void hp_lines_init(struct hp_lines *l, size_t limit);
void hp_lines_free(struct hp_lines *l);

/**
 * hp_lines_read() - One read() from @fd
 *
 * Return: bytes read; 0 at the end of the stream; -1 with errno (EAGAIN,
 *         ENOMEM, ...). EMSGSIZE: the line is longer than the limit; take the
 *         lines before it first.
 */
ssize_t hp_lines_read(struct hp_lines *l, int fd);

/**
 * hp_lines_next() - Take the next whole line
 * @len: gets its length without "\n" or "\r\n"; may be NULL. A NUL inside the
 *       line is a byte like others.
 *
 * Return: the line, NUL-terminated, valid until the next call; NULL: none.
 */
char *hp_lines_next(struct hp_lines *l, size_t *len);

/* What stands behind the last line end, at the end of the stream; or NULL. */
char *hp_lines_rest(struct hp_lines *l, size_t *len);

#endif
