/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A template merged over an object of the pod, as operations of JSON Patch in CEL; see merge.c. */
#include <string.h>

#include "cel.h"
#include "injection.h"
#include "merge.h"

/* What is merged: where it is, and what the pod has there; both expressions. */
struct target {
	const char *path, *object;
};

static const char *merge_object(struct cel *cel, const struct target *at, const json_t *template);

static const char *operation(struct cel *cel, const char *op, const char *path, const char *value)
{
	return cel_printf(cel, "[JSONPatch{op: '%s', path: %s%s%s}]", op, path, value ? ", value: " : "",
			  value ? value : "");
}

static const char *path_join(struct cel *cel, const char *path, const char *token)
{
	const char *quoted = cel_quote(cel, cel_printf(cel, "/%s", cel_pointer(cel, token)));
	size_t n = strlen(path);

	if (path[n - 1] == '\'')
		return cel_printf(cel, "%.*s%s", (int)n - 1, path, quoted + 1);
	return cel_printf(cel, "%s + %s", path, quoted);
}

static struct target target_of(struct cel *cel, const struct target *at, const char *key)
{
	return (struct target){ path_join(cel, at->path, key), cel_printf(cel, "%s[%s]", at->object, cel_quote(cel, key)) };
}

static const char *is_there(struct cel *cel, const struct target *at, const char *key)
{
	return cel_printf(cel, "(%s in %s)", cel_quote(cel, key), at->object);
}

/* Of an item of a keyed list: its key's value, which must be known; with which condition it is there. */
static const char *item_name(struct cel *cel, const json_t *item, const char *key, const char **when)
{
	const json_t *name = json_object_get(item, key);
	const char *text = text_of(name);

	*when = json_object_get(item, "$if") ? cel_conditions(cel, json_object_get(item, "$if")) : "true";
	if (json_object_get(item, "$value") || json_object_get(item, "$else") || !name || (text && strstr(text, "${"))) {
		cel_refuse(cel, cel->key, cel_printf(cel, "CEL cannot merge a list whose %s depends on the pod", key));
		return "''";
	}
	return text ? cel_quote(cel, text) : cel_value(cel, name).text;
}

static json_t *without_condition(const json_t *item)
{
	return without_member((json_t *)item, "$if");
}

/* Over the item of that index; a volume of another source is replaced. */
static const char *merge_item(struct cel *cel, const struct target *list, const char *index, const char *name,
			      const json_t *item)
{
	struct target at = { cel_printf(cel, "%s + '/' + string(%s)", list->path, index),
			     cel_printf(cel, "%s[%s]", list->object, index) };
	const char *merged = merge_object(cel, &at, item), *key, *same = "true";
	json_t *value;

	if (strcmp(name, "volumes") != 0)
		return merged;
	json_object_foreach((json_t *)item, key, value) if (strcmp(key, "name") != 0)
		same = cel_and(cel, same, is_there(cel, &at, key));
	return cel_if(cel, same, merged, operation(cel, "replace", at.path, cel_value(cel, item).text));
}

/* New ones go to the end, the others stay where they are. */
static const char *merge_at_end(struct cel *cel, const struct target *parent, const char *key, const char *item_key,
				const json_t *items)
{
	struct target list = target_of(cel, parent, key);
	const char *all = cel_if(cel, is_there(cel, parent, key), "[]", operation(cel, "add", list.path, "dyn([])"));
	json_t *item;
	size_t i;

	json_array_foreach((json_t *)items, i, item)
	{
		const char *when, *name = item_name(cel, item, item_key, &when);
		json_t *bare = without_condition(item);
		const char *index = cel_printf(cel, "%s.map(i, string(i.%s)).indexOf(%s)", list.object, item_key, name);
		const char *known = cel_printf(cel, "(%s && %s.exists(i, i.%s == %s))", is_there(cel, parent, key),
					       list.object, item_key, name);
		const char *add = operation(cel, "add", path_join(cel, list.path, "-"), cel_value(cel, bare).text);

		all = cel_plus(cel, all,
			       cel_if(cel, when, cel_if(cel, known, merge_item(cel, &list, index, key, bare), add), "[]"));
	}
	return all;
}

