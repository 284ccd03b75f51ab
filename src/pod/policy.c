/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy.h"

#include <string.h>

#include "cel.h"
#include "injection.h"
#include "webhook.h"

#define API_VERSION "admissionregistration.k8s.io/v1"

/* What a pod may say that CEL cannot read: a pod that says it is refused. */
static const struct {
	enum annotation_id id;
	const char *starts; /* only if the value begins so */
} unreadable[] = {
	{ ANNOTATION_PROXY_CONFIG, NULL },      { ANNOTATION_TEMPLATES, NULL }, { ANNOTATION_USER_VOLUME, NULL },
	{ ANNOTATION_USER_VOLUME_MOUNT, NULL }, { ANNOTATION_ORDER, "after:" },
};

static void refuse_keys(struct cel *cel)
{
	const struct inject_config *cfg = cel->cfg;
	const struct {
		const char *key, *what;
		bool is_used;
	} keys[] = {
		{ "rewriteProbes", "CEL cannot make the JSON of the probes", cfg->rewrite_probes },
		{ "mergePrometheus", "CEL cannot read the scrape targets", cfg->merge_prometheus },
		{ "neverInject", "a policy has no list of selectors", json_array_size(cfg->never_inject) },
		{ "alwaysInject", "a policy has no list of selectors", json_array_size(cfg->always_inject) },
		{ "order", "CEL cannot say after:NAME", cfg->order == ORDER_AFTER },
		{ "overlays", "more than one: pods could choose, which CEL cannot follow",
		  json_object_size(cfg->overlays) > 1 },
		{ "aliases", "pods could choose, which CEL cannot follow", json_object_size(cfg->aliases) },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].is_used)
			cel_refuse(cel, keys[i].key, keys[i].what);
}

/* The overlay of every pod, since none can choose. */
static void find_overlay(struct cel *cel)
{
	const struct inject_config *cfg = cel->cfg;
	const char *name = json_object_iter_key(json_object_iter(cfg->overlays));

	cel->overlay = json_object();
	cel->sidecar = true;
	if (!name || (cfg->default_overlays && !list_holds(cfg->default_overlays, name)))
		return;
	cel->overlay = json_object_get(cfg->overlays, name);
	cel->sidecar = !json_is_false(json_object_get(cel->overlay, "sidecar"));
	if (json_object_get(cel->overlay, "$if") || json_object_get(member(cel->overlay, "spec"), "$if"))
		cel_refuse(cel, "overlays", "CEL cannot say an overlay that is there on a condition");
}

static const char *names_in(struct cel *cel, json_t *names)
{
	const char *text = "";
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		text = cel_printf(cel, "%s%s%s", text, *text ? ", " : "", cel_quote(cel, text_of(name)));
	return cel_printf(cel, "[%s]", text);
}

static void add_condition(json_t *list, const char *name, const char *expression)
{
	json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "expression", expression));
}

/* Which pods, as decide.c has it; the policy's variables are not known there, nor are the namespace's labels. */
static json_t *match_conditions(struct cel *cel)
{
	json_t *list = json_array();
	const char *names = names_in(cel, cel_container_names(cel));

	add_condition(list, "not-host-network", "!object.spec.?hostNetwork.orValue(false)");
	add_condition(list, "linux", "object.spec.?os.?name.orValue('linux') == 'linux'");
	add_condition(list, "not-ignored",
		      cel_printf(cel, "!(request.namespace in %s)", names_in(cel, cel->cfg->ignored_namespaces)));
	add_condition(list, "wanted",
		      cel_printf(cel,
				 "object.metadata.?labels[?'" LABEL_INJECT "'].orValue("
				 "object.metadata.?annotations[?'" LABEL_INJECT "'].orValue('')) %s",
				 cel->cfg->disabled ? "== 'true'" : "!= 'false'"));
	add_condition(list, "not-injected", "!object.metadata.?annotations[?'" ANNOTATION_STATUS "'].hasValue()");
	add_condition(list, "no-container-of-ours",
		      cel_printf(cel,
				 "!object.spec.containers.exists(c, c.name in %s)"
				 " && !object.spec.?initContainers.orValue([]).exists(c, c.name in %s)",
				 names, names));
	return list;
}

/* The annotation that cannot be read, in words; '' if there is none. */
static const char *unread(struct cel *cel)
{
	const char *text = "''";

	for (unsigned i = ARRAY_SIZE(unreadable); i-- > 0;) {
		enum annotation_id id = unreadable[i].id;
		const char *when = cel_noted(cel, id);
		const char *line =
			cel_printf(cel, "annotation %s: the policy of istio-inject cannot read it, its webhook can",
				   annotations[id].name);

		if (unreadable[i].starts)
			when = cel_printf(cel, "%s.trim().startsWith('%s')", cel_note(cel, id, "''"), unreadable[i].starts);
		text = cel_printf(cel, "%s ? %s\n: %s", when, cel_quote(cel, line), text);
	}
	return text;
}

