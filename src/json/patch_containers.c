/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two lists of containers: ours come, and move within a list or from one to the other; foreign
 * ones stay where they are.  Each list is built from its beginning, new items and moved ones each behind the one
 * before; what has yet to move away stands between them until its turn comes.
 */
#include <stdlib.h>
#include <string.h>

#include "align.h"
#include "patching.h"

const char *const container_lists[CONTAINER_LISTS] = { "initContainers", "containers" };

/* An item of an old list, by its place there; NEW_ITEM: of none. */
#define NEW_ITEM (-1)
static int item_id(unsigned list, int index)
{
	return index * CONTAINER_LISTS + (int)list;
}

/* A list on the way from old to new. */
struct work {
	const json_t *old, *new;
	int *from;    /* for each new item the old one of the same list, or -1 */
	int *crossed; /* where that is -1: that of the other list, or -1 */
	bool *kept;   /* old items that are in either new list */
	int *ids;     /* what is in the list now */
	size_t n;
};

/* A probe that differs: last, when all containers are in their place. */
struct late {
	unsigned list;
	size_t index;
	const char *key;
	const json_t *old, *new;
};

struct building {
	struct patch *p;
	struct work work[CONTAINER_LISTS];
	struct late *late;
	unsigned n_late;
	size_t base; /* length of the path of the spec */
};

static size_t enter_list(struct building *b, unsigned list)
{
	return patch_enter(b->p, container_lists[list]);
}

static void op_at(struct building *b, const char *op, size_t index, const char *from, const json_t *value)
{
	size_t len = patch_enter_index(b->p, index);

	patch_op(b->p, op, from, value);
	patch_leave(b->p, len);
}

