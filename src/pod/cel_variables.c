/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What variables.c finds of a pod, in CEL: as `variables` of the policy, which are worked out when they are used. */
#include <string.h>

#include "cel.h"
#include "injection.h"
#include "json_write.h"
#include "settings.h"

#define NOTES "variables.ann"
#define LABELS "variables.lab"
/* A name with what makes it a label's value; the trimmed characters are those of canonical_name. */
#define TRIMMED "[^-_.](.*[^-_.])?"

const char *cel_noted(struct cel *cel, enum annotation_id id)
{
	const struct annotation *a = &annotations[id];
	const char *noted = a->name ? cel_printf(cel, "(%s in " NOTES ")", cel_quote(cel, a->name)) : "false";

	return a->second ? cel_or(cel, noted, cel_printf(cel, "(%s in " NOTES ")", cel_quote(cel, a->second))) : noted;
}

static const char *text_of_note(struct cel *cel, const char *name, const char *otherwise)
{
	const char *quoted = cel_quote(cel, name);

	return cel_printf(cel, "(%s in " NOTES " ? string(" NOTES "[%s]) : %s)", quoted, quoted, otherwise);
}

const char *cel_note(struct cel *cel, enum annotation_id id, const char *otherwise)
{
	const struct annotation *a = &annotations[id];

	if (a->second)
		otherwise = text_of_note(cel, a->second, otherwise);
	return a->name ? text_of_note(cel, a->name, otherwise) : otherwise;
}

/* What is a variable of the policy, or a constant; KEYED ones have a key behind the colon. */
static const struct {
	const char *name, *text;
} texts[] = {
	{ "pod.name", "variables.podName" },
	{ "pod.namespace", "request.namespace" },
	{ "pod.serviceAccount", "variables.serviceAccount" },
	{ "workload.name", "variables.workloadName" },
	{ "workload.kind", "variables.workloadKind.lowerAscii()" },
	{ "workload.plural", "(variables.workloadKind.lowerAscii() + 's')" },
	{ "workload.apiVersion", "variables.workloadVersion" },
	{ "workload.namespace", "request.namespace" },
	{ "workload.owner", "variables.workloadOwner" },
	{ "canonical.name", "variables.canonicalName" },
	{ "canonical.revision", "variables.canonicalRevision" },
	{ "mode", "variables.mode" },
	{ "native", "(variables.native ? 'true' : '')" },
	{ "hold", "(variables.hold ? 'true' : '')" },
	{ "status.port", "variables.statusPort" },
	{ "proxy.uid", "variables.configuredUid" },
	{ "app.containers", "variables.apps.map(c, string(c.name)).join(',')" },
	{ "app.first", "(variables.apps.size() > 0 ? string(variables.apps[0].name) : '')" },
	{ "app.ports", "variables.appPorts" },
};

static const char *keyed(struct cel *cel, const char *map, const char *key)
{
	return cel_printf(cel, "string(%s[?%s].orValue(''))", map, cel_quote(cel, key));
}

const char *cel_variable(struct cel *cel, const char *name, size_t len)
{
	static const char annotation[] = "annotation:", label[] = "label:";
	static const char *const kinds[] = { "container", "cni", "none" };
	const char *copy = cel_printf(cel, "%.*s", (int)len, name);

	if (!strncmp(copy, annotation, sizeof(annotation) - 1))
		return keyed(cel, NOTES, copy + sizeof(annotation) - 1);
	if (!strncmp(copy, label, sizeof(label) - 1))
		return keyed(cel, LABELS, copy + sizeof(label) - 1);
	if (!strcmp(copy, "revision"))
		return cel_quote(cel, cel->cfg->revision);
	if (!strcmp(copy, "init"))
		return cel_quote(cel, kinds[cel->cfg->init]);
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(copy, texts[i].name))
			return texts[i].text;
	cel_refuse(cel, cel->key, cel_printf(cel, "CEL cannot say the variable %s", copy));
	return "''";
}

static void add(json_t *list, const char *name, const char *expression)
{
	json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "expression", expression));
}

