/* SPDX-License-Identifier: ISC */
/* lib/sys/disk: files that are whole, locks, and timestamps that never go back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/time.h"
#include "disk_host.h"

static void file_survives_as_old_or_new(void **state)
{
	struct host *h = *state;
	const char *path = disk_path(h, "f");
	struct rlimit small = { 4096, 4096 };
	struct stat st;
	char *text;
	size_t len;
	int status;
	pid_t pid;

	disk_write(path, "old");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* A child that may write 4 KiB at most, and wants to write more. */
	pid = fork();
	if (!pid) {
		static char big[65536];
		struct hp_fault f = { 0 };

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		_exit(hp_file_save(path, big, sizeof(big), 0600, &f) ==
				      HP_ERR_IO && f.cause[0] ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(hp_file_load(path, true, &text, &len, NULL), HP_OK);
	assert_string_equal(text, "old");
	hp_file_free(text, len);
	disk_write(path, "new");
	assert_int_equal(hp_file_load(path, true, &text, &len, NULL), HP_OK);
	assert_string_equal(text, "new");
	hp_file_free(text, len);
	/* No temporary file is left behind: the directory can go. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(h->top), 0);
	assert_int_equal(mkdir(h->top, 0700), 0);
}

static void file_that_others_may_read_is_refused_with_the_mending(void **state)
{
	static const mode_t bad[] = { 0640, 0604, 0620, 0602, 0610, 0601 };
	struct host *h = *state;
	const char *path = disk_path(h, "node.key");
	char want[300];
	char *text;
	size_t len;

	disk_write(path, "x");
	snprintf(want, sizeof(want), "chmod 600 %s", path);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hp_fault f = { 0 };

		assert_int_equal(chmod(path, bad[i]), 0);
		assert_int_equal(hp_file_load(path, true, &text, &len, &f),
				 HP_ERR_DENIED);
		assert_string_equal(f.remedy, want);
		assert_int_equal(hp_file_load(path, false, &text, &len, &f),
				 HP_OK);
		hp_file_free(text, len);
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(hp_file_load(path, true, &text, &len, NULL), HP_OK);
	hp_file_free(text, len);
}

static void file_that_is_missing_or_no_file_is_told_apart(void **state)
{
	struct host *h = *state;
	struct hp_fault f = { 0 };
	char *text;
	size_t len;

	assert_int_equal(hp_file_load(disk_path(h, "none"), false, &text, &len,
				      &f), HP_ERR_UNKNOWN);
	assert_int_equal(hp_file_load(h->top, false, &text, &len, &f),
			 HP_ERR_IO);
	assert_int_equal(hp_file_save(disk_path(h, "none/f"), "x", 1, 0600, &f),
			 HP_ERR_IO);
	assert_true(f.cause[0]);
}

static void directories_are_for_the_owner_alone(void **state)
{
	struct host *h = *state;
	struct stat st;

	assert_int_equal(hp_dir_make(disk_path(h, "run/home"), NULL), HP_OK);
	assert_int_equal(stat(disk_path(h, "run/home"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(hp_dir_make(disk_path(h, "run/home"), NULL), HP_OK);
	disk_write(disk_path(h, "run/home/f"), "x");
	assert_int_equal(hp_dir_make(disk_path(h, "run/home/f"), NULL),
			 HP_ERR_IO);
	assert_int_equal(hp_dir_remove(disk_path(h, "run/home"), NULL), HP_OK);
	assert_int_equal(hp_dir_remove(disk_path(h, "run/home"), NULL), HP_OK);
}

static void lock_has_one_holder_who_is_named(void **state)
{
	struct host *h = *state;
	const char *path = disk_path(h, "home.pid");
	struct hp_fault f = { 0 };
	struct stat st;
	char pid[16];
	int fd;
	int two;

	assert_int_equal(hp_lock_holder(path), 0);
	assert_int_equal(hp_lock_take(path, &fd, &f), HP_OK);
	/* Whoever may open it could lock it, and keep daemons from starting. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	assert_int_equal(hp_lock_take(path, &two, &f), HP_ERR_EXISTS);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	assert_non_null(strstr(f.cause, pid));
	assert_int_equal(hp_lock_holder(path), getpid());
	hp_lock_release(path, fd);
	assert_int_equal(hp_lock_holder(path), 0);
	assert_int_equal(hp_lock_take(path, &fd, &f), HP_OK);
	/* A file that a killed daemon left behind is nobody's. */
	close(fd);
	assert_int_equal(hp_lock_holder(path), 0);
	assert_int_equal(hp_lock_take(path, &fd, &f), HP_OK);
	hp_lock_release(path, fd);
	hp_lock_release(path, -1);
}

static void asking_for_the_holder_keeps_nobody_out(void **state)
{
	struct host *h = *state;
	const char *path = disk_path(h, "home.pid");
	unsigned int refused = 0;
	int fd, status;
	pid_t asker;

	assert_int_equal(hp_lock_take(path, &fd, NULL), HP_OK);
	close(fd); /* the file stays */
	asker = fork();
	if (!asker)
		for (;;)
			(void)hp_lock_holder(path);
	assert_true(asker > 0);
	for (int i = 0; i < 2000; i++) {
		enum hp_err err = hp_lock_take(path, &fd, NULL);

		refused += err != HP_OK;
		if (!err)
			close(fd);
	}
	kill(asker, SIGKILL);
	assert_int_equal(waitpid(asker, &status, 0), asker);
	assert_int_equal(refused, 0);
}

static int stamp_cmp(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, 12);
}

