/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One YAML document, by libyaml's events. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "json.h"
#include "json_write.h"
#include "nodes.h"

/* A value with what an alias of it needs to know. */
struct found {
	json_t *value;
	struct json_node node;
	uint32_t nodes;
	unsigned height; /* levels of containers */
};

struct reader {
	yaml_parser_t parser;
	const char *text;
	size_t len;
	uint32_t line; /* of the text's beginning */
	struct arena *arena;
	struct node_stack stack;
	json_t *names;         /* of anchors, each with its index among them */
	struct found *anchors; /* value NULL: it has not ended yet */
	unsigned n_anchors;
	/* How far the text between the events has been looked through for comments. */
	size_t at, index;
	size_t wide; /* where the next character of several bytes begins */
	bool comments;
	struct err *err;
};

static int read_node(struct reader *r, const yaml_event_t *event, struct found *found, unsigned depth);

static int __attribute__((format(printf, 3, 4))) fail(struct reader *r, struct json_place place, const char *fmt, ...)
{
	char what[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	err_set(r->err, STATUS_DATA, EINVAL, "%u:%u: %s", place.line, place.column, what);
	return -EINVAL;
}

static struct json_place mark_place(const struct reader *r, yaml_mark_t mark)
{
	return (struct json_place){ r->line + (uint32_t)mark.line, (uint32_t)mark.column + 1 };
}

/* The reader of bytes knows an offset only. */
static struct json_place offset_place(const struct reader *r, size_t offset)
{
	struct json_place place = { r->line, 1 };

	for (size_t i = 0; i < offset && i < r->len; i++) {
		place.column += ((unsigned char)r->text[i] & 0xc0) != 0x80;
		if (r->text[i] == '\n')
			place = (struct json_place){ place.line + 1, 1 };
	}
	return place;
}

static int parser_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	struct json_place place = p->error == YAML_READER_ERROR ? offset_place(r, p->problem_offset) :
								  mark_place(r, p->problem_mark);

	if (p->error == YAML_MEMORY_ERROR)
		xchecked(NULL);
	return fail(r, place, "%s%s%s", p->context ? p->context : "", p->context ? ": " : "",
		    p->problem ? p->problem : "no YAML");
}

static size_t find_wide(const struct reader *r, size_t at)
{
	while (at < r->len && (unsigned char)r->text[at] < 0x80)
		at++;
	return at;
}

/* Moves to the character of that index; what lies between events is indicators, blanks and comments. */
static void skip_to(struct reader *r, size_t index, bool between)
{
	while (r->index < index && r->at < r->len) {
		size_t run = r->wide - r->at, left = index - r->index;

		if (run) {
			run = run < left ? run : left;
			r->comments |= between && memchr(r->text + r->at, '#', run);
			r->at += run;
			r->index += run;
			continue;
		}
		do
			r->at++;
		while (r->at < r->len && ((unsigned char)r->text[r->at] & 0xc0) == 0x80);
		r->index++;
		r->wide = find_wide(r, r->at);
	}
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	if (!yaml_parser_parse(&r->parser, event))
		return parser_error(r);
	skip_to(r, event->start_mark.index, true);
	skip_to(r, event->end_mark.index, event->type != YAML_SCALAR_EVENT);
	return 0;
}

/* A name that comes again stands for the later value. */
static unsigned anchor_begin(struct reader *r, const yaml_char_t *name)
{
	const json_t *index;

	if (!r->names)
		r->names = json_object();
	index = json_object_get(r->names, (const char *)name);
	if (!index) {
		array_push(&r->anchors, &r->n_anchors, sizeof(*r->anchors));
		index = json_integer(r->n_anchors - 1);
		json_object_set_nocheck(r->names, (const char *)name, (json_t *)index);
	}
	memset(&r->anchors[json_integer_value(index)], 0, sizeof(*r->anchors));
	return (unsigned)json_integer_value(index);
}

static int read_alias(struct reader *r, const yaml_event_t *event, struct found *found, unsigned depth)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct json_place place = mark_place(r, event->start_mark);
	const json_t *index = json_object_get(r->names, name);

	if (!index)
		return fail(r, place, "the alias *%.100s has no anchor", name);
	*found = r->anchors[json_integer_value(index)];
	if (!found->value)
		return fail(r, place, "the alias *%.100s is within what it stands for", name);
	if (depth - 1 + found->height > JSON_DEPTH_MAX)
		return fail(r, place, "more than %d levels of values in values", JSON_DEPTH_MAX);
	if (!node_count(&r->stack, found->nodes))
		return fail(r, place, "more than %d values, aliases expanded", JSON_NODES_MAX);
	found->node.place = place;
	return 0;
}

