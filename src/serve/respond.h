/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What requests are answered, counted and logged. */
#ifndef ISTIO_INJECT_RESPOND_H
#define ISTIO_INJECT_RESPOND_H

#include "server.h"

/* The routes of the two ports. */
extern const struct http_route routes_webhook[], routes_plain[];

/* The answer to a complete request into @out, 0; or -1 with @fault. */
int respond(struct server *server, struct conn *conn, const char *body, struct buffer *out, struct http_fault *fault);
/* The answer to one that is wrong. */
void respond_fault(struct server *server, const struct conn *conn, const struct http_fault *fault, struct buffer *out);
/* One that came to nothing: @rc is tls_handshake's. */
void respond_no_handshake(const struct conn *conn, int rc);

/* Why the server is not ready, or NULL: in @text, of READY_MAX bytes. */
#define READY_MAX 160
const char *not_ready(const struct server *server, char text[READY_MAX]);

#endif
