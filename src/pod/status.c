/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an earlier injection has written: the names of what it added, and what the user had written there. */
#include <string.h>

#include "injection.h"
#include "json.h"
#include "json_write.h"
#include "status.h"

/* A status that is no JSON object names nothing. */
static json_t *object_parse(const char *text)
{
	struct err err;
	json_t *value = NULL;

	if (!text || json_parse(text, strlen(text), &value, &err) || !json_is_object(value))
		return json_object();
	return value;
}

void status_read(struct injection *in)
{
	in->status = object_parse(member_text(in->notes, ANNOTATION_STATUS));
	in->overrides = object_parse(note(in, ANNOTATION_OVERRIDES));
}

bool is_listed(const struct injection *in, const char *container)
{
	return list_holds(member(in->status, "initContainers"), container) ||
	       list_holds(member(in->status, "containers"), container);
}

json_t *override_find(const struct injection *in, const char *container)
{
	json_t *found = item_find(member(in->overrides, "containers"), "name", container);

	if (!found)
		found = item_find(member(in->overrides, "initContainers"), "name", container);
	return found ? without_nulls(found) : NULL;
}

void override_add(struct injection *in, const char *list, json_t *container)
{
	json_t *items = member(in->overrides, list);

	items = items ? json_copy(items) : json_array();
	json_array_append(items, container);
	in->overrides = with_member(in->overrides, list, items);
}

const char *overrides_text(const struct injection *in)
{
	static const char *const lists[] = { "containers", "initContainers" };
	const char *was = note(in, ANNOTATION_OVERRIDES);
	json_t *ordered = json_object();

	if (was && json_same(object_parse(was), in->overrides))
		return was;
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
		if (member(in->overrides, lists[i]))
			json_object_set(ordered, lists[i], member(in->overrides, lists[i]));
	return json_text(ordered);
}

/* A list that is empty is null. */
static json_t *names(json_t *list)
{
	return json_array_size(list) ? list : json_null();
}

const char *status_text(json_t *init_containers, json_t *containers, json_t *volumes, json_t *secrets, const char *revision)
{
	json_t *status = json_object();

	json_object_set(status, "initContainers", names(init_containers));
	json_object_set(status, "containers", names(containers));
	json_object_set(status, "volumes", names(volumes));
	json_object_set(status, "imagePullSecrets", names(secrets));
	json_object_set_new(status, "revision", json_string(revision));
	return json_text(status);
}
