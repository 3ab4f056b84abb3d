/* SPDX-License-Identifier: ISC */
/* Lines out of a stream: any cut of the stream gives the same lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/lines.h"

static void feed(int fd, const char *bytes, size_t len)
{
	assert_int_equal(write(fd, bytes, len), len);
}

static void lines_are_whole_however_the_stream_is_cut(void **state)
{
	static const char text[] = "one\n\ntwo three\r\n\r\nlast";
	static const char *const want[] = { "one", "", "two three", "" };

	(void)state;
	for (size_t cut = 1; cut < sizeof(text); cut++) {
		struct hp_lines l;
		size_t n = 0, len;
		int fd[2];
		const char *line;

		assert_int_equal(pipe(fd), 0);
		hp_lines_init(&l, 16);
		for (size_t at = 0; at < sizeof(text) - 1; at += cut) {
			size_t left = sizeof(text) - 1 - at;

			feed(fd[1], text + at, left < cut ? left : cut);
			assert_true(hp_lines_read(&l, fd[0]) > 0);
			while ((line = hp_lines_next(&l, &len))) {
				assert_true(n < 4);
				assert_string_equal(line, want[n]);
				assert_int_equal(len, strlen(want[n]));
				n++;
			}
		}
		close(fd[1]);
		assert_int_equal(hp_lines_read(&l, fd[0]), 0);
		assert_int_equal(n, 4);
		line = hp_lines_rest(&l, &len);
		assert_string_equal(line, "last");
		assert_int_equal(len, 4);
		assert_null(hp_lines_rest(&l, NULL));
		close(fd[0]);
		hp_lines_free(&l);
	}
}

static void line_longer_than_its_limit_is_refused(void **state)
{
	struct hp_lines l;
	char big[40];
	int fd[2];
	ssize_t n = 1;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	memset(big, 'x', sizeof(big));
	hp_lines_init(&l, 32);
	feed(fd[1], "ok\n", 3);
	assert_int_equal(hp_lines_read(&l, fd[0]), 3);
	feed(fd[1], big, sizeof(big));
	assert_int_equal(hp_lines_read(&l, fd[0]), 40);
	assert_string_equal(hp_lines_next(&l, NULL), "ok");
	assert_null(hp_lines_next(&l, NULL));
	feed(fd[1], big, sizeof(big));
	n = hp_lines_read(&l, fd[0]);
	assert_int_equal(n, -1);
	assert_int_equal(errno, EMSGSIZE);
	hp_lines_free(&l);
	close(fd[0]);
	close(fd[1]);
}

static void zero_byte_inside_a_line_is_counted(void **state)
{
	struct hp_lines l;
	size_t len = 0;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	hp_lines_init(&l, 32);
	feed(fd[1], "a\0b\n", 4);
	assert_int_equal(hp_lines_read(&l, fd[0]), 4);
	assert_non_null(hp_lines_next(&l, &len));
	assert_int_equal(len, 3);
	hp_lines_free(&l);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_whole_however_the_stream_is_cut),
		cmocka_unit_test(line_longer_than_its_limit_is_refused),
		cmocka_unit_test(zero_byte_inside_a_line_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