static void timestamp_never_goes_back(void **state)
{
	struct host *h = *state;
	const char *path = disk_path(h, "var/home/timestamp");
	static const uint64_t walls[] = {
		1000 * HP_S, 1000 * HP_S, 1001 * HP_S, 5 * HP_S, 0,
		900000 * HP_S, 2000 * HP_S, 2001 * HP_S, 900000 * HP_S,
		900601 * HP_S, 1,
	};
	uint8_t last[12] = { 0 };
	uint8_t t[12];

	/* Each reading of the clock, with and without a crash before it. */
	for (int crash = 0; crash < 2; crash++) {
		struct hp_stamp s;

		assert_int_equal(hp_stamp_open(&s, path, NULL), HP_OK);
		for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
			if (crash)
				assert_int_equal(hp_stamp_open(&s, path, NULL),
						 HP_OK);
			assert_int_equal(hp_stamp_next(&s, walls[i], t),
					 HP_OK);
			assert_true(stamp_cmp(t, last) > 0);
			memcpy(last, t, sizeof(t));
		}
	}
}

static void timestamp_follows_the_clock_as_tai64n(void **state)
{
	struct hp_stamp s;
	uint8_t t[12];

	(void)state;
	assert_int_equal(hp_stamp_open(&s, "", NULL), HP_OK);
	assert_int_equal(hp_stamp_next(&s, 5 * HP_S + 7, t), HP_OK);
	assert_true(hp_get_be64(t) == (UINT64_C(1) << 62) + 10 + 5);
	assert_int_equal(hp_get_be32(t + 8), 7);
}

static void timestamp_is_reserved_before_it_is_used(void **state)
{
	struct host *h = *state;
	const char *path = disk_path(h, "var/home/timestamp");
	struct stat before;
	struct stat after;
	struct hp_stamp s;
	uint8_t t[12];

	assert_int_equal(hp_stamp_open(&s, path, NULL), HP_OK);
	assert_int_equal(hp_stamp_next(&s, 100 * HP_S, t), HP_OK);
	assert_int_equal(stat(path, &before), 0);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(hp_stamp_next(&s, (100 + i / 2) * HP_S, t),
				 HP_OK);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino); /* not written again */
	/* No disk: the next one is still above the last. */
	snprintf(s.path, sizeof(s.path), "%s/none", "/proc");
	assert_int_equal(hp_stamp_next(&s, 9999 * HP_S, t), HP_ERR_IO);
	assert_true(hp_get_be64(t) == (UINT64_C(1) << 62) + 10 + 9999);
}

static void timestamp_file_damaged_is_an_error(void **state)
{
	static const char *const bad[] = { "", "x\n", "5", "5 6\n",
					   "18446744073709551615\n" };
	struct host *h = *state;
	const char *path = disk_path(h, "timestamp");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hp_fault f = { 0 };
		struct hp_stamp s;

		disk_write(path, bad[i]);
		assert_int_equal(hp_stamp_open(&s, path, &f), HP_ERR_FORMAT);
		assert_true(f.cause[0] && f.remedy[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(file_survives_as_old_or_new),
		ON_HOST(file_that_others_may_read_is_refused_with_the_mending),
		ON_HOST(file_that_is_missing_or_no_file_is_told_apart),
		ON_HOST(directories_are_for_the_owner_alone),
		ON_HOST(lock_has_one_holder_who_is_named),
		ON_HOST(asking_for_the_holder_keeps_nobody_out),
		ON_HOST(timestamp_never_goes_back),
		ON_HOST(timestamp_follows_the_clock_as_tai64n),
		ON_HOST(timestamp_is_reserved_before_it_is_used),
		ON_HOST(timestamp_file_damaged_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
