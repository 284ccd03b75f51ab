/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlays: variables, conditions, merge, and what is refused when they are loaded. */
#include <stdlib.h>
#include <string.h>

#include "../../src/inject/load.h"
#include "../../src/pod/merge.h"
#include "json.h"
#include "json_write.h"
#include "pod_run.h"

Suite *suite_pod_overlay(void);

/* One value, as the label x of the pod */
#define SHOW(text) "overlays: {p: {metadata: {annotations: {x: " text "}}}}"
#define X "/metadata/annotations/x"
/* ... and as a member of its spec, where it may be anything */
#define SPEC(text) "overlays: {p: {spec: " text "}}"
#define APP "spec: {containers: [{name: app}]}"
#define META(text) "metadata: {" text "}\n" APP
#define NOTES(text) META("annotations: {" text "}")
#define LABELS(text) META("labels: {" text "}")
#define OWNER(kind, name) \
	"generateName: g-, ownerReferences: [{kind: Node, name: nn}, {controller: true, apiVersion: a/v1, kind: " kind \
	", name: " name "}]"
#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

static const struct pod_case variables[] = {
	{ SHOW("'${annotation:a/b.c}'"), NOTES("a/b.c: v"), X, "v" },
	{ SHOW("'${label:a}'"), LABELS("a: v"), X, "v" },
	{ SHOW("'<${annotation:none}>'"), APP, X, "<>" },
	{ SHOW("'${annotation:none|d}'"), APP, X, "d" },
	{ SHOW("'${annotation:a|d}'"), NOTES("a: ''"), X, "d" },
	{ SHOW("'${annotation:a|}'"), APP, X, "" },
	{ SHOW("'${annotation:a|${label:b|${mode}}}'"), APP, X, "REDIRECT" },
	{ SHOW("'${annotation:a|{\"x\":{}}}'"), APP, X, "{\"x\":{}}" },
	{ SHOW("'$${mode} $$${mode} $(X) $ $5 ${mode}$'"), APP, X, "${mode} $${mode} $(X) $ $5 REDIRECT$" },
	{ SHOW("'${annotation:a}'"), NOTES("a: '${mode} {$if: x}'"), X, "${mode} {$if: x}" },
	{ SHOW("'${pod.name}'"), META("name: nn, generateName: g-"), X, "nn" },
	{ SHOW("'${pod.name}'"), META("generateName: g-"), X, "g-" },
	{ SHOW("'${pod.namespace} ${workload.namespace}'"), APP, X, "shop shop" },
	{ SHOW("'${pod.serviceAccount}'"), APP, X, "default" },
	{ SHOW("'${pod.serviceAccount}'"), "spec: {serviceAccountName: sa, containers: []}", X, "sa" },
	{ SHOW("'${workload.name} ${workload.kind} ${workload.plural} ${workload.apiVersion} ${workload.owner}'"),
	  META("name: nn"), X, "nn pod pods v1 kubernetes://apis/v1/namespaces/shop/pods/nn" },
	{ SHOW("'${workload.name} ${workload.kind} ${workload.owner}'"), META(OWNER("DaemonSet", "d")), X,
	  "d daemonset kubernetes://apis/a/v1/namespaces/shop/daemonsets/d" },
	{ SHOW("'${workload.name} ${workload.owner}'"),
	  META(OWNER("ReplicaSet", "web-5f6") ", labels: {pod-template-hash: 5f6}"), X,
	  "web kubernetes://apis/apps/v1/namespaces/shop/deployments/web" },
	{ SHOW("'${workload.name} ${workload.kind}'"),
	  META(OWNER("ReplicaSet", "web-5f6") ", labels: {pod-template-hash: 5f7}"), X, "web-5f6 replicaset" },
	{ SHOW("'${workload.name} ${workload.owner}'"),
	  META(OWNER("ReplicaSet", "web-5f6") ", labels: {rollouts-pod-template-hash: 5f6}"), X,
	  "web kubernetes://apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web" },
	{ SHOW("'${workload.name} ${workload.owner}'"),
	  META(OWNER("ReplicationController", "dc-1") ", labels: {deploymentconfig: dc}"), X,
	  "dc kubernetes://apis/apps.openshift.io/v1/namespaces/shop/deploymentconfigs/dc" },
	{ SHOW("'${workload.name} ${workload.owner}'"), META(OWNER("Job", "cron-12345678")), X,
	  "cron kubernetes://apis/batch/v1/namespaces/shop/cronjobs/cron" },
	{ SHOW("'${workload.name} ${workload.kind}'"), META(OWNER("Job", "cron-1234567890")), X, "cron cronjob" },
	{ SHOW("'${workload.name} ${workload.kind}'"), META(OWNER("Job", "cron-1234567")), X, "cron-1234567 job" },
	{ SHOW("'${workload.name} ${workload.kind}'"), META(OWNER("Job", "cron-12345678901")), X, "cron-12345678901 job" },
	{ SHOW("'${workload.name} ${workload.kind}'"),
	  META("name: nn, ownerReferences: [{controller: true, kind: Job, name: j}]"), X, "nn pod" },
	{ SHOW("'${workload.name}'"), META("generateName: g-h-"), X, "g-h" },
	{ SHOW("'${canonical.name} ${canonical.revision}'"), META("name: nn"), X, "nn latest" },
	{ SHOW("'${canonical.name} ${canonical.revision}'"), LABELS("app: a, version: v"), X, "a v" },
	{ SHOW("'${canonical.name} ${canonical.revision}'"),
	  LABELS("app: a, app.kubernetes.io/name: k, version: v, app.kubernetes.io/version: w"), X, "k w" },
	{ SHOW("'${canonical.name} ${canonical.revision}'"),
	  LABELS("app: a, service.istio.io/canonical-name: c, version: v, service.istio.io/canonical-revision: r"), X,
	  "c r" },
	{ SHOW("'${canonical.name}'"), META("name: -." SIXTY "_b"), X, SIXTY },
	{ SHOW("'${mode} ${native} ${hold|no} ${init} ${status.port} ${revision} ${proxy.uid}'"), APP, X,
	  "REDIRECT true no container 15020 default 1337" },
	{ SHOW("'${native|no} ${hold} ${revision}'") "\nnative: false\nhold: true\nrevision: r", APP, X, "no true r" },
	{ SHOW("'${hold|no}'") "\nhold: true", APP, X, "no" },
	{ SHOW("'${hold}'") "\nnative: false\nproxyConfig: {holdApplicationUntilProxyStarts: true}", APP, X, "true" },
	{ SHOW("'${status.port|none}'") "\nstatusPort: 0", APP, X, "none" },
	{ SHOW("'${proxy.uid}'"), NOTES("istio-init/proxy-uid: '5'"), X, "5" },
	{ SHOW("'${app.containers} ${app.first}'"), "spec: {containers: [{name: istio-proxy}, {name: a}, {name: b}]}",
	  X, "a,b a" },
	{ SHOW("'${app.first|none}'"), "spec: {containers: []}", X, "none" },
	{ SHOW("'${app.ports}'"),
	  "spec: {containers: [{name: a, ports: [{containerPort: 8, name: nn, protocol: UDP, hostIP: h, hostPort: 9, x: 1}]}, {name: "
	  "b, ports: [{containerPort: 7}]}, {name: istio-proxy, ports: [{containerPort: 1}]}]}",
	  X, "[{\"name\":\"nn\",\"hostPort\":9,\"containerPort\":8,\"protocol\":\"UDP\",\"hostIP\":\"h\"},{\"containerPort\":7}]" },
	{ SHOW("'${app.ports}'"), APP, X, "[]" },
	{ SHOW("'${proxyConfig}'") "\nproxyConfig: {a: {b: 1, l: [1]}, c: 2}",
	  NOTES("proxy.istio.io/config: 'a: {b: 5, l: [2], d: 6}'"), X, "{\"a\":{\"b\":5,\"l\":[2],\"d\":6},\"c\":2}" },
	{ SHOW("'${proxyMetadata:A} ${proxyMetadata:B} ${proxyMetadata:C|no}'") "\nproxyConfig: {proxyMetadata: {A: '1', B: true}}",
	  NOTES("proxy.istio.io/config: 'proxyMetadata: {A: x}'"), X, "x true no" },
	{ SHOW("'${resources}'") "\nresources: {requests: {cpu: 1, memory: null}, limits: null}", APP, X,
	  "{\"requests\":{\"cpu\":1}}" },
	{ SHOW("'${resources}'") "\nresources: {requests: {cpu: 1}}",
	  NOTES("sidecar.istio.io/proxyMemoryLimit: 1Gi, sidecar.istio.io/proxyCPU: 2m"), X,
	  "{\"requests\":{\"cpu\":\"2m\"},\"limits\":{\"memory\":\"1Gi\"}}" },
	/* typed */
	{ SPEC("{x: '${int:annotation:a}'}"), NOTES("a: '-15'"), "/spec/x", "-15" },
	{ SPEC("{x: '${int:annotation:none|15}'}"), APP, "/spec/x", "15" },
	{ SPEC("{x: '${int:annotation:none|${status.port}}'}"), APP, "/spec/x", "15020" },
	{ SPEC("{x: '${bool:annotation:none|F}'}"), APP, "/spec/x", "false" },
	{ SPEC("{x: '${bool:native}'}"), APP, "/spec/x", "true" },
	{ SPEC("{x: '${json:annotation:a}'}"), NOTES("a: '{\"b\":[1,1e3]}'"), "/spec/x", "{\"b\":[1,1e3]}" },
	{ SPEC("{x: '${json:annotation:a|[1,{}]}'}"), APP, "/spec/x", "[1,{}]" },
	{ SPEC("{x: '${json:annotation:a|{\"$if\":\"no\"}}'}"), APP, "/spec/x", "{\"$if\":\"no\"}" },
	{ SPEC("{x: '${annotation:a}'}"), NOTES("a: '5'"), "/spec/x", "5" },
	{ SPEC("{x: '${int:annotation:a}'}"), NOTES("a: 5x"), "error",
	  "annotation a: \"5x\": item \"5x\": expected a whole number for ${int:annotation:a} in overlay p" },
	{ SPEC("{x: '${int:annotation:a}'}"), NOTES("a: '05'"), "error",
	  "annotation a: \"05\": item \"05\": expected a whole number for ${int:annotation:a} in overlay p" },
	{ SPEC("{x: '${bool:label:a}'}"), LABELS("a: x"), "error",
	  "overlay p: ${bool:label:a}: \"x\": expected true or false" },
	{ SPEC("{x: '${json:annotation:a|}'}"), APP, "error", "overlay p: ${json:annotation:a|}: \"\": expected JSON" },
	{ SPEC("{containers: [{name: '${json:annotation:a}'}]}"), NOTES("a: '[5]'"), "error",
	  "overlays: a container has [5] for its name: expected a string" },
	{ SPEC("{initContainers: [{name: '${annotation:a}'}]}"), APP, "error",
	  "overlays: a container has \"\" for its name: expected a string" },
	{ SPEC("{containers: [{name: a, env: '${json:annotation:a}'}]}"), NOTES("a: '{}'"), "error",
	  "with the overlays, spec.containers[1].env: expected a list" },
	/* no text is pasted into YAML */
	{ SPEC("{x: ['${annotation:a}']}"), NOTES("a: \"x\\n- u: {$if: z}\\\"\""), "/spec/x", "[\"x\\n- u: {$if: z}\\\"\"]" },
};

