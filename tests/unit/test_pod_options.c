/* SPDX-License-Identifier: GPL-2.0-or-later */
/* istio-init's options from annotations and configuration; what refuses a pod. */
#include <stdlib.h>
#include <string.h>

#include "pod_run.h"

#include "../../src/cli/options.h"
#include "../../src/pod/annotations.h"

Suite *suite_pod_options(void);

#define T "traffic.sidecar.istio.io/"
#define POD(notes) "metadata: {annotations: {" notes "}}\nspec: {containers: [{name: app}]}"
#define USER(user) "spec: {containers: [{name: app}, {name: istio-proxy, securityContext: {" user "}}]}"
#define HEAD "istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT "
#define MIDDLE "-i * -x  -b * -d 15090,15021,15020 "
#define ALL HEAD MIDDLE "--log_output_level=default:info"
#define CAPTURE(text) "capture: {" text "}"
#define TPROXY_PROXY \
	"overlays: {p: {spec: {containers: [{name: istio-proxy, securityContext: {runAsUser: 0, runAsGroup: 1337}}]}}}\n"

static const struct pod_case args[] = {
	{ "", POD(""), "args", ALL },
	{ CAPTURE("envoy-port: 1, inbound-capture-port: 2, proxy-uid: 3"), POD(""), "args",
	  "istio-iptables -p 1 -z 2 -u 3 -m REDIRECT " MIDDLE "--log_output_level=default:info" },
	{ "", POD("sidecar.istio.io/interceptionMode: TPROXY"), "args",
	  "istio-iptables -p 15001 -z 15006 -u 1337 -m TPROXY " MIDDLE "--log_output_level=default:info" },
	{ "proxyConfig: {interceptionMode: TPROXY}", POD("sidecar.istio.io/interceptionMode: REDIRECT"), "args", ALL },
	{ "proxyConfig: {interceptionMode: TPROXY}", POD(""), "/spec/initContainers/0/args/8", "TPROXY" },
	{ CAPTURE("istio-inbound-interception-mode: tproxy"), POD(""), "/spec/initContainers/0/args/8", "TPROXY" },
	{ "", POD("sidecar.istio.io/interceptionMode: NONE"), "/spec/initContainers", "" },
	{ "", POD(T "includeOutboundIPRanges: '10.0.0.0/8, ::1'"), "args",
	  HEAD "-i 10.0.0.0/8, ::1 -x  -b * -d 15090,15021,15020 --log_output_level=default:info" },
	{ "", POD(T "includeOutboundIPRanges: ''," T "excludeOutboundIPRanges: 1.2.3.4," T "includeInboundPorts: ''"),
	  "args", HEAD "-i  -x 1.2.3.4 -b  -d 15090,15021,15020 --log_output_level=default:info" },
	{ CAPTURE("istio-service-cidr: 10.0.0.0/8, istio-service-exclude-cidr: '@/x', istio-inbound-ports: ''"),
	  POD(""), "args", HEAD "-i 10.0.0.0/8 -x @/x -b  -d 15090,15021,15020 --log_output_level=default:info" },
	{ "", POD(T "excludeInboundPorts: ' 80,,90 ,'"), "/spec/initContainers/0/args/16", "15090,15021,80,90,15020" },
	{ "", POD(T "excludeInboundPorts: '15020,80'"), "/spec/initContainers/0/args/16", "15090,15021,15020,80" },
	{ CAPTURE("istio-local-exclude-ports: 7"), POD(""), "/spec/initContainers/0/args/16", "15090,15021,7,15020" },
	{ "", POD("status.sidecar.istio.io/port: '0'"), "/spec/initContainers/0/args/16", "15090,15021" },
	{ "", POD("status.sidecar.istio.io/port: '99'"), "/spec/initContainers/0/args/16", "15090,15021,99" },
	{ "statusPort: 0", POD(""), "/spec/initContainers/0/args/16", "15090,15021" },
	{ "proxyConfig: {statusPort: 98}", POD(""), "/spec/initContainers/0/args/16", "15090,15021,98" },
	{ "proxyPorts: '1'", POD(""), "/spec/initContainers/0/args/16", "1,15020" },
	{ "proxyPorts: ''\nstatusPort: 0", POD(""), "/spec/initContainers/0/args/16", "" },
	{ "",
	  POD(T "includeOutboundPorts: ''," T "excludeOutboundPorts: '1'," T "kubevirtInterfaces: a," T
		"excludeInterfaces: ''"),
	  "args", HEAD MIDDLE "-q  -o 1 -k a -c  --log_output_level=default:info" },
	{ CAPTURE("istio-outbound-ports: 1, istio-local-outbound-ports-exclude: 2, kube-virt-interfaces: a, "
		  "istio-exclude-interfaces: b"),
	  POD(""), "args", HEAD MIDDLE "-q 1 -o 2 -k a -c b --log_output_level=default:info" },
	{ "", POD("istio.io/reroute-virtual-interfaces: a," T "kubevirtInterfaces: b"), "args",
	  HEAD MIDDLE "-k a --log_output_level=default:info" },
	{ "", POD("sidecar.istio.io/agentLogLevel: default:debug"), "args", HEAD MIDDLE "--log_output_level=default:debug" },
	{ CAPTURE("log_output_level: error, log_as_json: true, force-apply: true, native-nftables: true"), POD(""),
	  "args", HEAD MIDDLE "--log_output_level=error --log_as_json --force-apply --native-nftables" },
	{ CAPTURE("log_as_json: false, force-apply: false, native-nftables: false"), POD(""), "args", ALL },
	{ "", POD("istio-init/proxy-uid: '7'"), "/spec/initContainers/0/args/6", "7" },
	{ "", USER("runAsUser: 99"), "/spec/initContainers/0/args/6", "99" },
	{ "overlays: {p: {spec: {containers: [{name: istio-proxy}]}}}", USER("runAsUser: 99"),
	  "/spec/initContainers/0/args/6", "99" },
	{ "overlays: {p: {spec: {containers: [{name: istio-proxy}]}}}", USER("runAsUser: 0"),
	  "/spec/initContainers/0/args/6", "1337" },
	{ "overlays: {p: {spec: {containers: [{name: istio-proxy, securityContext: {runAsUser: 5}}]}}}",
	  POD("istio-init/proxy-uid: '7,8'"), "/spec/initContainers/0/args/6", "7,8" },
	/* every other option, in order */
	{ "",
	  POD("istio-init/comments: '1', istio-init/long-lists: tree, istio-init/bypass-mark: '5', istio-init/exclude-inbound-cidrs: 1.1.1.1, "
	      "istio-init/exclude-outbound-ports-for-uids: 'tcp:1:2;udp:3:4', istio-init/exclude-outbound-gids: 1-2, "
	      "istio-init/exclude-outbound-uids: '3', istio-init/dns-zones: 'off', istio-init/dns-port: '53', istio-init/ipv6: "
	      "'off', istio-init/backend: nftables, istio-init/dual-stack: 'true', istio-init/drop-invalid: 'true', "
	      "istio-init/capture-all-dns: 'false', istio-init/redirect-dns: 'true', istio-init/proxy-gid: '9', "
	      "istio-init/inbound-tunnel-port: '8'"),
	  "args",
	  ALL " --inbound-tunnel-port=8 --proxy-gid=9 --redirect-dns --capture-all-dns=false --drop-invalid --dual-stack "
	      "--backend=nftables --ipv6=off --dns-port=53 --dns-zones=off --exclude-outbound-uids=3 --exclude-outbound-gids=1-2 "
	      "--exclude-outbound-ports-for-uids=tcp:1:2;udp:3:4 --exclude-inbound-cidrs=1.1.1.1 --bypass-mark=5 "
	      "--long-lists=tree --comments" },
	{ CAPTURE("istio-inbound-tproxy-mark: 5, istio-inbound-tproxy-route-table: 6, reconcile: true, force-iptables-binary: nft, "
		  "resolv-conf: /x, wait: 3s"),
	  POD(""), "args",
	  ALL " --istio-inbound-tproxy-mark=5 --istio-inbound-tproxy-route-table=6 --reconcile --force-iptables-binary=nft "
	      "--resolv-conf=/x --wait=3s" },
	{ CAPTURE("redirect-dns: true"), POD("istio-init/redirect-dns: 'false'"), "args", ALL " --redirect-dns=false" },
	/* TPROXY: the group tells the proxy apart, unless it is the UID that is given anyway */
	{ TPROXY_PROXY CAPTURE("istio-inbound-interception-mode: TPROXY"), POD(""), "/spec/initContainers/0/args/6", "1337" },
	{ TPROXY_PROXY CAPTURE("istio-inbound-interception-mode: TPROXY, proxy-uid: 5"), POD(""),
	  "/spec/initContainers/0/args/18", "--proxy-gid=1337" },
	{ TPROXY_PROXY CAPTURE("istio-inbound-interception-mode: TPROXY"), POD(""), "/spec/initContainers/0/args/18", "" },
	/* the plugin makes the rules */
	{ "init: cni", POD(""), "args", ALL " --run-validation --skip-rule-apply" },
	{ "init: cni\ncapture: {force-apply: true, native-nftables: true, proxy-gid: 5, comments: true}",
	  POD("istio-init/redirect-dns: 'true', istio-init/dual-stack: 'true', istio-init/drop-invalid: 'true'"),
	  "args", ALL " --run-validation --skip-rule-apply --native-nftables --comments" },
};

