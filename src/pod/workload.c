/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the pod of a document is, and whose pod it is. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "injection.h"
#include "json.h"

static const struct {
	const char *kind, *groups; /* of apiVersion, parted by '|'; "" is the core group */
	const char *pointer;
} kinds[] = {
	{ "Pod", "", "" },
	{ "Deployment", "apps|extensions", "/spec/template" },
	{ "DaemonSet", "apps|extensions", "/spec/template" },
	{ "StatefulSet", "apps", "/spec/template" },
	{ "ReplicaSet", "apps|extensions", "/spec/template" },
	{ "ReplicationController", "", "/spec/template" },
	{ "Job", "batch", "/spec/template" },
	{ "CronJob", "batch", "/spec/jobTemplate/spec/template" },
	{ "DeploymentConfig", "apps.openshift.io|", "/spec/template" },
};

static bool in_groups(const char *api_version, const char *groups)
{
	size_t n = strchr(api_version, '/') ? strcspn(api_version, "/") : 0;

	for (;; groups++) {
		size_t len = strcspn(groups, "|");

		if (len == n && !strncmp(groups, api_version, n))
			return true;
		groups += len;
		if (!*groups)
			return false;
	}
}

int pod_find(json_t *document, struct pod_place *place, struct err *err)
{
	const char *kind = member_text(document, "kind"), *api_version = member_text(document, "apiVersion");
	unsigned i = 0;

	if (!kind)
		return 0;
	while (i < ARRAY_SIZE(kinds) &&
	       (strcmp(kinds[i].kind, kind) != 0 || (api_version && !in_groups(api_version, kinds[i].groups))))
		i++;
	if (i == ARRAY_SIZE(kinds))
		return 0;
	*place = (struct pod_place){ .pod = document, .pointer = kinds[i].pointer };
	if (!*place->pointer)
		return 1;
	place->pod = json_at(document, place->pointer);
	if (!json_is_object(place->pod))
		return err_set(err, STATUS_DATA, EINVAL, "%s: expected a mapping", place->pointer);
	place->workload.name = member_text(member(document, "metadata"), "name");
	if (!place->workload.name)
		place->workload.name = "";
	place->workload.kind = kinds[i].kind;
	place->workload.api_version = api_version ? api_version : "";
	return 1;
}

/* @text without @suffix; NULL if it does not end so, or is nothing else. */
static const char *without_suffix(const struct injection *in, const char *text, const char *suffix)
{
	size_t n = strlen(text), len = strlen(suffix);

	if (!len || n <= len || strcmp(text + n - len, suffix) != 0)
		return NULL;
	return arena_printf(in->arena, "%.*s", (int)(n - len), text);
}

/* "-" and the minutes or seconds that a CronJob gives its Jobs. */
static const char *without_time(const struct injection *in, const char *name)
{
	size_t n = strlen(name), digits = 0;

	while (digits < n && isdigit((unsigned char)name[n - 1 - digits]))
		digits++;
	if (digits < 8 || digits > 10 || digits + 1 >= n || name[n - 1 - digits] != '-')
		return NULL;
	return arena_printf(in->arena, "%.*s", (int)(n - 1 - digits), name);
}

static const char *without_hash(const struct injection *in, const char *name, const char *label)
{
	const char *hash = member_text(in->labels, label);

	return hash && *hash ? without_suffix(in, name, arena_printf(in->arena, "-%s", hash)) : NULL;
}

/* Who makes the controllers that are made by others. */
static void find_maker(const struct injection *in, struct workload *w)
{
	const char *name, *config = member_text(in->labels, "deploymentconfig");

	if (!strcmp(w->kind, "ReplicaSet") && (name = without_hash(in, w->name, "pod-template-hash")))
		*w = (struct workload){ name, "Deployment", "apps/v1" };
	else if (!strcmp(w->kind, "ReplicaSet") && (name = without_hash(in, w->name, "rollouts-pod-template-hash")))
		*w = (struct workload){ name, "Rollout", "argoproj.io/v1alpha1" };
	else if (!strcmp(w->kind, "ReplicationController") && config && *config)
		*w = (struct workload){ config, "DeploymentConfig", "apps.openshift.io/v1" };
	else if (!strcmp(w->kind, "Job") && (name = without_time(in, w->name)))
		*w = (struct workload){ name, "CronJob", "batch/v1" };
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static struct workload find_workload(struct injection *in)
{
	const json_t *metadata = member(in->pod, "metadata");
	const char *generate_name = member_text(metadata, "generateName"), *name = member_text(metadata, "name");
	json_t *owner;
	size_t i;

	if (generate_name && *generate_name)
		json_array_foreach(member(metadata, "ownerReferences"), i, owner)
		{
			struct workload w = { or_empty(member_text(owner, "name")), or_empty(member_text(owner, "kind")),
					      or_empty(member_text(owner, "apiVersion")) };

			if (!json_is_true(member(owner, "controller")))
				continue;
			find_maker(in, &w);
			return w;
		}
	if (!name || !*name) {
		name = or_empty(generate_name);
		if (*name && name[strlen(name) - 1] == '-')
			name = arena_printf(in->arena, "%.*s", (int)strlen(name) - 1, name);
	}
	return (struct workload){ name, "Pod", "v1" };
}

void workload_find(struct injection *in)
{
	in->workload = in->request->workload.name ? in->request->workload : find_workload(in);
	in->result->workload = in->workload;
}
