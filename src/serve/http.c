/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "util.h"

/* A piece of the head. */
struct span {
	const char *at;
	size_t len;
};

/* A request while its head is read. */
struct head {
	const struct http_route *routes;
	struct http_request *request;
	struct http_fault *fault;
	bool old; /* HTTP/1.0 */
	bool close, waits, encoded, sized, typed;
	unsigned fields, hosts;
	uint64_t length;
};

static int fail(struct head *head, unsigned code, const char *line)
{
	*head->fault = (struct http_fault){ code, line, NULL };
	return -1;
}

static bool span_is(struct span span, const char *text)
{
	return span.len == strlen(text) && !memcmp(span.at, text, span.len);
}

static bool span_is_word(struct span span, const char *text)
{
	return span.len == strlen(text) && !strncasecmp(span.at, text, span.len);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9110, section 5.6.2 */
static bool is_token(char c)
{
	return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token_span(struct span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (!is_token(span.at[i]))
			return false;
	return span.len > 0;
}

static struct span trim(struct span span)
{
	while (span.len && (*span.at == ' ' || *span.at == '\t')) {
		span.at++;
		span.len--;
	}
	while (span.len && (span.at[span.len - 1] == ' ' || span.at[span.len - 1] == '\t'))
		span.len--;
	return span;
}

/* The next line without its end, LF or CRLF (RFC 9112, section 2.2); false: it is not complete. */
static bool next_line(struct span *rest, struct span *line)
{
	const char *end = memchr(rest->at, '\n', rest->len);

	if (!end)
		return false;
	*line = (struct span){ rest->at, (size_t)(end - rest->at) };
	rest->len -= line->len + 1;
	rest->at = end + 1;
	line->len -= line->len && line->at[line->len - 1] == '\r';
	return true;
}

/* What comes before @c; the rest is what comes after it, or empty. */
static struct span cut(struct span *rest, char c)
{
	const char *end = memchr(rest->at, c, rest->len);
	struct span part = { rest->at, end ? (size_t)(end - rest->at) : rest->len };
	size_t used = part.len + (end != NULL);

	rest->at += used;
	rest->len -= used;
	return part;
}

/* The path of a target in origin form or, as a server must take it (RFC 9112, section 3.2.2), absolute form. */
static struct span target_path(struct span target)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (unsigned i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t n = strlen(schemes[i]);

		if (target.len < n || strncasecmp(target.at, schemes[i], n) != 0)
			continue;
		target.at += n;
		target.len -= n;
		while (target.len && *target.at != '/') {
			target.at++;
			target.len--;
		}
	}
	return cut(&target, '?');
}

static bool route_matches(const struct http_route *route, struct span path)
{
	size_t n = strlen(route->path);

	return path.len >= n && !memcmp(path.at, route->path, n) && (path.len == n || (route->below && path.at[n] == '/'));
}

static int find_route(struct head *head, struct span method, struct span target)
{
	struct span path = target_path(target);
	const struct http_route *route = head->routes;

	while (route->path && !route_matches(route, path))
		route++;
	if (!route->path)
		return fail(head, 404, "there is nothing at this path");
	head->request->route = route;
	if (span_is(method, route->method))
		return 0;
	fail(head, 405, "this method does not go with this path");
	head->fault->allow = route->method;
	return -1;
}

/* METHOD SP TARGET SP HTTP/d.d */
static int read_request_line(struct head *head, struct span line)
{
	struct span method = cut(&line, ' '), target = cut(&line, ' '), version = line;

	for (size_t i = 0; i < target.len; i++)
		if ((unsigned char)target.at[i] <= ' ' || (unsigned char)target.at[i] >= 0x7f)
			return fail(head, 400, "the request line has a byte that does not belong there");
	if (!is_token_span(method) || !target.len || version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0 ||
	    !is_digit(version.at[5]) || version.at[6] != '.' || !is_digit(version.at[7]))
		return fail(head, 400, "expected a request line: METHOD PATH HTTP/1.1");
	if (!span_is(version, "HTTP/1.1") && !span_is(version, "HTTP/1.0"))
		return fail(head, 505, "expected HTTP/1.1 or 1.0");
	head->old = version.at[7] == '0';
	return find_route(head, method, target);
}

static int read_length(struct head *head, struct span value)
{
	uint64_t length = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.at[i]))
			return fail(head, 400, "Content-Length: expected a number");
		/* far above any limit it stands still */
		if (length < UINT64_MAX / 100)
			length = length * 10 + (uint64_t)(value.at[i] - '0');
	}
	if (!value.len)
		return fail(head, 400, "Content-Length: expected a number");
	if (head->sized && head->length != length)
		return fail(head, 400, "Content-Length: two that differ");
	head->sized = true;
	head->length = length;
	return 0;
}