START_TEST(arguments)
{
	pod_case_check(&args[_i]);
}
END_TEST

/* Every annotation of the table is checked: what it must be, and what it must not. */
static const struct {
	const char *name, *good, *bad, *item, *expected; /* item NULL: the whole value */
} notes[] = {
	{ "istio-init/proxy-uid", "1,2", "1,root", "root", "a UID 0-4294967294" },
	{ "sidecar.istio.io/interceptionMode", "TPROXY", "tproxy", NULL, "REDIRECT, TPROXY or NONE" },
	{ T "includeOutboundIPRanges", "*", "10.0.0.0/8,10.0.0.0/33", "10.0.0.0/33", "a prefix length 0-32" },
	{ T "excludeOutboundIPRanges", "::/0", "*", "*", "CIDRs" },
	{ T "includeInboundPorts", "80, 1-2", "80,x", "x", "a port" },
	{ T "excludeInboundPorts", "", "*", "*", "a port" },
	{ "status.sidecar.istio.io/port", "0", "65536", NULL, "a port 0-65535" },
	{ T "includeOutboundPorts", "1", "-1", "-1", "a port" },
	{ T "excludeOutboundPorts", "1", "1;2", "1;2", "a port" },
	{ "istio.io/reroute-virtual-interfaces", "net1", "a/b", "a/b", "" },
	{ T "kubevirtInterfaces", "net1", "a b", "a b", "" },
	{ T "excludeInterfaces", "net+", "0123456789abcdef", "0123456789abcdef", "" },
	{ "sidecar.istio.io/agentLogLevel", "all:debug", "default:loud", "default:loud", "[SCOPE:]LEVEL" },
	{ "istio-init/inbound-tunnel-port", "1", "0", NULL, "a port 1-65535" },
	{ "istio-init/proxy-gid", "5", "staff", "staff", "a GID 0-4294967294" },
	{ "istio-init/redirect-dns", "t", "yes", NULL, "true or false" },
	{ "istio-init/capture-all-dns", "0", "", NULL, "true or false" },
	{ "istio-init/drop-invalid", "F", "on", NULL, "true or false" },
	{ "istio-init/dual-stack", "True", "2", NULL, "true or false" },
	{ "istio-init/backend", "auto", "nft", NULL, "auto|nftables" },
	{ "istio-init/ipv6", "on", "true", NULL, "auto|on|off" },
	{ "istio-init/dns-port", "53", "x", NULL, "a port" },
	{ "istio-init/dns-zones", "off", "no", NULL, "auto|on|off" },
	{ "istio-init/exclude-outbound-uids", "1-5", "5-1", "5-1", "a range a-b" },
	{ "istio-init/exclude-outbound-gids", "1", "x", "x", "a GID 0-4294967294" },
	{ "istio-init/exclude-outbound-ports-for-uids", "tcp:1:2", "tcp:1", NULL, "PROTO:PORTS:UIDS" },
	{ "istio-init/exclude-inbound-cidrs", "10.0.0.0/8", "x", "x", "" },
	{ "istio-init/bypass-mark", "0x5/0xf", "0", NULL, "a mark other than 0" },
	{ "istio-init/long-lists", "linear", "x", NULL, "auto|linear|tree" },
	{ "istio-init/comments", "true", "x", NULL, "true or false" },
	{ "readiness.status.sidecar.istio.io/initialDelaySeconds", "0", "-1", NULL, "a number 0-4294967295" },
	{ "readiness.status.sidecar.istio.io/periodSeconds", "4294967295", "4294967296", NULL, "a number" },
	{ "readiness.status.sidecar.istio.io/failureThreshold", "30", "3s", NULL, "a number" },
	{ "sidecar.istio.io/nativeSidecar", "true", "native", NULL, "true or false" },
	{ "sidecar.istio.io/rewriteAppHTTPProbers", "false", "no", NULL, "true or false" },
	{ "prometheus.istio.io/merge-metrics", "1", "x", NULL, "true or false" },
	{ "sidecar.istio.io/proxyCPU", "100m", "100 m", NULL, "a quantity" },
	{ "sidecar.istio.io/proxyMemory", "1.5Gi", "1GiB", NULL, "a quantity" },
	{ "sidecar.istio.io/proxyCPULimit", "2e3", "", NULL, "a quantity" },
	{ "sidecar.istio.io/proxyMemoryLimit", "+1E", "1.2.3", NULL, "a quantity" },
	{ "proxy.istio.io/config", "concurrency: 2", "[1]", NULL, "a mapping" },
	{ "proxy.istio.io/config", "", "a: {", NULL, "YAML" },
	{ "proxy.istio.io/config", "statusPort: 5", "statusPort: x", NULL, "statusPort: a port 0-65535" },
	{ "proxy.istio.io/overrides", "{}", "[]", NULL, "a JSON object" },
	{ "proxy.istio.io/overrides", "{\"containers\":[{\"name\":\"x\"}]}", "{\"containers\":[{}]}", NULL, "containers" },
	{ "inject.istio.io/templates", " p ,", "p,q", "q", "names of overlays or aliases" },
	{ "inject.istio.io/templates", "al", "", NULL, "names of overlays or aliases" },
	{ "sidecar.istio.io/userVolume", "{\"a\":{}}", "{\"a\":1}", "a", "a JSON object" },
	{ "sidecar.istio.io/userVolumeMount", "{}", "x", NULL, "JSON" },
	{ "istio-inject/order", "after:a", "before:a", NULL, "auto, first, last or after:NAME" },
	/* no file is opened for an annotation, whatever the list */
	{ T "includeOutboundIPRanges", "", "1.2.3.4, @/etc/passwd", "@/etc/passwd", "no @FILE" },
	{ "istio-init/exclude-outbound-ports-for-uids", "udp:1-2:3-4", "tcp:@/etc/passwd:1", "@/etc/passwd", "no @FILE" },
	{ "istio-init/proxy-uid", "", "@/etc/passwd", "@/etc/passwd", "no @FILE" },
};

