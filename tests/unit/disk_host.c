/* SPDX-License-Identifier: ISC */
#include "disk_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int disk_make(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	strcpy(h->top, "/tmp/hptun-store-XXXXXX");
	if (!mkdtemp(h->top))
		return -1;
	snprintf(h->config, sizeof(h->config), "%s/etc", h->top);
	snprintf(h->run, sizeof(h->run), "%s/run", h->top);
	snprintf(h->state_dir, sizeof(h->state_dir), "%s/var", h->top);
	h->dirs = (struct hp_dirs){ h->config, h->run, h->state_dir };
	h->w = world_make(5);
	*state = h;
	return 0;
}

int disk_drop(void **state)
{
	struct host *h = *state;
	char path[160];

	for (int i = 0; i < 4; i++) {
		static const char *const dirs[] = { "etc", "var", "run", "" };
		static const char *const nets[] = { "home", "work" };

		for (int k = 0; k < 2 && dirs[i][0]; k++) {
			snprintf(path, sizeof(path), "%s/%s/%s", h->top,
				 dirs[i], nets[k]);
			(void)!hp_dir_remove(path, NULL);
		}
		snprintf(path, sizeof(path), "%s/%s", h->top, dirs[i]);
		(void)!hp_dir_remove(path, NULL);
	}
	free(h->w);
	free(h);
	return 0;
}

char *disk_path(struct host *h, const char *name)
{
	static char path[2][256];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", h->top, name);
	return path[turn];
}

void disk_write(const char *path, const char *text)
{
	assert_int_equal(hp_file_save(path, text, strlen(text), 0600, NULL),
			 HP_OK);
}
