/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The application's probes and hooks become requests to the agent, which asks the application. */
#include "probes.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "settings.h"

#define VARIABLE "ISTIO_KUBE_APP_PROBERS"

static const struct handler {
	const char *parent, *key; /* parent NULL: of the container itself */
	const char *path;         /* behind /app-health/NAME/ or /app-lifecycle/NAME/ */
} handlers[] = {
	{ NULL, "readinessProbe", "readyz" },       { NULL, "livenessProbe", "livez" },
	{ NULL, "startupProbe", "startupz" },       { "lifecycle", "preStop", "prestopz" },
	{ "lifecycle", "postStart", "poststartz" },
};

static const char *const lists[] = { "containers", "initContainers" };

json_t *proxy_find(const struct injection *in, const json_t *pod)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		json_t *proxy = item_find(member(member(pod, "spec"), lists[i]), "name", in->cfg->proxy);

		if (proxy)
			return proxy;
	}
	return NULL;
}

/* @list with @new in the place of @old. */
static json_t *with_item(json_t *list, const json_t *old, json_t *new)
{
	json_t *copy = json_copy(list), *item;
	size_t i;

	json_array_foreach(list, i, item) if (item == old) json_array_set(copy, i, new);
	return copy;
}

json_t *proxy_with_env(const struct injection *in, json_t *pod, const char *name, const char *text)
{
	json_t *env, *variable, *proxy;

	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		json_t *list = member(member(pod, "spec"), lists[i]);

		proxy = item_find(list, "name", in->cfg->proxy);
		if (!proxy)
			continue;
		env = member(proxy, "env");
		variable = item_find(env, "name", name);
		if (variable && member_text(variable, "value") && !strcmp(member_text(variable, "value"), text))
			return pod;
		if (variable) {
			env = with_item(env, variable, with_member(variable, "value", json_string(text)));
		} else {
			env = env ? json_copy(env) : json_array();
			variable = with_member(with_member(NULL, "name", json_string(name)), "value", json_string(text));
			json_array_append(env, variable);
		}
		return pod_with(pod, "spec", lists[i], with_item(list, proxy, with_member(proxy, "env", env)));
	}
	return pod;
}

/* The number of a port of the container, which may be a name; -1 if it is unknown. */
static json_int_t port_number(const json_t *container, const json_t *port)
{
	const json_t *named = text_of(port) ? item_find(member(container, "ports"), "name", text_of(port)) : NULL;

	if (json_is_integer(port))
		return json_integer_value(port);
	port = member(named, "containerPort");
	return json_is_integer(port) ? json_integer_value(port) : -1;
}

/* The action of a probe or hook that the agent can take over; NULL if there is none. */
static const char *action_of(const struct handler *h, const json_t *handler)
{
	static const char *const actions[] = { "httpGet", "tcpSocket", "grpc" };

	for (unsigned i = 0; i < (h->parent ? 2 : ARRAY_SIZE(actions)); i++)
		if (member(handler, actions[i]))
			return actions[i];
	return NULL;
}

/* What the agent has to ask; NULL if it cannot know, or the probe asks the agent already. */
static json_t *original(const struct injection *in, const json_t *container, const json_t *handler, const char *action)
{
	json_t *of = member(handler, action), *timeout = member(handler, "timeoutSeconds"), *entry;
	json_int_t port = port_number(container, member(of, "port"));

	if (port < 0 || port == (json_int_t)in->status_port)
		return NULL;
	if (!json_is_integer(member(of, "port")))
		of = with_member(of, "port", json_integer(port));
	entry = with_member(NULL, action, of);
	return timeout && !(json_is_integer(timeout) && !json_integer_value(timeout)) ?
		       with_member(entry, "timeoutSeconds", timeout) :
		       entry;
}

/* The probe as a request to the agent. */
static json_t *rewritten(const struct injection *in, json_t *handler, const char *action, const char *path)
{
	json_t *get = member(handler, "httpGet"), *copy;
	const char *key, *scheme = member_text(get, "scheme");
	json_t *value;

	get = with_member(get ? json_copy(get) : NULL, "path", json_string(path));
	get = with_member(get, "port", json_integer(in->status_port));
	if (scheme && !strcmp(scheme, "HTTPS"))
		get = with_member(get, "scheme", json_string("HTTP"));
	copy = json_object();
	json_object_foreach(handler, key, value) if (!strcmp(key, action)) json_object_set(copy, "httpGet", get);
	else json_object_set(copy, key, value);
	return json_same(copy, handler) ? handler : copy;
}

static json_t *rewrite_container(const struct injection *in, json_t *container, json_t *originals)
{
	const char *name = member_text(container, "name");

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++) {
		const struct handler *h = &handlers[i];
		json_t *parent = h->parent ? member(container, h->parent) : container;
		json_t *handler = member(parent, h->key), *was, *changed;
		const char *action = action_of(h, handler), *path;

		if (!action)
			continue;
		path = arena_printf(in->arena, "/%s/%s/%s", h->parent ? "app-lifecycle" : "app-health", name, h->path);
		was = original(in, container, handler, action);
		if (was)
			json_object_set(originals, path, was);
		changed = with_member(parent, h->key, rewritten(in, handler, action, path));
		container = h->parent ? with_member(container, h->parent, changed) : changed;
	}
	return container;
}

/* Sorted by path; what an earlier injection has written stays, as the probes that it saw are gone. */
static const char *originals_text(const struct injection *in, const json_t *pod, json_t *originals)
{
	const char *before = member_text(item_find(member(proxy_find(in, pod), "env"), "name", VARIABLE), "value");
	json_t *earlier = NULL, *sorted = json_object();
	const char **keys;
	struct err err;

	if (before && !json_parse(before, strlen(before), &earlier, &err) && json_is_object(earlier))
		json_object_update(originals, earlier);
	if (!json_object_size(originals))
		return NULL;
	if (json_is_object(earlier) && json_same(originals, earlier))
		return before;
	keys = sorted_keys(originals);
	for (size_t i = 0; i < json_object_size(originals); i++)
		json_object_set(sorted, keys[i], json_object_get(originals, keys[i]));
	free(keys);
	return json_text(sorted);
}

json_t *probes_rewrite(struct injection *in, json_t *pod)
{
	json_t *originals = json_object(), *container;
	const char *text;
	size_t k;

	if (!in->status_port || !note_boolean(in, ANNOTATION_REWRITE_PROBES, in->cfg->rewrite_probes) ||
	    !proxy_find(in, pod))
		return pod;
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		json_t *list = member(member(pod, "spec"), lists[i]), *copy = list;

		json_array_foreach(list, k, container)
		{
			json_t *changed = container;

			if (strcmp(member_text(container, "name"), in->cfg->proxy) != 0)
				changed = rewrite_container(in, container, originals);
			if (changed != container && copy == list)
				copy = json_copy(list);
			if (changed != container)
				json_array_set(copy, k, changed);
		}
		if (copy != list)
			pod = pod_with(pod, "spec", lists[i], copy);
	}
	text = originals_text(in, pod, originals);
	return text ? proxy_with_env(in, pod, VARIABLE, text) : pod;
}
