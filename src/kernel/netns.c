/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "system.h"
#include "util.h"

bool netns_is_initial(void)
{
	/* net/core/sysctl_net_core.c registers it for init_net only. */
	return access("/proc/sys/net/core/bpf_jit_enable", F_OK) == 0;
}

static int fail_enter(const char *path, int error, struct err *err)
{
	int rc;

	if (error != EPERM)
		return err_set(err, STATUS_FAILED, error, "--network-namespace %.200s: cannot enter it: %s", path,
			       strerror(error));
	rc = err_set(err, STATUS_NOPERM, error, "--network-namespace %.200s: entering a network namespace takes the "
						"capability SYS_ADMIN, here and in the user namespace that owns it", path);
	err_hint(err, "run as root on the node, or run istio-init inside the pod without --network-namespace");
	return rc;
}

/*
 * The user namespace that owns the netns must be entered first where we have no rights over it from
 * outside; it is ours already (EINVAL) in the usual case.
 */
static int enter_owner(int netns)
{
	auto_close int owner = ioctl(netns, NS_GET_USERNS);

	if (owner < 0)
		return -errno;
	return setns(owner, CLONE_NEWUSER) && errno != EINVAL ? -errno : 0;
}

int netns_enter(const char *path, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	int type, rc;

	if (fd < 0) {
		rc = err_set(err, errno == EACCES ? STATUS_NOPERM : STATUS_USAGE, errno,
			     "--network-namespace %.200s: cannot open it: %s", path, strerror(errno));
		err_hint(err, "name a file like /run/netns/POD or /proc/PID/ns/net of a running process");
		return rc;
	}
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type != CLONE_NEWNET) {
		rc = err_set(err, STATUS_USAGE, EINVAL, "--network-namespace %.200s: not a network namespace", path);
		err_hint(err, "name a file like /run/netns/POD or /proc/PID/ns/net of a running process");
		return rc;
	}
	if (!setns(fd, CLONE_NEWNET))
		return 0;
	if (errno != EPERM || enter_owner(fd) || setns(fd, CLONE_NEWNET))
		return fail_enter(path, errno, err);
	return 0;
}