START_TEST(variable)
{
	pod_case_check(&variables[_i]);
}
END_TEST

static const struct pod_case conditions[] = {
	{ SPEC("{x: {$if: native, a: 1}}"), APP, "/spec/x", "{\"a\":1}" },
	{ SPEC("{u: 1, x: {$if: hold, a: 1}}"), APP, "/spec/x", "" },
	{ SPEC("{x: {$if: '!hold', a: 1}}"), APP, "/spec/x", "{\"a\":1}" },
	{ SPEC("{x: {$if: mode=REDIRECT, $value: 1}}"), APP, "/spec/x", "1" },
	{ SPEC("{x: {$if: mode=TPROXY, $value: 1, $else: 2}}"), APP, "/spec/x", "2" },
	{ SPEC("{x: {$if: mode!=TPROXY, $value: [1]}}"), APP, "/spec/x", "[1]" },
	{ SPEC("{x: {$if: 'label:a=', $value: 1}}"), APP, "/spec/x", "1" },
	{ SPEC("{x: {$if: 'label:a=b=c', $value: 1}}"), LABELS("a: b=c"), "/spec/x", "1" },
	{ SPEC("{x: {$if: label:a, $value: 1, $else: 2}}"), LABELS("a: 'false'"), "/spec/x", "2" },
	{ SPEC("{x: {$if: label:a, $value: 1, $else: 2}}"), LABELS("a: '0'"), "/spec/x", "2" },
	{ SPEC("{x: {$if: label:a, $value: 1, $else: 2}}"), LABELS("a: ''"), "/spec/x", "2" },
	{ SPEC("{x: {$if: label:a, $value: 1, $else: 2}}"), LABELS("a: 'no'"), "/spec/x", "1" },
	{ SPEC("{x: {$if: [native, '!hold', mode=REDIRECT], $value: 1, $else: 2}}"), APP, "/spec/x", "1" },
	{ SPEC("{x: {$if: [native, hold], $value: 1, $else: 2}}"), APP, "/spec/x", "2" },
	{ SPEC("{x: {$if: hold, $value: 1, $else: {$if: native, $value: 3}}}"), APP, "/spec/x", "3" },
	{ SPEC("{x: {$if: hold, a: 1, $else: {b: '${mode}'}}}"), APP, "/spec/x", "{\"b\":\"REDIRECT\"}" },
	{ SPEC("{x: [a, {$if: hold, $value: b}, {$if: native, $value: c}]}"), APP, "/spec/x", "[\"a\",\"c\"]" },
	{ SPEC("{x: [a, {$if: native, $value: [b, c]}, {$if: hold, $value: q, $else: [d]}]}"), APP, "/spec/x",
	  "[\"a\",\"b\",\"c\",\"d\"]" },
	{ SPEC("{x: [[a], {$if: native, k: v}]}"), APP, "/spec/x", "[[\"a\"],{\"k\":\"v\"}]" },
	/* what conditions have emptied goes, what was empty stays */
	{ SPEC("{u: 1, x: {a: {$if: hold, $value: 1}}}"), APP, "/spec/x", "" },
	{ SPEC("{u: 1, x: {a: {b: [{$if: hold, $value: 1}]}}}"), APP, "/spec/x", "" },
	{ SPEC("{x: {a: {}, b: []}}"), APP, "/spec/x", "{\"a\":{},\"b\":[]}" },
	{ SPEC("{x: {$if: native}}"), APP, "/spec/x", "{}" },
	{ SPEC("{$if: hold, x: 1}"), APP, "/spec/x", "" },
	{ "overlays: {p: {metadata: {$if: hold, labels: {a: b}}}}", APP, "/metadata/labels", "" },
};

