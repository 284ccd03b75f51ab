/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is added and where it stands; the second injection; probes and metrics. */
#include <stdlib.h>
#include <string.h>

#include "../../src/pod/validate.h"
#include "json.h"
#include "pod_run.h"

Suite *suite_pod_inject(void);

#define P "overlays: {p: {spec: {containers: [{name: istio-proxy, image: p}]}}}\n"
#define FULL \
	"overlays: {p: {spec: {initContainers: [{name: prepare}], containers: [{name: helper}, {name: istio-proxy, image: p}, " \
	"{name: other}]}}}\n"
#define APP "spec: {containers: [{name: app}]}"
#define OWN "spec: {initContainers: [{name: one}, {name: two}], containers: [{name: app}, {name: web}]}"
#define NOTES(text, spec) "metadata: {annotations: {" text "}}\n" spec
#define USER(fields) "spec: {containers: [{name: istio-proxy, " fields "}, {name: app}]}"
#define PROXY "/spec/initContainers/1"
#define OVERRIDES "/metadata/annotations/proxy.istio.io~1overrides"

static const struct pod_case orders[] = {
	{ FULL, OWN, "init", "istio-init istio-proxy prepare one two" },
	{ FULL, OWN, "containers", "app web helper other" },
	{ FULL "init: cni", OWN, "init", "istio-validation istio-proxy prepare one two" },
	{ FULL "init: cni\nvalidation: false", OWN, "init", "istio-proxy prepare one two" },
	{ FULL "init: none", OWN, "init", "istio-proxy prepare one two" },
	{ FULL "native: false", OWN, "init", "one two prepare istio-init" },
	{ FULL "native: false", OWN, "containers", "app web helper other istio-proxy" },
	{ FULL "native: false\ninit: cni", OWN, "init", "istio-validation one two prepare" },
	{ FULL "native: false\nhold: true", OWN, "containers", "istio-proxy app web helper other" },
	{ FULL "native: false\nproxyConfig: {holdApplicationUntilProxyStarts: true}", OWN, "containers",
	  "istio-proxy app web helper other" },
	{ FULL "hold: true", OWN, "containers", "app web helper other" },
	{ FULL, NOTES("sidecar.istio.io/nativeSidecar: 'false'", OWN), "init", "one two prepare istio-init" },
	{ FULL "native: false", NOTES("sidecar.istio.io/nativeSidecar: 'true'", OWN), "init",
	  "istio-init istio-proxy prepare one two" },
	{ FULL "order: first", OWN, "init", "istio-init istio-proxy prepare one two" },
	{ FULL "order: last", OWN, "init", "one two istio-init istio-proxy prepare" },
	{ FULL "order: after:one", OWN, "init", "one istio-init istio-proxy prepare two" },
	{ FULL "order: after:two", OWN, "init", "one two istio-init istio-proxy prepare" },
	{ FULL "order: after:none", OWN, "init", "istio-init istio-proxy prepare one two" },
	{ FULL "order: after:none", OWN, "warnings",
	  "order after:\"none\": the pod has no such init container; auto is taken" },
	{ FULL "order: after:one", NOTES("istio-inject/order: last", OWN), "init", "one two istio-init istio-proxy prepare" },
	{ FULL "order: last", NOTES("istio-inject/order: auto", OWN), "init", "istio-init istio-proxy prepare one two" },
	{ FULL "native: false\norder: first", OWN, "init", "prepare istio-init one two" },
	{ FULL "native: false\ninit: cni\norder: last", OWN, "init", "one two istio-validation prepare" },
	{ FULL "native: false\norder: after:one", OWN, "init", "one prepare istio-init two" },
	{ P, APP, "/spec/initContainers/1/restartPolicy", "Always" },
	{ P "native: false", APP, "/spec/containers/1/restartPolicy", "" },
	{ P, "spec: {restartPolicy: Never, containers: [{name: app}]}", "warnings", "" },
	{ P "native: false", "spec: {restartPolicy: OnFailure, containers: [{name: app}]}", "warnings",
	  "restartPolicy is \"OnFailure\" and the proxy is no native sidecar: this pod never ends" },
	/* in front of ours, another webhook has put its own: ours go back */
	{ P,
	  NOTES("sidecar.istio.io/status: '{\"initContainers\":[\"istio-init\",\"istio-proxy\"]}'",
		"spec: {initContainers: [{name: x}, {name: istio-init}, {name: istio-proxy}], containers: [{name: app}]}"),
	  "init", "istio-init istio-proxy x" },
	/* from an ordinary container to a native sidecar, and back */
	{ P,
	  NOTES("sidecar.istio.io/status: '{\"containers\":[\"istio-proxy\"]}'",
		"spec: {containers: [{name: istio-proxy, x: 1}, {name: app}]}"),
	  "/spec/initContainers/1", "{\"name\":\"istio-proxy\",\"x\":1,\"image\":\"p\",\"restartPolicy\":\"Always\"}" },
	{ P "native: false",
	  NOTES("sidecar.istio.io/status: '{\"initContainers\":[\"istio-proxy\"]}'",
		"spec: {initContainers: [{name: istio-proxy, restartPolicy: Always, x: 1}], containers: [{name: app}]}"),
	  "/spec/containers/1", "{\"name\":\"istio-proxy\",\"x\":1,\"image\":\"p\"}" },
};

