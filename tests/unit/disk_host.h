/* SPDX-License-Identifier: ISC */
/* A host's directories below /tmp, for tests of what lies on disk. */
#ifndef HP_TEST_DISK_HOST_H
#define HP_TEST_DISK_HOST_H

#include "member_world.h"
#include "sys/store.h"

/* A host of its own in a directory of its own. */
struct host {
	char top[64];
	char config[80];
	char run[80];
	char state_dir[80];
	struct hp_dirs dirs;
	struct world *w;
};

int disk_make(void **state);
int disk_drop(void **state);
#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, disk_make, \
						      disk_drop)

/* A path below its top; the last two stay. */
char *disk_path(struct host *h, const char *name);
void disk_write(const char *path, const char *text);

#endif
