/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <errno.h>
#include <string.h>
#include <sys/fsuid.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

#define PAUSE_NS 200000

socklen_t probe_address(union address *a, enum family family, const uint8_t *addr, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (family == IPV4) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		memcpy(&a->v4.sin_addr, addr, sizeof(a->v4.sin_addr));
		return sizeof(a->v4);
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	memcpy(&a->v6.sin6_addr, addr, sizeof(a->v6.sin6_addr));
	return sizeof(a->v6);
}

socklen_t probe_loopback(union address *a, enum family family, uint8_t last, uint16_t port)
{
	uint8_t addr[16] = { family == IPV4 ? 127 : 0 };

	addr[family_addr_len(family) - 1] = last;
	return probe_address(a, family, addr, port);
}

/* Rules know the owner of a socket by the file-system user and group of who made it (f_cred of net/core's sock_owned). */
int probe_socket(const struct probe *p, int type, const struct owner *owner)
{
	int fd, error;

	setfsgid(owner->gid);
	setfsuid(owner->uid);
	fd = socket(p->family == IPV4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = errno;
	setfsuid(geteuid());
	setfsgid(getegid());
	errno = error;
	return fd;
}

void probe_pause(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
}

static int fail_listen(const struct probe *p, uint16_t port, int error)
{
	int rc = err_set(p->err, STATUS_INVALID, error,
			 "validation, %s: cannot listen on the loopback address at port %u: %s", family_title(p->family),
			 port, error == EADDRINUSE ? "another process holds it" : strerror(error));

	err_hint(p->err, error == EADDRINUSE ? "validate before the proxy starts, or find the process with ss -ltnup" :
			 error == EADDRNOTAVAIL ? "lo is down or has no address of this family: run istio-init apply first, "
						  "or use --ipv6=off" :
						  "look at the pod's sysctls and its lo interface");
	return rc;
}

static int try_listen(const struct probe *p, int type, uint16_t port)
{
	auto_close int fd = probe_socket(p, type, &p->v->proxy);
	int on = 1, ready = fd;
	union address a;
	socklen_t len = probe_loopback(&a, p->family, 1, port);

	if (fd < 0 || (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))) ||
	    bind(fd, &a.any, len) || (type == SOCK_STREAM && listen(fd, 8)))
		return -errno;
	fd = -1;
	return ready;
}

int probe_listen(const struct probe *p, int type, uint16_t port)
{
	int fd;

	while ((fd = try_listen(p, type, port)) == -EADDRINUSE && clock_us() < p->deadline)
		probe_pause();
	return fd < 0 ? fail_listen(p, port, -fd) : fd;
}
