/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The webhooks that `manifests` prints, and which of them the API server would ask. */
#include <string.h>

#include "injection.h"
#include "webhook.h"

/* What the API server puts on every namespace, since 1.22. */
#define LABEL_NAME "kubernetes.io/metadata.name"
#define LABEL_INJECTION "istio-injection"

/* What a label must be; the value of REVISION is the configuration's revision. */
enum need { ANY, ABSENT, TRUE, ENABLED, NOT_FALSE, REVISION };

static const struct {
	const char *name;
	enum need injection, namespace_revision;      /* labels of the namespace */
	enum need inject, revision;                   /* labels of the pod */
	enum { ALWAYS, DEFAULT, EVERYWHERE } printed; /* of any revision; of the revision default; and if asked for */
} webhooks[] = {
	{ "rev.namespace", ABSENT, REVISION, NOT_FALSE, ANY, ALWAYS },
	{ "rev.object", ABSENT, ABSENT, NOT_FALSE, REVISION, ALWAYS },
	{ "namespace", ENABLED, ANY, NOT_FALSE, ANY, DEFAULT },
	{ "object", ABSENT, ABSENT, TRUE, ABSENT, DEFAULT },
	{ "auto", ABSENT, ABSENT, ABSENT, ABSENT, EVERYWHERE },
};

/* Whether the webhook is there at all. */
static bool is_printed(unsigned i, const struct inject_config *cfg, bool everywhere)
{
	return webhooks[i].printed == ALWAYS ||
	       (!strcmp(cfg->revision, REVISION_DEFAULT) && (webhooks[i].printed == DEFAULT || everywhere));
}

static bool holds(enum need need, const char *label, const char *revision)
{
	switch (need) {
	case ABSENT:
		return !label;
	case TRUE:
		return label && !strcmp(label, "true");
	case ENABLED:
		return label && !strcmp(label, "enabled");
	case NOT_FALSE:
		return !label || strcmp(label, "false") != 0;
	case REVISION:
		return label && !strcmp(label, revision);
	default:
		return true;
	}
}

/* Which label is in the way, the namespace's before the pod's, as the API server looks at them. */
static const char *why_none(const struct pod_request *request, const char *injection, const char *namespace_revision,
			    const char *inject, const char *revision)
{
	if (injection && strcmp(injection, "enabled") != 0)
		return arena_printf(request->arena, "label " LABEL_INJECTION "=%s of the namespace", injection);
	if (!injection && namespace_revision && strcmp(namespace_revision, request->cfg->revision) != 0)
		return arena_printf(request->arena, "label " LABEL_REVISION "=%s of the namespace", namespace_revision);
	if (inject && !strcmp(inject, "false"))
		return "label " LABEL_INJECT "=false of the pod";
	if (injection)
		return "label " LABEL_INJECTION "=enabled of the namespace, which is for the revision default";
	if (revision)
		return arena_printf(request->arena, "label " LABEL_REVISION "=%s of the pod", revision);
	return "neither the namespace nor the pod has a label that asks for injection";
}

const char *pod_webhook(const struct pod_request *request, const json_t *namespace_labels, const char **why)
{
	const json_t *labels = member(member(request->pod, "metadata"), "labels");
	const char *injection = member_text(namespace_labels, LABEL_INJECTION);
	const char *namespace_revision = member_text(namespace_labels, LABEL_REVISION);
	const char *inject = member_text(labels, LABEL_INJECT), *revision = member_text(labels, LABEL_REVISION);
	const char *own = request->cfg->revision;

	*why = "";
	if (json_is_true(member(member(request->pod, "spec"), "hostNetwork"))) {
		*why = "spec.hostNetwork";
		return NULL;
	}
	if (!strcmp(request->namespace, "kube-system")) {
		*why = "the namespace kube-system";
		return NULL;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(webhooks); i++)
		if (is_printed(i, request->cfg, false) && holds(webhooks[i].injection, injection, own) &&
		    holds(webhooks[i].namespace_revision, namespace_revision, own) &&
		    holds(webhooks[i].inject, inject, own) && holds(webhooks[i].revision, revision, own))
			return webhooks[i].name;
	*why = why_none(request, injection, namespace_revision, inject, revision);
	return NULL;
}

/* Adds what the label must be, as a LabelSelectorRequirement. */
static void require(json_t *expressions, const char *label, enum need need, const char *revision)
{
	static const char *const operators[] = {
		[ABSENT] = "DoesNotExist", [TRUE] = "In", [ENABLED] = "In", [NOT_FALSE] = "NotIn", [REVISION] = "In",
	};
	const char *value = need == TRUE      ? "true" :
			    need == ENABLED   ? "enabled" :
			    need == NOT_FALSE ? "false" :
						revision;
	json_t *expression;

	if (need == ANY)
		return;
	expression = json_pack("{s:s, s:s}", "key", label, "operator", operators[need]);
	if (need != ABSENT)
		json_object_set_new(expression, "values", json_pack("[s]", value));
	json_array_append_new(expressions, expression);
}

/* Names of namespaces whose pods nobody is asked about. */
static json_t *excluded(const struct inject_config *cfg, const char *own, bool ignored)
{
	json_t *names = json_pack("[s]", "kube-system"), *name;
	size_t i;

	if (own)
		list_add(names, own);
	if (ignored)
		json_array_foreach(cfg->ignored_namespaces, i, name) list_add(names, text_of(name));
	return names;
}

json_t *webhook_selectors(const struct inject_config *cfg, const char *own, bool everywhere)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ARRAY_SIZE(webhooks); i++) {
		json_t *of_namespace = json_array(), *of_pod = json_array();

		if (!is_printed(i, cfg, everywhere))
			continue;
		require(of_namespace, LABEL_INJECTION, webhooks[i].injection, cfg->revision);
		require(of_namespace, LABEL_REVISION, webhooks[i].namespace_revision, cfg->revision);
		json_array_append_new(of_namespace,
				      json_pack("{s:s, s:s, s:o}", "key", LABEL_NAME, "operator", "NotIn", "values",
						excluded(cfg, own, webhooks[i].printed == EVERYWHERE)));
		require(of_pod, LABEL_INJECT, webhooks[i].inject, cfg->revision);
		require(of_pod, LABEL_REVISION, webhooks[i].revision, cfg->revision);
		json_array_append_new(list, json_pack("{s:s, s:{s:o}, s:{s:o}}", "name", webhooks[i].name,
						      "namespaceSelector", "matchExpressions", of_namespace,
						      "objectSelector", "matchExpressions", of_pod));
	}
	return list;
}