START_TEST(condition)
{
	pod_case_check(&conditions[_i]);
}
END_TEST

/* @flags of merge; all values in YAML, what comes of it in JSON */
static const struct {
	const char *base, *over, *wanted;
	unsigned flags;
} merges[] = {
	{ "{a: 1, b: 2}", "{b: 3, c: 4}", "{\"a\":1,\"b\":3,\"c\":4}", 0 },
	{ "{a: {x: 1}}", "{a: {u: 2}}", "{\"a\":{\"x\":1,\"u\":2}}", 0 },
	{ "{a: [1, 2]}", "{a: [3]}", "{\"a\":[3]}", 0 },
	{ "{a: 1}", "{a: {x: 1}}", "{\"a\":{\"x\":1}}", 0 },
	{ "{a: 1, b: 2}", "{a: null}", "{\"b\":2}", 0 },
	{ "{a: null}", "{a: {b: null, c: 1}}", "{\"a\":{\"c\":1}}", 0 },
	{ "{b: 1}", "{a: null, c: [{d: null}]}", "{\"b\":1,\"c\":[{}]}", 0 },
	{ "{a: 1}", "{a: null, b: {c: null}}", "{\"a\":null,\"b\":{\"c\":null}}", MERGE_NULLS },
	{ "{env: [{name: a, value: 1}, {name: b}]}", "{env: [{name: c}, {name: a, value: 2}]}",
	  "{\"env\":[{\"name\":\"c\"},{\"name\":\"a\",\"value\":2},{\"name\":\"b\"}]}", 0 },
	{ "{volumeMounts: [{mountPath: /a, name: x}]}",
	  "{volumeMounts: [{mountPath: /a, name: w}, {mountPath: /b, name: x}]}",
	  "{\"volumeMounts\":[{\"mountPath\":\"/a\",\"name\":\"w\"},{\"mountPath\":\"/b\",\"name\":\"x\"}]}", 0 },
	{ "{volumeDevices: [{devicePath: /a, name: x}]}", "{volumeDevices: [{devicePath: /a, name: w}]}",
	  "{\"volumeDevices\":[{\"devicePath\":\"/a\",\"name\":\"w\"}]}", 0 },
	{ "{ports: [{containerPort: 1, name: a}]}", "{ports: [{containerPort: 1, name: b}, {containerPort: 2}]}",
	  "{\"ports\":[{\"containerPort\":1,\"name\":\"b\"},{\"containerPort\":2}]}", 0 },
	{ "{hostAliases: [{ip: 1, hostnames: [a]}]}", "{hostAliases: [{ip: 2}, {ip: 1, hostnames: [b]}]}",
	  "{\"hostAliases\":[{\"ip\":2},{\"ip\":1,\"hostnames\":[\"b\"]}]}", 0 },
	{ "{topologySpreadConstraints: [{topologyKey: z, maxSkew: 1}]}",
	  "{topologySpreadConstraints: [{topologyKey: z, maxSkew: 2}]}",
	  "{\"topologySpreadConstraints\":[{\"topologyKey\":\"z\",\"maxSkew\":2}]}", 0 },
	{ "{imagePullSecrets: [{name: a}]}", "{imagePullSecrets: [{name: b}, {name: a}]}",
	  "{\"imagePullSecrets\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", 0 },
	{ "{volumes: [{name: a, emptyDir: {}}, {name: b}]}", "{volumes: [{name: c}, {name: a, emptyDir: {medium: m}}]}",
	  "{\"volumes\":[{\"name\":\"a\",\"emptyDir\":{\"medium\":\"m\"}},{\"name\":\"b\"},{\"name\":\"c\"}]}", 0 },
	{ "{volumes: [{name: a, emptyDir: {}}]}", "{volumes: [{name: a, configMap: {name: x}}]}",
	  "{\"volumes\":[{\"name\":\"a\",\"configMap\":{\"name\":\"x\"}}]}", 0 },
	{ "{tolerations: [{key: a}]}", "{tolerations: [{key: b}]}", "{\"tolerations\":[{\"key\":\"b\"}]}", 0 },
	/* two of a key: the first with the first, none is lost */
	{ "{ports: [{containerPort: 53, protocol: TCP}, {containerPort: 53, protocol: UDP}]}",
	  "{ports: [{containerPort: 53, name: d}]}",
	  "{\"ports\":[{\"containerPort\":53,\"protocol\":\"TCP\",\"name\":\"d\"},{\"containerPort\":53,\"protocol\":\"UDP\"}]}",
	  0 },
	{ "{ports: [{containerPort: 1}]}", "{ports: [{containerPort: 1, protocol: TCP}, {containerPort: 1, protocol: UDP}]}",
	  "{\"ports\":[{\"containerPort\":1,\"protocol\":\"TCP\"},{\"containerPort\":1,\"protocol\":\"UDP\"}]}", 0 },
	{ "{env: [{value: x}, {name: a}]}", "{env: [{name: a, value: 1}]}",
	  "{\"env\":[{\"name\":\"a\",\"value\":1},{\"value\":\"x\"}]}", 0 },
	{ "{env: [5, {value: x}]}", "{env: [{value: x}, 5]}", "{\"env\":[{\"value\":\"x\"},5]}", 0 },
	/* the base wins */
	{ "{a: 1, c: {x: 1}, w: null}", "{a: 2, b: 3, c: {x: 2, u: 2}, w: 5, z: null}",
	  "{\"a\":1,\"c\":{\"x\":1,\"u\":2},\"w\":5,\"b\":3}", MERGE_UNDER },
	{ "{env: [{name: u}, {name: a, value: 1}], args: [x]}", "{env: [{name: o}, {name: a, value: 2, q: 1}], args: [y]}",
	  "{\"env\":[{\"name\":\"u\"},{\"name\":\"a\",\"value\":1,\"q\":1},{\"name\":\"o\"}],\"args\":[\"x\"]}",
	  MERGE_UNDER },
	/* no list has a key */
	{ "{env: [{name: a}], x: {u: 1}}", "{env: [{name: b}], x: {z: null}}",
	  "{\"env\":[{\"name\":\"b\"}],\"x\":{\"u\":1,\"z\":null}}", MERGE_PLAIN | MERGE_NULLS },
	/* what the pod's value extends counts as there already */
	{ "{a: 1, b: x}", "{a: 1, z: 0, f: false, s: '', l: [], m: {}}", "{\"a\":1,\"b\":\"x\"}", MERGE_EXTEND },
	{ "{a: 1}", "{a: 2, b: 1}", "{\"a\":2,\"b\":1}", MERGE_EXTEND },
	{ "{l: [{a: 1, b: 2}, x]}", "{l: [{a: 1}, x]}", "{\"l\":[{\"a\":1,\"b\":2},\"x\"]}", MERGE_EXTEND },
	{ "{l: [{a: 1, b: 2}]}", "{l: [{a: 1}, x]}", "{\"l\":[{\"a\":1},\"x\"]}", MERGE_EXTEND },
	{ "{l: [{a: 1, b: 2}]}", "{l: [{a: 3}]}", "{\"l\":[{\"a\":3}]}", MERGE_EXTEND },
	{ "{r: {limits: {cpu: '1', m: 1Gi}, requests: {cpu: 500m}}}",
	  "{r: {limits: {cpu: 1000m, m: 1024Mi}, requests: {cpu: 0.5}}}",
	  "{\"r\":{\"limits\":{\"cpu\":\"1\",\"m\":\"1Gi\"},\"requests\":{\"cpu\":\"500m\"}}}", MERGE_EXTEND },
	{ "{limits: {cpu: 1}}", "{limits: {cpu: '1'}}", "{\"limits\":{\"cpu\":1}}", MERGE_EXTEND },
	{ "{limits: {cpu: '1'}}", "{limits: {cpu: '2'}}", "{\"limits\":{\"cpu\":\"2\"}}", MERGE_EXTEND },
	{ "{other: {cpu: '1'}}", "{other: {cpu: 1000m}}", "{\"other\":{\"cpu\":\"1000m\"}}", MERGE_EXTEND },
};

