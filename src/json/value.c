/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values: their memory, numbers as they were written, equality, pointers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "json.h"
#include "json_write.h"

static struct arena *memory;

static void *take(size_t size)
{
	return arena_take(memory, size);
}

static void leave(void *p)
{
	(void)p;
}

void json_use_arena(struct arena *arena)
{
	const char *random = (const char *)getauxval(AT_RANDOM); /* 16 bytes */
	size_t seed;

	memory = arena;
	json_set_alloc_funcs(take, leave);
	/* Of what the kernel gives each process, where the library would open a device. */
	memcpy(&seed, random + sizeof(seed), sizeof(seed));
	json_object_seed(seed);
}

json_t *json_number(const char *text, size_t len)
{
	char *marked = arena_alloc(memory, len + 2);
	long long integer;

	memcpy(marked + 1, text, len);
	if (strcspn(marked + 1, ".eE") == len) {
		errno = 0;
		integer = strtoll(marked + 1, NULL, 10);
		if (!errno)
			return json_integer(integer);
	}
	return json_stringn_nocheck(marked, len + 1);
}

const char *json_raw_text(const json_t *value)
{
	return json_string_value(value) + 1;
}

bool json_same(const json_t *a, const json_t *b)
{
	return a == b || json_equal(a, b);
}

char *json_text(const json_t *value)
{
	struct buffer out = { 0 };
	char *text;

	json_write(&out, value);
	text = memcpy(arena_take(memory, out.len + 1), out.data, out.len + 1);
	buffer_free(&out);
	return text;
}

int json_parse(const char *text, size_t len, json_t **value, struct err *err)
{
	struct document doc;
	int rc = json_read(&doc, memory, text, len, err);

	*value = doc.root;
	return rc;
}

int yaml_parse(const char *text, size_t len, json_t **value, struct err *err)
{
	struct document doc;
	int rc = yaml_read(&doc, memory, text, len, 1, err);

	*value = doc.root ? doc.root : json_null();
	return rc;
}

/* The next token of the pointer, unescaped (RFC 6901, section 4), in the arena; NULL at the end. */
static char *pointer_next(const char **pointer)
{
	const char *from = *pointer;
	size_t len;
	char *token, *to;

	if (*from != '/')
		return NULL;
	len = strcspn(++from, "/");
	token = to = arena_alloc(memory, len + 1);
	*pointer = from + len;
	for (; from < *pointer; from++) {
		*to++ = *from != '~' ? *from : from[1] == '1' ? '/' : '~';
		from += *from == '~';
	}
	*to = '\0';
	return token;
}

/* The child that the token names, and its place among the children; NULL if there is none. */
static json_t *find_child(json_t *value, const char *token, size_t *index)
{
	const char *key;
	json_t *child;

	*index = 0;
	if (json_is_array(value)) {
		*index = strspn(token, "0123456789") == strlen(token) ? strtoul(token, NULL, 10) : SIZE_MAX;
		return json_array_get(value, *index);
	}
	json_object_foreach(value, key, child)
	{
		if (!strcmp(key, token))
			return child;
		++*index;
	}
	return NULL;
}

json_t *json_at(json_t *root, const char *pointer)
{
	const char *token;
	size_t index;

	while (root && (token = pointer_next(&pointer)))
		root = find_child(root, token, &index);
	return root;
}

/* What the byte at @offset is in lines and columns. */
static struct json_place text_place(const char *text, size_t offset)
{
	struct json_place place = { 1, 1 };

	for (size_t i = 0; i < offset; i++) {
		place.column += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (text[i] == '\n')
			place = (struct json_place){ place.line + 1, 1 };
	}
	return place;
}

struct json_place document_place(const struct document *doc, const char *pointer)
{
	const struct json_node *node = &doc->node;
	bool member = false;
	json_t *value = doc->root;
	const char *token;
	size_t index;

	while ((token = pointer_next(&pointer))) {
		json_t *child = find_child(value, token, &index);

		if (!child || index >= node->n)
			break;
		member = json_is_object(value);
		node = &node->children[index];
		value = child;
	}
	if (doc->yaml)
		return member ? node->key_place : node->place;
	return text_place(doc->text, member ? node->key_start : node->start);
}
