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

/*
 * A netns file (--cni-mode) can be locked, too, but not created or opened for writing.  Not
 * blocking: whatever XTABLES_LOCKFILE names, only the lock itself is worth a wait.
 */
static int open_lock(const char *path)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0 && errno != ENOENT)
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd;
}

/*
 * Where the file cannot be had (an image without /run, a read-only root, the netns file of a process that
 * is not ours to look into), the netns itself is what all who write its rules have in common.
 */
static int open_some_lock(const char **path)
{
	int fd = open_lock(*path);

	if (fd >= 0)
		return fd;
	log_debug("cannot open the xtables lock %s: %s; locking the network namespace instead", *path, strerror(errno));
	*path = "/proc/self/ns/net";
	return open_lock(*path);
}

int lock_take(const char *path, uint32_t wait_ms, struct err *err)
{
	struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	const char *file = path;
	uint32_t waited = 0;
	int fd = open_some_lock(&path), rc;

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			log_debug("cannot lock %s: %s", path, strerror(errno));
			close(fd);
			fd = -1;
			break;
		}
		if (waited >= wait_ms) {
			close(fd);
			rc = err_set(err, STATUS_BUSY, EBUSY,
				     "another program holds the xtables lock %s (waited %u ms)", path, wait_ms);
			if (path == file)
				err_hint(err,
					 "find it with fuser -v %s, wait longer with --wait, or name another file in "
					 "XTABLES_LOCKFILE",
					 path);
			else
				err_hint(err,
					 "wait longer with --wait; it is an istio-init that, like this one, cannot open %s",
					 file);
			return rc;
		}
		nanosleep(&pause, NULL);
		waited += POLL_MS;
	}
	if (fd < 0)
		log_debug("going on without a lock");
	return fd < 0 ? -1 : fd;
}
