/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of open and write: files are what the input says. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

static bool active;
static int file = -1;

void fuzz_files_begin(const char *content, size_t size)
{
	if (file < 0)
		file = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_CHECK(!ftruncate(file, 0) && pwrite(file, content, size, 0) == (ssize_t)size);
	active = true;
}

void fuzz_files_end(void)
{
	active = false;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (!active)
		return __real_open(path, flags, mode);
	if (!*path) {
		errno = ENOENT;
		return -1;
	}
	if ((flags & O_ACCMODE) != O_RDONLY)
		return __real_open("/dev/null", O_WRONLY | O_CLOEXEC);
	/* one offset for all: nobody reads two at a time */
	lseek(file, 0, SEEK_SET);
	return dup(file);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	return active ? (ssize_t)size : __real_write(fd, data, size);
}