static bool is_probe(const char *key)
{
	static const char *const keys[] = { "livenessProbe", "readinessProbe", "startupProbe", "lifecycle" };

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

/* A container at @now that will be at @index in the end. */
static void diff_container(struct building *b, unsigned list, size_t now, size_t index, const json_t *old, const json_t *new)
{
	size_t len = patch_enter_index(b->p, now);
	json_t *all, *value;
	const char *key;

	if (!json_is_object(old) || !json_is_object(new) || json_same(old, new)) {
		patch_value(b->p, old, new, NULL);
		patch_leave(b->p, len);
		return;
	}
	all = json_copy((json_t *)old);
	json_object_update_missing(all, (json_t *)new);
	json_object_foreach(all, key, value)
	{
		const json_t *was = json_object_get(old, key), *is = json_object_get(new, key);

		if (!is_probe(key))
			patch_member(b->p, old, new, key);
		else if (!was || !is || !json_same(was, is))
			*(struct late *)array_push(&b->late, &b->n_late, sizeof(*b->late)) =
				(struct late){ list, index, key, was, is };
	}
	json_decref(all);
	patch_leave(b->p, len);
}

static void work_insert(struct work *w, size_t at, int id)
{
	memmove(w->ids + at + 1, w->ids + at, (w->n++ - at) * sizeof(*w->ids));
	w->ids[at] = id;
}

static void work_remove(struct work *w, size_t at)
{
	memmove(w->ids + at, w->ids + at + 1, (--w->n - at) * sizeof(*w->ids));
}

/* The place of the item, looked for from @at and then from the beginning; w->n: it is not there. */
static size_t work_find(const struct work *w, int id, size_t at)
{
	for (size_t i = at; i < w->n; i++)
		if (w->ids[i] == id)
			return i;
	for (size_t i = 0; i < at && i < w->n; i++)
		if (w->ids[i] == id)
			return i;
	return w->n;
}

static void work_begin(struct building *b, unsigned list, const json_t *old, const json_t *new)
{
	struct work *w = &b->work[list], *other = &b->work[1 - list];
	size_t n = json_array_size(old), n_other = json_array_size(other->old);

	w->from = align_items(old, new, container_lists[list]);
	w->kept = xcalloc(n, sizeof(*w->kept));
	w->ids = xcalloc(n + n_other + json_array_size(new) + json_array_size(other->new), sizeof(*w->ids));
	w->n = n;
	for (size_t i = 0; i < n; i++)
		w->ids[i] = item_id(list, (int)i);
	for (size_t i = 0; i < json_array_size(new); i++)
		if (w->from[i] >= 0)
			w->kept[w->from[i]] = true;
}

/* Whether the list is built item by item, and is not put, replaced or removed whole. */
static bool is_built(const struct work *w)
{
	return json_is_array(w->new) && (!w->old || json_is_null(w->old) || json_is_array(w->old));
}

/* Items that come from the other list: what is in neither new list otherwise.  Both have to be built. */
static void find_crossed(struct building *b, unsigned list)
{
	struct work *w = &b->work[list], *other = &b->work[1 - list];

	w->crossed = align_items(is_built(w) && is_built(other) ? other->old : NULL, w->new, container_lists[list]);
	for (size_t i = 0; i < json_array_size(w->new); i++) {
		if (w->crossed[i] >= 0 && (w->from[i] >= 0 || other->kept[w->crossed[i]]))
			w->crossed[i] = -1;
		if (w->crossed[i] >= 0)
			other->kept[w->crossed[i]] = true;
	}
}

static bool is_ours(const struct building *b, const json_t *container)
{
	const char *name = json_string_value(json_object_get(container, "name"));

	return name && json_object_get(b->p->ours, name);
}

/*
 * Which old items stay where they are while others are moved around them: foreign ones, and ours where
 * they stand rightly between those.
 */
static bool *mark_fixed(const struct building *b, const struct work *w)
{
	size_t n = json_array_size(w->old);
	int *to = xcalloc(n, sizeof(*to)), *next = xcalloc(n + 1, sizeof(*next)), last = -1;
	bool *fixed = xcalloc(n, sizeof(*fixed));

	memset(to, -1, n * sizeof(*to));
	for (size_t i = 0; i < json_array_size(w->new); i++)
		if (w->from[i] >= 0)
			to[w->from[i]] = (int)i;
	for (size_t i = 0; i < n; i++)
		if (to[i] > last && !is_ours(b, json_array_get(w->old, i))) {
			fixed[i] = true;
			last = to[i];
		}
	/* where the next foreign one will be */
	next[n] = JSON_NODES_MAX;
	for (size_t i = n; i-- > 0;)
		next[i] = fixed[i] ? to[i] : next[i + 1];
	last = -1;
	for (size_t i = 0; i < n; i++) {
		fixed[i] = fixed[i] || (to[i] > last && to[i] < next[i]);
		last = fixed[i] ? to[i] : last;
	}
	free(to);
	free(next);
	return fixed;
}

/* Brings the old item, of either list, to @at of this one, whose path is entered; returns where it is then. */
static size_t move_item(struct building *b, unsigned list, int id, size_t at)
{
	unsigned source = work_find(&b->work[list], id, at) < b->work[list].n ? list : 1 - list;
	size_t from = work_find(&b->work[source], id, at), to = at - (source == list && from < at);
	struct buffer path = { 0 };

	if (source != list || from != to) {
		buffer_put(&path, b->p->path.data, b->base);
		buffer_printf(&path, "/%s/%zu", container_lists[source], from);
		op_at(b, "move", to, path.data, NULL);
		work_remove(&b->work[source], from);
		work_insert(&b->work[list], to, id);
		buffer_free(&path);
	}
	return to;
}

static void remove_items(struct building *b, unsigned list)
{
	struct work *w = &b->work[list];

	for (size_t i = w->n; i-- > 0;)
		if (w->ids[i] % CONTAINER_LISTS == (int)list && !w->kept[w->ids[i] / CONTAINER_LISTS]) {
			op_at(b, "remove", i, NULL, NULL);
			work_remove(w, i);
		}
}

static void build_list(struct building *b, unsigned list)
{
	struct work *w = &b->work[list];
	bool *fixed = mark_fixed(b, w);
	size_t at = 0, len = enter_list(b, list);

	remove_items(b, list);
	for (size_t i = 0; i < json_array_size(w->new); i++, at++) {
		const json_t *new = json_array_get(w->new, i);
		unsigned source = w->from[i] >= 0 ? list : 1 - list;
		int index = w->from[i] >= 0 ? w->from[i] : w->crossed[i];

		if (index < 0) {
			op_at(b, "add", at, NULL, new);
			work_insert(w, at, NEW_ITEM);
			continue;
		}
		if (source == list && fixed[index])
			at = work_find(w, item_id(list, index), at);
		else
			at = move_item(b, list, item_id(source, index), at);
		diff_container(b, list, at, i, json_array_get(b->work[source].old, (size_t)index), new);
	}
	patch_leave(b->p, len);
	free(fixed);
}

/* A list that is not there is added whole, but for what will be moved into it. */
static void add_list(struct building *b, unsigned list)
{
	struct work *w = &b->work[list];
	json_t *fresh = json_array();
	size_t len = enter_list(b, list), i;
	json_t *item;

	json_array_foreach(w->new, i, item)
	{
		if (w->crossed[i] >= 0)
			continue;
		json_array_append(fresh, item);
		work_insert(w, w->n, NEW_ITEM);
	}
	patch_op(b->p, "add", NULL, fresh);
	for (i = 0; i < json_array_size(w->new); i++)
		if (w->crossed[i] >= 0) {
			move_item(b, list, item_id(1 - list, w->crossed[i]), i);
			diff_container(b, list, i, i, json_array_get(b->work[1 - list].old, (size_t)w->crossed[i]),
				       json_array_get(w->new, i));
		}
	patch_leave(b->p, len);
}

static void diff_late(struct building *b)
{
	for (unsigned i = 0; i < b->n_late; i++) {
		const struct late *l = &b->late[i];
		size_t len = enter_list(b, l->list);

		patch_enter_index(b->p, l->index);
		patch_enter(b->p, l->key);
		patch_value(b->p, l->old, l->new, l->key);
		patch_leave(b->p, len);
	}
}

void patch_containers(struct patch *p, const json_t *old, const json_t *new)
{
	struct building b = { .p = p, .base = p->path.len };

	for (unsigned list = 0; list < CONTAINER_LISTS; list++) {
		b.work[list].old = json_object_get(old, container_lists[list]);
		b.work[list].new = json_object_get(new, container_lists[list]);
	}
	for (unsigned list = 0; list < CONTAINER_LISTS; list++)
		work_begin(&b, list, b.work[list].old, b.work[list].new);
	for (unsigned list = 0; list < CONTAINER_LISTS; list++)
		find_crossed(&b, list);
	for (unsigned list = 0; list < CONTAINER_LISTS; list++) {
		if (!is_built(&b.work[list]))
			patch_member(p, old, new, container_lists[list]);
		else if (json_is_array(b.work[list].old))
			build_list(&b, list);
		else
			add_list(&b, list);
	}
	diff_late(&b);
	for (unsigned list = 0; list < CONTAINER_LISTS; list++) {
		free(b.work[list].from);
		free(b.work[list].crossed);
		free(b.work[list].kept);
		free(b.work[list].ids);
	}
	free(b.late);
}
