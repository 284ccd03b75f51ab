/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values as YAML in block style, lists not indented under their key, as kubectl prints them. */
#include <string.h>

#include "align.h"
#include "json.h"
#include "json_write.h"
#include "escape.h"
#include "nodes.h"

/* Longer keys are written in the form with a question mark: a simple one ends within 1024 characters. */
#define KEY_SIMPLE_MAX 512

struct writer {
	struct buffer *out;
	const char *newline;
};

/* A value with what it was and how that was written; both NULL if it is new. */
struct item {
	const json_t *value, *old;
	const struct json_node *node;
	const char *list; /* the key that it stands under, which says how items of a list are told apart */
};

static void write_lines(struct writer *w, const struct item *item, int indent);

/* YAML 1.1 takes some for the end of a line, and libyaml refuses others. */
static bool is_printable(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;

	if (n == 1)
		return *u >= 0x20 && *u != 0x7f;
	if (n == 2)
		return !(u[0] == 0xc2 && u[1] < 0xa0);
	if (n == 3)
		return !(u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0xa8 || u[2] == 0xa9)) &&
		       !(u[0] == 0xef && ((u[1] == 0xbb && u[2] == 0xbf) || (u[1] == 0xbf && u[2] >= 0xbe)));
	return true;
}

static bool all_printable(const char *text, size_t len, const char *also)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length(text + i, len - i);
		if (!n || (!is_printable(text + i, n) && !(n == 1 && strchr(also, text[i]))))
			return false;
	}
	return true;
}

static bool is_letter(char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '/';
}

/* Texts that are an indicator in block style, or part documents at the beginning of a line. */
static bool is_indicator(const char *text, size_t len)
{
	if (!len || text[len - 1] == ':')
		return len;
	if (is_letter(*text))
		return false;
	return (strchr("-?:", *text) && (len == 1 || text[1] == ' ')) || !strncmp(text, "---", 3) ||
	       !strncmp(text, "...", 3);
}

/* Whether the text, without quotes, is a string and this one to every reader. */
static bool can_be_plain(const char *text, size_t len)
{
	bool ascii = true;

	if (!len || is_indicator(text, len) || yaml_is_special(text, len) || text[len - 1] == ' ')
		return false;
	if (!is_letter(*text) && strchr(" ,[]{}#&*!|>'\"%@`", *text))
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((text[i] == ':' && text[i + 1] == ' ') || (text[i] == ' ' && text[i + 1] == '#'))
			return false;
		ascii &= text[i] >= 0x20 && text[i] < 0x7f;
	}
	return ascii || all_printable(text, len, "");
}

static void write_quoted(struct buffer *out, const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		const unsigned char *u = (const unsigned char *)text + i;

		n = utf8_length(text + i, len - i);
		if (n > 1 && !is_printable(text + i, n)) {
			/* what is not printable has two or three bytes */
			unsigned code = n == 2 ? (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu) :
						 (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);

			buffer_printf(out, "\\u%04x", code);
		} else if (n == 1 && (*u < 0x20 || *u == 0x7f || *u == '"' || *u == '\\')) {
			const char *letter = *u ? strchr("\tt\nn\rr\"\"\\\\", *u) : NULL;

			if (letter)
				buffer_put(out, (char[]){ '\\', *u == '"' || *u == '\\' ? (char)*u : letter[1] }, 2);
			else
				buffer_printf(out, "\\x%02x", *u);
		} else {
			buffer_put(out, text + i, n);
		}
	}
}

static void write_text(struct buffer *out, const char *text, size_t len)
{
	if (can_be_plain(text, len)) {
		buffer_put(out, text, len);
		return;
	}
	buffer_putc(out, '"');
	write_quoted(out, text, len);
	buffer_putc(out, '"');
}

/* A text of lines, none of them in need of an escape. */
static bool can_be_literal(const char *text, size_t len)
{
	return len > 1 && memchr(text, '\n', len) && !strchr(" \t\n", *text) && all_printable(text, len, "\t\n");
}

static void write_literal(struct writer *w, const char *text, size_t len, int indent)
{
	bool ended = text[len - 1] == '\n', more = ended && text[len - 2] == '\n';

	buffer_puts(w->out, !ended ? "|-" : more ? "|+" : "|");
	while (*text) {
		size_t n = strcspn(text, "\n");

		buffer_puts(w->out, w->newline);
		if (n)
			buffer_blanks(w->out, (size_t)indent);
		buffer_put(w->out, text, n);
		text += n + (text[n] == '\n');
	}
}

