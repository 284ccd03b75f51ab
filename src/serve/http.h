/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.0 and 1.1 (RFC 9110, 9112), as much of it as a webhook needs.  Pure: bytes in, a verdict out.
 */
#ifndef ISTIO_INJECT_HTTP_H
#define ISTIO_INJECT_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

#define HTTP_HEAD_MAX (16u << 10)
#define HTTP_FIELDS_MAX 100
#define HTTP_BODY_MAX (8u << 20)

/* What is served: a path and, if @below, all paths under it. */
struct http_route {
	const char *path, *method;
	bool below;
	bool has_body; /* JSON, whose length is given */
};

struct http_request {
	const struct http_route *route;
	bool keep;  /* the connection may be used again */
	bool waits; /* for "100 Continue" */
	size_t head_len, body_len;
};

/* What a wrong request is told: a status, one line, and the methods there are (405). */
struct http_fault {
	unsigned code;
	const char *line, *allow;
};

/*
 * Reads the head of a request from the first @len bytes; the routes end with one without a path.
 * Returns 1 and the request; 0: more is needed; -1 and the fault, as soon as the request line or
 * the head is complete.
 */
int http_read(struct http_request *request, const struct http_route *routes, const char *data, size_t len,
	      struct http_fault *fault);

/* The bytes of the empty lines that stand in front of a request. */
size_t http_blank(const char *data, size_t len);

/* The statuses that this server gives, from 0, then 0; the phrase of one. */
unsigned http_code(unsigned i);
const char *http_reason(unsigned code);

/* A whole answer. */
void http_answer(struct buffer *out, unsigned code, const char *type, const char *body, size_t len, bool keep);
/* The fault as an answer, which ends the connection. */
void http_answer_fault(struct buffer *out, const struct http_fault *fault);

#define HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

#endif
