/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The variables of overlays: what each is for this pod, as text. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "injection.h"
#include "json.h"
#include "json_write.h"

/* @key: what follows the colon of a variable with a key, else NULL. */
typedef const char *variable(struct injection *in, const char *key);

static const char *annotation(struct injection *in, const char *key)
{
	return member_text(in->notes, key);
}

static const char *label(struct injection *in, const char *key)
{
	return member_text(in->labels, key);
}

/* Text, or a number or boolean as text. */
static const char *scalar_text(const json_t *value)
{
	if (!value || json_is_null(value) || json_is_object(value) || json_is_array(value))
		return NULL;
	return text_of(value) ? text_of(value) : json_text(value);
}

static const char *proxy_metadata(struct injection *in, const char *key)
{
	return scalar_text(member(member(in->proxy_config, "proxyMetadata"), key));
}

static const char *pod_name(struct injection *in, const char *key)
{
	const json_t *metadata = member(in->pod, "metadata");
	const char *name = member_text(metadata, "name");

	(void)key;
	return name && *name ? name : member_text(metadata, "generateName");
}

static const char *namespace(struct injection *in, const char *key)
{
	(void)key;
	return in->request->namespace;
}

static const char *service_account(struct injection *in, const char *key)
{
	const char *name = member_text(in->spec, "serviceAccountName");

	(void)key;
	return name && *name ? name : "default";
}