START_TEST(merged)
{
	struct arena *arena = arena_new();
	json_t *base, *over, *value;
	struct err err;
	char *before;

	json_use_arena(arena);
	ck_assert_int_eq(yaml_parse(merges[_i].base, strlen(merges[_i].base), &base, &err), 0);
	ck_assert_int_eq(yaml_parse(merges[_i].over, strlen(merges[_i].over), &over, &err), 0);
	before = json_text(base);
	value = merge(base, over, merges[_i].flags, NULL);
	ck_assert_str_eq(json_text(value), merges[_i].wanted);
	ck_assert_str_eq(json_text(base), before);
	ck_assert_msg(value == base || strcmp(before, json_text(value)), "an equal copy of %s", before);
	arena_free(arena);
}
END_TEST

static const struct pod_case whole[] = {
	/* into each other in the order chosen, then into the pod; a null stays one */
	{ "overlays: {a: {spec: {x: 1, u: 1}}, b: {spec: {x: 2, z: null}}}", "spec: {z: 5, containers: []}", "/spec",
	  "{\"containers\":[],\"x\":2,\"u\":1,\"initContainers\":" },
	{ "overlays: {a: {spec: {x: 1}}, b: {spec: {x: 2}}}\ndefault: [b, a]", APP, "/spec/x", "1" },
	{ "overlays: {a: {spec: {x: 1}}, b: {spec: {x: 2}}}", NOTES("inject.istio.io/templates: 'b, a, b'"), "overlays",
	  "b a" },
	{ "overlays: {a: {spec: {x: 1}}, b: {spec: {x: 2}}}\naliases: {al: [b, a], a: [b]}",
	  NOTES("inject.istio.io/templates: al"), "overlays", "b a" },
	{ "overlays: {a: {}, b: {}}\naliases: {a: [b]}", NOTES("inject.istio.io/templates: a"), "overlays", "a" },
	{ "overlays: {a: {sidecar: false, spec: {containers: [{name: istio-proxy}]}}}", APP, "/spec/initContainers", "" },
	{ "overlays: {a: {sidecar: false, spec: {containers: [{name: istio-proxy}]}}}", APP, "/spec/containers",
	  "[{\"name\":\"app\"},{\"name\":\"istio-proxy\"}]" },
	{ "overlays: {a: {spec: {containers: [{name: istio-proxy}]}}, b: {sidecar: false}}", APP, "args", "" },
	{ "overlays: {a: {metadata: {labels: {l: new}, annotations: {w: null}}}}",
	  META("labels: {l: old}, annotations: {w: x}"), "/metadata/labels", "{\"l\":\"new\"}" },
	{ "overlays: {a: {metadata: {annotations: {w: null}}}}", NOTES("n: x"), "/metadata/annotations/w", "" },
	{ "overlays: {a: {spec: {containers: [{name: istio-proxy, volumeMounts: [{name: o, mountPath: /o}]}]}}}",
	  NOTES("sidecar.istio.io/userVolume: '{\"v\":{\"emptyDir\":{}},\"a\":{\"secret\":{}}}', "
		"sidecar.istio.io/userVolumeMount: '{\"v\":{\"mountPath\":\"/v\"}}'"),
	  "/spec/volumes", "[{\"name\":\"a\",\"secret\":{}},{\"name\":\"v\",\"emptyDir\":{}}]" },
	{ "overlays: {a: {spec: {containers: [{name: istio-proxy, volumeMounts: [{name: o, mountPath: /o}]}]}}}",
	  NOTES("sidecar.istio.io/userVolumeMount: '{\"v\":{\"mountPath\":\"/v\"}}'"), "/spec/initContainers/1/volumeMounts",
	  "[{\"name\":\"o\",\"mountPath\":\"/o\"},{\"name\":\"v\",\"mountPath\":\"/v\"}]" },
};

