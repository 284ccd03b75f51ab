/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

/* No runtime takes a name that begins with a dot, nor one that ends so. */
#define TEMPORARY ".istio-init-cni-"

#define POLL_MS 5

static int fail_file(const char *path, const char *what, struct err *err)
{
	int error = errno;
	enum status status = error == EACCES || error == EPERM ? STATUS_NOPERM : STATUS_FAILED;

	return err_set(err, status, error, "%.300s: cannot %s: %s", path, what, strerror(error));
}

static void remove_left(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, TEMPORARY, strlen(TEMPORARY)))
			unlinkat(fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
}

int folder_lock(const char *path, uint32_t wait_ms, struct err *err)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	uint64_t deadline_us = clock_us() + (uint64_t)wait_ms * 1000;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, STATUS_BUSY, ENOENT, "%.300s: there is no such folder yet", path);
	if (fd < 0)
		return fail_file(path, "open it", err);
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if ((errno == EWOULDBLOCK || errno == EINTR) && clock_us() < deadline_us) {
			nanosleep(&pause, NULL);
			continue;
		}
		rc = errno == EWOULDBLOCK ?
			     err_set(err, STATUS_BUSY, EBUSY, "%.300s: another istio-init is at work in it", path) :
			     fail_file(path, "lock it", err);
		close(fd);
		return rc;
	}
	remove_left(fd);
	return fd;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && !strcmp(name + n - k, suffix);
}

char **folder_names(const char *path, const char *suffix)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char **names = NULL;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.' && ends_with(entry->d_name, suffix))
			*(char **)array_push(&names, &n, sizeof(*names)) = xstrdup(entry->d_name);
	if (dir)
		closedir(dir);
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	*(char **)array_push(&names, &n, sizeof(*names)) = NULL;
	return names;
}

void folder_names_free(char **names)
{
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
}

static int write_all(int fd, const char *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, data + at, len - at);

		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Of a new inode: what the writer is, and what was there. */
static int fill(int fd, const void *data, size_t len, const struct stat *like)
{
	struct stat now;

	if (write_all(fd, data, len) || fstat(fd, &now))
		return -1;
	if ((now.st_uid != like->st_uid || now.st_gid != like->st_gid) && fchown(fd, like->st_uid, like->st_gid))
		return -1;
	return fchmod(fd, like->st_mode & 07777) || fsync(fd) ? -1 : 0;
}

int file_replace(const char *path, const void *data, size_t len, const struct stat *like,
		 bool (*unchanged)(const void *arg), const void *arg, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char temporary[PATH_MAX];
	int fd, rc = 0;

	snprintf(temporary, sizeof(temporary), "%.*s" TEMPORARY "XXXXXX", slash ? (int)(slash - path + 1) : 0, path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return fail_file(path, "write a new file beside it", err);
	if (fill(fd, data, len, like))
		rc = fail_file(path, "write a new file beside it", err);
	if (close(fd) && !rc)
		rc = fail_file(path, "write a new file beside it", err);
	if (!rc && unchanged && !unchanged(arg))
		rc = err_set(err, STATUS_BUSY, EAGAIN, "%.300s: somebody else changes it again and again", path);
	if (!rc && rename(temporary, path))
		rc = fail_file(path, "replace it", err);
	if (rc)
		unlink(temporary);
	return rc;
}
