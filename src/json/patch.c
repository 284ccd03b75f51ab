/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The patch from one pod to another: small, always the same, in a fixed order. */
#include "patch.h"

#include <string.h>

#include "align.h"
#include "json.h"
#include "json_write.h"
#include "patching.h"

#define STATUS_ANNOTATION "sidecar.istio.io/status"

void patch_op(struct patch *p, const char *op, const char *from, const json_t *value)
{
	json_t *entry = json_object();

	json_object_set_new_nocheck(entry, "op", json_string_nocheck(op));
	if (from)
		json_object_set_new_nocheck(entry, "from", json_string_nocheck(from));
	json_object_set_new_nocheck(entry, "path", json_string_nocheck(p->path.data ? p->path.data : ""));
	if (value)
		json_object_set_nocheck(entry, "value", (json_t *)value);
	json_array_append_new(p->ops, entry);
}

size_t patch_enter(struct patch *p, const char *token)
{
	size_t len = p->path.len;

	buffer_putc(&p->path, '/');
	for (; *token; token++) {
		if (*token == '~' || *token == '/')
			buffer_puts(&p->path, *token == '~' ? "~0" : "~1");
		else
			buffer_putc(&p->path, *token);
	}
	return len;
}

size_t patch_enter_index(struct patch *p, size_t index)
{
	size_t len = p->path.len;

	buffer_printf(&p->path, "/%zu", index);
	return len;
}

void patch_leave(struct patch *p, size_t len)
{
	p->path.len = len;
	p->path.data[len] = '\0';
}

void patch_member(struct patch *p, const json_t *old, const json_t *now, const char *key)
{
	size_t len = patch_enter(p, key);

	patch_value(p, json_object_get(old, key), json_object_get(now, key), key);
	patch_leave(p, len);
}

/* What has to go first, then members in the order of @new. */
static void diff_members(struct patch *p, const json_t *old, const json_t *now)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)old, key, value)
	{
		if (!json_object_get(now, key))
			patch_member(p, old, now, key);
	}
	json_object_foreach((json_t *)now, key, value)
	{
		patch_member(p, old, now, key);
	}
}

/* Items only come, or change in their place: no kept one changes its order. */
static bool keeps_order(const int *from, size_t n)
{
	int last = -1;

	for (size_t i = 0; i < n; i++) {
		if (from[i] >= 0 && from[i] < last)
			return false;
		last = from[i] >= 0 ? from[i] : last;
	}
	return true;
}

/* A list whose items have a key, other than containers. */
static void diff_list(struct patch *p, const json_t *old, const json_t *now, const char *key)
{
	size_t n = json_array_size(now), len;
	int *from = align_items(old, now, key);
	bool *kept = xcalloc(json_array_size(old), sizeof(*kept));

	if (!keeps_order(from, n)) {
		patch_op(p, "replace", NULL, now);
		goto done;
	}
	for (size_t i = 0; i < n; i++)
		if (from[i] >= 0)
			kept[from[i]] = true;
	for (size_t i = json_array_size(old); i-- > 0;)
		if (!kept[i]) {
			len = patch_enter_index(p, i);
			patch_op(p, "remove", NULL, NULL);
			patch_leave(p, len);
		}
	for (size_t i = 0; i < n; i++) {
		len = patch_enter_index(p, i);
		patch_value(p, from[i] < 0 ? NULL : json_array_get(old, (size_t)from[i]), json_array_get(now, i), NULL);
		patch_leave(p, len);
	}
done:
	free(from);
	free(kept);
}

/* A volume with a source of another type: both would not do. */
static bool loses_member(const json_t *old, const json_t *now)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)old, key, value)
	{
		if (!json_object_get(now, key))
			return true;
	}
	return false;
}

static void diff_volumes(struct patch *p, const json_t *old, const json_t *now)
{
	int *from = align_items(old, now, "volumes");
	json_t *middle = json_array(), *item;
	size_t i, len;

	/* The list with those replaced is what the rest is compared with. */
	json_array_foreach(old, i, item) json_array_append(middle, item);
	json_array_foreach(now, i, item)
	{
		if (from[i] < 0 || !loses_member(json_array_get(old, (size_t)from[i]), item))
			continue;
		len = patch_enter_index(p, (size_t)from[i]);
		patch_op(p, "replace", NULL, item);
		patch_leave(p, len);
		json_array_set(middle, (size_t)from[i], item);
	}
	free(from);
	diff_list(p, middle, now, "volumes");
}

