/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values as JSON text. */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "json_write.h"

/* Only what RFC 8259 demands is escaped: UTF-8 stays. */
void json_write_string(struct buffer *out, const char *text, size_t len)
{
	static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	const char *end = text + len;

	buffer_putc(out, '"');
	while (text < end) {
		const char *from = text, *form = NULL;

		while (text < end && (unsigned char)*text >= 0x20 && *text != '"' && *text != '\\')
			text++;
		buffer_put(out, from, (size_t)(text - from));
		if (text == end)
			break;
		for (const char *f = short_forms; *f && !form; f += 2)
			form = *f == *text ? f : NULL;
		if (form)
			buffer_put(out, (char[]){ '\\', form[1] }, 2);
		else
			buffer_printf(out, "\\u%04x", (unsigned char)*text);
		text++;
	}
	buffer_putc(out, '"');
}

static void write_scalar(struct buffer *out, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		if (json_is_raw_number(value))
			buffer_puts(out, json_raw_text(value));
		else
			json_write_string(out, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		buffer_printf(out, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		buffer_printf(out, "%.17g", json_real_value(value));
		break;
	default:
		buffer_puts(out, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
	}
}

static void put_line(struct buffer *out, int indent)
{
	if (indent < 0)
		return;
	buffer_putc(out, '\n');
	buffer_blanks(out, (size_t)indent);
}

/* @indent: of the value's own line; negative: all in one line. */
static void write_value(struct buffer *out, const json_t *value, int indent)
{
	bool object = json_is_object(value), first = true;
	int inner = indent < 0 ? indent : indent + 2;
	const char *key;
	json_t *child;
	size_t i;

	if (!object && !json_is_array(value)) {
		write_scalar(out, value);
		return;
	}
	buffer_putc(out, object ? '{' : '[');
	/* One of the two loops runs. */
	json_object_foreach((json_t *)value, key, child)
	{
		buffer_puts(out, first ? "" : ",");
		put_line(out, inner);
		json_write_string(out, key, strlen(key));
		buffer_puts(out, indent < 0 ? ":" : ": ");
		write_value(out, child, inner);
		first = false;
	}
	json_array_foreach(value, i, child)
	{
		buffer_puts(out, first ? "" : ",");
		put_line(out, inner);
		write_value(out, child, inner);
		first = false;
	}
	if (!first)
		put_line(out, indent);
	buffer_putc(out, object ? '}' : ']');
}

void json_write(struct buffer *out, const json_t *value)
{
	write_value(out, value, -1);
}

void json_write_pretty(struct buffer *out, const json_t *value)
{
	write_value(out, value, 0);
}
