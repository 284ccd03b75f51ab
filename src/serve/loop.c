/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: sockets, signals, time. */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define EVENTS 64
#define SECOND UINT64_C(1000000)
/* How often files are looked at: twice in what a change may take to be seen. */
#define CHECK_US SECOND
/* How long requests that have begun may take at the end. */
#define FINISH_US (10 * SECOND)
#define DAY_US (86400 * SECOND)
#define WARN_DAYS 30

static bool watch(const struct server *server, int fd, void *what, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = what };

	return !epoll_ctl(server->epoll, operation, fd, &event);
}

int loop_open(struct server *server, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (server->epoll < 0 || server->signals < 0 ||
	    !watch(server, server->signals, &server->signals, EPOLL_CTL_ADD, EPOLLIN))
		return err_set(err, STATUS_FAILED, errno, "cannot wait for connections: %s", strerror(errno));
	for (struct port *port = server->ports; port < server->ports + PORTS; port++)
		if (port->fd >= 0 && !watch(server, port->fd, port, EPOLL_CTL_ADD, EPOLLIN))
			return err_set(err, STATUS_FAILED, errno, "cannot wait for connections: %s", strerror(errno));
	return 0;
}

static void port_pause(struct server *server, struct port *port, bool paused)
{
	if (port->fd >= 0 && port->paused != paused && watch(server, port->fd, port, EPOLL_CTL_MOD, paused ? 0 : EPOLLIN))
		port->paused = paused;
}

/* Whether there is room, or somebody idle who will make it. */
static bool has_room(const struct server *server, const struct port *port)
{
	return port->n < port->max || server->lists[port - server->ports][CONN_IDLE].first;
}

static void port_accept(struct server *server, struct port *port)
{
	for (unsigned i = 0; i < EVENTS && has_room(server, port); i++) {
		union address peer = { 0 };
		socklen_t len = sizeof(peer);
		int fd = accept4(port->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			if (port->n >= port->max)
				conn_evict(server, port);
			conn_open(server, port, fd, &peer);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* the next one that ends makes room */
			if (!conn_evict(server, port))
				port_pause(server, port, true);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
	if (!has_room(server, port))
		port_pause(server, port, true);
}

static void close_ports(struct server *server)
{
	for (struct port *port = server->ports; port < server->ports + PORTS; port++) {
		if (port->fd >= 0)
			close(port->fd);
		port->fd = -1;
	}
	server->closing = true;
	server->closes_at = server->now + FINISH_US;
}

/* Whether the server ends at once. */
static bool take_signals(struct server *server, struct reload *reload, uint64_t drain_us)
{
	struct signalfd_siginfo info;

	while (read(server->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			reload_check(reload, server, true);
			continue;
		}
		if (server->stopping)
			return true;
		server->stopping = true;
		server->closes_at = server->now + (info.ssi_signo == SIGTERM ? drain_us : 0);
		log_info("stops");
	}
	return false;
}

static void warn_of_expiry(struct server *server)
{
	const struct tls_validity *v = tls_identity_validity(server->identity);
	int64_t left = v->not_after - time(NULL);

	if (server->now < server->warns_at || left > WARN_DAYS * INT64_C(86400))
		return;
	server->warns_at = server->now + DAY_US;
	if (left < 0)
		log_warn("the certificate (serial %s) has expired: no API server accepts it", v->serial);
	else
		log_warn("the certificate (serial %s) expires in %lld days", v->serial, (long long)left / 86400);
}

static struct port *port_of(struct server *server, const void *what)
{
	for (struct port *port = server->ports; port < server->ports + PORTS; port++)
		if (what == port)
			return port;
	return NULL;
}

/* Ports last: to take a connection may end an idle one, which may be idle no longer. */
static void dispatch(struct server *server, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr != &server->signals && !port_of(server, events[i].data.ptr))
			conn_step(server, events[i].data.ptr);
	for (int i = 0; i < n; i++)
		if (port_of(server, events[i].data.ptr))
			port_accept(server, port_of(server, events[i].data.ptr));
}

/* Milliseconds, rounded up. */
static int wait_time(uint64_t us)
{
	return us > CHECK_US ? (int)(CHECK_US / 1000) : (int)((us + 999) / 1000);
}

/* Whether the server's time is over. */
static bool is_over(struct server *server)
{
	unsigned left;

	if (!server->stopping || server->now < server->closes_at)
		if (!server->closing)
			return false;
	if (!server->closing)
		close_ports(server);
	left = conn_dismiss(server);
	return !left || server->now >= server->closes_at;
}

int loop_run(struct server *server, struct reload *reload, uint64_t drain_us)
{
	uint64_t checks_at = 0;

	for (;;) {
		struct epoll_event events[EVENTS];
		uint64_t next;
		int n;

		server->now = clock_us();
		next = conn_expire(server);
		if (server->now >= checks_at) {
			if (checks_at)
				reload_check(reload, server, false);
			warn_of_expiry(server);
			checks_at = server->now + CHECK_US;
		}
		if (is_over(server))
			return STATUS_DONE;
		for (struct port *port = server->ports; port < server->ports + PORTS; port++)
			if (has_room(server, port))
				port_pause(server, port, false);
		if (server->stopping && server->closes_at > server->now && server->closes_at - server->now < next)
			next = server->closes_at - server->now;
		n = epoll_wait(server->epoll, events, EVENTS, wait_time(next));
		server->now = clock_us();
		if (take_signals(server, reload, drain_us))
			return STATUS_FAILED;
		dispatch(server, events, n);
		conn_bury(server);
	}
}