START_TEST(order)
{
	pod_case_check(&orders[_i]);
}
END_TEST

static const struct pod_case statuses[] = {
	{ FULL, OWN, "status",
	  "{\"initContainers\":[\"istio-init\",\"istio-proxy\",\"prepare\"],\"containers\":[\"helper\",\"other\"],\"volumes\":null,"
	  "\"imagePullSecrets\":null,\"revision\":\"default\"}" },
	{ "overlays: {p: {spec: {volumes: [{name: v}, {name: w}], imagePullSecrets: [{name: s}]}}}\ninit: none\nrevision: r",
	  APP, "status",
	  "{\"initContainers\":null,\"containers\":null,\"volumes\":[\"v\",\"w\"],\"imagePullSecrets\":[\"s\"],\"revision\":\"r\"}" },
	/* one of an earlier injection stays, and stays known */
	{ P,
	  NOTES("sidecar.istio.io/status: '{\"containers\":[\"old\",\"gone\"]}'",
		"spec: {containers: [{name: old}, {name: app}]}"),
	  "status",
	  "{\"initContainers\":[\"istio-init\",\"istio-proxy\"],\"containers\":[\"old\"],\"volumes\":null,\"imagePullSecrets\":null,"
	  "\"revision\":\"default\"}" },
	{ P, NOTES("sidecar.istio.io/status: '{\"containers\":[\"old\"]}'", "spec: {containers: [{name: old}, {name: app}]}"),
	  "containers", "old app" },
	{ P, NOTES("sidecar.istio.io/status: '{\"containers\":[\"old\"]}'", "spec: {containers: [{name: old}, {name: app}]}"),
	  "warnings", "container \"old\" is of an earlier injection, and no longer in the overlays: it stays" },
	{ P, NOTES("sidecar.istio.io/status: '[]'", APP), "init", "istio-init istio-proxy" },
	{ P, NOTES("sidecar.istio.io/status: x", APP), "init", "istio-init istio-proxy" },
	/* the user's own part wins, and is kept */
	{ P, USER("image: mine, args: [a]"), PROXY,
	  "{\"name\":\"istio-proxy\",\"image\":\"mine\",\"args\":[\"a\"],\"restartPolicy\":\"Always\"}" },
	{ P, USER("image: auto"), PROXY "/image", "p" },
	{ P, USER("image: auto, args: [a]"), OVERRIDES,
	  "{\"initContainers\":[{\"name\":\"istio-proxy\",\"args\":[\"a\"]}]}" },
	{ P "native: false", USER("image: i"), OVERRIDES, "{\"containers\":[{\"name\":\"istio-proxy\",\"image\":\"i\"}]}" },
	{ P, APP, OVERRIDES, "" },
	{ FULL, "spec: {containers: [{name: istio-proxy}, {name: helper}, {name: app}]}", OVERRIDES,
	  "{\"containers\":[{\"name\":\"helper\"}],\"initContainers\":[{\"name\":\"istio-proxy\"}]}" },
	{ P "init: container", "spec: {initContainers: [{name: istio-init, args: [mine]}], containers: [{name: app}]}",
	  "args", "mine" },
	{ P, "spec: {initContainers: [{name: istio-init, args: [mine]}], containers: [{name: app}]}",
	  "/spec/initContainers/0/image", "i" },
	{ P "init: none", "spec: {initContainers: [{name: istio-init, args: [mine]}], containers: [{name: app}]}",
	  OVERRIDES, "" },
	{ "overlays: {p: {spec: {containers: [{name: istio-proxy, env: [{name: A, value: 1}, {name: B, value: 2}]}]}}}",
	  USER("env: [{name: C}, {name: B, value: 3}]"), PROXY "/env",
	  "[{\"name\":\"C\"},{\"name\":\"B\",\"value\":3},{\"name\":\"A\",\"value\":1}]" },
	/* asked again: overlay over it, then what the user had written; what is written there once stays */
	{ P,
	  NOTES("sidecar.istio.io/status: '{\"initContainers\":[\"istio-proxy\"]}', proxy.istio.io/overrides: "
		"'{\"initContainers\":[{\"name\":\"istio-proxy\",\"args\":[\"u\"]}]}'",
		"spec: {initContainers: [{name: istio-proxy, image: old, args: [u], policy: default}], containers: [{name: app}]}"),
	  PROXY,
	  "{\"name\":\"istio-proxy\",\"image\":\"p\",\"args\":[\"u\"],\"policy\":\"default\",\"restartPolicy\":\"Always\"}" },
	{ FULL,
	  NOTES("sidecar.istio.io/status: '{\"initContainers\":[\"istio-proxy\"]}', proxy.istio.io/overrides: "
		"'{\"initContainers\":[{\"name\":\"istio-proxy\",\"args\":[\"u\"]}]}'",
		"spec: {containers: [{name: app}, {name: helper, image: h}]}"),
	  OVERRIDES,
	  "{\"containers\":[{\"name\":\"helper\",\"image\":\"h\"}],\"initContainers\":[{\"name\":\"istio-proxy\",\"args\":[\"u\"]}]}" },
	{ P, NOTES("sidecar.istio.io/status: '{\"volumes\":[\"v\"]}'", APP), "again", "" },
	{ FULL, USER("image: mine, args: [a]"), "again", "" },
	{ "overlays: {p: {spec: {volumes: [{name: v, emptyDir: {}, s: 0}]}}}",
	  NOTES("sidecar.istio.io/status: '{\"volumes\":[\"v\"]}'",
		"spec: {volumes: [{name: v, emptyDir: {a: b}}], containers: []}"),
	  "/spec/volumes", "[{\"name\":\"v\",\"emptyDir\":{\"a\":\"b\"}}]" },
	{ "overlays: {p: {spec: {volumes: [{name: v, emptyDir: {}, s: 0}]}}}",
	  "spec: {volumes: [{name: v, emptyDir: {a: b}}]}", "/spec/volumes",
	  "[{\"name\":\"v\",\"emptyDir\":{\"a\":\"b\"},\"s\":0}]" },
	{ "overlays: {p: {spec: {volumes: [{name: v, secret: {}}]}}}",
	  NOTES("sidecar.istio.io/status: '{\"volumes\":[\"v\"]}'", "spec: {volumes: [{name: v, emptyDir: {}}]}"),
	  "/spec/volumes", "[{\"name\":\"v\",\"secret\":{}}]" },
	/* TPROXY: the overlay's user, not the user's */
	{ "overlays: {p: {spec: {containers: [{name: istio-proxy, securityContext: {runAsUser: 0}}]}}}",
	  NOTES("sidecar.istio.io/interceptionMode: TPROXY", USER("securityContext: {runAsUser: 5, runAsGroup: 6}")),
	  PROXY "/securityContext", "{\"runAsGroup\":6,\"runAsUser\":0}" },
	{ "overlays: {p: {spec: {containers: [{name: istio-proxy, securityContext: {runAsUser: 0}}]}}}",
	  USER("securityContext: {runAsUser: 5}"), PROXY "/securityContext", "{\"runAsUser\":5}" },
	{ "overlays: {p: {spec: {containers: [{name: istio-proxy}]}}}",
	  NOTES("sidecar.istio.io/interceptionMode: TPROXY", USER("securityContext: {runAsUser: 5}")),
	  PROXY "/securityContext", "{\"runAsUser\":5}" },
};

