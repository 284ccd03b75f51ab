/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A strict reader of JSON (RFC 8259) that keeps where each value stands.  jansson's own would lose the
 * spelling of numbers and all places.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "escape.h"
#include "nodes.h"

struct reader {
	const char *text, *end, *at;
	struct arena *arena;
	struct node_stack stack;
	struct buffer string; /* one with escapes, decoded */
	struct err *err;
};

static int read_value(struct reader *r, json_t **value, struct json_node *node, unsigned depth);

/* The error of the byte at @at, with its line and column. */
static int __attribute__((format(printf, 3, 4))) fail(struct reader *r, const char *at, const char *fmt, ...)
{
	unsigned line = 1, column = 1;
	char what[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	for (const char *c = r->text; c < at; c++) {
		column += ((unsigned char)*c & 0xc0) != 0x80;
		if (*c == '\n') {
			line++;
			column = 1;
		}
	}
	err_set(r->err, STATUS_DATA, EINVAL, "%u:%u: %s", line, column, what);
	return -EINVAL;
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

/* What is there, for a message. */
static const char *found(const struct reader *r, char text[16])
{
	size_t n = utf8_length(r->at, (size_t)(r->end - r->at));

	if (r->at == r->end)
		return "the end of the text";
	if (n == 0 || (unsigned char)*r->at < 0x20 || *r->at == 0x7f)
		snprintf(text, 16, "byte 0x%02x", (unsigned char)*r->at);
	else
		snprintf(text, 16, "'%.*s'", (int)n, r->at);
	return text;
}

static int unexpected(struct reader *r, const char *expected)
{
	char text[16];

	return fail(r, r->at, "expected %s, not %s", expected, found(r, text));
}

static void put_utf8(struct buffer *out, unsigned code)
{
	char bytes[4];
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; code >>= 6)
		bytes[i] = (char)(0x80 | (code & 0x3f));
	bytes[0] = (char)(n == 1 ? code : (0xf00u >> n & 0xff) | code);
	buffer_put(out, bytes, n);
}

static int read_hex(struct reader *r, unsigned *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, r->at++) {
		char c = r->at < r->end ? *r->at : 0, lower = (char)(c | 0x20);
		int digit = c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;

		if (digit < 0)
			return unexpected(r, "four hexadecimal digits");
		*code = *code << 4 | (unsigned)digit;
	}
	return 0;
}