static void with_note(struct pod_run *run, const char *name, const char *value)
{
	char pod[400], quoted[200] = "", *to = quoted;

	for (; *value; value++) {
		if (*value == '"')
			*to++ = '\\';
		*to++ = *value;
	}
	snprintf(pod, sizeof(pod), "metadata: {annotations: {%s: \"%s\"}}\nspec: {containers: [{name: app}]}", name,
		 quoted);
	pod_run(run, "overlays: {p: {}}\naliases: {al: [p]}", pod);
}

START_TEST(annotation)
{
	const char *item = notes[_i].item ? notes[_i].item : notes[_i].bad;
	char head[100], of_item[100];
	struct pod_run run;

	with_note(&run, notes[_i].name, notes[_i].good);
	ck_assert_str_eq(pod_run_value(&run, "error"), "");
	pod_run_free(&run);
	with_note(&run, notes[_i].name, notes[_i].bad);
	ck_assert_int_eq(run.result.refusal, REFUSED_ANNOTATION);
	ck_assert_int_eq((int)run.err.status, STATUS_DATA);
	snprintf(head, sizeof(head), "annotation %s: \"", notes[_i].name);
	ck_assert_msg(!strncmp(run.err.what, head, strlen(head)), "%s", run.err.what);
	snprintf(of_item, sizeof(of_item), ": item \"%s\": expected %s", item, notes[_i].expected);
	if (!strchr(item, '"'))
		ck_assert_msg(strstr(run.err.what, of_item), "%s\nnot %s", run.err.what, of_item);
	pod_run_free(&run);
}
END_TEST