START_TEST(status)
{
	pod_case_check(&statuses[_i]);
}
END_TEST

#define CONTEXT(uid, gid) \
	"{\"runAsUser\":" uid ",\"runAsGroup\":" gid ",\"runAsNonRoot\":true,\"privileged\":false," \
	"\"allowPrivilegeEscalation\":false,\"readOnlyRootFilesystem\":true,\"capabilities\":{\"drop\":[\"ALL\"]}}"
#define SECURITY "/spec/initContainers/0/securityContext"
#define T "traffic.sidecar.istio.io~1"
#define NOTE "/metadata/annotations/"

static const struct pod_case makers[] = {
	{ "resources: {limits: {cpu: 1}}", APP, "/spec/initContainers/0/resources", "{\"limits\":{\"cpu\":1}}" },
	{ "", APP, "/spec/initContainers/0/resources", "" },
	{ "", APP, SECURITY "/capabilities/add", "[\"NET_ADMIN\",\"NET_RAW\"]" },
	{ "init: cni", APP, SECURITY, CONTEXT("1337", "1337") },
	{ "init: cni\ncapture: {proxy-uid: '5,6'}", APP, SECURITY, CONTEXT("5", "5") },
	{ "init: cni\noverlays: {p: {spec: {containers: [{name: istio-proxy, securityContext: {runAsUser: 5, runAsGroup: 6}}]}}}",
	  APP, SECURITY, CONTEXT("5", "6") },
	{ "init: cni\noverlays: {p: {spec: {containers: [{name: istio-proxy, securityContext: {runAsUser: 0, runAsGroup: 6}}]}}}",
	  NOTES("sidecar.istio.io/interceptionMode: TPROXY", APP), SECURITY, CONTEXT("1337", "1337") },
	{ "initContainer: {image: 'i:${revision}', securityContext: {privileged: null, capabilities: {add: [X]}}, x: {$if: hold, a: 1}}",
	  APP, SECURITY "/capabilities", "{\"drop\":[\"ALL\"],\"add\":[\"X\"]}" },
	{ "initContainer: {image: 'i:${revision}', securityContext: {privileged: null}}", APP, SECURITY "/privileged", "" },
	{ "initContainer: {image: 'i:${revision}'}", APP, "/spec/initContainers/0/image", "i:default" },
	/* proxyMetadata: by name, behind the overlay's, in both containers */
	{ "proxyConfig: {proxyMetadata: {B: '2', A: 1, E: x}}\ninitContainer: {image: i, env: [{name: E}]}", APP,
	  "/spec/initContainers/0/env",
	  "[{\"name\":\"E\",\"value\":\"x\"},{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"value\":\"2\"}]" },
	{ P "proxyConfig: {proxyMetadata: {B: '2', A: true}}", APP, PROXY "/env",
	  "[{\"name\":\"A\",\"value\":\"true\"},{\"name\":\"B\",\"value\":\"2\"}]" },
	/* an overlay's own istio-init is laid over the built-in one */
	{ "overlays: {p: {spec: {initContainers: [{name: istio-init, x: 1}]}}}", APP, "/spec/initContainers/0/x", "1" },
	/* what the plugin is told */
	{ "init: cni", APP, NOTE "sidecar.istio.io~1interceptionMode", "REDIRECT" },
	{ "init: cni", NOTES("sidecar.istio.io/interceptionMode: NONE", APP), NOTE "sidecar.istio.io~1interceptionMode",
	  "NONE" },
	{ "init: cni\nproxyConfig: {interceptionMode: NONE}", APP, NOTE "sidecar.istio.io~1interceptionMode", "NONE" },
	{ "init: cni\noverlays: {p: {sidecar: false}}", APP, NOTE "sidecar.istio.io~1interceptionMode", "NONE" },
	{ "init: cni\noverlays: {p: {sidecar: false}}", APP, NOTE T "includeInboundPorts", "" },
	{ "init: cni", APP, NOTE T "includeInboundPorts", "*" },
	{ "init: cni", APP, NOTE T "excludeInboundPorts", "15020" },
	{ "init: cni", NOTES("traffic.sidecar.istio.io/excludeInboundPorts: '80'", APP), NOTE T "excludeInboundPorts",
	  "80,15020" },
	{ "init: cni\nstatusPort: 0", APP, NOTE T "excludeInboundPorts", "" },
	{ "init: cni", APP, NOTE T "includeOutboundIPRanges", "*" },
	{ "init: cni\ncapture: {istio-service-cidr: ''}", APP, NOTE T "includeOutboundIPRanges", "" },
	{ "init: cni\ncapture: {istio-service-exclude-cidr: 1.1.1.1}", APP, NOTE T "excludeOutboundIPRanges", "1.1.1.1" },
	{ "init: cni\ncapture: {istio-service-exclude-cidr: '@/x'}", APP, NOTE T "excludeOutboundIPRanges", "" },
	{ "init: cni\ncapture: {istio-outbound-ports: '1'}", APP, NOTE T "includeOutboundPorts", "1" },
	{ "init: cni\ncapture: {kube-virt-interfaces: a}", APP, NOTE "istio.io~1reroute-virtual-interfaces", "a" },
	{ "init: cni\ncapture: {comments: true, backend: nftables}", APP, NOTE "istio-init~1comments", "true" },
	{ "init: cni\ncapture: {comments: true, backend: nftables}", APP, NOTE "istio-init~1backend", "nftables" },
	{ "init: cni", APP, NOTE "istio-init~1proxy-uid", "" },
	{ "init: cni\ncapture: {proxy-uid: 5}", APP, NOTE "istio-init~1proxy-uid", "5" },
	{ "init: cni\noverlays: {p: {spec: {containers: [{name: istio-proxy, securityContext: {runAsGroup: 6}}]}}}",
	  APP, NOTE "istio-init~1proxy-gid", "6" },
	{ "init: cni", APP, NOTE "istio-init~1redirect-dns", "" },
	{ "init: cni\nproxyConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true', INVALID_DROP: '1'}}", APP,
	  NOTE "istio-init~1redirect-dns", "true" },
	{ "init: cni\nproxyConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true', INVALID_DROP: '1'}}", APP,
	  NOTE "istio-init~1drop-invalid", "true" },
	{ "init: cni\nproxyConfig: {proxyMetadata: {ISTIO_DUAL_STACK: ALL}}", APP, NOTE "istio-init~1dual-stack", "" },
	{ "init: cni\nproxyConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true'}}",
	  NOTES("istio-init/redirect-dns: 'false'", APP), NOTE "istio-init~1redirect-dns", "false" },
	{ "init: container", APP, NOTE "sidecar.istio.io~1interceptionMode", "" },
	{ "init: cni\ncapture: {comments: true}\nproxyConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true'}}", APP,
	  "again", "" },
};

