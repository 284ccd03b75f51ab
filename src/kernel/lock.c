/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock that iptables-legacy takes, too: flock(2) on one file (iptables 1.8, iptables/xshared.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "system.h"

#define POLL_MS 5

/* A netns file (--cni-mode) can be locked, too, but not created or opened for writing. */
static int open_lock(const char *path)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 && errno != ENOENT)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd;
}

int lock_take(const char *path, uint32_t wait_ms, struct err *err)
{
	struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	uint32_t waited = 0;
	int fd = open_lock(path), rc;

	if (fd < 0) {
		log_debug("going on without the xtables lock: cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			log_debug("going on without the xtables lock: cannot lock %s: %s", path, strerror(errno));
			close(fd);
			return -1;
		}
		if (waited >= wait_ms) {
			close(fd);
			rc = err_set(err, STATUS_BUSY, EBUSY, "another program holds the xtables lock %s (waited %u ms)",
				     path, wait_ms);
			err_hint(err, "find it with fuser -v %s, wait longer with --wait, or name another file in "
				      "XTABLES_LOCKFILE", path);
			return rc;
		}
		nanosleep(&pause, NULL);
		waited += POLL_MS;
	}
	return fd;
}