static int read_connection(struct head *head, struct span value)
{
	while (value.len)
		head->close |= span_is_word(trim(cut(&value, ',')), "close");
	return 0;
}

static int read_encoding(struct head *head, struct span value)
{
	(void)value;
	head->encoded = true;
	return 0;
}

static int read_expect(struct head *head, struct span value)
{
	if (!span_is_word(value, "100-continue"))
		return fail(head, 417, "Expect: expected 100-continue");
	head->waits = true;
	return 0;
}

static int read_type(struct head *head, struct span value)
{
	head->typed = span_is_word(trim(cut(&value, ';')), "application/json");
	return 0;
}

static int read_host(struct head *head, struct span value)
{
	(void)value;
	head->hosts++;
	return 0;
}

static const struct {
	const char *name;
	int (*read)(struct head *head, struct span value);
} fields[] = {
	{ "Connection", read_connection },
	{ "Content-Length", read_length },
	{ "Content-Type", read_type },
	{ "Expect", read_expect },
	{ "Host", read_host },
	{ "Transfer-Encoding", read_encoding },
};

static int read_field(struct head *head, struct span line)
{
	struct span name = cut(&line, ':'), value = trim(line);

	if (*name.at == ' ' || *name.at == '\t')
		return fail(head, 400, "a header goes on in the next line");
	/* without a colon the line ends where the name does */
	if (!is_token_span(name) || line.at == name.at + name.len)
		return fail(head, 400, "expected a header: NAME: VALUE");
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7f)
			return fail(head, 400, "a header has a control byte");
	if (++head->fields > HTTP_FIELDS_MAX)
		return fail(head, 431, "more than 100 headers");
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		if (span_is_word(name, fields[i].name))
			return fields[i].read(head, value);
	return 0;
}

/* What can be said of all headers together. */
static int judge(struct head *head)
{
	struct http_request *request = head->request;

	if (!head->old && head->hosts != 1)
		return fail(head, 400, "expected one Host header");
	if (head->encoded && head->sized)
		return fail(head, 400, "both Content-Length and Transfer-Encoding");
	if (head->encoded || (request->route->has_body && !head->sized))
		return fail(head, 411, "expected Content-Length");
	if (head->length > (request->route->has_body ? HTTP_BODY_MAX : 0))
		return fail(head, 413,
			    request->route->has_body ? "the body is larger than 8 MiB" : "a body is not expected");
	if (request->route->has_body && !head->typed)
		return fail(head, 415, "expected Content-Type: application/json");
	if (request->route->has_body && !head->length)
		return fail(head, 400, "the body is empty");
	request->keep = !head->old && !head->close;
	request->waits = !head->old && head->waits;
	request->body_len = (size_t)head->length;
	return 1;
}

int http_read(struct http_request *request, const struct http_route *routes, const char *data, size_t len,
	      struct http_fault *fault)
{
	struct span rest = { data, len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX }, line;
	struct head head = { .routes = routes, .request = request, .fault = fault };
	const char *first;
	size_t complete;

	*request = (struct http_request){ 0 };
	if (!next_line(&rest, &line))
		return len >= HTTP_HEAD_MAX ? fail(&head, 431, "the request line is longer than 16 KiB") : 0;
	if (read_request_line(&head, line))
		return -1;
	first = rest.at;
	complete = rest.len;
	do
		if (!next_line(&rest, &line))
			return len >= HTTP_HEAD_MAX ? fail(&head, 431, "the headers are longer than 16 KiB") : 0;
	while (line.len);
	request->head_len = (size_t)(rest.at - data);
	rest = (struct span){ first, complete };
	while (next_line(&rest, &line) && line.len)
		if (read_field(&head, line))
			return -1;
	return judge(&head);
}

size_t http_blank(const char *data, size_t len)
{
	size_t n = 0;

	while (n < len && (data[n] == '\n' || (data[n] == '\r' && n + 1 < len && data[n + 1] == '\n')))
		n += data[n] == '\r' ? 2 : 1;
	return n;
}