START_TEST(maker)
{
	pod_case_check(&makers[_i]);
}
END_TEST

#define REWRITE P "rewriteProbes: true\n"
#define PROBES "/spec/initContainers/1/env/0/value"
#define WEB(fields) "spec: {containers: [{name: app, ports: [{name: http, containerPort: 80}], " fields "}]}"
#define ASKS(path) "{\"httpGet\":{\"port\":15020,\"path\":\"" path "\"}}"

static const struct pod_case probes[] = {
	{ REWRITE, WEB("readinessProbe: {httpGet: {port: 8080}}"), "/spec/containers/0/readinessProbe",
	  ASKS("/app-health/app/readyz") },
	{ REWRITE, WEB("readinessProbe: {httpGet: {port: 8080, path: /x}, timeoutSeconds: 3, periodSeconds: 1}"),
	  PROBES, "{\"/app-health/app/readyz\":{\"httpGet\":{\"port\":8080,\"path\":\"/x\"},\"timeoutSeconds\":3}}" },
	{ REWRITE, WEB("livenessProbe: {httpGet: {port: http, scheme: HTTPS, host: h, httpHeaders: [{name: a}]}, x: 1}"),
	  "/spec/containers/0/livenessProbe",
	  "{\"httpGet\":{\"port\":15020,\"scheme\":\"HTTP\",\"host\":\"h\",\"httpHeaders\":[{\"name\":\"a\"}],\"path\":\"/app-health/app/"
	  "livez\"},\"x\":1}" },
	{ REWRITE, WEB("livenessProbe: {httpGet: {port: http, scheme: HTTPS}}"), PROBES,
	  "{\"/app-health/app/livez\":{\"httpGet\":{\"port\":80,\"scheme\":\"HTTPS\"}}}" },
	{ REWRITE, WEB("startupProbe: {tcpSocket: {port: 5}}"), "/spec/containers/0/startupProbe",
	  "{\"httpGet\":{\"path\":\"/app-health/app/startupz\",\"port\":15020}}" },
	{ REWRITE, WEB("startupProbe: {tcpSocket: {port: 5}}"), PROBES,
	  "{\"/app-health/app/startupz\":{\"tcpSocket\":{\"port\":5}}}" },
	{ REWRITE, WEB("startupProbe: {grpc: {port: 5, service: s}}"), PROBES,
	  "{\"/app-health/app/startupz\":{\"grpc\":{\"port\":5,\"service\":\"s\"}}}" },
	{ REWRITE, WEB("startupProbe: {exec: {command: [x]}}"), PROBES, "" },
	{ REWRITE, WEB("lifecycle: {preStop: {httpGet: {port: 1}}, postStart: {tcpSocket: {port: 2}}}"),
	  "/spec/containers/0/lifecycle",
	  "{\"preStop\":{\"httpGet\":{\"port\":15020,\"path\":\"/app-lifecycle/app/prestopz\"}},\"postStart\":{\"httpGet\":{\"path\":"
	  "\"/app-lifecycle/app/poststartz\",\"port\":15020}}}" },
	{ REWRITE, WEB("lifecycle: {preStop: {exec: {command: []}, grpc: {port: 1}}}"),
	  "/spec/containers/0/lifecycle/preStop", "{\"exec\":{\"command\":[]},\"grpc\":{\"port\":1}}" },
	{ REWRITE, WEB("livenessProbe: {httpGet: {port: 1}}, readinessProbe: {httpGet: {port: 2}}"), PROBES,
	  "{\"/app-health/app/livez\":{\"httpGet\":{\"port\":1}},\"/app-health/app/readyz\":{\"httpGet\":{\"port\":2}}}" },
	/* left out of the JSON */
	{ REWRITE, WEB("livenessProbe: {httpGet: {port: nobody}}"), PROBES, "" },
	{ REWRITE, WEB("livenessProbe: {httpGet: {port: nobody}}"), "/spec/containers/0/livenessProbe",
	  ASKS("/app-health/app/livez") },
	{ REWRITE, WEB("livenessProbe: {httpGet: {port: 15020}}"), PROBES, "" },
	{ REWRITE,
	  "spec: {initContainers: [{name: s, restartPolicy: Always, startupProbe: {httpGet: {port: 1}}}], containers: []}",
	  "/spec/initContainers/2/startupProbe", ASKS("/app-health/s/startupz") },
	/* the proxy's own stay; no proxy, no port, or not wished: nothing */
	{ REWRITE, USER("livenessProbe: {httpGet: {port: 1}}"), PROXY "/livenessProbe", "{\"httpGet\":{\"port\":1}}" },
	{ "rewriteProbes: true", WEB("livenessProbe: {httpGet: {port: 1}}"), "/spec/containers/0/livenessProbe",
	  "{\"httpGet\":{\"port\":1}}" },
	{ REWRITE "statusPort: 0", WEB("livenessProbe: {httpGet: {port: 1}}"), "/spec/containers/0/livenessProbe",
	  "{\"httpGet\":{\"port\":1}}" },
	{ REWRITE, NOTES("sidecar.istio.io/rewriteAppHTTPProbers: 'false'", WEB("livenessProbe: {httpGet: {port: 1}}")),
	  "/spec/containers/0/livenessProbe", "{\"httpGet\":{\"port\":1}}" },
	{ P, NOTES("sidecar.istio.io/rewriteAppHTTPProbers: 'true'", WEB("livenessProbe: {httpGet: {port: 1}}")),
	  "/spec/containers/0/livenessProbe", ASKS("/app-health/app/livez") },
	{ REWRITE, NOTES("status.sidecar.istio.io/port: '99'", WEB("livenessProbe: {httpGet: {port: 1}}")),
	  "/spec/containers/0/livenessProbe/httpGet/port", "99" },
	{ REWRITE, WEB("livenessProbe: {httpGet: {port: 1}}, startupProbe: {grpc: {port: 2}}"), "again", "" },
	/* what an earlier injection has seen stays and wins */
	{ REWRITE,
	  NOTES("sidecar.istio.io/status: '{\"initContainers\":[\"istio-proxy\"]}'",
		"spec: {initContainers: [{name: istio-proxy, env: [{name: ISTIO_KUBE_APP_PROBERS, value: "
		"'{\"/app-health/app/livez\":{\"httpGet\":{\"port\":7}},\"/x\":{}}'}]}], containers: [{name: app, livenessProbe: "
		"{httpGet: {port: 1}}, readinessProbe: {httpGet: {port: 2}}}]}"),
	  PROBES,
	  "{\"/app-health/app/livez\":{\"httpGet\":{\"port\":7}},\"/app-health/app/readyz\":{\"httpGet\":{\"port\":2}},\"/x\":{}}" },
};