/* The names of a list of the overlay's spec, as an expression. */
static const char *spec_names(struct cel *cel, const char *list)
{
	const char *all = "[]";
	json_t *item;
	size_t i;

	json_array_foreach(member(member(cel->overlay, "spec"), list), i, item)
	{
		const json_t *conditions = json_object_get(item, "$if");
		const char *name = member_text(item, "name");

		all = cel_plus(cel, all,
			       cel_if(cel, conditions ? cel_conditions(cel, conditions) : "true",
				      cel_printf(cel, "[%s]", cel_quote(cel, name ? name : "")), "[]"));
	}
	return all;
}

static const char *json_names(struct cel *cel, const char *names)
{
	return cel_is(names, "[]") ?
		       "'null'" :
		       cel_printf(cel, "((%s).size() == 0 ? 'null' : '[\"' + (%s).join('\",\"') + '\"]')", names, names);
}

static const char *status(struct cel *cel, const struct cel_names *names)
{
	/* the revision is a label's value, which needs no escape in JSON */
	return cel_printf(cel,
			  "'{\"initContainers\":' + %s + ',\"containers\":' + %s + ',\"volumes\":' + %s"
			  " + ',\"imagePullSecrets\":' + %s + ',\"revision\":\"%s\"}'",
			  json_names(cel, names->init_containers), json_names(cel, names->containers),
			  json_names(cel, spec_names(cel, "volumes")),
			  json_names(cel, spec_names(cel, "imagePullSecrets")), cel->cfg->revision);
}

/* All operations; those on the annotations with the status last, as in injection. */
static const char *operations(struct cel *cel)
{
	json_t *spec = member(cel->overlay, "spec"), *metadata = member(cel->overlay, "metadata");
	const char *all =
		"(has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: dyn({})}])";
	struct cel_names names;

	cel->key = "overlays";
	all = cel_plus(cel, all, cel_merge(cel, "'/metadata'", "object.metadata", metadata));
	if (spec)
		spec = without_member(without_member(spec, "containers"), "initContainers");
	all = cel_plus(cel, all, cel_merge(cel, "'/spec'", "object.spec", spec));
	all = cel_plus(cel, all, cel_containers(cel, &names));
	if (cel->cfg->init == INIT_CNI)
		all = cel_plus(cel, all, cel_annotate(cel));
	return cel_plus(cel, all, cel_annotation_set(cel, ANNOTATION_STATUS, status(cel, &names), "true"));
}

static json_t *mutation(const char *expression)
{
	return json_pack("{s:s, s:{s:s}}", "patchType", "JSONPatch", "jsonPatch", "expression", expression);
}

static json_t *policy(struct cel *cel, const char *name)
{
	json_t *variables = cel_variables(cel, cel_proxy(cel)), *spec;

	add_condition(variables, "unread", unread(cel));
	spec = json_pack("{s:s, s:s, s:{s:[{s:[s], s:[s], s:[s], s:[s], s:s}]}, s:o, s:o}", "failurePolicy", "Fail",
			 "reinvocationPolicy", "IfNeeded", "matchConstraints", "resourceRules", "apiGroups", "",
			 "apiVersions", "v1", "operations", "CREATE", "resources", "pods", "scope", "Namespaced",
			 "matchConditions", match_conditions(cel), "variables", variables);
	/* A mutation that fails is quoted whole: the first one is short, and its key is the message. */
	json_object_set_new(spec, "mutations",
			    json_pack("[o, o]",
				      mutation("variables.unread == '' ? [] : {'': [JSONPatch{op: 'test', path: '', value: ''}]}"
					       "[variables.unread]"),
				      mutation(operations(cel))));
	return json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", API_VERSION, "kind", "MutatingAdmissionPolicy",
			 "metadata", "name", name, "spec", spec);
}

json_t *policy_objects(const struct inject_config *cfg, struct arena *arena, json_t *refused)
{
	struct cel cel = { .cfg = cfg, .arena = arena, .refused = refused, .key = "overlays" };
	const char *name = arena_printf(arena, "istio-inject-%s", cfg->revision);
	json_t *list = json_array(), *selectors;
	size_t i;

	refuse_keys(&cel);
	find_overlay(&cel);
	json_array_append_new(list, policy(&cel, name));
	json_array_foreach(webhook_selectors(cfg, NULL, false), i, selectors)
	{
		json_t *binding = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", API_VERSION, "kind",
					    "MutatingAdmissionPolicyBinding", "metadata", "name",
					    arena_printf(arena, "%s.%s", name, member_text(selectors, "name")));

		json_object_set_new(binding, "spec",
				    json_pack("{s:s, s:o}", "policyName", name, "matchResources",
					      without_member(selectors, "name")));
		json_array_append_new(list, binding);
	}
	return list;
}
