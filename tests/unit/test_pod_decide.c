/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "pod_run.h"
#include "webhook.h"

Suite *suite_pod_decide(void);

#define LABEL(value) "metadata: {labels: {sidecar.istio.io/inject: " value "}}\nspec: {}"
#define NOTE(value) "metadata: {annotations: {sidecar.istio.io/inject: " value "}}\nspec: {}"
#define BOTH(label, note) \
	"metadata: {labels: {sidecar.istio.io/inject: " label "}, annotations: {sidecar.istio.io/inject: " note \
	"}}\nspec: {}"
#define APP(labels) "metadata: {labels: {" labels "}}\nspec: {}"

static const struct {
	const char *config, *pod, *namespace, *reason;
	bool injected;
	const char *warning; /* part of it; NULL: none */
} decisions[] = {
	{ "", "spec: {}", "shop", "policy", true, NULL },
	{ "policy: disabled", "spec: {}", "shop", "policy", false, NULL },
	{ "", "spec: {hostNetwork: true}", "shop", "host-network", false, NULL },
	{ "", "metadata: {labels: {sidecar.istio.io/inject: 'true'}}\nspec: {hostNetwork: true}", "shop",
	  "host-network", false, "label sidecar.istio.io/inject is true" },
	{ "", "metadata: {annotations: {sidecar.istio.io/inject: 'true'}}\nspec: {hostNetwork: true}", "shop",
	  "host-network", false, "annotation sidecar.istio.io/inject is true" },
	{ "", "spec: {hostNetwork: false}", "shop", "policy", true, NULL },
	{ "", "spec: {os: {name: windows}}", "shop", "not-linux", false, NULL },
	{ "", "spec: {os: {name: linux}}", "shop", "policy", true, NULL },
	{ "", "spec: {hostNetwork: true, os: {name: windows}}", "shop", "host-network", false, NULL },
	{ "", LABEL("'true'"), "kube-system", "ignored-namespace", false, NULL },
	{ "", "spec: {}", "local-path-storage", "ignored-namespace", false, NULL },
	{ "ignoredNamespaces: [shop]", "spec: {}", "shop", "ignored-namespace", false, NULL },
	{ "ignoredNamespaces: []", "spec: {}", "kube-system", "policy", true, NULL },
	{ "policy: disabled", LABEL("'true'"), "shop", "label", true, NULL },
	{ "", LABEL("'false'"), "shop", "label", false, NULL },
	{ "policy: disabled", NOTE("'true'"), "shop", "annotation", true, NULL },
	{ "", NOTE("'false'"), "shop", "annotation", false, NULL },
	{ "", BOTH("'true'", "'false'"), "shop", "label", true, NULL },
	{ "", BOTH("'yes'", "'false'"), "shop", "policy", true, "label sidecar.istio.io/inject: \"yes\"" },
	{ "", BOTH("''", "'false'"), "shop", "policy", true, NULL },
	{ "", NOTE("'True'"), "shop", "policy", true, "annotation sidecar.istio.io/inject: \"True\"" },
	{ "", NOTE("''"), "shop", "policy", true, NULL },
	{ "neverInject: [{matchLabels: {a: b}}]", APP("a: b"), "shop", "never-inject", false, NULL },
	{ "neverInject: [{matchLabels: {a: b}}]", APP("a: c"), "shop", "policy", true, NULL },
	{ "neverInject: [{matchLabels: {a: b}}]", BOTH("'true'", "x"), "shop", "label", true, NULL },
	{ "policy: disabled\nalwaysInject: [{matchLabels: {a: b}}]", APP("a: b"), "shop", "always-inject", true, NULL },
	{ "neverInject: [{matchLabels: {a: b}}]\nalwaysInject: [{matchLabels: {a: b}}]", APP("a: b"), "shop",
	  "never-inject", false, NULL },
	{ "neverInject: [{}, {matchLabels: {}}]", APP("a: b"), "shop", "policy", true, NULL },
	{ "neverInject: [{matchLabels: {a: b, c: d}}]", APP("a: b"), "shop", "policy", true, NULL },
	{ "neverInject: [{matchLabels: {x: z}}, {matchLabels: {a: b}}]", APP("a: b"), "shop", "never-inject", false, NULL },
	{ "neverInject: [{matchExpressions: [{key: a, operator: In, values: [x, b]}]}]", APP("a: b"), "shop",
	  "never-inject", false, NULL },
	{ "neverInject: [{matchExpressions: [{key: a, operator: In, values: [x]}]}]", APP("a: b"), "shop", "policy",
	  true, NULL },
	{ "neverInject: [{matchExpressions: [{key: z, operator: NotIn, values: [x]}]}]", APP("a: b"), "shop",
	  "never-inject", false, NULL },
	{ "neverInject: [{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}]", APP("a: b"), "shop", "policy",
	  true, NULL },
	{ "neverInject: [{matchExpressions: [{key: a, operator: Exists}]}]", APP("a: b"), "shop", "never-inject", false,
	  NULL },
	{ "neverInject: [{matchExpressions: [{key: a, operator: DoesNotExist}]}]", APP("a: b"), "shop", "policy", true,
	  NULL },
	{ "neverInject: [{matchExpressions: [{key: z, operator: DoesNotExist}]}]", "spec: {}", "shop", "never-inject",
	  false, NULL },
	{ "neverInject: [{matchLabels: {a: b}, matchExpressions: [{key: z, operator: Exists}]}]", APP("a: b"), "shop",
	  "policy", true, NULL },
};

