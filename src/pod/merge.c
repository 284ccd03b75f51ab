/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "merge.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "member.h"
#include "validate.h"

/* Lists whose items have a key; at_end: new items go behind those that are there. */
static const struct list_type {
	const char *list, *key;
	bool at_end;
} list_types[] = {
	{ "containers", "name", false },
	{ "initContainers", "name", false },
	{ "volumes", "name", true },
	{ "env", "name", false },
	{ "imagePullSecrets", "name", true },
	{ "volumeMounts", "mountPath", false },
	{ "volumeDevices", "devicePath", false },
	{ "ports", "containerPort", false },
	{ "hostAliases", "ip", false },
	{ "topologySpreadConstraints", "topologyKey", false },
};

struct how {
	unsigned flags;
	const json_t *listed;
	bool quantities; /* below limits or requests */
};

static json_t *merge_values(struct how how, const char *key, json_t *base, json_t *over);

static const struct list_type *list_type_find(const char *list)
{
	for (unsigned i = 0; list && i < ARRAY_SIZE(list_types); i++)
		if (!strcmp(list_types[i].list, list))
			return &list_types[i];
	return NULL;
}

const char *merge_list_key(const char *list, bool *at_end)
{
	const struct list_type *type = list_type_find(list);

	*at_end = type && type->at_end;
	return type ? type->key : NULL;
}

/* What the API server leaves out, as if it had never been there. */
static bool is_zero(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return !json_object_size(value);
	case JSON_ARRAY:
		return !json_array_size(value);
	case JSON_STRING:
		return !json_string_length(value);
	case JSON_INTEGER:
		return !json_integer_value(value);
	default:
		return json_is_false(value) || json_is_null(value);
	}
}

/* A number or a string that is a quantity, as text. */
static const char *quantity_text(const json_t *value)
{
	return json_is_integer(value) || json_is_raw_number(value) ? json_text(value) : json_string_value(value);
}

static bool extends(bool quantities, const json_t *base, const json_t *over);

static bool object_extends(bool quantities, const json_t *base, const json_t *over)
{
	const char *key;
	json_t *part;

	json_object_foreach((json_t *)over, key, part)
	{
		const json_t *of = member(base, key);

		if (of ? !extends(quantities || !strcmp(key, "limits") || !strcmp(key, "requests"), of, part) :
			 !is_zero(part))
			return false;
	}
	return true;
}

/* Whether @base says what @over says, and maybe more. */
static bool extends(bool quantities, const json_t *base, const json_t *over)
{
	size_t i;
	json_t *item;

	if (json_is_object(base) && json_is_object(over))
		return object_extends(quantities, base, over);
	if (json_is_array(base) && json_is_array(over)) {
		if (json_array_size(base) != json_array_size(over))
			return false;
		json_array_foreach((json_t *)over, i,
				   item) if (!extends(quantities, json_array_get(base, i), item)) return false;
		return true;
	}
	if (quantities && quantity_text(base) && quantity_text(over) &&
	    quantity_equal(quantity_text(base), quantity_text(over)))
		return true;
	return json_same(base, over);
}

static bool is_object_of(const json_t *value, const json_t *other)
{
	return json_is_object(value) && json_is_object(other);
}

static json_t *merge_objects(struct how how, json_t *base, json_t *over)
{
	json_t *merged = base, *value;
	const char *key;

	json_object_foreach(over, key, value)
	{
		json_t *old = json_object_get(base, key), *new = value;
		struct how inner = how;

		inner.quantities |= !strcmp(key, "limits") || !strcmp(key, "requests");
		if (json_is_null(value) && !(how.flags & MERGE_NULLS)) {
			if (old && !(how.flags & MERGE_UNDER))
				new = NULL;
			else
				continue;
		} else if (!old || json_is_null(old)) {
			if (how.flags & MERGE_EXTEND && is_zero(value))
				continue;
			if (!(how.flags & MERGE_NULLS))
				new = without_nulls(value);
		} else {
			new = merge_values(inner, key, old, value);
		}
		if (new == old)
			continue;
		if (merged == base)
			merged = json_copy(base);
		if (new)
			json_object_set(merged, key, new);
		else
			json_object_del(merged, key);
	}
	return merged;
}

/* The volume's source: the first member that is not its name. */
static const char *volume_source(const json_t *volume)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)volume, key, value) if (strcmp(key, "name") != 0 && !json_is_null(value)) return key;
	return NULL;
}

