/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "containers.h"

#include <string.h>

#include "merge.h"
#include "status.h"

json_t *container_find(const struct injection *in, const char *name)
{
	json_t *found = item_find(member(in->spec, "containers"), "name", name);

	return found ? found : item_find(member(in->spec, "initContainers"), "name", name);
}

/* What the user has written, without what stands for ours. */
static json_t *without_auto(json_t *container)
{
	const char *image = member_text(container, "image");

	container = without_nulls(container);
	return image && !strcmp(image, "auto") ? without_member(container, "image") : container;
}

/* The proxy's user in TPROXY mode is not the user's to choose. */
static json_t *without_user(const struct injection *in, const struct part *part, json_t *container)
{
	json_t *context = member(container, "securityContext");

	if (strcmp(in->mode, "TPROXY") != 0 || strcmp(part->name, in->cfg->proxy) != 0 ||
	    !member(member(part->overlay, "securityContext"), "runAsUser") || !context)
		return container;
	return with_member(container, "securityContext", without_member(context, "runAsUser"));
}

void part_merge(struct injection *in, struct part *part)
{
	json_t *user = override_find(in, part->name);
	bool listed = is_listed(in, part->name);

	part->was = container_find(in, part->name);
	if (!user && part->was && !listed) {
		user = without_auto(part->was);
		override_add(in, part->is_init ? "initContainers" : "containers", user);
	}
	if (user)
		user = without_user(in, part, user);
	if (part->was && listed) {
		part->merged = merge(part->was, part->overlay, MERGE_EXTEND, NULL);
		if (user)
			part->merged = merge(part->merged, user, MERGE_EXTEND, NULL);
		/* a proxy that was a native sidecar, and no longer is */
		if (!part->is_init && item_find(member(in->spec, "initContainers"), "name", part->name))
			part->merged = without_member(part->merged, "restartPolicy");
	} else {
		part->merged = user ? merge(user, part->overlay, MERGE_UNDER, NULL) : without_nulls(part->overlay);
	}
}

static const struct part *part_find(const struct parts *parts, const char *name)
{
	for (unsigned i = 0; i < parts->n; i++)
		if (!strcmp(parts->items[i].name, name))
			return &parts->items[i];
	return NULL;
}

/* The pod's own containers of the list, in their order. */
static json_t *own(const struct injection *in, const struct parts *parts, const char *list)
{
	json_t *kept = json_array(), *container;
	size_t i;

	json_array_foreach(member(in->spec, list), i, container) if (!part_find(parts, member_text(container, "name")))
		json_array_append(kept, container);
	return kept;
}

enum rank { MAKER, PROXY, OTHER, LATE_MAKER, RANKS };

/* A native proxy needs its rules first; without, other init containers still reach the network without a proxy. */
static enum rank rank_of(const struct injection *in, const struct part *part)
{
	if (!strcmp(part->name, NAME_VALIDATION))
		return MAKER;
	if (!strcmp(part->name, NAME_INIT))
		return in->native ? MAKER : LATE_MAKER;
	return in->native && !strcmp(part->name, in->cfg->proxy) ? PROXY : OTHER;
}

/* Ours of initContainers, of these ranks. */
static void append_ours(const struct injection *in, const struct parts *parts, enum rank from, enum rank to, json_t *list)
{
	for (enum rank rank = from; rank <= to; rank++)
		for (unsigned i = 0; i < parts->n; i++)
			if (parts->items[i].is_init && rank_of(in, &parts->items[i]) == rank)
				json_array_append(list, parts->items[i].merged);
}

/* Behind which of @kept our init containers stand: their number in front; -1: where auto puts them. */
static int place_find(struct injection *in, const json_t *kept)
{
	size_t i;
	json_t *container;

	if (in->order == ORDER_FIRST)
		return 0;
	if (in->order == ORDER_LAST)
		return (int)json_array_size(kept);
	if (in->order == ORDER_AUTO)
		return -1;
	json_array_foreach((json_t *)kept, i,
			   container) if (!strcmp(member_text(container, "name"), in->order_name)) return (int)i +
		1;
	warn(in, "order after:%s: the pod has no such init container; auto is taken", quoted(in, in->order_name));
	return -1;
}

json_t *init_containers_place(struct injection *in, const struct parts *parts)
{
	json_t *kept = own(in, parts, "initContainers"), *list = json_array(), *container;
	int place = place_find(in, kept);
	bool split = place < 0 && !in->native;
	size_t i;

	if (place <= 0)
		append_ours(in, parts, MAKER, split ? PROXY : LATE_MAKER, list);
	json_array_foreach(kept, i, container)
	{
		json_array_append(list, container);
		if ((int)i + 1 == place)
			append_ours(in, parts, MAKER, LATE_MAKER, list);
	}
	if (split)
		append_ours(in, parts, OTHER, LATE_MAKER, list);
	return list;
}

json_t *containers_place(struct injection *in, const struct parts *parts)
{
	json_t *kept = own(in, parts, "containers"), *list = json_array();
	const struct part *proxy = part_find(parts, in->cfg->proxy);

	if (proxy && proxy->is_init)
		proxy = NULL;
	if (proxy && in->hold)
		json_array_append(list, proxy->merged);
	json_array_extend(list, kept);
	for (unsigned i = 0; i < parts->n; i++)
		if (!parts->items[i].is_init && &parts->items[i] != proxy)
			json_array_append(list, parts->items[i].merged);
	if (proxy && !in->hold)
		json_array_append(list, proxy->merged);
	return list;
}
