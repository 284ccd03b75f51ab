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

static int check_shapes(struct injection *in, const char *where, const json_t *object, const struct shape *shapes)
{
	for (; shapes->key; shapes++) {
		const json_t *value = member(object, shapes->key);

		if (value && !has_type(value, shapes->type))
			return refuse_object(in, "%s.%s: expected %s", where, shapes->key, type_names[shapes->type]);
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
	ret = check_shapes(in, "metadata", given, metadata);
	if (!ret)
		ret = check_texts(in, "metadata.labels", in->labels);
	if (!ret)
		ret = check_texts(in, "metadata.annotations", in->notes);
	return ret ? ret : check_shapes(in, "spec", in->spec, spec);
}

static int check_probes(struct injection *in, const char *where, const json_t *container)
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

		ret = check_shapes(in, arena_printf(in->arena, "%s.%s", where, keys[i]), member(from, keys[i]), probe);
	}
	return ret;
}

static int check_container(struct injection *in, const char *where, const json_t *container)
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
		return refuse_object(in, "%s.name: expected a string", where);
	ret = check_shapes(in, where, container, shapes);
	return ret ? ret : check_probes(in, where, container);
}

static int check_items(struct injection *in, const char *key,
		       int (*check)(struct injection *, const char *, const json_t *))
{
	json_t *list = member(in->spec, key), *item;
	size_t i;
	int ret = 0;

	json_array_foreach(list, i, item)
	{
		const char *where = arena_printf(in->arena, "spec.%s[%zu]", key, i);

		ret = json_is_object(item) ? check(in, where, item) : refuse_object(in, "%s: expected a mapping", where);
		if (ret)
			break;
	}
	return ret;
}

static int check_named(struct injection *in, const char *where, const json_t *item)
{
	return member_text(item, "name") ? 0 : refuse_object(in, "%s.name: expected a string", where);
}

static int check_owner(struct injection *in)
{
	static const struct shape shapes[] = {
		{ "name", TEXT }, { "kind", TEXT }, { "apiVersion", TEXT }, { "controller", BOOLEAN }, { 0 },
	};
	json_t *owners = member(member(in->pod, "metadata"), "ownerReferences"), *owner;
	size_t i;
	int ret = 0;

	json_array_foreach(owners, i, owner)
	{
		const char *where = arena_printf(in->arena, "metadata.ownerReferences[%zu]", i);

		ret = json_is_object(owner) ? check_shapes(in, where, owner, shapes) :
					      refuse_object(in, "%s: expected a mapping", where);
		if (ret)
			break;
	}
	return ret;
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
	int ret = check_shapes(in, "spec", in->spec, spec);

	if (!ret)
		ret = check_items(in, "containers", check_container);
	if (!ret)
		ret = check_items(in, "initContainers", check_container);
	if (!ret)
		ret = check_items(in, "volumes", check_named);
	return ret ? ret : check_owner(in);
}