static const struct pod_case refusals[] = {
	{ "", POD("istio-init/proxy-udi: '5'"), "error",
	  "annotation \"istio-init/proxy-udi\": there is no such option; the nearest is istio-init/proxy-uid" },
	{ "", POD("istio-init/dry-run: 'true'"), "error", "annotation \"istio-init/dry-run\": there is no such option" },
	/* what istio-init does not take together */
	{ CAPTURE("native-nftables: true"), POD("istio-init/backend: iptables-nft"), "error",
	  "annotation istio-init/backend and the configuration's native-nftables: --backend and --native-nftables ask for "
	  "different backends: expected one" },
	{ CAPTURE("force-iptables-binary: nft"), POD("istio-init/backend: iptables-legacy"), "error",
	  "annotation istio-init/backend and the configuration's force-iptables-binary: --backend and --force-iptables-binary "
	  "ask for different backends: expected one" },
	{ "", POD("sidecar.istio.io/interceptionMode: TPROXY, istio-init/bypass-mark: 1337/0xfff"), "error",
	  "annotation istio-init/bypass-mark and annotation sidecar.istio.io/interceptionMode: --bypass-mark matches the "
	  "TPROXY mark 1337: expected a mark of its own" },
	{ CAPTURE("istio-inbound-interception-mode: TPROXY"), POD("istio-init/bypass-mark: '1338'"), "error",
	  "annotation istio-init/bypass-mark and the configuration's istio-inbound-interception-mode: --bypass-mark matches "
	  "1338, the mark of the proxy's own packets: expected a mark of its own" },
	{ CAPTURE("bypass-mark: 1338"), POD("sidecar.istio.io/interceptionMode: TPROXY"), "error",
	  "annotation sidecar.istio.io/interceptionMode and the configuration's bypass-mark: --bypass-mark matches 1338, the "
	  "mark of the proxy's own packets: expected a mark of its own" },
	{ "", USER("runAsUser: 4294967295"), "error",
	  "the configuration's proxy-uid: --proxy-uid (-u): \"4294967295\": expected a UID 0-4294967294 or a user of /etc/passwd" },
	/* the first of the table, not of the pod */
	{ "", POD("istio-inject/order: x, " T "includeInboundPorts: x"), "error",
	  "annotation traffic.sidecar.istio.io/includeInboundPorts: \"x\": item \"x\": expected a port (1-65535) or a range a-b" },
	/* one line, whatever the value; cut at 100 bytes */
	{ "", POD(T "excludeInboundPorts: \"80,a\\nb\\x01\""), "error",
	  "annotation traffic.sidecar.istio.io/excludeInboundPorts: \"80,a\\nb\\u0001\": item \"a\\nb\\u0001\": expected a port "
	  "(1-65535) or a range a-b" },
	{ "",
	  POD("status.sidecar.istio.io/port: "
	      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789x"),
	  "error",
	  "annotation status.sidecar.istio.io/port: "
	  "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"...: item "
	  "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"...: "
	  "expected a port 0-65535" },
};

START_TEST(refusal)
{
	pod_case_check(&refusals[_i]);
}
END_TEST

/* The table's rows point at istio-init's options of the same name, or at one that istio-init does not have. */
START_TEST(rows)
{
	for (const struct annotation *a = annotations; a < annotations + ANNOTATIONS; a++)
		if (a->option && option_find(a->option, strlen(a->option)))
			ck_assert_str_eq(options[a->like].name, a->option);
}
END_TEST

START_TEST(options_of_check)
{
	static const struct pod_option wanted[] = {
		{ "envoy-port", "15001", "default", NULL },
		{ "inbound-capture-port", "15006", "default", NULL },
		{ "proxy-uid", "1337", "default", NULL },
		{ "istio-inbound-interception-mode", "REDIRECT", "default", NULL },
		{ "istio-service-cidr", "10.0.0.0/8", "configuration", NULL },
		{ "istio-service-exclude-cidr", "", "default", NULL },
		{ "istio-inbound-ports", "80", "annotation", T "includeInboundPorts" },
		{ "istio-local-exclude-ports", "15090,15021,99", "annotation", "status.sidecar.istio.io/port" },
		{ "log_output_level", "default:info", "default", NULL },
		{ "comments", "true", "configuration", NULL },
	};
	struct pod_run run;

	pod_run(&run, CAPTURE("istio-service-cidr: 10.0.0.0/8, comments: true"),
		POD(T "includeInboundPorts: '80', status.sidecar.istio.io/port: '99'"));
	ck_assert_str_eq(pod_run_value(&run, "error"), "");
	ck_assert_uint_eq(run.result.n_options, ARRAY_SIZE(wanted));
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
		ck_assert_str_eq(run.result.options[i].name, wanted[i].name);
		ck_assert_str_eq(run.result.options[i].value, wanted[i].value);
		ck_assert_str_eq(run.result.options[i].from, wanted[i].from);
		ck_assert_pstr_eq(run.result.options[i].annotation, wanted[i].annotation);
	}
	pod_run_free(&run);
}
END_TEST

Suite *suite_pod_options(void)
{
	Suite *suite = suite_create("pod_options");
	TCase *tests = tcase_create("tests");

	tcase_add_loop_test(tests, arguments, 0, ARRAY_SIZE(args));
	tcase_add_loop_test(tests, annotation, 0, ARRAY_SIZE(notes));
	tcase_add_loop_test(tests, refusal, 0, ARRAY_SIZE(refusals));
	tcase_add_test(tests, rows);
	tcase_add_test(tests, options_of_check);
	suite_add_tcase(suite, tests);
	return suite;
}