START_TEST(overlay)
{
	struct pod_run run;
	const char *value;

	pod_run(&run, whole[_i].config, whole[_i].pod);
	value = pod_run_value(&run, whole[_i].what);
	/* of a whole spec only what stands in front of our containers */
	ck_assert_msg(!strcmp(value, whole[_i].wanted) || (!strcmp(whole[_i].what, "/spec") &&
							   !strncmp(value, whole[_i].wanted, strlen(whole[_i].wanted))),
		      "%s\n%s\nis %s\nnot %s", whole[_i].config, whole[_i].pod, value, whole[_i].wanted);
	pod_run_free(&run);
}
END_TEST

/* What is refused at load, and where */
static const struct {
	const char *config, *error;
} bad[] = {
	{ SPEC("{x: '${nothing}'}"), "config:1: overlays.p.spec.x: expected a known variable instead of \"nothing\"" },
	{ SPEC("{x: '${annotation:}'}"), "a known variable" },
	{ SPEC("{x: '${mode.x}'}"), "a known variable" },
	{ SPEC("{x: '${mode|${nothing}}'}"), "a known variable" },
	{ SPEC("{x: '${}'}"), "a known variable" },
	{ SPEC("{x: '${mode'}"), "a closing brace" },
	{ SPEC("{x: '${mode|{}'}"), "a closing brace" },
	{ SPEC("{x: ' ${int:mode}'}"), "alone, not inside other text" },
	{ SPEC("{x: '${mode|${json:mode}}'}"), "alone, not inside other text" },
	{ SPEC("{x: {$if: nothing, a: 1}}"), "config:1: overlays.p.spec.x.$if: expected a condition on a known variable" },
	{ SPEC("{x: {$if: '!mode=x', a: 1}}"), "NAME!=TEXT" },
	{ SPEC("{x: {$if: true, a: 1}}"), "a condition" },
	{ SPEC("{x: {$if: [], a: 1}}"), "at least one condition" },
	{ SPEC("{x: {$if: [mode, 5], a: 1}}"), "overlays.p.spec.x.$if[1]: expected a condition" },
	{ SPEC("{x: {$value: 1}}"), "$if beside it" },
	{ SPEC("{x: {$else: 1, a: 2}}"), "$if beside it" },
	{ SPEC("{x: {$if: mode, $value: 1, a: 2}}"), "no other key beside $value" },
	{ SPEC("{x: {$if: mode, $then: 1}}"), "$if, $value or $else" },
	{ SPEC("{containers: [{image: x}]}"), "config:1: overlays.p.spec.containers[0]: expected a name" },
	{ SPEC("{containers: [{$if: mode, $value: [{name: a}, {image: x}]}]}"), "containers[0].$value[1]: expected a name" },
	{ SPEC("{containers: [{$if: mode, name: a, $else: {image: x}}]}"), "containers[0].$else: expected a name" },
	{ SPEC("{containers: {name: x}}"), "a list" },
	{ SPEC("{initContainers: [x]}"), "a mapping with name" },
	{ SPEC("[]"), "a mapping, a partial PodSpec" },
	{ "overlays: {p: {spec: {}, kind: Pod}}", "config:1: overlays.p.kind: expected no key but metadata, spec, sidecar" },
	{ "overlays: {p: {metadata: {name: x}}}", "no key but labels, annotations" },
	{ "overlays: {p: {metadata: {labels: {a: 5}}}}", "overlays.p.metadata.labels.a: expected a string" },
	{ "overlays: {p: {metadata: {annotations: {a: '${int:mode}'}}}}", "a string, not ${int:...}" },
	{ "overlays: {p: {metadata: {annotations: {a: {$if: mode, $value: 1}}}}}",
	  "annotations.a.$value: expected a string" },
	{ "overlays: {p: {sidecar: 'no way'}}", "overlays.p.sidecar: expected true or false" },
	{ "initContainer: {image: i, args: []}", "initContainer.args: expected no args" },
	{ "initContainer: {image: '${nothing}'}", "a known variable" },
	{ "initContainer: {imagePullPolicy: x}", "with image" },
	{ "default: [q]", "default[0]: expected the name of an overlay" },
	{ "aliases: {x: [q]}", "aliases.x[0]: expected the name of an overlay" },
	{ "capture: {dry-run: true}", "config:1: capture.dry-run: expected an option other than those" },
	{ "capture: {sidecar: true}", "an option other than those" },
	{ "capture: {log_target: x}", "an option other than those" },
	{ "capture: {nothing: true}", "an option of istio-init" },
	{ "capture: {envoy-port: 0}", "a port" },
	{ "capture: {istio-service-cidr: '@/x,10.0.0.0/99'}", "a prefix length 0-32 instead of \"10.0.0.0/99\"" },
	{ "capture: {istio-inbound-interception-mode: NONE}", "REDIRECT or TPROXY" },
	{ "neverInject: {}", "a list of label selectors" },
	{ "neverInject: [{matchLabels: {a: 1}}]", "neverInject[0].matchLabels.a: expected a string" },
	{ "neverInject: [{matchExpressions: [{key: a, operator: Is}]}]", "an operator In, NotIn" },
	{ "neverInject: [{matchExpressions: [{key: a, operator: In}]}]", "values: expected a list of at least one" },
	{ "neverInject: [{matchExpressions: [{key: a, operator: Exists, values: [b]}]}]", "no values" },
	{ "proxyConfig: {interceptionMode: X}", "proxyConfig.interceptionMode: expected REDIRECT, TPROXY or NONE" },
	{ "proxyConfig: {proxyMetadata: {A: []}}", "proxyConfig.proxyMetadata.A: expected a text" },
	{ "proxyConfig: {statusPort: 70000}", "proxyConfig.statusPort: expected a port" },
	{ "resources: {requests: {cpu: 1x}}", "resources.requests.cpu: expected a quantity" },
	{ "resources: {request: {}}", "no key but requests, limits, claims" },
	{ "order: after", "auto, first, last or after:NAME" },
	{ "proxyPorts: '1,x'", "a port" },
};

