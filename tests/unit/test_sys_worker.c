/* SPDX-License-Identifier: ISC */
/* Jobs come back when they are done, or outlive whoever asked for them. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/worker.h"

#define N 8

struct job {
	struct hp_job base;
	int in;	    /* the job waits for a byte here; or -1 */
	int out;    /* and puts one here */
	int square; /* of what it was */
	bool signals;
};

static void run(struct hp_job *base)
{
	struct job *j = (struct job *)base;
	sigset_t blocked;
	char c = 0;

	j->square *= j->square;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	j->signals = !sigismember(&blocked, SIGTERM);
	if (j->in >= 0 &&
	    (read(j->in, &c, 1) != 1 || write(j->out, &c, 1) != 1))
		abort();
}

static struct job *job_new(int of, int in, int out)
{
	struct job *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	j->base.run = run;
	j->square = of;
	j->in = in;
	j->out = out;
	return j;
}

static struct job *wait_for_one(struct hp_worker *w)
{
	struct pollfd pfd = { .fd = hp_worker_bell(w), .events = POLLIN };
	struct job *j;

	assert_int_equal(poll(&pfd, 1, 20000), 1);
	j = (struct job *)hp_worker_done(w);
	assert_non_null(j);
	return j;
}

static void each_job_comes_back_once(void **state)
{
	struct hp_worker *w = hp_worker_new();
	int sum = 0, want = 0;

	(void)state;
	assert_non_null(w);
	assert_null(hp_worker_done(w));
	for (int i = 1; i <= N; i++) {
		assert_true(hp_worker_start(w, &job_new(i, -1, -1)->base));
		want += i * i;
	}
	for (int i = 1; i <= N; i++) {
		struct job *j = wait_for_one(w);

		sum += j->square;
		assert_false(j->signals);
		free(j);
	}
	assert_int_equal(sum, want);
	assert_null(hp_worker_done(w));
	hp_worker_free(w);
}

static void job_that_is_not_done_is_not_waited_for(void **state)
{
	struct hp_worker *w = hp_worker_new();
	int go[2], done[2];
	char c = 'x';

	(void)state;
	assert_non_null(w);
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	assert_true(hp_worker_start(w, &job_new(1, go[0], done[1])->base));
	assert_null(hp_worker_done(w));
	hp_worker_free(w);
	/* It goes on by itself; a leak of it would be the sanitizer's. */
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(read(done[0], &c, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(done[i]);
	}
}

static void job_nobody_fetched_is_freed(void **state)
{
	struct hp_worker *w = hp_worker_new();

	(void)state;
	assert_non_null(w);
	for (int i = 0; i < 2; i++)
		assert_true(hp_worker_start(w, &job_new(1, -1, -1)->base));
	free(wait_for_one(w));
	hp_worker_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_job_comes_back_once),
		cmocka_unit_test(job_that_is_not_done_is_not_waited_for),
		cmocka_unit_test(job_nobody_fetched_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
