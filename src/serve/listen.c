/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "quote.h"
#include "util.h"

/* More than wait for a server that restarts; the kernel's own limit is net.core.somaxconn. */
#define BACKLOG 1024

const char *address_text(const union address *address, char text[INET6_ADDRSTRLEN])
{
	const struct in6_addr *ip6 = &address->ip6.sin6_addr;
	const void *ip = ip6;
	int family = address->any.sa_family;

	if (family == AF_INET) {
		ip = &address->ip4.sin_addr;
	} else if (IN6_IS_ADDR_V4MAPPED(ip6)) {
		family = AF_INET;
		ip = &ip6->s6_addr[12];
	}
	if (!inet_ntop(family, ip, text, INET6_ADDRSTRLEN))
		*text = '\0';
	return text;
}

static bool parse_port(const char *text, in_port_t *port)
{
	unsigned number = 0;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 5)
		return false;
	while (*text)
		number = number * 10 + (unsigned)(*text++ - '0');
	*port = htons((uint16_t)number);
	return number && number <= UINT16_MAX;
}

static bool parse(const char *text, union address *to)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 1];
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool bracketed = n > 2 && *text == '[' && text[n - 1] == ']';

	memset(to, 0, sizeof(*to));
	if (!colon || n >= sizeof(host))
		return false;
	memcpy(host, text + bracketed, n - 2 * bracketed);
	host[n - 2 * bracketed] = '\0';
	if (n && !bracketed) {
		to->any.sa_family = AF_INET;
		return inet_pton(AF_INET, host, &to->ip4.sin_addr) == 1 && parse_port(colon + 1, &to->ip4.sin_port);
	}
	to->any.sa_family = AF_INET6;
	return (!n || inet_pton(AF_INET6, host, &to->ip6.sin6_addr) == 1) && parse_port(colon + 1, &to->ip6.sin6_port);
}

static int try_bind(const union address *address)
{
	auto_close int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0, rc;

	if (fd < 0)
		return -errno;
	/* accepted sockets inherit it */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)))
		return -errno;
	if (bind(fd, &address->any, address->any.sa_family == AF_INET ? sizeof(address->ip4) : sizeof(address->ip6)))
		return -errno;
	rc = fd;
	fd = -1;
	return rc;
}

/* A node without IPv6 has no address of both families. */
static bool falls_back(const union address *address, int rc)
{
	return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->ip6.sin6_addr) &&
	       (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL);
}

int listen_bind(const char *option, const char *text, struct err *err)
{
	char quoted[QUOTE_MAX];
	union address address;
	int rc;

	if (!parse(text, &address))
		return err_set(err, STATUS_USAGE, EINVAL, "%s: %s: expected ADDR:PORT, [ADDR]:PORT or :PORT", option,
			       quote(text, quoted));
	rc = try_bind(&address);
	if (falls_back(&address, rc)) {
		in_port_t port = address.ip6.sin6_port;

		memset(&address, 0, sizeof(address));
		address.ip4.sin_family = AF_INET;
		address.ip4.sin_port = port;
		rc = try_bind(&address);
	}
	return rc >= 0 ? rc : err_set(err, STATUS_FAILED, -rc, "%s: %s: %s", option, quote(text, quoted), strerror(-rc));
}

int listen_begin(int fd, const char *option, const char *text, struct err *err)
{
	char quoted[QUOTE_MAX];

	if (!listen(fd, BACKLOG))
		return 0;
	return err_set(err, STATUS_FAILED, errno, "%s: %s: %s", option, quote(text, quoted), strerror(errno));
}
