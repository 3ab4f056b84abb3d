/* SPDX-License-Identifier: ISC */
#include "sys/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A failed system call on @path; the code tells permission from the rest. */
static enum hp_err io_fault(struct hp_fault *f, const char *what,
			    const char *path)
{
	int e = errno;
	const char *remedy = "";

	if (e == EACCES || e == EPERM)
		remedy = "run the command as root, or as the owner";
	else if (e == ENOSPC || e == EDQUOT)
		remedy = "make room on the disk";
	else if (e == EROFS)
		remedy = "the file system is read-only: choose another "
			 "directory";
	return hp_fault_set(f, HP_ERR_IO, remedy, "cannot %s %s: %s", what,
			    path, strerror(e));
}

enum hp_err hp_path_join(char out[HP_PATH_MAX], const char *dir,
			 const char *name, struct hp_fault *f)
{
	int n = snprintf(out, HP_PATH_MAX, "%s/%s", dir, name);

	if (n >= 0 && n < HP_PATH_MAX)
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FULL, "choose a shorter directory",
			    "the path %.60s.../%s is too long", dir, name);
}

static enum hp_err secret_check(const struct stat *st, const char *path,
				struct hp_fault *f)
{
	enum hp_err err;

	if (!(st->st_mode & 077))
		return HP_OK;
	err = hp_fault_set(f, HP_ERR_DENIED, "",
			   "%s holds a secret, but others than its owner may "
			   "use it (mode %04o)", path,
			   (unsigned int)st->st_mode & 07777);
	if (f)
		snprintf(f->remedy, sizeof(f->remedy), "chmod 600 %.200s",
			 path);
	return err;
}

/* Reads @size bytes and makes sure that no more came meanwhile. */
static enum hp_err read_all(int fd, const char *path, size_t size, char **text,
			    size_t *len, struct hp_fault *f)
{
	char *buf = malloc(size + 1);
	size_t n = 0;

	if (!buf)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	while (n < size) {
		ssize_t got = read(fd, buf + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			enum hp_err err = io_fault(f, "read", path);

			hp_file_free(buf, size);
			return err;
		}
		if (!got)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	*text = buf;
	*len = n;
	return HP_OK;
}

enum hp_err hp_file_load(const char *path, bool secret, char **text,
			 size_t *len, struct hp_fault *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	enum hp_err err;

	if (fd < 0 && errno == ENOENT)
		return hp_fault_set(f, HP_ERR_UNKNOWN, "", "%s is missing",
				    path);
	if (fd < 0)
		return io_fault(f, "open", path);
	/* Asked of the open file: no other can take its place in between. */
	if (fstat(fd, &st)) {
		err = io_fault(f, "look at", path);
	} else if (!S_ISREG(st.st_mode)) {
		err = hp_fault_set(f, HP_ERR_IO, "", "%s is not a file", path);
	} else if ((size_t)st.st_size > HP_FILE_MAX) {
		err = hp_fault_set(f, HP_ERR_FULL, "",
				   "%s is too large: %lld bytes", path,
				   (long long)st.st_size);
	} else {
		err = secret ? secret_check(&st, path, f) : HP_OK;
		if (!err)
			err = read_all(fd, path, (size_t)st.st_size, text, len,
				       f);
	}
	close(fd);
	return err;
}

void hp_file_free(char *text, size_t len)
{
	if (!text)
		return;
	sodium_memzero(text, len);
	free(text);
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The directory of @path, "." when it has none. */
static void parent_of(const char *path, char out[HP_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(out, HP_PATH_MAX, ".");
	else
		snprintf(out, HP_PATH_MAX, "%.*s",
			 slash == path ? 1 : (int)(slash - path), path);
}

/* A rename is on disk once the directory is. */
static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int bad;

	if (fd < 0)
		return -1;
	bad = fsync(fd);
	close(fd);
	return bad;
}

enum hp_err hp_file_save(const char *path, const void *data, size_t len,
			 mode_t mode, struct hp_fault *f)
{
	char temp[HP_PATH_MAX + 8];
	char dir[HP_PATH_MAX];
	enum hp_err err;
	int fd;

	snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	parent_of(path, dir);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return io_fault(f, "write in", dir);
	if (fchmod(fd, mode) || write_all(fd, data, len) || fsync(fd))
		goto bad;
	if (close(fd)) {
		fd = -1;
		goto bad;
	}
	fd = -1;
	if (rename(temp, path))
		goto bad;
	return sync_dir(dir) ? io_fault(f, "write", dir) : HP_OK;
bad:
	err = io_fault(f, "write", path);
	if (fd >= 0)
		close(fd);
	unlink(temp);
	return err;
}

enum hp_err hp_dir_make(const char *path, struct hp_fault *f)
{
	char copy[HP_PATH_MAX];
	struct stat st;

	if (strlen(path) >= sizeof(copy))
		return hp_path_join(copy, path, "", f);
	strcpy(copy, path);
	for (char *s = copy + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			return io_fault(f, "make directory", copy);
		*s = '/';
	}
	if (!mkdir(path, 0700))
		return HP_OK;
	if (errno != EEXIST)
		return io_fault(f, "make directory", path);
	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return hp_fault_set(f, HP_ERR_IO, "",
				    "%s is not a directory", path);
	return HP_OK;
}

enum hp_err hp_dir_remove(const char *path, struct hp_fault *f)
{
	DIR *d = opendir(path);
	struct dirent *e;
	enum hp_err err = HP_OK;

	if (!d && errno == ENOENT)
		return HP_OK;
	if (!d)
		return io_fault(f, "open", path);
	while (!err && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0))
			err = io_fault(f, "empty", path);
	}
	closedir(d);
	if (!err && rmdir(path))
		err = io_fault(f, "remove", path);
	return err;
}

