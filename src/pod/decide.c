/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a pod is injected, and which webhook would ask about it. */
#include <string.h>

#include "injection.h"
#include "json.h"
#include "json_write.h"
#include "selector.h"

static const char *const words[REASONS] = {
#define REASON(id, word) [REASON_##id] = word,
	POD_REASONS
#undef REASON
};

const char *pod_reason_word(enum pod_reason reason)
{
	return words[reason];
}

static int verdict(struct injection *in, enum pod_reason reason, bool injected, const char *detail)
{
	in->result->reason = reason;
	in->result->injected = injected;
	in->result->detail = detail ? detail : "";
	return 0;
}

/* What the label or annotation asks for: 1, 0, or -1 if it says nothing. */
static int wish(const char *text)
{
	return !text ? -1 : !strcmp(text, "true") ? 1 : !strcmp(text, "false") ? 0 : -1;
}

/* The label, if it is there at all, else the annotation. */
static const char *wish_text(const struct injection *in, const char **what)
{
	const char *label = member_text(in->labels, LABEL_INJECT);

	*what = label ? "label" : "annotation";
	return label ? label : member_text(in->notes, LABEL_INJECT);
}

static json_t *selector_match(const struct injection *in, const json_t *selectors)
{
	size_t i;
	json_t *selector;

	json_array_foreach((json_t *)selectors, i, selector) if (selector_matches(selector, in->labels)) return selector;
	return NULL;
}

static int decide_by_rule(struct injection *in)
{
	json_t *selector = selector_match(in, in->cfg->never_inject);

	if (selector)
		return verdict(in, REASON_NEVER_INJECT, false, json_text(selector));
	selector = selector_match(in, in->cfg->always_inject);
	if (selector)
		return verdict(in, REASON_ALWAYS_INJECT, true, json_text(selector));
	return verdict(in, REASON_POLICY, !in->cfg->disabled, in->cfg->disabled ? "disabled" : "enabled");
}

static int decide(struct injection *in)
{
	const char *what, *text = wish_text(in, &what), *os = member_text(member(in->spec, "os"), "name");

	if (json_is_true(member(in->spec, "hostNetwork"))) {
		if (wish(text) == 1)
			warn(in, "%s %s is true, but a pod with hostNetwork is never injected", what, LABEL_INJECT);
		return verdict(in, REASON_HOST_NETWORK, false, "spec.hostNetwork");
	}
	if (os && strcmp(os, "linux") != 0)
		return verdict(in, REASON_NOT_LINUX, false, quoted(in, os));
	if (list_holds(in->cfg->ignored_namespaces, in->request->namespace))
		return verdict(in, REASON_IGNORED_NAMESPACE, false, in->request->namespace);
	if (wish(text) >= 0)
		return verdict(in, *what == 'l' ? REASON_LABEL : REASON_ANNOTATION, wish(text),
			       wish(text) ? LABEL_INJECT "=true" : LABEL_INJECT "=false");
	if (text && *text)
		warn(in, "%s %s: %s: expected \"true\" or \"false\"", what, LABEL_INJECT, quoted(in, text));
	return decide_by_rule(in);
}

int injection_decide(struct injection *in, const struct pod_request *request, struct pod_result *result, struct err *err)
{
	int ret;

	*result = (struct pod_result){
		.pod = (json_t *)request->pod,
		.detail = "",
		.mode = "",
		.warnings = json_array(),
		.overlays = json_array(),
		.args = json_array(),
	};
	*in = (struct injection){
		.request = request,
		.cfg = request->cfg,
		.arena = request->arena,
		.result = result,
		.err = err,
		.pod = (json_t *)request->pod,
		.labels = member(member(request->pod, "metadata"), "labels"),
		.notes = member(member(request->pod, "metadata"), "annotations"),
		.spec = member(request->pod, "spec"),
	};
	ret = object_check_head(in);
	if (ret)
		return ret;
	workload_find(in);
	return decide(in);
}

int pod_decide(const struct pod_request *request, struct pod_result *result, struct err *err)
{
	struct injection in;

	return injection_decide(&in, request, result, err);
}
