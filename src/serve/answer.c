/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers in HTTP. */
#include <string.h>

#include "http.h"
#include "util.h"

static const struct {
	unsigned code;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 431, "Request Header Fields Too Large" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

const char *http_reason(unsigned code)
{
	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].code == code)
			return reasons[i].reason;
	return "Error";
}

unsigned http_code(unsigned i)
{
	return i < ARRAY_SIZE(reasons) ? reasons[i].code : 0;
}

static void put_head(struct buffer *out, unsigned code, const char *type, size_t len, bool keep)
{
	buffer_printf(out, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s", code, http_reason(code),
		      type, len, keep ? "" : "Connection: close\r\n");
}

void http_answer(struct buffer *out, unsigned code, const char *type, const char *body, size_t len, bool keep)
{
	put_head(out, code, type, len, keep);
	buffer_puts(out, "\r\n");
	buffer_put(out, body, len);
}

void http_answer_fault(struct buffer *out, const struct http_fault *fault)
{
	put_head(out, fault->code, "text/plain; charset=utf-8", strlen(fault->line) + 1, false);
	if (fault->allow)
		buffer_printf(out, "Allow: %s\r\n", fault->allow);
	buffer_printf(out, "\r\n%s\n", fault->line);
}