/* The process id in the first line, -1 when there is none to read. */
static pid_t pid_read(int fd)
{
	char text[16];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	pid = strtol(text, NULL, 10);
	return pid > 0 ? (pid_t)pid : -1;
}

/* Opens and locks, with a lock of the open file description: like flock(2) it
 * outlives a fork, but who has it can be asked without taking it. Nobody else may open it, for whoever can read a file can
 * lock it. The file may have been removed by its last holder in
 * between, then another of that name counts. -1 with errno.
 */
static int lock_open(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			      0600);
		struct stat mine;
		struct stat named;

		if (fd < 0)
			return -1;
		if (fcntl(fd, F_OFD_SETLK, &whole)) {
			int e = errno;

			close(fd);
			errno = e;
			return -1;
		}
		if (!fstat(fd, &mine) && !stat(path, &named) &&
		    mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
			return fd;
		close(fd);
	}
}

enum hp_err hp_lock_take(const char *path, int *fd, struct hp_fault *f)
{
	char text[16];
	int lock = lock_open(path);
	int len;

	if (lock < 0 && errno == EWOULDBLOCK) {
		pid_t pid = hp_lock_holder(path);

		if (pid > 0)
			return hp_fault_set(f, HP_ERR_EXISTS, "",
					    "process %ld has it already (%s)",
					    (long)pid, path);
		return hp_fault_set(f, HP_ERR_EXISTS, "try again",
				    "another process has it already (%s)",
				    path);
	}
	if (lock < 0)
		return io_fault(f, "lock", path);
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(lock, 0) || write_all(lock, text, (size_t)len)) {
		enum hp_err err = io_fault(f, "write", path);

		close(lock);
		return err;
	}
	*fd = lock;
	return HP_OK;
}

void hp_lock_release(const char *path, int fd)
{
	if (fd < 0)
		return;
	unlink(path);
	close(fd);
}

pid_t hp_lock_holder(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	pid_t pid = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (!fcntl(fd, F_OFD_GETLK, &whole) && whole.l_type != F_UNLCK)
		pid = pid_read(fd);
	close(fd);
	return pid;
}