/* Section by section as workload_find does it: whose pod it is, and who makes that. */
static void add_workload(json_t *list)
{
	add(list, "owners",
	    "object.metadata.?generateName.orValue('') == '' ? []\n"
	    ": object.metadata.?ownerReferences.orValue([]).filter(o, o.?controller.orValue(false))");
	add(list, "ownerName", "variables.owners.size() > 0 ? string(variables.owners[0].name) : ''");
	add(list, "ownerKind", "variables.owners.size() > 0 ? string(variables.owners[0].kind) : ''");
	add(list, "hash",
	    "variables.ownerKind == 'ReplicaSet' ? string(" LABELS "[?'pod-template-hash'].orValue('')) : ''");
	add(list, "rollout",
	    "variables.ownerKind == 'ReplicaSet' ? string(" LABELS "[?'rollouts-pod-template-hash'].orValue('')) : ''");
	add(list, "maker",
	    "variables.hash != '' && variables.ownerName.endsWith('-' + variables.hash)"
	    " && variables.ownerName.size() > variables.hash.size() + 1 ? 'Deployment'\n"
	    ": variables.rollout != '' && variables.ownerName.endsWith('-' + variables.rollout)"
	    " && variables.ownerName.size() > variables.rollout.size() + 1 ? 'Rollout'\n"
	    ": variables.ownerKind == 'ReplicationController' && " LABELS
	    "[?'deploymentconfig'].orValue('') != '' ? 'DeploymentConfig'\n"
	    ": variables.ownerKind == 'Job' && variables.ownerName.matches('.-[0-9]{8,10}$') ? 'CronJob'\n"
	    ": ''");
	add(list, "workloadKind",
	    "variables.maker != '' ? variables.maker : variables.owners.size() > 0 ? variables.ownerKind : 'Pod'");
	add(list, "workloadName",
	    "variables.maker == 'Deployment'"
	    " ? variables.ownerName.substring(0, variables.ownerName.size() - variables.hash.size() - 1)\n"
	    ": variables.maker == 'Rollout'"
	    " ? variables.ownerName.substring(0, variables.ownerName.size() - variables.rollout.size() - 1)\n"
	    ": variables.maker == 'DeploymentConfig' ? string(" LABELS "['deploymentconfig'])\n"
	    ": variables.maker == 'CronJob' ? variables.ownerName.substring(0, variables.ownerName.lastIndexOf('-'))\n"
	    ": variables.owners.size() > 0 ? variables.ownerName\n"
	    ": object.metadata.?name.orValue('') != '' ? string(object.metadata.name)\n"
	    ": variables.podName.endsWith('-') ? variables.podName.substring(0, variables.podName.size() - 1)\n"
	    ": variables.podName");
	add(list, "workloadVersion",
	    "variables.maker == 'Deployment' ? 'apps/v1' : variables.maker == 'Rollout' ? 'argoproj.io/v1alpha1'\n"
	    ": variables.maker == 'DeploymentConfig' ? 'apps.openshift.io/v1' : variables.maker == 'CronJob' ? 'batch/v1'\n"
	    ": variables.owners.size() > 0 ? string(variables.owners[0].apiVersion) : 'v1'");
	add(list, "workloadOwner",
	    "variables.workloadVersion == '' ? '' : 'kubernetes://apis/' + variables.workloadVersion + '/namespaces/'"
	    " + request.namespace + '/' + variables.workloadKind.lowerAscii() + 's/' + variables.workloadName");
}

/* The first of these labels that is not empty. */
static const char *first_label(struct cel *cel, const char *const *names, const char *otherwise)
{
	const char *text = otherwise;

	for (unsigned i = 3; i-- > 0;)
		text = cel_printf(cel, LABELS "[?%s].orValue('') != '' ? string(" LABELS "[%s])\n: %s",
				  cel_quote(cel, names[i]), cel_quote(cel, names[i]), text);
	return text;
}

static void add_names(struct cel *cel, json_t *list)
{
	static const char *const names[] = { "service.istio.io/canonical-name", "app.kubernetes.io/name", "app" };
	static const char *const revisions[] = { "service.istio.io/canonical-revision", "app.kubernetes.io/version",
						 "version" };

	add(list, "podName",
	    "object.metadata.?name.orValue('') != '' ? string(object.metadata.name)"
	    " : string(object.metadata.?generateName.orValue(''))");
	add(list, "serviceAccount",
	    "object.spec.?serviceAccountName.orValue('') != '' ? string(object.spec.serviceAccountName) : 'default'");
	add_workload(list);
	add(list, "canonical", first_label(cel, names, "variables.workloadName"));
	add(list, "canonicalName",
	    "(variables.canonical.size() > 63 ? variables.canonical.substring(0, 63) : variables.canonical).find('" TRIMMED
	    "')");
	add(list, "canonicalRevision", first_label(cel, revisions, "'latest'"));
	add(list, "apps",
	    cel_printf(cel, "object.spec.containers.filter(c, c.name != %s)", cel_quote(cel, cel->cfg->proxy)));
	/* members in the order that is promised; none needs an escape in JSON */
	add(list, "appPorts",
	    "'[' + variables.apps.map(c, c.?ports.orValue([]).map(p, '{' + (\n"
	    "(has(p.name) ? ['\"name\":\"' + string(p.name) + '\"'] : [])\n"
	    "+ (has(p.hostPort) ? ['\"hostPort\":' + string(p.hostPort)] : [])\n"
	    "+ (has(p.containerPort) ? ['\"containerPort\":' + string(p.containerPort)] : [])\n"
	    "+ (has(p.protocol) ? ['\"protocol\":\"' + string(p.protocol) + '\"'] : [])\n"
	    "+ (has(p.hostIP) ? ['\"hostIP\":\"' + string(p.hostIP) + '\"'] : [])).join(',') + '}').join(','))\n"
	    ".filter(t, t != '').join(',') + ']'");
}