START_TEST(probe)
{
	pod_case_check(&probes[_i]);
}
END_TEST

#define METRICS P "mergePrometheus: true\n"
#define PROM(notes) NOTES(notes, APP)
#define KEY "/metadata/annotations/prometheus.io~1"

static const struct pod_case metrics[] = {
	{ METRICS, PROM("prometheus.io/port: '80', prometheus.io/scrape: 'true', prometheus.io/path: /m"), PROBES,
	  "{\"scrape\":\"true\",\"path\":\"/m\",\"port\":\"80\"}" },
	{ METRICS, PROM("prometheus.io/port: '80'"), PROBES, "{\"scrape\":\"\",\"path\":\"\",\"port\":\"80\"}" },
	{ METRICS, PROM("prometheus.io/port: '80'"), KEY "port", "15020" },
	{ METRICS, PROM("prometheus.io/port: '80'"), KEY "path", "/stats/prometheus" },
	{ METRICS, PROM("prometheus.io/port: '80'"), KEY "scrape", "true" },
	{ METRICS, PROM("prometheus-io-port: '80', prometheus_io/path: /p"), PROBES,
	  "{\"scrape\":\"\",\"path\":\"/p\",\"port\":\"80\"}" },
	{ METRICS, PROM("prometheus-io-port: '80'"), "/metadata/annotations/prometheus-io-port", "" },
	{ METRICS, PROM(""), PROBES, "" },
	{ METRICS, PROM(""), KEY "port", "15020" },
	{ METRICS, PROM("prometheus.io/scrape: 'false', prometheus.io/port: '80'"), KEY "port", "80" },
	{ METRICS, PROM("prometheus.io/scrape: 'no', prometheus.io/port: '80'"), KEY "port", "15020" },
	{ METRICS, PROM("prometheus.io/port: '15020', prometheus.io/path: /x"), KEY "path", "/x" },
	{ METRICS, PROM("prometheus.istio.io/scrape-targets: '80:/a, 81', prometheus.io/port: '70'"), PROBES,
	  "{\"scrape\":\"\",\"path\":\"/a\",\"port\":\"80\",\"targets\":[{\"port\":\"80\",\"path\":\"/a\"},{\"port\":\"81\",\"path\":"
	  "\"/metrics\"}]}" },
	{ METRICS, PROM("prometheus.istio.io/scrape-targets: '80'"),
	  "/metadata/annotations/prometheus.istio.io~1scrape-targets", "" },
	{ METRICS, PROM("prometheus.istio.io/scrape-targets: '80,15020'"), "error",
	  "annotation prometheus.istio.io/scrape-targets: \"80,15020\": item \"15020\": expected a port that is not the proxy's" },
	{ METRICS, PROM("prometheus.io/port: http"), "error",
	  "annotation prometheus.io/port: \"http\": item \"http\": expected a port 1-65535" },
	{ METRICS, PROM("prometheus.io/port: '15090'"), "error",
	  "annotation prometheus.io/port: \"15090\": item \"15090\": expected a port that is not the proxy's" },
	{ METRICS, NOTES("prometheus.istio.io/merge-metrics: 'false', prometheus.io/port: '80'", APP), KEY "port", "80" },
	{ P, NOTES("prometheus.istio.io/merge-metrics: 'true', prometheus.io/port: '80'", APP), KEY "port", "15020" },
	{ METRICS, NOTES("status.sidecar.istio.io/port: '99', prometheus.io/port: '80'", APP), KEY "port", "15020" },
	{ METRICS "proxyConfig: {statusPort: 98}", PROM("prometheus.io/port: '80'"), KEY "port", "98" },
	{ METRICS "statusPort: 0", PROM("prometheus.io/port: '80'"), KEY "port", "80" },
	{ "mergePrometheus: true", PROM("prometheus.io/port: '80'"), KEY "port", "80" },
	{ METRICS, PROM("prometheus.istio.io/scrape-targets: '80:/a, 81', prometheus_io_port: '70'"), "again", "" },
};

