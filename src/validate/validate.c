/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "validate.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "util.h"

/* Until a fresh ::6 has its route, connecting to it fails for some hundred microseconds. */
#define ROUTE_PAUSE_NS 200000
/* SO_ORIGINAL_DST of linux/netfilter_ipv4.h, IP6T_SO_ORIGINAL_DST of linux/netfilter_ipv6/ip6_tables.h. */
#define ORIGINAL_DST 80

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct probe {
	const struct validation *v;
	enum family family;
	int listeners[2], client;
	struct err *err;
};

/* 127.0.0.@last or ::@last. */
static socklen_t make_address(union address *a, enum family family, uint8_t last, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (family == IPV4) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		a->v4.sin_addr.s_addr = htonl(0x7f000000u | last);
		return sizeof(a->v4);
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	a->v6.sin6_addr.s6_addr[15] = last;
	return sizeof(a->v6);
}

static int open_socket(const struct probe *p)
{
	return socket(p->family == IPV4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int fail_listen(const struct probe *p, uint16_t port, int error)
{
	int rc = err_set(p->err, STATUS_INVALID, error, "validation, %s: cannot listen on the loopback address at port %u: %s",
			 family_title(p->family), port,
			 error == EADDRINUSE ? "another process holds it" : strerror(error));

	err_hint(p->err, error == EADDRINUSE ? "validate before the proxy starts, or find the process with ss -ltnp" :
		 error == EADDRNOTAVAIL ? "lo is down or has no address of this family: run istio-init apply first, "
					  "or use --ipv6=off" :
					  "look at the pod's sysctls and its lo interface");
	return rc;
}

static int listen_at(struct probe *p, unsigned index, uint16_t port)
{
	union address a;
	socklen_t len = make_address(&a, p->family, 1, port);
	int on = 1, fd = open_socket(p);

	p->listeners[index] = fd;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) || bind(fd, &a.any, len) ||
	    listen(fd, 8))
		return fail_listen(p, port, errno);
	return 0;
}

static int fail_connect(const struct probe *p, int error)
{
	int rc = err_set(p->err, STATUS_INVALID, error,
			 "validation, %s: the connection of UID %u to %s port %u was not redirected to port %u: %s",
			 family_title(p->family), p->v->uid, p->family == IPV4 ? "127.0.0.6" : "::6", p->v->probe_port,
			 p->v->inbound_port,
			 error == ECONNREFUSED ? "it was refused, as without rules" :
			 error == ETIMEDOUT    ? "nothing arrived in time" :
						 strerror(error));

	err_hint(p->err, error == ETIMEDOUT ?
		 "look for rules of others that drop it (iptables-save, nft list ruleset), or wait longer with --probe-timeout" :
		 "look at what is live with istio-init show, and that the init container ran in this pod with the same ports, "
		 "--proxy-uid and --ipv6");
	return rc;
}

/* Starts connecting; tries again while the address or its route is not there yet. */
static int start_connect(struct probe *p, uint64_t deadline)
{
	struct timespec pause = { .tv_nsec = ROUTE_PAUSE_NS };
	union address from, to;
	socklen_t len = make_address(&from, p->family, 1, 0);

	make_address(&to, p->family, 6, p->v->probe_port);
	for (;;) {
		p->client = open_socket(p);
		if (p->client < 0 || bind(p->client, &from.any, len))
			return fail_connect(p, errno);
		if (!connect(p->client, &to.any, len) || errno == EINPROGRESS)
			return 0;
		if ((errno != EADDRNOTAVAIL && errno != ENETUNREACH && errno != EHOSTUNREACH) || clock_us() >= deadline)
			return fail_connect(p, errno);
		close(p->client);
		nanosleep(&pause, NULL);
	}
}

/* Whether the connection that waits at the listener was meant for the probe port. */
static bool accept_probe(const struct probe *p, int listener)
{
	auto_close int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	union address to = { 0 };
	socklen_t len = sizeof(to);

	if (fd < 0 || getsockopt(fd, p->family == IPV4 ? IPPROTO_IP : IPPROTO_IPV6, ORIGINAL_DST, &to, &len))
		return false;
	/* The port stands at one place in both families. */
	return to.v4.sin_port == htons(p->v->probe_port);
}