static void add_resources(struct cel *cel, json_t *list)
{
	static const struct {
		const char *variable;
		enum annotation_id cpu, memory;
	} amounts[] = { { "requests", ANNOTATION_PROXY_CPU, ANNOTATION_PROXY_MEMORY },
			{ "limits", ANNOTATION_PROXY_CPU_LIMIT, ANNOTATION_PROXY_MEMORY_LIMIT } };
	struct cel_value configured = cel_value(cel, without_nulls(cel->cfg->resources));

	for (unsigned i = 0; i < ARRAY_SIZE(amounts); i++) {
		const char *cpu = cel_note(cel, amounts[i].cpu, "''"), *memory = cel_note(cel, amounts[i].memory, "''");
		const char *both = cel_and(cel, cel_noted(cel, amounts[i].cpu), cel_noted(cel, amounts[i].memory));

		add(list, amounts[i].variable,
		    cel_printf(cel, "%s ? {'cpu': %s, 'memory': %s}\n: %s ? {'cpu': %s}\n: %s ? {'memory': %s} : {}",
			       both, cpu, memory, cel_noted(cel, amounts[i].cpu), cpu,
			       cel_noted(cel, amounts[i].memory), memory));
	}
	add(list, "resources",
	    cel_printf(cel,
		       "variables.requests.size() > 0 && variables.limits.size() > 0"
		       " ? dyn({'requests': variables.requests, 'limits': variables.limits})\n"
		       ": variables.requests.size() > 0 ? dyn({'requests': variables.requests})\n"
		       ": variables.limits.size() > 0 ? dyn({'limits': variables.limits})\n"
		       ": %s",
		       configured.text));
}

static const char *boolean(bool value)
{
	return value ? "true" : "false";
}

/* What settings.c reads; without the annotations that the policy refuses. */
static void add_settings(struct cel *cel, json_t *list)
{
	static const char *const orders[] = { "'auto'", "'first'", "'last'", "'auto'" };
	const struct inject_config *cfg = cel->cfg;
	const json_t *mode = member(cfg->proxy_config, "interceptionMode"),
		     *port = member(cfg->proxy_config, "statusPort");
	bool hold = cfg->hold || json_is_true(member(cfg->proxy_config, "holdApplicationUntilProxyStarts"));
	unsigned status_port = port ? (unsigned)json_integer_value(port) : cfg->status_port;
	const char *by_default = mode ? text_of(mode) : cfg->capture->of[ANNOTATION_MODE].text;
	const char *native = cel_note(cel, ANNOTATION_NATIVE, "''"), *number = cel_note(cel, ANNOTATION_STATUS_PORT, "''");

	if (!cel->sidecar && cfg->init == INIT_CNI)
		add(list, "mode", "'NONE'");
	else
		add(list, "mode", cel_note(cel, ANNOTATION_MODE, cel_quote(cel, mode_word(by_default))));
	add(list, "native",
	    !cel->sidecar ? "false" :
			    cel_printf(cel, "%s ? bool(%s) : %s", cel_noted(cel, ANNOTATION_NATIVE), native,
				       boolean(cfg->native)));
	add(list, "hold", hold ? "!variables.native" : "false");
	add(list, "order", cel_note(cel, ANNOTATION_ORDER, orders[cfg->order]));
	add(list, "statusPort",
	    cel_printf(cel, "%s ? (int(%s) == 0 ? '' : string(int(%s))) : %s", cel_noted(cel, ANNOTATION_STATUS_PORT),
		       number, number, status_port ? cel_printf(cel, "'%u'", status_port) : "''"));
	add(list, "configuredUid",
	    cel_printf(cel, "%s != '' ? %s : %s", cel_note(cel, ANNOTATION_PROXY_UID, "''"),
		       cel_note(cel, ANNOTATION_PROXY_UID, "''"),
		       cel_quote(cel, cfg->capture->of[ANNOTATION_PROXY_UID].text)));
}

json_t *cel_variables(struct cel *cel, const json_t *proxy)
{
	json_t *list = json_array();

	add(list, "ann", "object.metadata.?annotations.orValue({})");
	add(list, "lab", "object.metadata.?labels.orValue({})");
	add_names(cel, list);
	add_settings(cel, list);
	add_resources(cel, list);
	cel_option_variables(cel, list, proxy);
	return list;
}
