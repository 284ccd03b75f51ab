/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections: what each does when its socket can go on, and when its time is over. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "log.h"
#include "respond.h"
#include "server.h"
#include "util.h"

static const unsigned limits_s[CONN_STATES] = {
	[CONN_HANDSHAKE] = 10, [CONN_IDLE] = 90, [CONN_REQUEST] = 10, [CONN_ANSWER] = 10, [CONN_LINGER] = 2,
};

/* Of requests that wait for their rest, all together: four of the largest. */
#define HELD_MAX (4 * (size_t)HTTP_BODY_MAX)

/* One for all: there is one thread. */
static char scratch[16u << 10];

static struct conn_list *list_of(struct server *server, const struct conn *conn)
{
	return &server->lists[conn->port - server->ports][conn->state];
}

static void list_remove(struct conn_list *list, struct conn *conn)
{
	*(conn->prev ? &conn->prev->next : &list->first) = conn->next;
	*(conn->next ? &conn->next->prev : &list->last) = conn->prev;
}

static void list_append(struct conn_list *list, struct conn *conn)
{
	conn->prev = list->last;
	conn->next = NULL;
	*(list->last ? &list->last->next : &list->first) = conn;
	list->last = conn;
}

static void conn_enter(struct server *server, struct conn *conn, enum conn_state state)
{
	list_remove(list_of(server, conn), conn);
	conn->state = state;
	conn->since = server->now;
	list_append(list_of(server, conn), conn);
}

/*
 * What is to wake it.  One that has bytes which its socket knows nothing of asks to be woken when it can write,
 * which is at once: so others get their turn.
 */
static void conn_watch(struct server *server, struct conn *conn)
{
	bool more = conn->state != CONN_LINGER && (conn->unseen || stream_unread(&conn->stream));
	uint32_t events = stream_unsent(&conn->stream) || more ? EPOLLOUT : EPOLLIN;
	struct epoll_event event = { .events = events, .data.ptr = conn };

	if (conn->events != events && !epoll_ctl(server->epoll, EPOLL_CTL_MOD, conn->stream.fd, &event))
		conn->events = events;
}

void conn_open(struct server *server, struct port *port, int fd, const union address *peer)
{
	struct conn *conn = xcalloc(1, sizeof(*conn));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

	conn->port = port;
	conn->stream.fd = fd;
	conn->peer = *peer;
	conn->events = EPOLLIN;
	conn->state = port->tls ? CONN_HANDSHAKE : CONN_IDLE;
	conn->since = server->now;
	if (port->tls)
		conn->stream.tls = tls_accept(server->identity, fd);
	port->n++;
	list_append(list_of(server, conn), conn);
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event))
		conn_close(server, conn);
}

/* The first bytes that have come are let go, and with the last of them the memory. */
static void conn_drop(struct server *server, struct conn *conn, size_t n)
{
	server->held -= n;
	conn->in.len -= n;
	conn->at = 0;
	if (!conn->in.len)
		buffer_free(&conn->in);
	else
		memmove(conn->in.data, conn->in.data + n, conn->in.len);
}

void conn_close(struct server *server, struct conn *conn)
{
	list_remove(list_of(server, conn), conn);
	conn->port->n--;
	conn_drop(server, conn, conn->in.len);
	stream_close(&conn->stream);
	/* the loop may hold an event of it */
	conn->state = CONN_GONE;
	conn->next = server->gone;
	server->gone = conn;
}

void conn_bury(struct server *server)
{
	struct conn *conn;

	while ((conn = server->gone)) {
		server->gone = conn->next;
		free(conn);
	}
}

/* 0; -EAGAIN: the rest waits for the socket; -1: the connection is gone. */
static int conn_flush(struct server *server, struct conn *conn)
{
	int rc = stream_flush(&conn->stream);

	if (!rc || rc == -EAGAIN)
		return rc;
	conn_close(server, conn);
	return -1;
}