START_TEST(decision)
{
	struct pod_run run;
	const char *warning;

	pod_run_decide(&run, decisions[_i].config, decisions[_i].pod, decisions[_i].namespace);
	ck_assert_str_eq(pod_run_value(&run, "reason"), decisions[_i].reason);
	ck_assert_int_eq(run.result.injected, decisions[_i].injected);
	ck_assert_ptr_eq(run.result.pod, run.request.pod);
	warning = pod_run_value(&run, "warnings");
	if (decisions[_i].warning)
		ck_assert_msg(strstr(warning, decisions[_i].warning), "%s", warning);
	else
		ck_assert_str_eq(warning, "");
	pod_run_free(&run);
}
END_TEST

static const struct {
	const char *pod, *error;
} no_pods[] = {
	{ "{}", "spec: expected a mapping" },
	{ "spec: 5", "spec: expected a mapping" },
	{ "metadata: []\nspec: {}", "metadata: expected a mapping" },
	{ "metadata: {labels: {a: 1}}\nspec: {}", "metadata.labels: \"a\": expected a string" },
	{ "metadata: {annotations: {a: true}}\nspec: {}", "metadata.annotations: \"a\": expected a string" },
	{ "spec: {hostNetwork: 'true'}", "spec.hostNetwork: expected true or false" },
	{ "spec: {containers: {}}", "spec.containers: expected a list" },
	{ "spec: {containers: [5]}", "spec.containers[0]: expected a mapping" },
	{ "spec: {containers: [{name: 5}]}", "spec.containers[0].name: expected a string" },
	{ "spec: {initContainers: [{name: a}, {}]}", "spec.initContainers[1].name: expected a string" },
	{ "spec: {containers: [{name: a, env: {}}]}", "spec.containers[0].env: expected a list" },
	{ "spec: {containers: [{name: a, livenessProbe: {httpGet: 1}}]}",
	  "spec.containers[0].livenessProbe.httpGet: expected a mapping" },
	{ "spec: {volumes: [{}]}", "spec.volumes[0].name: expected a string" },
	{ "metadata: {ownerReferences: [5]}\nspec: {}", "metadata.ownerReferences[0]: expected a mapping" },
};

