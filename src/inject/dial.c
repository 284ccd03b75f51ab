/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dial.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "quote.h"
#include "addr.h"

int endpoint_parse(struct endpoint *to, const char *text, const char *source, struct err *err)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t len = colon ? (size_t)(colon - text) : 0;
	char quoted[QUOTE_MAX];
	uint32_t port;

	if (len > 2 && *text == '[' && text[len - 1] == ']') {
		host++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		len = 0;
	}
	if (!len || len >= sizeof(to->host) || !number_parse(colon + 1, UINT16_MAX, &port) || !port)
		return err_set(err, STATUS_USAGE, EINVAL, "%s: %s: expected HOST:PORT or [ADDRESS]:PORT", source,
			       quote(text, quoted));
	snprintf(to->host, sizeof(to->host), "%.*s", (int)len, host);
	snprintf(to->port, sizeof(to->port), "%u", port);
	return 0;
}

int wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd ask = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now = clock_us();
		int n = now < deadline ? poll(&ask, 1, (int)((deadline - now + 999) / 1000)) : 0;

		if (n > 0)
			return 0;
		if (!n && clock_us() >= deadline)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* -errno of this address. */
static int connect_to(const struct addrinfo *address, uint64_t deadline)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc = 0;
	socklen_t len = sizeof(rc);

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen))
		rc = errno == EINPROGRESS ? wait_for(fd, POLLOUT, deadline) : -errno;
	if (!rc) {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &len);
		rc = -rc;
	}
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

static const char *words_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "connection refused";
	case ETIMEDOUT:
		return "timed out: nothing answers at this address";
	default:
		return strerror(error);
	}
}

int endpoint_connect(const struct endpoint *to, uint64_t deadline, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	int rc = getaddrinfo(to->host, to->port, &hints, &list);

	if (rc)
		return err_set(err, STATUS_UNSUPPORTED, ENOENT, "%s: name not resolved: %s", to->host, gai_strerror(rc));
	rc = -EADDRNOTAVAIL;
	for (const struct addrinfo *at = list; at && rc < 0; at = at->ai_next)
		rc = connect_to(at, deadline);
	freeaddrinfo(list);
	return rc >= 0 ? rc : err_set(err, STATUS_UNSUPPORTED, -rc, "%s, port %s: %s", to->host, to->port, words_of(-rc));
}
