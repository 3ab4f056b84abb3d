/* SPDX-License-Identifier: ISC */
/*
 * Files that must be whole or absent: read with a check that nobody else can
 * read a secret, written by rename, directories for the owner alone, and lock
 * files.
 */
#ifndef HP_SYS_DISK_H
#define HP_SYS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Longest path that is used, with its NUL. */
#define HP_PATH_MAX 512
/* Largest file that is read. */
#define HP_FILE_MAX ((size_t)4 << 20)

/* "DIR/NAME" in @out; HP_ERR_FULL with @f filled when it is too long. */
enum hp_err hp_path_join(char out[HP_PATH_MAX], const char *dir,
			 const char *name, struct hp_fault *f) HP_MUST_CHECK;

/**
 * hp_file_load() - Read a whole file
 * @secret: refuse it when group or others may read or write it
 * @text:   gives its bytes, with a NUL behind; free with hp_file_free()
 * @len:    bytes, without that NUL
 *
 * Return: HP_OK; HP_ERR_UNKNOWN when there is none; HP_ERR_DENIED (mode; the
 *         remedy is the command that mends it); HP_ERR_FULL; HP_ERR_NOMEM;
 *         HP_ERR_IO. @f filled.
 */
enum hp_err hp_file_load(const char *path, bool secret, char **text,
			 size_t *len, struct hp_fault *f) HP_MUST_CHECK;
/* Wipes and frees; NULL is fine. */
void hp_file_free(char *text, size_t len);
/**
 * hp_file_save() - Write a file so that it is the old one or the new one
 *
 * A temporary file beside it, fsync, rename, fsync of the directory.
 *
 * Return: HP_OK; HP_ERR_IO with @f filled: the old file is as it was.
 */
enum hp_err hp_file_save(const char *path, const void *data, size_t len,
			 mode_t mode, struct hp_fault *f) HP_MUST_CHECK;

/* Makes @path (0700) and, as needed, its parents (0755). HP_ERR_IO. */
enum hp_err hp_dir_make(const char *path, struct hp_fault *f) HP_MUST_CHECK;
/* Removes a directory and the files in it; fine when there is none. Does not
 * follow links, does not descend. HP_ERR_IO.
 */
enum hp_err hp_dir_remove(const char *path, struct hp_fault *f) HP_MUST_CHECK;

/**
 * hp_lock_take() - Take a lock file for as long as this process lives
 * @path: holds our process id then
 * @fd:   gives the descriptor that keeps it; closing releases
 *
 * Return: HP_OK; HP_ERR_EXISTS with the holder's id in @f; HP_ERR_IO.
 */
enum hp_err hp_lock_take(const char *path, int *fd, struct hp_fault *f)
	HP_MUST_CHECK;
/* Removes the file and closes the lock; -1 is fine. */
void hp_lock_release(const char *path, int fd);
/* Who holds it: a process id, 0: nobody, -1: somebody, id unknown. Keeps nobody
 * from taking it meanwhile.
 */
pid_t hp_lock_holder(const char *path);

#endif