static json_t *merge_items(struct how how, const struct list_type *type, json_t *base, json_t *over)
{
	if (!is_object_of(base, over))
		return base;
	if (!strcmp(type->list, "volumes")) {
		const char *source = volume_source(over), *name = member_text(over, "name");

		if (source && !member(base, source))
			return how.flags & MERGE_UNDER ? base : how.flags & MERGE_NULLS ? over : without_nulls(over);
		if (name && list_holds(how.listed, name))
			how.flags |= MERGE_EXTEND;
	}
	return merge_objects(how, base, over);
}

/* A list, and for each item what tells it from others: its key, or all of it where it has none. */
struct keyed {
	json_t *list;
	size_t n;
	const json_t **keys;
};

static struct keyed keyed_read(json_t *list, const char *key)
{
	struct keyed keyed = { list, json_array_size(list), xcalloc(json_array_size(list), sizeof(*keyed.keys)) };
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const json_t *value = json_object_get(item, key);

		keyed.keys[i] = value ? value : item;
	}
	return keyed;
}

/* The index of the item with this key, after @skip others of it; n if there is none. */
static size_t find_key(const struct keyed *keyed, const json_t *wanted, size_t skip)
{
	const char *text = text_of(wanted);
	size_t i;

	for (i = 0; i < keyed->n; i++) {
		const char *of = text ? text_of(keyed->keys[i]) : NULL;

		/* nearly always two strings */
		if ((of ? !strcmp(of, text) : json_same(keyed->keys[i], wanted)) && !skip--)
			break;
	}
	return i;
}

/*
 * What item @i of @keyed is merged with: the first of a key with the first of it, the second with
 * the second (a port has two protocols).  NULL if there is none.
 */
static json_t *like(const struct keyed *other, const struct keyed *keyed, size_t i)
{
	const json_t *wanted = keyed->keys[i];
	size_t rank = 0;

	if (find_key(other, wanted, 0) == other->n)
		return NULL;
	while (find_key(keyed, wanted, rank) < i)
		rank++;
	return json_array_get(other->list, find_key(other, wanted, rank));
}

/* The base's items or the overlay's first, then those that only the other has. */
static json_t *merge_lists(struct how how, const struct list_type *type, json_t *base, json_t *over)
{
	bool base_first = type->at_end || how.flags & MERGE_UNDER;
	struct keyed first = keyed_read(base_first ? base : over, type->key);
	struct keyed second = keyed_read(base_first ? over : base, type->key);
	json_t *merged = json_array(), *item;
	size_t i;

	json_array_foreach(first.list, i, item)
	{
		json_t *other = like(&second, &first, i);

		if (other)
			item = merge_items(how, type, base_first ? item : other, base_first ? other : item);
		else if (!base_first && !(how.flags & MERGE_NULLS))
			item = without_nulls(item);
		json_array_append(merged, item);
	}
	json_array_foreach(second.list, i, item) if (!like(&first, &second, i))
		json_array_append(merged, base_first && !(how.flags & MERGE_NULLS) ? without_nulls(item) : item);
	free(first.keys);
	free(second.keys);
	return same_items(merged, base) ? base : merged;
}

/* Whether the list @base begins with @over's items: the API server appends its own tolerations. */
static bool begins_with(const json_t *base, const json_t *over)
{
	size_t i;
	json_t *item;

	if (!json_is_array(base) || !json_is_array(over))
		return false;
	json_array_foreach((json_t *)over, i, item) if (!json_same(json_array_get(base, i), item)) return false;
	return true;
}

static json_t *merge_values(struct how how, const char *key, json_t *base, json_t *over)
{
	const struct list_type *type = how.flags & MERGE_PLAIN ? NULL : list_type_find(key);

	if (is_object_of(base, over))
		return merge_objects(how, base, over);
	if (type && json_is_array(base) && json_is_array(over))
		return merge_lists(how, type, base, over);
	if (how.flags & MERGE_UNDER || json_same(base, over) ||
	    (how.flags & MERGE_EXTEND && extends(how.quantities, base, over)) ||
	    (how.flags & MERGE_AGAIN && begins_with(base, over)))
		return base;
	return how.flags & MERGE_NULLS ? over : without_nulls(over);
}

json_t *merge_member(const char *key, json_t *base, json_t *over, unsigned flags, const json_t *listed)
{
	return merge_values((struct how){ .flags = flags, .listed = listed }, key, base, over);
}

json_t *merge(json_t *base, json_t *over, unsigned flags, const json_t *listed)
{
	return merge_member(NULL, base, over, flags, listed);
}
