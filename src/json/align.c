/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "align.h"
#include "json_write.h"

#include <string.h>

bool member_find(struct member_walk *walk, const char *key, const json_t **value, size_t *index)
{
	json_t *old = (json_t *)walk->old;
	void *at = walk->next;

	/* The one behind the last that was found, else from the beginning. */
	*index = walk->index;
	if (!at || strcmp(json_object_iter_key(at), key)) {
		if (!json_object_get(old, key))
			return false;
		*index = 0;
		for (at = json_object_iter(old); strcmp(json_object_iter_key(at), key); at = json_object_iter_next(old, at))
			++*index;
	}
	*value = json_object_iter_value(at);
	walk->next = json_object_iter_next(old, at);
	walk->index = *index + 1;
	return true;
}

/* Kubernetes' patchMergeKey of the lists in a pod. */
const char *list_key(const char *key)
{
	static const struct {
		const char *list, *key;
	} keys[] = {
		{ "containers", "name" },
		{ "initContainers", "name" },
		{ "ephemeralContainers", "name" },
		{ "volumes", "name" },
		{ "env", "name" },
		{ "imagePullSecrets", "name" },
		{ "volumeMounts", "mountPath" },
		{ "volumeDevices", "devicePath" },
		{ "ports", "containerPort" },
		{ "hostAliases", "ip" },
		{ "topologySpreadConstraints", "topologyKey" },
	};

	for (unsigned i = 0; key && i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].list, key))
			return keys[i].key;
	return NULL;
}

/*
 * The text that tells the item apart, in the arena; NULL if it has none.  Of equal ones in a list each but the
 * first gets a number; needs @seen, name -> how many.
 */
static const char *item_name(const json_t *item, const char *member, json_t *seen)
{
	const json_t *value = json_object_get(item, member), *before;
	struct buffer name = { 0 };
	const char *text;
	json_int_t times;

	if (!value || json_is_object(value) || json_is_array(value))
		return NULL;
	text = json_text(value);
	before = json_object_get(seen, text);
	times = json_integer_value(before);
	json_object_set_new_nocheck(seen, text, json_integer(times + 1));
	if (!before)
		return text;
	/* no text of a value goes on behind its end */
	buffer_printf(&name, "%s %lld", text, (long long)times);
	text = json_string_value(json_string_nocheck(name.data));
	buffer_free(&name);
	return text;
}

static void align_by_name(const json_t *old, const json_t *now, const char *member, int *from)
{
	json_t *where = json_object(), *seen_old = json_object(), *seen_new = json_object(), *item;
	size_t i;

	json_array_foreach(old, i, item)
	{
		const char *name = item_name(item, member, seen_old);

		if (name)
			json_object_set_new_nocheck(where, name, json_integer((json_int_t)i));
	}
	json_array_foreach(now, i, item)
	{
		const char *name = item_name(item, member, seen_new);
		const json_t *index = name ? json_object_get(where, name) : NULL, *same = json_array_get(old, i);

		if (name)
			from[i] = index ? (int)json_integer_value(index) : -1;
		else
			from[i] = same && json_same(same, item) ? (int)i : -1;
	}
}

int *align_items(const json_t *old, const json_t *now, const char *key)
{
	int *from = xcalloc(json_array_size(now), sizeof(*from));
	const char *member = list_key(key);
	bool paired;
	size_t i;

	if (old != now && member && json_is_array(old)) {
		align_by_name(old, now, member, from);
		return from;
	}
	paired = json_array_size(old) == json_array_size(now);
	for (i = 0; i < json_array_size(now); i++) {
		const json_t *item = json_array_get(old, i);

		from[i] = item && (paired || json_same(item, json_array_get(now, i))) ? (int)i : -1;
	}
	return from;
}
