/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That a pod is what a Pod is, as far as injection reads it; null is as if absent. */
#include "injection.h"

enum type { TEXT, BOOLEAN, OBJECT, LIST };

static const char *const type_names[] = {
	[TEXT] = "a string",
	[BOOLEAN] = "true or false",
	[OBJECT] = "a mapping",
	[LIST] = "a list",
};

struct shape {
	const char *key;
	enum type type;
};

static bool has_type(const json_t *value, enum type type)
{
	switch (type) {
	case TEXT:
		return text_of(value);
	case BOOLEAN:
		return json_is_boolean(value);
	case OBJECT:
		return json_is_object(value);
	default:
		return json_is_array(value);
	}
}

/* A place in a pod, which becomes a text only for an error: most pods are right. */
struct place {
	const char *object; /* "spec.containers" */
	size_t index;       /* of its item; NO_ITEM: the object itself */
	const char *member; /* of the item, or NULL */
};

#define NO_ITEM SIZE_MAX

static const struct place spec_place = { "spec", NO_ITEM, NULL };

static const char *place_text(const struct injection *in, const struct place *place)
{
	const char *dot = place->member ? "." : "", *member = place->member ? place->member : "";

	if (place->index == NO_ITEM)
		return arena_printf(in->arena, "%s%s%s", place->object, dot, member);
	return arena_printf(in->arena, "%s[%zu]%s%s", place->object, place->index, dot, member);
}

static int check_shapes(struct injection *in, const struct place *place, const json_t *object, const struct shape *shapes)
{
	for (; object && shapes->key; shapes++) {
		const json_t *value = member(object, shapes->key);

		if (value && !has_type(value, shapes->type))
			return refuse_object(in, "%s.%s: expected %s", place_text(in, place), shapes->key,
					     type_names[shapes->type]);
	}
	return 0;
}

/* Labels, annotations. */
static int check_texts(struct injection *in, const char *where, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key,
			    value) if (!json_is_null(value) &&
				       !text_of(value)) return refuse_object(in, "%s: %s: expected a string", where,
									     quoted(in, key));
	return 0;
}

int object_check_head(struct injection *in)
{
	static const struct shape metadata[] = {
		{ "labels", OBJECT },
		{ "annotations", OBJECT },
		{ "name", TEXT },
		{ "namespace", TEXT },
		{ "generateName", TEXT },
		{ "ownerReferences", LIST },
		{ 0 },
	};
	static const struct shape spec[] = { { "hostNetwork", BOOLEAN }, { "os", OBJECT }, { 0 } };
	json_t *given = member(in->pod, "metadata");
	int ret;

	if (given && !json_is_object(given))
		return refuse_object(in, "metadata: expected a mapping");
	if (!json_is_object(in->spec))
		return refuse_object(in, "spec: expected a mapping");
	ret = check_shapes(in, &(struct place){ "metadata", NO_ITEM, NULL }, given, metadata);
	if (!ret)
		ret = check_texts(in, "metadata.labels", in->labels);
	if (!ret)
		ret = check_texts(in, "metadata.annotations", in->notes);
	return ret ? ret : check_shapes(in, &spec_place, in->spec, spec);
}

static int check_probes(struct injection *in, const struct place *place, const json_t *container)
{
	static const struct shape probe[] = {
		{ "httpGet", OBJECT },
		{ "tcpSocket", OBJECT },
		{ "grpc", OBJECT },
		{ 0 },
	};
	static const char *const keys[] = { "readinessProbe", "livenessProbe", "startupProbe", "preStop", "postStart" };
	int ret = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(keys) && !ret; i++) {
		const json_t *from = i < 3 ? container : member(container, "lifecycle");
		struct place at = { place->object, place->index, keys[i] };

		ret = check_shapes(in, &at, member(from, keys[i]), probe);
	}
	return ret;
}

static int check_container(struct injection *in, const struct place *place, const json_t *container)
{
	static const struct shape shapes[] = {
		{ "image", TEXT },
		{ "ports", LIST },
		{ "env", LIST },
		{ "volumeMounts", LIST },
		{ "securityContext", OBJECT },
		{ "lifecycle", OBJECT },
		{ "readinessProbe", OBJECT },
		{ "livenessProbe", OBJECT },
		{ "startupProbe", OBJECT },
		{ "resources", OBJECT },
		{ 0 },
	};
	int ret;

	if (!member_text(container, "name"))
		return refuse_object(in, "%s.name: expected a string", place_text(in, place));
	ret = check_shapes(in, place, container, shapes);
	return ret ? ret : check_probes(in, place, container);
}

/* Each item of the list, NULL if there is none, is a mapping, and right. */
static int check_items(struct injection *in, const json_t *list, const char *name,
		       int (*check)(struct injection *, const struct place *, const json_t *))
{
	const json_t *item;
	int ret = 0;

	for (size_t i = 0; i < json_array_size(list) && !ret; i++) {
		struct place place = { name, i, NULL };

		item = json_array_get(list, i);
		ret = json_is_object(item) ? check(in, &place, item) :
					     refuse_object(in, "%s: expected a mapping", place_text(in, &place));
	}
	return ret;
}

static int check_named(struct injection *in, const struct place *place, const json_t *item)
{
	return member_text(item, "name") ? 0 : refuse_object(in, "%s.name: expected a string", place_text(in, place));
}

static int check_owner(struct injection *in, const struct place *place, const json_t *owner)
{
	static const struct shape shapes[] = {
		{ "name", TEXT }, { "kind", TEXT }, { "apiVersion", TEXT }, { "controller", BOOLEAN }, { 0 },
	};

	return check_shapes(in, place, owner, shapes);
}

int object_check(struct injection *in)
{
	static const struct shape spec[] = {
		{ "containers", LIST },
		{ "initContainers", LIST },
		{ "volumes", LIST },
		{ "imagePullSecrets", LIST },
		{ "serviceAccountName", TEXT },
		{ "restartPolicy", TEXT },
		{ 0 },
	};
	int ret = check_shapes(in, &spec_place, in->spec, spec);

	if (!ret)
		ret = check_items(in, member(in->spec, "containers"), "spec.containers", check_container);
	if (!ret)
		ret = check_items(in, member(in->spec, "initContainers"), "spec.initContainers", check_container);
	if (!ret)
		ret = check_items(in, member(in->spec, "volumes"), "spec.volumes", check_named);
	if (!ret)
		ret = check_items(in, member(member(in->pod, "metadata"), "ownerReferences"),
				  "metadata.ownerReferences", check_owner);
	return ret;
}