/* The item's index among the pod's; -1 if it has none of this key. */
static const char *index_of(struct cel *cel, const char *old, const char *item_key, const json_t *item)
{
	const char *when, *name = item_name(cel, item, item_key, &when);

	if (!cel_is(when, "true"))
		cel_refuse(cel, cel->key, "CEL cannot merge a list with a condition");
	return cel_printf(cel, "%s.map(i, string(i.%s)).indexOf(%s)", old, item_key, name);
}

/*
 * Ours first, merged over the pod's of the same key, then the pod's others.  From the last to the first each is put
 * in front: an item of the pod's is moved there, as CEL cannot copy it.  So each before it has shifted those that
 * stood in front of where it came from, or all if it is new.
 */
static const char *merge_in_front(struct cel *cel, const struct target *parent, const char *key, const char *item_key,
				  const json_t *items)
{
	const char *old = cel_printf(cel, "%s[?%s].orValue([])", parent->object, cel_quote(cel, key)), *merges = "[]";
	struct target list = target_of(cel, parent, key);
	const char *first = path_join(cel, list.path, "0");
	const char *all = cel_if(cel, is_there(cel, parent, key), "[]", operation(cel, "add", list.path, "dyn([])"));

	for (size_t i = json_array_size(items); i-- > 0;) {
		const json_t *item = json_array_get(items, i);
		const char *index = index_of(cel, old, item_key, item), *known = cel_printf(cel, "(%s >= 0)", index);
		const char *from = index, *move;
		struct target was = { path_join(cel, list.path, cel_printf(cel, "%zu", i)),
				      cel_printf(cel, "%s[%s]", old, index) };

		for (size_t k = i + 1; k < json_array_size(items); k++) {
			const char *other = index_of(cel, old, item_key, json_array_get(items, k));

			from = cel_printf(cel, "%s + (%s >= 0 && %s < %s ? 0 : 1)", from, other, other, index);
		}
		move = cel_printf(cel, "[JSONPatch{op: 'move', from: %s + string(%s), path: %s}]",
				  path_join(cel, list.path, ""), from, first);
		all = cel_plus(cel, all, cel_if(cel, known, move, operation(cel, "add", first, cel_value(cel, item).text)));
		merges = cel_plus(cel, merges, cel_if(cel, known, merge_object(cel, &was, item), "[]"));
	}
	return cel_plus(cel, all, merges);
}

static const char *merge_key(struct cel *cel, const struct target *parent, const char *key, const json_t *value)
{
	struct target at = target_of(cel, parent, key);
	bool at_end;
	const char *item_key = merge_list_key(key, &at_end);
	struct cel_value made;
	const json_t *otherwise = json_object_get(value, "$else"), *part = json_object_get(value, "$value");

	if (json_is_null(value))
		return cel_if(cel, is_there(cel, parent, key), operation(cel, "remove", at.path, NULL), "[]");
	if (json_object_get(value, "$if"))
		return cel_if(cel, cel_conditions(cel, json_object_get(value, "$if")),
			      merge_key(cel, parent, key, part ? part : without_member(without_condition(value), "$else")),
			      otherwise ? merge_key(cel, parent, key, otherwise) : "[]");
	if (json_is_array(value) && item_key && at_end)
		return merge_at_end(cel, parent, key, item_key, value);
	if (json_is_array(value) && item_key)
		return merge_in_front(cel, parent, key, item_key, value);
	made = cel_value(cel, value);
	if (json_is_object(value))
		return cel_if(cel, is_there(cel, parent, key), merge_object(cel, &at, value),
			      cel_if(cel, made.when, operation(cel, "add", at.path, made.text), "[]"));
	return cel_if(cel, made.when, operation(cel, "add", at.path, made.text), "[]");
}

static const char *merge_object(struct cel *cel, const struct target *at, const json_t *template)
{
	const char *all = "[]", *key;
	json_t *value;

	json_object_foreach((json_t *)template, key, value) all = cel_plus(cel, all, merge_key(cel, at, key, value));
	return cel_is(all, "[]") ? all : cel_printf(cel, "(%s)", all);
}

const char *cel_merge(struct cel *cel, const char *path, const char *object, const json_t *template)
{
	return merge_object(cel, &(struct target){ path, object }, template);
}
