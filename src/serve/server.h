/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server: one thread, one loop, and all that it knows. */
#ifndef ISTIO_INJECT_SERVER_H
#define ISTIO_INJECT_SERVER_H

#include "http.h"
#include "inject_config.h"
#include "listen.h"
#include "metrics.h"
#include "stream.h"

/*
 * Where a connection stands, and for how long it may; each state has a list in the order in which they came
 * to it, so that whose time is over, and who idled longest, is at its head.
 */
enum conn_state {
	CONN_HANDSHAKE,
	CONN_IDLE,
	CONN_REQUEST, /* from a request's first byte to its last */
	CONN_ANSWER,  /* it is being sent */
	CONN_LINGER,  /* the last has been sent: a close with bytes unread would take it back (RFC 9112, section 9.6) */
	CONN_STATES,
	CONN_GONE = CONN_STATES /* closed, in no list */
};

struct port;

struct conn {
	struct conn *prev, *next;
	struct port *port;
	union address peer;
	struct stream stream;
	struct buffer in;
	size_t at; /* of in: what is before it has been answered */
	struct http_request request;
	uint64_t since;  /* microseconds: in its state */
	uint32_t events; /* that epoll watches */
	enum conn_state state;
	bool has_head; /* request is read */
	bool unseen;   /* in has bytes that nobody has looked at */
	bool last;     /* ends after its answer */
};

struct conn_list {
	struct conn *first, *last;
};

/* One address that is listened on. */
struct port {
	const struct http_route *routes;
	int fd;
	bool tls, paused; /* paused: full, new connections wait in the backlog */
	unsigned n, max;  /* connections */
};

enum { PORT_TLS, PORT_PLAIN, PORTS };

struct server {
	struct port ports[PORTS];
	struct conn_list lists[PORTS][CONN_STATES];
	struct conn *gone; /* until the events at hand are done with */
	int epoll, signals;
	uint64_t now; /* microseconds, monotonic */
	struct metrics metrics;
	struct tls_identity *identity;
	struct inject_config cfg;
	struct arena *arena;    /* of cfg */
	size_t held;            /* bytes of requests that are not complete, or not answered */
	bool stopping, closing; /* closing: takes no more connections */
	uint64_t closes_at;     /* when it begins to, or when it ends at last */
	uint64_t warns_at;      /* of the certificate, the next time */
};

/* Goes on with the connection as far as it can without waiting; it may be gone then. */
void conn_step(struct server *server, struct conn *conn);
void conn_open(struct server *server, struct port *port, int fd, const union address *peer);
void conn_close(struct server *server, struct conn *conn);
/* Frees those that are closed; who holds one still may not use it from here on. */
void conn_bury(struct server *server);
/* Ends all whose time is over; the microseconds until the next one, or UINT64_MAX. */
uint64_t conn_expire(struct server *server);
/* Whether it ended an idle one, the one that idled longest. */
bool conn_evict(struct server *server, struct port *port);
/* Ends those that wait for a request; how many others there are. */
unsigned conn_dismiss(struct server *server);

#endif
