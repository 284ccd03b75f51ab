/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The injection itself, stage by stage. */
#include <stdlib.h>
#include <string.h>

#include "containers.h"
#include "init_container.h"
#include "json.h"
#include "json_write.h"
#include "merge.h"
#include "options.h"
#include "probes.h"
#include "settings.h"
#include "status.h"

/* A list with one more item below the member. */
static json_t *with_item(json_t *object, const char *key, json_t *item)
{
	json_t *list = member(object, key);

	list = list ? json_copy(list) : json_array();
	json_array_append(list, item);
	return with_member(object, key, list);
}

/* name -> source or mount, of an annotation: one item each, with its name first. */
static json_t *named_items(const struct injection *in, enum annotation_id id)
{
	const char *text = note(in, id), **names;
	json_t *object, *items = json_array();
	struct err err;

	if (!text || json_parse(text, strlen(text), &object, &err))
		return items;
	names = sorted_keys(object);
	for (size_t i = 0; i < json_object_size(object); i++) {
		json_t *item = with_member(NULL, "name", json_string(names[i]));

		json_object_update_missing(item, json_object_get(object, names[i]));
		json_array_append(items, item);
	}
	free(names);
	return items;
}

static json_t *with_user_volumes(const struct injection *in, json_t *chosen)
{
	json_t *spec = member(chosen, "spec"), *item;
	size_t i;

	json_array_foreach(named_items(in, ANNOTATION_USER_VOLUME), i, item) spec = with_item(spec, "volumes", item);
	return spec ? with_member(chosen, "spec", spec) : chosen;
}

/* The proxy container of the overlays with what every proxy gets. */
static json_t *proxy_overlay(const struct injection *in, json_t *container)
{
	json_t *item;
	size_t i;

	json_array_foreach(named_items(in, ANNOTATION_USER_VOLUME_MOUNT), i, item)
		container = with_item(container, "volumeMounts", item);
	if (in->native)
		container = with_member(container, "restartPolicy", json_string("Always"));
	return with_metadata(in, container);
}

/* The chosen overlays for this pod, merged into each other. */
static int overlays_expand(struct injection *in)
{
	json_t *name;
	size_t i;

	in->chosen = json_object();
	json_array_foreach(in->result->overlays, i, name)
	{
		json_t *overlay = json_object_get(in->cfg->overlays, text_of(name)), *expanded;
		int ret = expand(in, text_of(name), without_member(overlay, "sidecar"), &expanded);

		if (ret)
			return ret;
		if (expanded)
			in->chosen = merge(in->chosen, expanded, MERGE_NULLS, NULL);
	}
	in->chosen = with_user_volumes(in, in->chosen);
	return 0;
}

static void part_add(struct parts *parts, const char *name, json_t *overlay, bool is_init)
{
	struct part *items = parts->items;

	for (unsigned i = 0; i < parts->n; i++)
		if (!strcmp(items[i].name, name)) {
			items[i].overlay = merge(items[i].overlay, overlay, MERGE_NULLS, NULL);
			return;
		}
	items[parts->n++] = (struct part){ .name = name, .overlay = overlay, .is_init = is_init };
}

/* A name may have come from variables. */
static int names_check(struct injection *in, const json_t *containers)
{
	json_t *container;
	size_t i;

	json_array_foreach((json_t *)containers, i, container)
	{
		const char *name = member_text(container, "name");

		if (!name || !*name)
			return refuse_overlay(in, "overlays: a container has %s for its name: expected a string",
					      json_text(member(container, "name") ? member(container, "name") :
										    json_null()));
	}
	return 0;
}

/* Everything of ours but the container that makes the rules, whose arguments need the proxy first. */
static int parts_collect(struct injection *in, struct parts *parts)
{
	json_t *spec = member(in->chosen, "spec"), *container;
	json_t *init = member(spec, "initContainers"), *containers = member(spec, "containers");
	json_t *proxy = item_find(containers, "name", in->cfg->proxy);
	size_t i;
	int ret = names_check(in, init);

	if (!ret)
		ret = names_check(in, containers);
	if (ret)
		return ret;
	parts->items = arena_alloc(in->arena,
				   (json_array_size(init) + json_array_size(containers) + 1) * sizeof(*parts->items));
	if (maker_name(in))
		part_add(parts, maker_name(in), json_object(), true);
	if (proxy && in->native)
		part_add(parts, in->cfg->proxy, proxy_overlay(in, proxy), true);
	json_array_foreach(init, i, container) part_add(parts, member_text(container, "name"), container, true);
	json_array_foreach(containers, i, container) if (container != proxy)
		part_add(parts, member_text(container, "name"), container, false);
	else if (!in->native) part_add(parts, in->cfg->proxy, proxy_overlay(in, proxy), false);
	return 0;
}

static int parts_merge(struct injection *in, struct parts *parts)
{
	const char *maker = maker_name(in);
	json_t *proxy = container_find(in, in->cfg->proxy), *args;
	int ret;

	for (unsigned i = maker != NULL; i < parts->n; i++) {
		part_merge(in, &parts->items[i]);
		if (!strcmp(parts->items[i].name, in->cfg->proxy))
			proxy = parts->items[i].merged;
	}
	options_read(in, proxy);
	if (!in->sidecar || !strcmp(in->mode, "NONE") || in->cfg->init == INIT_NONE)
		return 0;
	ret = options_check(in);
	if (ret)
		return ret;
	args = options_args(in, in->cfg->init == INIT_CONTAINER);
	if (maker) {
		json_t *built, *over = parts->items[0].overlay;

		ret = maker_build(in, args, proxy, &built);
		if (ret)
			return ret;
		parts->items[0].overlay = merge(built, over, 0, NULL);
		part_merge(in, &parts->items[0]);
		in->result->args = member(parts->items[0].merged, "args");
	}
	return 0;
}