static const char *lower(const struct injection *in, const char *text, const char *ending)
{
	char *copy = (char *)arena_printf(in->arena, "%s%s", text, ending);

	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static const char *workload_name(struct injection *in, const char *key)
{
	(void)key;
	return in->workload.name;
}

static const char *workload_kind(struct injection *in, const char *key)
{
	(void)key;
	return lower(in, in->workload.kind, "");
}

static const char *workload_plural(struct injection *in, const char *key)
{
	(void)key;
	return lower(in, in->workload.kind, "s");
}

static const char *workload_api_version(struct injection *in, const char *key)
{
	(void)key;
	return in->workload.api_version;
}

static const char *workload_owner(struct injection *in, const char *key)
{
	if (!*in->workload.api_version)
		return NULL;
	return arena_printf(in->arena, "kubernetes://apis/%s/namespaces/%s/%s/%s", in->workload.api_version,
			    in->request->namespace, workload_plural(in, key), in->workload.name);
}

/* The first of the pod's labels that is there and not empty; NULL if none is. */
static const char *first_label(const struct injection *in, const char *const *names)
{
	for (; *names; names++) {
		const char *text = member_text(in->labels, *names);

		if (text && *text)
			return text;
	}
	return NULL;
}

static const char *canonical_name(struct injection *in, const char *key)
{
	static const char *const labels[] = { "service.istio.io/canonical-name", "app.kubernetes.io/name", "app", NULL };
	const char *name = first_label(in, labels);
	size_t n;

	(void)key;
	if (!name)
		name = in->workload.name;
	n = strlen(name);
	/* what a label's value can hold */
	if (n > 63)
		n = 63;
	for (; n && strchr("-_.", *name); n--)
		name++;
	while (n && strchr("-_.", name[n - 1]))
		n--;
	return arena_printf(in->arena, "%.*s", (int)n, name);
}

static const char *canonical_revision(struct injection *in, const char *key)
{
	static const char *const labels[] = { "service.istio.io/canonical-revision", "app.kubernetes.io/version",
					      "version", NULL };
	const char *revision = first_label(in, labels);

	(void)key;
	return revision ? revision : "latest";
}

static const char *mode(struct injection *in, const char *key)
{
	(void)key;
	return in->mode;
}

static const char *native(struct injection *in, const char *key)
{
	(void)key;
	return in->native ? "true" : NULL;
}

static const char *hold(struct injection *in, const char *key)
{
	(void)key;
	return in->hold ? "true" : NULL;
}

static const char *init(struct injection *in, const char *key)
{
	static const char *const kinds[] = { "container", "cni", "none" };

	(void)key;
	return kinds[in->cfg->init];
}

static const char *status_port(struct injection *in, const char *key)
{
	(void)key;
	return in->status_port ? arena_printf(in->arena, "%u", in->status_port) : NULL;
}

static const char *revision(struct injection *in, const char *key)
{
	(void)key;
	return in->cfg->revision;
}

static const char *proxy_uid(struct injection *in, const char *key)
{
	const char *text = note(in, ANNOTATION_PROXY_UID);

	(void)key;
	return text && *text ? text : in->cfg->capture->of[ANNOTATION_PROXY_UID].text;
}

/* The containers of the application: neither the proxy nor what an earlier injection has added. */
static json_t *app_containers(const struct injection *in)
{
	json_t *apps = json_array(), *container;
	size_t i;

	json_array_foreach(member(in->spec, "containers"), i, container)
	{
		const char *name = member_text(container, "name");

		if (strcmp(name, in->cfg->proxy) != 0 && !is_listed(in, name))
			json_array_append(apps, container);
	}
	return apps;
}

static const char *app_names(struct injection *in, const char *key)
{
	const char *names = "";
	json_t *container;
	size_t i;

	(void)key;
	json_array_foreach(app_containers(in), i, container)
		names = arena_printf(in->arena, "%s%s%s", names, i ? "," : "", member_text(container, "name"));
	return names;
}

static const char *app_first(struct injection *in, const char *key)
{
	(void)key;
	return member_text(json_array_get(app_containers(in), 0), "name");
}

static const char *app_ports(struct injection *in, const char *key)
{
	static const char *const members[] = { "name", "hostPort", "containerPort", "protocol", "hostIP" };
	json_t *ports = json_array(), *container, *port;
	size_t i, k;

	(void)key;
	json_array_foreach(app_containers(in), i, container) json_array_foreach(member(container, "ports"), k, port)
	{
		json_t *kept = json_object();

		for (unsigned m = 0; m < ARRAY_SIZE(members); m++)
			if (member(port, members[m]))
				json_object_set(kept, members[m], member(port, members[m]));
		json_array_append(ports, kept);
	}
	return json_text(ports);
}

static const char *proxy_config(struct injection *in, const char *key)
{
	(void)key;
	return json_text(in->proxy_config);
}

static const char *resources(struct injection *in, const char *key)
{
	(void)key;
	return json_text(in->resources);
}

/* Those that end in a colon have a key. */
static const struct {
	const char *name;
	variable *text;
} variables[] = {
	{ "annotation:", annotation },
	{ "label:", label },
	{ "proxyMetadata:", proxy_metadata },
	{ "pod.name", pod_name },
	{ "pod.namespace", namespace },
	{ "pod.serviceAccount", service_account },
	{ "workload.name", workload_name },
	{ "workload.kind", workload_kind },
	{ "workload.plural", workload_plural },
	{ "workload.apiVersion", workload_api_version },
	{ "workload.namespace", namespace },
	{ "workload.owner", workload_owner },
	{ "canonical.name", canonical_name },
	{ "canonical.revision", canonical_revision },
	{ "mode", mode },
	{ "native", native },
	{ "hold", hold },
	{ "init", init },
	{ "status.port", status_port },
	{ "revision", revision },
	{ "proxy.uid", proxy_uid },
	{ "app.containers", app_names },
	{ "app.first", app_first },
	{ "app.ports", app_ports },
	{ "proxyConfig", proxy_config },
	{ "resources", resources },
};

/* The index in the table, and the length of the name in front of the key; -1 if there is none. */
static int variable_find(const char *name, size_t len, size_t *prefix)
{
	for (unsigned i = 0; i < ARRAY_SIZE(variables); i++) {
		size_t n = strlen(variables[i].name);
		bool keyed = variables[i].name[n - 1] == ':';

		*prefix = n;
		if (!strncmp(variables[i].name, name, len < n ? len : n) && (keyed ? len > n : len == n))
			return (int)i;
	}
	return -1;
}

bool variable_is_known(const char *name, size_t len)
{
	size_t prefix;

	return variable_find(name, len, &prefix) >= 0;
}

const char *variable_text(struct injection *in, const char *name, size_t len)
{
	size_t prefix;
	int i = variable_find(name, len, &prefix);
	const char *text =
		i < 0 ? NULL : variables[i].text(in, arena_printf(in->arena, "%.*s", (int)(len - prefix), name + prefix));

	return text && *text ? text : NULL;
}
