/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "system.h"
#include "util.h"

#define HINT_PATH "name a file like /run/netns/POD or /proc/PID/ns/net of a running process"

static int fail_enter(const char *named, const char *path, int error, struct err *err)
{
	if (error != EPERM)
		return err_set(err, STATUS_FAILED, error, "%s %.200s: cannot enter it: %s", named, path, strerror(error));
	err_set(err, STATUS_NOPERM, error,
		"%s %.200s: entering a network namespace takes the "
		"capability SYS_ADMIN, here and in the user namespace that owns it",
		named, path);
	err_hint(err, "run as root on the node, or run istio-init inside the pod without --network-namespace");
	return -error;
}

/*
 * A user without rights here has all of them in a user namespace of their own, and in the netns that belongs to
 * it, once they are in it (user_namespaces(7)).
 */
static int enter_owner(int netns)
{
	auto_close int owner = ioctl(netns, NS_GET_USERNS);

	if (owner < 0 || setns(owner, CLONE_NEWUSER))
		return -errno;
	return 0;
}

static int enter(int netns)
{
	int rc;

	if (!setns(netns, CLONE_NEWNET))
		return 0;
	if (errno != EPERM)
		return -errno;
	rc = enter_owner(netns);
	/* It is ours already, or not ours to see: what is missing is a capability. */
	if (rc == -EINVAL)
		return -EPERM;
	return rc || !setns(netns, CLONE_NEWNET) ? rc : -errno;
}

int netns_enter(const char *named, const char *path, struct err *err)
{
	/* Not blocking: it may be a FIFO. */
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int rc;

	if (fd < 0) {
		bool denied = errno == EACCES;

		rc = err_set(err, denied ? STATUS_NOPERM : STATUS_USAGE, errno, "%s %.200s: cannot open it: %s", named,
			     path, strerror(errno));
		err_hint(err, denied ? "run as root, or as the user whose process or file it is" : HINT_PATH);
		return rc;
	}
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		rc = err_set(err, STATUS_USAGE, EINVAL, "%s %.200s: not a network namespace", named, path);
		err_hint(err, HINT_PATH);
		return rc;
	}
	rc = enter(fd);
	return rc ? fail_enter(named, path, -rc, err) : 0;
}
