/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "validation.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"
#include "util.h"

/* SO_ORIGINAL_DST of linux/netfilter_ipv4.h, IP6T_SO_ORIGINAL_DST of linux/netfilter_ipv6/ip6_tables.h. */
#define ORIGINAL_DST 80

struct redirect {
	struct probe *probe;
	int listeners[2], client;
};

static int fail_connect(const struct probe *p, int error)
{
	int rc = err_set(p->err, STATUS_INVALID, error,
			 "validation, %s: the connection of UID %u to %s port %u was not redirected to port %u: %s",
			 family_title(p->family), p->v->proxy.uid, p->family == IPV4 ? "127.0.0.6" : "::6",
			 p->v->probe_port, p->v->inbound_port,
			 error == ECONNREFUSED ? "it was refused, as without rules" :
			 error == ETIMEDOUT    ? "nothing arrived in time" :
						 strerror(error));

	err_hint(p->err,
		 error == ETIMEDOUT ?
			 "look for rules of others that drop it (iptables-save, nft list ruleset), or wait longer with --probe-timeout" :
			 "look at what is live with istio-init show, and that the init container ran in this pod with the same ports, "
			 "--proxy-uid and --ipv6");
	return rc;
}

/* Starts connecting; tries again while the address or its route, which the kernel adds a little later, is not there. */
static int start_connect(struct redirect *r)
{
	const struct probe *p = r->probe;
	union address from, to;
	socklen_t len = probe_loopback(&from, p->family, 1, 0);

	probe_loopback(&to, p->family, 6, p->v->probe_port);
	for (;;) {
		r->client = probe_socket(p, SOCK_STREAM, &p->v->proxy);
		if (r->client < 0 || bind(r->client, &from.any, len))
			return fail_connect(p, errno);
		if (!connect(r->client, &to.any, len) || errno == EINPROGRESS)
			return 0;
		if ((errno != EADDRNOTAVAIL && errno != ENETUNREACH && errno != EHOSTUNREACH) || clock_us() >= p->deadline)
			return fail_connect(p, errno);
		close(r->client);
		probe_pause();
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

static int client_error(int client)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

static int await_redirect(const struct redirect *r)
{
	const struct probe *p = r->probe;
	struct pollfd fds[] = {
		{ .fd = r->listeners[0], .events = POLLIN },
		{ .fd = r->listeners[1], .events = POLLIN },
		{ .fd = r->client, .events = POLLOUT },
	};
	uint64_t now;
	int error;

	while ((now = clock_us()) < p->deadline) {
		if (poll(fds, ARRAY_SIZE(fds), (int)((p->deadline - now + 999) / 1000)) < 0 && errno != EINTR)
			return fail_connect(p, errno);
		for (unsigned i = 0; i < ARRAY_SIZE(r->listeners); i++)
			if (fds[i].revents & POLLIN && accept_probe(p, r->listeners[i]))
				return 0;
		if (!fds[2].revents)
			continue;
		error = client_error(r->client);
		if (error)
			return fail_connect(p, error);
		fds[2].fd = -1; /* connected: only the listeners have more to say */
	}
	return fail_connect(p, ETIMEDOUT);
}

static void set_deadline(struct probe *p)
{
	p->deadline = clock_us() + (uint64_t)p->v->timeout_ms * 1000;
}

static int probe_redirect(struct probe *p)
{
	uint16_t ports[] = { p->v->proxy_port, p->v->inbound_port };
	struct redirect r = { .probe = p, .listeners = { -1, -1 }, .client = -1 };
	int rc = 0;

	set_deadline(p);
	for (unsigned i = 0; i < (ports[0] == ports[1] ? 1 : ARRAY_SIZE(ports)) && rc >= 0; i++)
		r.listeners[i] = rc = probe_listen(p, SOCK_STREAM, ports[i]);
	/* Waiting for others took its time. */
	set_deadline(p);
	rc = rc < 0 ? rc : start_connect(&r);
	rc = rc ? rc : await_redirect(&r);
	for (unsigned i = 0; i < ARRAY_SIZE(r.listeners); i++)
		util_cleanup_close(&r.listeners[i]);
	util_cleanup_close(&r.client);
	return rc;
}

int validate_redirect(const struct validation *v, struct err *err)
{
	int rc = 0;

	for (enum family f = 0; f < FAMILIES && !rc; f++) {
		struct probe p = { .v = v, .family = f, .err = err };

		if (!(v->families & FAMILY_BIT(f)))
			continue;
		rc = probe_redirect(&p);
		set_deadline(&p);
		if (!rc && v->dns_port && (!v->servers[f] || v->servers[f]->n))
			rc = probe_dns(&p);
	}
	return rc;
}

int validate_may(const struct validation *v, bool has_setuid, struct err *err)
{
	uint32_t uid = v->proxy.uid;
	bool may;

	/* It says nothing but who one is then. */
	setfsuid(uid);
	may = (uint32_t)setfsuid((uid_t)-1) == uid;
	setfsuid(geteuid());
	if (may)
		return 0;
	if (has_setuid) {
		err_set(err, STATUS_NOPERM, EPERM,
			"--run-validation works as UID %u, which is not mapped in this user namespace", uid);
		err_hint(err, "map that UID, name one that is mapped with --proxy-uid, or run without --run-validation");
	} else {
		err_set(err, STATUS_NOPERM, EPERM,
			"--run-validation works as UID %u, and the capability SETUID, to become it, is "
			"missing",
			uid);
		err_hint(err,
			 "only the proxy's own loopback traffic is redirected: run the validation as UID %u "
			 "(securityContext.runAsUser), or with the capability SETUID",
			 uid);
	}
	return -EPERM;
}
