/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes as a client may send them, requests one after another.  The verdict does not depend on where the bytes were
 * cut, nothing is read behind a request, and what is taken is what it seems to be.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

#include "../../src/serve/http.h"

static const struct http_route routes[] = {
	{ .path = "/inject", .method = "POST", .below = true, .has_body = true },
	{ .path = "/healthz", .method = "GET" },
	{ 0 },
};

static bool same(const struct http_request *a, const struct http_request *b)
{
	return a->route == b->route && a->keep == b->keep && a->waits == b->waits && a->head_len == b->head_len &&
	       a->body_len == b->body_len;
}

/* In memory of its own, so that a byte too far is found. */
static int read_exactly(const char *data, size_t len, struct http_request *request, struct http_fault *fault)
{
	char *copy = xcalloc(len ? len : 1, 1);
	int rc;

	memcpy(copy, data, len);
	rc = http_read(request, routes, copy, len, fault);
	free(copy);
	return rc;
}

static void check_fault(const struct http_fault *fault)
{
	struct buffer out = { 0 };

	FUZZ_CHECK(strcmp(http_reason(fault->code), "Error") != 0);
	FUZZ_CHECK(fault->line && !strchr(fault->line, '\n') && (fault->code == 405) == (fault->allow != NULL));
	http_answer_fault(&out, fault);
	FUZZ_CHECK(strstr(out.data, "\r\nConnection: close\r\n") && strstr(out.data, "\r\n\r\n"));
	buffer_free(&out);
}

static void check_request(const char *data, const struct http_request *request)
{
	const char *end = data + request->head_len;

	FUZZ_CHECK(request->route >= routes && request->route->path);
	FUZZ_CHECK(request->head_len <= HTTP_HEAD_MAX && end[-1] == '\n');
	FUZZ_CHECK(end[-2] == '\n' || (end[-2] == '\r' && end[-3] == '\n'));
	FUZZ_CHECK(request->body_len <= HTTP_BODY_MAX && request->route->has_body == (request->body_len > 0));
	FUZZ_CHECK(!memcmp(data, request->route->method, strlen(request->route->method)));
	FUZZ_CHECK(!memchr(data, '\0', request->head_len));
}

/* Bytes used up; 0: the end. */
static size_t take(const char *data, size_t len, size_t step)
{
	struct http_request whole, part;
	struct http_fault fault, early;
	size_t skipped = http_blank(data, len), at = 0;
	int rc, rc_part = 0;

	data += skipped;
	len -= skipped;
	rc = read_exactly(data, len, &whole, &fault);
	while (!rc_part && at < len) {
		at = len - at < step ? len : at + step;
		rc_part = read_exactly(data, at, &part, &early);
	}
	FUZZ_CHECK(rc_part == rc || !len);
	if (rc < 0) {
		FUZZ_CHECK(fault.code == early.code && fault.line == early.line);
		check_fault(&fault);
	}
	if (rc <= 0)
		return 0;
	FUZZ_CHECK(same(&whole, &part));
	check_request(data, &whole);
	if (whole.body_len >= len - whole.head_len)
		return 0;
	return skipped + whole.head_len + whole.body_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data;
	size_t used, step = size ? 1 + data[0] % 97 : 1;

	while (size && (used = take(at, size, step))) {
		at += used;
		size -= used;
	}
	return 0;
}