START_TEST(no_pod)
{
	struct pod_run run;

	pod_run(&run, "", no_pods[_i].pod);
	ck_assert_str_eq(pod_run_value(&run, "error"), no_pods[_i].error);
	ck_assert_int_eq(run.result.refusal, REFUSED_OBJECT);
	ck_assert_int_eq((int)run.err.status, STATUS_DATA);
	pod_run_free(&run);
}
END_TEST

/* The table of SPEC-inject 4.2, both ways */
static const struct {
	const char *revision, *namespace_labels, *pod_labels, *webhook; /* NULL: none */
	const char *why;                                                /* part of it, where there is none */
} webhooks[] = {
	{ "default", "istio-injection: enabled", "", "namespace", NULL },
	{ "default", "istio-injection: enabled", "sidecar.istio.io/inject: 'true'", "namespace", NULL },
	{ "default", "istio-injection: enabled", "sidecar.istio.io/inject: 'false'", NULL, "inject=false of the pod" },
	{ "default", "istio-injection: enabled, istio.io/rev: canary", "", "namespace", NULL },
	{ "default", "istio-injection: enabled, istio.io/rev: default", "", "namespace", NULL },
	{ "default", "istio-injection: disabled", "sidecar.istio.io/inject: 'true'", NULL,
	  "istio-injection=disabled of the namespace" },
	{ "default", "istio-injection: disabled, istio.io/rev: default", "istio.io/rev: default", NULL,
	  "istio-injection=disabled" },
	{ "default", "istio.io/rev: default", "", "rev.namespace", NULL },
	{ "default", "istio.io/rev: default", "istio.io/rev: canary", "rev.namespace", NULL },
	{ "default", "istio.io/rev: canary", "istio.io/rev: default", NULL, "istio.io/rev=canary of the namespace" },
	{ "default", "", "istio.io/rev: default", "rev.object", NULL },
	{ "default", "", "istio.io/rev: default, sidecar.istio.io/inject: 'true'", "rev.object", NULL },
	{ "default", "", "istio.io/rev: default, sidecar.istio.io/inject: 'false'", NULL, "inject=false of the pod" },
	{ "default", "", "sidecar.istio.io/inject: 'true'", "object", NULL },
	{ "default", "", "istio.io/rev: canary, sidecar.istio.io/inject: 'true'", NULL, "istio.io/rev=canary of the pod" },
	{ "default", "", "", NULL, "neither" },
	{ "default", "", "sidecar.istio.io/inject: 'yes'", NULL, "neither" },
	{ "canary", "istio-injection: enabled", "", NULL, "istio-injection=enabled" },
	{ "canary", "istio.io/rev: canary", "", "rev.namespace", NULL },
	{ "canary", "", "istio.io/rev: canary", "rev.object", NULL },
	{ "canary", "", "sidecar.istio.io/inject: 'true'", NULL, "neither" },
};

START_TEST(webhook)
{
	char config[100], pod[200], labels[200];
	const char *name, *why;
	struct pod_run run;
	json_t *of_namespace;

	snprintf(config, sizeof(config), "revision: %s", webhooks[_i].revision);
	snprintf(pod, sizeof(pod), "metadata: {labels: {%s}}\nspec: {}", webhooks[_i].pod_labels);
	snprintf(labels, sizeof(labels), "{%s}", webhooks[_i].namespace_labels);
	pod_run_decide(&run, config, pod, "shop");
	ck_assert_int_eq(yaml_parse(labels, strlen(labels), &of_namespace, &run.err), 0);
	name = pod_webhook(&run.request, of_namespace, &why);
	ck_assert_str_eq(name ? name : "none", webhooks[_i].webhook ? webhooks[_i].webhook : "none");
	ck_assert_msg(name || strstr(why, webhooks[_i].why), "%s", why);
	run.request.namespace = "kube-system";
	ck_assert_ptr_null(pod_webhook(&run.request, of_namespace, &why));
	pod_run_free(&run);
}
END_TEST

