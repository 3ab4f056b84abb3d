/* SPDX-License-Identifier: ISC */
/* Tables and units for people. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2

struct row {
	char cell[TABLE_COLUMNS][TABLE_CELL];
};

struct table {
	size_t columns;
	bool right[TABLE_COLUMNS];
	struct row *row; /* the first holds the headings */
	size_t n;
	size_t at; /* next cell of the last row */
};

struct table *table_new(const char *const *heads)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (!table_row(t)) {
		free(t);
		return NULL;
	}
	while (heads[t->columns] && t->columns < TABLE_COLUMNS) {
		const char *head = heads[t->columns];

		t->right[t->columns++] = *head == '>';
		table_cell(t, *head == '>' ? head + 1 : head);
	}
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->row);
	free(t);
}

bool table_row(struct table *t)
{
	struct row *row = reallocarray(t->row, t->n + 1, sizeof(*row));

	t->at = TABLE_COLUMNS;
	if (!row)
		return false;
	t->row = row;
	memset(&row[t->n++], 0, sizeof(*row));
	t->at = 0;
	return true;
}

void table_cell(struct table *t, const char *text)
{
	if (t->at < TABLE_COLUMNS)
		snprintf(t->row[t->n - 1].cell[t->at++], TABLE_CELL, "%s",
			 text ? text : "-");
}

void table_print(const struct table *t, FILE *out)
{
	int width[TABLE_COLUMNS] = { 0 };

	if (t->n < 2)
		return;
	for (size_t i = 0; i < t->n; i++) {
		for (size_t j = 0; j < t->columns; j++) {
			int len = (int)strlen(t->row[i].cell[j]);

			if (len > width[j])
				width[j] = len;
		}
	}
	for (size_t i = 0; i < t->n; i++) {
		for (size_t j = 0; j < t->columns; j++) {
			const char *cell = t->row[i].cell[j];
			bool last = j + 1 == t->columns;

			if (t->right[j])
				fprintf(out, "%*s", width[j], cell);
			else
				fprintf(out, "%-*s", last ? 0 : width[j], cell);
			if (!last)
				fprintf(out, "%*s", GAP, "");
		}
		fputc('\n', out);
	}
}

char *human_bytes(uint64_t bytes, char out[HUMAN_TEXT])
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB",
					    "PiB", "EiB" };
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, HUMAN_TEXT, "%u B", (unsigned int)bytes);
		return out;
	}
	/* What would be shown as 1024.0 goes to the next unit. */
	while (v >= 1023.95) {
		v /= 1024;
		i++;
	}
	snprintf(out, HUMAN_TEXT, "%.1f %s", v, unit[i]);
	return out;
}

char *human_age(uint64_t seconds, char out[HUMAN_TEXT])
{
	static const struct {
		uint64_t below;
		uint64_t unit;
		const char *name;
	} row[] = {
		{ 120, 1, "s" },
		{ 120 * 60, 60, "min" },
		{ 48 * 3600, 3600, "h" },
		{ UINT64_MAX, 86400, "d" },
	};
	size_t i = 0;

	while (seconds >= row[i].below && row[i].below != UINT64_MAX)
		i++;
	snprintf(out, HUMAN_TEXT, "%llu %s",
		 (unsigned long long)(seconds / row[i].unit), row[i].name);
	return out;
}

char *human_ms(double ms, char out[HUMAN_TEXT])
{
	int digits = ms < 0.995 ? 2 : ms < 99.95 ? 1 : 0;

	if (ms < 0.005)
		snprintf(out, HUMAN_TEXT, "<0.01 ms");
	else
		snprintf(out, HUMAN_TEXT, "%.*f ms", digits, ms);
	return out;
}