/* Either may be NULL: it is not there. */
void patch_value(struct patch *p, const json_t *old, const json_t *now, const char *key)
{
	if (!old && !now)
		return;
	if (!now)
		patch_op(p, "remove", NULL, NULL);
	else if (!old || (json_is_null(old) && !json_is_null(now)))
		patch_op(p, "add", NULL, now);
	else if (json_same(old, now))
		return;
	else if (json_is_object(old) && json_is_object(now))
		diff_members(p, old, now);
	else if (json_is_array(old) && json_is_array(now) && key && !strcmp(key, "volumes"))
		diff_volumes(p, old, now);
	else if (json_is_array(old) && json_is_array(now) && list_key(key))
		diff_list(p, old, now, key);
	else
		patch_op(p, "replace", NULL, now);
}

/* The metadata: labels, then annotations with the status at the end, then the rest. */
static void diff_metadata(struct patch *p, const json_t *old, const json_t *now)
{
	const json_t *was = json_object_get(old, "annotations"), *is = json_object_get(now, "annotations");
	json_t *before, *rest = json_object();
	const char *key;
	json_t *value;

	patch_member(p, old, now, "labels");
	if (json_is_object(was) && json_is_object(is)) {
		size_t len = patch_enter(p, "annotations");

		before = json_copy((json_t *)is);
		json_object_del(before, STATUS_ANNOTATION);
		if (json_object_get(was, STATUS_ANNOTATION))
			json_object_set(before, STATUS_ANNOTATION, json_object_get(was, STATUS_ANNOTATION));
		diff_members(p, was, before);
		patch_member(p, was, is, STATUS_ANNOTATION);
		patch_leave(p, len);
		json_decref(before);
	} else {
		patch_member(p, old, now, "annotations");
	}
	json_object_update(rest, (json_t *)old);
	json_object_update(rest, (json_t *)now);
	json_object_foreach(rest, key, value)
	{
		if (strcmp(key, "labels") && strcmp(key, "annotations"))
			patch_member(p, old, now, key);
	}
	json_decref(rest);
}

/* What the spec's members are sorted by. */
static unsigned spec_rank(const char *key, const json_t *value)
{
	static const char *const late[] = { "volumes", "imagePullSecrets", "", "initContainers", "containers" };

	for (unsigned i = 0; i < ARRAY_SIZE(late); i++)
		if (!strcmp(late[i], key))
			return i + 1;
	return json_is_array(value) ? 3 : 0;
}

#define RANKS_BEFORE_CONTAINERS 4

static void diff_spec(struct patch *p, const json_t *old, const json_t *now)
{
	json_t *all = json_object(), *value;
	const char *key;

	json_object_update(all, (json_t *)old);
	json_object_update(all, (json_t *)now);
	for (unsigned rank = 0; rank < RANKS_BEFORE_CONTAINERS; rank++)
		json_object_foreach(all, key, value)
		{
			if (spec_rank(key, value) == rank)
				patch_member(p, old, now, key);
		}
	json_decref(all);
	patch_containers(p, old, now);
}

/* The names of what an injection holds, by its status annotation. */
static json_t *read_ours(const json_t *pod)
{
	const json_t *annotations = json_object_get(json_object_get(pod, "metadata"), "annotations");
	const char *text = json_string_value(json_object_get(annotations, STATUS_ANNOTATION));
	json_t *ours = json_object(), *status = NULL, *name;
	struct err err;
	size_t i;

	if (!text || json_parse(text, strlen(text), &status, &err))
		return ours;
	for (unsigned list = 0; list < CONTAINER_LISTS; list++)
		json_array_foreach(json_object_get(status, container_lists[list]), i, name)
			json_object_set(ours, json_string_value(name), name);
	return ours;
}

json_t *pod_patch(const char *prefix, const json_t *old, const json_t *now)
{
	static const struct {
		const char *key;
		void (*diff)(struct patch *p, const json_t *old, const json_t *now);
	} parts[] = { { "metadata", diff_metadata }, { "spec", diff_spec } };
	struct patch p = { .ops = json_array() };

	if (old == now)
		return p.ops;
	p.ours = read_ours(now);
	buffer_puts(&p.path, prefix);
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		const json_t *was = json_object_get(old, parts[i].key), *is = json_object_get(now, parts[i].key);
		size_t len = patch_enter(&p, parts[i].key);

		if (json_is_object(was) && json_is_object(is))
			parts[i].diff(&p, was, is);
		else
			patch_value(&p, was, is, parts[i].key);
		patch_leave(&p, len);
	}
	buffer_free(&p.path);
	json_decref(p.ours);
	return p.ops;
}
