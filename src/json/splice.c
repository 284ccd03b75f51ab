/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A changed JSON document as its own text with the new parts put in, in the manner of what stands
 * around them: on lines of their own, or in the same line.
 */
#include <string.h>

#include "align.h"
#include "json.h"
#include "json_write.h"

struct span {
	const char *text;
	size_t len;
};

struct splicer {
	struct buffer *out;
	const char *text;
	struct span unit; /* what one more level is indented by */
};

/* How new members or items of a container are set. */
struct manner {
	struct span lead; /* in front of each */
	const char *colon;
	bool lines; /* each on a line of its own */
};

static void splice_value(struct splicer *s, const json_t *old, const struct json_node *node, const json_t *new,
			 const char *key, const struct manner *around);

static void put_span(struct splicer *s, struct span span)
{
	buffer_put(s->out, span.text, span.len);
}

static struct span between(const struct splicer *s, size_t from, size_t to)
{
	return (struct span){ s->text + from, to - from };
}

static size_t skip_blanks(const struct splicer *s, size_t at)
{
	return at + strspn(s->text + at, " \t\r\n");
}

/* What stands in front of child @i, behind the comma or bracket before it. */
static struct span lead_of(const struct splicer *s, const struct json_node *node, uint32_t i, bool member)
{
	size_t from = i ? skip_blanks(s, node->children[i - 1].end) + 1 : node->start + 1;

	return between(s, from, member ? node->children[i].key_start : node->children[i].start);
}

/* What stands behind child @i, before its comma or the closing bracket. */
static struct span trail_of(const struct splicer *s, const struct json_node *node, uint32_t i)
{
	return between(s, node->children[i].end, skip_blanks(s, node->children[i].end));
}

/* The manner of a container that is not empty. */
static struct manner manner_of(const struct splicer *s, const struct json_node *node, bool object,
			       const struct manner *around)
{
	struct manner manner = { lead_of(s, node, 0, object), around->colon, false };

	manner.lines = memchr(manner.lead.text, '\n', manner.lead.len) != NULL;
	if (object)
		manner.colon = s->text[node->children[0].start - 1] == ':' ? ":" : ": ";
	return manner;
}

/* A value that has no text yet; @lead is what its own line begins with. */
static void put_fresh(struct splicer *s, const json_t *value, const struct manner *manner)
{
	bool object = json_is_object(value), first = true;
	struct buffer lead = { 0 };
	struct manner inner = *manner;
	const char *key;
	json_t *child;
	size_t i;

	if (!json_object_size(value) && !json_array_size(value)) {
		json_write(s->out, value);
		return;
	}
	buffer_put(&lead, manner->lead.text, manner->lead.len);
	if (manner->lines)
		buffer_put(&lead, s->unit.text, s->unit.len);
	inner.lead = manner->lines ? (struct span){ lead.data, lead.len } : (struct span){ "", 0 };
	buffer_putc(s->out, object ? '{' : '[');
	/* One of the two loops runs. */
	json_object_foreach((json_t *)value, key, child)
	{
		buffer_puts(s->out, first ? "" : ",");
		put_span(s, inner.lead);
		json_write_string(s->out, key, strlen(key));
		buffer_puts(s->out, manner->colon);
		put_fresh(s, child, &inner);
		first = false;
	}
	json_array_foreach(value, i, child)
	{
		buffer_puts(s->out, first ? "" : ",");
		put_span(s, inner.lead);
		put_fresh(s, child, &inner);
		first = false;
	}
	if (manner->lines)
		put_span(s, manner->lead);
	buffer_putc(s->out, object ? '}' : ']');
	buffer_free(&lead);
}

static void splice_object(struct splicer *s, const json_t *old, const struct json_node *node, const json_t *new,
			  const struct manner *manner)
{
	const char *key;
	json_t *value;
	uint32_t i = 0;
	bool first = true;

	buffer_putc(s->out, '{');
	json_object_foreach((json_t *)old, key, value)
	{
		const json_t *changed = json_object_get(new, key);
		const struct json_node *child = &node->children[i];

		if (changed) {
			buffer_puts(s->out, first ? "" : ",");
			put_span(s, lead_of(s, node, i, true));
			put_span(s, between(s, child->key_start, child->start));
			splice_value(s, value, child, changed, key, manner);
			if (i + 1 < node->n)
				put_span(s, trail_of(s, node, i));
			first = false;
		}
		i++;
	}
	json_object_foreach((json_t *)new, key, value)
	{
		if (json_object_get(old, key))
			continue;
		buffer_puts(s->out, first ? "" : ",");
		put_span(s, manner->lead);
		json_write_string(s->out, key, strlen(key));
		buffer_puts(s->out, manner->colon);
		put_fresh(s, value, manner);
		first = false;
	}
	put_span(s, trail_of(s, node, node->n - 1));
	buffer_putc(s->out, '}');
}

static void splice_array(struct splicer *s, const json_t *old, const struct json_node *node, const json_t *new,
			 const char *key, const struct manner *manner)
{
	int *from = align_items(old, new, key);
	json_t *value;
	size_t i;

	buffer_putc(s->out, '[');
	json_array_foreach(new, i, value)
	{
		uint32_t was = (uint32_t)from[i];

		buffer_puts(s->out, i ? "," : "");
		if (from[i] < 0) {
			put_span(s, manner->lead);
			put_fresh(s, value, manner);
			continue;
		}
		put_span(s, lead_of(s, node, was, false));
		splice_value(s, json_array_get(old, was), &node->children[was], value, NULL, manner);
		if (was + 1 < node->n)
			put_span(s, trail_of(s, node, was));
	}
	put_span(s, trail_of(s, node, node->n - 1));
	buffer_putc(s->out, ']');
	free(from);
}

static void splice_value(struct splicer *s, const json_t *old, const struct json_node *node, const json_t *new,
			 const char *key, const struct manner *around)
{
	bool object = json_is_object(old) && json_is_object(new), array = json_is_array(old) && json_is_array(new);
	struct manner manner;

	if (json_same(old, new)) {
		put_span(s, between(s, node->start, node->end));
		return;
	}
	if (!node->n || (!object && !array)) {
		put_fresh(s, new, around);
		return;
	}
	manner = manner_of(s, node, object, around);
	if (object)
		splice_object(s, old, node, new, &manner);
	else
		splice_array(s, old, node, new, key, &manner);
}

void json_splice(struct buffer *out, const struct document *doc, const json_t *value)
{
	struct splicer s = { .out = out, .text = doc->text, .unit = { "  ", 2 } };
	struct manner around = { { "", 0 }, ":", false };

	if (doc->node.n) {
		struct span lead = lead_of(&s, &doc->node, 0, json_is_object(doc->root));
		size_t after = lead.len;

		while (after && lead.text[after - 1] != '\n')
			after--;
		if (after && after < lead.len)
			s.unit = (struct span){ lead.text + after, lead.len - after };
	}
	splice_value(&s, doc->root, &doc->node, value, NULL, &around);
}