static int client_error(const struct probe *p)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(p->client, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

static int await_redirect(struct probe *p, uint64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = p->listeners[0], .events = POLLIN },
		{ .fd = p->listeners[1], .events = POLLIN },
		{ .fd = p->client, .events = POLLOUT },
	};
	uint64_t now;
	int error;

	while ((now = clock_us()) < deadline) {
		if (poll(fds, ARRAY_SIZE(fds), (int)((deadline - now + 999) / 1000)) < 0 && errno != EINTR)
			return fail_connect(p, errno);
		for (unsigned i = 0; i < ARRAY_SIZE(p->listeners); i++)
			if (fds[i].revents & POLLIN && accept_probe(p, p->listeners[i]))
				return 0;
		if (!fds[2].revents)
			continue;
		error = client_error(p);
		if (error)
			return fail_connect(p, error);
		fds[2].fd = -1; /* connected: only the listeners have more to say */
	}
	return fail_connect(p, ETIMEDOUT);
}

static int probe_family(const struct validation *v, enum family family, struct err *err)
{
	struct probe p = { .v = v, .family = family, .listeners = { -1, -1 }, .client = -1, .err = err };
	uint64_t deadline = clock_us() + (uint64_t)v->timeout_ms * 1000;
	int rc = listen_at(&p, 0, v->proxy_port);

	if (!rc && v->inbound_port != v->proxy_port)
		rc = listen_at(&p, 1, v->inbound_port);
	rc = rc ? rc : start_connect(&p, deadline);
	rc = rc ? rc : await_redirect(&p, deadline);
	for (unsigned i = 0; i < ARRAY_SIZE(p.listeners); i++)
		util_cleanup_close(&p.listeners[i]);
	util_cleanup_close(&p.client);
	return rc;
}

static int probe_families(const struct validation *v, struct err *err)
{
	int rc = 0;

	for (enum family f = 0; f < FAMILIES && !rc; f++)
		if (v->families & FAMILY_BIT(f))
			rc = probe_family(v, f, err);
	return rc;
}

static int fail_child(const struct validation *v, int error, const char *what, struct err *err)
{
	int rc = err_set(err, STATUS_INVALID, error, "validation: %s: %s", what, strerror(error));

	err_hint(err, "raise the pod's limits of processes, open files and memory, or run the validation as UID %u, which takes "
		      "no child", v->uid);
	return rc;
}

/* The child hands its error up through a pipe; nothing of it is left when it ends. */
static int probe_in_child(const struct validation *v, struct err *err)
{
	int pipe_fds[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return fail_child(v, errno, "cannot make a pipe to the probe's child", err);
	pid = fork();
	if (pid == 0) {
		int rc = setresuid(v->uid, v->uid, v->uid) ?
				 err_set(err, STATUS_NOPERM, errno, "validation: cannot become UID %u: %m", v->uid) :
				 probe_families(v, err);

		if (rc && write(pipe_fds[1], err, sizeof(*err)) != sizeof(*err))
			rc = -EIO;
		_exit(rc ? 1 : 0);
	}
	close(pipe_fds[1]);
	got = pid < 0 ? 0 : read(pipe_fds[0], err, sizeof(*err));
	close(pipe_fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return fail_child(v, errno, "cannot run the probe in a child", err);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (got != sizeof(*err))
		return fail_child(v, EIO, "the probe's child ended without an answer", err);
	return -EIO;
}

int validate_redirect(const struct validation *v, struct err *err)
{
	int rc;

	if (geteuid() == v->uid)
		return probe_families(v, err);
	rc = probe_in_child(v, err);
	if (rc && err->status == STATUS_NOPERM)
		err_hint(err, "only the proxy's own loopback traffic is redirected: run the validation as UID %u "
			      "(securityContext.runAsUser), or with the capability SETUID", v->uid);
	return rc;
}
