/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who writes locks the netns itself, then the file that iptables-legacy locks, too: flock(2), and always in this order. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "system.h"
#include "util.h"

#define NETNS_PATH "/proc/self/ns/net"
#define POLL_MS 5

/* Without /proc any socket tells its netns to who has NET_ADMIN there (Linux 4.9).  A descriptor, or -errno. */
static int open_netns(void)
{
	int fd = open(NETNS_PATH, O_RDONLY | O_CLOEXEC);
	auto_close int sock = fd < 0 ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) : -1;

	if (sock >= 0)
		fd = ioctl(sock, SIOCGSKNS);
	return fd < 0 ? -errno : fd;
}

/*
 * A netns file (--cni-mode) can be locked, too, but not created or opened for writing.  Not
 * blocking: whatever XTABLES_LOCKFILE names, only the lock itself is worth a wait.
 */
static int open_xtables(const char *path)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0 && errno != ENOENT)
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Both names may be those of one file: who has locked it would wait for himself. */
static bool is_same_file(int a, int b)
{
	struct stat sa, sb;

	return a >= 0 && b >= 0 && !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Best effort: a lock that cannot be had at all is closed, and is no failure.  -EBUSY: somebody else has it. */
static int take(int *fd, const char *path, uint64_t deadline_us)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	int error = *fd < 0 ? -*fd : 0;

	while (!error && flock(*fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			error = errno;
		else if (clock_us() >= deadline_us)
			return -EBUSY;
		else
			nanosleep(&pause, NULL);
	}
	if (!error)
		return 0;
	log_debug("going on without the lock %s: %s", path, strerror(error));
	util_cleanup_close(fd);
	*fd = -1;
	return 0;
}

static int fail_busy(const char *what, const char *path, uint64_t start_us, struct err *err)
{
	return err_set(err, STATUS_BUSY, EBUSY, "another %s %s (waited %u ms)", what, path,
		       (unsigned)((clock_us() - start_us) / 1000));
}

int locks_take(struct locks *locks, const char *path, uint64_t deadline_us, struct err *err)
{
	uint64_t start_us = clock_us();
	int rc;

	locks->xtables = -1;
	locks->netns = open_netns();
	rc = take(&locks->netns, NETNS_PATH, deadline_us);
	if (rc) {
		fail_busy("istio-init is at work in this network namespace and holds the lock", NETNS_PATH, start_us, err);
		err_hint(err, "wait longer with --wait, or look for one that hangs");
		locks_release(locks);
		return rc;
	}
	log_hold();
	locks->xtables = open_xtables(path);
	if (is_same_file(locks->netns, locks->xtables)) {
		util_cleanup_close(&locks->xtables);
		locks->xtables = -1;
		return 0;
	}
	rc = take(&locks->xtables, path, deadline_us);
	if (rc) {
		fail_busy("program holds the xtables lock", path, start_us, err);
		err_hint(err, "find it with fuser -v %s, wait longer with --wait, or name another file in XTABLES_LOCKFILE",
			 path);
		locks_release(locks);
	}
	return rc;
}

void locks_release(struct locks *locks)
{
	util_cleanup_close(&locks->xtables);
	util_cleanup_close(&locks->netns);
	log_release();
}