/* The name of a core tag without its prefix; "" for the non-specific "!"; NULL for another. */
static const char *core_tag(const yaml_char_t *tag)
{
	static const char prefix[] = "tag:yaml.org,2002:";
	static const char *const names[] = { "str", "int", "float", "bool", "null", "map", "seq" };
	const char *name = (const char *)tag + sizeof(prefix) - 1;

	if (!strcmp((const char *)tag, "!"))
		return "";
	if (strncmp((const char *)tag, prefix, sizeof(prefix) - 1))
		return NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return names[i];
	return NULL;
}

static bool tag_fits(const char *tag, const json_t *value)
{
	bool integer = json_is_integer(value), number = integer || json_is_raw_number(value);

	return !strcmp(tag, "int")   ? integer :
	       !strcmp(tag, "float") ? number :
	       !strcmp(tag, "bool")  ? json_is_boolean(value) :
				       !strcmp(tag, "null") && json_is_null(value);
}

static bool is_text(const json_t *value)
{
	return json_is_string(value) && !json_is_raw_number(value);
}

static int read_scalar(struct reader *r, const yaml_event_t *event, struct found *found)
{
	const char *text = (const char *)event->data.scalar.value, *tag = NULL;
	size_t len = event->data.scalar.length;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (memchr(text, '\0', len))
		return fail(r, found->node.place, "a NUL in a string");
	if (event->data.scalar.tag) {
		tag = core_tag(event->data.scalar.tag);
		if (!tag)
			return fail(r, found->node.place, "the tag %.100s is none of the core ones",
				    (const char *)event->data.scalar.tag);
	}
	if (tag ? !*tag || !strcmp(tag, "str") : !plain)
		found->value = json_stringn_nocheck(text, len);
	else
		found->value = yaml_scalar(text, len);
	if (!found->value)
		return fail(r, found->node.place, "%.100s is no number that JSON has", text);
	if (tag && *tag && strcmp(tag, "str") && !tag_fits(tag, found->value))
		return fail(r, found->node.place, "\"%.100s\" is not what its tag !!%s says", text, tag);
	if (plain && !tag)
		found->node.plain = is_text(found->value) ? json_string_value(found->value) :
							    memcpy(arena_take(r->arena, len + 1), text, len + 1);
	return 0;
}

static int read_sequence(struct reader *r, struct found *found, unsigned depth)
{
	yaml_event_t event;
	int rc;

	found->value = json_array();
	while (!(rc = next_event(r, &event)) && event.type != YAML_SEQUENCE_END_EVENT) {
		struct found item = { 0 };

		rc = read_node(r, &event, &item, depth + 1);
		yaml_event_delete(&event);
		if (rc)
			break;
		json_array_append(found->value, item.value);
		node_push(&r->stack, &item.node);
		found->nodes += item.nodes;
		if (item.height > found->height)
			found->height = item.height;
	}
	if (!rc)
		yaml_event_delete(&event);
	return rc;
}

/* A key as the JSON string that kubectl makes of it, in the arena. */
static int read_key(struct reader *r, const yaml_event_t *event, const char **key, struct found *found)
{
	struct json_place place = mark_place(r, event->start_mark);
	int rc = read_node(r, event, found, 1);

	if (rc)
		return rc;
	/* as in JSON, keys do not count */
	r->stack.total -= found->nodes;
	if (json_is_object(found->value) || json_is_array(found->value) || json_is_null(found->value))
		return fail(r, place, "expected a key that is a text");
	*key = is_text(found->value) ? json_string_value(found->value) : json_text(found->value);
	return 0;
}

/* The members of @from, a mapping or a list of them, that @to does not have. */
static void merge(struct reader *r, json_t *to, const json_t *from, const struct json_node *node)
{
	const char *key;
	json_t *value;
	size_t i = 0;

	if (json_is_array(from)) {
		for (; i < json_array_size(from); i++)
			merge(r, to, json_array_get(from, i), &node->children[i]);
		return;
	}
	json_object_foreach((json_t *)from, key, value)
	{
		if (!json_object_get(to, key)) {
			json_object_set_nocheck(to, key, value);
			node_push(&r->stack, &node->children[i]);
		}
		i++;
	}
}

static bool can_merge(const json_t *value)
{
	size_t i;
	json_t *item;

	json_array_foreach(value, i, item) if (!json_is_object(item)) return false;
	return json_is_array(value) || json_is_object(value);
}

static bool is_merge_key(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT && event->data.scalar.plain_implicit &&
	       !strcmp((const char *)event->data.scalar.value, "<<");
}

