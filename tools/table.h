/* SPDX-License-Identifier: ISC */
/*
 * What people read: tables whose columns are as wide as what stands in them,
 * and numbers in units.
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Most columns of a table, and longest cell with its NUL. */
#define TABLE_COLUMNS 12
#define TABLE_CELL 80

struct table;

/**
 * table_new() - A table with a line of headings
 * @heads: ends with NULL, at most TABLE_COLUMNS; a heading that begins with
 *         '>' has its column aligned to the right (the sign is not shown)
 *
 * NULL: no memory.
 */
struct table *table_new(const char *const *heads);
void table_free(struct table *t);
/* Begins a row. False: no memory; what is set in it then gets lost. */
bool table_row(struct table *t);
/* Fills the next cell of the row; too long a text is cut. NULL: "-". */
void table_cell(struct table *t, const char *text);
/* Prints it; the last column is not padded. No row: prints nothing. */
void table_print(const struct table *t, FILE *out);

/* Room for what the functions below write, with its NUL; each returns @out. */
#define HUMAN_TEXT 24
/* "0 B", "999 B", "1.2 KiB", "34.5 GiB" */
char *human_bytes(uint64_t bytes, char out[HUMAN_TEXT]);
/* "5 s", "3 min", "2 h", "12 d" */
char *human_age(uint64_t seconds, char out[HUMAN_TEXT]);
/* "<0.01 ms", "0.12 ms", "4.1 ms", "130 ms" */
char *human_ms(double ms, char out[HUMAN_TEXT]);

#endif