/* After its last answer. */
static void conn_finish(struct server *server, struct conn *conn)
{
	conn_enter(server, conn, CONN_LINGER);
	conn_drop(server, conn, conn->in.len);
	stream_finish(&conn->stream);
	conn_watch(server, conn);
}

/* Sends what is queued.  Whether all has gone and the connection goes on. */
static bool conn_send(struct server *server, struct conn *conn)
{
	int rc;

	if (conn->state == CONN_REQUEST)
		conn_enter(server, conn, CONN_ANSWER);
	if (conn->last && conn->stream.tls)
		tls_finish(conn->stream.tls);
	rc = conn_flush(server, conn);
	if (rc == -EAGAIN)
		conn_watch(server, conn);
	if (rc)
		return false;
	if (conn->last) {
		conn_finish(server, conn);
		return false;
	}
	conn->unseen = conn->in.len > 0;
	conn_enter(server, conn, conn->unseen ? CONN_REQUEST : CONN_IDLE);
	return true;
}

/* 0, or -1: the connection is gone. */
static int conn_queue_fault(struct server *server, struct conn *conn, const struct http_fault *fault)
{
	struct buffer out = { 0 };
	int rc;

	respond_fault(server, conn, fault, &out);
	conn->last = true;
	rc = stream_write(&conn->stream, out.data, out.len);
	buffer_free(&out);
	if (!rc)
		return 0;
	conn_close(server, conn);
	return -1;
}

static void conn_fault(struct server *server, struct conn *conn, const struct http_fault *fault)
{
	if (!conn_queue_fault(server, conn, fault))
		conn_send(server, conn);
}

/* Answers the complete request; whether the connection goes on, with all sent. */
static bool conn_answer(struct server *server, struct conn *conn)
{
	struct http_fault fault;
	struct buffer out = { 0 };
	int rc = respond(server, conn, conn->in.data + conn->at, &out, &fault);

	conn->has_head = false;
	if (rc) {
		buffer_free(&out);
		conn_fault(server, conn, &fault);
		return false;
	}
	conn_drop(server, conn, conn->at + conn->request.body_len);
	conn->last = !conn->request.keep || server->stopping;
	rc = stream_write(&conn->stream, out.data, out.len);
	buffer_free(&out);
	if (rc) {
		conn_close(server, conn);
		return false;
	}
	return conn_send(server, conn);
}

/* The client waits for a word before it sends the body. */
static bool conn_continue(struct server *server, struct conn *conn)
{
	if (!conn->request.waits || conn->in.len > conn->at)
		return true;
	if (!stream_write(&conn->stream, HTTP_CONTINUE, sizeof(HTTP_CONTINUE) - 1))
		return conn_flush(server, conn) != -1;
	conn_close(server, conn);
	return false;
}

/* Reads what has come.  1: a request is complete, 0: not yet, -1: the connection has been seen to. */
static int conn_parse(struct server *server, struct conn *conn)
{
	struct http_fault fault;
	int rc;

	if (!conn->has_head) {
		conn->at += http_blank(conn->in.data + conn->at, conn->in.len - conn->at);
		if (conn->at == conn->in.len) {
			conn_drop(server, conn, conn->at);
			return 0;
		}
		if (conn->state == CONN_IDLE)
			conn_enter(server, conn, CONN_REQUEST);
		rc = http_read(&conn->request, conn->port->routes, conn->in.data + conn->at, conn->in.len - conn->at,
			       &fault);
		if (rc < 0)
			conn_fault(server, conn, &fault);
		if (rc <= 0)
			return rc;
		conn->has_head = true;
		conn->at += conn->request.head_len;
		if (!conn_continue(server, conn))
			return -1;
	}
	return conn->in.len - conn->at >= conn->request.body_len;
}