/* One key, which @event is, and its value; *@merged: what << stands for. */
static int read_member(struct reader *r, yaml_event_t *event, struct found *found, struct found *merged, unsigned depth)
{
	struct found key = { 0 }, value = { 0 };
	bool merges = is_merge_key(event);
	size_t members = json_object_size(found->value);
	const char *name = NULL;
	int rc = read_key(r, event, &name, &key);

	yaml_event_delete(event);
	if (rc)
		return rc;
	rc = next_event(r, event);
	if (rc)
		return rc;
	rc = read_node(r, event, &value, depth + 1);
	yaml_event_delete(event);
	if (rc)
		return rc;
	found->nodes += value.nodes;
	if (value.height > found->height)
		found->height = value.height;
	if (merges) {
		if (merged->value)
			return fail(r, key.node.place, "the key << is there twice");
		if (!can_merge(value.value))
			return fail(r, value.node.place, "expected a mapping, or a list of them, for <<");
		*merged = value;
		return 0;
	}
	json_object_set_nocheck(found->value, name, value.value);
	if (json_object_size(found->value) == members)
		return fail(r, key.node.place, "the key \"%.100s\" is there twice", name);
	value.node.key_place = key.node.place;
	value.node.plain_key = key.node.plain;
	node_push(&r->stack, &value.node);
	return 0;
}

static int read_mapping(struct reader *r, struct found *found, unsigned depth)
{
	struct found merged = { 0 };
	yaml_event_t event;
	int rc;

	found->value = json_object();
	while (!(rc = next_event(r, &event)) && event.type != YAML_MAPPING_END_EVENT) {
		rc = read_member(r, &event, found, &merged, depth);
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	yaml_event_delete(&event);
	if (merged.value)
		merge(r, found->value, merged.value, &merged.node);
	return 0;
}

static int read_collection(struct reader *r, const yaml_event_t *event, struct found *found, unsigned depth)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *tag = mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	const char *name = tag ? core_tag(tag) : "";
	uint32_t base = r->stack.n;
	int rc;

	if (!name || (*name && strcmp(name, mapping ? "map" : "seq")))
		return fail(r, found->node.place, "the tag %.100s does not go with a %s", (const char *)tag,
			    mapping ? "mapping" : "list");
	if (depth > JSON_DEPTH_MAX)
		return fail(r, found->node.place, "more than %d levels of values in values", JSON_DEPTH_MAX);
	rc = mapping ? read_mapping(r, found, depth) : read_sequence(r, found, depth);
	if (rc)
		return rc;
	found->height++;
	node_close(&r->stack, base, r->arena, &found->node);
	return 0;
}

/* The value that begins with @event, which the caller deletes; @depth counts from 1. */
static int read_node(struct reader *r, const yaml_event_t *event, struct found *found, unsigned depth)
{
	bool scalar = event->type == YAML_SCALAR_EVENT;
	const yaml_char_t *name = scalar                                  ? event->data.scalar.anchor :
				  event->type == YAML_MAPPING_START_EVENT ? event->data.mapping_start.anchor :
									    event->data.sequence_start.anchor;
	unsigned anchor = 0;
	int rc;

	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(r, event, found, depth);
	found->node.place = mark_place(r, event->start_mark);
	found->nodes = 1;
	if (!node_count(&r->stack, 1))
		return fail(r, found->node.place, "more than %d values", JSON_NODES_MAX);
	if (name)
		anchor = anchor_begin(r, name);
	rc = scalar ? read_scalar(r, event, found) : read_collection(r, event, found, depth);
	if (!rc && name)
		r->anchors[anchor] = *found;
	return rc;
}

/* Stream start, document, stream end. */
static int read_stream(struct reader *r, struct document *doc)
{
	struct found found = { 0 };
	yaml_event_t event;
	int rc = 0;

	for (bool end = false; !rc && !end;) {
		rc = next_event(r, &event);
		if (rc)
			break;
		end = event.type == YAML_STREAM_END_EVENT;
		if (event.type == YAML_DOCUMENT_START_EVENT && doc->root)
			rc = fail(r, mark_place(r, event.start_mark), "expected the end of the text");
		else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT ||
			 event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT) {
			rc = read_node(r, &event, &found, 1);
			doc->root = found.value;
			doc->node = found.node;
		}
		yaml_event_delete(&event);
	}
	skip_to(r, r->len, true);
	doc->comments = r->comments;
	return rc;
}

int yaml_read(struct document *doc, struct arena *arena, const char *text, size_t len, uint32_t line, struct err *err)
{
	struct reader r = { .text = text, .len = len, .line = line, .arena = arena, .err = err };
	int rc;

	memset(doc, 0, sizeof(*doc));
	doc->text = text;
	doc->yaml = true;
	if (len > JSON_LEN_MAX)
		return fail(&r, (struct json_place){ line, 1 }, "more than %u MiB", JSON_LEN_MAX >> 20);
	if (!yaml_parser_initialize(&r.parser))
		xchecked(NULL);
	r.wide = find_wide(&r, 0);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	rc = read_stream(&r, doc);
	if (rc)
		doc->root = NULL;
	yaml_parser_delete(&r.parser);
	free(r.anchors);
	free(r.stack.nodes);
	return rc;
}