/* Behind a backslash. */
static int read_escape(struct reader *r)
{
	static const char letters[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
	const char *from = r->at - 1, *letter = r->at < r->end && *r->at ? strchr(letters, *r->at) : NULL;
	unsigned code, low = 0;
	int rc;

	if (letter) {
		buffer_putc(&r->string, meaning[letter - letters]);
		r->at++;
		return 0;
	}
	if (r->at == r->end || *r->at != 'u')
		return unexpected(r, "an escape, one of \"\\/bfnrtu");
	r->at++;
	rc = read_hex(r, &code);
	if (!rc && code >= 0xd800 && code < 0xdc00 && r->end - r->at >= 2 && r->at[0] == '\\' && r->at[1] == 'u') {
		r->at += 2;
		rc = read_hex(r, &low);
		if (low >= 0xdc00 && low < 0xe000)
			code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
	}
	if (rc)
		return rc;
	if (!code)
		return fail(r, from, "a NUL in a string");
	if (code >= 0xd800 && code < 0xe000)
		return fail(r, from, "half of a surrogate pair in a string");
	put_utf8(&r->string, code);
	return 0;
}

/* At a quote.  *@text is in the document or in r->string, until the next string is read. */
static int read_string(struct reader *r, const char **text, size_t *len)
{
	const char *from = ++r->at;
	bool escaped = false;

	r->string.len = 0;
	for (;;) {
		unsigned char c = 0;
		size_t n = 1;

		while (r->at < r->end && (c = (unsigned char)*r->at) >= 0x20 && c < 0x80 && c != '"' && c != '\\')
			r->at++;
		if (r->at == r->end)
			return fail(r, r->at, "the text ends in a string");
		if (c == '"' || c == '\\') {
			int rc = 0;

			if (c == '\\' || escaped)
				buffer_put(&r->string, from, (size_t)(r->at - from));
			r->at++;
			if (c == '"')
				break;
			escaped = true;
			rc = read_escape(r);
			if (rc)
				return rc;
			from = r->at;
			continue;
		}
		if (c < 0x20)
			return fail(r, r->at, "a control character (0x%02x) in a string", c);
		if (c >= 0x80)
			n = utf8_length(r->at, (size_t)(r->end - r->at));
		if (!n)
			return fail(r, r->at, "bytes that are no UTF-8");
		r->at += n;
	}
	*text = escaped ? r->string.data : from;
	*len = escaped ? r->string.len : (size_t)(r->at - 1 - from);
	return 0;
}

static const char *skip_digits(const struct reader *r, const char *at)
{
	while (at < r->end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

static int read_number(struct reader *r, json_t **value)
{
	const char *from = r->at, *digits = from + (*from == '-'), *at = skip_digits(r, digits);

	r->at = at;
	if (at == digits || (*digits == '0' && at - digits > 1)) {
		r->at = at == digits ? at : digits + 1;
		return unexpected(r, at == digits ? "a digit" : "no digit behind a leading 0");
	}
	if (at < r->end && *at == '.') {
		r->at = at = skip_digits(r, at + 1);
		if (at[-1] == '.')
			return unexpected(r, "a digit");
	}
	if (at < r->end && (*at == 'e' || *at == 'E')) {
		at++;
		at += at < r->end && (*at == '+' || *at == '-');
		r->at = skip_digits(r, at);
		if (r->at == at)
			return unexpected(r, "a digit");
	}
	*value = json_number(from, (size_t)(r->at - from));
	return 0;
}

static int read_word(struct reader *r, json_t **value)
{
	static const char *const words[] = { "true", "false", "null" };
	json_t *const values[] = { json_true(), json_false(), json_null() };

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(r->end - r->at) >= n && !memcmp(r->at, words[i], n)) {
			*value = values[i];
			r->at += n;
			return 0;
		}
	}
	return unexpected(r, "a value");
}

/* What parts members and items: 1 behind a comma, 0 behind @close. */
static int read_separator(struct reader *r, char close, const char *expected)
{
	skip_blanks(r);
	if (r->at < r->end && *r->at == close) {
		r->at++;
		return 0;
	}
	if (r->at == r->end || *r->at != ',')
		return unexpected(r, expected);
	r->at++;
	skip_blanks(r);
	return 1;
}

static int read_member(struct reader *r, json_t *object, unsigned depth)
{
	struct json_node node = { .key_start = (uint32_t)(r->at - r->text) };
	size_t len, members = json_object_size(object);
	const char *key, *from = r->at;
	auto_free char *copy = NULL;
	json_t *value;
	int rc;

	if (r->at == r->end || *r->at != '"')
		return unexpected(r, "a key in quotes");
	rc = read_string(r, &key, &len);
	if (rc)
		return rc;
	/* the value's strings may take its place */
	if (key == r->string.data) {
		copy = xcalloc(len + 1, 1);
		key = memcpy(copy, key, len);
	}
	skip_blanks(r);
	if (r->at == r->end || *r->at != ':')
		return unexpected(r, "':'");
	r->at++;
	skip_blanks(r);
	rc = read_value(r, &value, &node, depth);
	if (rc)
		return rc;
	json_object_setn_new_nocheck(object, key, len, value);
	if (json_object_size(object) == members)
		return fail(r, from, "the key \"%.*s\" is there twice", (int)(len < 100 ? len : 100), key);
	node_push(&r->stack, &node);
	return 0;
}

static int read_object(struct reader *r, json_t *object, unsigned depth)
{
	int rc = 1;

	skip_blanks(r);
	if (r->at < r->end && *r->at == '}') {
		r->at++;
		return 0;
	}
	while (rc == 1) {
		rc = read_member(r, object, depth);
		if (!rc)
			rc = read_separator(r, '}', "',' or '}'");
	}
	return rc;
}

static int read_array(struct reader *r, json_t *array, unsigned depth)
{
	int rc = 1;

	skip_blanks(r);
	if (r->at < r->end && *r->at == ']') {
		r->at++;
		return 0;
	}
	while (rc == 1) {
		struct json_node node = { 0 };
		json_t *item;

		rc = read_value(r, &item, &node, depth);
		if (rc)
			break;
		json_array_append_new(array, item);
		node_push(&r->stack, &node);
		rc = read_separator(r, ']', "',' or ']'");
	}
	return rc;
}

static int read_container(struct reader *r, json_t **value, struct json_node *node, unsigned depth)
{
	bool object = *r->at == '{';
	uint32_t base = r->stack.n;
	int rc;

	if (depth > JSON_DEPTH_MAX)
		return fail(r, r->at, "more than %d levels of values in values", JSON_DEPTH_MAX);
	*value = object ? json_object() : json_array();
	r->at++;
	rc = object ? read_object(r, *value, depth + 1) : read_array(r, *value, depth + 1);
	if (!rc)
		node_close(&r->stack, base, r->arena, node);
	return rc;
}

static int read_value(struct reader *r, json_t **value, struct json_node *node, unsigned depth)
{
	char c = r->at < r->end ? *r->at : 0;
	const char *text = NULL;
	size_t len = 0;
	int rc;

	if (!node_count(&r->stack, 1))
		return fail(r, r->at, "more than %d values", JSON_NODES_MAX);
	node->start = (uint32_t)(r->at - r->text);
	if (c == '{' || c == '[') {
		rc = read_container(r, value, node, depth);
	} else if (c == '"') {
		rc = read_string(r, &text, &len);
		if (!rc)
			*value = json_stringn_nocheck(text, len);
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		rc = read_number(r, value);
	} else {
		rc = read_word(r, value);
	}
	node->end = (uint32_t)(r->at - r->text);
	return rc;
}

int json_read_next(struct json_reader *reader, struct document *doc, struct err *err)
{
	struct reader r = { .text = reader->text, .at = reader->text + reader->at, .arena = reader->arena, .err = err };
	int rc;

	memset(doc, 0, sizeof(*doc));
	doc->text = reader->text;
	r.end = reader->text + reader->len;
	skip_blanks(&r);
	if (r.at == r.end)
		return 0;
	rc = read_value(&r, &doc->root, &doc->node, 1);
	if (!rc && doc->node.end - doc->node.start > JSON_LEN_MAX)
		rc = fail(&r, r.text + doc->node.start, "more than %u MiB", JSON_LEN_MAX >> 20);
	reader->at = (size_t)(r.at - r.text);
	free(r.stack.nodes);
	buffer_free(&r.string);
	if (rc)
		doc->root = NULL;
	return rc ? rc : 1;
}

int json_read(struct document *doc, struct arena *arena, const char *text, size_t len, struct err *err)
{
	struct json_reader reader = { .text = text, .len = len, .arena = arena };
	struct reader r = { .text = text, .at = text, .end = text + len, .err = err };
	int rc = json_read_next(&reader, doc, err);

	if (rc < 0)
		return rc;
	r.at += reader.at;
	skip_blanks(&r);
	if (rc && r.at == r.end)
		return 0;
	doc->root = NULL;
	return unexpected(&r, rc ? "the end of the text" : "a value");
}