/* Whether the handshake is done. */
static bool conn_handshake(struct server *server, struct conn *conn)
{
	int rc = tls_handshake(conn->stream.tls), sent = stream_flush(&conn->stream);

	if (rc && rc != -EAGAIN) {
		respond_no_handshake(conn, rc);
		conn_close(server, conn);
		return false;
	}
	if (sent && sent != -EAGAIN) {
		conn_close(server, conn);
		return false;
	}
	if (rc || sent) {
		conn_watch(server, conn);
		return false;
	}
	conn_enter(server, conn, CONN_IDLE);
	return true;
}

/* As much as comes, until a request is complete. */
static void conn_read(struct server *server, struct conn *conn)
{
	static const struct http_fault crowded = { 503, "too many large requests at once", NULL };

	for (;;) {
		int complete = conn->in.len > conn->at || conn->has_head ? conn_parse(server, conn) : 0;
		ssize_t n;

		if (complete < 0)
			return;
		conn->unseen = false;
		if (complete) {
			if (conn_answer(server, conn))
				conn_watch(server, conn);
			return;
		}
		n = stream_read(&conn->stream, scratch, sizeof(scratch));
		if (n == -EAGAIN) {
			/* an alert that answers what was no data */
			if (conn_flush(server, conn) != -1)
				conn_watch(server, conn);
			return;
		}
		if (n <= 0) {
			/* an alert may be waiting */
			stream_flush(&conn->stream);
			conn_close(server, conn);
			return;
		}
		buffer_put(&conn->in, scratch, (size_t)n);
		server->held += (size_t)n;
		if (server->held > HELD_MAX) {
			conn_fault(server, conn, &crowded);
			return;
		}
	}
}

void conn_step(struct server *server, struct conn *conn)
{
	if (conn->state == CONN_GONE)
		return;
	if (conn->state == CONN_LINGER) {
		if (stream_discard(&conn->stream) != -EAGAIN)
			conn_close(server, conn);
		return;
	}
	if (conn->state == CONN_HANDSHAKE && !conn_handshake(server, conn))
		return;
	if (conn->state == CONN_ANSWER && !conn_send(server, conn))
		return;
	/* it does not read: nothing is read from it */
	if (stream_unsent(&conn->stream) && conn_flush(server, conn))
		return;
	conn_read(server, conn);
}

/* One that does not take even this word at once is not waited for. */
static void conn_time_out(struct server *server, struct conn *conn)
{
	static const struct http_fault late = { 408, "the request did not come within 10 seconds", NULL };

	if (conn->state != CONN_REQUEST) {
		conn_close(server, conn);
		return;
	}
	if (conn_queue_fault(server, conn, &late))
		return;
	if (conn->stream.tls)
		tls_finish(conn->stream.tls);
	if (stream_flush(&conn->stream))
		conn_close(server, conn);
	else
		conn_finish(server, conn);
}

static void conn_goodbye(struct server *server, struct conn *conn)
{
	if (conn->stream.tls)
		tls_finish(conn->stream.tls);
	stream_flush(&conn->stream);
	conn_close(server, conn);
}

uint64_t conn_expire(struct server *server)
{
	uint64_t next = UINT64_MAX;

	for (unsigned port = 0; port < PORTS; port++)
		for (unsigned state = 0; state < CONN_STATES; state++) {
			uint64_t limit = limits_s[state] * UINT64_C(1000000);
			struct conn *conn;

			while ((conn = server->lists[port][state].first) && server->now - conn->since >= limit)
				conn_time_out(server, conn);
			if (conn && conn->since + limit - server->now < next)
				next = conn->since + limit - server->now;
		}
	return next;
}

bool conn_evict(struct server *server, struct port *port)
{
	struct conn *conn = server->lists[port - server->ports][CONN_IDLE].first;

	if (!conn)
		return false;
	conn_goodbye(server, conn);
	return true;
}

unsigned conn_dismiss(struct server *server)
{
	unsigned left = 0;

	for (unsigned i = 0; i < PORTS; i++) {
		while (conn_evict(server, &server->ports[i]))
			continue;
		left += server->ports[i].n;
	}
	return left;
}
