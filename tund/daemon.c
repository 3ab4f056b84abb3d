/* SPDX-License-Identifier: ISC */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

/* In the parent: waits for the word, or for the child's end. */
static _Noreturn void wait_for(int fd, pid_t child)
{
	int status = 0;
	char word;
	ssize_t n;

	do
		n = read(fd, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) :
							 1);
}

enum hp_err daemon_fork(struct daemon *d, struct hp_fault *f)
{
	int fds[2] = { -1, -1 };
	pid_t child = -1;

	d->ready = -1;
	if (!pipe2(fds, O_CLOEXEC))
		child = fork();
	if (child < 0) {
		(void)hp_fault_set(f, HP_ERR_IO, "use -f to stay in front",
				   "cannot go to the background: %s",
				   strerror(errno));
		if (fds[0] >= 0) {
			close(fds[0]);
			close(fds[1]);
		}
		return HP_ERR_IO;
	}
	if (child) {
		close(fds[1]);
		wait_for(fds[0], child);
	}
	close(fds[0]);
	d->ready = fds[1];
	setsid();
	return HP_OK;
}

void daemon_ready(struct daemon *d, struct log *log)
{
	int null;

	if (d->ready < 0)
		return;
	log_to_syslog(log, "hptund");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
	(void)!chdir("/");
	(void)!write(d->ready, "", 1);
	close(d->ready);
	d->ready = -1;
}
