/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "patch_apply.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

/* Splits a pointer: the container of what it names, and the last token, unescaped; NULL: no such container. */
static json_t *find_parent(json_t *root, const char *pointer, char *last, size_t size)
{
	const char *slash = strrchr(pointer, '/');
	auto_free char *head = xstrdup(pointer);
	size_t n = 0;

	if (!slash)
		return NULL;
	head[slash - pointer] = '\0';
	for (const char *c = slash + 1; *c && n + 1 < size; c++) {
		last[n++] = *c != '~' ? *c : c[1] == '1' ? '/' : '~';
		c += *c == '~';
	}
	last[n] = '\0';
	return json_at(root, head);
}

static bool list_index(const json_t *list, const char *token, size_t limit, size_t *index)
{
	*index = strtoul(token, NULL, 10);
	return json_is_array(list) && *token && strspn(token, "0123456789") == strlen(token) && *index <= limit;
}

static bool take(json_t *root, const char *pointer, json_t **taken, char *token, size_t size)
{
	json_t *parent = find_parent(root, pointer, token, size);
	size_t index;

	if (json_is_object(parent)) {
		*taken = json_incref(json_object_get(parent, token));
		return !json_object_del(parent, token);
	}
	if (!list_index(parent, token, json_array_size(parent), &index))
		return false;
	*taken = json_incref(json_array_get(parent, index));
	return !json_array_remove(parent, index);
}

static bool put(json_t *root, const char *pointer, json_t *value, char *token, size_t size)
{
	json_t *parent = find_parent(root, pointer, token, size);
	size_t index;

	if (json_is_object(parent))
		return !json_object_set(parent, token, value);
	return list_index(parent, token, json_array_size(parent), &index) && !json_array_insert(parent, index, value);
}

static bool apply_one(json_t *root, const json_t *op, char *token, size_t size)
{
	const char *verb = json_string_value(json_object_get(op, "op"));
	const char *path = json_string_value(json_object_get(op, "path"));
	const char *from = json_string_value(json_object_get(op, "from"));
	json_t *value = json_deep_copy(json_object_get(op, "value")), *old;

	if (!strcmp(verb, "add"))
		return value && put(root, path, value, token, size);
	if (!strcmp(verb, "remove"))
		return take(root, path, &old, token, size);
	if (!strcmp(verb, "replace"))
		return value && take(root, path, &old, token, size) && put(root, path, value, token, size);
	return !strcmp(verb, "move") && take(root, from, &value, token, size) && put(root, path, value, token, size);
}

json_t *patch_apply(const json_t *value, const json_t *ops)
{
	json_t *root = json_deep_copy(value), *op;
	size_t i, size = 1;

	json_array_foreach(ops, i, op) size += strlen(json_string_value(json_object_get(op, "path")));
	{
		auto_free char *token = xcalloc(size, 2);

		json_array_foreach(ops, i, op) if (!apply_one(root, op, token, size)) return NULL;
	}
	return root;
}