START_TEST(refused)
{
	char text[1000];
	struct inject_config cfg;
	struct arena *arena = arena_new();
	struct err err;

	json_use_arena(arena);
	snprintf(text, sizeof(text), "%s\n%s", bad[_i].config,
		 strstr(bad[_i].config, "initContainer") ? "" : "initContainer: {image: i}");
	ck_assert_msg(config_parse(&cfg, "config", text, strlen(text), arena, &err), "%s was taken", text);
	ck_assert_msg(strstr(err.what, bad[_i].error), "%s\n%s\nnot %s", text, err.what, bad[_i].error);
	ck_assert_int_eq((int)err.status, STATUS_USAGE);
	arena_free(arena);
}
END_TEST

Suite *suite_pod_overlay(void)
{
	Suite *suite = suite_create("pod_overlay");
	TCase *tests = tcase_create("tests");

	tcase_add_loop_test(tests, variable, 0, ARRAY_SIZE(variables));
	tcase_add_loop_test(tests, condition, 0, ARRAY_SIZE(conditions));
	tcase_add_loop_test(tests, merged, 0, ARRAY_SIZE(merges));
	tcase_add_loop_test(tests, overlay, 0, ARRAY_SIZE(whole));
	tcase_add_loop_test(tests, refused, 0, ARRAY_SIZE(bad));
	suite_add_tcase(suite, tests);
	return suite;
}