static const struct {
	const char *document, *pointer, *name, *kind, *api_version; /* pointer NULL: no pod */
} documents[] = {
	{ "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {}}", "", NULL, NULL, NULL },
	{ "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {}}}", "/spec/template", "x",
	  "Deployment", "apps/v1" },
	{ "{apiVersion: extensions/v1beta1, kind: DaemonSet, metadata: {name: x}, spec: {template: {}}}",
	  "/spec/template", "x", "DaemonSet", "extensions/v1beta1" },
	{ "{apiVersion: apps/v1, kind: StatefulSet, spec: {template: {}}}", "/spec/template", "", "StatefulSet", "apps/v1" },
	{ "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: x}, spec: {template: {}}}", "/spec/template", "x",
	  "ReplicaSet", "apps/v1" },
	{ "{apiVersion: v1, kind: ReplicationController, metadata: {name: x}, spec: {template: {}}}", "/spec/template",
	  "x", "ReplicationController", "v1" },
	{ "{apiVersion: batch/v1, kind: Job, metadata: {name: x}, spec: {template: {}}}", "/spec/template", "x", "Job",
	  "batch/v1" },
	{ "{apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: x}, spec: {jobTemplate: {spec: {template: {}}}}}",
	  "/spec/jobTemplate/spec/template", "x", "CronJob", "batch/v1beta1" },
	{ "{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, metadata: {name: x}, spec: {template: {}}}",
	  "/spec/template", "x", "DeploymentConfig", "apps.openshift.io/v1" },
	{ "{apiVersion: batch.volcano.sh/v1alpha1, kind: Job, spec: {template: {}}}", NULL, NULL, NULL, NULL },
	{ "{apiVersion: v1, kind: Service, spec: {}}", NULL, NULL, NULL, NULL },
	{ "{apiVersion: v1}", NULL, NULL, NULL, NULL },
	{ "[]", NULL, NULL, NULL, NULL },
};

START_TEST(document)
{
	struct arena *arena = arena_new();
	struct pod_place place;
	struct err err;
	json_t *value;

	json_use_arena(arena);
	ck_assert_int_eq(yaml_parse(documents[_i].document, strlen(documents[_i].document), &value, &err), 0);
	ck_assert_int_eq(pod_find(value, &place, &err), documents[_i].pointer != NULL);
	if (documents[_i].pointer) {
		ck_assert_str_eq(place.pointer, documents[_i].pointer);
		ck_assert_ptr_eq(place.pod, json_at(value, place.pointer));
	}
	if (documents[_i].name) {
		ck_assert_str_eq(place.workload.name, documents[_i].name);
		ck_assert_str_eq(place.workload.kind, documents[_i].kind);
		ck_assert_str_eq(place.workload.api_version, documents[_i].api_version);
	}
	arena_free(arena);
}
END_TEST

START_TEST(document_without_template)
{
	static const char text[] = "{apiVersion: apps/v1, kind: Deployment, spec: {template: 5}}";
	struct arena *arena = arena_new();
	struct pod_place place;
	struct err err;
	json_t *value;

	json_use_arena(arena);
	ck_assert_int_eq(yaml_parse(text, strlen(text), &value, &err), 0);
	ck_assert_int_lt(pod_find(value, &place, &err), 0);
	ck_assert_str_eq(err.what, "/spec/template: expected a mapping");
	arena_free(arena);
}
END_TEST

Suite *suite_pod_decide(void)
{
	Suite *suite = suite_create("pod_decide");
	TCase *tests = tcase_create("tests");

	tcase_add_loop_test(tests, decision, 0, ARRAY_SIZE(decisions));
	tcase_add_loop_test(tests, no_pod, 0, ARRAY_SIZE(no_pods));
	tcase_add_loop_test(tests, webhook, 0, ARRAY_SIZE(webhooks));
	tcase_add_loop_test(tests, document, 0, ARRAY_SIZE(documents));
	tcase_add_test(tests, document_without_template);
	suite_add_tcase(suite, tests);
	return suite;
}
