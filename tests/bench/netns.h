/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_BENCH_NETNS_H
#define ISTIO_INIT_BENCH_NETNS_H

#include <err.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A network namespace of our own, with lo up, as a container runtime leaves it. */
static inline void netns_make(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		err(1, "unshare");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		err(1, "lo");
	close(fd);
}

#endif
