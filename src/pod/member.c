/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "member.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

json_t *member(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

const char *text_of(const json_t *value)
{
	return json_is_raw_number(value) ? NULL : json_string_value(value);
}

const char *member_text(const json_t *object, const char *key)
{
	return text_of(json_object_get(object, key));
}

json_t *item_find(const json_t *list, const char *key, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach((json_t *)list, i, item)
	{
		const char *of = member_text(item, key);

		if (of && !strcmp(of, text))
			return item;
	}
	return NULL;
}

bool list_holds(const json_t *list, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach((json_t *)list, i, item)
	{
		const char *of = text_of(item);

		if (of && !strcmp(of, text))
			return true;
	}
	return false;
}

void list_add(json_t *list, const char *text)
{
	if (!list_holds(list, text))
		json_array_append_new(list, json_string(text));
}

bool same_items(const json_t *a, const json_t *b)
{
	size_t n = json_array_size(a), i = 0;

	while (i < n && json_array_get(a, i) == json_array_get(b, i))
		i++;
	return i == n && n == json_array_size(b);
}

json_t *with_member(json_t *object, const char *key, json_t *value)
{
	json_t *copy;

	if (object && json_object_get(object, key) == value)
		return object;
	copy = object ? json_copy(object) : json_object();
	json_object_set(copy, key, value);
	return copy;
}

json_t *without_member(json_t *object, const char *key)
{
	json_t *copy;

	if (!json_object_get(object, key))
		return object;
	copy = json_copy(object);
	json_object_del(copy, key);
	return copy;
}

static bool has_nulls(const json_t *value)
{
	const char *key;
	size_t i;
	json_t *part;

	json_object_foreach((json_t *)value, key, part) if (json_is_null(part) || has_nulls(part)) return true;
	json_array_foreach((json_t *)value, i, part) if (has_nulls(part)) return true;
	return false;
}

json_t *without_nulls(json_t *value)
{
	json_t *copy, *part;
	const char *key;
	size_t i;

	if (!has_nulls(value))
		return value;
	copy = json_is_object(value) ? json_object() : json_array();
	json_object_foreach(value, key, part) if (!json_is_null(part)) json_object_set(copy, key, without_nulls(part));
	json_array_foreach(value, i, part) json_array_append(copy, without_nulls(part));
	return copy;
}

json_t *pod_with(json_t *pod, const char *part, const char *key, json_t *value)
{
	return with_member(pod, part, with_member(member(pod, part), key, value));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **sorted_keys(json_t *object)
{
	const char **keys = xcalloc(json_object_size(object), sizeof(*keys)), *key;
	size_t n = 0;
	json_t *value;

	json_object_foreach(object, key, value) keys[n++] = key;
	qsort(keys, n, sizeof(*keys), compare);
	return keys;
}

const char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	char text[256], *copy;
	va_list args, again;
	size_t n;

	va_start(args, fmt);
	va_copy(again, args);
	n = (size_t)vsnprintf(text, sizeof(text), fmt, args);
	copy = arena_take(arena, n + 1);
	if (n < sizeof(text))
		memcpy(copy, text, n + 1);
	else
		vsnprintf(copy, n + 1, fmt, again);
	va_end(again);
	va_end(args);
	return copy;
}