START_TEST(metric)
{
	pod_case_check(&metrics[_i]);
}
END_TEST

static const struct {
	const char *a, *b; /* b NULL: a is none */
	bool equal;
} quantities[] = {
	{ "1", "1000m", true },   { "0.5", "500m", true }, { "1Gi", "1024Mi", true }, { "1k", "1000", true },
	{ "1E3", "1k", true },    { "1e-3", "1m", true },  { "1E", "1000P", true },   { "0", "0Gi", true },
	{ "-1", "-1000m", true }, { "+1", "1.0", true },   { "1G", "1Gi", false },    { "1", "1001m", false },
	{ "-1", "1", false },     { ".5", "0.50", true },  { "5.", "5", true },       { "", NULL, false },
	{ "m", NULL, false },     { "1mm", NULL, false },  { "1 m", NULL, false },    { "1.2.3", NULL, false },
	{ "1KiB", NULL, false },  { "1K", NULL, false },   { "e3", NULL, false },     { "1e", NULL, false },
	{ "1e3m", NULL, false },  { "--1", NULL, false },  { "1\n", NULL, false },    { "0x10", NULL, false },
};

START_TEST(quantity)
{
	ck_assert_int_eq(quantity_valid(quantities[_i].a), quantities[_i].b != NULL);
	if (quantities[_i].b)
		ck_assert_int_eq(quantity_equal(quantities[_i].a, quantities[_i].b), quantities[_i].equal);
}
END_TEST

Suite *suite_pod_inject(void)
{
	Suite *suite = suite_create("pod_inject");
	TCase *tests = tcase_create("tests");

	tcase_add_loop_test(tests, order, 0, ARRAY_SIZE(orders));
	tcase_add_loop_test(tests, status, 0, ARRAY_SIZE(statuses));
	tcase_add_loop_test(tests, maker, 0, ARRAY_SIZE(makers));
	tcase_add_loop_test(tests, probe, 0, ARRAY_SIZE(probes));
	tcase_add_loop_test(tests, metric, 0, ARRAY_SIZE(metrics));
	tcase_add_loop_test(tests, quantity, 0, ARRAY_SIZE(quantities));
	suite_add_tcase(suite, tests);
	return suite;
}