/* Whether the user's own text of a plain scalar, perhaps out of flow style, may stand where this writer puts it. */
static bool can_stay(const char *plain)
{
	return plain && !strchr(plain, '\n') && !is_indicator(plain, strlen(plain));
}

/* Without an end of the line; @indent: of a literal's lines. */
static void write_scalar(struct writer *w, const struct item *item, int indent)
{
	const json_t *value = item->value;
	const char *text;

	if (item->node && can_stay(item->node->plain) && json_same(value, item->old)) {
		buffer_puts(w->out, item->node->plain);
	} else if (!json_is_string(value) || json_is_raw_number(value)) {
		json_write(w->out, value);
	} else {
		text = json_string_value(value);
		if (can_be_literal(text, json_string_length(value)))
			write_literal(w, text, json_string_length(value), indent);
		else
			write_text(w->out, text, json_string_length(value));
	}
}

static bool is_block(const json_t *value)
{
	return json_object_size(value) || json_array_size(value);
}

/* What stands behind a key; @indent: of the key. */
static void write_member_value(struct writer *w, const struct item *item, int indent)
{
	bool list = json_is_array(item->value);
	size_t start;

	if (is_block(item->value)) {
		buffer_puts(w->out, w->newline);
		indent += list ? 0 : 2;
		buffer_blanks(w->out, (size_t)indent);
		write_lines(w, item, indent);
		return;
	}
	buffer_putc(w->out, ' ');
	start = w->out->len;
	if (json_is_object(item->value) || list)
		buffer_puts(w->out, list ? "[]" : "{}");
	else
		write_scalar(w, item, indent + 2);
	/* a null that the user left empty */
	if (w->out->len == start)
		w->out->data[--w->out->len] = '\0';
	buffer_puts(w->out, w->newline);
}

static void write_key(struct writer *w, const char *key, const struct json_node *node, int indent)
{
	size_t len = strlen(key);

	if (node && can_stay(node->plain_key) && len <= KEY_SIMPLE_MAX) {
		buffer_puts(w->out, node->plain_key);
	} else if (len <= KEY_SIMPLE_MAX) {
		write_text(w->out, key, len);
	} else {
		buffer_puts(w->out, "? ");
		write_text(w->out, key, len);
		buffer_puts(w->out, w->newline);
		buffer_blanks(w->out, (size_t)indent);
	}
	buffer_putc(w->out, ':');
}

static void write_mapping(struct writer *w, const struct item *item, int indent)
{
	struct member_walk walk = { .old = json_is_object(item->old) ? item->old : NULL };
	const char *key;
	json_t *value;
	bool first = true;

	json_object_foreach((json_t *)item->value, key, value)
	{
		struct item member = { .value = value, .list = key };
		size_t index;

		if (member_find(&walk, key, &member.old, &index) && item->node && index < item->node->n)
			member.node = &item->node->children[index];
		if (!first)
			buffer_blanks(w->out, (size_t)indent);
		write_key(w, key, member.node, indent);
		write_member_value(w, &member, indent);
		first = false;
	}
}

static void write_sequence(struct writer *w, const struct item *item, int indent)
{
	int *from = align_items(item->old, item->value, item->list);
	json_t *value;
	size_t i;

	json_array_foreach(item->value, i, value)
	{
		struct item entry = { .value = value };

		if (from[i] >= 0) {
			entry.old = json_array_get(item->old, (size_t)from[i]);
			if (item->node && (uint32_t)from[i] < item->node->n)
				entry.node = &item->node->children[from[i]];
		}
		if (i)
			buffer_blanks(w->out, (size_t)indent);
		buffer_putc(w->out, '-');
		if (is_block(value)) {
			buffer_putc(w->out, ' ');
			write_lines(w, &entry, indent + 2);
		} else {
			write_member_value(w, &entry, indent);
		}
	}
	free(from);
}

/* A mapping or list that is not empty, whose first line is indented already. */
static void write_lines(struct writer *w, const struct item *item, int indent)
{
	if (json_is_object(item->value))
		write_mapping(w, item, indent);
	else
		write_sequence(w, item, indent);
}

void yaml_write(struct buffer *out, const json_t *value, const json_t *old, const struct json_node *node, const char *newline)
{
	struct writer w = { .out = out, .newline = newline };
	struct item item = { .value = value, .old = node ? old : NULL, .node = node };

	if (is_block(value)) {
		write_lines(&w, &item, 0);
		return;
	}
	if (json_is_object(value) || json_is_array(value))
		buffer_puts(out, json_is_array(value) ? "[]" : "{}");
	else
		write_scalar(&w, &item, 2);
	buffer_puts(out, newline);
}
