/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The webhooks that `manifests` prints, and which of them the API server would ask. */
#include <string.h>

#include "injection.h"

#define LABEL_INJECTION "istio-injection"

/* What a label must be; the value of REVISION is the configuration's revision. */
enum need { ANY, ABSENT, TRUE, ENABLED, NOT_FALSE, REVISION };

static const struct {
	const char *name;
	enum need injection, namespace_revision; /* labels of the namespace */
	enum need inject, revision;              /* labels of the pod */
	bool default_only;                       /* printed for the revision default alone */
} webhooks[] = {
	{ "rev.namespace", ABSENT, REVISION, NOT_FALSE, ANY, false },
	{ "rev.object", ABSENT, ABSENT, NOT_FALSE, REVISION, false },
	{ "namespace", ENABLED, ANY, NOT_FALSE, ANY, true },
	{ "object", ABSENT, ABSENT, TRUE, ABSENT, true },
};

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
		if ((!webhooks[i].default_only || !strcmp(own, "default")) && holds(webhooks[i].injection, injection, own) &&
		    holds(webhooks[i].namespace_revision, namespace_revision, own) &&
		    holds(webhooks[i].inject, inject, own) && holds(webhooks[i].revision, revision, own))
			return webhooks[i].name;
	*why = why_none(request, injection, namespace_revision, inject, revision);
	return NULL;
}