/* The new list, or the old one if that has the very same items. */
static json_t *list_or(json_t *old, json_t *new)
{
	if (!old)
		return json_array_size(new) ? new : NULL;
	return same_items(old, new) ? old : new;
}

static json_t *spec_merge(struct injection *in, const struct parts *parts)
{
	static const char *const lists[] = { "initContainers", "containers" };
	json_t *rest = member(in->chosen, "spec"), *spec;

	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
		rest = rest ? without_member(rest, lists[i]) : NULL;
	spec = rest ? merge(in->spec, rest, in->status ? MERGE_AGAIN : 0, member(in->status, "volumes")) : in->spec;
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		json_t *placed = i ? containers_place(in, parts) : init_containers_place(in, parts);
		json_t *list = list_or(member(in->spec, lists[i]), placed);

		if (list)
			spec = with_member(spec, lists[i], list);
	}
	return spec;
}

/* The names of a list of ours. */
static json_t *names_of(const json_t *list)
{
	json_t *names = json_array(), *item;
	size_t i;

	json_array_foreach((json_t *)list, i, item) if (member_text(item, "name"))
		list_add(names, member_text(item, "name"));
	return names;
}

/* Those of ours, then those that an earlier injection has left in the pod: nothing is removed on its word. */
static json_t *container_names(struct injection *in, const struct parts *parts, bool is_init)
{
	json_t *names = json_array(), *listed = member(in->status, is_init ? "initContainers" : "containers"), *name;
	size_t i;

	for (unsigned k = 0; k < parts->n; k++)
		if (parts->items[k].is_init == is_init)
			list_add(names, parts->items[k].name);
	json_array_foreach(listed, i, name)
	{
		const char *text = text_of(name);
		bool ours = false;

		for (unsigned k = 0; k < parts->n && text; k++)
			ours |= !strcmp(parts->items[k].name, text);
		if (!text || ours || !container_find(in, text))
			continue;
		warn(in, "container %s is of an earlier injection, and no longer in the overlays: it stays",
		     quoted(in, text));
		list_add(names, text);
	}
	return names;
}

static void warn_of_jobs(struct injection *in, const struct parts *parts)
{
	const char *policy = member_text(in->spec, "restartPolicy");

	if (!policy || !strcmp(policy, "Always"))
		return;
	for (unsigned i = 0; i < parts->n; i++)
		if (!parts->items[i].is_init && !strcmp(parts->items[i].name, in->cfg->proxy))
			warn(in, "restartPolicy is %s and the proxy is no native sidecar: this pod never ends",
			     quoted(in, policy));
}

/* What this injection tells the next one, and the CNI plugin; status is the last of all annotations. */
static json_t *with_notes(struct injection *in, const struct parts *parts, json_t *pod)
{
	json_t *old = member(member(pod, "metadata"), "annotations"), *spec = member(in->chosen, "spec");
	json_t *notes = old ? json_copy(old) : json_object();
	const char *status = status_text(container_names(in, parts, true), container_names(in, parts, false),
					 names_of(member(spec, "volumes")), names_of(member(spec, "imagePullSecrets")),
					 in->cfg->revision);
	const char *status_was = member_text(old, ANNOTATION_STATUS);

	if (in->cfg->init == INIT_CNI)
		options_annotate(in, notes, proxy_find(in, pod));
	if (json_object_size(in->overrides))
		json_object_set_new(notes, annotations[ANNOTATION_OVERRIDES].name, json_string(overrides_text(in)));
	if (!status_was || strcmp(status_was, status) != 0)
		json_object_set_new(notes, ANNOTATION_STATUS, json_string(status));
	return old && json_same(old, notes) ? pod : pod_with(pod, "metadata", "annotations", notes);
}

static int build(struct injection *in)
{
	struct parts parts = { 0 };
	json_t *pod = in->pod, *metadata;
	int ret = overlays_expand(in);

	if (ret)
		return ret;
	ret = parts_collect(in, &parts);
	if (!ret)
		ret = parts_merge(in, &parts);
	if (ret)
		return ret;
	metadata = member(in->chosen, "metadata");
	if (metadata) {
		json_t *was = member(pod, "metadata");

		pod = with_member(pod, "metadata", merge(was ? was : json_object(), metadata, 0, NULL));
	}
	pod = with_member(pod, "spec", spec_merge(in, &parts));
	pod = probes_rewrite(in, pod);
	ret = prometheus_merge(in, &pod);
	if (ret)
		return ret;
	warn_of_jobs(in, &parts);
	in->result->pod = with_notes(in, &parts, pod);
	return 0;
}

/* What ${json:...} makes of an overlay is known only with the pod. */
static int check_built(struct injection *in)
{
	struct err of_pod;
	struct injection built = *in;

	built.err = &of_pod;
	built.pod = in->result->pod;
	built.spec = member(built.pod, "spec");
	return object_check(&built) ? refuse_overlay(in, "with the overlays, %s", of_pod.what) : 0;
}

int pod_inject(const struct pod_request *request, struct pod_result *result, struct err *err)
{
	struct injection in;
	int ret = injection_decide(&in, request, result, err);

	if (ret || !result->injected)
		return ret;
	ret = object_check(&in);
	if (!ret)
		ret = annotations_check(&in);
	if (ret)
		return ret;
	status_read(&in);
	settings_read(&in);
	ret = build(&in);
	return ret ? ret : check_built(&in);
}
