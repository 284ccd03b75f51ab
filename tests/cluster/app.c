/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The application of the pods: an HTTP server and its client in one static program.
 *
 *	app serve NAME PORT...     answers every request with one line of JSON: who it is, at which port, who asked
 *				   (the peer's address), and what the header x-envoy-pass holds, an item for each Envoy
 *	app get HOST PORT          prints the body of the answer; exits with 1 and a line on stderr if there is none
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MAX_PORTS 8
#define TIMEOUT 10
#define HEADER "x-envoy-pass:"

static void end(int number)
{
	(void)number;
	_exit(0);
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	return 1;
}

static void set_timeouts(int fd)
{
	const struct timeval limit = { .tv_sec = TIMEOUT };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Reads until the text holds @until, or until the end where that is NULL; true if there was anything, and it has. */
static int receive(int fd, char *text, size_t size, const char *until)
{
	size_t length = 0;
	ssize_t count;

	text[0] = '\0';
	while (length + 1 < size && (count = read(fd, text + length, size - length - 1)) > 0) {
		text[length += (size_t)count] = '\0';
		if (until && strstr(text, until))
			return 1;
	}
	return !until && length > 0;
}

/* What all headers of the name hold, parted by commas. */
static void find_passes(const char *request, char *passes, size_t size)
{
	const char *comma = "";

	passes[0] = '\0';
	for (const char *line = request; (line = strchr(line, '\n')) && *++line;) {
		if (strncasecmp(line, HEADER, strlen(HEADER)) != 0)
			continue;
		line += strlen(HEADER) + strspn(line + strlen(HEADER), " ");
		const size_t used = strlen(passes);
		snprintf(passes + used, size - used, "%s%.*s", comma, (int)strcspn(line, "\r\n"), line);
		comma = ",";
	}
}

static void answer(int fd, const char *name, int port)
{
	char request[8192], passes[256], peer[INET6_ADDRSTRLEN] = "", body[512], text[1024];
	struct sockaddr_in6 from;
	socklen_t length = sizeof(from);

	set_timeouts(fd);
	if (!receive(fd, request, sizeof(request), "\r\n\r\n") || getpeername(fd, (struct sockaddr *)&from, &length) != 0)
		return;
	inet_ntop(AF_INET6, &from.sin6_addr, peer, sizeof(peer));
	find_passes(request, passes, sizeof(passes));
	snprintf(body, sizeof(body), "{\"name\": \"%s\", \"port\": %d, \"peer\": \"%s\", \"passes\": \"%s\"}\n", name,
		 port, strncmp(peer, "::ffff:", 7) == 0 ? peer + 7 : peer, passes);
	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		 strlen(body), body);
	if (write(fd, text, strlen(text)) < 0)
		fail(name, strerror(errno));
}

static int serve(const char *name, int count, char **ports)
{
	struct pollfd ready[MAX_PORTS];

	signal(SIGTERM, end);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < count; i++) {
		const struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(ports[i])) };
		const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
		if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 128) != 0)
			return fail(ports[i], strerror(errno));
		ready[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	while (poll(ready, (nfds_t)count, -1) >= 0 || errno == EINTR) {
		for (int i = 0; i < count; i++) {
			const int fd = ready[i].revents & POLLIN ? accept(ready[i].fd, NULL, NULL) : -1;

			if (fd < 0)
				continue;
			answer(fd, name, atoi(ports[i]));
			close(fd);
		}
	}
	return fail("poll", strerror(errno));
}

static int get(const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char text[8192];
	const int rc = getaddrinfo(host, port, &hints, &found);

	if (rc != 0)
		return fail(host, gai_strerror(rc));
	const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set_timeouts(fd);
	if (connect(fd, found->ai_addr, found->ai_addrlen) != 0)
		return fail("connect", strerror(errno));
	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
	if (write(fd, text, strlen(text)) < 0)
		return fail("write", strerror(errno));
	if (!receive(fd, text, sizeof(text), NULL))
		return fail("read", errno ? strerror(errno) : "closed");
	const char *body = strstr(text, "\r\n\r\n");
	if (strncmp(text, "HTTP/1.1 200 ", 13) != 0 || !body)
		return fail("answer", text);
	fputs(body + 4, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && argc <= MAX_PORTS + 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argc - 3, argv + 3);
	if (argc == 4 && strcmp(argv[1], "get") == 0)
		return get(argv[2], argv[3]);
	fputs("usage: app serve NAME PORT... | app get HOST PORT\n", stderr);
	return 64;
}
