/* SPDX-License-Identifier: ISC */
/* Starts the daemon of a network. */
#include "start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMON "hptund"

/* As built: in this directory. As installed: in ../sbin. Else "", for PATH. */
static void find_daemon(char out[HP_PATH_MAX])
{
	static const char *const places[] = { DAEMON, "../sbin/" DAEMON };
	char dir[HP_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	for (size_t i = 0; slash && i < 2; i++) {
		*slash = '\0';
		if (!hp_path_join(out, dir, places[i], NULL) &&
		    access(out, X_OK) == 0)
			return;
	}
	strcpy(out, DAEMON);
}

enum hp_err start_daemon(const struct hp_dirs *dirs, const char *network,
			 struct hp_fault *f)
{
	char path[HP_PATH_MAX];
	int status;
	pid_t pid;

	if (geteuid() != 0)
		return hp_fault_set(f, HP_ERR_DENIED,
				    "the same with sudo in front: sudo hptun "
				    "up ...",
				    "the daemon makes a network interface, "
				    "which only root may do");
	find_daemon(path);
	pid = fork();
	if (pid < 0)
		return hp_fault_set(f, HP_ERR_IO, "", "fork: %s",
				    strerror(errno));
	if (pid == 0) {
		execlp(path, DAEMON, "--network", network, "--config-dir",
		       dirs->config, "--run-dir", dirs->run, "--state-dir",
		       dirs->state, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return hp_fault_set(f, HP_ERR_IO, "", "waitpid: %s",
					    strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return HP_OK;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return hp_fault_set(f, HP_ERR_IO,
				    "install it, or put it beside hptun",
				    "the program " DAEMON " was not found");
	return hp_fault_set(f, HP_ERR_STATE, "",
			    "the daemon of network %s did not start", network);
}
